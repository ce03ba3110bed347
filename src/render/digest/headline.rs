//! The first line of a digest, and the one below it.

use super::super::fit::cut_chars;
use super::super::words::{Clock, Weight, brackets, number, pick};
use super::tally::{FLAPPING, Tally};
use crate::config::Language;
use crate::store::Digest;

/// From this number of alerts on it is a storm, in which they are not read one by one.
const STORM: u64 = 50;
/// Characters of the rule's name, in order of preference.
const NAME: [usize; 9] = [80, 60, 50, 40, 32, 26, 20, 16, 12];
/// Characters of the object or the place beside it; of a longer one a part says too little.
const ABOUT: usize = 40;
/// Labels that all alerts share, shown below the headline.
const SCOPE: usize = 3;

/// Sign, word and subject.
pub(super) struct Headline {
    /// `🔴 告警风暴：2 分钟内 1,284 条（critical 3）`.
    pub(super) title: String,
    /// `告警风暴`.
    pub(super) word: &'static str,
    /// `2 分钟内 1,284 条（critical 3）`.
    pub(super) subject: String,
    /// `critical 3`, if the title had no room for it.
    pub(super) aside: String,
    /// The object or the place that the title names.
    pub(super) about: String,
    pub(super) icon: &'static str,
}

/// The detail of a headline.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fullness {
    /// Also the object or the place of a rule alone.
    Placed,
    /// Also the numbers of critical and of resolved alerts.
    Everything,
    NoAside,
    /// The number of alerts, and the rule of the gravest.
    OneName,
    /// Only the number of alerts.
    Bare,
}

impl Headline {
    /// The most detailed headline whose two forms, with sign and with the word in brackets, both satisfy `holds`.
    pub(super) fn of(digest: &Digest, tally: &Tally, clock: &Clock<'_>, holds: impl Fn(&str) -> bool) -> Self {
        let lengths = |fullness| NAME.into_iter().map(move |name| (name, fullness));
        // A place goes before a part of the rule's name does.
        let placed = (NAME[0], Fullness::Placed);
        let placed = Some(placed).filter(|_| tally.name.chars().count() <= NAME[0] && !about(digest, tally).is_empty());
        let shapes = placed
            .into_iter()
            .chain(lengths(Fullness::Everything))
            .chain(lengths(Fullness::NoAside))
            .chain(lengths(Fullness::OneName))
            .chain(lengths(Fullness::Bare));
        let mut headlines = shapes.map(|(name, fullness)| Self::at(digest, tally, clock, name, fullness));
        let fits =
            |headline: &Self| holds(&headline.title) && holds(&format!("[{}] {}", headline.word, headline.subject));
        headlines.find(fits).unwrap_or_else(|| Self::at(digest, tally, clock, NAME[NAME.len() - 1], Fullness::Bare))
    }

    fn at(digest: &Digest, tally: &Tally, clock: &Clock<'_>, length: usize, fullness: Fullness) -> Self {
        let language = clock.language;
        let (on, kind) = (digest.firing > 0, Kind::of(digest, tally));
        let name = cut_chars(&tally.name, length);
        let about = if fullness == Fullness::Placed { about(digest, tally) } else { String::new() };
        let (lead, what) = said(kind, &name, &about, digest, tally, clock, fullness);
        let aside = asides(digest, tally, language);
        let told = matches!(fullness, Fullness::Placed | Fullness::Everything);
        let bracketed = if told && !aside.is_empty() { brackets(language, &aside) } else { String::new() };
        let word = match (on, kind) {
            (true, Kind::Storm) => pick(language, "告警风暴", "Alert storm"),
            (true, _) if digest.critical > 0 => tally.severity,
            (true, _) => match tally.weight {
                Weight::Red => pick(language, "告警", "ALERT"),
                Weight::Yellow => pick(language, "警告", "WARN"),
                Weight::Blue => pick(language, "提示", "INFO"),
            },
            (false, _) if digest.resolved == 0 => pick(language, "通知", "NOTE"),
            (false, _) => pick(language, "已恢复", "OK"),
        };
        // Before a name the sign alone shows the state, before a number it does not.
        let lead = match (kind, on, language) {
            (Kind::Several, true, Language::Zh) => "告警 ",
            _ => lead,
        };
        let over = match (on, digest.resolved) {
            (true, _) => "",
            (false, 0) => pick(language, "通知 ", "Notice: "),
            (false, _) => pick(language, "已恢复 ", "Resolved: "),
        };
        Self {
            title: format!("{} {over}{lead}{what}{bracketed}", icon(digest, tally)),
            word,
            subject: format!("{what}{bracketed}"),
            aside: if told { String::new() } else { aside },
            about,
            icon: icon(digest, tally),
        }
    }
}

/// The subject and, where the title needs it, its introduction.
fn said(
    kind: Kind,
    name: &str,
    about: &str,
    digest: &Digest,
    tally: &Tally,
    clock: &Clock<'_>,
    fullness: Fullness,
) -> (&'static str, String) {
    let language = clock.language;
    match kind {
        Kind::Flapping => ("", flapping(&beside(name, about), digest, fullness, language)),
        Kind::OneRule if digest.all() == 1 => ("", beside(name, about)),
        Kind::OneRule => ("", beside(&format!("{name} ×{}", number(main(digest))), about)),
        Kind::Storm if fullness == Fullness::Bare => ("", alerts(digest.firing, language)),
        Kind::Storm => (
            pick(language, "告警风暴：", "Alert storm: "),
            match language {
                Language::Zh => format!("{}{} 条", within(digest, clock), number(digest.firing)),
                Language::En => format!("{}{}", alerts(digest.firing, language), within(digest, clock)),
            },
        ),
        Kind::Several => {
            let count = count(main(digest), language);
            let colon = pick(language, "：", ": ");
            let names = match fullness {
                Fullness::OneName => format!("{name}{}", pick(language, " 等", ", …")),
                _ => names(name, tally.rules, language),
            };
            ("", if fullness == Fullness::Bare { count } else { format!("{count}{colon}{names}") })
        }
    }
}

fn beside(name: &str, about: &str) -> String {
    if about.is_empty() { name.to_owned() } else { format!("{name} · {about}") }
}

/// What the title of a rule alone names beside it: its only alert, the object that all share, else their narrowest place.
fn about(digest: &Digest, tally: &Tally) -> String {
    if !matches!(Kind::of(digest, tally), Kind::Flapping | Kind::OneRule) {
        return String::new();
    }
    let text = match tally.only() {
        Some(only) => only,
        None if tally.has_object => tally.scope.first().map_or("", String::as_str),
        None => tally.scope.last().map_or("", String::as_str),
    };
    Some(text)
        .filter(|text| text.chars().count() <= ABOUT && !tally.name.contains(*text))
        .unwrap_or_default()
        .to_owned()
}

/// `1,284 条`, after a word that says of what.
fn count(count: u64, language: Language) -> String {
    if language == Language::Zh { format!("{} 条", number(count)) } else { alerts(count, language) }
}

fn alerts(count: u64, language: Language) -> String {
    match (language, count) {
        (Language::Zh, _) => format!("{} 条告警", number(count)),
        (Language::En, 1) => "1 alert".to_owned(),
        (Language::En, _) => format!("{} alerts", number(count)),
    }
}

fn names(name: &str, rules: usize, language: Language) -> String {
    match (rules, language) {
        (0 | 1, _) => name.to_owned(),
        (_, Language::Zh) => format!("{name} 等 {} 条规则", number(rules as u64)),
        (2, Language::En) => format!("{name} and 1 more rule"),
        (_, Language::En) => format!("{name} and {} more rules", number(rules as u64 - 1)),
    }
}

fn flapping(name: &str, digest: &Digest, fullness: Fullness, language: Language) -> String {
    let times = number(digest.transitions);
    match (language, fullness == Fullness::Bare, digest.firing > 0) {
        (Language::Zh, true, _) => format!("{name} 变化 {times} 次"),
        (Language::Zh, false, true) => format!("{name} 反复变化 {times} 次，仍在告警"),
        (Language::Zh, false, false) => format!("{name} 反复变化 {times} 次"),
        (Language::En, true, _) => format!("{name} {times} changes"),
        (Language::En, false, true) => format!("{name} changed {times} times, still firing"),
        (Language::En, false, false) => format!("{name} changed {times} times"),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// One alert that fires and resolves repeatedly.
    Flapping,
    OneRule,
    Several,
    Storm,
}

impl Kind {
    fn of(digest: &Digest, tally: &Tally) -> Self {
        match (digest.all(), digest.transitions, tally.rules) {
            (1, FLAPPING.., _) => Self::Flapping,
            _ if digest.firing >= STORM => Self::Storm,
            (_, _, 0 | 1) => Self::OneRule,
            _ => Self::Several,
        }
    }
}

/// The number in the headline: of firing alerts, else of resolved ones, else of notices.
const fn main(digest: &Digest) -> u64 {
    match (digest.firing, digest.resolved) {
        (0, 0) => digest.notices,
        (0, resolved) => resolved,
        (firing, _) => firing,
    }
}

const fn icon(digest: &Digest, tally: &Tally) -> &'static str {
    match (digest.firing, tally.weight) {
        (0, _) if digest.resolved == 0 => "📨",
        (0, _) => "🟢",
        (_, Weight::Red) => "🔴",
        (_, Weight::Yellow) => "🟡",
        (_, Weight::Blue) => "🔵",
    }
}

/// The numbers of critical and of resolved alerts.
fn asides(digest: &Digest, tally: &Tally, language: Language) -> String {
    let mut words = Vec::new();
    // For a single alert this is shown below.
    if digest.critical > 0 && digest.firing > 1 {
        words.push(format!("{} {}", tally.severity, number(digest.critical)));
    }
    if digest.firing > 0 && digest.resolved > 0 {
        let over = number(digest.resolved);
        words.push(if language == Language::Zh { format!("已恢复 {over}") } else { format!("{over} resolved") });
    }
    if digest.notices > 0 && digest.firing + digest.resolved > 0 {
        let notices = number(digest.notices);
        words.push(if language == Language::Zh { format!("通知 {notices}") } else { format!("{notices} notices") });
    }
    words.join(pick(language, "，", ", "))
}

/// `2 分钟内 `, before the number in Chinese and after it in English; empty if a clock was wrong.
fn within(digest: &Digest, clock: &Clock<'_>) -> String {
    let at_least_a_minute = digest.from.plus_millis(digest.to.millis_since(digest.from).max(60_000));
    let span = clock.duration(digest.from, at_least_a_minute);
    match (clock.language, span.is_empty() || digest.to < digest.from) {
        (_, true) => String::new(),
        (Language::Zh, _) => format!("{}内 ", span.trim()),
        (Language::En, _) => format!(" within {span}"),
    }
}

/// The lines below the headline: place, time range, number of changes.
pub(super) fn facts(digest: &Digest, tally: &Tally, headline: &Headline, clock: &Clock<'_>) -> Vec<String> {
    let zh = clock.language == Language::Zh;
    let scope = tally.scope.iter().filter(|text| **text != headline.about).take(SCOPE);
    let mut facts: Vec<String> = scope.map(|text| cut_chars(text, 40).into_owned()).collect();
    facts.extend((!tally.since.is_empty()).then(|| tally.since.clone()));
    let range = clock.range(digest.from, digest.to);
    if !range.is_empty() {
        facts.push(if zh { format!("合并自 {range}") } else { format!("merged from {range}") });
    }
    let alerts = digest.all();
    // One change from firing to resolved is expected.
    if alerts > 1 && digest.transitions > 2 * alerts {
        let changes = number(digest.transitions);
        facts.push(if zh { format!("共 {changes} 次变化") } else { format!("{changes} changes in all") });
    }
    facts
}
