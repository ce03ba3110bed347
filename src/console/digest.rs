//! The page of a digest: every folded alert, two hundred a page, by rule.
//!
//! Pages follow one another by a key, so one page costs the same wherever it is, and a link to it stays right.

use askama::Template;

use super::frame::Frame;
use super::letter::{Fact, One, Ways, moment, one_line};
use super::words;
use crate::alert::{Status, ThreadId, level_label};
use crate::level::Level;
use crate::render::{Clock, grade, number};
use crate::store::{Digest, DigestGroup, DigestItem, DigestKey};
use crate::subject::{self, Group as Parts, Member, Sighting, Subject, Taught};
use crate::words::Words;

/// Alerts on one page: read on a phone, and small enough for a slow line.
pub const PAGE_ITEMS: usize = 200;
/// Rules that are listed above them.
const CONTENTS: usize = 60;
/// Up to so many rules the list is open.
const FEW: usize = 8;
/// Labels shown of one alert; a person looks for one of a few.
const LABELS: usize = 40;
/// Bytes shown of one label.
const LABEL_BYTES: usize = 400;

/// What is shown.
#[derive(Debug)]
pub struct Turn<'a> {
    /// The totals and rules; its own items are not used.
    pub digest: &'a Digest,
    /// The id a person searches for.
    pub thread: ThreadId,
    /// The alert before the first one of this page; `None` on the first page.
    pub after: Option<&'a DigestKey>,
    /// The alerts from there on, in the order of [`DigestKey`]: one more than a page has, if there is one more.
    pub items: &'a [DigestItem],
    /// What the configuration teaches about their labels.
    pub taught: &'a Taught,
    /// The query that proves the link, without a key: `until=…&s=…`.
    pub proof: &'a str,
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "console/digest.html")]
pub struct DigestPage<'a> {
    f: Frame<'a>,
    thread: String,
    heading: String,
    span: String,
    contents: Vec<Rule>,
    contents_title: String,
    contents_open: bool,
    contents_more: String,
    groups: Vec<Group>,
    ways: Ways,
}

/// A rule in the list above the alerts.
#[derive(Debug)]
struct Rule {
    name: String,
    level: &'static str,
    counts: String,
    href: String,
}

/// Alerts of a rule.
#[derive(Debug)]
struct Group {
    name: String,
    level: &'static str,
    grade: String,
    about: String,
    alerts: Vec<One>,
}

pub fn digest_page<'a>(f: Frame<'a>, clock: &Clock<'_>, turn: &Turn<'_>) -> DigestPage<'a> {
    let Turn { digest, proof, .. } = turn;
    let say = |words: Words| f.say(words).into_owned();
    let language = f.language.as_str();
    let shown = &turn.items[..turn.items.len().min(PAGE_ITEMS)];
    let href = |key: &DigestKey| format!("?{proof}&{}&lang={language}", query(key));
    let ways = Ways {
        first: turn.after.map(|_| format!("?{proof}&lang={language}")),
        after: shown.last().filter(|_| turn.items.len() > PAGE_ITEMS).map(|last| href(&DigestKey::of(last))),
    };
    let contents: Vec<Rule> = digest.groups.iter().take(CONTENTS).map(|rule| of_rule(rule, &say, &href)).collect();
    let beyond = digest.groups.len().saturating_sub(CONTENTS) as u64 + digest.other.groups;
    let mut groups: Vec<Group> = Vec::new();
    let apart = |a: &DigestItem, b: &DigestItem| {
        let key = |item: &DigestItem| (DigestKey::of(item).over, item.critical);
        a.name == b.name && key(a) == key(b)
    };
    for items in shown.chunk_by(apart) {
        groups.push(group(&f, clock, items, turn.taught));
    }
    DigestPage {
        thread: turn.thread.to_string(),
        heading: say(words::digest_heading(digest.firing, digest.critical, digest.resolved)),
        span: say(words::digest_span(
            clock.range(digest.from, digest.to).as_str(),
            &number(digest.all()),
            &number(digest.transitions),
        )),
        contents_title: say(words::rules(contents.len() as u64 + beyond)),
        contents_open: contents.len() <= FEW,
        contents_more: if beyond > 0 { say(words::more_rules(beyond)) } else { String::new() },
        contents: if contents.len() > 1 { contents } else { Vec::new() },
        groups,
        ways,
        f,
    }
}

fn of_rule(rule: &DigestGroup, say: &impl Fn(Words) -> String, href: &impl Fn(&DigestKey) -> String) -> Rule {
    let key = DigestKey { over: rule.firing == 0, minor: !rule.critical, name: rule.name.clone(), alert: 0 };
    Rule {
        name: one_line(&rule.name),
        level: class(rule.critical, &rule.severity),
        counts: say(words::rule_counts(rule.firing, rule.resolved)),
        href: href(&key),
    }
}

/// A key as part of an address: `over=0&minor=1&rule=…&id=7`.
fn query(key: &DigestKey) -> String {
    let rule: String = form_urlencoded::byte_serialize(key.name.as_bytes()).collect();
    format!("over={}&minor={}&id={}&rule={rule}", key.over, key.minor, key.alert)
}

fn class(critical: bool, severity: &str) -> &'static str {
    if critical { "critical" } else { Level::of(severity).map_or("unknown", words::class_of) }
}

/// Alerts of one rule that stand one after the other.
fn group(f: &Frame<'_>, clock: &Clock<'_>, items: &[DigestItem], taught: &Taught) -> Group {
    let subjects: Vec<Subject> =
        items.iter().map(|item| subject::beside(&item.name, &sighting(item, taught))).collect();
    let members: Vec<Member<'_>> = items
        .iter()
        .zip(&subjects)
        .map(|(item, subject)| Member { of: sighting(item, taught), subject, state: 0, grade: 0, worse: None })
        .collect();
    let Parts { head, rows } = subject::group(&members);
    let mut texts = vec![String::new(); items.len()];
    for row in rows {
        for at in row.members {
            texts[at] = if row.text.is_empty() { subject::text(&subjects[at].object) } else { row.text.to_string() };
        }
    }
    let mut about: Vec<String> = Vec::new();
    about.extend((items.len() > 1).then(|| subject::text(&head.object)));
    about.push(subject::text(&head.qualifier));
    about.extend(subject::places(&head.place));
    about.retain(|text| !text.is_empty());
    let said = level_label(&items[0].labels).unwrap_or_default();
    Group {
        name: one_line(&items[0].name),
        level: class(items[0].critical, said),
        grade: grade(Level::of(said), said, f.language).to_owned(),
        about: about.join(" · "),
        alerts: items.iter().zip(texts).map(|(item, text)| one(f, clock, item, text)).collect(),
    }
}

fn sighting<'a>(item: &'a DigestItem, taught: &'a Taught) -> Sighting<'a> {
    Sighting { labels: &item.labels, said: "", expression: "", taught }
}

fn one(f: &Frame<'_>, clock: &Clock<'_>, item: &DigestItem, object: String) -> One {
    let (class, state) = match item.status {
        Status::Firing => ("firing", words::FIRING),
        Status::Resolved => ("resolved", words::RESOLVED),
        Status::Notice => ("notice", words::NOTICE),
    };
    let end = item.ends_at.filter(|_| item.status == Status::Resolved);
    let when = match (item.status, item.starts_at, end) {
        (Status::Firing, Some(start), _) => clock.since(start),
        (Status::Resolved, Some(start), Some(end)) => clock.lasted(start, end),
        (Status::Resolved, None, Some(end)) => clock.ended(end),
        (_, Some(start), _) => clock.time(start).unwrap_or_default(),
        _ => String::new(),
    };
    let short = |text: &str| text[..text.floor_char_boundary(LABEL_BYTES)].to_owned();
    let facts = item.labels.iter().take(LABELS).map(|(name, text)| Fact { name: short(name), text: short(text) });
    One {
        class,
        state: f.say(state).into_owned(),
        object,
        values: Vec::new(),
        place: String::new(),
        when,
        moment: moment(item.starts_at.or(end)),
        owner: String::new(),
        changes: if item.changes > 1 { f.say(words::changes(item.changes)).into_owned() } else { String::new() },
        line: String::new(),
        detail: String::new(),
        steps: Vec::new(),
        evidence: String::new(),
        links: Vec::new(),
        facts: facts.collect(),
    }
}
