//! A folder of pictures.

use super::{MAX_FRAME_BYTES, Pictures, Why};
use crate::camera::decode::{MAX_PIXELS, MAX_SIDE};
use crate::camera::{Encoding, Frame, jpeg};
use image::{ImageFormat, ImageReader, Limits};
use std::fs::{self, File};
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

/// Its JPEG and PNG files in the order of their names.
#[derive(Debug)]
pub struct Folder {
    files: Vec<PathBuf>,
    next: usize,
    /// The bytes of a PNG.
    file: Vec<u8>,
}

impl Folder {
    pub fn open(path: &Path) -> Result<Self, Why> {
        let mut files = Vec::new();
        for entry in fs::read_dir(path)? {
            let file = entry?.path();
            let extension = file.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            if matches!(extension.as_str(), "jpg" | "jpeg" | "png") {
                files.push(file);
            }
        }
        if files.is_empty() {
            return Err(Why("the folder holds no .jpg or .png file".into()));
        }
        files.sort();
        Ok(Self { files, next: 0, file: Vec::new() })
    }

    fn read(&mut self, path: &Path, frame: &mut Frame) -> Result<(), String> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        frame.data.clear();
        let read = file.take(MAX_FRAME_BYTES as u64 + 1).read_to_end(&mut frame.data);
        read.map_err(|error| error.to_string())?;
        if frame.data.len() > MAX_FRAME_BYTES {
            return Err("the file is too large for a frame".into());
        }
        if let Some(header) = jpeg::header(&frame.data) {
            (frame.width, frame.height) = (header.width, header.height);
            (frame.stride, frame.encoding) = (0, Encoding::Mjpeg);
            return Ok(());
        }
        std::mem::swap(&mut frame.data, &mut self.file);
        let mut reader = ImageReader::with_format(Cursor::new(&self.file), ImageFormat::Png);
        let mut limits = Limits::default();
        limits.max_image_width = Some(MAX_SIDE as u32);
        limits.max_image_height = Some(MAX_SIDE as u32);
        limits.max_alloc = Some(MAX_PIXELS as u64 * 8);
        reader.limits(limits);
        let picture = reader.decode().map_err(|error| error.to_string())?.into_rgb8();
        (frame.width, frame.height) = (picture.width() as usize, picture.height() as usize);
        (frame.stride, frame.encoding) = (frame.width * 3, Encoding::Rgb);
        frame.data = picture.into_raw();
        Ok(())
    }
}

impl Pictures for Folder {
    fn next(&mut self, frame: &mut Frame) -> Result<bool, Why> {
        let Some(path) = self.files.get(self.next).cloned() else { return Ok(false) };
        self.next += 1;
        let named = |why| Why(format!("{}: {why}", path.display()));
        self.read(&path, frame).map_err(named)?;
        Ok(true)
    }

    fn rewind(&mut self) -> Result<(), Why> {
        self.next = 0;
        Ok(())
    }
}
