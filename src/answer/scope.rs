//! What silences hide: those that concern a message, and what a new one would hide.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::origin::Origins;
use super::silencing;
use crate::alert::{Identity, Labels, ThreadId};
use crate::app::{App, Loaded};
use crate::store::{ActAlert, Silence, StoreError};
use crate::upstream::{Matcher, covers, known_here};

/// Longest wait for an upstream to count what a silence would hide while a person waits.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// How long a count is reused, so that a page that is reloaded repeatedly asks its upstream once.
const KNOWN: Duration = Duration::from_secs(10);
/// Most counts that are cached; beyond that they are not reused.
const MOST: usize = 200;
/// Alerts of our own record that are searched if the upstream does not answer.
const RECORD: u32 = 1_000;

/// The silences in force that concern a message or an act, oldest first: those of its episode, those made for one of
/// its alerts, and those whose matchers hide one of them.
/// of its alerts, and those whose matchers hide one of them.
pub async fn silences_of(app: &App, thread: ThreadId, alerts: &[ActAlert]) -> Result<Vec<Silence>, StoreError> {
    let now = app.now();
    let mut silences = Vec::new();
    for silence in app.store().silences(now).await?.into_iter().filter(|silence| silence.until > now) {
        let hidden = app.store().act_alerts(silence.act).await?;
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
    alerts.iter().any(|alert| {
        let made_for = |known: &ActAlert| known.identity == alert.identity;
        // Another upstream may have alerts with the same labels.
        let beside = |known: &ActAlert| known.source == alert.source && known.sender == alert.sender;
        hidden.iter().any(made_for) || hidden.iter().any(beside) && hides(&matchers, alert)
    })
}

fn hides(matchers: &[Matcher], alert: &ActAlert) -> bool {
    let labels: Labels = serde_json::from_str(&alert.labels_json).unwrap_or_default();
    known_here(matchers, &labels).is_some_and(|matchers| covers(&matchers, &labels))
}

/// What a silence for some alerts would hide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Name of the upstream where it would be made.
    pub upstream: String,
    /// Its matchers, all of which hold on each of the alerts.
    pub matchers: Vec<Matcher>,
    /// Number of firing alerts that it would hide.
    pub count: u64,
    /// Did the upstream count? Otherwise our own record did, which may know fewer alerts.
    pub by_upstream: bool,
}

impl Scope {
    /// Equal for the same upstream and matchers: a form carries it to prove what its reader was shown.
    pub fn fingerprint(&self) -> String {
        let mut digest = Sha256::new();
        digest.update(self.upstream.as_bytes());
        digest.update(serde_json::to_vec(&self.matchers).expect("matchers are JSON"));
        digest.finalize()[..8].iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    }

    /// The conditions of its matchers.
    pub fn conditions(&self) -> String {
        conditions(&self.matchers)
    }
}

/// `alertname="a" instance="db-1"`
pub fn conditions(matchers: &[Matcher]) -> String {
    matchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// What a silence for these alerts would hide; `None` if none can be made for them.
pub async fn scope(app: &App, alerts: &[ActAlert]) -> Result<Option<Scope>, StoreError> {
    let loaded = app.loaded();
    let origins = Origins::of(app.store(), &loaded, alerts).await?;
    let Some((upstream, Some(matchers))) = silencing::matchers(&loaded, &origins) else { return Ok(None) };
    let upstream = upstream.name.clone();
    let (count, by_upstream) = match app.counts().of(&loaded, &upstream, &matchers).await {
        Some(count) => (count, true),
        None => (recorded(app, &matchers).await?, false),
    };
    Ok(Some(Scope { upstream, matchers, count, by_upstream }))
}

/// How many firing alerts of our own record these matchers hide.
pub async fn recorded(app: &App, matchers: &[Matcher]) -> Result<u64, StoreError> {
    let (alerts, _) = app.store().alerts_on(RECORD).await?;
    let hidden: std::collections::HashSet<Identity> =
        alerts.iter().filter(|alert| hides(matchers, alert)).map(|alert| alert.identity).collect();
    Ok(hidden.len() as u64)
}

/// Recent counts of the firing alerts upstream that some matchers hide.
#[derive(Default)]
pub struct Counts(Mutex<HashMap<Hiding, (u64, Instant)>>);

/// An upstream by name, and matchers.
type Hiding = (String, Vec<Matcher>);

impl fmt::Debug for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counts(…)")
    }
}

impl Counts {
    /// `None` if the upstream does not answer in time.
    async fn of(&self, loaded: &Loaded, upstream: &str, matchers: &[Matcher]) -> Option<u64> {
        let key = (upstream.to_owned(), matchers.to_vec());
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        if let Some((count, at)) = known
            && at.elapsed() < KNOWN
        {
            return Some(count);
        }
        let client = silencing::client(loaded, upstream).ok()?;
        let firing = tokio::time::timeout(PATIENCE, client.firing(matchers)).await.ok()?.ok()?;
        let count = firing.len() as u64;
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MOST {
            counts.clear();
        }
        counts.insert(key, (count, Instant::now()));
        Some(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{Status, Timestamp};
    use crate::names::SourceId;

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
    fn a_fingerprint_tells_matchers_and_upstreams_apart() {
        let scope = |upstream: &str, value: &str| Scope {
            upstream: upstream.to_owned(),
            matchers: vec![Matcher::equal("alertname", value)],
            count: 1,
            by_upstream: true,
        };
        assert_eq!(scope("am", "a").fingerprint(), Scope { count: 9, ..scope("am", "a") }.fingerprint());
        assert_ne!(scope("am", "a").fingerprint(), scope("am", "b").fingerprint());
        assert_ne!(scope("am", "a").fingerprint(), scope("other", "a").fingerprint());
        assert_eq!(scope("am", "a").conditions(), "alertname=\"a\"");
    }
}
