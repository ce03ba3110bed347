//! The contract of the store, the same for every half of it, and what is special to SQLite.

use std::path::Path;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::alert::{ThreadId, TransitionKind};

mod contract;
mod sequences;
mod sqlite;

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

fn firing(name: &str, start: i64) -> Arrival {
    Arrival {
        index: 0,
        identity: Identity(Sha256::digest(name.as_bytes()).into()),
        name: name.to_owned(),
        labels_json: format!(r#"{{"alertname":"{name}"}}"#),
        critical: false,
        status: Status::Firing,
        starts_at: Some(at(start)),
        ends_at: None,
    }
}

fn resolved(name: &str, start: i64, end: i64) -> Arrival {
    Arrival { status: Status::Resolved, ends_at: Some(at(end)), ..firing(name, start) }
}

/// A notification at `minute` for the receiver `ops` with one lane, `lane`.
fn notification(minute: i64, lane: &str, alerts: Vec<Arrival>) -> Admission {
    let alerts = (0..).zip(alerts).map(|(index, arrival)| Arrival { index, ..arrival }).collect();
    Admission {
        source: "grafana".to_owned(),
        format: Format::Grafana,
        content_type: Some("application/json".to_owned()),
        path_receiver: None,
        sender: "https://grafana.example.com/".to_owned(),
        group_key: "{}".to_owned(),
        received_at: at(minute),
        raw: Bytes::from_static(br#"{"alerts":[]}"#),
        push: false,
        test: false,
        deliveries: vec![Recipient {
            receiver: "ops".to_owned(),
            send_resolved: true,
            repeat_interval_ms: 60 * MINUTE,
            alerts,
            targets: vec![TargetRow { lane: lane.to_owned(), target_json: format!(r#"{{"to":"{lane}"}}"#) }],
        }],
    }
}

fn bytes(texts: &[&str]) -> Freeze {
    let parts = texts.iter().map(|text| Bytes::copy_from_slice(text.as_bytes())).collect();
    Freeze { face: "text".to_owned(), parts, next_part: 0, counted: Vec::new() }
}

fn settlement(claimed: Claimed, class: &'static str, next: Next) -> Settlement {
    Settlement { claimed, outcome: Outcome { class, duration_ms: 12, ..Outcome::default() }, next }
}

async fn claim(store: &Store, lane: &str, minute: i64, text: &str) -> Claimed {
    let head = store.head(lane, at(minute)).await.unwrap().expect("the lane has something due");
    let freeze = if head.frozen.is_some() { None } else { Some(bytes(&[text])) };
    let wish = Claim { message: head.message, epoch: head.epoch, freeze };
    store.claim(wish, at(minute)).await.unwrap()
}

/// Sends the head of a lane successfully; returns its id.
async fn send(store: &Store, lane: &str, minute: i64) -> i64 {
    let claimed = claim(store, lane, minute, "text").await;
    store.settle(settlement(claimed, "accepted", Next::Accepted), at(minute)).await.unwrap();
    claimed.message
}
