//! What a mail or a call of a hook carries besides its text.

use std::time::Duration;

use bytes::Bytes;
use wecom::Content;

use super::{email, hook};
use crate::alert::{ThreadId, Timestamp};

/// What a mail or a call of a hook carries besides its text, and when a reminder may follow.
pub struct Envelope<'a> {
    /// Number of the message; 0 if it has none.
    pub message: i64,
    /// Its short id.
    pub thread: ThreadId,
    /// Its receiver.
    pub receiver: &'a str,
    /// `alerts` or `digest`.
    pub kind: &'a str,
    /// The time of writing.
    pub at: Timestamp,
    /// A reminder comes at the earliest after this.
    pub reminded: Duration,
    /// The picture in a mail.
    pub picture: Option<Bytes>,
}

impl Envelope<'_> {
    pub(super) fn mail(&self, from: &str, to: &[String], part: u32, content: &Content) -> Result<Vec<u8>, String> {
        let (subject, text) = lines(content);
        let (thread, message, at) = (self.thread, self.message, self.at);
        let picture = self.picture.as_deref().filter(|_| part == 0);
        email::email_body(&email::Letter { from, to, subject, text, picture, thread, message, part, at })
    }

    pub(super) fn news(&self, part: u32, parts: u32, content: &Content) -> Vec<u8> {
        let (title, text) = lines(content);
        let Self { message, thread, receiver, kind, at, .. } = *self;
        hook::hook_body(&hook::News { thread, message, part, parts, kind, receiver, title, text, at })
    }
}

/// A text and its first line.
fn lines(content: &Content) -> (&str, &str) {
    let text = if let Content::Text(text) = content { text.content.as_str() } else { "" };
    (text.lines().next().unwrap_or_default(), text)
}
