//! A text for people in both languages. What a room says to people stands in its own `words.rs`, as functions that
//! return [`Words`], or side by side where it is said; unit tests hold the rooms to that.

use std::borrow::Cow;
use std::fmt;
use std::sync::{PoisonError, RwLock};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Language of what people read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// 中文
    #[default]
    Zh,
    /// English
    En,
}

impl Language {
    /// `zh` or `en`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Zh => "zh",
            Self::En => "en",
        }
    }
}

/// The language of the one person whom this process serves, if it is a command; of a gateway, that of its configuration.
static SPOKEN: RwLock<Option<Language>> = RwLock::new(None);

/// From now on the `Display` of [`Words`] is in this language.
pub fn speak(language: Language) {
    *SPOKEN.write().unwrap_or_else(PoisonError::into_inner) = Some(language);
}

/// What [`speak`] said.
pub fn spoken() -> Option<Language> {
    *SPOKEN.read().unwrap_or_else(PoisonError::into_inner)
}

/// [`Words`] from two formats that take the same arguments, in `format!`'s syntax. An argument that only one of the two
/// uses does not compile.
macro_rules! told {
    ($zh:literal, $en:literal $(, $($argument:tt)*)?) => {
        $crate::words::Words::from((format!($zh $(, $($argument)*)?), format!($en $(, $($argument)*)?)))
    };
}

pub(crate) use told;

/// A sentence in both languages. Its `Display` is in the one of [`speak`]; without it both, Chinese first, for callers
/// whose language is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Words {
    /// 中文
    pub zh: Cow<'static, str>,
    /// English
    pub en: Cow<'static, str>,
}

/// The ending of an English noun that is counted.
pub fn plural(count: impl TryInto<u64>) -> &'static str {
    if count.try_into().is_ok_and(|count| count == 1) { "" } else { "s" }
}

/// A fixed text.
pub const fn words(zh: &'static str, en: &'static str) -> Words {
    Words { zh: Cow::Borrowed(zh), en: Cow::Borrowed(en) }
}

/// Between the two languages of a text on record: no text of a program or a person holds it.
pub const BETWEEN: char = '\u{1f}';
/// Bytes that are kept of each language: both, and what is between them, fit the column of a failure (1,000 bytes).
const RECORDED: usize = 490;

impl Words {
    /// The text as the record keeps it, both languages in one column.
    pub fn recorded(&self) -> String {
        let kept = |text: &str| text[..text.floor_char_boundary(RECORDED)].replace(BETWEEN, " ");
        format!("{}{BETWEEN}{}", kept(&self.zh), kept(&self.en))
    }

    /// A text of the record. Rows of older versions hold one text for both, some of them in both languages with a slash
    /// between.
    pub fn of_record(text: &str) -> Self {
        let (zh, en) = text.split_once(BETWEEN).or_else(|| text.split_once(" / ")).unwrap_or((text, text));
        Self { zh: Cow::Owned(zh.to_owned()), en: Cow::Owned(en.to_owned()) }
    }

    /// The text of another program, which has no translation.
    pub fn quoted(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { zh: Cow::Owned(text.clone()), en: Cow::Owned(text) }
    }

    /// The text in one language.
    pub fn get(&self, language: Language) -> &str {
        match language {
            Language::Zh => &self.zh,
            Language::En => &self.en,
        }
    }
}

impl<Zh: Into<Cow<'static, str>>, En: Into<Cow<'static, str>>> From<(Zh, En)> for Words {
    fn from((zh, en): (Zh, En)) -> Self {
        Self { zh: zh.into(), en: en.into() }
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match spoken() {
            Some(language) => f.pad(self.get(language)),
            None if self.zh == self.en => f.write_str(&self.zh),
            None => write!(f, "{} {}", self.zh, self.en),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;
    use std::path::Path;
    use std::sync::LazyLock;

    use regex::Regex;

    use super::*;

    /// The rooms whose texts all stand in their `words.rs`. In the others Chinese and English stand side by side where
    /// they are said.
    const DONE: [&str; 6] = ["bots", "console", "http", "intake", "proof", "store"];

    /// Answers of a program that is imitated, to their letter.
    const IMITATED: &str = "http/dropin/robots/push.rs";

    /// Chinese characters and punctuation.
    fn is_chinese(letter: char) -> bool {
        matches!(letter, '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}')
    }

    /// The lines of a file that hold a text for people, without comments and tests.
    fn texts(code: &str) -> impl Iterator<Item = &str> {
        let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        code.lines().filter(|line| !line.trim_start().starts_with("//") && line.contains(is_chinese))
    }

    /// All files of code below `path`, without those of tests.
    fn visit(path: &Path, take: &mut dyn FnMut(&Path)) {
        if path.is_dir() {
            for entry in std::fs::read_dir(path).unwrap() {
                visit(&entry.unwrap().path(), take);
            }
        } else if path.extension().is_some_and(|ending| ending == "rs")
            && path.file_name().is_some_and(|name| name != "tests.rs")
            && !path.components().any(|part| part.as_os_str() == "tests")
        {
            take(path);
        }
    }

    fn look(path: &Path, found: &mut Vec<String>) {
        visit(path, &mut |path| {
            let is_words = path.file_name().is_some_and(|name| name == "words.rs")
                || path.components().any(|part| part.as_os_str() == "words");
            if !is_words && !path.ends_with(IMITATED) {
                let code = std::fs::read_to_string(path).unwrap();
                found.extend(texts(&code).map(|line| format!("{}: {}", path.display(), line.trim())));
            }
        });
    }

    #[test]
    fn texts_for_people_stand_in_the_words_of_their_room() {
        let mut found = Vec::new();
        for room in DONE {
            let room = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room);
            look(&room.with_extension("rs"), &mut found);
            if room.is_dir() {
                look(&room, &mut found);
            }
        }
        assert!(found.is_empty(), "these belong into words.rs:\n{}", found.join("\n"));
    }

    #[test]
    fn a_text_outside_of_words_is_found() {
        let code = "let a = \"磁盘\";\n// 磁盘\nlet b = \"，\";\nlet c = \"disk\";\n\n#[cfg(test)]\nmod tests {\n    \"磁盘\"\n}\n";
        assert_eq!(texts(code).collect::<Vec<_>>(), ["let a = \"磁盘\";", "let b = \"，\";"]);
    }

    /// Code that reads what senders write, or holds what a document in both languages says: not texts for people.
    /// `render` is left out for what it reads.
    const OTHER: [&str; 13] = [
        "answer/ask.rs",
        "cli.rs",
        "cli/deliveries/arguments.rs",
        "cli/tongue.rs",
        "config/file",
        "ingest",
        "ingest.rs",
        "level",
        "level.rs",
        "measure",
        "render",
        "said",
        "subject",
    ];

    /// A member of the simulator's corp.
    const NAME: &str = "张三";

    /// One piece of code: a comment, a string, a character or a bracket.
    static PIECE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r##"(?s)//[^\n]*|r#".*?"#|r"[^"]*"|"(?:[^"\\]|\\.)*"|'(?:\\[^']+|[^'\\])'|[()\[\]{}]"##).unwrap()
    });
    /// What a text quotes: code, the console's own words, arguments, commands.
    static QUOTED: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"`[^`]*`|“[^”]*”|\{[^}]*\}|wegraf(?: [a-z-]+)+|openssl(?: [a-z-]+)+").unwrap());
    static ENGLISH: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b[a-z]{2,} [a-z]{2,} [a-z]{2,}\b").unwrap());

    fn has_han(text: &str) -> bool {
        text.contains(|letter| matches!(letter, '\u{3400}'..='\u{9fff}'))
    }

    /// The Chinese strings of `code` that have an English sentence in them, or no English string near them within the
    /// same brackets.
    fn not_in_both(code: &str) -> Vec<&str> {
        let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let (mut strings, mut open, mut groups) = (Vec::new(), Vec::new(), Vec::new());
        for piece in PIECE.find_iter(code) {
            match piece.as_str() {
                "(" | "[" | "{" => open.push(piece.start()),
                ")" | "]" | "}" => groups.extend(open.pop().map(|begin| begin..piece.end())),
                text if text.starts_with(['"', 'r']) => strings.push((piece.start(), text)),
                _ => {}
            }
        }
        let is_english = |text: &str| {
            let own = QUOTED.replace_all(text, "");
            !has_han(&own) && own.contains(|letter: char| letter.is_ascii_alphabetic())
        };
        let mut wrong = Vec::new();
        for (at, text) in strings.iter().filter(|(_, text)| !text.contains(NAME)) {
            let own = QUOTED.replace_all(text, "");
            if !has_han(&own) {
                continue;
            }
            let mixed = ENGLISH.is_match(&own);
            let mut around: Vec<_> = groups.iter().filter(|group| group.contains(at) && group.len() < 1_500).collect();
            around.sort_by_key(|group| group.len());
            let beside = |group: &Range<usize>| {
                strings.iter().any(|(other, text)| group.contains(other) && other != at && is_english(text))
            };
            if mixed || !around.into_iter().take(4).any(beside) {
                wrong.push(*text);
            }
        }
        wrong
    }

    #[test]
    fn a_chinese_text_stands_beside_its_english_one_and_holds_none() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = Vec::new();
        for folder in ["src", "crates/wecom/src"] {
            let folder = root.join(folder);
            visit(&folder, &mut |path| {
                let name = path.strip_prefix(&folder).unwrap();
                if OTHER.iter().any(|other| name.starts_with(other)) || name.ends_with(IMITATED) {
                    return;
                }
                let code = std::fs::read_to_string(path).unwrap();
                found.extend(not_in_both(&code).into_iter().map(|text| format!("{}: {text}", path.display())));
            });
        }
        assert!(found.is_empty(), "{}", found.join("\n"));
    }

    #[test]
    fn a_text_in_one_language_and_a_text_in_both_at_once_are_found() {
        let fine =
            r#"let a = words("磁盘满了", "the disk is full"); let b = told!("看 `df -h now please`", "see it");"#;
        assert_eq!(not_in_both(fine), [""; 0]);
        assert_eq!(not_in_both(r#"let a = say("磁盘满了");"#), [r#""磁盘满了""#]);
        let both = r#"let a = words("磁盘满了 the disk is full", "the disk is full"); // 磁盘"#;
        assert_eq!(not_in_both(both), [r#""磁盘满了 the disk is full""#]);
    }

    #[test]
    fn one_row_of_the_record_reads_in_both_languages() {
        let text = words("磁盘已满", "the disk is full");
        assert_eq!(Words::of_record(&text.recorded()), text);
        assert_eq!(Words::of_record("磁盘 / disk"), words("磁盘", "disk"), "an older version's row");
        assert_eq!(Words::of_record("timeout").to_string(), "timeout");
        let long = Words::from(("磁".repeat(400), "d".repeat(4_000)));
        assert!(long.recorded().len() < 1_000);
        assert!(Words::of_record(&long.recorded()).en.starts_with("ddd"), "a long text leaves room for the other");
    }

    #[test]
    fn words_are_read_in_one_language_or_in_both() {
        let text = words("磁盘", "disk");
        assert_eq!(
            (text.get(Language::Zh), text.get(Language::En), text.to_string().as_str()),
            ("磁盘", "disk", "磁盘 disk")
        );
        assert_eq!(Words::from((format!("{} 条", 2), "two")).zh, "2 条");
    }
}
