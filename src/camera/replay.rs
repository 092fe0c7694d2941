//! Recorded pictures in place of a camera: a folder of JPEG and PNG files in the order of their names, a file of JPEGs one after
//! the other, or a Y4M file.

mod folder;
mod mjpeg;
mod y4m;

use super::pace::Pace;
use super::{Camera, CameraError, Frame, Losses, Mode, Rate, Wanted};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The most bytes of one recorded frame.
const MAX_FRAME_BYTES: usize = 64 << 20;

/// Recorded pictures, from first to last.
trait Pictures: Send + std::fmt::Debug {
    /// Reads the next one: bytes, size, stride and encoding. `false` behind the last.
    fn next(&mut self, frame: &mut Frame) -> Result<bool, Why>;

    /// Goes back to the first.
    fn rewind(&mut self) -> Result<(), Why>;

    /// Pictures per second, where they say.
    fn rate(&self) -> Option<f32> {
        None
    }
}

/// Why recorded pictures cannot be read, and what to do.
#[derive(Debug)]
struct Why(String);

impl From<io::Error> for Why {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

/// Recorded pictures as a camera.
#[derive(Debug)]
pub struct Replay {
    path: PathBuf,
    pictures: Box<dyn Pictures>,
    mode: Mode,
    /// `None`: as fast as they are taken.
    pace: Option<Pace>,
    once: bool,
    sequence: u64,
    losses: Losses,
}

impl Replay {
    /// Opens recorded pictures; `rate` in place of their own, which is the wanted one where they do not say.
    ///
    /// # Errors
    /// Where there are none, or the first cannot be read.
    pub fn open(
        path: &Path,
        rate: Option<Rate>,
        once: bool,
        wanted: &Wanted,
    ) -> Result<Self, CameraError> {
        let why = |Why(why)| CameraError::Replay { path: path.display().to_string(), why };
        let mut pictures = recorded(path).map_err(why)?;
        let mut first = Frame::empty();
        if !pictures.next(&mut first).map_err(why)? {
            return Err(why(Why("it holds no picture".into())));
        }
        pictures.rewind().map_err(why)?;
        let own = pictures.rate().unwrap_or(wanted.rate).clamp(0.1, Rate::MOST);
        let rate = match rate {
            None => own,
            Some(Rate::PerSecond(rate)) => rate,
            Some(Rate::Max) => 0.0,
        };
        let mode = Mode {
            name: format!("replay:{}", path.display()),
            width: first.width,
            height: first.height,
            encoding: first.encoding,
            rate,
        };
        let pace = (rate > 0.0).then(|| Pace::new(rate));
        let losses = Losses::default();
        Ok(Self { path: path.into(), pictures, mode, pace, once, sequence: 0, losses })
    }

    /// The next picture; from the first again behind the last, unless that is the end.
    fn read(&mut self, frame: &mut Frame) -> Result<(), CameraError> {
        let why = |Why(why)| CameraError::Replay { path: self.path.display().to_string(), why };
        if self.pictures.next(frame).map_err(why)? {
            return Ok(());
        }
        if self.once {
            return Err(CameraError::Ended);
        }
        self.pictures.rewind().map_err(why)?;
        if self.pictures.next(frame).map_err(why)? {
            return Ok(());
        }
        Err(why(Why("it holds no picture any longer".into())))
    }
}

impl Camera for Replay {
    fn mode(&self) -> &Mode {
        &self.mode
    }

    fn next(&mut self, frame: &mut Frame, timeout: Duration) -> Result<bool, CameraError> {
        let (captured, missed) = match &mut self.pace {
            None => (Instant::now(), 0),
            Some(pace) => match pace.wait(timeout) {
                None => return Ok(false),
                Some(due) => due,
            },
        };
        self.read(frame)?;
        self.losses.gaps += missed;
        self.sequence += missed + 1;
        (frame.captured, frame.sequence) = (captured, self.sequence);
        Ok(true)
    }

    fn losses(&self) -> Losses {
        self.losses
    }

    fn is_paced(&self) -> bool {
        self.pace.is_some()
    }
}

fn recorded(path: &Path) -> Result<Box<dyn Pictures>, Why> {
    if path.is_dir() {
        return Ok(Box::new(folder::Folder::open(path)?));
    }
    let mut start = Vec::new();
    File::open(path)?.take(y4m::MAGIC.len() as u64).read_to_end(&mut start)?;
    if start == y4m::MAGIC {
        Ok(Box::new(y4m::Y4m::open(path)?))
    } else if start.starts_with(&[0xff, 0xd8]) {
        Ok(Box::new(mjpeg::Mjpeg::open(path)?))
    } else {
        Err(Why("expected a folder of pictures, a file of JPEGs (MJPEG) or a Y4M file".into()))
    }
}
