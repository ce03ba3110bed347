//! Acts in a database shared by replicas, and the move from a file to one.

use super::acts::{listeners, wish};
use super::postgres::Schema;
use super::silences::done;
use super::*;

#[tokio::test]
async fn one_act_that_cannot_be_written_does_not_harm_its_neighbours() {
    let Some(schema) = Schema::make().await else { return };
    let store = schema.open().await;
    let told = store.admit(notification(0, "lane", vec![firing("A", 0), firing("B", 0)])).await.unwrap();
    let acts = (0..20).map(|number| {
        let act = wish(&format!("{number}"), ActKind::Acknowledge, About::Thread(ThreadId(told.id)));
        // No text of PostgreSQL holds this lane.
        let lanes = if number == 3 { [("ops", "a\0b")] } else { [("ops", "lane")] };
        store.act(NewAct { listeners: listeners(&lanes), ..act }, at(1))
    });
    // The act that cannot be written comes first: without its fault it would take the alerts.
    let mut acts: Vec<_> = acts.collect();
    acts.swap(0, 3);
    let results = futures_util::future::join_all(acts).await;
    assert!(matches!(results[0], Err(StoreError::Bug { .. })), "{:?}", results[0]);
    let states: Vec<ActState> = results[1..].iter().map(|result| result.as_ref().unwrap().state).collect();
    assert_eq!((states[0], states[1..].iter().all(|state| *state == ActState::Repeated)), (ActState::Done, true));
    assert_eq!(store.acts(ActFilter::default()).await.unwrap().len(), 19);
    store.close().await.unwrap();
    schema.remove().await;
}

#[tokio::test]
async fn clicks_at_two_replicas_acknowledge_once_and_an_event_is_done_once() {
    let Some(schema) = Schema::make().await else { return };
    let stores = [schema.open().await, schema.open().await];
    let told = stores[0].admit(notification(0, "lane", vec![firing("A", 0)])).await.unwrap();
    let acts = (0..100).map(|number| {
        let event = format!("{}", number / 2);
        let act = wish(&event, ActKind::Acknowledge, About::Thread(ThreadId(told.id)));
        stores[number % 2].act(act, at(1))
    });
    let acted: Vec<Acted> = futures_util::future::join_all(acts).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(acted.iter().filter(|acted| acted.again).count(), 50);
    let fresh = || acted.iter().filter(|acted| !acted.again);
    assert_eq!(fresh().filter(|acted| acted.state == ActState::Done).count(), 1);
    assert_eq!(stores[0].acts(ActFilter::default()).await.unwrap().len(), 50);
    assert_eq!(stores[1].waiting(&LaneKey::stored("lane"), at(1)).await.unwrap().messages.len(), 2);
    for store in &stores {
        store.close().await.unwrap();
    }
    schema.remove().await;
}

#[tokio::test]
async fn acts_are_moved_with_the_file() {
    let Some(schema) = Schema::make().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = open(folder.path()).await;
    let mut admission = notification(0, "lane", vec![firing("A", 0)]);
    admission.deliveries[0].escalate_after_ms = Some(MINUTE);
    file.admit(admission).await.unwrap();
    let claimed = claim(&file, "lane", 0, "card").await;
    let outcome = Outcome { class: "accepted", response_code: Some("code".to_owned()), ..Outcome::default() };
    file.settle(Settlement { outcome, ..settlement(claimed, "accepted", Next::Accepted) }, at(0)).await.unwrap();
    file.act(wish("1", ActKind::Acknowledge, About::Message(claimed.message)), at(1)).await.unwrap();
    let silence = wish("2", ActKind::Silence, About::Message(claimed.message));
    let act = file.act(NewAct { until: Some(at(60)), ..silence }, at(1)).await.unwrap().act;
    file.end_act(done(act, Some(("s1", 60))), at(2)).await.unwrap();
    let spoke = |heard_at| Conversation {
        bot: "duty".to_owned(),
        chat: "c".to_owned(),
        group: true,
        user: "u".to_owned(),
        heard_at,
    };
    file.learn(spoke(at(1))).await.unwrap();
    file.close().await.unwrap();
    copy(&folder.path().join("wegraf.db"), &schema.url, T0).await.unwrap();
    let (file, moved) = (open(folder.path()).await, schema.open().await);
    let acts = moved.acts(ActFilter::default()).await.unwrap();
    assert_eq!((acts.len(), &acts), (2, &file.acts(ActFilter::default()).await.unwrap()));
    assert_eq!(moved.silences(at(3)).await.unwrap(), file.silences(at(3)).await.unwrap());
    assert_eq!(moved.card_of(claimed.message).await.unwrap(), file.card_of(claimed.message).await.unwrap());
    assert!(moved.card_of(claimed.message).await.unwrap().is_some_and(|card| card.alerts[0].acknowledged.is_some()));
    assert_eq!(moved.act_alerts(act).await.unwrap(), file.act_alerts(act).await.unwrap());
    assert_eq!(moved.conversations().await.unwrap(), [spoke(at(1))]);
    assert_eq!(head(&moved, "lane", at(2)).await.map(|queued| queued.act), Some(true));
    let next = moved.act(wish("3", ActKind::Release, About::Message(claimed.message)), at(3)).await.unwrap();
    assert_eq!(next.act, 3, "numbers go on");
    let due = moved.due_escalations(at(1), 9).await.unwrap();
    assert_eq!((due.len(), due[0].fired_at), (1, at(0)), "no user owns it");
    file.close().await.unwrap();
    moved.close().await.unwrap();
    schema.remove().await;
}
