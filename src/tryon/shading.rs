//! Light of the scene on the new cloth: folds of the old clothes, exposure and colour cast.

use super::parts::Parts;
use super::silhouette::Colours;
use crate::filter::{combine, gaussian, gaussian_where, smoothstep};
use crate::plane::Plane;

/// Affine colour match, one gain and offset per channel, on sRGB-encoded values 0..1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tone {
    offset: [f32; 3],
    gain: [f32; 3],
}

impl Tone {
    /// Exposure range of the scene (1st and 99th percentile of luma) and a part of its colour cast
    /// (shades of grey with Minkowski norm 6; Finlayson and Trezzi, 2004).
    pub fn of_scene(colours: &Colours) -> Self {
        let mut luma = colours.luma.data.clone();
        let n = luma.len();
        let mut percentile = |share: f32| {
            let at = ((n - 1) as f32 * share) as usize;
            *luma.select_nth_unstable_by(at, f32::total_cmp).1
        };
        let low = percentile(0.01).min(0.10) * 0.7;
        let high = percentile(0.99).clamp(0.88, 1.0);
        let norm: [f32; 3] = std::array::from_fn(|c| {
            let values = &colours.rgb[c].data;
            let sum: f32 = values.iter().step_by(17).map(|v| v.powi(6)).sum();
            (sum / values.len().div_ceil(17) as f32).powf(1.0 / 6.0) + 1e-3
        });
        let mean = norm.iter().sum::<f32>() / 3.0;
        let cast = norm.map(|v| (v / mean).powf(0.30));
        Self { offset: cast.map(|w| low * w), gain: cast.map(|w| (high - low) * w) }
    }

    /// This light, `share` of the way to another.
    pub fn towards(self, other: Self, share: f32) -> Self {
        let mix = |a: [f32; 3], b: [f32; 3]| std::array::from_fn(|c| a[c] + share * (b[c] - a[c]));
        Self { offset: mix(self.offset, other.offset), gain: mix(self.gain, other.gain) }
    }

    /// The matched value of one channel.
    pub fn apply(&self, value: f32, channel: usize) -> f32 {
        self.offset[channel] + self.gain[channel] * value
    }
}

/// Factor for cloth drawn over the old clothes: their folds where they are plain, 1 elsewhere.
///
/// Three blurs of log luma within the old clothes split light into slow shade, folds and texture. How much of
/// each is taken over falls with the spread of the clothes' chroma and with fine contrast, because on
/// patterned cloth luma is print and not fold.
pub fn folds(colours: &Colours, parts: &Parts, mask: &Plane, shoulder_width: f32) -> Plane {
    let weight = Plane {
        width: mask.width,
        height: mask.height,
        data: (0..mask.data.len())
            .map(|i| {
                let cloth = parts.old_cloth.data[i] * mask.data[i] * (1.0 - parts.hair.data[i]);
                if parts.skin.data[i] < 0.5 { cloth } else { 0.0 }
            })
            .collect(),
    };
    let sure: Vec<usize> = (0..weight.data.len()).filter(|&i| weight.data[i] > 0.5).collect();
    if (sure.len() as f32) < 0.02 * shoulder_width * shoulder_width {
        return Plane::filled(mask.width, mask.height, 1.0);
    }
    let light = colours.luma.map(|v| v.max(0.02).ln());
    let median = |values: &mut Vec<f32>| {
        let middle = values.len() / 2;
        *values.select_nth_unstable_by(middle, f32::total_cmp).1
    };
    let mut known: Vec<f32> = sure.iter().map(|&i| light.data[i]).collect();
    let level = median(&mut known);
    // A white shirt under a dark jacket is other cloth, not light: folds change luma less than that.
    let broad = gaussian_where(&light, &mask.map(|m| m + 1e-3), 0.02 * shoulder_width, level);
    let weight =
        combine(&weight, &broad, |w, l| w * (1.0 - smoothstep((l - level).abs(), 0.7, 1.2)) + 1e-4);
    let sure: Vec<usize> = (0..weight.data.len()).filter(|&i| weight.data[i] > 0.5).collect();
    if (sure.len() as f32) < 0.02 * shoulder_width * shoulder_width {
        return Plane::filled(mask.width, mask.height, 1.0);
    }
    let blurred = |sigma: f32| gaussian_where(&light, &weight, sigma * shoulder_width, level);
    let (slow, middle) = rayon::join(|| blurred(0.09), || blurred(0.035));
    let fine = blurred(0.008);

    let spread = |plane: &Plane| {
        let mut values: Vec<f32> = sure.iter().map(|&i| plane.data[i]).collect();
        let centre = median(&mut values);
        let mut deviation: Vec<f32> = values.iter().map(|v| (v - centre).abs()).collect();
        1.4826 * median(&mut deviation)
    };
    let chroma = spread(&colours.lab[1]).hypot(spread(&colours.lab[2]));
    let detail = combine(&fine, &middle, |f, m| f - m);
    let contrast = {
        let sum: f32 = sure.iter().map(|&i| detail.data[i].powi(2)).sum();
        (sum / sure.len() as f32).sqrt()
    };
    let brightness = level.exp();
    let slow_share = (-(chroma / 14.0).powi(2)).exp();
    let fold_share = (-(chroma / 9.0).powi(2)).exp()
        * (-((contrast - 0.06).max(0.0) / 0.10).powi(2)).exp()
        * (brightness / 0.12).clamp(0.25, 1.0);
    // Along the rim of the old clothes blurs reach beyond them: folds fade out before it.
    let trust = gaussian(&weight, 0.035 * shoulder_width);
    Plane {
        width: mask.width,
        height: mask.height,
        data: (0..mask.data.len())
            .map(|i| {
                let trust = smoothstep(trust.data[i], 0.55, 0.95);
                let shade = (slow.data[i] - level).clamp(-0.5, 0.4);
                let fold = (fine.data[i] - middle.data[i]).clamp(-0.35, 0.25)
                    + 0.7 * (middle.data[i] - slow.data[i]).clamp(-0.3, 0.25);
                (trust * (0.75 * slow_share * shade + 1.1 * fold_share * fold)).exp()
            })
            .collect(),
    }
}
