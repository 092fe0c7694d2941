//! The last blend, at the picture's own resolution, row by row.
//!
//! A program is a list of [`Step`]s. Everything a step reads, apart from cloth and the picture, lies on the
//! working grid and is expanded bilinearly. Cells no step touches keep the picture's very bytes.

use super::cloth::{Cloth, Layer};
use super::grid::Grid;
use super::shading::Tone;
use crate::filter::{Guided, smoothstep};
use crate::picture::{Picture, Pixels};
use crate::plane::Plane;
use kernels::mesh::{Band, EMPTY, Texel, rasterise};
use rayon::prelude::*;
use std::sync::Arc;

/// One thing that is drawn.
#[derive(Debug)]
pub enum Step<'a> {
    /// Mixes in a smooth colour.
    Fill {
        /// How much of it, 0..1.
        alpha: Plane,
        /// sRGB colour, 0..1.
        colour: [Plane; 3],
    },
    /// Darkens.
    Shadow {
        /// Share of the light that is taken away, 0..1.
        strength: Plane,
    },
    /// Draws cloth.
    Cloth(Box<ClothStep<'a>>),
}

/// Cloth and what decides how it looks.
#[derive(Debug)]
pub struct ClothStep<'a> {
    /// The picture to draw from.
    pub cloth: &'a Cloth,
    /// Where.
    pub layer: Layer,
    /// What lies in front of it (1 hides the cloth), sharpened on the picture's luma.
    pub front: Option<Guided>,
    /// Old clothes that the cloth is continued over, 0..1.
    pub spill: Option<Arc<Plane>>,
    /// Factor on the colour: folds and light of the scene.
    pub shade: &'a Plane,
    /// How much the sides turn away from the light.
    pub roundness: f32,
    /// Light from image right (positive) or left.
    pub light: f32,
    /// v over which the layer fades in.
    pub fade_in: [f32; 2],
    /// v of the garment's lower edge: spilling stops there.
    pub spill_until: f32,
    /// Colour matching.
    pub tone: &'a Tone,
}

/// What a program needs to know of the scene.
#[derive(Debug)]
pub struct Canvas<'a> {
    /// The photo as it was taken: guides masks.
    pub photo: &'a Picture,
    /// The working grid.
    pub grid: &'a Grid,
    /// The person's outline, sharpened on the photo.
    pub outline: &'a Guided,
    /// Other people, 0..1: where they surely are, nothing is drawn.
    pub others: Option<&'a Plane>,
}

const BAND: usize = 16;

/// Runs a program on a picture of the photo's size.
pub fn render(canvas: &Canvas, steps: &[Step], picture: &mut Picture) {
    let (width, height) = (picture.width, picture.height);
    let grid = canvas.grid;
    let x0 = grid.origin.x.max(0.0) as usize;
    let y0 = grid.origin.y.max(0.0) as usize;
    let x1 = ((grid.origin.x + grid.width as f32 * grid.scale) as usize).min(width);
    let y1 = ((grid.origin.y + grid.height as f32 * grid.scale) as usize).min(height);
    if x1 <= x0 || y1 <= y0 {
        return;
    }
    let columns = Columns::new(grid, x0, x1 - x0);
    let rows = y0 * width * 3..y1 * width * 3;
    match &mut picture.pixels {
        Pixels::Eight(rgb) => draw(canvas, steps, &columns, &mut rgb[rows], y0, width),
        Pixels::Sixteen(rgb) => draw(canvas, steps, &columns, &mut rgb[rows], y0, width),
    }
}

/// A channel value of a picture.
trait Channel: Copy + Send + Sync {
    /// From 0..1.
    const FULL: f32;
    fn from_unit(value: f32) -> Self;
    fn to_unit(self) -> f32;
}

impl Channel for u8 {
    const FULL: f32 = 255.0;
    fn from_unit(value: f32) -> Self {
        (value.clamp(0.0, 1.0) * Self::FULL + 0.5) as u8
    }
    fn to_unit(self) -> f32 {
        self as f32 / Self::FULL
    }
}

impl Channel for u16 {
    const FULL: f32 = 65535.0;
    fn from_unit(value: f32) -> Self {
        (value.clamp(0.0, 1.0) * Self::FULL + 0.5) as u16
    }
    fn to_unit(self) -> f32 {
        self as f32 / Self::FULL
    }
}

fn draw<T: Channel>(
    canvas: &Canvas,
    steps: &[Step],
    columns: &Columns,
    pixels: &mut [T],
    first_row: usize,
    width: usize,
) {
    pixels.par_chunks_mut(width * 3 * BAND).enumerate().for_each_init(
        || Scratch::new(columns),
        |scratch, (index, chunk)| {
            let top = first_row + index * BAND;
            draw_band(canvas, steps, columns, chunk, top, width, scratch);
        },
    );
}

fn draw_band<T: Channel>(
    canvas: &Canvas,
    steps: &[Step],
    columns: &Columns,
    chunk: &mut [T],
    top: usize,
    width: usize,
    scratch: &mut Scratch,
) {
    let rows = chunk.len() / (width * 3);
    let n = columns.count;
    let Scratch { colour, luma, map, lines, grid_line } = scratch;
    for row in 0..rows {
        let source = &chunk[(row * width + columns.first) * 3..][..n * 3];
        for (out, value) in colour[row * n * 3..].iter_mut().zip(source) {
            *out = value.to_unit();
        }
        luma_row(canvas.photo, columns, top + row, &mut luma[row * n..][..n]);
    }
    let mut touched = false;
    for step in steps {
        match step {
            Step::Fill { alpha, colour: fill } => {
                for row in 0..rows {
                    let at = RowAt::new(canvas.grid, top + row, alpha.height);
                    let Some(span) = columns.expand(alpha, at, grid_line, &mut lines[0]) else {
                        continue;
                    };
                    touched = true;
                    // Cells are coarse: their soft rim is drawn half as wide.
                    for value in &mut lines[0][span.clone()] {
                        *value = (2.0 * *value - 0.5).clamp(0.0, 1.0);
                    }
                    for (c, plane) in fill.iter().enumerate() {
                        columns.expand_span(plane, at, grid_line, &mut lines[1], &span);
                        for x in span.clone() {
                            let pixel = &mut colour[(row * n + x) * 3 + c];
                            *pixel += (lines[1][x] - *pixel) * lines[0][x];
                        }
                    }
                }
            }
            Step::Shadow { strength } => {
                for row in 0..rows {
                    let at = RowAt::new(canvas.grid, top + row, strength.height);
                    let Some(span) = columns.expand(strength, at, grid_line, &mut lines[0]) else {
                        continue;
                    };
                    touched = true;
                    for x in span {
                        let keep = 1.0 - lines[0][x];
                        let pixel = &mut colour[(row * n + x) * 3..][..3];
                        pixel.iter_mut().for_each(|v| *v *= keep);
                    }
                }
            }
            Step::Cloth(cloth) => {
                let (low, high) = cloth.layer.bounds();
                if high.y < top as f32 || low.y > (top + rows) as f32 {
                    continue;
                }
                let map = &mut map[..rows * n];
                map.fill(EMPTY);
                let band = Band { x: columns.first, width: n, y: top, height: rows };
                rasterise(&cloth.layer.vertices, cloth.layer.columns, map, band);
                let from = (low.x.max(columns.first as f32) as usize).saturating_sub(columns.first);
                let to =
                    ((high.x.max(0.0).ceil() as usize).max(columns.first) - columns.first).min(n);
                if from >= to {
                    continue;
                }
                touched = true;
                for row in 0..rows {
                    let line = ClothLine {
                        map: &map[row * n..][..n],
                        luma: &luma[row * n..][..n],
                        at: RowAt::new(canvas.grid, top + row, cloth.shade.height),
                        span: from..to,
                    };
                    let pixels = &mut colour[row * n * 3..][..n * 3];
                    cloth_line(canvas, cloth, columns, &line, lines, grid_line, pixels);
                }
            }
        }
    }
    if !touched {
        return;
    }
    if let Some(others) = canvas.others {
        for row in 0..rows {
            let at = RowAt::new(canvas.grid, top + row, others.height);
            let Some(span) = columns.expand(others, at, grid_line, &mut lines[0]) else { continue };
            let before = &chunk[(row * width + columns.first) * 3..][..n * 3];
            for x in span {
                let theirs = smoothstep(lines[0][x], 0.10, 0.30);
                for i in 3 * x..3 * x + 3 {
                    let pixel = &mut colour[row * n * 3 + i];
                    let own = before[i].to_unit();
                    *pixel = if theirs >= 1.0 { own } else { *pixel + (own - *pixel) * theirs };
                }
            }
        }
    }
    for row in 0..rows {
        let out = &mut chunk[(row * width + columns.first) * 3..][..n * 3];
        for (value, drawn) in out.iter_mut().zip(&colour[row * n * 3..]) {
            *value = T::from_unit(*drawn);
        }
    }
}

struct ClothLine<'a> {
    map: &'a [Texel],
    luma: &'a [f32],
    at: RowAt,
    span: std::ops::Range<usize>,
}

fn cloth_line(
    canvas: &Canvas,
    step: &ClothStep,
    columns: &Columns,
    line: &ClothLine,
    lines: &mut [Vec<f32>; 6],
    grid_line: &mut [f32],
    pixels: &mut [f32],
) {
    let covered = |x: &usize| !line.map[*x][0].is_nan();
    let Some(first) = line.span.clone().find(covered) else { return };
    let last = line.span.clone().rev().find(covered).unwrap_or(first);
    let span = first..last + 1;
    let [shade, slope, offset, spill, outline_slope, outline_offset] = lines;
    columns.expand_span(step.shade, line.at, grid_line, shade, &span);
    if let Some(front) = &step.front {
        columns.expand_span(&front.slope, line.at, grid_line, slope, &span);
        columns.expand_span(&front.offset, line.at, grid_line, offset, &span);
    }
    let spills = step.spill.as_ref().is_some_and(|plane| {
        columns.expand_span(plane, line.at, grid_line, spill, &span);
        spill[span.clone()].iter().any(|&v| v > 0.01)
    });
    if spills {
        columns.expand_span(&canvas.outline.slope, line.at, grid_line, outline_slope, &span);
        columns.expand_span(&canvas.outline.offset, line.at, grid_line, outline_offset, &span);
    }
    for x in span {
        let [sx, sy, u, v] = line.map[x];
        if sx.is_nan() {
            continue;
        }
        let (colour, own) = step.cloth.sample(step.layer.level, sx, sy);
        let mut alpha = if (0.0..=1.0).contains(&u) && v >= 0.0 { own } else { 0.0 };
        if spills && v < step.spill_until {
            let inside = outline_slope[x] * line.luma[x] + outline_offset[x];
            // A little over the outline, or its soft edge would keep the old colour.
            let inside = ((inside - 0.12) / 0.30).clamp(0.0, 1.0);
            alpha = alpha.max(spill[x] * inside);
        }
        if step.fade_in[1] > step.fade_in[0] {
            alpha *= smoothstep(v, step.fade_in[0], step.fade_in[1]);
        }
        if step.front.is_some() {
            let hidden = slope[x] * line.luma[x] + offset[x];
            alpha *= 1.0 - smoothstep(hidden, 0.15, 0.75);
        }
        if alpha <= 0.002 {
            continue;
        }
        let across = (2.0 * u.clamp(0.0, 1.0) - 1.0).clamp(-1.0, 1.0);
        let turn = 1.0 - step.roundness * across.abs().powi(3) + 0.10 * step.light * across;
        let factor = turn * shade[x];
        let pixel = &mut pixels[x * 3..][..3];
        for c in 0..3 {
            let drawn = (step.tone.apply(colour[c] / 255.0, c) * factor).min(1.0);
            pixel[c] += (drawn - pixel[c]) * alpha;
        }
    }
}

fn luma_row(photo: &Picture, columns: &Columns, y: usize, out: &mut [f32]) {
    let start = (y * photo.width + columns.first) * 3;
    let range = start..start + columns.count * 3;
    fn fill<T: Channel>(pixels: &[T], out: &mut [f32]) {
        for (out, rgb) in out.iter_mut().zip(pixels.chunks_exact(3)) {
            *out = kernels::colour::luma([rgb[0], rgb[1], rgb[2]].map(T::to_unit));
        }
    }
    match &photo.pixels {
        Pixels::Eight(rgb) => fill(&rgb[range], out),
        Pixels::Sixteen(rgb) => fill(&rgb[range], out),
    }
}

struct Scratch {
    colour: Vec<f32>,
    luma: Vec<f32>,
    map: Vec<Texel>,
    lines: [Vec<f32>; 6],
    grid_line: Vec<f32>,
}

impl Scratch {
    fn new(columns: &Columns) -> Self {
        let n = columns.count;
        Self {
            colour: vec![0.0; n * 3 * BAND],
            luma: vec![0.0; n * BAND],
            map: vec![EMPTY; n * BAND],
            lines: std::array::from_fn(|_| vec![0.0; n]),
            grid_line: vec![0.0; columns.cells],
        }
    }
}

/// Where a picture row lies between grid rows.
#[derive(Clone, Copy)]
struct RowAt {
    row: usize,
    next: usize,
    fraction: f32,
}

impl RowAt {
    fn new(grid: &Grid, y: usize, rows: usize) -> Self {
        let at =
            ((y as f32 + 0.5 - grid.origin.y) / grid.scale - 0.5).clamp(0.0, (rows - 1) as f32);
        let row = (at as usize).min(rows - 1);
        Self { row, next: (row + 1).min(rows - 1), fraction: at - row as f32 }
    }
}

/// Where every picture column lies between grid columns.
struct Columns {
    first: usize,
    count: usize,
    cells: usize,
    places: Vec<(u32, f32)>,
    scale: f32,
}

impl Columns {
    fn new(grid: &Grid, first: usize, count: usize) -> Self {
        let places = (first..first + count)
            .map(|x| {
                let at = ((x as f32 + 0.5 - grid.origin.x) / grid.scale - 0.5)
                    .clamp(0.0, (grid.width - 1) as f32);
                let cell = (at as usize).min(grid.width.saturating_sub(2));
                (cell as u32, at - cell as f32)
            })
            .collect();
        Self { first, count, cells: grid.width, places, scale: grid.scale }
    }

    fn mix_rows(&self, plane: &Plane, at: RowAt, line: &mut [f32], cells: std::ops::Range<usize>) {
        let (a, b) = (plane.row(at.row), plane.row(at.next));
        for i in cells {
            line[i] = a[i] + (b[i] - a[i]) * at.fraction;
        }
    }

    /// Expands the columns of `span`.
    fn expand_span(
        &self,
        plane: &Plane,
        at: RowAt,
        line: &mut [f32],
        out: &mut [f32],
        span: &std::ops::Range<usize>,
    ) {
        let from = self.places[span.start].0 as usize;
        let to = (self.places[span.end - 1].0 as usize + 2).min(self.cells);
        self.mix_rows(plane, at, line, from..to);
        for x in span.clone() {
            let (cell, f) = self.places[x];
            let cell = cell as usize;
            let next = (cell + 1).min(self.cells - 1);
            out[x] = line[cell] + (line[next] - line[cell]) * f;
        }
    }

    /// Expands the columns where the plane is above 1/512; `None` where it nowhere is.
    fn expand(
        &self,
        plane: &Plane,
        at: RowAt,
        line: &mut [f32],
        out: &mut [f32],
    ) -> Option<std::ops::Range<usize>> {
        let (a, b) = (plane.row(at.row), plane.row(at.next));
        let active = |i: &usize| a[*i] > 1.0 / 512.0 || b[*i] > 1.0 / 512.0;
        let first = (0..self.cells).find(active)?;
        let last = (0..self.cells).rev().find(active)?;
        let column = |cell: f32| (cell * self.scale) as usize;
        let from = column((first as f32 - 1.0).max(0.0)).min(self.count - 1);
        let to = (column(last as f32 + 2.0) + 1).clamp(from + 1, self.count);
        let span = from..to;
        self.expand_span(plane, at, line, out, &span);
        Some(span)
    }
}
