//! Cameras of Linux (Video4Linux 2): USB webcams and whatever else gives pictures in one plane. Exposure and white balance are left
//! to the camera.

mod choice;
mod device;
mod list;

pub use list::{Device, DeviceMode, devices};

use super::{Camera, CameraError, Encoding, Frame, Losses, Mode, Wanted};
use choice::encoding;
use device::{Filled, Video};
use memmap2::Mmap;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// Buffers that circulate: one being filled, one being read, two for a reader that is late.
const BUFFERS: u32 = 4;
/// Fewer cannot circulate.
const FEWEST_BUFFERS: usize = 2;

/// A camera that streams.
#[derive(Debug)]
pub struct V4l2 {
    mode: Mode,
    stride: usize,
    // Before the file: unmapped before it is closed.
    buffers: Vec<Mmap>,
    video: Video,
    losses: Losses,
    /// The device's count of the last frame, and ours.
    last: Option<u32>,
    sequence: u64,
}

impl V4l2 {
    /// Opens the first camera that gives frames.
    ///
    /// # Errors
    /// Where none does: why the first of those that are there does not.
    pub fn open_first(wanted: &Wanted) -> Result<Self, CameraError> {
        let mut failure = None;
        for device in list::nodes().into_iter().filter(|device| device.is_sensor) {
            match Self::open(&device.node, wanted) {
                Ok(camera) => return Ok(camera),
                Err(CameraError::Missing(_)) => (),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        Err(failure
            .unwrap_or_else(|| CameraError::Missing("no video device gives pictures".into())))
    }

    /// Opens the first camera whose name holds `part`, in any case.
    ///
    /// # Errors
    /// Where there is none, or it gives no frames.
    pub fn open_named(part: &str, wanted: &Wanted) -> Result<Self, CameraError> {
        let part = part.to_lowercase();
        let found =
            list::nodes().into_iter().find(|device| device.name.to_lowercase().contains(&part));
        match found {
            Some(device) => Self::open(&device.node, wanted),
            None => Err(CameraError::Missing(format!("none has `{part}` in its name"))),
        }
    }

    /// Opens a device and starts it.
    ///
    /// # Errors
    /// Where it is not there, in use, not allowed, or has no format that is read.
    pub fn open(node: &Path, wanted: &Wanted) -> Result<Self, CameraError> {
        let place = node.display().to_string();
        let video = Video::open(node).map_err(|error| said(&place, &error))?;
        let identity = video.identity().map_err(|error| said(&place, &error))?;
        let name = format!("{} ({place})", identity.card);
        let failed = |error: io::Error| said(&name, &error);
        let no_format =
            |offers: &str| CameraError::NoFormat { name: name.clone(), offers: offers.into() };
        if !identity.captures {
            let planes = "pictures in several planes only";
            return Err(no_format(if identity.captures_planes { planes } else { "no pictures" }));
        }

        let offers = choice::offers(&video, wanted);
        let Some(offer) = choice::choose(&offers, wanted) else {
            let formats: Vec<String> = video.formats().into_iter().map(list::letters).collect();
            return Err(no_format(&formats.join(", ")));
        };
        let granted = video.set_format(offer.fourcc, offer.size).map_err(failed)?;
        let rate = video.set_rate(offer.rate).unwrap_or(0.0);
        let Some(encoding) = encoding(granted.fourcc) else {
            return Err(no_format(&list::letters(granted.fourcc)));
        };
        let [width, height] = granted.size.map(|side| side as usize);
        let stride = if encoding == Encoding::Mjpeg { 0 } else { granted.stride as usize };

        let buffers = video.map_buffers(BUFFERS).map_err(failed)?;
        if buffers.len() < FEWEST_BUFFERS {
            return Err(failed(io::Error::other("the driver gives too few buffers")));
        }
        for index in 0..buffers.len() {
            video.queue(index as u32).map_err(failed)?;
        }
        video.start().map_err(failed)?;
        let mode = Mode { name, width, height, encoding, rate };
        let (losses, last) = (Losses::default(), None);
        Ok(Self { mode, stride, buffers, video, losses, last, sequence: 0 })
    }

    fn failed(&self, error: &io::Error) -> CameraError {
        said(&self.mode.name, error)
    }

    /// Follows the device's count, which may wrap around.
    fn count(&mut self, filled: &Filled) {
        let step = self.last.map_or(1, |last| filled.sequence.wrapping_sub(last));
        self.last = Some(filled.sequence);
        // A count that stands still or goes back is the driver's fault, not a gap.
        if (1..=u32::MAX / 2).contains(&step) {
            self.sequence += u64::from(step);
            self.losses.gaps += u64::from(step - 1);
        } else {
            self.sequence += 1;
        }
    }

    /// Takes back all filled buffers and keeps the newest whole one; the others are given to the device again.
    fn newest(&mut self) -> io::Result<Option<Filled>> {
        let mut newest: Option<Filled> = None;
        while let Some(filled) = self.video.dequeue()? {
            self.count(&filled);
            if filled.is_broken {
                self.losses.broken += 1;
                self.video.queue(filled.index)?;
            } else if let Some(older) = newest.replace(filled) {
                self.losses.superseded += 1;
                self.video.queue(older.index)?;
            }
        }
        Ok(newest)
    }
}

impl Camera for V4l2 {
    fn mode(&self) -> &Mode {
        &self.mode
    }

    fn next(&mut self, frame: &mut Frame, timeout: Duration) -> Result<bool, CameraError> {
        let broken = self.losses.broken;
        if !self.video.wait(timeout).map_err(|error| self.failed(&error))? {
            return Ok(false);
        }
        let Some(filled) = self.newest().map_err(|error| self.failed(&error))? else {
            if self.losses.broken > broken {
                return Ok(false);
            }
            // Without a buffer, `wait` would return at once for ever.
            return Err(self.failed(&io::Error::other("it is ready and has no frame")));
        };
        let bytes = self.buffers.get(filled.index as usize).map_or(&[][..], |buffer| buffer);
        frame.data.clear();
        frame.data.extend_from_slice(&bytes[..filled.length.min(bytes.len())]);
        self.video.queue(filled.index).map_err(|error| self.failed(&error))?;
        frame.width = self.mode.width;
        frame.height = self.mode.height;
        frame.stride = self.stride;
        frame.encoding = self.mode.encoding;
        frame.captured = filled.captured.min(Instant::now());
        frame.sequence = self.sequence;
        Ok(true)
    }

    fn losses(&self) -> Losses {
        self.losses
    }
}

impl Drop for V4l2 {
    fn drop(&mut self) {
        // A device that is gone cannot be stopped; it is closed in any case.
        let _ = self.video.stop();
    }
}

/// The system's error as the shop's staff needs it.
fn said(name: &str, error: &io::Error) -> CameraError {
    use rustix::io::Errno;
    match Errno::from_io_error(error) {
        Some(Errno::BUSY) => CameraError::Busy(name.into()),
        Some(Errno::ACCESS | Errno::PERM) => CameraError::Forbidden(name.into()),
        Some(Errno::NODEV | Errno::NOENT | Errno::NXIO) => {
            CameraError::Missing(format!("{name} is not there"))
        }
        _ => CameraError::Failed { name: name.into(), why: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_of_the_system_has_its_cause() {
        use rustix::io::Errno;
        let of = |errno: Errno| said("x", &errno.into());
        assert_eq!(of(Errno::BUSY), CameraError::Busy("x".into()));
        assert_eq!(of(Errno::ACCESS), CameraError::Forbidden("x".into()));
        assert!(matches!(of(Errno::NODEV), CameraError::Missing(_)));
        assert!(matches!(of(Errno::NOENT), CameraError::Missing(_)));
        assert!(matches!(of(Errno::IO), CameraError::Failed { .. }));
    }

    #[test]
    fn a_node_that_is_not_there_is_missing_and_a_file_is_no_camera() {
        let wanted = Wanted { width: 640, height: 480, rate: 30.0 };
        let missing = V4l2::open(Path::new("/dev/video-none"), &wanted);
        assert!(matches!(missing, Err(CameraError::Missing(_))), "{missing:?}");
        let file = V4l2::open(Path::new("/dev/null"), &wanted);
        assert!(matches!(file, Err(CameraError::Failed { .. })), "{file:?}");
    }
}
