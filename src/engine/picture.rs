//! Pictures that follow a message, where the message itself cannot show one.
//!
//! A picture is a message of its own, the lowest of its lane: it is queued when its message was accepted, waits for nothing
//! and holds up nothing, and is sent once at most. It ends in one of three ways: it is sent, it is marked dead because the
//! store was restored from a backup, or it is left out for a reason that stands in the record of its message.

use super::Denied;
use super::changes::{Changes, LeftOut};
use super::outbox::State;
use crate::alert::Timestamp;
use crate::names::LaneKey;

/// A picture of what happened longer ago is no news.
pub const OLD_MS: i64 = 5 * 60_000;
/// Left out because it is too old.
pub const LATE: &str = "late";
/// Left out because its lane folded.
pub const FOLDED: &str = "folded";
/// Left out because less than half of the minute is left.
pub const CROWDED: &str = "crowded";
/// Left out because WeCom rejected it.
pub const REJECTED: &str = "rejected";
/// Left out because it may have arrived: it is not sent twice.
pub const UNSURE: &str = "unsure";

/// A request to leave out a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaveOut {
    /// The right to send from its lane.
    pub lease: super::outbox::Lease,
    /// The picture.
    pub picture: i64,
    /// Why, from a closed set.
    pub why: &'static str,
}

/// What that is decided on.
#[derive(Debug, Default)]
pub struct LeaveFacts {
    /// The lane is still leased to the caller.
    pub held: bool,
    /// The picture, if there is one.
    pub picture: Option<Waits>,
}

/// A message at the time of a request to leave it out.
#[derive(Debug, Clone)]
pub struct Waits {
    pub lane: LaneKey,
    pub state: State,
    /// The message that it follows; `None`: it is no picture.
    pub of: Option<i64>,
}

/// Is a picture of news of `created_at` too old to be sent?
pub fn is_late(created_at: Timestamp, now: Timestamp) -> bool {
    now.millis_since(created_at) > OLD_MS
}

/// Leaves out a picture that waits. [`Denied::Lost`] if it does not wait any more, or another worker has the lane.
pub fn leave_out(request: &LeaveOut, facts: LeaveFacts, now: Timestamp) -> Result<Changes<'static>, Denied> {
    let waits =
        |waits: &Waits| waits.lane == request.lease.lane && matches!(waits.state, State::Queued | State::Unsure);
    let found = facts.picture.filter(|found| facts.held && waits(found)).ok_or(Denied::Lost)?;
    let of = found.of.ok_or(Denied::Bug("only a picture is left out"))?;
    let left_out = vec![LeftOut { picture: request.picture, of, why: request.why, at: now }];
    Ok(Changes { left_out, ..Changes::default() })
}
