//! Decides requests for acts, and which receivers are told of an act. Pure, shared by both backends.

use std::collections::{BTreeMap, HashSet};

use sha2::{Digest as _, Sha256};

use super::words::text;
use super::{About, ActAlert, ActKind, ActState, Doer, Listeners, NewAct, TargetRow};
use crate::alert::{Timestamp, TransitionKind};
use crate::names::LaneKey;

/// Bytes kept of an event's name.
const EVENT_BYTES: usize = 200;

/// A requested silence repeats an earlier one if it would end at most this much later: a second press of the button
/// shortly afterwards asks for the same.
pub(super) const SAME_END_MS: i64 = 60_000;

/// How long an ended silence is still watched, to see what became of its alerts: the absence of an alert must last up
/// to an hour (`gone_after`) before it counts as resolved, and upstream never reports an end that fell into the
/// silence.
pub(super) const AFTER_SILENCE_MS: i64 = 75 * 60_000;

/// WeCom accepts the code of a card for 72 h; one nearly that old is not tried, because a rejection costs a call.
pub(super) const CODE_MS: i64 = 71 * 3_600_000;

/// Alerts loaded for a message about an act: more than it can show.
pub(super) const ACT_NEWS: usize = 20;

/// The decision about a request for an act.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ruling {
    pub state: ActState,
    /// The earlier actor.
    pub before: Option<Doer>,
    /// The alerts it touches.
    pub touched: Vec<ActAlert>,
}

/// Decides a request for an act. `on`: the firing alerts it is about, for each receiver. `same`: the actor of an
/// earlier silence of them that would not end earlier.
pub(super) fn rule(act: &NewAct, on: &[ActAlert], same: Option<Doer>) -> Ruling {
    let ruling = |state, before, touched| Ruling { state, before, touched };
    let held = |held: bool| -> Vec<ActAlert> {
        on.iter().filter(|alert| alert.acknowledged.is_some() == held).cloned().collect()
    };
    match (act.kind, act.state) {
        (ActKind::Acknowledge | ActKind::Release, ActState::Done) | (ActKind::Silence, ActState::Open)
            if on.is_empty() && act.about != About::Nothing =>
        {
            ruling(ActState::Void, None, Vec::new())
        }
        (ActKind::Acknowledge, ActState::Done) => {
            let free = held(false);
            if free.is_empty() {
                let before = on.first().and_then(|alert| alert.acknowledged.clone());
                return ruling(ActState::Repeated, before, free);
            }
            ruling(ActState::Done, None, free)
        }
        (ActKind::Release, ActState::Done) => {
            let had = held(true);
            ruling(if had.is_empty() { ActState::Repeated } else { ActState::Done }, None, had)
        }
        (ActKind::Silence, ActState::Open) if same.is_some() => ruling(ActState::Repeated, same, Vec::new()),
        (_, state @ (ActState::Open | ActState::Done)) => ruling(state, None, on.to_vec()),
        (_, state) => ruling(state, None, Vec::new()),
    }
}

/// The alerts after the act, each once.
pub(super) fn left(act: &NewAct, on: Vec<ActAlert>, ruling: &Ruling, now: Timestamp) -> Vec<ActAlert> {
    let touched: HashSet<i64> = ruling.touched.iter().map(|alert| alert.alert).collect();
    let holder = match (act.kind, ruling.state) {
        (ActKind::Acknowledge, ActState::Done) => Some(Some(holder(act, now))),
        (ActKind::Release, ActState::Done) => Some(None),
        _ => None,
    };
    let changed = |mut alert: ActAlert| {
        if let Some(holder) = holder.as_ref().filter(|_| touched.contains(&alert.alert)) {
            alert.acknowledged.clone_from(holder);
        }
        alert
    };
    each_once(on.into_iter().map(changed).collect())
}

/// The owner of an alert after it was acknowledged.
pub(super) fn holder(act: &NewAct, now: Timestamp) -> Doer {
    Doer { by: text(&act.by).into_owned(), at: now, until: None }
}

/// Is this act told as soon as it is recorded, because no step upstream follows?
pub(super) const fn is_told_at_once(kind: ActKind, state: ActState) -> bool {
    let done = matches!(state, ActState::Done);
    done && matches!(kind, ActKind::Acknowledge | ActKind::Release | ActKind::Hide | ActKind::Forget)
}

/// The alerts among `on` that a request means.
pub(super) fn meant(act: &NewAct, mut on: Vec<ActAlert>) -> Vec<ActAlert> {
    on.retain(|alert| act.only.is_empty() || act.only.contains(&alert.identity));
    on
}

/// The transition kind under which an act is told; `None`: no message is sent about it.
pub(super) const fn told_as(kind: ActKind) -> Option<TransitionKind> {
    match kind {
        ActKind::Acknowledge => Some(TransitionKind::Acknowledged),
        ActKind::Release => Some(TransitionKind::Released),
        ActKind::Silence | ActKind::Extend | ActKind::Hide => Some(TransitionKind::Silenced),
        ActKind::Expire => Some(TransitionKind::Unsilenced),
        ActKind::Forget => Some(TransitionKind::Lapsed),
        ActKind::Resend | ActKind::Recall => None,
    }
}

/// A message about an act.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Telling<'a> {
    pub receiver: &'a str,
    pub target: &'a TargetRow,
    pub alerts: Vec<&'a ActAlert>,
}

impl Telling<'_> {
    /// Its short id.
    pub fn thread(&self) -> i64 {
        self.alerts.iter().map(|alert| alert.thread.0).min().unwrap_or_default()
    }

    /// The notification it is about.
    pub fn notification(&self) -> i64 {
        self.alerts.iter().map(|alert| alert.notification).max().unwrap_or_default()
    }
}

/// The messages about an act: one for each receiver of its alerts and target of that receiver.
pub(super) fn tellings<'a>(
    touched: &'a [ActAlert],
    listeners: &'a Listeners,
    except_lane: Option<&LaneKey>,
) -> Vec<Telling<'a>> {
    let mut receivers: BTreeMap<&str, Vec<&ActAlert>> = BTreeMap::new();
    for alert in touched {
        receivers.entry(&alert.receiver).or_default().push(alert);
    }
    let mut all = Vec::new();
    for (receiver, alerts) in receivers {
        let targets = listeners.get(receiver).into_iter().flatten();
        let told = targets.filter(|target| except_lane != Some(&target.lane));
        all.extend(told.map(|target| Telling { receiver, target, alerts: alerts.clone() }));
    }
    all
}

/// The message about an act for one more lane: the alerts that its receiver knows, or, if it knows none of them (it is
/// the fallback of another receiver), each of them once.
pub(super) fn telling<'a>(touched: &'a [ActAlert], receiver: &'a str, target: &'a TargetRow) -> Option<Telling<'a>> {
    let mut alerts: Vec<&ActAlert> = touched.iter().filter(|alert| alert.receiver == receiver).collect();
    if alerts.is_empty() {
        let mut seen = HashSet::new();
        alerts = touched.iter().filter(|alert| seen.insert(alert.identity)).collect();
    }
    (!alerts.is_empty()).then_some(Telling { receiver, target, alerts })
}

/// Each alert once, however many receivers know it.
pub(super) fn each_once(alerts: Vec<ActAlert>) -> Vec<ActAlert> {
    let mut seen = HashSet::new();
    alerts.into_iter().filter(|alert| seen.insert(alert.identity)).take(super::ACT_ALERTS).collect()
}

/// Did an earlier act touch all alerts of `on`, in their current episodes? `touched` has pairs of row and episode.
pub(super) fn covers(touched: &HashSet<(i64, i64)>, on: &[ActAlert]) -> bool {
    let covered: HashSet<_> = on
        .iter()
        .filter(|alert| touched.contains(&(alert.alert, alert.thread.0)))
        .map(|alert| alert.identity)
        .collect();
    on.iter().all(|alert| covered.contains(&alert.identity))
}

/// An event's name as stored. A long one ends in a digest, so that names that differ only at the end stay distinct.
pub(super) fn event(name: &str) -> String {
    if name.len() <= EVENT_BYTES {
        return text(name).into_owned();
    }
    let digest = Sha256::digest(name.as_bytes());
    let hex = digest[..16].iter().fold(String::from("#"), |hex, byte| hex + &format!("{byte:02x}"));
    let end = name.floor_char_boundary(EVENT_BYTES - hex.len());
    text(&name[..end]).into_owned() + &hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_of_events_stay_apart_and_short_ones_as_they_are() {
        let press = |code: &str| event(&format!("press/bot/{}/{}/{code}", "机器人".repeat(7), "c".repeat(128)));
        assert_ne!(press("one"), press("two"));
        assert_eq!(press("one"), press("one"), "WeCom brings one event up to three times");
        assert!(press("one").len() <= EVENT_BYTES);
        assert_eq!(event("press/app/ops/code"), "press/app/ops/code");
    }
}
