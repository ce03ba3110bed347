//! A lane that is behind: critical alerts first, everything named or counted, no limit of WeCom exceeded.

use serde_json::Value;
use wegraf::internals::store::State;

use super::texts;
use crate::harness::{World, alertmanager};

#[tokio::test]
async fn a_storm_is_folded_with_its_first_critical_alert_alone_and_at_once() {
    let rest = "receivers:\n  ops: { targets: [ { webhook: ops-group, face: text } ] }\nroute: { receiver: ops }\n";
    let world = World::with_at_a_standstill(wecom_simulator::Setup::demo(), rest).await;
    // One by one, until the minute's budget for messages that are not urgent is spent.
    for number in 0..13 {
        world.accept("/webhook", alertmanager(&format!("普通{number}"), &[("a", "firing")])).await;
        world.settled().await;
    }
    assert_eq!(world.inbox("webhook=sim-ops-group").await.len(), 13);
    for number in 0..60 {
        world
            .accept("/webhook", alertmanager(&format!("风暴{}", number % 3), &[(&format!("主机{number}"), "firing")]))
            .await;
    }
    let critical = alertmanager("主库只读", &[("db-0", "firing")]).replace("warning", "critical");
    world.accept("/webhook", critical).await;
    // So that the lane is looked at again.
    world.pass(std::time::Duration::from_secs(1));
    let told = texts(&world.arrived("webhook=sim-ops-group", 14).await);
    assert!(told[13].contains("主库只读") && !told[13].contains("风暴"), "out of the reserve: {told:#?}");
    // A minute later the rest is told by one message.
    world.pass(std::time::Duration::from_secs(75));
    world.control("POST", "clock", serde_json::json!({ "advance_ms": 75_000 })).await;
    let told = texts(&world.arrived("webhook=sim-ops-group", 15).await);
    world.settled().await;
    let digest = &told[14];
    assert!(digest.contains("60"), "{digest}");
    for rule in ["风暴0", "风暴1", "风暴2"] {
        assert!(digest.contains(rule), "{rule} is missing: {digest}");
    }
    let rows = world.deliveries().await;
    let digests: Vec<_> = rows.iter().filter(|row| row.digest).collect();
    assert_eq!(digests.len(), 1, "{digests:#?}");
    assert_eq!((digests[0].state, digests[0].firing), (State::Sent, 60));
    let folded = rows.iter().filter(|row| row.state == State::Folded && row.folded_into == Some(digests[0].message));
    assert_eq!(folded.count(), 60);
    let audit = world.app().store().audit().await.unwrap();
    assert_eq!(
        (audit.named + audit.counted, audit.dead, audit.suppressed, audit.imbalance),
        (74, 0, 0, 0),
        "{audit:?}"
    );
    let counters = world.control("GET", "counters", Value::Null).await;
    assert_eq!(counters["by_errcode"]["45009"], Value::Null, "{counters:#}");
    assert!(counters["max_per_minute"]["webhooks"]["sim-ops-group"].as_u64() <= Some(18), "{counters:#}");
}
