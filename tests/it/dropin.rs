//! Addresses of other programs: each is answered as that program answers, byte for byte, once the alert is stored.

use serde_json::{Value, json};

use crate::harness::World;

mod bridges;
mod paths;
mod robots;
mod services;
mod wecom;

/// Calls the gateway; the status and the answer's bytes.
async fn answer(world: &World, method: &str, path: &str, body: impl Into<reqwest::Body>) -> (u16, String) {
    let request = world.http.request(method.parse().unwrap(), format!("{}{path}", world.url));
    let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// One alert as Prometheus pushes it.
fn alerts(name: &str) -> String {
    let alerts: Value = json!([{ "labels": { "alertname": name }, "annotations": {} }]);
    alerts.to_string()
}
