//! What senders sent: when each last had news, and the labels of its alerts.

use super::Db;
use super::tx::{Kind, transaction};
use super::values::{moment, values};
use crate::alert::Timestamp;
use crate::names::SourceId;
use crate::store::StoreError;

impl Db {
    pub(in crate::store) async fn last_from(&self, source: &SourceId) -> Result<Option<Timestamp>, StoreError> {
        let source = source.stored().into_owned();
        let sql = "SELECT received_at FROM notification WHERE source = $1 ORDER BY id DESC LIMIT 1";
        transaction!(&self.0.pool, Kind::Read, tx => async {
            let rows = tx.rows(sql, values![source]).await?;
            rows.first().map(|row| moment(row, 0)).transpose()
        })
    }

    pub(in crate::store) async fn seen_labels(&self, most: u32) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT labels FROM alert ORDER BY id DESC LIMIT $1";
        transaction!(&self.0.pool, Kind::Read, tx => async {
            let rows = tx.rows(sql, values![i64::from(most)]).await?;
            rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
        })
    }
}
