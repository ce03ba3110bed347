//! Deduplication: which reports of an alert change what people know, and which only repeat it.
//!
//! Pure: the known state comes in, a verdict comes out, the store writes both in one transaction. That alone makes a
//! sender's retries and the copies of its highly available twin harmless; no key of a request is compared.

use crate::alert::{Status, Timestamp, TransitionKind};

/// A firing report with the start of an episode that just ended, from another peer within this time, is that peer's
/// late copy. Longer than Alertmanager's peer wait and gossip, shorter than what a person calls a recurrence.
const PEER_LAG_MS: i64 = 90_000;

/// The wall clock stepped back if a report is older than the last one by more than this. Smaller differences come from
/// requests that overtake each other on their way to the store.
const CLOCK_STEP_MS: i64 = 60_000;

/// A notice, or the end of something without a key, with the same text within this time is a retry of its sender; later
/// it is told again. Senders that retry do so within minutes.
const RETRY_MS: i64 = 600_000;

/// The state of one alert that one receiver knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Firing or resolved.
    pub status: Status,
    /// When the current episode began (the last one, if it is resolved); `None` if no sender gave it.
    pub starts_at: Option<Timestamp>,
    /// When the last transition was accepted.
    pub told_at: Timestamp,
    /// Which peer reported it; empty if peers cannot be told apart.
    pub sender: String,
    /// It is acknowledged: no reminders are sent.
    pub acknowledged: bool,
}

/// A notification's report of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen<'a> {
    /// Firing or resolved.
    pub status: Status,
    /// When it began; `None` if the sender gives no times.
    pub starts_at: Option<Timestamp>,
    /// That may be the time of the report: a later one begins no episode.
    pub reported: bool,
    /// When it ended.
    pub ends_at: Option<Timestamp>,
    /// The reporting peer; empty if peers cannot be told apart.
    pub sender: &'a str,
    /// The sender has no key: the same words later are another event, not a repeat of this one.
    pub keyless: bool,
}

/// The receiver's settings and the kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Also tell resolved alerts.
    pub send_resolved: bool,
    /// An unchanged repeat is a reminder if the last transition is at least this old.
    pub repeat_interval_ms: i64,
    /// The call is a resend of state (`/api/v2/alerts`, a message with an idempotency key), not a notification: its
    /// repeats are no news.
    pub push: bool,
    /// Each call is an event of its own (a test, a text without state): always news.
    pub test: bool,
}

/// The decision about a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// People are told.
    Told(TransitionKind),
    /// The state changes, but people are not told.
    Suppressed(TransitionKind, Suppression),
    /// It changes nothing.
    Nothing(Quiet),
}

/// Why a change of state is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suppression {
    /// The receiver has `send_resolved: false`.
    SendResolved,
    /// The receiver has no target.
    NoTarget,
    /// It is a heartbeat, or one that only steers others.
    Steady,
}

impl Suppression {
    /// The name in the store and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SendResolved => "send_resolved",
            Self::NoTarget => "no_target",
            Self::Steady => "heartbeat",
        }
    }
}

/// Why a report changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quiet {
    /// The same state as known, and too early for a reminder.
    Unchanged,
    /// It would be a reminder, but the alert is acknowledged.
    Acknowledged,
    /// It is about an earlier episode.
    Stale,
    /// The end, in a push, of something that was never on.
    NeverFired,
}

/// Decides about a report, given the known state.
pub fn decide(known: Option<&Known>, seen: &Seen<'_>, policy: &Policy, now: Timestamp) -> Verdict {
    if policy.test {
        return Verdict::Told(TransitionKind::Firing);
    }
    match (seen.status, known) {
        (Status::Firing, None) => Verdict::Told(TransitionKind::Firing),
        (Status::Notice, Some(known)) if policy.push || is_retry(known, now) => Verdict::Nothing(Quiet::Unchanged),
        (Status::Notice, _) => Verdict::Told(TransitionKind::Notice),
        (Status::Firing, Some(known)) => match known.status {
            Status::Resolved if is_late_copy(known, seen, now) => Verdict::Nothing(Quiet::Stale),
            Status::Resolved | Status::Notice => Verdict::Told(TransitionKind::Firing),
            // The end of the known episode was never received: some contact points do not send it.
            Status::Firing if !seen.reported && is_later(seen.starts_at, known.starts_at) => {
                Verdict::Told(TransitionKind::Firing)
            }
            Status::Firing if policy.push || !reminder_is_due(known, policy, now) => Verdict::Nothing(Quiet::Unchanged),
            Status::Firing if known.acknowledged => Verdict::Nothing(Quiet::Acknowledged),
            Status::Firing => Verdict::Told(TransitionKind::Reminder),
        },
        // Prometheus sends resolved alerts for 15 minutes, also to an Alertmanager that was just added.
        (Status::Resolved, None) if policy.push => Verdict::Nothing(Quiet::NeverFired),
        (Status::Resolved, Some(known)) if known.status != Status::Firing => {
            let again = seen.keyless && policy.send_resolved && !is_retry(known, now);
            if again { Verdict::Told(TransitionKind::Resolved) } else { Verdict::Nothing(Quiet::Unchanged) }
        }
        (Status::Resolved, Some(known)) if ended_before(known, seen) => Verdict::Nothing(Quiet::Stale),
        (Status::Resolved, _) if !policy.send_resolved => {
            Verdict::Suppressed(TransitionKind::Resolved, Suppression::SendResolved)
        }
        (Status::Resolved, _) => Verdict::Told(TransitionKind::Resolved),
    }
}

impl Known {
    /// The known state after a transition of this kind made by a report. A new episode is not acknowledged.
    pub fn after(known: Option<&Self>, seen: &Seen<'_>, kind: TransitionKind, now: Timestamp) -> Self {
        let before = known.and_then(|known| known.starts_at);
        let (status, starts_at) = match kind {
            TransitionKind::Firing => (Status::Firing, seen.starts_at.or(Some(now))),
            TransitionKind::Reminder
            | TransitionKind::Acknowledged
            | TransitionKind::Released
            | TransitionKind::Silenced
            | TransitionKind::Unsilenced => (Status::Firing, before.or(seen.starts_at)),
            // The episode keeps the start it is known by: a twin may give another one.
            TransitionKind::Resolved | TransitionKind::Lapsed => (Status::Resolved, before.or(seen.starts_at)),
            // Never open: no end follows.
            TransitionKind::Notice => (Status::Resolved, seen.starts_at),
        };
        let acknowledged = kind == TransitionKind::Reminder && known.is_some_and(|known| known.acknowledged);
        Self { status, starts_at, told_at: now, sender: seen.sender.to_owned(), acknowledged }
    }
}

/// A lagging peer reports the start of an episode whose end the other one has reported (Alertmanager #2447). From the
/// same peer, or later, it is genuine: an Alertmanager that lost contact with Prometheus resolves the alert by itself
/// and gets it back with its old start.
fn is_late_copy(known: &Known, seen: &Seen<'_>, now: Timestamp) -> bool {
    let other_peer = !known.sender.is_empty() && !seen.sender.is_empty() && known.sender != seen.sender;
    let same_episode = matches!((seen.starts_at, known.starts_at), (Some(seen), Some(known)) if seen <= known);
    other_peer && same_episode && now.millis_since(known.told_at) < PEER_LAG_MS
}

/// Twins may know one episode by starts some seconds apart, so a start before ours is not enough to call an end stale:
/// it must also have ended before our episode began.
fn ended_before(known: &Known, seen: &Seen<'_>) -> bool {
    let Some(current) = known.starts_at else { return false };
    is_later(Some(current), seen.starts_at) && seen.ends_at.is_none_or(|end| end <= current)
}

fn is_later(start: Option<Timestamp>, than: Option<Timestamp>) -> bool {
    matches!((start, than), (Some(start), Some(than)) if start > than)
}

fn is_retry(known: &Known, now: Timestamp) -> bool {
    (-CLOCK_STEP_MS..RETRY_MS).contains(&now.millis_since(known.told_at))
}

fn reminder_is_due(known: &Known, policy: &Policy, now: Timestamp) -> bool {
    let age = now.millis_since(known.told_at);
    age >= policy.repeat_interval_ms || age < -CLOCK_STEP_MS
}

#[cfg(test)]
mod tests;
