//! Where people are: BlazePose's detector over a square of the picture.

use super::crop::Pyramid;
use super::net::Net;
use super::{PerceptionError, RotatedSquare, sigmoid};
use glam::Vec2;

/// Side of the detector's input, pixels.
const INPUT: usize = 224;
/// A detection at least this probable is a person.
pub(super) const CERTAIN: f32 = 0.5;
/// The best detection of a picture counts from here, where none is certain.
pub(super) const POSSIBLE: f32 = 0.3;
/// Detections whose boxes overlap more than this (intersection over union) are one person.
const SAME_BOX: f32 = 0.3;

/// The detector net and the places that its outputs refer to.
pub(super) struct Detector {
    net: Net,
    anchors: Vec<Vec2>,
}

/// A person as the detector sees one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Detection {
    pub score: f32,
    /// Corners of the head's box.
    pub low: Vec2,
    pub high: Vec2,
    /// Between the hips.
    pub centre: Vec2,
    /// A point on the circle round the whole body.
    pub rim: Vec2,
}

impl Detector {
    /// The net itself.
    pub fn net(&self) -> &Net {
        &self.net
    }

    pub fn load(directory: &std::path::Path) -> Result<Self, PerceptionError> {
        let anchors = anchors();
        let choices = include_str!("choices/pose_detection.toml");
        let net = Net::load(&models::published::POSE_DETECTION, directory, choices)?;
        Ok(Self { net, anchors })
    }

    /// People in a square of the picture whose score reaches `least`, best first, each once;
    /// positions in picture pixels.
    pub fn detect(
        &self,
        pyramid: &Pyramid,
        square: RotatedSquare,
        least: f32,
    ) -> Result<Vec<Detection>, PerceptionError> {
        let crop = pyramid.crop(square, INPUT, 1.0 / 127.5, -1.0);
        let outputs = self.net.run(&crop)?;
        let (boxes, scores) = (&outputs[0].values, &outputs[1].values);
        let to_picture = square.crop_to_picture(INPUT);
        let found = boxes
            .as_chunks::<12>()
            .0
            .iter()
            .zip(scores)
            .zip(&self.anchors)
            .filter(|((_, score), _)| sigmoid(**score) >= least)
            .map(|((values, &score), &anchor)| {
                let anchor = anchor * INPUT as f32;
                let at = |x: f32, y: f32| to_picture.transform_point2(anchor + Vec2::new(x, y));
                let half = Vec2::new(values[2], values[3]) / 2.0;
                Detection {
                    score: sigmoid(score),
                    low: at(values[0] - half.x, values[1] - half.y),
                    high: at(values[0] + half.x, values[1] + half.y),
                    centre: at(values[4], values[5]),
                    rim: at(values[6], values[7]),
                }
            })
            .collect();
        Ok(merge(found))
    }
}

impl Detection {
    /// The square that the landmark net should see.
    pub fn region(&self) -> RotatedSquare {
        super::pose::region(self.centre, self.rim)
    }

    fn overlap(&self, other: &Self) -> f32 {
        let area = |low: Vec2, high: Vec2| (high - low).max(Vec2::ZERO).element_product();
        let shared = area(self.low.max(other.low), self.high.min(other.high));
        let union = area(self.low, self.high) + area(other.low, other.high) - shared;
        if union > 0.0 { shared / union } else { 0.0 }
    }
}

/// Centres of the detector's cells, 0..1: two for each cell of a 28 and of a 14 grid, six for a 7.
fn anchors() -> Vec<Vec2> {
    let mut anchors = Vec::new();
    for (grid, count) in [(28, 2), (14, 2), (7, 6)] {
        for cell in 0..grid * grid {
            let place = Vec2::new((cell % grid) as f32, (cell / grid) as f32);
            anchors.extend(std::iter::repeat_n((place + 0.5) / grid as f32, count));
        }
    }
    anchors
}

/// Weighted non-maximum suppression: each group of overlapping detections becomes their mean,
/// weighted by score, with the score of the best.
fn merge(mut found: Vec<Detection>) -> Vec<Detection> {
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut merged = Vec::new();
    while let Some(&best) = found.first() {
        let (group, rest): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|d| d == &best || best.overlap(d) > SAME_BOX);
        let total: f32 = group.iter().map(|d| d.score).sum();
        let mean = |place: fn(&Detection) -> Vec2| {
            group.iter().map(|d| place(d) * d.score).sum::<Vec2>() / total
        };
        merged.push(Detection {
            score: best.score,
            low: mean(|d| d.low),
            high: mean(|d| d.high),
            centre: mean(|d| d.centre),
            rim: mean(|d| d.rim),
        });
        found = rest;
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detection(score: f32, x: f32) -> Detection {
        Detection {
            score,
            low: Vec2::new(x, 0.0),
            high: Vec2::new(x + 10.0, 10.0),
            centre: Vec2::new(x + 5.0, 30.0),
            rim: Vec2::new(x + 5.0, -10.0),
        }
    }

    #[test]
    fn there_is_an_anchor_for_each_output() {
        let anchors = anchors();
        assert_eq!(anchors.len(), 2254);
        assert_eq!(anchors[0], Vec2::splat(0.5 / 28.0));
        assert_eq!(anchors[1], anchors[0]);
        assert_eq!(anchors[2253], Vec2::splat(6.5 / 7.0));
    }

    #[test]
    fn overlapping_detections_become_one_and_distant_ones_stay() {
        let merged = merge(vec![detection(0.6, 2.0), detection(0.9, 0.0), detection(0.7, 40.0)]);
        assert_eq!(merged.len(), 2);
        assert_eq!(merged[0].score, 0.9);
        assert!((merged[0].low.x - 2.0 * 0.6 / 1.5).abs() < 1e-5);
        assert_eq!(merged[1], detection(0.7, 40.0));
    }

    #[test]
    fn a_box_without_area_overlaps_nothing() {
        let mut flat = detection(0.8, 0.0);
        flat.high = flat.low;
        assert_eq!(merge(vec![flat, detection(0.7, 0.0), flat]).len(), 2);
    }
}
