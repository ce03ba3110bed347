//! Silences requested by people, in a real Alertmanager, in unusual states: a process ended half-way, a first silence
//! was too short, alerts were told by different notifications, a silence was ended upstream.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::Value;
use tempfile::TempDir;
use wecom_simulator::Setup;
use wegraf::internals::alert::ThreadId;
use wegraf::internals::answer::{Actor, Via, Wish};
use wegraf::internals::store::{About, ActEnd, ActKind, ActState, Listeners, NewAct, NewSilence, OnFilter};
use wegraf::internals::upstream::{Client, Matcher, Wanted, marker};

use crate::cards::acts;
use crate::harness::{World, alertmanager, crypto};
use crate::programs::{Server, alert, until};
use crate::silences::NO_NOTIFIER;
use crate::witness_alertmanager::texts;

const HOUR_MS: i64 = 3_600_000;

/// A gateway that silences in an Alertmanager.
async fn world() -> Option<(TempDir, Server, World)> {
    crypto();
    let folder = TempDir::new().unwrap();
    let server = Server::alertmanager(folder.path(), NO_NOTIFIER).await?;
    let rest = format!(
        "upstreams: {{ am: {{ kind: alertmanager, url: '{}' }} }}\nreceivers: {{ ops: {{ targets: [ {{ webhook: ops-group, face: text }} ], may_act: {{ anyone: true }} }} }}\nroute: {{ receiver: ops }}\n",
        server.url
    );
    let world = World::with(Setup::demo(), &rest).await;
    Some((folder, server, world))
}

/// The short id at the end of the first message.
async fn first_id(world: &World) -> ThreadId {
    let told = texts(&world.arrived("webhook=sim-ops-group", 1).await);
    ThreadId::parse(told[0].lines().last().unwrap().trim()).unwrap()
}

/// What lisi writes to the app; returns when all that follows upstream is done.
async fn say(world: &World, text: &str) {
    let actor = Actor { id: "lisi".to_owned(), via: Via::App("ops".to_owned()) };
    world.app().acts().ask(&actor, &rand::random::<u64>().to_string(), text).await.unwrap();
    all_done(world).await;
}

async fn all_done(world: &World) {
    let done = async || acts(world).await.iter().all(|act| act.state != ActState::Open).then_some(());
    until("every act is done", done).await;
}

async fn in_force(server: &Server) -> Vec<Value> {
    let silences: Vec<Value> = serde_json::from_str(&server.get("/api/v2/silences").await.unwrap()).unwrap();
    silences.into_iter().filter(|silence| silence["status"]["state"] == "active").collect()
}

fn wish(world: &World, thread: ThreadId) -> NewAct {
    NewAct {
        event: rand::random::<u64>().to_string(),
        kind: ActKind::Silence,
        state: ActState::Open,
        by: "lisi".to_owned(),
        via: "app/ops".to_owned(),
        about: About::Thread(thread),
        only: Vec::new(),
        through: None,
        until: Some(world.app().now().plus_millis(HOUR_MS)),
        detail: String::new(),
        code: None,
        except_lane: None,
        listeners: Listeners::default(),
    }
}

#[tokio::test]
async fn a_silence_that_was_made_before_its_process_ended_is_found_and_not_made_twice() {
    let Some((_folder, server, world)) = world().await else { return };
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    let thread = first_id(&world).await;
    let begun = world.app().now().plus_millis(-120_000);
    let wish = wish(&world, thread);
    let ends_at = wish.until.unwrap();
    let act = world.app().store().act(wish, begun).await.unwrap().act;
    let matchers = [("alertname", "磁盘将满"), ("instance", "db-1"), ("severity", "warning")];
    let wanted = Wanted {
        matchers: matchers.iter().map(|(name, value)| Matcher::equal(*name, *value)).collect(),
        now: begun,
        ends_at,
        author: "lisi".to_owned(),
        comment: String::new(),
        marker: marker(Some(thread), &format!("{act}-{}", begun.0)),
    };
    let made = Client::new(&world.app().config().upstreams[0]).unwrap().silence(&wanted).await.unwrap();
    all_done(&world).await;
    let row = acts(&world).await.remove(0);
    assert_eq!((row.state, row.detail.as_str()), (ActState::Done, format!("am {}", made.id).as_str()));
    assert_eq!(in_force(&server).await.len(), 1);
}

#[tokio::test]
async fn a_silence_left_half_way_is_reported_as_possible_while_upstream_is_down() {
    let down = xtask::gateway::free().unwrap();
    let rest = format!(
        "upstreams: {{ am: {{ kind: alertmanager, url: 'http://{down}' }} }}\nreceivers: {{ ops: {{ targets: [ {{ webhook: ops-group, face: text }} ] }} }}\nroute: {{ receiver: ops }}\n"
    );
    let world = World::with(Setup::demo(), &rest).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    let thread = first_id(&world).await;
    let old = world.app().now().plus_millis(-120_000);
    world.app().store().act(wish(&world, thread), old).await.unwrap();
    all_done(&world).await;
    let row = acts(&world).await.remove(0);
    assert_eq!(row.state, ActState::Failed);
    assert!(row.detail.contains("可能已经做成") && row.detail.contains("连不上"), "{}", row.detail);
}

#[tokio::test]
async fn ending_the_silence_of_an_alert_ends_all_that_hide_it() {
    let Some((_folder, server, world)) = world().await else { return };
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    let thread = first_id(&world).await;
    say(&world, &format!("静默 #{thread} 1h")).await;
    say(&world, &format!("静默 #{thread} 4h")).await;
    assert_eq!(in_force(&server).await.len(), 2, "the longer one is another");
    say(&world, &format!("解除静默 #{thread}")).await;
    assert_eq!(in_force(&server).await, Vec::<Value>::new());
    assert_eq!(acts(&world).await[2].state, ActState::Done);
}

#[tokio::test]
async fn alerts_that_different_notifications_told_last_are_silenced_together() {
    let Some((_folder, server, world)) = world().await else { return };
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing"), ("db-2", "firing")])).await;
    let thread = first_id(&world).await;
    // One of them was over for a moment: its last news is of a later notification.
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "resolved")])).await;
    let again = alertmanager("磁盘将满", &[("db-1", "firing")]).replace("06:02:00Z", "06:30:00Z");
    world.accept("/webhook", again).await;
    let message = world.deliveries().await.iter().map(|row| row.message).min().unwrap();
    let wish = wish(&world, thread);
    let old = world.app().now().plus_millis(-120_000);
    let wish = NewAct { about: About::Message(message), ..wish };
    world.app().store().act(wish, old).await.unwrap();
    all_done(&world).await;
    assert_eq!(acts(&world).await[0].state, ActState::Done, "{:?}", acts(&world).await);
    let silences = in_force(&server).await;
    assert_eq!(silences.len(), 1);
    let matchers = silences[0]["matchers"].to_string();
    assert!(matchers.contains("磁盘将满") && !matchers.contains("db-"), "it hides both: {matchers}");
}

#[tokio::test]
async fn a_silence_is_ended_by_the_id_of_its_alert_though_its_message_has_another() {
    let Some((_folder, server, world)) = world().await else { return };
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    let first = first_id(&world).await;
    // The end of the first gives its id to the message that tells of the second.
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "resolved"), ("db-2", "firing")])).await;
    world.arrived("webhook=sim-ops-group", 2).await;
    let message = world.deliveries().await.iter().map(|row| row.message).max().unwrap();
    let second = world.app().store().alerts_on(OnFilter { limit: 1, ..OnFilter::default() }).await.unwrap().0[0].thread;
    assert_ne!(first, second);
    let old = world.app().now().plus_millis(-120_000);
    let wish = NewAct { about: About::Message(message), ..wish(&world, second) };
    world.app().store().act(wish, old).await.unwrap();
    all_done(&world).await;
    assert_eq!(in_force(&server).await.len(), 1);
    say(&world, &format!("解除静默 #{second}")).await;
    assert_eq!(in_force(&server).await, Vec::<Value>::new());
}

#[tokio::test]
async fn an_alert_whose_silence_was_ended_upstream_can_be_silenced_again() {
    let Some((_folder, server, world)) = world().await else { return };
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    let labels = serde_json::json!({ "alertname": "磁盘将满", "instance": "db-1", "severity": "warning" });
    server.fire(&[alert(&labels, "", false)]).await;
    let thread = first_id(&world).await;
    say(&world, &format!("静默 #{thread} 4h")).await;
    let id = in_force(&server).await[0]["id"].as_str().unwrap().to_owned();
    Client::new(&world.app().config().upstreams[0]).unwrap().expire(&id).await.unwrap();
    let noticed = async || {
        let now = world.app().now();
        world.app().store().silences(now).await.unwrap().iter().all(|silence| silence.until <= now).then_some(())
    };
    until("it is noticed", noticed).await;
    say(&world, &format!("静默 #{thread} 1h")).await;
    assert_eq!(in_force(&server).await.len(), 1);
}

#[tokio::test]
async fn a_resend_sends_the_alert_and_not_the_act() {
    let Some((_folder, _server, world)) = world().await else { return };
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    let thread = first_id(&world).await;
    say(&world, &format!("认领 #{thread}")).await;
    world.arrived("webhook=sim-ops-group", 2).await;
    world.settled().await;
    say(&world, &format!("重发 #{thread}")).await;
    let told = texts(&world.arrived("webhook=sim-ops-group", 3).await);
    assert!(told[2].contains("重发") && told[2].contains("db-1 不好了"), "{told:?}");
}

#[tokio::test]
async fn a_visitors_name_is_no_markup_in_an_answer() {
    let Some((_folder, _server, world)) = world().await else { return };
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    let thread = first_id(&world).await;
    let stranger = Actor { id: "[点我](http://evil.example.com)".to_owned(), via: Via::Page };
    let wish = Wish {
        event: "page/1".to_owned(),
        kind: ActKind::Acknowledge,
        about: About::Thread(thread),
        span: None,
        code: None,
        except_lane: None,
        within: None,
    };
    world.app().acts().act(&stranger, wish).await.unwrap();
    let actor = Actor { id: "lisi".to_owned(), via: Via::Bot { bot: "duty".to_owned(), chat: "lisi".to_owned() } };
    let said = world.app().acts().ask(&actor, "1", &format!("认领 #{thread}")).await.unwrap();
    assert!(said.contains("已经认领") && !said.contains("]("), "{said}");
}

#[tokio::test]
async fn a_silence_that_upstream_no_longer_has_can_be_ended_and_made_again() {
    let Some((_folder, server, world)) = world().await else { return };
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    let thread = first_id(&world).await;
    for ends in [format!("解除静默 #{thread}"), format!("延长 #{thread} 2h")] {
        let act = world.app().store().act(wish(&world, thread), world.app().now()).await.unwrap().act;
        silenced(&world, act, &format!("00000000-0000-4000-8000-{act:012}")).await;
        say(&world, &ends).await;
        say(&world, &format!("静默 #{thread} 1h")).await;
        assert_eq!(in_force(&server).await.len(), 1, "after {ends}");
        say(&world, &format!("解除静默 #{thread}")).await;
        assert_eq!(in_force(&server).await.len(), 0);
    }
}

/// Plays an Alertmanager that tells of no alert, and since when it runs; counts how often that is asked.
async fn forgetful(asked: Arc<AtomicUsize>, old: Arc<AtomicBool>) -> String {
    let status = move || async move {
        asked.fetch_add(1, Ordering::SeqCst);
        let now = wegraf::internals::time::Clock::System.now().0;
        let since = if old.load(Ordering::SeqCst) { now - HOUR_MS } else { now };
        let since = jiff::Timestamp::from_millisecond(since).unwrap().to_string();
        axum::Json(serde_json::json!({ "uptime": since }))
    };
    let router = axum::Router::new()
        .route("/api/v2/alerts", axum::routing::get(|| async { "[]" }))
        .route("/api/v2/status", axum::routing::get(status));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, router).await });
    url
}

#[tokio::test]
async fn an_alertmanager_that_has_just_started_proves_nothing_by_its_silence() {
    let (asked, old) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let url = forgetful(asked.clone(), old.clone()).await;
    let rest = format!(
        "upstreams: {{ am: {{ kind: alertmanager, url: '{url}', gone_after: 3s }} }}\nreceivers: {{ ops: {{ targets: [ {{ webhook: ops-group, face: text }} ] }} }}\nroute: {{ receiver: ops }}\n"
    );
    let world = World::with(Setup::demo(), &rest).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    let thread = first_id(&world).await;
    let act = world.app().store().act(wish(&world, thread), world.app().now()).await.unwrap().act;
    silenced(&world, act, "s").await;
    let asked_again = async || (asked.load(Ordering::SeqCst) > 0).then_some(());
    until("it is asked since when it runs", asked_again).await;
    world.settled().await;
    assert_eq!(world.inbox("webhook=sim-ops-group").await.len(), 1, "the state of the alert is unknown");
    old.store(true, Ordering::SeqCst);
    let told = texts(&world.arrived("webhook=sim-ops-group", 2).await);
    assert!(told[1].contains("已恢复"), "{told:?}");
}

/// The act has made a silence with this id.
async fn silenced(world: &World, act: i64, id: &str) {
    let silence = NewSilence {
        upstream: "am".to_owned(),
        upstream_id: id.to_owned(),
        matchers_json: "[]".to_owned(),
        until: world.app().now().plus_millis(HOUR_MS),
    };
    let (state, detail, except_lane) = (ActState::Done, String::new(), None);
    let end = ActEnd { act, state, detail, silence: Some(silence), except_lane, listeners: Listeners::default() };
    world.app().store().end_act(end, world.app().now()).await.unwrap();
}
