//! Calibration: the net runs in f32 on every sample at every timestep, and what its layers read is written down.

use crate::error::QuantizeError;
use crate::layers::{self, Weighted};
use crate::observer::Recorded;
use crate::samples::Sample;
use crate::simulate::{Product, Scores, gather};
use kernels::features::Features;
use kernels::layouts::Layouts;
use models::Imported;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tract_core::internal::TypedModel;
use vitrine::runtime::choices::{Choices, Precision};
use vitrine::runtime::engine::{Array, Engine, Observer, Session, Settings, View};
use vitrine::runtime::lower::{Target, lower};
use vitrine::runtime::pool::Pool;
use vitrine::runtime::program::{Element, Op, Step};

/// Rows of a layer's input that are kept: at most.
const ROWS: usize = 256;
/// Values of a layer's input that are kept, for layers whose rows are long.
const ROW_VALUES: usize = 1 << 19;
/// Rows that are kept whatever their length.
const LEAST_ROWS: usize = 16;
/// Heads of an attention layer that are kept, of all runs together.
const HEADS: usize = 6;
/// Queries of a head that are kept.
const QUERIES: usize = 32;

/// One run: a sample, at a timestep where the net takes one.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// What the net reads.
    pub sample: &'a Sample,
    /// Index of the timestep, and its value.
    pub step: Option<(usize, f32)>,
}

/// Samples times timesteps.
pub fn runs<'a>(samples: &'a [Sample], steps: &[f32]) -> Vec<Run<'a>> {
    let of = |sample: &'a Sample| -> Vec<Run<'a>> {
        if steps.is_empty() {
            return vec![Run { sample, step: None }];
        }
        let steps = steps.iter().copied().enumerate();
        steps.map(|step| Run { sample, step: Some(step) }).collect()
    };
    samples.iter().flat_map(of).collect()
}

/// What calibration found.
#[derive(Clone, Debug, Default)]
pub struct Calibration {
    /// What int8 layers may read, by the node that makes it.
    pub values: BTreeMap<String, Recorded>,
    /// Rows of each layer's input, by the layer's name: see [`Product`].
    pub rows: BTreeMap<String, Vec<f32>>,
    /// Heads of attention layers, by name.
    pub scores: BTreeMap<String, Vec<Scores>>,
    /// The outputs of each run.
    pub references: Vec<Vec<Array>>,
}

/// Writes down what is read.
#[derive(Debug)]
pub struct Recorder {
    /// Layers by the node that makes what they read.
    readers: BTreeMap<String, Vec<Reader>>,
    /// The node that makes what a layer reads, by the layer's name.
    inputs: BTreeMap<String, String>,
    /// Values that this run has made.
    seen: BTreeSet<String>,
    runs: usize,
    run: usize,
    step: usize,
    found: Calibration,
}

#[derive(Debug)]
struct Reader {
    layer: Weighted,
    /// Rows to keep of each run.
    rows: usize,
    row_length: usize,
}

impl Recorder {
    /// For the layers of a net that will run so often.
    pub fn new(layers: &[Weighted], runs: usize) -> Self {
        let mut readers: BTreeMap<String, Vec<Reader>> = BTreeMap::new();
        for layer in layers {
            let row_length = Product::of(&layer.layer).map_or(1, |product| product.row_length());
            let all = (ROW_VALUES / row_length.max(1)).clamp(LEAST_ROWS, ROWS);
            let rows = all.div_ceil(runs.max(1));
            let reader = Reader { layer: layer.clone(), rows, row_length };
            readers.entry(layer.input.clone()).or_default().push(reader);
        }
        let inputs = layers.iter().map(|layer| (layer.name.clone(), layer.input.clone())).collect();
        let (seen, found) = Default::default();
        Self { readers, inputs, seen, runs, run: 0, step: 0, found }
    }

    /// A run begins, at the timestep of this index.
    pub fn begin(&mut self, run: usize, step: usize) {
        (self.run, self.step) = (run, step);
        self.seen.clear();
    }

    /// A node made values.
    pub fn value(&mut self, node: &str, shape: &[usize], values: &[f32]) {
        let Some(readers) = self.readers.get(node) else { return };
        if !self.seen.insert(node.to_owned()) {
            return;
        }
        let channels = shape.last().copied().unwrap_or(0);
        self.found.values.entry(node.to_owned()).or_default().add(self.step, channels, values);
        for reader in readers {
            let shape = &reader.layer.input_shape;
            if values.len() != shape.iter().product::<usize>() {
                continue;
            }
            let there = reader.layer.shape().rows;
            let kept = self.found.rows.entry(reader.layer.name.clone()).or_default();
            let wanted = reader.rows.min(there);
            kept.reserve(wanted * reader.row_length);
            for index in 0..wanted {
                // An odd stride of the golden ratio: even, and in no step with the image's width.
                let place = (self.run * wanted + index) as f64 * 0.618_033_988_749_894_9;
                let row = (place.fract() * there as f64) as usize;
                gather(&reader.layer.layer, shape, values, row.min(there - 1), kept);
            }
        }
    }

    /// Some of an attention's heads.
    fn scores(&mut self, name: &str, heads: impl FnOnce(usize) -> Option<Scores>) {
        // First run, last run, and some between.
        let stride = (self.runs / HEADS).max(1);
        let kept = self.found.scores.get(name).map_or(0, Vec::len);
        if kept < HEADS
            && self.run.is_multiple_of(stride)
            && let Some(scores) = heads(kept)
        {
            self.found.scores.entry(name.to_owned()).or_default().push(scores);
        }
    }

    /// All that was written down.
    pub fn finish(self) -> Calibration {
        self.found
    }
}

impl Observer for Recorder {
    fn step(&mut self, step: &Step, inputs: &[View], outputs: &[View], _: Duration) {
        // A layer may read a value under another name than the net's: another shape of the same memory, or part of a merged product.
        if let (Some(node), Some(input)) = (self.inputs.get(&step.name).cloned(), inputs.first())
            && !self.seen.contains(&node)
        {
            self.value(&node, &input.value.shape, &input.to_f32());
        }
        for view in inputs.iter().chain(outputs) {
            let name = &view.value.name;
            if self.readers.contains_key(name) && !self.seen.contains(name) {
                self.value(name, &view.value.shape, &view.to_f32());
            }
        }
        if let Op::Attention { .. } = &step.op {
            self.scores(&step.name, |head| head_of(&step.op, inputs, head));
        }
    }
}

/// The queries, keys and values of a head of the first image.
fn head_of(op: &Op, inputs: &[View], which: usize) -> Option<Scores> {
    let &Op::Attention {
        heads,
        key_heads,
        key_size,
        value_size,
        scale,
        causal,
        zero_keys,
        channels,
        ..
    } = op
    else {
        return None;
    };
    let [queries, keys, values] = [inputs.first()?, inputs.get(1)?, inputs.get(2)?];
    let head = which * heads / HEADS;
    let key_head = head / (heads / key_heads);
    let tokens = |view: &View| view.value.shape.get(1).copied();
    let (query_count, key_count) = (tokens(queries)?, tokens(keys)?);
    let part = |view: &View, start: usize, size: usize, rows: &[usize]| -> Option<Vec<f32>> {
        let all = view.to_f32();
        let width = *view.value.shape.last()?;
        let row = |&row: &usize| all.get(row * width + start..row * width + start + size);
        Some(rows.iter().map(row).collect::<Option<Vec<_>>>()?.concat())
    };
    let wanted = query_count.min(QUERIES);
    let chosen: Vec<usize> = (0..wanted).map(|i| i * query_count / wanted).collect();
    let all: Vec<usize> = (0..key_count).collect();
    let mut bias = Vec::new();
    if let Some(view) = inputs.get(3) {
        let &[_, bias_heads, rows, columns] = view.value.shape.as_slice() else { return None };
        let of_head = if bias_heads == 1 { 0 } else { head } * rows * columns;
        let values = view.to_f32();
        for &query in &chosen {
            let row = of_head + if rows == 1 { 0 } else { query } * columns;
            bias.extend_from_slice(values.get(row..row + key_count)?);
        }
    } else if causal || zero_keys > 0 {
        bias = vec![0.0; wanted * key_count];
    }
    if causal {
        for (row, &query) in bias.chunks_exact_mut(key_count).zip(&chosen) {
            row.iter_mut().skip(query + 1).for_each(|logit| *logit = f32::NEG_INFINITY);
        }
    }
    let mut keys = part(keys, channels[1] + key_head * key_size, key_size, &all)?;
    let mut values = part(values, channels[2] + key_head * value_size, value_size, &all)?;
    if zero_keys > 0 {
        // Many of them weigh as one whose logit is the logarithm of their number.
        keys.resize(keys.len() + key_size, 0.0);
        values.resize(values.len() + value_size, 0.0);
        let rows = bias.chunks_exact(key_count);
        bias = rows.flat_map(|row| row.iter().copied().chain([(zero_keys as f32).ln()])).collect();
    }
    let queries = part(queries, channels[0] + head * key_size, key_size, &chosen)?;
    Some(Scores { scale, key_size, value_size, queries, keys, values, bias })
}

/// The net's inputs in a run, by name.
pub fn arrays(run: &Run, timestep: Option<&crate::samples::Input>) -> Vec<(String, Array)> {
    let mut arrays: Vec<_> =
        run.sample.arrays.iter().map(|(name, array)| (name.clone(), array.clone())).collect();
    if let (Some(input), Some((_, value))) = (timestep, run.step) {
        arrays.retain(|(name, _)| *name != input.name);
        arrays
            .push((input.name.clone(), Array { shape: input.shape.clone(), values: vec![value] }));
    }
    arrays
}

/// Runs a session on one run's inputs.
///
/// # Errors
/// Where the inputs are not the net's.
pub fn execute(
    session: &mut Session,
    run: &Run,
    timestep: Option<&crate::samples::Input>,
    observer: Option<&mut dyn Observer>,
) -> Result<Vec<Array>, QuantizeError> {
    let arrays = arrays(run, timestep);
    let borrowed: Vec<(&str, &Array)> =
        arrays.iter().map(|(name, array)| (name.as_str(), array)).collect();
    Ok(match observer {
        Some(observer) => session.run_observed(&borrowed, observer)?,
        None => session.run(&borrowed)?,
    })
}

/// An engine of the net in f32, for this CPU.
///
/// # Errors
/// Where the net cannot be lowered or its program is refused.
pub fn reference_engine(
    name: &str,
    net: &Imported,
    features: Features,
    pool: &Arc<Pool>,
) -> Result<Arc<Engine>, QuantizeError> {
    let sets: Vec<_> = features.sets().collect();
    let target = Target { element: Element::F32, layouts: Layouts::of(&sets) };
    let lowered = lower(name, net, &Choices::float(Precision::F32), &target)?;
    let settings = Settings { features, pool: Arc::clone(pool), memory_limit: None };
    Ok(Arc::new(Engine::new(lowered.program, lowered.weights, settings)?))
}

/// Runs the net and writes down what its layers read; `progress` is told after each run.
///
/// # Errors
/// Where the net does not run, or makes values that are no numbers.
pub fn calibrate(
    engine: &Arc<Engine>,
    model: &TypedModel,
    runs: &[Run],
    timestep: Option<&crate::samples::Input>,
    mut progress: impl FnMut(),
) -> Result<Calibration, QuantizeError> {
    let mut recorder = Recorder::new(&layers::weighted(model)?, runs.len());
    let mut session = engine.session();
    let mut references = Vec::with_capacity(runs.len());
    for (index, run) in runs.iter().enumerate() {
        recorder.begin(index, run.step.map_or(0, |(step, _)| step));
        references.push(execute(&mut session, run, timestep, Some(&mut recorder))?);
        progress();
    }
    let found = Calibration { references, ..recorder.finish() };
    let diverging = found.values.iter().find(|(_, recorded)| recorded.not_finite() > 0);
    if let Some((layer, recorded)) = diverging {
        let count = recorded.not_finite();
        return Err(QuantizeError::Diverges { layer: layer.clone(), count });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use models::nn::{Layer, Linear, Parameter};

    #[test]
    fn a_value_is_counted_once_a_run_and_rows_are_spread_over_the_runs() {
        let weights = Parameter::new("w", &[2, 3], vec![1.0; 6]);
        let layer = Weighted {
            makes_output: false,
            name: "fc".into(),
            input: "x".into(),
            input_shape: vec![1, 1000, 3],
            output_shape: vec![1, 1000, 2],
            layer: Layer::Linear(Linear { weights, bias: None }),
        };
        let mut recorder = Recorder::new(&[layer], 4);
        for run in 0..4 {
            recorder.begin(run, run % 2);
            let values: Vec<f32> = (0..3000).map(|i| (run * 3000 + i) as f32).collect();
            recorder.value("x", &[1, 1000, 3], &values);
            recorder.value("x", &[1, 1000, 3], &values);
            recorder.value("nobody reads this", &[1, 1000, 3], &values);
        }
        let found = recorder.finish();
        assert_eq!(found.values.keys().collect::<Vec<_>>(), ["x"]);
        let recorded = &found.values["x"];
        assert_eq!(recorded.steps.iter().map(|h| h.total()).collect::<Vec<_>>(), [6000, 6000]);
        let rows: Vec<usize> = found.rows["fc"].chunks(3).map(|row| row[0] as usize / 3).collect();
        assert_eq!(rows.len(), ROWS);
        let distinct: BTreeSet<_> = rows.iter().collect();
        assert!(distinct.len() > 250, "{} rows", distinct.len());
        assert!((0..4).all(|run| rows.iter().filter(|row| **row / 1000 == run).count() == 64));
    }

    #[test]
    fn every_sample_runs_at_every_timestep() {
        let sample = |name: &str| Sample { name: name.into(), arrays: BTreeMap::new() };
        let samples = [sample("a"), sample("b")];
        assert_eq!(runs(&samples, &[]).len(), 2);
        let runs = runs(&samples, &[999.0, 500.0, 1.0]);
        let steps: Vec<_> = runs.iter().map(|run| run.step.unwrap()).collect();
        assert_eq!(steps[..4], [(0, 999.0), (1, 500.0), (2, 1.0), (0, 999.0)]);
    }
}
