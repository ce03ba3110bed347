//! Two real Alertmanagers as the sender: a highly available pair, and two that have lost each other. What both notify
//! is told once, and an alert that comes and goes while wegraf restarts is told.

use std::net::SocketAddr;

use serde_json::{Value, json};
use wecom_simulator::Setup;
use xtask::gateway::free;

use crate::harness::World;
use crate::liar::{Call, Liar};
use crate::process::Wegraf;
use crate::programs::{Server, ago, alert, until};
use crate::witness_alertmanager::{OPS, holds, posting_to, texts};

const GROUP: &str = "webhook=sim-ops-group";
/// Webhook calls that wegraf has taken.
const TAKEN: &str = "wegraf_webhook_answers_total{format=\"alertmanager\",status=\"200\"}";
/// Messages whose answer from WeCom is not stored yet.
const WAITING: &str = "wegraf_outbox_messages";
const REFUSED: &str = "alertmanager_notification_requests_failed_total";
const GIVEN_UP: &str = "alertmanager_notifications_failed_total";
const WEBHOOK: &str = "integration=\"webhook\"";

fn disk(name: &str, over: bool) -> Value {
    alert(&json!({ "alertname": name, "instance": "db-1", "severity": "critical" }), "已用 97%", over)
}

/// The same alert to both, as Prometheus does.
async fn fire(pair: &[Server; 2], alert: &Value) {
    for peer in pair {
        peer.fire(std::slice::from_ref(alert)).await;
    }
}

/// Who has called with what.
fn senders(calls: &[Call], status: &str) -> usize {
    let of = |sender: &str| calls.iter().any(|call| call.status == status && call.sender.contains(sender));
    ["alertmanager-a", "alertmanager-b"].into_iter().filter(|sender| of(sender)).count()
}

/// One message for the beginning, one for the end.
async fn told_once(world: &World, name: &str) {
    let told = texts(&world.arrived(GROUP, 2).await);
    holds(&told[0], &["[严重]", name, "db-1"]);
    holds(&told[1], &["[已恢复]", name, "db-1"]);
}

#[tokio::test]
async fn a_pair_makes_one_message_for_each_change() {
    let world = World::new(OPS).await;
    let config = posting_to(&format!("{}/webhook", world.url));
    let Some(pair) = Server::pair(world.folder.path(), &config).await else { return };
    fire(&pair, &disk("磁盘将满", false)).await;
    world.arrived(GROUP, 1).await;
    fire(&pair, &disk("磁盘将满", true)).await;
    told_once(&world, "磁盘将满").await;
    world.settled().await;
}

#[tokio::test]
async fn a_pair_whose_answers_are_lost_makes_one_message_for_each_change() {
    let world = World::new(OPS).await;
    // No call is reported as accepted before both have called with it: the second one does not learn of the first.
    let lost = |calls: &[Call]| calls.last().is_some_and(|last| senders(calls, &last.status) < 2);
    let (liar, address) = Liar::start_anywhere(&world, lost).await;
    let config = posting_to(&format!("http://{address}/webhook"));
    let Some(pair) = Server::pair(world.folder.path(), &config).await else { return };
    for (over, status) in [(false, "firing"), (true, "resolved")] {
        fire(&pair, &disk("磁盘将满", over)).await;
        let both = async || (senders(&liar.calls(), status) == 2).then_some(());
        until(&format!("both call with {status}"), both).await;
    }
    world.settled().await;
    told_once(&world, "磁盘将满").await;
}

#[tokio::test]
async fn two_that_do_not_know_each_other_make_one_message_for_each_change() {
    let world = World::new(OPS).await;
    let config = posting_to(&format!("{}/webhook", world.url));
    let Some(pair) = Server::strangers(world.folder.path(), &config).await else { return };
    for (over, calls) in [(false, 2.0), (true, 4.0)] {
        fire(&pair, &disk("磁盘将满", over)).await;
        until("wegraf has taken both calls", async || (world.metric(TAKEN).await >= calls).then_some(())).await;
    }
    world.settled().await;
    told_once(&world, "磁盘将满").await;
}

#[tokio::test]
async fn a_beginning_that_the_slower_one_tells_after_the_end_is_not_told_again() {
    let world = World::new(OPS).await;
    let config = posting_to(&format!("{}/webhook", world.url));
    let quick = Server::alertmanager(world.folder.path(), &config).await;
    let slow = config.replace("group_wait: 300ms", "group_wait: 5s");
    assert_ne!(slow, config);
    let folder = world.folder.path().join("slow");
    std::fs::create_dir(&folder).unwrap();
    let slow = Server::peer(&folder, &slow, "alertmanager-b", &["--cluster.listen-address="]).await;
    let (Some(quick), Some(slow)) = (quick, slow) else { return };

    // Just now: for an older one Alertmanager does not wait.
    let just_now = ago(0);
    let begun = |over| {
        let mut alert = disk("磁盘将满", over);
        alert["startsAt"] = just_now.clone().into();
        alert
    };
    let beginning = begun(false);
    slow.fire(std::slice::from_ref(&beginning)).await;
    quick.fire(std::slice::from_ref(&beginning)).await;
    world.arrived(GROUP, 1).await;
    let end = begun(true);
    quick.fire(std::slice::from_ref(&end)).await;
    told_once(&world, "磁盘将满").await;
    assert!(world.metric(TAKEN).await < 3.0, "the slower one was not slower: this shows nothing");
    until("the slower one has told the beginning", async || (world.metric(TAKEN).await >= 3.0).then_some(())).await;
    slow.fire(std::slice::from_ref(&end)).await;
    until("the slower one has told the end", async || (world.metric(TAKEN).await >= 4.0).then_some(())).await;
    world.settled().await;
    told_once(&world, "磁盘将满").await;
}

/// How wegraf goes away.
#[derive(Clone, Copy)]
enum Away {
    /// As a service manager asks.
    Terminated,
    /// kill -9.
    Killed,
}

impl Away {
    async fn of(self, mut wegraf: Wegraf) {
        match self {
            Self::Terminated => {
                wegraf.signal("TERM").await;
                assert!(wegraf.ended().await.success());
            }
            Self::Killed => wegraf.kill().await,
        }
    }
}

/// A world with a gateway as a process of its own, and the pair that posts to it.
async fn apart() -> Option<(World, SocketAddr, Wegraf, [Server; 2])> {
    let mut world = World::idle(Setup::demo(), OPS).await;
    let address = free().unwrap();
    let pair = Server::pair(world.folder.path(), &posting_to(&format!("http://{address}/webhook"))).await?;
    let wegraf = Wegraf::serve_at(&mut world, address).await;
    Some((world, address, wegraf, pair))
}

/// Sum of a counter over the pair.
async fn counted(pair: &[Server; 2], name: &str) -> u64 {
    pair[0].counter(name, WEBHOOK).await + pair[1].counter(name, WEBHOOK).await
}

/// What was told of `name`, in order, once that is `count` messages.
async fn told_of(world: &World, name: &str, count: usize) -> Vec<String> {
    let of = async || {
        let told: Vec<String> =
            texts(&world.inbox(GROUP).await).into_iter().filter(|text| text.contains(name)).collect();
        (told.len() >= count).then_some(told)
    };
    until(&format!("{count} messages of {name}"), of).await
}

async fn an_alert_that_comes_and_goes_meanwhile_is_told(away: Away) {
    let Some((mut world, address, wegraf, pair)) = apart().await else { return };
    fire(&pair, &disk("早已开始", false)).await;
    told_of(&world, "早已开始", 1).await;
    // A kill between WeCom's acceptance and its record repeats the message, marked as such: not the subject here.
    until("its acceptance is stored", async || (world.metric(WAITING).await == 0.0).then_some(())).await;

    away.of(wegraf).await;
    fire(&pair, &disk("来去匆匆", false)).await;
    until("a sender is refused", async || (counted(&pair, REFUSED).await > 0).then_some(())).await;
    fire(&pair, &disk("来去匆匆", true)).await;
    fire(&pair, &disk("早已开始", true)).await;
    assert_eq!(counted(&pair, GIVEN_UP).await, 0, "Alertmanager still tries");

    let wegraf = Wegraf::serve_at(&mut world, address).await;
    for name in ["早已开始", "来去匆匆"] {
        let told = told_of(&world, name, 2).await;
        holds(&told[0], &["[严重]"]);
        holds(&told[1], &["[已恢复]"]);
    }
    // Nothing more comes, though both may have notified: the end is known to both, and what they still try is taken.
    fire(&pair, &disk("最后", false)).await;
    told_of(&world, "最后", 1).await;
    world.arrived(GROUP, 5).await;
    Away::Terminated.of(wegraf).await;
}

#[tokio::test]
async fn an_alert_that_comes_and_goes_while_wegraf_restarts_is_told() {
    an_alert_that_comes_and_goes_meanwhile_is_told(Away::Terminated).await;
}

#[tokio::test]
async fn an_alert_that_comes_and_goes_after_a_kill_is_told() {
    an_alert_that_comes_and_goes_meanwhile_is_told(Away::Killed).await;
}

#[tokio::test]
async fn an_alert_that_was_taken_before_a_kill_and_ends_after_it_is_told() {
    let Some((mut world, address, wegraf, pair)) = apart().await else { return };
    // WeCom has accepted it, but wegraf never gets the answer.
    world.fault(json!({ "match": { "path": "webhook/send" }, "action": "hang" })).await;
    fire(&pair, &disk("磁盘将满", false)).await;
    until("it is being sent", async || (!world.requests("webhook/send").await.is_empty()).then_some(())).await;
    Away::Killed.of(wegraf).await;
    fire(&pair, &disk("磁盘将满", true)).await;
    until("a sender is refused", async || (counted(&pair, REFUSED).await > 0).then_some(())).await;
    assert!(world.inbox(GROUP).await.is_empty());

    let _wegraf = Wegraf::serve_at(&mut world, address).await;
    told_once(&world, "磁盘将满").await;
}

/// The control: the tests above prove something about wegraf only while Alertmanager retries, which is for ten seconds
/// (or the group interval). After a longer absence wegraf is told nothing.
#[tokio::test]
async fn an_alert_that_comes_and_goes_during_a_long_absence_is_lost_upstream() {
    let Some((mut world, address, wegraf, pair)) = apart().await else { return };
    Away::Terminated.of(wegraf).await;
    fire(&pair, &disk("来去匆匆", false)).await;
    until("a sender is refused", async || (counted(&pair, REFUSED).await > 0).then_some(())).await;
    fire(&pair, &disk("来去匆匆", true)).await;
    for peer in &pair {
        peer.counted(GIVEN_UP, WEBHOOK, 1).await;
    }
    let _wegraf = Wegraf::serve_at(&mut world, address).await;
    fire(&pair, &disk("最后", false)).await;
    told_of(&world, "最后", 1).await;
    world.arrived(GROUP, 1).await;
}
