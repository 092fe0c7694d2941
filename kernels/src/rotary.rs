//! Rotary embedding: turns each pair of a head's values by an angle of its token's (RoFormer, interleaved pairs).
//!
//! | operand | type | shape | layout |
//! |---------|------|-------|--------|
//! | from, to | f32, f16 | `[tokens, heads, size]` | one after the other |
//! | cosines, sines | f32 | `[tokens, turned / 2]` | a value a pair |
//! | scratch | f32 | [`scratch_length`] | overwritten |
//!
//! `to[2i] = from[2i]·cos[i] − from[2i + 1]·sin[i]`, `to[2i + 1] = from[2i + 1]·cos[i] + from[2i]·sin[i]` for the first
//! `turned` values of each head, the second product added with one rounding; the values after them are copied. The same
//! bits on every engine.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod lanes;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

use crate::kernel::{Identity, Kernel, Row};
use crate::stored::Stored;
use half::f16;

/// Turns a head's values by cosines and sines, two of each a pair, the first sine negative.
type Turn<T> = unsafe fn(from: &[T], cosines: &[f32], sines: &[f32], to: &mut [T]);

/// A version; its function takes the turned part of a head and needs its instructions.
pub struct RotaryRow<T: 'static> {
    identity: Identity,
    turn: Turn<T>,
}

impl Row for RotaryRow<f32> {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        neon::F32,
        #[cfg(target_arch = "x86_64")]
        avx2::F32,
        scalar::F32,
    ];
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Row for RotaryRow<f16> {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "aarch64")]
        neon::F16,
        #[cfg(target_arch = "x86_64")]
        avx2::F16,
        scalar::F16,
    ];
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

/// Values of scratch for heads of which `turned` values are turned.
pub const fn scratch_length(turned: usize) -> usize {
    2 * turned
}

impl<T: Stored> Kernel<RotaryRow<T>>
where
    RotaryRow<T>: Row,
{
    /// Turns all tokens of `from`. A range of tokens is the slices of those tokens.
    ///
    /// # Panics
    /// Where a slice's length is not what the shapes ask, or `turned` is odd or more than `size`.
    #[expect(clippy::too_many_arguments, reason = "three sizes and five operands")]
    pub fn run(
        self,
        [heads, size]: [usize; 2],
        turned: usize,
        from: &[T],
        cosines: &[f32],
        sines: &[f32],
        to: &mut [T],
        scratch: &mut [f32],
    ) {
        assert!(turned.is_multiple_of(2) && turned <= size, "{turned} of {size} values");
        assert!(heads > 0 && size > 0 && from.len().is_multiple_of(heads * size), "whole tokens");
        assert_eq!(from.len(), to.len(), "the result's values");
        let tokens = from.len() / (heads * size);
        let pairs = turned / 2;
        assert!(cosines.len() == tokens * pairs && sines.len() == tokens * pairs, "angles");
        let (doubled_cosines, doubled_sines) = scratch[..2 * turned].split_at_mut(turned);
        for token in 0..tokens {
            for pair in 0..pairs {
                let (cosine, sine) = (cosines[token * pairs + pair], sines[token * pairs + pair]);
                doubled_cosines[2 * pair..][..2].copy_from_slice(&[cosine, cosine]);
                doubled_sines[2 * pair..][..2].copy_from_slice(&[-sine, sine]);
            }
            for head in 0..heads {
                let at = (token * heads + head) * size;
                let (from, to) = (&from[at..][..size], &mut to[at..][..size]);
                to[turned..].copy_from_slice(&from[turned..]);
                // SAFETY: holding the kernel says that the CPU has its instructions.
                unsafe {
                    (self.row().turn)(
                        &from[..turned],
                        doubled_cosines,
                        doubled_sines,
                        &mut to[..turned],
                    );
                }
            }
        }
    }
}
