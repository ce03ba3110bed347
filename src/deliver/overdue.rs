//! The way out by age: a message that waits for too long is also told by its receiver's fallback, whether attempts were
//! possible or not. What is too long is decided in the engine.

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
        // Messages of a patient receiver must not hide those of others in a look: each limit has a look of its own.
        let mut by_limit: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for (name, policy) in &policies {
            by_limit.entry(policy.after.shortest_ms()).or_default().push((*name).to_owned());
        }
        for (limit, receivers) in by_limit {
            self.tell_late(&policies, receivers, limit, now).await?;
        }
        Ok(())
    }

    /// Tells the fallbacks of `receivers`, for what waits longer than `limit` milliseconds and than their own limits.
    async fn tell_late(
        &self,
        policies: &HashMap<&str, Policy<'_>>,
        receivers: Vec<String>,
        limit: i64,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for late in self.deliver.store.late(receivers, now.plus_millis(-limit), AT_ONCE).await? {
            let Some(policy) = policies.get(late.receiver.as_str()) else { continue };
            if !policy.after.is_over(&late, now) {
                continue;
            }
            let fallback = told_by(policy, &late, now);
            let request = Detour { message: late.message, epoch: late.epoch, revision: late.revision, fallback };
            match self.deliver.store.fall_back(request, now).await {
                Ok(()) => info!(
                    delivery = late.message,
                    lane = %late.lane,
                    fallback = policy.name,
                    "A message waits for too long; its fallback is told."
                ),
                // It was sent or changed meanwhile.
                Err(StoreError::Lost { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
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
