//! `vitrine mirror`: camera to screen.

use super::models::models_directory;
use crate::camera::{Capture, Source, Wanted, open};
use crate::mirror::catalogue::Store;
use crate::mirror::health::Health;
use crate::mirror::settings::Settings;
use crate::mirror::{Mirror, Parts, Signals};
use crate::perception::Perception;
use crate::screen::Screen;
use crate::screen::drm::{self, DrmScreen};
use crate::screen::file::FileScreen;
use crate::screen::script::{Script, Scripted};
use crate::screen::web::{Token, Web, WebOptions};
use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// Runs a smart mirror: live try-on from a camera to a screen
///
/// Shows the page at http://127.0.0.1:8080 by default; open it in a browser in kiosk mode. Ends within a second on
/// SIGTERM, reads settings and catalogue again on SIGHUP.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct MirrorArgs {
    /// Settings of the shop (TOML); options given here count more
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of garment pictures; watched for changes [default: garments]
    #[arg(long, value_name = "FOLDER")]
    catalogue: Option<PathBuf>,
    /// auto, /dev/videoN, a part of the camera's name, replay:PATH[?rate=max&once], or synthetic [default: auto]
    #[arg(long, value_name = "CAMERA")]
    camera: Option<String>,
    /// Wanted size of the camera's pictures [default: 1280x720]
    #[arg(long, value_name = "WxH", value_parser = size)]
    size: Option<(usize, usize)>,
    /// Wanted frames a second [default: 30]
    #[arg(long, value_name = "RATE")]
    rate: Option<f32>,
    /// Show the picture as a mirror does [default]
    #[arg(long, overrides_with = "no_mirror")]
    mirror: bool,
    /// Show the picture as the camera sees it
    #[arg(long, overrides_with = "mirror")]
    no_mirror: bool,
    /// Clockwise turn of the camera's picture, for portrait screens: 0, 90, 180 or 270
    #[arg(long, value_name = "DEGREES")]
    rotate: Option<u32>,
    /// web, drm, or file:PATH
    ///
    /// drm takes the display itself, without a browser: drm[:/dev/dri/cardN][,mode=1920x1080@60][,rotate=90]
    /// [,connector=HDMI-A-1]. file writes views as they would be shown: PATH.png, replaced by each view; %06d.png, a file a
    /// view; or PATH.mjpeg.
    #[arg(long, value_name = "SCREEN", default_value = "web")]
    screen: ScreenChoice,
    /// Size of the views of a file
    #[arg(long, value_name = "WxH", value_parser = size, default_value = "1280x720")]
    screen_size: (usize, usize),
    /// Address of the page, of /healthz and of /metrics
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Let other machines see the page; each needs the token, 16 characters or more: /?token=...
    #[arg(long, value_name = "TOKEN", value_parser = Token::new)]
    allow_remote: Option<Token>,
    /// What the shopper does, from a file of lines such as `at 2.5 wear tee-red-print`; for tests
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Folder of the nets [default: as `vitrine models fetch` fills it]
    #[arg(long, value_name = "FOLDER")]
    models: Option<PathBuf>,
    /// Do not look for people: nothing is worn, only touch begins a visit
    #[arg(long)]
    no_perception: bool,
}

const EXAMPLES: &str = "\
Examples:
  vitrine mirror --catalogue garments
  vitrine mirror --camera replay:frames --screen web
  vitrine mirror --config /etc/vitrine/mirror.toml --screen drm --rotate 90";

/// Where the mirror is shown.
#[derive(Clone, Debug)]
enum ScreenChoice {
    Web,
    Drm(drm::Settings),
    File(PathBuf),
}

impl std::str::FromStr for ScreenChoice {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "web" {
            return Ok(Self::Web);
        }
        if let Some(path) = text.strip_prefix("file:").filter(|path| !path.is_empty()) {
            return Ok(Self::File(path.into()));
        }
        if text.starts_with("drm") {
            return drm::Settings::parse(text).map(Self::Drm).map_err(|error| error.why);
        }
        Err("expected web, drm, drm:/dev/dri/cardN or file:PATH".to_owned())
    }
}

fn size(text: &str) -> Result<(usize, usize), String> {
    let parsed = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    parsed.ok_or_else(|| "expected a size such as 1280x720".to_owned())
}

/// Runs the mirror until it is told to end.
///
/// # Errors
/// Wrong settings, a screen or an address that cannot be had, a screen that is gone.
pub fn run(args: &MirrorArgs) -> anyhow::Result<()> {
    // Before anything of a person is in memory.
    kernels::wiping::Wiping::begin();
    let signals = Signals::default();
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&signals.stop))
            .context("cannot handle signals")?;
    }
    signal_hook::flag::register(SIGHUP, Arc::clone(&signals.reload))
        .context("cannot handle signals")?;

    let settings = args.settings()?;
    let health = Health::new();
    // The server of the readings lives as long as the mirror.
    let (screen, _readings) = args.screen(&health)?;
    let source: Source = settings.camera.source.parse()?;
    let camera = &settings.camera;
    let wanted = Wanted { width: camera.width, height: camera.height, rate: camera.rate };
    let parts = Parts {
        capture: Capture::start(move || open(&source, &wanted)),
        nets: args.nets(),
        store: store(&settings)?,
        screen,
        health,
        studio_threads: 1,
    };
    Mirror::new(parts, &settings)?.run(&signals, || args.settings())
}

fn store(settings: &Settings) -> anyhow::Result<Store> {
    let folder = settings.catalogue.folder.clone().unwrap_or_else(|| "garments".into());
    let of_user = || {
        let folders = directories::ProjectDirs::from("", "", "vitrine")?;
        Some(folders.cache_dir().join("garments"))
    };
    let cache = settings.catalogue.cache.clone().or_else(of_user);
    Store::watch(folder, cache).context("cannot watch the catalogue")
}

impl MirrorArgs {
    fn settings(&self) -> anyhow::Result<Settings> {
        let mut settings = match &self.config {
            Some(path) => Settings::read(path)?,
            None => Settings::default(),
        };
        let camera = &mut settings.camera;
        if let Some(source) = &self.camera {
            source.clone_into(&mut camera.source);
        }
        if let Some((width, height)) = self.size {
            (camera.width, camera.height) = (width, height);
        }
        camera.rate = self.rate.unwrap_or(camera.rate);
        camera.rotate = self.rotate.unwrap_or(camera.rotate);
        camera.mirror = (camera.mirror || self.mirror) && !self.no_mirror;
        if let Some(folder) = &self.catalogue {
            settings.catalogue.folder = Some(folder.clone());
        }
        settings.check()?;
        Ok(settings)
    }

    fn nets(&self) -> Result<Arc<Perception>, String> {
        if self.no_perception {
            return Err("turned off by --no-perception".to_owned());
        }
        let folder = models_directory(self.models.as_deref());
        Perception::load(&folder).map(Arc::new).map_err(|error| {
            tracing::error!("{error}");
            error.to_string()
        })
    }

    /// The screen, and the server of the readings where the screen is not that server's page.
    fn screen(&self, health: &Arc<Health>) -> anyhow::Result<(Box<dyn Screen>, Option<Web>)> {
        let script = self.script.as_ref().map(|path| Script::open(path)).transpose()?;
        let web = |page| {
            let options =
                WebOptions { listen: self.listen, allow_remote: self.allow_remote.clone(), page };
            let web = Web::start(options, Arc::clone(health) as Arc<_>)?;
            let what = if page { "page" } else { "readings" };
            tracing::info!("{what} at http://{}", web.address());
            anyhow::Ok(web)
        };
        let (screen, readings): (Box<dyn Screen>, _) = match &self.screen {
            ScreenChoice::Web => (Box::new(web(true)?), None),
            ScreenChoice::Drm(settings) => {
                (Box::new(DrmScreen::open(settings)?), Some(web(false)?))
            }
            ScreenChoice::File(path) => {
                (Box::new(FileScreen::create(path, self.screen_size)?), Some(web(false)?))
            }
        };
        Ok(match script {
            Some(script) => (Box::new(Scripted::new(screen, script)), readings),
            None => (screen, readings),
        })
    }
}
