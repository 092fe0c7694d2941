//! Draws the README's contact sheet: people down the side, garments along the top, each person in each
//! garment between them. `cargo run --release --example sheet -- docs/sheet.jpg` (or `make sheet`).

use anyhow::Context;
use kernels::resize::{Window, resize_area};
use std::path::Path;
use vitrine::cli::models::models_directory;
use vitrine::garment::Garment;
use vitrine::output::Existing;
use vitrine::perception::Perception;
use vitrine::picture::Picture;
use vitrine::tryon::{Piece, dress};

const PEOPLE: [&str; 4] = ["mara.jpg", "joel.jpg", "yuna.jpg", "rafael.jpg"];
const GARMENTS: [&str; 6] = [
    "tee-red-print.png",
    "long-sleeve-breton.png",
    "jacket-denim.png",
    "shirt-oxford.png",
    "tank-green.png",
    "dress-floral.png",
];
/// Width and height of one picture of the sheet.
const CELL: (usize, usize) = (240, 320);

fn main() -> anyhow::Result<()> {
    let target = std::env::args().nth(1).context("usage: sheet FILE.jpg")?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let nets = Perception::load(&models_directory(None))?;
    let pieces = GARMENTS
        .iter()
        .map(|name| Ok(Piece::new(Garment::open(&root.join("garments").join(name))?)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut sheet = Sheet::new(GARMENTS.len() + 1, PEOPLE.len() + 1);
    for (column, piece) in pieces.iter().enumerate() {
        sheet.put(column + 1, 0, &on_white(piece));
    }
    for (row, name) in PEOPLE.iter().enumerate() {
        let (photo, _) = Picture::open(&root.join("docs/people").join(name))?;
        let people = nets.perceive(&photo)?;
        sheet.put(0, row + 1, &photo);
        for (column, piece) in pieces.iter().enumerate() {
            let dressed = dress(&photo, &people, std::slice::from_ref(piece))?;
            sheet.put(column + 1, row + 1, &dressed.picture);
        }
    }
    sheet.picture().save(Path::new(&target), Existing::Replace)?;
    Ok(())
}

/// The garment as it was photographed, on white.
fn on_white(piece: &Piece) -> Picture {
    let texture = &piece.garment.levels[0];
    let blend = |[r, g, b, a]: [u8; 4]| {
        [r, g, b].map(|c| ((c as u32 * a as u32 + 255 * (255 - a as u32)) / 255) as u8)
    };
    let rgb = texture.rgba.iter().flat_map(|&pixel| blend(pixel)).collect();
    Picture::from_rgb8(texture.width, texture.height, rgb)
}

struct Sheet {
    columns: usize,
    rows: usize,
    rgb: Vec<u8>,
}

impl Sheet {
    fn new(columns: usize, rows: usize) -> Self {
        Self { columns, rows, rgb: vec![255; columns * CELL.0 * rows * CELL.1 * 3] }
    }

    /// Fits a picture into a cell, in its middle.
    fn put(&mut self, column: usize, row: usize, picture: &Picture) {
        let (room_x, room_y) = (CELL.0 - 6, CELL.1 - 6);
        let scale =
            (picture.width as f32 / room_x as f32).max(picture.height as f32 / room_y as f32);
        let width = ((picture.width as f32 / scale) as usize).clamp(1, room_x);
        let height = ((picture.height as f32 / scale) as usize).clamp(1, room_y);
        let mut values = vec![0.0; width * height * 3];
        let window = Window { x: 0.0, y: 0.0, scale };
        let size = (picture.width, picture.height);
        let mut scratch = vec![0.0; picture.width * 3];
        let rgb = picture.rgb8();
        resize_area::<u8, 3>(&rgb, size, &mut values, width, 0, window, &mut scratch);
        let left = column * CELL.0 + (CELL.0 - width) / 2;
        let top = row * CELL.1 + (CELL.1 - height) / 2;
        for y in 0..height {
            let to = ((top + y) * self.columns * CELL.0 + left) * 3;
            for (out, value) in
                self.rgb[to..to + width * 3].iter_mut().zip(&values[y * width * 3..])
            {
                *out = (value + 0.5) as u8;
            }
        }
    }

    fn picture(self) -> Picture {
        Picture::from_rgb8(self.columns * CELL.0, self.rows * CELL.1, self.rgb)
    }
}
