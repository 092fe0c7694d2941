use super::points::Vector;
use super::points::{Four, Points, Six, Two};
use super::stages::Stored;
use super::{FinishTile, InputTile, PART, Panels, Sums, WinogradRow, error, stages, tile};
use crate::features::{Isa, Schedule};
use crate::gemm::Finish;
use crate::kernel::Identity;
use crate::lanes::Neon;
use crate::layouts;
use half::f16;
use std::arch::aarch64::*;
use std::array::from_fn;
use std::ops::Range;

pub(super) const SIX_BY_SIX: WinogradRow<f16> =
    row::<Six, Six>("winograd_f16_6x6_neon_fp16", "6x6");
pub(super) const FOUR_BY_SIX: WinogradRow<f16> =
    row::<Four, Six>("winograd_f16_4x6_neon_fp16", "4x6");
pub(super) const SIX_BY_FOUR: WinogradRow<f16> =
    row::<Six, Four>("winograd_f16_6x4_neon_fp16", "6x4");
pub(super) const FOUR_BY_FOUR: WinogradRow<f16> =
    row::<Four, Four>("winograd_f16_4x4_neon_fp16", "4x4");
pub(super) const TWO_BY_TWO: WinogradRow<f16> =
    row::<Two, Two>("winograd_f16_2x2_neon_fp16", "2x2");

/// Tiles of a panel.
const ROWS: usize = 8;
/// Registers of output channels.
const VECTORS: usize = 2;
/// Input channels of a group.
const GROUP: usize = 8;
const _: () = {
    let layout = layouts::winograd(2, Isa::NeonFp16, [2; 2]);
    assert!(layout.nr == VECTORS * GROUP && layout.group == GROUP);
};

const fn row<H: Points, W: Points>(name: &'static str, size: &'static str) -> WinogradRow<f16> {
    WinogradRow {
        identity: Identity {
            name,
            operation: "winograd",
            element: "f16",
            tile: size,
            needs: &[Isa::NeonFp16],
            schedule: Schedule::OutOfOrder,
        },
        layout: layouts::winograd(size_of::<f16>(), Isa::NeonFp16, tile::<H, W>()),
        mr: ROWS,
        error: error::<f16>(tile::<H, W>(), Sums::F16),
        input: input::<H, W>,
        multiply,
        finish: finish::<H, W>,
        gather: gather::<H, W>,
        epilogue,
    }
}

#[target_feature(enable = "neon,fp16")]
unsafe fn input<H: Points, W: Points>(tile: &InputTile<f16>) {
    // SAFETY: the features are enabled here.
    unsafe { stages::input::<f16, Halves, H, W>(tile) };
}

#[target_feature(enable = "neon,fp16")]
unsafe fn finish<H: Points, W: Points>(
    tile: &FinishTile<f16>,
    to: *mut f16,
    row: usize,
    column: usize,
) {
    // SAFETY: the features are enabled here.
    unsafe { stages::finish::<f16, Halves, H, W>(tile, to, row, column) };
}

#[target_feature(enable = "neon,fp16")]
unsafe fn gather<H: Points, W: Points>(tile: &FinishTile<f16>, to: *mut f32) {
    // SAFETY: the features are enabled here.
    unsafe { stages::gather::<f16, Halves, H, W>(tile, to) };
}

#[target_feature(enable = "neon,fp16")]
unsafe fn epilogue(tile: &Finish<f32>) {
    // SAFETY: the features are enabled here.
    unsafe { crate::gemm::finish::<f32, Neon>(tile) };
}

#[target_feature(enable = "neon,fp16")]
unsafe fn multiply(work: &Panels<f16>) {
    let whole = work.tiles / ROWS;
    let last = whole..whole + 1;
    // SAFETY: the features are enabled here; the last panel has the tiles that are left.
    unsafe {
        multiply_rows::<ROWS>(work, 0..whole);
        match work.tiles % ROWS {
            0 => {}
            1 => multiply_rows::<1>(work, last),
            2 => multiply_rows::<2>(work, last),
            3 => multiply_rows::<3>(work, last),
            4 => multiply_rows::<4>(work, last),
            5 => multiply_rows::<5>(work, last),
            6 => multiply_rows::<6>(work, last),
            _ => multiply_rows::<7>(work, last),
        }
    }
}

/// Each register of A holds eight values of k for one row.
#[target_feature(enable = "neon,fp16")]
unsafe fn multiply_rows<const COUNT: usize>(work: &Panels<f16>, panels: Range<usize>) {
    // Parts of about the same length.
    let part = work.groups.div_ceil((work.groups * GROUP).div_ceil(PART).max(1)).max(1);
    // SAFETY: each group reads COUNT registers of A and sixteen of B, as `Panels` says.
    unsafe {
        for panel in panels {
            let (mut a, mut b) = (work.a.add(panel * work.groups * ROWS * GROUP), work.b);
            let sums = work.sums.add(panel * ROWS * VECTORS * 8);
            for start in (0..work.groups.max(1)).step_by(part) {
                let mut totals = [[zero(); VECTORS]; COUNT];
                for _ in start..work.groups.min(start + part) {
                    let rows: [float16x8_t; COUNT] = from_fn(|row| load(a.add(row * GROUP)));
                    macro_rules! step {
                        ($k:literal) => {
                            let columns: [float16x8_t; VECTORS] =
                                from_fn(|v| load(b.add(($k * VECTORS + v) * 8)));
                            for row in 0..COUNT {
                                for v in 0..VECTORS {
                                    totals[row][v] = vfmaq_laneq_f16::<$k>(
                                        totals[row][v],
                                        columns[v],
                                        rows[row],
                                    );
                                }
                            }
                        };
                    }
                    step!(0);
                    step!(1);
                    step!(2);
                    step!(3);
                    step!(4);
                    step!(5);
                    step!(6);
                    step!(7);
                    a = a.add(ROWS * GROUP);
                    b = b.add(GROUP * VECTORS * 8);
                }
                for row in 0..COUNT {
                    for v in 0..VECTORS {
                        let to = sums.add((row * VECTORS + v) * 8);
                        let total = totals[row][v];
                        store(to, if start == 0 { total } else { vaddq_f16(load(to), total) });
                    }
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn zero() -> float16x8_t {
    // SAFETY: every CPU of this architecture has these instructions.
    unsafe { vreinterpretq_f16_u16(vdupq_n_u16(0)) }
}

#[inline(always)]
unsafe fn load(from: *const f16) -> float16x8_t {
    // SAFETY: the caller's pointer is good for eight values.
    unsafe { vreinterpretq_f16_u16(vld1q_u16(from.cast())) }
}

#[inline(always)]
unsafe fn store(to: *mut f16, values: float16x8_t) {
    // SAFETY: the caller's pointer is good for eight values.
    unsafe { vst1q_u16(to.cast(), vreinterpretq_u16_f16(values)) };
}

/// Eight halves.
#[derive(Clone, Copy)]
struct Halves(float16x8_t);

// SAFETY: each method needs `neon,fp16`, as the trait says.
unsafe impl Vector for Halves {
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: passed on to the caller.
        unsafe { Self(vreinterpretq_f16_u16(vdupq_n_u16(f16::from_f32_const(value).to_bits()))) }
    }
    #[inline]
    #[target_feature(enable = "neon,fp16")]
    unsafe fn add(self, other: Self) -> Self {
        Self(vaddq_f16(self.0, other.0))
    }
    #[inline]
    #[target_feature(enable = "neon,fp16")]
    unsafe fn sub(self, other: Self) -> Self {
        Self(vsubq_f16(self.0, other.0))
    }
    #[inline]
    #[target_feature(enable = "neon,fp16")]
    unsafe fn mul(self, other: Self) -> Self {
        Self(vmulq_f16(self.0, other.0))
    }
    #[inline]
    #[target_feature(enable = "neon,fp16")]
    unsafe fn fma(self, factor: Self, term: Self) -> Self {
        Self(vfmaq_f16(term.0, self.0, factor.0))
    }
}

// SAFETY: as above.
unsafe impl Stored<f16> for Halves {
    const COUNT: usize = 8;
    #[inline(always)]
    unsafe fn load(from: *const f16) -> Self {
        // SAFETY: passed on to the caller.
        unsafe { Self(load(from)) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f16) {
        // SAFETY: passed on to the caller.
        unsafe { store(to, self.0) };
    }
}

// SAFETY: as above.
unsafe impl Stored<f32> for Halves {
    const COUNT: usize = 8;
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: passed on to the caller.
        unsafe {
            let low = vcvt_f16_f32(vld1q_f32(from));
            Self(vcvt_high_f16_f32(low, vld1q_f32(from.add(4))))
        }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: passed on to the caller.
        unsafe {
            vst1q_f32(to, vcvt_f32_f16(vget_low_f16(self.0)));
            vst1q_f32(to.add(4), vcvt_high_f32_f16(self.0));
        }
    }
}
