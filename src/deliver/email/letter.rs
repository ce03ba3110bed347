//! The bytes of a mail.

use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentDisposition, ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, MultiPartKind, SinglePart};
use lettre::{Address, Message};

use crate::alert::{ThreadId, Timestamp};
use crate::deliver::other::fingerprint;

/// Characters of a subject; clients show fewer.
const SUBJECT_CHARS: usize = 200;

/// The content of a mail.
#[derive(Debug, Clone, Copy)]
pub struct Letter<'a> {
    /// Address of the sender.
    pub from: &'a str,
    /// Addresses of the recipients.
    pub to: &'a [String],
    /// Subject; what would end a header line becomes a blank, and more than 200 characters are cut.
    pub subject: &'a str,
    /// Plain text of any length.
    pub text: &'a str,
    /// PNG or JPEG, shown below the text.
    pub picture: Option<&'a [u8]>,
    /// The short id: mails of one thread are grouped in the reader's client.
    pub thread: ThreadId,
    /// Number of the message in the outbox.
    pub message: i64,
    /// Number of the part in the message, from 0.
    pub part: u32,
    /// The time of writing.
    pub at: Timestamp,
}

/// The bytes of `letter` (RFC 5322), ASCII only, equal for equal letters. Its `Message-ID` is derived from all of it,
/// so that servers and clients that drop duplicates drop only duplicates. The error is for the operator.
pub fn email_body(letter: &Letter<'_>) -> Result<Vec<u8>, String> {
    let from = address(letter.from)?;
    let domain = from.domain().to_owned();
    let mut whole = letter.at.0.to_be_bytes().to_vec();
    let texts = [letter.from, letter.subject, letter.text].into_iter().chain(letter.to.iter().map(String::as_str));
    for piece in texts.map(str::as_bytes).chain(letter.picture) {
        whole.extend_from_slice(&piece.len().to_be_bytes());
        whole.extend_from_slice(piece);
    }
    let print = fingerprint(&whole);
    let Letter { thread, message, part, .. } = letter;
    let millis = u64::try_from(letter.at.0).unwrap_or_default();
    let mut builder = Message::builder()
        .from(Mailbox::new(Some("wegraf".to_owned()), from))
        .subject(subject(letter.subject))
        .date(SystemTime::UNIX_EPOCH + Duration::from_millis(millis))
        .message_id(Some(format!("<{thread}.{message}.{part}.{print}@{domain}>")))
        .references(format!("<{thread}.wegraf@{domain}>"))
        // No holiday replies (RFC 3834).
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()));
    for to in letter.to {
        builder = builder.to(Mailbox::new(None, address(to)?));
    }
    let text = SinglePart::plain(letter.text.to_owned());
    let message = match letter.picture {
        None => builder.singlepart(text),
        Some(picture) => {
            // A boundary of chance would make other bytes of an equal letter; its print stands in no text.
            let parts = MultiPart::builder().kind(MultiPartKind::Mixed).boundary(format!("wegraf-{print}")).build();
            builder.multipart(parts.singlepart(text).singlepart(shown(picture)?))
        }
    };
    Ok(message.map_err(|error| format!("the mail cannot be written: {error}"))?.formatted())
}

/// The part with a picture that is shown and not only attached.
fn shown(picture: &[u8]) -> Result<SinglePart, String> {
    let (kind, name) =
        if picture.starts_with(b"\x89PNG") { ("image/png", "trend.png") } else { ("image/jpeg", "trend.jpg") };
    let kind = ContentType::parse(kind).map_err(|error| format!("the mail cannot be written: {error}"))?;
    let place = ContentDisposition::inline_with_name(name);
    Ok(SinglePart::builder().header(kind).header(place).body(picture.to_vec()))
}

pub(super) fn address(text: &str) -> Result<Address, String> {
    text.parse().map_err(|_| "a mail address in the configuration or the outbox is none: correct it".to_owned())
}

fn subject(text: &str) -> String {
    let plain = |letter: char| if letter.is_control() { ' ' } else { letter };
    let subject: String = text.chars().map(plain).take(SUBJECT_CHARS).collect();
    subject.trim().to_owned()
}
