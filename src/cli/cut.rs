//! `vitrine garment cut`: a photo in, the garment worn in it out.

use super::models::{models_directory, require_models};
use crate::garment::Category;
use crate::output::{self, Existing};
use crate::perception::Perception;
use crate::picture::Picture;
use crate::tryon::{self, Cut, CutPoints, Wanted};
use anyhow::Context;
use clap::error::ErrorKind;
use glam::Vec2;
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Cuts the garment off the person in a photo, laid out flat
#[derive(clap::Args)]
pub struct CutArgs {
    /// Photo of a person who faces the camera, arms down
    #[arg(short, long, value_name = "PICTURE")]
    photo: PathBuf,
    /// What to cut; `top` looks at the sleeves to tell which kind it is
    #[arg(short, long, default_value = "top", value_parser = parse_wanted, value_name = "CATEGORY",
        help = format!("What to cut; `top` tells by the sleeves which kind it is [possible values: {}]", NAMES.join(", ")))]
    category: Wanted,
    /// Where to write the picture, a PNG; its description is written beside it as TOML
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Folder of the models [default: the user's cache]
    #[arg(long, value_name = "FOLDER")]
    models: Option<PathBuf>,
    /// Replace files that exist
    #[arg(short, long)]
    force: bool,
}

const NAMES: [&str; 6] = ["top", "t-shirt", "long-sleeve", "jacket", "sleeveless", "dress"];

fn parse_wanted(text: &str) -> Result<Wanted, String> {
    if text == "top" {
        return Ok(Wanted::Top);
    }
    let category = Category::ALL.into_iter().find(|category| category.name() == text);
    match category {
        Some(category) if NAMES.contains(&text) => Ok(Wanted::Exactly(category)),
        Some(category) => {
            Err(format!("{category} cannot be cut off a photo; what can is {}", NAMES.join(", ")))
        }
        None => Err(format!("expected one of {}", NAMES.join(", "))),
    }
}

/// What is written beside the picture.
#[derive(Serialize)]
struct Described<'a> {
    name: &'a str,
    category: Category,
    points: DescribedPoints,
}

#[derive(Serialize)]
struct DescribedPoints {
    shoulder: [[f32; 2]; 2],
    collar: [[f32; 2]; 2],
    armpit: [[f32; 2]; 2],
    hem: [[f32; 2]; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    cuffs: Option<[[[f32; 2]; 2]; 2]>,
    neckline_depth: f32,
    neckline_filled: bool,
}

impl DescribedPoints {
    fn of(points: &CutPoints) -> Self {
        let tenths = |value: f32| (10.0 * value).round() / 10.0;
        let pair = |pair: [Vec2; 2]| pair.map(|p| [tenths(p.x), tenths(p.y)]);
        Self {
            shoulder: pair(points.shoulder),
            collar: pair(points.collar),
            armpit: pair(points.armpit),
            hem: pair(points.hem),
            cuffs: points.cuffs.map(|cuffs| cuffs.map(pair)),
            neckline_depth: tenths(points.neckline_depth),
            neckline_filled: false,
        }
    }
}

/// Runs `vitrine garment cut`.
///
/// # Errors
/// If the photo holds no garment that can be cut, or the files cannot be written.
pub fn run(args: &CutArgs) -> anyhow::Result<()> {
    let existing = if args.force { Existing::Replace } else { Existing::Keep };
    let is_png = args.output.extension().is_some_and(|e| e.eq_ignore_ascii_case("png"));
    if !is_png {
        let message = format!(
            "`{}` needs the extension .png: a garment has transparency",
            args.output.display()
        );
        let command = clap::Command::new("vitrine garment cut");
        return Err({ command }.error(ErrorKind::ValueValidation, message).into());
    }
    let description = args.output.with_extension("toml");
    output::check(&args.output, existing)?;
    output::check(&description, existing)?;
    let directory = models_directory(args.models.as_deref());
    require_models(&directory)?;
    let (photo, notes) = Picture::open(&args.photo)?;
    let people = Perception::load(&directory)?.perceive(&photo)?;
    let cut = tryon::cut(&photo, &people, args.category)?;

    let text = describe(&cut, &args.output)?;
    write_picture(&args.output, &cut, existing)?;
    let written =
        output::write_whole(&description, existing, |file| file.write_all(text.as_bytes()));
    if written.is_err() && existing == Existing::Keep {
        // A picture without its points is half a garment.
        let _ = std::fs::remove_file(&args.output);
    }
    written?;

    let mut stderr = std::io::stderr();
    for note in &notes {
        let _ = writeln!(stderr, "note: {}: {note}", args.photo.display());
    }
    if people.len() > 1 {
        let _ = writeln!(stderr, "note: {} people found; the largest is looked at", people.len());
    }
    for note in &cut.notes {
        let _ = writeln!(stderr, "note: {note}");
    }
    let line = format!("{} ({})\n", args.output.display(), cut.category);
    super::print(line.as_bytes())
}

fn describe(cut: &Cut, output: &Path) -> anyhow::Result<String> {
    let name = output.file_stem().unwrap_or_default().to_string_lossy();
    let described =
        Described { name: &name, category: cut.category, points: DescribedPoints::of(&cut.points) };
    toml::to_string(&described).context("cannot write the description")
}

fn write_picture(path: &Path, cut: &Cut, existing: Existing) -> anyhow::Result<()> {
    let picture = &cut.picture;
    let (width, height) = (picture.width as u32, picture.height as u32);
    output::write_whole(path, existing, |file| {
        let encoder = image::codecs::png::PngEncoder::new(file);
        let bytes = picture.rgba.as_flattened();
        let colour = image::ExtendedColorType::Rgba8;
        image::ImageEncoder::write_image(encoder, bytes, width, height, colour)
            .map_err(std::io::Error::other)
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_that_help_lists_is_understood() {
        assert_eq!(parse_wanted("top"), Ok(Wanted::Top));
        assert!(NAMES.iter().all(|name| parse_wanted(name).is_ok()));
        for name in ["trousers", "skirt", "hat"] {
            let message = parse_wanted(name).unwrap_err();
            assert!(message.contains(name) && message.contains("long-sleeve"), "{message}");
        }
    }
}
