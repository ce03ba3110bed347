//! Recipients who were not reached: another receiver is told, or the alarm's receiver is told of the loss.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use wegraf::internals::names::{LaneKey, SourceId};
use wegraf::internals::store::{Fate, State};

use super::{FIRING, RESOLVED, servers, texts};
use crate::harness::{PATIENCE, World, alertmanager};

const BACKUP: &str = r"
receivers:
  ops: { fallback: backup, targets: [ { app: ops, users: [daixuan], face: markdown } ] }
  part: { fallback: backup, targets: [ { app: ops, users: [daixuan, ghost], face: text } ] }
  backup: { targets: [ { webhook: dba-group, face: text } ] }
route: { receiver: ops }
";

#[tokio::test]
async fn a_message_that_is_refused_goes_to_the_fallback_and_says_why() {
    let world = World::new(BACKUP).await;
    world
        .fault(json!({ "match": { "path": "message/send" }, "action": { "errcode": 40058 }, "times": "forever" }))
        .await;
    world.accept("/webhook", alertmanager("磁盘", FIRING)).await;
    let told = texts(&world.arrived("webhook=sim-dba-group", 1).await);
    for said in ["磁盘", "转自 应用 ops（daixuan）", "未能送达", "40058"] {
        assert!(told[0].contains(said), "{said} is missing: {told:#?}");
    }
    world.settled().await;
    let rows = world.deliveries().await;
    // Once in its own form and once as plain text.
    assert_eq!((rows[0].lane.as_str(), rows[0].state, rows[0].attempts), ("app/ops/daixuan", State::Dead, 2));
    assert_eq!(
        (rows[1].receiver.as_str(), rows[1].state, rows[1].origin),
        ("backup", State::Sent, Some(rows[0].message))
    );
    assert_eq!(rows[0].thread, rows[1].thread, "both bear the same short id");
    let dead = world.delivery(rows[0].message, |_| true).await;
    assert_eq!((dead.transitions[0].fate, dead.transitions[0].reason.as_deref()), (Fate::Dead, Some("refused:40058")));
    let audit = world.app().store().audit().await.unwrap();
    assert_eq!((audit.dead, audit.named, audit.imbalance), (1, 1, 0), "{audit:?}");
    // Longer than the interval of `watch`: with a fallback no self-alert is sent.
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(world.deliveries().await.len(), 2);
    // Its end goes to the fallback, too.
    world.accept("/webhook", alertmanager("磁盘", RESOLVED)).await;
    let told = texts(&world.arrived("webhook=sim-dba-group", 2).await);
    assert!(told[1].contains("恢复") && told[1].contains("转自"), "{told:#?}");
}

#[tokio::test]
async fn a_removed_webhook_fails_over_at_once_and_opens_no_breaker() {
    let removed = r"
receivers:
  ops: { fallback: backup, targets: [ { webhook: gone, face: text } ] }
  backup: { targets: [ { webhook: dba-group, face: text } ] }
route: { receiver: ops }
";
    let world = World::new(removed).await;
    for (count, state) in [FIRING, RESOLVED, FIRING].into_iter().enumerate() {
        world.accept("/webhook", alertmanager("磁盘", state)).await;
        let told = texts(&world.arrived("webhook=sim-dba-group", count + 1).await);
        assert!(told[count].contains("转自") && told[count].contains("93000"), "{told:#?}");
    }
    assert!(world.app().store().breakers().await.unwrap().is_empty());
}

#[tokio::test]
async fn those_whom_wecom_did_not_reach_are_named_to_the_fallback() {
    let world = World::new(BACKUP).await;
    world.accept("/webhook/part", alertmanager("磁盘", FIRING)).await;
    let told = texts(&world.arrived("webhook=sim-dba-group", 1).await);
    assert!(told[0].contains("磁盘") && told[0].contains("ghost 未收到"), "{told:#?}");
    assert!(!told[0].contains("daixuan 未收到") && !told[0].contains("未能送达"), "{told:#?}");
    world.settled().await;
    assert_eq!(world.inbox("user=daixuan").await.len(), 1, "the others have it, once");
    let rows = world.deliveries().await;
    assert_eq!((rows[0].state, rows[0].outcome.as_deref()), (State::Sent, Some("accepted_in_part")));
    assert_eq!((rows[1].state, rows[1].origin), (State::Sent, Some(rows[0].message)));
    assert_eq!(rows.len(), 2);
}

#[tokio::test]
async fn without_a_fallback_a_dead_message_is_reported_by_another_lane() {
    let rest = r"
receivers:
  ops: { targets: [ { app: ops, users: [ghost], face: text }, { webhook: ops-group, face: text } ] }
route: { receiver: ops }
";
    let world = World::new(rest).await;
    let begun = Instant::now();
    world.accept("/webhook", alertmanager("磁盘", FIRING)).await;
    let told = texts(&world.arrived("webhook=sim-ops-group", 2).await);
    assert!(begun.elapsed() < Duration::from_secs(10), "after {:?}", begun.elapsed());
    assert!(told[0].contains("磁盘") && !told[0].contains("wegraf 有消息没有送到"), "{told:#?}");
    assert!(told[1].contains("wegraf 有消息没有送到") && told[1].contains("81013"), "{told:#?}");
    world.settled().await;
    let rows = world.deliveries().await;
    assert_eq!((rows[0].lane.as_str(), rows[0].state), ("app/ops/ghost", State::Dead));
    let alarms: Vec<_> = rows.iter().filter(|row| row.source == SourceId::Wegraf).collect();
    assert_eq!(alarms.len(), 1, "it is not sent where it cannot arrive: {alarms:#?}");
    assert_eq!(alarms[0].lane, LaneKey::stored("webhook/ops-group"));
}

#[tokio::test]
async fn a_fallback_may_be_a_mail_and_a_call_of_a_generic_webhook() {
    let (mail_port, mut mails) = servers::mail().await;
    let (hook_url, mut calls) = servers::http().await;
    let rest = format!(
        r"
smtp: {{ host: 127.0.0.1, port: {mail_port}, tls: none, from: wegraf@example.com }}
hooks: {{ pager: {{ url: '{hook_url}/page', bearer: hook-token }} }}
receivers:
  ops: {{ fallback: backup, targets: [ {{ app: ops, users: [ghost], face: text }} ] }}
  backup: {{ targets: [ {{ email: [duty@example.com] }}, {{ hook: pager }} ] }}
route: {{ receiver: ops }}
"
    );
    let world = World::new(&rest).await;
    world.accept("/webhook", alertmanager("磁盘", FIRING)).await;
    world.settled().await;
    let rows = world.deliveries().await;
    let states: Vec<(&str, State)> = rows.iter().map(|row| (row.lane.as_str(), row.state)).collect();
    let sent = [("email/duty@example.com", State::Sent), ("hook/pager", State::Sent)];
    assert_eq!(states, [&[("app/ops/ghost", State::Dead)], &sent[..]].concat());
    assert!(rows[1..].iter().all(|row| row.origin == Some(rows[0].message)), "{rows:#?}");

    let mail = mails.recv().await.unwrap();
    let (head, body) = mail.split_once("\r\n\r\n").unwrap();
    assert!(
        head.contains("RCPT TO:<duty@example.com>") && head.contains(&format!("{}.wegraf@", rows[0].thread)),
        "{head}"
    );
    assert!(head.contains("Content-Transfer-Encoding: base64"), "{head}");
    let body = BASE64_STANDARD.decode(body.replace("\r\n", "")).unwrap();
    let body = String::from_utf8(body).unwrap();
    let call = calls.recv().await.unwrap();
    assert_eq!((call.method.as_str(), call.path.as_str()), ("POST", "/page"));
    assert_eq!(call.headers["authorization"], "Bearer hook-token");
    assert!(!call.headers["idempotency-key"].is_empty());
    let news: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!((&news["kind"], &news["receiver"]), (&json!("alerts"), &json!("backup")), "{news:#}");
    assert_eq!(news["id"], format!("#{}", rows[0].thread));
    for text in [body.as_str(), news["text"].as_str().unwrap()] {
        for said in ["磁盘", "转自 应用 ops（ghost）", "81013"] {
            assert!(text.contains(said), "{said} is missing: {text}");
        }
    }
}

/// WeCom's host answers nothing.
async fn host_away(world: &World) {
    for path in ["message/send", "get_api_domain_ip", "gettoken"] {
        world.fault(json!({ "match": { "path": path }, "action": "reset_before", "times": "forever" })).await;
    }
}

/// The text of the next call of a hook that is not about wegraf itself; until then time passes.
async fn told(world: &World, calls: &mut UnboundedReceiver<servers::Call>) -> String {
    let begun = Instant::now();
    loop {
        if let Some(text) = told_already(calls) {
            return text;
        }
        assert!(begun.elapsed() < PATIENCE, "{:#?}", world.deliveries().await);
        world.pass(Duration::from_secs(6));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn told_already(calls: &mut UnboundedReceiver<servers::Call>) -> Option<String> {
    let text = |call: servers::Call| {
        let news: Value = serde_json::from_slice(&call.body).unwrap();
        news["text"].as_str().unwrap().to_owned()
    };
    std::iter::from_fn(|| calls.try_recv().ok()).map(text).find(|text| text.contains("转自"))
}

#[tokio::test]
async fn what_waits_for_too_long_is_told_by_the_fallback_and_arrives_late_with_a_mark() {
    let (hook_url, mut calls) = servers::http().await;
    let rest = format!(
        r"
hooks: {{ pager: {{ url: '{hook_url}/page' }} }}
receivers:
  ops: {{ fallback: backup, targets: [ {{ app: ops, users: [daixuan], face: text }} ] }}
  backup: {{ targets: [ {{ hook: pager }} ] }}
route: {{ receiver: ops }}
"
    );
    let mut world = World::at_a_standstill(&rest).await;
    host_away(&world).await;
    world.accept("/webhook", alertmanager("库挂了", FIRING).replace("warning", "critical")).await;
    world.accept("/webhook", alertmanager("磁盘", FIRING)).await;
    // Two minutes for the critical one, by default.
    world.pass(Duration::from_secs(110));
    let text = told(&world, &mut calls).await;
    for said in ["库挂了", "转自 应用 ops（daixuan）", "等了 2 分钟还没送出"] {
        assert!(text.contains(said), "{said} is missing: {text}");
    }
    // A quarter of an hour for the other; a restart changes nothing.
    world.pass(Duration::from_mins(11));
    world.stop().await;
    world.start().await;
    world.pass(Duration::from_mins(1));
    let text = told(&world, &mut calls).await;
    assert!(text.contains("磁盘") && text.contains("等了 15 分钟"), "{text}");
    // Once, however long it takes.
    world.pass(Duration::from_hours(1));
    world.control("DELETE", "faults", Value::Null).await;
    let begun = Instant::now();
    while world.inbox("user=daixuan").await.len() < 2 {
        assert!(begun.elapsed() < PATIENCE, "{:#?}", world.deliveries().await);
        world.pass(Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let late = texts(&world.inbox("user=daixuan").await);
    assert!(late.iter().all(|text| text.contains("迟到 1 小时") || text.contains("迟到 7")), "{late:#?}");
    assert!(late.iter().all(|text| text.contains("期间已转告备用接收者")), "{late:#?}");
    world.settled().await;
    assert_eq!(told_already(&mut calls), None, "the fallback is told once");
}
