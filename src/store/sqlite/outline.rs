//! The tables of a file.

use super::Db;
use crate::alert::Timestamp;
use crate::store::StoreError;
use crate::store::outline::{Outline, Table};

impl Db {
    pub(in crate::store) async fn outline(&self) -> Result<Outline, StoreError> {
        self.read(|connection| {
            let mut select = connection.prepare("SELECT version, applied_at FROM migration ORDER BY version")?;
            let steps = select.query_map([], |row| Ok((row.get(0)?, Timestamp(row.get(1)?))))?;
            let steps = steps.collect::<Result<Vec<_>, _>>()?;
            let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
            let mut select = connection.prepare(sql)?;
            let names = select.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
            let counted = |name: String| {
                let rows = connection.query_row(&format!("SELECT count(*) FROM \"{name}\""), [], |row| row.get(0))?;
                Ok(Table { name, rows, bytes: None })
            };
            let tables = names.into_iter().map(counted).collect::<rusqlite::Result<Vec<_>>>()?;
            Ok(Outline { steps, tables })
        })
        .await
    }
}
