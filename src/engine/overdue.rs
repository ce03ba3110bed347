//! A message that waits for too long: its content goes to its receiver's fallback, whether attempts were possible or not.
//!
//! The message stays in its lane and arrives late; from then on it is neither folded nor merged, so that nothing reaches
//! the fallback twice.

use std::collections::BTreeSet;

use super::Denied;
use super::changes::{Changes, Copy};
use super::outbox::{Detour, State};
use crate::alert::Timestamp;
use crate::names::LaneKey;

/// How long a message may wait before its receiver's fallback is told, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FallbackAfter {
    /// One that holds a critical alert.
    pub critical_ms: i64,
    /// Any other.
    pub other_ms: i64,
}

impl FallbackAfter {
    /// What has waited for too long: what was queued at these times or before.
    pub fn since(self, now: Timestamp) -> Late {
        Late { critical: now.plus_millis(-self.critical_ms), other: now.plus_millis(-self.other_ms) }
    }
}

/// Since when a message waits for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Late {
    /// One that holds a critical alert.
    pub critical: Timestamp,
    /// Any other.
    pub other: Timestamp,
}

/// What a detour is decided on.
#[derive(Debug, Default)]
pub struct DetourFacts {
    /// The message, if there is one.
    pub message: Option<Stuck>,
    /// The lanes of the fallback that tell the content already.
    pub told_instead: BTreeSet<LaneKey>,
}

/// A message at the time of a detour.
#[derive(Debug, Clone)]
pub struct Stuck {
    pub lane: LaneKey,
    pub state: State,
    /// Claims so far.
    pub epoch: i64,
    /// Changes of its content so far.
    pub revision: i64,
    /// It went to the fallback before.
    pub fell_back: bool,
}

/// Copies the message to the targets of the fallback, once for all waiting targets of one receiver.
/// [`Denied::Lost`] if it changed since the caller saw it, or is being sent: the next look decides again.
pub fn fall_back(request: &Detour, facts: DetourFacts, now: Timestamp) -> Result<Changes<'_>, Denied> {
    let seen = |stuck: &Stuck| {
        (stuck.epoch, stuck.revision, stuck.fell_back) == (request.epoch, request.revision, false)
            && matches!(stuck.state, State::Queued | State::Unsure)
    };
    let stuck = facts.message.filter(seen).ok_or(Denied::Lost)?;
    let fallback = &request.fallback;
    let untold = fallback.targets.iter().filter(|target| {
        // The fallback's copy never uses the lane in which the message is stuck.
        target.lane != stuck.lane && !facts.told_instead.contains(&target.lane)
    });
    let copy = |target| Copy {
        of: request.message,
        receiver: fallback.receiver.as_str(),
        target,
        note: fallback.note_json.as_str(),
        at: now,
    };
    Ok(Changes { copies: untold.map(copy).collect(), fell_back: vec![(request.message, now)], ..Changes::default() })
}
