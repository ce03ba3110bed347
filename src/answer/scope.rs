//! What a new silence would hide.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::silencing::{self, Sought};
use super::{Acts, Setup};
use crate::standing;
use crate::store::{ActAlert, StoreError};
use crate::upstream::Matcher;

/// Longest time for reading the notifications of the alerts while a person waits, and longest wait for an upstream to
/// count what a silence would hide.
pub const PATIENCE: Duration = Duration::from_millis(1_500);
/// How long a count is reused, so that a page that is reloaded repeatedly asks its upstream once.
const KNOWN: Duration = Duration::from_secs(10);
/// Most counts that are cached; beyond that they are not reused.
const MOST: usize = 200;

/// What is known of a silence for some alerts before it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Foreseen {
    /// None can be made for them.
    Nothing,
    /// They come from too many notifications to be read in time.
    TooMany,
    /// What it would hide.
    Scope(Scope),
}

impl Foreseen {
    /// What it would hide, if that is known.
    pub fn scope(self) -> Option<Scope> {
        match self {
            Self::Scope(scope) => Some(scope),
            Self::Nothing | Self::TooMany => None,
        }
    }
}

/// What a silence for some alerts would hide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Name of the upstream where it would be made.
    pub upstream: String,
    /// Its matchers, all of which hold on each of the alerts.
    pub matchers: Vec<Matcher>,
    /// Number of firing alerts that it would hide.
    pub count: u64,
    /// Did the upstream count? Otherwise our own record did, which may know fewer alerts.
    pub by_upstream: bool,
}

impl Scope {
    /// Equal for the same upstream and matchers: a form carries it to prove what its reader was shown.
    pub fn fingerprint(&self) -> String {
        let mut digest = Sha256::new();
        digest.update(self.upstream.as_bytes());
        digest.update(serde_json::to_vec(&self.matchers).expect("matchers are JSON"));
        digest.finalize()[..8].iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    }

    /// The conditions of its matchers.
    pub fn conditions(&self) -> String {
        standing::conditions(&self.matchers)
    }
}

impl Acts {
    /// What a silence for these alerts would hide. `patience`: how long their notifications are read, usually
    /// [`PATIENCE`].
    pub async fn scope(&self, alerts: &[ActAlert], patience: Duration) -> Result<Foreseen, StoreError> {
        let setup = self.setup.now();
        let (upstream, matchers) = match silencing::matchers(self, &setup, alerts, Instant::now() + patience).await? {
            Sought::Found(upstream, matchers) => (upstream, matchers),
            Sought::Nowhere | Sought::TooWide => return Ok(Foreseen::Nothing),
            Sought::Late => return Ok(Foreseen::TooMany),
        };
        let upstream = upstream.name.clone();
        let (count, by_upstream) = match self.counts.of(&setup, &upstream, &matchers).await {
            Some(count) => (count, true),
            None => (standing::recorded(&self.store, &matchers).await?, false),
        };
        Ok(Foreseen::Scope(Scope { upstream, matchers, count, by_upstream }))
    }
}

/// Recent counts of the firing alerts upstream that some matchers hide.
#[derive(Default)]
pub struct Counts(Mutex<HashMap<Hiding, (u64, Instant)>>);

/// An upstream by name, and matchers.
type Hiding = (String, Vec<Matcher>);

impl fmt::Debug for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counts(…)")
    }
}

impl Counts {
    /// `None` if the upstream does not answer in time.
    pub(super) async fn of(&self, setup: &Setup, upstream: &str, matchers: &[Matcher]) -> Option<u64> {
        let key = (upstream.to_owned(), matchers.to_vec());
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        if let Some((count, at)) = known
            && at.elapsed() < KNOWN
        {
            return Some(count);
        }
        let client = silencing::client(setup, upstream).ok()?;
        let firing = tokio::time::timeout(PATIENCE, client.firing(matchers)).await.ok()?.ok()?;
        let count = firing.len() as u64;
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MOST {
            counts.clear();
        }
        counts.insert(key, (count, Instant::now()));
        Some(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_tells_matchers_and_upstreams_apart() {
        let scope = |upstream: &str, value: &str| Scope {
            upstream: upstream.to_owned(),
            matchers: vec![Matcher::equal("alertname", value)],
            count: 1,
            by_upstream: true,
        };
        assert_eq!(scope("am", "a").fingerprint(), Scope { count: 9, ..scope("am", "a") }.fingerprint());
        assert_ne!(scope("am", "a").fingerprint(), scope("am", "b").fingerprint());
        assert_ne!(scope("am", "a").fingerprint(), scope("other", "a").fingerprint());
        assert_eq!(scope("am", "a").conditions(), "alertname=\"a\"");
    }
}
