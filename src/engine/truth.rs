//! What an upstream says of an alert, and what that means for its escalation. Pure.
//!
//! That an alert is suppressed must be read, and lately; everything else counts as not suppressed. That it is gone must
//! be read of every peer, without a break.

use serde::{Deserialize, Serialize};

use crate::alert::{ThreadId, Timestamp};

/// A reading that is older than this says nothing any more: four rounds of looks, and less than people would notice.
pub const FRESH_MS: i64 = 60_000;

/// The state of an alert upstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum State {
    /// Listed, and nothing suppresses it as far as upstream tells.
    Active,
    /// Silenced by a silence that was made through wegraf.
    SilencedByUs,
    /// Silenced by another silence.
    SilencedElsewhere {
        /// Its id there.
        id: String,
        /// Who made it; empty if upstream does not tell.
        by: String,
        /// When it ends, if upstream tells.
        until: Option<Timestamp>,
        /// Its comment.
        why: String,
    },
    /// Inhibited by another alert.
    Inhibited {
        /// That alert's name, or its fingerprint where the name is unknown.
        by: String,
    },
    /// Muted by a time interval for the receiver that told us.
    Muted {
        /// Name of the interval.
        interval: String,
    },
    /// Absent from all peers, but not yet for long enough.
    Absent,
    /// Absent from all peers for long enough: it is over.
    Gone,
    /// Nothing is proven.
    Unknown,
}

/// How upstream suppresses an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Suppressed {
    /// By a silence.
    Silence,
    /// By another alert.
    Inhibition,
    /// By a time interval.
    Interval,
}

impl State {
    /// How it is suppressed; `None` if it is not.
    pub const fn suppressed(&self) -> Option<Suppressed> {
        match self {
            Self::SilencedByUs | Self::SilencedElsewhere { .. } => Some(Suppressed::Silence),
            Self::Inhibited { .. } => Some(Suppressed::Inhibition),
            Self::Muted { .. } => Some(Suppressed::Interval),
            Self::Active | Self::Absent | Self::Gone | Self::Unknown => None,
        }
    }
}

/// What becomes of the step of an escalation that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is taken; `unknown`: without knowing the state upstream, which it says.
    Step {
        /// The state upstream is unknown.
        unknown: bool,
    },
    /// It waits, and its clock stands.
    Hold,
    /// The alert is over.
    End,
}

/// Decides about a step by the newest reading and its time; `None`: there is none.
pub fn verdict(reading: Option<(&State, Timestamp)>, now: Timestamp) -> Verdict {
    let fresh = reading.filter(|(_, seen_at)| (0..=FRESH_MS).contains(&now.millis_since(*seen_at)));
    match fresh.map(|(state, _)| state) {
        None | Some(State::Unknown) => Verdict::Step { unknown: true },
        Some(State::Active) => Verdict::Step { unknown: false },
        Some(State::Gone) => Verdict::End,
        Some(
            State::SilencedByUs
            | State::SilencedElsewhere { .. }
            | State::Inhibited { .. }
            | State::Muted { .. }
            | State::Absent,
        ) => Verdict::Hold,
    }
}

/// Is a reading recorded? Only one of the alert's present episode (`thread`), and not over a newer one: a replica that
/// was paused brings its reading late, after another one took over. `recorded`: the episode and the time of the reading
/// on record. What that holds of the future does not count, because a clock was set back since.
pub fn is_recorded(
    (episode, seen_at): (ThreadId, Timestamp),
    recorded: Option<(ThreadId, Timestamp)>,
    thread: Option<ThreadId>,
    now: Timestamp,
) -> bool {
    let replaces =
        |(known, at): (ThreadId, Timestamp)| known != episode || seen_at >= at || at.millis_since(now) > FRESH_MS;
    thread == Some(episode) && recorded.is_none_or(replaces)
}

/// What one peer says of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It lists the alert, in this state.
    Listed(State),
    /// It does not list the alert.
    Absent {
        /// For how long it has been up, in milliseconds; `None`: it does not tell, and is trusted.
        up_ms: Option<i64>,
    },
    /// It did not answer, or refused to.
    Nothing,
}

/// What was read before, in the same episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "times have this ending everywhere")]
pub struct Before {
    /// When it was read.
    pub seen_at: Timestamp,
    /// When the alert was last listed.
    pub listed_at: Option<Timestamp>,
    /// Since when it has been absent.
    pub absent_at: Option<Timestamp>,
}

/// A reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    pub state: State,
    /// When the alert was last listed.
    pub listed_at: Option<Timestamp>,
    /// Since when it has been absent from all peers, without a break.
    pub absent_at: Option<Timestamp>,
}

/// What all peers together say. An alert is present where one peer lists it, and suppressed where every peer that lists
/// it says so. It is gone where none lists it for `gone_after_ms`, each up for longer than that, after one of them did
/// list it (`known`: or it is known otherwise to be theirs): what never listed an alert proves nothing by its absence.
pub fn together(said: &[Said], before: Option<Before>, known: bool, gone_after_ms: i64, now: Timestamp) -> Reading {
    let listed: Vec<&State> = said
        .iter()
        .filter_map(|one| match one {
            Said::Listed(state) => Some(state),
            Said::Absent { .. } | Said::Nothing => None,
        })
        .collect();
    let listed_at = before.and_then(|before| before.listed_at);
    if let Some(first) = listed.first() {
        let open = listed.iter().find(|state| state.suppressed().is_none());
        let state = (*open.unwrap_or(first)).clone();
        return Reading { state, listed_at: Some(now), absent_at: None };
    }
    let proves = |one: &Said| matches!(one, Said::Absent { up_ms } if up_ms.is_none_or(|up| up >= gone_after_ms));
    if said.is_empty() || !said.iter().all(proves) || (listed_at.is_none() && !known) {
        return Reading { state: State::Unknown, listed_at, absent_at: None };
    }
    // After a long gap between two looks, what was listed meanwhile is unknown. Also where the clock was set back.
    let unbroken = |before: &Before| (0..=gone_after_ms.max(FRESH_MS)).contains(&now.millis_since(before.seen_at));
    let absent_at = before.filter(unbroken).and_then(|before| before.absent_at).unwrap_or(now);
    let long = now.millis_since(absent_at) >= gone_after_ms;
    let state = if long { State::Gone } else { State::Absent };
    Reading { state, listed_at, absent_at: Some(absent_at) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);
    const GONE: i64 = 120_000;

    fn silenced(id: &str) -> State {
        State::SilencedElsewhere { id: id.to_owned(), by: "lisi".to_owned(), until: None, why: String::new() }
    }

    #[test]
    fn a_newer_reading_of_the_present_episode_is_recorded() {
        let at = |minutes: i64| NOW.plus_millis(minutes * 60_000);
        let (old, new) = (ThreadId(1), ThreadId(2));
        // A reading, the one on record, the present episode, the present time.
        for (reading, recorded, thread, now, is) in [
            ((new, at(0)), None, Some(new), at(0), true),
            ((new, at(0)), None, None, at(0), false),
            ((new, at(5)), Some((new, at(4))), Some(new), at(5), true),
            ((new, at(5)), Some((new, at(5))), Some(new), at(5), true),
            // Read before a pause, or by the slower of two replicas.
            ((new, at(4)), Some((new, at(5))), Some(new), at(5), false),
            ((new, at(-60)), Some((new, at(5))), Some(new), at(5), false),
            ((old, at(4)), Some((new, at(5))), Some(new), at(5), false),
            ((old, at(9)), Some((new, at(5))), Some(new), at(9), false),
            ((new, at(4)), Some((old, at(5))), Some(new), at(5), true),
            // The clock was set back by an hour, then by half a minute, in which another clock may differ as well.
            ((new, at(-55)), Some((new, at(5))), Some(new), at(-55), true),
            ((new, NOW), Some((new, NOW.plus_millis(30_000))), Some(new), NOW, false),
        ] {
            assert_eq!(is_recorded(reading, recorded, thread, now), is, "{reading:?} {recorded:?} {thread:?} {now:?}");
        }
    }

    #[test]
    fn each_state_is_a_step_a_hold_or_an_end() {
        let inhibited = State::Inhibited { by: "机房断电".to_owned() };
        let muted = State::Muted { interval: "weekend".to_owned() };
        for (state, expected) in [
            (State::Active, Verdict::Step { unknown: false }),
            (State::SilencedByUs, Verdict::Hold),
            (silenced("a"), Verdict::Hold),
            (inhibited, Verdict::Hold),
            (muted, Verdict::Hold),
            (State::Absent, Verdict::Hold),
            (State::Gone, Verdict::End),
            (State::Unknown, Verdict::Step { unknown: true }),
        ] {
            assert_eq!(verdict(Some((&state, NOW)), NOW), expected, "{state:?}");
            assert_eq!(verdict(Some((&state, NOW)), NOW.plus_millis(FRESH_MS)), expected, "{state:?}");
            let unknown = Verdict::Step { unknown: true };
            assert_eq!(verdict(Some((&state, NOW)), NOW.plus_millis(FRESH_MS + 1)), unknown, "{state:?} is stale");
            assert_eq!(verdict(Some((&state, NOW)), NOW.plus_millis(-1)), unknown, "{state:?} is of the future");
            let json = serde_json::to_string(&state).unwrap();
            assert_eq!(serde_json::from_str::<State>(&json).unwrap(), state);
        }
        assert_eq!(verdict(None, NOW), Verdict::Step { unknown: true });
    }

    fn read(said: &[Said], before: impl Into<Option<Before>>) -> State {
        together(said, before.into(), false, GONE, NOW).state
    }

    #[test]
    fn presence_is_a_union_and_suppression_what_every_peer_says_that_lists_it() {
        let absent = || Said::Absent { up_ms: Some(GONE) };
        let listed = Said::Listed;
        assert_eq!(read(&[absent(), listed(State::Active)], None), State::Active);
        assert_eq!(read(&[listed(silenced("a")), listed(State::Active)], None), State::Active);
        assert_eq!(read(&[listed(silenced("a")), listed(silenced("a"))], None), silenced("a"));
        assert_eq!(read(&[listed(silenced("a")), absent()], None), silenced("a"));
        assert_eq!(read(&[listed(silenced("a")), Said::Nothing], None), silenced("a"));
        assert_eq!(read(&[], None), State::Unknown);
    }

    fn before(seen_ago: i64, absent_ago: impl Into<Option<i64>>) -> Before {
        Before {
            seen_at: NOW.plus_millis(-seen_ago),
            listed_at: Some(NOW.plus_millis(-1_000_000)),
            absent_at: absent_ago.into().map(|ago| NOW.plus_millis(-ago)),
        }
    }

    #[test]
    fn gone_is_what_all_peers_leave_out_for_long_enough_each_up_for_longer() {
        let up = |ms| Said::Absent { up_ms: Some(ms) };
        assert_eq!(read(&[up(GONE)], before(15_000, GONE)), State::Gone);
        assert_eq!(read(&[Said::Absent { up_ms: None }], before(15_000, GONE)), State::Gone, "it tells no start");
        assert_eq!(read(&[up(GONE)], before(15_000, GONE - 1)), State::Absent);
        assert_eq!(read(&[up(GONE)], before(15_000, None)), State::Absent, "the first look");
        assert_eq!(read(&[up(GONE - 1)], before(15_000, GONE)), State::Unknown, "it has just started");
        assert_eq!(read(&[up(GONE), Said::Nothing], before(15_000, GONE)), State::Unknown);
        assert_eq!(read(&[up(GONE), up(10)], before(15_000, GONE)), State::Unknown);
        assert_eq!(read(&[Said::Nothing], before(15_000, GONE)), State::Unknown);
        assert_eq!(read(&[up(GONE)], before(GONE + 1, GONE + 1)), State::Absent, "after a gap it counts anew");
        assert_eq!(read(&[up(GONE)], before(-5, GONE)), State::Absent, "the clock was set back");
        assert_eq!(read(&[up(GONE)], None), State::Unknown, "it never listed the alert");
        let ours = together(&[up(GONE)], None, true, GONE, NOW);
        assert_eq!((ours.state, ours.absent_at), (State::Absent, Some(NOW)), "silenced there by ourselves");
        let again = together(&[Said::Listed(State::Active)], Some(before(15_000, GONE)), false, GONE, NOW);
        assert_eq!((again.listed_at, again.absent_at), (Some(NOW), None), "one sighting resets the absence");
    }
}
