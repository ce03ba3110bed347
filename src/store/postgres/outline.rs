//! The tables of a database.

use super::Db;
use super::tx::{Kind, transaction};
use super::values::values;
use crate::alert::Timestamp;
use crate::store::StoreError;
use crate::store::outline::{Outline, Table};

impl Db {
    pub(in crate::store) async fn outline(&self) -> Result<Outline, StoreError> {
        transaction!(&self.0.pool, Kind::Read, tx => async {
            let sql = "SELECT version, applied_at FROM migration ORDER BY version";
            let mut steps = Vec::new();
            for row in tx.rows(sql, values![]).await? {
                steps.push((row.try_get(0)?, Timestamp(row.try_get(1)?)));
            }
            let sql = "SELECT relname::text, greatest(reltuples, 0)::bigint, pg_total_relation_size(oid)
                         FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
                        ORDER BY relname";
            let mut tables = Vec::new();
            for row in tx.rows(sql, values![]).await? {
                tables.push(Table { name: row.try_get(0)?, rows: row.try_get(1)?, bytes: row.try_get(2)? });
            }
            Ok(Outline { steps, tables })
        })
    }
}
