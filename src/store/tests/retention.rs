//! What pruning deletes, for its age or for its size, and what it never deletes.

use super::*;

contract! {
    pruning_keeps_live_data,
    a_database_that_is_too_large_deletes_the_oldest_settled_data,
    a_database_that_is_too_large_deletes_nothing_live,
    bodies_older_than_a_day_go_before_the_record_of_deliveries,
    suppressed_transitions_are_deleted_with_their_notification,
    an_escalating_alert_keeps_its_notification,
    a_database_that_is_small_enough_keeps_young_data,
    an_alert_no_longer_reported_is_forgotten_with_a_recorded_reason,
    an_alert_still_reported_is_tracked_at_any_age,
    an_alert_with_pending_transitions_is_not_forgotten,
}

const DAY: i64 = 24 * 60;
const KIB: usize = 1024;
const KEEP: Retention =
    Retention { raw_ms: 7 * DAY * MINUTE, record_ms: 30 * DAY * MINUTE, alerts_ms: i64::MAX / 4, bytes: None };

/// A notification with an incompressible body of this many bytes.
fn large(minute: i64, lane: &str, name: &str, bytes: usize) -> Admission {
    let raw: Vec<u8> = (0..bytes).map(|_| rand::random()).collect();
    Admission { raw: raw.into(), ..notification(minute, lane, vec![firing(name, minute)]) }
}

async fn round(store: &Store, keep: Retention, minute: i64) {
    for _ in 0..10_000 {
        if store.prune(keep, at(minute)).await.unwrap().is_empty() {
            return;
        }
    }
    panic!("pruning never ends");
}

/// The length of the body that a message was rendered from; `None` if the message was deleted.
async fn body(store: &Store, message: i64) -> Option<usize> {
    Some(store.contents(message).await.unwrap()?.notification.raw.len())
}

async fn pruning_keeps_live_data(store: &Store) {
    store.admit(large(0, "stuck", "waits", KIB)).await.unwrap();
    for minute in 1..5 {
        store.admit(large(minute, "lane", &minute.to_string(), KIB)).await.unwrap();
        send(store, "lane", minute).await;
    }
    round(store, KEEP, 8 * DAY).await;
    let mut bodies = Vec::new();
    for message in 1..6 {
        bodies.push(body(store, message).await);
    }
    assert_eq!(bodies, [Some(KIB), Some(0), Some(0), Some(0), Some(0)], "the first is still to be sent");
    round(store, KEEP, 40 * DAY).await;
    let rows = store.deliveries(DeliveryFilter::default()).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.message).collect::<Vec<_>>(), [1], "only that one is left");
    assert_eq!(body(store, 1).await, Some(KIB));
    // What was skipped is deleted once it is settled.
    send(store, "stuck", 40 * DAY).await;
    round(store, KEEP, 41 * DAY).await;
    assert_eq!(body(store, 1).await, Some(0));
    round(store, KEEP, 71 * DAY).await;
    assert_eq!(store.audit().await.unwrap(), Audit::default());
}

async fn a_database_that_is_too_large_deletes_the_oldest_settled_data(store: &Store) {
    let most = 4 << 20;
    for number in 0..100 {
        store.admit(large(number, "lane", &number.to_string(), 64 * KIB)).await.unwrap();
        send(store, "lane", number).await;
    }
    assert!(store.is_too_large(most).await.unwrap());
    round(store, Retention { bytes: Some(most), ..KEEP }, 100).await;
    assert!(!store.is_too_large(most).await.unwrap());
    let rows = store.deliveries(DeliveryFilter { limit: 1000, ..DeliveryFilter::default() }).await.unwrap();
    let left: Vec<i64> = rows.iter().map(|row| row.message).rev().collect();
    assert!((20..70).contains(&left.len()), "{left:?}");
    let oldest = 101 - i64::try_from(left.len()).unwrap();
    assert_eq!(left, (oldest..=100).collect::<Vec<_>>(), "the newest are left");
    for message in left {
        assert_eq!(body(store, message).await, Some(64 * KIB), "with their bodies");
    }
}

async fn a_database_that_is_too_large_deletes_nothing_live(store: &Store) {
    for number in 0..40 {
        let lane = if number % 2 == 0 { "stuck" } else { "lane" };
        store.admit(large(number, lane, &number.to_string(), 64 * KIB)).await.unwrap();
        if lane == "lane" {
            send(store, lane, number).await;
        }
    }
    round(store, Retention { bytes: Some(1 << 20), ..KEEP }, 100).await;
    let rows = store.deliveries(DeliveryFilter { limit: 1000, ..DeliveryFilter::default() }).await.unwrap();
    assert_eq!(rows.len(), 20);
    for row in rows {
        assert_eq!(row.lane, LaneKey::stored("stuck"));
        assert_eq!(body(store, row.message).await, Some(64 * KIB));
    }
}

async fn bodies_older_than_a_day_go_before_the_record_of_deliveries(store: &Store) {
    for number in 0..60 {
        let minute = if number < 30 { number } else { 2 * DAY + number };
        store.admit(large(minute, "lane", &number.to_string(), 64 * KIB)).await.unwrap();
        send(store, "lane", minute).await;
    }
    round(store, Retention { bytes: Some(3 << 20), ..KEEP }, 2 * DAY + 60).await;
    let mut bodies = Vec::new();
    for message in 1..=60 {
        bodies.push(body(store, message).await);
    }
    assert!(bodies.iter().all(Option::is_some), "everything is still on record: {bodies:?}");
    assert!(bodies[30..].iter().all(|body| *body == Some(64 * KIB)), "{bodies:?}");
    assert_eq!(bodies[0], Some(0));
}

async fn suppressed_transitions_are_deleted_with_their_notification(store: &Store) {
    store.admit(large(0, "stuck", "waits", KIB)).await.unwrap();
    let mut quiet = large(1, "lane", "quiet", KIB);
    quiet.deliveries[0].targets.clear();
    store.admit(quiet).await.unwrap();
    store.admit(large(2, "stuck", "waits, too", KIB)).await.unwrap();
    assert_eq!(store.audit().await.unwrap().suppressed, 1);
    round(store, KEEP, 40 * DAY).await;
    assert_eq!(store.audit().await.unwrap(), Audit { pending: 2, ..Audit::default() });
    assert!(store.notification(2).await.unwrap().is_none());
    assert!(store.notification(1).await.unwrap().is_some());
}

async fn an_escalating_alert_keeps_its_notification(store: &Store) {
    let mut escalates = large(0, "lane", "A", 64 * KIB);
    escalates.deliveries[0].escalate_after_ms = Some(60 * MINUTE);
    store.admit(escalates).await.unwrap();
    store.admit(large(0, "lane", "B", 64 * KIB)).await.unwrap();
    store.admit(large(0, "lane", "C", 64 * KIB)).await.unwrap();
    for _ in 0..3 {
        send(store, "lane", 1).await;
    }
    round(store, Retention { bytes: Some(1), ..KEEP }, 2).await;
    let alert = store.due_escalations(at(60), 1).await.unwrap().remove(0).alert;
    let kept = store.notification(alert.notification).await.unwrap().expect("the next people are told from it");
    assert_eq!(kept.raw.len(), 64 * KIB);
    assert!(store.notification(2).await.unwrap().is_none());
}

async fn a_database_that_is_small_enough_keeps_young_data(store: &Store) {
    for number in 0..10 {
        store.admit(large(number, "lane", &number.to_string(), 64 * KIB)).await.unwrap();
        send(store, "lane", number).await;
    }
    let keep = Retention { bytes: Some(64 << 20), ..KEEP };
    assert!(store.prune(keep, at(100)).await.unwrap().is_empty());
    assert_eq!(body(store, 1).await, Some(64 * KIB));
}

/// Alerts are tracked for ten days.
const TEN_DAYS: Retention = Retention { alerts_ms: 10 * DAY * MINUTE, ..KEEP };

async fn acts(store: &Store) -> Vec<ActRow> {
    store.acts(ActFilter { limit: 100, ..ActFilter::default() }).await.unwrap()
}

async fn an_alert_no_longer_reported_is_forgotten_with_a_recorded_reason(store: &Store) {
    let admitted = store.admit(notification(0, "lane", vec![firing("A", 0), firing("B", 0)])).await.unwrap();
    store.admit(notification(5 * DAY, "lane", vec![firing("C", 0)])).await.unwrap();
    for _ in 0..2 {
        send(store, "lane", 5 * DAY).await;
    }
    round(store, TEN_DAYS, 10 * DAY).await;
    assert!(acts(store).await.is_empty());
    round(store, TEN_DAYS, 10 * DAY + 61).await;
    let on: Vec<_> =
        store.firing(&SourceId::parse("grafana")).await.unwrap().into_iter().map(|alert| alert.name).collect();
    assert_eq!(on, ["C"]);
    let rows = acts(store).await;
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!((row.kind, row.state, row.thread), (ActKind::Forget, ActState::Done, ThreadId(admitted.id)));
    assert_eq!((row.by.as_str(), row.via.as_str()), ("wegraf", "retention"));
    assert!(row.detail.starts_with("A ×2 → ops") && row.detail.contains("240 h"), "{}", row.detail);
    assert!(!row.detail.contains("已恢复") && row.detail.contains("不表示已经恢复"), "{}", row.detail);
    assert_eq!(store.backlog().await.unwrap().messages, 0, "no message is sent for it");
    // A new report begins a new episode; an end is told, since people only know of the beginning.
    let again = store.admit(notification(11 * DAY, "lane", vec![firing("A", 0)])).await.unwrap();
    assert_eq!((again.messages, again.id), (1, again.id));
    let ended = store.admit(notification(11 * DAY, "lane", vec![resolved("B", 0, 11 * DAY)])).await.unwrap();
    assert_eq!(ended.messages, 1);
}

async fn an_alert_still_reported_is_tracked_at_any_age(store: &Store) {
    let repeat = |minute| {
        let mut repeat = notification(minute, "lane", vec![firing("A", 0)]);
        repeat.push = true;
        repeat
    };
    store.admit(repeat(0)).await.unwrap();
    send(store, "lane", 0).await;
    for hours in 1..=(20 * 24) {
        let admitted = store.admit(repeat(hours * 60)).await.unwrap();
        assert_eq!((admitted.duplicate, admitted.messages), (true, 0));
    }
    round(store, TEN_DAYS, 20 * DAY).await;
    assert_eq!(store.firing(&SourceId::parse("grafana")).await.unwrap().len(), 1);
    round(store, TEN_DAYS, 30 * DAY).await;
    assert_eq!(store.firing(&SourceId::parse("grafana")).await.unwrap().len(), 1);
    round(store, TEN_DAYS, 30 * DAY + 61).await;
    assert!(store.firing(&SourceId::parse("grafana")).await.unwrap().is_empty());
}

async fn an_alert_with_pending_transitions_is_not_forgotten(store: &Store) {
    store.admit(notification(0, "stuck", vec![firing("A", 0)])).await.unwrap();
    round(store, TEN_DAYS, 40 * DAY).await;
    assert_eq!(store.firing(&SourceId::parse("grafana")).await.unwrap().len(), 1);
    send(store, "stuck", 40 * DAY).await;
    round(store, TEN_DAYS, 41 * DAY).await;
    assert!(store.firing(&SourceId::parse("grafana")).await.unwrap().is_empty());
    assert_eq!(acts(store).await.len(), 1);
}

/// The numbers that people and the record know are never given again, also after their rows were pruned.
async fn ids_are_never_given_twice(place: &Place) {
    let mut store = place.open().await;
    let mut before = [0; 5];
    for day in (0..400).step_by(100) {
        let minute = day * DAY;
        let ids = number(&store, minute).await;
        assert!(before.iter().zip(ids).all(|(before, id)| *before < id), "{before:?}, then {ids:?}");
        before = ids;
        let keep = Retention { alerts_ms: 30 * DAY * MINUTE, ..KEEP };
        round(&store, keep, minute + 90 * DAY).await;
        assert_eq!(store.audit().await.unwrap(), Audit::default());
        assert_eq!(store.acts(ActFilter::default()).await.unwrap().len(), 0);
        if day % 200 == 0 {
            store.close().await.unwrap();
            store = place.open().await;
        }
    }
    store.close().await.unwrap();
}

/// An alert that is told, acknowledged, sent again and over: the ids of its notification, alert, message, last
/// transition and act.
async fn number(store: &Store, minute: i64) -> [i64; 5] {
    let told = store.admit(notification(minute, "lane", vec![firing("HighCPU", minute)])).await.unwrap();
    let sent = send(store, "lane", minute).await;
    let act = super::acts::wish(&format!("{minute}"), ActKind::Acknowledge, About::Message(sent));
    let listeners = super::acts::listeners(&[("ops", "lane")]);
    let acted = store.act(NewAct { listeners, ..act }, at(minute)).await.unwrap();
    let again = store.resend(sent, "{}", at(minute)).await.unwrap().unwrap();
    for _ in 0..2 {
        send(store, "lane", minute).await;
    }
    let over = vec![resolved("HighCPU", minute, minute)];
    store.admit(notification(minute, "lane", over)).await.unwrap();
    let last = send(store, "lane", minute).await;
    let delivery = store.delivery(last).await.unwrap().unwrap();
    let contents = store.contents(last).await.unwrap().unwrap();
    assert!(told.id < contents.notification.id && sent < again && again < last);
    let transition = contents.transitions.iter().map(|moved| moved.id).max().unwrap();
    let alert = contents.transitions[0].alert;
    assert_eq!(delivery.row.message, last);
    [told.id, alert, sent, transition, acted.act]
}

#[tokio::test]
async fn ids_are_never_given_twice_on_sqlite() {
    ids_are_never_given_twice(&Place::folder()).await;
}

#[tokio::test]
async fn ids_are_never_given_twice_on_postgres() {
    let Some(place) = Place::schema().await else { return };
    ids_are_never_given_twice(&place).await;
    place.remove().await;
}
