//! A garment cut off the person who wears it: a photo in, the garment laid out flat.
//!
//! The inverse of the fit. What is worn is measured on the body ([`worn`]), patches run from there to a
//! flat, symmetric pattern ([`pattern`]), and the pattern is filled with the photo's cloth ([`flat`]).
//! Its outline is the pattern's, not the photo's; what hands and hair hide is filled from the cloth
//! around it and from the other half.

mod flat;
mod pattern;
mod worn;

use super::seen::SeenPerson;
use super::{Extent, Grid, Memory, TryonError, check_view};
use crate::garment::Category;
use crate::perception::Person;
use crate::picture::{Picture, RgbaPicture};
use glam::Vec2;
use worn::Worn;

/// What to cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A top; its sleeves say of which kind.
    Top,
    /// A garment of this category.
    Exactly(Category),
}

/// Why a garment could not be cut off a photo.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum CutError {
    /// Nobody can be seen as is needed.
    #[error(transparent)]
    Person(#[from] TryonError),
    /// Patterns exist for what hangs from the shoulders.
    #[error("{category} cannot be cut off a photo; expected a top or a dress")]
    Category {
        /// What was asked for.
        category: Category,
    },
    /// Arms, hands or hair hide the chest.
    #[error(
        "{share_percent} % of the chest is hidden by arms, hands or hair, at most {limit_percent} % may be; use a photo with the arms down"
    )]
    ChestHidden {
        /// How much is hidden.
        share_percent: u32,
        /// How much may be.
        limit_percent: u32,
    },
    /// Too little of the trunk is in the picture.
    #[error("the photo ends at the chest; a garment is cut off a photo that shows it to the waist")]
    ChestOutside,
    /// Little of what should be the garment was cloth that can be seen.
    #[error(
        "{share_percent} % of the garment cannot be seen in the photo, at most {limit_percent} % may be hidden"
    )]
    GarmentHidden {
        /// How much is hidden.
        share_percent: u32,
        /// How much may be.
        limit_percent: u32,
    },
    /// Skin where cloth was expected.
    #[error(
        "no cloth found on the chest ({share_percent} % of it looks like cloth); use a photo of a person who wears the garment"
    )]
    NoCloth {
        /// How much looks like cloth.
        share_percent: u32,
    },
}

/// Something that a person should look at.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum CutNote {
    /// The photo ends above the hem.
    #[error("the photo ends above the hem: the garment is cut off there")]
    HemOutside,
    /// What is below has about the same colour.
    #[error("the hem cannot be told from what is below it: it is assumed at the hips")]
    HemUnseen,
    /// A sleeve was not seen to its end.
    #[error("one arm is hidden: its sleeve is the other one's mirror image")]
    SleeveMirrored,
    /// No sleeve was seen to its end.
    #[error("the sleeves are not seen to their ends")]
    SleevesUnseen,
    /// Cloth was made up.
    #[error("{0} % of the garment is hidden in the photo and was filled in")]
    Filled(u32),
    /// The garment is small in the photo.
    #[error(
        "the garment is only {0} px wide in the photo: it will look blurred on a large picture"
    )]
    Small(u32),
}

/// Control points of a cut garment, pixels of its picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CutPoints {
    /// Shoulder points.
    pub shoulder: [Vec2; 2],
    /// Collar points.
    pub collar: [Vec2; 2],
    /// Armpits.
    pub armpit: [Vec2; 2],
    /// Ends of the hem.
    pub hem: [Vec2; 2],
    /// `[outer, inner]` ends of both cuffs.
    pub cuffs: Option<[[Vec2; 2]; 2]>,
    /// Depth of the neckline below the collar points.
    pub neckline_depth: f32,
}

/// A garment laid out flat.
#[derive(Clone, Debug)]
pub struct Cut {
    /// What it is.
    pub category: Category,
    /// The garment.
    pub picture: RgbaPicture,
    /// Where its parts lie.
    pub points: CutPoints,
    /// What a person should look at.
    pub notes: Vec<CutNote>,
}

/// Share of the chest that may be hidden.
const MOST_HIDDEN: f32 = 0.40;
/// Share of the garment that may be filled in.
const MOST_FILLED: f32 = 0.35;
/// Share of what is seen of the chest that must be cloth.
const LEAST_CLOTH: f32 = 0.30;

/// Cuts the garment off the first person.
///
/// # Errors
/// When there is nobody, the chest cannot be seen, or there is no cloth on it.
pub fn cut(photo: &Picture, people: &[Person], wanted: Wanted) -> Result<Cut, CutError> {
    let (person, others) = people.split_first().ok_or(TryonError::NoPerson)?;
    let (category, name) = match wanted {
        Wanted::Top => (Category::TShirt, "top"),
        Wanted::Exactly(category) => (category, category.name()),
    };
    let extent = match category {
        Category::TShirt | Category::LongSleeve | Category::Jacket | Category::Sleeveless => {
            Extent::UpperBody
        }
        Category::Dress => Extent::WholeBody,
        _ => return Err(CutError::Category { category }),
    };
    check_view(person, photo, &[(category, name)])?;
    let grid = Grid::around(person, photo.width, photo.height, extent).finer();
    let seen = {
        let _span = tracing::info_span!("see").entered();
        SeenPerson::look(photo, person, others, grid, &mut Memory::default())
    };
    let _span = tracing::info_span!("cut").entered();
    let (worn, mut notes) = Worn::measure(&seen, wanted)?;
    let chest = worn.chest(&seen);
    let percent = |share: f32| (100.0 * share).round() as u32;
    if chest.hidden > MOST_HIDDEN {
        return Err(CutError::ChestHidden {
            share_percent: percent(chest.hidden),
            limit_percent: percent(MOST_HIDDEN),
        });
    }
    if chest.cloth < LEAST_CLOTH {
        return Err(CutError::NoCloth { share_percent: percent(chest.cloth) });
    }
    let pattern = pattern::lay_out(&worn, &seen);
    let laid = flat::fill(photo, &seen, &worn, &pattern);
    if laid.filled > MOST_FILLED {
        return Err(CutError::GarmentHidden {
            share_percent: percent(laid.filled),
            limit_percent: percent(MOST_FILLED),
        });
    }
    if laid.filled > 0.10 {
        notes.push(CutNote::Filled(percent(laid.filled)));
    }
    let pixels = 2.0 * worn.chest_half_width() * seen.grid.scale;
    if pixels < 200.0 {
        notes.push(CutNote::Small(pixels as u32));
    }
    Ok(Cut { category: worn.category, picture: laid.picture, points: laid.points, notes })
}
