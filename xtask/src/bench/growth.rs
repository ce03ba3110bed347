//! What one message costs while the outbox grows: some messages wait in other lanes, all others were sent long ago.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::net::TcpListener;
use wecom_simulator::Simulator;

use super::process::Server;
use super::{median, p99, single};
use crate::corp::{self, Size};
use crate::gateway::free;
use crate::http;
use crate::ledger::record::Database;
use crate::load;

/// Lanes that the measured messages take in turn: a webhook takes twenty a minute.
const SIZE: Size = Size { members: 1, chats: 1, webhooks: 20, pairs: 0 };
/// Messages to each lane, the first of which is not counted.
const MESSAGES: usize = 10;
/// Lanes in which others wait, and how many of the older messages those are: more in each lane than a look goes
/// through.
const OTHERS: usize = 20;
const WAITING: u64 = 2_000;
/// Processor time in half a second that an idle gateway stays below.
const IDLE_MICROS: f64 = 40_000.0;
/// Until a message must have arrived.
const PATIENCE: Duration = Duration::from_secs(20);

/// What one message costs.
#[derive(Debug)]
pub struct Cost {
    /// From the POST to the simulator's receipt, in milliseconds.
    pub millis: Vec<f64>,
    /// Of the gateway's processor, in microseconds, for each message.
    pub processor: f64,
}

/// Measures it with `rows` older messages in an empty database.
pub async fn measure(binary: &Path, folder: &Path, database: &Database, rows: u64) -> anyhow::Result<Cost> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let simulator = listener.local_addr()?;
    let wecom = Simulator::start(listener, corp::setup(SIZE)).await;
    let address = free()?;
    let file = folder.join(format!("{}.yaml", address.port()));
    let accounts = corp::configuration(SIZE, &wecom.url());
    let text =
        format!("listen: {address}\ndatabase: {}\nretention: {{ size: unlimited }}\n{accounts}", database.line());
    std::fs::write(&file, text)?;
    let mut command = Command::new(binary);
    command.arg("serve").arg("-c").arg(&file);
    if rows > 0 {
        let gateway = Server::start(command, address, "/readyz").await?;
        send(address, simulator, 0, 0).await?;
        while database.pending()? > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        drop(gateway);
        fill(database, rows)?;
        command = Command::new(binary);
        command.arg("serve").arg("-c").arg(&file);
    }
    let gateway = Server::start(command, address, "/readyz").await?;
    quiet(&gateway).await?;
    let mut cost = Cost { millis: Vec::new(), processor: 0.0 };
    for round in 0..MESSAGES {
        let before = gateway.processor()?;
        for lane in 0..SIZE.webhooks {
            let millis = send(address, simulator, lane, round as u64 + 1).await?;
            if round > 0 {
                cost.millis.push(millis);
            }
            // The outcome is written meanwhile: it belongs to this message.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        if round > 0 {
            cost.processor += gateway.processor()? - before;
        }
    }
    cost.processor /= cost.millis.len() as f64;
    Ok(cost)
}

/// Waits until the gateway has done what it does once after a start: it audits the whole record.
async fn quiet(gateway: &Server) -> anyhow::Result<()> {
    let mut before = gateway.processor()?;
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = gateway.processor()?;
        if now - before < IDLE_MICROS {
            return Ok(());
        }
        before = now;
    }
}

/// Posts a new alert to a lane and waits until the simulator has it; how long that took, in milliseconds.
async fn send(to: SocketAddr, simulator: SocketAddr, lane: usize, round: u64) -> anyhow::Result<f64> {
    let before = messages(simulator).await?;
    let path = format!("/webhook/hook{lane:03}");
    let body = single(1 << 32 | (lane as u64) << 16 | round);
    let begun = Instant::now();
    let answer = http::send(to, "POST", &path, &body, PATIENCE).await?;
    ensure!(answer.status == 200, "{} {}", answer.status, answer.body);
    while messages(simulator).await? == before {
        ensure!(begun.elapsed() < PATIENCE, "nothing arrived from {path}");
        tokio::time::sleep(Duration::from_micros(300)).await;
    }
    Ok(begun.elapsed().as_secs_f64() * 1e3)
}

async fn messages(simulator: SocketAddr) -> anyhow::Result<u64> {
    let (_, text) = load::get(simulator, "/_simulator/counters").await?;
    let counters: serde_json::Value = serde_json::from_str(&text)?;
    counters["messages"].as_u64().context("the simulator counts no messages")
}

/// Writes, beside those that wait, `rows` copies of the first message, with an alert and a transition each.
fn fill(database: &Database, rows: u64) -> anyhow::Result<()> {
    let identity = match database {
        Database::Sqlite(_) => "CAST(printf('%032d', x.id) AS BLOB)",
        Database::Postgres(_) => "convert_to(lpad(x.id::text, 32, '0'), 'UTF8')",
    };
    let all = rows + WAITING;
    database.execute(&format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {all})
         INSERT INTO message (notification_id, receiver, lane, target, critical, urgent, digest, thread, created_at,
                              state, not_before, epoch, revision, version, parts, next_part, face, claimed_at,
                              settled_at, outcome)
         SELECT notification_id, receiver, CASE WHEN i <= {WAITING} THEN 'webhook/other' || (i % {OTHERS}) ELSE lane END,
                target, critical, urgent, digest, thread, created_at,
                CASE WHEN i <= {WAITING} THEN 'queued' ELSE state END,
                CASE WHEN i <= {WAITING} THEN created_at + 3600000 ELSE not_before END,
                epoch, revision, version, parts, next_part, face, claimed_at,
                CASE WHEN i <= {WAITING} THEN NULL ELSE settled_at END, CASE WHEN i <= {WAITING} THEN NULL ELSE outcome END
         FROM message, n WHERE message.id = 1"
    ))?;
    database.execute(&format!(
        "INSERT INTO alert (identity, receiver, source, name, labels, critical, status, starts_at, ends_at, thread,
                            notification_id, sender, told_at)
         SELECT {identity}, a.receiver, a.source, a.name, a.labels, a.critical, a.status, a.starts_at, a.ends_at,
                a.thread, a.notification_id, a.sender, a.told_at
         FROM message x, alert a WHERE x.id > 1 AND a.id = 1 ORDER BY x.id"
    ))?;
    database.execute(
        "INSERT INTO transition (alert_id, notification_id, alert_index, message_id, lane, kind, at, starts_at,
                                 ends_at, counted, fate, reason)
         SELECT x.id, t.notification_id, t.alert_index, x.id, x.lane, t.kind, t.at, t.starts_at, t.ends_at, t.counted,
                CASE WHEN x.settled_at IS NULL THEN 'pending' ELSE t.fate END, t.reason
         FROM message x, transition t WHERE x.id > 1 AND t.id = 1 ORDER BY x.id",
    )?;
    if matches!(database, Database::Postgres(_)) {
        // What autovacuum does within a minute.
        database.execute("VACUUM ANALYZE")?;
    }
    Ok(())
}

/// Prints the curve: a row for each size, two columns for each store.
pub fn print(curve: &[(u64, Vec<(&'static str, Cost)>)]) {
    println!("\n## A lane while the outbox grows\n");
    let Some((_, first)) = curve.first() else { return };
    let heads: Vec<String> = first
        .iter()
        .map(|(store, _)| format!(" {store}: median ms | p99 ms | µs of the gateway's processor |"))
        .collect();
    println!("| messages sent before |{}", heads.concat());
    println!("|---:|{}", "---:|---:|---:|".repeat(first.len()));
    for (rows, costs) in curve {
        let cells: Vec<String> = costs
            .iter()
            .map(|(_, cost)| {
                let (median, p99) = (median(cost.millis.clone()), p99(cost.millis.clone()));
                format!(" {median:.1} | {p99:.1} | {:.0} |", cost.processor)
            })
            .collect();
        println!("| {rows} |{}", cells.concat());
    }
}
