//! The figures of reports, in both stores.

use super::*;

contract! {
    a_span_is_counted_by_the_hour,
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
    };
    assert_eq!(tally.rules, [row("CPU", 0, 1, 1), row("磁盘", 0, 1, 0), row("CPU", 60, 1, 0)]);
    assert_eq!(tally.sent.iter().map(|sent| (sent.hour, sent.sent)).collect::<Vec<_>>(), [(hour(0), 1), (hour(60), 0)]);
    assert_eq!(tally.taken.len(), 1);
    assert_eq!((tally.taken[0].told_at, tally.taken[0].at, &*tally.taken[0].rule), (Some(at(4)), at(9), "磁盘"));
    assert_eq!(people.tally(asked(58, 120)).await.unwrap().rules, [row("CPU", 60, 1, 0)]);
    let none = TallyFilter { receivers: Some(vec!["dba".to_owned()]), ..asked(0, 120) };
    assert_eq!(people.tally(none).await.unwrap(), Tally::default());
    let one = TallyFilter { receiver: Some("ops".to_owned()), ..asked(0, 120) };
    assert_eq!(people.tally(one).await.unwrap(), tally);
}
