//! What wegraf's intake is compared with: servers that parse the same body and keep nothing, or keep it with one
//! commit for each request.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use clap::Args;
use rusqlite::Connection;
use serde_json::Value;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, NoTls};

use super::floor::Floor;

/// Where a plain server listens, and what it keeps.
#[derive(Debug, Args)]
pub struct Plain {
    /// Where to listen.
    listen: SocketAddr,
    /// Keep what comes in this SQLite file.
    #[arg(long, conflicts_with = "postgres")]
    sqlite: Option<PathBuf>,
    /// Keep what comes in this PostgreSQL database.
    #[arg(long)]
    postgres: Option<String>,
    /// Append what comes to this file, with one sync for all that wait.
    #[arg(long, conflicts_with_all = ["sqlite", "postgres"])]
    file: Option<PathBuf>,
}

/// As many rows as wegraf writes for one new alert with one target, but fewer columns and nothing looked up.
const SQLITE_TABLES: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    CREATE TABLE notification (id INTEGER PRIMARY KEY, raw BLOB NOT NULL);
    CREATE TABLE alert (id INTEGER PRIMARY KEY, labels TEXT NOT NULL);
    CREATE TABLE message (id INTEGER PRIMARY KEY, notification INTEGER NOT NULL);
    CREATE TABLE transition (id INTEGER PRIMARY KEY, message INTEGER NOT NULL);";
const POSTGRES_TABLES: &str = "
    CREATE TABLE notification (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, raw bytea NOT NULL);
    CREATE TABLE alert (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, labels text NOT NULL);
    CREATE TABLE message (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, notification bigint NOT NULL);
    CREATE TABLE transition (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, message bigint NOT NULL);";
/// One statement is one transaction.
const POSTGRES_INSERT: &str = "
    WITH n AS (INSERT INTO notification (raw) VALUES ($1) RETURNING id),
         a AS (INSERT INTO alert (labels) VALUES ($2)),
         m AS (INSERT INTO message (notification) SELECT id FROM n RETURNING id)
    INSERT INTO transition (message) SELECT id FROM m";
/// As many as wegraf has.
const CONNECTIONS: usize = 8;

#[derive(Clone)]
enum Keep {
    Nothing,
    Sqlite(Arc<Mutex<Connection>>),
    Postgres(Arc<Vec<Client>>, Arc<AtomicUsize>),
    File(Floor),
}

/// Serves until it is killed.
pub async fn serve(plain: Plain) -> anyhow::Result<()> {
    let keep = match (&plain.sqlite, &plain.postgres, &plain.file) {
        (Some(file), ..) => sqlite(file)?,
        (_, Some(url), _) => postgres(url).await?,
        (.., Some(file)) => Keep::File(Floor::new(file)?),
        (None, None, None) => Keep::Nothing,
    };
    let router = Router::new().route("/webhook", post(take)).route("/readyz", get(|| async { "ok" }));
    let router = router.route("/healthz", get(|| async { "ok" })).with_state(keep);
    axum::serve(tokio::net::TcpListener::bind(plain.listen).await?, router).await?;
    Ok(())
}

fn sqlite(file: &Path) -> anyhow::Result<Keep> {
    let connection = Connection::open(file)?;
    connection.execute_batch(SQLITE_TABLES)?;
    Ok(Keep::Sqlite(Arc::new(Mutex::new(connection))))
}

async fn postgres(url: &str) -> anyhow::Result<Keep> {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        clients.push(client);
    }
    clients.first().context("there is one")?.batch_execute(POSTGRES_TABLES).await?;
    Ok(Keep::Postgres(Arc::new(clients), Arc::default()))
}

async fn take(State(keep): State<Keep>, body: Bytes) -> Result<String, StatusCode> {
    let value: Value = serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    let alerts = value["alerts"].as_array().map_or(0, Vec::len);
    let labels = value["alerts"][0]["labels"].to_string();
    store(keep, body, labels).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(format!(r#"{{"alerts":{alerts}}}"#))
}

async fn store(keep: Keep, body: Bytes, labels: String) -> anyhow::Result<()> {
    match keep {
        Keep::Nothing => Ok(()),
        Keep::File(floor) => floor.keep(body).await,
        Keep::Sqlite(connection) => tokio::task::spawn_blocking(move || insert(&connection, &body, &labels)).await?,
        Keep::Postgres(clients, turn) => {
            let client = &clients[turn.fetch_add(1, Ordering::Relaxed) % clients.len()];
            let raw: &[u8] = &body;
            client.execute_typed(POSTGRES_INSERT, &[(&raw, Type::BYTEA), (&labels, Type::TEXT)]).await?;
            Ok(())
        }
    }
}

fn insert(connection: &Mutex<Connection>, raw: &[u8], labels: &str) -> anyhow::Result<()> {
    let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
    let transaction = connection.transaction()?;
    transaction.prepare_cached("INSERT INTO notification (raw) VALUES (?1)")?.execute([raw])?;
    let notification = transaction.last_insert_rowid();
    transaction.prepare_cached("INSERT INTO alert (labels) VALUES (?1)")?.execute([labels])?;
    transaction.prepare_cached("INSERT INTO message (notification) VALUES (?1)")?.execute([notification])?;
    let message = transaction.last_insert_rowid();
    transaction.prepare_cached("INSERT INTO transition (message) VALUES (?1)")?.execute([message])?;
    Ok(transaction.commit()?)
}
