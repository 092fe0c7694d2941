//! A screen whose shopper is a text file: for tests that drive the whole mirror.
//!
//! One line an action, by the time since the first view was shown:
//!
//! ```text
//! # seconds, then what is done
//! at 2.5 wear tee-red-print
//! at 4 picture
//! at 9 done
//! ```
//!
//! The actions are `wake`, `agree`, `decline`, `wear ID`, `take-off`, `next`, `previous`, `picture`, `cancel`, `back` and
//! `done`.

use super::{Screen, ScreenError};
use crate::mirror::view::{Action, Seen, View};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Actions with their times, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Script {
    lines: Vec<(Duration, Action)>,
}

impl Script {
    /// Reads a script's text.
    ///
    /// # Errors
    /// When a line is not understood; the error names it.
    pub fn parse(text: &str) -> Result<Self, ScreenError> {
        let mut lines = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let read = read_line(line).ok_or_else(|| ScreenError {
                what: format!("line {} of the script, `{line}`, is not understood", index + 1),
                why: "write `at SECONDS ACTION`, where ACTION is wake, agree, decline, wear ID, take-off, next, \
                      previous, picture, cancel, back or done"
                    .to_owned(),
            })?;
            lines.push(read);
        }
        lines.sort_by_key(|(at, _)| *at);
        Ok(Self { lines })
    }

    /// Reads a script's file.
    ///
    /// # Errors
    /// When it cannot be read or understood.
    pub fn open(path: &Path) -> Result<Self, ScreenError> {
        let text = std::fs::read_to_string(path).map_err(|why| ScreenError {
            what: format!("cannot read the script `{}`", path.display()),
            why: why.to_string(),
        })?;
        Self::parse(&text)
    }
}

fn read_line(line: &str) -> Option<(Duration, Action)> {
    let mut words = line.splitn(3, char::is_whitespace);
    if words.next() != Some("at") {
        return None;
    }
    let at = Duration::try_from_secs_f64(words.next()?.parse().ok()?).ok()?;
    let action = match words.next()?.trim() {
        "wake" => Action::Wake,
        "agree" => Action::Agree,
        "decline" => Action::Decline,
        "take-off" => Action::TakeOff,
        "next" => Action::Step(1),
        "previous" => Action::Step(-1),
        "picture" => Action::TakePicture,
        "cancel" => Action::Cancel,
        "back" => Action::Back,
        "done" => Action::Done,
        other => Action::Wear(other.strip_prefix("wear ")?.trim().to_owned()),
    };
    Some((at, action))
}

/// A screen with a script: what its own shopper does counts as well.
pub struct Scripted<S> {
    screen: S,
    script: std::vec::IntoIter<(Duration, Action)>,
    begun: Option<Instant>,
}

impl<S: Screen> Scripted<S> {
    /// Drives a screen by a script, whose time begins with the first view.
    pub fn new(screen: S, script: Script) -> Self {
        Self { screen, script: script.lines.into_iter(), begun: None }
    }
}

impl<S: Screen> Screen for Scripted<S> {
    fn show(&mut self, view: &Arc<View>) -> Result<(), ScreenError> {
        self.begun.get_or_insert_with(Instant::now);
        self.screen.show(view)
    }

    fn seen(&mut self) -> Vec<Seen> {
        self.screen.seen()
    }

    fn actions(&mut self) -> Vec<Action> {
        let mut actions = self.screen.actions();
        if let Some(begun) = self.begun {
            while let Some((at, action)) = self.script.as_slice().first()
                && *at <= begun.elapsed()
            {
                actions.push(action.clone());
                self.script.next();
            }
        }
        actions
    }

    fn wipe(&mut self) {
        self.screen.wipe();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_read_in_the_order_of_its_times() {
        let text = "# a visit\nat 4 picture\n\nat 2.5 wear shirts/red one # by its id\nat 4 next\n";
        let script = Script::parse(text).unwrap();
        let expected = [
            (Duration::from_millis(2500), Action::Wear("shirts/red one".into())),
            (Duration::from_secs(4), Action::TakePicture),
            (Duration::from_secs(4), Action::Step(1)),
        ];
        assert_eq!(script.lines, expected);
    }

    #[test]
    fn a_line_that_is_not_understood_is_named() {
        for line in
            ["jump", "at x done", "at -1 done", "at 1", "at 1 dance", "at 1 wear", "at 1e99 done"]
        {
            let why = Script::parse(&format!("at 0 wake\n{line}")).unwrap_err().to_string();
            assert!(why.contains("line 2") && why.contains(line), "{why}");
        }
    }
}
