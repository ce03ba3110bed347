//! What upstreams say of firing alerts, and pushed alerts that lapse.

use super::acts::{listeners, wish};
use super::*;
use crate::store::{Followed, Lapsing, Truth};

contract! {
    what_an_upstream_says_is_kept_for_the_episode,
    an_older_reading_never_replaces_a_newer_one,
    a_replica_that_was_paused_writes_no_old_reading_over_a_newer_one,
    a_reading_of_an_earlier_episode_replaces_none_of_the_present_one,
    firing_alerts_are_read_in_parts_those_with_a_waiting_step_first,
    a_waiting_step_is_moved_and_an_end_is_not,
    a_step_bears_the_short_id_of_the_episode,
    a_pushed_alert_lapses_unless_it_is_pushed_again,
    a_reminder_of_our_own_keeps_the_time_of_lapsing,
    what_lapsed_is_told_once_and_is_on_no_more,
    a_silence_made_elsewhere_is_told_once_and_only_of_the_alerts_it_hides,
}

/// The firing alerts.
async fn on(store: &Store) -> Vec<Followed> {
    store.followed(store.firing_rows().await.unwrap()).await.unwrap()
}

fn truth(alert: i64, thread: i64, state: &str, minute: i64) -> Truth {
    Truth {
        alert,
        thread: ThreadId(thread),
        upstream: "am".to_owned(),
        state_json: format!("\"{state}\""),
        seen_at: at(minute),
        listed_at: Some(at(minute)),
        absent_at: None,
    }
}

async fn what_an_upstream_says_is_kept_for_the_episode(store: &Store) {
    let told = store.admit(notification(0, "lane", vec![firing("A", 0), firing("B", 0)])).await.unwrap();
    let followed = on(store).await;
    let seen: Vec<_> = followed.iter().map(|one| (one.alert.name.as_str(), one.step, one.truth.clone())).collect();
    assert_eq!(seen, [("A", None, None), ("B", None, None)]);
    assert_eq!(followed[0].told_at, at(0));
    let first = truth(followed[0].alert.alert, told.id, "active", 1);
    let unknown = truth(4711, told.id, "active", 1);
    store.note_truths(vec![first.clone(), unknown], || at(1)).await.unwrap();
    let followed = on(store).await;
    assert_eq!((followed[0].truth.as_ref(), followed[1].truth.as_ref()), (Some(&first), None));
    store.admit(notification(2, "lane", vec![resolved("A", 0, 2)])).await.unwrap();
    assert_eq!(on(store).await.len(), 1);
    store.admit(notification(3, "lane", vec![firing("A", 3)])).await.unwrap();
    let followed = on(store).await;
    assert!(followed.iter().all(|one| one.truth.is_none()), "that was another episode");
}

async fn an_older_reading_never_replaces_a_newer_one(store: &Store) {
    let told = store.admit(notification(0, "lane", vec![firing("A", 0)])).await.unwrap();
    let alert = on(store).await[0].alert.alert;
    let newer = truth(alert, told.id, "active", 5);
    store.note_truths(vec![newer.clone()], || at(5)).await.unwrap();
    store.note_truths(vec![truth(alert, told.id, "unknown", 4)], || at(5)).await.unwrap();
    assert_eq!(on(store).await[0].truth, Some(newer));
    // The clock was set back: what was read before says nothing any more.
    let set_back = truth(alert, told.id, "active", 3);
    store.note_truths(vec![set_back.clone()], || at(3)).await.unwrap();
    assert_eq!(on(store).await[0].truth, Some(set_back));
}

async fn a_replica_that_was_paused_writes_no_old_reading_over_a_newer_one(store: &Store) {
    let told = store.admit(notification(0, "lane", vec![firing("A", 0)])).await.unwrap();
    let alert = on(store).await[0].alert.alert;
    let newer = truth(alert, told.id, "active", 30);
    store.note_truths(vec![newer.clone()], || at(30)).await.unwrap();
    // It read this before another one took over, and its clock is right.
    store.note_truths(vec![truth(alert, told.id, "gone", 1)], || at(30)).await.unwrap();
    assert_eq!(on(store).await[0].truth, Some(newer));
}

async fn a_reading_of_an_earlier_episode_replaces_none_of_the_present_one(store: &Store) {
    let before = store.admit(notification(0, "lane", vec![firing("A", 0)])).await.unwrap();
    store.admit(notification(1, "lane", vec![resolved("A", 0, 1)])).await.unwrap();
    let now = store.admit(notification(2, "lane", vec![firing("A", 2)])).await.unwrap();
    let alert = on(store).await[0].alert.alert;
    let newer = truth(alert, now.id, "active", 3);
    store.note_truths(vec![newer.clone()], || at(3)).await.unwrap();
    store.note_truths(vec![truth(alert, before.id, "gone", 4)], || at(4)).await.unwrap();
    assert_eq!(on(store).await[0].truth, Some(newer));
}

async fn firing_alerts_are_read_in_parts_those_with_a_waiting_step_first(store: &Store) {
    store.admit(notification(0, "lane", vec![firing("A", 0), firing("B", 0)])).await.unwrap();
    store.admit(escalating(1, vec![firing("C", 1), firing("D", 1)])).await.unwrap();
    store.admit(notification(2, "lane", vec![firing("E", 2), resolved("F", 2, 2)])).await.unwrap();
    let alerts = store.firing_rows().await.unwrap();
    let mut names = Vec::new();
    for some in alerts.chunks(2) {
        names.extend(store.followed(some.to_vec()).await.unwrap().into_iter().map(|one| one.alert.name));
    }
    assert_eq!(names, ["C", "D", "A", "B", "E"]);
    let among = store.followed(vec![alerts[4], alerts[1], 4711]).await.unwrap();
    assert_eq!(among.iter().map(|one| one.alert.name.as_str()).collect::<Vec<_>>(), ["D", "E"]);
}

fn escalating(minute: i64, alerts: Vec<Arrival>) -> Admission {
    let mut admission = notification(minute, "lane", alerts);
    admission.deliveries[0].escalate_after_ms = Some(10 * MINUTE);
    admission
}

async fn a_waiting_step_is_moved_and_an_end_is_not(store: &Store) {
    store.admit(escalating(0, vec![firing("A", 0)])).await.unwrap();
    let first = on(store).await.remove(0);
    assert_eq!(first.step, Some(0));
    let alert = first.alert.alert;
    store.delay_escalation(alert, 1, at(5), at(6)).await.unwrap();
    assert_eq!(store.due_escalations(at(9), 1).await.unwrap(), [], "it is at another step");
    store.delay_escalation(alert, 0, at(7), at(17)).await.unwrap();
    assert_eq!(store.due_escalations(at(16), 1).await.unwrap(), []);
    let due = store.due_escalations(at(17), 1).await.unwrap().remove(0);
    assert_eq!((due.step, due.fired_at), (0, at(7)));
    store.admit(escalating(18, vec![resolved("A", 0, 18)])).await.unwrap();
    store.delay_escalation(alert, 0, at(18), at(60)).await.unwrap();
    assert_eq!(store.due_escalations(at(18), 1).await.unwrap().len(), 1, "its end is seen at once");
}

async fn a_step_bears_the_short_id_of_the_episode(store: &Store) {
    let told = store.admit(escalating(0, vec![firing("A", 0)])).await.unwrap();
    let mut step = notification(10, "boss", vec![Arrival { thread: Some(ThreadId(told.id)), ..firing("A", 0) }]);
    step.deliveries[0].receiver = "boss".to_owned();
    store.admit(step).await.unwrap();
    assert_eq!(head(store, "boss", at(10)).await.unwrap().thread, ThreadId(told.id));
    let mut end = notification(11, "boss", vec![resolved("A", 0, 11)]);
    end.deliveries[0].receiver = "boss".to_owned();
    send(store, "boss", 10).await;
    store.admit(end).await.unwrap();
    assert_eq!(head(store, "boss", at(11)).await.unwrap().thread, ThreadId(told.id));
    let all = store.act(wish("1", ActKind::Acknowledge, About::Thread(ThreadId(told.id))), at(12)).await.unwrap();
    assert_eq!(all.alerts.len(), 1);
}

fn pushed(minute: i64, name: &str, lapses: i64) -> Admission {
    let mut admission = notification(minute, "lane", vec![Arrival { lapses_at: Some(at(lapses)), ..firing(name, 0) }]);
    admission.push = true;
    admission
}

async fn names(store: &Store, minute: i64) -> Vec<String> {
    let source = SourceId::Configured("grafana".to_owned());
    store.lapsed(source, at(minute), 10).await.unwrap().into_iter().map(|alert| alert.name).collect()
}

async fn a_pushed_alert_lapses_unless_it_is_pushed_again(store: &Store) {
    assert_eq!(store.lapsing().await.unwrap(), []);
    store.admit(pushed(0, "A", 5)).await.unwrap();
    store.admit(pushed(0, "B", 6)).await.unwrap();
    store.admit(notification(0, "lane", vec![firing("C", 0)])).await.unwrap();
    let source = SourceId::Configured("grafana".to_owned());
    let lapsing = |latest, alerts| [Lapsing { source: source.clone(), latest: at(latest), alerts }];
    assert_eq!(store.lapsing().await.unwrap(), lapsing(6, 2));
    assert_eq!(names(store, 5).await, [""; 0], "not before");
    assert_eq!(names(store, 7).await, ["A", "B"]);
    assert!(store.admit(pushed(1, "A", 8)).await.unwrap().duplicate);
    assert_eq!(names(store, 8).await, ["B"]);
    assert_eq!(store.lapsing().await.unwrap(), lapsing(8, 2));
    store.admit(notification(2, "lane", vec![resolved("B", 0, 2)])).await.unwrap();
    assert_eq!(store.lapsing().await.unwrap(), lapsing(8, 1));
}

async fn a_reminder_of_our_own_keeps_the_time_of_lapsing(store: &Store) {
    store.admit(pushed(0, "A", 5)).await.unwrap();
    let mut reminder = notification(2, "lane", vec![firing("A", 0)]);
    reminder.deliveries[0].repeat_interval_ms = MINUTE;
    assert_eq!(store.admit(reminder).await.unwrap().messages, 1);
    assert_eq!(names(store, 6).await, ["A"]);
}

async fn what_lapsed_is_told_once_and_is_on_no_more(store: &Store) {
    let mut first = pushed(0, "A", 5);
    first.deliveries[0].alerts.push(Arrival { index: 1, ..firing("B", 0) });
    let told = store.admit(first).await.unwrap();
    send(store, "lane", 0).await;
    let one = store.lapsed(SourceId::Configured("grafana".to_owned()), at(6), 10).await.unwrap();
    let forget = || NewAct {
        state: ActState::Done,
        only: one.iter().map(|alert| alert.identity).collect(),
        listeners: listeners(&[("ops", "lane")]),
        ..wish("lapse/1", ActKind::Forget, About::Thread(ThreadId(told.id)))
    };
    let acted = store.act(forget(), at(6)).await.unwrap();
    assert_eq!((acted.state, acted.lanes.len(), acted.again), (ActState::Done, 1, false));
    assert!(store.act(forget(), at(7)).await.unwrap().again);
    let message = head(store, "lane", at(7)).await.unwrap();
    assert_eq!((message.act, message.transitions.len()), (true, 1));
    assert_eq!(message.transitions[0].kind, TransitionKind::Lapsed);
    let news = store.act_news(message.message).await.unwrap().unwrap();
    assert_eq!((news.kind, news.count, news.alerts[0].name.as_str()), (ActKind::Forget, 1, "A"));
    let on: Vec<_> = on(store).await.into_iter().map(|one| one.alert.name).collect();
    assert_eq!(on, ["B"], "its neighbour goes on");
    assert_eq!(names(store, 60).await, [""; 0]);
    let end = store.admit(notification(8, "lane", vec![resolved("A", 0, 8)])).await.unwrap();
    assert_eq!(end.messages, 0, "what is told afterwards is the same end");
    assert_eq!(store.admit(pushed(9, "A", 14)).await.unwrap().messages, 1, "pushed again, it is on again");
}

async fn a_silence_made_elsewhere_is_told_once_and_only_of_the_alerts_it_hides(store: &Store) {
    let told = store.admit(notification(0, "lane", vec![firing("A", 0), firing("B", 0)])).await.unwrap();
    send(store, "lane", 0).await;
    let hidden = on(store).await.remove(0).alert.identity;
    let hide = || NewAct {
        state: ActState::Done,
        only: vec![hidden],
        until: Some(at(60)),
        detail: "换盘".to_owned(),
        ..wish("hide/am/7", ActKind::Hide, About::Thread(ThreadId(told.id)))
    };
    assert_eq!(store.act(hide(), at(1)).await.unwrap().lanes.len(), 1);
    assert!(store.act(hide(), at(2)).await.unwrap().again);
    let message = head(store, "lane", at(2)).await.unwrap();
    assert_eq!(message.transitions[0].kind, TransitionKind::Silenced);
    let news = store.act_news(message.message).await.unwrap().unwrap();
    assert_eq!((news.count, news.detail.as_str(), news.doer.until), (1, "换盘", Some(at(60))));
    assert_eq!(on(store).await.len(), 2, "both are still firing");
}
