//! Cards: messages that can be changed after they were sent.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::Db;
use super::alerts::select;
use super::statement::Prepare as _;
use crate::alert::Timestamp;
use crate::names::LaneKey;
use crate::store::wish::CODE_MS;
use crate::store::words::text;
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
    let condition =
        format!("a.id IN (SELECT alert_id FROM transition WHERE message_id = ?1) ORDER BY a.id LIMIT {ACT_ALERTS}");
    card.alerts = select(connection, &condition, [message])?;
    Ok(Some(card))
}

/// Gives a card a code: its first, or the next one. The previous code, if unused, is kept as a spare. A press before
/// the sending is settled brings a code that is `newer` than the sending's.
pub(super) fn issue(
    connection: &Connection,
    message: i64,
    code: &str,
    now: Timestamp,
    newer: bool,
) -> Result<(), StoreError> {
    let replaces = "card.code IS NULL OR card.code_at < (SELECT claimed_at FROM message WHERE id = card.message_id)";
    connection
        .held(&format!(
            "INSERT INTO card (message_id, code, code_at) SELECT id, ?2, ?3 FROM message WHERE id = ?1
             ON CONFLICT DO UPDATE SET
                 spare = CASE WHEN ?4 THEN coalesce(card.code, card.spare) WHEN {replaces} THEN card.spare
                              ELSE excluded.code END,
                 spare_at = CASE WHEN ?4 THEN iif(card.code IS NULL, card.spare_at, card.code_at)
                                 WHEN {replaces} THEN card.spare_at ELSE excluded.code_at END,
                 code = CASE WHEN ?4 OR {replaces} THEN excluded.code ELSE card.code END,
                 code_at = CASE WHEN ?4 OR {replaces} THEN excluded.code_at ELSE card.code_at END"
        ))?
        .execute(params![message, text(code), now.0, newer])?;
    connection
        .held(
            "INSERT INTO card_alert (alert_id, message_id)
             SELECT DISTINCT alert_id, message_id FROM transition WHERE message_id = ?1 ON CONFLICT DO NOTHING",
        )?
        .execute([message])?;
    Ok(())
}

/// Marks a card's code as used: the spare one is next.
pub(super) fn spend(connection: &Connection, message: i64) -> Result<(), StoreError> {
    let sql = "UPDATE card SET code = spare, code_at = coalesce(spare_at, code_at), spare = NULL WHERE message_id = ?1";
    connection.held(sql)?.execute([message])?;
    Ok(())
}
