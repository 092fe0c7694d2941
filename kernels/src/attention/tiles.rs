//! What all fast versions share: rows are cut into tiles of up to three registers of queries, keys into blocks. Vectors run along queries, so
//! that maxima, sums and factors are never combined across lanes and a row's bits do not depend on its neighbours:
//!
//! ```text
//! queries   [key_size, width]   scaled by scale · log₂e
//! keys      panels of ROWS keys:    [key_size, ROWS]      the last key stands in for those that are missing
//! scores    [block, width]      = keys · queries, becomes probabilities in place
//! values    panels of ROWS columns: [keys, ROWS]
//! sums      [columns, width]    = sums · factor + valuesᵀ · probabilities
//! ```

use super::{Part, Shape, Strides, Task, Tokens, Value};
use std::ops::Range;

/// The greatest number of registers side by side.
pub(super) const WIDEST: usize = 3;

/// One tile's working memory.
pub(super) struct Memory<M: Math> {
    pub queries: *mut f32,
    pub scores: *mut M::Unit,
    /// f32, `[columns, width]`.
    pub sums: *mut f32,
    /// A value for each query: the running maximum, the sum of the probabilities, what the sums so far are to be multiplied with.
    pub greatest: *mut f32,
    pub total: *mut f32,
    pub factor: *mut f32,
    /// And what a block's sums are, where these are integers.
    pub weight: *mut f32,
    /// A tile of `ROWS` registers' rows.
    pub spare: *mut f32,
}

impl<M: Math> Memory<M> {
    /// The same memory for a type of the same scores.
    pub fn of<N: Math<Unit = M::Unit>>(&self) -> Memory<N> {
        let &Self { queries, scores, sums, greatest, total, factor, weight, spare } = self;
        Memory { queries, scores, sums, greatest, total, factor, weight, spare }
    }
}

/// How probabilities and sums are computed.
pub(super) trait Math {
    /// What scores and probabilities are made of.
    type Unit: Copy;
    /// Queries in a register.
    const LANES: usize;
    /// Columns in a panel of values.
    const ROWS: usize;
    /// Keys whose scores are held at once, a multiple of 16.
    const BLOCK: usize;
    /// The running maximum before anything was seen.
    const LOWEST: f32;

    /// The words of a packed head's values, and how many columns there are with those that fill up the last panel.
    fn value_words(shape: &Shape) -> usize;
    fn columns(shape: &Shape) -> usize;

    /// # Safety
    /// The CPU has the instructions; operands are as long as the sizes say; so for all functions here.
    unsafe fn pack_values<T: Value>(shape: &Shape, from: *const T, stride: usize, to: *mut f32);
    /// `row += terms`: terms of −∞ hide the key.
    unsafe fn add_terms<const W: usize>(row: *mut Self::Unit, terms: *const f32);
    /// Updates maximum, total and factor; turns `count` rows of scores into probabilities.
    unsafe fn softmax<const W: usize>(memory: &Memory<Self>, count: usize)
    where
        Self: Sized;
    /// `sums = sums · factor + valuesᵀ · probabilities` for the keys `first..first + count`.
    unsafe fn accumulate<const W: usize>(
        memory: &Memory<Self>,
        shape: &Shape,
        values: *const f32,
        first: usize,
        count: usize,
    ) where
        Self: Sized;
    /// Writes `queries` rows of the output.
    unsafe fn finish<T: Value, const W: usize>(
        memory: &Memory<Self>,
        shape: &Shape,
        values: *const f32,
        queries: usize,
        to: *mut T,
        stride: usize,
    ) where
        Self: Sized;
}

/// How scores are computed.
pub(super) trait Scores {
    type Math: Math;

    /// The words of a packed head's keys, and of a full tile of queries.
    fn key_words(shape: &Shape) -> usize;
    fn query_words(shape: &Shape) -> usize;

    /// # Safety
    /// As for [`Math`].
    unsafe fn pack_keys<T: Value>(shape: &Shape, from: *const T, stride: usize, to: *mut f32);
    /// Lanes without a query hold anything.
    unsafe fn pack_queries<T: Value, const W: usize>(
        shape: &Shape,
        from: *const T,
        stride: usize,
        count: usize,
        scale: f32,
        to: *mut f32,
    );
    /// Writes the scores of the keys `first..first + count`, in base 2, and of those that fill up the last panel.
    unsafe fn scores<const W: usize>(
        memory: &Memory<Self::Math>,
        shape: &Shape,
        keys: *const f32,
        first: usize,
        count: usize,
    );
}

/// f32 words, a multiple of 16.
pub(super) const fn line(words: usize) -> usize {
    words.next_multiple_of(16)
}

/// The keys of a block: all but the last are as long, and whole panels.
pub(super) fn block<M: Math>(keys: usize) -> usize {
    keys.div_ceil(keys.div_ceil(M::BLOCK)).next_multiple_of(16)
}

pub(super) fn packed<S: Scores>(shape: &Shape) -> usize {
    if shape.keys == 0 { 0 } else { S::key_words(shape) + S::Math::value_words(shape) }
}

pub(super) fn scratch<S: Scores>(shape: &Shape) -> usize {
    let width = WIDEST * S::Math::LANES;
    let rows = S::Math::BLOCK + S::Math::columns(shape) + S::Math::ROWS + 4;
    line(S::query_words(shape)) + line(width) * rows + 16
}

fn memory<S: Scores>(shape: &Shape, scratch: &mut [f32]) -> Memory<S::Math> {
    let width = line(WIDEST * S::Math::LANES);
    let scratch = scratch.as_mut_ptr();
    let mut next = scratch.align_offset(64).min(16);
    // The wrapper checked that all of `scratch` words are there.
    let mut take = |words: usize| {
        let start = scratch.wrapping_add(next);
        next += words;
        start
    };
    Memory {
        queries: take(line(S::query_words(shape))),
        scores: take(S::Math::BLOCK * width).cast(),
        sums: take(S::Math::columns(shape) * width),
        greatest: take(width),
        total: take(width),
        factor: take(width),
        weight: take(width),
        spare: take(S::Math::ROWS * width),
    }
}

/// # Safety
/// The CPU has the instructions of `S`; slices are as long as the sizes say.
#[inline(always)]
pub(super) unsafe fn pack<S: Scores, T: Value>(
    shape: &Shape,
    keys: &Tokens<T>,
    values: &Tokens<T>,
    heads: Range<usize>,
    to: &mut [f32],
) {
    if shape.keys == 0 {
        return;
    }
    for (head, to) in heads.zip(to.chunks_exact_mut(packed::<S>(shape))) {
        let key = &keys.values[keys.strides.at(shape.key_heads, head, 0)..];
        let value = &values.values[values.strides.at(shape.key_heads, head, 0)..];
        let (key_to, value_to) = to.split_at_mut(S::key_words(shape));
        // SAFETY: passed on to the caller.
        unsafe {
            S::pack_keys(shape, key.as_ptr(), keys.strides.token, key_to.as_mut_ptr());
            S::Math::pack_values(
                shape,
                value.as_ptr(),
                values.strides.token,
                value_to.as_mut_ptr(),
            );
        }
    }
}

/// # Safety
/// The CPU has the instructions of `S`; slices are as long as the sizes say.
#[inline(always)]
pub(super) unsafe fn attend<S: Scores, T: Value>(
    task: &Task<T>,
    all: &[f32],
    part: &Part,
    output: &mut [T],
    strides: Strides,
    scratch: &mut [f32],
) {
    let shape = &task.shape;
    let memory = memory::<S>(shape, scratch);
    let start = strides.at(shape.heads, part.heads.start, part.queries.start);
    for head in part.heads.clone() {
        let key_head = head / (shape.heads / shape.key_heads);
        let keys = &all[key_head * packed::<S>(shape)..];
        let mut query = part.queries.start;
        while query < part.queries.end {
            let registers = (part.queries.end - query).div_ceil(S::Math::LANES).min(WIDEST);
            let count = (registers * S::Math::LANES).min(part.queries.end - query);
            let rows = Rows { head, query, count };
            let to = &mut output[strides.at(shape.heads, head, query) - start..];
            // SAFETY: passed on to the caller.
            unsafe {
                match registers {
                    1 => tile::<S, T, 1>(task, keys, &memory, &rows, to, strides.token),
                    2 => tile::<S, T, 2>(task, keys, &memory, &rows, to, strides.token),
                    _ => tile::<S, T, 3>(task, keys, &memory, &rows, to, strides.token),
                }
            }
            query += count;
        }
    }
}

struct Rows {
    head: usize,
    query: usize,
    count: usize,
}

/// # Safety
/// As for [`attend`].
#[inline(always)]
unsafe fn tile<S: Scores, T: Value, const W: usize>(
    task: &Task<T>,
    keys: &[f32],
    memory: &Memory<S::Math>,
    rows: &Rows,
    to: &mut [T],
    stride: usize,
) {
    let shape = &task.shape;
    let width = W * S::Math::LANES;
    let asked = task.queries.strides.at(shape.heads, rows.head, rows.query);
    let asked = task.queries.values[asked..].as_ptr();
    let values = if shape.keys == 0 { keys } else { &keys[S::key_words(shape)..] }.as_ptr();
    // How many keys the first and the last query see.
    let sees = |query: usize| task.causal.map_or(shape.keys, |p| shape.keys.min(query + p + 1));
    let (least, most) = (sees(rows.query), sees(rows.query + rows.count - 1));
    let lowest = if task.zero_keys > 0 { 0.0 } else { S::Math::LOWEST };
    // SAFETY: `memory` holds a full tile; the rest is passed on to the caller.
    unsafe {
        for lane in 0..width {
            memory.greatest.add(lane).write(lowest);
            memory.total.add(lane).write(task.zero_keys as f32);
        }
        memory.sums.write_bytes(0, S::Math::columns(shape) * width);
        let scale = task.scale * std::f32::consts::LOG2_E;
        S::pack_queries::<T, W>(
            shape,
            asked,
            task.queries.strides.token,
            rows.count,
            scale,
            memory.queries,
        );
        let mut first = 0;
        while first < most {
            let count = block::<S::Math>(shape.keys).min(most - first);
            S::scores::<W>(memory, shape, keys.as_ptr(), first, count);
            if task.bias.is_some() || first + count > least {
                mask::<S::Math, T, W>(task, memory, rows, first, count);
            }
            S::Math::softmax::<W>(memory, count);
            S::Math::accumulate::<W>(memory, shape, values, first, count);
            first += count;
        }
        S::Math::finish::<T, W>(memory, shape, values, rows.count, to.as_mut_ptr(), stride);
    }
}

/// Adds biases to the scores of a block and hides what is not to be seen.
///
/// # Safety
/// As for [`attend`].
#[inline(always)]
unsafe fn mask<M: Math, T: Value, const W: usize>(
    task: &Task<T>,
    memory: &Memory<M>,
    rows: &Rows,
    first: usize,
    count: usize,
) {
    let width = W * M::LANES;
    let bias = task.bias.map(|bias| {
        let start = bias.strides.at(task.shape.heads, rows.head, rows.query);
        (&bias.values[start..], bias.strides.token)
    });
    let mut terms = [0.0; 48];
    for key in first..first + count {
        match bias {
            Some((bias, 0)) => terms = [in_base_2(bias[key]); 48],
            Some((bias, stride)) => {
                for lane in 0..rows.count {
                    terms[lane] = in_base_2(bias[lane * stride + key]);
                }
            }
            None => terms = [0.0; 48],
        }
        if let Some(past) = task.causal {
            let hidden = key.saturating_sub(rows.query + past).min(width);
            terms[..hidden].fill(f32::NEG_INFINITY);
        }
        // SAFETY: `terms` holds the widest tile, the block `count` rows.
        unsafe { M::add_terms::<W>(memory.scores.add((key - first) * width), terms.as_ptr()) };
    }
}

fn in_base_2(bias: f32) -> f32 {
    if bias == f32::NEG_INFINITY {
        bias
    } else {
        bias.clamp(-1e38, 1e38) * std::f32::consts::LOG2_E
    }
}

/// The rows of an engine: the same driver, compiled with its instructions.
macro_rules! versions {
    (features $features:literal, needs $needs:expr, tile $tile:literal,
     $($constant:ident: $precision:ty = $value:ty, $scores:ty, $name:literal, $element:literal;)*) => {
        $(pub(super) const $constant: AttentionRow<$precision> = {
            #[target_feature(enable = $features)]
            unsafe fn pack(
                shape: &$crate::attention::Shape,
                keys: &$crate::attention::Tokens<$value>,
                values: &$crate::attention::Tokens<$value>,
                heads: std::ops::Range<usize>,
                to: &mut [f32],
            ) {
                // SAFETY: the features are enabled here; the caller checked the lengths.
                unsafe {
                    $crate::attention::tiles::pack::<$scores, $value>(shape, keys, values, heads, to)
                }
            }
            #[target_feature(enable = $features)]
            unsafe fn attend(
                task: &$crate::attention::Task<$value>,
                packed: &[f32],
                part: &$crate::attention::Part,
                output: &mut [$value],
                strides: $crate::attention::Strides,
                scratch: &mut [f32],
            ) {
                // SAFETY: the features are enabled here; the caller checked the lengths.
                unsafe {
                    $crate::attention::tiles::attend::<$scores, $value>(
                        task, packed, part, output, strides, scratch,
                    )
                }
            }
            AttentionRow {
                identity: $crate::kernel::Identity {
                    name: $name,
                    operation: "attention",
                    element: $element,
                    tile: $tile,
                    needs: &$needs,
                    schedule: $crate::features::Schedule::OutOfOrder,
                },
                packed: $crate::attention::tiles::packed::<$scores>,
                scratch: $crate::attention::tiles::scratch::<$scores>,
                pack,
                attend,
            }
        };)*
    };
}
pub(super) use versions;
