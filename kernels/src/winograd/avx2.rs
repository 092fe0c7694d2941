use super::points::{Four, Points, Six, Two};
use super::stages::Stored;
use super::{
    FinishTile, InputTile, Panels, Sums, Value, WinogradRow, element, error, stages, tile,
};
use crate::features::{Isa, Schedule};
use crate::gemm::Finish;
use crate::kernel::Identity;
use crate::lanes::Avx2;
use crate::layouts;
use half::f16;

pub(super) const SIX_BY_SIX_F16: WinogradRow<f16> =
    row::<f16, Six, Six>("winograd_f16_6x6_avx2", "6x6");
pub(super) const FOUR_BY_SIX_F16: WinogradRow<f16> =
    row::<f16, Four, Six>("winograd_f16_4x6_avx2", "4x6");
pub(super) const SIX_BY_FOUR_F16: WinogradRow<f16> =
    row::<f16, Six, Four>("winograd_f16_6x4_avx2", "6x4");
pub(super) const FOUR_BY_FOUR_F16: WinogradRow<f16> =
    row::<f16, Four, Four>("winograd_f16_4x4_avx2", "4x4");
pub(super) const TWO_BY_TWO_F16: WinogradRow<f16> =
    row::<f16, Two, Two>("winograd_f16_2x2_avx2", "2x2");
pub(super) const SIX_BY_SIX_F32: WinogradRow<f32> =
    row::<f32, Six, Six>("winograd_f32_6x6_avx2", "6x6");
pub(super) const FOUR_BY_SIX_F32: WinogradRow<f32> =
    row::<f32, Four, Six>("winograd_f32_4x6_avx2", "4x6");
pub(super) const SIX_BY_FOUR_F32: WinogradRow<f32> =
    row::<f32, Six, Four>("winograd_f32_6x4_avx2", "6x4");
pub(super) const FOUR_BY_FOUR_F32: WinogradRow<f32> =
    row::<f32, Four, Four>("winograd_f32_4x4_avx2", "4x4");
pub(super) const TWO_BY_TWO_F32: WinogradRow<f32> =
    row::<f32, Two, Two>("winograd_f32_2x2_avx2", "2x2");

/// Tiles of a panel.
const ROWS: usize = 6;
/// Registers of output channels.
const VECTORS: usize = 2;
/// Input channels of a group: a register.
const GROUP: usize = 8;
const _: () = {
    let halves = layouts::winograd(2, Isa::Avx2, [2; 2]);
    let floats = layouts::winograd(4, Isa::Avx2, [2; 2]);
    assert!(halves.nr == VECTORS * GROUP && halves.group == GROUP);
    assert!(floats.nr == VECTORS * GROUP && floats.group == GROUP);
};

const fn row<E: Value, H: Points, W: Points>(
    name: &'static str,
    size: &'static str,
) -> WinogradRow<E>
where
    Avx2: Stored<E>,
{
    WinogradRow {
        identity: Identity {
            name,
            operation: "winograd",
            element: element::<E>(),
            tile: size,
            needs: &[Isa::Avx2],
            schedule: Schedule::OutOfOrder,
        },
        layout: layouts::winograd(size_of::<E>(), Isa::Avx2, tile::<H, W>()),
        mr: ROWS,
        error: error::<E>(tile::<H, W>(), Sums::F32),
        input: input::<E, H, W>,
        multiply: multiply::<E>,
        finish: finish::<E, H, W>,
        gather: gather::<E, H, W>,
        epilogue,
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn input<E, H: Points, W: Points>(tile: &InputTile<E>)
where
    Avx2: Stored<E>,
{
    // SAFETY: the features are enabled here.
    unsafe { stages::input::<E, Avx2, H, W>(tile) };
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn finish<E, H: Points, W: Points>(
    tile: &FinishTile<E>,
    to: *mut E,
    row: usize,
    column: usize,
) where
    Avx2: Stored<E>,
{
    // SAFETY: the features are enabled here.
    unsafe { stages::finish::<E, Avx2, H, W>(tile, to, row, column) };
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn gather<E, H: Points, W: Points>(tile: &FinishTile<E>, to: *mut f32)
where
    Avx2: Stored<E>,
{
    // SAFETY: the features are enabled here.
    unsafe { stages::gather::<E, Avx2, H, W>(tile, to) };
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn epilogue(tile: &Finish<f32>) {
    // SAFETY: the features are enabled here.
    unsafe { crate::gemm::finish::<f32, Avx2>(tile) };
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn multiply<E>(work: &Panels<E>)
where
    Avx2: Stored<E>,
{
    let whole = work.tiles / ROWS;
    let last = whole..whole + 1;
    // SAFETY: the features are enabled here; the last panel has the tiles that are left.
    unsafe {
        stages::multiply::<E, Avx2, ROWS, VECTORS>(work, 0..whole, ROWS);
        match work.tiles % ROWS {
            0 => {}
            1 => stages::multiply::<E, Avx2, 1, VECTORS>(work, last, ROWS),
            2 => stages::multiply::<E, Avx2, 2, VECTORS>(work, last, ROWS),
            3 => stages::multiply::<E, Avx2, 3, VECTORS>(work, last, ROWS),
            4 => stages::multiply::<E, Avx2, 4, VECTORS>(work, last, ROWS),
            _ => stages::multiply::<E, Avx2, 5, VECTORS>(work, last, ROWS),
        }
    }
}
