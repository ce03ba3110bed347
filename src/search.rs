//! The terms by which texts are found: Chinese by pairs of characters, everything else by whole runs of letters and
//! digits. Pure, and the same for every store, so that no extension of a database decides what is found.
//!
//! A text has a term for each run, in lower case; a run of Chinese, Japanese or Korean characters has one for each pair of
//! neighbours and one for its last character. So a word of one character is the beginning of a term, and a longer one is
//! all of its pairs.

use std::collections::BTreeSet;

/// Characters of a term: longer runs (hashes, encoded pictures) are cut.
const LONGEST: usize = 40;
/// Terms of one thing that is found.
const TERMS: usize = 2_000;
/// Words of a question; further ones are not searched for.
pub const WORDS: usize = 12;
/// The shortest run of letters and digits whose beginning is enough.
const BEGINNING: usize = 3;

/// The terms of texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms(BTreeSet<String>);

impl Terms {
    /// Adds the terms of a text; beyond 2,000 none are added.
    pub fn add(&mut self, text: &str) {
        for run in runs(text) {
            if self.0.len() >= TERMS {
                return;
            }
            match run {
                Run::Word(word) => drop(self.0.insert(word)),
                Run::Signs(signs) => {
                    self.0.extend(signs.windows(2).map(|pair| pair.iter().collect::<String>()));
                    self.0.extend(signs.last().map(char::to_string));
                }
            }
        }
    }

    /// Each once, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Has it all that a question asks for?
    pub fn answer(&self, question: &Question) -> bool {
        question.0.iter().all(|want| match want {
            Want::Whole(term) => self.0.contains(term),
            Want::Begins(term) => {
                self.0.range(term.clone()..).next().is_some_and(|found| found.starts_with(term.as_str()))
            }
            Want::Any(terms) => terms.iter().any(|term| self.0.contains(term)),
        })
    }
}

/// The terms of a query; all must occur.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question(Vec<Want>);

/// A term that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// This term.
    Whole(String),
    /// A term that begins so.
    Begins(String),
    /// One of these terms.
    Any(Vec<String>),
}

impl Question {
    /// The terms of what a person typed; `None` if it holds nothing that could be found.
    pub fn of(typed: &str) -> Option<Self> {
        let mut wanted = Vec::new();
        let all: Vec<Run> = runs(typed).take(WORDS).collect();
        let count = all.len();
        for (at, run) in all.into_iter().enumerate() {
            match run {
                // The last word may not be typed to its end.
                Run::Word(word) if at + 1 == count && word.chars().count() >= BEGINNING => {
                    wanted.push(Want::Begins(word));
                }
                Run::Word(word) => wanted.push(Want::Whole(word)),
                Run::Signs(signs) if signs.len() == 1 => wanted.push(Want::Begins(signs.iter().collect())),
                Run::Signs(signs) => {
                    wanted.extend(signs.windows(2).take(LONGEST).map(|pair| Want::Whole(pair.iter().collect())));
                }
            }
        }
        (!wanted.is_empty()).then_some(Self(wanted))
    }

    /// The terms of a text that must stand there whole.
    pub fn exactly(text: &str) -> Option<Self> {
        let mut terms = Terms::default();
        terms.add(text);
        let wanted: Vec<Want> = terms.0.into_iter().take(WORDS).map(Want::Whole).collect();
        (!wanted.is_empty()).then_some(Self(wanted))
    }

    /// The terms that must occur.
    pub fn wants(&self) -> &[Want] {
        &self.0
    }

    /// The same question with the terms of each beginning, as far as `terms` knows them.
    pub fn spelled<E>(&self, mut terms: impl FnMut(&str) -> Result<Option<Vec<String>>, E>) -> Result<Self, E> {
        let spelled = |want: &Want| match want {
            Want::Begins(beginning) => Ok(terms(beginning)?.map_or_else(|| want.clone(), Want::Any)),
            _ => Ok(want.clone()),
        };
        Ok(Self(self.0.iter().map(spelled).collect::<Result<_, _>>()?))
    }
}

/// A run of one kind of characters.
enum Run {
    /// Letters and digits, in lower case.
    Word(String),
    /// Signs that stand for words or syllables.
    Signs(Vec<char>),
}

/// Chinese characters, kana and hangul: between them no space says where a word ends.
fn is_sign(letter: char) -> bool {
    matches!(letter,
        '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

fn runs(text: &str) -> impl Iterator<Item = Run> + '_ {
    let mut letters = text.chars().peekable();
    std::iter::from_fn(move || {
        while letters.next_if(|letter| !letter.is_alphanumeric()).is_some() {}
        let first = *letters.peek()?;
        if is_sign(first) {
            let mut signs = Vec::new();
            while let Some(sign) = letters.next_if(|letter| is_sign(*letter)) {
                signs.push(sign);
            }
            return Some(Run::Signs(signs));
        }
        let mut word = String::new();
        let mut length = 0;
        while let Some(letter) = letters.next_if(|letter| letter.is_alphanumeric() && !is_sign(*letter)) {
            if length < LONGEST {
                // A capital may become several characters, of which only letters count.
                word.extend(letter.to_lowercase().filter(|letter| letter.is_alphanumeric()));
            }
            length += 1;
        }
        Some(Run::Word(word))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn terms(texts: &[&str]) -> Terms {
        let mut terms = Terms::default();
        for text in texts {
            terms.add(text);
        }
        terms
    }

    fn finds(typed: &str, texts: &[&str]) -> bool {
        Question::of(typed).is_some_and(|question| terms(texts).answer(&question))
    }

    #[test]
    fn a_text_has_terms_in_both_languages() {
        let all: Vec<String> = terms(&["磁盘将满 db-1 /data 剩9.3%", "HighCPU"]).iter().map(str::to_owned).collect();
        assert_eq!(all, ["1", "3", "9", "data", "db", "highcpu", "剩", "将满", "满", "盘将", "磁盘"]);
        assert_eq!(terms(&["x".repeat(99).as_str()]).iter().next().unwrap().len(), LONGEST);
    }

    #[test]
    fn a_question_finds_what_it_means() {
        let text = &["订单库/生产 磁盘将满", "Instance order-db-7 is down", "zhangsan", "60020", "7K2Q"];
        for typed in [
            "磁盘",
            "将满",
            "磁盘将满",
            "磁",
            "满",
            "盘",
            "订单 磁盘",
            "ORDER",
            "ord",
            "instance down",
            "order-db-7",
            "zhangsan",
            "zhang",
            "60020",
            "#7k2q",
            "磁盘 down",
            "生产",
        ] {
            assert!(finds(typed, text), "{typed}");
        }
        for typed in ["盘磁", "磁盘满", "or", "inst down", "rder", "zhangsi", "磁盘 up", "60021"] {
            assert!(!finds(typed, text), "{typed}");
        }
        assert_eq!((Question::of(" -%! "), Question::of("")), (None, None));
        assert!(terms(&["zhang.san"]).answer(&Question::exactly("Zhang.San").unwrap()));
        assert!(!terms(&["zhang"]).answer(&Question::exactly("zhang.san").unwrap()));
    }

    proptest! {
        /// What stands in a text between two places where words begin and end is found.
        #[test]
        fn terms_find_what_stands_there(words in proptest::collection::vec("[a-zA-Z0-9]{1,8}|[一-龥]{1,6}", 1..12), from in 0usize..12, length in 1usize..4) {
            let text = words.join(" ");
            let from = from.min(words.len() - 1);
            let piece = words[from..(from + length).min(words.len())].join(" ");
            prop_assert!(finds(&piece, &[&text]), "{} in {}", piece, text);
        }

        /// A piece of a run of Chinese is found wherever it stands.
        #[test]
        fn a_piece_of_chinese_is_found(text in "[一-龥]{1,20}", from in 0usize..20, length in 1usize..20) {
            let signs: Vec<char> = text.chars().collect();
            let from = from.min(signs.len() - 1);
            let piece: String = signs[from..(from + length).min(signs.len())].iter().collect();
            prop_assert!(finds(&piece, &[&text]), "{} in {}", piece, text);
        }

        #[test]
        fn terms_are_letters_and_digits(text in "\\PC{0,60}") {
            let all = terms(&[&text]);
            prop_assert!(all.iter().all(|term| !term.is_empty() && term.chars().all(char::is_alphanumeric)), "{all:?}");
            let question = Question::of(&text);
            prop_assert!(question.is_none_or(|question| all.answer(&question)), "a text finds itself");
        }
    }
}
