//! Touch screens, mice and keyboards, through evdev.
//!
//! Every device below `/dev/input` that has something to say is listened to; new ones are looked for each few seconds,
//! those that vanish are dropped.

mod device;

use super::draw::{Input, Point};
use super::drm::Rotation;
use device::{Reader, Spoken};
use evdev::Device;
use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often new devices are looked for.
const RESCAN: Duration = Duration::from_secs(3);

/// All the devices a person can touch.
pub struct Touch {
    rotation: Rotation,
    size: [f32; 2],
    devices: Vec<Listening>,
    /// Devices that say nothing of use.
    dull: HashSet<PathBuf>,
    scanned: Option<Instant>,
    forbidden: bool,
    /// Where the mouse is.
    pointer: Point,
    held: bool,
}

struct Listening {
    path: PathBuf,
    device: Device,
    reader: Reader,
}

impl Touch {
    /// Listens for a screen of a drawn size, turned by a rotation.
    pub fn new(rotation: Rotation, (width, height): (usize, usize)) -> Self {
        let size = [width as f32, height as f32];
        Self {
            rotation,
            size,
            devices: Vec::new(),
            dull: HashSet::new(),
            scanned: None,
            forbidden: false,
            pointer: Point { x: size[0] / 2.0, y: size[1] / 2.0 },
            held: false,
        }
    }

    /// What people did since the last call, in pixels of the drawn screen; never waits.
    pub fn inputs(&mut self) -> Vec<Input> {
        if self.scanned.is_none_or(|scanned| scanned.elapsed() > RESCAN) {
            self.scanned = Some(Instant::now());
            self.scan();
        }
        let mut spoken = Vec::new();
        self.devices.retain_mut(|listening| {
            let Listening { path, device, reader } = listening;
            match device.fetch_events() {
                Ok(events) => events.for_each(|event| reader.take(event, &mut spoken)),
                Err(why) if why.kind() == ErrorKind::WouldBlock => {}
                Err(why) => {
                    tracing::info!("{} is gone: {why}", path.display());
                    spoken.push(Spoken::Lost);
                    return false;
                }
            }
            true
        });
        spoken.into_iter().map(|spoken| self.place(spoken)).collect()
    }

    fn scan(&mut self) {
        let Ok(folder) = std::fs::read_dir("/dev/input") else { return };
        let there: Vec<PathBuf> = folder
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| name(path).starts_with("event"))
            .collect();
        self.dull.retain(|path| there.contains(path));
        for path in there {
            let known = self.devices.iter().any(|listening| listening.path == path);
            if !known && !self.dull.contains(&path) {
                self.open(path);
            }
        }
    }

    fn open(&mut self, path: PathBuf) {
        let device = match Device::open(&path) {
            Ok(device) => device,
            Err(why) => {
                if why.kind() == ErrorKind::PermissionDenied && !self.forbidden {
                    self.forbidden = true;
                    tracing::warn!(
                        "may not open {}: touch and keys do nothing; add the user to the group `input`",
                        path.display()
                    );
                }
                return;
            }
        };
        let Some(reader) = Reader::of(&device) else {
            self.dull.insert(path);
            return;
        };
        if let Err(why) = device.set_nonblocking(true) {
            tracing::warn!("cannot listen to {}: {why}", path.display());
            self.dull.insert(path);
            return;
        }
        tracing::info!("listens to {} ({})", device.name().unwrap_or("no name"), path.display());
        self.devices.push(Listening { path, device, reader });
    }

    fn place(&mut self, spoken: Spoken) -> Input {
        match spoken {
            Spoken::Down(at) => Input::Down(self.on_screen(at)),
            Spoken::Move(at) => Input::Move(self.on_screen(at)),
            Spoken::Up(at) => Input::Up(self.on_screen(at)),
            Spoken::Lost => Input::Lost,
            Spoken::Point(at) => {
                self.pointer = self.on_screen(at);
                self.moved()
            }
            Spoken::Shift([x, y]) => {
                self.pointer.x = (self.pointer.x + x).clamp(0.0, self.size[0] - 1.0);
                self.pointer.y = (self.pointer.y + y).clamp(0.0, self.size[1] - 1.0);
                self.moved()
            }
            Spoken::Press(true) => {
                self.held = true;
                Input::Down(self.pointer)
            }
            Spoken::Press(false) => {
                self.held = false;
                Input::Up(self.pointer)
            }
            Spoken::Wheel(notches) => Input::Wheel(notches),
            Spoken::Key(key) => Input::Key(key),
        }
    }

    fn moved(&self) -> Input {
        if self.held { Input::Move(self.pointer) } else { Input::Pointer(self.pointer) }
    }

    /// Pixels of a place on the glass, shares of its width and height.
    fn on_screen(&self, at: [f32; 2]) -> Point {
        let [x, y] = self.rotation.undo(at).map(|share| share.clamp(0.0, 1.0));
        Point {
            x: (x * self.size[0]).min(self.size[0] - 1.0),
            y: (y * self.size[1]).min(self.size[1] - 1.0),
        }
    }
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}
