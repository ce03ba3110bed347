//! Hints from the server: that a replica queued something, and the server's time.
//!
//! Both may get lost without harm: lanes are also polled, and the last measured clock difference stays in use.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::{StreamExt as _, stream};
use tokio::sync::Notify;
use tokio_postgres::{AsyncMessage, Client};

use super::pool::Server;
use super::start::Settings;
use super::tx::said;
use super::values::values;
use crate::store::StoreError;
use crate::words::Words;

/// How long to wait before listening again; up to twice that, so that replicas do not reconnect all at once.
const AGAIN: Duration = Duration::from_secs(1);
/// How often the database's clock is read.
const LOOK: Duration = Duration::from_mins(1);
/// Clocks further apart than this are logged.
const APART_MS: i64 = 2_000;

/// Listens on its own connection for what other replicas queue in `schema`.
pub(super) async fn listen(server: Arc<Server>, schema: String, due: Arc<Notify>) {
    loop {
        if let Err(error) = listen_once(&server, &schema, &due).await {
            tracing::debug!(error = said(&error), "Not listening to the database; looking by itself meanwhile.");
        }
        tokio::time::sleep(AGAIN.mul_f64(rand::random_range(1.0..2.0))).await;
    }
}

async fn listen_once(server: &Server, schema: &str, due: &Arc<Notify>) -> Result<(), tokio_postgres::Error> {
    let (client, mut connection) = server.address.connect().await?;
    let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
    let (schema, hear) = (schema.to_owned(), Arc::clone(due));
    // Ends with the connection, which ends with `client`.
    let hearing = tokio::spawn(async move {
        while let Some(Ok(message)) = messages.next().await {
            if let AsyncMessage::Notification(note) = message
                && note.payload() == schema
            {
                hear.notify_one();
            }
        }
    });
    client.batch_execute("LISTEN wegraf").await?;
    // Something may have been queued while no connection was listening.
    due.notify_one();
    // Ends when the connection does; a panic makes no difference.
    let _ = hearing.await;
    drop(client);
    Ok(())
}

/// Reads the clock and the settings of the database from time to time.
pub(super) async fn watch(server: Arc<Server>, skew: Arc<AtomicI64>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let looked: Result<(), StoreError> = async {
            let client = server.connect().await?;
            let settings =
                Settings::ask(&client).await.map_err(|error| StoreError::unreachable(Words::quoted(said(&error))))?;
            server.sync_commit_is_off.store(settings.sync_commit_is_off(), Ordering::Relaxed);
            look(&client, &skew).await.map_err(|error| StoreError::unreachable(Words::quoted(said(&error))))
        }
        .await;
        if let Err(error) = looked {
            tracing::debug!(%error, "The clock of the database was not read.");
        }
    }
}

/// Measures by how many milliseconds the database's clock is ahead of this machine's.
pub(super) async fn look(client: &Client, skew: &AtomicI64) -> Result<(), tokio_postgres::Error> {
    let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    // The fastest of three answers: half of its round trip is the answer's age.
    let mut best: Option<(Duration, i64)> = None;
    for _ in 0..3 {
        let begun = Instant::now();
        let theirs: i64 = client.query_typed_one(sql, values![]).await?.try_get(0)?;
        let way = begun.elapsed();
        let half = i64::try_from(way.as_millis() / 2).unwrap_or(i64::MAX);
        let apart = theirs.saturating_add(half).saturating_sub(machine_millis());
        if best.is_none_or(|(shortest, _)| way < shortest) {
            best = Some((way, apart));
        }
    }
    let apart = best.map_or(0, |(_, apart)| apart);
    let before = skew.swap(apart, Ordering::Relaxed);
    if apart.abs() > APART_MS && (apart - before).abs() > APART_MS {
        tracing::warn!(skew_ms = apart, "The clock of the database and of this machine differ.");
    }
    Ok(())
}

fn machine_millis() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "it is this machine's clock that is measured, whatever tests own")]
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    since_epoch.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
