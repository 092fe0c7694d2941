//! Times this project's picks on request, so that they can take turns with other engines in one run.
//!
//! Reads lines on standard input. `load SHAPE` prepares every pick of the shape, keeps the fastest and answers with
//! its name (`none` where there is no fast version); `run` times it for about 30 ms and answers with the seconds of
//! processor time of each call. Dispatch can be narrowed: `VITRINE_FEATURES=avx2`.

#[path = "../kernels/clock.rs"]
mod clock;
#[path = "../kernels/workloads.rs"]
mod workloads;

use std::io::{BufRead, Write};
use std::process::ExitCode;
use std::time::Duration;
use workloads::{Case, Shapes};

const TURN: Duration = Duration::from_millis(30);
const LEAST_CALLS: usize = 3;

fn main() -> ExitCode {
    let features = match kernels::features::Features::from_environment() {
        Ok(features) => features,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let shapes = Shapes::load().shape;
    let mut loaded: Option<Case> = None;
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let answer = match line.split_once(' ') {
            Some(("load", name)) => {
                let Some(shape) = shapes.iter().find(|shape| shape.name == name) else {
                    eprintln!("benches/shapes.toml has no shape `{name}`");
                    return ExitCode::FAILURE;
                };
                let picks = workloads::cases(shape, features)
                    .into_iter()
                    .filter(|case| case.picked && !case.is_plain());
                loaded = picks.map(tried).min_by_key(|(least, _)| *least).map(|(_, case)| case);
                loaded.as_ref().map_or("none", |case| case.kernel).to_owned()
            }
            _ => match &mut loaded {
                Some(case) => turn(case)
                    .iter()
                    .map(|time| time.as_secs_f64().to_string())
                    .collect::<Vec<_>>()
                    .join(" "),
                None => "none".to_owned(),
            },
        };
        println!("{answer}");
        let _ = std::io::stdout().flush();
    }
    ExitCode::SUCCESS
}

fn tried(mut case: Case) -> (Duration, Case) {
    (case.run)();
    (turn(&mut case).into_iter().min().unwrap_or(Duration::MAX), case)
}

fn turn(case: &mut Case) -> Vec<Duration> {
    let begin = clock::now();
    let mut times = Vec::new();
    while times.len() < LEAST_CALLS || clock::now() - begin < TURN {
        times.push(clock::timed(&mut case.run));
    }
    times
}
