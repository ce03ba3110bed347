//! What an arrival changes, given what the store knows of its alert: the same for both halves, and pure.

use super::{Admission, Arrival, Recipient};
use crate::alert::{Status, Timestamp, TransitionKind};
use crate::news::{self, Known, Policy, Quiet, Seen, Suppression, Verdict};

/// What the store knows of an alert for one receiver, with its row.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub id: i64,
    /// The notification that began the episode.
    pub thread: i64,
    /// The one that told the last transition.
    pub notification: i64,
    /// When a sender last spoke of it, as far as that is on record.
    pub heard_at: Timestamp,
    pub known: Known,
}

/// That an alert is still reported is put on record once in so long: most reports change nothing and cost no write.
pub(super) const HEARD_MS: i64 = 3_600_000;

impl Row {
    /// Is it to be put on record that this report, which changes nothing, still speaks of the alert?
    pub fn is_heard(&self, arrival: &Arrival, now: Timestamp) -> bool {
        let is_on = self.known.status == Status::Firing && arrival.status == Status::Firing;
        is_on && now.millis_since(self.heard_at) >= HEARD_MS
    }
}

/// An alert whose state changes.
#[derive(Debug)]
pub(super) struct Change<'a> {
    pub arrival: &'a Arrival,
    /// Its row, if it has one.
    pub row: Option<i64>,
    /// The notification that began the episode; `None`: the one that is being admitted.
    pub thread: Option<i64>,
    pub kind: TransitionKind,
    /// Why people do not hear of it.
    pub suppressed: Option<Suppression>,
    pub ends_at: Option<Timestamp>,
    /// What is known afterwards.
    pub after: Known,
}

/// What becomes of an arrival.
#[derive(Debug)]
pub(super) enum Judged<'a> {
    Changed(Change<'a>),
    /// Nothing. The notification is the one that told what this one repeats; 0 if none did.
    Quiet(Quiet, i64),
}

pub(super) fn judge<'a>(
    admission: &Admission,
    recipient: &Recipient,
    arrival: &'a Arrival,
    before: Option<&Row>,
) -> Judged<'a> {
    let now = admission.received_at;
    let known = before.map(|row| &row.known);
    let seen = Seen {
        status: arrival.status,
        starts_at: arrival.starts_at,
        ends_at: arrival.ends_at,
        sender: &admission.sender,
        keyless: arrival.kin.as_ref().is_some_and(|kin| !kin.keyed),
    };
    let policy = Policy {
        send_resolved: recipient.send_resolved,
        repeat_interval_ms: recipient.repeat_interval_ms,
        push: admission.push,
        test: admission.test,
    };
    let (kind, suppressed) = match news::decide(known, &seen, &policy, now) {
        Verdict::Told(kind) if recipient.targets.is_empty() => (kind, Some(Suppression::NoTarget)),
        Verdict::Told(kind) => (kind, None),
        Verdict::Suppressed(kind, reason) => (kind, Some(reason)),
        Verdict::Nothing(quiet) => return Judged::Quiet(quiet, before.map_or(0, |row| row.notification)),
    };
    let after = Known::after(known, &seen, kind, now);
    let ends_at = match after.status {
        Status::Firing => None,
        Status::Resolved | Status::Notice => Some(arrival.ends_at.unwrap_or(now)),
    };
    let thread = match kind {
        TransitionKind::Firing | TransitionKind::Notice => None,
        _ => before.map(|row| row.thread),
    };
    Judged::Changed(Change { arrival, row: before.map(|row| row.id), thread, kind, suppressed, ends_at, after })
}

impl Change<'_> {
    /// Is it told to people?
    pub const fn told(&self) -> bool {
        self.suppressed.is_none()
    }

    /// May its message use the reserve of a budget?
    pub fn urgent(&self) -> bool {
        self.arrival.critical || self.kind == TransitionKind::Resolved
    }
}
