//! Cards and their codes.

use super::acts::{acknowledge, listeners, wish};
use super::*;

contract! {
    an_accepted_message_with_a_code_is_a_card_whose_code_is_used_once,
    a_press_that_leads_to_an_act_brings_a_new_code_and_keeps_the_unused_one,
    a_code_expires_after_three_days_and_a_card_is_pruned_with_its_message,
    the_card_of_a_message_tells_of_all_its_alerts_in_the_same_lane,
}

fn accepted(claimed: Claimed, code: &str) -> Settlement {
    let outcome = Outcome { class: "accepted", response_code: Some(code.to_owned()), ..Outcome::default() };
    Settlement { outcome, ..settlement(claimed, "accepted", Next::Accepted) }
}

/// Sends the head of a lane as a card; returns its message.
async fn send_card(store: &Store, lane: &str, minute: i64, code: &str) -> i64 {
    let claimed = claim(store, lane, minute, "card").await;
    store.settle(accepted(claimed, code), at(minute)).await.unwrap();
    claimed.message
}

async fn code(store: &Store, card: i64) -> Option<String> {
    store.card_of(card).await.unwrap().expect("there is such a message").code
}

async fn an_accepted_message_with_a_code_is_a_card_whose_code_is_used_once(store: &Store) {
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    let claimed = claim(store, "lane", 1, "card").await;
    let unsure = Settlement { next: Next::UnsureAt(at(1)), ..accepted(claimed, "lost") };
    store.settle(unsure, at(1)).await.unwrap();
    assert_eq!(code(store, claimed.message).await, None, "whether it is a card is unknown");
    let card = send_card(store, "lane", 2, "first").await;
    let found = store.card_of(card).await.unwrap().unwrap();
    assert_eq!((found.message, found.created_at, found.code_at), (card, at(0), at(2)));
    assert_eq!((found.code.as_deref(), found.alerts.len()), (Some("first"), 1));
    store.admit(notification(3, "lane", vec![resolved("HighCPU", 0, 3)])).await.unwrap();
    let spends = |code: &str, claimed, next| Settlement {
        spends: Some(Spent { card, code: code.to_owned() }),
        ..settlement(claimed, "class", next)
    };
    let claimed = claim(store, "lane", 3, "update").await;
    store.settle(spends("first", claimed, Next::RetryAt(at(3))), at(3)).await.unwrap();
    assert_eq!(code(store, card).await.as_deref(), Some("first"), "it was certainly not used");
    let claimed = claim(store, "lane", 4, "update").await;
    store.settle(spends("first", claimed, Next::UnsureAt(at(4))), at(4)).await.unwrap();
    assert_eq!(code(store, card).await, None, "it may have been used");
    let press = wish("1", ActKind::Acknowledge, About::Message(card));
    let press = NewAct { code: Some(NewCode { message: card, code: "second".to_owned() }), ..press };
    store.act(press, at(5)).await.unwrap();
    let claimed = claim(store, "lane", 5, "update").await;
    store.settle(spends("second", claimed, Next::Accepted), at(5)).await.unwrap();
    assert_eq!(code(store, card).await, None);
    assert_eq!(code(store, claimed.message).await, None, "what changes a card is none");
    assert_eq!(store.card_of(4711).await.unwrap(), None, "there is no such message");
}

async fn a_press_that_leads_to_an_act_brings_a_new_code_and_keeps_the_unused_one(store: &Store) {
    let told = store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    let claimed = claim(store, "lane", 0, "card").await;
    let card = claimed.message;
    let press = async |event: &str, state: ActState, minute: i64| {
        let act = wish(event, ActKind::Acknowledge, About::Message(card));
        let code = Some(NewCode { message: card, code: format!("code {event}") });
        store.act(NewAct { state, code, listeners: listeners(&[]), ..act }, at(minute)).await.unwrap().state
    };
    let spend = async |minute: i64| {
        let lane = format!("lane {minute}");
        store.admit(notification(minute, &lane, vec![firing(&lane, minute)])).await.unwrap();
        let claimed = claim(store, &lane, minute, "update").await;
        let spends = Spent { card, code: code(store, card).await.unwrap_or_default() };
        let spends = Settlement { spends: Some(spends), ..settlement(claimed, "accepted", Next::Accepted) };
        store.settle(spends, at(minute)).await.unwrap();
        code(store, card).await
    };
    // A press comes before the answer to our sending.
    assert_eq!(press("1", ActState::Done, 1).await, ActState::Done);
    store.settle(accepted(claimed, "older"), at(2)).await.unwrap();
    assert_eq!(code(store, card).await.as_deref(), Some("code 1"));
    for (event, wanted, becomes) in
        [("2", ActState::Done, ActState::Repeated), ("3", ActState::Denied, ActState::Denied)]
    {
        assert_eq!(press(event, wanted, 3).await, becomes);
        let found = store.card_of(card).await.unwrap().unwrap();
        let kept = (found.code.as_deref(), found.code_at);
        assert_eq!(kept, (Some("code 1"), at(1)), "where nothing follows, the answer to the press takes the code");
    }
    assert_eq!(spend(4).await.as_deref(), Some("older"));
    assert_eq!(store.card_of(card).await.unwrap().unwrap().code_at, at(2));
    assert_eq!(spend(5).await, None);
    let release = wish("4", ActKind::Release, About::Message(card));
    let code_4 = Some(NewCode { message: card, code: "code 4".to_owned() });
    store.act(NewAct { code: code_4, ..release }, at(6)).await.unwrap();
    assert_eq!(press("5", ActState::Done, 7).await, ActState::Done);
    assert_eq!(code(store, card).await.as_deref(), Some("code 5"), "the newest first");
    assert_eq!((spend(8).await.as_deref(), spend(9).await), (Some("code 4"), None));
    store.admit(notification(10, "lane", vec![resolved("HighCPU", 0, 10)])).await.unwrap();
    assert_eq!(press("6", ActState::Done, 11).await, ActState::Void);
    let found = store.card_of(card).await.unwrap().unwrap();
    assert_eq!((found.code, found.alerts[0].status), (None, Status::Resolved), "as it is now");
    store.admit(notification(12, "lane", vec![firing("HighCPU", 12)])).await.unwrap();
    let unknown = wish("7", ActKind::Acknowledge, About::Thread(ThreadId(told.id)));
    let unknown = NewAct { code: Some(NewCode { message: 4711, code: "x".to_owned() }), ..unknown };
    store.act(unknown, at(13)).await.unwrap();
    assert_eq!(store.card_of(4711).await.unwrap(), None);
}

async fn a_code_expires_after_three_days_and_a_card_is_pruned_with_its_message(store: &Store) {
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    let card = send_card(store, "lane", 0, "code").await;
    store.admit(notification(70 * 60, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    let reminder = head(store, "lane", at(70 * 60)).await.unwrap().message;
    let found = async |minute: i64| store.card(&LaneKey::stored("lane"), reminder, at(minute)).await.unwrap().unwrap();
    assert_eq!(found(71 * 60 - 1).await.code.as_deref(), Some("code"));
    assert_eq!((found(71 * 60).await.message, found(71 * 60).await.code), (card, None));
    assert_eq!(code(store, card).await.as_deref(), Some("code"), "by itself it is shown as it is");
    let keep = Retention { raw_ms: MINUTE, record_ms: 24 * 60 * MINUTE, alerts_ms: i64::MAX / 4, bytes: None };
    while !store.prune(keep, at(73 * 60)).await.unwrap().is_empty() {}
    assert_eq!(store.card_of(card).await.unwrap(), None);
    assert_eq!(store.card(&LaneKey::stored("lane"), reminder, at(73 * 60)).await.unwrap(), None);
}

async fn the_card_of_a_message_tells_of_all_its_alerts_in_the_same_lane(store: &Store) {
    let one = TargetRow::new(LaneKey::stored("one"), "{}".to_owned());
    let both = |minute: i64, alerts: Vec<Arrival>| {
        let mut admission = notification(minute, "lane", alerts);
        admission.deliveries[0].targets.push(one.clone());
        admission
    };
    store.admit(both(0, vec![firing("A", 0), firing("B", 0)])).await.unwrap();
    let card = send_card(store, "lane", 0, "code").await;
    send_card(store, "one", 0, "elsewhere").await;
    store.admit(both(1, vec![firing("C", 1)])).await.unwrap();
    let next = send_card(store, "lane", 1, "next").await;
    let told = async |alerts: Vec<Arrival>, minute: i64| {
        store.admit(notification(minute, "lane", alerts)).await.unwrap();
        let message = head(store, "lane", at(minute)).await.unwrap().message;
        let found = store.card(&LaneKey::stored("lane"), message, at(minute)).await.unwrap();
        send(store, "lane", minute).await;
        found.map(|card| card.message)
    };
    assert_eq!(told(vec![resolved("B", 0, 2)], 2).await, Some(card));
    assert_eq!(told(vec![resolved("C", 1, 3)], 3).await, Some(next));
    assert_eq!(told(vec![resolved("A", 0, 4), firing("C", 4)], 4).await, None, "no card tells of both");
    assert_eq!(told(vec![firing("D", 5)], 5).await, None);
    assert_eq!(store.card(&LaneKey::stored("lane"), card, at(5)).await.unwrap(), None, "no card before it");
    let newest = store.admit(notification(6, "lane", vec![firing("B", 6)])).await.unwrap();
    let again = send_card(store, "lane", 6, "again").await;
    acknowledge(store, "1", newest.id, 7).await;
    let act = head(store, "lane", at(7)).await.unwrap().message;
    assert_eq!(store.card(&LaneKey::stored("lane"), act, at(7)).await.unwrap().unwrap().message, again, "the newest");
    assert_eq!(
        store.card(&LaneKey::stored("one"), act, at(7)).await.unwrap().map(|card| card.code),
        Some(Some("elsewhere".to_owned()))
    );
}
