//! Numbers that people print in the sentences of an alert.

use std::sync::LazyLock;

use ecow::EcoString;
use regex::Regex;

use super::rule::Rule;
use super::unit::{COUNTED, NAMES, Unit, UnitKind};
use super::{Figure, Source};
use crate::alert::{Alert, Labels};
use crate::pattern::regex;
use crate::said;

/// A number as it is printed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Printed {
    /// As printed, without its unit.
    pub raw: String,
    pub number: Option<f64>,
    /// The unit behind it.
    pub unit: Option<Unit>,
}

impl Printed {
    /// A text that is a number, or one with its unit behind it; any other text is kept as it is.
    pub fn of(text: &str) -> Self {
        let text = text.trim();
        if let Ok(number) = text.parse::<f64>() {
            return Self { raw: text.to_owned(), number: Some(number), unit: None };
        }
        let whole = NUMBER.captures(text).filter(|found| found.get(0).is_some_and(|found| found.start() == 0));
        let split = whole.and_then(|found| {
            let digits = found.get(1)?.as_str();
            let (_, rest) = text.split_at(digits.len());
            let unit = Unit::named(rest)?;
            Some(Self { raw: digits.to_owned(), number: number(digits), unit: Some(unit) })
        });
        split.unwrap_or_else(|| Self { raw: text.to_owned(), number: None, unit: None })
    }

    pub fn figure(&self, unit: Option<Unit>, source: Source) -> Figure {
        Figure { name: String::new(), raw: self.raw.clone(), number: self.number, unit, source, tags: Labels::new() }
    }
}

static NUMBER: LazyLock<Regex> =
    LazyLock::new(|| regex(r"([-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?)"));
static DUMP: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"(?im)(?:^|[\s,;(])(?:current[ _])?value\s*[:=]\s*([-+]?[0-9][0-9.,]*(?:[eE][-+]?[0-9]+)?|[-+]?Inf|NaN)")
});
static JOINED: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(-)?(?:(\d+)d\s*)?(?:(\d+)h\s*)?(?:(\d+)m\s*)?(\d+(?:\.\d+)?)s\b"));

/// Words before a number that make it a threshold.
const LIMITS: [&str; 26] = [
    "above",
    "below",
    "over",
    "under",
    "than",
    "exceeds",
    "exceeded",
    "exceeding",
    "exceed",
    "least",
    "most",
    "limit",
    "threshold",
    ">",
    "<",
    ">=",
    "<=",
    "≥",
    "≤",
    "超过",
    "低于",
    "高于",
    "大于",
    "小于",
    "阈值",
    "达到",
];
/// Words before a time that say how long something was looked at.
const SPANS: [&str; 14] =
    ["last", "past", "for", "within", "in", "over", "every", "after", "最近", "过去", "持续", "近", "连续", "每"];
/// Words before a number that make it the value.
const NOW: [&str; 12] =
    ["currently", "current", "now", "is at", "at", "value", "当前", "现值", "当前值", "目前", "现在", "实际"];
/// Words that may stand between those and the number.
const LINKS: [&str; 16] =
    ["of", "is", "the", "a", "to", "by", "was", "=", ":", "：", "为", "了", "是", "值", "约", "has"];

/// The text of a person's sentences, without dumps and with the values of labels masked, so that no number of theirs is
/// taken for a value.
fn prose(alert: &Alert) -> String {
    let all = said::all(&alert.annotations);
    if !all.bytes().any(|byte| byte.is_ascii_digit()) {
        return String::new();
    }
    let mut text = said::cut(&all).into_owned();
    let mut values: Vec<&EcoString> =
        alert.labels.values().filter(|value| value.chars().any(|c| c.is_ascii_digit())).collect();
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    for value in values.into_iter().take(200).filter(|value| value.len() < 256) {
        if text.contains(value.as_str()) {
            text = masked(&text, value);
        }
        if let Some((host, _)) = value.rsplit_once(':').filter(|(host, _)| host.len() > 3 && text.contains(host)) {
            text = masked(&text, host);
        }
    }
    text
}

/// `text` with `value` masked where it stands as a word of its own.
fn masked(text: &str, value: &str) -> String {
    let inside = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_'));
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (at, _) in text.match_indices(value) {
        let behind = &text[at + value.len()..];
        let goes_on = inside(behind.chars().next()) && !behind.starts_with(". ") && !behind.ends_with('.');
        let percent = behind.trim_start().starts_with('%');
        if at < from || inside(text[..at].chars().next_back()) || goes_on || percent {
            continue;
        }
        out.push_str(&text[from..at]);
        out.push('…');
        from = at + value.len();
    }
    out.push_str(&text[from..]);
    out
}

fn number(digits: &str) -> Option<f64> {
    digits.replace(',', "").parse().ok()
}

/// A number in a text, and what stands before it.
struct Placed {
    printed: Printed,
    limit: bool,
    now: bool,
}

/// `milli`: `370m` is 0.37, as `humanize` prints it; where times are measured it would be minutes.
fn placed(text: &str, ratio: bool, milli: bool) -> Vec<Placed> {
    let mut all = Vec::new();
    let mut from = 0;
    while let Some(found) = NUMBER.find_at(text, from) {
        let (before, behind) = (&text[..found.start()], &text[found.end()..]);
        from = found.end();
        let joins = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '.' | '#' | '…' | '-');
        let signed = found.as_str().starts_with(['-', '+']);
        if before.chars().next_back().is_some_and(|last| joins(last) || (last == ':' && !before.ends_with("：")))
            && !(signed && before.ends_with(' '))
        {
            continue;
        }
        if let Some(times) = JOINED.captures(&text[found.start()..]).filter(|times| {
            times.get(0).is_some_and(|whole| whole.start() == 0 && whole.as_str().contains(['d', 'h', 'm']))
        }) {
            let part = |at: usize| times.get(at).and_then(|part| part.as_str().parse::<f64>().ok()).unwrap_or_default();
            let seconds = part(2) * 86_400.0 + part(3) * 3600.0 + part(4) * 60.0 + part(5);
            let raw = times[0].to_owned();
            from = found.start() + raw.len();
            let unit = Some(Unit::of(UnitKind::Second, 1.0));
            let (limit, now) = standing(before, true);
            all.push(Placed { printed: Printed { raw, number: Some(seconds), unit }, limit, now });
            continue;
        }
        let Some(mut value) = number(found.as_str()) else { continue };
        let Some(mut unit) = unit_behind(behind, milli) else { continue };
        if let Some((factor, _)) = unit.1 {
            value *= factor;
        }
        if ratio && unit.0.as_ref() == Some(&Unit::RATIO) {
            unit.0 = None;
        }
        // `in the last 15m`: there it is a time after all.
        let minutes = matches!(unit.1, Some((_, MILLI)));
        let timed = minutes || unit.0.as_ref().is_some_and(|unit| unit.kind == UnitKind::Second);
        let (limit, now) = standing(before, timed);
        let within =
            timed && behind.trim_start().trim_start_matches(|c: char| c.is_alphabetic() && c != '内').starts_with('内');
        let raw = found.as_str().replace(',', "");
        all.push(Placed { printed: Printed { raw, number: Some(value), unit: unit.0 }, limit: limit || within, now });
    }
    all
}

/// A thousandth, or a minute.
const MILLI: &str = "m";
/// Prefixes that `humanize` puts behind a number.
const HUMANIZED: [(&str, f64); 9] = [
    (MILLI, 1e-3),
    ("ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
];

type Behind = (Option<Unit>, Option<(f64, &'static str)>);

/// The unit at the start of `behind`; `None` where the number is a part of a word (`5xx`, `99th`).
fn unit_behind(behind: &str, milli: bool) -> Option<Behind> {
    let glued = !behind.starts_with(' ');
    let rest = behind.trim_start_matches(' ');
    let ends = |name: &str| {
        let after = rest[name.len()..].chars().next();
        let latin = name.ends_with(|c: char| c.is_ascii_alphabetic());
        !(latin && after.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_'))
    };
    let fitting = |name: &&str| rest.starts_with(*name) && ends(name);
    let known = NAMES.iter().filter(|(name, ..)| fitting(name)).max_by_key(|(name, ..)| name.len());
    if let Some((_, kind, scale, per_second)) = known {
        return Some((Some(Unit { kind: kind.clone(), scale: *scale, per_second: *per_second }), None));
    }
    if let Some(name) = COUNTED.iter().find(|name| rest.starts_with(**name)) {
        return Some((Unit::named(name), None));
    }
    if glued && rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        let fits = |name: &str| rest.starts_with(name) && ends(name) && (milli || name != MILLI);
        let prefix = HUMANIZED.iter().find(|(name, _)| fits(name));
        return prefix.map(|(name, factor)| (None, Some((*factor, *name))));
    }
    Some((None, None))
}

/// Bytes before a number that are looked at: the longest words of the lists, a few in a row.
const NEAR: usize = 96;

/// Is the number behind `before` a threshold or a span, and is it said to be the current one?
fn standing(before: &str, timed: bool) -> (bool, bool) {
    let mut rest = before[before.ceil_char_boundary(before.len().saturating_sub(NEAR))..].trim_end();
    let lower = rest.to_lowercase();
    if lower.len() == rest.len() {
        rest = &lower;
    }
    for _ in 0..4 {
        let ends = |word: &&str| {
            rest.ends_with(*word) && {
                let first = rest[..rest.len() - word.len()].chars().next_back();
                let latin = word.starts_with(|c: char| c.is_ascii_alphabetic());
                !(latin && first.is_some_and(char::is_alphanumeric))
            }
        };
        let now = NOW.iter().filter(|word| ends(word)).any(|word| *word != "at" || !rest.ends_with("least"));
        if timed && SPANS.iter().any(ends) {
            return (true, false);
        }
        if LIMITS.iter().any(ends) {
            return (true, false);
        }
        if now {
            return (false, true);
        }
        let Some(link) = LINKS.iter().find(|word| ends(word)) else { break };
        rest = rest[..rest.len() - link.len()].trim_end();
        // 7 of 9: a total.
        if *link == "of" && rest.ends_with(|c: char| c.is_ascii_digit() || c == '…') {
            return (true, false);
        }
    }
    (false, false)
}

/// All numbers of the sentences, in their order.
pub(super) fn numbers(alert: &Alert) -> Vec<Printed> {
    placed(&prose(alert), false, false).into_iter().filter(|one| !one.limit).map(|one| one.printed).collect()
}

/// `VALUE = 86.3`, as templates put it behind a description, or in an annotation of its own.
pub(super) fn behind_value(alert: &Alert) -> Option<Printed> {
    const NAMES: [&str; 6] = ["value", "Value", "current_value", "currentValue", "当前值", "现值"];
    let annotated = NAMES.iter().filter_map(|name| alert.annotations.get(name)).map(|text| Printed::of(text));
    if let Some(printed) = annotated.into_iter().find(|printed| printed.number.is_some()) {
        return Some(printed);
    }
    let text = said::all(&alert.annotations);
    let found = DUMP.captures_iter(&text).last()?;
    let raw = found[1].trim_end_matches(['.', ',']).to_owned();
    let at = found.get(1).map_or(0, |digits| digits.start() + raw.len());
    let number = number(&raw.replace("Inf", "inf"))?;
    let unit = unit_behind(&text[at..], false).and_then(|(unit, _)| unit);
    Some(Printed { raw, number: Some(number), unit })
}

/// The value that the sentences print: the one that they call current, else the only one for which the rule fires.
/// `None` where that cannot be told.
pub(super) fn in_prose(alert: &Alert, rule: Option<&Rule>) -> Option<Printed> {
    let ratio = rule.and_then(|rule| rule.unit.as_ref()).is_some_and(|unit| *unit == Unit::RATIO);
    let untimed = rule
        .and_then(|rule| rule.unit.as_ref())
        .is_some_and(|unit| !matches!(unit.kind, UnitKind::Second | UnitKind::Instant));
    let mut all: Vec<Placed> = placed(&prose(alert), ratio, untimed).into_iter().filter(|one| !one.limit).collect();
    let fits = |one: &Placed| rule.is_none_or(|rule| rule.bounds().is_empty() || satisfies(&one.printed, rule));
    let current: Vec<&Placed> = all.iter().filter(|one| one.now && fits(one)).collect();
    if let [one] = current[..] {
        return Some(one.printed.clone());
    }
    let rule = rule.filter(|rule| !rule.bounds().is_empty())?;
    all.retain(|one| satisfies(&one.printed, rule));
    all.dedup_by(|a, b| a.printed == b.printed);
    match &all[..] {
        [one] => Some(one.printed.clone()),
        _ => None,
    }
}

/// Does the rule fire for the printed number? One with a unit is turned into that of the measure.
fn satisfies(printed: &Printed, rule: &Rule) -> bool {
    let Some(number) = printed.number else { return false };
    match (&printed.unit, &rule.unit) {
        (Some(printed), Some(measured)) if printed.kind == measured.kind => {
            rule.holds(number * printed.scale / measured.scale)
        }
        // A time cannot be a count of requests.
        (Some(printed), Some(measured))
            if printed.kind != UnitKind::Ratio
                && !measured.is_plain()
                && !matches!(printed.kind, UnitKind::Named(_) | UnitKind::Count) =>
        {
            false
        }
        // A part of a whole is at most the whole: a larger number without a percent sign is something else.
        (None, Some(measured))
            if *measured == Unit::RATIO && rule.bounds().iter().all(|bound| bound.limit.abs() <= 1.0) =>
        {
            number.abs() <= 1.0 && rule.holds(number)
        }
        _ => rule.holds(number),
    }
}

/// The sign of the unit that stands behind `number` in the sentences, to three digits.
pub(super) fn sign_behind(alert: &Alert, number: f64) -> Option<Unit> {
    let found = placed(&prose(alert), false, false).into_iter().filter(|one| !one.limit);
    found.filter(|one| one.printed.number.is_some_and(|it| near(it, number))).find_map(|one| one.printed.unit)
}

/// Do the sentences print `number`, to three digits?
pub(super) fn prints(alert: &Alert, number: f64) -> bool {
    placed(&prose(alert), false, false)
        .iter()
        .any(|one| !one.limit && one.printed.raw.len() >= 2 && one.printed.number.is_some_and(|it| near(it, number)))
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 0.005 * a.abs().max(b.abs())
}

/// Does `text` name `name` as a word? A single letter is no name.
pub(super) fn names(text: &str, name: &str) -> bool {
    let (text, name) = (text.to_lowercase(), name.to_lowercase());
    let is_word = |at: usize| {
        let latin = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
        !latin(text[..at].chars().next_back()) && !latin(text[at + name.len()..].chars().next())
    };
    name.chars().count() >= 2 && text.match_indices(&name).any(|(at, _)| is_word(at))
}
