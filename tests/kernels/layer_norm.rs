//! Every version of layer norm does what the plain one does, to floats and to int8: the tests are in `row_norm`.

mod elements;
mod harness;
mod row_norm;

use kernels::layer_norm::{RowNorm, Version};

const CENTRED: bool = true;
