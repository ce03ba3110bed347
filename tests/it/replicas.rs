//! The short form of `cargo xtask replicas`: three processes on one PostgreSQL that are paused, killed and cut off under
//! load, then the ledger; and its control. Restarts of the server itself are left to the long form: others use it, too.

use std::sync::Arc;

use tempfile::TempDir;
use xtask::corp::Size;
use xtask::ledger::Rule;
use xtask::postgres::Server;
use xtask::replicas::{Outcome, Sharing, Trial};

/// Few enough for a debug build on a busy machine.
const SIZE: Size = Size { members: 6, chats: 6, webhooks: 6 };

async fn trial(sharing: Sharing, rounds: u32) -> Option<(u64, Outcome)> {
    let Some(url) = std::env::var_os("WEGRAF_TEST_POSTGRES") else {
        println!("skipped: WEGRAF_TEST_POSTGRES names no server");
        return None;
    };
    let server = Arc::new(Server::Given(url.into_string().unwrap()));
    let database = server.database(&format!("wegraf_replicas_{}", rand::random::<u64>())).unwrap();
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
        hot: false,
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
    let Some((seed, outcome)) = trial(Sharing::Nothing, 1).await else { return };
    assert!(outcome.report.count(Rule::Doubled) > 0, "seed {seed}: {outcome:?}");
}
