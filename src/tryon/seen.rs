//! A person as the fit sees them: everything that does not depend on the garment.

use super::body::Body;
use super::cloth::Cloth;
use super::grid::Grid;
use super::memory::Memory;
use super::parts::Parts;
use super::patch::Patch;
use super::render::{Canvas, render};
use super::shading::{self, Tone};
use super::silhouette::{Colours, silhouette};
use super::uncover::{Scene, shifted};
use super::{GarmentFit, Piece};
use crate::filter::{GuideStatistics, Guided, combine, distance_to, gaussian};
use crate::perception::Person;
use crate::picture::{Picture, Pixels};
use crate::plane::Plane;
use kernels::mesh::{Band, EMPTY, rasterise};
use kernels::resize::{Sample, Window, resize_area};
use rayon::prelude::*;

/// Maps, frame and light of one person.
pub struct SeenPerson {
    /// Where the maps lie.
    pub grid: Grid,
    /// The photo on the grid.
    pub colours: Colours,
    /// The person's outline.
    pub mask: Plane,
    /// Body frame.
    pub body: Body,
    /// Skin, hair, old clothes.
    pub parts: Parts,
    /// Folds of the old clothes.
    pub folds: Plane,
    /// Colour match.
    pub tone: Tone,
    /// Slow changes of L\* over the photo.
    slow_light: Plane,
    inside: Plane,
    outside: Plane,
    /// No shade at all.
    pub even: Plane,
    outline: Guided,
    others: Option<Plane>,
    guide: GuideStatistics,
}

impl SeenPerson {
    /// Reads the maps.
    pub fn look(
        photo: &Picture,
        person: &Person,
        others: &[Person],
        grid: Grid,
        memory: &mut Memory,
    ) -> Self {
        let colours = colours_on(photo, &grid);
        let shoulder_width = person.shoulder_width() / grid.scale;
        let (mut mask, (tone, slow_light)) = rayon::join(
            || silhouette(person, others, &grid, &colours, shoulder_width),
            || (Tone::of_scene(&colours), gaussian(&colours.lab[0], 0.06 * shoulder_width)),
        );
        memory.steady_outline(person, &grid, &mut mask);
        let tone = memory.steady_light(tone);
        let mut body = Body::read(person, &grid, &mask);
        let (mut parts, (inside, outside)) = rayon::join(
            || Parts::read(&colours, &mask, &mut body),
            || (distance_to(&mask, |v| v < 0.5), distance_to(&mask, |v| v > 0.3)),
        );
        memory.steady_parts(person, &grid, &mut parts);
        let sw = body.shoulder_width;
        let guide = GuideStatistics::new(&colours.luma, ((0.012 * sw) as usize).max(2));
        let (mut folds, outline) = rayon::join(
            || shading::folds(&colours, &parts, &mask, sw),
            || Guided::fit(&guide, &mask, 1e-4),
        );
        memory.steady_folds(person, &grid, &mut folds);
        memory.keep(person, &grid, (&mask, &parts, &folds, tone));
        let even = Plane::filled(grid.width, grid.height, 1.0);
        let others = others_on(&grid, others, &mask);
        Self {
            grid,
            colours,
            mask,
            body,
            parts,
            folds,
            tone,
            slow_light,
            inside,
            outside,
            even,
            outline,
            others,
            guide,
        }
    }

    /// Fits a piece and draws it onto `picture`, which started as a copy of `photo`.
    pub fn put_on(&self, photo: &Picture, piece: &Piece, picture: &mut Picture) -> GarmentFit {
        let drawing = {
            let _span = tracing::info_span!("fit").entered();
            self.drawing(piece)
        };
        let _span = tracing::info_span!("draw").entered();
        let canvas = Canvas {
            photo,
            grid: &self.grid,
            outline: &self.outline,
            others: self.others.as_ref(),
        };
        render(&canvas, &drawing.steps, picture);
        let folded = drawing.patches.iter().map(Patch::folded).fold(0.0, f32::max);
        let patches = drawing.patches.into_iter().map(|patch| patch.placed(&self.grid)).collect();
        GarmentFit { name: piece.garment.name.clone(), cover: drawing.cover, patches, folded }
    }

    /// What the stages that fill gaps read.
    pub fn scene(&self) -> Scene<'_> {
        Scene {
            colours: &self.colours,
            mask: &self.mask,
            body: &self.body,
            parts: &self.parts,
            slow_light: &self.slow_light,
            inside: &self.inside,
            outside: &self.outside,
        }
    }

    /// A mask that follows the photo's edges at full resolution.
    pub fn sharpened(&self, plane: &Plane) -> Guided {
        Guided::fit(&self.guide, &gaussian(plane, 0.7), 1e-3)
    }

    /// Coverage of patches on the grid: with `cloth` by its alpha, without by the patch's own area.
    pub fn cover(&self, patches: &[&Patch], cloth: Option<&Cloth>) -> Plane {
        let (width, height) = (self.grid.width, self.grid.height);
        let mut cover = Plane::filled(width, height, 0.0);
        let band = Band { x: 0, width, y: 0, height };
        let mut map = vec![EMPTY; width * height];
        for patch in patches {
            map.fill(EMPTY);
            rasterise(&patch.vertices(|p| p), patch.columns, &mut map, band);
            let level = cloth.map_or(0, |cloth| cloth.level_for(patch.scale()));
            for (cell, texel) in cover.data.iter_mut().zip(&map) {
                let [x, y, u, v] = *texel;
                if x.is_nan() {
                    continue;
                }
                let alpha = match cloth {
                    Some(cloth) if (0.0..=1.0).contains(&u) && v >= 0.0 => {
                        cloth.sample(level, x, y).1
                    }
                    Some(_) => 0.0,
                    None => 1.0,
                };
                *cell = cell.max(alpha);
            }
        }
        cover
    }

    /// Shadow of the cloth's edge on the person below it.
    pub fn contact_shadow(&self, cover: &Plane) -> Plane {
        let sw = self.body.shoulder_width;
        let cast = gaussian(&shifted(cover, self.body.down * 0.012 * sw), 0.025 * sw);
        Plane {
            width: cover.width,
            height: cover.height,
            data: (0..cover.data.len())
                .map(|i| 0.34 * cast.data[i] * self.mask.data[i] * (1.0 - cover.data[i]))
                .collect(),
        }
    }

    /// Shadow of something in front on the cloth.
    pub fn cast_by(&self, front: &Plane, cover: &Plane, strength: f32) -> Plane {
        let sw = self.body.shoulder_width;
        let cast = gaussian(&shifted(front, self.body.down * 0.02 * sw), 0.03 * sw);
        let free = combine(&cast, front, |c, f| strength * c * (1.0 - f));
        combine(&free, cover, |s, c| s * c)
    }
}

/// Where other people are and this person is not.
fn others_on(grid: &Grid, others: &[Person], mask: &Plane) -> Option<Plane> {
    others
        .iter()
        .map(|other| {
            let (width, height) = (grid.width, grid.height);
            let theirs = other.pose_mask.composed(grid.origin, grid.scale, width, height, 0.0);
            combine(&theirs, mask, |theirs, mine| theirs * (1.0 - 0.6 * mine))
        })
        .reduce(|a, b| combine(&a, &b, f32::max))
}

fn colours_on(photo: &Picture, grid: &Grid) -> Colours {
    match &photo.pixels {
        Pixels::Eight(rgb) => colours_of(rgb, 255.0, photo, grid),
        Pixels::Sixteen(rgb) => colours_of(rgb, 65535.0, photo, grid),
    }
}

fn colours_of<T: Sample + Sync>(rgb: &[T], full: f32, photo: &Picture, grid: &Grid) -> Colours {
    let (width, height) = (grid.width, grid.height);
    let window = Window { x: grid.origin.x, y: grid.origin.y, scale: grid.scale };
    let mut interleaved = vec![0.0f32; width * height * 3];
    const ROWS: usize = 8;
    interleaved.par_chunks_mut(width * 3 * ROWS).enumerate().for_each_init(
        || vec![0.0; photo.width * 3],
        |scratch, (index, chunk)| {
            let size = (photo.width, photo.height);
            resize_area::<T, 3>(rgb, size, chunk, width, index * ROWS, window, scratch);
        },
    );
    let table: Vec<f32> =
        (0..=1023).map(|i| kernels::colour::linear_from_srgb(i as f32 / 1023.0)).collect();
    let lab: Vec<[f32; 3]> = interleaved
        .par_chunks(3)
        .with_min_len(4096)
        .map(|pixel| {
            let linear: [f32; 3] = std::array::from_fn(|c| {
                table[(pixel[c] / full * 1023.0 + 0.5).clamp(0.0, 1023.0) as usize]
            });
            kernels::colour::lab_from_linear(linear)
        })
        .collect();
    let plane = |value: &dyn Fn(usize) -> f32| Plane {
        width,
        height,
        data: (0..width * height).map(value).collect(),
    };
    let rgb = [0, 1, 2].map(|c| plane(&|i| interleaved[3 * i + c] / full));
    let luma = plane(&|i| kernels::colour::luma([rgb[0].data[i], rgb[1].data[i], rgb[2].data[i]]));
    let lab = [0, 1, 2].map(|c| plane(&|i| lab[i][c]));
    Colours { rgb, lab, luma }
}
