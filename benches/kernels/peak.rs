//! The most multiplications that a core does in a second, measured: twelve independent accumulators, nothing else.
//!
//! | instruction set | f32             | int8                                          |
//! |-----------------|-----------------|-----------------------------------------------|
//! | avx2            | `vfmadd231ps`   | the better of `vpmaddubsw, vpmaddwd, vpaddd` and `vpmaddwd, vpaddd` |
//! | avx_vnni        |                 | `vpdpbusd` on 256 bits                        |
//! | avx512          | `vfmadd231ps`   | as avx2, on 512 bits                          |
//! | avx512_vnni     |                 | `vpdpbusd` on 512 bits                        |
//! | neon            | `fmla`          | `smull, sadalp`                               |
//! | neon_dotprod    |                 | `sdot`                                        |
//! | neon_i8mm       |                 | `smmla`                                       |
//! | neon_fp16       | `fmla` on halves, for f16 | –                                   |

use crate::clock;
use kernels::features::{Features, Isa};
use std::arch::asm;
use std::time::Duration;

/// What was measured for one instruction set.
pub struct Peak {
    /// The instruction set.
    pub isa: Isa,
    /// What is multiplied: `f32`, `f16` or `i8`.
    pub element: &'static str,
    /// Multiplications with addition, in a second.
    pub macs_per_second: f64,
}

/// Measures every set that these features have.
pub fn measure(features: Features) -> Vec<Peak> {
    let mut peaks: Vec<Peak> = Vec::new();
    for (isa, element, macs, work) in LOOPS.iter().filter(|row| features.has(&[row.0])) {
        let macs_per_second = fastest(*macs, *work);
        match peaks.iter_mut().find(|peak| peak.isa == *isa && peak.element == *element) {
            Some(peak) => peak.macs_per_second = peak.macs_per_second.max(macs_per_second),
            None => peaks.push(Peak { isa: *isa, element, macs_per_second }),
        }
    }
    peaks
}

const PASSES: u64 = 100_000;
const ROUNDS: usize = 20;
const ACCUMULATORS: f64 = 12.0;

/// The fastest of several rounds, so that other work on the machine does not lower the peak.
fn fastest(macs: f64, work: fn(u64)) -> f64 {
    work(PASSES);
    let mut least = Duration::MAX;
    for _ in 0..ROUNDS {
        least = least.min(clock::timed(|| work(PASSES)));
    }
    macs * ACCUMULATORS * PASSES as f64 / least.as_secs_f64()
}

/// An instruction set, an element, multiplications for each accumulator and pass, and the loop.
type Loop = (Isa, &'static str, f64, fn(u64));

/// A function that repeats lines of assembly for accumulators 0 to 11, which the lines call `\n`; 12 to 15 are free.
macro_rules! looped {
    ($name:ident, $($line:literal),+) => {
        #[cfg(target_arch = "x86_64")]
        fn $name(passes: u64) {
            // SAFETY: registers only, each of them named. Called only where `Features` has the instructions.
            unsafe {
                asm!(
                    ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15",
                    "vxorps xmm\\n, xmm\\n, xmm\\n",
                    ".endr",
                    "2:",
                    ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11",
                    $($line,)+
                    ".endr",
                    "dec {passes}",
                    "jnz 2b",
                    "vzeroupper",
                    passes = inout(reg) passes => _,
                    out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
                    out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
                    out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                    out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
                    options(nomem, nostack),
                );
            }
        }

        #[cfg(target_arch = "aarch64")]
        fn $name(passes: u64) {
            // SAFETY: registers only, each of them named. Called only where `Features` has the instructions.
            unsafe {
                asm!(
                    ".arch_extension dotprod",
                    ".arch_extension i8mm",
                    ".arch_extension fp16",
                    ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15",
                    "movi v\\n\\().16b, #0",
                    ".endr",
                    "2:",
                    ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11",
                    $($line,)+
                    ".endr",
                    "subs {passes}, {passes}, #1",
                    "b.ne 2b",
                    passes = inout(reg) passes => _,
                    out("v0") _, out("v1") _, out("v2") _, out("v3") _,
                    out("v4") _, out("v5") _, out("v6") _, out("v7") _,
                    out("v8") _, out("v9") _, out("v10") _, out("v11") _,
                    out("v12") _, out("v13") _, out("v14") _, out("v15") _,
                    options(nomem, nostack),
                );
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
const LOOPS: &[Loop] = {
    looped!(fma_256, "vfmadd231ps ymm\\n, ymm12, ymm13");
    looped!(fma_512, "vfmadd231ps zmm\\n, zmm12, zmm13");
    looped!(pairs_256, "vpmaddwd ymm14, ymm12, ymm13", "vpaddd ymm\\n, ymm\\n, ymm14");
    looped!(pairs_512, "vpmaddwd zmm14, zmm12, zmm13", "vpaddd zmm\\n, zmm\\n, zmm14");
    looped!(
        fours_256,
        "vpmaddubsw ymm14, ymm12, ymm13",
        "vpmaddwd ymm14, ymm14, ymm15",
        "vpaddd ymm\\n, ymm\\n, ymm14"
    );
    looped!(
        fours_512,
        "vpmaddubsw zmm14, zmm12, zmm13",
        "vpmaddwd zmm14, zmm14, zmm15",
        "vpaddd zmm\\n, zmm\\n, zmm14"
    );
    looped!(dot_256, "{{vex}} vpdpbusd ymm\\n, ymm12, ymm13");
    looped!(dot_512, "vpdpbusd zmm\\n, zmm12, zmm13");
    &[
        (Isa::Avx2, "f32", 8.0, fma_256),
        (Isa::Avx2, "i8", 16.0, pairs_256),
        (Isa::Avx2, "i8", 32.0, fours_256),
        (Isa::AvxVnni, "i8", 32.0, dot_256),
        (Isa::Avx512, "f32", 16.0, fma_512),
        (Isa::Avx512, "i8", 32.0, pairs_512),
        (Isa::Avx512, "i8", 64.0, fours_512),
        (Isa::Avx512Vnni, "i8", 64.0, dot_512),
    ]
};

#[cfg(target_arch = "aarch64")]
const LOOPS: &[Loop] = {
    looped!(fma, "fmla v\\n\\().4s, v12.4s, v13.4s");
    looped!(half_fma, "fmla v\\n\\().8h, v12.8h, v13.8h");
    looped!(long, "smull v14.8h, v12.8b, v13.8b", "sadalp v\\n\\().4s, v14.8h");
    looped!(dot, "sdot v\\n\\().4s, v12.16b, v13.16b");
    looped!(matrix, "smmla v\\n\\().4s, v12.16b, v13.16b");
    &[
        (Isa::Neon, "f32", 4.0, fma),
        (Isa::Neon, "i8", 8.0, long),
        (Isa::NeonFp16, "f16", 8.0, half_fma),
        (Isa::NeonDotprod, "i8", 16.0, dot),
        (Isa::NeonI8mm, "i8", 32.0, matrix),
    ]
};
