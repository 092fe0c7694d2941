//! Body frame: axes, lengths and radii of the person, read from landmarks and silhouette.
//!
//! All positions are grid cells, all pairs `[image left, image right]`. A person who faces the camera has
//! the right arm on image left. `SW`, the distance between the shoulder joints, is the unit of length.

use super::grid::Grid;
use crate::perception::{Person, landmark};
use crate::plane::Plane;
use glam::Vec2;

/// One arm.
#[derive(Clone, Copy, Debug)]
pub struct Arm {
    /// Shoulder joint.
    pub joint: Vec2,
    /// Point of the shoulder on the silhouette, above and outside the joint.
    pub tip: Vec2,
    /// Elbow.
    pub elbow: Vec2,
    /// Wrist.
    pub wrist: Vec2,
    /// Middle of the knuckles and the thumb.
    pub hand: Vec2,
    /// How surely the elbow is seen, 0..1.
    pub elbow_seen: f32,
    /// How surely the wrist is seen, 0..1.
    pub wrist_seen: f32,
    /// Depth of the elbow, smaller is nearer.
    pub depth: f32,
    /// Half thickness of the upper arm with what it wears.
    pub upper_radius: f32,
    /// Half thickness of the forearm with what it wears.
    pub fore_radius: f32,
    /// Unit normal of the upper arm that points away from the torso.
    pub outward: Vec2,
}

/// One leg.
#[derive(Clone, Copy, Debug)]
pub struct Leg {
    /// Hip joint.
    pub hip: Vec2,
    /// Knee.
    pub knee: Vec2,
    /// Ankle.
    pub ankle: Vec2,
}

/// Where the face is.
#[derive(Clone, Copy, Debug)]
pub struct Face {
    /// Eyes, `[image left, image right]`.
    pub eye: [Vec2; 2],
    /// Ears.
    pub ear: [Vec2; 2],
    /// Corners of the mouth.
    pub mouth: [Vec2; 2],
    /// Unit vector from mouth to eyes.
    pub up: Vec2,
    /// Distance from eyes to mouth.
    pub height: f32,
    /// Distance between the ears.
    pub width: f32,
    /// Tip of the chin.
    pub chin: Vec2,
}

impl Face {
    /// Middle of the eyes.
    pub fn eyes(&self) -> Vec2 {
        self.eye[0].midpoint(self.eye[1])
    }

    /// Middle of the mouth.
    pub fn mouth_middle(&self) -> Vec2 {
        self.mouth[0].midpoint(self.mouth[1])
    }
}

/// The person's frame on the working grid.
#[derive(Clone, Debug)]
pub struct Body {
    /// Distance between the shoulder joints.
    pub shoulder_width: f32,
    /// Distance between the shoulder tips.
    pub tip_width: f32,
    /// Middle of the shoulder joints.
    pub middle: Vec2,
    /// Unit vector from the shoulders down the trunk.
    pub down: Vec2,
    /// Unit vector to the image right, perpendicular to `down`.
    pub right: Vec2,
    /// Shoulders to hips.
    pub torso_length: f32,
    /// How surely the hips are seen, 0..1.
    pub hips_seen: f32,
    /// Half the distance of the hip joints.
    pub hip_half_width: f32,
    /// Arms.
    pub arm: [Arm; 2],
    /// Legs.
    pub leg: [Leg; 2],
    /// Face.
    pub face: Face,
}

/// Distance from `from` along `direction` to the first cell below one half, between `low` and `high`.
/// `None` where the ray leaves the plane before it finds one.
pub fn ray(mask: &Plane, from: Vec2, direction: Vec2, low: f32, high: f32) -> Option<f32> {
    let mut before: Option<(f32, f32)> = None;
    let mut at = low;
    while at <= high {
        let position = from + direction * at;
        if !mask.contains(position) {
            return None;
        }
        let value = mask.sample(position);
        if value < 0.5 {
            return Some(match before {
                Some((t, v)) => t + (at - t) * (v - 0.5) / (v - value),
                None => at,
            });
        }
        before = Some((at, value));
        at += 0.75;
    }
    Some(high)
}

/// Where the trunk ends on one side.
#[derive(Clone, Copy)]
enum Edge {
    /// At the silhouette.
    Outline(f32),
    /// Somewhere under an arm.
    Arm(f32),
    /// Beyond the picture.
    Nowhere,
}

/// Distance along the ray to the segment `a`–`b`.
pub fn meets(from: Vec2, direction: Vec2, a: Vec2, b: Vec2) -> Option<f32> {
    let along = b - a;
    let determinant = direction.perp_dot(along);
    if determinant.abs() < 1e-6 {
        return None;
    }
    let t = (a - from).perp_dot(along) / determinant;
    let u = (a - from).perp_dot(direction) / determinant;
    (t > 0.0 && (0.0..=1.0).contains(&u)).then_some(t)
}

fn median(values: &mut [f32]) -> Option<f32> {
    if values.is_empty() {
        return None;
    }
    values.sort_by(f32::total_cmp);
    Some(values[values.len() / 2])
}

impl Body {
    /// Reads the frame from the landmarks and the silhouette on the same grid.
    pub fn read(person: &Person, grid: &Grid, mask: &Plane) -> Self {
        use landmark::*;
        let at = |index: usize| grid.from_picture(person.position(index));
        let seen = |index: usize| person.landmarks[index].visibility;
        let pair = |image_left: usize, image_right: usize| [at(image_left), at(image_right)];

        let joint = pair(RIGHT_SHOULDER, LEFT_SHOULDER);
        let across = (joint[1] - joint[0]).normalize_or(Vec2::X);
        let sw = joint[0].distance(joint[1]).max(4.0);
        let middle = joint[0].midpoint(joint[1]);
        let hip = pair(RIGHT_HIP, LEFT_HIP);
        let hips = hip[0].midpoint(hip[1]);
        let in_picture = hips.y < mask.height as f32 * 1.02;
        let hips_seen = if in_picture { seen(RIGHT_HIP).min(seen(LEFT_HIP)) } else { 0.0 };
        let mut square = Vec2::new(-across.y, across.x);
        if square.y < 0.0 {
            square = -square;
        }
        let to_hips = (hips - middle).normalize_or(square);
        let down = (hips_seen * to_hips + (1.25 - hips_seen) * square).normalize_or(Vec2::Y);
        let right = Vec2::new(down.y, -down.x);
        let torso_length =
            if hips_seen > 0.5 { middle.distance(hips).max(0.5 * sw) } else { 1.55 * sw };

        let eye = pair(RIGHT_EYE, LEFT_EYE);
        let ear = pair(RIGHT_EAR, LEFT_EAR);
        let mouth = pair(MOUTH_RIGHT, MOUTH_LEFT);
        let (eyes, lips) = (eye[0].midpoint(eye[1]), mouth[0].midpoint(mouth[1]));
        let up = (eyes - lips).normalize_or(-Vec2::Y);
        let face_height = eyes.distance(lips).max(1.0);
        let face = Face {
            eye,
            ear,
            mouth,
            up,
            height: face_height,
            width: ear[0].distance(ear[1]),
            chin: lips - up * face_height * 0.8,
        };

        let arm = [
            (RIGHT_ELBOW, RIGHT_WRIST, [RIGHT_PINKY, RIGHT_INDEX, RIGHT_THUMB]),
            (LEFT_ELBOW, LEFT_WRIST, [LEFT_PINKY, LEFT_INDEX, LEFT_THUMB]),
        ]
        .into_iter()
        .enumerate()
        .map(|(side, (elbow, wrist, fingers))| {
            let sign = SIGN[side];
            let hand = fingers.iter().map(|&i| at(i)).sum::<Vec2>() / 3.0;
            read_arm(
                ArmLandmarks {
                    joint: joint[side],
                    elbow: at(elbow),
                    wrist: at(wrist),
                    hand,
                    elbow_seen: seen(elbow),
                    wrist_seen: seen(wrist),
                    depth: person.landmarks[elbow].depth,
                    away: across * sign,
                    down,
                    sw,
                },
                mask,
            )
        })
        .collect::<Vec<_>>();
        let arm = [arm[0], arm[1]];
        let leg = [(RIGHT_HIP, RIGHT_KNEE, RIGHT_ANKLE), (LEFT_HIP, LEFT_KNEE, LEFT_ANKLE)]
            .map(|(hip, knee, ankle)| Leg { hip: at(hip), knee: at(knee), ankle: at(ankle) });
        Self {
            shoulder_width: sw,
            tip_width: arm[0].tip.distance(arm[1].tip),
            middle,
            down,
            right,
            torso_length,
            hips_seen,
            hip_half_width: hip[0].distance(hip[1]) * 0.5,
            arm,
            leg,
            face,
        }
    }

    /// A position from its axial (down from the shoulder line) and lateral (to the image right) parts.
    pub fn place(&self, axial: f32, lateral: f32) -> Vec2 {
        self.middle + self.down * axial + self.right * lateral
    }

    /// Axial and lateral parts of a position.
    pub fn parts(&self, position: Vec2) -> (f32, f32) {
        let from = position - self.middle;
        (from.dot(self.down), from.dot(self.right))
    }

    /// Half width of the trunk at an axial distance, without the arms: where the silhouette ends, or where
    /// an arm lies in front, that arm's middle and most of its thickness, so that cloth runs on under it.
    ///
    /// An arm that touches the outline hides where the trunk ends; there the other side decides, if it can
    /// be seen.
    pub fn half_width(&self, mask: &Plane, axial: f32, side: usize) -> f32 {
        let model = self.model_half_width(axial);
        let own = self.trunk_edge(mask, axial, side);
        let edge = match own {
            Edge::Outline(edge) => edge,
            Edge::Arm(under) => match self.trunk_edge(mask, axial, 1 - side) {
                Edge::Outline(other) => under.min(1.15 * other.max(0.9 * model)),
                _ => under.min(1.15 * model),
            },
            Edge::Nowhere => model,
        };
        edge.clamp(0.82 * model, 1.45 * model)
    }

    /// Half width that a trunk of these joints usually has at an axial distance.
    pub fn model_half_width(&self, axial: f32) -> f32 {
        let sw = self.shoulder_width;
        let f = (axial / self.torso_length).clamp(0.0, 1.0);
        let model = sw * (0.60 - 0.06 * f);
        if self.hips_seen <= 0.5 {
            return model;
        }
        let at_hips = (1.75 * self.hip_half_width).clamp(0.45 * sw, 0.75 * sw);
        model * (1.0 - f) + at_hips * f
    }

    fn trunk_edge(&self, mask: &Plane, axial: f32, side: usize) -> Edge {
        let sw = self.shoulder_width;
        let from = self.place(axial, 0.0);
        let outward = self.right * SIGN[side];
        let arm = &self.arm[side];
        let edge = match ray(mask, from, outward, 0.25 * sw, 1.1 * sw) {
            Some(edge) => Edge::Outline(edge),
            None => Edge::Nowhere,
        };
        let hit = [
            (arm.joint, arm.elbow, arm.upper_radius, 1.0),
            (arm.elbow, arm.wrist, arm.fore_radius, arm.wrist_seen),
        ]
        .into_iter()
        .filter(|(_, _, _, seen)| *seen >= 0.3)
        .filter_map(|(a, b, radius, _)| {
            let hit = meets(from, outward, a, b).filter(|&hit| hit > 0.40 * sw)?;
            Some(hit + 0.85 * radius)
        })
        .reduce(f32::min);
        match (edge, hit) {
            (Edge::Outline(edge), Some(under)) if edge < under => Edge::Outline(edge),
            (_, Some(under)) => Edge::Arm(under),
            (edge, None) => edge,
        }
    }

    /// Half width of the neck just below the chin.
    pub fn neck_half_width(&self, mask: &Plane) -> f32 {
        let sw = self.shoulder_width;
        let from = self.face.chin - self.face.up * 0.35 * self.face.height;
        let across = Vec2::new(-self.face.up.y, self.face.up.x);
        let reach =
            |direction: Vec2| ray(mask, from, direction, 0.05 * sw, 0.4 * sw).unwrap_or(0.19 * sw);
        // A high collar hides the neck; it is no wider than this share of the head.
        let widest = 0.44 * self.face.width.max(1.25 * self.face.height);
        (0.5 * (reach(across) + reach(-across))).min(widest).clamp(0.13 * sw, 0.24 * sw)
    }

    /// Lateral distance of the armpit at an axial distance: the inner edge of the arm where it hangs before
    /// the trunk's side, else `otherwise`.
    pub fn armpit_lateral(&self, axial: f32, side: usize, otherwise: f32) -> f32 {
        let sw = self.shoulder_width;
        let arm = &self.arm[side];
        let outward = self.right * SIGN[side];
        let hit = meets(self.place(axial, 0.0), outward, arm.joint, arm.elbow);
        match hit {
            Some(hit) => (hit - 0.9 * arm.upper_radius).clamp(0.34 * sw, otherwise.max(0.34 * sw)),
            None => otherwise,
        }
    }
}

/// Sign of the image direction that points outwards on each side.
pub const SIGN: [f32; 2] = [-1.0, 1.0];

struct ArmLandmarks {
    joint: Vec2,
    elbow: Vec2,
    wrist: Vec2,
    hand: Vec2,
    elbow_seen: f32,
    wrist_seen: f32,
    depth: f32,
    away: Vec2,
    down: Vec2,
    sw: f32,
}

fn read_arm(arm: ArmLandmarks, mask: &Plane) -> Arm {
    let ArmLandmarks { joint, sw, away, down, .. } = arm;
    let diagonal = (away - down).normalize_or(away);
    let lift = ray(mask, joint, diagonal, 0.02 * sw, 0.30 * sw).unwrap_or(0.17 * sw);
    let tip = joint + diagonal * lift.clamp(0.10 * sw, 0.26 * sw);

    let (mut elbow, mut elbow_seen) = (arm.elbow, arm.elbow_seen);
    if joint.distance(elbow) < 0.15 * sw {
        elbow = joint + (down + 0.1 * away) * 0.3 * sw;
    }
    let inside = |p: Vec2| mask.contains(p) && p.y < mask.height as f32 * 0.985;
    let (mut wrist, mut hand, mut wrist_seen) = (arm.wrist, arm.hand, arm.wrist_seen);
    if !inside(elbow) || !mask.contains(wrist) {
        wrist_seen = wrist_seen.min(0.1);
        wrist = elbow + (elbow - joint) * 0.85;
        hand = wrist + (elbow - joint) * 0.2;
        if !inside(elbow) {
            elbow_seen = elbow_seen.min(0.2);
        }
    }

    let along = (elbow - joint).normalize_or(down);
    let mut outward = Vec2::new(-along.y, along.x);
    if outward.dot(away) < 0.0 {
        outward = -outward;
    }
    let mut upper: Vec<f32> = [0.35, 0.5, 0.65, 0.8]
        .iter()
        .filter_map(|&f| ray(mask, joint.lerp(elbow, f), outward, 0.02 * sw, 0.30 * sw))
        .collect();
    let upper_radius = median(&mut upper).unwrap_or(0.15 * sw).clamp(0.11 * sw, 0.22 * sw);
    let fore_along = (wrist - elbow).normalize_or(along);
    let fore_normal = Vec2::new(-fore_along.y, fore_along.x);
    let mut fore: Vec<f32> = [0.3, 0.5, 0.7]
        .iter()
        .flat_map(|&f| [(f, 1.0), (f, -1.0)])
        .filter_map(|(f, s)| ray(mask, elbow.lerp(wrist, f), fore_normal * s, 0.02 * sw, 0.25 * sw))
        .collect();
    let fore_radius = median(&mut fore).unwrap_or(0.11 * sw).clamp(0.085 * sw, 0.15 * sw);
    Arm {
        joint,
        tip,
        elbow,
        wrist,
        hand,
        elbow_seen,
        wrist_seen,
        depth: arm.depth,
        upper_radius,
        fore_radius,
        outward,
    }
}
