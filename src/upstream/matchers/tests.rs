//! Which silence belongs to which alert.

use super::*;
use crate::alert::{Links, Timestamp};
use crate::ingest::generic::Payloads;
use crate::ingest::{Door, read};

fn upstream(kind: UpstreamKind, ignore_labels: &[&str]) -> Upstream {
    Upstream {
        name: "up".to_owned(),
        kind,
        url: "http://up.example.com".to_owned(),
        credential: None,
        ca_file: None,
        sources: Vec::new(),
        org_id: None,
        gone_after: std::time::Duration::from_mins(2),
        ignore_labels: ignore_labels.iter().map(|&label| label.to_owned()).collect(),
    }
}

fn alerts(fixture: &str) -> Vec<Alert> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/payloads").join(fixture);
    let bytes = std::fs::read(path).unwrap();
    read(&bytes, None, Door::Webhook, &Payloads::default(), Timestamp(0)).unwrap().alerts
}

fn labelled(labels: &[(&str, &str)]) -> Alert {
    let mut alert = alerts("alertmanager-group.json").remove(0);
    alert.labels = labels.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    alert
}

fn shown(matchers: Option<Vec<Matcher>>) -> Vec<String> {
    matchers.unwrap_or_default().iter().map(ToString::to_string).collect()
}

const AM: UpstreamKind = UpstreamKind::Alertmanager;
const GRAFANA: UpstreamKind = UpstreamKind::Grafana;

#[test]
fn a_silence_in_grafana_is_the_one_that_its_own_button_makes() {
    let mut alert = alerts("grafana-firing.json").remove(0);
    let button = [
        "__alert_rule_uid__=\"dsk4fullprod\"",
        "cluster=\"订单库\"",
        "env=\"生产\"",
        "instance=\"db-1\"",
        "severity=\"critical\"",
        "team=\"dba\"",
    ];
    assert_eq!(shown(matchers_for(&upstream(GRAFANA, &["instance"]), &alert)), button, "nothing of it is left out");
    // Before 11.5 the URL did not name the rule; a value may hold what separates.
    alert.links.silence = "https://g.example.com/alerting/silence/new?alertmanager=grafana\
        &matcher=expr%3Da%3Db+c%26d&matcher=alertname%3D%E7%A3%81%E7%9B%98&matcher=&matcher=x&matcher=%3Dy&orgId=1"
        .to_owned();
    let old = ["__alert_rule_uid__=\"dsk4fullprod\"", "alertname=\"磁盘\"", "expr=\"a=b c&d\""];
    assert_eq!(shown(matchers_for(&upstream(GRAFANA, &[]), &alert)), old);
    // Without a URL: the labels and the rule.
    alert.links = Links::default();
    alert.labels = labelled(&[("alertname", "磁盘"), ("instance", "db-1")]).labels;
    "2/dsk4fullprod".clone_into(&mut alert.discriminator);
    let labels = ["__alert_rule_uid__=\"dsk4fullprod\"", "alertname=\"磁盘\"", "instance=\"db-1\""];
    assert_eq!(shown(matchers_for(&upstream(GRAFANA, &[]), &alert)), labels);
}

#[test]
fn a_silence_in_alertmanager_is_every_label_that_no_replica_differs_in() {
    let mut alert = labelled(&[("alertname", "a"), ("instance", "db-1"), ("replica", "b"), ("quote", "\"\\\n")]);
    alert.links.silence = "https://g.example.com/alerting/silence/new?matcher=alertname%3Dother".to_owned();
    let all = ["alertname=\"a\"", "instance=\"db-1\"", "quote=\"\\\"\\\\\\n\""];
    assert_eq!(shown(matchers_for(&upstream(AM, &["replica"]), &alert)), all);
    assert_eq!(matchers_for(&upstream(AM, &["replica"]), &labelled(&[("replica", "a")])), None);
    assert_eq!(matchers_for(&upstream(AM, &[]), &labelled(&[])), None);
}

#[test]
fn a_silence_for_several_alerts_is_what_they_have_in_common_or_none() {
    let one = labelled(&[("alertname", "a"), ("instance", "db-1"), ("severity", "critical")]);
    let two = labelled(&[("alertname", "a"), ("instance", "db-2"), ("severity", "critical")]);
    let other = labelled(&[("alertname", "b"), ("instance", "db-2"), ("severity", "critical")]);
    let am = upstream(AM, &[]);
    assert_eq!(shown(common_matchers(&am, [&one, &two])), ["alertname=\"a\"", "severity=\"critical\""]);
    assert_eq!(common_matchers(&am, [&one]), matchers_for(&am, &one));
    assert_eq!(common_matchers(&am, [&one, &two, &other]), None, "all that is critical would be hidden");
    assert_eq!(common_matchers(&am, [&one, &labelled(&[])]), None);
    assert_eq!(common_matchers(&am, []), None);
    let grafana = alerts("grafana-firing.json");
    let common = shown(common_matchers(&upstream(GRAFANA, &[]), &grafana));
    assert!(grafana.len() > 1 && common.contains(&"__alert_rule_uid__=\"dsk4fullprod\"".to_owned()), "{common:?}");
    assert!(!common.iter().any(|matcher| matcher.starts_with("instance")), "{common:?}");
}

#[test]
fn what_a_person_types_is_a_matcher_or_nothing() {
    let typed = |text: &str| Matcher::parse(text).map(|matcher| matcher.to_string());
    for (text, matcher) in [
        ("alertname=磁盘 将满", "alertname=\"磁盘 将满\""),
        ("instance!=db-1", "instance!=\"db-1\""),
        ("instance =~ \"db-.*\"", "instance=~\"db-.*\""),
        ("instance!~db-.*", "instance!~\"db-.*\""),
        ("expr=a=b", "expr=\"a=b\""),
        ("x=", "x=\"\""),
        ("path=C:\\x", "path=\"C:\\\\x\""),
    ] {
        assert_eq!(typed(text).as_deref(), Some(matcher), "{text}");
    }
    for text in ["", "alertname", "=x", "!x", "a!b=c", " =x"] {
        assert_eq!(typed(text), None, "{text}");
    }
}

#[test]
fn labels_are_covered_when_every_condition_holds() {
    let labels = labelled(&[("alertname", "a"), ("instance", "db-1")]).labels;
    let covered = |texts: &[&str]| {
        let matchers: Vec<Matcher> = texts.iter().filter_map(|text| Matcher::parse(text)).collect();
        assert_eq!(matchers.len(), texts.len());
        covers(&matchers, &labels)
    };
    assert!(covered(&["alertname=a"]) && covered(&["alertname=a", "instance=~db-."]) && covered(&["absent="]));
    assert!(!covered(&["alertname=b"]) && !covered(&["alertname=a", "instance=~db"]) && !covered(&["absent=x"]));
    assert!(covered(&["instance!=db-2"]) && !covered(&["instance!~db-.*"]));
    assert!(!covered(&["instance=~("]), "a pattern that cannot be read covers nothing");
    let needs = |text: &str| Matcher::parse(text).unwrap().needs_label();
    assert!(needs("a=b") && needs("a=~b+") && needs("a!="));
    assert!(!needs("a=") && !needs("a=~.*") && !needs("a!=b"));
}

#[test]
fn a_matcher_is_read_and_written_as_upstream_does() {
    let read: Matcher = serde_json::from_str(r#"{"name":"a","value":"b","isRegex":false}"#).unwrap();
    assert_eq!(read, Matcher::equal("a", "b"));
    let written = serde_json::to_value(&read).unwrap();
    assert_eq!(written, serde_json::json!({ "name": "a", "value": "b", "isRegex": false, "isEqual": true }));
}
