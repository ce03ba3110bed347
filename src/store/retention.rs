//! How long data is kept, how much space it may take, and how much one batch deletes. Pure, shared by both backends.

use super::short::SHORT_LINK_MS;
use super::words;
use crate::alert::Timestamp;
use crate::engine::judge::HEARD_MS;

/// Messages, notifications, alerts or acts that one batch deletes.
pub(super) const BATCH: i64 = 300;
/// Notifications or transitions that one batch reads: it bounds how long writers wait for the batch.
pub(super) const LOOK: u32 = 3_000;
/// Bytes of bodies that one batch deletes, for the same reason.
pub(super) const BATCH_BYTES: i64 = 4 << 20;
/// The state of an alert is deleted this much later than its messages: the record that refers to it goes first.
pub(super) const ALERT_LATER_MS: i64 = 2 * DAY_MS;
/// While the database is too large, bodies older than this go first: they take most of the space, and the record of
/// deliveries is worth more.
const BODY_MS: i64 = DAY_MS;
/// The end of an alert is remembered at least this long even while the database is too large: a twin or a retry that
/// reports it again must not be news.
const ENDED_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * 3_600_000;

/// How long to keep data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Bodies of notifications, after all their messages were settled, in milliseconds.
    pub raw_ms: i64,
    /// Everything else that is settled, in milliseconds.
    pub record_ms: i64,
    /// Firing alerts that no sender has reported, in milliseconds.
    pub alerts_ms: i64,
    /// Bytes that the database may take; beyond that, settled data is deleted earlier, the oldest first.
    pub bytes: Option<u64>,
}

/// What one batch of pruning deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Messages, with their attempts, bytes and transitions.
    pub messages: u64,
    /// Bodies of notifications, and notifications.
    pub bodies: u64,
    /// States of resolved alerts.
    pub alerts: u64,
    /// Acts, with the silences they made.
    pub acts: u64,
    /// Firing alerts that no sender reported any more.
    pub unheard: u64,
    /// Short links.
    pub links: u64,
    /// Not everything was examined yet, or the file can still shrink.
    pub more: bool,
}

impl Pruned {
    /// Was nothing deleted, and is nothing left to examine?
    pub const fn is_empty(&self) -> bool {
        !self.more && self.is_bare()
    }

    /// Did the batch delete nothing?
    pub(super) const fn is_bare(&self) -> bool {
        let Self { messages, bodies, alerts, acts, unheard, links, more: _ } = *self;
        messages == 0 && bodies == 0 && alerts == 0 && acts == 0 && unheard == 0 && links == 0
    }
}

/// The age limits of a batch: settled data older than these is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Before {
    /// Settled messages, suppressed transitions and acts.
    pub record: Timestamp,
    /// Bodies.
    pub body: Timestamp,
    /// States of resolved alerts.
    pub alert: Timestamp,
    /// Firing alerts: when they were last reported.
    pub heard: Timestamp,
    /// Short links: when they end. For as long as the record is kept an ended one still names its alert.
    pub link: Timestamp,
}

/// The stage of a round. Each begins when the one before finds nothing any more, the later two only while the database
/// is too large.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    /// Data older than the configuration keeps it.
    #[default]
    Aged,
    /// Bodies older than a day.
    Bodies,
    /// The oldest settled data.
    Settled,
}

/// The progress of a pruning round. It is not stored: after a restart a round begins anew.
#[derive(Debug, Clone, Default)]
pub(super) struct Round {
    stage: Stage,
    /// Notifications up to this one were examined; `None`: start at the first.
    pub notification: Option<i64>,
    /// One of these still has its body.
    pub left: bool,
    /// Transitions up to this one were looked at.
    pub transition: i64,
}

impl Round {
    /// The age limits of the next batch.
    pub fn before(&self, keep: Retention, now: Timestamp) -> Before {
        let record = now.plus_millis(-keep.record_ms);
        let aged = Before {
            record,
            body: now.plus_millis(-keep.raw_ms),
            alert: record.plus_millis(-ALERT_LATER_MS),
            // The last report is recorded at most once in `HEARD_MS`, so an alert may have been reported that much
            // later.
            heard: now.plus_millis(-keep.alerts_ms - HEARD_MS),
            link: record,
        };
        match self.stage {
            Stage::Aged => aged,
            Stage::Bodies => Before { body: aged.body.max(now.plus_millis(-BODY_MS)), ..aged },
            // Including what was settled in this very millisecond.
            Stage::Settled => Before {
                record: now.plus_millis(1),
                body: now.plus_millis(1),
                alert: aged.alert.max(now.plus_millis(-ENDED_MS)),
                link: now.plus_millis(SHORT_LINK_MS - DAY_MS),
                ..aged
            },
        }
    }

    /// Does the batch go beyond the configured ages?
    pub fn is_pressed(&self) -> bool {
        self.stage != Stage::Aged
    }

    /// Does it matter after this batch whether the database is too large? Asking has a cost. `swept`: everything was
    /// examined.
    pub fn asks_size(&self, bare: bool, swept: bool) -> bool {
        self.is_pressed() || bare && swept
    }

    /// Records how a batch ended; returns whether the round goes on.
    pub fn goes_on(&mut self, bare: bool, swept: bool, too_large: bool) -> bool {
        if self.is_pressed() && !too_large {
            *self = Self::default();
            return false;
        }
        if !bare || !swept {
            return true;
        }
        let next = match self.stage {
            Stage::Aged if too_large => Some(Stage::Bodies),
            Stage::Bodies => Some(Stage::Settled),
            Stage::Aged | Stage::Settled => None,
        };
        *self = Self { stage: next.unwrap_or_default(), ..Self::default() };
        next.is_some()
    }
}

/// Is a row of this time too young to be deleted, and with it all behind it? Rows are examined in the order of their ids,
/// up to the first young one, so that a round does not read what came lately. A row of the future, from a clock that was
/// set back, says nothing of those behind it.
pub(super) fn is_young(at: i64, before: Timestamp, now: Timestamp) -> bool {
    (before.0..=now.0).contains(&at)
}

/// The actor and the channel under which forgotten alerts are recorded.
pub(super) const FORGETS: [&str; 2] = ["wegraf", "retention"];

/// A firing alert that no sender reports any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unheard {
    pub alert: i64,
    pub thread: i64,
    pub name: String,
    pub receiver: String,
    pub labels_json: String,
}

/// The act that records why the alerts of an episode are no longer tracked: its event and its text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Forgotten<'a> {
    pub thread: i64,
    pub event: String,
    pub detail: String,
    pub alerts: Vec<&'a Unheard>,
}

/// One act for each episode in `unheard`, which must be in the order of episodes.
pub(super) fn forgotten(unheard: &[Unheard], keep: Retention) -> Vec<Forgotten<'_>> {
    let episodes = unheard.chunk_by(|one, next| one.thread == next.thread);
    let act = |alerts: &'_ [Unheard]| -> Option<(i64, String, String)> {
        let first = alerts.first()?;
        let hours = keep.alerts_ms / 3_600_000;
        let labels = &first.labels_json[..first.labels_json.floor_char_boundary(LABELS_BYTES)];
        let what = format!("{} ×{} → {} {labels}", first.name, alerts.len(), first.receiver);
        let detail = words::lapsed(&what, hours).recorded();
        Some((first.thread, format!("forget/{}/{}", first.alert, first.thread), detail))
    };
    let acts = episodes.filter_map(|alerts| {
        let (thread, event, detail) = act(alerts)?;
        Some(Forgotten { thread, event, detail, alerts: alerts.iter().collect() })
    });
    acts.collect()
}

/// Bytes of a forgotten alert's labels that are recorded.
const LABELS_BYTES: usize = 500;

/// From how many bytes on a database with a bound of `most` bytes is too large. Below the bound, to leave room for what
/// arrives between two checks and for SQLite's log; pruning for size goes somewhat further, so that it does not run a
/// little each time.
pub(super) const fn limit(most: u64, pruning: bool) -> u64 {
    if pruning { most / 16 * 13 } else { most / 8 * 7 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: Retention =
        Retention { raw_ms: 7 * DAY_MS, record_ms: 30 * DAY_MS, alerts_ms: 30 * DAY_MS, bytes: Some(64 << 20) };
    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    /// Plays a round in which no batch finds anything; returns the ages from which it deletes bodies.
    fn stages(round: &mut Round, too_large: bool) -> Vec<i64> {
        let mut bodies = Vec::new();
        loop {
            bodies.push(NOW.millis_since(round.before(KEEP, NOW).body));
            if !round.goes_on(true, true, too_large) {
                return bodies;
            }
        }
    }

    #[test]
    fn only_a_database_that_is_too_large_gives_up_what_is_young() {
        let mut round = Round::default();
        assert_eq!(stages(&mut round, false), [7 * DAY_MS]);
        assert_eq!(stages(&mut round, true), [7 * DAY_MS, DAY_MS, -1]);
        assert_eq!(stages(&mut round, false), [7 * DAY_MS], "the next round begins with what is old");
    }

    #[test]
    fn a_round_ends_as_soon_as_the_database_is_small_enough() {
        let mut round = Round::default();
        assert!(round.goes_on(true, true, true) && round.is_pressed());
        assert!(round.asks_size(false, false) && round.goes_on(false, false, true));
        assert!(!round.goes_on(false, false, false));
        assert!(!round.is_pressed());
    }

    #[test]
    fn a_batch_that_found_something_or_did_not_see_all_is_followed_by_another_of_its_kind() {
        let mut round = Round::default();
        for (bare, swept) in [(false, true), (true, false)] {
            assert!(!round.asks_size(bare, swept));
            assert!(round.goes_on(bare, swept, false));
            assert!(!round.is_pressed());
        }
    }

    #[test]
    fn only_a_row_between_the_limit_and_now_ends_the_examination() {
        let before = NOW.plus_millis(-DAY_MS);
        let young = |millis: i64| is_young(NOW.plus_millis(millis).0, before, NOW);
        assert!(young(0) && young(-DAY_MS) && !young(1) && !young(-DAY_MS - 1));
    }

    #[test]
    fn the_bound_leaves_room_for_what_comes_between_two_looks() {
        assert_eq!(limit(64 << 20, false), 56 << 20);
        assert_eq!(limit(64 << 20, true), 52 << 20);
    }
}
