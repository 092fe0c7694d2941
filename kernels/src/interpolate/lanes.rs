//! A register of channels at a time; the rest of a pixel by the plain version.

use super::{Column, Pixels, scalar};
use crate::lanes::Lanes;
use crate::stored::Stored;

/// # Safety
/// The CPU has the engine's instructions.
#[inline(always)]
pub(super) unsafe fn mix<L: Lanes, T: Stored>(pixels: &Pixels<T>, to: &mut [T]) {
    let Pixels { lines, down, columns, channels } = *pixels;
    let whole = channels / L::COUNT * L::COUNT;
    let length = lines[0].len().min(lines[1].len());
    for (column, to) in columns.iter().zip(to.chunks_exact_mut(channels)) {
        let &Column { left, right, across } = column;
        assert!(left + channels <= length && right + channels <= length);
        // SAFETY: all pixels hold `whole` values, a whole number of registers.
        unsafe {
            let (across, down) = (L::splat(across), L::splat(down));
            let [top, bottom] = [lines[0].as_ptr(), lines[1].as_ptr()];
            for at in (0..whole).step_by(L::COUNT) {
                let a = T::load::<L>(top.add(left + at));
                let b = T::load::<L>(top.add(right + at));
                let c = T::load::<L>(bottom.add(left + at));
                let d = T::load::<L>(bottom.add(right + at));
                let above = b.sub(a).fma(across, a);
                let below = d.sub(c).fma(across, c);
                T::store(below.sub(above).fma(down, above), to.as_mut_ptr().add(at));
            }
        }
        if whole < channels {
            scalar::mix_channels(pixels, column, whole, &mut to[whole..]);
        }
    }
}
