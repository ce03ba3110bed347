//! Acts: the owner of an alert, the receivers that are told of it, and idempotency.

use std::collections::HashMap;
use std::sync::Arc;

use super::*;

contract! {
    an_episode_tells_which_receivers_know_it,
    an_acknowledgement_is_told_to_the_alerts_receivers_except_the_lane_of_the_press,
    one_of_500_concurrent_clicks_acknowledges_and_all_are_recorded,
    a_repeated_event_gets_the_first_answer_and_writes_nothing,
    a_release_ends_an_acknowledgement,
    a_resolved_alert_cannot_be_acknowledged_and_a_denial_is_recorded,
    an_acknowledged_alert_has_no_reminders,
    a_new_episode_is_unacknowledged,
    a_thread_is_acknowledged_for_each_receiver_that_knows_its_alerts,
    acts_of_one_person_on_one_alert_are_limited,
    visitors_of_the_page_are_limited_together,
    presses_at_once_on_several_alerts_are_each_done_once,
    a_receiver_that_hears_of_an_alert_later_begins_with_its_acknowledgement,
}

pub(super) fn listeners(lanes: &[(&str, &str)]) -> Listeners {
    let mut all: HashMap<String, Vec<TargetRow>> = HashMap::new();
    for (receiver, lane) in lanes {
        let target = TargetRow::new(LaneKey::stored(*lane), format!(r#"{{"to":"{lane}"}}"#));
        all.entry((*receiver).to_owned()).or_default().push(target);
    }
    Arc::new(all)
}

pub(super) fn wish(event: &str, kind: ActKind, about: About) -> NewAct {
    let state = match kind {
        ActKind::Acknowledge | ActKind::Release => ActState::Done,
        _ => ActState::Open,
    };
    NewAct {
        event: event.to_owned(),
        kind,
        state,
        by: "zhangsan".to_owned(),
        via: "app/ops".to_owned(),
        about,
        only: Vec::new(),
        through: None,
        until: None,
        detail: String::new(),
        code: None,
        except_lane: None,
        listeners: listeners(&[("ops", "lane")]),
    }
}

pub(super) async fn acknowledge(store: &Store, event: &str, thread: i64, minute: i64) -> Acted {
    store.act(wish(event, ActKind::Acknowledge, About::Thread(ThreadId(thread))), at(minute)).await.unwrap()
}

/// A notification for two receivers, `ops` with the lane `lane` and `dba` with the lane `dba`.
pub(super) fn for_two(minute: i64, alerts: Vec<Arrival>) -> Admission {
    let mut admission = notification(minute, "lane", alerts);
    let mut second = admission.deliveries[0].clone();
    second.receiver = "dba".to_owned();
    second.targets = vec![TargetRow::new(LaneKey::stored("dba"), r#"{"to":"dba"}"#.to_owned())];
    admission.deliveries.push(second);
    admission
}

pub(super) fn kinds(queued: &Queued) -> Vec<TransitionKind> {
    queued.transitions.iter().map(|moved| moved.kind).collect()
}

async fn an_acknowledgement_is_told_to_the_alerts_receivers_except_the_lane_of_the_press(store: &Store) {
    let told = store.admit(for_two(0, vec![firing("HighCPU", 0), firing("DiskFull", 0)])).await.unwrap();
    let pressed = send(store, "lane", 0).await;
    send(store, "dba", 0).await;
    let mut act = wish("1", ActKind::Acknowledge, About::Message(pressed));
    act.listeners = listeners(&[("ops", "lane"), ("ops", "group"), ("dba", "dba"), ("other", "other")]);
    act.except_lane = Some(LaneKey::stored("lane"));
    let acted = store.act(act, at(1)).await.unwrap();
    assert_eq!((acted.state, acted.again, acted.before.clone()), (ActState::Done, false, None));
    assert_eq!(acted.lanes, ["dba", "group"].map(LaneKey::stored));
    let names: Vec<_> = acted.alerts.iter().map(|alert| alert.name.as_str()).collect();
    assert_eq!(names, ["HighCPU", "DiskFull"], "each once");
    let doer = Doer { by: "zhangsan".to_owned(), at: at(1), until: None };
    assert!(acted.alerts.iter().all(|alert| alert.acknowledged == Some(doer.clone())));
    assert!(head(store, "lane", at(1)).await.is_none());
    assert!(head(store, "other", at(1)).await.is_none());
    for (lane, receiver) in [("group", "ops"), ("dba", "dba")] {
        let queued = head(store, lane, at(1)).await.unwrap();
        assert_eq!(kinds(&queued), [TransitionKind::Acknowledged, TransitionKind::Acknowledged]);
        assert_eq!((queued.act, queued.critical, queued.digest), (true, false, false));
        assert_eq!(
            (queued.thread, queued.notification.id, queued.receiver.as_str()),
            (ThreadId(told.id), told.id, receiver)
        );
        assert_eq!(queued.target_json, format!(r#"{{"to":"{lane}"}}"#));
        assert_eq!(queued.transitions[0].starts_at, Some(at(0)));
        assert!(
            store.waiting(&LaneKey::stored(lane), at(1)).await.unwrap().messages[0].urgent,
            "an answer is worth the reserve"
        );
        let row = store.delivery(queued.message).await.unwrap().unwrap().row;
        assert_eq!((row.act, row.firing, row.resolved), (Some(ActKind::Acknowledge), 0, 0));
    }
    let touched = store.act_alerts(acted.act).await.unwrap();
    assert_eq!(touched.len(), 4, "of each receiver");
    assert!(touched.iter().all(|alert| alert.acknowledged == Some(doer.clone())));
}

async fn one_of_500_concurrent_clicks_acknowledges_and_all_are_recorded(store: &Store) {
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    let message = send(store, "lane", 0).await;
    let begun = std::time::Instant::now();
    let clicks = (0..500).map(|number| {
        let mut act = wish(&format!("click {number}"), ActKind::Acknowledge, About::Message(message));
        act.by = format!("person {number}");
        store.act(act, at(1))
    });
    let acted: Vec<Acted> = futures_util::future::join_all(clicks).await.into_iter().collect::<Result<_, _>>().unwrap();
    println!("500 clicks took {:?}", begun.elapsed());
    let (done, repeated): (Vec<_>, Vec<_>) = acted.iter().partition(|acted| acted.state == ActState::Done);
    assert_eq!((done.len(), repeated.len()), (1, 499));
    let winner = done[0].alerts[0].acknowledged.clone().unwrap();
    for acted in repeated {
        assert_eq!((acted.state, acted.before.as_ref()), (ActState::Repeated, Some(&winner)));
        assert!(acted.lanes.is_empty());
    }
    let filter = ActFilter { limit: 1000, ..ActFilter::default() };
    let rows = store.acts(filter).await.unwrap();
    assert_eq!(rows.len(), 500);
    assert_eq!(rows.iter().map(|row| row.alerts).sum::<u64>(), 1, "only one touched it");
    assert_eq!(
        store.waiting(&LaneKey::stored("lane"), at(1)).await.unwrap().messages.len(),
        1,
        "one message tells of it"
    );
}

async fn a_repeated_event_gets_the_first_answer_and_writes_nothing(store: &Store) {
    let told = store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    let card = send(store, "lane", 0).await;
    let long = "长".repeat(100);
    let first = acknowledge(store, &long, told.id, 1).await;
    let mut act = wish(&long, ActKind::Release, About::Thread(ThreadId(told.id)));
    act.by = "lisi".to_owned();
    act.code = Some(NewCode { message: card, code: "late".to_owned() });
    let again = store.act(act, at(2)).await.unwrap();
    assert_eq!((again.act, again.state, again.again), (first.act, ActState::Done, true));
    assert_eq!(again.before, Some(Doer { by: "zhangsan".to_owned(), at: at(1), until: None }));
    assert_eq!((again.lanes.len(), again.alerts.len()), (0, 1));
    assert_eq!(store.card_of(card).await.unwrap().unwrap().code, None, "nothing is written");
    assert_eq!(store.acts(ActFilter::default()).await.unwrap().len(), 1);
    assert!(acknowledge(store, "other", told.id, 3).await.before.is_some_and(|doer| doer.by == "zhangsan"));
}

async fn a_release_ends_an_acknowledgement(store: &Store) {
    let told = store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    send(store, "lane", 0).await;
    let release = |event: &str| wish(event, ActKind::Release, About::Thread(ThreadId(told.id)));
    let nobody = store.act(release("1"), at(1)).await.unwrap();
    assert_eq!((nobody.state, nobody.before), (ActState::Repeated, None));
    acknowledge(store, "2", told.id, 2).await;
    send(store, "lane", 2).await;
    let given = store.act(release("3"), at(3)).await.unwrap();
    assert_eq!((given.state, given.lanes.as_slice()), (ActState::Done, [LaneKey::stored("lane")].as_slice()));
    assert_eq!(given.alerts[0].acknowledged, None);
    assert_eq!(kinds(&head(store, "lane", at(3)).await.unwrap()), [TransitionKind::Released]);
    assert_eq!(acknowledge(store, "4", told.id, 4).await.state, ActState::Done);
}

async fn a_resolved_alert_cannot_be_acknowledged_and_a_denial_is_recorded(store: &Store) {
    let told = store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    let card = send(store, "lane", 0).await;
    let denied = NewAct {
        state: ActState::Denied,
        code: Some(NewCode { message: card, code: "fresh".to_owned() }),
        ..wish("1", ActKind::Acknowledge, About::Message(card))
    };
    let acted = store.act(denied, at(1)).await.unwrap();
    assert_eq!((acted.state, acted.lanes.len(), acted.alerts[0].acknowledged.clone()), (ActState::Denied, 0, None));
    let kept = store.card_of(card).await.unwrap().unwrap().code;
    assert_eq!(kept, None, "the code goes with the answer to the press");
    assert_eq!(acknowledge(store, "2", told.id, 1).await.state, ActState::Done);
    store.admit(notification(2, "lane", vec![resolved("HighCPU", 0, 2)])).await.unwrap();
    let late = wish("3", ActKind::Acknowledge, About::Message(card));
    let late = store.act(late, at(3)).await.unwrap();
    assert_eq!((late.state, late.alerts.len(), late.lanes.len()), (ActState::Void, 0, 0));
    assert_eq!(acknowledge(store, "4", 4711, 3).await.state, ActState::Void, "there is no such thread");
    let nothing = store.act(wish("5", ActKind::Extend, About::Nothing), at(3)).await.unwrap();
    assert_eq!(nothing.state, ActState::Open, "it is about no alert of ours");
    let rows = store.acts(ActFilter::default()).await.unwrap();
    let states: Vec<_> = rows.iter().map(|row| (row.state, row.thread.0, row.message, row.alerts)).collect();
    assert_eq!(
        states,
        [
            (ActState::Open, 0, None, 0),
            (ActState::Void, 4711, None, 0),
            (ActState::Void, told.id, Some(card), 0),
            (ActState::Done, told.id, None, 1),
            (ActState::Denied, told.id, Some(card), 0),
        ]
    );
}

async fn an_acknowledged_alert_has_no_reminders(store: &Store) {
    let told = store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    send(store, "lane", 0).await;
    acknowledge(store, "1", told.id, 1).await;
    send(store, "lane", 1).await;
    let repeat = store.admit(notification(90, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    assert_eq!((repeat.duplicate, repeat.unchanged, repeat.messages), (true, 1, 0));
    store.act(wish("2", ActKind::Release, About::Thread(ThreadId(told.id))), at(91)).await.unwrap();
    send(store, "lane", 91).await;
    let repeat = store.admit(notification(92, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    assert_eq!(repeat.messages, 1, "now no user owns it");
    assert_eq!(kinds(&head(store, "lane", at(92)).await.unwrap()), [TransitionKind::Reminder]);
}

async fn a_new_episode_is_unacknowledged(store: &Store) {
    let told = store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    acknowledge(store, "1", told.id, 1).await;
    store.admit(notification(2, "lane", vec![resolved("HighCPU", 0, 2)])).await.unwrap();
    let identity = firing("HighCPU", 0).identity;
    assert_eq!(store.told_firing(vec![identity]).await.unwrap(), []);
    let second = store.admit(notification(3, "lane", vec![firing("HighCPU", 3)])).await.unwrap();
    let on = store.told_firing(vec![identity]).await.unwrap();
    assert_eq!((on.len(), on[0].acknowledged.clone(), on[0].thread.0), (1, None, second.id));
    acknowledge(store, "2", second.id, 4).await;
    // The end in between never reached us.
    let third = store.admit(notification(5, "lane", vec![firing("HighCPU", 5)])).await.unwrap();
    let on = store.told_firing(vec![identity]).await.unwrap();
    assert_eq!((on[0].acknowledged.clone(), on[0].thread.0), (None, third.id));
}

async fn a_thread_is_acknowledged_for_each_receiver_that_knows_its_alerts(store: &Store) {
    let first = store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    // The other receiver is told of it later, under another short id.
    let mut second = for_two(1, vec![firing("HighCPU", 0)]);
    second.deliveries.remove(0);
    let second = store.admit(second).await.unwrap();
    assert_ne!(first.id, second.id);
    let mut act = wish("1", ActKind::Acknowledge, About::Thread(ThreadId(second.id)));
    act.listeners = listeners(&[("ops", "lane"), ("dba", "dba")]);
    let acted = store.act(act, at(2)).await.unwrap();
    assert_eq!((acted.lanes.len(), acted.alerts.len()), (2, 1));
    for thread in [first.id, second.id] {
        let filter = ActFilter { thread: Some(ThreadId(thread)), ..ActFilter::default() };
        assert_eq!(store.acts(filter).await.unwrap().len(), 1, "it is found by either short id");
    }
    let on = store.told_firing(vec![firing("HighCPU", 0).identity]).await.unwrap();
    assert!(on.len() == 2 && on.iter().all(|alert| alert.acknowledged.is_some()));
    let receivers: Vec<_> = on.iter().map(|alert| (alert.receiver.as_str(), alert.thread.0)).collect();
    assert_eq!(receivers, [("ops", first.id), ("dba", second.id)]);
}

async fn an_episode_tells_which_receivers_know_it(store: &Store) {
    let told = store.admit(notification(0, "lane", vec![firing("A", 0)])).await.unwrap();
    let mut other = notification(1, "lane", vec![firing("A", 0)]);
    other.deliveries[0].receiver = "boss".to_owned();
    store.admit(other).await.unwrap();
    store.admit(notification(2, "lane", vec![resolved("A", 0, 2)])).await.unwrap();
    assert_eq!(store.receivers_of(ThreadId(told.id)).await.unwrap(), ["ops"], "over or not");
    assert_eq!(store.receivers_of(ThreadId(4711)).await.unwrap(), [""; 0]);
}

async fn acts_of_one_person_on_one_alert_are_limited(store: &Store) {
    let told = store.admit(for_two(0, vec![firing("HighCPU", 0)])).await.unwrap();
    let other = store.admit(for_two(0, vec![firing("DiskFull", 0)])).await.unwrap();
    let press = async |by: &str, event: &str, thread: i64, minute: i64| {
        let kind = if event.starts_with("take") { ActKind::Acknowledge } else { ActKind::Release };
        let act = NewAct { by: by.to_owned(), ..wish(event, kind, About::Thread(ThreadId(thread))) };
        store.act(act, at(minute)).await.unwrap()
    };
    for round in 0..5 {
        assert_eq!(press("zhangsan", &format!("take {round}"), told.id, 0).await.state, ActState::Done);
        assert_eq!(press("ZhangSan", &format!("leave {round}"), told.id, 1).await.state, ActState::Done);
    }
    let limited = press("zhangsan", "take again", told.id, 1).await;
    assert_eq!((limited.state, limited.lanes), (ActState::Limited, Vec::new()));
    assert_eq!(limited.alerts[0].acknowledged, None, "nothing changed");
    assert_eq!(store.acts(ActFilter::default()).await.unwrap().len(), 10, "nothing was recorded");
    // Another person, another alert, and the same person later are not concerned; nor is a repeated event.
    assert_eq!(press("lisi", "take by lisi", told.id, 1).await.state, ActState::Done);
    assert_eq!(press("zhangsan", "take other", other.id, 1).await.state, ActState::Done);
    assert!(press("zhangsan", "take 0", told.id, 1).await.again);
    assert_eq!(press("zhangsan", "leave later", told.id, 11).await.state, ActState::Done);
}

async fn visitors_of_the_page_are_limited_together(store: &Store) {
    let told = store.admit(for_two(0, vec![firing("HighCPU", 0)])).await.unwrap();
    let visit = async |event: i64| {
        let kind = if event % 2 == 0 { ActKind::Acknowledge } else { ActKind::Release };
        let (by, via) = (format!("visitor {event}"), format!("page/10.0.0.{event}"));
        let act = NewAct { by, via, ..wish(&event.to_string(), kind, About::Thread(ThreadId(told.id))) };
        store.act(act, at(0)).await.unwrap().state
    };
    for event in 0..10 {
        assert_eq!(visit(event).await, ActState::Done);
    }
    assert_eq!(visit(10).await, ActState::Limited, "another name and address");
    // A person whom WeCom names is not concerned.
    assert_eq!(acknowledge(store, "press", told.id, 0).await.state, ActState::Done);
}

async fn presses_at_once_on_several_alerts_are_each_done_once(store: &Store) {
    let mut threads = Vec::new();
    for alert in 0..8 {
        threads.push(store.admit(for_two(0, vec![firing(&format!("alert {alert}"), 0)])).await.unwrap().id);
    }
    let mut presses = tokio::task::JoinSet::new();
    for press in 0..64 {
        let (store, thread) = (store.clone(), threads[press % 8]);
        let act = NewAct {
            by: format!("user {}", press / 8),
            listeners: listeners(&[("ops", "lane"), ("dba", "dba")]),
            // Every event comes twice.
            ..wish(&format!("press {}", press % 32), ActKind::Acknowledge, About::Thread(ThreadId(thread)))
        };
        presses.spawn(async move { (thread, store.act(act, at(1)).await.unwrap()) });
    }
    let acted = presses.join_all().await;
    for thread in threads {
        let of = |state: ActState, again: bool| {
            acted.iter().filter(|(of, acted)| (*of, acted.state, acted.again) == (thread, state, again)).count()
        };
        assert_eq!((of(ActState::Done, false), of(ActState::Repeated, false)), (1, 3), "episode {thread}");
        assert_eq!(of(ActState::Done, true) + of(ActState::Repeated, true), 4);
    }
    assert_eq!(store.acts(ActFilter::default()).await.unwrap().len(), 32);
    let waiting = store.waiting(&LaneKey::stored("dba"), at(1)).await.unwrap().messages;
    assert_eq!(waiting.iter().filter(|message| !message.fresh).count(), 8, "one message about each");
}

async fn a_receiver_that_hears_of_an_alert_later_begins_with_its_acknowledgement(store: &Store) {
    let told = store.admit(notification(0, "lane", vec![firing("HighCPU", 0), firing("DiskFull", 0)])).await.unwrap();
    let by = NewAct {
        only: vec![firing("HighCPU", 0).identity],
        through: None,
        ..wish("1", ActKind::Acknowledge, About::Thread(ThreadId(told.id)))
    };
    let acted = store.act(by, at(1)).await.unwrap();
    let later = store.admit(for_two(2, vec![firing("HighCPU", 0), firing("DiskFull", 0)])).await.unwrap();
    assert_eq!((later.messages, later.transitions), (2, 3), "its beginning, and the acknowledgement of one of the two");
    let lane = LaneKey::stored("dba");
    let waiting = store.waiting(&lane, at(2)).await.unwrap().messages;
    let [beginning, about] = &waiting[..] else { panic!("{waiting:?}") };
    assert!(beginning.message < about.message);
    let about = store.queued(about.message).await.unwrap().unwrap();
    assert_eq!((kinds(&about), about.receiver.as_str(), about.act), (vec![TransitionKind::Acknowledged], "dba", true));
    let news = store.act_news(about.message).await.unwrap().unwrap();
    assert_eq!((news.kind, news.doer.by.as_str(), news.count), (ActKind::Acknowledge, "zhangsan", 1));
    assert_eq!(news.alerts[0].name, "HighCPU");
    // For it the alert is taken, too: it has no reminders.
    let on = store.told_firing(vec![firing("HighCPU", 0).identity]).await.unwrap();
    let owners: Vec<_> = on.iter().map(|alert| alert.acknowledged.as_ref().map(|doer| doer.at)).collect();
    assert_eq!(owners, [Some(at(1)), Some(at(1))]);
    assert!(acted.act > 0);
    // It may pass that on, in the words of the act.
    let over = notification(2, "lane", vec![resolved("HighCPU", 0, 2)]);
    store.admit(over).await.unwrap();
    let back = store.admit(notification(2, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    assert_eq!((back.messages, back.transitions), (2, 2), "it fires for the first receiver again");
    let lane = store.waiting(&LaneKey::stored("lane"), at(2)).await.unwrap().messages;
    let about = lane.last().unwrap().message;
    assert_eq!(store.act_news(about).await.unwrap().unwrap().doer.by, "zhangsan");
    // Another episode is not taken, even if a receiver was not told that the old one is over.
    let mut anew = notification(3, "fourth", vec![firing("HighCPU", 3)]);
    anew.deliveries[0].receiver = "fourth".to_owned();
    assert_eq!(store.admit(anew).await.unwrap().messages, 1);
    // Given back, a receiver that hears of it later begins without an owner.
    store.act(wish("2", ActKind::Release, About::Thread(ThreadId(back.id))), at(3)).await.unwrap();
    let mut third = notification(4, "third", vec![firing("HighCPU", 0)]);
    third.deliveries[0].receiver = "third".to_owned();
    assert_eq!(store.admit(third).await.unwrap().messages, 1);
}
