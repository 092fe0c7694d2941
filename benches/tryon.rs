//! Time per stage of a try-on in steady state: nets loaded, garment ready.
//!
//! `cargo bench --bench tryon [-- --threads N]`. The person is the drawn one in `docs/people`, pasted into
//! frames of three sizes. The bar: everything but the nets within 20 ms (median) at 1280 × 720 on two cores.

use kernels::resize::{Window, resize_area};
use std::path::Path;
use std::time::{Duration, Instant};
use vitrine::cli::models::models_directory;
use vitrine::garment::Garment;
use vitrine::perception::{Perception, Person};
use vitrine::picture::Picture;
use vitrine::tryon::{Piece, dress};

const SIZES: [(usize, usize); 3] = [(512, 384), (1280, 720), (4000, 3000)];
const PERSON: &str = "docs/people/rafael.jpg";
const GARMENTS: [&str; 3] = ["tee-red-print.png", "long-sleeve-breton.png", "trousers-jeans.png"];
const BAR: Duration = Duration::from_millis(20);

fn main() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if let Some(threads) = threads() {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    }
    let (portrait, _) = Picture::open(&root.join(PERSON))?;
    let nets = match Perception::load(&models_directory(None)) {
        Ok(nets) => nets,
        Err(error) => {
            println!("skipped: {error}");
            return Ok(());
        }
    };
    let pieces = GARMENTS
        .iter()
        .map(|name| Ok(Piece::new(Garment::open(&root.join("garments").join(name))?)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    println!("{} threads", rayon::current_num_threads());
    println!("{:>11}  {:<20} {:>9} {:>9} {:>9}", "frame", "stage", "least", "median", "p95");
    for (width, height) in SIZES {
        let frame = placed(&portrait, width, height);
        let people = nets.perceive(&frame)?;
        let rounds = if width > 2000 { 9 } else { 41 };
        let times = timed(rounds.min(15), || drop(nets.perceive(&frame)));
        report(width, height, "nets (still, 2 looks)", &times);
        for (piece, name) in pieces.iter().zip(GARMENTS) {
            let times = timed(rounds, || dressed(&frame, &people, piece));
            report(width, height, name, &times);
            if (width, height) == (1280, 720) {
                let verdict = if times[times.len() / 2] <= BAR { "within" } else { "MISSES" };
                println!("{:>11}  {verdict} the bar of {} ms", "", BAR.as_millis());
            }
        }
    }
    Ok(())
}

fn threads() -> Option<usize> {
    let arguments: Vec<String> = std::env::args().collect();
    let at = arguments.iter().position(|argument| argument == "--threads")?;
    arguments.get(at + 1)?.parse().ok()
}

fn dressed(frame: &Picture, people: &[Person], piece: &Piece) {
    if let Err(error) = dress(frame, people, std::slice::from_ref(piece)) {
        println!("cannot dress: {error}");
    }
}

/// Times of all rounds but the first two, sorted.
fn timed(rounds: usize, mut work: impl FnMut()) -> Vec<Duration> {
    let mut times: Vec<Duration> = (0..rounds + 2)
        .map(|_| {
            let begun = Instant::now();
            work();
            begun.elapsed()
        })
        .skip(2)
        .collect();
    times.sort();
    times
}

fn report(width: usize, height: usize, stage: &str, times: &[Duration]) {
    let ms = |at: usize| times[at.min(times.len() - 1)].as_secs_f64() * 1e3;
    let (median, late) = (ms(times.len() / 2), ms(times.len() * 95 / 100));
    let frame = format!("{width}x{height}");
    println!("{frame:>11}  {stage:<20} {:>6.1} ms {median:>6.1} ms {late:>6.1} ms", ms(0));
}

/// The portrait in the middle of a frame, as high as it; the frame's sides repeat the portrait's edges.
fn placed(portrait: &Picture, width: usize, height: usize) -> Picture {
    let scale = portrait.height as f32 / height as f32;
    let left = 0.5 * (portrait.width as f32 - width as f32 * scale);
    let window = Window { x: left, y: 0.0, scale };
    let mut values = vec![0.0; width * height * 3];
    let size = (portrait.width, portrait.height);
    let (rgb, mut scratch) = (portrait.rgb8(), vec![0.0; portrait.width * 3]);
    resize_area::<u8, 3>(&rgb, size, &mut values, width, 0, window, &mut scratch);
    Picture::from_rgb8(width, height, values.into_iter().map(|v| (v + 0.5) as u8).collect())
}
