//! The figures of reports, in both stores.

use super::*;

contract! {
    a_span_is_counted_by_the_hour,
    the_job_counts_each_row_once_and_changes_no_figure,
    a_notification_larger_than_a_batch_is_counted_whole,
    what_people_call_needless_is_counted_once_for_each_and_can_be_taken_back,
    a_critical_alert_that_nobody_answers_in_a_quarter_of_an_hour_is_counted,
}

async fn a_span_is_counted_by_the_hour(store: &Store) {
    // T0 is 13 minutes and 20 seconds past an hour.
    let hour = |minutes: i64| Timestamp(at(minutes).0 - at(minutes).0.rem_euclid(3_600_000));
    for (minute, name) in [(0, "磁盘"), (1, "CPU"), (60, "CPU2")] {
        let rule = if name == "CPU2" { "CPU" } else { name };
        let arrival = Arrival { name: rule.to_owned(), ..firing(name, minute) };
        store.admit(notification(minute, "lane", vec![arrival])).await.unwrap();
    }
    let over = Arrival { name: "CPU".to_owned(), ..resolved("CPU", 1, 3) };
    // A second target of the same receiver counts nothing twice.
    let mut twice = notification(3, "lane", vec![over]);
    let other = TargetRow::new(LaneKey::stored("other"), r#"{"to":"other"}"#.to_owned());
    twice.deliveries[0].targets.push(other);
    store.admit(twice).await.unwrap();
    send(store, "lane", 4).await;
    let take = NewAct {
        event: "e".to_owned(),
        kind: ActKind::Acknowledge,
        state: ActState::Done,
        by: "lisi".to_owned(),
        via: "app/ops".to_owned(),
        about: About::Thread(ThreadId(1)),
        only: Vec::new(),
        through: None,
        until: None,
        detail: String::new(),
        code: None,
        except_lane: None,
        listeners: Listeners::default(),
    };
    store.act(take, at(9)).await.unwrap();
    let asked = |since: i64, until: i64| TallyFilter { since: at(since), until: at(until), ..TallyFilter::default() };
    let people = store.for_people();
    let tally = people.tally(asked(0, 120)).await.unwrap();
    let row = |rule: &str, minutes: i64, fired, ended| RuleHour {
        rule: rule.to_owned(),
        receiver: "ops".to_owned(),
        source: "grafana".to_owned(),
        hour: hour(minutes),
        fired,
        ended,
        brief: ended,
        unanswered: 0,
    };
    assert_eq!(tally.rules, [row("CPU", 0, 1, 1), row("磁盘", 0, 1, 0), row("CPU", 60, 1, 0)]);
    assert_eq!(tally.sent.iter().map(|sent| (sent.hour, sent.sent)).collect::<Vec<_>>(), [(hour(0), 1)]);
    assert_eq!(tally.taken.len(), 1);
    assert_eq!((tally.taken[0].told_at, tally.taken[0].at, &*tally.taken[0].rule), (Some(at(4)), at(9), "磁盘"));
    assert_eq!(people.tally(asked(58, 120)).await.unwrap().rules, [row("CPU", 60, 1, 0)], "whole hours");
    let none = TallyFilter { receivers: Some(vec!["dba".to_owned()]), ..asked(0, 120) };
    assert_eq!(people.tally(none).await.unwrap(), Tally::default());
    let one = TallyFilter { receiver: Some("ops".to_owned()), ..asked(0, 120) };
    assert_eq!(people.tally(one).await.unwrap(), tally);
}

async fn a_critical_alert_that_nobody_answers_in_a_quarter_of_an_hour_is_counted(store: &Store) {
    let critical = |arrival: Arrival, name: &str| Arrival { critical: true, name: name.to_owned(), ..arrival };
    for (minute, key) in [(0, "left"), (1, "taken"), (2, "short"), (3, "on"), (4, "minor")] {
        let arrival = if key == "minor" { firing(key, minute) } else { critical(firing(key, minute), key) };
        store.admit(notification(minute, "lane", vec![arrival])).await.unwrap();
    }
    send(store, "lane", 5).await;
    let thread = store.alerts(AlertFilter { words: vec!["taken".to_owned()], ..AlertFilter::default() }).await.unwrap()
        [0]
    .thread;
    let take = NewAct {
        event: "e".to_owned(),
        kind: ActKind::Acknowledge,
        state: ActState::Done,
        by: "lisi".to_owned(),
        via: "app/ops".to_owned(),
        about: About::Thread(thread),
        only: Vec::new(),
        through: None,
        until: None,
        detail: String::new(),
        code: None,
        except_lane: None,
        listeners: Listeners::default(),
    };
    store.act(take, at(6)).await.unwrap();
    for (began, ended, key) in [(2, 10, "short"), (0, 20, "left"), (1, 21, "taken"), (4, 22, "minor")] {
        let arrival = resolved(key, began, ended);
        let arrival = if key == "minor" { arrival } else { critical(arrival, key) };
        store.admit(notification(ended, "lane", vec![arrival])).await.unwrap();
    }
    let figures = async |now: i64| {
        let filter = TallyFilter { since: at(-60), until: at(600), now: at(now), ..TallyFilter::default() };
        let tally = store.for_people().tally(filter).await.unwrap();
        let ended: Vec<String> = tally
            .rules
            .iter()
            .filter(|row| row.unanswered > 0)
            .map(|row| format!("{} {}", row.rule, row.unanswered))
            .collect();
        (ended, tally.waiting.into_iter().map(|row| (row.rule, row.count)).collect::<Vec<_>>())
    };
    let left = || vec!["left 1".to_owned()];
    assert_eq!(figures(18).await, (left(), vec![]), "not a quarter of an hour yet");
    assert_eq!(figures(30).await, (left(), vec![("on".to_owned(), 1)]));
    counted_all(store).await;
    assert_eq!(figures(30).await, (left(), vec![("on".to_owned(), 1)]), "counted by the job, too");
}

async fn counted_all(store: &Store) {
    while store.count(at(200)).await.unwrap() {}
}

async fn the_job_counts_each_row_once_and_changes_no_figure(store: &Store) {
    let asked = || TallyFilter { since: at(-60), until: at(600), ..TallyFilter::default() };
    let people = store.for_people();
    let figures = async || {
        let mut tally = people.tally(asked()).await.unwrap();
        tally.lengths.sort_by_key(|row| (row.hour, row.rule.clone(), row.step));
        tally.taken.sort_by_key(|row| row.at);
        tally
    };
    counted_all(store).await;
    assert_eq!(figures().await, Tally::default());
    for (minute, key) in [(0, "A"), (1, "B"), (70, "C")] {
        let arrival = Arrival { name: format!("rule {key}"), ..firing(key, minute) };
        store.admit(notification(minute, "lane", vec![arrival])).await.unwrap();
    }
    send(store, "lane", 72).await;
    let take = NewAct {
        event: "e".to_owned(),
        kind: ActKind::Acknowledge,
        state: ActState::Done,
        by: "lisi".to_owned(),
        via: "app/ops".to_owned(),
        about: About::Thread(ThreadId(1)),
        only: Vec::new(),
        through: None,
        until: None,
        detail: String::new(),
        code: None,
        except_lane: None,
        listeners: Listeners::default(),
    };
    store.act(take, at(73)).await.unwrap();
    let before = figures().await;
    assert!(before.rules.len() == 3 && before.taken.len() == 1 && before.sent.len() == 1, "{before:?}");
    assert_eq!((before.sent[0].sent, before.sent[0].late), (1, 1));
    counted_all(store).await;
    assert_eq!(figures().await, before);
    // Again: nothing is counted twice; and what was live when it was passed counts when it is settled.
    counted_all(store).await;
    assert_eq!(figures().await, before);
    send(store, "lane", 74).await;
    let after = figures().await;
    assert_eq!(after.sent.iter().map(|hour| hour.sent).sum::<u64>(), 2);
    counted_all(store).await;
    assert_eq!(figures().await, after);
    let over = Arrival { name: "rule A".to_owned(), ..resolved("A", 0, 80) };
    store.admit(notification(80, "lane", vec![over])).await.unwrap();
    let ended = figures().await;
    assert_eq!(ended.lengths.iter().map(|row| row.ended).sum::<u64>(), 1);
    counted_all(store).await;
    assert_eq!(figures().await, ended);
    // A copy repeats changes and is none.
    let copied = store.resend(1, "{}", at(90)).await.unwrap();
    assert!(copied.is_some());
    let rules = figures().await.rules;
    counted_all(store).await;
    assert_eq!((figures().await.rules, &rules), (rules.clone(), &ended.rules));
}

async fn a_notification_larger_than_a_batch_is_counted_whole(store: &Store) {
    let many: Vec<Arrival> = (0..6_000).map(|key| firing(&format!("many-{key}"), 0)).collect();
    store.admit(notification(0, "lane", many)).await.unwrap();
    store.admit(notification(1, "lane", vec![firing("one", 1)])).await.unwrap();
    counted_all(store).await;
    let tally = store.tally(TallyFilter { since: at(-60), until: at(60), ..TallyFilter::default() }).await.unwrap();
    assert_eq!(tally.rules.iter().map(|hour| hour.fired).sum::<u64>(), 6_001);
    assert!(!tally.is_cut());
}

async fn what_people_call_needless_is_counted_once_for_each_and_can_be_taken_back(store: &Store) {
    let said = |thread: i64, person: &str, receiver: &str, minute: i64| Needless {
        thread: ThreadId(thread),
        person: person.to_owned(),
        receiver: receiver.to_owned(),
        rule: "磁盘".to_owned(),
        reason: "没人要看".to_owned(),
        told_at: at(minute),
        at: at(minute + 1),
    };
    let asked = |since: i64, until: i64| TallyFilter { since: at(since), until: at(until), ..TallyFilter::default() };
    let counted = async |filter: TallyFilter| {
        let tally = store.for_people().tally(filter).await.unwrap();
        tally.needless.into_iter().map(|rule| (rule.rule, rule.receiver, rule.count)).collect::<Vec<_>>()
    };
    let row = |receiver: &str, count| ("磁盘".to_owned(), receiver.to_owned(), count);
    for (thread, person, receiver, minute) in
        [(1, "lisi", "ops", 0), (1, "lisi", "ops", 3), (1, "wangwu", "ops", 3), (2, "lisi", "dba", 70)]
    {
        store.call_needless(said(thread, person, receiver, minute)).await.unwrap();
    }
    assert_eq!(store.needless(ThreadId(1)).await.unwrap(), [said(1, "lisi", "ops", 3), said(1, "wangwu", "ops", 3)]);
    assert_eq!(counted(asked(0, 120)).await, [row("dba", 1), row("ops", 2)]);
    assert_eq!(counted(asked(0, 40)).await, [row("ops", 2)]);
    let ours = TallyFilter { receivers: Some(vec!["dba".to_owned()]), ..asked(0, 120) };
    assert_eq!(counted(ours).await, [row("dba", 1)]);
    assert!(store.call_needful(ThreadId(1), "lisi".to_owned()).await.unwrap());
    assert!(!store.call_needful(ThreadId(1), "lisi".to_owned()).await.unwrap(), "it is taken back already");
    assert_eq!(counted(asked(0, 40)).await, [row("ops", 1)]);
    // A year later it is forgotten.
    let year = 366 * 24 * 60;
    store.call_needless(said(9, "lisi", "ops", year)).await.unwrap();
    assert!(store.needless(ThreadId(1)).await.unwrap().is_empty());
}
