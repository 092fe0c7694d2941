//! From a net in floating point to a bundle for a board: calibrate, choose, pack, measure, report.
//!
//! Read in this order: [`samples`] (what the net is tried on), [`calibrate`] and [`observer`] (which values it meets), [`smooth`] and [`bias`]
//! (changes to the net that make it easier to quantize), [`sensitivity`] (what int8 costs each layer in precision), [`choose`] (how each layer is
//! to be computed), [`evaluate`] (what all of it costs together), [`report`] and [`qdq`] (for people and for other engines). [`pipeline`] is the
//! whole way.

pub mod bias;
pub mod calibrate;
pub mod choose;
pub mod cli;
pub mod error;
pub mod evaluate;
pub mod layers;
pub mod observer;
pub mod pipeline;
pub mod qdq;
pub mod report;
pub mod samples;
pub mod sensitivity;
pub mod simulate;
pub mod smooth;

pub use error::QuantizeError;
