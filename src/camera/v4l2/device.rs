//! One video device of Linux, as safe calls: the ioctls of V4L2 that a camera needs, and its buffers.
//!
//! The stream types of the crate `v4l` panic where a device goes away while it is being closed, and hand a buffer over again
//! that was never given back; so this file asks the kernel itself, through that crate's bindings.
#![expect(unsafe_code, reason = "ioctl and mmap have no safe form")]

use memmap2::{Mmap, MmapOptions};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::time::{ClockId, clock_gettime};
use std::fs::{File, OpenOptions};
use std::io;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::raw::c_int;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};
use v4l::buffer::{Flags, Type};
use v4l::capability::Flags as Capabilities;
use v4l::memory::Memory;
use v4l::v4l_sys::{
    v4l2_buffer, v4l2_capability, v4l2_fmtdesc, v4l2_format, v4l2_fract, v4l2_frmivalenum,
    v4l2_frmivaltypes_V4L2_FRMIVAL_TYPE_DISCRETE, v4l2_frmsizeenum,
    v4l2_frmsizetypes_V4L2_FRMSIZE_TYPE_DISCRETE, v4l2_requestbuffers, v4l2_streamparm,
};
use v4l::v4l2::vidioc::{self, _IOC_TYPE};

const CAPTURE: u32 = Type::VideoCapture as u32;
const MMAP: u32 = Memory::Mmap as u32;
/// More entries of an enumeration than any camera has.
const MOST: u32 = 512;
/// Older than this, or later than now, a time stamp is not of this clock.
const OLDEST: Duration = Duration::from_secs(2);
/// In `v4l2_captureparm.capability`: the rate can be set.
const TIME_PER_FRAME: u32 = 0x1000;

/// The number of an ioctl, and what its argument points to.
struct Request<T>(_IOC_TYPE, PhantomData<fn(&mut T)>);

// Each pairs a number with the type that `linux/videodev2.h` gives it; no argument holds a pointer.
const QUERYCAP: Request<v4l2_capability> = Request(vidioc::VIDIOC_QUERYCAP, PhantomData);
const ENUM_FMT: Request<v4l2_fmtdesc> = Request(vidioc::VIDIOC_ENUM_FMT, PhantomData);
const ENUM_SIZES: Request<v4l2_frmsizeenum> = Request(vidioc::VIDIOC_ENUM_FRAMESIZES, PhantomData);
const ENUM_INTERVALS: Request<v4l2_frmivalenum> =
    Request(vidioc::VIDIOC_ENUM_FRAMEINTERVALS, PhantomData);
const S_FMT: Request<v4l2_format> = Request(vidioc::VIDIOC_S_FMT, PhantomData);
const G_PARM: Request<v4l2_streamparm> = Request(vidioc::VIDIOC_G_PARM, PhantomData);
const S_PARM: Request<v4l2_streamparm> = Request(vidioc::VIDIOC_S_PARM, PhantomData);
const REQBUFS: Request<v4l2_requestbuffers> = Request(vidioc::VIDIOC_REQBUFS, PhantomData);
const QUERYBUF: Request<v4l2_buffer> = Request(vidioc::VIDIOC_QUERYBUF, PhantomData);
const QBUF: Request<v4l2_buffer> = Request(vidioc::VIDIOC_QBUF, PhantomData);
const DQBUF: Request<v4l2_buffer> = Request(vidioc::VIDIOC_DQBUF, PhantomData);
const STREAMON: Request<c_int> = Request(vidioc::VIDIOC_STREAMON, PhantomData);
const STREAMOFF: Request<c_int> = Request(vidioc::VIDIOC_STREAMOFF, PhantomData);

/// What an ioctl takes.
///
/// # Safety
/// Any bytes make a value, all of them 0 too, and none of them is followed as a pointer with the memory kind used here.
unsafe trait Argument: Copy {}

// SAFETY: structs and unions of integers; the pointers among them are read for `V4L2_MEMORY_USERPTR` and for planes only, and both
// stay 0.
unsafe impl Argument for v4l2_buffer {}
// SAFETY: as above; `clips` of the overlay format stays 0.
unsafe impl Argument for v4l2_format {}
// SAFETY: integers.
unsafe impl Argument for v4l2_capability {}
// SAFETY: integers.
unsafe impl Argument for v4l2_fmtdesc {}
// SAFETY: integers.
unsafe impl Argument for v4l2_frmsizeenum {}
// SAFETY: integers.
unsafe impl Argument for v4l2_frmivalenum {}
// SAFETY: integers.
unsafe impl Argument for v4l2_streamparm {}
// SAFETY: integers.
unsafe impl Argument for v4l2_requestbuffers {}
// SAFETY: an integer.
unsafe impl Argument for c_int {}

fn zeroed<T: Argument>() -> T {
    // SAFETY: `Argument` says that zeros make a value.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

/// An open device. Nothing blocks but [`Video::wait`].
#[derive(Debug)]
pub struct Video {
    file: File,
}

/// What a device says of itself.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The kernel module's name.
    pub driver: String,
    /// The camera's name.
    pub card: String,
    /// Where it is plugged in.
    pub bus: String,
    /// Whether it gives pictures through memory that is mapped, each in one plane.
    pub captures: bool,
    /// Whether it gives pictures in several planes, which is not read.
    pub captures_planes: bool,
}

/// One or more sizes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sizes {
    /// This width and height.
    One([u32; 2]),
    /// From a smallest to a largest width and height, in steps.
    Range {
        /// Smallest width and height.
        min: [u32; 2],
        /// Largest width and height.
        max: [u32; 2],
        /// Steps of width and height, at least 1.
        step: [u32; 2],
    },
}

/// One or more rates, frames per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rates {
    /// This one.
    One(f32),
    /// From the lowest to the highest.
    Range(f32, f32),
}

/// The format that a device granted.
#[derive(Clone, Copy, Debug)]
pub struct Granted {
    /// Width and height.
    pub size: [u32; 2],
    /// V4L2's four letters.
    pub fourcc: [u8; 4],
    /// Bytes from row to row.
    pub stride: u32,
}

/// A buffer that the device filled and gave back.
#[derive(Clone, Copy, Debug)]
pub struct Filled {
    /// Which.
    pub index: u32,
    /// Bytes filled.
    pub length: usize,
    /// Whether the device says that its content is no picture.
    pub is_broken: bool,
    /// The device's count.
    pub sequence: u32,
    /// When the picture was taken.
    pub captured: Instant,
}

impl Video {
    /// Opens a device.
    ///
    /// # Errors
    /// What the system says, as with all functions here.
    pub fn open(node: &Path) -> io::Result<Self> {
        let flags = OFlags::NONBLOCK.bits() as i32;
        Ok(Self { file: OpenOptions::new().read(true).write(true).custom_flags(flags).open(node)? })
    }

    fn ask<T: Argument>(&self, request: &Request<T>, argument: &mut T) -> io::Result<()> {
        // SAFETY: the kernel reads and writes as many bytes as the request's number says, which is made of the size of `T`; any
        // bytes make a `T`, and no pointer in it is followed.
        unsafe {
            v4l::v4l2::ioctl(self.file.as_raw_fd(), request.0, std::ptr::from_mut(argument).cast())
        }
    }

    /// What the device says of itself.
    pub fn identity(&self) -> io::Result<Identity> {
        let mut asked = zeroed();
        self.ask(&QUERYCAP, &mut asked)?;
        // Of this node, where the driver tells the nodes of one device apart.
        let of_node = asked.capabilities & Capabilities::DEVICE_CAPS.bits() != 0;
        let bits = if of_node { asked.device_caps } else { asked.capabilities };
        let has = |flag: Capabilities| bits & flag.bits() != 0;
        let streams = has(Capabilities::STREAMING) && !has(Capabilities::TOUCH);
        Ok(Identity {
            driver: text(&asked.driver),
            card: text(&asked.card),
            bus: text(&asked.bus_info),
            captures: streams && has(Capabilities::VIDEO_CAPTURE),
            captures_planes: streams && has(Capabilities::VIDEO_CAPTURE_MPLANE),
        })
    }

    /// The formats that there are, as V4L2's four letters.
    pub fn formats(&self) -> Vec<[u8; 4]> {
        let ask = |index| {
            let mut asked = v4l2_fmtdesc { index, type_: CAPTURE, ..zeroed() };
            self.ask(&ENUM_FMT, &mut asked).ok()?;
            Some(asked.pixelformat.to_le_bytes())
        };
        (0..MOST).map_while(ask).collect()
    }

    /// The sizes of a format; none where the driver does not say.
    pub fn sizes(&self, fourcc: [u8; 4]) -> Vec<Sizes> {
        let pixel_format = u32::from_le_bytes(fourcc);
        let ask = |index| {
            let mut asked = v4l2_frmsizeenum { index, pixel_format, ..zeroed() };
            self.ask(&ENUM_SIZES, &mut asked).ok()?;
            // SAFETY: both members are integers only.
            let (one, range) =
                unsafe { (asked.__bindgen_anon_1.discrete, asked.__bindgen_anon_1.stepwise) };
            Some(if asked.type_ == v4l2_frmsizetypes_V4L2_FRMSIZE_TYPE_DISCRETE {
                Sizes::One([one.width, one.height])
            } else {
                Sizes::Range {
                    min: [range.min_width, range.min_height],
                    max: [range.max_width, range.max_height],
                    step: [range.step_width.max(1), range.step_height.max(1)],
                }
            })
        };
        (0..MOST).map_while(ask).collect()
    }

    /// The rates of a format and size; none where the driver does not say.
    pub fn rates(&self, fourcc: [u8; 4], [width, height]: [u32; 2]) -> Vec<Rates> {
        let pixel_format = u32::from_le_bytes(fourcc);
        let ask = |index| {
            let mut asked = v4l2_frmivalenum { index, pixel_format, width, height, ..zeroed() };
            self.ask(&ENUM_INTERVALS, &mut asked).ok()?;
            // SAFETY: both members are integers only.
            let (one, range) =
                unsafe { (asked.__bindgen_anon_1.discrete, asked.__bindgen_anon_1.stepwise) };
            Some(if asked.type_ == v4l2_frmivaltypes_V4L2_FRMIVAL_TYPE_DISCRETE {
                Rates::One(rate(one))
            } else {
                Rates::Range(rate(range.max), rate(range.min))
            })
        };
        (0..MOST).map_while(ask).collect()
    }

    /// Asks for a format; what was granted may differ in all.
    pub fn set_format(&self, fourcc: [u8; 4], [width, height]: [u32; 2]) -> io::Result<Granted> {
        let mut asked = v4l2_format { type_: CAPTURE, ..zeroed() };
        // SAFETY: of the format's union, this type's member is written and, after the kernel has filled it, read.
        let pix = unsafe { &mut asked.fmt.pix };
        pix.pixelformat = u32::from_le_bytes(fourcc);
        (pix.width, pix.height) = (width, height);
        self.ask(&S_FMT, &mut asked)?;
        // SAFETY: as above.
        let pix = unsafe { asked.fmt.pix };
        Ok(Granted {
            size: [pix.width, pix.height],
            fourcc: pix.pixelformat.to_le_bytes(),
            stride: pix.bytesperline,
        })
    }

    /// Asks for a rate and reads back what was granted; `None` where the driver knows of no rates.
    pub fn set_rate(&self, wanted: f32) -> Option<f32> {
        let mut asked = v4l2_streamparm { type_: CAPTURE, ..zeroed() };
        self.ask(&G_PARM, &mut asked).ok()?;
        // SAFETY: of the union, this type's member is read and written; it holds integers only.
        let capture = unsafe { &mut asked.parm.capture };
        if capture.capability & TIME_PER_FRAME != 0 {
            capture.timeperframe.numerator = 1000;
            capture.timeperframe.denominator = (wanted * 1000.0).round() as u32;
            self.ask(&S_PARM, &mut asked).ok()?;
            self.ask(&G_PARM, &mut asked).ok()?;
        }
        // SAFETY: as above.
        let granted = unsafe { asked.parm.capture.timeperframe };
        Some(rate(granted)).filter(|&rate| rate > 0.0)
    }

    /// Makes `count` buffers, or as many as the driver gives, and maps them.
    pub fn map_buffers(&self, count: u32) -> io::Result<Vec<Mmap>> {
        let mut asked = v4l2_requestbuffers { count, type_: CAPTURE, memory: MMAP, ..zeroed() };
        self.ask(&REQBUFS, &mut asked)?;
        (0..asked.count).map(|index| self.map(index)).collect()
    }

    fn map(&self, index: u32) -> io::Result<Mmap> {
        let mut asked = v4l2_buffer { index, type_: CAPTURE, memory: MMAP, ..zeroed() };
        self.ask(&QUERYBUF, &mut asked)?;
        // SAFETY: for this kind of memory the kernel has set the offset.
        let offset = unsafe { asked.m.offset };
        let mut options = MmapOptions::new();
        options.offset(offset.into()).len(asked.length as usize);
        // SAFETY: the device writes a buffer only between QBUF and DQBUF; bytes are looked at only after DQBUF and before the next
        // QBUF of the buffer, see `V4l2::next`. The mapping keeps the memory, even when the device is gone.
        unsafe { options.map(&self.file) }
    }

    /// Gives a buffer to the device, to be filled.
    pub fn queue(&self, index: u32) -> io::Result<()> {
        self.ask(&QBUF, &mut v4l2_buffer { index, type_: CAPTURE, memory: MMAP, ..zeroed() })
    }

    /// Takes back the buffer that was filled first; `None` where none is.
    pub fn dequeue(&self) -> io::Result<Option<Filled>> {
        let mut asked = v4l2_buffer { type_: CAPTURE, memory: MMAP, ..zeroed() };
        match self.ask(&DQBUF, &mut asked) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            other => other?,
        }
        let flags = Flags::from(asked.flags);
        let stamp = Duration::new(
            asked.timestamp.tv_sec.try_into().unwrap_or(0),
            u32::try_from(asked.timestamp.tv_usec).unwrap_or(0).min(999_999) * 1000,
        );
        let is_monotonic = flags & Flags::TIMESTAMP_MASK == Flags::TIMESTAMP_MONOTONIC;
        Ok(Some(Filled {
            index: asked.index,
            length: asked.bytesused as usize,
            is_broken: flags.contains(Flags::ERROR) || asked.bytesused == 0,
            sequence: asked.sequence,
            captured: if is_monotonic { instant(stamp) } else { Instant::now() },
        }))
    }

    /// Begins to fill buffers.
    pub fn start(&self) -> io::Result<()> {
        self.ask(&STREAMON, &mut (CAPTURE as c_int))
    }

    /// Takes all buffers from the device.
    pub fn stop(&self) -> io::Result<()> {
        self.ask(&STREAMOFF, &mut (CAPTURE as c_int))
    }

    /// Waits until a buffer is filled or the device has failed, at most `timeout`.
    pub fn wait(&self, timeout: Duration) -> io::Result<bool> {
        let timeout = Timespec::try_from(timeout).map_err(io::Error::other)?;
        let mut file = [PollFd::new(&self.file, PollFlags::IN)];
        match poll(&mut file, Some(&timeout)) {
            Ok(count) => Ok(count > 0),
            // A signal came.
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// The kernel's monotonic clock brought to ours, which is the same on Linux; now, where the stamp makes no sense.
fn instant(stamp: Duration) -> Instant {
    let (now, clock) = (Instant::now(), clock_gettime(ClockId::Monotonic));
    let clock =
        Duration::new(clock.tv_sec.try_into().unwrap_or(0), clock.tv_nsec.try_into().unwrap_or(0));
    let age = clock.checked_sub(stamp).filter(|&age| age <= OLDEST);
    age.and_then(|age| now.checked_sub(age)).unwrap_or(now)
}

/// Frames per second of the time from frame to frame; 0 where that is 0.
fn rate(interval: v4l2_fract) -> f32 {
    if interval.numerator == 0 {
        return 0.0;
    }
    (f64::from(interval.denominator) / f64::from(interval.numerator)) as f32
}

/// Text that ends with a zero byte, or fills its place.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).trim().to_owned()
}
