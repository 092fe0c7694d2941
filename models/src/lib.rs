//! What the nets are: import of published model files, and running them.
//!
//! [`Net::load`] reads a TensorFlow Lite file as MediaPipe publishes it and compiles it;
//! [`Net::run`] executes it. [`published`] names the files that the product uses, where they come
//! from and how they are recognised.

mod error;
mod net;
pub mod published;
mod tflite;

pub use error::ModelError;
pub use net::{Net, Output};
