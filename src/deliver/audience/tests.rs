use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

use serde_json::{Value, json};
use tokio::net::TcpListener;
use wecom::{Network, Options, Recipients};
use wecom_simulator::{Department, Setup, Simulator, User};

use super::*;

const START: i64 = 1_760_000_000_000;
const MINUTE: i64 = 60_000;

/// A simulated WeCom, an app of it that sees all members, and a clock.
struct Bench {
    simulator: Simulator,
    control: reqwest::Client,
    client: wecom::Client,
    audience: Audience,
    now: Arc<AtomicI64>,
}

impl Bench {
    async fn new() -> Self {
        Self::with(Setup::demo()).await
    }

    async fn with(setup: Setup) -> Self {
        // TLS for the control client; `Err` means that another test installed it first.
        drop(rustls::crypto::ring::default_provider().install_default());
        let simulator = Simulator::start(TcpListener::bind("127.0.0.1:0").await.unwrap(), setup).await;
        let now = Arc::new(AtomicI64::new(START));
        let clock = Arc::clone(&now);
        let options = Options::new(Network::new(simulator.url()), Arc::new(move || clock.load(SeqCst)));
        Self {
            control: reqwest::Client::builder().no_proxy().build().unwrap(),
            client: wecom::Client::new(options).unwrap(),
            audience: Audience::default(),
            simulator,
            now,
        }
    }

    async fn of(&self, to: &Recipients) -> Reach {
        self.audience.of_members(&self.client, &app(), to, self.now()).await
    }

    async fn of_chat(&self, chat: &str) -> Reach {
        self.audience.of_chat(&self.client, &app(), chat, self.now()).await
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(SeqCst))
    }

    fn pass(&self, minutes: i64) {
        self.now.fetch_add(minutes * MINUTE, SeqCst);
    }

    async fn tell(&self, method: &str, path: &str, body: Value) {
        let url = format!("{}/_simulator/{path}", self.simulator.url());
        let answer = self.control.request(method.parse().unwrap(), url).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}: {body}");
    }

    /// Every call of `path` fails by `action` until [`Self::heal`].
    async fn fault(&self, path: &str, action: Value) {
        self.tell("POST", "faults", json!({"match": {"path": path}, "times": "forever", "action": action})).await;
    }

    async fn heal(&self) {
        self.tell("DELETE", "faults", Value::Null).await;
    }

    /// Calls of `path` so far.
    async fn calls(&self, path: &str) -> u64 {
        let url = format!("{}/_simulator/counters", self.simulator.url());
        let counters: Value = self.control.get(url).send().await.unwrap().json().await.unwrap();
        counters["by_path"][format!("/cgi-bin/{path}")].as_u64().unwrap_or_default()
    }
}

fn app() -> wecom::App {
    wecom::App { corp_id: "wwsimcorp0000001".into(), agent_id: 1_000_002, secret: "sim-app-secret".into() }
}

fn users(names: &[&str]) -> Recipients {
    Recipients { users: names.iter().map(|name| (*name).to_owned()).collect(), ..Recipients::default() }
}

fn parties(ids: &[i64]) -> Recipients {
    Recipients { parties: ids.to_vec(), ..Recipients::default() }
}

fn tags(ids: &[i64]) -> Recipients {
    Recipients { tags: ids.to_vec(), ..Recipients::default() }
}

fn seen(names: &[&str]) -> Reach {
    Reach { users: names.iter().map(|name| (*name).to_owned()).collect(), unseen: false }
}

fn unseen(names: &[&str]) -> Reach {
    Reach { unseen: true, ..seen(names) }
}

fn member(userid: &str, department: i64) -> Value {
    json!({"corp_id": "wwsimcorp0000001", "users": [{"userid": userid, "departments": [department]}]})
}

#[tokio::test]
async fn people_who_are_named_need_no_look_up() {
    let bench = Bench::new().await;
    assert_eq!(bench.of(&users(&["ZhangSan", "zhangsan", "LISI"])).await, seen(&["lisi", "zhangsan"]));
    assert_eq!(bench.calls("gettoken").await, 0);
}

#[tokio::test]
async fn a_department_reaches_its_members_and_those_below_it() {
    let mut setup = Setup::demo();
    let corp = &mut setup.corps[0];
    corp.departments.push(Department { id: 4, name: "夜班".into(), parent: 2 });
    corp.users.push(User { userid: "ZhaoLiu".into(), departments: vec![4], ..corp.users[0].clone() });
    let bench = Bench::with(setup).await;
    assert_eq!(bench.of(&parties(&[2])).await, seen(&["daixuan", "zhangsan", "zhaoliu"]));
    let mixed = Recipients { users: vec!["WangWu".into()], parties: vec![4], tags: vec![] };
    assert_eq!(bench.of(&mixed).await, seen(&["wangwu", "zhaoliu"]));
}

#[tokio::test]
async fn a_tag_reaches_its_members_and_those_of_its_departments() {
    let mut setup = Setup::demo();
    setup.corps[0].tags[0].users = vec!["wangwu".into()];
    setup.corps[0].tags[0].parties = vec![2];
    let bench = Bench::with(setup.clone()).await;
    assert_eq!(bench.of(&tags(&[3])).await, seen(&["daixuan", "wangwu", "zhangsan"]));
    // Of a tag whose department cannot be read, the other members are known.
    setup.corps[0].apps[0].visible.parties = vec![3];
    let bench = Bench::with(setup).await;
    assert_eq!(bench.of(&tags(&[3])).await, unseen(&["wangwu"]));
}

#[tokio::test]
async fn all_members_are_the_visible_scope_of_the_app_and_replace_all_others() {
    let mut setup = Setup::demo();
    let visible = &mut setup.corps[0].apps[0].visible;
    (visible.users, visible.parties, visible.tags) = (vec!["lisi".into()], vec![2], vec![3]);
    let bench = Bench::with(setup).await;
    let all = Recipients { users: vec!["@all".into(), "nobody".into()], parties: vec![99], tags: vec![99] };
    assert_eq!(bench.of(&all).await, seen(&["daixuan", "lisi", "wangwu", "zhangsan"]));
}

#[tokio::test]
async fn a_chat_reaches_its_members_and_an_unreadable_one_unlisted_people() {
    let bench = Bench::new().await;
    assert_eq!(bench.of_chat("AITest").await, seen(&["daixuan", "lisi", "zhangsan"]));
    assert_eq!(bench.of_chat("NoSuchChat").await, unseen(&[]));
    bench.fault("appchat/get", json!({"raw": r#"{"errcode":0,"chat_info":{"chatid":"Bare"}}"#})).await;
    assert_eq!(bench.of_chat("Bare").await, unseen(&[]));
}

#[tokio::test]
async fn unreadable_members_may_still_be_reached_and_are_asked_for_again_after_ten_minutes() {
    let bench = Bench::new().await;
    for code in [48002, 60011] {
        bench.fault("department/simplelist", json!({"errcode": code})).await;
        let before = bench.calls("department/simplelist").await;
        let to = Recipients { users: vec!["lisi".into()], parties: vec![2], tags: vec![] };
        for _ in 0..5 {
            assert_eq!(bench.of(&to).await, unseen(&["lisi"]));
        }
        bench.pass(9);
        assert_eq!(bench.of(&to).await, unseen(&["lisi"]));
        assert_eq!(bench.calls("department/simplelist").await, before + 1);
        bench.heal().await;
        bench.pass(1);
    }
    assert_eq!(bench.of(&parties(&[2])).await, seen(&["daixuan", "zhangsan"]));
}

#[tokio::test]
async fn a_department_that_changes_is_noticed_within_an_hour() {
    let bench = Bench::new().await;
    assert_eq!(bench.of(&parties(&[2])).await, seen(&["daixuan", "zhangsan"]));
    bench.tell("PUT", "corp", json!({"corps": [member("zhaoliu", 2)]})).await;
    bench.pass(59);
    assert_eq!(bench.of(&parties(&[2])).await, seen(&["daixuan", "zhangsan"]));
    assert_eq!(bench.calls("user/simplelist").await, 1);
    bench.pass(1);
    assert_eq!(bench.of(&parties(&[2])).await, seen(&["daixuan", "zhangsan", "zhaoliu"]));
    // A clock that is set back does not keep an old list for ever.
    bench.pass(-600);
    bench.of(&parties(&[2])).await;
    assert_eq!(bench.calls("user/simplelist").await, 3);
}

#[tokio::test]
async fn an_older_list_stays_in_use_while_a_new_one_cannot_be_had() {
    let bench = Bench::new().await;
    bench.of(&parties(&[2])).await;
    bench.pass(60);
    bench.fault("user/simplelist", json!({"errcode": -1})).await;
    for _ in 0..3 {
        assert_eq!(bench.of(&parties(&[2])).await, seen(&["daixuan", "zhangsan"]));
    }
    assert_eq!(bench.calls("user/simplelist").await, 2);
    bench.heal().await;
    bench.tell("PUT", "corp", json!({"corps": [member("zhaoliu", 2)]})).await;
    bench.pass(10);
    assert_eq!(bench.of(&parties(&[2])).await, seen(&["daixuan", "zhangsan", "zhaoliu"]));
}

#[tokio::test]
async fn a_directory_that_hangs_delays_one_message_briefly_and_the_next_not_at_all() {
    let mut bench = Bench::new().await;
    bench.audience.patience = Duration::from_secs(2);
    bench.fault("simplelist", json!("hang")).await;
    let begun = Instant::now();
    // Two seconds for all fifty, not for each of them.
    assert_eq!(bench.of(&parties(&(1..=50).collect::<Vec<_>>())).await, unseen(&[]));
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let begun = Instant::now();
    assert_eq!(bench.of(&parties(&[1, 2])).await, unseen(&[]));
    assert!(begun.elapsed() < Duration::from_millis(1500), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_look_up_that_takes_longer_than_a_message_waits_is_finished_for_the_next() {
    let mut bench = Bench::new().await;
    bench.audience.patience = Duration::from_millis(100);
    bench.fault("user/simplelist", json!({"delay_ms": 600})).await;
    assert_eq!(bench.of(&parties(&[2])).await, unseen(&[]));
    tokio::time::timeout(Duration::from_secs(20), async {
        while bench.of(&parties(&[2])).await != seen(&["daixuan", "zhangsan"]) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
    assert_eq!(bench.calls("user/simplelist").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_messages_at_once_ask_once() {
    let bench = Arc::new(Bench::new().await);
    let mut messages = JoinSet::new();
    for _ in 0..100 {
        let bench = bench.clone();
        messages.spawn(async move { bench.of(&parties(&[2])).await });
    }
    for reach in messages.join_all().await {
        assert_eq!(reach, seen(&["daixuan", "zhangsan"]));
    }
    assert_eq!(bench.calls("department/simplelist").await, 1);
    assert_eq!(bench.calls("user/simplelist").await, 1);
}

#[tokio::test]
async fn too_many_people_for_a_debit_each_are_unseen() {
    let mut setup = Setup::demo();
    let corp = &mut setup.corps[0];
    // Two departments that may each be read, but not both together.
    let people = (0..MOST_USERS).map(|n| User {
        userid: format!("user{n}"),
        departments: vec![if n % 2 == 0 { 2 } else { 3 }],
        ..corp.users[0].clone()
    });
    let people: Vec<_> = people.collect();
    corp.users.extend(people);
    let bench = Bench::with(setup).await;
    let to = Recipients { users: vec!["lisi".into()], parties: vec![2, 3], tags: vec![] };
    assert_eq!(bench.of(&to).await, unseen(&["lisi"]));
    assert_eq!(bench.of(&parties(&[2])).await.users.len(), MOST_USERS / 2 + 2);
}

#[test]
fn the_shelf_is_bounded_and_keeps_what_is_being_looked_up() {
    let shelf = Shelf { lists: Mutex::default(), places: Semaphore::new(1) };
    let key = |id| (String::new(), 1, Group::Party(id));
    let big = || Members { users: (0..MOST_USERS).map(|n| n.to_string()).collect(), groups: Vec::new() };
    let Boarded::New(..) = shelf.board(&key(0), Timestamp(0)) else { panic!() };
    let Boarded::New(_, under_way) = shelf.board(&key(1), Timestamp(0)) else { panic!() };
    for id in 2..=i64::try_from(MOST_NAMES / MOST_USERS).unwrap() + 2 {
        shelf.learn(&key(id), Ok(big()), Timestamp(0));
        assert!(shelf.members(&key(id)).is_some());
    }
    assert!(shelf.members(&key(2)).is_none());
    assert!(matches!(shelf.board(&key(1), Timestamp(0)), Boarded::UnderWay(_)));
    drop(under_way);
    for id in 100..100 + 3 * i64::try_from(MOST_LISTS).unwrap() {
        shelf.learn(&key(id), Err("no right".to_owned()), Timestamp(0));
    }
    assert!(shelf.lists().len() <= MOST_LISTS);
}
