//! What the nets are: import of published model files, and running them.
//!
//! [`nn`] is the vocabulary of layers that every net is made of, with what each computes. [`tflite::import`] reads a TensorFlow
//! Lite file as MediaPipe publishes it, [`checkpoint`] the weights of a published system by their names; [`rewrite`] makes a net
//! smaller without changing what it gives.
//!
//! [`Net::load`] reads and [`Net::run`] executes a net plainly. [`published`] names the files that the product uses, where they
//! come from and how they are recognised.

pub mod checkpoint;
mod error;
mod imported;
mod net;
pub mod nn;
pub mod onnx;
pub mod published;
pub mod rewrite;
pub mod tflite;

pub use error::ModelError;
pub use imported::Imported;
pub use net::{Net, Output};
