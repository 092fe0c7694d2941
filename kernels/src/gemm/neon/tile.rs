//! Finishing a tile of sums while it is in registers, and the loops around it.

use crate::gemm::epilogue::{Finish, Source, Target};
use crate::math::Activation;
use half::f16;
use std::arch::aarch64::*;
use std::arch::asm;

/// A tile of sums: `M` rows of `V` registers.
pub(in crate::gemm) type Tile<const M: usize, const V: usize> = [[int32x4_t; V]; M];

/// Where a row of a tile goes.
trait Store: Copy {
    /// # Safety
    /// The row is good for `4·V` values from `column`.
    unsafe fn store<const V: usize>(self, row: usize, values: [float32x4_t; V]);
}

/// What is added to a row of a tile.
trait Add: Copy {
    /// # Safety
    /// As for [`Store::store`].
    unsafe fn add<const V: usize>(self, row: usize, values: [float32x4_t; V]) -> [float32x4_t; V];
}

#[derive(Clone, Copy)]
struct Nothing;
#[derive(Clone, Copy)]
struct Floats(*mut f32, usize);
#[derive(Clone, Copy)]
struct Halves(*mut f16, usize);
#[derive(Clone, Copy)]
struct Bytes(*mut i8, usize, f32, f32);

impl Store for Floats {
    #[inline(always)]
    unsafe fn store<const V: usize>(self, row: usize, values: [float32x4_t; V]) {
        for (index, value) in values.into_iter().enumerate() {
            // SAFETY: passed on to the caller.
            unsafe { vst1q_f32(self.0.add(row * self.1 + 4 * index), value) };
        }
    }
}

impl Store for Halves {
    #[inline(always)]
    unsafe fn store<const V: usize>(self, row: usize, values: [float32x4_t; V]) {
        // SAFETY: passed on to the caller.
        unsafe {
            let to = self.0.add(row * self.1).cast::<u16>();
            for pair in 0..V / 2 {
                let low = vcvt_f16_f32(values[2 * pair]);
                let both = vcvt_high_f16_f32(low, values[2 * pair + 1]);
                store_eight(to.add(8 * pair), vreinterpretq_u16_f16(both));
            }
            if V % 2 == 1 {
                let last = vcvt_f16_f32(values[V - 1]);
                vst1_u16(to.add(4 * (V - 1)), vreinterpret_u16_f16(last));
            }
        }
    }
}

/// `vst1q_u16`, which is a `str`; `st1` is fewer operations.
#[inline(always)]
unsafe fn store_eight(to: *mut u16, halves: uint16x8_t) {
    // SAFETY: passed on to the caller.
    unsafe {
        asm!(
            "st1 {{{halves:v}.8h}}, [{to}]",
            to = in(reg) to,
            halves = in(vreg) halves,
            options(nostack, preserves_flags),
        );
    }
}

impl Store for Bytes {
    #[inline(always)]
    unsafe fn store<const V: usize>(self, row: usize, values: [float32x4_t; V]) {
        let Bytes(to, stride, inverse, zero_point) = self;
        // SAFETY: passed on to the caller.
        unsafe {
            let to = to.add(row * stride);
            let words = values.map(|value| {
                let rounded = vrndnq_f32(vmulq_n_f32(value, inverse));
                vqmovn_s32(vcvtnq_s32_f32(vaddq_f32(rounded, vdupq_n_f32(zero_point))))
            });
            for pair in 0..V / 2 {
                let both = vcombine_s16(words[2 * pair], words[2 * pair + 1]);
                vst1_s8(to.add(8 * pair), vqmovn_s16(both));
            }
            if V % 2 == 1 {
                let last = vqmovn_s16(vcombine_s16(words[V - 1], words[V - 1]));
                let last = vget_lane_u32::<0>(vreinterpret_u32_s8(last));
                to.add(4 * (V - 1)).cast::<u32>().write_unaligned(last);
            }
        }
    }
}

impl Add for Nothing {
    #[inline(always)]
    unsafe fn add<const V: usize>(self, _: usize, values: [float32x4_t; V]) -> [float32x4_t; V] {
        values
    }
}

impl Add for Floats {
    #[inline(always)]
    unsafe fn add<const V: usize>(self, row: usize, values: [float32x4_t; V]) -> [float32x4_t; V] {
        // SAFETY: passed on to the caller.
        unsafe {
            let from = self.0.add(row * self.1);
            std::array::from_fn(|index| vaddq_f32(values[index], vld1q_f32(from.add(4 * index))))
        }
    }
}

impl Add for Halves {
    #[inline(always)]
    unsafe fn add<const V: usize>(self, row: usize, values: [float32x4_t; V]) -> [float32x4_t; V] {
        // SAFETY: passed on to the caller.
        unsafe {
            let from = self.0.add(row * self.1).cast::<u16>();
            std::array::from_fn(|index| {
                let halves = vreinterpret_f16_u16(vld1_u16(from.add(4 * index)));
                vaddq_f32(values[index], vcvt_f32_f16(halves))
            })
        }
    }
}

/// How the sums of a tile become floats.
pub(in crate::gemm) trait Sums: Copy {
    /// What [`Finish`] knows the sums as.
    type Sum;
    /// Whether row scales are other than 1.
    const SCALED: bool;

    /// The sums to start from: less what a zero point gives too much.
    ///
    /// # Safety
    /// `tile` came from [`Finish::new`], with `4·V` columns.
    unsafe fn start<const V: usize>(self, tile: &Finish<Self::Sum>) -> [int32x4_t; V];

    /// The sums as floats.
    fn float(self, sums: int32x4_t) -> float32x4_t;
}

/// Sums in i32.
#[derive(Clone, Copy)]
pub(in crate::gemm) struct Integers;
/// Sums in i32, from −2²² to 2²² − 1. They start from the bits of 1.5·2²³, so that their own are those of `1.5·2²³ + sum`:
/// a subtraction makes them floats, and a conversion is slower.
#[derive(Clone, Copy)]
pub(in crate::gemm) struct SmallIntegers;
/// Sums in f32.
#[derive(Clone, Copy)]
pub(in crate::gemm) struct Singles;

const SHIFT: f32 = 12_582_912.0;

impl Sums for Integers {
    type Sum = i32;
    const SCALED: bool = true;
    #[inline(always)]
    unsafe fn start<const V: usize>(self, tile: &Finish<i32>) -> [int32x4_t; V] {
        // SAFETY: the column sums are padded to whole tiles.
        unsafe {
            if tile.column_sums.is_null() {
                return [vdupq_n_s32(0); V];
            }
            let factor = tile.zero_point.wrapping_neg();
            std::array::from_fn(|index| {
                vmulq_n_s32(vld1q_s32(tile.column_sums.add(4 * index)), factor)
            })
        }
    }
    #[inline(always)]
    fn float(self, sums: int32x4_t) -> float32x4_t {
        // SAFETY: every 64-bit Arm CPU has NEON.
        unsafe { vcvtq_f32_s32(sums) }
    }
}

impl Sums for SmallIntegers {
    type Sum = i32;
    const SCALED: bool = true;
    #[inline(always)]
    unsafe fn start<const V: usize>(self, _: &Finish<i32>) -> [int32x4_t; V] {
        // SAFETY: every 64-bit Arm CPU has NEON.
        [unsafe { vreinterpretq_s32_f32(vdupq_n_f32(SHIFT)) }; V]
    }
    #[inline(always)]
    fn float(self, sums: int32x4_t) -> float32x4_t {
        // SAFETY: every 64-bit Arm CPU has NEON.
        unsafe { vsubq_f32(vreinterpretq_f32_s32(sums), vdupq_n_f32(SHIFT)) }
    }
}

impl SmallIntegers {
    /// Whether the sums of a panel of `8` columns are as small as they must be, whatever A holds; worth finding out where
    /// there are many tiles.
    ///
    /// # Safety
    /// `b` is good for `steps` steps of `8·KR` bytes, and `tile` came from [`Finish::new`].
    #[inline(always)]
    pub(in crate::gemm) unsafe fn suffice<const KR: usize>(
        steps: usize,
        b: *const i8,
        tile: &Finish<i32>,
    ) -> bool {
        const LIMIT: u32 = (1 << 22) / 128 - 1;
        if tile.zero_point != 0 {
            return false;
        }
        if steps * KR * 128 <= LIMIT as usize {
            return true;
        }
        if tile.rows < 96 || steps * KR > 1536 {
            return false;
        }
        // SAFETY: a step is KR / 2 registers; each lane of 16 bits gets at most 256 from one.
        unsafe {
            let mut sums = [vdupq_n_u32(0); 4];
            let mut step = 0;
            while step < steps {
                let end = steps.min(step + 128);
                let mut short = [vdupq_n_u16(0); 4];
                for step in step..end {
                    for (part, sum) in short.iter_mut().enumerate().take(KR / 2) {
                        let bytes = vabsq_s8(vld1q_s8(b.add(step * 8 * KR + 16 * part)));
                        *sum = vpadalq_u8(*sum, vreinterpretq_u8_s8(bytes));
                    }
                }
                for (sum, short) in sums.iter_mut().zip(short) {
                    *sum = vpadalq_u16(*sum, short);
                }
                step = end;
            }
            // Of eight values of k a column's sum is still in two lanes.
            let [a, b, c, d] = sums;
            let (a, b) = if KR == 4 { (a, b) } else { (vpaddq_u32(a, b), vpaddq_u32(c, d)) };
            vmaxvq_u32(vmaxq_u32(a, b)) <= LIMIT
        }
    }
}

impl Sums for Singles {
    type Sum = f32;
    const SCALED: bool = false;
    #[inline(always)]
    unsafe fn start<const V: usize>(self, _: &Finish<f32>) -> [int32x4_t; V] {
        // SAFETY: every 64-bit Arm CPU has NEON.
        [unsafe { vdupq_n_s32(0) }; V]
    }
    #[inline(always)]
    fn float(self, sums: int32x4_t) -> float32x4_t {
        // SAFETY: every 64-bit Arm CPU has NEON.
        unsafe { vreinterpretq_f32_s32(sums) }
    }
}

/// The products of a column of tiles. What implements it is inlined into functions that have the instructions.
pub(in crate::gemm) trait Products<const M: usize, const V: usize> {
    /// A tile of sums as the instructions want it.
    type Begun;

    /// Sums to start from.
    ///
    /// # Safety
    /// The CPU has the instructions; so for the other.
    unsafe fn begin(&self, start: [int32x4_t; V]) -> Self::Begun;

    /// Adds the products of the panel of A of this index.
    ///
    /// # Safety
    /// There is such a panel.
    unsafe fn accumulate(&self, index: usize, sums: Self::Begun) -> Tile<M, V>;
}

/// Panels of A one after the other, and a panel of B.
#[derive(Clone, Copy)]
pub(in crate::gemm) struct Panels<E> {
    pub(in crate::gemm) steps: usize,
    pub(in crate::gemm) a: *const E,
    pub(in crate::gemm) b: *const E,
}

/// Computes all whole tiles of a column of tiles.
///
/// # Safety
/// `tile` came from [`Finish::new`], the CPU has the instructions, and there is a panel of A for each whole tile.
#[inline(always)]
pub(in crate::gemm) unsafe fn fused<S: Sums, const M: usize, const V: usize>(
    tile: &Finish<S::Sum>,
    sums: S,
    products: impl Products<M, V>,
) -> usize {
    if tile.columns < 4 * V || tile.activation != Activation::None {
        return 0;
    }
    let tiles = Tiles { tile, sums, products };
    // SAFETY: passed on to the caller.
    unsafe {
        match (tile.output, tile.residual) {
            (Target::F32(to, stride), None) => tiles.finished(Nothing, Floats(to, stride)),
            (Target::F16(to, stride), None) => tiles.finished(Nothing, Halves(to, stride)),
            (Target::I8(to, stride, inverse, zero_point), None) => {
                tiles.finished(Nothing, Bytes(to, stride, inverse, zero_point))
            }
            (Target::F32(to, stride), Some(Source::F32(from, apart))) => {
                tiles.finished(Floats(from.cast_mut(), apart), Floats(to, stride))
            }
            (Target::F16(to, stride), Some(Source::F16(from, apart))) => {
                tiles.finished(Halves(from.cast_mut(), apart), Halves(to, stride))
            }
            _ => 0,
        }
    }
}

struct Tiles<'a, S: Sums, P> {
    tile: &'a Finish<S::Sum>,
    sums: S,
    products: P,
}

impl<S: Sums, P> Tiles<'_, S, P> {
    #[inline(always)]
    unsafe fn finished<const M: usize, const V: usize>(
        self,
        add: impl Add,
        store: impl Store,
    ) -> usize
    where
        P: Products<M, V>,
    {
        const { assert!(M.is_multiple_of(4) && M <= 12) };
        let tile = self.tile;
        // SAFETY: `Finish::new` found the operands long enough for all rows and the `4·V` columns.
        unsafe {
            let start = self.sums.start::<V>(tile);
            let scales: [_; V] = if tile.scales.is_null() {
                [vdupq_n_f32(1.0); V]
            } else {
                std::array::from_fn(|index| vld1q_f32(tile.scales.add(4 * index)))
            };
            let bias: [_; V] = if tile.bias.is_null() {
                [vdupq_n_f32(0.0); V]
            } else {
                std::array::from_fn(|index| vld1q_f32(tile.bias.add(4 * index)))
            };
            let whole = tile.rows / M;
            // The next tile's sums are begun where this one's are finished, which leaves room beside the conversions.
            let mut begun = self.products.begin(start);
            for index in 0..whole {
                let sums = self.products.accumulate(index, begun);
                let finish =
                    Row { tile, sums: self.sums, scales: &scales, bias: &bias, add, store };
                // Twelve rows at most, written out: sums of a loop over rows would not stay in registers.
                finish.four::<M, 0>(index * M, &sums);
                finish.four::<M, 4>(index * M, &sums);
                finish.four::<M, 8>(index * M, &sums);
                begun = self.products.begin(start);
            }
            whole * M
        }
    }
}

/// What finishes a row takes.
struct Row<'a, S: Sums, A, T, const V: usize> {
    tile: &'a Finish<S::Sum>,
    sums: S,
    scales: &'a [float32x4_t; V],
    bias: &'a [float32x4_t; V],
    add: A,
    store: T,
}

impl<S: Sums, A: Add, T: Store, const V: usize> Row<'_, S, A, T, V> {
    /// Finishes rows `FIRST` to `FIRST + 3` of a tile, which begins at row `at`.
    #[inline(always)]
    unsafe fn four<const M: usize, const FIRST: usize>(&self, at: usize, tile: &Tile<M, V>) {
        if FIRST >= M {
            return;
        }
        // SAFETY: passed on to the caller.
        unsafe {
            let row = at + FIRST;
            let row_scales =
                if S::SCALED { vld1q_f32(self.tile.row_scales.add(row)) } else { vdupq_n_f32(1.0) };
            self.row::<0>(row, tile[FIRST], row_scales);
            self.row::<1>(row + 1, tile[FIRST + 1], row_scales);
            self.row::<2>(row + 2, tile[FIRST + 2], row_scales);
            self.row::<3>(row + 3, tile[FIRST + 3], row_scales);
        }
    }

    #[inline(always)]
    unsafe fn row<const LANE: i32>(
        &self,
        row: usize,
        sums: [int32x4_t; V],
        row_scales: float32x4_t,
    ) {
        // SAFETY: passed on to the caller.
        unsafe {
            let values: [_; V] = std::array::from_fn(|column| {
                let mut value = self.sums.float(sums[column]);
                if S::SCALED {
                    value = vmulq_laneq_f32::<LANE>(value, row_scales);
                }
                // `fmla` overwrites the bias, so it needs a copy for each row; every other one is read from memory,
                // as arithmetic is busier than loads.
                let bias = if column % 2 == 0 {
                    self.bias[column]
                } else {
                    (&raw const self.bias[column]).read_volatile()
                };
                vfmaq_f32(bias, value, self.scales[column])
            });
            self.store.store(row, self.add.add(row, values));
        }
    }
}

/// Stores a tile, or adds it to what is there.
///
/// # Safety
/// `to` is good for `M·V` registers.
#[inline(always)]
pub(in crate::gemm) unsafe fn store_i32<const M: usize, const V: usize>(
    tile: Tile<M, V>,
    to: *mut i32,
    first: bool,
) {
    for (index, sums) in tile.as_flattened().iter().enumerate() {
        // SAFETY: passed on to the caller.
        unsafe {
            let to = to.add(4 * index);
            vst1q_s32(to, if first { *sums } else { vaddq_s32(*sums, vld1q_s32(to)) });
        }
    }
}

/// As [`store_i32`], of sums that are floats.
///
/// # Safety
/// `to` is good for `M·V` registers.
#[inline(always)]
pub(in crate::gemm) unsafe fn store_f32<const M: usize, const V: usize>(
    tile: Tile<M, V>,
    to: *mut f32,
    first: bool,
) {
    for (index, sums) in tile.as_flattened().iter().enumerate() {
        // SAFETY: passed on to the caller.
        unsafe {
            let (to, sums) = (to.add(4 * index), vreinterpretq_f32_s32(*sums));
            vst1q_f32(to, if first { sums } else { vaddq_f32(sums, vld1q_f32(to)) });
        }
    }
}
