//! Episodes of which people say that they should not have been told.

use super::Db;
use super::tx::{Kind, transaction};
use super::values::{moment, values};
use crate::alert::ThreadId;
use crate::store::needless::KEPT_MS;
use crate::store::{Needless, StoreError};

impl Db {
    pub(in crate::store) async fn call_needless(&self, said: Needless) -> Result<(), StoreError> {
        transaction!(self.writing()?, Kind::Write, tx => async {
            tx.execute("DELETE FROM needless WHERE told_at < $1", values![said.at.0 - KEPT_MS]).await?;
            let sql = "INSERT INTO needless (thread, person, receiver, rule, reason, told_at, at)
                       VALUES ($1, $2, $3, $4, $5, $6, $7)
                       ON CONFLICT (thread, person) DO UPDATE SET receiver = excluded.receiver, rule = excluded.rule,
                           reason = excluded.reason, told_at = excluded.told_at, at = excluded.at";
            let Needless { thread, person, receiver, rule, reason, told_at, at } = &said;
            let values = values![
                thread.0, person.as_str(), receiver.as_str(), rule.as_str(), reason.as_str(), told_at.0, at.0
            ];
            tx.execute(sql, values).await?;
            Ok(())
        })
    }

    pub(in crate::store) async fn call_needful(&self, thread: ThreadId, person: String) -> Result<bool, StoreError> {
        transaction!(self.writing()?, Kind::Write, tx => async {
            let sql = "DELETE FROM needless WHERE thread = $1 AND person = $2";
            Ok(tx.execute(sql, values![thread.0, person.as_str()]).await? > 0)
        })
    }

    pub(in crate::store) async fn needless(&self, thread: ThreadId) -> Result<Vec<Needless>, StoreError> {
        transaction!(&self.0.pool, Kind::Read, tx => async {
            let sql = "SELECT person, receiver, rule, reason, told_at, at FROM needless WHERE thread = $1
                       ORDER BY at, person LIMIT 100";
            let rows = tx.rows(sql, values![thread.0]).await?;
            rows.iter()
                .map(|row| {
                    Ok(Needless {
                        thread,
                        person: row.try_get(0)?,
                        receiver: row.try_get(1)?,
                        rule: row.try_get(2)?,
                        reason: row.try_get(3)?,
                        told_at: moment(row, 4)?,
                        at: moment(row, 5)?,
                    })
                })
                .collect()
        })
    }
}
