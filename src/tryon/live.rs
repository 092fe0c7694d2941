//! One frame of live video: who is there, and that person dressed.

use super::follow::{Anchor, moved};
use super::{Memory, Piece, TryonError, dress_frame};
use crate::garment::Category;
use crate::perception::{Perception, PerceptionError, Person, Tracker};
use crate::picture::{Picture, Pixels};
use glam::Vec2;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A person who is lost for a moment keeps the clothes on for this long.
const KEPT: Duration = Duration::from_millis(300);
/// Clothes appear and vanish within this time.
const FADE: Duration = Duration::from_millis(200);

/// One person followed and dressed through video.
#[derive(Debug, Default)]
pub struct Live {
    tracker: Tracker,
    memory: Memory,
    person: Option<Person>,
    /// Since when looks find nobody; a machine that looks rarely has lost nobody between two looks.
    lost: Option<Instant>,
    looked: Option<Instant>,
    /// Width and height of the frame of the last look.
    size: Option<[usize; 2]>,
    /// The body at the last look, for the frames until the next.
    anchor: Option<Anchor>,
    /// The next frame to be dressed is the one that was looked at.
    fresh: bool,
    /// How much of the clothes is shown, 0..1, and when that was decided.
    shown: f32,
    frame: Option<Instant>,
}

/// What became of a frame.
#[derive(Debug)]
pub struct LiveFrame {
    /// Where the clothes lie, for who measures how steady they are; empty where nothing is worn.
    pub fits: Vec<super::GarmentFit>,
    /// Why nothing is worn, where something should be.
    pub refused: Option<TryonError>,
}

impl Live {
    /// Nobody was seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the person and everything seen.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// Looks at a frame taken at `now`.
    ///
    /// # Errors
    /// [`PerceptionError::Net`] if a net fails.
    pub fn look(
        &mut self,
        nets: &Perception,
        picture: &Picture,
        now: Instant,
    ) -> Result<Option<&Person>, PerceptionError> {
        let _span = tracing::info_span!("perceive").entered();
        let elapsed =
            self.looked.map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        self.looked = Some(now);
        if self.size != Some([picture.width, picture.height]) {
            // What is known is in pixels of another size.
            self.tracker = Tracker::default();
            self.size = Some([picture.width, picture.height]);
        }
        self.fresh = true;
        match self.tracker.track(nets, picture, elapsed)? {
            Some(person) => {
                self.anchor = Anchor::new(picture, &person);
                self.person = Some(person);
                self.lost = None;
            }
            None => {
                self.anchor = None;
                let lost = *self.lost.get_or_insert(now);
                if now.saturating_duration_since(lost) > KEPT + FADE {
                    self.person = None;
                    self.memory.forget();
                }
            }
        }
        Ok(self.person())
    }

    /// The person of the last look; one who was lost a moment ago counts.
    pub fn person(&self) -> Option<&Person> {
        self.person.as_ref()
    }

    /// Whether a frame cannot be dressed without a look at it: it is of another size than the last that was looked at.
    pub fn must_look(&self, picture: &Picture) -> bool {
        self.size != Some([picture.width, picture.height])
    }

    /// Puts the pieces on the person, in place, if there is one. Clothes fade in and out. A frame that was not looked at is searched for
    /// the body of the last look.
    pub fn dress(
        &mut self,
        picture: &mut Picture,
        pieces: &[Arc<Piece>],
        now: Instant,
    ) -> LiveFrame {
        let elapsed = self.frame.map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        self.frame = Some(now);
        let step = elapsed.as_secs_f32() / FADE.as_secs_f32();
        let Some(person) = self.person.as_ref().filter(|_| !pieces.is_empty()) else {
            self.shown = 0.0;
            return LiveFrame { fits: Vec::new(), refused: None };
        };
        let is_there = self.lost.is_none_or(|lost| now.saturating_duration_since(lost) <= KEPT);
        let worn = in_drawing_order(pieces);
        let shift = match &self.anchor {
            Some(anchor) if !self.fresh => anchor.shift(picture),
            _ => Vec2::ZERO,
        };
        self.fresh = false;
        let person = moved(person, shift);
        let dressed = dress_frame(picture, std::slice::from_ref(&person), &worn, &mut self.memory);
        match dressed {
            Ok(dressed) => {
                self.shown = (self.shown + if is_there { step } else { -step }).clamp(0.0, 1.0);
                blend(picture, dressed.picture, self.shown);
                LiveFrame { fits: dressed.analysis.garments, refused: None }
            }
            Err(error) => {
                self.shown = 0.0;
                LiveFrame { fits: Vec::new(), refused: Some(error) }
            }
        }
    }
}

/// Legs first, then tops, then what is worn over tops, then the head, whatever the order of choosing.
pub fn in_drawing_order(pieces: &[Arc<Piece>]) -> Vec<&Piece> {
    let rank = |piece: &Piece| match piece.garment.category {
        Category::Trousers | Category::Skirt => 0,
        Category::Dress => 1,
        Category::TShirt | Category::LongSleeve | Category::Sleeveless => 2,
        Category::Jacket => 3,
        Category::Eyeglasses => 4,
        Category::Hat => 5,
    };
    let mut sorted: Vec<&Piece> = pieces.iter().map(Arc::as_ref).collect();
    sorted.sort_by_key(|piece| rank(piece));
    sorted
}

/// `picture` becomes `share` of the way to `dressed`.
fn blend(picture: &mut Picture, dressed: Picture, share: f32) {
    if share >= 1.0 {
        *picture = dressed;
        return;
    }
    let weight = (share * 256.0) as i32;
    if let (Pixels::Eight(picture), Pixels::Eight(dressed)) = (&mut picture.pixels, &dressed.pixels)
    {
        for (value, &dressed) in picture.iter_mut().zip(dressed) {
            let difference = i32::from(dressed) - i32::from(*value);
            *value = (i32::from(*value) + ((difference * weight) >> 8)) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blending_starts_at_the_picture_and_ends_at_the_dressed_one() {
        let dressed = || Picture::from_rgb8(1, 2, vec![200, 0, 7, 255, 0, 255]);
        let plain = || Picture::from_rgb8(1, 2, vec![0, 200, 7, 0, 255, 255]);
        let at = |share: f32| {
            let mut picture = plain();
            blend(&mut picture, dressed(), share);
            picture
        };
        assert_eq!(at(0.0), plain());
        assert_eq!(at(1.0), dressed());
        assert_eq!(at(0.5), Picture::from_rgb8(1, 2, vec![100, 100, 7, 127, 127, 255]));
    }
}
