//! What the pages say.

mod desk;
mod find;
mod noise;
mod now;
mod pages;
mod person;
mod silences;
mod state;
mod templates;

use crate::alert::{ThreadId, TransitionKind};
use crate::level::Level;
use crate::render::number;
use crate::store::{ActKind, ActState};
use crate::words::{Language, Words, words};

pub(super) use desk::*;
pub use desk::{
    ADDRESS_NOT_TRUSTED, NAME_OR_PASSWORD, NEEDLESS_NOTED, NEEDLESS_TAKEN_BACK, NOT_A_MEMBER, SIGN_IN_AGAIN,
    SIGN_IN_REFUSED, SIGN_IN_STALE, TOO_OFTEN, WECOM_SILENT, domain_not_trusted, wait_seconds,
};
pub(super) use find::*;
pub(super) use noise::*;
pub(super) use now::*;
pub(super) use pages::*;
pub use pages::{BODY_PRUNED, MAPPING_PASSES, MAPPING_READS, NO_TEXT, ODD_LABELS, mapping_wrong, sample_kept};
pub(super) use person::*;
pub(super) use silences::*;
pub use silences::{MAY_NOT_SILENCE, NONE_CHOSEN, UPSTREAM_SILENT, of_several};
pub(super) use state::*;
pub use state::{NOT_PAUSED, PROBE_LIMITED, PROBE_SOON, PROBED, RELOADED, not_reloaded};
pub(super) use templates::*;
pub use templates::{
    FILE_CHANGED, NO_FILE_NAME, NO_FOLDER, NO_SUCH_ID, NOT_SAVED, SAVED, SAVED_UNUSED, not_taken, not_written,
};

/// The name of a language in itself.
pub(super) const fn name_of(language: Language) -> &'static str {
    match language {
        Language::Zh => "中文",
        Language::En => "English",
    }
}

/// The same for both readers.
pub(super) const fn words_of(language: Language) -> Words {
    words(name_of(language), name_of(language))
}

/// The class of a severity in the style.
pub(super) const fn class_of(level: Level) -> &'static str {
    match level {
        Level::Critical => "critical",
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Info => "info",
    }
}

// Pages with one sentence.

/// The message is no longer kept.
pub const PRUNED: Words = words("这条消息已被清理。", "This message is no longer kept.");
/// The link opens nothing.
pub const LINK_INVALID: Words = words(
    "链接无效或已过期。请在企业微信里打开更新的消息里的链接，或在 wegraf 上用 `wegraf deliveries show` 查看。",
    "This link is not valid or has expired. Open the link of a newer message in WeCom, or use `wegraf deliveries show` on the machine.",
);
/// The store does not answer.
pub const NOT_READ: Words = words("暂时读不到，请稍后再试。", "It cannot be read right now; try again soon.");
/// A question took too long.
pub const TOO_SLOW: Words = words(
    "查询超过 500 毫秒的上限，已中止，下面没有结果不等于平静。请缩小时间范围或加上条件。",
    "The query took longer than the limit of 500 ms and was ended: no result does not mean calm. Narrow the time range or \
     add a condition.",
);
/// A form that is not ours.
pub const FORM_UNREADABLE: Words = words(
    "表单读不懂，或不是从这里的页面提交的（缺少 Origin 请求头也会这样）。请回到页面重试。",
    "The form cannot be read, or does not come from a page of this console (a request without the header Origin does not either). Go back and try again.",
);

// The gateway's own address.

pub(super) const RUNNING: Words = words("告警送到企业微信，网关正在运行。", "Alerts to WeCom; the gateway is running.");
pub(super) const RECEIVER: Words = words("接收者", "RECEIVER");
pub(super) const RECEIVER_FIELD: Words = words("接收者", "Receiver");
pub(super) const PATH_WEBHOOK: Words =
    words("Grafana、Alertmanager 和其他 JSON webhook", "Grafana, Alertmanager and any other JSON webhook");
pub(super) const PATH_RECEIVER: Words = words("直接发给一个接收者", "straight to one receiver");
pub(super) const PATH_PUSH: Words =
    words("Prometheus、vmalert、Loki 直接推送", "Prometheus, vmalert, Loki: pushed as to an Alertmanager");
pub(super) const PATH_WATCHED: Words = words("是否就绪，指标", "ready, metrics");

// States and severities.

pub(super) const FIRING: Words = words("告警", "firing");
pub(super) const RESOLVED: Words = words("已恢复", "resolved");
pub(super) const NOTICE: Words = words("通知", "notice");
pub(super) const NO_DATA: Words = words("无数据", "no data");
pub(super) const QUERY_FAILED: Words = words("查询失败", "query failed");
pub(super) const ALL_OVER: Words = words("都已结束", "all over");
pub(super) const NOTHING_TOLD: Words = words("没有告警", "no alerts");

/// How many alerts are on.
pub(super) fn still_on(count: usize) -> Words {
    let count = number(count as u64);
    (format!("{count} 条仍在告警"), format!("{count} still firing")).into()
}

/// The names of rules and what became of them.
pub(super) fn heading(names: &[String], more: bool, fate: &Words) -> Words {
    if names.is_empty() {
        return fate.clone();
    }
    let (zh, en) = if more { (" 等", " and others") } else { ("", "") };
    (format!("{}{zh} · {}", names.join("、"), fate.zh), format!("{}{en} · {}", names.join(", "), fate.en)).into()
}

// The page of a message.

pub(super) const FOLDED: Words = words("这条消息已并入摘要", "This message was sent as part of the digest");
pub(super) const RAW: Words = words("标签与注释", "labels and annotations");
pub(super) const STEPS: Words = words("处理", "What to do");
pub(super) const ORIGINAL: Words = words("原文", "original text");
pub(super) const MORE_FIELDS: Words = words("还有更多，未列出。", "More are not listed.");
pub(super) const CHART: Words = words("趋势图", "chart");
pub(super) const PICTURE: Words = words("上游的图", "the sender's picture");
pub(super) const VALUE: Words = words("值", "value");
pub(super) const PAGES: Words = words("分页", "pages");
pub(super) const FIRST_PAGE: Words = words("回到开头", "first page");
pub(super) const NEXT_PAGE: Words = words("下一页", "next page");
pub(super) const NOTHING_HERE: Words = words("这里没有告警。", "There is nothing here.");
pub(super) const LOGS: Words = words("日志", "logs");
pub(super) const OPEN: Words = words("链接", "link");

/// The links of an alert: panel, dashboard, rule, silence, runbook, picture.
pub(super) const LINKS: [Words; 6] = [
    words("面板", "panel"),
    words("仪表盘", "dashboard"),
    words("规则", "rule"),
    words("静默", "silence"),
    words("手册", "runbook"),
    words("图", "picture"),
];

/// The sender left some out.
pub(super) fn left_out(count: u64) -> Words {
    (format!("上游还省略了 {count} 条。"), format!("{count} more were left out by the sender.")).into()
}

/// Which alerts of a message this page shows.
pub(super) fn part_of(from: usize, until: usize, total: usize) -> Words {
    let total = number(total as u64);
    (format!("共 {total} 条，这里是第 {from}–{until} 条。"), format!("{from}–{until} of {total}.")).into()
}

/// Every field of a body.
pub(super) fn all_fields(count: usize) -> Words {
    (format!("全部字段（{count}）"), format!("all fields ({count})")).into()
}

/// Values that are not shown.
pub(super) fn hidden(count: usize) -> Words {
    (
        format!("另有 {count} 个值有意隐藏或遮盖（密钥、令牌、邮箱、电话、图片数据）。"),
        format!("{count} values are hidden or masked on purpose: secrets, tokens, addresses, numbers, pictures."),
    )
        .into()
}

// The page of a digest.

/// What a digest counts.
pub(super) fn digest_heading(firing: u64, critical: u64, resolved: u64) -> Words {
    let (mut zh, mut en) = (Vec::new(), Vec::new());
    if firing > 0 || resolved == 0 {
        zh.push(format!("{} 条告警", number(firing)));
        en.push(format!("{} firing", number(firing)));
    }
    if critical > 0 {
        zh.push(format!("{} 条严重", number(critical)));
        en.push(format!("{} critical", number(critical)));
    }
    if resolved > 0 {
        zh.push(format!("{} 条已恢复", number(resolved)));
        en.push(format!("{} resolved", number(resolved)));
    }
    (format!("告警摘要：{}", zh.join("，")), format!("Digest: {}", en.join(", "))).into()
}

/// From when to when, and how much.
pub(super) fn digest_span(range: &str, alerts: &str, changes: &str) -> Words {
    let lead = if range.is_empty() { String::new() } else { format!("{range} · ") };
    (format!("{lead}{alerts} 条告警，{changes} 次变化"), format!("{lead}{alerts} alerts, {changes} changes")).into()
}

/// How many rules there are.
pub(super) fn rules(count: u64) -> Words {
    let count = number(count);
    (format!("按规则（{count}）"), format!("by rule ({count})")).into()
}

/// Rules that are not listed.
pub(super) fn more_rules(count: u64) -> Words {
    let count = number(count);
    (format!("另有 {count} 条规则，见下面各页。"), format!("{count} more rules are on the pages below.")).into()
}

/// The alerts of a rule.
pub(super) fn rule_counts(firing: u64, resolved: u64) -> Words {
    let (on, over) = (number(firing), number(resolved));
    match (firing, resolved) {
        (_, 0) => (format!("{on} 条告警"), format!("{on} firing")),
        (0, _) => (format!("{over} 条已恢复"), format!("{over} resolved")),
        _ => (format!("{on} 条告警，{over} 条已恢复"), format!("{on} firing, {over} resolved")),
    }
    .into()
}

/// How often an alert changed.
pub(super) fn changes(count: u64) -> Words {
    let count = number(count);
    (format!("变化 {count} 次"), format!("changed {count} times")).into()
}

// Acts.

pub(super) const YOUR_NAME: Words = words("你的名字，大家会看到", "Your name, which the others see");
pub(super) const ACKNOWLEDGE: Words = words("认领", "Acknowledge");
pub(super) const ACKNOWLEDGE_DOES: Words =
    words("不再提醒，不再升级；恢复时仍会通知。", "No more reminders, no escalation; you will hear when it is over.");
pub(super) const ACKNOWLEDGE_YES: Words = words("确认认领", "Yes, it is mine");
pub(super) const SILENCE: Words = words("静默", "Silence");
pub(super) const SILENCE_DOES: Words = words("恢复时仍会告诉大家。", "Everybody still hears when it is over.");
pub(super) const SILENCE_YES: Words = words("确认静默", "Yes, silence it");
pub(super) const HOW_LONG: Words = words("多久", "For how long");
pub(super) const RELEASE: Words = words("放弃认领", "Give it back");
pub(super) const RELEASE_DOES: Words = words("提醒和升级照常。", "Reminders and escalation go on.");
pub(super) const RELEASE_YES: Words = words("确认放弃", "Yes, give it back");
pub(super) const EXPIRE: Words = words("解除静默", "End the silence");
pub(super) const EXPIRE_DOES: Words = words("还在告警的会马上再通知。", "What is still firing is told again at once.");
pub(super) const EXPIRE_YES: Words = words("确认解除", "Yes, end it");

/// The form has no name.
pub const WHO_ARE_YOU: Words = words("请先写上你的名字，大家才知道是谁。", "Say who you are first: the others see it.");
/// The form has no known span.
pub const NO_SPAN: Words = words("没有这样的静默时长。", "There is no such span for a silence.");
/// The form asks for nothing known.
pub(super) const CHANGE_SILENCE: Words = words("延长或解除", "Extend or end");
pub(super) const EXTEND: Words = words("改结束时间", "Move its end");
pub(super) const EXTEND_UNTIL: Words = words("从现在起", "From now on for");
pub const NOT_NEWEST: Words =
    words("这条告警有更新的静默，请延长那一个。", "The incident has a newer silence: extend that one.");
pub const NO_ACT: Words = words("没有这样的操作。", "There is no such thing to do.");
/// Only certain people may act, and visitors are unauthenticated.
pub const DENIED: Words = words(
    "这条告警限定了谁可以操作，网页认不出你是谁：请在企业微信里用卡片按钮或发消息来操作。",
    "Only certain people may act on this alert, and a web page cannot tell who you are: use the buttons or write to the app in WeCom.",
);
/// The alerts of the message changed since the page was loaded.
pub const CHANGED: Words = words(
    "告警有变化，静默会挡住的和刚才显示的不同了：请看过下面的条件再按一次。",
    "The alerts have changed, so a silence would hide something else than was shown: look at the conditions below and press again.",
);
/// What a silence would hide is not known in time.
pub const TOO_MANY: Words = words(
    "告警来自太多通知，来不及算出静默会挡住什么：请在上游静默，或从其中一条告警自己的消息静默。",
    "The alerts come from too many notifications to tell in time what a silence would hide: silence them upstream, or each from its own message.",
);
/// The link still opens the page, but no longer authorises acts.
pub const ACTS_ENDED: Words = words(
    "这个链接的操作期限已过，没有做任何事；页面仍可查看。",
    "This link can no longer be used to act: nothing was done. The page can still be read.",
);

/// The link opens the page and authorises no acts; `ended`: any more.
pub(super) fn only_reading(ended: bool, thread: ThreadId) -> Words {
    let (zh, en) = if ended {
        ("这个链接的操作期限已过，只能查看。", "This link can no longer be used to act, only to read.")
    } else {
        ("这个链接只能查看。", "This link is for reading.")
    };
    (
        format!(
            "{zh}要处理这条告警：在企业微信里打开它最近一条消息里的链接或卡片，或给收到它的应用、机器人发“认领 #{thread}”。"
        ),
        format!(
            "{en} To act, open the link or card of the newest message about this alert in WeCom, or write “ack #{thread}” to the app or bot that brought it."
        ),
    )
        .into()
}

/// Who has the alerts; `of`: how many of them, unless all.
pub(super) fn has_it(by: &str, of: Option<usize>) -> Words {
    let times = of.map(|count| format!(" ×{count}")).unwrap_or_default();
    (format!("{by} 已认领{times}"), format!("acknowledged by {by}{times}")).into()
}

/// A silence in force.
pub(super) fn silenced_until(until: &str) -> Words {
    (format!("静默到 {until}"), format!("silenced until {until}")).into()
}

/// Where a silence is made, above its conditions.
pub(super) fn would_hide(upstream: &str) -> Words {
    (
        format!("在 {upstream} 挡住满足全部这些条件的告警，对所有人生效："),
        format!("In {upstream}, for everybody, alerts that fulfil all of this are hidden:"),
    )
        .into()
}

/// Before and behind the number of alerts that a silence would hide now.
pub(super) fn hides_now(upstream: &str, by_upstream: bool, count: u64) -> [Words; 2] {
    let does = if count == 1 { "does" } else { "do" };
    if by_upstream {
        return [
            words("现在符合的有 ", ""),
            (format!("（{upstream} 说的）。"), format!(" {does} now, says {upstream}.")).into(),
        ];
    }
    [
        (
            format!("{upstream} 没有回答；wegraf 的记录里现在符合的有 "),
            format!("{upstream} does not answer; by wegraf's own record "),
        )
            .into(),
        ("，那边可能更多。".to_owned(), format!(" {does} now, there may be more.")).into(),
    ]
}

/// A number of alerts.
pub(super) fn alerts(count: u64) -> Words {
    let (number, plural) = (number(count), if count == 1 { "" } else { "s" });
    (format!("{number} 条"), format!("{number} alert{plural}")).into()
}

/// What was done.
pub(super) fn acts_done(count: usize) -> Words {
    (format!("操作记录（{count}）"), format!("what was done ({count})")).into()
}

/// The result of an act with a step upstream.
pub const fn done(kind: ActKind) -> Words {
    match kind {
        ActKind::Expire => words("静默已解除。", "The silence has ended."),
        ActKind::Resend => words("已重发。", "It was sent again."),
        ActKind::Recall => words("已撤回。", "It was recalled."),
        ActKind::Extend => words("静默的结束时间改好了。", "The end of the silence was moved."),
        _ => words("已静默。恢复时仍会告诉大家。", "It is silenced; everybody still hears when it is over."),
    }
}

/// A recorded act.
pub(super) const fn act(kind: ActKind) -> Words {
    match kind {
        ActKind::Acknowledge => words("认领", "acknowledged"),
        ActKind::Release => words("放弃认领", "released"),
        ActKind::Silence => words("静默", "silenced"),
        ActKind::Extend => words("改静默", "moved the silence"),
        ActKind::Expire => words("解除静默", "ended the silence"),
        ActKind::Resend => words("重发", "sent again"),
        ActKind::Recall => words("撤回", "recalled"),
        ActKind::Forget => words("不再上报", "no longer reported"),
        ActKind::Hide => words("在上游静默", "silenced upstream"),
    }
}

/// What became of it; `None`: it was done.
pub(super) const fn state(state: ActState) -> Option<Words> {
    match state {
        ActState::Done => None,
        ActState::Open => Some(words("进行中", "not done yet")),
        ActState::Repeated => Some(words("已有人做过", "done before")),
        ActState::Void => Some(words("已结束", "was over")),
        ActState::Limited => Some(words("太频繁", "too often")),
        ActState::Denied => Some(words("没有权限", "not allowed")),
        ActState::Failed => Some(words("没有做成", "failed")),
    }
}

/// The channel of an act, by its name in the record.
pub(super) fn via(recorded: &str) -> Words {
    match recorded.split('/').next().unwrap_or_default() {
        "app" => words("应用", "app"),
        "bot" => words("机器人", "bot"),
        "page" => words("网页", "page"),
        "command" => words("命令行", "command"),
        "console" => words("控制台", "console"),
        "api" => words("接口", "API"),
        _ => words("", ""),
    }
}

// The console's own pages.

pub(super) const CONSOLE: Words = words("控制台", "console");
pub(super) const SKIP: Words = words("跳到内容", "skip to the content");
pub(super) const SILENCES: Words = words("静默", "Silences");
pub(super) const NOW: Words = words("现在", "Now");
pub(super) const DELIVERIES: Words = words("投递", "Deliveries");
pub(super) const HEALTH: Words = words("健康", "Health");
pub(super) const PLAIN_HTTP: Words = words(
    "这个地址不是 https：登录和看到的内容可能在路上被读到。请把 external_url 换成 https。",
    "This address is not https: sign-in and contents can be read on the way. Make external_url https.",
);
pub(super) const SIGN_IN: Words = words("登录", "Sign in");
pub(super) const SIGN_IN_HOW: Words = words(
    "在企业微信里给收到告警的应用或机器人单独发“控制台”，它会回一个 10 分钟有效的链接。",
    "Write “console” to the app or bot in WeCom that brings you alerts, in a chat of your own: it answers with a link that is valid for 10 minutes.",
);
pub(super) const SIGN_IN_COMMAND: Words = words("或在装有 wegraf 的机器上运行：", "Or run on the machine of wegraf:");
pub(super) const SIGN_IN_ONLY_IF: Words = words(
    "如果这不是你，或者链接不是你自己要来的，请关掉这个页面。",
    "If this is not you, or you did not ask for the link yourself, close this page.",
);
pub(super) const SIGN_IN_YES: Words = words("是我，登录", "It is me, sign in");
pub(super) const SIGN_IN_LASTS: Words = words(
    "登录最长保持 30 天；3 天不用就结束。可以随时在自己的页面退出。",
    "You stay signed in for 30 days at most, and for 3 days without a visit. Sign out at any time on your own page.",
);
pub(super) const SESSIONS: Words = words("登录的浏览器", "Browsers that are signed in");
pub(super) const THIS_BROWSER: Words = words("这个浏览器", "this browser");
pub(super) const SIGN_OUT: Words = words("退出", "Sign out");
pub(super) const END_SESSION: Words = words("结束这个登录", "End this session");
/// The session of the cookie has ended.
pub const SESSION_OVER: Words = words("登录已结束，请重新登录。", "Your session has ended: sign in again.");
/// The link does not sign in.
pub const LINK_OVER: Words =
    words("这个登录链接已用过或过期：请再要一个。", "This link was used or has expired: ask for another one.");
/// There is no such page, or the reader may not see it.
pub const NO_PAGE: Words = words("没有这一页，或者你没有权限看。", "There is no such page, or you may not see it.");

/// The console is closed to a person.
pub fn no_right(person: &str) -> Words {
    (
        format!("{person} 不在任何接收者、值班表或 may_look 里，不能看控制台：请找管理员。"),
        format!("{person} is in no receiver, rota or may_look, and may not look at the console: ask the operator."),
    )
        .into()
}

/// Asks before a browser is signed in.
pub(super) fn sign_in_as(person: &str) -> Words {
    (format!("以 {person} 登录这个浏览器？"), format!("Sign this browser in as {person}?")).into()
}

/// A session in the list.
pub(super) fn session(made: &str, seen: &str, address: &str) -> Words {
    (format!("{made} 从 {address} 登录，最近使用 {seen}"), format!("signed in {made} from {address}, last used {seen}"))
        .into()
}

/// What a person may see.
pub(super) fn sees(all: bool, receivers: &[String]) -> Words {
    if all {
        return words("可以看全部接收者。", "You see all receivers.");
    }
    let (zh, en) = (receivers.join("、"), receivers.join(", "));
    (format!("可以看的接收者：{zh}"), format!("You see these receivers: {en}")).into()
}

pub(super) const WHO_GOT_IT: Words = words("发给了谁", "Who got it");
pub(super) const TIMELINE: Words = words("经过", "What happened");
pub(super) const SENT: Words = words("送达", "sent");
pub(super) const IN_PART: Words = words("部分送达", "in part");
pub(super) const DEAD: Words = words("没送到", "not sent");
pub(super) const TOLD_ELSEWHERE: Words = words("并入摘要", "in a digest");
pub(super) const LEFT_OUT: Words = words("没有发", "left out");
pub(super) const UNDER_WAY: Words = words("正在发送", "under way");
pub(super) const WAITS: Words = words("等待", "waits");
pub(super) const UNSURE: Words = words("不确定", "unsure");
pub(super) const ACCEPTED: Words = words("已接受", "accepted");
pub(super) const ACCEPTED_IN_PART: Words = words("只送到一部分人", "accepted for some people only");
pub(super) const NOT_ACCEPTED: Words = words("没有接受", "not accepted");
pub(super) const SEARCH: Words = words("查找", "Search");
pub(super) const ANY: Words = words("全部", "any");
pub(super) const STATE: Words = words("状态", "State");
pub(super) const SINCE: Words = words("时间", "When");
pub(super) const PERSON: Words = words("人（userid）", "Person (userid)");
pub(super) const SHORT_ID: Words = words("短号", "Short id");
pub(super) const LABEL: Words = words("标签（名=值）", "Label (name=value)");
pub(super) const ERRCODE: Words = words("错误码", "errcode");
pub(super) const LAST_DAY: Words = words("最近 24 小时", "last 24 hours");
pub(super) const LAST_WEEK: Words = words("最近 7 天", "last 7 days");
pub(super) const LAST_MONTH: Words = words("最近 30 天", "last 30 days");
pub(super) const OLDER: Words = words("更早", "older");
/// The search cannot be understood.
pub const ODD_SEARCH: Words = words(
    "有一项读不懂：错误码是数字，标签写成 名=值，短号像 7K2Q。",
    "One field cannot be read: errcode is a number, a label is name=value, a short id is like 7K2Q.",
);
pub(super) const FACTS: Words = words("概况", "Facts");
pub(super) const ATTEMPTS: Words = words("发送尝试", "Attempts");
pub(super) const NO_ATTEMPT: Words = words("还没有尝试。", "Not tried yet.");
pub(super) const SOURCE: Words = words("来源", "Source");
pub(super) const RECEIVED: Words = words("收到", "Received");
pub(super) const QUEUED_AT: Words = words("排队", "Queued");
pub(super) const SETTLED: Words = words("完结", "Settled");
pub(super) const FACE: Words = words("样式", "Face");
pub(super) const NO_PICTURE: Words = words("没有图", "No picture");
pub(super) const ORIGIN: Words = words("代替或重发的消息", "In place of message");
pub(super) const FOLDED_INTO: Words = words("并入的摘要", "Told by digest");
pub(super) const PICTURE_OF: Words = words("是这条消息的图", "Picture of message");

/// A picture that follows a message about `name`.
pub(super) fn picture_of(name: &str) -> Words {
    Words::from((format!("{name} 的图"), format!("picture of {name}")))
}

/// How long an attempt took.
pub(super) fn took(ms: i64) -> Words {
    (format!("{ms} 毫秒"), format!("{ms} ms")).into()
}

/// People whom WeCom did not reach.
pub(super) fn not_reached(missed: &Words) -> Words {
    (format!("没有送到：{}", missed.zh), format!("not reached: {}", missed.en)).into()
}

/// A message was made for a lane.
pub(super) fn queued_for(lane: &str) -> Words {
    (format!("→ {lane}"), format!("→ {lane}")).into()
}

/// A version and part of a message's bytes.
pub(super) fn body(version: u32, part: u32) -> Words {
    (format!("原文 版本 {version} 第 {part} 段"), format!("bytes, version {version}, part {part}")).into()
}

/// What became of an alert.
pub(super) const fn moved(kind: TransitionKind) -> Words {
    match kind {
        TransitionKind::Firing => words("开始告警", "fires"),
        TransitionKind::Reminder => words("仍在告警", "still fires"),
        TransitionKind::Resolved => words("已恢复", "is resolved"),
        TransitionKind::Notice => words("通知", "is a notice"),
        _ => words("有变化", "changed"),
    }
}
