//! What differs from board to board.
//!
//! A board is a TOML file in `boards/`. [`Board::all`] holds them, [`Board::detect`] finds the one that
//! fits a machine. `cross/` holds the scripts that build and test for Arm on another computer.

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
}

/// A machine as it was found.
#[derive(Clone, Debug)]
pub struct Machine {
    /// What it executes.
    pub architecture: Architecture,
    /// What its cores have.
    pub features: Vec<Feature>,
    /// Number of cores.
    pub cores: usize,
    /// Memory, MiB.
    pub memory_mb: usize,
    /// The device tree's model and compatible names; empty where there is none.
    pub device_tree: String,
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
}

impl Feature {
    fn architecture(self) -> Architecture {
        match self {
            Self::Neon | Self::Dotprod | Self::Fp16 | Self::I8mm => Architecture::Aarch64,
            Self::Avx2 | Self::Fma | Self::F16c | Self::AvxVnni => Architecture::X86_64,
        }
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
}

const PROFILES: [&str; 6] = [
    include_str!("../boards/pi4.toml"),
    include_str!("../boards/pi5.toml"),
    include_str!("../boards/rk3588.toml"),
    include_str!("../boards/jetson-orin.toml"),
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
        })
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
        let named = |board: &&Self| {
            board.recognised_by.iter().any(|name| machine.device_tree.contains(name.as_str()))
        };
        if let Some(board) = boards.iter().find(named) {
            return Some(board.clone());
        }
        let fitting = boards.into_iter().filter(|board| board.fits(machine));
        fitting.max_by_key(|board| (board.features.len(), board.cores))
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
    }

    #[test]
    fn a_machine_is_the_most_demanding_board_that_it_can_stand_in_for() {
        use Feature::*;
        assert_eq!(detected(&machine(4, 3900, &[Neon])).as_deref(), Some("pi4"));
        assert_eq!(detected(&machine(4, 8000, &[Neon, Dotprod, Fp16])).as_deref(), Some("pi5"));
        let eight = machine(8, 7800, &[Neon, Dotprod, Fp16, I8mm]);
        assert_eq!(detected(&eight).as_deref(), Some("rk3588"));
        assert_eq!(detected(&machine(4, 16_000, &[Avx2, Fma, F16c])).as_deref(), Some("nuc"));
        assert_eq!(detected(&machine(16, 32_000, &[Avx2, Fma, F16c])).as_deref(), Some("desktop"));
        assert_eq!(detected(&machine(2, 16_000, &[Avx2, Fma, F16c])), None);
        assert_eq!(detected(&machine(4, 900, &[Neon])), None);
    }

    #[test]
    fn the_device_tree_decides_over_what_would_fit() {
        let mut orin = machine(6, 7600, &[Feature::Neon]);
        orin.device_tree = "NVIDIA Jetson Orin Nano Developer Kit\0nvidia,tegra234".into();
        assert_eq!(detected(&orin).as_deref(), Some("jetson-orin"));
    }
}
