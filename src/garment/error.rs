//! Why a picture cannot be used as a garment.

use super::Category;
use crate::picture::PictureError;
use std::path::PathBuf;

/// Why a picture cannot be used as a garment.
#[derive(Debug, thiserror::Error)]
pub enum GarmentError {
    /// The file is not a picture that can be worked on.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// Too few pixels to find anything.
    #[error(
        "the picture has {width} × {height} pixels: a garment needs at least {least} on each side"
    )]
    TooSmall {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// The limit.
        least: u32,
    },
    /// One colour everywhere.
    #[error("no garment found: the picture is one plain colour")]
    PlainColour,
    /// Nothing opaque.
    #[error("no garment found: the picture is fully transparent")]
    Transparent,
    /// Opaque everywhere, or a full rectangle.
    #[error(
        "no garment found: the opaque part is a full rectangle; cut the garment out, or photograph it on a \
         plain ground"
    )]
    Rectangle,
    /// The ground is not one colour.
    #[error(
        "the background is not plain: only {share_percent} % of the picture's border has one colour; use a PNG \
         with a transparent background, or photograph the garment on a plain ground"
    )]
    BackgroundNotPlain {
        /// Share of the border that fits one smooth colour.
        share_percent: u32,
    },
    /// The ground runs into the garment.
    #[error(
        "the garment cannot be told from its background: its edge differs by {contrast:.1} (ΔE) where {needed:.1} \
         is needed; use a PNG with a transparent background, or a ground that is darker or differs in colour"
    )]
    LowContrast {
        /// Colour difference across the outline, CIE76.
        contrast: f32,
        /// Least difference that the picture's noise allows.
        needed: f32,
    },
    /// What is left after the background is too small.
    #[error(
        "no garment found: the largest thing in the picture covers only {share_percent:.1} % of it"
    )]
    NothingLarge {
        /// Share of the picture.
        share_percent: f32,
    },
    /// The control points contradict each other.
    #[error(
        "no {category} can be made out: {fault}; set `category` in the garment's TOML, or give the points \
         under `[points]`"
    )]
    Implausible {
        /// What it was taken for.
        category: Category,
        /// What is wrong.
        fault: Fault,
    },
    /// The description beside the picture cannot be read.
    #[error("cannot read `{path}`")]
    DescriptionUnreadable {
        /// The TOML file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The description beside the picture is not what is expected.
    #[error("`{path}`, line {line}: {said}", said = .said.message())]
    Description {
        /// The TOML file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What the parser said; an unknown key is named.
        said: Box<toml::de::Error>,
    },
    /// A point that the category does not have.
    #[error("`{path}`: point `{point}` does not belong to the category {category}")]
    ForeignPoint {
        /// The TOML file.
        path: PathBuf,
        /// Key under `[points]`.
        point: &'static str,
        /// What the garment is.
        category: Category,
    },
    /// A point outside the picture.
    #[error(
        "`{path}`: point `{point}` is ({x}, {y}), outside the picture of {width} × {height} pixels"
    )]
    PointOutside {
        /// The TOML file.
        path: PathBuf,
        /// Key under `[points]`.
        point: &'static str,
        /// Column given.
        x: f32,
        /// Row given.
        y: f32,
        /// Columns of the picture.
        width: u32,
        /// Rows of the picture.
        height: u32,
    },
}

/// How control points contradict each other or the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Neither armholes nor shoulders.
    #[error("no shoulders were found above its sides")]
    NoShoulders,
    /// Order from the top: shoulder, armpit, hem.
    #[error("the armpits are not below the shoulders")]
    ArmpitAboveShoulder,
    /// Order from the top: shoulder, armpit, hem.
    #[error("the hem is not below the armpits")]
    HemAboveArmpit,
    /// Left and right differ.
    #[error("its left and right half differ by more than a quarter of its width")]
    Asymmetric,
    /// Left points are right of right points.
    #[error("left and right points are swapped or fall together")]
    Swapped,
    /// No two legs.
    #[error("no gap between two legs was found")]
    NoLegs,
    /// The waist is not above the hem.
    #[error("the waist is not above the hem")]
    WaistBelowHem,
    /// Too thin to have parts.
    #[error("it is too thin to have parts")]
    TooThin,
}
