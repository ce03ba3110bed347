//! The links in messages: the key that signs them, as the store keeps it and as each request gets it; and the short ones,
//! each of which is a row of the store.

mod key;
mod short;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;
use tracing::warn;

use crate::store::{LinkSecrets, Store, StoreError};
use crate::time::Clock;
pub use key::{Acting, LinkKey, Opened};
pub use short::is_ours;

/// How long the key is used before it is read again: that soon a rotation by another process takes effect.
const KNOWN: Duration = Duration::from_secs(1);

/// The key of links, kept up to date. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Links {
    store: Store,
    clock: Clock,
    known: Arc<ArcSwap<Known>>,
}

/// The key, and when it was read.
#[derive(Debug)]
struct Known {
    key: Arc<LinkKey>,
    read_at: Instant,
}

impl Known {
    fn now(secrets: LinkSecrets) -> Self {
        Self { key: Arc::new(LinkKey::from(secrets)), read_at: Instant::now() }
    }
}

impl Links {
    /// Reads the key, which is made on the first call for a database.
    pub async fn open(store: Store, clock: Clock) -> Result<Self, StoreError> {
        let known = Arc::new(ArcSwap::from_pointee(Known::now(store.link_secrets().await?)));
        Ok(Self { store, clock, known })
    }

    /// The key that signs links. At most a second old, because another process may rotate it; older only while the
    /// store cannot be read.
    pub async fn key(&self) -> Arc<LinkKey> {
        let known = self.known.load_full();
        if known.read_at.elapsed() < KNOWN {
            return known.key.clone();
        }
        match self.key_now().await {
            Ok(key) => key,
            Err(error) => {
                warn!(%error, "The key of links cannot be read; the one read before is used.");
                known.key.clone()
            }
        }
    }

    /// The same, read from the store: authorisation to act never rests on a replaced key.
    pub async fn key_now(&self) -> Result<Arc<LinkKey>, StoreError> {
        Ok(self.keep(self.store.link_secrets().await?))
    }

    /// Replaces the secret: links signed before open their pages for a day, but no longer authorise acts.
    pub async fn rotate(&self) -> Result<(), StoreError> {
        self.keep(self.store.rotate_links(self.clock.now()).await?);
        Ok(())
    }

    fn keep(&self, secrets: LinkSecrets) -> Arc<LinkKey> {
        let known = Known::now(secrets);
        let key = known.key.clone();
        self.known.store(Arc::new(known));
        key
    }
}
