//! What all pages have in common: language, addresses of the script and the style, times, and the policy.

use std::borrow::Cow;

use super::assets::{ICON, SCRIPT, STYLE};
use super::view::View;
use crate::words::{Language, Words};

/// The language of a page, and where it stands.
#[derive(Debug, Clone)]
pub struct Frame<'a> {
    /// The reader's.
    pub language: Language,
    /// From this page to the top of the site: `../`, so that it does not matter below which path a proxy puts it.
    pub root: &'a str,
    /// The address of this page in the other language; empty where there is none.
    pub other: String,
    /// The reader's wishes.
    pub view: View,
}

impl<'a> Frame<'a> {
    /// A page at `root`, with `other` for the other language.
    pub const fn new(language: Language, root: &'a str, other: String, view: View) -> Self {
        Self { language, root, other, view }
    }

    /// `text` in the language of the page.
    pub fn say(&self, text: Words) -> Cow<'static, str> {
        match self.language {
            Language::Zh => text.zh,
            Language::En => text.en,
        }
    }

    /// For `lang`.
    pub const fn lang(&self) -> &'static str {
        tag(self.language)
    }

    /// The other language.
    pub const fn other_lang(&self) -> &'static str {
        tag(other(self.language))
    }

    pub const fn other_name(&self) -> &'static str {
        super::words::name_of(other(self.language))
    }

    /// The address of the style file.
    pub fn style(&self) -> String {
        STYLE.address(self.root)
    }

    /// The address of the script.
    pub fn script(&self) -> String {
        SCRIPT.address(self.root)
    }

    /// The address of the icon.
    pub fn icon(&self) -> String {
        ICON.address(self.root)
    }
}

const fn tag(language: Language) -> &'static str {
    match language {
        Language::Zh => "zh-CN",
        Language::En => "en",
    }
}

const fn other(language: Language) -> Language {
    match language {
        Language::Zh => Language::En,
        Language::En => Language::Zh,
    }
}

/// The language that a browser asks for by `Accept-Language`, as far as it is one of ours: the one it weighs most.
pub fn language_of(accept: &str) -> Option<Language> {
    let wanted = accept.split(',').filter_map(|one| {
        let mut parts = one.split(';').map(str::trim);
        let tag = parts.next()?.to_ascii_lowercase();
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f32>().ok())?;
        let language = match tag.split('-').next()? {
            "zh" => Language::Zh,
            "en" => Language::En,
            _ => return None,
        };
        (weight > 0.0).then_some((language, weight))
    });
    // The first of equal ones.
    let best = wanted.reduce(|best, one| if one.1 > best.1 { one } else { best });
    best.map(|(language, _)| language)
}

/// The way from the page at `path`, as the browser sent it, to the top of the site: `../` for `/d/41`.
pub fn root_of(path: &str) -> String {
    "../".repeat(path.matches('/').count().saturating_sub(1))
}

/// The policy of every page: nothing from elsewhere, no inline script or style, no script made of text. `pictures` are
/// further origins of pictures, such as `https://grafana.example.com`: hosts that the configuration names.
pub fn policy(pictures: &[String]) -> String {
    let pictures = pictures.iter().fold(String::new(), |list, origin| list + " " + origin);
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:{pictures}; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
         trusted-types wegraf"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_says_which_language_it_wants() {
        for (accept, wanted) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", Some(Language::Zh)),
            ("en-US,en;q=0.9", Some(Language::En)),
            ("fr, en;q=0.5, zh;q=0.7", Some(Language::Zh)),
            ("zh;q=0, en;q=0.1", Some(Language::En)),
            ("ZH-Hant-TW", Some(Language::Zh)),
            ("de", None),
            ("", None),
            ("zh;q=x", None),
            ("*", None),
        ] {
            assert_eq!(language_of(accept), wanted, "{accept}");
        }
    }

    #[test]
    fn the_top_of_the_site_is_found_from_every_depth() {
        for (path, root) in [("/", ""), ("/d/41", "../"), ("/m", ""), ("/d/41/", "../../"), ("", "")] {
            assert_eq!(root_of(path), root, "{path}");
        }
    }
}
