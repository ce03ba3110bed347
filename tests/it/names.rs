//! A name from outside is never taken for one of ours, and two names of one thing mean one thing.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wecom_simulator::Setup;
use wegraf::internals::config::{Anonymous, Config};
use wegraf::internals::incidents::{Kind, Subject};
use wegraf::internals::names::SourceId;
use wegraf::internals::store::OnFilter;

use crate::harness::{PATIENCE, World, alertmanager};
use crate::process::run;

const SOURCES: &str = r"
sources: { theirs: { bearer: their-token, watchdog: { within: 1h } } }
receivers:
  group: { targets: [ { webhook: ops-group, face: text } ] }
  duty: { targets: [ { webhook: dba-group, face: text } ] }
route: { receiver: group }
alarm: { receiver: duty }
";

/// A gateway with a source called `name`, which no configuration file could contain.
async fn with_a_source_called(name: &str, anonymous: Anonymous) -> World {
    let mut world = World::idle(Setup::demo(), SOURCES).await;
    let (mut config, _) = Config::load(&world.config_path()).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    name.clone_into(&mut config.sources[0].name);
    config.anonymous = anonymous;
    world.start_on(config, SocketAddr::from(([127, 0, 0, 1], 0))).await;
    world
}

async fn post(world: &World, token: Option<&str>, body: String) {
    let call = world.http.post(format!("{}/webhook", world.url)).body(body);
    let call = match token {
        Some(token) => call.bearer_auth(token),
        None => call,
    };
    let answer = call.send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

fn texts(messages: &[Value]) -> Vec<String> {
    messages.iter().map(|message| message["content"]["content"].as_str().unwrap().to_owned()).collect()
}

/// Causes a fault that wegraf reports; returns once it was reported, so that wegraf has checked the firing alerts after
/// this call.
async fn trouble(world: &World, about: &str) {
    let detail = ["出了事".to_owned(), "something happened".to_owned()];
    let subject = Subject::Outside(about.to_owned());
    world.app().incidents().note(Kind::Lost, subject, detail, world.app().now());
    let begun = Instant::now();
    while !texts(&world.inbox("webhook=sim-dba-group").await).iter().any(|text| text.contains(about)) {
        // On a busy machine wegraf checks only every 30 s.
        assert!(begun.elapsed() < 3 * PATIENCE, "wegraf says nothing of {about}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn wegraf_never_ends_an_alert_of_a_source_with_its_own_name() {
    let world = with_a_source_called("wegraf", Anonymous::None).await;
    let body = alertmanager("DatabaseDown", &[("db-1", "firing")]).replace("warning", "critical");
    post(&world, Some("their-token"), body).await;
    trouble(&world, "first-look").await;
    trouble(&world, "second-look").await;
    let told = texts(&world.arrived("webhook=sim-ops-group", 1).await);
    assert!(told[0].contains("DatabaseDown") && !told[0].contains("恢复"), "{told:#?}");
}

#[tokio::test]
async fn no_source_ends_a_self_alert_by_posting_its_labels() {
    let world = with_a_source_called("wegraf", Anonymous::None).await;
    trouble(&world, "stays").await;
    let own = world.app().store().firing(&wegraf::internals::names::SourceId::Wegraf).await.unwrap();
    let labels: Value = serde_json::from_str(&own[0].labels_json).unwrap();
    let alert = json!({
        "status": "resolved", "labels": labels, "annotations": {}, "generatorURL": "",
        "startsAt": "2026-11-22T06:02:00Z", "endsAt": "2026-11-22T06:20:00Z",
    });
    let body = json!({
        "version": "4", "receiver": "wegraf", "status": "resolved", "alerts": [alert], "groupKey": "wegraf:{}",
        "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "", "truncatedAlerts": 0,
    });
    post(&world, Some("their-token"), body.to_string()).await;
    trouble(&world, "next-look").await;
    let told = texts(&world.arrived("webhook=sim-dba-group", 2).await);
    assert!(told.iter().all(|text| !text.contains("恢复")), "{told:#?}");
}

#[tokio::test]
async fn an_unauthenticated_sender_is_not_the_source_called_anonymous() {
    let world = with_a_source_called("anonymous", Anonymous::All).await;
    let heard = async || -> Vec<String> {
        world.app().store().heard().await.unwrap().into_iter().map(|(source, _)| source).collect()
    };
    let source = SourceId::Configured("anonymous".to_owned()).stored().into_owned();
    post(&world, None, alertmanager("Watchdog", &[("prom", "firing")])).await;
    assert_eq!(heard().await, [SourceId::Anonymous.stored()], "its watchdog was heard from a stranger");
    post(&world, Some("their-token"), alertmanager("Watchdog", &[("prom", "firing")])).await;
    let both = heard().await;
    assert!(both.len() == 2 && both.contains(&source), "{both:?}");
    // Equal labels, but two alerts: neither resolves the other.
    post(&world, None, alertmanager("DatabaseDown", &[("db-1", "firing")])).await;
    post(&world, Some("their-token"), alertmanager("DatabaseDown", &[("db-1", "firing")])).await;
    // The end is posted once both are told: it would be folded into a firing that still waits.
    world.arrived("webhook=sim-ops-group", 2).await;
    post(&world, None, alertmanager("DatabaseDown", &[("db-1", "resolved")])).await;
    let told = texts(&world.arrived("webhook=sim-ops-group", 3).await);
    let said = |word: &str| told.iter().filter(|text| text.contains("DatabaseDown") && text.contains(word)).count();
    assert_eq!(said("恢复"), 1, "{told:#?}");
    world.settled().await;
    let (on, _) = world.app().store().alerts_on(OnFilter { limit: 100, ..OnFilter::default() }).await.unwrap();
    assert!(on.iter().any(|alert| alert.name == "DatabaseDown"), "the other one is still on: {on:#?}");
}

#[tokio::test]
async fn check_refuses_the_names_that_the_program_uses_for_itself() {
    let world = World::idle(Setup::demo(), &SOURCES.replace("theirs", "Wegraf")).await;
    run(&world, &["check"]).await.exits(1).says(&["wegraf.yaml:12:12", "`Wegraf`", "wegraf、anonymous"]);
    world.write_config(&SOURCES.replace("theirs", "anonymous"));
    run(&world, &["check"]).await.exits(1).says(&["`anonymous`"]);
    world.write_config(&SOURCES.replace("theirs", "wegraf-prod"));
    run(&world, &["check"]).await.exits(0);
}

/// One key under two names, one of them with a second key of its own.
const ONE_KEY: &str = r"
    again: { key: sim-ops-group }
receivers:
  group: { targets: [ { webhook: ops-group, face: text } ] }
  again: { targets: [ { webhook: again, face: text } ] }
  duty: { targets: [ { webhook: dba-group, face: text } ] }
route: { receiver: group }
alarm: { receiver: duty }
";

#[tokio::test]
async fn one_key_under_two_names_has_one_breaker() {
    let world = World::at_a_standstill(ONE_KEY).await;
    let refused = json!({ "match": { "path": "webhook/send" }, "action": { "errcode": 45009 }, "times": 1 });
    world.fault(refused).await;
    world.accept("/webhook/group", alertmanager("磁盘", &[("db-1", "firing")])).await;
    let begun = Instant::now();
    while world.app().store().breakers().await.unwrap().is_empty() {
        assert!(begun.elapsed() < PATIENCE, "no breaker opens");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    world.accept("/webhook/again", alertmanager("内存", &[("db-2", "firing")])).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(world.requests("webhook/send").await.len(), 1, "the other name goes on hammering the same key");
    // The metrics show both names; neither they nor the record contain the key.
    for name in ["ops-group", "again"] {
        assert!(world.metric(&format!("wegraf_breaker_open{{scope=\"webhook/{name}\"}}")).await > 0.5, "{name}");
    }
    let open = world.app().store().breakers().await.unwrap();
    assert_eq!(open.len(), 1, "{open:#?}");
    assert!(!format!("{open:?}").contains("sim-ops-group"), "{open:#?}");
    // It is reported by its names.
    world.pass(Duration::from_secs(30));
    let told = texts(&world.arrived("webhook=sim-dba-group", 1).await);
    assert!(told[0].contains("发送受阻") && told[0].contains("webhook/again, webhook/ops-group"), "{told:#?}");
    world.pass(Duration::from_mins(1));
    world.arrived("webhook=sim-ops-group", 2).await;
    world.settled().await;
}
