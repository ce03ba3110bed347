//! What the page of silences and acknowledgements says.

use crate::words::{Words, words};

pub(in crate::console) const NO_SILENCES: Words = words(
    "现在没有从这里做的静默。要静默：在“现在”里打开一条告警，点“静默”，先看到会挡住几条。",
    "No silence made from here is in force. To make one, open an alert under “Now” and choose “Silence”: you see first what it would hide.",
);
pub(in crate::console) const NOTHING_TAKEN: Words = words("现在没有人认领的告警。", "No firing alert is acknowledged.");
pub(in crate::console) const MADE_HERE: Words = words("从这里做的", "Made from here");
pub(in crate::console) const PENDING: Words = words("还没开始", "not begun yet");
/// An upstream that is asked does not answer.
pub const UPSTREAM_SILENT: Words =
    words("上游 5 秒内没有回答，请稍后再试。", "The upstream did not answer within 5 s; try again soon.");

pub(in crate::console) const NEW_SILENCE: Words = words("新建静默", "New silence");
pub(in crate::console) const MATCHERS: Words =
    words("条件，一行一个，全部满足才挡", "Matchers, one a line; it hides what fulfils all of them");
pub(in crate::console) const COMMENT: Words = words("为什么（可不写）", "Why (may be empty)");
pub(in crate::console) const LOOK_FIRST: Words = words("看看会挡住什么", "See what it would hide");
pub(in crate::console) const WOULD_HIDE: Words = words("会挡住", "It would hide");
pub(in crate::console) const FOR_HOW_LONG: Words = words("静默多久", "For how long");
pub(in crate::console) const CHOOSE: Words = words("选中", "Choose");
pub(in crate::console) const SEVERAL: Words = words("一次改几个", "Change several at once");
pub(in crate::console) const SEVERAL_DOES: Words = words(
    "先在上面勾选。延长用同一个结束时间；每个单独记一笔，哪个没做成写在它那一行。",
    "Tick them above first. All get the same end; each is an act of its own on record, and what failed is said for each.",
);
/// Several silences are changed, and none is chosen.
pub const NONE_CHOSEN: Words = words("没有勾选任何静默。", "No silence is ticked.");
/// Who may not make a silence from matchers.
pub const MAY_NOT_SILENCE: Words = words(
    "按条件静默可能挡住任何人的告警：要能操作每个接收者的告警（may_act），或在 may_change 里。单条告警可以在它的页面上静默。",
    "Matchers may hide the alerts of anybody: it takes the right to act on what every receiver is told (may_act), or may_change. A single alert can be silenced on its own page.",
);

/// Only so many alerts are listed.
pub(in crate::console) fn not_all(listed: usize) -> Words {
    if listed == 0 {
        return words("这些不在 wegraf 的记录里。", "wegraf's record has none of them.");
    }
    (format!("这里列出 wegraf 记录里的 {listed} 条。"), format!("Listed are {listed} of wegraf's record.")).into()
}

/// What became of one of several silences.
pub fn of_several(conditions: &str, said: &Words) -> Words {
    (format!("{conditions}：{}", said.zh), format!("{conditions}: {}", said.en)).into()
}

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
