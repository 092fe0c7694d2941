//! Tests of whole nets.

mod nets;
mod pipeline;
mod qdq;
