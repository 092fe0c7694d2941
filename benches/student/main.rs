//! Runs a net of a bundle on request, so that it can take turns with other engines in one run.
//!
//! `student BUNDLE NET --ports` prints a line for each input and output: `input` or `output`, name, extents. `student BUNDLE NET FOLDER
//! THREADS` reads the inputs from `FOLDER/NAME.f32` (row-major, little-endian), says `ready`, the seconds from opening the bundle until the
//! first run could begin and those of the first run, then reads lines on standard input. `run` runs the net once and answers with its seconds, on the wall and of all threads'
//! processor time; `memory` answers with the peak of private memory and with what mapped files take, in MB; `output FOLDER` writes
//! `FOLDER/NAME.f32`; `quit`.

use anyhow::{Context, bail, ensure};
use kernels::features::Features;
use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use vitrine::bundle::Bundle;
use vitrine::output::{Existing, write_whole};
use vitrine::runtime::engine::{Array, Engine, Settings};
use vitrine::runtime::pool::Pool;
use vitrine::runtime::program::{Port, Program};

/// How often private memory is looked at.
const LOOK: Duration = Duration::from_millis(2);

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [bundle, net, "--ports"] => ports(&Bundle::open(Path::new(bundle))?.program(net)?),
        [bundle, net, folder, threads] => {
            let threads = threads.parse().context("THREADS is a number")?;
            serve(Path::new(bundle), net, Path::new(folder), threads)
        }
        // `cargo bench` without arguments runs every program.
        [] => {
            println!("skipped: `make bench-student` runs this one");
            Ok(())
        }
        _ => bail!("expected BUNDLE NET --ports, or BUNDLE NET FOLDER THREADS"),
    }
}

fn ports(program: &Program) -> anyhow::Result<()> {
    for (kind, ports) in [("input", &program.inputs), ("output", &program.outputs)] {
        for port in ports {
            let extents = shape(program, port).iter().map(usize::to_string).collect::<Vec<_>>();
            println!("{kind} {} {}", port.name, extents.join(","));
        }
    }
    Ok(())
}

fn shape<'a>(program: &'a Program, port: &Port) -> &'a [usize] {
    &program.values[port.value].shape
}

fn serve(path: &Path, net: &str, folder: &Path, threads: usize) -> anyhow::Result<()> {
    let peak = watched();
    let begun = Instant::now();
    let bundle = Bundle::open(path)?;
    let program = bundle.program(net)?;
    let settings = Settings {
        features: Features::from_environment()?,
        pool: Arc::new(Pool::new(threads)?),
        memory_limit: None,
    };
    let engine = Arc::new(Engine::new(program, bundle.weights(net)?, settings)?);
    let mut session = engine.session();
    let loaded = begun.elapsed().as_secs_f64();
    let program = engine.program();
    let arrays: Vec<Array> = program
        .inputs
        .iter()
        .map(|port| read(&folder.join(format!("{}.f32", port.name)), shape(program, port)))
        .collect::<anyhow::Result<_>>()?;
    let inputs: Vec<(&str, &Array)> =
        program.inputs.iter().map(|port| port.name.as_str()).zip(&arrays).collect();
    let begun = Instant::now();
    let mut outputs = session.run(&inputs)?;
    say(&format!("ready {loaded} {}", begun.elapsed().as_secs_f64()))?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("run", _) => {
                let (begun, used) = (Instant::now(), processor_time()?);
                outputs = session.run(&inputs)?;
                let wall = begun.elapsed().as_secs_f64();
                say(&format!("{wall} {}", (processor_time()? - used).as_secs_f64()))?;
            }
            ("memory", _) => {
                let mapped = status("RssFile").context("the system does not tell of memory")?;
                let private = peak.load(Ordering::Relaxed);
                say(&format!("{} {}", private as f64 / 1024.0, mapped as f64 / 1024.0))?;
            }
            ("output", folder) => {
                for (port, array) in program.outputs.iter().zip(&outputs) {
                    write(&Path::new(folder).join(format!("{}.f32", port.name)), array)?;
                }
                say("written")?;
            }
            ("quit", _) => return Ok(()),
            _ => bail!("`{line}`: expected run, memory, output FOLDER or quit"),
        }
    }
    Ok(())
}

fn say(answer: &str) -> anyhow::Result<()> {
    println!("{answer}");
    Ok(std::io::stdout().flush()?)
}

fn read(path: &Path, shape: &[usize]) -> anyhow::Result<Array> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let count: usize = shape.iter().product();
    ensure!(
        bytes.len() == count * size_of::<f32>(),
        "`{}`: expected {count} values for shape {shape:?}, found {} bytes",
        path.display(),
        bytes.len()
    );
    let values = bytes.as_chunks::<4>().0.iter().map(|&four| f32::from_le_bytes(four)).collect();
    Ok(Array { shape: shape.to_vec(), values })
}

fn write(path: &Path, array: &Array) -> anyhow::Result<()> {
    write_whole(path, Existing::Replace, |file| {
        array.values.iter().try_for_each(|value| file.write_all(&value.to_le_bytes()))
    })?;
    Ok(())
}

/// Processor time of all threads so far.
fn processor_time() -> anyhow::Result<Duration> {
    let mut nanoseconds = 0;
    for task in std::fs::read_dir("/proc/self/task").context("processor time needs Linux")? {
        // A thread may end meanwhile.
        let Ok(text) = std::fs::read_to_string(task?.path().join("schedstat")) else { continue };
        let first = text.split_whitespace().next().context("an empty schedstat")?;
        nanoseconds += first.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// The peak of private memory in KB, as a thread sees it: the system keeps one of all memory only.
fn watched() -> Arc<AtomicU64> {
    let peak = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&peak);
    std::thread::spawn(move || {
        loop {
            seen.fetch_max(status("RssAnon").unwrap_or(0), Ordering::Relaxed);
            std::thread::sleep(LOOK);
        }
    });
    peak
}

/// A line of the system's account of this process, in KB.
fn status(field: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}
