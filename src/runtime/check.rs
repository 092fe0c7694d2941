//! What must hold of a program, whatever wrote it, before anything looks at it closer: ids, shapes, quantization, the order of steps, spans. What an
//! operation asks of its operands is checked where the step is made ready, see [`prepare`](super::ops::prepare).

use super::blob::{ALIGNMENT, BlobError};
use super::engine::RuntimeError;
use super::program::{Element, Op, Program, Quantization, Span, Step, Value, ValueId, Weights};
use std::collections::HashSet;

/// The most values, and the most steps, that a program may have.
pub const MOST_STEPS: usize = 1 << 14;
/// The most operands and results of all steps together.
pub const MOST_OPERANDS: usize = 1 << 18;
/// The most axes of a value.
pub const MOST_AXES: usize = 6;
/// The most elements of a value.
pub const MOST_ELEMENTS: usize = 1 << 30;
/// The greatest kernel, stride, dilation or padding.
pub const MOST_REACH: usize = 1 << 12;

/// What is wrong with the program as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// More than a limit.
    #[error("{found} {what}, at most {most} are taken")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        found: usize,
        /// The limit.
        most: usize,
    },
    /// The weights are those of another program.
    #[error("weights of {expected} bytes expected, found {found}")]
    WeightBytes {
        /// What the program says.
        expected: u64,
        /// What there is.
        found: u64,
    },
    /// Activations are f32 or f16.
    #[error("activations that are not quantized are int8")]
    Element,
    /// It computes nothing.
    #[error("a net without outputs")]
    NoOutputs,
    /// Two inputs or two outputs of one name.
    #[error("two inputs or outputs are named `{name}`")]
    TwoPorts {
        /// The name.
        name: String,
    },
    /// An input or output whose value there is not.
    #[error("`{name}` is value {value} of {values}")]
    Port {
        /// Its name.
        name: String,
        /// Its value.
        value: ValueId,
        /// How many there are.
        values: usize,
    },
    /// An input that shares its memory, or has a step for each row.
    #[error("input `{name}` is no value of its own")]
    Input {
        /// Its name.
        name: String,
    },
    /// An output that nothing writes.
    #[error("nothing writes output `{name}`")]
    Unwritten {
        /// Its name.
        name: String,
    },
}

impl Program {
    /// Checks everything that does not depend on a CPU or on the weights' values.
    ///
    /// # Errors
    /// [`RuntimeError::Program`], [`RuntimeError::Value`], [`RuntimeError::Step`] or [`RuntimeError::Weights`]: the first thing that is wrong.
    pub fn check(&self, weight_bytes: u64) -> Result<(), RuntimeError> {
        let operands = |step: &Step| step.inputs.len().saturating_add(step.outputs.len());
        let operands = self.steps.iter().map(operands).fold(0, usize::saturating_add);
        for (what, found, most) in [
            ("values", self.values.len(), MOST_STEPS),
            ("steps", self.steps.len(), MOST_STEPS),
            ("operands", operands, MOST_OPERANDS),
            ("inputs", self.inputs.len(), MOST_STEPS),
            ("outputs", self.outputs.len(), MOST_STEPS),
        ] {
            if found > most {
                return Err(ProgramError::TooMany { what, found, most }.into());
            }
        }
        if self.weight_bytes != weight_bytes {
            let (expected, found) = (self.weight_bytes, weight_bytes);
            return Err(ProgramError::WeightBytes { expected, found }.into());
        }
        if self.element == Element::I8 {
            return Err(ProgramError::Element.into());
        }
        for value in &self.values {
            self.check_value(value)
                .map_err(|reason| RuntimeError::Value { value: value.name.clone(), reason })?;
        }
        self.check_ports()?;
        self.check_order()?;
        for step in &self.steps {
            check_spans(step, weight_bytes)?;
        }
        Ok(())
    }

    /// The value whose memory a value is; itself, as a rule.
    pub(super) fn root(&self, id: ValueId) -> ValueId {
        let mut root = id;
        while let Some(next) = self.values[root].same_as {
            root = next;
        }
        root
    }

    fn check_value(&self, value: &Value) -> Result<(), String> {
        let axes = value.shape.len();
        if axes == 0 || axes > MOST_AXES {
            return Err(format!("{axes} axes, 1 to {MOST_AXES} are taken"));
        }
        let elements = value.shape.iter().try_fold(1usize, |product, &extent| {
            product.checked_mul(extent).filter(|&all| all > 0 && all <= MOST_ELEMENTS)
        });
        if elements.is_none() {
            return Err(format!(
                "shape {:?} has no elements or more than {MOST_ELEMENTS}",
                value.shape
            ));
        }
        match (value.element, value.quantization, value.row_steps) {
            (Element::I8, Some(quantization), None) => check_quantization(quantization)?,
            (Element::I8, None, Some(steps)) => {
                let Some(steps) = self.values.get(steps) else {
                    return Err(format!("its steps are value {steps} of {}", self.values.len()));
                };
                // The shape of `steps` may not have been checked yet.
                if steps.element != Element::F32 || steps.shape != [value.rows()] {
                    return Err(format!(
                        "its steps `{}` are no f32 of shape [{}]",
                        steps.name,
                        value.rows()
                    ));
                }
            }
            (Element::I8, ..) => {
                return Err("int8 has either a quantization or steps for each row".into());
            }
            (_, None, None) => {}
            _ => return Err("only int8 is quantized".into()),
        }
        self.check_shared(value)
    }

    fn check_shared(&self, value: &Value) -> Result<(), String> {
        let (mut next, mut links) = (value.same_as, 0);
        while let Some(id) = next {
            let Some(other) = self.values.get(id) else {
                return Err(format!("it is in the memory of value {id} of {}", self.values.len()));
            };
            let alike = other.element == value.element
                && other.quantization == value.quantization
                && other.row_steps == value.row_steps;
            let elements = |value: &Value| {
                value.shape.iter().try_fold(1usize, |product, &extent| product.checked_mul(extent))
            };
            if !alike || elements(other) != elements(value) {
                return Err(format!(
                    "it is in the memory of `{}`, which holds something else",
                    other.name
                ));
            }
            links += 1;
            if links > self.values.len() {
                return Err("it is in its own memory".into());
            }
            next = other.same_as;
        }
        Ok(())
    }

    fn check_ports(&self) -> Result<(), ProgramError> {
        for ports in [&self.inputs, &self.outputs] {
            let mut names = HashSet::new();
            for port in ports {
                let (name, value) = (port.name.clone(), port.value);
                if !names.insert(&port.name) {
                    return Err(ProgramError::TwoPorts { name });
                }
                if value >= self.values.len() {
                    return Err(ProgramError::Port { name, value, values: self.values.len() });
                }
            }
        }
        if self.outputs.is_empty() {
            return Err(ProgramError::NoOutputs);
        }
        let mut taken = HashSet::new();
        for port in &self.inputs {
            let value = &self.values[port.value];
            let own = value.same_as.is_none() && value.row_steps.is_none();
            if !own || !taken.insert(port.value) {
                return Err(ProgramError::Input { name: port.name.clone() });
            }
        }
        Ok(())
    }

    /// That each step reads what is there, and each value is written once.
    fn check_order(&self) -> Result<(), RuntimeError> {
        let count = self.values.len();
        let mut written = vec![false; count];
        for port in &self.inputs {
            written[port.value] = true;
        }
        for step in &self.steps {
            let refused = |reason| RuntimeError::Step { step: step.name.clone(), reason };
            if let Some(id) = step.inputs.iter().chain(&step.outputs).find(|&&id| id >= count) {
                return Err(refused(format!("value {id} of {count}")));
            }
            if step.outputs.is_empty() {
                return Err(refused("a step without outputs".into()));
            }
            let there = |id: ValueId, written: &[bool]| {
                let steps = self.values[id].row_steps;
                written[self.root(id)] && steps.is_none_or(|steps| written[self.root(steps)])
            };
            if let Some(&id) = step.inputs.iter().find(|&&id| !there(id, &written)) {
                let name = &self.values[id].name;
                return Err(refused(format!("it reads `{name}`, which no step before it writes")));
            }
            for &id in &step.outputs {
                let Value { name, same_as, .. } = &self.values[id];
                if same_as.is_some() {
                    return Err(refused(format!(
                        "it writes `{name}`, which is another value's memory"
                    )));
                }
                if std::mem::replace(&mut written[id], true) {
                    return Err(refused(format!("it writes `{name}`, which is written before")));
                }
            }
            if let Some(&id) = step.outputs.iter().find(|&&id| !there(id, &written)) {
                let name = &self.values[id].name;
                return Err(refused(format!("it writes `{name}`, but nothing writes its steps")));
            }
        }
        for port in &self.outputs {
            let steps = self.values[port.value].row_steps;
            let there = written[self.root(port.value)]
                && steps.is_none_or(|steps| written[self.root(steps)]);
            if !there {
                return Err(ProgramError::Unwritten { name: port.name.clone() }.into());
            }
        }
        Ok(())
    }
}

/// That a step's size is a positive number that has an inverse.
pub(super) fn check_quantization(quantization: Quantization) -> Result<(), String> {
    let scale = quantization.scale;
    let usable = scale.is_normal() && scale > 0.0 && (1.0 / scale).is_normal();
    if usable { Ok(()) } else { Err(format!("a quantization with steps of {scale}")) }
}

fn check_spans(step: &Step, weight_bytes: u64) -> Result<(), RuntimeError> {
    for Span { offset, bytes } in spans(&step.op) {
        let end = offset.checked_add(bytes).filter(|&end| end <= weight_bytes);
        let source = if end.is_none() {
            // A blob that is too long for this CPU's addresses could not be mapped.
            let length = usize::try_from(weight_bytes).unwrap_or(usize::MAX);
            BlobError::Outside { offset, bytes, length }
        } else if !offset.is_multiple_of(ALIGNMENT as u64) {
            BlobError::Unaligned { offset, bytes, size: 1 }
        } else {
            continue;
        };
        return Err(RuntimeError::Weights { step: step.name.clone(), source });
    }
    Ok(())
}

/// All spans of weights that an operation reads.
fn spans(op: &Op) -> Vec<Span> {
    let of = |weights: &Weights| {
        let Weights { panels, sums, scales, bias, .. } = *weights;
        [Some(panels), sums, scales, bias].into_iter().flatten().collect()
    };
    match op {
        Op::Convolution { weights, .. }
        | Op::Linear { weights, .. }
        | Op::Transposed { weights, .. } => of(weights),
        Op::GroupNorm { scale, shift, .. } | Op::LayerNorm { scale, shift, .. } => {
            scale.iter().chain(shift).copied().collect()
        }
        Op::RmsNorm { scale, .. } => scale.iter().copied().collect(),
        Op::PRelu { slopes } => vec![*slopes],
        Op::Binary { constant, .. } => constant.iter().copied().collect(),
        Op::Constant { values } => vec![*values],
        Op::Rotary { cosines, sines, .. } => vec![*cosines, *sines],
        Op::Tract { archive, .. } => vec![*archive],
        Op::Attention { .. }
        | Op::Gated { .. }
        | Op::Activate { .. }
        | Op::Softmax
        | Op::Pool { .. }
        | Op::Resize { .. }
        | Op::DepthToSpace { .. }
        | Op::Concat { .. }
        | Op::Slice { .. }
        | Op::Transpose { .. }
        | Op::Pad { .. }
        | Op::Convert => Vec::new(),
    }
}
