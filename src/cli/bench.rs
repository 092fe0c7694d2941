//! `vitrine bench`: how fast this machine runs a bundle's nets, and what memory they take.

use super::Common;
use super::doctor;
use super::layers::{Layer, layers, mib};
use crate::bundle::Bundle;
use crate::runtime::engine::{Array, Engine, Footprint, Observer, Session, Settings, View};
use crate::runtime::pool::Pool;
use crate::runtime::program::{Program, Step};
use anyhow::Context;
use kernels::features::Features;
use serde::Serialize;
use std::fmt;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Says how fast this machine runs the nets of a bundle, and what memory they take
///
/// Inputs are random numbers, the same ones each time.
#[derive(clap::Args)]
pub struct BenchArgs {
    /// The bundle (.vit)
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Only this net
    #[arg(long, value_name = "NAME")]
    net: Option<String>,
    /// How often each net runs, after a first time that is not counted
    #[arg(long, default_value = "20", value_name = "N")]
    rounds: NonZeroUsize,
    /// Also time every layer
    #[arg(long)]
    layers: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How often memory is looked at while a net is loaded and runs for the first time.
const SAMPLE: Duration = Duration::from_millis(2);
/// Of the inputs.
const SEED: NonZeroU64 = NonZeroU64::new(0x5eed).expect("not 0");

#[derive(Serialize)]
struct Report<'a> {
    file: &'a Path,
    threads: usize,
    instructions: Vec<&'static str>,
    rounds: usize,
    nets: Vec<Benched>,
    /// The highest the process ever took, whatever for; bytes.
    peak_resident: Option<u64>,
}

#[derive(Serialize)]
struct Benched {
    name: String,
    /// From opening the bundle to the end of the net's first step.
    load_ms: f64,
    median_ms: f64,
    p95_ms: f64,
    products: u64,
    /// Two operations a product.
    gop_per_s: f64,
    footprint: Footprint,
    memory: Measured,
    #[serde(skip_serializing_if = "Option::is_none")]
    layers: Option<Vec<TimedLayer>>,
}

/// Memory of the process, in bytes; `None` where the system does not say.
#[derive(Clone, Copy, Serialize)]
struct Measured {
    /// Private at the peak, from loading to the end of the last run.
    private_peak: Option<u64>,
    /// Of that, what the process had before.
    private_before: Option<u64>,
    /// Mapped files after the last run, programs and libraries included.
    mapped: Option<u64>,
}

#[derive(Serialize)]
struct TimedLayer {
    #[serde(flatten)]
    layer: Layer,
    median_ms: f64,
    /// Of the sum of all layers.
    share: f64,
    gop_per_s: f64,
}

/// Runs the subcommand.
///
/// # Errors
/// What is wrong with the bundle or keeps its nets from running; if standard output cannot be written.
pub fn run(args: &BenchArgs, common: &Common) -> anyhow::Result<()> {
    let about = || format!("bundle `{}`", args.file.display());
    let features = Features::from_environment()?;
    let threads = match common.threads {
        Some(threads) => threads.get(),
        None => doctor::threads_of_board()
            .map(|(threads, _)| threads)
            .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, NonZeroUsize::get)),
    };
    let pool = Arc::new(Pool::new(threads).context("cannot start the worker threads")?);
    let bundle = Bundle::open(&args.file).with_context(about)?;
    let memory = doctor::memory_bytes();
    if let Some(memory) = memory {
        bundle.check_memory(memory).with_context(about)?;
    }
    let memory_limit = memory.and_then(|memory| usize::try_from(memory).ok());
    let settings = Settings { features, pool, memory_limit };
    let nets: Vec<String> = match &args.net {
        Some(net) => vec![bundle.manifest().net(net).with_context(about)?.name.clone()],
        None => bundle.manifest().nets().iter().map(|net| net.name.clone()).collect(),
    };
    drop(bundle);
    let nets = nets.iter().map(|net| bench(args, net, &settings));
    let report = Report {
        file: &args.file,
        threads,
        instructions: features.sets().map(|set| set.name()).collect(),
        rounds: args.rounds.get(),
        nets: nets.collect::<anyhow::Result<_>>().with_context(about)?,
        peak_resident: status("VmHWM"),
    };
    if args.json {
        let mut text = serde_json::to_vec_pretty(&report)?;
        text.push(b'\n');
        super::print(&text)
    } else {
        super::print(report.to_string().as_bytes())
    }
}

fn bench(args: &BenchArgs, net: &str, settings: &Settings) -> anyhow::Result<Benched> {
    let about = || format!("net `{net}`");
    let private_before = status("RssAnon");
    let sampler = MemorySampler::start();

    let begun = Instant::now();
    let bundle = Bundle::open(&args.file)?;
    let program = bundle.program(net)?;
    let engine = Engine::new(program, bundle.weights(net)?, settings.clone());
    let engine = Arc::new(engine.with_context(about)?);
    let mut session = engine.session();
    let loaded = begun.elapsed();
    let arrays = random_inputs(engine.program());
    let inputs = named(engine.program(), &arrays);
    let mut first = FirstStep::default();
    let begun = Instant::now();
    session.run_observed(&inputs, &mut first).with_context(about)?;
    let first_step = first.end.map_or(Duration::ZERO, |end| end - begun);
    let peak = sampler.stop();

    let rounds = args.rounds.get();
    let mut times = Vec::new();
    for _ in 0..rounds {
        let begun = Instant::now();
        session.run(&inputs).with_context(about)?;
        times.push(begun.elapsed());
    }
    times.sort();
    let memory = Measured {
        private_peak: peak.max(status("RssAnon")),
        private_before,
        mapped: status("RssFile"),
    };
    let layers = layers(engine.program(), settings.features);
    let products = layers.iter().fold(0, |sum, layer| layer.products.saturating_add(sum));
    Ok(Benched {
        name: net.into(),
        load_ms: milliseconds(loaded + first_step),
        median_ms: milliseconds(median(&times)),
        p95_ms: milliseconds(times[(rounds * 95).div_ceil(100) - 1]),
        products,
        gop_per_s: gop_per_s(products, median(&times)),
        footprint: engine.footprint(),
        memory,
        layers: match args.layers {
            true => Some(timed(layers, &mut session, &inputs, rounds).with_context(about)?),
            false => None,
        },
    })
}

/// Runs a net and times each of its layers.
fn timed(
    layers: Vec<Layer>,
    session: &mut Session,
    inputs: &[(&str, &Array)],
    rounds: usize,
) -> anyhow::Result<Vec<TimedLayer>> {
    let mut times = vec![Vec::new(); layers.len()];
    for _ in 0..rounds {
        let mut steps = StepTimes(Vec::with_capacity(layers.len()));
        session.run_observed(inputs, &mut steps)?;
        for (times, time) in times.iter_mut().zip(steps.0) {
            times.push(time);
        }
    }
    let medians: Vec<Duration> = times
        .iter_mut()
        .map(|times| {
            times.sort();
            median(times)
        })
        .collect();
    let total = medians.iter().sum::<Duration>().as_secs_f64();
    let timed = layers.into_iter().zip(medians).map(|(layer, time)| TimedLayer {
        median_ms: milliseconds(time),
        share: time.as_secs_f64() / total.max(f64::MIN_POSITIVE),
        gop_per_s: gop_per_s(layer.products, time),
        layer,
    });
    Ok(timed.collect())
}

/// When the first step of a run ended.
#[derive(Default)]
struct FirstStep {
    end: Option<Instant>,
}

impl Observer for FirstStep {
    fn step(&mut self, _: &Step, _: &[View], _: &[View], _: Duration) {
        self.end.get_or_insert_with(Instant::now);
    }
}

/// How long each step took, in the program's order.
struct StepTimes(Vec<Duration>);

impl Observer for StepTimes {
    fn step(&mut self, _: &Step, _: &[View], _: &[View], time: Duration) {
        self.0.push(time);
    }
}

/// Uniform in 0..1, by the net's inputs.
fn random_inputs(program: &Program) -> Vec<Array> {
    let mut state = SEED.get();
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 24) as f32
    };
    let shapes = program.inputs.iter().map(|port| program.values[port.value].shape.clone());
    shapes
        .map(|shape| {
            let count = shape.iter().product();
            Array { values: std::iter::repeat_with(&mut next).take(count).collect(), shape }
        })
        .collect()
}

fn named<'a>(program: &'a Program, arrays: &'a [Array]) -> Vec<(&'a str, &'a Array)> {
    program.inputs.iter().map(|port| port.name.as_str()).zip(arrays).collect()
}

/// Of sorted times; zero of none.
fn median(times: &[Duration]) -> Duration {
    match times.len() {
        0 => Duration::ZERO,
        count if count % 2 == 1 => times[count / 2],
        count => (times[count / 2 - 1] + times[count / 2]) / 2,
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn gop_per_s(products: u64, time: Duration) -> f64 {
    2.0 * products as f64 / time.as_secs_f64().max(1e-9) / 1e9
}

/// A thread that remembers the most private memory that the process had.
struct MemorySampler {
    stopped: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Option<u64>>,
}

impl MemorySampler {
    fn start() -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stopped);
        let thread = std::thread::spawn(move || {
            let mut peak = None;
            loop {
                peak = peak.max(status("RssAnon"));
                if seen.load(Ordering::Relaxed) {
                    return peak;
                }
                std::thread::sleep(SAMPLE);
            }
        });
        Self { stopped, thread }
    }

    fn stop(self) -> Option<u64> {
        self.stopped.store(true, Ordering::Relaxed);
        self.thread.join().expect("reading a file does not panic")
    }
}

/// A line of the system's account of this process, in bytes.
fn status(field: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sets = match self.instructions.join(", ") {
            none if none.is_empty() => "plain kernels".into(),
            sets => sets,
        };
        writeln!(f, "bundle    {}", self.file.display())?;
        writeln!(f, "machine   {} threads; {sets}; {} rounds", self.threads, self.rounds)?;
        self.nets.iter().try_for_each(|net| net.fmt(f))?;
        match self.peak_resident {
            Some(peak) => writeln!(f, "process   {:.1} MiB resident at the peak", mib(peak)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Benched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "net       {}: median {:.3} ms, p95 {:.3} ms, {:.1} GOP/s; loaded in {:.1} ms",
            self.name, self.median_ms, self.p95_ms, self.gop_per_s, self.load_ms
        )?;
        let Footprint { mapped, owned, repacked, activations, scratch } = self.footprint;
        let [mapped, owned, repacked, activations, scratch] =
            [mapped, owned, repacked, activations, scratch].map(|bytes| mib(bytes as u64));
        writeln!(
            f,
            "  plan    weights {mapped:.1} MiB mapped and {owned:.1} MiB owned ({repacked:.1} repacked), activations {activations:.1}, working memory {scratch:.1}"
        )?;
        let said = |bytes: Option<u64>| match bytes {
            Some(bytes) => format!("{:.1} MiB", mib(bytes)),
            None => "unknown".into(),
        };
        let Measured { private_peak, private_before, mapped } = self.memory;
        let [peak, before, mapped] = [private_peak, private_before, mapped].map(said);
        writeln!(
            f,
            "  memory  private {peak} at the peak, {before} before; {mapped} of files mapped"
        )?;
        let Some(layers) = &self.layers else { return Ok(()) };
        writeln!(
            f,
            "  {:<44} {:<23} {:<9} {:>9} {:>7} {:>8}",
            "layer", "kind", "precision", "ms", "share", "GOP/s"
        )?;
        for TimedLayer { layer, median_ms, share, gop_per_s } in layers {
            writeln!(
                f,
                "  {:<44} {:<23} {:<9} {median_ms:>9.3} {:>6.1}% {gop_per_s:>8.1}",
                layer.name,
                layer.kind,
                layer.precision,
                share * 100.0
            )?;
        }
        Ok(())
    }
}
