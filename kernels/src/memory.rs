//! Aligned memory, and bytes seen as values.

use crate::scratch::Plain;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Owned bytes that start at a multiple of [`Memory::ALIGNMENT`], zero at first. Pages that are never written take no memory.
#[derive(Debug)]
pub struct Memory {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the bytes are owned, as those of a Vec.
unsafe impl Send for Memory {}
// SAFETY: shared access only reads.
unsafe impl Sync for Memory {}

impl Memory {
    /// Enough for every vector register, and a cache line.
    pub const ALIGNMENT: usize = 64;

    /// So many zero bytes.
    ///
    /// # Panics
    /// Where there are more than an address space holds; aborts where the system has no such memory.
    pub fn zeroed(length: usize) -> Self {
        let layout = Self::layout(length);
        if length == 0 {
            return Self { start: NonNull::<Line>::dangling().cast(), length };
        }
        // SAFETY: the layout is not empty.
        let start = unsafe { alloc_zeroed(layout) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        Self { start, length }
    }

    fn layout(length: usize) -> Layout {
        Layout::from_size_align(length, Self::ALIGNMENT).expect("less than an address space")
    }
}

/// What an empty memory's address is aligned to.
#[repr(align(64))]
struct Line;

impl Drop for Memory {
    fn drop(&mut self) {
        if self.length > 0 {
            // SAFETY: allocated with the same layout.
            unsafe { dealloc(self.start.as_ptr(), Self::layout(self.length)) }
        }
    }
}

impl Deref for Memory {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: allocated, initialised and owned; the address of an empty memory is aligned.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl DerefMut for Memory {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl From<&[u8]> for Memory {
    fn from(bytes: &[u8]) -> Self {
        let mut memory = Self::zeroed(bytes.len());
        memory.copy_from_slice(bytes);
        memory
    }
}

/// Bytes as values; `None` where they do not start at a multiple of a value's alignment or are no whole number of values.
pub fn values<T: Plain>(bytes: &[u8]) -> Option<&[T]> {
    let fits = bytes.as_ptr().addr().is_multiple_of(align_of::<T>())
        && bytes.len().is_multiple_of(size_of::<T>());
    // SAFETY: aligned, of whole values, and any bytes are a value of a plain type.
    fits.then(|| unsafe {
        std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len() / size_of::<T>())
    })
}

/// Bytes as values to be written; `None` as for [`values`].
pub fn values_mut<T: Plain>(bytes: &mut [u8]) -> Option<&mut [T]> {
    let fits = bytes.as_ptr().addr().is_multiple_of(align_of::<T>())
        && bytes.len().is_multiple_of(size_of::<T>());
    // SAFETY: as for `values`, and a plain type has no padding to leave uninitialised.
    fits.then(|| unsafe {
        std::slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), bytes.len() / size_of::<T>())
    })
}

/// Values as bytes.
pub fn bytes<T: Plain>(values: &[T]) -> &[u8] {
    // SAFETY: a plain type has no padding.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_aligned_zero_and_seen_as_values() {
        let mut memory = Memory::zeroed(12);
        assert!(memory.iter().all(|&byte| byte == 0));
        assert_eq!(memory.as_ptr().addr() % Memory::ALIGNMENT, 0);
        values_mut::<f32>(&mut memory).expect("three floats")[1] = 1.5;
        assert_eq!(values::<f32>(&memory), Some(&[0.0, 1.5, 0.0][..]));
        assert_eq!(bytes(&[1.5f32]), &memory[4..8]);
        assert_eq!(values::<f32>(&memory[1..5]), None);
        assert_eq!(values::<f32>(&memory[..7]), None);
        assert!(values::<f32>(&Memory::zeroed(0)).is_some_and(<[f32]>::is_empty));
    }
}
