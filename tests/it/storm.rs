//! The short form of `cargo xtask storm`, with lanes that fall behind at once; and its control.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use xtask::ledger::Rule;
use xtask::ledger::record::Database;
use xtask::postgres::Server;
use xtask::storm::{Load, Outcome, Trial};

/// WeCom's first answer in each lane takes so long that everything else of the storm waits behind it.
const STALL: Duration = Duration::from_secs(4);
const TARGETS: usize = 8;

/// Decides the sizes of the groups: the same in every run, so that a failure is not a matter of luck.
/// `WEGRAF_STORM_SEED` tries another.
#[expect(clippy::disallowed_methods, reason = "a setting of this test, not of the program")]
fn seed() -> u64 {
    std::env::var("WEGRAF_STORM_SEED").map_or(9_119_549_541_161_055_322, |seed| seed.parse().expect("a number"))
}

async fn storm(folder: &Path, database: Database, load: Load, member_per_minute: Option<usize>) -> Outcome {
    let (program, folder) = (env!("CARGO_BIN_EXE_wegraf").into(), folder.to_owned());
    let stall = if member_per_minute.is_some() { Duration::ZERO } else { STALL };
    Trial { program, folder, database, load, targets: TARGETS, flood: 2_000, stall, member_per_minute }
        .run()
        .await
        .unwrap()
}

async fn every_alert_is_told(folder: &Path, database: Database) {
    let seed = seed();
    let load = Load { groups: 120, alerts: 20, spread: Duration::ZERO, seed };
    let outcome = storm(folder, database, load, None).await;
    let violations = outcome.violations();
    assert!(violations.is_empty(), "seed {seed}: {violations:#?}");
    let findings = &outcome.findings;
    assert!(findings.digests >= TARGETS, "seed {seed}: no lane was behind, so this shows nothing: {findings:#?}");
    assert!(findings.critical[0] > 0, "seed {seed}: {findings:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_storm_every_alert_is_named_or_counted_and_no_limit_exceeded_on_sqlite() {
    let folder = TempDir::new().unwrap();
    every_alert_is_told(folder.path(), Database::Sqlite(folder.path().join("wegraf.db"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_storm_every_alert_is_named_or_counted_and_no_limit_exceeded_on_postgresql() {
    let Some(url) = std::env::var_os("WEGRAF_TEST_POSTGRES") else {
        return println!("skipped: WEGRAF_TEST_POSTGRES names no server");
    };
    let server = Server::Given(url.into_string().unwrap());
    let name = format!("wegraf_storm_{}", rand::random::<u64>());
    let folder = TempDir::new().unwrap();
    every_alert_is_told(folder.path(), Database::Postgres(server.database(&name).unwrap())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_storm_goes_red_when_wecom_takes_less_than_wegraf_believes() {
    let folder = TempDir::new().unwrap();
    let seed = seed();
    let load = Load { groups: 48, alerts: 4, spread: Duration::ZERO, seed };
    let outcome = storm(folder.path(), Database::Sqlite(folder.path().join("wegraf.db")), load, Some(1)).await;
    assert!(outcome.report.count(Rule::Dropped) > 0, "seed {seed}: {:#?}", outcome.findings);
    let short = outcome.findings.violations.iter().filter(|wrong| wrong.contains("messages tell")).count();
    assert!(short > 0, "seed {seed}: what was dropped was not noticed: {:#?}", outcome.findings);
}
