//! Transactions: begun, tried again where that is harmless, and sorted by what went wrong.
//!
//! A pooler between here and the server may give each transaction another session. So nothing is expected of a
//! session: settings are made inside the transaction, and statements have no names; each goes with its types, in one
//! round trip, and several at once where one does not need the answer of another.

use std::error::Error as _;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;
use tokio_postgres::{Row, RowStream};

use super::pool::{Conn, Pool};
use super::values::Values;
use crate::store::StoreError;

/// A transaction without an answer for so long will not get one: longer than the server lets a statement take.
const DEADLINE: Duration = Duration::from_secs(20);
/// How often a transaction is begun anew because it collided with another, or because its connection turned out to
/// be broken before anything was committed.
const TRIES: u32 = 5;

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Sees one state of the database throughout.
    Read,
    /// Changes rows it locks itself.
    Write,
    /// Makes rows whose order counts. All of these, of all replicas, come one after the other: they hold one lock
    /// from their beginning to their commit. So ids are in the order of commits: whoever sees a message sees all with
    /// lower ids, and a lane has an order. The lock comes before any lock of a row, so that nobody waits in a ring.
    Ordered,
}

impl Kind {
    /// The lock of writers is of this database: the number is `wegraf` on a telephone.
    const fn begin(self) -> &'static str {
        match self {
            Self::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = '10s'",
            Self::Write => {
                "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = '10s';
                 SET LOCAL idle_in_transaction_session_timeout = '5s'"
            }
            Self::Ordered => {
                "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = '10s';
                 SET LOCAL idle_in_transaction_session_timeout = '5s';
                 SELECT pg_advisory_xact_lock(934723, hashtext(current_schema()))"
            }
        }
    }
}

/// A transaction that was begun.
pub(super) struct Tx {
    conn: Conn,
    kind: Kind,
    undo: AtomicBool,
    begun: Instant,
}

impl Tx {
    pub async fn begin(pool: &Pool, kind: Kind) -> Result<Self, Fault> {
        let conn = pool.get().await?;
        let begun = Instant::now();
        let tx = Self { conn, kind, undo: AtomicBool::new(false), begun };
        if kind != Kind::Read && pool.sync_commit_is_off() {
            let begin = format!("{}; SET LOCAL synchronous_commit = on", kind.begin());
            tx.conn.client().batch_execute(&begin).await?;
        } else {
            tx.conn.client().batch_execute(kind.begin()).await?;
        }
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

    /// The rows one by one, for when there may be many.
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

    /// Nothing is to be written after all.
    pub fn undo(&self) {
        self.undo.store(true, Ordering::Relaxed);
    }

    /// Commits, or takes everything back if `result` is an error or that was asked for.
    pub async fn end<T>(mut self, result: Result<T, Fault>) -> Result<T, Fault> {
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

/// What went wrong in a transaction.
#[derive(Debug)]
pub(super) enum Fault {
    /// Said by us.
    Said(StoreError),
    /// A statement failed: nothing was written.
    Statement(tokio_postgres::Error),
    /// The commit failed: if the connection broke, nobody knows.
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
    /// May the whole be done again? Two transactions that wait for each other, or a connection that was found broken
    /// before the commit, left nothing behind.
    fn is_harmless(&self) -> bool {
        let collided = |error: &tokio_postgres::Error| {
            matches!(error.code(), Some(&SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED))
        };
        match self {
            Self::Said(_) => false,
            Self::Commit(error) => collided(error),
            Self::Statement(error) => collided(error) || is_broken(error),
        }
    }
}

/// Counts how often a transaction was begun.
#[derive(Debug, Default)]
pub(super) struct Tries(u32);

impl Tries {
    /// What follows from the end of a transaction: its result, or another try after a pause.
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
            Err(_) => ControlFlow::Break(Err(StoreError::Unreachable {
                reason: format!("{} 秒内没有结果 / no result within {} s", DEADLINE.as_secs(), DEADLINE.as_secs()),
            })),
        }
    }
}

/// How long one try of a transaction may take.
pub(super) const fn deadline() -> Duration {
    DEADLINE
}

/// Runs `$work`, which uses the transaction `$tx`, from its beginning to its commit. A macro, because a closure that
/// borrows its surroundings and the transaction cannot say so in its type.
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

/// Did the connection break, or does the server want it to?
pub(super) fn is_broken(error: &tokio_postgres::Error) -> bool {
    let Some(code) = error.code() else {
        return error.is_closed() || error.source().is_some_and(<dyn std::error::Error>::is::<std::io::Error>);
    };
    // Classes 08 and 57P: the connection failed, or the server ends it; 25006: the server is a standby now; 25P03: we
    // were asleep for too long.
    code.code().starts_with("08")
        || code.code().starts_with("57P")
        || *code == SqlState::READ_ONLY_SQL_TRANSACTION
        || *code == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
}

/// An error of the driver or the server, by what the caller must do.
pub(super) fn sorted(error: &tokio_postgres::Error) -> StoreError {
    let reason = said(error);
    if is_broken(error) {
        return StoreError::Unreachable { reason };
    }
    let Some(code) = error.code() else { return StoreError::bug(reason) };
    match code.code() {
        // Deadlock, serialization (after all tries), a lock or a statement that took too long.
        "40001" | "40P01" | "55P03" | "57014" => StoreError::Busy,
        "53100" => StoreError::Full,
        // Out of memory or connections, not let in, no such database, its disk or its data: an operator's case.
        code if ["53", "28", "3D", "58", "XX"].iter().any(|class| code.starts_with(class)) => {
            StoreError::Unreachable { reason }
        }
        _ => StoreError::bug(reason),
    }
}

/// What the server or the driver said, without the row it was about.
pub(super) fn said(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(said) => format!("{} ({})", said.message(), said.code().code()),
        None => match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}
