//! What follows the result of an attempt. Pure: a retry is a time in the store, not a loop.

use super::verdict::{Blame, Fix, Verdict};
use crate::engine::picture;

/// Age at which retries stop. A fallback was told long before, by age (`engine::overdue`).
const GIVE_UP_MS: i64 = 24 * 3600 * 1000;
/// Quick retries of a transient fault; WeCom advises at most three (page 90455).
const QUICK: u32 = 3;

/// Tries of a message that WeCom answers with an unknown code: the message may be at fault, and the lane must continue.
const UNKNOWN: u32 = 5;

/// The facts about a message when an attempt ends.
#[derive(Debug, Clone, Copy)]
pub struct Tries {
    /// Attempts so far, the one that ended included.
    pub attempts: u32,
    /// How long ago its newest news came, in milliseconds.
    pub age_ms: i64,
    /// It was already reduced to plain text.
    pub plain: bool,
    /// It has no other way, but a fallback receiver.
    pub elsewhere: bool,
}

/// What happens to the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// WeCom accepted it.
    Done,
    /// The same bytes again after this time.
    Again {
        /// Milliseconds.
        after_ms: i64,
    },
    /// The same bytes again once the breaker of its way permits: the fault is not the message's.
    Held,
    /// The same content again as short plain text, at once.
    Plainer,
    /// Rejected permanently; the lane continues.
    Dead,
    /// A picture is left out, for this reason; the lane continues.
    LeftOut(&'static str),
}

/// The same for a picture that follows a message: it is sent once at most, and nothing is told in its place.
pub fn of_picture(next: Next, unsure: bool) -> Next {
    match next {
        Next::Done => Next::Done,
        _ if unsure => Next::LeftOut(picture::UNSURE),
        Next::Plainer | Next::Dead => Next::LeftOut(picture::REJECTED),
        waits => waits,
    }
}

/// Decides by the cause of the failure and the age of the message. `jitter` is uniform in [0, 1).
pub fn decide(verdict: &Verdict, tries: Tries, jitter: f64) -> Next {
    let failed = match verdict {
        Verdict::Accepted(_) | Verdict::AcceptedInPart { .. } => return Next::Done,
        Verdict::NotSent(failed) | Verdict::Unsure(failed) => failed,
    };
    match failed.blame {
        Blame::Message { worth_plain_text } => {
            if worth_plain_text && !tries.plain {
                Next::Plainer
            } else {
                Next::Dead
            }
        }
        Blame::Unknown if tries.attempts >= UNKNOWN => {
            if tries.plain {
                Next::Dead
            } else {
                Next::Plainer
            }
        }
        _ if tries.age_ms >= GIVE_UP_MS => Next::Dead,
        // A deleted chat or a removed webhook may never come back: the fallback is told at once.
        Blame::Way(Fix::Route) if tries.elsewhere => Next::Dead,
        Blame::Way(_) => Next::Held,
        Blame::Passing | Blame::Silence | Blame::Unknown => {
            let wait = pause(tries.attempts, jitter);
            let asked = failed.retry_after.map_or(0, |after| i64::try_from(after.as_millis()).unwrap_or(GIVE_UP_MS));
            Next::Again { after_ms: wait.max(asked) }
        }
    }
}

/// Milliseconds until the next try.
fn pause(attempts: u32, jitter: f64) -> i64 {
    let doubled = |first: i64, most: i64| first.saturating_mul(1 << attempts.saturating_sub(1).min(20)).min(most);
    // Full jitter for transient faults: lanes that failed together do not retry together.
    let full = |most: i64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "minutes in milliseconds are exact in f64"
        )]
        let share = (most as f64 * jitter) as i64;
        share.max(most / 10)
    };
    match attempts {
        0..=QUICK => full(doubled(1_000, 4_000)),
        4..=10 => full(doubled(1_000, 60_000)),
        _ => full(300_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::verdict::tests::refused;
    use proptest::prelude::*;

    const FIRST: Tries = Tries { attempts: 1, age_ms: 0, plain: false, elsewhere: false };

    #[test]
    fn a_picture_is_sent_once_at_most() {
        let again = || Next::Again { after_ms: 7 };
        for (next, unsure, follows) in [
            (Next::Done, false, Next::Done),
            (again(), false, again()),
            (Next::Held, false, Next::Held),
            (again(), true, Next::LeftOut("unsure")),
            (Next::Held, true, Next::LeftOut("unsure")),
            (Next::Dead, true, Next::LeftOut("unsure")),
            (Next::Plainer, false, Next::LeftOut("rejected")),
            (Next::Dead, false, Next::LeftOut("rejected")),
        ] {
            assert_eq!(of_picture(next.clone(), unsure), follows, "{next:?} {unsure}");
        }
    }

    #[test]
    fn a_card_that_is_refused_is_tried_once_more_as_plain_text_and_then_dies() {
        assert_eq!(decide(&refused(42045), FIRST, 0.5), Next::Plainer);
        assert_eq!(decide(&refused(42045), Tries { plain: true, ..FIRST }, 0.5), Next::Dead);
    }

    #[test]
    fn an_unknown_code_blocks_the_lane_for_a_few_tries_only() {
        let unknown = refused(987_654);
        assert!(matches!(decide(&unknown, Tries { attempts: UNKNOWN - 1, ..FIRST }, 0.5), Next::Again { .. }));
        assert_eq!(decide(&unknown, Tries { attempts: UNKNOWN, ..FIRST }, 0.5), Next::Plainer);
        assert_eq!(decide(&unknown, Tries { attempts: UNKNOWN + 1, plain: true, ..FIRST }, 0.5), Next::Dead);
    }

    #[test]
    fn a_message_without_permitted_recipients_dies_at_once() {
        assert_eq!(decide(&refused(81013), FIRST, 0.5), Next::Dead);
    }

    #[test]
    fn an_outage_is_waited_for_a_day_and_no_longer() {
        let day_old = Tries { attempts: 400, age_ms: GIVE_UP_MS, plain: false, elsewhere: false };
        assert!(matches!(decide(&refused(60020), Tries { age_ms: GIVE_UP_MS - 1, ..day_old }, 0.5), Next::Held));
        assert_eq!(decide(&refused(60020), day_old, 0.5), Next::Dead);
    }

    #[test]
    fn the_ways_trouble_uses_up_no_attempt_of_the_message() {
        for code in [45009, 60020, 42001, 93000] {
            for attempts in [1, 100] {
                assert_eq!(decide(&refused(code), Tries { attempts, ..FIRST }, 0.0), Next::Held, "{code}");
            }
        }
    }

    #[test]
    fn a_message_on_a_broken_route_goes_to_the_fallback_at_once() {
        let elsewhere = Tries { elsewhere: true, ..FIRST };
        assert_eq!(decide(&refused(93000), elsewhere, 0.5), Next::Dead);
        assert_eq!(decide(&refused(60020), elsewhere, 0.5), Next::Held, "that can be repaired, and no message is lost");
    }

    proptest! {
        #[test]
        fn every_pause_is_positive_and_at_most_five_minutes(code in -1_i64..100_000, attempts in 1_u32..1000, jitter in 0.0_f64..1.0) {
            if let Next::Again { after_ms } = decide(&refused(code), Tries { attempts, ..FIRST }, jitter) {
                prop_assert!((1..=300_000).contains(&after_ms), "{after_ms}");
            }
        }
    }
}
