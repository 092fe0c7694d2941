//! The person's outline on the working grid, from two nets and the colours of the picture.
//!
//! The pose net's mask knows which person is meant but loses wide clothes; selfie segmentation sees the
//! clothes but also bystanders. Above the hips the better of both counts near the pose mask, below
//! them mostly the pose mask. A colour histogram then decides the band along the outline, and a guided
//! filter moves the outline onto the picture's edges.

use super::grid::Grid;
use crate::filter::{GuideStatistics, Guided, distance_to, gaussian, smoothstep};
use crate::perception::{Person, landmark};
use crate::plane::Plane;

/// The picture on the working grid.
#[derive(Clone, Debug)]
pub struct Colours {
    /// sRGB-encoded red, green, blue, 0..1.
    pub rgb: [Plane; 3],
    /// CIE L\*a\*b\*.
    pub lab: [Plane; 3],
    /// Luma, 0..1.
    pub luma: Plane,
}

/// Share of each cell that belongs to the person, 0..1.
pub fn silhouette(
    person: &Person,
    others: &[Person],
    grid: &Grid,
    colours: &Colours,
    shoulder_width: f32,
) -> Plane {
    let fused = fuse(person, others, grid, shoulder_width);
    let sharpened = decide_by_colour(&fused, &colours.lab, shoulder_width);
    let radius = (grid.width.max(grid.height) / 100).max(2);
    let guide = GuideStatistics::new(&colours.luma, radius);
    let refined = Guided::fit(&guide, &sharpened, 1e-4).on(&colours.luma);
    refined.map(|v| ((v - 0.35) / 0.35).clamp(0.0, 1.0))
}

fn composed(person: &Person, grid: &Grid) -> (Plane, Plane) {
    let on_grid = |mask: &crate::perception::CropMask| {
        mask.composed(grid.origin, grid.scale, grid.width, grid.height, 0.0)
    };
    (on_grid(&person.pose_mask), on_grid(&person.selfie_mask))
}

fn fuse(person: &Person, others: &[Person], grid: &Grid, shoulder_width: f32) -> Plane {
    let (mut pose, mut selfie) = composed(person, grid);
    for other in others {
        let (theirs, _) = composed(other, grid);
        for (i, &their) in theirs.data.iter().enumerate() {
            let mine = pose.data[i];
            let share = mine / (mine + their + 1e-3);
            let keep = if their > 0.5 { smoothstep(share, 0.25, 0.6) } else { 1.0 };
            pose.data[i] *= keep;
            selfie.data[i] *= keep;
        }
    }
    let beyond = distance_to(&pose, |v| v > 0.5);
    let hips =
        0.5 * (person.position(landmark::LEFT_HIP).y + person.position(landmark::RIGHT_HIP).y);
    let waist = (hips - grid.origin.y) / grid.scale + 0.2 * shoulder_width;
    Plane::from_fn(grid.width, grid.height, |x, y| {
        let (p, s) = (pose.at(x, y), selfie.at(x, y));
        let near = (1.5 - beyond.at(x, y) / (0.16 * shoulder_width)).clamp(0.0, 1.0);
        if (y as f32) < waist {
            (0.5 * p + 0.5 * s).max(s * near)
        } else {
            0.7 * p + 0.3 * s * near
        }
    })
}

const BINS: [usize; 3] = [16, 32, 32];

fn bin(lab: &[Plane; 3], i: usize) -> usize {
    let l = (lab[0].data[i] * (BINS[0] as f32 / 100.0)) as usize;
    let a = ((lab[1].data[i] + 128.0) / 8.0) as usize;
    let b = ((lab[2].data[i] + 128.0) / 8.0) as usize;
    (l.min(BINS[0] - 1) * BINS[1] + a.min(BINS[1] - 1)) * BINS[2] + b.min(BINS[2] - 1)
}

/// Bayes' rule with colour histograms of what is surely person and surely background, in a band along
/// the outline only.
fn decide_by_colour(fused: &Plane, lab: &[Plane; 3], shoulder_width: f32) -> Plane {
    let (outside, inside) =
        rayon::join(|| distance_to(fused, |v| v >= 0.5), || distance_to(fused, |v| v < 0.5));
    let count = BINS.iter().product();
    let (mut person, mut background) = (vec![0.0f32; count], vec![0.0f32; count]);
    let bins: Vec<u16> = (0..fused.data.len()).map(|i| bin(lab, i) as u16).collect();
    for (i, &p) in fused.data.iter().enumerate() {
        if p > 0.9 {
            person[bins[i] as usize] += 1.0;
        } else if p < 0.05 && outside.data[i] < 0.9 * shoulder_width {
            background[bins[i] as usize] += 1.0;
        }
    }
    normalise(&mut person);
    normalise(&mut background);
    let mut posterior = fused.clone();
    for i in 0..fused.data.len() {
        let far_out = (1.5 - outside.data[i] / (0.14 * shoulder_width)).clamp(0.0, 1.0);
        let far_in = (1.5 - inside.data[i] / (0.05 * shoulder_width)).clamp(0.0, 1.0);
        let band = far_out * far_in;
        if band == 0.0 {
            continue;
        }
        let prior = fused.data[i].clamp(0.15, 0.97);
        let of_person = person[bins[i] as usize] + 2e-5;
        let of_background = background[bins[i] as usize] + 2e-5;
        let decided = prior * of_person / (prior * of_person + (1.0 - prior) * of_background);
        // Clothes may have the background's colour: what the nets are sure of stays.
        let sure = smoothstep(fused.data[i], 0.6, 0.8);
        let decided = decided.max(fused.data[i] * sure);
        posterior.data[i] = fused.data[i] * (1.0 - band) + decided * band;
    }
    let smooth = gaussian(&posterior, 1.0);
    // Speckle goes: a lone cell follows its neighbourhood.
    Plane::from_fn(fused.width, fused.height, |x, y| {
        let (own, around) = (posterior.at(x, y), smooth.at(x, y));
        own.clamp(around - 0.35, around + 0.35)
    })
}

/// Smooths a histogram with a 3-tap kernel along each axis and scales it to sum 1.
fn normalise(histogram: &mut [f32]) {
    super::histogram::smooth(histogram, BINS);
    let sum: f32 = histogram.iter().sum::<f32>() + 1e-6;
    histogram.iter_mut().for_each(|v| *v /= sum);
}
