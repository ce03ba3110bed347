//! Acts on many alerts: what is over, or not meant, takes no place from what fires.

use super::acts::wish;
use super::*;
use crate::engine::act::ACT_ALERTS;

contract! {
    an_act_reaches_what_fires_among_many_that_are_over,
    an_act_that_means_some_alerts_of_many_reaches_them,
    an_act_tells_how_many_alerts_it_did_not_reach_and_the_next_one_reaches_them,
    a_card_of_many_alerts_holds_those_that_fire,
    a_person_who_has_an_alert_of_many_has_it,
    an_end_finds_its_own_alert_among_many_with_its_title,
}

/// More alerts than a page of anything.
const MANY: usize = 2_500;

fn name(place: usize) -> String {
    format!("alert {place}")
}

/// Queues a message about [`MANY`] alerts, of which only the last ten fire. Its number, and its episode.
async fn mostly_over(store: &Store) -> (i64, i64) {
    let all = (0..MANY).map(|place| firing(&name(place), 0)).collect();
    let told = store.admit(notification(0, "lane", all)).await.unwrap();
    let message = send(store, "lane", 0).await;
    let over = (0..MANY - 10).map(|place| resolved(&name(place), 0, 1)).collect();
    store.admit(notification(1, "lane", over)).await.unwrap();
    (message, told.id)
}

async fn an_act_reaches_what_fires_among_many_that_are_over(store: &Store) {
    let (message, thread) = mostly_over(store).await;
    let acted = store.act(wish("1", ActKind::Acknowledge, About::Message(message)), at(2)).await.unwrap();
    assert_eq!((acted.state, acted.alerts.len()), (ActState::Done, 10));
    let acted = store.act(wish("2", ActKind::Release, About::Thread(ThreadId(thread))), at(3)).await.unwrap();
    assert_eq!((acted.state, acted.alerts.len()), (ActState::Done, 10));
}

async fn an_act_that_means_some_alerts_of_many_reaches_them(store: &Store) {
    let all = (0..MANY).map(|place| firing(&name(place), 0)).collect();
    let told = store.admit(notification(0, "lane", all)).await.unwrap();
    let meant: Vec<usize> = (0..MANY).step_by(100).chain([MANY - 1]).collect();
    let only = meant.iter().map(|place| firing(&name(*place), 0).identity).collect();
    let forget = NewAct { state: ActState::Done, only, ..wish("1", ActKind::Forget, About::Thread(ThreadId(told.id))) };
    let acted = store.act(forget, at(1)).await.unwrap();
    let names: Vec<String> = acted.alerts.iter().map(|alert| alert.name.clone()).collect();
    assert_eq!(names, meant.into_iter().map(name).collect::<Vec<_>>());
    let stranger = NewAct {
        state: ActState::Done,
        only: vec![firing("elsewhere", 0).identity],
        ..wish("2", ActKind::Forget, About::Thread(ThreadId(told.id)))
    };
    store.admit(notification(1, "lane", vec![firing("elsewhere", 1)])).await.unwrap();
    assert_eq!(store.act(stranger, at(2)).await.unwrap().alerts, [], "it is of another episode");
}

async fn an_act_tells_how_many_alerts_it_did_not_reach_and_the_next_one_reaches_them(store: &Store) {
    let all = (0..ACT_ALERTS + 7).map(|place| firing(&name(place), 0)).collect();
    store.admit(notification(0, "lane", all)).await.unwrap();
    let message = send(store, "lane", 0).await;
    let acted = store.act(wish("1", ActKind::Acknowledge, About::Message(message)), at(1)).await.unwrap();
    assert_eq!((acted.state, acted.alerts.len(), acted.missed), (ActState::Done, ACT_ALERTS, 7));
    let acted = store.act(wish("2", ActKind::Acknowledge, About::Message(message)), at(2)).await.unwrap();
    assert_eq!((acted.state, acted.missed), (ActState::Done, 0));
    let row = store.acts(ActFilter::default()).await.unwrap().remove(0);
    assert_eq!(row.alerts, 7);
    let acted = store.act(wish("3", ActKind::Acknowledge, About::Message(message)), at(3)).await.unwrap();
    assert_eq!((acted.state, acted.missed), (ActState::Repeated, 0));
}

async fn a_person_who_has_an_alert_of_many_has_it(store: &Store) {
    let told = store.admit(notification(0, "lane", vec![firing("A", 0)])).await.unwrap();
    let thread = ThreadId(told.id);
    assert!(!store.has("zhangsan", thread).await.unwrap());
    store.act(wish("1", ActKind::Acknowledge, About::Thread(thread)), at(1)).await.unwrap();
    assert!(store.has("ZhangSan", thread).await.unwrap());
    assert!(!store.has("lisi", thread).await.unwrap() && !store.has("zhangsan", ThreadId(4711)).await.unwrap());
    store.admit(notification(2, "lane", vec![resolved("A", 0, 2)])).await.unwrap();
    assert!(!store.has("zhangsan", thread).await.unwrap(), "it is over");
}

async fn an_end_finds_its_own_alert_among_many_with_its_title(store: &Store) {
    let kin = |place: usize| Related {
        family: [1; 16],
        event: Some([u8::try_from(place % 256).unwrap(); 16]),
        keyed: false,
        marks: std::iter::once(format!("db-{place}")).collect(),
    };
    let all = |count: usize| (0..count).map(|place| Arrival { kin: Some(kin(place)), ..firing(&name(place), 0) });
    store.admit(notification(0, "lane", all(3).collect())).await.unwrap();
    let few = store.candidates(firing("elsewhere", 0).identity, &kin(2)).await.unwrap();
    assert_eq!((few.alerts.len(), few.all), (3, true));
    store.admit(notification(1, "lane", all(250).collect())).await.unwrap();
    let last = firing(&name(249), 0).identity;
    let many = store.candidates(last, &kin(7)).await.unwrap();
    assert!(!many.all, "what seems to be the only one may not be");
    assert_eq!(many.alerts[0].identity, last, "itself comes first");
    assert_eq!(many.alerts[1].identity, firing(&name(7), 0).identity, "then its event");
}

async fn a_card_of_many_alerts_holds_those_that_fire(store: &Store) {
    let (message, _) = mostly_over(store).await;
    let card = store.card_of(message).await.unwrap().unwrap();
    assert_eq!(card.alerts.iter().filter(|alert| alert.status == Status::Firing).count(), 10);
}
