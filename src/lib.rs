//! Virtual try-on that runs on the device.
//!
//! Read in this order: [`picture`] and [`plane`] (what the stages pass on), [`perception`] (nets in,
//! geometry out), [`garment`] (what a garment is), then [`tryon`], which reads as the product works.

pub mod bundle;
pub mod cli;
pub mod filter;
pub mod garment;
pub mod output;
pub mod perception;
pub mod picture;
pub mod plane;
pub mod runtime;
pub mod tryon;
