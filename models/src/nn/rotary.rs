//! Rotary embedding: each pair `(a, b)` of a head's values becomes `(a·cos − b·sin, b·cos + a·sin)`.
//!
//! Pair i of token t has the angle whose cosine is `cosines[t, i]`.

use super::shape::{self, misfit};
use super::{Parameter, Plain, ShapeError};

/// Which values of a head are a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairs {
    /// 2i and 2i + 1.
    Adjacent,
    /// i and i + turned / 2.
    Halves,
}

/// Of `[n, tokens, heads · size]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rotary {
    /// Heads of a token.
    pub heads: usize,
    /// `[tokens, turned / 2]`: the first `turned` values of each head are turned, those after them kept.
    pub cosines: Parameter,
    /// As the cosines.
    pub sines: Parameter,
    /// Which values are a pair.
    pub pairs: Pairs,
}

impl Rotary {
    pub(super) fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, ShapeError> {
        let [_, tokens, width] = *input else {
            return Err(misfit("a sequence [n, tokens, c]", input));
        };
        shape::expect_positive("heads", &[self.heads])?;
        if !width.is_multiple_of(self.heads) {
            return Err(misfit(format!("tokens of {} heads", self.heads), input));
        }
        let pairs_in_head = width / self.heads / 2;
        match self.cosines.shape[..] {
            [rows, pairs] if rows == tokens && pairs <= pairs_in_head => {}
            _ => {
                return Err(ShapeError::Parameter {
                    name: self.cosines.name.clone(),
                    expected: format!("[{tokens}, {pairs_in_head} or less]"),
                    found: self.cosines.shape.clone(),
                });
            }
        }
        shape::expect_parameter(&self.sines, &self.cosines.shape)?;
        Ok(input.to_vec())
    }

    pub(super) fn evaluate(&self, input: &Plain) -> Plain {
        let (tokens, size) = (input.shape[1], input.channels() / self.heads);
        let pairs = self.cosines.shape[1];
        let mut output = input.clone();
        for (index, head) in output.values.chunks_exact_mut(size).enumerate() {
            let row = index / self.heads % tokens * pairs;
            for i in 0..pairs {
                let (cosine, sine) = (self.cosines.values[row + i], self.sines.values[row + i]);
                let (first, second) = match self.pairs {
                    Pairs::Adjacent => (2 * i, 2 * i + 1),
                    Pairs::Halves => (i, i + pairs),
                };
                let (a, b) = (head[first], head[second]);
                head[first] = a * cosine - b * sine;
                head[second] = b * cosine + a * sine;
            }
        }
        output
    }
}
