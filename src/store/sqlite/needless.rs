//! Episodes of which people say that they should not have been told.

use rusqlite::{Row, params};

use super::Db;
use super::statement::Prepare as _;
use crate::alert::{ThreadId, Timestamp};
use crate::store::needless::KEPT_MS;
use crate::store::{Needless, StoreError};

impl Db {
    pub(in crate::store) async fn call_needless(&self, said: Needless) -> Result<(), StoreError> {
        self.write(move |connection| {
            connection.held("DELETE FROM needless WHERE told_at < ?1")?.execute([said.at.0 - KEPT_MS])?;
            let Needless { thread, person, receiver, rule, reason, told_at, at } = said;
            connection
                .held(
                    "INSERT OR REPLACE INTO needless (thread, person, receiver, rule, reason, told_at, at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute(params![thread.0, person, receiver, rule, reason, told_at.0, at.0])?;
            Ok(())
        })
        .await
    }

    pub(in crate::store) async fn call_needful(&self, thread: ThreadId, person: String) -> Result<bool, StoreError> {
        self.write(move |connection| {
            let mut delete = connection.held("DELETE FROM needless WHERE thread = ?1 AND person = ?2")?;
            Ok(delete.execute(params![thread.0, person])? > 0)
        })
        .await
    }

    pub(in crate::store) async fn needless(&self, thread: ThreadId) -> Result<Vec<Needless>, StoreError> {
        self.read(move |connection| {
            let mut select = connection.held(
                "SELECT person, receiver, rule, reason, told_at, at FROM needless WHERE thread = ?1
                 ORDER BY at, person LIMIT 100",
            )?;
            let rows = select.query_map([thread.0], |row: &Row<'_>| {
                Ok(Needless {
                    thread,
                    person: row.get(0)?,
                    receiver: row.get(1)?,
                    rule: row.get(2)?,
                    reason: row.get(3)?,
                    told_at: Timestamp(row.get(4)?),
                    at: Timestamp(row.get(5)?),
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}
