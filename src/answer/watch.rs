//! One look at an upstream for the alerts that came from it, and what follows, as a state machine: a silence made
//! elsewhere is told once, the end of a suppression is a reminder, and what is gone is over. Pure: the driver in
//! `following` and the model in the tests carry out the commands.
//!
//! The readings are recorded last, so that a process that ends in between does the rest again. Each of the commands
//! before can be repeated.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::alert::{Identity, Labels, ThreadId, Timestamp};
use crate::config::{Config, Upstream};
use crate::engine::truth::{Before, Said, State, Suppressed, together};
use crate::store::{ActAlert, Followed, Truth};
use crate::upstream::Look;

/// Interval of looks while something depends on them: a step that waits, a suppressed alert, one that is absent.
pub(super) const OPEN: Duration = Duration::from_secs(15);
/// Interval of looks otherwise, and longest interval while an upstream does not answer.
const QUIET: Duration = Duration::from_mins(1);
/// Alert names that are asked for by name; more of them, and everything is listed.
const NAMES: usize = 8;
/// A reading of the same state is recorded again after this time: a step of an escalation accepts a reading that is at
/// most a minute old.
const NOTED_MS: i64 = 10_000;

/// Three looks fit into the time after which an absent alert is over.
pub(super) fn open_interval(upstream: &Upstream) -> Duration {
    (upstream.gone_after / 3).min(OPEN)
}

/// When each upstream was asked.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    /// By name: when last, and consecutive failures.
    asked: HashMap<String, (Instant, u32)>,
}

impl Rounds {
    /// Is it time to look at the upstream of these alerts?
    pub fn is_due(&self, upstream: &Upstream, rows: &[Row], at: Instant) -> bool {
        let Some((asked, failures)) = self.asked.get(&upstream.name) else { return true };
        let interval = if rows.iter().any(Row::is_open) { open_interval(upstream) } else { QUIET };
        at.duration_since(*asked) >= interval.saturating_mul(1 << (*failures).min(4)).min(QUIET)
    }

    /// It was asked; `answered`: one of its peers did answer.
    pub fn asked(&mut self, upstream: &str, answered: bool, at: Instant) {
        let (last, failures) = self.asked.entry(upstream.to_owned()).or_insert((at, 0));
        *last = at;
        *failures = if answered { 0 } else { *failures + 1 };
    }
}

/// The part of a reading that is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Upstream's own receiver that told us; empty if it is unknown.
    pub receiver: String,
    /// The state.
    pub state: State,
}

impl Kept {
    /// The form in the store.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("a state is JSON")
    }

    /// Parses the stored form; that of another version counts as unknown.
    pub fn read(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or(Self { receiver: String::new(), state: State::Unknown })
    }
}

/// A firing alert of one receiver, with its upstream.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub alert: ActAlert,
    /// The step of its escalation that waits, and how long after the firing that one is due; `None`: by the
    /// configuration there is none any more.
    pub step: Option<(u32, Option<i64>)>,
    /// Name of its upstream; empty if it has none.
    pub upstream: String,
    kept: Kept,
    before: Option<Before>,
}

impl Row {
    pub fn of(one: Followed, config: &Config) -> Self {
        let unknown = || Kept { receiver: String::new(), state: State::Unknown };
        let kept = one.truth.as_ref().map_or_else(unknown, |truth| Kept::read(&truth.state_json));
        let before = one.truth.as_ref().map(|truth| Before {
            seen_at: truth.seen_at,
            listed_at: truth.listed_at,
            absent_at: truth.absent_at,
        });
        let after = |step: u32| {
            let receiver = config.receiver(&one.alert.receiver)?;
            let after = receiver.escalate.get(step as usize)?.after;
            Some(i64::try_from(after.as_millis()).unwrap_or(i64::MAX))
        };
        let step = one.step.map(|step| (step, after(step)));
        let upstream = one.truth.map(|truth| truth.upstream).unwrap_or_default();
        Self { alert: one.alert, step, upstream, kept, before }
    }

    /// The newest reading and its time.
    pub fn reading(&self) -> Option<(&State, Timestamp)> {
        self.before.map(|before| (&self.kept.state, before.seen_at))
    }

    /// Was its state read within the last `ms`? That only its upstream was found does not count.
    pub fn is_younger(&self, ms: i64, now: Timestamp) -> bool {
        self.kept.state != State::Unknown && self.read_within(ms, now)
    }

    /// Is the next look urgent: a step waits, or the alert is suppressed or absent?
    fn is_open(&self) -> bool {
        self.step.is_some() || self.kept.state != State::Active
    }

    fn read_within(&self, ms: i64, now: Timestamp) -> bool {
        self.before.is_some_and(|before| (0..ms).contains(&now.millis_since(before.seen_at)))
    }

    fn labels(&self) -> Labels {
        serde_json::from_str(&self.alert.labels_json).unwrap_or_default()
    }
}

/// A silence that was made through wegraf and is in force, or was until lately.
#[derive(Debug)]
pub(super) struct Ours {
    /// The act that made it.
    pub act: i64,
    /// Its id upstream.
    pub id: String,
    /// Its end.
    pub until: Timestamp,
    /// The alerts that it was made for.
    pub alerts: Vec<Identity>,
}

/// A silence that was made elsewhere and hides alerts of one episode.
#[derive(Debug)]
pub(super) struct Hidden {
    pub thread: ThreadId,
    pub alerts: Vec<Identity>,
    /// Its id upstream.
    pub id: String,
    /// Who made it.
    pub by: String,
    /// When it ends.
    pub until: Timestamp,
    /// Its comment.
    pub why: String,
}

/// The answer to a command.
#[derive(Debug)]
pub(super) enum Event {
    /// The upstream is due.
    Started,
    /// To [`Command::Silences`].
    Silences(Vec<Ours>),
    /// To [`Command::Look`]: what each peer lists; `None`: it did not answer, or refused to.
    Looked(Vec<Option<Look>>),
    /// To [`Command::Check`]: is it certain that the silence is not in force?
    Checked { gone: bool },
    /// To all other commands.
    Done,
}

/// What the driver does next.
#[derive(Debug)]
pub(super) enum Command {
    /// Read the silences of this upstream that were made through wegraf.
    Silences,
    /// Ask each peer for the alerts of these names, or for all without names. `ours`: silences that need not be read.
    Look { names: Vec<String>, ours: HashSet<String> },
    /// Tell all recipients of these alerts, once for each silence and episode.
    Hide(Hidden),
    /// The waiting step of an escalation counts anew.
    Delay { alert: i64, step: u32, fired_at: Timestamp, due_at: Timestamp },
    /// Remind of alerts that are no longer suppressed.
    Remind { after: Suppressed, alerts: Vec<ActAlert> },
    /// Tell the end of these alerts.
    Over(Vec<Identity>),
    /// Ask whether this silence of ours is in force.
    Check { act: i64, id: String },
    /// Record that it is over.
    Drop { act: i64, id: String },
    /// Record the readings.
    Note(Vec<Truth>),
    /// The look is over; `answered`: a peer did answer.
    End { answered: bool },
}

/// One look at an upstream.
#[derive(Debug)]
pub(super) struct Watch {
    upstream: String,
    gone_after_ms: i64,
    rows: Vec<Row>,
    phase: Phase,
    /// What is still to be done after the look.
    todo: VecDeque<Command>,
    answered: bool,
}

/// The command that is outstanding, with what its answer needs.
#[derive(Debug)]
enum Phase {
    Idle,
    Reading,
    Looking(Vec<Ours>),
    Checking(i64, String),
    Doing,
}

impl Watch {
    /// A look that waits for [`Event::Started`].
    pub fn new(upstream: &Upstream, rows: Vec<Row>) -> Self {
        let gone_after_ms = i64::try_from(upstream.gone_after.as_millis()).unwrap_or(i64::MAX);
        let upstream = upstream.name.clone();
        Self { upstream, gone_after_ms, rows, phase: Phase::Idle, todo: VecDeque::new(), answered: false }
    }

    /// Takes the answer to the last command.
    ///
    /// # Panics
    /// If the event does not answer the outstanding command, which is a bug of the driver.
    pub fn on(&mut self, event: Event, now: Timestamp) -> Command {
        match (std::mem::replace(&mut self.phase, Phase::Idle), event) {
            (Phase::Idle, Event::Started) => {
                self.phase = Phase::Reading;
                Command::Silences
            }
            (Phase::Reading, Event::Silences(ours)) => {
                let ids = ours.iter().map(|silence| silence.id.clone()).collect();
                self.phase = Phase::Looking(ours);
                Command::Look { names: names(&self.rows), ours: ids }
            }
            (Phase::Looking(ours), Event::Looked(looks)) => {
                self.answered = looks.iter().any(Option::is_some);
                self.todo = self.follow(&ours, &looks, now);
                self.next()
            }
            (Phase::Checking(act, id), Event::Checked { gone: true }) => {
                self.phase = Phase::Doing;
                Command::Drop { act, id }
            }
            (Phase::Checking(..), Event::Checked { gone: false }) | (Phase::Doing, Event::Done) => self.next(),
            (phase, event) => panic!("{event:?} answers no command of {phase:?}"),
        }
    }

    fn next(&mut self) -> Command {
        let command = self.todo.pop_front().unwrap_or(Command::End { answered: self.answered });
        self.phase = match &command {
            Command::Check { act, id } => Phase::Checking(*act, id.clone()),
            _ => Phase::Doing,
        };
        command
    }

    /// What follows from what the peers list.
    fn follow(&self, ours: &[Ours], looks: &[Option<Look>], now: Timestamp) -> VecDeque<Command> {
        let ids: HashSet<String> = ours.iter().map(|silence| silence.id.clone()).collect();
        let here: HashSet<Identity> = ours.iter().flat_map(|silence| silence.alerts.iter().copied()).collect();
        let mut found = Found::default();
        for row in &self.rows {
            let labels = row.labels();
            let said: Vec<Said> = looks
                .iter()
                .map(|look| match look {
                    Some(look) => look.said(&labels, &row.kept.receiver, &ids, now),
                    None => Said::Nothing,
                })
                .collect();
            let known = here.contains(&row.alert.identity);
            let reading = together(&said, row.before, known, self.gone_after_ms, now);
            // The last reading stays, until it is too old to say anything.
            if reading.state == State::Unknown {
                continue;
            }
            found.note(row, &reading.state);
            if row.kept.state != reading.state || !row.read_within(NOTED_MS, now) {
                found.truths.push(Truth {
                    alert: row.alert.alert,
                    thread: row.alert.thread,
                    upstream: self.upstream.clone(),
                    state_json: Kept { receiver: row.kept.receiver.clone(), state: reading.state }.json(),
                    seen_at: now,
                    listed_at: reading.listed_at,
                    absent_at: reading.absent_at,
                });
            }
        }
        found.commands(ours, now)
    }
}

/// What a look found out.
#[derive(Default)]
struct Found<'a> {
    truths: Vec<Truth>,
    /// By episode and silence: alerts that a silence made elsewhere hides since this look.
    hidden: BTreeMap<(ThreadId, String), Hidden>,
    /// Alerts that are no longer suppressed.
    shown: Vec<(Suppressed, &'a Row)>,
    /// Alerts that are over.
    over: Vec<Identity>,
    /// Alerts that are active.
    active: HashSet<Identity>,
}

impl<'a> Found<'a> {
    fn note(&mut self, row: &'a Row, is: &State) {
        let was = &row.kept.state;
        match is {
            // Told once its author is known.
            State::SilencedElsewhere { id, by, until: Some(until), why } if !was_hidden_by(was, id) => {
                let (thread, alerts) = (row.alert.thread, Vec::new());
                let new = || Hidden { thread, alerts, id: id.clone(), by: by.clone(), until: *until, why: why.clone() };
                self.hidden.entry((thread, id.clone())).or_insert_with(new).alerts.push(row.alert.identity);
            }
            State::Active => {
                self.active.insert(row.alert.identity);
                self.shown.extend(was.suppressed().map(|by| (by, row)));
            }
            State::Gone => self.over.push(row.alert.identity),
            _ => {}
        }
    }

    fn commands(mut self, ours: &[Ours], now: Timestamp) -> VecDeque<Command> {
        let mut todo: VecDeque<Command> = self.hidden.into_values().map(Command::Hide).collect();
        for (_, row) in &self.shown {
            if let Some((step, Some(after))) = row.step {
                let due_at = now.plus_millis(after);
                todo.push_back(Command::Delay { alert: row.alert.alert, step, fired_at: now, due_at });
            }
        }
        for after in [Suppressed::Silence, Suppressed::Inhibition, Suppressed::Interval] {
            let shown = self.shown.iter().filter(|(how, _)| *how == after);
            let alerts: Vec<ActAlert> = shown.map(|(_, row)| row.alert.clone()).collect();
            if !alerts.is_empty() {
                todo.push_back(Command::Remind { after, alerts });
            }
        }
        if !self.over.is_empty() {
            self.over.dedup();
            todo.push_back(Command::Over(self.over));
        }
        // Otherwise the record would keep a silence as in force that was ended upstream, and a request for a new one
        // would be answered as a repetition.
        let shows = |silence: &&Ours| silence.until > now && silence.alerts.iter().any(|id| self.active.contains(id));
        let checks = ours.iter().filter(shows);
        todo.extend(checks.map(|silence| Command::Check { act: silence.act, id: silence.id.clone() }));
        if !self.truths.is_empty() {
            todo.push_back(Command::Note(self.truths));
        }
        todo
    }
}

/// The names of these alerts, to ask for them alone; none if there are too many, or one has no name of its own.
fn names(rows: &[Row]) -> Vec<String> {
    let names: Option<HashSet<String>> =
        rows.iter().map(|row| row.labels().remove("alertname").map(String::from)).collect();
    let mut names: Vec<String> = names.filter(|names| names.len() <= NAMES).into_iter().flatten().collect();
    names.sort_unstable();
    names
}

fn was_hidden_by(was: &State, silence: &str) -> bool {
    matches!(was, State::SilencedElsewhere { id, until: Some(_), .. } if id == silence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_back_and_anything_else_is_unknown() {
        let state = State::Muted { interval: "weekend".to_owned() };
        let kept = Kept { receiver: "wegraf".to_owned(), state };
        assert_eq!(Kept::read(&kept.json()), kept);
        for other in ["", "{}", r#"{"receiver":"x","state":{"is":"new"}}"#] {
            assert_eq!(Kept::read(other).state, State::Unknown, "{other}");
        }
    }
}
