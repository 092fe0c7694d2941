//! Nets in, geometry out: who stands where in a picture.

use crate::plane::Plane;
use glam::{Affine2, Mat2, Vec2, Vec3};

/// Index of a body point among the 33 BlazePose landmarks. "Left" and "right" are the person's own.
#[expect(missing_docs, reason = "the names are BlazePose's")]
pub mod landmark {
    pub const NOSE: usize = 0;
    pub const LEFT_EYE: usize = 2;
    pub const RIGHT_EYE: usize = 5;
    pub const LEFT_EAR: usize = 7;
    pub const RIGHT_EAR: usize = 8;
    pub const MOUTH_LEFT: usize = 9;
    pub const MOUTH_RIGHT: usize = 10;
    pub const LEFT_SHOULDER: usize = 11;
    pub const RIGHT_SHOULDER: usize = 12;
    pub const LEFT_ELBOW: usize = 13;
    pub const RIGHT_ELBOW: usize = 14;
    pub const LEFT_WRIST: usize = 15;
    pub const RIGHT_WRIST: usize = 16;
    pub const LEFT_PINKY: usize = 17;
    pub const RIGHT_PINKY: usize = 18;
    pub const LEFT_INDEX: usize = 19;
    pub const RIGHT_INDEX: usize = 20;
    pub const LEFT_THUMB: usize = 21;
    pub const RIGHT_THUMB: usize = 22;
    pub const LEFT_HIP: usize = 23;
    pub const RIGHT_HIP: usize = 24;
    pub const LEFT_KNEE: usize = 25;
    pub const RIGHT_KNEE: usize = 26;
    pub const LEFT_ANKLE: usize = 27;
    pub const RIGHT_ANKLE: usize = 28;
    pub const LEFT_HEEL: usize = 29;
    pub const RIGHT_HEEL: usize = 30;
    pub const LEFT_FOOT_INDEX: usize = 31;
    pub const RIGHT_FOOT_INDEX: usize = 32;
}

/// One body point.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Landmark {
    /// Position in the picture, pixels; may lie outside it.
    pub position: Vec2,
    /// Depth relative to the hips, in pixels of the picture; smaller is nearer to the camera.
    pub depth: f32,
    /// Probability that the point is in view and not hidden, 0..1.
    pub visibility: f32,
    /// Probability that the point lies within the crop, 0..1.
    pub presence: f32,
}

/// A square cut from a picture, turned about its centre: what a net gets to see.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RotatedSquare {
    /// Centre in the picture, pixels.
    pub centre: Vec2,
    /// Side, pixels.
    pub side: f32,
    /// Clockwise turn (y is down), radians.
    pub angle: f32,
}

impl RotatedSquare {
    /// Map from crop coordinates (0..`size`) to picture coordinates.
    pub fn crop_to_picture(&self, size: usize) -> Affine2 {
        let scale = self.side / size as f32;
        let turn = Mat2::from_angle(self.angle) * scale;
        let half = Vec2::splat(size as f32 / 2.0);
        Affine2::from_mat2_translation(turn, self.centre - turn * half)
    }
}

/// A mask as the net gave it: probabilities on its own crop.
#[derive(Clone, Debug, PartialEq)]
pub struct CropMask {
    /// Where the crop lies in the picture.
    pub region: RotatedSquare,
    /// Square plane of probabilities, 0..1.
    pub probability: Plane,
}

/// One person, as seen by the pose and segmentation nets.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    /// The 33 BlazePose landmarks, indexed by [`landmark`].
    pub landmarks: [Landmark; 33],
    /// The same points in metres, origin between the hips, x right, y down, z away from the camera.
    pub world: [Vec3; 33],
    /// Confidence that the crop held a person, 0..1.
    pub presence: f32,
    /// BlazePose's own person mask.
    pub pose_mask: CropMask,
    /// Selfie segmentation's mask of everybody in an upright square round the landmarks.
    pub selfie_mask: CropMask,
}

impl CropMask {
    /// The mask on a grid whose cell `(i, j)` has its centre at `origin + (i + ½, j + ½) · scale` in the
    /// picture; `outside` where the crop does not reach.
    pub fn composed(
        &self,
        origin: Vec2,
        scale: f32,
        width: usize,
        height: usize,
        outside: f32,
    ) -> Plane {
        let size = self.probability.width;
        let to_crop = self.region.crop_to_picture(size).inverse();
        Plane::from_fn(width, height, |x, y| {
            let p = origin + Vec2::new(x as f32 + 0.5, y as f32 + 0.5) * scale;
            let q = to_crop.transform_point2(p);
            if self.probability.contains(q) { self.probability.sample(q) } else { outside }
        })
    }
}

impl Person {
    /// Position of a landmark in the picture, pixels.
    pub fn position(&self, index: usize) -> Vec2 {
        self.landmarks[index].position
    }

    /// Distance between the shoulder joints, pixels; the unit of length of the fit.
    pub fn shoulder_width(&self) -> f32 {
        self.position(landmark::LEFT_SHOULDER).distance(self.position(landmark::RIGHT_SHOULDER))
    }

    /// Distance from the middle of the eyes to the middle of the mouth, pixels.
    pub fn face_height(&self) -> f32 {
        let eyes = self.position(landmark::LEFT_EYE).midpoint(self.position(landmark::RIGHT_EYE));
        let mouth =
            self.position(landmark::MOUTH_LEFT).midpoint(self.position(landmark::MOUTH_RIGHT));
        eyes.distance(mouth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crop_maps_its_centre_to_the_region_centre() {
        let region = RotatedSquare { centre: Vec2::new(40.0, 30.0), side: 64.0, angle: 0.3 };
        let mapped = region.crop_to_picture(256).transform_point2(Vec2::splat(128.0));
        assert!((mapped - region.centre).length() < 1e-4);
    }
}
