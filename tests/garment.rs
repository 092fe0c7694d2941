//! Garments are read from pictures: the catalogue in `garments/`, and bad input.

use glam::Vec2;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};
use vitrine::garment::{Category, Reading, Shape};

/// Greatest distance of a control point from the drawn one, in widths of the garment.
const TOLERANCE: f32 = 0.06;

#[derive(serde::Deserialize)]
struct Truth {
    file: String,
    category: Category,
    points: BTreeMap<String, serde_json::Value>,
}

fn catalogue() -> Option<(PathBuf, BTreeMap<String, Truth>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("garments");
    let text = std::fs::read_to_string(folder.join("ground_truth.json")).ok()?;
    Some((folder, serde_json::from_str(&text).expect("ground_truth.json")))
}

/// The points that were found, under the names that descriptions use, in pixels of the file.
fn found(reading: &Reading) -> BTreeMap<&'static str, Vec<Vec2>> {
    let cuffs: Vec<Vec2> = reading.cuffs.iter().flatten().flatten().copied().collect();
    let in_texture: Vec<(&str, Vec<Vec2>)> = match &reading.garment.shape {
        Shape::Upper(upper) => vec![
            ("shoulder", upper.shoulder.to_vec()),
            ("collar", upper.collar.to_vec()),
            ("armpit", upper.armpit.to_vec()),
            ("hem", upper.hem.to_vec()),
            ("cuffs", cuffs),
        ],
        Shape::Skirt(tube) => vec![("waist", tube.waist.to_vec()), ("hem", tube.hem.to_vec())],
        Shape::Trousers(trousers) => vec![
            ("waist", trousers.waist.to_vec()),
            ("crotch", vec![trousers.crotch]),
            ("cuffs", trousers.cuffs.as_flattened().to_vec()),
        ],
        Shape::Hat(hat) => vec![("band", hat.band.to_vec()), ("crown", vec![hat.crown])],
        Shape::Eyeglasses(eyeglasses) => {
            vec![("ends", eyeglasses.ends.to_vec()), ("bridge", vec![eyeglasses.bridge])]
        }
    };
    let to_picture = reading.from_picture.inverse();
    let mapped = in_texture.into_iter().map(|(name, points)| {
        (name, points.into_iter().map(|point| to_picture.transform_point2(point)).collect())
    });
    mapped.collect()
}

fn numbers(value: &serde_json::Value, into: &mut Vec<f32>) {
    match value {
        serde_json::Value::Array(values) => values.iter().for_each(|value| numbers(value, into)),
        other => into.extend(other.as_f64().map(|number| number as f32)),
    }
}

#[test]
fn every_catalogue_piece_is_understood_without_its_description() {
    let Some((folder, truths)) = catalogue() else {
        eprintln!("skipped: there is no catalogue in garments/");
        return;
    };
    let mut faults = Vec::new();
    for (name, truth) in &truths {
        let reading = match Reading::of_picture(&folder.join(&truth.file), None) {
            Ok(reading) => reading,
            Err(error) => {
                faults.push(format!("{name}: {error}"));
                continue;
            }
        };
        if reading.garment.category != truth.category {
            faults.push(format!(
                "{name}: taken for a {}, confidence {:.2}; it is a {}",
                reading.garment.category, reading.confidence, truth.category
            ));
            continue;
        }
        let found = found(&reading);
        let columns = || found.values().flatten().map(|point| point.x);
        let width = columns().fold(f32::MIN, f32::max) - columns().fold(f32::MAX, f32::min);
        for (key, value) in &truth.points {
            let mut values = Vec::new();
            numbers(value, &mut values);
            let drawn: Vec<Vec2> = values.chunks_exact(2).map(Vec2::from_slice).collect();
            if let Some(points) = found.get(key.as_str()) {
                for (i, (point, drawn)) in points.iter().zip(&drawn).enumerate() {
                    let apart = point.distance(*drawn) / width;
                    if apart > TOLERANCE {
                        faults.push(format!(
                            "{name}: {key}[{i}] is {apart:.3} widths off: found {point:.0}, drawn {drawn:.0}"
                        ));
                    }
                }
                if points.len() != drawn.len() {
                    faults.push(format!(
                        "{name}: {} of {} points of {key}",
                        points.len(),
                        drawn.len()
                    ));
                }
            }
            let Shape::Upper(upper) = &reading.garment.shape else { continue };
            if key == "neckline_depth" {
                let scale = reading.from_picture.matrix2.determinant().sqrt();
                let (depth, drawn) = (upper.neckline_depth / scale, values[0]);
                let apart = (depth - drawn).abs() / width;
                if apart > TOLERANCE {
                    faults.push(format!(
                        "{name}: neckline is {apart:.3} widths off: found {depth:.0}, drawn {drawn:.0}"
                    ));
                }
            }
            if value.as_bool().is_some_and(|filled| filled != upper.neckline_filled) {
                faults.push(format!("{name}: neckline_filled is {}", upper.neckline_filled));
            }
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_catalogue_piece_opens_with_its_description() {
    let Some((folder, truths)) = catalogue() else {
        eprintln!("skipped: there is no catalogue in garments/");
        return;
    };
    for (name, truth) in &truths {
        let reading = Reading::of(&folder.join(&truth.file), None)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(reading.garment.category, truth.category, "{name}");
    }
}
