//! Results of messages that are not sent through WeCom.

use std::borrow::Cow;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::words::Words;

/// Longest text of a server that is kept.
const SHOWN_BYTES: usize = 200;

/// The verdict on one attempt to send a mail or to call a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// Accepted for every recipient; says nothing about reading.
    Accepted,
    /// Accepted, but not for these addresses.
    AcceptedInPart {
        /// The addresses that do not get it.
        missed: Vec<String>,
    },
    /// Certainly not accepted; the same bytes may be accepted later, when a server is back or a person has repaired an
    /// account or an address in the configuration.
    Later(Trouble),
    /// Certainly not accepted, and these bytes never will be.
    Refused(Trouble),
    /// The message was sent and no trustworthy answer came: it may have been accepted.
    Unsure(Trouble),
}

/// Why a message was not accepted. Never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What happened and how to repair it.
    pub what: Words,
    /// The SMTP reply code or the HTTP status, if there was one.
    pub status: Option<u16>,
    /// Not to be tried again earlier than this, if the server said so; at most a day.
    pub retry_after: Option<Duration>,
}

impl Trouble {
    /// A failure without an answer.
    pub(super) fn new(zh: impl Into<Cow<'static, str>>, en: impl Into<Cow<'static, str>>) -> Self {
        Self { what: Words::from((zh, en)), status: None, retry_after: None }
    }

    /// With the server's own text behind ours, unless it is empty.
    pub(super) fn quoting(mut self, words: &str) -> Self {
        if !words.is_empty() {
            self.what.zh = format!("{}（{words}）", self.what.zh).into();
            self.what.en = format!("{} ({words})", self.what.en).into();
        }
        self
    }
}

impl Sent {
    /// The name of the verdict in the record and in metrics; the same as for WeCom.
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::AcceptedInPart { .. } => "accepted_in_part",
            Self::Later(_) | Self::Refused(_) => "not_sent",
            Self::Unsure(_) => "unsure",
        }
    }
}

/// Distinguishes messages of different databases that have the same id: 48 bits of a digest, in hex.
pub(super) fn fingerprint(bytes: &[u8]) -> String {
    Sha256::digest(bytes)[..6].iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// A server's text as one short line; empty if it contains one of `secrets`.
pub(super) fn shown(words: &[u8], secrets: &[&str]) -> String {
    let text = String::from_utf8_lossy(words);
    if secrets.iter().any(|secret| !secret.is_empty() && text.contains(secret)) {
        return String::new();
    }
    let line: Vec<&str> = text.split(|letter: char| letter.is_whitespace() || letter.is_control()).collect();
    let line = line.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    let end = line.floor_char_boundary(SHOWN_BYTES);
    if end < line.len() { format!("{}…", &line[..end]) } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_server_are_one_short_line_without_secrets() {
        assert_eq!(shown(b"5.7.1 no\r\n  relay\x1b[31m\0here ", &[]), "5.7.1 no relay [31m here");
        assert_eq!(shown("错".repeat(100).as_bytes(), &[]).len(), 198 + "…".len());
        assert_eq!(shown(b"token s3cret is wrong", &["s3cret"]), "");
        assert_eq!(shown(b"token is wrong", &[""]), "token is wrong");
    }
}
