//! 256 pixels at a time: channels are parted, then summed in 32 bits, which is as many as fit.

use super::{Moments, scalar};
use crate::bytes::Bytes;

const PIXELS: usize = 256;

/// # Safety
/// The CPU has the engine's instructions.
#[inline(always)]
pub(super) unsafe fn add<B: Bytes>(pixels: &[u8], mask: &[u8], to: &mut Moments) {
    let (blocks, _) = mask.as_chunks::<PIXELS>();
    for (block, mask) in blocks.iter().enumerate() {
        let pixels = &pixels[block * PIXELS * 3..][..PIXELS * 3];
        let mut planes = [[0_u8; PIXELS]; 3];
        for part in 0..PIXELS / 16 {
            // SAFETY: slices and planes hold 256 pixels.
            unsafe {
                let channels = B::load3(pixels.as_ptr().add(part * 48));
                for c in 0..3 {
                    channels[c].store(planes[c].as_mut_ptr().add(part * 16));
                }
            }
        }
        let mut weight = 0_u32;
        for &value in mask {
            weight += u32::from(value);
        }
        to.weight += u64::from(weight);
        for c in 0..3 {
            let (mut sum, mut squares) = (0_u32, 0_u32);
            for (&value, &weight) in planes[c].iter().zip(mask) {
                let product = u16::from(value) * u16::from(weight);
                sum += u32::from(product);
                squares += u32::from(product) * u32::from(value);
            }
            to.sums[c] += u64::from(sum);
            to.squares[c] += u64::from(squares);
        }
    }
    let done = blocks.len() * PIXELS;
    scalar::add(&pixels[done * 3..], &mask[done..], to);
}
