//! Silences in force, and how wegraf itself is.

use askama::Template;

use super::acts::{Said, Span, spans};
use super::desk::Desk;
use super::frame::Frame;
use super::letter::Fact;
use super::words;
use crate::alert::Timestamp;
use crate::render::{Clock, number};
use crate::store::{Backlog, Breaker, Silence};
use crate::words::Words;

/// Silences made from here.
#[derive(Debug, Template)]
#[template(path = "console/silences.html")]
pub struct SilencesPage<'a> {
    f: Frame<'a>,
    desk: Desk,
    heading: String,
    silences: Vec<Quiet>,
    spans: Vec<Span>,
    said: Option<Said>,
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
    conditions: String,
    by: String,
    hides: String,
    thread: String,
    /// The act that made it; 0 if it is about nothing of ours, and cannot be changed here.
    act: i64,
    newest: bool,
}

impl<'a> SilencesPage<'a> {
    /// `said`: what became of the form that was sent.
    pub fn new(f: Frame<'a>, desk: Desk, clock: &Clock<'_>, silences: &[Hushed], said: Option<(bool, Words)>) -> Self {
        let say = |words: Words| f.say(words).into_owned();
        let quiet = |Hushed { silence, conditions, on, newest }: &Hushed| Quiet {
            class: if *on > 0 { "warning" } else { "info" },
            until: say(words::silenced_until(&clock.time(silence.until).unwrap_or_default())),
            conditions: conditions.clone(),
            by: format!("{} · {}", silence.by, silence.upstream),
            hides: say(words::hides(*on)),
            thread: if silence.thread.0 == 0 { String::new() } else { silence.thread.to_string() },
            act: if silence.thread.0 == 0 { 0 } else { silence.act },
            newest: *newest,
        };
        let shown = silences.iter().map(quiet).collect();
        let said = said.map(|(good, words)| Said { good, text: say(words) });
        let (heading, spans) = (say(words::silences(silences.len())), spans(f.language));
        Self { heading, silences: shown, spans, said, desk, f }
    }
}

/// How wegraf is.
#[derive(Debug, Template)]
#[template(path = "console/state.html")]
pub struct StatePage<'a> {
    f: Frame<'a>,
    desk: Desk,
    heading: String,
    troubles: Vec<Fact>,
    facts: Vec<Fact>,
}

impl<'a> StatePage<'a> {
    /// Open breakers with their display names, further warnings, what waits, and when each source was last heard.
    pub fn new(
        f: Frame<'a>,
        desk: Desk,
        clock: &Clock<'_>,
        breakers: &[(String, Breaker)],
        warnings: &[Words],
        backlog: &Backlog,
        heard: &[(String, Timestamp)],
    ) -> Self {
        let say = |words: Words| f.say(words).into_owned();
        let time = |at: Timestamp| clock.time(at).unwrap_or_default();
        let paused = breakers.iter().map(|(name, open)| Fact {
            name: say(words::paused(name, &time(open.opened_at))),
            text: Words::of_record(&open.error).get(f.language).to_owned(),
        });
        let warned = warnings.iter().map(|text| Fact { name: say(words::WARNING), text: say(text.clone()) });
        let troubles: Vec<Fact> = paused.chain(warned).collect();
        let fact = |words, text: String| Fact { name: say(words), text };
        let count = |value: i64| number(value.unsigned_abs());
        let mut facts = vec![
            fact(words::WAITING, count(backlog.messages)),
            fact(words::RETRYING, count(backlog.retrying)),
            fact(words::WAITING_CRITICAL, count(backlog.critical)),
        ];
        facts.extend(backlog.oldest.map(|at| fact(words::OLDEST, clock.since(at))));
        facts.extend(heard.iter().map(|(source, at)| Fact { name: say(words::heard(source)), text: clock.since(*at) }));
        Self { heading: say(words::health(troubles.len())), troubles, facts, desk, f }
    }
}
