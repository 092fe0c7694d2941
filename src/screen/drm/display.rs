//! Frames on the display: two buffers in turn, or one whose changes the driver is told.

use super::card::{Output, number};
use super::rotation::Rotation;
use crate::screen::ScreenError;
use crate::screen::draw::Frame;
use drm::buffer::Buffer as _;
use drm::buffer::DrmFourcc;
use drm::control::dumbbuffer::{DumbBuffer, DumbMapping};
use drm::control::{ClipRect, Device as _, Event, PageFlipFlags, framebuffer};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::io;
use std::time::{Duration, Instant};

/// Longest that a page flip may take; a display at 24 Hz needs 42 ms.
const FLIP: Duration = Duration::from_millis(200);

/// A buffer that the card can show.
pub struct Memory {
    buffer: DumbBuffer,
    framebuffer: framebuffer::Handle,
}

impl Memory {
    /// A black buffer of the mode's size.
    ///
    /// # Errors
    /// When the card has no memory for it.
    pub fn new(output: &Output) -> io::Result<Self> {
        let (width, height) = output.mode.size();
        let size = (width.into(), height.into());
        let buffer = output.card.create_dumb_buffer(size, DrmFourcc::Xrgb8888, 32)?;
        let framebuffer = output.card.add_framebuffer(&buffer, 24, 32)?;
        Ok(Self { buffer, framebuffer })
    }

    /// What the card calls it.
    pub fn framebuffer(&self) -> framebuffer::Handle {
        self.framebuffer
    }
}

/// How a frame gets from the buffer to the glass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The other buffer is shown from the next refresh on.
    Flip,
    /// The buffer that is shown is overwritten and the driver told so.
    Dirty,
}

/// The display while frames are shown on it.
pub struct Display<'a> {
    output: &'a Output,
    maps: [DumbMapping<'a>; 2],
    framebuffers: [framebuffer::Handle; 2],
    pitch: usize,
    rotation: Rotation,
    shown: usize,
    way: Way,
}

impl<'a> Display<'a> {
    /// Maps the buffers; the first is shown.
    ///
    /// # Errors
    /// When they cannot be mapped.
    pub fn new(
        output: &'a Output,
        memory: &'a mut [Memory; 2],
        rotation: Rotation,
        flips: bool,
    ) -> io::Result<Self> {
        let framebuffers = [memory[0].framebuffer, memory[1].framebuffer];
        let pitch = memory[0].buffer.pitch() as usize;
        let [first, second] = memory;
        let maps = [
            output.card.map_dumb_buffer(&mut first.buffer)?,
            output.card.map_dumb_buffer(&mut second.buffer)?,
        ];
        let way = if flips { Way::Flip } else { Way::Dirty };
        Ok(Self { output, maps, framebuffers, pitch, rotation, shown: 0, way })
    }

    /// Shows a frame; returns when it is on the glass, as near as the card tells.
    ///
    /// # Errors
    /// When the display or card is gone.
    pub fn show(&mut self, frame: &Frame) -> Result<Instant, ScreenError> {
        if self.way == Way::Flip {
            let next = 1 - self.shown;
            self.rotation.copy(frame, &mut self.maps[next], self.pitch);
            if self.flip(next)? {
                self.shown = next;
                return Ok(Instant::now());
            }
            tracing::info!("the graphics driver flips no pages; one buffer is overwritten instead");
            self.way = Way::Dirty;
        }
        self.rotation.copy(frame, &mut self.maps[self.shown], self.pitch);
        self.flush()?;
        Ok(Instant::now())
    }

    /// `false`: the driver cannot.
    fn flip(&mut self, next: usize) -> Result<bool, ScreenError> {
        let output = self.output;
        for _ in 0..3 {
            let asked = output.card.page_flip(
                output.crtc,
                self.framebuffers[next],
                PageFlipFlags::EVENT,
                None,
            );
            let Err(why) = asked else { return self.flipped().map(|()| true) };
            match number(&why) {
                // The last one is not through yet.
                Some(Errno::BUSY) => self.flipped()?,
                Some(Errno::NOSYS | Errno::INVAL | Errno::OPNOTSUPP) => return Ok(false),
                _ => {
                    output.check()?;
                    return Err(output.failed(&why));
                }
            }
        }
        Ok(false)
    }

    /// Waits for the card to say that a page was flipped, for [`FLIP`] at most: some drivers forget to.
    fn flipped(&self) -> Result<(), ScreenError> {
        let card = &self.output.card;
        let end = Instant::now() + FLIP;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return self.output.check();
            }
            let timeout =
                rustix::event::Timespec { tv_sec: 0, tv_nsec: left.subsec_nanos().into() };
            match poll(&mut [PollFd::new(card, PollFlags::IN)], Some(&timeout)) {
                Ok(0) | Err(Errno::INTR) => continue,
                Ok(_) => {}
                Err(why) => return Err(self.output.failed(&why.into())),
            }
            match card.receive_events() {
                Ok(mut events) => {
                    if events.any(|event| matches!(event, Event::PageFlip(_))) {
                        return Ok(());
                    }
                }
                Err(why) if matches!(number(&why), Some(Errno::AGAIN | Errno::INTR)) => {}
                Err(why) => return Err(self.output.failed(&why)),
            }
        }
    }

    /// Tells the driver that the buffer that is shown has changed. Drivers that scan it out by themselves do not know the
    /// call.
    fn flush(&self) -> Result<(), ScreenError> {
        let (width, height) = self.output.mode.size();
        let whole = [ClipRect::new(0, 0, width, height)];
        let told = self.output.card.dirty_framebuffer(self.framebuffers[self.shown], &whole);
        match told {
            Err(why)
                if !matches!(
                    number(&why),
                    Some(Errno::NOSYS | Errno::INVAL | Errno::OPNOTSUPP)
                ) =>
            {
                self.output.check()?;
                Err(self.output.failed(&why))
            }
            _ => Ok(()),
        }
    }

    /// Overwrites both buffers, also the one that is shown.
    ///
    /// # Errors
    /// When the display or card is gone; the buffers are overwritten all the same.
    pub fn wipe(&mut self) -> Result<(), ScreenError> {
        for map in &mut self.maps {
            map.fill(0);
        }
        if self.way == Way::Flip {
            let next = 1 - self.shown;
            if self.flip(next)? {
                self.shown = next;
                return Ok(());
            }
            self.way = Way::Dirty;
        }
        self.flush()
    }
}
