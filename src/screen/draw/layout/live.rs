//! The live picture with the catalogue beside it, or below it on an upright screen.

use super::{Builder, Icon, Part, Side, Size, Strip, TOUCH, Target, Track, Weight};
use crate::garment::Category;
use crate::mirror::view::{Piece, Trouble};
use crate::screen::draw::Rect;
use crate::screen::draw::scale::Cover;

impl Builder<'_> {
    pub(super) fn live(&mut self) {
        let cover = self.mirror(256);
        let dock = self.dock(348);
        let area = self.beside(dock);
        self.top_bar(area);
        self.notices(area, cover);
        self.catalogue(dock);
    }

    /// Where the panel with choices is; `height` of it on an upright screen.
    pub(super) fn dock(&self, height: i32) -> Rect {
        let screen = self.layout.screen.inset(self.px(20));
        if self.upright() {
            let height = self.px(height).min(screen.height);
            return Rect { y: screen.bottom() - height, height, ..screen };
        }
        let width = self.px(344).min(screen.width / 2);
        Rect { x: screen.right() - width, width, ..screen }
    }

    /// What the panel leaves of the screen.
    pub(super) fn beside(&self, dock: Rect) -> Rect {
        let mut area = self.layout.screen.inset(self.px(20));
        let gap = self.px(20);
        if self.upright() {
            area.cut_bottom(dock.height, gap);
        } else {
            area.cut_right(dock.width, gap);
        }
        area
    }

    /// The shop's name, and the end of the visit.
    pub(super) fn top_bar(&mut self, area: Rect) {
        let shade = Rect { height: self.px(130), ..self.layout.screen };
        self.fixed(Part::ShadeAbove, shade);
        let mut bar = Rect { height: self.px(56), ..area };
        let width = self.button_width("finish");
        let done = bar.cut_right(width, self.px(16));
        let side = self.start();
        let name = self.view.shop.name.clone();
        if !name.is_empty() {
            self.text(name, Size::Title, side, Rect { x: bar.x + self.px(8), ..bar });
        }
        self.button(Target::Done, "finish", Icon::Cross, Weight::Glass, done);
    }

    /// Trouble before hints, hints before silence; and the raised hand.
    pub(super) fn notices(&mut self, area: Rect, cover: Option<Cover>) {
        let below = Rect { y: area.y + self.px(72), height: area.height - self.px(72), ..area };
        if let Some(trouble) = &self.view.trouble {
            self.notice(trouble, below);
        } else if let Some(hint) = self.view.hint {
            let hint = self.tools.messages.hint(hint).to_owned();
            self.pill(hint, Icon::Person, below);
        } else if self.view.hand.is_some() {
            let hint = self.message("live.hand");
            self.pill(hint, Icon::Person, below);
        }
        let (Some(hand), Some(cover), Some(picture)) =
            (self.view.hand, cover, self.view.picture.as_ref())
        else {
            return;
        };
        let at = [hand.at[0] * picture.width as f32, hand.at[1] * picture.height as f32];
        let at = cover.on_screen(at);
        let side = self.px(104);
        let place = Rect::new(at.x as i32 - side / 2, at.y as i32 - side / 2, side, side);
        let thousandths = (hand.progress.clamp(0.0, 1.0) * 1000.0) as u16;
        self.fixed(Part::Ring { thousandths }, place);
    }

    fn pill(&mut self, label: String, icon: Icon, below: Rect) {
        let width = (self.width(&label, Size::Body) + self.px(90)).min(below.width);
        let place = Rect {
            x: below.x + (below.width - width) / 2,
            width,
            height: self.px(56).min(below.height),
            ..below
        };
        self.put(Part::Pill { label, icon: Some(icon) }, place);
    }

    /// What stands in the way: above the picture, or in the middle where there is none.
    pub(super) fn notice(&mut self, trouble: &Trouble, below: Rect) {
        let (title, detail) = self.tools.messages.trouble(trouble);
        let title = title.to_owned();
        let width = self.px(600).min(below.width);
        let inside = width - self.px(24 + 36 + 16 + 24);
        let mut lines = self.height(&title, Size::Body, inside) + self.px(2 * 20);
        if !detail.is_empty() {
            lines += self.height(&detail, Size::Small, inside) + self.px(4);
        }
        let height = lines.min(below.height);
        let mut place = Rect { x: below.x + (below.width - width) / 2, width, height, ..below };
        if self.view.picture.is_none() {
            place = below.middle(width, height);
        }
        let side = self.start();
        self.put(Part::Notice { title, detail, side }, place);
    }

    fn catalogue(&mut self, dock: Rect) {
        self.put(Part::Panel, dock);
        let mut inside = dock.inset(self.px(16));
        let gap = self.px(12);
        let high = self.px(60);
        let wearing = !self.view.wearing.is_empty();
        if self.upright() {
            let mut row = inside.cut_bottom(high, gap);
            if wearing {
                let width = self.button_width("live.off").min(row.width / 2);
                let off = Rect { width, ..row };
                row.x += width + gap;
                row.width -= width + gap;
                self.chips_and_pieces(inside);
                self.button(Target::TakeOff, "live.off", Icon::Hanger, Weight::Plain, off);
            } else {
                self.chips_and_pieces(inside);
            }
            self.button(Target::TakePicture, "live.take", Icon::Camera, Weight::Primary, row);
            return;
        }
        let picture = inside.cut_bottom(high, gap);
        let off = wearing.then(|| inside.cut_bottom(self.px(52), gap));
        self.chips_and_pieces(inside);
        if let Some(off) = off {
            self.button(Target::TakeOff, "live.off", Icon::Hanger, Weight::Plain, off);
        }
        self.button(Target::TakePicture, "live.take", Icon::Camera, Weight::Primary, picture);
    }

    fn chips_and_pieces(&mut self, mut inside: Rect) {
        let view = self.view;
        let pieces = &view.catalogue.pieces;
        if pieces.is_empty() {
            let text = self.message("live.empty");
            self.faint(text, Size::Body, Side::Center, inside);
            return;
        }
        let row = inside.cut_top(self.px(TOUCH), self.px(12));
        self.chips(row);
        let chosen = self.interface.category;
        let pieces: Vec<&Piece> = pieces
            .iter()
            .filter(|piece| chosen.is_none_or(|chosen| piece.category == chosen))
            .collect();
        self.layout.pieces = pieces.iter().map(|piece| piece.id.clone()).collect();
        let upright = !self.upright();
        let gap = self.px(12);
        let across = if upright { 2 } else { 1 };
        let (width, height) = if upright {
            let width = (inside.width - gap) / 2;
            (width, width + self.px(34))
        } else {
            (inside.height - self.px(34), inside.height)
        };
        let step = if upright { height } else { width } + gap;
        let rows = pieces.len().div_ceil(across) as i32;
        let seen = if upright { inside.height } else { inside.width };
        let reach = (rows * step - gap - seen).max(0);
        let track = Track { strip: Strip::Pieces, place: inside, upright, reach, step, across };
        let pushed = self.push_along(track);
        for (index, piece) in pieces.iter().enumerate() {
            let [along, beside] = [index / across, index % across].map(|n| n as i32);
            let place = if upright {
                Rect::new(
                    inside.x + beside * (width + gap),
                    inside.y + along * step - pushed,
                    width,
                    height,
                )
            } else {
                Rect::new(inside.x + along * step - pushed, inside.y, width, height)
            };
            let target = Target::Piece(piece.id.clone());
            let part = Part::Card {
                id: piece.id.clone(),
                name: piece.name.clone(),
                worn: view.wearing.contains(&piece.id),
                state: self.state(&target),
            };
            self.on_track(part, target, place, inside);
        }
    }

    fn chips(&mut self, row: Rect) {
        let pieces = &self.view.catalogue.pieces;
        let there = Category::ALL
            .into_iter()
            .filter(|category| pieces.iter().any(|piece| piece.category == *category));
        let choices: Vec<Option<Category>> = std::iter::once(None).chain(there.map(Some)).collect();
        let labels: Vec<String> = choices
            .iter()
            .map(|choice| match choice {
                None => self.message("live.all"),
                Some(category) => self.tools.messages.category(*category).to_owned(),
            })
            .collect();
        let widths: Vec<i32> = labels
            .iter()
            .map(|label| (self.width(label, Size::Small) + self.px(32)).max(self.px(60)))
            .collect();
        let gap = self.px(8);
        let total: i32 = widths.iter().map(|width| width + gap).sum::<i32>() - gap;
        let reach = (total - row.width).max(0);
        let step = self.px(120);
        let track =
            Track { strip: Strip::Categories, place: row, upright: false, reach, step, across: 1 };
        let mut x = row.x - self.push_along(track);
        for ((choice, label), width) in choices.into_iter().zip(labels).zip(widths) {
            let target = Target::Category(choice);
            let chosen = self.interface.category == choice;
            let part = Part::Chip { label, chosen, state: self.state(&target) };
            self.on_track(part, target, Rect { x, width, ..row }, row);
            x += width + gap;
        }
    }

    /// Notes a row that can be pushed along, and tells how far it is.
    pub(super) fn push_along(&mut self, track: Track) -> i32 {
        let place = self.flip(track.place);
        self.layout.tracks.push(Track { place, ..track });
        self.interface.pushed(track.strip).clamp(0, track.reach)
    }
}
