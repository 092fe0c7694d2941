//! What a garment is, from its silhouette.

use super::{Category, Fault, Texture, front, lower, silhouette::Silhouette, upper::Found};

/// Confidence below which a person should look.
pub const CERTAIN: f32 = 0.7;

/// What a folded collar adds to the evidence of a front that opens.
const COLLAR_COUNTS: f32 = 0.12;

/// A category with its confidence, 0..1.
pub type Guess = (Category, f32);

/// Guesses the category. `upper` is what was found of the silhouette when taken for a top.
pub fn guess(silhouette: &Silhouette, texture: &Texture, upper: &Result<Found, Fault>) -> Guess {
    if let Some(confidence) = eyeglasses(silhouette) {
        return (Category::Eyeglasses, confidence);
    }
    let sleeved = upper.as_ref().is_ok_and(|found| found.upper.sleeves.iter().any(Option::is_some));
    if !sleeved && let Some(confidence) = trousers(silhouette) {
        return (Category::Trousers, confidence);
    }
    if let Ok(found) = upper
        && sleeved
    {
        let open_below = lower::crotch(silhouette, 0.25).is_some();
        let line = if open_below { 1.0 } else { front::opening(texture, &found.upper) };
        // A folded collar nearly always goes with a front that opens; a hood has the notch as well.
        let opens = if found.collar_notch { line + COLLAR_COUNTS } else { line };
        tracing::debug!(line, found.collar_notch, "front opening");
        return found.category(opens.min(1.0));
    }
    bare(silhouette, upper)
}

/// Wide, with two lenses: two holes, or two lobes joined by a bridge.
fn eyeglasses(silhouette: &Silhouette) -> Option<f32> {
    let aspect = silhouette.extent_x() / silhouette.extent_y();
    if aspect < 1.5 || silhouette.symmetry < 0.7 {
        return None;
    }
    let [left, _, right, _] = silhouette.bounds.map(|bound| bound as f32);
    let opaque = |share: f32| {
        let x = (left + share * (right - left)) as usize;
        let set = (0..silhouette.height).filter(|y| silhouette.mask[y * silhouette.width + x] != 0);
        set.count() as f32
    };
    let tall = |share: f32| {
        silhouette
            .column(left + share * (right - left))
            .map_or(0.0, |[first, last]| (last - first) as f32)
    };
    let lobe = tall(0.25).min(tall(0.75));
    let middle = tall(0.5).max(tall(0.48)).max(tall(0.52));
    let hollow = opaque(0.25).max(opaque(0.75)) < 0.6 * lobe;
    if hollow && middle < 0.8 * lobe {
        return Some(0.95);
    }
    (middle < 0.55 * lobe).then_some(if aspect > 1.9 { 0.95 } else { 0.75 })
}

/// Two legs: a gap at the axis up to a crotch, a run on each side of it, one run above it.
fn trousers(silhouette: &Silhouette) -> Option<f32> {
    let crotch = lower::crotch(silhouette, 0.12)?;
    let share = (crotch.y - silhouette.bounds[1] as f32) / silhouette.extent_y();
    if !(0.1..0.9).contains(&share) {
        return None;
    }
    let least = (0.06 * silhouette.extent_x()) as usize;
    let two_legs = [0.4, 0.6, 0.8].iter().all(|below| {
        let runs = silhouette.runs(silhouette.row_at(share + below * (1.0 - share)), least);
        let (Some(first), Some(last)) = (runs.first(), runs.last()) else { return false };
        let (left, right) = ((first[1] - first[0]) as f32, (last[1] - last[0]) as f32);
        let apart = (first[1] as f32) < silhouette.axis_x && (last[0] as f32) > silhouette.axis_x;
        runs.len() >= 2 && apart && left < 2.0 * right && right < 2.0 * left
    });
    let seat = silhouette.runs(silhouette.row_at(0.5 * share), least).len() == 1;
    if !two_legs {
        return None;
    }
    Some(if seat && (0.15..0.75).contains(&share) { 0.95 } else { 0.6 })
}

/// Hat, skirt, or a top without sleeves.
fn bare(silhouette: &Silhouette, upper: &Result<Found, Fault>) -> Guess {
    let aspect = silhouette.extent_x() / silhouette.extent_y();
    let span = |share: f32| silhouette.span(silhouette.row_at(share));
    let widest = (0..=50).map(|k| span(0.01 * k as f32)).fold(1.0, f32::max);
    let flat_top = span(0.03) / span(0.15).max(1.0);
    let dome = span(0.03) / widest;
    let top = silhouette.column(silhouette.axis_x).map_or(silhouette.bounds[1], |c| c[0]);
    let dip = (top - silhouette.bounds[1]) as f32 / silhouette.extent_y();
    let least = (0.01 * silhouette.extent_x()) as usize;
    let straps = silhouette.runs(silhouette.row_at(0.03), least).len() >= 2;
    let armholes = upper.as_ref().is_ok_and(|found| found.armhole_seen == [true; 2]);
    // The corner of an armhole is sharp, a hip is round.
    let corners =
        upper.as_ref().is_ok_and(|found| found.armpit_bend.iter().all(|&bend| bend > 0.45));

    let as_top = || upper.as_ref().map(|found| found.category(0.0));
    let crop_top = armholes && corners && dip > 0.1;
    if straps && dip > 0.05 && aspect < 1.15 || crop_top {
        return as_top().unwrap_or((Category::Sleeveless, 0.5));
    }
    if aspect > 1.3 {
        return (Category::Hat, if aspect > 1.45 || flat_top < 0.8 { 0.85 } else { 0.6 });
    }
    if flat_top > 0.82 && dip < 0.06 && !(armholes && corners && dip > 0.008) {
        return (Category::Skirt, if flat_top > 0.84 && aspect < 1.2 { 0.9 } else { 0.6 });
    }
    if armholes && (aspect < 0.85 || dip > 0.04 || corners) {
        return as_top().unwrap_or((Category::Sleeveless, 0.5));
    }
    if aspect > 0.7 && dome < 0.8 {
        return (Category::Hat, if aspect > 0.8 && dip < 0.03 { 0.8 } else { 0.5 });
    }
    match as_top() {
        Ok((category, confidence)) => (category, confidence.min(0.6)),
        Err(_) => (Category::Skirt, 0.3),
    }
}
