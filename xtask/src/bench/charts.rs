//! What charts add to the memory of the program: before the first, after some, and a while later.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::ensure;
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::aims::Aims;
use super::process::Server;
use crate::gateway::free;
use crate::load::{self, Until};

/// Charts that are opened.
const CHARTS: usize = 5;
/// How long the program is left alone before its memory is read.
const CALM: Duration = Duration::from_secs(12);
/// The same after the charts: they are kept for a minute.
const AFTER: Duration = Duration::from_mins(2);

/// The messages that were sent.
type Sent = Arc<Mutex<Vec<String>>>;

/// Measures a program without charts, then one with them, and prints a table.
pub async fn run(binary: &Path, folder: &Path, aims: &mut Aims) -> anyhow::Result<()> {
    let off = at_rest(binary, folder, "charts: { for: off }\n").await?.3;
    let (server, sent, _, before) = at_rest(binary, folder, "charts: { for: critical }\n").await?;
    let pictures: Vec<String> = sent
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
        .filter_map(|body| Some(format!("/c/{}", body.split_once("/c/")?.1.split_once(')')?.0)))
        .collect();
    ensure!(pictures.len() == CHARTS, "{} of {CHARTS} messages have a chart", pictures.len());
    for path in &pictures {
        let (status, _) = load::get(server.address, path).await?;
        ensure!(status == 200, "{path}: {status}");
    }
    let drawn = server.memory("RssAnon:")?;
    tokio::time::sleep(AFTER).await;
    let after = server.memory("RssAnon:")?;
    println!("\n## Memory of charts\n");
    println!("| own pages of the program (`RssAnon`) | |\n|---|---:|");
    println!("| idle, charts off | {} |", mebibytes(off));
    println!("| idle, charts on, none drawn | {} |", mebibytes(before));
    println!("| after {CHARTS} charts | {} |", mebibytes(drawn));
    println!("| two minutes later | {} |", mebibytes(after));
    let more = before.saturating_sub(off);
    aims.add("memory that charts add before the first", mebibytes(more), "<= 3 MiB");
    aims.add("memory that is left of charts two minutes later", mebibytes(after.saturating_sub(before)), "<= 3 MiB");
    Ok(())
}

fn mebibytes(kibibytes: u64) -> String {
    format!("{:.1} MiB", kibibytes as f64 / 1024.0)
}

/// A program that has sent some messages and has been left alone; and its memory.
async fn at_rest(binary: &Path, folder: &Path, charts: &str) -> anyhow::Result<(Server, Sent, TcpPort, u64)> {
    let (port, sent) = stand_in().await?;
    let address = free()?;
    let file = folder.join(format!("charts-{}.yaml", address.port()));
    std::fs::write(
        &file,
        format!(
            "listen: {address}\ndatabase: sqlite:charts-{0}.db\nexternal_url: https://wegraf.example.com\n\
             wecom:\n  api_url: http://127.0.0.1:{port}\n  webhooks: {{ group: {{ key: sim-ops-group }} }}\n\
             receivers: {{ ops: {{ targets: [ {{ webhook: group, face: markdown_v2 }} ] }} }}\nroute: {{ receiver: ops }}\n\
             upstreams: {{ prom: {{ kind: prometheus, url: 'http://127.0.0.1:{port}' }} }}\n{charts}",
            address.port()
        ),
    )?;
    let mut command = Command::new(binary);
    command.arg("serve").arg("-c").arg(file);
    let server = Server::start(command, address, "/readyz").await?;
    let taken = load::post(address, "/webhook", 1, Until::Requests(CHARTS as u64), 0, Arc::new(alert)).await?;
    ensure!(taken.errors == 0, "{} alerts were not answered 200", taken.errors);
    tokio::time::sleep(CALM).await;
    let memory = server.memory("RssAnon:")?;
    Ok((server, sent, port, memory))
}

type TcpPort = u16;

fn alert(number: u64) -> String {
    json!({
        "version": "4", "status": "firing", "receiver": "r", "groupKey": number.to_string(),
        "externalURL": "http://alertmanager.example.com",
        "alerts": [{
            "status": "firing", "annotations": { "summary": "队列积压，当前 42" },
            "labels": { "alertname": "QueueLong", "severity": "critical", "queue": format!("q{number}") },
            "startsAt": "2026-11-22T06:02:00Z",
            "generatorURL": "http://prometheus.example.com/graph?g0.expr=queue_length%20%3E%2010&g0.tab=1",
        }],
    })
    .to_string()
}

/// A Prometheus and a WeCom in one.
async fn stand_in() -> anyhow::Result<(TcpPort, Sent)> {
    let sent = Sent::default();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let rules = json!([{ "type": "alerting", "name": "QueueLong", "query": "queue_length > 10", "labels": {} }]);
    let rules = json!({ "status": "success", "data": { "groups": [{ "name": "g", "rules": rules }] } });
    let app = Router::new()
        .route("/api/v1/rules", get(|| async { Json(rules) }))
        .route("/api/v1/query_range", post(series))
        .route("/cgi-bin/webhook/send", post(taken))
        .with_state(sent.clone());
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok((port, sent))
}

async fn taken(State(sent): State<Sent>, body: String) -> Json<Value> {
    sent.lock().unwrap_or_else(PoisonError::into_inner).push(body);
    Json(json!({ "errcode": 0, "errmsg": "ok" }))
}

async fn series(body: String) -> Json<Value> {
    let number = |name: &str| {
        let found = body.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name);
        found.and_then(|(_, value)| value.parse::<i64>().ok()).unwrap_or(60)
    };
    let (start, end, step) = (number("start"), number("end"), number("step").max(1));
    let line = |of: i64| {
        let points: Vec<Value> =
            (0..=(end - start) / step).map(|at| json!([start + at * step, (of + at).to_string()])).collect();
        json!({ "metric": { "queue": format!("q{of}") }, "values": points })
    };
    let lines: Vec<Value> = (0..5).map(line).collect();
    Json(json!({ "status": "success", "data": { "resultType": "matrix", "result": lines } }))
}
