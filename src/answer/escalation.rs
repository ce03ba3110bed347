//! Tells further receivers of an alert that is not acknowledged in time, and tells them again when it is resolved.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use tracing::{info, warn};

use super::origin::Origins;
use super::relay::{pass_on, tell_end};
use super::watching::ask;
use super::{Acts, Setup};
use crate::alert::{Status, Timestamp};
use crate::config::{EscalationStep, Receiver};
use crate::engine::truth::Verdict;
use crate::ingest::RELAYED;
use crate::render::Note;
use crate::store::{ActAlert, Escalation, StoreError};

/// Alerts in one round; in a storm the next round follows at once.
const AT_ONCE: u32 = 200;
/// A receiver that was told of the alert more recently than this is not told again.
const AGAIN: Duration = Duration::from_secs(30);
/// A step that waits is asked about again after this time.
const HELD_MS: i64 = 15_000;

/// Takes the steps that are due.
pub(super) async fn step(acts: &Acts) -> Result<(), StoreError> {
    loop {
        let due = acts.store.due_escalations(acts.clock.now(), AT_ONCE).await?;
        let full = due.len() >= AT_ONCE as usize;
        let setup = acts.setup.now();
        // Alerts that were told together are escalated together.
        let mut groups: BTreeMap<(String, u32, i64, bool), Vec<Escalation>> = BTreeMap::new();
        for (escalation, unknown) in asked(acts, &setup, due).await? {
            let key = (escalation.alert.receiver.clone(), escalation.step, escalation.alert.notification, unknown);
            groups.entry(key).or_default().push(escalation);
        }
        // A failure of one group does not keep the others from their steps.
        let mut failed = None;
        for ((.., unknown), group) in groups {
            failed = take(acts, &setup, group, unknown).await.err().or(failed);
        }
        match failed {
            Some(error) => return Err(error),
            None if full => {}
            None => return Ok(()),
        }
    }
}

/// Those whose step is taken now, and whether without knowing their state upstream. The others wait: their upstream says
/// that they are silenced, inhibited, muted or no longer there.
async fn asked(acts: &Acts, setup: &Setup, due: Vec<Escalation>) -> Result<Vec<(Escalation, bool)>, StoreError> {
    let firing: Vec<Escalation> = due.iter().filter(|due| due.alert.status == Status::Firing).cloned().collect();
    let verdicts = ask(acts, setup, &firing).await?;
    if verdicts.is_empty() {
        return Ok(due.into_iter().map(|due| (due, false)).collect());
    }
    // The answers may have ended an alert, or begun the time of its step anew.
    let known: HashSet<i64> = due.iter().map(|due| due.alert.alert).collect();
    let mut taken = Vec::new();
    for due in acts.store.due_escalations(acts.clock.now(), AT_ONCE).await? {
        if !known.contains(&due.alert.alert) {
            continue;
        }
        match turn(&due, verdicts.get(&due.alert.alert).copied(), acts.clock.now()) {
            Turn::Taken { unknown } => taken.push((due, unknown)),
            Turn::Later(later) => {
                acts.store.delay_escalation(due.alert.alert, due.step, due.fired_at, later).await?;
            }
        }
    }
    Ok(taken)
}

/// What becomes of an escalation that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It goes on now; `unknown`: without knowing the state upstream.
    Taken { unknown: bool },
    /// It waits, and is asked about again then.
    Later(Timestamp),
}

/// Decides by what the upstream says; `None`: the alert has none.
pub(crate) fn turn(due: &Escalation, verdict: Option<Verdict>, now: Timestamp) -> Turn {
    match verdict.filter(|_| due.alert.status == Status::Firing) {
        None => Turn::Taken { unknown: false },
        Some(Verdict::Step { unknown }) => Turn::Taken { unknown },
        Some(Verdict::Hold | Verdict::End) => Turn::Later(now.plus_millis(HELD_MS)),
    }
}

/// Takes the same step for alerts that were told together; `unknown`: without knowing their state upstream.
async fn take(acts: &Acts, setup: &Setup, group: Vec<Escalation>, unknown: bool) -> Result<(), StoreError> {
    let receiver = group.first().and_then(|due| setup.config.receiver(&due.alert.receiver));
    let steps = receiver.as_ref().map_or(&[][..], |receiver| &receiver.escalate);
    let mut to_tell: BTreeMap<String, Vec<&Escalation>> = BTreeMap::new();
    let nexts: Vec<(&Escalation, Next)> = group.iter().map(|due| (due, next(steps, due))).collect();
    for (due, next) in &nexts {
        if let Next::Tell { receiver: Some(receiver), .. } = next {
            to_tell.entry(receiver.clone()).or_default().push(due);
        }
    }
    for (receiver, due) in to_tell {
        tell(acts, setup, &due, &receiver, unknown).await?;
    }
    for (due, next) in nexts {
        match next {
            Next::Over => over(acts, setup, due, steps).await?,
            Next::Nobody => {
                acts.store.advance_escalation(due.alert.alert, due.step, None).await?;
            }
            Next::Tell { following, .. } => {
                acts.store.advance_escalation(due.alert.alert, due.step, following).await?;
            }
        }
    }
    Ok(())
}

/// Tells the receivers of earlier steps that an alert is resolved: those that the steps name, and those that wegraf
/// itself told last, because the steps may have been configured differently then.
async fn over(acts: &Acts, setup: &Setup, due: &Escalation, steps: &[EscalationStep]) -> Result<(), StoreError> {
    let told = acts.store.told_firing(vec![due.alert.identity]).await?;
    let mut ended = Vec::new();
    for row in told.into_iter().filter(|row| due.others.contains(&row.receiver)) {
        let named = is_step(steps, &due.alert.receiver, &row.receiver);
        if named || acts.store.notification(row.notification).await?.is_some_and(|kept| kept.format == RELAYED) {
            ended.push(ActAlert { ends_at: due.alert.ends_at, ..row });
        }
    }
    tell_end(acts, setup, &ended).await?;
    acts.store.forget_escalation(due.alert.alert).await
}

/// The next step of an escalation that is due.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The alert is resolved: receivers that were told of it are told so.
    Over,
    /// There is no further step.
    Nobody,
    /// This receiver is told (`None`: the step is for critical alerts only); the next step is due at `following`.
    Tell { receiver: Option<String>, following: Option<Timestamp> },
}

pub(crate) fn next(steps: &[EscalationStep], due: &Escalation) -> Next {
    if due.alert.status == Status::Resolved {
        return Next::Over;
    }
    let mut left = steps.iter().skip(due.step as usize);
    let Some(step) = left.next() else { return Next::Nobody };
    let after = |step: &EscalationStep| i64::try_from(step.after.as_millis()).unwrap_or(i64::MAX);
    let following = left.next().map(|step| due.fired_at.plus_millis(after(step)));
    let wanted = !step.only_critical || due.alert.critical;
    let receiver = wanted.then(|| step.receiver(&due.alert.receiver, due.step as usize));
    Next::Tell { receiver, following }
}

fn is_step(steps: &[EscalationStep], base: &str, receiver: &str) -> bool {
    steps.iter().enumerate().any(|(index, step)| step.receiver(base, index) == receiver)
}

/// Tells the next receiver, unless it knows of the alert already.
async fn tell(acts: &Acts, setup: &Setup, due: &[&Escalation], to: &str, unknown: bool) -> Result<(), StoreError> {
    let (Some(receiver), Some(first)) = (setup.config.receiver(to), due.first()) else {
        warn!(receiver = to, "The next receiver of an escalation is gone from the configuration.");
        return Ok(());
    };
    let rows: Vec<ActAlert> = due.iter().map(|due| due.alert.clone()).collect();
    let mut origins = Origins::of(&acts.store, setup, &rows);
    let minutes = u64::try_from(acts.clock.now().millis_since(first.fired_at) / 60_000).unwrap_or_default();
    let note = Note::Escalated { receiver: first.alert.receiver.clone(), minutes, unknown };
    let note_json = serde_json::to_string(&note).expect("a note is JSON");
    // A receiver that was told by its own route gets a reminder; the half minute distinguishes that from another
    // replica's copy.
    let again = Receiver { repeat_interval: AGAIN, escalate: Vec::new(), ..receiver.as_ref().clone() };
    let mut passed = 0;
    while let Some(origin) = origins.next().await? {
        let told: Vec<_> = origin.alerts().map(|(row, alert)| (row, alert.clone())).collect();
        passed += told.len();
        pass_on(acts, &origin.notification, told, &again, Some(note_json.clone())).await?;
    }
    if passed < due.len() {
        warn!(receiver = to, "An alert cannot be escalated: what told of it was pruned.");
    }
    info!(
        alert = first.alert.name,
        alerts = passed,
        from = first.alert.receiver,
        to,
        minutes,
        "Nobody took an alert in time; the next are told."
    );
    acts.metrics.escalations.inc();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{Identity, ThreadId};
    use crate::config::EscalateTo;
    use crate::names::SourceId;

    const FIRED: Timestamp = Timestamp(1_700_000_000_000);

    fn step(minutes: u64, receiver: &str, only_critical: bool) -> EscalationStep {
        EscalationStep {
            after: Duration::from_mins(minutes),
            to: EscalateTo::Receiver(receiver.to_owned()),
            only_critical,
        }
    }

    fn due(step: u32, critical: bool, status: Status) -> Escalation {
        let alert = ActAlert {
            alert: 1,
            identity: Identity([1; 32]),
            receiver: "ops".to_owned(),
            source: SourceId::Configured("am".to_owned()),
            name: "磁盘将满".to_owned(),
            labels_json: "{}".to_owned(),
            critical,
            status,
            starts_at: None,
            ends_at: None,
            notification: 1,
            thread: ThreadId(1),
            sender: String::new(),
            acknowledged: None,
        };
        Escalation { alert, step, fired_at: FIRED, others: Vec::new() }
    }

    #[test]
    fn steps_are_taken_in_order_counted_from_the_firing_and_end_with_the_alert() {
        let steps = [step(10, "dba", false), step(30, "boss", true), step(60, "all", false)];
        let at = |minutes: i64| Some(FIRED.plus_millis(minutes * 60_000));
        let firing = Status::Firing;
        assert_eq!(
            next(&steps, &due(0, true, firing)),
            Next::Tell { receiver: Some("dba".to_owned()), following: at(30) }
        );
        assert_eq!(
            next(&steps, &due(1, true, firing)),
            Next::Tell { receiver: Some("boss".to_owned()), following: at(60) }
        );
        assert_eq!(next(&steps, &due(1, false, firing)), Next::Tell { receiver: None, following: at(60) });
        assert_eq!(
            next(&steps, &due(2, false, firing)),
            Next::Tell { receiver: Some("all".to_owned()), following: None }
        );
        assert_eq!(next(&steps, &due(3, true, firing)), Next::Nobody);
        assert_eq!(next(&steps, &due(1, true, Status::Resolved)), Next::Over);
        assert_eq!(next(&[], &due(0, true, firing)), Next::Nobody, "the steps were taken out of the configuration");
    }
}
