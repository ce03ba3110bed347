//! Charts in messages, of an upstream that answers as it should not.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::api::Program;
use crate::harness::{World, payload};
use crate::process::run;
use crate::programs::{ago, until};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;

const RECEIVERS: &str = r"
external_url: https://wegraf.example.com
receivers:
  ops: { targets: [ { webhook: ops-group, face: markdown_v2 }, { webhook: dba-group, face: news } ] }
route: { receiver: ops }
";
pub const EXPRESSION: &str = "queue_length > 10";

/// How the stand-in answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Manner {
    Well,
    Silent,
    Huge,
    Nonsense,
    Redirecting,
    Unauthorised,
    NotNumbers,
    OnePoint,
    ManySeries,
    Nothing,
}

/// A Prometheus in name.
pub struct StandIn {
    pub url: String,
    manner: Arc<Mutex<Manner>>,
    /// The queries and ends of windows that it was asked for.
    asked: Arc<Mutex<Vec<(String, i64)>>>,
}

type Shared = (Arc<Mutex<Manner>>, Arc<Mutex<Vec<(String, i64)>>>);

impl StandIn {
    pub async fn start() -> Self {
        let (manner, asked) = (Arc::new(Mutex::new(Manner::Well)), Arc::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = axum::Router::new()
            .route("/api/v1/rules", get(rules))
            .route("/api/v1/query_range", post(series))
            .route("/elsewhere", post(|| async { StatusCode::IM_A_TEAPOT }))
            .with_state((manner.clone(), Arc::clone(&asked)));
        tokio::spawn(async { axum::serve(listener, app).await });
        Self { url, manner, asked }
    }

    pub fn behaves(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
        self.asked.lock().unwrap().clear();
    }

    /// How often it was asked for what goes on now.
    pub fn questions(&self) -> usize {
        let asked = self.asked.lock().unwrap();
        let latest = asked.iter().map(|(_, end)| *end).max().unwrap_or_default();
        asked.iter().filter(|(_, end)| *end == latest).count()
    }
}

async fn rules() -> Response {
    let rule = |name: &str, query: &str| json!({ "type": "alerting", "name": name, "query": query, "labels": { "severity": "critical" } });
    let rules = [rule("QueueLong", "queue_length  >  1e1"), rule("Other", "a > 1")];
    let groups = json!([{ "name": "g", "rules": rules }]);
    axum::Json(json!({ "status": "success", "data": { "groups": groups } })).into_response()
}

async fn series(State((manner, asked)): State<Shared>, body: String) -> Response {
    let form: std::collections::HashMap<String, String> =
        form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let number = |name: &str| form[name].parse::<i64>().unwrap();
    let (start, end, step) = (number("start"), number("end"), number("step"));
    asked.lock().unwrap().push((form["query"].clone(), end));
    let manner = *manner.lock().unwrap();
    let points = |value: &dyn Fn(i64) -> String| -> Vec<Value> {
        (0..=(end - start) / step).map(|index| json!([start + index * step, value(index)])).collect()
    };
    let one =
        |values: Vec<Value>| json!({ "metric": { "__name__": "queue_length", "queue": "pay" }, "values": values });
    let result = match manner {
        Manner::Silent => std::future::pending().await,
        Manner::Huge => return "x".repeat(3 << 20).into_response(),
        Manner::Nonsense => return "<html>sign in</html>".into_response(),
        Manner::Redirecting => return Redirect::temporary("/elsewhere").into_response(),
        Manner::Unauthorised => return StatusCode::UNAUTHORIZED.into_response(),
        Manner::Well => vec![one(points(&|index| index.to_string()))],
        Manner::NotNumbers => vec![one(points(&|_| "NaN".to_owned()))],
        Manner::OnePoint => vec![one(vec![json!([end, "12"])])],
        Manner::ManySeries => (0..1000).map(|_| one(vec![json!([end, "12"])])).collect(),
        Manner::Nothing => Vec::new(),
    };
    axum::Json(json!({ "status": "success", "data": { "resultType": "matrix", "result": result } })).into_response()
}

/// A firing alert of `rule`, whose link gives `expression`.
pub fn body(rule: &str, expression: &str, host: &str, annotations: &Value) -> String {
    let link: String = form_urlencoded::byte_serialize(expression.as_bytes()).collect();
    let labels = json!({ "alertname": rule, "severity": "critical", "queue": "pay", "host": host });
    json!({
        "version": "4", "status": "firing", "receiver": "r", "groupKey": format!("{rule}{host}"),
        "externalURL": "http://alertmanager.example.com",
        "alerts": [{
            "status": "firing", "labels": labels, "annotations": annotations, "startsAt": ago(600),
            "generatorURL": format!("http://prometheus.example.com/graph?g0.expr={link}&g0.tab=1"),
        }],
    })
    .to_string()
}

/// The address of the picture in a message in markdown, below the gateway's own.
fn picture_in(message: &Value) -> Option<String> {
    let content = message["content"]["content"].as_str().unwrap();
    let (_, after) = content.split_once("](https://wegraf.example.com/c/")?;
    assert!(content.contains("![趋势](https://wegraf.example.com/c/"), "{content}");
    after.split_once(')').map(|(name, _)| format!("/c/{name}"))
}

/// What becomes of a picture, by the counter that grew.
pub async fn fetched(world: &World, path: &str) -> (Vec<u8>, String, String) {
    let before = results(world).await;
    let answer = world.http.get(format!("{}{path}", world.url)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(
        (&answer.headers()["content-type"], &answer.headers()["x-robots-tag"]),
        (&"image/png".parse().unwrap(), &"noindex".parse().unwrap())
    );
    let cache = answer.headers()["cache-control"].to_str().unwrap().to_owned();
    let png = answer.bytes().await.unwrap().to_vec();
    assert!(png.starts_with(b"\x89PNG") && png.len() < 100 * 1024);
    let after = results(world).await;
    let grown = after.iter().find(|line| !before.contains(line)).expect("it is counted").clone();
    let result = grown.split('"').nth(1).unwrap().to_owned();
    (png, result, cache)
}

async fn results(world: &World) -> Vec<String> {
    let text = world.http.get(format!("{}/metrics", world.url)).send().await.unwrap().text().await.unwrap();
    text.lines().filter(|line| line.contains("pictures_total{")).map(str::to_owned).collect()
}

/// Nothing waits any more, no picture either.
async fn quiet(world: &World) {
    world.settled().await;
    until("nothing waits", async || (world.app().store().backlog().await.unwrap().messages == 0).then_some(())).await;
}

async fn world(upstream: &str, charts: &str) -> World {
    let rest = format!("{RECEIVERS}upstreams: {{ prom: {{ kind: prometheus, url: {upstream} }} }}\ncharts: {charts}\n");
    World::new(&rest).await
}

#[tokio::test]
async fn each_manner_of_an_upstream_has_a_clear_outcome_and_no_message_waits() {
    let stand_in = StandIn::start().await;
    let world = world(&stand_in.url, "{ for: critical }").await;
    let mut count = 0;
    let mut neutral = Vec::new();
    for (manner, result, asks) in [
        (Manner::Well, "drawn", true),
        (Manner::Silent, "slow", true),
        (Manner::Huge, "large", true),
        (Manner::Well, "drawn", true),
        (Manner::Nonsense, "foreign", true),
        (Manner::Redirecting, "refused", true),
        (Manner::Well, "drawn", true),
        (Manner::Unauthorised, "refused", true),
        (Manner::NotNumbers, "empty", true),
        (Manner::OnePoint, "empty", true),
        (Manner::Nothing, "empty", true),
        (Manner::ManySeries, "large", true),
    ] {
        stand_in.behaves(manner);
        count += 1;
        world.accept("/webhook", body("QueueLong", EXPRESSION, &format!("h{count}"), &json!({}))).await;
        let messages = world.arrived("webhook=sim-ops-group", count).await;
        assert_eq!(stand_in.questions(), 0, "nothing is asked before the picture is fetched");
        let path = picture_in(&messages[count - 1]).expect("the message has a picture");
        let (png, got, cache) = fetched(&world, &path).await;
        assert_eq!((got.as_str(), stand_in.questions() > 0), (result, asks), "{manner:?}");
        assert_eq!(cache, if result == "drawn" { "public, max-age=86400" } else { "public, max-age=30" });
        if result != "drawn" {
            neutral.push(png);
        }
    }
    assert!(neutral.windows(2).all(|pair| pair[0] == pair[1]), "one neutral picture");
    let news = world.arrived("webhook=sim-dba-group", count).await;
    let picurl = news[0]["content"]["articles"][0]["picurl"].as_str().unwrap();
    assert!(picurl.starts_with("https://wegraf.example.com/c/"), "{picurl}");

    // Five failures in succession, then nothing is asked for a while.
    stand_in.behaves(Manner::Unauthorised);
    let mut results = Vec::new();
    for _ in 0..6 {
        count += 1;
        world.accept("/webhook", body("QueueLong", EXPRESSION, &format!("h{count}"), &json!({}))).await;
        let messages = world.arrived("webhook=sim-ops-group", count).await;
        results.push(fetched(&world, &picture_in(&messages[count - 1]).unwrap()).await.1);
    }
    assert_eq!((results[0].as_str(), results[5].as_str()), ("refused", "paused"), "{results:?}");
}

/// Faces that show no picture: one is followed by it, the other tells the course.
const ASIDE: &str = r"
external_url: https://wegraf.example.com
receivers:
  ops:
    targets:
      - { webhook: ops-group, face: text, image: true }
      - { app: ops, users: [daixuan], face: markdown }
route: { receiver: ops }
";

#[tokio::test]
async fn a_message_that_shows_no_picture_is_followed_by_one_or_tells_the_course_and_waits_for_neither() {
    let stand_in = StandIn::start().await;
    let rest = format!(
        "{ASIDE}upstreams: {{ prom: {{ kind: prometheus, url: {} }} }}\ncharts: {{ for: critical }}\n",
        stand_in.url
    );
    let world = World::at_a_standstill(&rest).await;
    let count = async |result: &str| {
        let count = world.metric(&format!("wegraf_pictures_total{{result=\"{result}\"}}")).await;
        format!("{count:.0}").parse::<i64>().unwrap()
    };
    let (mut group, mut member) = (0, 0);
    for (index, (manner, result)) in [
        (Manner::Well, "sent"),
        (Manner::Silent, "slow"),
        (Manner::Well, "sent"),
        (Manner::Huge, "large"),
        (Manner::Well, "sent"),
        (Manner::Unauthorised, "refused"),
        (Manner::NotNumbers, "empty"),
        (Manner::OnePoint, "empty"),
        (Manner::ManySeries, "large"),
    ]
    .into_iter()
    .enumerate()
    {
        stand_in.behaves(manner);
        let (before, told) = (count(result).await, count("told").await);
        world.accept("/webhook", body("QueueLong", EXPRESSION, &format!("h{index}"), &json!({}))).await;
        let drawn = manner == Manner::Well;
        (group, member) = (group + 1 + usize::from(drawn), member + 1);
        let messages = world.arrived("webhook=sim-ops-group", group).await;
        assert_eq!(messages[group - 1]["msgtype"] == "image", drawn, "{manner:?}: {messages:#?}");
        let messages = world.arrived("user=daixuan", member).await;
        let content = messages[member - 1]["content"]["content"].as_str().unwrap();
        assert_eq!(content.contains("近 3 小时 0 → 180，仍在升"), drawn, "{manner:?}: {content}");
        quiet(&world).await;
        // The same reason for both, or one is sent and the other told.
        assert_eq!(count(result).await - before, if drawn { 1 } else { 2 }, "{manner:?}");
        assert_eq!(count("told").await - told, i64::from(drawn), "{manner:?}");
        if manner == Manner::Huge {
            let newest = run(&world, &["deliveries", "list", "--json"]).await.exits(0).json();
            let picture = &newest["deliveries"][0];
            assert_eq!((&picture["state"], &picture["folded_into"]), (&json!("folded"), &picture["picture_of"]));
            for number in [&picture["message"], &picture["picture_of"]] {
                run(&world, &["deliveries", "show", &number.to_string()]).await.exits(0).says(&["没有图  large"]);
            }
            let program = Program::new(&world, "reader", "read", &[]).await;
            let shown = program.found(&format!("/deliveries/{}", picture["message"])).await;
            assert_eq!((&shown["picture"], &shown["delivery"]["state"]), (&json!("large"), &json!("folded")));
            assert_eq!(shown["delivery"]["picture_of"], json!(picture["picture_of"].to_string()));
            let of = program.found(&format!("/deliveries/{}", picture["picture_of"])).await;
            assert_eq!((&of["picture"], &of["delivery"]["picture_of"]), (&json!("large"), &Value::Null));
        }
        world.pass(Duration::from_secs(61));
    }
    // What is over has no picture, and nothing is asked for it.
    stand_in.behaves(Manner::Well);
    let over = body("QueueLong", EXPRESSION, "h0", &json!({})).replace("\"firing\"", "\"resolved\"");
    world.accept("/webhook", over).await;
    let messages = world.arrived("webhook=sim-ops-group", group + 1).await;
    assert_ne!(messages[group]["msgtype"], "image");
    assert_eq!(stand_in.questions(), 0);
}

/// One target that a picture follows.
const FOLLOWED: &str = r"
receivers: { ops: { targets: [ { webhook: ops-group, face: text, image: true } ] } }
route: { receiver: ops }
charts: { for: critical }
";

async fn followed(upstream: &str) -> World {
    World::at_a_standstill(&format!("{FOLLOWED}upstreams: {{ prom: {{ kind: prometheus, url: {upstream} }} }}\n")).await
}

async fn result(world: &World, result: &str) -> i64 {
    let count = world.metric(&format!("wegraf_pictures_total{{result=\"{result}\"}}")).await;
    format!("{count:.0}").parse().unwrap()
}

#[tokio::test]
async fn a_picture_that_is_being_drawn_gives_way_to_messages_and_ends_with_its_alert() {
    let stand_in = StandIn::start().await;
    let world = followed(&stand_in.url).await;
    stand_in.behaves(Manner::Silent);
    world.accept("/webhook", body("QueueLong", EXPRESSION, "h1", &json!({}))).await;
    world.arrived("webhook=sim-ops-group", 1).await;
    while stand_in.questions() == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // It hangs for seconds; what comes now does not.
    let over = body("QueueLong", EXPRESSION, "h1", &json!({})).replace("\"firing\"", "\"resolved\"");
    let begun = std::time::Instant::now();
    world.accept("/webhook", over).await;
    let messages = world.arrived("webhook=sim-ops-group", 2).await;
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(messages[1]["msgtype"], "text");
    quiet(&world).await;
    assert_eq!(result(&world, "over").await, 1, "{:?}", results(&world).await);
    assert_eq!(world.inbox("webhook=sim-ops-group").await.len(), 2);
}

#[tokio::test]
async fn a_picture_leaves_half_of_the_minute_to_messages() {
    let stand_in = StandIn::start().await;
    let world = followed(&stand_in.url).await;
    for number in 0..9 {
        let warning = body("QueueLong", EXPRESSION, &format!("h{number}"), &json!({})).replace("critical", "warning");
        world.accept("/webhook", warning).await;
        world.arrived("webhook=sim-ops-group", number + 1).await;
    }
    // Ten of eighteen were sent with it.
    world.accept("/webhook", body("QueueLong", EXPRESSION, "i", &json!({}))).await;
    world.arrived("webhook=sim-ops-group", 10).await;
    quiet(&world).await;
    assert_eq!((result(&world, "crowded").await, result(&world, "sent").await), (1, 0));
    world.pass(Duration::from_secs(75));
    world.accept("/webhook", body("QueueLong", EXPRESSION, "j", &json!({}))).await;
    let messages = world.arrived("webhook=sim-ops-group", 12).await;
    assert_eq!(messages[11]["msgtype"], "image");
    quiet(&world).await;
    assert_eq!((result(&world, "crowded").await, result(&world, "sent").await), (1, 1));
}

#[tokio::test]
async fn a_picture_of_what_is_told_late_is_left_out() {
    let stand_in = StandIn::start().await;
    let world = followed(&stand_in.url).await;
    world.fault(json!([{ "match": { "path": "webhook/send" }, "action": { "errcode": -1 } }])).await;
    world.accept("/webhook", body("QueueLong", EXPRESSION, "h", &json!({}))).await;
    until("it was tried", async || (!world.requests("webhook/send").await.is_empty()).then_some(())).await;
    world.pass(Duration::from_mins(6));
    world.arrived("webhook=sim-ops-group", 1).await;
    quiet(&world).await;
    assert_eq!((result(&world, "late").await, result(&world, "sent").await), (1, 0));
    assert_eq!(stand_in.questions(), 0);
}

#[tokio::test]
async fn an_upstream_that_is_down_costs_the_picture_only() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let world = world(&format!("http://{nobody}"), "{ for: critical }").await;
    world.accept("/webhook", body("QueueLong", EXPRESSION, "h", &json!({}))).await;
    let messages = world.arrived("webhook=sim-ops-group", 1).await;
    let (_, result, cache) = fetched(&world, &picture_in(&messages[0]).unwrap()).await;
    assert_eq!((result.as_str(), cache.as_str()), ("unreachable", "public, max-age=30"));
    let record = run(&world, &["deliveries", "show", "1"]).await;
    record.exits(0).says(&["没有图  unreachable"]);

    let text = world.config_text("127.0.0.1:0", &ASIDE.replace("external_url: https://wegraf.example.com\n", ""));
    world.write("doctor.yaml", &text);
    let doctor = run(&world, &["doctor", "-c", "doctor.yaml", "--picture", "sample.png"]).await;
    doctor.exits(0).says(&["没有 external_url", "as a second message", "the course in words"]);
    assert!(std::fs::read(world.folder.path().join("sample.png")).unwrap().starts_with(b"\x89PNG"));
}

#[tokio::test]
async fn an_expression_that_the_upstream_does_not_have_is_not_asked() {
    let stand_in = StandIn::start().await;
    let world = world(&stand_in.url, "{ for: critical }").await;
    for (index, (rule, expression)) in
        [("QueueLong", "secrets > 10"), ("Unheard", EXPRESSION), ("Other", EXPRESSION)].into_iter().enumerate()
    {
        world.accept("/webhook", body(rule, expression, "h", &json!({}))).await;
        let messages = world.arrived("webhook=sim-ops-group", index + 1).await;
        let (_, got, _) = fetched(&world, &picture_in(&messages[index]).unwrap()).await;
        assert_eq!((got.as_str(), stand_in.questions()), ("unknown_rule", 0), "{rule} {expression}");
    }
    let wrong =
        world.http.get(format!("{}/c/1.9999999999.AAAAAAAAAAAAAAAAAAAAAA.png", world.url)).send().await.unwrap();
    assert_eq!(wrong.status(), 404);
}

#[tokio::test]
async fn a_chart_is_asked_for_once_and_only_where_it_helps() {
    let stand_in = StandIn::start().await;
    let world = world(&stand_in.url, "{ for: critical, theme: dark }").await;
    world.accept("/webhook", body("QueueLong", EXPRESSION, "h", &json!({}))).await;
    let messages = world.arrived("webhook=sim-ops-group", 1).await;
    let path = picture_in(&messages[0]).unwrap();
    let (first, second) = tokio::join!(fetched(&world, &path), world.http.get(format!("{}{path}", world.url)).send());
    assert_eq!(first.0, second.unwrap().bytes().await.unwrap().to_vec());
    assert_eq!(stand_in.questions(), 1);
    let asked = stand_in.asked.lock().unwrap()[0].0.clone();
    assert!(asked.starts_with("(queue_length) and on (") && asked.contains("\"queue\", \"pay\""), "{asked}");
    assert!(!asked.contains("severity") && !asked.contains("> 10"), "{asked}");

    // A state has no course; a warning was not asked for; the sender's own picture wins.
    world.accept("/webhook", body("Down", "up == 0", "h", &json!({}))).await;
    world.accept("/webhook", body("QueueLong", EXPRESSION, "i", &json!({})).replace("critical", "warning")).await;
    let own = json!({ "image": "https://pictures.example.com/own.png" });
    world.accept("/webhook", body("QueueLong", EXPRESSION, "j", &own)).await;
    let messages = world.arrived("webhook=sim-ops-group", 4).await;
    let texts: Vec<&str> = messages.iter().map(|message| message["content"]["content"].as_str().unwrap()).collect();
    assert_eq!(texts.iter().filter(|text| text.contains("/c/")).count(), 1, "{texts:#?}");
    assert_eq!(texts.iter().filter(|text| text.contains("pictures.example.com/own.png")).count(), 1, "{texts:#?}");
}

/// A Grafana with one rule, `dsk4fullprod`; also the queries that it was asked.
async fn grafana() -> (String, Arc<Mutex<Vec<Value>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let limit = json!([{ "evaluator": { "type": "gt", "params": [90] } }]);
    let rule = json!({ "uid": "dsk4fullprod", "condition": "C", "data": [
        { "refId": "A", "datasourceUid": "prom", "model": { "refId": "A", "expr": "disk_used", "instant": true } },
        { "refId": "B", "datasourceUid": "__expr__", "model": { "type": "reduce", "expression": "A" } },
        { "refId": "C", "datasourceUid": "__expr__", "model": { "type": "threshold", "expression": "B", "conditions": limit } },
    ] });
    let asked: Arc<Mutex<Vec<Value>>> = Arc::default();
    let noted = asked.clone();
    let answer = move |axum::Json(query): axum::Json<Value>| {
        let moment = |name: &str| query[name].as_str().unwrap().parse::<i64>().unwrap();
        let step = query["queries"][0]["intervalMs"].as_u64().unwrap();
        let times: Vec<i64> = (moment("from")..=moment("to")).step_by(usize::try_from(step).unwrap()).collect();
        let values: Vec<i64> = (0..times.len()).map(|index| 50 + i64::try_from(index).unwrap() / 4).collect();
        let fields = json!([
            { "name": "Time", "type": "time" },
            { "name": "Value", "type": "number", "labels": { "__name__": "disk_used", "instance": "db-1" } },
        ]);
        noted.lock().unwrap().push(query);
        let frame = json!({ "schema": { "fields": fields }, "data": { "values": [times, values] } });
        async move { axum::Json(json!({ "results": { "A": { "frames": [frame] } } })) }
    };
    let app = axum::Router::new()
        .route("/api/v1/provisioning/alert-rules/dsk4fullprod", get(|| async { axum::Json(rule) }))
        .route("/api/ds/query", post(answer));
    tokio::spawn(async { axum::serve(listener, app).await });
    (url, asked)
}

#[tokio::test]
async fn a_rule_of_grafana_is_drawn_by_its_own_query() {
    let (url, asked) = grafana().await;
    let rest = format!(
        "{RECEIVERS}upstreams: {{ graf: {{ kind: grafana, url: {url}, token: t }} }}\ncharts: {{ for: critical }}\n"
    );
    let world = World::new(&rest).await;
    let told = payload("grafana-firing.json").replace("https://grafana.example.com", &url);
    world.accept("/webhook", told.clone()).await;
    let messages = world.arrived("webhook=sim-ops-group", 1).await;
    assert!(asked.lock().unwrap().is_empty(), "nothing is asked before the picture is fetched");
    let (_, result, _) = fetched(&world, &picture_in(&messages[0]).expect("it has a picture")).await;
    assert_eq!(result, "drawn");
    let query = asked.lock().unwrap()[0]["queries"][0].clone();
    assert_eq!((&query["expr"], &query["range"]), (&json!("disk_used"), &json!(true)));
    assert_eq!(query["datasource"], json!({ "uid": "prom" }));

    let unknown = told.replace("dsk4fullprod", "another").replace("磁盘将满", "另一条");
    world.accept("/webhook", unknown).await;
    let messages = world.arrived("webhook=sim-ops-group", 2).await;
    let (_, result, _) = fetched(&world, &picture_in(&messages[1]).unwrap()).await;
    assert_eq!(result, "refused");
}
