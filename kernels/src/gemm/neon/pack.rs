//! Packing rows into panels.

use half::f16;
use std::arch::aarch64::*;
use std::arch::asm;

/// A type that is quantized while it is packed.
pub(in crate::gemm) trait Real: Copy + Default {
    /// Reads eight values.
    ///
    /// # Safety
    /// The pointer is good for them.
    unsafe fn load(from: *const Self) -> [float32x4_t; 2];
}

impl Real for f16 {
    #[inline(always)]
    unsafe fn load(from: *const f16) -> [float32x4_t; 2] {
        // SAFETY: passed on to the caller.
        unsafe {
            let halves = vreinterpretq_f16_u16(vld1q_u16(from.cast()));
            [vcvt_f32_f16(vget_low_f16(halves)), vcvt_high_f32_f16(halves)]
        }
    }
}

impl Real for f32 {
    #[inline(always)]
    unsafe fn load(from: *const f32) -> [float32x4_t; 2] {
        // SAFETY: passed on to the caller.
        unsafe { [vld1q_f32(from), vld1q_f32(from.add(4))] }
    }
}

/// Rounds and clamps four registers to bytes.
trait Quantize<T: Real>: Copy {
    unsafe fn bytes(self, values: [float32x4_t; 4]) -> int8x16_t;
}

/// Any zero point.
#[derive(Clone, Copy)]
struct Shifted(float32x4_t);

/// A zero point of 0.
#[derive(Clone, Copy)]
struct Nearest;

/// A zero point of 0 and values that were halves, where no conversion is needed: 1.5·2²³ added to a small float leaves the nearest integer in its low bits.
/// A NaN that was a half has zeros there.
#[derive(Clone, Copy)]
struct Symmetric;

impl<T: Real> Quantize<T> for Shifted {
    #[inline(always)]
    unsafe fn bytes(self, values: [float32x4_t; 4]) -> int8x16_t {
        // SAFETY: every 64-bit Arm CPU has NEON.
        unsafe {
            let words = values
                .map(|value| vqmovn_s32(vcvtnq_s32_f32(vaddq_f32(vrndnq_f32(value), self.0))));
            let low = vqmovn_s16(vcombine_s16(words[0], words[1]));
            vqmovn_high_s16(low, vcombine_s16(words[2], words[3]))
        }
    }
}

impl<T: Real> Quantize<T> for Nearest {
    #[inline(always)]
    unsafe fn bytes(self, values: [float32x4_t; 4]) -> int8x16_t {
        // SAFETY: every 64-bit Arm CPU has NEON.
        unsafe {
            let [a, b, c, d] = values.map(|value| vcvtnq_s32_f32(value));
            let low = vqmovn_high_s32(vqmovn_s32(a), b);
            let high = vqmovn_high_s32(vqmovn_s32(c), d);
            vqmovn_high_s16(vqmovn_s16(low), high)
        }
    }
}

impl Quantize<f16> for Symmetric {
    #[inline(always)]
    unsafe fn bytes(self, values: [float32x4_t; 4]) -> int8x16_t {
        // SAFETY: every 64-bit Arm CPU has NEON.
        unsafe {
            low_bytes(values.map(|value| {
                let value = vmaxq_f32(value, vdupq_n_f32(-128.0));
                let value = vminq_f32(value, vdupq_n_f32(127.0));
                vaddq_f32(value, vdupq_n_f32(12_582_912.0))
            }))
        }
    }
}

/// Where rows of halves are clamped before they become floats, on CPUs that compare halves. NaN stays.
struct Clamped {
    least: [uint16x8_t; 4],
    most: [uint16x8_t; 4],
}

impl Clamped {
    /// The halves that become −128 and 127; none where halves are too coarse for a row's scale.
    unsafe fn at(inverses: [f32; 4]) -> Option<Self> {
        // SAFETY: every 64-bit Arm CPU has NEON.
        unsafe {
            let inverses = vld1q_f32(inverses.as_ptr());
            let limit = |limit: f32| {
                let limit = vdupq_n_f32(limit);
                let halves = vcvt_f16_f32(vdivq_f32(limit, inverses));
                let rounded = vrndnq_f32(vmulq_f32(vcvt_f32_f16(halves), inverses));
                let exact = vminvq_u32(vceqq_f32(rounded, limit)) != 0;
                let halves = vreinterpret_u16_f16(halves);
                exact.then_some([
                    vdupq_lane_u16::<0>(halves),
                    vdupq_lane_u16::<1>(halves),
                    vdupq_lane_u16::<2>(halves),
                    vdupq_lane_u16::<3>(halves),
                ])
            };
            Some(Self { least: limit(-128.0)?, most: limit(127.0)? })
        }
    }
}

/// The lowest byte of each lane.
#[inline(always)]
unsafe fn low_bytes(values: [float32x4_t; 4]) -> int8x16_t {
    // SAFETY: every 64-bit Arm CPU has NEON.
    unsafe {
        let [a, b, c, d] = values.map(|value| vreinterpretq_s16_f32(value));
        let low = vreinterpretq_s8_s16(vuzp1q_s16(a, b));
        vuzp1q_s8(low, vreinterpretq_s8_s16(vuzp1q_s16(c, d)))
    }
}

/// Quantizes halves; with the instructions for halves.
///
/// # Safety
/// See [`PackQuantized`](crate::gemm::PackQuantized), for `M` rows and steps of 4.
#[target_feature(enable = "neon,fp16")]
pub(in crate::gemm) unsafe fn from_f16_clamped<const M: usize>(
    rows: *const *const f16,
    depth: usize,
    inverses: *const f32,
    zero_point: i32,
    to: *mut i8,
) {
    // SAFETY: passed on to the caller.
    unsafe {
        if zero_point != 0 {
            return from_f16::<M, 4>(rows, depth, inverses, zero_point, to);
        }
        for first in (0..M).step_by(4) {
            let group = Group::<f16, M, 4>::of(rows, depth, inverses, first, to);
            match Clamped::at(group.inverses) {
                Some(clamped) => group.clamped(clamped).quantize(Symmetric),
                None => group.quantize(Symmetric),
            }
        }
    }
}

impl<const M: usize> Group<f16, M, 4> {
    /// Packs all whole eights of the rows; returns what is left.
    #[inline(always)]
    unsafe fn clamped(mut self, Clamped { least, most }: Clamped) -> Self {
        if self.depth < 8 {
            return self;
        }
        // SAFETY: each round reads eight values of each row and writes two steps; the callers have the instructions. The rows
        // are staggered: in step they would wait for the pipe that converts.
        unsafe {
            let [mut a, mut b, mut c, mut d] = self.rows;
            asm!(
                "b 2f",
                ".p2align 8",
                "2:",
                "ldr q1, [{b}], #16",
                "fmax v1.8h, v1.8h, {least1:v}.8h",
                "ldr q2, [{c}], #16",
                "ldr q3, [{d}], #16",
                "fmin v1.8h, v1.8h, {most1:v}.8h",
                "ldr q0, [{a}], #16",
                "fmax v0.8h, v0.8h, {least0:v}.8h",
                "fmin v0.8h, v0.8h, {most0:v}.8h",
                "fmax v3.8h, v3.8h, {least3:v}.8h",
                "fcvtl v4.4s, v0.4h",
                "fmul v4.4s, v4.4s, {inverses:v}.s[0]",
                "fcvtl v5.4s, v1.4h",
                "fmin v3.8h, v3.8h, {most3:v}.8h",
                "fcvtl v7.4s, v3.4h",
                "fmul v7.4s, v7.4s, {inverses:v}.s[3]",
                "fadd v7.4s, v7.4s, {shift:v}.4s",
                "fmax v2.8h, v2.8h, {least2:v}.8h",
                "fmin v2.8h, v2.8h, {most2:v}.8h",
                "fcvtl v6.4s, v2.4h",
                "fadd v4.4s, v4.4s, {shift:v}.4s",
                "fmul v5.4s, v5.4s, {inverses:v}.s[1]",
                "fadd v5.4s, v5.4s, {shift:v}.4s",
                "fmul v6.4s, v6.4s, {inverses:v}.s[2]",
                "fadd v6.4s, v6.4s, {shift:v}.4s",
                "uzp1 v6.8h, v6.8h, v7.8h",
                "fcvtl2 v18.4s, v2.8h",
                "fcvtl2 v19.4s, v3.8h",
                "fcvtl2 v17.4s, v1.8h",
                "fmul v18.4s, v18.4s, {inverses:v}.s[2]",
                "fcvtl2 v16.4s, v0.8h",
                "uzp1 v4.8h, v4.8h, v5.8h",
                "fmul v16.4s, v16.4s, {inverses:v}.s[0]",
                "uzp1 v4.16b, v4.16b, v6.16b",
                "st1 {{v4.16b}}, [{to}], {stride}",
                "fmul v17.4s, v17.4s, {inverses:v}.s[1]",
                "fadd v17.4s, v17.4s, {shift:v}.4s",
                "fadd v18.4s, v18.4s, {shift:v}.4s",
                "fmul v19.4s, v19.4s, {inverses:v}.s[3]",
                "fadd v19.4s, v19.4s, {shift:v}.4s",
                "uzp1 v18.8h, v18.8h, v19.8h",
                "fadd v16.4s, v16.4s, {shift:v}.4s",
                "uzp1 v16.8h, v16.8h, v17.8h",
                "uzp1 v16.16b, v16.16b, v18.16b",
                "st1 {{v16.16b}}, [{to}], {stride}",
                "subs {eights}, {eights}, #1",
                "b.ne 2b",
                a = inout(reg) a, b = inout(reg) b, c = inout(reg) c, d = inout(reg) d,
                to = inout(reg) self.to,
                stride = in(reg) 4 * M,
                eights = inout(reg) self.depth / 8 => _,
                inverses = in(vreg) vld1q_f32(self.inverses.as_ptr()),
                shift = in(vreg) vdupq_n_f32(12_582_912.0),
                least0 = in(vreg) least[0], least1 = in(vreg) least[1],
                least2 = in(vreg) least[2], least3 = in(vreg) least[3],
                most0 = in(vreg) most[0], most1 = in(vreg) most[1],
                most2 = in(vreg) most[2], most3 = in(vreg) most[3],
                out("v0") _, out("v1") _, out("v2") _, out("v3") _,
                out("v4") _, out("v5") _, out("v6") _, out("v7") _,
                out("v16") _, out("v17") _, out("v18") _, out("v19") _,
                options(nostack),
            );
            Self { rows: [a, b, c, d], depth: self.depth % 8, ..self }
        }
    }
}

/// Quantizes halves.
///
/// # Safety
/// See [`PackQuantized`](crate::gemm::PackQuantized), for `M` rows and steps of `KR`.
pub(in crate::gemm) unsafe fn from_f16<const M: usize, const KR: usize>(
    rows: *const *const f16,
    depth: usize,
    inverses: *const f32,
    zero_point: i32,
    to: *mut i8,
) {
    // SAFETY: passed on to the caller.
    unsafe {
        if zero_point == 0 {
            quantize::<f16, M, KR>(rows, depth, inverses, Symmetric, to);
        } else {
            let shift = Shifted(vdupq_n_f32(zero_point as f32));
            quantize::<f16, M, KR>(rows, depth, inverses, shift, to);
        }
    }
}

/// Quantizes floats.
///
/// # Safety
/// See [`PackQuantized`](crate::gemm::PackQuantized), for `M` rows and steps of `KR`.
pub(in crate::gemm) unsafe fn from_f32<const M: usize, const KR: usize>(
    rows: *const *const f32,
    depth: usize,
    inverses: *const f32,
    zero_point: i32,
    to: *mut i8,
) {
    // SAFETY: passed on to the caller.
    unsafe {
        if zero_point == 0 {
            quantize::<f32, M, KR>(rows, depth, inverses, Nearest, to);
        } else {
            let shift = Shifted(vdupq_n_f32(zero_point as f32));
            quantize::<f32, M, KR>(rows, depth, inverses, shift, to);
        }
    }
}

#[inline(always)]
unsafe fn quantize<T: Real, const M: usize, const KR: usize>(
    rows: *const *const T,
    depth: usize,
    inverses: *const f32,
    quantize: impl Quantize<T>,
    to: *mut i8,
) {
    for first in (0..M).step_by(16 / KR) {
        // SAFETY: passed on to the caller.
        unsafe {
            Group::<T, M, KR>::of(rows, depth, inverses, first, to).quantize(quantize);
        }
    }
}

/// As many of the `M` rows as fill a register with a step of `KR` values.
struct Group<T, const M: usize, const KR: usize> {
    rows: [*const T; 4],
    depth: usize,
    inverses: [f32; 4],
    to: *mut i8,
}

impl<T: Real, const M: usize, const KR: usize> Group<T, M, KR> {
    const ROWS: usize = 16 / KR;

    #[inline(always)]
    unsafe fn of(
        rows: *const *const T,
        depth: usize,
        inverses: *const f32,
        first: usize,
        to: *mut i8,
    ) -> Self {
        const { assert!(M.is_multiple_of(16 / KR)) };
        // SAFETY: the caller has `M` rows.
        unsafe {
            let at = |row: usize| first + row.min(Self::ROWS - 1);
            Self {
                rows: std::array::from_fn(|row| *rows.add(at(row))),
                depth,
                inverses: std::array::from_fn(|row| *inverses.add(at(row))),
                to: to.add(first * KR),
            }
        }
    }

    #[inline(always)]
    unsafe fn quantize(&self, quantize: impl Quantize<T>) {
        // SAFETY: `step` reads 16 values of each row, `depth` at most; what is left is copied, filled up with zeros.
        unsafe {
            let mut to = self.to;
            let whole = self.depth / 16;
            for k in 0..whole {
                let rows = self.rows.map(|row| row.add(16 * k));
                for step in 0..Self::ROWS {
                    vst1q_s8(to.add(step * M * KR), self.step(rows, step, quantize));
                }
                to = to.add(M * 16);
            }
            let left = self.depth - 16 * whole;
            if left > 0 {
                let mut ends = [[T::default(); 16]; 4];
                for (end, row) in ends.iter_mut().zip(self.rows) {
                    std::ptr::copy_nonoverlapping(row.add(16 * whole), end.as_mut_ptr(), left);
                }
                let rows = std::array::from_fn(|row| ends[row].as_ptr());
                for step in 0..left.div_ceil(KR) {
                    vst1q_s8(to.add(step * M * KR), self.step(rows, step, quantize));
                }
            }
        }
    }

    /// `KR` values of each row, side by side.
    #[inline(always)]
    unsafe fn step(
        &self,
        rows: [*const T; 4],
        step: usize,
        quantize: impl Quantize<T>,
    ) -> int8x16_t {
        // SAFETY: the caller's rows are good for 16 values.
        unsafe {
            let at = |row: usize, k: usize| {
                let k = step * KR + k;
                // The loads of eight values that the steps share are one once this is unrolled.
                let values = T::load(rows[row].add(k / 8 * 8));
                vmulq_n_f32(values[k / 4 % 2], self.inverses[row])
            };
            quantize.bytes(match KR {
                4 => [at(0, 0), at(1, 0), at(2, 0), at(3, 0)],
                8 => [at(0, 0), at(0, 4), at(1, 0), at(1, 4)],
                _ => [at(0, 0), at(0, 4), at(0, 8), at(0, 12)],
            })
        }
    }
}

/// Interleaves bytes.
///
/// # Safety
/// See [`Pack`](crate::gemm::Pack), for `M` rows and steps of `KR`.
pub(in crate::gemm) unsafe fn from_i8<const M: usize, const KR: usize>(
    rows: *const *const i8,
    depth: usize,
    to: *mut i8,
) {
    // SAFETY: as in `quantize`.
    unsafe {
        for first in (0..M).step_by(16 / KR) {
            let rows: [*const i8; 4] = std::array::from_fn(|row| {
                if row < 16 / KR { *rows.add(first + row) } else { std::ptr::null() }
            });
            let to = to.add(first * KR);
            let whole = depth / 16;
            for k in 0..whole {
                let units = units::<KR>(rows.map(|row| row.wrapping_add(16 * k)));
                for step in 0..16 / KR {
                    vst1q_s8(to.add((k * (16 / KR) + step) * M * KR), units[step]);
                }
            }
            let left = depth - 16 * whole;
            if left > 0 {
                let mut ends = [[0; 16]; 4];
                for (row, end) in ends.iter_mut().enumerate().take(16 / KR) {
                    let from = rows[row].add(16 * whole);
                    std::ptr::copy_nonoverlapping(from, end.as_mut_ptr(), left);
                }
                let units = units::<KR>(std::array::from_fn(|row| ends[row].as_ptr()));
                for step in 0..left.div_ceil(KR) {
                    vst1q_s8(to.add((whole * (16 / KR) + step) * M * KR), units[step]);
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn units<const KR: usize>(rows: [*const i8; 4]) -> [int8x16_t; 4] {
    // SAFETY: the caller's `16 / KR` rows are good for 16 values.
    unsafe {
        let load = |row: usize| vreinterpretq_s32_s8(vld1q_s8(rows[row]));
        match KR {
            4 => transposed([load(0), load(1), load(2), load(3)])
                .map(|unit| vreinterpretq_s8_s32(unit)),
            8 => {
                let (a, b) = (vreinterpretq_s64_s32(load(0)), vreinterpretq_s64_s32(load(1)));
                let (first, second) = (vzip1q_s64(a, b), vzip2q_s64(a, b));
                [first, second, first, second].map(|unit| vreinterpretq_s8_s64(unit))
            }
            _ => [vreinterpretq_s8_s32(load(0)); 4],
        }
    }
}

/// Four rows of four as four columns.
#[inline(always)]
unsafe fn transposed(rows: [int32x4_t; 4]) -> [int32x4_t; 4] {
    // SAFETY: every 64-bit Arm CPU has NEON.
    unsafe {
        let wide = |a, b| (vreinterpretq_s64_s32(a), vreinterpretq_s64_s32(b));
        let (a, b) = wide(vtrn1q_s32(rows[0], rows[1]), vtrn1q_s32(rows[2], rows[3]));
        let (c, d) = wide(vtrn2q_s32(rows[0], rows[1]), vtrn2q_s32(rows[2], rows[3]));
        [vtrn1q_s64(a, b), vtrn1q_s64(c, d), vtrn2q_s64(a, b), vtrn2q_s64(c, d)]
            .map(|row| vreinterpretq_s32_s64(row))
    }
}

/// Interleaves floats, twelve rows.
///
/// # Safety
/// See [`Pack`](crate::gemm::Pack), for 12 rows and steps of 1.
pub(in crate::gemm) unsafe fn floats(rows: *const *const f32, depth: usize, to: *mut f32) {
    // SAFETY: four values of a row are read where there are as many; `to` takes 12 for each.
    unsafe { interleave(rows, depth, to, |from| vreinterpretq_s32_f32(vld1q_f32(from))) }
}

/// Interleaves halves as floats, twelve rows: `to` is good for twice as many halves.
///
/// # Safety
/// See [`Pack`](crate::gemm::Pack), for 12 rows and steps of 1.
pub(in crate::gemm) unsafe fn widened(rows: *const *const f16, depth: usize, to: *mut f16) {
    // SAFETY: as for `floats`.
    unsafe {
        interleave(rows, depth, to.cast(), |from| {
            let halves = vreinterpret_f16_u16(vld1_u16(from.cast()));
            vreinterpretq_s32_f32(vcvt_f32_f16(halves))
        })
    }
}

#[inline(always)]
unsafe fn interleave<T: Copy + Default>(
    rows: *const *const T,
    depth: usize,
    to: *mut f32,
    load: impl Fn(*const T) -> int32x4_t,
) {
    // SAFETY: passed on to the caller.
    unsafe {
        for first in (0..12).step_by(4) {
            let rows: [*const T; 4] = std::array::from_fn(|row| *rows.add(first + row));
            let to = to.add(first);
            let whole = depth / 4;
            for k in 0..whole {
                let columns = transposed(rows.map(|row| load(row.add(4 * k))));
                for (column, values) in columns.into_iter().enumerate() {
                    vst1q_f32(to.add(12 * (4 * k + column)), vreinterpretq_f32_s32(values));
                }
            }
            let mut ends = [[T::default(); 4]; 4];
            for (row, end) in ends.iter_mut().enumerate() {
                let from = rows[row].add(4 * whole);
                std::ptr::copy_nonoverlapping(from, end.as_mut_ptr(), depth - 4 * whole);
            }
            let columns = transposed(std::array::from_fn(|row| load(ends[row].as_ptr())));
            for (column, k) in (4 * whole..depth).enumerate() {
                vst1q_f32(to.add(12 * k), vreinterpretq_f32_s32(columns[column]));
            }
        }
    }
}

/// The greatest magnitude of a row.
///
/// # Safety
/// The row is good for `length` values.
pub(in crate::gemm) unsafe fn greatest_f16(row: *const f16, length: usize) -> f32 {
    // SAFETY: passed on to the caller.
    unsafe { greatest(row, length) }
}

/// The greatest magnitude of a row.
///
/// # Safety
/// The row is good for `length` values.
pub(in crate::gemm) unsafe fn greatest_f32(row: *const f32, length: usize) -> f32 {
    // SAFETY: passed on to the caller.
    unsafe { greatest(row, length) }
}

#[inline(always)]
unsafe fn greatest<T: Real>(row: *const T, length: usize) -> f32 {
    // SAFETY: eight values are read where there are as many, the rest from a copy. `fmaxnm` passes over NaN.
    unsafe {
        let mut most = [vdupq_n_f32(0.0); 4];
        let larger = |most: float32x4_t, value| vmaxnmq_f32(most, vabsq_f32(value));
        let mut k = 0;
        while k + 16 <= length {
            let ([a, b], [c, d]) = (T::load(row.add(k)), T::load(row.add(k + 8)));
            most = [larger(most[0], a), larger(most[1], b), larger(most[2], c), larger(most[3], d)];
            k += 16;
        }
        let mut end = [T::default(); 16];
        std::ptr::copy_nonoverlapping(row.add(k), end.as_mut_ptr(), length - k);
        let ([a, b], [c, d]) = (T::load(end.as_ptr()), T::load(end[8..].as_ptr()));
        let most = [larger(most[0], a), larger(most[1], b), larger(most[2], c), larger(most[3], d)];
        vmaxnmvq_f32(vmaxnmq_f32(vmaxnmq_f32(most[0], most[1]), vmaxnmq_f32(most[2], most[3])))
    }
}
