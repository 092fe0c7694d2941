//! How far a person moved since the last look, where perception does not look at every frame: the shift at which the picture of head and
//! torso fits best.

use crate::perception::{Person, landmark};
use crate::picture::{Picture, Pixels};
use glam::Vec2;

/// Longer side of the picture that is searched, pixels: at most.
const SIDE: usize = 240;
/// How far is searched to either side, and up and down, pixels of that: a fast step between two looks.
const REACH: [isize; 2] = [24, 6];
/// A shift counts if it leaves less than this share of the difference without one.
const CLEARLY: f32 = 0.85;
/// How much of the body must stay in the picture.
const LEAST_SEEN: f32 = 0.6;

/// A picture of few pixels, each the mean of four in the middle of what it stands for: a mean of all would cost more than the search.
#[derive(Debug)]
struct Small {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Small {
    /// Every `step`-th pixel either way; of pictures of eight bits.
    fn of(picture: &Picture, step: usize) -> Option<Self> {
        let Pixels::Eight(all) = &picture.pixels else { return None };
        let [width, height] = [picture.width / step, picture.height / step];
        let next = usize::from(step > 1);
        let mut rgb = Vec::with_capacity(width * height * 3);
        for y in 0..height {
            let rows = [0, next]
                .map(|down| &all[(y * step + step / 2 - next + down) * picture.width * 3..]);
            for x in 0..width {
                let columns = [0, next].map(|across| (x * step + step / 2 - next + across) * 3);
                for channel in 0..3 {
                    let four =
                        rows.iter().flat_map(|row| columns.map(|at| u32::from(row[at + channel])));
                    rgb.push((four.sum::<u32>() / 4) as u8);
                }
            }
        }
        Some(Self { width, height, rgb })
    }
}

/// Head and torso at the last look.
#[derive(Debug)]
pub(super) struct Anchor {
    small: Small,
    /// Pixels of the picture from one of the small one to the next.
    step: usize,
    /// Left, top, right and bottom in the small picture.
    body: [isize; 4],
}

impl Anchor {
    /// `None` where the body is hardly in the picture.
    pub fn new(picture: &Picture, person: &Person) -> Option<Self> {
        let step = picture.width.max(picture.height).div_ceil(SIDE).max(1);
        let small = Small::of(picture, step)?;
        let seen = [
            landmark::NOSE,
            landmark::LEFT_SHOULDER,
            landmark::RIGHT_SHOULDER,
            landmark::LEFT_HIP,
            landmark::RIGHT_HIP,
        ];
        let points = seen.map(|index| person.landmarks[index].position / step as f32);
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
        (body[2] - body[0] >= 4 && body[3] - body[1] >= 4).then_some(Self { small, step, body })
    }

    /// Pixels of `picture` that the body moved by; 0 where no shift is clearly better.
    pub fn shift(&self, picture: &Picture) -> Vec2 {
        let now = Small::of(picture, self.step)
            .filter(|now| (now.width, now.height) == (self.small.width, self.small.height));
        let Some(now) = now else { return Vec2::ZERO };
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
        Vec2::new(x as f32 + across, y as f32 + down) * self.step as f32
    }

    /// Mean difference of a value between the body and what is at a shift from it now; `None` where too little of that is in the picture.
    fn difference(&self, now: &Small, [x, y]: [isize; 2]) -> Option<f32> {
        let (before, now) = (&self.small.rgb, &now.rgb);
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
