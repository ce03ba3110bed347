//! A message written by a client of the WeCom API: it is sent unchanged, unless WeCom would reject its bytes.
//!
//! Only texts are ever changed: truncated to WeCom's limit, and marked where a reader must know that the message may be
//! a copy or was meant for another recipient.

use bytes::Bytes;
use wecom::message::{TEXT_BYTES, markdown_bytes};

use super::way::addressed;
use crate::alert::Format;
use crate::config::{Face, Language, Target, To};
use crate::ingest::wecom::Said;
use crate::render::{Note, noted};
use crate::store::{Freeze, Kept, Naming};

/// The face recorded for a message that was sent as its sender wrote it.
pub const FACE: &str = "verbatim";
/// The same for a file, which has no simpler form.
pub const FILE: &str = "verbatim_file";
/// The text of the link to the full content, in Chinese and in English.
const MORE: [&str; 2] = ["… 全文", "… all of it"];

/// The bytes of a message that is frozen when it is queued: anything but a text is neither folded nor changed. `None`:
/// it is rendered when it is claimed.
pub fn given(format: Format, said: &Said, body: &Bytes, target: &Target) -> Option<Freeze> {
    if said.is_text() || !is_meant_for(format, body, target) {
        return None;
    }
    Some(freeze(said, body.clone()))
}

/// The bytes of `kept` for `target`; `None` if they cannot be sent there unchanged: then the target gets their text.
pub fn written(
    kept: &Kept,
    target: &Target,
    notes: &[Note],
    details_url: Option<&str>,
    language: Language,
) -> Option<Freeze> {
    if !matches!(kept.format, Format::WecomWebhook | Format::WecomApp) || !is_meant_for(kept.format, &kept.raw, target)
    {
        return None;
    }
    let said = Said::read(&kept.raw).ok()?;
    let elsewhere = notes.iter().any(|note| !matches!(note, Note::Repeated | Note::Resent { .. }));
    if elsewhere && said.names_media() {
        return None;
    }
    let limit = limit(&said.msgtype, target);
    if !said.is_text() || (notes.is_empty() && said.content().len() <= limit) {
        return Some(freeze(&said, kept.raw.clone()));
    }
    let content = noted(said.content(), notes, face(&said.msgtype), target.channel(), language);
    let content = fitted(&content, limit, details_url, &said.msgtype, language);
    Some(freeze(&said, said.with_content(content).into()))
}

/// Does a message refer to an uploaded file?
pub fn names_media(body: &[u8]) -> bool {
    Said::read(body).is_ok_and(|said| said.names_media())
}

fn freeze(said: &Said, body: Bytes) -> Freeze {
    let face = if said.is_file() { FILE } else { FACE };
    let naming = Naming::AllBut(Vec::new());
    Freeze { face: face.to_owned(), parts: vec![body], next_part: 0, naming, pictured: false }
}

/// A webhook gets what was written for a webhook; members only what was addressed to exactly them.
fn is_meant_for(format: Format, body: &[u8], target: &Target) -> bool {
    match (&target.to, format) {
        (To::Webhook { .. }, Format::WecomWebhook) => true,
        (To::Members { users, users_file: None, on_call: None, parties, tags, .. }, Format::WecomApp) => {
            let to = addressed(body);
            (&to.users, &to.parties, &to.tags) == (users, parties, tags)
        }
        _ => false,
    }
}

fn face(msgtype: &str) -> Face {
    match msgtype {
        "markdown" => Face::Markdown,
        "markdown_v2" => Face::MarkdownV2,
        _ => Face::Text,
    }
}

/// WeCom's limit for the content, in bytes (pages 99110 and 90236).
fn limit(msgtype: &str, target: &Target) -> usize {
    match (target.channel().wecom(), msgtype) {
        (Some(channel), "markdown" | "markdown_v2") => markdown_bytes(channel),
        _ => TEXT_BYTES,
    }
}

/// `content` within `limit` bytes: truncated at the end of a line if one is near, with a link to the full content.
fn fitted(content: &str, limit: usize, details_url: Option<&str>, msgtype: &str, language: Language) -> String {
    if content.len() <= limit {
        return content.to_owned();
    }
    let more = MORE[usize::from(language == Language::En)];
    let end = match (details_url, msgtype) {
        (None, _) => "\n…".to_owned(),
        (Some(url), "text") => format!("\n{more}: {url}"),
        (Some(url), _) => format!("\n[{more}]({url})"),
    };
    let room = content.floor_char_boundary(limit.saturating_sub(end.len()));
    let kept = &content[..room];
    let kept = kept.rfind('\n').filter(|line| *line > room / 2).map_or(kept, |line| &kept[..line]);
    format!("{kept}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_over_the_limit_is_cut_at_a_line_and_leads_to_the_whole() {
        let long = "一行文字\n".repeat(400);
        let fitted = fitted(&long, 2048, Some("https://a.example/d/1"), "markdown", Language::Zh);
        assert!(fitted.len() <= 2048 && fitted.ends_with("文字\n[… 全文](https://a.example/d/1)"), "{fitted}");
        let one_line = "字".repeat(4000);
        assert!(super::fitted(&one_line, 2048, None, "text", Language::Zh).len() <= 2048);
        assert_eq!(super::fitted("short", 2048, None, "text", Language::Zh), "short");
    }
}
