//! The bound of the database's size, with the built program.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use wecom_simulator::Setup;

use crate::harness::{PATIENCE, World};
use crate::process::Wegraf;

const TWO_LANES: &str = r"
retention: { raw: 1h, size: 64MB }
receivers:
  ops: { targets: [ { webhook: ops-group, face: markdown } ] }
  stuck: { targets: [ { app: ops, users_file: people.txt, face: markdown } ] }
route: { receiver: ops }
";
const MIB: u64 = 1 << 20;

/// One alert in a body of a megabyte.
fn large(name: &str, severity: &str) -> String {
    json!({
        "version": "4", "receiver": "wegraf", "status": "firing",
        "alerts": [{
            "status": "firing",
            "labels": { "alertname": name, "severity": severity },
            "annotations": { "summary": format!("{name} 不好了"), "dump": noise(1_000_000) },
            "startsAt": "2026-11-22T06:02:00Z", "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example.com/graph",
        }],
        "groupLabels": { "alertname": name }, "commonLabels": {}, "commonAnnotations": {},
        "externalURL": "http://alertmanager.example.com", "groupKey": format!("{{}}:{name}"), "truncatedAlerts": 0,
    })
    .to_string()
}

fn noise(length: usize) -> String {
    (0..length).map(|_| char::from(b'a' + rand::random::<u8>() % 26)).collect()
}

/// What the database takes on the disk, its log included.
fn on_disk(folder: &Path) -> u64 {
    let files = ["wegraf.db", "wegraf.db-wal", "wegraf.db-shm"];
    files.iter().filter_map(|name| std::fs::metadata(folder.join(name)).ok()).map(|about| about.len()).sum()
}

#[tokio::test]
async fn a_stuck_lane_does_not_keep_the_database_from_its_bound_and_is_told_when_it_is_repaired() {
    let mut world = World::idle(Setup::demo(), TWO_LANES).await;
    world.write("people.txt", "daixuan\n");
    let _gateway = Wegraf::serve(&mut world).await;
    std::fs::remove_file(world.folder.path().join("people.txt")).unwrap();
    world.accept("/webhook/stuck", large("没人收到", "critical")).await;
    let mut largest = 0;
    for number in 0..100 {
        world.accept("/webhook", large(&format!("磁盘{number}"), "warning")).await;
        largest = largest.max(on_disk(world.folder.path()));
    }
    let begun = Instant::now();
    let mut bytes = on_disk(world.folder.path());
    while bytes > 64 * MIB {
        assert!(begun.elapsed() < 3 * PATIENCE, "the database takes {} MiB", bytes / MIB);
        tokio::time::sleep(Duration::from_millis(100)).await;
        bytes = on_disk(world.folder.path());
    }
    println!("at most {} MiB, in the end {} MiB", largest / MIB, bytes / MIB);
    world.write("people.txt", "daixuan\n");
    let begun = Instant::now();
    // It looks once a minute whether a person has repaired it.
    while world.inbox("user=daixuan").await.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(90), "what was stuck is not told");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let told = world.inbox("user=daixuan").await;
    assert!(told[0]["content"].to_string().contains("没人收到 不好了"), "it is written from its body: {told:#?}");
}
