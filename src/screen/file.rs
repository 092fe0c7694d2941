//! Views as files: for tests, and to look at what a mirror without a display shows.

use super::draw::{Interface, Painter};
use super::{Screen, ScreenError};
use crate::mirror::view::{Action, Seen, View};
use crate::output::{Existing, write_whole};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use jpeg_encoder::{ColorType, Encoder};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Quality of the pictures of an MJPEG file, of 100.
const QUALITY: u8 = 85;

/// Where views go.
enum To {
    /// One PNG, replaced by each view.
    Picture(PathBuf),
    /// A PNG for each view that looks different from the one before: what is before the number, its digits, what is after.
    Pictures(String, usize, String),
    /// JPEGs one after the other.
    Film(PathBuf, File),
}

/// A screen that is a file.
pub struct FileScreen {
    painter: Painter,
    interface: Interface,
    to: To,
    written: u64,
    seen: Vec<Seen>,
}

impl FileScreen {
    /// A screen of a size. `path` ends in `.png` (with `%06d` in its name for a file a view, else one that is replaced) or
    /// in `.mjpeg`.
    ///
    /// # Errors
    /// When the name has another ending, or the file cannot be made.
    pub fn create(path: &Path, (width, height): (usize, usize)) -> Result<Self, ScreenError> {
        let shown = path.display().to_string();
        let extension = path.extension().and_then(|extension| extension.to_str());
        let to = match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("png") => match numbered(&shown) {
                Some((before, digits, after)) => To::Pictures(before, digits, after),
                None => To::Picture(path.to_owned()),
            },
            Some("mjpeg" | "mjpg") => {
                let file = File::create(path).map_err(|why| cannot(path, why.to_string()))?;
                To::Film(path.to_owned(), file)
            }
            _ => {
                return Err(cannot(path, "its name must end in .png or .mjpeg".to_owned()));
            }
        };
        Ok(Self {
            painter: Painter::new(width, height),
            interface: Interface::default(),
            to,
            written: 0,
            seen: Vec::new(),
        })
    }

    fn write(&mut self) -> Result<(), ScreenError> {
        let frame = self.painter.frame();
        let rgb = frame.rgb();
        let (width, height) = (frame.width, frame.height);
        let picture = |path: &Path| {
            let written = write_whole(path, Existing::Replace, |file| {
                PngEncoder::new_with_quality(file, CompressionType::Fast, FilterType::Up)
                    .write_image(&rgb, width as u32, height as u32, ExtendedColorType::Rgb8)
                    .map_err(std::io::Error::other)
            });
            written.map_err(|why| cannot(path, why.to_string()))
        };
        match &mut self.to {
            To::Picture(path) => picture(path),
            To::Pictures(before, digits, after) => {
                let (number, digits) = (self.written, *digits);
                picture(Path::new(&format!("{before}{number:0digits$}{after}")))
            }
            To::Film(path, file) => {
                let mut jpeg = Vec::new();
                Encoder::new(&mut jpeg, QUALITY)
                    .encode(&rgb, width as u16, height as u16, ColorType::Rgb)
                    .map_err(|why| cannot(path, why.to_string()))?;
                file.write_all(&jpeg).map_err(|why| cannot(path, why.to_string()))
            }
        }
    }
}

/// Takes `name-%06d.png` apart.
fn numbered(path: &str) -> Option<(String, usize, String)> {
    let (before, rest) = path.split_once('%')?;
    let (digits, after) = rest.split_once('d')?;
    let digits = if digits.is_empty() { 1 } else { digits.parse().ok()? };
    (digits <= 20).then(|| (before.to_owned(), digits, after.to_owned()))
}

fn cannot(path: &Path, why: String) -> ScreenError {
    ScreenError { what: format!("cannot write views to `{}`", path.display()), why }
}

impl Screen for FileScreen {
    fn show(&mut self, view: &Arc<View>) -> Result<(), ScreenError> {
        self.interface.follow(view);
        let changed = self.painter.draw(view, &self.interface);
        if changed || matches!(self.to, To::Film(..)) {
            self.write()?;
            self.written += 1;
        }
        self.seen.push(Seen { number: view.number, at: Instant::now() });
        Ok(())
    }

    fn seen(&mut self) -> Vec<Seen> {
        std::mem::take(&mut self.seen)
    }

    fn actions(&mut self) -> Vec<Action> {
        Vec::new()
    }

    /// Overwrites what is in memory; the files are what was asked for and stay.
    fn wipe(&mut self) {
        self.painter.wipe();
    }
}
