//! Every version of attention against the plain one.

mod harness;

use half::f16;
use harness::{Guarded, Values, assert_near, assert_same, every_kernel};
use kernels::attention::{
    AttentionRow, Int8, Part, Precision, Shape, Strides, Task, Tokens, Value,
};
use kernels::features::Isa;
use kernels::kernel::{Identity, Kernel, Row};
use std::fmt::Debug;

/// What a test makes its operands from.
trait Element: Value + Copy + PartialEq + Debug + 'static {
    fn of(value: f32) -> Self;
    fn wide(self) -> f32;
}
impl Element for f32 {
    fn of(value: f32) -> Self {
        value
    }
    fn wide(self) -> f32 {
        self
    }
}
impl Element for f16 {
    fn of(value: f32) -> Self {
        f16::from_f32(value)
    }
    fn wide(self) -> f32 {
        self.to_f32()
    }
}

/// A poisoned slice between guards, compared by value and not as text: there is much of it.
struct Poisoned<T> {
    all: Vec<T>,
    poison: T,
}

const GUARD: usize = 64;

impl<T: Copy + PartialEq> Poisoned<T> {
    fn new(length: usize, poison: T) -> Self {
        Self { all: vec![poison; length + 2 * GUARD + 1], poison }
    }
    /// At an odd element.
    fn slice(&mut self) -> &mut [T] {
        let end = self.all.len() - GUARD;
        &mut self.all[GUARD + 1..end]
    }
    fn values(&self) -> &[T] {
        &self.all[GUARD + 1..self.all.len() - GUARD]
    }
    fn check(&self, kernel: &str, case: &Case) {
        let (before, after) = (&self.all[..=GUARD], &self.all[self.all.len() - GUARD..]);
        let whole = before.iter().chain(after).all(|x| *x == self.poison);
        assert!(whole, "{kernel} {case:?}: wrote outside of its slice");
    }
}

/// What scratch memory is full of: too great for any sum to hide it.
const POISON: f32 = 3e38;

#[derive(Clone, Debug)]
struct Case {
    shape: Shape,
    scale: f32,
    causal: Option<usize>,
    zero_keys: usize,
    /// Strides of the bias in heads and queries are 0 where it repeats.
    bias: Option<[bool; 2]>,
    /// Each bias that a draw below this picks, of 8, is −∞.
    hidden: usize,
    /// Queries, keys and values are this many times a draw from −1..1.
    size: [f32; 3],
    seed: u64,
}

fn shape(heads: usize, key_heads: usize, queries: usize, keys: usize, size: usize) -> Shape {
    Shape { batches: 1, heads, key_heads, queries, keys, key_size: size, value_size: size }
}

impl Case {
    fn new(shape: Shape) -> Self {
        let scale = 1.0 / (shape.key_size as f32).sqrt();
        let seed = (shape.queries * 1000 + shape.keys) as u64;
        Self {
            shape,
            scale,
            causal: None,
            zero_keys: 0,
            bias: None,
            hidden: 0,
            size: [2.0, 2.0, 1.0],
            seed,
        }
    }
}

/// Operands of a case, in slices that are as long as they need to be and begin at odd elements.
struct Operands<T> {
    queries: Guarded<T>,
    keys: Guarded<T>,
    values: Guarded<T>,
    bias: Guarded<f32>,
    strides: [Strides; 4],
    output: Strides,
}

fn operands<T: Element>(case: &Case, heads_first: bool) -> Operands<T> {
    let shape = &case.shape;
    let mut values = Values::new(case.seed);
    // Gaps of 3 elements after each token, filled with NaN, must not be read.
    let strides = |tokens: usize, heads: usize, size: usize| {
        if heads_first {
            let token = size + 3;
            Strides { batch: heads * tokens * token, head: tokens * token, token }
        } else {
            let token = heads * size + 3;
            Strides { batch: tokens * token, head: size, token }
        }
    };
    let mut fill = |tokens: usize, heads: usize, size: usize, factor: f32| {
        let strides = strides(tokens, heads, size);
        let last = |count: usize| count.saturating_sub(1);
        let length = last(shape.batches) * strides.batch
            + last(heads) * strides.head
            + last(tokens) * strides.token
            + size;
        let mut all = Guarded::new(if tokens == 0 { 0 } else { length }, T::of(f32::NAN), 1);
        for at in 0..shape.batches * heads * tokens {
            let (batch, head, token) = (at / tokens / heads, at / tokens % heads, at % tokens);
            let start = batch * strides.batch + head * strides.head + token * strides.token;
            for (to, x) in all.slice()[start..][..size].iter_mut().zip(values.f32(size)) {
                *to = T::of(x * factor);
            }
        }
        (all, strides)
    };
    let [q, k, v] = case.size;
    let (queries, query_strides) = fill(shape.queries, shape.heads, shape.key_size, q);
    let (keys, key_strides) = fill(shape.keys, shape.key_heads, shape.key_size, k);
    let (value, value_strides) = fill(shape.keys, shape.key_heads, shape.value_size, v);
    let [by_head, by_query] = case.bias.unwrap_or_default();
    let token = if by_query { shape.keys } else { 0 };
    let head = if by_head { shape.keys * if by_query { shape.queries } else { 1 } } else { 0 };
    let bias_strides = Strides { batch: 0, head, token };
    let length = shape.heads * shape.queries * shape.keys;
    let drawn: Vec<f32> = values.f32(length).iter().map(|x| x * 3.0).collect();
    let mut bias = Guarded::holding(&drawn, f32::NAN, 1);
    for x in bias.slice() {
        if values.below(8) < case.hidden {
            *x = f32::NEG_INFINITY;
        }
    }
    let output = strides(shape.queries, shape.heads, shape.value_size);
    let strides = [query_strides, key_strides, value_strides, bias_strides];
    Operands { queries, keys, values: value, bias, strides, output }
}

impl<T: Element> Operands<T> {
    fn task(&self, case: &Case) -> Task<'_, T> {
        let bias = Tokens { values: self.bias.values(), strides: self.strides[3] };
        Task {
            shape: case.shape,
            scale: case.scale,
            queries: Tokens { values: self.queries.values(), strides: self.strides[0] },
            bias: case.bias.map(|_| bias),
            causal: case.causal,
            zero_keys: case.zero_keys,
        }
    }

    fn output_length(&self, part: &Part, shape: &Shape) -> usize {
        let at = |head: usize| {
            head / shape.heads * self.output.batch + head % shape.heads * self.output.head
        };
        at(part.heads.end - 1) - at(part.heads.start)
            + (part.queries.len() - 1) * self.output.token
            + shape.value_size
    }
}

/// The part's rows one after the other.
fn run<P: Precision<Value: Element>>(
    kernel: Kernel<AttentionRow<P>>,
    case: &Case,
    operands: &Operands<P::Value>,
    part: &Part,
) -> Vec<P::Value>
where
    AttentionRow<P>: Row,
{
    let name = kernel.identity().name;
    let shape = &case.shape;
    let tokens = |values, strides| Tokens { values, strides };
    let length = kernel.packed_length(shape);
    let heads = shape.batches * shape.key_heads;
    let mut packed = Poisoned::new(length * heads, POISON);
    for head in 0..heads {
        kernel.pack(
            shape,
            tokens(operands.keys.values(), operands.strides[1]),
            tokens(operands.values.values(), operands.strides[2]),
            head..head + 1,
            &mut packed.slice()[head * length..][..length],
        );
    }
    let poison = <P::Value as Element>::of(777.0);
    let mut output = Poisoned::new(operands.output_length(part, shape), poison);
    let mut scratch = Poisoned::new(kernel.scratch_length(shape), POISON);
    kernel.attend(
        &operands.task(case),
        packed.slice(),
        part,
        output.slice(),
        operands.output,
        scratch.slice(),
    );
    packed.check(name, case);
    output.check(name, case);
    scratch.check(name, case);
    let at = |head: usize| {
        head / shape.heads * operands.output.batch + head % shape.heads * operands.output.head
    };
    let mut seen = vec![false; output.values().len()];
    let mut rows = Vec::new();
    for head in part.heads.clone() {
        for query in 0..part.queries.len() {
            let start = at(head) - at(part.heads.start) + query * operands.output.token;
            rows.extend_from_slice(&output.values()[start..][..shape.value_size]);
            seen[start..][..shape.value_size].fill(true);
        }
    }
    for (index, value) in output.values().iter().enumerate() {
        assert!(seen[index] || *value == poison, "{name} {case:?}: wrote into a gap at {index}");
    }
    rows
}

/// Whether a version has probabilities and values in bytes.
fn in_bytes(identity: &Identity) -> bool {
    let needs = |isa| identity.needs.contains(&isa);
    let x86 = needs(Isa::Avx512Vnni) || needs(Isa::AvxVnni);
    let arm = (needs(Isa::NeonDotprod) || needs(Isa::NeonI8mm)) && needs(Isa::NeonFp16);
    identity.element.starts_with("i8") && (x86 || arm)
}

/// The bound of the operation's file, for draws from ±size.
fn bound(case: &Case, needs: &[Isa], halves: bool, int8: bool) -> f32 {
    let [q, k, v] = case.size;
    let size = case.shape.key_size as f32;
    let logit = case.scale.abs() * q * k * size / 2.0 + if case.bias.is_some() { 3.0 } else { 0.0 };
    let products = if int8 { logit * 8.0 } else { 2.0 * (size + 4.0) * logit };
    if needs.contains(&Isa::NeonFp16) {
        // The greatest of many errors stays far below the sum of all; the worst case would hide a wrong lane.
        let typical = (2.0 * products.sqrt() + 16.0) * logit.max(1.0).sqrt();
        v * (typical * 2.0_f32.powi(-11) + 2.0_f32.powi(-13))
    } else {
        let narrow = if halves { 2.0_f32.powi(-11) } else { 0.0 };
        let keys = 2.0 * case.shape.keys as f32 + 32.0;
        v * (2.0_f32.powi(-24) * (products + keys) + narrow)
    }
}

fn check<P: Precision<Value: Element>>(case: &Case, heads_first: bool)
where
    AttentionRow<P>: Row,
{
    let operands = operands::<P::Value>(case, heads_first);
    let part = Part::whole(&case.shape);
    let wide = |rows: Vec<P::Value>| rows.into_iter().map(Element::wide).collect::<Vec<f32>>();
    let expected = wide(run(Kernel::<AttentionRow<P>>::plain(), case, &operands, &part));
    every_kernel::<AttentionRow<P>>(|kernel| {
        let identity = kernel.identity();
        if identity.needs.is_empty() {
            return;
        }
        let got = wide(run(kernel, case, &operands, &part));
        let halves = identity.element.ends_with("f16");
        let int8 = identity.element.starts_with("i8");
        let bytes = if in_bytes(identity) { case.size[2] / 50.0 } else { 0.0 };
        let bound = bound(case, identity.needs, halves, int8) + bytes;
        assert_near(&got, &expected, |_| bound, format!("{} {case:?}", identity.name));
    });
}

fn check_all(case: &Case) {
    check::<f32>(case, case.shape.keys.is_multiple_of(2));
    check::<f16>(case, case.shape.keys % 2 == 1);
    check::<Int8<f32>>(case, case.shape.queries.is_multiple_of(2));
    check::<Int8<f16>>(case, case.shape.queries % 2 == 1);
}

#[test]
fn every_version_matches_the_plain_one_at_the_edges_of_its_tiles() {
    for queries in [1, 4, 7, 9, 16, 17, 25, 49] {
        check_all(&Case::new(shape(1, 1, queries, 19, 8)));
    }
    for keys in [1, 2, 4, 7, 8, 9, 15, 17, 127, 128, 129, 257] {
        check_all(&Case::new(shape(1, 1, 5, keys, 12)));
    }
}

#[test]
fn any_head_size_works_and_values_may_have_another() {
    for size in [1, 2, 3, 5, 7, 8, 11, 20, 40, 41, 44, 56, 64, 80, 97, 128, 160, 264] {
        check_all(&Case::new(shape(1, 1, 9, 21, size)));
        let other = Shape { value_size: (size * 7 + 3) % 83 + 1, ..shape(1, 1, 9, 21, size) };
        check_all(&Case::new(other));
    }
}

#[test]
fn heads_share_keys_and_batches_are_strides() {
    for (heads, key_heads) in [(4, 4), (4, 2), (6, 2), (5, 1)] {
        let shape = Shape { batches: 2, ..shape(heads, key_heads, 10, 13, 16) };
        check_all(&Case::new(shape));
        check_all(&Case { causal: Some(2), ..Case::new(shape) });
    }
}

#[test]
fn biases_are_added_and_repeat_by_strides() {
    for bias in [[false, false], [false, true], [true, false], [true, true]] {
        for hidden in [0, 3] {
            let case = Case::new(shape(2, 1, 27, 131, 16));
            check_all(&Case { bias: Some(bias), hidden, ..case });
        }
    }
}

#[test]
fn causal_queries_see_the_keys_up_to_their_own() {
    for (queries, keys) in [(50_usize, 50_usize), (33, 140), (140, 33), (1, 9)] {
        for past in [0, 1, keys.saturating_sub(queries), 1000] {
            let case = Case::new(shape(1, 1, queries, keys, 16));
            check_all(&Case { causal: Some(past), ..case.clone() });
            let bias = Some([false, true]);
            check_all(&Case { causal: Some(past), bias, hidden: 2, zero_keys: past, ..case });
        }
    }
}

#[test]
fn zero_keys_only_enlarge_the_denominator() {
    for zero_keys in [1, 77, 1000] {
        let case = Case::new(shape(2, 2, 11, 37, 24));
        check_all(&Case { zero_keys, ..case.clone() });
        check_all(&Case { zero_keys, scale: -2.0, ..case });
    }
}

#[test]
fn the_maximum_is_at_least_that_of_the_zero_keys() {
    fn holds<P: Precision<Value: Element>>()
    where
        AttentionRow<P>: Row,
    {
        let zero_keys = 3;
        let case =
            Case { zero_keys, bias: Some([false, false]), ..Case::new(shape(1, 1, 9, 20, 16)) };
        let mut operands = operands::<P::Value>(&case, true);
        operands.bias.slice().fill(-200.0);
        every_kernel::<AttentionRow<P>>(|kernel| {
            let got = run(kernel, &case, &operands, &Part::whole(&case.shape));
            let zeros = vec![Element::of(0.0); got.len()];
            assert_same(&got, &zeros, kernel.identity().name);
        });
    }
    holds::<f32>();
    holds::<f16>();
    holds::<Int8<f32>>();
    holds::<Int8<f16>>();
}

#[test]
fn zero_keys_are_keys_and_values_of_zeros() {
    fn holds<P: Precision<Value: Element>>()
    where
        AttentionRow<P>: Row,
    {
        let with = Case { zero_keys: 9, ..Case::new(shape(1, 1, 6, 12, 16)) };
        let full = Case { zero_keys: 0, shape: Shape { keys: 21, ..with.shape }, ..with.clone() };
        let short = operands::<P::Value>(&with, true);
        let mut long = operands::<P::Value>(&full, true);
        long.queries.slice().copy_from_slice(short.queries.values());
        for (long, short) in [(&mut long.keys, &short.keys), (&mut long.values, &short.values)] {
            let (same, zeros) = long.slice().split_at_mut(short.values().len());
            same.copy_from_slice(short.values());
            zeros.fill(Element::of(0.0));
        }
        let part = Part::whole(&with.shape);
        every_kernel::<AttentionRow<P>>(|kernel| {
            let wide = |x: Vec<P::Value>| x.into_iter().map(Element::wide).collect::<Vec<_>>();
            let got = wide(run(kernel, &with, &short, &part));
            let expected = wide(run(kernel, &full, &long, &part));
            let bytes = if in_bytes(kernel.identity()) { 0.02 } else { 0.0 };
            assert_near(&got, &expected, |_| 2e-3 + bytes, kernel.identity().name);
        });
    }
    holds::<f32>();
    holds::<f16>();
    holds::<Int8<f32>>();
    holds::<Int8<f16>>();
}

#[test]
fn a_row_that_sees_nothing_is_zero() {
    fn holds<P: Precision<Value: Element>>()
    where
        AttentionRow<P>: Row,
    {
        for (keys, zero_keys) in [(140, 0), (140, 3), (0, 0), (0, 3)] {
            let case = Case {
                bias: Some([false, true]),
                hidden: 8,
                zero_keys,
                ..Case::new(shape(1, 1, 26, keys, 16))
            };
            let operands = operands::<P::Value>(&case, false);
            every_kernel::<AttentionRow<P>>(|kernel| {
                let got = run(kernel, &case, &operands, &Part::whole(&case.shape));
                let zeros = vec![Element::of(0.0); got.len()];
                assert_same(&got, &zeros, format!("{} {keys} keys", kernel.identity().name));
            });
        }
    }
    holds::<f32>();
    holds::<f16>();
    holds::<Int8<f32>>();
    holds::<Int8<f16>>();
}

#[test]
fn hidden_keys_add_nothing_before_the_first_key_that_is_seen() {
    // The first block is hidden for all, the second is not: its maximum replaces one that was never set.
    let mut case = Case::new(shape(1, 1, 9, 300, 16));
    case.bias = Some([false, false]);
    fn holds<P: Precision<Value: Element>>(case: &Case)
    where
        AttentionRow<P>: Row,
    {
        let mut operands = operands::<P::Value>(case, true);
        for least in [f32::NEG_INFINITY, f32::MIN] {
            operands.bias.slice()[..299].fill(least);
            let last = &operands.values.values()[operands.values.values().len() - 16..];
            let expected: Vec<f32> = (0..9).flat_map(|_| last.iter().map(|x| x.wide())).collect();
            every_kernel::<AttentionRow<P>>(|kernel| {
                let got = run(kernel, case, &operands, &Part::whole(&case.shape));
                let got: Vec<f32> = got.into_iter().map(Element::wide).collect();
                let bytes = if in_bytes(kernel.identity()) { 1.0 / 254.0 } else { 0.0 };
                assert_near(&got, &expected, |_| 1e-3 + bytes, kernel.identity().name);
            });
        }
    }
    holds::<f32>(&case);
    holds::<f16>(&case);
    holds::<Int8<f32>>(&case);
    holds::<Int8<f16>>(&case);
}

#[test]
fn a_row_of_finite_masks_is_the_mean() {
    fn holds<P: Precision<Value: Element>>()
    where
        AttentionRow<P>: Row,
    {
        let case = Case { bias: Some([false, false]), ..Case::new(shape(1, 1, 5, 150, 8)) };
        let mut operands = operands::<P::Value>(&case, true);
        operands.bias.slice().fill(f32::MIN);
        let mut expected = vec![0.0; 8];
        for token in operands.values.values().chunks(11) {
            expected.iter_mut().zip(token).for_each(|(sum, x)| *sum += x.wide() / 150.0);
        }
        every_kernel::<AttentionRow<P>>(|kernel| {
            let got = run(kernel, &case, &operands, &Part::whole(&case.shape));
            let got: Vec<f32> = got[..8].iter().map(|x| x.wide()).collect();
            assert_near(&got, &expected, |_| 2e-3, kernel.identity().name);
        });
    }
    holds::<f32>();
    holds::<f16>();
    holds::<Int8<f32>>();
    holds::<Int8<f16>>();
}

#[test]
fn any_part_gives_the_bits_of_the_whole() {
    fn holds<P: Precision<Value: Element>>(case: &Case, parts: &[Part])
    where
        AttentionRow<P>: Row,
    {
        let operands = operands::<P::Value>(case, false);
        let shape = &case.shape;
        every_kernel::<AttentionRow<P>>(|kernel| {
            let whole = run(kernel, case, &operands, &Part::whole(shape));
            for part in parts {
                let got = run(kernel, case, &operands, part);
                let mut expected = Vec::new();
                for head in part.heads.clone() {
                    let start = (head * shape.queries + part.queries.start) * shape.value_size;
                    let length = part.queries.len() * shape.value_size;
                    expected.extend_from_slice(&whole[start..][..length]);
                }
                assert_same(
                    &got,
                    &expected,
                    format!("{} {part:?} {case:?}", kernel.identity().name),
                );
            }
        });
    }
    let shape = Shape { batches: 2, ..shape(2, 1, 61, 150, 20) };
    let parts = [
        Part { heads: 0..4, queries: 0..1 },
        Part { heads: 1..3, queries: 5..42 },
        Part { heads: 3..4, queries: 60..61 },
        Part { heads: 0..1, queries: 13..61 },
    ];
    for causal in [None, Some(3), Some(89)] {
        let case = Case { causal, zero_keys: 2, ..Case::new(shape) };
        holds::<f32>(&case, &parts);
        holds::<f16>(&case, &parts);
        holds::<Int8<f32>>(&case, &parts);
        holds::<Int8<f16>>(&case, &parts);
    }
}

#[test]
fn great_logits_and_values_do_not_overflow() {
    // The products alone, without the scale, are beyond the greatest half; so is a block's sum of values.
    let case =
        Case { scale: 1e-4, size: [250.0, 250.0, 60000.0], ..Case::new(shape(1, 1, 26, 150, 64)) };
    check_all(&case);
    // One key wins by far.
    check_all(&Case { size: [30.0, 30.0, 1.0], scale: 0.5, ..Case::new(shape(1, 1, 9, 40, 16)) });
}

#[test]
fn int8_products_of_the_greatest_integers_are_exact() {
    fn holds<P: Precision<Value: Element>>()
    where
        AttentionRow<P>: Row,
    {
        let case = Case { scale: 1e-2, ..Case::new(shape(1, 1, 26, 20, 160)) };
        let mut operands = operands::<P::Value>(&case, true);
        // Tokens of ±1 quantize to ±127: the scores are ±160 and 0 times the scale.
        for (token, row) in operands.queries.slice().chunks_mut(163).enumerate() {
            row.fill(Element::of(if token % 2 == 0 { 1.0 } else { -1.0 }));
        }
        for (token, row) in operands.keys.slice().chunks_mut(163).enumerate() {
            row.fill(Element::of(if token % 2 == 0 { 1.0 } else { -1.0 }));
        }
        let part = Part::whole(&case.shape);
        let wide = |x: Vec<P::Value>| x.into_iter().map(Element::wide).collect::<Vec<_>>();
        let expected = wide(run(Kernel::<AttentionRow<P>>::plain(), &case, &operands, &part));
        every_kernel::<AttentionRow<P>>(|kernel| {
            let halves = kernel.identity().element.ends_with("f16");
            let bytes = if in_bytes(kernel.identity()) { 1e-2 } else { 0.0 };
            let bound = bytes + if halves { 3e-3 } else { 1e-5 };
            let got = wide(run(kernel, &case, &operands, &part));
            assert_near(&got, &expected, |_| bound, kernel.identity().name);
        });
    }
    holds::<Int8<f32>>();
    holds::<Int8<f16>>();
}

#[test]
fn bytes_of_values_are_where_they_belong() {
    // Values that bytes hold exactly, several blocks of keys, and each query sees one key: it finds that key's values.
    fn one<P: Precision<Value: Element>>()
    where
        AttentionRow<P>: Row,
    {
        let (keys, size) = (787, 13);
        let shape = Shape { value_size: size, ..shape(1, 1, 50, keys, 16) };
        let case = Case { bias: Some([false, true]), ..Case::new(shape) };
        let mut operands = operands::<P::Value>(&case, true);
        // The first key of each sixteen keeps the greatest of every column at 127.
        let value = |key: usize, column: usize| match key % 16 {
            0 => 127.0,
            _ => ((key * 31 + column * 17) % 255) as f32 - 127.0,
        };
        for (key, row) in operands.values.slice().chunks_mut(size + 3).enumerate() {
            for (column, x) in row[..size].iter_mut().enumerate() {
                *x = Element::of(value(key, column));
            }
        }
        let seen = |query: usize| query * 331 % keys;
        for (query, row) in operands.bias.slice().chunks_mut(keys).enumerate() {
            row.fill(f32::NEG_INFINITY);
            row[seen(query)] = 1.0;
        }
        let expected: Vec<f32> =
            (0..50).flat_map(|query| (0..size).map(move |c| value(seen(query), c))).collect();
        every_kernel::<AttentionRow<P>>(|kernel| {
            let got = run(kernel, &case, &operands, &Part::whole(&case.shape));
            let got: Vec<f32> = got.into_iter().map(Element::wide).collect();
            assert_near(&got, &expected, |_| 127.0 * 2e-3, kernel.identity().name);
        });
    }
    // All keys are as probable, and that is a whole byte: the mean to the last bit but rounding.
    fn mean<P: Precision<Value: Element>>()
    where
        AttentionRow<P>: Row,
    {
        let case = Case { size: [0.0, 1.0, 1.0], ..Case::new(shape(1, 1, 26, 787, 8)) };
        let mut operands = operands::<P::Value>(&case, true);
        let mut expected = [0.0; 8];
        for (key, row) in operands.values.slice().chunks_mut(11).enumerate() {
            for (column, x) in row[..8].iter_mut().enumerate() {
                let value = if key % 16 == 0 { 127 } else { (key * 7 + column) % 128 };
                *x = Element::of(value as f32);
                expected[column] += value as f32 / 787.0;
            }
        }
        every_kernel::<AttentionRow<P>>(|kernel| {
            let got = run(kernel, &case, &operands, &Part::whole(&case.shape));
            let got: Vec<f32> = got.into_iter().map(Element::wide).collect();
            let bound = if kernel.identity().element.ends_with("f16") { 0.1 } else { 1e-3 };
            assert_near(&got, &expected.repeat(26), |_| bound, kernel.identity().name);
        });
    }
    one::<Int8<f32>>();
    one::<Int8<f16>>();
    mean::<Int8<f32>>();
    mean::<Int8<f16>>();
}

#[test]
fn random_attentions_match_the_plain_version() {
    let mut draw = Values::new(99);
    for seed in 0..60 {
        let key_heads = 1 + draw.below(3);
        let shape = Shape {
            batches: 1 + draw.below(2),
            heads: key_heads * (1 + draw.below(3)),
            key_heads,
            queries: 1 + draw.below(40),
            keys: 1 + draw.below(if seed % 8 == 0 { 300 } else { 40 }),
            key_size: 1 + draw.below(40),
            value_size: 1 + draw.below(40),
        };
        let flag = |draw: &mut Values| draw.below(2) == 1;
        let case = Case {
            causal: flag(&mut draw).then(|| draw.below(30)),
            zero_keys: draw.below(3) * 5,
            bias: flag(&mut draw).then(|| [flag(&mut draw), flag(&mut draw)]),
            hidden: draw.below(4),
            seed,
            ..Case::new(shape)
        };
        check_all(&case);
    }
}
