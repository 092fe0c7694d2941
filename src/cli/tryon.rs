//! `vitrine tryon`: a photo and garments in, the person wearing them out.

use super::explain::{self, Explained};
use super::models::{models_directory, require_models};
use super::{Common, category_names, parse_category, read_garment, timings::Timings};
use crate::garment::{Category, Garment, Reading};
use crate::output::{self, Existing};
use crate::perception::{Perception, Person};
use crate::picture::{Format, Picture, SaveError};
use crate::tryon::{self, Piece};
use anyhow::Context;
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use serde::Serialize;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Dresses the person in a photo
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct TryonArgs {
    /// Photo of a person: PNG, JPEG or WebP
    #[arg(short, long, value_name = "PICTURE")]
    person: PathBuf,
    /// Picture of a garment, alone on a plain or transparent background; give it again to wear
    /// several, which are put on from inside out
    #[arg(short, long, required = true, value_name = "PICTURE")]
    garment: Vec<PathBuf>,
    /// What the garment is; only with a single garment
    #[arg(long, default_value = "auto", value_parser = parse_wanted, value_name = "CATEGORY",
        help = format!("What the garment is [possible values: auto, {}]", category_names()))]
    category: Wanted,
    /// Where to write the picture: .png, .jpg or .webp, or `-` for PNG on standard output
    /// [default: PERSON-tryon.png in the current folder]
    #[arg(short, long, value_name = "FILE", value_parser = OsStringValueParser::new().try_map(Destination::parse))]
    output: Option<Destination>,
    /// Also write the pictures of every stage into this folder
    #[arg(long, value_name = "FOLDER")]
    explain: Option<PathBuf>,
    /// Print what was found, and how long each stage took, as JSON on standard output
    #[arg(long)]
    json: bool,
    /// Number that all randomness is drawn from; fitting by warp draws none
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    /// Replace files that exist
    #[arg(short, long)]
    force: bool,
    /// Folder of the models [default: the user's cache]
    #[arg(long, value_name = "FOLDER")]
    models: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  vitrine tryon --person me.jpg --garment tee.png
  vitrine tryon --person me.jpg --garment jacket.png --garment jeans.png -o out.jpg
  vitrine tryon --person me.jpg --garment scan.jpg --category trousers --explain why/
  vitrine tryon --person me.jpg --garment tee.png --json > found.json
  vitrine tryon --person me.jpg --garment tee.png -o - | display

Several garments are put on from inside out: trousers and skirts, then tops, dresses, jackets,
eyeglasses, hats; those of one kind in the order given.";

/// The category that the user asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Automatic,
    Category(Category),
}

fn parse_wanted(text: &str) -> Result<Wanted, String> {
    match text {
        "auto" => Ok(Wanted::Automatic),
        name => {
            parse_category(name).map(Wanted::Category).map_err(|error| format!("{error}, or auto"))
        }
    }
}

/// Where the picture goes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Destination {
    StandardOutput,
    File(PathBuf),
}

impl Destination {
    fn parse(text: OsString) -> Result<Self, SaveError> {
        if text == "-" {
            return Ok(Self::StandardOutput);
        }
        let path = PathBuf::from(text);
        Format::of(&path)?;
        Ok(Self::File(path))
    }

    /// `<person>-tryon.png` in the current folder.
    fn beside(person: &Path) -> Self {
        let mut name = person.file_stem().unwrap_or("picture".as_ref()).to_os_string();
        name.push("-tryon.png");
        Self::File(name.into())
    }
}

/// What is printed with `--json`.
#[derive(Serialize)]
struct Report<'a> {
    output: &'a Path,
    width: usize,
    height: usize,
    people: usize,
    confidence: f32,
    landmarks: Vec<ReportedLandmark>,
    garments: Vec<ReportedGarment<'a>>,
    seed: u64,
    notes: &'a [String],
    timings: Vec<ReportedStage>,
}

#[derive(Serialize)]
struct ReportedLandmark {
    x: f32,
    y: f32,
    depth: f32,
    visibility: f32,
    presence: f32,
}

#[derive(Serialize)]
struct ReportedGarment<'a> {
    picture: &'a Path,
    name: &'a str,
    category: Category,
}

#[derive(Serialize)]
struct ReportedStage {
    stage: &'static str,
    ms: f64,
}

/// Runs the subcommand.
///
/// # Errors
/// Whatever keeps the picture from being made; nothing is written then. A [`clap::Error`] for
/// arguments that contradict each other.
pub fn run(args: &TryonArgs, common: &Common, timings: &Timings) -> anyhow::Result<ExitCode> {
    let existing = if args.force { Existing::Replace } else { Existing::Keep };
    let destination = args.output.clone().unwrap_or_else(|| Destination::beside(&args.person));
    check_usage(args, &destination)?;
    if let Destination::File(path) = &destination {
        output::check(path, existing)?;
    }

    let progress = progress(common, 4);
    let step = |name: &'static str| {
        progress.set_message(name);
        progress.inc(1);
    };
    step("reading the pictures");
    let mut notes = Vec::new();
    let photo = {
        let _span = tracing::info_span!("read_person").entered();
        let (photo, found) = Picture::open(&args.person)?;
        notes.extend(found.iter().map(|note| format!("{}: {note}", args.person.display())));
        photo
    };
    let category = match args.category {
        Wanted::Automatic => None,
        Wanted::Category(category) => Some(category),
    };
    let mut garments = Vec::new();
    for path in &args.garment {
        let _span = tracing::info_span!("read_garment").entered();
        garments.push((path.as_path(), read_garment(path, category)?));
    }
    garments.sort_by_key(|(_, reading)| layer(reading.garment.category));
    let (paths, readings): (Vec<&Path>, Vec<Reading>) = garments.into_iter().unzip();

    step("dressing");
    let request = Request {
        photo: &photo,
        readings: &readings,
        models: args.models.as_deref(),
        explain: args.explain.as_deref(),
        existing,
    };
    let dressed = dress(&request)?;
    notes.extend(dressed.notes);

    step("writing the picture");
    {
        let _span = tracing::info_span!("write").entered();
        match &destination {
            Destination::File(path) => dressed.picture.save(path, existing)?,
            Destination::StandardOutput => {
                let mut png = Vec::new();
                dressed
                    .picture
                    .encode(Format::Png, &mut png)
                    .context("cannot encode the picture")?;
                super::print(&png)?;
            }
        }
    }
    progress.finish_and_clear();

    for note in notes.iter().filter(|_| !args.json) {
        let _ = writeln!(std::io::stderr(), "note: {note}");
    }
    let Destination::File(path) = &destination else { return Ok(ExitCode::SUCCESS) };
    if args.json {
        let report = Report {
            output: path,
            width: dressed.picture.width,
            height: dressed.picture.height,
            people: dressed.people,
            confidence: dressed.person.presence,
            landmarks: landmarks_of(&dressed.person),
            garments: paths
                .iter()
                .zip(&readings)
                .map(|(path, p)| reported(path, &p.garment))
                .collect(),
            seed: args.seed,
            notes: &notes,
            timings: timings.stages().into_iter().map(in_milliseconds).collect(),
        };
        let mut text = serde_json::to_vec_pretty(&report).context("cannot write the report")?;
        text.push(b'\n');
        super::print(&text)?;
    } else {
        super::print(format!("{}\n", path.display()).as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn check_usage(args: &TryonArgs, destination: &Destination) -> anyhow::Result<()> {
    let usage = |message: &str| {
        clap::Command::new("vitrine tryon").error(ErrorKind::ArgumentConflict, message).into()
    };
    if args.json && *destination == Destination::StandardOutput {
        return Err(usage("`--json` and `-o -` both want standard output: give `-o` a file name"));
    }
    if args.garment.len() > 1 && args.category != Wanted::Automatic {
        return Err(usage(
            "`--category` says what a single garment is: with several, state it in each garment's TOML file",
        ));
    }
    Ok(())
}

/// Where nobody watches, or `-v` writes lines instead, nothing is drawn.
fn progress(common: &Common, steps: u64) -> ProgressBar {
    if common.verbose {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})");
    let style = style.unwrap_or(ProgressStyle::default_spinner());
    let bar = ProgressBar::new(steps).with_style(style).with_finish(ProgressFinish::AndClear);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn landmarks_of(person: &Person) -> Vec<ReportedLandmark> {
    let reported = person.landmarks.iter().map(|landmark| ReportedLandmark {
        x: landmark.position.x,
        y: landmark.position.y,
        depth: landmark.depth,
        visibility: landmark.visibility,
        presence: landmark.presence,
    });
    reported.collect()
}

fn reported<'a>(picture: &'a Path, garment: &'a Garment) -> ReportedGarment<'a> {
    ReportedGarment { picture, name: &garment.name, category: garment.category }
}

fn in_milliseconds((stage, time): (&'static str, Duration)) -> ReportedStage {
    ReportedStage { stage, ms: (time.as_secs_f64() * 1e6).round() / 1e3 }
}

/// Rank of a garment from inside out.
fn layer(category: Category) -> u8 {
    match category {
        Category::Trousers | Category::Skirt => 0,
        Category::TShirt | Category::LongSleeve | Category::Sleeveless => 1,
        Category::Dress => 2,
        Category::Jacket => 3,
        Category::Eyeglasses => 4,
        Category::Hat => 5,
    }
}

/// What is asked of the stages.
struct Request<'a> {
    photo: &'a Picture,
    /// From inside out.
    readings: &'a [Reading],
    models: Option<&'a Path>,
    explain: Option<&'a Path>,
    /// For the pictures in `explain`.
    existing: Existing,
}

/// What the stages answer.
struct Dressed {
    picture: Picture,
    /// The person who was dressed.
    person: Person,
    /// How many people were found.
    people: usize,
    notes: Vec<String>,
}

fn dress(request: &Request<'_>) -> anyhow::Result<Dressed> {
    let directory = models_directory(request.models);
    {
        let _span = tracing::info_span!("verify_nets").entered();
        require_models(&directory)?;
    }
    let people = {
        let _span = tracing::info_span!("load_nets").entered();
        let perception = Perception::load(&directory)?;
        drop(_span);
        let _span = tracing::info_span!("perceive").entered();
        perception.perceive(request.photo)?
    };
    let count = people.len();
    let mut notes = Vec::new();
    if count > 1 {
        notes.push(format!("{count} people found; the largest is dressed"));
    }
    for reading in request.readings {
        let name = &reading.garment.name;
        notes.extend(reading.warnings.iter().map(|warning| format!("{name}: {warning}")));
    }
    let pieces: Vec<Piece> =
        request.readings.iter().map(|reading| Piece::new(reading.garment.clone())).collect();
    let dressed = tryon::dress(request.photo, &people, &pieces)?;
    if let Some(folder) = request.explain {
        let _span = tracing::info_span!("explain").entered();
        let explained = Explained {
            photo: request.photo,
            person: &people[0],
            readings: request.readings,
            pieces: &pieces,
            dressed: &dressed,
        };
        explain::write(folder, request.existing, &explained)?;
    }
    let person = people.into_iter().next().context("nobody was found")?;
    Ok(Dressed { picture: dressed.picture, person, people: count, notes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn garments_are_put_on_from_inside_out() {
        use Category::*;
        let mut worn = [Hat, Jacket, TShirt, Eyeglasses, LongSleeve, Dress, Trousers];
        worn.sort_by_key(|&category| layer(category));
        assert_eq!(worn, [Trousers, TShirt, LongSleeve, Dress, Jacket, Eyeglasses, Hat]);
    }

    #[test]
    fn auto_and_every_category_are_understood() {
        assert_eq!(parse_wanted("auto"), Ok(Wanted::Automatic));
        for category in Category::ALL {
            assert_eq!(parse_wanted(category.name()), Ok(Wanted::Category(category)));
        }
        assert!(parse_wanted("sock").is_err());
    }

    #[test]
    fn the_default_name_is_the_persons_in_the_current_folder() {
        let beside = |person: &str| Destination::beside(Path::new(person));
        assert_eq!(beside("photos/anna.b.jpg"), Destination::File("anna.b-tryon.png".into()));
    }
}
