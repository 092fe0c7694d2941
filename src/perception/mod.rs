//! Nets in, geometry out: who stands where in a picture.
//!
//! [`Perception::perceive`] looks at a still picture; a [`Tracker`] follows one person through video.

mod crop;
mod detector;
mod facing;
mod mask;
mod measures;
mod net;
mod one_euro;
mod pose;
mod segmentation;
mod tracking;

pub use facing::Facing;
pub use one_euro::{OneEuro, Response};
pub use tracking::Tracker;

use crate::picture::Picture;
use crate::plane::Plane;
use crate::runtime::engine::RuntimeError;
use crate::runtime::lower::LowerError;
use crop::Pyramid;
use detector::{Detection, Detector};
use glam::{Affine2, Mat2, Vec2, Vec3};
use pose::{Pose, PoseNet};
use rayon::prelude::*;
use segmentation::Segmentation;
use std::path::{Path, PathBuf};

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

/// What went wrong in loading or running the nets.
#[derive(Debug, thiserror::Error)]
pub enum PerceptionError {
    /// A model file is not there.
    #[error("the model file {path} is missing; `vitrine models fetch` gets it")]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A model file cannot be read.
    #[error("cannot read the model file {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A model file is not a net that this runtime reads.
    #[error("the model file {path} is not usable: {source}; `vitrine models fetch` replaces it")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: models::ModelError,
    },
    /// A model file holds another net than its name says.
    #[error(
        "the model file {path} holds another net: expected input {expected_input:?} and outputs \
         {expected_outputs:?}, found {found_input:?} and {found_outputs:?}"
    )]
    OtherNet {
        /// The file.
        path: PathBuf,
        /// The shape that the input should have.
        expected_input: Vec<usize>,
        /// The shapes that the outputs should have.
        expected_outputs: Vec<Vec<usize>>,
        /// The input's shape in the file.
        found_input: Vec<usize>,
        /// The outputs' shapes in the file.
        found_outputs: Vec<Vec<usize>>,
    },
    /// A net cannot be brought to the kernels.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// A net does not run.
    #[error(transparent)]
    Net(#[from] RuntimeError),
}

/// A crop with less than this probability of holding a person does not count.
const LEAST_PRESENCE: f32 = 0.5;
/// Most people reported.
const PEOPLE_LIMIT: usize = 4;
/// Most detections that are looked at closely.
const CANDIDATE_LIMIT: usize = 8;
/// Pictures smaller than this gain nothing from a look at their parts.
const LEAST_TILED_SIDE: f32 = 256.0;
/// Two bodies whose points are this near on average, in regions' sides, are one.
const SAME_BODY_DISTANCE: f32 = 0.08;
/// Two bodies whose regions overlap less than this are not one.
const SAME_BODY_OVERLAP: f32 = 0.3;

/// The three nets, loaded; shared freely between threads.
pub struct Perception {
    detector: Detector,
    pose: PoseNet,
    segmentation: Segmentation,
}

impl Perception {
    /// Loads the nets named in [`models::published::NETS`] from a folder.
    ///
    /// # Errors
    /// [`PerceptionError`] naming the file that is missing, unreadable, damaged or another net.
    pub fn load(directory: &Path) -> Result<Self, PerceptionError> {
        let (detector, (pose, segmentation)) = rayon::join(
            || Detector::load(directory),
            || rayon::join(|| PoseNet::load(directory), || Segmentation::load(directory)),
        );
        Ok(Self { detector: detector?, pose: pose?, segmentation: segmentation? })
    }

    /// Drops the memory in which the nets worked; the next picture takes new.
    pub fn wipe(&self) {
        for net in [self.detector.net(), self.pose.net(), self.segmentation.net()] {
            net.wipe();
        }
    }

    /// The people in a still picture, largest first, at most four; nobody is an empty list.
    ///
    /// # Errors
    /// [`PerceptionError::Net`] if a net fails.
    pub fn perceive(&self, picture: &Picture) -> Result<Vec<Person>, PerceptionError> {
        if picture.width == 0 || picture.height == 0 {
            return Ok(Vec::new());
        }
        let pyramid = Pyramid::new(picture);
        let mut poses = self.poses(
            &pyramid,
            self.detector.detect(&pyramid, pyramid.whole(), detector::POSSIBLE)?,
        )?;
        if poses.is_empty() {
            poses = self.poses(&pyramid, self.detect_in_tiles(&pyramid)?)?;
        }
        poses.sort_by(|a, b| b.region.side.total_cmp(&a.region.side));
        poses.truncate(PEOPLE_LIMIT);
        poses.into_par_iter().map(|pose| self.person(&pyramid, pose)).collect()
    }

    /// Looks at overlapping squares of half the picture's size, for people too small for the
    /// detector's grid over the whole.
    fn detect_in_tiles(&self, pyramid: &Pyramid) -> Result<Vec<Detection>, PerceptionError> {
        let found = tiles(pyramid.width as f32, pyramid.height as f32)
            .into_par_iter()
            .map(|tile| self.detector.detect(pyramid, tile, detector::CERTAIN))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Reads the bodies that were detected: twice each, so that the second reading sees the region
    /// that the first asks for. Every body is there once.
    fn poses(
        &self,
        pyramid: &Pyramid,
        mut found: Vec<Detection>,
    ) -> Result<Vec<Pose>, PerceptionError> {
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        let certain = found.iter().filter(|d| d.score >= detector::CERTAIN).count();
        found.truncate(certain.clamp(1, CANDIDATE_LIMIT));
        let read = found
            .par_iter()
            .map(|detection| self.refined(pyramid, detection.region()))
            .collect::<Result<Vec<_>, _>>()?;
        let mut poses: Vec<Pose> = Vec::new();
        for pose in read.into_iter().flatten() {
            if poses.iter().all(|other| !same_body(other, &pose)) {
                poses.push(pose);
            }
        }
        Ok(poses)
    }

    fn refined(
        &self,
        pyramid: &Pyramid,
        region: RotatedSquare,
    ) -> Result<Option<Pose>, PerceptionError> {
        if !region.is_usable() {
            return Ok(None);
        }
        let first = self.pose.read(pyramid, region)?;
        if first.presence < LEAST_PRESENCE || !first.region.is_usable() {
            return Ok(None);
        }
        let second = self.pose.read(pyramid, first.region)?;
        Ok((second.presence >= LEAST_PRESENCE && second.region.is_usable()).then_some(second))
    }

    fn person(&self, pyramid: &Pyramid, pose: Pose) -> Result<Person, PerceptionError> {
        let picture = Vec2::new(pyramid.width as f32, pyramid.height as f32);
        let region = segmentation::region(&pose.landmarks, pose.region, picture);
        let selfie_mask = self.segmentation.mask(pyramid, region)?;
        Ok(Person::of(pose, selfie_mask))
    }
}

impl Person {
    fn of(pose: Pose, selfie_mask: CropMask) -> Self {
        Self {
            landmarks: pose.landmarks,
            world: pose.world,
            presence: pose.presence,
            pose_mask: pose.mask,
            selfie_mask,
        }
    }
}

impl RotatedSquare {
    /// Whether a crop can be taken: finite, and neither a point nor absurdly large.
    fn is_usable(&self) -> bool {
        self.centre.is_finite() && self.angle.is_finite() && (1.0..1e6).contains(&self.side)
    }

    /// Intersection over union of the upright squares of the same centres and sides.
    fn overlap(&self, other: &Self) -> f32 {
        let reach = (self.side + other.side) / 2.0 - (self.centre - other.centre).abs();
        let extent = reach.clamp(Vec2::ZERO, Vec2::splat(self.side.min(other.side)));
        let shared = extent.element_product();
        shared / (self.side * self.side + other.side * other.side - shared)
    }
}

/// Whether two readings are of one person: people side by side or behind each other have
/// overlapping regions too, but their points lie apart.
fn same_body(a: &Pose, b: &Pose) -> bool {
    let apart = a.landmarks.iter().zip(&b.landmarks).map(|(a, b)| a.position.distance(b.position));
    let distance = apart.sum::<f32>() / a.landmarks.len() as f32;
    a.region.overlap(&b.region) > SAME_BODY_OVERLAP
        && distance < SAME_BODY_DISTANCE * a.region.side.max(b.region.side)
}

/// Squares of half the longer side that cover a picture, each overlapping its neighbour by half or
/// more; none for a small picture.
fn tiles(width: f32, height: f32) -> Vec<RotatedSquare> {
    let side = width.max(height) / 2.0;
    if 2.0 * side < LEAST_TILED_SIDE {
        return Vec::new();
    }
    let centres = |extent: f32| {
        let spare = (extent - side).max(0.0);
        let steps = (spare / (side / 2.0)).ceil().max(1.0) as usize;
        let single = spare == 0.0;
        (0..=if single { 0 } else { steps }).map(move |i| {
            if single { extent / 2.0 } else { side / 2.0 + spare * i as f32 / steps as f32 }
        })
    };
    centres(height)
        .flat_map(|y| centres(width).map(move |x| Vec2::new(x, y)))
        .map(|centre| RotatedSquare { centre, side, angle: 0.0 })
        .collect()
}

fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A person with every point at the origin and empty masks.
    pub(super) fn person() -> Person {
        let region = RotatedSquare { centre: Vec2::ZERO, side: 1.0, angle: 0.0 };
        let mask = CropMask { region, probability: Plane::filled(1, 1, 0.0) };
        Person {
            landmarks: [Landmark { visibility: 1.0, presence: 1.0, ..Landmark::default() }; 33],
            world: [Vec3::ZERO; 33],
            presence: 1.0,
            pose_mask: mask.clone(),
            selfie_mask: mask,
        }
    }

    #[test]
    fn every_point_of_a_picture_lies_in_a_tile_with_room_around_it() {
        for (width, height) in [(640.0, 480.0), (300.0, 1200.0), (1000.0, 1000.0), (4000.0, 90.0)] {
            let tiles = tiles(width, height);
            assert!(tiles.len() <= 9);
            for step in 0..400 {
                let point = Vec2::new(
                    width * (step % 20) as f32 / 19.0,
                    height * (step / 20) as f32 / 19.0,
                );
                let room = tiles
                    .iter()
                    .any(|t| (point - t.centre).abs().max_element() <= t.side / 2.0 + 1e-3);
                assert!(room, "{point} of {width} × {height}");
            }
        }
        assert!(tiles(200.0, 100.0).is_empty());
    }

    #[test]
    fn overlap_is_one_for_equal_regions_and_zero_for_distant_ones() {
        let square =
            |x: f32, side: f32| RotatedSquare { centre: Vec2::new(x, 0.0), side, angle: 0.2 };
        assert!((square(0.0, 4.0).overlap(&square(0.0, 4.0)) - 1.0).abs() < 1e-6);
        assert_eq!(square(0.0, 4.0).overlap(&square(9.0, 4.0)), 0.0);
        assert!((square(0.0, 4.0).overlap(&square(2.0, 4.0)) - 8.0 / 24.0).abs() < 1e-6);
        assert!((square(0.0, 4.0).overlap(&square(0.0, 2.0)) - 0.25).abs() < 1e-6);
    }

    #[test]
    fn a_crop_maps_its_centre_to_the_region_centre() {
        let region = RotatedSquare { centre: Vec2::new(40.0, 30.0), side: 64.0, angle: 0.3 };
        let mapped = region.crop_to_picture(256).transform_point2(Vec2::splat(128.0));
        assert!((mapped - region.centre).length() < 1e-4);
    }
}
