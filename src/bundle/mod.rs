//! Bundles: what `vitrine-quantize` makes and a device maps. A `.vit` file holds the nets of a try-on system as programs, and their weights
//! in the order in which kernels read them.
//!
//! It is a ZIP of stored entries, so `unzip -l` lists it; `archive.rs` says how its bytes lie. [`Manifest`] says what is in it,
//! [`Contents::write`] makes one, [`Bundle::open`] maps one without reading its weights, [`Bundle::verify`] reads all of it.
//!
//! | entry                | what it is                                                             |
//! |----------------------|------------------------------------------------------------------------|
//! | `manifest.toml`      | [`Manifest`]; comes first                                              |
//! | `graphs/<net>.toml`  | [`Program`](crate::runtime::program::Program)                          |
//! | `weights/<net>.bin`  | [`Blob`](crate::runtime::blob::Blob); starts at a multiple of 4096     |
//! | `preview.png`        | a picture for people; may be missing                                   |
//! | `report.html`        | how its precisions were chosen; may be missing                         |

mod archive;
mod error;
mod manifest;
mod map;
mod read;
mod verify;
mod write;

pub use archive::ALIGNMENT;
pub use error::{BundleError, Hostility, WriteError};
pub use manifest::{
    Description, Entry, FORMAT, Manifest, ManifestError, Memory, Net, Port, Sampler,
};
pub use read::Bundle;
pub use write::{Contents, PackedNet};
