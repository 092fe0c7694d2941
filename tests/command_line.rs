//! Bad input, bad places and bad moments: each ends in a clear sentence, an exit code and a clean
//! folder, never in a panic or half a file.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use vitrine::output::Existing;
use vitrine::picture::{Format, Picture, Pixels};

const COULD_NOT: i32 = 1;
const USAGE: i32 = 2;
const INTERRUPTED: i32 = 130;

fn vitrine(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vitrine"));
    command.current_dir(folder).stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Names in a folder, sorted.
fn names_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<PathBuf> = entries.map(|entry| entry.unwrap().file_name().into()).collect();
    names.sort();
    names
}

/// A folder with a picture that is no problem, to stand beside the one that is.
struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        blank(64, 48).save(&folder.path().join("good.png"), Existing::Keep).unwrap();
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path().join(name), bytes).unwrap();
    }

    /// Runs `vitrine` and checks what holds for every failure.
    fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let before = names_in(self.path());
        let output = vitrine(self.path()).args(arguments).output().unwrap();
        let stderr = check_failure(&output, code, &format!("{arguments:?}"));
        assert_eq!(names_in(self.path()), before, "{arguments:?} left something behind");
        stderr
    }

    fn tryon_fails(&self, person: &str, garment: &str) -> String {
        self.fails(COULD_NOT, &["tryon", "--person", person, "--garment", garment, "-o", "out.png"])
    }
}

fn check_failure(output: &Output, code: i32, what: &str) -> String {
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{what}: {stderr}");
    assert!(stderr.starts_with("error: "), "{what}: {stderr}");
    assert!(!stderr.contains("panicked"), "{what}: {stderr}");
    assert!(output.stdout.is_empty(), "{what}: standard output holds {}", text(&output.stdout));
    if code == COULD_NOT {
        assert_eq!(stderr.lines().count(), 1, "{what}: expected one sentence: {stderr}");
    }
    stderr
}

fn blank(width: usize, height: usize) -> Picture {
    Picture::from_rgb8(width, height, vec![200; width * height * 3])
}

fn encoded(picture: &Picture, format: Format) -> Vec<u8> {
    let mut bytes = Vec::new();
    picture.encode(format, &mut bytes).unwrap();
    bytes
}

/// A picture file of a few bytes whose header claims 60 000 × 60 000 pixels.
fn bomb() -> Vec<u8> {
    let mut bytes = encoded(&blank(64, 48), Format::Png);
    bytes[16..20].copy_from_slice(&60_000u32.to_be_bytes());
    bytes[20..24].copy_from_slice(&60_000u32.to_be_bytes());
    bytes
}

fn make_bad_pictures(scene: &Scene) -> [(&'static str, &'static str); 8] {
    let png = encoded(&blank(64, 48), Format::Png);
    let jpeg = encoded(&blank(64, 48), Format::Jpeg);
    scene.write("empty.jpg", b"");
    scene.write("cut.png", &png[..png.len() / 2]);
    scene.write("cut.jpg", &jpeg[..jpeg.len() - 9]);
    scene.write("bomb.png", &bomb());
    scene.write("letter.jpg", b"Dear shop,\nplease find attached\n");
    scene.write("moving.png", b"GIF89a\x10\0\x10\0\0\0\0;");
    fs::create_dir(scene.path().join("folder.png")).unwrap();
    [
        ("nobody.png", "does not exist"),
        ("folder.png", "is a folder"),
        ("empty.jpg", "is empty"),
        ("cut.png", "is truncated"),
        ("cut.jpg", "is truncated"),
        ("bomb.png", "60000×60000"),
        ("letter.jpg", "is a text file"),
        ("moving.png", "is a GIF file"),
    ]
}

#[test]
fn a_bad_picture_of_a_person_is_named_with_its_cause() {
    let scene = Scene::new();
    for (picture, cause) in make_bad_pictures(&scene) {
        let stderr = scene.tryon_fails(picture, "good.png");
        assert!(stderr.contains(picture) && stderr.contains(cause), "{picture}: {stderr}");
    }
}

#[test]
fn a_bad_picture_of_a_garment_is_named_with_the_same_causes() {
    let scene = Scene::new();
    let bad = make_bad_pictures(&scene);
    let dot = encoded(&blank(1, 1), Format::Png);
    scene.write("dot.png", &dot);
    let cases = bad.into_iter().chain([("dot.png", "1×1: at least")]);
    for (picture, cause) in cases {
        for stderr in [
            scene.tryon_fails("good.png", picture),
            scene.fails(COULD_NOT, &["garment", "check", picture, "-o", "drawing.png"]),
        ] {
            assert!(stderr.contains(picture) && stderr.contains(cause), "{picture}: {stderr}");
        }
    }
}

#[test]
fn a_garment_without_a_garment_is_told_so() {
    let scene = Scene::new();
    let clear = image::RgbaImage::new(100, 100);
    clear.save(scene.path().join("clear.png")).unwrap();
    scene.write("plain.jpg", &encoded(&blank(200, 200), Format::Jpeg));
    for (picture, cause) in [("plain.jpg", "one plain colour"), ("clear.png", "transparent")] {
        let stderr = scene.tryon_fails("good.png", picture);
        assert!(stderr.contains("no garment found") && stderr.contains(cause), "{stderr}");
        assert!(stderr.contains(picture), "which of several garments? {stderr}");
    }
}

#[test]
fn the_content_decides_and_not_the_name() {
    let scene = Scene::new();
    scene.write("really-a.png", &encoded(&blank(64, 48), Format::Jpeg));
    scene.fails(COULD_NOT, &["tryon", "-p", "really-a.png", "-g", "nothing.png"]);
    let stderr = scene.tryon_fails("really-a.png", "nothing.png");
    assert!(stderr.contains("nothing.png"), "the person's picture was to be read: {stderr}");
}

#[test]
fn a_name_that_is_not_text_is_reported_and_does_not_panic() {
    let scene = Scene::new();
    let name = OsStr::from_bytes(b"caf\xe9.png");
    let arguments = [OsStr::new("tryon"), "-p".as_ref(), name, "-g".as_ref(), "good.png".as_ref()];
    let output = vitrine(scene.path()).args(arguments).output().unwrap();
    assert!(check_failure(&output, COULD_NOT, "latin-1 name").contains("does not exist"));
}

#[test]
fn wrong_usage_is_told_apart_from_failure() {
    let scene = Scene::new();
    let good = ["tryon", "--person", "good.png", "--garment", "good.png"];
    for (extra, hint) in [
        (vec!["-o", "out.bmp"], ".png, .jpg or .webp"),
        (vec!["-o", "out"], ".png, .jpg or .webp"),
        (vec!["-o", "-", "--json"], "standard output"),
        (vec!["--category", "sock"], "t-shirt"),
        (vec!["--garment", "good.png", "--category", "hat"], "TOML"),
        (vec!["--threads", "0"], "--threads"),
        (vec!["--seed=-1"], "--seed"),
        (vec!["--unknown"], "--unknown"),
    ] {
        let stderr = scene.fails(USAGE, &[good.as_slice(), &extra].concat());
        assert!(stderr.contains(hint), "{extra:?}: {stderr}");
    }
    let stderr = scene.fails(USAGE, &["tryon", "--person", "good.png"]);
    assert!(stderr.contains("--garment"), "{stderr}");
    scene.fails(USAGE, &["wardrobe"]);
}

#[test]
fn a_place_that_cannot_be_written_is_found_before_the_work() {
    let scene = Scene::new();
    fs::create_dir(scene.path().join("folder.png")).unwrap();
    scene.write("there.png", b"precious");
    scene.write("good-tryon.png", b"precious");
    let to = |output: &str| {
        let arguments = ["tryon", "--person", "good.png", "--garment", "none.png", "-o", output];
        scene.fails(COULD_NOT, &arguments)
    };
    for (output, cause) in [
        ("there.png", "--force"),
        ("folder.png", "is a folder"),
        ("nowhere/out.png", "folder does not exist"),
        ("good.png/out.png", "folder does not exist"),
        ("/sys/out.png", "no permission"),
    ] {
        let stderr = to(output);
        assert!(stderr.contains(output) && stderr.contains(cause), "{output}: {stderr}");
    }
    let stderr = scene.fails(COULD_NOT, &["tryon", "-p", "good.png", "-g", "none.png"]);
    assert!(stderr.contains("good-tryon.png") && stderr.contains("--force"), "{stderr}");
    assert_eq!(fs::read(scene.path().join("there.png")).unwrap(), b"precious");
}

#[test]
fn missing_models_are_named_with_the_command_that_gets_them() {
    let Some(run) = working_run() else { return };
    let scene = Scene::new();
    fs::create_dir(scene.path().join("no-models")).unwrap();
    let [photo, garment] = [&run.photo, &run.garment].map(|path| path.to_str().unwrap());
    let stderr = scene.fails(
        COULD_NOT,
        &["tryon", "-p", photo, "-g", garment, "-o", "out.png", "--models", "no-models"],
    );
    assert!(stderr.contains("vitrine models fetch"), "{stderr}");
    let doctor = vitrine(scene.path()).args(["doctor", "--models", "no-models"]).output().unwrap();
    assert_eq!(doctor.status.code(), Some(COULD_NOT));
    assert!(text(&doctor.stdout).contains("vitrine models fetch"));
}

#[test]
fn an_altered_model_is_named() {
    let Some(run) = working_run() else { return };
    for net in models::published::NETS {
        let scene = Scene::new();
        fs::create_dir(scene.path().join("models")).unwrap();
        for copied in models::published::NETS {
            let mut bytes = fs::read(run.models.join(copied.name)).unwrap();
            if copied.name == net.name {
                // Weights: nothing but the digest can tell.
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
            }
            fs::write(scene.path().join("models").join(copied.name), bytes).unwrap();
        }
        let [photo, garment] = [&run.photo, &run.garment].map(|path| path.to_str().unwrap());
        let stderr = scene.fails(
            COULD_NOT,
            &["tryon", "-p", photo, "-g", garment, "-o", "o.png", "--models", "models"],
        );
        assert!(stderr.contains(net.name) && stderr.contains("vitrine models fetch"), "{stderr}");
        for arguments in [["models", "verify"].as_slice(), &["doctor"]] {
            let mut command = vitrine(scene.path());
            let output = command.args(arguments).args(["--models", "models"]).output().unwrap();
            assert_eq!(output.status.code(), Some(COULD_NOT), "{arguments:?}");
            let said = text(&output.stdout) + &text(&output.stderr);
            assert!(said.contains(net.name) && said.contains("altered"), "{arguments:?}: {said}");
        }
    }
}

/// What a run needs to come to its end.
struct WorkingRun {
    photo: PathBuf,
    garment: PathBuf,
    models: PathBuf,
}

impl WorkingRun {
    fn arguments(&self) -> [&OsStr; 5] {
        let photo = self.photo.as_os_str();
        ["tryon".as_ref(), "-p".as_ref(), photo, "-g".as_ref(), self.garment.as_os_str()]
    }
}

/// `None`, with a line that says so, where the models are not on this machine.
fn working_run() -> Option<WorkingRun> {
    let folder = tempfile::tempdir().unwrap();
    let doctor = vitrine(folder.path()).args(["doctor", "--json"]).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&doctor.stdout).unwrap();
    if !doctor.status.success() {
        eprintln!("skipped: needs the models; run `vitrine models fetch --samples`");
        return None;
    }
    let models = PathBuf::from(report["models"]["folder"].as_str().unwrap());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let photo = root.join("docs/people/rafael.jpg");
    let garment = root.join("garments/tee-red-print.png");
    Some(WorkingRun { photo, garment, models })
}

/// The picture with every pixel repeated `times` in both directions.
fn enlarged(picture: &Picture, times: usize) -> Picture {
    let rgb = picture.rgb8();
    let (width, height) = (picture.width * times, picture.height * times);
    let mut out = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            out.extend(&rgb[(y / times * picture.width + x / times) * 3..][..3]);
        }
    }
    Picture::from_rgb8(width, height, out)
}

#[test]
fn an_existing_picture_is_replaced_only_with_force() {
    let Some(run) = working_run() else { return };
    let scene = Scene::new();
    scene.write("out.png", b"old");
    let mut command = vitrine(scene.path());
    let output = command.args(run.arguments()).args(["-o", "out.png", "--force"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "out.png\n");
    let (picture, _) = Picture::open(&scene.path().join("out.png")).unwrap();
    let (photo, _) = Picture::open(&run.photo).unwrap();
    assert_eq!((picture.width, picture.height), (photo.width, photo.height));
    assert_eq!(names_in(scene.path()), [Path::new("good.png"), Path::new("out.png")]);
}

#[test]
fn sixteen_bits_stay_sixteen_bits() {
    let Some(run) = working_run() else { return };
    let scene = Scene::new();
    let (photo, _) = Picture::open(&run.photo).unwrap();
    let wide = photo.rgb8().iter().map(|&value| u16::from(value) * 257).collect();
    let photo = Picture { pixels: Pixels::Sixteen(wide), ..photo };
    photo.save(&scene.path().join("wide.png"), Existing::Keep).unwrap();
    let mut command = vitrine(scene.path());
    let output =
        command.args(["tryon", "-p", "wide.png", "-g"]).arg(&run.garment).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let (picture, _) = Picture::open(&scene.path().join("wide-tryon.png")).unwrap();
    assert!(matches!(picture.pixels, Pixels::Sixteen(_)));
}

#[test]
fn json_is_one_object_with_landmarks_and_times() {
    let Some(run) = working_run() else { return };
    let scene = Scene::new();
    let mut command = vitrine(scene.path());
    let output = command.args(run.arguments()).args(["-o", "out.webp", "--json"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["output"], "out.webp");
    assert_eq!(report["landmarks"].as_array().unwrap().len(), 33);
    for value in ["x", "y", "depth", "visibility", "presence"] {
        assert!(report["landmarks"][32][value].is_number(), "{value}");
    }
    assert!(report["timings"].as_array().unwrap().iter().any(|stage| stage["stage"] == "write"));
    assert!(report["people"].as_u64().unwrap() >= 1);
}

#[test]
fn dash_writes_a_picture_to_standard_output_and_nothing_else() {
    let Some(run) = working_run() else { return };
    let scene = Scene::new();
    let output = vitrine(scene.path()).args(run.arguments()).args(["-o", "-"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    Picture::read(&output.stdout, Path::new("standard output")).unwrap();
    assert_eq!(names_in(scene.path()), [Path::new("good.png")]);
}

#[test]
fn a_reader_that_goes_away_is_an_error_and_not_a_panic() {
    let scene = Scene::new();
    let mut runs = vec![vec!["doctor".into()]];
    if let Some(run) = &working_run() {
        let arguments = run.arguments().map(OsStr::to_os_string);
        runs.push([arguments.as_slice(), &["-o".into(), "-".into()]].concat());
        for arguments in &runs {
            let mut command = vitrine(scene.path());
            command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            drop(child.stdout.take());
            let output = child.wait_with_output().unwrap();
            let stderr = check_failure(&output, COULD_NOT, &format!("{arguments:?}"));
            assert!(stderr.contains("cannot write to standard output"), "{stderr}");
        }
    }
}

#[test]
fn a_full_standard_output_is_an_error_and_not_a_panic() {
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let scene = Scene::new();
    let output = vitrine(scene.path()).arg("doctor").stdout(full()).output().unwrap();
    assert!(
        check_failure(&output, COULD_NOT, "doctor").contains("cannot write to standard output")
    );
    let Some(run) = working_run() else { return };
    let mut command = vitrine(scene.path());
    let output = command.args(run.arguments()).args(["-o", "-"]).stdout(full()).output().unwrap();
    check_failure(&output, COULD_NOT, "tryon -o -");
}

#[test]
fn a_full_disk_leaves_nothing_behind() {
    let Some(run) = working_run() else { return };
    let scene = Scene::new();
    // A file size limit that the picture exceeds: the write fails as on a full disk.
    let program = env!("CARGO_BIN_EXE_vitrine");
    let script = r#"trap '' XFSZ; ulimit -f 64; exec "$0" "$@" -o out.png"#;
    let mut command = Command::new("bash");
    command.current_dir(scene.path()).args(["-c", script, program]).args(run.arguments());
    let stderr = check_failure(&command.output().unwrap(), COULD_NOT, "file size limit");
    assert!(stderr.contains("no space left"), "{stderr}");
    assert_eq!(names_in(scene.path()), [Path::new("good.png")]);

    // A real full disk, where this user may mount one.
    fs::create_dir(scene.path().join("disk")).unwrap();
    let script = r#"mount -t tmpfs -o size=64k tmpfs disk || exit 77
        "$0" "$@" -o disk/out.png; code=$?; ls -A disk; exit $code"#;
    let mut command = Command::new("unshare");
    command.current_dir(scene.path()).args(["--user", "--map-root-user", "--mount"]);
    let command = command.args(["bash", "-c", script, program]).args(run.arguments());
    match command.output() {
        Ok(output)
            if output.status.code() == Some(COULD_NOT)
                && text(&output.stderr).starts_with("error: ") =>
        {
            // Standard output is the listing of the disk: empty.
            let stderr = check_failure(&output, COULD_NOT, "full disk");
            assert!(stderr.contains("no space left"), "{stderr}");
        }
        Ok(output) if output.status.success() => {
            panic!("the picture fits: {}", text(&output.stdout))
        }
        _ => eprintln!("skipped: this user may not mount a small disk"),
    }
}

fn signal(name: &str, process: u32) {
    let killed = Command::new("kill").args([name, &process.to_string()]).status().unwrap();
    assert!(killed.success());
}

#[test]
fn an_interrupted_read_ends_at_once() {
    for name in ["-INT", "-TERM", "-HUP"] {
        let scene = Scene::new();
        // Nobody writes into the pipe: the program waits in the middle of its work.
        let pipe = scene.path().join("pipe.png");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let mut command = vitrine(scene.path());
        command.args(["tryon", "-p", "pipe.png", "-g", "good.png", "-o", "out.png"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        wait_until(|| {
            let state =
                fs::read_to_string(format!("/proc/{}/wchan", child.id())).unwrap_or_default();
            state.contains("fifo") || state.contains("wait_for_partner")
        });
        signal(name, child.id());
        let stderr = check_failure(&child.wait_with_output().unwrap(), INTERRUPTED, name);
        assert!(stderr.contains("interrupted"), "{stderr}");
        assert_eq!(names_in(scene.path()), [Path::new("good.png"), Path::new("pipe.png")]);
    }
}

/// Returns when the condition holds, or after a second: enough on a machine that does not show it.
fn wait_until(mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() && begun.elapsed() < Duration::from_secs(1) {
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn an_interrupted_write_leaves_nothing_behind() {
    let Some(run) = working_run() else { return };
    let scene = Scene::new();
    let (photo, _) = Picture::open(&run.photo).unwrap();
    // Large, so that writing takes long enough to be met.
    let times = (36_000_000 / (photo.width * photo.height)).isqrt().max(1);
    let large = scene.path().join("large.jpg");
    enlarged(&photo, times).save(&large, Existing::Keep).unwrap();
    for _ in 0..5 {
        let mut command = vitrine(scene.path());
        command.args(["tryon", "-p", "large.jpg", "-g"]).arg(&run.garment);
        let command = command.args(["-o", "out.png", "--force"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let being_written = |name: &PathBuf| {
            let length = fs::metadata(scene.path().join(name)).map_or(0, |m| m.len());
            name.extension().is_some_and(|extension| extension == "part") && length > 0
        };
        while child.try_wait().unwrap().is_none()
            && !names_in(scene.path()).iter().any(being_written)
        {
            std::thread::sleep(Duration::from_millis(1));
        }
        if child.try_wait().unwrap().is_none() {
            signal("-INT", child.id());
        }
        let output = child.wait_with_output().unwrap();
        if output.status.success() {
            // The signal came after the last byte: whole is right too. Once more.
            continue;
        }
        check_failure(&output, INTERRUPTED, "interrupted write");
        let names = names_in(scene.path());
        assert!(
            names.iter().all(|name| name.extension().is_some_and(|e| e != "part")),
            "{names:?}"
        );
        return;
    }
    panic!("no write could be interrupted in five runs");
}

#[test]
fn help_names_every_subcommand_with_examples() {
    let scene = Scene::new();
    for arguments in [vec!["--help"], vec!["tryon", "--help"]] {
        let output = vitrine(scene.path()).args(&arguments).output().unwrap();
        assert!(output.status.success());
        assert!(text(&output.stdout).contains("Examples:"), "{arguments:?}");
    }
}

#[test]
fn nothing_is_drawn_where_nobody_watches() {
    let Some(run) = working_run() else { return };
    let scene = Scene::new();
    let mut command = vitrine(scene.path());
    command.args(run.arguments()).args(["-o", "out.png", "--json"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(stderr, "");
}
