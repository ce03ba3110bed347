//! The way out by age: a message that waits for too long is also told by its receiver's fallback, whether attempts were
//! possible or not. The limits are configured (`fallback_after`); what follows is decided by `engine::overdue`.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tracing::{info, warn};

use super::Lanes;
use crate::alert::Timestamp;
use crate::config::{Config, Receiver};
use crate::engine::overdue::FallbackAfter;
use crate::render::Note;
use crate::store::{Detour, Fallback, LateMessage, State, StoreError, TargetRow};

/// Interval of looking for messages that wait for too long.
const LOOK_MS: i64 = 5_000;
/// Messages handled in one look; more are handled in the next.
const AT_ONCE: u32 = 256;
/// Of these, messages that are handled in one transaction: other writers wait for it.
const TOGETHER: usize = 32;

/// A receiver with a fallback.
struct Policy<'a> {
    after: FallbackAfter,
    name: &'a str,
    fallback: &'a Receiver,
}

impl Lanes {
    /// Tells the fallbacks of what waits for too long, at most every few seconds.
    pub(super) async fn tell_overdue(&self, looked_at: &mut Timestamp, now: Timestamp) {
        let since = now.millis_since(*looked_at);
        if (0..LOOK_MS).contains(&since) {
            return;
        }
        *looked_at = now;
        if let Err(error) = self.try_overdue(now).await {
            warn!(%error, "The messages that wait for too long cannot be read; they are looked for again.");
        }
    }

    async fn try_overdue(&self, now: Timestamp) -> Result<(), StoreError> {
        let config = self.deliver.setup.now().config.clone();
        let policies = policies(&config);
        let mut failed = None;
        let limits = policies.iter().map(|(name, policy)| (*name, policy.after));
        for (after, receivers) in by_limits(limits) {
            failed = self.tell_late(&policies, receivers, after, now).await.err().or(failed);
        }
        failed.map_or(Ok(()), Err)
    }

    /// Tells the fallbacks of `receivers`, for what waits longer than their limits.
    async fn tell_late(
        &self,
        policies: &HashMap<&str, Policy<'_>>,
        receivers: Vec<String>,
        after: FallbackAfter,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let late = self.deliver.store.late(receivers, after.since(now), AT_ONCE).await?;
        for late in late.chunks(TOGETHER) {
            let known = late.iter().filter_map(|late| Some((late, policies.get(late.receiver.as_str())?)));
            let (told, requests): (Vec<_>, Vec<_>) = known
                .map(|(late, policy)| {
                    let fallback = told_by(policy, late, now);
                    let request =
                        Detour { message: late.message, epoch: late.epoch, revision: late.revision, fallback };
                    ((late, policy.name), request)
                })
                .unzip();
            let done = self.deliver.store.fall_back(requests, now).await?;
            // The others were sent or changed meanwhile.
            for ((late, fallback), _) in told.into_iter().zip(done).filter(|(_, done)| *done) {
                info!(
                    delivery = late.message,
                    lane = %late.lane,
                    fallback,
                    "A message waits for too long; its fallback is told."
                );
            }
        }
        Ok(())
    }
}

/// The receivers with the same limits. Each pair of limits has a look of its own: what may wait longer takes no place
/// from what is late.
fn by_limits<'a>(limits: impl Iterator<Item = (&'a str, FallbackAfter)>) -> BTreeMap<FallbackAfter, Vec<String>> {
    let mut by_limits: BTreeMap<FallbackAfter, Vec<String>> = BTreeMap::new();
    for (name, after) in limits {
        by_limits.entry(after).or_default().push(name.to_owned());
    }
    by_limits
}

fn policies(config: &Config) -> HashMap<&str, Policy<'_>> {
    config.receivers.iter().filter_map(|(name, receiver)| Some((name.as_str(), policy(config, receiver)?))).collect()
}

fn policy<'a>(config: &'a Config, receiver: &Receiver) -> Option<Policy<'a>> {
    let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    let (name, fallback) = config.fallback(&receiver.name)?;
    let wait = receiver.fallback_after;
    let after = FallbackAfter { critical_ms: millis(wait.critical), other_ms: millis(wait.other) };
    Some(Policy { after, name, fallback })
}

fn told_by(policy: &Policy<'_>, late: &LateMessage, now: Timestamp) -> Fallback {
    let minutes = u64::try_from(now.millis_since(late.created_at) / 60_000).unwrap_or_default();
    let reason = late.error.clone().unwrap_or_default();
    let perhaps = late.state == State::Unsure;
    let note = Note::Overdue { lane: late.lane.clone(), minutes, reason, perhaps };
    let targets = policy.fallback.targets.iter();
    Fallback {
        receiver: policy.name.to_owned(),
        note_json: serde_json::to_string(&note).expect("a note is JSON"),
        targets: targets.map(|target| TargetRow::new(target.lane(), target.json())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_messages_are_looked_for_by_each_pair_of_limits() {
        let after = |critical_ms, other_ms| FallbackAfter { critical_ms, other_ms };
        let found = by_limits([("a", after(1, 9)), ("b", after(1, 2)), ("c", after(1, 9))].into_iter());
        let expected = [(after(1, 2), vec!["b"]), (after(1, 9), vec!["a", "c"])];
        let expected = expected.map(|(after, names)| (after, names.into_iter().map(str::to_owned).collect()));
        assert_eq!(found, BTreeMap::from(expected));
    }
}
