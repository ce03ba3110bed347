//! What wegraf itself says where a body has no words of its own.

use crate::words::{Words, told, words};

/// The name of an alert without one.
pub(super) static UNNAMED: Words = words("未命名告警", "Unnamed alert");

/// The name of a body that has no words worth showing.
pub(super) static UNRECOGNISED: Words = words("未识别的通知", "Unrecognised notification");

/// Of bytes that are no text.
pub(super) fn no_text(bytes: usize, digest: &str) -> Words {
    told!(
        "收到 {bytes} 字节，不是任何编码的文字\nSHA-256 {digest}…",
        "{bytes} bytes that are not text in any encoding\nSHA-256 {digest}…"
    )
}

/// The title of a robot's message without text, by its kind.
pub(super) fn of_kind(kind: &str) -> Words {
    let (zh, en) = match kind {
        "image" => ("图片", "Picture"),
        "file" => ("文件", "File"),
        "voice" | "audio" => ("语音", "Voice message"),
        "video" | "media" => ("视频", "Video"),
        "template_card" => ("卡片", "Card"),
        _ => ("消息", "Message"),
    };
    (format!("{zh} ({kind})"), format!("{en} ({kind})")).into()
}

/// A body without a byte.
pub(super) static EMPTY_BODY: Words = words(
    "请求体是空的：什么也没有发来，请检查发送方的模板",
    "the body is empty: nothing was sent; check the payload template of the sender",
);

/// An empty list of alerts.
pub(super) static NOTHING_PUSHED: Words = words("没有告警", "no alerts");

/// A body of more objects than can be held at a time.
pub(super) fn too_many_objects(objects: usize) -> Words {
    told!(
        "一个请求体里有 {objects} 个对象，太多了：请在上游把分组改小（group_by、max_alerts）",
        "{objects} objects are too many for one body: make the groups upstream smaller (group_by, max_alerts)"
    )
}
