//! What the console's frame, its live parts and its forms say.

use crate::words::{Words, words};

/// For the script: the state of the stream of changes.
pub(in crate::console) const LIVE: Words = words("实时", "live");
pub(in crate::console) const CUT_OFF: Words =
    words("已断开，正在重连。显示的是 {} 的内容", "disconnected, trying again. What you see is of {}");
pub(in crate::console) const WAITS_FOR_YOU: Words =
    words("有新内容，写完就更新", "there is news; it is shown when you are done typing");
pub(in crate::console) const KEYS: Words = words("快捷键", "Keys");
pub(in crate::console) const KEYS_LIST: [(&str, Words); 9] = [
    ("/", words("找", "search")),
    ("j k", words("下一条、上一条", "next, previous")),
    ("Enter", words("打开", "open")),
    ("a", words("认领", "acknowledge")),
    ("s", words("静默", "silence")),
    ("g n", words("现在", "now")),
    ("g m", words("投递", "deliveries")),
    ("g s", words("静默列表", "silences")),
    ("?", words("这张表", "this list")),
];
pub(in crate::console) const CLOSE: Words = words("关闭", "Close");

pub(in crate::console) const VIEW: Words = words("显示", "How pages look");
pub(in crate::console) const LANGUAGE: Words = words("语言", "Language");
pub(in crate::console) const THEME: Words = words("颜色", "Colours");
pub(in crate::console) const AS_BROWSER: Words = words("随浏览器", "as the browser");
pub(in crate::console) const AS_SYSTEM: Words = words("随系统", "as the system");
pub(in crate::console) const LIGHT: Words = words("浅色", "light");
pub(in crate::console) const DARK: Words = words("深色", "dark");
pub(in crate::console) const SINGLE_KEYS: Words = words("单键快捷键", "Shortcuts of one letter");
pub(in crate::console) const ON: Words = words("开", "on");
pub(in crate::console) const OFF: Words = words("关", "off");
pub(in crate::console) const SAVE: Words = words("保存", "Save");
/// What concerns others asks for a recent sign-in.
pub const SIGN_IN_AGAIN: Words = words(
    "这件事要求最近 12 小时内登录过：请退出，再用新的链接登录一次。",
    "This asks for a sign-in of the last 12 hours: sign out, and in again by a new link.",
);

pub(in crate::console) const RESEND: Words = words("重发", "Send again");
pub(in crate::console) const RESEND_DOES: Words = words(
    "原样再发给同一个目标的每一个人，已经收到的也会再收到一次，并注明是重发。",
    "The same content goes to the same target again, to those who have it, too, and says that it was sent again.",
);
pub(in crate::console) const NEEDLESS: Words = words("不该叫醒我", "This should not have woken me");
pub(in crate::console) const NEEDLESS_DOES: Words = words(
    "记一笔：这一次不值得叫人。不通知任何人，告警也不变；在“一周告警”里按规则算，不写名字。",
    "It is noted that this was not worth it. No one is told and the alert stays as it is; the week in alerts counts it by rule, without names.",
);
pub(in crate::console) const NEEDLESS_WHY: Words = words("为什么（可不写）", "Why (may be empty)");
pub(in crate::console) const NEEDLESS_YES: Words = words("记下", "Note it");
pub(in crate::console) const NEEDLESS_CHANGE: Words = words("改理由", "Change the reason");
pub(in crate::console) const NEEDFUL: Words = words("收回", "Take it back");
/// It is noted that a person should not have been told.
pub const NEEDLESS_NOTED: Words = words("记下了：不该叫醒你。", "Noted: this should not have woken you.");
/// It is no longer noted.
pub const NEEDLESS_TAKEN_BACK: Words = words("收回了。", "Taken back.");
/// Who says that the incident should not have woken them.
pub(in crate::console) fn said_needless(person: &str) -> Words {
    (format!("💤 {person}：不该叫醒我"), format!("💤 {person}: this should not have woken me")).into()
}
pub(in crate::console) const RECALL: Words = words("撤回", "Take back");
pub(in crate::console) const RECALL_DOES: Words = words(
    "让企业微信撤回这条消息：24 小时内可以，告警本身不变。",
    "WeCom removes the message: possible for 24 hours. The alert stays as it is.",
);
pub(in crate::console) const OPEN_CONSOLE: Words = words("在控制台打开", "open in the console");

pub(in crate::console) const LOCAL: Words = words("本地管理员", "Local administrator");
pub(in crate::console) const LOCAL_NAME: Words = words("名字", "Name");
pub(in crate::console) const PASSWORD: Words = words("密码", "Password");
/// A local administrator gave a wrong name or password.
pub const NAME_OR_PASSWORD: Words = words("名字或密码不对。", "The name or the password is wrong.");
/// The wait after too many wrong passwords.
pub fn wait_seconds(seconds: u64) -> Words {
    (format!("试得太频繁，请过 {seconds} 秒再来。"), format!("That was too often: try again in {seconds} s.")).into()
}
pub(in crate::console) const SIGN_IN_WECOM: Words = words("用企业微信登录", "Sign in by WeCom");
pub(in crate::console) const SIGN_IN_ELSE: Words = words("不行的话：", "If that does not work:");
/// The browser is back from WeCom with what is not of this browser, or took too long.
pub const SIGN_IN_STALE: Words = words(
    "登录没有完成：这次登录过期了，或不是在这个浏览器里开始的。再试一次，或用聊天里的链接。",
    "You are not signed in: it took too long, or began in another browser. Try again, or use a link from a chat.",
);
/// The person did not want to.
pub const SIGN_IN_REFUSED: Words = words("你取消了登录。", "You did not sign in.");
/// WeCom knows the person, but not as a member.
pub const NOT_A_MEMBER: Words =
    words("你不是本企业的成员，不能登录。", "You are not a member of this corporation and cannot sign in.");
/// Too many sign-ins were begun.
pub const TOO_OFTEN: Words = words("试得太频繁，请过一分钟再来。", "That was too often: try again in a minute.");
/// WeCom refuses the gateway.
pub const ADDRESS_NOT_TRUSTED: Words = words(
    "企业微信不接受本网关的地址（60020）。请告诉管理员：把出口 IP 加到应用的企业可信 IP，地址见日志或 `wegraf doctor`。先用聊天里的链接登录。",
    "WeCom does not take this gateway's address (60020). Tell the operator to add it to the app's trusted IPs; the log and `wegraf doctor` name it. Meanwhile use a link from a chat.",
);
/// WeCom does not answer.
pub const WECOM_SILENT: Words = words(
    "企业微信现在说不出你是谁，原因在日志里。先用聊天里的链接登录。",
    "WeCom cannot say who you are right now; the log says why. Meanwhile use a link from a chat.",
);

/// The domain of `external_url` is not the app's.
pub fn domain_not_trusted(host: &str) -> Words {
    (
        format!("企业微信不信任这个域名（50001）。请告诉管理员：把 {host} 填到应用的可信域名。先用聊天里的链接登录。"),
        format!("WeCom does not trust this domain (50001). Tell the operator to make {host} the app's trusted domain. Meanwhile use a link from a chat."),
    )
        .into()
}
