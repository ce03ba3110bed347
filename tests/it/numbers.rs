//! Numbers that no body gives: they come from the upstream's own list of what fires, in time or not at all.

use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::World;
use crate::programs::{Exporter, Server, ago, find};

const RECEIVERS: &str = r"
receivers:
  ops: { targets: [ { webhook: ops-group, face: markdown_v2 } ] }
route: { receiver: ops }
charts: { for: off }
";

/// How the stand-in for a Prometheus answers.
#[derive(Debug, Clone, PartialEq)]
enum Manner {
    Fires(Vec<Value>),
    Silent,
    Huge,
    Unauthorised,
}

#[derive(Clone)]
struct StandIn {
    manner: Arc<Mutex<Manner>>,
    /// The rules that it was asked for.
    asked: Arc<Mutex<Vec<String>>>,
}

async fn stand_in() -> (String, StandIn) {
    let stand_in = StandIn { manner: Arc::new(Mutex::new(Manner::Silent)), asked: Arc::default() };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answers = stand_in.clone();
    let rules = move |uri: axum::http::Uri| async move { answers.rules(uri.query().unwrap_or_default()).await };
    let app = axum::Router::new().route("/api/v1/rules", get(rules));
    tokio::spawn(async { axum::serve(listener, app).await });
    (url, stand_in)
}

impl StandIn {
    async fn rules(&self, query: &str) -> Response {
        let asked: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        assert_eq!(asked[0], ("type".to_owned(), "alert".to_owned()));
        let manner = self.manner.lock().unwrap().clone();
        match asked.get(1) {
            Some((name, rule)) => {
                assert_eq!(name, "rule_name[]");
                self.asked.lock().unwrap().push(rule.clone());
            }
            // All of them: what is asked for an alert without an expression.
            None if manner == Manner::Silent => std::future::pending().await,
            None => {}
        }
        let alerts = match manner {
            Manner::Fires(alerts) => alerts,
            Manner::Silent => std::future::pending().await,
            Manner::Huge => return "x".repeat(3 << 20).into_response(),
            Manner::Unauthorised => return StatusCode::UNAUTHORIZED.into_response(),
        };
        let rule =
            json!({ "type": "alerting", "name": "磁盘将满", "query": "disk_used_ratio  > 9e-1", "alerts": alerts });
        let other = json!({ "type": "alerting", "name": "磁盘将满", "query": "disk_used_ratio > 0.5", "alerts": [
            { "labels": {}, "state": "firing", "value": "0.6" },
        ] });
        let team = json!({ "type": "alerting", "name": "队列积压", "query": "queue_length > 1e3", "labels": { "team": "db" },
            "alerts": [there_of("队列积压", "h1", "firing", "4.2e+03")] });
        let of_another =
            json!({ "type": "alerting", "name": "队列积压", "query": "queue_length > 5", "labels": { "team": "web" } });
        let groups = json!([{ "name": "g", "rules": [other, rule, team, of_another] }]);
        axum::Json(json!({ "status": "success", "data": { "groups": groups } })).into_response()
    }

    fn behaves(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    fn asked(&self) -> usize {
        std::mem::take(&mut *self.asked.lock().unwrap()).len()
    }
}

/// An alert as Alertmanager sends it; `cluster` is added on the way.
fn body(rule: &str, expression: &str, host: &str, summary: &str, status: &str) -> String {
    let link: String = form_urlencoded::byte_serialize(expression.as_bytes()).collect();
    let labels = json!({ "alertname": rule, "severity": "critical", "host": host, "cluster": "sh" });
    json!({
        "version": "4", "status": status, "receiver": "r", "groupKey": format!("{rule}{host}"),
        "externalURL": "http://alertmanager.example.com",
        "alerts": [{
            "status": status, "labels": labels, "annotations": { "summary": summary }, "startsAt": ago(600),
            "endsAt": if status == "resolved" { ago(1) } else { "0001-01-01T00:00:00Z".to_owned() },
            "generatorURL": format!("http://prometheus.example.com/graph?g0.expr={link}&g0.tab=1"),
        }],
    })
    .to_string()
}

fn there(host: &str, state: &str, value: &str) -> Value {
    there_of("磁盘将满", host, state, value)
}

fn there_of(rule: &str, host: &str, state: &str, value: &str) -> Value {
    json!({ "labels": { "alertname": rule, "severity": "critical", "host": host }, "state": state, "value": value })
}

async fn world(upstream: &str, rest: &str) -> World {
    World::new(&format!("{RECEIVERS}upstreams: {{ prom: {{ kind: prometheus, url: {upstream} }} }}\n{rest}")).await
}

/// What a message says, without its links.
fn said(message: &Value) -> &str {
    let content = message["content"]["content"].as_str().unwrap();
    content.split_once("[规则]").map_or(content, |(said, _)| said)
}

#[tokio::test]
async fn a_number_that_no_body_gives_is_that_of_the_upstreams_own_alert_or_none() {
    let (url, stand_in) = stand_in().await;
    let world = world(&url, "").await;
    let fires =
        |host: &str, value: &str| Manner::Fires(vec![there(host, "firing", value), there("x", "firing", "0.99")]);
    let expression = "disk_used_ratio > 0.9";
    let mut count = 0;
    for (manner, rule, expression, summary, status, shown, asks, result) in [
        (fires("h1", "9.709166667e-01"), "磁盘将满", expression, "要清理", "firing", Some("97.1 %"), true, "told"),
        // Its body says it; a state has no number; it is over; the rule is not the upstream's.
        (fires("h2", "9.7e-01"), "磁盘将满", expression, "当前 91.3%", "firing", Some("91.3 %"), false, ""),
        (fires("h3", "0"), "主机失联", "up == 0", "", "firing", None, false, ""),
        (fires("h1", "9.7e-01"), "磁盘将满", expression, "要清理", "resolved", None, false, ""),
        (fires("h5", "9.7e-01"), "磁盘将满", "disk_used_ratio > 0.8", "要清理", "firing", None, true, "unknown_rule"),
        // No such alert there, or not yet.
        (fires("other", "9.7e-01"), "磁盘将满", expression, "要清理", "firing", None, true, "empty"),
        (
            Manner::Fires(vec![there("h7", "pending", "0.97")]),
            "磁盘将满",
            expression,
            "",
            "firing",
            None,
            true,
            "empty",
        ),
        (Manner::Unauthorised, "磁盘将满", expression, "要清理", "firing", None, true, "refused"),
        (Manner::Huge, "磁盘将满", expression, "要清理", "firing", None, true, "large"),
        (Manner::Silent, "磁盘将满", expression, "要清理", "firing", None, true, "slow"),
    ] {
        count += 1;
        // The end is that of the first.
        let host = if status == "resolved" { "h1".to_owned() } else { format!("h{count}") };
        stand_in.behaves(manner.clone());
        let name = format!("wegraf_numbers_total{{result=\"{result}\"}}");
        let before = world.metric(&name).await;
        // What is known of a rule is used for a while: each time another one, of the same name and meaning.
        let expression = format!("{expression}{}", " ".repeat(count));
        world.accept("/webhook", body(rule, &expression, &host, summary, status)).await;
        let messages = world.arrived("webhook=sim-ops-group", count).await;
        let content = said(&messages[count - 1]);
        assert_eq!(stand_in.asked() > 0, asks, "{manner:?} {content}");
        match shown {
            Some(shown) => assert!(content.contains(shown) && content.contains("阈值 > 90 %"), "{content}"),
            None => assert!(!content.contains('%') || content.contains("> 80 %"), "{manner:?} {content}"),
        }
        if !result.is_empty() {
            assert!(world.metric(&name).await > before, "{manner:?} {result}");
        }
    }
}

/// vmalert's own page and an empty link show no expression.
#[tokio::test]
async fn an_alert_without_an_expression_has_that_of_the_upstreams_rule_of_its_name() {
    let (url, stand_in) = stand_in().await;
    let world = world(&url, "").await;
    stand_in.behaves(Manner::Fires(vec![]));
    let mut count = 0;
    for (rule, team, link, shown) in [
        (
            "队列积压",
            "db",
            "http://vmalert.example.com:8880/vmalert/alert?group_id=1&alert_id=2",
            Some(("4", "阈值 > 1,000")),
        ),
        ("队列积压", "db", "", Some(("4", "阈值 > 1,000"))),
        // Two rules of this name could be meant; the upstream has no such rule; the body shows another expression.
        ("磁盘将满", "db", "", None),
        ("队列积压", "net", "", None),
        ("别的规则", "db", "", None),
        ("队列积压", "db", "http://prometheus.example.com/graph?g0.expr=queue_length+%3E+7", None),
    ] {
        count += 1;
        let mut body: Value = serde_json::from_str(&body(rule, "", "h1", "要处理", "firing")).unwrap();
        let alert = &mut body["alerts"][0];
        alert["labels"]["team"] = team.into();
        alert["labels"]["run"] = count.to_string().into();
        alert["generatorURL"] = link.into();
        world.accept("/webhook", body.to_string()).await;
        let messages = world.arrived("webhook=sim-ops-group", count).await;
        let content = said(&messages[count - 1]);
        match shown {
            Some((number, threshold)) => assert!(content.contains(threshold) && content.contains(number), "{content}"),
            None => assert!(!content.contains("1,000") && !content.contains("4,200"), "{rule} {link}: {content}"),
        }
    }
}

#[tokio::test]
async fn where_expressions_of_bodies_are_trusted_the_upstream_has_no_list_to_ask() {
    let (url, stand_in) = stand_in().await;
    let world = world(&url, "").await;
    stand_in.behaves(Manner::Fires(vec![there("h", "firing", "0.97")]));
    world.accept("/webhook", body("磁盘将满", "disk_used_ratio > 0.9", "h", "", "firing")).await;
    let messages = world.arrived("webhook=sim-ops-group", 1).await;
    assert!(said(&messages[0]).contains("97 %"), "{messages:#?}");
    assert_eq!(stand_in.asked(), 1);

    let rest = RECEIVERS.replace("for: off", "for: off, expression: body");
    let trusting = World::new(&format!("{rest}upstreams: {{ prom: {{ kind: prometheus, url: {url} }} }}\n")).await;
    trusting.accept("/webhook", body("磁盘将满", "disk_used_ratio > 0.9", "h", "", "firing")).await;
    let messages = trusting.arrived("webhook=sim-ops-group", 1).await;
    assert!(!said(&messages[0]).contains('%'), "{messages:#?}");
    assert_eq!(stand_in.asked(), 0);
}

const RULES: &str = r"
      - { alert: 磁盘将满, expr: disk_used_ratio > 0.9, labels: { severity: critical }, annotations: { summary: '要清理' } }
";

#[tokio::test]
async fn a_real_prometheus_gives_the_number_of_its_own_alert() {
    if find("prometheus").is_none() {
        return;
    }
    let mut world = World::idle(wecom_simulator::Setup::demo(), RECEIVERS).await;
    let exporter =
        Exporter::start("disk_used_ratio{mountpoint=\"/data\"} 0.9709\ndisk_used_ratio{mountpoint=\"/logs\"} 0.2\n")
            .await;
    let listener = xtask::gateway::free().unwrap();
    let added = "alert_relabel_configs: [ { target_label: cluster, replacement: sh } ]";
    let config = format!(
        "alerting:\n  {added}\n  alertmanagers:\n    - static_configs: [ {{ targets: ['{listener}'] }} ]\nscrape_configs:\n  - {{ job_name: node, static_configs: [ {{ targets: ['{}'] }} ] }}\n",
        exporter.address
    );
    let folder = world.folder.path().to_owned();
    let Some(prometheus) = Server::prometheus(&folder, &config, RULES).await else { return };
    let upstreams = format!("upstreams: {{ prom: {{ kind: prometheus, url: {} }} }}\n", prometheus.url);
    world.write_config(&format!("{RECEIVERS}{upstreams}"));
    world.start_at(listener).await;
    let messages = world.arrived("webhook=sim-ops-group", 1).await;
    let content = messages[0]["content"]["content"].as_str().unwrap();
    assert!(content.contains("97.1 %") && content.contains("阈值 > 90 %") && content.contains("sh"), "{content}");
}
