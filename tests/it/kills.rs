//! The short form of `cargo xtask crash`: 25 times kill -9 under load, then the ledger; and its control.

use std::path::Path;

use tempfile::TempDir;
use xtask::corp::Size;
use xtask::crash::{Outcome, Trial};
use xtask::ledger::Rule;
use xtask::ledger::record::Database;
use xtask::postgres::Server;

const KILLS: u32 = 25;
/// Enough lanes that none comes near a limit, few enough for a debug build on a busy machine.
const SIZE: Size = Size { members: 8, chats: 3, webhooks: 8, pairs: 0 };

async fn trial(folder: &Path, database: Database, control: bool) -> (u64, Outcome) {
    let trial = Trial {
        program: env!("CARGO_BIN_EXE_wegraf").into(),
        folder: folder.to_owned(),
        database,
        earlier: None,
        cycles: KILLS,
        seed: rand::random(),
        size: SIZE,
        slow: false,
        control,
    };
    (trial.seed, trial.run().await.unwrap())
}

async fn every_promise_holds(folder: &Path, database: Database) {
    let (seed, outcome) = trial(folder, database, false).await;
    let violations: Vec<String> = outcome.report.violations.iter().map(ToString::to_string).collect();
    assert!(violations.is_empty(), "seed {seed}: {violations:#?}");
    assert_eq!(outcome.kills.iter().sum::<u32>(), KILLS);
    assert!(outcome.report.accepted > 0 && !outcome.report.arrived.is_empty(), "seed {seed}: {outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_25_kills_under_load_every_promise_holds_on_sqlite() {
    let folder = TempDir::new().unwrap();
    every_promise_holds(folder.path(), Database::Sqlite(folder.path().join("wegraf.db"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_25_kills_under_load_every_promise_holds_on_postgresql() {
    let Some(url) = std::env::var_os("WEGRAF_TEST_POSTGRES") else {
        return println!("skipped: WEGRAF_TEST_POSTGRES names no server");
    };
    let server = Server::Given(url.into_string().unwrap());
    let name = format!("wegraf_kills_{}", rand::random::<u64>());
    let folder = TempDir::new().unwrap();
    every_promise_holds(folder.path(), Database::Postgres(server.database(&name).unwrap())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_goes_red_when_200_comes_before_the_commit() {
    let folder = TempDir::new().unwrap();
    let (seed, outcome) = trial(folder.path(), Database::Sqlite(folder.path().join("wegraf.db")), true).await;
    assert!(outcome.report.count(Rule::Lost) > 0, "seed {seed}: {outcome:?}");
}
