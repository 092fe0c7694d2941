//! Published model files.
