//! Detects the end of alerts whose reports a silence suppresses upstream.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tracing::{debug, warn};

use super::relay::tell_end;
use super::silencing::client;
use super::{Acts, Setup};
use crate::alert::{Identity, Labels, Timestamp};
use crate::names::Duty;
use crate::store::{ActAlert, Silence, StoreError};
use crate::upstream::{Client, Matcher, Problem, SilenceState};

/// Interval of checking silenced alerts.
const LOOK: Duration = Duration::from_secs(10);

/// By silence and alert: since when the alert was not seen upstream, and when that was last checked. Lost with the
/// process and dropped with the silence, which only means that it is checked for longer.
#[derive(Debug, Default)]
pub struct Absences(Mutex<HashMap<(i64, Identity), (Timestamp, Timestamp)>>);

/// After a gap between checks longer than this, what was firing meanwhile is unknown.
const BREAK: Duration = Duration::from_mins(1);

/// Checks silenced alerts upstream, because a silence suppresses the report of their end (alert-sources §0.4, §4.6).
pub(super) async fn watch(acts: &Acts) {
    loop {
        // One replica checks for all; a single process always does.
        match acts.store.take_on(Duty::Silences).await {
            Ok(true) => {
                if let Err(error) = look(acts).await {
                    warn!(%error, "Silenced alerts cannot be looked at.");
                }
            }
            Ok(false) => {}
            Err(error) => warn!(%error, "Silenced alerts cannot be looked at."),
        }
        let shortest = acts.setup.now().config.upstreams.iter().map(|upstream| upstream.gone_after / 3).min();
        tokio::time::sleep(shortest.map_or(LOOK, |third| third.min(LOOK))).await;
    }
}

async fn look(acts: &Acts) -> Result<(), StoreError> {
    let setup = acts.setup.now();
    let silences = acts.store.silences(acts.clock.now()).await?;
    acts.absences.forget_others(&silences);
    for silence in silences {
        let touched = acts.store.act_alerts(silence.act).await?;
        let identities: Vec<Identity> = touched.iter().map(|alert| alert.identity).collect();
        let on = acts.store.told_firing(identities).await?;
        let known = setup.config.upstreams.iter().find(|upstream| upstream.name == silence.upstream);
        let (false, Some(upstream)) = (on.is_empty(), known) else { continue };
        let matchers: Vec<Matcher> = serde_json::from_str(&silence.matchers_json).unwrap_or_default();
        let Ok(client) = client(&setup, &upstream.name) else { continue };
        match client.firing(&matchers).await {
            Ok(firing) => {
                let shown = silence.until > acts.clock.now() && firing.iter().any(|alert| alert.state == "active");
                if shown && is_gone(client, &silence).await {
                    acts.store.extend_silence(silence.act, silence.upstream_id, acts.clock.now()).await?;
                }
                let seen: Vec<&Labels> = firing.iter().map(|alert| &alert.labels).collect();
                let over = acts.absences.gone(silence.act, &on, &seen, upstream.gone_after, acts.clock.now());
                if !over.is_empty() && !has_just_started(client, upstream.gone_after, acts.clock.now()).await {
                    end(acts, &setup, &on, &over).await?;
                }
            }
            // Unknown, so no alert counts as resolved.
            Err(error) => debug!(%error, upstream = upstream.name, "Silenced alerts cannot be looked at."),
        }
    }
    Ok(())
}

/// Was this silence ended upstream, with one of its alerts now visible? Otherwise the record would keep it as in force,
/// and a request for a new one would be answered as a repetition.
async fn is_gone(client: &Client, silence: &Silence) -> bool {
    match client.get(&silence.upstream_id).await {
        Ok(there) => there.state == SilenceState::Expired,
        Err(error) => error.problem == Problem::NotFound,
    }
}

/// Did this Alertmanager start so recently that what it does not report proves nothing? It knows nothing before its
/// senders repeat themselves. One that does not reveal its start is trusted.
async fn has_just_started(client: &Client, patience: Duration, now: Timestamp) -> bool {
    match client.up_since().await {
        Ok(since) => since.is_some_and(|since| now.millis_since(since) < millis(patience)),
        Err(error) => error.problem.may_pass(),
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Absences {
    /// Drops the state of silences that are no longer checked.
    fn forget_others(&self, silences: &[Silence]) {
        let known: HashSet<i64> = silences.iter().map(|silence| silence.act).collect();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(act, _), _| known.contains(act));
    }

    /// The alerts that have been absent for long enough to count as resolved.
    fn gone(
        &self,
        act: i64,
        on: &[ActAlert],
        seen: &[&Labels],
        patience: Duration,
        now: Timestamp,
    ) -> HashSet<Identity> {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut over = HashSet::new();
        for alert in on {
            let key = (act, alert.identity);
            if is_seen(alert, seen) {
                since.remove(&key);
                continue;
            }
            let (from, last) = since.entry(key).or_insert((now, now));
            // Also where the clock was set back.
            if !(0..=millis(BREAK.max(patience))).contains(&now.millis_since(*last)) {
                *from = now;
            }
            *last = now;
            if now.millis_since(*from) >= millis(patience) {
                over.insert(alert.identity);
            }
        }
        for identity in &over {
            since.remove(&(act, *identity));
        }
        over
    }
}

/// Is it among the alerts that upstream reports as firing? Upstream may have more labels than it sent.
fn is_seen(alert: &ActAlert, seen: &[&Labels]) -> bool {
    let labels: Labels = serde_json::from_str(&alert.labels_json).unwrap_or_default();
    seen.iter().any(|there| labels.iter().all(|(name, value)| there.get(name) == Some(value)))
}

/// Tells every receiver that knows these alerts as firing that they are resolved.
async fn end(acts: &Acts, setup: &Setup, on: &[ActAlert], over: &HashSet<Identity>) -> Result<(), StoreError> {
    let ended: Vec<ActAlert> = on.iter().filter(|alert| over.contains(&alert.identity)).cloned().collect();
    tell_end(acts, setup, &ended).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{Status, ThreadId};
    use crate::names::SourceId;

    fn on(instance: &str) -> ActAlert {
        ActAlert {
            alert: 1,
            identity: Identity([u8::try_from(instance.len()).unwrap(); 32]),
            receiver: "ops".to_owned(),
            source: SourceId::Configured("am".to_owned()),
            name: "磁盘将满".to_owned(),
            labels_json: serde_json::json!({ "alertname": "磁盘将满", "instance": instance }).to_string(),
            critical: false,
            status: Status::Firing,
            starts_at: None,
            ends_at: None,
            notification: 1,
            thread: ThreadId(1),
            sender: String::new(),
            acknowledged: None,
        }
    }

    fn labels(instance: &str) -> Labels {
        let pairs = [("alertname", "磁盘将满"), ("instance", instance), ("__alert_rule_uid__", "u")];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn an_alert_is_over_when_it_was_not_seen_for_long_enough_without_a_break() {
        let (patience, second) = (Duration::from_secs(30), |seconds: i64| Timestamp(seconds * 1000));
        let alerts = [on("a"), on("bb")];
        let (first, both) = ([labels("a")], [labels("a"), labels("bb")]);
        let absences = Absences::default();
        let look =
            |seen: &[Labels], at| absences.gone(1, &alerts, &seen.iter().collect::<Vec<_>>(), patience, second(at));
        assert!(look(&first, 0).is_empty());
        assert!(look(&first, 20).is_empty());
        assert!(look(&both, 25).is_empty(), "it was only away for a moment");
        assert!(look(&first, 30).is_empty());
        assert!(look(&first, 59).is_empty());
        assert_eq!(look(&first, 60), HashSet::from([alerts[1].identity]));
    }

    #[test]
    fn a_gap_between_checks_or_a_clock_set_back_restarts_the_count() {
        let (patience, second) = (Duration::from_secs(30), |seconds: i64| Timestamp(seconds * 1000));
        let alerts = [on("a")];
        let absences = Absences::default();
        let look = |at| absences.gone(1, &alerts, &[], patience, second(at)).len();
        assert_eq!((look(0), look(3_600)), (0, 0), "it may have been on in between");
        assert_eq!((look(3_620), look(3_630)), (0, 1));
        assert_eq!((look(4_000), look(1_000), look(1_029), look(1_030)), (0, 0, 0, 1), "set back");
    }

    #[test]
    fn absences_are_dropped_with_their_silence() {
        let alerts = [on("a")];
        let absences = Absences::default();
        absences.gone(3, &alerts, &[], Duration::from_secs(30), Timestamp(0));
        let known = || absences.0.lock().unwrap().keys().any(|(act, _)| *act == 3);
        assert!(known());
        absences.forget_others(&[1, 2].map(silence));
        assert!(!known());
    }

    fn silence(act: i64) -> Silence {
        Silence {
            act,
            upstream: "am".to_owned(),
            upstream_id: "s".to_owned(),
            matchers_json: "[]".to_owned(),
            thread: ThreadId(1),
            by: "zhangsan".to_owned(),
            at: Timestamp(0),
            until: Timestamp(0),
            absent: 0,
        }
    }
}
