//! Bundles come back as they were packed; whatever else a file holds is refused with its reason, never a panic.

#[path = "small_bundle/mod.rs"]
mod small_bundle;

use small_bundle::{contents, nets};
use std::fs;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use vitrine::bundle::{
    ALIGNMENT, Bundle, BundleError, Contents, Hostility, ManifestError, WriteError,
};
use vitrine::output::{Existing, OutputError};
use vitrine::runtime::program::Span;

fn bytes() -> Vec<u8> {
    contents(&nets()).to_bytes().unwrap()
}

fn ignore(_: u64, _: u64) {}

/// What is wrong with a file, wherever it shows.
fn refusal(bytes: &[u8]) -> Option<BundleError> {
    let bundle = match Bundle::from_bytes(bytes) {
        Ok(bundle) => bundle,
        Err(error) => return Some(error),
    };
    let nets: Vec<String> = bundle.manifest().nets().iter().map(|net| net.name.clone()).collect();
    let graphs = nets.iter().find_map(|net| bundle.program(net).err());
    graphs.or_else(|| bundle.verify(None, &mut ignore).err())
}

#[test]
fn programs_and_weights_come_back_bit_for_bit_and_mapped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.vit");
    let nets = nets();
    let contents =
        Contents { preview: Some(b"a picture"), report: Some(b"<p>a report"), ..contents(&nets) };
    contents.write(&path, Existing::Keep).unwrap();
    let bundle = Bundle::open(&path).unwrap();
    assert_eq!(bundle.manifest().description(), &contents.description);
    for (program, weights) in &nets {
        assert_eq!(bundle.program(&program.name).unwrap(), *program);
        let mapped = bundle.weights(&program.name).unwrap();
        assert!(mapped.is_mapped() && !weights.is_mapped());
        assert_eq!(mapped.bytes(), weights.bytes());
        assert!(mapped.bytes().as_ptr().addr().is_multiple_of(ALIGNMENT as usize));
        assert!(mapped.tensor::<f32>(Span { offset: 64, bytes: 32 }).is_ok());
    }
    let mut told = Vec::new();
    bundle.verify(None, &mut |done, total| told.push((done, total))).unwrap();
    let (done, total) = *told.last().unwrap();
    assert!(done == total && total < bundle.size() && told.is_sorted());
    // The mapping outlives the name, and who opened it.
    let weights = bundle.weights("head").unwrap();
    drop(bundle);
    fs::remove_file(&path).unwrap();
    assert_eq!(weights.bytes(), nets[0].1.bytes());
}

#[test]
fn the_same_contents_make_the_same_bytes_in_a_file_and_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.vit");
    contents(&nets()).write(&path, Existing::Keep).unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes());
    let again = contents(&nets()).write(&path, Existing::Keep);
    assert!(matches!(again, Err(WriteError::Output(OutputError::Exists { .. }))), "{again:?}");
}

#[test]
fn other_programs_list_and_read_every_entry() {
    let nets = nets();
    let mut theirs = zip::ZipArchive::new(Cursor::new(bytes())).unwrap();
    let names: Vec<String> = theirs.file_names().map(|name| name.unwrap().into_owned()).collect();
    let expected = [
        "manifest.toml",
        "graphs/head.toml",
        "weights/head.bin",
        "graphs/edges.toml",
        "weights/edges.bin",
    ];
    assert_eq!(names, expected);
    for (index, name) in names.iter().enumerate() {
        let mut entry = theirs.by_index(index).unwrap();
        assert_eq!(entry.compression(), zip::CompressionMethod::Stored);
        assert_eq!(
            entry.data_start().unwrap().is_multiple_of(ALIGNMENT),
            name.starts_with("weights/")
        );
        let mut content = Vec::new();
        // Checks the checksum, too.
        entry.read_to_end(&mut content).unwrap();
        match name.as_str() {
            "weights/head.bin" => assert_eq!(content, nets[0].1.bytes()),
            "weights/edges.bin" => assert_eq!(content, nets[1].1.bytes()),
            _ => assert!(toml::from_slice::<toml::Table>(&content).is_ok(), "{name}"),
        }
    }
}

#[test]
fn a_bundle_cut_anywhere_is_truncated() {
    let whole = bytes();
    for length in 0..whole.len() {
        let error = Bundle::from_bytes(&whole[..length]).err();
        assert!(
            matches!(error, Some(BundleError::Truncated { length: found }) if found == length as u64),
            "{length} of {} bytes: {error:?}",
            whole.len()
        );
    }
    assert!(Bundle::from_bytes(&whole).is_ok());
}

#[test]
fn every_flipped_byte_is_found_and_only_weights_wait_for_verify() {
    let whole = bytes();
    let mut theirs = zip::ZipArchive::new(Cursor::new(&whole)).unwrap();
    let weights: Vec<_> = (0..theirs.len())
        .filter_map(|index| {
            let entry = theirs.by_index(index).unwrap();
            let start = entry.data_start().unwrap() as usize;
            entry
                .name()
                .unwrap()
                .starts_with("weights/")
                .then_some(start..start + entry.size() as usize)
        })
        .collect();
    assert_eq!(weights.len(), 2);
    let mut altered = whole.clone();
    for index in 0..whole.len() {
        for mask in [0x01, 0x20, 0x80, 0xff] {
            altered[index] ^= mask;
            let bundle = Bundle::from_bytes(&altered);
            let in_weights = weights.iter().any(|range| range.contains(&index));
            let all_programs =
                bundle.and_then(|bundle| Ok([bundle.program("head")?, bundle.program("edges")?]));
            assert_eq!(all_programs.is_ok(), in_weights, "byte {index}, bits {mask:#x}");
            let error = refusal(&altered);
            if in_weights {
                let found = matches!(&error, Some(BundleError::Altered { entry }) if entry.starts_with("weights/"));
                assert!(found, "byte {index}: {error:?}");
            }
            assert!(error.is_some(), "byte {index}, bits {mask:#x}");
            altered[index] = whole[index];
        }
    }
}

/// A ZIP entry by hand; the directory says what the header before the bytes says unless it is changed.
#[derive(Clone)]
struct Handmade {
    name: Vec<u8>,
    bytes: Vec<u8>,
    flags: u16,
    method: u16,
    claimed_size: Option<u32>,
    claimed_start: Option<u32>,
    extra: Vec<u8>,
}

impl Handmade {
    fn new(name: &str, bytes: &[u8]) -> Self {
        Self {
            name: name.into(),
            bytes: bytes.into(),
            flags: 0,
            method: 0,
            claimed_size: None,
            claimed_start: None,
            extra: Vec::new(),
        }
    }
}

fn numbers_16(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn numbers_32(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn handmade(entries: &[Handmade]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let start = file.len() as u32;
        let mut crc = flate2::Crc::new();
        crc.update(&entry.bytes);
        let size = entry.claimed_size.unwrap_or(entry.bytes.len() as u32);
        let shared = [
            numbers_16(&[10, entry.flags, entry.method, 0, 0x21]),
            numbers_32(&[crc.sum(), size, size]),
            numbers_16(&[entry.name.len() as u16, entry.extra.len() as u16]),
        ]
        .concat();
        file.extend(b"PK\x03\x04");
        file.extend(&shared);
        file.extend([entry.name.as_slice(), &entry.extra, &entry.bytes].concat());
        directory.extend(b"PK\x01\x02\x0a\0");
        directory.extend(shared);
        directory.extend([0; 10]);
        directory.extend(entry.claimed_start.unwrap_or(start).to_le_bytes());
        directory.extend([entry.name.as_slice(), &entry.extra].concat());
    }
    let (start, size, count) = (file.len() as u32, directory.len() as u32, entries.len() as u16);
    file.extend(directory);
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend(numbers_16(&[count, count]));
    file.extend(numbers_32(&[size, start]));
    file.extend([0; 2]);
    file
}

fn hostility(bytes: &[u8]) -> Hostility {
    match Bundle::from_bytes(bytes) {
        Err(BundleError::Hostile(hostility)) => hostility,
        other => panic!("expected a refusal, found {other:?}"),
    }
}

#[test]
fn hostile_files_are_refused_each_for_its_reason() {
    let manifest = Handmade::new("manifest.toml", b"format = 1");
    let other = Handmade::new("graphs/a.toml", b"name = 1");
    // By hand as by us, to begin with: what is refused below is refused for what is changed.
    assert!(matches!(
        Bundle::from_bytes(&handmade(&[manifest.clone(), other.clone()])),
        Err(BundleError::Manifest(ManifestError::Text { .. }))
    ));
    for name in [
        "../a",
        "/etc/passwd",
        "a/../../b",
        "C:\\a",
        "a\\b",
        "",
        ".",
        "a//b",
        "a\0.toml",
        "-\u{7f}",
    ] {
        let entry = Handmade { name: name.into(), ..other.clone() };
        let found = hostility(&handmade(&[manifest.clone(), entry]));
        assert!(matches!(&found, Hostility::Name { .. }), "{name:?}: {found}");
    }
    let latin = Handmade { name: b"caf\xe9".into(), ..other.clone() };
    assert!(matches!(hostility(&handmade(&[manifest.clone(), latin])), Hostility::Name { .. }));

    for twin in ["manifest.toml", "Manifest.TOML"] {
        let found = hostility(&handmade(&[manifest.clone(), Handmade::new(twin, b"format = 2")]));
        assert_eq!(found, Hostility::Twice { name: twin.into() });
    }
    let name = "graphs/a.toml".to_string();
    let with = |change: &dyn Fn(&mut Handmade)| {
        let mut entry = other.clone();
        change(&mut entry);
        hostility(&handmade(&[manifest.clone(), entry]))
    };
    let compressed = Hostility::Compressed { name: name.clone() };
    assert_eq!(with(&|entry| entry.method = 8), compressed);
    assert_eq!(with(&|entry| entry.flags = 1), Hostility::Encrypted { name: name.clone() });
    // A bomb: four gigabytes that a file of 200 bytes claims.
    let outside = Hostility::Outside { name: name.clone() };
    assert_eq!(with(&|entry| entry.claimed_size = Some(u32::MAX - 1)), outside);
    assert_eq!(with(&|entry| entry.claimed_start = Some(1 << 30)), outside);
    // Both entries are the same bytes.
    let overlap = Hostility::Place { name: name.clone(), found: 0, expected: 53 };
    assert_eq!(with(&|entry| entry.claimed_start = Some(0)), overlap);
    // Sizes of the next entry's header are too small: its bytes would hide something.
    assert_eq!(with(&|entry| entry.claimed_size = Some(3)), Hostility::Directory);
    let header = Hostility::Header { name: name.clone() };
    assert_eq!(with(&|entry| entry.flags = 8), header);
    assert_eq!(with(&|entry| entry.extra = vec![1, 0, 0, 0]), Hostility::Header { name });
    // ZIP64 that is cut, and that lies.
    let wide = |values: &[u64]| {
        let content: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        [numbers_16(&[1, content.len() as u16]), content].concat()
    };
    let widened = |extra: Vec<u8>| {
        with(&move |entry| {
            entry.claimed_size = Some(u32::MAX);
            entry.extra = extra.clone();
        })
    };
    assert_eq!(widened(Vec::new()), Hostility::Directory);
    assert_eq!(widened(wide(&[8])), Hostility::Directory);
    assert_eq!(widened(wide(&[u64::MAX, u64::MAX])), outside);
    assert_eq!(widened(wide(&[1 << 40, 1 << 40])), outside);
    assert_eq!(widened(wide(&[u64::MAX, 8])), compressed);
    // Right, but for it being there at all.
    assert!(matches!(widened(wide(&[8, 8])), Hostility::Header { .. }));

    let first = hostility(&handmade(&[other.clone(), manifest.clone()]));
    assert!(matches!(first, Hostility::First { .. }), "{first}");
    let large = Handmade::new("manifest.toml", &vec![b'#'; (1 << 20) + 1]);
    let large = hostility(&handmade(&[large, other.clone()]));
    assert!(matches!(large, Hostility::First { .. }), "{large}");
    let many: Vec<_> = (0..1025).map(|index| Handmade::new(&format!("a{index}"), b"")).collect();
    assert_eq!(hostility(&handmade(&many)), Hostility::Count { found: 1025, most: 1024 });
    let mut none = [b"PK\x03\x04".as_slice(), &handmade(&[])].concat();
    // The directory, empty, starts after the first four bytes.
    none[4 + 16] = 4;
    assert_eq!(hostility(&none), Hostility::Count { found: 0, most: 1024 });
}

#[test]
fn an_end_that_lies_is_refused() {
    let whole = bytes();
    let end = whole.len() - 22;
    let with = |at: usize, value: &[u8]| {
        let mut altered = whole.clone();
        altered[end + at..][..value.len()].copy_from_slice(value);
        hostility(&altered)
    };
    for count in [4u16, 6, 1000] {
        let both = numbers_16(&[count, count]);
        assert_eq!(with(8, &both), Hostility::Directory, "{count} entries");
    }
    let all = numbers_16(&[u16::MAX, u16::MAX]);
    assert_eq!(with(8, &all), Hostility::Count { found: 65535, most: 1024 });
    for value in [0u32, 1, u32::MAX - 1, u32::MAX] {
        assert_eq!(with(12, &value.to_le_bytes()), Hostility::Directory, "size {value}");
        assert_eq!(with(16, &value.to_le_bytes()), Hostility::Directory, "start {value}");
    }
    let mut comment = whole.clone();
    comment[end + 20] = 4;
    comment.extend(b"note");
    assert!(matches!(Bundle::from_bytes(&comment), Err(BundleError::Truncated { .. })));
}

/// A bundle whose manifest or graph is another text, and whose sizes, digests and checksums are right.
fn with_text(entry: &str, change: impl Fn(String) -> String) -> Vec<u8> {
    let mut theirs = zip::ZipArchive::new(Cursor::new(bytes())).unwrap();
    let mut texts: Vec<(String, Vec<u8>)> = (0..theirs.len())
        .map(|index| {
            let mut entry = theirs.by_index(index).unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (entry.name().unwrap().into_owned(), content)
        })
        .collect();
    let place = texts.iter().position(|(name, _)| name == entry).unwrap();
    let old = std::mem::take(&mut texts[place].1);
    let new = change(String::from_utf8(old.clone()).unwrap()).into_bytes();
    let said = |bytes: &[u8]| {
        use sha2::{Digest, Sha256};
        let digest: String =
            Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("bytes = {}\nsha256 = \"{digest}\"", bytes.len())
    };
    if place > 0 {
        let manifest = String::from_utf8(texts[0].1.clone()).unwrap();
        assert!(manifest.contains(&said(&old)));
        texts[0].1 = manifest.replace(&said(&old), &said(&new)).into_bytes();
    }
    texts[place].1 = new;
    let mut file: Vec<Handmade> = Vec::new();
    let mut end = 0;
    for (name, content) in texts {
        let mut entry = Handmade::new(&name, &content);
        let data = end + 30 + name.len();
        if name.starts_with("weights/") {
            let padding = (data + 6).next_multiple_of(4096) - data;
            entry.extra = numbers_16(&[0xd935, (padding - 4) as u16, 4096]);
            entry.extra.resize(padding, 0);
        }
        end = data + entry.extra.len() + content.len();
        file.push(entry);
    }
    local_extra_only(file)
}

/// As [`handmade`], but padding stands in the header before the bytes only.
fn local_extra_only(entries: Vec<Handmade>) -> Vec<u8> {
    let paddings: Vec<usize> = entries.iter().map(|entry| entry.extra.len()).collect();
    let mut file = handmade(&entries);
    let end = file.len() - 22;
    let start = u32::from_le_bytes(file[end + 16..][..4].try_into().unwrap()) as usize;
    let mut directory = Vec::new();
    let mut at = start;
    for (entry, padding) in entries.iter().zip(paddings) {
        let mut header = file[at..at + 46 + entry.name.len()].to_vec();
        header[30..32].fill(0);
        directory.extend(header);
        at += 46 + entry.name.len() + padding;
    }
    let mut tail = file[end..].to_vec();
    tail[12..16].copy_from_slice(&(directory.len() as u32).to_le_bytes());
    file.truncate(start);
    file.extend(directory);
    file.extend(tail);
    file
}

#[test]
fn a_manifest_or_graph_of_another_meaning_is_refused() {
    assert_eq!(with_text("manifest.toml", |text| text), bytes(), "made by hand as by us");
    let manifest = |from: &str, to: &str| {
        let error = refusal(&with_text("manifest.toml", |text| {
            assert!(text.contains(from), "{from:?} is not in {text}");
            text.replacen(from, to, 1)
        }));
        error.unwrap_or_else(|| panic!("{from:?} became {to:?} and was not refused")).to_string()
    };
    for (from, to, reason) in [
        ("format = 1", "format = 2", "update the program"),
        ("format = 1", "format = 0", "pack the bundle again"),
        ("format = 1\n", "", "missing field `format`"),
        ("system = ", "sistem = ", "unknown field `sistem`"),
        ("[256, 192]", "[256, 0]", "`resolution` is [256, 0]"),
        ("[256, 192]", "[256, 192, 3]", "expected height and width"),
        ("[\"try-on\"]", "[]", "`tasks`"),
        ("steps = 4", "steps = 0", "`steps` is 0"),
        ("guidance = 1.5", "guidance = nan", "`guidance`"),
        ("neon_dotprod", "sve9", "set of instructions `sve9`"),
        ("name = \"head\"", "name = \"Edges\"", "expected `graphs/Edges.toml`"),
        ("name = \"head\"", "name = \"a/b\"", "net name \"a/b\""),
        ("\"weights/head.bin\"", "\"weights/edges.bin\"", "expected `weights/head.bin`"),
        ("\"weights/head.bin\"", "\"manifest.toml\"", "expected `weights/head.bin`"),
        ("bytes = ", "bytes = 1", "the file has"),
        ("sha256 = \"", "sha256 = \"0", "64 lower-case hexadecimal digits"),
        ("shape = [1, 6, 16]", "shape = [1, 6, 17]", "than its program"),
    ] {
        let error = manifest(from, to);
        assert!(error.contains(reason), "{from:?} became {to:?}: {error}");
    }
    // The entries' names, where they are listed.
    let listed = refusal(&with_text("manifest.toml", |text| {
        let (nets, entries) = text.split_once("[[entry]]").unwrap();
        format!("{nets}[[entry]]{}", entries.replacen("graphs/head.toml", "graphs/tail.toml", 1))
    }));
    assert!(
        matches!(listed, Some(BundleError::Manifest(ManifestError::Order { .. }))),
        "{listed:?}"
    );

    let graph = |from: &str, to: &str| {
        refusal(&with_text("graphs/head.toml", |text| {
            assert!(text.contains(from), "{from:?} is not in {text}");
            text.replacen(from, to, 1)
        }))
    };
    for (from, to) in [
        ("op = \"softmax\"", "op = \"hardmax\""),
        ("weight_bytes = ", "weight_bytes = 1"),
        ("repeat = \"channels\"", "repeat = \"sometimes\""),
        ("activation = \"silu\"", "activation = \"sillu\""),
    ] {
        let error = graph(from, to);
        assert!(matches!(error, Some(BundleError::Graph { .. })), "{from:?}: {error:?}");
    }
    let renamed = graph("name = \"head\"", "name = \"tail\"");
    assert!(matches!(renamed, Some(BundleError::Manifest(ManifestError::Ports { .. }))));
    let nowhere = graph("value = 3", "value = 4");
    assert!(matches!(nowhere, Some(BundleError::Manifest(ManifestError::Ports { .. }))));
}

#[test]
fn every_file_that_is_none_of_ours_is_told_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        Bundle::open(&path).unwrap_err()
    };
    assert!(matches!(open("letter", b"Dear shop,"), BundleError::NotABundle));
    assert!(matches!(open("empty", b""), BundleError::Truncated { length: 0 }));
    assert!(matches!(open("start", b"PK\x03\x04and so on"), BundleError::Truncated { .. }));
    assert!(matches!(Bundle::open(folder.path()), Err(BundleError::NoFile { .. })));
    let missing = folder.path().join("missing");
    assert!(matches!(Bundle::open(&missing), Err(BundleError::Unreadable { .. })));
}

#[test]
fn a_net_that_is_not_there_is_answered_with_those_that_are() {
    let bundle = Bundle::from_bytes(&bytes()).unwrap();
    for error in [bundle.program("unet").unwrap_err(), bundle.weights("unet").unwrap_err()] {
        assert_eq!(error.to_string(), "the bundle has no net `unet`; it has head, edges");
    }
}

#[test]
fn a_net_that_is_too_large_is_told_in_numbers() {
    let nets = nets();
    let needed = nets[0].1.len() as u64 + 4096 + 1024;
    let bundle = Bundle::from_bytes(&contents(&nets).to_bytes().unwrap()).unwrap();
    assert!(bundle.check_memory(needed).is_ok());
    let error = bundle.check_memory(needed - 1).unwrap_err();
    let expected = (needed, needed - 1);
    assert!(
        matches!(&error, BundleError::Memory { net, needed, available } if net == "head" && (*needed, *available) == expected),
        "{error:?}"
    );
}

#[test]
fn what_reading_would_refuse_is_not_written() {
    let mut nets = nets();
    nets[0].0.weight_bytes += 64;
    assert!(matches!(contents(&nets).to_bytes(), Err(WriteError::Weights { .. })));
    nets[0].0.weight_bytes -= 64;
    nets[0].0.name = "../head".into();
    let written = contents(&nets).to_bytes();
    assert!(matches!(written, Err(WriteError::Manifest(ManifestError::NetName { .. }))));
    nets[0].0.name = "edges".into();
    let written = contents(&nets).to_bytes();
    assert!(matches!(written, Err(WriteError::Manifest(ManifestError::NetTwice { .. }))));
}

fn signed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/bundle").join(name)
}

fn public_key() -> String {
    let text = fs::read_to_string(signed("signed.pub")).unwrap();
    text.lines().nth(1).unwrap().to_owned()
}

#[test]
fn a_signature_is_right_or_missing_or_wrong() {
    let key = public_key();
    let bundle = Bundle::open(&signed("signed.vit")).unwrap();
    bundle.verify(Some(&key), &mut ignore).unwrap();

    let no_key = bundle.verify(Some("RWQnonsense"), &mut ignore);
    assert!(matches!(no_key, Err(BundleError::PublicKey)), "{no_key:?}");
    // Of the documentation of minisign.
    let other_key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    let other = bundle.verify(Some(other_key), &mut ignore);
    assert!(matches!(other, Err(BundleError::Signature { .. })), "{other:?}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy.vit");
    let signature = folder.path().join("copy.vit.minisig");
    let mut bytes = fs::read(signed("signed.vit")).unwrap();
    fs::write(&path, &bytes).unwrap();
    let copy = Bundle::open(&path).unwrap();
    assert!(copy.verify(None, &mut ignore).is_ok());
    let missing = copy.verify(Some(&key), &mut ignore);
    assert!(
        matches!(&missing, Err(BundleError::NotSigned { path }) if *path == signature),
        "{missing:?}"
    );
    let good = fs::read(signed("signed.vit.minisig")).unwrap();
    fs::write(&signature, &good).unwrap();
    copy.verify(Some(&key), &mut ignore).unwrap();
    for altered in 0..good.len() {
        let mut bad = good.clone();
        bad[altered] ^= 1;
        fs::write(&signature, &bad).unwrap();
        let result = copy.verify(Some(&key), &mut ignore);
        // The first line is a comment that nobody signed.
        let comment = altered <= good.iter().position(|&byte| byte == b'\n').unwrap();
        match result {
            Ok(()) => assert!(comment, "byte {altered}"),
            Err(error) => assert!(matches!(error, BundleError::Signature { .. }), "{error:?}"),
        }
    }
    fs::write(&signature, &good).unwrap();

    // Other bytes with right digests: only the signature tells.
    let forged = contents(&nets()).to_bytes().unwrap();
    assert_ne!(forged, bytes);
    fs::write(&path, &forged).unwrap();
    let forged = Bundle::open(&path).unwrap();
    assert!(forged.verify(None, &mut ignore).is_ok());
    let error = forged.verify(Some(&key), &mut ignore);
    assert!(matches!(error, Err(BundleError::Signature { .. })), "{error:?}");

    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert!(Bundle::open(&path).is_err());
}
