//! How wegraf itself is: what comes in, what is inside, what goes out.

use askama::Template;

use super::acts::Said;
use super::desk::Desk;
use super::frame::Frame;
use super::letter::{Fact, one_line};
use super::words;
use crate::alert::Timestamp;
use crate::render::{Clock, number};
use crate::store::{Backlog, Breaker};
use crate::words::Words;

/// How wegraf is.
#[derive(Debug, Template)]
#[template(path = "console/state.html")]
pub struct StatePage<'a> {
    f: Frame<'a>,
    desk: Desk,
    heading: String,
    troubles: Vec<Trouble>,
    sources: Vec<Row>,
    inside: Vec<Fact>,
    out: Vec<Row>,
    said: Option<Said>,
}

/// What needs a person.
#[derive(Debug)]
struct Trouble {
    name: String,
    text: String,
    /// The paused way that may be tried now; empty: there is none.
    scope: String,
    /// When it is tried by itself.
    probe: String,
}

/// A source, or a way out.
#[derive(Debug)]
struct Row {
    good: bool,
    name: String,
    text: String,
    why: String,
}

/// A source as it is known.
#[derive(Debug, Clone, Default)]
pub struct Fed {
    pub name: String,
    /// When its last call was taken, or its last alert recorded.
    pub last: Option<Timestamp>,
    /// Calls that were taken and refused since the process began.
    pub taken: u64,
    pub refused: u64,
    /// When the last of them was refused, and why.
    pub why: Option<(Timestamp, Words)>,
}

/// A way by which something is sent or asked.
#[derive(Debug, Clone)]
pub enum Way {
    /// A bot, and who holds its socket.
    Bot(String, Option<String>),
    /// An upstream, and why it cannot be asked.
    Upstream(String, Option<Words>),
}

/// What was found.
#[derive(Debug)]
pub struct Condition<'a> {
    /// Open breakers with their display names.
    pub breakers: &'a [(String, Breaker)],
    /// What else a person should look at.
    pub warnings: &'a [Words],
    /// What waits.
    pub backlog: &'a Backlog,
    /// The sources, by name.
    pub sources: &'a [Fed],
    /// Bots and upstreams.
    pub ways: &'a [Way],
    /// Changes whose fate contradicts their message.
    pub imbalance: i64,
    /// Routes that no alert reaches.
    pub blind: usize,
    /// Tokens that end within 30 days: name and end.
    pub tokens: &'a [(String, Timestamp)],
    /// Browsers that are signed in.
    pub sessions: usize,
    /// When the certificate of `listen_tls` ends.
    pub certificate: Option<Timestamp>,
    /// Bytes of the store.
    pub bytes: u64,
    /// When this process began.
    pub since: Timestamp,
}

impl<'a> StatePage<'a> {
    /// `said`: what became of the form that was sent.
    pub fn new(
        f: Frame<'a>,
        desk: Desk,
        clock: &Clock<'_>,
        found: &Condition<'_>,
        said: Option<(bool, Words)>,
    ) -> Self {
        let say = |words: Words| f.say(words).into_owned();
        let paused = found.breakers.iter().map(|(name, open)| Trouble {
            name: say(words::paused(name, &clock.since(open.opened_at))),
            text: Words::of_record(&open.error).get(f.language).to_owned(),
            scope: open.scope.to_string(),
            probe: if open.probe_at > clock.now {
                say(words::tried_in(&clock.until(open.probe_at)))
            } else {
                String::new()
            },
        });
        let warned = found.warnings.iter().map(|text| Trouble {
            name: say(words::WARNING),
            text: say(text.clone()),
            scope: String::new(),
            probe: String::new(),
        });
        let troubles: Vec<Trouble> = paused.chain(warned).collect();
        Self {
            heading: say(words::health(troubles.len())),
            troubles,
            sources: found.sources.iter().map(|fed| source(&f, clock, fed)).collect(),
            inside: inside(&f, clock, found),
            out: out(&f, found),
            said: said.map(|(good, text)| Said { good, text: say(text) }),
            desk,
            f,
        }
    }
}

fn source(f: &Frame<'_>, clock: &Clock<'_>, fed: &Fed) -> Row {
    let heard = fed.last.map_or_else(|| f.say(words::NOT_HEARD).into_owned(), |at| clock.ago(at));
    let counts = f.say(words::taken_and_refused(fed.taken, fed.refused));
    Row {
        good: fed.refused == 0,
        name: if fed.name.is_empty() { f.say(words::STRANGERS).into_owned() } else { one_line(&fed.name) },
        text: format!("{heard} · {counts}"),
        why: fed
            .why
            .as_ref()
            .map(|(at, why)| format!("{} {}", clock.ago(*at), one_line(why.get(f.language))))
            .unwrap_or_default(),
    }
}

fn inside(f: &Frame<'_>, clock: &Clock<'_>, found: &Condition<'_>) -> Vec<Fact> {
    let say = |words: Words| f.say(words).into_owned();
    let fact = |words, text: String| Fact { name: say(words), text };
    let count = |value: i64| number(value.unsigned_abs());
    let backlog = found.backlog;
    let mut facts = vec![
        fact(words::WAITING, count(backlog.messages)),
        fact(words::RETRYING, count(backlog.retrying)),
        fact(words::WAITING_CRITICAL, count(backlog.critical)),
    ];
    facts.extend(backlog.oldest.map(|at| fact(words::OLDEST, clock.since(at))));
    let balance = if found.imbalance == 0 { say(words::BALANCED) } else { format!("✗ {}", count(found.imbalance)) };
    facts.push(fact(words::BALANCE, balance));
    facts.push(fact(words::BLIND_ROUTES, number(found.blind as u64)));
    let end = |(name, at): &(String, Timestamp)| format!("{name} → {}", clock.until(*at));
    let tokens = found.tokens.iter().map(end).collect::<Vec<_>>().join("\n");
    facts.push(fact(words::TOKENS_END, if tokens.is_empty() { say(words::NOTHING) } else { tokens }));
    let certificate = found.certificate.map(|at| fact(words::CERTIFICATE_ENDS, clock.until(at)));
    facts.extend(certificate);
    facts.push(fact(words::STORE_SIZE, words::size(found.bytes)));
    facts.push(fact(words::SIGNED_IN, number(found.sessions as u64)));
    facts.push(fact(words::RUNS_SINCE, clock.since(found.since)));
    facts.push(fact(words::VERSION, env!("CARGO_PKG_VERSION").to_owned()));
    facts
}

fn out(f: &Frame<'_>, found: &Condition<'_>) -> Vec<Row> {
    let say = |words: Words| f.say(words).into_owned();
    let paused = found.breakers.iter().map(|(name, _)| Row {
        good: false,
        name: name.clone(),
        text: say(words::PAUSED),
        // It stands above, among what needs a person.
        why: String::new(),
    });
    let way = |way: &Way| match way {
        Way::Bot(name, holder) => Row {
            good: holder.is_some(),
            name: name.clone(),
            text: say(words::bot_held(holder.as_deref())),
            why: String::new(),
        },
        Way::Upstream(name, wrong) => Row {
            good: wrong.is_none(),
            name: name.clone(),
            text: say(words::UPSTREAM),
            why: wrong.clone().map(say).unwrap_or_default(),
        },
    };
    paused.chain(found.ways.iter().map(way)).collect()
}
