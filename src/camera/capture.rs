//! A thread that runs a camera, keeps only its newest frame, and opens it again whatever becomes of it.

use super::frame::Frame;
use super::{Camera, CameraError, Losses, Mode};
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A camera is frozen that sends nothing for so long, and for [`FROZEN_FRAMES`] of its frames.
pub const FROZEN: Duration = Duration::from_secs(1);
/// See [`FROZEN`].
pub const FROZEN_FRAMES: f32 = 5.0;
/// A camera is opened again that has been frozen for so long.
pub const FROZEN_REOPEN: Duration = Duration::from_secs(3);
/// Time from an error to the next attempt, at first; it doubles with every attempt that fails.
pub const BACKOFF: Duration = Duration::from_millis(200);
/// The longest time between attempts.
pub const MAX_BACKOFF: Duration = Duration::from_secs(2);

/// A camera that has been opened may take so long to its first frame: it warms up.
pub const FIRST_FRAME: Duration = Duration::from_secs(3);

/// How long the thread waits for a frame before it looks whether it is to end.
const TURN: Duration = Duration::from_millis(100);
/// How long the thread may take to end; a driver that blocks longer is left behind.
const PATIENCE: Duration = Duration::from_millis(500);

/// How it stands with the camera. Shown, it is the rest of a log line that begins with `camera`.
#[derive(Clone, Debug, PartialEq)]
pub enum Status {
    /// It is being opened for the first time, or has not sent a frame yet.
    Starting,
    /// Frames come.
    Streaming(Mode),
    /// It is there and sends nothing.
    Frozen,
    /// It cannot be opened, or failed; it is tried again all the time.
    Lost(CameraError),
    /// The recorded pictures are over.
    Ended,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting => f.write_str("starting"),
            Self::Streaming(mode) => write!(f, "streaming {mode}"),
            Self::Frozen => f.write_str("frozen"),
            Self::Lost(error) => write!(f, "lost: {error}"),
            Self::Ended => f.write_str("ended"),
        }
    }
}

/// What became of the frames so far. `captured` is `taken` and `dropped` and at most one that waits to be taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Whole frames that the camera gave.
    pub captured: u64,
    /// Frames that were taken.
    pub taken: u64,
    /// Frames that a newer one took the place of.
    pub dropped: u64,
    /// Frames that the camera marked as broken, and taken ones that could not be decoded.
    pub broken: u64,
    /// Frames missing in the camera's own count.
    pub gaps: u64,
    /// How often the camera was opened again.
    pub reopened: u64,
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { captured, taken, dropped, broken, gaps, reopened } = self;
        write!(
            f,
            "counters captured={captured} taken={taken} dropped={dropped} broken={broken} gaps={gaps} \
             reopened={reopened}"
        )
    }
}

/// A running camera. Dropped, the thread ends and the frames are overwritten.
#[derive(Debug)]
pub struct Capture {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    slot: Mutex<Slot>,
    /// Whatever changed in the slot.
    changed: Condvar,
}

#[derive(Debug)]
struct Slot {
    newest: Frame,
    is_full: bool,
    status: Status,
    counters: Counters,
    /// The thread's own frame is to be overwritten.
    wipe: bool,
    stop: bool,
    is_over: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Slot> {
        // Every change is complete before anything can panic.
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `enough`, at most for `timeout`.
    fn wait(
        &self,
        timeout: Duration,
        mut enough: impl FnMut(&Slot) -> bool,
    ) -> MutexGuard<'_, Slot> {
        let waited = self.changed.wait_timeout_while(self.lock(), timeout, |slot| !enough(slot));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn say(&self, status: Status) {
        let mut slot = self.lock();
        if slot.status != status {
            tracing::info!("camera {status}");
            slot.status = status;
            self.changed.notify_all();
        }
    }
}

impl Capture {
    /// Starts the thread. `open` is called on it, first and after every failure.
    ///
    /// # Panics
    /// If the system gives no thread.
    pub fn start(
        open: impl FnMut() -> Result<Box<dyn Camera>, CameraError> + Send + 'static,
    ) -> Self {
        let slot = Slot {
            newest: Frame::empty(),
            is_full: false,
            status: Status::Starting,
            counters: Counters::default(),
            wipe: false,
            stop: false,
            is_over: false,
        };
        let shared = Arc::new(Shared { slot: Mutex::new(slot), changed: Condvar::new() });
        tracing::info!("camera {}", Status::Starting);
        let worker =
            Worker { shared: Arc::clone(&shared), spare: Frame::empty(), next_sequence: 0 };
        thread::Builder::new()
            .name("capture".into())
            .spawn(move || worker.run(open))
            .expect("the system gives a thread");
        Self { shared }
    }

    /// Swaps the newest frame into `frame`, whose memory the camera uses next; waits for one for at most `timeout`. `false`: none
    /// came, `frame` is as it was. Once the pictures have [ended](Status::Ended) it does not wait.
    pub fn newest(&self, frame: &mut Frame, timeout: Duration) -> bool {
        let mut slot = self.shared.wait(timeout, |slot| slot.is_full || slot.is_over);
        if !slot.is_full {
            return false;
        }
        std::mem::swap(&mut slot.newest, frame);
        slot.is_full = false;
        slot.counters.taken += 1;
        self.shared.changed.notify_all();
        true
    }

    /// How it stands with the camera.
    pub fn status(&self) -> Status {
        self.shared.lock().status.clone()
    }

    /// What became of the frames so far.
    pub fn counters(&self) -> Counters {
        self.shared.lock().counters
    }

    /// Counts a taken frame that could not be decoded.
    pub fn count_broken(&self) {
        self.shared.lock().counters.broken += 1;
    }

    /// Overwrites the frame that waits, and makes the thread overwrite what its own memory still holds of earlier ones.
    pub fn wipe(&self) {
        let mut slot = self.shared.lock();
        slot.wipe_newest();
        slot.wipe = true;
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.changed.notify_all();
        self.shared.wait(PATIENCE, |slot| slot.is_over).wipe_newest();
    }
}

impl Slot {
    fn wipe_newest(&mut self) {
        self.newest.wipe();
        if std::mem::take(&mut self.is_full) {
            self.counters.dropped += 1;
        }
    }
}

/// What the thread owns.
struct Worker {
    shared: Arc<Shared>,
    /// What the camera fills.
    spare: Frame,
    /// Frame numbers go on when the camera is opened again.
    next_sequence: u64,
}

/// Why a camera is not asked any longer.
enum End {
    Stopped,
    Failed(CameraError),
    Frozen,
}

impl Worker {
    fn run(mut self, mut open: impl FnMut() -> Result<Box<dyn Camera>, CameraError>) {
        let mut backoff = BACKOFF;
        while !self.shared.lock().stop {
            let captured = self.shared.lock().counters.captured;
            // The camera is closed when `stream` returns: an open descriptor would move it to another node when it is
            // plugged in again.
            let end = match open() {
                Ok(camera) => self.stream(camera),
                Err(error) => End::Failed(error),
            };
            match end {
                End::Stopped => break,
                End::Frozen => self.shared.say(Status::Frozen),
                End::Failed(CameraError::Ended) => {
                    self.shared.say(Status::Ended);
                    break;
                }
                End::Failed(error) => self.shared.say(Status::Lost(error)),
            }
            if self.shared.lock().counters.captured > captured {
                backoff = BACKOFF;
            }
            if self.shared.wait(backoff, |slot| slot.stop).stop {
                break;
            }
            backoff = (backoff * 2).min(MAX_BACKOFF);
            self.shared.lock().counters.reopened += 1;
        }
    }

    /// Takes frames until the camera fails or freezes, or the program ends.
    fn stream(&mut self, mut camera: Box<dyn Camera>) -> End {
        let mode = camera.mode().clone();
        let frame_time = if mode.rate > 0.0 { 1.0 / mode.rate } else { 0.0 };
        let frozen = FROZEN.max(Duration::from_secs_f32((frame_time * FROZEN_FRAMES).min(60.0)));
        let first_sequence = self.next_sequence;
        let mut losses = Losses::default();
        let mut last = Instant::now();
        let (mut has_begun, mut flows) = (false, false);
        loop {
            let is_paced = camera.is_paced();
            let enough = |slot: &Slot| is_paced || !slot.is_full || slot.stop;
            let slot = self.shared.wait(TURN, enough);
            if slot.stop {
                return End::Stopped;
            }
            if !enough(&slot) {
                continue;
            }
            drop(slot);
            let next = camera.next(&mut self.spare, TURN);
            self.count(&mut losses, camera.losses());
            match next {
                Err(error) => return End::Failed(error),
                Ok(true) => {
                    last = Instant::now();
                    self.spare.sequence += first_sequence;
                    self.next_sequence = self.spare.sequence + 1;
                    self.hand_over();
                    if !flows {
                        self.shared.say(Status::Streaming(mode.clone()));
                    }
                    (has_begun, flows) = (true, true);
                }
                Ok(false) => {
                    let silent = last.elapsed();
                    let frozen = if has_begun { frozen } else { frozen.max(FIRST_FRAME) };
                    if silent > frozen + FROZEN_REOPEN {
                        return End::Frozen;
                    }
                    if silent > frozen {
                        flows = false;
                        self.shared.say(Status::Frozen);
                    }
                }
            }
        }
    }

    /// Puts the frame into the slot, and takes what was there for the next.
    fn hand_over(&mut self) {
        let mut slot = self.shared.lock();
        slot.counters.captured += 1;
        slot.counters.dropped += u64::from(slot.is_full);
        if std::mem::take(&mut slot.wipe) {
            self.spare.wipe_unused();
        }
        std::mem::swap(&mut slot.newest, &mut self.spare);
        slot.is_full = true;
        self.shared.changed.notify_all();
    }

    /// Adds what the camera lost since it was last asked.
    fn count(&self, before: &mut Losses, now: Losses) {
        if *before == now {
            return;
        }
        let counters = &mut self.shared.lock().counters;
        let superseded = now.superseded - before.superseded;
        counters.captured += superseded;
        counters.dropped += superseded;
        counters.broken += now.broken - before.broken;
        counters.gaps += now.gaps - before.gaps;
        *before = now;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Also after a panic: nobody shall wait for frames that never come.
        if thread::panicking() {
            let why = "its thread ended by a fault of this program".into();
            self.shared.say(Status::Lost(CameraError::Failed { name: "capture".into(), why }));
        }
        self.spare.wipe();
        self.shared.lock().is_over = true;
        self.shared.changed.notify_all();
    }
}
