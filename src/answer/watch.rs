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
use crate::engine::truth::{Before, FRESH_MS, Said, State, Suppressed, together};
use crate::store::{ActAlert, Followed, Truth};
use crate::upstream::{Index, Look};

/// Interval of looks while something depends on them: a step that waits, a suppressed alert, one that is absent.
pub(super) const OPEN: Duration = Duration::from_secs(15);
/// Interval of looks otherwise, and longest interval while an upstream does not answer.
const QUIET: Duration = Duration::from_mins(1);
/// Up to this many alert names are queried singly; above it all alerts are listed.
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
    /// By name.
    asked: HashMap<String, Asked>,
}

/// How an upstream was asked last.
#[derive(Debug, Clone, Copy)]
struct Asked {
    at: Instant,
    /// Consecutive failures.
    failures: u32,
    /// Was something open then?
    open: bool,
}

/// What one round makes of an upstream, page by page of its alerts.
#[derive(Debug, Default)]
pub(super) struct Round(HashMap<String, Turn>);

/// What becomes of the remaining alerts of an upstream in this round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// It is not due.
    Later,
    /// It is asked about them; `open`: one of those before needs the next look soon.
    Asked { open: bool },
    /// It does not answer.
    Silent { open: bool },
}

impl Rounds {
    /// Is this page of alerts of an upstream asked about? All pages of a round are, or none. `all`: it is asked in any case.
    pub fn takes(&self, round: &mut Round, upstream: &Upstream, rows: &[Row], all: bool, at: Instant) -> bool {
        let open = rows.iter().any(Row::is_open);
        let first = || if all || self.is_due(upstream, open, at) { Turn::Asked { open } } else { Turn::Later };
        let turn = round.0.entry(upstream.name.clone()).or_insert_with(first);
        match turn {
            Turn::Asked { open: before } => *before |= open,
            Turn::Silent { .. } | Turn::Later => return false,
        }
        true
    }

    /// Alerts with a waiting step stand on the first page; whether others are open is known from the last round.
    fn is_due(&self, upstream: &Upstream, open: bool, at: Instant) -> bool {
        let Some(asked) = self.asked.get(&upstream.name) else { return true };
        let interval = if open || asked.open { open_interval(upstream) } else { QUIET };
        at.duration_since(asked.at) >= interval.saturating_mul(1 << asked.failures.min(4)).min(QUIET)
    }

    /// The round is over.
    pub fn end(&mut self, round: Round, at: Instant) {
        for (upstream, turn) in round.0 {
            let (open, answered) = match turn {
                Turn::Later => continue,
                Turn::Asked { open } => (open, true),
                Turn::Silent { open } => (open, false),
            };
            let failures = self.asked.get(&upstream).map_or(0, |asked| asked.failures);
            let failures = if answered { 0 } else { failures + 1 };
            self.asked.insert(upstream, Asked { at, failures, open });
        }
    }
}

impl Round {
    /// The upstream did not answer: it is not asked about the next page.
    pub fn gave_up(&mut self, upstream: &str) {
        if let Some(turn @ Turn::Asked { .. }) = self.0.get_mut(upstream) {
            let open = *turn == Turn::Asked { open: true };
            *turn = Turn::Silent { open };
        }
    }

    /// It could not be asked, for a reason that is not the upstream's: it stays due.
    pub fn forget(&mut self, upstream: &str) {
        self.0.insert(upstream.to_owned(), Turn::Later);
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

impl Command {
    /// Would it be wrong by an old look? An end cannot be taken back.
    const fn is_of_the_present(&self) -> bool {
        matches!(self, Self::Over(_))
    }
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
    /// When it was asked.
    asked_at: Timestamp,
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
        Self {
            upstream,
            gone_after_ms,
            rows,
            phase: Phase::Idle,
            todo: VecDeque::new(),
            answered: false,
            asked_at: Timestamp(0),
        }
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
                self.asked_at = now;
                Command::Look { names: names(&self.rows), ours: ids }
            }
            (Phase::Looking(ours), Event::Looked(looks)) => {
                self.answered = looks.iter().any(Option::is_some);
                self.todo = self.follow(&ours, &looks, now);
                self.next(now)
            }
            (Phase::Checking(act, id), Event::Checked { gone: true }) => {
                self.phase = Phase::Doing;
                Command::Drop { act, id }
            }
            (Phase::Checking(..), Event::Checked { gone: false }) | (Phase::Doing, Event::Done) => self.next(now),
            (phase, event) => panic!("{event:?} answers no command of {phase:?}"),
        }
    }

    fn next(&mut self, now: Timestamp) -> Command {
        // This process was paused, and the alerts may have fired again since: the next look decides anew.
        let is_old = !(0..=FRESH_MS).contains(&now.millis_since(self.asked_at));
        if is_old && self.todo.front().is_some_and(Command::is_of_the_present) {
            self.todo.clear();
        }
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
        let indexes: Vec<Option<Index<'_>>> = looks.iter().map(|look| look.as_ref().map(Look::index)).collect();
        for row in &self.rows {
            let labels = row.labels();
            let said: Vec<Said> = indexes
                .iter()
                .map(|index| match index {
                    Some(index) => index.said(&labels, &row.kept.receiver, &ids, now),
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
        let mut todo = VecDeque::new();
        if !self.over.is_empty() {
            self.over.dedup();
            // First, since it is true of the present only.
            todo.push_back(Command::Over(self.over));
        }
        todo.extend(self.hidden.into_values().map(Command::Hide));
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
    use crate::alert::Status;
    use crate::config::UpstreamKind;
    use crate::names::SourceId;

    fn upstream() -> Upstream {
        Upstream {
            name: "am".to_owned(),
            kind: UpstreamKind::Alertmanager,
            url: "http://am:9093".to_owned(),
            peers: Vec::new(),
            credential: None,
            ca_file: None,
            sources: Vec::new(),
            org_id: None,
            gone_after: Duration::from_mins(2),
            tenant: None,
            ignore_labels: Vec::new(),
        }
    }

    fn alert() -> ActAlert {
        ActAlert {
            alert: 1,
            identity: Identity([1; 32]),
            receiver: "ops".to_owned(),
            source: SourceId::Configured("am".to_owned()),
            name: "磁盘将满".to_owned(),
            labels_json: r#"{"alertname":"磁盘将满"}"#.to_owned(),
            critical: false,
            status: Status::Firing,
            starts_at: None,
            ends_at: None,
            notification: 1,
            thread: ThreadId(1),
            sender: String::new(),
            acknowledged: None,
        }
    }

    #[test]
    fn an_upstream_is_asked_about_all_pages_of_a_round_or_none_and_not_again_once_it_is_silent() {
        let upstream = upstream();
        let begin = Instant::now();
        let at = |seconds: u64| begin + Duration::from_secs(seconds);
        let page = |state: State| {
            let kept = Kept { receiver: String::new(), state };
            vec![Row { alert: alert(), step: None, upstream: "am".to_owned(), kept, before: None }]
        };
        let mut rounds = Rounds::default();
        // Only the last page holds something open: the next look is soon.
        let mut round = Round::default();
        assert!(rounds.takes(&mut round, &upstream, &page(State::Active), false, at(0)));
        assert!(rounds.takes(&mut round, &upstream, &page(State::Absent), false, at(0)));
        rounds.end(round, at(0));
        let mut round = Round::default();
        assert!(!rounds.takes(&mut round, &upstream, &page(State::Active), false, at(14)));
        assert!(!rounds.takes(&mut round, &upstream, &page(State::Absent), false, at(16)), "all pages or none");
        rounds.end(round, at(16));
        let mut round = Round::default();
        assert!(rounds.takes(&mut round, &upstream, &page(State::Active), false, at(16)));
        round.gave_up("am");
        assert!(!rounds.takes(&mut round, &upstream, &page(State::Active), false, at(16)), "it does not answer");
        rounds.end(round, at(16));
        let due = |seconds| rounds.takes(&mut Round::default(), &upstream, &page(State::Active), false, at(seconds));
        assert!(!due(16 + 59) && due(16 + 60), "quiet, and once in vain");
        assert!(rounds.takes(&mut Round::default(), &upstream, &page(State::Active), true, at(17)), "all are asked");
    }

    #[test]
    fn a_process_that_was_paused_ends_nothing_by_what_it_read_before() {
        let upstream = upstream();
        let at = |ms: i64| Timestamp(1_700_000_000_000).plus_millis(ms);
        let before = Before { seen_at: at(-10_000), listed_at: Some(at(-130_000)), absent_at: Some(at(-120_000)) };
        let kept = Kept { receiver: String::new(), state: State::Absent };
        let row = Row { alert: alert(), step: None, upstream: "am".to_owned(), kept, before: Some(before) };
        // It answers in time, after a pause, and after the clock was set back.
        for (answered, over) in [(FRESH_MS, true), (FRESH_MS + 1, false), (-1, false)] {
            let mut watch = Watch::new(&upstream, vec![row.clone()]);
            assert!(matches!(watch.on(Event::Started, at(0)), Command::Silences));
            assert!(matches!(watch.on(Event::Silences(Vec::new()), at(0)), Command::Look { .. }));
            let next = watch.on(Event::Looked(vec![Some(Look::default())]), at(answered));
            assert_eq!(matches!(next, Command::Over(_)), over, "{next:?}");
            if over {
                let next = watch.on(Event::Done, at(answered));
                assert!(matches!(next, Command::Note(_)), "{next:?}");
            } else {
                assert!(matches!(next, Command::End { answered: true }), "{next:?}");
            }
        }
    }

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
