//! Lengths of a person in the picture.

use super::{Person, landmark};
use glam::Vec2;

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
