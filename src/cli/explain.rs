//! `vitrine tryon --explain`: what every stage saw and decided, as pictures and one contact sheet.

use crate::garment::Reading;
use crate::garment::overlay::{self, Drawing};
use crate::output::Existing;
use crate::perception::Person;
use crate::picture::Picture;
use crate::plane::Plane;
use crate::tryon::{Analysis, Dressed, GarmentFit, Patch, Piece};
use anyhow::Context;
use glam::Vec2;
use kernels::mesh::{Band, EMPTY, rasterise};
use kernels::resize::{Window, resize_area};
use std::path::Path;

/// Longer side of the explaining pictures, pixels.
const LONG_SIDE: usize = 1000;
/// Pairs of landmarks that are joined by a line.
const BONES: [[usize; 2]; 20] = [
    [11, 12],
    [11, 13],
    [13, 15],
    [12, 14],
    [14, 16],
    [11, 23],
    [12, 24],
    [23, 24],
    [23, 25],
    [25, 27],
    [24, 26],
    [26, 28],
    [27, 31],
    [28, 32],
    [15, 19],
    [16, 20],
    [15, 17],
    [16, 18],
    [9, 10],
    [2, 5],
];

/// What is explained.
pub struct Explained<'a> {
    /// The photo.
    pub photo: &'a Picture,
    /// The person who was dressed.
    pub person: &'a Person,
    /// What was read of the garments, in drawing order.
    pub readings: &'a [Reading],
    /// The pieces, in the same order.
    pub pieces: &'a [Piece],
    /// What came of it.
    pub dressed: &'a Dressed,
}

/// Writes the pictures into a folder, which is made if it is not there.
///
/// # Errors
/// If the folder or a file cannot be written, or files exist and are to be kept.
pub fn write(folder: &Path, existing: Existing, explained: &Explained) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    let analysis = &explained.dressed.analysis;
    let mut pictures: Vec<(String, Picture)> = vec![
        ("landmarks".into(), landmarks(explained.photo, explained.person)),
        ("mask".into(), grey(&analysis.mask, 1.0)),
        ("parts".into(), parts(analysis)),
        ("folds".into(), grey(&analysis.folds, 0.5)),
    ];
    for (index, fit) in analysis.garments.iter().enumerate() {
        let number = index + 1;
        let points = overlay::draw(&explained.readings[index]);
        pictures.push((format!("garment-{number}-points"), picture_of(points)));
        pictures.push((format!("garment-{number}-mesh"), mesh(explained.photo, fit)));
        let warped = warped(explained.photo, &explained.pieces[index], fit);
        pictures.push((format!("garment-{number}-warped"), warped));
        pictures.push((format!("garment-{number}-cover"), grey(&fit.cover, 1.0)));
    }
    pictures.push(("final".into(), shrunk(&explained.dressed.picture).0));
    for (name, picture) in &pictures {
        picture.save(&folder.join(format!("{name}.png")), existing)?;
    }
    sheet(&pictures).save(&folder.join("sheet.png"), existing)?;
    Ok(())
}

fn picture_of(drawing: Drawing) -> Picture {
    Picture::from_rgb8(drawing.width, drawing.height, drawing.rgb)
}

/// The picture at no more than [`LONG_SIDE`], and by how much it was shrunk.
fn shrunk(picture: &Picture) -> (Picture, f32) {
    let scale = (picture.width.max(picture.height) as f32 / LONG_SIDE as f32).max(1.0);
    let width = ((picture.width as f32 / scale) as usize).max(1);
    let height = ((picture.height as f32 / scale) as usize).max(1);
    (resized(picture, width, height, scale), scale)
}

fn resized(picture: &Picture, width: usize, height: usize, scale: f32) -> Picture {
    let mut values = vec![0.0; width * height * 3];
    let window = Window { x: 0.0, y: 0.0, scale };
    let size = (picture.width, picture.height);
    let mut scratch = vec![0.0; picture.width * 3];
    let rgb = picture.rgb8();
    resize_area::<u8, 3>(&rgb, size, &mut values, width, 0, window, &mut scratch);
    Picture::from_rgb8(width, height, values.into_iter().map(|v| (v + 0.5) as u8).collect())
}

fn landmarks(photo: &Picture, person: &Person) -> Picture {
    let (small, scale) = shrunk(photo);
    let mut drawing = Drawing::over(small.width, small.height, small.rgb8().into_owned());
    let at = |index: usize| person.landmarks[index].position / scale;
    for [a, b] in BONES {
        drawing.line(&[at(a), at(b)], [0, 200, 90]);
    }
    for (index, landmark) in person.landmarks.iter().enumerate() {
        let seen = landmark.visibility;
        let colour = [255.0 * (1.0 - seen), 60.0, 255.0 * seen].map(|v| v as u8);
        drawing.disc(at(index), 4.0, colour);
    }
    picture_of(drawing)
}

fn grey(plane: &Plane, gain: f32) -> Picture {
    let values = plane.data.iter().flat_map(|v| [(v * gain * 255.0).clamp(0.0, 255.0) as u8; 3]);
    Picture::from_rgb8(plane.width, plane.height, values.collect())
}

/// Skin red, hair green, old clothes blue.
fn parts(analysis: &Analysis) -> Picture {
    let planes = [&analysis.skin, &analysis.hair, &analysis.old_cloth];
    let Plane { width, height, .. } = analysis.mask;
    let values = (0..width * height)
        .flat_map(|i| planes.map(|p| (p.data[i] * analysis.mask.data[i] * 255.0) as u8));
    Picture::from_rgb8(width, height, values.collect())
}

fn mesh(photo: &Picture, fit: &GarmentFit) -> Picture {
    let (small, scale) = shrunk(photo);
    let mut drawing = Drawing::over(small.width, small.height, small.rgb8().into_owned());
    const COLOURS: [[u8; 3]; 3] = [[255, 220, 0], [0, 220, 255], [255, 0, 200]];
    for (patch, colour) in fit.patches.iter().zip(COLOURS.into_iter().cycle()) {
        let at = |i: usize| patch.target[i] / scale;
        for i in 0..patch.target.len() {
            if (i + 1) % patch.columns != 0 {
                drawing.line(&[at(i), at(i + 1)], colour);
            }
            if i + patch.columns < patch.target.len() {
                drawing.line(&[at(i), at(i + patch.columns)], colour);
            }
        }
    }
    picture_of(drawing)
}

/// The garment alone as it lies on the body, on grey.
fn warped(photo: &Picture, piece: &Piece, fit: &GarmentFit) -> Picture {
    let scale = (photo.width.max(photo.height) as f32 / LONG_SIDE as f32).max(1.0);
    let width = ((photo.width as f32 / scale) as usize).max(1);
    let height = ((photo.height as f32 / scale) as usize).max(1);
    let mut rgb = vec![96u8; width * height * 3];
    let mut map = vec![EMPTY; width * height];
    let place = |patch: &Patch| patch.vertices(|p: Vec2| p / scale);
    for patch in &fit.patches {
        map.fill(EMPTY);
        rasterise(&place(patch), patch.columns, &mut map, Band { x: 0, width, y: 0, height });
        for (pixel, texel) in rgb.chunks_exact_mut(3).zip(&map) {
            if texel[0].is_nan() {
                continue;
            }
            let (colour, alpha) = piece.sample(Vec2::new(texel[0], texel[1]));
            for (value, colour) in pixel.iter_mut().zip(colour) {
                *value = (*value as f32 * (1.0 - alpha) + colour * alpha) as u8;
            }
        }
    }
    Picture::from_rgb8(width, height, rgb)
}

/// All pictures in rows of four, each with its name.
fn sheet(pictures: &[(String, Picture)]) -> Picture {
    const CELL: usize = 360;
    const TITLE: usize = 20;
    const COLUMNS: usize = 4;
    let rows = pictures.len().div_ceil(COLUMNS);
    let (width, height) = (CELL * COLUMNS, (CELL + TITLE) * rows);
    let mut drawing = Drawing::over(width, height, vec![255; width * height * 3]);
    for (index, (name, picture)) in pictures.iter().enumerate() {
        let (left, top) = (index % COLUMNS * CELL, index / COLUMNS * (CELL + TITLE));
        let inner = CELL - 10;
        let scale = picture.width.max(picture.height) as f32 / inner as f32;
        let w = ((picture.width as f32 / scale) as usize).clamp(1, inner);
        let h = ((picture.height as f32 / scale) as usize).clamp(1, inner);
        let small = resized(picture, w, h, scale);
        let pixels = small.rgb8();
        for y in 0..h {
            let to = ((top + TITLE + y) * width + left + (CELL - w) / 2) * 3;
            drawing.rgb[to..to + w * 3].copy_from_slice(&pixels[y * w * 3..][..w * 3]);
        }
        drawing.text(name, Vec2::new(left as f32 + 6.0, top as f32 + 4.0));
    }
    picture_of(drawing)
}
