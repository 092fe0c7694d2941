//! Whole nets go through the whole way.

use super::nets;
use kernels::features::Features;
use models::Imported;
use quantize::choose::{Rules, Unknown};
use quantize::layers;
use quantize::observer::{Merge, Observer};
use quantize::pipeline::{Quantized, Request, Unwatched, quantize, target};
use quantize::samples::{self, Input};
use std::sync::Arc;
use vitrine::runtime::choices::Precision;
use vitrine::runtime::pool::Pool;

pub fn request(net: Imported, steps: &[f32]) -> Request<'static> {
    let features = Features::detect();
    let inputs = layers::inputs(&net.model).unwrap();
    let timesteps = (!steps.is_empty())
        .then(|| (samples::timestep(&inputs, None).unwrap().clone(), steps.to_vec()));
    let read: Vec<Input> = inputs
        .into_iter()
        .filter(|input| timesteps.as_ref().is_none_or(|(timestep, _)| timestep != input))
        .collect();
    let sets: Vec<_> = features.sets().collect();
    Request {
        name: "net".into(),
        net,
        samples: samples::random(&read, 3, 1),
        timesteps,
        observer: Observer::Percentile(99.99),
        merge: Merge::Maximum,
        smooth: None,
        correct_bias: true,
        rules: Rules {
            keep: Vec::new(),
            min_psnr: None,
            weights: Precision::Int8,
            activations: None,
            float: Precision::F32,
            most_bytes: None,
        },
        costs: &Unknown,
        target: target(&sets, Precision::F32),
        features,
        pool: Arc::new(Pool::new(2).unwrap()),
    }
}

fn precision(quantized: &Quantized, layer: &str) -> Precision {
    quantized.choices.of(layer).precision
}

#[test]
fn a_convolutional_net_becomes_int8_but_for_its_edges_and_stays_near() {
    let quantized = quantize(request(nets::residual(), &[]), &Unwatched).unwrap();
    for layer in ["conv_in", "conv_out"] {
        assert_eq!(precision(&quantized, layer), Precision::F32, "{layer}");
    }
    for layer in ["blocks.0.conv1", "blocks.0.conv2", "blocks.1.conv1", "blocks.1.conv2"] {
        assert_eq!(precision(&quantized, layer), Precision::Int8, "{layer}");
    }
    let found = &quantized.differences[0];
    assert!(found.psnr > 38.0, "{found:?}");
    assert!(found.worst_region.unwrap() <= found.psnr + 0.01, "{found:?}");
    let page = quantized.report(("native", "this machine"), "3 random samples".into());
    assert!(page.contains("blocks.1.conv2") && page.contains("<svg"));
}

#[test]
fn a_transformer_is_calibrated_at_every_timestep() {
    let quantized = quantize(request(nets::transformer(), &[-3.0, 0.5, 4.0]), &Unwatched).unwrap();
    assert_eq!(quantized.calibration.values["norm1"].steps.len(), 3);
    assert_eq!(precision(&quantized, "time_embedding.linear_1"), Precision::F16);
    for layer in ["attn1.to_q", "attn1.to_k", "attn1.to_v", "ff.proj"] {
        assert_eq!(precision(&quantized, layer), Precision::Int8, "{layer}");
    }
    assert!(quantized.choices.int8_attention.contains("attn1"));
    assert!(quantized.differences[0].psnr > 36.0, "{:?}", quantized.differences);
}

#[test]
fn smoothing_and_int4_weights_run() {
    let mut asked = request(nets::transformer(), &[1.0]);
    asked.smooth = Some(0.5);
    asked.rules.weights = Precision::Int4;
    asked.rules.min_psnr = Some(15.0);
    let quantized = quantize(asked, &Unwatched).unwrap();
    assert_eq!(quantized.smoothed, ["norm1", "norm3"]);
    assert_eq!(precision(&quantized, "ff.proj"), Precision::Int4);
    assert!(quantized.differences[0].psnr > 20.0, "{:?}", quantized.differences);
    let eight = quantize(request(nets::transformer(), &[1.0]), &Unwatched).unwrap();
    assert!(quantized.lowered.weights.len() < eight.lowered.weights.len() * 3 / 4);
}

#[test]
fn nothing_quantized_is_the_reference() {
    let mut asked = request(nets::transformer(), &[1.0]);
    asked.rules.min_psnr = Some(1000.0);
    let quantized = quantize(asked, &Unwatched).unwrap();
    assert!(quantized.choices.ranges.is_empty() && quantized.choices.int8_attention.is_empty());
    // But for products of one row, whose weights are halves.
    assert!(quantized.differences[0].psnr > 90.0, "{:?}", quantized.differences);
}
