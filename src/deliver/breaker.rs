//! What an answer shows about its way: when a breaker opens, and when it closes. Pure.
//!
//! A breaker stands for a fault that is not one message's: a wrong secret, an untrusted address, a limit, an outage.
//! While it is open its lanes wait, and no message uses up its attempts.

use super::verdict::{Blame, Failed, Fix, Verdict};
use crate::alert::Timestamp;
use crate::names::Scope;
use crate::store::{Breaker, BreakerChange, OUTAGE};

/// This many consecutive calls without an answer from WeCom, from any lanes, are an outage.
const OUTAGE_AFTER: u32 = 3;
/// Interval of probes while a person repairs something: short at first, so that the repair shows, then long, since
/// repeated calls with a wrong secret bar our address for an hour (docs/reference/wecom.md#wrong-secrets).
const PROBE_MS: i64 = 60_000;
const PROBE_LATER_MS: i64 = 300_000;
const SOON: u32 = 10;
/// Longest wait after repeated hits of a limit: the hour of the hourly limit.
const LIMIT_MS: i64 = 3_600_000;
/// Interval of probes of a host that does not answer.
const HOST_MS: i64 = 5_000;

/// The scopes of breakers on one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes {
    /// The host that answers; `None` if it cannot be probed without sending a message.
    pub host: Option<Scope>,
    /// The sender: an app, a webhook's key.
    pub sender: Scope,
    /// The destination, if it can be broken while the sender is not: a chat.
    pub route: Option<Scope>,
}

impl Scopes {
    /// All of them.
    pub fn all(&self) -> Vec<Scope> {
        self.host.iter().chain([&self.sender]).chain(&self.route).cloned().collect()
    }
}

/// The breaker changes after an attempt. `silent`: consecutive calls without an answer, this one included; `failures`:
/// failed probes of the scope while its breaker is open; `probing`: a breaker is open on the way; `elsewhere`: a broken
/// route need not hold messages up, because another receiver is told instead.
pub fn changes(
    verdict: &Verdict,
    scopes: &Scopes,
    silent: u32,
    failures: u32,
    probing: bool,
    elsewhere: bool,
    now: Timestamp,
) -> Vec<BreakerChange> {
    match verdict.failed().and_then(|failed| opened(failed, scopes, silent, failures, elsewhere, now)) {
        Some(open) => vec![BreakerChange::Open(open)],
        None if probing => scopes.all().into_iter().map(BreakerChange::Close).collect(),
        None => Vec::new(),
    }
}

fn opened(
    failed: &Failed,
    scopes: &Scopes,
    silent: u32,
    failures: u32,
    elsewhere: bool,
    now: Timestamp,
) -> Option<Breaker> {
    let (scope, reason, wait) = match failed.blame {
        Blame::Silence if silent < OUTAGE_AFTER => return None,
        Blame::Way(Fix::Route) if elsewhere => return None,
        Blame::Silence => match &scopes.host {
            Some(host) => (host, OUTAGE, HOST_MS),
            None => (&scopes.sender, "silence", repair(failures)),
        },
        Blame::Way(Fix::Limit) => (&scopes.sender, "limit", doubled(failures)),
        Blame::Way(Fix::Token) => (&scopes.sender, "token", repair(failures)),
        Blame::Way(Fix::Sender) => (&scopes.sender, "configuration", repair(failures)),
        Blame::Way(Fix::Route) => (scopes.route.as_ref().unwrap_or(&scopes.sender), "configuration", repair(failures)),
        Blame::Passing | Blame::Unknown | Blame::Message { .. } => return None,
    };
    let asked = failed.retry_after.map_or(0, |after| i64::try_from(after.as_millis()).unwrap_or(LIMIT_MS));
    Some(Breaker {
        scope: scope.clone(),
        reason: reason.to_owned(),
        errcode: failed.errcode,
        error: failed.words().recorded(),
        opened_at: now,
        probe_at: now.plus_millis(wait.max(asked)),
        failures: 1,
    })
}

/// The window of the limit, doubled each time it is hit again.
fn doubled(failures: u32) -> i64 {
    PROBE_MS.saturating_mul(1 << failures.min(6)).min(LIMIT_MS)
}

const fn repair(failures: u32) -> i64 {
    if failures < SOON { PROBE_MS } else { PROBE_LATER_MS }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::verdict::tests::{failed_with, refused};
    use wecom::{Class, Fault, Receipt};

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn scopes() -> Scopes {
        Scopes {
            host: Some(Scope::stored("host/h")),
            sender: Scope::stored("app/ops"),
            route: Some(Scope::stored("app/ops/chat/c")),
        }
    }

    fn opens(outcome: &Verdict, silent: u32, failures: u32) -> Option<(String, String, i64)> {
        match &changes(outcome, &scopes(), silent, failures, false, false, NOW)[..] {
            [BreakerChange::Open(open)] => {
                Some((open.scope.to_string(), open.reason.clone(), open.probe_at.millis_since(NOW)))
            }
            [] => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_kind_of_trouble_opens_the_breaker_of_its_part() {
        let cases = [
            (60020, "app/ops", "configuration", 60_000),
            (40013, "app/ops", "configuration", 60_000),
            (42001, "app/ops", "token", 60_000),
            (45009, "app/ops", "limit", 60_000),
            (86003, "app/ops/chat/c", "configuration", 60_000),
        ];
        for (code, scope, reason, wait) in cases {
            assert_eq!(opens(&refused(code), 0, 0), Some((scope.into(), reason.into(), wait)), "{code}");
        }
        for code in [81013, 40058, -1, 45033] {
            assert_eq!(opens(&refused(code), 0, 0), None, "{code} is one message's trouble");
        }
    }

    #[test]
    fn one_call_that_is_not_answered_is_no_outage_and_three_are() {
        let silence = failed_with(Fault::Timeout, Class::Transient);
        assert_eq!(opens(&silence, 2, 0), None);
        assert_eq!(opens(&silence, 3, 0), Some(("host/h".into(), OUTAGE.into(), HOST_MS)));
    }

    #[test]
    fn the_pause_after_a_limit_grows_and_a_repair_is_probed_less_often() {
        let waits: Vec<i64> = [0, 1, 3, 20].map(|n| opens(&refused(45009), 0, n).unwrap().2).to_vec();
        assert_eq!(waits, [60_000, 120_000, 480_000, 3_600_000]);
        assert_eq!(opens(&refused(60020), 0, 9).unwrap().2, 60_000);
        assert_eq!(opens(&refused(60020), 0, 10).unwrap().2, 300_000);
    }

    #[test]
    fn a_probe_that_gets_through_closes_all_and_so_does_one_that_is_refused_for_itself() {
        for outcome in [Verdict::Accepted(Receipt::default()), refused(40058)] {
            assert_eq!(changes(&outcome, &scopes(), 0, 4, true, false, NOW).len(), 3);
            assert!(changes(&outcome, &scopes(), 0, 4, false, false, NOW).is_empty());
        }
    }

    #[test]
    fn a_broken_route_opens_no_breaker_where_another_receiver_is_told() {
        for probing in [false, true] {
            let of = |code| changes(&refused(code), &scopes(), 0, 0, probing, true, NOW);
            assert!(of(86003).iter().all(|change| matches!(change, BreakerChange::Close(_))), "{probing}");
            assert!(matches!(of(60020)[..], [BreakerChange::Open(_)]), "the app's trouble is that of others too");
        }
    }
}
