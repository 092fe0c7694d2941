//! Arguments to one function per subcommand; results to exit codes.

use clap::{Parser, Subcommand};
use std::io::Write;
use std::process::ExitCode;
use vitrine::cli::{
    self, Interrupts, bench::BenchArgs, cameras::CamerasArgs, doctor::DoctorArgs,
    garment::GarmentArgs, inspect::InspectArgs, mirror::MirrorArgs, models::ModelsArgs,
    tryon::TryonArgs,
};

/// What the mirror frees is overwritten first; other subcommands do not ask for it.
#[global_allocator]
static ALLOCATOR: kernels::wiping::Wiping = kernels::wiping::Wiping;

/// Shows a person wearing a garment that they have not put on, without leaving this machine
#[derive(Parser)]
#[command(version, after_help = EXAMPLES, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: cli::Common,
}

#[derive(Subcommand)]
enum Command {
    Tryon(TryonArgs),
    Mirror(Box<MirrorArgs>),
    Cameras(CamerasArgs),
    /// Checks garment pictures, cuts garments off photos
    Garment(GarmentArgs),
    /// Gets the published nets, shows and checks them
    Models(ModelsArgs),
    Inspect(InspectArgs),
    Bench(BenchArgs),
    Doctor(DoctorArgs),
}

const EXAMPLES: &str = "\
Examples:
  vitrine tryon --person me.jpg --garment tee.png
  vitrine mirror --catalogue garments
  vitrine garment check tee.png
  vitrine models fetch
  vitrine inspect student.vit --verify
  vitrine doctor

Exit codes: 0 done, 1 could not (the reason is on standard error), 2 wrong usage, 130 interrupted.";

/// Could not: the reason has been printed.
const COULD_NOT: u8 = 1;
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let interrupts = match arguments.command {
        Command::Mirror(_) => Interrupts::OwnHandler,
        _ => Interrupts::End,
    };
    let result =
        cli::start(&arguments.common, interrupts).and_then(|timings| match &arguments.command {
            Command::Tryon(args) => cli::tryon::run(args, &arguments.common, &timings),
            Command::Mirror(args) => cli::mirror::run(args).map(|()| ExitCode::SUCCESS),
            Command::Cameras(args) => cli::cameras::run(args),
            Command::Garment(args) => cli::garment::run(args).map(|()| ExitCode::SUCCESS),
            Command::Models(args) => cli::models::run(args).map(|()| ExitCode::SUCCESS),
            Command::Inspect(args) => cli::inspect::run(args).map(|()| ExitCode::SUCCESS),
            Command::Bench(args) => {
                cli::bench::run(args, &arguments.common).map(|()| ExitCode::SUCCESS)
            }
            Command::Doctor(args) => cli::doctor::run(args),
        });
    match result {
        Ok(code) => code,
        Err(error) => report(&error),
    }
}

fn report(error: &anyhow::Error) -> ExitCode {
    // Nobody is left to tell when standard error is gone too.
    if let Some(usage) = error.downcast_ref::<clap::Error>() {
        let _ = usage.print();
        return ExitCode::from(USAGE);
    }
    let _ = writeln!(std::io::stderr(), "error: {error:#}");
    ExitCode::from(COULD_NOT)
}
