use super::*;
use crate::picture::Format;
use image::codecs::{jpeg::JpegEncoder, png::PngEncoder, webp::WebPEncoder};
use image::{ExtendedColorType, ImageEncoder};

const NAME: &str = "a.file";

fn read(bytes: &[u8]) -> Result<(Picture, Vec<PictureNote>), PictureError> {
    Picture::read(bytes, Path::new(NAME))
}

fn encoded(picture: &Picture, format: Format) -> Vec<u8> {
    let mut bytes = Vec::new();
    picture.encode(format, &mut bytes).unwrap();
    bytes
}

fn png(width: u32, height: u32, colour: ExtendedColorType, raw: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes).write_image(raw, width, height, colour).unwrap();
    bytes
}

/// Smooth in both directions, so that JPEG keeps it and no two corners are alike.
fn ramp(width: usize, height: usize) -> Picture {
    let rgb = (0..width * height).flat_map(|index| {
        let (x, y) = (index % width, index / width);
        [(x * 255 / width) as u8, (y * 255 / height) as u8, 90]
    });
    Picture::from_rgb8(width, height, rgb.collect())
}

fn noise(count: usize) -> impl Iterator<Item = u16> {
    let mut state = 1u32;
    (0..count).map(move |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as u16
    })
}

/// A TIFF block with nothing but the orientation, big-endian.
fn exif(orientation: u8) -> Vec<u8> {
    let mut block = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    block.extend([orientation, 0, 0, 0, 0, 0, 0]);
    block
}

fn with_exif_segment(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let block = [b"Exif\0\0".as_slice(), &exif(orientation)].concat();
    let length = (block.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, &block, &jpeg[2..]].concat()
}

/// `upright` as a camera that is held the given way stores it: Exif's own table of which side of
/// the scene row 0 and column 0 show.
fn stored(upright: &Picture, orientation: u8) -> Picture {
    let (w, h) = (upright.width, upright.height);
    let (width, height) = if orientation >= 5 { (h, w) } else { (w, h) };
    let Pixels::Eight(rgb) = &upright.pixels else { panic!("8 bits expected") };
    let mut out = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let (from_x, from_y) = match orientation {
                1 => (x, y),
                2 => (w - 1 - x, y),
                3 => (w - 1 - x, h - 1 - y),
                4 => (x, h - 1 - y),
                5 => (y, x),
                6 => (w - 1 - y, x),
                7 => (w - 1 - y, h - 1 - x),
                8 => (y, h - 1 - x),
                _ => unreachable!(),
            };
            out.extend(&rgb[(from_y * w + from_x) * 3..][..3]);
        }
    }
    Picture::from_rgb8(width, height, out)
}

fn largest_difference(a: &Picture, b: &Picture) -> u8 {
    assert_eq!((a.width, a.height), (b.width, b.height));
    a.rgb8().iter().zip(b.rgb8().iter()).map(|(&a, &b)| a.abs_diff(b)).max().unwrap()
}

#[test]
fn every_exif_orientation_stands_upright_in_every_format() {
    // Larger than one block of the turn, and not a multiple of it.
    let scene = ramp(150, 70);
    for orientation in 1..=8 {
        let stored = stored(&scene, orientation);
        let Pixels::Eight(raw) = &stored.pixels else { unreachable!() };
        let (width, height) = (stored.width as u32, stored.height as u32);

        let jpeg = with_exif_segment(&encoded(&stored, Format::Jpeg), orientation);
        let (upright, _) = read(&jpeg).unwrap();
        assert!(largest_difference(&upright, &scene) < 12, "JPEG, orientation {orientation}");

        let mut bytes = Vec::new();
        let mut encoder = PngEncoder::new(&mut bytes);
        encoder.set_exif_metadata(exif(orientation)).unwrap();
        encoder.write_image(raw, width, height, ExtendedColorType::Rgb8).unwrap();
        assert_eq!(read(&bytes).unwrap().0, scene, "PNG, orientation {orientation}");

        for prefix in [b"".as_slice(), b"Exif\0\0"] {
            let mut bytes = Vec::new();
            let mut encoder = WebPEncoder::new_lossless(&mut bytes);
            encoder.set_exif_metadata([prefix, &exif(orientation)].concat()).unwrap();
            encoder.write_image(raw, width, height, ExtendedColorType::Rgb8).unwrap();
            assert_eq!(read(&bytes).unwrap().0, scene, "WebP, orientation {orientation}");
        }
    }
}

#[test]
fn eight_and_sixteen_bits_come_back_bit_exact() {
    let rgb: Vec<u16> = noise(33 * 17 * 3).collect();
    let eight = Picture::from_rgb8(33, 17, rgb.iter().map(|&v| (v >> 8) as u8).collect());
    let sixteen = Picture { width: 33, height: 17, pixels: Pixels::Sixteen(rgb) };
    assert_eq!(read(&encoded(&sixteen, Format::Png)).unwrap(), (sixteen, vec![]));
    assert_eq!(read(&encoded(&eight, Format::Png)).unwrap(), (eight.clone(), vec![]));
    assert_eq!(read(&encoded(&eight, Format::WebP)).unwrap(), (eight, vec![]));
}

#[test]
fn grey_pictures_become_grey_rgb() {
    let values: Vec<u8> = (0..=255).collect();
    let (picture, notes) = read(&png(16, 16, ExtendedColorType::L8, &values)).unwrap();
    let expected: Vec<u8> = values.iter().flat_map(|&v| [v; 3]).collect();
    assert_eq!((picture, notes), (Picture::from_rgb8(16, 16, expected), vec![]));

    let wide: Vec<u16> = noise(256).collect();
    let raw: Vec<u8> = wide.iter().flat_map(|v| v.to_ne_bytes()).collect();
    let (picture, _) = read(&png(16, 16, ExtendedColorType::L16, &raw)).unwrap();
    let expected = wide.iter().flat_map(|&v| [v; 3]).collect();
    assert_eq!(picture.pixels, Pixels::Sixteen(expected));

    let mut jpeg = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut jpeg, 95);
    encoder.write_image(&[77; 1024], 32, 32, ExtendedColorType::L8).unwrap();
    let (picture, notes) = read(&jpeg).unwrap();
    assert_eq!(notes, []);
    assert!(picture.rgb8().iter().all(|&v| v.abs_diff(77) <= 1));
}

#[test]
fn transparency_is_put_over_white_with_a_note() {
    let mut rgba = [10, 20, 30, 255].repeat(256);
    rgba[..8].copy_from_slice(&[10, 20, 30, 0, 100, 100, 100, 128]);
    let (picture, notes) = read(&png(16, 16, ExtendedColorType::Rgba8, &rgba)).unwrap();
    assert_eq!(notes, [PictureNote::TransparencyOverWhite]);
    assert_eq!(picture.rgb8()[..9], [255, 255, 255, 177, 177, 177, 10, 20, 30]);

    let opaque = [10, 20, 30, 255].repeat(256);
    let (_, notes) = read(&png(16, 16, ExtendedColorType::Rgba8, &opaque)).unwrap();
    assert_eq!(notes, []);

    let clear: Vec<u8> = [0u16, 0].repeat(256).iter().flat_map(|v| v.to_ne_bytes()).collect();
    let (picture, _) = read(&png(16, 16, ExtendedColorType::La16, &clear)).unwrap();
    assert_eq!(picture.pixels, Pixels::Sixteen(vec![u16::MAX; 768]));
}

#[test]
fn cmyk_inks_become_their_colours() {
    // Written by Pillow 12 (libjpeg-turbo), 4 × 2 patches of 8 × 12 pixels of the inks below.
    let (picture, notes) = read(include_bytes!("../../../tests/pictures/cmyk.jpg")).unwrap();
    assert_eq!(notes, [PictureNote::InksConverted]);
    let patches: [(&str, [u8; 3]); 8] = [
        ("no ink", [255, 255, 255]),
        ("cyan", [0, 255, 255]),
        ("magenta", [255, 0, 255]),
        ("yellow", [255, 255, 0]),
        ("black", [0, 0, 0]),
        ("magenta and yellow", [255, 0, 0]),
        ("half black", [127, 127, 127]),
        ("cyan and magenta", [0, 0, 255]),
    ];
    for (index, (ink, expected)) in patches.into_iter().enumerate() {
        let (x, y) = (index % 4 * 8 + 4, index / 4 * 12 + 6);
        let found = &picture.rgb8()[(y * 32 + x) * 3..][..3];
        let close =
            found.iter().zip(expected).all(|(&found, expected)| found.abs_diff(expected) < 16);
        assert!(close, "{ink}: expected {expected:?}, found {found:?}");
    }
}

#[test]
fn a_colour_profile_is_named_and_srgb_is_not_worth_a_note() {
    let profile = |name: &str| {
        let text: Vec<u8> = name.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let mut profile = vec![0; 128];
        profile.extend([0, 0, 0, 1]);
        profile.extend(b"desc\0\0\0\x90");
        profile.extend((28 + text.len() as u32).to_be_bytes());
        profile.extend(b"mluc\0\0\0\0\0\0\0\x01\0\0\0\x0cenUS");
        profile.extend((text.len() as u32).to_be_bytes());
        profile.extend(28u32.to_be_bytes());
        profile.extend(text);
        profile
    };
    let notes_with = |icc: Vec<u8>| {
        let mut bytes = Vec::new();
        let mut encoder = PngEncoder::new(&mut bytes);
        encoder.set_icc_profile(icc).unwrap();
        encoder.write_image(&[9; 768], 16, 16, ExtendedColorType::Rgb8).unwrap();
        read(&bytes).unwrap().1
    };
    let ignored =
        |name: Option<&str>| PictureNote::ColourProfileIgnored { name: name.map(Into::into) };
    assert_eq!(notes_with(profile("Display P3")), [ignored(Some("Display P3"))]);
    assert_eq!(notes_with(profile("sRGB built-in")), []);
    assert_eq!(notes_with(vec![0xff; 200]), [ignored(None)]);
    assert_eq!(notes_with(vec![1; 9]), [ignored(None)]);
}

#[test]
fn a_truncated_picture_is_an_error_at_every_length() {
    let scene = ramp(40, 30);
    for format in [Format::Png, Format::Jpeg, Format::WebP] {
        let whole = encoded(&scene, format);
        // PNG's last four bytes are the checksum of an empty chunk: nothing is lost with them.
        let needed = if format == Format::Png { whole.len() - 4 } else { whole.len() };
        assert!(read(&whole).is_ok());
        for length in 0..needed {
            match (read(&whole[..length]), length) {
                (Err(PictureError::Empty { .. }), 0) => {}
                (Err(PictureError::Truncated { bytes, .. }), 1..) => assert_eq!(bytes, length),
                (other, _) => panic!("{format:?} cut to {length} bytes: {other:?}"),
            }
        }
    }
}

#[test]
fn a_damaged_picture_never_panics() {
    for format in [Format::Png, Format::Jpeg, Format::WebP] {
        let whole = encoded(&ramp(40, 30), format);
        let mut damage = noise(usize::MAX).map(usize::from);
        for _ in 0..3000 {
            let mut bytes = whole.clone();
            for _ in 0..1 + damage.next().unwrap() % 4 {
                let at = damage.next().unwrap() % bytes.len();
                bytes[at] = damage.next().unwrap() as u8;
            }
            let _ = read(&bytes);
        }
    }
}

/// The file with the size in its header overwritten.
fn claiming(format: Format, width: u32, height: u32) -> Vec<u8> {
    let mut bytes = encoded(&ramp(40, 30), format);
    match format {
        Format::Png => {
            bytes[16..20].copy_from_slice(&width.to_be_bytes());
            bytes[20..24].copy_from_slice(&height.to_be_bytes());
        }
        Format::Jpeg => {
            let frame = bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
            bytes[frame + 5..frame + 7].copy_from_slice(&(height as u16).to_be_bytes());
            bytes[frame + 7..frame + 9].copy_from_slice(&(width as u16).to_be_bytes());
        }
        Format::WebP => {
            // VP8L: after the signature byte, 14 bits of width − 1 and 14 bits of height − 1.
            let sides = ((height - 1) << 14 | (width - 1)).to_le_bytes();
            bytes[21..24].copy_from_slice(&sides[..3]);
            bytes[24] = bytes[24] & 0xf0 | sides[3];
        }
    }
    bytes
}

#[test]
fn a_decompression_bomb_is_refused_by_its_header() {
    for (format, width, height) in [
        (Format::Png, 2_000_000_000, 2_000_000_000),
        (Format::Png, 65_501, 16),
        (Format::Png, 8_000, 5_001),
        (Format::Jpeg, 65_535, 65_535),
        (Format::WebP, 16_383, 16_383),
    ] {
        match read(&claiming(format, width, height)) {
            Err(error @ PictureError::TooLarge { .. }) => {
                let text = error.to_string();
                assert!(text.contains(&format!("{width}×{height}")), "{text}");
                assert!(text.contains("40 megapixels"), "{text}");
            }
            other => panic!("{format:?} of {width}×{height}: {other:?}"),
        }
    }
}

#[test]
fn a_picture_of_a_few_pixels_is_refused() {
    let tiny = encoded(&ramp(400, 15), Format::Png);
    assert!(matches!(read(&tiny), Err(PictureError::TooSmall { width: 400, height: 15, .. })));
}

#[test]
fn other_formats_are_named() {
    for (bytes, expected) in [
        (b"GIF89a\0\0\0\0".as_slice(), "a GIF file"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "a HEIC file"),
        (b"%PDF-1.7", "a PDF file"),
        (b"{\"name\": \"tee\"}\n", "a text file"),
        (b"\x01\x02\x03\x80\x81", "not in a known format"),
    ] {
        let text = read(bytes).unwrap_err().to_string();
        assert!(text.contains(expected) && text.contains("PNG, JPEG or WebP"), "{text}");
    }
}

#[test]
fn what_is_no_file_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &Path| Picture::open(path).unwrap_err();
    assert!(matches!(open(folder.path()), PictureError::Folder { .. }));
    assert!(matches!(open(&folder.path().join("no.png")), PictureError::Missing { .. }));
    let empty = folder.path().join("empty.png");
    std::fs::write(&empty, b"").unwrap();
    assert!(matches!(open(&empty), PictureError::Empty { .. }));
}
