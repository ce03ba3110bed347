//! Fills an empty database with the content of another store.

use std::error::Error;
use std::path::Path;
use std::pin::pin;

use bytes::BytesMut;
use rusqlite::types::Value;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::mpsc::Receiver;
use tokio_postgres::Client;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use super::address::{Address, refused};
use super::pool::Server;
use super::start;
use super::tx::sorted;
use crate::alert::Timestamp;
use crate::store::StoreError;
use crate::store::copy::TABLES;
use crate::store::words;

/// One transaction, without time limits, under the writers' lock (tx.rs). Dropping it rolls it back.
const BEGIN: &str = "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0;
    SET LOCAL synchronous_commit = on; SELECT pg_advisory_xact_lock(934723, hashtext(current_schema()))";

/// A database that is being filled.
pub(in crate::store) struct Load {
    client: Client,
}

impl Load {
    /// Connects, brings the schema up to date, and refuses a database that holds anything.
    pub async fn begin(url: &SecretString, now: Timestamp) -> Result<Self, StoreError> {
        let server = Server::new(Address::parse(url.expose_secret())?);
        let client = server.connect().await?;
        start::prepare(&client, &server.address.place, false, now).await?;
        let load = Self { client };
        load.execute(BEGIN).await?;
        for table in TABLES {
            let exists = format!("SELECT EXISTS (SELECT 1 FROM {table})");
            let row = load.client.query_typed_one(&exists, &[]).await.map_err(|error| sorted(&error))?;
            // A new database has one row of these, with zeros.
            if !["pruned", "tally_mark"].contains(&table) && row.try_get(0).map_err(|error| sorted(&error))? {
                return Err(not_empty(&server.address.place, table));
            }
        }
        load.execute("DELETE FROM pruned; DELETE FROM tally_mark").await?;
        Ok(load)
    }

    /// Writes the rows of a table as they come; returns how many.
    pub async fn table(&self, table: &str, columns: &[String], rows: Receiver<Vec<Value>>) -> Result<u64, StoreError> {
        self.copy(table, columns, rows).await.map_err(|error| sorted(&error))
    }

    async fn copy(
        &self,
        table: &str,
        columns: &[String],
        mut rows: Receiver<Vec<Value>>,
    ) -> Result<u64, tokio_postgres::Error> {
        let columns = columns.join(", ");
        let typed = self.client.prepare(&format!("SELECT {columns} FROM {table}")).await?;
        let types: Vec<Type> = typed.columns().iter().map(|column| column.type_().clone()).collect();
        let sink = self.client.copy_in(&format!("COPY {table} ({columns}) FROM STDIN BINARY")).await?;
        let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
        while let Some(row) = rows.recv().await {
            let row: Vec<Cell> = row.into_iter().map(Cell).collect();
            writer.as_mut().write_raw(row.iter().map(|cell| cell as &(dyn ToSql + Sync))).await?;
        }
        writer.finish().await
    }

    /// Commits; ids continue where they ended: `given` has the last ones by table.
    pub async fn commit(self, given: [(&'static str, i64); 5]) -> Result<(), StoreError> {
        for (table, last) in given.into_iter().filter(|(_, last)| *last > 0) {
            self.execute(&format!("SELECT setval(pg_get_serial_sequence('{table}', 'id'), {last})")).await?;
        }
        self.execute("ANALYZE; COMMIT").await
    }

    async fn execute(&self, sql: &str) -> Result<(), StoreError> {
        self.client.batch_execute(sql).await.map_err(|error| sorted(&error))
    }
}

fn not_empty(place: &Path, table: &str) -> StoreError {
    refused(place, words::not_empty(table))
}

/// A value from SQLite for a column: SQLite has numbers where PostgreSQL has booleans.
#[derive(Debug)]
struct Cell(Value);

impl ToSql for Cell {
    fn to_sql(&self, column: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match &self.0 {
            Value::Null => Ok(IsNull::Yes),
            Value::Integer(number) if *column == Type::BOOL => (*number != 0).to_sql(column, out),
            Value::Integer(number) => number.to_sql_checked(column, out),
            Value::Text(text) => text.to_sql_checked(column, out),
            Value::Blob(bytes) => bytes.to_sql_checked(column, out),
            Value::Real(number) => Err(format!("no column holds {number}").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
