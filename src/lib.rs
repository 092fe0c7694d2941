//! Virtual try-on that runs on the device.
//!
//! Read in this order: [`picture`] and [`plane`] (what the stages pass on), [`perception`] (nets in,
//! geometry out), [`garment`] (what a garment is), [`tryon`], which reads as the product works, then [`mirror`]: the loop from
//! [`camera`] to [`screen`].

pub mod bundle;
pub mod camera;
pub mod cli;
pub mod filter;
pub mod garment;
pub mod mirror;
pub mod output;
pub mod perception;
pub mod picture;
pub mod plane;
pub mod runtime;
pub mod screen;
pub mod tryon;
