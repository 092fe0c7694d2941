//! Weights as bytes: mapped from a file, or in memory of our own.

use super::program::Span;
use kernels::memory::{self, Memory as Owned};
use kernels::scratch::Plain;
use std::ops::Range;
use std::sync::Arc;

/// Every tensor in a blob starts at a multiple of this many bytes.
pub const ALIGNMENT: usize = 64;

/// Bytes that tensors are read from, aligned to [`ALIGNMENT`]; clones share them.
#[derive(Clone, Debug)]
pub struct Blob {
    memory: Memory,
    range: Range<usize>,
}

#[derive(Clone, Debug)]
enum Memory {
    Mapped(Arc<memmap2::Mmap>),
    Owned(Arc<Owned>),
}

/// Why a span is no tensor of a blob.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    /// It ends after the blob does.
    #[error("weights: {bytes} bytes at {offset} do not lie within the {length} that there are")]
    Outside {
        /// First byte.
        offset: u64,
        /// How many.
        bytes: u64,
        /// The blob's.
        length: usize,
    },
    /// It does not start where tensors start, or is not a whole number of elements.
    #[error("weights: {bytes} bytes at {offset} are no aligned tensor of {size}-byte elements")]
    Unaligned {
        /// First byte.
        offset: u64,
        /// How many.
        bytes: u64,
        /// Of an element.
        size: usize,
    },
    /// The mapped range does not start at a multiple of [`ALIGNMENT`] or ends after the file.
    #[error("weights: bytes {start}..{end} of a file of {length} cannot be mapped")]
    Mapping {
        /// First byte.
        start: usize,
        /// Byte after the last.
        end: usize,
        /// The file's length.
        length: usize,
    },
}

impl Blob {
    /// A part of a mapped file.
    ///
    /// # Errors
    /// [`BlobError::Mapping`]
    pub fn mapped(file: Arc<memmap2::Mmap>, range: Range<usize>) -> Result<Self, BlobError> {
        let length = file.len();
        let aligned = range.start.is_multiple_of(ALIGNMENT);
        if !aligned || range.start > range.end || range.end > length {
            return Err(BlobError::Mapping { start: range.start, end: range.end, length });
        }
        Ok(Self { memory: Memory::Mapped(file), range })
    }

    /// All its bytes.
    pub fn bytes(&self) -> &[u8] {
        match &self.memory {
            Memory::Mapped(file) => &file[self.range.clone()],
            Memory::Owned(memory) => &memory[self.range.clone()],
        }
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// Whether the bytes are a file's, and cost no memory of ours.
    pub fn is_mapped(&self) -> bool {
        matches!(self.memory, Memory::Mapped(_))
    }

    /// The tensor in a span.
    ///
    /// # Errors
    /// [`BlobError`] where it is not in the blob, or not aligned.
    pub fn tensor<T: Plain>(&self, span: Span) -> Result<&[T], BlobError> {
        let Span { offset, bytes } = span;
        let (Ok(start), Ok(count)) = (usize::try_from(offset), usize::try_from(bytes)) else {
            return Err(BlobError::Outside { offset, bytes, length: self.len() });
        };
        let end = start.checked_add(count).filter(|&end| end <= self.len());
        let Some(end) = end else {
            return Err(BlobError::Outside { offset, bytes, length: self.len() });
        };
        let size = size_of::<T>();
        if !start.is_multiple_of(ALIGNMENT) {
            return Err(BlobError::Unaligned { offset, bytes, size });
        }
        memory::values(&self.bytes()[start..end]).ok_or(BlobError::Unaligned {
            offset,
            bytes,
            size,
        })
    }
}

impl From<Owned> for Blob {
    fn from(memory: Owned) -> Self {
        let range = 0..memory.len();
        Self { memory: Memory::Owned(Arc::new(memory)), range }
    }
}
