//! `vitrine-quantize`: from an ONNX file to a bundle for a board.

use clap::Parser;
use quantize::cli::{self, Arguments};
use std::io::Write;
use std::process::ExitCode;

/// Could not: the reason has been printed.
const COULD_NOT: u8 = 1;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match cli::start().and_then(|()| cli::run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when standard error is gone too.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::from(COULD_NOT)
        }
    }
}
