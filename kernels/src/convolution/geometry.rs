use crate::gemm::{Element, Layout, Weights, column_sums, pack_weights};

/// Sizes of a convolution, in pixels, channels and taps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Geometry {
    /// Images.
    pub batch: usize,
    /// Of an input image.
    pub height: usize,
    /// Of an input image.
    pub width: usize,
    /// Of the input, of all groups together.
    pub channels: usize,
    /// Of the output, of all groups together.
    pub channels_out: usize,
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Down and across.
    pub stride: [usize; 2],
    /// Down and across; 1 is a dense kernel.
    pub dilation: [usize; 2],
    /// Top, left, bottom, right; in pixels of the enlarged input where `upsample` is 2.
    pub padding: [usize; 4],
    /// Channels of a group meet only filters of the same group.
    pub groups: usize,
    /// 2 convolves the image enlarged to twice its size, each pixel four times; 1 the image itself.
    pub upsample: usize,
}

impl Geometry {
    /// A dense kernel with stride 1, no padding, one group.
    pub fn new(
        [batch, height, width, channels]: [usize; 4],
        channels_out: usize,
        kernel: usize,
    ) -> Self {
        Self {
            batch,
            height,
            width,
            channels,
            channels_out,
            kernel: [kernel; 2],
            stride: [1; 2],
            dilation: [1; 2],
            padding: [0; 4],
            groups: 1,
            upsample: 1,
        }
    }

    /// Each channel by itself: as many groups as channels; stride 1, no padding.
    pub fn depthwise([batch, height, width, channels]: [usize; 4], kernel: usize) -> Self {
        let whole = Self::new([batch, height, width, channels], channels, kernel);
        Self { groups: channels, ..whole }
    }

    /// Rows of an output image; 0 where the kernel does not fit into the padded input.
    pub fn out_height(&self) -> usize {
        let [top, _, bottom, _] = self.padding;
        self.out(0, self.height, top + bottom)
    }

    /// Columns of an output image; 0 where the kernel does not fit into the padded input.
    pub fn out_width(&self) -> usize {
        let [_, left, _, right] = self.padding;
        self.out(1, self.width, left + right)
    }

    fn out(&self, axis: usize, size: usize, padding: usize) -> usize {
        let reach = (self.kernel[axis] - 1) * self.dilation[axis] + 1;
        let padded = size * self.upsample + padding;
        if padded < reach { 0 } else { (padded - reach) / self.stride[axis] + 1 }
    }

    /// Output pixels of the whole batch.
    pub fn pixels(&self) -> usize {
        self.batch * self.out_height() * self.out_width()
    }

    /// Taps of the kernel.
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Input channels of a group.
    pub fn depth(&self) -> usize {
        self.channels / self.groups
    }

    /// Output channels of a group.
    pub fn columns(&self) -> usize {
        self.channels_out / self.groups
    }

    /// How the values of k fall into runs, `[segments, values of a segment]`: a run for each tap; a run for each row of taps where a
    /// tap has so few channels that padding it would waste much, and the row stands in one piece.
    pub fn segments(&self) -> [usize; 2] {
        const FEW: usize = 16;
        let [height, width] = self.kernel;
        let whole = self.groups == 1 && self.dilation[1] == 1 && self.upsample == 1;
        if whole && self.channels < FEW {
            [height, width * self.channels]
        } else {
            [height * width, self.depth()]
        }
    }

    /// Whether output pixels are the input's, one by one: the convolution is a plain multiply.
    pub(super) fn is_multiply(&self) -> bool {
        self.taps() == 1 && self.stride == [1; 2] && self.padding == [0; 4] && self.upsample == 1
    }

    /// # Panics
    /// Where the sizes make no convolution.
    pub(crate) fn check(&self) {
        let whole = self.groups > 0
            && self.channels.is_multiple_of(self.groups)
            && self.channels_out.is_multiple_of(self.groups);
        assert!(whole, "channels that are no multiple of the groups: {self:?}");
        let [height, width] = self.kernel;
        let positive =
            [height, width, self.stride[0], self.stride[1], self.dilation[0], self.dilation[1]];
        assert!(
            positive.iter().all(|&size| size > 0),
            "a kernel, stride or dilation of 0: {self:?}"
        );
        assert!(matches!(self.upsample, 1 | 2), "upsample is 1 or 2: {self:?}");
    }
}

/// Packed filters: for each group in turn, what [`pack_weights`](crate::gemm::pack_weights) makes of its
/// [`segments`](Geometry::segments) and columns. A bundle stores them in this order and maps them.
#[derive(Clone, Copy, Debug)]
pub struct Filters<'a, E> {
    panels: &'a [E],
    sums: &'a [i32],
    layout: Layout,
    segments: [usize; 2],
    columns: usize,
    groups: usize,
}

impl<'a, E: Element> Filters<'a, E> {
    /// Filters that [`pack_filters`] packed, perhaps long ago and into a file; `sums` come from [`filter_sums`] for
    /// int8 and are empty for the others.
    ///
    /// # Panics
    /// Where a slice has another length than the geometry asks for.
    pub fn new(geometry: &Geometry, layout: Layout, panels: &'a [E], sums: &'a [i32]) -> Self {
        geometry.check();
        let needed = Self::packed_length(geometry, layout);
        assert_eq!(panels.len(), needed, "packed filters of {geometry:?} in {layout:?}");
        let needed = Self::sums_length(geometry, layout);
        assert!(
            sums.is_empty() || sums.len() == needed,
            "{needed} filter sums expected, found {}",
            sums.len()
        );
        Self {
            panels,
            sums,
            layout,
            segments: geometry.segments(),
            columns: geometry.columns(),
            groups: geometry.groups,
        }
    }

    /// Values that packed filters take.
    pub fn packed_length(geometry: &Geometry, layout: Layout) -> usize {
        let [segments, depth] = geometry.segments();
        geometry.groups * layout.packed_length(segments, depth, geometry.columns())
    }

    /// Sums that go with them.
    pub fn sums_length(geometry: &Geometry, layout: Layout) -> usize {
        geometry.groups * geometry.columns().next_multiple_of(layout.nr)
    }

    pub(super) fn check(&self, geometry: &Geometry) {
        assert!(
            self.segments == geometry.segments()
                && self.columns == geometry.columns()
                && self.groups == geometry.groups,
            "the filters are packed for another convolution than {geometry:?}"
        );
    }

    /// The filters of a group.
    pub fn group(&self, group: usize) -> Weights<'a, E> {
        let [segments, depth] = self.segments;
        let length = self.layout.packed_length(segments, depth, self.columns);
        let padded =
            if self.sums.is_empty() { 0 } else { self.columns.next_multiple_of(self.layout.nr) };
        Weights::new(
            &self.panels[group * length..][..length],
            &self.sums[group * padded..][..padded],
            self.layout,
            segments,
            depth,
            self.columns,
        )
    }
}

/// Packs filters given as `at(channel_out, ky, kx, channel)`, where `channel` counts within the group of `channel_out`.
///
/// # Panics
/// Where `panels` is not as long as [`Filters::packed_length`] says.
pub fn pack_filters<E: Element>(
    geometry: &Geometry,
    layout: Layout,
    at: impl Fn(usize, usize, usize, usize) -> E,
    panels: &mut [E],
) {
    geometry.check();
    assert_eq!(
        panels.len(),
        Filters::<E>::packed_length(geometry, layout),
        "packed filters of {geometry:?}"
    );
    let [segments, depth] = geometry.segments();
    let (width, channels, columns) = (geometry.kernel[1], geometry.depth(), geometry.columns());
    let length = layout.packed_length(segments, depth, columns);
    for (group, panels) in panels.chunks_exact_mut(length.max(1)).enumerate() {
        let value = |segment: usize, k: usize, n: usize| {
            let tap = segment * (depth / channels) + k / channels;
            at(group * columns + n, tap / width, tap % width, k % channels)
        };
        pack_weights(layout, segments, depth, columns, value, panels);
    }
}

/// The sums of packed int8 filters, for [`Filters::new`].
///
/// # Panics
/// Where a slice has another length than the geometry asks for.
pub fn filter_sums(geometry: &Geometry, layout: Layout, panels: &[i8], sums: &mut [i32]) {
    let [segments, depth] = geometry.segments();
    let (padded, columns) = (geometry.columns().next_multiple_of(layout.nr), geometry.columns());
    let length = layout.packed_length(segments, depth, columns);
    assert_eq!(panels.len(), geometry.groups * length, "packed filters of {geometry:?}");
    assert_eq!(sums.len(), geometry.groups * padded, "filter sums of {geometry:?}");
    for (panels, sums) in
        panels.chunks_exact(length.max(1)).zip(sums.chunks_exact_mut(padded.max(1)))
    {
        column_sums(layout, segments, depth, columns, panels, sums);
    }
}
