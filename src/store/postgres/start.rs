//! Checks at the start: is the server durable, and is the schema ours?

use std::path::Path;
use std::time::Duration;

use tokio_postgres::Client;

use super::address::refused;
use super::tx::sorted;
use super::values::values;
use crate::alert::Timestamp;
use crate::store::migrate::{POSTGRES, hash};
use crate::store::words;
use crate::store::{Retry, StoreError};
use crate::words::Words;

/// The oldest supported server.
const OLDEST: i64 = 130_000;

/// The server's settings.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub fsync: bool,
    pub full_page_writes: bool,
    pub version: i64,
    pub encoding: String,
    /// It is a standby, or read-only for another reason.
    pub read_only: bool,
    pub synchronous_commit: String,
    pub synchronous_standby_names: String,
    /// Servers that replicate from it.
    pub standbys: i64,
    /// The schema of our tables.
    pub schema: Option<String>,
}

impl Settings {
    pub async fn ask(client: &Client) -> Result<Self, tokio_postgres::Error> {
        let sql = "SELECT current_setting('fsync') = 'on', current_setting('full_page_writes') = 'on',
                          current_setting('server_version_num')::bigint, current_setting('server_encoding'),
                          pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on',
                          current_setting('synchronous_commit'), current_setting('synchronous_standby_names'),
                          (SELECT count(*) FROM pg_stat_replication), current_schema()::text";
        let row = client.query_typed_one(sql, values![]).await?;
        Ok(Self {
            fsync: row.try_get(0)?,
            full_page_writes: row.try_get(1)?,
            version: row.try_get(2)?,
            encoding: row.try_get(3)?,
            read_only: row.try_get(4)?,
            synchronous_commit: row.try_get(5)?,
            synchronous_standby_names: row.try_get(6)?,
            standbys: row.try_get(7)?,
            schema: row.try_get(8)?,
        })
    }

    /// Does the server answer before a commit is on its own disk?
    pub fn sync_commit_is_off(&self) -> bool {
        self.synchronous_commit == "off"
    }

    /// Why this server cannot be used; `None`: it can. `reading`: for commands that only read.
    pub fn refusal(&self, reading: bool) -> Option<Words> {
        let reason = if self.version < OLDEST {
            words::old_server(self.version / 10_000)
        } else if self.encoding != "UTF8" {
            words::encoding(&self.encoding)
        } else if self.schema.is_none() {
            words::NO_SCHEMA
        } else if reading {
            return None;
        } else if !self.fsync || !self.full_page_writes {
            words::UNSAFE_SERVER
        } else if self.read_only {
            words::STANDBY
        } else {
            return None;
        };
        Some(reason)
    }

    /// Logs settings that an operator should know of.
    fn warn(&self) {
        if matches!(self.synchronous_commit.as_str(), "off" | "local") {
            tracing::warn!(
                synchronous_commit = self.synchronous_commit,
                "The database answers before a commit is safe everywhere it should be; wegraf asks for more where it is off."
            );
        }
        if self.standbys > 0 && self.synchronous_standby_names.is_empty() {
            tracing::warn!(
                standbys = self.standbys,
                "The database has standbys but waits for none: what was just accepted can be lost in a failover."
            );
        }
    }
}

/// Refuses a server that cannot be trusted, and brings the schema up to date; when only reading, requires that it is.
pub(super) async fn prepare(
    client: &Client,
    place: &Path,
    reading: bool,
    now: Timestamp,
) -> Result<Settings, StoreError> {
    let explain = |error: tokio_postgres::Error| match sorted(&error) {
        StoreError::Bug { reason, .. } => refused(place, Words::quoted(reason)),
        sorted => sorted,
    };
    let settings = Settings::ask(client).await.map_err(explain)?;
    if let Some(reason) = settings.refusal(reading) {
        return Err(refused(place, reason));
    }
    if reading {
        let missing = expect_current(client, POSTGRES).await.map_err(explain)?;
        return missing.verdict(place).map(|()| settings);
    }
    settings.warn();
    migrate(client, place, POSTGRES, now).await?;
    Ok(settings)
}

/// How the steps in the database compare to those of this program.
struct Steps {
    found: i64,
    known: i64,
    /// A step that is in both and differs.
    differs: Option<i64>,
}

impl Steps {
    /// Compares what is in the database, by version and hash.
    fn compare(applied: &[(i64, String)], steps: &[&str]) -> Self {
        let known = i64::try_from(steps.len()).unwrap_or(i64::MAX);
        let ours = (1_i64..).zip(steps);
        let differs = ours.filter_map(|(version, sql)| {
            let (_, before) = applied.iter().find(|(found, _)| *found == version)?;
            (*before != hash(sql)).then_some(version)
        });
        Self { found: applied.iter().map(|(version, _)| *version).max().unwrap_or(0), known, differs: differs.min() }
    }

    /// Refuses a schema that this program cannot bring up to date.
    fn refuse(&self, place: &Path) -> Result<(), StoreError> {
        if self.found > self.known {
            return Err(StoreError::newer(place, self.found, self.known));
        }
        match self.differs {
            None => Ok(()),
            Some(version) => Err(refused(place, words::foreign_step(version))),
        }
    }

    /// Also refuses a schema that is not up to date.
    fn verdict(&self, place: &Path) -> Result<(), StoreError> {
        self.refuse(place)?;
        if self.found < self.known {
            return Err(refused(place, words::OLDER_SCHEMA));
        }
        Ok(())
    }
}

async fn applied(client: &Client) -> Result<Vec<(i64, String)>, tokio_postgres::Error> {
    let rows = client.query_typed("SELECT version, hash FROM migration ORDER BY version", values![]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

async fn expect_current(client: &Client, steps: &[&str]) -> Result<Steps, tokio_postgres::Error> {
    let exists = client.query_typed_one("SELECT to_regclass('migration') IS NOT NULL", values![]).await?;
    let applied = if exists.try_get(0)? { applied(client).await? } else { Vec::new() };
    Ok(Steps::compare(&applied, steps))
}

/// The name of a replica, or of the holder of a socket: it says which schema the program knows, so that a step of the
/// schema can keep from older programs what they would do wrong.
pub(super) fn named(name: &str) -> String {
    format!("s{}/{name}", POSTGRES.len())
}

/// How often the missing steps are tried, if replicas that still run are in the way.
const TRIES: u32 = 12;
/// Pause before the next try.
const PAUSE: Duration = Duration::from_secs(1);

/// Applies the missing steps. Replicas that run meanwhile hold locks; where the steps cannot have theirs for a while,
/// they give way and are tried again, so that the others go on.
async fn migrate(client: &Client, place: &Path, steps: &[&str], now: Timestamp) -> Result<(), StoreError> {
    for _ in 1..TRIES {
        match migrate_once(client, place, steps, now).await {
            Err(StoreError::Retry(Retry::Busy)) => {
                tracing::warn!(
                    "The schema of the database is not up to date yet: other replicas use its tables. Trying again."
                );
                client.batch_execute("ROLLBACK").await.map_err(|error| sorted(&error))?;
                tokio::time::sleep(PAUSE).await;
            }
            result => return result,
        }
    }
    migrate_once(client, place, steps, now).await.map_err(|error| match error {
        StoreError::Retry(Retry::Busy) => refused(place, words::TABLES_IN_USE),
        other => other,
    })
}

/// All steps of a start are one transaction: a crash leaves the old schema or the new one. Replicas that start together
/// wait for each other, and those that write for the steps.
async fn migrate_once(client: &Client, place: &Path, steps: &[&str], now: Timestamp) -> Result<(), StoreError> {
    let explain = |error: tokio_postgres::Error| match sorted(&error) {
        StoreError::Bug { reason, .. } => refused(place, Words::quoted(reason)),
        sorted => sorted,
    };
    client
        .batch_execute(
            "BEGIN; SET LOCAL statement_timeout = 0;
             SELECT pg_advisory_xact_lock(934724, hashtext(current_schema()));
             CREATE TABLE IF NOT EXISTS migration (
                 version bigint PRIMARY KEY, hash text NOT NULL, applied_at bigint NOT NULL)",
        )
        .await
        .map_err(explain)?;
    let found = Steps::compare(&applied(client).await.map_err(explain)?, steps);
    found.refuse(place)?;
    if found.found < found.known {
        // The writers' lock (tx.rs). While a step waits for a table, all that come after it wait, too: not for long.
        let locks = "SET LOCAL lock_timeout = '4s'; SELECT pg_advisory_xact_lock(934723, hashtext(current_schema()))";
        client.batch_execute(locks).await.map_err(explain)?;
    }
    for (version, sql) in (1_i64..).zip(steps).filter(|(version, _)| *version > found.found) {
        client.batch_execute(sql).await.map_err(explain)?;
        let note = "INSERT INTO migration (version, hash, applied_at) VALUES ($1, $2, $3)";
        client.execute_typed(note, values![version, hash(sql), now.0]).await.map_err(explain)?;
    }
    client.batch_execute("COMMIT").await.map_err(explain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Settings {
        Settings {
            fsync: true,
            full_page_writes: true,
            version: 150_018,
            encoding: "UTF8".to_owned(),
            read_only: false,
            synchronous_commit: "on".to_owned(),
            synchronous_standby_names: String::new(),
            standbys: 0,
            schema: Some("public".to_owned()),
        }
    }

    #[test]
    fn a_server_that_would_lose_what_it_accepted_is_refused() {
        assert_eq!(good().refusal(false), None);
        let cases = [
            (Settings { fsync: false, ..good() }, "fsync"),
            (Settings { full_page_writes: false, ..good() }, "full_page_writes"),
            (Settings { version: 120_000, ..good() }, "12 太旧"),
            (Settings { encoding: "SQL_ASCII".to_owned(), ..good() }, "SQL_ASCII"),
            (Settings { read_only: true, ..good() }, "standby"),
            (Settings { schema: None, ..good() }, "search_path"),
        ];
        for (settings, expected) in cases {
            let reason = settings.refusal(false).expect(expected);
            assert!(reason.to_string().contains(expected) && reason.zh != reason.en, "{reason}");
        }
    }

    #[test]
    fn a_reader_may_use_a_standby() {
        assert_eq!(Settings { read_only: true, ..good() }.refusal(true), None);
    }
}
