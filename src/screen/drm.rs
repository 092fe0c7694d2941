//! The display itself: no window system, no browser; drawn by the CPU, touched through evdev.
//!
//! A thread draws the newest view and listens to touches; the loop only hands views over. It keeps its own time:
//! page flips may come back at once.

mod card;
mod display;
mod rotation;

pub use rotation::Rotation;

use super::draw::{Input, Interface, Painter};
use super::touch::Touch;
use super::{Screen, ScreenError};
use crate::mirror::view::{Action, Seen, View};
use card::{Output, error};
use display::{Display, Memory};
use drm::control::Device as _;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often touches are looked for.
const TICK: Duration = Duration::from_millis(8);

/// How often it is looked whether the display is still there.
const CHECK: Duration = Duration::from_secs(1);

/// Longest that wiping and ending may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Which display, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The card; the first with a display for `None`.
    pub card: Option<PathBuf>,
    /// The kernel's name of the connector, such as `HDMI-A-1`.
    pub connector: Option<String>,
    /// Width, height and refreshes a second; the display's own for `None`.
    pub mode: Option<(u16, u16, Option<u32>)>,
    /// How the display hangs.
    pub rotation: Rotation,
    /// Whether pages are flipped where the driver can.
    pub flips: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { card: None, connector: None, mode: None, rotation: Rotation::None, flips: true }
    }
}

impl Settings {
    /// Reads `drm`, `drm:/dev/dri/card1` and `drm:/dev/dri/card1,mode=1920x1080@60,rotate=90,connector=HDMI-A-1,flip=no`.
    ///
    /// # Errors
    /// A sentence that says what is not understood.
    pub fn parse(text: &str) -> Result<Self, ScreenError> {
        let wrong = |why: String| error(format!("`--screen {text}` is not understood"), why);
        let mut settings = Self::default();
        let rest = text.strip_prefix("drm").ok_or_else(|| wrong("it begins with `drm`".into()))?;
        let rest = match rest.strip_prefix(':') {
            Some(rest) => rest,
            None if rest.is_empty() => return Ok(settings),
            None => return Err(wrong("write `drm` or `drm:/dev/dri/card0`".into())),
        };
        for word in rest.split(',').filter(|word| !word.is_empty()) {
            match word.split_once('=') {
                None => settings.card = Some(word.into()),
                Some(("mode", mode)) => {
                    let mode = parse_mode(mode).ok_or_else(|| {
                        wrong(format!(
                            "`{mode}` is no mode; write mode=1920x1080 or mode=1920x1080@60"
                        ))
                    })?;
                    settings.mode = Some(mode);
                }
                Some(("rotate", degrees)) => {
                    settings.rotation = Rotation::of_degrees(degrees).ok_or_else(|| {
                        wrong(format!("`{degrees}` is no rotation; write 0, 90, 180 or 270"))
                    })?;
                }
                Some(("connector", name)) => settings.connector = Some(name.to_owned()),
                Some(("flip", "yes")) => settings.flips = true,
                Some(("flip", "no")) => settings.flips = false,
                Some((name, _)) => {
                    return Err(wrong(format!(
                        "there is no `{name}`; there are mode, rotate, connector, and flip (yes or no)"
                    )));
                }
            }
        }
        Ok(settings)
    }
}

fn parse_mode(text: &str) -> Option<(u16, u16, Option<u32>)> {
    let (size, rate) = match text.split_once('@') {
        Some((size, rate)) => (size, Some(rate.parse().ok()?)),
        None => (text, None),
    };
    let (width, height) = size.split_once('x')?;
    Some((width.parse().ok()?, height.parse().ok()?, rate))
}

/// A display.
pub struct DrmScreen {
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

/// Where the loop and the thread hand things over.
#[derive(Default)]
struct Desk {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    view: Option<Arc<View>>,
    seen: Vec<Seen>,
    actions: Vec<Action>,
    wipe: bool,
    end: bool,
    failure: Option<(String, String)>,
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DrmScreen {
    /// Takes the display over: black until the first view is shown.
    ///
    /// # Errors
    /// When there is no display, or another program shows something on it.
    pub fn open(settings: &Settings) -> Result<Self, ScreenError> {
        let output = Output::open(settings)?;
        let (width, height) = output.mode.size();
        let no_memory = |why: std::io::Error| {
            error(
                format!("{} has no memory for {width}x{height} pixels", output.name),
                why.to_string(),
            )
        };
        let memory =
            [Memory::new(&output).map_err(no_memory)?, Memory::new(&output).map_err(no_memory)?];
        let shown = output.card.set_crtc(
            output.crtc,
            Some(memory[0].framebuffer()),
            (0, 0),
            &[output.connector],
            Some(output.mode),
        );
        shown.map_err(|why| output.failed(&why))?;
        tracing::info!(
            "shows on {} at {width}x{height}, {} Hz",
            output.name,
            output.mode.vrefresh()
        );
        let desk = Arc::new(Desk::default());
        let work = Arc::clone(&desk);
        let (rotation, flips) = (settings.rotation, settings.flips);
        let thread = thread::Builder::new()
            .name("screen".into())
            .spawn(move || show_until_end(&work, &output, memory, rotation, flips))
            .map_err(|why| error("cannot start a thread for the display", why.to_string()))?;
        Ok(Self { desk, thread: Some(thread) })
    }

    /// Waits until the thread has done something, [`PATIENCE`] at most.
    fn wait(&self, done: impl Fn(&State) -> bool) {
        let waiting = |state: &mut State| !done(state) && state.failure.is_none();
        let state = self.desk.state();
        let waited = self.desk.changed.wait_timeout_while(state, PATIENCE, waiting);
        drop(waited);
    }
}

impl Screen for DrmScreen {
    fn show(&mut self, view: &Arc<View>) -> Result<(), ScreenError> {
        let mut state = self.desk.state();
        if let Some((what, why)) = &state.failure {
            return Err(error(what, why));
        }
        state.view = Some(Arc::clone(view));
        drop(state);
        self.desk.changed.notify_all();
        Ok(())
    }

    fn seen(&mut self) -> Vec<Seen> {
        std::mem::take(&mut self.desk.state().seen)
    }

    fn actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.desk.state().actions)
    }

    fn wipe(&mut self) {
        let mut state = self.desk.state();
        (state.view, state.wipe) = (None, true);
        drop(state);
        self.desk.changed.notify_all();
        self.wait(|state| !state.wipe);
    }
}

impl Drop for DrmScreen {
    fn drop(&mut self) {
        self.desk.state().end = true;
        self.desk.changed.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the display's thread failed");
        }
    }
}

/// The thread: shows views until the end or a failure, then shows what was there before.
fn show_until_end(
    desk: &Desk,
    output: &Output,
    mut memory: [Memory; 2],
    rotation: Rotation,
    flips: bool,
) {
    let failure = match Display::new(output, &mut memory, rotation, flips) {
        Ok(mut display) => {
            let shown = Work::new(output, rotation).run(desk, output, &mut display);
            // Nobody is left behind in the card's memory.
            let wiped = display.wipe();
            shown.and(wiped).err()
        }
        Err(why) => Some(output.failed(&why)),
    };
    output.restore();
    let mut state = desk.state();
    state.view = None;
    state.failure = failure.map(|failure| (failure.what, failure.why));
    drop(state);
    desk.changed.notify_all();
}

/// What the thread works with.
struct Work {
    painter: Painter,
    interface: Interface,
    touch: Touch,
    view: Option<Arc<View>>,
    /// Shortest time between two frames.
    period: Duration,
    shown: Instant,
}

impl Work {
    fn new(output: &Output, rotation: Rotation) -> Self {
        let (width, height) = output.mode.size();
        let (width, height) = rotation.drawn((width.into(), height.into()));
        Self {
            painter: Painter::new(width, height),
            interface: Interface::default(),
            touch: Touch::new(rotation, (width, height)),
            view: None,
            period: Duration::from_secs(1) / output.mode.vrefresh().clamp(1, 240),
            shown: Instant::now(),
        }
    }

    fn run(
        mut self,
        desk: &Desk,
        output: &Output,
        display: &mut Display,
    ) -> Result<(), ScreenError> {
        let mut checked = Instant::now();
        loop {
            thread::sleep((self.shown + self.period).saturating_duration_since(Instant::now()));
            let (view, wipe) = {
                let idle = |state: &mut State| state.view.is_none() && !state.wipe && !state.end;
                let state = desk.state();
                let waited = desk.changed.wait_timeout_while(state, TICK, idle);
                let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
                if state.end {
                    self.painter.wipe();
                    return Ok(());
                }
                (state.view.take(), state.wipe)
            };
            if wipe {
                self.view = None;
                self.painter.wipe();
                display.wipe()?;
                desk.state().wipe = false;
                desk.changed.notify_all();
            }
            let inputs = self.touch.inputs();
            let fresh = view.is_some();
            if let Some(view) = view {
                self.interface.follow(&view);
                self.view = Some(view);
            }
            if fresh || !inputs.is_empty() {
                self.step(&inputs, fresh, desk, display)?;
            }
            if checked.elapsed() > CHECK {
                checked = Instant::now();
                output.check()?;
            }
        }
    }

    fn step(
        &mut self,
        inputs: &[Input],
        fresh: bool,
        desk: &Desk,
        display: &mut Display,
    ) -> Result<(), ScreenError> {
        let Some(view) = &self.view else { return Ok(()) };
        let mut actions = Vec::new();
        for input in inputs {
            let layout = self.painter.layout(view, &self.interface);
            let right_to_left = self.painter.right_to_left();
            self.interface.take(*input, view, &layout, right_to_left, &mut actions);
        }
        let mut at = Instant::now();
        if self.painter.draw(view, &self.interface) {
            at = display.show(self.painter.frame())?;
            self.shown = at;
        }
        let mut state = desk.state();
        state.actions.append(&mut actions);
        if fresh {
            state.seen.push(Seen { number: view.number, at });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_display_is_named_as_the_manual_says() {
        let plain = Settings::default();
        assert_eq!(Settings::parse("drm").unwrap(), plain);
        let card = Some("/dev/dri/card1".into());
        let with_card = Settings { card, ..plain.clone() };
        assert_eq!(Settings::parse("drm:/dev/dri/card1").unwrap(), with_card);
        let all = "drm:/dev/dri/card1,mode=1920x1080@60,rotate=90,connector=HDMI-A-1,flip=no";
        let expected = Settings {
            mode: Some((1920, 1080, Some(60))),
            rotation: Rotation::Quarter,
            connector: Some("HDMI-A-1".into()),
            flips: false,
            ..with_card
        };
        assert_eq!(Settings::parse(all).unwrap(), expected);
        let mode = Some((1280, 720, None));
        assert_eq!(Settings::parse("drm:mode=1280x720").unwrap(), Settings { mode, ..plain });
    }

    #[test]
    fn a_misspelt_display_is_explained() {
        for (text, part) in [
            ("web", "begins with `drm`"),
            ("drmx", "write `drm`"),
            ("drm:rotate=45", "0, 90, 180 or 270"),
            ("drm:mode=big", "mode=1920x1080"),
            ("drm:colour=red", "there is no `colour`"),
        ] {
            let why = Settings::parse(text).unwrap_err().to_string();
            assert!(why.contains(part), "{text}: {why}");
        }
    }

    #[test]
    fn a_card_that_is_not_there_is_an_error_with_advice() {
        let card = Some("/dev/dri/card99".into());
        let Err(why) = DrmScreen::open(&Settings { card, ..Settings::default() }) else {
            panic!("there is no such card");
        };
        assert!(why.to_string().contains("ls /dev/dri"), "{why}");
    }
}
