//! Sensitivity: what a precision costs a layer by itself, on rows of its input that calibration kept.

use crate::bias;
use crate::layers::Weighted;
use crate::simulate::{Fidelity, Product, Rows, Scores};
use vitrine::runtime::choices::{Activations, Precision};
use vitrine::runtime::program::Quantization;

/// Fewer rows than this say too little of a mean error to correct it.
const ROWS_TO_CORRECT: usize = 32;

/// A precision tried on a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    /// int8 or int4.
    pub precision: Precision,
    /// How its input is quantized.
    pub activations: Activations,
    /// Against f32, with the corrected bias.
    pub fidelity: Fidelity,
    /// The mean error of each channel, for [`bias::corrected`]; none where too few rows are known.
    pub error: Option<Vec<f32>>,
}

/// Tries precisions on a layer. Where the bias is corrected, every other row says how, and the rest how good that is.
///
/// # Panics
/// Where the layer has no weights, or the rows are not its input's.
pub fn layer(
    layer: &Weighted,
    rows: &[f32],
    quantization: Option<Quantization>,
    options: &[(Precision, Activations)],
    correct: bool,
) -> Vec<Tried> {
    let product = Product::of(&layer.layer).expect("a layer with weights");
    let count = rows.len() / product.row_length();
    if count == 0 {
        return Vec::new();
    }
    let reference = product.multiply(rows, &product.weights);
    let try_one = |&(precision, activations): &(Precision, Activations)| {
        let how = match (activations, quantization) {
            (Activations::Tensor, Some(quantization)) => Rows::Tensor(quantization),
            (Activations::Tensor, None) => return None,
            (Activations::Row, _) if layer.takes_rows() => Rows::Each,
            (Activations::Row, _) => return None,
        };
        let weights = match precision {
            Precision::Int8 => product.weights_int8(),
            Precision::Int4 => product.weights_int4(),
            Precision::F16 | Precision::F32 => return None,
        };
        let result = product.multiply(&product.quantized(rows, how), &weights);
        if !correct || count < ROWS_TO_CORRECT {
            let fidelity = Fidelity::of(&reference, &result);
            return Some(Tried { precision, activations, fidelity, error: None });
        }
        let every_other = |values: &[f32], first: usize| -> Vec<f32> {
            let rows = values.chunks_exact(product.outputs).skip(first).step_by(2);
            rows.flatten().copied().collect()
        };
        let seen =
            bias::mean_error(&product, &every_other(&reference, 0), &every_other(&result, 0));
        let mut unseen = every_other(&result, 1);
        for (index, value) in unseen.iter_mut().enumerate() {
            *value -= seen[index % product.outputs % product.channels];
        }
        let fidelity = Fidelity::of(&every_other(&reference, 1), &unseen);
        let error = Some(bias::mean_error(&product, &reference, &result));
        Some(Tried { precision, activations, fidelity, error })
    };
    options.iter().filter_map(try_one).collect()
}

/// What int8 products cost an attention layer; `None` without any head.
pub fn attention(heads: &[Scores]) -> Option<Fidelity> {
    let all = |int8: bool| heads.iter().flat_map(|head| head.attend(int8)).collect::<Vec<_>>();
    (!heads.is_empty()).then(|| Fidelity::of(&all(false), &all(true)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::Normal;
    use models::nn::{Layer, Linear, Parameter};

    fn linear(inputs: usize, outputs: usize) -> Weighted {
        let weights = Normal::new(1).take(inputs * outputs);
        let weights = Parameter::new("fc.weight", &[outputs, inputs], weights);
        Weighted {
            makes_output: false,
            name: "fc".into(),
            input: "x".into(),
            input_shape: vec![1, 64, inputs],
            output_shape: vec![1, 64, outputs],
            layer: Layer::Linear(Linear { weights, bias: None }),
        }
    }

    const TENSOR: (Precision, Activations) = (Precision::Int8, Activations::Tensor);
    const ROW: (Precision, Activations) = (Precision::Int8, Activations::Row);
    const INT4: (Precision, Activations) = (Precision::Int4, Activations::Row);

    #[test]
    fn a_narrow_range_a_wide_range_and_int4_rank_as_they_must() {
        let layer_tried = linear(128, 32);
        let rows = Normal::new(2).take(64 * 128);
        let tried = |scale: f32| {
            let quantization = Quantization { scale, zero_point: 0 };
            layer(&layer_tried, &rows, Some(quantization), &[TENSOR, ROW, INT4], true)
        };
        let good = tried(4.0 / 127.0);
        let bad = tried(400.0 / 127.0);
        assert!(good[0].fidelity.psnr > 40.0, "{good:?}");
        assert!(bad[0].fidelity.psnr < 20.0, "{bad:?}");
        assert_eq!(good[1].fidelity, bad[1].fidelity);
        assert!(good[2].fidelity.psnr < good[1].fidelity.psnr - 10.0);
    }

    #[test]
    fn few_rows_are_not_trusted_with_a_correction() {
        let rows = Normal::new(2).take(4 * 128);
        let tried = layer(&linear(128, 32), &rows, None, &[TENSOR, ROW], true);
        assert_eq!(tried.len(), 1, "no range, so only rows can be tried");
        assert_eq!(tried[0].error, None);
        assert!(layer(&linear(128, 32), &[], None, &[ROW], true).is_empty());
    }
}
