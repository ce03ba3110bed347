//! Messages that wait for too long.

use futures_util::future::try_join;
use tokio_postgres::Row;

use super::Db;
use super::changes::write;
use super::settle::told_instead;
use super::tx::{Fault, Kind, Tx, transaction};
use super::values::{moment, named, values};
use crate::alert::Timestamp;
use crate::engine::Denied;
use crate::engine::overdue::{DetourFacts, Late, Stuck, fall_back};
use crate::names::LaneKey;
use crate::store::{Detour, LateMessage, State, StoreError};

impl Db {
    pub(in crate::store) async fn late(
        &self,
        receivers: Vec<String>,
        since: Late,
        limit: u32,
    ) -> Result<Vec<LateMessage>, StoreError> {
        let sql = "SELECT id, receiver, lane, state, epoch, revision, critical, created_at, error FROM message
                   WHERE settled_at IS NULL AND state <> 'sending' AND fell_back_at IS NULL AND act_id IS NULL
                     AND picture_of IS NULL
                     AND created_at <= CASE WHEN critical THEN $1 ELSE $2 END AND receiver = ANY ($4)
                   ORDER BY critical DESC, id LIMIT $3";
        transaction!(&self.0.pool, Kind::Read, tx => async {
            let rows = tx.rows(sql, values![since.critical.0, since.other.0, i64::from(limit); receivers]).await?;
            let late = |row: &Row| {
                Ok(LateMessage {
                    message: row.try_get(0)?,
                    receiver: row.try_get(1)?,
                    lane: LaneKey::stored(row.try_get::<_, String>(2)?),
                    state: named(row, 3, State::from_name)?,
                    epoch: row.try_get(4)?,
                    revision: row.try_get(5)?,
                    critical: row.try_get(6)?,
                    created_at: moment(row, 7)?,
                    error: row.try_get(8)?,
                })
            };
            rows.iter().map(late).collect()
        })
    }

    pub(in crate::store) async fn fall_back(
        &self,
        requests: Vec<Detour>,
        now: Timestamp,
    ) -> Result<Vec<bool>, StoreError> {
        transaction!(self.writing()?, Kind::Ordered, tx => async {
            let mut told = Vec::new();
            // One after the other: each finds what those before it told.
            for request in &requests {
                told.push(match fall_back(request, facts(&tx, request).await?, now) {
                    Ok(changes) => write(&tx, &changes).await.map(|()| true)?,
                    Err(Denied::Lost) => false,
                    Err(denied) => return Err(denied.error(request.message).into()),
                });
            }
            Ok(told)
        })
    }
}

/// Locks the message.
async fn facts(tx: &Tx, request: &Detour) -> Result<DetourFacts, Fault> {
    let lock = "SELECT lane, state, epoch, revision, fell_back_at IS NOT NULL FROM message
                WHERE id = $1 FOR NO KEY UPDATE";
    let (row, told_instead) =
        try_join(tx.row(lock, values![request.message]), told_instead(tx, request.message, Some(&request.fallback)))
            .await?;
    let stuck = |row: &Row| -> Result<Stuck, Fault> {
        Ok(Stuck {
            lane: LaneKey::stored(row.try_get::<_, String>(0)?),
            state: named(row, 1, State::from_name)?,
            epoch: row.try_get(2)?,
            revision: row.try_get(3)?,
            fell_back: row.try_get(4)?,
        })
    };
    Ok(DetourFacts { message: row.as_ref().map(stuck).transpose()?, told_instead })
}
