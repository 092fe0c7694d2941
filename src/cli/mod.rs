//! One file per subcommand.

pub mod models;
