//! The short form of `cargo xtask replicas`: three processes on one PostgreSQL that are paused, killed and cut off under
//! load, then the ledger; and its control. Restarts of the server itself are left to the long form: others use it, too.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wecom_simulator::Setup;
use xtask::corp::Size;
use xtask::gateway::free;
use xtask::ledger::Rule;
use xtask::ledger::record::Database;
use xtask::postgres::{Cluster, Server};
use xtask::replicas::{Outcome, Sharing, Trial};

use crate::harness::{World, alertmanager};
use crate::process::Wegraf;
use crate::programs::until;
use crate::witness_alertmanager::{OPS, holds, texts};

/// Few enough for a debug build on a busy machine.
const SIZE: Size = Size { members: 6, chats: 6, webhooks: 6, pairs: 0 };

/// An empty database, and its server.
pub fn database() -> Option<(Arc<Server>, String)> {
    let Some(url) = std::env::var_os("WEGRAF_TEST_POSTGRES") else {
        assert!(std::env::var_os("WEGRAF_TEST_EVERYTHING").is_none(), "WEGRAF_TEST_POSTGRES is not set");
        println!("skipped: WEGRAF_TEST_POSTGRES names no server");
        return None;
    };
    let server = Arc::new(Server::Given(url.into_string().unwrap()));
    let database = server.database(&format!("wegraf_replicas_{}", rand::random::<u64>())).unwrap();
    Some((server, database))
}

async fn trial(sharing: Sharing, rounds: u32) -> Option<(u64, Outcome)> {
    let (server, database) = database()?;
    let folder = TempDir::new().unwrap();
    let trial = Trial {
        program: env!("CARGO_BIN_EXE_wegraf").into(),
        folder: folder.path().to_owned(),
        server,
        database,
        sharing,
        rounds,
        seed: rand::random(),
        size: SIZE,
    };
    Some((trial.seed, trial.run().await.unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn three_replicas_that_are_paused_and_killed_keep_every_promise() {
    let Some((seed, outcome)) = trial(Sharing::All, 3).await else { return };
    assert_eq!(outcome.broken(), [""; 0], "seed {seed}");
    assert!(outcome.done.iter().sum::<usize>() > 0, "seed {seed}: nothing was done");
    assert!(!outcome.report.arrived.is_empty(), "seed {seed}: {outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_goes_red_when_the_replicas_share_nothing() {
    // The repetition of a notification reaches another replica by chance: a quiet round may have none.
    for _ in 0..5 {
        let Some((_, outcome)) = trial(Sharing::Nothing, 1).await else { return };
        if outcome.report.count(Rule::Doubled) > 0 {
            return;
        }
    }
    panic!("five rounds of replicas that share nothing look right");
}

/// Longer than a sender waits for its answer.
const SLEEP: Duration = Duration::from_secs(9);

#[tokio::test]
async fn requests_read_after_a_pause_are_not_told_after_newer_ones() {
    let Some((_server, database)) = database() else { return };
    let mut world = World::idle(Setup::demo(), "").await;
    world.write("wegraf.yaml", &world.config_text("127.0.0.1:0", OPS).replace("sqlite:wegraf.db", &database));
    let (asleep, address) = (free().unwrap(), free().unwrap());
    let sleeper = Wegraf::serve_at(&mut world, asleep).await;
    let _other = Wegraf::serve_at(&mut world, address).await;

    sleeper.signal("STOP").await;
    let stopped = Instant::now();
    let firing = alertmanager("磁盘将满", &[("db-1", "firing")]);
    let mut connection = TcpStream::connect(asleep).await.unwrap();
    let head = format!("POST /webhook HTTP/1.1\r\nHost: {asleep}\r\nContent-Length: {}\r\n\r\n", firing.len());
    connection.write_all(format!("{head}{firing}").as_bytes()).await.unwrap();
    // Its sender times out, and sends it and what followed to the other replica.
    world.accept("/webhook", firing).await;
    world.arrived("webhook=sim-ops-group", 1).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "resolved")])).await;
    world.arrived("webhook=sim-ops-group", 2).await;

    tokio::time::sleep(SLEEP.saturating_sub(stopped.elapsed())).await;
    sleeper.signal("CONT").await;
    let mut answer = [0; 12];
    connection.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 503");
    world.url = format!("http://{asleep}");
    let taken =
        async || (world.post("/webhook", alertmanager("别的", &[("db-2", "firing")])).await.0 == 200).then_some(());
    until("it takes what is new", taken).await;
    let told = texts(&world.arrived("webhook=sim-ops-group", 3).await);
    holds(&told[1], &["[已恢复]", "磁盘将满"]);
    holds(&told[2], &["别的"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_sent_during_a_database_restart_are_not_sent_again() {
    let cluster = match Cluster::start() {
        Ok(cluster) => cluster,
        Err(skipped) => return println!("{skipped:#}"),
    };
    let mut world = World::idle(Setup::demo(), "").await;
    world.write("wegraf.yaml", &world.config_text("127.0.0.1:0", OPS).replace("sqlite:wegraf.db", &cluster.url()));
    let wegraf = Wegraf::serve(&mut world).await;
    world.fault(json!({ "match": { "path": "webhook/send" }, "action": { "delay_ms": 1500 } })).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    let record = Database::Postgres(cluster.url());
    let count = |state: &str| record.count(&format!("message WHERE state = '{state}'")).unwrap();
    until("it is being sent", async || (count("sending") == 1).then_some(())).await;
    tokio::task::block_in_place(|| cluster.stop(true)).unwrap();
    wegraf.logged("An outcome cannot be recorded").await;
    world.arrived("webhook=sim-ops-group", 1).await;
    tokio::task::block_in_place(|| cluster.resume()).unwrap();
    until("its outcome is recorded", async || (count("sent") == 1).then_some(())).await;
    world.arrived("webhook=sim-ops-group", 1).await;
}
