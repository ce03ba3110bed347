//! Decides what an arrival changes, given the stored state of its alert.

use super::admission::{Admission, Arrival, Recipient};
use super::changes::AlertState;
use super::dedup::{self, Known, Policy, Quiet, Seen, Suppression, Verdict};
use crate::alert::{Status, Timestamp, TransitionKind};

/// The stored state of an alert for one receiver, with its row.
#[derive(Debug, Clone)]
pub struct AlertRow {
    pub id: i64,
    /// The notification that began the episode.
    pub thread: i64,
    /// The notification that told the last transition.
    pub notification: i64,
    /// When a sender last reported it, as far as that is on record.
    pub heard_at: Timestamp,
    /// When it lapses, as far as that is on record.
    pub lapses_at: Option<Timestamp>,
    pub known: Known,
}

/// A firing alert's last report is recorded at most this often: most reports change nothing and must not cost a write.
pub const HEARD_MS: i64 = 3_600_000;

const DAY_MS: i64 = 24 * 3_600_000;

/// A later time of lapsing is recorded if it is later by at least this: senders that repeat themselves every second must
/// not cost a write each time, and the grace of a minute in that time covers what is left out.
const LAPSES_MS: i64 = 30_000;

impl From<&AlertState> for AlertRow {
    fn from(state: &AlertState) -> Self {
        let AlertState { id, thread, notification, lapses_at, ref known, .. } = *state;
        Self { id, thread, notification, heard_at: known.told_at, lapses_at, known: known.clone() }
    }
}

impl AlertRow {
    /// Does this report, which changes nothing, have to be recorded as the alert's last report?
    pub fn is_heard(&self, arrival: &Arrival, now: Timestamp) -> bool {
        let is_on = self.known.status == Status::Firing && arrival.status == Status::Firing;
        let promises = arrival
            .lapses_at
            .is_some_and(|later| self.lapses_at.is_none_or(|known| later.millis_since(known) >= LAPSES_MS));
        is_on && (promises || now.millis_since(self.heard_at) >= HEARD_MS)
    }
}

/// An alert whose state changes.
#[derive(Debug)]
pub struct Change<'a> {
    pub arrival: &'a Arrival,
    /// Its row, if it has one.
    pub row: Option<i64>,
    /// The notification that began the episode; `None`: the one being admitted.
    pub thread: Option<i64>,
    pub kind: TransitionKind,
    /// Why people are not told of it.
    pub suppressed: Option<Suppression>,
    pub ends_at: Option<Timestamp>,
    /// When it lapses; `None`: never, or it is not firing.
    pub lapses_at: Option<Timestamp>,
    /// The state afterwards.
    pub after: Known,
}

/// The decision about an arrival.
#[derive(Debug)]
pub enum Judged<'a> {
    Changed(Change<'a>),
    /// No change. The notification is the one that told what this one repeats; 0 if none did.
    Quiet(Quiet, i64),
}

pub fn judge<'a>(
    admission: &Admission,
    recipient: &Recipient,
    arrival: &'a Arrival,
    before: Option<&AlertRow>,
) -> Judged<'a> {
    let now = admission.received_at;
    let known = before.map(|row| &row.known);
    let seen = Seen {
        status: arrival.status,
        starts_at: arrival.starts_at,
        reported: arrival.reported,
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
    // A heartbeat is repeated all day: one transition a day is enough for the record.
    if arrival.steady && known.is_some_and(|known| (0..DAY_MS).contains(&now.millis_since(known.told_at))) {
        return Judged::Quiet(Quiet::Unchanged, before.map_or(0, |row| row.notification));
    }
    let (kind, suppressed) = match dedup::decide(known, &seen, &policy, now) {
        Verdict::Told(kind) if arrival.steady => (kind, Some(Suppression::Steady)),
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
        TransitionKind::Firing | TransitionKind::Notice => arrival.thread.map(|thread| thread.0),
        _ => before.map(|row| row.thread),
    };
    let lapses_at = match (after.status, kind) {
        // A reminder without a time of lapsing (wegraf makes such itself) leaves the known one in force.
        (Status::Firing, TransitionKind::Reminder) => arrival.lapses_at.or(before.and_then(|row| row.lapses_at)),
        (Status::Firing, _) => arrival.lapses_at,
        _ => None,
    };
    let row = before.map(|row| row.id);
    Judged::Changed(Change { arrival, row, thread, kind, suppressed, ends_at, lapses_at, after })
}

impl Change<'_> {
    /// Are people told of it?
    pub const fn told(&self) -> bool {
        self.suppressed.is_none()
    }

    /// May its message use the reserve of a budget?
    pub fn urgent(&self) -> bool {
        self.arrival.critical || self.kind == TransitionKind::Resolved
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Identity;

    const T0: Timestamp = Timestamp(1_700_000_000_000);

    fn after(millis: i64) -> Timestamp {
        T0.plus_millis(millis)
    }

    fn report(status: Status, lapses_at: Option<Timestamp>) -> Arrival {
        Arrival {
            index: 0,
            identity: Identity([7; 32]),
            name: "HighCPU".to_owned(),
            labels_json: "{}".to_owned(),
            critical: false,
            status,
            starts_at: Some(T0),
            reported: false,
            ends_at: None,
            lapses_at,
            thread: None,
            kin: None,
            steady: false,
        }
    }

    /// Heard of at [`T0`].
    fn row(status: Status, lapses_at: Option<Timestamp>) -> AlertRow {
        let known = Known { status, starts_at: Some(T0), told_at: T0, sender: String::new(), acknowledged: false };
        AlertRow { id: 1, thread: 1, notification: 1, heard_at: T0, lapses_at, known }
    }

    #[test]
    fn a_report_without_news_is_recorded_once_an_hour() {
        let on = report(Status::Firing, None);
        assert!(!row(Status::Firing, None).is_heard(&on, after(HEARD_MS - 1)));
        assert!(row(Status::Firing, None).is_heard(&on, after(HEARD_MS)));
    }

    #[test]
    fn a_report_that_moves_the_lapse_by_little_is_not_recorded() {
        let lapse = after(300_000);
        let moved = |millis| report(Status::Firing, Some(lapse.plus_millis(millis)));
        assert!(!row(Status::Firing, Some(lapse)).is_heard(&moved(LAPSES_MS - 1), T0));
        assert!(row(Status::Firing, Some(lapse)).is_heard(&moved(LAPSES_MS), T0));
        assert!(row(Status::Firing, None).is_heard(&moved(0), T0), "it had no time of lapsing");
    }

    #[test]
    fn only_what_fires_on_both_sides_is_heard_of() {
        let lapse = Some(after(300_000));
        for (known, said) in [(Status::Resolved, Status::Firing), (Status::Firing, Status::Resolved)] {
            assert!(!row(known, None).is_heard(&report(said, lapse), after(HEARD_MS)), "{known:?} {said:?}");
        }
    }
}
