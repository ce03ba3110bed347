//! Claiming: loads the facts that the engine decides on, and writes what it decides.
//!
//! Locks are always taken in one order: the lane, the message, breakers by scope, budgets by account.

use std::collections::BTreeMap;

use futures_util::future::{try_join, try_join3, try_join4};

use tokio_postgres::Row;

use super::Db;
use super::breaker::open_among;
use super::changes::write;
use super::lease::renew;
use super::tx::{Fault, Kind, Tx, transaction};
use super::values::{named, small, values};
use crate::alert::Timestamp;
use crate::budget::Window;
use crate::engine::claim::{ClaimFacts, Head, accounts, claim, scopes};
use crate::names::{Account, LaneKey};
use crate::store::{Claim, State, StoreError, Taken};

impl Db {
    pub(in crate::store) async fn claim(&self, request: Claim, now: Timestamp) -> Result<Taken, StoreError> {
        transaction!(self.writing()?, Kind::Write, tx => take(self, &tx, &request, now))
    }
}

async fn take(db: &Db, tx: &Tx, request: &Claim, now: Timestamp) -> Result<Taken, Fault> {
    let (held, (head, lane_busy, older_tells), breakers, windows) = try_join4(
        renew(tx, &request.lease, &db.0.owner, db.0.lease),
        head(tx, request),
        open_among(tx, scopes(&request.ways)),
        windows(tx, request),
    )
    .await?;
    let facts = ClaimFacts { held, head, lane_busy, older_tells, breakers, windows };
    let (taken, changes) = claim(request, facts, now).map_err(|denied| denied.error(request.message))?;
    if changes.is_empty() {
        tx.undo();
    } else {
        write(tx, &changes).await?;
    }
    Ok(taken)
}

/// Locks the message. Also: is another one of its lane being sent, and does an older live message of its lane tell of
/// one of its alerts? That keeps "resolved" behind "firing".
async fn head(tx: &Tx, request: &Claim) -> Result<(Option<Head>, bool, bool), Fault> {
    let lock = "SELECT lane, state, epoch, revision, version, parts, next_part, urgent, picture_of IS NOT NULL
                FROM message WHERE id = $1 FOR NO KEY UPDATE";
    let busy = "SELECT EXISTS (SELECT 1 FROM message WHERE settled_at IS NULL AND lane = $1 AND state = 'sending')";
    let older = "SELECT EXISTS (SELECT 1 FROM transition mine CROSS JOIN LATERAL
                     (SELECT 1 FROM transition older
                      WHERE older.alert_id = mine.alert_id AND older.fate = 'pending' AND older.lane = mine.lane
                        AND older.message_id < mine.message_id OFFSET 0) older
                 WHERE mine.message_id = $1
                   AND EXISTS (SELECT 1 FROM message WHERE settled_at IS NULL AND lane = $2 AND id < $1))";
    let lane = request.lease.lane.as_str();
    let (row, busy, older) = try_join3(
        tx.row(lock, values![request.message]),
        tx.only(busy, values![lane]),
        tx.only(older, values![request.message, lane]),
    )
    .await?;
    let head = |row: &tokio_postgres::Row| -> Result<Head, Fault> {
        Ok(Head {
            lane: LaneKey::stored(row.try_get::<_, String>(0)?),
            state: named(row, 1, State::from_name)?,
            epoch: row.try_get(2)?,
            revision: row.try_get(3)?,
            version: small(row, 4)?,
            parts: small(row, 5)?,
            next_part: small(row, 6)?,
            urgent: row.try_get(7)?,
            picture: row.try_get(8)?,
        })
    };
    Ok((row.as_ref().map(head).transpose()?, busy.try_get(0)?, older.try_get(0)?))
}

impl Db {
    pub(in crate::store) async fn spent(&self, all: Vec<Account>) -> Result<BTreeMap<Account, Window>, StoreError> {
        let all: Vec<&str> = all.iter().map(Account::as_str).collect();
        let sql = "SELECT account, spent FROM budget WHERE account = ANY ($1)";
        transaction!(&self.0.pool, Kind::Read, tx => async {
            tx.rows(sql, values![; all]).await?.iter().map(window).collect()
        })
    }
}

fn window(row: &Row) -> Result<(Account, Window), Fault> {
    let window = Window::from_bytes(row.try_get(1)?).ok_or_else(|| StoreError::bug("a budget cannot be read"))?;
    Ok((Account::stored(row.try_get::<_, String>(0)?), window))
}

/// Locks the windows of all accounts, which are created if missing.
async fn windows(tx: &Tx, request: &Claim) -> Result<BTreeMap<Account, Window>, Fault> {
    let accounts: Vec<&str> = accounts(&request.ways).into_iter().map(Account::as_str).collect();
    if accounts.is_empty() {
        return Ok(BTreeMap::new());
    }
    let empty = Window::default().to_bytes();
    let make = "INSERT INTO budget (account, spent) SELECT account, $1 FROM unnest($2) AS a (account)
                ON CONFLICT DO NOTHING";
    let lock = "SELECT account, spent FROM budget WHERE account = ANY ($1) ORDER BY account FOR NO KEY UPDATE";
    let (_, rows) = try_join(tx.execute(make, values![empty; accounts]), tx.rows(lock, values![; accounts])).await?;
    rows.iter().map(window).collect()
}
