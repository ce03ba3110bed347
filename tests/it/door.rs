//! The door under siege, against the built program: a short form of `cargo xtask siege`, and what must hold besides.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use wecom_simulator::Setup;
use xtask::siege::{Attack, besiege};

use crate::harness::{PATIENCE, World, alertmanager};
use crate::process::Wegraf;

const PROGRAM: &str = env!("CARGO_BIN_EXE_wegraf");
/// More than there are places for strangers.
const CONNECTIONS: usize = 700;
const LENGTH: Duration = Duration::from_secs(4);

const ONE_MEMBER: &str = r"
receivers:
  ops: { targets: [ { app: ops, users: [daixuan], face: text } ] }
route: { receiver: ops }
";

/// One attack, with the good client at the attackers' address: the harder case.
async fn withstands(attack: Attack) {
    let outcome = besiege(Path::new(PROGRAM), attack, false, CONNECTIONS, LENGTH).await.unwrap();
    assert_eq!(outcome.unserved(), [""; 0], "{attack}: {outcome}");
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_heads_shut_out_no_good_client_at_their_address() {
    withstands(Attack::SlowHead).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_bodies_with_made_up_signatures_shut_out_no_good_client_at_their_address() {
    withstands(Attack::SlowBody).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_that_never_read_shut_out_no_good_client_at_their_address() {
    withstands(Attack::NeverReading).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_unproven_bodies_shut_out_no_good_client_at_their_address() {
    withstands(Attack::Unproven).await;
}

/// The built program with a world's configuration, and where it listens.
async fn serve(rest: &str) -> (World, Wegraf, String) {
    let mut world = World::idle(Setup::demo(), rest).await;
    let gateway = Wegraf::serve(&mut world).await;
    let address = world.url.trim_start_matches("http://").to_owned();
    (world, gateway, address)
}

#[tokio::test]
async fn a_peer_that_never_reads_its_answers_is_closed_within_its_deadline() {
    let (world, _gateway, address) = serve(ONE_MEMBER).await;
    let mut peer = TcpStream::connect(&address).await.unwrap();
    let requests = b"GET /metrics HTTP/1.1\r\nHost: wegraf\r\n\r\n".repeat(50);
    // A write waits once all buffers are full; the deadline begins then.
    while tokio::time::timeout(Duration::from_mins(1), peer.write_all(&requests)).await.expect("it is closed").is_ok() {
    }
    assert!(world.metric("wegraf_connections_closed_total{listener=\"main\",reason=\"not_reading\"}").await >= 1.0);
}

#[tokio::test]
async fn a_connection_rests_between_requests_longer_than_a_head_may_take() {
    let (_world, _gateway, address) = serve(ONE_MEMBER).await;
    let mut peer = TcpStream::connect(&address).await.unwrap();
    for pause in [0, 7] {
        tokio::time::sleep(Duration::from_secs(pause)).await;
        peer.write_all(b"GET /healthz HTTP/1.1\r\nHost: wegraf\r\n\r\n").await.unwrap();
        let mut answer = [0; 15];
        peer.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        // The rest of it.
        let mut rest = [0; 1024];
        let _ = peer.read(&mut rest).await.unwrap();
    }
}

#[tokio::test]
async fn monitoring_has_an_address_of_its_own_with_nothing_else_on_it() {
    let port = xtask::gateway::free().unwrap();
    let (world, _gateway, _) = serve(&format!("listen_monitoring: {port}\n{ONE_MEMBER}")).await;
    for (path, status) in [("healthz", 200), ("readyz", 200), ("metrics", 200), ("webhook", 404), ("", 404)] {
        let answer = world.http.get(format!("http://{port}/{path}")).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
    }
    let posted = world.http.post(format!("http://{port}/webhook")).body("{}").send().await.unwrap();
    assert_eq!(posted.status(), 404);
}

#[tokio::test]
async fn concurrent_scrapes_each_get_figures_not_older_than_their_request() {
    let mut world = World::idle(Setup::demo(), ONE_MEMBER).await;
    world.start().await;
    let mut asked = JoinSet::new();
    for number in 0..50 {
        world.accept("/webhook", alertmanager(&format!("第{number}个"), &[("db-1", "firing")])).await;
        let request = world.http.get(format!("{}/metrics", world.url));
        asked.spawn(async move { (number, request.send().await.unwrap().text().await.unwrap()) });
    }
    while let Some(answer) = asked.join_next().await {
        let (number, text) = answer.unwrap();
        let line = text.lines().find(|line| line.contains("format=\"alertmanager\",status=\"200\"")).unwrap();
        let taken: u64 = line.rsplit(' ').next().unwrap().parse().unwrap();
        assert!(taken > number, "{taken} were taken when the {number}. was asked about");
    }
}

/// An Alertmanager's body of `count` alerts, of which only the last one is critical.
fn group(count: usize) -> String {
    let alert = |index: usize| {
        let (name, severity) = if index + 1 == count { ("最后一条", "critical") } else { ("前面的", "warning") };
        json!({ "status": "firing", "labels": { "alertname": name, "severity": severity, "n": index.to_string() } })
    };
    let alerts: Vec<Value> = (0..count).map(alert).collect();
    json!({ "version": "4", "status": "firing", "receiver": "r", "groupKey": "g", "alerts": alerts }).to_string()
}

#[tokio::test]
async fn the_last_of_many_alerts_in_one_body_is_told_and_none_is_reported_as_left_out() {
    let (world, _gateway, _) = serve(ONE_MEMBER).await;
    let answer = world.accept("/webhook", group(20_001)).await;
    assert_eq!(answer["alerts"], 20_001, "{answer}");
    let told = world.arrived("user=daixuan", 1).await;
    let told = told[0]["content"]["content"].as_str().unwrap();
    assert!(told.contains("最后一条"), "{told}");
    assert!(!told.contains("省略"), "{told}");
    assert!(told.contains("×20000"), "the others are counted: {told}");
}

#[tokio::test]
async fn more_alerts_than_the_memory_holds_are_refused_whole_with_a_remedy() {
    let (world, gateway, _) = serve(ONE_MEMBER).await;
    let tiny = format!("[{}]", vec![r#"{"labels":{"a":"b"}}"#; 240_000].join(","));
    for (path, body) in [("/webhook", &tiny), ("/api/v2/alerts", &tiny)] {
        let (status, answer) = world.post(path, body.clone()).await;
        assert_eq!(status, 413, "{answer}");
        assert!(answer.to_string().contains("memory"), "{answer}");
    }
    assert!(world.inbox("user=daixuan").await.is_empty(), "nothing of it is told");
    world.accept("/webhook", alertmanager("之后的告警", &[("db-1", "firing")])).await;
    world.arrived("user=daixuan", 1).await;
    let most = gateway.memory_kib("VmHWM");
    assert!(most < 150 * 1024, "it used {most} KiB at its worst");
}

#[tokio::test]
async fn large_bodies_that_no_mapping_knows_are_read_within_the_memory() {
    let (world, gateway, _) = serve(&format!("memory: 256MB\n{ONE_MEMBER}")).await;
    let row = json!({ "disk": "sda", "text": "x".repeat(300), "deep": { "a": [1, 2, 3], "b": "文字" } });
    let rows = json!({ "title": "巡检失败", "rows": vec![row; 25_000] }).to_string();
    let packed =
        json!({ "title": "巡检失败", "inner": json!({ "note": "y".repeat(9 << 20) }).to_string() }).to_string();
    let lines = format!("巡检失败\n{}", "2026-11-22 06:02:00 one line of the report\n".repeat(240_000));
    let wide: serde_json::Map<String, Value> =
        (0..240_000).map(|number| (format!("name-{number}"), format!("value {number} of the report").into())).collect();
    let wide = json!({ "title": "巡检失败", "values": wide }).to_string();
    for body in [&rows, &packed, &lines, &wide] {
        assert!((8 << 20..16 << 20).contains(&body.len()), "{} bytes", body.len());
        let begun = Instant::now();
        // A body that is still read leaves too little room for the next: its sender tries again.
        let (status, answer) = loop {
            let (status, answer) = world.post("/webhook", body.clone()).await;
            if status != 503 || begun.elapsed() > PATIENCE {
                break (status, answer);
            }
        };
        // A quarter of a million values take more than there is: refused whole, with a remedy.
        let refused = *body == wide && status == 413 && answer.to_string().contains("memory");
        assert!(status == 200 || refused, "{status} {answer}");
    }
    // How many messages they become depends on how soon the first is written.
    let begun = Instant::now();
    while world.inbox("user=daixuan").await.is_empty() {
        assert!(begun.elapsed() < PATIENCE, "nothing is told");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let most = gateway.memory_kib("VmHWM");
    assert!(most < 256 * 1024, "it used {most} KiB at its worst");
}

/// An Alertmanager's body of 20,000 alerts of the usual size, 13 MB.
fn flood() -> String {
    let alert = |number: usize| {
        let instance = format!("10.0.{}.{}:9100", number >> 8, number & 255);
        json!({
            "status": "firing",
            "labels": { "alertname": "磁盘将满", "cluster": "prod-bj", "instance": instance, "job": "node",
                        "mountpoint": "/var", "severity": "warning", "team": "dba", "n": number.to_string() },
            "annotations": { "summary": format!("{instance} 的 /var 已用 96.2%"),
                             "description": "按现在的速度 40 分钟后写满，先清理归档日志，再看慢查询是否在写临时表，然后扩容并通知值班的人",
                             "runbook_url": "https://wiki.example.com/runbook/disk" },
            "startsAt": "2026-11-22T06:02:00Z", "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "https://prometheus.example.com/graph?g0.expr=disk_used%20%3E%2090&g0.tab=1",
            "fingerprint": format!("{number:016x}"),
        })
    };
    let alerts: Vec<Value> = (0..20_000).map(alert).collect();
    json!({ "version": "4", "status": "firing", "receiver": "r", "groupKey": "g", "alerts": alerts }).to_string()
}

#[tokio::test]
async fn twenty_thousand_alerts_in_one_body_are_taken_in_less_memory_than_estimated() {
    let (world, gateway, _) = serve(&format!("memory: 256MB\n{ONE_MEMBER}")).await;
    let (body, idle) = (flood(), gateway.memory_kib("VmRSS"));
    assert!((12 << 20..16 << 20).contains(&body.len()), "{} bytes", body.len());
    let estimate = wegraf::internals::ingest::Weight::of(body.as_bytes()).streamed() as u64 / 1024;
    let answer = world.accept("/webhook", body).await;
    assert_eq!(answer["alerts"], 20_000, "{answer}");
    let taking = gateway.memory_kib("VmHWM") - idle;
    assert!(taking < estimate, "{taking} KiB more than when idle; estimated as {estimate}");
    // The whole notification is read again to write its message, and what differs between its alerts is worked out.
    world.arrived("user=daixuan", 1).await;
    let telling = gateway.memory_kib("VmHWM") - idle;
    assert!(telling < 125 * 1024, "{telling} KiB more than when idle");
}
