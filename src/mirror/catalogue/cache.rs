//! Prepared garments on disk: control points as JSON, then the cut-out picture as PNG.

use crate::garment::{Category, Garment, Shape, Texture};
use crate::output::{Existing, write_whole};
use image::{ExtendedColorType, ImageEncoder, ImageFormat};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Counts up when preparing changes: files of another version are not used.
const VERSION: u32 = 1;
/// Largest file that counts as a garment's picture.
const MOST_BYTES: u64 = 64 << 20;

/// Where prepared garments are kept.
pub struct Cache {
    folder: Option<PathBuf>,
}

/// All of a garment but its picture.
#[derive(serde::Serialize, serde::Deserialize)]
struct Facts {
    name: String,
    category: Category,
    shape: Shape,
}

impl Cache {
    /// A cache in a folder, which is made; where that cannot be, none, and the log says so.
    pub fn new(folder: Option<PathBuf>) -> Self {
        let folder = folder.filter(|folder| {
            std::fs::create_dir_all(folder)
                .inspect_err(|error| {
                    tracing::warn!(folder = %folder.display(), "garments are prepared at every start: {error}");
                })
                .is_ok()
        });
        Self { folder }
    }

    /// The prepared garment of a picture.
    ///
    /// # Errors
    /// Why it cannot be worn, for staff.
    pub fn garment(&mut self, path: &Path) -> Result<Garment, String> {
        let Some(folder) = &self.folder else { return prepare(path) };
        let file = folder.join(key(path)?);
        if let Some(garment) = std::fs::read(&file).ok().and_then(|bytes| decode(&bytes)) {
            return Ok(garment);
        }
        let garment = prepare(path)?;
        let bytes = encode(&garment)?;
        if let Err(error) = write_whole(&file, Existing::Replace, |to| to.write_all(&bytes)) {
            tracing::warn!("garments are prepared at every start: {error}");
            self.folder = None;
        }
        Ok(garment)
    }
}

fn prepare(path: &Path) -> Result<Garment, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > MOST_BYTES {
        return Err(format!(
            "{} MB: a picture of at most {} MB is needed",
            size >> 20,
            MOST_BYTES >> 20
        ));
    }
    Garment::open(path).map_err(|error| error.to_string())
}

/// Digest of the picture, its description and the version.
fn key(path: &Path) -> Result<String, String> {
    let mut digest = Sha256::new();
    digest.update(VERSION.to_le_bytes());
    digest.update(path.file_stem().unwrap_or_default().as_encoded_bytes());
    let picture = std::fs::read(path).map_err(|error| error.to_string())?;
    digest.update((picture.len() as u64).to_le_bytes());
    digest.update(picture);
    // Without a description the file's name and pixels decide alone.
    digest.update(std::fs::read(path.with_extension("toml")).unwrap_or_default());
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>() + ".garment")
}

/// A texture as PNG with its alpha.
pub fn encoded(texture: &Texture) -> Result<Vec<u8>, String> {
    let mut png = Vec::new();
    let (width, height) = (texture.width as u32, texture.height as u32);
    image::codecs::png::PngEncoder::new(&mut png)
        .write_image(texture.rgba.as_flattened(), width, height, ExtendedColorType::Rgba8)
        .map_err(|error| error.to_string())?;
    Ok(png)
}

fn encode(garment: &Garment) -> Result<Vec<u8>, String> {
    let Garment { name, category, levels, shape } = garment;
    let facts = Facts { name: name.clone(), category: *category, shape: shape.clone() };
    let facts = serde_json::to_vec(&facts).map_err(|error| error.to_string())?;
    let mut bytes = (facts.len() as u64).to_le_bytes().to_vec();
    bytes.extend(facts);
    bytes.extend(encoded(&levels[0])?);
    Ok(bytes)
}

/// `None` for a file that was cut off or is not of this kind: it is made anew.
fn decode(bytes: &[u8]) -> Option<Garment> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let (facts, png) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let Facts { name, category, shape } = serde_json::from_slice(facts).ok()?;
    let picture = image::load_from_memory_with_format(png, ImageFormat::Png).ok()?.into_rgba8();
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let rgba = picture.into_raw().as_chunks::<4>().0.to_vec();
    let texture = Texture { width, height, rgba };
    Some(Garment { name, category, levels: texture.into_levels(), shape })
}
