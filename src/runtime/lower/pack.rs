//! Weights in the order in which kernels read them, one after the other in a blob.

use crate::runtime::blob::Blob;
use crate::runtime::choices::{Algorithm, Choice, Precision};
use crate::runtime::program::{Element, Packing, Span, Weights};
use half::f16;
use kernels::convolution::{Filters, Geometry, filter_sums, pack_filters};
use kernels::gemm::{self, Element as Multiplied};
use kernels::gemm_i4::{GROUP, pack_nibbles, pack_scales, terms};
use kernels::layouts::Layouts;
use kernels::memory::{Memory, bytes, values_mut};
use kernels::scratch::Plain;
use kernels::transposed::{
    TransposedFilters, TransposedGeometry, pack_transposed, transposed_sums,
};
use kernels::winograd;
use models::nn;
use rayon::prelude::*;

/// Collects what is to be packed; packs all of it at the end, on all cores.
#[derive(Default)]
pub(super) struct Packer<'m> {
    length: usize,
    jobs: Vec<Job<'m>>,
}

type Fill<'m> = Box<dyn FnOnce(&mut [u8]) + Send + 'm>;

/// Fills a range of the blob.
struct Job<'m> {
    start: usize,
    length: usize,
    fill: Fill<'m>,
}

/// The weights of output channels: for each the values of all taps and input channels.
type Rows<'m> = Vec<&'m [f32]>;

impl<'m> Packer<'m> {
    pub(super) fn floats(&mut self, values: &[f32]) -> Span {
        self.bytes(bytes(values))
    }

    pub(super) fn bytes(&mut self, values: &[u8]) -> Span {
        let values = values.to_vec();
        self.add(values.len(), move |to| to.copy_from_slice(&values))
    }

    fn add(&mut self, length: usize, fill: impl FnOnce(&mut [u8]) + Send + 'm) -> Span {
        let start = self.length;
        self.length = (start + length).next_multiple_of(crate::runtime::blob::ALIGNMENT);
        self.jobs.push(Job { start, length, fill: Box::new(fill) });
        Span { offset: start as u64, bytes: length as u64 }
    }

    fn add_values<T: Plain>(
        &mut self,
        count: usize,
        fill: impl FnOnce(&mut [T]) + Send + 'm,
    ) -> Span {
        self.add(count * size_of::<T>(), move |to| {
            fill(values_mut(to).expect("a span starts aligned and is a whole number of values"));
        })
    }

    /// The blob.
    pub(super) fn finish(self) -> Blob {
        let mut memory = Memory::zeroed(self.length);
        let mut rest = &mut memory[..];
        let mut done = 0;
        let mut tasks = Vec::new();
        for job in self.jobs {
            let (_, from) = rest.split_at_mut(job.start - done);
            let (own, after) = from.split_at_mut(job.length);
            done = job.start + job.length;
            rest = after;
            tasks.push((job.fill, own));
        }
        tasks.into_par_iter().for_each(|(fill, own)| fill(own));
        memory.into()
    }

    pub(super) fn convolution(
        &mut self,
        layouts: &Layouts,
        layer: &'m nn::Convolution,
        [batch, height, width, channels]: [usize; 4],
        choice: Choice,
        element: Element,
        bias: Option<Vec<f32>>,
    ) -> Result<Weights, &'static str> {
        let [columns, down, across, depth] = layer.weights.shape[..] else {
            return Err("its weights are not [c_out, height, width, c_in]");
        };
        let geometry = Geometry {
            batch,
            height,
            width,
            channels,
            channels_out: columns,
            kernel: [down, across],
            stride: layer.stride,
            dilation: layer.dilation,
            padding: layer.padding,
            groups: layer.groups,
            upsample: layer.enlargement,
        };
        let rows: Rows = layer.weights.values.chunks_exact(down * across * depth).collect();
        let bias = bias.map(|bias| self.floats(&bias));
        if choice.precision == Precision::Int4 {
            return Err("int4 is for linear layers");
        }
        if layer.is_depthwise() && layer.enlargement == 1 {
            return Ok(self.taps(rows, element, bias));
        }
        if let (Algorithm::Winograd(tile), true) = (choice.algorithm, element != Element::I8) {
            let fits = [down, across] == [3, 3]
                && layer.stride == [1, 1]
                && layer.dilation == [1, 1]
                && layer.groups == 1
                && layer.enlargement == 1
                && layer.padding.iter().all(|&pad| pad <= 2);
            if !fits {
                return Err("Winograd's method is for 3x3 kernels of stride 1");
            }
            return Ok(self.winograd(layouts, rows, tile, depth, element, bias));
        }
        let at = move |row: &[f32], ky: usize, kx: usize, channel: usize| {
            row[(ky * across + kx) * depth + channel]
        };
        let weights = |layout: gemm::Layout| Weights {
            packing: Packing::Gemm { element, nr: layout.nr, kr: layout.kr },
            panels: Span { offset: 0, bytes: 0 },
            sums: None,
            scales: None,
            bias,
        };
        Ok(match element {
            Element::I8 => {
                let [segments, run] = geometry.segments();
                let layout = layouts.gemm_i8(segments * run);
                let (steps, quantized) = steps_of(&rows);
                let length = Filters::<i8>::packed_length(&geometry, layout);
                let sums = Filters::<i8>::sums_length(&geometry, layout);
                let (panels, sums) = self.panels_and_sums(length, sums, move |panels, sums| {
                    let value = |o: usize, ky, kx, c| quantized(at(rows[o], ky, kx, c), o);
                    pack_filters(&geometry, layout, value, panels);
                    filter_sums(&geometry, layout, panels, sums);
                });
                let scales = Some(self.floats(&steps));
                Weights { panels, sums: Some(sums), scales, ..weights(layout) }
            }
            Element::F16 => {
                let layout = layouts.gemm_f16;
                let length = Filters::<f16>::packed_length(&geometry, layout);
                let panels = self.add_values(length, move |panels: &mut [f16]| {
                    let value = |o: usize, ky, kx, c| f16::from_f32(at(rows[o], ky, kx, c));
                    pack_filters(&geometry, layout, value, panels);
                });
                Weights { panels, ..weights(layout) }
            }
            Element::F32 => {
                let few = geometry.pixels() > 1 && geometry.groups == 1;
                let layout = if few { layouts.few_f32(columns) } else { layouts.gemm_f32 };
                let length = Filters::<f32>::packed_length(&geometry, layout);
                let panels = self.add_values(length, move |panels: &mut [f32]| {
                    let value = |o: usize, ky, kx, c| at(rows[o], ky, kx, c);
                    pack_filters(&geometry, layout, value, panels);
                });
                Weights { panels, ..weights(layout) }
            }
        })
    }

    pub(super) fn linear(
        &mut self,
        layouts: &Layouts,
        parts: &[&'m nn::Linear],
        choice: Choice,
        element: Element,
        bias: Option<Vec<f32>>,
    ) -> Result<Weights, &'static str> {
        let k = parts[0].weights.shape[1];
        let rows: Rows =
            parts.iter().flat_map(|part| part.weights.values.chunks_exact(k)).collect();
        let n = rows.len();
        let bias = bias.map(|bias| self.floats(&bias));
        if choice.precision == Precision::Int4 {
            return Ok(self.int4(layouts.gemm_i4, rows, k, bias));
        }
        let weights = |layout: gemm::Layout| Weights {
            packing: Packing::Gemm { element, nr: layout.nr, kr: layout.kr },
            panels: Span { offset: 0, bytes: 0 },
            sums: None,
            scales: None,
            bias,
        };
        Ok(match element {
            Element::I8 => {
                let layout = layouts.gemm_i8(k);
                let (steps, quantized) = steps_of(&rows);
                let length = layout.packed_length(1, k, n);
                let sums = n.next_multiple_of(layout.nr);
                let (panels, sums) = self.panels_and_sums(length, sums, move |panels, sums| {
                    let value = |_, k: usize, n: usize| quantized(rows[n][k], n);
                    gemm::pack_weights(layout, 1, k, n, value, panels);
                    gemm::column_sums(layout, 1, k, n, panels, sums);
                });
                let scales = Some(self.floats(&steps));
                Weights { panels, sums: Some(sums), scales, ..weights(layout) }
            }
            Element::F16 => {
                let layout = layouts.gemm_f16;
                let panels = self.multiplied(layout, rows, k, f16::from_f32);
                Weights { panels, ..weights(layout) }
            }
            Element::F32 => {
                let layout = layouts.gemm_f32;
                let panels = self.multiplied(layout, rows, k, |value| value);
                Weights { panels, ..weights(layout) }
            }
        })
    }

    fn multiplied<E: Multiplied>(
        &mut self,
        layout: gemm::Layout,
        rows: Rows<'m>,
        k: usize,
        narrow: fn(f32) -> E,
    ) -> Span {
        let n = rows.len();
        self.add_values(layout.packed_length(1, k, n), move |panels: &mut [E]| {
            let value = |_, k: usize, n: usize| narrow(rows[n][k]);
            gemm::pack_weights(layout, 1, k, n, value, panels);
        })
    }

    pub(super) fn transposed(
        &mut self,
        layouts: &Layouts,
        layer: &'m nn::TransposedConvolution,
        [batch, height, width, channels]: [usize; 4],
        element: Element,
        bias: Option<Vec<f32>>,
    ) -> Result<Weights, &'static str> {
        let [down, across, depth, columns] = layer.weights.shape[..] else {
            return Err("its weights are not [height, width, c_in, c_out]");
        };
        let geometry = TransposedGeometry {
            batch,
            height,
            width,
            channels,
            channels_out: columns,
            kernel: [down, across],
        };
        let values = &layer.weights.values;
        let at = move |ky: usize, kx: usize, k: usize, n: usize| {
            values[((ky * across + kx) * depth + k) * columns + n]
        };
        let bias = bias.map(|bias| self.floats(&bias));
        let weights = |layout: gemm::Layout| Weights {
            packing: Packing::Gemm { element, nr: layout.nr, kr: layout.kr },
            panels: Span { offset: 0, bytes: 0 },
            sums: None,
            scales: None,
            bias,
        };
        Ok(match element {
            Element::I8 => {
                let layout = layouts.gemm_i8(depth);
                let mut steps = vec![0f32; columns];
                for row in values.chunks_exact(columns) {
                    for (step, value) in steps.iter_mut().zip(row) {
                        *step = step.max(value.abs());
                    }
                }
                steps.iter_mut().for_each(|step| *step = gemm::row_scale(*step));
                let scales = Some(self.floats(&steps));
                let length = TransposedFilters::<i8>::packed_length(&geometry, layout);
                let sums = TransposedFilters::<i8>::sums_length(&geometry, layout);
                let (panels, sums) = self.panels_and_sums(length, sums, move |panels, sums| {
                    let value = |ky, kx, k, n: usize| nearest(at(ky, kx, k, n) / steps[n]);
                    pack_transposed(&geometry, layout, value, panels);
                    transposed_sums(&geometry, layout, panels, sums);
                });
                Weights { panels, sums: Some(sums), scales, ..weights(layout) }
            }
            Element::F16 => {
                let layout = layouts.gemm_f16;
                let length = TransposedFilters::<f16>::packed_length(&geometry, layout);
                let panels = self.add_values(length, move |panels: &mut [f16]| {
                    let value = |ky, kx, k, n| f16::from_f32(at(ky, kx, k, n));
                    pack_transposed(&geometry, layout, value, panels);
                });
                Weights { panels, ..weights(layout) }
            }
            Element::F32 => {
                let layout = layouts.gemm_f32;
                let length = TransposedFilters::<f32>::packed_length(&geometry, layout);
                let panels = self.add_values(length, move |panels: &mut [f32]| {
                    pack_transposed(&geometry, layout, at, panels);
                });
                Weights { panels, ..weights(layout) }
            }
        })
    }

    fn taps(&mut self, rows: Rows<'m>, element: Element, bias: Option<Span>) -> Weights {
        let (channels, taps) = (rows.len(), rows.first().map_or(0, |row| row.len()));
        let packing = Packing::Taps { element };
        let count = channels * taps;
        fn fill<T>(to: &mut [T], rows: &Rows, value: impl Fn(f32, usize) -> T) {
            let channels = rows.len();
            for (index, to) in to.iter_mut().enumerate() {
                let (tap, channel) = (index / channels, index % channels);
                *to = value(rows[channel][tap], channel);
            }
        }
        let (panels, scales) = match element {
            Element::I8 => {
                let (steps, quantized) = steps_of(&rows);
                let panels =
                    self.add_values(count, move |to: &mut [i8]| fill(to, &rows, quantized));
                (panels, Some(self.floats(&steps)))
            }
            Element::F16 => {
                let narrow = |value, _| f16::from_f32(value);
                (self.add_values(count, move |to: &mut [f16]| fill(to, &rows, narrow)), None)
            }
            Element::F32 => (
                self.add_values(count, move |to: &mut [f32]| fill(to, &rows, |value, _| value)),
                None,
            ),
        };
        Weights { packing, panels, sums: None, scales, bias }
    }

    fn winograd(
        &mut self,
        layouts: &Layouts,
        rows: Rows<'m>,
        tile: [usize; 2],
        depth: usize,
        element: Element,
        bias: Option<Span>,
    ) -> Weights {
        let columns = rows.len();
        let at = move |u: usize, v: usize, k: usize, n: usize| rows[n][(u * 3 + v) * depth + k];
        let (layout, panels) = if element == Element::F16 {
            let layout = layouts.winograd_f16(tile);
            let length = layout.packed_length(depth, columns);
            let fill = move |to: &mut [f16]| winograd::pack(layout, depth, columns, at, to);
            (layout, self.add_values(length, fill))
        } else {
            let layout = layouts.winograd_f32(tile);
            let length = layout.packed_length(depth, columns);
            let fill = move |to: &mut [f32]| winograd::pack(layout, depth, columns, at, to);
            (layout, self.add_values(length, fill))
        };
        let packing = Packing::Winograd { element, tile, nr: layout.nr, group: layout.group };
        Weights { packing, panels, sums: None, scales: None, bias }
    }

    fn int4(
        &mut self,
        layout: gemm::Layout,
        rows: Rows<'m>,
        k: usize,
        bias: Option<Span>,
    ) -> Weights {
        let n = rows.len();
        let (columns, groups) = (n.next_multiple_of(layout.nr), k.div_ceil(GROUP));
        // A step for each group, rounded to the half that is stored.
        let step = |n: usize, group: usize| {
            let end = rows[n].len().min((group + 1) * GROUP);
            let greatest = rows[n][group * GROUP..end].iter().fold(0f32, |m, x| m.max(x.abs()));
            f16::from_f32(if greatest == 0.0 { 0.0 } else { greatest / 7.0 })
        };
        let steps: Vec<f16> = (0..n)
            .flat_map(|n| (0..groups).map(move |group| (n, group)))
            .map(|(n, group)| step(n, group))
            .collect();
        let mut scales = vec![f16::ZERO; columns * groups];
        pack_scales(layout, k, n, |group, n| steps[n * groups + group], f16::ZERO, &mut scales);
        let weight = move |k: usize, n: usize| {
            let step = steps[n * groups + k / GROUP].to_f32();
            if step == 0.0 {
                0
            } else {
                (rows[n][k] / step).round_ties_even().clamp(-8.0, 7.0) as i8
            }
        };
        let mut nibbles = vec![0u8; columns * groups * GROUP / 2];
        pack_nibbles(layout, k, n, weight, &mut nibbles);
        let mut sums = vec![0f32; columns];
        terms(layout, k, &nibbles, kernels::gemm_i4::Scales::F16(&scales), &mut sums);
        let packing = Packing::GemmI4 { nr: layout.nr, kr: layout.kr };
        Weights {
            packing,
            panels: self.bytes(&nibbles),
            sums: Some(self.floats(&sums)),
            scales: Some(self.bytes(bytes(&scales))),
            bias,
        }
    }

    /// int8 panels and their sums, filled together.
    fn panels_and_sums(
        &mut self,
        panels: usize,
        sums: usize,
        fill: impl FnOnce(&mut [i8], &mut [i32]) + Send + 'm,
    ) -> (Span, Span) {
        let between = panels.next_multiple_of(crate::runtime::blob::ALIGNMENT);
        let whole = self.add(between + sums * size_of::<i32>(), move |to| {
            let (first, second) = to.split_at_mut(between);
            let aligned = "a span starts aligned and is a whole number of values";
            fill(
                values_mut(&mut first[..panels]).expect(aligned),
                values_mut(second).expect(aligned),
            );
        });
        let panels = Span { offset: whole.offset, bytes: panels as u64 };
        let sums =
            Span { offset: whole.offset + between as u64, bytes: (sums * size_of::<i32>()) as u64 };
        (panels, sums)
    }
}

/// The step of each output channel, `max|w| / 127`, and how a channel's value is quantized.
fn steps_of(rows: &Rows) -> (Vec<f32>, impl Fn(f32, usize) -> i8 + Send + use<>) {
    let steps: Vec<f32> = rows
        .iter()
        .map(|row| gemm::row_scale(row.iter().fold(0f32, |m, value| m.max(value.abs()))))
        .collect();
    let own = steps.clone();
    (steps, move |value, channel: usize| nearest(value / own[channel]))
}

fn nearest(value: f32) -> i8 {
    value.round_ties_even().clamp(-127.0, 127.0) as i8
}
