//! The contract of the store, the same for every backend, and what is special to SQLite.

use std::path::Path;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::alert::{Format, Status, ThreadId, TransitionKind};
use crate::budget::Charge;
use crate::names::{Account, LaneKey, Scope, SourceId};

/// One test for each of the functions and halves, on a fresh store, with the fates audited at the end.
macro_rules! contract {
    ($($sentence:ident,)*) => {
        mod on_sqlite {
            $(#[tokio::test]
            async fn $sentence() {
                let place = super::Place::folder();
                let store = place.open().await;
                super::$sentence(&store).await;
                super::end(store, place).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test]
            async fn $sentence() {
                let Some(place) = super::Place::schema().await else { return };
                let store = place.open().await;
                super::$sentence(&store).await;
                super::end(store, place).await;
            })*
        }
    };
}

mod acts;
mod api;
mod cards;
mod contract;
mod crowds;
mod escalations;
mod fixtures;
mod groups;
mod pictures;
mod pooler;
pub(crate) mod postgres;
mod retention;
mod search;
mod sequences;
mod sessions;
mod shared;
mod short;
mod silences;
mod sqlite;
mod tally;
mod told;
mod truth;

/// A moment from which tests count.
const T0: Timestamp = Timestamp(1_700_000_000_000);
const MINUTE: i64 = 60_000;

fn at(minutes: i64) -> Timestamp {
    T0.plus_millis(minutes * MINUTE)
}

async fn open(folder: &Path) -> Store {
    try_open(folder).await.unwrap()
}

async fn try_open(folder: &Path) -> Result<Store, StoreError> {
    Store::open(&Database::Sqlite(folder.join("wegraf.db")), T0).await
}

/// Where a test keeps its store.
enum Place {
    Folder(tempfile::TempDir),
    Schema(postgres::Schema),
}

impl Place {
    fn folder() -> Self {
        Self::Folder(tempfile::tempdir().unwrap())
    }

    /// `None` where there is no PostgreSQL to test with.
    async fn schema() -> Option<Self> {
        postgres::Schema::make().await.map(Self::Schema)
    }

    /// Opens it, for the first time or again.
    async fn open(&self) -> Store {
        match self {
            Self::Folder(folder) => open(folder.path()).await,
            Self::Schema(schema) => schema.open().await,
        }
    }

    async fn remove(self) {
        if let Self::Schema(schema) = self {
            schema.remove().await;
        }
    }
}

fn firing(name: &str, start: i64) -> Arrival {
    Arrival {
        index: 0,
        identity: Identity(Sha256::digest(name.as_bytes()).into()),
        name: name.to_owned(),
        labels_json: format!(r#"{{"alertname":"{name}"}}"#),
        critical: false,
        status: Status::Firing,
        starts_at: Some(at(start)),
        reported: false,
        ends_at: None,
        lapses_at: None,
        thread: None,
        kin: None,
        steady: false,
    }
}

fn resolved(name: &str, start: i64, end: i64) -> Arrival {
    Arrival { status: Status::Resolved, ends_at: Some(at(end)), ..firing(name, start) }
}

/// A notification at `minute` for the receiver `ops` with one lane, `lane`.
fn notification(minute: i64, lane: &str, alerts: Vec<Arrival>) -> Admission {
    let alerts = (0..).zip(alerts).map(|(index, arrival)| Arrival { index, ..arrival }).collect();
    Admission {
        source: SourceId::Configured("grafana".to_owned()),
        format: Format::Grafana,
        content_type: Some("application/json".to_owned()),
        path_receiver: None,
        sender: "https://grafana.example.com/".to_owned(),
        group_key: "{}".to_owned(),
        received_at: at(minute),
        raw: Bytes::from_static(br#"{"alerts":[]}"#),
        codec: 0,
        alive: None,
        stopped: None,
        push: false,
        test: false,
        deliveries: vec![Recipient {
            receiver: "ops".to_owned(),
            send_resolved: true,
            repeat_interval_ms: 60 * MINUTE,
            escalate_after_ms: None,
            note_json: None,
            alerts,
            targets: vec![TargetRow::new(LaneKey::stored(lane), format!(r#"{{"to":"{lane}"}}"#))],
        }],
    }
}

fn bytes(texts: &[&str]) -> Freeze {
    let parts = texts.iter().map(|text| Bytes::copy_from_slice(text.as_bytes())).collect();
    Freeze { face: "text".to_owned(), parts, next_part: 0, naming: Naming::AllBut(Vec::new()), pictured: false }
}

fn settlement(claimed: Claimed, class: &'static str, next: Next) -> Settlement {
    let outcome = Outcome { class, duration_ms: 12, ..Outcome::default() };
    Settlement { claimed, outcome, next, fallback: None, breakers: Vec::new(), spends: None, pictured: false }
}

/// The oldest message of a lane, if nothing of the lane is being sent and it is due.
async fn head(store: &Store, lane: &str, now: Timestamp) -> Option<Queued> {
    let waiting = store.waiting(&LaneKey::stored(lane), now).await.unwrap().messages;
    let first = waiting.first().filter(|first| first.due_at <= now)?;
    if waiting.iter().any(|message| message.state == State::Sending) {
        return None;
    }
    store.queued(first.message).await.unwrap()
}

/// A request to claim, by a way without charges, under a new lease: a message that was being sent from the lane becomes
/// unsure.
async fn wish(store: &Store, message: i64, epoch: i64, freeze: Option<Freeze>) -> Claim {
    let row = store.delivery(message).await.unwrap().expect("there is such a message").row;
    let lease = store.acquire(&row.lane).await.unwrap().expect("no other replica holds the lane");
    let revision = store.queued(message).await.unwrap().map_or(0, |queued| queued.revision);
    Claim { lease, message, epoch, revision, freeze, ways: vec![Way::default()] }
}

async fn take(store: &Store, wish: Claim, now: Timestamp) -> Claimed {
    match store.claim(wish, now).await.unwrap() {
        Taken::Claimed(claimed) => claimed,
        other => panic!("not claimed: {other:?}"),
    }
}

async fn claim(store: &Store, lane: &str, minute: i64, text: &str) -> Claimed {
    let head = head(store, lane, at(minute)).await.expect("the lane has something due");
    let freeze = if head.frozen.is_some() { None } else { Some(bytes(&[text])) };
    take(store, wish(store, head.message, head.epoch, freeze).await, at(minute)).await
}

/// Sends the head of a lane successfully; returns its id.
async fn send(store: &Store, lane: &str, minute: i64) -> i64 {
    let claimed = claim(store, lane, minute, "text").await;
    store.settle(settlement(claimed, "accepted", Next::Accepted), at(minute)).await.unwrap();
    claimed.message
}

/// Abandons what is being sent from a lane, as if its sender were gone.
async fn abandon(store: &Store, lane: &str) {
    store.acquire(&LaneKey::stored(lane)).await.unwrap().expect("no other replica holds the lane");
}

/// A notification with one alert and its waiting message, as they stood before bodies had a codec. `bytes`: the type.
const OLD_ROWS: &str = "
    INSERT INTO notification (source, format, sender, group_key, received_at, raw)
        VALUES ('grafana', 'grafana', '', '', 1700000000000, CAST('as it came' AS bytes));
    INSERT INTO alert (identity, receiver, source, name, labels, critical, status, starts_at, thread, notification_id,
                       sender, told_at)
        VALUES (CAST('01234567890123456789012345678901' AS bytes), 'ops', 'grafana', 'HighCPU', '{}', false, 'firing', 1700000000000,
                1, 1, '', 1700000000000);
    INSERT INTO message (notification_id, receiver, lane, target, critical, urgent, thread, created_at)
        VALUES (1, 'ops', 'lane', '{}', false, false, 1, 1700000000000);
    INSERT INTO transition (alert_id, notification_id, alert_index, message_id, lane, kind, at, starts_at, fate)
        VALUES (1, 1, 0, 1, 'lane', 'firing', 1700000000000, 1700000000000, 'pending');";

/// Reads [`OLD_ROWS`], knows their alert, sends their message and takes more.
async fn goes_on(store: &Store) {
    let identity = Identity(*b"01234567890123456789012345678901");
    let queued = head(store, "lane", at(0)).await.unwrap();
    assert_eq!((&queued.notification.raw[..], queued.transitions.len()), (&b"as it came"[..], 1));
    let again = notification(1, "lane", vec![Arrival { identity, ..firing("HighCPU", 0) }]);
    assert_eq!(store.admit(again).await.unwrap().unchanged, 1);
    let over = notification(2, "lane", vec![Arrival { identity, ..resolved("HighCPU", 0, 2) }]);
    let over = store.admit(over).await.unwrap();
    assert_eq!((over.id, over.messages), (2, 1));
    let raw = Bytes::from(r#"{"alerts":[]}"#.repeat(100));
    let new = Admission { raw: raw.clone(), ..notification(3, "lane", vec![firing("DiskFull", 3)]) };
    assert_eq!(store.admit(new).await.unwrap().id, 3);
    let bodies = [store.notification(1).await.unwrap(), store.notification(3).await.unwrap()];
    assert_eq!(bodies.map(|kept| kept.unwrap().raw), [Bytes::from("as it came"), raw]);
    for minute in 4..6 {
        send(store, "lane", minute).await;
    }
    assert_eq!(store.audit().await.unwrap(), Audit { named: 3, repeated: 1, ..Audit::default() });
}

async fn end(store: Store, place: Place) {
    assert_eq!(store.audit().await.unwrap().imbalance, 0);
    store.close().await.unwrap();
    place.remove().await;
}
