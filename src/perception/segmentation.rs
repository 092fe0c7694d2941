//! Which pixels show people: selfie segmentation on an upright square.

use super::crop::Pyramid;
use super::net::Net;
use super::{CropMask, Landmark, PerceptionError, RotatedSquare};
use crate::plane::Plane;
use glam::Vec2;

/// Side of the net's input and mask, pixels.
const INPUT: usize = 256;

/// The selfie segmentation net.
pub(super) struct Segmentation {
    net: Net,
}

impl Segmentation {
    /// The net itself.
    pub fn net(&self) -> &Net {
        &self.net
    }

    pub fn load(directory: &std::path::Path) -> Result<Self, PerceptionError> {
        let choices = include_str!("choices/selfie_segmentation.toml");
        let net = Net::load(&models::published::SELFIE_SEGMENTATION, directory, choices)?;
        Ok(Self { net })
    }

    /// The mask of everybody in `region`.
    pub fn mask(
        &self,
        pyramid: &Pyramid,
        region: RotatedSquare,
    ) -> Result<CropMask, PerceptionError> {
        let crop = pyramid.crop(region, INPUT, 1.0 / 255.0, 0.0);
        let mut outputs = self.net.run(&crop)?;
        let data = std::mem::take(&mut outputs[0].values);
        Ok(CropMask { region, probability: Plane { width: INPUT, height: INPUT, data } })
    }
}

/// The upright square round a body's landmarks, as far as they lie in the picture, with room for
/// hair, hands and wide clothes; `body` is the region of the pose.
pub(super) fn region(
    landmarks: &[Landmark; 33],
    body: RotatedSquare,
    picture: Vec2,
) -> RotatedSquare {
    let fold = |rule: fn(Vec2, Vec2) -> Vec2| {
        landmarks.iter().map(|l| l.position).reduce(rule).expect("there are 33 landmarks")
    };
    let low = fold(Vec2::min) - Vec2::new(0.1, 0.15) * body.side;
    let high = fold(Vec2::max) + Vec2::new(0.1, 0.05) * body.side;
    let (low, high) = (low.clamp(Vec2::ZERO, picture), high.clamp(Vec2::ZERO, picture));
    let side = (high - low).max_element().max(1.0);
    RotatedSquare { centre: (low + high) / 2.0, side, angle: 0.0 }
}
