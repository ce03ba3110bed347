//! Short links as stored: an address that an alert brought, under a code.

use crate::alert::{ThreadId, Timestamp};

/// How long a short link leads on after it was last put into a message, in milliseconds: as long as the links to pages.
pub const SHORT_LINK_MS: i64 = 30 * DAY_MS;
/// A link that is used again lives on: not written anew more often than this.
const REFRESH_MS: i64 = DAY_MS;
const DAY_MS: i64 = 24 * 3_600_000;

/// A short link to be made, or found if the episode has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewShortLink {
    /// The episode.
    pub thread: ThreadId,
    /// The address.
    pub url: String,
    /// The name of an alert of the episode.
    pub name: String,
    /// Random codes, of which the first that is free is given.
    pub codes: Vec<String>,
}

/// A short link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShortLink {
    /// The episode whose alert brought the address.
    pub thread: ThreadId,
    /// The address.
    pub url: String,
    /// The name of the alert.
    pub name: String,
    /// When it ends.
    pub ends_at: Timestamp,
}

/// When a link ends that is put into a message `now`.
pub(super) fn ends_at(now: Timestamp) -> Timestamp {
    now.plus_millis(SHORT_LINK_MS)
}

/// Is a link that ends then used again without writing?
pub(super) fn is_fresh(ends: Timestamp, now: Timestamp) -> bool {
    ends.0 >= ends_at(now).0 - REFRESH_MS
}
