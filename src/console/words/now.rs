//! What the list of what is on says.

use crate::console::Only;
use crate::render::number;
use crate::store::Counted;
use crate::words::{Words, told, words};

pub(in crate::console) const FILTER: Words = words("筛选", "filter");
pub(in crate::console) const CALM: Words = words(
    "现在没有告警。结束了的在“投递”里找。还没有接上发送方？用 `wegraf source new` 做一个来源。",
    "Nothing is on. What is over is found under “Deliveries”. Is no sender connected yet? `wegraf source new` makes a source.",
);
pub(in crate::console) const NONE_OF_PART: Words = words("这一类现在没有。", "None of this kind is on.");
pub(in crate::console) const LATEST: Words = words("最近 24 小时的投递", "Deliveries of the last 24 hours");
pub(in crate::console) const NO_OWNER: Words = words("未认领", "not acknowledged");

/// How much is on.
pub(in crate::console) fn now_heading(all: usize, critical: usize, free: usize) -> Words {
    if all == 0 {
        return words("没有告警", "All is calm");
    }
    let [all, critical, free] = [all, critical, free].map(|count| number(count as u64));
    (
        format!("{all} 个告警，{critical} 个严重，{free} 个无人认领"),
        format!("{all} incidents, {critical} critical, {free} without an owner"),
    )
        .into()
}

/// A part of what is on.
pub(in crate::console) fn only(way: Only, count: usize) -> Words {
    let (zh, en) = match way {
        Only::All => ("全部", "All"),
        Only::Critical => ("严重", "Critical"),
        Only::Free => ("无人认领", "No owner"),
        Only::Mine => ("我的", "Mine"),
        Only::Missed => ("没送到", "Not sent"),
    };
    (format!("{zh} {count}"), format!("{en} {count}")).into()
}

/// Messages of an incident that did not arrive.
pub(in crate::console) fn missed(count: usize) -> Words {
    (format!("✗ {count} 处没送到"), format!("✗ {count} not sent")).into()
}

/// A rule, and others in the same incident.
pub(in crate::console) fn and_others(name: &str) -> Words {
    (format!("{name} 等"), format!("{name} and others")).into()
}

/// What is not listed.
pub(in crate::console) fn and_more(beyond: Counted) -> Words {
    let count = format!("{}{}", number(beyond.number), if beyond.more { "+" } else { "" });
    told!("另有 {count} 条，未列出。", "{count} more are not listed.")
}
