//! A real Prometheus that takes wegraf for its Alertmanager, and reads wegraf's own metrics.

use crate::harness::World;
use crate::programs::{Exporter, Server, until};

const RECEIVERS: &str = r"
sources:
  prometheus: { basic: { username: prom, password: 'p@ss' } }
receivers:
  ops: { targets: [ { webhook: ops-group, face: text } ] }
  dba: { targets: [ { webhook: dba-group, face: text } ] }
route: { receiver: ops }
";

const RULES: &str = r"
      - { alert: 磁盘将满, expr: disk_used > 0.9, labels: { severity: critical }, annotations: { summary: '{{ $labels.mountpoint }} 已用 {{ $value | humanizePercentage }}' } }
";

const FULL: &str = "disk_used{mountpoint=\"/data\"} 0.97\ndisk_used{mountpoint=\"/logs\"} 0.93\n";
const HALF_FULL: &str = "disk_used{mountpoint=\"/data\"} 0.97\ndisk_used{mountpoint=\"/logs\"} 0.2\n";
const FREE: &str = "disk_used{mountpoint=\"/data\"} 0.3\ndisk_used{mountpoint=\"/logs\"} 0.2\n";

/// Prometheus as it is set up to push to `world` below `prefix` and to scrape it and the exporter.
async fn pushing(world: &World, prefix: &str, exporter: &Exporter) -> Option<Server> {
    let gateway = world.url.trim_start_matches("http://");
    let config = format!(
        "alerting:\n  alertmanagers:\n    - path_prefix: '{prefix}'\n      basic_auth: {{ username: prom, password: 'p@ss' }}\n      static_configs: [ {{ targets: ['{gateway}'] }} ]\nscrape_configs:\n  - {{ job_name: node, static_configs: [ {{ targets: ['{}'] }} ] }}\n  - {{ job_name: wegraf, static_configs: [ {{ targets: ['{gateway}'] }} ] }}\n",
        exporter.address,
    );
    Server::prometheus(world.folder.path(), &config, RULES).await
}

fn text(message: &serde_json::Value) -> &str {
    message["content"]["content"].as_str().unwrap()
}

/// Waits until Prometheus has pushed three times more, each a second apart.
async fn pushed_again(prometheus: &Server) {
    let sent = "prometheus_notifications_latency_seconds_count";
    let before = prometheus.counter(sent, "").await;
    prometheus.counted(sent, "", before + 3).await;
}

#[tokio::test]
async fn only_a_change_is_told_while_prometheus_repeats_the_state() {
    let world = World::new(RECEIVERS).await;
    let exporter = Exporter::start(FULL).await;
    let Some(prometheus) = pushing(&world, "/", &exporter).await else { return };

    let whose = "webhook=sim-ops-group";
    let fired = world.arrived(whose, 1).await;
    for part in ["[严重]", "磁盘将满", "×2", "/data 97 %", "/logs 93 %", "阈值 > 90 %"] {
        assert!(text(&fired[0]).contains(part), "{part}: {}", text(&fired[0]));
    }
    pushed_again(&prometheus).await;
    world.settled().await;
    world.arrived(whose, 1).await;

    exporter.set(HALF_FULL);
    let partly = world.arrived(whose, 2).await;
    assert!(text(&partly[1]).contains("/logs"), "{}", text(&partly[1]));
    pushed_again(&prometheus).await;
    world.settled().await;
    world.arrived(whose, 2).await;

    exporter.set(FREE);
    let over = world.arrived(whose, 3).await;
    assert!(text(&over[2]).starts_with("[已恢复]"), "{}", text(&over[2]));
    assert!(text(&over[2]).contains("/data"), "{}", text(&over[2]));
    pushed_again(&prometheus).await;
    world.settled().await;
    world.arrived(whose, 3).await;

    // It comes back, and that is news.
    exporter.set(FULL);
    world.arrived(whose, 4).await;
    assert_eq!(prometheus.counter("prometheus_notifications_errors_total", "").await, 0);
    assert_eq!(prometheus.counter("prometheus_notifications_dropped_total", "").await, 0);
}

#[tokio::test]
async fn a_path_prefix_names_the_receiver() {
    let world = World::new(RECEIVERS).await;
    let exporter = Exporter::start(FULL).await;
    let Some(_prometheus) = pushing(&world, "/webhook/dba", &exporter).await else { return };
    world.arrived("webhook=sim-dba-group", 1).await;
    exporter.set(FREE);
    let over = world.arrived("webhook=sim-dba-group", 2).await;
    assert!(text(&over[1]).starts_with("[已恢复]"), "{}", text(&over[1]));
    assert!(world.inbox("webhook=sim-ops-group").await.is_empty());
}

#[tokio::test]
async fn prometheus_can_read_the_metrics() {
    let world = World::new(RECEIVERS).await;
    let exporter = Exporter::start(FULL).await;
    let Some(prometheus) = pushing(&world, "/", &exporter).await else { return };
    world.arrived("webhook=sim-ops-group", 1).await;
    let asked = "count({job=\"wegraf\", __name__=~\"wegraf_.+\"})";
    let series = until("the series of wegraf are there", async || prometheus.query(asked).await).await;
    assert!(series > 10.0, "{series} series");
    assert_eq!(prometheus.query("up{job=\"wegraf\"}").await, Some(1.0));
    let pushes = async || {
        let answered = prometheus.query("sum(wegraf_webhook_answers_total{status=\"200\"})").await?;
        (answered >= 1.0).then_some(())
    };
    until("the push that it made itself is counted", pushes).await;
}
