//! Small signs, drawn with lines.

use super::{Canvas, Icon, Rect, Rgba};

/// Draws a sign into a square; mirrored where it points in reading direction.
pub fn draw(canvas: &mut Canvas, icon: Icon, place: Rect, color: Rgba, mirrored: bool) {
    let side = place.width as f32;
    let width = (side / 12.0).max(1.5);
    let at = |[x, y]: [f32; 2]| {
        let x = if mirrored { 1.0 - x } else { x };
        [place.x as f32 + x * side, place.y as f32 + y * side]
    };
    let mut line = |points: &[[f32; 2]]| {
        let points: Vec<[f32; 2]> = points.iter().copied().map(at).collect();
        canvas.line(&points, width, color);
    };
    match icon {
        Icon::Cross => {
            line(&[[0.2, 0.2], [0.8, 0.8]]);
            line(&[[0.8, 0.2], [0.2, 0.8]]);
        }
        Icon::Check => {
            let [x, y] = [place.x as f32, place.y as f32];
            let points = [[0.14, 0.54], [0.4, 0.8], [0.88, 0.24]];
            canvas.line(&points.map(|[a, b]| [x + a * side, y + b * side]), width * 1.2, color);
        }
        Icon::Back => {
            line(&[[0.5, 0.18], [0.16, 0.5], [0.5, 0.82]]);
            line(&[[0.18, 0.5], [0.88, 0.5]]);
        }
        Icon::Columns => {
            line(&[[0.1, 0.16], [0.43, 0.16], [0.43, 0.84], [0.1, 0.84], [0.1, 0.16]]);
            line(&[[0.57, 0.16], [0.9, 0.16], [0.9, 0.84], [0.57, 0.84], [0.57, 0.16]]);
        }
        Icon::Camera => {
            line(&[
                [0.3, 0.26],
                [0.38, 0.14],
                [0.62, 0.14],
                [0.7, 0.26],
                [0.92, 0.26],
                [0.92, 0.84],
                [0.08, 0.84],
                [0.08, 0.26],
                [0.3, 0.26],
            ]);
            let middle = at([0.5, 0.54]);
            canvas.arc(middle, side * 0.17, width, 1.0, color);
        }
        Icon::Hanger => {
            line(&[[0.42, 0.2], [0.5, 0.13], [0.58, 0.2], [0.56, 0.3], [0.5, 0.36], [0.5, 0.46]]);
            line(&[[0.5, 0.46], [0.06, 0.74], [0.1, 0.82], [0.9, 0.82], [0.94, 0.74], [0.5, 0.46]]);
        }
        Icon::Person => {
            line(&[[0.16, 0.9], [0.18, 0.72], [0.3, 0.6], [0.7, 0.6], [0.82, 0.72], [0.84, 0.9]]);
            let middle = at([0.5, 0.3]);
            canvas.arc(middle, side * 0.18, width, 1.0, color);
        }
        Icon::Warning => {
            line(&[[0.5, 0.1], [0.95, 0.88], [0.05, 0.88], [0.5, 0.1]]);
            line(&[[0.5, 0.4], [0.5, 0.62]]);
            let dot = at([0.5, 0.75]);
            canvas.disc(dot, width * 0.7, color);
        }
    }
}
