//! `vitrine garment`: what the program understands of a garment's picture.

use super::models::{models_directory, require_models};
use super::{category_names, parse_category, read_garment};
use crate::{
    garment::{Category, Ground, Reading, Shape, overlay},
    output::{self, Existing},
    perception::Perception,
    picture::Picture,
    tryon::{self, CutGarment},
};
use clap::{Args, Subcommand};
use glam::Vec2;
use serde::Serialize;
use std::{
    io::Write,
    path::{Path, PathBuf},
};

/// Looks at garments
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

/// Cuts the garment that a person wears off their photo and lays it flat
#[derive(Args)]
struct CutArgs {
    /// Photo of a person who faces the camera
    #[arg(short, long, value_name = "PICTURE")]
    photo: PathBuf,
    /// What to cut off
    #[arg(short, long, default_value = "top", value_parser = parse_cut, value_name = "CATEGORY",
        help = format!("What to cut off: top finds out which [possible values: top, {}]", CUTTABLE.map(Category::name).join(", ")))]
    category: CutWanted,
    /// Where to write the garment, a PNG; its description goes beside it, as TOML
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Folder of the models [default: the user's cache]
    #[arg(long, value_name = "FOLDER")]
    models: Option<PathBuf>,
    /// Replace files that exist
    #[arg(short, long)]
    force: bool,
}

/// What can be cut off a photo.
const CUTTABLE: [Category; 5] = [
    Category::TShirt,
    Category::LongSleeve,
    Category::Jacket,
    Category::Sleeveless,
    Category::Dress,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CutWanted {
    Top,
    Category(Category),
}

fn parse_cut(text: &str) -> Result<CutWanted, String> {
    if text == "top" {
        return Ok(CutWanted::Top);
    }
    match CUTTABLE.into_iter().find(|category| category.name() == text) {
        Some(category) => Ok(CutWanted::Category(category)),
        None => Err(format!("expected top or one of {}", CUTTABLE.map(Category::name).join(", "))),
    }
}

/// Runs `vitrine garment`.
///
/// # Errors
/// If the picture holds no garment that can be made out, or the drawing cannot be written.
pub fn run(args: &GarmentArgs) -> anyhow::Result<()> {
    match &args.command {
        Command::Check(args) => check(args),
        Command::Cut(args) => cut(args),
    }
}

fn cut(args: &CutArgs) -> anyhow::Result<()> {
    let existing = if args.force { Existing::Replace } else { Existing::Keep };
    if args.output.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("png")) {
        let message = format!("`{}`: expected a name that ends in .png", args.output.display());
        return Err(clap::Command::new("vitrine garment cut")
            .error(clap::error::ErrorKind::ValueValidation, message)
            .into());
    }
    let description = args.output.with_extension("toml");
    output::check(&args.output, existing)?;
    output::check(&description, existing)?;
    let (photo, _) = Picture::open(&args.photo)?;
    let directory = models_directory(args.models.as_deref());
    require_models(&directory)?;
    let people = Perception::load(&directory)?.perceive(&photo)?;
    let wanted = match args.category {
        CutWanted::Top => None,
        CutWanted::Category(category) => Some(category),
    };
    let cut = tryon::cut(&photo, &people, wanted)?;
    let name = args.output.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let text = toml::to_string(&Description::of(&cut, name))?;
    let (width, height) = (cut.texture.width as u32, cut.texture.height as u32);
    output::write_whole(&args.output, existing, |file| {
        let encoder = image::codecs::png::PngEncoder::new(file);
        let colour = image::ExtendedColorType::Rgba8;
        let bytes = cut.texture.rgba.as_flattened();
        let encoded = image::ImageEncoder::write_image(encoder, bytes, width, height, colour);
        encoded.map_err(std::io::Error::other)
    })?;
    output::write_whole(&description, existing, |file| file.write_all(text.as_bytes()))?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{} ({})", args.output.display(), cut.category.name())?;
    if cut.filled > 0.1 {
        let hidden = 100.0 * cut.filled;
        writeln!(std::io::stderr(), "note: {hidden:.0} % of it was hidden and filled from beside")?;
    }
    Ok(())
}

/// The file beside a cut garment.
#[derive(Serialize)]
struct Description {
    name: String,
    category: Category,
    points: Points,
}

#[derive(Serialize)]
struct Points {
    shoulder: [[f32; 2]; 2],
    collar: [[f32; 2]; 2],
    armpit: [[f32; 2]; 2],
    hem: [[f32; 2]; 2],
    neckline_depth: f32,
    neckline_filled: bool,
}

impl Description {
    fn of(cut: &CutGarment, name: String) -> Self {
        let points = |pair: [Vec2; 2]| pair.map(|p| p.to_array());
        Self {
            name,
            category: cut.category,
            points: Points {
                shoulder: points(cut.shoulder),
                collar: points(cut.collar),
                armpit: points(cut.armpit),
                hem: points(cut.hem),
                neckline_depth: cut.neckline_depth,
                neckline_filled: false,
            },
        }
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
