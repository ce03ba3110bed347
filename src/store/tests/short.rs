//! Short links.

use super::*;

contract! {
    an_address_has_one_code_in_an_episode_and_lives_on_while_it_is_used,
    codes_that_are_taken_are_not_given_twice,
    an_ended_link_names_its_alert_as_long_as_the_record_is_kept,
    links_at_once_are_one,
}

const DAY: i64 = 24 * 60;
const URL: &str = "https://grafana.example.com/d/1";

fn link(thread: i64, url: &str, codes: &[&str]) -> NewShortLink {
    let codes = codes.iter().map(|code| (*code).to_owned()).collect();
    NewShortLink { thread: ThreadId(thread), url: url.to_owned(), name: "磁盘\0将满".to_owned(), codes }
}

async fn an_address_has_one_code_in_an_episode_and_lives_on_while_it_is_used(store: &Store) {
    assert_eq!(store.shorten(link(1, URL, &["7K2QM"]), at(0)).await.unwrap(), "7K2QM");
    assert_eq!(store.shorten(link(1, URL, &["AAAAA"]), at(1)).await.unwrap(), "7K2QM");
    assert_eq!(store.shorten(link(2, URL, &["BBBBB"]), at(1)).await.unwrap(), "BBBBB", "another episode");
    let other = format!("{URL}?a=b");
    assert_eq!(store.shorten(link(1, &other, &["CCCCC"]), at(1)).await.unwrap(), "CCCCC", "another address");
    let found = store.short_link("7K2QM").await.unwrap().unwrap();
    let (name, ends_at) = ("磁盘␀将满".to_owned(), at(30 * DAY));
    assert_eq!(found, ShortLink { thread: ThreadId(1), url: URL.to_owned(), name, ends_at });
    assert_eq!(store.shorten(link(1, URL, &["AAAAA"]), at(3 * DAY)).await.unwrap(), "7K2QM");
    assert_eq!(store.short_link("7K2QM").await.unwrap().unwrap().ends_at, at(33 * DAY));
    assert_eq!(store.short_link("AAAAA").await.unwrap(), None);
}

async fn codes_that_are_taken_are_not_given_twice(store: &Store) {
    store.shorten(link(1, URL, &["AAAAA"]), at(0)).await.unwrap();
    assert_eq!(store.shorten(link(2, URL, &["AAAAA", "BBBBB"]), at(0)).await.unwrap(), "BBBBB");
    let none = store.shorten(link(3, URL, &["AAAAA", "BBBBB"]), at(0)).await;
    assert!(matches!(none, Err(StoreError::Bug { .. })), "{none:?}");
    assert_eq!(store.short_link("AAAAA").await.unwrap().unwrap().thread, ThreadId(1));
}

async fn an_ended_link_names_its_alert_as_long_as_the_record_is_kept(store: &Store) {
    let keep = Retention { raw_ms: MINUTE, record_ms: 10 * DAY * MINUTE, alerts_ms: i64::MAX / 4, bytes: None };
    for number in 0..700 {
        store.shorten(link(number, URL, &[&format!("{number:05}")]), at(0)).await.unwrap();
    }
    let prune = async |minute: i64| while !store.prune(keep, at(minute)).await.unwrap().is_empty() {};
    prune(39 * DAY).await;
    assert!(store.short_link("00007").await.unwrap().is_some_and(|link| link.ends_at == at(30 * DAY)));
    prune(41 * DAY).await;
    for code in ["00000", "00007", "00699"] {
        assert_eq!(store.short_link(code).await.unwrap(), None);
    }
}

async fn links_at_once_are_one(store: &Store) {
    let codes: Vec<String> = (0..20).map(|number| format!("{number:05}")).collect();
    let links = codes.iter().map(|code| store.shorten(link(1, URL, &[code]), at(0)));
    let given = futures_util::future::join_all(links).await;
    let given: std::collections::BTreeSet<String> = given.into_iter().map(Result::unwrap).collect();
    assert_eq!(given.len(), 1, "{given:?}");
}
