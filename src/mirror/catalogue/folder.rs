//! What lies in the catalogue's folder, without reading it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Pictures deeper than this below the catalogue's folder are not looked at.
const DEPTH: usize = 4;
const EXTENSIONS: [&str; 4] = ["png", "jpg", "jpeg", "webp"];

/// Size and time of a picture and of the description beside it: another signature, another piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    picture: (u64, Option<SystemTime>),
    description: Option<(u64, Option<SystemTime>)>,
}

/// A picture that was found.
pub struct Found {
    /// Path in the folder without the extension, `/` between parts.
    pub id: String,
    /// Where it is.
    pub path: PathBuf,
    /// For comparison with the next look.
    pub signature: Signature,
    /// Whether it was the same at the last look, so that no one is still writing it.
    pub is_still: bool,
    /// Why it cannot be told from another.
    pub problem: Option<String>,
}

/// A folder that is looked at again and again.
pub struct Folder {
    path: PathBuf,
    last: BTreeMap<PathBuf, Signature>,
    is_first: bool,
}

impl Folder {
    /// Nothing was seen yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, last: BTreeMap::new(), is_first: true }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The picture of an id, as of the last look.
    pub fn path_of(&self, id: &str) -> Option<PathBuf> {
        self.last.keys().find(|path| self.id(path) == id).cloned()
    }

    fn id(&self, path: &Path) -> String {
        let inside = path.strip_prefix(&self.path).unwrap_or(path).with_extension("");
        let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
        parts.join("/")
    }

    /// Every picture below the folder, by id. On the first look all count as still: the mirror starts at once.
    pub fn scan(&mut self) -> Result<Vec<Found>, String> {
        let mut now = BTreeMap::new();
        collect(&self.path, DEPTH, &mut now).map_err(|error| {
            format!("cannot read the folder: {error}; make it, or name another with --catalogue")
        })?;
        let mut found: Vec<Found> = Vec::new();
        for (path, signature) in &now {
            let id = self.id(path);
            let is_still = self.is_first || self.last.get(path) == Some(signature);
            let twin = found.iter().find(|other| other.id == id).map(|twin| twin.path.clone());
            if let Some(twin) = twin {
                tracing::warn!(file = %path.display(), "skipped: {} has the same name", twin.display());
                continue;
            }
            let problem = (id.len() > 200)
                .then(|| "the name is longer than 200 bytes: shorten it".to_owned());
            found.push(Found {
                id,
                path: path.clone(),
                signature: signature.clone(),
                is_still,
                problem,
            });
        }
        self.last = now;
        self.is_first = false;
        Ok(found)
    }
}

fn collect(
    folder: &Path,
    depth: usize,
    into: &mut BTreeMap<PathBuf, Signature>,
) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        // A file that went away meanwhile is not there.
        let Ok(facts) = std::fs::metadata(&path) else { continue };
        if hidden {
            continue;
        }
        if facts.is_dir() {
            if depth > 0
                && let Err(error) = collect(&path, depth - 1, into)
            {
                tracing::warn!(folder = %path.display(), "not read: {error}");
            }
            continue;
        }
        let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
        if facts.is_file() && extension.is_some_and(|e| EXTENSIONS.contains(&e.as_str())) {
            let description = std::fs::metadata(path.with_extension("toml")).ok();
            let of = |facts: &std::fs::Metadata| (facts.len(), facts.modified().ok());
            let signature =
                Signature { picture: of(&facts), description: description.as_ref().map(of) };
            into.insert(path, signature);
        }
    }
    Ok(())
}
