//! Texts of other programs as stored: bounded, and with U+0000, which ends a text for many tools and which `PostgreSQL`
//! refuses, replaced by its picture.

use std::borrow::Cow;

use super::record::ERROR_BYTES;

/// A text without U+0000.
pub(super) fn text(words: &str) -> Cow<'_, str> {
    if words.contains('\0') { Cow::Owned(words.replace('\0', "␀")) } else { Cow::Borrowed(words) }
}

/// A JSON text without U+0000, which it contains as an escape.
pub(super) fn json(json: &str) -> Cow<'_, str> {
    const ESCAPE: &str = r"\u0000";
    if !json.contains(ESCAPE) {
        return text(json);
    }
    let mut kept = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        kept.push_str(before);
        // An escape is a backslash and at least one character, which may itself be a backslash.
        let length = escape.chars().take(2).map(char::len_utf8).sum();
        let (kept_as, length) =
            if escape.starts_with(ESCAPE) { ("␀", ESCAPE.len()) } else { (&escape[..length], length) };
        kept.push_str(kept_as);
        rest = &escape[length..];
    }
    kept.push_str(rest);
    Cow::Owned(text(&kept).into_owned())
}

/// A text of another program, bounded and without U+0000.
pub(super) fn shortened(words: &str) -> String {
    let end = words.floor_char_boundary(ERROR_BYTES);
    text(&words[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_escape_that_means_nul_is_replaced() {
        let cases = [
            (r#"{"a":"b"}"#, r#"{"a":"b"}"#),
            (r#"{"a":"\u0000\u0000b"}"#, r#"{"a":"␀␀b"}"#),
            (r#"{"a":"\\u0000"}"#, r#"{"a":"\\u0000"}"#),
            (r#"{"a":"\\\u0000"}"#, r#"{"a":"\\␀"}"#),
            (r#"{"a":"\"\u0000\n错"}"#, r#"{"a":"\"␀\n错"}"#),
            (r"\u0000\", r"␀\"),
        ];
        for (before, after) in cases {
            assert_eq!(json(before), after);
        }
    }
}
