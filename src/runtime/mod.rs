//! The runtime: nets as programs of kernel calls over mapped weights.
//!
//! [`lower`](lower::lower) turns a net of the vocabulary into a [`Program`](program::Program) and its weights in the order in which kernels read
//! them; a bundle keeps both. [`Engine`](engine::Engine) is a program made ready for a CPU: versions of kernels picked, memory planned. A
//! [`Session`](engine::Session) is one thread of control's memory, and runs it.

pub mod blob;
mod check;
pub mod choices;
pub mod engine;
pub mod lower;
mod ops;
mod plan;
pub mod pool;
pub mod program;
mod view;
