//! How the alerts of a message stand: who has them, which silences concern them, and what a new one would hide.
//!
//! The card, the page behind it and an act ask this, and must get the same answer.

use std::collections::HashSet;

use crate::alert::{Alert, Identity, Labels, Notification, Status, ThreadId, Timestamp};
use crate::config::Config;
use crate::names::SourceId;
use crate::store::{ActAlert, Doer, Silence, Store, StoreError};
use crate::upstream::{self, Matcher, Origin, covers, known_here, upstream_for};

/// Alerts of our own record that are read at once to find those that a silence hides.
const RECORD: usize = 1_000;

/// The owner of all firing alerts; `None`, and the button stays, while one of them is not acknowledged.
pub fn owner<'a>(alerts: impl IntoIterator<Item = &'a ActAlert>) -> Option<&'a Doer> {
    let mut on = alerts.into_iter().filter(|alert| alert.status == Status::Firing);
    let first = on.next()?.acknowledged.as_ref()?;
    on.all(|alert| alert.acknowledged.is_some()).then_some(first)
}

/// The silences in force that concern a message or an act, oldest first: those of its episode, those made for one of
/// its alerts, and those whose matchers hide one of them.
pub async fn silences_of(
    store: &Store,
    thread: ThreadId,
    alerts: &[ActAlert],
    now: Timestamp,
) -> Result<Vec<Silence>, StoreError> {
    let mut silences = Vec::new();
    for silence in store.silences(now).await?.into_iter().filter(|silence| silence.until > now) {
        let hidden = store.act_alerts(silence.act).await?;
        if concerns(&silence, &hidden, thread, alerts) {
            silences.push(silence);
        }
    }
    silences.sort_by_key(|silence| silence.act);
    Ok(silences)
}

/// `hidden`: the alerts that the silence was made for.
fn concerns(silence: &Silence, hidden: &[ActAlert], thread: ThreadId, alerts: &[ActAlert]) -> bool {
    if silence.thread == thread && thread != ThreadId(0) {
        return true;
    }
    let matchers: Vec<Matcher> = serde_json::from_str(&silence.matchers_json).unwrap_or_default();
    let made_for: HashSet<Identity> = hidden.iter().map(|known| known.identity).collect();
    // Another upstream may have alerts with the same labels.
    let beside: HashSet<(&SourceId, &str)> =
        hidden.iter().map(|known| (&known.source, known.sender.as_str())).collect();
    alerts.iter().any(|alert| {
        made_for.contains(&alert.identity)
            || beside.contains(&(&alert.source, alert.sender.as_str())) && hides(&matchers, alert)
    })
}

fn hides(matchers: &[Matcher], alert: &ActAlert) -> bool {
    let labels: Labels = serde_json::from_str(&alert.labels_json).unwrap_or_default();
    known_here(matchers, &labels).is_some_and(|matchers| covers(&matchers, &labels))
}

/// The silence that ends last.
pub fn longest(silences: &[Silence]) -> Option<&Silence> {
    silences.iter().max_by_key(|silence| silence.until)
}

/// The matchers of one silence that would hide these alerts; `None` if no upstream can make one.
pub fn matchers_for(
    config: &Config,
    notification: &Notification,
    source: &SourceId,
    alerts: &[&Alert],
) -> Option<Vec<Matcher>> {
    let origin = Origin {
        format: notification.format,
        external_url: &notification.external_url,
        source,
        org: upstream::org_of(alerts.first()?),
    };
    upstream::together(upstream_for(&config.upstreams, &origin)?, alerts)
}

/// `alertname="a" instance="db-1"`
pub fn conditions(matchers: &[Matcher]) -> String {
    matchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// How many firing alerts of our own record these matchers hide.
pub async fn recorded(store: &Store, matchers: &[Matcher]) -> Result<u64, StoreError> {
    Ok(hidden(store, matchers, 0).await?.1)
}

/// The first `most` firing alerts of our own record that these matchers hide, each once, and how many there are.
pub async fn hidden(store: &Store, matchers: &[Matcher], most: usize) -> Result<(Vec<ActAlert>, u64), StoreError> {
    let (mut seen, mut first) = (HashSet::<Identity>::new(), Vec::new());
    for some in store.firing_rows().await?.chunks(RECORD) {
        for one in store.followed(some.to_vec()).await? {
            if hides(matchers, &one.alert) && seen.insert(one.alert.identity) && first.len() < most {
                first.push(one.alert);
            }
        }
    }
    Ok((first, seen.len() as u64))
}

/// The alerts of a silence: those that it was made for; of one that was typed, those of our record that it hides now.
pub async fn alerts_of(store: &Store, silence: &Silence) -> Result<Vec<ActAlert>, StoreError> {
    if silence.thread.0 != 0 {
        return store.act_alerts(silence.act).await;
    }
    let matchers: Vec<Matcher> = serde_json::from_str(&silence.matchers_json).unwrap_or_default();
    Ok(hidden(store, &matchers, RECORD).await?.0)
}

/// A silence that is in force, by the act that made it, and whether it is the newest of its incident: of several the newest
/// is extended. One that was typed is of no incident, and stands alone.
pub async fn in_force(store: &Store, act: i64, now: Timestamp) -> Result<Option<(Silence, bool)>, StoreError> {
    let mut all = store.silences(now).await?;
    all.retain(|silence| silence.until > now);
    let Some(place) = all.iter().position(|silence| silence.act == act) else { return Ok(None) };
    let found = all.swap_remove(place);
    let newest = is_newest(&found, &all);
    Ok(Some((found, newest)))
}

/// Is it the newest of its incident among `all`?
pub fn is_newest(silence: &Silence, all: &[Silence]) -> bool {
    let other = |other: &Silence| other.thread == silence.thread && other.act > silence.act;
    silence.thread.0 == 0 || !all.iter().any(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(instance: &str, sender: &str) -> ActAlert {
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
            sender: sender.to_owned(),
            acknowledged: None,
        }
    }

    fn silence(matchers: &[Matcher]) -> Silence {
        Silence {
            act: 1,
            upstream: "am".to_owned(),
            upstream_id: "s".to_owned(),
            matchers_json: serde_json::to_string(matchers).unwrap(),
            thread: ThreadId(7),
            by: "zhangsan".to_owned(),
            at: Timestamp(0),
            until: Timestamp(1),
            absent: 0,
        }
    }

    #[test]
    fn a_silence_concerns_what_it_was_made_for_and_what_it_hides_beside_that() {
        let (one, two, elsewhere) = (alert("db", "http://am"), alert("db-22", "http://am"), alert("db-22", "http://x"));
        let wide = silence(&[Matcher::equal("alertname", "磁盘将满"), Matcher::equal("__alert_rule_uid__", "u")]);
        let narrow = silence(&[Matcher::equal("alertname", "磁盘将满"), Matcher::equal("instance", "db")]);
        let here = std::slice::from_ref(&one);
        for (silence, thread, alerts, does) in [
            (&wide, 8, std::slice::from_ref(&one), true),
            (&wide, 8, std::slice::from_ref(&two), true),
            (&wide, 8, std::slice::from_ref(&elsewhere), false),
            (&narrow, 8, std::slice::from_ref(&two), false),
            (&narrow, 7, &[][..], true),
            (&narrow, 0, &[], false),
        ] {
            assert_eq!(concerns(silence, here, ThreadId(thread), alerts), does, "{silence:?} {alerts:?}");
        }
        let rule_only = silence(&[Matcher::equal("__alert_rule_uid__", "u")]);
        assert!(
            !concerns(&rule_only, here, ThreadId(8), std::slice::from_ref(&two)),
            "the labels do not tell the rule"
        );
        assert!(concerns(&rule_only, here, ThreadId(8), std::slice::from_ref(&one)));
    }

    #[test]
    fn a_card_has_an_owner_when_all_firing_alerts_have_one() {
        let doer = |by: &str| Doer { by: by.to_owned(), at: Timestamp(0), until: None };
        let on = |by: Option<&str>| ActAlert { acknowledged: by.map(doer), ..alert("db", "") };
        let over = |by| ActAlert { status: Status::Resolved, ..on(by) };
        let by = |alerts: &[ActAlert]| owner(alerts).map(|doer| doer.by.clone());
        assert_eq!(by(&[on(Some("a")), on(Some("b"))]).as_deref(), Some("a"));
        assert_eq!(by(&[over(None), on(Some("b"))]).as_deref(), Some("b"));
        assert_eq!(by(&[on(Some("a")), on(None)]), None, "the other one must stay available");
        assert_eq!(by(&[over(Some("a"))]), None);
    }

    #[test]
    fn of_several_silences_the_one_that_ends_last_is_shown() {
        let until = |act: i64, until: i64| Silence { act, until: Timestamp(until), ..silence(&[]) };
        assert_eq!(longest(&[until(1, 20), until(2, 30), until(3, 10)]).map(|silence| silence.act), Some(2));
        assert_eq!(longest(&[]), None);
    }
}
