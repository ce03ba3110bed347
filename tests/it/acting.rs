//! The whole way, with a real Alertmanager: an alert fires, somebody takes it, silences it upstream, and everybody hears
//! when it is over, although the silence keeps upstream from telling.

use serde_json::{Value, json};
use wecom_simulator::Setup;

use crate::cards::{acts, card_of, check, press, with_callback};
use crate::harness::World;
use crate::programs::{Server, alert, until};
use crate::witness_alertmanager::{holds, texts};

/// Alertmanager tells the gateway at once and then every second.
fn telling(url: &str) -> String {
    format!(
        "route:\n  receiver: wegraf\n  group_by: [alertname]\n  group_wait: 100ms\n  group_interval: 1s\n  repeat_interval: 1h\nreceivers: [ {{ name: wegraf, webhook_configs: [ {{ url: '{url}' }} ] }} ]\n"
    )
}

fn host(over: bool) -> Value {
    let labels = json!({ "alertname": "主机失联", "instance": "web-1", "severity": "critical", "replica": "a" });
    alert(&labels, "1 分钟没有心跳", over)
}

#[tokio::test]
async fn it_fires_is_taken_silenced_upstream_and_over_and_all_who_saw_it_are_told() {
    let mut world = World::idle(Setup::demo(), "").await;
    let address = xtask::gateway::free().unwrap();
    let config = telling(&format!("http://{address}/webhook"));
    let Some(upstream) = Server::alertmanager(world.folder.path(), &config).await else { return };
    let rest = format!(
        "upstreams: {{ am: {{ kind: alertmanager, url: '{}', gone_after: 3s }} }}\nreceivers:\n  ops:\n    targets:\n      - {{ app: ops, users: [zhangsan, lisi], face: card }}\n      - {{ webhook: ops-group, face: text }}\n    escalate: [ {{ after: 5m, receiver: boss }} ]\n  boss: {{ targets: [ {{ webhook: dba-group, face: text }} ] }}\nroute: {{ receiver: ops }}\n",
        upstream.url
    );
    with_callback(&world, &rest);
    world.start_at(address).await;
    check(&world).await;

    upstream.fire(&[host(false)]).await;
    let card = world.arrived("user=zhangsan", 1).await.remove(0);
    assert_eq!(card["content"]["card_type"], "button_interaction");
    press(&world, &card, "zhangsan", "acknowledge", None).await;
    card_of(&world, "user=lisi", |text| text.contains("zhangsan")).await;
    holds(&texts(&world.arrived("webhook=sim-ops-group", 2).await)[1], &["zhangsan 已认领", "主机失联"]);
    let due = world.app().store().due_escalations(world.app().now().plus_millis(3_600_000), 10).await.unwrap();
    assert!(due.is_empty(), "the escalation stops: {due:?}");

    press(&world, &card, "lisi", "silence", Some("1h")).await;
    card_of(&world, "user=zhangsan", |text| text.contains("（lisi）")).await;
    holds(&texts(&world.arrived("webhook=sim-ops-group", 3).await)[2], &["lisi 静默", "主机失联"]);
    let silences: Value = serde_json::from_str(&upstream.get("/api/v2/silences").await.unwrap()).unwrap();
    let [silence] = &silences.as_array().unwrap()[..] else { panic!("{silences:#}") };
    assert_eq!((&silence["createdBy"], &silence["status"]["state"]), (&json!("lisi"), &json!("active")));
    holds(&silence["matchers"].to_string(), &["主机失联", "web-1", "critical"]);
    assert!(!silence["matchers"].to_string().contains("replica"), "that one differs per replica");

    upstream.fire(&[host(true)]).await;
    let told = texts(&world.arrived("webhook=sim-ops-group", 4).await);
    holds(&told[3], &["已恢复", "主机失联"]);
    card_of(&world, "user=lisi", |text| text.contains("已恢复")).await;
    assert_eq!(world.inbox("user=zhangsan").await.len(), 1, "on the card itself");
    world.settled().await;
    let kinds: Vec<String> = acts(&world)
        .await
        .iter()
        .map(|act| format!("{} {} {}", act.by, act.kind.as_str(), act.state.as_str()))
        .collect();
    assert_eq!(kinds, ["zhangsan acknowledge done", "lisi silence done"]);
    until("nothing more comes", async || (world.inbox("webhook=sim-dba-group").await.is_empty()).then_some(())).await;
}
