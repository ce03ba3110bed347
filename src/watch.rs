//! Looks after wegraf itself: finds out what is wrong, tells somebody by a way that is not broken, and stops the
//! heartbeat when it cannot; keeps the record in its bounds.
//!
//! What is wrong is an alert like any other, of the source [`SourceId::Wegraf`](crate::names::SourceId::Wegraf), which no
//! request can have: it fires, is told once, and ends.

mod alarm;
mod ready;
mod trouble;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::alert::Timestamp;
use crate::app::App;
use crate::deliver::{Hooks, knows};
use crate::store::{Breaker, BreakerChange, Retention, StoreError};
pub use ready::warnings;
use trouble::Facts;
pub use trouble::{Incidents, Kind, Subject};

/// Between two looks at what is wrong: somebody must know within two minutes. One counts what waits: with a long
/// backlog there are fewer, but never so few that this is late.
const LOOK: Duration = Duration::from_secs(5);
const LOOK_LATEST: Duration = Duration::from_secs(30);
/// Between two looks at hosts that do not answer.
const PROBE: Duration = Duration::from_secs(1);
const HOST_MS: i64 = 5_000;
/// Between two audits. One reads every transition: with a long record there are fewer.
const AUDIT: Duration = Duration::from_mins(1);
/// What reads much may take one part in so many of the time.
const SHARE: u32 = 50;
/// Between two rounds of forgetting, and between two batches of one round.
const PRUNE: Duration = Duration::from_hours(1);
const PRUNE_BREATH: Duration = Duration::from_millis(50);
/// A heartbeat that takes longer was not heard.
const BEAT_DEADLINE: Duration = Duration::from_secs(10);
/// A critical message that waits for longer than this stops the heartbeat.
const CRITICAL_LATE_MS: i64 = 120_000;

/// Watches until told to stop.
pub async fn run(app: App, stop: CancellationToken) {
    let watch = Watch { started_at: app.now(), app, imbalance: AtomicI64::new(0) };
    let all = async {
        tokio::join!(watch.looks(), watch.probes(), watch.audits(), watch.prunings(), watch.beats());
    };
    tokio::select! {
        () = all => {}
        () = stop.cancelled() => {}
    }
}

struct Watch {
    app: App,
    /// Imbalance of the newest audit.
    imbalance: AtomicI64,
    started_at: Timestamp,
}

impl Watch {
    async fn looks(&self) {
        loop {
            let begun = Instant::now();
            self.look().await;
            tokio::time::sleep((begun.elapsed() * SHARE).clamp(LOOK, LOOK_LATEST)).await;
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
        loop {
            self.prune().await;
            tokio::time::sleep(PRUNE).await;
        }
    }

    /// Finds out what is wrong and brings the self-alerts in line with it.
    async fn look(&self) {
        match self.facts().await {
            Ok(facts) => {
                let config = &self.app.loaded().config;
                let troubles = trouble::find(config, &facts);
                self.app.metrics().troubles.set(i64::try_from(troubles.len()).unwrap_or(i64::MAX));
                if let Err(error) = alarm::tell(&self.app, &troubles).await {
                    warn!(%error, "Trouble of wegraf itself could not be told; it is tried again.");
                }
            }
            Err(error) => warn!(%error, "The store cannot be asked what is wrong."),
        }
    }

    async fn facts(&self) -> Result<Facts, StoreError> {
        let store = self.app.store();
        let now = self.app.now();
        Ok(Facts {
            now,
            started_at: self.started_at,
            breakers: self.breakers().await?,
            backlog: store.backlog().await?,
            heard: store.heard().await?,
            imbalance: self.imbalance.load(Ordering::Relaxed),
            incidents: self.app.incidents().recent(now),
            reload_failed: self.app.metrics().reload_ok.get() == 0,
        })
    }

    /// The open breakers. One of something that the configuration no longer has is closed: no message would ever do so.
    async fn breakers(&self) -> Result<Vec<Breaker>, StoreError> {
        let store = self.app.store();
        let loaded = self.app.loaded();
        let (known, gone) = store.breakers().await?.into_iter().partition(|open| knows(&loaded.config, &open.scope));
        for Breaker { scope, .. } in gone {
            info!(%scope, "The breaker of a way that is no longer in the configuration was closed.");
            store.change_breaker(BreakerChange::Close(scope)).await?;
        }
        Ok(known)
    }

    /// Asks hosts that did not answer whether they are back. Messages do not: whether they arrived would stay unknown.
    async fn probe(&self) {
        let Ok(breakers) = self.app.store().breakers().await else { return };
        let now = self.app.now();
        for open in breakers.into_iter().filter(|open| open.host_may_be_asked(now)) {
            let change = match self.app.loaded().answers(&open.scope).await {
                Ok(()) => {
                    info!(scope = %open.scope, "The host answers again.");
                    BreakerChange::Close(open.scope.clone())
                }
                Err(error) => {
                    debug!(scope = %open.scope, error, "The host still does not answer.");
                    let probe_at = now.plus_millis(HOST_MS);
                    BreakerChange::Open(Breaker { error, probe_at, ..open })
                }
            };
            let closed = matches!(change, BreakerChange::Close(_));
            if let Err(error) = self.app.store().change_breaker(change).await {
                warn!(%error, "What a probe found out could not be kept.");
            } else if closed {
                self.app.wake().notify_one();
            }
        }
    }

    async fn audit(&self) {
        match self.app.store().audit().await {
            Ok(audit) => {
                if audit.imbalance > 0 {
                    error!(
                        imbalance = audit.imbalance,
                        "The fate of transitions contradicts their messages. Please report this bug."
                    );
                }
                self.imbalance.store(audit.imbalance, Ordering::Relaxed);
                self.app.metrics().imbalance.set(audit.imbalance);
            }
            Err(error) => warn!(%error, "The record could not be audited."),
        }
    }

    /// Forgets what is older than the configuration wants it kept.
    async fn prune(&self) {
        let keep = &self.app.loaded().config.retention;
        let millis = |age: Duration| i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        let keep = Retention { raw_ms: millis(keep.raw), record_ms: millis(keep.record), bytes: keep.bytes };
        let mut messages = 0;
        loop {
            match self.app.store().prune(keep, self.app.now()).await {
                Ok(pruned) if pruned.is_empty() => break,
                Ok(pruned) => messages += pruned.messages,
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
    }

    /// Calls the heartbeat's URL as long as all is well.
    async fn beats(&self) {
        let Ok(hooks) = Hooks::new() else { return error!("The client for the heartbeat cannot be set up.") };
        loop {
            let begun = Instant::now();
            let loaded = self.app.loaded();
            let Some(heartbeat) = &loaded.config.heartbeat else {
                tokio::time::sleep(LOOK).await;
                continue;
            };
            match self.well().await {
                Ok(()) => {
                    if let Err(trouble) = hooks.beat(&heartbeat.url, BEAT_DEADLINE).await {
                        warn!(error = trouble.what.en, "The heartbeat was not heard.");
                    }
                }
                Err(why) => error!(why, "The heartbeat is left out."),
            }
            tokio::time::sleep_until(begun + heartbeat.interval).await;
        }
    }

    /// Can alerts be kept and sent? The error says why not.
    async fn well(&self) -> Result<(), String> {
        let store = self.app.store();
        store.ping().await.map_err(|error| error.to_string())?;
        let backlog = store.backlog().await.map_err(|error| error.to_string())?;
        let now = self.app.now();
        if self.imbalance.load(Ordering::Relaxed) > 0 {
            return Err("the record does not balance".to_owned());
        }
        match ready::critical_late(&backlog, now) {
            Some(_) => Err("a critical message has waited for more than two minutes".to_owned()),
            None => Ok(()),
        }
    }
}
