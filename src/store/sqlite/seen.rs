//! What senders sent: when each last had news, and the labels of its alerts.

use rusqlite::OptionalExtension as _;

use super::Db;
use super::statement::Prepare as _;
use crate::alert::Timestamp;
use crate::names::SourceId;
use crate::store::StoreError;

impl Db {
    pub(in crate::store) async fn last_from(&self, source: &SourceId) -> Result<Option<Timestamp>, StoreError> {
        let source = source.stored().into_owned();
        self.read(move |connection| {
            let sql = "SELECT received_at FROM notification WHERE source = ?1 ORDER BY id DESC LIMIT 1";
            Ok(connection.held(sql)?.query_row([source], |row| row.get(0).map(Timestamp)).optional()?)
        })
        .await
    }

    pub(in crate::store) async fn seen_labels(&self, most: u32) -> Result<Vec<String>, StoreError> {
        self.read(move |connection| {
            let mut select = connection.held("SELECT labels FROM alert ORDER BY id DESC LIMIT ?1")?;
            Ok(select.query_map([most], |row| row.get(0))?.collect::<Result<_, _>>()?)
        })
        .await
    }
}
