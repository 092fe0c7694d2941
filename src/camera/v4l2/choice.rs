//! Which of a camera's formats, sizes and rates is asked for.

use super::device::{Rates, Sizes, Video};
use crate::camera::{Encoding, Wanted};

/// Fewer frames per second than these do not look like a mirror: a smaller picture is better.
const FLUENT: f32 = 12.0;
/// Share of the wanted rate that counts as reached: 29.97 is 30.
const REACHED: f32 = 0.95;

/// The formats that are read, by V4L2's four letters, the one that is decoded fastest first.
pub const READABLE: [([u8; 4], Encoding); 6] = [
    (*b"NV12", Encoding::Nv12),
    (*b"YUYV", Encoding::Yuyv),
    (*b"RGB3", Encoding::Rgb),
    (*b"BGR3", Encoding::Bgr),
    (*b"MJPG", Encoding::Mjpeg),
    (*b"JPEG", Encoding::Mjpeg),
];

/// How a format's frames are stored, if it is read.
pub fn encoding(fourcc: [u8; 4]) -> Option<Encoding> {
    READABLE.iter().find(|(known, _)| *known == fourcc).map(|&(_, encoding)| encoding)
}

/// Something that a camera can be asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Offer {
    /// V4L2's four letters.
    pub fourcc: [u8; 4],
    /// Width and height.
    pub size: [u32; 2],
    /// The lowest rate that reaches the wanted one, else the highest there is.
    pub rate: f32,
}

/// All that a camera can be asked for, given what is wanted.
pub fn offers(video: &Video, wanted: &Wanted) -> Vec<Offer> {
    let formats = video.formats().into_iter().filter(|&fourcc| encoding(fourcc).is_some());
    let mut offers = Vec::new();
    for fourcc in formats {
        let mut sizes: Vec<[u32; 2]> =
            video.sizes(fourcc).into_iter().map(|sizes| nearest_size(sizes, wanted)).collect();
        if sizes.is_empty() {
            sizes.push([wanted.width as u32, wanted.height as u32]);
        }
        offers.extend(sizes.into_iter().map(|size| Offer {
            fourcc,
            size,
            rate: nearest_rate(&video.rates(fourcc, size), wanted.rate),
        }));
    }
    offers
}

/// The best offer: fluent before all, then large enough, then fast enough, then near in size; of equals the one that is decoded
/// fastest.
pub fn choose(offers: &[Offer], wanted: &Wanted) -> Option<Offer> {
    let area = |size: [u32; 2]| u64::from(size[0]) * u64::from(size[1]);
    let wanted_area = (wanted.width * wanted.height) as u64;
    let rank = |offer: &Offer| {
        let [width, height] = offer.size.map(|side| side as usize);
        let reached = offer.rate >= wanted.rate * REACHED;
        let place = READABLE.iter().position(|(known, _)| *known == offer.fourcc);
        (
            offer.rate < FLUENT.min(wanted.rate * REACHED),
            width < wanted.width || height < wanted.height,
            !reached,
            area(offer.size).abs_diff(wanted_area),
            // Thousandths of a frame per second; where the rate is reached, more is of no use.
            if reached { 0 } else { u32::MAX - (offer.rate * 1000.0) as u32 },
            place,
        )
    };
    offers.iter().min_by_key(|offer| rank(offer)).copied()
}

fn nearest_size(sizes: Sizes, wanted: &Wanted) -> [u32; 2] {
    match sizes {
        Sizes::One(size) => size,
        Sizes::Range { min, max, step } => {
            let wanted = [wanted.width as u32, wanted.height as u32];
            std::array::from_fn(|side| {
                let steps = wanted[side].saturating_sub(min[side]).div_ceil(step[side]);
                min[side].saturating_add(steps.saturating_mul(step[side])).min(max[side])
            })
        }
    }
}

/// The lowest rate that reaches the wanted one, else the highest; the wanted one where the driver does not say.
fn nearest_rate(rates: &[Rates], wanted: f32) -> f32 {
    let rates = rates.iter().map(|&rates| match rates {
        Rates::One(rate) => rate,
        Rates::Range(lowest, highest) => wanted.min(highest).max(lowest),
    });
    let (reached, missed): (Vec<_>, Vec<_>) = rates.partition(|&rate| rate >= wanted * REACHED);
    let lowest = reached.into_iter().min_by(f32::total_cmp);
    lowest.or_else(|| missed.into_iter().max_by(f32::total_cmp)).unwrap_or(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Wanted = Wanted { width: 1280, height: 720, rate: 30.0 };

    fn offer(fourcc: &[u8; 4], size: [u32; 2], rate: f32) -> Offer {
        Offer { fourcc: *fourcc, size, rate }
    }

    #[test]
    fn a_usb_camera_is_asked_for_mjpeg_where_raw_frames_come_too_slowly() {
        let raw = offer(b"YUYV", [1280, 720], 10.0);
        let small = offer(b"YUYV", [640, 480], 30.0);
        let jpeg = offer(b"MJPG", [1280, 720], 30.0);
        let large = offer(b"MJPG", [1920, 1080], 30.0);
        assert_eq!(choose(&[raw, small, jpeg, large], &WANTED), Some(jpeg));
        assert_eq!(choose(&[raw, small], &WANTED), Some(small), "10 a second is no mirror");
        let fast = offer(b"YUYV", [1280, 720], 30.0);
        assert_eq!(choose(&[jpeg, fast, large], &WANTED), Some(fast), "raw is decoded faster");
    }

    #[test]
    fn size_comes_before_rate_as_long_as_the_picture_is_fluent() {
        let sizes = [([640, 360], 30.0), ([1280, 720], 12.5), ([1920, 1080], 5.0)];
        let offers: Vec<Offer> =
            sizes.map(|(size, rate)| offer(b"YUYV", size, rate)).into_iter().collect();
        assert_eq!(choose(&offers, &WANTED), Some(offers[1]));
        assert_eq!(choose(&[], &WANTED), None);
    }

    #[test]
    fn ranges_are_asked_for_what_is_wanted_or_their_nearest() {
        let range = Sizes::Range { min: [160, 120], max: [1920, 1080], step: [16, 8] };
        assert_eq!(nearest_size(range, &WANTED), [1280, 720]);
        let small = Sizes::Range { min: [16, 16], max: [640, 480], step: [1, 1] };
        assert_eq!(nearest_size(small, &WANTED), [640, 480]);
        assert_eq!(nearest_rate(&[Rates::Range(1.0, 60.0)], 30.0), 30.0);
        assert_eq!(
            nearest_rate(&[Rates::One(15.0), Rates::One(60.0), Rates::One(29.97)], 30.0),
            29.97
        );
        assert_eq!(nearest_rate(&[Rates::One(5.0), Rates::One(10.0)], 30.0), 10.0);
        assert_eq!(nearest_rate(&[], 30.0), 30.0);
    }
}
