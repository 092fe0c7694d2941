//! Mean and variance of each channel of the pixels that a mask names.
//!
//! | operand | type | shape | layout |
//! |---------|------|-------|--------|
//! | picture | u8 | `[height, width, 3]` | interleaved, rows `stride_bytes` apart |
//! | mask | u8 | `[height, width]` | weights 0..=255, rows `stride_bytes` apart |
//!
//! All sums are whole numbers: exact, whatever the order, so ranges of rows are added up ([`Moments::joined`]).

#[cfg(target_arch = "x86_64")]
mod avx2;
mod lanes;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

use crate::kernel::{Identity, Kernel, Row};
use crate::plane::Plane;

/// Weighted sums over pixels.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Moments {
    /// Of weights.
    pub weight: u64,
    /// Of weight times value, a channel.
    pub sums: [u64; 3],
    /// Of weight times the value's square.
    pub squares: [u64; 3],
}

impl Moments {
    /// The sums over both.
    pub fn joined(self, other: Self) -> Self {
        let both = |a: [u64; 3], b: [u64; 3]| std::array::from_fn(|c| a[c] + b[c]);
        Self {
            weight: self.weight + other.weight,
            sums: both(self.sums, other.sums),
            squares: both(self.squares, other.squares),
        }
    }

    /// The mean of each channel; none where no pixel has weight.
    pub fn mean(&self) -> Option<[f64; 3]> {
        let weight = self.weight as f64;
        (self.weight > 0).then(|| self.sums.map(|sum| sum as f64 / weight))
    }

    /// The variance of each channel (of the population); none where no pixel has weight.
    pub fn variance(&self) -> Option<[f64; 3]> {
        let weight = u128::from(self.weight);
        let variance = |c: usize| {
            let sum = u128::from(self.sums[c]);
            (weight * u128::from(self.squares[c]) - sum * sum) as f64 / (weight * weight) as f64
        };
        (self.weight > 0).then(|| std::array::from_fn(variance))
    }
}

/// A version; its function adds a row and needs its instructions.
pub struct MomentsRow {
    identity: Identity,
    add: unsafe fn(pixels: &[u8], mask: &[u8], to: &mut Moments),
}

impl Row for MomentsRow {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        neon::MOMENTS,
        #[cfg(target_arch = "x86_64")]
        avx2::MOMENTS,
        scalar::MOMENTS,
    ];
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Kernel<MomentsRow> {
    /// The sums over a picture. A range of rows is a pair of planes that start at the first of them.
    ///
    /// # Panics
    /// Where a plane is shorter than the size asks.
    pub fn run(self, [width, height]: [usize; 2], picture: Plane<'_>, mask: Plane<'_>) -> Moments {
        picture.check(height, width * 3);
        mask.check(height, width);
        let mut moments = Moments::default();
        for y in 0..height {
            // SAFETY: holding the kernel says that the CPU has its instructions.
            unsafe {
                (self.row().add)(picture.row(y, width * 3), mask.row(y, width), &mut moments)
            };
        }
        moments
    }
}
