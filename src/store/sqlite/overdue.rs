//! Messages that wait for too long.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::Db;
use super::changes::write;
use super::lanes::named;
use super::settle::told_instead;
use super::statement::Prepare as _;
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
        let receivers = serde_json::to_string(&receivers).expect("names are JSON");
        self.read(move |connection| {
            let mut select = connection.held(
                "SELECT id, receiver, lane, state, epoch, revision, critical, created_at, error FROM message
                 WHERE settled_at IS NULL AND state <> 'sending' AND fell_back_at IS NULL AND act_id IS NULL
                   AND picture_of IS NULL
                   AND created_at <= iif(critical, ?2, ?3) AND receiver IN (SELECT value FROM json_each(?1))
                 ORDER BY critical DESC, id LIMIT ?4",
            )?;
            let rows = select.query_map(params![receivers, since.critical.0, since.other.0, limit], |row| {
                Ok(LateMessage {
                    message: row.get(0)?,
                    receiver: row.get(1)?,
                    lane: LaneKey::stored(row.get::<_, String>(2)?),
                    state: named(row, 3, State::from_name)?,
                    epoch: row.get(4)?,
                    revision: row.get(5)?,
                    critical: row.get(6)?,
                    created_at: Timestamp(row.get(7)?),
                    error: row.get(8)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    pub(in crate::store) async fn fall_back(
        &self,
        requests: Vec<Detour>,
        now: Timestamp,
    ) -> Result<Vec<bool>, StoreError> {
        self.write(move |connection| {
            // One after the other: each finds what those before it told.
            let one = |request: &Detour| match fall_back(request, facts(connection, request)?, now) {
                Ok(changes) => write(connection, &changes).map(|()| true),
                Err(Denied::Lost) => Ok(false),
                Err(denied) => Err(denied.error(request.message)),
            };
            requests.iter().map(one).collect()
        })
        .await
    }
}

fn facts(connection: &Connection, request: &Detour) -> Result<DetourFacts, StoreError> {
    let mut select =
        connection.held("SELECT lane, state, epoch, revision, fell_back_at IS NOT NULL FROM message WHERE id = ?1")?;
    let message = select.query_row([request.message], |row| {
        Ok(Stuck {
            lane: LaneKey::stored(row.get::<_, String>(0)?),
            state: named(row, 1, State::from_name)?,
            epoch: row.get(2)?,
            revision: row.get(3)?,
            fell_back: row.get(4)?,
        })
    });
    let told_instead = told_instead(connection, request.message, &request.fallback)?;
    Ok(DetourFacts { message: message.optional()?, told_instead })
}
