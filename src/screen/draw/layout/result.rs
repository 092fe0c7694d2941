//! The finished picture: before and after, and all looks side by side.

use super::{Builder, Icon, Pane, Part, Shown, Size, Strip, TOUCH, Target, Track, Weight};
use crate::mirror::view::Look;
use crate::screen::draw::{Rect, scale};
use std::sync::Arc;

/// Looks that are shown side by side, the newest.
const SIDE_BY_SIDE: usize = 4;

impl Builder<'_> {
    pub(super) fn result(&mut self) {
        let view = self.view;
        let several = view.looks.len() > 1;
        let dock = self.dock(if several { 336 } else { 212 });
        let area = self.beside(dock);
        if several && self.interface.compare {
            self.side_by_side(area);
        } else if let Some(look) = self.look() {
            let look = Arc::clone(look);
            self.before_and_after(&look, area);
        } else {
            self.mirror(256);
        }
        if let Some(trouble) = &view.trouble {
            let below = Rect { y: area.y + self.px(72), height: area.height - self.px(72), ..area };
            self.notice(trouble, below);
        }
        self.choices(dock);
    }

    /// The look that was chosen, else the newest.
    fn look(&self) -> Option<&Arc<Look>> {
        let looks = &self.view.looks;
        looks.iter().find(|look| Some(look.number) == self.interface.look).or(looks.last())
    }

    fn before_and_after(&mut self, look: &Look, area: Rect) {
        let screen = self.layout.screen;
        let at = (self.interface.slider.clamp(0.0, 1.0) * area.width as f32) as i32;
        let area = self.flip(area);
        let line = area.x + at;
        let before = Rect { width: line, ..screen };
        let after = Rect { x: line, width: screen.width - line, ..screen };
        let place = scale::place(look.after.width, look.after.height, screen);
        for (shown, clip) in
            [(Shown::Before(look.number), before), (Shown::After(look.number), after)]
        {
            self.layout.panes.push(Pane { shown, place, clip: clip.within(place), light: 256 });
        }
        let width = self.px(4).max(2);
        self.fixed(Part::Line, Rect::new(line - width / 2, 0, width, screen.height));
        let side = self.px(72);
        let state = self.state(&Target::Slider);
        let middle = area.center().y as i32;
        let handle = Rect::new(line - side / 2, middle - side / 2, side, side);
        self.fixed(Part::Handle { state }, handle);
        for (key, left) in [("result.before", true), ("result.after", false)] {
            let label = self.message(key);
            let width = self.width(&label, Size::Body) + self.px(44);
            let height = self.px(48);
            let x = if left { area.x } else { area.right() - width };
            // A caption goes once the line has reached it.
            let gone = if left { line < x + width } else { line > x };
            if !gone {
                self.fixed(Part::Pill { label, icon: None }, Rect::new(x, area.y, width, height));
            }
        }
        self.layout.targets.push((Target::Slider, area));
    }

    fn side_by_side(&mut self, area: Rect) {
        let view = self.view;
        let skip = view.looks.len().saturating_sub(SIDE_BY_SIDE);
        let looks = &view.looks[skip..];
        let gap = self.px(16);
        let picture = &looks[0].after;
        let aspect = picture.width as f32 / picture.height.max(1) as f32;
        let (columns, rows) = grid(looks.len() as i32, area, aspect);
        let width = (area.width - gap * (columns - 1)) / columns;
        let height = (area.height - gap * (rows - 1)) / rows;
        for (index, look) in looks.iter().enumerate() {
            let [x, y] = [index as i32 % columns, index as i32 / columns];
            let place =
                Rect::new(area.x + x * (width + gap), area.y + y * (height + gap), width, height);
            let flipped = self.flip(place);
            self.layout.panes.push(Pane {
                shown: Shown::After(look.number),
                place: flipped,
                clip: flipped,
                light: 256,
            });
            let label = self.names(&look.wearing);
            if !label.is_empty() {
                let wide = (self.width(&label, Size::Body) + self.px(44)).min(width - self.px(24));
                let pill = Rect::new(
                    place.x + self.px(12),
                    place.bottom() - self.px(12 + 48),
                    wide,
                    self.px(48),
                );
                self.put(Part::Pill { label, icon: None }, pill);
            }
        }
    }

    fn choices(&mut self, dock: Rect) {
        self.put(Part::Panel, dock);
        let mut inside = dock.inset(self.px(20));
        let gap = self.px(12);
        let view = self.view;
        let several = view.looks.len() > 1;
        let high = self.px(60);
        let (back, done) = if self.upright() {
            let mut row = inside.cut_bottom(high, gap);
            let done = row.cut_right((row.width - gap) * 2 / 5, gap);
            (row, done)
        } else {
            let done = inside.cut_bottom(high, gap);
            (inside.cut_bottom(high, gap), done)
        };
        let side = self.start();
        let mut row = inside.cut_top(self.px(TOUCH), gap / 2);
        let compare = several.then(|| {
            let key = if self.interface.compare { "result.single" } else { "result.compare" };
            let width = self.button_width(key).min(row.width);
            if self.upright() {
                (key, row.cut_right(width, gap))
            } else {
                let below = inside.cut_bottom(self.px(52), gap);
                (key, below)
            }
        });
        let title = self.message(if several { "result.looks" } else { "result.title" });
        self.text(title, Size::Title, side, row);
        if several {
            self.looks(inside);
        } else if let Some(look) = self.look() {
            let names = self.names(&look.wearing);
            let height = self.height(&names, Size::Body, inside.width).min(inside.height);
            if height > 0 {
                self.faint(names, Size::Body, side, Rect { height, ..inside });
            }
        }
        if let Some((key, place)) = compare {
            self.button(Target::Compare, key, Icon::Columns, Weight::Plain, place);
        }
        self.button(Target::Back, "result.again", Icon::Back, Weight::Primary, back);
        self.button(Target::Done, "finish", Icon::Check, Weight::Plain, done);
    }

    fn looks(&mut self, inside: Rect) {
        let view = self.view;
        let gap = self.px(12);
        let upright = !self.upright();
        let across = if upright { 2 } else { 1 };
        let picture = &view.looks[0].after;
        let aspect = picture.width as f32 / picture.height.max(1) as f32;
        let aspect = aspect.clamp(0.6, 1.4);
        let (width, height) = if upright {
            let width = (inside.width - gap) / 2;
            (width, (width as f32 / aspect) as i32)
        } else {
            ((inside.height as f32 * aspect) as i32, inside.height)
        };
        let step = if upright { height } else { width } + gap;
        let rows = view.looks.len().div_ceil(across) as i32;
        let seen = if upright { inside.height } else { inside.width };
        let reach = (rows * step - gap - seen).max(0);
        let track = Track { strip: Strip::Looks, place: inside, upright, reach, step, across };
        let pushed = self.push_along(track);
        let chosen = self.look().map(|look| look.number);
        // The newest comes first.
        for (index, look) in view.looks.iter().rev().enumerate() {
            let [along, beside] = [index / across, index % across].map(|n| n as i32);
            let (x, y) = if upright {
                (beside * (width + gap), along * step - pushed)
            } else {
                (along * step - pushed, 0)
            };
            let target = Target::Look(look.number);
            let part = Part::Look {
                number: look.number,
                label: String::new(),
                chosen: !self.interface.compare && chosen == Some(look.number),
                state: self.state(&target),
            };
            self.on_track(
                part,
                target,
                Rect::new(inside.x + x, inside.y + y, width, height),
                inside,
            );
        }
    }
}

/// Columns and rows that show most of pictures of an aspect.
fn grid(count: i32, area: Rect, aspect: f32) -> (i32, i32) {
    let shown = |columns: i32| {
        let rows = (count + columns - 1) / columns;
        let [width, height] =
            [area.width as f32 / columns as f32, area.height as f32 / rows as f32];
        // A cell cuts off what does not fit its own aspect.
        let kept = (width / height / aspect).min(height * aspect / width);
        (width * height * kept, rows)
    };
    let best = (1..=count).max_by(|a, b| shown(*a).0.total_cmp(&shown(*b).0)).unwrap_or(1);
    (best, shown(best).1)
}
