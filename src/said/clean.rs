//! Cleaning of a text, each step a function.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::{Link, LinkKind};
use crate::pattern::regex;
use crate::plain;

/// The text with real line breaks: `\n` as two letters is one, where it is no part of a path.
pub(super) fn lines(text: &str) -> String {
    static WRITTEN: LazyLock<Regex> = LazyLock::new(|| regex(r"\\r\\n|\\n"));
    let is_path = text.contains(":\\");
    let text = if is_path { Cow::Borrowed(text) } else { WRITTEN.replace_all(text, "\n") };
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// See [`super::cut`].
pub(super) fn cut(text: &str) -> Cow<'_, str> {
    static VALUE: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?m)[\s,;]*\bVALUE\s*[:=]\s*(?:[-+]?[0-9][0-9.,eE+-]*|[-+]?Inf|NaN|…|<no value>|\[no value\])?[ \t]*(?:%|$|\s)",
        )
    });
    static LABELS: LazyLock<Regex> = LazyLock::new(|| regex(r"(?s)[\s,;]*\bLABELS\s*[:=]\s*(?:map\[.*\]|\{.*\}|$)"));
    static INSTANCE: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?i)\s*[(（]\s*(?:instance|host|实例|主机)[:=：]?\s*[^()（）]{0,200}[)）]\s*$"));
    static DUMP: LazyLock<Regex> = LazyLock::new(|| {
        regex(r#"(?m)[\s,;:]*(?:\{\s*[A-Za-z_][\w.]*\s*=~?\s*"[^\n]*"\s*,?\s*\}|map\[[A-Za-z_]\w*:[^\n]*\])\s*$"#)
    });
    let mut text = Cow::Borrowed(text);
    for (pattern, instead) in [(&LABELS, ""), (&VALUE, " "), (&DUMP, ""), (&INSTANCE, "")] {
        if let Cow::Owned(changed) = pattern.replace_all(&text, instead) {
            text = Cow::Owned(changed);
        }
    }
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

/// The text without addresses, which join `links`.
pub(super) fn addresses(text: &str, links: &mut Vec<Link>) -> String {
    // `[words](address)`, or an address and the word before it. An address ends where ASCII ends: sentences in Chinese
    // go on without a blank.
    static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
        regex(concat!(
            r"!?\[([^\[\]\n]*)\]\((https?://[!-~&&[^()]]+)\)",
            r#"|([\p{L}\p{N}]{0,16}[ \t]*[:：(（<]?[ \t]*)(https?://[!-~&&[^<>"'`()\[\]{}|\\^]]+)[>)）]?"#
        ))
    });
    // `看 https://… 上的错误码`: the blanks around an address are not wanted around a word in its place.
    static AROUND: LazyLock<Regex> = LazyLock::new(|| regex(r"链接[ \t]+(\p{Han})"));
    let mut add = |url: &str, before: &str| {
        let url = url.trim_end_matches(['.', ',', ';', ':', '!', '?']);
        if !links.iter().any(|link| link.url == url) {
            links.push(Link { kind: kind(url, before), url: url.to_owned() });
        }
    };
    let whole = text;
    let text = ADDRESS.replace_all(text, |found: &Captures<'_>| {
        if let (Some(words), Some(url)) = (found.get(1), found.get(2)) {
            add(url.as_str(), words.as_str());
            return words.as_str().to_owned();
        }
        let (before, url) = (&found[3], &found[4]);
        add(url, before);
        let words = before.trim_end_matches(|c: char| c.is_whitespace() || ":：(（<".contains(c));
        // `Runbook: https://…` is a name for the link; a word of a sentence stays.
        if kind_of_word(words).is_some() && before.contains([':', '：']) {
            return String::new();
        }
        // A sentence that goes on behind it keeps a word in its place.
        let behind = &whole[found.get(0).map_or(whole.len(), |found| found.end())..];
        let behind = behind.trim_start_matches(' ');
        let goes_on = behind.starts_with(|c: char| c.is_alphanumeric()) && kind_of_word(words).is_none();
        let han = |text: &str| text.chars().any(|c| matches!(c, '\u{3400}'..='\u{9fff}'));
        match (goes_on, han(behind.lines().next().unwrap_or_default())) {
            (false, _) => words.to_owned(),
            (true, true) => format!("{words}链接"),
            (true, false) => format!("{words} link").trim_start().to_owned(),
        }
    });
    AROUND.replace_all(&text, "链接$1").into_owned()
}

fn kind_of_word(words: &str) -> Option<LinkKind> {
    const NAMES: [(&str, LinkKind); 17] = [
        ("runbook", LinkKind::Runbook),
        ("playbook", LinkKind::Runbook),
        ("wiki", LinkKind::Runbook),
        ("手册", LinkKind::Runbook),
        ("预案", LinkKind::Runbook),
        ("文档", LinkKind::Runbook),
        ("处理", LinkKind::Runbook),
        ("dashboard", LinkKind::Dashboard),
        ("grafana", LinkKind::Dashboard),
        ("面板", LinkKind::Dashboard),
        ("看板", LinkKind::Dashboard),
        ("大盘", LinkKind::Dashboard),
        ("监控", LinkKind::Dashboard),
        ("kibana", LinkKind::Logs),
        ("logs", LinkKind::Logs),
        ("log", LinkKind::Logs),
        ("日志", LinkKind::Logs),
    ];
    let words = words.to_lowercase();
    NAMES.iter().find(|(name, _)| words.ends_with(name)).map(|(_, kind)| *kind)
}

/// By the word before it, else by its host and path.
fn kind(url: &str, before: &str) -> LinkKind {
    let words = before.trim_end_matches(|c: char| !c.is_alphanumeric());
    kind_of_word(words).unwrap_or_else(|| {
        let lower = url.to_lowercase();
        let has = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
        if has(&["runbook", "playbook", "wiki", "confluence", "yuque"]) {
            LinkKind::Runbook
        } else if has(&["kibana", "loki", "/logs", "graylog", "opensearch", "//log"]) {
            LinkKind::Logs
        } else if has(&["/d/", "/dashboard", "grafana"]) {
            LinkKind::Dashboard
        } else {
            LinkKind::Other
        }
    })
}

/// Lines without marks, placeholders that were not expanded as `…`, and no line without words.
pub(super) fn sentences(text: &str) -> String {
    let mut out: Vec<String> = Vec::new();
    for line in text.lines() {
        let had = plain::has_placeholder(line);
        let line = if had { plain::without_placeholders(line) } else { Cow::Borrowed(line) };
        let line = plain::line_of_prose(&line);
        let line = line.trim_matches(|c: char| c.is_whitespace() || ",;，；".contains(c));
        // A sentence of which too little is left says nothing.
        let speaks = line.chars().any(char::is_alphanumeric) && !(had && words(line) < 4);
        if speaks {
            out.push(line.to_owned());
        }
    }
    out.join("\n")
}

/// Words; each Han character counts as half of one.
fn words(line: &str) -> usize {
    let han = line.chars().filter(|c| matches!(c, '\u{3400}'..='\u{9fff}')).count();
    let latin = line.split(|c: char| !c.is_alphanumeric() || matches!(c, '\u{3400}'..='\u{9fff}'));
    latin.filter(|word| !word.is_empty()).count() + han / 2
}

/// The first sentence, and what follows.
pub fn first_sentence(text: &str) -> (String, String) {
    let line = text.split('\n').next().unwrap_or_default();
    let end = line.char_indices().find_map(|(at, letter)| {
        let after = at + letter.len_utf8();
        let rest = &line[after..];
        let ends = matches!(letter, '。' | '！' | '？') || (matches!(letter, '.' | '!' | '?') && begins_sentence(rest));
        (ends && !rest.trim().is_empty()).then_some(after)
    });
    let (first, rest) = text.split_at(end.unwrap_or(line.len()));
    (first.trim().to_owned(), rest.trim().to_owned())
}

/// Does a new sentence begin here? Not behind `e.g.` or inside of `1.5`.
fn begins_sentence(rest: &str) -> bool {
    let trimmed = rest.trim_start();
    trimmed.len() < rest.len()
        && trimmed.starts_with(|c: char| c.is_uppercase() || matches!(c, '\u{3400}'..='\u{9fff}'))
}
