//! The API's tokens and requests, and the questions of people, in both stores.

use super::*;

contract! {
    a_token_opens_until_it_ends,
    a_request_with_a_key_counts_once,
    incidents_and_alerts_are_listed_by_a_key,
    messages_are_found_by_time_and_receiver,
    people_only_read,
}

const DAY: i64 = 24 * 60;
const NONE: [i64; 0] = [];

fn token(name: &str, byte: u8, days: i64) -> NewToken {
    let token = ApiToken {
        name: name.to_owned(),
        owner: "zhangsan".to_owned(),
        scopes: "read act".to_owned(),
        receivers: Some(vec!["ops".to_owned(), "数据库".to_owned()]),
        made_at: at(0),
        ends_at: at(days * DAY),
        used_at: None,
    };
    NewToken { hash: [byte; 32], token }
}

async fn a_token_opens_until_it_ends(store: &Store) {
    let by = || "root".to_owned();
    assert!(store.make_api_token(token("ci", 1, 2), by(), at(0)).await.unwrap());
    assert!(!store.make_api_token(token("ci", 2, 2), by(), at(0)).await.unwrap(), "the name is in use");
    assert!(!store.make_api_token(token("other", 1, 2), by(), at(0)).await.unwrap(), "the secret is in use");
    let found = store.api_token([1; 32], at(1)).await.unwrap().unwrap();
    assert_eq!(found, token("ci", 1, 2).token);
    let used = store.api_token([1; 32], at(2)).await.unwrap().unwrap().used_at.unwrap();
    assert!(used <= at(1) && at(1).millis_since(used) < DAY * MINUTE, "its use is noted to a day");
    assert!(store.api_token([2; 32], at(1)).await.unwrap().is_none());
    assert!(store.api_token([1; 32], at(2 * DAY)).await.unwrap().is_none());
    // One that ended by itself gives its name free.
    assert!(store.make_api_token(token("ci", 3, 4), by(), at(2 * DAY)).await.unwrap());
    assert_eq!(store.api_tokens().await.unwrap().len(), 1);
    assert!(store.end_api_token("ci".to_owned(), by(), at(3 * DAY)).await.unwrap());
    assert!(!store.end_api_token("ci".to_owned(), by(), at(3 * DAY)).await.unwrap());
    assert!(store.api_token([3; 32], at(3 * DAY)).await.unwrap().is_none());
    let trail: Vec<_> = store.trail(9).await.unwrap().into_iter().map(|step| (step.what, step.way)).collect();
    assert_eq!(trail[0], ("token-ended".to_owned(), "ci ← root".to_owned()));
}

async fn a_request_with_a_key_counts_once(store: &Store) {
    let (one, two) = tokio::join!(store.ask_once("ci", "k", [1; 32], at(0)), store.ask_once("ci", "k", [1; 32], at(0)));
    let mut both = [one.unwrap(), two.unwrap()];
    both.sort_by_key(|asked| *asked == Asked::Running);
    assert_eq!(both, [Asked::New { before: None }, Asked::Running]);
    assert_eq!(store.ask_once("ci", "k", [2; 32], at(0)).await.unwrap(), Asked::Other);
    assert_eq!(store.ask_once("other", "k", [2; 32], at(0)).await.unwrap(), Asked::New { before: None });
    // Its process ended before it answered.
    assert_eq!(store.ask_once("ci", "k", [1; 32], at(1)).await.unwrap(), Asked::New { before: Some(at(0)) });
    assert_eq!(store.ask_once("ci", "k", [1; 32], at(1)).await.unwrap(), Asked::Running);
    store.answer_once("ci", "k", Some((201, "{}".to_owned()))).await.unwrap();
    let answered = Asked::Answered { status: 201, answer: "{}".to_owned() };
    assert_eq!(store.ask_once("ci", "k", [1; 32], at(2)).await.unwrap(), answered);
    assert_eq!(store.ask_once("ci", "k", [2; 32], at(2)).await.unwrap(), Asked::Other);
    store.answer_once("other", "k", None).await.unwrap();
    assert_eq!(store.ask_once("other", "k", [3; 32], at(2)).await.unwrap(), Asked::New { before: None });
    assert_eq!(store.ask_once("ci", "k", [1; 32], at(2 * DAY)).await.unwrap(), Asked::New { before: None });
}

fn labelled(name: &str, team: &str, start: i64) -> Arrival {
    Arrival { labels_json: format!(r#"{{"alertname":"{name}","team":"{team}"}}"#), ..firing(name, start) }
}

async fn incidents_and_alerts_are_listed_by_a_key(store: &Store) {
    let mut threads = Vec::new();
    for (minute, name) in [(0, "磁盘将满"), (1, "HighCPU"), (2, "主库只读")] {
        let critical = name == "主库只读";
        let arrival = Arrival { critical, ..labelled(name, "db", minute) };
        threads.push(store.admit(notification(minute, "lane", vec![arrival])).await.unwrap().id);
    }
    let over = Arrival { labels_json: labelled("HighCPU", "db", 1).labels_json, ..resolved("HighCPU", 1, 3) };
    store.admit(notification(3, "lane", vec![over])).await.unwrap();
    let people = store.for_people();
    let listed = async |filter: AlertFilter| -> Vec<i64> {
        people.incidents(filter).await.unwrap().iter().map(|alerts| alerts[0].thread.0).collect()
    };
    let all = AlertFilter::default;
    let [disk, cpu, db] = threads[..] else { unreachable!("three were admitted") };
    assert_eq!(listed(all()).await, [db, cpu, disk]);
    assert_eq!(listed(AlertFilter { limit: 2, ..all() }).await, [db, cpu]);
    assert_eq!(listed(AlertFilter { before: Some(cpu), ..all() }).await, [disk]);
    assert_eq!(listed(AlertFilter { firing: Some(true), ..all() }).await, [db, disk]);
    assert_eq!(listed(AlertFilter { firing: Some(false), ..all() }).await, [cpu]);
    assert_eq!(listed(AlertFilter { critical: Some(true), ..all() }).await, [db]);
    assert_eq!(listed(AlertFilter { critical: Some(false), ..all() }).await, [cpu, disk]);
    assert_eq!(listed(AlertFilter { receiver: Some("dba".to_owned()), ..all() }).await, NONE);
    let of = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(listed(AlertFilter { receivers: of(&["dba", "ops"]), ..all() }).await, [db, cpu, disk]);
    assert_eq!(listed(AlertFilter { receivers: of(&[]), ..all() }).await, NONE);
    assert_eq!(listed(AlertFilter { source: Some("grafana".to_owned()), ..all() }).await.len(), 3);
    let labels = |team: &str| vec![("team".to_owned(), team.to_owned())];
    assert_eq!(listed(AlertFilter { labels: labels("db"), ..all() }).await.len(), 3);
    assert_eq!(listed(AlertFilter { labels: labels("d"), ..all() }).await, NONE);
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    assert_eq!(listed(AlertFilter { words: words(&["磁盘", "OPS"]), ..all() }).await, [disk]);
    assert_eq!(listed(AlertFilter { threads: vec![ThreadId(disk)], ..all() }).await, [disk]);
    assert_eq!(listed(AlertFilter { since: Some(at(60)), ..all() }).await, NONE);
    assert_eq!(listed(AlertFilter { since: Some(at(0)), until: Some(at(60)), ..all() }).await.len(), 3);
    let rows = people.alerts(AlertFilter { firing: Some(true), limit: 1, ..all() }).await.unwrap();
    assert_eq!(rows[0].name, "主库只读");
    let next = people.alerts(AlertFilter { firing: Some(true), before: Some(rows[0].alert), ..all() }).await.unwrap();
    assert_eq!(next.iter().map(|alert| alert.name.as_str()).collect::<Vec<_>>(), ["磁盘将满"]);
    assert_eq!(people.alerts_of(ThreadId(cpu)).await.unwrap()[0].status, Status::Resolved);
}

async fn messages_are_found_by_time_and_receiver(store: &Store) {
    for minute in 0..40 {
        let name = format!("alert {minute}");
        store.admit(notification(minute * 10, "lane", vec![firing(&name, minute)])).await.unwrap();
    }
    let people = store.for_people();
    let listed = async |filter: DeliveryFilter| -> Vec<i64> {
        people.deliveries(filter).await.unwrap().iter().map(|row| row.message).collect()
    };
    let all = DeliveryFilter::default;
    for (since, until) in [(0, 400), (95, 100), (100, 101), (390, 1_000), (400, 500), (-60, 0), (-60, 1)] {
        let found = listed(DeliveryFilter { since: Some(at(since)), until: Some(at(until)), ..all() }).await;
        let right: Vec<i64> = (1..=40).rev().filter(|id| (since..until).contains(&((id - 1) * 10))).collect();
        assert_eq!(found, right, "{since} {until}");
    }
    let of = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(listed(DeliveryFilter { receivers: of(&["ops"]), ..all() }).await.len(), 40);
    assert_eq!(listed(DeliveryFilter { receivers: of(&["dba"]), ..all() }).await, NONE);
    assert_eq!(listed(DeliveryFilter { state: Some(State::Queued), limit: 2, ..all() }).await, [40, 39]);
    assert_eq!(listed(DeliveryFilter { state: Some(State::Dead), ..all() }).await, NONE);
    let claimed = claim(store, "lane", 400, "text").await;
    let refused = Outcome { class: "refused", errcode: Some(45009), ..Outcome::default() };
    let end = Settlement { outcome: refused, ..settlement(claimed, "refused", Next::Accepted) };
    store.settle(end, at(400)).await.unwrap();
    assert_eq!(listed(DeliveryFilter { errcode: Some(45009), ..all() }).await.len(), 1);
    assert_eq!(listed(DeliveryFilter { errcode: Some(0), ..all() }).await, NONE);
}

async fn people_only_read(store: &Store) {
    let people = store.for_people();
    let wrote = people.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await;
    assert!(matches!(wrote, Err(StoreError::Bug { .. })), "{wrote:?}");
    assert!(people.end_api_token("ci".to_owned(), String::new(), at(0)).await.is_err());
    assert!(people.for_people().deliveries(DeliveryFilter::default()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_question_that_takes_too_long_is_ended_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let Store::Sqlite(people) = store.for_people() else { unreachable!("it is a file") };
    let endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let said = people.ask_anything(endless).await.unwrap_err();
    assert!(matches!(said, StoreError::TooSlow) && said.to_string().contains("500"), "{said}");
    assert_eq!(people.ask_anything("SELECT 7").await.unwrap(), 7, "the connection goes on");
    assert!(store.deliveries(DeliveryFilter::default()).await.is_ok());
    store.close().await.unwrap();
    let closed = store.for_people().deliveries(DeliveryFilter::default()).await;
    assert!(matches!(closed, Err(StoreError::Closed)), "{closed:?}");
    let Some(schema) = postgres::Schema::make().await else { return };
    let store = schema.open().await;
    let Store::Postgres(people) = store.for_people() else { unreachable!("it is in PostgreSQL") };
    let said = people.ask_anything("SELECT 1::bigint FROM pg_sleep(20)").await.unwrap_err();
    assert!(matches!(said, StoreError::TooSlow), "{said}");
    assert_eq!(people.ask_anything("SELECT 7::bigint").await.unwrap(), 7);
    store.close().await.unwrap();
    schema.remove().await;
}

#[tokio::test]
async fn lists_go_by_indexes_in_postgresql() {
    use crate::store::lists::{self, Given, Statement};
    use crate::store::on;
    use crate::store::postgres::{DIALECT, firing as firing_alerts, followed};
    let Some(schema) = postgres::Schema::make().await else { return };
    let store = schema.open().await;
    let fill = "INSERT INTO message (notification_id, receiver, lane, target, critical, thread, created_at, state,
                                     settled_at)
                SELECT n, 'ops', 'lane ' || n % 20, '{}', false, n, n * 1000, CASE WHEN n % 500 = 0 THEN 'dead' ELSE 'sent' END,
                       n * 1000
                FROM generate_series(1, 40000) n;
                INSERT INTO notification (source, format, sender, group_key, received_at, raw)
                SELECT 'grafana', 'grafana', '', '', n * 1000, '' FROM generate_series(1, 40000) n;
                INSERT INTO alert (identity, receiver, source, name, labels, critical, status, thread, notification_id, sender,
                                   told_at)
                SELECT decode(md5(n::text) || md5(n::text), 'hex'), 'ops', 'grafana', 'a', '{}', false,
                       CASE WHEN n % 500 = 0 THEN 'firing' ELSE 'resolved' END, n, n, '', n
                FROM generate_series(1, 40000) n;
                INSERT INTO attempt (message_id, epoch, version, part, at, errcode)
                SELECT n, 1, 1, 0, n, CASE WHEN n % 500 = 0 THEN 45009 ELSE 0 END FROM generate_series(1, 40000) n;
                ANALYZE message; ANALYZE notification; ANALYZE alert; ANALYZE attempt";
    schema.hand.batch_execute(fill).await.unwrap();
    let explain = async |list: Statement| -> String {
        let mut sql = list.numbered();
        for (at, value) in list.values.iter().enumerate().rev() {
            let value = match value {
                Given::Number(number) => format!("{number}::bigint"),
                Given::Words(words) => format!("'{words}'::text"),
            };
            sql = sql.replace(&format!("${}", at + 1), &value);
        }
        let rows = schema.hand.query(&format!("EXPLAIN {sql}"), &[]).await.unwrap();
        rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>().join("\n")
    };
    let select = "SELECT m.id, n.source FROM message m JOIN notification n ON n.id = m.notification_id";
    let all = DeliveryFilter::default;
    let times = DeliveryFilter { since: Some(Timestamp(30_000_000)), until: Some(Timestamp(30_100_000)), ..all() };
    let plan = explain(lists::bounds(&times)).await;
    assert!(plan.contains("message_pkey") && !plan.contains("Seq Scan"), "{plan}");
    let day = DeliveryFilter { from: Some(30_000), before: Some(30_100), ..times };
    for (filter, index) in [
        (day.clone(), "message_pkey"),
        (DeliveryFilter { receivers: Some(vec!["dba".to_owned()]), ..day }, "message_pkey"),
        (DeliveryFilter { thread: Some(ThreadId(9)), ..all() }, "message_thread"),
        (DeliveryFilter { state: Some(State::Dead), ..all() }, "message_dead"),
        (DeliveryFilter { errcode: Some(45009), ..all() }, "attempt_failed"),
    ] {
        let plan = explain(lists::deliveries(select, &filter, &DIALECT)).await;
        assert!(plan.contains(index) && !plan.contains("Seq Scan on message"), "{filter:?}: {plan}");
    }
    let firing = AlertFilter { firing: Some(true), ..AlertFilter::default() };
    let recent = AlertFilter { since: Some(Timestamp(39_990_000)), ..AlertFilter::default() };
    for (sql, index) in [(firing_alerts(), "alert_firing"), (followed(), "alert_pkey")] {
        let sql = sql.replace("$1", "'wegraf'").replace("$2", "'{500,1000}'::bigint[]");
        let rows = schema.hand.query(&format!("EXPLAIN {sql}"), &[]).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        assert!(plan.iter().any(|line| line.contains(index)), "{plan:#?}");
        assert!(!plan.iter().any(|line| line.contains("Seq Scan on alert ")), "{plan:#?}");
    }
    let sees = OnFilter { receivers: Some(vec!["ops".to_owned()]), ..OnFilter::default() };
    for list in [OnFilter::default(), sees].into_iter().flat_map(|filter| on::heads(&filter, &DIALECT)) {
        let plan = explain(list).await;
        assert!(plan.contains("Index Scan Backward using alert_firing") && !plan.contains("Sort"), "{plan}");
    }
    for (filter, index) in [(firing, "alert_firing"), (recent, "alert_thread")] {
        let plan = explain(lists::incidents(&filter, &DIALECT)).await;
        assert!(plan.contains(index) && !plan.contains("Seq Scan"), "{filter:?}: {plan}");
    }
    store.close().await.unwrap();
    schema.remove().await;
}
