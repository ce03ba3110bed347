//! What the page of silences and acknowledgements says.

use crate::words::{Words, words};

pub(in crate::console) const NO_SILENCES: Words = words(
    "现在没有从这里做的静默。要静默：在“现在”里打开一条告警，点“静默”，先看到会挡住几条。",
    "No silence made from here is in force. To make one, open an alert under “Now” and choose “Silence”: you see first what it would hide.",
);
pub(in crate::console) const NOTHING_TAKEN: Words =
    words("现在没有人认领的告警。", "Nobody has acknowledged an alert that is on.");
pub(in crate::console) const MADE_HERE: Words = words("从这里做的", "Made from here");
pub(in crate::console) const PENDING: Words = words("还没开始", "not begun yet");
/// An upstream that is asked does not answer.
pub const UPSTREAM_SILENT: Words =
    words("上游 5 秒内没有回答，请稍后再试。", "The upstream did not answer within 5 s; try again soon.");

/// How many incidents somebody has.
pub(in crate::console) fn acknowledgements(count: usize) -> Words {
    (format!("认领 {count}"), format!("{count} acknowledged")).into()
}

/// The way to the silences of an upstream.
pub(in crate::console) fn all_of(upstream: &str) -> Words {
    (format!("{upstream} 里的全部"), format!("All in {upstream}")).into()
}

/// How many silences an upstream has.
pub(in crate::console) fn silences_of(upstream: &str, count: usize) -> Words {
    (format!("{upstream} 里的静默 {count}"), format!("{count} silences in {upstream}")).into()
}

/// An upstream has no silence.
pub(in crate::console) fn none_of(upstream: &str) -> Words {
    (format!("{upstream} 里现在没有静默。"), format!("There is no silence in {upstream} now.")).into()
}

/// How many silences are in force.
pub(in crate::console) fn silences(count: usize) -> Words {
    (format!("静默 {count}"), format!("{count} silences")).into()
}

/// How many of a silence's alerts are still on.
pub(in crate::console) fn hides(count: usize) -> Words {
    if count == 0 {
        return words("没有挡住仍在告警的", "hides nothing that is on");
    }
    (format!("挡住 {count} 条仍在告警的"), format!("hides {count} that are on")).into()
}
