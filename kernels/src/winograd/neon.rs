use super::points::{Four, Points, Six, Two};
use super::stages::Stored;
use super::{
    FinishTile, InputTile, Panels, Sums, Value, WinogradRow, element, error, stages, tile,
};
use crate::features::{Isa, Schedule};
use crate::gemm::Finish;
use crate::kernel::Identity;
use crate::lanes::Neon;
use crate::layouts;
use half::f16;
use std::arch::aarch64::*;
use std::array::from_fn;
use std::ops::Range;

pub(super) const SIX_BY_SIX_F16: WinogradRow<f16> =
    row::<f16, Six, Six>("winograd_f16_6x6_neon", "6x6");
pub(super) const FOUR_BY_SIX_F16: WinogradRow<f16> =
    row::<f16, Four, Six>("winograd_f16_4x6_neon", "4x6");
pub(super) const SIX_BY_FOUR_F16: WinogradRow<f16> =
    row::<f16, Six, Four>("winograd_f16_6x4_neon", "6x4");
pub(super) const FOUR_BY_FOUR_F16: WinogradRow<f16> =
    row::<f16, Four, Four>("winograd_f16_4x4_neon", "4x4");
pub(super) const TWO_BY_TWO_F16: WinogradRow<f16> =
    row::<f16, Two, Two>("winograd_f16_2x2_neon", "2x2");
pub(super) const SIX_BY_SIX_F32: WinogradRow<f32> =
    row::<f32, Six, Six>("winograd_f32_6x6_neon", "6x6");
pub(super) const FOUR_BY_SIX_F32: WinogradRow<f32> =
    row::<f32, Four, Six>("winograd_f32_4x6_neon", "4x6");
pub(super) const SIX_BY_FOUR_F32: WinogradRow<f32> =
    row::<f32, Six, Four>("winograd_f32_6x4_neon", "6x4");
pub(super) const FOUR_BY_FOUR_F32: WinogradRow<f32> =
    row::<f32, Four, Four>("winograd_f32_4x4_neon", "4x4");
pub(super) const TWO_BY_TWO_F32: WinogradRow<f32> =
    row::<f32, Two, Two>("winograd_f32_2x2_neon", "2x2");

/// Tiles of a panel.
const ROWS: usize = 8;
/// Registers of output channels.
const VECTORS: usize = 2;
/// Input channels of a group.
const GROUP: usize = 4;
const _: () = {
    let halves = layouts::winograd(2, Isa::Neon, [2; 2]);
    let floats = layouts::winograd(4, Isa::Neon, [2; 2]);
    assert!(halves.nr == VECTORS * GROUP && halves.group == GROUP);
    assert!(floats.nr == VECTORS * GROUP && floats.group == GROUP);
};

const fn row<E: Value, H: Points, W: Points>(
    name: &'static str,
    size: &'static str,
) -> WinogradRow<E>
where
    Neon: Stored<E>,
{
    WinogradRow {
        identity: Identity {
            name,
            operation: "winograd",
            element: element::<E>(),
            tile: size,
            needs: &[Isa::Neon],
            schedule: Schedule::OutOfOrder,
        },
        layout: layouts::winograd(size_of::<E>(), Isa::Neon, tile::<H, W>()),
        mr: ROWS,
        error: error::<E>(tile::<H, W>(), Sums::F32),
        input: input::<E, H, W>,
        multiply: multiply::<E>,
        finish: finish::<E, H, W>,
        gather: gather::<E, H, W>,
        epilogue,
    }
}

#[target_feature(enable = "neon")]
unsafe fn input<E, H: Points, W: Points>(tile: &InputTile<E>)
where
    Neon: Stored<E>,
{
    // SAFETY: the features are enabled here.
    unsafe { stages::input::<E, Neon, H, W>(tile) };
}

#[target_feature(enable = "neon")]
unsafe fn finish<E, H: Points, W: Points>(
    tile: &FinishTile<E>,
    to: *mut E,
    row: usize,
    column: usize,
) where
    Neon: Stored<E>,
{
    // SAFETY: the features are enabled here.
    unsafe { stages::finish::<E, Neon, H, W>(tile, to, row, column) };
}

#[target_feature(enable = "neon")]
unsafe fn gather<E, H: Points, W: Points>(tile: &FinishTile<E>, to: *mut f32)
where
    Neon: Stored<E>,
{
    // SAFETY: the features are enabled here.
    unsafe { stages::gather::<E, Neon, H, W>(tile, to) };
}

#[target_feature(enable = "neon")]
unsafe fn epilogue(tile: &Finish<f32>) {
    // SAFETY: the features are enabled here.
    unsafe { crate::gemm::finish::<f32, Neon>(tile) };
}

#[target_feature(enable = "neon")]
unsafe fn multiply<E>(work: &Panels<E>)
where
    Neon: Stored<E>,
{
    let whole = work.tiles / ROWS;
    let last = whole..whole + 1;
    // SAFETY: the features are enabled here; the last panel has the tiles that are left.
    unsafe {
        multiply_rows::<E, ROWS>(work, 0..whole);
        match work.tiles % ROWS {
            0 => {}
            1 => multiply_rows::<E, 1>(work, last),
            2 => multiply_rows::<E, 2>(work, last),
            3 => multiply_rows::<E, 3>(work, last),
            4 => multiply_rows::<E, 4>(work, last),
            5 => multiply_rows::<E, 5>(work, last),
            6 => multiply_rows::<E, 6>(work, last),
            _ => multiply_rows::<E, 7>(work, last),
        }
    }
}

/// Each register of A holds four values of k for one row.
#[target_feature(enable = "neon")]
unsafe fn multiply_rows<E, const COUNT: usize>(work: &Panels<E>, panels: Range<usize>)
where
    Neon: Stored<E>,
{
    // SAFETY: each group reads COUNT registers of A and eight of B, as `Panels` says.
    unsafe {
        for panel in panels {
            let (mut a, mut b) = (work.a.add(panel * work.groups * ROWS * GROUP), work.b);
            let mut totals = [[vdupq_n_f32(0.0); VECTORS]; COUNT];
            for _ in 0..work.groups {
                let rows: [float32x4_t; COUNT] = from_fn(|row| load(a.add(row * GROUP)));
                macro_rules! step {
                    ($k:literal) => {
                        let columns: [float32x4_t; VECTORS] =
                            from_fn(|v| load(b.add(($k * VECTORS + v) * 4)));
                        for row in 0..COUNT {
                            for v in 0..VECTORS {
                                totals[row][v] =
                                    vfmaq_laneq_f32::<$k>(totals[row][v], columns[v], rows[row]);
                            }
                        }
                    };
                }
                step!(0);
                step!(1);
                step!(2);
                step!(3);
                a = a.add(ROWS * GROUP);
                b = b.add(GROUP * VECTORS * 4);
            }
            let sums = work.sums.add(panel * ROWS * VECTORS * 4);
            for row in 0..COUNT {
                for v in 0..VECTORS {
                    store(sums.add((row * VECTORS + v) * 4), totals[row][v]);
                }
            }
        }
    }
}

/// Four values, widened where they are halves.
#[inline(always)]
unsafe fn load<E>(from: *const E) -> float32x4_t {
    // SAFETY: the caller's pointer is good for four values, and E is f16 or f32.
    unsafe {
        if size_of::<E>() == 2 {
            vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from.cast())))
        } else {
            vld1q_f32(from.cast())
        }
    }
}

/// Four values, rounded where they are halves.
#[inline(always)]
unsafe fn store<E>(to: *mut E, values: float32x4_t) {
    // SAFETY: the caller's pointer is good for four values, and E is f16 or f32.
    unsafe {
        if size_of::<E>() == 2 {
            vst1_u16(to.cast(), vreinterpret_u16_f16(vcvt_f16_f32(values)));
        } else {
            vst1q_f32(to.cast(), values);
        }
    }
}
