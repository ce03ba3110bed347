//! Escalations: when a step is due, and when it is over.

use super::acts::acknowledge;
use super::*;

contract! {
    an_unacknowledged_alert_of_a_receiver_with_an_escalation_is_due,
    a_step_is_taken_once_and_sets_when_the_next_is_due,
    an_end_makes_it_due_at_once_even_when_no_step_was_left,
    a_new_episode_begins_anew_and_a_reminder_changes_nothing,
    a_receiver_without_an_escalation_leaves_no_trace,
    an_end_is_seen_also_where_the_receiver_has_no_escalation_any_more,
    a_deleted_escalation_is_not_due,
    a_note_goes_with_the_messages,
}

const AFTER: i64 = 10;

fn escalating(minute: i64, alerts: Vec<Arrival>) -> Admission {
    let mut admission = notification(minute, "lane", alerts);
    admission.deliveries[0].escalate_after_ms = Some(AFTER * MINUTE);
    admission
}

/// What is due, as name, step and how many minutes after the beginning of time its firing was accepted.
async fn due(store: &Store, minute: i64) -> Vec<(String, u32, i64)> {
    let due = store.due_escalations(at(minute), 100).await.unwrap();
    due.into_iter().map(|one| (one.alert.name, one.step, one.fired_at.millis_since(T0) / MINUTE)).collect()
}

fn one(name: &str, step: u32, fired_at: i64) -> Vec<(String, u32, i64)> {
    vec![(name.to_owned(), step, fired_at)]
}

async fn an_unacknowledged_alert_of_a_receiver_with_an_escalation_is_due(store: &Store) {
    let told = store.admit(escalating(1, vec![firing("A", 0)])).await.unwrap();
    store.admit(escalating(2, vec![firing("B", 0)])).await.unwrap();
    assert_eq!(due(store, AFTER).await, []);
    assert_eq!(due(store, 1 + AFTER).await, one("A", 0, 1));
    let both = store.due_escalations(at(2 + AFTER), 100).await.unwrap();
    assert_eq!(both.iter().map(|due| due.alert.name.as_str()).collect::<Vec<_>>(), ["A", "B"]);
    assert_eq!(store.due_escalations(at(2 + AFTER), 1).await.unwrap().len(), 1);
    // A receiver that a step was sent to also knows it as firing.
    let mut step = notification(12, "boss", vec![firing("A", 0)]);
    step.deliveries[0].receiver = "boss".to_owned();
    store.admit(step).await.unwrap();
    let first = store.due_escalations(at(12), 1).await.unwrap().remove(0);
    assert_eq!((first.alert.receiver.as_str(), first.others), ("ops", vec!["boss".to_owned()]));
    acknowledge(store, "1", told.id, 12).await;
    assert_eq!(due(store, 12).await, one("B", 0, 2), "no step is due while it is acknowledged");
    let release = super::acts::wish("2", ActKind::Release, About::Thread(ThreadId(told.id)));
    store.act(release, at(13)).await.unwrap();
    assert_eq!(due(store, 13).await.len(), 2, "no user owns A any more");
    acknowledge(store, "3", told.id, 14).await;
    store.admit(escalating(15, vec![resolved("A", 0, 15)])).await.unwrap();
    assert_eq!(due(store, 15).await.len(), 2, "its end is seen even though it is acknowledged");
}

async fn a_step_is_taken_once_and_sets_when_the_next_is_due(store: &Store) {
    store.admit(escalating(0, vec![firing("A", 0)])).await.unwrap();
    let alert = store.due_escalations(at(AFTER), 1).await.unwrap()[0].alert.alert;
    assert!(store.advance_escalation(alert, 0, Some(at(20))).await.unwrap());
    assert!(!store.advance_escalation(alert, 0, Some(at(30))).await.unwrap(), "another replica took it");
    assert_eq!(due(store, 19).await, []);
    assert_eq!(due(store, 20).await, one("A", 1, 0));
    assert!(store.advance_escalation(alert, 1, None).await.unwrap());
    assert_eq!(due(store, 1_000_000).await, [], "no step is left");
    assert!(!store.advance_escalation(4711, 0, None).await.unwrap());
}

async fn an_end_makes_it_due_at_once_even_when_no_step_was_left(store: &Store) {
    store.admit(escalating(0, vec![firing("A", 0), firing("B", 0)])).await.unwrap();
    let alerts = store.due_escalations(at(AFTER), 2).await.unwrap();
    assert!(store.advance_escalation(alerts[0].alert.alert, 0, None).await.unwrap());
    let mut end = escalating(12, vec![resolved("A", 0, 12), resolved("B", 0, 12)]);
    end.deliveries[0].send_resolved = false;
    store.admit(end).await.unwrap();
    let over = store.due_escalations(at(12), 2).await.unwrap();
    let seen: Vec<_> = over.iter().map(|one| (one.alert.name.as_str(), one.step, one.alert.status)).collect();
    assert_eq!(seen, [("A", 1, Status::Resolved), ("B", 0, Status::Resolved)]);
    // A step that is being taken meanwhile does not hide the end.
    assert!(store.advance_escalation(over[1].alert.alert, 0, Some(at(99))).await.unwrap());
    assert!(store.advance_escalation(over[0].alert.alert, 1, None).await.unwrap());
    assert_eq!(due(store, 12).await.len(), 2);
}

async fn a_new_episode_begins_anew_and_a_reminder_changes_nothing(store: &Store) {
    store.admit(escalating(0, vec![firing("A", 0)])).await.unwrap();
    let alert = store.due_escalations(at(AFTER), 1).await.unwrap()[0].alert.alert;
    store.advance_escalation(alert, 0, Some(at(200))).await.unwrap();
    store.admit(escalating(100, vec![firing("A", 0)])).await.unwrap();
    assert_eq!(due(store, 199).await, []);
    assert_eq!(due(store, 200).await, one("A", 1, 0));
    store.admit(escalating(300, vec![resolved("A", 0, 300)])).await.unwrap();
    store.admit(escalating(301, vec![firing("A", 301)])).await.unwrap();
    assert_eq!(due(store, 300 + AFTER).await, []);
    assert_eq!(due(store, 301 + AFTER).await, one("A", 0, 301));
}

async fn a_receiver_without_an_escalation_leaves_no_trace(store: &Store) {
    store.admit(notification(0, "lane", vec![firing("A", 0)])).await.unwrap();
    store.admit(notification(1, "lane", vec![resolved("A", 0, 1)])).await.unwrap();
    let mut nobody = escalating(2, vec![firing("B", 2)]);
    nobody.deliveries[0].targets.clear();
    store.admit(nobody).await.unwrap();
    assert_eq!(due(store, 1_000_000).await, [], "no receiver was told of B");
}

async fn an_end_is_seen_also_where_the_receiver_has_no_escalation_any_more(store: &Store) {
    store.admit(escalating(0, vec![firing("A", 0)])).await.unwrap();
    let alert = store.due_escalations(at(AFTER), 1).await.unwrap()[0].alert.alert;
    assert!(store.advance_escalation(alert, 0, None).await.unwrap());
    store.admit(notification(12, "lane", vec![resolved("A", 0, 12)])).await.unwrap();
    assert_eq!(due(store, 12).await, one("A", 1, 0));
}

async fn a_deleted_escalation_is_not_due(store: &Store) {
    store.admit(escalating(0, vec![firing("A", 0), firing("B", 0)])).await.unwrap();
    let alert = store.due_escalations(at(AFTER), 1).await.unwrap()[0].alert.alert;
    store.forget_escalation(alert).await.unwrap();
    assert_eq!(due(store, AFTER).await, one("B", 0, 0));
    store.admit(escalating(1, vec![resolved("B", 0, 1)])).await.unwrap();
    while head(store, "lane", at(2)).await.is_some() {
        send(store, "lane", 2).await;
    }
    let keep = Retention { raw_ms: MINUTE, record_ms: MINUTE, alerts_ms: i64::MAX / 4, bytes: None };
    while !store.prune(keep, at(10 * 24 * 60)).await.unwrap().is_empty() {}
    assert_eq!(due(store, 1_000_000).await, [], "its alert is forgotten");
}

async fn a_note_goes_with_the_messages(store: &Store) {
    let mut admission = notification(0, "lane", vec![firing("A", 0)]);
    admission.deliveries[0].note_json = Some(r#"{"step":1}"#.to_owned());
    store.admit(admission).await.unwrap();
    assert_eq!(head(store, "lane", at(0)).await.unwrap().note_json.as_deref(), Some(r#"{"step":1}"#));
}
