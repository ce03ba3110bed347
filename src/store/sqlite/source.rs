//! Reads a whole file, table by table, for a copy to another store.

use std::path::Path;

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OpenFlags};

use super::lock::Lock;
use super::{check, connect, explain, inspect};
use crate::store::StoreError;
use crate::store::migrate::{self, SQLITE};

/// A database file that no process holds, read from one snapshot. It is not written to.
#[derive(Debug)]
pub(in crate::store) struct Source {
    connection: Connection,
    _lock: Lock,
}

impl Source {
    /// Opens and locks the file. Refuses one that is not sound, is in use, or was last used by an older program.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        // Before locking: where there is no database, no lock file is left behind.
        inspect(path)?;
        let lock = Lock::take(path)?;
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        check(&connection, path)?;
        migrate::expect_current(&connection, path, SQLITE).map_err(|error| explain(path, error))?;
        connection.execute_batch("BEGIN")?;
        Ok(Self { connection, _lock: lock })
    }

    /// The names of a table's columns.
    pub fn columns(&self, table: &str) -> Result<Vec<String>, StoreError> {
        let mut select = self.connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
        let names = select.query_map([table], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(names)
    }

    /// The last ids given, by table: also those of rows that were pruned.
    pub fn given(&self) -> Result<[(&'static str, i64); 5], StoreError> {
        let tables = ["notification", "alert", "message", "transition", "act"];
        let sql = format!("SELECT {} FROM next_id", tables.join(", "));
        let row = |row: &rusqlite::Row<'_>| -> rusqlite::Result<[(&'static str, i64); 5]> {
            let mut given = tables.map(|table| (table, 0));
            for (at, (_, last)) in given.iter_mut().enumerate() {
                *last = row.get::<_, i64>(at)? - 1;
            }
            Ok(given)
        };
        Ok(self.connection.query_row(&sql, [], row)?)
    }

    /// Passes each row of a table to `take` until it returns false; returns how many it took.
    pub fn rows(
        &self,
        table: &str,
        columns: &[String],
        mut take: impl FnMut(Vec<Value>) -> bool,
    ) -> Result<u64, StoreError> {
        let mut select = self.connection.prepare(&format!("SELECT {} FROM {table}", columns.join(", ")))?;
        let mut rows = select.query([])?;
        let mut taken = 0;
        while let Some(row) = rows.next()? {
            let values = (0..columns.len()).map(|at| Ok(whole(row.get_ref(at)?))).collect::<rusqlite::Result<_>>()?;
            if !take(values) {
                break;
            }
            taken += 1;
        }
        Ok(taken)
    }
}

/// A value that both databases can hold: a text becomes valid UTF-8 without U+0000, which only SQLite would store.
fn whole(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).replace('\0', "\u{fffd}")),
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_owned()),
    }
}
