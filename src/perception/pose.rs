//! Where a person's body points are: BlazePose's landmark net on a turned square.

use super::crop::Pyramid;
use super::net::Net;
use super::{CropMask, Landmark, PerceptionError, RotatedSquare, sigmoid};
use crate::plane::Plane;
use glam::{Mat2, Vec2, Vec3};

/// Side of the net's input and mask, pixels.
const INPUT: usize = 256;
/// How much larger the region is than the circle round the body.
const MARGIN: f32 = 1.25;

/// The landmark net.
pub(super) struct PoseNet {
    net: Net,
}

/// What the net says about one region.
pub(super) struct Pose {
    pub landmarks: [Landmark; 33],
    pub world: [Vec3; 33],
    pub presence: f32,
    pub mask: CropMask,
    /// Where the person would fill the net's input best.
    pub region: RotatedSquare,
}

/// The square round a body from the point between the hips and one on the circle round the body,
/// above the head of who stands upright.
pub(super) fn region(centre: Vec2, rim: Vec2) -> RotatedSquare {
    let radius = rim - centre;
    // The turn that brings "up" (negative y) to the radius.
    let angle = radius.x.atan2(-radius.y);
    RotatedSquare { centre, side: 2.0 * MARGIN * radius.length(), angle }
}

impl PoseNet {
    /// The net itself.
    pub fn net(&self) -> &Net {
        &self.net
    }

    pub fn load(directory: &std::path::Path) -> Result<Self, PerceptionError> {
        let choices = include_str!("choices/pose_landmark_full.toml");
        let net = Net::load(&models::published::POSE_LANDMARK_FULL, directory, choices)?;
        Ok(Self { net })
    }

    /// Reads the body in `region`.
    pub fn read(&self, pyramid: &Pyramid, region: RotatedSquare) -> Result<Pose, PerceptionError> {
        let crop = pyramid.crop(region, INPUT, 1.0 / 255.0, 0.0);
        let outputs = self.net.run(&crop)?;
        let [points, presence, mask, _heatmap, world] = outputs.as_slice() else {
            unreachable!("`Net::load` checked the outputs");
        };
        let to_picture = region.crop_to_picture(INPUT);
        let scale = region.side / INPUT as f32;
        let points = points.values.as_chunks::<5>().0;
        let place = |point: &[f32; 5]| to_picture.transform_point2(Vec2::new(point[0], point[1]));
        let landmarks = std::array::from_fn(|i| Landmark {
            position: place(&points[i]),
            depth: points[i][2] * scale,
            visibility: sigmoid(points[i][3]),
            presence: sigmoid(points[i][4]),
        });
        let turn = Mat2::from_angle(region.angle);
        let metres = world.values.as_chunks::<3>().0;
        let world = std::array::from_fn(|i| {
            let [x, y, z] = metres[i];
            (turn * Vec2::new(x, y)).extend(z)
        });
        let probability = Plane {
            width: INPUT,
            height: INPUT,
            data: mask.values.iter().map(|&logit| sigmoid(logit)).collect(),
        };
        Ok(Pose {
            landmarks,
            world,
            presence: presence.values[0],
            mask: CropMask { region, probability },
            region: self::region(place(&points[33]), place(&points[34])),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upright_body_has_an_upright_region() {
        let region = region(Vec2::new(50.0, 60.0), Vec2::new(50.0, 20.0));
        assert_eq!((region.centre, region.side), (Vec2::new(50.0, 60.0), 100.0));
        assert!(region.angle.abs() < 1e-6);
    }

    #[test]
    fn the_rim_lies_above_the_centre_in_the_crop() {
        for degrees in (-170..180).step_by(10) {
            let out = Vec2::from_angle((degrees as f32).to_radians()) * 40.0;
            let region = region(Vec2::new(70.0, 80.0), Vec2::new(70.0, 80.0) + out);
            let seen = region.crop_to_picture(256).inverse().transform_point2(region.centre + out);
            assert!((seen - Vec2::new(128.0, 128.0 - 256.0 / 2.5)).length() < 1e-2);
        }
    }
}
