//! Working memory that the caller gives as bytes and a kernel cuts into typed slices.

/// Every cut starts at a multiple of this many bytes.
pub const ALIGNMENT: usize = 64;

/// A type of which any bytes are a value.
///
/// # Safety
/// Every bit pattern is a value of the type, and it has no padding.
pub unsafe trait Plain: Copy {}

// SAFETY: any bytes are an i8.
unsafe impl Plain for i8 {}
// SAFETY: any bytes are a u8.
unsafe impl Plain for u8 {}
// SAFETY: any bytes are an i16.
unsafe impl Plain for i16 {}
// SAFETY: any bytes are an i32.
unsafe impl Plain for i32 {}
// SAFETY: any bytes are an f32.
unsafe impl Plain for f32 {}
// SAFETY: a half is a u16 inside, any of which is a half.
unsafe impl Plain for half::f16 {}

/// How many bytes a slice of `length` values takes, whatever the alignment of what it is cut from.
pub const fn bytes_for<T>(length: usize) -> usize {
    length * size_of::<T>() + ALIGNMENT
}

/// Cuts `length` values off the front of `scratch`; what they hold is whatever the bytes were.
///
/// # Panics
/// Where `scratch` is shorter than [`bytes_for`] says.
pub fn cut<'a, T: Plain>(scratch: &mut &'a mut [u8], length: usize) -> &'a mut [T] {
    let bytes = length * size_of::<T>();
    let skipped = scratch.as_ptr().align_offset(ALIGNMENT);
    assert!(
        skipped + bytes <= scratch.len(),
        "scratch is {} bytes, {} are needed",
        scratch.len(),
        skipped + bytes
    );
    let (front, rest) = std::mem::take(scratch).split_at_mut(skipped + bytes);
    *scratch = rest;
    let front = &mut front[skipped..];
    // SAFETY: `front` is aligned to more than T asks, holds `length` values, and any bytes are a T.
    unsafe { std::slice::from_raw_parts_mut(front.as_mut_ptr().cast(), length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_are_aligned_and_apart() {
        let mut memory = vec![0; bytes_for::<f32>(5) + bytes_for::<i8>(3) + 1];
        for start in 0..2 {
            let mut scratch = &mut memory[start..];
            let floats = cut::<f32>(&mut scratch, 5);
            let bytes = cut::<i8>(&mut scratch, 3);
            assert_eq!(floats.as_ptr().addr() % ALIGNMENT, 0);
            assert_eq!(bytes.as_ptr().addr() % ALIGNMENT, 0);
            floats.fill(1.0);
            bytes.fill(2);
            assert!(floats.iter().all(|&value| value == 1.0));
        }
    }

    #[test]
    #[should_panic(expected = "scratch is 64 bytes")]
    fn a_short_scratch_is_refused() {
        cut::<f32>(&mut &mut vec![0; 64][..], 40);
    }
}
