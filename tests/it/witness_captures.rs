//! What a real Alertmanager and a real Prometheus sent, byte for byte, and how it was caught.

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use wegraf::internals::alert::{Format, Labels, Notification, Status, Timestamp};
use wegraf::internals::ingest::generic::Payloads;
use wegraf::internals::ingest::{self, Door};
use wegraf::internals::names::SourceId;

use crate::harness::{EVERY_CHANNEL, World, crypto, payload};
use crate::programs::{Exporter, Server, alert, until};

const NAME: &str = "wecom.ops(prod)-队";

/// Reads a capture as if its first alert had begun two seconds ago: a push says by its time that it still fires.
fn read(name: &str, door: Door) -> Notification {
    let body = payload(name);
    let json: Value = serde_json::from_str(&body).unwrap();
    let first = if json.is_array() { &json[0] } else { &json["alerts"][0] };
    let began: jiff::Timestamp = first["startsAt"].as_str().unwrap().parse().unwrap();
    let now = Timestamp(began.as_millisecond() + 2000);
    ingest::read(&Bytes::from(body), Some("application/json"), door, &Payloads::default(), now).unwrap()
}

#[test]
fn the_webhook_of_alertmanager_is_read_as_it_came() {
    let fired = read("captured-alertmanager-firing.json", Door::Webhook);
    assert_eq!(fired.format, Format::Alertmanager);
    assert_eq!(fired.upstream_receiver, NAME, "without the backslashes");
    assert_eq!(fired.external_url, "http://alertmanager.example.com");
    assert_eq!(fired.group_labels, Labels::from([("alertname", "主机失联")]));
    assert_eq!(fired.alerts.len(), 3);
    for alert in &fired.alerts {
        assert_eq!((alert.status, alert.name.as_str()), (Status::Firing, "主机失联"));
        assert!(alert.ends_at.is_none() && alert.starts_at.is_some());
        // Markup of HTML is no part of what people read.
        assert_eq!(alert.annotations["summary"], "1 & 2 \"没有心跳\"");
    }

    let over = read("captured-alertmanager-resolved.json", Door::Webhook);
    assert_eq!(over.group_key, fired.group_key);
    for (before, after) in fired.alerts.iter().zip(&over.alerts) {
        assert_eq!(after.status, Status::Resolved);
        assert!(after.ends_at > after.starts_at);
        assert_eq!(
            before.identity(&SourceId::Configured("am".to_owned())),
            after.identity(&SourceId::Configured("am".to_owned())),
            "it is the same alert"
        );
    }
}

#[test]
fn the_push_of_prometheus_is_read_as_it_came() {
    let pushed = read("captured-prometheus-firing.json", Door::AlertsPush);
    assert_eq!(pushed.format, Format::AlertsPush);
    assert_eq!(pushed.alerts.len(), 2);
    let over = read("captured-prometheus-resolved.json", Door::AlertsPush);
    assert_eq!(over.alerts.len(), 2);
    for alert in &over.alerts {
        assert_eq!((alert.status, alert.name.as_str()), (Status::Resolved, "磁盘将满"));
        let same = pushed.alerts.iter().any(|before| {
            before.identity(&SourceId::Configured("p".to_owned()))
                == alert.identity(&SourceId::Configured("p".to_owned()))
        });
        assert!(same, "{alert:?}");
    }
}

#[tokio::test]
async fn captures_are_told_once_each() {
    let world = World::new(EVERY_CHANNEL).await;
    for (count, name) in ["captured-alertmanager-firing.json", "captured-alertmanager-resolved.json"].iter().enumerate()
    {
        for duplicate in [false, true] {
            let answer = world.accept("/webhook", payload(name)).await;
            assert_eq!(answer["duplicate"], duplicate, "{answer}");
        }
        for whose in ["user=daixuan", "chat=AITest", "webhook=sim-ops-group"] {
            world.arrived(whose, count + 1).await;
        }
    }
    world.accept("/api/v2/alerts", payload("captured-prometheus-resolved.json")).await;
    world.settled().await;
    world.arrived("user=daixuan", 2).await;
}

/// Bodies, in the order of their arrival.
type Caught = Arc<Mutex<Vec<Bytes>>>;

/// A server that takes everything.
async fn catcher() -> (Caught, String) {
    let caught = Caught::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let keep = async |State(caught): State<Caught>, body: Bytes| caught.lock().unwrap().push(body);
    let router = Router::new().fallback(keep).with_state(caught.clone());
    tokio::spawn(async { axum::serve(listener, router).await });
    (caught, address)
}

/// Waits for a body that fits and stores it as a fixture. `fits` is also given how often exactly this body has come.
async fn store(caught: &Caught, name: &str, fits: impl Fn(&Value, usize) -> bool) {
    let find = async || {
        let bodies = caught.lock().unwrap();
        let times = |body: &Bytes| bodies.iter().filter(|other| **other == *body).count();
        let found = bodies.iter().find(|body| serde_json::from_slice(body).is_ok_and(|json| fits(&json, times(body))));
        found.cloned()
    };
    let body = until(name, find).await;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/payloads").join(name);
    std::fs::write(path, body).unwrap();
}

fn all(alerts: &Value, status: &str) -> bool {
    alerts.as_array().is_some_and(|alerts| alerts.len() == 3 && alerts.iter().all(|alert| alert["status"] == status))
}

#[tokio::test]
#[ignore = "writes tests/fixtures/payloads/captured-*.json anew"]
async fn capture() {
    crypto();
    let folder = TempDir::new().unwrap();
    let (caught, address) = catcher().await;
    let config = format!(
        "route: {{ receiver: '{NAME}', group_by: [alertname], group_wait: 300ms, group_interval: 1s }}\nreceivers: [ {{ name: '{NAME}', webhook_configs: [ {{ url: 'http://{address}/' }} ] }} ]\n"
    );
    let alertmanager = Server::alertmanager(folder.path(), &config).await.expect("it is installed");
    let three = |over| {
        ["web-1", "web-2", "web-3"].map(|instance| {
            let labels = json!({ "alertname": "主机失联", "instance": instance, "severity": "critical" });
            alert(&labels, "<b>1 & 2</b> \"没有心跳\"", over)
        })
    };
    alertmanager.fire(&three(false)).await;
    store(&caught, "captured-alertmanager-firing.json", |body, _| all(&body["alerts"], "firing")).await;
    alertmanager.fire(&three(true)).await;
    store(&caught, "captured-alertmanager-resolved.json", |body, _| all(&body["alerts"], "resolved")).await;

    let (caught, address) = catcher().await;
    let series =
        |value: f64| format!("disk_used{{mountpoint=\"/data\"}} {value}\ndisk_used{{mountpoint=\"/logs\"}} {value}\n");
    let exporter = Exporter::start(&series(0.97)).await;
    let config = format!(
        "alerting: {{ alertmanagers: [ {{ static_configs: [ {{ targets: ['{address}'] }} ] }} ] }}\nscrape_configs: [ {{ job_name: node, static_configs: [ {{ targets: ['{}'], labels: {{ instance: db-1 }} }} ] }} ]\n",
        exporter.address
    );
    let rule = "      - { alert: 磁盘将满, expr: disk_used > 0.9, labels: { severity: warning }, annotations: { summary: '{{ $labels.mountpoint }} 已用 {{ $value | humanizePercentage }}' } }\n";
    let _prometheus = Server::prometheus(folder.path(), &config, rule).await.expect("it is installed");
    let two = |body: &Value| body.as_array().is_some_and(|alerts| alerts.len() == 2);
    store(&caught, "captured-prometheus-firing.json", |body, _| two(body)).await;
    exporter.set(&series(0.2));
    // While an alert fires each push moves its end; only that of one that is over is repeated as it was.
    store(&caught, "captured-prometheus-resolved.json", |body, times| two(body) && times > 1).await;
}
