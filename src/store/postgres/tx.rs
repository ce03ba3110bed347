//! Transactions: begun, retried where that is safe, and their errors sorted.
//!
//! A pooler between here and the server may give each transaction another session, so no session state is relied on:
//! settings are made inside the transaction, and statements are unnamed, but for those of admissions where it is certain
//! that there is no pooler (named.rs). Each goes with its types in one round trip, and several at once where none needs
//! another's answer.

use std::error::Error as _;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, RowStream, Statement};

use super::named::{Names, is_of_names};
use super::pool::{Conn, Pool};
use super::values::Values;
use crate::store::words;
use crate::store::{PEOPLE, Retry, StoreError};
use crate::words::Words;

/// A transaction without an answer for this long will not get one: longer than the server's statement timeout.
const DEADLINE: Duration = Duration::from_secs(20);
/// How often a transaction is begun in all if it collides with another, or its connection turns out to be broken before
/// the commit.
const TRIES: u32 = 5;

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Reads one snapshot of the database.
    Read,
    /// Changes rows it locks itself.
    Write,
    /// Creates rows whose order counts. These transactions, of all replicas, run one after the other: they hold one
    /// lock from their beginning to their commit. So ids are in commit order: a reader that sees a message sees all
    /// with lower ids, and a lane has an order. The lock precedes all row locks, which rules out deadlocks.
    Ordered,
}

impl Kind {
    /// The id of the writers' lock is arbitrary (`wegraf` on a telephone keypad) and must not change: replicas of other
    /// versions take the same. JIT is off: the planner overestimates recursive statements, and compiling one takes 200
    /// ms at each use, while all writers wait. Reads take one processor each and leave the others to the writer.
    const fn begin(self) -> &'static str {
        match self {
            Self::Read => {
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = '10s'; SET LOCAL jit = off;
                 SET LOCAL max_parallel_workers_per_gather = 0"
            }
            Self::Write => {
                "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = '10s'; SET LOCAL jit = off;
                 SET LOCAL idle_in_transaction_session_timeout = '5s'"
            }
            Self::Ordered => {
                "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = '10s'; SET LOCAL jit = off;
                 SET LOCAL idle_in_transaction_session_timeout = '5s';
                 SELECT pg_advisory_xact_lock(934723, hashtext(current_schema()))"
            }
        }
    }
}

/// Begins a read whose statements the server ends early.
fn bounded() -> String {
    let millis = PEOPLE.as_millis();
    format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL jit = off; SET LOCAL statement_timeout = '{millis}ms'"
    )
}

/// A transaction that was begun.
pub(super) struct Tx {
    conn: Conn,
    kind: Kind,
    undo: AtomicBool,
    begun: Instant,
    /// Its session is the one in which its connection prepares statements.
    named: bool,
}

impl Tx {
    pub async fn begin(pool: &Pool, kind: Kind) -> Result<Self, Fault> {
        let conn = pool.get().await?;
        let begun = Instant::now();
        let mut tx = Self { conn, kind, undo: AtomicBool::new(false), begun, named: false };
        let mut begin = if tx.conn.is_bounded() { bounded() } else { kind.begin().to_owned() };
        if kind != Kind::Read && pool.sync_commit_is_off() {
            begin += "; SET LOCAL synchronous_commit = on";
        }
        let Some(names) = tx.conn.names() else {
            tx.conn.client().batch_execute(&begin).await?;
            return Ok(tx);
        };
        begin += "; ";
        begin += Names::BEGIN;
        let answer = tx.conn.client().simple_query(&begin).await?;
        let named = names.is_mine(&answer);
        if !named {
            tx.conn.naming().failed(Instant::now());
        } else if let Err(error) = names.prepare(tx.conn.client()).await {
            return tx.end(Err(error.into())).await;
        }
        tx.named = named;
        Ok(tx)
    }

    pub async fn rows(&self, sql: &str, values: Values<'_>) -> Result<Vec<Row>, Fault> {
        Ok(self.conn.client().query_typed(sql, values).await?)
    }

    pub async fn row(&self, sql: &str, values: Values<'_>) -> Result<Option<Row>, Fault> {
        Ok(self.conn.client().query_typed_opt(sql, values).await?)
    }

    /// The one row that a statement gives.
    pub async fn only(&self, sql: &str, values: Values<'_>) -> Result<Row, Fault> {
        self.row(sql, values).await?.ok_or_else(|| StoreError::bug("a statement gave no row").into())
    }

    /// The rows as a stream, for when there may be many.
    pub async fn stream(&self, sql: &str, values: Values<'_>) -> Result<RowStream, Fault> {
        let values = values.iter().map(|(value, kind)| (*value, kind.clone()));
        Ok(self.conn.client().query_typed_raw(sql, values).await?)
    }

    /// Returns how many rows were written.
    pub async fn execute(&self, sql: &str, values: Values<'_>) -> Result<u64, Fault> {
        Ok(self.conn.client().execute_typed(sql, values).await?)
    }

    /// The same, if there is anything to write.
    pub async fn execute_if(&self, any: bool, sql: &str, values: Values<'_>) -> Result<u64, Fault> {
        if any { self.execute(sql, values).await } else { Ok(0) }
    }

    /// [`Tx::rows`] of a statement that may keep its plan (named.rs).
    pub async fn rows_as_planned(&self, sql: &str, values: Values<'_>) -> Result<Vec<Row>, Fault> {
        match self.named(sql, values) {
            Some(statement) => Ok(Box::pin(self.conn.client().query(&statement, &bare(values))).await?),
            None => self.rows(sql, values).await,
        }
    }

    /// [`Tx::execute_if`] of a statement that may keep its plan (named.rs): one that inserts values.
    pub async fn insert_if(&self, any: bool, sql: &str, values: Values<'_>) -> Result<u64, Fault> {
        if !any {
            return Ok(0);
        }
        match self.named(sql, values) {
            Some(statement) => Ok(Box::pin(self.conn.client().execute(&statement, &bare(values))).await?),
            None => self.execute(sql, values).await,
        }
    }

    /// The statement that was prepared, if it was.
    fn named(&self, sql: &str, values: Values<'_>) -> Option<Statement> {
        self.conn.names().filter(|_| self.named)?.get(sql, values)
    }

    /// Rolls the transaction back at its end.
    pub fn undo(&self) {
        self.undo.store(true, Ordering::Relaxed);
    }

    /// Commits, or rolls back if `result` is an error or [`Tx::undo`] was called.
    pub async fn end<T>(mut self, result: Result<T, Fault>) -> Result<T, Fault> {
        if let Err(Fault::Statement(error)) = &result
            && is_of_names(error)
        {
            // Not clean: the connection is closed, and its names are gone with it.
            self.conn.naming().failed(Instant::now());
            return result;
        }
        let result = match result {
            Err(Fault::Statement(error))
                if self.conn.is_bounded() && error.code() == Some(&SqlState::QUERY_CANCELED) =>
            {
                Err(StoreError::TooSlow.into())
            }
            result => result,
        };
        if result.is_err() || self.undo.load(Ordering::Relaxed) {
            if !self.conn.client().is_closed() && self.conn.client().batch_execute("ROLLBACK").await.is_ok() {
                self.conn.is_clean();
            }
            return result;
        }
        self.conn.client().batch_execute("COMMIT").await.map_err(Fault::Commit)?;
        if self.kind != Kind::Read {
            self.conn.tally().commit(self.begun.elapsed());
        }
        self.conn.is_clean();
        result
    }
}

/// The values without their types.
fn bare(values: Values<'_>) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|(value, _)| *value).collect()
}

/// The error of a transaction.
#[derive(Debug)]
pub(super) enum Fault {
    /// An error of ours.
    Said(StoreError),
    /// A statement failed: nothing was written.
    Statement(tokio_postgres::Error),
    /// The commit failed: if the connection broke, its result is unknown.
    Commit(tokio_postgres::Error),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Said(error)
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Statement(error)
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Said(error) => error,
            Fault::Statement(error) | Fault::Commit(error) => sorted(&error),
        }
    }
}

impl Fault {
    /// Is it safe to repeat the transaction? A deadlock, or a connection found broken before the commit, left nothing
    /// behind.
    fn is_harmless(&self) -> bool {
        let collided = |error: &tokio_postgres::Error| {
            matches!(error.code(), Some(&SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED))
        };
        match self {
            Self::Said(_) => false,
            Self::Commit(error) => collided(error),
            Self::Statement(error) => collided(error) || is_broken(error) || is_of_names(error),
        }
    }
}

/// Runs a decision; a panic in it becomes an error of this transaction, which leaves the writer's task alive.
pub(super) fn caught<T>(decide: impl FnOnce() -> T) -> Result<T, Fault> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(decide))
        .map_err(|_| StoreError::bug("a decision panicked; see the log").into())
}

/// Counts how often a transaction was begun.
#[derive(Debug, Default)]
pub(super) struct Tries(u32);

impl Tries {
    /// The consequence of a transaction's end: its result, or another try after a pause.
    pub fn judge<T>(
        &mut self,
        ended: Result<Result<T, Fault>, tokio::time::error::Elapsed>,
    ) -> ControlFlow<Result<T, StoreError>, Duration> {
        self.0 += 1;
        match ended {
            Ok(Err(fault)) if self.0 < TRIES && fault.is_harmless() => {
                let pause = rand::random_range(1..=20 * u64::from(self.0));
                ControlFlow::Continue(Duration::from_millis(pause))
            }
            Ok(result) => ControlFlow::Break(result.map_err(StoreError::from)),
            Err(_) => ControlFlow::Break(Err(StoreError::unreachable(words::no_result(DEADLINE.as_secs())))),
        }
    }
}

/// How long one try of a transaction may take.
pub(super) const fn deadline() -> Duration {
    DEADLINE
}

/// Runs `$work`, which uses the transaction `$tx`, from its beginning to its commit. A macro, because a closure that
/// borrows both its environment and the transaction has no nameable type.
macro_rules! transaction {
    ($pool:expr, $kind:expr, $tx:ident => $work:expr) => {{
        let mut tries = $crate::store::postgres::tx::Tries::default();
        loop {
            let attempt = async {
                let $tx = $crate::store::postgres::tx::Tx::begin($pool, $kind).await?;
                let result = $work.await;
                $tx.end(result).await
            };
            let deadline = $crate::store::postgres::tx::deadline();
            match tries.judge(tokio::time::timeout(deadline, Box::pin(attempt)).await) {
                std::ops::ControlFlow::Break(result) => break result,
                std::ops::ControlFlow::Continue(pause) => tokio::time::sleep(pause).await,
            }
        }
    }};
}
pub(super) use transaction;

/// Did the connection break, or does the server ask to close it?
pub(super) fn is_broken(error: &tokio_postgres::Error) -> bool {
    let Some(code) = error.code() else {
        return error.is_closed() || error.source().is_some_and(<dyn std::error::Error>::is::<std::io::Error>);
    };
    // Classes 08 and 57P: the connection failed, or the server ends it; 25006: the server is a standby now; 25P03: this
    // process was paused for too long.
    code.code().starts_with("08")
        || code.code().starts_with("57P")
        || *code == SqlState::READ_ONLY_SQL_TRANSACTION
        || *code == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
}

/// An error of the driver or the server, by what the caller must do.
pub(super) fn sorted(error: &tokio_postgres::Error) -> StoreError {
    let reason = said(error);
    if is_broken(error) {
        return StoreError::unreachable(Words::quoted(reason));
    }
    let Some(code) = error.code() else { return StoreError::bug(reason) };
    match code.code() {
        // Deadlock, serialization (after all tries), a lock or a statement that took too long.
        "40001" | "40P01" | "55P03" | "57014" => StoreError::Retry(Retry::Busy),
        "53100" => StoreError::Retry(Retry::Full),
        // Out of memory or connections, login refused, no such database, its disk or its data: for an operator to
        // solve.
        code if ["53", "28", "3D", "58", "XX"].iter().any(|class| code.starts_with(class)) => {
            StoreError::unreachable(Words::quoted(reason))
        }
        _ => StoreError::bug(reason),
    }
}

/// The error text of the server or the driver, without the data of the row.
pub(super) fn said(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(said) => format!("{} ({})", said.message(), said.code().code()),
        None => match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}
