//! Monitors wegraf itself: finds faults, reports them by a way that is not broken, and stops the heartbeat when it
//! cannot; prunes the record.
//!
//! A fault is an alert like any other, of the source [`SourceId::Wegraf`](crate::names::SourceId::Wegraf), which no
//! request can have: it fires, is told once, and resolves.

mod alarm;
mod past;
mod plainly;
mod ready;
mod storage;
mod stuck;
mod trouble;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::alert::Timestamp;
use crate::deliver::{Deliver, Hooks, knows};
use crate::fuse::Fuse;
use crate::incidents::Incidents;
use crate::intake::Intake;
use crate::metrics::Metrics;
use crate::names::Duty;
use crate::store::{Breaker, BreakerChange, Indexed, Retention, Store, StoreError};
use crate::time::Clock;
use past::Past;
pub use ready::warnings;
pub use storage::{Storage, is_low};
use trouble::Facts;

/// Interval of looking for faults: they must be reported within two minutes. A look counts the backlog (O(live
/// messages)): the interval grows with its duration, up to the second value.
const LOOK: Duration = Duration::from_secs(5);
const LOOK_LATEST: Duration = Duration::from_secs(30);
/// Interval of looking for hosts to probe, and pause after a failed probe of one host.
const PROBE: Duration = Duration::from_secs(1);
const HOST_MS: i64 = 5_000;
/// Interval of audits. An audit reads every transition: the interval grows with its duration.
const AUDIT: Duration = Duration::from_mins(1);
/// Expensive reads may take one part in this many of the time.
const SHARE: u32 = 50;
/// Interval of writing terms of messages.
const TERMS: Duration = Duration::from_secs(2);
/// How many times as long as their work terms and counts for reports pause, while the writer has other work. The writer's
/// part of that work is a fourth.
const YIELDING: u32 = 9;
/// The writer has other work if that takes more than one part in this many of the time.
const OTHER_WORK: u32 = 20;
/// Pause between counts for reports: what came since is added where it is asked.
const TALLY: Duration = Duration::from_secs(30);
/// Interval of pruning rounds, and pause between two batches of one round.
const PRUNE: Duration = Duration::from_hours(1);
const PRUNE_BREATH: Duration = Duration::from_millis(50);
/// Interval of checking the size of the database, which is pruned at once if it is too large; and pause after a round
/// that could not make it small enough, because what is left is live.
const SIZE: Duration = Duration::from_secs(5);
const SIZE_LATEST: Duration = Duration::from_mins(5);
const PRUNED_IN_VAIN: Duration = Duration::from_mins(1);
/// A heartbeat that takes longer has failed.
const BEAT_DEADLINE: Duration = Duration::from_secs(10);
/// A critical message that waits longer than this stops the heartbeat.
const CRITICAL_LATE_MS: i64 = 120_000;

/// The dependencies of self-monitoring.
#[derive(Debug)]
pub struct Watch {
    /// The client for alarms that bypass the store, and for probes of hosts.
    pub deliver: Deliver,
    /// Admits alerts about faults.
    pub intake: Intake,
    /// The record.
    pub store: Store,
    /// Now.
    pub clock: Clock,
    /// Faults that no table shows.
    pub incidents: Arc<Incidents>,
    /// The disk space of the store.
    pub storage: Arc<Storage>,
    /// The counters of this process.
    pub metrics: Arc<Metrics>,
    /// Failures of the store are reported here.
    pub fuse: Fuse,
}

/// Watches until told to stop.
pub async fn run(watch: Watch, stop: CancellationToken) {
    let watch = Watching { started_at: watch.clock.now(), watch, imbalance: AtomicI64::new(0) };
    let all = async {
        tokio::join!(
            watch.looks(),
            watch.checks(),
            watch.probes(),
            watch.audits(),
            watch.prunings(),
            watch.terms(),
            watch.tallies(),
            watch.beats()
        );
    };
    tokio::select! {
        () = all => {}
        () = stop.cancelled() => {}
    }
}

struct Watching {
    watch: Watch,
    /// The imbalance found by the newest audit.
    imbalance: AtomicI64,
    started_at: Timestamp,
}

impl Watching {
    async fn looks(&self) {
        let mut past = match Past::new(self.watch.deliver.clone()) {
            Ok(past) => past,
            Err(error) => return error!(%error, "The client for alarms cannot be set up; no trouble is told."),
        };
        loop {
            let begun = Instant::now();
            let looked = self.look().await;
            past.follow(looked.as_ref().err()).await;
            tokio::time::sleep((begun.elapsed() * SHARE).clamp(LOOK, LOOK_LATEST)).await;
        }
    }

    /// Has the store check its files every second: it logs a fault and refuses writes until the files are back.
    async fn checks(&self) {
        loop {
            let _ = self.watch.store.check().await;
            tokio::time::sleep(PROBE).await;
        }
    }

    async fn probes(&self) {
        loop {
            self.probe().await;
            tokio::time::sleep(PROBE).await;
        }
    }

    async fn audits(&self) {
        loop {
            let begun = Instant::now();
            self.audit().await;
            tokio::time::sleep(AUDIT.max(begun.elapsed() * SHARE)).await;
        }
    }

    async fn prunings(&self) {
        let mut due = Instant::now();
        loop {
            let begun = Instant::now();
            let too_large = self.is_too_large().await;
            let looked = begun.elapsed();
            let mut pause = (looked * SHARE).clamp(SIZE, SIZE_LATEST);
            if too_large.is_some() || begun >= due {
                self.prune().await;
                due = Instant::now() + PRUNE;
                let still = if too_large.is_some() { self.is_too_large().await } else { None };
                self.watch.storage.note_bound(still);
                if still.is_some() {
                    pause = pause.max(PRUNED_IN_VAIN);
                }
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// The bound of the database's size, if it is too large.
    async fn is_too_large(&self) -> Option<u64> {
        let most = self.watch.deliver.setup.now().config.retention.bytes?;
        match self.watch.store.is_too_large(most).await {
            Ok(too_large) => too_large.then_some(most),
            Err(error) => {
                warn!(%error, "The size of the database cannot be found out.");
                None
            }
        }
    }

    /// Finds faults and updates the self-alerts accordingly. An error means that the store failed, so that nothing
    /// could be reported through it.
    async fn look(&self) -> Result<(), StoreError> {
        let store = &self.watch.store;
        let told = async {
            store.ping().await?;
            match store.space().await {
                Ok(space) => self.watch.storage.note_space(space),
                Err(error) => warn!(%error, "The free space on the disk cannot be found out."),
            }
            let facts = self.facts().await?;
            let config = &self.watch.deliver.setup.now().config;
            let troubles = trouble::find(config, &facts);
            self.watch.metrics.troubles.set(i64::try_from(troubles.len()).unwrap_or(i64::MAX));
            alarm::tell(&self.watch, &troubles).await
        };
        let told = told.await;
        if let Err(error) = &told {
            warn!(%error, "What is wrong cannot be told through the store; it is tried again.");
            self.watch.fuse.failed(error);
            self.watch.metrics.troubles.set(self.watch.metrics.troubles.get().max(1));
        }
        told
    }

    async fn facts(&self) -> Result<Facts, StoreError> {
        let store = &self.watch.store;
        let now = self.watch.clock.now();
        Ok(Facts {
            now,
            started_at: self.started_at,
            breakers: self.breakers().await?,
            backlog: store.backlog().await?,
            heard: store.heard().await?,
            imbalance: self.imbalance.load(Ordering::Relaxed),
            incidents: self.watch.incidents.recent(now),
            reload_failed: self.watch.metrics.reload_ok.get() == 0,
            storage: self.watch.storage.troubles(now, self.watch.fuse.full_at()),
            lapsing: store.lapsing().await?,
            late: store.late_lanes(now.plus_millis(-stuck::OTHERS_MS), now.plus_millis(-stuck::CRITICAL_MS)).await?,
        })
    }

    /// The open breakers. One of a scope that is no longer configured is closed: no message would ever do so.
    async fn breakers(&self) -> Result<Vec<Breaker>, StoreError> {
        let store = &self.watch.store;
        let config = self.watch.deliver.setup.now().config.clone();
        let (known, gone) = store.breakers().await?.into_iter().partition(|open| knows(&config, &open.scope));
        for Breaker { scope, .. } in gone {
            info!(%scope, "The breaker of a way that is no longer in the configuration was closed.");
            store.change_breaker(BreakerChange::Close(scope)).await?;
        }
        Ok(known)
    }

    /// Probes hosts that did not answer. Messages do not: whether they arrived would stay unknown.
    async fn probe(&self) {
        let Ok(breakers) = self.watch.store.breakers().await else { return };
        let now = self.watch.clock.now();
        for open in breakers.into_iter().filter(|open| open.host_may_be_asked(now)) {
            let change = match self.watch.deliver.setup.now().answers(&open.scope).await {
                Ok(()) => {
                    info!(scope = %open.scope, "The host answers again.");
                    BreakerChange::Close(open.scope.clone())
                }
                Err(error) => {
                    debug!(scope = %open.scope, error = %error.en, "The host still does not answer.");
                    let probe_at = now.plus_millis(HOST_MS);
                    BreakerChange::Open(Breaker { error: error.recorded(), probe_at, ..open })
                }
            };
            if let Err(error) = self.watch.store.change_breaker(change).await {
                warn!(%error, "What a probe found out could not be kept.");
            }
        }
    }

    async fn audit(&self) {
        match self.watch.store.audit().await {
            Ok(audit) => {
                if audit.imbalance > 0 {
                    error!(
                        imbalance = audit.imbalance,
                        "The fate of transitions contradicts their messages. Please report this bug."
                    );
                }
                self.imbalance.store(audit.imbalance, Ordering::Relaxed);
                self.watch.metrics.imbalance.set(audit.imbalance);
            }
            Err(error) => warn!(%error, "The record could not be audited."),
        }
    }

    /// Deletes what is older than the configuration keeps it.
    async fn prune(&self) {
        let keep = &self.watch.deliver.setup.now().config.retention;
        let millis = |age: Duration| i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        let keep = Retention {
            raw_ms: millis(keep.raw),
            record_ms: millis(keep.record),
            alerts_ms: millis(keep.alerts),
            bytes: keep.bytes,
        };
        let (mut messages, mut unheard) = (0, 0);
        loop {
            match self.watch.store.prune(keep, self.watch.clock.now()).await {
                Ok(pruned) if pruned.is_empty() => break,
                Ok(pruned) => {
                    messages += pruned.messages;
                    unheard += pruned.unheard;
                }
                Err(error) => {
                    warn!(%error, "Old records could not be pruned; it is tried again in an hour.");
                    break;
                }
            }
            tokio::time::sleep(PRUNE_BREATH).await;
        }
        if messages > 0 {
            info!(messages, "Old records were pruned.");
        }
        if unheard > 0 {
            info!(
                alerts = unheard,
                "Alerts that no sender reports any more are no longer followed; see `wegraf acts list`."
            );
        }
    }

    /// Writes the terms by which messages are found: after the commits, and only so much that intake keeps nearly all of
    /// the writer's time.
    async fn terms(&self) {
        let mut others_work = true;
        loop {
            let begun = Instant::now();
            let done = async {
                // One replica writes them for all; a single process always does.
                if self.watch.store.take_on(Duty::Terms).await? {
                    self.watch.store.index_terms().await
                } else {
                    Ok(Indexed::default())
                }
            };
            let more = match done.await {
                Ok(indexed) => indexed.more,
                Err(error) => {
                    debug!(%error, "The terms of messages could not be written; it is tried again.");
                    false
                }
            };
            others_work = self.rest(begun.elapsed(), if more { Duration::ZERO } else { TERMS }, others_work).await;
        }
    }

    /// Counts the record for reports: after the commits, and only so much that intake keeps nearly all of the writer's time.
    async fn tallies(&self) {
        let mut others_work = true;
        loop {
            let begun = Instant::now();
            let done = async {
                // One replica counts for all; a single process always does.
                let takes = self.watch.store.take_on(Duty::Tally).await?;
                if takes { self.watch.store.count(self.watch.clock.now()).await } else { Ok(false) }
            };
            let more = done.await.unwrap_or_else(|error: StoreError| {
                debug!(%error, "The record could not be counted for reports; it is tried again.");
                false
            });
            others_work = self.rest(begun.elapsed(), if more { Duration::ZERO } else { TALLY }, others_work).await;
        }
    }

    /// Pauses a job that took `took`, for `least` at least. Has the writer other work?
    async fn rest(&self, took: Duration, least: Duration, others_work: bool) -> bool {
        let busy = || Duration::from_micros(self.watch.store.counters().busy_micros);
        let (before, begun) = (busy(), Instant::now());
        tokio::time::sleep(pause(took, others_work).max(least)).await;
        works(busy().saturating_sub(before), begun.elapsed())
    }

    /// Calls the heartbeat's URL while wegraf is healthy.
    async fn beats(&self) {
        let Ok(hooks) = Hooks::new() else { return error!("The client for the heartbeat cannot be set up.") };
        loop {
            let begun = Instant::now();
            let config = self.watch.deliver.setup.now().config.clone();
            let Some(heartbeat) = &config.heartbeat else {
                tokio::time::sleep(LOOK).await;
                continue;
            };
            match self.well().await {
                Ok(()) => {
                    if let Err(trouble) = hooks.beat(&heartbeat.url, BEAT_DEADLINE).await {
                        warn!(error = &*trouble.what.en, "The heartbeat was not heard.");
                    }
                }
                Err(why) => error!(why, "The heartbeat is left out."),
            }
            tokio::time::sleep_until(begun + heartbeat.interval).await;
        }
    }

    /// Can alerts be stored and sent? The error is the reason why not.
    async fn well(&self) -> Result<(), String> {
        let store = &self.watch.store;
        store.ping().await.map_err(|error| error.to_string())?;
        let backlog = store.backlog().await.map_err(|error| error.to_string())?;
        let now = self.watch.clock.now();
        if self.imbalance.load(Ordering::Relaxed) > 0 {
            return Err("the record does not balance".to_owned());
        }
        match ready::critical_late(&backlog, now) {
            Some(_) => Err("a critical message has waited for more than two minutes".to_owned()),
            None => Ok(()),
        }
    }
}

/// How long a job pauses after `took` of work, so that intake keeps nearly all of the writer's time.
fn pause(took: Duration, others_work: bool) -> Duration {
    if others_work { took * YIELDING } else { took }
}

/// Is a writer that was busy for `busy` of `elapsed` at work?
fn works(busy: Duration, elapsed: Duration) -> bool {
    busy * OTHER_WORK > elapsed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_takes_a_tenth_of_the_time_beside_intake_and_half_of_it_otherwise() {
        let second = Duration::from_secs(1);
        assert_eq!(pause(second, true), 9 * second);
        assert_eq!(pause(second, false), second);
        assert!(works(Duration::from_millis(60), second));
        assert!(!works(Duration::from_millis(40), second) && !works(Duration::ZERO, Duration::ZERO));
    }
}
