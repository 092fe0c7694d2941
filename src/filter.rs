//! Filters on whole planes, put together from the kernels.

use crate::plane::Plane;
use kernels::blur::{box_blur_f32, box_radii_of_gaussian};
use kernels::distance::{NOWHERE, nearest_marked};

/// Cubic step from 0 at `from` to 1 at `to`; falls where `from > to`.
pub fn smoothstep(value: f32, from: f32, to: f32) -> f32 {
    let t = ((value - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Mean over a `(2r + 1)²` window, edges repeated.
pub fn box_blur(plane: &Plane, radius: usize) -> Plane {
    let (width, height) = (plane.width, plane.height);
    let mut scratch = vec![0.0; width * (height + 1)];
    let mut blurred = Plane::filled(width, height, 0.0);
    box_blur_f32(&plane.data, &mut blurred.data, width, height, radius, &mut scratch);
    blurred
}

/// Gaussian of standard deviation `sigma` pixels, as three box blurs; below 0.6 px a copy. A wide one runs on
/// a smaller copy of the plane.
pub fn gaussian(plane: &Plane, sigma: f32) -> Plane {
    if sigma < 0.6 {
        return plane.clone();
    }
    if sigma >= 3.0 && plane.width >= 16 && plane.height >= 16 {
        return doubled(&gaussian(&halved(plane), 0.5 * sigma), plane.width, plane.height);
    }
    let (width, height) = (plane.width, plane.height);
    let mut scratch = vec![0.0; width * (height + 1)];
    let mut from = plane.data.clone();
    let mut to = vec![0.0; width * height];
    for radius in box_radii_of_gaussian(sigma) {
        if radius > 0 {
            box_blur_f32(&from, &mut to, width, height, radius, &mut scratch);
            std::mem::swap(&mut from, &mut to);
        }
    }
    Plane { width, height, data: from }
}

/// Half the size, rounded up: means of 2 × 2, the last row and column repeated.
pub fn halved(plane: &Plane) -> Plane {
    let (width, height) = (plane.width.div_ceil(2), plane.height.div_ceil(2));
    let mut half = Plane::filled(width, height, 0.0);
    for y in 0..height {
        let upper = plane.row(2 * y);
        let lower = plane.row((2 * y + 1).min(plane.height - 1));
        for (x, value) in half.row_mut(y).iter_mut().enumerate() {
            let (a, b) = (2 * x, (2 * x + 1).min(plane.width - 1));
            *value = 0.25 * (upper[a] + upper[b] + lower[a] + lower[b]);
        }
    }
    half
}

/// Bilinear enlargement of a plane from [`halved`] back to its size.
pub fn doubled(half: &Plane, width: usize, height: usize) -> Plane {
    let mut full = Plane::filled(width, height, 0.0);
    let mut line = vec![0.0; half.width];
    for y in 0..height {
        // Centres lie a quarter of a coarse pixel beside the coarse centres.
        let near = (y / 2).min(half.height - 1);
        let far = if y % 2 == 0 { near.saturating_sub(1) } else { (near + 1).min(half.height - 1) };
        let rows = half.row(near).iter().zip(half.row(far));
        line.iter_mut().zip(rows).for_each(|(out, (a, b))| *out = 0.75 * a + 0.25 * b);
        let last = half.width - 1;
        for (x, value) in full.row_mut(y).iter_mut().enumerate() {
            let near = (x / 2).min(last);
            let far = if x % 2 == 0 { near.saturating_sub(1) } else { (near + 1).min(last) };
            *value = 0.75 * line[near] + 0.25 * line[far];
        }
    }
    full
}

/// Weighted Gaussian mean: `blur(value · weight) / blur(weight)`; `otherwise` where there is no weight.
pub fn gaussian_where(values: &Plane, weight: &Plane, sigma: f32, otherwise: f32) -> Plane {
    const FLOOR: f32 = 1e-4;
    let mut sum = combine(values, weight, |v, w| v * w);
    let total;
    (sum, total) = rayon::join(|| gaussian(&sum, sigma), || gaussian(weight, sigma));
    combine(&sum, &total, |s, t| (s + FLOOR * otherwise) / (t + FLOOR))
}

/// [`gaussian_where`] of three planes with one weight.
pub fn gaussian_where_all(
    values: [&Plane; 3],
    weight: &Plane,
    sigma: f32,
    otherwise: [f32; 3],
) -> [Plane; 3] {
    const FLOOR: f32 = 1e-4;
    let blurred = |plane: &Plane| gaussian(&combine(plane, weight, |v, w| v * w), sigma);
    let ((total, first), (second, third)) = rayon::join(
        || (gaussian(weight, sigma), blurred(values[0])),
        || (blurred(values[1]), blurred(values[2])),
    );
    let mut channel = 0;
    [first, second, third].map(|sum| {
        let fallback = FLOOR * otherwise[channel];
        channel += 1;
        combine(&sum, &total, |s, t| (s + fallback) / (t + FLOOR))
    })
}

/// A new plane from two of the same size.
pub fn combine(a: &Plane, b: &Plane, rule: impl Fn(f32, f32) -> f32) -> Plane {
    debug_assert_eq!((a.width, a.height), (b.width, b.height));
    Plane {
        width: a.width,
        height: a.height,
        data: a.data.iter().zip(&b.data).map(|(&a, &b)| rule(a, b)).collect(),
    }
}

/// Distance of every pixel's centre to the nearest pixel whose value satisfies `rule`; a large number where
/// none does.
pub fn distance_to(plane: &Plane, rule: impl Fn(f32) -> bool) -> Plane {
    let (width, height) = (plane.width, plane.height);
    let marked: Vec<u8> = plane.data.iter().map(|&v| rule(v) as u8).collect();
    let mut nearest = vec![0; width * height];
    let mut squared = vec![0; width * height];
    nearest_marked(&marked, width, height, &mut nearest, &mut squared, &mut vec![0; 3 * width]);
    let data =
        squared.into_iter().map(|d| if d == NOWHERE { FAR } else { (d as f32).sqrt() }).collect();
    Plane { width, height, data }
}

/// Stands for "nowhere near".
pub const FAR: f32 = 1e6;

/// A local linear model `value ≈ slope · guide + offset`: an edge-aware mask that can be evaluated on a
/// finer guide than the one it was fitted on (He and Sun, "Fast guided filter", 2015).
#[derive(Clone, Debug)]
pub struct Guided {
    /// Slope on the guide.
    pub slope: Plane,
    /// Offset.
    pub offset: Plane,
}

impl Guided {
    /// Fits `value` on `guide` in windows of `2r + 1`; `epsilon` is the guide variance below which the
    /// filter only smooths.
    pub fn fit(guide: &GuideStatistics, value: &Plane, epsilon: f32) -> Self {
        let radius = guide.radius;
        let (mean_value, mean_product) = rayon::join(
            || box_blur(value, radius),
            || box_blur(&combine(&guide.guide, value, |g, v| g * v), radius),
        );
        let mut slope = Plane::filled(value.width, value.height, 0.0);
        let mut offset = slope.clone();
        for i in 0..value.data.len() {
            let covariance = mean_product.data[i] - guide.mean.data[i] * mean_value.data[i];
            let a = covariance / (guide.variance.data[i] + epsilon);
            slope.data[i] = a;
            offset.data[i] = mean_value.data[i] - a * guide.mean.data[i];
        }
        let (slope, offset) =
            rayon::join(|| box_blur(&slope, radius), || box_blur(&offset, radius));
        Self { slope, offset }
    }

    /// The filtered value on the guide it was fitted on, clamped to 0..1.
    pub fn on(&self, guide: &Plane) -> Plane {
        let mut out = combine(&self.slope, guide, |a, g| a * g);
        out.data.iter_mut().zip(&self.offset.data).for_each(|(v, b)| *v = (*v + b).clamp(0.0, 1.0));
        out
    }
}

/// A guide with its windowed mean and variance, shared by several fits.
#[derive(Clone, Debug)]
pub struct GuideStatistics {
    guide: Plane,
    mean: Plane,
    variance: Plane,
    radius: usize,
}

impl GuideStatistics {
    /// Statistics in windows of `2r + 1`.
    pub fn new(guide: &Plane, radius: usize) -> Self {
        let mean = box_blur(guide, radius);
        let mean_square = box_blur(&guide.map(|g| g * g), radius);
        let variance = combine(&mean_square, &mean, |q, m| (q - m * m).max(0.0));
        Self { guide: guide.clone(), mean, variance, radius }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guided_mask_takes_over_the_edge_of_its_guide() {
        let guide = Plane::from_fn(40, 20, |x, _| if x < 20 { 0.2 } else { 0.8 });
        let rough = Plane::from_fn(40, 20, |x, _| smoothstep(x as f32, 14.0, 26.0));
        let sharp = Guided::fit(&GuideStatistics::new(&guide, 6), &rough, 1e-4).on(&guide);
        assert!(sharp.at(18, 10) < 0.25 && sharp.at(21, 10) > 0.75);
        assert!(rough.at(18, 10) > 0.25);
    }

    #[test]
    fn a_wide_blur_on_a_smaller_copy_keeps_mean_and_width() {
        let mut spot = Plane::filled(121, 121, 0.0);
        spot.data[60 * 121 + 60] = 1.0;
        for sigma in [2.9f32, 3.1, 9.0, 14.0] {
            let blurred = gaussian(&spot, sigma);
            let (mut sum, mut variance) = (0.0, 0.0);
            for y in 0..121 {
                for x in 0..121 {
                    sum += blurred.at(x, y);
                    variance += blurred.at(x, y) * (x as f32 - 60.0).powi(2);
                }
            }
            assert!((sum - 1.0).abs() < 0.02, "σ {sigma}: mass {sum}");
            assert!((variance.sqrt() / sigma - 1.0).abs() < 0.1, "σ {sigma}: {}", variance.sqrt());
        }
    }

    #[test]
    fn a_weighted_mean_ignores_what_has_no_weight() {
        let values = Plane::from_fn(30, 30, |x, _| if x < 15 { 1.0 } else { 100.0 });
        let weight = Plane::from_fn(30, 30, |x, _| if x < 15 { 1.0 } else { 0.0 });
        let mean = gaussian_where(&values, &weight, 4.0, 0.0);
        assert!((mean.at(14, 15) - 1.0).abs() < 0.01);
        assert!((mean.at(18, 15) - 1.0).abs() < 0.02);
    }
}
