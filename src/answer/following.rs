//! One look at an upstream for the alerts that came from it, and what follows: a silence made elsewhere is told once,
//! the end of a suppression is a reminder, and what is gone is over.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use super::origin::Origins;
use super::relay::{pass_on, tell_end};
use super::silencing::client;
use super::{Acts, Setup};
use crate::alert::{Identity, Labels, ThreadId, Timestamp};
use crate::config::{Receiver, Upstream};
use crate::engine::truth::{Before, Said, State, Suppressed, together};
use crate::render::{Hidden, Note};
use crate::store::{About, ActAlert, ActKind, ActState, Followed, NewAct, Silence, StoreError, Truth};
use crate::upstream::{Client, Problem, SilenceState};

/// Alert names that are asked for by name; more of them, and everything is listed.
const NAMES: usize = 8;
/// A reading of the same state is recorded again after this time: the step of an escalation accepts one of a minute.
const NOTED_MS: i64 = 10_000;
/// A receiver that was told this recently is not reminded.
const AGAIN: Duration = Duration::from_secs(30);

/// What is kept of a reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Upstream's own receiver that told us; empty if it is unknown.
    pub receiver: String,
    /// The state.
    pub state: State,
}

impl Kept {
    /// As it is stored.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("a state is JSON")
    }

    /// Reads it; another version's is unknown.
    pub fn read(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or(Self { receiver: String::new(), state: State::Unknown })
    }
}

/// A firing alert of one receiver, with its upstream.
#[derive(Debug)]
pub(super) struct Row {
    pub alert: ActAlert,
    /// The step of its escalation that waits.
    pub step: Option<u32>,
    /// Name of its upstream; empty if it has none.
    pub upstream: String,
    kept: Kept,
    before: Option<Before>,
}

impl Row {
    pub fn of(one: Followed) -> Self {
        let unknown = || Kept { receiver: String::new(), state: State::Unknown };
        let kept = one.truth.as_ref().map_or_else(unknown, |truth| Kept::read(&truth.state_json));
        let before = one.truth.as_ref().map(|truth| Before {
            seen_at: truth.seen_at,
            listed_at: truth.listed_at,
            absent_at: truth.absent_at,
        });
        let upstream = one.truth.map(|truth| truth.upstream).unwrap_or_default();
        Self { alert: one.alert, step: one.step, upstream, kept, before }
    }

    /// The newest reading and its time.
    pub fn reading(&self) -> Option<(&State, Timestamp)> {
        self.before.map(|before| (&self.kept.state, before.seen_at))
    }

    /// Was it read within the last `ms`, and not only found to be this upstream's?
    pub fn is_younger(&self, ms: i64, now: Timestamp) -> bool {
        self.kept.state != State::Unknown
            && self.before.is_some_and(|before| (0..ms).contains(&now.millis_since(before.seen_at)))
    }

    /// Does something depend on the next look?
    pub fn is_open(&self) -> bool {
        self.step.is_some() || self.kept.state != State::Active
    }

    fn labels(&self) -> Labels {
        serde_json::from_str(&self.alert.labels_json).unwrap_or_default()
    }
}

/// What a look found out.
#[derive(Default)]
struct Found<'a> {
    truths: Vec<Truth>,
    /// By episode and silence: alerts that a silence made elsewhere hides since this look.
    hidden: BTreeMap<(ThreadId, &'a str), Vec<&'a ActAlert>>,
    /// Alerts that nothing suppresses any more.
    shown: Vec<(Suppressed, &'a Row)>,
    /// Alerts that are over.
    over: Vec<Identity>,
    /// Alerts that are active.
    active: HashSet<Identity>,
}

/// Looks at the alerts of one upstream, records what it says, and does what follows. False if no peer answered.
pub(super) async fn follow(
    acts: &Acts,
    setup: &Setup,
    upstream: &Upstream,
    rows: &[&Row],
    patience: Duration,
) -> Result<bool, StoreError> {
    let Ok(client) = client(setup, &upstream.name) else { return Ok(false) };
    let mut silences = acts.store.silences(acts.clock.now()).await?;
    silences.retain(|silence| silence.upstream == upstream.name);
    let ours: HashSet<String> = silences.iter().map(|silence| silence.upstream_id.clone()).collect();
    let mut silenced_here: HashSet<Identity> = HashSet::new();
    for silence in &silences {
        silenced_here.extend(acts.store.act_alerts(silence.act).await?.iter().map(|alert| alert.identity));
    }
    let looks = client.look(&names(rows), &ours, patience).await;
    let now = acts.clock.now();
    let gone_after_ms = i64::try_from(upstream.gone_after.as_millis()).unwrap_or(i64::MAX);
    let readings: Vec<_> = rows
        .iter()
        .map(|row| {
            let labels = row.labels();
            let said = looks.iter().map(|look| match look {
                Ok(look) => look.said(&labels, &row.kept.receiver, &ours, now),
                Err(_) => Said::Nothing,
            });
            let known = silenced_here.contains(&row.alert.identity);
            together(&said.collect::<Vec<_>>(), row.before, known, gone_after_ms, now)
        })
        .collect();
    let mut found = Found::default();
    for (row, reading) in rows.iter().zip(&readings) {
        let (was, is) = (&row.kept.state, &reading.state);
        // The last reading stays, until it is too old to say anything.
        if *is == State::Unknown {
            continue;
        }
        let fresh = row.before.is_some_and(|before| (0..NOTED_MS).contains(&now.millis_since(before.seen_at)));
        if was != is || !fresh {
            found.truths.push(Truth {
                alert: row.alert.alert,
                thread: row.alert.thread,
                upstream: upstream.name.clone(),
                state_json: Kept { receiver: row.kept.receiver.clone(), state: is.clone() }.json(),
                seen_at: now,
                listed_at: reading.listed_at,
                absent_at: reading.absent_at,
            });
        }
        match is {
            // Told once its author is known.
            State::SilencedElsewhere { id, until: Some(_), .. } if !was_hidden_by(was, id) => {
                found.hidden.entry((row.alert.thread, id)).or_default().push(&row.alert);
            }
            State::Active => {
                found.active.insert(row.alert.identity);
                found.shown.extend(was.suppressed().map(|by| (by, *row)));
            }
            State::Gone => found.over.push(row.alert.identity),
            _ => {}
        }
    }
    let states: HashMap<i64, &State> =
        rows.iter().zip(&readings).map(|(row, reading)| (row.alert.alert, &reading.state)).collect();
    for ((thread, _), alerts) in &found.hidden {
        if let Some(state) = states.get(&alerts[0].alert) {
            tell_hidden(acts, setup, upstream, *thread, alerts, state).await?;
        }
    }
    tell_shown(acts, setup, &found.shown, now).await?;
    if !found.over.is_empty() {
        info!(upstream = upstream.name, alerts = found.over.len(), "Alerts are gone upstream: they are over.");
        found.over.dedup();
        let told = acts.store.told_firing(found.over).await?;
        tell_end(acts, setup, &told).await?;
    }
    for silence in silences.iter().filter(|silence| silence.until > now) {
        let touched = acts.store.act_alerts(silence.act).await?;
        let shown = touched.iter().any(|alert| found.active.contains(&alert.identity));
        if shown && is_gone(client, silence).await {
            acts.store.extend_silence(silence.act, silence.upstream_id.clone(), now).await?;
        }
    }
    if !found.truths.is_empty() {
        acts.store.note_truths(found.truths).await?;
    }
    Ok(looks.iter().any(Result::is_ok))
}

/// The names of these alerts, to ask for them alone; none if there are too many, or one has no name of its own.
fn names(rows: &[&Row]) -> Vec<String> {
    let names: Option<HashSet<String>> = rows.iter().map(|row| row.labels().remove("alertname")).collect();
    let mut names: Vec<String> = names.filter(|names| names.len() <= NAMES).into_iter().flatten().collect();
    names.sort_unstable();
    names
}

fn was_hidden_by(was: &State, silence: &str) -> bool {
    matches!(was, State::SilencedElsewhere { id, until: Some(_), .. } if id == silence)
}

/// Tells everybody who heard of these alerts that a silence made elsewhere hides them: by whom, until when, why. Once
/// for each silence and episode.
async fn tell_hidden(
    acts: &Acts,
    setup: &Setup,
    upstream: &Upstream,
    thread: ThreadId,
    alerts: &[&ActAlert],
    state: &State,
) -> Result<(), StoreError> {
    let State::SilencedElsewhere { id, by, until, why } = state else { return Ok(()) };
    let act = NewAct {
        event: format!("hide/{}/{id}/{}", upstream.name, thread.0),
        kind: ActKind::Hide,
        state: ActState::Done,
        by: by.clone(),
        via: format!("upstream/{}", upstream.name),
        about: About::Thread(thread),
        only: alerts.iter().map(|alert| alert.identity).collect(),
        until: *until,
        detail: why.clone(),
        code: None,
        except_lane: None,
        listeners: setup.listeners.clone(),
    };
    let acted = acts.store.act(act, acts.clock.now()).await?;
    if !acted.again {
        info!(upstream = upstream.name, silence = id, by, "Alerts are silenced upstream.");
        acts.metrics.count_act(ActKind::Hide, acted.state);
    }
    Ok(())
}

/// Reminds of alerts that nothing suppresses any more. The waiting step of each counts anew from now.
async fn tell_shown(
    acts: &Acts,
    setup: &Setup,
    shown: &[(Suppressed, &Row)],
    now: Timestamp,
) -> Result<(), StoreError> {
    for (_, row) in shown {
        let receiver = setup.config.receiver(&row.alert.receiver);
        let step = row.step.and_then(|step| Some((step, receiver.as_ref()?.escalate.get(step as usize)?.after)));
        if let Some((step, after)) = step {
            let due_at = now.plus_millis(i64::try_from(after.as_millis()).unwrap_or(i64::MAX));
            acts.store.delay_escalation(row.alert.alert, step, now, due_at).await?;
        }
    }
    for by in [Suppressed::Silence, Suppressed::Inhibition, Suppressed::Interval] {
        let alerts: Vec<ActAlert> =
            shown.iter().filter(|(how, _)| *how == by).map(|(_, row)| row.alert.clone()).collect();
        if alerts.is_empty() {
            continue;
        }
        let after = match by {
            Suppressed::Silence => Hidden::Silence,
            Suppressed::Inhibition => Hidden::Inhibition,
            Suppressed::Interval => Hidden::Interval,
        };
        let note_json = serde_json::to_string(&Note::Shown { after }).expect("a note is JSON");
        let origins = Origins::of(&acts.store, setup, &alerts).await?;
        for (notification, told) in origins.iter() {
            let mut by_receiver: BTreeMap<&str, Vec<_>> = BTreeMap::new();
            for (row, alert) in told {
                by_receiver.entry(&row.receiver).or_default().push((row, alert.clone()));
            }
            for (name, told) in by_receiver {
                let Some(receiver) = setup.config.receiver(name) else {
                    warn!(receiver = name, "A receiver is gone from the configuration and is not reminded.");
                    continue;
                };
                let again = Receiver { repeat_interval: AGAIN, escalate: Vec::new(), ..receiver.as_ref().clone() };
                pass_on(acts, notification, told, &again, Some(note_json.clone())).await?;
            }
        }
    }
    Ok(())
}

/// Was this silence of ours ended upstream? Otherwise the record would keep it as in force, and a request for a new one
/// would be answered as a repetition.
async fn is_gone(client: &Client, silence: &Silence) -> bool {
    match client.get(&silence.upstream_id).await {
        Ok(there) => there.state == SilenceState::Expired,
        Err(error) => error.problem == Problem::NotFound,
    }
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
