//! Silences in force, and which alerts somebody has.

use std::collections::BTreeMap;

use askama::Template;

use super::acts::{Said, Span, spans};
use super::desk::Desk;
use super::frame::Frame;
use super::letter::{moment, one_line};
use super::words;
use crate::alert::ThreadId;
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
    said: Option<Said>,
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
    /// The act that made it; 0 if it is about nothing of ours, and cannot be changed here.
    act: i64,
    newest: bool,
}

impl<'a> SilencesPage<'a> {
    /// Of `silences`, and of the alerts in `on`, which somebody has. `upstreams`: those that the reader may ask. `said`: what
    /// became of the form that was sent.
    pub fn new(
        f: Frame<'a>,
        desk: Desk,
        clock: &Clock<'_>,
        silences: &[Hushed],
        on: &[ActAlert],
        upstreams: &[&str],
        said: Option<(bool, Words)>,
    ) -> Self {
        let say = |words: Words| f.say(words).into_owned();
        let quiet = |Hushed { silence, conditions, on, newest }: &Hushed| Quiet {
            class: if *on > 0 { "warning" } else { "info" },
            until: say(words::silenced_until(&clock.until(silence.until))),
            moment: moment(Some(silence.until)),
            conditions: conditions.clone(),
            by: format!("{} · {}", one_line(&silence.by), silence.upstream),
            hides: say(words::hides(*on)),
            thread: if silence.thread.0 == 0 { String::new() } else { silence.thread.to_string() },
            act: if silence.thread.0 == 0 { 0 } else { silence.act },
            newest: *newest,
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
            said: said.map(|(good, words)| Said { good, text: say(words) }),
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
