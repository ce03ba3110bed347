//! Pictures that are left out: loads the facts that the engine decides on, and writes what it decides.

use rusqlite::OptionalExtension as _;

use super::Db;
use super::changes::write;
use super::lanes::named;
use super::statement::Prepare as _;
use crate::alert::Timestamp;
use crate::engine::picture::{LeaveFacts, Waits, leave_out};
use crate::names::LaneKey;
use crate::store::{LeaveOut, State, StoreError};

impl Db {
    pub(in crate::store) async fn leave_out(&self, request: LeaveOut, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |connection| {
            let mut select = connection.held("SELECT lane, state, picture_of FROM message WHERE id = ?1")?;
            let picture = select.query_row([request.picture], |row| {
                Ok(Waits {
                    lane: LaneKey::stored(row.get::<_, String>(0)?),
                    state: named(row, 1, State::from_name)?,
                    of: row.get(2)?,
                })
            });
            // The process holds all lanes.
            let facts = LeaveFacts { held: true, picture: picture.optional()? };
            let changes = leave_out(&request, facts, now).map_err(|denied| denied.error(request.picture))?;
            write(connection, &changes)
        })
        .await
    }
}
