//! Self-alerts about sources and about wegraf itself.

use std::time::{Duration, Instant};

use serde_json::json;
use wecom_simulator::Setup;

use super::{FIRING, servers, texts};
use crate::harness::{PATIENCE, World, alertmanager};
use crate::programs::until;

#[tokio::test]
async fn a_source_whose_watchdog_stays_away_is_told_of_until_it_is_back() {
    let rest = r"
sources: { prom: { bearer: prom-token, watchdog: { within: 1m } } }
receivers:
  ops: { targets: [ { app: ops, users: [daixuan], face: text } ] }
  duty: { targets: [ { webhook: dba-group, face: text } ] }
route: { receiver: ops }
alarm: { receiver: duty }
";
    let world = World::with_at_a_standstill(Setup::demo(), rest).await;
    let hear = async || {
        let call = world.http.post(format!("{}/webhook", world.url)).bearer_auth("prom-token");
        let answer = call.body(alertmanager("Watchdog", FIRING)).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    };
    world.pass(Duration::from_secs(50));
    hear().await;
    // Silent for too long since the start, but not since its last heartbeat.
    world.pass(Duration::from_secs(50));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(world.deliveries().await.is_empty(), "an always-firing alert is not told");
    world.pass(Duration::from_secs(11));
    let told = texts(&world.arrived("webhook=sim-dba-group", 1).await);
    assert!(told[0].contains("告警来源没有心跳") && told[0].contains("prom"), "{told:#?}");
    hear().await;
    let told = texts(&world.arrived("webhook=sim-dba-group", 2).await);
    assert!(told[1].contains("告警来源没有心跳") && told[1].contains("恢复"), "{told:#?}");
    world.settled().await;
    assert!(world.inbox("user=daixuan").await.is_empty());
}

#[tokio::test]
async fn a_lane_whose_people_cannot_be_read_is_told_of_by_another_way_until_it_drains() {
    let rest = r"
receivers:
  ops: { targets: [ { app: ops, users_file: people.txt, face: text } ] }
  duty: { targets: [ { webhook: dba-group, face: text } ] }
route: { receiver: ops }
alarm: { receiver: duty }
";
    let mut world = World::idle(Setup::demo(), rest).await;
    world.write("people.txt", "daixuan\n");
    world.stand_still();
    world.start().await;
    std::fs::remove_file(world.folder.path().join("people.txt")).unwrap();
    let critical = alertmanager("主库只读", FIRING).replace("warning", "critical");
    world.accept("/webhook", critical).await;
    let held = async || world.deliveries().await.first()?.error.clone();
    until("the message is held", held).await;
    world.pass(Duration::from_secs(5 * 60 + 1));
    let told = texts(&world.arrived("webhook=sim-dba-group", 1).await);
    for said in ["wegraf 有消息一直发不出去", "people.txt", "等 5 分钟"] {
        assert!(told[0].contains(said), "{said}: {told:#?}");
    }
    world.write("people.txt", "daixuan\n");
    // Held messages are looked at again from time to time.
    world.pass(Duration::from_mins(10));
    world.arrived("user=daixuan", 1).await;
    let told = texts(&world.arrived("webhook=sim-dba-group", 2).await);
    assert!(told[1].contains("恢复") && told[1].contains("wegraf 有消息一直发不出去"), "{told:#?}");
}

/// A gateway that calls `url` while it is healthy.
async fn beating(url: &str, target: &str) -> World {
    let rest = format!(
        "heartbeat: {{ url: '{url}/well', interval: 10s }}\nreceivers:\n  ops: {{ targets: [ {target} ] }}\nroute: {{ receiver: ops }}\n"
    );
    World::with_at_a_standstill(Setup::demo(), &rest).await
}

#[tokio::test]
async fn the_heartbeat_is_heard_while_all_is_well_and_not_while_a_critical_message_is_stuck() {
    let (url, mut beats) = servers::http().await;
    let (stuck_url, mut beats_of_the_stuck) = servers::http().await;
    let stuck = beating(&stuck_url, "{ webhook: gone, face: text }").await;
    let well = beating(&url, "{ webhook: ops-group, face: text }").await;
    for heard in [&mut beats, &mut beats_of_the_stuck] {
        let first = tokio::time::timeout(PATIENCE, heard.recv()).await.unwrap().unwrap();
        assert_eq!((first.method.as_str(), first.path.as_str()), ("GET", "/well"));
    }
    for world in [&stuck, &well] {
        world.accept("/webhook", alertmanager("磁盘", FIRING).replace("warning", "critical")).await;
    }
    well.settled().await;
    let message = stuck.deliveries().await[0].message;
    stuck.delivery(message, |delivery| delivery.row.errcode == Some(93000)).await;
    for world in [&stuck, &well] {
        world.pass(Duration::from_secs(121));
    }
    let begun = Instant::now();
    let second = tokio::time::timeout(PATIENCE, beats.recv()).await;
    assert!(second.unwrap().is_some(), "no second beat after {:?}", begun.elapsed());
    // The other one started earlier, so its second beat would have come earlier, too.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(beats_of_the_stuck.try_recv().is_err(), "a gateway that is stuck says that it is well");
    assert_eq!(json!(stuck.deliveries().await[0].state), json!("queued"));
}

#[tokio::test]
async fn heartbeats_of_kube_prometheus_are_swallowed_unless_the_source_says_otherwise() {
    let rest = r"
sources: { prom: { bearer: prom-token }, told: { bearer: told-token, watchdog: { swallow: false } } }
receivers:
  ops: { targets: [ { app: ops, users: [daixuan], face: text } ] }
  duty: { targets: [ { webhook: dba-group, face: text } ] }
route: { receiver: ops }
alarm: { receiver: duty }
";
    let world = World::with_at_a_standstill(Setup::demo(), rest).await;
    let post = async |token: &str, name: &str, status: &str| {
        let call = world.http.post(format!("{}/webhook", world.url)).bearer_auth(token);
        let answer = call.body(alertmanager(name, &[("db-1", status)])).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    };
    for _ in 0..3 {
        post("prom-token", "Watchdog", "firing").await;
        post("prom-token", "InfoInhibitor", "firing").await;
        world.pass(Duration::from_mins(5));
    }
    post("prom-token", "InfoInhibitor", "resolved").await;
    post("prom-token", "DiskFull", "firing").await;
    let told = texts(&world.arrived("user=daixuan", 1).await);
    assert!(told[0].contains("DiskFull"), "{told:#?}");
    let audit = world.app().store().audit().await.unwrap();
    assert_eq!(audit.suppressed, 2, "each has its fate on record, once a day: {audit:?}");

    post("prom-token", "Watchdog", "resolved").await;
    let told = texts(&world.arrived("webhook=sim-dba-group", 1).await);
    assert!(told[0].contains("告警来源没有心跳") && told[0].contains("prom"), "{told:#?}");
    post("prom-token", "Watchdog", "firing").await;
    let told = texts(&world.arrived("webhook=sim-dba-group", 2).await);
    assert!(told[1].contains("恢复"), "{told:#?}");

    post("told-token", "Watchdog", "firing").await;
    let told = texts(&world.arrived("user=daixuan", 2).await);
    assert!(told[1].contains("Watchdog"), "{told:#?}");
    world.settled().await;
}
