//! Runs kernels between marks, for `make arm-cycles` to count their instructions under an emulator.
//!
//! `arm_cycles [--all] [--kernel=WORD ...] [SHAPE ...]`: the shapes of these names, else those with bars. For each
//! case one line of `region shape kernel picked macs values`, split by tabs. Without `--all`, picks that are
//! not plain versions only.

#[path = "../kernels/workloads.rs"]
mod workloads;

mod region;

use std::io::Write;
use std::process::ExitCode;
use workloads::{Case, Shapes, cases};

fn main() -> ExitCode {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let all = words.iter().any(|word| word == "--all");
    let kernels: Vec<String> =
        words.iter().filter_map(|word| Some(word.strip_prefix("--kernel=")?.to_owned())).collect();
    words.retain(|word| !word.starts_with("--"));
    let features = match kernels::features::Features::from_environment() {
        Ok(features) => features,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let exact = |shape: &workloads::Shape| words.is_empty() || words.contains(&shape.name);
    let mut region = 0;
    for shape in Shapes::load().shape.into_iter().filter(exact) {
        if words.is_empty() && !shape.is_on_arm() {
            continue;
        }
        let named = |name: &str| {
            kernels.is_empty() || kernels.iter().any(|word| name.contains(word.as_str()))
        };
        let wanted = |case: &Case| all || (case.picked && !case.is_plain());
        for mut case in
            cases(&shape, features).into_iter().filter(|case| wanted(case) && named(case.kernel))
        {
            (case.run)();
            region::open(region);
            (case.run)();
            region::close(region);
            println!(
                "{region}\t{}\t{}\t{}\t{}\t{}",
                shape.name, case.kernel, case.picked, case.macs, case.values
            );
            let _ = std::io::stdout().flush();
            region += 1;
        }
    }
    ExitCode::SUCCESS
}
