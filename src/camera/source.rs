//! What `--camera` names.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Which camera is meant.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// `auto`: the first that gives frames.
    Auto,
    /// `/dev/video0`, or a link to it.
    Node(PathBuf),
    /// Part of the camera's name, in any case.
    Name(String),
    /// `replay:PATH`: a folder of pictures, a file of JPEGs, a Y4M file.
    Replay {
        /// The folder or file.
        path: PathBuf,
        /// Its own rate where `None`.
        rate: Option<Rate>,
        /// Ends with the last picture, else begins again.
        once: bool,
    },
    /// `synthetic`: a figure that walks.
    Synthetic {
        /// Of the sensor's noise.
        seed: u64,
    },
}

/// How fast recorded pictures come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// Pictures per second, more than 0 and at most [`Rate::MOST`].
    PerSecond(f32),
    /// The next one as soon as the last was taken.
    Max,
}

impl Rate {
    /// The most pictures per second.
    pub const MOST: f32 = 1000.0;
}

impl FromStr for Rate {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let rate = text.parse().ok().filter(|&rate| rate > 0.0 && rate <= Self::MOST);
        rate.map(Self::PerSecond).ok_or_else(|| SourceError::Rate(text.into()))
    }
}

/// Why the value of `--camera` names none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Nothing is named.
    #[error("expected auto, /dev/videoN, part of a camera's name, replay:PATH or synthetic")]
    Empty,
    /// Not a rate.
    #[error("rate={0}: expected `max` or pictures per second, more than 0 and at most 1000")]
    Rate(String),
    /// Not a seed.
    #[error("seed={0}: expected a whole number")]
    Seed(String),
    /// Not an option of this kind of camera.
    #[error("unknown option `{option}`; {known}")]
    Option {
        /// What was given.
        option: String,
        /// What could be given.
        known: &'static str,
    },
}

impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        if let Some(replay) = text.strip_prefix("replay:") {
            return parse_replay(replay);
        }
        match text.split_once('?').unwrap_or((text, "")) {
            ("synthetic", options) => parse_synthetic(options),
            _ if text == "auto" => Ok(Self::Auto),
            _ if text.starts_with('/') => Ok(Self::Node(text.into())),
            _ if text.trim().is_empty() => Err(SourceError::Empty),
            _ => Ok(Self::Name(text.into())),
        }
    }
}

fn parse_replay(text: &str) -> Result<Source, SourceError> {
    let (path, options) = text.rsplit_once('?').unwrap_or((text, ""));
    let (mut rate, mut once) = (None, false);
    for option in options.split('&').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("rate", value)) => rate = Some(value.parse()?),
            None if option == "once" => once = true,
            _ => {
                let known = "`rate=max`, `rate=N` and `once` may follow the path";
                return Err(SourceError::Option { option: option.into(), known });
            }
        }
    }
    if path.is_empty() {
        return Err(SourceError::Empty);
    }
    Ok(Source::Replay { path: path.into(), rate, once })
}

fn parse_synthetic(options: &str) -> Result<Source, SourceError> {
    let mut seed = 0;
    for option in options.split('&').filter(|option| !option.is_empty()) {
        let Some(("seed", value)) = option.split_once('=') else {
            let known = "`seed=N` may follow";
            return Err(SourceError::Option { option: option.into(), known });
        };
        seed = value.parse().map_err(|_| SourceError::Seed(value.into()))?;
    }
    Ok(Source::Synthetic { seed })
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Node(node) => write!(f, "{}", node.display()),
            Self::Name(name) => f.write_str(name),
            Self::Replay { path, .. } => write!(f, "replay:{}", path.display()),
            Self::Synthetic { seed } => write!(f, "synthetic?seed={seed}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_a_camera_is_read_and_what_does_not_is_refused() {
        let parse = |text: &str| text.parse::<Source>();
        assert_eq!(parse("auto"), Ok(Source::Auto));
        assert_eq!(parse("/dev/video2"), Ok(Source::Node("/dev/video2".into())));
        assert_eq!(parse("C920"), Ok(Source::Name("C920".into())));
        assert_eq!(parse("synthetic?seed=7"), Ok(Source::Synthetic { seed: 7 }));
        let replay = |rate, once| Source::Replay { path: "a/b.y4m".into(), rate, once };
        assert_eq!(parse("replay:a/b.y4m"), Ok(replay(None, false)));
        assert_eq!(parse("replay:a/b.y4m?rate=max&once"), Ok(replay(Some(Rate::Max), true)));
        assert_eq!(
            parse("replay:a/b.y4m?rate=12.5"),
            Ok(replay(Some(Rate::PerSecond(12.5)), false))
        );
        for bad in ["", " ", "replay:", "replay:a?rate=0", "replay:a?rate=NaN", "replay:a?speed=2"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse("synthetic?seed=x").is_err());
    }
}
