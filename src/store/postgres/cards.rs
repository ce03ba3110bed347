//! Cards: messages that can be changed after they were sent.

use futures_util::future::try_join;

use super::Db;
use super::alerts::select;
use super::tx::{Fault, Kind, Tx, transaction};
use super::values::{moment, values};
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
        // The candidates are found by one of the alerts, newest first: each alert has few.
        let newest = "SELECT c.message_id FROM card_alert c JOIN message m ON m.id = c.message_id
                      WHERE c.alert_id = (SELECT min(alert_id) FROM transition WHERE message_id = $1)
                        AND c.message_id < $1 AND m.lane = $2
                        AND NOT EXISTS (
                            SELECT 1 FROM transition mine WHERE mine.message_id = $1 AND NOT EXISTS (
                                SELECT 1 FROM card_alert its
                                WHERE its.alert_id = mine.alert_id AND its.message_id = c.message_id))
                      ORDER BY c.message_id DESC LIMIT 1";
        transaction!(&self.0.pool, Kind::Read, tx => async {
            let Some(newest) = tx.row(newest, values![message, lane.as_str()]).await? else { return Ok(None) };
            let Some(mut card) = card(&tx, newest.try_get(0)?).await? else { return Ok(None) };
            card.code = card.code.filter(|_| now.millis_since(card.code_at) < CODE_MS);
            Ok(Some(card))
        })
    }

    pub(in crate::store) async fn card_of(&self, message: i64) -> Result<Option<Card>, StoreError> {
        transaction!(&self.0.pool, Kind::Read, tx => card(&tx, message))
    }
}

async fn card(tx: &Tx, message: i64) -> Result<Option<Card>, Fault> {
    let sql =
        "SELECT m.created_at, c.code, coalesce(c.code_at, 0) FROM message m LEFT JOIN card c ON c.message_id = m.id
               WHERE m.id = $1";
    let condition =
        format!("a.id IN (SELECT alert_id FROM transition WHERE message_id = $1) ORDER BY a.id LIMIT {ACT_ALERTS}");
    let (found, alerts) = try_join(tx.row(sql, values![message]), select(tx, &condition, values![message])).await?;
    let Some(row) = found else { return Ok(None) };
    let (created_at, code_at) = (moment(&row, 0)?, moment(&row, 2)?);
    Ok(Some(Card { message, created_at, code: row.try_get(1)?, code_at, alerts }))
}

/// Gives a card a code: its first, or the next one. The previous code, if unused, is kept as a spare. A press before
/// the sending is settled brings a code that is `newer` than the sending's.
pub(super) async fn issue(tx: &Tx, message: i64, code: &str, now: Timestamp, newer: bool) -> Result<(), Fault> {
    let replaces = "(card.code IS NULL OR card.code_at < (SELECT claimed_at FROM message WHERE id = card.message_id))";
    let card = format!(
        "INSERT INTO card (message_id, code, code_at) SELECT id, $2, $3 FROM message WHERE id = $1
         ON CONFLICT (message_id) DO UPDATE SET
             spare = CASE WHEN $4 THEN coalesce(card.code, card.spare) WHEN {replaces} THEN card.spare
                          ELSE excluded.code END,
             spare_at = CASE WHEN $4 AND card.code IS NOT NULL THEN card.code_at WHEN $4 OR {replaces} THEN card.spare_at
                             ELSE excluded.code_at END,
             code = CASE WHEN $4 OR {replaces} THEN excluded.code ELSE card.code END,
             code_at = CASE WHEN $4 OR {replaces} THEN excluded.code_at ELSE card.code_at END"
    );
    let alerts = "INSERT INTO card_alert (alert_id, message_id)
                  SELECT DISTINCT alert_id, message_id FROM transition WHERE message_id = $1 ON CONFLICT DO NOTHING";
    let code = text(code).into_owned();
    try_join(tx.execute(&card, values![message, code, now.0, newer]), tx.execute(alerts, values![message])).await?;
    Ok(())
}

/// Marks a card's code as used: the spare one is next.
pub(super) async fn spend(tx: &Tx, message: i64) -> Result<(), Fault> {
    let sql = "UPDATE card SET code = spare, code_at = coalesce(spare_at, code_at), spare = NULL WHERE message_id = $1";
    tx.execute(sql, values![message]).await?;
    Ok(())
}
