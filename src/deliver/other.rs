//! What became of a message that does not go to WeCom.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::config::Words;

/// Longest piece of a server's own words that is kept.
const SHOWN_BYTES: usize = 200;

/// The verdict on one try to send a mail or to call a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// Taken for everybody. Accepted is not read.
    Accepted,
    /// Taken, but not for these addresses.
    AcceptedInPart {
        /// Who does not get it.
        missed: Vec<String>,
    },
    /// Certainly not taken; the same bytes may be taken later, when a server is back or a person has repaired an
    /// account or an address in the configuration.
    Later(Trouble),
    /// Certainly not taken, and these bytes never will be.
    Refused(Trouble),
    /// The message went out and no trustworthy answer came: it may have been taken.
    Unsure(Trouble),
}

/// Why a message was not taken. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What happened and what to do.
    pub what: Words,
    /// The SMTP reply code or the HTTP status, if there was one.
    pub status: Option<u16>,
    /// Not to be tried again earlier than this, if the server said so; at most a day.
    pub retry_after: Option<Duration>,
}

impl Trouble {
    /// Trouble without an answer.
    pub(super) fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { what: Words { zh: zh.into(), en: en.into() }, status: None, retry_after: None }
    }

    /// With the server's own words behind ours, unless there are none.
    pub(super) fn quoting(mut self, words: &str) -> Self {
        if !words.is_empty() {
            self.what.zh = format!("{}（{words}）", self.what.zh);
            self.what.en = format!("{} ({words})", self.what.en);
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

/// Tells messages apart whose numbers are the same because their databases are not: 48 bits of a digest, in hex.
pub(super) fn fingerprint(bytes: &[u8]) -> String {
    Sha256::digest(bytes)[..6].iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// The words of a server on one short line; none if they repeat one of `secrets`.
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
