//! Tensors inside a run, as kernels read and write them.

use super::program::{Element, Quantization, Value};
use half::f16;
use kernels::elements;
use kernels::gemm::{Output, Residual, Rows};
use kernels::memory::{values, values_mut};
use kernels::scratch::Plain;
use std::ops::Range;

/// A tensor inside a run.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What it is.
    pub value: &'a Value,
    /// Its elements.
    pub(super) bytes: &'a [u8],
    /// The bytes of the value that [`Value::row_steps`] names.
    pub(super) steps: Option<&'a [u8]>,
}

/// A tensor to be written.
#[derive(Debug)]
pub(super) struct ViewMut<'a> {
    /// What it is.
    pub value: &'a Value,
    /// Its elements.
    pub bytes: &'a mut [u8],
}

/// Some rows of a tensor to be written.
#[derive(Debug)]
pub(super) struct RowsMut<'a> {
    /// Which.
    pub rows: Range<usize>,
    /// What the whole tensor is.
    pub value: &'a Value,
    /// The rows' elements.
    pub bytes: &'a mut [u8],
}

/// Some columns of a tensor to be written, in memory of their own: rows follow each other without gaps.
#[derive(Debug)]
pub(super) struct ColumnsMut<'a> {
    /// Which.
    pub columns: Range<usize>,
    /// What the whole tensor is.
    pub value: &'a Value,
    /// The columns' elements.
    pub bytes: &'a mut [u8],
}

impl Element {
    /// Bytes of an element.
    pub fn size(self) -> usize {
        match self {
            Element::F32 => 4,
            Element::F16 => 2,
            Element::I8 => 1,
        }
    }
}

impl Quantization {
    /// As the multiply takes it; 1 and 0 where there is none.
    pub(super) fn of_gemm(quantization: Option<Self>) -> kernels::gemm::Quantization {
        let Self { scale, zero_point } = quantization.unwrap_or(Self { scale: 1.0, zero_point: 0 });
        kernels::gemm::Quantization { scale, zero_point: i32::from(zero_point) }
    }

    /// As element-wise kernels take it; 1 and 0 where there is none.
    pub(super) fn of_elements(quantization: Option<Self>) -> elements::Quantization {
        let Self { scale, zero_point } = quantization.unwrap_or(Self { scale: 1.0, zero_point: 0 });
        elements::Quantization { scale, zero_point }
    }
}

impl Value {
    /// Elements. [`Program::check`](super::program::Program::check) found that there are not too many.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// The last extent.
    pub fn channels(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// The product of all extents but the last.
    pub fn rows(&self) -> usize {
        self.shape.split_last().map_or(1, |(_, outer)| outer.iter().product())
    }

    /// Bytes of its elements.
    pub fn bytes(&self) -> usize {
        self.elements() * self.element.size()
    }
}

/// Bytes of a tensor as what they are; steps are checked when they are made ready, and memory is aligned.
fn typed<'a, T: Plain>(value: &Value, element: Element, bytes: &'a [u8]) -> &'a [T] {
    assert_eq!(value.element, element, "`{}` is read as another element than it has", value.name);
    values(bytes).expect("tensors are aligned and whole")
}

fn typed_mut<'a, T: Plain>(value: &Value, element: Element, bytes: &'a mut [u8]) -> &'a mut [T] {
    assert_eq!(
        value.element, element,
        "`{}` is written as another element than it has",
        value.name
    );
    values_mut(bytes).expect("tensors are aligned and whole")
}

impl<'a> View<'a> {
    /// The values in f32, dequantized where they are int8.
    pub fn to_f32(&self) -> Vec<f32> {
        match self.value.element {
            Element::F32 => self.f32().to_vec(),
            Element::F16 => self.f16().iter().map(|value| value.to_f32()).collect(),
            Element::I8 => {
                let channels = self.value.channels();
                let Quantization { scale, zero_point } = self.quantization();
                let steps = self.row_steps();
                let step = |row: usize| steps.map_or(scale, |steps| steps[row]);
                let rows = self.i8().chunks_exact(channels).enumerate();
                rows.flat_map(|(row, values)| {
                    let value = move |&q| (f32::from(q) - f32::from(zero_point)) * step(row);
                    values.iter().map(value)
                })
                .collect()
            }
        }
    }

    /// The product of all extents but the last.
    pub fn rows(&self) -> usize {
        self.value.rows()
    }

    /// The last extent.
    pub fn channels(&self) -> usize {
        self.value.channels()
    }

    /// How it is quantized; scale 1 and zero point 0 where it is not.
    pub fn quantization(&self) -> Quantization {
        self.value.quantization.unwrap_or(Quantization { scale: 1.0, zero_point: 0 })
    }

    /// Of each row, where each has its own.
    pub fn row_steps(&self) -> Option<&'a [f32]> {
        self.steps.map(|bytes| values(bytes).expect("tensors are aligned and whole"))
    }

    /// Of an f32 tensor.
    ///
    /// # Panics
    /// Where it is none.
    pub fn f32(&self) -> &'a [f32] {
        typed(self.value, Element::F32, self.bytes)
    }

    /// Of an f16 tensor.
    ///
    /// # Panics
    /// Where it is none.
    pub fn f16(&self) -> &'a [f16] {
        typed(self.value, Element::F16, self.bytes)
    }

    /// Of an int8 tensor.
    ///
    /// # Panics
    /// Where it is none.
    pub fn i8(&self) -> &'a [i8] {
        typed(self.value, Element::I8, self.bytes)
    }

    /// What element-wise kernels read; `None` where it is int8.
    pub(super) fn input(&self) -> Option<elements::Input<'a>> {
        match self.value.element {
            Element::F32 => Some(elements::Input::F32(self.f32())),
            Element::F16 => Some(elements::Input::F16(self.f16())),
            Element::I8 => None,
        }
    }

    /// Rows of an f32 tensor from `first` on.
    pub(super) fn rows_f32(&self, first: usize) -> Rows<'a, f32> {
        let stride = self.channels();
        Rows { values: &self.f32()[first * stride..], stride }
    }

    /// Rows of an f16 tensor from `first` on.
    pub(super) fn rows_f16(&self, first: usize) -> Rows<'a, f16> {
        let stride = self.channels();
        Rows { values: &self.f16()[first * stride..], stride }
    }

    /// Rows of an int8 tensor from `first` on.
    pub(super) fn rows_i8(&self, first: usize) -> Rows<'a, i8> {
        let stride = self.channels();
        Rows { values: &self.i8()[first * stride..], stride }
    }

    /// What the multiply adds, from row `first` on.
    pub(super) fn residual(&self, first: usize) -> Residual<'a> {
        let stride = self.channels();
        let from = first * stride;
        match self.value.element {
            Element::F32 => Residual::F32 { values: &self.f32()[from..], stride },
            Element::F16 => Residual::F16 { values: &self.f16()[from..], stride },
            Element::I8 => {
                let Quantization { scale, zero_point } = self.quantization();
                let zero_point = i32::from(zero_point);
                Residual::I8 { values: &self.i8()[from..], stride, scale, zero_point }
            }
        }
    }
}

impl ViewMut<'_> {
    /// All rows.
    pub fn all(&mut self) -> RowsMut<'_> {
        RowsMut { rows: 0..self.value.rows(), value: self.value, bytes: self.bytes }
    }

    /// Ranges of rows, each to be written by a thread of its own.
    ///
    /// # Panics
    /// Where the ranges do not follow each other from row 0, or end after the last row.
    pub fn split_rows(&mut self, ranges: &[Range<usize>]) -> Vec<RowsMut<'_>> {
        let row = self.value.channels() * self.value.element.size();
        let (mut rest, mut at) = (&mut *self.bytes, 0);
        let part = |range: &Range<usize>| {
            assert_eq!(range.start, at, "ranges of rows with a gap");
            at = range.end;
            let (bytes, tail) = std::mem::take(&mut rest).split_at_mut(range.len() * row);
            rest = tail;
            RowsMut { rows: range.clone(), value: self.value, bytes }
        };
        ranges.iter().map(part).collect()
    }
}

impl<'a> ColumnsMut<'a> {
    /// Ranges of columns, each to be written by a thread of its own into a part of `bytes`, which holds the tensor.
    ///
    /// # Panics
    /// Where the ranges do not follow each other from column 0, or `bytes` is too short.
    pub fn split(value: &'a Value, bytes: &'a mut [u8], ranges: &[Range<usize>]) -> Vec<Self> {
        let column = value.rows() * value.element.size();
        let (mut rest, mut at) = (bytes, 0);
        let part = |range: &Range<usize>| {
            assert_eq!(range.start, at, "ranges of columns with a gap");
            at = range.end;
            let (bytes, tail) = std::mem::take(&mut rest).split_at_mut(range.len() * column);
            rest = tail;
            Self { columns: range.clone(), value, bytes }
        };
        ranges.iter().map(part).collect()
    }
}

impl RowsMut<'_> {
    /// Values of a row.
    pub fn channels(&self) -> usize {
        self.value.channels()
    }

    /// Of an f32 tensor.
    pub fn f32(&mut self) -> &mut [f32] {
        typed_mut(self.value, Element::F32, self.bytes)
    }

    /// Of an f16 tensor.
    pub fn f16(&mut self) -> &mut [f16] {
        typed_mut(self.value, Element::F16, self.bytes)
    }

    /// Of an int8 tensor.
    pub fn i8(&mut self) -> &mut [i8] {
        typed_mut(self.value, Element::I8, self.bytes)
    }

    /// What element-wise kernels write.
    pub fn elements(&mut self) -> elements::Output<'_> {
        match self.value.element {
            Element::F32 => elements::Output::F32(self.f32()),
            Element::F16 => elements::Output::F16(self.f16()),
            Element::I8 => {
                let quantization = Quantization::of_elements(self.value.quantization);
                elements::Output::I8(self.i8(), quantization)
            }
        }
    }

    /// What the multiply writes.
    pub fn product(&mut self) -> Output<'_> {
        product(self.value, self.channels(), self.bytes)
    }
}

impl ColumnsMut<'_> {
    /// What the multiply writes.
    pub fn product(&mut self) -> Output<'_> {
        product(self.value, self.columns.len(), self.bytes)
    }
}

fn product<'a>(value: &Value, stride: usize, bytes: &'a mut [u8]) -> Output<'a> {
    match value.element {
        Element::F32 => Output::F32 { values: typed_mut(value, Element::F32, bytes), stride },
        Element::F16 => Output::F16 { values: typed_mut(value, Element::F16, bytes), stride },
        Element::I8 => {
            let kernels::gemm::Quantization { scale, zero_point } =
                Quantization::of_gemm(value.quantization);
            let values = typed_mut(value, Element::I8, bytes);
            Output::I8 { values, stride, scale, zero_point }
        }
    }
}
