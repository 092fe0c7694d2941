//! Elementary functions, written once in [`Lanes`]: every engine gives the same bits.
//!
//! | function | error against the exact value, for all f32 |
//! |----------|---------------------------------------------|
//! | `exp`, `exp_of_negative` | ≤ 2 units in the last place; 0 below −87.33, ∞ above 88.72 |
//! | `sigmoid`, `tanh`, `erf` | ≤ 2·10⁻⁷ absolute |
//! | `silu`, `gelu`, `gelu_tanh` | ≤ 2·10⁻⁷ · max(1, \|x\|) absolute |
//!
//! NaN gives NaN.

use crate::lanes::Lanes;

#[cfg(target_arch = "aarch64")]
pub mod neon_fp16;

/// An activation that a kernel applies to what it computed before it stores it.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum Activation {
    /// `x`
    #[default]
    None,
    /// `max(x, 0)`
    Relu,
    /// `min(max(x, 0), 6)`
    Relu6,
    /// `x / (1 + e^−x)`
    Silu,
    /// `x · Φ(x)`, with the exact error function
    Gelu,
    /// `x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`
    GeluTanh,
    /// `x · min(max(x + 3, 0), 6) / 6`
    HardSwish,
    /// `1 / (1 + e^−x)`
    Sigmoid,
    /// `tanh(x)`
    Tanh,
}

impl Activation {
    /// Every activation.
    pub const ALL: [Activation; 9] = [
        Activation::None,
        Activation::Relu,
        Activation::Relu6,
        Activation::Silu,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::HardSwish,
        Activation::Sigmoid,
        Activation::Tanh,
    ];

    /// The function of one value: the specification.
    pub fn of(self, x: f32) -> f32 {
        // SAFETY: one lane needs no instructions.
        unsafe { self.lanes(x) }
    }

    /// The limits of an activation that only clamps: `at_least` the first and `at_most` the second are its bits.
    pub fn limits(self) -> Option<[f32; 2]> {
        match self {
            Activation::None => Some([f32::NEG_INFINITY, f32::INFINITY]),
            Activation::Relu => Some([0.0, f32::INFINITY]),
            Activation::Relu6 => Some([0.0, 6.0]),
            _ => None,
        }
    }

    /// The function of each lane.
    ///
    /// # Safety
    /// The CPU has the engine's instructions.
    #[inline(always)]
    pub unsafe fn lanes<L: Lanes>(self, x: L) -> L {
        // SAFETY: passed on to the caller.
        unsafe {
            match self {
                Activation::None => x,
                Activation::Relu => x.at_least(L::splat(0.0)),
                Activation::Relu6 => x.at_least(L::splat(0.0)).at_most(L::splat(6.0)),
                Activation::Silu => silu(x),
                Activation::Gelu => gelu(x),
                Activation::GeluTanh => gelu_tanh(x),
                Activation::HardSwish => hard_swish(x),
                Activation::Sigmoid => sigmoid(x),
                Activation::Tanh => tanh(x),
            }
        }
    }
}

/// `e^x`: Cody and Waite's reduction to |r| ≤ ln 2 / 2, then Cephes' polynomial of degree 6.
///
/// # Safety
/// The CPU has the engine's instructions; so for all functions below.
#[inline(always)]
pub unsafe fn exp<L: Lanes>(x: L) -> L {
    // SAFETY: passed on to the caller.
    unsafe {
        let bounded = x.at_least(L::splat(-87.336_54)).at_most(L::splat(88.722_83));
        let n = bounded.mul(L::splat(std::f32::consts::LOG2_E)).round();
        let p = power(bounded, n);
        // 2^128 is no f32: the power is applied in two steps.
        let half = n.mul(L::splat(0.5)).round();
        let value = p.mul(half.exp2_of_integer()).mul(n.sub(half).exp2_of_integer());
        let value = L::select(x.less_than(L::splat(-87.336_54)), L::splat(0.0), value);
        L::select(L::splat(88.722_83).less_than(x), L::splat(f32::INFINITY), value)
    }
}

/// `e^x / 2^n` where n is the integer nearest to `x log2 e`.
#[inline(always)]
unsafe fn power<L: Lanes>(x: L, n: L) -> L {
    // SAFETY: passed on to the caller.
    unsafe {
        let r = n.fma(L::splat(-0.693_359_4), x);
        let r = n.fma(L::splat(2.121_944_4e-4), r);
        let p = L::splat(1.987_569_1e-4);
        let p = p.fma(r, L::splat(1.398_2e-3));
        let p = p.fma(r, L::splat(8.333_452e-3));
        let p = p.fma(r, L::splat(4.166_579_6e-2));
        let p = p.fma(r, L::splat(1.666_666_5e-1));
        let p = p.fma(r, L::splat(0.5));
        p.fma(r.mul(r), r).add(L::splat(1.0))
    }
}

/// `e^x` for |x| ≤ 87, where a single multiplication by a power of two is enough.
///
/// # Safety
/// See [`exp`].
#[inline(always)]
unsafe fn exp_bounded<L: Lanes>(x: L) -> L {
    // SAFETY: passed on to the caller.
    unsafe {
        let n = x.mul(L::splat(std::f32::consts::LOG2_E)).round();
        power(x, n).mul(n.exp2_of_integer())
    }
}

/// `e^x` for x ≤ 0 in fewer steps than [`exp`], whose error it has: the same reduction, then a polynomial of degree 5
/// that is within 9.2·10⁻⁸ of the power, by least squares with Lawson's weights.
///
/// # Safety
/// See [`exp`].
#[inline(always)]
pub unsafe fn exp_of_negative<L: Lanes>(x: L) -> L {
    // SAFETY: passed on to the caller.
    unsafe {
        let bounded = x.at_least(L::splat(-87.336_54));
        let n = bounded.mul(L::splat(std::f32::consts::LOG2_E)).round();
        let r = n.fma(L::splat(-0.693_359_4), bounded);
        let r = n.fma(L::splat(2.121_944_4e-4), r);
        let p = L::splat(8.290_272e-3).fma(r, L::splat(4.189_816e-2));
        let p = p.fma(r, L::splat(1.666_763_9e-1));
        let p = p.fma(r, L::splat(4.999_914_8e-1));
        let p = p.fma(r, L::splat(9.999_997e-1));
        let p = p.fma(r, L::splat(1.0));
        let value = p.mul(n.exp2_of_integer());
        L::select(x.less_than(L::splat(-87.336_54)), L::splat(0.0), value)
    }
}

/// `1 / (1 + e^−x)`
///
/// # Safety
/// See [`exp`].
#[inline(always)]
pub unsafe fn sigmoid<L: Lanes>(x: L) -> L {
    // SAFETY: passed on to the caller.
    unsafe {
        let less = L::splat(0.0).sub(x).at_least(L::splat(-87.0)).at_most(L::splat(87.0));
        L::splat(1.0).div(L::splat(1.0).add(exp_bounded(less)))
    }
}

/// `x / (1 + e^−x)`; −∞ gives the limit, nearly 0.
///
/// # Safety
/// See [`exp`].
#[inline(always)]
pub unsafe fn silu<L: Lanes>(x: L) -> L {
    // SAFETY: passed on to the caller.
    unsafe {
        let x = x.at_least(L::splat(-87.0));
        let less = L::splat(0.0).sub(x.at_most(L::splat(87.0)));
        x.div(L::splat(1.0).add(exp_bounded(less)))
    }
}

/// `tanh(x) = 1 − 2 / (e^2x + 1)`
///
/// # Safety
/// See [`exp`].
#[inline(always)]
pub unsafe fn tanh<L: Lanes>(x: L) -> L {
    // SAFETY: passed on to the caller.
    unsafe { L::splat(1.0).sub(L::splat(2.0).div(exp(x.add(x)).add(L::splat(1.0)))) }
}

/// The error function, by Abramowitz and Stegun 7.1.26.
///
/// # Safety
/// See [`exp`].
#[inline(always)]
pub unsafe fn erf<L: Lanes>(x: L) -> L {
    // SAFETY: passed on to the caller.
    unsafe {
        let size = x.abs();
        let t = L::splat(1.0).div(size.fma(L::splat(0.327_591_1), L::splat(1.0)));
        let p = L::splat(1.061_405_4);
        let p = p.fma(t, L::splat(-1.453_152));
        let p = p.fma(t, L::splat(1.421_413_7));
        let p = p.fma(t, L::splat(-0.284_496_74));
        let p = p.fma(t, L::splat(0.254_829_6));
        let tail = p.mul(t).mul(exp_of_negative(L::splat(0.0).sub(size.mul(size))));
        let value = L::splat(1.0).sub(tail);
        L::select(x.less_than(L::splat(0.0)), L::splat(0.0).sub(value), value)
    }
}

/// `x · (1 + erf(x / √2)) / 2`
///
/// # Safety
/// See [`exp`].
#[inline(always)]
pub unsafe fn gelu<L: Lanes>(x: L) -> L {
    // SAFETY: passed on to the caller.
    unsafe {
        let half = x.mul(L::splat(0.5));
        half.fma(erf(x.mul(L::splat(std::f32::consts::FRAC_1_SQRT_2))), half)
    }
}

/// `x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`
///
/// # Safety
/// See [`exp`].
#[inline(always)]
pub unsafe fn gelu_tanh<L: Lanes>(x: L) -> L {
    // SAFETY: passed on to the caller.
    unsafe {
        let cubic = x.mul(x).fma(L::splat(0.044_715), L::splat(1.0));
        let half = x.mul(L::splat(0.5));
        half.fma(tanh(x.mul(L::splat(0.797_884_6)).mul(cubic)), half)
    }
}

/// `x · min(max(x + 3, 0), 6) / 6`
///
/// # Safety
/// See [`exp`].
#[inline(always)]
pub unsafe fn hard_swish<L: Lanes>(x: L) -> L {
    // SAFETY: passed on to the caller.
    unsafe {
        let gate = x.add(L::splat(3.0)).at_least(L::splat(0.0)).at_most(L::splat(6.0));
        x.mul(gate).mul(L::splat(1.0 / 6.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> impl Iterator<Item = f32> {
        (-20_000..20_000).map(|i| i as f32 * 0.005)
    }

    #[test]
    fn exp_is_within_two_units_in_the_last_place() {
        for x in samples().filter(|x| (-87.0..88.7).contains(x)) {
            // SAFETY: one lane needs no instructions.
            let (got, exact) = (f64::from(unsafe { exp(x) }), f64::from(x).exp());
            let unit = exact * f64::from(f32::EPSILON);
            assert!((got - exact).abs() <= 2.0 * unit, "exp({x}) = {got}, exactly {exact}");
            if x <= 0.0 {
                // SAFETY: one lane needs no instructions.
                let got = f64::from(unsafe { exp_of_negative(x) });
                assert!((got - exact).abs() <= 2.0 * unit, "of negative {x}: {got}, not {exact}");
            }
        }
    }

    #[test]
    fn exp_ends_in_zero_infinity_and_nan() {
        // SAFETY: one lane needs no instructions.
        unsafe {
            assert_eq!(exp(-100.0_f32), 0.0);
            assert_eq!(exp(f32::NEG_INFINITY), 0.0);
            assert_eq!(exp(89.0_f32), f32::INFINITY);
            assert_eq!(exp(f32::INFINITY), f32::INFINITY);
            assert!(exp(f32::NAN).is_nan());
            assert_eq!(exp(0.0_f32), 1.0);
            assert_eq!(exp_of_negative(-100.0_f32), 0.0);
            assert_eq!(exp_of_negative(f32::NEG_INFINITY), 0.0);
            assert!(exp_of_negative(f32::NAN).is_nan());
            assert_eq!(exp_of_negative(0.0_f32), 1.0);
        }
    }

    #[test]
    fn activations_are_near_their_formulas() {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        for x in samples() {
            let wide = f64::from(x);
            let bound = 2e-7 * wide.abs().max(1.0);
            let near = |activation: Activation, exact: f64| {
                let got = f64::from(activation.of(x));
                assert!(
                    (got - exact).abs() <= bound,
                    "{activation:?}({x}) = {got}, exactly {exact}"
                );
            };
            near(Activation::Relu, wide.max(0.0));
            near(Activation::Relu6, wide.clamp(0.0, 6.0));
            near(Activation::Sigmoid, sigmoid(wide));
            near(Activation::Silu, wide * sigmoid(wide));
            near(Activation::Tanh, wide.tanh());
            near(Activation::HardSwish, wide * (wide + 3.0).clamp(0.0, 6.0) / 6.0);
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (wide + 0.044715 * wide.powi(3));
            near(Activation::GeluTanh, wide / 2.0 * (1.0 + inner.tanh()));
        }
    }
}
