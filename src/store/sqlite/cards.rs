//! Cards: messages that can be changed after they were sent.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::Db;
use super::alerts::select;
use super::statement::Prepare as _;
use crate::alert::Timestamp;
use crate::engine::card::{CODE_MS, Code, Codes};
use crate::names::LaneKey;
use crate::store::{ACT_ALERTS, Card, StoreError};

impl Db {
    pub(in crate::store) async fn card(
        &self,
        lane: &LaneKey,
        message: i64,
        now: Timestamp,
    ) -> Result<Option<Card>, StoreError> {
        let lane = lane.to_string();
        self.read(move |connection| {
            // The candidates are found by one of the alerts, newest first: each alert has few.
            let newest: Option<i64> = connection
                .held(
                    "SELECT c.message_id FROM card_alert c JOIN message m ON m.id = c.message_id
                     WHERE c.alert_id = (SELECT min(alert_id) FROM transition WHERE message_id = ?1)
                       AND c.message_id < ?1 AND m.lane = ?2
                       AND NOT EXISTS (
                           SELECT 1 FROM transition mine WHERE mine.message_id = ?1 AND NOT EXISTS (
                               SELECT 1 FROM card_alert its
                               WHERE its.alert_id = mine.alert_id AND its.message_id = c.message_id))
                     ORDER BY c.message_id DESC LIMIT 1",
                )?
                .query_row(params![message, lane], |row| row.get(0))
                .optional()?;
            let Some(mut card) = newest.map(|newest| card(connection, newest)).transpose()?.flatten() else {
                return Ok(None);
            };
            card.code = card.code.filter(|_| now.millis_since(card.code_at) < CODE_MS);
            Ok(Some(card))
        })
        .await
    }

    pub(in crate::store) async fn card_of(&self, message: i64) -> Result<Option<Card>, StoreError> {
        self.read(move |connection| card(connection, message)).await
    }
}

fn card(connection: &Connection, message: i64) -> Result<Option<Card>, StoreError> {
    let sql =
        "SELECT m.created_at, c.code, coalesce(c.code_at, 0) FROM message m LEFT JOIN card c ON c.message_id = m.id
               WHERE m.id = ?1";
    let found = connection.held(sql)?.query_row([message], |row| {
        let (created_at, code_at) = (Timestamp(row.get(0)?), Timestamp(row.get(2)?));
        Ok(Card { message, created_at, code: row.get(1)?, code_at, alerts: Vec::new() })
    });
    let Some(mut card) = found.optional()? else { return Ok(None) };
    // Those that fire first, and of them those that are not acknowledged: they decide about the buttons.
    let condition = format!(
        "a.id IN (SELECT b.id FROM alert b WHERE b.id IN (SELECT alert_id FROM transition WHERE message_id = ?1)
                  ORDER BY b.status <> 'firing', b.acknowledged_by IS NOT NULL, b.id LIMIT {ACT_ALERTS}) ORDER BY a.id"
    );
    card.alerts = select(connection, &condition, [message])?;
    Ok(Some(card))
}

/// The unused codes of a card; `None`: it never had one.
pub(super) fn codes(connection: &Connection, message: i64) -> Result<Option<Codes>, StoreError> {
    let mut select = connection.held("SELECT code, code_at, spare, spare_at FROM card WHERE message_id = ?1")?;
    let codes = select.query_row([message], |row| {
        let code = |code: Option<String>, at: Option<i64>| Some(Code { code: code?, at: Timestamp(at.unwrap_or(0)) });
        Ok(Codes { next: code(row.get(0)?, row.get(1)?), spare: code(row.get(2)?, row.get(3)?) })
    });
    Ok(codes.optional()?)
}
