//! Pictures that follow a message, on both stores.

use super::*;
use crate::budget::Limit;
use crate::engine::picture::LeaveOut;

contract! {
    a_picture_follows_what_was_accepted_and_shows_what_that_told,
    what_was_not_accepted_has_no_picture,
    a_picture_is_sent_while_half_of_the_minute_is_left_and_debits_its_account,
    a_picture_that_is_left_out_is_settled_once_with_its_reason,
    a_lane_that_folds_leaves_out_its_pictures,
    a_picture_is_neither_foldable_nor_told_by_a_fallback_nor_late,
    pictures_hide_no_message,
}

fn lane() -> LaneKey {
    LaneKey::stored("lane")
}

fn pictured() -> Freeze {
    Freeze { pictured: true, ..bytes(&["text"]) }
}

/// Sends the newest message of the lane, whose bytes want a picture; returns its id.
async fn send_pictured(store: &Store, minute: i64) -> i64 {
    let waiting = store.waiting(&lane(), at(minute)).await.unwrap().messages;
    let newest = waiting.iter().rfind(|waits| !waits.picture).expect("the lane has something to send").message;
    let claimed = take(store, wish(store, newest, 0, Some(pictured())).await, at(minute)).await;
    let accepted = Settlement { pictured: true, ..settlement(claimed, "accepted", Next::Accepted) };
    assert_eq!(store.settle(accepted, at(minute)).await.unwrap(), State::Sent);
    newest
}

async fn with_picture(store: &Store, name: &str, minute: i64) -> (i64, i64) {
    store.admit(notification(minute, "lane", vec![firing(name, minute)])).await.unwrap();
    let message = send_pictured(store, minute).await;
    (message, message + 1)
}

async fn leave_out(store: &Store, picture: i64, why: &'static str) -> Result<(), StoreError> {
    let lease = store.acquire(&lane()).await.unwrap().unwrap();
    store.leave_out(LeaveOut { lease, picture, why }, at(2)).await
}

async fn a_picture_follows_what_was_accepted_and_shows_what_that_told(store: &Store) {
    let (message, picture) = with_picture(store, "HighCPU", 0).await;
    let waiting = store.waiting(&lane(), at(1)).await.unwrap();
    assert_eq!(waiting.fresh, 0);
    let [one] = &waiting.messages[..] else { panic!("{waiting:?}") };
    assert!(one.message == picture && one.picture && !one.fresh && !one.critical && !one.urgent, "{one:?}");
    assert_eq!(one.created_at, at(0), "as old as its news");
    let queued = store.queued(picture).await.unwrap().unwrap();
    assert_eq!((queued.picture_of, queued.transitions.len()), (Some(message), 1));
    assert_eq!(store.contents(picture).await.unwrap().unwrap().transitions, queued.transitions);
    assert_eq!(store.lanes(at(1)).await.unwrap().len(), 1, "its lane is due");
    // The frozen bytes know of it, however often they are tried.
    store.admit(notification(1, "lane", vec![firing("DiskFull", 1)])).await.unwrap();
    let next = store.waiting(&lane(), at(1)).await.unwrap().messages[1].message;
    let claimed = take(store, wish(store, next, 0, Some(pictured())).await, at(1)).await;
    store.settle(settlement(claimed, "not_sent", Next::RetryAt(at(1))), at(1)).await.unwrap();
    assert!(store.queued(next).await.unwrap().unwrap().frozen.unwrap().pictured);

    let claimed = take(store, wish(store, picture, 0, Some(bytes(&["picture"]))).await, at(1)).await;
    let accepted = Settlement { pictured: true, ..settlement(claimed, "accepted", Next::Accepted) };
    store.settle(accepted, at(1)).await.unwrap();
    let sent = store.delivery(picture).await.unwrap().unwrap();
    assert_eq!((sent.row.state, sent.row.picture_of, sent.row.name.as_str()), (State::Sent, Some(message), "HighCPU"));
    assert!(sent.transitions.is_empty() && sent.picture.is_none(), "{sent:?}");
    assert!(store.queued(next + 1).await.unwrap().is_none(), "a picture has no picture");
    assert_eq!(store.audit().await.unwrap(), Audit { named: 1, pending: 1, ..Audit::default() });
}

async fn what_was_not_accepted_has_no_picture(store: &Store) {
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    for next in [Next::RetryAt(at(0)), Next::UnsureAt(at(0)), Next::Dead { reason: "refused".to_owned() }] {
        let head = head(store, "lane", at(0)).await.unwrap();
        let freeze = head.frozen.is_none().then(pictured);
        let claimed = take(store, wish(store, head.message, head.epoch, freeze).await, at(0)).await;
        let failed = Settlement { pictured: true, ..settlement(claimed, "failed", next) };
        store.settle(failed, at(0)).await.unwrap();
    }
    assert!(store.waiting(&lane(), at(0)).await.unwrap().messages.is_empty());
}

async fn a_picture_is_sent_while_half_of_the_minute_is_left_and_debits_its_account(store: &Store) {
    let account = Account::stored("webhook/k");
    let way = Way { scopes: Vec::new(), charges: vec![Charge::new(account, Limit::WEBHOOK)] };
    let (_, picture) = with_picture(store, "HighCPU", 0).await;
    let (_, other) = with_picture(store, "DiskFull", 0).await;
    let ask = async |message: i64, epoch: i64| {
        let claim = wish(store, message, epoch, Some(bytes(&["bytes"]))).await;
        store.claim(Claim { ways: vec![way.clone()], ..claim }, at(0)).await.unwrap()
    };
    // Ten are sent: the last of them while nine of eighteen are left.
    for spent in 0..10_i64 {
        let taken = ask(picture, spent).await;
        let Taken::Claimed(claimed) = taken else { panic!("{spent}: {taken:?}") };
        store.settle(settlement(claimed, "not_sent", Next::RetryAt(at(0))), at(0)).await.unwrap();
    }
    assert!(matches!(ask(other, 0).await, Taken::Wait { breaker: None, .. }), "less than half is left");
    // What is no picture still has room.
    store.admit(notification(0, "lane", vec![firing("PodDown", 0)])).await.unwrap();
    assert!(matches!(ask(other + 1, 0).await, Taken::Claimed(_)));
}

async fn a_picture_that_is_left_out_is_settled_once_with_its_reason(store: &Store) {
    let (message, picture) = with_picture(store, "HighCPU", 0).await;
    assert!(matches!(leave_out(store, message, "late").await, Err(StoreError::Lost { .. })), "it is sent");
    leave_out(store, picture, "late").await.unwrap();
    assert!(matches!(leave_out(store, picture, "slow").await, Err(StoreError::Lost { .. })), "it has its end");
    let left = store.delivery(picture).await.unwrap().unwrap();
    assert_eq!(
        (left.row.state, left.row.folded_into, left.row.settled_at),
        (State::Folded, Some(message), Some(at(2)))
    );
    assert_eq!(left.picture.as_deref(), Some("late"));
    assert_eq!(store.delivery(message).await.unwrap().unwrap().picture.as_deref(), Some("late"));

    // What waits and is no picture is not left out.
    store.admit(notification(1, "lane", vec![firing("DiskFull", 1)])).await.unwrap();
    assert!(matches!(leave_out(store, picture + 1, "late").await, Err(StoreError::Bug { .. })));
    // After an attempt, too.
    let (message, picture) = with_picture(store, "PodDown", 1).await;
    let head = store.queued(picture).await.unwrap().unwrap();
    let claimed = take(store, wish(store, picture, head.epoch, Some(bytes(&["picture"]))).await, at(1)).await;
    store.settle(settlement(claimed, "refused", Next::LeftOut { why: "rejected" }), at(1)).await.unwrap();
    let left = store.delivery(picture).await.unwrap().unwrap();
    assert_eq!((left.row.state, left.row.folded_into), (State::Folded, Some(message)));
    assert_eq!((left.picture.as_deref(), left.attempts[0].outcome.as_deref()), (Some("rejected"), Some("refused")));
}

async fn a_lane_that_folds_leaves_out_its_pictures(store: &Store) {
    let (message, picture) = with_picture(store, "HighCPU", 0).await;
    for name in ["DiskFull", "PodDown"] {
        store.admit(notification(1, "lane", vec![firing(name, 1)])).await.unwrap();
    }
    let lease = store.acquire(&lane()).await.unwrap().unwrap();
    let folded = store.fold(&lease, None, at(1)).await.unwrap().unwrap();
    assert_eq!((folded.messages, folded.pictures), (2, 1));
    let left = store.delivery(picture).await.unwrap().unwrap();
    assert_eq!((left.row.folded_into, left.picture.as_deref()), (Some(message), Some("folded")));
}

async fn a_picture_is_neither_foldable_nor_told_by_a_fallback_nor_late(store: &Store) {
    let (_, picture) = with_picture(store, "HighCPU", 0).await;
    store.admit(notification(1, "lane", vec![firing("DiskFull", 1)])).await.unwrap();
    let lease = store.acquire(&lane()).await.unwrap().unwrap();
    assert_eq!(store.fold(&lease, None, at(1)).await.unwrap(), None, "one message is not folded");
    let late = store.late(vec!["ops".to_owned()], Late { critical: at(60), other: at(60) }, 10).await.unwrap();
    assert!(!late.is_empty() && late.iter().all(|late| late.message != picture), "{late:?}");
    let backlog = store.backlog().await.unwrap();
    assert_eq!((backlog.messages, backlog.oldest), (2, Some(at(1))));
}

async fn pictures_hide_no_message(store: &Store) {
    for number in 0..60 {
        with_picture(store, &format!("Alert{number}"), 0).await;
        store.admit(notification(0, "lane", vec![firing(&format!("Other{number}"), 0)])).await.unwrap();
        // The picture stays; the other message is the next that is sent.
        let others = store.waiting(&lane(), at(0)).await.unwrap();
        assert_eq!(others.messages.iter().filter(|waits| !waits.picture).count(), 1, "{number}");
        assert!(others.messages.iter().filter(|waits| waits.picture).count() <= VIEW.pictures as usize);
        let other = others.messages.iter().find(|waits| !waits.picture).unwrap().message;
        let claimed = take(store, wish(store, other, 0, Some(bytes(&["text"]))).await, at(0)).await;
        store.settle(settlement(claimed, "accepted", Next::Accepted), at(0)).await.unwrap();
    }
}
