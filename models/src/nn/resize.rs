//! Images of another height and width: `y[b, i, j, c] = (1 − t)(1 − s)·x[b, p, q, c] + (1 − t)·s·x[b, p, q + 1, c] + t·(1 − s)·x[b, p + 1, q, c]
//! + t·s·x[b, p + 1, q + 1, c]`, where `p + t` and `q + s` are the input coordinates of i and j, held inside the image; nearest is
//! `x[b, p, q, c]`.

use super::shape::{self, sized};
use super::{Plain, ShapeError};

/// How an output coordinate maps to an input coordinate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corners {
    /// Pixel centres of both grids span the same area: `(i + ½) · in / out − ½`.
    HalfPixel,
    /// First and last samples coincide: `i · (in − 1) / (out − 1)`.
    Aligned,
    /// First samples coincide: `i · in / out`.
    Origin,
}

/// What a value between samples is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// That of the sample before it: `⌊i · in / out⌋`.
    Nearest,
    /// A blend of the four around it.
    Bilinear(Corners),
}

/// A resize of `[n, h, w, c]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resize {
    /// Of the output.
    pub height: usize,
    /// Of the output.
    pub width: usize,
    /// How.
    pub sampling: Sampling,
}

/// Two neighbours and how much of the second.
struct Between {
    first: usize,
    second: usize,
    part: f32,
}

impl Resize {
    pub(super) fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, ShapeError> {
        let [n, _, _, c] = shape::image(input)?;
        shape::expect_positive("height and width", &[self.height, self.width])?;
        sized(vec![n, self.height, self.width, c])
    }

    pub(super) fn evaluate(&self, input: &Plain) -> Plain {
        let shape = self.output_shape(&input.shape).expect("a shape that fits");
        let [n, h, w, c] = input.shape[..] else { unreachable!() };
        let between = |extent: usize, to: usize| {
            (0..to).map(|i| self.sampling.between(i, extent, to)).collect::<Vec<_>>()
        };
        let (rows, columns) = (between(h, self.height), between(w, self.width));
        let mut values = Vec::with_capacity(shape.iter().product());
        for b in 0..n {
            for row in &rows {
                for column in &columns {
                    let pixel =
                        |i: usize, j: usize| &input.values[((b * h + i) * w + j) * c..][..c];
                    let [a, b] = [row.first, row.second].map(|i| pixel(i, column.first));
                    let [x, y] = [row.first, row.second].map(|i| pixel(i, column.second));
                    for k in 0..c {
                        let upper = a[k] + (x[k] - a[k]) * column.part;
                        let lower = b[k] + (y[k] - b[k]) * column.part;
                        values.push(upper + (lower - upper) * row.part);
                    }
                }
            }
        }
        Plain::new(&shape, values)
    }
}

impl Sampling {
    /// Where index i of `to` falls among `from` samples.
    fn between(self, i: usize, from: usize, to: usize) -> Between {
        let (input, output) = (from as f64, to as f64);
        let coordinate = match self {
            Sampling::Nearest => {
                let first = (i as u128 * from as u128 / to as u128) as usize;
                return Between { first, second: first, part: 0.0 };
            }
            Sampling::Bilinear(Corners::HalfPixel) => (i as f64 + 0.5) * input / output - 0.5,
            Sampling::Bilinear(Corners::Aligned) if to == 1 => 0.0,
            Sampling::Bilinear(Corners::Aligned) => i as f64 * (input - 1.0) / (output - 1.0),
            Sampling::Bilinear(Corners::Origin) => i as f64 * input / output,
        };
        let coordinate = coordinate.clamp(0.0, input - 1.0);
        let first = coordinate as usize;
        Between { first, second: (first + 1).min(from - 1), part: (coordinate.fract()) as f32 }
    }
}
