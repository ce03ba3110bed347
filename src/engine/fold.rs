//! Folding: a lane that is behind tells its waiting messages by one digest.

use super::Denied;
use super::changes::{Changes, DigestState, Gather, Ids, LeftOut, NewDigest};
use super::outbox::Folded;
use super::picture::FOLDED;
use crate::alert::Timestamp;

/// Messages folded by one decision: it bounds how long other writers wait.
pub const FOLDED_AT_ONCE: u32 = 1_000;

/// What folding is decided on.
#[derive(Debug, Default)]
pub struct FoldFacts {
    /// The lane is still leased to the caller.
    pub held: bool,
    /// The messages of the lane that can be folded: never claimed, not about an act, and sharing no alert with a message
    /// that stays. A digest is newer than its messages, so a message that stays would overtake it. All digests, and of
    /// the others at least the oldest [`FOLDED_AT_ONCE`]; in any order.
    pub foldable: Vec<Foldable>,
    /// The pictures that wait in the lane, each with the message that it follows.
    pub pictures: Vec<(i64, i64)>,
    /// The last ids given.
    pub ids: Ids,
}

/// A message that can be folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foldable {
    /// Its id.
    pub message: i64,
    pub digest: bool,
    /// Holds a critical alert.
    pub critical: bool,
    /// May use the reserve of a budget.
    pub urgent: bool,
    /// When its news was accepted.
    pub created_at: Timestamp,
}

/// Folds the oldest [`FOLDED_AT_ONCE`] that can be folded, if it is more than one message. An existing digest takes up the
/// others: O(what the others hold). A new one is created at the time of its first message and is about the notification of
/// the last. A lane that folds has no room for pictures.
pub fn fold(facts: FoldFacts, now: Timestamp) -> Result<Option<(Folded, Changes<'static>)>, Denied> {
    let FoldFacts { held, mut foldable, pictures, mut ids } = facts;
    if !held {
        return Err(Denied::Lost);
    }
    foldable.sort_by_key(|row| (!row.digest, row.message));
    foldable.truncate(FOLDED_AT_ONCE as usize);
    let [first, .., last] = foldable[..] else { return Ok(None) };
    let mut changes = Changes::default();
    let digest = if first.digest {
        first.message
    } else {
        ids.message += 1;
        changes.digests.push(NewDigest { id: ids.message, like: last.message, created_at: first.created_at });
        changes.ids = Some(ids);
        ids.message
    };
    let messages: Vec<i64> = foldable.iter().map(|row| row.message).filter(|id| *id != digest).collect();
    let folded = Folded { digest, messages: messages.len() as u64, pictures: pictures.len() as u64 };
    changes.left_out =
        pictures.into_iter().map(|(picture, of)| LeftOut { picture, of, why: FOLDED, at: now }).collect();
    changes.gathers.push(Gather { digest, messages, at: now });
    // It is as critical and as urgent as the messages it stands for.
    changes.digest_states.push(DigestState {
        digest,
        critical: foldable.iter().any(|row| row.critical),
        urgent: foldable.iter().any(|row| row.urgent),
    });
    Ok(Some((folded, changes)))
}
