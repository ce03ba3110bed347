//! What an Alertmanager knows of an alert decides whether its escalation goes on: a real one, with its own tool. Where
//! one of 0.28 is needed, which Debian does not have, a stand-in answers as that version does, and the test says so.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use wegraf::internals::store::{ActFilter, ActKind};
use xtask::gateway::free;

use crate::harness::{World, alertmanager, crypto};
use crate::programs::{Server, ago, find, until};
use crate::silences::NO_NOTIFIER;
use crate::witness_alertmanager::{holds, texts};

/// First the group, after ten minutes another, after half an hour the first again.
fn steps(upstreams: &str) -> String {
    format!(
        "upstreams: {{ {upstreams} }}\nreceivers:\n  ops:\n    targets: [ {{ webhook: ops-group, face: text }} ]\n    escalate: [ {{ after: 10m, receiver: boss }} ]\n  boss: {{ targets: [ {{ webhook: dba-group, face: text }} ] }}\nroute: {{ receiver: ops }}\n"
    )
}

fn at(url: &str) -> String {
    format!("am: {{ kind: alertmanager, url: '{url}', gone_after: 1m }}")
}

const OPS: &str = "webhook=sim-ops-group";
const BOSS: &str = "webhook=sim-dba-group";
const NAME: &str = "磁盘将满";

/// The alert that [`alertmanager`] tells of, as it is in the Alertmanager; `over`: its end.
fn there(instance: &str, over: bool) -> Value {
    let mut alert = json!({
        "labels": { "alertname": NAME, "instance": instance, "severity": "warning" },
        "startsAt": "2026-11-22T06:02:00Z",
    });
    alert["endsAt"] = if over { ago(0) } else { "2099-01-01T00:00:00Z".to_owned() }.into();
    alert
}

/// An Alertmanager and a gateway whose clock stands, both of which know of the alert.
async fn both(config: &str) -> Option<(TempDir, Server, World)> {
    crypto();
    let folder = TempDir::new().unwrap();
    let server = Server::alertmanager(folder.path(), config).await?;
    let world = firing(&steps(&at(&server.url)), &[&server]).await;
    Some((folder, server, world))
}

/// A gateway that was told of the alert, and Alertmanagers that list it.
async fn firing(config: &str, servers: &[&Server]) -> World {
    let world = World::at_a_standstill(config).await;
    for server in servers {
        server.fire(&[there("db-1", false)]).await;
        listed(server, |alerts| alerts.len() == 1).await;
    }
    world.accept("/webhook", alertmanager(NAME, &[("db-1", "firing")])).await;
    world.arrived(OPS, 1).await;
    look(&world).await;
    world
}

/// Waits until an Alertmanager lists what is `wanted`.
async fn listed(server: &Server, wanted: impl Fn(&[Value]) -> bool) {
    let seen = async || {
        let alerts: Vec<Value> = serde_json::from_str(&server.get("/api/v2/alerts").await?).ok()?;
        wanted(&alerts).then_some(())
    };
    until("the Alertmanager lists it", seen).await;
}

fn suppressed(alerts: &[Value]) -> bool {
    alerts.iter().any(|alert| alert["labels"]["alertname"] == NAME && alert["status"]["state"] == "suppressed")
}

/// Looks upstream, and sends all that follows.
async fn look(world: &World) {
    world.app().acts().look_once().await.unwrap();
    world.settled().await;
}

/// Takes the steps that are due, and sends all that follows.
async fn step(world: &World) {
    world.app().acts().escalate_once().await.unwrap();
    world.settled().await;
}

/// Runs Alertmanager's own tool; what it prints.
async fn amtool(server: &Server, arguments: &[&str]) -> String {
    let path = find("amtool").unwrap();
    let url = format!("--alertmanager.url={}", server.url);
    let run = tokio::process::Command::new(path).arg(url).args(arguments).output().await.unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).unwrap().trim().to_owned()
}

async fn silenced_by_amtool(server: &Server) -> String {
    let name = format!("alertname={NAME}");
    let add = ["silence", "add", "--author=lisi", "--comment=换盘，见工单 7", "--duration=2h", &name];
    let id = amtool(server, &add).await;
    listed(server, suppressed).await;
    id
}

fn id(text: &str) -> String {
    text.lines().last().unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_silence_made_with_amtool_holds_the_step_is_told_once_and_its_end_is_a_reminder() {
    let Some((_folder, server, world)) = both(NO_NOTIFIER).await else { return };
    let silence = silenced_by_amtool(&server).await;
    world.pass(Duration::from_mins(10));
    step(&world).await;
    let told = texts(&world.arrived(OPS, 2).await);
    holds(&told[1], &["lisi 在上游静默了 磁盘将满，到 ", "db-1", "原因：换盘，见工单 7", "不升级"]);
    assert_eq!(id(&told[1]), id(&told[0]));
    for _ in 0..3 {
        world.pass(Duration::from_mins(5));
        look(&world).await;
        step(&world).await;
    }
    assert_eq!((world.inbox(OPS).await.len(), world.inbox(BOSS).await.len()), (2, 0), "told once, and no step");
    let acts = world.app().store().acts(ActFilter::default()).await.unwrap();
    assert_eq!(
        (acts.len(), acts[0].kind, acts[0].by.as_str(), acts[0].via.as_str()),
        (1, ActKind::Hide, "lisi", "upstream/am")
    );

    amtool(&server, &["silence", "expire", &silence]).await;
    listed(&server, |alerts| !suppressed(alerts)).await;
    look(&world).await;
    let told = texts(&world.arrived(OPS, 3).await);
    holds(&told[2], &["静默已结束，仍在告警", NAME]);
    world.pass(Duration::from_mins(9));
    step(&world).await;
    assert!(world.inbox(BOSS).await.is_empty(), "the step counts anew");
    world.pass(Duration::from_mins(1));
    step(&world).await;
    let boss = texts(&world.arrived(BOSS, 1).await);
    holds(&boss[0], &["ops 已 10 分钟无人认领", NAME]);
    assert!(!boss[0].contains("未知"), "{boss:?}");
    assert_eq!(id(&boss[0]), id(&told[0]), "the same short id");
    assert_eq!(world.inbox(OPS).await.len(), 3);
}

#[tokio::test]
async fn what_is_silenced_and_then_over_takes_no_step_and_its_end_is_told_once() {
    let Some((_folder, server, world)) = both(NO_NOTIFIER).await else { return };
    silenced_by_amtool(&server).await;
    look(&world).await;
    world.arrived(OPS, 2).await;
    server.fire(&[there("db-1", true)]).await;
    listed(&server, <[Value]>::is_empty).await;
    world.pass(Duration::from_mins(10));
    step(&world).await;
    assert_eq!((world.inbox(OPS).await.len(), world.inbox(BOSS).await.len()), (2, 0), "absent, not yet gone");
    for _ in 0..4 {
        world.pass(Duration::from_secs(20));
        look(&world).await;
    }
    step(&world).await;
    let told = texts(&world.arrived(OPS, 3).await);
    holds(&told[2], &["已恢复", NAME]);
    // A reload releases a withheld end, long after.
    world.accept("/webhook", alertmanager(NAME, &[("db-1", "resolved")])).await;
    world.settled().await;
    assert_eq!((world.inbox(OPS).await.len(), world.inbox(BOSS).await.len()), (3, 0), "it is the same end");
}

#[tokio::test]
async fn an_alert_gone_upstream_is_resolved_for_all_recipients_also_of_its_escalation() {
    let Some((_folder, server, world)) = both(NO_NOTIFIER).await else { return };
    world.pass(Duration::from_mins(10));
    step(&world).await;
    let boss = texts(&world.arrived(BOSS, 1).await);
    server.fire(&[there("db-1", true)]).await;
    listed(&server, <[Value]>::is_empty).await;
    for _ in 0..4 {
        assert_eq!((world.inbox(OPS).await.len(), world.inbox(BOSS).await.len()), (1, 1));
        look(&world).await;
        world.pass(Duration::from_secs(20));
    }
    look(&world).await;
    for whose in [OPS, BOSS] {
        let told = texts(&world.arrived(whose, 2).await);
        holds(&told[1], &["已恢复", NAME]);
        assert_eq!(id(&told[1]), id(&boss[0]));
    }
    step(&world).await;
    assert_eq!((world.inbox(OPS).await.len(), world.inbox(BOSS).await.len()), (2, 2));
}

#[tokio::test]
async fn an_inhibited_alert_takes_no_step_and_no_one_is_told_until_it_is_free_again() {
    let inhibiting = format!(
        "{NO_NOTIFIER}inhibit_rules: [ {{ source_matchers: [ alertname=机房断电 ], target_matchers: [ alertname={NAME} ] }} ]\n"
    );
    let Some((_folder, server, world)) = both(&inhibiting).await else { return };
    let mut power = there("room-1", false);
    power["labels"]["alertname"] = "机房断电".into();
    server.fire(&[power.clone()]).await;
    listed(&server, suppressed).await;
    for _ in 0..3 {
        world.pass(Duration::from_mins(10));
        look(&world).await;
        step(&world).await;
    }
    assert_eq!((world.inbox(OPS).await.len(), world.inbox(BOSS).await.len()), (1, 0));
    let followed = world.followed().await;
    let state = &followed[0].truth.as_ref().unwrap().state_json;
    assert!(state.contains("inhibited") && state.contains("机房断电"), "{state}");
    power["endsAt"] = ago(0).into();
    server.fire(&[power]).await;
    listed(&server, |alerts| !suppressed(alerts)).await;
    look(&world).await;
    holds(&texts(&world.arrived(OPS, 2).await)[1], &["抑制已结束，仍在告警", NAME]);
}

#[tokio::test]
async fn an_upstream_that_is_away_proves_nothing_and_the_step_says_so() {
    crypto();
    let down = free().unwrap();
    let world = firing(&steps(&at(&format!("http://{down}"))), &[]).await;
    world.pass(Duration::from_mins(10));
    step(&world).await;
    holds(&texts(&world.arrived(BOSS, 1).await)[0], &["ops 已 10 分钟无人认领（上游状态未知）"]);

    // One that has just started lists nothing, which proves nothing either.
    let folder = TempDir::new().unwrap();
    let Some(server) = Server::alertmanager(folder.path(), NO_NOTIFIER).await else { return };
    let world = firing(&steps(&at(&server.url)), &[]).await;
    for _ in 0..12 {
        world.pass(Duration::from_secs(50));
        look(&world).await;
    }
    step(&world).await;
    holds(&texts(&world.arrived(BOSS, 1).await)[0], &["（上游状态未知）"]);
    assert_eq!(world.inbox(OPS).await.len(), 1, "and no end was told");
}

#[tokio::test]
async fn peers_are_asked_together() {
    crypto();
    let folder = TempDir::new().unwrap();
    let Some([first, second]) = Server::strangers(folder.path(), NO_NOTIFIER).await else { return };
    let peers =
        format!("am: {{ kind: alertmanager, url: '{}', peers: ['{}'], gone_after: 1m }}", first.url, second.url);
    // Only the second one lists it, silenced.
    let world = firing(&steps(&peers), &[&second]).await;
    let silence = silenced_by_amtool(&second).await;
    world.pass(Duration::from_mins(10));
    step(&world).await;
    world.arrived(OPS, 2).await;
    assert!(world.inbox(BOSS).await.is_empty(), "every peer that lists it says so");
    // The first one lists it as well, and does not know of the silence.
    first.fire(&[there("db-1", false)]).await;
    listed(&first, |alerts| alerts.len() == 1).await;
    look(&world).await;
    world.arrived(OPS, 3).await;
    world.pass(Duration::from_mins(10));
    step(&world).await;
    world.arrived(BOSS, 1).await;
    // It is gone from the second one only.
    amtool(&second, &["silence", "expire", &silence]).await;
    second.fire(&[there("db-1", true)]).await;
    listed(&second, <[Value]>::is_empty).await;
    for _ in 0..6 {
        world.pass(Duration::from_secs(20));
        look(&world).await;
    }
    assert_eq!(world.inbox(OPS).await.len(), 3, "presence is the union");
}

/// What a stand-in answers below `/api/v2`.
#[derive(Clone)]
struct StandIn {
    status: StatusCode,
    muted: bool,
    delay: Duration,
}

impl StandIn {
    async fn start(self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = axum::Router::new().fallback(answer).with_state(self);
        tokio::spawn(async { axum::serve(listener, router).await });
        url
    }
}

/// As Alertmanager 0.28 answers: a muted alert is `active` in the list, and `mutedBy` stands in the groups.
async fn answer(State(stand_in): State<StandIn>, uri: axum::http::Uri) -> Response {
    tokio::time::sleep(stand_in.delay).await;
    if !stand_in.status.is_success() {
        return stand_in.status.into_response();
    }
    let labels = there("db-1", false)["labels"].clone();
    let alert = |status: Value| {
        json!({
            "labels": labels, "annotations": {}, "fingerprint": "f0", "receivers": [{ "name": "wegraf" }],
            "startsAt": "2026-11-22T06:02:00Z", "endsAt": "2099-01-01T00:00:00Z", "updatedAt": "2026-11-22T06:02:00Z",
            "status": status,
        })
    };
    let active = json!({ "state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": [] });
    let by: &[&str] = if stand_in.muted { &["weekend"] } else { &[] };
    let state = if stand_in.muted { "suppressed" } else { "active" };
    let muted = json!({ "state": state, "silencedBy": [], "inhibitedBy": [], "mutedBy": by });
    let group = |receiver: &str, status: &Value| json!({ "labels": {}, "receiver": { "name": receiver }, "alerts": [alert(status.clone())] });
    let body = match uri.path() {
        "/api/v2/status" => json!({
            "uptime": "2026-01-01T00:00:00Z", "versionInfo": { "version": "0.28.1" }, "cluster": { "status": "disabled" },
        }),
        "/api/v2/alerts" => json!([alert(active)]),
        // The same alert for another receiver is not muted.
        "/api/v2/alerts/groups" => json!([group("wegraf", &muted), group("pager", &active)]),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    axum::Json(body).into_response()
}

#[tokio::test]
async fn a_muted_group_takes_no_step_in_a_stand_in_of_0_28() {
    crypto();
    let fine = StandIn { status: StatusCode::OK, muted: true, delay: Duration::ZERO };
    let world = firing(&steps(&at(&fine.clone().start().await)), &[]).await;
    world.pass(Duration::from_mins(10));
    step(&world).await;
    assert_eq!((world.inbox(OPS).await.len(), world.inbox(BOSS).await.len()), (1, 0), "no step and no message");
    let followed = world.followed().await;
    let state = &followed[0].truth.as_ref().unwrap().state_json;
    assert!(state.contains("muted") && state.contains("weekend"), "{state}");
    let open = StandIn { muted: false, ..fine };
    let world = firing(&steps(&at(&open.start().await)), &[]).await;
    world.pass(Duration::from_mins(10));
    step(&world).await;
    let boss = texts(&world.arrived(BOSS, 1).await);
    assert!(!boss[0].contains("未知"), "{boss:?}");
}

#[tokio::test]
async fn an_upstream_that_refuses_or_is_slow_does_not_keep_a_step() {
    crypto();
    let fine = StandIn { status: StatusCode::OK, muted: true, delay: Duration::ZERO };
    let forbidden = StandIn { status: StatusCode::FORBIDDEN, ..fine.clone() };
    let unknown = StandIn { status: StatusCode::UNAUTHORIZED, ..fine.clone() };
    let slow = StandIn { delay: Duration::from_mins(1), ..fine };
    for stand_in in [forbidden, unknown, slow] {
        let world = World::at_a_standstill(&steps(&at(&stand_in.start().await))).await;
        world.accept("/webhook", alertmanager(NAME, &[("db-1", "firing")])).await;
        world.arrived(OPS, 1).await;
        world.pass(Duration::from_mins(10));
        step(&world).await;
        holds(&texts(&world.arrived(BOSS, 1).await)[0], &["（上游状态未知）"]);
    }
}

#[tokio::test]
async fn a_reading_of_the_last_minute_holds_while_the_upstream_is_away_and_an_older_one_does_not() {
    crypto();
    let folder = TempDir::new().unwrap();
    let Some(server) = Server::alertmanager(folder.path(), NO_NOTIFIER).await else { return };
    let world = firing(&steps(&at(&server.url)), &[&server]).await;
    silenced_by_amtool(&server).await;
    world.pass(Duration::from_secs(9 * 60 + 50));
    look(&world).await;
    world.arrived(OPS, 2).await;
    drop(server);
    world.pass(Duration::from_secs(10));
    step(&world).await;
    assert!(world.inbox(BOSS).await.is_empty(), "it was silenced ten seconds ago");
    world.pass(Duration::from_mins(1));
    step(&world).await;
    holds(&texts(&world.arrived(BOSS, 1).await)[0], &["（上游状态未知）"]);
}

/// Pushes alerts as Prometheus does, each with its end four minutes from now.
async fn push(world: &World, instances: &[&str]) {
    let now = world.app().now();
    let end = jiff::Timestamp::from_millisecond(now.0 + 240_000).unwrap().to_string();
    let alert = |instance: &&str| json!({ "labels": { "alertname": NAME, "instance": instance }, "endsAt": end, "startsAt": "2026-11-22T06:02:00Z" });
    let body = Value::from(instances.iter().map(alert).collect::<Vec<_>>());
    world.accept("/api/v2/alerts", body.to_string()).await;
}

async fn lapse(world: &World) {
    world.app().acts().lapse_once().await.unwrap();
    world.settled().await;
}

const PUSHED: &str = "receivers:\n  ops: { targets: [ { webhook: ops-group, face: text } ] }\n  duty: { targets: [ { webhook: dba-group, face: text } ] }\nroute: { receiver: ops }\nalarm: { receiver: duty }\n";

#[tokio::test]
async fn a_pushed_alert_that_is_not_pushed_again_is_no_longer_reported_and_not_resolved() {
    let world = World::at_a_standstill(PUSHED).await;
    push(&world, &["db-1", "db-2"]).await;
    let told = texts(&world.arrived(OPS, 1).await);
    for _ in 0..4 {
        world.pass(Duration::from_mins(1));
        push(&world, &["db-2"]).await;
        lapse(&world).await;
    }
    world.pass(Duration::from_secs(59));
    lapse(&world).await;
    assert_eq!(world.inbox(OPS).await.len(), 1, "a push may be late");
    world.pass(Duration::from_secs(2));
    push(&world, &["db-2"]).await;
    lapse(&world).await;
    let lapsed = texts(&world.arrived(OPS, 2).await);
    holds(&lapsed[1], &["⚪ 不再上报 磁盘将满", "db-1", "这不表示已经恢复"]);
    assert!(!lapsed[1].contains("已恢复") && !lapsed[1].contains("🟢"), "{lapsed:#?}");
    assert_eq!(id(&lapsed[1]), id(&told[0]));
    world.pass(Duration::from_mins(1));
    push(&world, &["db-2"]).await;
    lapse(&world).await;
    assert_eq!(world.inbox(OPS).await.len(), 2, "told once");
    push(&world, &["db-1"]).await;
    holds(&texts(&world.arrived(OPS, 3).await)[2], &["告警", NAME]);
    assert!(world.inbox(BOSS).await.is_empty());
}

#[tokio::test]
async fn alerts_that_lapse_are_told_although_the_record_refuses_others() {
    let mut world = World::at_a_standstill(PUSHED).await;
    push(&world, &["db-1"]).await;
    push(&world, &["db-2"]).await;
    world.arrived(OPS, 2).await;
    world.stop().await;
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON act
                  WHEN NEW.event LIKE 'lapse/' || (SELECT min(thread) FROM alert) || '/%'
                  BEGIN SELECT RAISE(ABORT, 'refused'); END";
    let database = rusqlite::Connection::open(world.folder.path().join("wegraf.db")).unwrap();
    database.execute_batch(refuse).unwrap();
    drop(database);
    world.start().await;
    for _ in 0..6 {
        world.pass(Duration::from_mins(1));
        push(&world, &["db-3"]).await;
    }
    world.arrived(OPS, 3).await;
    world.app().acts().lapse_once().await.unwrap_err();
    let told = texts(&world.arrived(OPS, 4).await);
    holds(&told[3], &["⚪ 不再上报 磁盘将满", "db-2"]);
}

#[tokio::test]
async fn a_source_whose_alerts_lapse_together_is_one_message_and_none_of_them_is_told() {
    let world = World::at_a_standstill(PUSHED).await;
    push(&world, &["db-1", "db-2"]).await;
    world.pass(Duration::from_secs(30));
    push(&world, &["db-2", "db-3"]).await;
    world.arrived(OPS, 2).await;
    world.pass(Duration::from_mins(6));
    lapse(&world).await;
    let told = texts(&world.arrived(BOSS, 1).await);
    holds(&told[0], &["告警来源没有心跳", "anonymous", "3 条告警状态未知"]);
    world.pass(Duration::from_mins(30));
    lapse(&world).await;
    assert_eq!(world.inbox(OPS).await.len(), 2, "never singly");
    // It is back, and knows of one of them no more.
    push(&world, &["db-1", "db-2"]).await;
    holds(&texts(&world.arrived(BOSS, 2).await)[1], &["恢复", "告警来源没有心跳"]);
    lapse(&world).await;
    holds(&texts(&world.arrived(OPS, 3).await)[2], &["不再上报", "db-3"]);
}

#[tokio::test]
async fn who_silenced_what_is_told_in_english_too() {
    crypto();
    let folder = TempDir::new().unwrap();
    let Some(server) = Server::alertmanager(folder.path(), NO_NOTIFIER).await else { return };
    let config = steps(&at(&server.url)).replace("  ops:\n", "  ops:\n    language: en\n");
    let world = World::at_a_standstill(&config).await;
    server.fire(&[there("db-1", false)]).await;
    listed(&server, |alerts| alerts.len() == 1).await;
    world.accept("/webhook", alertmanager(NAME, &[("db-1", "firing")])).await;
    world.arrived(OPS, 1).await;
    let silence = silenced_by_amtool(&server).await;
    look(&world).await;
    holds(
        &texts(&world.arrived(OPS, 2).await)[1],
        &["lisi silenced 磁盘将满 upstream until ", "Reason: 换盘，见工单 7", "no escalation until then"],
    );
    amtool(&server, &["silence", "expire", &silence]).await;
    listed(&server, |alerts| !suppressed(alerts)).await;
    world.pass(Duration::from_mins(1));
    look(&world).await;
    holds(&texts(&world.arrived(OPS, 3).await)[2], &["The silence has ended: it is still firing"]);
}
