//! `fmla` by a lane on halves. Sums of one block of k that go to halves are finished as halves.

use super::epilogue::{Source, Target};
use super::neon::{Accumulators, Panels, outer, with_sums, zeros};
use super::{F16_BLOCK, Finish, GemmRow, epilogue};
use crate::features::{Isa, Schedule};
use crate::kernel::Identity;
use crate::lanes::Neon;
use crate::layouts;
use crate::math::Activation;
use half::f16;
use std::arch::aarch64::*;
use std::arch::asm;

pub(super) const GEMM_F16: GemmRow<f16> = GemmRow {
    identity: Identity {
        name: "gemm_f16_12x16x1_neon_fp16",
        operation: "gemm",
        element: "f16",
        tile: "12x16x1",
        needs: &[Isa::NeonFp16],
        schedule: Schedule::OutOfOrder,
    },
    layout: layouts::gemm_f16(Isa::NeonFp16),
    mr: 12,
    widening: 1,
    steps: F16_BLOCK,
    multiply,
    fused: Some(fused),
    direct: None,
    packing: pack,
    finish: epilogue::finish::<f32, Neon>,
};

/// A step of twelve rows by sixteen columns: rows 0 to 3, 4 to 7 and 8 to 11 in lanes of these registers.
macro_rules! step {
    ($b:literal $c:literal: $x:literal [$($i:literal)*] $y:literal [$($j:literal)*] $z:literal [$($k:literal)*]) => {
        concat!(
            outer!("fmla" "8h" "8h" "h": $x [$($i)*] $b $c => [8 9] [10 11] [12 13] [14 15]),
            outer!("fmla" "8h" "8h" "h": $y [$($j)*] $b $c => [16 17] [18 19] [20 21] [22 23]),
            outer!("fmla" "8h" "8h" "h": $z [$($k)*] $b $c => [24 25] [26 27] [28 29] [30 31]),
        )
    };
}

/// Twelve rows of two registers of eight halves.
#[inline(always)]
unsafe fn accumulate(
    steps: usize,
    a: *const f16,
    b: *const f16,
    mut s: Accumulators,
) -> [[float16x8_t; 2]; 12] {
    // SAFETY: a step reads 24 bytes of A and 32 of B.
    unsafe {
        with_sums!(
            s,
            steps,
            a,
            b,
            "lsr {pairs}, {steps}, #1",
            "cbnz {pairs}, 2f",
            "b 3f",
            ".p2align 8",
            "2:",
            "ldp q0, q1, [{a}]",
            "ldp q3, q4, [{b}]",
            "ldr q2, [{a}, #32]",
            step!(3 4: 0 [0 1 2 3] 0 [4 5 6 7] 1 [0 1 2 3]),
            "ldp q5, q6, [{b}, #32]",
            "add {a}, {a}, #48",
            "add {b}, {b}, #64",
            step!(5 6: 1 [4 5 6 7] 2 [0 1 2 3] 2 [4 5 6 7]),
            "subs {pairs}, {pairs}, #1",
            "b.ne 2b",
            "3:",
            "tbz {steps}, #0, 4f",
            "ldr q0, [{a}]",
            "ldp q3, q4, [{b}]",
            "ldr d1, [{a}, #16]",
            step!(3 4: 0 [0 1 2 3] 0 [4 5 6 7] 1 [0 1 2 3]),
            "4:",
        );
        std::array::from_fn(|row| [0, 1].map(|part| vreinterpretq_f16_s32(s[2 * row + part])))
    }
}

#[target_feature(enable = "neon,fp16")]
unsafe fn multiply(steps: usize, a: *const f16, b: *const f16, sums: *mut f32, first: bool) {
    // SAFETY: passed on to the caller.
    unsafe {
        let tile = accumulate(steps, a, b, zeros());
        for (index, &halves) in tile.as_flattened().iter().enumerate() {
            let parts = [vcvt_f32_f16(vget_low_f16(halves)), vcvt_high_f32_f16(halves)];
            for (part, value) in parts.into_iter().enumerate() {
                let to = sums.add(8 * index + 4 * part);
                vst1q_f32(to, if first { value } else { vaddq_f32(vld1q_f32(to), value) });
            }
        }
    }
}

#[target_feature(enable = "neon,fp16")]
unsafe fn fused(steps: usize, a: *const f16, b: *const f16, tile: &Finish<f32>) -> usize {
    if tile.activation != Activation::None || !tile.scales.is_null() {
        return 0;
    }
    let panels = Panels { steps, a, b };
    // SAFETY: passed on to the caller.
    unsafe {
        match (tile.output, tile.residual) {
            (Target::F16(to, stride), None) => halves(tile, panels, to, stride, None),
            (Target::F16(to, stride), Some(Source::F16(from, apart))) => {
                halves(tile, panels, to, stride, Some((from, apart)))
            }
            (Target::F32(to, stride), None) if tile.columns == 16 => {
                floats(tile, panels, to, stride)
            }
            _ => 0,
        }
    }
}

#[inline(always)]
unsafe fn halves(
    tile: &Finish<f32>,
    Panels { steps, a, b }: Panels<f16>,
    to: *mut f16,
    stride: usize,
    residual: Option<(*const f16, usize)>,
) -> usize {
    // SAFETY: `Finish::new` found the operands long enough for all rows and columns.
    unsafe {
        let [x, y, z, w] = bias(tile);
        let bias = [vcvt_high_f16_f32(vcvt_f16_f32(x), y), vcvt_high_f16_f32(vcvt_f16_f32(z), w)];
        let whole = if tile.columns == 16 { tile.rows / 12 } else { 0 };
        let mut begun = zeros();
        for index in 0..whole {
            let sums = accumulate(steps, a.add(index * steps * 12), b, begun);
            for (row, sums) in sums.into_iter().enumerate() {
                let row = 12 * index + row;
                for part in 0..2 {
                    let mut value = sum(sums[part], bias[part]);
                    if let Some((from, apart)) = residual {
                        let from = from.add(row * apart + 8 * part);
                        value = sum(value, vreinterpretq_f16_u16(vld1q_u16(from.cast())));
                    }
                    let to = to.add(row * stride + 8 * part);
                    vst1q_u16(to.cast(), vreinterpretq_u16_f16(value));
                }
            }
            begun = zeros();
        }
        // Edges are finished the same way, so that a row has the same bits in every range of rows.
        for first in (12 * whole..tile.rows).step_by(12) {
            let sums = accumulate(steps, a.add(first * steps), b, zeros());
            for (row, sums) in (first..tile.rows).zip(sums) {
                let mut values = [sum(sums[0], bias[0]), sum(sums[1], bias[1])];
                if let Some((from, apart)) = residual {
                    let mut halves = [f16::ZERO; 16];
                    let from = from.add(row * apart);
                    std::ptr::copy_nonoverlapping(from, halves.as_mut_ptr(), tile.columns);
                    for part in 0..2 {
                        let residual = vld1q_u16(halves[8 * part..].as_ptr().cast());
                        values[part] = sum(values[part], vreinterpretq_f16_u16(residual));
                    }
                }
                let mut halves = [f16::ZERO; 16];
                for part in 0..2 {
                    let to = halves[8 * part..].as_mut_ptr().cast();
                    vst1q_u16(to, vreinterpretq_u16_f16(values[part]));
                }
                let to = to.add(row * stride);
                std::ptr::copy_nonoverlapping(halves.as_ptr(), to, tile.columns);
            }
        }
        tile.rows
    }
}

#[inline(always)]
unsafe fn floats(
    tile: &Finish<f32>,
    Panels { steps, a, b }: Panels<f16>,
    to: *mut f32,
    stride: usize,
) -> usize {
    // SAFETY: as in `halves`.
    unsafe {
        let bias = bias(tile);
        let whole = tile.rows / 12;
        let mut begun = zeros();
        for index in 0..whole {
            let sums = accumulate(steps, a.add(index * steps * 12), b, begun);
            for (row, sums) in sums.into_iter().enumerate() {
                let to = to.add((12 * index + row) * stride);
                for (part, halves) in sums.into_iter().enumerate() {
                    let low = vcvt_f32_f16(vget_low_f16(halves));
                    let high = vcvt_high_f32_f16(halves);
                    vst1q_f32(to.add(8 * part), vaddq_f32(low, bias[2 * part]));
                    vst1q_f32(to.add(8 * part + 4), vaddq_f32(high, bias[2 * part + 1]));
                }
            }
            begun = zeros();
        }
        12 * whole
    }
}

/// `vaddq_f16`, which is not inlined into closures.
#[inline(always)]
unsafe fn sum(a: float16x8_t, b: float16x8_t) -> float16x8_t {
    let sum: uint16x8_t;
    // SAFETY: the callers have the instruction.
    unsafe {
        asm!(
            "fadd {0:v}.8h, {1:v}.8h, {2:v}.8h",
            lateout(vreg) sum,
            in(vreg) vreinterpretq_u16_f16(a),
            in(vreg) vreinterpretq_u16_f16(b),
            options(pure, nomem, nostack, preserves_flags),
        );
        vreinterpretq_f16_u16(sum)
    }
}

#[inline(always)]
unsafe fn bias(tile: &Finish<f32>) -> [float32x4_t; 4] {
    // SAFETY: `Finish::new` found it long enough for the columns, or it is null.
    unsafe {
        let mut floats = [0.0; 16];
        if !tile.bias.is_null() {
            std::ptr::copy_nonoverlapping(tile.bias, floats.as_mut_ptr(), tile.columns);
        }
        std::array::from_fn(|part| vld1q_f32(floats[4 * part..].as_ptr()))
    }
}

/// Interleaves halves, twelve rows.
unsafe fn pack(rows: *const *const f16, depth: usize, to: *mut f16) {
    // SAFETY: eight values of a row are read where there are as many, the rest from a copy; `to` takes 12 for each.
    unsafe {
        let rows: [*const f16; 12] = std::array::from_fn(|row| *rows.add(row));
        let to = to.cast::<u16>();
        let whole = depth / 8;
        for k in 0..whole {
            let (eight, four) = transposed(rows.map(|row| row.add(8 * k)));
            for column in 0..8 {
                let to = to.add(12 * (8 * k + column));
                vst1q_u16(to, eight[column]);
                vst1_u16(to.add(8), four[column]);
            }
        }
        let left = depth - 8 * whole;
        if left > 0 {
            let mut ends = [[f16::ZERO; 8]; 12];
            for (end, row) in ends.iter_mut().zip(rows) {
                std::ptr::copy_nonoverlapping(row.add(8 * whole), end.as_mut_ptr(), left);
            }
            let (eight, four) = transposed(std::array::from_fn(|row| ends[row].as_ptr()));
            for column in 0..left {
                let to = to.add(12 * (8 * whole + column));
                vst1q_u16(to, eight[column]);
                vst1_u16(to.add(8), four[column]);
            }
        }
    }
}

/// Eight values of each of twelve rows as columns of the first eight rows and of the last four.
#[inline(always)]
unsafe fn transposed(rows: [*const f16; 12]) -> ([uint16x8_t; 8], [uint16x4_t; 8]) {
    // SAFETY: the caller's rows are good for eight values.
    unsafe {
        let r = rows.map(|row| vld1q_u16(row.cast()));
        // Pairs of rows, then fours: register i of a four holds columns i and i + 4.
        let four = |a, b, c, d| {
            let (ab, cd) =
                ((vtrn1q_u16(a, b), vtrn2q_u16(a, b)), (vtrn1q_u16(c, d), vtrn2q_u16(c, d)));
            let wide = |half| vreinterpretq_u32_u16(half);
            [
                vtrn1q_u32(wide(ab.0), wide(cd.0)),
                vtrn1q_u32(wide(ab.1), wide(cd.1)),
                vtrn2q_u32(wide(ab.0), wide(cd.0)),
                vtrn2q_u32(wide(ab.1), wide(cd.1)),
            ]
            .map(|both| vreinterpretq_u64_u32(both))
        };
        let (x, y) = (four(r[0], r[1], r[2], r[3]), four(r[4], r[5], r[6], r[7]));
        let z = four(r[8], r[9], r[10], r[11]).map(|both| vreinterpretq_u16_u64(both));
        let eight = std::array::from_fn(|column| {
            let (x, y) = (x[column % 4], y[column % 4]);
            vreinterpretq_u16_u64(if column < 4 { vtrn1q_u64(x, y) } else { vtrn2q_u64(x, y) })
        });
        let four = std::array::from_fn(|column| {
            if column < 4 { vget_low_u16(z[column]) } else { vget_high_u16(z[column - 4]) }
        });
        (eight, four)
    }
}
