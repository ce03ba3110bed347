//! Cards: messages that can be changed after they were sent.

use std::collections::BTreeMap;

use futures_util::future::try_join;

use super::Db;
use super::alerts::select;
use super::tx::{Fault, Kind, Tx, transaction};
use super::values::{moment, values};
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
    // Those that fire first, and of them those that are not acknowledged: they decide about the buttons.
    let condition = format!(
        "a.id IN (SELECT b.id FROM alert b WHERE b.id IN (SELECT alert_id FROM transition WHERE message_id = $1)
                  ORDER BY b.status <> 'firing', b.acknowledged_by IS NOT NULL, b.id LIMIT {ACT_ALERTS}) ORDER BY a.id"
    );
    let (found, alerts) = try_join(tx.row(sql, values![message]), select(tx, &condition, values![message])).await?;
    let Some(row) = found else { return Ok(None) };
    let (created_at, code_at) = (moment(&row, 0)?, moment(&row, 2)?);
    Ok(Some(Card { message, created_at, code: row.try_get(1)?, code_at, alerts }))
}

/// Locks the cards among `messages` that ever had a code and returns their unused codes.
pub(super) async fn codes(tx: &Tx, messages: &[i64]) -> Result<BTreeMap<i64, Codes>, Fault> {
    let sql = "SELECT message_id, code, code_at, spare, spare_at FROM card WHERE message_id = ANY ($1)
               ORDER BY message_id FOR UPDATE";
    let messages = messages.to_vec();
    let code = |code: Option<String>, at: Option<i64>| Some(Code { code: code?, at: Timestamp(at.unwrap_or(0)) });
    let mut all = BTreeMap::new();
    for row in &tx.rows(sql, values![; messages]).await? {
        let codes =
            Codes { next: code(row.try_get(1)?, row.try_get(2)?), spare: code(row.try_get(3)?, row.try_get(4)?) };
        all.insert(row.try_get(0)?, codes);
    }
    Ok(all)
}
