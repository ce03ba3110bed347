//! Follows firing alerts upstream: when their upstreams are asked, and which upstream each alert belongs to.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{debug, warn};

use super::following::{follow, note};
use super::origin::Origins;
use super::silencing::upstream_of;
use super::watch::{Kept, OPEN, Round, Rounds, Row, open_interval};
use super::{Acts, Setup};
use crate::engine::truth::{State, Verdict, verdict};
use crate::names::Duty;
use crate::store::{ActAlert, Escalation, Followed, StoreError, Truth};

/// Firing alerts that are looked at together, each receiver's on its own; those with a waiting step come first.
const FOLLOWED: usize = 5_000;
/// Longest wait for an upstream in a round of looks.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest wait before a step is taken without the upstream's answer.
const STEP_PATIENCE: Duration = Duration::from_secs(2);
/// A reading that is younger than this serves the steps of one round.
pub(super) const JUST_READ_MS: i64 = 2_000;
/// Notifications that are read at once to find the upstreams of their alerts, and how often in one round.
const NOTIFICATIONS_AT_ONCE: usize = 20;
const BATCHES_PER_ROUND: usize = 50;

/// Follows until the task is dropped.
pub(super) async fn watch(acts: &Acts) {
    let mut looks = Looks::default();
    loop {
        // One replica looks for all; a single process always does.
        match acts.store.take_on(Duty::Silences).await {
            Ok(true) => {
                if let Err(error) = looks.round(acts, false).await {
                    warn!(%error, "Alerts cannot be followed upstream.");
                }
            }
            Ok(false) => {}
            Err(error) => warn!(%error, "Alerts cannot be followed upstream."),
        }
        let shortest = acts.setup.now().config.upstreams.iter().map(open_interval).min();
        tokio::time::sleep(shortest.unwrap_or(OPEN)).await;
    }
}

/// One look at every upstream: for tests that control the clock.
pub(super) async fn look_once(acts: &Acts) -> Result<(), StoreError> {
    Looks::default().round(acts, true).await
}

/// The rounds of looks.
#[derive(Default)]
struct Looks {
    rounds: Rounds,
    /// The configuration by which alerts were found to have no upstream.
    placed_by: Option<Arc<Setup>>,
}

impl Looks {
    /// Asks the upstreams that are due, or all.
    async fn round(&mut self, acts: &Acts, all: bool) -> Result<(), StoreError> {
        let setup = acts.setup.now();
        if setup.config.upstreams.is_empty() {
            return Ok(());
        }
        let again = !self.placed_by.as_ref().is_some_and(|before| Arc::ptr_eq(before, &setup));
        let (mut round, mut failed) = (Round::default(), None);
        for some in acts.store.firing_rows().await?.chunks(FOLLOWED) {
            let followed = acts.store.followed(some.to_vec()).await?;
            let rows = placed(acts, &setup, followed, again).await?;
            failed = self.page(acts, &setup, &mut round, rows, all).await.err().or(failed);
        }
        self.placed_by = Some(setup);
        self.rounds.end(round, Instant::now());
        failed.map_or(Ok(()), Err)
    }

    /// Asks about one page of alerts. A failure with one upstream does not keep the others from being asked.
    async fn page(
        &self,
        acts: &Acts,
        setup: &Setup,
        round: &mut Round,
        rows: Vec<Row>,
        all: bool,
    ) -> Result<(), StoreError> {
        let mut by_upstream: HashMap<String, Vec<Row>> = HashMap::new();
        for row in rows {
            by_upstream.entry(row.upstream.clone()).or_default().push(row);
        }
        let mut failed = None;
        for upstream in &setup.config.upstreams {
            let Some(rows) = by_upstream.remove(&upstream.name) else { continue };
            if !self.rounds.takes(round, upstream, &rows, all, Instant::now()) {
                continue;
            }
            match follow(acts, setup, upstream, rows, PATIENCE).await {
                Ok(true) => {}
                Ok(false) => {
                    round.gave_up(&upstream.name);
                    debug!(
                        upstream = upstream.name,
                        "An upstream does not answer: the state of its alerts is unknown."
                    );
                }
                Err(error) => {
                    round.forget(&upstream.name);
                    failed = Some(error);
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

/// Finds the upstream of each alert; of a new one, or with `again` of one without, from its notification.
async fn placed(acts: &Acts, setup: &Setup, followed: Vec<Followed>, again: bool) -> Result<Vec<Row>, StoreError> {
    let is_known = |truth: &Truth| {
        let configured = setup.config.upstreams.iter().any(|upstream| upstream.name == truth.upstream);
        configured || (truth.upstream.is_empty() && !again)
    };
    let (known, mut new): (Vec<Followed>, Vec<Followed>) =
        followed.into_iter().partition(|one| one.truth.as_ref().is_some_and(is_known));
    let mut rows: Vec<Row> = known.into_iter().map(|one| Row::of(one, &setup.config)).collect();
    new.sort_by_key(|one| one.alert.notification);
    for _ in 0..BATCHES_PER_ROUND {
        if new.is_empty() {
            break;
        }
        let mut notifications: Vec<i64> = new.iter().map(|one| one.alert.notification).collect();
        notifications.dedup();
        let last = *notifications.get(NOTIFICATIONS_AT_ONCE - 1).or(notifications.last()).expect("there is one");
        let later = new.split_off(new.partition_point(|one| one.alert.notification <= last));
        let found = place(acts, setup, std::mem::replace(&mut new, later)).await?;
        rows.extend(found);
    }
    Ok(rows)
}

/// Finds the upstreams of alerts by their notifications, and records them.
async fn place(acts: &Acts, setup: &Setup, new: Vec<Followed>) -> Result<Vec<Row>, StoreError> {
    let alerts: Vec<ActAlert> = new.iter().map(|one| one.alert.clone()).collect();
    let mut origins = Origins::of(&acts.store, setup, &alerts);
    let mut found: HashMap<i64, (String, String)> = HashMap::new();
    while let Some(origin) = origins.next().await? {
        for (row, alert) in origin.alerts() {
            if let Some(upstream) = upstream_of(setup, &origin.notification, row, alert) {
                found.insert(row.alert, (upstream.name.clone(), origin.notification.upstream_receiver.clone()));
            }
        }
    }
    let (now, mut truths, mut rows) = (acts.clock.now(), Vec::new(), Vec::new());
    for mut one in new {
        let (upstream, receiver) = found.remove(&one.alert.alert).unwrap_or_default();
        let truth = Truth {
            alert: one.alert.alert,
            thread: one.alert.thread,
            upstream,
            state_json: Kept { receiver, state: State::Unknown }.json(),
            seen_at: now,
            listed_at: None,
            absent_at: None,
        };
        truths.push(truth.clone());
        one.truth = Some(truth);
        rows.push(Row::of(one, &setup.config));
    }
    note(acts, truths).await?;
    Ok(rows)
}

/// Asks the upstreams of alerts whose escalation has a step due, and decides about each, by its row. Alerts
/// without an upstream are left out.
pub(super) async fn ask(acts: &Acts, setup: &Setup, due: &[Escalation]) -> Result<HashMap<i64, Verdict>, StoreError> {
    if setup.config.upstreams.is_empty() || due.is_empty() {
        return Ok(HashMap::new());
    }
    let wanted: Vec<i64> = due.iter().map(|due| due.alert.alert).collect();
    let followed = acts.store.followed(wanted.clone()).await?;
    let rows = placed(acts, setup, followed, false).await?;
    for upstream in &setup.config.upstreams {
        let stale = |row: &&Row| row.upstream == upstream.name && !row.is_younger(JUST_READ_MS, acts.clock.now());
        let rows: Vec<Row> = rows.iter().filter(stale).cloned().collect();
        if !rows.is_empty() {
            follow(acts, setup, upstream, rows, STEP_PATIENCE).await?;
        }
    }
    // Read again: the answers were recorded, and fresh readings of earlier rounds count as well.
    let rows = acts.store.followed(wanted).await?.into_iter().map(|one| Row::of(one, &setup.config));
    let asked = rows.filter(|row| !row.upstream.is_empty());
    Ok(asked.map(|row| (row.alert.alert, verdict(row.reading(), acts.clock.now()))).collect())
}
