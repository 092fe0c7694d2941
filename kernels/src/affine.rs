//! What a norm multiplies by and adds to a normalised value: `y = n · scale + shift`, and AdaLN's
//! `y · (1 + modulation.scale) + modulation.shift` folded into the two.

/// Per-channel factors and terms; what is missing counts as 1 and 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct Affine<'a> {
    /// The layer's factor for each channel.
    pub scale: Option<&'a [f32]>,
    /// The layer's term for each channel.
    pub shift: Option<&'a [f32]>,
    /// AdaLN's, for one image.
    pub modulation: Option<Modulation<'a>>,
}

/// `y · (1 + scale) + shift` for each channel, computed from a conditioning vector.
#[derive(Clone, Copy, Debug)]
pub struct Modulation<'a> {
    /// What is added to 1 to multiply by.
    pub scale: &'a [f32],
    /// What is added.
    pub shift: &'a [f32],
}

impl Affine<'_> {
    /// The factor and the term of one channel.
    pub fn of(&self, channel: usize) -> (f32, f32) {
        let scale = self.scale.map_or(1.0, |scale| scale[channel]);
        let shift = self.shift.map_or(0.0, |shift| shift[channel]);
        match self.modulation {
            None => (scale, shift),
            Some(modulation) => {
                let factor = 1.0 + modulation.scale[channel];
                (scale * factor, shift.mul_add(factor, modulation.shift[channel]))
            }
        }
    }

    /// Writes the factors and the terms of all channels, as the norms over rows read them. Once for a layer
    /// without modulation, else once per image.
    ///
    /// # Panics
    /// Where lengths differ.
    pub fn fold(&self, scale: &mut [f32], shift: &mut [f32]) {
        self.check(scale.len());
        assert_eq!(scale.len(), shift.len(), "as many terms as factors");
        for (channel, (scale, shift)) in scale.iter_mut().zip(shift).enumerate() {
            (*scale, *shift) = self.of(channel);
        }
    }

    pub(crate) fn check(&self, channels: usize) {
        let modulation = self.modulation.map(|modulation| [modulation.scale, modulation.shift]);
        for values in [self.scale, self.shift]
            .into_iter()
            .flatten()
            .chain(modulation.iter().flatten().copied())
        {
            assert_eq!(values.len(), channels, "a value for each channel");
        }
    }
}
