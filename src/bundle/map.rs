//! Files as memory.

use memmap2::{Mmap, MmapMut};
use std::fs::File;
use std::io;

/// Maps a file for reading. Nothing is read yet.
#[expect(
    unsafe_code,
    reason = "the bytes of a mapped file change when somebody writes to the file"
)]
pub(super) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: bundles are replaced by renaming and never written in place (see `output::write_whole`), so the bytes of an open one stay.
    unsafe { Mmap::map(file) }
}

/// Bytes where a file's would be: at the start of a page, read only.
pub(super) fn copied(bytes: &[u8]) -> io::Result<Mmap> {
    let mut memory = MmapMut::map_anon(bytes.len())?;
    memory.copy_from_slice(bytes);
    memory.make_read_only()
}
