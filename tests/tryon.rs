//! End to end: a person in, the dressed person out.
//!
//! What must hold is checked by structure: where pixels stay as they were, what the new cloth covers, where its
//! points come to lie. No test compares pictures with stored ones. The first half dresses a drawn figure and
//! needs neither models nor network; the second runs the program with the real nets on real photos.

mod figure;

use figure::{CROWN, Figure, OLD_TEE, Part, drawn, flipped, flipped_picture};
use glam::Vec2;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use vitrine::garment::{Category, Garment, Shape};
use vitrine::perception::{Person, landmark::*};
use vitrine::picture::{Picture, Pixels};
use vitrine::tryon::{CutError, Dressed, Piece, TryonError, Wanted, cut, dress};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every piece of the catalogue, by the name of its file.
fn catalogue() -> &'static [(String, Piece)] {
    static READ: OnceLock<Vec<(String, Piece)>> = OnceLock::new();
    READ.get_or_init(|| {
        let mut files: Vec<PathBuf> = std::fs::read_dir(root().join("garments"))
            .expect("garments/")
            .map(|entry| entry.expect("garments/").path())
            .filter(|path| {
                let extension = path.extension().unwrap_or_default();
                ["png", "jpg", "webp"].iter().any(|known| extension == *known)
            })
            .collect();
        files.sort();
        let read = |path: PathBuf| {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let garment = Garment::open(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, Piece::new(garment))
        };
        files.into_iter().map(read).collect()
    })
}

fn piece(name: &str) -> Piece {
    let (_, piece) = catalogue().iter().find(|(known, _)| known == name).expect("in the catalogue");
    Piece::new(piece.garment.clone())
}

fn is_top(category: Category) -> bool {
    use Category::*;
    matches!(category, TShirt | LongSleeve | Jacket | Sleeveless | Dress)
}

/// A figure in a picture, and what the nets would say of it.
struct Scene {
    figure: Figure,
    photo: Picture,
    people: Vec<Person>,
}

impl Scene {
    fn whole(shoulders: f32) -> Self {
        let (figure, photo) = Figure::whole(shoulders);
        let people = vec![figure.person(photo.width, photo.height)];
        Self { figure, photo, people }
    }

    /// A figure whose middle is at `middle`, in shoulder widths, in a picture of `size`, in shoulder widths.
    fn framed(shoulders: f32, middle: [f32; 2], size: [f32; 2]) -> Self {
        let [width, height] = size.map(|side| (side * shoulders) as usize);
        let figure = Figure { middle: Vec2::from(middle) * shoulders, shoulders };
        let photo = drawn(width, height, &[figure]);
        let people = vec![figure.person(width, height)];
        Self { figure, photo, people }
    }

    fn dressed(&self, pieces: &[Piece]) -> Dressed {
        dress(&self.photo, &self.people, pieces).unwrap_or_else(|error| panic!("{error}"))
    }

    fn refused(&self, name: &str) -> TryonError {
        let Err(error) = dress(&self.photo, &self.people, &[piece(name)]) else {
            panic!("{name} was put on")
        };
        error
    }
}

fn pixel(picture: &Picture, x: usize, y: usize) -> [f32; 3] {
    let rgb = picture.rgb8();
    std::array::from_fn(|c| f32::from(rgb[(y * picture.width + x) * 3 + c]))
}

/// Pixel centres of a picture with 8-bit colours before and after.
fn pixels<'a>(
    before: &'a Picture,
    after: &'a Picture,
) -> impl Iterator<Item = (Vec2, [u8; 3], [u8; 3])> {
    assert_eq!((before.width, before.height), (after.width, after.height));
    let (Pixels::Eight(old), Pixels::Eight(new)) = (&before.pixels, &after.pixels) else {
        panic!("pictures of 8 bits")
    };
    let width = before.width;
    let pairs = old.as_chunks::<3>().0.iter().zip(new.as_chunks::<3>().0);
    pairs.enumerate().map(move |(i, (&old, &new))| {
        (Vec2::new((i % width) as f32 + 0.5, (i / width) as f32 + 0.5), old, new)
    })
}

/// Mean colour of a disc, `radius` in pixels.
fn mean_colour(picture: &Picture, centre: Vec2, radius: f32) -> [f32; 3] {
    let (mut sum, mut count) = ([0.0f32; 3], 0.0f32);
    let low = (centre - radius).max(Vec2::ZERO).as_usizevec2();
    let high = (centre + radius).as_usizevec2();
    for y in low.y..=high.y.min(picture.height - 1) {
        for x in low.x..=high.x.min(picture.width - 1) {
            if Vec2::new(x as f32 + 0.5, y as f32 + 0.5).distance(centre) <= radius.max(0.75) {
                let colour = pixel(picture, x, y);
                sum = std::array::from_fn(|c| sum[c] + colour[c]);
                count += 1.0;
            }
        }
    }
    assert!(count > 0.0, "{centre} is outside the picture");
    sum.map(|value| value / count)
}

fn apart(a: [f32; 3], b: [f32; 3]) -> f32 {
    Vec2::new((a[0] - b[0]).hypot(a[1] - b[1]), a[2] - b[2]).length()
}

/// Difference of two colours after their brightness is taken out.
fn hue_apart(a: [f32; 3], b: [f32; 3]) -> f32 {
    let plain = |colour: [f32; 3]| {
        let mean = colour.iter().sum::<f32>() / 3.0;
        colour.map(|value| value - mean)
    };
    apart(plain(a), plain(b))
}

fn looks_like_the_old_tee(colour: [u8; 3]) -> bool {
    hue_apart(colour.map(f32::from), OLD_TEE) < 30.0
}

#[test]
fn a_person_is_dressed_and_the_rest_of_the_photo_stays() {
    let scene = Scene::whole(150.0);
    let mut faults = Vec::new();
    for (name, piece) in catalogue() {
        let dressed = scene.dressed(&[Piece::new(piece.garment.clone())]);
        let fit = &dressed.analysis.garments[0];
        let grid = &dressed.analysis.grid;
        let reach = 0.2 * scene.figure.shoulders;
        let near_cloth = |p: Vec2| {
            let ring = (0..8).map(|i| Vec2::from_angle(i as f32 * 0.785) * reach);
            std::iter::once(Vec2::ZERO).chain(ring).any(|step| {
                let cell = grid.from_picture(p + step);
                fit.cover.contains(cell) && fit.cover.sample(cell) > 0.0
            })
        };
        let (mut beyond, mut changed) = (0, 0);
        for (p, old, new) in pixels(&scene.photo, &dressed.picture) {
            if old == new {
                continue;
            }
            changed += 1;
            let cell = grid.from_picture(p);
            let in_grid = cell.x >= -1.0
                && cell.y >= -1.0
                && cell.x <= grid.width as f32 + 1.0
                && cell.y <= grid.height as f32 + 1.0;
            if !in_grid || (scene.figure.distance(p) > 0.25 && !near_cloth(p)) {
                beyond += 1;
            }
        }
        let shown = fit.cover.data.iter().filter(|&&cover| cover > 0.5).count();
        let least = shown as f32 * grid.scale * grid.scale * 0.25;
        if beyond > 0 {
            faults.push(format!("{name}: {beyond} pixels far from person and cloth changed"));
        }
        if (changed as f32) < least {
            faults
                .push(format!("{name}: only {changed} pixels changed, cloth covers {shown} cells"));
        }
        if fit.folded > 0.06 {
            faults.push(format!("{name}: {:.3} of a patch is folded over", fit.folded));
        }
        if fit.patches.iter().flat_map(|patch| &patch.target).any(|p| !p.is_finite()) {
            faults.push(format!("{name}: a mesh point is not a number"));
        }
        if !is_top(piece.garment.category) {
            continue;
        }
        let same = |part: Part, low: f32, high: f32| {
            pixels(&scene.photo, &dressed.picture).all(|(p, old, new)| {
                let at = scene.figure.in_own_units(p);
                let meant = (low..high).contains(&at.y) && at.x.abs() < 0.6;
                !meant || scene.figure.part_at(p) != Some(part) || old == new
            })
        };
        if !same(Part::Skin, -0.95, -0.55) {
            faults.push(format!("{name}: the face changed"));
        }
        if !same(Part::Shoe, 3.6, 4.5) && piece.garment.category != Category::Dress {
            faults.push(format!("{name}: the shoes changed"));
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn nothing_of_the_old_tee_shows_through_a_new_top() {
    let scene = Scene::whole(150.0);
    let mut faults = Vec::new();
    for (name, piece) in catalogue().iter().filter(|(_, piece)| is_top(piece.garment.category)) {
        let dressed = scene.dressed(&[Piece::new(piece.garment.clone())]);
        // A cropped jacket may be shorter than the tee below it.
        let points = dressed.analysis.garments[0].patches[0].target.iter();
        let hem = points.map(|&p| scene.figure.in_own_units(p).y).fold(f32::MIN, f32::max);
        let (mut trunk, mut trunk_old, mut whole, mut whole_old) = (0, 0, 0, 0);
        for (p, old, new) in pixels(&scene.photo, &dressed.picture) {
            if scene.figure.part_at(p) != Some(Part::Tee) || !looks_like_the_old_tee(old) {
                continue;
            }
            let at = scene.figure.in_own_units(p);
            if at.y > hem - 0.05 {
                continue;
            }
            let remains = usize::from(looks_like_the_old_tee(new));
            whole += 1;
            whole_old += remains;
            if at.x.abs() < 0.40 && (0.2..1.4).contains(&at.y) {
                trunk += 1;
                trunk_old += remains;
            }
        }
        let gone = |old: usize, all: usize| 1.0 - old as f32 / all as f32;
        if gone(trunk_old, trunk) < 0.97 {
            faults.push(format!("{name}: {:.3} of the trunk is covered", gone(trunk_old, trunk)));
        }
        if gone(whole_old, whole) < 0.97 {
            faults.push(format!("{name}: {:.3} of the old tee is gone", gone(whole_old, whole)));
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn the_garments_own_colour_is_seen_on_the_chest() {
    let scene = Scene::whole(150.0);
    let mut faults = Vec::new();
    for (name, piece) in catalogue().iter().filter(|(_, piece)| is_top(piece.garment.category)) {
        let dressed = scene.dressed(&[Piece::new(piece.garment.clone())]);
        let patch = &dressed.analysis.garments[0].patches[0];
        let (mut drawn, mut own, mut count) = ([0.0f32; 3], [0.0f32; 3], 0.0f32);
        for (source, target) in patch.source.iter().zip(&patch.target) {
            let at = scene.figure.in_own_units(*target);
            let (colour, alpha) = piece.sample(*source);
            if at.x.abs() < 0.4 && (0.3..1.2).contains(&at.y) && alpha > 0.99 {
                let seen = mean_colour(&dressed.picture, *target, 2.0);
                drawn = std::array::from_fn(|c| drawn[c] + seen[c]);
                own = std::array::from_fn(|c| own[c] + colour[c]);
                count += 1.0;
            }
        }
        assert!(count > 30.0, "{name}: {count} mesh points on the chest");
        let [drawn, own] = [drawn, own].map(|sum| sum.map(|value| value / count));
        if hue_apart(drawn, own) > 25.0 || apart(drawn, own) > 70.0 {
            faults.push(format!("{name}: is {own:.0?}, drawn as {drawn:.0?}"));
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn shoulders_hem_and_waist_come_to_lie_where_the_body_has_them() {
    let scene = Scene::whole(150.0);
    let mut faults = Vec::new();
    for (name, piece) in catalogue() {
        let dressed = scene.dressed(&[Piece::new(piece.garment.clone())]);
        let fit = &dressed.analysis.garments[0];
        let points: Vec<Vec2> =
            fit.patches.iter().flat_map(|patch| &patch.target).copied().collect();
        let points: Vec<Vec2> = points.iter().map(|&p| scene.figure.in_own_units(p)).collect();
        let nearest =
            |place: Vec2| points.iter().map(|p| p.distance(place)).fold(f32::MAX, f32::min);
        let lowest = points.iter().map(|p| p.y).fold(f32::MIN, f32::max);
        let highest = points.iter().map(|p| p.y).fold(f32::MAX, f32::min);
        let mut expect = |what: &str, value: f32, low: f32, high: f32| {
            if !(low..=high).contains(&value) {
                faults.push(format!("{name}: {what} is {value:.2}, expected {low} to {high}"));
            }
        };
        match piece.garment.category {
            Category::Sleeveless => {
                expect("strap above the shoulder", nearest(Vec2::new(0.3, -0.05)), 0.0, 0.25);
            }
            category if is_top(category) => {
                for x in [-0.55, 0.55] {
                    expect("distance to a shoulder", nearest(Vec2::new(x, -0.05)), 0.0, 0.2);
                }
            }
            Category::Trousers => {
                expect("waist", highest, 0.9, 1.6);
                expect("cuffs", lowest, 3.4, 4.2);
            }
            Category::Skirt => {
                expect("waist", highest, 0.9, 1.6);
                expect("hem", lowest, 1.8, 4.0);
            }
            Category::Hat => {
                expect("crown", highest, -2.2, CROWN);
                expect("brim", lowest, -1.1, -0.6);
            }
            Category::Eyeglasses => {
                for x in [-0.09, 0.09] {
                    expect("distance to an eye", nearest(Vec2::new(x, -0.8)), 0.0, 0.15);
                }
            }
            _ => unreachable!("tops are above"),
        }
        if let (Shape::Upper(_), category) = (&piece.garment.shape, piece.garment.category) {
            let trunk = fit.patches[0].target.iter().map(|&p| scene.figure.in_own_units(p).y);
            let hem = trunk.fold(f32::MIN, f32::max);
            let (low, high) = if category == Category::Dress { (1.8, 4.0) } else { (1.1, 2.2) };
            expect("hem", hem, low, high);
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn forearms_and_hands_stay_bare_below_short_sleeves() {
    let scene = Scene::whole(150.0);
    let person = &scene.people[0];
    let skin = mean_colour(&scene.photo, person.position(NOSE), 4.0);
    for (name, piece) in catalogue() {
        if !matches!(piece.garment.category, Category::TShirt | Category::Sleeveless) {
            continue;
        }
        let dressed = scene.dressed(&[Piece::new(piece.garment.clone())]);
        for (elbow, wrist) in [(LEFT_ELBOW, LEFT_WRIST), (RIGHT_ELBOW, RIGHT_WRIST)] {
            let (elbow, wrist) = (person.position(elbow), person.position(wrist));
            for along in [0.3, 0.5, 0.7, 0.9, 1.1, 1.25] {
                let found = mean_colour(&dressed.picture, elbow.lerp(wrist, along), 5.0);
                assert!(apart(found, skin) < 25.0, "{name} at {along}: {found:.0?} for {skin:.0?}");
            }
        }
    }
}

#[test]
fn every_piece_fits_people_of_every_size() {
    for shoulders in [14.0, 33.0, 90.0, 400.0] {
        let scene = Scene::whole(shoulders);
        for (name, piece) in catalogue() {
            let dressed = scene.dressed(&[Piece::new(piece.garment.clone())]);
            let fit = &dressed.analysis.garments[0];
            assert!(fit.cover.data.iter().any(|&cover| cover > 0.5), "{name} at {shoulders} px");
            assert!(fit.folded <= 0.06, "{name} at {shoulders} px: {} folded", fit.folded);
            assert_ne!(scene.photo, dressed.picture, "{name} at {shoulders} px");
        }
    }
}

#[test]
fn a_picture_of_thirty_megapixels_is_dressed_to_its_last_pixel() {
    let scene = Scene::framed(900.0, [2.5, 1.6], [5.0, 7.2]);
    for name in ["tee-red-print", "trousers-jeans", "dress-floral"] {
        let dressed = scene.dressed(&[piece(name)]);
        let covered = dressed.analysis.garments[0].cover.data.iter().filter(|&&c| c > 0.5).count();
        assert!(covered > 2000, "{name}: {covered} cells");
        let below = pixels(&scene.photo, &dressed.picture)
            .filter(|(p, old, new)| p.y > scene.figure.place(Vec2::Y * 4.6).y && old != new);
        assert_eq!(below.count(), 0, "{name}: the floor changed");
    }
}

#[test]
fn a_mirrored_person_is_dressed_in_mirror_image() {
    let scene = Scene::whole(150.0);
    let width = scene.photo.width;
    let mirror = Scene {
        figure: scene.figure,
        photo: flipped_picture(&scene.photo),
        people: vec![flipped(&scene.people[0], width)],
    };
    for name in
        ["tee-red-print", "long-sleeve-breton", "trousers-jeans", "dress-black", "hat-beanie"]
    {
        let [one, other] = [&scene, &mirror].map(|scene| scene.dressed(&[piece(name)]).analysis);
        let covered = |analysis: &vitrine::tryon::Analysis, p: Vec2| {
            let cover = &analysis.garments[0].cover;
            let cell = analysis.grid.from_picture(p);
            cover.contains(cell) && cover.sample(cell) > 0.5
        };
        let (mut both, mut either) = (0, 0);
        for y in (0..scene.photo.height).step_by(3) {
            for x in (0..width).step_by(3) {
                let p = Vec2::new(x as f32, y as f32);
                let twin = Vec2::new(width as f32 - p.x, p.y);
                let (a, b) = (covered(&one, p), covered(&other, twin));
                both += usize::from(a && b);
                either += usize::from(a || b);
            }
        }
        let shared = both as f32 / either as f32;
        assert!(shared > 0.93, "{name}: {shared:.3} of the covered area is shared");
    }
}

#[test]
fn sixteen_bits_give_the_same_picture_as_eight() {
    let scene = Scene::whole(80.0);
    let Pixels::Eight(values) = &scene.photo.pixels else { panic!("8 bits are drawn") };
    let wide = values.iter().map(|&value| u16::from(value) * 257).collect();
    let deep = Picture { pixels: Pixels::Sixteen(wide), ..scene.photo.clone() };
    for name in ["tee-red-print", "sweater-knit", "trousers-chino", "hat-fedora", "eyeglasses-sun"]
    {
        let eight = scene.dressed(&[piece(name)]).picture;
        let sixteen = dress(&deep, &scene.people, &[piece(name)]).expect("dressed").picture;
        let (Pixels::Eight(eight), Pixels::Sixteen(sixteen)) = (eight.pixels, sixteen.pixels)
        else {
            panic!("{name}: the depth changed")
        };
        let difference = |(a, b): (&u8, &u16)| (f32::from(*a) - f32::from(*b) / 257.0).abs();
        let largest = eight.iter().zip(&sixteen).map(difference).fold(0.0, f32::max);
        assert!(largest <= 2.0, "{name}: {largest} of 255 apart");
    }
}

#[test]
fn long_and_narrow_pictures_are_no_problem() {
    for (middle, size) in
        [([30.0, 1.6], [60.0, 6.0]), ([1.4, 20.0], [2.8, 60.0]), ([3.0, 1.6], [90.0, 3.0])]
    {
        let scene = Scene::framed(40.0, middle, size);
        for name in ["tee-teal-stripe", "jacket-denim", "hat-cap"] {
            let dressed = scene.dressed(&[piece(name)]);
            let far = pixels(&scene.photo, &dressed.picture)
                .filter(|(p, old, new)| old != new && scene.figure.distance(*p) > 1.0);
            assert_eq!(far.count(), 0, "{name} in {size:?}");
            assert_ne!(scene.photo, dressed.picture, "{name} in {size:?}");
        }
    }
}

#[test]
fn a_person_who_is_cut_off_is_dressed_as_far_as_they_are_seen() {
    let cases = [
        ("at the chest", [2.0, 1.4], [4.0, 2.3]),
        ("at the waist", [2.0, 1.4], [4.0, 2.7]),
        ("at the knees", [2.0, 1.4], [4.0, 3.9]),
        ("at the left border", [0.62, 1.4], [3.0, 6.0]),
        ("at the right border", [2.3, 1.4], [2.9, 6.0]),
        ("at the forehead", [2.0, 0.9], [4.0, 6.0]),
    ];
    for (place, middle, size) in cases {
        let scene = Scene::framed(150.0, middle, size);
        for (name, piece) in catalogue().iter().filter(|(_, piece)| is_top(piece.garment.category))
        {
            let dressed = scene.dressed(&[Piece::new(piece.garment.clone())]);
            let (mut cloth, mut old) = (0, 0);
            for (p, before, after) in pixels(&scene.photo, &dressed.picture) {
                let at = scene.figure.in_own_units(p);
                let trunk = at.x.abs() < 0.35 && (0.25..1.2).contains(&at.y);
                if trunk && looks_like_the_old_tee(before) {
                    cloth += 1;
                    old += usize::from(looks_like_the_old_tee(after));
                }
            }
            let gone = 1.0 - old as f32 / cloth as f32;
            assert!(gone > 0.95, "{name}, cut off {place}: {gone:.3} of the trunk is covered");
        }
    }
    let knees = Scene::framed(150.0, [2.0, 1.4], [4.0, 4.4]);
    for name in ["skirt-denim", "trousers-jeans"] {
        assert_ne!(knees.dressed(&[piece(name)]).picture, knees.photo, "{name}");
    }
}

#[test]
fn several_garments_lie_over_each_other_in_the_order_given() {
    let scene = Scene::whole(150.0);
    let names = ["trousers-jeans", "tee-white", "jacket-denim", "eyeglasses-round", "hat-fedora"];
    let all = scene.dressed(&names.map(piece));
    assert_eq!(all.analysis.garments.len(), names.len());
    for (index, fit) in all.analysis.garments.iter().enumerate() {
        assert!(fit.cover.data.iter().any(|&c| c > 0.5), "{}", names[index]);
    }
    // What is put on last is seen as if it were alone.
    let alone = scene.dressed(&[piece("jacket-denim")]);
    let (grid, jacket) = (&alone.analysis.grid, &alone.analysis.garments[0].cover);
    let (mut same, mut count) = (0, 0);
    for (p, a, b) in pixels(&alone.picture, &all.picture) {
        let cell = grid.from_picture(p);
        let at = scene.figure.in_own_units(p);
        if at.y > -0.1 && jacket.contains(cell) && jacket.sample(cell) > 0.99 {
            count += 1;
            same += usize::from(apart(a.map(f32::from), b.map(f32::from)) < 30.0);
        }
    }
    let share = same as f32 / count as f32;
    assert!(share > 0.93, "{share:.3} of the jacket looks as it does alone");
    let thigh = scene.figure.place(Vec2::new(0.3, 2.3));
    let [dressed, before] = [&all.picture, &scene.photo].map(|p| mean_colour(p, thigh, 6.0));
    assert!(apart(dressed, before) > 20.0, "no jeans on the thigh: {dressed:.0?}");
}

#[test]
fn a_second_person_stays_as_they_are() {
    let large = Figure { middle: Vec2::new(330.0, 260.0), shoulders: 150.0 };
    // Apart, and hand to hand, where only the rim between them may change.
    for (x, most) in [(690.0, 0), (640.0, 0), (590.0, 200)] {
        let small = Figure { middle: Vec2::new(x, 330.0), shoulders: 110.0 };
        let photo = drawn(1000, 950, &[large, small]);
        let mut people = vec![large.person(1000, 950), small.person(1000, 950)];
        // Segmentation sees everybody.
        let seen = &mut people[0].selfie_mask;
        let to_picture = seen.region.crop_to_picture(seen.probability.width);
        for y in 0..seen.probability.height {
            for (x, value) in seen.probability.row_mut(y).iter_mut().enumerate() {
                let p = to_picture.transform_point2(Vec2::new(x as f32 + 0.5, y as f32 + 0.5));
                *value = value.max(small.part_at(p).is_some() as u8 as f32);
            }
        }
        for name in ["tee-red-print", "jacket-denim", "dress-floral", "trousers-jeans"] {
            let dressed = dress(&photo, &people, &[piece(name)]).expect("dressed");
            let (mut changed, mut own) = (0, 0);
            for (p, old, new) in pixels(&photo, &dressed.picture) {
                let theirs = small.part_at(p).is_some() && large.distance(p) > 0.03;
                changed += usize::from(old != new && theirs);
                own += usize::from(old != new && large.part_at(p).is_some());
            }
            assert!(changed <= most, "{name}, {x}: {changed} pixels of the other person changed");
            assert!(own > 2000, "{name}, {x}: {own} pixels of the person changed");
        }
    }
}

#[test]
fn what_cannot_be_dressed_is_an_error_with_its_cause() {
    let whole = Scene::whole(150.0);
    let nobody = Scene { people: Vec::new(), ..Scene::whole(150.0) };
    assert_eq!(nobody.refused("tee-white"), TryonError::NoPerson);

    let mut away = Scene::whole(150.0);
    away.people[0].world.iter_mut().for_each(|point| point.x = -point.x);
    assert_eq!(away.refused("tee-white"), TryonError::FacesAway);
    let mut hidden = Scene::whole(150.0);
    hidden.people[0].landmarks[..11].iter_mut().for_each(|point| point.visibility = 0.05);
    assert_eq!(hidden.refused("tee-white"), TryonError::FacesAway);

    let mut sideways = Scene::whole(150.0);
    let middle = sideways.figure.middle.x;
    for landmark in &mut sideways.people[0].landmarks {
        landmark.position.x = middle + 0.2 * (landmark.position.x - middle);
    }
    let error = sideways.refused("tee-white");
    assert!(matches!(error, TryonError::Sideways { .. }), "{error}");

    let error = Scene::whole(12.0).refused("tee-white");
    assert!(matches!(error, TryonError::TooSmall { .. }), "{error}");

    let bust = Scene::framed(150.0, [2.0, 1.4], [4.0, 2.5]);
    for (name, missing) in [("trousers-jeans", "hips and knees"), ("skirt-denim", "hips")] {
        let error = bust.refused(name);
        let TryonError::PartNotSeen { part, .. } = &error else { panic!("{name}: {error}") };
        assert_eq!(*part, missing);
    }
    let headless = Scene::framed(150.0, [2.0, 0.3], [4.0, 5.0]);
    for name in ["hat-cap", "eyeglasses-sun"] {
        let error = headless.refused(name);
        assert!(matches!(error, TryonError::PartNotSeen { part: "eyes", .. }), "{name}: {error}");
    }
    assert_eq!(dress(&whole.photo, &whole.people, &[]).expect("bare").picture, whole.photo);
}

/// The rest runs the program itself, with the real nets.
mod real {
    use super::*;
    use std::process::{Command, Output};
    use vitrine::cli::models::{fetch, models_directory, samples_directory};
    use vitrine::output::Existing;
    use vitrine::picture::Format;

    /// Photos of one person each; the nets are fetched if need be. Empty, said aloud, without them and without
    /// network.
    fn photos() -> &'static [PathBuf] {
        static FOUND: OnceLock<Vec<PathBuf>> = OnceLock::new();
        FOUND.get_or_init(|| {
            let models = models_directory(None);
            if let Err(error) = fetch(&models, &models::published::NETS) {
                println!("SKIPPED, the nets are not here: {error}");
                return Vec::new();
            }
            let people = std::fs::read_dir(root().join("docs/people")).expect("docs/people");
            let mut photos: Vec<PathBuf> =
                people.map(|entry| entry.expect("an entry").path()).collect();
            photos.retain(|path| path.extension().is_some_and(|extension| extension == "jpg"));
            photos.sort();
            let samples = samples_directory(&models);
            match fetch(&samples, &models::published::SAMPLE_PHOTOS) {
                Ok(()) => {
                    let names = models::published::SAMPLE_PHOTOS.iter().map(|photo| photo.name);
                    photos.extend(names.map(|name| samples.join(name)));
                }
                Err(error) => println!("SKIPPED, the sample photos are not here: {error}"),
            }
            photos
        })
    }

    fn person(name: &str) -> Option<PathBuf> {
        photos().iter().find(|path| path.ends_with(name)).cloned()
    }

    fn garment(name: &str) -> PathBuf {
        root().join("garments").join(name)
    }

    fn tryon(person: &Path, garment: &Path, rest: &[&str], folder: &Path) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vitrine"));
        command.current_dir(folder).args(["tryon", "--person"]).arg(person);
        command.arg("--garment").arg(garment).args(rest).output().expect("it runs")
    }

    fn picture(path: &Path) -> Picture {
        Picture::open(path).unwrap_or_else(|error| panic!("{error}")).0
    }

    /// What the program made of a person, with its report.
    fn dressed(person: &Path, garment_name: &str) -> (Picture, serde_json::Value) {
        let folder = tempfile::tempdir().expect("a folder");
        let rest = ["-o", "out.png", "--json"];
        let output = tryon(person, &garment(garment_name), &rest, folder.path());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", person.display());
        let report = serde_json::from_slice(&output.stdout).expect("one JSON object");
        (picture(&folder.path().join("out.png")), report)
    }

    fn landmark(report: &serde_json::Value, index: usize) -> Vec2 {
        let point = &report["landmarks"][index];
        let number = |key: &str| point[key].as_f64().expect("a number") as f32;
        Vec2::new(number("x"), number("y"))
    }

    #[test]
    fn every_photo_is_dressed_on_the_chest_and_nowhere_else() {
        for path in photos() {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let before = picture(path);
            let (after, report) = dressed(path, "tee-red-print.png");
            let size = |picture: &Picture| (picture.width, picture.height);
            assert_eq!(size(&before), size(&after), "{name}");
            assert_eq!(report["width"], before.width, "{name}");
            assert!(report["confidence"].as_f64().expect("a number") > 0.5, "{name}");
            assert_eq!(report["landmarks"].as_array().expect("a list").len(), 33, "{name}");
            let stages = report["timings"].as_array().expect("a list");
            for stage in ["read_person", "load_nets", "perceive", "see", "fit", "draw", "write"] {
                assert!(stages.iter().any(|timed| timed["stage"] == stage), "{name}: {stage}");
            }

            let joints = [LEFT_SHOULDER, RIGHT_SHOULDER].map(|index| landmark(&report, index));
            let shoulders = joints[0].distance(joints[1]);
            let middle = joints[0].midpoint(joints[1]);
            let points: Vec<Vec2> = (0..25).map(|index| landmark(&report, index)).collect();
            let low = points.iter().copied().reduce(Vec2::min).expect("points") - shoulders;
            let high = points.iter().copied().reduce(Vec2::max).expect("points") + 1.4 * shoulders;
            let (mut chest, mut chest_changed, mut far_changed) = (0, 0, 0);
            for (p, old, new) in pixels(&before, &after) {
                let at = (p - middle) / shoulders;
                if at.x.abs() < 0.25 && (0.35..0.9).contains(&at.y) {
                    chest += 1;
                    chest_changed += usize::from(old != new);
                }
                if p.cmplt(low).any() || p.cmpgt(high).any() {
                    far_changed += usize::from(old != new);
                }
            }
            assert!(
                chest_changed * 10 > chest * 8,
                "{name}: {chest_changed} of {chest} on the chest"
            );
            assert_eq!(far_changed, 0, "{name}: pixels far from the person changed");
        }
    }

    #[test]
    fn garments_of_every_file_format_are_put_on_a_real_photo() {
        let Some(path) = person("rafael.jpg") else { return };
        let before = picture(&path);
        for garment in
            ["jacket-denim.png", "sweater-knit.webp", "trousers-chino.jpg", "hat-cap.png"]
        {
            let (after, report) = dressed(&path, garment);
            assert_ne!(before, after, "{garment}");
            assert_eq!(report["garments"].as_array().expect("a list").len(), 1, "{garment}");
        }
    }

    #[test]
    fn explain_writes_a_picture_of_every_stage() {
        let Some(path) = person("mara.jpg") else { return };
        let folder = tempfile::tempdir().expect("a folder");
        let rest = ["-o", "out.png", "--explain", "why"];
        let output = tryon(&path, &garment("tee-white.png"), &rest, folder.path());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let written = std::fs::read_dir(folder.path().join("why")).expect("the folder");
        let names: Vec<String> = written
            .map(|entry| {
                let path = entry.expect("an entry").path();
                picture(&path);
                path.file_stem().expect("a name").to_string_lossy().into_owned()
            })
            .collect();
        for expected in ["landmarks", "mask", "points", "warped", "cover", "final", "sheet"] {
            assert!(
                names.iter().any(|name| name.contains(expected)),
                "{expected} not in {names:?}"
            );
        }
    }

    #[test]
    fn standard_output_gets_the_same_picture_as_a_file() {
        let Some(path) = person("joel.jpg") else { return };
        let folder = tempfile::tempdir().expect("a folder");
        let output = tryon(&path, &garment("tee-white.png"), &["-o", "-"], folder.path());
        assert!(output.stdout.starts_with(b"\x89PNG\r\n"), "not a PNG");
        let (streamed, _) = Picture::read(&output.stdout, Path::new("-")).expect("a picture");
        assert_eq!(streamed, dressed(&path, "tee-white.png").0);
    }

    /// A PNG whose Exif block asks for a quarter turn clockwise.
    fn turned(upright: &Picture) -> Vec<u8> {
        let (width, height) = (upright.height, upright.width);
        let rgb = upright.rgb8();
        let mut stored = Vec::with_capacity(rgb.len());
        for y in 0..height {
            for x in 0..width {
                stored.extend_from_slice(&rgb[(x * upright.width + height - 1 - y) * 3..][..3]);
            }
        }
        let mut png = Vec::new();
        let picture = Picture::from_rgb8(width, height, stored);
        picture.encode(Format::Png, &mut png).expect("encoded");
        let mut chunk =
            b"eXIfMM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec();
        let mut crc = flate2::Crc::new();
        crc.update(&chunk);
        let length = (chunk.len() - 4) as u32;
        chunk.extend(crc.sum().to_be_bytes());
        // After the signature and the header.
        png.splice(33..33, length.to_be_bytes().into_iter().chain(chunk));
        png
    }

    #[test]
    fn a_photo_that_lies_on_its_side_gives_the_picture_of_the_upright_one() {
        let Some(path) = person("yuna.jpg") else { return };
        let folder = tempfile::tempdir().expect("a folder");
        let lying = folder.path().join("lying.png");
        std::fs::write(&lying, turned(&picture(&path))).expect("lying.png");
        assert_eq!(picture(&lying), picture(&path));
        let garment = "tee-teal-stripe.png";
        assert_eq!(dressed(&lying, garment).0, dressed(&path, garment).0);
    }

    /// The photo at `scale` with its upper left corner at `corner`, on a canvas that repeats its edges.
    fn pasted(
        photo: &Picture,
        canvas: &mut [u8],
        columns: std::ops::Range<usize>,
        width: usize,
        scale: f32,
        corner: Vec2,
    ) {
        let rgb = photo.rgb8();
        for (y, row) in canvas.chunks_exact_mut(width * 3).enumerate() {
            for x in columns.clone() {
                let from = (Vec2::new(x as f32 + 0.5, y as f32 + 0.5) - corner) / scale;
                let limit = Vec2::new(photo.width as f32 - 1.0, photo.height as f32 - 1.0);
                let from = from.clamp(Vec2::ZERO, limit).as_usizevec2();
                let pixel = &rgb[(from.y * photo.width + from.x) * 3..][..3];
                row[x * 3..x * 3 + 3].copy_from_slice(pixel);
            }
        }
    }

    #[test]
    fn of_two_people_only_the_larger_is_dressed() {
        let (Some(one), Some(other)) = (person("rafael.jpg"), person("mara.jpg")) else { return };
        let (one, other) = (picture(&one), picture(&other));
        let height = 900;
        let scale = height as f32 / one.height as f32;
        let first = (one.width as f32 * scale) as usize;
        let small = 0.7 * height as f32 / other.height as f32;
        let width = first + (other.width as f32 * small) as usize;
        let mut rgb = vec![0; width * height * 3];
        pasted(&one, &mut rgb, 0..first, width, scale, Vec2::ZERO);
        let corner = Vec2::new(first as f32, 0.25 * height as f32);
        pasted(&other, &mut rgb, first..width, width, small, corner);
        let pair = Picture::from_rgb8(width, height, rgb);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pair.png");
        pair.save(&path, Existing::Keep).expect("pair.png");
        let (after, report) = dressed(&path, "tee-red-print.png");
        assert_eq!(report["people"], 2);
        assert!(!report["notes"].as_array().expect("a list").is_empty());
        let changed = |right: bool| {
            let side = |p: Vec2| (p.x > first as f32) == right;
            pixels(&pair, &after).filter(|(p, old, new)| side(*p) && old != new).count()
        };
        assert!(changed(false) > 5000, "the larger is not dressed");
        assert_eq!(changed(true), 0, "the smaller changed");
    }

    #[test]
    fn nobody_and_somebody_far_away_are_told_so() {
        let Some(path) = person("rafael.jpg") else { return };
        let folder = tempfile::tempdir().expect("a folder");
        let photo = picture(&path);
        let wall = Picture::from_rgb8(400, 300, vec![180; 400 * 300 * 3]);
        wall.save(&folder.path().join("wall.png"), Existing::Keep).expect("wall.png");
        let mut rgb = vec![180; 640 * 480 * 3];
        let scale = 40.0 / photo.height as f32;
        let columns = 300..300 + (photo.width as f32 * scale) as usize;
        pasted(&photo, &mut rgb, columns, 640, scale, Vec2::new(300.0, 200.0));
        let far = Picture::from_rgb8(640, 480, rgb);
        far.save(&folder.path().join("far.png"), Existing::Keep).expect("far.png");
        for name in ["wall.png", "far.png"] {
            let output = tryon(
                Path::new(name),
                &garment("tee-white.png"),
                &["-o", "out.png"],
                folder.path(),
            );
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{name}: {said}");
            let clear = said.contains("no person found") || said.contains("too small");
            assert!(clear && said.lines().count() == 1, "{name}: {said}");
            assert!(!folder.path().join("out.png").exists(), "{name}");
        }
    }
}

#[test]
fn a_tee_cut_off_a_figure_is_a_tee_of_its_colour() {
    let (figure, photo) = Figure::whole(150.0);
    let people = [figure.person(photo.width, photo.height)];
    let tee = cut(&photo, &people, Wanted::Top).expect("a tee is worn");
    assert_eq!(tee.category, Category::TShirt);
    let points = &tee.points;
    let axis = 0.5 * (points.shoulder[0].x + points.shoulder[1].x);
    for pair in [points.shoulder, points.collar, points.armpit, points.hem] {
        let width = pair[1].x - pair[0].x;
        assert!(width > 20.0 && (0.5 * (pair[0].x + pair[1].x) - axis).abs() < 0.02 * width);
    }
    assert!(points.armpit[0].y > points.shoulder[0].y && points.hem[0].y > points.armpit[0].y);
}

#[test]
fn what_cannot_be_cut_is_told() {
    let (figure, photo) = Figure::whole(150.0);
    let person = figure.person(photo.width, photo.height);
    let told = |people: &[Person], wanted: Wanted| cut(&photo, people, wanted).err();
    assert_eq!(told(&[], Wanted::Top), Some(CutError::Person(TryonError::NoPerson)));
    let mut turned = person.clone();
    turned.landmarks.swap(LEFT_SHOULDER, RIGHT_SHOULDER);
    assert_eq!(told(&[turned], Wanted::Top), Some(CutError::Person(TryonError::FacesAway)));
    let hat = Wanted::Exactly(Category::Hat);
    assert_eq!(told(&[person], hat), Some(CutError::Category { category: Category::Hat }));
}
