//! Why a bundle is refused, or was not written.

use super::manifest::{FORMAT, ManifestError};
use crate::output::OutputError;
use std::io;
use std::path::PathBuf;

/// Why a bundle is refused.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The system does not give the file.
    #[error("`{}` cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something else than a file.
    #[error("`{}` is no file, expected a bundle (.vit)", path.display())]
    NoFile {
        /// What it is called.
        path: PathBuf,
    },
    /// The system gives no memory to read it in.
    #[error("no memory to read the bundle in")]
    NoMemory(#[source] io::Error),
    /// Another kind of file.
    #[error(
        "this is not a bundle: it does not begin as a ZIP file; `vitrine-quantize` makes bundles"
    )]
    NotABundle,
    /// The file ends before its directory does.
    #[error(
        "the bundle is truncated: its end is missing after {length} bytes; copy or download it again"
    )]
    Truncated {
        /// Bytes that there are.
        length: u64,
    },
    /// A ZIP that no packer of ours wrote.
    #[error("this ZIP file is refused: {0}; install a bundle that `vitrine-quantize` made")]
    Hostile(Hostility),
    /// Made for another version of the program.
    #[error(
        "the bundle has format {found}, this program reads format {FORMAT}; {}",
        if *found > FORMAT { "update the program" } else { "pack the bundle again" }
    )]
    Format {
        /// The bundle's.
        found: u64,
    },
    /// The manifest contradicts itself or the file.
    #[error("`manifest.toml`: {0}; install the bundle again")]
    Manifest(ManifestError),
    /// Bytes that are not those that were packed.
    #[error("`{entry}` has been altered since it was packed; install the bundle again")]
    Altered {
        /// Its name.
        entry: String,
    },
    /// A net that the bundle does not have.
    #[error("the bundle has no net `{net}`; it has {}", nets.join(", "))]
    Net {
        /// The name asked for.
        net: String,
        /// Those there are.
        nets: Vec<String>,
    },
    /// A graph that is no program, though it is the one that was packed.
    #[error(
        "`{entry}`: {reason}; the bundle was made by another version of the program, pack it again"
    )]
    Graph {
        /// Its name.
        entry: String,
        /// What was expected and what was found.
        reason: String,
    },
    /// A net that does not fit.
    #[error(
        "net `{net}` needs {} MiB of memory, this machine has {} MiB; take a bundle that is packed for a smaller board",
        needed.div_ceil(1 << 20), available >> 20
    )]
    Memory {
        /// Its name.
        net: String,
        /// Bytes of its weights, activations and working memory.
        needed: u64,
        /// Bytes that there are.
        available: u64,
    },
    /// The public key is none.
    #[error(
        "the public key is not one of minisign, expected 56 letters as `minisign -G` prints them"
    )]
    PublicKey,
    /// A signature is wanted and there is none.
    #[error(
        "the bundle is not signed: `{}` is missing; get it from where the bundle came from", path.display()
    )]
    NotSigned {
        /// Where the signature was looked for.
        path: PathBuf,
    },
    /// The signature is not one of these bytes by this key.
    #[error(
        "the signature `{}` is not that of this bundle by the expected key: {reason}; do not use the bundle", path.display()
    )]
    Signature {
        /// The signature.
        path: PathBuf,
        /// What does not fit.
        reason: minisign_verify::Error,
    },
}

impl From<Hostility> for BundleError {
    fn from(hostility: Hostility) -> Self {
        Self::Hostile(hostility)
    }
}

impl From<ManifestError> for BundleError {
    fn from(error: ManifestError) -> Self {
        Self::Manifest(error)
    }
}

impl From<ManifestError> for WriteError {
    fn from(error: ManifestError) -> Self {
        Self::Manifest(error)
    }
}

/// What is wrong with a ZIP.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Hostility {
    /// No entries, or absurdly many.
    #[error("it claims {found} entries, expected 1 to {most}")]
    Count {
        /// The claim.
        found: usize,
        /// How many are allowed.
        most: usize,
    },
    /// The directory at its end contradicts itself or the file.
    #[error("its directory of entries is damaged")]
    Directory,
    /// A name that is no file's below a folder.
    #[error("entry name {name:?} could lead anywhere")]
    Name {
        /// The name.
        name: String,
    },
    /// Two entries of one name.
    #[error("entry `{name}` is there twice")]
    Twice {
        /// The name.
        name: String,
    },
    /// Weights must lie in the file as they are.
    #[error("entry `{name}` is encrypted")]
    Encrypted {
        /// The name.
        name: String,
    },
    /// Weights must lie in the file as they are.
    #[error("entry `{name}` is compressed, expected stored")]
    Compressed {
        /// The name.
        name: String,
    },
    /// An entry that ends after the entries do.
    #[error("entry `{name}` lies outside of the file")]
    Outside {
        /// The name.
        name: String,
    },
    /// An entry that overlaps another, leaves a gap or is not aligned.
    #[error("entry `{name}` starts at byte {found}, expected {expected}")]
    Place {
        /// The name.
        name: String,
        /// Of its header.
        found: u64,
        /// Where the entry before it ends.
        expected: u64,
    },
    /// The header before the bytes and the directory do not agree.
    #[error("the header of entry `{name}` is not what packing writes")]
    Header {
        /// The name.
        name: String,
    },
    /// The first entry is another, or is absurdly large.
    #[error(
        "its first entry is `{name}` of {bytes} bytes, expected `manifest.toml` of at most {most}"
    )]
    First {
        /// The name.
        name: String,
        /// Its size.
        bytes: u64,
        /// Most bytes of a manifest.
        most: u64,
    },
}

/// Why a bundle was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// A program that does not go with its weights.
    #[error("net `{net}`: the program reads {expected} bytes of weights, there are {found}")]
    Weights {
        /// The net.
        net: String,
        /// What the program says.
        expected: u64,
        /// What there is.
        found: u64,
    },
    /// A program that TOML cannot hold.
    #[error("net `{net}`: cannot be written as TOML")]
    Graph {
        /// The net.
        net: String,
        /// What is in the way.
        source: toml::ser::Error,
    },
    /// A manifest that TOML cannot hold.
    #[error("the manifest cannot be written as TOML")]
    Text(#[source] toml::ser::Error),
    /// What the bundle would say of itself is refused by who reads it.
    #[error("the manifest would be refused: {0}")]
    Manifest(ManifestError),
}
