//! What page and server say over the WebSocket.
//!
//! To the page, as text: `{"type":"shop",…}`, `{"type":"catalogue",…}` and `{"type":"state",…}`, each only when it changed;
//! `{"type":"wipe"}`: drop every picture; `{"type":"taken"}`: another page has the mirror now.
//!
//! To the page, as binary: a head of two big-endian numbers, the view's (u64) and the length of its JPEG (u32, 0 where there
//! is no picture to show), then the JPEG in parts of at most [`PART`] bytes. A head with the number 0 is padding: ignored.
//!
//! From the page, as text: `{"do":"wear","piece":"…"}` and so on, one for each [`Action`], and
//! `{"do":"seen","view":17}` once that view is on the glass; the next picture is sent after it.

use crate::mirror::view::{Action, Catalogue, Hint, Shop, Stage, Trouble, View};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Largest message in either direction, bytes; parts of one size leave no copies in buffers that grow.
pub const PART: usize = 32 << 10;

/// Largest message of a page, bytes.
pub const MESSAGE: usize = 4 << 10;

/// The head of a picture's message.
pub fn head(view: u64, length: usize) -> [u8; 12] {
    let mut head = [0; 12];
    head[..8].copy_from_slice(&view.to_be_bytes());
    head[8..].copy_from_slice(&(length as u32).to_be_bytes());
    head
}

/// What a page says.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// What the shopper did.
    Action(Action),
    /// A view is on the glass.
    Seen(u64),
}

/// Reads a message of a page; `None` for anything that is none.
pub fn read(message: &str) -> Option<Said> {
    #[derive(Deserialize)]
    #[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
    enum Message {
        Wake,
        Agree,
        Decline,
        Wear { piece: String },
        TakeOff,
        Step { by: i32 },
        TakePicture,
        Cancel,
        Back,
        Done,
        Seen { view: u64 },
    }
    let action = match serde_json::from_str(message).ok()? {
        Message::Wake => Action::Wake,
        Message::Agree => Action::Agree,
        Message::Decline => Action::Decline,
        Message::Wear { piece } => Action::Wear(piece),
        Message::TakeOff => Action::TakeOff,
        Message::Step { by: by @ (1 | -1) } => Action::Step(by),
        Message::Step { .. } => return None,
        Message::TakePicture => Action::TakePicture,
        Message::Cancel => Action::Cancel,
        Message::Back => Action::Back,
        Message::Done => Action::Done,
        Message::Seen { view } => return Some(Said::Seen(view)),
    };
    Some(Said::Action(action))
}

/// Whether a stage shows the live picture; in others none leaves the program.
pub fn shows_picture(stage: &Stage) -> bool {
    matches!(stage, Stage::Live | Stage::Countdown { .. } | Stage::Studio { .. })
}

/// The pieces, as text.
pub fn catalogue(catalogue: &Catalogue) -> String {
    #[derive(Serialize)]
    struct Piece<'a> {
        id: &'a str,
        name: &'a str,
        category: &'static str,
    }
    let pieces: Vec<Piece> = catalogue
        .pieces
        .iter()
        .map(|piece| Piece { id: &piece.id, name: &piece.name, category: piece.category.name() })
        .collect();
    let version = catalogue.version;
    serde_json::json!({ "type": "catalogue", "version": version, "pieces": pieces }).to_string()
}

/// What the shop wants, as text.
pub fn shop(shop: &Shop) -> String {
    serde_json::json!({
        "type": "shop",
        "name": shop.name,
        "consent": shop.consent,
        "download": shop.download,
        "handsFree": shop.hands_free,
        "language": shop.language,
    })
    .to_string()
}

/// Where the visit stands, as text: what changes on its own is rounded to what can be told apart on the page.
pub fn state(view: &View) -> String {
    let looks: Vec<_> = view
        .looks
        .iter()
        .map(|look| {
            let focus = rounded(look.focus, 500.0);
            serde_json::json!({ "number": look.number, "wearing": look.wearing, "focus": focus })
        })
        .collect();
    let hand = view.hand.map(|hand| {
        serde_json::json!({
            "progress": rounded(hand.progress, 100.0),
            "x": rounded(hand.at[0], 500.0),
            "y": rounded(hand.at[1], 500.0),
        })
    });
    serde_json::json!({
        "type": "state",
        "stage": stage(&view.stage),
        "trouble": view.trouble.as_ref().map(trouble),
        "hint": view.hint.map(hint),
        "hand": hand,
        "wearing": view.wearing,
        "looks": looks,
    })
    .to_string()
}

fn stage(stage: &Stage) -> serde_json::Value {
    match stage {
        Stage::Attract => serde_json::json!({ "name": "attract" }),
        Stage::Consent => serde_json::json!({ "name": "consent" }),
        Stage::Live => serde_json::json!({ "name": "live" }),
        Stage::Countdown { left } => {
            serde_json::json!({ "name": "countdown", "seconds": seconds(*left) })
        }
        Stage::Studio { progress, left } => serde_json::json!({
            "name": "studio",
            "percent": (rounded(*progress, 100.0) * 100.0).round() as u32,
            "seconds": left.map(seconds),
        }),
        Stage::Result => serde_json::json!({ "name": "result" }),
        Stage::Wipe => serde_json::json!({ "name": "wipe" }),
    }
}

fn trouble(trouble: &Trouble) -> serde_json::Value {
    let (kind, detail) = match trouble {
        Trouble::NoCamera => ("no-camera", None),
        Trouble::CameraBusy => ("camera-busy", None),
        Trouble::CameraFrozen => ("camera-frozen", None),
        Trouble::CameraUnreadable => ("camera-unreadable", None),
        Trouble::CameraFailed(why) => ("camera-failed", Some(why)),
        Trouble::NoNets(why) => ("no-nets", Some(why)),
        Trouble::StudioFailed(why) => ("studio-failed", Some(why)),
        Trouble::DoesNotFit(why) => ("does-not-fit", Some(why)),
    };
    serde_json::json!({ "kind": kind, "detail": detail })
}

fn hint(hint: Hint) -> &'static str {
    match hint {
        Hint::StepIn => "step-in",
        Hint::ComeCloser => "come-closer",
        Hint::StepBack => "step-back",
        Hint::FaceTheMirror => "face-the-mirror",
    }
}

/// Whole seconds, begun ones counted.
fn seconds(left: Duration) -> u64 {
    left.as_millis().div_ceil(1000) as u64
}

/// A share to the nearest of `steps`; 0 for what is no number.
fn rounded(share: f32, steps: f64) -> f64 {
    let share = if share.is_finite() { f64::from(share).clamp(0.0, 1.0) } else { 0.0 };
    (share * steps).round() / steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_a_message() {
        let said = [
            (r#"{"do":"wake"}"#, Action::Wake),
            (r#"{"do":"agree"}"#, Action::Agree),
            (r#"{"do":"decline"}"#, Action::Decline),
            (r#"{"do":"wear","piece":"tops/tee-red"}"#, Action::Wear("tops/tee-red".into())),
            (r#"{"do":"take-off"}"#, Action::TakeOff),
            (r#"{"do":"step","by":-1}"#, Action::Step(-1)),
            (r#"{"do":"take-picture"}"#, Action::TakePicture),
            (r#"{"do":"cancel"}"#, Action::Cancel),
            (r#"{"do":"back"}"#, Action::Back),
            (r#"{"do":"done"}"#, Action::Done),
        ];
        for (message, action) in said {
            assert_eq!(read(message), Some(Said::Action(action)), "{message}");
        }
        assert_eq!(read(r#"{"do":"seen","view":7}"#), Some(Said::Seen(7)));
    }

    #[test]
    fn nonsense_is_nothing() {
        let nonsense = [
            "",
            "{",
            "[]",
            "null",
            r#"{"do":"wear"}"#,
            r#"{"do":"step","by":1000}"#,
            r#"{"do":"dance"}"#,
            r#"{"do":"seen","view":-1}"#,
            r#"{"do":"wear","piece":7}"#,
        ];
        for message in nonsense {
            assert_eq!(read(message), None, "{message}");
        }
        assert_eq!(read(&"[".repeat(4000)), None);
    }

    #[test]
    fn time_is_told_in_begun_seconds_and_shares_in_range() {
        assert_eq!(seconds(Duration::from_millis(2001)), 3);
        assert_eq!(seconds(Duration::ZERO), 0);
        assert_eq!(rounded(f32::NAN, 100.0), 0.0);
        assert_eq!(rounded(7.0, 100.0), 1.0);
    }
}
