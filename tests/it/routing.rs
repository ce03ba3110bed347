//! Who gets what, and in which words: the tree, receivers and their wishes.

use serde_json::{Value, json};

use crate::harness::World;

/// Names and values.
type Labels = &'static [(&'static str, &'static str)];

/// An Alertmanager webhook with one alert that has these labels.
fn alert(status: &str, labels: Labels) -> String {
    alerts(&[(status, labels)])
}

fn alerts(alerts: &[(&str, Labels)]) -> String {
    let alerts: Vec<Value> = alerts
        .iter()
        .map(|(status, labels)| {
            json!({
                "status": status,
                "labels": labels.iter().copied().collect::<std::collections::BTreeMap<_, _>>(),
                "annotations": {},
                "startsAt": "2026-03-04T05:06:07Z",
                "endsAt": if *status == "resolved" { "2026-03-04T06:07:08Z" } else { "0001-01-01T00:00:00Z" },
                "generatorURL": "http://prometheus.example.com/graph",
            })
        })
        .collect();
    json!({
        "version": "4", "receiver": "wegraf", "status": "firing", "alerts": alerts, "groupKey": "g", "truncatedAlerts": 0,
        "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://alertmanager.example.com",
    })
    .to_string()
}

/// What a person reads of a message.
fn text(message: &Value) -> &str {
    message["content"]["content"].as_str().unwrap_or_else(|| panic!("{message:#}"))
}

const TREE: &str = r#"
receivers:
  everyone: { targets: [ { webhook: ops-group, face: text } ] }
  dba: { targets: [ { app: ops, users: [wangwu], face: text } ] }
  critical: { targets: [ { app: ops, users: [lisi], face: text } ] }
  chinese: { targets: [ { app: ops, users: [daixuan], face: text } ] }
route:
  receiver: everyone
  routes:
    - { matchers: ['severity="critical"'], receiver: critical, continue: true }
    - matchers: ['team=~"db.*"', 'env!="test"']
      receiver: dba
      routes:
        - { matchers: ['机房!~"北京.*"', '机房=~".+"'], receiver: chinese }
"#;

#[tokio::test]
async fn the_tree_leads_each_alert_to_its_receivers() {
    let world = World::new(TREE).await;
    let cases: [(Labels, &[&str]); 7] = [
        (&[("alertname", "a"), ("team", "web")], &["everyone"]),
        (&[("alertname", "b"), ("team", "dba")], &["dba"]),
        // Matched whole, as in Alertmanager.
        (&[("alertname", "c"), ("team", "mydb")], &["everyone"]),
        (&[("alertname", "d"), ("team", "db"), ("env", "test")], &["everyone"]),
        // `continue`: the first route that matches does not end the search.
        (&[("alertname", "e"), ("team", "db"), ("severity", "critical")], &["critical", "dba"]),
        (&[("alertname", "f"), ("team", "db"), ("机房", "上海一区")], &["chinese"]),
        (&[("alertname", "g"), ("team", "db"), ("机房", "北京一区")], &["dba"]),
    ];
    for (labels, receivers) in cases {
        let before = world.deliveries().await.len();
        let answer = world.accept("/webhook", alert("firing", labels)).await;
        assert_eq!(answer["targets"], receivers.len(), "{labels:?}");
        let rows = world.deliveries().await;
        let told: Vec<&str> = rows[before..].iter().map(|row| row.receiver.as_str()).collect();
        assert_eq!(told, receivers, "{labels:?}");
    }
    world.settled().await;
    for (whose, count) in [("webhook=sim-ops-group", 3), ("user=wangwu", 3), ("user=lisi", 1), ("user=daixuan", 1)] {
        assert_eq!(world.inbox(whose).await.len(), count, "{whose}");
    }
}

#[tokio::test]
async fn the_alerts_of_one_call_part_ways_and_each_receiver_gets_one_message() {
    let world = World::new(TREE).await;
    let call = alerts(&[
        ("firing", &[("alertname", "连接数"), ("team", "db"), ("instance", "db-1")]),
        ("firing", &[("alertname", "网页慢"), ("team", "web"), ("instance", "web-1")]),
        ("firing", &[("alertname", "连接数"), ("team", "db"), ("instance", "db-2")]),
    ]);
    assert_eq!(world.accept("/webhook", call).await["targets"], 2);
    let dba = world.arrived("user=wangwu", 1).await;
    assert!(text(&dba[0]).contains("db-1") && text(&dba[0]).contains("db-2"), "{}", text(&dba[0]));
    assert!(!text(&dba[0]).contains("web-1"), "{}", text(&dba[0]));
    let others = world.arrived("webhook=sim-ops-group", 1).await;
    assert!(text(&others[0]).contains("web-1") && !text(&others[0]).contains("db-1"), "{}", text(&others[0]));
}

#[tokio::test]
async fn a_receiver_that_does_not_want_ends_is_told_only_of_beginnings() {
    let rest = r"
receivers:
  both: { targets: [ { app: ops, users: [daixuan], face: text } ] }
  beginnings: { send_resolved: false, targets: [ { app: ops, users: [lisi], face: text } ] }
route:
  receiver: both
  routes: [ { receiver: beginnings, continue: true }, { receiver: both } ]
";
    let world = World::new(rest).await;
    let labels: Labels = &[("alertname", "磁盘")];
    for (number, status) in ["firing", "resolved"].into_iter().enumerate() {
        world.accept("/webhook", alert(status, labels)).await;
        world.arrived("user=daixuan", number + 1).await;
        world.settled().await;
    }
    assert_eq!(world.inbox("user=lisi").await.len(), 1);
    // The end was noted all the same: the next beginning is one.
    world.accept("/webhook", alert("firing", labels)).await;
    world.arrived("user=lisi", 2).await;
    world.settled().await;
    let audit = world.app().store().audit().await.unwrap();
    assert_eq!((audit.suppressed, audit.dead, audit.imbalance), (1, 0, 0), "{audit:?}");
}

#[tokio::test]
async fn two_receivers_that_share_a_target_each_tell_it() {
    let rest = r"
receivers:
  ops: { targets: [ { webhook: ops-group, face: text } ] }
  dba: { targets: [ { webhook: ops-group, face: markdown }, { app: ops, users: [wangwu], face: text } ] }
route:
  receiver: ops
  routes: [ { receiver: ops, continue: true }, { receiver: dba } ]
";
    let world = World::new(rest).await;
    for (number, status) in ["firing", "resolved"].into_iter().enumerate() {
        world.accept("/webhook", alert(status, &[("alertname", "磁盘")])).await;
        world.arrived("webhook=sim-ops-group", 2 * (number + 1)).await;
        world.settled().await;
    }
    let group = world.inbox("webhook=sim-ops-group").await;
    let kinds: Vec<&str> = group.iter().map(|message| message["msgtype"].as_str().unwrap()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "text").count(), 2, "{kinds:?}");
    world.arrived("user=wangwu", 2).await;
    world.settled().await;
}

#[tokio::test]
async fn each_receiver_reads_its_own_language_and_time_zone() {
    let rest = r"
language: zh
timezone: Asia/Shanghai
receivers:
  here: { targets: [ { app: ops, users: [daixuan], face: markdown } ] }
  there: { language: en, timezone: America/New_York, targets: [ { app: ops, users: [lisi], face: markdown } ] }
route:
  receiver: here
  routes: [ { receiver: here, continue: true }, { receiver: there } ]
";
    let world = World::new(rest).await;
    world.accept("/webhook", alert("resolved", &[("alertname", "DiskFull"), ("instance", "db-1")])).await;
    let here = world.arrived("user=daixuan", 1).await;
    let there = world.arrived("user=lisi", 1).await;
    // 05:06 in Greenwich is 13:06 in Shanghai and 00:06 in New York.
    assert!(text(&here[0]).contains("恢复") && text(&here[0]).contains("13:06"), "{}", text(&here[0]));
    assert!(text(&there[0]).contains("00:06"), "{}", text(&there[0]));
    let chinese = text(&there[0]).chars().find(|letter| ('\u{4e00}'..='\u{9fff}').contains(letter));
    assert_eq!(chinese, None, "{}", text(&there[0]));
}

#[tokio::test]
async fn only_the_configuration_mentions_people_never_the_text_of_an_alert() {
    let rest = r#"
receivers:
  ops:
    targets:
      - { webhook: ops-group, face: markdown, mention: [zhangsan] }
      - { webhook: dba-group, face: text, mention_mobiles: ["13800000002"] }
route: { receiver: ops }
"#;
    let world = World::new(rest).await;
    world
        .accept("/webhook", alert("firing", &[("alertname", "<@lisi> <@all> @all @wangwu"), ("instance", "<@wangwu>")]))
        .await;
    let mentioned = |messages: &[Value]| {
        let mut people: Vec<String> = Vec::new();
        for message in messages {
            people.extend(message["mentions"].as_array().unwrap().iter().map(|user| user.as_str().unwrap().to_owned()));
        }
        people
    };
    assert_eq!(mentioned(&world.arrived("webhook=sim-ops-group", 1).await), ["zhangsan"]);
    world.settled().await;
    assert_eq!(mentioned(&world.inbox("webhook=sim-dba-group").await), ["zhangsan"]);
}

/// A world whose receiver `everyone` was told that two alerts are firing.
async fn told_everyone() -> World {
    let world = World::new(
        "receivers: { everyone: { targets: [ { webhook: ops-group, face: text } ] } }\nroute: { receiver: everyone }\n",
    )
    .await;
    let firing: [(&str, Labels); 2] =
        [("firing", &[("alertname", "a"), ("team", "db")]), ("firing", &[("alertname", "b"), ("team", "db")])];
    world.accept("/webhook", alerts(&firing)).await;
    world.arrived("webhook=sim-ops-group", 1).await;
    world
}

#[tokio::test]
async fn an_end_goes_to_those_who_know_the_alert_whatever_the_routes_say_now() {
    let world = told_everyone().await;
    world.write_config(
        "receivers:
  everyone: { targets: [ { webhook: ops-group, face: text } ] }
  dba: { targets: [ { webhook: dba-group, face: text } ] }
route: { receiver: everyone, routes: [ { matchers: ['team=\"db\"'], receiver: dba } ] }
",
    );
    world.app().reload();
    // One that ended, one that is new: each goes its way.
    let body: [(&str, Labels); 2] =
        [("resolved", &[("alertname", "a"), ("team", "db")]), ("firing", &[("alertname", "c"), ("team", "db")])];
    world.accept("/webhook", alerts(&body)).await;
    world.settled().await;
    let everyone = world.arrived("webhook=sim-ops-group", 2).await;
    assert!(text(&everyone[1]).contains("已恢复"), "{}", text(&everyone[1]));
    let dba = world.arrived("webhook=sim-dba-group", 1).await;
    assert!(!text(&dba[0]).contains("恢复"), "{}", text(&dba[0]));
    let mut on: Vec<(String, String)> =
        world.followed().await.into_iter().map(|one| (one.alert.receiver, one.alert.name)).collect();
    on.sort();
    let on: Vec<(&str, &str)> = on.iter().map(|(receiver, name)| (&**receiver, &**name)).collect();
    assert_eq!(on, [("dba", "c"), ("everyone", "b")]);
    // Known to no receiver, as after an installation beside a running sender: the routes decide.
    world.accept("/webhook", alert("resolved", &[("alertname", "d"), ("team", "db")])).await;
    world.settled().await;
    assert_eq!(world.arrived("webhook=sim-dba-group", 2).await.len(), 2);
}

#[tokio::test]
async fn an_alert_whose_receiver_is_gone_from_the_configuration_ends_untold() {
    let world = told_everyone().await;
    world.write_config(
        "receivers: { all: { targets: [ { webhook: dba-group, face: text } ] } }\nroute: { receiver: all }\n",
    );
    world.app().reload();
    let resolved: [(&str, Labels); 2] =
        [("resolved", &[("alertname", "a"), ("team", "db")]), ("resolved", &[("alertname", "b"), ("team", "db")])];
    world.accept("/webhook", alerts(&resolved)).await;
    world.settled().await;
    assert!(world.followed().await.is_empty(), "nothing is firing");
    assert!(world.inbox("webhook=sim-dba-group").await.is_empty(), "it never heard that they were firing");
    let audit = world.app().store().audit().await.unwrap();
    assert_eq!((audit.suppressed, audit.imbalance), (2, 0), "{audit:?}");
}

#[tokio::test]
async fn an_alert_that_changes_within_one_body_has_all_its_changes() {
    let world = World::new(
        "receivers: { ops: { targets: [ { webhook: ops-group, face: text } ] } }\nroute: { receiver: ops }\n",
    )
    .await;
    let labels: Labels = &[("alertname", "q")];
    let on = async || world.followed().await.len();
    // As in the queue of a sender whose receiver was slow: the oldest first, some twice.
    world.accept("/webhook", alerts(&[("firing", labels), ("firing", labels), ("resolved", labels)])).await;
    assert_eq!(on().await, 0, "it is over");
    world.settled().await;
    let audit = world.app().store().audit().await.unwrap();
    assert_eq!((audit.named + audit.counted, audit.imbalance), (2, 0), "each change once: {audit:?}");
    // It came again before the body was sent.
    let ended = json!({ "status": "resolved", "labels": { "alertname": "r" }, "startsAt": "2026-03-04T05:00:00Z", "endsAt": "2026-03-04T06:00:00Z" });
    let again = json!({ "status": "firing", "labels": { "alertname": "r" }, "startsAt": "2026-03-04T06:05:00Z", "endsAt": "0001-01-01T00:00:00Z" });
    let mut body: Value = serde_json::from_str(&alert("firing", labels)).unwrap();
    body["alerts"] = json!([ended, again]);
    world.accept("/webhook", body.to_string()).await;
    assert_eq!(on().await, 1, "it is firing");
    // Known as firing, it ends, begins and ends again.
    let later = json!({ "status": "firing", "labels": { "alertname": "r" }, "startsAt": "2026-03-04T07:05:00Z", "endsAt": "0001-01-01T00:00:00Z" });
    let over = |starts: &str, ends: &str| json!({ "status": "resolved", "labels": { "alertname": "r" }, "startsAt": starts, "endsAt": ends });
    body["alerts"] = json!([
        over("2026-03-04T06:05:00Z", "2026-03-04T07:00:00Z"),
        later,
        over("2026-03-04T07:05:00Z", "2026-03-04T08:00:00Z")
    ]);
    world.settled().await;
    let before = world.app().store().audit().await.unwrap();
    world.accept("/webhook", body.to_string()).await;
    assert_eq!(on().await, 0, "it is over");
    world.settled().await;
    let after = world.app().store().audit().await.unwrap();
    assert_eq!((after.named + after.counted) - (before.named + before.counted), 3, "each change has a fate: {after:?}");
}
