//! The whole way: a net in, a packed net, a report and its decisions out.

use crate::calibrate::{self, Calibration, Run, calibrate, execute, reference_engine};
use crate::choose::{self, Chosen, Costs, Decision, Known, Rules};
use crate::error::QuantizeError;
use crate::evaluate::{Difference, compare};
use crate::layers::{self, Weighted};
use crate::observer::{Merge, Observer};
use crate::report::Report;
use crate::samples::{Input, Sample};
use crate::{bias, sensitivity, smooth};
use kernels::features::Features;
use kernels::layouts::Layouts;
use models::Imported;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use vitrine::runtime::choices::{Choices, Precision};
use vitrine::runtime::engine::{Engine, Footprint, Settings};
use vitrine::runtime::lower::{Lowered, Target, lower};
use vitrine::runtime::pool::Pool;
use vitrine::runtime::program::Quantization;

/// What is done, for a progress bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The net runs in f32; counted in runs.
    Calibrate,
    /// Precisions are tried; counted in layers.
    Try,
    /// Weights are packed; one.
    Pack,
    /// The packed net runs; counted in runs.
    Compare,
}

impl Stage {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Calibrate => "calibrate",
            Stage::Try => "try precisions",
            Stage::Pack => "pack",
            Stage::Compare => "compare",
        }
    }
}

/// Is told how far the work is.
pub trait Progress: Sync {
    /// A stage begins, of so many parts.
    fn begin(&self, stage: Stage, parts: usize);
    /// A part is done.
    fn advance(&self);
    /// The stage is done.
    fn end(&self);
}

/// Where nobody watches.
#[derive(Clone, Copy, Debug)]
pub struct Unwatched;

impl Progress for Unwatched {
    fn begin(&self, _: Stage, _: usize) {}
    fn advance(&self) {}
    fn end(&self) {}
}

/// What is wanted.
pub struct Request<'a> {
    /// Of the net.
    pub name: String,
    /// Layers of the vocabulary, constants, and what is left to tract.
    pub net: Imported,
    /// What it is tried on.
    pub samples: Vec<Sample>,
    /// The input that takes the timestep, and its values.
    pub timesteps: Option<(Input, Vec<f32>)>,
    /// How ranges are found.
    pub observer: Observer,
    /// How those of timesteps become one.
    pub merge: Merge,
    /// α of SmoothQuant.
    pub smooth: Option<f32>,
    /// Whether the mean error of quantized layers is taken off their bias.
    pub correct_bias: bool,
    /// What may be chosen.
    pub rules: Rules,
    /// What layers cost.
    pub costs: &'a dyn Costs,
    /// What is packed for.
    pub target: Target,
    /// This CPU's.
    pub features: Features,
    /// Threads.
    pub pool: Arc<Pool>,
}

/// A quantized net.
pub struct Quantized {
    /// The net as it was packed: smoothed, with corrected biases. In f32 it computes what the given net does, but for the biases.
    pub net: Imported,
    /// How each layer is computed.
    pub choices: Choices,
    /// Why.
    pub decisions: Vec<Decision>,
    /// Program and weights.
    pub lowered: Lowered,
    /// What it takes on this CPU.
    pub footprint: Footprint,
    /// Against f32.
    pub differences: Vec<Difference>,
    /// What its layers read.
    pub calibration: Calibration,
    /// Norms that were smoothed.
    pub smoothed: Vec<String>,
    /// What each layer with weights reads, by the layer's name.
    inputs: BTreeMap<String, String>,
}

/// The target of a CPU with these sets of instructions.
pub fn target(sets: &[kernels::features::Isa], float: Precision) -> Target {
    use vitrine::runtime::program::Element;
    let element = if float == Precision::F16 { Element::F16 } else { Element::F32 };
    Target { element, layouts: Layouts::of(sets) }
}

/// Calibrates, chooses, packs and compares.
///
/// # Errors
/// A [`QuantizeError`] that says what to do.
pub fn quantize(mut request: Request, progress: &dyn Progress) -> Result<Quantized, QuantizeError> {
    let samples = std::mem::take(&mut request.samples);
    let steps = request.timesteps.as_ref().map_or(&[][..], |(_, values)| values);
    let runs = calibrate::runs(&samples, steps);
    let timestep = request.timesteps.as_ref().map(|(input, _)| input.clone());
    let timestep = timestep.as_ref();

    let mut calibration = observe(&request, &runs, timestep, progress)?;
    let references = std::mem::take(&mut calibration.references);
    let mut smoothed = Vec::new();
    if let Some(alpha) = request.smooth {
        let found = smooth::smooth(&mut request.net.model, alpha, |node| {
            calibration.values.get(node).map(|recorded| recorded.channels.as_slice())
        })?;
        smoothed = found.into_iter().map(|smoothed| smoothed.norm).collect();
        if !smoothed.is_empty() {
            calibration = observe(&request, &runs, timestep, progress)?;
        }
    }

    let ranges: BTreeMap<String, Quantization> = calibration
        .values
        .par_iter()
        .map(|(node, recorded)| {
            let range = recorded.range(request.observer, request.merge);
            (node.clone(), range.quantization())
        })
        .collect();
    let weighted = layers::weighted(&request.net.model)?;
    let chosen = try_and_choose(&request, &weighted, &calibration, &ranges, progress)?;
    let Chosen { choices, decisions } = chosen;

    let corrected = weighted.iter().zip(&decisions).filter_map(|(layer, decision)| {
        let error = decision.error.as_ref()?;
        Some((layer.name.clone(), bias::corrected(&layer.layer, error)))
    });
    layers::replace(&mut request.net.model, corrected.collect());

    progress.begin(Stage::Pack, 1);
    let lowered = lower(&request.name, &request.net, &choices, &request.target)?;
    let settings = Settings {
        features: request.features,
        pool: Arc::clone(&request.pool),
        memory_limit: None,
    };
    let (program, weights) = (lowered.program.clone(), lowered.weights.clone());
    let engine = Arc::new(Engine::new(program, weights, settings)?);
    progress.advance();
    progress.end();

    progress.begin(Stage::Compare, runs.len());
    let mut session = engine.session();
    let mut found = Vec::with_capacity(runs.len());
    for run in &runs {
        found.push(execute(&mut session, run, timestep, None)?);
        progress.advance();
    }
    progress.end();
    let names: Vec<String> = lowered.program.outputs.iter().map(|port| port.name.clone()).collect();
    let differences = compare(&names, &references, &found);
    let inputs = weighted.into_iter().map(|layer| (layer.name, layer.input)).collect();
    Ok(Quantized {
        net: request.net,
        choices,
        decisions,
        footprint: engine.footprint(),
        lowered,
        differences,
        calibration,
        smoothed,
        inputs,
    })
}

fn observe(
    request: &Request,
    runs: &[Run],
    timestep: Option<&Input>,
    progress: &dyn Progress,
) -> Result<Calibration, QuantizeError> {
    let engine = reference_engine(&request.name, &request.net, request.features, &request.pool)?;
    progress.begin(Stage::Calibrate, runs.len());
    let found = calibrate(&engine, &request.net.model, runs, timestep, || progress.advance())?;
    progress.end();
    Ok(found)
}

fn try_and_choose(
    request: &Request,
    weighted: &[Weighted],
    calibration: &Calibration,
    ranges: &BTreeMap<String, Quantization>,
    progress: &dyn Progress,
) -> Result<Chosen, QuantizeError> {
    let attending = layers::attending(&request.net.model)?;
    progress.begin(Stage::Try, weighted.len() + attending.len());
    let known: Vec<Known> = weighted
        .iter()
        .map(|layer| {
            let options = choose::options(layer, &request.rules);
            let rows = calibration.rows.get(&layer.name).map_or(&[][..], Vec::as_slice);
            let range = ranges.get(&layer.input).copied();
            let tried = sensitivity::layer(layer, rows, range, &options, request.correct_bias);
            progress.advance();
            Known { layer, tried }
        })
        .collect();
    let attention: Vec<_> = attending
        .iter()
        .map(|layer| {
            let heads = calibration.scores.get(&layer.name).map_or(&[][..], Vec::as_slice);
            let fidelity = sensitivity::attention(heads);
            progress.advance();
            (layer, fidelity)
        })
        .collect();
    progress.end();
    choose::choose(&known, &attention, ranges, &request.rules, request.costs)
}

impl Quantized {
    /// The report.
    pub fn report(&self, board: (&str, &str), calibration: String) -> String {
        let inputs = |layer: &str| {
            let node = self.inputs.get(layer)?;
            let histogram = self.calibration.values.get(node)?.widest()?;
            Some((histogram, self.choices.ranges.get(node).copied()))
        };
        let report = Report {
            name: &self.lowered.program.name,
            board,
            calibration,
            bytes: self.lowered.weights.len() as u64,
            memory: [self.footprint.activations as u64, self.footprint.scratch as u64],
            differences: &self.differences,
            decisions: &self.decisions,
            inputs: &inputs,
            smoothed: &self.smoothed,
            left_to_tract: &self.lowered.left_to_tract,
        };
        report.html()
    }
}
