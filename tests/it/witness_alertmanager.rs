//! A real Alertmanager as the sender: groups, resolutions, credentials, retries, odd names.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::World;
use crate::liar::Liar;
use crate::programs::{Exporter, Server, ago, alert, until};

/// Two groups of people, and senders that prove themselves.
const GUARDED: &str = r#"
sources:
  alertmanager: { basic: { username: am, password: "pa:ss 密" } }
  dba-alertmanager: { bearer: dba-token }
receivers:
  ops: { targets: [ { webhook: ops-group, face: markdown_v2 } ] }
  dba: { targets: [ { webhook: dba-group, face: text } ] }
route: { receiver: ops }
"#;

/// One group of people.
pub const OPS: &str =
    "receivers:\n  ops: { targets: [ { webhook: ops-group, face: text } ] }\nroute: { receiver: ops }\n";

/// A route that waits little, then `receivers`.
fn short_waits(receiver: &str, more: &str) -> String {
    format!(
        "route:\n  receiver: '{receiver}'\n  group_by: [alertname]\n  group_wait: 300ms\n  group_interval: 1s\n  repeat_interval: 1h\n{more}"
    )
}

/// One receiver that posts to `url`.
pub fn posting_to(url: &str) -> String {
    short_waits("wegraf", &format!("receivers: [ {{ name: wegraf, webhook_configs: [ {{ url: '{url}' }} ] }} ]\n"))
}

/// The text of each message.
pub fn texts(messages: &[Value]) -> Vec<String> {
    messages.iter().map(|message| message["content"]["content"].as_str().unwrap().to_owned()).collect()
}

/// Fails unless every one of `parts` is in the text.
pub fn holds(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

/// An alert of a host that is lost.
fn host(name: &str, over: bool) -> Value {
    let labels = json!({ "alertname": "主机失联", "instance": name, "severity": "critical" });
    alert(&labels, "1 分钟没有心跳", over)
}

#[tokio::test]
async fn a_group_fires_is_partly_over_and_is_over() {
    let world = World::new(GUARDED).await;
    let receivers = format!(
        "  routes: [ {{ receiver: dba, matchers: ['team=\"dba\"'] }} ]\nreceivers:\n  - name: 'wecom.ops(prod)-队'\n    webhook_configs: [ {{ url: '{0}/webhook', http_config: {{ basic_auth: {{ username: am, password: 'pa:ss 密' }} }} }} ]\n  - name: dba\n    webhook_configs: [ {{ url: '{0}/webhook/dba', http_config: {{ authorization: {{ credentials: dba-token }} }} }} ]\n",
        world.url
    );
    let config = short_waits("wecom.ops(prod)-队", &receivers);
    let Some(alertmanager) = Server::alertmanager(world.folder.path(), &config).await else { return };

    let slow = |over| {
        let labels = json!({ "alertname": "复制延迟", "instance": "db-1", "team": "dba" });
        alert(&labels, "落后 30 秒", over)
    };
    // Alertmanager tells of an alert that began before its `group_wait` at once, perhaps without its companions.
    let begun = |mut alert: Value| {
        alert["startsAt"] = ago(0).into();
        alert
    };
    let group = [host("web-1", false), host("web-2", false), host("web-3", false), slow(false)];
    alertmanager.fire(&group.map(begun)).await;
    let fired = texts(&world.arrived("webhook=sim-ops-group", 1).await);
    holds(&fired[0], &["🔴", "主机失联", "×3", "web-1", "web-2", "web-3", "严重", "1 分钟没有心跳"]);
    assert!(!fired[0].contains("复制延迟"), "that one is for the others");
    let others = texts(&world.arrived("webhook=sim-dba-group", 1).await);
    holds(&others[0], &["[告警]", "复制延迟", "db-1", "落后 30 秒"]);

    alertmanager.fire(&[host("web-2", true)]).await;
    let partly = texts(&world.arrived("webhook=sim-ops-group", 2).await);
    holds(&partly[1], &["仍有 2 条（已恢复 1）", "web-1", "web-3", "web-2（"]);

    alertmanager.fire(&[host("web-1", true), host("web-3", true), slow(true)]).await;
    let over = texts(&world.arrived("webhook=sim-ops-group", 3).await);
    holds(&over[2], &["🟢", "主机失联", "web-1", "web-3"]);
    let others = texts(&world.arrived("webhook=sim-dba-group", 2).await);
    holds(&others[1], &["[已恢复]", "复制延迟", "db-1"]);

    world.settled().await;
    assert_eq!(alertmanager.counter("alertmanager_notifications_failed_total", "webhook").await, 0);
}

#[tokio::test]
async fn a_wrong_password_is_refused_for_good() {
    let world = World::new(GUARDED).await;
    let receivers = format!(
        "receivers:\n  - name: a\n    webhook_configs: [ {{ url: '{}/webhook', http_config: {{ basic_auth: {{ username: am, password: wrong }} }} }} ]\n",
        world.url
    );
    let Some(alertmanager) = Server::alertmanager(world.folder.path(), &short_waits("a", &receivers)).await else {
        return;
    };
    alertmanager.fire(&[host("web-1", false)]).await;
    alertmanager.counted("alertmanager_notifications_failed_total", "integration=\"webhook\"", 1).await;
    let tries = alertmanager.counter("alertmanager_notification_requests_total", "integration=\"webhook\"").await;
    let flushes = alertmanager.counter("alertmanager_notifications_total", "integration=\"webhook\"").await;
    assert!(tries <= flushes, "401 is not tried again within a flush: {tries} tries in {flushes} flushes");
    assert!(world.inbox("webhook=sim-ops-group").await.is_empty());
}

#[tokio::test]
async fn retries_after_lost_answers_make_one_message_for_each_change() {
    let world = World::new(OPS).await;
    // Two answers of each three.
    let (liar, address) = Liar::start_anywhere(&world, |calls| calls.len() % 3 != 0).await;
    let config = posting_to(&format!("http://{address}/webhook"));
    let Some(alertmanager) = Server::alertmanager(world.folder.path(), &config).await else { return };

    alertmanager.fire(&[host("web-1", false), host("web-2", false)]).await;
    until("the third call is answered", async || (liar.calls().len() >= 3).then_some(())).await;
    world.settled().await;
    let fired = texts(&world.arrived("webhook=sim-ops-group", 1).await);
    holds(&fired[0], &["[严重]", "web-1", "web-2"]);

    alertmanager.fire(&[host("web-1", true), host("web-2", true)]).await;
    until("the sixth call is answered", async || (liar.calls().len() >= 6).then_some(())).await;
    world.settled().await;
    let over = texts(&world.arrived("webhook=sim-ops-group", 2).await);
    holds(&over[1], &["[已恢复]", "web-1", "web-2"]);
}

#[tokio::test]
async fn alerts_fired_while_wegraf_was_down_arrive_after_its_restart() {
    let world = World::new(OPS).await;
    // The port is closed at first: Alertmanager's connections are refused.
    let address: SocketAddr = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let config = posting_to(&format!("http://{address}/webhook"));
    let Some(alertmanager) = Server::alertmanager(world.folder.path(), &config).await else { return };
    alertmanager.fire(&[host("web-1", false)]).await;
    alertmanager.counted("alertmanager_notification_requests_failed_total", "integration=\"webhook\"", 2).await;
    assert!(world.inbox("webhook=sim-ops-group").await.is_empty());

    Liar::start(&world, TcpListener::bind(address).await.unwrap(), |_| false);
    let fired = texts(&world.arrived("webhook=sim-ops-group", 1).await);
    holds(&fired[0], &["[严重]", "web-1"]);
    alertmanager.fire(&[host("web-1", true)]).await;
    let over = texts(&world.arrived("webhook=sim-ops-group", 2).await);
    holds(&over[1], &["[已恢复]", "web-1"]);
}

#[tokio::test]
async fn a_receiver_in_the_address_is_found_with_any_characters() {
    // Go percent-encodes the path; Alertmanager's own name for the receiver has nothing to do with ours.
    let name = "wecom.ops-队";
    let world = World::new(&format!(
        "receivers:\n  else: {{ targets: [ {{ webhook: ops-group }} ] }}\n  '{name}': {{ targets: [ {{ webhook: dba-group }} ] }}\nroute: {{ receiver: else }}\n"
    ))
    .await;
    let receivers = format!(
        "receivers: [ {{ name: 'wecom.ops(prod)|*', webhook_configs: [ {{ url: '{}/webhook/{name}' }} ] }} ]\n",
        world.url
    );
    let config = short_waits("wecom.ops(prod)|*", &receivers);
    let Some(alertmanager) = Server::alertmanager(world.folder.path(), &config).await else { return };
    alertmanager.fire(&[host("web-1", false)]).await;
    world.arrived("webhook=sim-dba-group", 1).await;
    assert!(world.inbox("webhook=sim-ops-group").await.is_empty());
}

#[tokio::test]
async fn a_rule_of_prometheus_reaches_people_through_alertmanager() {
    let world = World::new(OPS).await;
    let config = posting_to(&format!("{}/webhook", world.url));
    let Some(alertmanager) = Server::alertmanager(world.folder.path(), &config).await else { return };
    let exporter = Exporter::start("disk_used{mountpoint=\"/data\"} 0.97\n").await;
    let config = format!(
        "alerting: {{ alertmanagers: [ {{ static_configs: [ {{ targets: ['{}'] }} ] }} ] }}\nscrape_configs: [ {{ job_name: node, static_configs: [ {{ targets: ['{}'] }} ] }} ]\n",
        alertmanager.url.trim_start_matches("http://"),
        exporter.address,
    );
    let rule = "      - { alert: 磁盘将满, expr: disk_used > 0.9, labels: { severity: warning }, annotations: { summary: '已用 {{ $value | humanizePercentage }}' } }\n";
    let Some(_prometheus) = Server::prometheus(world.folder.path(), &config, rule).await else { return };

    let fired = texts(&world.arrived("webhook=sim-ops-group", 1).await);
    holds(&fired[0], &["[警告]", "磁盘将满", "已用 97%", "http://prometheus.example.com/graph?g0.expr=disk_used"]);
    exporter.set("disk_used{mountpoint=\"/data\"} 0.3\n");
    let over = texts(&world.arrived("webhook=sim-ops-group", 2).await);
    holds(&over[1], &["[已恢复]", "磁盘将满"]);
}
