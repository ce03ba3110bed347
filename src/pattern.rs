//! Regular expressions that are constants of ours.

use regex::Regex;

/// A pattern whose word boundaries (`\b`) are those of ASCII. At a boundary of Unicode the automaton gives up on the first
/// letter beyond ASCII, and a search through Chinese text falls back to a matcher that is many times slower; besides,
/// Chinese puts no space between its words and a Latin one, so that Unicode sees no boundary there.
pub fn regex(pattern: &str) -> Regex {
    Regex::new(&pattern.replace(r"\b", r"(?-u:\b)")).expect("it is a constant that every test compiles")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latin_word_within_chinese_text_is_a_word() {
        let disk = regex(r"\bdisk\b");
        assert!(disk.is_match("磁盘disk满") && disk.is_match("disk full") && !disk.is_match("diskette"));
        // The control: to Unicode it is part of a longer word.
        assert!(!Regex::new(r"\bdisk\b").unwrap().is_match("磁盘disk满"));
    }
}
