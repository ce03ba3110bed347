//! Failures of the store: the process ends when only a new start can tell what is on disk.

use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::alert::Timestamp;
use crate::store::{Retry, StoreError};
use crate::time::Clock;

/// Rooms report failures of the store here. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Fuse(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    blown: CancellationToken,
    full_at: Mutex<Option<Timestamp>>,
}

impl Fuse {
    /// No failure yet.
    pub fn new(clock: Clock) -> Self {
        Self(Arc::new(Inner { clock, blown: CancellationToken::new(), full_at: Mutex::default() }))
    }

    /// Handles a failure of the store. A full disk is transient, and reported. If the state of the file is unknown (a
    /// read, write or sync failed, or the file is damaged), the process must end and start again: what is on disk then
    /// is the truth (F11, docs/reference/reliability.md#crash-and-power).
    pub fn failed(&self, error: &StoreError) {
        if error.is_fatal() {
            error!(%error, "The store failed; the process ends.");
            self.0.blown.cancel();
        } else if matches!(error, StoreError::Retry(Retry::Full)) {
            *self.0.full_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.0.clock.now());
        }
    }

    /// Resolves when the process must end because the store failed.
    pub async fn blown(&self) {
        self.0.blown.cancelled().await;
    }

    /// When a write last failed because the disk was full.
    pub fn full_at(&self) -> Option<Timestamp> {
        *self.0.full_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
