//! One request: a photo, the people in it and garments in, the dressed person out.
//!
//! [`dress`] reads as the product works; each stage is one file.

mod body;
mod capsule;
mod cloth;
mod cut;
mod follow;
mod grid;
mod head;
mod histogram;
mod live;
mod lower;
mod memory;
mod parts;
mod patch;
mod render;
mod seen;
mod shading;
mod silhouette;
mod sleeve;
mod torso;
mod uncover;
mod wear;

use crate::garment::{Category, Garment};
use crate::perception::{Facing, Person};
use crate::picture::Picture;
use crate::plane::Plane;
use cloth::Cloth;
pub use cut::{Cut, CutError, CutNote, CutPoints, Wanted, cut};
use glam::Vec2;
pub use grid::{Extent, Grid};
pub use live::{Live, LiveFrame, in_drawing_order};
pub use memory::Memory;
pub use patch::Patch;
use seen::SeenPerson;

/// Why a garment could not be put on.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum TryonError {
    /// The picture holds no person.
    #[error("no person found; use a photo in which one person faces the camera")]
    NoPerson,
    /// The part of the body that the garment goes on is not in the picture.
    #[error("the {part} cannot be seen; a {garment} needs a photo that shows them")]
    PartNotSeen {
        /// What is missing.
        part: &'static str,
        /// What was to be put on.
        garment: String,
    },
    /// The person stands sideways.
    #[error(
        "the person stands sideways (shoulders {shoulders:.0} px apart, trunk {trunk:.0} px long); turn towards the camera"
    )]
    Sideways {
        /// Distance of the shoulders.
        shoulders: f32,
        /// Length of the trunk.
        trunk: f32,
    },
    /// The pose cannot be that of a person seen from the front.
    #[error(
        "a {garment} does not fit the pose; use a photo in which the person faces the camera, head and shoulders in view"
    )]
    NoFrontView {
        /// What was to be put on.
        garment: String,
    },
    /// The person shows the back.
    #[error("the person faces away from the camera; garments are fitted to a front view")]
    FacesAway,
    /// The person is too small for a fit.
    #[error(
        "the person is too small in the picture (shoulders {found:.0} px apart, at least {needed:.0} px needed); come closer or crop the photo"
    )]
    TooSmall {
        /// Distance of the shoulders.
        found: f32,
        /// What is needed.
        needed: f32,
    },
}

/// A dressed picture.
#[derive(Debug)]
pub struct Dressed {
    /// The photo with the garments on.
    pub picture: Picture,
    /// What was seen and decided, for `--explain` and tests.
    pub analysis: Analysis,
}

/// The maps and points the fit was made from. Planes lie on `grid`.
#[derive(Debug)]
pub struct Analysis {
    /// Where the planes lie in the picture.
    pub grid: Grid,
    /// The person's outline.
    pub mask: Plane,
    /// Skin.
    pub skin: Plane,
    /// Hair.
    pub hair: Plane,
    /// Old clothes.
    pub old_cloth: Plane,
    /// Folds taken over from the old clothes.
    pub folds: Plane,
    /// One entry per garment, in the order they were put on.
    pub garments: Vec<GarmentFit>,
}

/// How one garment was fitted.
#[derive(Debug)]
pub struct GarmentFit {
    /// Its name.
    pub name: String,
    /// Cells its cloth covers, 0..1.
    pub cover: Plane,
    /// The fitted patches, targets in picture pixels.
    pub patches: Vec<Patch>,
    /// Share of mesh triangles that are folded over.
    pub folded: f32,
}

/// A garment with its drawing copy.
#[derive(Debug)]
pub struct Piece {
    /// What it is and where its parts lie.
    pub garment: Garment,
    cloth: Cloth,
}

impl Piece {
    /// Makes a garment ready for drawing.
    pub fn new(garment: Garment) -> Self {
        let cloth = Cloth::new(&garment);
        Self { garment, cloth }
    }

    /// Colour (sRGB, 0..255) and alpha (0..1) of the drawing copy at a position of the full size.
    pub fn sample(&self, position: Vec2) -> ([f32; 3], f32) {
        self.cloth.sample(0, position.x, position.y)
    }

    /// Width and height of the garment's picture.
    fn size(&self) -> Vec2 {
        let full = &self.garment.levels[0];
        Vec2::new(full.width as f32, full.height as f32)
    }
}

/// Smallest distance between the shoulders that can be fitted, pixels.
const SMALLEST_SHOULDERS: f32 = 14.0;

/// Puts the pieces on the first person, in the given order.
///
/// # Errors
/// When there is nobody, or the body cannot be seen as the pieces need it.
pub fn dress(photo: &Picture, people: &[Person], pieces: &[Piece]) -> Result<Dressed, TryonError> {
    let pieces: Vec<&Piece> = pieces.iter().collect();
    dress_frame(photo, people, &pieces, &mut Memory::default())
}

/// As [`dress`], for the next frame of a video: `memory` holds what the frames before left of the same person.
///
/// # Errors
/// As [`dress`].
pub fn dress_frame(
    photo: &Picture,
    people: &[Person],
    pieces: &[&Piece],
    memory: &mut Memory,
) -> Result<Dressed, TryonError> {
    // On a thread of the pool, the many small parallel loops start without waking one each time.
    rayon::scope(|_| dress_on_this_thread(photo, people, pieces, memory))
}

fn dress_on_this_thread(
    photo: &Picture,
    people: &[Person],
    pieces: &[&Piece],
    memory: &mut Memory,
) -> Result<Dressed, TryonError> {
    let (person, others) = people.split_first().ok_or(TryonError::NoPerson)?;
    let worn: Vec<(Category, &str)> =
        pieces.iter().map(|p| (p.garment.category, p.garment.name.as_str())).collect();
    check_view(person, photo, &worn)?;
    let grid = memory.grid(person, photo, extent(pieces));
    let seen = {
        let _span = tracing::info_span!("see").entered();
        SeenPerson::look(photo, person, others, grid, memory)
    };
    let mut picture = photo.clone();
    let mut fits = Vec::new();
    for piece in pieces {
        let fit = seen.put_on(photo, piece, &mut picture);
        if fit.folded > 0.5 {
            // Shoulders, trunk and arms that no front view has.
            return Err(TryonError::NoFrontView { garment: fit.name });
        }
        fits.push(fit);
    }
    let SeenPerson { mask, parts, folds, .. } = seen;
    let analysis = Analysis {
        grid,
        mask,
        skin: parts.skin,
        hair: parts.hair,
        old_cloth: parts.old_cloth,
        folds,
        garments: fits,
    };
    Ok(Dressed { picture, analysis })
}

fn extent(pieces: &[&Piece]) -> Extent {
    let low = |piece: &&Piece| {
        matches!(piece.garment.category, Category::Dress | Category::Skirt | Category::Trousers)
    };
    if pieces.iter().any(low) { Extent::WholeBody } else { Extent::UpperBody }
}

/// Checks that the parts that garments of these categories and names go on can be seen from the front.
fn check_view(
    person: &Person,
    photo: &Picture,
    worn: &[(Category, &str)],
) -> Result<(), TryonError> {
    use crate::perception::landmark::*;
    let only_head =
        worn.iter().all(|(category, _)| matches!(category, Category::Hat | Category::Eyeglasses));
    let shoulders = person.shoulder_width();
    let size = if only_head { shoulders.max(2.2 * person.face_height()) } else { shoulders };
    let inside = |index: usize| {
        let p = person.position(index);
        p.x > 0.0 && p.y > 0.0 && p.x < photo.width as f32 && p.y < photo.height as f32
    };
    let seen = |index: usize| inside(index) && person.landmarks[index].visibility > 0.3;
    for &(category, name) in worn {
        let garment = name.to_owned();
        let needed: (&[usize], &'static str) = match category {
            Category::Hat | Category::Eyeglasses => (&[LEFT_EYE, RIGHT_EYE], "eyes"),
            Category::Trousers => (&[LEFT_HIP, RIGHT_HIP, LEFT_KNEE, RIGHT_KNEE], "hips and knees"),
            Category::Skirt => (&[LEFT_HIP, RIGHT_HIP], "hips"),
            _ => (&[LEFT_SHOULDER, RIGHT_SHOULDER], "shoulders"),
        };
        if !needed.0.iter().all(|&index| seen(index)) {
            return Err(TryonError::PartNotSeen { part: needed.1, garment });
        }
    }
    if size < SMALLEST_SHOULDERS {
        return Err(TryonError::TooSmall { found: size, needed: SMALLEST_SHOULDERS });
    }
    // On a person who faces the camera, their left is at the picture's right.
    let mirrored = |left: usize, right: usize| person.position(left).x <= person.position(right).x;
    if only_head {
        let turned = mirrored(LEFT_EYE, RIGHT_EYE);
        return if turned { Err(TryonError::FacesAway) } else { Ok(()) };
    }
    let trunk = {
        let hips = person.position(LEFT_HIP).midpoint(person.position(RIGHT_HIP));
        let middle = person.position(LEFT_SHOULDER).midpoint(person.position(RIGHT_SHOULDER));
        middle.distance(hips)
    };
    if shoulders < 0.30 * trunk {
        return Err(TryonError::Sideways { shoulders, trunk });
    }
    if person.facing() == Facing::Back || mirrored(LEFT_SHOULDER, RIGHT_SHOULDER) {
        return Err(TryonError::FacesAway);
    }
    Ok(())
}
