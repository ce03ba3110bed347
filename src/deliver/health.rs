//! What the lanes know of the ways and of their own pace. Shared by all workers, lost with the process. Pure.

use std::collections::{HashMap, HashSet};

use super::breaker::Scopes;
use super::choose::Pace;
use crate::alert::Timestamp;
use crate::names::{LaneKey, Scope};
use crate::store::{BreakerChange, LaneHead};

/// Lanes without messages whose rhythm is remembered. Clients of the WeCom API choose lanes freely, so it needs a
/// bound.
const RHYTHMS: usize = 10_000;
/// Poll interval of a lane that must wait (for its budget, a breaker, a retry): a critical message may arrive, or the
/// backlog may need folding.
pub const GLANCE_MS: i64 = 250;

/// The state that workers share. After a restart it is learnt again from a refused claim for each lane, and from three
/// calls to a host that is away.
#[derive(Debug, Default)]
pub struct Health {
    /// When each lane may do what. For lanes without messages at most [`RHYTHMS`] are kept.
    rhythms: HashMap<LaneKey, Rhythm>,
    /// Consecutive calls without an answer, by host (or by sender, where the host is not probed).
    silent: HashMap<Scope, u32>,
    /// Failed probes of each scope since its breaker opened.
    failures: HashMap<Scope, u32>,
}

/// When a lane may do what, as far as this process knows.
#[derive(Debug, Clone, Default)]
pub struct Rhythm {
    /// Learned from claims that had to wait.
    pub pace: Pace,
    /// No worker is needed before this.
    quiet_until: Timestamp,
}

impl Rhythm {
    /// When the lane with this head needs a worker.
    pub fn due(&self, head: &LaneHead, now: Timestamp) -> Timestamp {
        // A message is being sent; if the lane has no worker, its worker failed between claim and settle.
        if head.sending {
            return now;
        }
        // Longer than a glance means that the clock was set back since then.
        let quiet = self.quiet_until.millis_since(now) <= GLANCE_MS;
        head.due_at.max(if quiet { self.quiet_until } else { now })
    }

    /// The breaker that the lane waited for is closed.
    fn forget(&mut self) {
        let pace = Pace { critical_at: self.pace.critical_at, ..Pace::default() };
        *self = Self { pace, ..Self::default() };
    }
}

impl Health {
    /// The rhythm of a lane.
    pub fn rhythm(&self, lane: &LaneKey) -> Rhythm {
        self.rhythms.get(lane).cloned().unwrap_or_default()
    }

    /// What is known of the pace of a lane, to be changed.
    pub fn pace(&mut self, lane: &LaneKey) -> &mut Pace {
        &mut self.rhythms.entry(lane.clone()).or_default().pace
    }

    /// The lane needs no worker before `until`.
    pub fn rest(&mut self, lane: &LaneKey, until: Timestamp) {
        self.rhythms.entry(lane.clone()).or_default().quiet_until = until;
    }

    /// Forgets lanes that have no messages, if there are too many.
    pub fn keep_only(&mut self, heads: &[LaneHead]) {
        if self.rhythms.len() > RHYTHMS {
            let live: HashSet<&LaneKey> = heads.iter().map(|head| &head.lane).collect();
            self.rhythms.retain(|lane, _| live.contains(lane));
        }
    }

    /// A breaker closed: lanes that wait for it may continue.
    pub fn resume(&mut self, scope: &Scope) {
        let waiting = self.rhythms.values_mut().filter(|rhythm| rhythm.pace.breaker.as_ref() == Some(scope));
        waiting.for_each(Rhythm::forget);
        self.failures.remove(scope);
    }

    /// Counts a call that was answered or not; returns the consecutive ones without an answer, this one included.
    pub fn heard(&mut self, scopes: &Scopes, silent: bool) -> u32 {
        let host = scopes.host.as_ref().unwrap_or(&scopes.sender);
        if !silent {
            self.silent.remove(host);
            return 0;
        }
        let calls = self.silent.entry(host.clone()).or_default();
        *calls += 1;
        *calls
    }

    /// Failed probes of the sender or the destination so far.
    pub fn failures(&self, scopes: &Scopes) -> u32 {
        let own = std::iter::once(&scopes.sender).chain(&scopes.route);
        own.filter_map(|scope| self.failures.get(scope).copied()).max().unwrap_or_default()
    }

    /// Is the breaker of this scope known to be open?
    pub fn is_failing(&self, scope: &Scope) -> bool {
        self.failures.contains_key(scope)
    }

    /// Learns what an attempt changed. `probing`: it went past an open breaker.
    pub fn learn(&mut self, breakers: &[BreakerChange], probing: bool) {
        for change in breakers {
            match change {
                BreakerChange::Open(open) => {
                    let in_vain = self.failures.entry(open.scope.clone()).or_default();
                    *in_vain = if probing { *in_vain + 1 } else { (*in_vain).max(1) };
                }
                BreakerChange::Close(scope) => self.resume(scope),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_that_was_quiet_is_looked_at_when_the_clock_was_set_back() {
        let now = Timestamp(1_700_000_000_000);
        let head = |due_at| LaneHead { lane: LaneKey::stored("lane"), due_at, sending: false };
        let rhythm = Rhythm { quiet_until: now.plus_millis(GLANCE_MS), ..Rhythm::default() };
        assert_eq!(rhythm.due(&head(now), now), now.plus_millis(GLANCE_MS));
        let earlier = now.plus_millis(-3_600_000);
        assert_eq!(rhythm.due(&head(earlier), earlier), earlier);
    }
}
