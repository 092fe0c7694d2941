//! Files that appear whole or not at all.
//!
//! A file is written under a temporary name in the folder where it will stand, brought to the disk,
//! then renamed. A program that is told to stop calls [`abandon`] before it exits.

use std::fs;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What to do with a file that already has the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Leave it and fail.
    Keep,
    /// Replace it once the new one is whole.
    Replace,
}

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// Something already has the name.
    #[error("`{}` already exists; --force replaces it", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The name is a folder's.
    #[error("`{}` is a folder, expected the name of a file to write", path.display())]
    Folder {
        /// The file.
        path: PathBuf,
    },
    /// The folder to write in is not there.
    #[error("cannot write `{}`: its folder does not exist", path.display())]
    NoFolder {
        /// The file.
        path: PathBuf,
    },
    /// The user may not write there.
    #[error("cannot write `{}`: no permission to write in its folder", path.display())]
    Permission {
        /// The file.
        path: PathBuf,
    },
    /// The disk, the quota or the file size limit is used up.
    #[error("cannot write `{}`: no space left; nothing was written", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The system failed while writing.
    #[error("cannot write `{}`; nothing was written", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Temporary files that have not got their name yet. Whoever holds the lock decides: a file is
/// either renamed or abandoned, never half of each.
static PENDING: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn pending() -> MutexGuard<'static, Vec<PathBuf>> {
    PENDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes every file that is still being written and stops all further writing: from here on the
/// program can only exit.
pub fn abandon() {
    let mut pending = pending();
    for path in pending.drain(..) {
        // Already gone is as good.
        let _ = fs::remove_file(path);
    }
    std::mem::forget(pending);
}

/// Fails early where [`write_whole`] would fail for a reason that can be known before the work.
///
/// # Errors
/// Any but [`OutputError::Full`] of a file that is larger than the space left.
pub fn check(path: &Path, existing: Existing) -> Result<(), OutputError> {
    check_name(path, existing)?;
    // Only the attempt shows whether a file may stand there; it is gone again at once.
    named_temporary(folder_of(path)).map(drop).map_err(|source| explain(path, source))
}

fn check_name(path: &Path, existing: Existing) -> Result<(), OutputError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => Err(OutputError::Folder { path: path.into() }),
        Ok(_) if existing == Existing::Keep => Err(OutputError::Exists { path: path.into() }),
        _ if !folder_of(path).is_dir() => Err(OutputError::NoFolder { path: path.into() }),
        _ => Ok(()),
    }
}

/// Writes a file: all that `fill` writes, or nothing.
///
/// # Errors
/// An [`OutputError`] that names the file and the cause.
pub fn write_whole(
    path: &Path,
    existing: Existing,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), OutputError> {
    check_name(path, existing)?;
    let explain = |source: io::Error| explain(path, source);
    let temporary = {
        let mut pending = pending();
        let file = named_temporary(folder_of(path)).map_err(explain)?;
        pending.push(file.path().to_path_buf());
        file
    };
    let written = (|| {
        let buffered = BufWriter::with_capacity(1 << 16, temporary.as_file());
        let mut file = Remembering { to: buffered, failure: None };
        let filled = fill(&mut file).and_then(|()| file.flush());
        if let Some(failure) = file.failure {
            return Err(failure);
        }
        filled?;
        temporary.as_file().sync_all()
    })();

    let mut pending = pending();
    pending.retain(|path| path != temporary.path());
    written.map_err(explain)?;
    match existing {
        Existing::Keep => temporary.persist_noclobber(path),
        Existing::Replace => temporary.persist(path),
    }
    .map_err(|error| explain(error.error))?;
    drop(pending);
    sync_folder(folder_of(path));
    Ok(())
}

/// Keeps what the system said, which encoders wrap beyond recognition.
struct Remembering<W> {
    to: W,
    failure: Option<io::Error>,
}

impl<W> Remembering<W> {
    fn remember<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && let Some(code) = error.raw_os_error()
            && error.kind() != ErrorKind::Interrupted
        {
            self.failure.get_or_insert(io::Error::from_raw_os_error(code));
        }
        result
    }
}

impl<W: Write> Write for Remembering<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes);
        self.remember(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.to.flush();
        self.remember(flushed)
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn named_temporary(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".vitrine-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The user's umask takes away what it wants, as for any new file.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// Brings the new name to the disk, where the file system can.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = fs::File::open(folder) {
        let _ = folder.sync_all();
    }
}

fn explain(path: &Path, source: io::Error) -> OutputError {
    let path = path.to_path_buf();
    match source.kind() {
        ErrorKind::AlreadyExists => OutputError::Exists { path },
        ErrorKind::IsADirectory => OutputError::Folder { path },
        ErrorKind::NotADirectory => OutputError::NoFolder { path },
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            OutputError::Permission { path }
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            OutputError::Full { path }
        }
        _ => OutputError::Failed { path, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_in(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_failed_write_leaves_nothing_and_keeps_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        fs::write(&path, b"old").unwrap();
        let failed = write_whole(&path, Existing::Replace, |file| {
            file.write_all(&[7; 100_000])?;
            Err(io::Error::from(ErrorKind::StorageFull))
        });
        assert!(matches!(failed, Err(OutputError::Full { .. })), "{failed:?}");
        assert_eq!(names_in(folder.path()), ["a.bin"]);
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }

    #[test]
    fn an_existing_file_is_kept_even_if_it_appears_during_the_write() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        let late = write_whole(&path, Existing::Keep, |file| {
            fs::write(&path, b"somebody else's")?;
            file.write_all(b"mine")
        });
        assert!(matches!(late, Err(OutputError::Exists { .. })), "{late:?}");
        assert_eq!(names_in(folder.path()), ["a.bin"]);
        assert_eq!(fs::read(&path).unwrap(), b"somebody else's");
        write_whole(&path, Existing::Replace, |file| file.write_all(b"mine")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    }

    #[test]
    fn each_reason_known_before_the_work_is_found_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        assert!(matches!(check(path, Existing::Replace), Err(OutputError::Folder { .. })));
        let nowhere = path.join("none").join("a.png");
        assert!(matches!(check(&nowhere, Existing::Keep), Err(OutputError::NoFolder { .. })));
        assert!(check(&path.join("a.png"), Existing::Keep).is_ok());
    }
}
