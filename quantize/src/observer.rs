//! Observers: from the values that a tensor takes to the range that int8 stands for.
//!
//! | observer | range |
//! |----------|-------|
//! | min-max | all values |
//! | percentile | all but a share of the values, half of it on each side |
//! | entropy | where the distribution, cut there, differs least from its quantized form by Kullback and Leibler |
//! | mse | where the mean square error of quantizing is least |
//!
//! Values are counted in a [`Histogram`] that grows with them. A net that is run at several timesteps has one for each, see [`Merge`].

use crate::error::QuantizeError;
use rayon::prelude::*;
use std::str::FromStr;
use vitrine::runtime::program::Quantization;

/// Bins of a histogram at most.
const BINS: usize = 4096;

/// How many cuts the searching observers try.
const CUTS: usize = 128;

/// Sides whose extents differ by less than this share of the greater are taken for symmetric.
const ASYMMETRY: f32 = 0.1;

/// How a range is found from the values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Observer {
    /// From the least to the greatest value.
    MinMax,
    /// Of the values this share, in percent; 50 to 100.
    Percentile(f32),
    /// The least loss of information.
    Entropy,
    /// The least square error.
    Mse,
}

impl Observer {
    /// Usual share of the values for [`Observer::Percentile`].
    pub const PERCENTILE: f32 = 99.99;
}

impl FromStr for Observer {
    type Err = QuantizeError;

    fn from_str(text: &str) -> Result<Self, QuantizeError> {
        let unknown = || QuantizeError::Observer { found: text.to_owned() };
        match text {
            "min-max" => Ok(Self::MinMax),
            "percentile" => Ok(Self::Percentile(Self::PERCENTILE)),
            "entropy" => Ok(Self::Entropy),
            "mse" => Ok(Self::Mse),
            _ => {
                let share = text.strip_prefix("percentile=").ok_or_else(unknown)?;
                let share: f32 = share.parse().map_err(|_| unknown())?;
                (50.0..=100.0)
                    .contains(&share)
                    .then_some(Self::Percentile(share))
                    .ok_or_else(unknown)
            }
        }
    }
}

/// How the ranges of several timesteps become one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Merge {
    /// What holds all of them.
    Maximum,
    /// Of the timesteps this share, in percent, has its bounds within; for each side by itself.
    Percentile(f32),
}

impl FromStr for Merge {
    type Err = QuantizeError;

    fn from_str(text: &str) -> Result<Self, QuantizeError> {
        if text == "maximum" {
            return Ok(Self::Maximum);
        }
        let share = text.parse().ok().filter(|share| (0.0..=100.0).contains(share));
        share.map(Self::Percentile).ok_or_else(|| QuantizeError::Merge { found: text.to_owned() })
    }
}

/// A range of values that holds 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// At most 0.
    pub low: f32,
    /// At least 0.
    pub high: f32,
}

impl Range {
    /// The range and 0.
    pub fn new(low: f32, high: f32) -> Self {
        Self { low: low.min(0.0), high: high.max(0.0) }
    }

    /// How int8 stands for the range: 0 is exact; symmetric where the range nearly is.
    pub fn quantization(self) -> Quantization {
        let Self { low, high } = self;
        let greatest = high.max(-low);
        if greatest <= f32::MIN_POSITIVE {
            return Quantization { scale: 1.0, zero_point: 0 };
        }
        if (high + low).abs() <= ASYMMETRY * greatest {
            return Quantization { scale: greatest / 127.0, zero_point: 0 };
        }
        let scale = high / 255.0 - low / 255.0;
        let zero_point = (-128.0 - low / scale).round_ties_even().clamp(-128.0, 127.0);
        Quantization { scale, zero_point: zero_point as i8 }
    }
}

/// Counts of values in bins whose edges are multiples of the bin's width; the width doubles when there would be too many bins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// A power of two; 0 while all values are 0.
    width: f32,
    /// The index of the first bin: it starts at `first · width`.
    first: i64,
    counts: Vec<u64>,
    /// Values that are exactly 0, which the bins do not count.
    zeros: u64,
    least: f32,
    greatest: f32,
    total: u64,
    not_finite: u64,
}

impl Histogram {
    /// Counts values.
    pub fn add(&mut self, values: &[f32]) {
        let (mut least, mut greatest) = (f32::INFINITY, f32::NEG_INFINITY);
        for &value in values.iter().filter(|value| value.is_finite()) {
            least = least.min(value);
            greatest = greatest.max(value);
        }
        if least > greatest {
            self.not_finite += values.len() as u64;
            return;
        }
        if self.total > 0 {
            (least, greatest) = (least.min(self.least), greatest.max(self.greatest));
        }
        (self.least, self.greatest) = (least, greatest);
        self.grow();
        for &value in values {
            if !value.is_finite() {
                self.not_finite += 1;
                continue;
            }
            self.total += 1;
            if value == 0.0 || self.width == 0.0 {
                self.zeros += 1;
            } else {
                let bin = (f64::from(value) / f64::from(self.width)).floor() as i64 - self.first;
                self.counts[bin as usize] += 1;
            }
        }
    }

    /// Makes room for the least and the greatest value.
    fn grow(&mut self) {
        let extent = self.greatest.max(0.0).max(-self.least);
        if extent < f32::MIN_POSITIVE {
            return;
        }
        if self.width == 0.0 {
            // So fine that the extent takes half of the bins or less.
            let width = (2.0 * f64::from(extent) / BINS as f64).log2().floor().exp2() as f32;
            self.width = width.max(f32::MIN_POSITIVE);
        }
        let bins = |value: f32, width: f32| (f64::from(value) / f64::from(width)).floor() as i64;
        loop {
            let low = bins(self.least, self.width);
            let high = bins(self.greatest, self.width);
            let (low, high) = match self.counts.len() as i64 {
                0 => (low, high),
                length => (low.min(self.first), high.max(self.first + length - 1)),
            };
            if high - low < BINS as i64 {
                let mut counts = vec![0; (high - low + 1) as usize];
                let start = if self.counts.is_empty() { 0 } else { (self.first - low) as usize };
                counts[start..start + self.counts.len()].copy_from_slice(&self.counts);
                (self.first, self.counts) = (low, counts);
                return;
            }
            self.double_width();
        }
    }

    fn double_width(&mut self) {
        self.width *= 2.0;
        if self.counts.is_empty() {
            return;
        }
        let first = self.first.div_euclid(2);
        let last = (self.first + self.counts.len() as i64 - 1).div_euclid(2);
        let mut counts = vec![0; (last - first + 1) as usize];
        for (index, count) in self.counts.iter().enumerate() {
            counts[((self.first + index as i64).div_euclid(2) - first) as usize] += count;
        }
        (self.first, self.counts) = (first, counts);
    }

    /// How many finite values were counted.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// How many infinite values and NaN there were.
    pub fn not_finite(&self) -> u64 {
        self.not_finite
    }

    /// The least and the greatest value; 0 and 0 where there are none.
    pub fn extremes(&self) -> Range {
        Range::new(self.least, self.greatest)
    }

    /// Counts of `bars` equal parts of the range from the least to the greatest value, for a picture.
    pub fn bars(&self, bars: usize) -> Vec<u64> {
        let mut heights = vec![0; bars];
        let Range { low, high } = self.extremes();
        let place = |value: f64| {
            let share = (value - f64::from(low)) / f64::from(high - low);
            ((share * bars as f64) as usize).min(bars - 1)
        };
        if high > low {
            for (value, count) in self.bins() {
                heights[place(value)] += count;
            }
        }
        heights
    }

    /// Centres of bins that are not empty, ascending, and their counts.
    fn bins(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let width = f64::from(self.width);
        let centre = move |index: usize| (self.first + index as i64) as f64 * width + width / 2.0;
        // A value must not lie outside the range.
        let inside = move |value: f64| value.clamp(self.least.into(), self.greatest.into());
        let counts = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        let counted = counts.map(move |(index, &count)| (inside(centre(index)), count));
        let (negative, positive): (Vec<_>, Vec<_>) = counted.partition(|(value, _)| *value < 0.0);
        let zero = (self.zeros > 0).then_some((0.0, self.zeros));
        negative.into_iter().chain(zero).chain(positive)
    }

    /// The range that an observer takes.
    pub fn range(&self, observer: Observer) -> Range {
        let all = self.extremes();
        if self.total == 0 || all.low == all.high {
            return all;
        }
        match observer {
            Observer::MinMax => all,
            Observer::Percentile(share) => self.percentile(f64::from(share) / 100.0),
            Observer::Entropy => self.best_cut(divergence),
            Observer::Mse => self.best_cut(square_error),
        }
    }

    fn percentile(&self, share: f64) -> Range {
        let tail = (1.0 - share) / 2.0 * self.total as f64;
        let half = f64::from(self.width) / 2.0;
        let bins: Vec<_> = self.bins().collect();
        let edge = |bins: &mut dyn Iterator<Item = &(f64, u64)>| {
            let mut passed = 0.0;
            for (value, count) in bins {
                passed += *count as f64;
                if passed > tail {
                    return *value;
                }
            }
            0.0
        };
        let low = edge(&mut bins.iter()) - half;
        let high = edge(&mut bins.iter().rev()) + half;
        Range::new((low as f32).max(self.least), (high as f32).min(self.greatest))
    }

    /// The cut with the least loss: both sides by the same share, then each by itself.
    fn best_cut(&self, loss: impl Fn(&[(f64, u64)], Range) -> f64 + Sync) -> Range {
        let bins: Vec<_> = self.bins().collect();
        let all = self.extremes();
        let best = |cuts: &(dyn Fn(f32) -> Range + Sync)| {
            let tried = (1..=CUTS).into_par_iter().map(|cut| {
                let range = cuts(cut as f32 / CUTS as f32);
                (loss(&bins, range), cut, range)
            });
            let least = tried.min_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
            least.map_or(all, |(_, _, range)| range)
        };
        let both = best(&|share| Range::new(all.low * share, all.high * share));
        if all.low == 0.0 || all.high == 0.0 {
            return both;
        }
        let low = best(&|share| Range::new(all.low * share, both.high));
        best(&|share| Range::new(low.low, all.high * share))
    }
}

/// `Σ count · (value − quantized)²`
fn square_error(bins: &[(f64, u64)], range: Range) -> f64 {
    let Quantization { scale, zero_point } = range.quantization();
    let (scale, zero) = (f64::from(scale), f64::from(zero_point));
    let error = |value: f64| {
        let quantized = (value / scale + zero).round().clamp(-128.0, 127.0);
        value - (quantized - zero) * scale
    };
    bins.iter().map(|&(value, count)| count as f64 * error(value).powi(2)).sum()
}

/// The divergence of Kullback and Leibler between the distribution, its tails moved to the range's edges, and what is left of it when the part
/// inside is counted in the 256 steps of int8 and each step's count is spread over its bins.
fn divergence(bins: &[(f64, u64)], range: Range) -> f64 {
    let Quantization { scale, zero_point } = range.quantization();
    let (scale, zero) = (f64::from(scale), f64::from(zero_point));
    let (low, high) = (f64::from(range.low), f64::from(range.high));
    let start = bins.partition_point(|(value, _)| *value < low);
    let end = bins.partition_point(|(value, _)| *value <= high);
    if start >= end {
        return f64::INFINITY;
    }
    let count = |bins: &[(f64, u64)]| bins.iter().map(|(_, count)| *count as f64).sum::<f64>();
    let (below, inside, above) =
        (count(&bins[..start]), count(&bins[start..end]), count(&bins[end..]));
    let total = below + inside + above;
    let step = |value: f64| (value / scale + zero).round().clamp(-128.0, 127.0) as i64;
    let mut sum = 0.0;
    let mut index = start;
    while index < end {
        let this = step(bins[index].0);
        let length = bins[index..end].iter().take_while(|(value, _)| step(*value) == this).count();
        let spread = count(&bins[index..index + length]) / length as f64 / inside;
        for (offset, &(_, count)) in bins[index..index + length].iter().enumerate() {
            let mut share = count as f64;
            if index + offset == start {
                share += below;
            }
            if index + offset == end - 1 {
                share += above;
            }
            let share = share / total;
            sum += share * (share / spread).ln();
        }
        index += length;
    }
    sum
}

/// The histograms of a value, one for each timestep.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// In the order of the timesteps; one for a net without.
    pub steps: Vec<Histogram>,
    /// The greatest magnitude of each channel.
    pub channels: Vec<f32>,
}

impl Recorded {
    /// Counts values of `[…, channels]` that the net made at a timestep.
    pub fn add(&mut self, step: usize, channels: usize, values: &[f32]) {
        if self.steps.len() <= step {
            self.steps.resize_with(step + 1, Histogram::default);
        }
        self.steps[step].add(values);
        if channels == 0 {
            return;
        }
        self.channels.resize(channels, 0.0);
        for row in values.chunks_exact(channels) {
            for (greatest, value) in self.channels.iter_mut().zip(row) {
                *greatest = greatest.max(value.abs());
            }
        }
    }

    /// The range of all timesteps together.
    pub fn range(&self, observer: Observer, merge: Merge) -> Range {
        let ranges: Vec<_> =
            self.steps.iter().filter(|h| h.total() > 0).map(|h| h.range(observer)).collect();
        let side = |side: fn(&Range) -> f32| {
            let mut bounds: Vec<_> = ranges.iter().map(|range| side(range).abs()).collect();
            bounds.sort_by(f32::total_cmp);
            let last = bounds.len().checked_sub(1)?;
            let index = match merge {
                Merge::Maximum => last,
                Merge::Percentile(share) => (share / 100.0 * last as f32).ceil() as usize,
            };
            bounds.get(index).copied()
        };
        Range::new(-side(|r| r.low).unwrap_or(0.0), side(|r| r.high).unwrap_or(0.0))
    }

    /// Infinite values and NaN among them.
    pub fn not_finite(&self) -> u64 {
        self.steps.iter().map(Histogram::not_finite).sum()
    }

    /// The step whose values reach furthest.
    pub fn widest(&self) -> Option<&Histogram> {
        let extent = |h: &Histogram| h.extremes().high.max(-h.extremes().low);
        self.steps.iter().max_by(|a, b| extent(a).total_cmp(&extent(b)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::Normal;

    fn histogram(values: &[f32]) -> Histogram {
        let mut histogram = Histogram::default();
        values.chunks(1000).for_each(|part| histogram.add(part));
        histogram
    }

    fn bell_with_an_outlier() -> Vec<f32> {
        let mut values = Normal::new(7).take(100_000);
        values.push(50.0);
        values
    }

    #[test]
    fn only_min_max_keeps_an_outlier() {
        let histogram = histogram(&bell_with_an_outlier());
        assert_eq!(histogram.range(Observer::MinMax).high, 50.0);
        for observer in [Observer::Percentile(99.99), Observer::Entropy] {
            let range = histogram.range(observer);
            assert!((3.0..25.0).contains(&range.high), "{observer:?}: {range:?}");
            assert!((-6.0..=-2.5).contains(&range.low), "{observer:?}: {range:?}");
        }
        // Where the outlier's error, (50 − h)², grows as fast as that of 10⁵ roundings, 10⁵ · ((h + 3.6) / 255)² / 12, shrinks.
        let range = histogram.range(Observer::Mse);
        assert!((range.high - 43.9).abs() < 0.5, "{range:?}");
    }

    #[test]
    fn the_mse_observer_loses_no_more_than_any_other() {
        let values = bell_with_an_outlier();
        let histogram = histogram(&values);
        let error = |range: Range| {
            let Quantization { scale, zero_point } = range.quantization();
            let zero = f32::from(zero_point);
            let error = |x: f32| {
                let q = (x / scale + zero).round_ties_even().clamp(-128.0, 127.0);
                f64::from(x - (q - zero) * scale).powi(2)
            };
            values.iter().map(|&x| error(x)).sum::<f64>()
        };
        let least = error(histogram.range(Observer::Mse));
        for other in [Observer::MinMax, Observer::Percentile(99.99), Observer::Entropy] {
            assert!(least <= 1.02 * error(histogram.range(other)), "{other:?}");
        }
    }

    #[test]
    fn a_percentile_cuts_its_share_of_an_even_distribution() {
        let values: Vec<f32> = (0..10_000).map(|i| i as f32 / 10_000.0 * 2.0 - 1.0).collect();
        let range = histogram(&values).range(Observer::Percentile(90.0));
        assert!((range.high - 0.9).abs() < 0.002 && (range.low + 0.9).abs() < 0.002, "{range:?}");
    }

    #[test]
    fn a_histogram_does_not_depend_on_the_order_in_which_it_grows() {
        let mut values = Normal::new(3).take(20_000);
        values.iter_mut().step_by(7).for_each(|value| *value *= 300.0);
        let forwards = histogram(&values);
        values.reverse();
        let backwards = histogram(&values);
        let counted = |h: &Histogram| h.bins().map(|(_, count)| count).sum::<u64>();
        assert_eq!((counted(&forwards), forwards.total()), (20_000, 20_000));
        assert_eq!(forwards.extremes(), backwards.extremes());
        for observer in [Observer::MinMax, Observer::Percentile(99.0), Observer::Mse] {
            let (a, b) = (forwards.range(observer), backwards.range(observer));
            let near = |a: f32, b: f32| (a - b).abs() <= 0.02 * a.abs().max(1.0);
            assert!(near(a.low, b.low) && near(a.high, b.high), "{observer:?}: {a:?} {b:?}");
        }
    }

    #[test]
    fn zero_is_exact_in_every_quantization() {
        let ranges = [(0.0, 6.0), (-0.17, 40.0), (-3.0, 3.1), (2.0, 9.0), (-8.0, -1.0), (0.0, 0.0)];
        for (low, high) in ranges {
            let range = Range::new(low, high);
            let Quantization { scale, zero_point } = range.quantization();
            assert!(scale > 0.0 && scale.is_finite());
            let reach = |q: i32| (q - i32::from(zero_point)) as f32 * scale;
            assert!(reach(127) >= range.high - scale, "{range:?}");
            assert!(reach(-128) <= range.low + scale, "{range:?}");
        }
        assert_eq!(Range::new(-3.0, 3.1).quantization().zero_point, 0);
        assert_eq!(Range::new(0.0, 6.0).quantization().zero_point, -128);
    }

    #[test]
    fn timesteps_merge_by_maximum_or_percentile() {
        let mut recorded = Recorded::default();
        for step in 0..10 {
            let greatest = (step + 1) as f32;
            recorded.add(step, 2, &[greatest, -0.5 * greatest, 0.0, 0.1]);
        }
        assert_eq!(recorded.channels, [10.0, 5.0]);
        let range = recorded.range(Observer::MinMax, Merge::Maximum);
        assert_eq!(range, Range { low: -5.0, high: 10.0 });
        let range = recorded.range(Observer::MinMax, Merge::Percentile(50.0));
        assert_eq!(range, Range { low: -3.0, high: 6.0 });
    }

    #[test]
    fn values_that_are_not_finite_are_told() {
        let mut histogram = Histogram::default();
        histogram.add(&[1.0, f32::NAN, f32::INFINITY, -2.0]);
        histogram.add(&[f32::NAN]);
        assert_eq!((histogram.total(), histogram.not_finite()), (2, 3));
        assert_eq!(histogram.range(Observer::Mse), Range { low: -2.0, high: 1.0 });
    }

    #[test]
    fn names_of_observers_are_parsed() {
        assert_eq!("percentile=99.9".parse::<Observer>().unwrap(), Observer::Percentile(99.9));
        assert_eq!("entropy".parse::<Observer>().unwrap(), Observer::Entropy);
        assert!("percentile=7".parse::<Observer>().is_err());
        assert!("kl".parse::<Observer>().unwrap_err().to_string().contains("min-max"));
        assert_eq!("maximum".parse::<Merge>().unwrap(), Merge::Maximum);
        assert!("-3".parse::<Merge>().is_err());
    }
}
