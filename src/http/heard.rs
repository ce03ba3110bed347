//! When each source last called, and its refusals: for `wegraf doctor --source`.
//!
//! Kept in the memory of this process, because strangers must not be able to fill anything by refusals.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use axum::extract::Request;
use serde::{Deserialize, Serialize};

use super::Refusal;
use super::peer::Peer;
use super::refusal::shown;
use crate::alert::Timestamp;
use crate::config::Config;
use crate::proof::{Kind, Proven, Unproven, Why};

/// Refusals kept for each source, the newest: enough to see what repeats.
const REFUSALS: usize = 10;
/// Characters kept of a path, which a stranger chooses.
const PATH: usize = 120;

/// The record of one source since the process started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Accepted requests.
    pub taken: u64,
    /// The last of them.
    pub last: Option<Heard>,
    /// Refused requests.
    pub refused: u64,
    /// The newest of them, the oldest first.
    pub refusals: VecDeque<RefusedCall>,
}

/// An accepted request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// When.
    pub at: Timestamp,
    /// The kind of credential.
    pub credential: String,
    /// Who sent it.
    pub peer: Option<String>,
}

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedCall {
    /// When.
    pub at: Timestamp,
    /// Who sent it.
    pub peer: Option<String>,
    /// Its path, without query and token.
    pub path: String,
    /// The kind of credential that was tried, if any.
    pub credential: Option<String>,
    /// The status of the answer.
    pub status: u16,
    /// Why, as [`crate::words::Words::recorded`].
    pub why: String,
}

/// A request's attempt: its sender, its path, and the result of its credential.
#[derive(Debug, Default)]
pub(super) struct Tried {
    /// The sender's address.
    pub peer: Option<IpAddr>,
    /// The path as it may be shown.
    path: String,
    /// The source that is proven, or was claimed.
    pub source: Option<String>,
    /// The kind of credential.
    pub kind: Option<Kind>,
    /// Why it proves nothing.
    why: Option<Why>,
}

impl Tried {
    /// What is known before any credential is checked.
    pub fn of(request: &Request, config: &Config) -> Self {
        let peer = request.extensions().get::<Peer>().map(|peer| peer.address());
        Self { peer, path: shown(request.uri().path(), config), ..Self::default() }
    }

    /// Records the proven source.
    pub fn proven(&mut self, proven: &Proven<'_>) {
        self.source = Some(proven.source.name.clone());
        self.kind = Some(proven.kind);
    }

    /// Records why no source is proven, and refuses.
    pub fn unproven(&mut self, unproven: Unproven) -> Refusal {
        (self.source, self.kind, self.why) = (unproven.source.clone(), unproven.kind, Some(unproven.why.clone()));
        Refusal::Unproven(unproven)
    }

    /// The proven source; `None` if it is only claimed.
    pub fn proven_source(&self) -> Option<String> {
        self.source.clone().filter(|_| self.why.is_none())
    }

    fn peer(&self) -> Option<String> {
        self.peer.map(|peer| peer.to_string())
    }
}

/// All records, by the name of the source; calls that could be of any source are under the empty name.
#[derive(Debug, Default)]
pub(super) struct Records(Mutex<BTreeMap<String, Record>>);

impl Records {
    /// Records an accepted request, if it proved a source.
    pub fn taken(&self, tried: &Tried, at: Timestamp) {
        let (Some(source), Some(kind)) = (&tried.source, tried.kind) else { return };
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let record = records.entry(source.clone()).or_default();
        record.taken += 1;
        record.last = Some(Heard { at, credential: kind.as_str().to_owned(), peer: tried.peer() });
    }

    /// Records a refused request.
    pub fn refused(&self, tried: &Tried, refusal: &Refusal, at: Timestamp) {
        let (status, words) = refusal.words();
        let call = RefusedCall {
            at,
            peer: tried.peer(),
            path: tried.path.chars().take(PATH).collect(),
            credential: tried.kind.map(|kind| kind.as_str().to_owned()),
            status: status.as_u16(),
            why: tried.why.as_ref().map_or(words, Why::words).recorded(),
        };
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let record = records.entry(tried.source.clone().unwrap_or_default()).or_default();
        record.refused += 1;
        if record.refusals.len() == REFUSALS {
            record.refusals.pop_front();
        }
        record.refusals.push_back(call);
    }

    /// A copy of all.
    pub fn all(&self) -> BTreeMap<String, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_refusals_are_kept_and_all_are_counted() {
        let records = Records::default();
        let tried = Tried { source: Some("g".to_owned()), path: "x".repeat(500), ..Tried::default() };
        for at in 0..25 {
            records.refused(&tried, &Refusal::Slow, Timestamp(at));
        }
        let record = &records.all()["g"];
        assert_eq!((record.refused, record.refusals.len()), (25, REFUSALS));
        assert_eq!(record.refusals.back().unwrap().at, Timestamp(24));
        assert_eq!(record.refusals[0].path.len(), PATH);
    }
}
