//! AVX2: 24 queries by 4 keys or columns, twelve sums in sixteen registers.

use super::lanes::{Block, FloatScores, POLYNOMIAL, Rows, multiply};
use super::tiles::versions;
use super::{AttentionRow, Int8};
use crate::features::Isa;
use crate::lanes::Avx2;
use half::f16;
use std::arch::asm;
use std::arch::x86_64::*;

/// One step: a register of `b` at each of three places, and a value of `a` at each of four.
macro_rules! step {
    ($b0:literal $b1:literal $b2:literal $a0:literal $a1:literal $a2:literal $a3:literal) => {
        concat!(
            "vmovups ymm12, [{b} + ",
            $b0,
            "]\n",
            "vmovups ymm13, [{b} + ",
            $b1,
            "]\n",
            "vmovups ymm14, [{b} + ",
            $b2,
            "]\n",
            "vbroadcastss ymm15, dword ptr [{a} + ",
            $a0,
            "]\n",
            "vfmadd231ps ymm0, ymm15, ymm12\n",
            "vfmadd231ps ymm1, ymm15, ymm13\n",
            "vfmadd231ps ymm2, ymm15, ymm14\n",
            "vbroadcastss ymm15, dword ptr [{a} + ",
            $a1,
            "]\n",
            "vfmadd231ps ymm3, ymm15, ymm12\n",
            "vfmadd231ps ymm4, ymm15, ymm13\n",
            "vfmadd231ps ymm5, ymm15, ymm14\n",
            "vbroadcastss ymm15, dword ptr [{a} + ",
            $a2,
            "]\n",
            "vfmadd231ps ymm6, ymm15, ymm12\n",
            "vfmadd231ps ymm7, ymm15, ymm13\n",
            "vfmadd231ps ymm8, ymm15, ymm14\n",
            "vbroadcastss ymm15, dword ptr [{a} + ",
            $a3,
            "]\n",
            "vfmadd231ps ymm9, ymm15, ymm12\n",
            "vfmadd231ps ymm10, ymm15, ymm13\n",
            "vfmadd231ps ymm11, ymm15, ymm14\n",
        )
    };
}

impl Rows for Avx2 {
    const ROWS: usize = 4;
    type Short = Self;

    #[inline(always)]
    unsafe fn multiply<const R: usize, const W: usize>(
        a: *const f32,
        b: *const f32,
        depth: usize,
        factor: Option<*const f32>,
        c: *mut f32,
    ) {
        if (R, W) != (4, 3) {
            // SAFETY: passed on to the caller.
            return unsafe { multiply::<Self, R, W>(a, b, depth, factor, c) };
        }
        // Twelve sums, three registers of `b` and one value of `a`: the compiler would keep a sum in memory.
        // SAFETY: each step reads one row of `a` and of `b`; before and after it four rows of `c` are read and written.
        unsafe {
            asm!(
                "test {factor}, {factor}",
                "jz 2f",
                "vmovups ymm12, [{factor} + 0]",
                "vmovups ymm13, [{factor} + 32]",
                "vmovups ymm14, [{factor} + 64]",
                "vmulps ymm0, ymm12, [{c} + 0]",
                "vmulps ymm1, ymm13, [{c} + 32]",
                "vmulps ymm2, ymm14, [{c} + 64]",
                "vmulps ymm3, ymm12, [{c} + 96]",
                "vmulps ymm4, ymm13, [{c} + 128]",
                "vmulps ymm5, ymm14, [{c} + 160]",
                "vmulps ymm6, ymm12, [{c} + 192]",
                "vmulps ymm7, ymm13, [{c} + 224]",
                "vmulps ymm8, ymm14, [{c} + 256]",
                "vmulps ymm9, ymm12, [{c} + 288]",
                "vmulps ymm10, ymm13, [{c} + 320]",
                "vmulps ymm11, ymm14, [{c} + 352]",
                "jmp 3f",
                "2:",
                "vxorps xmm0, xmm0, xmm0",
                "vxorps xmm1, xmm1, xmm1",
                "vxorps xmm2, xmm2, xmm2",
                "vxorps xmm3, xmm3, xmm3",
                "vxorps xmm4, xmm4, xmm4",
                "vxorps xmm5, xmm5, xmm5",
                "vxorps xmm6, xmm6, xmm6",
                "vxorps xmm7, xmm7, xmm7",
                "vxorps xmm8, xmm8, xmm8",
                "vxorps xmm9, xmm9, xmm9",
                "vxorps xmm10, xmm10, xmm10",
                "vxorps xmm11, xmm11, xmm11",
                "3:",
                "mov {fours}, {depth}",
                "and {depth}, 3",
                "shr {fours}, 2",
                "jz 5f",
                // Four steps a turn: branch prediction foresees the end of short loops.
                "4:",
                step!("0" "32" "64" "0" "4" "8" "12"),
                step!("96" "128" "160" "16" "20" "24" "28"),
                step!("192" "224" "256" "32" "36" "40" "44"),
                step!("288" "320" "352" "48" "52" "56" "60"),
                "add {a}, 64",
                "add {b}, 384",
                "dec {fours}",
                "jnz 4b",
                "5:",
                "test {depth}, {depth}",
                "jz 7f",
                "6:",
                step!("0" "32" "64" "0" "4" "8" "12"),
                "add {a}, 16",
                "add {b}, 96",
                "dec {depth}",
                "jnz 6b",
                "7:",
                "vmovups [{c} + 0], ymm0",
                "vmovups [{c} + 32], ymm1",
                "vmovups [{c} + 64], ymm2",
                "vmovups [{c} + 96], ymm3",
                "vmovups [{c} + 128], ymm4",
                "vmovups [{c} + 160], ymm5",
                "vmovups [{c} + 192], ymm6",
                "vmovups [{c} + 224], ymm7",
                "vmovups [{c} + 256], ymm8",
                "vmovups [{c} + 288], ymm9",
                "vmovups [{c} + 320], ymm10",
                "vmovups [{c} + 352], ymm11",
                a = inout(reg) a => _, b = inout(reg) b => _, depth = inout(reg) depth => _,
                fours = out(reg) _, factor = in(reg) factor.unwrap_or(std::ptr::null()), c = in(reg) c,
                out("ymm0") _, out("ymm1") _, out("ymm2") _, out("ymm3") _, out("ymm4") _, out("ymm5") _, out("ymm6") _, out("ymm7") _, out("ymm8") _, out("ymm9") _, out("ymm10") _, out("ymm11") _, out("ymm12") _, out("ymm13") _, out("ymm14") _, out("ymm15") _,
                options(nostack),
            )
        }
    }

    #[inline(always)]
    unsafe fn probabilities<const W: usize>(
        scores: *mut f32,
        count: usize,
        greatest: *const f32,
        sums: *mut f32,
    ) {
        // SAFETY: passed on to the caller.
        unsafe { probabilities::<W>(scores, count, greatest, sums) }
    }

    #[inline(always)]
    unsafe fn transposed(block: &Block) -> Block {
        // SAFETY: passed on to the caller.
        unsafe { transposed(block) }
    }
}

/// [`Rows::probabilities`] with the polynomial of [`exp2`](super::lanes::exp2): the nearest integer is what is left of `2²³ · 1.5 + 127 + x`,
/// and its low bits are the exponent of the power.
///
/// # Safety
/// As there.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn probabilities<const W: usize>(
    scores: *mut f32,
    count: usize,
    greatest: *const f32,
    sums: *mut f32,
) {
    // SAFETY: each step reads and writes one row.
    unsafe {
        let least = _mm256_set1_ps(-127.0);
        let shift = _mm256_set1_ps(12_582_912.0 + 127.0);
        let c = POLYNOMIAL.map(|c| _mm256_set1_ps(c));
        let mut all = [_mm256_setzero_ps(); W];
        let mut m = [_mm256_setzero_ps(); W];
        for w in 0..W {
            m[w] = _mm256_loadu_ps(greatest.add(w * 8));
        }
        for key in 0..count {
            for w in 0..W {
                let score = scores.add((key * W + w) * 8);
                let x = _mm256_max_ps(_mm256_sub_ps(_mm256_loadu_ps(score), m[w]), least);
                let shifted = _mm256_add_ps(x, shift);
                let f = _mm256_sub_ps(x, _mm256_sub_ps(shifted, shift));
                let f2 = _mm256_mul_ps(f, f);
                let low = _mm256_fmadd_ps(c[1], f, c[0]);
                let high = _mm256_fmadd_ps(c[4], f2, _mm256_fmadd_ps(c[3], f, c[2]));
                let power = _mm256_slli_epi32::<23>(_mm256_castps_si256(shifted));
                let power = _mm256_castsi256_ps(power);
                let p = _mm256_fmadd_ps(high, f2, low);
                let p = _mm256_fmadd_ps(_mm256_mul_ps(power, f), p, power);
                _mm256_storeu_ps(score, p);
                all[w] = _mm256_add_ps(all[w], p);
            }
        }
        for w in 0..W {
            _mm256_storeu_ps(sums.add(w * 8), all[w]);
        }
    }
}

/// # Safety
/// The CPU has AVX2.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) unsafe fn transposed(block: &Block) -> Block {
    // SAFETY: each row is a register.
    unsafe {
        let row = |row: usize| _mm256_loadu_ps(block[row].as_ptr());
        // Rows r and r + 4 side by side: four columns of each.
        let mut halves = [_mm256_setzero_ps(); 8];
        for r in 0..4 {
            halves[r] = _mm256_permute2f128_ps::<0x20>(row(r), row(r + 4));
            halves[r + 4] = _mm256_permute2f128_ps::<0x31>(row(r), row(r + 4));
        }
        let mut all = [[0.0; 8]; 8];
        for h in [0, 4] {
            let low = _mm256_unpacklo_ps(halves[h], halves[h + 1]);
            let high = _mm256_unpackhi_ps(halves[h], halves[h + 1]);
            let next_low = _mm256_unpacklo_ps(halves[h + 2], halves[h + 3]);
            let next_high = _mm256_unpackhi_ps(halves[h + 2], halves[h + 3]);
            let columns = [
                _mm256_shuffle_ps::<0x44>(low, next_low),
                _mm256_shuffle_ps::<0xee>(low, next_low),
                _mm256_shuffle_ps::<0x44>(high, next_high),
                _mm256_shuffle_ps::<0xee>(high, next_high),
            ];
            for (column, values) in all[h..].iter_mut().zip(columns) {
                _mm256_storeu_ps(column.as_mut_ptr(), values);
            }
        }
        all
    }
}

versions! {
    features "avx2,fma,f16c", needs [Isa::Avx2], tile "4x24",
    F32: f32 = f32, FloatScores<Avx2, false>, "attention_f32_4x24_avx2", "f32";
    F16: f16 = f16, FloatScores<Avx2, false>, "attention_f16_4x24_avx2", "f16";
    I8F32: Int8<f32> = f32, FloatScores<Avx2, true>, "attention_i8f32_4x24_avx2", "i8f32";
    I8F16: Int8<f16> = f16, FloatScores<Avx2, true>, "attention_i8f16_4x24_avx2", "i8f16";
}
