//! The drawn screen: where things are, what touching them does, what is written to files.

use std::sync::Arc;
use std::time::{Duration, Instant};
use vitrine::garment::Category;
use vitrine::mirror::view::{
    Action, Catalogue, Hand, Hint, Look, Piece, Seen, Shop, Stage, Trouble, View,
};
use vitrine::picture::Picture;
use vitrine::screen::draw::{Input, Interface, Key, Layout, Painter, Point, TOUCH, Target};
use vitrine::screen::file::FileScreen;
use vitrine::screen::script::{Script, Scripted};
use vitrine::screen::{Screen, ScreenError};

const SIZES: [(usize, usize); 9] = [
    (800, 480),
    (1024, 600),
    (1280, 720),
    (1920, 1080),
    (3840, 2160),
    (600, 1024),
    (720, 1280),
    (1080, 1920),
    (2160, 3840),
];

const STAGES: [Stage; 7] = [
    Stage::Attract,
    Stage::Consent,
    Stage::Live,
    Stage::Countdown { left: Duration::from_millis(2100) },
    Stage::Studio { progress: 0.4, left: Some(Duration::from_secs(7)) },
    Stage::Result,
    Stage::Wipe,
];

fn grey(width: usize, height: usize, value: u8) -> Arc<Picture> {
    Arc::new(Picture::from_rgb8(width, height, vec![value; width * height * 3]))
}

fn catalogue(count: usize) -> Arc<Catalogue> {
    let pieces = (0..count).map(|index| Piece {
        id: format!("piece-{index}"),
        name: format!("Piece number {index} with a long name"),
        category: Category::ALL[index % Category::ALL.len()],
        thumbnail: Arc::from([].as_slice()),
    });
    Arc::new(Catalogue { version: 1, pieces: pieces.collect(), broken: Vec::new() })
}

fn look(number: u64) -> Arc<Look> {
    let wearing = vec!["piece-1".to_owned()];
    let (before, after) = (grey(64, 36, 40), grey(64, 36, 200));
    Arc::new(Look { number, wearing, before, after, focus: 0.5 })
}

fn view(stage: Stage) -> View {
    let shop = Shop {
        name: "The corner shop".into(),
        consent: Some("The camera's picture stays in this device. ".repeat(3)),
        ..Shop::default()
    };
    View {
        number: 1,
        captured: Instant::now(),
        stage,
        picture: Some(grey(128, 72, 120)),
        trouble: None,
        hint: None,
        hand: None,
        catalogue: catalogue(18),
        wearing: Vec::new(),
        looks: Vec::new(),
        shop: Arc::new(shop),
    }
}

fn in_language(mut view: View, language: &str) -> View {
    let shop = Shop { language: Some(language.to_owned()), ..(*view.shop).clone() };
    view.shop = Arc::new(shop);
    view
}

/// Every stage with little and with much on the screen.
fn views() -> Vec<View> {
    let mut views = Vec::new();
    for stage in STAGES {
        let plain = view(stage.clone());
        let full = View {
            wearing: vec!["piece-0".into(), "piece-5".into()],
            hint: Some(Hint::FaceTheMirror),
            hand: Some(Hand { progress: 0.5, at: [0.2, 0.9] }),
            looks: (1..=6).map(look).collect(),
            ..plain.clone()
        };
        let bare = View {
            picture: None,
            trouble: Some(Trouble::CameraFailed("the cable is loose".into())),
            catalogue: catalogue(0),
            looks: vec![look(1)],
            ..plain.clone()
        };
        views.extend([plain, full, bare]);
    }
    views
}

#[test]
fn everything_that_can_be_touched_is_large_enough_apart_and_on_the_screen() {
    for size in SIZES {
        let mut painter = Painter::new(size.0, size.1);
        for language in ["en", "ar"] {
            for view in views() {
                let view = in_language(view, language);
                for compare in [false, true] {
                    let mut interface = Interface::default();
                    interface.compare = compare;
                    let layout = painter.layout(&view, &interface);
                    check(&layout, &format!("{size:?} {language} {:?}", view.stage));
                }
            }
        }
    }
}

fn check(layout: &Layout, what: &str) {
    let least = (TOUCH as f32 * layout.unit) as i32;
    for (index, (target, place)) in layout.targets.iter().enumerate() {
        assert!(place.width >= least && place.height >= least, "{what}: {target:?} is {place:?}");
        assert_eq!(place.within(layout.screen), *place, "{what}: {target:?} leaves the screen");
        for (other, other_place) in &layout.targets[index + 1..] {
            assert!(!place.touches(*other_place), "{what}: {target:?} overlaps {other:?}");
        }
        assert_eq!(layout.hit(place.center()).as_ref(), Some(target), "{what}");
    }
    assert_eq!(layout.hit(Point { x: -1.0, y: 5.0 }), None, "{what}");
}

#[test]
fn every_stage_offers_its_way_on() {
    let mut painter = Painter::new(1280, 720);
    for (stage, targets) in [
        (Stage::Attract, vec![Target::Screen]),
        (Stage::Consent, vec![Target::Agree, Target::Decline]),
        (Stage::Live, vec![Target::TakePicture, Target::Done, Target::Piece("piece-0".into())]),
        (Stage::Countdown { left: Duration::ZERO }, vec![Target::Cancel]),
        (Stage::Studio { progress: 2.0, left: None }, vec![Target::Cancel]),
        (Stage::Result, vec![Target::Back, Target::Done, Target::Slider]),
    ] {
        let view = View { looks: vec![look(1)], ..view(stage) };
        let layout = painter.layout(&view, &Interface::default());
        for target in targets {
            assert!(layout.place(&target).is_some(), "{:?} lacks {target:?}", view.stage);
        }
    }
}

#[test]
fn a_language_from_right_to_left_is_mirrored() {
    let mut painter = Painter::new(1280, 720);
    let view = view(Stage::Live);
    let english = painter.layout(&in_language(view.clone(), "en"), &Interface::default());
    let arabic = painter.layout(&in_language(view, "ar"), &Interface::default());
    let english = english.place(&Target::TakePicture).unwrap();
    let arabic = arabic.place(&Target::TakePicture).unwrap();
    assert_eq!(arabic.x, 1280 - english.right());
}

/// A person before a screen.
struct Person {
    painter: Painter,
    interface: Interface,
    view: View,
    actions: Vec<Action>,
}

impl Person {
    fn new(size: (usize, usize), view: View) -> Self {
        let mut interface = Interface::default();
        interface.follow(&view);
        Self { painter: Painter::new(size.0, size.1), interface, view, actions: Vec::new() }
    }

    fn layout(&mut self) -> Layout {
        self.painter.layout(&self.view, &self.interface)
    }

    fn does(&mut self, input: Input) -> &mut Self {
        let layout = self.layout();
        let right_to_left = self.painter.right_to_left();
        self.interface.take(input, &self.view, &layout, right_to_left, &mut self.actions);
        self
    }

    fn at(&mut self, target: &Target) -> Point {
        let layout = self.layout();
        layout.place(target).unwrap_or_else(|| panic!("no {target:?}")).center()
    }

    fn taps(&mut self, target: &Target) -> Vec<Action> {
        let at = self.at(target);
        self.does(Input::Down(at)).does(Input::Up(at));
        std::mem::take(&mut self.actions)
    }

    fn drags(&mut self, from: Point, [x, y]: [f32; 2]) -> Vec<Action> {
        self.does(Input::Down(from));
        for step in 1..=10 {
            let share = step as f32 / 10.0;
            self.does(Input::Move(Point { x: from.x + x * share, y: from.y + y * share }));
        }
        self.does(Input::Up(Point { x: from.x + x, y: from.y + y }));
        std::mem::take(&mut self.actions)
    }
}

#[test]
fn a_tap_does_what_is_written_there() {
    let mut person = Person::new((1280, 720), view(Stage::Live));
    let piece = Target::Piece("piece-2".into());
    assert_eq!(person.taps(&piece), [Action::Wake, Action::Wear("piece-2".into())]);
    assert_eq!(person.taps(&Target::TakePicture), [Action::Wake, Action::TakePicture]);
    assert_eq!(person.taps(&Target::Done), [Action::Wake, Action::Done]);
    let hats = Target::Category(Some(Category::TShirt));
    assert_eq!(person.taps(&hats), [Action::Wake]);
    let shown = person.layout().pieces;
    assert_eq!(shown, ["piece-0", "piece-9"], "only T-shirts are left");
}

#[test]
fn a_finger_that_slides_off_does_nothing() {
    let mut person = Person::new((1280, 720), view(Stage::Live));
    let from = person.at(&Target::Done);
    assert_eq!(person.drags(from, [0.0, 300.0]), [Action::Wake]);
}

#[test]
fn a_drag_pushes_the_pieces_and_chooses_none() {
    for (size, by) in [((1280, 720), [0.0, -200.0]), ((1080, 1920), [-300.0, 0.0])] {
        for language in ["en", "ar"] {
            let mut person = Person::new(size, in_language(view(Stage::Live), language));
            let by = if language == "ar" { [-by[0], by[1]] } else { by };
            let from = person.at(&Target::Piece("piece-0".into()));
            assert_eq!(person.drags(from, by), [Action::Wake], "{size:?} {language}");
            let layout = person.layout();
            let place = layout.place(&Target::Piece("piece-2".into()));
            assert!(place.is_none_or(|place| place.center() != from), "{size:?} {language}");
            let first =
                layout.targets.iter().find(|(target, _)| matches!(target, Target::Piece(_)));
            assert_ne!(first.unwrap().0, Target::Piece("piece-0".into()), "{size:?} {language}");
        }
    }
}

#[test]
fn the_line_between_before_and_after_follows_the_finger() {
    let mut person = Person::new((1280, 720), View { looks: vec![look(1)], ..view(Stage::Result) });
    let place = person.layout().place(&Target::Slider).unwrap();
    let from = place.center();
    person.drags(from, [place.width as f32, 0.0]);
    assert!(person.interface.slider > 0.99, "{}", person.interface.slider);
    let left = Point { x: place.x as f32 + 3.0, y: from.y };
    person.does(Input::Down(left)).does(Input::Up(left));
    person.painter.draw(&person.view, &person.interface);
    let frame = person.painter.frame();
    let right = place.right() as usize - 40;
    assert_eq!(frame.pixels[from.y as usize * 1280 + right] & 0xff, 200, "after is on the right");
}

#[test]
fn the_keyboard_reaches_every_piece_and_takes_the_picture() {
    for size in [(1280, 720), (1080, 1920)] {
        let mut person = Person::new(size, view(Stage::Live));
        let onward = if size.0 > size.1 { Key::Down } else { Key::Right };
        person.interface.focus = Some(Target::Piece("piece-0".into()));
        let across = if size.0 > size.1 { 2 } else { 1 };
        for step in 1..18 / across {
            person.does(Input::Key(onward));
            let expected = Target::Piece(format!("piece-{}", step * across));
            assert_eq!(person.interface.focus.as_ref(), Some(&expected), "{size:?}");
            assert!(
                person.layout().place(&expected).is_some(),
                "{size:?}: {expected:?} is not seen"
            );
        }
        person.interface.focus = Some(Target::TakePicture);
        person.actions.clear();
        person.does(Input::Key(Key::Enter));
        assert_eq!(person.actions, [Action::Wake, Action::TakePicture]);
    }
}

#[test]
fn escape_leaves_what_is_going_on() {
    for (stage, action) in [
        (Stage::Consent, Action::Decline),
        (Stage::Live, Action::Done),
        (Stage::Countdown { left: Duration::from_secs(3) }, Action::Cancel),
        (Stage::Studio { progress: 0.0, left: None }, Action::Cancel),
        (Stage::Result, Action::Back),
    ] {
        let mut person = Person::new((1280, 720), view(stage));
        person.does(Input::Key(Key::Escape));
        assert_eq!(person.actions, [Action::Wake, action]);
    }
}

#[test]
fn a_new_visit_begins_anew() {
    let mut person = Person::new((1280, 720), view(Stage::Live));
    person.taps(&Target::Category(Some(Category::TShirt)));
    person.interface.follow(&view(Stage::Wipe));
    assert_eq!(person.interface.category, None);
}

#[test]
fn what_has_not_changed_is_not_drawn_again() {
    let mut painter = Painter::new(640, 480);
    let interface = Interface::default();
    let first = View { looks: vec![look(1)], ..view(Stage::Result) };
    assert!(painter.draw(&first, &interface));
    assert!(!painter.draw(&View { number: 2, ..first.clone() }, &interface));
    assert!(painter.draw(&view(Stage::Live), &interface));
    assert!(painter.draw(&View { number: 9, ..view(Stage::Live) }, &interface));
}

#[test]
fn nobody_is_left_in_memory_after_a_wipe() {
    let mut painter = Painter::new(640, 480);
    painter.draw(
        &View { looks: vec![look(1), look(2)], ..view(Stage::Result) },
        &Interface::default(),
    );
    painter.wipe();
    assert!(painter.frame().pixels.iter().all(|pixel| *pixel == 0));
    assert!(painter.draw(&view(Stage::Wipe), &Interface::default()));
}

#[test]
fn a_view_is_written_to_the_file_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let one = folder.path().join("mirror.png");
    let mut screen = FileScreen::create(&one, (320, 240)).unwrap();
    for number in 1..=3 {
        screen.show(&Arc::new(View { number, ..view(Stage::Live) })).unwrap();
    }
    assert_eq!(screen.seen().iter().map(|seen| seen.number).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(image::image_dimensions(&one).unwrap(), (320, 240));

    let mut screen = FileScreen::create(&folder.path().join("v-%03d.png"), (320, 240)).unwrap();
    for number in 1..=2 {
        screen.show(&Arc::new(View { number, ..view(Stage::Live) })).unwrap();
    }
    assert!(folder.path().join("v-000.png").exists() && folder.path().join("v-001.png").exists());

    let film = folder.path().join("mirror.mjpeg");
    let mut screen = FileScreen::create(&film, (320, 240)).unwrap();
    for number in 1..=2 {
        screen.show(&Arc::new(View { number, ..view(Stage::Live) })).unwrap();
    }
    let film = std::fs::read(&film).unwrap();
    let begins = film.windows(3).filter(|bytes| *bytes == [0xff, 0xd8, 0xff]).count();
    assert_eq!(begins, 2, "two JPEGs");

    let Err(why) = FileScreen::create(&folder.path().join("mirror.gif"), (8, 8)) else {
        panic!("no screen is a GIF");
    };
    assert!(why.to_string().contains(".png or .mjpeg"), "{why}");
}

/// A screen that shows nothing and has a shopper who wakes it.
struct Blind;

impl Screen for Blind {
    fn show(&mut self, _: &Arc<View>) -> Result<(), ScreenError> {
        Ok(())
    }

    fn seen(&mut self) -> Vec<Seen> {
        Vec::new()
    }

    fn actions(&mut self) -> Vec<Action> {
        vec![Action::Wake]
    }

    fn wipe(&mut self) {}
}

#[test]
fn a_script_begins_with_the_first_view_and_runs_in_order() {
    let script = Script::parse("at 0 wear piece-1\nat 0 picture\nat 3600 done").unwrap();
    let mut screen = Scripted::new(Blind, script);
    assert_eq!(screen.actions(), [Action::Wake], "nothing before the first view");
    screen.show(&Arc::new(view(Stage::Live))).unwrap();
    let expected = [Action::Wake, Action::Wear("piece-1".into()), Action::TakePicture];
    assert_eq!(screen.actions(), expected);
    assert_eq!(screen.actions(), [Action::Wake], "each line once");
}
