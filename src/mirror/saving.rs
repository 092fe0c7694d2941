//! Finished pictures to disk, where the shop has turned that on.

use super::health::Health;
use super::view::Look;
use crate::output::Existing;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Pictures that may wait to be written.
const WAITING: usize = 2;

/// A thread that writes pictures. A full disk is told on the health page, and the mirror goes on.
pub struct Saver {
    looks: SyncSender<Arc<Look>>,
    health: Arc<Health>,
}

impl Saver {
    /// Saves into a folder, which has to be there.
    pub fn new(folder: PathBuf, health: Arc<Health>) -> Self {
        let (looks, received) = mpsc::sync_channel::<Arc<Look>>(WAITING);
        let readings = Arc::clone(&health);
        let started = std::thread::Builder::new().name("saving".to_owned()).spawn(move || {
            for look in received {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                let name = format!("look-{}-{}.png", since.as_millis(), look.number);
                let result = look.after.save(&folder.join(&name), Existing::Keep);
                let problem = result.err().map(|error| error.to_string());
                match &problem {
                    Some(problem) => tracing::error!("not saved: {problem}"),
                    None => tracing::info!(name, "saved"),
                }
                readings.saving(problem);
            }
        });
        if let Err(error) = started {
            health.saving(Some(error.to_string()));
        }
        Self { looks, health }
    }

    /// Saves a look, soon.
    pub fn save(&mut self, look: &Arc<Look>) {
        match self.looks.try_send(Arc::clone(look)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                self.health
                    .saving(Some("the disk is too slow: a picture was not saved".to_owned()));
            }
            Err(TrySendError::Disconnected(_)) => {
                self.health.saving(Some("the thread that saves has ended".to_owned()));
            }
        }
    }
}
