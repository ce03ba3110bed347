//! Lanes in which a message waits too long, for any reason. Pure.

use super::plainly::plainly;
use crate::alert::Timestamp;
use crate::config::Language;
use crate::incidents::{Kind, Subject, Trouble};
use crate::store::LaneBacklog;
use crate::words::Words;

/// A critical message that waits longer is reported: a retry, a probe of a breaker or a spent minute's budget is
/// over sooner.
pub(super) const CRITICAL_MS: i64 = 5 * 60_000;
/// The same for other messages: an outage of WeCom that is shorter repairs itself, and its breaker is reported.
pub(super) const OTHERS_MS: i64 = 30 * 60_000;

/// The fault of a lane whose oldest message is late.
pub(super) fn stuck(late: &LaneBacklog, now: Timestamp) -> Trouble {
    let minutes = now.millis_since(late.oldest).max(0) / 60_000;
    let (count, error) = (late.messages, Words::of_record(&late.error));
    let (because_zh, because_en) = if late.error.is_empty() {
        ("没有记录原因".to_owned(), "No reason is on record".to_owned())
    } else {
        (plainly(&error.zh, Language::Zh), plainly(&error.en, Language::En))
    };
    let detail = [
        format!(
            "{because_zh}。{count} 条消息在等，最早的已等 {minutes} 分钟，都已保存，修好后自动补发；用 `wegraf deliveries list` 查看。"
        ),
        format!(
            "{because_en}. Messages that wait: {count}, the oldest for {minutes} min; they are kept and will be sent once it is repaired: see `wegraf deliveries list`."
        ),
    ];
    Trouble { kind: Kind::Stuck, subject: Subject::Lane(late.lane.clone()), detail }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::LaneKey;

    #[test]
    fn a_stuck_lane_is_reported_with_reason_and_age() {
        let now = Timestamp(1_700_000_000_000);
        let late = LaneBacklog {
            lane: LaneKey::stored("webhook/w"),
            messages: 3,
            oldest: now.plus_millis(-7 * 60_000),
            oldest_critical: None,
            error: "the file is gone.".to_owned(),
        };
        let told = stuck(&late, now);
        assert_eq!((told.kind, told.subject), (Kind::Stuck, Subject::Lane(late.lane.clone())));
        assert!(told.detail[0].starts_with("the file is gone。3 条消息在等，最早的已等 7 分钟"), "{:?}", told.detail);
        let silent = stuck(&LaneBacklog { error: String::new(), ..late }, now);
        assert!(silent.detail[1].contains("No reason is on record"), "{:?}", silent.detail);
    }
}
