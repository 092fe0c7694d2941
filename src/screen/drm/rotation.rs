//! Displays that hang upright or upside down.

use crate::screen::draw::Frame;
use rayon::prelude::*;

/// Bytes of a pixel.
const BYTES: usize = 4;

/// How the drawn screen is turned on the display, clockwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rotation {
    /// Not at all.
    #[default]
    None,
    /// By 90°.
    Quarter,
    /// By 180°.
    Half,
    /// By 270°.
    ThreeQuarters,
}

impl Rotation {
    /// A rotation by so many degrees; only 0, 90, 180 and 270 are.
    pub fn of_degrees(degrees: &str) -> Option<Self> {
        match degrees {
            "0" => Some(Self::None),
            "90" => Some(Self::Quarter),
            "180" => Some(Self::Half),
            "270" => Some(Self::ThreeQuarters),
            _ => None,
        }
    }

    /// The size of what is drawn for a display of a size.
    pub fn drawn(self, (width, height): (usize, usize)) -> (usize, usize) {
        match self {
            Self::None | Self::Half => (width, height),
            Self::Quarter | Self::ThreeQuarters => (height, width),
        }
    }

    /// Where a place on the display is on the drawn screen; shares of width and height.
    pub fn undo(self, [x, y]: [f32; 2]) -> [f32; 2] {
        match self {
            Self::None => [x, y],
            Self::Quarter => [y, 1.0 - x],
            Self::Half => [1.0 - x, 1.0 - y],
            Self::ThreeQuarters => [1.0 - y, x],
        }
    }

    /// Copies a frame into a display's memory of `pitch` bytes a row.
    pub fn copy(self, frame: &Frame, memory: &mut [u8], pitch: usize) {
        let (width, height) = self.drawn((frame.width, frame.height));
        let rows = memory.par_chunks_mut(pitch).take(height).enumerate();
        rows.for_each(|(y, row)| {
            let row = row[..width * BYTES].chunks_exact_mut(BYTES);
            let put = |(to, pixel): (&mut [u8], &u32)| to.copy_from_slice(&pixel.to_le_bytes());
            match self {
                Self::None => row.zip(&frame.pixels[y * width..][..width]).for_each(put),
                Self::Half => {
                    let line = &frame.pixels[(height - 1 - y) * width..][..width];
                    row.zip(line.iter().rev()).for_each(put);
                }
                Self::Quarter => {
                    let column = frame.pixels[y..].iter().step_by(height);
                    row.rev().zip(column).for_each(put);
                }
                Self::ThreeQuarters => {
                    let column = frame.pixels[height - 1 - y..].iter().step_by(height);
                    row.zip(column).for_each(put);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(rotation: Rotation) -> Vec<u32> {
        let frame = Frame { width: 3, height: 2, pixels: vec![1, 2, 3, 4, 5, 6] };
        let (width, height) = rotation.drawn((3, 2));
        let pitch = width * BYTES + 8;
        let mut memory = vec![0xee; pitch * height];
        rotation.copy(&frame, &mut memory, pitch);
        let rows = memory.chunks(pitch).flat_map(|row| row[..width * BYTES].chunks(BYTES));
        rows.map(|pixel| u32::from_le_bytes(pixel.try_into().unwrap())).collect()
    }

    #[test]
    fn a_frame_is_turned_clockwise() {
        assert_eq!(copied(Rotation::None), [1, 2, 3, 4, 5, 6]);
        assert_eq!(copied(Rotation::Quarter), [4, 1, 5, 2, 6, 3]);
        assert_eq!(copied(Rotation::Half), [6, 5, 4, 3, 2, 1]);
        assert_eq!(copied(Rotation::ThreeQuarters), [3, 6, 2, 5, 1, 4]);
    }

    #[test]
    fn a_touch_is_turned_back() {
        // The upper left corner of what is drawn, where it is on the display.
        for (rotation, corner) in [
            (Rotation::None, [0.0, 0.0]),
            (Rotation::Quarter, [1.0, 0.0]),
            (Rotation::Half, [1.0, 1.0]),
            (Rotation::ThreeQuarters, [0.0, 1.0]),
        ] {
            assert_eq!(rotation.undo(corner), [0.0, 0.0], "{rotation:?}");
        }
    }
}
