//! What a garment is: its picture, what kind of thing it is, and where its parts lie.

mod accessory;
mod background;
mod classify;
mod components;
mod description;
#[cfg(test)]
mod drawn;
mod error;
mod front;
mod lower;
mod neckline;
mod outline;
pub mod overlay;
mod read;
mod reading;
mod silhouette;
mod sleeve;
mod texture;
mod upper;

pub use description::Fit;
pub use error::{Fault, GarmentError};
pub use reading::{Ground, Reading, Warning};

use glam::Vec2;
use std::path::Path;

/// What a garment is, and so how it is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// Short-sleeved top.
    #[serde(rename = "t-shirt")]
    TShirt,
    /// Long-sleeved top.
    LongSleeve,
    /// Shirt, jacket or coat: worn over other tops.
    Jacket,
    /// Top without sleeves.
    Sleeveless,
    /// One piece that covers the torso and hangs below the hips.
    Dress,
    /// From the waist, one tube.
    Skirt,
    /// From the waist, two legs.
    Trousers,
    /// On the head.
    Hat,
    /// On the nose.
    Eyeglasses,
}

impl Category {
    /// Every category.
    pub const ALL: [Self; 9] = [
        Self::TShirt,
        Self::LongSleeve,
        Self::Jacket,
        Self::Sleeveless,
        Self::Dress,
        Self::Skirt,
        Self::Trousers,
        Self::Hat,
        Self::Eyeglasses,
    ];

    /// The name used in descriptions and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::TShirt => "t-shirt",
            Self::LongSleeve => "long-sleeve",
            Self::Jacket => "jacket",
            Self::Sleeveless => "sleeveless",
            Self::Dress => "dress",
            Self::Skirt => "skirt",
            Self::Trousers => "trousers",
            Self::Hat => "hat",
            Self::Eyeglasses => "eyeglasses",
        }
    }
}

impl std::fmt::Display for Category {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.name())
    }
}

/// The side of a picture, not of a person: a garment laid flat and a person facing the camera agree in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Image left; the person's right arm when facing the camera.
    Left,
    /// Image right.
    Right,
}

/// One level of a garment's picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Texture {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width × height` pixels of `[r, g, b, a]`, sRGB-encoded, not premultiplied. Colour continues
    /// past the edge of the garment, so that sampling at the rim never mixes in the background.
    pub rgba: Vec<[u8; 4]>,
}

/// A garment that is ready to be fitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Garment {
    /// Name for people.
    pub name: String,
    /// What it is.
    pub category: Category,
    /// The picture, cropped to the garment with a small margin; level 0 is full size, each next
    /// level half of it, down to about 32 px. Positions in [`Shape`] are pixels of level 0.
    pub levels: Vec<Texture>,
    /// Where its parts lie.
    pub shape: Shape,
}

impl Garment {
    /// Opens a garment: its picture, and the description beside it where there is one.
    ///
    /// # Errors
    /// If the files cannot be read, or no garment can be made out: see [`GarmentError`].
    pub fn open(path: &Path) -> Result<Self, GarmentError> {
        Self::open_as(path, None)
    }

    /// The same, with a category that overrides the description and the automatic choice.
    ///
    /// # Errors
    /// As [`Garment::open`].
    pub fn open_as(path: &Path, category: Option<Category>) -> Result<Self, GarmentError> {
        Ok(Reading::of(path, category)?.garment)
    }
}

/// Control points by construction.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Shape {
    /// T-shirt, long sleeve, jacket, sleeveless, dress.
    Upper(Upper),
    /// Skirt: one tube.
    Skirt(Tube),
    /// Trousers: seat and two legs.
    Trousers(Trousers),
    /// Hat.
    Hat(Hat),
    /// Eyeglasses.
    Eyeglasses(Eyeglasses),
}

/// Control points of a top or a dress. Pairs are `[image left, image right]`.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Upper {
    /// Column of the axis of symmetry.
    pub axis_x: f32,
    /// Shoulder points: where the sleeve is set on, at the top edge.
    pub shoulder: [Vec2; 2],
    /// High points of the shoulder seam, where it meets the collar.
    pub collar: [Vec2; 2],
    /// Armpits.
    pub armpit: [Vec2; 2],
    /// Outer ends of the hem.
    pub hem: [Vec2; 2],
    /// Depth of the front neckline below the line between the collar points, pixels.
    pub neckline_depth: f32,
    /// True where the picture shows the inner back of the collar, which must be cut away; false
    /// where the alpha channel already has the neck hole.
    pub neckline_filled: bool,
    /// Left and right edge of the body of the garment, one pair for each row of the picture,
    /// sleeves excluded; rows above the armpits hold the line shoulder to armpit. Rows without
    /// garment repeat the nearest row.
    pub sides: Vec<[f32; 2]>,
    /// Lower edge of the body of the garment, one `y` per column from `hem[0].x` to `hem[1].x`
    /// in equal steps.
    pub hem_profile: Vec<f32>,
    /// Sleeves, where there are any.
    pub sleeves: [Option<Sleeve>; 2],
}

/// A sleeve as a ribbon: two curves from the armhole to the cuff, the same number of points each.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Sleeve {
    /// From the shoulder point along the upper edge to the cuff.
    pub outer: Vec<Vec2>,
    /// From the armpit along the lower edge to the cuff.
    pub inner: Vec<Vec2>,
}

/// Control points of a skirt.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Tube {
    /// Ends of the waist line.
    pub waist: [Vec2; 2],
    /// Ends of the hem.
    pub hem: [Vec2; 2],
    /// Left and right edge, one pair for each row of the picture.
    pub sides: Vec<[f32; 2]>,
}

/// Control points of trousers.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Trousers {
    /// Ends of the waist line.
    pub waist: [Vec2; 2],
    /// Where the legs part.
    pub crotch: Vec2,
    /// `[outer, inner]` ends of the left cuff and of the right cuff.
    pub cuffs: [[Vec2; 2]; 2],
    /// Outer left and outer right edge, one pair for each row of the picture.
    pub sides: Vec<[f32; 2]>,
    /// Inner edge of the left leg and of the right leg, one pair for each row; above the crotch both
    /// are the crotch's column.
    pub inseams: Vec<[f32; 2]>,
}

/// Control points of a hat.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Hat {
    /// Ends of the line on which the hat sits on the forehead.
    pub band: [Vec2; 2],
    /// Top of the crown.
    pub crown: Vec2,
}

/// Control points of eyeglasses.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Eyeglasses {
    /// Outer ends of the frame, at the height of the lenses' centre.
    pub ends: [Vec2; 2],
    /// Middle of the bridge.
    pub bridge: Vec2,
}
