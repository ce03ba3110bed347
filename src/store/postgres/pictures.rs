//! Pictures that are left out: loads the facts that the engine decides on, and writes what it decides.

use futures_util::future::try_join;
use tokio_postgres::Row;

use super::Db;
use super::changes::write;
use super::lease::renew;
use super::tx::{Fault, Kind, transaction};
use super::values::{named, values};
use crate::alert::Timestamp;
use crate::engine::picture::{LeaveFacts, Waits, leave_out};
use crate::names::LaneKey;
use crate::store::{LeaveOut, State, StoreError};

impl Db {
    pub(in crate::store) async fn leave_out(&self, request: LeaveOut, now: Timestamp) -> Result<(), StoreError> {
        let lock = "SELECT lane, state, picture_of FROM message WHERE id = $1 FOR NO KEY UPDATE";
        transaction!(self.writing()?, Kind::Write, tx => async {
            let (held, row) = try_join(
                renew(&tx, &request.lease, &self.0.owner, self.0.lease),
                tx.row(lock, values![request.picture]),
            )
            .await?;
            let waits = |row: &Row| -> Result<Waits, Fault> {
                Ok(Waits {
                    lane: LaneKey::stored(row.try_get::<_, String>(0)?),
                    state: named(row, 1, State::from_name)?,
                    of: row.try_get(2)?,
                })
            };
            let facts = LeaveFacts { held, picture: row.as_ref().map(waits).transpose()? };
            let changes = leave_out(&request, facts, now).map_err(|denied| denied.error(request.picture))?;
            write(&tx, &changes).await
        })
    }
}
