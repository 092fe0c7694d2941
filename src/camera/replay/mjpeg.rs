//! A file of JPEGs, one after the other. What lies between them is left out.

use super::{MAX_FRAME_BYTES, Pictures, Why};
use crate::camera::{Encoding, Frame, jpeg};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// What is read at once; a JPEG's segments before its first scan must fit.
const STEP: usize = 1 << 20;
/// How a JPEG begins.
const START: [u8; 3] = [0xff, 0xd8, 0xff];

/// The file and what of it is in memory.
#[derive(Debug)]
pub struct Mjpeg {
    file: File,
    /// Bytes that were read and not yet given.
    ahead: Vec<u8>,
    is_over: bool,
}

impl Mjpeg {
    pub fn open(path: &Path) -> Result<Self, Why> {
        Ok(Self { file: File::open(path)?, ahead: Vec::new(), is_over: false })
    }

    /// Reads on; `false` at the file's end.
    fn fill(&mut self) -> Result<bool, Why> {
        if !self.is_over {
            let read = (&mut self.file).take(STEP as u64).read_to_end(&mut self.ahead)?;
            self.is_over = read == 0;
        }
        Ok(!self.is_over)
    }

    /// Drops what stands before the next JPEG; `false` where there is none.
    fn seek_start(&mut self) -> Result<bool, Why> {
        loop {
            if let Some(at) = self.ahead.windows(START.len()).position(|bytes| bytes == START) {
                self.ahead.drain(..at);
                return Ok(true);
            }
            // The last bytes may be the first of a start.
            let kept = self.ahead.len().saturating_sub(START.len() - 1);
            self.ahead.drain(..kept);
            if !self.fill()? {
                return Ok(false);
            }
        }
    }

    /// Where the JPEG at the start of `ahead` ends; `None` where it has no end. Reads on as far as it must.
    fn find_end(&mut self, header: &jpeg::Header) -> Result<Option<usize>, Why> {
        let mut from = header.scan;
        loop {
            let rest = jpeg::Header { scan: from, ..*header };
            if let Some(end) = jpeg::end(&self.ahead, &rest) {
                return Ok(Some(end));
            }
            from = self.ahead.len().saturating_sub(1).max(header.scan);
            if self.ahead.len() > MAX_FRAME_BYTES || !self.fill()? {
                return Ok(None);
            }
        }
    }
}

impl Pictures for Mjpeg {
    fn next(&mut self, frame: &mut Frame) -> Result<bool, Why> {
        while self.seek_start()? {
            while self.ahead.len() < STEP && self.fill()? {}
            let Some(header) = jpeg::header(&self.ahead) else {
                self.ahead.drain(..START.len());
                continue;
            };
            let Some(end) = self.find_end(&header)? else {
                // No JPEG that begins in these bytes has an end in them.
                self.ahead.clear();
                continue;
            };
            frame.data.clear();
            frame.data.extend(self.ahead.drain(..end));
            (frame.width, frame.height) = (header.width, header.height);
            (frame.stride, frame.encoding) = (0, Encoding::Mjpeg);
            return Ok(true);
        }
        Ok(false)
    }

    fn rewind(&mut self) -> Result<(), Why> {
        self.file.seek(SeekFrom::Start(0))?;
        self.ahead.clear();
        self.is_over = false;
        Ok(())
    }
}
