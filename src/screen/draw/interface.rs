//! What a person does with the screen: touches and keys become actions, or change what is shown.

use super::Point;
use super::layout::{Layout, Strip, Target, Track};
use crate::garment::Category;
use crate::mirror::view::{Action, Stage, View};

/// Pixels (of a screen of 720) that a finger may move and still tap.
const TAP: f32 = 12.0;

/// A touch or a key, in pixels of the screen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Input {
    /// A finger or button goes down.
    Down(Point),
    /// It moves.
    Move(Point),
    /// It goes up.
    Up(Point),
    /// The touch ended without a tap.
    Lost,
    /// A mouse is moved.
    Pointer(Point),
    /// A wheel was turned, in notches; down is positive.
    Wheel(f32),
    /// A key was pressed.
    Key(Key),
}

/// Keys that mean something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Arrow to the left.
    Left,
    /// Arrow to the right.
    Right,
    /// Arrow upwards.
    Up,
    /// Arrow downwards.
    Down,
    /// Also space.
    Enter,
    /// Leaves what is going on.
    Escape,
}

/// What of the screen is not the mirror's business: what is chosen, pushed, pressed.
#[derive(Clone, Debug, PartialEq)]
pub struct Interface {
    /// The category shown; `None` for all.
    pub category: Option<Category>,
    /// Where the line between before and after is, share of the area's width.
    pub slider: f32,
    /// Whether looks are side by side.
    pub compare: bool,
    /// The look that was chosen, by number.
    pub look: Option<u64>,
    /// What a finger is on.
    pub pressed: Option<Target>,
    /// Where the keyboard is.
    pub focus: Option<Target>,
    /// Where the mouse is, once one was moved.
    pub pointer: Option<Point>,
    pushed: [i32; 3],
    drag: Option<Drag>,
    stage: Option<std::mem::Discriminant<Stage>>,
    looks: usize,
}

/// A finger that is down.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Drag {
    from: Point,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    /// Not known yet; the row below the finger, and how far it was pushed.
    Tap(Option<(Track, i32)>),
    /// A row is pushed.
    Push(Track, i32),
    /// The line between before and after is moved.
    Slide,
}

impl Default for Interface {
    fn default() -> Self {
        Self {
            category: None,
            slider: 0.5,
            compare: false,
            look: None,
            pressed: None,
            focus: None,
            pointer: None,
            pushed: [0; 3],
            drag: None,
            stage: None,
            looks: 0,
        }
    }
}

impl Interface {
    /// How far a row is pushed, pixels.
    pub fn pushed(&self, strip: Strip) -> i32 {
        self.pushed[strip as usize]
    }

    /// Follows the mirror: a new visit and a new result begin anew.
    pub fn follow(&mut self, view: &View) {
        let stage = Some(std::mem::discriminant(&view.stage));
        if self.stage != stage {
            self.stage = stage;
            (self.pressed, self.focus, self.drag) = (None, None, None);
            match view.stage {
                Stage::Attract | Stage::Wipe => {
                    *self = Self { pointer: self.pointer, stage, ..Self::default() };
                }
                Stage::Result => self.newest(),
                _ => {}
            }
        }
        if self.looks != view.looks.len() {
            self.looks = view.looks.len();
            self.newest();
        }
    }

    fn newest(&mut self) {
        (self.slider, self.compare, self.look) = (0.5, false, None);
        self.pushed[Strip::Looks as usize] = 0;
    }

    /// Takes in what a person did; adds what the mirror has to know to `actions`.
    pub fn take(
        &mut self,
        input: Input,
        view: &View,
        layout: &Layout,
        right_to_left: bool,
        actions: &mut Vec<Action>,
    ) {
        match input {
            Input::Down(point) => {
                actions.push(Action::Wake);
                self.down(point, layout);
            }
            Input::Move(point) => self.moved(point, layout, right_to_left),
            Input::Up(point) => {
                let tapped = self.drag.take().is_some_and(|drag| matches!(drag.what, What::Tap(_)));
                let pressed = self.pressed.take();
                if tapped && pressed.is_some() && layout.hit(point) == pressed {
                    actions.extend(pressed.and_then(|target| self.activate(target)));
                }
            }
            Input::Lost => (self.drag, self.pressed) = (None, None),
            Input::Pointer(point) => self.pointer = Some(point),
            Input::Wheel(notches) => {
                if let Some(track) = self.pointer.and_then(|point| layout.track(point)) {
                    let by = (notches * track.step as f32) as i32;
                    self.push(track, self.pushed(track.strip) + by);
                }
            }
            Input::Key(key) => {
                actions.push(Action::Wake);
                actions.extend(self.key(key, view, layout, right_to_left));
            }
        }
    }

    fn down(&mut self, point: Point, layout: &Layout) {
        self.focus = None;
        self.pressed = layout.hit(point);
        let what = if self.pressed == Some(Target::Slider) {
            self.slide(point, layout);
            What::Slide
        } else {
            let pushed = |track: Track| (track, self.pushed(track.strip).clamp(0, track.reach));
            What::Tap(layout.track(point).map(pushed))
        };
        self.drag = Some(Drag { from: point, what });
    }

    fn moved(&mut self, point: Point, layout: &Layout, right_to_left: bool) {
        if self.pointer.is_some() {
            self.pointer = Some(point);
        }
        let Some(drag) = self.drag else { return };
        let [x, y] = [point.x - drag.from.x, point.y - drag.from.y];
        match drag.what {
            What::Slide => self.slide(point, layout),
            What::Push(track, from) => {
                let along = if track.upright {
                    y
                } else if right_to_left {
                    -x
                } else {
                    x
                };
                self.push(track, from - along as i32);
            }
            What::Tap(under) => {
                if x.hypot(y) > TAP * layout.unit {
                    self.pressed = None;
                    if let Some((track, from)) = under {
                        self.drag = Some(Drag { from: point, what: What::Push(track, from) });
                    }
                }
            }
        }
    }

    fn push(&mut self, track: Track, to: i32) {
        self.pushed[track.strip as usize] = to.clamp(0, track.reach);
    }

    fn slide(&mut self, point: Point, layout: &Layout) {
        if let Some(place) = layout.place(&Target::Slider) {
            let share = (point.x - place.x as f32) / place.width.max(1) as f32;
            self.slider = share.clamp(0.0, 1.0);
        }
    }

    fn activate(&mut self, target: Target) -> Option<Action> {
        match target {
            Target::Screen | Target::Slider => None,
            Target::Agree => Some(Action::Agree),
            Target::Decline => Some(Action::Decline),
            Target::Piece(id) => Some(Action::Wear(id)),
            Target::TakeOff => Some(Action::TakeOff),
            Target::TakePicture => Some(Action::TakePicture),
            Target::Cancel => Some(Action::Cancel),
            Target::Back => Some(Action::Back),
            Target::Done => Some(Action::Done),
            Target::Category(category) => {
                self.category = category;
                self.pushed[Strip::Pieces as usize] = 0;
                None
            }
            Target::Compare => {
                self.compare = !self.compare;
                None
            }
            Target::Look(number) => {
                (self.look, self.compare) = (Some(number), false);
                None
            }
        }
    }

    fn key(
        &mut self,
        key: Key,
        view: &View,
        layout: &Layout,
        right_to_left: bool,
    ) -> Option<Action> {
        match key {
            Key::Enter => {
                let focus = self.focus.clone()?;
                self.activate(focus)
            }
            Key::Escape => match view.stage {
                Stage::Attract | Stage::Wipe => None,
                Stage::Consent => Some(Action::Decline),
                Stage::Live => Some(Action::Done),
                Stage::Countdown { .. } | Stage::Studio { .. } => Some(Action::Cancel),
                Stage::Result => Some(Action::Back),
            },
            Key::Left | Key::Right | Key::Up | Key::Down => {
                self.walk(key, layout, right_to_left);
                None
            }
        }
    }

    /// Moves the keyboard to the nearest target in a direction.
    fn walk(&mut self, key: Key, layout: &Layout, right_to_left: bool) {
        let Some((focus, place)) =
            self.focus.clone().and_then(|focus| layout.place(&focus).map(|place| (focus, place)))
        else {
            let first = layout.targets.iter().find(|(target, _)| *target != Target::Screen);
            self.focus = first.map(|(target, _)| target.clone());
            return;
        };
        if focus == Target::Slider && matches!(key, Key::Left | Key::Right) {
            let by = if key == Key::Left { -0.05 } else { 0.05 };
            self.slider = (self.slider + by).clamp(0.0, 1.0);
            return;
        }
        if let Target::Piece(id) = &focus
            && self.walk_pieces(id, key, layout, right_to_left)
        {
            return;
        }
        let from = place.center();
        let distance = |to: Point| {
            let [x, y] = [to.x - from.x, to.y - from.y];
            let (ahead, aside) = match key {
                Key::Left => (-x, y),
                Key::Right => (x, y),
                Key::Up => (-y, x),
                _ => (y, x),
            };
            (ahead > 1.0).then_some(ahead + 2.0 * aside.abs())
        };
        let others = layout.targets.iter().filter(|(target, _)| *target != focus);
        let near = others.filter_map(|(target, place)| Some((target, distance(place.center())?)));
        if let Some((target, _)) = near.min_by(|a, b| a.1.total_cmp(&b.1)) {
            self.focus = Some(target.clone());
        }
    }

    /// Moves along the row of pieces and pushes it where the next one is not wholly seen.
    fn walk_pieces(&mut self, id: &str, key: Key, layout: &Layout, right_to_left: bool) -> bool {
        let track = layout.tracks.iter().find(|track| track.strip == Strip::Pieces).copied();
        let (Some(track), Some(at)) = (track, layout.pieces.iter().position(|piece| piece == id))
        else {
            return false;
        };
        let on = match (track.upright, key, right_to_left) {
            (true, Key::Down, _) | (false, Key::Right, false) | (false, Key::Left, true) => true,
            (true, Key::Up, _) | (false, Key::Left, false) | (false, Key::Right, true) => false,
            _ => return false,
        };
        let next = if on { at.checked_add(track.across) } else { at.checked_sub(track.across) };
        let Some(next) = next.filter(|next| *next < layout.pieces.len()) else { return false };
        let begin = (next / track.across) as i32 * track.step;
        let seen = if track.upright { track.place.height } else { track.place.width };
        let pushed = self.pushed(track.strip).clamp(0, track.reach);
        let to = pushed.clamp((begin + track.step - seen).min(begin), begin);
        self.push(track, to);
        self.focus = Some(Target::Piece(layout.pieces[next].clone()));
        true
    }
}
