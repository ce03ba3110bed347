//! Requests and answers of the silences API, as JSON (docs/reference/alert-sources.md#silences; pure).

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::matchers::RULE_UID;
use super::{About, Firing, Group, Made, Matcher, Silence, SilenceState, Wanted};
use crate::alert::{Labels, Timestamp};

/// A silence starts this long before our now: with an upstream clock that is slow by less it would hide nothing at
/// first, and a start in the past counts as now there.
const EARLIER_MS: i64 = 5 * 60 * 1000;

/// The request that makes a silence.
pub(super) fn create(wanted: &Wanted) -> Value {
    json!({
        "matchers": wanted.matchers,
        "startsAt": rfc3339(wanted.now.plus_millis(-EARLIER_MS)),
        "endsAt": rfc3339(wanted.ends_at),
        "createdBy": wanted.full_author(),
        "comment": wanted.full_comment(),
    })
}

/// A request that is never accepted: it ended long ago and has no author and no comment. It names a rule, as callers
/// with permissions for folders only must.
pub(super) fn nothing() -> Value {
    json!({
        "matchers": [Matcher::equal(RULE_UID, "wegraf-doctor")],
        "startsAt": "2001-01-01T00:00:00Z",
        "endsAt": "2001-01-01T00:00:01Z",
    })
}

/// The request that moves the end of `stored`, an item from upstream. Everything else is sent back unchanged: another
/// start or matcher would make another silence.
pub(super) fn extend(stored: &Map<String, Value>, until: Timestamp) -> Value {
    let kept = ["id", "matchers", "startsAt", "createdBy", "comment", "annotations"];
    let mut request: Map<String, Value> = kept
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), stored.get(key).filter(|value| !value.is_null())?.clone())))
        .collect();
    request.insert("endsAt".to_owned(), rfc3339(until).into());
    Value::Object(request)
}

/// The id in the answer to both, which need not be the one that was sent.
pub(super) fn made(bytes: &[u8]) -> Option<Made> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(rename = "silenceID", alias = "id")]
        id: String,
    }
    let answer: Answer = serde_json::from_slice(bytes).ok()?;
    is_id(&answer.id).then_some(Made { id: answer.id })
}

/// One silence, also as its original object.
pub(super) fn silence(bytes: &[u8]) -> Option<(Silence, Map<String, Value>)> {
    let object: Map<String, Value> = serde_json::from_slice(bytes).ok()?;
    let silence = Item::deserialize(Value::Object(object.clone())).ok()?.silence()?;
    Some((silence, object))
}

pub(super) fn silences(bytes: &[u8]) -> Option<Vec<Silence>> {
    let items: Vec<Item> = serde_json::from_slice(bytes).ok()?;
    items.into_iter().map(Item::silence).collect()
}

pub(super) fn alerts(bytes: &[u8]) -> Option<Vec<Firing>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Alert {
        labels: Labels,
        #[serde(default)]
        starts_at: String,
        #[serde(default)]
        fingerprint: String,
        status: Status,
    }
    let alerts: Vec<Alert> = serde_json::from_slice(bytes).ok()?;
    let firing = alerts.into_iter().map(|alert| Firing {
        labels: alert.labels,
        starts_at: instant(&alert.starts_at),
        fingerprint: alert.fingerprint,
        state: alert.status.state,
        silenced_by: alert.status.silenced_by.unwrap_or_default(),
        inhibited_by: alert.status.inhibited_by.unwrap_or_default(),
    });
    Some(firing.collect())
}

/// The alerts of the groups of an Alertmanager, each as often as it is in one.
pub(super) fn groups(bytes: &[u8]) -> Option<Vec<Group>> {
    #[derive(Deserialize)]
    struct Alert {
        labels: Labels,
        status: Status,
    }
    #[derive(Deserialize)]
    struct Receiver {
        name: String,
    }
    #[derive(Deserialize)]
    struct Answer {
        receiver: Receiver,
        alerts: Vec<Alert>,
    }
    let answers: Vec<Answer> = serde_json::from_slice(bytes).ok()?;
    let of = |answer: Answer| {
        answer.alerts.into_iter().map(move |alert| Group {
            receiver: answer.receiver.name.clone(),
            labels: alert.labels,
            muted_by: alert.status.muted_by.unwrap_or_default(),
        })
    };
    Some(answers.into_iter().flat_map(of).collect())
}

/// Version, start and peers of an Alertmanager, from its status.
pub(super) fn about(bytes: &[u8]) -> Option<About> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        uptime: String,
        #[serde(default)]
        version_info: Version,
        #[serde(default)]
        cluster: Cluster,
    }
    #[derive(Deserialize, Default)]
    struct Version {
        #[serde(default)]
        version: String,
    }
    #[derive(Deserialize, Default)]
    struct Cluster {
        #[serde(default)]
        peers: Option<Vec<Value>>,
    }
    let answer: Answer = serde_json::from_slice(bytes).ok()?;
    let peers = answer.cluster.peers.map_or(0, |peers| peers.len());
    Some(About { version: answer.version_info.version, up_since: instant(&answer.uptime)?, peers })
}

/// An id that may be put into a path. Both kinds of upstreams use UUIDs; nothing else is accepted, neither from a
/// person nor from an answer.
pub(super) fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    state: String,
    #[serde(default)]
    silenced_by: Option<Vec<String>>,
    #[serde(default)]
    inhibited_by: Option<Vec<String>>,
    #[serde(default)]
    muted_by: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    id: String,
    status: Status,
    matchers: Vec<Matcher>,
    starts_at: String,
    ends_at: String,
    #[serde(default)]
    created_by: String,
    #[serde(default)]
    comment: String,
}

impl Item {
    /// `None` if its state or a time is unknown.
    fn silence(self) -> Option<Silence> {
        let states = [SilenceState::Active, SilenceState::Pending, SilenceState::Expired];
        Some(Silence {
            state: states.into_iter().find(|state| state.as_str() == self.status.state)?,
            id: Some(self.id).filter(|id| is_id(id))?,
            matchers: self.matchers,
            starts_at: instant(&self.starts_at)?,
            ends_at: instant(&self.ends_at)?,
            author: self.created_by,
            comment: self.comment,
        })
    }
}

fn instant(text: &str) -> Option<Timestamp> {
    Some(Timestamp(text.parse::<jiff::Timestamp>().ok()?.as_millisecond()))
}

/// RFC 3339 in UTC; a time beyond the calendar becomes its last.
fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::MAX).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::ThreadId;
    use crate::upstream::marker;

    /// What an Alertmanager 0.25 gave.
    const ITEM: &str = r#"{"id":"48f00cb6-2836-4a07-b0f9-3c1f5844a397","status":{"state":"active"},
        "updatedAt":"2026-11-22T13:18:13.705Z","comment":"认领：正在处理","createdBy":"zhangsan@企业微信",
        "endsAt":"2026-11-22T14:18:13.705Z","startsAt":"2026-11-22T13:18:13.705123Z",
        "matchers":[{"isEqual":true,"isRegex":false,"name":"alertname","value":"HostHighCpu"}]}"#;

    fn wanted() -> Wanted {
        Wanted {
            matchers: vec![Matcher::equal("alertname", "磁盘将满")],
            now: Timestamp(1_789_193_640_000),
            ends_at: Timestamp(1_789_197_240_000),
            author: "张三 (zhangsan)".to_owned(),
            comment: "卡片上的静默 1 小时".to_owned(),
            marker: marker(Some(ThreadId(41)), "7"),
        }
    }

    #[test]
    fn a_silence_is_asked_for_in_this_json() {
        let expected = json!({
            "matchers": [{ "name": "alertname", "value": "磁盘将满", "isRegex": false, "isEqual": true }],
            "startsAt": "2026-09-12T06:09:00Z",
            "endsAt": "2026-09-12T07:14:00Z",
            "createdBy": "张三 (zhangsan)",
            "comment": "卡片上的静默 1 小时 (wegraf:#PSVJ/7)",
        });
        assert_eq!(create(&wanted()), expected);
        let endless = Wanted { comment: "长".repeat(1000), author: "人".repeat(1000), ..wanted() };
        let request = create(&endless);
        assert!(request["comment"].as_str().unwrap().ends_with("长 (wegraf:#PSVJ/7)"));
        assert!(
            request["comment"].as_str().unwrap().len() < 1100 && request["createdBy"].as_str().unwrap().len() <= 200
        );
        assert_eq!(create(&Wanted { comment: " ".into(), ..wanted() })["comment"], "(wegraf:#PSVJ/7)");
        assert_eq!(marker(None, "cli-1f"), "wegraf:cli-1f");
    }

    #[test]
    fn an_extension_sends_back_what_was_stored_and_moves_the_end() {
        let (silence, stored) = super::silence(ITEM.as_bytes()).unwrap();
        assert_eq!(silence.state, SilenceState::Active);
        assert_eq!(silence.author, "zhangsan@企业微信");
        let request = extend(&stored, Timestamp(1_789_197_240_000));
        let expected = json!({
            "id": "48f00cb6-2836-4a07-b0f9-3c1f5844a397",
            "matchers": [{ "isEqual": true, "isRegex": false, "name": "alertname", "value": "HostHighCpu" }],
            "startsAt": "2026-11-22T13:18:13.705123Z",
            "endsAt": "2026-09-12T07:14:00Z",
            "createdBy": "zhangsan@企业微信",
            "comment": "认领：正在处理",
        });
        assert_eq!(request, expected, "to the last digit of the begin");
    }

    #[test]
    fn answers_are_read_or_are_none() {
        assert_eq!(made(br#"{"silenceID":"a-1"}"#), Some(Made { id: "a-1".to_owned() }));
        // Grafana 8 to 10 send both.
        assert_eq!(made(br#"{"id":"a-1","message":"silence created"}"#).unwrap().id, "a-1");
        for garbage in
            ["", "{}", "[]", "null", "<html>", r#"{"silenceID":""}"#, r#"{"silenceID":"../x"}"#, r#"{"silenceID":7}"#]
        {
            assert_eq!(made(garbage.as_bytes()), None, "{garbage}");
            assert_eq!(silence(garbage.as_bytes()), None, "{garbage}");
        }
        assert_eq!(silences(format!("[{ITEM}]").as_bytes()).unwrap().len(), 1);
        assert_eq!(silences(b"[]"), Some(Vec::new()));
        assert_eq!(silences(ITEM.replace("active", "odd").as_bytes()), None);
        let alert = br#"[{"labels":{"alertname":"a"},"startsAt":"2026-09-12T07:14:00.5Z","fingerprint":"f0","status":
            {"state":"suppressed","silencedBy":["x"]},"receivers":[{"name":"r"}]}]"#;
        let [firing] = &alerts(alert).unwrap()[..] else { panic!("one") };
        assert_eq!((firing.state.as_str(), firing.fingerprint.as_str()), ("suppressed", "f0"));
        assert_eq!(firing.starts_at, Some(Timestamp(1_789_197_240_500)));
        assert_eq!((&firing.silenced_by[..], &firing.inhibited_by[..]), (&["x".to_owned()][..], &[][..]));
        assert_eq!(alerts(b"{}"), None);
    }

    #[test]
    fn groups_tell_what_mutes_and_a_status_tells_version_and_start() {
        // As 0.28 answers; 0.25 has no `mutedBy`.
        let answer = br#"[{"labels":{},"receiver":{"name":"wegraf"},"alerts":[
            {"labels":{"alertname":"a"},"status":{"state":"suppressed","silencedBy":[],"mutedBy":["weekend"]}},
            {"labels":{"alertname":"b"},"status":{"state":"active"}}]}]"#;
        let groups = groups(answer).unwrap();
        let told: Vec<_> = groups.iter().map(|group| (group.receiver.as_str(), group.muted_by.join(","))).collect();
        assert_eq!(told, [("wegraf", "weekend".to_owned()), ("wegraf", String::new())]);
        let status =
            br#"{"cluster":{"status":"ready","peers":[{"name":"a","address":"b"}]},"uptime":"2026-09-12T07:14:00.5Z",
            "versionInfo":{"version":"0.28.1"}}"#;
        let known = about(status).unwrap();
        assert_eq!((known.version.as_str(), known.peers), ("0.28.1", 1));
        assert_eq!(known.up_since, Timestamp(1_789_197_240_500));
        assert_eq!(about(br#"{"uptime":"2026-09-12T07:14:00Z"}"#).unwrap().version, "");
        assert_eq!(about(b"{}"), None);
    }
}
