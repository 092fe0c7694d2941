//! One device: from the kernel's events to touches, moves and keys.

use crate::screen::draw::Key;
use evdev::{
    AbsoluteAxisCode as Axis, Device, EventSummary, InputEvent, KeyCode, PropType,
    RelativeAxisCode as Relative, SynchronizationCode,
};

/// What a device says. Places are shares of the glass's width and height.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Spoken {
    /// A finger touches.
    Down([f32; 2]),
    /// It moves.
    Move([f32; 2]),
    /// It leaves.
    Up([f32; 2]),
    /// The device went away.
    Lost,
    /// A pointer is at a place.
    Point([f32; 2]),
    /// A mouse was moved, in its own steps.
    Shift([f32; 2]),
    /// A pointer's button goes down or up.
    Press(bool),
    /// A wheel was turned, in notches; down is positive.
    Wheel(f32),
    /// A key was pressed.
    Key(Key),
}

/// How a device points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pointing {
    /// It does not.
    Not,
    /// Fingers with numbers.
    Fingers,
    /// One finger.
    Finger,
    /// A pointer that is put somewhere, such as a virtual machine's.
    Tablet,
    /// A pointer that is pushed.
    Mouse,
}

/// Least and greatest value of an axis.
type Range = [i32; 2];

/// Gathers a device's events.
pub struct Reader {
    pointing: Pointing,
    ranges: [Range; 2],
    /// The finger that events are of, and the one that is followed.
    slot: i32,
    followed: Option<i32>,
    /// The followed finger or pointer, in the device's units.
    at: [i32; 2],
    down: bool,
    was_down: bool,
    moved: bool,
    shift: [f32; 2],
    later: Vec<Spoken>,
}

impl Reader {
    /// A reader for a device, if it has anything to say.
    pub fn of(device: &Device) -> Option<Self> {
        let axes = device.supported_absolute_axes();
        let keys = device.supported_keys();
        let has_axis = |axis| axes.is_some_and(|axes| axes.contains(axis));
        let has_key = |key| keys.is_some_and(|keys| keys.contains(key));
        // A touch pad moves a pointer of its own; without one it would act where it is touched.
        let pad = device.properties().contains(PropType::POINTER);
        let mouse =
            device.supported_relative_axes().is_some_and(|axes| axes.contains(Relative::REL_X));
        let pointing = if has_axis(Axis::ABS_MT_POSITION_X) && !pad {
            Pointing::Fingers
        } else if has_axis(Axis::ABS_X) && has_key(KeyCode::BTN_TOUCH) && !pad {
            Pointing::Finger
        } else if has_axis(Axis::ABS_X) && has_key(KeyCode::BTN_LEFT) {
            Pointing::Tablet
        } else if mouse {
            Pointing::Mouse
        } else {
            Pointing::Not
        };
        if pointing == Pointing::Not && !has_key(KeyCode::KEY_ENTER) && !has_key(KeyCode::KEY_ESC) {
            return None;
        }
        let axes = match pointing {
            Pointing::Fingers => [Axis::ABS_MT_POSITION_X, Axis::ABS_MT_POSITION_Y],
            _ => [Axis::ABS_X, Axis::ABS_Y],
        };
        let mut ranges = [[0, 1]; 2];
        if let Ok(infos) = device.get_absinfo() {
            for (axis, info) in infos {
                for (range, wanted) in ranges.iter_mut().zip(axes) {
                    if axis == wanted {
                        *range = [info.minimum(), info.maximum()];
                    }
                }
            }
        }
        Some(Self::new(pointing, ranges))
    }

    fn new(pointing: Pointing, ranges: [Range; 2]) -> Self {
        Self {
            pointing,
            ranges,
            slot: 0,
            followed: None,
            at: [0; 2],
            down: false,
            was_down: false,
            moved: false,
            shift: [0.0; 2],
            later: Vec::new(),
        }
    }

    /// Takes in an event; what the device said is complete at the end of a report.
    pub fn take(&mut self, event: InputEvent, spoken: &mut Vec<Spoken>) {
        match event.destructure() {
            EventSummary::Synchronization(_, SynchronizationCode::SYN_REPORT, _) => {
                self.report(spoken);
            }
            EventSummary::AbsoluteAxis(_, axis, value) => self.axis(axis, value),
            EventSummary::RelativeAxis(_, Relative::REL_X, value) => self.shift[0] += value as f32,
            EventSummary::RelativeAxis(_, Relative::REL_Y, value) => self.shift[1] += value as f32,
            EventSummary::RelativeAxis(_, Relative::REL_WHEEL, value) => {
                self.later.push(Spoken::Wheel(-value as f32));
            }
            EventSummary::Key(_, code, value) => self.key(code, value),
            _ => {}
        }
    }

    fn axis(&mut self, axis: Axis, value: i32) {
        if self.pointing == Pointing::Fingers {
            let ours = self.followed == Some(self.slot);
            match axis {
                Axis::ABS_MT_SLOT => self.slot = value,
                // The first finger is followed until it leaves.
                Axis::ABS_MT_TRACKING_ID if value >= 0 && self.followed.is_none() => {
                    (self.followed, self.down) = (Some(self.slot), true);
                }
                Axis::ABS_MT_TRACKING_ID if value < 0 && ours => {
                    (self.followed, self.down) = (None, false);
                }
                Axis::ABS_MT_POSITION_X if ours => (self.at[0], self.moved) = (value, true),
                Axis::ABS_MT_POSITION_Y if ours => (self.at[1], self.moved) = (value, true),
                _ => {}
            }
            return;
        }
        match axis {
            Axis::ABS_X => (self.at[0], self.moved) = (value, true),
            Axis::ABS_Y => (self.at[1], self.moved) = (value, true),
            _ => {}
        }
    }

    fn key(&mut self, code: KeyCode, value: i32) {
        if code == KeyCode::BTN_TOUCH {
            if self.pointing == Pointing::Finger {
                self.down = value != 0;
            }
            return;
        }
        if code == KeyCode::BTN_LEFT {
            if matches!(self.pointing, Pointing::Mouse | Pointing::Tablet) {
                self.later.push(Spoken::Press(value != 0));
            }
            return;
        }
        let key = match code {
            KeyCode::KEY_LEFT => Key::Left,
            KeyCode::KEY_RIGHT => Key::Right,
            KeyCode::KEY_UP => Key::Up,
            KeyCode::KEY_DOWN => Key::Down,
            KeyCode::KEY_ENTER
            | KeyCode::KEY_KPENTER
            | KeyCode::KEY_SPACE
            | KeyCode::KEY_SELECT => Key::Enter,
            KeyCode::KEY_ESC | KeyCode::KEY_BACK => Key::Escape,
            _ => return,
        };
        // A key that is held repeats; only arrows are wanted more than once.
        let repeats = !matches!(key, Key::Enter | Key::Escape);
        if value == 1 || value == 2 && repeats {
            self.later.push(Spoken::Key(key));
        }
    }

    fn report(&mut self, spoken: &mut Vec<Spoken>) {
        let at = self.share();
        match self.pointing {
            Pointing::Fingers | Pointing::Finger => match (self.was_down, self.down) {
                (false, true) => spoken.push(Spoken::Down(at)),
                (true, true) if self.moved => spoken.push(Spoken::Move(at)),
                (true, false) => spoken.push(Spoken::Up(at)),
                _ => {}
            },
            Pointing::Tablet if self.moved => spoken.push(Spoken::Point(at)),
            Pointing::Mouse if self.shift != [0.0; 2] => spoken.push(Spoken::Shift(self.shift)),
            _ => {}
        }
        spoken.append(&mut self.later);
        (self.was_down, self.moved, self.shift) = (self.down, false, [0.0; 2]);
    }

    fn share(&self) -> [f32; 2] {
        let share = |axis: usize| {
            let [least, most] = self.ranges[axis].map(|value| value as f32);
            ((self.at[axis] as f32 - least) / (most - least).max(1.0)).clamp(0.0, 1.0)
        };
        [share(0), share(1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYN: u16 = 0;
    const KEY: u16 = 1;
    const REL: u16 = 2;
    const ABS: u16 = 3;

    fn heard(pointing: Pointing, events: &[(u16, u16, i32)]) -> Vec<Spoken> {
        let mut reader = Reader::new(pointing, [[0, 100], [0, 200]]);
        let mut spoken = Vec::new();
        for (kind, code, value) in events {
            reader.take(InputEvent::new(*kind, *code, *value), &mut spoken);
        }
        spoken
    }

    #[test]
    fn the_first_of_several_fingers_is_followed() {
        let (slot, id, x, y) = (0x2f, 0x39, 0x35, 0x36);
        let events = [
            (ABS, slot, 0),
            (ABS, id, 7),
            (ABS, x, 50),
            (ABS, y, 50),
            (SYN, 0, 0),
            (ABS, slot, 1),
            (ABS, id, 8),
            (ABS, x, 99),
            (ABS, y, 99),
            (SYN, 0, 0),
            (ABS, slot, 0),
            (ABS, x, 60),
            (SYN, 0, 0),
            (ABS, slot, 1),
            (ABS, id, -1),
            (SYN, 0, 0),
            (ABS, slot, 0),
            (ABS, id, -1),
            (SYN, 0, 0),
        ];
        let expected =
            [Spoken::Down([0.5, 0.25]), Spoken::Move([0.6, 0.25]), Spoken::Up([0.6, 0.25])];
        assert_eq!(heard(Pointing::Fingers, &events), expected);
    }

    #[test]
    fn a_single_finger_touches_where_it_is_told() {
        let events = [
            (ABS, 0, 100),
            (ABS, 1, 200),
            (KEY, 0x14a, 1),
            (SYN, 0, 0),
            (KEY, 0x14a, 0),
            (SYN, 0, 0),
        ];
        assert_eq!(
            heard(Pointing::Finger, &events),
            [Spoken::Down([1.0, 1.0]), Spoken::Up([1.0, 1.0])]
        );
    }

    #[test]
    fn a_tablet_is_moved_before_it_is_pressed() {
        let events = [(KEY, 0x110, 1), (ABS, 0, 10), (ABS, 1, 20), (SYN, 0, 0)];
        assert_eq!(
            heard(Pointing::Tablet, &events),
            [Spoken::Point([0.1, 0.1]), Spoken::Press(true)]
        );
    }

    #[test]
    fn a_mouse_is_pushed_pressed_and_its_wheel_turned() {
        let events = [(REL, 0, 3), (REL, 1, -4), (KEY, 0x110, 1), (REL, 8, -1), (SYN, 0, 0)];
        let expected = [Spoken::Shift([3.0, -4.0]), Spoken::Press(true), Spoken::Wheel(1.0)];
        assert_eq!(heard(Pointing::Mouse, &events), expected);
    }

    #[test]
    fn only_arrows_repeat_and_other_keys_mean_nothing() {
        let events = [
            (KEY, 106, 1),
            (KEY, 106, 2),
            (KEY, 106, 0),
            (KEY, 28, 1),
            (KEY, 28, 2),
            (KEY, 30, 1),
            (SYN, 0, 0),
        ];
        let expected = [Spoken::Key(Key::Right), Spoken::Key(Key::Right), Spoken::Key(Key::Enter)];
        assert_eq!(heard(Pointing::Not, &events), expected);
    }
}
