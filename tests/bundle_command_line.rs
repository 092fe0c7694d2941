//! `vitrine inspect` and `vitrine bench`: what they say of a small bundle, and how they refuse what is none.

#[path = "small_bundle/mod.rs"]
mod small_bundle;

use serde_json::Value;
use small_bundle::{contents, nets};
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use vitrine::output::Existing;

const COULD_NOT: i32 = 1;
const USAGE: i32 = 2;

fn vitrine(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vitrine"));
    command.current_dir(folder).stdin(Stdio::null()).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A folder with `small.vit`.
fn scene() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    contents(&nets()).write(&folder.path().join("small.vit"), Existing::Keep).unwrap();
    folder
}

/// Standard output of a run that succeeds and says nothing else.
fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = vitrine(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    assert!(output.stderr.is_empty(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Standard error of a run that fails with one sentence.
fn fails(folder: &Path, code: i32, arguments: &[&str]) -> String {
    let output = vitrine(folder, arguments);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    assert!(stderr.starts_with("error: "), "{arguments:?}: {stderr}");
    assert!(output.stdout.is_empty(), "{arguments:?}: {}", text(&output.stdout));
    if code == COULD_NOT {
        assert_eq!(stderr.lines().count(), 1, "{arguments:?}: {stderr}");
    }
    stderr
}

#[test]
fn inspect_says_what_is_in_a_bundle() {
    let folder = scene();
    let said = succeeds(folder.path(), &["inspect", "small.vit"]);
    for expected in [
        "Small student",
        "student: try-on; 192×256",
        "lcm: 4 steps, guidance 1.5",
        "Apache-2.0",
        "by the tests for desktop: F32, neon, neon_dotprod",
        "net       head:",
        "x [1, 6, 16]",
        "chances [1, 6, 24]",
        "softmax",
        "depthwise convolution",
        "graphs/edges.toml",
        "verified  no",
    ] {
        assert!(said.contains(expected), "{expected:?} is not in\n{said}");
    }
    assert!(!said.contains("classify"), "layers were not asked for\n{said}");
    let said = succeeds(folder.path(), &["inspect", "small.vit", "--verify", "--layers"]);
    assert!(said.contains("classify") && said.contains("verified  all digests are right"));
}

#[test]
fn inspect_as_json_counts_layers_bytes_and_products() {
    let folder = scene();
    let said = succeeds(folder.path(), &["inspect", "small.vit", "--json", "--verify"]);
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report["bundle"]["system"], "student");
    assert_eq!(report["verified"], "digests");
    let head = &report["nets"][0];
    assert_eq!((&head["name"], &head["steps"]), (&"head".into(), &3.into()));
    assert_eq!(head["products"], 6 * 16 * 24);
    assert_eq!(head["layouts"][0]["read_as_it_is"], true);
    let linear = head["kinds"].as_array().unwrap().iter().find(|kind| kind["kind"] == "linear");
    let linear = linear.unwrap();
    assert_eq!((&linear["count"], &linear["precision"]), (&1.into(), &"f32".into()));
    // Weights and bias.
    assert_eq!(linear["weight_bytes"], 4 * (16 * 24 + 24));
    let digest = report["entries"][0]["sha256"].as_str().unwrap();
    assert_eq!(digest.len(), 64);
}

#[test]
fn inspect_finds_altered_weights_only_when_it_reads_them() {
    let folder = scene();
    let path = folder.path().join("small.vit");
    let mut bytes = fs::read(&path).unwrap();
    // A page's first byte is a weight's.
    bytes[4096] ^= 1;
    fs::write(&path, bytes).unwrap();
    succeeds(folder.path(), &["inspect", "small.vit"]);
    let stderr = fails(folder.path(), COULD_NOT, &["inspect", "small.vit", "--verify"]);
    assert!(stderr.contains("small.vit") && stderr.contains("weights/head.bin"), "{stderr}");
    assert!(stderr.contains("altered"), "{stderr}");
}

#[test]
fn inspect_wants_the_signature_of_the_key_that_it_is_given() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/bundle");
    let key = fs::read_to_string(data.join("signed.pub")).unwrap();
    let key = key.lines().nth(1).unwrap();
    let with_key = |file: &'static str| ["inspect", file, "--verify", "--public-key", key];
    let said = succeeds(&data, &with_key("signed.vit"));
    assert!(said.contains("all digests and the signature are right"), "{said}");
    let folder = scene();
    let stderr = fails(folder.path(), COULD_NOT, &with_key("small.vit"));
    assert!(stderr.contains("small.vit.minisig") && stderr.contains("not signed"), "{stderr}");
    fails(folder.path(), USAGE, &["inspect", "small.vit", "--public-key", key]);
}

#[test]
fn files_that_are_no_bundles_are_refused_in_one_sentence() {
    let folder = scene();
    let whole = fs::read(folder.path().join("small.vit")).unwrap();
    fs::write(folder.path().join("cut.vit"), &whole[..5000]).unwrap();
    fs::write(folder.path().join("letter.vit"), "Dear shop,\nplease find attached\n").unwrap();
    fs::create_dir(folder.path().join("folder.vit")).unwrap();
    for command in ["inspect", "bench"] {
        for (file, reason) in [
            ("cut.vit", "truncated"),
            ("letter.vit", "not a bundle"),
            ("folder.vit", "is no file"),
            ("missing.vit", "cannot be read"),
        ] {
            let stderr = fails(folder.path(), COULD_NOT, &[command, file]);
            assert!(stderr.contains(file) && stderr.contains(reason), "{command} {file}: {stderr}");
        }
        fails(folder.path(), USAGE, &[command]);
        fails(folder.path(), USAGE, &[command, "small.vit", "--unknown"]);
    }
    let stderr = fails(folder.path(), COULD_NOT, &["bench", "small.vit", "--net", "unet"]);
    assert!(stderr.contains("no net `unet`; it has head, edges"), "{stderr}");
    fails(folder.path(), USAGE, &["bench", "small.vit", "--rounds", "0"]);
}

#[test]
fn bench_times_the_net_that_it_is_told_to() {
    let folder = scene();
    let arguments = ["bench", "small.vit", "--net", "head", "--rounds", "3", "--threads", "1"];
    let said = succeeds(folder.path(), &[&arguments[..], &["--json", "--layers"]].concat());
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&report["threads"], &report["rounds"]), (&1.into(), &3.into()));
    let nets = report["nets"].as_array().unwrap();
    assert_eq!(nets.len(), 1);
    assert_eq!((&nets[0]["name"], &nets[0]["products"]), (&"head".into(), &(6 * 16 * 24).into()));
    let number = |value: &Value| value.as_f64().unwrap();
    for field in ["load_ms", "median_ms", "p95_ms", "gop_per_s"] {
        assert!(number(&nets[0][field]) > 0.0, "{field}: {said}");
    }
    assert!(number(&nets[0]["median_ms"]) <= number(&nets[0]["p95_ms"]));
    assert!(number(&nets[0]["memory"]["private_peak"]) > 0.0);
    assert!(
        nets[0]["footprint"]["repacked"].is_u64(),
        "more than 0 where the CPU reads another order"
    );
    let layers = nets[0]["layers"].as_array().unwrap();
    let names: Vec<_> = layers.iter().map(|layer| layer["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["scale", "classify", "softmax"]);
    let shares: f64 = layers.iter().map(|layer| number(&layer["share"])).sum();
    assert!((shares - 1.0).abs() < 1e-6, "{shares}");

    let said = succeeds(folder.path(), &arguments);
    assert!(said.contains("head: median") && !said.contains("classify"), "{said}");
}

#[test]
fn bench_says_which_step_of_a_net_cannot_run() {
    let folder = scene();
    let stderr = fails(folder.path(), COULD_NOT, &["bench", "small.vit", "--net", "edges"]);
    assert!(stderr.contains("net `edges`") && stderr.contains("small.vit"), "{stderr}");
}
