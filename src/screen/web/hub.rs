//! What the mirror's loop and the server's thread share.

use super::jpeg::Buffers;
use crate::mirror::view::{Action, Look, Seen, View};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::watch;

/// Most that is kept between two calls of the loop, which calls once per frame.
const ACTIONS: usize = 64;
const SEEN: usize = 256;

/// What the server counts.
#[derive(Debug, Default)]
pub struct Counters {
    /// Pages that were opened.
    pub pages: AtomicU64,
    /// Pictures that were sent to a page.
    pub pictures: AtomicU64,
    /// Bytes of them.
    pub picture_bytes: AtomicU64,
    /// Messages of pages that made no sense, or too many at once.
    pub ignored: AtomicU64,
    /// Pages that stopped answering.
    pub lost: AtomicU64,
}

pub(super) struct Hub {
    newest: watch::Sender<Option<Arc<View>>>,
    /// Counts wipes.
    wipes: watch::Sender<u64>,
    seat: watch::Sender<Seat>,
    actions: Mutex<Vec<Action>>,
    seen: Mutex<Vec<Seen>>,
    pub(super) buffers: Arc<Buffers>,
    pub(super) counters: Arc<Counters>,
}

/// Who sits before the mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seat {
    /// The newest page's number, from 1.
    page: u64,
    taken: bool,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            newest: watch::Sender::new(None),
            wipes: watch::Sender::new(0),
            seat: watch::Sender::new(Seat { page: 0, taken: false }),
            actions: Mutex::default(),
            seen: Mutex::default(),
            buffers: Arc::default(),
            counters: Arc::default(),
        }
    }
}

impl Hub {
    pub(super) fn show(&self, view: Arc<View>) {
        let number = view.number;
        self.newest.send_replace(Some(view));
        if !self.seat.borrow().taken {
            self.saw(number);
        }
    }

    pub(super) fn wipe(&self) {
        self.newest.send_replace(None);
        self.wipes.send_modify(|wipes| *wipes += 1);
    }

    pub(super) fn newest(&self) -> Option<Arc<View>> {
        self.newest.borrow().clone()
    }

    pub(super) fn look(&self, number: u64) -> Option<Arc<Look>> {
        self.newest()?.looks.iter().find(|look| look.number == number).cloned()
    }

    pub(super) fn saw(&self, number: u64) {
        let mut seen = lock(&self.seen);
        if seen.len() < SEEN {
            seen.push(Seen { number, at: Instant::now() });
        }
    }

    pub(super) fn act(&self, action: Action) {
        let mut actions = lock(&self.actions);
        if actions.len() < ACTIONS {
            actions.push(action);
        } else {
            self.ignore();
        }
    }

    pub(super) fn ignore(&self) {
        self.counters.ignored.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut lock(&self.seen))
    }

    pub(super) fn take_actions(&self) -> Vec<Action> {
        std::mem::take(&mut lock(&self.actions))
    }

    /// Gives the mirror to a new page; the one before loses it.
    pub(super) fn sit(self: &Arc<Self>) -> Sitting {
        let mut page = 0;
        self.seat.send_modify(|seat| {
            page = seat.page + 1;
            *seat = Seat { page, taken: true };
        });
        self.counters.pages.fetch_add(1, Ordering::Relaxed);
        Sitting {
            hub: Arc::clone(self),
            newest: self.newest.subscribe(),
            wipes: self.wipes.subscribe(),
            displaced: Displaced { page, seat: self.seat.subscribe() },
        }
    }
}

/// One page's hold on the mirror.
pub(super) struct Sitting {
    hub: Arc<Hub>,
    pub(super) newest: watch::Receiver<Option<Arc<View>>>,
    pub(super) wipes: watch::Receiver<u64>,
    pub(super) displaced: Displaced,
}

/// Whether another page has the mirror.
pub(super) struct Displaced {
    page: u64,
    seat: watch::Receiver<Seat>,
}

impl Displaced {
    /// Waits until it has.
    pub(super) async fn wait(&mut self) {
        // The sender lives in the hub, which the sitting holds.
        let _ = self.seat.wait_for(|seat| seat.page != self.page).await;
    }
}

impl Drop for Sitting {
    fn drop(&mut self) {
        self.hub.seat.send_if_modified(|seat| {
            let ours = seat.page == self.displaced.page;
            if ours {
                seat.taken = false;
            }
            ours
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
