//! Warnings about a gateway that is ready. Pure.

use jiff::tz::TimeZone;

use super::CRITICAL_LATE_MS;
use crate::alert::Timestamp;
use crate::names::Scope;
use crate::render::Clock;
use crate::store::{Backlog, Breaker};
use crate::words::{Language, Words, told};

/// How many open breakers are listed.
const NAMED: usize = 20;

/// One line for each fault: an imbalance of the record, open breakers, a critical message that waits for too long.
/// `called` gives the display name of a scope. No line contains a secret or an alert's text.
pub fn warnings(
    imbalance: i64,
    breakers: &[Breaker],
    called: impl Fn(&Scope) -> String,
    backlog: &Backlog,
    now: Timestamp,
) -> Vec<Words> {
    let mut warnings = Vec::new();
    if imbalance > 0 {
        warnings.push(told!(
            "记录对不上：{imbalance} 条变化（wegraf deliveries audit）",
            "the record does not balance: {imbalance} transitions (wegraf deliveries audit)"
        ));
    }
    for open in breakers.iter().take(NAMED) {
        let paused = spent(now.millis_since(open.opened_at).max(0), now);
        let code = open.errcode.map(|code| format!(", errcode {code}")).unwrap_or_default();
        let (by, why, Words { zh, en }) = (called(&open.scope), &open.reason, paused);
        let zh = format!("{by} 暂停发送：{why}{code}，{zh}");
        warnings.push((zh, format!("sending by {by} is paused: {why}{code}, {en}")).into());
    }
    if breakers.len() > NAMED {
        let more = breakers.len() - NAMED;
        warnings.push(told!("…还有 {more} 个", "…and {more} more"));
    }
    if let Some(seconds) = critical_late(backlog, now) {
        let Words { zh, en } = spent(seconds * 1000, now);
        let zh = format!("严重告警等了 {zh}还没送到");
        warnings.push((zh, format!("a critical message has waited for {en}")).into());
    }
    warnings
}

/// A span as people say it.
fn spent(millis: i64, now: Timestamp) -> Words {
    let said = |language| Clock { now, zone: &TimeZone::UTC, language }.duration(now.plus_millis(-millis), now);
    (said(Language::Zh), said(Language::En)).into()
}

/// For how many seconds the oldest critical message has waited, if that is too long.
pub(super) fn critical_late(backlog: &Backlog, now: Timestamp) -> Option<i64> {
    let waited = now.millis_since(backlog.oldest_critical?);
    (waited > CRITICAL_LATE_MS).then_some(waited / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    #[test]
    fn a_healthy_gateway_has_no_warning_and_each_fault_has_one() {
        let waiting = |age: i64| Backlog { oldest_critical: Some(NOW.plus_millis(-age)), ..Backlog::default() };
        let open = |n: usize| Breaker {
            scope: Scope::stored(format!("app/{n}")),
            reason: "limit".into(),
            errcode: Some(45009),
            error: "x".into(),
            opened_at: NOW.plus_millis(-9_000),
            probe_at: NOW,
            failures: 1,
        };
        assert!(warnings(0, &[], Scope::to_string, &waiting(120_000), NOW).is_empty());
        assert_eq!(warnings(0, &[], Scope::to_string, &waiting(120_001), NOW).len(), 1);
        let late = warnings(0, &[], Scope::to_string, &waiting(2_358_000), NOW).remove(0);
        assert_eq!(
            (&*late.zh, &*late.en),
            ("严重告警等了 39 分钟还没送到", "a critical message has waited for 39 min")
        );
        assert!(warnings(3, &[], Scope::to_string, &Backlog::default(), NOW)[0].en.contains("3 transitions"));
        let named = warnings(0, &[open(1)], Scope::to_string, &Backlog::default(), NOW);
        assert!(named[0].en.contains("app/1 is paused: limit, errcode 45009, 9 s"), "{named:?}");
        let many: Vec<Breaker> = (0..30).map(open).collect();
        assert_eq!(warnings(0, &many, Scope::to_string, &Backlog::default(), NOW).last().unwrap().en, "…and 10 more");
    }
}
