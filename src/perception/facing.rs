//! Which way a person faces.

use super::{Person, landmark};
use glam::{Vec2, Vec3};

/// Which side of a person the camera sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Facing {
    /// The chest, turned by less than about 70°.
    Front,
    /// The back, turned by less than about 70°.
    Back,
    /// A flank.
    Side,
}

/// Cosine of the turn from which the shoulders count as seen from the side.
const SIDE: f32 = 0.35;
/// A face less visible than this is hidden.
const HIDDEN: f32 = 0.2;

impl Person {
    /// Which way the person faces.
    ///
    /// Rule, on the world landmarks: the line from right to left shoulder plus that from right to
    /// left hip is seen from above. Where its share along the picture is below 0.35, the person
    /// is seen from the *side*; else its direction decides, since a person who faces the camera has
    /// the left shoulder at the picture's right: *front* there, *back* otherwise. Shoulders that say
    /// front while the face is in the crop and hidden (nose, eyes and mouth with presence above one
    /// half, visibility below 0.2) also mean *back*.
    pub fn facing(&self) -> Facing {
        let line = |left: usize, right: usize| self.world[left] - self.world[right];
        let across: Vec3 = line(landmark::LEFT_SHOULDER, landmark::RIGHT_SHOULDER)
            + line(landmark::LEFT_HIP, landmark::RIGHT_HIP);
        let from_above = Vec2::new(across.x, across.z).normalize_or_zero();
        if from_above.x.abs() < SIDE {
            return Facing::Side;
        }
        let face = [
            landmark::NOSE,
            landmark::LEFT_EYE,
            landmark::RIGHT_EYE,
            landmark::MOUTH_LEFT,
            landmark::MOUTH_RIGHT,
        ]
        .map(|point| self.landmarks[point]);
        let face_is_hidden = face.iter().all(|l| l.presence > 0.5 && l.visibility < HIDDEN);
        if from_above.x < 0.0 || face_is_hidden { Facing::Back } else { Facing::Front }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perception::tests::person;

    fn turned(degrees: f32) -> Person {
        let mut person = person();
        let (sin, cos) = degrees.to_radians().sin_cos();
        for (left, right, half) in [
            (landmark::LEFT_SHOULDER, landmark::RIGHT_SHOULDER, 0.18),
            (landmark::LEFT_HIP, landmark::RIGHT_HIP, 0.12),
        ] {
            person.world[left] = Vec3::new(cos * half, 0.0, sin * half);
            person.world[right] = -person.world[left];
        }
        person
    }

    #[test]
    fn the_order_of_the_shoulders_tells_front_from_back() {
        for (degrees, facing) in [
            (0.0, Facing::Front),
            (60.0, Facing::Front),
            (-60.0, Facing::Front),
            (90.0, Facing::Side),
            (-85.0, Facing::Side),
            (180.0, Facing::Back),
            (130.0, Facing::Back),
        ] {
            assert_eq!(turned(degrees).facing(), facing, "{degrees}°");
        }
    }

    #[test]
    fn a_hidden_face_means_the_back_but_a_face_outside_the_crop_does_not() {
        let mut person = turned(0.0);
        for landmark in &mut person.landmarks {
            landmark.visibility = 0.1;
        }
        assert_eq!(person.facing(), Facing::Back);
        for landmark in &mut person.landmarks {
            landmark.presence = 0.1;
        }
        assert_eq!(person.facing(), Facing::Front);
    }

    #[test]
    fn landmarks_in_one_point_are_no_panic() {
        assert_eq!(person().facing(), Facing::Side);
    }
}
