//! Garments cut off photos of drawn people.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use vitrine::cli::models::{models_directory, require_models};
use vitrine::garment::{Category, Garment, Shape};
use vitrine::output::Existing;
use vitrine::picture::Picture;

const COULD_NOT: i32 = 1;
const USAGE: i32 = 2;

fn people() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/people")
}

fn cut(folder: &Path, photo: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vitrine"));
    command.current_dir(folder).args(["garment", "cut", "--photo"]).arg(photo).args(more);
    command.output().expect("vitrine runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn models_are_here() -> bool {
    let here = require_models(&models_directory(None)).is_ok();
    if !here {
        eprintln!("skipped: needs the models; run `vitrine models fetch`");
    }
    here
}

#[test]
fn a_tee_cut_off_a_person_is_a_symmetric_t_shirt() {
    if !models_are_here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for person in ["rafael", "yuna"] {
        let photo = people().join(person).with_extension("jpg");
        let name = format!("{person}.png");
        let output = cut(folder.path(), &photo, &["--category", "top", "-o", &name]);
        assert!(output.status.success(), "{person}: {}", text(&output.stderr));
        assert_eq!(text(&output.stdout), format!("{name} (t-shirt)\n"));

        let garment = Garment::open(&folder.path().join(&name)).unwrap();
        assert_eq!((garment.name.as_str(), garment.category), (person, Category::TShirt));
        let picture = &garment.levels[0];
        let opaque = picture.rgba.iter().filter(|pixel| pixel[3] > 200).count();
        let share = opaque as f32 / picture.rgba.len() as f32;
        assert!((0.35..0.80).contains(&share), "{person}: {share} of the picture is garment");
        let rim = picture.rgba.iter().filter(|pixel| (1..255).contains(&pixel[3])).count();
        assert!(rim * 20 < opaque, "{person}: {rim} pixels are half transparent");

        let Shape::Upper(upper) = &garment.shape else { panic!("{person} wears a top") };
        let width = upper.armpit[1].x - upper.armpit[0].x;
        for pair in [upper.shoulder, upper.collar, upper.armpit, upper.hem] {
            let apart = (0.5 * (pair[0].x + pair[1].x) - upper.axis_x).abs();
            assert!(apart < 0.02 * width, "{person}: {pair:?} about {}", upper.axis_x);
            assert!((pair[0].y - pair[1].y).abs() < 0.02 * width, "{person}: {pair:?}");
        }
        let length = upper.hem[0].y - upper.collar[0].y;
        assert!((0.9..1.9).contains(&(length / width)), "{person}: {length} by {width}");
        assert!(!upper.neckline_filled && upper.neckline_depth > 0.0);
        assert!(upper.sleeves.iter().all(Option::is_some));
    }
}

#[test]
fn the_cut_cloth_has_the_colour_that_is_worn() {
    if !models_are_here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = cut(folder.path(), &people().join("rafael.jpg"), &["-o", "blue.png"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let garment = Garment::open(&folder.path().join("blue.png")).unwrap();
    let opaque = garment.levels[0].rgba.iter().filter(|pixel| pixel[3] > 200);
    let (all, blue) = opaque.fold((0, 0), |(all, blue), &[r, _, b, _]| {
        (all + 1, blue + usize::from(b > r.saturating_add(15)))
    });
    assert!(blue * 100 > all * 97, "{blue} of {all} pixels are blue");
}

#[test]
fn neither_picture_nor_description_is_replaced_unasked() {
    let folder = tempfile::tempdir().unwrap();
    for taken in ["tee.png", "tee.toml"] {
        let path = folder.path().join(taken);
        fs::write(&path, "mine").unwrap();
        let output = cut(folder.path(), &people().join("rafael.jpg"), &["-o", "tee.png"]);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(COULD_NOT), "{stderr}");
        assert!(stderr.contains(taken) && stderr.contains("--force"), "{stderr}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        fs::remove_file(&path).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn what_cannot_be_cut_is_a_usage_error_that_lists_what_can() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [["-o", "x.png", "-c", "trousers"], ["-o", "x.jpg", "-c", "top"]] {
        let output = cut(folder.path(), &people().join("rafael.jpg"), &arguments);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(USAGE), "{stderr}");
        let expected = if arguments[3] == "trousers" { "long-sleeve" } else { ".png" };
        assert!(stderr.contains(expected), "{stderr}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_photo_of_nobody_is_an_error_and_leaves_nothing_behind() {
    if !models_are_here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let photo = folder.path().join("wall.png");
    let wall = Picture::from_rgb8(320, 240, vec![180; 320 * 240 * 3]);
    wall.save(&photo, Existing::Keep).unwrap();
    let output = cut(folder.path(), &photo, &["-o", "tee.png"]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(COULD_NOT), "{stderr}");
    assert!(stderr.contains("no person found"), "{stderr}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
