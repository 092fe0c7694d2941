//! Bundles and graphs altered at random, without a coverage-guided fuzzer: what `fuzz/` does, on every machine and the same each time.
//!
//! `VITRINE_MUTATIONS` says how many of each; a failure prints the number to start from.

#[path = "../fuzz/targets/checks.rs"]
mod checks;
#[path = "../fuzz/targets/programs.rs"]
mod programs;
#[path = "small_bundle/mod.rs"]
mod small_bundle;

use checks::Depth;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

const MUTATIONS: u64 = 3000;

fn mutations() -> u64 {
    let wanted =
        std::env::var("VITRINE_MUTATIONS").ok().map(|count| count.parse().expect("a number"));
    wanted.unwrap_or(MUTATIONS)
}

/// Numbers of a seed.
struct Random(u64);

impl Random {
    /// Seeds that follow one another give unrelated numbers.
    fn new(seed: u64) -> Self {
        let mut state = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        Self((state ^ (state >> 27)) | 1)
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end.max(1)
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

const NUMBERS: [&str; 22] = [
    "0",
    "1",
    "2",
    "3",
    "7",
    "8",
    "16",
    "64",
    "255",
    "4096",
    "65536",
    "-1",
    "-128",
    "2147483648",
    "4294967295",
    "4611686018427387904",
    "9223372036854775807",
    "1e30",
    "nan",
    "inf",
    "-0.0",
    "1e-45",
];

/// Runs of letters, or of digits, outside of which nothing is one.
fn words(bytes: &[u8], of: fn(&u8) -> bool) -> Vec<std::ops::Range<usize>> {
    let mut words = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let length = bytes[at..].iter().take_while(|byte| of(byte)).count();
        if length > 0 {
            words.push(at..at + length);
        }
        at += length + 1;
    }
    words
}

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    if bytes.is_empty() {
        bytes.push(random.below(256) as u8);
    }
    let length = bytes.len();
    match random.below(9) {
        0 => bytes[random.below(length)] ^= 1 << random.below(8),
        1 => bytes[random.below(length)] = *random.of(&[0, 1, 0x7f, 0x80, 0xff, b'.', b'/', b'"']),
        2 => {
            let value = *random.of(&[0, 1, 0xffff, 0xffff_ffff, 1 << 31, u64::MAX, 4096]);
            let size = *random.of(&[2, 4, 8]);
            let at = random.below(length);
            let end = length.min(at + size);
            bytes[at..end].copy_from_slice(&value.to_le_bytes()[..end - at]);
        }
        3 => {
            let at = random.below(length);
            let end = length.min(at + 1 + random.below(40));
            bytes.drain(at..end);
        }
        4 => {
            let at = random.below(length);
            let part = bytes[at..length.min(at + 1 + random.below(300))].to_vec();
            let to = random.below(length);
            bytes.splice(to..to, part);
        }
        5 => bytes.truncate(random.below(length)),
        6 | 7 => {
            let numbers = words(bytes, u8::is_ascii_digit);
            if !numbers.is_empty() {
                let place = random.of(&numbers).clone();
                bytes.splice(place, random.of(&NUMBERS).bytes());
            }
        }
        _ => {
            let all = words(bytes, |byte| byte.is_ascii_lowercase() || *byte == b'_');
            if !all.is_empty() {
                let word = bytes[random.of(&all).clone()].to_vec();
                let place = random.of(&all).clone();
                bytes.splice(place, word);
            }
        }
    }
}

/// Runs a check on inputs altered at random; tells how many came how far.
fn run(seeds: &[Vec<u8>], check: fn(&[u8]) -> Depth) -> BTreeMap<Depth, u64> {
    let mut depths = BTreeMap::new();
    for number in 0..mutations() {
        let mut random = Random::new(number);
        let mut bytes = random.of(seeds).clone();
        for _ in 0..1 + random.below(4) {
            mutate(&mut bytes, &mut random);
        }
        let depth = catch_unwind(AssertUnwindSafe(|| check(&bytes)));
        let depth = depth.unwrap_or_else(|_| {
            panic!("mutation {number} panicked: {:?}", String::from_utf8_lossy(&bytes))
        });
        *depths.entry(depth).or_default() += 1;
    }
    eprintln!("{depths:?}");
    depths
}

#[test]
fn no_altered_bundle_panics() {
    let nets = small_bundle::nets();
    let seeds = [small_bundle::contents(&nets).to_bytes().unwrap()];
    assert_eq!(checks::bundle(&seeds[0]), Depth::Ready, "the seed itself");
    let depths = run(&seeds, checks::bundle);
    assert!(depths.contains_key(&Depth::Refused) && depths.contains_key(&Depth::Ready));
}

#[test]
fn no_altered_graph_panics() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/graph");
    let seeds = ["head", "image", "tokens", "convolutions", "edges"]
        .map(|name| std::fs::read(corpus.join(name).with_extension("toml")).unwrap());
    for (index, seed) in seeds[..4].iter().enumerate() {
        assert_eq!(checks::graph(seed), Depth::Run, "seed {index} itself");
    }
    let depths = run(&seeds, checks::graph);
    for depth in [Depth::Refused, Depth::Read, Depth::Run] {
        assert!(depths.contains_key(&depth), "nothing came as far as {depth:?}: {depths:?}");
    }
}

#[test]
fn no_made_program_panics() {
    // What is made of no bytes goes together.
    let seeds = [Vec::new(), vec![0; 300]];
    let random_bytes = |seed: u64| {
        let mut random = Random::new(seed);
        (0..40 + random.below(300)).map(|_| random.below(256) as u8).collect::<Vec<_>>()
    };
    let seeds: Vec<Vec<u8>> = seeds.into_iter().chain((0..200).map(random_bytes)).collect();
    let depths = run(&seeds, |bytes| checks::program(programs::program(bytes)));
    for depth in [Depth::Read, Depth::Run] {
        assert!(depths.contains_key(&depth), "nothing came as far as {depth:?}: {depths:?}");
    }
}
