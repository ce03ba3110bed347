//! Statements that the server parses and plans once for each connection: those of admissions whose best plan is the same
//! however large the tables are, which is to insert rows and to find them by an index. The plan of a join with what was
//! given is made anew each time: one that was made for an empty table would be kept while the table grows.
//!
//! A pooler between here and the server may give each transaction another session, where a name means nothing, or the
//! statement of another client. So a connection marks its session, each transaction first asks for the mark, and names
//! are used only where it is this connection's own. If a name still fails, the transaction is repeated on another
//! connection; after three failures within a minute the process uses no names until it is started again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, SimpleQueryMessage, Statement};

use super::values::Values;

/// Statements that a connection names: more than there are. A statement that is used once gets no name.
const MOST: usize = 128;
/// So many failures within [`WITHIN`] mean that there is a pooler.
const FAILURES: usize = 3;
const WITHIN: Duration = Duration::from_mins(1);

/// Whether this process uses names.
#[derive(Debug, Default)]
pub(super) struct Naming(Mutex<Failures>);

#[derive(Debug, Default)]
struct Failures {
    /// The last ones.
    at: VecDeque<Instant>,
    given_up: bool,
}

impl Naming {
    /// May names be used?
    pub fn is_on(&self) -> bool {
        !self.0.lock().unwrap_or_else(PoisonError::into_inner).given_up
    }

    /// Notes that names failed at `now`.
    pub fn failed(&self, now: Instant) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.at.push_back(now);
        if failures.at.len() > FAILURES {
            failures.at.pop_front();
        }
        let first = failures.at.front().copied().unwrap_or(now);
        if failures.at.len() == FAILURES && now.saturating_duration_since(first) <= WITHIN && !failures.given_up {
            failures.given_up = true;
            tracing::info!(
                "A pooler seems to stand before the database: its statements are not prepared any more until the next start."
            );
        }
    }
}

/// Does the error say that a name is unknown, is taken, or means a plan that no longer fits?
pub(super) fn is_of_names(error: &tokio_postgres::Error) -> bool {
    matches!(
        error.code(),
        Some(
            &SqlState::INVALID_SQL_STATEMENT_NAME | &SqlState::DUPLICATE_PSTATEMENT | &SqlState::FEATURE_NOT_SUPPORTED
        )
    )
}

/// The statements of a connection.
pub(super) struct Names {
    /// What the session of this connection is marked with.
    mark: String,
    known: Mutex<HashMap<String, Known>>,
}

enum Known {
    /// It was used once, without a name.
    Once,
    /// It gets a name with the next transaction.
    Wanted(Vec<Type>),
    /// It has a name. Never dropped before the connection: the server would be told to forget a name, perhaps in the
    /// session of another client.
    Named(Statement),
}

impl Names {
    /// Marks the session.
    pub async fn of(client: &Client) -> Result<Self, tokio_postgres::Error> {
        let mark = format!("{:016x}", rand::random::<u64>());
        client.batch_execute(&format!("SET wegraf.session = '{mark}'")).await?;
        Ok(Self { mark, known: Mutex::default() })
    }

    /// What a transaction asks for at the end of its beginning, and how its statements are planned: a plan that is kept
    /// is made once, and an index is what finds rows however large a table becomes. A sequence can only be scanned: the
    /// planner takes that for so expensive then that it would compile the statement, which takes a hundred milliseconds.
    pub const BEGIN: &str =
        "SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off; SET LOCAL jit = off;
        SELECT current_setting('wegraf.session', true)";

    /// Is the session that answered [`Names::BEGIN`] the one that this connection marked?
    pub fn is_mine(&self, answer: &[SimpleQueryMessage]) -> bool {
        let last = answer.iter().rev().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0)),
            _ => None,
        });
        last.flatten() == Some(self.mark.as_str())
    }

    /// Gives names to the statements that were used before, in a transaction of the marked session.
    pub async fn prepare(&self, client: &Client) -> Result<(), tokio_postgres::Error> {
        let wanted: Vec<(String, Vec<Type>)> = {
            let known = self.known();
            let wanted = known.iter().filter_map(|(sql, known)| match known {
                Known::Wanted(types) => Some((sql.clone(), types.clone())),
                Known::Once | Known::Named(_) => None,
            });
            wanted.collect()
        };
        let named = wanted.into_iter().map(async |(sql, types)| {
            let statement = client.prepare_typed(&sql, &types).await?;
            Ok::<_, tokio_postgres::Error>((sql, Known::Named(statement)))
        });
        let named = try_join_all(named).await?;
        self.known().extend(named);
        Ok(())
    }

    /// The name of a statement; `None` if it has none yet.
    pub fn get(&self, sql: &str, values: Values<'_>) -> Option<Statement> {
        let mut known = self.known();
        let len = known.len();
        match known.get_mut(sql) {
            Some(Known::Named(statement)) => Some(statement.clone()),
            Some(once @ Known::Once) => {
                *once = Known::Wanted(values.iter().map(|(_, kind)| kind.clone()).collect());
                None
            }
            Some(Known::Wanted(_)) => None,
            None => {
                if len < MOST {
                    known.insert(sql.to_owned(), Known::Once);
                }
                None
            }
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_given_up_after_three_failures_within_a_minute() {
        let (naming, start) = (Naming::default(), Instant::now());
        for seconds in [0, 50, 100, 150, 200] {
            naming.failed(start + Duration::from_secs(seconds));
            assert!(naming.is_on(), "{seconds}");
        }
        naming.failed(start + Duration::from_secs(201));
        assert!(!naming.is_on());
    }
}
