//! Settling, fallbacks and resends: loads the facts that the engine decides on, and writes what it decides.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::Db;
use super::breaker::open_among;
use super::cards::codes;
use super::changes::{copy, write};
use super::lanes::{named, time};
use super::statement::Prepare as _;
use crate::alert::Timestamp;
use crate::engine::changes::Copy;
use crate::engine::settle::{self, Flight, SettleFacts, settle};
use crate::names::LaneKey;
use crate::store::{BreakerChange, Fallback, Settlement, State, StoreError, TargetRow};

impl Db {
    pub(in crate::store) async fn settle(&self, settlement: Settlement, now: Timestamp) -> Result<State, StoreError> {
        self.write(move |connection| {
            let facts = facts(connection, &settlement)?;
            let message = settlement.claimed.message;
            let (state, changes) = settle(&settlement, facts, now).map_err(|denied| denied.error(message))?;
            write(connection, &changes)?;
            Ok(state)
        })
        .await
    }

    pub(in crate::store) async fn resend(
        &self,
        message: i64,
        note_json: &str,
        now: Timestamp,
    ) -> Result<Option<i64>, StoreError> {
        let note = note_json.to_owned();
        self.write(move |connection| {
            let sql = "SELECT receiver, lane, target FROM message WHERE id = ?1";
            let found = connection.held(sql)?.query_row([message], |row| {
                Ok((row.get::<_, String>(0)?, TargetRow::new(LaneKey::stored(row.get::<_, String>(1)?), row.get(2)?)))
            });
            let Some((receiver, target)) = found.optional()? else { return Ok(None) };
            let again = Copy { of: message, receiver: &receiver, target: &target, note: &note, at: now };
            copy(connection, &again).map(Some)
        })
        .await
    }
}

fn facts(connection: &Connection, settlement: &Settlement) -> Result<SettleFacts, StoreError> {
    let message = settlement.claimed.message;
    let sql = "SELECT state, epoch, parts, claimed_at, fell_back_at IS NOT NULL, picture_of FROM message WHERE id = ?1";
    let mut select = connection.held(sql)?;
    let flight = select.query_row([message], |row| {
        Ok(Flight {
            state: named(row, 0, State::from_name)?,
            epoch: row.get(1)?,
            parts: row.get(2)?,
            claimed_at: time(row, 3)?.unwrap_or(Timestamp(0)),
            fell_back: row.get(4)?,
            picture_of: row.get(5)?,
        })
    });
    let mut cards = BTreeMap::new();
    for card in settle::cards(settlement) {
        cards.extend(codes(connection, card)?.map(|codes| (card, codes)));
    }
    Ok(SettleFacts {
        flight: flight.optional()?,
        told_instead: match &settlement.fallback {
            Some(fallback) => told_instead(connection, message, fallback)?,
            None => BTreeSet::new(),
        },
        breakers: open_among(connection, settlement.breakers.iter().map(BreakerChange::scope))?,
        cards,
    })
}

/// The lanes of a fallback that tell the content of the message already, because another target of its receiver failed,
/// too, or another part of it did. A digest's content is its own.
pub(super) fn told_instead(
    connection: &Connection,
    message: i64,
    fallback: &Fallback,
) -> Result<BTreeSet<LaneKey>, StoreError> {
    let mut select = connection.held(
        "SELECT EXISTS (SELECT 1 FROM message failed
             JOIN message other ON other.notification_id = failed.notification_id
                  AND other.receiver = failed.receiver AND other.digest = failed.digest
                  AND other.act_id IS failed.act_id
             JOIN message instead ON instead.origin = other.id AND instead.lane = ?2
                  AND instead.notification_id = failed.notification_id
         WHERE failed.id = ?1 AND (failed.digest = 0 OR other.id = failed.id))",
    )?;
    let mut told = BTreeSet::new();
    for target in &fallback.targets {
        if select.query_row(params![message, target.lane.as_str()], |row| row.get(0))? {
            told.insert(target.lane.clone());
        }
    }
    Ok(told)
}
