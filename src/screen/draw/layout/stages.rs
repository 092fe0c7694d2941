//! The stages around the live picture and the result.

use super::{Builder, Icon, Part, Side, Size, State, Target, Weight};
use crate::screen::draw::Rect;
use std::time::Duration;

impl Builder<'_> {
    pub(super) fn attract(&mut self) {
        self.mirror(120);
        let screen = self.layout.screen;
        self.fixed(Part::ShadeBelow, screen);
        let mut inside = screen.inset(self.px(32));
        if let Some(trouble) = &self.view.trouble {
            // Nobody is invited to what does not work.
            self.notice(trouble, inside);
            return self.layout.targets.push((Target::Screen, screen));
        }
        let title = self.message("attract.title");
        let line = self.message("attract.line");
        let private = self.message("attract.private");
        let mut begin = self.message("attract.begin");
        if self.view.shop.hands_free {
            begin = format!("{begin} {}", self.message("attract.hand"));
        }
        let name = self.view.shop.name.clone();
        let card = self.px(if self.upright() { 190 } else { 150 });
        let gap = self.px(16);
        let heights = [
            if name.is_empty() { 0 } else { self.px(44) },
            self.height(&title, Size::Headline, inside.width),
            self.height(&line, Size::Title, inside.width) + self.px(28),
            self.px(64 + 36),
        ];
        let kept = self.height(&private, Size::Small, inside.width);
        let private_row = inside.cut_bottom(kept, self.px(20));
        self.faint(private, Size::Small, Side::Center, private_row);
        let room = ((inside.width + gap) / (card + gap)).max(0) as usize;
        let count = self.view.catalogue.pieces.len().min(room).min(6) as i32;
        let total: i32 = heights.iter().sum::<i32>() + if count > 0 { card } else { 0 };
        let mut rest = inside;
        rest.y += (inside.height - total).max(0) * if self.upright() { 3 } else { 2 } / 4;
        rest.height = total.min(inside.height);
        if !name.is_empty() {
            let row = rest.cut_top(heights[0], 0);
            self.faint(name, Size::Title, Side::Center, row);
        }
        let row = rest.cut_top(heights[1], 0);
        self.text(title, Size::Headline, Side::Center, row);
        let row = rest.cut_top(heights[2] - self.px(28), self.px(28));
        self.text(line, Size::Title, Side::Center, row);
        let row = rest.cut_top(heights[3] - self.px(36), self.px(36));
        let width = (self.width(&begin, Size::Body) + self.px(96)).min(row.width);
        let button = row.middle(width, row.height);
        let (weight, state) = (Weight::Primary, State::default());
        self.put(Part::Button { label: begin, icon: None, weight, state }, button);
        let width = count * (card + gap) - gap;
        let view = self.view;
        let pieces = &view.catalogue.pieces;
        for index in 0..count {
            let piece = &pieces[index as usize * pieces.len() / count as usize];
            let x = rest.x + (rest.width - width) / 2 + index * (card + gap);
            let part = Part::Card {
                id: piece.id.clone(),
                name: String::new(),
                worn: false,
                state: State::default(),
            };
            self.put(part, Rect::new(x, rest.y, card, card));
        }
        self.layout.targets.push((Target::Screen, screen));
    }

    pub(super) fn consent(&mut self) {
        self.mirror(90);
        let inside = self.layout.screen.inset(self.px(24));
        let title = self.message("consent.title");
        let text = self.view.shop.consent.clone().unwrap_or_default();
        let width = self.px(680).min(inside.width);
        let lines = width - self.px(2 * 40);
        let high = self.height(&text, Size::Body, lines);
        let titled = self.height(&title, Size::Title, lines);
        let height = (titled + high + self.px(40 + 16 + 32 + 64 + 40)).min(inside.height);
        let sheet = inside.middle(width, height);
        self.put(Part::Sheet, sheet);
        let mut rest = sheet.inset(self.px(40));
        let side = self.start();
        let row = rest.cut_top(titled, self.px(16));
        self.text(title, Size::Title, side, row);
        let mut row = rest.cut_bottom(self.px(64), self.px(32));
        self.faint(text, Size::Body, side, rest);
        let gap = self.px(16);
        let agree = row.cut_right((row.width - gap) / 2, gap);
        self.button(Target::Decline, "consent.decline", Icon::Cross, Weight::Plain, row);
        self.button(Target::Agree, "consent.agree", Icon::Check, Weight::Primary, agree);
    }

    pub(super) fn countdown(&mut self, left: Duration) {
        self.mirror(256);
        let screen = self.layout.screen;
        let area = screen.inset(self.px(20));
        self.fixed(Part::ShadeAbove, Rect { height: self.px(130), ..screen });
        let seconds = left.as_secs_f32();
        let number = seconds.ceil().max(1.0) as u64;
        let thousandths = ((seconds - (number as f32 - 1.0)).clamp(0.0, 1.0) * 1000.0) as u16;
        let side = self.px(280).min(area.width / 2);
        let circle = area.middle(side, side);
        self.fixed(Part::Count { number, thousandths }, circle);
        let text = self.message("countdown.title");
        let width = self.width(&text, Size::Title) + self.px(64);
        let pill = Rect { y: area.y + self.px(8), ..area.middle(width, self.px(64)) };
        self.put(Part::Pill { label: text, icon: None }, pill);
        let width = self.button_width("cancel").max(self.px(220));
        let mut cancel = area.middle(width, self.px(64));
        cancel.y = area.bottom() - self.px(64);
        self.button(Target::Cancel, "cancel", Icon::Cross, Weight::Glass, cancel);
    }

    pub(super) fn studio(&mut self, progress: f32, left: Option<Duration>) {
        self.mirror(150);
        let inside = self.layout.screen.inset(self.px(20));
        let width = self.px(600).min(inside.width);
        let height = self.px(32 + 40 + 8 + 28 + 20 + 12 + 28 + 60 + 32).min(inside.height);
        let mut sheet = inside.middle(width, height);
        if self.upright() {
            sheet.y = inside.bottom() - height;
        }
        self.put(Part::Sheet, sheet);
        let mut rest = sheet.inset(self.px(32));
        let side = self.start();
        let title = self.message("studio.title");
        let row = rest.cut_top(self.px(40), self.px(8));
        self.text(title, Size::Title, side, row);
        let text = match left {
            Some(left) if left < Duration::from_secs(2) => self.message("studio.soon"),
            Some(left) => {
                let seconds = left.as_secs_f32().ceil().max(1.0).to_string();
                self.tools.messages.text("studio.left").replace("{seconds}", &seconds)
            }
            None => self.message("studio.unknown"),
        };
        let row = rest.cut_top(self.px(28), self.px(20));
        self.faint(text, Size::Body, side, row);
        let row = rest.cut_top(self.px(12), self.px(28));
        let thousandths = (progress.clamp(0.0, 1.0) * 1000.0) as u16;
        let mirrored = self.tools.messages.right_to_left;
        self.put(Part::Bar { thousandths, mirrored }, row);
        let row = rest.cut_top(self.px(60), 0);
        let width = self.button_width("cancel").max(self.px(200)).min(row.width);
        let cancel = Rect { x: row.right() - width, width, ..row };
        self.button(Target::Cancel, "cancel", Icon::Cross, Weight::Plain, cancel);
    }

    pub(super) fn wipe(&mut self) {
        let inside = self.layout.screen.inset(self.px(40));
        let block = inside.middle(inside.width, self.px(120 + 32 + 90 + 50));
        let mut rest = block;
        let row = rest.cut_top(self.px(120), self.px(32));
        let sign = row.middle(self.px(120), self.px(120));
        self.put(Part::Sign { icon: Icon::Check }, sign);
        let title = self.message("wipe.title");
        let row = rest.cut_top(self.px(90), 0);
        self.text(title, Size::Headline, Side::Center, row);
        let text = self.message("wipe.line");
        self.faint(text, Size::Title, Side::Center, rest);
    }
}
