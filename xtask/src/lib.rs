//! Tasks of the repository. `cargo xtask bench` measures; `docs/performance.md` holds what it printed. The others try to
//! break the built program on a whole machine: each prints its seed and its figures, exits 1 if a promise did not hold
//! (or its control could not tell), and 77 where the machine does not allow it.
//!
//! A library beside the program, so that the tests of wegraf run short forms with the program they were built with.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures for people: counts and times are far below 2^52"
)]

mod balancer;
pub mod bench;
pub mod corp;
pub mod crash;
mod disk;
pub mod fuzz;
pub mod gateway;
pub mod http;
pub mod iofault;
pub mod ledger;
mod load;
pub mod package;
pub mod postgres;
pub mod powercut;
mod relay;
pub mod replicas;
pub mod siege;
mod single;
pub mod source;
pub mod storm;

/// Why a task could not run here. It is not a success.
#[derive(Debug)]
pub struct Skipped(String);

impl Skipped {
    fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl std::fmt::Display for Skipped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "skipped: {}", self.0)
    }
}

impl std::error::Error for Skipped {}
