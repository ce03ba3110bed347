//! How far the record has come.

use super::Db;
use super::statement::Prepare as _;
use crate::alert::Timestamp;
use crate::store::{Marks, StoreError};

impl Db {
    pub(in crate::store) async fn marks(&self, now: Timestamp) -> Result<Marks, StoreError> {
        self.read(move |connection| {
            // A maximum over an index is one step; each is a select of its own for that reason.
            let sql = "SELECT coalesce((SELECT max(id) FROM transition), 0), coalesce((SELECT max(id) FROM act), 0),
                              (SELECT count(*) FROM act WHERE state = 'open'),
                              coalesce((SELECT max(id) FROM message), 0),
                              (SELECT count(*) FROM message INDEXED BY message_live WHERE settled_at IS NULL),
                              coalesce((SELECT max(settled_at) FROM message WHERE settled_at IS NOT NULL), 0),
                              coalesce((SELECT sum(until) FROM silence WHERE until > ?1), 0),
                              (SELECT count(*) FROM breaker)";
            Ok(connection.held(sql)?.query_row([now.0], |row| {
                Ok(Marks {
                    transition: row.get(0)?,
                    act: row.get(1)?,
                    open_acts: row.get(2)?,
                    message: row.get(3)?,
                    live: row.get(4)?,
                    settled: row.get(5)?,
                    silenced: row.get(6)?,
                    paused: row.get(7)?,
                })
            })?)
        })
        .await
    }
}
