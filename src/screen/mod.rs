//! Where views are shown: a web page, the display itself, or a file.

pub mod draw;
pub mod drm;
pub mod file;
pub mod script;
pub mod touch;
pub mod web;

use crate::mirror::view::{Action, Seen, View};
use std::sync::Arc;

/// A place where views are shown. The loop calls it once per frame and never waits for more than one refresh.
pub trait Screen: Send {
    /// Shows a view, or keeps it to be shown next in place of one that was kept before.
    ///
    /// # Errors
    /// When the screen is gone for good; the mirror then ends and is started again by the system.
    fn show(&mut self, view: &Arc<View>) -> Result<(), ScreenError>;

    /// Views that have reached the glass since the last call. A screen that nobody looks at (no page is open) counts a view
    /// as seen when it was made ready for whoever comes.
    fn seen(&mut self) -> Vec<Seen>;

    /// What the shopper did since the last call; never waits.
    fn actions(&mut self) -> Vec<Action>;

    /// Drops and overwrites every copy of a picture of a person.
    fn wipe(&mut self);
}

impl Screen for Box<dyn Screen> {
    fn show(&mut self, view: &Arc<View>) -> Result<(), ScreenError> {
        self.as_mut().show(view)
    }

    fn seen(&mut self) -> Vec<Seen> {
        self.as_mut().seen()
    }

    fn actions(&mut self) -> Vec<Action> {
        self.as_mut().actions()
    }

    fn wipe(&mut self) {
        self.as_mut().wipe();
    }
}

/// Why a screen cannot show anything.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {why}")]
pub struct ScreenError {
    /// What was tried.
    pub what: String,
    /// What the system said, and what to do.
    pub why: String,
}
