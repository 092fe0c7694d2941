//! Live video: the garment stands still on who stands still, follows who moves, and leaves with who leaves.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use vitrine::cli::models::models_directory;
use vitrine::garment::Garment;
use vitrine::perception::Perception;
use vitrine::picture::{Picture, Pixels};
use vitrine::tryon::{GarmentFit, Live, Piece};

const FRAME: Duration = Duration::from_millis(40);
/// Standard deviation of a webcam's noise indoors, of 255.
const NOISE: f32 = 4.0;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn nets() -> Option<Perception> {
    Perception::load(&models_directory(None))
        .inspect_err(|error| eprintln!("skipped: {error}"))
        .ok()
}

fn piece(name: &str) -> Arc<Piece> {
    let path = root().join("garments").join(name);
    Arc::new(Piece::new(Garment::open(&path).expect("in the catalogue")))
}

/// The drawn person in a frame of 1280 × 720, `shift` pixels to the right of the middle.
fn scene(shift: f32) -> Picture {
    use kernels::resize::{Window, resize_area};
    let (portrait, _) = Picture::open(&root().join("docs/people/rafael.jpg")).expect("it is there");
    let (width, height) = (1280, 720);
    let scale = portrait.height as f32 / height as f32;
    let left = 0.5 * (portrait.width as f32 - width as f32 * scale) - shift * scale;
    let mut values = vec![0.0; width * height * 3];
    let (rgb, mut scratch) = (portrait.rgb8(), vec![0.0; portrait.width * 3]);
    let window = Window { x: left, y: 0.0, scale };
    resize_area::<u8, 3>(
        &rgb,
        (portrait.width, portrait.height),
        &mut values,
        width,
        0,
        window,
        &mut scratch,
    );
    Picture::from_rgb8(width, height, values.into_iter().map(|v| (v + 0.5) as u8).collect())
}

/// The same picture with another sensor noise for each `seed`.
fn noisy(picture: &Picture, seed: u64) -> Picture {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u32 as f32 / u32::MAX as f32
    };
    let Pixels::Eight(rgb) = &picture.pixels else { unreachable!("eight bits") };
    // Four uniform numbers have a variance of 1/3.
    let mut noise = || (next() + next() + next() + next() - 2.0) * (3.0f32).sqrt() * NOISE;
    let rgb = rgb.iter().map(|&v| (f32::from(v) + noise()).round().clamp(0.0, 255.0) as u8);
    Picture::from_rgb8(picture.width, picture.height, rgb.collect())
}

/// Mean distance of a fit's points from where they were, pixels.
fn motion(before: &GarmentFit, after: &GarmentFit) -> f32 {
    let points = |fit: &GarmentFit| {
        fit.patches.iter().flat_map(|patch| patch.target.clone()).collect::<Vec<_>>()
    };
    let (before, after) = (points(before), points(after));
    assert_eq!(before.len(), after.len(), "the fit has other patches");
    before.iter().zip(&after).map(|(a, b)| a.distance(*b)).sum::<f32>() / before.len() as f32
}

#[test]
fn the_garment_stands_still_on_who_stands_still() {
    let Some(nets) = nets() else { return };
    let scene = scene(0.0);
    for name in ["tee-red-print.png", "long-sleeve-breton.png", "trousers-jeans.png"] {
        let pieces = [piece(name)];
        let (mut live, start) = (Live::new(), Instant::now());
        let (mut last, mut motions) = (None::<GarmentFit>, Vec::new());
        for frame in 0..36u32 {
            let now = start + frame * FRAME;
            let mut picture = noisy(&scene, u64::from(frame) + 1);
            live.look(&nets, &picture, now).expect("the nets run");
            let mut frame = live.dress(&mut picture, &pieces, now);
            let fit = frame.fits.pop().unwrap_or_else(|| panic!("{name}: {:?}", frame.refused));
            if let Some(last) = &last {
                motions.push(motion(last, &fit));
            }
            last = Some(fit);
        }
        // The filters settle in the first third of a second.
        let settled = &motions[8..];
        let mean = settled.iter().sum::<f32>() / settled.len() as f32;
        let most = settled.iter().copied().fold(0.0, f32::max);
        println!("{name}: warp moves {mean:.3} px a frame on average, {most:.3} at most");
        assert!(mean <= 0.5, "{name}: {mean} px a frame");
        assert!(most <= 2.0, "{name}: jumps by {most} px");
    }
}

#[test]
fn the_garment_follows_who_moves() {
    let Some(nets) = nets() else { return };
    let pieces = [piece("tee-red-print.png")];
    let (mut live, start) = (Live::new(), Instant::now());
    let mut middles = Vec::new();
    for frame in 0..20u32 {
        let now = start + frame * FRAME;
        // 6 pixels a frame are 150 a second, a slow walk.
        let mut picture = noisy(&scene(6.0 * frame as f32), u64::from(frame) + 1);
        live.look(&nets, &picture, now).expect("the nets run");
        let frame = live.dress(&mut picture, &pieces, now);
        let target = &frame.fits[0].patches[0].target;
        middles.push(target.iter().map(|p| p.x).sum::<f32>() / target.len() as f32);
    }
    let moved = middles[19] - middles[4];
    println!("moved {moved} px while the person moved 90");
    assert!((moved - 90.0).abs() < 12.0, "{moved}");
}

#[test]
fn the_garment_follows_between_looks() {
    let Some(nets) = nets() else { return };
    let pieces = [piece("tee-red-print.png")];
    let (mut live, start) = (Live::new(), Instant::now());
    let mut middles = Vec::new();
    for frame in 0..28u32 {
        let now = start + frame * FRAME;
        // As on a slow machine: a look at every 4th frame, a person who has moved by 36 pixels when the next comes.
        let mut picture = noisy(&scene(9.0 * frame as f32 - 120.0), u64::from(frame) + 1);
        if frame.is_multiple_of(4) {
            live.look(&nets, &picture, now).expect("the nets run");
        }
        let frame = live.dress(&mut picture, &pieces, now);
        let target = &frame.fits[0].patches[0].target;
        middles.push(target.iter().map(|p| p.x).sum::<f32>() / target.len() as f32);
    }
    // Of the line through all frames but the first, when filters have not settled.
    let settled = &middles[8..];
    let off = |(frame, middle): (usize, &f32)| middle - 9.0 * frame as f32;
    let mean = settled.iter().enumerate().map(off).sum::<f32>() / settled.len() as f32;
    let worst = settled.iter().enumerate().map(|at| (off(at) - mean).abs()).fold(0.0, f32::max);
    println!("at most {worst:.1} px off the line that the person walks");
    assert!(worst < 8.0, "{middles:?}");
}

#[test]
fn clothes_leave_with_who_leaves() {
    let Some(nets) = nets() else { return };
    let pieces = [piece("tee-red-print.png")];
    let there = scene(0.0);
    let empty = Picture::from_rgb8(1280, 720, vec![150; 1280 * 720 * 3]);
    let (mut live, start) = (Live::new(), Instant::now());
    let mut changed = Vec::new();
    for frame in 0..30u32 {
        let now = start + frame * FRAME;
        let plain = if frame < 12 { &there } else { &empty };
        let mut picture = plain.clone();
        live.look(&nets, &picture, now).expect("the nets run");
        live.dress(&mut picture, &pieces, now);
        changed.push(picture != *plain);
    }
    assert!(!changed[0], "clothes fade in");
    assert!(changed[6..12].iter().all(|&c| c), "{changed:?}");
    assert!(!changed[27..].contains(&true), "half a second later nothing is left: {changed:?}");
    assert!(live.person().is_none());
}
