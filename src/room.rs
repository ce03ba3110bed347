//! The memory budget for outside input, divided so that the total stays below one bound.
//!
//! Bodies being read, bodies being parsed and stored, and messages being rendered each have a share. What does not fit
//! waits for a while; what could never fit is refused with the reason. Small inputs have a share of their own, so that
//! they never wait behind large ones.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The bound where the configuration names none.
pub const MEMORY: u64 = 256 << 20;
/// With less, one body of Grafana's maximum size could not be parsed.
pub const LEAST_MEMORY: u64 = 128 << 20;
/// The largest body, as sent and unpacked: Grafana limits itself to 10 MiB
/// (docs/reference/alert-sources.md#texts-and-times), Alertmanager does not.
pub const BODY_BYTES: usize = 16 << 20;
/// The program itself, its caches and its store: measured as 45 MB, plus what a busy store and delivery add.
const PROGRAM: u64 = 56 << 20;
/// Inputs that need less than this are small.
const SMALL: usize = 1 << 20;
/// The share of small inputs.
const SMALL_SHARE: usize = 8 << 20;
/// A connection with its task and its buffers, as measured; some have a large head.
const CONNECTION: u64 = 24 << 10;
/// Upper limit of unproven connections, also with more memory.
const MOST_STRANGERS: u64 = 4096;
/// How long a request waits for its share. Alertmanager gives up on a webhook after ten seconds.
const PATIENCE: Duration = Duration::from_secs(8);
/// Permits are counted in KiB.
const UNIT: usize = 1 << 10;

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoom {
    /// Not now: others hold it, for longer than a request can wait.
    Now,
    /// Never: it needs more than the whole share.
    Ever {
        /// What it needs, in bytes.
        needs: usize,
        /// The share, in bytes.
        share: usize,
    },
}

/// A part of a share; returned when dropped.
#[derive(Debug)]
#[must_use]
pub struct Part(#[expect(dead_code, reason = "held, not read")] OwnedSemaphorePermit);

/// A share of the budget.
#[derive(Debug)]
struct Share {
    bytes: usize,
    free: Arc<Semaphore>,
}

impl Share {
    fn new(bytes: usize) -> Self {
        Self { bytes, free: Arc::new(Semaphore::new(bytes / UNIT)) }
    }

    async fn take(&self, bytes: usize, patience: Duration) -> Result<Part, NoRoom> {
        if bytes > self.bytes {
            return Err(NoRoom::Ever { needs: bytes, share: self.bytes });
        }
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        match tokio::time::timeout(patience, self.free.clone().acquire_many_owned(units)).await {
            Ok(Ok(permit)) => Ok(Part(permit)),
            Ok(Err(_)) | Err(_) => Err(NoRoom::Now),
        }
    }
}

/// All shares.
#[derive(Debug)]
pub struct Room {
    arriving: Share,
    understood: Share,
    small: Share,
    unproven: usize,
    strangers: usize,
}

impl Room {
    /// Shares out `memory` bytes, at least [`LEAST_MEMORY`].
    pub fn new(memory: u64) -> Self {
        let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let strangers = (memory / (512 << 10)).clamp(256, MOST_STRANGERS);
        // At most as many known connections.
        let connections = 2 * strangers * CONNECTION;
        let body = BODY_BYTES as u64;
        let unproven = (memory / 16).max(body);
        let arriving = (memory / 8).max(body);
        let taken = PROGRAM + connections + unproven + arriving + SMALL_SHARE as u64;
        Self {
            arriving: Share::new(size(arriving)),
            understood: Share::new(size(memory.saturating_sub(taken).max(body))),
            small: Share::new(SMALL_SHARE),
            unproven: size(unproven),
            strangers: size(strangers),
        }
    }

    /// Bytes of bodies that are not proven yet.
    pub fn unproven(&self) -> usize {
        self.unproven
    }

    /// Connections that are not proven yet; as many may be proven.
    pub fn strangers(&self) -> usize {
        self.strangers
    }

    /// Room for a large incoming body.
    pub async fn arriving(&self, bytes: usize) -> Result<Part, NoRoom> {
        self.arriving.take(bytes, PATIENCE).await
    }

    /// Room for what takes `bytes` while it is parsed and stored, or rendered as messages.
    pub async fn understood(&self, bytes: usize) -> Result<Part, NoRoom> {
        self.share(bytes).take(bytes, PATIENCE).await
    }

    /// Does an input of this size need no room of its own, because only few are processed concurrently?
    pub const fn is_small(bytes: usize) -> bool {
        bytes <= SMALL
    }

    fn share(&self, bytes: usize) -> &Share {
        if Self::is_small(bytes) { &self.small } else { &self.understood }
    }

    /// The same for work of any size that must be done, without a limit on the wait: an accepted message must be sent.
    /// Work that needs more than the share runs alone.
    pub async fn granted(&self, bytes: usize) -> Part {
        loop {
            if let Ok(part) = self.understood(bytes.min(self.understood.bytes)).await {
                return part;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_stay_within_the_memory() {
        for memory in [LEAST_MEMORY, MEMORY, 1 << 30, 8 << 30] {
            let room = Room::new(memory);
            let bodies = room.arriving.bytes + room.understood.bytes + room.small.bytes + room.unproven;
            let all = bodies as u64 + PROGRAM + 2 * room.strangers as u64 * CONNECTION;
            assert!(all <= memory, "{all} of {memory}: {room:?}");
            assert!(room.understood.bytes >= BODY_BYTES && room.arriving.bytes >= BODY_BYTES, "{room:?}");
        }
    }

    #[tokio::test]
    async fn small_things_never_wait_behind_large_ones_and_waiting_ends() {
        let room = Room::new(MEMORY);
        let all = room.understood(room.understood.bytes).await.unwrap();
        assert!(room.understood(SMALL).await.is_ok());
        let soon = Duration::from_millis(10);
        assert_eq!(room.share(SMALL + 1).take(SMALL + 1, soon).await.err(), Some(NoRoom::Now));
        drop(all);
        assert!(room.share(SMALL + 1).take(SMALL + 1, soon).await.is_ok());
    }

    #[tokio::test]
    async fn an_input_that_never_fits_is_refused_at_once_unless_it_must_be_done() {
        let room = Room::new(MEMORY);
        let needs = room.understood.bytes + 1;
        assert_eq!(room.understood(needs).await.err(), Some(NoRoom::Ever { needs, share: needs - 1 }));
        let _alone = room.granted(needs).await;
        assert_eq!(room.understood.free.available_permits(), 0);
    }
}
