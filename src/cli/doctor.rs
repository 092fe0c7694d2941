//! `vitrine doctor`: what this machine has, and what would be slow on it and why.

use super::models::{State, models_directory, state};
use kernels::features::Features;
use models::published::NETS;
use serde::Serialize;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use targets::{Board, Feature, Machine};

/// Says what this machine has and what would be slow on it
///
/// Exits with 0 if pictures can be made, with 1 if models are missing or altered.
#[derive(clap::Args)]
pub struct DoctorArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Folder of the models [default: the user's cache]
    #[arg(long, value_name = "FOLDER")]
    models: Option<PathBuf>,
}

/// Below this much free memory a 40 megapixel picture makes the machine swap, MiB.
const COMFORTABLE_MB: usize = 2048;

#[derive(Serialize)]
struct Report {
    cpu: String,
    architecture: &'static str,
    features: Vec<Feature>,
    missing_features: Vec<Feature>,
    cores: usize,
    governor: Option<String>,
    memory: Memory,
    board: Option<ReportedBoard>,
    models: Models,
    cameras: Vec<Camera>,
    /// The version of each operation that dispatch takes unless the operation knows better.
    kernels: Vec<&'static str>,
    slow: Vec<String>,
}

#[derive(Clone, Copy, Default, Serialize)]
struct Memory {
    total_mb: usize,
    available_mb: usize,
    swap_used_mb: usize,
}

#[derive(Serialize)]
struct ReportedBoard {
    name: String,
    description: String,
    threads: usize,
    frame_budget_ms: u128,
}

/// The model files.
#[derive(Serialize)]
struct Models {
    folder: PathBuf,
    files: Vec<ModelFile>,
}

#[derive(Serialize)]
struct ModelFile {
    name: &'static str,
    state: State,
}

#[derive(Serialize)]
struct Camera {
    device: String,
    name: String,
}

/// Runs the subcommand.
///
/// # Errors
/// If standard output cannot be written.
pub fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let report = examine(args.models.as_deref(), Features::from_environment()?);
    if args.json {
        let mut text = serde_json::to_vec_pretty(&report)?;
        text.push(b'\n');
        super::print(&text)?;
    } else {
        super::print(report.to_string().as_bytes())?;
    }
    Ok(if report.models.usable() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How many threads the board's profile asks for, no more than this process may use, and on which cores.
pub fn threads_of_board() -> Option<(usize, Vec<usize>)> {
    let board = Board::detect(&Machine::here())?;
    let may_use = std::thread::available_parallelism().ok()?.get();
    // A desktop profile stands for every larger machine: there, all cores work.
    (!board.recognised_by.is_empty()).then_some((board.threads.min(may_use), board.big_cores))
}

impl Models {
    fn usable(&self) -> bool {
        !self.files.is_empty() && self.files.iter().all(|file| file.state == State::Ok)
    }
}

fn examine(models: Option<&Path>, features: Features) -> Report {
    let machine = Machine::here();
    let memory = memory();
    let governor = read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    let models = models_in(models);
    let missing_features = missing(&machine);
    let slow = what_is_slow(&missing_features, &machine, memory, governor.as_deref());
    Report {
        cpu: cpu_name(),
        architecture: std::env::consts::ARCH,
        features: machine.features.clone(),
        missing_features,
        cores: machine.cores,
        governor,
        memory,
        board: Board::detect(&machine).map(|board| ReportedBoard {
            name: board.name,
            description: board.description,
            threads: board.threads,
            frame_budget_ms: board.frame_budget.as_millis(),
        }),
        models,
        cameras: cameras(),
        kernels: kernels::kernel::listings(features)
            .map(|listing| listing.supported[0].name)
            .collect(),
        slow,
    }
}

/// Features whose absence is felt; I8MM, AVX-VNNI and AVX-512 are luxuries.
fn missing(machine: &Machine) -> Vec<Feature> {
    let felt = [Feature::Dotprod, Feature::Fp16, Feature::Avx2, Feature::Fma, Feature::F16c];
    let wanted = Feature::known_here().into_iter().map(|(feature, _)| feature);
    wanted.filter(|f| felt.contains(f) && !machine.features.contains(f)).collect()
}

fn what_is_slow(
    missing: &[Feature],
    machine: &Machine,
    memory: Memory,
    governor: Option<&str>,
) -> Vec<String> {
    let mut slow = Vec::new();
    for feature in missing {
        let cost = match feature {
            Feature::Dotprod => "int8 products take several instructions each",
            Feature::Fp16 => "half-precision values are widened before they are used",
            _ => "the nets run on narrower vectors",
        };
        slow.push(format!("the CPU has no {}: {cost}", name_of(*feature)));
    }
    if machine.cores < 4 {
        slow.push(format!("{} cores: the live budgets are made for 4", machine.cores));
    }
    if memory.available_mb < COMFORTABLE_MB {
        slow.push(format!(
            "{} MiB of memory free, less than {COMFORTABLE_MB}: large photos may swap; close other programs",
            memory.available_mb
        ));
    }
    if memory.swap_used_mb > 64 {
        slow.push(format!("{} MiB are swapped out: memory was short before", memory.swap_used_mb));
    }
    if governor == Some("powersave") {
        slow.push(
            "the CPU governor is `powersave`: choose `performance` or `schedutil` for a mirror"
                .into(),
        );
    }
    slow
}

fn name_of(feature: Feature) -> &'static str {
    match feature {
        Feature::Neon => "NEON",
        Feature::Dotprod => "dot product",
        Feature::Fp16 => "FP16 arithmetic",
        Feature::I8mm => "I8MM",
        Feature::Avx2 => "AVX2",
        Feature::Fma => "FMA",
        Feature::F16c => "F16C",
        Feature::AvxVnni => "AVX-VNNI",
        Feature::Avx512 => "AVX-512",
        Feature::Avx512Vnni => "AVX-512 VNNI",
    }
}

/// Bytes of memory of this machine; `None` where the system does not say.
pub(super) fn memory_bytes() -> Option<u64> {
    Some(memory().total_mb as u64 * (1 << 20)).filter(|&bytes| bytes > 0)
}

fn read(file: &str) -> Option<String> {
    Some(fs::read_to_string(file).ok()?.trim().to_owned())
}

fn memory() -> Memory {
    let text = read("/proc/meminfo").unwrap_or_default();
    let mb = |field: &str| -> usize {
        let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let kb = line.and_then(|rest| rest.split_whitespace().next()?.parse::<usize>().ok());
        kb.unwrap_or(0) / 1024
    };
    Memory {
        total_mb: mb("MemTotal"),
        available_mb: mb("MemAvailable"),
        swap_used_mb: mb("SwapTotal").saturating_sub(mb("SwapFree")),
    }
}

/// The model name of x86, else what the device tree calls the machine, else Arm's numbers.
fn cpu_name() -> String {
    let text = read("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    if let Some(name) = field("model name") {
        return name;
    }
    let model = read("/proc/device-tree/model").map(|name| name.trim_end_matches('\0').to_owned());
    let part = field("CPU part").map(|part| core_of(&part));
    match (model, part) {
        (Some(model), Some(part)) => format!("{model}, {part}"),
        (Some(name), None) | (None, Some(name)) => name,
        (None, None) => "unknown".into(),
    }
}

/// Arm's part numbers as names of cores.
fn core_of(part: &str) -> String {
    let name = match part {
        "0xd03" => "Cortex-A53",
        "0xd05" => "Cortex-A55",
        "0xd08" => "Cortex-A72",
        "0xd0b" => "Cortex-A76",
        "0xd41" => "Cortex-A78",
        "0xd42" => "Cortex-A78AE",
        other => return format!("Arm core {other}"),
    };
    name.into()
}

fn cameras() -> Vec<Camera> {
    let Ok(entries) = fs::read_dir("/sys/class/video4linux") else { return Vec::new() };
    let mut cameras: Vec<Camera> = entries
        .flatten()
        .map(|entry| Camera {
            device: format!("/dev/{}", entry.file_name().display()),
            name: fs::read_to_string(entry.path().join("name")).unwrap_or_default().trim().into(),
        })
        .collect();
    cameras.sort_by(|a, b| a.device.cmp(&b.device));
    cameras
}

/// The models that `tryon` needs, each compared with what was published.
fn models_in(folder: Option<&Path>) -> Models {
    let folder = models_directory(folder);
    let files = NETS.iter().map(|file| {
        // What cannot be read cannot be used either.
        let state = state(file, &folder).unwrap_or(State::Altered);
        ModelFile { name: file.name, state }
    });
    Models { files: files.collect(), folder }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |features: &[Feature]| {
            features.iter().map(|&feature| name_of(feature)).collect::<Vec<_>>().join(", ")
        };
        writeln!(f, "CPU       {} ({}, {} cores)", self.cpu, self.architecture, self.cores)?;
        writeln!(f, "          has {}", names(&self.features))?;
        writeln!(
            f,
            "memory    {} MiB, {} MiB available, {} MiB swapped out",
            self.memory.total_mb, self.memory.available_mb, self.memory.swap_used_mb
        )?;
        match &self.board {
            Some(board) => writeln!(
                f,
                "board     {}: {}; {} threads, {} ms a live frame",
                board.name, board.description, board.threads, board.frame_budget_ms
            )?,
            None => writeln!(f, "board     no profile fits; all cores are used")?,
        }
        writeln!(f, "models    {}", self.models.folder.display())?;
        for file in &self.models.files {
            let state = match file.state {
                State::Ok => "good",
                State::Missing => "missing: run `vitrine models fetch`",
                State::Altered => "altered: run `vitrine models fetch`",
            };
            writeln!(f, "          {}: {state}", file.name)?;
        }
        match self.cameras.as_slice() {
            [] => writeln!(f, "cameras   none found")?,
            cameras => {
                for camera in cameras {
                    writeln!(f, "camera    {} {}", camera.device, camera.name)?;
                }
            }
        }
        for (index, kernel) in self.kernels.iter().enumerate() {
            writeln!(f, "{:<10}{kernel}", if index == 0 { "kernels" } else { "" })?;
        }
        for reason in &self.slow {
            writeln!(f, "slow      {reason}")?;
        }
        let verdict = if self.models.usable() {
            "pictures can be made on this machine"
        } else {
            "no picture can be made: models are missing"
        };
        writeln!(f, "verdict   {verdict}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_slow_is_said_with_its_reason() {
        let machine = Machine {
            architecture: targets::Architecture::Aarch64,
            features: vec![Feature::Neon],
            cores: 2,
            memory_mb: 1024,
            device_tree: String::new(),
        };
        let memory = Memory { total_mb: 1024, available_mb: 300, swap_used_mb: 200 };
        let slow = what_is_slow(&[Feature::Dotprod], &machine, memory, Some("powersave"));
        for expected in ["dot product", "2 cores", "300 MiB", "200 MiB", "powersave"] {
            assert!(slow.iter().any(|reason| reason.contains(expected)), "{expected}: {slow:?}");
        }
        let plenty = Memory { total_mb: 8192, available_mb: 6000, swap_used_mb: 0 };
        let machine = Machine { cores: 4, ..machine };
        assert!(what_is_slow(&[], &machine, plenty, Some("schedutil")).is_empty());
    }
}
