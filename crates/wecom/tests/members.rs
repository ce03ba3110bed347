//! Who is behind departments and tags, and whether WeCom is there at all, against the simulator.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use wecom::{App, Class, Client, Fault, Network, Options, TagMembers};
use wecom_simulator::{Department, Setup, Simulator, User};

struct Bench {
    simulator: Simulator,
    client: Client,
}

impl Bench {
    async fn new(setup: Setup) -> Self {
        let simulator = Simulator::start(TcpListener::bind("127.0.0.1:0").await.unwrap(), setup).await;
        let options = Options::new(Network::new(simulator.url()), Arc::new(|| 1_760_000_000_000));
        Self { client: Client::new(options).unwrap(), simulator }
    }

    /// Calls of `path` suffer `action` from the `after`th on.
    async fn fault(&self, path: &str, after: u32, action: Value) {
        let fault = json!({"match": {"path": path}, "after": after, "times": "forever", "action": action});
        let url = format!("{}/_simulator/faults", self.simulator.url());
        let control = reqwest::Client::builder().no_proxy().build().unwrap();
        assert_eq!(control.post(url).json(&fault).send().await.unwrap().status(), 200);
    }
}

fn app() -> App {
    App { corp_id: "wwsimcorp0000001".into(), agent_id: 1_000_002, secret: "sim-app-secret".into() }
}

/// Sees zhangsan and lisi, but no department.
fn narrow_app() -> App {
    App { corp_id: "wwsimcorp0000001".into(), agent_id: 1_000_003, secret: "sim-second-secret".into() }
}

/// The demo corp with a department two levels below 2 and a member who is in it and in 3.
fn deep() -> Setup {
    let mut setup = Setup::demo();
    let corp = &mut setup.corps[0];
    for (id, parent) in [(4, 2), (5, 4)] {
        corp.departments.push(Department { id, name: String::new(), parent });
    }
    corp.users.push(User { userid: "ZhaoLiu".into(), departments: vec![5, 3], ..corp.users[0].clone() });
    corp.tags[0].parties = vec![4];
    setup
}

#[tokio::test]
async fn a_department_has_the_members_of_all_departments_below_it_without_duplicates() {
    let bench = Bench::new(deep()).await;
    let members = async |id| bench.client.department_members(&app(), id).await.unwrap();
    assert_eq!(members(4).await, ["ZhaoLiu"]);
    assert_eq!(members(2).await, ["ZhaoLiu", "daixuan", "zhangsan"]);
    assert_eq!(members(1).await, ["ZhaoLiu", "daixuan", "lisi", "wangwu", "zhangsan"]);
}

#[tokio::test]
async fn a_department_outside_the_visible_scope_is_an_error_not_an_empty_list() {
    let bench = Bench::new(deep()).await;
    let hidden = bench.client.department_members(&narrow_app(), 2).await.unwrap_err();
    assert_eq!((hidden.failure().fault, hidden.failure().class), (Fault::Invalid, Class::Refused));
    let unknown = bench.client.department_members(&app(), 99).await.unwrap_err();
    assert_eq!(unknown.failure().errcode(), Some(60003));
}

#[tokio::test]
async fn a_list_of_which_a_part_cannot_be_read_is_an_error() {
    let bench = Bench::new(deep()).await;
    bench.fault("user/simplelist", 2, json!({"errcode": 60011})).await;
    let half = bench.client.department_members(&app(), 2).await.unwrap_err();
    assert_eq!((half.failure().errcode(), half.failure().class), (Some(60011), Class::Refused));
    bench.fault("department/simplelist", 0, json!({"raw": r#"{"errcode":0,"errmsg":"ok"}"#})).await;
    let lacking = bench.client.department_members(&app(), 2).await.unwrap_err();
    assert_eq!(lacking.failure().fault, Fault::Incomplete);
}

#[tokio::test]
async fn a_tag_is_carried_by_members_and_by_departments() {
    let bench = Bench::new(deep()).await;
    let tagged = bench.client.tag_members(&app(), 3).await.unwrap();
    assert_eq!(tagged, TagMembers { users: vec!["zhangsan".into(), "wangwu".into()], parties: vec![4] });
    assert_eq!(bench.client.tag_members(&app(), 98).await.unwrap_err().failure().errcode(), Some(40068));
}

#[tokio::test]
async fn wecom_is_there_if_it_answers_as_itself_even_with_a_refusal() {
    let bench = Bench::new(Setup::demo()).await;
    bench.client.reachable().await.unwrap();
    let url = format!("{}/_simulator/requests?path=get_api_domain_ip", bench.simulator.url());
    let seen: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    assert!(seen.to_string().contains("41001"), "{seen}");
    bench.fault("get_api_domain_ip", 0, json!({"errcode": -1})).await;
    bench.client.reachable().await.unwrap();
}
