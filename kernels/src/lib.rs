//! Inner loops: no I/O, no threads, no allocation.

pub mod distance;
pub mod label;
pub mod morphology;
