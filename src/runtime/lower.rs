//! From a net of the vocabulary to a program and its weights.

mod elements;
mod emit;
mod graph;
mod pack;
mod unit;

use super::blob::Blob;
use super::choices::Choices;
use super::program::{Element, Program};
use kernels::features::{Features, Isa};
use kernels::layouts::Layouts;
use models::Imported;

/// The kind of CPU that a program is made for.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What activations that are not quantized are made of.
    pub element: Element,
    /// In which orders its kernels read weights.
    pub layouts: Layouts,
}

impl Target {
    /// The CPU that has these features.
    pub fn of(features: Features) -> Self {
        let sets: Vec<Isa> = Isa::ALL.into_iter().filter(|&isa| features.has(&[isa])).collect();
        Self::with(&sets)
    }

    /// A CPU that has these sets of instructions.
    pub fn with(sets: &[Isa]) -> Self {
        let halves = sets.contains(&Isa::NeonFp16);
        let element = if halves { Element::F16 } else { Element::F32 };
        Self { element, layouts: Layouts::of(sets) }
    }
}

/// What lowering makes.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// Steps and values.
    pub program: Program,
    /// Their weights.
    pub weights: Blob,
    /// Layers that no kernel has and tract runs: name and operation.
    pub left_to_tract: Vec<(String, String)>,
}

/// Why a net cannot be lowered.
#[derive(Debug, thiserror::Error)]
pub enum LowerError {
    /// A shape is not known.
    #[error(
        "layer `{layer}`: its shape depends on what is not known before the net runs; export it with fixed sizes"
    )]
    Shape {
        /// The layer.
        layer: String,
    },
    /// An element that the runtime does not take.
    #[error("layer `{layer}` makes {element}, the runtime takes f32")]
    Element {
        /// The layer.
        layer: String,
        /// As tract names it.
        element: String,
    },
    /// The net has no order of execution.
    #[error("the net cannot be put in order: {reason}")]
    Order {
        /// What tract says.
        reason: String,
    },
    /// A choice that the layer does not have.
    #[error("layer `{layer}`: {reason}")]
    Choice {
        /// The layer.
        layer: String,
        /// Why not.
        reason: &'static str,
    },
    /// Tract could not write an operation.
    #[error(
        "layer `{layer}` has operation `{operation}`, which neither a kernel nor a bundle has: {reason}"
    )]
    Tract {
        /// The layer.
        layer: String,
        /// As tract names it.
        operation: String,
        /// What tract says.
        reason: String,
    },
}

/// Lowers a net: fuses norms with activations and quantizing, products with what follows them, and packs weights as the target's
/// kernels read them.
///
/// # Errors
/// [`LowerError`]
pub fn lower(
    name: &str,
    net: &Imported,
    choices: &Choices,
    target: &Target,
) -> Result<Lowered, LowerError> {
    emit::Emitter::run(name, net, choices, target)
}
