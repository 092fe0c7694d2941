//! The command line of `vitrine-quantize`.

use crate::choose::{Pattern, Rules};
use crate::error::QuantizeError;
use crate::observer::{Merge, Observer};
use crate::pipeline::{self, Progress, Quantized, Request, Stage, target};
use crate::qdq;
use crate::report::how_decided;
use crate::samples::{self, Input, Normalisation};
use anyhow::Context;
use clap::{Parser, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use kernels::features::{Features, Isa};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use targets::Board;
use vitrine::bundle::{Contents, Description, Memory, PackedNet};
use vitrine::output::{self, Existing};
use vitrine::runtime::choices::{Activations, Precision};
use vitrine::runtime::pool::Pool;

/// Quantizes a net for a board: calibrates, chooses each layer's precision, packs
#[derive(Debug, Parser)]
#[command(name = "vitrine-quantize", version, after_help = EXAMPLES)]
pub struct Arguments {
    /// The net, all of whose sizes are fixed
    #[arg(value_name = "MODEL.onnx")]
    model: PathBuf,
    #[command(flatten)]
    source: Source,
    /// The board: a profile's name, or native
    #[arg(long, default_value = NATIVE)]
    board: String,
    /// The bundle to write
    #[arg(short, long, value_name = "FILE.vit")]
    output: PathBuf,
    /// Replace files that are there
    #[arg(long)]
    force: bool,
    /// Also write why each layer is computed as it is, for people
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Also write the quantized net for other engines: ONNX with QuantizeLinear and DequantizeLinear
    #[arg(long, value_name = "FILE.onnx")]
    qdq: Option<PathBuf>,
    /// Also write the choices, for a program that lowers the net itself
    #[arg(long, value_name = "FILE.toml")]
    choices: Option<PathBuf>,
    /// Layers that stay in floating point: a part of the name, or the name with * for any letters
    #[arg(long, value_name = "PATTERN")]
    keep_f16: Vec<Pattern>,
    /// Least PSNR of a quantized layer, dB [default: 38, of attention 26]
    #[arg(long, value_name = "DB")]
    min_psnr: Option<f64>,
    /// What weights of quantized linear layers become
    #[arg(long, value_enum, default_value = "int8")]
    weights: WeightChoice,
    /// How inputs are quantized [default: one step for a tensor, one for each row where that is too coarse]
    #[arg(long, value_enum)]
    activations: Option<ActivationChoice>,
    /// min-max, percentile, percentile=SHARE, entropy or mse
    #[arg(long, default_value = "percentile")]
    observer: Observer,
    /// How the ranges of timesteps become one: maximum, or the percentage of them that must fit
    #[arg(long, value_name = "SHARE", default_value = "maximum")]
    merge: Merge,
    /// Smooth norms before linear layers (SmoothQuant), 0 to 1: how much of the difficulty goes to weights
    #[arg(long, value_name = "ALPHA", value_parser = share)]
    smooth: Option<f32>,
    /// Leave biases as they are
    #[arg(long)]
    no_bias_correction: bool,
    /// Timesteps to calibrate, for nets that take one
    #[arg(long, value_name = "T0,T1,…", value_delimiter = ',', allow_negative_numbers = true)]
    steps: Vec<f32>,
    /// The input that takes the timestep [default: the one that holds one value]
    #[arg(long, value_name = "NAME", requires = "steps")]
    step_input: Option<String>,
    /// Most megabytes of weights: Winograd's method, which stores more, gives way
    #[arg(long, value_name = "MB")]
    max_mb: Option<f64>,
    /// The net's name [default: the file's]
    #[arg(long)]
    name: Option<String>,
    /// The try-on system that it belongs to
    #[arg(long, default_value = "student")]
    system: String,
    /// What it is for
    #[arg(long, value_name = "TASK", default_value = "try-on")]
    task: Vec<String>,
    /// Under which its weights may be used
    #[arg(long, default_value = "unknown")]
    licence: String,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

#[derive(Debug, clap::Args)]
struct Source {
    /// Samples: pictures, .npy or .safetensors; a sub-folder or a file prefix for each of several inputs
    #[arg(long, value_name = "DIR", required_unless_present = "random", conflicts_with = "random")]
    samples: Option<PathBuf>,
    /// So many samples of normally distributed values instead
    #[arg(long, value_name = "N")]
    random: Option<NonZeroUsize>,
    /// Of --random
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Taken off pictures' values, 0 to 1: one number or three
    #[arg(long, value_name = "R,G,B", value_delimiter = ',', allow_negative_numbers = true)]
    mean: Vec<f32>,
    /// Pictures' values are divided by it: one number or three
    #[arg(long, value_name = "R,G,B", value_delimiter = ',')]
    std: Vec<f32>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum WeightChoice {
    /// A step for each output channel
    Int8,
    /// A step for each 32 weights
    Int4,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ActivationChoice {
    /// One step, known before
    Tensor,
    /// Each row by its greatest magnitude, as it comes
    Row,
}

const EXAMPLES: &str = "\
Examples:
  vitrine-quantize student.onnx --samples photos/ --board rk3588 -o student.vit --report student.html
  vitrine-quantize unet.onnx --random 4 --steps 999,749,499,249 --smooth 0.5 -o unet.vit

Exit codes: 0 done, 1 could not (the reason is on standard error), 2 wrong usage, 130 interrupted.";

/// The board that this machine is.
const NATIVE: &str = "native";

/// Exit code of an interrupted run: 128 and the number of SIGINT.
const INTERRUPTED: i32 = 130;

fn share(text: &str) -> Result<f32, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "expected a number from 0 to 1".into())
}

/// Sets up the signal handler.
///
/// # Errors
/// If the system refuses it.
pub fn start() -> anyhow::Result<()> {
    ctrlc::set_handler(|| {
        output::abandon();
        let mut stderr = std::io::stderr();
        let start = if stderr.is_terminal() { "\r\x1b[2K" } else { "" };
        let _ = writeln!(stderr, "{start}error: interrupted; nothing was written");
        std::process::exit(INTERRUPTED);
    })
    .context("cannot handle interrupts")
}

/// The board that is packed for.
struct Packing {
    board: Board,
    sets: Vec<Isa>,
}

impl Packing {
    fn of(name: &str, features: Features) -> Result<Self, QuantizeError> {
        let board = Board::named(name)?;
        let sets = if name == NATIVE {
            features.sets().collect()
        } else {
            let names = board.instruction_sets();
            Isa::ALL.into_iter().filter(|isa| names.contains(&isa.name())).collect()
        };
        Ok(Self { board, sets })
    }

    /// What the board computes in where it is not int8.
    fn float(&self) -> Precision {
        if self.sets.contains(&Isa::NeonFp16) { Precision::F16 } else { Precision::F32 }
    }
}

/// Runs `vitrine-quantize`.
///
/// # Errors
/// What kept the bundle from being written.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let existing = if arguments.force { Existing::Replace } else { Existing::Keep };
    let files = [
        Some(&arguments.output),
        arguments.report.as_ref(),
        arguments.qdq.as_ref(),
        arguments.choices.as_ref(),
    ];
    for path in files.into_iter().flatten() {
        output::check(path, existing)?;
    }
    let features = Features::from_environment()?;
    let packing = Packing::of(&arguments.board, features)?;
    let board = &packing.board;
    let pool = pool(arguments.threads)?;

    let mut imported = import(&arguments.model)
        .with_context(|| format!("cannot import `{}`", arguments.model.display()))?;
    imported.model = models::rewrite::simplify(&imported.model)
        .map_err(|error| anyhow::anyhow!("cannot simplify the net: {error:#}"))?;
    let inputs = crate::layers::inputs(&imported.model)?;
    let timesteps = match arguments.steps.as_slice() {
        [] => None,
        steps => {
            let input = samples::timestep(&inputs, arguments.step_input.as_deref())?;
            Some((input.clone(), steps.to_vec()))
        }
    };
    let sampled: Vec<Input> = inputs
        .iter()
        .filter(|input| timesteps.as_ref().is_none_or(|(timestep, _)| timestep != *input))
        .cloned()
        .collect();
    let samples = arguments.source.read(&sampled)?;
    let calibration = arguments.describe_calibration(samples.len());
    let name = arguments.name();
    let request = Request {
        name: name.clone(),
        net: imported,
        samples,
        timesteps,
        observer: arguments.observer,
        merge: arguments.merge,
        smooth: arguments.smooth,
        correct_bias: !arguments.no_bias_correction,
        rules: arguments.rules(packing.float()),
        costs: board.costs(),
        target: target(&packing.sets, packing.float()),
        features,
        pool,
    };
    let bar = Bar::default();
    let quantized = pipeline::quantize(request, &bar)?;

    let report = quantized.report((&board.name, &board.description), calibration);
    let description = Description {
        name,
        system: arguments.system.clone(),
        tasks: arguments.task.clone(),
        resolution: resolution(&quantized),
        licence: arguments.licence.clone(),
        packed_by: concat!("vitrine-quantize ", env!("CARGO_PKG_VERSION")).into(),
        board: board.name.clone(),
        element: quantized.lowered.program.element,
        instructions: packing.sets.clone(),
        memory: Memory {
            activations: quantized.footprint.activations as u64,
            scratch: quantized.footprint.scratch as u64,
        },
        sampler: None,
    };
    if let Some(path) = &arguments.qdq {
        let bytes = qdq::encode(&quantized.net, &quantized.choices)?;
        output::write_whole(path, existing, |file| file.write_all(&bytes))?;
    }
    if let Some(path) = &arguments.choices {
        let text = toml::to_string(&quantized.choices).context("choices have no text")?;
        output::write_whole(path, existing, |file| file.write_all(text.as_bytes()))?;
    }
    if let Some(path) = &arguments.report {
        output::write_whole(path, existing, |file| file.write_all(report.as_bytes()))?;
    }
    let contents = Contents {
        description,
        nets: vec![PackedNet {
            program: &quantized.lowered.program,
            weights: &quantized.lowered.weights,
        }],
        preview: None,
        report: Some(report.as_bytes()),
    };
    contents.write(&arguments.output, existing)?;
    let bytes = std::fs::metadata(&arguments.output).map_or(0, |metadata| metadata.len());
    print(&summary(&quantized, arguments, bytes))
}

impl Source {
    fn read(&self, inputs: &[Input]) -> anyhow::Result<Vec<samples::Sample>> {
        if let Some(count) = self.random {
            return Ok(samples::random(inputs, count.get(), self.seed));
        }
        let three = |given: &[f32], name: &str, default: f32| match *given {
            [] => Ok([default; 3]),
            [one] => Ok([one; 3]),
            [r, g, b] => Ok([r, g, b]),
            _ => anyhow::bail!("--{name}: expected one number or three, found {}", given.len()),
        };
        let (mean, std) = (three(&self.mean, "mean", 0.0)?, three(&self.std, "std", 1.0)?);
        anyhow::ensure!(std.iter().all(|std| *std > 0.0), "--std: expected positive numbers");
        let folder = self.samples.as_ref().context("either --samples or --random is needed")?;
        Ok(samples::load(folder, inputs, Normalisation { mean, std })?)
    }
}

impl Arguments {
    fn name(&self) -> String {
        let given = self
            .name
            .clone()
            .or_else(|| self.model.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        let letter = |letter: char| match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' | '.' => letter,
            _ => '_',
        };
        given.unwrap_or_default().chars().map(letter).collect()
    }

    fn rules(&self, float: Precision) -> Rules {
        Rules {
            keep: self.keep_f16.clone(),
            min_psnr: self.min_psnr,
            weights: match self.weights {
                WeightChoice::Int8 => Precision::Int8,
                WeightChoice::Int4 => Precision::Int4,
            },
            activations: self.activations.map(|choice| match choice {
                ActivationChoice::Tensor => Activations::Tensor,
                ActivationChoice::Row => Activations::Row,
            }),
            float,
            most_bytes: self.max_mb.map(|megabytes| (megabytes * 1e6) as u64),
        }
    }

    fn describe_calibration(&self, samples: usize) -> String {
        let observer = match self.observer {
            Observer::MinMax => "min-max".to_owned(),
            Observer::Percentile(share) => format!("percentile {share}"),
            Observer::Entropy => "entropy".to_owned(),
            Observer::Mse => "mse".to_owned(),
        };
        let mut line = match &self.source.samples {
            Some(folder) => format!("{samples} samples of {}", folder.display()),
            None => format!("{samples} random samples, seed {}", self.source.seed),
        };
        if !self.steps.is_empty() {
            let _ = write!(line, ", timesteps {:?}", self.steps);
        }
        let _ = write!(line, ", observer {observer}");
        if let Some(alpha) = self.smooth {
            let _ = write!(line, ", smoothing {alpha}");
        }
        line
    }
}

fn pool(threads: Option<NonZeroUsize>) -> Result<Arc<Pool>, QuantizeError> {
    let all = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let threads = threads.unwrap_or_else(all).get();
    let refused =
        |error: &dyn std::error::Error| QuantizeError::Threads { reason: error.to_string() };
    let global = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    global.map_err(|error| refused(&error))?;
    Ok(Arc::new(Pool::new(threads).map_err(|error| refused(&error))?))
}

/// Height and width of the first output that is an image; 1 and 1 without.
fn resolution(quantized: &Quantized) -> [usize; 2] {
    let program = &quantized.lowered.program;
    let shapes = program.outputs.iter().map(|port| &program.values[port.value].shape);
    let mut sizes = shapes.filter_map(|shape| match shape.as_slice() {
        &[_, height, width, _] => Some([height, width]),
        _ => None,
    });
    sizes.next().unwrap_or([1, 1])
}

/// What was made, for standard output.
fn summary(quantized: &Quantized, arguments: &Arguments, bytes: u64) -> String {
    let mut text = String::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for decision in &quantized.decisions {
        *counts.entry(how_decided(decision)).or_default() += 1;
    }
    let counts: Vec<String> = counts.iter().map(|(how, count)| format!("{count} {how}")).collect();
    let _ = writeln!(text, "{}: {:.2} MB", arguments.output.display(), bytes as f64 / 1e6);
    let _ = writeln!(text, "layers: {}", counts.join(", "));
    for found in &quantized.differences {
        let region = found
            .worst_region
            .map_or(String::new(), |decibels| format!(", worst 64x64 region {decibels:.1} dB"));
        let _ = writeln!(text, "{}: {:.1} dB against f32{region}", found.name, found.psnr);
    }
    if !quantized.lowered.left_to_tract.is_empty() {
        let count = quantized.lowered.left_to_tract.len();
        let _ = writeln!(text, "left to tract: {count} layers, which run slowly; see the report");
    }
    text
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    written.context("cannot write to standard output")
}

/// A bar on standard error; nothing where that is no terminal.
#[derive(Default)]
struct Bar(Mutex<Option<ProgressBar>>);

impl Bar {
    fn with(&self, work: impl FnOnce(&mut Option<ProgressBar>)) {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Progress for Bar {
    fn begin(&self, stage: Stage, parts: usize) {
        let style = ProgressStyle::with_template("{msg:16} {wide_bar} {pos}/{len} {elapsed}");
        let bar = ProgressBar::new(parts as u64).with_message(stage.name());
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.tick();
        self.with(|shown| *shown = Some(bar));
    }

    fn advance(&self) {
        self.with(|shown| shown.iter().for_each(|bar| bar.inc(1)));
    }

    fn end(&self) {
        self.with(|shown| {
            if let Some(bar) = shown.take() {
                bar.finish_and_clear();
            }
        });
    }
}

/// Reads a TensorFlow Lite file by its extension, everything else as ONNX.
fn import(path: &std::path::Path) -> anyhow::Result<models::Imported> {
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("tflite")) {
        return Ok(models::tflite::import(&std::fs::read(path)?)?);
    }
    Ok(models::onnx::import(path)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent_and_wants_samples() {
        Arguments::command().debug_assert();
        let parse = |line: &str| Arguments::try_parse_from(line.split(' '));
        assert!(parse("q m.onnx -o m.vit").is_err());
        assert!(parse("q m.onnx -o m.vit --random 2 --samples x").is_err());
        assert!(parse("q m.onnx -o m.vit --random 2 --smooth 1.5").is_err());
        assert!(parse("q m.onnx -o m.vit --random 2 --observer magic").is_err());
        let line =
            "q a/m\u{e9}.x.onnx -o m.vit --random 2 --steps 999,0.5 --keep-f16 a --keep-f16 b*c";
        let arguments = parse(line).unwrap();
        assert_eq!(arguments.steps, [999.0, 0.5]);
        assert_eq!(arguments.keep_f16.len(), 2);
        assert_eq!(arguments.name(), "m_.x");
    }

    #[test]
    fn an_unknown_board_is_told_with_those_there_are() {
        let error = Packing::of("pi9", Features::detect()).err().unwrap().to_string();
        assert!(error.contains("`pi9`") && error.contains("rk3588"), "{error}");
        let board = Packing::of("rk3588", Features::detect()).unwrap();
        assert_eq!(board.sets, [Isa::Neon, Isa::NeonDotprod, Isa::NeonFp16]);
        assert_eq!(board.board.costs().core, "cortex-a76");
        assert_eq!(board.float(), Precision::F16);
        let nuc = Packing::of("nuc", Features::detect()).unwrap();
        assert!(nuc.sets.contains(&Isa::Avx2) && nuc.float() == Precision::F32);
    }
}
