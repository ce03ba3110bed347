//! Settling, fallbacks and resends: loads the facts that the engine decides on, and writes what it decides.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join4;

use super::Db;
use super::breaker::open_among;
use super::cards::codes;
use super::changes::{copy, wake, write};
use super::tx::{Fault, Kind, Tx, transaction};
use super::values::{named, small, time, values};
use crate::alert::Timestamp;
use crate::engine::changes::Copy;
use crate::engine::settle::{self, Flight, SettleFacts, settle};
use crate::names::LaneKey;
use crate::store::{BreakerChange, Fallback, Settlement, State, StoreError, TargetRow};

impl Db {
    pub(in crate::store) async fn settle(&self, settlement: Settlement, now: Timestamp) -> Result<State, StoreError> {
        // Only a fallback and a picture create messages.
        let kind = if settlement.fallback.is_some() || settlement.pictured { Kind::Ordered } else { Kind::Write };
        let message = settlement.claimed.message;
        transaction!(self.writing()?, kind, tx => async {
            let facts = facts(&tx, &settlement).await?;
            let (state, changes) = settle(&settlement, facts, now).map_err(|denied| denied.error(message))?;
            write(&tx, &changes).await?;
            Ok(state)
        })
    }

    pub(in crate::store) async fn resend(
        &self,
        message: i64,
        note_json: &str,
        now: Timestamp,
    ) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT receiver, lane, target FROM message WHERE id = $1";
        transaction!(self.writing()?, Kind::Ordered, tx => async {
            let Some(row) = tx.row(sql, values![message]).await? else { return Ok(None) };
            let receiver: String = row.try_get(0)?;
            let target = TargetRow::new(LaneKey::stored(row.try_get::<_, String>(1)?), row.try_get(2)?);
            let again = Copy { of: message, receiver: &receiver, target: &target, note: note_json, at: now };
            let again = copy(&tx, &again).await?;
            wake(&tx, true).await?;
            Ok(Some(again))
        })
    }
}

/// Locks the message, then the cards, then the breakers.
async fn facts(tx: &Tx, settlement: &Settlement) -> Result<SettleFacts, Fault> {
    let message = settlement.claimed.message;
    let lock = "SELECT state, epoch, parts, claimed_at, fell_back_at IS NOT NULL, picture_of FROM message WHERE id = $1 FOR NO KEY UPDATE";
    let scopes: BTreeSet<_> = settlement.breakers.iter().map(BreakerChange::scope).collect();
    let cards: Vec<i64> = settle::cards(settlement).into_iter().collect();
    let codes = async { if cards.is_empty() { Ok(BTreeMap::new()) } else { codes(tx, &cards).await } };
    let (row, cards, told_instead, breakers) = try_join4(
        tx.row(lock, values![message]),
        codes,
        told_instead(tx, message, settlement.fallback.as_ref()),
        open_among(tx, scopes),
    )
    .await?;
    let flight = |row: &tokio_postgres::Row| -> Result<Flight, Fault> {
        Ok(Flight {
            state: named(row, 0, State::from_name)?,
            epoch: row.try_get(1)?,
            parts: small(row, 2)?,
            claimed_at: time(row, 3)?.unwrap_or_default(),
            fell_back: row.try_get(4)?,
            picture_of: row.try_get(5)?,
        })
    };
    Ok(SettleFacts { flight: row.as_ref().map(flight).transpose()?, told_instead, breakers, cards })
}

/// The lanes of a fallback that tell the content of the message already, because another target of its receiver failed,
/// too, or another part of it did. A digest's content is its own.
pub(super) async fn told_instead(
    tx: &Tx,
    message: i64,
    fallback: Option<&Fallback>,
) -> Result<BTreeSet<LaneKey>, Fault> {
    let Some(fallback) = fallback else { return Ok(BTreeSet::new()) };
    let lanes: Vec<&str> = fallback.targets.iter().map(|target| target.lane.as_str()).collect();
    let sql = "SELECT DISTINCT instead.lane FROM message failed
                   JOIN message other ON other.notification_id = failed.notification_id
                        AND other.receiver = failed.receiver AND other.digest = failed.digest
                        AND other.act_id IS NOT DISTINCT FROM failed.act_id
                   JOIN message instead ON instead.origin = other.id AND instead.lane = ANY ($2)
                        AND instead.notification_id = failed.notification_id
               WHERE failed.id = $1 AND (NOT failed.digest OR other.id = failed.id)";
    let rows = tx.rows(sql, values![message; lanes]).await?;
    rows.iter().map(|row| Ok(LaneKey::stored(row.try_get::<_, String>(0)?))).collect()
}
