//! Silences in force, and which alerts somebody has.

use std::collections::BTreeMap;

use askama::Template;

use super::acts::{Said, Span, spans};
use super::desk::Desk;
use super::frame::Frame;
use super::letter::{moment, one_line};
use super::words;
use crate::alert::{Labels, ThreadId};
use crate::answer::Scope;
use crate::render::Clock;
use crate::store::{ActAlert, Silence};
use crate::upstream::{self, SilenceState};
use crate::words::Words;

/// A silence that ends so soon, and hides what is on, comes first.
const SOON_MS: i64 = 30 * 60_000;

/// Silences made from here.
#[derive(Debug, Template)]
#[template(path = "console/silences.html")]
pub struct SilencesPage<'a> {
    f: Frame<'a>,
    desk: Desk,
    heading: String,
    silences: Vec<Quiet>,
    taken_heading: String,
    taken: Vec<Taken>,
    upstreams: Vec<Place>,
    spans: Vec<Span>,
    /// May the reader make one from matchers?
    makes: bool,
    said: Vec<Said>,
}

/// A place where silences are.
#[derive(Debug)]
struct Place {
    href: String,
    text: String,
    on: bool,
}

/// An incident that somebody has.
#[derive(Debug)]
struct Taken {
    thread: String,
    name: String,
    size: usize,
    who: String,
    when: String,
    moment: String,
}

/// A silence in force, as it was found.
#[derive(Debug)]
pub struct Hushed {
    /// As it is on record.
    pub silence: Silence,
    /// Its conditions.
    pub conditions: String,
    /// How many of its alerts are still on.
    pub on: usize,
    /// It is the newest of its incident.
    pub newest: bool,
    /// The reader may change it. One of an incident shows who may when it is tried.
    pub change: bool,
}

/// A silence.
#[derive(Debug)]
struct Quiet {
    class: &'static str,
    until: String,
    moment: String,
    conditions: String,
    by: String,
    hides: String,
    thread: String,
    /// The act that made it.
    act: i64,
    newest: bool,
    /// May the reader change it?
    change: bool,
}

impl<'a> SilencesPage<'a> {
    /// Of `silences`, and of the alerts in `on`, which somebody has. `upstreams`: those that the reader may ask; `makes`: may
    /// the reader make one from matchers? `said`: what became of the form that was sent, for each silence.
    pub fn new(
        f: Frame<'a>,
        desk: Desk,
        clock: &Clock<'_>,
        (silences, on): (&[Hushed], &[ActAlert]),
        upstreams: &[&str],
        makes: bool,
        said: Vec<(bool, Words)>,
    ) -> Self {
        let say = |words: Words| f.say(words).into_owned();
        let quiet = |Hushed { silence, conditions, on, newest, change }: &Hushed| Quiet {
            class: if *on > 0 { "warning" } else { "info" },
            until: say(words::silenced_until(&clock.until(silence.until))),
            moment: moment(Some(silence.until)),
            conditions: conditions.clone(),
            by: format!("{} · {}", one_line(&silence.by), silence.upstream),
            hides: say(words::hides(*on)),
            thread: if silence.thread.0 == 0 { String::new() } else { silence.thread.to_string() },
            act: silence.act,
            newest: *newest,
            change: *change,
        };
        let mut order: Vec<&Hushed> = silences.iter().collect();
        // What will ring again soon comes first.
        let rings = |one: &Hushed| one.on > 0 && one.silence.until.millis_since(clock.now) < SOON_MS;
        order.sort_by_key(|one| (!rings(one), one.silence.until));
        let shown = order.into_iter().map(quiet).collect();
        let taken = taken(&f, clock, on);
        Self {
            heading: say(words::silences(silences.len())),
            taken_heading: say(words::acknowledgements(taken.len())),
            upstreams: places(&f, "", upstreams),
            spans: spans(f.language),
            makes,
            said: said.into_iter().map(|(good, words)| Said { good, text: say(words) }).collect(),
            silences: shown,
            taken,
            desk,
            f,
        }
    }
}

/// By incident, what somebody has had for longest first.
fn taken(f: &Frame<'_>, clock: &Clock<'_>, on: &[ActAlert]) -> Vec<Taken> {
    let mut by_thread: BTreeMap<i64, Vec<&ActAlert>> = BTreeMap::new();
    for alert in on {
        let of = by_thread.entry(alert.thread.0).or_default();
        if of.iter().all(|known| known.identity != alert.identity) {
            of.push(alert);
        }
    }
    let since =
        |of: &Vec<&ActAlert>| of.iter().filter_map(|alert| alert.acknowledged.as_ref()).map(|doer| doer.at).min();
    let mut all: Vec<Vec<&ActAlert>> = by_thread.into_values().collect();
    all.sort_by_key(since);
    let row = |of: Vec<&ActAlert>| {
        let mut who: Vec<String> =
            of.iter().filter_map(|alert| alert.acknowledged.as_ref()).map(|doer| one_line(&doer.by)).collect();
        who.sort();
        who.dedup();
        let at = since(&of);
        Taken {
            thread: of[0].thread.to_string(),
            name: one_line(&of[0].name),
            size: of.len(),
            who: f.say(words::has_it(&who.join(", "), None)).into_owned(),
            when: at.map(|at| clock.since(at)).unwrap_or_default(),
            moment: moment(at),
        }
    };
    all.into_iter().map(row).collect()
}

/// The ways to the silences of ours and of each upstream; `here`: the upstream that is shown.
fn places(f: &Frame<'_>, here: &str, upstreams: &[&str]) -> Vec<Place> {
    let place = |name: &str, text: String| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if !name.is_empty() {
            query.append_pair("upstream", name);
        }
        let query = query.append_pair("lang", f.language.as_str()).finish();
        Place { href: format!("{}silences?{query}", f.root), text, on: name == here }
    };
    if upstreams.is_empty() {
        return Vec::new();
    }
    let own = place("", f.say(words::MADE_HERE).into_owned());
    let of = upstreams.iter().map(|name| place(name, f.say(words::all_of(name)).into_owned()));
    std::iter::once(own).chain(of).collect()
}

/// A silence from matchers that are typed: first what it would hide, then the button.
#[derive(Debug, Template)]
#[template(path = "console/silence.html")]
pub struct NewSilencePage<'a> {
    f: Frame<'a>,
    desk: Desk,
    matchers: String,
    comment: String,
    upstreams: Vec<Choice>,
    /// How long: what is sent, what is shown, and whether it is chosen.
    spans: Vec<(String, String, bool)>,
    foreseen: Option<Foreseen>,
    said: Option<Said>,
}

/// An upstream to choose.
#[derive(Debug)]
struct Choice {
    name: String,
    chosen: bool,
}

/// What is typed.
#[derive(Debug, Clone, Default)]
pub struct NewSilence {
    /// Its matchers, each in a line.
    pub matchers: Vec<String>,
    /// The upstream; may be empty.
    pub upstream: String,
    /// For how long; may be empty.
    pub span: String,
    /// Why; may be empty.
    pub comment: String,
}

/// What it would hide.
#[derive(Debug)]
struct Foreseen {
    shown: String,
    lead: String,
    conditions: Vec<String>,
    before: String,
    count: String,
    after: String,
    alerts: Vec<Hidden>,
    more: String,
}

/// An alert that it would hide.
#[derive(Debug)]
struct Hidden {
    thread: String,
    name: String,
    labels: String,
}

impl<'a> NewSilencePage<'a> {
    /// Of what was `typed`. `foreseen`: what it would hide, and alerts of ours among it, once it can be made; `said`: what
    /// became of the form, or what is wrong with it.
    pub fn new(
        f: Frame<'a>,
        desk: Desk,
        typed: &NewSilence,
        upstreams: &[&str],
        foreseen: Option<(&Scope, &[ActAlert])>,
        said: Option<(bool, Words)>,
    ) -> Self {
        let usual = spans(f.language).into_iter();
        let mut spans: Vec<_> = usual.map(|span| (span.id.to_owned(), span.text.to_owned(), span.usual)).collect();
        // What an address asks for and the list does not have is one more choice.
        if upstream::Span::parse(&typed.span).is_ok() {
            for span in &mut spans {
                span.2 = span.0 == typed.span;
            }
            if spans.iter().all(|span| !span.2) {
                spans.insert(0, (typed.span.clone(), typed.span.clone(), true));
            }
        }
        let option = |name: &&str| Choice { name: (*name).to_owned(), chosen: *name == typed.upstream };
        Self {
            matchers: typed.matchers.join("\n"),
            comment: typed.comment.clone(),
            upstreams: upstreams.iter().map(option).collect(),
            spans,
            foreseen: foreseen.map(|(scope, alerts)| foresees(&f, scope, alerts)),
            said: said.map(|(good, words)| Said { good, text: f.say(words).into_owned() }),
            desk,
            f,
        }
    }
}

fn foresees(f: &Frame<'_>, scope: &Scope, alerts: &[ActAlert]) -> Foreseen {
    let say = |words: Words| f.say(words).into_owned();
    let [before, after] = words::hides_now(&scope.upstream, scope.by_upstream, scope.count);
    let hidden = |alert: &ActAlert| Hidden {
        thread: alert.thread.to_string(),
        name: one_line(&alert.name),
        labels: labels(&alert.labels_json),
    };
    Foreseen {
        shown: scope.fingerprint(),
        lead: say(words::would_hide(&scope.upstream)),
        conditions: scope.matchers.iter().map(|matcher| one_line(&matcher.to_string())).collect(),
        before: say(before),
        count: say(words::alerts(scope.count)),
        after: say(after),
        alerts: alerts.iter().map(hidden).collect(),
        more: if scope.count > alerts.len() as u64 { say(words::not_all(alerts.len())) } else { String::new() },
    }
}

/// The labels of an alert in one line, but for its name.
fn labels(json: &str) -> String {
    let labels: Labels = serde_json::from_str(json).unwrap_or_default();
    let pairs = labels.iter().filter(|(name, _)| name.as_str() != "alertname");
    one_line(&pairs.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "))
}

/// The silences of an upstream, whoever made them.
#[derive(Debug, Template)]
#[template(path = "console/elsewhere.html")]
pub struct ElsewherePage<'a> {
    f: Frame<'a>,
    desk: Desk,
    heading: String,
    upstreams: Vec<Place>,
    silences: Vec<There>,
    empty: String,
    wrong: String,
}

/// A silence upstream.
#[derive(Debug)]
struct There {
    until: String,
    moment: String,
    conditions: String,
    by: String,
    comment: String,
    /// The incident that it was made for by us; empty: it was made elsewhere.
    thread: String,
    pending: bool,
}

impl<'a> ElsewherePage<'a> {
    /// Of `name`; each with the incident that it was made for, if it was made by us, or why they cannot be told.
    pub fn new(
        f: Frame<'a>,
        desk: Desk,
        clock: &Clock<'_>,
        name: &str,
        upstreams: &[&str],
        found: Result<Vec<(Option<ThreadId>, upstream::Silence)>, Words>,
    ) -> Self {
        let say = |words: Words| f.say(words).into_owned();
        let (found, wrong) = match found {
            Ok(found) => (found, String::new()),
            Err(why) => (Vec::new(), say(why)),
        };
        let there = |(thread, silence): (Option<ThreadId>, upstream::Silence)| There {
            until: say(words::silenced_until(&clock.until(silence.ends_at))),
            moment: moment(Some(silence.ends_at)),
            conditions: crate::standing::conditions(&silence.matchers),
            by: one_line(&silence.author),
            comment: one_line(&silence.comment),
            thread: thread.filter(|thread| thread.0 != 0).map(|thread| thread.to_string()).unwrap_or_default(),
            pending: silence.state == SilenceState::Pending,
        };
        Self {
            heading: say(words::silences_of(name, found.len())),
            upstreams: places(&f, name, upstreams),
            silences: found.into_iter().map(there).collect(),
            empty: say(words::none_of(name)),
            wrong,
            desk,
            f,
        }
    }
}
