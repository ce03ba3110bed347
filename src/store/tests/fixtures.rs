//! Databases of every schema so far: what they hold is kept, what waits in them is sent, and newer ones are refused.

use rusqlite::Connection;

use super::postgres::Schema;
use super::*;

const ROWS: &str = include_str!("../../../tests/fixtures/stores/rows.sql");

/// The sections of the rows: the table after whose making each is written, and its statements.
fn sections(bytes: &str) -> Vec<(&'static str, String)> {
    let sections = ROWS.split("-- section ").skip(1).filter_map(|section| section.split_once('\n'));
    sections.map(|(table, sql)| (table, sql.replace(" AS bytes)", &format!(" AS {bytes})")))).collect()
}

/// What a database must know after the upgrade, from every schema. `acts`: the old schema had acts.
async fn is_whole(store: &Store, acts: bool, about: &str) {
    let before = Audit { pending: 3, named: 1, dead: 1, suppressed: 1, ..Audit::default() };
    assert_eq!(store.audit().await.unwrap(), before, "{about}");
    store.recover().await.unwrap();
    // With PostgreSQL its lane tells that the sender is gone.
    abandon(store, "sending").await;
    let rows = store.deliveries(DeliveryFilter { limit: 10, ..DeliveryFilter::default() }).await.unwrap();
    let mut states: Vec<(String, State)> = rows.iter().map(|row| (row.lane.to_string(), row.state)).collect();
    states.sort_by(|a, b| a.0.cmp(&b.0));
    let expected = [
        ("dead", State::Dead),
        ("queued", State::Queued),
        ("sending", State::Unsure),
        ("sent", State::Sent),
        ("unsure", State::Unsure),
    ];
    assert_eq!(states, expected.map(|(lane, state)| (lane.to_owned(), state)), "{about}");
    let identity = Identity(*b"01234567890123456789012345678901");
    let again = notification(1, "queued", vec![Arrival { identity, ..firing("HighCPU", 0) }]);
    assert_eq!(store.admit(again).await.unwrap().unchanged, 1, "{about}: a known alert is no news");
    assert_eq!(store.token("corp/1000002").await.unwrap().map(|token| token.version), Some(3), "{about}");
    let known = store.acts(ActFilter { limit: 10, ..ActFilter::default() }).await.unwrap();
    assert_eq!(known.len(), if acts { 2 } else { 0 }, "{about}");
    for lane in ["queued", "sending", "unsure"] {
        send(store, lane, 5).await;
    }
    let after = Audit { named: 4, dead: 1, suppressed: 1, repeated: 1, ..Audit::default() };
    assert_eq!(store.audit().await.unwrap(), after, "{about}");
    let body = |message: i64| async move { store.delivery(message).await.unwrap().unwrap().frozen };
    assert_eq!(body(3).await[0].body, "frozen", "{about}: frozen bytes go out as they are");
}

#[tokio::test]
async fn sqlite_of_every_schema_is_read_upgraded_and_goes_on() {
    for steps in 1..migrate::SQLITE.len() {
        let (folder, about) = (tempfile::tempdir().unwrap(), format!("SQLite of schema {steps}"));
        let path = folder.path().join("wegraf.db");
        let mut hand = Connection::open(&path).unwrap();
        hand.pragma_update(None, "auto_vacuum", "INCREMENTAL").unwrap();
        hand.pragma_update(None, "journal_mode", "WAL").unwrap();
        let mut rest = sections("BLOB");
        for step in 1..=steps {
            migrate::migrate(&mut hand, &path, &migrate::SQLITE[..step], T0).unwrap();
            rest.retain(|(table, sql)| {
                let found = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1";
                let made: i64 = hand.query_row(found, [table], |row| row.get(0)).unwrap();
                if made > 0 {
                    hand.execute_batch(sql).unwrap_or_else(|error| panic!("{about}, {table}: {error}"));
                }
                made == 0
            });
        }
        drop(hand);
        let database = Database::Sqlite(path.clone());
        let refused = Store::open_reading(&database).await.unwrap_err();
        assert!(matches!(refused, StoreError::Open { why: Unopened::Refused(_), .. }), "{about}: {refused}");
        let store = try_open(folder.path()).await.unwrap_or_else(|error| panic!("{about}: {error}"));
        is_whole(&store, steps >= 3, &about).await;
        store.close().await.unwrap();
        let hand = Connection::open(&path).unwrap();
        hand.execute("INSERT INTO migration VALUES (99, 'future', 0)", []).unwrap();
        drop(hand);
        newer(&try_open(folder.path()).await.unwrap_err(), migrate::SQLITE.len());
        newer(&Store::open_reading(&database).await.unwrap_err(), migrate::SQLITE.len());
    }
}

/// The words for a database of a newer program: both numbers, and what to do.
fn newer(refused: &StoreError, known: usize) {
    let StoreError::Open { why: Unopened::Newer { found: 99, .. }, .. } = refused else { panic!("{refused}") };
    let said = refused.to_string();
    assert!(said.contains("99") && said.contains(&known.to_string()) && said.contains("wegraf"), "{said}");
}

#[tokio::test]
async fn postgresql_of_every_schema_is_read_upgraded_and_goes_on() {
    for steps in 1..migrate::POSTGRES.len() {
        let Some(schema) = Schema::make().await else { return };
        let about = format!("PostgreSQL of schema {steps}");
        schema.older_with(steps, sections("bytea")).await;
        let database = Database::Postgres { url: schema.url.clone() };
        let refused = Store::open_reading(&database).await.unwrap_err();
        assert!(matches!(refused, StoreError::Open { why: Unopened::Refused(_), .. }), "{about}: {refused}");
        let store = schema.open().await;
        is_whole(&store, steps >= 2, &about).await;
        store.close().await.unwrap();
        schema.hand.batch_execute("INSERT INTO migration VALUES (99, 'future', 0)").await.unwrap();
        newer(&Store::open(&database, T0).await.unwrap_err(), migrate::POSTGRES.len());
        newer(&Store::open_reading(&database).await.unwrap_err(), migrate::POSTGRES.len());
        schema.remove().await;
    }
}
