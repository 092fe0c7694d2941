//! The traced edge of a silhouette and what can be asked of it: lengths, bends, corners.

use glam::Vec2;

/// Traces the outer edge of the component that holds the first set pixel at or after `start`, along
/// pixel edges, clockwise as seen on the screen. The curve is closed; its first point is not repeated.
pub fn trace(mask: &[u8], width: usize, height: usize, start: usize) -> Vec<Vec2> {
    let Some(first) = mask[start..].iter().position(|&value| value != 0) else {
        return Vec::new();
    };
    let first = start + first;
    let origin = ((first % width) as i32, (first / width) as i32);
    let set = |x: i32, y: i32| {
        let inside = x >= 0 && y >= 0 && x < width as i32 && y < height as i32;
        inside && mask[y as usize * width + x as usize] != 0
    };
    // Right, down, left, up; the pixels ahead on the left and right hand of a corner point.
    const STEP: [(i32, i32); 4] = [(1, 0), (0, 1), (-1, 0), (0, -1)];
    const AHEAD_LEFT: [(i32, i32); 4] = [(0, -1), (0, 0), (-1, 0), (-1, -1)];
    const AHEAD_RIGHT: [(i32, i32); 4] = [(0, 0), (-1, 0), (-1, -1), (0, -1)];
    let mut curve = Vec::new();
    let (mut at, mut direction) = (origin, 0);
    loop {
        curve.push(Vec2::new(at.0 as f32, at.1 as f32));
        at = (at.0 + STEP[direction].0, at.1 + STEP[direction].1);
        let ahead = |offsets: [(i32, i32); 4]| {
            let (dx, dy) = offsets[direction];
            set(at.0 + dx, at.1 + dy)
        };
        direction = if ahead(AHEAD_LEFT) {
            (direction + 3) % 4
        } else if ahead(AHEAD_RIGHT) {
            direction
        } else {
            (direction + 1) % 4
        };
        if at == origin && direction == 0 {
            return curve;
        }
    }
}

/// Mean over `2 · reach + 1` neighbours of a closed curve: takes the stairs of the pixels away.
pub fn smoothed(curve: &[Vec2], reach: usize) -> Vec<Vec2> {
    let count = curve.len();
    (0..count)
        .map(|i| {
            let sum: Vec2 = (0..=2 * reach).map(|k| curve[(i + count + k - reach) % count]).sum();
            sum / (2 * reach + 1) as f32
        })
        .collect()
}

/// Length of an open polyline.
pub fn length(line: &[Vec2]) -> f32 {
    line.windows(2).map(|pair| pair[0].distance(pair[1])).sum()
}

/// `count` points at equal distances along an open polyline, ends included.
pub fn resampled(line: &[Vec2], count: usize) -> Vec<Vec2> {
    assert!(!line.is_empty() && count >= 2);
    let step = length(line) / (count - 1) as f32;
    let mut points = Vec::with_capacity(count);
    let (mut segment, mut passed) = (0, 0.0);
    for k in 0..count {
        let wanted = step * k as f32;
        while segment + 2 < line.len() {
            let long = line[segment].distance(line[segment + 1]);
            if passed + long >= wanted {
                break;
            }
            passed += long;
            segment += 1;
        }
        if line.len() == 1 {
            points.push(line[0]);
            continue;
        }
        let (from, to) = (line[segment], line[segment + 1]);
        let share = (wanted - passed) / from.distance(to).max(1e-6);
        points.push(from.lerp(to, share.clamp(0.0, 1.0)));
    }
    points[count - 1] = line[line.len() - 1];
    points
}

/// An open curve of equally spaced points that knows how it bends.
#[derive(Clone, Debug)]
pub struct Curve {
    /// The points.
    pub points: Vec<Vec2>,
    /// Distance between neighbours.
    pub step: f32,
    /// Sum of the headings up to each segment; headings in radians, unwrapped.
    heading_sums: Vec<f64>,
}

impl Curve {
    /// A curve through `line` with about `step` between points.
    pub fn new(line: &[Vec2], step: f32) -> Self {
        let count = ((length(line) / step).round() as usize).max(2) + 1;
        let points = resampled(line, count);
        let mut heading_sums = vec![0.0];
        let mut last = None;
        let mut sum = 0.0;
        for pair in points.windows(2) {
            let along = pair[1] - pair[0];
            let mut heading = along.y.atan2(along.x);
            if let Some(last) = last {
                let turn: f32 = heading - last;
                heading = last + turn.sin().atan2(turn.cos());
            }
            last = Some(heading);
            sum += f64::from(heading);
            heading_sums.push(sum);
        }
        let step = length(&points) / (count - 1) as f32;
        Self { points, step: step.max(1e-3), heading_sums }
    }

    fn mean_heading(&self, from: usize, to: usize) -> f32 {
        ((self.heading_sums[to] - self.heading_sums[from]) / (to - from) as f64) as f32
    }

    fn arms(&self, index: usize, reach: f32) -> Option<(f32, f32)> {
        let arm = ((reach / self.step).round() as usize).max(1);
        let last = self.points.len() - 1;
        if index == 0 || index == last {
            return None;
        }
        let before = self.mean_heading(index.saturating_sub(arm), index);
        let after = self.mean_heading(index, (index + arm).min(last));
        Some((before, after))
    }

    /// Turn at a point, radians: difference of the mean headings over `reach` before and after it.
    /// Positive turns left on the screen: convex on a [`Half`](super::silhouette::Half).
    pub fn bend(&self, index: usize, reach: f32) -> f32 {
        self.arms(index, reach).map_or(0.0, |(before, after)| before - after)
    }

    /// Mean of the bend over three reaches: `0.5`, `1` and `1.6` of the given one.
    pub fn steady_bend(&self, index: usize, reach: f32) -> f32 {
        [0.5, 1.0, 1.6].iter().map(|share| self.bend(index, share * reach)).sum::<f32>() / 3.0
    }

    /// Unit vector between the two arms that leave a point: out of a notch, into a corner.
    pub fn opening(&self, index: usize, reach: f32) -> Vec2 {
        self.arms(index, reach).map_or(Vec2::ZERO, |(before, after)| {
            (Vec2::from_angle(after) - Vec2::from_angle(before)).normalize_or_zero()
        })
    }

    /// The corner that lies farthest in a direction: among the points within `slack` of the
    /// farthest, the one with the sharpest convex bend, less its way back.
    pub fn corner(
        &self,
        range: std::ops::Range<usize>,
        direction: Vec2,
        slack: f32,
        reach: f32,
    ) -> Option<usize> {
        let direction = direction.normalize_or_zero();
        let along = |index: usize| self.points[index].dot(direction);
        let farthest = range.clone().map(along).max_by(f32::total_cmp)?;
        let merit = |index: usize| {
            self.steady_bend(index, reach) - (farthest - along(index)) / slack.max(1e-3)
        };
        range
            .filter(|&index| farthest - along(index) <= slack)
            .max_by(|&a, &b| merit(a).total_cmp(&merit(b)))
    }

    /// Index of the point nearest to a position.
    pub fn nearest(&self, position: Vec2) -> usize {
        let apart = |index: &usize| self.points[*index].distance_squared(position);
        (0..self.points.len()).min_by(|a, b| apart(a).total_cmp(&apart(b))).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trace_of_a_square_runs_once_round_it_clockwise() {
        let mut mask = vec![0; 64];
        for y in 2..5 {
            for x in 3..6 {
                mask[y * 8 + x] = 1;
            }
        }
        let curve = trace(&mask, 8, 8, 0);
        assert_eq!(curve.len(), 12);
        assert_eq!(curve[0], Vec2::new(3.0, 2.0));
        assert_eq!(curve[3], Vec2::new(6.0, 2.0));
        assert_eq!(curve[6], Vec2::new(6.0, 5.0));
    }

    #[test]
    fn pixels_that_touch_at_a_corner_are_one_outline() {
        let mask = [1, 0, 0, 1];
        assert_eq!(trace(&mask, 2, 2, 0).len(), 8);
    }

    #[test]
    fn a_right_angle_bends_by_ninety_degrees_at_its_corner() {
        let line = [Vec2::new(0.0, 0.0), Vec2::new(50.0, 0.0), Vec2::new(50.0, -50.0)];
        let curve = Curve::new(&line, 1.0);
        let sharpest = (0..curve.points.len())
            .max_by(|&a, &b| curve.bend(a, 10.0).total_cmp(&curve.bend(b, 10.0)))
            .unwrap();
        assert_eq!(sharpest, 50);
        assert!((curve.bend(50, 10.0) - std::f32::consts::FRAC_PI_2).abs() < 1e-3);
        assert!(curve.opening(50, 10.0).distance(Vec2::new(-0.5, -0.5).normalize()) < 1e-3);
    }
}
