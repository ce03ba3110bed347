//! Silences, from the request to their end; conversations.

use super::acts::{listeners, wish};
use super::*;

contract! {
    a_silence_is_requested_once_unless_it_is_to_last_longer,
    a_silence_is_kept_with_its_act_and_told_when_it_is_made,
    a_silence_is_extended_and_ended,
    a_failed_silence_is_recorded_and_not_told,
    an_act_is_closed_once,
    a_conversation_is_learnt_and_never_goes_back_in_time,
    a_notification_is_read_as_it_was_kept,
}

fn silence(event: &str, thread: i64, until: i64) -> NewAct {
    NewAct { until: Some(at(until)), ..wish(event, ActKind::Silence, About::Thread(ThreadId(thread))) }
}

pub(super) fn done(act: i64, silence: Option<(&str, i64)>) -> ActEnd {
    let silence = silence.map(|(id, until)| NewSilence {
        upstream: "am".to_owned(),
        upstream_id: id.to_owned(),
        matchers_json: r#"[{"name":"alertname"}]"#.to_owned(),
        until: at(until),
    });
    ActEnd {
        act,
        state: ActState::Done,
        detail: "done".to_owned(),
        silence,
        except_lane: None,
        listeners: listeners(&[("ops", "lane")]),
    }
}

async fn a_silence_is_requested_once_unless_it_is_to_last_longer(store: &Store) {
    let told = store.admit(notification(0, "lane", vec![firing("A", 0), firing("B", 0)])).await.unwrap();
    send(store, "lane", 0).await;
    let ask = async |event: &str, until: i64, minute: i64| {
        store.act(silence(event, told.id, until), at(minute)).await.unwrap()
    };
    let first = ask("1", 61, 1).await;
    assert_eq!((first.state, first.alerts.len()), (ActState::Open, 2));
    let again = ask("2", 62, 2).await;
    assert_eq!(again.state, ActState::Repeated, "a minute later, an hour is the same hour");
    assert_eq!(again.before, Some(Doer { by: "zhangsan".to_owned(), at: at(1), until: Some(at(61)) }));
    assert_eq!(ask("3", 63, 3).await.state, ActState::Open, "longer");
    store.end_act(ActEnd { state: ActState::Failed, ..done(3, None) }, at(3)).await.unwrap();
    store.end_act(done(first.act, Some(("s1", 61))), at(4)).await.unwrap();
    assert_eq!(ask("4", 60, 5).await.state, ActState::Repeated);
    assert_eq!(ask("5", 130, 62).await.state, ActState::Open, "the first one is over");
    // One that is about fewer alerts does not cover all of them.
    store.admit(notification(63, "lane", vec![firing("C", 63), firing("D", 63)])).await.unwrap();
    send(store, "lane", 63).await;
    let both = send(store, "lane", 63).await;
    store.admit(notification(64, "lane", vec![resolved("D", 63, 64)])).await.unwrap();
    let press = async |event: &str, minute: i64| {
        let act = wish(event, ActKind::Silence, About::Message(both));
        store.act(NewAct { until: Some(at(200)), ..act }, at(minute)).await.unwrap().state
    };
    assert_eq!(press("6", 65).await, ActState::Open);
    assert_eq!(press("7", 65).await, ActState::Repeated);
    store.admit(notification(66, "lane", vec![firing("D", 66)])).await.unwrap();
    assert_eq!(press("8", 67).await, ActState::Open, "D is on again");
    store.admit(notification(68, "lane", vec![resolved("C", 63, 68), resolved("D", 66, 68)])).await.unwrap();
    assert_eq!(press("9", 69).await, ActState::Void);
    let nothing = NewAct { about: About::Nothing, ..silence("10", 0, 200) };
    assert_eq!(store.act(nothing, at(69)).await.unwrap().state, ActState::Open);
}

async fn a_silence_is_kept_with_its_act_and_told_when_it_is_made(store: &Store) {
    let told = store.admit(notification(0, "lane", vec![firing("A", 0)])).await.unwrap();
    send(store, "lane", 0).await;
    let act = store.act(silence("1", told.id, 61), at(1)).await.unwrap();
    assert!(act.lanes.is_empty() && head(store, "lane", at(1)).await.is_none(), "a request is not told");
    assert_eq!(store.silences(at(1)).await.unwrap(), []);
    let ended = store.end_act(done(act.act, Some(("s1", 62))), at(2)).await.unwrap();
    assert_eq!((ended.state, ended.again, ended.lanes.len(), ended.alerts.len()), (ActState::Done, false, 1, 1));
    let expected = Silence {
        act: act.act,
        upstream: "am".to_owned(),
        upstream_id: "s1".to_owned(),
        matchers_json: r#"[{"name":"alertname"}]"#.to_owned(),
        thread: ThreadId(told.id),
        by: "zhangsan".to_owned(),
        at: at(1),
        until: at(62),
        absent: 0,
    };
    assert_eq!(store.silences(at(62 + 75)).await.unwrap(), [expected]);
    assert_eq!(store.silences(Timestamp(at(62 + 75).0 + 1)).await.unwrap(), []);
    let message = head(store, "lane", at(2)).await.unwrap();
    assert_eq!(message.transitions[0].kind, TransitionKind::Silenced);
    let news = store.act_news(message.message).await.unwrap().unwrap();
    assert_eq!((news.kind, news.doer.until), (ActKind::Silence, Some(at(62))));
    store.note_silence(act.act, 3).await.unwrap();
    assert_eq!(store.silences(at(3)).await.unwrap()[0].absent, 3);
    let row = store.acts(ActFilter::default()).await.unwrap().remove(0);
    assert_eq!((row.state, row.detail.as_str(), row.until), (ActState::Done, "done", Some(at(62))));
}

async fn a_silence_is_extended_and_ended(store: &Store) {
    let told = store.admit(notification(0, "lane", vec![firing("A", 0)])).await.unwrap();
    send(store, "lane", 0).await;
    let act = store.act(silence("1", told.id, 61), at(1)).await.unwrap().act;
    store.end_act(done(act, Some(("s1", 61))), at(1)).await.unwrap();
    send(store, "lane", 1).await;
    let wanted = async |event: &str, kind: ActKind, minute: i64| {
        store.act(wish(event, kind, About::Thread(ThreadId(told.id))), at(minute)).await.unwrap().act
    };
    let longer = wanted("2", ActKind::Extend, 2).await;
    store.end_act(done(longer, Some(("s1", 120))), at(2)).await.unwrap();
    assert_eq!(head(store, "lane", at(2)).await.unwrap().transitions[0].kind, TransitionKind::Silenced);
    send(store, "lane", 2).await;
    let all = store.silences(at(3)).await.unwrap();
    assert_eq!(all.iter().map(|silence| (silence.act, silence.until)).collect::<Vec<_>>(), [(act, at(120))]);
    store.extend_silence(act, "s2".to_owned(), at(180)).await.unwrap();
    store.end_silence(act, "s1".to_owned(), at(3)).await.unwrap();
    assert_eq!(store.silences(at(3)).await.unwrap()[0].until, at(180), "another one took the place of the first");
    store.end_silence(act, "s2".to_owned(), at(170)).await.unwrap();
    assert_eq!(store.silences(at(3)).await.unwrap()[0].until, at(170));
    let over = wanted("3", ActKind::Expire, 4).await;
    store.end_silence(act, "s2".to_owned(), at(4)).await.unwrap();
    store.end_act(done(over, None), at(4)).await.unwrap();
    let all = store.silences(at(4)).await.unwrap();
    assert_eq!((all[0].upstream_id.as_str(), all[0].until), ("s2", at(4)));
    assert_eq!(head(store, "lane", at(4)).await.unwrap().transitions[0].kind, TransitionKind::Unsilenced);
    assert_eq!(store.act(silence("4", told.id, 60), at(5)).await.unwrap().state, ActState::Open, "there is none now");
}

async fn a_failed_silence_is_recorded_and_not_told(store: &Store) {
    let told = store.admit(notification(0, "lane", vec![firing("A", 0)])).await.unwrap();
    send(store, "lane", 0).await;
    let act = store.act(silence("1", told.id, 61), at(1)).await.unwrap().act;
    let failed = ActEnd { state: ActState::Failed, detail: "no route".to_owned(), ..done(act, Some(("s1", 61))) };
    let ended = store.end_act(failed, at(2)).await.unwrap();
    assert_eq!((ended.state, ended.lanes.len()), (ActState::Failed, 0));
    assert!(head(store, "lane", at(2)).await.is_none());
    assert_eq!(store.silences(at(2)).await.unwrap(), []);
    let row = store.acts(ActFilter::default()).await.unwrap().remove(0);
    assert_eq!((row.state, row.detail.as_str()), (ActState::Failed, "no route"));
    assert_eq!(
        store.act(silence("2", told.id, 61), at(3)).await.unwrap().state,
        ActState::Open,
        "it can be tried again"
    );
}

async fn an_act_is_closed_once(store: &Store) {
    let told = store.admit(notification(0, "lane", vec![firing("A", 0)])).await.unwrap();
    send(store, "lane", 0).await;
    let act = store.act(silence("1", told.id, 61), at(1)).await.unwrap().act;
    store.end_act(done(act, Some(("s1", 61))), at(2)).await.unwrap();
    let again = store.end_act(done(act, Some(("s2", 90))), at(3)).await.unwrap();
    assert_eq!((again.again, again.state, again.lanes.len()), (true, ActState::Done, 0));
    assert_eq!(store.silences(at(3)).await.unwrap().len(), 1);
    assert_eq!(store.waiting(&LaneKey::stored("lane"), at(3)).await.unwrap().messages.len(), 1);
}

async fn a_conversation_is_learnt_and_never_goes_back_in_time(store: &Store) {
    let heard = |chat: &str, user: &str, minute: i64| Conversation {
        bot: "duty".to_owned(),
        chat: chat.to_owned(),
        group: chat == "group",
        user: user.to_owned(),
        heard_at: at(minute),
    };
    for conversation in [heard("zhangsan", "zhangsan", 0), heard("group", "lisi", 5), heard("group", "wangwu", 3)] {
        store.learn(conversation).await.unwrap();
    }
    let all = store.conversations().await.unwrap();
    assert_eq!(all, [heard("group", "lisi", 5), heard("zhangsan", "zhangsan", 0)]);
    store.learn(heard("group", "wangwu", 6)).await.unwrap();
    assert_eq!(store.conversations().await.unwrap()[0], heard("group", "wangwu", 6));
}

async fn a_notification_is_read_as_it_was_kept(store: &Store) {
    let admitted = store.admit(notification(3, "lane", vec![firing("A", 0)])).await.unwrap();
    let kept = store.notification(admitted.id).await.unwrap().unwrap();
    assert_eq!((kept.id, &*kept.source.stored(), kept.received_at), (admitted.id, "grafana", at(3)));
    assert_eq!(&kept.raw[..], br#"{"alerts":[]}"#);
    assert!(store.notification(4711).await.unwrap().is_none());
}
