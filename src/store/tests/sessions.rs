//! Sign-in, in both stores.

use super::*;

contract! {
    a_ticket_signs_in_once_and_for_ten_minutes,
    a_session_ends_when_it_is_not_used_or_is_ended,
}

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

fn ticket(person: &str) -> Ticket {
    Ticket { person: person.to_owned(), way: "link".to_owned() }
}

fn new(byte: u8) -> NewSession {
    NewSession {
        hash: [byte; 32],
        address: "10.0.0.1".to_owned(),
        agent: "Firefox".to_owned(),
        credential: byte.is_multiple_of(2).then_some([byte; 32]),
    }
}

fn hash(byte: u8) -> Hash {
    [byte; 32]
}

async fn a_ticket_signs_in_once_and_for_ten_minutes(store: &Store) {
    let at = |minutes: i64| Timestamp(minutes * MINUTE);
    store.offer(hash(1), ticket("ZhangSan"), at(0)).await.unwrap();
    assert_eq!(store.ticket(hash(1), at(9)).await.unwrap(), Some(ticket("ZhangSan")));
    assert_eq!(store.ticket(hash(1), at(9)).await.unwrap(), Some(ticket("ZhangSan")), "looking uses nothing up");
    assert_eq!(store.ticket(hash(1), at(10)).await.unwrap(), None);
    assert_eq!(store.ticket(hash(2), at(1)).await.unwrap(), None);
    let (one, two) = tokio::join!(store.sign_in(hash(1), new(11), at(1)), store.sign_in(hash(1), new(12), at(1)));
    let signed: Vec<_> = [one.unwrap(), two.unwrap()].into_iter().flatten().collect();
    assert_eq!(signed.len(), 1, "two presses at once make one session");
    assert_eq!((signed[0].person.as_str(), signed[0].way.as_str()), ("ZhangSan", "link"));
    // Of four, the oldest gives way.
    for (number, minute) in [(21, 20), (22, 21), (23, 22), (24, 23)] {
        store.offer(hash(number), ticket("lisi"), at(minute)).await.unwrap();
    }
    assert!(store.sign_in(hash(21), new(31), at(24)).await.unwrap().is_none());
    assert!(store.sign_in(hash(22), new(32), at(24)).await.unwrap().is_some());
    let trail: Vec<_> =
        store.trail(9).await.unwrap().into_iter().map(|step| format!("{} {}", step.person, step.what)).collect();
    assert_eq!(trail[..2], ["lisi signed-in", "lisi link"]);
}

async fn a_session_ends_when_it_is_not_used_or_is_ended(store: &Store) {
    let at = |days: i64| Timestamp(days * DAY);
    for (number, person) in [(1, "zhangsan"), (2, "ZHANGSAN"), (3, "lisi")] {
        store.offer(hash(number), ticket(person), at(0)).await.unwrap();
        store.sign_in(hash(number), new(number + 100), at(0)).await.unwrap().unwrap();
    }
    let of = async |person: &str, day: i64| store.sessions(Some(person.to_owned()), at(day)).await.unwrap().len();
    assert_eq!((of("ZhangSan", 1).await, store.sessions(None, at(1)).await.unwrap().len()), (2, 3));
    for day in [2, 4, 6] {
        assert!(store.session(hash(101), at(day)).await.unwrap().is_some(), "day {day}");
    }
    assert!(store.session(hash(102), at(3)).await.unwrap().is_none(), "it was not used for three days");
    for day in 7..30 {
        assert!(store.session(hash(101), at(day)).await.unwrap().is_some(), "day {day}");
    }
    assert!(store.session(hash(101), at(30)).await.unwrap().is_none(), "it is thirty days old");
    let lisi = store.sessions(Some("lisi".to_owned()), at(1)).await.unwrap().swap_remove(0);
    assert!(store.end_session(lisi.id.clone(), "ended", "command".to_owned(), at(1)).await.unwrap());
    assert!(!store.end_session(lisi.id, "ended", "command".to_owned(), at(1)).await.unwrap());
    assert!(store.session(hash(103), at(1)).await.unwrap().is_none());
}
