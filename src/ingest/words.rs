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
