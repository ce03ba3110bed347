//! What must not be given away, and the words that stand for it: the same word for the same value (pure).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::config::Private;

/// Shorter values are replaced only where they are a whole word.
const SHORT: usize = 8;
/// A value that is the program's own name is no secret, and it stands everywhere.
const OURS: &str = "wegraf";

/// Values by their words.
#[derive(Debug, Default)]
pub(super) struct Hidden(BTreeMap<(Private, String), String>);

impl Hidden {
    /// The word for a value.
    pub fn word(&mut self, kind: Private, value: &str) -> String {
        let number = 1 + self.0.keys().filter(|(known, _)| *known == kind).count();
        let name = match kind {
            Private::Person => "person",
            Private::Text => "hidden",
        };
        self.0.entry((kind, value.to_owned())).or_insert_with(|| format!("{name}-{number}")).clone()
    }

    /// `text` with each value replaced by its word: as it is, as a part of an address, of JSON, or of a Base64 text.
    pub fn without(&self, text: &str) -> String {
        let mut forms: Vec<(String, bool, &str)> = Vec::new();
        for ((_, value), word) in self.0.iter().filter(|((_, value), _)| !value.trim().is_empty() && value != OURS) {
            let whole = value.len() < SHORT;
            forms.push((value.clone(), whole, word));
            if whole {
                continue;
            }
            forms.push((utf8_percent_encode(value, NON_ALPHANUMERIC).to_string(), false, word));
            let json = serde_json::Value::from(value.as_str()).to_string();
            forms.push((json[1..json.len() - 1].to_owned(), false, word));
            for lead in 0..3 {
                forms.extend(
                    [encoded(value, lead, false), encoded(value, lead, true)].map(|form| (form, false, word.as_str())),
                );
            }
        }
        forms.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.0.cmp(&b.0)));
        forms.dedup_by(|a, b| a.0 == b.0);
        let mut text = text.to_owned();
        for (form, whole, word) in forms.iter().filter(|(form, ..)| !form.is_empty()) {
            text = if *whole { replace_words(&text, form, word) } else { text.replace(form, word) };
        }
        text
    }
}

/// The letters of Base64 that a value always gives behind `lead` bytes, whatever stands around it.
fn encoded(value: &str, lead: usize, for_urls: bool) -> String {
    let mut bytes = vec![0; lead];
    bytes.extend_from_slice(value.as_bytes());
    let text = if for_urls { URL_SAFE.encode(&bytes) } else { STANDARD.encode(&bytes) };
    // The first letters hold bits of what stands before, the last ones bits of what follows.
    let (from, to) = ((lead * 8).div_ceil(6), bytes.len() * 8 / 6);
    text[from..to].to_owned()
}

fn replace_words(text: &str, value: &str, word: &str) -> String {
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(value) {
        let (before, behind) = (&rest[..at], &rest[at + value.len()..]);
        out.push_str(before);
        let alone = !before.chars().next_back().or_else(|| out.chars().next_back()).is_some_and(inside)
            && !behind.chars().next().is_some_and(inside);
        out.push_str(if alone { word } else { value });
        rest = behind;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_one_word_and_is_replaced_in_every_form() {
        let mut hidden = Hidden::default();
        let secret = "canary/secret+1";
        assert_eq!(hidden.word(Private::Text, secret), "hidden-1");
        assert_eq!(hidden.word(Private::Person, "li"), "person-1");
        assert_eq!(hidden.word(Private::Text, secret), "hidden-1");
        hidden.word(Private::Text, "wegraf");
        let basic = STANDARD.encode(format!("user:{secret}"));
        let url = URL_SAFE.encode(format!("ab{secret}xyz"));
        let percent = utf8_percent_encode(secret, NON_ALPHANUMERIC);
        let text = format!("{secret} a={percent}&b {basic} {url} li lisi app/ops/li|wang wegraf");
        let clean = hidden.without(&text);
        assert!(
            clean.starts_with("hidden-1 a=hidden-1&b ")
                && clean.ends_with(" person-1 lisi app/ops/person-1|wang wegraf"),
            "{clean}"
        );
        assert_eq!(clean.matches("hidden-1").count(), 4, "{clean}");
    }

    #[test]
    fn base64_of_a_value_is_found_at_each_offset() {
        let mut hidden = Hidden::default();
        hidden.word(Private::Text, "canary-0123456789");
        for (before, after) in ["", "a", "ab", "abc", "abcd"].iter().flat_map(|a| ["", "x", "xy"].map(|b| (*a, b))) {
            let text = STANDARD.encode(format!("{before}canary-0123456789{after}"));
            assert!(hidden.without(&text).contains("hidden-1"), "{before} {after}");
        }
    }
}
