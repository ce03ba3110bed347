//! Messages that wait for their way or may be copies, and several webhooks that share a load.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wecom_simulator::{Setup, User, Webhook};
use wegraf::internals::names::SourceId;
use wegraf::internals::store::{OUTAGE, State};

use super::{FIRING, RESOLVED, texts};
use crate::harness::{PATIENCE, World, alertmanager};

#[tokio::test]
async fn a_copy_that_may_be_one_says_so_in_a_group_and_is_not_seen_where_wecom_compares() {
    let rest = r"
receivers:
  group: { targets: [ { webhook: ops-group, face: text } ] }
  chat: { targets: [ { app: ops, chat: AITest, face: text } ] }
  one: { targets: [ { app: ops, users: [daixuan], face: text } ] }
route: { receiver: one }
";
    let world = World::new(rest).await;
    // All arrive, but the answers are lost. One after the other: three consecutive ones are an outage.
    for (receiver, path) in [("group", "webhook/send"), ("chat", "appchat/send"), ("one", "message/send")] {
        world.fault(json!({ "match": { "path": path }, "action": "reset_after" })).await;
        world.accept(&format!("/webhook/{receiver}"), alertmanager("磁盘", FIRING)).await;
        world.settled().await;
    }
    for whose in ["webhook=sim-ops-group", "chat=AITest"] {
        let told = texts(&world.arrived(whose, 2).await);
        assert!(!told[0].contains("可能重复") && told[1].contains("可能重复"), "{whose}: {told:#?}");
        assert_eq!(told[1].replace("【可能重复】", ""), told[0], "{whose}: it says the same");
    }
    let told = texts(&world.inbox("user=daixuan").await);
    assert!(told.len() == 1 && !told[0].contains("可能重复"), "{told:#?}");
    let sends = world.requests("message/send").await;
    assert_eq!(sends.len(), 2);
    assert_eq!(sends[0]["body"], sends[1]["body"], "the same bytes, so that WeCom can compare");
    for row in world.deliveries().await {
        assert_eq!((row.state, row.attempts), (State::Sent, 2), "{row:#?}");
    }
}

/// Waits until so many breakers are open.
async fn open_breakers(world: &World, count: usize) -> Vec<wegraf::internals::store::Breaker> {
    let begun = Instant::now();
    loop {
        let breakers = world.app().store().breakers().await.unwrap();
        if breakers.len() == count {
            return breakers;
        }
        assert!(begun.elapsed() < PATIENCE, "{breakers:#?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Several sends were in flight when the first rejection came: together they are one breach of the limit.
#[tokio::test]
async fn a_limit_that_many_messages_meet_at_once_is_waited_for_once() {
    let mut setup = Setup::demo();
    let model = setup.corps[0].users[0].clone();
    let names: Vec<String> = (0..16).map(|number| format!("member{number}")).collect();
    let member = |name: &String| User { userid: name.clone(), mobile: String::new(), ..model.clone() };
    setup.corps[0].users.extend(names.iter().map(member));
    let targets: Vec<String> =
        names.iter().map(|name| format!("      - {{ app: ops, users: [{name}], face: text }}\n")).collect();
    let targets = targets.concat();
    let rest = format!("receivers:\n  ops:\n    targets:\n{targets}route: {{ receiver: ops }}\n");
    let world = World::with(setup, &rest).await;
    world
        .fault(json!({ "match": { "path": "message/send" }, "action": { "errcode": 45009 }, "times": "forever" }))
        .await;
    world.accept("/webhook", alertmanager("磁盘", FIRING)).await;
    open_breakers(&world, 1).await;
    // Longer than the sends in flight take.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let limit = open_breakers(&world, 1).await.remove(0);
    let tried: Vec<_> = world.deliveries().await.into_iter().filter(|row| row.attempts > 0).collect();
    assert!(tried.iter().all(|row| row.attempts == 1), "{tried:#?}");
    let last = tried.iter().filter_map(|row| row.claimed_at).max().unwrap();
    let wait = limit.probe_at.millis_since(last);
    assert!((59_000..75_000).contains(&wait), "it is probed after {wait} ms, {} were under way", tried.len());
}

const UNTRUSTED: &str = r"
receivers:
  ops: { targets: [ { app: ops, users: [daixuan], face: text } ] }
  dba: { targets: [ { app: ops, users: [lisi], face: text } ] }
  duty: { targets: [ { app: ops, users: [wangwu], face: text }, { webhook: dba-group, face: text } ] }
route: { receiver: ops }
alarm: { receiver: duty }
";

#[tokio::test]
async fn an_app_whose_address_is_not_trusted_waits_and_loses_nothing_and_another_way_tells_of_it() {
    let mut setup = Setup::demo();
    setup.corps[0].apps[0].trusted_ips = Some(vec!["192.0.2.1".to_owned()]);
    let world = World::with_at_a_standstill(setup, UNTRUSTED).await;
    world.accept("/webhook", alertmanager("磁盘", FIRING)).await;
    let breaker = open_breakers(&world, 1).await.remove(0);
    assert_eq!((breaker.scope.as_str(), breaker.errcode), ("app/ops", Some(60020)));
    // News from now on waits: the end of what was tried, and a new alert.
    world.accept("/webhook", alertmanager("磁盘", RESOLVED)).await;
    for alerts in [FIRING, RESOLVED] {
        world.accept("/webhook/dba", alertmanager("内存", alerts)).await;
    }
    world.pass(Duration::from_secs(30));
    let told = texts(&world.arrived("webhook=sim-dba-group", 1).await);
    for said in ["wegraf 发送受阻", "60020", "企业可信IP", "app/ops"] {
        assert!(told[0].contains(said), "{said} is missing: {told:#?}");
    }
    let waiting: Vec<_> = world.deliveries().await.into_iter().filter(|row| row.source != SourceId::Wegraf).collect();
    let waited: Vec<(State, i64)> = waiting.iter().map(|row| (row.state, row.attempts)).collect();
    let queued = |attempts| (State::Queued, attempts);
    // The beginning that was not told yet is told with its end.
    assert_eq!(waited, [queued(1), queued(0), (State::Folded, 0), queued(0)], "{waiting:#?}");
    assert_eq!(world.requests("message/send").await.len(), 1, "no repeated calls");

    let trusted = json!({ "agent_id": 1_000_002, "trusted_ips": ["192.0.2.1", "127.0.0.1"] });
    let corp = json!({ "corps": [ { "corp_id": "wwsimcorp0000001", "apps": [trusted] } ] });
    world.control("PUT", "corp", corp).await;
    world.control("POST", "clock", json!({ "advance_ms": 61_000 })).await;
    world.pass(Duration::from_secs(31));
    let told = texts(&world.arrived("user=daixuan", 2).await);
    assert!(!told[0].contains("恢复") && told[1].contains("恢复"), "{told:#?}");
    let told = texts(&world.arrived("user=lisi", 1).await);
    assert!(told[0].contains("恢复") && told[0].contains("1 次变化"), "{told:#?}");
    assert!(open_breakers(&world, 0).await.is_empty());
    let told = texts(&world.arrived("webhook=sim-dba-group", 2).await);
    assert!(told[1].contains("恢复") && told[1].contains("wegraf 发送受阻"), "{told:#?}");
    world.settled().await;
    assert!(world.inbox("user=wangwu").await.is_empty(), "the broken way was not used to tell of itself");
    assert_eq!(world.requests("message/send").await.len(), 4, "one refusal, three messages");
}

#[tokio::test]
async fn a_host_that_hangs_gets_no_message_until_it_answers_a_question() {
    let rest = r"
receivers:
  ops: { targets: [ { webhook: ops-group, face: text }, { webhook: dba-group, face: text }, { app: ops, users: [lisi], face: text } ] }
route: { receiver: ops }
";
    let world = World::with_at_a_standstill(Setup::demo(), rest).await;
    // From the fourth send on there is no fault: only the breaker keeps it from arriving.
    let hang = |path: &str, times: u8| json!({ "match": { "path": path }, "action": "hang", "times": times });
    let ask = json!({ "match": { "path": "get_api_domain_ip" }, "action": "reset_before", "times": "forever" });
    world.fault(json!([hang("webhook/send", 2), hang("message/send", 1), ask])).await;
    world.accept("/webhook", alertmanager("磁盘", FIRING)).await;
    let outage = open_breakers(&world, 1).await.remove(0);
    assert!(outage.scope.as_str().starts_with("host/") && outage.reason == OUTAGE, "{outage:#?}");
    world.accept("/webhook", alertmanager("内存", FIRING)).await;
    let sends = async || [world.requests("webhook/send").await.len(), world.requests("message/send").await.len()];
    for asked in 1..=2 {
        world.pass(Duration::from_secs(6));
        let begun = Instant::now();
        while world.requests("get_api_domain_ip").await.len() < asked {
            assert!(begun.elapsed() < PATIENCE, "the host is not probed");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    assert_eq!(sends().await, [2, 1], "a message was used as a question");
    assert!(world.deliveries().await.iter().all(|row| row.attempts <= 1));
    world.control("DELETE", "faults", Value::Null).await;
    world.pass(Duration::from_secs(6));
    open_breakers(&world, 0).await;
    world.pass(Duration::from_secs(6));
    for whose in ["webhook=sim-ops-group", "webhook=sim-dba-group", "user=lisi"] {
        let told = texts(&world.arrived(whose, 2).await);
        assert!(told[0].contains("磁盘") && told[1].contains("内存"), "{whose}: {told:#?}");
        // Whether the first arrived is unknown, and in a group there is no duplicate check.
        assert_eq!(told[0].contains("可能重复"), whose.starts_with("webhook"), "{whose}: {told:#?}");
        assert!(!told[1].contains("可能重复"), "{whose}: {told:#?}");
    }
    world.settled().await;
}

#[tokio::test]
async fn two_webhooks_of_one_group_carry_more_than_one_and_keep_the_order_of_each_alert() {
    let mut setup = Setup::demo();
    let model = setup.webhooks[0].clone();
    setup.webhooks.extend(["pool-one", "pool-two"].map(|key| Webhook { key: key.to_owned(), ..model.clone() }));
    let rest = r"    pool: { keys: [ pool-one, pool-two ] }
receivers:
  ops: { targets: [ { webhook: pool, face: text } ] }
route: { receiver: ops }
";
    let world = World::with(setup, rest).await;
    let mut sent = 0;
    // One by one: messages that wait together would be folded.
    for alerts in [FIRING, RESOLVED] {
        for number in 10..25 {
            world.accept("/webhook", alertmanager(&format!("第{number}号"), alerts)).await;
            sent += 1;
            world.settled().await;
        }
    }
    let mut told = world.inbox("webhook=pool-one").await;
    let by_one = told.len();
    told.extend(world.inbox("webhook=pool-two").await);
    let counters = world.control("GET", "counters", Value::Null).await;
    assert_eq!(told.len(), sent, "{counters:#}");
    assert!(by_one <= 18 && sent - by_one <= 18 && sent > 18, "{by_one} of {sent}: {counters:#}");
    assert_eq!(counters["by_errcode"]["45009"], Value::Null, "{counters:#}");
    told.sort_by_key(|message| message["id"].as_u64());
    let told = texts(&told);
    for (place, text) in told.iter().enumerate() {
        assert!(text.contains(&format!("第{}号", 10 + place % 15)), "{place}: {told:#?}");
        assert_eq!(text.contains("恢复"), place >= 15, "{place}: {told:#?}");
    }
    assert!(world.deliveries().await.iter().all(|row| row.state == State::Sent && row.attempts == 1 && !row.digest));
}
