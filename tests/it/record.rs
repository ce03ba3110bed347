//! The record for operators: found, shown, exported, audited, resent; and its part in readiness and metrics.

use std::time::{Duration, Instant};

use axum::http::Method;
use rusqlite::Connection;
use serde_json::{Value, json};
use wecom_simulator::Setup;
use wegraf::internals::alert::Timestamp;
use wegraf::internals::config::Config;
use wegraf::internals::links::LinkKey;
use wegraf::internals::store::Store;
use wegraf::internals::time::Clock;

use crate::harness::{PATIENCE, World, alertmanager};
use crate::process::{Answer, Wegraf, run};

const TWO: &str = r"
timezone: Asia/Shanghai
receivers:
  ops:
    targets:
      - { app: ops, users: [daixuan, zhangsan], face: text }
      - { webhook: ops-group, face: text }
  gone: { targets: [ { app: ops, users: [no-such-person], face: text } ], fallback: ops }
route: { receiver: ops }
";

async fn list(world: &World, arguments: &[&str]) -> Vec<Value> {
    let answer = run(world, &[&["deliveries", "list", "--json", "--limit", "1000"], arguments].concat()).await;
    answer.exits(0).json()["deliveries"].as_array().unwrap().clone()
}

/// The list, once it is as `wanted`.
async fn listed(world: &World, arguments: &[&str], wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let begun = Instant::now();
    loop {
        let rows = list(world, arguments).await;
        if wanted(&rows) {
            return rows;
        }
        assert!(begun.elapsed() < PATIENCE, "the list is not what it should be: {rows:#?}");
    }
}

/// `wegraf deliveries …` beside the gateway of this world.
async fn resend(world: &World, arguments: &[&str]) -> Answer {
    let listen = world.url.trim_start_matches("http://");
    run(world, &[&["deliveries", "resend", "--listen", listen], arguments].concat()).await
}

/// The database, for what no command can do.
fn by_hand(world: &World) -> Connection {
    Connection::open(world.folder.path().join("wegraf.db")).unwrap()
}

#[tokio::test]
async fn the_record_is_found_by_every_filter() {
    let world = World::new(TWO).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    world.accept("/webhook/gone", alertmanager("核心交换机", &[("sw-1", "firing")])).await;
    world.settled().await;
    let all = list(&world, &[]).await;
    assert_eq!(all.len(), 5, "two, one that is dead, and two instead of it: {all:#?}");
    let count = async |arguments: &[&str]| list(&world, arguments).await.len();
    assert_eq!(count(&["--receiver", "gone"]).await, 1);
    assert_eq!(count(&["--target", "webhook/ops-group"]).await, 2);
    assert_eq!(count(&["--state", "dead"]).await, 1);
    assert_eq!(count(&["--state", "folded"]).await, 0);
    assert_eq!(count(&["--errcode", "81013"]).await, 1);
    assert_eq!(count(&["--errcode", "-1"]).await, 0);
    assert_eq!(count(&["--person", "daixuan"]).await, 2);
    assert_eq!(count(&["--person", "DaiXuan", "--label", "instance=sw-1"]).await, 1);
    assert_eq!(count(&["--label", "instance=db-1", "--label", "alertname=磁盘将满"]).await, 2);
    assert_eq!(count(&["--label", "instance=db-1", "--label", "alertname=other"]).await, 0);
    let id = format!("#{}", all[4]["thread"].as_str().unwrap());
    assert_eq!(count(&["--id", &id]).await, 2);
    assert_eq!(count(&["--since", "10m"]).await, 5);
    assert_eq!(count(&["--until", "10m"]).await, 0);
    assert_eq!(
        count(&["--since", "2026-01-01T00:00:00Z", "--until", "1s"]).await.min(5),
        count(&["--until", "1s"]).await
    );
    let zone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
    let ago = jiff::Timestamp::from_millisecond(Clock::System.now().0 - 600_000).unwrap().to_zoned(zone);
    assert_eq!(count(&["--since", &ago.strftime("%m-%d %H:%M").to_string()]).await, 5);
    assert_eq!(count(&["--until", &ago.strftime("%m-%d %H:%M").to_string()]).await, 0);
    let shown =
        run(&world, &["deliveries", "list"]).await.exits(0).says(&["81013", "⇢ 代替 3（app/ops/no-such-person）"]);
    println!("{}", shown.out);
    let shown = run(&world, &["deliveries", "list", "--limit", "2"]).await.exits(0).says(&["there are older ones"]);
    assert_eq!(shown.out.matches('#').count(), 2, "{}", shown.out);
    run(&world, &["deliveries", "list", "--limit", "5"]).await.exits(0);
    for wrong in [
        &["--since", "yesterday"][..],
        &["--since", "1h", "--until", "2h"],
        &["--id", "??"],
        &["--state", "lost"],
        &["--label", "severity"],
        &["--limit", "0"],
    ] {
        run(&world, &[&["deliveries", "list"], wrong].concat()).await.exits(2);
    }
}

#[tokio::test]
async fn a_folded_message_names_its_digest_and_a_digest_its_messages() {
    let world = World::new("receivers: { ops: { targets: [ { webhook: ops-group, face: text } ] } }\n").await;
    for group in 0..40 {
        let name = format!("rule {group}");
        world.accept("/webhook", alertmanager(&name, &[("db-1", "firing"), ("db-2", "firing")])).await;
    }
    let folded = listed(&world, &["--state", "folded"], |rows| rows.len() > 8).await;
    let digest = folded[0]["folded_into"].as_i64().unwrap().to_string();
    let text = run(&world, &["deliveries", "list", "--limit", "200"]).await.exits(0);
    let text = text.says(&[&format!("folded into digest {digest}"), "摘要 告警", "digest"]);
    println!("{}", text.out);
    let shown = run(&world, &["deliveries", "show", &digest]).await.exits(0);
    let shown = shown.says(&["digest", "firing", "alertname=rule"]);
    println!("{}", shown.out);
    let whole = run(&world, &["deliveries", "show", &digest, "--json"]).await.exits(0).json();
    let digested = &whole["deliveries"][0]["digested"];
    assert!(digested["firing"].as_u64().unwrap() >= 18, "{digested:#}");
    let listed = digested["alerts"].as_array().unwrap().len();
    assert!((18..=20).contains(&listed), "{digested:#}");
    let more = digested["firing"].as_u64().unwrap() > 20;
    assert_eq!(shown.out.contains("all behind the link"), more, "{}", shown.out);
    let message = folded[0]["message"].to_string();
    run(&world, &["deliveries", "show", &message]).await.exits(0).says(&[&format!("folded into digest {digest}")]);
    let refused = resend(&world, &[&message]).await.exits(1);
    refused.says(&[&format!("send {digest} again instead")]);
}

#[tokio::test]
async fn an_export_of_any_length_is_complete_and_no_cell_is_a_formula() {
    let world = World::new("receivers: { ops: { targets: [ { webhook: ops-group, face: text } ] } }\n").await;
    world.accept("/webhook", alertmanager("=cmd|'/C calc'!A0,\"x\"", &[("db-1", "firing")])).await;
    world.settled().await;
    by_hand(&world)
        .execute_batch(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1700)
             INSERT INTO message (notification_id, receiver, lane, target, critical, thread, created_at, state,
                                  settled_at)
             SELECT notification_id, receiver, lane, target, 0, thread, created_at, 'sent', created_at
             FROM message, n",
        )
        .unwrap();
    let out = run(&world, &["deliveries", "export"]).await.exits(0).out;
    assert!(out.starts_with('\u{feff}') && out.contains("\"'=cmd|'/C calc'!A0,\"\"x\"\"\""), "{}", &out[..2000]);
    assert_eq!(out.lines().count(), 1702);
    let rows = run(&world, &["deliveries", "export", "--format", "jsonl"]).await.exits(0).out;
    let numbers: Vec<i64> =
        rows.lines().map(|row| serde_json::from_str::<Value>(row).unwrap()["message"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (1..=1701).rev().collect::<Vec<_>>());
    let some =
        run(&world, &["deliveries", "export", "--format", "jsonl", "--label", "instance=db-1"]).await.exits(0).out;
    assert_eq!(some.lines().count(), 1);
    let to_file = ["deliveries", "export", "-o", "record.csv"];
    let said = run(&world, &to_file).await.exits(0).err;
    assert!(said.contains("1701"), "{said}");
    let path = world.folder.path().join("record.csv");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), out);
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions()) & 0o777,
        0o600
    );
    let refused = run(&world, &to_file).await.exits(1).err;
    assert!(refused.contains("never overwritten"), "{refused}");
}

#[tokio::test]
async fn a_resend_goes_through_the_running_gateway_and_else_waits_in_the_store() {
    let mut world = World::idle(Setup::demo(), TWO).await;
    let mut gateway = Wegraf::serve(&mut world).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    let rows = listed(&world, &["--state", "sent"], |rows| rows.len() == 2).await;
    world.arrived("user=daixuan", 1).await;
    resend(&world, &["1"]).await.exits(0).says(&["✓ 1 → 3"]);
    let id = format!("#{}", rows[0]["thread"].as_str().unwrap());
    listed(&world, &["--state", "sent"], |rows| rows.len() == 3).await;
    // Of an incident: the original messages, not their resends.
    let answer = resend(&world, &[&id, "--json"]).await.exits(0).json();
    assert_eq!(answer["resent"], json!([{ "origin": 1, "message": 4 }, { "origin": 2, "message": 5 }]));
    listed(&world, &["--state", "sent"], |rows| rows.len() == 5).await;
    world.arrived("user=daixuan", 3).await;
    world.arrived("webhook=sim-ops-group", 2).await;
    run(&world, &["deliveries", "show", "3"]).await.exits(0).says(&["resent from 1"]);
    resend(&world, &["4711"]).await.exits(1);
    let elsewhere = run(&world, &["deliveries", "resend", "1", "--listen", "127.0.0.1:1"]).await.exits(1);
    assert!(elsewhere.err.contains("--listen"), "{}", elsewhere.err);
    gateway.signal("TERM").await;
    assert!(gateway.ended().await.success());
    resend(&world, &["2"]).await.exits(0).says(&["✓ 2 → 6", "as soon as it is started"]);
    let refused = resend(&world, &["6"]).await.exits(1);
    refused.says(&["not settled yet (queued)"]);
    let _gateway = Wegraf::serve(&mut world).await;
    world.arrived("webhook=sim-ops-group", 3).await;
    run(&world, &["deliveries", "audit"]).await.exits(0);
}

#[tokio::test]
async fn an_order_without_a_signature_of_this_database_is_refused_without_detail() {
    let world = World::new(TWO).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    world.settled().await;
    let (config, _) = Config::load(&world.config_path()).unwrap();
    let key = LinkKey::new(Store::open_reading(&config.database).await.unwrap().link_key().await.unwrap());
    let order = async |path: &str, proof: Option<String>| {
        let mut request = world.http.post(format!("{}{path}", world.url));
        if let Some(proof) = proof {
            request = request.header("authorization", proof);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let path = |message: &str| format!("/api/v1/deliveries/{message}/resend");
    let now = Clock::System.now();
    let sign = |key: &LinkKey, path: &str, now: Timestamp| Some(key.order(&Method::POST, path, b"", now));
    let one = path("1");
    let other = LinkKey::new(vec![0; 32]);
    for proof in [
        None,
        Some("Bearer x".into()),
        sign(&other, &one, now),
        sign(&key, &path("2"), now),
        sign(&key, &one, now.plus_millis(-90_000)),
    ] {
        let (status, answer) = order(&one, proof).await;
        assert_eq!(status, 401, "{answer}");
        assert!(!answer.to_string().contains("daixuan"), "{answer}");
    }
    assert_eq!(list(&world, &[]).await.len(), 2, "nothing was sent again");
    for unknown in ["4711", "x"] {
        let (status, answer) = order(&path(unknown), sign(&key, &path(unknown), now)).await;
        assert_eq!(status, 404);
        assert!(answer["error"].as_str().unwrap().contains("there is no message"), "{answer}");
    }
    let (status, answer) = order(&one, sign(&key, &one, now)).await;
    assert_eq!((status, answer), (200, json!({ "message": 3, "origin": 1 })));
}

#[tokio::test]
async fn the_audit_tells_fates_and_fails_when_one_contradicts_its_message() {
    let world = World::new(TWO).await;
    world.accept("/webhook/gone", alertmanager("核心交换机", &[("sw-1", "firing")])).await;
    world.settled().await;
    let balanced = run(&world, &["deliveries", "audit"]).await.exits(0);
    println!("{}", balanced.says(&["✓", "exactly one fate"]).out);
    let fates = run(&world, &["deliveries", "audit", "--json"]).await.exits(0).json();
    assert_eq!((&fates["dead"], &fates["named"], &fates["imbalance"]), (&json!(1), &json!(2), &json!(0)));
    let hand = by_hand(&world);
    hand.execute_batch("DROP TRIGGER message_is_final; UPDATE message SET state = 'dead' WHERE id = 2").unwrap();
    let wrong = run(&world, &["deliveries", "audit"]).await.exits(1);
    println!("{}", wrong.says(&["✗", "a bug of wegraf"]).out);
    assert_eq!(run(&world, &["deliveries", "audit", "--json"]).await.exits(1).json()["imbalance"], 1);
}

#[tokio::test]
async fn readiness_lists_warnings_and_the_metrics_count_them() {
    let world = World::at_a_standstill(TWO).await;
    let ready = async || {
        let answer = world.http.get(format!("{}/readyz", world.url)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(ready().await, (200, "ready\n".to_owned()));
    assert!(world.metric(r#"wegraf_breaker_open{scope="webhook/ops-group"}"#).await.abs() < 0.5);
    world
        .fault(json!({ "match": { "path": "webhook/send" }, "action": { "errcode": 93000 }, "times": "forever" }))
        .await;
    let critical = alertmanager("磁盘将满", &[("db-1", "firing")]).replace("warning", "critical");
    world.accept("/webhook", critical).await;
    world.arrived("user=daixuan", 1).await;
    let begun = Instant::now();
    while world.metric(r#"wegraf_breaker_open{scope="webhook/ops-group"}"#).await < 0.5 {
        assert!(begun.elapsed() < PATIENCE, "no breaker opens");
    }
    assert!(world.metric(r#"wegraf_breaker_open{scope="app/ops"}"#).await.abs() < 0.5);
    // The member's message has arrived, and is recorded as sent a moment later.
    while (world.metric("wegraf_outbox_critical_messages").await - 1.0).abs() > 0.5 {
        assert!(begun.elapsed() < PATIENCE, "one critical message waits");
    }
    let (status, text) = ready().await;
    assert_eq!(status, 200);
    assert!(text.starts_with("ready\n") && text.contains("sending by webhook/ops-group is paused"), "{text}");
    assert!(!text.contains("has waited"), "{text}");
    world.pass(Duration::from_secs(130));
    let (status, text) = ready().await;
    println!("{text}");
    assert_eq!(status, 200);
    assert!(text.contains("a critical message has waited for 2 min"), "{text}");
    assert!(world.metric("wegraf_outbox_oldest_critical_seconds").await >= 130.0);
}
