//! Joins several parts into one text and splits it again.

use std::borrow::Cow;

/// Precedes a character of a part that would otherwise end it.
const ESCAPE: char = '\\';

/// `part` with all of `ends` escaped. A part without them and without a backslash, as names, userids and chatids are,
/// stays unchanged.
pub(super) fn escaped<'a>(part: &'a str, ends: &[char]) -> Cow<'a, str> {
    let must = |letter: char| letter == ESCAPE || ends.contains(&letter);
    if !part.contains(must) {
        return part.into();
    }
    let mut text = String::with_capacity(part.len() + 4);
    for letter in part.chars() {
        if must(letter) {
            text.push(ESCAPE);
        }
        text.push(letter);
    }
    text.into()
}

/// The inverse of [`escaped`].
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(ESCAPE) {
        return text.into();
    }
    let mut part = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        part.push(if letter == ESCAPE { letters.next().unwrap_or(ESCAPE) } else { letter });
    }
    part.into()
}

/// The text before the first unescaped `/`, and what follows it; `None` if there is none.
pub(super) fn split(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (at, letter) in text.char_indices() {
        match letter {
            '/' if !escaped => return Some((&text[..at], &text[at + 1..])),
            _ => escaped = letter == ESCAPE && !escaped,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ordinary_parts_stay_as_they_are() {
        for part in ["ops", "zhang.san@corp_1", "值班", "wrAb-c_1", ""] {
            assert_eq!(escaped(part, &['/', '|', ':']), part);
        }
        assert_eq!(escaped("a/b\\c|d", &['/']), "a\\/b\\\\c|d");
    }

    proptest! {
        #[test]
        fn parts_come_apart_as_they_were(one in r"[a/\\|]{0,8}", other in r"[a/\\|]{0,8}") {
            let text = format!("{}/{other}", escaped(&one, &['/']));
            let (before, after) = split(&text).unwrap();
            prop_assert_eq!((&*plain(before), after), (one.as_str(), other.as_str()));
        }
    }
}
