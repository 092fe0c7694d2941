//! What the CPU can do. [`Features`] are detected or narrowed, never invented: holding one is the proof that
//! a kernel which needs no more than they say may run.

use std::fmt;

/// A set of instructions that kernels are written for. Each holds those that the name before it stands for:
/// every Arm one holds `Neon`, every x86 one `Avx2`, `Avx512Vnni` also `Avx512`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Isa {
    /// ARMv8.0: what every 64-bit Arm CPU has.
    Neon,
    /// `sdot`: four int8 products into each i32 lane. Cortex-A55, A76 and later.
    NeonDotprod,
    /// `smmla`: 2×8 by 8×2 int8 products. Cortex-A510, X2 and later.
    NeonI8mm,
    /// Arithmetic on eight halves at once. Cortex-A55, A76 and later.
    NeonFp16,
    /// AVX2 with FMA and F16C.
    Avx2,
    /// `vpdpbusd` on 256 bits, in the VEX encoding.
    AvxVnni,
    /// AVX-512 F, BW, DQ and VL.
    Avx512,
    /// `vpdpbusd` on 512 bits.
    Avx512Vnni,
}

impl Isa {
    /// Every set, in the order of the enumeration.
    pub const ALL: [Isa; 8] = [
        Isa::Neon,
        Isa::NeonDotprod,
        Isa::NeonI8mm,
        Isa::NeonFp16,
        Isa::Avx2,
        Isa::AvxVnni,
        Isa::Avx512,
        Isa::Avx512Vnni,
    ];

    /// As it stands in a kernel's name.
    pub const fn name(self) -> &'static str {
        match self {
            Isa::Neon => "neon",
            Isa::NeonDotprod => "neon_dotprod",
            Isa::NeonI8mm => "neon_i8mm",
            Isa::NeonFp16 => "neon_fp16",
            Isa::Avx2 => "avx2",
            Isa::AvxVnni => "avx_vnni",
            Isa::Avx512 => "avx512",
            Isa::Avx512Vnni => "avx512_vnni",
        }
    }
}

impl Isa {
    /// The set of this [`name`](Isa::name).
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|isa| isa.name() == name)
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a core issues instructions; a kernel may have a schedule of its own for in-order cores.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Schedule {
    /// Cortex-A7x, X, and every x86 CPU: the order inside a loop matters little.
    OutOfOrder,
    /// Cortex-A53, A55, A510, A520: a 128-bit load stalls the pipe, so loads are halved and interleaved.
    InOrder,
}

/// The instruction sets of a CPU, and how the core that asked issues them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Features {
    sets: u8,
    schedule: Schedule,
}

/// `VITRINE_FEATURES` holds a word that is none of the sets' names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownFeature(pub String);

impl fmt::Display for UnknownFeature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "VITRINE_FEATURES: `{}` is not a feature; give `baseline` or a comma-separated list of",
            self.0
        )?;
        for isa in Isa::ALL {
            write!(f, " {isa}")?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownFeature {}

impl Features {
    /// What this CPU has. The schedule is that of the core which the calling thread runs on.
    pub fn detect() -> Self {
        let mut sets = 0;
        for isa in Isa::ALL {
            if present(isa) {
                sets |= 1 << isa as u8;
            }
        }
        Self { sets, schedule: this_core() }
    }

    /// What this CPU has, narrowed to what the environment variable `VITRINE_FEATURES` lists: `baseline` (plain
    /// versions only) or names separated by commas, `avx2,avx_vnni`.
    ///
    /// # Errors
    /// A word that names no feature.
    pub fn from_environment() -> Result<Self, UnknownFeature> {
        let detected = Self::detect();
        match std::env::var("VITRINE_FEATURES") {
            Ok(list) => detected.narrowed(&list),
            Err(_) => Ok(detected),
        }
    }

    /// The part of these features that `list` names; see [`Features::from_environment`].
    ///
    /// # Errors
    /// A word that names no feature.
    pub fn narrowed(self, list: &str) -> Result<Self, UnknownFeature> {
        let mut sets = 0;
        for word in
            list.split(',').map(str::trim).filter(|word| !word.is_empty() && *word != "baseline")
        {
            sets |= 1 << Isa::named(word).ok_or_else(|| UnknownFeature(word.to_owned()))? as u8;
        }
        Ok(Self { sets: self.sets & sets, ..self })
    }

    /// These features without any instruction set: plain versions only.
    pub fn baseline(self) -> Self {
        Self { sets: 0, ..self }
    }

    /// These features less one set.
    pub fn without(self, isa: Isa) -> Self {
        Self { sets: self.sets & !(1 << isa as u8), ..self }
    }

    /// These features with the kernels' order of instructions chosen for another core; a schedule changes speed only.
    pub fn scheduled(self, schedule: Schedule) -> Self {
        Self { schedule, ..self }
    }

    /// Whether all of `needs` are there.
    pub fn has(self, needs: &[Isa]) -> bool {
        needs.iter().all(|&isa| self.sets & (1 << isa as u8) != 0)
    }

    /// How the core issues instructions.
    pub fn schedule(self) -> Schedule {
        self.schedule
    }

    /// The sets that are there.
    pub fn sets(self) -> impl Iterator<Item = Isa> {
        Isa::ALL.into_iter().filter(move |&isa| self.has(&[isa]))
    }
}

#[cfg(target_arch = "aarch64")]
fn present(isa: Isa) -> bool {
    use std::arch::is_aarch64_feature_detected as has;
    match isa {
        Isa::Neon => has!("neon"),
        Isa::NeonDotprod => has!("dotprod"),
        Isa::NeonI8mm => has!("i8mm"),
        Isa::NeonFp16 => has!("fp16"),
        _ => false,
    }
}

#[cfg(target_arch = "x86_64")]
fn present(isa: Isa) -> bool {
    let avx2 = is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("f16c");
    let avx512 = avx2
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    match isa {
        Isa::Avx2 => avx2,
        Isa::AvxVnni => avx2 && is_x86_feature_detected!("avxvnni"),
        Isa::Avx512 => avx512,
        Isa::Avx512Vnni => avx512 && is_x86_feature_detected!("avx512vnni"),
        _ => false,
    }
}

#[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
fn present(_: Isa) -> bool {
    false
}

/// Reads the core's part number where the kernel lets programs do so (`HWCAP_CPUID`).
#[cfg(all(target_arch = "aarch64", target_os = "linux", not(miri)))]
fn this_core() -> Schedule {
    const AT_HWCAP: u64 = 16;
    const HWCAP_CPUID: u64 = 1 << 11;
    const ARM: u64 = 0x41;
    const IN_ORDER: [u64; 5] = [0xd03, 0xd04, 0xd05, 0xd46, 0xd80];
    unsafe extern "C" {
        fn getauxval(kind: u64) -> u64;
    }
    // SAFETY: getauxval takes any number and has no other effect.
    if unsafe { getauxval(AT_HWCAP) } & HWCAP_CPUID == 0 {
        return Schedule::OutOfOrder;
    }
    let id: u64;
    // SAFETY: HWCAP_CPUID says that Linux answers this read from user space.
    unsafe {
        std::arch::asm!("mrs {}, midr_el1", out(reg) id, options(nomem, nostack, preserves_flags))
    };
    let (implementer, part) = (id >> 24, id >> 4 & 0xfff);
    if implementer == ARM && IN_ORDER.contains(&part) {
        Schedule::InOrder
    } else {
        Schedule::OutOfOrder
    }
}

#[cfg(not(all(target_arch = "aarch64", target_os = "linux", not(miri))))]
fn this_core() -> Schedule {
    Schedule::OutOfOrder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrowing_never_adds_a_feature() {
        let nothing = Features::detect().baseline();
        for isa in Isa::ALL {
            assert!(!nothing.narrowed(isa.name()).unwrap().has(&[isa]));
        }
        let all = Features::detect();
        assert_eq!(all.narrowed("baseline").unwrap(), nothing);
        let words: Vec<_> = Isa::ALL.iter().map(|isa| isa.name()).collect();
        assert_eq!(all.narrowed(&words.join(",")).unwrap(), all);
    }

    #[test]
    fn an_unknown_feature_is_named() {
        let error = Features::detect().narrowed("neon,sse9").unwrap_err();
        assert!(error.to_string().contains("`sse9`"), "{error}");
    }
}
