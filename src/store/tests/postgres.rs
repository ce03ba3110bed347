//! What is special to PostgreSQL: replicas, and a server that restarts.

use std::sync::atomic::Ordering;
use std::time::Instant;

use secrecy::{ExposeSecret as _, SecretString};
use tokio_postgres::{Client, NoTls};

use super::*;

/// A schema of its own for one test, in the database that `WEGRAF_TEST_POSTGRES` names.
pub(crate) struct Schema {
    pub url: SecretString,
    name: String,
    pub(super) hand: Client,
}

impl Schema {
    /// `None`, with a note on stdout, if there is no such database; `./test` has one.
    pub async fn make() -> Option<Self> {
        let Some(url) = std::env::var_os("WEGRAF_TEST_POSTGRES") else {
            assert!(std::env::var_os("WEGRAF_TEST_EVERYTHING").is_none(), "WEGRAF_TEST_POSTGRES is not set");
            println!("skipped: WEGRAF_TEST_POSTGRES is not set");
            return None;
        };
        let url = url.into_string().unwrap();
        let (hand, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(connection);
        let name = format!("test_{:016x}", rand::random::<u64>());
        hand.batch_execute(&format!("CREATE SCHEMA {name}; SET search_path = {name}")).await.unwrap();
        let mark = if url.contains('?') { '&' } else { '?' };
        let url = format!("{url}{mark}options=-csearch_path%3D{name}&application_name={name}").into();
        Some(Self { url, name, hand })
    }

    pub async fn open(&self) -> Store {
        self.try_open(LEASE).await.unwrap()
    }

    /// The same through a proxy at `address`.
    pub async fn open_through(&self, address: std::net::SocketAddr) -> Store {
        let url = self.url.expose_secret();
        let config: tokio_postgres::Config = url.parse().unwrap();
        let options = url.split_once("options=").unwrap().1;
        let (user, database) = (config.get_user().unwrap(), config.get_dbname().unwrap());
        let url = format!("postgres://{user}@{address}/{database}?sslmode=disable&options={options}").into();
        Store::open(&Database::Postgres { url }, T0).await.unwrap()
    }

    async fn try_open(&self, lease: Duration) -> Result<Store, StoreError> {
        Store::open_with_lease(&Database::Postgres { url: self.url.clone() }, lease, T0).await
    }

    /// Makes the schema as the program before a step left it: with the first `steps`.
    async fn older(&self, steps: usize) {
        self.older_with(steps, Vec::new()).await;
    }

    /// The same with rows, each section as soon as its table is made.
    pub(super) async fn older_with(&self, steps: usize, mut rows: Vec<(&'static str, String)>) {
        let table =
            "CREATE TABLE migration (version bigint PRIMARY KEY, hash text NOT NULL, applied_at bigint NOT NULL)";
        self.hand.batch_execute(table).await.unwrap();
        for (version, sql) in (1_i64..).zip(&migrate::POSTGRES[..steps]) {
            self.hand.batch_execute(sql).await.unwrap();
            let note = "INSERT INTO migration VALUES ($1, $2, 0)";
            self.hand.execute(note, &[&version, &migrate::hash(sql)]).await.unwrap();
            for (table, sql) in std::mem::take(&mut rows) {
                let made = self.hand.query_one("SELECT to_regclass($1) IS NOT NULL", &[&table]).await.unwrap();
                if made.get::<_, bool>(0) {
                    self.hand.batch_execute(&sql).await.unwrap_or_else(|error| panic!("{version}, {table}: {error}"));
                } else {
                    rows.push((table, sql));
                }
            }
        }
    }

    pub async fn remove(self) {
        self.hand.batch_execute(&format!("DROP SCHEMA {} CASCADE", self.name)).await.unwrap();
    }

    /// Ends all connections of this test's stores, as a restart of the server does.
    async fn cut(&self) -> i64 {
        let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1";
        self.hand.query_one(sql, &[&self.name]).await.unwrap().get(0)
    }

    async fn number(&self, sql: &str) -> i64 {
        self.hand.query_one(sql, &[]).await.unwrap().get(0)
    }
}

/// A request to claim the head of a lane, under a lease that `store` takes.
async fn wish_to_send(store: &Store, lane: &str, ways: Vec<Way>) -> Claim {
    let lease = store.acquire(&LaneKey::stored(lane)).await.unwrap().expect("no other replica holds the lane");
    let queued = head(store, lane, at(0)).await.expect("something is due");
    let freeze = queued.frozen.is_none().then(|| bytes(&["text"]));
    Claim { lease, message: queued.message, epoch: queued.epoch, revision: queued.revision, freeze, ways }
}

/// Waits until the lane is free.
async fn take_over(store: &Store, lane: &str) -> Lease {
    loop {
        match store.acquire(&LaneKey::stored(lane)).await.unwrap() {
            Some(lease) => return lease,
            None => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

#[tokio::test]
async fn a_lane_is_taken_over_after_its_lease_and_its_paused_holder_writes_nothing() {
    let Some(schema) = Schema::make().await else { return };
    let short = Duration::from_millis(500);
    let (sleeper, other) = (schema.try_open(short).await.unwrap(), schema.try_open(short).await.unwrap());
    for name in ["HighCPU", "DiskFull"] {
        sleeper.admit(notification(0, "lane", vec![firing(name, 0)])).await.unwrap();
    }
    let wish = wish_to_send(&sleeper, "lane", vec![Way::default()]).await;
    let old = wish.lease.clone();
    let claimed = take(&sleeper, wish, at(0)).await;
    assert!(other.acquire(&LaneKey::stored("lane")).await.unwrap().is_none(), "the lease lasts");
    assert!(other.lanes(at(0)).await.unwrap().is_empty(), "what another has is not offered");
    assert_eq!(sleeper.lanes(at(0)).await.unwrap().len(), 1);

    let lease = take_over(&other, "lane").await;
    assert!(lease.epoch > old.epoch);
    let unsure = other.queued(claimed.message).await.unwrap().unwrap();
    assert_eq!((unsure.state, unsure.epoch), (State::Unsure, 1));
    let before = other.delivery(claimed.message).await.unwrap();
    let late = settlement(claimed, "accepted", Next::Accepted);
    assert!(matches!(sleeper.settle(late, at(0)).await, Err(StoreError::Lost { .. })));
    let again = Claim { lease: old.clone(), epoch: 1, freeze: None, ..wish_of(&unsure) };
    assert!(matches!(sleeper.claim(again.clone(), at(0)).await, Err(StoreError::Lost { .. })));
    assert!(matches!(sleeper.fold(&old, None, at(0)).await, Err(StoreError::Lost { .. })));
    sleeper.release(&old).await.unwrap();
    assert!(sleeper.acquire(&LaneKey::stored("lane")).await.unwrap().is_none(), "who lost a lane cannot give it away");
    assert_eq!(other.delivery(claimed.message).await.unwrap(), before);

    let claimed = take(&other, Claim { lease: lease.clone(), ..again }, at(0)).await;
    assert_eq!((claimed.epoch, claimed.version), (2, 1), "the same bytes");
    other.settle(settlement(claimed, "accepted", Next::Accepted), at(0)).await.unwrap();
    other.release(&lease).await.unwrap();
    assert!(sleeper.acquire(&LaneKey::stored("lane")).await.unwrap().is_some(), "given back, it is free at once");
    schema.remove().await;
}

/// A request to claim a message as it stands, except for the lease.
fn wish_of(queued: &Queued) -> Claim {
    let lease = Lease { lane: queued.lane.clone(), epoch: 0 };
    let (message, epoch, revision) = (queued.message, queued.epoch, queued.revision);
    Claim { lease, message, epoch, revision, freeze: None, ways: vec![Way::default()] }
}

#[tokio::test]
async fn a_claim_renews_its_lease_and_closing_releases_all() {
    let Some(schema) = Schema::make().await else { return };
    let (one, other) = (schema.open().await, schema.open().await);
    one.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    let wish = wish_to_send(&one, "lane", vec![Way::default()]).await;
    let left = "SELECT extract(epoch FROM lease_until - clock_timestamp())::bigint FROM lane";
    schema.hand.batch_execute("UPDATE lane SET lease_until = clock_timestamp() - interval '1 h'").await.unwrap();
    let claimed = take(&one, wish, at(0)).await;
    assert!((20..=30).contains(&schema.number(left).await), "ended, but not taken over");
    one.settle(settlement(claimed, "accepted", Next::Accepted), at(0)).await.unwrap();
    assert!(other.acquire(&LaneKey::stored("lane")).await.unwrap().is_none());
    one.close().await.unwrap();
    assert!(other.acquire(&LaneKey::stored("lane")).await.unwrap().is_some());
    assert!(matches!(one.ping().await, Err(StoreError::Closed)));
    schema.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_sees_a_message_sees_all_with_lower_ids() {
    let Some(schema) = Schema::make().await else { return };
    let mut admitting = tokio::task::JoinSet::new();
    for replica in 0..4 {
        let store = schema.open().await;
        admitting.spawn(async move {
            let rounds = (0..10).map(async |round| {
                let name = format!("alert {replica} {round}");
                store.admit(notification(round, "lane", vec![firing(&name, 0)])).await.unwrap();
            });
            // Some alone, some in groups.
            for (index, admission) in rounds.enumerate() {
                if index % 3 == 0 {
                    tokio::task::yield_now().await;
                }
                admission.await;
            }
            futures_util::future::join_all((0..30).map(async |round| {
                let name = format!("alert {replica} again {round}");
                store.admit(notification(round, "lane", vec![firing(&name, 0)])).await.unwrap();
            }))
            .await;
        });
    }
    let mut seen: Vec<i64> = Vec::new();
    let ids = async || -> Vec<i64> {
        let rows = schema.hand.query("SELECT id FROM message ORDER BY id", &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    };
    while !admitting.is_empty() {
        let now = ids().await;
        assert!(now.starts_with(&seen), "{seen:?} became {now:?}");
        seen = now;
        while let Some(ended) = admitting.try_join_next() {
            ended.unwrap();
        }
    }
    assert_eq!(ids().await, (1..=160).collect::<Vec<_>>(), "and none is left out");
    schema.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_that_reach_several_replicas_at_once_are_told_once() {
    let Some(schema) = Schema::make().await else { return };
    let mut stores = Vec::new();
    for _ in 0..4 {
        stores.push(schema.open().await);
    }
    let copies = stores.iter().map(|store| store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])));
    let admitted = futures_util::future::try_join_all(copies).await.unwrap();
    assert_eq!(admitted.iter().filter(|admitted| !admitted.duplicate).count(), 1);
    assert!(admitted.iter().all(|admitted| admitted.id == 1));
    assert_eq!(stores[0].audit().await.unwrap(), Audit { pending: 1, repeated: 3, ..Audit::default() });
    schema.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_is_spent_once_however_many_replicas_there_are() {
    let Some(schema) = Schema::make().await else { return };
    let mut claiming = tokio::task::JoinSet::new();
    for replica in 0..4 {
        let store = schema.open().await;
        claiming.spawn(async move {
            let mut claimed = 0;
            for round in 0..8 {
                let lane = format!("lane {replica} {round}");
                store.admit(notification(0, &lane, vec![firing(&lane, 0)])).await.unwrap();
                let charge = Charge::new(Account::stored("webhook"), crate::budget::Limit::WEBHOOK);
                let ways = vec![Way { scopes: Vec::new(), charges: vec![charge] }];
                let wish = wish_to_send(&store, &lane, ways).await;
                match store.claim(wish, at(0)).await.unwrap() {
                    Taken::Claimed(_) => claimed += 1,
                    Taken::Wait { until, breaker: None } => assert!(until > at(0)),
                    other => panic!("{other:?}"),
                }
            }
            claimed
        });
    }
    let claimed: i32 = claiming.join_all().await.into_iter().sum();
    assert_eq!(claimed, 13, "18 less the reserve");
    schema.remove().await;
}

#[tokio::test]
async fn a_new_token_is_taken_over_by_all_replicas() {
    let Some(schema) = Schema::make().await else { return };
    let mut stores = Vec::new();
    for _ in 0..4 {
        stores.push(schema.open().await);
    }
    let saves = (0_i64..).zip(&stores).map(|(n, store)| store.save_token("ops", format!("{n}").into(), at(n), 1));
    let tokens = futures_util::future::try_join_all(saves).await.unwrap();
    let texts: Vec<&str> = tokens.iter().map(|token| token.token.expose_secret()).collect();
    assert!(texts.iter().all(|text| *text == texts[0]) && tokens.iter().all(|token| token.version == 1), "{texts:?}");
    schema.remove().await;
}

#[tokio::test]
async fn a_server_that_was_started_again_between_calls_is_not_noticed() {
    let Some(schema) = Schema::make().await else { return };
    let store = schema.open().await;
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    assert!(schema.cut().await >= 1);
    let wish = wish_to_send(&store, "lane", vec![Way::default()]).await;
    schema.cut().await;
    let claimed = take(&store, wish, at(0)).await;
    schema.cut().await;
    store.admit(notification(1, "lane", vec![firing("DiskFull", 0)])).await.unwrap();
    schema.cut().await;
    store.settle(settlement(claimed, "accepted", Next::Accepted), at(1)).await.unwrap();
    schema.cut().await;
    assert_eq!(store.audit().await.unwrap(), Audit { pending: 1, named: 1, ..Audit::default() });
    schema.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_a_broken_connection_loses_and_repeats_no_news() {
    let Some(schema) = Schema::make().await else { return };
    let store = schema.open().await;
    let admit = |number: i64| {
        let (store, name) = (store.clone(), format!("alert {number}"));
        async move {
            loop {
                match store.admit(notification(0, "lane", vec![firing(&name, 0)])).await {
                    Ok(_) => break,
                    // As a sender would, having got no 200.
                    Err(StoreError::Retry(Retry::Unreachable { .. })) => {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                    Err(other) => panic!("{other}"),
                }
            }
        }
    };
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..8 {
        let rounds = (0..25).map(|round| admit(sender * 100 + round)).collect::<Vec<_>>();
        senders.spawn(async move {
            for round in rounds {
                round.await;
            }
        });
    }
    while !senders.is_empty() {
        schema.cut().await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        while let Some(ended) = senders.try_join_next() {
            ended.unwrap();
        }
    }
    assert_eq!(store.audit().await.unwrap(), Audit { pending: 200, ..Audit::default() });
    schema.remove().await;
}

#[tokio::test]
async fn an_unreachable_server_is_distinguished_from_a_bug() {
    let Some(schema) = Schema::make().await else { return };
    let nobody = Database::Postgres { url: "postgres://wegraf@127.0.0.1:1/wegraf".into() };
    let error = Store::open(&nobody, T0).await.unwrap_err();
    assert!(matches!(error, StoreError::Retry(Retry::Unreachable { .. })) && !error.is_fatal(), "{error}");
    let options = "options=-cdefault_transaction_read_only%3Don%20";
    let standby = schema.url.expose_secret().replacen("options=", options, 1);
    let error = Store::open(&Database::Postgres { url: standby.into() }, T0).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Open { why: Unopened::Refused(_), .. }) && error.to_string().contains("standby"),
        "{error}"
    );
    schema.remove().await;
}

#[tokio::test]
async fn one_notification_that_cannot_be_written_does_not_harm_its_neighbours() {
    let Some(schema) = Schema::make().await else { return };
    let store = schema.open().await;
    // Too long for an index, and it cannot be compressed.
    let long: String = (0..9_000_u64).map(|n| char::from(b'A' + Sha256::digest(n.to_le_bytes())[0] % 58)).collect();
    let admissions = (0..9).map(|number| {
        let lane = if number == 4 { long.as_str() } else { "lane" };
        store.admit(notification(0, lane, vec![firing(&format!("alert {number}"), 0)]))
    });
    let results = futures_util::future::join_all(admissions).await;
    for (number, result) in results.iter().enumerate() {
        assert_eq!(result.is_err(), number == 4, "{number}: {result:?}");
    }
    assert_eq!(store.audit().await.unwrap().pending, 8);
    schema.remove().await;
}

#[tokio::test]
async fn admissions_that_wait_together_share_a_commit_and_see_each_other() {
    let Some(schema) = Schema::make().await else { return };
    let store = schema.open().await;
    let before = store.counters();
    let on = || firing("HighCPU", 0);
    let admissions = [
        notification(0, "lane", vec![on(), firing("DiskFull", 0)]),
        notification(0, "lane", vec![on()]),
        notification(1, "lane", vec![resolved("HighCPU", 0, 1)]),
        notification(2, "lane", vec![firing("HighCPU", 2)]),
    ];
    let admitted =
        futures_util::future::try_join_all(admissions.map(|admission| store.admit(admission))).await.unwrap();
    let news: Vec<_> = admitted.iter().map(|admitted| (admitted.id, admitted.duplicate)).collect();
    assert_eq!(news, [(1, false), (1, true), (2, false), (3, false)]);
    let after = store.counters();
    assert!(after.commits - before.commits <= 2 && after.writes - before.writes == 4, "{after:?}");
    // The newest tells all of the one alert; the first keeps the other.
    let states: Vec<_> = store.deliveries(DeliveryFilter::default()).await.unwrap();
    let states: Vec<_> = states.iter().map(|row| (row.message, row.state, row.firing, row.resolved)).collect();
    assert_eq!(states, [(3, State::Queued, 2, 1), (2, State::Folded, 0, 0), (1, State::Queued, 1, 0)]);
    assert_eq!(store.audit().await.unwrap(), Audit { pending: 4, repeated: 1, ..Audit::default() });
    schema.remove().await;
}

#[tokio::test]
async fn a_queued_message_wakes_the_other_replicas() {
    let Some(schema) = Schema::make().await else { return };
    let (one, other) = (schema.open().await, schema.open().await);
    // It listens now.
    other.woken().await;
    one.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    tokio::time::timeout(Duration::from_secs(30), other.woken()).await.expect("it was told");
    let skew = one.skew().expect("its database is shared").load(Ordering::Relaxed);
    assert!(skew.abs() < 1_000, "{skew} ms");
    schema.remove().await;
}

#[tokio::test]
async fn replicas_that_start_together_make_one_schema_and_a_newer_one_is_refused() {
    let Some(schema) = Schema::make().await else { return };
    let opened = futures_util::future::join_all((0..4).map(|_| schema.try_open(LEASE))).await;
    for store in opened {
        store.unwrap().close().await.unwrap();
    }
    let reader = Store::open_reading(&Database::Postgres { url: schema.url.clone() }).await.unwrap();
    assert_eq!(reader.deliveries(DeliveryFilter::default()).await.unwrap(), []);
    assert!(matches!(reader.ping().await, Err(StoreError::Bug { .. })), "it only reads");
    schema.hand.batch_execute("INSERT INTO migration VALUES (99, 'future', 0)").await.unwrap();
    assert!(
        matches!(schema.try_open(LEASE).await, Err(StoreError::Open { why: Unopened::Newer { found: 99, known }, .. }) if known == i64::try_from(migrate::POSTGRES.len()).unwrap())
    );
    schema
        .hand
        .batch_execute("DELETE FROM migration WHERE version = 99; UPDATE migration SET hash = 'x'")
        .await
        .unwrap();
    assert!(matches!(schema.try_open(LEASE).await, Err(StoreError::Open { why: Unopened::Refused(_), .. })));
    schema.hand.batch_execute("DROP TABLE migration").await.unwrap();
    let again = schema.try_open(LEASE).await.unwrap_err().to_string();
    assert!(again.contains("already exists"), "foreign tables are left alone: {again}");
    let reading = Store::open_reading(&Database::Postgres { url: schema.url.clone() }).await;
    assert!(matches!(reading, Err(StoreError::Open { why: Unopened::Refused(_), .. })));
    schema.remove().await;
}

#[tokio::test]
async fn final_rows_cannot_be_changed_by_any_writer() {
    let Some(schema) = Schema::make().await else { return };
    let store = schema.open().await;
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    let claimed = claim(&store, "lane", 0, "text").await;
    store.settle(settlement(claimed, "accepted", Next::Accepted), at(0)).await.unwrap();
    let writes = [
        ("UPDATE message SET error = 'x'", "a settled message never changes"),
        ("UPDATE transition SET fate = 'dead'", "a transition has one fate"),
        ("UPDATE part SET body = ''", "frozen bytes never change"),
        ("UPDATE message SET state = 'gone'", "a settled message never changes"),
    ];
    for (sql, reason) in writes {
        let error = schema.hand.batch_execute(sql).await.unwrap_err();
        assert_eq!(error.as_db_error().unwrap().message(), reason, "{sql}");
    }
    schema.remove().await;
}

#[tokio::test]
async fn due_lanes_are_found_by_live_messages_only() {
    let Some(schema) = Schema::make().await else { return };
    let store = schema.open().await;
    let fill = "INSERT INTO message (notification_id, receiver, lane, target, critical, thread, created_at, state,
                                     settled_at)
                SELECT 1, 'ops', 'lane ' || n % 20, '{}', false, 1, n, CASE WHEN n % 200 = 0 THEN 'queued' ELSE 'sent' END,
                       CASE WHEN n % 200 <> 0 THEN n END
                FROM generate_series(1, 40000) n; ANALYZE message";
    schema.hand.batch_execute(fill).await.unwrap();
    for sql in crate::store::postgres::PLANNED {
        let sql = sql.replace("$1", "'lane 0'").replace("$2", "48").replace("$3", "8").replace("$4", "8");
        let sql = sql.replace("$5", "4");
        let rows = schema.hand.simple_query(&format!("EXPLAIN {sql}")).await.unwrap();
        let plan: Vec<String> = rows
            .iter()
            .filter_map(|row| match row {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            })
            .collect();
        assert!(plan.iter().any(|line| line.contains("message_live")), "{plan:#?}");
        assert!(!plan.iter().any(|line| line.contains("Seq Scan on message")), "{plan:#?}");
    }
    assert_eq!(store.lanes(at(0)).await.unwrap().len(), 1);
    schema.remove().await;
}

#[tokio::test]
async fn an_admission_whose_sender_has_timed_out_is_refused() {
    let Some(schema) = Schema::make().await else { return };
    let store = schema.open().await;
    let Store::Postgres(db) = &store else { unreachable!("it is in PostgreSQL") };
    let old = Instant::now().checked_sub(Duration::from_secs(9)).unwrap();
    let late = db.admit_asked(notification(0, "lane", vec![firing("HighCPU", 0)]), old);
    let timely = db.admit(notification(0, "lane", vec![firing("DiskFull", 0)]));
    let (late, timely) = tokio::join!(late, timely);
    assert!(matches!(late, Err(StoreError::Retry(Retry::Busy))), "{late:?}");
    assert_eq!(timely.unwrap().transitions, 1, "others of its group are admitted");
    assert_eq!(store.audit().await.unwrap().pending, 1);
    store.close().await.unwrap();
    schema.remove().await;
}

#[tokio::test]
async fn a_database_from_before_bodies_were_compressed_is_opened_and_goes_on() {
    let Some(schema) = Schema::make().await else { return };
    schema.older(6).await;
    schema.hand.batch_execute(&OLD_ROWS.replace("bytes", "bytea")).await.unwrap();
    let store = schema.open().await;
    goes_on(&store).await;
    store.close().await.unwrap();
    schema.remove().await;
}

/// What the version before schema 7 does to take a lane and to renew its lease.
const OLD_TAKE: &str = "WITH free AS (
        SELECT name FROM lane WHERE name = $1 AND (owner = $2 OR lease_until <= clock_timestamp())
        FOR UPDATE SKIP LOCKED)
    UPDATE lane SET owner = $2, epoch = epoch + (owner <> $2)::int,
                    lease_until = clock_timestamp() + 500 * interval '1 ms'
    FROM free WHERE lane.name = free.name RETURNING epoch";
const OLD_RENEW: &str = "UPDATE lane SET lease_until = clock_timestamp() + 500 * interval '1 ms'
    WHERE name = $1 AND owner = $2";
/// And to lease the socket of a bot.
const OLD_SOCKET: &str = "INSERT INTO socket AS s (bot, holder, held_until)
    VALUES ('duty', $1, clock_timestamp() + 500 * interval '1 millisecond')
    ON CONFLICT (bot) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until
    WHERE s.holder = excluded.holder OR s.held_until < clock_timestamp()";

#[tokio::test]
async fn a_replica_of_an_older_version_takes_alerts_but_sends_nothing_once_a_newer_one_runs() {
    let Some(schema) = Schema::make().await else { return };
    schema.older(6).await;
    let (hand, owner) = (&schema.hand, "4711-old");
    hand.execute("INSERT INTO lane VALUES ('lane', '', 0, '-infinity')", &[]).await.unwrap();
    assert_eq!(hand.query(OLD_TAKE, &[&"lane", &owner]).await.unwrap().len(), 1);
    assert_eq!(hand.execute(OLD_SOCKET, &[&owner]).await.unwrap(), 1);

    let new = schema.open().await;
    assert_eq!(hand.execute(OLD_RENEW, &[&"lane", &owner]).await.unwrap(), 0, "its lease is not renewed");
    let lease = take_over(&new, "lane").await;
    assert_eq!(lease.epoch, 2);
    new.release(&lease).await.unwrap();
    assert_eq!(hand.query(OLD_TAKE, &[&"lane", &owner]).await.unwrap().len(), 0, "and none is given to it");
    assert_eq!(hand.execute(OLD_SOCKET, &[&owner]).await.unwrap(), 0);
    while !new.hold_socket("duty", "new", Duration::from_secs(9)).await.unwrap() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(hand.execute(OLD_SOCKET, &[&owner]).await.unwrap(), 0);

    // What it admits is kept as it came, and the newer one sends it.
    hand.batch_execute(&OLD_ROWS.replace("bytes", "bytea")).await.unwrap();
    goes_on(&new).await;
    new.close().await.unwrap();
    schema.remove().await;
}

#[tokio::test]
async fn a_schema_that_others_keep_in_use_is_brought_up_to_date_when_they_let_go() {
    let Some(schema) = Schema::make().await else { return };
    schema.older(6).await;
    schema.hand.batch_execute("BEGIN; LOCK TABLE notification IN ROW EXCLUSIVE MODE").await.unwrap();
    let mut opening = Box::pin(schema.open());
    // Longer than a step waits for a lock: by then it has let the others pass once.
    let waits = tokio::time::timeout(Duration::from_secs(5), &mut opening).await;
    assert!(waits.is_err(), "it waits");
    schema.hand.batch_execute("COMMIT").await.unwrap();
    let store = tokio::time::timeout(Duration::from_mins(1), opening).await.unwrap();
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    store.close().await.unwrap();
    schema.remove().await;
}

#[tokio::test]
async fn known_alerts_are_found_by_the_index_also_by_a_plan_made_for_a_small_table() {
    let Some(schema) = Schema::make().await else { return };
    let store = schema.open().await;
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    for sql in ["VACUUM ANALYZE alert", "SET enable_seqscan = off"] {
        schema.hand.batch_execute(sql).await.unwrap();
    }
    let arrays = crate::store::postgres::KNOWN.replace("$1", "'{}'::bytea[]").replace("$2", "'{}'::text[]");
    let rows = schema.hand.query(&format!("EXPLAIN {arrays}"), &[]).await.unwrap();
    let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert!(plan.iter().any(|line| line.contains("Index Scan using alert_identity_receiver_key")), "{plan:#?}");
    store.close().await.unwrap();
    schema.remove().await;
}

#[tokio::test]
async fn the_size_of_the_database_counts_each_table() {
    let Some(schema) = Schema::make().await else { return };
    let store = schema.open().await;
    let most = 4 << 20;
    assert!(!store.is_too_large(most).await.unwrap());
    // Words are the larger part of what is kept of a message whose body was pruned.
    let fill = "INSERT INTO message (notification_id, receiver, lane, target, critical, thread, created_at, state, settled_at)
                SELECT 1, 'ops', 'lane', '{}', false, 1, n, 'sent', n FROM generate_series(1, 2000) n;
                INSERT INTO message_term (message_id, terms)
                SELECT id, (SELECT array_to_tsvector(array_agg(md5((id * 200 + n)::text))) FROM generate_series(1, 200) n)
                FROM message";
    schema.hand.batch_execute(fill).await.unwrap();
    assert!(store.is_too_large(most).await.unwrap());
    schema.hand.batch_execute("DELETE FROM message_term; DELETE FROM message").await.unwrap();
    assert!(!store.is_too_large(most).await.unwrap(), "free space in files does not count");
    store.close().await.unwrap();
    schema.remove().await;
}
