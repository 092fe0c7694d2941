//! Frames into pictures, recorded and drawn cameras, and the thread that runs a camera whatever becomes of it.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use vitrine::camera::{
    BrokenFrame, Camera, CameraError, Capture, Counters, Decoder, Encoding, Frame, Mode, Rate,
    Source, Status, Turn, Wanted, open,
};
use vitrine::picture::Picture;

const WANTED: Wanted = Wanted { width: 320, height: 240, rate: 60.0 };
const PERSON: &[u8] = include_bytes!("../docs/people/rafael.jpg");
/// Long enough for any machine; nothing waits for it unless a test fails.
const LONG: Duration = Duration::from_secs(20);

fn frame(encoding: Encoding, [width, height]: [usize; 2], stride: usize, data: Vec<u8>) -> Frame {
    Frame { data, width, height, stride, encoding, ..Frame::empty() }
}

fn jpeg(data: &[u8]) -> Frame {
    frame(Encoding::Mjpeg, [900, 1200], 0, data.to_vec())
}

fn decode(frame: &Frame, turn: Turn) -> Result<Picture, BrokenFrame> {
    let mut picture = Picture::from_rgb8(0, 0, Vec::new());
    frame.decode(turn, &mut picture).map(|()| picture)
}

/// A small number that is hard to guess, from another.
fn scramble(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb)
}

// ---------------------------------------------------------------- frames

#[test]
fn every_encoding_shows_its_colour() {
    // Red in limited BT.601: Y 81, Cb 90, Cr 240.
    let size = [6, 4];
    let yuyv = [81, 90, 81, 240].repeat(3 * 4);
    let nv12 = [vec![81; 24], [90, 240].repeat(3 * 2)].concat();
    let frames = [
        frame(Encoding::Yuyv, size, 12, yuyv),
        frame(Encoding::Nv12, size, 6, nv12),
        frame(Encoding::Rgb, size, 18, [254, 0, 0].repeat(24)),
        frame(Encoding::Bgr, size, 18, [0, 0, 254].repeat(24)),
    ];
    for frame in frames {
        for quarter_turns in 0..4 {
            let turn = Turn { mirrored: true, quarter_turns };
            let picture = decode(&frame, turn).unwrap();
            assert_eq!([picture.width, picture.height], turn.size(size));
            for pixel in picture.rgb8().chunks(3) {
                let near = pixel[0] >= 252 && pixel[1] <= 2 && pixel[2] <= 2;
                assert!(near, "{} {turn:?}: {pixel:?}", frame.encoding);
            }
        }
    }
}

#[test]
fn rows_may_lie_apart_and_the_last_one_need_not_be_filled_up() {
    let mut data = vec![9; 2 * 16 + 6];
    for (row, value) in [10, 20, 30].into_iter().enumerate() {
        data[row * 16..][..6].fill(value);
    }
    let picture = decode(&frame(Encoding::Rgb, [2, 3], 16, data), Turn::default()).unwrap();
    assert_eq!(*picture.rgb8(), [[10; 6], [20; 6], [30; 6]].concat());
}

#[test]
fn a_jpeg_is_decoded_and_turned_like_any_frame() {
    let upright = decode(&jpeg(PERSON), Turn::default()).unwrap();
    assert_eq!([upright.width, upright.height], [900, 1200]);
    let turned = decode(&jpeg(PERSON), Turn { mirrored: false, quarter_turns: 1 }).unwrap();
    assert_eq!([turned.width, turned.height], [1200, 900]);
    // What was the lower left corner is the upper left one.
    assert_eq!(turned.rgb8()[..3], upright.rgb8()[1199 * 900 * 3..][..3]);
}

#[test]
fn a_jpeg_that_is_cut_off_is_broken_wherever_it_ends() {
    let mut decoder = Decoder::new();
    let mut picture = Picture::from_rgb8(0, 0, Vec::new());
    let lengths = (0..40).map(|step| PERSON.len() * step / 40).chain([1, 2, 3, PERSON.len() - 1]);
    for length in lengths {
        let cut = &PERSON[..length];
        assert!(decoder.decode(&jpeg(cut), Turn::default(), &mut picture).is_err(), "{length}");
        // Some cameras end what they cut off properly, or fill it up with zeros.
        let ended = [cut, &[0xff, 0xd9]].concat();
        let whole = length == PERSON.len() - 1;
        let found = decoder.decode(&jpeg(&ended), Turn::default(), &mut picture);
        assert!(found.is_err() || whole, "{length}, with an end");
        let filled = [cut, &[0; 4096]].concat();
        assert!(
            decoder.decode(&jpeg(&filled), Turn::default(), &mut picture).is_err(),
            "{length}, filled"
        );
    }
}

#[test]
fn a_jpeg_without_huffman_tables_has_those_of_the_standard() {
    let tables = |data: &[u8]| data.windows(2).position(|pair| pair == [0xff, 0xc4]);
    let mut data = PERSON.to_vec();
    let mut left_out = 0;
    while let Some(at) = tables(&data[..1000]) {
        let length = usize::from(u16::from_be_bytes([data[at + 2], data[at + 3]]));
        data.drain(at..at + 2 + length);
        left_out += 1;
    }
    assert!(left_out > 0);
    // The picture was made with tables of its own, so its coded bytes say nothing in the standard's: what counts is that
    // the missing tables are not what is wrong.
    let error = decode(&jpeg(&data), Turn::default()).err();
    assert!(!format!("{error:?}").contains("Huffman table"), "{error:?}");
}

#[test]
fn hostile_frames_are_errors() {
    let mut decoder = Decoder::new();
    let mut picture = Picture::from_rgb8(0, 0, Vec::new());
    let mut decode = |frame: &Frame| {
        decoder.decode(frame, Turn { mirrored: true, quarter_turns: 1 }, &mut picture)
    };
    for encoding in [Encoding::Yuyv, Encoding::Nv12, Encoding::Rgb, Encoding::Bgr, Encoding::Mjpeg]
    {
        let sizes =
            [[0, 0], [0, 5], [usize::MAX, 2], [1 << 20, 1 << 20], [8192, 8192], [64, 48], [63, 47]];
        for size in sizes {
            for stride in [0, 1, 64, 192, usize::MAX] {
                for length in [0, 1, 100, 2000] {
                    let data = (0..length).map(|at| scramble(at) as u8).collect();
                    let found = decode(&frame(encoding, size, stride, data));
                    assert!(found.is_err(), "{encoding} {size:?} stride {stride} length {length}");
                }
            }
        }
    }
    // A JPEG that says it is much larger than the camera's frames.
    let mut large = PERSON.to_vec();
    let size = large.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("a baseline JPEG") + 5;
    large[size..size + 4].fill(0xff);
    assert_eq!(decode(&jpeg(&large)), Err(BrokenFrame::Size { width: 65535, height: 65535 }));
}

#[test]
fn no_spoilt_jpeg_makes_the_decoder_panic() {
    let mut decoder = Decoder::new();
    let mut picture = Picture::from_rgb8(0, 0, Vec::new());
    let mut random = 1;
    for round in 0..120 {
        let mut data = PERSON.to_vec();
        // Now the header only, now all of it.
        let within = if round % 2 == 0 { 700 } else { data.len() };
        for _ in 0..=round % 9 {
            random = scramble(random + 1);
            let at = random as usize % within;
            data[at] = (random >> 40) as u8;
        }
        let _ = decoder.decode(&jpeg(&data), Turn::default(), &mut picture);
    }
}

// ---------------------------------------------------------------- recorded pictures

fn replay(path: &Path, rate: Option<Rate>, once: bool) -> Result<Box<dyn Camera>, CameraError> {
    open(&Source::Replay { path: path.into(), rate, once }, &WANTED)
}

/// All frames of a recording, as fast as they come.
fn all(path: &Path) -> Result<Vec<Frame>, CameraError> {
    let mut camera = replay(path, Some(Rate::Max), true)?;
    let mut frames = Vec::new();
    loop {
        let mut frame = Frame::empty();
        match camera.next(&mut frame, LONG) {
            Ok(true) => frames.push(frame),
            Ok(false) => panic!("a frame is always there"),
            Err(CameraError::Ended) => return Ok(frames),
            Err(error) => return Err(error),
        }
    }
}

#[test]
fn a_folder_is_given_in_the_order_of_its_names() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("b.jpg"), PERSON).unwrap();
    fs::write(folder.path().join("notes.txt"), "no picture").unwrap();
    image::RgbImage::from_pixel(40, 30, image::Rgb([1, 2, 3]))
        .save(folder.path().join("a.png"))
        .unwrap();
    let frames = all(folder.path()).unwrap();
    let found: Vec<_> = frames.iter().map(|f| (f.encoding, f.width, f.sequence)).collect();
    assert_eq!(found, [(Encoding::Rgb, 40, 1), (Encoding::Mjpeg, 900, 2)]);
    assert_eq!(decode(&frames[0], Turn::default()).unwrap().rgb8()[..3], [1, 2, 3]);

    let mut looping = replay(folder.path(), Some(Rate::Max), false).unwrap();
    let mut frame = Frame::empty();
    for expected in [40, 900, 40, 900, 40] {
        assert_eq!(looping.next(&mut frame, LONG), Ok(true));
        assert_eq!(frame.width, expected);
    }
}

#[test]
fn what_lies_between_jpegs_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("recording.mjpeg");
    let garbage: Vec<u8> = (0..5000).map(|at| scramble(at) as u8).collect();
    // A start without an end, twice, and a last picture that is cut off.
    let parts =
        [PERSON, &garbage, PERSON, &[0xff, 0xd8, 0xff, 0xe0], &garbage, PERSON, &PERSON[..9000]];
    fs::write(&file, parts.concat()).unwrap();
    let frames = all(&file).unwrap();
    assert_eq!(frames.len(), 3);
    for frame in frames {
        assert_eq!(frame.data, PERSON);
    }
}

/// A Y4M file of two frames, all of the same Y', Cb and Cr.
fn y4m(tags: &str, planes: usize, [y, cb, cr]: [u8; 3], luma: usize) -> Vec<u8> {
    let chroma = (planes - luma) / 2;
    let frame = [b"FRAME\n".to_vec(), vec![y; luma], vec![cb; chroma], vec![cr; chroma]].concat();
    [format!("YUV4MPEG2 {tags}\n").into_bytes(), frame.repeat(2)].concat()
}

#[test]
fn y4m_is_read_in_all_three_kinds_of_chroma_also_in_odd_sizes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("recording.y4m");
    let kinds = [("C420jpeg", 7 * 5 + 2 * 4 * 3), ("C422", 7 * 5 + 2 * 4 * 5), ("C444", 7 * 5 * 3)];
    for (chroma, planes) in kinds {
        fs::write(&file, y4m(&format!("W7 H5 F25:1 Ip A1:1 {chroma}"), planes, [81, 90, 240], 35))
            .unwrap();
        assert_eq!(replay(&file, None, false).unwrap().mode().rate, 25.0);
        let frames = all(&file).unwrap();
        assert_eq!(frames.len(), 2, "{chroma}");
        let picture = decode(&frames[1], Turn::default()).unwrap();
        assert_eq!([picture.width, picture.height], [7, 5]);
        for pixel in picture.rgb8().chunks(3) {
            assert!(pixel[0] >= 252 && pixel[1] <= 2 && pixel[2] <= 2, "{chroma}: {pixel:?}");
        }
    }
}

#[test]
fn hostile_recordings_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("recording");
    let long = format!("YUV4MPEG2 {}", "X".repeat(100_000));
    let headers = [
        "YUV4MPEG2 W999999999 H999999999\nFRAME\n",
        "YUV4MPEG2 W8000 H8000\nFRAME\n",
        "YUV4MPEG2 W18446744073709551615 H2\nFRAME\n",
        "YUV4MPEG2 W-1 H5\nFRAME\n",
        "YUV4MPEG2 W2000 H2000\nFRAME\n",
        "YUV4MPEG2\nFRAME\n",
        "YUV4MPEG2 W64 H64 C420p10\nFRAME\n",
        "YUV4MPEG2 Wé\u{fffd} é\nFRAME\n",
        "YUV4MPEG2",
        &long,
        "hello",
        "",
        "\u{7f}ELF",
    ];
    for header in headers {
        fs::write(&file, header).unwrap();
        let found = all(&file);
        assert!(matches!(found, Err(CameraError::Replay { .. })), "{header:.60}: {found:?}");
    }
    // Frames without the word that begins them.
    fs::write(&file, [b"YUV4MPEG2 W4 H4\n".to_vec(), vec![b'\n'; 500]].concat()).unwrap();
    assert!(matches!(all(&file), Err(CameraError::Replay { .. })));
    // Starts of JPEGs, and none with an end.
    fs::write(&file, [0xff, 0xd8].repeat(300_000)).unwrap();
    assert!(matches!(all(&file), Err(CameraError::Replay { .. })));
    fs::write(&file, PERSON[..5000].repeat(50)).unwrap();
    assert!(matches!(all(&file), Err(CameraError::Replay { .. })));
    let missing = all(&folder.path().join("missing"));
    assert!(matches!(missing, Err(CameraError::Replay { .. })));
    fs::remove_file(&file).unwrap();
    assert!(matches!(all(folder.path()), Err(CameraError::Replay { .. })), "an empty folder");
    image::RgbImage::new(30, 30).save(folder.path().join("a.png")).unwrap();
    let png = fs::read(folder.path().join("a.png")).unwrap();
    fs::write(folder.path().join("a.png"), &png[..png.len() / 2]).unwrap();
    assert!(matches!(all(folder.path()), Err(CameraError::Replay { .. })), "half a PNG");
}

// ---------------------------------------------------------------- the drawn figure

#[test]
fn the_figure_walks_and_is_the_same_for_the_same_seed() {
    use vitrine::camera::synthetic::Synthetic;
    let draw = |seed, number| {
        let mut frame = Frame::empty();
        Synthetic::new(seed, &WANTED).draw(number, &mut frame);
        frame.data
    };
    assert!(draw(1, 5) == draw(1, 5));
    assert!(draw(1, 5) != draw(2, 5));
    assert!(draw(1, 5) != draw(1, 6));
    // The shirt's blue is right of the middle at a quarter of the walk, left of it at three quarters.
    let middle = |data: Vec<u8>| {
        let row = &data[100 * 960..101 * 960];
        let blue =
            row.chunks(3).enumerate().filter(|(_, pixel)| pixel[2] > pixel[0].saturating_add(50));
        let columns: Vec<usize> = blue.map(|(column, _)| column).collect();
        columns.iter().sum::<usize>() / columns.len()
    };
    assert!(middle(draw(1, 60)) > middle(draw(1, 180)) + 40);
    for [width, height] in [[240, 320], [64, 480], [1, 1]] {
        let wanted = Wanted { width, height, rate: f32::NAN };
        let mut frame = Frame::empty();
        Synthetic::new(0, &Wanted { rate: 30.0, ..wanted }).draw(77, &mut frame);
        assert!(decode(&frame, Turn::default()).is_ok());
    }
}

// ---------------------------------------------------------------- the thread

/// What a camera does when it is asked for a frame.
#[derive(Clone)]
enum Act {
    Give,
    Wait,
    Fail,
}

/// A camera that plays a part, in as many openings as there are lists.
struct Actor {
    mode: Mode,
    acts: Vec<Act>,
    open: Arc<AtomicUsize>,
    given: u64,
}

impl Actor {
    fn new(acts: &[Act], open: &Arc<AtomicUsize>) -> Self {
        assert_eq!(open.fetch_add(1, Ordering::SeqCst), 0, "opened twice at the same time");
        let mode = Mode {
            name: "actor".into(),
            width: 2,
            height: 1,
            encoding: Encoding::Rgb,
            rate: 100.0,
        };
        let acts = acts.iter().rev().cloned().collect();
        Self { mode, acts, open: Arc::clone(open), given: 0 }
    }
}

impl Camera for Actor {
    fn mode(&self) -> &Mode {
        &self.mode
    }

    fn next(&mut self, frame: &mut Frame, timeout: Duration) -> Result<bool, CameraError> {
        match self.acts.pop().unwrap_or(Act::Wait) {
            Act::Give => {
                self.given += 1;
                frame.data.clear();
                frame.data.resize(6, self.given as u8);
                (frame.width, frame.height, frame.stride) = (2, 1, 6);
                (frame.encoding, frame.sequence) = (Encoding::Rgb, self.given);
                frame.captured = Instant::now();
                Ok(true)
            }
            Act::Wait => {
                std::thread::sleep(timeout);
                Ok(false)
            }
            Act::Fail => Err(CameraError::Failed { name: "actor".into(), why: "as told".into() }),
        }
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A capture whose camera plays these parts, one opening after the other; the last is played for ever.
fn play(parts: Vec<Result<Vec<Act>, CameraError>>) -> (Capture, Arc<AtomicUsize>) {
    let open = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&open);
    let mut opened = 0;
    let capture = Capture::start(move || {
        let part = parts[opened.min(parts.len() - 1)].clone();
        opened += 1;
        part.map(|acts| Box::new(Actor::new(&acts, &counter)) as Box<dyn Camera>)
    });
    (capture, open)
}

fn wait_for(capture: &Capture, what: &str, mut enough: impl FnMut(&Status) -> bool) {
    let start = Instant::now();
    while !enough(&capture.status()) {
        assert!(start.elapsed() < LONG, "{what}: {} {}", capture.status(), capture.counters());
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn adds_up(counters: Counters) -> bool {
    let accounted = counters.taken + counters.dropped;
    (accounted..=accounted + 1).contains(&counters.captured)
}

#[test]
fn only_the_newest_frame_is_kept_and_every_frame_is_accounted_for() {
    let (capture, _) = play(vec![Ok(vec![Act::Give; 5])]);
    wait_for(&capture, "five frames", |_| capture.counters().captured == 5);
    let mut frame = Frame::empty();
    assert!(capture.newest(&mut frame, LONG));
    assert_eq!((frame.data[0], frame.sequence), (5, 5));
    assert!(!capture.newest(&mut frame, Duration::ZERO), "it was the only one");
    let expected = Counters { captured: 5, taken: 1, dropped: 4, ..Counters::default() };
    assert_eq!(capture.counters(), expected);
    capture.count_broken();
    assert_eq!(capture.counters().broken, 1);
}

#[test]
fn a_camera_that_fails_is_closed_and_opened_again() {
    let missing = || Err(CameraError::Missing("unplugged".into()));
    let first = Ok(vec![Act::Give, Act::Give, Act::Fail]);
    let (capture, open) = play(vec![missing(), first, missing(), Ok(vec![Act::Give; 3])]);
    wait_for(&capture, "lost", |status| matches!(status, Status::Lost(CameraError::Missing(_))));
    assert_eq!(open.load(Ordering::SeqCst), 0);
    wait_for(&capture, "all frames", |_| capture.counters().captured == 5);
    wait_for(&capture, "streaming", |status| matches!(status, Status::Streaming(_)));
    assert_eq!(capture.counters().reopened, 3);
    let mut frame = Frame::empty();
    assert!(capture.newest(&mut frame, LONG));
    assert_eq!(frame.sequence, 6, "the numbers go on where the first opening ended");
    assert!(adds_up(capture.counters()));
}

#[test]
fn a_frozen_camera_is_said_to_be_frozen_and_then_opened_again() {
    let (capture, _) = play(vec![Ok(vec![Act::Give]), Ok(vec![Act::Give])]);
    wait_for(&capture, "frozen", |status| *status == Status::Frozen);
    assert_eq!(capture.counters().reopened, 0);
    wait_for(&capture, "streaming again", |status| matches!(status, Status::Streaming(_)));
    assert_eq!(capture.counters().reopened, 1);
}

#[test]
fn a_wiped_or_dropped_capture_keeps_no_picture() {
    let (capture, open) = play(vec![Ok(vec![Act::Give; 3])]);
    wait_for(&capture, "three frames", |_| capture.counters().captured == 3);
    capture.wipe();
    let mut frame = Frame::empty();
    assert!(!capture.newest(&mut frame, Duration::ZERO));
    assert!(adds_up(capture.counters()));
    drop(capture);
    assert_eq!(open.load(Ordering::SeqCst), 0, "the camera is closed");

    let mut frame = frame_of_a_person();
    let start = frame.data.as_ptr();
    frame.wipe();
    assert!(frame.data.is_empty());
    frame.data.resize(100, 1);
    assert_eq!(frame.data.as_ptr(), start, "the memory is used again");
}

fn frame_of_a_person() -> Frame {
    jpeg(PERSON)
}

#[test]
fn recorded_pictures_at_full_speed_are_all_taken_and_then_end() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..20 {
        fs::write(folder.path().join(format!("{number:02}.jpg")), PERSON).unwrap();
    }
    let source = Source::Replay { path: folder.path().into(), rate: Some(Rate::Max), once: true };
    let capture = Capture::start(move || open(&source, &WANTED));
    let mut frame = Frame::empty();
    let mut numbers = Vec::new();
    while capture.newest(&mut frame, LONG) {
        numbers.push(frame.sequence);
    }
    assert_eq!(numbers, (1..=20).collect::<Vec<u64>>());
    wait_for(&capture, "ended", |status| *status == Status::Ended);
    let expected = Counters { captured: 20, taken: 20, ..Counters::default() };
    assert_eq!(capture.counters(), expected);
}

#[test]
fn what_is_said_reads_as_a_log_line() {
    let mode = Mode {
        name: "vivid (/dev/video0)".into(),
        width: 1280,
        height: 720,
        encoding: Encoding::Yuyv,
        rate: 12.5,
    };
    let lines = [
        (Status::Starting, "starting"),
        (Status::Streaming(mode), "streaming 1280x720 YUYV 12.5/s from vivid (/dev/video0)"),
        (Status::Frozen, "frozen"),
        (
            Status::Lost(CameraError::Busy("x".into())),
            "lost: the camera x is used by another program; end it",
        ),
        (Status::Ended, "ended"),
    ];
    for (status, line) in lines {
        assert_eq!(status.to_string(), line);
    }
    let line = "counters captured=0 taken=0 dropped=0 broken=0 gaps=0 reopened=0";
    assert_eq!(Counters::default().to_string(), line);
}

#[test]
fn a_capture_may_be_asked_from_several_threads() {
    let (capture, _) = play(vec![Ok(vec![Act::Give; 200])]);
    let taken = Mutex::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut frame = Frame::empty();
                while capture.newest(&mut frame, Duration::from_millis(300)) {
                    *taken.lock().unwrap() += 1;
                }
            });
        }
    });
    let counters = capture.counters();
    assert_eq!(counters.taken, *taken.lock().unwrap());
    assert!(adds_up(counters), "{counters}");
}
