//! Reading FlatBuffers tables, every offset checked against the file.
//!
//! Format: <https://flatbuffers.dev/internals/>. Little-endian throughout.

use crate::ModelError;

/// The bytes of a file.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    pub fn slice(self, offset: usize, size: usize) -> Result<&'a [u8], ModelError> {
        offset
            .checked_add(size)
            .and_then(|end| self.0.get(offset..end))
            .ok_or(ModelError::OutOfFile { offset, size, length: self.0.len() })
    }

    fn array<const N: usize>(self, offset: usize) -> Result<[u8; N], ModelError> {
        let slice = self.slice(offset, N)?;
        Ok(slice.try_into().expect("the slice has N bytes"))
    }

    fn u16(self, offset: usize) -> Result<u16, ModelError> {
        Ok(u16::from_le_bytes(self.array(offset)?))
    }

    fn u32(self, offset: usize) -> Result<u32, ModelError> {
        Ok(u32::from_le_bytes(self.array(offset)?))
    }

    fn i32(self, offset: usize) -> Result<i32, ModelError> {
        Ok(i32::from_le_bytes(self.array(offset)?))
    }

    /// Follows an unsigned offset stored at `at`.
    fn target(self, at: usize) -> Result<usize, ModelError> {
        let step = self.u32(at)? as usize;
        at.checked_add(step).ok_or(ModelError::OutOfFile {
            offset: at,
            size: step,
            length: self.0.len(),
        })
    }

    /// The table that the file begins with.
    pub fn root(self) -> Result<Table<'a>, ModelError> {
        Table::at(self, self.target(0)?)
    }
}

/// One table.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    bytes: Bytes<'a>,
    position: usize,
    layout: usize,
    layout_size: usize,
}

impl<'a> Table<'a> {
    fn at(bytes: Bytes<'a>, position: usize) -> Result<Self, ModelError> {
        let back = bytes.i32(position)? as i64;
        let layout = usize::try_from(position as i64 - back).map_err(|_| {
            ModelError::OutOfFile { offset: position, size: 4, length: bytes.0.len() }
        })?;
        let layout_size = bytes.u16(layout)? as usize;
        bytes.slice(layout, layout_size)?;
        Ok(Self { bytes, position, layout, layout_size })
    }

    /// Where the field's value lies; `None` where the file leaves it at its default.
    fn field(&self, slot: usize) -> Result<Option<usize>, ModelError> {
        let entry = 4 + 2 * slot;
        if entry + 2 > self.layout_size {
            return Ok(None);
        }
        Ok(match self.bytes.u16(self.layout + entry)? {
            0 => None,
            offset => Some(self.position + offset as usize),
        })
    }

    pub fn i8(&self, slot: usize, default: i8) -> Result<i8, ModelError> {
        let Some(at) = self.field(slot)? else { return Ok(default) };
        Ok(i8::from_le_bytes(self.bytes.array(at)?))
    }

    pub fn bool(&self, slot: usize) -> Result<bool, ModelError> {
        Ok(self.i8(slot, 0)? != 0)
    }

    pub fn i32(&self, slot: usize, default: i32) -> Result<i32, ModelError> {
        self.field(slot)?.map_or(Ok(default), |at| self.bytes.i32(at))
    }

    pub fn u32(&self, slot: usize, default: u32) -> Result<u32, ModelError> {
        self.field(slot)?.map_or(Ok(default), |at| self.bytes.u32(at))
    }

    pub fn table(&self, slot: usize) -> Result<Option<Table<'a>>, ModelError> {
        let Some(at) = self.field(slot)? else { return Ok(None) };
        Table::at(self.bytes, self.bytes.target(at)?).map(Some)
    }

    /// A vector of `element_size`-byte values as raw bytes; empty where absent.
    fn vector(&self, slot: usize, element_size: usize) -> Result<(usize, &'a [u8]), ModelError> {
        let Some(at) = self.field(slot)? else { return Ok((0, &[])) };
        let start = self.bytes.target(at)?;
        let count = self.bytes.u32(start)? as usize;
        // On a 32-bit machine the product can leave `usize`; saturated, it is refused all the same.
        let data = self.bytes.slice(start + 4, count.saturating_mul(element_size))?;
        Ok((start + 4, data))
    }

    pub fn byte_vector(&self, slot: usize) -> Result<&'a [u8], ModelError> {
        Ok(self.vector(slot, 1)?.1)
    }

    pub fn i32_vector(&self, slot: usize) -> Result<Vec<i32>, ModelError> {
        let (_, data) = self.vector(slot, 4)?;
        Ok(data.as_chunks().0.iter().map(|b| i32::from_le_bytes(*b)).collect())
    }

    pub fn u16_vector(&self, slot: usize) -> Result<Vec<u16>, ModelError> {
        let (_, data) = self.vector(slot, 2)?;
        Ok(data.as_chunks().0.iter().map(|b| u16::from_le_bytes(*b)).collect())
    }

    pub fn string(&self, slot: usize) -> Result<String, ModelError> {
        Ok(String::from_utf8_lossy(self.byte_vector(slot)?).into_owned())
    }

    pub fn table_vector(&self, slot: usize) -> Result<Vec<Table<'a>>, ModelError> {
        let (start, data) = self.vector(slot, 4)?;
        (0..data.len() / 4)
            .map(|i| Table::at(self.bytes, self.bytes.target(start + 4 * i)?))
            .collect()
    }
}
