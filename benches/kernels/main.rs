//! Time of every supported row of every kernel table at the shapes of `benches/shapes.toml`, on this machine.
//!
//! `cargo bench -p kernels [-- [--quick] [--all] [WORD ...]]`: the shapes whose name holds one of the words. Without
//! `--all`, plain rows are left out where a fast one is there. Fails where a row beats the pick of its operation and
//! element by more than 5 %. `VITRINE_FEATURES=avx2` narrows what is used.

#[path = "workloads.rs"]
mod workloads;

mod clock;
mod peak;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{BenchmarkId, Criterion, SamplingMode};
use peak::Peak;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use workloads::{Case, Shape, Shapes};

/// How much faster than the pick another row may be.
const TOLERANCE: f64 = 1.05;
/// A row this slow is timed once: it is a plain version.
const TOO_SLOW: Duration = Duration::from_millis(400);

struct Options {
    quick: bool,
    all: bool,
    words: Vec<String>,
}

struct Measured {
    case: Case,
    median: Duration,
}

fn main() -> ExitCode {
    let options = options();
    let features = match kernels::features::Features::from_environment() {
        Ok(features) => features,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let shapes = Shapes::load().named(&options.words);
    if shapes.is_empty() {
        eprintln!(
            "no shape of benches/shapes.toml has `{}` in its name",
            options.words.join("` or `")
        );
        return ExitCode::FAILURE;
    }
    let peaks = peak::measure(features);
    let folder = estimates_folder();
    let mut criterion = criterion(&options).output_directory(&folder);
    let mut results = Vec::new();
    for shape in &shapes {
        let cases = workloads::cases(shape, features);
        let has_fast = cases.iter().any(|case| !case.is_plain());
        let wanted = |case: &Case| options.all || !has_fast || !case.is_plain();
        let measured: Vec<_> = cases
            .into_iter()
            .filter(wanted)
            .map(|mut case| Measured {
                median: median(&mut criterion, &folder, shape, &mut case),
                case,
            })
            .collect();
        results.push((shape, measured));
    }
    report(&results, &peaks);
    let beaten: Vec<_> =
        results.iter_mut().flat_map(|(shape, measured)| beaten_picks(shape, measured)).collect();
    beaten.iter().for_each(|line| eprintln!("{line}"));
    if beaten.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Cargo adds `--bench`, which is passed over like every word with dashes that is not known.
fn options() -> Options {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| words.iter().any(|word| word == name);
    let (quick, all) = (has("--quick"), has("--all"));
    Options { quick, all, words: words.into_iter().filter(|word| !word.starts_with('-')).collect() }
}

/// `criterion` beside the profile's folder that the program lies in.
fn estimates_folder() -> PathBuf {
    let program = std::env::current_exe().expect("the program has a path");
    program.ancestors().nth(3).unwrap_or(Path::new("target")).join("criterion")
}

/// Processor time for criterion; it prints as time on the wall does.
struct ProcessorTime(WallTime);

impl Measurement for ProcessorTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        clock::now()
    }

    fn end(&self, start: Duration) -> Duration {
        clock::now() - start
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        self.0.formatter()
    }
}

fn criterion(options: &Options) -> Criterion<ProcessorTime> {
    let (warm_up, measurement, samples) =
        if options.quick { (30, 150, 10) } else { (100, 600, 20) };
    Criterion::default()
        .with_measurement(ProcessorTime(WallTime))
        .without_plots()
        .warm_up_time(Duration::from_millis(warm_up))
        .measurement_time(Duration::from_millis(measurement))
        .sample_size(samples)
}

/// Times a case with criterion and reads the median that it wrote.
fn median(
    criterion: &mut Criterion<ProcessorTime>,
    folder: &Path,
    shape: &Shape,
    case: &mut Case,
) -> Duration {
    (case.run)();
    let once = timed(case, 1);
    if once > TOO_SLOW {
        return once;
    }
    let mut group = criterion.benchmark_group(&shape.name);
    if once > Duration::from_millis(5) {
        group.sampling_mode(SamplingMode::Flat).sample_size(10);
    }
    let id = BenchmarkId::from_parameter(case.kernel);
    group.bench_function(id, |bencher| bencher.iter(|| (case.run)()));
    group.finish();
    let path = folder.join(&shape.name).join(case.kernel).join("new/estimates.json");
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let estimates: serde_json::Value = serde_json::from_str(&text).expect("criterion writes JSON");
    let nanoseconds =
        estimates["median"]["point_estimate"].as_f64().expect("criterion writes a median");
    Duration::from_secs_f64(nanoseconds / 1e9)
}

fn timed(case: &mut Case, runs: u32) -> Duration {
    clock::timed(|| (0..runs).for_each(|_| (case.run)())) / runs
}

fn report(results: &[(&Shape, Vec<Measured>)], peaks: &[Peak]) {
    println!("\nthis core's peak, by loops of twelve accumulators:");
    for peak in peaks {
        println!(
            "  {:<14}{:<5}{:>9.1} GOP/s",
            peak.isa.name(),
            peak.element,
            peak.macs_per_second * 2e-9
        );
    }
    println!(
        "\n* is what dispatch takes; GOP/s counts a multiplication and an addition of the direct form as two;"
    );
    println!("peak is the share of that of the row's own instruction set\n");
    let line = |cells: [&str; 6]| {
        let [shape, kernel, time, operations, share, values] = cells;
        println!("{shape:<32} {kernel:<44} {time:>12} {operations:>9} {share:>6} {values:>10}");
    };
    line(["shape", "kernel", "median µs", "GOP/s", "peak", "Gvalues/s"]);
    for (shape, measured) in results {
        if measured.is_empty() {
            line([&shape.name, "- no kernel", "", "", "", ""]);
        }
        for Measured { case, median } in measured {
            let seconds = median.as_secs_f64();
            let operations = case.macs as f64 * 2e-9 / seconds;
            let share = peak_of(case, peaks).map(|peak| operations / (peak.macs_per_second * 2e-9));
            line([
                &shape.name,
                &format!("{}{}", if case.picked { "*" } else { " " }, case.kernel),
                &format!("{:.1}", seconds * 1e6),
                &if case.macs > 0 { format!("{operations:.1}") } else { "-".into() },
                &share
                    .filter(|_| case.macs > 0)
                    .map_or("-".into(), |share| format!("{:.0}%", share * 100.0)),
                &format!("{:.3}", case.values as f64 * 1e-9 / seconds),
            ]);
        }
    }
}

/// The peak of the row's own instruction set; halves are computed in f32 where the set has no arithmetic on them.
fn peak_of<'a>(case: &Case, peaks: &'a [Peak]) -> Option<&'a Peak> {
    let identity = case.identity()?;
    let element = identity.element.split('_').next()?;
    let elements: &[&str] = match element {
        "i4" => &["i8"],
        "f16" => &["f16", "f32"],
        _ => &[element],
    };
    let of = |element: &&str| {
        peaks
            .iter()
            .rev()
            .find(|peak| identity.needs.contains(&peak.isa) && peak.element == *element)
    };
    elements.iter().find_map(of)
}

/// A line for each group of rows whose pick is beaten, with what was measured alternately.
fn beaten_picks(shape: &Shape, measured: &mut [Measured]) -> Vec<String> {
    let mut groups: BTreeMap<String, Vec<&mut Measured>> = BTreeMap::new();
    for one in measured {
        groups.entry(one.case.group()).or_default().push(one);
    }
    let mut lines = Vec::new();
    for mut rows in groups.into_values() {
        rows.sort_by_key(|row| row.median);
        let Some(at) = rows.iter().position(|row| row.case.picked) else {
            continue;
        };
        let (faster, from_pick) = rows.split_at_mut(at);
        let pick = &mut from_pick[0];
        let limit = pick.median.div_f64(TOLERANCE);
        let suspects = faster.iter_mut().filter(|row| row.median < limit);
        for rival in suspects {
            let ratio = alternately(pick, rival);
            if ratio > TOLERANCE {
                lines.push(format!(
                    "{}: the pick {} is beaten by {}, {ratio:.2} times as fast in alternate runs",
                    shape.name, pick.case.kernel, rival.case.kernel
                ));
                break;
            }
        }
    }
    lines
}

/// How many times as fast the rival is, in turns: other work on the machine then slows both.
fn alternately(pick: &mut Measured, rival: &mut Measured) -> f64 {
    const ROUNDS: usize = 15;
    let runs =
        (Duration::from_millis(10).as_secs_f64() / pick.median.as_secs_f64()).max(1.0) as u32;
    let mut ratios: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            timed(&mut pick.case, runs).as_secs_f64() / timed(&mut rival.case, runs).as_secs_f64()
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    ratios[ROUNDS / 2]
}
