//! `wegraf connect grafana`, against a STAND-IN for Grafana's provisioning API: no test here has used a real one. It follows
//! Grafana's documentation of alerting provisioning and nothing else:
//!
//! - `GET /api/health` tells the version to everybody; all else needs the bearer token, else 401;
//! - `GET`, `POST /api/v1/provisioning/contact-points` (202, and a uid), `PUT …/{uid}` (202, 404 for an unknown one);
//!   credentials are shown as `[REDACTED]`; what is made without `X-Disable-Provenance` gets the provenance `api`, and what
//!   files made is refused with 409;
//! - `GET`, `PUT /api/v1/provisioning/policies`: `PUT` replaces the whole tree, and a receiver that is unknown is 400;
//! - `POST /api/alertmanager/grafana/config/api/v1/receivers/test` posts a test to the URLs in it, 207; 410 from Grafana 13 on.

use std::sync::{Arc, Mutex};

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post, put};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use wecom_simulator::Setup;

use crate::harness::{World, alertmanager};
use crate::process::{Answer, Wegraf, run};

const TOKEN: &str = "glsa_standInToken0123";

#[derive(Default)]
struct Grafana {
    version: &'static str,
    points: Vec<Value>,
    tree: Value,
    changes: usize,
}

type Shared = Arc<Mutex<Grafana>>;

fn refusal(status: u16, message: &str) -> Response {
    (StatusCode::from_u16(status).unwrap(), Json(json!({ "message": message }))).into_response()
}

fn known(headers: &HeaderMap) -> bool {
    headers.get("authorization").is_some_and(|value| value == format!("Bearer {TOKEN}").as_str())
}

/// As Grafana shows it.
fn shown(mut point: Value) -> Value {
    point["settings"]["authorization_credentials"] = "[REDACTED]".into();
    point
}

async fn list(State(grafana): State<Shared>, headers: HeaderMap) -> Response {
    if !known(&headers) {
        return refusal(401, "Invalid API key");
    }
    let points: Vec<Value> = grafana.lock().unwrap().points.iter().cloned().map(shown).collect();
    Json(points).into_response()
}

fn provenance(headers: &HeaderMap) -> Value {
    if headers.get("x-disable-provenance").is_some_and(|value| value == "true") { "".into() } else { "api".into() }
}

async fn make(State(grafana): State<Shared>, headers: HeaderMap, Json(mut point): Json<Value>) -> Response {
    if !known(&headers) {
        return refusal(401, "Invalid API key");
    }
    let mut grafana = grafana.lock().unwrap();
    grafana.changes += 1;
    point["uid"] = format!("uid-{}", grafana.points.len()).into();
    point["provenance"] = provenance(&headers);
    grafana.points.push(point.clone());
    (StatusCode::ACCEPTED, Json(shown(point))).into_response()
}

async fn change(
    State(grafana): State<Shared>,
    Path(uid): Path<String>,
    headers: HeaderMap,
    Json(mut point): Json<Value>,
) -> Response {
    if !known(&headers) {
        return refusal(401, "Invalid API key");
    }
    let mut grafana = grafana.lock().unwrap();
    grafana.changes += 1;
    let Some(old) = grafana.points.iter_mut().find(|point| point["uid"] == uid.as_str()) else {
        return refusal(404, "contact point not found");
    };
    if old["provenance"] == "file" {
        return refusal(409, "provenance");
    }
    point["uid"] = uid.into();
    point["provenance"] = provenance(&headers);
    *old = point;
    (StatusCode::ACCEPTED, Json(json!({ "message": "contactpoint updated" }))).into_response()
}

async fn policies(State(grafana): State<Shared>, headers: HeaderMap) -> Response {
    if !known(&headers) {
        return refusal(401, "Invalid API key");
    }
    Json(grafana.lock().unwrap().tree.clone()).into_response()
}

async fn plant(State(grafana): State<Shared>, headers: HeaderMap, Json(mut tree): Json<Value>) -> Response {
    if !known(&headers) {
        return refusal(401, "Invalid API key");
    }
    let mut grafana = grafana.lock().unwrap();
    grafana.changes += 1;
    let names: Vec<Value> = grafana.points.iter().map(|point| point["name"].clone()).chain(["email".into()]).collect();
    let routes = tree["routes"].as_array().cloned().unwrap_or_default();
    let receivers = routes.iter().map(|route| &route["receiver"]).chain([&tree["receiver"]]);
    let known = receivers.filter(|name| names.contains(name)).count();
    if known <= routes.len() {
        return refusal(400, "invalid object specification: receiver does not exist");
    }
    tree["provenance"] = provenance(&headers);
    grafana.tree = tree;
    (StatusCode::ACCEPTED, Json(json!({ "message": "policies updated" }))).into_response()
}

async fn try_out(State(grafana): State<Shared>, headers: HeaderMap, Json(asked): Json<Value>) -> Response {
    if !known(&headers) {
        return refusal(401, "Invalid API key");
    }
    if grafana.lock().unwrap().version.starts_with("13") {
        return refusal(410, "Gone");
    }
    let settings = &asked["receivers"][0]["grafana_managed_receiver_configs"][0]["settings"];
    let (scheme, token) =
        (settings["authorization_scheme"].as_str().unwrap(), settings["authorization_credentials"].as_str().unwrap());
    let request = reqwest::Client::builder().no_proxy().build().unwrap().post(settings["url"].as_str().unwrap());
    let request = request.header("authorization", format!("{scheme} {token}"));
    let answer = request.body(alertmanager("TestAlert", &[("Grafana", "firing")])).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    (StatusCode::MULTI_STATUS, Json(json!({ "receivers": [] }))).into_response()
}

async fn start() -> (Shared, String) {
    let tree = json!({ "receiver": "email", "group_by": ["grafana_folder", "alertname"], "routes": [
        { "receiver": "email", "object_matchers": [["severity", "=", "info"]], "mute_time_intervals": ["night"] },
    ] });
    let grafana = Arc::new(Mutex::new(Grafana { version: "12.1.0", tree, ..Grafana::default() }));
    let health = async |State(grafana): State<Shared>| {
        Json(json!({ "database": "ok", "version": grafana.lock().unwrap().version }))
    };
    let router = Router::new()
        .route("/api/health", get(health))
        .route("/api/v1/provisioning/contact-points", get(list).post(make))
        .route("/api/v1/provisioning/contact-points/{uid}", put(change))
        .route("/api/v1/provisioning/policies", get(policies).put(plant))
        .route("/api/alertmanager/grafana/config/api/v1/receivers/test", post(try_out))
        .with_state(grafana.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (grafana, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn grafana_is_connected_after_it_was_shown_and_keeps_its_policies() {
    let (grafana, url) = start().await;
    let rest = "sources: { grafana: { bearer: canary-source-token } }\nreceivers:\n  ops: { targets: [{ webhook: ops-group }] }\n";
    let mut world = World::idle(Setup::demo(), rest).await;
    world.write("token", &format!("{TOKEN}\n"));
    world.write("wrong", "glsa_other");
    let _gateway = Wegraf::serve(&mut world).await;
    let listen = world.url.trim_start_matches("http://").to_owned();
    let connect = async |more: &[&str]| -> Answer {
        let all = [
            "connect",
            "grafana",
            "--url",
            &url,
            "--token-file",
            "token",
            "--address",
            &world.url,
            "--listen",
            &listen,
        ];
        let said = run(&world, &[&all[..], more].concat()).await;
        for secret in [TOKEN, "canary-source-token"] {
            assert!(!said.out.contains(secret) && !said.err.contains(secret), "{}{}", said.out, said.err);
        }
        said
    };
    let before = grafana.lock().unwrap().tree.clone();

    // First it is only shown.
    connect(&[]).await.exits(0).says(&["Grafana 12.1.0", "+ contact point wegraf", "policies stay", "--apply"]);
    connect(&["--route", "team=dba"]).await.exits(0).says(&["+ policies: team=dba → wegraf", "nothing was changed"]);
    assert_eq!(grafana.lock().unwrap().changes, 0);

    // Then done, with Grafana's own test; the policies stay as they are.
    connect(&["--apply"]).await.exits(0).says(&["✓ done", "Grafana's test has arrived"]);
    world.arrived("webhook=sim-ops-group", 1).await;
    {
        let grafana = grafana.lock().unwrap();
        assert_eq!((grafana.points.len(), &grafana.points[0]["provenance"], &grafana.tree), (1, &json!(""), &before));
    }
    connect(&["--apply", "--no-test", "--route", "team=dba", "--route", "env=prod"]).await.exits(0);
    {
        let grafana = grafana.lock().unwrap();
        let routes = grafana.tree["routes"].as_array().unwrap();
        assert_eq!((routes.len(), &routes[1..]), (2, &before["routes"].as_array().unwrap()[..]));
        assert_eq!(routes[0]["object_matchers"], json!([["team", "=", "dba"], ["env", "=", "prod"]]));
        assert_eq!(
            (&grafana.tree["receiver"], &grafana.tree["provenance"], grafana.points.len()),
            (&json!("email"), &json!(""), 1)
        );
    }
    let kept = std::fs::read_dir(world.folder.path()).unwrap().map(|entry| entry.unwrap());
    let kept: Vec<_> =
        kept.filter(|entry| entry.file_name().to_string_lossy().starts_with("wegraf-policies-")).collect();
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(kept[0].path()).unwrap()).unwrap();
    assert_eq!(kept, before, "the tree as it was is in a file");
    let again = connect(&["--apply", "--no-test", "--route", "team=dba", "--route", "env=prod"]).await.exits(0);
    again.says(&["the policies have it already"]);
    connect(&["--default"]).await.exits(0).says(&["the default → wegraf"]);

    // What files made is left alone, as is everything with a wrong token; the steps by hand are told.
    let changes = grafana.lock().unwrap().changes;
    grafana.lock().unwrap().tree["provenance"] = "file".into();
    connect(&["--apply", "--no-test", "--default"]).await.exits(1).says(&[
        "managed by files",
        "Contact points → Add",
        &world.url,
    ]);
    grafana.lock().unwrap().points[0]["provenance"] = "file".into();
    connect(&["--apply", "--no-test"]).await.exits(1).says(&["managed by files"]);
    let wrong = ["connect", "grafana", "--url", &url, "--token-file", "wrong", "--address", &world.url, "--apply"];
    run(&world, &wrong).await.exits(1).says(&["(401)", "Contact points → Add"]);
    let nowhere =
        ["connect", "grafana", "--url", "http://127.0.0.1:1", "--token-file", "token", "--address", &world.url];
    run(&world, &nowhere).await.exits(1).says(&["does not answer"]);
    assert_eq!(grafana.lock().unwrap().changes, changes);
    run(&world, &["connect", "grafana", "--url", &url, "--token-file", "token", "--source", "none"]).await.exits(2);
}
