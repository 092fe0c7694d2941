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
use vitrine::tryon::{Dressed, Piece, TryonError, dress};

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
                let at = scene.figure.to_figure(p);
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
        let (mut trunk, mut trunk_old, mut whole, mut whole_old) = (0, 0, 0, 0);
        for (p, old, new) in pixels(&scene.photo, &dressed.picture) {
            if scene.figure.part_at(p) != Some(Part::Tee) || !looks_like_the_old_tee(old) {
                continue;
            }
            let at = scene.figure.to_figure(p);
            let remains = usize::from(looks_like_the_old_tee(new));
            whole += 1;
            whole_old += remains;
            if at.x.abs() < 0.40 && (0.2..1.35).contains(&at.y) {
                trunk += 1;
                trunk_old += remains;
            }
        }
        let gone = |old: usize, all: usize| 1.0 - old as f32 / all as f32;
        if gone(trunk_old, trunk) < 0.97 {
            faults.push(format!("{name}: {:.3} of the trunk is covered", gone(trunk_old, trunk)));
        }
        if gone(whole_old, whole) < 0.93 {
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
            let at = scene.figure.to_figure(*target);
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
        let points: Vec<Vec2> = points.iter().map(|&p| scene.figure.to_figure(p)).collect();
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
            let trunk = fit.patches[0].target.iter().map(|&p| scene.figure.to_figure(p).y);
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
                let at = scene.figure.to_figure(p);
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
        let at = scene.figure.to_figure(p);
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
    for x in [690.0, 640.0] {
        let small = Figure { middle: Vec2::new(x, 330.0), shoulders: 110.0 };
        let photo = drawn(1000, 950, &[large, small]);
        let people = vec![large.person(1000, 950), small.person(1000, 950)];
        for name in ["tee-red-print", "jacket-denim", "dress-floral", "trousers-jeans"] {
            let dressed = dress(&photo, &people, &[piece(name)]).expect("dressed");
            let (mut changed, mut own) = (0, 0);
            for (p, old, new) in pixels(&photo, &dressed.picture) {
                let theirs = small.part_at(p).is_some() && large.distance(p) > 0.03;
                changed += usize::from(old != new && theirs);
                own += usize::from(old != new && large.part_at(p).is_some());
            }
            assert_eq!(changed, 0, "{name}, {x}: pixels of the other person changed");
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
