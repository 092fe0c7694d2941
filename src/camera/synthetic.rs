//! A drawn figure that walks from side to side before a sensor with noise: a camera for machines without one.

use super::pace::Pace;
use super::{Camera, CameraError, Encoding, Frame, Losses, Mode, Rate, Wanted};
use image::imageops::{self, FilterType};
use image::{ImageFormat, RgbImage};
use std::f64::consts::TAU;
use std::time::Duration;

/// One of the drawn people of `docs/people`, alone before a plain wall.
const FIGURE: &[u8] = include_bytes!("../../docs/people/rafael.jpg");
/// Frames from one side to the other and back.
const WALK: u64 = 240;
/// Share of the room beside the figure that it walks through.
const REACH: f64 = 0.6;
/// Values of noise; a row begins anywhere among the first half.
const NOISE: usize = 1 << 16;

/// The figure as a camera.
#[derive(Debug)]
pub struct Synthetic {
    mode: Mode,
    pace: Pace,
    /// The figure, as high as a frame.
    figure: RgbImage,
    /// Differences that a sensor makes, of about 2 of 255 on average.
    noise: Vec<i8>,
    seed: u64,
    sequence: u64,
    losses: Losses,
}

impl Synthetic {
    /// A figure in frames of the wanted size, at the wanted rate. Equal seeds give equal frames.
    ///
    /// # Panics
    /// If the picture in the program is broken.
    pub fn new(seed: u64, wanted: &Wanted) -> Self {
        let (width, height) = (wanted.width.clamp(16, 4096), wanted.height.clamp(16, 4096));
        let rate = wanted.rate.clamp(1.0, Rate::MOST);
        let figure = image::load_from_memory_with_format(FIGURE, ImageFormat::Jpeg);
        let figure = figure.expect("the figure is a JPEG").into_rgb8();
        let scale = height as f64 / f64::from(figure.height());
        let across = (f64::from(figure.width()) * scale).round().max(1.0) as u32;
        let figure = imageops::resize(&figure, across, height as u32, FilterType::Triangle);
        let mode = Mode { name: "synthetic".into(), width, height, encoding: Encoding::Rgb, rate };
        let mut random = Random(seed);
        let noise = (0..NOISE + width * 3).map(|_| random.noise()).collect();
        let (pace, losses) = (Pace::new(rate), Losses::default());
        Self { mode, pace, figure, noise, seed, sequence: 0, losses }
    }

    /// Draws the frame of a number, always the same.
    pub fn draw(&self, number: u64, frame: &mut Frame) {
        let (width, height) = (self.mode.width, self.mode.height);
        let row_bytes = width * 3;
        frame.data.resize(row_bytes * height, 0);
        let left = self.left(number);
        let mut random = Random(self.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let across = self.figure.width() as usize * 3;
        let rows = self.figure.as_raw().chunks_exact(across);
        for (to, from) in frame.data.chunks_exact_mut(row_bytes).zip(rows) {
            place(from, left, to);
            let start = random.next() as usize % NOISE;
            for (value, &noise) in to.iter_mut().zip(&self.noise[start..]) {
                *value = value.saturating_add_signed(noise);
            }
        }
        (frame.width, frame.height) = (width, height);
        (frame.stride, frame.encoding) = (row_bytes, Encoding::Rgb);
    }

    /// Where the figure's left edge is, pixels; the frame may be narrower than the figure.
    fn left(&self, number: u64) -> i64 {
        let room = self.mode.width as f64 - f64::from(self.figure.width());
        let phase = (number % WALK) as f64 / WALK as f64;
        (room / 2.0 + room.abs() / 2.0 * REACH * (phase * TAU).sin()).round() as i64
    }
}

/// Puts a row of the figure into a row of the frame; the wall beside it goes on in the colours of its edges.
fn place(from: &[u8], left: i64, to: &mut [u8]) {
    let (from, _) = from.as_chunks::<3>();
    let (to, _) = to.as_chunks_mut::<3>();
    let (count, width) = (from.len() as i64, to.len() as i64);
    let begin = left.clamp(0, width);
    let end = (left + count).clamp(begin, width);
    to[..begin as usize].fill(from[0]);
    let skipped = (begin - left) as usize;
    to[begin as usize..end as usize].copy_from_slice(&from[skipped..][..(end - begin) as usize]);
    to[end as usize..].fill(from[from.len() - 1]);
}

impl Camera for Synthetic {
    fn mode(&self) -> &Mode {
        &self.mode
    }

    fn next(&mut self, frame: &mut Frame, timeout: Duration) -> Result<bool, CameraError> {
        let Some((due, missed)) = self.pace.wait(timeout) else { return Ok(false) };
        self.losses.gaps += missed;
        self.sequence += missed + 1;
        self.draw(self.sequence, frame);
        (frame.captured, frame.sequence) = (due, self.sequence);
        Ok(true)
    }

    fn losses(&self) -> Losses {
        self.losses
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Nearly normal, standard deviation 2: the difference of counted bits from half of 16 bits.
    fn noise(&mut self) -> i8 {
        (self.next() & 0xffff).count_ones() as i8 - 8
    }
}
