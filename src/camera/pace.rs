//! Keeps a rate: frames that were due while nobody asked are left out, as a camera does.

use std::thread;
use std::time::{Duration, Instant};

/// The clock of a camera that is none.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    interval: Duration,
    start: Instant,
    /// Frames that were due.
    passed: u64,
}

impl Pace {
    /// Frames per second, more than 0.
    pub fn new(rate: f32) -> Self {
        Self { interval: Duration::from_secs_f32(1.0 / rate), start: Instant::now(), passed: 0 }
    }

    /// Waits until a frame is due, at most `timeout`: when it was due, and how many were due and left out before it.
    pub fn wait(&mut self, timeout: Duration) -> Option<(Instant, u64)> {
        let due = self.due(self.passed);
        let now = Instant::now();
        if due > now + timeout {
            thread::sleep(timeout);
            return None;
        }
        thread::sleep(due.saturating_duration_since(now));
        let late = now.saturating_duration_since(due);
        let missed = (late.as_nanos() / self.interval.as_nanos().max(1)) as u64;
        self.passed += missed + 1;
        Some((self.due(self.passed - 1), missed))
    }

    fn due(&self, frame: u64) -> Instant {
        self.start + self.interval.mul_f64(frame as f64)
    }
}
