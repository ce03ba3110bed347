//! Tells of pushed alerts that are no longer reported, although their source reports others: once, and never as resolved.

use std::collections::BTreeMap;

use tracing::info;

use super::Acts;
use crate::alert::ThreadId;
use crate::engine::lapse::lapses;
use crate::store::{About, ActAlert, ActKind, ActState, Lapsing, NewAct, StoreError};

/// Alerts of a source that one round reports; the next round reports the others.
const AT_ONCE: u32 = 500;

/// Reports alerts that have lapsed; one that cannot be reported keeps no other waiting. A source that is silent as a whole
/// is a fault, which `watch` reports.
pub(super) async fn look(acts: &Acts) -> Result<(), StoreError> {
    let mut failed = None;
    for source in acts.store.lapsing().await? {
        failed = of_source(acts, source).await.err().or(failed);
    }
    failed.map_or(Ok(()), Err)
}

async fn of_source(acts: &Acts, source: Lapsing) -> Result<(), StoreError> {
    let before = lapses(source.latest, acts.clock.now()).before;
    let mut by_thread: BTreeMap<ThreadId, Vec<ActAlert>> = BTreeMap::new();
    for alert in acts.store.lapsed(source.source, before, AT_ONCE).await? {
        by_thread.entry(alert.thread).or_default().push(alert);
    }
    let mut failed = None;
    for (thread, alerts) in by_thread {
        failed = forget(acts, thread, &alerts).await.err().or(failed);
    }
    failed.map_or(Ok(()), Err)
}

/// Tells all recipients of these alerts of one episode that they are no longer reported.
async fn forget(acts: &Acts, thread: ThreadId, alerts: &[ActAlert]) -> Result<(), StoreError> {
    let Some(first) = alerts.first() else { return Ok(()) };
    let act = NewAct {
        // An alert that is pushed again begins another episode.
        event: format!("lapse/{}/{}", thread.0, first.alert),
        kind: ActKind::Forget,
        state: ActState::Done,
        by: "wegraf".to_owned(),
        via: "lapse".to_owned(),
        about: About::Thread(thread),
        only: alerts.iter().map(|alert| alert.identity).collect(),
        through: None,
        until: None,
        detail: String::new(),
        code: None,
        except_lane: None,
        listeners: acts.setup.now().listeners.clone(),
    };
    let acted = acts.store.act(act, acts.clock.now()).await?;
    if !acted.again {
        info!(alert = first.name, alerts = acted.alerts.len(), "Pushed alerts are no longer reported.");
        acts.metrics.count_act(ActKind::Forget, acted.state);
    }
    Ok(())
}
