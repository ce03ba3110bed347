//! A list of words in which many names are looked up.

use std::collections::HashSet;
use std::sync::OnceLock;

/// Words, written with blanks between them. A look-up is O(1): the general reader makes some thousand of them for a body.
pub(super) struct Listed {
    text: &'static str,
    words: OnceLock<HashSet<&'static str>>,
}

impl Listed {
    /// The words of `text`.
    pub const fn of(text: &'static str) -> Self {
        Self { text, words: OnceLock::new() }
    }

    /// Is it one of them?
    pub fn has(&self, word: &str) -> bool {
        self.words.get_or_init(|| self.text.split_ascii_whitespace().collect()).contains(word)
    }

    /// Is one of them part of `text`? All of them are Han, so that a text of ASCII has none.
    pub fn is_within(&self, text: &str) -> bool {
        !text.is_ascii() && self.text.split_ascii_whitespace().any(|word| text.contains(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_holds_whole_words() {
        let (words, han) = (Listed::of("host  port\n    vlan"), Listed::of("主机 端口"));
        for (word, has) in [("host", true), ("vlan", true), ("ho", false), ("", false), ("host port", false)] {
            assert_eq!(words.has(word), has, "{word}");
        }
        assert!(han.is_within("物理主机名") && !han.is_within("host") && !han.is_within("机主"));
    }
}
