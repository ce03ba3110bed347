//! Claiming: loads the facts that the engine decides on, and writes what it decides.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _};

use super::Db;
use super::breaker::open_among;
use super::changes::write;
use super::lanes::named;
use super::statement::Prepare as _;
use crate::alert::Timestamp;
use crate::budget::Window;
use crate::engine::claim::{ClaimFacts, Head, accounts, claim, scopes};
use crate::names::{Account, LaneKey};
use crate::store::{Claim, State, StoreError, Taken};

impl Db {
    pub(in crate::store) async fn claim(&self, request: Claim, now: Timestamp) -> Result<Taken, StoreError> {
        self.write(move |connection| {
            let facts = facts(connection, &request)?;
            let (taken, changes) = claim(&request, facts, now).map_err(|denied| denied.error(request.message))?;
            write(connection, &changes)?;
            Ok(taken)
        })
        .await
    }
}

/// The process holds all lanes.
fn facts(connection: &Connection, request: &Claim) -> Result<ClaimFacts, StoreError> {
    let mut select = connection.held(
        "SELECT lane, state, epoch, revision, version, parts, next_part, urgent, picture_of IS NOT NULL
         FROM message WHERE id = ?1",
    )?;
    let head = select.query_row([request.message], |row| {
        Ok(Head {
            lane: LaneKey::stored(row.get::<_, String>(0)?),
            state: named(row, 1, State::from_name)?,
            epoch: row.get(2)?,
            revision: row.get(3)?,
            version: row.get(4)?,
            parts: row.get(5)?,
            next_part: row.get(6)?,
            urgent: row.get(7)?,
            picture: row.get(8)?,
        })
    });
    let lane = request.lease.lane.as_str();
    let (lane_busy, first): (bool, Option<i64>) = connection
        .held(
            "SELECT EXISTS (SELECT 1 FROM message WHERE settled_at IS NULL AND lane = ?1 AND state = 'sending'),
                    (SELECT min(id) FROM message WHERE settled_at IS NULL AND lane = ?1)",
        )?
        .query_row([lane], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(ClaimFacts {
        held: true,
        head: head.optional()?,
        lane_busy,
        older_tells: first != Some(request.message) && older_tells(connection, request.message)?,
        breakers: open_among(connection, scopes(&request.ways))?,
        windows: windows(connection, accounts(&request.ways))?,
    })
}

/// True if an older live message of its lane tells of one of its alerts. Keeps "resolved" behind "firing".
fn older_tells(connection: &Connection, message: i64) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM transition mine
                   JOIN transition older ON older.alert_id = mine.alert_id AND older.fate = 'pending'
                        AND older.lane = mine.lane AND older.message_id < mine.message_id
               WHERE mine.message_id = ?1)";
    Ok(connection.held(sql)?.query_row([message], |row| row.get(0))?)
}

impl Db {
    pub(in crate::store) async fn spent(&self, all: Vec<Account>) -> Result<BTreeMap<Account, Window>, StoreError> {
        self.read(move |connection| windows(connection, all.iter())).await
    }
}

fn windows<'a>(
    connection: &Connection,
    accounts: impl IntoIterator<Item = &'a Account>,
) -> Result<BTreeMap<Account, Window>, StoreError> {
    let mut select = connection.held("SELECT spent FROM budget WHERE account = ?1")?;
    let mut windows = BTreeMap::new();
    for account in accounts {
        let bytes: Option<Vec<u8>> = select.query_row([account.as_str()], |row| row.get(0)).optional()?;
        let window = match bytes {
            Some(bytes) => Window::from_bytes(&bytes).ok_or_else(|| StoreError::bug("a budget cannot be read"))?,
            None => Window::default(),
        };
        windows.insert(account.clone(), window);
    }
    Ok(windows)
}
