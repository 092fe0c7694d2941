//! Inner loops: pure functions over slices.
//!
//! A kernel allocates nothing, locks nothing, spawns nothing and keeps no state: the caller gives it
//! memory and decides on threads. Each operation is one module; its plain version is the
//! specification that faster versions are tested against.

pub mod blur;
pub mod colour;
pub mod distance;
pub mod features;
pub mod gemm;
pub mod kernel;
pub mod label;
pub mod lanes;
pub mod math;
pub mod mesh;
pub mod morphology;
pub mod resize;
pub mod scratch;
