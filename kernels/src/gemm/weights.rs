use super::Element;
use std::ops::Range;

/// How B is packed: in panels of `nr` columns, a panel in steps of `kr` values of k, a step as `[nr][kr]`. Missing columns
/// and the end of each segment of k are filled with zeros. A bundle stores panels in this order and maps them.
///
/// `index(k, n) = ((n / nr · steps + k / kr) · nr + n % nr) · kr + k % kr`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// Columns of a panel.
    pub nr: usize,
    /// Values of k that stand side by side.
    pub kr: usize,
}

/// Packed weights: `segments` runs of `depth` values of k (a multiply has one, a convolution one for each tap), `n` columns.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a, E> {
    panels: &'a [E],
    sums: &'a [i32],
    layout: Layout,
    segments: usize,
    depth: usize,
    n: usize,
}

impl Layout {
    /// Steps of k that a segment takes.
    pub fn segment_steps(self, depth: usize) -> usize {
        depth.div_ceil(self.kr)
    }

    /// Values that packed weights take.
    pub fn packed_length(self, segments: usize, depth: usize, n: usize) -> usize {
        n.div_ceil(self.nr) * segments * self.segment_steps(depth) * self.nr * self.kr
    }

    /// A range of the `n` columns with those that fill up its last panel.
    pub(crate) fn padded(self, columns: &Range<usize>, n: usize) -> Range<usize> {
        let nr = self.nr;
        assert!(
            columns.start.is_multiple_of(nr)
                && (columns.end.is_multiple_of(nr) || columns.end == n)
                && columns.start <= columns.end
                && columns.end <= n,
            "columns {columns:?} of {n} are no whole panels of {nr}"
        );
        columns.start..columns.end.next_multiple_of(nr)
    }
}

impl<'a, E: Element> Weights<'a, E> {
    /// Weights that [`pack_weights`] packed, perhaps long ago and into a file. `sums` are the column sums of int8 weights, empty for the others.
    ///
    /// # Panics
    /// Where a slice has another length than the shape asks for.
    pub fn new(
        panels: &'a [E],
        sums: &'a [i32],
        layout: Layout,
        segments: usize,
        depth: usize,
        n: usize,
    ) -> Self {
        let needed = layout.packed_length(segments, depth, n);
        assert_eq!(
            panels.len(),
            needed,
            "packed weights [{segments} × {depth}, {n}] in {layout:?}"
        );
        let columns = n.next_multiple_of(layout.nr);
        assert!(
            sums.is_empty() || sums.len() == columns,
            "{columns} column sums expected, found {}",
            sums.len()
        );
        Self { panels, sums, layout, segments, depth, n }
    }

    /// How they are packed.
    pub fn layout(&self) -> Layout {
        self.layout
    }
    /// Runs of k.
    pub fn segments(&self) -> usize {
        self.segments
    }
    /// Values of a run.
    pub fn depth(&self) -> usize {
        self.depth
    }
    /// Values of k.
    pub fn k(&self) -> usize {
        self.segments * self.depth
    }
    /// Columns.
    pub fn n(&self) -> usize {
        self.n
    }
    /// Steps of k.
    pub fn steps(&self) -> usize {
        self.segments * self.layout.segment_steps(self.depth)
    }
    /// `Σk B[k, n]` of int8 weights, padded with zeros to whole panels.
    pub fn sums(&self) -> &'a [i32] {
        self.sums
    }
    /// The weights of a range of columns: whole panels.
    ///
    /// # Panics
    /// Where the range does not start and end at a panel's edge or at the last column.
    pub fn columns(&self, columns: &Range<usize>) -> Self {
        let padded = self.layout.padded(columns, self.n);
        let length = self.steps() * self.layout.kr;
        Self {
            panels: &self.panels[padded.start * length..padded.end * length],
            sums: if self.sums.is_empty() { self.sums } else { &self.sums[padded] },
            n: columns.len(),
            ..*self
        }
    }
    /// One panel.
    pub fn panel(&self, index: usize) -> &'a [E] {
        let length = self.steps() * self.layout.nr * self.layout.kr;
        &self.panels[index * length..][..length]
    }
}

/// Packs weights given as `at(segment, k, n)`.
///
/// # Panics
/// Where `panels` is not as long as [`Layout::packed_length`] says.
pub fn pack_weights<E: Element>(
    layout: Layout,
    segments: usize,
    depth: usize,
    n: usize,
    at: impl Fn(usize, usize, usize) -> E,
    panels: &mut [E],
) {
    assert_eq!(
        panels.len(),
        layout.packed_length(segments, depth, n),
        "packed weights [{segments} × {depth}, {n}]"
    );
    let Layout { nr, kr } = layout;
    let segment_length = layout.segment_steps(depth) * nr * kr;
    let all = panels.chunks_exact_mut((segments * segment_length).max(1));
    for (panel, first) in all.zip((0..n).step_by(nr)) {
        let columns = nr.min(n - first);
        for (segment, panel) in panel.chunks_exact_mut(segment_length.max(1)).enumerate() {
            for (step, k) in panel.chunks_exact_mut(nr * kr).zip((0..depth).step_by(kr)) {
                let values = kr.min(depth - k);
                if values < kr || columns < nr {
                    step.fill(E::ZERO);
                }
                for (column, step) in step.chunks_exact_mut(kr).take(columns).enumerate() {
                    for (within, value) in step[..values].iter_mut().enumerate() {
                        *value = at(segment, k + within, first + column);
                    }
                }
            }
        }
    }
}

/// `Σk B[k, n]` of packed int8 weights, for [`Weights::new`]; `sums` holds a value for each column of each panel.
///
/// # Panics
/// Where a slice has another length than the shape asks for.
pub fn column_sums(
    layout: Layout,
    segments: usize,
    depth: usize,
    n: usize,
    panels: &[i8],
    sums: &mut [i32],
) {
    assert_eq!(
        panels.len(),
        layout.packed_length(segments, depth, n),
        "packed weights [{segments} × {depth}, {n}]"
    );
    assert_eq!(sums.len(), n.next_multiple_of(layout.nr), "column sums of {n} columns");
    let Layout { nr, kr } = layout;
    let length = segments * layout.segment_steps(depth) * nr * kr;
    sums.fill(0);
    for (panel, sums) in panels.chunks_exact(length.max(1)).zip(sums.chunks_exact_mut(nr)) {
        for step in panel.chunks_exact(nr * kr) {
            for (sum, values) in sums.iter_mut().zip(step.chunks_exact(kr)) {
                *sum += values.iter().map(|&value| i32::from(value)).sum::<i32>();
            }
        }
    }
}
