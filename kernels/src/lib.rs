//! Inner loops: pure functions over slices.
//!
//! A kernel allocates nothing, locks nothing, spawns nothing and keeps no state: the caller gives it
//! memory and decides on threads. Each operation is one module; its plain version is the
//! specification that faster versions are tested against.

pub mod activation;
pub mod affine;
pub mod attention;
pub mod blend;
pub mod blur;
pub mod broadcast;
pub mod bytes;
pub mod colour;
pub mod concat;
pub mod convert;
pub mod convolution;
pub mod depthwise;
pub mod distance;
pub mod elements;
pub mod features;
pub mod gated;
pub mod gemm;
pub mod gemm_i4;
pub mod gemv;
pub mod group_norm;
pub mod image_resize;
pub mod interpolate;
pub mod kernel;
pub mod label;
pub mod lanes;
pub mod layer_norm;
pub mod layouts;
pub mod math;
pub mod memory;
pub mod mesh;
pub mod moments;
pub mod morphology;
mod norm;
pub mod normalise;
pub mod plane;
pub mod pool;
pub mod resize;
pub mod rms_norm;
pub mod rotary;
pub mod scratch;
pub mod softmax;
pub mod stored;
pub mod transposed;
pub mod warp;
pub mod winograd;
pub mod wiping;
pub mod yuv;
