//! The page's files, inside the program.

use axum::http::header;
use axum::response::{IntoResponse, Response};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const CODE: &str = "text/javascript; charset=utf-8";
const JSON: &str = "application/json";
const SVG: &str = "image/svg+xml";

/// Path, type and content.
pub(super) const ASSETS: &[(&str, &str, &str)] = &[
    ("/", HTML, include_str!("../ui/index.html")),
    ("/icon.svg", SVG, include_str!("../ui/icon.svg")),
    ("/style/base.css", CSS, include_str!("../ui/style/base.css")),
    ("/style/live.css", CSS, include_str!("../ui/style/live.css")),
    ("/style/screens.css", CSS, include_str!("../ui/style/screens.css")),
    ("/style/result.css", CSS, include_str!("../ui/style/result.css")),
    ("/style/keyboard.css", CSS, include_str!("../ui/style/keyboard.css")),
    ("/code/main.js", CODE, include_str!("../ui/code/main.js")),
    ("/code/connection.js", CODE, include_str!("../ui/code/connection.js")),
    ("/code/messages.js", CODE, include_str!("../ui/code/messages.js")),
    ("/code/picture.js", CODE, include_str!("../ui/code/picture.js")),
    ("/code/catalogue.js", CODE, include_str!("../ui/code/catalogue.js")),
    ("/code/attract.js", CODE, include_str!("../ui/code/attract.js")),
    ("/code/stages.js", CODE, include_str!("../ui/code/stages.js")),
    ("/code/result.js", CODE, include_str!("../ui/code/result.js")),
    ("/code/slider.js", CODE, include_str!("../ui/code/slider.js")),
    ("/code/keyboard.js", CODE, include_str!("../ui/code/keyboard.js")),
    ("/messages/languages.json", JSON, include_str!("../ui/messages/languages.json")),
    ("/messages/en.json", JSON, include_str!("../ui/messages/en.json")),
    ("/messages/ar.json", JSON, include_str!("../ui/messages/ar.json")),
];

/// Asked again each time: a new program has a new page.
pub(super) fn asset(kind: &'static str, content: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], content).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    type Messages = BTreeMap<String, String>;

    fn content(path: &str) -> &'static str {
        ASSETS.iter().find(|(asset, ..)| *asset == path).unwrap_or_else(|| panic!("no {path}")).2
    }

    fn languages() -> Vec<(String, Messages)> {
        let tags: Vec<String> = serde_json::from_str(content("/messages/languages.json")).unwrap();
        let messages = |tag: &str| serde_json::from_str(content(&format!("/messages/{tag}.json")));
        tags.into_iter().map(|tag| (tag.clone(), messages(&tag).unwrap())).collect()
    }

    #[test]
    fn every_language_says_everything() {
        let languages = languages();
        let places = |text: &str| {
            let mut places: Vec<_> = text
                .split('{')
                .skip(1)
                .map(|part| part.split('}').next().unwrap().to_owned())
                .collect();
            places.sort();
            places
        };
        let (_, first) = &languages[0];
        for (tag, messages) in &languages {
            assert_eq!(
                messages.keys().collect::<Vec<_>>(),
                first.keys().collect::<Vec<_>>(),
                "{tag}"
            );
            for (key, text) in messages {
                assert!(!text.trim().is_empty(), "{tag}: {key}");
                assert_eq!(places(text), places(&first[key]), "{tag}: {key}");
            }
        }
    }

    #[test]
    fn every_message_that_the_page_names_exists() {
        let (_, messages) = languages().remove(0);
        for part in content("/")
            .split("data-text=\"")
            .skip(1)
            .chain(content("/").split("data-label=\"").skip(1))
        {
            let key = part.split('"').next().unwrap();
            assert!(messages.contains_key(key), "index.html: {key}");
        }
        for (path, kind, code) in ASSETS.iter().filter(|(_, kind, _)| *kind == CODE) {
            for part in code.replace("getContext(", "").split("text(\"").skip(1) {
                let key = part.split('"').next().unwrap();
                assert!(messages.contains_key(key), "{path} ({kind}): {key}");
            }
        }
    }

    #[test]
    fn the_page_asks_only_for_what_there_is_and_nothing_from_elsewhere() {
        let page = content("/");
        for part in page.split("href=\"").skip(1).chain(page.split("src=\"").skip(1)) {
            let path = part.split('"').next().unwrap();
            assert!(ASSETS.iter().any(|(asset, ..)| *asset == path), "index.html: {path}");
        }
        for (path, _, content) in ASSETS {
            let content = content.replace("http://www.w3.org/2000/svg", "");
            assert!(!content.contains("http://") && !content.contains("https://"), "{path}");
            assert!(!content.contains("style=\""), "{path}: the policy forbids style attributes");
        }
        for (path, _, code) in ASSETS.iter().filter(|(_, kind, _)| *kind == CODE) {
            for part in code.split("from \"./").skip(1) {
                content(&format!("/code/{}", part.split('"').next().unwrap()));
            }
            assert!(!code.contains("innerHTML"), "{path}: text is never read as markup");
        }
    }
}
