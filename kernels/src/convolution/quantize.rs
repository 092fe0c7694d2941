//! Rows of the input quantized on their way into an int8 convolution.

use super::Geometry;
use super::tile::{Image, Source};
use crate::features::Isa;
use crate::gemm::{I8Rows, Precision, Quantization, Rows};
use crate::lanes::Lanes;
use half::f16;
use std::ops::Range;

/// What is quantized.
pub(super) trait Wide: Copy + 'static {
    /// # Safety
    /// `from` is good for `L::COUNT` values, and the CPU has the engine's instructions.
    unsafe fn load<L: Lanes>(from: *const Self) -> L;

    fn rows(rows: Rows<Self>, precision: Precision) -> I8Rows;

    /// Quantizes in a faster way, where there is one that gives the same bits; says whether it did.
    ///
    /// # Safety
    /// The CPU has NEON.
    #[cfg(target_arch = "aarch64")]
    unsafe fn quantize_neon(_: &[Self], _: Quantization, _: &mut [i8]) -> bool {
        false
    }
}

impl Wide for f16 {
    #[inline(always)]
    unsafe fn load<L: Lanes>(from: *const Self) -> L {
        // SAFETY: passed on to the caller.
        unsafe { L::load_f16(from) }
    }

    fn rows(rows: Rows<Self>, precision: Precision) -> I8Rows {
        I8Rows::F16(rows, precision)
    }

    #[cfg(target_arch = "aarch64")]
    unsafe fn quantize_neon(from: &[Self], quantization: Quantization, to: &mut [i8]) -> bool {
        // SAFETY: passed on to the caller.
        unsafe { super::neon::quantize(from, quantization, to) }
    }
}

impl Wide for f32 {
    #[inline(always)]
    unsafe fn load<L: Lanes>(from: *const Self) -> L {
        // SAFETY: passed on to the caller.
        unsafe { L::load(from) }
    }

    fn rows(rows: Rows<Self>, precision: Precision) -> I8Rows {
        I8Rows::F32(rows, precision)
    }
}

/// `to = clamp(round(from / scale) + zero_point)`, as [`quantize`](crate::gemm::quantize) does it, with what a CPU that has `needs` can.
pub(super) type QuantizeRow<T> = unsafe fn(&[T], Quantization, &mut [i8]);

#[inline(always)]
unsafe fn quantize_lanes<L: Lanes, T: Wide>(from: &[T], quantization: Quantization, to: &mut [i8]) {
    let length = from.len().min(to.len());
    let whole = length / L::COUNT * L::COUNT;
    let (inverse, zero_point) = (1.0 / quantization.scale, quantization.zero_point as f32);
    // SAFETY: registers end before `whole`, single values before `length`; one lane gives the same bits.
    unsafe {
        let (wide, term) = (L::splat(inverse), L::splat(zero_point));
        for at in (0..whole).step_by(L::COUNT) {
            let value = T::load::<L>(from.as_ptr().add(at));
            value.mul(wide).round().add(term).store_i8(to.as_mut_ptr().add(at));
        }
        for at in whole..length {
            let value = T::load::<f32>(from.as_ptr().add(at));
            Lanes::store_i8(
                (value * inverse).round_ties_even() + zero_point,
                to.as_mut_ptr().add(at),
            );
        }
    }
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
unsafe fn quantize_engine<T: Wide>(from: &[T], quantization: Quantization, to: &mut [i8]) {
    // SAFETY: the features are enabled here.
    unsafe {
        if !T::quantize_neon(from, quantization, to) {
            quantize_lanes::<crate::lanes::Neon, T>(from, quantization, to);
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn quantize_engine<T: Wide>(from: &[T], quantization: Quantization, to: &mut [i8]) {
    // SAFETY: the features are enabled here.
    unsafe { quantize_lanes::<crate::lanes::Avx2, T>(from, quantization, to) }
}

/// The function for a kernel that needs these sets: every Arm one has NEON, every x86 one AVX2.
pub(super) fn quantize_row_for<T: Wide>(needs: &[Isa]) -> QuantizeRow<T> {
    #[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
    if !needs.is_empty() {
        return quantize_engine::<T>;
    }
    let _ = needs;
    quantize_lanes::<f32, T>
}

/// The last rows of the input, quantized when a tile first reaches them.
pub(super) struct Ring<'a, T> {
    pub input: Rows<'a, T>,
    pub first_channel: usize,
    pub depth: usize,
    pub width: usize,
    pub quantization: Quantization,
    pub quantize: QuantizeRow<T>,
    /// `held` rows.
    pub rows: &'a mut [i8],
    pub held: usize,
    /// Rows below this one have been quantized.
    pub done: usize,
}

impl<T: Wide> Source<i8> for Ring<'_, T> {
    fn image(&mut self, needed: Range<usize>) -> Image<'_, i8> {
        let Self { depth, width, held, .. } = *self;
        assert!(
            needed.is_empty()
                || needed.end - needed.start <= held && needed.start + held >= self.done,
            "rows {needed:?} are asked for, of which the ring has lost some"
        );
        for row in self.done.max(needed.start)..needed.end {
            let to = &mut self.rows[row % held * width * depth..][..width * depth];
            let start = row * width * self.input.stride + self.first_channel;
            if self.input.stride == depth {
                let from = &self.input.values[start..][..width * depth];
                // SAFETY: whoever made the ring chose the function by a kernel that the CPU supports.
                unsafe { (self.quantize)(from, self.quantization, to) };
                continue;
            }
            for (x, to) in to.chunks_exact_mut(depth.max(1)).enumerate() {
                let from = &self.input.values[start + x * self.input.stride..][..depth];
                // SAFETY: as above.
                unsafe { (self.quantize)(from, self.quantization, to) };
            }
        }
        self.done = self.done.max(needed.end);
        Image { values: self.rows, stride: depth, held }
    }
}

/// Rows that the ring must hold so that each tile finds all of its own.
pub(super) fn ring_rows(geometry: &Geometry, pixels: &Range<usize>, tile_rows: usize) -> usize {
    let reach = |first: usize| {
        let count = tile_rows.min(pixels.end - first);
        super::tile::Tile::new(geometry, first, count, tile_rows).needed().len()
    };
    pixels.clone().step_by(tile_rows).map(reach).max().unwrap_or(0)
}
