//! Hands-free control: a raised hand that rests selects, one that moves sideways steps to the next piece.

use super::view::Hand;
use crate::perception::{Person, landmark::*};
use glam::Vec2;
use std::time::{Duration, Instant};

/// What a hand said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gesture {
    /// A raised hand rested.
    Select,
    /// A raised hand moved to the picture's right (1) or left (-1).
    Swipe(i32),
}

/// A resting hand selects after this time.
const HOLD: Duration = Duration::from_millis(1200);
/// After a gesture the hand has to rest or go down for this long.
const PAUSE: Duration = Duration::from_millis(700);
/// A swipe covers this many shoulder widths …
const SWIPE: f32 = 0.8;
/// … within this time.
const SWIPE_TIME: Duration = Duration::from_millis(500);
/// A hand that moves more than this many shoulder widths since it was raised does not rest.
const REST: f32 = 0.25;
/// A wrist is up when it is this many shoulder widths above the shoulder.
const ABOVE: f32 = 0.15;
/// Wrists that are seen less surely do not count.
const SEEN: f32 = 0.6;

/// Follows the raised hand of one person.
#[derive(Clone, Debug, Default)]
pub struct Gestures {
    side: Option<usize>,
    /// Where the hand has been of late, relative to the shoulders' middle, in shoulder widths.
    path: Vec<(Instant, Vec2)>,
    rest: Option<(Instant, Vec2)>,
    quiet_until: Option<Instant>,
}

impl Gestures {
    /// Looks at a person; the gesture that is complete now, and the raised hand for the screen. `mirrored`: positions
    /// are those of a mirrored picture of `size` pixels.
    pub fn observe(
        &mut self,
        person: Option<&Person>,
        size: (usize, usize),
        now: Instant,
    ) -> (Option<Gesture>, Option<Hand>) {
        let Some((side, wrist, relative)) = person.and_then(raised) else {
            let quiet_until = self.quiet_until;
            *self = Self { quiet_until, ..Self::default() };
            return (None, None);
        };
        if self.side != Some(side) {
            let quiet_until = self.quiet_until;
            *self = Self { side: Some(side), quiet_until, ..Self::default() };
        }
        let quiet = self.quiet_until.is_some_and(|until| now < until);
        self.path.push((now, relative));
        self.path.retain(|(at, _)| now.saturating_duration_since(*at) <= SWIPE_TIME);
        let moved = relative.x - self.path[0].1.x;
        let level = self.path.iter().all(|(_, at)| (at.y - relative.y).abs() < 0.6 * SWIPE);
        if !quiet && level && moved.abs() >= SWIPE {
            self.complete(now);
            return (Some(Gesture::Swipe(if moved > 0.0 { 1 } else { -1 })), None);
        }
        let (since, at) = *self.rest.get_or_insert((now, relative));
        if quiet || at.distance(relative) > REST {
            self.rest = Some((now, relative));
        } else if now.saturating_duration_since(since) >= HOLD {
            self.complete(now);
            return (Some(Gesture::Select), None);
        }
        let since = self.rest.map_or(now, |(since, _)| since);
        let held = now.saturating_duration_since(since).as_secs_f32();
        let at = [wrist.x / size.0 as f32, wrist.y / size.1 as f32];
        (None, Some(Hand { progress: (held / HOLD.as_secs_f32()).min(1.0), at }))
    }

    fn complete(&mut self, now: Instant) {
        *self = Self { quiet_until: Some(now + PAUSE), ..Self::default() };
    }
}

/// The higher raised hand: which, its wrist, and that relative to the shoulders in shoulder widths.
fn raised(person: &Person) -> Option<(usize, Vec2, Vec2)> {
    let sides = [(LEFT_WRIST, LEFT_SHOULDER), (RIGHT_WRIST, RIGHT_SHOULDER)];
    let unit = person.shoulder_width().max(1.0);
    let middle = person.position(LEFT_SHOULDER).midpoint(person.position(RIGHT_SHOULDER));
    sides
        .into_iter()
        .enumerate()
        .filter(|(_, (wrist, shoulder))| {
            let above = person.position(*shoulder).y - person.position(*wrist).y;
            person.landmarks[*wrist].visibility > SEEN && above > ABOVE * unit
        })
        .map(|(side, (wrist, _))| {
            let wrist = person.position(wrist);
            (side, wrist, (wrist - middle) / unit)
        })
        .min_by(|a, b| a.1.y.total_cmp(&b.1.y))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perception::{CropMask, Landmark, RotatedSquare};
    use crate::plane::Plane;

    fn person(wrist: Vec2) -> Person {
        let region = RotatedSquare { centre: Vec2::ZERO, side: 1.0, angle: 0.0 };
        let mask = CropMask { region, probability: Plane::filled(1, 1, 0.0) };
        let mut landmarks = [Landmark { visibility: 1.0, ..Landmark::default() }; 33];
        landmarks[LEFT_SHOULDER].position = Vec2::new(350.0, 300.0);
        landmarks[RIGHT_SHOULDER].position = Vec2::new(250.0, 300.0);
        landmarks[RIGHT_WRIST].position = Vec2::new(240.0, 420.0);
        landmarks[LEFT_WRIST].position = wrist;
        Person {
            landmarks,
            world: [glam::Vec3::ZERO; 33],
            presence: 1.0,
            pose_mask: mask.clone(),
            selfie_mask: mask,
        }
    }

    /// Gestures of a wrist that is at `path(seconds)`, 30 times a second.
    fn gestures(seconds: f32, path: impl Fn(f32) -> Vec2) -> Vec<Gesture> {
        let (mut gestures, start) = (Gestures::default(), Instant::now());
        (0..(seconds * 30.0) as u32)
            .filter_map(|frame| {
                let time = frame as f32 / 30.0;
                let person = person(path(time));
                let now = start + Duration::from_secs_f32(time);
                gestures.observe(Some(&person), (640, 480), now).0
            })
            .collect()
    }

    #[test]
    fn a_hand_that_hangs_says_nothing() {
        assert_eq!(gestures(5.0, |t| Vec2::new(360.0 + 60.0 * t, 420.0)), []);
    }

    #[test]
    fn a_raised_hand_that_rests_selects_once_per_hold() {
        let trembling = |t: f32| Vec2::new(370.0 + 8.0 * (9.0 * t).sin(), 240.0);
        assert_eq!(gestures(1.1, trembling), []);
        assert_eq!(gestures(1.8, trembling), [Gesture::Select]);
    }

    #[test]
    fn a_raised_hand_that_moves_sideways_swipes_and_does_not_select() {
        let right = |t: f32| Vec2::new(330.0 + 300.0 * t.min(0.5), 240.0);
        assert_eq!(gestures(0.6, right), [Gesture::Swipe(1)]);
        let left = |t: f32| Vec2::new(480.0 - 300.0 * t.min(0.5), 240.0);
        assert_eq!(gestures(0.6, left), [Gesture::Swipe(-1)]);
    }

    #[test]
    fn the_way_back_of_a_swipe_is_not_another() {
        let there_and_back = |t: f32| {
            let x = if t < 0.4 { 300.0 * t } else { 300.0 * (0.8 - t).max(0.0) };
            Vec2::new(330.0 + x, 240.0)
        };
        assert_eq!(gestures(1.0, there_and_back), [Gesture::Swipe(1)]);
    }

    #[test]
    fn a_hand_on_its_way_up_is_no_swipe() {
        let up = |t: f32| Vec2::new(370.0 + 150.0 * t.min(0.4), 280.0 - 300.0 * t.min(0.4));
        assert_eq!(gestures(0.5, up), []);
    }

    #[test]
    fn the_ring_grows_while_the_hand_rests() {
        let (mut gestures, start) = (Gestures::default(), Instant::now());
        let person = person(Vec2::new(320.0, 240.0));
        for tenth in 0..12 {
            let now = start + Duration::from_millis(100 * tenth);
            let (gesture, hand) = gestures.observe(Some(&person), (640, 480), now);
            let hand = hand.expect("the hand is up");
            assert_eq!((gesture, hand.at), (None, [0.5, 0.5]));
            assert!((hand.progress - tenth as f32 / 12.0).abs() < 0.01);
        }
    }
}
