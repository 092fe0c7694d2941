//! Pictures in memory: rows of bytes that lie a fixed number of bytes apart.

/// A picture to read: rows from the first.
#[derive(Clone, Copy, Debug)]
pub struct Plane<'a> {
    /// The first row starts at the first byte; the last need not be filled up to the stride.
    pub bytes: &'a [u8],
    /// Bytes from the start of a row to the start of the next.
    pub stride_bytes: usize,
}

/// A picture to write: the rows that are asked for, from the first of them.
#[derive(Debug)]
pub struct PlaneMut<'a> {
    /// The first row starts at the first byte; what lies between rows stays as it is.
    pub bytes: &'a mut [u8],
    /// Bytes from the start of a row to the start of the next.
    pub stride_bytes: usize,
}

/// Bytes that `rows` rows of `row_bytes` take, the last one not filled up to the stride.
pub(crate) fn bytes_of(rows: usize, row_bytes: usize, stride_bytes: usize) -> usize {
    if rows == 0 { 0 } else { (rows - 1) * stride_bytes + row_bytes }
}

impl Plane<'_> {
    /// # Panics
    /// Where `rows` rows of `row_bytes` are not there.
    pub(crate) fn check(&self, rows: usize, row_bytes: usize) {
        assert!(self.stride_bytes >= row_bytes, "rows of {row_bytes} bytes lie closer together");
        let needed = bytes_of(rows, row_bytes, self.stride_bytes);
        assert!(self.bytes.len() >= needed, "{} bytes, {needed} are needed", self.bytes.len());
    }

    pub(crate) fn row(&self, row: usize, row_bytes: usize) -> &[u8] {
        &self.bytes[row * self.stride_bytes..][..row_bytes]
    }
}

impl PlaneMut<'_> {
    /// # Panics
    /// Where `rows` rows of `row_bytes` have no place.
    pub(crate) fn check(&self, rows: usize, row_bytes: usize) {
        Plane { bytes: self.bytes, stride_bytes: self.stride_bytes }.check(rows, row_bytes);
    }

    pub(crate) fn row(&mut self, row: usize, row_bytes: usize) -> &mut [u8] {
        &mut self.bytes[row * self.stride_bytes..][..row_bytes]
    }
}
