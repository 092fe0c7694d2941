//! How the mirror is: counters and times for `/healthz` and `/metrics`, and the watchdog. No picture, no name, no position.

use super::degrade::LEVELS;
use crate::camera;
use crate::screen::web;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

/// Seconds; from a fast decode to a frozen loop.
const BUCKETS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.02, 0.033, 0.05, 0.08, 0.12, 0.25, 0.5, 2.0];
/// Frames that percentiles on the health page are of.
const RECENT: usize = 512;
/// The mirror is not well when no frame has reached the screen for this long.
const WELL: Duration = Duration::from_secs(5);

/// What of a frame is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// From the camera's bytes to a picture.
    Decode,
    /// The nets.
    Perceive,
    /// The garment.
    Dress,
    /// All that the loop does for a frame.
    Frame,
    /// From the camera's exposure to the screen.
    CameraToScreen,
}

impl Stage {
    /// In the order in which a frame passes them.
    pub const ALL: [Self; 5] =
        [Self::Decode, Self::Perceive, Self::Dress, Self::Frame, Self::CameraToScreen];

    /// Its name in readings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Perceive => "perceive",
            Self::Dress => "dress",
            Self::Frame => "frame",
            Self::CameraToScreen => "camera_to_screen",
        }
    }
}

/// Percentiles of the last frames.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Percentiles {
    /// Half were faster.
    pub p50: Duration,
    /// 95 of 100 were faster.
    pub p95: Duration,
    /// 99 of 100 were faster.
    pub p99: Duration,
}

/// The mirror's readings; shared between the loop and the server.
pub struct Health {
    started: Instant,
    registry: Registry,
    times: Family<Vec<(&'static str, &'static str)>, Histogram>,
    shown: Counter,
    visits: Counter,
    looks: Counter,
    studio_failures: Counter,
    frames: Family<Vec<(&'static str, &'static str)>, Gauge<i64, AtomicI64>>,
    level: Gauge,
    rate: Gauge<f64, AtomicU64>,
    streaming: Gauge,
    memory: Gauge,
    temperature: Gauge<f64, AtomicU64>,
    pieces: Family<Vec<(&'static str, &'static str)>, Gauge<i64, AtomicI64>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    recent: [VecDeque<Duration>; Stage::ALL.len()],
    reached: VecDeque<Instant>,
    camera: String,
    counters: camera::Counters,
    stage: String,
    broken: Vec<(String, String)>,
    nets: Option<String>,
    saving: Option<String>,
}

impl Health {
    /// All readings at zero.
    pub fn new() -> Arc<Self> {
        let mut registry = Registry::with_prefix("vitrine");
        let times = Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> Histogram);
        let readings = Self {
            started: Instant::now(),
            times,
            shown: Counter::default(),
            visits: Counter::default(),
            looks: Counter::default(),
            studio_failures: Counter::default(),
            frames: Family::default(),
            level: Gauge::default(),
            rate: Gauge::default(),
            streaming: Gauge::default(),
            memory: Gauge::default(),
            temperature: Gauge::default(),
            pieces: Family::default(),
            state: Mutex::default(),
            registry: Registry::default(),
        };
        let r = &mut registry;
        r.register_with_unit(
            "stage",
            "Time of a frame's stages",
            Unit::Seconds,
            readings.times.clone(),
        );
        r.register("frames_shown", "Frames that reached the screen", readings.shown.clone());
        r.register("visits", "Visits that began", readings.visits.clone());
        r.register("looks", "Finished pictures", readings.looks.clone());
        r.register(
            "studio_failures",
            "Finished pictures that could not be made",
            readings.studio_failures.clone(),
        );
        r.register(
            "camera_frames",
            "Frames of the camera by what became of them",
            readings.frames.clone(),
        );
        r.register("degrade_level", "0 is best", readings.level.clone());
        r.register(
            "frames_per_second",
            "Frames that reached the screen in the last second",
            readings.rate.clone(),
        );
        r.register(
            "camera_streaming",
            "1 while the camera gives pictures",
            readings.streaming.clone(),
        );
        r.register_with_unit(
            "private_memory",
            "Memory that the program shares with no file",
            Unit::Bytes,
            readings.memory.clone(),
        );
        r.register_with_unit(
            "temperature",
            "Hottest sensor",
            Unit::Celsius,
            readings.temperature.clone(),
        );
        r.register("pieces", "Pieces of the catalogue", readings.pieces.clone());
        Arc::new(Self { registry, ..readings })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stage took this long.
    pub fn took(&self, stage: Stage, time: Duration) {
        self.times.get_or_create(&vec![("stage", stage.name())]).observe(time.as_secs_f64());
        let recent = &mut self.state().recent[stage as usize];
        if recent.len() == RECENT {
            recent.pop_front();
        }
        recent.push_back(time);
    }

    /// A frame taken at `captured` was on the glass at `at`.
    pub fn reached(&self, captured: Instant, at: Instant) {
        self.shown.inc();
        self.took(Stage::CameraToScreen, at.saturating_duration_since(captured));
        let reached = &mut self.state().reached;
        reached.push_back(at);
        while reached
            .front()
            .is_some_and(|first| at.saturating_duration_since(*first) > Duration::from_secs(1))
        {
            reached.pop_front();
        }
    }

    /// Frames that reached the screen so far.
    pub fn shown(&self) -> u64 {
        self.shown.get()
    }

    /// Frames that reached the screen within the last second.
    pub fn rate(&self) -> f32 {
        let now = Instant::now();
        let is_recent =
            |at: &&Instant| now.saturating_duration_since(**at) <= Duration::from_secs(1);
        self.state().reached.iter().filter(is_recent).count() as f32
    }

    /// Percentiles of a stage's last frames.
    pub fn percentiles(&self, stage: Stage) -> Percentiles {
        let mut times: Vec<_> = self.state().recent[stage as usize].iter().copied().collect();
        times.sort();
        let at = |share: usize| {
            times.get((times.len() * share / 100).min(times.len().saturating_sub(1)))
        };
        let [p50, p95, p99] = [50, 95, 99].map(|share| at(share).copied().unwrap_or_default());
        Percentiles { p50, p95, p99 }
    }

    /// Percentiles start anew.
    pub fn forget_times(&self) {
        self.state().recent = Default::default();
    }

    /// The degrade level's number, 0 is best.
    pub fn level(&self) -> usize {
        usize::try_from(self.level.get()).unwrap_or(0)
    }

    /// The camera's state and counts.
    pub fn camera(&self, status: &camera::Status, counters: camera::Counters) {
        self.streaming.set(i64::from(matches!(status, camera::Status::Streaming(_))));
        for (name, count) in [
            ("captured", counters.captured),
            ("taken", counters.taken),
            ("dropped", counters.dropped),
            ("broken", counters.broken),
            ("missing", counters.gaps),
        ] {
            self.frames.get_or_create(&vec![("what", name)]).set(count as i64);
        }
        let mut state = self.state();
        state.camera = status.to_string();
        state.counters = counters;
    }

    /// The degrade level's number.
    pub fn degraded(&self, level: usize) {
        self.level.set(level as i64);
    }

    /// Where the visit stands; `begins` when a visit begins.
    pub fn stage(&self, name: &str, begins: bool) {
        if begins {
            self.visits.inc();
        }
        name.clone_into(&mut self.state().stage);
    }

    /// A finished picture, or none.
    pub fn look(&self, made: bool) {
        if made {
            self.looks.inc();
        } else {
            self.studio_failures.inc();
        }
    }

    /// The catalogue has changed.
    pub fn catalogue(&self, catalogue: &super::view::Catalogue) {
        self.pieces.get_or_create(&vec![("state", "ready")]).set(catalogue.pieces.len() as i64);
        self.pieces.get_or_create(&vec![("state", "broken")]).set(catalogue.broken.len() as i64);
        let broken = catalogue.broken.iter();
        self.state().broken = broken.map(|b| (b.file.clone(), b.reason.clone())).collect();
    }

    /// Why the nets do not run; `None`: they do.
    pub fn nets(&self, problem: Option<String>) {
        self.state().nets = problem;
    }

    /// Why pictures are not saved although the shop wants it; `None`: they are.
    pub fn saving(&self, problem: Option<String>) {
        self.state().saving = problem;
    }

    fn measure(&self) {
        self.memory.set(private_memory().unwrap_or(0) as i64);
        self.temperature.set(temperature().unwrap_or(f64::NAN));
        self.rate.set(f64::from(self.rate()));
    }
}

impl web::Health for Health {
    fn status(&self) -> (bool, Value) {
        self.measure();
        let last = self.state().reached.back().copied();
        let well = last.unwrap_or(self.started).elapsed() < WELL;
        let times: serde_json::Map<_, _> = Stage::ALL
            .into_iter()
            .map(|stage| {
                let of = self.percentiles(stage);
                let ms = |time: Duration| (time.as_secs_f64() * 1e4).round() / 10.0;
                let value = json!({"p50": ms(of.p50), "p95": ms(of.p95), "p99": ms(of.p99)});
                (stage.name().to_owned(), value)
            })
            .collect();
        let rate = self.rate();
        let state = self.state();
        let counters = &state.counters;
        let level = usize::try_from(self.level.get()).unwrap_or(0).min(LEVELS.len() - 1);
        let facts = json!({
            "well": well,
            "version": env!("CARGO_PKG_VERSION"),
            "up_s": self.started.elapsed().as_secs(),
            "stage": state.stage,
            "camera": state.camera,
            "nets": state.nets.as_deref().unwrap_or("ready"),
            "saving": state.saving,
            "frames_per_second": rate,
            "degrade": {"level": level, "perception_every": LEVELS[level].every, "longest_side": LEVELS[level].side},
            "frames": {
                "captured": counters.captured, "taken": counters.taken, "dropped": counters.dropped,
                "broken": counters.broken, "missing": counters.gaps, "shown": self.shown.get(),
                "camera_opened_again": counters.reopened,
            },
            "times_ms": times,
            "visits": self.visits.get(),
            "looks": self.looks.get(),
            "private_memory_mb": self.memory.get() / (1 << 20),
            "temperature_c": temperature(),
            "broken_pieces": state.broken.iter().map(|(file, reason)| json!({"file": file, "reason": reason})).collect::<Vec<_>>(),
        });
        (well, facts)
    }

    fn metrics(&self) -> String {
        self.measure();
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// Anonymous memory of this process, bytes.
pub fn private_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}

/// The hottest of the system's sensors, degrees Celsius.
fn temperature() -> Option<f64> {
    let zones = std::fs::read_dir("/sys/class/thermal").ok()?;
    let read = |path: std::path::PathBuf| -> Option<f64> {
        let text = std::fs::read_to_string(path.join("temp")).ok()?;
        Some(text.trim().parse::<f64>().ok()? / 1000.0)
    };
    let temperatures = zones.flatten().filter_map(|zone| read(zone.path()));
    temperatures.filter(|t| (-40.0..150.0).contains(t)).max_by(f64::total_cmp)
}

/// systemd's watchdog: told only of frames that reached the screen.
pub struct Watchdog {
    interval: Option<Duration>,
    last: Instant,
}

impl Watchdog {
    /// Reads what systemd asks for; without systemd it does nothing.
    pub fn from_environment() -> Self {
        // Twice as often as asked, as systemd's manual recommends.
        let interval = sd_notify::watchdog_enabled().map(|interval| interval / 2);
        Self { interval, last: Instant::now() }
    }

    /// The mirror is ready.
    pub fn ready(&self) {
        tell(&[sd_notify::NotifyState::Ready]);
    }

    /// The mirror reads its settings again, or has done so.
    pub fn reloading(&self, done: bool) {
        if done {
            tell(&[sd_notify::NotifyState::Ready]);
        } else {
            tell(&[sd_notify::NotifyState::Reloading]);
        }
    }

    /// The mirror ends.
    pub fn stopping(&self) {
        tell(&[sd_notify::NotifyState::Stopping]);
    }

    /// A frame has reached the screen.
    pub fn frame_reached_the_screen(&mut self) {
        if let Some(interval) = self.interval
            && self.last.elapsed() >= interval
        {
            self.last = Instant::now();
            tell(&[sd_notify::NotifyState::Watchdog]);
        }
    }
}

fn tell(states: &[sd_notify::NotifyState<'_>]) {
    static SAID: Once = Once::new();
    if let Err(error) = sd_notify::notify(states) {
        SAID.call_once(|| tracing::warn!("systemd cannot be told how the mirror is: {error}"));
    }
}
