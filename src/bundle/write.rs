//! Bundles are written: sizes and digests first, since the manifest comes first; then everything in one go.

use super::archive::{self, Listed, Placed};
use super::error::WriteError;
use super::manifest::{Description, Entry, MANIFEST, Manifest, Net, PREVIEW, REPORT};
use super::verify::digest;
use crate::output::{self, Existing};
use crate::runtime::blob::Blob;
use crate::runtime::program::Program;
use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;

/// What goes into a bundle. The same contents make the same bytes.
#[derive(Clone, Debug)]
pub struct Contents<'a> {
    /// What it is.
    pub description: Description,
    /// Its nets.
    pub nets: Vec<PackedNet<'a>>,
    /// A picture for people, PNG.
    pub preview: Option<&'a [u8]>,
    /// How its precisions were chosen, HTML.
    pub report: Option<&'a [u8]>,
}

/// A program and the weights that it reads.
#[derive(Clone, Copy, Debug)]
pub struct PackedNet<'a> {
    /// Its name becomes the net's.
    pub program: &'a Program,
    /// Where they are mapped they are read twice and never copied.
    pub weights: &'a Blob,
}

/// What a file will be.
struct Plan<'a> {
    entries: Vec<(Placed, Cow<'a, [u8]>)>,
    directory: Vec<u8>,
}

impl Contents<'_> {
    /// Writes a bundle; the file appears whole or not at all.
    ///
    /// # Errors
    /// [`WriteError`]
    pub fn write(&self, path: &Path, existing: Existing) -> Result<(), WriteError> {
        let plan = self.plan()?;
        Ok(output::write_whole(path, existing, |file| plan.write(file))?)
    }

    /// A bundle as bytes.
    ///
    /// # Errors
    /// [`WriteError`], but for [`WriteError::Output`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, WriteError> {
        let mut bytes = Vec::new();
        self.plan()?.write(&mut bytes).expect("memory takes what is written");
        Ok(bytes)
    }

    fn plan(&self) -> Result<Plan<'_>, WriteError> {
        let mut nets = Vec::new();
        let mut contents: Vec<(String, Cow<[u8]>)> = Vec::new();
        for PackedNet { program, weights } in &self.nets {
            let net = || program.name.clone();
            if program.weight_bytes != weights.len() as u64 {
                let (expected, found) = (program.weight_bytes, weights.len() as u64);
                return Err(WriteError::Weights { net: net(), expected, found });
            }
            let entry = Net::of(program)?;
            let graph = toml::to_string(program)
                .map_err(|source| WriteError::Graph { net: net(), source })?;
            contents.push((entry.graph.clone(), graph.into_bytes().into()));
            contents.push((entry.weights.clone(), weights.bytes().into()));
            nets.push(entry);
        }
        for (name, bytes) in [(PREVIEW, self.preview), (REPORT, self.report)] {
            contents.extend(bytes.map(|bytes| (name.to_string(), bytes.into())));
        }
        let entries = contents.iter().map(|(name, bytes)| Entry {
            name: name.clone(),
            bytes: bytes.len() as u64,
            sha256: digest(bytes),
        });
        let manifest = Manifest::new(self.description.clone(), nets, entries.collect())?;
        let manifest = manifest.to_toml().map_err(WriteError::Text)?.into_bytes();
        contents.insert(0, (MANIFEST.into(), manifest.into()));

        let listed = contents.iter().map(|(name, bytes)| Listed::of(name.clone(), bytes));
        let placed = archive::place(listed.collect());
        let directory = archive::directory(&placed);
        let bytes = contents.into_iter().map(|(_, bytes)| bytes);
        Ok(Plan { entries: placed.into_iter().zip(bytes).collect(), directory })
    }
}

impl Plan<'_> {
    fn write(&self, to: &mut dyn Write) -> io::Result<()> {
        for (placed, bytes) in &self.entries {
            to.write_all(&placed.local_header())?;
            to.write_all(bytes)?;
        }
        to.write_all(&self.directory)
    }
}
