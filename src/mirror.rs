//! The mirror: camera to screen, all day.
//!
//! [`Mirror::run`] is the loop. Each turn takes the newest frame, looks for the person, puts on what is worn, moves the
//! [visit](visit) on and shows a [view]. The camera, the studio, the catalogue and the screen have threads of their
//! own; the loop waits for none of them.

pub mod catalogue;
pub mod degrade;
pub mod gestures;
pub mod health;
mod saving;
pub mod settings;
pub mod studio;
pub mod view;
pub mod visit;
mod wardrobe;

use crate::camera::{CameraError, Capture, Decoder, Frame, Status, Turn};
use crate::output;
use crate::perception::Perception;
use crate::picture::Picture;
use crate::screen::Screen;
use crate::tryon::{Live, Piece, TryonError};
use catalogue::{Store, Worn};
use degrade::Degrade;
use gestures::{Gesture, Gestures};
use health::{Health, Watchdog};
use saving::Saver;
use settings::Settings;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use studio::{Job, Report, Studio};
use view::{Action, Hand, Hint, Shop, Stage, Trouble, View};
use visit::{Effect, Event, Visit};
use wardrobe::Wardrobe;

/// Time that a frame may take: 24 a second.
pub const BUDGET: Duration = Duration::from_nanos(1_000_000_000 / 24);
/// The loop turns at least this often, frames or not.
const TURN: Duration = Duration::from_millis(100);
/// Time from frame to frame while nobody is there: the machine keeps cool.
const CALM: Duration = Duration::from_millis(80);
/// Time from frame to frame while the studio works.
const BESIDE_STUDIO: Duration = Duration::from_millis(100);
/// While nobody is there perception looks at every n-th frame.
const CALM_LOOKS: u32 = 3;
/// How long a message about a failed picture stays.
const MESSAGE: Duration = Duration::from_secs(6);
/// A picture that the camera gave is shown for this long while no other comes.
const LAST_PICTURE: Duration = Duration::from_secs(2);
/// With `--verbose` the counters are logged this often.
const COUNTED: Duration = Duration::from_secs(1);
/// Views whose way to the screen is followed.
const FOLLOWED: usize = 64;

/// What the loop is asked from outside.
#[derive(Debug, Default)]
pub struct Signals {
    /// End: SIGTERM, SIGINT.
    pub stop: Arc<AtomicBool>,
    /// Read settings and catalogue again: SIGHUP.
    pub reload: Arc<AtomicBool>,
}

/// Parts that a mirror is made of.
pub struct Parts {
    /// The camera's thread.
    pub capture: Capture,
    /// The nets, or why there are none.
    pub nets: Result<Arc<Perception>, String>,
    /// The garments.
    pub store: Store,
    /// Where it is shown.
    pub screen: Box<dyn Screen>,
    /// Readings.
    pub health: Arc<Health>,
    /// Threads of the studio.
    pub studio_threads: usize,
}

/// The loop's state.
pub struct Mirror {
    capture: Capture,
    turn: Turn,
    frame: Frame,
    decoder: Decoder,
    nets: Option<Arc<Perception>>,
    nets_problem: Option<String>,
    live: Live,
    looks: u32,
    degrade: Degrade,
    gestures: Gestures,
    hands_free: bool,
    visit: Visit,
    wardrobe: Wardrobe,
    store: Store,
    studio: Option<Studio>,
    saver: Option<Saver>,
    screen: Box<dyn Screen>,
    health: Arc<Health>,
    watchdog: Watchdog,
    shop: Arc<Shop>,
    /// The frame as the camera gave it, for the studio.
    photo: Option<Arc<Picture>>,
    shown: Option<(Arc<Picture>, Instant)>,
    hint: Option<Hint>,
    hand: Option<Hand>,
    failure: Option<(String, Instant)>,
    number: u64,
    followed: VecDeque<(u64, Instant)>,
    next_frame: Instant,
    stage: &'static str,
    catalogue_version: u64,
    camera_status: String,
    counted: Instant,
}

/// What a frame became.
struct Seen {
    captured: Instant,
    person: Option<bool>,
}

impl Mirror {
    /// Puts the parts together.
    ///
    /// # Errors
    /// Where the system gives no thread for the studio.
    pub fn new(parts: Parts, settings: &Settings) -> anyhow::Result<Self> {
        let Parts { capture, nets, store, screen, health, studio_threads } = parts;
        let (nets, nets_problem) = match nets {
            Ok(nets) => (Some(nets), None),
            Err(problem) => (None, Some(problem)),
        };
        health.nets(nets_problem.clone());
        let studio = match &nets {
            Some(nets) => Some(Studio::start(Arc::clone(nets), studio_threads)?),
            None => None,
        };
        let now = Instant::now();
        let mut mirror = Self {
            capture,
            turn: Turn::default(),
            frame: Frame::empty(),
            decoder: Decoder::new(),
            nets,
            nets_problem,
            live: Live::new(),
            looks: 0,
            degrade: Degrade::new(BUDGET),
            gestures: Gestures::default(),
            hands_free: false,
            visit: Visit::new(now, settings.pace(), false),
            wardrobe: Wardrobe::default(),
            store,
            studio,
            saver: None,
            screen,
            health,
            watchdog: Watchdog::from_environment(),
            shop: Arc::default(),
            photo: None,
            shown: None,
            hint: None,
            hand: None,
            failure: None,
            number: 0,
            followed: VecDeque::new(),
            next_frame: now,
            stage: "",
            catalogue_version: 0,
            camera_status: String::new(),
            counted: now,
        };
        mirror.apply(settings);
        Ok(mirror)
    }

    /// Takes settings over; the camera and the screen stay as they are.
    fn apply(&mut self, settings: &Settings) {
        let quarter_turns = (settings.camera.rotate / 90) as u8;
        self.turn = Turn { mirrored: settings.camera.mirror, quarter_turns };
        self.hands_free = settings.shop.hands_free;
        self.shop = Arc::new(settings.shop());
        self.visit.set_pace(settings.pace());
        self.visit.set_consent(self.shop.consent.is_some());
        let folder = settings.privacy.folder.as_ref().filter(|_| settings.privacy.save);
        self.saver = folder.map(|folder| Saver::new(folder.clone(), Arc::clone(&self.health)));
    }

    /// Runs until it is told to stop or a replay has ended; `settings` reads them again when it is told to.
    ///
    /// # Errors
    /// When the screen is gone.
    pub fn run(
        mut self,
        signals: &Signals,
        mut settings: impl FnMut() -> anyhow::Result<Settings>,
    ) -> anyhow::Result<()> {
        self.watchdog.ready();
        let result = loop {
            if signals.stop.load(Ordering::SeqCst) {
                break Ok(());
            }
            if signals.reload.swap(false, Ordering::SeqCst) {
                self.reload(&mut settings);
            }
            match self.turn() {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.watchdog.stopping();
        // What a thread is writing at this moment is not finished.
        output::abandon();
        tracing::info!(
            "the mirror ends: {}, shown={}",
            self.capture.counters(),
            self.health.shown()
        );
        self.wipe();
        result
    }

    fn reload(&mut self, settings: &mut impl FnMut() -> anyhow::Result<Settings>) {
        self.watchdog.reloading(false);
        match settings() {
            Ok(settings) => self.apply(&settings),
            Err(error) => tracing::error!("the settings stay as they were: {error:#}"),
        }
        self.store.reload();
        self.watchdog.reloading(true);
        tracing::info!("reloaded");
    }

    /// One frame, or a turn without one; `false` when the recorded pictures have ended.
    fn turn(&mut self) -> anyhow::Result<bool> {
        self.listen();
        let wait = self.next_frame.saturating_duration_since(Instant::now()).min(TURN);
        std::thread::sleep(wait);
        let has_frame = wait < TURN && self.capture.newest(&mut self.frame, TURN);
        let begun = Instant::now();
        let status = self.capture.status();
        let seen = if has_frame { self.look(begun) } else { None };
        if has_frame {
            self.next_frame = begun + self.pace();
        }
        let streaming = matches!(status, Status::Streaming(_));
        let person = seen.as_ref().and_then(|seen| seen.person);
        let effect = self.visit.step(begun, Event::Tick { person, camera: streaming });
        self.perform(effect);
        self.hear_the_studio();
        self.tell(&status);
        if has_frame || !streaming || self.is_moving() {
            self.show(&status, seen.as_ref().map_or(begun, |seen| seen.captured))?;
        }
        if has_frame && matches!(self.visit.stage(), Stage::Live | Stage::Countdown { .. }) {
            let took = begun.elapsed();
            self.health.took(health::Stage::Frame, took);
            if self.degrade.took(took) {
                tracing::info!(level = self.degrade.number(), "degrade");
            }
            self.health.degraded(self.degrade.number());
        }
        self.follow();
        Ok(status != Status::Ended || has_frame)
    }

    /// Time from this frame to the next.
    fn pace(&self) -> Duration {
        match self.visit.stage() {
            Stage::Attract | Stage::Wipe | Stage::Consent | Stage::Result => CALM,
            Stage::Studio { .. } => BESIDE_STUDIO,
            Stage::Live | Stage::Countdown { .. } => Duration::ZERO,
        }
    }

    /// Whether the view changes without a frame.
    fn is_moving(&self) -> bool {
        !matches!(self.visit.stage(), Stage::Live)
    }

    /// What the shopper did.
    fn listen(&mut self) {
        for action in self.screen.actions() {
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        tracing::debug!(?action);
        let effect = self.visit.step(Instant::now(), Event::Action(action));
        self.perform(effect);
    }

    /// Makes a picture of the frame: the person seen, dressed.
    fn look(&mut self, now: Instant) -> Option<Seen> {
        let captured = self.frame.captured;
        let mut picture = Picture::from_rgb8(0, 0, Vec::new());
        if let Err(error) = self.decoder.decode(&self.frame, self.turn, &mut picture) {
            self.capture.count_broken();
            tracing::debug!(%error, "broken frame");
            return None;
        }
        self.health.took(health::Stage::Decode, now.elapsed());
        if matches!(self.visit.stage(), Stage::Countdown { .. } | Stage::Live) {
            self.photo = Some(Arc::new(picture.clone()));
        }
        let level = self.degrade.level();
        if let Some(side) = level.side {
            picture = picture.reduced(side);
        }
        let calm = !matches!(self.visit.stage(), Stage::Live | Stage::Countdown { .. });
        let every = if calm { level.every.max(CALM_LOOKS) } else { level.every };
        self.looks = self.looks.wrapping_add(1);
        let looks = self.looks.is_multiple_of(every) || self.live.must_look(&picture);
        let person = looks.then(|| self.perceive(&picture, captured)).flatten();
        self.dress(&mut picture, captured);
        // On a slow machine the work itself takes seconds.
        self.shown = Some((Arc::new(picture), Instant::now()));
        Some(Seen { captured, person })
    }

    /// Whether somebody is there; `None` without nets.
    fn perceive(&mut self, picture: &Picture, captured: Instant) -> Option<bool> {
        let nets = self.nets.as_ref()?;
        let begun = Instant::now();
        let person = match self.live.look(nets, picture, captured) {
            Ok(person) => person,
            Err(error) => {
                tracing::error!("perception: {error}");
                self.health.nets(Some(error.to_string()));
                return None;
            }
        };
        self.health.took(health::Stage::Perceive, begun.elapsed());
        let is_there = person.is_some();
        let size = (picture.width, picture.height);
        let (gesture, hand) = if self.hands_free && self.visit.stage() != &Stage::Wipe {
            self.gestures.observe(person, size, captured)
        } else {
            (None, None)
        };
        self.hand = hand;
        if let Some(action) = gesture.and_then(|gesture| self.meaning(gesture)) {
            self.act(action);
        }
        Some(is_there)
    }

    /// What a gesture means now.
    fn meaning(&self, gesture: Gesture) -> Option<Action> {
        match (self.visit.stage(), gesture) {
            (Stage::Attract, Gesture::Select) => Some(Action::Wake),
            (Stage::Consent, Gesture::Select) => Some(Action::Agree),
            (Stage::Live, Gesture::Select) if self.wardrobe.is_empty() => Some(Action::Step(1)),
            (Stage::Live, Gesture::Select) => Some(Action::TakePicture),
            (Stage::Result, Gesture::Select) => Some(Action::Back),
            (Stage::Live | Stage::Result, Gesture::Swipe(by)) => Some(Action::Step(by)),
            _ => None,
        }
    }

    /// Puts on what is worn and ready.
    fn dress(&mut self, picture: &mut Picture, captured: Instant) {
        self.hint = None;
        if !matches!(
            self.visit.stage(),
            Stage::Live | Stage::Countdown { .. } | Stage::Studio { .. }
        ) {
            return;
        }
        let pieces: Vec<Arc<Piece>> = self.pieces().into_iter().map(|(_, piece)| piece).collect();
        if self.live.person().is_none() {
            self.hint = self.nets.is_some().then_some(Hint::StepIn);
        }
        let begun = Instant::now();
        let worn = !pieces.is_empty();
        let frame = self.live.dress(picture, &pieces, captured);
        if worn {
            self.health.took(health::Stage::Dress, begun.elapsed());
        }
        self.hint = self.hint.or(frame.refused.as_ref().and_then(hint));
    }

    /// Worn pieces that are ready, with their ids; those that are gone are taken off.
    fn pieces(&mut self) -> Vec<(String, Arc<Piece>)> {
        let mut ready = Vec::new();
        let mut gone = Vec::new();
        for id in self.wardrobe.worn() {
            match self.store.piece(id) {
                Worn::Ready(piece) => ready.push((id.clone(), piece)),
                Worn::Soon => {}
                Worn::Gone => gone.push(id.clone()),
            }
        }
        for id in gone {
            self.wardrobe.take_off(&id);
            self.visit.set_dressed(!self.wardrobe.is_empty());
        }
        ready
    }

    fn perform(&mut self, effect: Option<Effect>) {
        match effect {
            None => {}
            Some(Effect::Wear(change)) => {
                self.wardrobe.change(&change, &self.store.catalogue());
                self.visit.set_dressed(!self.wardrobe.is_empty());
            }
            Some(Effect::StartStudio) => self.start_studio(),
            Some(Effect::CancelStudio) => {
                if let Some(studio) = &self.studio {
                    studio.cancel();
                }
            }
            Some(Effect::Wipe) => self.wipe(),
        }
    }

    fn start_studio(&mut self) {
        let pieces = self.pieces();
        let photo = self.photo.take();
        match (&self.studio, photo) {
            (Some(studio), Some(photo)) if !pieces.is_empty() => {
                studio.order(Job { photo: Arc::unwrap_or_clone(photo), pieces });
            }
            (None, _) => self.fail("the nets are not installed".to_owned()),
            (_, None) => self.fail("the camera gave no picture".to_owned()),
            _ => self.fail("the garment is not ready yet".to_owned()),
        }
    }

    fn fail(&mut self, why: String) {
        tracing::warn!("studio: {why}");
        self.health.look(false);
        self.failure = Some((why, Instant::now()));
        self.visit.step(Instant::now(), Event::StudioFailed);
    }

    fn hear_the_studio(&mut self) {
        while let Some(report) = self.studio.as_ref().and_then(Studio::report) {
            let now = Instant::now();
            match report {
                Report::Progress { progress, left } => {
                    self.visit.step(now, Event::StudioProgress { progress, left });
                }
                Report::Done(look) => {
                    self.health.look(true);
                    if let Some(saver) = &mut self.saver {
                        saver.save(&look);
                    }
                    self.visit.step(now, Event::StudioDone(look));
                }
                Report::Failed(why) => self.fail(why),
            }
        }
    }

    /// Drops and overwrites all that is left of a visit.
    fn wipe(&mut self) {
        if let Some(studio) = &self.studio {
            studio.cancel();
        }
        self.capture.wipe();
        self.frame.wipe();
        self.decoder.wipe();
        self.live.forget();
        self.gestures = Gestures::default();
        self.wardrobe = Wardrobe::default();
        self.photo = None;
        self.shown = None;
        self.hint = None;
        self.hand = None;
        self.failure = None;
        if let Some(nets) = &self.nets {
            nets.wipe();
        }
        self.screen.wipe();
        tracing::info!("wiped");
    }

    /// Logs what has changed, and keeps the readings.
    fn tell(&mut self, status: &Status) {
        let text = status.to_string();
        if text != self.camera_status {
            tracing::info!("camera {}", self.capture.counters());
            self.camera_status = text;
        }
        if self.counted.elapsed() > COUNTED {
            self.counted = Instant::now();
            tracing::debug!("camera {}", self.capture.counters());
        }
        self.health.camera(status, self.capture.counters());
        let stage = name(self.visit.stage());
        if stage != self.stage {
            tracing::info!(stage, "visit");
            let begins = matches!(self.stage, "attract") && stage != "wipe";
            self.health.stage(stage, begins);
            self.stage = stage;
        }
        let catalogue = self.store.catalogue();
        if catalogue.version != self.catalogue_version {
            self.catalogue_version = catalogue.version;
            self.health.catalogue(&catalogue);
        }
    }

    fn show(&mut self, status: &Status, captured: Instant) -> anyhow::Result<()> {
        let now = Instant::now();
        self.number += 1;
        if self.failure.as_ref().is_some_and(|(_, since)| since.elapsed() > MESSAGE) {
            self.failure = None;
        }
        let is_old = |since: Instant| now.saturating_duration_since(since) > LAST_PICTURE;
        if self.shown.as_ref().is_some_and(|(_, since)| is_old(*since)) {
            self.shown = None;
        }
        let picture = self.shown.as_ref().filter(|_| self.visit.shows_picture());
        let view = Arc::new(View {
            number: self.number,
            captured,
            stage: self.visit.stage().clone(),
            picture: picture.map(|(picture, _)| Arc::clone(picture)),
            trouble: self.trouble(status),
            hint: self.hint,
            hand: self.hand,
            catalogue: self.store.catalogue(),
            wearing: self.wardrobe.worn().to_vec(),
            looks: self.visit.looks().to_vec(),
            shop: Arc::clone(&self.shop),
        });
        self.followed.push_back((self.number, captured));
        if self.followed.len() > FOLLOWED {
            self.followed.pop_front();
        }
        self.screen.show(&view)?;
        Ok(())
    }

    fn trouble(&self, status: &Status) -> Option<Trouble> {
        let of_camera = match status {
            Status::Starting | Status::Streaming(_) | Status::Ended => None,
            Status::Frozen => Some(Trouble::CameraFrozen),
            Status::Lost(CameraError::Missing(_)) => Some(Trouble::NoCamera),
            Status::Lost(CameraError::Busy(_)) => Some(Trouble::CameraBusy),
            Status::Lost(CameraError::NoFormat { .. }) => Some(Trouble::CameraUnreadable),
            Status::Lost(error) => Some(Trouble::CameraFailed(error.to_string())),
        };
        let unreadable = || {
            let streaming = matches!(status, Status::Streaming(_));
            (streaming && self.shown.is_none()).then_some(Trouble::CameraUnreadable)
        };
        of_camera
            .or_else(unreadable)
            .or_else(|| self.failure.as_ref().map(|(why, _)| Trouble::StudioFailed(why.clone())))
            .or_else(|| self.nets_problem.clone().map(Trouble::NoNets))
    }

    /// Takes note of views that have reached the screen.
    fn follow(&mut self) {
        for seen in self.screen.seen() {
            while let Some(&(number, captured)) = self.followed.front() {
                if number > seen.number {
                    break;
                }
                self.followed.pop_front();
                if number == seen.number {
                    self.health.reached(captured, seen.at);
                    self.watchdog.frame_reached_the_screen();
                }
            }
        }
    }
}

/// What the shopper could do about a garment that does not go on.
fn hint(error: &TryonError) -> Option<Hint> {
    match error {
        TryonError::NoPerson => Some(Hint::StepIn),
        TryonError::PartNotSeen { .. } => Some(Hint::StepBack),
        TryonError::TooSmall { .. } => Some(Hint::ComeCloser),
        TryonError::Sideways { .. } | TryonError::NoFrontView { .. } | TryonError::FacesAway => {
            Some(Hint::FaceTheMirror)
        }
    }
}

/// A stage's name in logs and readings.
fn name(stage: &Stage) -> &'static str {
    match stage {
        Stage::Attract => "attract",
        Stage::Consent => "consent",
        Stage::Live => "live",
        Stage::Countdown { .. } => "countdown",
        Stage::Studio { .. } => "studio",
        Stage::Result => "result",
        Stage::Wipe => "wipe",
    }
}
