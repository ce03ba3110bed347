//! The source of time. All others ask it, so that tests can control time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::alert::Timestamp;

/// The source of time.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// The machine's clock plus this many milliseconds: the clock of the database that replicas share, because their
    /// budgets must agree on the time.
    Shared(Arc<AtomicI64>),
    /// Set by a test, in Unix milliseconds.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// Now.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => machine(),
            Self::Shared(skew) => machine().plus_millis(skew.load(Ordering::Relaxed)),
            Self::Manual(millis) => Timestamp(millis.load(Ordering::SeqCst)),
        }
    }

    /// The same, in step with a database whose clock is `skew` milliseconds ahead. A test's clock stays as it is.
    #[must_use]
    pub fn in_step(self, skew: Option<Arc<AtomicI64>>) -> Self {
        match (self, skew) {
            (Self::System, Some(skew)) => Self::Shared(skew),
            (clock, _) => clock,
        }
    }
}

fn machine() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "this is the Clock the others ask")]
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    // A clock before 1970 reads as 1970: order within the store does not depend on it.
    Timestamp(since_epoch.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
}
