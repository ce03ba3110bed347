//! What is on now, and one incident with everything that happened to it.

use std::collections::{BTreeMap, HashMap, HashSet};

use askama::Template;

use super::acts::ActsPart;
use super::desk::Desk;
use super::find::{Onward, Sought};
use super::frame::Frame;
use super::letter::{Group, Now, Writer, moment, one_line, ordered};
use super::told::{Step, Told};
use super::words;
use crate::alert::{Labels, ThreadId, Timestamp, level_label};
use crate::deliver::Page;
use crate::level::Level;
use crate::render::{Clock, grade, number};
use crate::store::{ActAlert, ActRow, Counted, Delivery, DeliveryRow, Needless};
use crate::words::{Language, Words};

/// Incidents on one page.
const ROWS: usize = 50;
/// Objects that a row names.
const OBJECTS: usize = 3;
/// Alerts of an incident that are shown.
const ALERTS: usize = 100;

/// What is on now.
#[derive(Debug, Template)]
#[template(path = "console/now.html")]
pub struct NowPage<'a> {
    f: Frame<'a>,
    desk: Desk,
    count: String,
    heading: String,
    filters: Vec<Filter>,
    rows: Vec<Row>,
    more: String,
    sought: Sought,
    part: Only,
    beside: Option<Onward>,
    empty: String,
    further: Vec<Onward>,
}

/// A way to a part of the list.
#[derive(Debug)]
struct Filter {
    href: String,
    text: String,
    on: bool,
}

/// An incident.
#[derive(Debug)]
struct Row {
    thread: String,
    level: &'static str,
    name: String,
    size: usize,
    grade: String,
    what: String,
    when: String,
    moment: String,
    owner: String,
    /// What did not arrive; empty if nothing.
    missed: String,
    taken: bool,
}

/// What decides where an incident stands, and whether: its texts are made only if it is shown.
#[derive(Debug)]
struct Facts<'a> {
    alerts: Vec<&'a ActAlert>,
    critical: bool,
    owner: Option<&'a str>,
    mine: bool,
    /// How many of its messages did not arrive.
    missed: usize,
    since: Option<Timestamp>,
}

impl<'a> Facts<'a> {
    fn of(alerts: Vec<&'a ActAlert>, person: &str, missed: &HashMap<ThreadId, usize>) -> Self {
        let mut owners = alerts.iter().filter_map(|alert| alert.acknowledged.as_ref());
        Self {
            critical: alerts.iter().any(|alert| alert.critical),
            owner: crate::standing::owner(alerts.iter().copied()).map(|doer| doer.by.as_str()),
            mine: owners.any(|doer| doer.by.eq_ignore_ascii_case(person)),
            missed: alerts.first().and_then(|alert| missed.get(&alert.thread)).copied().unwrap_or_default(),
            since: alerts.iter().filter_map(|alert| alert.starts_at).min(),
            alerts,
        }
    }
}

/// What an alert is about.
pub type Place<'a> = &'a dyn Fn(&ActAlert) -> Option<String>;

/// Which incidents are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Only {
    All,
    /// Critical ones.
    Critical,
    /// Those that no person has.
    Free,
    /// Those that the reader has.
    Mine,
    /// Those of which a message did not arrive.
    Missed,
}

impl Only {
    const WAYS: [Self; 5] = [Self::All, Self::Critical, Self::Free, Self::Mine, Self::Missed];

    /// Its name in an address.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Critical => "critical",
            Self::Free => "free",
            Self::Mine => "mine",
            Self::Missed => "missed",
        }
    }

    /// Of an address; all, where it is none of the names.
    pub fn of(name: &str) -> Self {
        Self::WAYS.into_iter().find(|way| way.as_str() == name).unwrap_or(Self::All)
    }

    fn shows(self, facts: &Facts<'_>) -> bool {
        match self {
            Self::All => true,
            Self::Critical => facts.critical,
            Self::Free => facts.owner.is_none(),
            Self::Mine => facts.mine,
            Self::Missed => facts.missed > 0,
        }
    }
}

impl<'a> NowPage<'a> {
    /// Of `alerts`, the firing ones that the reader may see and that `sought` finds, of `count` in all; `missed`: incidents
    /// with the number of their messages that did not arrive.
    #[expect(clippy::too_many_arguments, reason = "each is a part of the page")]
    pub fn new(
        f: Frame<'a>,
        desk: Desk,
        clock: &Clock<'_>,
        (only, sought): (Only, Sought),
        alerts: &[ActAlert],
        count: Counted,
        missed: &HashMap<ThreadId, usize>,
        place: Place<'_>,
    ) -> Self {
        let mut by_thread: BTreeMap<i64, Vec<&ActAlert>> = BTreeMap::new();
        let mut seen = HashSet::new();
        for alert in alerts {
            // One alert is known to each of its receivers.
            if seen.insert((alert.thread, alert.identity)) {
                by_thread.entry(alert.thread.0).or_default().push(alert);
            }
        }
        let mut all: Vec<Facts<'_>> = by_thread.into_values().map(|of| Facts::of(of, &desk.person, missed)).collect();
        all.sort_by_key(|facts| (!facts.critical, facts.owner.is_some(), facts.since.unwrap_or(clock.now)));
        let number_of = |way: Only| all.iter().filter(|facts| way.shows(facts)).count();
        let say = |words: Words| f.say(words).into_owned();
        let filters = Only::WAYS.map(|way| Filter {
            href: address(way, &sought.typed, f.language),
            text: say(words::only(way, number_of(way))),
            on: way == only,
        });
        let unfound = all.is_empty() && !sought.typed.is_empty();
        let heading = say(if unfound {
            words::NOT_FOUND
        } else {
            words::now_heading(all.len(), number_of(Only::Critical), number_of(Only::Free))
        });
        let empty = match (unfound, sought.is_odd()) {
            (true, true) => words::NOTHING_TYPED,
            (true, false) => words::NONE_ON,
            (false, _) if all.is_empty() => words::CALM,
            (false, _) => words::NONE_OF_PART,
        };
        let mut further: Vec<Onward> = Vec::new();
        if unfound {
            further.extend((!sought.is_odd()).then(|| sought.in_deliveries(&f)));
            further.push(Onward { href: address(Only::All, "", f.language), text: say(words::ALL_ON) });
        } else if all.is_empty() {
            let href = format!("{}m?since=24h&lang={}", f.root, f.language.as_str());
            further.push(Onward { href, text: say(words::LATEST) });
        }
        let chosen = number_of(only);
        let mut beyond = count.beyond(alerts.len());
        beyond.number += chosen.saturating_sub(ROWS) as u64;
        let shown = all.iter().filter(|facts| only.shows(facts)).take(ROWS);
        let rows: Vec<Row> = shown.map(|facts| row(&f, clock, facts, place)).collect();
        Self {
            count: number(chosen as u64),
            heading,
            filters: filters.into(),
            rows,
            more: if beyond.is_zero() { String::new() } else { say(words::and_more(beyond)) },
            beside: sought.beside(&f),
            empty: say(empty),
            further,
            part: only,
            sought,
            desk,
            f,
        }
    }
}

/// The address of a part of what is on, with the words that are looked for.
fn address(only: Only, typed: &str, language: Language) -> String {
    let mut query = form_urlencoded::Serializer::new("?".to_owned());
    query.append_pair("only", only.as_str());
    if !typed.is_empty() {
        query.append_pair("q", typed);
    }
    query.append_pair("lang", language.as_str()).finish()
}

fn row(f: &Frame<'_>, clock: &Clock<'_>, facts: &Facts<'_>, place: Place<'_>) -> Row {
    let of = &facts.alerts;
    let labels = |alert: &ActAlert| -> Labels { serde_json::from_str(&alert.labels_json).unwrap_or_default() };
    let worst = of.iter().find(|alert| alert.critical).unwrap_or(&of[0]);
    let labels = labels(worst);
    let said = level_label(&labels).unwrap_or_default();
    let level = Level::of(said);
    let mut objects: Vec<String> = of.iter().filter_map(|alert| place(alert)).collect();
    objects.dedup();
    let more = objects.len().saturating_sub(OBJECTS);
    objects.truncate(OBJECTS);
    let mut what = objects.join(", ");
    if more > 0 {
        what = format!("{what} +{more}");
    }
    Row {
        thread: worst.thread.to_string(),
        level: if worst.critical { "critical" } else { level.map_or("unknown", words::class_of) },
        name: if of.iter().all(|alert| alert.name == worst.name) {
            one_line(&worst.name)
        } else {
            f.say(words::and_others(&one_line(&worst.name))).into_owned()
        },
        size: of.len(),
        grade: grade(level, said, f.language).to_owned(),
        what: one_line(&what),
        when: facts.since.map(|since| clock.since(since)).unwrap_or_default(),
        moment: moment(facts.since),
        owner: facts
            .owner
            .map_or_else(|| f.say(words::NO_OWNER).into_owned(), |by| f.say(words::has_it(by, None)).into_owned()),
        missed: if facts.missed > 0 { f.say(words::missed(facts.missed)).into_owned() } else { String::new() },
        taken: facts.owner.is_some(),
    }
}

/// What is known of an incident.
#[derive(Debug)]
pub struct Incident<'a> {
    /// Its short id.
    pub thread: String,
    /// The newest message that tells of its alerts, read again.
    pub page: &'a Page,
    /// How its alerts stand, by their rows.
    pub standing: &'a HashMap<i64, Now>,
    /// The message that is shown.
    pub message: i64,
    /// Its messages, newest first.
    pub rows: &'a [DeliveryRow],
    /// The same with their attempts.
    pub deliveries: &'a [Delivery],
    /// What people did, each with the actor's name as it is shown.
    pub acts: &'a [(ActRow, String)],
    /// Who says that it should not have woken them.
    pub needless: &'a [Needless],
    /// The part where people act.
    pub part: Option<ActsPart>,
    /// The address of its chart.
    pub picture: Option<String>,
    /// Origins whose pictures are shown inline.
    pub origins: &'a [String],
}

/// What a person says of the incident.
#[derive(Debug)]
struct Said {
    text: String,
    /// In quotation marks; empty if there is none.
    reason: String,
}

impl Said {
    fn of(f: &Frame<'_>, said: &Needless) -> Self {
        let reason = one_line(&said.reason);
        let reason = if reason.is_empty() { reason } else { format!("“{reason}”") };
        Self { text: f.say(words::said_needless(&one_line(&said.person))).into_owned(), reason }
    }
}

/// One incident.
#[derive(Debug, Template)]
#[template(path = "console/incident.html")]
pub struct IncidentPage<'a> {
    f: Frame<'a>,
    desk: Desk,
    thread: String,
    source: String,
    heading: String,
    acts: Option<ActsPart>,
    needless: Vec<Said>,
    /// What the visitor said; `None`: nothing.
    reason: Option<String>,
    /// The message that it would be said of.
    message: i64,
    told: Vec<Told>,
    steps: Vec<Step>,
    picture: Option<String>,
    groups: Vec<Group>,
}

impl<'a> IncidentPage<'a> {
    /// Of `incident`.
    pub fn new(f: Frame<'a>, desk: Desk, clock: &Clock<'_>, incident: Incident<'_>) -> Self {
        let Incident { page, standing, origins, .. } = incident;
        let lines = ordered(page);
        let writer = Writer { f: &f, page, clock: *clock, standing, origins };
        let heading = writer.heading(&lines);
        let groups = writer.groups(&lines[..lines.len().min(ALERTS)]);
        let mut steps = Vec::new();
        for delivery in incident.deliveries {
            let lane = delivery.row.lane.to_string();
            for moved in &delivery.transitions {
                let text = format!("{} {}", one_line(&moved.name), f.say(words::moved(moved.kind)));
                steps.push(Step::new(clock, moved.at, "", text));
            }
            let queued = f.say(words::queued_for(&lane)).into_owned();
            steps.push(Step::new(clock, delivery.row.created_at, "", queued));
            steps.extend(delivery.attempts.iter().map(|tried| Step::attempt(&f, clock, &lane, tried)));
        }
        for (act, by) in incident.acts {
            let mut text = format!("👋 {by} {}", f.say(words::act(act.kind)));
            if let Some(state) = words::state(act.state) {
                text = format!("{text} · {}", f.say(state));
            }
            steps.push(Step::new(clock, act.at, "", text));
        }
        let needless: Vec<Said> = incident.needless.iter().map(|said| Said::of(&f, said)).collect();
        let own = incident.needless.iter().find(|said| said.person.eq_ignore_ascii_case(&desk.person));
        let reason = own.map(|said| one_line(&said.reason));
        for (said, shown) in incident.needless.iter().zip(&needless) {
            let text = [&*shown.text, &*shown.reason].join(" ");
            steps.push(Step::new(clock, said.at, "", text.trim_end().to_owned()));
        }
        steps.sort_by_key(|step| step.at);
        // Each target was told of the same changes.
        let mut seen: HashSet<(Timestamp, String)> = HashSet::new();
        steps.retain(|step| seen.insert((step.at, step.text.clone())));
        let told = incident.rows.iter().filter(|row| row.act.is_none()).map(|row| Told::of(&f, clock, row)).collect();
        Self {
            thread: incident.thread,
            source: super::letter::source(page),
            heading,
            acts: incident.part,
            needless,
            reason,
            message: incident.message,
            told,
            steps,
            picture: incident.picture,
            groups,
            desk,
            f,
        }
    }
}
