//! Intake: every format through every address, retries and resends, sources and their secrets.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use wecom_simulator::{Chat, Setup, Webhook};
use wegraf::internals::alert::Format;
use wegraf::internals::cli::sample;
use wegraf::internals::names::SourceId;
use wegraf::internals::store::State;

use crate::harness::{EVERY_CHANNEL, World, alertmanager, payload};
use crate::process::Wegraf;

const ONE_MEMBER: &str = r"
receivers:
  ops: { targets: [ { app: ops, users: [daixuan], face: text } ] }
route: { receiver: ops }
";

/// The repository's payloads, each with its expected format and a text that must be shown.
const FORMATS: &[(&str, Format, &str)] = &[
    ("grafana-firing.json", Format::Grafana, ""),
    ("grafana-legacy-alerting.json", Format::GrafanaLegacy, "节点内存使用率高"),
    ("alertmanager-firing.json", Format::Alertmanager, ""),
    ("generic-backup.json", Format::Generic, "备份失败"),
    ("tencent.json", Format::Generic, ""),
    ("n9e.json", Format::Generic, ""),
    ("uptime-kuma.json", Format::Generic, ""),
    ("aliyun.form", Format::Generic, ""),
    ("plain.txt", Format::Opaque, "数据同步任务中断"),
];

fn content_type(name: &str) -> &'static str {
    if Path::new(name).extension().is_some_and(|kind| kind == "form") {
        "application/x-www-form-urlencoded"
    } else {
        "application/json"
    }
}

#[tokio::test]
async fn every_format_is_recognised_by_its_shape_and_routed_by_the_tree_or_by_the_address() {
    for (name, format, readable) in FORMATS {
        let world = World::new(EVERY_CHANNEL).await;
        let send = async |path: &str| {
            let request = world.http.post(format!("{}{path}", world.url)).header("content-type", content_type(name));
            let answer = request.body(payload(name)).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{name}");
            answer.json::<Value>().await.unwrap()
        };
        assert_eq!(send("/webhook/group").await["targets"], 1, "{name}");
        world.arrived("webhook=sim-ops-group", 1).await;
        assert!(world.inbox("user=daixuan").await.is_empty(), "{name}: the address names another receiver");
        assert_eq!(send("/webhook").await["targets"], 3, "{name}");
        world.arrived("user=daixuan", 1).await;
        world.arrived("chat=AITest", 1).await;
        let messages = world.arrived("webhook=sim-ops-group", 2).await;
        assert!(messages.iter().all(|message| message["content"].to_string().contains(readable)), "{messages:#?}");
        for row in world.deliveries().await {
            assert_eq!(world.delivery(row.message, |_| true).await.format, *format, "{name}");
        }
    }
}

#[tokio::test]
async fn put_is_taken_like_post() {
    let world = World::new(ONE_MEMBER).await;
    for (number, path) in ["/webhook", "/webhook/ops"].into_iter().enumerate() {
        let request = world.http.put(format!("{}{path}", world.url));
        let answer = request.body(alertmanager(path, &[("a", "firing")])).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        world.arrived("user=daixuan", number + 1).await;
    }
}

#[tokio::test]
async fn the_answer_says_what_became_of_the_call() {
    let world = World::new(EVERY_CHANNEL).await;
    let body = alertmanager("磁盘", &[("a", "firing"), ("b", "firing")]);
    let first = world.accept("/webhook", body.clone()).await;
    let id = first["id"].as_i64().unwrap();
    assert_eq!(first, json!({ "id": id, "duplicate": false, "alerts": 2, "targets": 3 }));
    let again = world.accept("/webhook", body).await;
    assert_eq!(again, json!({ "id": id, "duplicate": true, "alerts": 2, "targets": 3 }));
    let opaque = world.accept("/webhook", "nobody knows this").await;
    assert_eq!((&opaque["opaque"], &opaque["alerts"]), (&json!(true), &json!(1)));
}

#[tokio::test]
async fn a_retry_and_the_copy_of_a_twin_are_not_told_twice() {
    let world = World::new(ONE_MEMBER).await;
    let body = alertmanager("磁盘", &[("a", "firing")]);
    world.accept("/webhook", body.clone()).await;
    assert_eq!(world.accept("/webhook", body.clone()).await["duplicate"], true);
    let twin = body.replace("http://alertmanager.example.com", "http://alertmanager-2.example.com");
    assert_eq!(world.accept("/webhook", twin.clone()).await["duplicate"], true);
    // Also when they come at the same moment.
    let other = alertmanager("内存", &[("b", "firing")]);
    let mut sends = JoinSet::new();
    for _ in 0..20 {
        sends.spawn(world.http.post(format!("{}/webhook", world.url)).body(other.clone()).send());
    }
    let mut news = 0;
    while let Some(answer) = sends.join_next().await {
        let answer: Value = answer.unwrap().unwrap().json().await.unwrap();
        news += usize::from(answer["duplicate"] == false);
    }
    assert_eq!(news, 1);
    world.accept("/webhook", alertmanager("磁盘", &[("a", "resolved")])).await;
    let resolved_by_the_twin =
        alertmanager("磁盘", &[("a", "resolved")]).replace("alertmanager.ex", "alertmanager-2.ex");
    assert_eq!(world.accept("/webhook", resolved_by_the_twin).await["duplicate"], true);
    assert_eq!(world.accept("/webhook", twin).await["duplicate"], true, "the twin lags behind");
    world.settled().await;
    assert_eq!(world.inbox("user=daixuan").await.len(), 3);
}

/// What Prometheus posts while an alert is firing (its end lies ahead) or resolved.
fn push(ends_at: i64) -> String {
    let ends_at = jiff::Timestamp::from_millisecond(ends_at).unwrap().to_string();
    json!([{
        "labels": { "alertname": "主库只读", "instance": "order-db-0", "severity": "critical" },
        "annotations": { "summary": "写入全部失败" },
        "startsAt": "2026-01-02T03:04:05.678Z", "endsAt": ends_at, "generatorURL": "http://prometheus.example.com/graph",
    }])
    .to_string()
}

#[tokio::test]
async fn a_state_pushed_each_minute_is_told_when_it_begins_and_when_it_ends() {
    const MINUTE: Duration = Duration::from_mins(1);
    let world = World::at_a_standstill(ONE_MEMBER).await;
    // The end of an alert that was never told is no news.
    world.accept("/api/v2/alerts", push(world.app().now().0)).await;
    for _ in 0..90 {
        world.accept("/api/v2/alerts", push(world.app().now().0 + 4 * 60_000)).await;
        world.pass(MINUTE);
    }
    world.settled().await;
    assert_eq!(world.inbox("user=daixuan").await.len(), 1, "ninety resends tell nothing, not even a reminder");
    let ended = world.app().now().0;
    for _ in 0..15 {
        world.accept("/api/v2/alerts", push(ended)).await;
        world.pass(MINUTE);
    }
    let messages = world.arrived("user=daixuan", 2).await;
    assert!(messages[1]["content"].to_string().contains("恢复"), "{messages:#?}");
    world.settled().await;
    assert_eq!(world.inbox("user=daixuan").await.len(), 2);
}

#[tokio::test]
async fn a_pusher_gets_the_answers_of_an_alertmanager() {
    let world = World::new(ONE_MEMBER).await;
    let firing = push(world.app().now().0 + 240_000);
    assert_eq!(world.post("/api/v2/alerts", firing).await.0, 200);
    assert_eq!(world.post("/webhook/ops/api/v2/alerts", "[]").await.0, 200);
    for wrong in ["{}", "{\"status\":\"firing\"}", "not json"] {
        let (status, answer) = world.post("/api/v2/alerts", wrong).await;
        assert!((400..500).contains(&status), "{wrong}: {status} {answer}");
        assert!(answer["code"].is_number() && answer["message"].is_string(), "{answer}");
    }
    world.arrived("user=daixuan", 1).await;
}

#[tokio::test]
async fn an_unknown_receiver_loses_no_alert() {
    let world = World::new(ONE_MEMBER).await;
    let answer = world.accept("/webhook/opps", alertmanager("磁盘", &[("a", "firing")])).await;
    assert!(answer["warning"].as_str().unwrap().contains("opps"), "{answer}");
    world.arrived("user=daixuan", 1).await;
}

#[tokio::test]
async fn a_notification_is_taken_by_every_method_of_a_sender_and_a_probe_is_answered() {
    let world = World::new(&format!("{ONE_MEMBER}\nsources:\n  path: {{ path: path-token-40d1c6b2a97e53f8 }}\n")).await;
    let asked = async |method: &str, path: &str, body: Option<String>| {
        let path = path.replace("/t/", "/webhook/t/path-token-40d1c6b2a97e53f8");
        let request = world.http.request(method.parse().unwrap(), format!("{}{path}", world.url));
        let request = match body {
            Some(body) => request.body(body),
            None => request,
        };
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    for path in ["/t/", "/t//ops"] {
        for method in ["GET", "HEAD"] {
            let (status, text) = asked(method, path, None).await;
            assert_eq!((status, text.as_str()), (200, if method == "GET" { r#"{"status": "OK"}"# } else { "" }));
        }
    }
    assert_eq!(asked("GET", "/webhook", Some("{}".into())).await.0, 401, "a body needs a source's credential");
    let mut told = 0;
    for path in ["/t/", "/t//ops"] {
        for method in ["GET", "POST", "PUT", "PATCH"] {
            told += 1;
            let body = alertmanager(&format!("磁盘 {told}"), &[("a", "firing")]);
            let (status, text) = asked(method, path, Some(body)).await;
            assert_eq!(status, 200, "{method} {path}: {text}");
        }
        told += 1;
        let query = format!("{path}?title=disk-{told}&text=%E7%A3%81%E7%9B%98%E5%B0%86%E6%BB%A1");
        assert_eq!(asked("GET", &query, None).await.0, 200);
        told += 1;
        assert_eq!(asked("POST", &query.replace("disk", "rack"), None).await.0, 200);
        assert_eq!(asked("POST", path, None).await.0, 400, "neither a body nor a query");
    }
    // Its head does not say that the body is empty.
    for (chunks, name) in [("0\r\n\r\n", "query"), ("2\r\n{}\r\n0\r\n\r\n", "body")] {
        told += 1;
        let request = format!(
            "GET /webhook/t/path-token-40d1c6b2a97e53f8?title=from-{name} HTTP/1.1\r\nHost: wegraf\r\n\
             Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n{chunks}"
        );
        let mut connection = TcpStream::connect(world.url.trim_start_matches("http://")).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let messages = world.arrived("user=daixuan", told).await;
    let shown = |text: &str| messages.iter().any(|message| message.to_string().contains(text));
    assert!(shown("from-query") && !shown("from-body"), "the body, if there is one, is the notification");
}

#[tokio::test]
async fn methods_and_paths_that_do_not_exist_are_refused() {
    let world = World::new(ONE_MEMBER).await;
    for (method, path, wanted) in [
        ("DELETE", "/webhook", 405),
        ("PUT", "/api/v2/alerts", 405),
        ("POST", "/healthz", 405),
        ("POST", "/webhooks", 404),
        ("GET", "/../../etc/passwd", 404),
    ] {
        let request = world.http.request(method.parse().unwrap(), format!("{}{path}", world.url));
        assert_eq!(request.body("{}").send().await.unwrap().status(), wanted, "{method} {path}");
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(world.http.get(format!("{}{path}", world.url)).send().await.unwrap().status(), 200, "{path}");
    }
    assert!(world.inbox("user=daixuan").await.is_empty());
}

const BEARER: &str = "bearer-canary-7f3a";
const PASSWORD: &str = "basic:canary-91c2";
const HMAC_KEY: &str = "hmac-canary-55e0";
const QUERY: &str = "query-canary-40d1c6b2a97e53f8";
const PATH: &str = "path-canary-40d1c6b2a97e53f8";

const SOURCES: &str = r"
sources:
  grafana: { bearer: bearer-canary-7f3a }
  alertmanager: { basic: { username: am, password: 'basic:canary-91c2' } }
  signed: { hmac: { secret: hmac-canary-55e0, header: X-Grafana-Alerting-Signature, timestamp_header: X-Grafana-Alerting-Timestamp } }
  urls: { query: { name: token, value: query-canary-40d1c6b2a97e53f8 }, path: path-canary-40d1c6b2a97e53f8 }
receivers:
  ops: { targets: [ { app: ops, users: [daixuan], face: text }, { webhook: ops-group, face: text } ] }
route: { receiver: ops }
";

/// The headers of Grafana's signature (docs/reference/alert-sources.md#grafana-signature): over the Unix seconds, a
/// colon and the body.
fn signed(key: &str, seconds: i64, body: &str) -> Vec<(&'static str, String)> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(format!("{seconds}:{body}").as_bytes());
    let hex: Vec<String> = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let signature = hex.concat();
    vec![("X-Grafana-Alerting-Signature", signature), ("X-Grafana-Alerting-Timestamp", seconds.to_string())]
}

fn basic(user: &str, password: &str) -> Vec<(&'static str, String)> {
    vec![("Authorization", format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))))]
}

fn bearer(token: &str) -> Vec<(&'static str, String)> {
    vec![("Authorization", format!("Bearer {token}"))]
}

/// Posts with these headers; status and answer.
async fn post_with(world: &World, headers: &[(&'static str, String)], body: &str) -> (u16, String) {
    let mut request = world.http.post(format!("{}/webhook", world.url)).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn each_source_proves_itself_in_its_way_and_its_name_is_recorded() {
    let world = World::new(SOURCES).await;
    let now = world.app().now().0 / 1000;
    let signed_body = alertmanager("signed", &[("a", "firing")]);
    let ways = [
        ("grafana", bearer(BEARER), alertmanager("grafana", &[("a", "firing")])),
        ("alertmanager", basic("am", PASSWORD), alertmanager("alertmanager", &[("a", "firing")])),
        ("signed", signed(HMAC_KEY, now, &signed_body), signed_body),
    ];
    for (number, (source, headers, body)) in ways.into_iter().enumerate() {
        let (status, answer) = post_with(&world, &headers, &body).await;
        assert_eq!(status, 200, "{source}: {answer}");
        assert_eq!(world.deliveries().await[2 * number].source, SourceId::Configured(source.to_owned()));
    }
    world.arrived("user=daixuan", 3).await;
}

#[tokio::test]
async fn unauthenticated_calls_get_401_without_detail_at_every_door() {
    let world = World::new(SOURCES).await;
    let body = alertmanager("磁盘", &[("a", "firing")]);
    let now = world.app().now().0 / 1000;
    let wrong = [
        vec![],
        bearer("bearer-canary-7f3"),
        bearer(""),
        bearer(PASSWORD),
        basic("am", "basic"),
        basic("admin", PASSWORD),
        basic("am", BEARER),
        signed("another key", now, &body),
        signed(HMAC_KEY, now - 301, &body),
        signed(HMAC_KEY, now + 310, &body),
        signed(HMAC_KEY, now, &body.replace("磁盘", "另一个")),
        signed(HMAC_KEY, now, &body)[..1].to_vec(),
        vec![("Authorization", "Basic !!!".to_owned())],
    ];
    let mut answers = Vec::new();
    for headers in wrong {
        let (status, answer) = post_with(&world, &headers, &body).await;
        assert_eq!(status, 401, "{headers:?}: {answer}");
        answers.push(answer);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "an answer tells what was wrong: {answers:?}");
    for path in
        ["/webhook/ops", "/api/v2/alerts", "/api/model/send_sms/", "/check_service", "/webhook/ops/api/v2/alerts"]
    {
        assert_eq!(world.post(path, body.clone()).await.0, 401, "{path}");
    }
    world.settled().await;
    assert!(world.inbox("user=daixuan").await.is_empty());
}

#[tokio::test]
async fn the_body_of_who_proves_nothing_is_not_read() {
    let world = World::new(SOURCES).await;
    let mut connection = TcpStream::connect(world.url.trim_start_matches("http://")).await.unwrap();
    let head = "POST /webhook HTTP/1.1\r\nHost: wegraf\r\nContent-Length: 1000000\r\n\r\n";
    connection.write_all(head.as_bytes()).await.unwrap();
    // Not one byte of the body: a handler that waited for it would not answer now.
    let mut answer = [0; 12];
    tokio::time::timeout(Duration::from_secs(3), connection.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 401");
}

#[tokio::test]
async fn no_secret_shows_in_an_answer_a_log_line_a_metric_or_the_record() {
    let mut world = World::idle(Setup::demo(), SOURCES).await;
    let gateway = Wegraf::serve_with(&mut world, &["--log", "trace"]).await;
    let body = alertmanager("磁盘", &[("a", "firing")]);
    let mut shown = String::new();
    // Everything that can be logged: success, refusal, and each failure of WeCom.
    for action in [
        json!({ "errcode": 40014 }),
        json!({ "errcode": 60020 }),
        json!({ "errcode": 40058 }),
        json!({ "http": { "status": 502, "body": "bad gateway" } }),
        json!({ "raw": "<html>" }),
        json!("reset_before"),
    ] {
        world.fault(json!([{ "match": { "path": "message/send" }, "action": action }, { "match": { "path": "webhook/send" }, "action": action }])).await;
    }
    let now = wegraf::internals::time::Clock::System.now().0 / 1000;
    for headers in [
        bearer(BEARER),
        bearer("wrong"),
        basic("am", PASSWORD),
        signed(HMAC_KEY, now, &body),
        signed(HMAC_KEY, 1, &body),
    ] {
        shown.push_str(&post_with(&world, &headers, &body).await.1);
    }
    for path in
        [format!("?token={QUERY}"), format!("?token=x{QUERY}"), format!("/t/{PATH}"), format!("/t/{PATH}x/nobody")]
    {
        let request = world.http.post(format!("{}/webhook{path}", world.url)).body(body.clone());
        shown.push_str(&request.send().await.unwrap().text().await.unwrap());
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    shown.push_str(&world.http.get(format!("{}/metrics", world.url)).send().await.unwrap().text().await.unwrap());
    let record = crate::process::run(&world, &["deliveries", "list", "--json"]).await.exits(0);
    for row in record.json()["deliveries"].as_array().unwrap() {
        let message = row["message"].to_string();
        shown.push_str(&crate::process::run(&world, &["deliveries", "show", &message]).await.exits(0).out);
    }
    let doctor = crate::process::run(&world, &["doctor"]).await;
    shown.push_str(&doctor.out);
    shown.push_str(&doctor.err);
    shown.push_str(&gateway.log());
    assert!(gateway.log().contains("was not accepted"), "the faults were met: {}", gateway.log());
    let tokens = world
        .requests("gettoken")
        .await
        .into_iter()
        .filter_map(|call| call["answer"]["access_token"].as_str().map(str::to_owned));
    let mut secrets: Vec<String> = tokens.collect();
    assert!(!secrets.is_empty());
    secrets.extend(
        [BEARER, PASSWORD, HMAC_KEY, QUERY, PATH, "sim-app-secret", "sim-ops-group", "no-such-key"].map(str::to_owned),
    );
    for secret in secrets {
        let line = shown.lines().find(|line| line.contains(&secret));
        assert_eq!(line, None, "{secret} shows");
    }
}

/// Every face on every channel that has it (docs/reference/wecom.md#channels, #app-chat-limits, #content-limits), each
/// with an address of its own.
const FACES: &[(&str, &[&str])] = &[
    ("app", &["text", "markdown", "textcard", "news", "card"]),
    ("chat", &["text", "markdown", "textcard", "news"]),
    ("webhook", &["text", "markdown", "markdown_v2", "news", "card"]),
];

/// WeCom's limits of content in bytes, by channel and kind (docs/reference/wecom.md#content-limits), written
/// independently of the program's.
const LIMITS: &[(&str, &str, &str, usize)] = &[
    ("app", "text", "content", 2048),
    ("app", "markdown", "content", 2048),
    ("app", "textcard", "title", 128),
    ("app", "textcard", "description", 512),
    ("chat", "text", "content", 2048),
    ("chat", "markdown", "content", 2048),
    ("chat", "textcard", "title", 128),
    ("chat", "textcard", "description", 512),
    ("webhook", "text", "content", 2048),
    ("webhook", "markdown", "content", 4096),
    ("webhook", "markdown_v2", "content", 4096),
];

/// WeCom with a chat and a webhook for each face, and the configuration that uses them.
fn every_face() -> (Setup, String) {
    let mut setup = Setup::demo();
    let (mut webhooks, mut targets) = (Vec::new(), Vec::new());
    for (channel, faces) in FACES {
        for (number, face) in faces.iter().enumerate() {
            let name = face.replace('_', "");
            match *channel {
                // Two people in five combinations are five lanes.
                "app" => {
                    let users = ["daixuan", "zhangsan", "lisi", "wangwu", "daixuan, wangwu"][number];
                    targets.push(format!("      - {{ app: ops, users: [{users}], face: {face} }}\n"));
                }
                "chat" => {
                    let model = setup.corps[0].chats[0].clone();
                    setup.corps[0].chats.push(Chat { chatid: name.clone(), ..model });
                    targets.push(format!("      - {{ app: ops, chat: {name}, face: {face} }}\n"));
                }
                _ => {
                    let model = setup.webhooks[0].clone();
                    setup.webhooks.push(Webhook { key: format!("key-of-{name}"), ..model });
                    webhooks.push(format!("    {name}: {{ key: key-of-{name} }}\n"));
                    targets.push(format!("      - {{ webhook: {name}, face: {face} }}\n"));
                }
            }
        }
    }
    let (webhooks, targets) = (webhooks.concat(), targets.concat());
    // With an address of its own the gateway has a link for every card, even if the sender gives none.
    (
        setup,
        format!(
            "{webhooks}external_url: https://alerts.example.com\nreceivers:\n  all:\n    targets:\n{targets}route: {{ receiver: all }}\n"
        ),
    )
}

/// Posts one payload and checks the messages.
async fn arrives_in_every_face(name: String, content_type: &'static str, body: String) {
    let (setup, rest) = every_face();
    let world = World::with(setup, &rest).await;
    // A push whose end has passed resolves an alert, so the alert fires first.
    let mut bodies = vec![body.clone()];
    if let Ok(Value::Array(mut alerts)) = serde_json::from_str(&body) {
        let later = jiff::Timestamp::from_millisecond(world.app().now().0 + 240_000).unwrap();
        for alert in &mut alerts {
            alert["endsAt"] = later.to_string().into();
        }
        bodies.insert(0, Value::Array(alerts).to_string());
    }
    for body in bodies {
        let request = world.http.post(format!("{}/webhook", world.url)).header("content-type", content_type);
        let answer = request.body(body).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{name}");
        // An end that catches up with its beginning would be told in one message with it.
        world.settled().await;
    }
    let rows = world.deliveries().await;
    assert!(rows.len() >= 14, "{name}: {} messages", rows.len());
    let faces = FACES.iter().flat_map(|(_, faces)| *faces);
    for (row, face) in rows.iter().zip(faces.cycle()) {
        assert_eq!((row.state, row.face.as_deref()), (State::Sent, Some(*face)), "{name}: {row:#?}");
        assert_eq!(row.attempts, i64::from(row.parts), "{name}: not at the first try: {row:#?}");
    }
    let seen: Value = world
        .http
        .get(format!("{}/_simulator/messages", world.simulator.url()))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let seen = seen["messages"].as_array().unwrap();
    assert_eq!(seen.len(), rows.len(), "{name}");
    for message in seen {
        for (channel, kind, field, limit) in LIMITS {
            if message["channel"] == *channel && message["msgtype"] == *kind {
                let text = message["content"][field].as_str().unwrap_or_else(|| panic!("{name}: {message:#}"));
                assert!(
                    !text.trim().is_empty() && text.len() <= *limit,
                    "{name}: {} of {limit}: {message:#}",
                    text.len()
                );
            }
        }
    }
}

#[tokio::test]
async fn every_payload_of_the_repository_arrives_in_every_face_within_its_limits() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/payloads");
    all_of(&folder).await;
}

#[tokio::test]
async fn every_collected_payload_arrives_in_every_face_within_its_limits() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/reference/payloads");
    if folder.is_dir() {
        all_of(&folder).await;
    } else {
        println!("skipped: the collection of payloads is not on this machine");
    }
}

async fn all_of(folder: &Path) {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|kind| kind != "md"));
    files.sort();
    assert!(files.len() > 10, "{files:?}");
    let mut checks = JoinSet::new();
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let body = std::fs::read_to_string(&path).unwrap();
        checks.spawn(arrives_in_every_face(name.clone(), content_type(&name), body));
        if checks.len() >= 4 {
            checks.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(check) = checks.join_next().await {
        check.unwrap();
    }
}

#[tokio::test]
async fn the_samples_of_the_commands_are_payloads_that_arrive() {
    let world = World::new(ONE_MEMBER).await;
    for sample in sample::SAMPLES {
        let answer = world.accept(sample.path, sample.body(world.app().now())).await;
        assert_eq!(answer["opaque"], Value::Null, "{}", sample.name);
        // One by one: messages that wait together would be folded.
        world.settled().await;
    }
    let rows = world.deliveries().await;
    assert_eq!(rows.len(), world.inbox("user=daixuan").await.len());
    assert!(rows.len() >= sample::SAMPLES.len() && rows.iter().all(|row| row.state == State::Sent), "{rows:#?}");
}
