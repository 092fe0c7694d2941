//! What one frame of a video leaves for the next, so that the garment neither swims nor flickers.
//!
//! The grid stays while the person stays within it. Maps that nets and colours decide are averaged over frames while
//! the body is at rest; the more a joint moves, the less of the last frame counts, so that nothing trails behind.

use super::grid::{Extent, Grid};
use super::parts::Parts;
use super::shading::Tone;
use crate::filter::smoothstep;
use crate::perception::Person;
use crate::picture::Picture;
use crate::plane::Plane;
use glam::Vec2;

/// Share of a new frame's maps while the body is at rest.
const AT_REST: f32 = 0.25;
/// Share of a new frame's light: exposure changes slowly, and all at once over the picture.
const OF_LIGHT: f32 = 0.1;
/// Movement of the fastest joint between two frames, in shoulder widths, from which on the last frame counts less, and
/// from which on it does not count.
const MOVING: [f32; 2] = [0.01, 0.06];
/// The grid stays until a border of the wanted one is this far off, in shoulder widths.
const KEPT_BORDER: f32 = 0.35;

/// The last frame's maps of one person; empty at the start and after [`Memory::forget`].
#[derive(Debug, Default)]
pub struct Memory {
    frame: Option<(usize, usize, Extent, Grid)>,
    maps: Option<Maps>,
}

#[derive(Debug)]
struct Maps {
    mask: Plane,
    skin: Plane,
    hair: Plane,
    old_cloth: Plane,
    folds: Plane,
    tone: Tone,
    joints: [Vec2; 8],
}

impl Memory {
    /// Forgets everything: another person, or none.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// The last grid while it still holds the person well, else a new one; maps of another grid are forgotten.
    pub(super) fn grid(&mut self, person: &Person, photo: &Picture, extent: Extent) -> Grid {
        let wanted = Grid::around(person, photo.width, photo.height, extent);
        if let Some((width, height, last_extent, last)) = self.frame
            && (width, height, last_extent) == (photo.width, photo.height, extent)
            && last.is_near(&wanted, KEPT_BORDER * person.shoulder_width())
        {
            return last;
        }
        self.maps = None;
        self.frame = Some((photo.width, photo.height, extent, wanted));
        wanted
    }

    /// Share of the new frame, from how far the joints moved since the last.
    fn share(&self, person: &Person, grid: &Grid) -> f32 {
        let Some(maps) = &self.maps else { return 1.0 };
        let unit = person.shoulder_width() / grid.scale;
        let now = joints(person, grid);
        let moved = now.iter().zip(&maps.joints).map(|(a, b)| a.distance(*b)).fold(0.0, f32::max);
        AT_REST + (1.0 - AT_REST) * smoothstep(moved / unit.max(1.0), MOVING[0], MOVING[1])
    }

    /// Averages the outline with the last frame's.
    pub(super) fn steady_outline(&self, person: &Person, grid: &Grid, mask: &mut Plane) {
        if let Some(maps) = &self.maps {
            blend(&maps.mask, mask, self.share(person, grid));
        }
    }

    /// Averages the light with the last frame's.
    pub(super) fn steady_light(&self, tone: Tone) -> Tone {
        self.maps.as_ref().map_or(tone, |maps| maps.tone.towards(tone, OF_LIGHT))
    }

    /// Averages skin, hair and old clothes with the last frame's.
    pub(super) fn steady_parts(&self, person: &Person, grid: &Grid, parts: &mut Parts) {
        let Some(maps) = &self.maps else { return };
        let share = self.share(person, grid);
        blend(&maps.skin, &mut parts.skin, share);
        blend(&maps.hair, &mut parts.hair, share);
        blend(&maps.old_cloth, &mut parts.old_cloth, share);
    }

    /// Averages the folds with the last frame's.
    pub(super) fn steady_folds(&self, person: &Person, grid: &Grid, folds: &mut Plane) {
        if let Some(maps) = &self.maps {
            blend(&maps.folds, folds, self.share(person, grid));
        }
    }

    /// Keeps what the next frame needs.
    pub(super) fn keep(
        &mut self,
        person: &Person,
        grid: &Grid,
        (mask, parts, folds, tone): (&Plane, &Parts, &Plane, Tone),
    ) {
        let joints = joints(person, grid);
        let (skin, hair) = (parts.skin.clone(), parts.hair.clone());
        let (mask, old_cloth, folds) = (mask.clone(), parts.old_cloth.clone(), folds.clone());
        self.maps = Some(Maps { mask, skin, hair, old_cloth, folds, tone, joints });
    }
}

fn joints(person: &Person, grid: &Grid) -> [Vec2; 8] {
    use crate::perception::landmark::*;
    [
        LEFT_SHOULDER,
        RIGHT_SHOULDER,
        LEFT_ELBOW,
        RIGHT_ELBOW,
        LEFT_WRIST,
        RIGHT_WRIST,
        LEFT_HIP,
        RIGHT_HIP,
    ]
    .map(|index| grid.from_picture(person.position(index)))
}

fn blend(last: &Plane, new: &mut Plane, share: f32) {
    if (last.width, last.height) == (new.width, new.height) {
        for (new, &last) in new.data.iter_mut().zip(&last.data) {
            *new = last + share * (*new - last);
        }
    }
}
