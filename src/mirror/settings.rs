//! What a shop sets: `mirror.toml`, and the same on the command line.

use super::view::Shop;
use super::visit::Pace;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// All of a mirror's settings; every one has a default.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The shop and its visitors.
    pub shop: ShopSettings,
    /// Where pictures come from.
    pub camera: CameraSettings,
    /// Times of a visit.
    pub visit: VisitSettings,
    /// What happens to pictures.
    pub privacy: PrivacySettings,
    /// Garments.
    pub catalogue: CatalogueSettings,
}

/// The shop and its visitors.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct ShopSettings {
    /// Name to greet with.
    pub name: String,
    /// Language of the screen, such as `en` or `ar`; unset: the browser's, else English.
    pub language: Option<String>,
    /// Whether a raised hand selects.
    pub hands_free: bool,
    /// Whether the shopper may download the finished picture.
    pub download: bool,
}

impl Default for ShopSettings {
    fn default() -> Self {
        Self { name: String::new(), language: None, hands_free: true, download: false }
    }
}

/// Where pictures come from.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct CameraSettings {
    /// `auto`, `/dev/videoN`, a part of the camera's name, `replay:PATH` or `synthetic`.
    pub source: String,
    /// Wanted columns.
    pub width: usize,
    /// Wanted rows.
    pub height: usize,
    /// Wanted frames a second.
    pub rate: f32,
    /// Whether the picture is mirrored.
    pub mirror: bool,
    /// Clockwise turn of the camera's picture: 0, 90, 180 or 270 degrees.
    pub rotate: u32,
}

impl Default for CameraSettings {
    fn default() -> Self {
        let source = "auto".to_owned();
        Self { source, width: 1280, height: 720, rate: 30.0, mirror: true, rotate: 0 }
    }
}

/// Times of a visit, seconds.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct VisitSettings {
    /// From the button to the picture.
    pub countdown: f32,
    /// A visit ends when nobody was there and nothing was touched for this long.
    pub idle: f32,
    /// A visit ends when nothing was touched for this long, whoever is there.
    pub limit: f32,
}

impl Default for VisitSettings {
    fn default() -> Self {
        Self { countdown: 3.0, idle: 20.0, limit: 300.0 }
    }
}

/// What happens to pictures.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct PrivacySettings {
    /// Text to agree to before the camera's picture is shown.
    pub consent: Option<String>,
    /// Whether finished pictures are saved. Nothing else ever is.
    pub save: bool,
    /// Where finished pictures are saved.
    pub folder: Option<PathBuf>,
}

/// Garments.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct CatalogueSettings {
    /// The folder of garment pictures.
    pub folder: Option<PathBuf>,
    /// Where prepared garments are kept.
    pub cache: Option<PathBuf>,
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read the settings {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not TOML, or has keys that there are not.
    #[error("the settings {path} are wrong: {source}")]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A value that cannot be.
    #[error("the setting `{key}` is {value}; {wanted}")]
    Value {
        /// Its name.
        key: &'static str,
        /// What it is.
        value: String,
        /// What it should be.
        wanted: &'static str,
    },
}

impl Settings {
    /// Reads a file and checks every value.
    ///
    /// # Errors
    /// A [`SettingsError`] that names the file and the line, or the key.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| SettingsError::Unreadable { path: path.into(), source })?;
        let settings: Self = toml::from_str(&text).map_err(|source| SettingsError::Wrong {
            path: path.into(),
            source: Box::new(source),
        })?;
        settings.check()?;
        Ok(settings)
    }

    /// Checks values that a type does not.
    ///
    /// # Errors
    /// [`SettingsError::Value`].
    pub fn check(&self) -> Result<(), SettingsError> {
        let wrong = |key, value: &dyn std::fmt::Display, wanted| {
            Err(SettingsError::Value { key, value: value.to_string(), wanted })
        };
        let CameraSettings { width, height, rate, rotate, .. } = &self.camera;
        if !(64..=8192).contains(width) || !(64..=8192).contains(height) {
            return wrong(
                "camera.width, camera.height",
                &format_args!("{width} × {height}"),
                "64 to 8192 each",
            );
        }
        if !(1.0..=240.0).contains(rate) {
            return wrong("camera.rate", rate, "1 to 240 frames a second");
        }
        if ![0, 90, 180, 270].contains(rotate) {
            return wrong("camera.rotate", rotate, "0, 90, 180 or 270 degrees");
        }
        let VisitSettings { countdown, idle, limit } = &self.visit;
        if !(0.0..=30.0).contains(countdown) {
            return wrong("visit.countdown", countdown, "0 to 30 seconds");
        }
        for (key, value) in [("visit.idle", idle), ("visit.limit", limit)] {
            if !(3.0..=86400.0).contains(value) {
                return wrong(key, value, "3 to 86400 seconds");
            }
        }
        if self.privacy.save && self.privacy.folder.is_none() {
            return wrong("privacy.save", &true, "it needs `folder` beside it: where to save");
        }
        Ok(())
    }

    /// What the screens are told.
    pub fn shop(&self) -> Shop {
        Shop {
            name: self.shop.name.clone(),
            consent: self.privacy.consent.clone().filter(|text| !text.trim().is_empty()),
            download: self.shop.download,
            hands_free: self.shop.hands_free,
            language: self.shop.language.clone(),
        }
    }

    /// Times of a visit.
    pub fn pace(&self) -> Pace {
        Pace {
            countdown: Duration::from_secs_f32(self.visit.countdown),
            idle: Duration::from_secs_f32(self.visit.idle),
            limit: Duration::from_secs_f32(self.visit.limit),
            ..Pace::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, SettingsError> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        Settings::read(file.path())
    }

    #[test]
    fn an_empty_file_is_the_defaults() {
        assert_eq!(read("").expect("fine"), Settings::default());
        assert!(Settings::default().check().is_ok());
        assert!(!Settings::default().privacy.save);
    }

    #[test]
    fn a_wrong_key_names_the_file_and_the_line() {
        let error = read("[camera]\nwide = 1280\n").expect_err("wrong").to_string();
        assert!(error.contains("wide") && error.contains("line 2"), "{error}");
    }

    #[test]
    fn values_out_of_range_are_refused_by_name() {
        for (text, key) in [
            ("[camera]\nwidth = 3\n", "camera.width"),
            ("[camera]\nrate = 0.0\n", "camera.rate"),
            ("[camera]\nrotate = 45\n", "camera.rotate"),
            ("[visit]\nidle = 0.5\n", "visit.idle"),
            ("[visit]\ncountdown = nan\n", "visit.countdown"),
            ("[privacy]\nsave = true\n", "privacy.save"),
        ] {
            let error = read(text).expect_err("wrong").to_string();
            assert!(error.contains(key), "{error}");
        }
    }
}
