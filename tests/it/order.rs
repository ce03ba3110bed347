//! The order and frequency of messages: the end never before the beginning, and reminders only when due.

use std::time::Duration;

use serde_json::{Value, json};
use wecom_simulator::{Setup, Webhook};
use wegraf::internals::store::{Claim, State, Way};

use crate::harness::{World, alertmanager};

const ONE_MEMBER: &str = r"
receivers:
  ops: { repeat_interval: 1h, targets: [ { app: ops, users: [daixuan], face: text } ] }
route: { receiver: ops }
";

const FIRING: &[(&str, &str)] = &[("db-1", "firing")];
const RESOLVED: &[(&str, &str)] = &[("db-1", "resolved")];

fn texts(messages: &[Value]) -> Vec<String> {
    messages.iter().map(|message| message["content"]["content"].as_str().unwrap().to_owned()).collect()
}

/// The beginning is rejected in some way at first; the end comes meanwhile; both arrive in their order.
async fn beginning_comes_first(action: Value) {
    let world = World::at_a_standstill(ONE_MEMBER).await;
    world.fault(json!({ "match": { "path": "message/send" }, "action": action })).await;
    world.accept("/webhook", alertmanager("磁盘", FIRING)).await;
    let first = world.deliveries().await[0].message;
    world.delivery(first, |delivery| delivery.row.outcome.is_some()).await;
    world.accept("/webhook", alertmanager("磁盘", RESOLVED)).await;
    // Long enough for the worker to send the end, if it did not have to wait for the beginning.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(world.inbox("user=daixuan").await.is_empty(), "{action}: the end overtook the beginning");
    world.pass(Duration::from_mins(2));
    let told = texts(&world.arrived("user=daixuan", 2).await);
    world.settled().await;
    assert!(!told[0].contains("恢复") && told[1].contains("恢复"), "{action}: {told:#?}");
    let rows = world.deliveries().await;
    assert_eq!((rows[0].attempts, rows[1].attempts), (2, 1), "{action}");
    assert_eq!(rows[0].thread, rows[1].thread, "both bear the same short id");
}

#[tokio::test]
async fn the_end_waits_for_a_beginning_that_met_a_limit() {
    beginning_comes_first(json!({ "errcode": 45009 })).await;
}

#[tokio::test]
async fn the_end_waits_for_a_beginning_that_met_a_busy_wecom() {
    beginning_comes_first(json!({ "errcode": -1 })).await;
}

#[tokio::test]
async fn the_end_waits_for_a_beginning_whose_outcome_is_unknown() {
    beginning_comes_first(json!({ "http": { "status": 502, "body": "" } })).await;
}

#[tokio::test]
async fn the_end_is_told_although_the_beginning_was_refused_for_good() {
    let world = World::new(ONE_MEMBER).await;
    world.fault(json!({ "match": { "path": "message/send" }, "action": { "errcode": 81013 } })).await;
    world.accept("/webhook", alertmanager("磁盘", FIRING)).await;
    // Later it would be told together with its end.
    let first = world.deliveries().await[0].message;
    world.delivery(first, |delivery| delivery.row.state == State::Dead).await;
    world.accept("/webhook", alertmanager("磁盘", RESOLVED)).await;
    let told = texts(&world.arrived("user=daixuan", 1).await);
    assert!(told[0].contains("恢复"), "{told:#?}");
    world.settled().await;
    let rows = world.deliveries().await;
    assert_eq!([rows[0].state, rows[1].state], [State::Dead, State::Sent]);
}

#[tokio::test]
async fn the_end_that_catches_up_with_its_beginning_is_told_in_one_message_with_it() {
    let world = World::at_a_standstill(ONE_MEMBER).await;
    // Another alert blocks the lane by a limit.
    world.fault(json!({ "match": { "path": "message/send" }, "action": { "errcode": 45009 } })).await;
    world.accept("/webhook", alertmanager("别的", FIRING)).await;
    let other = world.deliveries().await[0].message;
    world.delivery(other, |delivery| delivery.row.outcome.is_some()).await;
    for alerts in [FIRING, RESOLVED] {
        assert_eq!(world.accept("/webhook", alertmanager("磁盘", alerts)).await["duplicate"], false);
    }
    world.pass(Duration::from_mins(2));
    let told = texts(&world.arrived("user=daixuan", 2).await);
    world.settled().await;
    assert!(told[0].contains("别的") && !told[1].contains("别的"), "{told:#?}");
    assert!(told[1].contains("恢复") && told[1].contains("1 次变化"), "it hides that it began: {told:#?}");
    let states: Vec<State> = world.deliveries().await.iter().map(|row| row.state).collect();
    assert_eq!(states, [State::Sent, State::Folded, State::Sent]);
    let audit = world.app().store().audit().await.unwrap();
    assert_eq!((audit.named + audit.counted, audit.dead, audit.suppressed), (3, 0, 0), "{audit:?}");
}

/// Eight at a time: a lane further behind would send a digest, which has no order.
#[tokio::test]
async fn a_hundred_changes_arrive_in_the_order_in_which_they_were_taken() {
    let world = World::new(
        "receivers:\n  ops: { targets: [ { app: ops, chat: AITest, face: text } ] }\nroute: { receiver: ops }\n",
    )
    .await;
    let numbers: Vec<usize> = (0..100).collect();
    for few in numbers.chunks(8) {
        for number in few {
            world.accept("/webhook", alertmanager(&format!("第{number}号"), FIRING)).await;
        }
        world.arrived("chat=AITest", few[few.len() - 1] + 1).await;
    }
    world.settled().await;
    let told = texts(&world.inbox("chat=AITest").await);
    for (number, text) in told.iter().enumerate() {
        assert!(text.contains(&format!("第{number}号")), "{number}: {text}");
    }
    assert!(world.deliveries().await.iter().all(|row| row.state == State::Sent && !row.digest));
}

/// Ten changes of one alert in each of ten lanes, while WeCom fails now and then in every way.
#[tokio::test]
async fn the_changes_of_an_alert_are_told_in_order_across_failures() {
    let (names, rest) = ten_groups();
    let mut setup = Setup::demo();
    let model = setup.webhooks[0].clone();
    setup.webhooks.extend(names.iter().map(|name| Webhook { key: format!("key-of-{name}"), ..model.clone() }));
    let world = World::with(setup, &rest).await;
    let send = json!({ "path": "webhook/send" });
    world
        .fault(json!([
            { "match": send, "after": 7, "action": { "errcode": -1 }, "times": 3 },
            { "match": send, "after": 20, "action": "reset_before", "times": 2 },
            { "match": send, "after": 30, "action": { "http": { "status": 502, "body": "" } }, "times": 2 },
            { "match": send, "after": 40, "action": { "errcode": 6000 }, "times": 3 },
            { "match": send, "after": 50, "action": { "delay_ms": 300 }, "times": 5 },
        ]))
        .await;
    for change in 0..10 {
        world.accept("/webhook", alertmanager("磁盘", if change % 2 == 0 { FIRING } else { RESOLVED })).await;
        // Sometimes there is time to tell it, sometimes the next change catches up with it.
        tokio::time::sleep(Duration::from_millis(if change % 3 == 0 { 0 } else { 120 })).await;
    }
    world.settled().await;
    for name in names {
        let told = texts(&world.inbox(&format!("webhook=key-of-{name}")).await);
        assert!(told.last().is_some_and(|text| text.contains("恢复")), "{name} does not hear how it ends: {told:#?}");
        for pair in told.windows(2) {
            let ends = pair.iter().filter(|text| text.contains("恢复")).count();
            // An end follows an end, or a beginning a beginning, only where what lay between is told with the later
            // one, or where the later one is marked as a copy of the earlier.
            let explained = pair[1].contains("次变化") || pair[1].contains("可能重复");
            assert!(ends == 1 || explained, "{name}: out of order: {told:#?}");
        }
    }
    let audit = world.app().store().audit().await.unwrap();
    assert_eq!(
        (audit.named + audit.counted, audit.dead, audit.suppressed, audit.imbalance),
        (100, 0, 0, 0),
        "{audit:?}"
    );
}

/// The names of ten webhooks, and a configuration with one receiver for all of them.
fn ten_groups() -> (Vec<String>, String) {
    let names: Vec<String> = (0..10).map(|number| format!("group{number}")).collect();
    let accounts: Vec<String> = names.iter().map(|name| format!("    {name}: {{ key: key-of-{name} }}\n")).collect();
    let targets: Vec<String> =
        names.iter().map(|name| format!("      - {{ webhook: {name}, face: text }}\n")).collect();
    let (accounts, targets) = (accounts.concat(), targets.concat());
    let rest = format!("{accounts}receivers:\n  ops:\n    targets:\n{targets}route: {{ receiver: ops }}\n");
    (names, rest)
}

#[tokio::test]
async fn an_unchanged_repeat_is_a_reminder_once_the_interval_is_over() {
    let world = World::at_a_standstill(ONE_MEMBER).await;
    let repeat = async |after: Duration, duplicate: bool| {
        world.pass(after);
        // Reminders of an alert that lasts for days read alike; WeCom compares them for as long as the interval.
        world.control("POST", "clock", json!({ "advance_ms": after.as_millis() })).await;
        assert_eq!(world.accept("/webhook", alertmanager("磁盘", FIRING)).await["duplicate"], duplicate, "{after:?}");
        world.settled().await;
    };
    repeat(Duration::ZERO, false).await;
    repeat(Duration::from_mins(59), true).await;
    repeat(Duration::from_secs(61), false).await;
    // The interval counts from what was told last.
    repeat(Duration::from_mins(59), true).await;
    repeat(Duration::from_secs(61), false).await;
    let told = texts(&world.arrived("user=daixuan", 3).await);
    assert!(!told[0].contains("仍在告警") && told[1].contains("仍在告警") && told[2].contains("仍在告警"), "{told:#?}");
    world.accept("/webhook", alertmanager("磁盘", RESOLVED)).await;
    world.arrived("user=daixuan", 4).await;
    world.accept("/webhook", alertmanager("磁盘", RESOLVED)).await;
    world.settled().await;
    assert_eq!(world.inbox("user=daixuan").await.len(), 4, "there is no reminder of what is over");
}

/// An alert that lasts for days reads the same for an hour, and WeCom drops apparent duplicates.
#[tokio::test]
async fn reminders_that_read_alike_all_arrive() {
    let rest = "receivers:\n  ops: { repeat_interval: 15m, targets: [ { app: ops, users: [daixuan], face: text } ] }\nroute: { receiver: ops }\n";
    let world = World::at_a_standstill(rest).await;
    world.pass(Duration::from_hours(72));
    world.accept("/webhook", alertmanager("磁盘", FIRING)).await;
    for number in 2..8 {
        world.settled().await;
        world.pass(Duration::from_mins(15));
        world.control("POST", "clock", json!({ "advance_ms": 15 * 60 * 1000 })).await;
        world.accept("/webhook", alertmanager("磁盘", FIRING)).await;
        world.arrived("user=daixuan", number).await;
    }
    let mut told = texts(&world.inbox("user=daixuan").await);
    told.dedup();
    assert!(told.len() < 7, "no two of them were alike, so this proves nothing: {told:#?}");
}

#[tokio::test]
async fn an_alert_that_comes_back_is_told_again() {
    let world = World::new(ONE_MEMBER).await;
    for (number, alerts) in [FIRING, RESOLVED, FIRING, RESOLVED].into_iter().enumerate() {
        assert_eq!(world.accept("/webhook", alertmanager("磁盘", alerts)).await["duplicate"], false);
        world.arrived("user=daixuan", number + 1).await;
    }
    let told = texts(&world.arrived("user=daixuan", 4).await);
    let ends: Vec<bool> = told.iter().map(|text| text.contains("恢复")).collect();
    assert_eq!(ends, [false, true, false, true], "{told:#?}");
}

/// A worker that fails between claim and settle (a panic, a failure of the store) must not block its lane for ever.
#[tokio::test]
async fn a_message_left_between_being_sent_and_being_recorded_is_sent_again() {
    let world = World::at_a_standstill(ONE_MEMBER).await;
    world.fault(json!({ "match": { "path": "message/send" }, "action": { "errcode": -1 } })).await;
    world.accept("/webhook", alertmanager("磁盘", FIRING)).await;
    let message = world.deliveries().await[0].message;
    world.delivery(message, |delivery| delivery.row.outcome.is_some()).await;
    // The claim of a worker that is gone: made here, and never settled.
    let (store, later) = (world.app().store(), world.app().now().plus_millis(3_600_000));
    let lane = store.lanes(later).await.unwrap().remove(0).lane;
    let lease = store.acquire(&lane).await.unwrap().unwrap();
    let queued = store.queued(message).await.unwrap().unwrap();
    let (epoch, revision) = (queued.epoch, queued.revision);
    let claim = Claim { lease, message, epoch, revision, freeze: None, ways: vec![Way::default()] };
    store.claim(claim, later).await.unwrap();
    store.wake();
    world.arrived("user=daixuan", 1).await;
    world.settled().await;
}
