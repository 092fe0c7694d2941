//! Byte lanes: what camera kernels are written in once and compiled for each engine; sixteen pixels at a time.
//!
//! All of it is whole numbers, so every engine gives the same bits as plain loops do. `Words` are sixteen lanes of 16
//! bits, signed or unsigned as the method says. There is no plain version of the lanes: a plain kernel is a plain loop.

/// A register of sixteen u8.
///
/// # Safety
/// All methods need the CPU to have the engine's instructions, and the pointers to be good for as many bytes or words
/// as the method says; no alignment is asked for.
#[expect(
    clippy::missing_safety_doc,
    reason = "the trait's own section says what all of its methods need"
)]
#[expect(missing_docs, reason = "names that say all there is to say")]
pub unsafe trait Bytes: Copy {
    /// Sixteen lanes of 16 bits.
    type Words: Copy;

    /// Reads 16 bytes.
    unsafe fn load(from: *const u8) -> Self;
    /// Writes 16 bytes.
    unsafe fn store(self, to: *mut u8);
    /// Reads 16 pixels of two bytes, a register a channel.
    unsafe fn load2(from: *const u8) -> [Self; 2];
    /// Reads 16 pixels of three bytes, a register a channel.
    unsafe fn load3(from: *const u8) -> [Self; 3];
    /// Reads 16 pixels of four bytes, a register a channel.
    unsafe fn load4(from: *const u8) -> [Self; 4];
    /// Writes 16 pixels of two bytes.
    unsafe fn store2(values: [Self; 2], to: *mut u8);
    /// Writes 16 pixels of three bytes.
    unsafe fn store3(values: [Self; 3], to: *mut u8);
    /// Writes 16 pixels of four bytes.
    unsafe fn store4(values: [Self; 4], to: *mut u8);
    unsafe fn splat(value: u8) -> Self;
    /// `a0 b0 a1 b1 …`
    unsafe fn zip(a: Self, b: Self) -> [Self; 2];
    /// `a0 a2 … b0 b2 …` and `a1 a3 … b1 b3 …`
    unsafe fn unzip(a: Self, b: Self) -> [Self; 2];
    /// `(self + other + 1) / 2`
    unsafe fn average(self, other: Self) -> Self;
    /// `255 − self`
    unsafe fn complement(self) -> Self;
    /// Wraps.
    unsafe fn add_bytes(self, other: Self) -> Self;
    /// Stops at 255.
    unsafe fn add_bytes_saturating(self, other: Self) -> Self;
    /// `(self − 128) · 256`
    unsafe fn centred(self) -> Self::Words;
    /// `self · 2^LEFT`
    unsafe fn widen<const LEFT: i32>(self) -> Self::Words;
    /// `self · other`, unsigned.
    unsafe fn mul(self, other: Self) -> Self::Words;
    /// `sum + self · other`; wraps.
    unsafe fn mul_add(self, other: Self, sum: Self::Words) -> Self::Words;
    /// `sum − self · other`; wraps.
    unsafe fn mul_sub(self, other: Self, sum: Self::Words) -> Self::Words;

    unsafe fn words(value: i16) -> Self::Words;
    /// Reads 16 words.
    unsafe fn load_words(from: *const i16) -> Self::Words;
    /// Writes 16 words.
    unsafe fn store_words(words: Self::Words, to: *mut i16);
    /// Wraps.
    unsafe fn add(a: Self::Words, b: Self::Words) -> Self::Words;
    /// Wraps.
    unsafe fn sub(a: Self::Words, b: Self::Words) -> Self::Words;
    /// Signed; stops at −32768 and 32767.
    unsafe fn add_saturating(a: Self::Words, b: Self::Words) -> Self::Words;
    /// [`mul_round`]
    unsafe fn mul_round(a: Self::Words, b: Self::Words) -> Self::Words;
    /// [`narrow`]; 1 ≤ RIGHT ≤ 7.
    unsafe fn narrow<const RIGHT: i32>(words: Self::Words) -> Self;
    /// `words / 256`, unsigned.
    unsafe fn high_bytes(words: Self::Words) -> Self;
    /// [`over_255`]
    unsafe fn over_255(words: Self::Words) -> Self;

    /// [`mix`] of four pixels of three channels, each with the pixel that follows it: words in an order of the engine's
    /// own, see [`Bytes::compact3`]. Each pointer is good for eight bytes, of which the last two do not matter.
    unsafe fn mix3(from: [*const u8; 4], weights: *const u8) -> Self::Words;
    /// [`mix`] of four pixels of four channels, each with the pixel that follows it.
    unsafe fn mix4(from: [*const u8; 4], weights: *const u8) -> Self::Words;
    /// [`mix`]
    unsafe fn mix(first: Self, second: Self, weights: Self) -> Self::Words;
    /// Four words, each three times, in the order of [`Bytes::mix3`].
    unsafe fn spread3(values: *const i16) -> Self::Words;
    /// Four words, each four times.
    unsafe fn spread4(values: *const i16) -> Self::Words;
    /// Twelve bytes in order, from words in the order of [`Bytes::mix3`] made bytes.
    unsafe fn compact3(self) -> Self;
    /// The weighted sum of pixels that follow one another, [`narrow`]ed by 7: its `C` = 1, 3 or 4 channels in the low bytes.
    /// A group is `8 / C` pixels and eight weights, [`mul_round`] each; a group's eight words are read, also beyond its pixels.
    unsafe fn taps<const C: usize>(line: *const i16, weights: *const i16, groups: usize) -> u32;
}

/// `first · (128 − weight) + second · weight`, for weights up to 128: at most 32640.
pub const fn mix(first: u8, second: u8, weight: u8) -> i16 {
    first as i16 * (128 - weight as i16) + second as i16 * weight as i16
}

/// `(a · b + 2^14) >> 15`, signed; not for both −32768.
pub const fn mul_round(a: i16, b: i16) -> i16 {
    ((a as i32 * b as i32 + 0x4000) >> 15) as i16
}

/// `clamp((value + 2^(right − 1)) >> right)` of a signed value.
pub const fn narrow(value: i16, right: u32) -> u8 {
    let rounded = (value as i32 + (1 << (right - 1))) >> right;
    if rounded < 0 {
        0
    } else if rounded > 255 {
        255
    } else {
        rounded as u8
    }
}

/// `value / 255` rounded to nearest, for values up to 255².
pub const fn over_255(value: u16) -> u8 {
    let rounded = value + 128;
    ((rounded + (rounded >> 8)) >> 8) as u8
}

#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "aarch64")]
pub use neon::Neon;
#[cfg(target_arch = "x86_64")]
pub use x86::Avx2;

#[cfg(test)]
mod tests {
    #[test]
    fn a_product_over_255_is_rounded_to_nearest() {
        for value in 0..=255 * 255_u32 {
            assert_eq!(u32::from(super::over_255(value as u16)), (2 * value + 255) / 510);
        }
    }
}
