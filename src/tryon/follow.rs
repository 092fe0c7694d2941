//! How far a person moved since the last look, where perception does not look at every frame: the shift at which the picture of head and
//! torso fits best.

use crate::perception::{Person, landmark};
use crate::picture::{Picture, Pixels};
use glam::Vec2;

/// Longer side of the picture that is searched, pixels.
const SIDE: usize = 240;
/// How far is searched to either side, and up and down, pixels of that: a fast step between two looks.
const REACH: [isize; 2] = [24, 6];
/// A shift counts if it leaves less than this share of the difference without one.
const CLEARLY: f32 = 0.85;
/// How much of the body must stay in the picture.
const LEAST_SEEN: f32 = 0.6;

/// Head and torso at the last look.
#[derive(Debug)]
pub(super) struct Anchor {
    small: Picture,
    /// Pixels of the picture in one of the small one.
    scale: f32,
    /// Left, top, right and bottom in the small picture.
    body: [isize; 4],
}

impl Anchor {
    /// `None` where the body is hardly in the picture.
    pub fn new(picture: &Picture, person: &Person) -> Option<Self> {
        let small = picture.clone().reduced(SIDE);
        let scale = picture.width as f32 / small.width as f32;
        let seen = [
            landmark::NOSE,
            landmark::LEFT_SHOULDER,
            landmark::RIGHT_SHOULDER,
            landmark::LEFT_HIP,
            landmark::RIGHT_HIP,
        ];
        let points = seen.map(|index| person.landmarks[index].position / scale);
        let least = points.iter().copied().reduce(Vec2::min)?;
        let most = points.iter().copied().reduce(Vec2::max)?;
        // A forehead above the nose; arms and background beside the torso stay out.
        let top = least.y - 0.15 * (most.y - least.y);
        let inside = |at: f32, length: usize| (at.round() as isize).clamp(0, length as isize);
        let body = [
            inside(least.x, small.width),
            inside(top, small.height),
            inside(most.x, small.width),
            inside(most.y, small.height),
        ];
        (body[2] - body[0] >= 4 && body[3] - body[1] >= 4).then_some(Self { small, scale, body })
    }

    /// Pixels of `picture` that the body moved by; 0 where no shift is clearly better.
    pub fn shift(&self, picture: &Picture) -> Vec2 {
        let now = picture.clone().reduced(SIDE);
        if (now.width, now.height) != (self.small.width, self.small.height) {
            return Vec2::ZERO;
        }
        let difference = |x, y| self.difference(&now, [x, y]);
        let Some(unmoved) = difference(0, 0) else { return Vec2::ZERO };
        let mut best = (unmoved, [0, 0]);
        for y in -REACH[1]..=REACH[1] {
            for x in -REACH[0]..=REACH[0] {
                if let Some(found) = difference(x, y).filter(|&found| found < best.0) {
                    best = (found, [x, y]);
                }
            }
        }
        let (least, [x, y]) = best;
        if least >= CLEARLY * unmoved {
            return Vec2::ZERO;
        }
        // Between whole pixels: the lowest point of a parabola through the neighbours.
        let between = |before: Option<f32>, after: Option<f32>| match (before, after) {
            (Some(before), Some(after)) if before + after > 2.0 * least => {
                (0.5 * (before - after) / (before + after - 2.0 * least)).clamp(-0.5, 0.5)
            }
            _ => 0.0,
        };
        let across = between(difference(x - 1, y), difference(x + 1, y));
        let down = between(difference(x, y - 1), difference(x, y + 1));
        Vec2::new(x as f32 + across, y as f32 + down) * self.scale
    }

    /// Mean difference of a value between the body and what is at a shift from it now; `None` where too little of that is in the picture.
    fn difference(&self, now: &Picture, [x, y]: [isize; 2]) -> Option<f32> {
        let (Pixels::Eight(before), Pixels::Eight(now)) = (&self.small.pixels, &now.pixels) else {
            return None;
        };
        let [width, height] = [self.small.width as isize, self.small.height as isize];
        let [left, top, right, bottom] = self.body;
        let (from, to) = (left.max(-x), right.min(width - x));
        let rows = top.max(-y)..bottom.min(height - y);
        let whole = (right - left) * (bottom - top);
        let seen = (to - from).max(0) * (rows.end - rows.start).max(0);
        if (seen as f32) < LEAST_SEEN * whole as f32 {
            return None;
        }
        let length = (to - from) as usize * 3;
        let start = |row: isize, column: isize| (row * width + column) as usize * 3;
        let sum: u32 = rows
            .map(|row| {
                let before = &before[start(row, from)..][..length];
                let now = &now[start(row + y, from + x)..][..length];
                before.iter().zip(now).map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>()
            })
            .sum();
        Some(sum as f32 / (seen * 3) as f32)
    }
}

/// The person somewhere else in the picture.
pub(super) fn moved(person: &Person, by: Vec2) -> Person {
    let mut moved = person.clone();
    for landmark in &mut moved.landmarks {
        landmark.position += by;
    }
    moved.pose_mask.region.centre += by;
    moved.selfie_mask.region.centre += by;
    moved
}
