//! The lanes of every engine give the bits of one lane.

mod harness;

use harness::Values;
use kernels::features::{Features, Isa};
use kernels::lanes::Lanes;
use kernels::math::Activation;

const SPECIAL: [f32; 16] = [
    0.0,
    -0.0,
    0.5,
    1.5,
    2.5,
    -0.5,
    -1.5,
    126.5,
    127.5,
    -128.5,
    300.0,
    -300.0,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
    65520.0,
];

/// What each operation gives for three registers, as bits; −0 counts as 0 and every NaN as one.
#[inline(always)]
unsafe fn results<L: Lanes>(a: &[f32], b: &[f32], c: &[f32]) -> Vec<Vec<u32>> {
    let mut all = Vec::new();
    for start in (0..a.len()).step_by(L::COUNT) {
        let mut keep = |lanes: L, operation: usize| {
            let mut values = [0.0; 16];
            // SAFETY: the caller vouches for the instructions; `values` holds the widest register.
            unsafe { lanes.store(values.as_mut_ptr()) };
            if all.len() <= operation {
                all.resize(operation + 1, Vec::new());
            }
            let bits = |value: &f32| if value.is_nan() { 1 } else { (value + 0.0).to_bits() };
            all[operation].extend(values[..L::COUNT].iter().map(bits));
        };
        // SAFETY: as above; each slice holds a whole number of registers.
        unsafe {
            let (x, y, z) = (
                L::load(a[start..].as_ptr()),
                L::load(b[start..].as_ptr()),
                L::load(c[start..].as_ptr()),
            );
            for (operation, lanes) in [
                x.add(y),
                x.sub(y),
                x.mul(y),
                x.div(y),
                x.fma(y, z),
                x.abs().sqrt(),
                x.round(),
                x.at_least(z),
                x.at_most(z),
                L::select(x.less_than(y), z, x),
                y.round().at_least(L::splat(-126.0)).at_most(L::splat(127.0)).exp2_of_integer(),
            ]
            .into_iter()
            .enumerate()
            {
                keep(lanes, operation);
            }
            for (index, activation) in Activation::ALL.into_iter().enumerate() {
                keep(activation.lanes(x), 20 + index);
            }
            let mut halves = [half::f16::ZERO; 16];
            x.store_f16(halves.as_mut_ptr());
            keep(L::load_f16(halves.as_ptr()), 40);
            let mut bytes = [0; 16];
            x.store_i8(bytes.as_mut_ptr());
            keep(L::load_i8(bytes.as_ptr()), 41);
        }
    }
    all
}

#[test]
fn every_engine_gives_the_bits_of_one_lane() {
    let mut values = Values::new(1);
    let mut sample = |scale: f32| -> Vec<f32> {
        let mut sample: Vec<f32> = values.f32(1024).iter().map(|value| value * scale).collect();
        sample.extend(SPECIAL);
        sample
    };
    let (a, mut b, c) = (sample(90.0), sample(90.0), sample(1e30));
    let start = b.len() - SPECIAL.len();
    b[start..].rotate_right(3);
    // SAFETY: one lane needs no instructions.
    let plain = unsafe { results::<f32>(&a, &b, &c) };
    for (engine, fast) in engines(&a, &b, &c) {
        for (operation, (fast, plain)) in fast.iter().zip(&plain).enumerate() {
            harness::assert_same(fast, plain, format!("{engine}, operation {operation}"));
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn engines(a: &[f32], b: &[f32], c: &[f32]) -> Vec<(&'static str, Vec<Vec<u32>>)> {
    use kernels::lanes::{Avx2, Avx512};
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn avx2(a: &[f32], b: &[f32], c: &[f32]) -> Vec<Vec<u32>> {
        // SAFETY: the features are enabled here.
        unsafe { results::<Avx2>(a, b, c) }
    }
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    unsafe fn avx512(a: &[f32], b: &[f32], c: &[f32]) -> Vec<Vec<u32>> {
        // SAFETY: the features are enabled here.
        unsafe { results::<Avx512>(a, b, c) }
    }
    let features = Features::detect();
    let mut engines = Vec::new();
    if features.has(&[Isa::Avx2]) {
        // SAFETY: the CPU has the features.
        engines.push(("avx2", unsafe { avx2(a, b, c) }));
    }
    if features.has(&[Isa::Avx512]) {
        // SAFETY: the CPU has the features.
        engines.push(("avx512", unsafe { avx512(a, b, c) }));
    }
    engines
}

#[cfg(target_arch = "aarch64")]
fn engines(a: &[f32], b: &[f32], c: &[f32]) -> Vec<(&'static str, Vec<Vec<u32>>)> {
    assert!(Features::detect().has(&[Isa::Neon]));
    // SAFETY: every 64-bit Arm CPU has NEON.
    vec![("neon", unsafe { results::<kernels::lanes::Neon>(a, b, c) })]
}
