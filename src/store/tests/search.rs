//! Messages are found by their words, in both stores.

use super::*;
use crate::search::Question;

contract! {
    messages_are_found_by_what_they_say_and_to_whom,
    terms_of_pruned_messages_are_gone,
    a_beginning_finds_few_and_many_terms,
    a_set_of_messages_is_listed_once_and_newest_first,
}

const BODY: &str = r#"{"touser":"ZhangSan|li.si","msgtype":"text","text":{"content":"磁盘将满 db-1 剩 9.3%，见手册"}}"#;

fn disk(minute: i64) -> Admission {
    let labels_json = r#"{"alertname":"磁盘将满","instance":"db-1","team":"订单"}"#.to_owned();
    notification(minute, "app/ops", vec![Arrival { labels_json, ..firing("磁盘将满", minute) }])
}

async fn found(store: &Store, filter: DeliveryFilter) -> Vec<i64> {
    store.for_people().deliveries(filter).await.unwrap().iter().map(|row| row.message).collect()
}

async fn by(store: &Store, typed: &str) -> Vec<i64> {
    found(store, DeliveryFilter { words: Question::of(typed), ..DeliveryFilter::default() }).await
}

async fn messages_are_found_by_what_they_say_and_to_whom(store: &Store) {
    store.admit(disk(0)).await.unwrap();
    store.admit(notification(1, "webhook", vec![firing("HighCPU", 1)])).await.unwrap();
    assert_eq!(by(store, "磁盘").await, [0; 0], "its terms are not written yet");
    let people = |person: &str| DeliveryFilter { person: Some(person.to_owned()), ..DeliveryFilter::default() };
    let labelled = |value: &str| DeliveryFilter {
        labels: vec![("team".to_owned(), value.to_owned())],
        ..DeliveryFilter::default()
    };
    assert_eq!(found(store, labelled("订单")).await, [1], "labels are also found before that");
    let indexed = store.index_terms().await.unwrap();
    assert_eq!(indexed, Indexed { messages: 2, more: false });
    assert_eq!(store.index_terms().await.unwrap(), Indexed::default());
    assert_eq!((by(store, "磁盘").await, by(store, "highcpu").await), (vec![1], vec![2]));
    assert_eq!((by(store, "手册").await, by(store, "zhangsan").await), (vec![], vec![]));

    // After it is settled it is found by what was sent, too.
    let claimed = claim(store, "app/ops", 2, BODY).await;
    let outcome = Outcome {
        class: "accepted_in_part",
        errcode: Some(81013),
        invalid_json: Some(r#"{"users":["wangwu"]}"#.to_owned()),
        ..Outcome::default()
    };
    let end = Settlement { outcome, ..settlement(claimed, "accepted", Next::Accepted) };
    store.settle(end, at(2)).await.unwrap();
    assert_eq!(found(store, people("zhangsan")).await, [1], "people are also found before its terms are written again");
    assert_eq!(store.index_terms().await.unwrap().messages, 1);
    let short = store.delivery(1).await.unwrap().unwrap().row.thread.to_string();
    for typed in ["手册", "zhangsan", "LI.SI", "wangwu", "81013", "磁盘 zhangs", "订单", "9.3", &short] {
        assert_eq!(by(store, typed).await, [1], "{typed}");
    }
    for typed in ["磁盘 lisi", "手册 wang5", "highcpu 磁盘"] {
        assert_eq!(by(store, typed).await, [0; 0], "{typed}");
    }
    assert_eq!(by(store, "grafana").await, [2, 1], "newest first");
    let day = DeliveryFilter {
        since: Some(at(0)),
        before: Some(2),
        words: Question::of("grafana"),
        ..DeliveryFilter::default()
    };
    assert_eq!(found(store, day).await, [1]);
    assert_eq!((found(store, people("li.si")).await, found(store, people("li")).await), (vec![1], vec![]));
    assert_eq!((found(store, people("WANGWU")).await, found(store, people("nobody")).await), (vec![1], vec![]));
    assert_eq!((found(store, labelled("订单")).await, found(store, labelled("订")).await), (vec![1], vec![]));
    send(store, "webhook", 3).await;
    assert_eq!(store.index_terms().await.unwrap().messages, 1);
}

async fn a_beginning_finds_few_and_many_terms(store: &Store) {
    let hosts = |from: usize, to: usize| (from..to).map(|number| firing(&format!("Host{number:03}"), 0)).collect();
    store.admit(notification(0, "some", hosts(0, 9))).await.unwrap();
    assert_eq!(by(store, "host0").await, [0; 0], "no term is written yet");
    store.index_terms().await.unwrap();
    assert_eq!((by(store, "host").await, by(store, "host00").await), (vec![1], vec![1]));
    store.admit(notification(1, "others", hosts(9, 200))).await.unwrap();
    store.index_terms().await.unwrap();
    assert_eq!((by(store, "host").await, by(store, "host1").await), (vec![2, 1], vec![2]));
    assert_eq!((by(store, "host008").await, by(store, "host20").await), (vec![1], vec![]));
    for lane in ["some", "others"] {
        send(store, lane, 2).await;
    }
    store.index_terms().await.unwrap();
}

async fn terms_of_pruned_messages_are_gone(store: &Store) {
    store.admit(disk(0)).await.unwrap();
    store.admit(notification(1, "other", vec![firing("HighCPU", 1)])).await.unwrap();
    send(store, "app/ops", 2).await;
    store.index_terms().await.unwrap();
    assert_eq!(by(store, "磁盘").await, [1]);
    let keep = Retention { raw_ms: 1, record_ms: 1, alerts_ms: i64::MAX / 4, bytes: None };
    while !store.prune(keep, at(60 * 24 * 9)).await.unwrap().is_empty() {}
    assert_eq!((by(store, "磁盘").await, by(store, "highcpu").await), (vec![], vec![2]));
    send(store, "other", 3).await;
    store.index_terms().await.unwrap();
}

/// Enough messages that the newest of them are read first, and then the rest.
async fn a_set_of_messages_is_listed_once_and_newest_first(store: &Store) {
    for number in 1..=40 {
        let third = number % 3 == 0;
        let labels_json = format!(r#"{{"third":"{}"}}"#, if third { "是" } else { "否" });
        let alert = Arrival { labels_json, ..firing(&format!("alert {number}"), number) };
        store.admit(notification(number, "lane", vec![alert])).await.unwrap();
        let claimed = claim(store, "lane", number, BODY).await;
        let errcode = Some(if third { 81013 } else { 45009 });
        let outcome = Outcome { class: "refused", errcode, ..Outcome::default() };
        let next = Next::Dead { reason: "refused".to_owned() };
        store.settle(Settlement { outcome, ..settlement(claimed, "refused", next) }, at(number)).await.unwrap();
    }
    while store.index_terms().await.unwrap().more {}
    let thirds: Vec<i64> = (1..=40).rev().filter(|id| id % 3 == 0).collect();
    let older: Vec<i64> = thirds.iter().copied().filter(|id| *id < 30).collect();
    let every = DeliveryFilter::default;
    let labels = vec![("third".to_owned(), "是".to_owned())];
    let errcode = DeliveryFilter { errcode: Some(81013), ..every() };
    for filter in
        [errcode, DeliveryFilter { words: Question::of("81013"), ..every() }, DeliveryFilter { labels, ..every() }]
    {
        for limit in [3, 5, 8, 13] {
            assert_eq!(found(store, DeliveryFilter { limit, ..filter.clone() }).await, thirds[..limit]);
        }
        assert_eq!(found(store, filter.clone()).await, thirds);
        let before = DeliveryFilter { before: Some(30), until: Some(at(33)), ..filter };
        assert_eq!(found(store, before).await, older);
    }
}

/// `cargo test --release -p wegraf --lib -- --ignored --nocapture intake_with_and_without`: how long the same messages take
/// to be admitted beside the job that writes terms, and without it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn intake_with_and_without_the_writing_of_terms() {
    const MESSAGES: i64 = 20_000;
    let mut seconds = Vec::new();
    for with in [false, true, false, true, false, true] {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path()).await;
        let job = with.then(|| {
            let store = store.clone();
            tokio::spawn(async move {
                loop {
                    let begun = std::time::Instant::now();
                    let more = store.index_terms().await.unwrap().more;
                    let pause = begun.elapsed() * 9;
                    tokio::time::sleep(if more { pause } else { pause.max(std::time::Duration::from_secs(2)) }).await;
                }
            })
        });
        let begun = std::time::Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..8 {
            let store = store.clone();
            tasks.spawn(async move {
                for number in 0..MESSAGES / 8 {
                    let name = format!("alert {task} {number}");
                    store.admit(notification(number, "lane", vec![firing(&name, number)])).await.unwrap();
                }
            });
        }
        tasks.join_all().await;
        seconds.push((with, begun.elapsed().as_secs_f64()));
        if let Some(job) = job {
            job.abort();
        }
        store.close().await.unwrap();
    }
    println!("{seconds:.2?}");
}
