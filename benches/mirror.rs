//! The whole mirror at full speed: camera to screen, real nets, the page included.
//!
//! `cargo bench --bench mirror [-- --seconds N] [--size WxH]`. A drawn person who moves, as MJPEG at 30 frames a second; a
//! client on loopback reads the page's pictures as a browser does. Bar: 24 frames a second, 95 of 100 within 80 ms,
//! on two cores.

#[path = "mirror/client.rs"]
mod client;

use client::Client;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use vitrine::camera::{Capture, Source, Wanted, open};
use vitrine::cli::models::models_directory;
use vitrine::mirror::catalogue::Store;
use vitrine::mirror::health::{Health, Stage};
use vitrine::mirror::settings::Settings;
use vitrine::mirror::{Mirror, Parts, Signals};
use vitrine::perception::Perception;
use vitrine::screen::web::{Web, WebOptions};

const RATE_BAR: f32 = 24.0;
const LATENCY_BAR: Duration = Duration::from_millis(80);
/// The first seconds do not count: nets are touched for the first time, the degrade rule settles.
const WARM_UP: Duration = Duration::from_secs(6);

fn main() -> anyhow::Result<()> {
    let seconds = option("--seconds").map_or(Ok(20), |text| text.parse())?;
    let (width, height) = match option("--size").as_deref().and_then(|text| text.split_once('x')) {
        Some((width, height)) => (width.parse()?, height.parse()?),
        None => (1280, 720),
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let nets = match Perception::load(&models_directory(None)) {
        Ok(nets) => Arc::new(nets),
        Err(error) => {
            println!("skipped: {error}");
            return Ok(());
        }
    };
    kernels::wiping::Wiping::begin();
    let health = Health::new();
    let listen = "127.0.0.1:0".parse()?;
    let web = Web::start(
        WebOptions { listen, allow_remote: None, page: true },
        Arc::clone(&health) as Arc<_>,
    )?;
    let address = web.address();
    let source: Source = option("--camera").as_deref().unwrap_or("synthetic").parse()?;
    let wanted = Wanted { width, height, rate: 30.0 };
    let parts = Parts {
        capture: Capture::start(move || open(&source, &wanted)),
        nets: Ok(nets),
        store: Store::watch(root.join("garments"), None)?,
        screen: Box::new(web),
        health: Arc::clone(&health),
        studio_threads: 1,
    };
    let settings = Settings::default();
    let mirror = Mirror::new(parts, &settings)?;
    let signals = Signals::default();
    let stop = Arc::clone(&signals.stop);
    let page = std::thread::spawn(move || Client::open(address)?.look(stop));
    let reader = std::thread::spawn({
        let (health, stop) = (Arc::clone(&health), Arc::clone(&signals.stop));
        move || {
            std::thread::sleep(WARM_UP);
            health.forget_times();
            let (begun, shown) = (Instant::now(), health.shown());
            std::thread::sleep(Duration::from_secs(seconds));
            let rate = (health.shown() - shown) as f32 / begun.elapsed().as_secs_f32();
            stop.store(true, Ordering::SeqCst);
            rate
        }
    });
    mirror.run(&signals, || Ok(Settings::default()))?;
    let rate = reader.join().expect("the reader does not panic");
    let pictures = page.join().expect("the page does not panic")?;
    report(&health, rate, pictures, (width, height));
    Ok(())
}

fn report(health: &Health, rate: f32, pictures: u64, (width, height): (usize, usize)) {
    let cores = std::thread::available_parallelism().map_or(0, |n| n.get());
    println!("{width} × {height}, {cores} cores, {pictures} pictures read by the page");
    println!("{:<18} {:>9} {:>9} {:>9}", "stage", "p50 ms", "p95 ms", "p99 ms");
    for stage in Stage::ALL {
        let of = health.percentiles(stage);
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        println!(
            "{:<18} {:>9.1} {:>9.1} {:>9.1}",
            stage.name(),
            ms(of.p50),
            ms(of.p95),
            ms(of.p99)
        );
    }
    let late = health.percentiles(Stage::CameraToScreen).p95;
    let verdict = |met| if met { "within the bar" } else { "MISSES the bar" };
    println!("frames per second  {rate:.1}  {} of {RATE_BAR}", verdict(rate >= RATE_BAR));
    println!(
        "camera to screen   p95 {:.1} ms  {} of {} ms",
        late.as_secs_f64() * 1e3,
        verdict(late <= LATENCY_BAR),
        LATENCY_BAR.as_millis()
    );
    println!("degrade level      {}", health.level());
    println!(
        "private memory     {} MB",
        vitrine::mirror::health::private_memory().unwrap_or(0) >> 20
    );
}

fn option(name: &str) -> Option<String> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.next()?;
    arguments.next()
}
