//! Which way an alert takes, what it would look like, who sends, and how a body is read.

use std::collections::BTreeMap;

use askama::Template;

use super::acts::Said;
use super::desk::Desk;
use super::frame::Frame;
use super::letter::{Fact, moment, one_line};
use super::phone::{self, Phone};
use super::words;
use crate::alert::Timestamp;
use crate::ingest::{Explained, Unknown};
use crate::preview::Preview;
use crate::render::Clock;
use crate::route::{Blocked, Branching, Decision, Unreachable};
use crate::store::DeliveryRow;
use crate::words::Words;

/// Alerts of a body that are shown as they are read.
const ALERTS: usize = 5;
/// Lines of a body that are listed.
const LEAVES: usize = 200;
/// Routes below this depth are drawn at it.
const DEPTH: usize = 6;
/// Notifications that are listed for each source.
const LATEST: usize = 5;

/// Which way an alert takes.
#[derive(Debug, Template)]
#[template(path = "console/routes.html")]
pub struct RoutesPage<'a> {
    f: Frame<'a>,
    desk: Desk,
    label: String,
    from: String,
    said: String,
    ways: Vec<Way>,
    tree: Vec<Node>,
    blocked: Vec<Fact>,
    previews: Vec<Shown>,
}

/// A route.
#[derive(Debug)]
struct Node {
    /// How deep it is: a class for each.
    depth: usize,
    conditions: String,
    receiver: String,
    /// Alerts of its receiver in the last 7 days.
    week: String,
    goes_on: bool,
    /// The alert in question goes this way.
    taken: bool,
    blocked: bool,
}

/// A receiver of an alert.
#[derive(Debug)]
struct Way {
    receiver: String,
    path: String,
    lanes: String,
}

/// A message that would be sent.
#[derive(Debug)]
pub(super) struct Shown {
    pub title: String,
    pub problems: Vec<String>,
    pub parts: Vec<Part>,
    pub json: String,
}

/// A part of it: as the phone draws it, if WeCom does, and its text as it is sent.
#[derive(Debug)]
pub(super) struct Part {
    pub drawn: Option<Phone>,
    pub text: String,
}

pub(super) fn shown(f: &Frame<'_>, made: &Preview) -> Shown {
    let path = match &made.path {
        Some(path) if path.is_empty() => f.say(words::BY_ROOT).into_owned(),
        Some(path) => path.join(" → "),
        None => String::new(),
    };
    let mut title = format!("{} → {} · {} · {}/{}", made.receiver, made.lane, made.face, made.used, made.allowed);
    if !path.is_empty() {
        title = format!("{title} · {path}");
    }
    let requests: Vec<String> = made.requests.iter().map(|request| format!("{request:#}")).collect();
    let part = |(request, text)| Part { drawn: phone::draw(request, f.language), text };
    let parts = made.requests.iter().zip(made.texts()).map(part).collect();
    Shown { title, problems: made.problems.clone(), parts, json: requests.join("\n") }
}

impl<'a> RoutesPage<'a> {
    /// `said`: what cannot be understood of the question.
    #[expect(clippy::too_many_arguments, reason = "each is a part of the page")]
    pub fn new(
        f: Frame<'a>,
        desk: Desk,
        label: String,
        from: String,
        said: Option<Words>,
        ways: &[(Decision<'_>, Vec<String>)],
        nodes: &[Branching<'_>],
        week: &BTreeMap<String, u64>,
        blocked: &[Unreachable],
        previews: &[Preview],
    ) -> Self {
        let say = |words: Words| f.say(words).into_owned();
        let tree = nodes.iter().map(|node| Node {
            depth: node.path.len().min(DEPTH),
            conditions: if node.path.is_empty() { say(words::ROOT) } else { node.matchers.join("  ") },
            receiver: node.receiver.to_owned(),
            week: say(words::week_of(week.get(node.receiver).copied().unwrap_or_default())),
            goes_on: node.continues,
            taken: ways.iter().any(|(decision, _)| decision.path.last().map_or("", String::as_str) == node.step),
            blocked: blocked.iter().any(|one| one.path == node.path),
        });
        let tree = tree.collect();
        let ways = ways.iter().map(|(decision, lanes)| Way {
            receiver: decision.receiver.to_owned(),
            path: if decision.path.is_empty() { say(words::BY_ROOT) } else { decision.path.join(" → ") },
            lanes: lanes.join(", "),
        });
        let route = |path: &[usize]| path.iter().map(|at| format!("routes[{at}]")).collect::<Vec<_>>().join(".");
        let blocked = blocked.iter().map(|one| Fact {
            name: route(&one.path),
            text: match &one.why {
                Blocked::Contradiction => say(words::CONTRADICTION),
                Blocked::Taken(by) => say(words::taken_by(&route(by))),
                Blocked::TakenTogether => say(words::TAKEN_TOGETHER),
            },
        });
        let (ways, blocked) = (ways.collect(), blocked.collect());
        let previews = previews.iter().map(|made| shown(&f, made)).collect();
        Self { said: said.map(say).unwrap_or_default(), ways, tree, blocked, previews, label, from, desk, f }
    }
}

/// Who sends alerts.
#[derive(Debug, Template)]
#[template(path = "console/senders.html")]
pub struct SendersPage<'a> {
    f: Frame<'a>,
    desk: Desk,
    senders: Vec<Sender>,
    /// May the reader look at bodies?
    raw: bool,
}

#[derive(Debug)]
struct Sender {
    name: String,
    heard: String,
    refused: Vec<Fact>,
    latest: Vec<Latest>,
}

#[derive(Debug)]
struct Latest {
    notification: i64,
    thread: String,
    name: String,
    when: String,
    moment: String,
}

/// What is known of a sender.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    pub name: String,
    /// When its last call was taken.
    pub last: Option<Timestamp>,
    /// The refusals, oldest first: when, and why.
    pub refused: Vec<(Timestamp, String, Words)>,
}

impl<'a> SendersPage<'a> {
    /// With the messages of the last day, newest first.
    pub fn new(f: Frame<'a>, desk: Desk, clock: &Clock<'_>, heard: &[Heard], rows: &[DeliveryRow], raw: bool) -> Self {
        let time = |at: Timestamp| clock.time(at).unwrap_or_default();
        let senders = heard.iter().map(|heard| {
            let mut latest: Vec<Latest> = Vec::new();
            for row in rows.iter().filter(|row| row.act.is_none() && *row.source.stored() == heard.name) {
                if latest.len() < LATEST && latest.iter().all(|known| known.notification != row.notification) {
                    latest.push(Latest {
                        notification: row.notification,
                        thread: row.thread.to_string(),
                        name: if row.name.is_empty() { format!("#{}", row.thread) } else { one_line(&row.name) },
                        when: clock.ago(row.created_at),
                        moment: moment(Some(row.created_at)),
                    });
                }
            }
            let newest = rows.iter().find(|row| *row.source.stored() == heard.name).map(|row| row.created_at);
            let last = heard.last.max(newest);
            let refused = heard
                .refused
                .iter()
                .rev()
                .map(|(at, path, why)| Fact { name: time(*at), text: format!("{path} {}", why.get(f.language)) });
            Sender {
                name: if heard.name.is_empty() { f.say(words::STRANGERS).into_owned() } else { one_line(&heard.name) },
                heard: last.map_or_else(|| f.say(words::NOT_HEARD).into_owned(), |at| clock.ago(at)),
                refused: refused.collect(),
                latest,
            }
        });
        let senders = senders.collect();
        Self { f, desk, senders, raw }
    }
}

/// How a stored body is read, and a mapping that reads it better.
#[derive(Debug, Template)]
#[template(path = "console/mapping.html")]
pub struct MappingPage<'a> {
    f: Frame<'a>,
    desk: Desk,
    notification: i64,
    draft: MappingDraft,
    /// Where it can be saved.
    folders: Vec<String>,
    said: Option<Said>,
    by: String,
    alerts: Vec<Vec<Fact>>,
    leaves: Vec<Fact>,
    previews: Vec<Shown>,
    tried: String,
    unknown: Vec<(String, String, String)>,
}

/// A mapping as it stands in the form.
#[derive(Debug, Clone, Default)]
pub struct MappingDraft {
    pub text: String,
    /// The file's name without `.yaml`; empty: not chosen yet.
    pub name: String,
    /// The folder it is saved in.
    pub folder: String,
    /// The mark of the file that the person saw; empty: there was none.
    pub seen: String,
    /// Names in the text that the body does not have.
    pub unknown: Vec<Unknown>,
}

/// What a mapping made of the last bodies of the same sender.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tried {
    pub bodies: usize,
    /// Of these, read by the mapping.
    pub taken: usize,
    /// Alerts that are over.
    pub over: usize,
    /// Keys that stand for alerts with different names.
    pub confused: usize,
}

impl<'a> MappingPage<'a> {
    /// Of a body's `leaves`. `tried` without `explained`: the mapping has mistakes, which `said` names.
    #[expect(clippy::too_many_arguments, reason = "each is a part of the page")]
    pub fn new(
        f: Frame<'a>,
        desk: Desk,
        notification: i64,
        draft: MappingDraft,
        said: Option<(bool, Words)>,
        explained: Option<&Explained>,
        leaves: &[(String, String)],
        previews: &[Preview],
        tried: Option<Tried>,
        folders: Vec<String>,
    ) -> Self {
        let say = |words: Words| f.say(words).into_owned();
        let alerts = explained.map(|explained| explained.notification.alerts.as_slice()).unwrap_or_default();
        let alerts = alerts.iter().take(ALERTS).map(|alert| {
            let fact = |name, text: &str| Fact { name: say(name), text: one_line(text) };
            let mut facts = vec![
                fact(words::FIELD_NAME, &alert.name),
                fact(words::STATE, alert.status.as_str()),
                fact(words::FIELD_LEVEL, alert.level().map_or("-", crate::level::Level::as_str)),
                fact(words::FIELD_KEY, Some(alert.discriminator.as_str()).filter(|key| !key.is_empty()).unwrap_or("-")),
            ];
            facts.extend(
                alert.labels.iter().map(|(name, value)| Fact { name: name.to_string(), text: one_line(value) }),
            );
            facts
        });
        let alerts = alerts.collect();
        let leaves = leaves.iter().take(LEAVES).map(|(path, value)| Fact { name: path.clone(), text: one_line(value) });
        let line = |known: &Unknown| {
            let nearest = known.nearest.as_ref().map(|nearest| say(words::is_it(nearest))).unwrap_or_default();
            (say(words::in_line(known.line)), known.name.clone(), nearest)
        };
        Self {
            notification,
            unknown: draft.unknown.iter().map(line).collect(),
            draft,
            folders,
            by: explained.map(|explained| explained.by.clone()).unwrap_or_default(),
            said: said.map(|(good, text)| Said { good, text: say(text) }),
            alerts,
            leaves: leaves.collect(),
            previews: previews.iter().map(|made| shown(&f, made)).collect(),
            tried: tried.map(|tried| say(words::tried(tried))).unwrap_or_default(),
            desk,
            f,
        }
    }
}
