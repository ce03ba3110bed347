//! How far the record has come.

use super::Db;
use super::tx::{Kind, transaction};
use super::values::values;
use crate::alert::Timestamp;
use crate::store::{Marks, StoreError};

impl Db {
    pub(in crate::store) async fn marks(&self, now: Timestamp) -> Result<Marks, StoreError> {
        let sql = "SELECT coalesce((SELECT max(id) FROM transition), 0), coalesce((SELECT max(id) FROM act), 0),
                          (SELECT count(*) FROM act WHERE state = 'open'),
                          coalesce((SELECT max(id) FROM message), 0),
                          (SELECT count(*) FROM message WHERE settled_at IS NULL),
                          coalesce((SELECT max(settled_at) FROM message WHERE settled_at IS NOT NULL), 0),
                          coalesce((SELECT sum(until)::bigint FROM silence WHERE until > $1), 0),
                          (SELECT count(*) FROM breaker)";
        transaction!(&self.0.pool, Kind::Read, tx => async {
            let row = tx.only(sql, values![now.0]).await?;
            Ok(Marks {
                transition: row.try_get(0)?,
                act: row.try_get(1)?,
                open_acts: row.try_get(2)?,
                message: row.try_get(3)?,
                live: row.try_get(4)?,
                settled: row.try_get(5)?,
                silenced: row.try_get(6)?,
                paused: row.try_get(7)?,
            })
        })
    }
}
