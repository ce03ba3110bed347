//! The matrix: for each fault the required result for a message on each channel. F numbers are those of the failure
//! model (docs/reference/reliability.md#wecoms-faults); every requirement is written by hand.

use std::time::Duration;

use super::fault::Answer::{Code, Hang, Http, Late, Ok, ResetAfter, ResetBefore, Truncated};
use super::fault::Fault::{
    Answers, Elsewhere, Full, Ghost, Kill, Killed, Lasting, Network, Repetition, Tokens, Uploads,
};
use super::fault::{Fault, Place};
use super::verdict::Must::{self, Arrive, Fallback, Not, Part, Plain, Retry, Room, UnsureOnce, UnsureTwice, Wait};
use crate::proxy::{By, Of, Plan};

/// A fault and its required results: app members, app chat, webhook, hook.
pub struct Row {
    /// Its number in the failure model, or "–".
    pub number: &'static str,
    /// For the table.
    pub name: &'static str,
    pub fault: Fault,
    pub must: [Must; 4],
}

/// The same on all channels.
const fn all(must: Must) -> [Must; 4] {
    [must; 4]
}

/// Not delivered, and that is unknown: an app and a hook hide copies, a chat and a webhook mark the second.
const LOST: [Must; 4] = all(UnsureOnce);
/// Delivered, and that is unknown.
const KEPT: [Must; 4] = [UnsureOnce, UnsureTwice, UnsureTwice, UnsureOnce];
const NO_CODES: Must = Not("只有 HTTP no errcodes");
const STATUS_SAYS_ALL: Must = Not("状态码已说明 the status says it");
const NO_STATUS: Must = Not("同 HTTP 404 as HTTP 404");
const NO_TOKEN: Must = Not("没有 token");
const ONE_PLACE: Must = Not("只有一个收件处 one receiver");
const CHATS_ONLY: Must = Not("仅应用群 chats only");
const WEBHOOKS_ONLY: Must = Not("仅 webhook");
const NO_BUNDLE: Must = Not("同上一行 as above: no ca_file");

/// An answer of WeCom's that no hook gives.
const fn wecom(must: Must) -> [Must; 4] {
    [must, must, must, NO_CODES]
}

/// A breaker of the app, or of the webhook.
const fn closed(reason: &'static str) -> [Must; 4] {
    [Wait("app/ops", reason), Wait("app/ops", reason), Wait("webhook/ops-group", reason), NO_CODES]
}

/// Of the app only.
const fn app_closed(reason: &'static str) -> [Must; 4] {
    [Wait("app/ops", reason), Wait("app/ops", reason), NO_TOKEN, NO_TOKEN]
}

const fn of_app(must: Must) -> [Must; 4] {
    [must, must, NO_TOKEN, NO_TOKEN]
}

/// Of an alert with a picture.
const fn pictured(must: Must) -> [Must; 4] {
    const INLINE: Must = Not("不上传 no upload");
    [must, must, INLINE, INLINE]
}

const fn row(number: &'static str, name: &'static str, fault: Fault, must: [Must; 4]) -> Row {
    Row { number, name, fault, must }
}

const fn cut(of: Of, after: usize, by: By) -> Fault {
    Network(Plan::Cut { of, after, by })
}

/// Longer than the deadline of a send, 10 s.
pub const TOO_LATE: Duration = Duration::from_secs(12);
const ROUTE: &str = "configuration";

#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    // The process.
    row("F4–F5", "发送中 kill -9，未处理 while sending, not taken", Kill { taken: false }, LOST),
    row("F6–F7", "处理后未记录时 kill -9 taken, not recorded", Kill { taken: true }, KEPT),
    // The network.
    row("F20", "连接被拒绝 connection refused", Network(Plan::Refuse), all(Retry)),
    row("F20", "域名无法解析 no such name", Elsewhere(Place::NoName), all(Retry)),
    row("F36", "证书不可信 certificate of an unknown authority", Elsewhere(Place::Untrusted), all(Retry)),
    row("F36", "证书属于别的主机 certificate of another host", Elsewhere(Place::OtherHost), [Retry, Retry, Retry, NO_BUNDLE]),
    row("F36", "证书过期 certificate expired", Elsewhere(Place::Expired), [Retry, Retry, Retry, NO_BUNDLE]),
    row("F21", "慢但在时限内 slow, in time", Answers(Late(Duration::from_millis(1500)), 1), all(Arrive)),
    row("F21", "超时后才处理 taken up after the deadline", Answers(Late(TOO_LATE), 1), KEPT),
    row("F21", "不回应 no answer", Answers(Hang, 1), LOST),
    row("F21", "黑洞 black hole", Network(Plan::BlackHole), LOST),
    row("F21", "每秒一字节 a byte a second", Elsewhere(Place::Dribble), [UnsureOnce, UnsureOnce, UnsureOnce, STATUS_SAYS_ALL]),
    row("F22", "请求前被重置 reset before the request", cut(Of::Request, 0, By::Reset), LOST),
    row("F22", "请求头中断开 request cut in its head", cut(Of::Request, 60, By::Close), LOST),
    row("F22", "请求体中断开 request cut in its body", cut(Of::Request, 300, By::Reset), LOST),
    row("F22", "回应前被重置 reset before the answer", cut(Of::Answer, 0, By::Reset), KEPT),
    row("F22", "回应头中断开 answer cut in its head", cut(Of::Answer, 12, By::Close), KEPT),
    row("F22", "回应体中断开 answer cut in its body", cut(Of::Answer, 130, By::Close), [UnsureOnce, UnsureTwice, UnsureTwice, STATUS_SAYS_ALL]),
    row("F22", "收到后重置，未处理 reset, not taken", Answers(ResetBefore, 1), LOST),
    row("F22", "处理后重置 taken, then reset", Answers(ResetAfter, 1), KEPT),
    row("F22", "处理后回应只有一半 taken, half an answer", Answers(Truncated, 1), KEPT),
    // Answers that are not WeCom's.
    row("F23", "HTTP 500", Answers(Http(500, ""), 1), LOST),
    row("F23", "HTTP 502 网页 a page", Answers(Http(502, "<html>502 Bad Gateway</html>"), 1), LOST),
    row("F23", "HTTP 301", Answers(Http(301, "<html>moved</html>"), 1), [UnsureOnce, UnsureOnce, UnsureOnce, Retry]),
    row("F23", "HTTP 404", Answers(Http(404, "not found"), 1), [UnsureOnce, UnsureOnce, UnsureOnce, Retry]),
    row("F23", "HTTP 429", Answers(Http(429, ""), 1), [UnsureOnce, UnsureOnce, UnsureOnce, Retry]),
    row("F23", "HTTP 503", Answers(Http(503, ""), 1), [UnsureOnce, UnsureOnce, UnsureOnce, Retry]),
    row("–", "HTTP 400", Answers(Http(400, "bad"), 1), [UnsureOnce, UnsureOnce, UnsureOnce, Fallback]),
    row("–", "HTTP 422", Answers(Http(422, "no such field"), 1), [UnsureOnce, UnsureOnce, UnsureOnce, Fallback]),
    row("F23", "登录页，HTTP 200 captive portal", Answers(Ok("<html>please log in</html>"), 1), [UnsureOnce, UnsureOnce, UnsureOnce, STATUS_SAYS_ALL]),
    row("F24", "空的 200 empty", Answers(Ok(""), 1), [UnsureOnce, UnsureOnce, UnsureOnce, STATUS_SAYS_ALL]),
    row("F24", "`\"errcode\":\"0\"`", Answers(Ok(r#"{"errcode":"0","errmsg":"ok"}"#), 1), wecom(UnsureOnce)),
    row("F24", "没有 errcode missing", Answers(Ok(r#"{"errmsg":"ok"}"#), 1), wecom(UnsureOnce)),
    row("F24", "`\"errcode\":null`", Answers(Ok(r#"{"errcode":null,"errmsg":"ok"}"#), 1), wecom(UnsureOnce)),
    row("F24", "`\"errcode\":0.0`", Answers(Ok(r#"{"errcode":0.0,"errmsg":"ok"}"#), 1), wecom(UnsureOnce)),
    row("F24", "两个 errcode twice", Answers(Ok(r#"{"errcode":40058,"errcode":0}"#), 1), wecom(UnsureOnce)),
    row("F24", "不是对象 no object", Answers(Ok("[0]"), 1), wecom(UnsureOnce)),
    row("F24", "100 MB 的回应 answer", Elsewhere(Place::Endless), [UnsureOnce, UnsureOnce, UnsureOnce, STATUS_SAYS_ALL]),
    row("F24", "`errmsg` 不是 UTF-8，errcode -1 not UTF-8", Elsewhere(Place::OtherWords), [Retry, Retry, Retry, STATUS_SAYS_ALL]),
    // Codes of WeCom's.
    row("–", "media/upload -1", Uploads(Code(-1)), pictured(Arrive)),
    row("–", "media/upload HTTP 502", Uploads(Http(502, "<html>")), pictured(Arrive)),
    row("–", "media/upload 不回应 no answer", Uploads(Hang), pictured(Arrive)),
    row("F25", "`invaliduser`", Ghost, [Part, ONE_PLACE, ONE_PLACE, ONE_PLACE]),
    row("F26", "81013 谁也收不到 no one is reached", Answers(Code(81013), 1), [Fallback, ONE_PLACE, ONE_PLACE, NO_CODES]),
    row("F26", "60111 成员不存在 no such member", Answers(Code(60111), 1), [Fallback, ONE_PLACE, ONE_PLACE, NO_CODES]),
    row("F26", "86003 群不存在 no such chat", Answers(Code(86003), 1), [CHATS_ONLY, Fallback, CHATS_ONLY, NO_CODES]),
    row("F26", "49008 群已解散 dissolved", Answers(Code(49008), 1), [CHATS_ONLY, Fallback, CHATS_ONLY, NO_CODES]),
    row("F26", "93000 key 无效 revoked", Answers(Code(93000), 1), [WEBHOOKS_ONLY, WEBHOOKS_ONLY, Fallback, NO_CODES]),
    row("F26", "93004 被停用 disabled", Answers(Code(93004), 1), [WEBHOOKS_ONLY, WEBHOOKS_ONLY, Fallback, NO_CODES]),
    row("F27", "45009 一次 once", Answers(Code(45009), 1), closed("limit")),
    row("F27", "45009 三次 three times", Answers(Code(45009), 3), closed("limit")),
    row("F28", "42001 token 过期 expired", Killed(42001), of_app(Arrive)),
    row("F28", "40014 token 作废 revoked", Killed(40014), of_app(Arrive)),
    row("F28", "40001 发送时 at a send", Answers(Code(40001), 1), of_app(Arrive)),
    // A rejected fresh token is not a fault of tokens.
    row("F29", "token 一再作废 revoked again and again", Lasting(Code(42001)), app_closed(ROUTE)),
    row("F29", "gettoken 45009", Tokens(Code(45009), 1), app_closed("limit")),
    row("F29", "gettoken HTTP 502", Tokens(Http(502, "<html>"), 1), of_app(Retry)),
    row("F29", "gettoken 不回应 no answer", Tokens(Hang, 1), of_app(Retry)),
    row("F30", "-1 一次 once", Answers(Code(-1), 1), wecom(Retry)),
    row("F30", "-1 四次 four times", Answers(Code(-1), 4), wecom(Retry)),
    row("F30", "45033 并发过多 too many at a time", Answers(Code(45033), 1), wecom(Retry)),
    row("F31", "gettoken 40001 secret 错 wrong secret", Tokens(Code(40001), 1), app_closed(ROUTE)),
    row("F31", "60020 IP 不可信 not trusted", Lasting(Code(60020)), app_closed(ROUTE)),
    row("F31", "50003 应用停用 app disabled", Lasting(Code(50003)), app_closed(ROUTE)),
    row("F31", "301002 无权限 not allowed", Lasting(Code(301_002)), app_closed(ROUTE)),
    row("F31", "48002 接口无权限 API not allowed", Lasting(Code(48002)), app_closed(ROUTE)),
    row("F31", "HTTP 401", Lasting(Http(401, "")), [NO_STATUS, NO_STATUS, NO_STATUS, Retry]),
    row("F32", "40058 内容不合规 content refused", Answers(Code(40058), 1), wecom(Plain)),
    row("F32", "45002 过长 too long", Answers(Code(45002), 1), wecom(Plain)),
    row("F32", "42045 卡片不合规 bad card", Answers(Code(42045), 1), wecom(Plain)),
    row("F32", "40058，纯文本也拒 plain text, too", Answers(Code(40058), 2), wecom(Fallback)),
    row("–", "未知错误码 unknown code, once", Answers(Code(987_654), 1), wecom(Retry)),
    row("–", "未知错误码六次 six times", Answers(Code(987_654), 6), wecom(Fallback)),
    row("F33", "一分钟的额度已用完 the minute's limit is used up", Full, [Room, Room, Room, Not("没有限额 no limit")]),
    row("F34", "重复检查：同一 msgid the same", Repetition("same_msgid"), [UnsureOnce, Not("没有重复检查 no check"), Not("没有重复检查 no check"), NO_CODES]),
    row("F34", "重复检查：新 msgid another", Repetition("new_msgid"), [UnsureOnce, Not("没有重复检查 no check"), Not("没有重复检查 no check"), NO_CODES]),
    row("F34", "重复检查：无 msgid none", Repetition("no_msgid"), [UnsureOnce, Not("没有重复检查 no check"), Not("没有重复检查 no check"), NO_CODES]),
];
