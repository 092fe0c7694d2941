//! A person drawn from a dozen capsules, with the landmarks and masks that the nets would give: no model and no
//! network is needed to dress somebody.

use glam::{Vec2, Vec3};
use vitrine::perception::{CropMask, Landmark, Person, RotatedSquare, landmark::*};
use vitrine::picture::Picture;
use vitrine::plane::Plane;

/// What a point of the figure shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Skin,
    Hair,
    Tee,
    Trousers,
    Shoe,
}

impl Part {
    fn colour(self) -> [f32; 3] {
        match self {
            Self::Skin => [205.0, 150.0, 122.0],
            Self::Hair => [52.0, 38.0, 30.0],
            Self::Tee => OLD_TEE,
            Self::Trousers => [92.0, 88.0, 80.0],
            Self::Shoe => [28.0, 28.0, 32.0],
        }
    }
}

/// Colour of the clothes that are to be covered: no garment of the catalogue is near it.
pub const OLD_TEE: [f32; 3] = [128.0, 52.0, 168.0];

/// Joints in figure units: the shoulders are 1 apart, their middle is the origin, y is down.
const SHOULDER: Vec2 = Vec2::new(0.50, 0.0);
const ELBOW: [Vec2; 2] = [Vec2::new(-0.74, 0.82), Vec2::new(0.86, 0.76)];
const WRIST: [Vec2; 2] = [Vec2::new(-0.88, 1.48), Vec2::new(1.06, 1.40)];
const HIP: Vec2 = Vec2::new(0.30, 1.46);
const KNEE: Vec2 = Vec2::new(0.33, 2.72);
const ANKLE: Vec2 = Vec2::new(0.36, 3.95);
const EYE: Vec2 = Vec2::new(0.09, -0.80);
const EAR: Vec2 = Vec2::new(0.225, -0.74);
const MOUTH: Vec2 = Vec2::new(0.075, -0.57);
/// Highest and lowest point.
pub const CROWN: f32 = -1.10;
pub const SOLES: f32 = 4.20;

/// Share of the upper arm that the old sleeve covers.
const SLEEVE: f32 = 0.5;

fn mirrored(p: Vec2) -> Vec2 {
    Vec2::new(-p.x, p.y)
}

fn both(p: Vec2) -> [Vec2; 2] {
    [mirrored(p), p]
}

/// Signed distance to a capsule whose radius runs from `ra` to `rb`; negative inside.
fn capsule(p: Vec2, a: Vec2, b: Vec2, ra: f32, rb: f32) -> f32 {
    let along = b - a;
    let t = ((p - a).dot(along) / along.length_squared().max(1e-9)).clamp(0.0, 1.0);
    p.distance(a + along * t) - (ra + (rb - ra) * t)
}

fn trunk(p: Vec2) -> f32 {
    let half = match p.y {
        y if y < 0.0 => 0.17 + (y + 0.22) / 0.22 * 0.40,
        y if y < 1.0 => 0.57 - 0.09 * y,
        y => 0.48 + 0.06 * (y - 1.0) / 0.6,
    };
    (p.x.abs() - half).max(-0.22 - p.y).max(p.y - 1.62)
}

/// Distance to the nearest part, and that part; parts in front win where they overlap.
fn nearest(p: Vec2) -> (f32, Part) {
    let mut found = (f32::INFINITY, Part::Skin);
    let mut add = |distance: f32, part: Part| {
        if distance < found.0 && found.0 > 0.0 {
            found = (distance, part);
        }
    };
    for side in 0..2 {
        let (shoulder, elbow, wrist) = (both(SHOULDER)[side], ELBOW[side], WRIST[side]);
        let hand = wrist + (wrist - elbow) * 0.35;
        add(capsule(p, shoulder, shoulder.lerp(elbow, SLEEVE), 0.13, 0.155), Part::Tee);
        add(capsule(p, shoulder, elbow, 0.12, 0.105), Part::Skin);
        add(capsule(p, elbow, wrist, 0.11, 0.075), Part::Skin);
        add(capsule(p, wrist, hand, 0.075, 0.085), Part::Skin);
    }
    let face = (p - Vec2::new(0.0, -0.70)) / Vec2::new(0.24, 0.33);
    add((face.length() - 1.0) * 0.24, Part::Skin);
    let hair = (p - Vec2::new(0.0, -0.80)) / Vec2::new(0.275, 0.30);
    add(((hair.length() - 1.0) * 0.275).max(p.y + 0.84), Part::Hair);
    let neckline = 0.12 - 0.8 * p.x * p.x;
    let neck = (p.x.abs() - 0.16).max(-0.55 - p.y).max(p.y - neckline);
    add(neck, Part::Skin);
    add(trunk(p), Part::Tee);
    for side in 0..2 {
        let (hip, knee, ankle) = (both(HIP)[side], both(KNEE)[side], both(ANKLE)[side]);
        add(capsule(p, hip * Vec2::new(0.8, 1.05), knee, 0.30, 0.20), Part::Trousers);
        add(capsule(p, knee, ankle, 0.20, 0.14), Part::Trousers);
        add(
            capsule(p, ankle + Vec2::Y * 0.1, ankle + Vec2::new(0.0, 0.15), 0.12, 0.12),
            Part::Shoe,
        );
    }
    found
}

/// Where and how large the figure stands in a picture.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// Middle of the shoulders, pixels.
    pub middle: Vec2,
    /// Distance of the shoulders, pixels.
    pub shoulders: f32,
}

impl Figure {
    /// A picture that holds the figure whole, with room of one and a quarter shoulder widths around it.
    pub fn whole(shoulders: f32) -> (Self, Picture) {
        let size = Vec2::new(5.0, SOLES - CROWN + 1.0) * shoulders;
        let figure = Self { middle: Vec2::new(2.5, 0.5 - CROWN) * shoulders, shoulders };
        (figure, drawn(size.x as usize, size.y as usize, &[figure]))
    }

    /// Picture position of a figure position.
    pub fn place(&self, p: Vec2) -> Vec2 {
        self.middle + p * self.shoulders
    }

    /// Figure position of a picture position.
    pub fn in_own_units(&self, p: Vec2) -> Vec2 {
        (p - self.middle) / self.shoulders
    }

    /// The part at a picture position.
    pub fn part_at(&self, p: Vec2) -> Option<Part> {
        let (distance, part) = nearest(self.in_own_units(p));
        (distance <= 0.0).then_some(part)
    }

    /// Distance to the figure's outline in its own units; negative inside.
    pub fn distance(&self, p: Vec2) -> f32 {
        nearest(self.in_own_units(p)).0
    }

    /// What the nets would say of the figure in a picture of this size: points outside it are not visible.
    pub fn person(&self, width: usize, height: usize) -> Person {
        let mut positions = [Vec2::ZERO; 33];
        let mut pair = |right: usize, left: usize, places: [Vec2; 2]| {
            [positions[right], positions[left]] = places;
        };
        for (right, left, reach) in [(4, 1, 0.7), (RIGHT_EYE, LEFT_EYE, 1.0), (6, 3, 1.3)] {
            pair(right, left, both(EYE * Vec2::new(reach, 1.0)));
        }
        pair(RIGHT_EAR, LEFT_EAR, both(EAR));
        pair(MOUTH_RIGHT, MOUTH_LEFT, both(MOUTH));
        pair(RIGHT_SHOULDER, LEFT_SHOULDER, both(SHOULDER));
        pair(RIGHT_ELBOW, LEFT_ELBOW, ELBOW);
        pair(RIGHT_WRIST, LEFT_WRIST, WRIST);
        let finger = |reach: f32, aside: f32| -> [Vec2; 2] {
            std::array::from_fn(|side| {
                let along = WRIST[side] - ELBOW[side];
                WRIST[side] + along * reach + along.perp() * aside
            })
        };
        pair(RIGHT_PINKY, LEFT_PINKY, finger(0.30, 0.06));
        pair(RIGHT_INDEX, LEFT_INDEX, finger(0.34, -0.04));
        pair(RIGHT_THUMB, LEFT_THUMB, finger(0.20, -0.08));
        pair(RIGHT_HIP, LEFT_HIP, both(HIP));
        pair(RIGHT_KNEE, LEFT_KNEE, both(KNEE));
        pair(RIGHT_ANKLE, LEFT_ANKLE, both(ANKLE));
        pair(RIGHT_HEEL, LEFT_HEEL, both(ANKLE + Vec2::Y * 0.12));
        pair(RIGHT_FOOT_INDEX, LEFT_FOOT_INDEX, both(ANKLE + Vec2::Y * 0.22));
        positions[NOSE] = Vec2::new(0.0, -0.69);

        let landmarks = positions.map(|p| {
            let position = self.place(p);
            let inside = position.cmpge(Vec2::ZERO).all()
                && position.x < width as f32
                && position.y < height as f32;
            let certainty = if inside { 0.99 } else { 0.05 };
            Landmark { position, depth: 0.0, visibility: certainty, presence: certainty }
        });
        const METRES: f32 = 0.36;
        let world = positions.map(|p| Vec3::new(p.x, p.y - HIP.y, 0.0) * METRES);
        let mask = self.mask(width, height);
        Person { landmarks, world, presence: 0.99, pose_mask: mask.clone(), selfie_mask: mask }
    }

    /// The figure as a 256 × 256 plane of probabilities on a square round it, 0 beyond the picture.
    fn mask(&self, width: usize, height: usize) -> CropMask {
        const SIZE: usize = 256;
        let centre = self.place(Vec2::new(0.0, (CROWN + SOLES) / 2.0));
        let side = (SOLES - CROWN + 0.6) * self.shoulders;
        let region = RotatedSquare { centre, side, angle: 0.0 };
        let to_picture = region.crop_to_picture(SIZE);
        let pixel = side / SIZE as f32 / self.shoulders;
        let probability = Plane::from_fn(SIZE, SIZE, |x, y| {
            let p = to_picture.transform_point2(Vec2::new(x as f32 + 0.5, y as f32 + 0.5));
            let outside = p.x < 0.0 || p.y < 0.0 || p.x > width as f32 || p.y > height as f32;
            if outside { 0.0 } else { (0.5 - self.distance(p) / (2.0 * pixel)).clamp(0.0, 1.0) }
        });
        CropMask { region, probability }
    }
}

/// The same person in the picture's mirror image.
pub fn flipped(person: &Person, width: usize) -> Person {
    let mut twin = person.clone();
    for landmark in &mut twin.landmarks {
        landmark.position.x = width as f32 - landmark.position.x;
    }
    twin.world.iter_mut().for_each(|point| point.x = -point.x);
    // The mirror image of a left hand is a right hand.
    let pairs = [(1, 4), (2, 5), (3, 6)].into_iter().chain((7..33).step_by(2).map(|i| (i, i + 1)));
    for (left, right) in pairs {
        twin.landmarks.swap(left, right);
        twin.world.swap(left, right);
    }
    for mask in [&mut twin.pose_mask, &mut twin.selfie_mask] {
        mask.region.centre.x = width as f32 - mask.region.centre.x;
        let columns = mask.probability.width;
        mask.probability.data.chunks_exact_mut(columns).for_each(<[f32]>::reverse);
    }
    twin
}

/// The picture's mirror image.
pub fn flipped_picture(picture: &Picture) -> Picture {
    let rgb = picture.rgb8();
    let rows = rgb.chunks_exact(picture.width * 3);
    let turned = rows.flat_map(|row| row.as_chunks::<3>().0.iter().rev().flatten().copied());
    Picture::from_rgb8(picture.width, picture.height, turned.collect())
}

/// A picture of figures before a wall and a floor; the first one is in front. Cloth has soft folds, everything a
/// little grain.
pub fn drawn(width: usize, height: usize, figures: &[Figure]) -> Picture {
    let mut rgb = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            let p = Vec2::new(x as f32 + 0.5, y as f32 + 0.5);
            let light = 1.0 - 0.12 * p.x / width as f32;
            let mut colour = [226.0, 232.0, 228.0].map(|value: f32| value * light);
            for figure in figures.iter().rev() {
                let (distance, part) = nearest(figure.in_own_units(p));
                let covered = (0.5 - distance * figure.shoulders).clamp(0.0, 1.0);
                if covered > 0.0 {
                    let at = figure.in_own_units(p);
                    let shade = match part {
                        Part::Tee => 1.0 + 0.08 * (9.0 * at.x + 3.0 * at.y).sin(),
                        Part::Trousers => 1.0 + 0.06 * (13.0 * at.x).sin(),
                        _ => 1.0,
                    };
                    let own = part.colour().map(|value| value * shade);
                    colour = std::array::from_fn(|c| colour[c] + (own[c] - colour[c]) * covered);
                }
            }
            let grain = f32::from(noise(x as u32, y as u32)) / 255.0 * 4.0 - 2.0;
            rgb.extend(colour.map(|value| (value + grain).clamp(0.0, 255.0) as u8));
        }
    }
    Picture::from_rgb8(width, height, rgb)
}

fn noise(x: u32, y: u32) -> u8 {
    let mut state = x.wrapping_mul(0x9e37_79b1) ^ y.wrapping_mul(0x85eb_ca77);
    state = (state ^ (state >> 15)).wrapping_mul(0x2c1b_3c6d);
    (state >> 24) as u8
}
