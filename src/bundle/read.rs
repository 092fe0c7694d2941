//! Bundles are opened without reading weights.

use super::archive::{self, Placed};
use super::error::{BundleError, Hostility};
use super::manifest::{MANIFEST, Manifest, ManifestError, Net};
use super::map;
use super::verify::digest;
use crate::runtime::blob::Blob;
use crate::runtime::program::Program;
use memmap2::Mmap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// More than any manifest has.
const MOST_MANIFEST_BYTES: u64 = 1 << 20;
/// More than any graph has.
const MOST_GRAPH_BYTES: u64 = 1 << 26;

/// A mapped bundle. Its directory, manifest and sizes are those that were packed; weights are checked by [`Bundle::verify`] only.
#[derive(Clone, Debug)]
pub struct Bundle {
    pub(super) file: Arc<Mmap>,
    /// The manifest first, then as it lists them.
    pub(super) entries: Vec<Placed>,
    pub(super) path: Option<PathBuf>,
    manifest: Manifest,
}

impl Bundle {
    /// Maps a bundle. Reads a few pages of it, whatever its size.
    ///
    /// # Errors
    /// [`BundleError`]
    pub fn open(path: &Path) -> Result<Self, BundleError> {
        let unreadable = |source| BundleError::Unreadable { path: path.into(), source };
        // Asked of the name: to open a pipe is to wait for its other end.
        let metadata = std::fs::metadata(path).map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(BundleError::NoFile { path: path.into() });
        }
        if metadata.len() == 0 {
            return Err(BundleError::Truncated { length: 0 });
        }
        let file = File::open(path).and_then(|file| map::map(&file)).map_err(unreadable)?;
        Self::of(file, Some(path.into()))
    }

    /// A bundle in memory.
    ///
    /// # Errors
    /// [`BundleError`]
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.is_empty() {
            return Err(BundleError::Truncated { length: 0 });
        }
        Self::of(map::copied(bytes).map_err(BundleError::NoMemory)?, None)
    }

    fn of(file: Mmap, path: Option<PathBuf>) -> Result<Self, BundleError> {
        let entries = archive::read(&file)?;
        let first = &entries[0];
        let (name, bytes) = (first.listed.name.clone(), first.listed.size);
        if name != MANIFEST || bytes > MOST_MANIFEST_BYTES {
            return Err(Hostility::First { name, bytes, most: MOST_MANIFEST_BYTES }.into());
        }
        let manifest = Manifest::parse(text(&file, first)?)?;
        manifest.check_entries(&entries[1..])?;
        Ok(Self { file: Arc::new(file), entries, path, manifest })
    }

    /// What is in it.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Reads a net's program, and checks its digest.
    ///
    /// # Errors
    /// [`BundleError::Net`], [`BundleError::Altered`], [`BundleError::Graph`], [`BundleError::Manifest`]
    pub fn program(&self, net: &str) -> Result<Program, BundleError> {
        let net = self.manifest.net(net)?;
        let graph = || net.graph.clone();
        let placed = self.placed(&net.graph);
        if placed.listed.size > MOST_GRAPH_BYTES {
            let reason =
                format!("{} bytes, expected at most {MOST_GRAPH_BYTES}", placed.listed.size);
            return Err(BundleError::Graph { entry: graph(), reason });
        }
        let bytes = bytes(&self.file, placed);
        let listed = self.manifest.entries().iter().find(|entry| entry.name == net.graph);
        if listed.is_none_or(|entry| entry.sha256 != digest(bytes)) {
            return Err(BundleError::Altered { entry: graph() });
        }
        let program: Program = toml::from_str(text(&self.file, placed)?).map_err(|error| {
            let reason = error.message().replace('\n', ", ");
            BundleError::Graph { entry: graph(), reason }
        })?;
        if Net::of(&program)? != *net {
            return Err(ManifestError::Ports { net: net.name.clone() }.into());
        }
        let weights = self.placed(&net.weights).listed.size;
        if program.weight_bytes != weights {
            let reason = format!("weights of {} bytes, there are {weights}", program.weight_bytes);
            return Err(BundleError::Graph { entry: graph(), reason });
        }
        Ok(program)
    }

    /// A net's weights, mapped. They are not read, so not checked; what they hold can make results wrong, nothing worse.
    ///
    /// # Errors
    /// [`BundleError::Net`]
    pub fn weights(&self, net: &str) -> Result<Blob, BundleError> {
        let range = self.placed(&self.manifest.net(net)?.weights).range();
        let blob = Blob::mapped(Arc::clone(&self.file), range.start as usize..range.end as usize);
        Ok(blob.expect("weights are in the file, and aligned"))
    }

    /// Checks that every net can run in so many bytes of memory, its weights included.
    ///
    /// # Errors
    /// [`BundleError::Memory`]
    pub fn check_memory(&self, available: u64) -> Result<(), BundleError> {
        let memory = self.manifest.description().memory;
        for net in self.manifest.nets() {
            let weights = self.placed(&net.weights).listed.size;
            let needed = weights.saturating_add(memory.activations).saturating_add(memory.scratch);
            if needed > available {
                return Err(BundleError::Memory { net: net.name.clone(), needed, available });
            }
        }
        Ok(())
    }

    /// Of the whole file, in bytes.
    pub fn size(&self) -> u64 {
        self.file.len() as u64
    }

    fn placed(&self, entry: &str) -> &Placed {
        let placed = self.entries.iter().find(|placed| placed.listed.name == entry);
        placed.expect("the manifest's entries are the file's")
    }
}

pub(super) fn bytes<'a>(file: &'a Mmap, entry: &Placed) -> &'a [u8] {
    let range = entry.range();
    &file[range.start as usize..range.end as usize]
}

/// An entry for people, its checksum checked.
fn text<'a>(file: &'a Mmap, entry: &Placed) -> Result<&'a str, BundleError> {
    let bytes = bytes(file, entry);
    let altered = || BundleError::Altered { entry: entry.listed.name.clone() };
    if archive::checksum(bytes) != entry.listed.checksum {
        return Err(altered());
    }
    std::str::from_utf8(bytes).map_err(|_| altered())
}
