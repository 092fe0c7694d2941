//! Pooling of `[n, h, w, c]`: `y[b, i, j, c]` is the greatest or the mean of `x[b, i·s + u − top, j·s + v − left, c]` over the window's
//! rows u and columns v; the output is `⌊(h + top + bottom − window) / s⌋ + 1` high.

use super::shape::{self, misfit, sized};
use super::{Plain, ShapeError};

/// What a window becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// Its greatest value inside the image.
    Greatest,
    /// The mean of the values inside the image.
    Mean,
    /// The mean of all, with zeros outside the image.
    MeanWithPadding,
}

/// A window that moves over the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// What it becomes.
    pub pooling: Pooling,
    /// Height and width.
    pub window: [usize; 2],
    /// Down and across.
    pub stride: [usize; 2],
    /// Top, left, bottom, right; each less than the window, so that no window lies outside the image.
    pub padding: [usize; 4],
}

impl Pool {
    pub(super) fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, ShapeError> {
        let [n, h, w, c] = shape::image(input)?;
        shape::expect_positive("window", &self.window)?;
        shape::expect_positive("stride", &self.stride)?;
        let [height, width] = self.window;
        let [top, left, bottom, right] = self.padding;
        if top.max(bottom) >= height || left.max(right) >= width {
            return Err(ShapeError::Setting {
                setting: "padding",
                expected: format!("less than the window of {height} × {width}"),
                found: self.padding.to_vec(),
            });
        }
        let rows = shape::windows(h, top, bottom, height, self.stride[0]);
        let columns = shape::windows(w, left, right, width, self.stride[1]);
        match (rows, columns) {
            (Some(rows), Some(columns)) => sized(vec![n, rows, columns, c]),
            _ => Err(misfit(format!("an image that a window of {height} × {width} fits"), input)),
        }
    }

    pub(super) fn evaluate(&self, input: &Plain) -> Plain {
        let shape = self.output_shape(&input.shape).expect("a shape that fits");
        let [_, h, w, c] = input.shape[..] else { unreachable!() };
        let empty = if self.pooling == Pooling::Greatest { f32::NEG_INFINITY } else { 0.0 };
        let mut output = Plain::new(&shape, vec![empty; shape.iter().product()]);
        // The part of a window that lies inside the image.
        let inside = |axis: usize, index: usize, extent: usize| {
            let start = index * self.stride[axis];
            let end = (start + self.window[axis]).saturating_sub(self.padding[axis]).min(extent);
            start.saturating_sub(self.padding[axis])..end
        };
        for (pixel, to) in output.values.chunks_exact_mut(c).enumerate() {
            let (b, i, j) =
                (pixel / (shape[1] * shape[2]), pixel / shape[2] % shape[1], pixel % shape[2]);
            let (rows, columns) = (inside(0, i, h), inside(1, j, w));
            for row in rows.clone() {
                for column in columns.clone() {
                    let from = ((b * h + row) * w + column) * c;
                    let from = &input.values[from..from + c];
                    for (to, &x) in to.iter_mut().zip(from) {
                        *to = if self.pooling == Pooling::Greatest { to.max(x) } else { *to + x };
                    }
                }
            }
            let count = match self.pooling {
                Pooling::Greatest => continue,
                Pooling::Mean => rows.len() * columns.len(),
                Pooling::MeanWithPadding => self.window[0] * self.window[1],
            };
            to.iter_mut().for_each(|to| *to /= count as f32);
        }
        output
    }
}
