//! The catalogue: a folder of garment pictures, watched, each prepared once.
//!
//! A thread looks at the folder every [`INTERVAL`]. A file that has changed and then lay still is read, checked and
//! prepared; what cannot be worn is listed as broken with the reason. What was prepared is kept on disk under the digest
//! of picture and description, so that a restart does not prepare it again, and in memory while it is worn.

mod cache;
mod folder;

use super::view::{Broken, Catalogue, Piece, THUMBNAIL};
use crate::garment::Texture;
use crate::tryon;
use arc_swap::ArcSwap;
use cache::Cache;
use folder::{Folder, Signature};
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often the folder is looked at. Names, sizes and times are compared, which also works where the system tells of
/// no changes (network folders, overlays).
pub const INTERVAL: Duration = Duration::from_secs(2);
/// Prepared pieces that stay in memory: those worn, and some that were.
const IN_MEMORY: usize = 8;

/// The watched folder.
pub struct Store {
    shared: Arc<Shared>,
    orders: Sender<Order>,
}

struct Shared {
    catalogue: ArcSwap<Catalogue>,
    prepared: Mutex<Prepared>,
}

/// Pieces in memory, the one used last at the back; pieces that somebody waits for.
#[derive(Default)]
struct Prepared {
    pieces: VecDeque<(String, Arc<tryon::Piece>)>,
    wanted: Vec<String>,
}

enum Order {
    /// Prepare the piece of this id for wearing.
    Prepare(String),
    /// Look at the folder now, at every file.
    Reload,
    End,
}

/// What is to be had of a piece.
pub enum Worn {
    /// It can be drawn.
    Ready(Arc<tryon::Piece>),
    /// It is being prepared.
    Soon,
    /// There is no such piece, or it is broken.
    Gone,
}

impl Store {
    /// Watches `folder`; what was prepared is kept in `cache`, where there is one.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn watch(folder: PathBuf, cache: Option<PathBuf>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { catalogue: ArcSwap::default(), prepared: Mutex::default() });
        let (orders, received) = mpsc::channel();
        let watcher = Watcher {
            shared: Arc::clone(&shared),
            folder: Folder::new(folder),
            cache: Cache::new(cache),
            files: BTreeMap::new(),
            version: 0,
        };
        std::thread::Builder::new()
            .name("catalogue".to_owned())
            .spawn(move || watcher.run(&received))?;
        Ok(Self { shared, orders })
    }

    /// The pieces there are now.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.shared.catalogue.load_full()
    }

    /// A piece to wear; asks for it to be prepared if it is not.
    pub fn piece(&self, id: &str) -> Worn {
        let mut prepared = lock(&self.shared.prepared);
        if let Some(at) = prepared.pieces.iter().position(|(known, _)| known == id)
            && let Some(entry) = prepared.pieces.remove(at)
        {
            let piece = Arc::clone(&entry.1);
            prepared.pieces.push_back(entry);
            return Worn::Ready(piece);
        }
        if prepared.wanted.iter().any(|wanted| wanted == id) {
            return Worn::Soon;
        }
        if !self.shared.catalogue.load().pieces.iter().any(|piece| piece.id == id) {
            return Worn::Gone;
        }
        prepared.wanted.push(id.to_owned());
        let _ = self.orders.send(Order::Prepare(id.to_owned()));
        Worn::Soon
    }

    /// Looks at every file again, now.
    pub fn reload(&self) {
        let _ = self.orders.send(Order::Reload);
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // It ends after the piece that it reads; nobody waits for that.
        let _ = self.orders.send(Order::End);
    }
}

fn lock(prepared: &Mutex<Prepared>) -> MutexGuard<'_, Prepared> {
    prepared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the watcher does after a look.
#[derive(PartialEq, Eq)]
enum Next {
    Wait,
    End,
}

struct Watcher {
    shared: Arc<Shared>,
    folder: Folder,
    cache: Cache,
    files: BTreeMap<String, File>,
    version: u64,
}

/// A picture of the folder, as it was read.
struct File {
    signature: Signature,
    piece: Result<Piece, String>,
}

impl Watcher {
    fn run(mut self, orders: &Receiver<Order>) {
        let mut next = self.look(orders);
        while next == Next::Wait {
            next = match orders.recv_timeout(INTERVAL) {
                Ok(Order::Prepare(id)) => {
                    self.prepare(&id);
                    Next::Wait
                }
                Ok(Order::Reload) => {
                    self.files.clear();
                    self.look(orders)
                }
                Err(RecvTimeoutError::Timeout) => self.look(orders),
                Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => Next::End,
            };
        }
    }

    /// Reads what is new or changed, forgets what is gone.
    fn look(&mut self, orders: &Receiver<Order>) -> Next {
        let found = match self.folder.scan() {
            Ok(found) => found,
            Err(reason) => {
                let file = self.folder.path().display().to_string();
                let broken = vec![Broken { file, reason }];
                let is_news = self.shared.catalogue.load().broken != broken;
                self.files.clear();
                if is_news {
                    self.publish(broken);
                }
                return Next::Wait;
            }
        };
        let before = self.files.len();
        self.files.retain(|id, _| found.iter().any(|file| &file.id == id));
        let mut changed = before != self.files.len();
        for file in found {
            let known = self.files.get(&file.id);
            if known.is_some_and(|known| known.signature == file.signature) || !file.is_still {
                continue;
            }
            let piece = file.problem.map_or_else(|| self.read(&file.id, &file.path), Err);
            lock(&self.shared.prepared).pieces.retain(|(id, _)| id != &file.id);
            self.files.insert(file.id, File { signature: file.signature, piece });
            changed = true;
            if self.files.len().is_power_of_two() {
                self.publish(Vec::new());
            }
            // Who waits for a piece, or for the end, does not wait for the whole folder.
            match orders.try_recv() {
                Ok(Order::Prepare(id)) => self.prepare(&id),
                Ok(Order::Reload) | Err(TryRecvError::Empty) => {}
                Ok(Order::End) | Err(TryRecvError::Disconnected) => return Next::End,
            }
        }
        if changed
            || self.version == 0
            || self.shared.catalogue.load().pieces.len() > self.files.len()
        {
            self.publish(Vec::new());
        }
        Next::Wait
    }

    fn publish(&mut self, mut broken: Vec<Broken>) {
        self.version += 1;
        let mut pieces = Vec::new();
        for (id, file) in &self.files {
            match &file.piece {
                Ok(piece) => pieces.push(piece.clone()),
                Err(reason) => broken.push(Broken { file: id.clone(), reason: reason.clone() }),
            }
        }
        let rank =
            |piece: &Piece| crate::garment::Category::ALL.iter().position(|c| *c == piece.category);
        pieces.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.name.cmp(&b.name)));
        tracing::info!(
            version = self.version,
            pieces = pieces.len(),
            broken = broken.len(),
            "catalogue"
        );
        self.shared.catalogue.store(Arc::new(Catalogue { version: self.version, pieces, broken }));
    }

    fn read(&mut self, id: &str, path: &Path) -> Result<Piece, String> {
        let garment = self.cache.garment(path)?;
        let thumbnail = thumbnail(&garment.levels)?;
        let (name, category) = (garment.name, garment.category);
        Ok(Piece { id: id.to_owned(), name, category, thumbnail: thumbnail.into() })
    }

    fn prepare(&mut self, id: &str) {
        let made = self.folder.path_of(id).ok_or_else(|| "the file is gone".to_owned());
        let made = made.and_then(|path| self.cache.garment(&path));
        let mut prepared = lock(&self.shared.prepared);
        prepared.wanted.retain(|wanted| wanted != id);
        match made {
            Ok(garment) => {
                while prepared.pieces.len() >= IN_MEMORY {
                    prepared.pieces.pop_front();
                }
                let piece = Arc::new(tryon::Piece::new(garment));
                prepared.pieces.push_back((id.to_owned(), piece));
            }
            Err(reason) => {
                drop(prepared);
                if let Some(file) = self.files.get_mut(id) {
                    file.piece = Err(reason);
                    self.publish(Vec::new());
                }
            }
        }
    }
}

/// A PNG of the largest level that is at most [`THUMBNAIL`] pixels a side.
fn thumbnail(levels: &[Texture]) -> Result<Vec<u8>, String> {
    let fits = |level: &&Texture| level.width.max(level.height) <= THUMBNAIL;
    let level = levels.iter().find(fits).or(levels.last()).ok_or("the picture is empty")?;
    cache::encoded(level)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::garment::Garment;
    use std::time::Instant;

    fn garments() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("garments")
    }

    /// Waits until the catalogue is as `wanted`, at most half a minute.
    fn wait_for(store: &Store, wanted: impl Fn(&Catalogue) -> bool) -> Arc<Catalogue> {
        let begun = Instant::now();
        loop {
            let catalogue = store.catalogue();
            if wanted(&catalogue) {
                return catalogue;
            }
            assert!(begun.elapsed().as_secs() < 30, "still {catalogue:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn copy(name: &str, to: &Path) {
        for extension in ["png", "toml"] {
            let file = garments().join(name).with_extension(extension);
            std::fs::copy(&file, to.join(file.file_name().expect("it has a name")))
                .expect("copied");
        }
    }

    #[test]
    fn pieces_come_change_break_and_go_without_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = tempfile::tempdir().expect("a folder");
        copy("tee-red-print", folder.path());
        let store = Store::watch(folder.path().into(), Some(cache.path().into())).expect("watches");
        let first = wait_for(&store, |c| c.pieces.len() == 1);
        assert_eq!(first.pieces[0].id, "tee-red-print");
        assert!(first.pieces[0].thumbnail.starts_with(b"\x89PNG"));

        copy("hat-cap", folder.path());
        std::fs::write(folder.path().join("torn.png"), b"\x89PNG\r\n\x1a\nnothing")
            .expect("written");
        let second = wait_for(&store, |c| c.pieces.len() == 2 && c.broken.len() == 1);
        assert_eq!(second.broken[0].file, "torn");
        assert!(!second.broken[0].reason.is_empty());

        let description = folder.path().join("hat-cap.toml");
        std::fs::write(&description, "name = \"Sun cap\"\ncategory = \"hat\"\n").expect("written");
        wait_for(&store, |c| c.pieces.iter().any(|piece| piece.name == "Sun cap"));

        std::fs::remove_file(folder.path().join("tee-red-print.png")).expect("removed");
        std::fs::remove_file(folder.path().join("torn.png")).expect("removed");
        wait_for(&store, |c| c.pieces.len() == 1 && c.broken.is_empty());
    }

    #[test]
    fn a_piece_is_prepared_when_it_is_worn_and_as_it_is_without_the_cache() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = tempfile::tempdir().expect("a folder");
        copy("tee-red-print", folder.path());
        for _ in 0..2 {
            let store =
                Store::watch(folder.path().into(), Some(cache.path().into())).expect("watches");
            wait_for(&store, |c| c.pieces.len() == 1);
            assert!(matches!(store.piece("nothing"), Worn::Gone));
            let begun = Instant::now();
            let piece = loop {
                match store.piece("tee-red-print") {
                    Worn::Ready(piece) => break piece,
                    Worn::Soon => assert!(begun.elapsed().as_secs() < 30, "never ready"),
                    Worn::Gone => panic!("it is there"),
                }
                std::thread::sleep(Duration::from_millis(5));
            };
            let plain = Garment::open(&folder.path().join("tee-red-print.png")).expect("opens");
            assert_eq!(piece.garment, plain);
        }
        assert_eq!(std::fs::read_dir(cache.path()).expect("there").count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_said_and_found_when_it_comes() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = parent.path().join("later");
        let store = Store::watch(folder.clone(), None).expect("watches");
        let missing = wait_for(&store, |c| c.broken.len() == 1);
        assert!(missing.broken[0].reason.contains("cannot read"), "{missing:?}");
        std::fs::create_dir(&folder).expect("made");
        copy("hat-cap", &folder);
        wait_for(&store, |c| c.pieces.len() == 1 && c.broken.is_empty());
    }
}
