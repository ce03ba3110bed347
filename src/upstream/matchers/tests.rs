//! Which silence belongs to which alert.

use super::*;
use crate::alert::{Links, Timestamp};
use crate::ingest::generic::Payloads;
use crate::ingest::{Door, read};
use crate::names::Discriminator;

fn upstream(kind: UpstreamKind, ignore_labels: &[&str]) -> Upstream {
    Upstream {
        name: "up".to_owned(),
        kind,
        url: "http://up.example.com".to_owned(),
        peers: Vec::new(),
        credential: None,
        ca_file: None,
        sources: Vec::new(),
        org_id: None,
        gone_after: std::time::Duration::from_mins(2),
        tenant: None,
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

/// The Grafana of the alerts in the fixtures.
fn grafana(ignore_labels: &[&str]) -> Upstream {
    Upstream { url: "https://grafana.example.com".to_owned(), ..upstream(GRAFANA, ignore_labels) }
}

/// An address of the form that makes a silence, with these matchers.
fn silence_url(root: &str, matchers: &[&str]) -> String {
    let mut url = Url::parse(&format!("{root}/alerting/silence/new?alertmanager=grafana")).unwrap();
    for matcher in matchers {
        url.query_pairs_mut().append_pair("matcher", matcher);
    }
    url.into()
}

#[test]
fn a_silence_in_grafana_is_the_one_that_its_own_button_makes_with_the_name() {
    let mut alert = alerts("grafana-firing.json").remove(0);
    let name = format!("alertname=\"{}\"", alert.labels["alertname"]);
    let button = [
        "__alert_rule_uid__=\"dsk4fullprod\"",
        &name,
        "cluster=\"订单库\"",
        "env=\"生产\"",
        "instance=\"db-1\"",
        "severity=\"critical\"",
        "team=\"dba\"",
    ];
    assert_eq!(shown(matchers_for(&grafana(&["instance"]), &alert)), button, "nothing of it is left out");
    // Before 11.5 the URL did not name the rule; a value may hold what separates.
    alert.labels = labelled(&[("alertname", "磁盘"), ("expr", "a=b c&d"), ("instance", "db-1")]).labels;
    alert.links.silence =
        silence_url("https://grafana.example.com:443", &["expr=a=b c&d", "alertname=磁盘", "", "x", "=y"]);
    let old = ["__alert_rule_uid__=\"dsk4fullprod\"", "alertname=\"磁盘\"", "expr=\"a=b c&d\""];
    assert_eq!(shown(matchers_for(&grafana(&[]), &alert)), old);
    // Without a URL: the labels and the rule.
    alert.links = Links::default();
    alert.labels = labelled(&[("alertname", "磁盘"), ("instance", "db-1")]).labels;
    alert.discriminator = Discriminator::rule("2/dsk4fullprod");
    let labels = ["__alert_rule_uid__=\"dsk4fullprod\"", "alertname=\"磁盘\"", "instance=\"db-1\""];
    assert_eq!(shown(matchers_for(&grafana(&[]), &alert)), labels);
}

#[test]
fn a_silence_url_counts_only_if_it_leads_to_the_upstream_and_holds_on_the_alert() {
    let mut alert = labelled(&[("alertname", "TestOnly"), ("severity", "critical"), ("host", "t-1")]);
    alert.discriminator = Discriminator::rule("test1");
    let labels = ["__alert_rule_uid__=\"test1\"", "alertname=\"TestOnly\"", "host=\"t-1\"", "severity=\"critical\""];
    let at = "https://grafana.example.com";
    let upstream = grafana(&[]);
    for (root, matchers) in [
        (at, &["alertname=DatabaseDown"][..]),
        (at, &["alertname=TestOnly", "team=dba"]),
        (at, &["__alert_rule_uid__=prod1"]),
        (at, &["severity=critical", "absent="]),
        (at, &[]),
        ("https://evil.example.com", &["severity=critical"]),
        ("http://grafana.example.com", &["severity=critical"]),
        ("https://grafana.example.com:3000", &["severity=critical"]),
        ("https://grafana.example.com.evil.example", &["severity=critical"]),
        ("https://grafana.example.com@evil.example", &["severity=critical"]),
    ] {
        alert.links.silence = silence_url(root, matchers);
        assert_eq!(shown(matchers_for(&upstream, &alert)), labels, "{root} {matchers:?}");
    }
    // A matcher that holds but lacks the name is narrowed to the alert.
    alert.links.silence = silence_url(at, &["severity=critical"]);
    let narrowed = ["__alert_rule_uid__=\"test1\"", "alertname=\"TestOnly\"", "severity=\"critical\""];
    assert_eq!(shown(matchers_for(&upstream, &alert)), narrowed);
    // Below the folder of the upstream, and nowhere else on its host.
    let folder = Upstream { url: format!("{at}/sub"), ..grafana(&[]) };
    assert_eq!(shown(matchers_for(&folder, &alert)), labels);
    alert.links.silence = silence_url(&format!("{at}/sub"), &["severity=critical"]);
    assert_eq!(shown(matchers_for(&folder, &alert)), narrowed);
}

#[test]
fn without_a_name_or_a_rule_there_is_no_silence() {
    for labels in [&[("team", "all")][..], &[("severity", "critical"), ("team", "all")], &[("alertname", "")]] {
        let mut alert = labelled(labels);
        assert_eq!(matchers_for(&upstream(AM, &[]), &alert), None, "{labels:?}");
        assert_eq!(matchers_for(&grafana(&[]), &alert), None, "{labels:?}");
        alert.links.silence = silence_url("https://grafana.example.com", &["team=all"]);
        assert_eq!(matchers_for(&grafana(&[]), &alert), None, "{labels:?}");
    }
    assert_eq!(matchers_for(&upstream(AM, &["alertname"]), &labelled(&[("alertname", "a"), ("b", "c")])), None);
}

#[test]
fn known_here_leaves_out_the_rule_that_only_grafana_knows() {
    let labels = labelled(&[("alertname", "a")]).labels;
    let (rule, name) = (Matcher::equal(RULE_UID, "u"), Matcher::equal("alertname", "a"));
    assert_eq!(known_here(&[rule.clone(), name.clone()], &labels), Some(vec![name.clone()]));
    assert_eq!(known_here(&[rule, Matcher::equal("b", "c")], &labels), None);
    assert_eq!(known_here(&[Matcher::equal("b", "c")], &labels), Some(vec![Matcher::equal("b", "c")]));
    assert_eq!(known_here(&[], &labels), None);
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
    let told = alerts("grafana-firing.json");
    let common = shown(common_matchers(&grafana(&[]), &told));
    assert!(told.len() > 1 && common.contains(&"__alert_rule_uid__=\"dsk4fullprod\"".to_owned()), "{common:?}");
    assert!(!common.iter().any(|matcher| matcher.starts_with("instance")), "{common:?}");
}

#[test]
fn typed_text_is_a_matcher_or_what_is_wrong_with_it_is_named() {
    let typed = |text: &str| Matcher::parse(text).ok().map(|matcher| matcher.to_string());
    for (text, matcher) in [
        ("alertname=磁盘 将满", "alertname=\"磁盘 将满\""),
        ("instance!=db-1", "instance!=\"db-1\""),
        ("instance =~ \"db-.*\"", "instance=~\"db-.*\""),
        ("instance!~db-.*", "instance!~\"db-.*\""),
        ("expr=a=b", "expr=\"a=b\""),
        ("x=", "x=\"\""),
        ("path=C:\\x", "path=\"C:\\\\x\""),
        ("\"service name\"=\"订单\"", "\"service name\"=\"订单\""),
        ("\"service name\" =~ 订.*", "\"service name\"=~\"订.*\""),
        ("\"a=b\"!=\"c\"", "\"a=b\"!=\"c\""),
        ("\"quo\\\"te\"=x", "\"quo\\\"te\"=\"x\""),
        ("服务=\"a\\\"b\\\\c\"", "服务=\"a\\\"b\\\\c\""),
        ("note=\"\"a\\b\" x\"", "note=\"\\\"a\\\\b\\\" x\""),
        ("service.name=a,b", "service.name=\"a,b\""),
    ] {
        assert_eq!(typed(text).as_deref(), Some(matcher), "{text}");
    }
    for text in ["", "alertname", "=x", "!x", "a!b=c", " =x", "\"a=b", "\"\"=x", "\"a\"x=b", "a\"b=c"] {
        assert_eq!(typed(text), None, "{text}");
    }
    for text in ["a=\"b", "a=~\"b", "a=\"", "a!=\"b c"] {
        let wrong = Matcher::parse(text).unwrap_err();
        assert!(wrong.zh.contains("引号") && wrong.en.contains("quote"), "{text}: {wrong:?}");
    }
    assert_eq!(typed("a=b\"").as_deref(), Some("a=\"b\\\"\""), "a bare value may end with one");
}

#[test]
fn the_matchers_of_a_silence_can_be_evaluated_and_do_not_hide_everything() {
    let checked = |texts: &[&str]| {
        let matchers = texts.iter().map(|text| Matcher::parse(text).unwrap()).collect();
        Matcher::checked(matchers).map(|matchers| matchers.len()).map_err(|wrong| wrong.en.into_owned())
    };
    assert_eq!(checked(&["a=b", "c=~d.*", "e!=f"]), Ok(3));
    for hides_all in [&[][..], &["a="], &["a=~.*"], &["a!=b", "c!~d"]] {
        assert!(checked(hides_all).unwrap_err().contains("all alerts"), "{hides_all:?}");
    }
    let wrong = checked(&["a=b", "c=~("]).unwrap_err();
    assert!(wrong.contains("pattern") && wrong.contains("c=~\"(\""), "{wrong}");
}

#[test]
fn labels_are_covered_when_every_condition_holds() {
    let labels = labelled(&[("alertname", "a"), ("instance", "db-1")]).labels;
    let covered = |texts: &[&str]| {
        let matchers: Vec<Matcher> = texts.iter().filter_map(|text| Matcher::parse(text).ok()).collect();
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
