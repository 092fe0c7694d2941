//! ZIP files of stored entries, in one form only: the names, sizes and checksums of the entries decide every other byte.
//!
//! Entries follow one another without gaps. An entry in `weights/` starts at a multiple of [`ALIGNMENT`], padded by an extra field as
//! `zipalign` does it. ZIP64 fields are there where sizes need them. Times are ZIP's first, flags and attributes 0. Reading therefore
//! lists the names, sizes and checksums, then compares every header with the one that writing would make.

use super::error::{BundleError, Hostility};
use flate2::Crc;
use std::collections::BTreeSet;
use std::ops::Range;

/// Weights start at multiples of this many bytes of the file: a page, as most systems have it. Files are mapped from their start, so weights are
/// aligned to as much in memory, whatever the page.
pub const ALIGNMENT: u64 = 4096;

/// Entries of this folder are aligned.
const ALIGNED: &str = "weights/";

/// More entries than any system has nets.
const MOST_ENTRIES: usize = 1024;
/// Bytes of a name.
const MOST_NAME_BYTES: usize = 255;

const LOCAL: [u8; 4] = *b"PK\x03\x04";
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const END: [u8; 4] = *b"PK\x05\x06";
const END_64: [u8; 4] = *b"PK\x06\x06";
const LOCATOR_64: [u8; 4] = *b"PK\x06\x07";
const LOCAL_BYTES: usize = 30;
const END_BYTES: usize = 22;
const END_64_BYTES: usize = 56;
const LOCATOR_64_BYTES: usize = 20;
/// Extra fields: sizes of 64 bits, alignment of Android's `zipalign`.
const ZIP64_FIELD: u16 = 0x0001;
const ALIGNMENT_FIELD: u16 = 0xd935;
/// An alignment field's head and the alignment itself.
const LEAST_PADDING: u64 = 6;
/// 1 January 1980, ZIP's first day.
const DAY: u16 = 0x0021;
const VERSION: u16 = 10;
const VERSION_64: u16 = 45;
/// In the place of a value that is in a ZIP64 field.
const ELSEWHERE: u32 = u32::MAX;
const STORED: u16 = 0;
const ENCRYPTED: u16 = 1;

/// What an entry's headers say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// Folders are separated by `/`.
    pub name: String,
    /// CRC-32 of the bytes.
    pub checksum: u32,
    /// How many bytes.
    pub size: u64,
}

/// An entry and where it lies in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub listed: Listed,
    /// Of its local header.
    pub header: u64,
    /// Of its bytes.
    pub data: u64,
}

impl Listed {
    pub(super) fn of(name: String, bytes: &[u8]) -> Self {
        Self { name, checksum: checksum(bytes), size: bytes.len() as u64 }
    }
}

impl Placed {
    /// In bytes of the file.
    pub(super) fn range(&self) -> Range<u64> {
        self.data..self.data + self.listed.size
    }

    /// What stands before the bytes.
    pub(super) fn local_header(&self) -> Vec<u8> {
        let Listed { name, checksum, size } = &self.listed;
        let mut extra = Vec::new();
        if is_wide(*size) {
            for value in [ZIP64_FIELD, 16] {
                extra.extend(value.to_le_bytes());
            }
            extra.extend(size.to_le_bytes());
            extra.extend(size.to_le_bytes());
        }
        let padding = (self.data - self.header) as usize - LOCAL_BYTES - name.len() - extra.len();
        if padding > 0 {
            let length = (padding - 4) as u16;
            for value in [ALIGNMENT_FIELD, length, ALIGNMENT as u16] {
                extra.extend(value.to_le_bytes());
            }
            extra.resize(extra.len() + padding - LEAST_PADDING as usize, 0);
        }
        let mut header = LOCAL.to_vec();
        for value in [version(is_wide(*size)), 0, STORED, 0, DAY] {
            header.extend(value.to_le_bytes());
        }
        for value in [*checksum, narrow(*size), narrow(*size)] {
            header.extend(value.to_le_bytes());
        }
        for value in [name.len() as u16, extra.len() as u16] {
            header.extend(value.to_le_bytes());
        }
        header.extend(name.as_bytes());
        header.extend(extra);
        header
    }

    fn central_header(&self) -> Vec<u8> {
        let Listed { name, checksum, size } = &self.listed;
        let wide = [*size, *size, self.header].map(|value| is_wide(value).then_some(value));
        let mut extra = Vec::new();
        if wide.iter().any(Option::is_some) {
            extra.extend(ZIP64_FIELD.to_le_bytes());
            extra.extend((8 * wide.iter().flatten().count() as u16).to_le_bytes());
            extra.extend(wide.iter().flatten().flat_map(|value| value.to_le_bytes()));
        }
        let version = version(!extra.is_empty());
        let mut header = CENTRAL.to_vec();
        for value in [version, version, 0, STORED, 0, DAY] {
            header.extend(value.to_le_bytes());
        }
        for value in [*checksum, narrow(*size), narrow(*size)] {
            header.extend(value.to_le_bytes());
        }
        // Comment, disk, internal attributes; then external ones, in two halves.
        for value in [name.len() as u16, extra.len() as u16, 0, 0, 0, 0, 0] {
            header.extend(value.to_le_bytes());
        }
        header.extend(narrow(self.header).to_le_bytes());
        header.extend(name.as_bytes());
        header.extend(extra);
        header
    }
}

/// Where entries lie, in the order of the file.
pub(super) fn place(entries: Vec<Listed>) -> Vec<Placed> {
    let mut header = 0;
    let place = |listed: Listed| {
        let wide = if is_wide(listed.size) { 20 } else { 0 };
        let mut data = header + LOCAL_BYTES as u64 + listed.name.len() as u64 + wide;
        if listed.name.starts_with(ALIGNED) && !data.is_multiple_of(ALIGNMENT) {
            data = (data + LEAST_PADDING).next_multiple_of(ALIGNMENT);
        }
        let placed = Placed { header, data, listed };
        header = placed.range().end;
        placed
    };
    entries.into_iter().map(place).collect()
}

/// What stands after the last entry.
pub(super) fn directory(entries: &[Placed]) -> Vec<u8> {
    let start = entries.last().map_or(0, |entry| entry.range().end);
    let count = entries.len() as u64;
    let mut directory: Vec<u8> = entries.iter().flat_map(Placed::central_header).collect();
    let size = directory.len() as u64;
    if is_wide(start) {
        directory.extend(END_64);
        directory.extend((END_64_BYTES as u64 - 12).to_le_bytes());
        directory.extend(VERSION_64.to_le_bytes());
        directory.extend(VERSION_64.to_le_bytes());
        directory.extend([0; 8]);
        for value in [count, count, size, start] {
            directory.extend(value.to_le_bytes());
        }
        directory.extend(LOCATOR_64);
        directory.extend(0u32.to_le_bytes());
        directory.extend((start + size).to_le_bytes());
        directory.extend(1u32.to_le_bytes());
    }
    directory.extend(END);
    directory.extend([0; 4]);
    directory.extend((count as u16).to_le_bytes());
    directory.extend((count as u16).to_le_bytes());
    directory.extend((size as u32).to_le_bytes());
    directory.extend(narrow(start).to_le_bytes());
    directory.extend(0u16.to_le_bytes());
    directory
}

/// Lists a file's entries and checks every byte that is not an entry's. Touches no entry's bytes.
pub(super) fn read(file: &[u8]) -> Result<Vec<Placed>, BundleError> {
    let start = &file[..file.len().min(LOCAL.len())];
    if !LOCAL.starts_with(start) {
        return Err(BundleError::NotABundle);
    }
    let truncated = BundleError::Truncated { length: file.len() as u64 };
    let Some(end) = file.len().checked_sub(END_BYTES).filter(|&end| file[end..].starts_with(&END))
    else {
        return Err(truncated);
    };
    let (count, range) = central_range(file, end)?;
    if count == 0 || count > MOST_ENTRIES {
        return Err(Hostility::Count { found: count, most: MOST_ENTRIES }.into());
    }
    let mut central = Fields(&file[range.clone()]);
    let mut names = BTreeSet::new();
    let mut claims = Vec::with_capacity(count);
    for _ in 0..count {
        let claim = Claim::read(&mut central).ok_or(Hostility::Directory)?;
        claim.check(range.start as u64)?;
        if !names.insert(claim.listed.name.to_ascii_lowercase()) {
            return Err(Hostility::Twice { name: claim.listed.name }.into());
        }
        claims.push(claim);
    }
    let headers: Vec<u64> = claims.iter().map(|claim| claim.header).collect();
    let entries = place(claims.into_iter().map(|claim| claim.listed).collect());
    for (entry, found) in entries.iter().zip(headers) {
        if entry.header != found {
            let name = entry.listed.name.clone();
            return Err(Hostility::Place { name, found, expected: entry.header }.into());
        }
    }
    check_bytes(file, &entries)?;
    Ok(entries)
}

/// Compares the file with what writing these entries would make, but for their bytes.
fn check_bytes(file: &[u8], entries: &[Placed]) -> Result<(), BundleError> {
    let at = |start: u64, bytes: &[u8]| {
        let start = usize::try_from(start).ok()?;
        (file.get(start..start.checked_add(bytes.len())?)? == bytes).then_some(())
    };
    for entry in entries {
        let name = || entry.listed.name.clone();
        at(entry.header, &entry.local_header())
            .ok_or_else(|| Hostility::Header { name: name() })?;
    }
    let directory = directory(entries);
    let end = entries.last().map_or(0, |entry| entry.range().end);
    at(end, &directory).ok_or(Hostility::Directory)?;
    if end + directory.len() as u64 != file.len() as u64 {
        return Err(Hostility::Directory.into());
    }
    Ok(())
}

/// How many entries the end of the file claims, and where its directory of them lies.
fn central_range(file: &[u8], end: usize) -> Result<(usize, Range<usize>), BundleError> {
    let mut fields = Fields(&file[end + END.len()..]);
    let ends = (|| {
        let [_, _, _, count] = [fields.u16()?, fields.u16()?, fields.u16()?, fields.u16()?];
        Some((u64::from(count), fields.u32()?, fields.u32()?))
    })();
    let (mut count, size, start) = ends.ok_or(Hostility::Directory)?;
    let (mut size, mut first, mut after) = (u64::from(size), u64::from(start), end);
    if start == ELSEWHERE {
        let wide = (|| {
            after = end.checked_sub(LOCATOR_64_BYTES)?.checked_sub(END_64_BYTES)?;
            let mut fields = Fields(&file[after..]);
            (fields.take(4)? == END_64).then_some(())?;
            fields.take(28)?;
            Some([fields.u64()?, fields.u64()?, fields.u64()?])
        })();
        [count, size, first] = wide.ok_or(Hostility::Directory)?;
    }
    let range = (|| {
        let (first, size) = (usize::try_from(first).ok()?, usize::try_from(size).ok()?);
        (first.checked_add(size)? == after).then_some(first..after)
    })();
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    Ok((count, range.ok_or(Hostility::Directory)?))
}

/// An entry as the central directory claims it to be.
struct Claim {
    listed: Listed,
    flags: u16,
    method: u16,
    packed_size: u64,
    header: u64,
}

impl Claim {
    fn read(fields: &mut Fields) -> Option<Self> {
        (fields.take(CENTRAL.len())? == CENTRAL).then_some(())?;
        let [_, _, flags, method, _, _] = fields.u16s()?;
        let checksum = fields.u32()?;
        let (packed_size, size) = (fields.u32()?, fields.u32()?);
        let [name_length, extra_length, comment_length, _, _, _, _] = fields.u16s()?;
        let header = fields.u32()?;
        let name = String::from_utf8_lossy(fields.take(name_length.into())?).into_owned();
        let mut extra = Fields(fields.take(extra_length.into())?);
        fields.take(comment_length.into())?;
        let mut wide = Fields(&[]);
        while !extra.0.is_empty() {
            let [kind, length] = extra.u16s()?;
            let content = extra.take(length.into())?;
            if kind == ZIP64_FIELD {
                wide = Fields(content);
            }
        }
        // In the order of the field.
        let mut widened =
            |value: u32| if value == ELSEWHERE { wide.u64() } else { Some(value.into()) };
        let (size, packed_size, header) = (widened(size)?, widened(packed_size)?, widened(header)?);
        let listed = Listed { name, checksum, size };
        Some(Self { listed, flags, method, packed_size, header })
    }

    /// `end` is where the directory starts.
    fn check(&self, end: u64) -> Result<(), Hostility> {
        let name = || self.listed.name.clone();
        if !is_name(&self.listed.name) {
            return Err(Hostility::Name { name: name() });
        }
        if self.flags & ENCRYPTED != 0 {
            return Err(Hostility::Encrypted { name: name() });
        }
        if self.method != STORED || self.packed_size != self.listed.size {
            return Err(Hostility::Compressed { name: name() });
        }
        let after = self.header.checked_add(self.listed.size);
        if after.is_none_or(|after| after > end) {
            return Err(Hostility::Outside { name: name() });
        }
        Ok(())
    }
}

/// Whether this can be a file's name below a folder, on any system, and nowhere else.
pub(super) fn is_name(name: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    name.len() <= MOST_NAME_BYTES && name.split('/').all(part)
}

/// CRC-32 as ZIP wants it.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn is_wide(value: u64) -> bool {
    value >= u64::from(ELSEWHERE)
}

fn narrow(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(ELSEWHERE)
}

fn version(wide: bool) -> u16 {
    if wide { VERSION_64 } else { VERSION }
}

/// Little-endian numbers, one after the other.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u16s<const N: usize>(&mut self) -> Option<[u16; N]> {
        let mut values = [0; N];
        for value in &mut values {
            *value = self.u16()?;
        }
        Some(values)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    /// A file with these entries whose bytes are all zero and take no space.
    fn sparse(entries: &[Placed]) -> std::fs::File {
        let file = tempfile::tempfile().unwrap();
        for entry in entries {
            file.write_all_at(&entry.local_header(), entry.header).unwrap();
        }
        let end = entries.last().unwrap().range().end;
        file.write_all_at(&directory(entries), end).unwrap();
        file
    }

    fn entry(name: &str, size: u64) -> Listed {
        Listed { name: name.into(), checksum: 0, size }
    }

    #[test]
    fn weights_of_more_than_four_gigabytes_are_listed_by_us_and_by_others() {
        let max = u64::from(u32::MAX);
        for sizes in [[5 << 30, 100], [100, 5 << 30], [max - 1, 7], [max, 7], [max + 1, 1 << 33]] {
            let entries = place(vec![
                entry("manifest.toml", 0),
                entry("weights/a.bin", sizes[0]),
                entry("weights/b.bin", sizes[1]),
                entry("report.html", 3),
            ]);
            assert!(entries[1..3].iter().all(|entry| entry.data % ALIGNMENT == 0));
            let file = sparse(&entries);
            let mapped = crate::bundle::map::map(&file).unwrap();
            assert_eq!(read(&mapped).unwrap(), entries, "{sizes:?}");
            let mut theirs = zip::ZipArchive::new(&file).unwrap();
            for (index, entry) in entries.iter().enumerate() {
                let found = theirs.by_index(index).unwrap();
                assert_eq!(found.name().unwrap(), entry.listed.name);
                assert_eq!(found.size(), entry.listed.size);
                assert_eq!(found.data_start(), Some(entry.data));
            }
        }
    }

    #[test]
    fn padding_aligns_whatever_the_length_of_the_name_before() {
        for length in 1..200 {
            let name = "a".repeat(length);
            for before in [0, 3800, 4000, 4096] {
                let entries = place(vec![entry(&name, before), entry("weights/net.bin", 1)]);
                assert_eq!(entries[1].data % ALIGNMENT, 0);
                let header = entries[1].local_header();
                assert_eq!(header.len() as u64, entries[1].data - entries[1].header);
            }
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_none() {
        for name in
            ["", "/a", "a/", "a//b", "../a", "a/../b", ".", "a/.b", "a\\b", "c:a", "a\0b", "ä"]
        {
            assert!(!is_name(name), "{name:?}");
        }
        assert!(!is_name(&"a".repeat(256)));
        assert!(is_name("weights/text_encoder-2.bin"));
    }
}
