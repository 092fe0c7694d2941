//! The working grid: a coarse raster over the part of the picture that holds the person.
//!
//! Everything that decides (who is skin, what is cloth, where shade falls) is computed on this grid; only
//! the last blend runs at the picture's own resolution.

use crate::perception::{Person, landmark};
use glam::Vec2;

/// Pixels of the grid's longer side.
const LONG_SIDE: f32 = 256.0;

/// A raster of square cells over a rectangle of the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// Upper left corner in the picture, pixels.
    pub origin: Vec2,
    /// Picture pixels per cell.
    pub scale: f32,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// How far down the person is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// To the middle of the thighs.
    UpperBody,
    /// To the feet.
    WholeBody,
}

impl Grid {
    /// A grid over the person with room for wide clothes, a hat and shadows.
    pub fn around(
        person: &Person,
        picture_width: usize,
        picture_height: usize,
        extent: Extent,
    ) -> Self {
        let picture = Vec2::new(picture_width as f32, picture_height as f32);
        let (mut low, mut high) = (Vec2::INFINITY, Vec2::NEG_INFINITY);
        let needed = match extent {
            Extent::UpperBody => &person.landmarks[..landmark::LEFT_KNEE],
            Extent::WholeBody => &person.landmarks[..],
        };
        for landmark in needed {
            let inside = landmark.position.clamp(Vec2::ZERO, picture);
            low = low.min(inside);
            high = high.max(inside);
        }
        let shoulders = person.shoulder_width();
        let face = person.face_height();
        low -= Vec2::new(0.75 * shoulders, (3.2 * face).max(0.6 * shoulders));
        let below = if extent == Extent::UpperBody { 1.3 } else { 0.4 };
        high += Vec2::new(0.75, below) * shoulders;
        low = low.max(Vec2::ZERO).floor();
        high = high.min(picture).ceil().max(low + 1.0);
        let size = high - low;
        let scale = (size.max_element() / LONG_SIDE).max(1.0);
        let cells = (size / scale).ceil().max(Vec2::splat(4.0));
        Self { origin: low, scale, width: cells.x as usize, height: cells.y as usize }
    }

    /// Whether each border lies within `reach` picture pixels of the other grid's.
    pub fn is_near(&self, other: &Self, reach: f32) -> bool {
        let end = |grid: &Self| {
            grid.origin + Vec2::new(grid.width as f32, grid.height as f32) * grid.scale
        };
        (self.origin - other.origin).abs().max_element() <= reach
            && (end(self) - end(other)).abs().max_element() <= reach
    }

    /// The same rectangle with twice the cells each way, at most one a pixel.
    pub fn finer(self) -> Self {
        let scale = (0.5 * self.scale).max(1.0);
        let cells = |count: usize| (count as f32 * self.scale / scale).ceil() as usize;
        Self { scale, width: cells(self.width), height: cells(self.height), ..self }
    }

    /// Grid position of a picture position.
    pub fn from_picture(&self, position: Vec2) -> Vec2 {
        (position - self.origin) / self.scale
    }

    /// Picture position of a grid position.
    pub fn to_picture(&self, position: Vec2) -> Vec2 {
        position * self.scale + self.origin
    }
}
