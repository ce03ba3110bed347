//! Who is on duty, what one person got, and who signed in and did what.

use std::collections::BTreeMap;

use askama::Template;

use super::desk::Desk;
use super::frame::Frame;
use super::letter::{moment, one_line};
use super::shift::{Got, Load, Substitution, Written, load};
use super::told::Told;
use super::why_not::{Link, Missing, chain};
use super::words;
use crate::alert::Timestamp;
use crate::budget::Used;
use crate::duty::{Rota, Why};
use crate::render::{Clock, number};
use crate::store::{ActRow, DeliveryRow, State, Step as Trace};
use crate::words::Words;

/// How far ahead rotas are shown.
const AHEAD_MS: i64 = 14 * 24 * 3_600_000;

/// Who is on duty.
#[derive(Debug, Template)]
#[template(path = "console/duty.html")]
pub struct DutyPage<'a> {
    f: Frame<'a>,
    desk: Desk,
    /// The day that was asked for, as `2026-12-24`; empty for now.
    at: String,
    rotas: Vec<Shifts>,
    /// Of one rota: what it asked of its people, and a substitution.
    shown: Option<One>,
}

/// What the page of one rota has besides.
#[derive(Debug)]
struct One {
    load: Vec<Load>,
    people: Vec<String>,
    typed: Substitution,
    written: Option<Written>,
    wrong: String,
}

/// What is asked of one rota besides its shifts.
#[derive(Debug)]
pub struct Asked<'a> {
    /// What its people got and did; `None`: that is not the reader's to see.
    pub got: Option<&'a BTreeMap<String, Got>>,
    /// The substitution that is typed.
    pub typed: Substitution,
}

/// A rota, now and for two weeks.
#[derive(Debug)]
struct Shifts {
    name: String,
    zone: String,
    /// Somebody is the second line at some time: where nobody is, that is a gap.
    has_backup: bool,
    rows: Vec<Shift>,
}

#[derive(Debug)]
struct Shift {
    now: bool,
    moment: String,
    from: String,
    until: String,
    people: Vec<String>,
    backup: Vec<String>,
    why: String,
}

impl<'a> DutyPage<'a> {
    /// Of these rotas, by name: from `now` on, or from the beginning of `day` in the zone of each.
    pub fn new(
        f: Frame<'a>,
        desk: Desk,
        now: Timestamp,
        day: Option<jiff::civil::Date>,
        rotas: &[(&String, &Rota)],
        asked: Option<Asked<'_>>,
    ) -> Self {
        let shown = asked.zip(rotas.first()).map(|(asked, (_, rota))| {
            let written = (!asked.typed.is_empty()).then(|| asked.typed.write(&f, rota, now));
            let (written, wrong) = match written {
                Some(Ok(written)) => (Some(written), String::new()),
                Some(Err(why)) => (None, f.say(why).into_owned()),
                None => (None, String::new()),
            };
            let load = asked.got.map(|got| load(rota, got, now)).unwrap_or_default();
            One { load, people: rota.everybody(), typed: asked.typed, written, wrong }
        });
        let begin = |rota: &Rota| day.and_then(|day| day.to_zoned(rota.timezone.clone()).ok());
        let from = |rota: &Rota| begin(rota).map(|begin| Timestamp(begin.timestamp().as_millisecond()));
        let rotas = rotas.iter().map(|(name, rota)| shifts(&f, name, rota, (now, from(rota)))).collect();
        Self { at: day.map(|day| day.to_string()).unwrap_or_default(), f, desk, rotas, shown }
    }
}

fn shifts(f: &Frame<'_>, name: &str, rota: &Rota, (now, asked): (Timestamp, Option<Timestamp>)) -> Shifts {
    let begin = asked.unwrap_or(now);
    let clock = Clock { now, zone: &rota.timezone, language: f.language };
    let time = |at: Timestamp| clock.time(at).unwrap_or_default();
    let rows = rota.schedule(begin, begin.plus_millis(AHEAD_MS));
    let rows = rows.into_iter().map(|(from, row)| Shift {
        now: from <= now && now < row.until,
        moment: moment(Some(row.until)),
        from: time(from),
        until: time(row.until),
        why: match row.why {
            Why::Shift => String::new(),
            Why::Substitute => f.say(words::SUBSTITUTE).into_owned(),
            Why::Holiday => {
                let name = rota.holiday_at(from).unwrap_or_default();
                format!("{} {name}", f.say(words::HOLIDAY)).trim().to_owned()
            }
        },
        people: row.people,
        backup: row.backup,
    });
    let zone = rota.timezone.iana_name().unwrap_or_default().to_owned();
    let rows: Vec<Shift> = rows.collect();
    Shifts { name: name.to_owned(), zone, has_backup: rows.iter().any(|row| !row.backup.is_empty()), rows }
}

/// What one person got, and did.
#[derive(Debug, Template)]
#[template(path = "console/person.html")]
pub struct PersonPage<'a> {
    f: Frame<'a>,
    desk: Desk,
    person: String,
    heading: String,
    duty: String,
    spans: Vec<(&'static str, String, bool)>,
    told: Vec<Told>,
    empty: String,
    acts: Vec<Entry>,
    budgets: Vec<Budget>,
    /// The short id that is asked about.
    short: String,
    chain: Vec<Link>,
}

/// A budget of the person.
#[derive(Debug)]
struct Budget {
    name: String,
    meters: Vec<Meter>,
}

/// What is spent of it in one span.
#[derive(Debug)]
struct Meter {
    spent: u32,
    most: u32,
    /// From here on plain messages wait.
    high: u32,
    text: String,
}

/// A line of what people did.
#[derive(Debug)]
struct Entry {
    at: Timestamp,
    when: String,
    moment: String,
    who: String,
    what: String,
    by: String,
    thread: String,
}

/// What is known of a person.
#[derive(Debug)]
pub struct Known<'a> {
    /// The userid.
    pub person: &'a str,
    /// The rotas in which the person is on duty now.
    pub duty: &'a [String],
    /// `24h` or `7d`.
    pub since: &'static str,
    /// The messages to the person in that time, newest first.
    pub rows: &'a [DeliveryRow],
    /// What the person did, newest first.
    pub acts: &'a [ActRow],
    /// What is spent of the person's budgets: by app, and whether of its chats.
    pub budgets: &'a [(String, bool, Vec<Used>)],
    /// Of an alert that the person is said to have missed.
    pub missing: Option<Missing<'a>>,
}

impl<'a> PersonPage<'a> {
    /// Of a person.
    pub fn new(f: Frame<'a>, desk: Desk, clock: &Clock<'_>, known: &Known<'_>) -> Self {
        let rows: Vec<&DeliveryRow> = known.rows.iter().filter(|row| row.act.is_none()).collect();
        let count = |wanted: &[State]| number(rows.iter().filter(|row| wanted.contains(&row.state)).count() as u64);
        let heading = words::person_heading(
            known.person,
            &count(&[State::Sent]),
            &count(&[State::Dead]),
            &count(&[State::Folded]),
        );
        let spans = [("24h", words::LAST_DAY), ("7d", words::LAST_WEEK)];
        let mut told: Vec<Told> = rows.iter().map(|row| Told::of(&f, clock, row)).collect();
        // What did not arrive comes first: that is the question.
        told.sort_by_key(|told| !told.missed);
        Self {
            person: known.person.to_owned(),
            heading: f.say(heading).into_owned(),
            duty: if known.duty.is_empty() {
                String::new()
            } else {
                f.say(words::on_duty(&known.duty.join(", "))).into_owned()
            },
            spans: spans.map(|(id, text)| (id, f.say(text).into_owned(), id == known.since)).into(),
            told,
            empty: f.say(words::NOTHING_GOT).into_owned(),
            acts: known.acts.iter().map(|act| entry(&f, clock, act)).collect(),
            budgets: known.budgets.iter().map(|budget| shown(&f, budget)).collect(),
            short: known.missing.as_ref().map(|missing| missing.short.to_owned()).unwrap_or_default(),
            chain: known.missing.as_ref().map(|missing| chain(&f, clock, missing)).unwrap_or_default(),
            desk,
            f,
        }
    }
}

fn shown(f: &Frame<'_>, (app, chats, used): &(String, bool, Vec<Used>)) -> Budget {
    let meter = |used: &Used| Meter {
        spent: used.spent,
        most: used.most,
        high: used.most.saturating_sub(used.reserved),
        text: f.say(words::budget_used(used)).into_owned(),
    };
    Budget { name: f.say(words::budget_of(app, *chats)).into_owned(), meters: used.iter().map(meter).collect() }
}

/// Who signed in, and who did what.
#[derive(Debug, Template)]
#[template(path = "console/audit.html")]
pub struct AuditPage<'a> {
    f: Frame<'a>,
    desk: Desk,
    entries: Vec<Entry>,
}

impl<'a> AuditPage<'a> {
    /// Of sign-ins and acts, each newest first.
    pub fn new(f: Frame<'a>, desk: Desk, clock: &Clock<'_>, trail: &[Trace], acts: &[ActRow]) -> Self {
        // Other ways of signing in make a ticket for themselves.
        let asked = |step: &&Trace| step.what != "link" || matches!(&*step.way, "link" | "command");
        let signed = trail.iter().filter(asked).map(|step| Entry {
            at: step.at,
            when: clock.ago(step.at),
            moment: moment(Some(step.at)),
            who: one_line(&step.person),
            what: f.say(words::trace(&step.what)).into_owned(),
            by: [&*f.say(words::way(&step.way)), step.address.as_str()].join(" ").trim().to_owned(),
            thread: String::new(),
        });
        let mut entries: Vec<Entry> = signed.chain(acts.iter().map(|act| entry(&f, clock, act))).collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
        Self { f, desk, entries }
    }
}

fn entry(f: &Frame<'_>, clock: &Clock<'_>, act: &ActRow) -> Entry {
    let mut what = f.say(words::act(act.kind)).into_owned();
    if let Some(state) = words::state(act.state) {
        what = format!("{what} · {}", f.say(state));
    }
    if !act.detail.is_empty() {
        what = format!("{what} · {}", Words::of_record(&act.detail).get(f.language));
    }
    Entry {
        at: act.at,
        when: clock.ago(act.at),
        moment: moment(Some(act.at)),
        who: one_line(&act.by),
        what: one_line(&what),
        by: [act.via.as_str(), act.peer.as_deref().unwrap_or_default()].join(" ").trim().to_owned(),
        thread: if act.thread.0 == 0 { String::new() } else { act.thread.to_string() },
    }
}
