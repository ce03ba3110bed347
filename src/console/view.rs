//! How a person wants pages: language, colours, keys. Kept by the browser, in a cookie that opens nothing.

use crate::words::Language;

/// The wishes of a person; by default those of the browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// `None`: as the browser asks.
    pub language: Option<Language>,
    /// `None`: as the system is.
    pub dark: Option<bool>,
    /// Letters are shortcuts (WCAG 2.1.4 wants a switch).
    pub keys: bool,
}

impl Default for View {
    fn default() -> Self {
        Self { language: None, dark: None, keys: true }
    }
}

impl View {
    /// From the fields of a form, or of a cookie: `zh`, `en`; `light`, `dark`; `off`. Anything else is the default.
    pub fn of(language: &str, theme: &str, keys: &str) -> Self {
        let language = match language {
            "zh" => Some(Language::Zh),
            "en" => Some(Language::En),
            _ => None,
        };
        let dark = match theme {
            "dark" => Some(true),
            "light" => Some(false),
            _ => None,
        };
        Self { language, dark, keys: keys != "off" }
    }

    /// From the cookie.
    pub fn parse(cookie: &str) -> Self {
        let mut parts = cookie.split('.');
        let mut next = || parts.next().unwrap_or_default();
        Self::of(next(), next(), next())
    }

    /// For the cookie: `zh.dark.on`.
    pub fn cookie(self) -> String {
        let language = self.language.map_or("auto", Language::as_str);
        format!("{language}.{}.{}", self.theme().unwrap_or("auto"), if self.keys { "on" } else { "off" })
    }

    /// `light` or `dark`, if it is not the system's.
    pub const fn theme(self) -> Option<&'static str> {
        match self.dark {
            Some(true) => Some("dark"),
            Some(false) => Some("light"),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_holds_the_wishes_and_a_forged_one_is_the_default() {
        for view in [
            View::default(),
            View { language: Some(Language::En), dark: Some(true), keys: false },
            View { language: Some(Language::Zh), dark: Some(false), keys: true },
        ] {
            assert_eq!(View::parse(&view.cookie()), view);
        }
        for forged in ["", "..", "fr.blue", "<script>.dark\".x", "zh"] {
            assert!(View::parse(forged).cookie().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'.'));
        }
    }
}
