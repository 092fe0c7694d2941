//! What gives way when the machine cannot keep up: how often perception looks, then the size of the picture.
//!
//! | level | perception | longer side of the picture |
//! | --- | --- | --- |
//! | 0 | every frame | as the camera gives it |
//! | 1 | every 2nd frame | as the camera gives it |
//! | 2 | every 3rd frame | as the camera gives it |
//! | 3 | every 3rd frame | 960 |
//! | 4 | every 4th frame | 640 |
//!
//! The level rises when the last frames missed the budget on average, and falls when for some seconds they met it with
//! room to spare; between the two lies a band in which nothing changes. A frame counts for at most twice the budget, so
//! that a single hitch changes nothing.

use std::time::Duration;

/// How a level works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Perception looks at every n-th frame.
    pub every: u32,
    /// Longest side of the working picture, pixels; `None`: as the camera gives it.
    pub side: Option<usize>,
}

/// From the best to the least that is still a mirror.
pub const LEVELS: [Level; 5] = [
    Level { every: 1, side: None },
    Level { every: 2, side: None },
    Level { every: 3, side: None },
    Level { every: 3, side: Some(960) },
    Level { every: 4, side: Some(640) },
];

/// Frames that are judged together …
const WINDOW: u32 = 24;
/// … or fewer, when they took this long: a machine that is far too slow does not wait for a full window.
const WINDOW_TIME: Duration = Duration::from_secs(4);
/// A hitch or two are no window.
const LEAST_FRAMES: u32 = 3;
/// Frames have room to spare if they take less than this share of the budget on average.
const SPARE: f32 = 0.6;
/// Windows with room to spare in a row, before the level falls.
const CALM: u32 = 4;
/// Longest wait, in windows, after a fall that had to be taken back.
const MOST_CALM: u32 = 64;

/// The level, and what it was decided by.
#[derive(Clone, Debug)]
pub struct Degrade {
    budget: Duration,
    level: usize,
    frames: u32,
    /// With each frame bounded, and as it was.
    spent: Duration,
    wall: Duration,
    calm: u32,
    /// Calm windows that are asked for now: more each time a fall had to be taken back.
    wanted_calm: u32,
    fell: bool,
}

impl Degrade {
    /// Starts at the best level.
    pub fn new(budget: Duration) -> Self {
        Self {
            budget,
            level: 0,
            frames: 0,
            spent: Duration::ZERO,
            wall: Duration::ZERO,
            calm: 0,
            wanted_calm: CALM,
            fell: false,
        }
    }

    /// How to work now.
    pub fn level(&self) -> Level {
        LEVELS[self.level]
    }

    /// The level's number, 0 is best.
    pub fn number(&self) -> usize {
        self.level
    }

    /// Takes the time that a frame took; whether the level changed.
    pub fn took(&mut self, time: Duration) -> bool {
        self.frames += 1;
        self.spent += time.min(2 * self.budget);
        self.wall += time;
        let is_long = self.wall >= WINDOW_TIME && self.frames >= LEAST_FRAMES;
        if self.frames < WINDOW && !is_long {
            return false;
        }
        self.wall = Duration::ZERO;
        let mean = std::mem::take(&mut self.spent) / std::mem::take(&mut self.frames);
        let (missed, spare) = (mean > self.budget, mean < self.budget.mul_f32(SPARE));
        if missed {
            self.calm = 0;
            if std::mem::take(&mut self.fell) {
                self.wanted_calm = (2 * self.wanted_calm).min(MOST_CALM);
            }
            let before = self.level;
            self.level = (self.level + 1).min(LEVELS.len() - 1);
            return self.level != before;
        }
        self.calm = if spare { self.calm + 1 } else { 0 };
        if self.calm < self.wanted_calm || self.level == 0 {
            return false;
        }
        self.calm = 0;
        self.fell = true;
        self.level -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Duration = Duration::from_millis(40);

    fn run(degrade: &mut Degrade, windows: u32, cost: impl Fn(Level) -> u64) -> u32 {
        let mut changes = 0;
        for _ in 0..windows * WINDOW {
            let time = Duration::from_millis(cost(degrade.level()));
            changes += u32::from(degrade.took(time));
        }
        changes
    }

    #[test]
    fn a_fast_machine_stays_at_the_best_level() {
        let mut degrade = Degrade::new(BUDGET);
        assert_eq!(run(&mut degrade, 50, |_| 30), 0);
        assert_eq!(degrade.number(), 0);
    }

    #[test]
    fn single_slow_frames_change_nothing() {
        let mut degrade = Degrade::new(BUDGET);
        for frame in 0..1000 {
            degrade.took(Duration::from_millis(if frame % 12 == 0 { 900 } else { 30 }));
        }
        assert_eq!(degrade.number(), 0);
    }

    #[test]
    fn a_machine_that_is_far_too_slow_does_not_wait_for_a_full_window() {
        let mut degrade = Degrade::new(BUDGET);
        let changes = (0..12).filter(|_| degrade.took(Duration::from_secs(2))).count();
        assert_eq!((changes, degrade.number()), (4, LEVELS.len() - 1));
    }

    #[test]
    fn a_slow_machine_gives_up_perception_first_and_size_last() {
        let mut degrade = Degrade::new(BUDGET);
        run(&mut degrade, 1, |_| 60);
        assert_eq!(degrade.level(), Level { every: 2, side: None });
        run(&mut degrade, 20, |_| 60);
        assert_eq!(degrade.number(), LEVELS.len() - 1);
    }

    #[test]
    fn it_settles_where_the_budget_is_met_and_does_not_swing() {
        let cost = |level: Level| if level.every == 1 { 55 } else { 34 };
        let mut degrade = Degrade::new(BUDGET);
        assert_eq!(run(&mut degrade, 200, cost), 1);
        assert_eq!(degrade.number(), 1);
    }

    #[test]
    fn it_recovers_and_tries_ever_more_rarely_when_that_fails() {
        let mut degrade = Degrade::new(BUDGET);
        run(&mut degrade, 3, |_| 60);
        run(&mut degrade, 40, |_| 10);
        assert_eq!(degrade.number(), 0);
        // Level 0 is too slow, level 1 leaves room: without patience it would change every few windows.
        let cost = |level: Level| if level.every == 1 { 55 } else { 20 };
        let changes = run(&mut degrade, 400, cost);
        assert!(changes < 30, "{changes}");
    }
}
