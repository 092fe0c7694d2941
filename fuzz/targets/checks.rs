//! What the fuzz targets and `tests/hostile_bundles.rs` do with bytes: anything may come of it but a panic, a crash or more memory than is allowed.

use flate2::Crc;
use kernels::features::Features;
use kernels::memory::Memory;
use sha2::{Digest, Sha256};
use std::sync::{Arc, OnceLock};
use vitrine::bundle::Bundle;
use vitrine::runtime::blob::Blob;
use vitrine::runtime::engine::{Array, Engine, Settings};
use vitrine::runtime::pool::Pool;
use vitrine::runtime::program::{Op, Program};

/// Of an engine, bytes.
const MEMORY: usize = 1 << 24;
/// Of a graph's weights, bytes.
const WEIGHTS: u64 = 1 << 20;
/// Of a run: elements written, each as often as its step's window has places.
const WORK: usize = 1 << 22;

fn settings() -> Settings {
    static POOL: OnceLock<Arc<Pool>> = OnceLock::new();
    let pool = POOL.get_or_init(|| Arc::new(Pool::new(1).expect("a thread")));
    let features = Features::detect();
    Settings { features, pool: Arc::clone(pool), memory_limit: Some(MEMORY) }
}

/// Opens a bundle and makes its nets ready: the bytes as they are, then with checksums and digests made right. Tells how far it came.
pub fn bundle(bytes: &[u8]) -> Depth {
    open(bytes).max(open(&repaired(bytes)))
}

/// How far a run of a check came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Not read.
    Refused,
    /// Read, and refused by the engine.
    Read,
    /// Made ready.
    Ready,
    /// Run.
    Run,
}

fn open(bytes: &[u8]) -> Depth {
    let Ok(bundle) = Bundle::from_bytes(bytes) else { return Depth::Refused };
    let _ = bundle.verify(None, &mut |_, _| ());
    let nets: Vec<String> = bundle.manifest().nets().iter().map(|net| net.name.clone()).collect();
    let ready = nets.iter().map(|net| {
        let Ok(program) = bundle.program(net) else { return Depth::Refused };
        let weights = bundle.weights(net).expect("a net that is listed");
        match Engine::new(program, weights, settings()) {
            Ok(_) => Depth::Ready,
            Err(_) => Depth::Read,
        }
    });
    ready.max().unwrap_or(Depth::Refused)
}

/// Reads a graph, makes it ready and runs it once where that is little work.
pub fn graph(bytes: &[u8]) -> Depth {
    let Ok(text) = std::str::from_utf8(bytes) else { return Depth::Refused };
    let Ok(read) = toml::from_str::<Program>(text) else { return Depth::Refused };
    program(read)
}

/// Makes a program ready and runs it once where that is little work.
pub fn program(program: Program) -> Depth {
    if program.weight_bytes > WEIGHTS {
        return Depth::Read;
    }
    let mut weights = Memory::zeroed(program.weight_bytes as usize);
    // Small numbers of both signs in every type that weights have.
    weights.iter_mut().enumerate().for_each(|(index, byte)| *byte = (index * 37 % 61) as u8);
    let work = work(&program);
    let Ok(engine) = Engine::new(program, Blob::from(weights), settings()) else {
        return Depth::Read;
    };
    if work.is_none_or(|work| work > WORK) {
        return Depth::Ready;
    }
    let engine = Arc::new(engine);
    let inputs = engine.program().inputs.iter().map(|port| {
        let shape = engine.program().values[port.value].shape.clone();
        let values = vec![0.5; shape.iter().product()];
        (port.name.clone(), Array { shape, values })
    });
    let inputs: Vec<(String, Array)> = inputs.collect();
    let named: Vec<(&str, &Array)> =
        inputs.iter().map(|(name, array)| (name.as_str(), array)).collect();
    match engine.session().run(&named) {
        Ok(_) => Depth::Run,
        Err(_) => Depth::Ready,
    }
}

fn work(program: &Program) -> Option<usize> {
    let elements = |id: &usize| {
        let shape = &program.values.get(*id)?.shape;
        shape.iter().try_fold(1usize, |product, &extent| product.checked_mul(extent))
    };
    program.steps.iter().try_fold(0usize, |sum, step| {
        let window = match step.op {
            Op::Convolution { kernel: [a, b], .. } | Op::Pool { window: [a, b], .. } => {
                a.checked_mul(b)?.max(1)
            }
            _ => 1,
        };
        let channels = program.values.get(*step.inputs.first()?)?.shape.last().copied()?;
        let outputs =
            step.outputs.iter().try_fold(0usize, |sum, id| sum.checked_add(elements(id)?));
        let each = window.checked_mul(channels.max(1))?;
        sum.checked_add(outputs?.checked_mul(each)?)
    })
}

/// The bytes with the checksums in their headers, and the digests in their manifest, made right where they can be found: else everything
/// that is altered stops there.
fn repaired(bytes: &[u8]) -> Vec<u8> {
    let mut file = bytes.to_vec();
    let Some(entries) = entries(&file) else { return file };
    let digests = entries.iter().skip(1).map(|entry| {
        let digest = Sha256::digest(&file[entry.data.clone()]);
        digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    });
    let digests: Vec<String> = digests.collect();
    if let Some(manifest) = entries.first() {
        let text = &mut file[manifest.data.clone()];
        let mark = b"sha256 = \"";
        let places: Vec<usize> = (0..text.len().saturating_sub(mark.len() + 64))
            .filter(|&place| text[place..].starts_with(mark))
            .collect();
        for (place, digest) in places.into_iter().zip(digests) {
            text[place + mark.len()..][..64].copy_from_slice(digest.as_bytes());
        }
    }
    for entry in entries {
        let mut crc = Crc::new();
        crc.update(&file[entry.data]);
        for header in entry.checksums {
            file[header..][..4].copy_from_slice(&crc.sum().to_le_bytes());
        }
    }
    file
}

struct Found {
    data: std::ops::Range<usize>,
    /// Where its checksum stands.
    checksums: [usize; 2],
}

/// The entries of a ZIP as far as they can be followed.
fn entries(file: &[u8]) -> Option<Vec<Found>> {
    let number = |at: usize, bytes: usize| {
        let bytes = file.get(at..at.checked_add(bytes)?)?;
        Some(bytes.iter().rev().fold(0usize, |sum, &byte| sum << 8 | usize::from(byte)))
    };
    let end = file.len().checked_sub(22)?;
    let mut at = number(end + 16, 4)?;
    let mut found = Vec::new();
    while number(at, 4)? == 0x0201_4b50 && found.len() < 64 {
        let header = number(at + 42, 4)?;
        let start = header + 30 + number(header + 26, 2)? + number(header + 28, 2)?;
        let data = start..start + number(at + 20, 4)?;
        file.get(data.clone())?;
        found.push(Found { data, checksums: [at + 16, header + 14] });
        at += 46 + number(at + 28, 2)? + number(at + 30, 2)? + number(at + 32, 2)?;
    }
    Some(found)
}
