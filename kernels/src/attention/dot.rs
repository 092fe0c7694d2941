//! Scores by instructions that multiply bytes: four or eight values of a token lie together.
//!
//! ```text
//! queries   [key_size / GROUP, width, GROUP]   then what each query's sums are to be multiplied with
//! keys      panels of KEYS keys: [key_size / GROUP, KEYS, GROUP], then each key's factor, then its first sum
//! ```
//!
//! Where an instruction takes one operand without sign, queries are stored plus 128 and a key's sums start at −128 times the
//! sum of its integers.

use super::lanes::token_scale;
use super::tiles::{Math, Memory, Scores, WIDEST, line};
use super::{GREATEST_SIZE, Shape, Value};
use crate::lanes::Lanes;
use std::marker::PhantomData;

/// One panel of keys and a tile of queries.
pub(super) struct Operands {
    pub queries: *const u8,
    pub keys: *const i8,
    /// Groups in a token.
    pub groups: usize,
    /// For each query.
    pub scales: *const f32,
    /// For each key of the panel.
    pub units: *const f32,
    #[cfg_attr(target_arch = "aarch64", expect(dead_code, reason = "both operands have a sign"))]
    pub starts: *const i32,
}

/// An engine's inner loop.
pub(super) trait Dot {
    type Math: Math;
    /// What tokens are quantized with.
    type Quantize: Lanes;
    /// Values of a token that lie together: 4 or 8.
    const GROUP: usize;
    /// Keys in a panel.
    const KEYS: usize;
    /// Whether queries are stored plus 128.
    const UNSIGNED: bool;

    /// Writes `KEYS` rows of scores; `spare` holds as many rows of integers.
    ///
    /// # Safety
    /// The CPU has the instructions; operands are as long as the sizes say.
    unsafe fn panel<const W: usize>(
        operands: &Operands,
        spare: *mut i32,
        to: *mut <Self::Math as Math>::Unit,
    );
}

/// Scores of an engine, whatever becomes of them.
pub(super) struct DotScores<D: Dot, M = <D as Dot>::Math>(PhantomData<(D, M)>);

impl<D: Dot, M: Math> DotScores<D, M> {
    fn panels(shape: &Shape) -> usize {
        shape.keys.next_multiple_of(D::KEYS)
    }

    fn groups(shape: &Shape) -> usize {
        shape.key_size.div_ceil(D::GROUP)
    }

    fn panel_words(shape: &Shape) -> usize {
        line(Self::panels(shape) * Self::groups(shape) * D::GROUP / 4)
    }
}

/// The integers of a token, zeros after them, and the token's factor.
///
/// # Safety
/// `from` holds `size` values; the CPU has the engine's instructions.
#[inline(always)]
unsafe fn quantize<T: Value, L: Lanes>(
    from: *const T,
    size: usize,
    to: &mut [i8; GREATEST_SIZE],
) -> f32 {
    // SAFETY: `size` is at most `GREATEST_SIZE`; the rest is passed on to the caller.
    unsafe {
        let (factor, unit) = token_scale::<T, L>(from, size);
        let mut at = 0;
        while at + L::COUNT <= size {
            T::load::<L>(from.add(at)).mul(L::splat(factor)).store_i8(to.as_mut_ptr().add(at));
            at += L::COUNT;
        }
        if at < size {
            let last = T::load_first::<L>(from.add(at), size - at).mul(L::splat(factor));
            last.store_first_i8(to.as_mut_ptr().add(at), size - at);
        }
        to[size..size.next_multiple_of(8)].fill(0);
        unit
    }
}

impl<D: Dot, M: Math<Unit = <D::Math as Math>::Unit>> Scores for DotScores<D, M> {
    type Math = M;

    fn key_words(shape: &Shape) -> usize {
        Self::panel_words(shape) + 2 * line(Self::panels(shape))
    }

    fn query_words(shape: &Shape) -> usize {
        WIDEST * D::Math::LANES * (Self::groups(shape) * D::GROUP / 4 + 1)
    }

    #[inline(always)]
    unsafe fn pack_keys<T: Value>(shape: &Shape, from: *const T, stride: usize, to: *mut f32) {
        let mut token = [0; GREATEST_SIZE];
        let groups = Self::groups(shape);
        // SAFETY: the caller vouches for the operands' lengths.
        unsafe {
            let units = to.add(Self::panel_words(shape));
            let starts = units.add(line(Self::panels(shape))).cast::<i32>();
            for key in 0..Self::panels(shape) {
                let from = from.add(key.min(shape.keys - 1) * stride);
                *units.add(key) = quantize::<T, D::Quantize>(from, shape.key_size, &mut token);
                let sum: i32 = token[..shape.key_size].iter().map(|&x| i32::from(x)).sum();
                *starts.add(key) = if D::UNSIGNED { -128 * sum } else { 0 };
                let panel = to.cast::<i8>().add(key / D::KEYS * D::KEYS * groups * D::GROUP);
                for (group, values) in token.chunks_exact(D::GROUP).take(groups).enumerate() {
                    let to = panel.add((group * D::KEYS + key % D::KEYS) * D::GROUP);
                    to.copy_from_nonoverlapping(values.as_ptr(), D::GROUP);
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn pack_queries<T: Value, const W: usize>(
        shape: &Shape,
        from: *const T,
        stride: usize,
        count: usize,
        scale: f32,
        to: *mut f32,
    ) {
        let width = W * D::Math::LANES;
        let mut token = [0; GREATEST_SIZE];
        let groups = Self::groups(shape);
        // SAFETY: the caller vouches for the operands' lengths.
        unsafe {
            if count < width {
                to.write_bytes(0, (groups * D::GROUP / 4 + 1) * width);
            }
            let scales = to.add(groups * D::GROUP / 4 * width);
            for query in 0..count {
                let from = from.add(query * stride);
                let unit = quantize::<T, D::Quantize>(from, shape.key_size, &mut token);
                *scales.add(query) = unit * scale;
                if D::UNSIGNED {
                    // Beyond the token's end the keys are 0.
                    token.iter_mut().take(groups * D::GROUP).for_each(|x| *x ^= i8::MIN);
                }
                for (group, values) in token.chunks_exact(D::GROUP).take(groups).enumerate() {
                    let to = to.cast::<i8>().add((group * width + query) * D::GROUP);
                    to.copy_from_nonoverlapping(values.as_ptr(), D::GROUP);
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn scores<const W: usize>(
        memory: &Memory<M>,
        shape: &Shape,
        keys: *const f32,
        first: usize,
        count: usize,
    ) {
        let width = W * D::Math::LANES;
        let groups = Self::groups(shape);
        // SAFETY: a block starts with a panel and has room for whole ones; the rest is passed on to the caller.
        unsafe {
            let units = keys.add(Self::panel_words(shape));
            let starts = units.add(line(Self::panels(shape))).cast::<i32>();
            for row in (0..count).step_by(D::KEYS) {
                let operands = Operands {
                    queries: memory.queries.cast(),
                    keys: keys.cast::<i8>().add((first + row) * groups * D::GROUP),
                    groups,
                    scales: memory.queries.add(groups * D::GROUP / 4 * width),
                    units: units.add(first + row),
                    starts: starts.add(first + row),
                };
                D::panel::<W>(&operands, memory.spare.cast(), memory.scores.add(row * width));
            }
        }
    }
}

/// Sums to scores in f32: `rows` of `W` registers.
///
/// # Safety
/// As for [`Dot::panel`].
#[inline(always)]
pub(super) unsafe fn scaled<L: Lanes, const W: usize>(
    operands: &Operands,
    rows: usize,
    sums: *const i32,
    to: *mut f32,
) {
    // SAFETY: passed on to the caller.
    unsafe {
        let mut scales = [L::splat(0.0); W];
        for w in 0..W {
            scales[w] = L::load(operands.scales.add(w * L::COUNT));
        }
        for row in 0..rows {
            let unit = L::splat(*operands.units.add(row));
            for w in 0..W {
                let at = (row * W + w) * L::COUNT;
                L::load_i32(sums.add(at)).mul(scales[w]).mul(unit).store(to.add(at));
            }
        }
    }
}
