//! Hats and eyeglasses: placed by the face, no cloth physics.

use super::body::{Body, SIGN, ray};
use super::patch::Patch;
use crate::garment::{Eyeglasses, Hat};
use crate::plane::Plane;
use glam::Vec2;

/// Eyeglasses: the bridge goes to the middle of the eyes and each half to its own side of the face, so that a
/// turned head foreshortens the far half.
pub fn fit_eyeglasses(garment: &Eyeglasses, size: Vec2, body: &Body) -> Patch {
    let face = &body.face;
    let eyes = face.eyes();
    let across = (face.eye[1] - face.eye[0]).normalize_or(Vec2::X);
    let pupils = face.eye[0].distance(face.eye[1]);
    let reach: [f32; 2] = std::array::from_fn(|side| {
        let temple = ((face.ear[side] - eyes).dot(across) * SIGN[side]).max(0.0);
        let eye = ((face.eye[side] - eyes).dot(across) * SIGN[side]).max(0.25 * pupils);
        (0.98 * temple).clamp(1.7 * eye, 2.5 * eye)
    });
    let ends = garment.ends;
    let half: [f32; 2] = std::array::from_fn(|s| (ends[s].x - garment.bridge.x).abs().max(1.0));
    let scale: [f32; 2] = std::array::from_fn(|s| reach[s] / half[s]);
    let mean = 0.5 * (scale[0] + scale[1]);
    let down = -face.up;
    let line = 0.5 * (ends[0].y + ends[1].y);
    let centre = eyes + down * 0.04 * (reach[0] + reach[1]);
    let xs = [0.0, ends[0].x, garment.bridge.x, ends[1].x, size.x];
    let (mut source, mut target) = (Vec::new(), Vec::new());
    for y in [0.0, line, size.y] {
        for x in xs {
            let dx = x - garment.bridge.x;
            let lateral = dx * scale[(dx > 0.0) as usize];
            source.push(Vec2::new(x, y));
            target.push(centre + across * lateral + down * ((y - line) * mean));
        }
    }
    Patch::new(xs.len(), source, target)
}

/// A fitted hat.
#[derive(Clone, Debug)]
pub struct HatFit {
    /// The patch.
    pub patch: Patch,
    /// Middle of the band on the forehead.
    pub band: Vec2,
}

/// A hat: the band goes round the head a little above the brows.
pub fn fit_hat(garment: &Hat, size: Vec2, body: &Body, mask: &Plane) -> HatFit {
    let face = &body.face;
    let across = (face.eye[1] - face.eye[0]).normalize_or(Vec2::X);
    let mut up = Vec2::new(across.y, -across.x);
    if up.dot(face.up) < 0.0 {
        up = -up;
    }
    let eyes = face.eyes();
    let forehead = eyes + up * 0.52 * face.height;
    let model = 0.5 * (1.04 * face.width).max(1.75 * face.height);
    let reach: [f32; 2] = std::array::from_fn(|side| {
        ray(mask, forehead, across * SIGN[side], 0.3 * model, 2.0 * model)
            .unwrap_or(model)
            .clamp(0.95 * model, 1.2 * model)
    });
    let half_width = 0.5 * (reach[0] + reach[1]);
    let band = forehead + across * 0.5 * (reach[1] - reach[0]);
    let [left, right] = garment.band;
    let scale = 2.0 * 1.06 * half_width / (right.x - left.x).abs().max(1.0);
    let centre = left.midpoint(right);
    // A soft hat takes the height of the head: it is stretched round it and gives way above it.
    let head = ray(mask, forehead, up, 0.2 * face.height, 3.0 * face.height)
        .unwrap_or(1.1 * face.height)
        .clamp(0.8 * face.height, 1.6 * face.height);
    let crown = ((centre.y - garment.crown.y) * scale).max(1.0);
    let upwards = scale * (1.3 * head).min(crown) / crown;
    // Nothing hangs over the eyes.
    let lowest = (size.y - centre.y) * upwards;
    let band = band + up * (lowest - 0.28 * face.height).max(0.0);
    let place = |p: Vec2| {
        let from = p - centre;
        band + across * (from.x * scale) - up * (from.y * upwards)
    };
    let corners =
        [Vec2::ZERO, Vec2::new(size.x, 0.0), Vec2::new(0.0, size.y), Vec2::new(size.x, size.y)];
    let patch = Patch::new(2, corners.to_vec(), corners.map(place).to_vec());
    HatFit { patch, band }
}
