//! The decisions: which report is news, what a group of admissions changes, what may be sent, what follows.
//!
//! Pure functions from facts to changes: a store loads the facts under its own locks, the engine decides, the store
//! writes the changes. Nothing here does I/O, reads a clock or draws a random number, so both stores and the test's
//! store in memory decide alike, and the tests run what production runs.

pub mod act;
pub mod admission;
pub mod admit;
pub mod card;
pub mod changes;
pub mod claim;
pub mod dedup;
pub mod escalate;
pub mod fold;
pub mod judge;
pub mod lapse;
pub mod outbox;
pub mod overdue;
pub mod picture;
pub mod probe;
pub mod settle;
pub mod truth;

pub use admission::{Admission, Admitted, Arrival, Candidate, Recipient, Related, TargetRow};

/// Why a decision writes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// The message or the lane is no longer as the caller saw it: another process or task changed it.
    Lost,
    /// The request makes no sense: a bug of its caller.
    Bug(&'static str),
}
