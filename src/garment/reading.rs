//! From a file to a garment, with everything that was understood or doubted on the way.

use super::{
    Category, Garment, GarmentError, Shape, Texture, accessory, background, classify,
    description::{Description, Fit},
    lower,
    read::{self, Source},
    silhouette::{self, Silhouette},
    upper,
};
use glam::{Affine2, Mat2, Vec2};
use std::path::Path;

/// Lean from which a garment is turned upright.
const LEAST_LEAN: f32 = 2.0 * std::f32::consts::PI / 180.0;

/// What the garment lay on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// The file's alpha channel says where the garment is.
    Alpha,
    /// A plain ground of this sRGB colour was removed.
    Plain([u8; 3]),
}

/// Something that a person should look at.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// Edges had to help the removal of the background.
    #[error("the garment's colour is close to the background: check its outline")]
    CloseColours,
    /// A part may be cut off.
    #[error("the garment touches the border of the picture: a part of it may be missing")]
    TouchesBorder,
    /// Few pixels.
    #[error("the garment is only {0} pixels wide: it will look blurred on a large picture")]
    Small(usize),
    /// The category is a guess.
    #[error("the category is uncertain: set `category` in the garment's TOML if it is wrong")]
    CategoryUncertain,
    /// Nothing in the outline shows where the armhole is.
    #[error("an armhole does not show in the outline: its armpit is assumed")]
    ArmholeUnseen,
    /// Nothing shows where the front neckline runs.
    #[error("no neckline was seen: the collar is used as it is")]
    NecklineUnseen,
    /// Left and right differ.
    #[error("its left and right half differ by {0:.0} % of its width")]
    Asymmetric(f32),
    /// A sleeve that could not be followed to its cuff.
    #[error("only one sleeve could be followed to its cuff")]
    OneSleeve,
}

/// A garment, with everything that was understood or doubted on the way.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The garment.
    pub garment: Garment,
    /// Confidence in the category, 0..1; 1 where a person said it.
    pub confidence: f32,
    /// What the garment lay on.
    pub ground: Ground,
    /// Size as its description states it.
    pub size: Option<String>,
    /// How closely it is worn, as its description states it.
    pub fit: Option<Fit>,
    /// Columns and rows of the upright file.
    pub picture_size: (u32, u32),
    /// By how much the garment was turned to stand upright, radians.
    pub lean: f32,
    /// Map from pixels of the upright file to pixels of level 0.
    pub from_picture: Affine2,
    /// `[outer, inner]` corners of the cuffs of a top, pixels of level 0.
    pub cuffs: [Option<[Vec2; 2]>; 2],
    /// What a person should look at.
    pub warnings: Vec<Warning>,
}

impl Reading {
    /// Reads a garment's picture and the description beside it. `category` overrides both.
    ///
    /// # Errors
    /// If the files cannot be read, or no garment can be made out: see [`GarmentError`].
    pub fn of(path: &Path, category: Option<Category>) -> Result<Self, GarmentError> {
        let description = Description::beside(path)?;
        Self::understand(read::read(path)?, &stem(path), category, description)
    }

    /// Reads a garment's picture, whatever description lies beside it.
    ///
    /// # Errors
    /// If the file cannot be read, or no garment can be made out: see [`GarmentError`].
    pub fn of_picture(path: &Path, category: Option<Category>) -> Result<Self, GarmentError> {
        Self::understand(read::read(path)?, &stem(path), category, Description::default())
    }

    /// Understands a decoded picture.
    pub(super) fn understand(
        source: Source,
        name: &str,
        category: Option<Category>,
        description: Description,
    ) -> Result<Self, GarmentError> {
        let laid = Laid::out(source)?;
        let mut warnings = laid.warnings;
        let Some(silhouette) = Silhouette::of(&laid.texture) else {
            return Err(GarmentError::Transparent);
        };
        let known = description.upper(laid.from_picture);
        let top = upper::find(&silhouette, &laid.texture, &known);
        let (category, confidence) = match category.or(description.category) {
            Some(category) => (category, 1.0),
            None => classify::guess(&silhouette, &laid.texture, &top),
        };
        if confidence < classify::CERTAIN {
            warnings.push(Warning::CategoryUncertain);
        }
        description.check(category, laid.picture_size)?;

        let implausible = |fault| GarmentError::Implausible { category, fault };
        let lower_known = description.lower(laid.from_picture);
        let accessory_known = description.accessory(laid.from_picture);
        let mut cuffs = [None; 2];
        let shape = match category {
            Category::TShirt
            | Category::LongSleeve
            | Category::Jacket
            | Category::Sleeveless
            | Category::Dress => {
                let top = top.map_err(implausible)?;
                warnings.extend(upper_warnings(&top));
                cuffs = top.cuffs;
                Shape::Upper(top.upper)
            }
            Category::Skirt => {
                Shape::Skirt(lower::skirt(&silhouette, &lower_known).map_err(implausible)?)
            }
            Category::Trousers => {
                Shape::Trousers(lower::trousers(&silhouette, &lower_known).map_err(implausible)?)
            }
            Category::Hat => {
                Shape::Hat(accessory::hat(&silhouette, &accessory_known).map_err(implausible)?)
            }
            Category::Eyeglasses => {
                let found = accessory::eyeglasses(&silhouette, &accessory_known);
                Shape::Eyeglasses(found.map_err(implausible)?)
            }
        };
        let mut texture = laid.texture;
        texture.extend_colour();
        let name = description.name.unwrap_or_else(|| name.to_owned());
        let garment = Garment { name, category, levels: texture.into_levels(), shape };
        Ok(Self {
            garment,
            confidence,
            ground: laid.ground,
            size: description.size,
            fit: description.fit,
            picture_size: laid.picture_size,
            lean: laid.lean,
            from_picture: laid.from_picture,
            cuffs,
            warnings,
        })
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}

fn upper_warnings(found: &upper::Found) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if found.armhole_seen.contains(&false) {
        warnings.push(Warning::ArmholeUnseen);
    }
    if !found.neckline_seen {
        warnings.push(Warning::NecklineUnseen);
    }
    if found.asymmetry > 0.08 {
        warnings.push(Warning::Asymmetric(100.0 * found.asymmetry));
    }
    if found.upper.sleeves[0].is_some() != found.upper.sleeves[1].is_some() {
        warnings.push(Warning::OneSleeve);
    }
    warnings
}

/// A garment cut from its ground, upright, cropped with a small margin.
struct Laid {
    texture: Texture,
    ground: Ground,
    picture_size: (u32, u32),
    lean: f32,
    from_picture: Affine2,
    warnings: Vec<Warning>,
}

impl Laid {
    fn out(source: Source) -> Result<Self, GarmentError> {
        let mut warnings = Vec::new();
        let to_working = Vec2::new(source.pixels.width as f32, source.pixels.height as f32)
            / Vec2::new(source.size.0 as f32, source.size.1 as f32);
        let (mut texture, ground) = if source.has_alpha {
            (source.pixels, Ground::Alpha)
        } else {
            let cutout = background::remove(&source.pixels)?;
            if cutout.close_colours {
                warnings.push(Warning::CloseColours);
            }
            (cutout.pixels, Ground::Plain(cutout.ground))
        };
        let mut mask: Vec<u8> = texture.rgba.iter().map(|pixel| u8::from(pixel[3] > 8)).collect();
        background::keep_large(&mut mask, texture.width, texture.height);
        for (pixel, &kept) in texture.rgba.iter_mut().zip(&mask) {
            if kept == 0 {
                pixel[3] = 0;
            }
        }
        let Some(symmetry) = silhouette::symmetry(&texture) else {
            return Err(GarmentError::Transparent);
        };
        let leans = symmetry.lean.abs() > LEAST_LEAN
            && symmetry.overlap > 0.85
            && symmetry.overlap > symmetry.upright_overlap + 0.015;
        let lean = if leans { symmetry.lean } else { 0.0 };
        let upright = Mat2::from_angle(lean);
        let Some([low, high]) = bounds(&texture, upright) else {
            return Err(GarmentError::Transparent);
        };
        check_extent(&texture, low, high)?;
        if touches_border(&texture) {
            warnings.push(Warning::TouchesBorder);
        }
        let extent = high - low;
        if extent.max_element() < 256.0 {
            warnings.push(Warning::Small(extent.x as usize));
        }
        let margin = (0.02 * extent.max_element()).max(6.0).round();
        let origin = (low - margin).floor();
        let size = ((high + margin).ceil() - origin).as_uvec2();
        let (width, height) = (size.x as usize, size.y as usize);
        let texture = if leans {
            let to_source =
                Affine2::from_mat2(upright.inverse()) * Affine2::from_translation(origin);
            texture.transformed(width, height, to_source)
        } else {
            texture.cropped(origin.x as i32, origin.y as i32, width, height)
        };
        let from_picture = Affine2::from_translation(-origin)
            * Affine2::from_mat2(upright)
            * Affine2::from_scale(to_working);
        let picture_size = source.size;
        Ok(Self { texture, ground, picture_size, lean, from_picture, warnings })
    }
}

/// Least and greatest coordinates of the opaque pixels after a turn.
fn bounds(texture: &Texture, turn: Mat2) -> Option<[Vec2; 2]> {
    let (mut low, mut high) = (Vec2::INFINITY, Vec2::NEG_INFINITY);
    for (i, _) in texture.rgba.iter().enumerate().filter(|(_, pixel)| pixel[3] >= 128) {
        let (x, y) = ((i % texture.width) as f32, (i / texture.width) as f32);
        for corner in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
            let position = turn * Vec2::new(x + corner.0, y + corner.1);
            low = low.min(position);
            high = high.max(position);
        }
    }
    low.is_finite().then_some([low, high])
}

fn check_extent(texture: &Texture, low: Vec2, high: Vec2) -> Result<(), GarmentError> {
    let extent = high - low;
    let area = texture.rgba.iter().filter(|pixel| pixel[3] >= 128).count() as f32;
    let least = read::LEAST_SIDE / 2;
    if extent.min_element() < least as f32 || area < 100.0 {
        let (width, height) = (extent.x as u32, extent.y as u32);
        return Err(GarmentError::TooSmall { width, height, least });
    }
    let whole = (texture.width * texture.height) as f32;
    if area > 0.995 * extent.x * extent.y && area > 0.3 * whole {
        return Err(GarmentError::Rectangle);
    }
    Ok(())
}

fn touches_border(texture: &Texture) -> bool {
    let (width, height) = (texture.width, texture.height);
    let opaque = texture.rgba.iter().enumerate().filter(|(i, pixel)| {
        let (x, y) = (i % width, i / width);
        let at_border = x == 0 || y == 0 || x + 1 == width || y + 1 == height;
        at_border && pixel[3] >= 128
    });
    opaque.count() > (width + height) / 100
}
