//! Bilinear resize of `[n, c, h, w]`, f32.

use tract_core::internal::*;

/// How an output coordinate maps to an input coordinate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Corners {
    /// Pixel centres of both grids span the same area: `(i + ½) · in / out − ½`.
    HalfPixel,
    /// First and last samples coincide: `i · (in − 1) / (out − 1)`.
    Aligned,
    /// First samples coincide: `i · in / out`.
    Origin,
}

/// Resizes the last two axes to `height × width`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Bilinear {
    pub height: usize,
    pub width: usize,
    pub corners: Corners,
}

/// The two input samples of one output sample, and the share of the second.
struct Tap {
    first: usize,
    second: usize,
    share: f32,
}

impl Corners {
    fn taps(self, from: usize, to: usize) -> Vec<Tap> {
        let scale = match self {
            Corners::Aligned if to > 1 => (from - 1) as f32 / (to - 1) as f32,
            _ => from as f32 / to as f32,
        };
        let taps = (0..to).map(|i| {
            let position = match self {
                Corners::HalfPixel => ((i as f32 + 0.5) * scale - 0.5).max(0.0),
                _ => i as f32 * scale,
            };
            let first = (position as usize).min(from - 1);
            Tap { first, second: (first + 1).min(from - 1), share: position - first as f32 }
        });
        taps.collect()
    }
}

impl Op for Bilinear {
    fn name(&self) -> StaticName {
        "ResizeBilinear".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Bilinear {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let [batch, channels, from_height, from_width] = *inputs[0].shape() else {
            bail!("bilinear resize expects [n, c, h, w], found {:?}", inputs[0].shape());
        };
        let input = inputs[0].try_as_plain_ram()?;
        let input = input.as_slice::<f32>()?;
        let mut output = Tensor::zero::<f32>(&[batch, channels, self.height, self.width])?;
        let rows = self.corners.taps(from_height, self.height);
        let columns = self.corners.taps(from_width, self.width);
        let mut blended = vec![0f32; from_width];
        let mut view = output.try_as_plain_ram_mut()?;
        let planes = view.as_slice_mut::<f32>()?.chunks_exact_mut(self.height * self.width);
        for (plane, source) in planes.zip(input.chunks_exact(from_height * from_width)) {
            for (row, tap) in plane.chunks_exact_mut(self.width).zip(&rows) {
                let upper = &source[tap.first * from_width..][..from_width];
                let lower = &source[tap.second * from_width..][..from_width];
                for ((b, u), l) in blended.iter_mut().zip(upper).zip(lower) {
                    *b = u + (l - u) * tap.share;
                }
                for (value, tap) in row.iter_mut().zip(&columns) {
                    let (left, right) = (blended[tap.first], blended[tap.second]);
                    *value = left + (right - left) * tap.share;
                }
            }
        }
        Ok(tvec!(output.into_tvalue()))
    }
}

impl TypedOp for Bilinear {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        ensure!(inputs[0].rank() == 4);
        let mut shape = inputs[0].shape.to_tvec();
        shape[2] = self.height.to_dim();
        shape[3] = self.width.to_dim();
        Ok(tvec!(inputs[0].datum_type.fact(shape)))
    }

    as_op!();
}
