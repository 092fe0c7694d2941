//! An allocator that overwrites memory before it gives it back, so that nothing of a picture stays in the heap.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};

static WIPES: AtomicBool = AtomicBool::new(false);

/// The system's allocator; from [`Wiping::begin`] on, what is freed is overwritten with zeros first.
#[derive(Debug)]
pub struct Wiping;

impl Wiping {
    /// From now on all memory that is freed is overwritten.
    pub fn begin() {
        WIPES.store(true, Ordering::Relaxed);
    }
}

// SAFETY: every call is passed on to the system's allocator; before memory is given back, its own bytes are written.
unsafe impl GlobalAlloc for Wiping {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is that of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        if WIPES.load(Ordering::Relaxed) {
            // SAFETY: the caller gives a block of this layout that nobody uses any more.
            unsafe { start.write_bytes(0, layout.size()) };
            // Memory that is about to be freed is dead to the compiler, which would drop the zeros.
            black_box(start);
        }
        // SAFETY: as above.
        unsafe { System.dealloc(start, layout) }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !WIPES.load(Ordering::Relaxed) {
            // SAFETY: as above.
            return unsafe { System.realloc(start, layout, size) };
        }
        // The system might move the bytes and leave the old ones.
        // SAFETY: `size` is not zero and does not overflow with this alignment: the caller's promise.
        let new = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !new.is_null() {
            // SAFETY: both blocks hold that many bytes and are apart; the old one is the caller's no longer.
            unsafe {
                start.copy_to_nonoverlapping(new, layout.size().min(size));
                self.dealloc(start, layout);
            }
        }
        new
    }
}
