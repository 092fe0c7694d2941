//! The choice for each layer: int8 where its error allows and it is not slower, else floating point, by Winograd's method where that is cheaper.

use crate::error::QuantizeError;
use crate::layers::{Attending, LayerKind, LayerShape, Weighted};
use crate::sensitivity::Tried;
use crate::simulate::{Fidelity, GROUP};
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use vitrine::runtime::choices::{Activations, Algorithm, Choice, Choices, Precision};
use vitrine::runtime::program::Quantization;

/// Below this a convolution or linear layer is not computed in int8, dB PSNR.
pub const LEAST_PSNR: f64 = 38.0;
/// Below this an attention layer is not, dB PSNR.
pub const LEAST_PSNR_OF_ATTENTION: f64 = 26.0;

/// What layers cost on a board.
pub trait Costs {
    /// Cycles of one core; `None` where the board's table does not say. Attention is int8 where the choice's precision is.
    fn cycles(&self, layer: &LayerShape, choice: &Choice) -> Option<f64>;
}

/// A board of which nothing is known: int8 is taken for the fastest, and the direct way.
#[derive(Clone, Copy, Debug)]
pub struct Unknown;

impl Costs for Unknown {
    fn cycles(&self, _: &LayerShape, _: &Choice) -> Option<f64> {
        None
    }
}

/// A board's table: multiplications a cycle.
impl Costs for targets::Costs {
    fn cycles(&self, layer: &LayerShape, choice: &Choice) -> Option<f64> {
        use targets::Product;
        let precision = match choice.precision {
            Precision::Int8 => targets::Precision::I8,
            Precision::F16 => targets::Precision::F16,
            Precision::F32 => targets::Precision::F32,
            Precision::Int4 => return None,
        };
        let kind = match (layer.kind, choice.algorithm) {
            (LayerKind::Convolution, Algorithm::Winograd(_)) => Product::Winograd,
            (LayerKind::Convolution, _) if layer.kernel != [1, 1] => Product::Convolution,
            (LayerKind::Depthwise, _) => Product::Depthwise,
            (LayerKind::Attention, _) => Product::Attention,
            (LayerKind::Convolution | LayerKind::Linear | LayerKind::Transposed, _) => {
                Product::Linear
            }
        };
        let cycles = targets::Costs::cycles(self, kind, precision, layer.products())?;
        let Algorithm::Winograd(tile) = choice.algorithm else { return Some(cycles) };
        // The table's figure is of tiles of 4x6; a tile has (r + 2)(s + 2) products, those beyond the image's edge included.
        let products = |[down, across]: [usize; 2]| {
            ((down + 2) * (across + 2)) as f64 / (down * across) as f64
        };
        let covered: usize =
            (0..2).map(|axis| layer.size[axis].next_multiple_of(tile[axis])).product();
        let overhang = covered as f64 / (layer.size[0] * layer.size[1]).max(1) as f64;
        Some(cycles * products(tile) / products([4, 6]) * overhang)
    }
}

/// A layer's name, in which `*` stands for any letters; without one, a part of the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl FromStr for Pattern {
    type Err = QuantizeError;

    fn from_str(text: &str) -> Result<Self, QuantizeError> {
        let only_stars = text.chars().all(|letter| letter == '*');
        if text.is_empty() || (only_stars && text != "*") {
            return Err(QuantizeError::Pattern { found: text.to_owned() });
        }
        Ok(Self(text.to_owned()))
    }
}

impl Pattern {
    /// Whether a name matches.
    pub fn matches(&self, name: &str) -> bool {
        if !self.0.contains('*') {
            return name.contains(&self.0);
        }
        let parts: Vec<&str> = self.0.split('*').collect();
        let (first, last) = (parts[0], parts[parts.len() - 1]);
        if name.len() < first.len() + last.len()
            || !name.starts_with(first)
            || !name.ends_with(last)
        {
            return false;
        }
        let mut rest = &name[first.len()..name.len() - last.len()];
        parts[1..parts.len() - 1].iter().all(|part| match rest.find(part) {
            Some(place) => {
                rest = &rest[place + part.len()..];
                true
            }
            None => false,
        })
    }
}

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Layers that stay in floating point whatever they lose.
    pub keep: Vec<Pattern>,
    /// The least PSNR in int8, dB, in the place of [`LEAST_PSNR`] and [`LEAST_PSNR_OF_ATTENTION`].
    pub min_psnr: Option<f64>,
    /// int8, or int4 for linear layers.
    pub weights: Precision,
    /// How inputs are quantized; `None` is one step for all, and a step for each row where that is too coarse.
    pub activations: Option<Activations>,
    /// What the board computes in where it is not int8: f16 or f32.
    pub float: Precision,
    /// Bytes of weights in all; Winograd's method stores more.
    pub most_bytes: Option<u64>,
}

/// How a layer will be computed, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The layer.
    pub name: String,
    /// As [`models::nn::Layer::kind`] names it.
    pub kind: &'static str,
    /// How.
    pub choice: Choice,
    /// Attention: in int8.
    pub int8_attention: bool,
    /// What int8 (or int4) costs it, whether it is chosen or not.
    pub fidelity: Option<Fidelity>,
    /// It could be int8, but floating point is faster.
    pub slower_in_int8: bool,
    /// What the bias is corrected by.
    pub error: Option<Vec<f32>>,
    /// Of its weights.
    pub bytes: u64,
    /// Estimated, in one core.
    pub cycles: Option<f64>,
    /// For people.
    pub why: String,
}

/// A layer and what is known of it.
#[derive(Clone, Debug)]
pub struct Known<'a> {
    /// The layer.
    pub layer: &'a Weighted,
    /// Precisions that were tried.
    pub tried: Vec<Tried>,
}

/// The choices for a net.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// For lowering.
    pub choices: Choices,
    /// For people, in the order of the net.
    pub decisions: Vec<Decision>,
}

/// Which precisions a layer is to be tried in.
pub fn options(layer: &Weighted, rules: &Rules) -> Vec<(Precision, Activations)> {
    let activations = match rules.activations {
        Some(Activations::Row) if !layer.takes_rows() => vec![Activations::Tensor],
        Some(one) => vec![one],
        None if layer.takes_rows() => vec![Activations::Tensor, Activations::Row],
        None => vec![Activations::Tensor],
    };
    let mut precisions = vec![Precision::Int8];
    if rules.weights == Precision::Int4 && layer.shape().kind == LayerKind::Linear {
        precisions.insert(0, Precision::Int4);
    }
    let with = |precision| activations.iter().map(move |&how| (precision, how));
    precisions.into_iter().flat_map(with).collect()
}

/// Why a layer stays in floating point unless its name is asked for; `None` where it may be quantized.
fn kept_by_default(
    layer: &Weighted,
    first: Option<&str>,
    last: Option<&str>,
) -> Option<&'static str> {
    if first == Some(&layer.name) {
        return Some("first convolution");
    }
    if last == Some(&layer.name) {
        return Some("last convolution");
    }
    if layer.makes_output {
        return Some("makes an output of the net");
    }
    const TIME: [&str; 7] =
        ["time_emb", "time_proj", "time_mlp", "timestep", "t_embed", "add_embedding", "adaln"];
    let name = layer.name.to_lowercase();
    let one_row = layer.shape().rows == layer.input_shape[0];
    (one_row && TIME.iter().any(|word| name.contains(word))).then_some("time embedding")
}

/// Chooses for every layer with weights and every attention layer.
///
/// # Errors
/// [`QuantizeError::NothingMatches`], [`QuantizeError::TooLarge`]
pub fn choose(
    layers: &[Known],
    attention: &[(&Attending, Option<Fidelity>)],
    ranges: &BTreeMap<String, Quantization>,
    rules: &Rules,
    costs: &dyn Costs,
) -> Result<Chosen, QuantizeError> {
    for pattern in &rules.keep {
        let mut names = layers.iter().map(|known| known.layer.name.as_str());
        let mut attending = attention.iter().map(|(layer, _)| layer.name.as_str());
        if !names.any(|name| pattern.matches(name)) && !attending.any(|name| pattern.matches(name))
        {
            return Err(QuantizeError::NothingMatches { pattern: pattern.0.clone() });
        }
    }
    let is_image = |known: &&Known| {
        matches!(known.layer.shape().kind, LayerKind::Convolution | LayerKind::Transposed)
    };
    let images: Vec<&str> =
        layers.iter().filter(is_image).map(|known| known.layer.name.as_str()).collect();
    // A net of one or two convolutions is all edge.
    let (first, last) = match images.as_slice() {
        [first, _, .., last] => (Some(*first), Some(*last)),
        _ => (None, None),
    };

    let mut decisions: Vec<Decision> =
        layers.iter().map(|known| decide(known, rules, costs, first, last)).collect();
    fit(&mut decisions, layers, rules, costs)?;
    let of_attention =
        attention.iter().map(|(layer, fidelity)| decide_attention(layer, *fidelity, rules, costs));
    decisions.extend(of_attention);

    let mut choices = Choices::float(rules.float);
    let by_name: BTreeMap<&str, &Weighted> =
        layers.iter().map(|known| (known.layer.name.as_str(), known.layer)).collect();
    let mut read = BTreeSet::new();
    for decision in &decisions {
        let Some(layer) = by_name.get(decision.name.as_str()) else { continue };
        choices.layers.insert(decision.name.clone(), decision.choice);
        let quantized = matches!(decision.choice.precision, Precision::Int8 | Precision::Int4);
        if quantized && decision.choice.activations == Activations::Tensor {
            read.insert(layer.input.as_str());
        }
    }
    choices.ranges = ranges
        .iter()
        .filter(|(node, _)| read.contains(node.as_str()))
        .map(|(node, quantization)| (node.clone(), *quantization))
        .collect();
    let int8_attention = decisions.iter().filter(|decision| decision.int8_attention);
    choices.int8_attention = int8_attention.map(|decision| decision.name.clone()).collect();
    Ok(Chosen { choices, decisions })
}

/// The choices in floating point that a layer has.
fn float_choices(shape: &LayerShape, float: Precision) -> Vec<Choice> {
    // Reading its weights is all the work of a product of one row.
    let one_row = shape.kind == LayerKind::Linear && shape.rows == 1;
    let mut choices = vec![Choice::float(if one_row { Precision::F16 } else { float })];
    // Floats of few columns are multiplied where they stand; Winograd's method computes whole panels.
    let few = float == Precision::F32 && shape.outputs <= kernels::layouts::SINGLES;
    if shape.winograd && !few {
        // Larger tiles lose too much in half precision: see the table of errors in `kernels::winograd`.
        let tiles: &[[usize; 2]] = match float {
            Precision::F16 => &[[2, 2], [4, 4]],
            _ => &[[2, 2], [4, 4], [4, 6], [6, 4], [6, 6]],
        };
        let winograd = |&tile| Choice { algorithm: Algorithm::Winograd(tile), ..choices[0] };
        let winograd: Vec<_> = tiles.iter().map(winograd).collect();
        choices.extend(winograd);
    }
    choices
}

/// The cheapest, and what it costs; the first where costs are not known.
fn cheapest(shape: &LayerShape, choices: &[Choice], costs: &dyn Costs) -> (Choice, Option<f64>) {
    let known = choices.iter().filter_map(|choice| Some((*choice, costs.cycles(shape, choice)?)));
    match known.min_by(|a, b| a.1.total_cmp(&b.1)) {
        Some((choice, cycles)) => (choice, Some(cycles)),
        None => (choices[0], None),
    }
}

fn decide(
    known: &Known,
    rules: &Rules,
    costs: &dyn Costs,
    first: Option<&str>,
    last: Option<&str>,
) -> Decision {
    let layer = known.layer;
    let shape = layer.shape();
    let (float, float_cycles) = cheapest(&shape, &float_choices(&shape, rules.float), costs);
    let best = known.tried.iter().max_by(|a, b| a.fidelity.psnr.total_cmp(&b.fidelity.psnr));
    let decision = |choice: Choice, cycles, tried: Option<&Tried>, why: String| Decision {
        name: layer.name.clone(),
        kind: layer.layer.kind(),
        choice,
        int8_attention: false,
        slower_in_int8: false,
        fidelity: tried.or(best).map(|tried| tried.fidelity),
        error: tried.and_then(|tried| tried.error.clone()),
        bytes: bytes(&shape, layer.weights(), &choice),
        cycles,
        why,
    };
    if rules.keep.iter().any(|pattern| pattern.matches(&layer.name)) {
        return decision(float, float_cycles, None, "kept by --keep-f16".into());
    }
    if let Some(why) = kept_by_default(layer, first, last) {
        return decision(float, float_cycles, None, why.into());
    }
    let Some(best) = best else {
        return decision(float, float_cycles, None, "calibration did not see its input".into());
    };
    let least = rules.min_psnr.unwrap_or(LEAST_PSNR);
    // In the order in which they were tried: the more wanted first.
    let Some(tried) = known.tried.iter().find(|tried| tried.fidelity.psnr >= least) else {
        let why = format!("{:.1} dB in int8, below {least:.1}", best.fidelity.psnr);
        return decision(float, float_cycles, None, why);
    };
    let quantized = Choice {
        precision: tried.precision,
        activations: tried.activations,
        algorithm: Algorithm::Direct,
    };
    let cycles = costs.cycles(&shape, &quantized);
    if let (Some(quantized), Some(float_cycles)) = (cycles, float_cycles)
        && float_cycles < quantized
    {
        let why = format!("{:.0} % of int8's cycles", 100.0 * float_cycles / quantized);
        let decision = decision(float, Some(float_cycles), None, why);
        return Decision { slower_in_int8: true, ..decision };
    }
    let why = match tried.activations {
        Activations::Row if rules.activations.is_none() => {
            "a step for each row: one for all loses too much"
        }
        _ => "within the limit",
    };
    decision(quantized, cycles, Some(tried), why.into())
}

fn decide_attention(
    layer: &Attending,
    fidelity: Option<Fidelity>,
    rules: &Rules,
    costs: &dyn Costs,
) -> Decision {
    let shape = layer.shape();
    let float = Choice::float(rules.float);
    let int8 = Choice::float(Precision::Int8);
    let least = rules.min_psnr.unwrap_or(LEAST_PSNR_OF_ATTENTION);
    let (in_float, in_int8) = (costs.cycles(&shape, &float), costs.cycles(&shape, &int8));
    let kept = rules.keep.iter().any(|pattern| pattern.matches(&layer.name));
    let (int8_attention, why) = match fidelity {
        _ if kept => (false, "kept by --keep-f16".into()),
        None => (false, "calibration did not see its input".into()),
        Some(found) if found.psnr < least => {
            (false, format!("{:.1} dB in int8, below {least:.1}", found.psnr))
        }
        Some(_) => match (in_float, in_int8) {
            (Some(float), Some(int8)) if float <= int8 => {
                (false, format!("{:.0} % of the cycles in int8", 100.0 * float / int8))
            }
            (Some(_), None) => (false, "the board's table knows no int8 attention".into()),
            _ => (true, "int8, within the limit".into()),
        },
    };
    Decision {
        name: layer.name.clone(),
        kind: "attention",
        choice: float,
        int8_attention,
        fidelity,
        slower_in_int8: false,
        error: None,
        bytes: 0,
        cycles: if int8_attention { in_int8 } else { in_float },
        why,
    }
}

/// Bytes of a layer's weights as they are stored, scales, sums and bias included, padding not.
pub fn bytes(shape: &LayerShape, weights: usize, choice: &Choice) -> u64 {
    let (weights, outputs) = (weights as u64, shape.outputs as u64);
    let bias = 4 * outputs;
    match (choice.precision, choice.algorithm) {
        (Precision::Int8, _) => weights + 8 * outputs + bias,
        (Precision::Int4, _) => {
            weights / 2 + 2 * outputs * shape.depth.div_ceil(GROUP) as u64 + 4 * outputs + bias
        }
        (precision, algorithm) => {
            let size = if precision == Precision::F16 { 2 } else { 4 };
            let grown = match algorithm {
                Algorithm::Winograd([down, across]) => {
                    weights / 9 * (down as u64 + 2) * (across as u64 + 2)
                }
                Algorithm::Direct => weights,
            };
            grown * size + bias
        }
    }
}

/// Up to here nobody minds how large a net is.
const SMALL_BYTES: u64 = 32 << 20;

/// Where weights take too many bytes (as a rule, 2 % more than without Winograd's method): takes Winograd's method back from layers where it saves the fewest cycles for its bytes.
fn fit(
    decisions: &mut [Decision],
    layers: &[Known],
    rules: &Rules,
    costs: &dyn Costs,
) -> Result<(), QuantizeError> {
    let mut total: u64 = decisions.iter().map(|decision| decision.bytes).sum();
    let mut retreats: Vec<(f64, usize, Decision)> = Vec::new();
    for (index, (decision, known)) in decisions.iter().zip(layers).enumerate() {
        if decision.choice.algorithm == Algorithm::Direct {
            continue;
        }
        let shape = known.layer.shape();
        let mut direct = Choice { algorithm: Algorithm::Direct, ..decision.choice };
        let least = rules.min_psnr.unwrap_or(LEAST_PSNR);
        let good = known.tried.iter().find(|tried| tried.fidelity.psnr >= least);
        let tried = good.filter(|_| decision.slower_in_int8);
        if let Some(tried) = tried {
            direct.precision = tried.precision;
            direct.activations = tried.activations;
        }
        let cycles = costs.cycles(&shape, &direct);
        let smaller = bytes(&shape, known.layer.weights(), &direct);
        let saved = decision.bytes.saturating_sub(smaller);
        let lost = cycles.unwrap_or(0.0) - decision.cycles.unwrap_or(0.0);
        let retreat = Decision {
            choice: direct,
            bytes: smaller,
            cycles,
            slower_in_int8: false,
            error: tried.and_then(|tried| tried.error.clone()),
            why: "Winograd's weights do not fit into --max-mb".into(),
            ..decision.clone()
        };
        retreats.push((lost / saved.max(1) as f64, index, retreat));
    }
    let saved = |(_, index, retreat): &(f64, usize, Decision)| {
        decisions[*index].bytes.saturating_sub(retreat.bytes)
    };
    let least = total - retreats.iter().map(saved).sum::<u64>();
    let limit = rules.most_bytes.unwrap_or((least + least / 50).max(SMALL_BYTES));
    retreats.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (_, index, retreat) in retreats {
        if total <= limit {
            break;
        }
        total = total - decisions[index].bytes + retreat.bytes;
        decisions[index] = retreat;
    }
    if total > limit {
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        return Err(QuantizeError::TooLarge {
            megabytes: megabytes(total),
            limit: megabytes(limit),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use models::nn::{Convolution, Layer, Linear, Parameter};

    fn convolution(name: &str) -> Weighted {
        let weights = Parameter::new("w", &[64, 3, 3, 64], vec![0.0; 64 * 9 * 64]);
        Weighted {
            makes_output: false,
            name: name.into(),
            input: format!("{name}.input"),
            input_shape: vec![1, 32, 32, 64],
            output_shape: vec![1, 32, 32, 64],
            layer: Layer::Convolution(Convolution {
                weights,
                bias: None,
                stride: [1, 1],
                dilation: [1, 1],
                padding: [1; 4],
                groups: 1,
                enlargement: 1,
            }),
        }
    }

    fn linear(name: &str, rows: usize) -> Weighted {
        let weights = Parameter::new("w", &[64, 64], vec![0.0; 64 * 64]);
        Weighted {
            makes_output: false,
            name: name.into(),
            input: format!("{name}.input"),
            input_shape: vec![1, rows, 64],
            output_shape: vec![1, rows, 64],
            layer: Layer::Linear(Linear { weights, bias: None }),
        }
    }

    fn tried(precision: Precision, activations: Activations, psnr: f64) -> Tried {
        let fidelity = Fidelity { psnr, sqnr: psnr - 10.0 };
        Tried { precision, activations, fidelity, error: Some(vec![0.0; 64]) }
    }

    fn rules() -> Rules {
        Rules {
            keep: Vec::new(),
            min_psnr: None,
            weights: Precision::Int8,
            activations: None,
            float: Precision::F16,
            most_bytes: None,
        }
    }

    /// Cycles a product, by what computes it.
    struct Table {
        int8: f64,
        f16: f64,
        winograd: f64,
    }

    impl Costs for Table {
        fn cycles(&self, layer: &LayerShape, choice: &Choice) -> Option<f64> {
            let each = match (choice.precision, choice.algorithm) {
                (Precision::Int8, _) => self.int8,
                (_, Algorithm::Direct) => self.f16,
                (_, Algorithm::Winograd([4, 4])) => self.winograd,
                (_, Algorithm::Winograd(_)) => 2.0 * self.winograd,
            };
            Some(layer.products() as f64 * each)
        }
    }

    const TENSOR: Activations = Activations::Tensor;

    fn choose_of(layers: &[(Weighted, Vec<Tried>)], rules: &Rules, costs: &dyn Costs) -> Chosen {
        let known: Vec<Known> =
            layers.iter().map(|(layer, tried)| Known { layer, tried: tried.clone() }).collect();
        let range = Quantization { scale: 0.1, zero_point: 3 };
        let ranges = layers.iter().map(|(layer, _)| (layer.input.clone(), range)).collect();
        choose(&known, &[], &ranges, rules, costs).unwrap()
    }

    fn four(psnr: f64) -> Vec<(Weighted, Vec<Tried>)> {
        ["conv_in", "a", "b", "conv_out"]
            .map(|name| (convolution(name), vec![tried(Precision::Int8, TENSOR, psnr)]))
            .into()
    }

    #[test]
    fn the_edges_time_embedding_and_poor_layers_stay_in_floating_point() {
        let mut layers = four(45.0);
        layers[2].1[0].fidelity.psnr = 37.9;
        let int8 = |psnr| vec![tried(Precision::Int8, TENSOR, psnr)];
        layers.push((linear("time_embedding.linear_1", 1), int8(60.0)));
        layers.push((linear("attn1.to_q", 100), int8(60.0)));
        layers.push((linear("unseen", 100), Vec::new()));
        let chosen = choose_of(&layers, &rules(), &Unknown);
        let precisions: Vec<_> =
            chosen.decisions.iter().map(|decision| decision.choice.precision).collect();
        use Precision::{F16, Int8};
        assert_eq!(precisions, [F16, Int8, F16, F16, F16, Int8, F16]);
        let why: Vec<_> = chosen.decisions.iter().map(|decision| decision.why.as_str()).collect();
        assert_eq!(why[0], "first convolution");
        assert_eq!(why[2], "37.9 dB in int8, below 38.0");
        assert_eq!(why[4], "time embedding");
        let ranges: Vec<_> = chosen.choices.ranges.keys().collect();
        assert_eq!(ranges, ["a.input", "attn1.to_q.input"]);
    }

    #[test]
    fn cost_decides_between_int8_and_winograd() {
        let faster = Table { int8: 1.0, f16: 2.0, winograd: 0.8 };
        let chosen = choose_of(&four(45.0), &rules(), &faster);
        let choice = chosen.choices.of("a");
        assert_eq!(choice.precision, Precision::F16);
        assert_eq!(choice.algorithm, Algorithm::Winograd([4, 4]));
        assert_eq!(chosen.decisions[1].why, "80 % of int8's cycles");
        assert!(chosen.choices.ranges.is_empty());
        let slower = Table { int8: 1.0, f16: 2.0, winograd: 1.1 };
        let chosen = choose_of(&four(45.0), &rules(), &slower);
        assert_eq!(chosen.choices.of("a").precision, Precision::Int8);
        assert_eq!(chosen.choices.of("conv_in").algorithm, Algorithm::Winograd([4, 4]));
    }

    #[test]
    fn winograd_gives_way_where_weights_do_not_fit() {
        let costs = Table { int8: 1.0, f16: 2.0, winograd: 0.8 };
        let all = choose_of(&four(45.0), &rules(), &costs);
        let total: u64 = all.decisions.iter().map(|decision| decision.bytes).sum();
        let limited = Rules { most_bytes: Some(total - 1), ..rules() };
        let chosen = choose_of(&four(45.0), &limited, &costs);
        // The inner ones can be int8, which saves the most bytes for the fewest cycles.
        assert_eq!(chosen.decisions[1].choice.precision, Precision::Int8);
        assert!(chosen.decisions[1].error.is_some());
        assert!(chosen.decisions[1].why.contains("--max-mb"));
        let rest = &chosen.decisions[2..];
        assert!(rest.iter().all(|d| d.choice.algorithm == Algorithm::Winograd([4, 4])));
        let impossible = Rules { most_bytes: Some(1000), ..rules() };
        let layers = four(45.0);
        let known: Vec<Known> =
            layers.iter().map(|(layer, tried)| Known { layer, tried: tried.clone() }).collect();
        let error = choose(&known, &[], &BTreeMap::new(), &impossible, &costs).unwrap_err();
        assert!(error.to_string().contains("--max-mb 0.001"), "{error}");
    }

    #[test]
    fn a_step_for_each_row_and_int8_weights_are_the_way_back_from_too_coarse() {
        let coarse = vec![
            tried(Precision::Int4, TENSOR, 20.0),
            tried(Precision::Int4, Activations::Row, 21.0),
            tried(Precision::Int8, TENSOR, 30.0),
            tried(Precision::Int8, Activations::Row, 44.0),
        ];
        let rules = Rules { weights: Precision::Int4, ..rules() };
        let layer = linear("fc", 100);
        let tried: Vec<_> =
            coarse.iter().map(|tried| (tried.precision, tried.activations)).collect();
        assert_eq!(options(&layer, &rules), tried);
        assert_eq!(options(&convolution("conv"), &rules), [(Precision::Int8, TENSOR)]);
        let chosen = choose_of(&[(layer, coarse)], &rules, &Unknown);
        let choice = chosen.choices.of("fc");
        assert_eq!((choice.precision, choice.activations), (Precision::Int8, Activations::Row));
        assert!(chosen.choices.ranges.is_empty(), "rows need no range");
    }

    #[test]
    fn a_boards_table_prefers_the_tiles_that_fit_the_image() {
        let costs = targets::Costs::of("cortex-a76").unwrap();
        let winograd =
            |tile| Choice { algorithm: Algorithm::Winograd(tile), ..Choice::float(Precision::F16) };
        let shape = convolution("conv").shape();
        let cycles = |shape: &LayerShape, choice| Costs::cycles(costs, shape, &choice).unwrap();
        assert!(cycles(&shape, winograd([4, 4])) < cycles(&shape, winograd([2, 2])));
        let tiny = LayerShape { size: [2, 2], rows: 4, ..shape };
        assert!(cycles(&tiny, winograd([2, 2])) < cycles(&tiny, winograd([4, 4])));
        assert_eq!(Costs::cycles(costs, &shape, &Choice::float(Precision::Int4)), None);
    }

    #[test]
    fn names_match_by_parts_and_stars() {
        let matches = |pattern: &str, name| pattern.parse::<Pattern>().unwrap().matches(name);
        assert!(matches("attn2", "down.0.attn2.to_k"));
        assert!(matches("down*to_k", "down.0.attn2.to_k"));
        assert!(!matches("down*to_q", "down.0.attn2.to_k"));
        assert!(matches("*.0.*.to_k", "down.0.attn2.to_k"));
        assert!(!matches("aba*aba", "aba"));
        assert!("".parse::<Pattern>().is_err());
        let keep = Rules { keep: vec!["nothing".parse().unwrap()], ..rules() };
        let layer = convolution("conv");
        let known = [Known { layer: &layer, tried: Vec::new() }];
        let error = choose(&known, &[], &BTreeMap::new(), &keep, &Unknown).unwrap_err();
        assert!(error.to_string().contains("`nothing`"));
    }

    #[test]
    fn attention_scores_have_a_limit_of_their_own() {
        let layer = Attending {
            name: "attn".into(),
            shapes: [vec![1, 64, 64], vec![1, 64, 64], vec![1, 64, 64]],
            layer: models::nn::Attention { heads: 4, key_heads: 4, scale: 0.25, causal: false },
        };
        let fidelity = |psnr| Some(Fidelity { psnr, sqnr: psnr });
        let of = |fidelity, rules: &Rules| {
            let chosen =
                choose(&[], &[(&layer, fidelity)], &BTreeMap::new(), rules, &Unknown).unwrap();
            chosen.choices.int8_attention.contains("attn")
        };
        assert!(of(fidelity(26.0), &rules()));
        assert!(!of(fidelity(25.9), &rules()));
        assert!(!of(None, &rules()));
        assert!(!of(fidelity(30.0), &Rules { min_psnr: Some(31.0), ..rules() }));
        assert!(!of(fidelity(30.0), &Rules { keep: vec!["attn".parse().unwrap()], ..rules() }));
    }
}
