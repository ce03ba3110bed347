//! Lists of alerts and incidents.

use super::Db;
use super::alerts::{COLUMNS, alert, select};
use super::record::{DIALECT, typed};
use super::tx::{Kind, transaction};
use super::values::values;
use crate::alert::ThreadId;
use crate::store::incidents::{AlertFilter, OF_ONE, OF_PAGE};
use crate::store::{ActAlert, StoreError, lists};

impl Db {
    pub(in crate::store) async fn alerts(&self, filter: AlertFilter) -> Result<Vec<ActAlert>, StoreError> {
        let list = lists::alerts(&format!("SELECT {COLUMNS} FROM alert a"), &filter, &DIALECT);
        let (sql, values) = (list.numbered(), typed(&list.values));
        transaction!(&self.0.pool, Kind::Read, tx => async {
            tx.rows(&sql, &values).await?.iter().map(|row| alert(row, 0)).collect()
        })
    }

    pub(in crate::store) async fn incidents(&self, filter: AlertFilter) -> Result<Vec<ActAlert>, StoreError> {
        let list = lists::incidents(&filter, &DIALECT);
        let (sql, asked) = (list.numbered(), typed(&list.values));
        let condition = format!("a.thread = ANY($1) ORDER BY a.thread DESC, a.id LIMIT {OF_PAGE}");
        transaction!(&self.0.pool, Kind::Read, tx => async {
            let threads: Vec<i64> =
                tx.rows(&sql, &asked).await?.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
            select(&tx, &condition, values![; threads]).await
        })
    }

    pub(in crate::store) async fn alerts_of(&self, thread: ThreadId) -> Result<Vec<ActAlert>, StoreError> {
        let condition = format!("a.thread = $1 ORDER BY a.id LIMIT {OF_ONE}");
        transaction!(&self.0.pool, Kind::Read, tx => async { select(&tx, &condition, values![thread.0]).await })
    }
}
