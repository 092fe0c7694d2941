//! What the screen says, in the language of the shop.

use crate::garment::Category;
use crate::mirror::view::{Hint, Trouble};
use std::collections::HashMap;

const LANGUAGES: [(&str, &str); 2] = [
    ("en", include_str!("../ui/messages/en.json")),
    ("ar", include_str!("../ui/messages/ar.json")),
];

/// The messages of one language.
pub struct Messages {
    texts: HashMap<String, String>,
    /// Whether the language is written from right to left.
    pub right_to_left: bool,
}

impl Messages {
    /// The messages of a BCP 47 tag's language; English where there are none.
    pub fn of(tag: Option<&str>) -> Self {
        let language = tag.unwrap_or("en").split(['-', '_']).next().unwrap_or("en");
        let known = LANGUAGES.iter().find(|(name, _)| name.eq_ignore_ascii_case(language));
        let (_, json) = known.unwrap_or(&LANGUAGES[0]);
        let texts: HashMap<String, String> =
            serde_json::from_str(json).expect("the message files are objects of texts");
        let right_to_left = texts.get("language.direction").is_some_and(|side| side == "rtl");
        Self { texts, right_to_left }
    }

    /// A message; its key where it is missing, so that a person sees what is.
    pub fn text<'a>(&'a self, key: &'a str) -> &'a str {
        self.texts.get(key).map_or(key, String::as_str)
    }

    /// The name of a category's pieces.
    pub fn category(&self, category: Category) -> &str {
        self.text(match category {
            Category::TShirt => "category.t-shirt",
            Category::LongSleeve => "category.long-sleeve",
            Category::Jacket => "category.jacket",
            Category::Sleeveless => "category.sleeveless",
            Category::Dress => "category.dress",
            Category::Skirt => "category.skirt",
            Category::Trousers => "category.trousers",
            Category::Hat => "category.hat",
            Category::Eyeglasses => "category.eyeglasses",
        })
    }

    /// What to do for a better picture.
    pub fn hint(&self, hint: Hint) -> &str {
        self.text(match hint {
            Hint::StepIn => "hint.step-in",
            Hint::ComeCloser => "hint.come-closer",
            Hint::StepBack => "hint.step-back",
            Hint::FaceTheMirror => "hint.face-the-mirror",
        })
    }

    /// What stands in the way, and what else there is to know; may be empty.
    pub fn trouble(&self, trouble: &Trouble) -> (&str, String) {
        let staff = |detail: &str| self.text("trouble.staff").replace("{detail}", detail);
        match trouble {
            Trouble::NoCamera => (self.text("trouble.no-camera"), String::new()),
            Trouble::CameraBusy => (self.text("trouble.camera-busy"), String::new()),
            Trouble::CameraFrozen => (self.text("trouble.camera-frozen"), String::new()),
            Trouble::CameraUnreadable => (self.text("trouble.camera-unreadable"), String::new()),
            Trouble::CameraFailed(why) => (self.text("trouble.camera-failed"), staff(why)),
            Trouble::NoNets(what) => (self.text("trouble.no-nets"), staff(what)),
            Trouble::StudioFailed(why) => (self.text("trouble.studio-failed"), staff(why)),
            Trouble::DoesNotFit(_) => (self.text("trouble.does-not-fit"), String::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_says_everything() {
        let english = Messages::of(Some("en"));
        for (name, _) in LANGUAGES {
            let other = Messages::of(Some(name));
            for (key, text) in &english.texts {
                let translated =
                    other.texts.get(key).unwrap_or_else(|| panic!("{name} lacks {key}"));
                assert!(!translated.is_empty(), "{name}: {key} is empty");
                for gap in ["{seconds}", "{detail}", "{names}", "{name}"] {
                    assert_eq!(text.contains(gap), translated.contains(gap), "{name}: {key}");
                }
            }
            assert_eq!(english.texts.len(), other.texts.len(), "{name} says more than English");
            for category in Category::ALL {
                assert!(!other.category(category).starts_with("category."), "{category:?}");
            }
        }
    }

    #[test]
    fn a_region_does_not_matter_and_an_unknown_language_is_english() {
        assert!(Messages::of(Some("ar-EG")).right_to_left);
        for tag in [None, Some("xx"), Some(""), Some("en-GB")] {
            assert_eq!(Messages::of(tag).text("finish"), "Finish", "{tag:?}");
        }
    }
}
