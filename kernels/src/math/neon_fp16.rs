//! Elementary functions of eight halves, computed in half precision.
//!
//! | function | error against the exact value of the given half, for all halves |
//! |----------|------------------------------------------------------------------|
//! | `exp` | ≤ 1.1 units in the last place, subnormal results included; 0 below −17.4, ∞ from 11.1 |
//! | `exp_normal` | ≤ 1.1 units in the last place, for −9.5 ≤ x ≤ 10.7 |
//! | `reciprocal` | ≤ 2⁻¹⁰ relative, for 2⁻¹⁴ ≤ \|x\| ≤ 2¹³ |
//! | `sigmoid` | ≤ 2⁻¹⁰ absolute |
//! | `tanh` | ≤ 2⁻⁹ absolute |
//! | `silu`, `gelu`, `gelu_tanh` | ≤ 1.3 · 2⁻¹⁰ · max(1, \|x\|) absolute |
//!
//! NaN gives NaN where the range is not restricted. The tests try all 65 536 halves.
//!
//! The functions are made of additions, multiplications and integer operations only: on Cortex-A76 a rounding, a
//! conversion and a reciprocal estimate of eight halves take eight times as long as these.

use super::Activation;
use half::f16;
use std::arch::aarch64::*;

/// 1.5 · 2¹⁰: a half in whose last bits an integer from −512 to 511 can be read after it was added.
pub(crate) const MAGIC: f32 = 1536.0;
/// The least step of int8 beside which the error of halves is small.
pub(crate) const LEAST_STEP: f32 = 0.003_906_25;
/// log2 e as the sum of two halves.
pub(crate) const LOG2_E: f32 = 1.442_382_8;
pub(crate) const LOG2_E_REST: f32 = 3.122_284e-4;
/// `1 + r (0.693359 + r (0.242188 + 0.054657 r))` is 2^r for |r| ≤ 1/2, to 1.2·10⁻⁴ relative.
const POWER: [u16; 2] =
    [f16::from_f32_const(0.693_359_4).to_bits(), f16::from_f32_const(0.242_187_5).to_bits()];
const POWER_LAST: f32 = 0.054_656_982;
/// The bits of 1/x are these less the bits of x, to 5.1 %.
pub(crate) const RECIPROCAL_BITS: u16 = 0x7798;
/// Between these `1 + e^−x` is a half whose reciprocal can be estimated, or 1.
pub(crate) const SIGMOID_RANGE: (f32, f32) = (-10.3, 10.0);

/// A half in all lanes.
#[inline]
#[target_feature(enable = "neon,fp16")]
pub fn splat(value: f32) -> float16x8_t {
    vdupq_lane_f16::<0>(vcvt_f16_f32(vdupq_n_f32(value)))
}

/// A half in all lanes, loaded anew each time: for the term of a multiply-add, which its result overwrites. A copy
/// from a register that holds it would take the place of an addition, a load does not.
#[inline]
#[target_feature(enable = "neon,fp16")]
fn term<const BITS: u16>() -> float16x8_t {
    reload(const { &[BITS; 8] })
}

/// Loads eight halves' bits anew each time, see `term`.
#[inline]
#[target_feature(enable = "neon,fp16")]
pub(crate) fn reload(bits: &[u16; 8]) -> float16x8_t {
    let loaded: float16x8_t;
    // SAFETY: the array holds eight halves.
    unsafe {
        std::arch::asm!(
            "ldur {loaded:q}, [{bits}]",
            loaded = lateout(vreg) loaded,
            bits = in(reg) bits,
            options(nostack, preserves_flags, readonly),
        );
    }
    loaded
}

const ONE: u16 = f16::ONE.to_bits();
const MAGIC_BITS: u16 = f16::from_f32_const(MAGIC).to_bits();

/// Reads eight halves.
///
/// # Safety
/// The pointer is good for eight values.
#[inline]
#[target_feature(enable = "neon,fp16")]
pub unsafe fn load(from: *const f16) -> float16x8_t {
    // SAFETY: the caller's.
    vreinterpretq_f16_u16(unsafe { vld1q_u16(from.cast()) })
}

/// Writes eight halves.
///
/// # Safety
/// The pointer is good for eight values.
#[inline]
#[target_feature(enable = "neon,fp16")]
pub unsafe fn store(values: float16x8_t, to: *mut f16) {
    // SAFETY: the caller's.
    unsafe { vst1q_u16(to.cast(), vreinterpretq_u16_f16(values)) }
}

/// Reads `count` < 8 halves; the others are 0.
///
/// # Safety
/// The pointer is good for `count` values.
#[inline]
#[target_feature(enable = "neon,fp16")]
pub unsafe fn load_first(from: *const f16, count: usize) -> float16x8_t {
    let mut halves = [f16::ZERO; 8];
    // SAFETY: the caller's; the array holds eight.
    unsafe {
        std::ptr::copy_nonoverlapping(from, halves.as_mut_ptr(), count);
        load(halves.as_ptr())
    }
}

/// Writes the first `count` < 8 halves.
///
/// # Safety
/// The pointer is good for `count` values.
#[inline]
#[target_feature(enable = "neon,fp16")]
pub unsafe fn store_first(values: float16x8_t, to: *mut f16, count: usize) {
    let mut halves = [f16::ZERO; 8];
    // SAFETY: the caller's; the array holds eight.
    unsafe {
        store(values, halves.as_mut_ptr());
        std::ptr::copy_nonoverlapping(halves.as_ptr(), to, count);
    }
}

/// Multiplies f32 values and rounds them to halves, as many as both slices hold.
#[inline]
#[target_feature(enable = "neon,fp16")]
pub(crate) fn narrow(from: &[f32], factor: f32, to: &mut [f16]) {
    let count = from.len().min(to.len());
    let whole = count / 4 * 4;
    for start in (0..whole).step_by(4) {
        // SAFETY: both slices hold four values from here on.
        unsafe {
            let halves = vcvt_f16_f32(vmulq_n_f32(vld1q_f32(from.as_ptr().add(start)), factor));
            vst1_u16(to.as_mut_ptr().add(start).cast(), vreinterpret_u16_f16(halves));
        }
    }
    for at in whole..count {
        to[at] = f16::from_f32(from[at] * factor);
    }
}

/// The integers of `MAGIC + integer`, clamped to int8.
#[inline]
#[target_feature(enable = "neon,fp16")]
pub(crate) fn bytes(shifted: float16x8_t) -> int8x8_t {
    let zero = vreinterpretq_s16_f16(splat(MAGIC));
    vqmovn_s16(vqsubq_s16(vreinterpretq_s16_f16(shifted), zero))
}

/// 2^r for |r| ≤ 1/2.
#[inline]
#[target_feature(enable = "neon,fp16")]
pub(crate) fn power(r: float16x8_t) -> float16x8_t {
    let p = vfmaq_f16(term::<{ POWER[1] }>(), splat(POWER_LAST), r);
    let p = vfmaq_f16(term::<{ POWER[0] }>(), p, r);
    vfmaq_f16(term::<ONE>(), p, r)
}

/// `value · 2^n` where `shifted` is `MAGIC + n` and both the value and the result are normal.
#[inline]
#[target_feature(enable = "neon,fp16")]
pub(crate) fn scaled(value: float16x8_t, shifted: float16x8_t) -> float16x8_t {
    let exponent = vshlq_n_s16::<10>(vreinterpretq_s16_f16(shifted));
    vreinterpretq_f16_s16(vaddq_s16(vreinterpretq_s16_f16(value), exponent))
}

/// 2^t for −14.5 < t < 15.5.
#[inline]
#[target_feature(enable = "neon,fp16")]
pub fn exp2_normal(t: float16x8_t) -> float16x8_t {
    let shifted = vaddq_f16(t, splat(MAGIC));
    let n = vsubq_f16(shifted, splat(MAGIC));
    scaled(power(vsubq_f16(t, n)), shifted)
}

/// `2^(shift + x · (factor + rest))`, for results from 2⁻¹⁴ to 2¹⁵; `factor + rest` is log2 e for a power of e.
///
/// `shift` is an integer. A sum of powers of e over scores, which are all ≤ 0, has 29 binary digits of range if it
/// is computed with a shift of 15.
#[inline]
#[target_feature(enable = "neon,fp16")]
pub fn exp_shifted<const SHIFT: i16>(
    x: float16x8_t,
    factor: float16x8_t,
    rest: float16x8_t,
) -> float16x8_t {
    let magic = splat(MAGIC + f32::from(SHIFT));
    let shifted = vfmaq_f16(magic, x, factor);
    let less_n = vsubq_f16(magic, shifted);
    let r = vfmaq_f16(vfmaq_f16(less_n, x, factor), x, rest);
    scaled(power(r), shifted)
}

/// `e^x` for −9.5 ≤ x ≤ 10.7; what it gives elsewhere is not defined.
#[inline]
#[target_feature(enable = "neon,fp16")]
pub fn exp_normal(x: float16x8_t) -> float16x8_t {
    exp_shifted::<0>(x, splat(LOG2_E), splat(LOG2_E_REST))
}

/// `e^x`
#[inline]
#[target_feature(enable = "neon,fp16")]
pub fn exp(x: float16x8_t) -> float16x8_t {
    let x = vminq_f16(vmaxq_f16(x, splat(-18.0)), splat(11.1));
    let shifted = vfmaq_f16(term::<MAGIC_BITS>(), x, splat(LOG2_E));
    let n = vsubq_f16(shifted, splat(MAGIC));
    let r = vfmaq_f16(vnegq_f16(n), x, splat(LOG2_E));
    let r = vfmaq_f16(r, x, splat(LOG2_E_REST));
    // 2^16 is no half, and 2^-24 is not a normal one: the power is applied in two steps.
    let n = vsubq_s16(vreinterpretq_s16_f16(shifted), vreinterpretq_s16_f16(splat(MAGIC)));
    let half = vshrq_n_s16::<1>(n);
    let rest = vsubq_s16(n, half);
    let one = vreinterpretq_s16_f16(splat(1.0));
    let of = |n| vreinterpretq_f16_s16(vaddq_s16(one, vshlq_n_s16::<10>(n)));
    vmulq_f16(vmulq_f16(power(r), of(half)), of(rest))
}

/// `1/x` for 2⁻¹⁴ ≤ |x| ≤ 2¹³. Up to 31 104 the result is between 0 and 1/x; NaN is lost.
#[inline]
#[target_feature(enable = "neon,fp16")]
pub fn reciprocal(x: float16x8_t) -> float16x8_t {
    let bits = vsubq_u16(vdupq_n_u16(RECIPROCAL_BITS), vreinterpretq_u16_f16(x));
    let estimate = vreinterpretq_f16_u16(bits);
    // 1/(1 − e) = 1 + e + e² + …
    let error = vfmsq_f16(term::<ONE>(), x, estimate);
    vfmaq_f16(estimate, estimate, vfmaq_f16(error, error, error))
}

/// `1 / (1 + e^−x)` for x within [`SIGMOID_RANGE`]; NaN is lost.
///
/// Here and below `N` registers are computed in step, so that none waits for its own results.
#[inline]
#[target_feature(enable = "neon,fp16")]
fn sigmoid_bounded<const N: usize>(x: [float16x8_t; N]) -> [float16x8_t; N] {
    let shifted = x.map(|x| vfmsq_f16(term::<MAGIC_BITS>(), x, splat(LOG2_E)));
    let mut less_r = shifted.map(|shifted| vsubq_f16(shifted, splat(MAGIC)));
    for i in 0..N {
        // The rest of log2 e is less than what sigmoid's slope lets through.
        less_r[i] = vfmaq_f16(less_r[i], x[i], splat(LOG2_E));
    }
    let mut p = less_r.map(|r| vfmsq_f16(term::<{ POWER[1] }>(), splat(POWER_LAST), r));
    for i in 0..N {
        p[i] = vfmsq_f16(term::<{ POWER[0] }>(), p[i], less_r[i]);
    }
    for i in 0..N {
        p[i] = vfmsq_f16(term::<ONE>(), p[i], less_r[i]);
    }
    for i in 0..N {
        p[i] = vaddq_f16(splat(1.0), scaled(p[i], shifted[i]));
    }
    p.map(|p| reciprocal(p))
}

/// `value` where `x` is a number, else `x`.
#[inline]
#[target_feature(enable = "neon,fp16")]
fn number_or_nan(x: float16x8_t, value: float16x8_t) -> float16x8_t {
    vbslq_f16(vceqq_f16(x, x), value, x)
}

/// `1 / (1 + e^−x)`
#[inline]
#[target_feature(enable = "neon,fp16")]
pub fn sigmoid(x: float16x8_t) -> float16x8_t {
    let (least, greatest) = SIGMOID_RANGE;
    let [value] = sigmoid_bounded([vminq_f16(vmaxq_f16(x, splat(least)), splat(greatest))]);
    number_or_nan(x, value)
}

/// `x / (1 + e^−x)`; −∞ gives the limit, nearly 0.
#[inline]
#[target_feature(enable = "neon,fp16")]
pub fn silu(x: float16x8_t) -> float16x8_t {
    let [y] = silu_each([x]);
    y
}

/// [`silu`] of some registers.
#[inline]
#[target_feature(enable = "neon,fp16")]
pub fn silu_each<const N: usize>(x: [float16x8_t; N]) -> [float16x8_t; N] {
    let (least, greatest) = SIGMOID_RANGE;
    let x = x.map(|x| vmaxq_f16(x, splat(least)));
    product(x, sigmoid_bounded(x.map(|x| vminq_f16(x, splat(greatest)))))
}

#[inline]
#[target_feature(enable = "neon,fp16")]
fn product<const N: usize>(mut x: [float16x8_t; N], y: [float16x8_t; N]) -> [float16x8_t; N] {
    for i in 0..N {
        x[i] = vmulq_f16(x[i], y[i]);
    }
    x
}

/// `tanh(x)`
#[inline]
#[target_feature(enable = "neon,fp16")]
pub fn tanh(x: float16x8_t) -> float16x8_t {
    let bounded = vminq_f16(vmaxq_f16(x, splat(-5.0)), splat(5.0));
    let one = splat(1.0);
    let [share] = sigmoid_bounded([vnegq_f16(vaddq_f16(bounded, bounded))]);
    let far = vfmsq_f16(one, splat(2.0), share);
    let square = vmulq_f16(bounded, bounded);
    let series = vfmaq_f16(splat(-1.0 / 3.0), square, splat(2.0 / 15.0));
    let near = vfmaq_f16(bounded, vmulq_f16(bounded, square), series);
    number_or_nan(x, vbslq_f16(vcltq_f16(vabsq_f16(bounded), splat(0.4)), near, far))
}

/// `x · Φ(x)`: Φ is the sigmoid of a polynomial of x, to 2.6·10⁻⁵ of the product.
#[inline]
#[target_feature(enable = "neon,fp16")]
pub fn gelu(x: float16x8_t) -> float16x8_t {
    let [y] = gelu_each([x]);
    y
}

/// [`gelu`] of some registers.
#[inline]
#[target_feature(enable = "neon,fp16")]
pub fn gelu_each<const N: usize>(x: [float16x8_t; N]) -> [float16x8_t; N] {
    const FACTORS: [u16; 2] =
        [f16::from_f32_const(1.595_015_8).to_bits(), f16::from_f32_const(0.074_011_29).to_bits()];
    let x = x.map(|x| vmaxq_f16(x, splat(-3.95)));
    let bounded = x.map(|x| vminq_f16(x, splat(3.85)));
    let square = product(bounded, bounded);
    let mut factor =
        square.map(|square| vfmaq_f16(term::<{ FACTORS[1] }>(), square, splat(-7.030_336e-4)));
    for i in 0..N {
        factor[i] = vfmaq_f16(term::<{ FACTORS[0] }>(), square[i], factor[i]);
    }
    product(x, sigmoid_bounded(product(bounded, factor)))
}

/// `x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`
#[inline]
#[target_feature(enable = "neon,fp16")]
pub fn gelu_tanh(x: float16x8_t) -> float16x8_t {
    let [y] = gelu_tanh_each([x]);
    y
}

/// [`gelu_tanh`] of some registers.
#[inline]
#[target_feature(enable = "neon,fp16")]
pub fn gelu_tanh_each<const N: usize>(x: [float16x8_t; N]) -> [float16x8_t; N] {
    const FACTOR: u16 = f16::from_f32_const(1.595_769_1).to_bits();
    let x = x.map(|x| vmaxq_f16(x, splat(-3.85)));
    let bounded = x.map(|x| vminq_f16(x, splat(3.8)));
    let square = product(bounded, bounded);
    let factor = square.map(|square| vfmaq_f16(term::<FACTOR>(), square, splat(0.071_354_82)));
    product(x, sigmoid_bounded(product(bounded, factor)))
}

/// `x · min(max(x + 3, 0), 6) / 6`
#[inline]
#[target_feature(enable = "neon,fp16")]
pub fn hard_swish(x: float16x8_t) -> float16x8_t {
    let gate = vmaxq_f16(vfmaq_f16(splat(0.5), x, splat(1.0 / 6.0)), splat(0.0));
    vmulq_f16(x, vminq_f16(gate, splat(1.0)))
}

impl Activation {
    /// The function of eight halves, computed in half precision.
    #[inline]
    #[target_feature(enable = "neon,fp16")]
    pub fn halves(self, x: float16x8_t) -> float16x8_t {
        match self {
            Activation::None => x,
            Activation::Relu => vmaxq_f16(x, splat(0.0)),
            Activation::Relu6 => vminq_f16(vmaxq_f16(x, splat(0.0)), splat(6.0)),
            Activation::Silu => silu(x),
            Activation::Gelu => gelu(x),
            Activation::GeluTanh => gelu_tanh(x),
            Activation::HardSwish => hard_swish(x),
            Activation::Sigmoid => sigmoid(x),
            Activation::Tanh => tanh(x),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::{Features, Isa};

    type Function = unsafe fn(float16x8_t) -> float16x8_t;

    /// Every half with what `function` gives for it; nothing where the CPU lacks the instructions.
    fn all(function: Function) -> Vec<(f64, f64)> {
        if !Features::detect().has(&[Isa::NeonFp16]) {
            return Vec::new();
        }
        let mut pairs = Vec::new();
        for start in (0..=u16::MAX).step_by(8) {
            let x: [f16; 8] = std::array::from_fn(|lane| f16::from_bits(start + lane as u16));
            let mut y = [f16::ZERO; 8];
            // SAFETY: the CPU has the instructions; both arrays hold eight halves.
            unsafe { store(function(load(x.as_ptr())), y.as_mut_ptr()) };
            pairs.extend(x.iter().zip(y).map(|(x, y)| (x.to_f64(), y.to_f64())));
        }
        pairs
    }

    /// The distance between the halves around a value.
    fn unit(value: f64) -> f64 {
        2_f64.powi(value.abs().log2().floor().max(-14.0) as i32 - 10)
    }

    fn check(
        name: &str,
        function: Function,
        exact: impl Fn(f64) -> f64,
        bound: impl Fn(f64, f64) -> f64,
    ) {
        let mut worst = (0.0, 0.0, 0.0);
        for (x, got) in all(function) {
            if x.is_nan() {
                assert!(got.is_nan(), "{name}(NaN) = {got}");
                continue;
            }
            if x.is_infinite() {
                continue;
            }
            let exact = exact(x);
            if f16::from_f64(exact).is_infinite() {
                assert!(got.is_infinite(), "{name}({x}) = {got}");
                continue;
            }
            let share = (got - exact).abs() / bound(x, exact);
            if !(share <= worst.0) {
                worst = (share, x, got);
            }
        }
        let (share, x, got) = worst;
        println!("{name}: worst at {x}: {got}, {share} of the bound");
        assert!(share <= 1.0, "{name}({x}) = {got}, {share} times the bound from {}", exact(x));
    }

    fn phi(x: f64) -> f64 {
        // The series of the density about 0, and the continued fraction of the tail.
        let density = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
        if x.abs() < 4.0 {
            let (mut term, mut sum) = (x, x);
            for i in 1..100 {
                term *= x * x / f64::from(2 * i + 1);
                sum += term;
            }
            0.5 + sum * density
        } else {
            let fraction = (1..60).rev().fold(x.abs(), |inner, i| x.abs() + f64::from(i) / inner);
            let tail = density / fraction;
            if x < 0.0 { tail } else { 1.0 - tail }
        }
    }

    #[test]
    fn halves_stay_within_the_bounds() {
        let sigmoid_of = |x: f64| 1.0 / (1.0 + (-x).exp());
        let wide = |x: f64, _| 1.3 * x.abs().max(1.0) * 2_f64.powi(-10);
        check("exp", exp, f64::exp, |_, exact| 1.1 * unit(exact));
        check("sigmoid", sigmoid, sigmoid_of, |_, _| 2_f64.powi(-10));
        check("tanh", tanh, f64::tanh, |_, _| 2_f64.powi(-9));
        check("silu", silu, |x| x * sigmoid_of(x), wide);
        check("gelu", gelu, |x| x * phi(x), wide);
        let inner = |x: f64| (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
        check("gelu_tanh", gelu_tanh, |x| x * sigmoid_of(2.0 * inner(x)), wide);
        let gate = |x: f64| (x / 6.0 + 0.5).clamp(0.0, 1.0);
        check("hard_swish", hard_swish, |x| x * gate(x), wide);
    }

    #[test]
    fn restricted_functions_stay_within_the_bounds() {
        for (x, got) in all(exp_normal) {
            if (-9.5..=10.7).contains(&x) {
                let exact = x.exp();
                assert!((got - exact).abs() <= 1.1 * unit(exact), "exp_normal({x}) = {got}");
            }
        }
        for (x, got) in all(reciprocal) {
            if (2_f64.powi(-14)..=2_f64.powi(13)).contains(&x.abs()) {
                assert!((got * x - 1.0).abs() <= 2_f64.powi(-10), "reciprocal({x}) = {got}");
            }
        }
    }

    #[test]
    fn infinities_go_to_the_limits() {
        if !Features::detect().has(&[Isa::NeonFp16]) {
            return;
        }
        let at = |function: Function, x: f16| {
            all(function).into_iter().find(|&(at, _)| at == x.to_f64()).unwrap().1
        };
        assert_eq!(at(exp, f16::NEG_INFINITY), 0.0);
        assert_eq!(at(exp, f16::INFINITY), f64::INFINITY);
        assert_eq!(at(sigmoid, f16::INFINITY), 1.0);
        assert_eq!(at(tanh, f16::NEG_INFINITY), -1.0);
        assert_eq!(at(silu, f16::INFINITY), f64::INFINITY);
        assert!(at(silu, f16::NEG_INFINITY).abs() < 2_f64.powi(-11));
        assert_eq!(at(gelu, f16::INFINITY), f64::INFINITY);
    }
}
