//! The One-Euro filter: steady at rest, prompt in motion (Casiez, Roussel, Vogel, CHI 2012).

use std::time::Duration;

/// How a [`OneEuro`] filter trades jitter for lag.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Response {
    /// Cutoff at rest, Hz.
    pub least_cutoff: f32,
    /// Cutoff added for each unit of speed, Hz.
    pub cutoff_per_speed: f32,
    /// Cutoff of the speed estimate, Hz.
    pub speed_cutoff: f32,
}

impl Response {
    /// For body points, with speed in shoulder widths a second.
    pub const BODY: Self = Self { least_cutoff: 1.2, cutoff_per_speed: 10.0, speed_cutoff: 1.0 };
}

/// The filter of one point with `N` coordinates, which share one speed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneEuro<const N: usize> {
    response: Response,
    state: Option<State<N>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct State<const N: usize> {
    value: [f32; N],
    speed: [f32; N],
}

impl<const N: usize> OneEuro<N> {
    /// A filter that has seen nothing.
    pub fn new(response: Response) -> Self {
        Self { response, state: None }
    }

    /// The filtered value after `elapsed` since the last one.
    ///
    /// `unit` is the length, in the units of `value`, in which speed is measured. The first value
    /// passes unchanged, and so does any whose `unit` or `elapsed` is not positive.
    pub fn filter(&mut self, value: [f32; N], unit: f32, elapsed: Duration) -> [f32; N] {
        let seconds = elapsed.as_secs_f32();
        let Some(last) = self.state.filter(|_| seconds > 0.0 && unit > 0.0) else {
            self.state = Some(State { value, speed: [0.0; N] });
            return value;
        };
        let blend = share(self.response.speed_cutoff, seconds);
        let speed: [f32; N] = std::array::from_fn(|i| {
            let now = (value[i] - last.value[i]) / seconds / unit;
            last.speed[i] + blend * (now - last.speed[i])
        });
        let magnitude = speed.iter().map(|s| s * s).sum::<f32>().sqrt();
        let cutoff = self.response.least_cutoff + self.response.cutoff_per_speed * magnitude;
        let blend = share(cutoff, seconds);
        let value = std::array::from_fn(|i| last.value[i] + blend * (value[i] - last.value[i]));
        self.state = Some(State { value, speed });
        value
    }
}

/// Share of the new value in a first-order low pass.
fn share(cutoff: f32, seconds: f32) -> f32 {
    let turn = std::f32::consts::TAU * cutoff * seconds;
    turn / (turn + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(33);

    #[test]
    fn a_constant_stays_and_the_first_value_passes() {
        let mut filter = OneEuro::new(Response::BODY);
        for _ in 0..5 {
            assert_eq!(filter.filter([3.0, 4.0], 100.0, FRAME), [3.0, 4.0]);
        }
    }

    #[test]
    fn noise_at_rest_is_damped_to_a_third() {
        let mut filter = OneEuro::new(Response::BODY);
        let (mut before, mut after) = (0.0, 0.0);
        let mut last = None;
        for frame in 0..300 {
            let noise = if frame % 2 == 0 { 0.5 } else { -0.5 };
            let [value] = filter.filter([100.0 + noise], 200.0, FRAME);
            if let Some((noise_before, value_before)) = last.replace((noise, value)) {
                before += f32::powi(noise - noise_before, 2);
                after += f32::powi(value - value_before, 2);
            }
        }
        assert!(after.sqrt() < before.sqrt() / 3.0, "{} {}", before.sqrt(), after.sqrt());
    }

    #[test]
    fn a_fast_move_is_followed_within_a_tenth_of_a_second() {
        let mut filter = OneEuro::new(Response::BODY);
        filter.filter([0.0], 100.0, FRAME);
        let mut value = 0.0;
        for frame in 1..=30 {
            [value] = filter.filter([frame as f32 * 10.0], 100.0, FRAME);
        }
        assert!(300.0 - value < 30.0, "lags by {}", 300.0 - value);
    }

    #[test]
    fn frames_without_elapsed_time_or_scale_pass_unchanged() {
        let mut filter = OneEuro::new(Response::BODY);
        filter.filter([1.0], 10.0, FRAME);
        assert_eq!(filter.filter([5.0], 10.0, Duration::ZERO), [5.0]);
        assert_eq!(filter.filter([9.0], 0.0, FRAME), [9.0]);
    }
}
