//! The graphics card: which card, which display, which mode.

use super::Settings;
use crate::screen::ScreenError;
use drm::Device as _;
use drm::control::{Device as _, Mode, ModeTypeFlags, connector, crtc};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

/// An open graphics card.
pub struct Card(File);

impl AsFd for Card {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl drm::Device for Card {}
impl drm::control::Device for Card {}

/// A display that is connected, and what drives it.
pub struct Output {
    pub card: Card,
    /// Card and connector, for people.
    pub name: String,
    pub connector: connector::Handle,
    pub crtc: crtc::Handle,
    pub mode: Mode,
    /// What was shown before.
    before: crtc::Info,
}

/// An error of the screen.
pub fn error(what: impl Into<String>, why: impl Into<String>) -> ScreenError {
    ScreenError { what: what.into(), why: why.into() }
}

/// The system's number of an error.
pub fn number(error: &io::Error) -> Option<Errno> {
    Errno::from_io_error(error)
}

impl Output {
    /// Opens the card and display that the settings name, else the first that is connected.
    ///
    /// # Errors
    /// When there is none, or another program shows something on it.
    pub fn open(settings: &Settings) -> Result<Self, ScreenError> {
        let cards = match &settings.card {
            Some(card) => vec![card.clone()],
            None => cards(),
        };
        let mut failure = error(
            "no graphics card in /dev/dri",
            "load its driver, or show the mirror in a browser: `vitrine mirror --screen web`",
        );
        for path in cards {
            match Self::of_card(&path, settings) {
                Ok(output) => return Ok(output),
                Err(why) => failure = why,
            }
        }
        Err(failure)
    }

    fn of_card(path: &Path, settings: &Settings) -> Result<Self, ScreenError> {
        let shown = path.display();
        let file = File::options().read(true).write(true).open(path).map_err(|why| {
            let advice = match why.kind() {
                io::ErrorKind::PermissionDenied => "; add the user to the group `video`",
                io::ErrorKind::NotFound => "; `ls /dev/dri` lists the cards there are",
                _ => "",
            };
            error(format!("cannot open {shown}"), format!("{why}{advice}"))
        })?;
        fcntl_getfl(&file)
            .and_then(|flags| fcntl_setfl(&file, flags | OFlags::NONBLOCK))
            .map_err(|why| error(format!("cannot set up {shown}"), why.to_string()))?;
        let card = Card(file);
        // The first to open a card is its master without asking; asking again changes nothing.
        if card.acquire_master_lock().is_err() {
            return Err(error(
                format!("another program shows something on {shown}"),
                "end the desktop (`systemctl stop display-manager`) or show the mirror in it, in a browser: \
                 `vitrine mirror --screen web`",
            ));
        }
        let resources = card.resource_handles().map_err(|why| {
            error(
                format!("{shown} drives no display"),
                format!("{why}; name another: `--screen drm:/dev/dri/card1`"),
            )
        })?;
        let mut there = Vec::new();
        for handle in resources.connectors() {
            let Ok(info) = card.get_connector(*handle, true) else { continue };
            let name = connector_name(&info);
            let fits = settings.connector.as_ref().is_none_or(|wanted| *wanted == name);
            if info.state() != connector::State::Connected || !fits || info.modes().is_empty() {
                there.push(name);
                continue;
            }
            let mode = choose_mode(info.modes(), settings)
                .ok_or_else(|| no_mode(&name, info.modes(), settings))?;
            let crtc = crtc_of(&card, &info, &resources).ok_or_else(|| {
                error(format!("{shown} has no free output for {name}"), "unplug another display")
            })?;
            let before = card.get_crtc(crtc).map_err(|why| {
                error(format!("cannot ask {shown} what it shows"), why.to_string())
            })?;
            let name = format!("{shown} {name}");
            return Ok(Self { connector: info.handle(), crtc, mode, before, name, card });
        }
        let named = settings.connector.as_deref().map_or(String::new(), |name| format!(" {name}"));
        Err(error(
            format!("no display{named} is connected to {shown}"),
            format!("plug it in and switch it on; the card's connectors are {}", list(&there)),
        ))
    }

    /// Shows again what was shown before.
    pub fn restore(&self) {
        let before = &self.before;
        let restored = match (before.framebuffer(), before.mode()) {
            (Some(framebuffer), Some(mode)) => self.card.set_crtc(
                self.crtc,
                Some(framebuffer),
                before.position(),
                &[self.connector],
                Some(mode),
            ),
            _ => self.card.set_crtc(self.crtc, None, (0, 0), &[], None),
        };
        if let Err(why) = restored {
            tracing::debug!(%why, "the display could not be set back");
        }
    }

    /// Whether the display is still plugged in, as far as the card knows.
    ///
    /// # Errors
    /// When it is not.
    pub fn check(&self) -> Result<(), ScreenError> {
        let known = self.card.get_connector(self.connector, false);
        match known.map(|info| info.state()) {
            Ok(connector::State::Disconnected) => Err(self.unplugged()),
            Ok(_) => Ok(()),
            Err(why) => Err(self.failed(&why)),
        }
    }

    /// The error of a display that was unplugged.
    pub fn unplugged(&self) -> ScreenError {
        error(
            format!("the display at {} was unplugged or switched off", self.name),
            "plug it in and switch it on; the mirror then starts again",
        )
    }

    /// The error of a call that failed.
    pub fn failed(&self, why: &io::Error) -> ScreenError {
        let advice = match number(why) {
            Some(Errno::ACCESS | Errno::PERM) => "; another program took the display: end it",
            Some(Errno::NODEV) => "; the graphics card went away",
            _ => "",
        };
        error(format!("cannot show on {}", self.name), format!("{why}{advice}"))
    }
}

fn cards() -> Vec<PathBuf> {
    (0..16)
        .map(|n| PathBuf::from(format!("/dev/dri/card{n}")))
        .filter(|path| path.exists())
        .collect()
}

/// The kernel's name of a connector, such as `HDMI-A-1`.
fn connector_name(info: &connector::Info) -> String {
    format!("{}-{}", info.interface().as_str(), info.interface_id())
}

fn choose_mode(modes: &[Mode], settings: &Settings) -> Option<Mode> {
    let Some((width, height, rate)) = settings.mode else {
        let preferred =
            modes.iter().find(|mode| mode.mode_type().contains(ModeTypeFlags::PREFERRED));
        return preferred.or(modes.first()).copied();
    };
    let fits = |mode: &&Mode| {
        mode.size() == (width, height) && rate.is_none_or(|rate| mode.vrefresh() == rate)
    };
    modes.iter().find(fits).copied()
}

fn no_mode(name: &str, modes: &[Mode], settings: &Settings) -> ScreenError {
    let mut there: Vec<String> = modes
        .iter()
        .map(|mode| format!("{}x{}@{}", mode.size().0, mode.size().1, mode.vrefresh()))
        .collect();
    there.dedup();
    let (width, height, _) = settings.mode.unwrap_or_default();
    error(
        format!("the display {name} has no mode {width}x{height}"),
        format!("it has {}", list(&there)),
    )
}

/// The part of the card that drives a connector already, else one that can.
fn crtc_of(
    card: &Card,
    info: &connector::Info,
    resources: &drm::control::ResourceHandles,
) -> Option<crtc::Handle> {
    let current = info.current_encoder().and_then(|encoder| card.get_encoder(encoder).ok()?.crtc());
    current.or_else(|| {
        let encoders = info.encoders().iter().filter_map(|encoder| card.get_encoder(*encoder).ok());
        encoders.flat_map(|encoder| resources.filter_crtcs(encoder.possible_crtcs())).next()
    })
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
