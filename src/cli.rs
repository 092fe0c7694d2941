//! The command line: one file per subcommand.

pub mod bench;
pub mod cameras;
pub mod cut;
pub mod doctor;
mod explain;
pub mod garment;
pub mod inspect;
mod layers;
pub mod mirror;
pub mod models;
pub mod timings;
pub mod tryon;

use crate::garment::{Category, GarmentError, Reading};
use crate::output;
use crate::runtime::pool::Pool;
use anyhow::Context;
use std::io::{IsTerminal, Write};
use std::num::NonZeroUsize;
use std::path::Path;
use timings::Timings;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// Options of every subcommand.
#[derive(clap::Args)]
pub struct Common {
    /// Say what is done and how long each stage took, on standard error
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Threads that work on one picture [default: what the board profile says, else all cores]
    #[arg(long, global = true, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
}

/// Exit code of an interrupted run: 128 and the number of SIGINT.
const INTERRUPTED: i32 = 130;

/// Who answers SIGINT and SIGTERM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupts {
    /// The program ends at once, and files half written are removed.
    End,
    /// The subcommand itself.
    OwnHandler,
}

/// Sets up what every subcommand needs: the signal handler, the thread pool and the clocks.
///
/// # Errors
/// If the system refuses a thread or a signal handler.
pub fn start(common: &Common, interrupts: Interrupts) -> anyhow::Result<Timings> {
    if interrupts == Interrupts::End {
        end_on_interrupts()?;
    }
    let (of_board, cores) = doctor::threads_of_board().unwrap_or_default();
    let threads = common.threads.map_or(of_board, |threads| threads.get());
    Pool::build_global(threads, &cores).context("cannot start the worker threads")?;

    let timings = Timings::default();
    let ours = |level| Targets::new().with_target("vitrine", level);
    // A program that runs for weeks logs what changes, with the time; one that is waited for only on request.
    let runs_for_weeks = interrupts == Interrupts::OwnHandler;
    let level = if common.verbose { Level::DEBUG } else { Level::INFO };
    let events = fmt::layer().with_writer(std::io::stderr);
    let events = events.with_ansi(std::io::stderr().is_terminal());
    let log = if runs_for_weeks {
        Some(events.boxed())
    } else {
        common.verbose.then(|| events.with_span_events(FmtSpan::CLOSE).without_time().boxed())
    };
    let log = log.map(|log| log.with_filter(ours(level)));
    let spans = (!runs_for_weeks).then(|| timings.layer().with_filter(ours(Level::DEBUG)));
    tracing_subscriber::registry().with(log).with(spans).init();
    Ok(timings)
}

fn end_on_interrupts() -> anyhow::Result<()> {
    ctrlc::set_handler(|| {
        output::abandon();
        let mut stderr = std::io::stderr();
        // Over the progress line, where there is one.
        let start = if stderr.is_terminal() { "\r\x1b[2K" } else { "" };
        let _ = writeln!(stderr, "{start}error: interrupted; nothing was written");
        std::process::exit(INTERRUPTED);
    })
    .context("cannot handle interrupts")
}

/// Writes to standard output; a reader that has gone away is an error, not a panic.
///
/// # Errors
/// What the system said.
pub fn print(bytes: &[u8]) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).context("cannot write to standard output")
}

/// Every category, for help and errors.
fn category_names() -> String {
    Category::ALL.map(Category::name).join(", ")
}

fn parse_category(text: &str) -> Result<Category, String> {
    let found = Category::ALL.into_iter().find(|category| category.name() == text);
    found.ok_or_else(|| format!("expected one of {}", category_names()))
}

/// Reads a garment. The error names the file, since several garments may be given.
fn read_garment(path: &Path, category: Option<Category>) -> anyhow::Result<Reading> {
    Reading::of(path, category).map_err(|error| match error {
        GarmentError::Picture(_)
        | GarmentError::DescriptionUnreadable { .. }
        | GarmentError::Description { .. }
        | GarmentError::ForeignPoint { .. }
        | GarmentError::PointOutside { .. } => error.into(),
        of_the_picture => {
            anyhow::Error::new(of_the_picture).context(format!("garment `{}`", path.display()))
        }
    })
}
