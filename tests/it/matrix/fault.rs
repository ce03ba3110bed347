//! The faults, independent of the channel.

use std::time::Duration;

use serde_json::{Value, json};

use crate::proxy::{Of, Plan};

/// A fault. Every fault but the counted ones lasts until it is repaired.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// The network between us and the other side.
    Network(Plan),
    /// This many sends are answered like this.
    Answers(Answer, u32),
    /// Every send is answered like this.
    Lasting(Answer),
    /// No token is known yet, and this many calls of `gettoken` are answered like this.
    Tokens(Answer, u32),
    /// The alert has a picture, and every upload of it is answered like this.
    Uploads(Answer),
    /// All tokens die, with this code.
    Killed(i64),
    /// Another server is at the address.
    Elsewhere(Place),
    /// One of those addressed does not exist.
    Ghost,
    /// WeCom answers a repetition in its own way; the first send is delivered, but its answer lost.
    Repetition(&'static str),
    /// The minute's limit is used up: WeCom would drop the next message, and answer ok.
    Full,
    /// The gateway is killed with signal 9 while it sends: `taken` says whether the other side has the message by then.
    Kill { taken: bool },
}

impl Fault {
    /// The next message must come later: it would meet this fault, too, or be folded with what waits.
    pub fn strikes_alone(self) -> bool {
        matches!(
            self,
            Self::Answers(_, 4..)
                | Self::Answers(Answer::Late(_), _)
                | Self::Network(Plan::Cut { of: Of::Answer, .. })
                | Self::Full
        )
    }

    /// Its cell waits for the deadline of a send, 10 s, or for a lease of a dead process, 30 s, and is idle.
    pub fn takes_long(self) -> bool {
        matches!(
            self,
            Self::Answers(Answer::Hang | Answer::Late(_), _)
                | Self::Tokens(Answer::Hang, _)
                | Self::Uploads(Answer::Hang)
                | Self::Network(Plan::BlackHole)
                | Self::Elsewhere(Place::Dribble)
                | Self::Kill { .. }
        )
    }
}

/// The answer to a send.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    /// WeCom rejects it.
    Code(i64),
    /// With this HTTP status and body; nothing is delivered.
    Http(u16, &'static str),
    /// With HTTP 200 and this body; nothing is delivered.
    Ok(&'static str),
    /// Accepted after this time, and delivered then.
    Late(Duration),
    /// Not delivered; the connection is reset.
    ResetBefore,
    /// Delivered; the connection is reset.
    ResetAfter,
    /// Delivered; the answer is truncated.
    Truncated,
    /// No answer; nothing is delivered.
    Hang,
}

impl Answer {
    /// In the form of the simulator's control API.
    pub fn action(self) -> Value {
        match self {
            Self::Code(code) => json!({ "errcode": code }),
            Self::Http(status, body) => json!({ "http": { "status": status, "body": body } }),
            Self::Ok(body) => json!({ "raw": body }),
            Self::Late(time) => json!({ "delay_ms": u64::try_from(time.as_millis()).unwrap() }),
            Self::ResetBefore => json!("reset_before"),
            Self::ResetAfter => json!("reset_after"),
            Self::Truncated => json!("truncate"),
            Self::Hang => json!("hang"),
        }
    }
}

/// The server that is at the address instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The name cannot be resolved.
    NoName,
    /// An untrusted certificate.
    Untrusted,
    /// A certificate of a trusted authority for another host.
    OtherHost,
    /// An expired certificate of a trusted authority.
    Expired,
    /// A server whose answer is 100 MB long and starts like a success.
    Endless,
    /// A server that answers a byte a second.
    Dribble,
    /// A server that answers "busy" (-1) in a text that is not UTF-8.
    OtherWords,
}
