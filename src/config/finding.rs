//! A mistake in, or a note on, a configuration: the place, the reason, and what to write instead.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::words::{Words, spoken};

/// A place in the file, both from 1. Line 0: the file as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
pub struct Place {
    /// Line.
    pub line: u32,
    /// Column, in characters.
    pub column: u32,
}

/// Something found in a configuration. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file.
    pub file: PathBuf,
    /// Where in it.
    #[serde(flatten)]
    pub place: Place,
    /// What and why.
    pub reason: Words,
    /// The remedy.
    pub remedy: Words,
    /// The line with a caret under the place, without the values that may be secrets.
    #[serde(skip)]
    pub excerpt: Option<String>,
}

/// A finding that makes the configuration unusable.
pub type Mistake = Finding;

/// A finding that should be known but prevents nothing.
pub type Note = Finding;

impl Finding {
    /// The file itself cannot be read.
    pub fn unreadable(file: &Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let name = file.display();
        let (reason, remedy): (Words, Words) = match error.kind() {
            ErrorKind::NotFound => (
                (format!("没有这个文件：{name}"), format!("there is no such file: {name}")).into(),
                (
                    "用 -c 指定文件；还没有的话运行 wegraf init",
                    "name the file with -c; run wegraf init if there is none yet",
                )
                    .into(),
            ),
            ErrorKind::PermissionDenied => (
                ("当前用户无权读取它".to_owned(), "the current user may not read it".to_owned()).into(),
                (
                    format!("用服务的用户或 sudo 执行，或 chmod 让它可读：ls -l {name}"),
                    format!("run this as the user of the service or with sudo, or make it readable: ls -l {name}"),
                )
                    .into(),
            ),
            // Most often saved by an editor on Chinese Windows.
            ErrorKind::InvalidData => (
                ("文件不是 UTF-8，多半是 GBK".to_owned(), "the file is no UTF-8, probably GBK".to_owned()).into(),
                (
                    format!("在编辑器里另存为 UTF-8，或：iconv -f gbk -t utf-8 {name} > utf8.yaml"),
                    format!("save it as UTF-8 in the editor, or: iconv -f gbk -t utf-8 {name} > utf8.yaml"),
                )
                    .into(),
            ),
            ErrorKind::IsADirectory => (
                ("这是一个目录".to_owned(), "this is a folder".to_owned()).into(),
                ("用 -c 指定里面的文件", "name the file in it with -c").into(),
            ),
            _ => (
                (format!("读不到配置文件（{error}）"), format!("the configuration cannot be read ({error})")).into(),
                ("检查路径和磁盘", "check the path and the disk").into(),
            ),
        };
        Self { file: file.to_path_buf(), place: Place::default(), reason, remedy, excerpt: None }
    }
}

impl fmt::Display for Finding {
    /// `wegraf.yaml:12:7: reason`, the excerpt and the remedy on lines of their own; in both languages unless the reader's
    /// is known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if self.place.line > 0 {
            write!(f, "{}:{}:", self.place.line, self.place.column)?;
        }
        let both = |f: &mut fmt::Formatter<'_>, words: &Words| match spoken() {
            Some(language) => f.write_str(words.get(language)),
            None => write!(f, "{}\n    {}", words.zh, words.en),
        };
        f.write_str(" ")?;
        both(f, &self.reason)?;
        if let Some(excerpt) = &self.excerpt {
            write!(f, "\n{excerpt}")?;
        }
        if !self.remedy.zh.is_empty() {
            f.write_str("\n  → ")?;
            both(f, &self.remedy)?;
        }
        Ok(())
    }
}

/// The findings of one file while it is read: all are collected, none stops the reading.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub file: PathBuf,
    pub mistakes: Vec<Mistake>,
    pub notes: Vec<Note>,
}

impl Findings {
    pub fn new(file: PathBuf) -> Self {
        Self { file, ..Self::default() }
    }

    pub fn mistake(&mut self, place: Place, reason: impl Into<Words>, remedy: impl Into<Words>) {
        let finding = self.finding(place, reason.into(), remedy.into());
        self.mistakes.push(finding);
    }

    pub fn note(&mut self, place: Place, reason: impl Into<Words>, remedy: impl Into<Words>) {
        let finding = self.finding(place, reason.into(), remedy.into());
        self.notes.push(finding);
    }

    fn finding(&self, place: Place, reason: Words, remedy: Words) -> Finding {
        Finding { file: self.file.clone(), place, reason, remedy, excerpt: None }
    }
}

/// The one of `known` that `word` probably stands for, if one is similar enough.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = |candidate: &str| {
        let (word, candidate) = (word.to_lowercase(), candidate.to_lowercase());
        if word.replace(['-', '_', ' '], "") == candidate.replace(['-', '_', ' '], "") {
            return 1.0;
        }
        // What is a part of the other is probably meant (`token` for `bot_token`), unless it is a letter or two.
        let part = word.len().min(candidate.len()) > 2 && (word.contains(&candidate) || candidate.contains(&word));
        strsim::normalized_damerau_levenshtein(&word, &candidate).max(if part { 0.61 } else { 0.0 })
    };
    let scored = known.into_iter().map(|candidate| (near(candidate), candidate));
    scored.filter(|&(score, _)| score > 0.6).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, candidate)| candidate)
}

/// The remedy for a name that is not among `known`: the most similar one, or the list of all.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Words {
    if let Some(best) = nearest(word, known.clone()) {
        return (format!("是不是 `{best}`？"), format!("did you mean `{best}`?")).into();
    }
    let all: Vec<String> = known.into_iter().map(|name| format!("`{name}`")).collect();
    if all.is_empty() {
        return ("这里还没有任何可用的名字，请先定义", "there is none yet; define one first").into();
    }
    (format!("可用的有：{}", all.join("、")), format!("there are: {}", all.join(", "))).into()
}
