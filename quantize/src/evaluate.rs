//! End to end: what the quantized net makes, against the net in f32.

use serde::Serialize;
use vitrine::runtime::engine::Array;

/// Height and width of the regions that the worst is sought among.
pub const REGION: usize = 64;

/// How far the outputs of a net are from the reference, over all runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Of the output.
    pub name: String,
    /// `20 log10(range / root of the mean square error)`, dB; the range is from the least to the greatest reference value.
    pub psnr: f64,
    /// The least PSNR of a square of 64 × 64 pixels, where the output is an image of that size or larger.
    pub worst_region: Option<f64>,
    /// The greatest difference of a value.
    pub greatest: f32,
}

/// No error at all, so that it can be printed and compared.
const EXACT: f64 = 200.0;

fn decibels(range: f64, mean_square: f64) -> f64 {
    if mean_square == 0.0 {
        return EXACT;
    }
    let ratio = 10.0 * (range * range / mean_square).log10();
    if ratio.is_nan() { -EXACT } else { ratio.clamp(-EXACT, EXACT) }
}

/// Compares the outputs of runs, each with one array an output.
///
/// # Panics
/// Where the runs do not have the same outputs.
pub fn compare(
    names: &[String],
    references: &[Vec<Array>],
    found: &[Vec<Array>],
) -> Vec<Difference> {
    assert_eq!(references.len(), found.len());
    let output = |(index, name): (usize, &String)| {
        let pairs: Vec<(&Array, &Array)> =
            references.iter().zip(found).map(|(a, b)| (&a[index], &b[index])).collect();
        let values = pairs.iter().flat_map(|(reference, _)| &reference.values);
        let (least, most) =
            values.fold((f32::INFINITY, f32::NEG_INFINITY), |(l, m), &x| (l.min(x), m.max(x)));
        let range = f64::from(most) - f64::from(least);
        let (mut sum, mut count, mut greatest) = (0.0f64, 0u64, 0.0f32);
        for (reference, found) in &pairs {
            assert_eq!(reference.shape, found.shape, "output `{name}`");
            for (a, b) in reference.values.iter().zip(&found.values) {
                sum += f64::from(a - b).powi(2);
                greatest = greatest.max((a - b).abs());
            }
            count += reference.values.len() as u64;
        }
        let regions = pairs.iter().filter_map(|(a, b)| worst_region(a, b));
        let worst_region = regions.max_by(f64::total_cmp).map(|error| decibels(range, error));
        let psnr = decibels(range, sum / count.max(1) as f64);
        Difference { name: name.clone(), psnr, worst_region, greatest }
    };
    names.iter().enumerate().map(output).collect()
}

/// The greatest mean square error of a region; regions overlap by half.
fn worst_region(reference: &Array, found: &Array) -> Option<f64> {
    let &[images, height, width, channels] = reference.shape.as_slice() else { return None };
    if height < REGION || width < REGION || channels == 0 {
        return None;
    }
    let starts = |extent: usize| {
        let last = extent - REGION;
        (0..last).step_by(REGION / 2).chain([last])
    };
    let error = |image: usize, y: usize, x: usize| {
        let row = |row: usize| {
            let start = ((image * height + row) * width + x) * channels;
            start..start + REGION * channels
        };
        let rows = (y..y + REGION).map(|y| {
            let pairs = reference.values[row(y)].iter().zip(&found.values[row(y)]);
            pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>()
        });
        rows.sum::<f64>() / (REGION * REGION * channels) as f64
    };
    let places = (0..images)
        .flat_map(|image| starts(height).map(move |y| (image, y)))
        .flat_map(|(image, y)| starts(width).map(move |x| (image, y, x)));
    places.map(|(image, y, x)| error(image, y, x)).max_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_fault_shows_in_the_worst_region() {
        let shape = vec![1, 200, 150, 1];
        let values: Vec<f32> = (0..200 * 150).map(|i| (i % 2) as f32).collect();
        let reference = Array { shape: shape.clone(), values };
        let mut broken = reference.clone();
        for y in 130..150 {
            for x in 100..120 {
                broken.values[y * 150 + x] += 0.5;
            }
        }
        let names = ["image".to_owned()];
        let found = &compare(&names, &[vec![reference.clone()]], &[vec![broken]])[0];
        let expected = |pixels: f64| -10.0 * (0.25 * 400.0 / pixels).log10();
        assert!((found.psnr - expected(200.0 * 150.0)).abs() < 1e-6);
        assert!((found.worst_region.unwrap() - expected(64.0 * 64.0)).abs() < 1e-6);
        assert_eq!(found.greatest, 0.5);
        let same = &compare(&names, &[vec![reference.clone()]], &[vec![reference]])[0];
        assert_eq!((same.psnr, same.worst_region), (200.0, Some(200.0)));
    }

    #[test]
    fn outputs_that_are_no_images_have_no_regions() {
        let array = |value| Array { shape: vec![1, 64, 64], values: vec![value; 64 * 64] };
        let found = compare(
            &["x".into()],
            &[vec![array(0.0)], vec![array(4.0)]],
            &[vec![array(0.0)], vec![array(3.0)]],
        );
        assert_eq!(found[0].worst_region, None);
        assert!((found[0].psnr - 10.0 * (16.0f64 / 0.5).log10()).abs() < 1e-9);
    }
}
