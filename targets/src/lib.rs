//! What differs from board to board.
//!
//! A board is a TOML file in `boards/`. [`Board::all`] holds them, [`Board::detect`] finds the one that
//! fits a machine, [`Board::native`] is the machine itself. What layers cost on a board's cores is in `costs/`: [`Board::costs`].
//! `cross/` holds the scripts that build and test for Arm on another computer.

mod costs;
mod machine;

pub use costs::{Costs, CostsError, Pointwise, Precision, Product};
pub use machine::Machine;

use std::fmt;
use std::time::Duration;

/// What the program knows of a kind of machine before it runs there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Board {
    /// Short name: that of its file.
    pub name: String,
    /// What it is, in a line.
    pub description: String,
    /// Parts of the device tree's model or compatible names that only this board has.
    pub recognised_by: Vec<String>,
    /// What its cores execute.
    pub architecture: Architecture,
    /// What its cores have beyond the architecture's minimum.
    pub features: Vec<Feature>,
    /// Number of cores.
    pub cores: usize,
    /// Indices of the fast cores, ascending.
    pub big_cores: Vec<usize>,
    /// Threads that work on one picture.
    pub threads: usize,
    /// Memory of the smallest version that is supported, MiB.
    pub memory_mb: usize,
    /// Time for one live frame.
    pub frame_budget: Duration,
    /// The core whose table in `costs/` holds for its fast cores.
    pub core: String,
    /// The key that bundles for this board must be signed with: minisign's public key, in base64. None accepts what the program is told to.
    pub public_key: Option<String>,
}

/// An instruction set architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// 64-bit Arm.
    Aarch64,
    /// 64-bit x86.
    #[serde(rename = "x86_64")]
    X86_64,
}

/// Something that makes kernels fast and not every core has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// Arm: 128-bit vectors.
    Neon,
    /// Arm: `sdot`, four int8 products a lane.
    Dotprod,
    /// Arm: arithmetic on half-precision vectors.
    Fp16,
    /// Arm: `smmla`, int8 matrix products.
    I8mm,
    /// x86: 256-bit integer vectors.
    Avx2,
    /// x86: fused multiply-add.
    Fma,
    /// x86: conversion from and to half precision.
    F16c,
    /// x86: four int8 products a lane.
    AvxVnni,
    /// x86: 512-bit vectors (F, BW, DQ and VL).
    Avx512,
    /// x86: four int8 products a lane of 512-bit vectors.
    Avx512Vnni,
}

/// Why a text is not a board.
#[derive(Debug, thiserror::Error)]
pub enum BoardError {
    /// Not TOML, or a field is missing, unknown or of the wrong type.
    #[error("not a board profile")]
    Profile(#[from] toml::de::Error),
    /// The name is empty or has letters that a file name should not.
    #[error("name `{found}`: expected lower-case letters, digits and hyphens")]
    Name {
        /// The name.
        found: String,
    },
    /// A count that must be positive is 0.
    #[error("`{field}` is 0, expected at least 1")]
    Zero {
        /// The field.
        field: &'static str,
    },
    /// The list of fast cores is empty, unsorted or names a core that is not there.
    #[error("`big_cores` is {found:?}, expected ascending indices below cores = {cores}")]
    BigCores {
        /// The list.
        found: Vec<usize>,
        /// Number of cores.
        cores: usize,
    },
    /// More threads than cores.
    #[error("`threads` is {threads}, expected at most cores = {cores}")]
    Threads {
        /// Threads.
        threads: usize,
        /// Number of cores.
        cores: usize,
    },
    /// A feature that the architecture does not have.
    #[error("feature {feature:?} does not exist on {architecture:?}")]
    Feature {
        /// The feature.
        feature: Feature,
        /// The architecture.
        architecture: Architecture,
    },
    /// No table of costs is named so.
    #[error("`core` is `{found}`, expected one of {}", list(&cores()))]
    Core {
        /// The name.
        found: String,
    },
    /// Not what minisign prints as a public key.
    #[error("`public_key` is `{found}`, expected the 56 characters of a minisign public key, RW…")]
    PublicKey {
        /// The text.
        found: String,
    },
}

/// No board has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no board is named `{found}`: expected one of {}", list(&names()))]
pub struct UnknownBoard {
    /// The name.
    pub found: String,
}

/// The name of the machine itself as a board.
const NATIVE: &str = "native";

fn names() -> Vec<String> {
    Board::all().into_iter().map(|board| board.name).chain([NATIVE.to_owned()]).collect()
}

fn cores() -> Vec<String> {
    Costs::all().iter().map(|costs| costs.core.clone()).collect()
}

fn list(words: &[String]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

impl Feature {
    fn architecture(self) -> Architecture {
        match self {
            Self::Neon | Self::Dotprod | Self::Fp16 | Self::I8mm => Architecture::Aarch64,
            Self::Avx2
            | Self::Fma
            | Self::F16c
            | Self::AvxVnni
            | Self::Avx512
            | Self::Avx512Vnni => Architecture::X86_64,
        }
    }

    /// As a profile spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Neon => "neon",
            Self::Dotprod => "dotprod",
            Self::Fp16 => "fp16",
            Self::I8mm => "i8mm",
            Self::Avx2 => "avx2",
            Self::Fma => "fma",
            Self::F16c => "f16c",
            Self::AvxVnni => "avx_vnni",
            Self::Avx512 => "avx512",
            Self::Avx512Vnni => "avx512_vnni",
        }
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The file's fields, each of the right type, not yet known to agree.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    name: String,
    description: String,
    recognised_by: Vec<String>,
    architecture: Architecture,
    features: Vec<Feature>,
    cores: usize,
    big_cores: Vec<usize>,
    threads: usize,
    memory_mb: usize,
    frame_budget_ms: u64,
    core: String,
    public_key: Option<String>,
}

const PROFILES: [&str; 7] = [
    include_str!("../boards/pi4.toml"),
    include_str!("../boards/pi5.toml"),
    include_str!("../boards/rk3588.toml"),
    include_str!("../boards/jetson-orin.toml"),
    include_str!("../boards/phone-x3.toml"),
    include_str!("../boards/nuc.toml"),
    include_str!("../boards/desktop.toml"),
];

impl Board {
    /// Reads a profile; what it returns agrees with itself.
    ///
    /// # Errors
    /// A [`BoardError`] that names the field.
    pub fn parse(text: &str) -> Result<Self, BoardError> {
        let profile: Profile = toml::from_str(text)?;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if profile.name.is_empty() || !profile.name.chars().all(plain) {
            return Err(BoardError::Name { found: profile.name });
        }
        for (field, zero) in [
            ("cores", profile.cores == 0),
            ("threads", profile.threads == 0),
            ("memory_mb", profile.memory_mb == 0),
            ("frame_budget_ms", profile.frame_budget_ms == 0),
        ] {
            if zero {
                return Err(BoardError::Zero { field });
            }
        }
        let cores = profile.cores;
        let last = profile.big_cores.last().copied().unwrap_or(usize::MAX);
        if last >= cores || !profile.big_cores.is_sorted_by(|a, b| a < b) {
            return Err(BoardError::BigCores { found: profile.big_cores, cores });
        }
        if profile.threads > cores {
            return Err(BoardError::Threads { threads: profile.threads, cores });
        }
        let architecture = profile.architecture;
        if let Some(&feature) = profile.features.iter().find(|f| f.architecture() != architecture) {
            return Err(BoardError::Feature { feature, architecture });
        }
        if Costs::of(&profile.core).is_none() {
            return Err(BoardError::Core { found: profile.core });
        }
        if let Some(key) = profile.public_key.as_deref().filter(|key| !is_public_key(key)) {
            return Err(BoardError::PublicKey { found: key.to_owned() });
        }
        Ok(Self {
            name: profile.name,
            description: profile.description,
            recognised_by: profile.recognised_by,
            architecture,
            features: profile.features,
            cores,
            big_cores: profile.big_cores,
            threads: profile.threads,
            memory_mb: profile.memory_mb,
            frame_budget: Duration::from_millis(profile.frame_budget_ms),
            core: profile.core,
            public_key: profile.public_key,
        })
    }

    /// The board of this name; `native` is the machine that the program runs on.
    ///
    /// # Errors
    /// No board has the name; the message lists those there are.
    pub fn named(name: &str) -> Result<Self, UnknownBoard> {
        if name == NATIVE {
            return Ok(Self::native());
        }
        let found = Self::all().into_iter().find(|board| board.name == name);
        found.ok_or_else(|| UnknownBoard { found: name.to_owned() })
    }

    /// The machine that the program runs on, as a board. Its fast cores, threads and budget are those of the board that it is, where it
    /// is one; else all its cores work, in the budget of the most demanding board that it can stand in for.
    pub fn native() -> Self {
        Self::of_machine(&Machine::here())
    }

    fn of_machine(machine: &Machine) -> Self {
        let like = Self::detect(machine);
        let is_it = like.clone().filter(|board| board.is(machine) && board.cores == machine.cores);
        let (big_cores, threads) = match is_it {
            Some(board) => (board.big_cores, board.threads),
            None => ((0..machine.cores).collect(), machine.cores),
        };
        let core = match machine.architecture {
            Architecture::X86_64 if machine.features.contains(&Feature::Avx512Vnni) => {
                "avx512_vnni"
            }
            Architecture::X86_64 => "avx2",
            Architecture::Aarch64 if machine.features.contains(&Feature::I8mm) => "cortex-x3",
            Architecture::Aarch64 if machine.features.contains(&Feature::Dotprod) => "cortex-a76",
            Architecture::Aarch64 => "cortex-a72",
        };
        Self {
            name: NATIVE.to_owned(),
            description: "This machine".to_owned(),
            recognised_by: Vec::new(),
            architecture: machine.architecture,
            features: machine.features.clone(),
            cores: machine.cores,
            big_cores,
            threads,
            memory_mb: machine.memory_mb,
            frame_budget: like.map_or(SLOWEST_FRAME, |board| board.frame_budget),
            core: core.to_owned(),
            public_key: None,
        }
    }

    /// What its fast cores need for layers of each kind.
    ///
    /// # Panics
    /// Never: [`Board::parse`] and [`Board::native`] give only names of tables.
    pub fn costs(&self) -> &'static Costs {
        Costs::of(&self.core).expect("a board's core has a table")
    }

    /// The sets of instructions of its cores by the names that the kernels and `VITRINE_FEATURES` use.
    pub fn instruction_sets(&self) -> Vec<&'static str> {
        use Feature::*;
        const SETS: [(&str, &[Feature]); 8] = [
            ("neon", &[Neon]),
            ("neon_dotprod", &[Dotprod]),
            ("neon_i8mm", &[I8mm]),
            ("neon_fp16", &[Fp16]),
            ("avx2", &[Avx2, Fma, F16c]),
            ("avx_vnni", &[Avx2, Fma, F16c, AvxVnni]),
            ("avx512", &[Avx2, Fma, F16c, Avx512]),
            ("avx512_vnni", &[Avx2, Fma, F16c, Avx512, Avx512Vnni]),
        ];
        let has = |needs: &[Feature]| needs.iter().all(|need| self.features.contains(need));
        SETS.iter().filter(|(_, needs)| has(needs)).map(|(name, _)| *name).collect()
    }

    /// All boards that the program was built with.
    ///
    /// # Panics
    /// Never: a test parses every profile.
    pub fn all() -> Vec<Self> {
        PROFILES
            .iter()
            .map(|text| Self::parse(text).expect("a test parses every profile"))
            .collect()
    }

    /// The board that the machine is, or the most demanding one that it can stand in for.
    ///
    /// A name in the device tree decides. Without one, a board fits if the machine has its features,
    /// cores and memory; of those that fit, the one with the most features wins, then with the
    /// most cores.
    pub fn detect(machine: &Machine) -> Option<Self> {
        let boards = Self::all();
        if let Some(board) = boards.iter().find(|board| board.is(machine)) {
            return Some(board.clone());
        }
        let fitting = boards.into_iter().filter(|board| board.fits(machine));
        fitting.max_by_key(|board| (board.features.len(), board.cores))
    }

    /// Whether the device tree says so.
    fn is(&self, machine: &Machine) -> bool {
        self.recognised_by.iter().any(|name| machine.device_tree.contains(name.as_str()))
    }

    fn fits(&self, machine: &Machine) -> bool {
        // Firmware and graphics keep a part of the memory that is sold.
        let memory_mb = machine.memory_mb + machine.memory_mb / 8;
        self.architecture == machine.architecture
            && self.features.iter().all(|feature| machine.features.contains(feature))
            && machine.cores >= self.cores
            && memory_mb >= self.memory_mb
    }
}

/// The budget of a machine that is slower than any board.
const SLOWEST_FRAME: Duration = Duration::from_millis(133);

/// Whether a text is 42 bytes in base64 that start with minisign's `Ed`.
fn is_public_key(text: &str) -> bool {
    let base64 = |c: char| c.is_ascii_alphanumeric() || c == '+' || c == '/';
    text.len() == 56 && text.starts_with("RW") && text.chars().all(base64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;

    const GOOD: &str = PROFILES[1];

    fn machine(cores: usize, memory_mb: usize, features: &[Feature]) -> Machine {
        Machine {
            architecture: features[0].architecture(),
            features: features.to_vec(),
            cores,
            memory_mb,
            device_tree: String::new(),
        }
    }

    fn detected(machine: &Machine) -> Option<String> {
        Board::detect(machine).map(|board| board.name)
    }

    #[test]
    fn every_profile_is_a_board_named_like_its_file() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/boards");
        let Ok(entries) = fs::read_dir(folder) else {
            // Under an emulated core the source tree may be elsewhere: the profiles still parse.
            assert_eq!(Board::all().len(), PROFILES.len());
            return;
        };
        let mut files = BTreeSet::new();
        for entry in entries {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let board = Board::parse(&fs::read_to_string(&path).unwrap()).unwrap();
            assert_eq!(board.name, stem, "{}", path.display());
            files.insert(stem);
        }
        let embedded: BTreeSet<String> = Board::all().into_iter().map(|board| board.name).collect();
        assert_eq!(files, embedded, "a profile is missing in PROFILES");
    }

    #[test]
    fn each_contradiction_is_its_own_error() {
        let with = |from: &str, to: &str| {
            assert!(GOOD.contains(from));
            Board::parse(&GOOD.replace(from, to)).unwrap_err()
        };
        assert!(matches!(with("cores = 4", "kernels = 4"), BoardError::Profile(_)));
        assert!(matches!(with("\"pi5\"", "\"Pi 5\""), BoardError::Name { .. }));
        assert!(matches!(with("memory_mb = 2048", "memory_mb = 0"), BoardError::Zero { .. }));
        assert!(matches!(with("[0, 1, 2, 3]", "[0, 1, 2, 4]"), BoardError::BigCores { .. }));
        assert!(matches!(with("[0, 1, 2, 3]", "[1, 0]"), BoardError::BigCores { .. }));
        assert!(matches!(with("[0, 1, 2, 3]", "[]"), BoardError::BigCores { .. }));
        assert!(matches!(with("threads = 4", "threads = 5"), BoardError::Threads { .. }));
        assert!(matches!(with("\"neon\"", "\"avx2\""), BoardError::Feature { .. }));
        assert!(matches!(with("\"cortex-a76\"", "\"cortex-a9\""), BoardError::Core { .. }));
        let key = |key: &str| Board::parse(&format!("{GOOD}public_key = \"{key}\"\n"));
        let good = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
        assert_eq!(key(good).unwrap().public_key.as_deref(), Some(good));
        for bad in ["", &good[1..], &good.replace('f', "-")] {
            assert!(matches!(key(bad).unwrap_err(), BoardError::PublicKey { .. }), "{bad}");
        }
    }

    #[test]
    fn a_machine_is_the_most_demanding_board_that_it_can_stand_in_for() {
        use Feature::*;
        assert_eq!(detected(&machine(4, 3900, &[Neon])).as_deref(), Some("pi4"));
        assert_eq!(detected(&machine(4, 8000, &[Neon, Dotprod, Fp16])).as_deref(), Some("pi5"));
        assert_eq!(detected(&machine(8, 7800, &[Neon, Dotprod, Fp16])).as_deref(), Some("rk3588"));
        let phone = machine(8, 7800, &[Neon, Dotprod, Fp16, I8mm]);
        assert_eq!(detected(&phone).as_deref(), Some("phone-x3"));
        assert_eq!(detected(&machine(4, 16_000, &[Avx2, Fma, F16c])).as_deref(), Some("nuc"));
        assert_eq!(detected(&machine(16, 32_000, &[Avx2, Fma, F16c])).as_deref(), Some("desktop"));
        assert_eq!(detected(&machine(2, 16_000, &[Avx2, Fma, F16c])), None);
        assert_eq!(detected(&machine(4, 900, &[Neon])), None);
    }

    #[test]
    fn boards_are_found_by_name_and_an_unknown_name_lists_them() {
        for board in Board::all() {
            assert_eq!(Board::named(&board.name), Ok(board));
        }
        let error = Board::named("pi3").unwrap_err().to_string();
        assert!(error.contains("`pi3`") && error.contains("`phone-x3`, "), "{error}");
        assert!(error.ends_with("`native`"), "{error}");
    }

    #[test]
    fn the_native_board_is_this_machine() {
        let (native, machine) = (Board::named("native").unwrap(), Machine::here());
        assert_eq!(native.features, machine.features);
        assert_eq!((native.cores, native.memory_mb), (machine.cores, machine.memory_mb));
        assert!(native.threads >= 1 && native.threads <= native.cores);
        assert!(native.big_cores.iter().all(|&core| core < native.cores));
        assert_eq!(native.costs().core, native.core);
    }

    #[test]
    fn a_machine_that_is_a_board_has_its_fast_cores() {
        use Feature::*;
        let mut machine = machine(8, 7800, &[Neon, Dotprod, Fp16]);
        assert_eq!(Board::of_machine(&machine).big_cores, [0, 1, 2, 3, 4, 5, 6, 7]);
        machine.device_tree = "rockchip,rk3588".into();
        assert_eq!(Board::of_machine(&machine).big_cores, [4, 5, 6, 7]);
        assert_eq!(Board::of_machine(&machine).core, "cortex-a76");
        // A part of the cores, as in a container: the indices would not be theirs.
        machine.cores = 2;
        assert_eq!(Board::of_machine(&machine).big_cores, [0, 1]);
    }

    #[test]
    fn sets_of_instructions_have_the_kernels_names() {
        let sets = |name: &str| Board::named(name).unwrap().instruction_sets();
        assert_eq!(sets("pi4"), ["neon"]);
        assert_eq!(sets("phone-x3"), ["neon", "neon_dotprod", "neon_i8mm", "neon_fp16"]);
        assert_eq!(sets("nuc"), ["avx2"]);
    }

    #[test]
    fn the_device_tree_decides_over_what_would_fit() {
        let mut orin = machine(6, 7600, &[Feature::Neon]);
        orin.device_tree = "NVIDIA Jetson Orin Nano Developer Kit\0nvidia,tegra234".into();
        assert_eq!(detected(&orin).as_deref(), Some("jetson-orin"));
    }
}
