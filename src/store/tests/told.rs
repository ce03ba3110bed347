//! Messages about acts, and the record of acts.

use futures_util::FutureExt as _;

use super::acts::{acknowledge, for_two, kinds, listeners, wish};
use super::*;
use crate::names::Part;
use TransitionKind::{Acknowledged, Firing, Resolved};

contract! {
    a_message_about_an_act_waits_behind_the_beginning_and_names_the_owner,
    a_digest_leaves_messages_about_acts_alone,
    an_end_takes_over_pending_transitions_of_the_beginning_and_the_act,
    a_message_about_an_act_that_fails_is_told_by_its_fallback,
    a_lane_is_told_of_an_act_later_and_once,
    acts_are_listed_newest_first_by_thread_person_state_and_time,
    firing_alerts_are_listed_once_critical_first,
    firing_alerts_are_listed_by_receiver_and_by_owner,
    prune_deletes_old_acts_unless_their_alert_is_firing,
    the_delivery_wakes_for_what_is_queued,
    messages_about_acts_fold_to_the_last_state,
    a_critical_alert_is_seen_however_much_waits,
    messages_that_may_wait_longer_hide_none_that_is_late,
    what_waits_for_too_long_is_copied_to_the_fallback_once,
    a_digest_that_its_fallback_told_by_age_is_not_told_there_again,
}

async fn a_message_about_an_act_waits_behind_the_beginning_and_names_the_owner(store: &Store) {
    let mut critical = firing("DiskFull", 0);
    critical.critical = true;
    let told = store.admit(notification(0, "lane", vec![firing("HighCPU", 0), critical])).await.unwrap();
    acknowledge(store, "1", told.id, 1).await;
    let waiting = store.waiting(&LaneKey::stored("lane"), at(1)).await.unwrap();
    let [beginning, act] = &waiting.messages[..] else { panic!("{waiting:?}") };
    assert_eq!((beginning.fresh, act.fresh, waiting.fresh), (true, false, 1), "an act is nothing to fold");
    let early = store.claim(super::wish(store, act.message, 0, Some(bytes(&["act"]))).await, at(1)).await.unwrap();
    assert_eq!(early, Taken::Behind);
    assert_eq!(store.act_news(beginning.message).await.unwrap(), None);
    let news = store.act_news(act.message).await.unwrap().unwrap();
    let names: Vec<_> = news.alerts.iter().map(|alert| alert.name.as_str()).collect();
    assert_eq!((news.kind, news.count, names), (ActKind::Acknowledge, 2, vec!["DiskFull", "HighCPU"]));
    assert_eq!(news.doer, Doer { by: "zhangsan".to_owned(), at: at(1), until: None });
    send(store, "lane", 1).await;
    assert_eq!(send(store, "lane", 1).await, act.message);
    assert_eq!(store.audit().await.unwrap(), Audit { named: 4, ..Audit::default() });
}

async fn a_digest_leaves_messages_about_acts_alone(store: &Store) {
    let first = store.admit(notification(0, "lane", vec![firing("A", 0)])).await.unwrap();
    store.admit(notification(0, "lane", vec![firing("B", 0)])).await.unwrap();
    store.admit(notification(0, "lane", vec![firing("C", 0)])).await.unwrap();
    acknowledge(store, "1", first.id, 1).await;
    let lease = store.acquire(&LaneKey::stored("lane")).await.unwrap().unwrap();
    let folded = store.fold(&lease, None, at(1)).await.unwrap().unwrap();
    assert_eq!(folded.messages, 2, "a digest of A would come after who has it");
    let waiting = store.waiting(&LaneKey::stored("lane"), at(1)).await.unwrap();
    let left: Vec<_> = waiting.messages.iter().map(|row| (row.message, row.fresh, row.digest)).collect();
    assert_eq!(left, [(1, true, false), (4, false, false), (folded.digest, true, true)]);
    assert_eq!(store.fold(&lease, None, at(1)).await.unwrap(), None);
}

async fn an_end_takes_over_pending_transitions_of_the_beginning_and_the_act(store: &Store) {
    let told = store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    acknowledge(store, "1", told.id, 1).await;
    store.admit(notification(2, "lane", vec![resolved("HighCPU", 0, 2)])).await.unwrap();
    let waiting = store.waiting(&LaneKey::stored("lane"), at(2)).await.unwrap();
    assert_eq!(waiting.messages.len(), 1, "{waiting:?}");
    let end = head(store, "lane", at(2)).await.unwrap();
    assert_eq!((kinds(&end), end.act), (vec![Firing, Acknowledged, Resolved], false));
    let row = store.delivery(2).await.unwrap().unwrap().row;
    assert_eq!((row.state, row.folded_into, row.act), (State::Folded, Some(end.message), Some(ActKind::Acknowledge)));
    send(store, "lane", 2).await;
    assert_eq!(store.audit().await.unwrap(), Audit { named: 3, ..Audit::default() });
}

async fn a_message_about_an_act_that_fails_is_told_by_its_fallback(store: &Store) {
    let told = store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    let fallback = Fallback {
        receiver: "backup".to_owned(),
        note_json: "{}".to_owned(),
        targets: vec![TargetRow::new(LaneKey::stored("backup"), "{}".to_owned())],
    };
    let refuse = |claimed| Settlement {
        fallback: Some(fallback.clone()),
        ..settlement(claimed, "refused", Next::Dead { reason: "refused".to_owned() })
    };
    store.settle(refuse(claim(store, "lane", 0, "text").await), at(0)).await.unwrap();
    acknowledge(store, "1", told.id, 1).await;
    store.settle(refuse(claim(store, "lane", 1, "act").await), at(1)).await.unwrap();
    send(store, "backup", 1).await;
    let act = head(store, "backup", at(1)).await.expect("the act is told as well, though it is about the same");
    assert_eq!((act.act, kinds(&act)), (true, vec![TransitionKind::Acknowledged]));
    assert_eq!(store.act_news(act.message).await.unwrap().unwrap().doer.by, "zhangsan");
}

async fn a_lane_is_told_of_an_act_later_and_once(store: &Store) {
    let told = store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    send(store, "lane", 0).await;
    let act = NewAct {
        except_lane: Some(LaneKey::stored("lane")),
        ..wish("1", ActKind::Acknowledge, About::Thread(ThreadId(told.id)))
    };
    let acted = store.act(act, at(1)).await.unwrap();
    assert!(acted.lanes.is_empty());
    let lane = |name: &str| TargetRow::new(LaneKey::stored(name), "{}".to_owned());
    for (name, receiver, queued) in [("lane", "ops", true), ("lane", "ops", false), ("backup", "backup", true)] {
        assert_eq!(store.tell_of_act(acted.act, lane(name), receiver.to_owned(), at(2)).await.unwrap(), queued);
    }
    for name in ["lane", "backup"] {
        assert_eq!(store.waiting(&LaneKey::stored(name), at(2)).await.unwrap().messages.len(), 1);
        let queued = head(store, name, at(2)).await.unwrap();
        assert_eq!((queued.act, kinds(&queued)), (true, vec![TransitionKind::Acknowledged]));
    }
    assert!(!store.tell_of_act(4711, lane("other"), "ops".to_owned(), at(2)).await.unwrap());
    store.admit(notification(3, "lane", vec![resolved("HighCPU", 0, 3)])).await.unwrap();
    let late = store.tell_of_act(acted.act, lane("other"), "ops".to_owned(), at(4)).await.unwrap();
    assert!(!late, "it is over");
}

async fn acts_are_listed_newest_first_by_thread_person_state_and_time(store: &Store) {
    let one = store.admit(notification(0, "lane", vec![firing("A", 0)])).await.unwrap();
    let two = store.admit(notification(0, "lane", vec![firing("B", 0)])).await.unwrap();
    let acts = [
        ("1", ActKind::Acknowledge, one.id, "ZhangSan", 1),
        ("2", ActKind::Silence, two.id, "lisi", 2),
        ("3", ActKind::Release, one.id, "lisi", 3),
    ];
    for (event, kind, thread, by, minute) in acts {
        let mut act = wish(event, kind, About::Thread(ThreadId(thread)));
        (act.by, act.until, act.detail) = (by.to_owned(), Some(at(100)), "because".to_owned());
        store.act(act, at(minute)).await.unwrap();
    }
    let list =
        async |filter: ActFilter| -> Vec<i64> { store.acts(filter).await.unwrap().iter().map(|row| row.id).collect() };
    let all = ActFilter::default;
    assert_eq!(list(all()).await, [3, 2, 1]);
    assert_eq!(list(ActFilter { limit: 2, ..all() }).await, [3, 2]);
    assert_eq!(list(ActFilter { thread: Some(ThreadId(one.id)), ..all() }).await, [3, 1]);
    assert_eq!(list(ActFilter { by: Some("zhangSAN".to_owned()), ..all() }).await, [1]);
    assert_eq!(list(ActFilter { open: true, ..all() }).await, [2]);
    assert_eq!(list(ActFilter { since: Some(at(2)), ..all() }).await, [3, 2]);
    let row = store.acts(ActFilter { open: true, ..all() }).await.unwrap().remove(0);
    let expected = ActRow {
        id: 2,
        at: at(2),
        kind: ActKind::Silence,
        state: ActState::Open,
        by: "lisi".to_owned(),
        via: "app/ops".to_owned(),
        peer: None,
        thread: ThreadId(two.id),
        message: None,
        until: Some(at(100)),
        detail: "because".to_owned(),
        alerts: 1,
    };
    assert_eq!(row, expected);
}

async fn firing_alerts_are_listed_once_critical_first(store: &Store) {
    let mut critical = firing("C", 1);
    critical.critical = true;
    store.admit(for_two(0, vec![firing("A", 0), firing("B", 2), critical, firing("D", 0)])).await.unwrap();
    store.admit(for_two(3, vec![resolved("D", 0, 3)])).await.unwrap();
    let (on, count) = store.alerts_on(OnFilter { limit: 2, ..OnFilter::default() }).await.unwrap();
    let names: Vec<_> = on.iter().map(|alert| alert.name.as_str()).collect();
    assert_eq!((names, count), (vec!["C", "B"], Counted::all(3)));
    let alert = &on[0];
    assert_eq!((&*alert.source.stored(), alert.sender.as_str()), ("grafana", "https://grafana.example.com/"));
    assert_eq!(
        (alert.critical, alert.status, alert.starts_at, alert.ends_at),
        (true, Status::Firing, Some(at(1)), None)
    );
    assert_eq!((alert.labels_json.as_str(), alert.identity), (r#"{"alertname":"C"}"#, firing("C", 1).identity));
    assert_eq!((alert.notification, alert.thread), (1, ThreadId(1)));
}

async fn firing_alerts_are_listed_by_receiver_and_by_owner(store: &Store) {
    store.admit(for_two(0, vec![firing("Both", 0)])).await.unwrap();
    store.admit(notification(1, "lane", vec![firing("Ops", 1)])).await.unwrap();
    store.admit(notification(2, "lane", vec![firing("Over", 1)])).await.unwrap();
    store.admit(notification(3, "lane", vec![resolved("Over", 1, 3)])).await.unwrap();
    assert_eq!(store.receivers_on().await.unwrap(), ["dba", "ops"]);
    let list = async |filter: OnFilter| {
        let (on, count) = store.alerts_on(filter).await.unwrap();
        (on.into_iter().map(|alert| alert.name).collect::<Vec<_>>(), count.number)
    };
    let of = async |receivers: &[&str], owner: &str, limit: usize| {
        let receivers = Some(receivers.iter().map(|&name| name.to_owned()).collect());
        list(OnFilter { receivers, owner: owner.to_owned(), acknowledged: false, limit }).await
    };
    assert_eq!(of(&["ops", "dba"], "", 9).await, (vec!["Ops".to_owned(), "Both".to_owned()], 2));
    assert_eq!(of(&["ops"], "", 1).await, (vec!["Ops".to_owned()], 2));
    assert_eq!(of(&["dba"], "", 9).await, (vec!["Both".to_owned()], 1));
    assert_eq!(of(&[], "", 9).await, (Vec::new(), 0));
    let taken = store
        .alerts_on(OnFilter { limit: 9, ..OnFilter::default() })
        .await
        .unwrap()
        .0
        .into_iter()
        .find(|alert| alert.name == "Ops")
        .unwrap();
    let by = acknowledge(store, "1", taken.thread.0, 4).await.alerts[0].acknowledged.clone().unwrap().by;
    assert_eq!(of(&[], &by.to_uppercase(), 9).await, (vec!["Ops".to_owned()], 1));
    assert_eq!(of(&[], "somebody else", 9).await, (Vec::new(), 0));
    let acknowledged = OnFilter { acknowledged: true, limit: 9, ..OnFilter::default() };
    assert_eq!(list(acknowledged.clone()).await, (vec!["Ops".to_owned()], 1));
    let dba = OnFilter { receivers: Some(vec!["dba".to_owned()]), ..acknowledged.clone() };
    assert_eq!(list(dba).await, (Vec::new(), 0));
    let own = OnFilter { receivers: Some(vec![]), owner: by, ..acknowledged };
    assert_eq!(list(own).await, (vec!["Ops".to_owned()], 1));
    // Of many only the first ones are examined.
    let many = (0..9).map(|number| firing(&format!("Many {number}"), 0)).collect();
    store.admit(notification(5, "lane", many)).await.unwrap();
    let (on, count) = store.alerts_on(OnFilter { limit: 2, ..OnFilter::default() }).await.unwrap();
    let names: Vec<_> = on.iter().map(|alert| alert.name.as_str()).collect();
    assert_eq!((names, count), (vec!["Many 8", "Many 7"], Counted { number: 8, more: true }));
}

async fn prune_deletes_old_acts_unless_their_alert_is_firing(store: &Store) {
    let on = store.admit(notification(0, "lane", vec![firing("A", 0)])).await.unwrap();
    let over = store.admit(notification(0, "lane", vec![firing("B", 0)])).await.unwrap();
    for (event, thread) in [("1", on.id), ("2", over.id)] {
        acknowledge(store, event, thread, 1).await;
    }
    store.admit(notification(2, "lane", vec![resolved("B", 0, 2)])).await.unwrap();
    while head(store, "lane", at(3)).await.is_some() {
        send(store, "lane", 3).await;
    }
    let day = 24 * 60;
    let keep = Retention { raw_ms: MINUTE, record_ms: day * MINUTE, alerts_ms: i64::MAX / 4, bytes: None };
    assert_eq!(store.prune(keep, at(day)).await.unwrap().acts, 0, "they are young");
    assert_eq!(store.prune(keep, at(2 * day)).await.unwrap().acts, 1);
    let left: Vec<_> = store.acts(ActFilter::default()).await.unwrap().iter().map(|row| row.thread.0).collect();
    assert_eq!(left, [on.id]);
    while !store.prune(keep, at(9 * day)).await.unwrap().is_empty() {}
    assert_eq!(store.acts(ActFilter::default()).await.unwrap().len(), 1, "A is still on");
    // Its notification is deleted; the alert can still be released, and the release told.
    let release = store.act(wish("3", ActKind::Release, About::Thread(ThreadId(on.id))), at(9 * day)).await.unwrap();
    assert_eq!(release.state, ActState::Done);
    let told = head(store, "lane", at(9 * day)).await.expect("it is told");
    assert_eq!((told.act, told.thread.0), (true, on.id));
}

async fn the_delivery_wakes_for_what_is_queued(store: &Store) {
    let woken = |what: &'static str| assert!(store.woken().now_or_never().is_some(), "{what}");
    let quiet = || while store.woken().now_or_never().is_some() {};
    let admitted = store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    woken("an admission");
    let claimed = claim(store, "lane", 0, "text").await;
    quiet();
    let fallback = Fallback {
        receiver: "backup".to_owned(),
        note_json: "{}".to_owned(),
        targets: vec![TargetRow::new(LaneKey::stored("backup"), "{}".to_owned())],
    };
    let refused = Settlement {
        fallback: Some(fallback),
        ..settlement(claimed, "refused", Next::Dead { reason: "refused:40008".to_owned() })
    };
    store.settle(refused, at(0)).await.unwrap();
    woken("a fallback");
    quiet();
    store.resend(claimed.message, "{}", at(0)).await.unwrap().unwrap();
    woken("a resend");
    quiet();
    let about = About::Thread(ThreadId(admitted.id));
    store.act(wish("1", ActKind::Acknowledge, about), at(1)).await.unwrap();
    woken("an act");
    quiet();
    let open = store.act(wish("2", ActKind::Silence, about), at(1)).await.unwrap();
    quiet();
    let end = ActEnd {
        act: open.act,
        state: ActState::Done,
        detail: String::new(),
        silence: None,
        except_lane: None,
        listeners: listeners(&[("ops", "lane")]),
    };
    store.end_act(end, at(1)).await.unwrap();
    woken("the end of an act");
    quiet();
    store.change_breaker(BreakerChange::Close(Scope::of(&Part::Smtp))).await.unwrap();
    woken("a breaker that closes");
}

fn since(minute: i64) -> Late {
    Late { critical: at(minute), other: at(minute) }
}

async fn messages_that_may_wait_longer_hide_none_that_is_late(store: &Store) {
    let mut critical = firing("DiskFull", 0);
    critical.critical = true;
    for minute in 0..3 {
        store.admit(notification(minute, "lane", vec![firing(&format!("patient {minute}"), 0)])).await.unwrap();
    }
    store.admit(notification(3, "lane", vec![critical])).await.unwrap();
    let late = async |critical, other, limit| {
        let since = Late { critical: at(critical), other: at(other) };
        let rows = store.late(vec!["ops".to_owned()], since, limit).await.unwrap();
        rows.into_iter().map(|row| row.message).collect::<Vec<_>>()
    };
    assert_eq!(late(3, -1, 1).await, [4]);
    assert_eq!(late(2, 1, 10).await, [1, 2]);
    assert_eq!(late(2, 1, 1).await, [1], "each kind is counted by its own limit");
    assert_eq!(late(3, 2, 10).await, [4, 1, 2, 3]);
}

async fn what_waits_for_too_long_is_copied_to_the_fallback_once(store: &Store) {
    let mut critical = firing("DiskFull", 0);
    critical.critical = true;
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    store.admit(notification(1, "lane", vec![critical])).await.unwrap();
    let late = async |minute| store.late(vec!["ops".to_owned()], since(minute), 10).await.unwrap();
    assert_eq!(late(0).await.iter().map(|row| row.message).collect::<Vec<_>>(), [1]);
    let both = late(1).await;
    assert_eq!(both.iter().map(|row| (row.message, row.critical)).collect::<Vec<_>>(), [(2, true), (1, false)]);
    assert!(store.late(vec!["dba".to_owned()], since(1), 10).await.unwrap().is_empty());
    let detour = |row: &LateMessage| Detour {
        message: row.message,
        epoch: row.epoch,
        revision: row.revision,
        fallback: Fallback {
            receiver: "backup".to_owned(),
            note_json: "{}".to_owned(),
            // The lane in which it waits is no way out.
            targets: ["backup", "lane"].map(|lane| TargetRow::new(LaneKey::stored(lane), "{}".to_owned())).to_vec(),
        },
    };
    let twice = [&both[0], &both[0]].map(detour).to_vec();
    assert_eq!(store.fall_back(twice, at(3)).await.unwrap(), [true, false], "once");
    assert_eq!(store.fall_back(vec![detour(&both[0])], at(3)).await.unwrap(), [false]);
    let told = head(store, "backup", at(3)).await.unwrap();
    assert_eq!((told.receiver.as_str(), kinds(&told)), ("backup", vec![Firing]));
    assert_eq!(late(1).await.iter().map(|row| row.message).collect::<Vec<_>>(), [1]);
    let waits = store.queued(2).await.unwrap().unwrap();
    assert_eq!((waits.state, waits.fell_back_at), (State::Queued, Some(at(3))));
    // It is neither folded nor merged any more: nothing reaches the fallback twice.
    let lease = store.acquire(&LaneKey::stored("lane")).await.unwrap().unwrap();
    assert_eq!(store.fold(&lease, None, at(3)).await.unwrap(), None, "only one of two can be folded");
    store.admit(notification(4, "lane", vec![resolved("DiskFull", 0, 4)])).await.unwrap();
    assert_eq!(kinds(&store.queued(2).await.unwrap().unwrap()), [Firing]);
    // What is being sent is not late; what may have arrived is.
    let claimed = claim(store, "lane", 5, "text").await;
    assert_eq!(late(5).await.iter().map(|row| row.message).collect::<Vec<_>>(), [4], "the end waits, too");
    store.settle(settlement(claimed, "unsure", Next::UnsureAt(at(6))), at(5)).await.unwrap();
    assert_eq!(late(5).await.iter().map(|row| (row.message, row.state)).next(), Some((1, State::Unsure)));
}

async fn messages_about_acts_fold_to_the_last_state(store: &Store) {
    let told = store.admit(for_two(0, vec![firing("HighCPU", 0), firing("DiskFull", 0)])).await.unwrap();
    for lane in ["lane", "dba"] {
        send(store, lane, 0).await;
    }
    let about = About::Thread(ThreadId(told.id));
    let listeners = listeners(&[("ops", "lane"), ("dba", "dba")]);
    let press = async |event: &str, kind| {
        // A person each: the acts of one are limited.
        let act = NewAct { listeners: listeners.clone(), by: event.to_owned(), ..wish(event, kind, about) };
        store.act(act, at(1)).await.unwrap()
    };
    let waiting = async |lane: &str| -> Vec<i64> {
        let waiting = store.waiting(&LaneKey::stored(lane), at(2)).await.unwrap();
        waiting.messages.iter().map(|message| message.message).collect()
    };
    for round in 0..20 {
        press(&format!("take {round}"), ActKind::Acknowledge).await;
        press(&format!("leave {round}"), ActKind::Release).await;
    }
    for lane in ["lane", "dba"] {
        let [last] = waiting(lane).await[..] else { panic!("{:?}", waiting(lane).await) };
        assert_eq!(store.act_news(last).await.unwrap().unwrap().kind, ActKind::Release);
    }
    // A silence is another state: both are told. What is being sent stays.
    press("take", ActKind::Acknowledge).await;
    let open = press("silence", ActKind::Silence).await;
    let end = ActEnd {
        act: open.act,
        state: ActState::Done,
        detail: String::new(),
        silence: None,
        except_lane: None,
        listeners: listeners.clone(),
    };
    store.end_act(end, at(1)).await.unwrap();
    assert_eq!(waiting("lane").await.len(), 2);
    let claimed = claim(store, "lane", 2, "taken").await;
    press("leave", ActKind::Release).await;
    assert_eq!(waiting("lane").await.len(), 3, "one is under way");
    store.settle(settlement(claimed, "accepted", Next::Accepted), at(2)).await.unwrap();
    // A new receiver's alert in the same lane keeps its own message.
    assert_eq!(store.audit().await.unwrap().imbalance, 0);
}

async fn a_critical_alert_is_seen_however_much_waits(store: &Store) {
    for number in 0..80 {
        store.admit(notification(0, "lane", vec![firing(&format!("A{number}"), 0)])).await.unwrap();
        let last = store.waiting(&LaneKey::stored("lane"), at(0)).await.unwrap().messages.len();
        let message = number + 1;
        let claimed = take(store, super::wish(store, message, 0, Some(bytes(&["frozen"]))).await, at(0)).await;
        store.settle(settlement(claimed, "not_sent", Next::RetryAt(at(5))), at(0)).await.unwrap();
        assert!(last <= 64);
    }
    let mut critical = firing("DiskFull", 0);
    critical.critical = true;
    store.admit(notification(1, "lane", vec![critical])).await.unwrap();
    let waiting = store.waiting(&LaneKey::stored("lane"), at(1)).await.unwrap();
    let last = waiting.messages.last().unwrap();
    assert_eq!((last.message, last.critical, waiting.fresh), (81, true, 1));
}

async fn a_digest_that_its_fallback_told_by_age_is_not_told_there_again(store: &Store) {
    for name in ["HighCPU", "DiskFull"] {
        store.admit(notification(0, "lane", vec![firing(name, 0)])).await.unwrap();
    }
    let lease = store.acquire(&LaneKey::stored("lane")).await.unwrap().unwrap();
    let digest = store.fold(&lease, None, at(0)).await.unwrap().unwrap().digest;
    let backup = || Fallback {
        receiver: "backup".to_owned(),
        note_json: "{}".to_owned(),
        targets: vec![TargetRow::new(LaneKey::stored("backup"), "{}".to_owned())],
    };
    let late = store.late(vec!["ops".to_owned()], since(20), 10).await.unwrap();
    let [row] = &late[..] else { panic!("{late:?}") };
    let detour = Detour { message: digest, epoch: row.epoch, revision: row.revision, fallback: backup() };
    assert_eq!(store.fall_back(vec![detour], at(20)).await.unwrap(), [true]);
    let waiting = async || store.waiting(&LaneKey::stored("backup"), at(30)).await.unwrap().messages.len();
    assert_eq!(waiting().await, 1);
    // It is refused for good only afterwards.
    let claimed = take(store, super::wish(store, digest, 0, Some(bytes(&["digest"]))).await, at(21)).await;
    let dead = Next::Dead { reason: "refused".to_owned() };
    store
        .settle(Settlement { fallback: Some(backup()), ..settlement(claimed, "not_sent", dead) }, at(21))
        .await
        .unwrap();
    assert_eq!(waiting().await, 1, "the fallback told it already");
    assert_eq!(store.audit().await.unwrap().imbalance, 0);
}
