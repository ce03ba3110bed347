//! A person has a paused way tried now, not only at its next regular probe. Pure.

use super::outbox::{Breaker, OUTAGE, PROBE_MS};
use crate::alert::Timestamp;

/// A person may have one way tried this often: repeated calls with a wrong secret bar our address for an hour
/// (docs/reference/wecom.md#wrong-secrets).
pub const EVERY_MS: i64 = 10_000;
/// The reason of breakers that a limit of WeCom's opened.
const LIMIT: &str = "limit";

/// Why a way is not tried at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unprobed {
    /// It is not paused.
    Open,
    /// It is being tried, was just asked for, or is tried by itself within seconds.
    Soon,
    /// Messages beyond a limit would make the limit last.
    Limited,
}

/// The breaker as it is when its way may be tried from now on; or why not. `asked_at`: when a person last asked for the same
/// within [`EVERY_MS`].
pub fn probe(open: Option<Breaker>, asked_at: Option<Timestamp>, now: Timestamp) -> Result<Breaker, Unprobed> {
    let open = open.ok_or(Unprobed::Open)?;
    if open.reason == LIMIT {
        return Err(Unprobed::Limited);
    }
    // A message that probes moves the next probe by PROBE_MS: two at a time would be one too many.
    let soon = open.reason == OUTAGE || (..=PROBE_MS).contains(&open.probe_at.millis_since(now));
    if soon || asked_at.is_some_and(|at| (0..EVERY_MS).contains(&now.millis_since(at))) {
        return Err(Unprobed::Soon);
    }
    Ok(Breaker { probe_at: now, ..open })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Scope;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn open(reason: &str, probe_in: i64) -> Breaker {
        Breaker {
            scope: Scope::stored("app/ops"),
            reason: reason.to_owned(),
            errcode: Some(60_020),
            error: String::new(),
            opened_at: NOW.plus_millis(-60_000),
            probe_at: NOW.plus_millis(probe_in),
            failures: 3,
        }
    }

    #[test]
    fn a_way_that_waits_long_is_tried_now_and_keeps_what_is_known_of_it() {
        let tried = probe(Some(open("configuration", 50_000)), None, NOW).unwrap();
        assert_eq!(tried, Breaker { probe_at: NOW, ..open("configuration", 0) });
        assert!(tried.keeps_away_until(NOW).is_none(), "a message may pass at once");
        let long_ago = Some(NOW.plus_millis(-EVERY_MS));
        assert!(probe(Some(open("token", 300_000)), long_ago, NOW).is_ok());
        assert!(probe(Some(open("token", 300_000)), Some(NOW.plus_millis(5)), NOW).is_ok(), "the clock was set back");
    }

    #[test]
    fn a_way_is_not_tried_twice_at_once_nor_beyond_a_limit() {
        for (breaker, asked_at, why) in [
            (None, None, Unprobed::Open),
            (Some(open("configuration", PROBE_MS)), None, Unprobed::Soon),
            (Some(open("configuration", 0)), None, Unprobed::Soon),
            (Some(open("configuration", 60_000)), Some(NOW.plus_millis(1 - EVERY_MS)), Unprobed::Soon),
            (Some(open(OUTAGE, 300_000)), None, Unprobed::Soon),
            (Some(open("limit", 300_000)), None, Unprobed::Limited),
        ] {
            assert_eq!(probe(breaker.clone(), asked_at, NOW), Err(why), "{breaker:?}");
        }
    }
}
