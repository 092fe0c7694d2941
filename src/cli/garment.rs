//! `vitrine garment`: what the program understands of a garment's picture; garments cut off photos.

use super::cut::{self, CutArgs};
use super::{category_names, parse_category, read_garment};
use crate::{
    garment::{Category, Ground, Reading, Shape, overlay},
    output::{self, Existing},
};
use clap::{Args, Subcommand};
use glam::Vec2;
use serde::Serialize;
use std::{
    io::Write,
    path::{Path, PathBuf},
};

/// Checks garment pictures, cuts garments off photos
#[derive(Args)]
pub struct GarmentArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Check(CheckArgs),
    Cut(CutArgs),
}

/// Shows what is understood of a garment's picture, and draws its control points
#[derive(Args)]
struct CheckArgs {
    /// Picture of a garment, alone on a plain or transparent background; a TOML file of the same name
    /// beside it may state its name, category, size and points
    #[arg(value_name = "PICTURE")]
    picture: PathBuf,
    /// Where to write the drawing [default: PICTURE-check.png beside the picture]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What the garment is
    #[arg(short, long, value_parser = parse_category, value_name = "CATEGORY",
        help = format!("What the garment is [possible values: {}]", category_names()))]
    category: Option<Category>,
    /// Print what was understood as JSON
    #[arg(long)]
    json: bool,
    /// Replace the drawing if it exists
    #[arg(short, long)]
    force: bool,
}

/// Runs `vitrine garment`.
///
/// # Errors
/// If the picture holds no garment that can be made out, or the drawing cannot be written.
pub fn run(args: &GarmentArgs) -> anyhow::Result<()> {
    match &args.command {
        Command::Check(args) => check(args),
        Command::Cut(args) => cut::run(args),
    }
}

fn check(args: &CheckArgs) -> anyhow::Result<()> {
    let output = args.output.clone().unwrap_or_else(|| beside(&args.picture));
    let existing = if args.force { Existing::Replace } else { Existing::Keep };
    output::check(&output, existing)?;
    let reading = read_garment(&args.picture, args.category)?;
    write_png(&output, &overlay::draw(&reading), existing)?;
    let report = Report::of(&reading, &output);
    let mut out = std::io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &report)?;
        writeln!(out)?;
    } else {
        report.print(&mut out)?;
    }
    Ok(())
}

fn beside(picture: &Path) -> PathBuf {
    let stem = picture.file_stem().unwrap_or_default().to_string_lossy();
    picture.with_file_name(format!("{stem}-check.png"))
}

fn write_png(path: &Path, drawing: &overlay::Drawing, existing: Existing) -> anyhow::Result<()> {
    let (width, height) = (drawing.width as u32, drawing.height as u32);
    output::write_whole(path, existing, |file| {
        let encoder = image::codecs::png::PngEncoder::new(file);
        let colour = image::ExtendedColorType::Rgb8;
        let encoded =
            image::ImageEncoder::write_image(encoder, &drawing.rgb, width, height, colour);
        encoded.map_err(std::io::Error::other)
    })?;
    Ok(())
}

/// What was understood, in pixels of the picture's file.
#[derive(Serialize)]
struct Report {
    name: String,
    category: Category,
    confidence: f32,
    size: Option<String>,
    picture: [u32; 2],
    ground: String,
    turned_degrees: f32,
    points: Vec<(&'static str, Vec<[f32; 2]>)>,
    neckline_depth: Option<f32>,
    neckline_filled: Option<bool>,
    sleeves: Option<usize>,
    warnings: Vec<String>,
    drawing: PathBuf,
}

impl Report {
    fn of(reading: &Reading, drawing: &Path) -> Self {
        let to_picture = reading.from_picture.inverse();
        let scale = to_picture.matrix2.determinant().abs().sqrt();
        let place = |points: &[Vec2]| -> Vec<[f32; 2]> {
            let round = |value: f32| (10.0 * value).round() / 10.0;
            let placed = points.iter().map(|&point| to_picture.transform_point2(point));
            placed.map(|point| [round(point.x), round(point.y)]).collect()
        };
        let mut neckline = None;
        let mut sleeves = None;
        let points = match &reading.garment.shape {
            Shape::Upper(upper) => {
                neckline = Some((upper.neckline_depth * scale, upper.neckline_filled));
                sleeves = Some(upper.sleeves.iter().flatten().count());
                let mut points = vec![
                    ("shoulder", place(&upper.shoulder)),
                    ("collar", place(&upper.collar)),
                    ("armpit", place(&upper.armpit)),
                    ("hem", place(&upper.hem)),
                ];
                let cuffs: Vec<Vec2> = reading.cuffs.iter().flatten().flatten().copied().collect();
                if !cuffs.is_empty() {
                    points.push(("cuffs", place(&cuffs)));
                }
                points
            }
            Shape::Skirt(tube) => vec![("waist", place(&tube.waist)), ("hem", place(&tube.hem))],
            Shape::Trousers(trousers) => vec![
                ("waist", place(&trousers.waist)),
                ("crotch", place(&[trousers.crotch])),
                ("cuffs", place(trousers.cuffs.as_flattened())),
            ],
            Shape::Hat(hat) => vec![("band", place(&hat.band)), ("crown", place(&[hat.crown]))],
            Shape::Eyeglasses(eyeglasses) => {
                vec![("ends", place(&eyeglasses.ends)), ("bridge", place(&[eyeglasses.bridge]))]
            }
        };
        Self {
            name: reading.garment.name.clone(),
            category: reading.garment.category,
            confidence: reading.confidence,
            size: reading.size.clone(),
            picture: [reading.picture_size.0, reading.picture_size.1],
            ground: match reading.ground {
                Ground::Alpha => "transparent".to_owned(),
                Ground::Plain([r, g, b]) => format!("plain, #{r:02x}{g:02x}{b:02x}"),
            },
            turned_degrees: reading.lean.to_degrees(),
            points,
            neckline_depth: neckline.map(|(depth, _)| depth),
            neckline_filled: neckline.map(|(_, filled)| filled),
            sleeves,
            warnings: reading.warnings.iter().map(ToString::to_string).collect(),
            drawing: drawing.to_owned(),
        }
    }

    fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        writeln!(out, "name        {}", self.name)?;
        let confidence = 100.0 * self.confidence;
        writeln!(out, "category    {} ({confidence:.0} % sure)", self.category)?;
        if let Some(size) = &self.size {
            writeln!(out, "size        {size}")?;
        }
        let [width, height] = self.picture;
        writeln!(out, "picture     {width} × {height}, background {}", self.ground)?;
        if self.turned_degrees != 0.0 {
            writeln!(out, "turned      by {:.1}° to stand upright", self.turned_degrees)?;
        }
        for (name, points) in &self.points {
            let list: Vec<String> =
                points.iter().map(|[x, y]| format!("({x:.0}, {y:.0})")).collect();
            writeln!(out, "{name:<12}{}", list.join(" "))?;
        }
        if let (Some(depth), Some(filled)) = (self.neckline_depth, self.neckline_filled) {
            let back = if filled { "the inner back shows" } else { "the neck hole is cut out" };
            writeln!(out, "neckline    {depth:.0} px deep, {back}")?;
        }
        match self.sleeves {
            Some(0) => writeln!(out, "sleeves     none")?,
            Some(count) => writeln!(out, "sleeves     {count}")?,
            None => {}
        }
        for warning in &self.warnings {
            writeln!(out, "warning     {warning}")?;
        }
        writeln!(out, "drawing     {}", self.drawing.display())
    }
}
