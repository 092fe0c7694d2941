//! The one-dimensional transforms, by Toom and Cook's method: `r` outputs of a filter of 3 taps from `r + 2` products, as the
//! product of two polynomials is found from its values at `r + 1` points and infinity.
//!
//! With the points `p`, `y_i = Σ_p p^i · gain⁻¹ · (weights_p · input_p)`, the last `y` plus the product at infinity, where
//! `input_p = Σ_i c_i · x_i` with `Π_{q ≠ p} (t − q) = Σ_i c_i · t^i`, and `weights_p = gain · (g0 + p·g1 + p²·g2) / Π_{q ≠ p} (p − q)`.
//! All points but 0 come in pairs, whose even and odd parts are shared.

/// What the transforms are computed in: a register of values.
///
/// # Safety
/// All methods need the CPU to have the engine's instructions.
pub(super) unsafe trait Vector: Copy {
    unsafe fn splat(value: f32) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    /// `self · factor + term`, rounded once.
    unsafe fn fma(self, factor: Self, term: Self) -> Self;
}

// SAFETY: passed on.
unsafe impl<L: crate::lanes::Lanes> Vector for L {
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: passed on to the caller.
        unsafe { L::splat(value) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: passed on to the caller.
        unsafe { L::add(self, other) }
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: passed on to the caller.
        unsafe { L::sub(self, other) }
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: passed on to the caller.
        unsafe { L::mul(self, other) }
    }
    #[inline(always)]
    unsafe fn fma(self, factor: Self, term: Self) -> Self {
        // SAFETY: passed on to the caller.
        unsafe { L::fma(self, factor, term) }
    }
}

/// The transforms of `F(r, 3)`.
pub(super) trait Points {
    /// Outputs.
    const OUT: usize;
    /// Inputs, and products.
    const IN: usize = Self::OUT + 2;
    /// The points but infinity, in the order of the products; all exact in f16, as are the coefficients.
    const FINITE: &'static [f64];
    /// The power of two that the weights of each product are multiplied with, so that none is too small for f16.
    const GAINS: &'static [f64];

    unsafe fn input<V: Vector>(x: impl Fn(usize) -> V, put: impl FnMut(usize, V));
    unsafe fn output<V: Vector>(m: impl Fn(usize) -> V, put: impl FnMut(usize, V));

    /// The coefficients of the three taps in a product's weight.
    fn weights(product: usize) -> [f64; 3] {
        let Some(&point) = Self::FINITE.get(product) else {
            return [0.0, 0.0, 1.0];
        };
        let others = Self::FINITE.iter().filter(|&&other| other != point);
        let factor = Self::GAINS[product] / others.map(|other| point - other).product::<f64>();
        [factor, factor * point, factor * point * point]
    }
}

/// `F(2, 3)`: the points 0, ±1.
pub(super) struct Two;

impl Points for Two {
    const OUT: usize = 2;
    const FINITE: &'static [f64] = &[0.0, 1.0, -1.0];
    const GAINS: &'static [f64] = &[1.0; 3];

    #[inline(always)]
    unsafe fn input<V: Vector>(x: impl Fn(usize) -> V, mut put: impl FnMut(usize, V)) {
        // SAFETY: passed on to the caller.
        unsafe {
            put(0, x(2).sub(x(0)));
            put(1, x(2).add(x(1)));
            put(2, x(2).sub(x(1)));
            put(3, x(3).sub(x(1)));
        }
    }

    #[inline(always)]
    unsafe fn output<V: Vector>(m: impl Fn(usize) -> V, mut put: impl FnMut(usize, V)) {
        // SAFETY: passed on to the caller.
        unsafe {
            put(0, m(0).add(m(1).add(m(2))));
            put(1, m(3).add(m(1).sub(m(2))));
        }
    }
}

/// `F(4, 3)`: the points 0, ±3/4, ±3/2. Their error is two thirds of that of 0, ±1, ±2.
pub(super) struct Four;

impl Points for Four {
    const OUT: usize = 4;
    const FINITE: &'static [f64] = &[0.0, 0.75, -0.75, 1.5, -1.5];
    const GAINS: &'static [f64] = &[1.0; 5];

    #[inline(always)]
    unsafe fn input<V: Vector>(x: impl Fn(usize) -> V, mut put: impl FnMut(usize, V)) {
        // SAFETY: passed on to the caller.
        unsafe {
            let x: [V; 6] = std::array::from_fn(x);
            let (sum, product) = (V::splat(-2.8125), V::splat(1.265_625));
            put(0, x[0].fma(product, x[2].fma(sum, x[4])));
            put(5, x[1].fma(product, x[3].fma(sum, x[5])));
            let factors = [V::splat(-2.25), V::splat(-0.5625)];
            let even = factors.map(|factor| x[2].fma(factor, x[4]));
            let odd = factors.map(|factor| x[1].fma(factor, x[3]));
            put(1, odd[0].fma(V::splat(0.75), even[0]));
            put(2, odd[0].fma(V::splat(-0.75), even[0]));
            put(3, odd[1].fma(V::splat(1.5), even[1]));
            put(4, odd[1].fma(V::splat(-1.5), even[1]));
        }
    }

    #[inline(always)]
    unsafe fn output<V: Vector>(m: impl Fn(usize) -> V, mut put: impl FnMut(usize, V)) {
        // SAFETY: passed on to the caller.
        unsafe {
            let (near, near_odd) = (m(1).add(m(2)), m(1).sub(m(2)));
            let (far, far_odd) = (m(3).add(m(4)), m(3).sub(m(4)));
            put(0, m(0).add(near.add(far)));
            put(1, far_odd.fma(V::splat(1.5), near_odd.mul(V::splat(0.75))));
            put(2, far.fma(V::splat(2.25), near.mul(V::splat(0.5625))));
            let last = near_odd.fma(V::splat(0.421_875), m(5));
            put(3, far_odd.fma(V::splat(3.375), last));
        }
    }
}

/// `F(6, 3)`: the points 0, ±1, ±2, ±1/2.
pub(super) struct Six;

impl Points for Six {
    const OUT: usize = 6;
    const FINITE: &'static [f64] = &[0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5];
    const GAINS: &'static [f64] = &[1.0, 1.0, 1.0, 16.0, 16.0, 1.0, 1.0];

    #[inline(always)]
    unsafe fn input<V: Vector>(x: impl Fn(usize) -> V, mut put: impl FnMut(usize, V)) {
        // SAFETY: passed on to the caller.
        unsafe {
            let x: [V; 8] = std::array::from_fn(x);
            put(0, x[2].sub(x[4]).fma(V::splat(5.25), x[6].sub(x[0])));
            put(7, x[3].sub(x[5]).fma(V::splat(5.25), x[7].sub(x[1])));
            let even = x[4].fma(V::splat(-4.25), x[6].add(x[2]));
            let odd = x[3].fma(V::splat(-4.25), x[5].add(x[1]));
            put(1, even.add(odd));
            put(2, even.sub(odd));
            let even = x[2].fma(V::splat(0.25), x[4].fma(V::splat(-1.25), x[6]));
            let odd = x[1].fma(V::splat(0.25), x[3].fma(V::splat(-1.25), x[5]));
            put(3, odd.fma(V::splat(2.0), even));
            put(4, odd.fma(V::splat(-2.0), even));
            let even = x[2].fma(V::splat(4.0), x[4].fma(V::splat(-5.0), x[6]));
            let odd = x[1].fma(V::splat(4.0), x[3].fma(V::splat(-5.0), x[5]));
            put(5, odd.fma(V::splat(0.5), even));
            put(6, odd.fma(V::splat(-0.5), even));
        }
    }

    #[inline(always)]
    unsafe fn output<V: Vector>(m: impl Fn(usize) -> V, mut put: impl FnMut(usize, V)) {
        // SAFETY: passed on to the caller.
        unsafe {
            let (one, one_odd) = (m(1).add(m(2)), m(1).sub(m(2)));
            let (two, two_odd) = (m(3).add(m(4)), m(3).sub(m(4)));
            let (half, half_odd) = (m(5).add(m(6)), m(5).sub(m(6)));
            put(0, two.fma(V::splat(1.0 / 16.0), m(0).add(one.add(half))));
            put(1, half_odd.fma(V::splat(0.5), two_odd.fma(V::splat(0.125), one_odd)));
            put(2, two.add(half).fma(V::splat(0.25), one));
            put(3, half_odd.fma(V::splat(0.125), two_odd.fma(V::splat(0.5), one_odd)));
            put(4, half.fma(V::splat(1.0 / 16.0), one.add(two)));
            let last = two_odd.fma(V::splat(2.0), m(7).add(one_odd));
            put(5, half_odd.fma(V::splat(1.0 / 32.0), last));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn convolves<P: Points>() {
        let x: [f32; 8] = [1.0, -3.0, 2.0, 5.0, -7.0, 4.0, 0.5, 6.0];
        let g = [2.0, -1.0, 0.75];
        let (mut products, mut y) = ([0.0_f32; 8], [f32::NAN; 8]);
        // SAFETY: one lane needs no instructions.
        unsafe {
            P::input(
                |i| x[i],
                |product, value| {
                    let weights = P::weights(product);
                    let weight: f64 = weights.iter().zip(&g).map(|(w, g)| w * f64::from(*g)).sum();
                    products[product] = value * weight as f32;
                },
            );
            P::output(|product| products[product], |i, value| y[i] = value);
        }
        for i in 0..P::OUT {
            let exact: f32 = (0..3).map(|tap| x[i + tap] * g[tap]).sum();
            assert!((y[i] - exact).abs() < 1e-4, "F({}, 3), y[{i}] = {}, {exact}", P::OUT, y[i]);
        }
        assert!(y[P::OUT..].iter().all(|value| value.is_nan()));
    }

    #[test]
    fn the_transforms_convolve() {
        convolves::<Two>();
        convolves::<Four>();
        convolves::<Six>();
    }
}
