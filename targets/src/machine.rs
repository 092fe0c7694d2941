//! The machine that the program runs on.

use crate::{Architecture, Feature};
use std::fs;

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

impl Machine {
    /// This one. Its memory is 0 where the system has no `/proc/meminfo`.
    pub fn here() -> Self {
        let device_tree = ["/proc/device-tree/model", "/proc/device-tree/compatible"]
            .iter()
            .filter_map(|file| fs::read(file).ok())
            .map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "))
            .collect::<Vec<_>>();
        let features = Feature::known_here().into_iter();
        Self {
            architecture: HERE,
            features: features.filter(|(_, has)| *has).map(|(feature, _)| feature).collect(),
            cores: std::thread::available_parallelism().map_or(1, |cores| cores.get()),
            memory_mb: total_memory(&fs::read_to_string("/proc/meminfo").unwrap_or_default()),
            device_tree: device_tree.join(" "),
        }
    }
}

/// MiB, from the text of `/proc/meminfo`.
fn total_memory(text: &str) -> usize {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kb = line.and_then(|rest| rest.split_whitespace().next()?.parse::<usize>().ok());
    kb.unwrap_or(0) / 1024
}

#[cfg(target_arch = "aarch64")]
const HERE: Architecture = Architecture::Aarch64;
#[cfg(target_arch = "x86_64")]
const HERE: Architecture = Architecture::X86_64;

impl Feature {
    /// What makes pictures fast on this architecture, and whether the CPU has it.
    #[cfg(target_arch = "aarch64")]
    pub fn known_here() -> Vec<(Self, bool)> {
        use std::arch::is_aarch64_feature_detected as has;
        vec![
            (Feature::Neon, has!("neon")),
            (Feature::Dotprod, has!("dotprod")),
            (Feature::Fp16, has!("fp16")),
            (Feature::I8mm, has!("i8mm")),
        ]
    }

    /// What makes pictures fast on this architecture, and whether the CPU has it.
    #[cfg(target_arch = "x86_64")]
    pub fn known_here() -> Vec<(Self, bool)> {
        use std::arch::is_x86_feature_detected as has;
        let avx512 = has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl");
        vec![
            (Feature::Avx2, has!("avx2")),
            (Feature::Fma, has!("fma")),
            (Feature::F16c, has!("f16c")),
            (Feature::AvxVnni, has!("avxvnni")),
            (Feature::Avx512, avx512),
            (Feature::Avx512Vnni, avx512 && has!("avx512vnni")),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_the_line_that_says_total() {
        assert_eq!(total_memory("MemFree: 1024 kB\nMemTotal:       8046908 kB\n"), 7858);
        assert_eq!(total_memory("nothing"), 0);
    }
}
