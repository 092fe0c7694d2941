//! The specification: plain loops.

use super::BlendRow;
use crate::bytes::over_255;
use crate::features::Schedule;
use crate::kernel::Identity;

pub(super) const BLEND: BlendRow = BlendRow {
    identity: Identity {
        name: "blend_u8_1_scalar",
        operation: "blend",
        element: "u8",
        tile: "1",
        needs: &[],
        schedule: Schedule::OutOfOrder,
    },
    straight,
    premultiplied,
    masked,
    masked_f32,
};

fn mixed(over: u8, under: u8, alpha: u8) -> u8 {
    let alpha = u16::from(alpha);
    over_255(u16::from(over) * alpha + u16::from(under) * (255 - alpha))
}

pub(super) fn straight(over: &[u8], under: &mut [u8]) {
    for (&[red, green, blue, alpha], under) in
        over.as_chunks::<4>().0.iter().zip(under.as_chunks_mut::<3>().0)
    {
        for (over, under) in [red, green, blue].into_iter().zip(under) {
            *under = mixed(over, *under, alpha);
        }
    }
}

pub(super) fn premultiplied(over: &[u8], under: &mut [u8]) {
    for (&[red, green, blue, alpha], under) in
        over.as_chunks::<4>().0.iter().zip(under.as_chunks_mut::<3>().0)
    {
        for (over, under) in [red, green, blue].into_iter().zip(under) {
            *under = over.saturating_add(mixed(0, *under, alpha));
        }
    }
}

pub(super) fn masked(over: &[u8], mask: &[u8], under: &mut [u8]) {
    for (index, (&over, under)) in over.iter().zip(under).enumerate() {
        *under = mixed(over, *under, mask[index / 3]);
    }
}

/// The mask's value as a byte.
#[inline(always)]
pub(super) fn byte_of(mask: f32) -> u8 {
    (mask * 255.0).round_ties_even() as u8
}

fn masked_f32(over: &[u8], mask: &[f32], under: &mut [u8]) {
    for (index, (&over, under)) in over.iter().zip(under).enumerate() {
        *under = mixed(over, *under, byte_of(mask[index / 3]));
    }
}
