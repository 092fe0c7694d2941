//! Colour histograms with three axes.

/// Smooths in place along each axis with the kernel `[0.2, 0.6, 0.2]` (σ ≈ 0.63 bins).
pub fn smooth(histogram: &mut [f32], bins: [usize; 3]) {
    debug_assert_eq!(histogram.len(), bins.iter().product::<usize>());
    let strides = [bins[1] * bins[2], bins[2], 1];
    for axis in 0..3 {
        let (length, stride) = (bins[axis], strides[axis]);
        for start in 0..histogram.len() {
            if (start / stride) % length != 0 {
                continue;
            }
            let mut before = 0.0;
            for step in 0..length {
                let here = histogram[start + step * stride];
                let after =
                    if step + 1 < length { histogram[start + (step + 1) * stride] } else { 0.0 };
                if here != 0.0 || before != 0.0 || after != 0.0 {
                    histogram[start + step * stride] = 0.2 * before + 0.6 * here + 0.2 * after;
                }
                before = here;
            }
        }
    }
}

/// Histogram over L\*a\*b\* with 12 × 20 × 20 bins.
#[derive(Clone, Debug)]
pub struct LabHistogram {
    bins: Vec<f32>,
}

impl LabHistogram {
    const BINS: [usize; 3] = [12, 20, 20];

    /// Bin of a colour.
    pub fn bin(lab: [f32; 3]) -> usize {
        let axis = |v: f32, low: f32, range: f32, n: usize| {
            (((v - low) / range * n as f32) as usize).min(n - 1)
        };
        let l = axis(lab[0], 0.0, 100.0, 12);
        let a = axis(lab[1], -60.0, 120.0, 20);
        let b = axis(lab[2], -60.0, 120.0, 20);
        (l * 20 + a) * 20 + b
    }

    /// Normalised, smoothed histogram of weighted bins. `None` if the weights sum to less than `least`.
    pub fn of(
        samples: impl Iterator<Item = (usize, f32)>,
        least: f32,
        passes: usize,
    ) -> Option<Self> {
        let mut bins = vec![0.0; Self::BINS.iter().product()];
        let mut sum = 0.0;
        for (bin, weight) in samples {
            bins[bin] += weight;
            sum += weight;
        }
        if sum < least {
            return None;
        }
        for _ in 0..passes {
            smooth(&mut bins, Self::BINS);
        }
        bins.iter_mut().for_each(|v| *v /= sum);
        Some(Self { bins })
    }

    /// Share of the samples that fell near this bin.
    pub fn share(&self, bin: usize) -> f32 {
        self.bins[bin]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_keeps_the_mass_away_from_the_border() {
        let mut histogram = vec![0.0; 5 * 6 * 7];
        histogram[(2 * 6 + 3) * 7 + 3] = 1.0;
        smooth(&mut histogram, [5, 6, 7]);
        assert!((histogram.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!((histogram[(2 * 6 + 3) * 7 + 3] - 0.216).abs() < 1e-6);
    }

    #[test]
    fn too_few_samples_make_no_histogram() {
        assert!(LabHistogram::of([(3, 2.0)].into_iter(), 5.0, 1).is_none());
    }
}
