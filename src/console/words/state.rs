//! What the page about wegraf itself says.

use crate::render::number;
use crate::words::{Words, words};

pub(in crate::console) const WARNING: Words = words("注意", "Warning");
pub(in crate::console) const WAITING: Words = words("等待发送的消息", "messages that wait");
pub(in crate::console) const RETRYING: Words = words("其中试过的", "of these, tried");
pub(in crate::console) const WAITING_CRITICAL: Words = words("其中严重的", "of these, critical");
pub(in crate::console) const OLDEST: Words = words("最早的", "the oldest");

/// How wegraf is.
pub(in crate::console) fn health(troubles: usize) -> Words {
    if troubles == 0 {
        return words("一切正常", "All is well");
    }
    let need = if troubles == 1 { "thing needs" } else { "things need" };
    (format!("有 {troubles} 件事要管"), format!("{troubles} {need} you")).into()
}

/// Nothing is sent by a way; `since` says since when.
pub(in crate::console) fn paused(name: &str, since: &str) -> Words {
    (format!("{name} 暂停发送，{since}"), format!("nothing is sent by {name}, {since}")).into()
}

pub(in crate::console) const IN: Words = words("进来", "In");
pub(in crate::console) const INSIDE: Words = words("里面", "Inside");
pub(in crate::console) const OUT: Words = words("出去", "Out");
pub(in crate::console) const NO_SOURCES: Words = words(
    "没有配置来源，也还没有谁发来过。用 `wegraf source new` 做一个，再照着打印的话接上。",
    "There is no source in the configuration, and none has called. Make one with `wegraf source new`, which prints what to paste.",
);
pub(in crate::console) const ALL_OPEN: Words = words("没有暂停的通道", "no way is paused");
pub(in crate::console) const BALANCE: Words = words("对账", "audit");
pub(in crate::console) const BALANCED: Words = words("每条变化一个去向", "each change has one fate");
pub(in crate::console) const VERSION: Words = words("版本", "version");
pub(in crate::console) const RUNS_SINCE: Words = words("运行", "runs");
pub(in crate::console) const BLIND_ROUTES: Words = words("没有告警能到的路由", "routes that no alert reaches");
pub(in crate::console) const TOKENS_END: Words = words("快到期的令牌", "tokens that end soon");
pub(in crate::console) const NOTHING: Words = words("没有", "none");
pub(in crate::console) const SIGNED_IN: Words = words("登录的浏览器", "browsers signed in");
pub(in crate::console) const UPSTREAM: Words = words("上游", "upstream");
pub(in crate::console) const PAUSED: Words = words("暂停发送", "paused");
pub(in crate::console) const RELOAD: Words = words("重新读配置", "Read the configuration again");
pub(in crate::console) const RELOAD_DOES: Words = words(
    "读配置文件和它引用的文件；读不通就用原来的，并写明为什么。",
    "Reads the configuration and the files that it names; if they cannot be used, the present one stays, and it is said why.",
);
/// The configuration was read again.
pub const RELOADED: Words = words("新配置已生效。", "The configuration was read again.");

/// The configuration was not read: why.
pub fn not_reloaded(why: &str) -> Words {
    (format!("没有生效，仍用原来的：{why}"), format!("It cannot be used, the present one stays: {why}")).into()
}

pub(in crate::console) const TRY_AGAIN: Words = words("再试一次", "Try again");
pub(in crate::console) const STORE_SIZE: Words = words("库的大小", "size of the store");
pub(in crate::console) const CERTIFICATE_ENDS: Words = words("证书到期", "the certificate ends");
/// A paused way is tried at once.
pub const PROBED: Words = words(
    "这就试：下一条消息几秒内发出去，通了就恢复，不通会再写明为什么。",
    "It is being tried: the next message goes out within seconds. If it passes, sending goes on; if not, it is said why.",
);
/// It is tried soon without this.
pub const PROBE_SOON: Words = words(
    "正在试，或几秒内自己会试，不用再按。",
    "It is being tried, or is tried by itself within seconds: there is no need to ask again.",
);
/// Trying would make it worse.
pub const PROBE_LIMITED: Words = words(
    "这是企业微信的频率限制，到时间自己解除；提前再试只会让它更久。",
    "This is a limit of WeCom's that ends by itself; trying before would make it last.",
);
/// Nothing is paused there.
pub const NOT_PAUSED: Words = words("它没有暂停，或刚刚恢复了。", "It is not paused, or has just recovered.");

/// When a paused way is tried by itself.
pub(in crate::console) fn tried_in(until: &str) -> Words {
    (format!("自己会再试：{until}"), format!("it is tried by itself: {until}")).into()
}

/// Bytes as people write them.
pub(in crate::console) fn size(bytes: u64) -> String {
    const MB: u64 = 1 << 20;
    const GB: u64 = 1 << 30;
    match bytes {
        0..MB => format!("{} KB", bytes.div_ceil(1 << 10)),
        MB..0x2800_0000 => format!("{} MB", bytes / MB),
        _ => {
            let tenths = bytes / (GB / 10);
            format!("{}.{} GB", tenths / 10, tenths % 10)
        }
    }
}

/// What a source sent since the process began.
pub(in crate::console) fn taken_and_refused(taken: u64, refused: u64) -> Words {
    let (taken_shown, refused_shown) = (number(taken), number(refused));
    if refused == 0 {
        return (format!("收下 {taken_shown}"), format!("{taken_shown} taken")).into();
    }
    (format!("收下 {taken_shown}，拒绝 {refused_shown}"), format!("{taken_shown} taken, {refused_shown} refused"))
        .into()
}

/// A bot by whom its socket is held.
pub(in crate::console) fn bot_held(holder: Option<&str>) -> Words {
    match holder {
        Some(holder) => (format!("机器人，连着（{holder}）"), format!("bot, connected ({holder})")).into(),
        None => words("机器人，没有连上", "bot, not connected"),
    }
}

/// Figures of the last 7 days of a receiver.
pub(in crate::console) fn week_of(fired: u64) -> Words {
    let count = number(fired);
    (format!("7 天 {count}"), format!("{count} in 7 days")).into()
}
