//! What the page of a person says of budgets, and of why something did not arrive.

use crate::budget::{Per, Used};
use crate::words::{Words, words};

pub(in crate::console) const WHY_NOT: Words = words("为什么没收到？", "Why was it not received?");
pub(in crate::console) const WHY_NOT_OF: Words = words("哪条告警（短号）", "Which alert (its short id)");
pub(in crate::console) const HERE: Words = words("就是这里", "here it broke");
pub(in crate::console) const BUDGETS: Words = words("额度", "Budgets");
pub(in crate::console) const BUDGETS_DO: Words = words(
    "企业微信对每个人的限制，留有余地；用满以后普通消息并成摘要，留的那部分只给严重告警和恢复。",
    "WeCom's limits for each person, with a margin. Beyond them plain messages are folded into digests; what is kept back is for critical alerts and for ends.",
);
pub(in crate::console) const CHAIN_NO_MESSAGE: Words = words(
    "记录里没有给他的消息：告警可能在名单改动之前，或旧记录已被清理",
    "there is no message to this person on record: the alert may be older than the list of people, or old records were pruned",
);
pub(in crate::console) const CHAIN_GROUP: Words = words(
    "没有按名字写给他，发到了群、部门或标签：企业微信不说里面有谁",
    "none names this person; they went to a group, a department or a tag, and WeCom does not say who is in it",
);
pub(in crate::console) const CHAIN_NO_RECEIPT: Words = words(
    "企业微信收下了。它没有已读回执：请看手机的通知设置、免打扰，或是不是在看别的会话",
    "WeCom took it. It has no receipts: look at the notifications of the phone, at its do-not-disturb, or at another conversation",
);
pub(in crate::console) const CHAIN_BUDGET: Words =
    words("额度用完了，有空就发或并入摘要", "the budget is spent: it goes out when there is room, or in a digest");
pub(in crate::console) const CHAIN_TURN: Words = words("在排队，轮到就发", "it waits for its turn");

/// No alert of this short id is on record.
pub(in crate::console) fn chain_unknown(short: &str) -> Words {
    (
        format!("记录里没有 #{short}：看看短号，旧记录会被清理"),
        format!("#{short} is not on record: look at the short id; old records are pruned"),
    )
        .into()
}

/// No receiver knows the alert.
pub(in crate::console) fn chain_untold(short: &str, name: &str) -> Words {
    (format!("#{short} {name} 没有接收者知道"), format!("no receiver knows of #{short} {name}")).into()
}

/// The receivers to which the routes led.
pub(in crate::console) fn chain_routed(short: &str, name: &str, receivers: &[String]) -> Words {
    let (zh, en) = (receivers.join("、"), receivers.join(", "));
    (format!("#{short} {name} 按路由到了 {zh}"), format!("the routes led #{short} {name} to {en}")).into()
}

/// It is silenced upstream.
pub(in crate::console) fn chain_silenced(until: &str) -> Words {
    (
        format!("它在上游静默着，{until}：期间上游不再发来"),
        format!("it is silenced upstream, {until}: meanwhile the upstream reports nothing"),
    )
        .into()
}

/// The receivers that reach the person.
pub(in crate::console) fn chain_reached(receivers: &[String], person: &str) -> Words {
    let (zh, en) = (receivers.join("、"), receivers.join(", "));
    (format!("其中 {zh} 现在能到 {person}"), format!("of these, {en} reaches {person} now")).into()
}

/// None of them reaches the person.
pub(in crate::console) fn chain_not_reached(person: &str) -> Words {
    (
        format!("它们现在都到不了 {person}：目标的名单、部门、值班里没有他；要收到就改路由或名单"),
        format!("none of them reaches {person} now: no list, department or rota of their targets has this person; change a route or a list"),
    )
        .into()
}

/// None of them reaches the person any more.
pub(in crate::console) fn chain_no_longer(person: &str) -> Words {
    (
        format!("它们现在都到不了 {person}，但当时写给过他（换了班，或改了名单）"),
        format!("none of them reaches {person} now, but one did (a shift or a list changed)"),
    )
        .into()
}

/// The way is paused.
pub(in crate::console) fn chain_paused(name: &str, why: &Words) -> Words {
    (format!("{name} 暂停着：{}", why.zh), format!("{name} is paused: {}", why.en)).into()
}

/// A budget of a person.
pub(in crate::console) fn budget_of(app: &str, chats: bool) -> Words {
    if chats {
        (format!("应用 {app} 的群"), format!("chats of the app {app}")).into()
    } else {
        (format!("应用 {app} 的消息"), format!("messages of the app {app}")).into()
    }
}

/// What is spent of it.
pub(in crate::console) fn budget_used(used: &Used) -> Words {
    let Used { per, spent, most, reserved } = used;
    let (zh, en) = match per {
        Per::Minute => ("这一分钟", "this minute"),
        Per::Hour => ("这一小时", "this hour"),
        Per::Day => ("这一天", "this day"),
    };
    (format!("{zh} {spent}/{most}（留 {reserved}）"), format!("{en} {spent}/{most} ({reserved} kept back)")).into()
}

// The page of a rota.

pub(in crate::console) const LOAD: Words = words("近 4 周", "The last 4 weeks");
pub(in crate::console) const OF_LOAD: [Words; 5] = [
    words("当班小时", "hours on duty"),
    words("其中夜里", "at night"),
    words("收到", "messages"),
    words("夜里收到", "at night"),
    words("认领", "acked"),
];
pub(in crate::console) const LOAD_IS: Words = words(
    "小时按排班算；消息是写给本人名字并送到的，不论当时是否当班",
    "hours are those of the schedule; messages are those that named the person and arrived, on duty or not",
);
pub(in crate::console) const SUBSTITUTION: Words = words("替班", "A substitution");
pub(in crate::console) const SUBSTITUTION_DOES: Words = words(
    "排班是版本管理里的文件：这里写出要加的几行，和加上以后谁当班；文件由你改，改完重新读配置。",
    "The rota is a file under version control: this writes the lines to add, and shows who is on duty with them. You change the file, and have the configuration read again.",
);
pub(in crate::console) const WHO_IS_AWAY: Words = words("替谁", "Who is away");
pub(in crate::console) const WHOEVER_IS_ON: Words = words("那时当班的人", "whoever is on duty then");
pub(in crate::console) const WHO_TAKES_OVER: Words = words("谁来（userid）", "Who takes over (userid)");
pub(in crate::console) const FROM_WHEN: Words = words("从", "From");
pub(in crate::console) const UNTIL_WHEN: Words = words("到", "Until");
pub(in crate::console) const MAKE_LINES: Words = words("写出来", "Write the lines");
pub(in crate::console) const FOR_THE_FILE: Words = words("加进排班文件", "For the file of the rota");
pub(in crate::console) const THEN_ON_DUTY: Words = words("加上以后当班的人：", "Who is on duty with it:");
pub(in crate::console) const NO_SUBSTITUTE: Words =
    words("写替班人的 userid：字母、数字、_ - . @", "give the userid of who takes over: letters, digits, _ - . @");
pub(in crate::console) const NOT_ON_ROTA: Words = words("被替的人不在这个排班里", "who is away is not on this rota");
pub(in crate::console) const NO_TIMES: Words =
    words("写从什么时候到什么时候，后一个要更晚", "give from when until when, the second later than the first");
