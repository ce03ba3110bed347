//! An alert that is not acknowledged in time is escalated, with a clock that the test controls.

use std::time::Duration;

use serde_json::json;
use wecom_simulator::Setup;
use wegraf::internals::alert::Timestamp;

use crate::harness::World;
use crate::programs::until;
use crate::witness_alertmanager::{holds, texts};

/// An Alertmanager webhook with one critical alert.
fn alert(rule: &str, status: &str, severity: &str) -> String {
    let ended = if status == "resolved" { "2026-01-05T12:40:00Z" } else { "0001-01-01T00:00:00Z" };
    json!({
        "version": "4", "receiver": "wegraf", "status": status, "groupKey": "g", "truncatedAlerts": 0,
        "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://am.example.com",
        "alerts": [{
            "status": status, "labels": { "alertname": rule, "instance": "db-1", "severity": severity },
            "annotations": {}, "startsAt": "2026-01-05T12:00:00Z", "endsAt": ended, "generatorURL": "",
        }],
    })
    .to_string()
}

/// First the group, after ten minutes the person on duty, after half an hour the second line, for critical alerts after
/// an hour another group.
const STEPS: &str = r"
rotas: { dba: rota.yaml }
receivers:
  ops:
    targets: [ { webhook: ops-group, face: text } ]
    escalate:
      - { after: 10m, app: ops, on_call: dba, face: text }
      - { after: 30m, app: ops, on_call: dba/backup, face: text }
      - { after: 1h, receiver: boss, only: critical }
  boss: { targets: [ { webhook: dba-group, face: text } ] }
route: { receiver: ops }
may_act: { users: [lisi] }
";

/// A day each from 09:00 in Shanghai: zhangsan on the 5th.
const ROTA: &str = "every: 1d\nstart: 2026-01-05\npeople: [zhangsan, lisi]\nbackup: [wangwu]\n";

/// A world whose clock stands at 2026-01-05 20:00 in Shanghai.
async fn world() -> World {
    let mut world = World::idle(Setup::demo(), STEPS).await;
    world.write("rota.yaml", ROTA);
    let evening: jiff::Timestamp = "2026-01-05T20:00:00+08:00".parse().unwrap();
    world.stand_still_at(Timestamp(evening.as_millisecond()));
    world.start().await;
    world
}

/// Waits for the next round of escalations, which run every second.
async fn looked(world: &World) {
    world.app().acts().escalate_once().await.unwrap();
    world.settled().await;
}

async fn texts_of(world: &World, whose: &str, count: usize) -> Vec<String> {
    texts(&world.arrived(whose, count).await)
}

#[tokio::test]
async fn an_unacknowledged_alert_takes_all_steps_and_all_are_told_of_its_end() {
    let world = world().await;
    world.accept("/webhook", alert("主库只读", "firing", "critical")).await;
    texts_of(&world, "webhook=sim-ops-group", 1).await;
    world.pass(Duration::from_mins(9));
    looked(&world).await;
    assert!(world.inbox("user=zhangsan").await.is_empty(), "too early");

    world.pass(Duration::from_mins(1));
    looked(&world).await;
    let duty = texts_of(&world, "user=zhangsan", 1).await;
    holds(&duty[0], &["主库只读", "db-1", "升级", "ops 已 10 分钟无人认领"]);
    world.pass(Duration::from_mins(20));
    looked(&world).await;
    let backup = texts_of(&world, "user=wangwu", 1).await;
    holds(&backup[0], &["30 分钟无人认领"]);
    world.pass(Duration::from_mins(30));
    looked(&world).await;
    let boss = texts_of(&world, "webhook=sim-dba-group", 1).await;
    holds(&boss[0], &["60 分钟无人认领"]);
    world.pass(Duration::from_hours(5));
    looked(&world).await;

    world.accept("/webhook", alert("主库只读", "resolved", "critical")).await;
    looked(&world).await;
    let id = |text: &str| text.lines().last().unwrap().trim().to_owned();
    for whose in ["user=zhangsan", "user=wangwu", "webhook=sim-dba-group", "webhook=sim-ops-group"] {
        let told = texts_of(&world, whose, 2).await;
        holds(&told[1], &["已恢复", "主库只读"]);
        assert_eq!((id(&told[0]), id(&told[1])), (id(&duty[0]), id(&duty[0])), "one episode has one short id");
    }
    assert!(world.inbox("user=lisi").await.is_empty(), "he was not on duty");
    world.settled().await;
}

#[tokio::test]
async fn an_acknowledgement_stops_the_steps_and_a_release_continues_them() {
    let world = world().await;
    world.accept("/webhook", alert("主库只读", "firing", "critical")).await;
    let told = texts_of(&world, "webhook=sim-ops-group", 1).await;
    let id = told[0].lines().last().unwrap().trim().to_owned();
    world.pass(Duration::from_mins(10));
    looked(&world).await;
    texts_of(&world, "user=zhangsan", 1).await;
    act(&world, &format!("认领 {id}")).await;
    let heard = texts_of(&world, "user=zhangsan", 2).await;
    holds(&heard[1], &["李四 已认领", "主库只读"]);
    texts_of(&world, "webhook=sim-ops-group", 2).await;
    world.pass(Duration::from_hours(3));
    looked(&world).await;
    assert!(world.inbox("user=wangwu").await.is_empty(), "it is acknowledged");

    act(&world, &format!("放弃 {id}")).await;
    looked(&world).await;
    holds(&texts_of(&world, "user=wangwu", 1).await[0], &["无人认领"]);
    world.accept("/webhook", alert("主库只读", "resolved", "critical")).await;
    looked(&world).await;
    holds(&texts_of(&world, "user=wangwu", 2).await[1], &["已恢复"]);
}

#[tokio::test]
async fn a_step_for_critical_alerts_leaves_the_others_and_what_is_over_takes_none() {
    let world = world().await;
    world.accept("/webhook", alert("磁盘将满", "firing", "warning")).await;
    for minutes in [10, 20, 30, 60] {
        world.pass(Duration::from_mins(minutes));
        looked(&world).await;
    }
    texts_of(&world, "user=zhangsan", 1).await;
    texts_of(&world, "user=wangwu", 1).await;
    assert!(world.inbox("webhook=sim-dba-group").await.is_empty());

    world.accept("/webhook", alert("支付失败", "firing", "critical")).await;
    world.pass(Duration::from_mins(5));
    world.accept("/webhook", alert("支付失败", "resolved", "critical")).await;
    world.pass(Duration::from_hours(2));
    looked(&world).await;
    assert_eq!(world.inbox("user=zhangsan").await.len(), 1, "it was over before the first step");
}

#[tokio::test]
async fn a_gateway_that_was_away_takes_the_steps_that_came_due_meanwhile() {
    let mut world = world().await;
    world.accept("/webhook", alert("主库只读", "firing", "critical")).await;
    texts_of(&world, "webhook=sim-ops-group", 1).await;
    world.settled().await;
    world.stop().await;
    world.pass(Duration::from_mins(45));
    world.start().await;
    looked(&world).await;
    texts_of(&world, "user=zhangsan", 1).await;
    texts_of(&world, "user=wangwu", 1).await;
    assert!(world.inbox("webhook=sim-dba-group").await.is_empty(), "not yet an hour");
}

#[tokio::test]
async fn earlier_steps_are_told_of_the_end_although_the_configuration_lost_them() {
    let step = "    escalate: [ { after: 10m, receiver: boss } ]\n";
    let rest = |step: &str| {
        format!(
            "receivers:\n  ops:\n    targets: [ {{ webhook: ops-group, face: text }} ]\n{step}  boss: {{ targets: [ {{ webhook: dba-group, face: text }} ] }}\nroute: {{ receiver: ops }}\n"
        )
    };
    let world = World::at_a_standstill(&rest(step)).await;
    world.accept("/webhook", alert("主库只读", "firing", "critical")).await;
    world.pass(Duration::from_mins(10));
    looked(&world).await;
    texts_of(&world, "webhook=sim-dba-group", 1).await;
    world.write_config(&rest(""));
    world.app().reload();
    world.accept("/webhook", alert("主库只读", "resolved", "critical")).await;
    looked(&world).await;
    holds(&texts_of(&world, "webhook=sim-dba-group", 2).await[1], &["已恢复", "主库只读"]);
}

/// A text of lisi to the app.
async fn act(world: &World, text: &str) {
    let actor = wegraf::internals::answer::Actor {
        id: "lisi".to_owned(),
        via: wegraf::internals::answer::Via::App("ops".to_owned()),
    };
    let event = format!("{}", rand::random::<u64>());
    world.app().acts().ask(&actor, &event, text).await.unwrap();
    until("it is told", async || world.app().store().audit().await.is_ok_and(|audit| audit.pending == 0).then_some(()))
        .await;
}
