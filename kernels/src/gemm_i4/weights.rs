use crate::gemm::Layout;
use half::f16;
use std::ops::Range;

/// Values of k that share a scale.
pub const GROUP: usize = 32;

/// Packed weights. A bundle stores the slices in this order and maps them.
///
/// A byte holds two weights of a group, `u = w + 8`: in the lower half one of its first 16, in the upper half the one 16 further on.
/// With `G = ⌈k / 32⌉` groups, the byte of `(k, n)` is, panels of `nr` columns after one another,
///
/// `((n / nr · G + k / 32) · 16 / kr + k % 16 / kr) · nr · kr + n % nr · kr + k % kr`
///
/// and its scale is at `(n / nr · G + k / 32) · nr + n % nr`. Missing columns have the scale 0, and what is missing of the last group
/// and of columns is the weight 0.
#[derive(Clone, Copy, Debug)]
pub struct I4Weights<'a> {
    nibbles: &'a [u8],
    scales: Scales<'a>,
    terms: &'a [f32],
    layout: Layout,
    k: usize,
    n: usize,
}

/// The scales of groups.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the names say all there is to say")]
pub enum Scales<'a> {
    F16(&'a [f16]),
    F32(&'a [f32]),
}

impl Scales<'_> {
    fn len(&self) -> usize {
        match self {
            Scales::F16(scales) => scales.len(),
            Scales::F32(scales) => scales.len(),
        }
    }

    fn part(&self, range: Range<usize>) -> Self {
        match self {
            Scales::F16(scales) => Scales::F16(&scales[range]),
            Scales::F32(scales) => Scales::F32(&scales[range]),
        }
    }

    fn at(&self, index: usize) -> f32 {
        match self {
            Scales::F16(scales) => scales[index].to_f32(),
            Scales::F32(scales) => scales[index],
        }
    }
}

impl<'a> I4Weights<'a> {
    /// Weights that [`pack_nibbles`], [`pack_scales`] and [`terms`] made, perhaps long ago and into a file.
    ///
    /// # Panics
    /// Where a slice has another length than the shape asks for.
    pub fn new(
        nibbles: &'a [u8],
        scales: Scales<'a>,
        terms: &'a [f32],
        layout: Layout,
        k: usize,
        n: usize,
    ) -> Self {
        let (columns, groups) = (n.next_multiple_of(layout.nr), k.div_ceil(GROUP));
        assert_eq!(nibbles.len(), columns * groups * 16, "nibbles of [{k}, {n}] in {layout:?}");
        assert_eq!(scales.len(), columns * groups, "scales of [{k}, {n}] in {layout:?}");
        assert_eq!(terms.len(), columns, "terms of [{k}, {n}] in {layout:?}");
        Self { nibbles, scales, terms, layout, k, n }
    }

    /// How they are packed.
    pub fn layout(&self) -> Layout {
        self.layout
    }
    /// Values of k.
    pub fn k(&self) -> usize {
        self.k
    }
    /// Columns.
    pub fn n(&self) -> usize {
        self.n
    }
    /// Groups of k.
    pub fn groups(&self) -> usize {
        self.k.div_ceil(GROUP)
    }

    /// The weights of a range of columns: whole panels.
    ///
    /// # Panics
    /// Where the range does not start and end at a panel's edge or at the last column.
    pub fn columns(&self, columns: &Range<usize>) -> Self {
        let padded = self.layout.padded(columns, self.n);
        let groups = self.groups();
        Self {
            nibbles: &self.nibbles[padded.start * groups * 16..padded.end * groups * 16],
            scales: self.scales.part(padded.start * groups..padded.end * groups),
            terms: &self.terms[padded],
            n: columns.len(),
            ..*self
        }
    }

    pub(super) fn panel(&self, index: usize) -> &'a [u8] {
        let length = self.groups() * self.layout.nr * 16;
        &self.nibbles[index * length..][..length]
    }
    pub(super) fn panel_scales(&self, index: usize) -> Scales<'a> {
        let range =
            index * self.groups() * self.layout.nr..(index + 1) * self.groups() * self.layout.nr;
        match self.scales {
            Scales::F16(scales) => Scales::F16(&scales[range]),
            Scales::F32(scales) => Scales::F32(&scales[range]),
        }
    }
    pub(super) fn panel_terms(&self, index: usize) -> &'a [f32] {
        &self.terms[index * self.layout.nr..][..self.layout.nr]
    }
}

/// Packs weights given as `at(k, n)`, −8..=7.
///
/// # Panics
/// Where `nibbles` holds not 16 bytes for each group of each column, missing columns included, or a weight is out of range.
pub fn pack_nibbles(
    layout: Layout,
    k: usize,
    n: usize,
    at: impl Fn(usize, usize) -> i8,
    nibbles: &mut [u8],
) {
    let Layout { nr, kr } = layout;
    assert!(16usize.is_multiple_of(kr), "steps of {kr} do not divide half a group");
    let (columns, groups) = (n.next_multiple_of(nr), k.div_ceil(GROUP));
    assert_eq!(nibbles.len(), columns * groups * 16, "nibbles of [{k}, {n}] in {layout:?}");
    let stored = |k_at: usize, column: usize| {
        let weight = if k_at < k && column < n { at(k_at, column) } else { 0 };
        assert!((-8..8).contains(&weight), "the weight [{k_at}, {column}] is {weight}");
        (weight + 8) as u8
    };
    for (index, byte) in nibbles.iter_mut().enumerate() {
        let (within, column, step) = (index % kr, index / kr % nr, index / (kr * nr) % (16 / kr));
        let group = index / (16 * nr) % groups;
        let column = index / (16 * nr * groups) * nr + column;
        let low = group * GROUP + step * kr + within;
        *byte = stored(low, column) | stored(low + 16, column) << 4;
    }
}

/// Packs scales given as `at(group, n)`; `missing` is 0.
///
/// # Panics
/// Where `scales` holds not one value for each group of each column, missing columns included.
pub fn pack_scales<T: Copy>(
    layout: Layout,
    k: usize,
    n: usize,
    at: impl Fn(usize, usize) -> T,
    missing: T,
    scales: &mut [T],
) {
    let (nr, groups) = (layout.nr, k.div_ceil(GROUP));
    assert_eq!(scales.len(), n.next_multiple_of(nr) * groups, "scales of [{k}, {n}]");
    for (index, scale) in scales.iter_mut().enumerate() {
        let column = index / (nr * groups) * nr + index % nr;
        *scale = if column < n { at(index / nr % groups, column) } else { missing };
    }
}

/// What a zero point of 1 takes off each column: for each group in turn `term = fma(Σk∈g B[k, n], group_scale[g, n], term)`.
///
/// # Panics
/// Where `terms` holds not one value for each column, missing ones included.
pub fn terms(layout: Layout, k: usize, nibbles: &[u8], scales: Scales, terms: &mut [f32]) {
    let (Layout { nr, kr }, groups) = (layout, k.div_ceil(GROUP));
    assert_eq!(nibbles.len(), terms.len() * groups * 16, "nibbles of {} columns", terms.len());
    assert_eq!(scales.len(), terms.len() * groups, "scales of {} columns", terms.len());
    for (column, term) in terms.iter_mut().enumerate() {
        *term = 0.0;
        for group in 0..groups {
            let block = column / nr * groups + group;
            let bytes = (0..16 / kr).flat_map(|step| {
                let from = (block * (16 / kr) + step) * nr * kr + column % nr * kr;
                &nibbles[from..from + kr]
            });
            let sum: i32 =
                bytes.map(|&byte| i32::from(byte & 15) + i32::from(byte >> 4) - 16).sum();
            *term = (sum as f32).mul_add(scales.at(block * nr + column % nr), *term);
        }
    }
}
