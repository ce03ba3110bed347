//! What the search by words says.

use crate::alert::ThreadId;
use crate::words::{Words, words};

pub(in crate::console) const MORE_CONDITIONS: Words = words("更多条件", "More conditions");
pub(in crate::console) const FIND: Words =
    words("找 规则、主机、标签、人、短号", "Rule, host, label, person, short id");
pub(in crate::console) const FIND_MESSAGES: Words =
    words("找 规则、主机、正文、人、错误码、短号", "Rule, host, text, person, errcode, short id");
pub(in crate::console) const NOTHING_TYPED: Words =
    words("要找的里面没有字，也没有数字：写一个词试试。", "There is no letter or digit to look for: type a word.");
pub(in crate::console) const FOUND_SOON: Words = words(
    "最近几秒的消息还不能按词找到，过几秒再刷新。",
    "Messages of the last few seconds are not found by words yet: reload in a few seconds.",
);
pub(in crate::console) const NOTHING_IN_DAY: Words =
    words("最近 24 小时没有这样的消息。", "No such message in the last 24 hours.");
pub(in crate::console) const NOTHING_IN_WEEK: Words =
    words("最近 7 天没有这样的消息。", "No such message in the last 7 days.");
pub(in crate::console) const NOTHING_IN_MONTH: Words = words(
    "最近 30 天没有这样的消息。可以少写几个词或去掉一个条件；英文词要写全，只有最后一个可以只写开头。",
    "No such message in the last 30 days. Try fewer words or conditions; words are found whole, only the last one by its \
     beginning.",
);
pub(in crate::console) const LOOK_IN_WEEK: Words = words("找 7 天", "Look back 7 days");
pub(in crate::console) const LOOK_IN_MONTH: Words = words("找 30 天", "Look back 30 days");
pub(in crate::console) const NONE_ON: Words = words(
    "现在的告警里没有。已经结束的在投递里找。",
    "Nothing that is on holds it. What is over is found in the deliveries.",
);
pub(in crate::console) const LOOK_IN_DELIVERIES: Words =
    words("在 30 天的投递里找", "Look in the deliveries of 30 days");
pub(in crate::console) const ALL_ON: Words = words("看全部告警", "Show all that is on");
pub(in crate::console) const NOT_FOUND: Words = words("没有找到", "Nothing found");

/// What was typed is a short id, too.
pub(in crate::console) fn is_short_id(short: ThreadId) -> Words {
    (format!("#{short} 也是一个短号：打开这条告警"), format!("#{short} is a short id, too: open this incident")).into()
}
