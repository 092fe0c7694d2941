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

fn check(arguments: &[&std::ffi::OsStr]) -> (i32, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_vitrine"));
    let output = command.args(["garment", "check"]).args(arguments).output().expect("it runs");
    let code = output.status.code().expect("an exit code");
    (code, String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn every_bad_input_is_a_clear_sentence_and_writes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let plain = image::RgbImage::from_pixel(200, 200, image::Rgb([40, 90, 160]));
    plain.save(path("plain.png")).expect("plain.png");
    let clear = image::RgbaImage::new(100, 100);
    clear.save(path("clear.png")).expect("clear.png");
    image::RgbaImage::new(1, 1).save(path("dot.png")).expect("dot.png");
    image::RgbaImage::new(200, 20).save(path("narrow.png")).expect("narrow.png");
    std::fs::write(path("empty.png"), []).expect("empty.png");
    std::fs::write(path("text.png"), "no picture").expect("text.png");
    let whole = std::fs::read(path("plain.png")).expect("plain.png");
    std::fs::write(path("broken.png"), &whole[..whole.len() / 2]).expect("broken.png");
    let cases = [
        ("absent.png", "does not exist"),
        ("", "is a folder"),
        ("empty.png", "is empty"),
        ("text.png", "expected a PNG, JPEG or WebP picture"),
        ("broken.png", "is truncated"),
        ("dot.png", "1×1: at least"),
        ("narrow.png", "at least 24"),
        ("plain.png", "one plain colour"),
        ("clear.png", "fully transparent"),
    ];
    for (name, sentence) in cases {
        let drawing = path("drawing.png");
        let arguments =
            [path(name).into_os_string(), "-o".into(), drawing.clone().into_os_string()];
        let (code, message) = check(&arguments.each_ref().map(|argument| argument.as_os_str()));
        assert_eq!(code, 1, "{name}: {message}");
        assert!(message.contains(sentence), "{name}: {message}");
        assert!(!drawing.exists(), "{name}");
    }
}

#[test]
fn a_fault_in_a_description_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let picture = folder.path().join("cap.png");
    let mut pixels = image::RgbaImage::new(300, 300);
    for (x, y, pixel) in pixels.enumerate_pixels_mut() {
        let apart = (f64::from(x) - 150.0).hypot(f64::from(y) - 150.0);
        if apart < 120.0 && y < 170 {
            *pixel = image::Rgba([30, 60, 120, 255]);
        }
    }
    pixels.save(&picture).expect("cap.png");
    let cases = [
        ("colour = 'red'", "unknown field `colour`"),
        ("category = 'sock'", "unknown variant `sock`"),
        ("category = 'hat'\n[points]\nbnd = [[1, 2], [3, 4]]", "unknown field `bnd`"),
        ("category = 'hat'\n[points]\ncrown = [10, 900]", "outside the picture"),
        (
            "category = 'hat'\n[points]\ncrotch = [10, 20]",
            "`crotch` does not belong to the category hat",
        ),
        ("category = 'trousers'", "no trousers can be made out"),
    ];
    for (description, sentence) in cases {
        std::fs::write(picture.with_extension("toml"), description).expect("cap.toml");
        let (code, message) = check(&[picture.as_os_str()]);
        assert_eq!(code, 1, "{description}: {message}");
        assert!(message.contains(sentence), "{description}: {message}");
    }
}
