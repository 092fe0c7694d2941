//! The whole program as a shop runs it: replayed pictures in, views out, signals, privacy.

use std::collections::HashSet;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use vitrine::cli::models::models_directory;
use vitrine::picture::{Format, Picture, Pixels};

/// How long a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(60);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A catalogue of one piece, which is ready at once.
fn catalogue(folder: &Path) -> PathBuf {
    let catalogue = folder.join("garments");
    std::fs::create_dir(&catalogue).expect("made");
    for name in ["tee-red-print.png", "tee-red-print.toml"] {
        std::fs::copy(root().join("garments").join(name), catalogue.join(name)).expect("copied");
    }
    catalogue
}

/// A running mirror, killed when the test ends.
struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let log = folder.join("log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_vitrine"));
        let systemd = folder.join("notify");
        if systemd.exists() {
            command.env("NOTIFY_SOCKET", systemd).env("WATCHDOG_USEC", "400000");
        }
        let child = command
            .arg("mirror")
            .args(["--listen", "127.0.0.1:0", "--catalogue"])
            .arg(catalogue(folder))
            .args(arguments)
            .current_dir(root())
            .env("XDG_CACHE_HOME", folder.join("cache"))
            .env("VITRINE_MODELS", models_directory(None))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).expect("a log"))
            .spawn()
            .expect("the program starts");
        Self { child, log }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).expect("the log")
    }

    /// Waits until the log holds a text.
    fn wait_for(&mut self, text: &str) {
        let begun = Instant::now();
        while !self.log().contains(text) {
            let ended = self.child.try_wait().expect("it can be asked");
            assert!(ended.is_none(), "ended before `{text}`: {}", self.log());
            assert!(begun.elapsed() < PATIENCE, "no `{text}`: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Where the readings are served.
    fn address(&mut self) -> String {
        self.wait_for(" at http://");
        let log = self.log();
        let rest = log.split(" at http://").nth(1).expect("it is there");
        rest.split_whitespace().next().expect("an address").to_owned()
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }

    fn end(mut self) -> (std::process::ExitStatus, String) {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be asked") {
                return (status, self.log());
            }
            assert!(begun.elapsed() < PATIENCE, "still running: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The answer to a request, head and body.
fn get(address: &str, path: &str) -> String {
    let mut stream = std::net::TcpStream::connect(address).expect("the server listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
        .expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer
}

/// Pixels that no other picture has.
fn noise(width: usize, height: usize, seed: u64) -> Picture {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let rgb = (0..width * height * 3).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    });
    Picture::from_rgb8(width, height, rgb.collect())
}

fn jpeg(picture: &Picture) -> Vec<u8> {
    let mut bytes = Vec::new();
    picture.encode(Format::Jpeg, &mut bytes).expect("encoded");
    bytes
}

/// An MJPEG file: `count` times each picture.
fn film(path: &Path, pictures: &[(&Picture, usize)]) {
    let mut bytes = Vec::new();
    for (picture, count) in pictures {
        let frame = jpeg(picture);
        (0..*count).for_each(|_| bytes.extend(&frame));
    }
    std::fs::write(path, bytes).expect("written");
}

#[test]
fn the_mirror_ends_within_a_second_of_sigterm_and_reloads_on_sighup() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("mirror.toml");
    std::fs::write(&config, "[shop]\nname = \"First\"\n").expect("written");
    let config_path = config.to_str().expect("UTF-8");
    let mut mirror = Running::start(
        folder.path(),
        &["--camera", "synthetic", "--no-perception", "--config", config_path],
    );
    mirror.wait_for("camera streaming");
    std::fs::write(&config, "[shop]\nnname = 1\n").expect("written");
    mirror.signal("-HUP");
    mirror.wait_for("the settings stay as they were");
    std::fs::write(&config, "[shop]\nname = \"Second\"\n").expect("written");
    mirror.signal("-HUP");
    mirror.wait_for("reloaded");
    mirror.signal("-TERM");
    let begun = Instant::now();
    let (status, log) = mirror.end();
    assert!(status.success(), "{status}: {log}");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert!(log.contains("wiped"), "{log}");
}

#[test]
fn wrong_settings_are_refused_before_anything_is_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("mirror.toml");
    std::fs::write(&config, "[camera]\nwide = 3\n").expect("written");
    for (arguments, text) in [
        (vec!["--config", config.to_str().expect("UTF-8")], "wide"),
        (vec!["--config", "no/such/file.toml"], "cannot read the settings"),
        (vec!["--rotate", "45"], "camera.rotate"),
        (vec!["--listen", "0.0.0.0:0"], "--allow-remote"),
        (vec!["--script", "no/such/script"], "cannot read the script"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_vitrine"))
            .arg("mirror")
            .args(["--camera", "synthetic", "--no-perception"])
            .args(&arguments)
            .output()
            .expect("the program runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains(text), "{arguments:?}: {said}");
    }
}

#[test]
fn a_visit_runs_from_touch_to_result_and_nothing_is_left_on_disk() {
    if !models_directory(None).exists() {
        eprintln!("skipped: no models");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("script");
    let lines = "at 0.5 wake\nat 5 wear tee-red-print\nat 9 picture\nat 20 done\n";
    std::fs::write(&script, lines).expect("written");
    let views = folder.path().join("views");
    std::fs::create_dir(&views).expect("made");
    let screen = format!("file:{}", views.join("%06d.png").display());
    let camera = format!("replay:{}", root().join("docs/people").display());
    let mut mirror = Running::start(
        folder.path(),
        &[
            "--camera",
            &camera,
            "--screen",
            &screen,
            "--script",
            script.to_str().expect("UTF-8"),
            "--size",
            "640x480",
        ],
    );
    for stage in ["attract", "live", "countdown", "studio", "result", "wipe"] {
        mirror.wait_for(&format!("visit stage=\"{stage}\""));
    }
    mirror.signal("-TERM");
    let (status, log) = mirror.end();
    assert!(status.success(), "{log}");
    let written: HashSet<_> = std::fs::read_dir(folder.path())
        .expect("there")
        .map(|entry| entry.expect("there").file_name().to_string_lossy().into_owned())
        .collect();
    let expected = ["cache", "garments", "log", "script", "views"].map(str::to_owned);
    assert_eq!(written, HashSet::from(expected), "{log}");
    // Prepared garments only.
    let cache = folder.path().join("cache/vitrine/garments");
    for entry in std::fs::read_dir(cache).expect("there") {
        let path = entry.expect("there").path();
        assert_eq!(path.extension().and_then(|e| e.to_str()), Some("garment"), "{path:?}");
    }
}

#[test]
fn the_watchdog_hears_of_frames_on_the_screen_and_readings_are_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let systemd = UnixDatagram::bind(folder.path().join("notify")).expect("bound");
    systemd.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
    let screen = format!("file:{}", folder.path().join("view.png").display());
    let mut mirror = Running::start(
        folder.path(),
        &["--camera", "synthetic", "--no-perception", "--screen", &screen],
    );
    let mut said = Vec::new();
    while said.iter().filter(|text: &&String| text.contains("WATCHDOG=1")).count() < 3 {
        let mut bytes = [0; 256];
        let length = systemd.recv(&mut bytes).expect("the mirror speaks");
        said.push(String::from_utf8_lossy(&bytes[..length]).into_owned());
    }
    assert!(said[0].contains("READY=1"), "{said:?}");
    let address = mirror.address();
    let health = get(&address, "/healthz");
    assert!(health.starts_with("HTTP/1.1 200") && health.contains("\"well\":true"), "{health}");
    assert!(health.contains("turned off by --no-perception"), "{health}");
    let metrics = get(&address, "/metrics");
    for name in [
        "vitrine_frames_shown_total",
        "vitrine_stage_seconds_bucket",
        "vitrine_degrade_level",
        "vitrine_camera_streaming 1",
    ] {
        assert!(metrics.contains(name), "no {name}: {metrics}");
    }
    assert!(get(&address, "/").starts_with("HTTP/1.1 404"), "no page beside another screen");
}

#[test]
fn a_camera_that_is_not_there_is_said_and_found_when_it_comes() {
    let folder = tempfile::tempdir().expect("a folder");
    let frames = folder.path().join("film.mjpeg");
    let camera = format!("replay:{}", frames.display());
    let screen = format!("file:{}", folder.path().join("view.png").display());
    let mut mirror = Running::start(
        folder.path(),
        &["--camera", &camera, "--no-perception", "--screen", &screen],
    );
    mirror.wait_for("camera lost");
    film(&frames, &[(&noise(320, 240, 1), 300)]);
    mirror.wait_for("camera streaming");
}

#[test]
fn a_folder_that_cannot_be_saved_into_is_told_and_the_mirror_goes_on() {
    if !models_directory(None).exists() {
        eprintln!("skipped: no models");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("mirror.toml");
    std::fs::write(
        &config,
        "[privacy]\nsave = true\nfolder = \"/nowhere/at/all\"\n[visit]\ncountdown = 0\n",
    )
    .expect("written");
    let script = folder.path().join("script");
    let lines =
        "at 0.5 wake\nat 8 wear tee-red-print\nat 12 picture\nat 14 picture\nat 16 picture\n";
    std::fs::write(&script, lines).expect("written");
    let screen = format!("file:{}", folder.path().join("view.png").display());
    let arguments = [
        "--camera",
        "synthetic",
        "--screen",
        &screen,
        "--size",
        "640x480",
        "--config",
        config.to_str().expect("UTF-8"),
        "--script",
        script.to_str().expect("UTF-8"),
    ];
    let mut mirror = Running::start(folder.path(), &arguments);
    mirror.wait_for("not saved");
    let address = mirror.address();
    let health = get(&address, "/healthz");
    assert!(health.contains("/nowhere/at/all"), "{health}");
}

/// How many of `wanted` stand anywhere in the writable memory of a process.
fn found_in_memory(process: u32, wanted: &[[u8; 32]]) -> usize {
    let wanted: HashSet<&[u8]> = wanted.iter().map(|w| w.as_slice()).collect();
    let firsts: HashSet<[u8; 4]> =
        wanted.iter().map(|w| w[..4].try_into().expect("four bytes")).collect();
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).expect("the maps");
    let mut memory = std::fs::File::open(format!("/proc/{process}/mem")).expect("the memory");
    let mut found = HashSet::new();
    for line in maps.lines() {
        let mut fields = line.split_whitespace();
        let (range, rights) = (fields.next().expect("a range"), fields.next().expect("rights"));
        if !rights.starts_with("rw") || line.contains("[vvar") {
            continue;
        }
        let (start, end) = range.split_once('-').expect("a range");
        let [start, end] = [start, end].map(|x| u64::from_str_radix(x, 16).expect("an address"));
        let mut bytes = vec![0; (end - start) as usize];
        let read = memory.seek(SeekFrom::Start(start)).and_then(|_| memory.read_exact(&mut bytes));
        if read.is_err() {
            continue;
        }
        for window in bytes.windows(32) {
            if firsts.contains(&window[..4]) && wanted.contains(window) {
                found.insert(window.to_vec());
            }
        }
    }
    found.len()
}

/// 32 bytes each from rows all over a picture.
fn pieces_of(picture: &Picture) -> Vec<[u8; 32]> {
    let Pixels::Eight(rgb) = &picture.pixels else { unreachable!("eight bits") };
    let stride = picture.width * 3;
    (0..picture.height)
        .step_by(3)
        .map(|y| {
            let at = y * stride + (y * 7) % (stride - 32);
            rgb[at..at + 32].try_into().expect("32 bytes")
        })
        .collect()
}

#[test]
fn nothing_of_a_visits_pictures_is_left_in_memory_after_the_wipe() {
    let folder = tempfile::tempdir().expect("a folder");
    let (secret, plain) =
        (noise(640, 480, 7), Picture::from_rgb8(640, 480, vec![90; 640 * 480 * 3]));
    // What a decoder makes of the bytes, row by row.
    let decoded = Picture::read(&jpeg(&secret), Path::new("secret.jpg")).expect("decodes").0;
    let wanted = pieces_of(&decoded);
    let frames = folder.path().join("film.mjpeg");
    film(&frames, &[(&secret, 90), (&plain, 900)]);
    let script = folder.path().join("script");
    std::fs::write(&script, "at 0.2 wake\nat 5 done\n").expect("written");
    let camera = format!("replay:{}", frames.display());
    let screen = format!("file:{}", folder.path().join("view.png").display());
    let arguments = [
        "--camera",
        &camera,
        "--screen",
        &screen,
        "--no-perception",
        "--no-mirror",
        "--rate",
        "30",
        "--script",
        script.to_str().expect("UTF-8"),
    ];
    let mut mirror = Running::start(folder.path(), &arguments);
    mirror.wait_for("camera streaming");
    std::thread::sleep(Duration::from_millis(800));
    let before = found_in_memory(mirror.child.id(), &wanted);
    assert!(before > wanted.len() / 2, "the test sees too little: {before} of {}", wanted.len());
    mirror.wait_for("wiped");
    std::thread::sleep(Duration::from_millis(500));
    let after = found_in_memory(mirror.child.id(), &wanted);
    assert_eq!(after, 0, "{after} of {} pieces of a picture are left", wanted.len());
}
