//! Signed requests that were taken: each is good for once, and a repeat of it is a retry.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use super::Once;
use crate::alert::Timestamp;

/// Signatures that are remembered, about 200 bytes each. At 30 signed requests a second that is ten minutes, the whole
/// time for which one with the usual tolerance is good.
const REMEMBERED: usize = 20_000;

/// The state of a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen<T> {
    /// It was not seen before.
    New,
    /// The same request was accepted with this outcome: its sender missed the answer and retries.
    Retry(T),
    /// It was accepted at another address: a replay by a sender without the key.
    Elsewhere,
}

/// The signatures of requests that were taken, with what came of them, until they are stale. Of this process only.
#[derive(Debug)]
pub struct Replays<T>(Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    taken: HashMap<[u8; 32], (String, T)>,
    /// The next to be forgotten first.
    until: BTreeSet<(Timestamp, [u8; 32])>,
}

impl<T> Default for Replays<T> {
    fn default() -> Self {
        Self(Mutex::new(State { taken: HashMap::new(), until: BTreeSet::new() }))
    }
}

impl<T: Clone> Replays<T> {
    /// Was a request with this signature taken, and at `path`?
    pub fn seen(&self, once: &Once, path: &str) -> Seen<T> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.taken.get(&once.digest) {
            None => Seen::New,
            Some((at, outcome)) if at == path => Seen::Retry(outcome.clone()),
            Some(_) => Seen::Elsewhere,
        }
    }

    /// Remembers that it was taken at `path`; to be called after the commit, so that a failed request may be repeated.
    pub fn remember(&self, once: &Once, path: &str, outcome: T, now: Timestamp) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(&(until, digest)) = state.until.first()
            && (until < now || state.until.len() >= REMEMBERED)
        {
            state.until.remove(&(until, digest));
            state.taken.remove(&digest);
        }
        if state.taken.insert(once.digest, (path.to_owned(), outcome)).is_none() {
            state.until.insert((once.until, once.digest));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn once(number: u32, until: i64) -> Once {
        let mut digest = [0; 32];
        digest[..4].copy_from_slice(&number.to_be_bytes());
        Once { digest, until: Timestamp(until) }
    }

    #[test]
    fn a_repeat_is_a_retry_and_a_copy_for_another_address_is_not() {
        let replays = Replays::default();
        let signed = once(1, 1000);
        assert_eq!(replays.seen(&signed, "/webhook/ops"), Seen::New);
        replays.remember(&signed, "/webhook/ops", 7, Timestamp(0));
        assert_eq!(replays.seen(&signed, "/webhook/ops"), Seen::Retry(7));
        assert_eq!(replays.seen(&signed, "/webhook/dba"), Seen::Elsewhere);
        assert_eq!(replays.seen(&once(2, 1000), "/webhook/ops"), Seen::New);
    }

    #[test]
    fn what_is_stale_is_forgotten_and_the_memory_is_bounded() {
        let replays = Replays::default();
        replays.remember(&once(1, 1000), "/", (), Timestamp(0));
        replays.remember(&once(2, 5000), "/", (), Timestamp(1001));
        assert_eq!(replays.seen(&once(1, 1000), "/"), Seen::New);
        for number in 3..u32::try_from(REMEMBERED).unwrap() + 10 {
            replays.remember(&once(number, 5000 + i64::from(number)), "/", (), Timestamp(1001));
        }
        assert_eq!(replays.0.lock().unwrap().taken.len(), REMEMBERED);
        assert_eq!(replays.seen(&once(2, 5000), "/"), Seen::New, "the next to be stale went first");
    }
}
