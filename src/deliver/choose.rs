//! Which message of a lane goes next, and when a lane is so far behind that it must fold. Pure.
//!
//! Critical alerts first, then in order of admission; pictures that follow a message last, where nothing else waits. A
//! message is *fresh* if it can still be folded, *urgent* if it may
//! use the reserve of a budget (`WaitingMessage`). The order is a preference: `engine::claim` refuses what must not
//! overtake (an end its beginning).

use std::collections::HashSet;

use crate::alert::Timestamp;
use crate::engine::picture::{LATE, OLD_MS, UNSURE, is_late};
use crate::names::Scope;
use crate::store::{State, Waiting, WaitingMessage};

/// With more fresh messages than this a lane folds.
const MANY: u64 = 8;
/// With at least two fresh messages, the oldest of which has waited longer than this, a lane folds.
const LATE_MS: i64 = 45_000;
/// In a storm one critical message in this interval is sent on its own, at once; the others lead the digest.
const CRITICAL_EVERY_MS: i64 = 60_000;

/// How soon a lane asks again whether it may pass an open breaker.
const ASK_AGAIN_MS: i64 = 5_000;

/// When a lane may do what, learnt from claims that had to wait. Forgetting it costs one claim.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pace {
    /// When a message that is not urgent may be claimed.
    pub normal_from: Timestamp,
    /// When an urgent one may be claimed, out of the reserve.
    pub urgent_from: Timestamp,
    /// The breaker that the lane waits for, if any.
    pub breaker: Option<Scope>,
    /// When a critical message was last sent on its own.
    pub critical_at: Option<Timestamp>,
    /// When a claim last had to wait.
    pub noted_at: Timestamp,
}

impl Pace {
    /// Records at `now` that a claim must wait.
    pub fn wait(&mut self, urgent: bool, until: Timestamp, breaker: Option<Scope>, now: Timestamp) {
        if now < self.noted_at {
            *self = Self { critical_at: self.critical_at, ..Self::default() };
        }
        self.noted_at = now;
        // A person may have it probed sooner, by any replica.
        let until = if breaker.is_some() { until.min(now.plus_millis(ASK_AGAIN_MS)) } else { until };
        self.normal_from = self.normal_from.max(until);
        if urgent || breaker.is_some() {
            self.urgent_from = until;
        }
        self.breaker = breaker;
    }

    /// A record from the future means that the clock was set back: it is ignored.
    fn from(&self, urgent: bool, now: Timestamp) -> Timestamp {
        if now < self.noted_at {
            return now;
        }
        if urgent { self.urgent_from } else { self.normal_from }
    }
}

/// A worker's next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Send this message.
    Send(i64),
    /// Fold the fresh messages, except for this critical one, which is sent on its own.
    Fold {
        /// The critical one.
        keep: Option<i64>,
    },
    /// Leave out this picture.
    LeaveOut {
        /// Which.
        picture: i64,
        /// Why, from a closed set.
        why: &'static str,
    },
    /// Look again at this time.
    Wait(Timestamp),
    /// Nothing is waiting.
    Nothing,
}

/// Chooses. `behind`: messages whose claim was refused because an older one must go first; `folded_in_vain`: the fresh
/// messages cannot be folded now.
pub fn next(waiting: &Waiting, pace: &Pace, behind: &HashSet<i64>, folded_in_vain: bool, now: Timestamp) -> Step {
    let fresh = || waiting.messages.iter().filter(|message| message.fresh);
    let late = fresh().next().is_some_and(|oldest| now.millis_since(oldest.created_at) > LATE_MS);
    if !folded_in_vain && (waiting.fresh > MANY || (waiting.fresh > 1 && late)) {
        let keep = alone(waiting, pace, now).map(|message| message.message);
        if waiting.fresh - u64::from(keep.is_some()) > 1 {
            return Step::Fold { keep };
        }
    }
    let allowed = |message: &&WaitingMessage| message.state != State::Sending && !behind.contains(&message.message);
    let may_go = |message: &WaitingMessage| message.due_at.max(pace.from(message.urgent, now));
    let told = || waiting.messages.iter().filter(|message| !message.picture);
    let ready = told().filter(allowed).filter(|message| may_go(message) <= now);
    if let Some(chosen) = ready.min_by_key(|message| (!message.critical || message.digest, message.message)) {
        return Step::Send(chosen.message);
    }
    let pictures = || waiting.messages.iter().filter(|message| message.picture && message.state != State::Sending);
    if let Some((picture, why)) = pictures().find_map(|picture| Some((picture.message, left_out(picture, now)?))) {
        return Step::LeaveOut { picture, why };
    }
    // A picture is sent only if no other message waits, not even for a retry or for room: it would take the room.
    let lowest = pictures().filter(|_| told().next().is_none());
    if let Some(picture) = lowest.clone().find(|picture| may_go(picture) <= now) {
        return Step::Send(picture.message);
    }
    let ends = pictures().map(|picture| picture.created_at.plus_millis(OLD_MS + 1));
    let soonest = told().filter(allowed).chain(lowest).map(may_go).chain(ends).min();
    soonest.map_or(Step::Nothing, Step::Wait)
}

/// Why a picture that waits is not sent any more.
fn left_out(picture: &WaitingMessage, now: Timestamp) -> Option<&'static str> {
    if picture.state == State::Unsure {
        return Some(UNSURE);
    }
    is_late(picture.created_at, now).then_some(LATE)
}

/// The critical message that a folding lane sends on its own first.
fn alone<'a>(waiting: &'a Waiting, pace: &Pace, now: Timestamp) -> Option<&'a WaitingMessage> {
    let lately = pace.critical_at.is_some_and(|at| (0..CRITICAL_EVERY_MS).contains(&now.millis_since(at)));
    if lately || pace.from(true, now) > now {
        return None;
    }
    waiting.messages.iter().find(|message| message.fresh && message.critical && !message.digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn message(id: i64) -> WaitingMessage {
        WaitingMessage {
            message: id,
            state: State::Queued,
            fresh: true,
            picture: false,
            digest: false,
            critical: false,
            urgent: false,
            created_at: NOW,
            due_at: NOW,
        }
    }

    fn critical(id: i64) -> WaitingMessage {
        WaitingMessage { critical: true, urgent: true, ..message(id) }
    }

    fn waiting(messages: Vec<WaitingMessage>) -> Waiting {
        let fresh = messages.iter().filter(|message| message.fresh).count() as u64;
        Waiting { messages, fresh }
    }

    fn choose(messages: Vec<WaitingMessage>, pace: &Pace) -> Step {
        next(&waiting(messages), pace, &HashSet::new(), false, NOW)
    }

    #[test]
    fn messages_go_in_order_and_critical_ones_first() {
        assert_eq!(choose(vec![message(1), message(2)], &Pace::default()), Step::Send(1));
        assert_eq!(choose(vec![message(1), critical(2)], &Pace::default()), Step::Send(2));
        assert_eq!(choose(vec![], &Pace::default()), Step::Nothing);
    }

    #[test]
    fn one_that_waits_for_its_own_retry_holds_up_no_other() {
        let retried = WaitingMessage { fresh: false, due_at: NOW.plus_millis(9_000), ..message(1) };
        assert_eq!(choose(vec![retried.clone(), message(2)], &Pace::default()), Step::Send(2));
        assert_eq!(choose(vec![retried], &Pace::default()), Step::Wait(NOW.plus_millis(9_000)));
    }

    #[test]
    fn more_than_eight_or_two_of_which_the_oldest_is_late_are_folded() {
        assert_eq!(choose((1..9).map(message).collect(), &Pace::default()), Step::Send(1));
        assert_eq!(choose((1..10).map(message).collect(), &Pace::default()), Step::Fold { keep: None });
        let late = |id| WaitingMessage { created_at: NOW.plus_millis(-LATE_MS - 1), ..message(id) };
        assert_eq!(choose(vec![late(1), message(2)], &Pace::default()), Step::Fold { keep: None });
        assert_eq!(choose(vec![late(1)], &Pace::default()), Step::Send(1));
    }

    #[test]
    fn the_first_critical_of_a_storm_goes_by_itself_and_the_next_ones_lead_the_digest() {
        let storm = || (1..20).map(message).chain([critical(20), critical(21)]).collect::<Vec<_>>();
        assert_eq!(choose(storm(), &Pace::default()), Step::Fold { keep: Some(20) });
        let lately = Pace { critical_at: Some(NOW.plus_millis(-1_000)), ..Pace::default() };
        assert_eq!(choose(storm(), &lately), Step::Fold { keep: None });
    }

    #[test]
    fn urgent_messages_use_the_reserve_while_the_rest_waits() {
        let until = NOW.plus_millis(30_000);
        let mut pace = Pace::default();
        pace.wait(false, until, None, NOW);
        assert_eq!(choose(vec![message(1), critical(2)], &pace), Step::Send(2));
        assert_eq!(choose(vec![message(1)], &pace), Step::Wait(until));
        let mut pace = Pace::default();
        pace.wait(true, until, Some(Scope::stored("app/ops")), NOW);
        let sooner = NOW.plus_millis(ASK_AGAIN_MS);
        assert_eq!(
            choose(vec![message(1), critical(2)], &pace),
            Step::Wait(sooner),
            "it may be probed before its time"
        );
    }

    #[test]
    fn a_clock_set_back_makes_no_lane_wait() {
        let mut pace = Pace::default();
        pace.wait(true, NOW.plus_millis(3_630_000), None, NOW.plus_millis(3_600_000));
        assert_eq!(choose(vec![message(1)], &pace), Step::Send(1));
        pace.wait(false, NOW.plus_millis(30_000), None, NOW);
        assert_eq!(choose(vec![message(1)], &pace), Step::Wait(NOW.plus_millis(30_000)));
    }

    #[test]
    fn messages_that_must_not_overtake_are_left_for_later() {
        let step = next(&waiting(vec![message(1), critical(2)]), &Pace::default(), &HashSet::from([2]), false, NOW);
        assert_eq!(step, Step::Send(1));
    }

    #[test]
    fn a_picture_is_sent_where_nothing_else_waits_and_left_out_when_it_is_old_or_may_have_arrived() {
        let picture = |id| WaitingMessage { picture: true, fresh: false, ..message(id) };
        let ago = |millis: i64| NOW.plus_millis(-millis);
        assert_eq!(choose(vec![picture(1), message(2)], &Pace::default()), Step::Send(2));
        assert_eq!(choose(vec![picture(1), picture(2)], &Pace::default()), Step::Send(1));
        // What waits for its retry goes before it; so does what waits for room.
        let retried = WaitingMessage { fresh: false, due_at: NOW.plus_millis(9_000), ..message(2) };
        assert_eq!(choose(vec![picture(1), retried], &Pace::default()), Step::Wait(NOW.plus_millis(9_000)));
        let mut pace = Pace::default();
        pace.wait(false, NOW.plus_millis(600_000), None, NOW);
        let end = NOW.plus_millis(OLD_MS + 1);
        assert_eq!(choose(vec![picture(1), message(2)], &pace), Step::Wait(end), "then the picture is old");
        assert_eq!(choose(vec![picture(1)], &pace), Step::Wait(end));
        let old = |id| WaitingMessage { created_at: ago(OLD_MS + 1), ..picture(id) };
        assert_eq!(choose(vec![old(1)], &pace), Step::LeaveOut { picture: 1, why: "late" });
        assert_eq!(choose(vec![old(1), message(2)], &Pace::default()), Step::Send(2), "messages first");
        let unsure = WaitingMessage { state: State::Unsure, ..picture(1) };
        assert_eq!(choose(vec![unsure], &Pace::default()), Step::LeaveOut { picture: 1, why: "unsure" });
        let sending = WaitingMessage { state: State::Sending, ..old(1) };
        assert_eq!(choose(vec![sending], &pace), Step::Nothing);
    }

    #[test]
    fn a_fold_that_failed_is_not_repeated() {
        let many = waiting((1..20).map(message).collect());
        assert_eq!(next(&many, &Pace::default(), &HashSet::new(), true, NOW), Step::Send(1));
    }
}
