//! A shopper's visit as one state machine: no clock, no camera, no threads of its own.
//!
//! | stage | event | next stage |
//! | --- | --- | --- |
//! | attract | somebody comes and stays, or a touch | consent if the shop has a text, else live |
//! | consent | agree | live |
//! | consent | decline | wipe |
//! | live | take picture, something worn, camera gives pictures | countdown |
//! | countdown | time is up | studio; the picture is taken |
//! | countdown | cancel, camera lost | live |
//! | studio | finished | result |
//! | studio | cancel, failed | live |
//! | result | back, wear, step | live |
//! | result | take picture | countdown |
//! | any but attract and wipe | done; nobody there and no touch for the idle time; no touch for the limit of a visit | wipe |
//! | wipe | a moment later | attract |
//!
//! After a visit that ended with somebody still in the picture (a poster, a mannequin, who declined), only a touch or
//! an empty picture in between begins the next.

use super::view::{Action, Look, Stage};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Times of a visit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// From the button to the picture.
    pub countdown: Duration,
    /// A visit ends when nobody was there and nothing was touched for this long.
    pub idle: Duration,
    /// A visit ends when nothing was touched for this long, whoever is there.
    pub limit: Duration,
    /// Somebody has to be there for this long before a visit begins.
    pub arrival: Duration,
    /// How long the wipe is shown.
    pub wipe: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            countdown: Duration::from_secs(3),
            idle: Duration::from_secs(20),
            limit: Duration::from_secs(300),
            arrival: Duration::from_millis(700),
            wipe: Duration::from_millis(1200),
        }
    }
}

/// What happens to a visit.
#[derive(Clone, Debug)]
pub enum Event {
    /// Time passes; the loop sends one per frame.
    Tick {
        /// Whether perception sees somebody; `None` where it did not look.
        person: Option<bool>,
        /// Whether the camera gives pictures.
        camera: bool,
    },
    /// The shopper did something.
    Action(Action),
    /// The studio says how far it is.
    StudioProgress {
        /// Share that is done, 0..1.
        progress: f32,
        /// Until the end.
        left: Option<Duration>,
    },
    /// The studio has finished.
    StudioDone(Arc<Look>),
    /// The studio gave up.
    StudioFailed,
}

/// What the loop has to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Make the finished picture from the newest frame.
    StartStudio,
    /// End the studio's work.
    CancelStudio,
    /// Wipe everything of the visit.
    Wipe,
    /// Change what is worn.
    Wear(Change),
}

/// A change of what is worn; the catalogue says what that is.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A piece goes on, or off if it is on.
    Piece(String),
    /// Everything comes off.
    Nothing,
    /// The next or last piece.
    Step(i32),
}

/// One visit after the other.
#[derive(Debug)]
pub struct Visit {
    stage: Stage,
    entered: Instant,
    touched: Instant,
    person_seen: Instant,
    person_since: Option<Instant>,
    /// Somebody was there when the last visit ended and has not left since.
    stale: bool,
    consent: bool,
    pace: Pace,
    dressed: bool,
    looks: Vec<Arc<Look>>,
}

/// Looks that are kept within a visit; the oldest goes first.
pub const LOOKS: usize = 6;

impl Visit {
    /// Nobody is there. `consent`: the shop has a text to agree to.
    pub fn new(now: Instant, pace: Pace, consent: bool) -> Self {
        Self {
            stage: Stage::Attract,
            entered: now,
            touched: now,
            person_seen: now,
            person_since: None,
            stale: false,
            consent,
            pace,
            dressed: false,
            looks: Vec::new(),
        }
    }

    /// Where the visit stands.
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// The finished looks.
    pub fn looks(&self) -> &[Arc<Look>] {
        &self.looks
    }

    /// Whether the camera's picture may be shown.
    pub fn shows_picture(&self) -> bool {
        match self.stage {
            Stage::Live | Stage::Countdown { .. } | Stage::Studio { .. } => true,
            Stage::Attract => !self.consent,
            Stage::Consent | Stage::Result | Stage::Wipe => false,
        }
    }

    /// Tells the visit whether anything is worn; without, there is no picture to take.
    pub fn set_dressed(&mut self, dressed: bool) {
        self.dressed = dressed;
    }

    /// Other times count from now on.
    pub fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
    }

    /// The shop's text has changed.
    pub fn set_consent(&mut self, consent: bool) {
        self.consent = consent;
    }

    /// Takes an event; says what the loop has to do.
    pub fn step(&mut self, now: Instant, event: Event) -> Option<Effect> {
        match event {
            Event::Tick { person, camera } => self.tick(now, person, camera),
            Event::Action(action) => {
                self.touched = now;
                self.act(now, action)
            }
            Event::StudioProgress { progress, left } => {
                if let Stage::Studio { .. } = self.stage {
                    self.stage = Stage::Studio { progress: progress.clamp(0.0, 1.0), left };
                }
                None
            }
            Event::StudioDone(look) => {
                if let Stage::Studio { .. } = self.stage {
                    if self.looks.len() == LOOKS {
                        self.looks.remove(0);
                    }
                    self.looks.push(look);
                    self.touched = now;
                    self.enter(now, Stage::Result);
                }
                None
            }
            Event::StudioFailed => {
                if let Stage::Studio { .. } = self.stage {
                    self.enter(now, Stage::Live);
                }
                None
            }
        }
    }

    fn enter(&mut self, now: Instant, stage: Stage) {
        self.stage = stage;
        self.entered = now;
    }

    fn tick(&mut self, now: Instant, person: Option<bool>, camera: bool) -> Option<Effect> {
        match person {
            Some(true) => {
                self.person_seen = now;
                self.person_since.get_or_insert(now);
            }
            Some(false) => {
                self.person_since = None;
                self.stale = false;
            }
            None => {}
        }
        let in_stage = now.saturating_duration_since(self.entered);
        match self.stage {
            Stage::Attract => {
                let stays = |since| now.saturating_duration_since(since) >= self.pace.arrival;
                if !self.stale && self.person_since.is_some_and(stays) {
                    self.begin(now);
                }
                None
            }
            Stage::Wipe => {
                if in_stage >= self.pace.wipe {
                    self.enter(now, Stage::Attract);
                }
                None
            }
            _ if self.is_over(now) => Some(self.end(now)),
            Stage::Countdown { .. } if !camera => {
                self.enter(now, Stage::Live);
                None
            }
            Stage::Countdown { .. } => {
                let left = self.pace.countdown.saturating_sub(in_stage);
                if left.is_zero() {
                    self.enter(now, Stage::Studio { progress: 0.0, left: None });
                    return Some(Effect::StartStudio);
                }
                self.stage = Stage::Countdown { left };
                None
            }
            Stage::Consent | Stage::Live | Stage::Studio { .. } | Stage::Result => None,
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        let since = |then: Instant| now.saturating_duration_since(then);
        let untouched = since(self.touched);
        untouched >= self.pace.limit
            || untouched >= self.pace.idle && since(self.person_seen) >= self.pace.idle
    }

    fn begin(&mut self, now: Instant) {
        self.touched = now;
        self.stale = false;
        let stage = if self.consent { Stage::Consent } else { Stage::Live };
        self.enter(now, stage);
    }

    fn end(&mut self, now: Instant) -> Effect {
        self.looks.clear();
        self.dressed = false;
        self.stale = true;
        self.person_since = None;
        self.enter(now, Stage::Wipe);
        Effect::Wipe
    }

    fn act(&mut self, now: Instant, action: Action) -> Option<Effect> {
        let change = match &action {
            Action::Wear(id) => Some(Change::Piece(id.clone())),
            Action::TakeOff => Some(Change::Nothing),
            Action::Step(by) => Some(Change::Step(*by)),
            _ => None,
        };
        match (&self.stage, action) {
            (Stage::Wipe, _) => None,
            (Stage::Attract, Action::Done) => None,
            (Stage::Attract, _) => {
                self.begin(now);
                // A piece that was picked on the inviting screen goes on at once.
                change.filter(|_| !self.consent).map(Effect::Wear)
            }
            (_, Action::Done) => Some(self.end(now)),
            (Stage::Consent, Action::Agree) => {
                self.enter(now, Stage::Live);
                None
            }
            (Stage::Consent, Action::Decline) => Some(self.end(now)),
            (Stage::Live | Stage::Result, Action::TakePicture) => {
                if self.dressed {
                    self.enter(now, Stage::Countdown { left: self.pace.countdown });
                }
                None
            }
            (Stage::Countdown { .. }, Action::Cancel | Action::Back) => {
                self.enter(now, Stage::Live);
                None
            }
            (Stage::Studio { .. }, Action::Cancel | Action::Back) => {
                self.enter(now, Stage::Live);
                Some(Effect::CancelStudio)
            }
            (Stage::Result, Action::Back | Action::Cancel) => {
                self.enter(now, Stage::Live);
                None
            }
            (Stage::Live | Stage::Result, _) => {
                let change = change?;
                self.enter(now, Stage::Live);
                Some(Effect::Wear(change))
            }
            (Stage::Consent | Stage::Countdown { .. } | Stage::Studio { .. }, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Picture;

    const PACE: Pace = Pace {
        countdown: Duration::from_secs(3),
        idle: Duration::from_secs(20),
        limit: Duration::from_secs(300),
        arrival: Duration::from_millis(700),
        wipe: Duration::from_secs(1),
    };

    /// A visit with a clock that the test moves.
    struct Clock {
        visit: Visit,
        now: Instant,
    }

    impl Clock {
        fn new(consent: bool) -> Self {
            let now = Instant::now();
            Self { visit: Visit::new(now, PACE, consent), now }
        }

        fn act(&mut self, action: Action) -> Option<Effect> {
            self.visit.step(self.now, Event::Action(action))
        }

        /// Ticks of a tenth of a second; the effects in order.
        fn pass(&mut self, seconds: f32, person: bool) -> Vec<Effect> {
            let mut effects = Vec::new();
            for _ in 0..(seconds * 10.0) as usize {
                self.now += Duration::from_millis(100);
                let event = Event::Tick { person: Some(person), camera: true };
                effects.extend(self.visit.step(self.now, event));
            }
            effects
        }

        fn dressed() -> Self {
            let mut clock = Self::new(false);
            clock.pass(1.0, true);
            let effect = clock.act(Action::Wear("tee".into()));
            assert_eq!(effect, Some(Effect::Wear(Change::Piece("tee".into()))));
            clock.visit.set_dressed(true);
            clock
        }

        fn finish(&mut self) {
            let picture = Arc::new(Picture::from_rgb8(1, 1, vec![0; 3]));
            let (before, after) = (Arc::clone(&picture), picture);
            let look = Look { number: 1, wearing: vec!["tee".into()], before, after, focus: 0.5 };
            self.visit.step(self.now, Event::StudioDone(Arc::new(look)));
        }
    }

    #[test]
    fn who_passes_by_does_not_start_a_visit_and_who_stays_does() {
        let mut clock = Clock::new(false);
        clock.pass(0.5, true);
        clock.pass(0.2, false);
        clock.pass(0.6, true);
        assert_eq!(clock.visit.stage(), &Stage::Attract);
        clock.pass(0.3, true);
        assert_eq!(clock.visit.stage(), &Stage::Live);
    }

    #[test]
    fn the_shops_text_comes_first_and_no_picture_is_shown_before() {
        let mut clock = Clock::new(true);
        assert!(!clock.visit.shows_picture());
        clock.act(Action::Wake);
        assert_eq!(clock.visit.stage(), &Stage::Consent);
        assert_eq!(clock.act(Action::Wear("tee".into())), None);
        assert!(!clock.visit.shows_picture());
        clock.act(Action::Agree);
        assert_eq!(clock.visit.stage(), &Stage::Live);
        assert!(clock.visit.shows_picture());
    }

    #[test]
    fn who_declines_is_not_asked_again_until_the_place_was_empty() {
        let mut clock = Clock::new(true);
        clock.pass(1.0, true);
        assert_eq!(clock.act(Action::Decline), Some(Effect::Wipe));
        clock.pass(60.0, true);
        assert_eq!(clock.visit.stage(), &Stage::Attract);
        clock.pass(0.2, false);
        clock.pass(1.0, true);
        assert_eq!(clock.visit.stage(), &Stage::Consent);
    }

    #[test]
    fn a_picture_takes_countdown_and_studio_and_is_shown() {
        let mut clock = Clock::dressed();
        clock.act(Action::TakePicture);
        assert_eq!(clock.visit.stage(), &Stage::Countdown { left: PACE.countdown });
        assert!(clock.pass(2.9, true).is_empty());
        assert_eq!(clock.pass(0.2, true), [Effect::StartStudio]);
        clock.visit.step(clock.now, Event::StudioProgress { progress: 0.5, left: None });
        assert_eq!(clock.visit.stage(), &Stage::Studio { progress: 0.5, left: None });
        clock.finish();
        assert_eq!((clock.visit.stage(), clock.visit.looks().len()), (&Stage::Result, 1));
        clock.act(Action::Back);
        assert_eq!((clock.visit.stage(), clock.visit.looks().len()), (&Stage::Live, 1));
    }

    #[test]
    fn without_clothes_there_is_no_picture_to_take() {
        let mut clock = Clock::new(false);
        clock.act(Action::Wake);
        assert_eq!(clock.act(Action::TakePicture), None);
        assert_eq!(clock.visit.stage(), &Stage::Live);
    }

    #[test]
    fn cancel_leads_back_and_a_late_result_is_dropped() {
        let mut clock = Clock::dressed();
        clock.act(Action::TakePicture);
        assert_eq!(clock.act(Action::Cancel), None);
        clock.act(Action::TakePicture);
        clock.pass(3.2, true);
        assert_eq!(clock.act(Action::Cancel), Some(Effect::CancelStudio));
        clock.finish();
        assert_eq!((clock.visit.stage(), clock.visit.looks().len()), (&Stage::Live, 0));
    }

    #[test]
    fn a_camera_that_goes_away_ends_the_countdown() {
        let mut clock = Clock::dressed();
        clock.act(Action::TakePicture);
        clock.visit.step(clock.now, Event::Tick { person: None, camera: false });
        assert_eq!(clock.visit.stage(), &Stage::Live);
    }

    #[test]
    fn an_idle_visit_is_wiped_and_attracts_again() {
        let mut clock = Clock::dressed();
        clock.act(Action::TakePicture);
        clock.pass(3.2, true);
        clock.finish();
        assert_eq!(clock.pass(19.0, false), []);
        assert_eq!(clock.pass(1.5, false), [Effect::Wipe]);
        assert_eq!((clock.visit.stage(), clock.visit.looks().len()), (&Stage::Wipe, 0));
        clock.pass(1.2, false);
        assert_eq!(clock.visit.stage(), &Stage::Attract);
    }

    #[test]
    fn a_poster_does_not_keep_a_visit_alive_for_ever() {
        let mut clock = Clock::dressed();
        assert_eq!(clock.pass(310.0, true), [Effect::Wipe]);
        clock.pass(60.0, true);
        assert_eq!(clock.visit.stage(), &Stage::Attract);
        clock.act(Action::Wake);
        assert_eq!(clock.visit.stage(), &Stage::Live);
    }

    #[test]
    fn done_wipes_from_every_stage_of_a_visit() {
        for stage in 0..4 {
            let mut clock = Clock::dressed();
            if stage > 0 {
                clock.act(Action::TakePicture);
            }
            if stage > 1 {
                clock.pass(3.2, true);
            }
            if stage > 2 {
                clock.finish();
            }
            assert_eq!(clock.act(Action::Done), Some(Effect::Wipe), "stage {stage}");
            assert_eq!(clock.act(Action::Wake), None);
            assert_eq!(clock.visit.stage(), &Stage::Wipe);
        }
    }
}
