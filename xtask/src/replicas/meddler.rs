//! A process that ends every lease at once: the control of the leases.

use std::process::Stdio;

use anyhow::{Context as _, ensure};
use tokio::process::{Child, Command};

/// Otherwise the server would not notice that `psql` has gone.
const NOTICE: &str = "SET client_connection_check_interval = '100ms'";
/// Fifty times a second, by a loop in the server.
const MEDDLE: &str = "DO $$ BEGIN LOOP
    UPDATE lane SET lease_until = '-infinity' WHERE lease_until > clock_timestamp();
    COMMIT;
    PERFORM pg_sleep(0.02);
END LOOP; END $$";

/// Running until it is dropped.
pub(super) struct Meddler {
    child: Child,
}

impl Meddler {
    /// Starts on the database at `url`.
    pub(super) fn start(url: &str) -> anyhow::Result<Self> {
        let mut psql = Command::new("psql");
        psql.args(["--no-psqlrc", "--quiet", "--command", NOTICE, "--command", MEDDLE, url])
            .stdin(Stdio::null())
            .kill_on_drop(true);
        Ok(Self { child: psql.spawn().context("psql cannot be run")? })
    }

    /// Stops it; an error if it had stopped before.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        ensure!(self.child.try_wait()?.is_none(), "the leases were no longer ended");
        Ok(self.child.kill().await?)
    }
}
