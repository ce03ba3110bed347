//! Who is signed in to the console: tickets that sign a person in once, sessions, and the trail of both.
//!
//! Secrets are kept as their SHA-256, so the database opens nothing. A ticket lives for ten minutes and is deleted when it is
//! used; a session ends after three days without a visit, or after thirty days.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::alert::Timestamp;

/// The SHA-256 of a secret that a browser has.
pub type Hash = [u8; 32];

/// The hash of `secret`.
pub fn hash(secret: &str) -> Hash {
    Sha256::digest(secret).into()
}

/// A secret of 256 bits, as text for an address or a cookie.
pub fn fresh_secret() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// How long a ticket signs in.
pub const TICKET_MS: i64 = 10 * 60_000;
/// Tickets that a person may have at a time; the oldest gives way.
pub const TICKETS: u32 = 3;
/// A session that is not used for so long has ended.
pub const IDLE_MS: i64 = 3 * DAY_MS;
/// The longest life of a session.
pub const SESSION_MS: i64 = 30 * DAY_MS;
/// How old `seen_at` may be: a visit is written at most so often.
pub const SEEN_MS: i64 = 5 * 60_000;
/// How long the trail is kept: a year, for questions about who signed in.
pub const TRAIL_MS: i64 = 365 * DAY_MS;

const DAY_MS: i64 = 24 * 3_600_000;

/// A link that signs a person in once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The userid.
    pub person: String,
    /// The way by which it was asked for: `link`, `command`.
    pub way: String,
}

/// A browser that is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// A number for people: it opens nothing.
    pub id: String,
    /// The userid.
    pub person: String,
    /// How the person signed in.
    pub way: String,
    /// When.
    pub made_at: Timestamp,
    /// When it was last used, to five minutes.
    pub seen_at: Timestamp,
    /// The address that signed in.
    pub address: String,
    /// The browser, as it calls itself.
    pub agent: String,
    /// Of the credential that it rests on; `None` if it rests on none that can change.
    pub credential: Option<Hash>,
}

/// A session to be.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Of its secret.
    pub hash: Hash,
    /// The address of the browser.
    pub address: String,
    /// The browser, as it calls itself.
    pub agent: String,
    /// Of the credential that it rests on.
    pub credential: Option<Hash>,
}

impl NewSession {
    /// The number for people: the first half of the hash.
    pub(super) fn id(&self) -> String {
        self.hash[..8].iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    }
}

/// A line of the trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub at: Timestamp,
    /// Whom it is about.
    pub person: String,
    /// What: `link`, `signed-in`, `signed-out`, `refused`, `ended`.
    pub what: String,
    /// By which way, or by whom it was ended.
    pub way: String,
    /// From which address.
    pub address: String,
}
