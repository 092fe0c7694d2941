//! Layers that move values, and what shape rules share.
//!
//! | layer        | output                                                                          |
//! |--------------|---------------------------------------------------------------------------------|
//! | slice        | `y[…, i, …] = x[…, start + i, …]`, `end − start` of them                        |
//! | pad          | `y[b, i, j, k] = x[b, i − top, j − left, k − before]`, 0 outside                |
//! | concat       | the inputs one after the other along an axis                                    |
//! | reshape      | the same values, row-major, under another shape                                 |
//! | transpose    | `y[i₀, i₁, …] = x[…]` where axis k of the output runs along axis `axes[k]` of x |
//! | depth to space | `y[b, i·s + u, j·s + v, k] = x[b, i, j, (u·s + v)·c + k]`                     |

use super::{Parameter, Plain};

/// Why a layer does not take its inputs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// Too few or too many inputs.
    #[error("expected {expected} inputs, found {found}")]
    Inputs {
        /// How many it takes.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// An input does not fit.
    #[error("expected {expected}, found an input of {found:?}")]
    Shape {
        /// What it takes.
        expected: String,
        /// The input's shape.
        found: Vec<usize>,
    },
    /// What training left does not fit the layer.
    #[error("parameter `{name}`: expected shape {expected}, found {found:?}")]
    Parameter {
        /// Name in the checkpoint.
        name: String,
        /// What the layer needs.
        expected: String,
        /// The parameter's shape.
        found: Vec<usize>,
    },
    /// A number of the layer itself cannot be.
    #[error("{setting}: expected {expected}, found {found:?}")]
    Setting {
        /// Which.
        setting: &'static str,
        /// What can be.
        expected: String,
        /// What the layer has.
        found: Vec<usize>,
    },
}

/// A range of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Counted from the front.
    pub axis: usize,
    /// First index.
    pub start: usize,
    /// Index after the last.
    pub end: usize,
}

/// Zeros around `[n, h, w, c]`, and before and after its channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pad {
    /// Top, left, bottom, right.
    pub image: [usize; 4],
    /// Before the first and after the last channel.
    pub channels: [usize; 2],
}

impl Slice {
    pub(super) fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, ShapeError> {
        let Self { axis, start, end } = *self;
        match input.get(axis) {
            Some(&extent) if start < end && end <= extent => {
                let mut output = input.to_vec();
                output[axis] = end - start;
                Ok(output)
            }
            _ => Err(misfit(format!("an axis {axis} with a range {start}..{end}"), input)),
        }
    }

    pub(super) fn evaluate(&self, input: &Plain) -> Plain {
        let Self { axis, start, end } = *self;
        let shape = self.output_shape(&input.shape).expect("a shape that fits");
        let step = input.shape[axis + 1..].iter().product::<usize>();
        let runs = input.values.chunks_exact(input.shape[axis] * step);
        let values = runs.flat_map(|run| &run[start * step..end * step]).copied().collect();
        Plain::new(&shape, values)
    }
}

impl Pad {
    pub(super) fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, ShapeError> {
        let [n, h, w, c] = image(input)?;
        let [top, left, bottom, right] = self.image;
        let [before, after] = self.channels;
        let padded = |extent: usize, a: usize, b: usize| extent.checked_add(a)?.checked_add(b);
        match (padded(h, top, bottom), padded(w, left, right), padded(c, before, after)) {
            (Some(h), Some(w), Some(c)) => sized(vec![n, h, w, c]),
            _ => Err(too_large(input)),
        }
    }

    pub(super) fn evaluate(&self, input: &Plain) -> Plain {
        let shape = self.output_shape(&input.shape).expect("a shape that fits");
        let [_, h, w, c] = image(&input.shape).expect("an image");
        let [top, left, ..] = self.image;
        let mut values = vec![0.0; shape.iter().product()];
        for (pixel, from) in input.values.chunks_exact(c).enumerate() {
            let (b, i, j) = (pixel / (h * w), pixel / w % h, pixel % w);
            let to = ((b * shape[1] + i + top) * shape[2] + j + left) * shape[3] + self.channels[0];
            values[to..to + c].copy_from_slice(from);
        }
        Plain::new(&shape, values)
    }
}

/// The only input.
pub(super) fn one<'a>(inputs: &[&'a [usize]]) -> Result<&'a [usize], ShapeError> {
    match inputs {
        [input] => Ok(input),
        _ => Err(ShapeError::Inputs { expected: 1, found: inputs.len() }),
    }
}

/// The extents of `[n, h, w, c]`.
pub(super) fn image(input: &[usize]) -> Result<[usize; 4], ShapeError> {
    input.try_into().map_err(|_| misfit("an image [n, h, w, c]", input))
}

/// The last extent.
pub(super) fn last(input: &[usize]) -> Result<usize, ShapeError> {
    input.last().copied().ok_or_else(|| misfit("one axis or more", input))
}

pub(super) fn misfit(expected: impl Into<String>, found: &[usize]) -> ShapeError {
    ShapeError::Shape { expected: expected.into(), found: found.to_vec() }
}

pub(super) fn too_large(found: &[usize]) -> ShapeError {
    misfit("a tensor that fits the memory", found)
}

/// A shape whose values can be addressed.
pub(super) fn sized(shape: Vec<usize>) -> Result<Vec<usize>, ShapeError> {
    let limit = isize::MAX as usize / size_of::<f32>();
    match shape.iter().try_fold(1_usize, |all, &extent| all.checked_mul(extent)) {
        Some(elements) if elements <= limit => Ok(shape),
        _ => Err(too_large(&shape)),
    }
}

/// Refuses an input without values, or with more than can be addressed.
pub(super) fn expect_values(input: &[usize]) -> Result<(), ShapeError> {
    if input.contains(&0) {
        return Err(misfit("an input with values", input));
    }
    sized(input.to_vec()).map(drop)
}

/// Refuses a parameter of another shape.
pub(super) fn expect_parameter(parameter: &Parameter, shape: &[usize]) -> Result<(), ShapeError> {
    if parameter.shape == shape {
        return Ok(());
    }
    Err(ShapeError::Parameter {
        name: parameter.name.clone(),
        expected: format!("{shape:?}"),
        found: parameter.shape.clone(),
    })
}

/// As [`expect_parameter`], where there is one.
pub(super) fn expect_optional(
    parameter: &Option<Parameter>,
    shape: &[usize],
) -> Result<(), ShapeError> {
    parameter.as_ref().map_or(Ok(()), |parameter| expect_parameter(parameter, shape))
}

/// Refuses numbers of which one is 0.
pub(super) fn expect_positive(setting: &'static str, found: &[usize]) -> Result<(), ShapeError> {
    if found.iter().all(|&number| number > 0) {
        return Ok(());
    }
    Err(ShapeError::Setting { setting, expected: "1 or more".into(), found: found.to_vec() })
}

/// How many windows of `span` fit into a padded extent at a stride.
pub(super) fn windows(
    extent: usize,
    before: usize,
    after: usize,
    span: usize,
    stride: usize,
) -> Option<usize> {
    let padded = extent.checked_add(before)?.checked_add(after)?;
    Some(padded.checked_sub(span)? / stride + 1)
}

pub(super) fn broadcast(inputs: &[&[usize]]) -> Result<Vec<usize>, ShapeError> {
    let [a, b] = inputs else {
        return Err(ShapeError::Inputs { expected: 2, found: inputs.len() });
    };
    let rank = a.len().max(b.len());
    let extent = |shape: &[usize], axis: usize| {
        (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis])
    };
    let output = (0..rank)
        .map(|axis| match (extent(a, axis), extent(b, axis)) {
            (a, b) if a == b || b == 1 => Ok(a),
            (1, b) => Ok(b),
            _ => Err(misfit(format!("a shape that broadcasts against {a:?}"), b)),
        })
        .collect::<Result<Vec<_>, _>>()?;
    sized(output)
}

/// How far a step along each axis of `output` moves in an input that broadcasts to it.
pub(super) fn broadcast_steps(input: &[usize], output: &[usize]) -> Vec<usize> {
    let mut steps = vec![0; output.len()];
    let mut step = 1;
    let missing = output.len() - input.len();
    for (axis, &extent) in input.iter().enumerate().rev() {
        if extent != 1 {
            steps[missing + axis] = step;
        }
        step *= extent;
    }
    steps
}

pub(super) fn concat(axis: usize, inputs: &[&[usize]]) -> Result<Vec<usize>, ShapeError> {
    let [first, rest @ ..] = inputs else {
        return Err(ShapeError::Inputs { expected: 1, found: 0 });
    };
    if axis >= first.len() {
        return Err(misfit(format!("an axis {axis}"), first));
    }
    let mut output = first.to_vec();
    for input in rest {
        let same = |(i, (a, b)): (usize, (&usize, &usize))| i == axis || a == b;
        if input.len() != first.len() || !first.iter().zip(*input).enumerate().all(same) {
            return Err(misfit(format!("{first:?} but for axis {axis}"), input));
        }
        output[axis] = output[axis].checked_add(input[axis]).ok_or_else(|| too_large(input))?;
    }
    sized(output)
}

pub(super) fn reshape(shape: &[usize], input: &[usize]) -> Result<Vec<usize>, ShapeError> {
    let shape = sized(shape.to_vec())?;
    if shape.iter().product::<usize>() != input.iter().product::<usize>() {
        return Err(misfit(format!("as many values as {shape:?} has"), input));
    }
    Ok(shape)
}

pub(super) fn transpose(axes: &[usize], input: &[usize]) -> Result<Vec<usize>, ShapeError> {
    let mut sorted = axes.to_vec();
    sorted.sort_unstable();
    if sorted != (0..input.len()).collect::<Vec<_>>() {
        return Err(misfit(format!("as many axes as {axes:?} puts in order"), input));
    }
    Ok(axes.iter().map(|&axis| input[axis]).collect())
}

pub(super) fn depth_to_space(block: usize, input: &[usize]) -> Result<Vec<usize>, ShapeError> {
    expect_positive("block", &[block])?;
    let [n, h, w, c] = image(input)?;
    let of_block = block.checked_mul(block).filter(|&of_block| c.is_multiple_of(of_block));
    match (of_block, h.checked_mul(block), w.checked_mul(block)) {
        (Some(of_block), Some(h), Some(w)) => sized(vec![n, h, w, c / of_block]),
        _ => Err(misfit(format!("channels in blocks of {block}²"), input)),
    }
}

pub(super) fn concatenated(axis: usize, inputs: &[&Plain]) -> Plain {
    let shapes = inputs.iter().map(|input| input.shape.as_slice()).collect::<Vec<_>>();
    let shape = concat(axis, &shapes).expect("shapes that fit");
    let runs = shape[..axis].iter().product::<usize>();
    let mut values = Vec::with_capacity(shape.iter().product());
    for run in 0..runs {
        for input in inputs {
            let length = input.values.len() / runs;
            values.extend_from_slice(&input.values[run * length..(run + 1) * length]);
        }
    }
    Plain::new(&shape, values)
}

pub(super) fn transposed(axes: &[usize], input: &Plain) -> Plain {
    let shape = transpose(axes, &input.shape).expect("a shape that fits");
    let steps = axes
        .iter()
        .map(|&axis| input.shape[axis + 1..].iter().product::<usize>())
        .collect::<Vec<_>>();
    let mut index = vec![0; shape.len()];
    let mut values = Vec::with_capacity(input.values.len());
    for _ in 0..input.values.len() {
        values
            .push(input.values[index.iter().zip(&steps).map(|(i, step)| i * step).sum::<usize>()]);
        advance(&mut index, &shape);
    }
    Plain::new(&shape, values)
}

/// The next index in row-major order.
pub(super) fn advance(index: &mut [usize], shape: &[usize]) {
    for (i, &extent) in index.iter_mut().zip(shape).rev() {
        *i += 1;
        if *i < extent {
            return;
        }
        *i = 0;
    }
}

pub(super) fn pixels_from_depth(block: usize, input: &Plain) -> Plain {
    let shape = depth_to_space(block, &input.shape).expect("a shape that fits");
    let c = shape[3];
    let [_, h, w, depth] = image(&input.shape).expect("an image");
    let mut values = Vec::with_capacity(input.values.len());
    for row in 0..shape[0] * shape[1] {
        let (b, i, u) = (row / shape[1], row % shape[1] / block, row % shape[1] % block);
        for column in 0..shape[2] {
            let (j, v) = (column / block, column % block);
            let from = ((b * h + i) * w + j) * depth + (u * block + v) * c;
            values.extend_from_slice(&input.values[from..from + c]);
        }
    }
    Plain::new(&shape, values)
}
