//! How each part looks.

mod sign;

use super::Rect;
use super::canvas::{Canvas, Rgba};
use super::fonts::{Fonts, Side, Style};
use super::frame::Layer;
use super::layout::{Icon, Part, Size, State, Weight};
use super::scale::{self};
use crate::mirror::view::View;
use image::imageops::{self, FilterType};

const WHITE: Rgba = [255, 255, 255, 255];
const FAINT: Rgba = [214, 217, 224, 255];
const DARK: Rgba = [20, 22, 28, 255];
const GLASS: Rgba = [20, 22, 28, 208];
const EDGE: Rgba = [255, 255, 255, 30];
const CARD: [Rgba; 2] = [[250, 249, 247, 255], [231, 229, 225, 255]];
const ACCENT: Rgba = [255, 190, 92, 255];

/// Room around a part for its shadow and the keyboard's frame, for a screen of 720 pixels.
const ROOM: i32 = 16;

/// Draws parts.
pub struct Brush<'a> {
    pub fonts: &'a mut Fonts,
    pub view: &'a View,
    pub unit: f32,
    pub right_to_left: bool,
}

/// A drawn part, and how far it reaches over its place on each side.
pub struct Painted {
    pub layer: Layer,
    pub room: i32,
}

impl Brush<'_> {
    fn px(&self, length: i32) -> i32 {
        (length as f32 * self.unit).round() as i32
    }

    /// Draws a part of a size.
    pub fn paint(&mut self, part: &Part, width: i32, height: i32) -> Painted {
        let room = match part {
            Part::Text { .. } | Part::ShadeAbove | Part::ShadeBelow => self.px(4),
            _ => self.px(ROOM),
        };
        let mut canvas = Canvas::new(width + 2 * room, height + 2 * room);
        let place = canvas.bounds().inset(room);
        match part {
            Part::Panel => self.panel(&mut canvas, place, GLASS),
            Part::Sheet => self.panel(&mut canvas, place, [24, 26, 33, 238]),
            Part::Text { text, size, faint, side } => {
                let color = if *faint { FAINT } else { WHITE };
                self.shaded(&mut canvas, text, place, (*size, *side, color));
            }
            Part::Button { label, icon, weight, state } => {
                self.button(&mut canvas, place, (label, *icon), *weight, *state);
            }
            Part::Chip { label, chosen, state } => {
                let (ground, ink) =
                    if *chosen { (WHITE, DARK) } else { ([255, 255, 255, 28], WHITE) };
                let radius = place.height as f32 / 2.0;
                canvas.round(place, radius, ground);
                self.text(&mut canvas, label, place, (Size::Small, Side::Center, ink));
                self.touched(&mut canvas, place, radius, *state);
            }
            Part::Card { id, name, worn, state } => {
                self.card(&mut canvas, place, (id, name), *worn, *state);
            }
            Part::Look { number, chosen, state, .. } => {
                self.look(&mut canvas, place, *number, *chosen, *state);
            }
            Part::Pill { label, icon } => self.pill(&mut canvas, place, label, *icon),
            Part::Notice { title, detail, side } => {
                self.notice(&mut canvas, place, title, detail, *side);
            }
            Part::Count { number, thousandths } => {
                self.count(&mut canvas, place, *number, *thousandths);
            }
            Part::Ring { thousandths } => self.ring(&mut canvas, place, *thousandths),
            Part::Bar { thousandths, mirrored } => {
                self.bar(&mut canvas, place, *thousandths, *mirrored);
            }
            Part::Sign { icon } => {
                let middle = place.center();
                let radius = place.height as f32 / 2.0;
                canvas.arc(
                    [middle.x, middle.y],
                    radius - 3.0 * self.unit,
                    4.0 * self.unit,
                    1.0,
                    ACCENT,
                );
                sign::draw(&mut canvas, *icon, place.inset(place.height / 4), ACCENT, false);
            }
            Part::Line => {
                let wide = place.inset(-self.px(1));
                canvas.round(wide, 0.0, [0, 0, 0, 60]);
                canvas.round(place, 0.0, WHITE);
            }
            Part::Handle { state } => self.handle(&mut canvas, place, *state),
            Part::ShadeAbove => canvas.fade(place, 0.0, [0, 0, 0, 150], [0, 0, 0, 0]),
            Part::ShadeBelow => canvas.fade(place, 0.0, [8, 9, 12, 30], [8, 9, 12, 190]),
            Part::Pointer => {
                let [x, y, u] = [place.x as f32, place.y as f32, self.unit];
                let at = |[a, b]: [f32; 2]| [x + a * u, y + b * u];
                let arrow = [
                    [0.0, 0.0],
                    [0.0, 22.0],
                    [6.0, 17.0],
                    [11.0, 27.0],
                    [15.0, 25.0],
                    [10.5, 15.5],
                    [17.0, 15.0],
                ];
                canvas.line(
                    &[arrow.as_slice(), &arrow[..1]]
                        .concat()
                        .into_iter()
                        .map(at)
                        .collect::<Vec<_>>(),
                    4.0 * u,
                    DARK,
                );
                canvas.shape(&arrow.map(at), WHITE);
            }
        }
        Painted { layer: canvas.layer(), room }
    }

    fn text(&mut self, canvas: &mut Canvas, text: &str, place: Rect, look: (Size, Side, Rgba)) {
        let (size, side, color) = look;
        let style = Style { size: size.pixels() * self.unit, color, side };
        self.fonts.draw(canvas, text, place, style);
    }

    /// Text that stays readable over any picture.
    fn shaded(&mut self, canvas: &mut Canvas, text: &str, place: Rect, look: (Size, Side, Rgba)) {
        let lower = Rect { y: place.y + self.px(1), ..place };
        self.text(canvas, text, lower, (look.0, look.1, [0, 0, 0, 130]));
        self.text(canvas, text, place, look);
    }

    fn panel(&mut self, canvas: &mut Canvas, place: Rect, ground: Rgba) {
        let radius = 26.0 * self.unit;
        canvas.shadow(place, radius, self.px(12), 60);
        canvas.round(place, radius, ground);
        canvas.outline(place, radius, self.unit.max(1.0), EDGE);
    }

    /// What shows that a finger or the keyboard is there.
    fn touched(&mut self, canvas: &mut Canvas, place: Rect, radius: f32, state: State) {
        if state.pressed {
            canvas.round(place, radius, [0, 0, 0, 56]);
        }
        if state.focused {
            let out = self.px(4);
            canvas.outline(place.inset(-out), radius + out as f32, 3.0 * self.unit, ACCENT);
        }
    }

    fn button(
        &mut self,
        canvas: &mut Canvas,
        place: Rect,
        (label, icon): (&str, Option<Icon>),
        weight: Weight,
        state: State,
    ) {
        let radius = place.height as f32 / 2.0;
        let ink = match weight {
            Weight::Primary => {
                canvas.shadow(place, radius, self.px(8), 50);
                canvas.round(place, radius, WHITE);
                DARK
            }
            Weight::Plain => {
                canvas.round(place, radius, [255, 255, 255, 34]);
                canvas.outline(place, radius, self.unit.max(1.0), EDGE);
                WHITE
            }
            Weight::Glass => {
                canvas.shadow(place, radius, self.px(8), 40);
                canvas.round(place, radius, GLASS);
                canvas.outline(place, radius, self.unit.max(1.0), EDGE);
                WHITE
            }
        };
        self.labelled(canvas, place, label, icon, ink);
        self.touched(canvas, place, radius, state);
    }

    /// A sign and a text beside it, together in the middle.
    fn labelled(
        &mut self,
        canvas: &mut Canvas,
        place: Rect,
        label: &str,
        icon: Option<Icon>,
        ink: Rgba,
    ) {
        let Some(icon) = icon else {
            return self.text(canvas, label, place, (Size::Body, Side::Center, ink));
        };
        let [side, gap] = [self.px(26), self.px(10)];
        let size = Size::Body.pixels() * self.unit;
        let room = place.width - side - gap - self.px(24);
        let wide = self.fonts.measure(label, size, f32::MAX, 1).0.min(room);
        let x = place.x + (place.width - wide - side - gap) / 2;
        let sign = Rect::new(x, place.y + (place.height - side) / 2, side, side);
        let text = Rect::new(x + side + gap, place.y, wide + 1, place.height);
        let flip = |inner: Rect| match self.right_to_left {
            true => Rect { x: place.x + place.right() - inner.right(), ..inner },
            false => inner,
        };
        let (sign, text) = (flip(sign), flip(text));
        sign::draw(canvas, icon, sign, ink, self.right_to_left);
        self.text(canvas, label, text, (Size::Body, Side::Left, ink));
    }

    fn pill(&mut self, canvas: &mut Canvas, place: Rect, label: &str, icon: Option<Icon>) {
        let radius = place.height as f32 / 2.0;
        canvas.shadow(place, radius, self.px(8), 40);
        canvas.round(place, radius, GLASS);
        canvas.outline(place, radius, self.unit.max(1.0), EDGE);
        self.labelled(canvas, place, label, icon, WHITE);
    }

    fn notice(&mut self, canvas: &mut Canvas, place: Rect, title: &str, detail: &str, side: Side) {
        self.panel(canvas, place, [24, 26, 33, 238]);
        let inside = place.inset(self.px(20));
        let icon = self.px(36);
        let mut text = inside;
        text.cut_right(self.px(4), 0);
        text.x += icon + self.px(20);
        text.width -= icon + self.px(20);
        let mut sign =
            Rect::new(inside.x + self.px(4), inside.y + (inside.height - icon) / 2, icon, icon);
        if side == Side::Right {
            [sign, text] = [sign, text]
                .map(|inner| Rect { x: place.x + place.right() - inner.right(), ..inner });
        }
        sign::draw(canvas, Icon::Warning, sign, ACCENT, false);
        let size = Size::Body.pixels() * self.unit;
        let high = self.fonts.measure(title, size, text.width as f32, 40).1.min(text.height);
        let row = text.cut_top(high, self.px(4));
        self.text(canvas, title, row, (Size::Body, side, WHITE));
        if text.height > self.px(10) {
            self.text(canvas, detail, text, (Size::Small, side, FAINT));
        }
    }

    fn card(
        &mut self,
        canvas: &mut Canvas,
        place: Rect,
        (id, name): (&str, &str),
        worn: bool,
        state: State,
    ) {
        let radius = 18.0 * self.unit;
        let mut rest = place;
        let ground = if name.is_empty() {
            rest
        } else {
            rest.cut_top(place.height - self.px(34), self.px(4))
        };
        canvas.fade(ground, radius, CARD[0], CARD[1]);
        let piece = self.view.catalogue.pieces.iter().find(|piece| piece.id == id);
        let decoded = piece.and_then(|piece| image::load_from_memory(&piece.thumbnail).ok());
        if let Some(picture) = decoded {
            let inside = ground.inset(self.px(12));
            let scale = (inside.width as f32 / picture.width() as f32)
                .min(inside.height as f32 / picture.height() as f32);
            let [width, height] = [picture.width(), picture.height()]
                .map(|side| ((side as f32 * scale) as u32).max(1));
            let small =
                imageops::resize(&picture.to_rgba8(), width, height, FilterType::CatmullRom);
            let at = inside.middle(width as i32, height as i32);
            canvas.picture(&small, width as usize, (at.x, at.y));
        }
        if worn {
            canvas.outline(ground, radius, 4.0 * self.unit, ACCENT);
            let r = 15.0 * self.unit;
            let x = if self.right_to_left {
                ground.x as f32 + r + 8.0 * self.unit
            } else {
                ground.right() as f32 - r - 8.0 * self.unit
            };
            let y = ground.y as f32 + r + 8.0 * self.unit;
            canvas.disc([x, y], r, ACCENT);
            let side = self.px(18);
            let check = Rect::new(x as i32 - side / 2, y as i32 - side / 2, side, side);
            sign::draw(canvas, Icon::Check, check, DARK, false);
        }
        if !name.is_empty() {
            let ink = if worn { WHITE } else { FAINT };
            self.text(canvas, name, rest, (Size::Small, Side::Center, ink));
        }
        self.touched(canvas, ground, radius, state);
    }

    fn look(&mut self, canvas: &mut Canvas, place: Rect, number: u64, chosen: bool, state: State) {
        let Some(look) = self.view.looks.iter().find(|look| look.number == number) else { return };
        let mut small = super::frame::Frame::new(place.width as usize, place.height as usize);
        let bounds = small.bounds();
        scale::draw(&mut small, &look.after, (bounds, look.focus), bounds, 256);
        let radius = 14.0 * self.unit;
        let rgba = super::rounded_picture(&small, radius);
        canvas.picture(&rgba, place.width as usize, (place.x, place.y));
        let (width, color) = if chosen { (4.0, ACCENT) } else { (1.0, EDGE) };
        canvas.outline(place, radius, width * self.unit, color);
        self.touched(canvas, place, radius, state);
    }

    fn count(&mut self, canvas: &mut Canvas, place: Rect, number: u64, thousandths: u16) {
        let middle = place.center();
        let middle = [middle.x, middle.y];
        let radius = place.height as f32 / 2.0;
        canvas.disc(middle, radius, [20, 22, 28, 150]);
        let width = 10.0 * self.unit;
        canvas.arc(middle, radius - width, width, 1.0, [255, 255, 255, 50]);
        canvas.arc(middle, radius - width, width, f32::from(thousandths) / 1000.0, WHITE);
        let style = Style { size: radius * 1.05, color: WHITE, side: Side::Center };
        self.fonts.draw(canvas, &number.to_string(), place, style);
    }

    fn ring(&mut self, canvas: &mut Canvas, place: Rect, thousandths: u16) {
        let middle = place.center();
        let middle = [middle.x, middle.y];
        let radius = place.height as f32 / 2.0 - 6.0 * self.unit;
        canvas.disc(middle, radius, [20, 22, 28, 90]);
        canvas.arc(middle, radius, 9.0 * self.unit, 1.0, [20, 22, 28, 150]);
        canvas.arc(middle, radius, 5.0 * self.unit, 1.0, [255, 255, 255, 120]);
        canvas.arc(middle, radius, 7.0 * self.unit, f32::from(thousandths) / 1000.0, ACCENT);
        canvas.disc(middle, 6.0 * self.unit, WHITE);
    }

    fn bar(&mut self, canvas: &mut Canvas, place: Rect, thousandths: u16, mirrored: bool) {
        let radius = place.height as f32 / 2.0;
        canvas.round(place, radius, [255, 255, 255, 46]);
        let width = (i32::from(thousandths) * place.width / 1000).max(place.height);
        let x = if mirrored { place.right() - width } else { place.x };
        canvas.round(Rect { x, width, ..place }, radius, ACCENT);
    }

    fn handle(&mut self, canvas: &mut Canvas, place: Rect, state: State) {
        let middle = place.center();
        let radius = place.height as f32 / 2.0 - 4.0 * self.unit;
        canvas.shadow(place.inset(self.px(4)), radius, self.px(10), 70);
        canvas.disc([middle.x, middle.y], radius, WHITE);
        let [a, b] = [9.0 * self.unit, 9.0 * self.unit];
        for side in [-1.0, 1.0] {
            let x = middle.x + side * 8.0 * self.unit;
            let points = [[x, middle.y - b], [x + side * a, middle.y], [x, middle.y + b]];
            canvas.line(&points, 3.0 * self.unit, DARK);
        }
        self.touched(canvas, place.inset(self.px(4)), radius, state);
    }
}
