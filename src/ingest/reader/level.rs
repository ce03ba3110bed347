//! How bad a body says it is.

use super::super::{lexicon, plain};
use std::sync::LazyLock;

use regex::Regex;

use super::super::title as line;
use super::super::tree::{Members, said, spoken};
use super::Given;
use super::title::Titled;
use crate::level::{Level, Levels, NAMES};

/// A level, and the word for it as sent.
#[derive(Debug, Default)]
pub(in crate::ingest) struct Said {
    pub word: String,
    pub level: Option<Level>,
    /// The word says that it is over (`clear`).
    pub over: bool,
}

const OVER: [&str; 8] = ["ok", "clear", "cleared", "normal", "resolved", "good", "正常", "恢复"];

/// States that are levels as well (`State: CRITICAL`).
const RANKED: [&str; 11] =
    ["critical", "crit", "warning", "warn", "major", "minor", "fatal", "emergency", "严重", "紧急", "致命"];

/// From the mapping, members, labels, lines of the text, the title, the text's first line: the first that says anything.
pub(super) fn of(
    members: &Members<'_>,
    given: &Given,
    lines: &[(String, String)],
    titled: &Titled,
    first_text: &str,
    levels: &Levels,
    origins: &mut Vec<(&'static str, String, String)>,
) -> Said {
    let known = |word: &str| (!plain::has_placeholder(word)).then(|| levels.of(word)).flatten();
    let mut over = false;
    let mut found = |from: &str, word: &str| -> Option<Said> {
        over |= OVER.contains(&word.trim().to_lowercase().as_str());
        let level = known(word)?;
        origins.push(("severity", from.to_owned(), word.to_owned()));
        Some(Said { word: word.trim().to_owned(), level: Some(level), over: false })
    };
    if !plain::is_missing(&given.level) && !plain::has_placeholder(&given.level) {
        return found("mapping", &given.level).unwrap_or_else(|| Said {
            word: given.level.trim().to_owned(),
            level: None,
            over: OVER.contains(&given.level.trim().to_lowercase().as_str()),
        });
    }
    let in_members = members.named(NAMES).into_iter().find_map(|member| found(member.name, &spoken(member.value)?));
    // `severity: ERROR` of an event called `POLICY_OPEN_CRITICAL`.
    let in_kind = members.named(super::state::WEAK).into_iter().find_map(|member| {
        let level = lexicon::level_of_kind(said(member.value)?)?;
        Some((member.name, level))
    });
    let in_kind = in_kind.and_then(|(name, word)| found(name, &word));
    let in_members = match (in_members, in_kind) {
        (Some(members), Some(kind)) => Some(if kind.level > members.level { kind } else { members }),
        (members, kind) => members.or(kind),
    };
    let said = in_members
        .or_else(|| {
            NAMES.iter().find_map(|wanted| {
                let (name, value) =
                    members.labels.iter().find(|(name, _)| crate::level::plain_name(name) == *wanted)?;
                found(name, value)
            })
        })
        .or_else(|| {
            lines.iter().filter(|(name, _)| NAMES.contains(&name.as_str())).find_map(|(name, value)| found(name, value))
        })
        .or_else(|| found("title", titled.title.level.as_deref()?))
        .or_else(|| titled.headings.iter().find_map(|heading| found("heading", &in_heading(heading)?)))
        .or_else(|| {
            let states = members.named(super::state::STRONG).into_iter();
            states.filter(|member| member.depth == 0).find_map(|member| {
                let state =
                    spoken(member.value).filter(|state| RANKED.contains(&state.trim().to_lowercase().as_str()))?;
                found(member.name, &state)
            })
        })
        .or_else(|| {
            let mut states = lines.iter().filter(|(name, _)| super::state::LINES.contains(&name.as_str()));
            let ranked = |value: &str| RANKED.contains(&value.trim().to_lowercase().as_str());
            let (name, value) = states.find(|(_, value)| ranked(value))?;
            found(name, value)
        });
    let said = said.or_else(|| {
        let (first, _) = plain::first_line(first_text);
        found("text, first line", &line::read(&first).level?)
    });
    // `…，告警级别：重要。` in a sentence.
    let said = said.or_else(|| {
        static INLINE: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"(?:级别|等级|严重程度)\s*[:：为]\s*([\p{Han}A-Za-z0-9]{1,8})").expect("constant")
        });
        found("text", &INLINE.captures(&titled.raw)?[1])
    });
    said.unwrap_or(Said { over, ..Said::default() })
}

/// The word for a level in a heading (`S1 Triggered`), which is no word for a report.
fn in_heading(heading: &str) -> Option<String> {
    let is_level = |word: &&str| {
        Level::of(word).is_some()
            && !["告警", "报警", "通知", "提醒", "notice", "信息"].iter().any(|report| word.ends_with(report))
    };
    let words = heading.split(|letter: char| !letter.is_alphanumeric());
    line::read(heading).level.or_else(|| words.filter(|word| !word.is_empty()).find(is_level).map(str::to_owned))
}
