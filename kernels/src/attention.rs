//! Attention: `O = softmax(scale · Q · Kᵀ + bias) · V` for each head, over tiles of keys with a running maximum and
//! sum (Milakov and Gimelshein, 2018; Dao et al., 2022): the matrix of scores is never stored.
//!
//! | operand | type | shape | layout |
//! |---------|------|-------|--------|
//! | Q, queries | f32, f16 | [batches, heads, queries, key_size] | [`Tokens`]: strides of batch, head and token; a token's values adjacent |
//! | K, keys | as Q | [batches, key_heads, keys, key_size] | the same |
//! | V, values | as Q | [batches, key_heads, keys, value_size] | the same |
//! | bias | f32 | [batches, heads, queries, keys] | strides of batch, head and query, 0 to repeat; keys adjacent |
//! | O, output | as Q | [batches, heads, queries, value_size] | [`Strides`] |
//!
//! Row `[n, tokens, heads · size]` buffers, with Q, K and V in one or not, are strides: token `heads · size`, head `size`.
//! Head `h` reads keys and values of head `h / (heads / key_heads)`: grouped, and with one key head multi-query.
//!
//! ```text
//! logit[q, k] = scale · Σd Q[q, d] · K[k, d] + bias[q, k]      −∞ where causal and k > q + past
//! O[q, :]     = Σk e^(logit[q, k] − m) · V[k, :] / (Σk e^(logit[q, k] − m) + zero_keys · e^−m)
//! m           = the greatest logit of the row; at least 0 where zero_keys > 0
//! ```
//!
//! **Causal**: query `q` sees the keys `0..=q + past`. `Some(0)` counts both from the start; `Some(keys − queries)` lets the last
//! query see the last key, as when keys of earlier tokens are kept.
//!
//! **Masks**: a bias of −∞ hides a key. A row whose keys are all hidden, or that has none, is 0. A finite bias is held within
//! ±10³⁸ and in half precision each sum of logit and bias within ±65504/log₂e, so a mask of `f32::MIN` works as well.
//!
//! **Zero keys**: `zero_keys` more keys whose logit is 0 (whatever bias and mask) and whose value is 0: padding tokens that a
//! network does not mask, known without multiplying them.
//!
//! **Two steps.** [`Kernel::pack`] brings the keys and values of one or several heads into the version's own layout;
//! [`Kernel::attend`] computes any range of heads and queries from that. Several threads may pack different heads, and share all of
//! them afterwards; keys that stay the same from step to step stay packed.
//!
//! **Precision.** Products of int8 (`i8f32`, `i8f16`): each token's query and key becomes `q = round_ties_even(x · 127 / max|x|)`, the sum of
//! products is exact in i32, then scaled by both tokens' `max|x| / 127`; all else is as for `f32` and `f16`. Versions with instructions
//! for it (`*_vnni`, `*_dotprod_fp16`, `*_i8mm_fp16`) have probabilities and values in bytes as well, in blocks of at most 384 keys: `round(255 · p / greatest p
//! of the block)` and `round(127 · V / max|V|)`, the greatest of the column in the block; their sums are exact.
//! With ε = 2⁻²⁴, `A = scale · Σ|q·k| + |bias|` the greatest over the row's keys, `B = Σk p[k]·|V[k]| / Σk p[k]`:
//!
//! | version | \|O − exact\| at most |
//! |---------|---------------------|
//! | f32 arithmetic | `B · ε · (2·(key_size + 4)·A + 2·keys + 32)`, and rounding to f16 where that is the output |
//! | f16 arithmetic (`neon_fp16`) | `B · 2⁻¹¹ · (2·(key_size + 4)·A + 112) + 2⁻¹³ · max\|V\|` |
//!
//! Bytes of probabilities and values (p̂ within `min(p, 1/510)` of p = e^(logit − m), V̂ within `max|V| / 254` of V) add at most
//! `(Σk |p̂ − p|·|V[k] − O| + Σk p̂·|V̂[k] − V[k]|) / Σk p̂`, of which many errors of both signs leave little: on random
//! operands it is below `max|V| / 50`.
//!
//! The first term is the rounding of the logit, which the exponential turns into a relative error; of int8 products only what scales
//! them is rounded, `8·A` in its place. In f16 arithmetic the queries are multiplied by scale · log₂e and rounded before; products with
//! values are summed in halves in chains of 64 keys, at most six chains in a block, and probabilities in chains of 16 (64 + 6 + 16 roundings,
//! and those of the polynomial, the factor and the output make 112); blocks, maxima and factors are f32. The last
//! term is what is lost where a probability is below 2⁻¹⁴ of the greatest. Typical errors are near the square root of these counts: the
//! tests hold half precision to that.
//! In f16 arithmetic `|scale · Σ q·k|` stays below 45 000; values of any size are allowed, they are scaled down by a power of two where a
//! block's sum could overflow. Infinite or NaN queries, keys or values make the rows that read them undefined.

use crate::features::Schedule;
use crate::kernel::{Identity, Kernel, Row};
use crate::lanes::Lanes;
use half::f16;
use std::ops::Range;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_vnni;
#[cfg(target_arch = "x86_64")]
mod avx_vnni;
mod bytes;
mod dot;
mod lanes;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_dotprod;
#[cfg(target_arch = "aarch64")]
mod neon_fp16;
#[cfg(target_arch = "aarch64")]
mod neon_i8mm;
mod scalar;
mod tiles;

/// The sizes of an attention.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// Independent problems, by strides.
    pub batches: usize,
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys and values; divides `heads`.
    pub key_heads: usize,
    /// Tokens that ask, in a batch.
    pub queries: usize,
    /// Tokens that answer, in a batch.
    pub keys: usize,
    /// Values of a query or key in a head.
    pub key_size: usize,
    /// Values of a value in a head.
    pub value_size: usize,
}

/// Distances in elements.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Strides {
    /// From a batch to the next.
    pub batch: usize,
    /// From a head to the next.
    pub head: usize,
    /// From a token to the next.
    pub token: usize,
}

impl Strides {
    /// `[batches, tokens, heads, size]` without gaps.
    pub const fn tokens_first(tokens: usize, heads: usize, size: usize) -> Self {
        Self { batch: tokens * heads * size, head: size, token: heads * size }
    }

    /// `[batches, heads, tokens, size]` without gaps.
    pub const fn heads_first(tokens: usize, heads: usize, size: usize) -> Self {
        Self { batch: tokens * heads * size, head: tokens * size, token: size }
    }

    /// Where a token of a head starts; `head` counts over all batches of `heads`.
    fn at(self, heads: usize, head: usize, token: usize) -> usize {
        head / heads * self.batch + head % heads * self.head + token * self.token
    }
}

/// Queries, keys, values or biases, wherever they stand.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'a, T> {
    /// Starts with the first value of the first token of head 0 of batch 0.
    pub values: &'a [T],
    /// Where the others are.
    pub strides: Strides,
}

impl<T> Tokens<'_, T> {
    fn check(&self, what: &str, [batches, heads, tokens, size]: [usize; 4]) {
        if batches * heads * tokens * size == 0 {
            return;
        }
        let last = self.strides.at(heads, batches * heads - 1, tokens - 1);
        assert!(
            last + size <= self.values.len(),
            "attention: {what} need {} values, there are {}",
            last + size,
            self.values.len()
        );
    }
}

/// What is asked of packed keys and values.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a, T> {
    /// The sizes.
    pub shape: Shape,
    /// The factor of the products, `1 / √key_size` as a rule.
    pub scale: f32,
    /// Q.
    pub queries: Tokens<'a, T>,
    /// Added to the logits: a token is a query, its values are one for each key.
    pub bias: Option<Tokens<'a, f32>>,
    /// How many keys the first query sees besides its own; `None` shows all keys to all queries.
    pub causal: Option<usize>,
    /// How many keys of logit 0 and value 0 there are besides.
    pub zero_keys: usize,
}

/// The rows of the output that a call computes: each of these queries in each of these heads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// Counted over all batches: `batch · heads + head`.
    pub heads: Range<usize>,
    /// Counted in a batch.
    pub queries: Range<usize>,
}

impl Part {
    /// All rows.
    pub fn whole(shape: &Shape) -> Self {
        Self { heads: 0..shape.batches * shape.heads, queries: 0..shape.queries }
    }
}

/// What operands are made of: `f32` or `f16`.
#[expect(private_bounds, reason = "sealed: the kernels know these two")]
pub trait Value: sealed::Value {}
impl Value for f32 {}
impl Value for f16 {}

/// The type of the operands and how the products of queries and keys are computed.
pub trait Precision: 'static {
    /// What the operands are made of.
    type Value: Value;
}
impl Precision for f32 {
    type Value = f32;
}
impl Precision for f16 {
    type Value = f16;
}

/// Operands of type `T`, products of queries and keys in int8; those of probabilities and values too where the CPU is faster so.
#[derive(Clone, Copy, Debug)]
pub struct Int8<T>(std::marker::PhantomData<T>);
impl<T: Value + 'static> Precision for Int8<T> {
    type Value = T;
}

mod sealed {
    use super::*;

    pub(in crate::attention) trait Value: Copy + Default + Sync {
        fn narrow(value: f32) -> Self;
        fn wide(self) -> f32;
        /// # Safety
        /// As [`Lanes::load`] and its like.
        unsafe fn load<L: Lanes>(from: *const Self) -> L;
        unsafe fn load_first<L: Lanes>(from: *const Self, count: usize) -> L;
        unsafe fn store<L: Lanes>(lanes: L, to: *mut Self);
        unsafe fn store_first<L: Lanes>(lanes: L, to: *mut Self, count: usize);
    }

    impl Value for f32 {
        fn narrow(value: f32) -> Self {
            value
        }
        fn wide(self) -> f32 {
            self
        }
        #[inline(always)]
        unsafe fn load<L: Lanes>(from: *const Self) -> L {
            // SAFETY: what the trait asks of the caller; so below.
            unsafe { L::load(from) }
        }
        #[inline(always)]
        unsafe fn load_first<L: Lanes>(from: *const Self, count: usize) -> L {
            // SAFETY: as above.
            unsafe { L::load_first(from, count) }
        }
        #[inline(always)]
        unsafe fn store<L: Lanes>(lanes: L, to: *mut Self) {
            // SAFETY: as above.
            unsafe { lanes.store(to) }
        }
        #[inline(always)]
        unsafe fn store_first<L: Lanes>(lanes: L, to: *mut Self, count: usize) {
            // SAFETY: as above.
            unsafe { lanes.store_first(to, count) }
        }
    }

    impl Value for f16 {
        fn narrow(value: f32) -> Self {
            Self::from_f32(value)
        }
        fn wide(self) -> f32 {
            self.to_f32()
        }
        #[inline(always)]
        unsafe fn load<L: Lanes>(from: *const Self) -> L {
            // SAFETY: what the trait asks of the caller; so below.
            unsafe { L::load_f16(from) }
        }
        #[inline(always)]
        unsafe fn load_first<L: Lanes>(from: *const Self, count: usize) -> L {
            // SAFETY: as above.
            unsafe { L::load_first_f16(from, count) }
        }
        #[inline(always)]
        unsafe fn store<L: Lanes>(lanes: L, to: *mut Self) {
            // SAFETY: as above.
            unsafe { lanes.store_f16(to) }
        }
        #[inline(always)]
        unsafe fn store_first<L: Lanes>(lanes: L, to: *mut Self, count: usize) {
            // SAFETY: as above.
            unsafe { lanes.store_first_f16(to, count) }
        }
    }
}

/// A version of the operation.
pub struct AttentionRow<P: Precision> {
    identity: Identity,
    /// f32 words that a key head takes when packed.
    packed: fn(&Shape) -> usize,
    /// f32 words of working memory.
    scratch: fn(&Shape) -> usize,
    pack: Pack<P::Value>,
    attend: Attend<P::Value>,
}

type Pack<T> = unsafe fn(&Shape, &Tokens<T>, &Tokens<T>, Range<usize>, &mut [f32]);
type Attend<T> = unsafe fn(&Task<T>, &[f32], &Part, &mut [T], Strides, &mut [f32]);

impl<P: Precision> Kernel<AttentionRow<P>>
where
    AttentionRow<P>: Row,
{
    /// The length in f32 words of one key head's packed keys and values.
    pub fn packed_length(self, shape: &Shape) -> usize {
        (self.row().packed)(shape)
    }

    /// The length in f32 words of the working memory that a call of [`Kernel::attend`] needs.
    pub fn scratch_length(self, shape: &Shape) -> usize {
        (self.row().scratch)(shape)
    }

    /// Packs the keys and values of the key heads `heads`, counted over all batches (`batch · key_heads + key head`), one after
    /// the other into `packed`. The number of queries and query heads of `shape` does not matter.
    ///
    /// # Panics
    /// Where a slice is too short, or `heads` is not within the shape.
    pub fn pack(
        self,
        shape: &Shape,
        keys: Tokens<P::Value>,
        values: Tokens<P::Value>,
        heads: Range<usize>,
        packed: &mut [f32],
    ) {
        check(shape);
        let tokens = [shape.batches, shape.key_heads, shape.keys];
        keys.check("keys", [tokens[0], tokens[1], tokens[2], shape.key_size]);
        values.check("values", [tokens[0], tokens[1], tokens[2], shape.value_size]);
        assert!(heads.end <= shape.batches * shape.key_heads, "attention: key heads {heads:?}");
        assert!(
            packed.len() >= heads.len() * self.packed_length(shape),
            "attention: packed keys need {} words, there are {}",
            heads.len() * self.packed_length(shape),
            packed.len()
        );
        // SAFETY: holding the kernel is the proof that the CPU has its instructions; the lengths are checked above.
        unsafe { (self.row().pack)(shape, &keys, &values, heads, packed) }
    }

    /// Computes the rows of `part`. `packed` holds all key heads of all batches. `output` starts with the first of the part's rows and
    /// `strides` leads to the others. Any division into parts gives the same bits.
    ///
    /// # Panics
    /// Where a slice is too short, the part is not within the shape, or a row of it stands before the first one.
    pub fn attend(
        self,
        task: &Task<P::Value>,
        packed: &[f32],
        part: &Part,
        output: &mut [P::Value],
        strides: Strides,
        scratch: &mut [f32],
    ) {
        let shape = &task.shape;
        check(shape);
        let rows = [shape.batches, shape.heads, shape.queries];
        task.queries.check("queries", [rows[0], rows[1], rows[2], shape.key_size]);
        if let Some(bias) = &task.bias {
            bias.check("biases", [rows[0], rows[1], rows[2], shape.keys]);
        }
        assert!(
            part.heads.end <= shape.batches * shape.heads && part.queries.end <= shape.queries,
            "attention: {part:?} of {shape:?}"
        );
        if part.heads.is_empty() || part.queries.is_empty() {
            return;
        }
        let first = strides.at(shape.heads, part.heads.start, 0);
        for head in part.heads.clone() {
            let start = strides.at(shape.heads, head, 0).checked_sub(first);
            let start = start.expect("attention: a head of the part stands before the first one");
            let end = start + (part.queries.len() - 1) * strides.token + shape.value_size;
            assert!(
                end <= output.len(),
                "attention: output needs {end} values, there are {}",
                output.len()
            );
        }
        let length = shape.batches * shape.key_heads * self.packed_length(shape);
        assert!(
            packed.len() >= length,
            "attention: packed keys need {length} words, there are {}",
            packed.len()
        );
        let length = self.scratch_length(shape);
        assert!(
            scratch.len() >= length,
            "attention: working memory needs {length} words, there are {}",
            scratch.len()
        );
        // SAFETY: holding the kernel is the proof that the CPU has its instructions; the lengths are checked above.
        unsafe { (self.row().attend)(task, packed, part, output, strides, scratch) }
    }
}

fn check(shape: &Shape) {
    assert!(
        shape.key_heads > 0 && shape.heads.is_multiple_of(shape.key_heads),
        "attention: {} heads of queries, {} of keys",
        shape.heads,
        shape.key_heads
    );
    assert!(shape.key_size > 0 && shape.value_size > 0, "attention: a head of size 0");
    assert!(
        shape.key_size <= GREATEST_SIZE && shape.value_size <= GREATEST_SIZE,
        "attention: a head is larger than {GREATEST_SIZE}"
    );
}

/// The greatest head: up to here a sum of int8 products is an exact f32.
const GREATEST_SIZE: usize = 1024;

impl<P: Precision> AttentionRow<P> {
    const fn plain(
        name: &'static str,
        element: &'static str,
        pack: Pack<P::Value>,
        attend: Attend<P::Value>,
    ) -> Self {
        let identity = Identity {
            name,
            operation: "attention",
            element,
            tile: "",
            needs: &[],
            schedule: Schedule::OutOfOrder,
        };
        Self { identity, packed: scalar::packed, scratch: scalar::scratch, pack, attend }
    }
}

impl Row for AttentionRow<f32> {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "x86_64")]
        avx512::F32,
        #[cfg(target_arch = "x86_64")]
        avx2::F32,
        #[cfg(target_arch = "aarch64")]
        neon::F32,
        Self::plain(
            "attention_f32_scalar",
            "f32",
            scalar::pack::<f32, false>,
            scalar::attend::<f32, false>,
        ),
    ];

    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Row for AttentionRow<f16> {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "x86_64")]
        avx512::F16,
        #[cfg(target_arch = "x86_64")]
        avx2::F16,
        #[cfg(target_arch = "aarch64")]
        neon_fp16::F16,
        #[cfg(target_arch = "aarch64")]
        neon::F16,
        Self::plain(
            "attention_f16_scalar",
            "f16",
            scalar::pack::<f16, false>,
            scalar::attend::<f16, false>,
        ),
    ];

    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Row for AttentionRow<Int8<f32>> {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "x86_64")]
        avx512_vnni::I8F32,
        #[cfg(target_arch = "x86_64")]
        avx512::I8F32,
        #[cfg(target_arch = "x86_64")]
        avx_vnni::I8F32,
        #[cfg(target_arch = "x86_64")]
        avx2::I8F32,
        #[cfg(target_arch = "aarch64")]
        neon_i8mm::I8F32,
        #[cfg(target_arch = "aarch64")]
        neon_dotprod::I8F32,
        #[cfg(target_arch = "aarch64")]
        neon::I8F32,
        Self::plain(
            "attention_i8f32_scalar",
            "i8f32",
            scalar::pack::<f32, true>,
            scalar::attend::<f32, true>,
        ),
    ];

    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Row for AttentionRow<Int8<f16>> {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "x86_64")]
        avx512_vnni::I8F16,
        #[cfg(target_arch = "x86_64")]
        avx512::I8F16,
        #[cfg(target_arch = "x86_64")]
        avx_vnni::I8F16,
        #[cfg(target_arch = "x86_64")]
        avx2::I8F16,
        #[cfg(target_arch = "aarch64")]
        neon_i8mm::I8F16_FP16,
        #[cfg(target_arch = "aarch64")]
        neon_dotprod::I8F16_FP16,
        #[cfg(target_arch = "aarch64")]
        neon_i8mm::I8F16,
        #[cfg(target_arch = "aarch64")]
        neon_dotprod::I8F16,
        #[cfg(target_arch = "aarch64")]
        neon::I8F16,
        Self::plain(
            "attention_i8f16_scalar",
            "i8f16",
            scalar::pack::<f16, true>,
            scalar::attend::<f16, true>,
        ),
    ];

    fn identity(&self) -> &Identity {
        &self.identity
    }
}
