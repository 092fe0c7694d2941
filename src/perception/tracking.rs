//! One person through video: where to look next, and steady points.

use super::one_euro::{OneEuro, Response};
use super::pose::Pose;
use super::{
    CropMask, LEAST_PRESENCE, Landmark, Perception, PerceptionError, Person, Pyramid,
    RotatedSquare, detector, landmark, segmentation,
};
use crate::picture::Picture;
use glam::{Vec2, Vec3};
use std::f32::consts::{PI, TAU};
use std::time::Duration;

/// A region is kept until the wanted one lies further off than this, in sides.
const KEPT_SHIFT: f32 = 0.04;
/// A region is kept until the wanted one is larger or smaller by this share.
const KEPT_GROWTH: f32 = 0.08;
/// A region is kept until the wanted one is turned by this, radians.
const KEPT_TURN: f32 = 0.09;

/// Follows one person from frame to frame.
///
/// The landmark net looks where the last frame's landmarks say; the detector only runs while nobody
/// is followed. Positions, depths and world points are smoothed by One-Euro filters, visibilities averaged.
#[derive(Clone, Debug, Default)]
pub struct Tracker {
    region: Option<RotatedSquare>,
    /// Where segmentation looked in the last frame.
    upright: Option<RotatedSquare>,
    filters: Option<Box<Filters>>,
}

#[derive(Clone, Debug)]
struct Filters {
    points: [OneEuro<3>; 33],
    world: [OneEuro<3>; 33],
    visibility: [f32; 33],
}

/// Share of a new frame's visibility.
const NEW_VISIBILITY: f32 = 0.3;

impl Tracker {
    /// A tracker that follows nobody yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets whom it followed; the next frame starts with the detector.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// Whether somebody was found in the last frame.
    pub fn is_following(&self) -> bool {
        self.region.is_some()
    }

    /// The followed person in the next frame, `elapsed` after the last one; who was lost or is new
    /// is looked for, and the largest person taken. `None` while there is nobody.
    ///
    /// # Errors
    /// [`PerceptionError::Net`] if a net fails; the tracker then has forgotten the person.
    pub fn track(
        &mut self,
        perception: &Perception,
        picture: &Picture,
        elapsed: Duration,
    ) -> Result<Option<Person>, PerceptionError> {
        if picture.width == 0 || picture.height == 0 {
            self.forget();
            return Ok(None);
        }
        let pyramid = Pyramid::new(picture);
        // Segmentation looks where it looked before, beside the landmark net: on several cores that is sooner.
        let last = self.upright;
        let (pose, mask) = rayon::join(
            || self.follow(perception, &pyramid),
            || last.map(|region| perception.segmentation.mask(&pyramid, region)).transpose(),
        );
        let Some(pose) = pose? else {
            self.forget();
            return Ok(None);
        };
        let selfie_mask = self.segmented(perception, &pyramid, &pose, mask?)?;
        let mut person = Person::of(pose, selfie_mask);
        self.steady(&mut person, elapsed);
        Ok(Some(person))
    }

    /// The mask that was made beside the landmarks if it lies where they want it, else one made there.
    fn segmented(
        &mut self,
        perception: &Perception,
        pyramid: &Pyramid,
        pose: &Pose,
        made: Option<CropMask>,
    ) -> Result<CropMask, PerceptionError> {
        let picture = Vec2::new(pyramid.width as f32, pyramid.height as f32);
        let wanted = segmentation::region(&pose.landmarks, pose.region, picture);
        if let Some(made) = made
            && kept(made.region, wanted) == made.region
        {
            return Ok(made);
        }
        self.upright = Some(wanted);
        perception.segmentation.mask(pyramid, wanted)
    }

    /// The pose in the kept region, or that of whom the detector finds.
    fn follow(
        &mut self,
        perception: &Perception,
        pyramid: &Pyramid,
    ) -> Result<Option<Pose>, PerceptionError> {
        if let Some(region) = self.region.take() {
            let pose = perception.pose.read(pyramid, region)?;
            if pose.presence >= LEAST_PRESENCE && pose.region.is_usable() {
                self.region = Some(kept(region, pose.region));
                return Ok(Some(pose));
            }
            self.filters = None;
        }
        let found = perception.detector.detect(pyramid, pyramid.whole(), detector::CERTAIN)?;
        let largest = found
            .iter()
            .map(|detection| detection.region())
            .max_by(|a, b| a.side.total_cmp(&b.side));
        let Some(region) = largest else { return Ok(None) };
        let Some(pose) = perception.refined(pyramid, region)? else { return Ok(None) };
        self.region = Some(pose.region);
        Ok(Some(pose))
    }

    fn steady(&mut self, person: &mut Person, elapsed: Duration) {
        let filters = self.filters.get_or_insert_with(|| {
            let still = [OneEuro::new(Response::BODY); 33];
            let visibility = person.landmarks.map(|point| point.visibility);
            Box::new(Filters { points: still, world: still, visibility })
        });
        let (left, right) = (landmark::LEFT_SHOULDER, landmark::RIGHT_SHOULDER);
        let shoulders = person.landmarks[left].position - person.landmarks[right].position;
        // Seen from the side the shoulders coincide; the region still tells the person's size.
        let pixels = shoulders.length().max(0.08 * person.pose_mask.region.side);
        let metres = person.world[left].distance(person.world[right]).max(0.1);
        for (point, filter) in person.landmarks.iter_mut().zip(&mut filters.points) {
            let Landmark { position, depth, .. } = *point;
            let [x, y, z] = filter.filter([position.x, position.y, depth], pixels, elapsed);
            (point.position, point.depth) = (Vec2::new(x, y), z);
        }
        for (point, last) in person.landmarks.iter_mut().zip(&mut filters.visibility) {
            *last += NEW_VISIBILITY * (point.visibility - *last);
            point.visibility = *last;
        }
        for (point, filter) in person.world.iter_mut().zip(&mut filters.world) {
            *point = Vec3::from(filter.filter(point.to_array(), metres, elapsed));
        }
    }
}

/// The region for the next frame: the old one while the wanted one is much the same, since a region
/// that follows every tremor makes the net's answers tremble more.
fn kept(old: RotatedSquare, wanted: RotatedSquare) -> RotatedSquare {
    let turn = (wanted.angle - old.angle + PI).rem_euclid(TAU) - PI;
    let is_kept = old.centre.distance(wanted.centre) <= KEPT_SHIFT * old.side
        && (wanted.side / old.side - 1.0).abs() <= KEPT_GROWTH
        && turn.abs() <= KEPT_TURN;
    if is_kept { old } else { wanted }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: RotatedSquare =
        RotatedSquare { centre: Vec2::new(300.0, 200.0), side: 100.0, angle: 3.1 };

    #[test]
    fn a_trembling_region_stays_and_a_moving_one_follows() {
        let mut region = OLD;
        for frame in 0..60 {
            let tremble = if frame % 2 == 0 { 1.0 } else { -1.0 };
            region = kept(
                region,
                RotatedSquare {
                    centre: OLD.centre + 2.5 * tremble,
                    side: 100.0 + 6.0 * tremble,
                    angle: 3.1 + 0.08 * tremble,
                },
            );
        }
        assert_eq!(region, OLD);
        for step in 1..=50 {
            let centre = OLD.centre + Vec2::new(step as f32, 0.0);
            region = kept(region, RotatedSquare { centre, ..OLD });
            assert!(region.centre.distance(centre) <= 4.0);
        }
    }

    #[test]
    fn each_of_shift_growth_and_turn_alone_moves_the_region() {
        let moved = RotatedSquare { centre: OLD.centre + Vec2::new(0.0, 4.1), ..OLD };
        let grown = RotatedSquare { side: 108.5, ..OLD };
        let turned = RotatedSquare { angle: 3.2, ..OLD };
        for wanted in [moved, grown, turned] {
            assert_eq!(kept(OLD, wanted), wanted);
        }
    }

    #[test]
    fn a_turn_across_the_half_circle_is_a_small_turn() {
        assert_eq!(kept(OLD, RotatedSquare { angle: 3.15 - TAU, ..OLD }), OLD);
    }
}
