//! What the versions for x86 share: rows of A brought into panels.

use super::Finish;
use super::epilogue::{Registers, Target};
use crate::lanes::Lanes;
use crate::math::Activation;
use half::f16;
use std::arch::x86_64::*;

/// Where four units of 32 bits come from: the next values of a row, as a panel holds them.
///
/// # Safety
/// `four` needs AVX2 and F16C, and `4 · PER_UNIT` values at `from`.
pub(super) unsafe trait Units {
    /// What the rows hold.
    type From: Copy;
    /// Values of a unit.
    const PER_UNIT: usize;
    /// What rows are filled up with.
    const ZERO: Self::From;
    unsafe fn four(&self, row: usize, from: *const Self::From) -> __m128i;
}

/// Floats as they are.
pub(super) struct Floats;
// SAFETY: reads four floats.
unsafe impl Units for Floats {
    type From = f32;
    const PER_UNIT: usize = 1;
    const ZERO: f32 = 0.0;
    #[inline(always)]
    unsafe fn four(&self, _: usize, from: *const f32) -> __m128i {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm_loadu_si128(from.cast()) }
    }
}

/// Halves as floats.
pub(super) struct Widened;
// SAFETY: reads four halves.
unsafe impl Units for Widened {
    type From = f16;
    const PER_UNIT: usize = 1;
    const ZERO: f16 = f16::ZERO;
    #[inline(always)]
    unsafe fn four(&self, _: usize, from: *const f16) -> __m128i {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm_castps_si128(_mm_cvtph_ps(_mm_loadl_epi64(from.cast()))) }
    }
}

/// Pairs of i8 as pairs of i16.
pub(super) struct Pairs;
// SAFETY: reads eight bytes.
unsafe impl Units for Pairs {
    type From = i8;
    const PER_UNIT: usize = 2;
    const ZERO: i8 = 0;
    #[inline(always)]
    unsafe fn four(&self, _: usize, from: *const i8) -> __m128i {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm_cvtepi8_epi16(_mm_loadl_epi64(from.cast())) }
    }
}

/// Fours of i8 as u8: 128 more, which is another sign bit.
pub(super) struct Fours;
// SAFETY: reads sixteen bytes.
unsafe impl Units for Fours {
    type From = i8;
    const PER_UNIT: usize = 4;
    const ZERO: i8 = 0;
    #[inline(always)]
    unsafe fn four(&self, _: usize, from: *const i8) -> __m128i {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm_xor_si128(_mm_loadu_si128(from.cast()), _mm_set1_epi8(-128)) }
    }
}

/// What is read as floats.
pub(super) trait Float: Copy {
    const ZERO: Self;
    /// # Safety
    /// `from` is good for `L::COUNT` values, and the CPU has the engine's instructions.
    unsafe fn load<L: Lanes>(from: *const Self) -> L;
    /// # Safety
    /// `from` is good for eight values, and the CPU has AVX2 and F16C.
    unsafe fn eight(from: *const Self) -> __m256;
    /// # Safety
    /// `from` is good for sixteen values, and the CPU has AVX-512.
    unsafe fn sixteen(from: *const Self) -> __m512;
}

impl Float for f32 {
    const ZERO: f32 = 0.0;
    #[inline(always)]
    unsafe fn load<L: Lanes>(from: *const f32) -> L {
        // SAFETY: passed on to the caller.
        unsafe { L::load(from) }
    }
    #[inline(always)]
    unsafe fn eight(from: *const f32) -> __m256 {
        // SAFETY: passed on to the caller.
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn sixteen(from: *const f32) -> __m512 {
        // SAFETY: passed on to the caller.
        unsafe { _mm512_loadu_ps(from) }
    }
}

impl Float for f16 {
    const ZERO: f16 = f16::ZERO;
    #[inline(always)]
    unsafe fn load<L: Lanes>(from: *const f16) -> L {
        // SAFETY: passed on to the caller.
        unsafe { L::load_f16(from) }
    }
    #[inline(always)]
    unsafe fn eight(from: *const f16) -> __m256 {
        // SAFETY: passed on to the caller.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) }
    }
    #[inline(always)]
    unsafe fn sixteen(from: *const f16) -> __m512 {
        // SAFETY: passed on to the caller.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) }
    }
}

/// How rows are quantized.
#[derive(Clone, Copy)]
pub(super) struct Steps {
    /// One for each row.
    pub inverse_scales: *const f32,
    pub zero_point: i32,
}

/// More than any quantized value, and a small i16.
const LIMIT: f32 = 1024.0;

impl Steps {
    /// Eight floats in steps, as i16: at least −32768 and more than 127 where an i8 would clamp.
    #[inline(always)]
    unsafe fn words(&self, row: usize, values: __m256) -> __m128i {
        // SAFETY: the caller has AVX2, and the row is one of those that there are scales for.
        unsafe {
            let scaled = _mm256_mul_ps(values, _mm256_set1_ps(*self.inverse_scales.add(row)));
            let no_number = _mm256_cmp_ps::<_CMP_UNORD_Q>(scaled, scaled);
            let bounded = _mm256_min_ps(scaled, _mm256_set1_ps(LIMIT));
            // NaN becomes what the zero point brings to 0.
            let bounded =
                _mm256_blendv_ps(bounded, _mm256_set1_ps(-self.zero_point as f32), no_number);
            let whole = _mm256_cvtps_epi32(bounded);
            let words = _mm_packs_epi32(
                _mm256_castsi256_si128(whole),
                _mm256_extracti128_si256::<1>(whole),
            );
            _mm_adds_epi16(words, _mm_set1_epi16(self.zero_point as i16))
        }
    }

    /// Sixteen floats as i8.
    #[inline(always)]
    unsafe fn bytes(&self, row: usize, values: __m512) -> __m128i {
        // SAFETY: the caller has AVX-512, and the row is one of those that there are scales for.
        unsafe {
            let scaled = _mm512_mul_ps(values, _mm512_set1_ps(*self.inverse_scales.add(row)));
            let number = _mm512_cmp_ps_mask::<_CMP_ORD_Q>(scaled, scaled);
            let otherwise = _mm512_set1_ps(-self.zero_point as f32);
            let bounded = _mm512_mask_min_ps(otherwise, number, scaled, _mm512_set1_ps(LIMIT));
            let whole = _mm512_cvtps_epi32(_mm512_max_ps(bounded, _mm512_set1_ps(-LIMIT)));
            _mm512_cvtsepi32_epi8(_mm512_add_epi32(whole, _mm512_set1_epi32(self.zero_point)))
        }
    }
}

/// Floats quantized, as pairs of i16.
pub(super) struct QuantizedPairs<T>(pub Steps, pub std::marker::PhantomData<T>);
// SAFETY: reads eight values.
unsafe impl<T: Float> Units for QuantizedPairs<T> {
    type From = T;
    const PER_UNIT: usize = 2;
    const ZERO: T = T::ZERO;
    #[inline(always)]
    unsafe fn four(&self, row: usize, from: *const T) -> __m128i {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let words = self.0.words(row, T::eight(from));
            _mm_max_epi16(_mm_min_epi16(words, _mm_set1_epi16(127)), _mm_set1_epi16(-128))
        }
    }
}

/// Floats quantized, as fours of u8: 128 more than the i8.
pub(super) struct QuantizedFours<T>(pub Steps, pub std::marker::PhantomData<T>);
// SAFETY: reads sixteen values.
unsafe impl<T: Float> Units for QuantizedFours<T> {
    type From = T;
    const PER_UNIT: usize = 4;
    const ZERO: T = T::ZERO;
    #[inline(always)]
    unsafe fn four(&self, row: usize, from: *const T) -> __m128i {
        // SAFETY: what the trait asks of the caller.
        unsafe {
            let (low, high) = (T::eight(from), T::eight(from.add(8)));
            let bytes = _mm_packs_epi16(self.0.words(row, low), self.0.words(row, high));
            _mm_xor_si128(bytes, _mm_set1_epi8(-128))
        }
    }
}

/// As [`QuantizedFours`], on 512 bits.
pub(super) struct WideQuantizedFours<T>(pub Steps, pub std::marker::PhantomData<T>);
// SAFETY: reads sixteen values; only functions with AVX-512 make one.
unsafe impl<T: Float> Units for WideQuantizedFours<T> {
    type From = T;
    const PER_UNIT: usize = 4;
    const ZERO: T = T::ZERO;
    #[inline(always)]
    unsafe fn four(&self, row: usize, from: *const T) -> __m128i {
        // SAFETY: what the trait asks of the caller.
        unsafe { _mm_xor_si128(self.0.bytes(row, T::sixteen(from)), _mm_set1_epi8(-128)) }
    }
}

/// Interleaves `MR` rows by units: unit `u` of row `r` goes to `to[u · MR + r]`. `MR` is a multiple of 4, or 2 more.
///
/// # Safety
/// `rows` holds `MR` pointers, each good for `depth` values; `to` is good for the units; what `units` asks for.
#[inline(always)]
pub(super) unsafe fn interleave<U: Units, const MR: usize>(
    units: &U,
    rows: *const *const U::From,
    depth: usize,
    to: *mut u32,
) {
    const { assert!(MR.is_multiple_of(2)) };
    let taken = 4 * U::PER_UNIT;
    let whole = depth / taken * taken;
    // SAFETY: every read ends at or before `depth`; the last one is of a copy that is filled up.
    unsafe {
        for k in (0..whole).step_by(taken) {
            let to = to.add(k / U::PER_UNIT * MR);
            for row in (0..MR / 4 * 4).step_by(4) {
                let quad = transposed([
                    units.four(row, (*rows.add(row)).add(k)),
                    units.four(row + 1, (*rows.add(row + 1)).add(k)),
                    units.four(row + 2, (*rows.add(row + 2)).add(k)),
                    units.four(row + 3, (*rows.add(row + 3)).add(k)),
                ]);
                for unit in 0..4 {
                    _mm_storeu_si128(to.add(unit * MR + row).cast(), quad[unit]);
                }
            }
            if MR % 4 == 2 {
                let row = MR - 2;
                let first = units.four(row, (*rows.add(row)).add(k));
                let second = units.four(row + 1, (*rows.add(row + 1)).add(k));
                let low = _mm_castsi128_pd(_mm_unpacklo_epi32(first, second));
                let high = _mm_castsi128_pd(_mm_unpackhi_epi32(first, second));
                _mm_storel_pd(to.add(row).cast(), low);
                _mm_storeh_pd(to.add(MR + row).cast(), low);
                _mm_storel_pd(to.add(2 * MR + row).cast(), high);
                _mm_storeh_pd(to.add(3 * MR + row).cast(), high);
            }
        }
        if whole < depth {
            let to = to.add(whole / U::PER_UNIT * MR);
            for row in 0..MR {
                let mut last = [U::ZERO; 16];
                let from = (*rows.add(row)).add(whole);
                std::ptr::copy_nonoverlapping(from, last.as_mut_ptr(), depth - whole);
                let mut four = [0_u32; 4];
                _mm_storeu_si128(four.as_mut_ptr().cast(), units.four(row, last.as_ptr()));
                for unit in 0..(depth - whole).div_ceil(U::PER_UNIT) {
                    *to.add(unit * MR + row) = four[unit];
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn transposed(rows: [__m128i; 4]) -> [__m128i; 4] {
    // SAFETY: every x86-64 CPU has these.
    unsafe {
        let low = [_mm_unpacklo_epi32(rows[0], rows[1]), _mm_unpacklo_epi32(rows[2], rows[3])];
        let high = [_mm_unpackhi_epi32(rows[0], rows[1]), _mm_unpackhi_epi32(rows[2], rows[3])];
        [
            _mm_unpacklo_epi64(low[0], low[1]),
            _mm_unpackhi_epi64(low[0], low[1]),
            _mm_unpacklo_epi64(high[0], high[1]),
            _mm_unpackhi_epi64(high[0], high[1]),
        ]
    }
}

/// The greatest magnitude; NaN is passed over.
///
/// # Safety
/// `row` is good for `length` values, and the CPU has the engine's instructions.
#[inline(always)]
pub(super) unsafe fn greatest<T: Float, L: Lanes>(row: *const T, length: usize) -> f32 {
    // SAFETY: every read ends at or before `length`.
    unsafe {
        let zero = L::splat(0.0);
        let mut most = [zero; 4];
        let whole = length / (4 * L::COUNT) * (4 * L::COUNT);
        for k in (0..whole).step_by(4 * L::COUNT) {
            for (part, most) in most.iter_mut().enumerate() {
                *most = most.at_least(T::load::<L>(row.add(k + part * L::COUNT)).abs());
            }
        }
        let halves = [most[0].at_least(most[1]), most[2].at_least(most[3])];
        let mut all = halves[0].at_least(halves[1]).greatest();
        for k in whole..length {
            all = all.max(T::load::<f32>(row.add(k)).abs());
        }
        all
    }
}

/// Whole tiles of f32 sums, finished in their registers where that is known: `sums(tile)` are `MR` rows of two registers.
///
/// # Safety
/// `tile` came from [`Finish::new`], and the CPU has the engine's instructions.
#[inline(always)]
pub(super) unsafe fn fused_floats<L: Lanes, const MR: usize>(
    tile: &Finish<f32>,
    sums: impl Fn(usize) -> [[L; 2]; MR],
) -> usize {
    let whole = tile.rows / MR;
    // SAFETY: the rows are within the tile that `Finish::new` checked.
    unsafe {
        let Some(registers) = Registers::<L, 2>::new(tile) else { return 0 };
        for index in 0..whole {
            let sums = sums(index);
            for row in 0..MR {
                registers.finish(index * MR + row, sums[row]);
            }
        }
    }
    whole * MR
}

/// Whole tiles of int8 sums without residual, with an activation that clamps at most, finished in their registers: `values(tile)` are the sums as floats, less
/// what the zero point adds, `MR` rows of two registers.
///
/// # Safety
/// `tile` came from [`Finish::new`], and the CPU has the engine's instructions.
#[inline(always)]
pub(super) unsafe fn fused<L: Lanes, const MR: usize>(
    tile: &Finish<i32>,
    values: impl Fn(usize) -> [[L; 2]; MR],
) -> usize {
    let Some([low, high]) = tile.activation.limits() else { return 0 };
    if tile.columns < 2 * L::COUNT || tile.residual.is_some() || tile.scales.is_null() {
        return 0;
    }
    let clamped = tile.activation != Activation::None;
    let whole = tile.rows / MR;
    // SAFETY: the rows and columns are within the tile that `Finish::new` checked.
    unsafe {
        let scales = [L::load(tile.scales), L::load(tile.scales.add(L::COUNT))];
        let bias = if tile.bias.is_null() {
            [L::splat(0.0); 2]
        } else {
            [L::load(tile.bias), L::load(tile.bias.add(L::COUNT))]
        };
        for index in 0..whole {
            let mut values = values(index);
            for row in 0..MR {
                let row_scale = L::splat(*tile.row_scales.add(index * MR + row));
                for half in 0..2 {
                    let value = values[row][half].mul(row_scale).fma(scales[half], bias[half]);
                    values[row][half] = value;
                    if clamped {
                        values[row][half] = value.at_least(L::splat(low)).at_most(L::splat(high));
                    }
                }
            }
            match tile.output {
                Target::F32(to, stride) => {
                    for row in 0..MR {
                        let to = to.add((index * MR + row) * stride);
                        values[row][0].store(to);
                        values[row][1].store(to.add(L::COUNT));
                    }
                }
                Target::F16(to, stride) => {
                    for row in 0..MR {
                        let to = to.add((index * MR + row) * stride);
                        values[row][0].store_f16(to);
                        values[row][1].store_f16(to.add(L::COUNT));
                    }
                }
                Target::I8(to, stride, inverse, zero_point) => {
                    let (inverse, zero_point) = (L::splat(inverse), L::splat(zero_point));
                    for row in 0..MR {
                        let to = to.add((index * MR + row) * stride);
                        for half in 0..2 {
                            let steps = values[row][half].mul(inverse).round();
                            steps.add(zero_point).store_i8(to.add(half * L::COUNT));
                        }
                    }
                }
            }
        }
    }
    whole * MR
}
