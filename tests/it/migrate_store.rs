//! From a SQLite file into PostgreSQL: nothing lost, nothing told twice, and the file unchanged.

use std::time::Instant;

use serde_json::{Value, json};
use wecom_simulator::Setup;
use xtask::postgres::Server;

use crate::harness::{PATIENCE, World, alertmanager};
use crate::process::{Wegraf, run};

const RECEIVERS: &str = r"
receivers:
  ops: { targets: [ { app: ops, users: [daixuan], face: text } ] }
  gone: { targets: [ { app: ops, users: [no-such-person], face: text } ] }
  group: { targets: [ { webhook: ops-group, face: text } ] }
  operators: { targets: [ { webhook: dba-group, face: text } ] }
route: { receiver: ops }
alarm: { receiver: operators }
";

async fn list(world: &World, config: &str) -> Vec<Value> {
    let answer = run(world, &["deliveries", "list", "--json", "--limit", "1000", "-c", config]).await;
    answer.exits(0).json()["deliveries"].as_array().unwrap().clone()
}

/// Waits until the record is as `wanted`.
async fn recorded(world: &World, config: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let begun = Instant::now();
    loop {
        let rows = list(world, config).await;
        if wanted(&rows) {
            return rows;
        }
        assert!(begun.elapsed() < PATIENCE, "{rows:#?}");
    }
}

/// Messages in this state, without those of wegraf about itself: it tells that a message is dead, sooner or later.
fn count(rows: &[Value], state: &str) -> usize {
    let own = |row: &&Value| row["name"].as_str().is_some_and(|name| name.starts_with("wegraf "));
    rows.iter().filter(|row| !own(row) && row["state"] == state).count()
}

async fn stop(mut gateway: Wegraf) {
    gateway.signal("TERM").await;
    assert!(gateway.ended().await.success(), "{}", gateway.log());
}

#[tokio::test]
async fn a_store_goes_on_in_postgresql_where_the_file_ended() {
    let Some(url) = std::env::var_os("WEGRAF_TEST_POSTGRES") else {
        assert!(std::env::var_os("WEGRAF_TEST_EVERYTHING").is_none(), "WEGRAF_TEST_POSTGRES is not set");
        return println!("skipped: WEGRAF_TEST_POSTGRES is not set");
    };
    let server = Server::Given(url.into_string().unwrap());
    let url = server.schema(&format!("wegraf_migrate_{}", rand::random::<u64>())).unwrap();
    let mut world = World::idle(Setup::demo(), RECEIVERS).await;
    let old = std::fs::read_to_string(world.config_path()).unwrap();
    world.write("old.yaml", &old);
    world.write("new.yaml", &old.replace("sqlite:wegraf.db", &url));
    let migrate = ["migrate-store", "-c", "new.yaml", "--from", "wegraf.db", "--json"];
    run(&world, &migrate).await.exits(1);
    assert!(!world.folder.path().join("wegraf.db.lock").exists(), "where there is nothing, nothing is made");

    let fault = json!({ "match": { "path": "webhook/send" }, "action": { "http": { "status": 502, "body": "" } }, "times": "forever" });
    world.fault(fault).await;
    let gateway = Wegraf::serve(&mut world).await;
    world.accept("/webhook/ops", alertmanager("磁盘将满", &[("db-1", "firing"), ("db-2", "firing")])).await;
    world.accept("/webhook/gone", alertmanager("核心交换机", &[("sw-1", "firing")])).await;
    world.accept("/webhook/group", alertmanager("复制延迟 \u{1f4a5}", &[("db-3", "firing")])).await;
    world.accept("/webhook/group", alertmanager("复制延迟 \u{1f4a5}", &[("db-3", "resolved")])).await;
    recorded(&world, "old.yaml", |rows| count(rows, "sent") == 1 && count(rows, "dead") == 1).await;
    let busy = run(&world, &migrate).await.exits(1);
    assert!(busy.err.contains(&format!("in use by process {}", gateway.pid())), "{}", busy.err);
    stop(gateway).await;

    let file = std::fs::read(world.folder.path().join("wegraf.db")).unwrap();
    let before = list(&world, "old.yaml").await;
    let wrong = run(&world, &["migrate-store", "-c", "old.yaml", "--from", "wegraf.db"]).await.exits(2);
    assert!(wrong.err.contains("make it postgres://"), "{}", wrong.err);
    let copied = run(&world, &migrate).await.exits(0).json()["copied"].clone();
    assert_eq!((&copied["message"], &copied["notification"]), (&json!(before.len()), &json!(before.len())), "{copied}");
    assert_eq!(file, std::fs::read(world.folder.path().join("wegraf.db")).unwrap(), "the file is as it was");
    assert_eq!(list(&world, "new.yaml").await, before);
    let again = run(&world, &migrate).await.exits(1);
    assert!(again.err.contains("holds data already"), "{}", again.err);

    world.control("DELETE", "faults", Value::Null).await;
    world.write("wegraf.yaml", &old.replace("sqlite:wegraf.db", &url));
    let gateway = Wegraf::serve(&mut world).await;
    let told = world.arrived("webhook=sim-ops-group", 1).await;
    let told = told[0]["content"]["content"].as_str().unwrap().to_owned();
    assert!(told.contains("复制延迟 \u{1f4a5}"), "{told}");
    let twin = world.accept("/webhook/ops", alertmanager("磁盘将满", &[("db-1", "firing"), ("db-2", "firing")])).await;
    world.accept("/webhook/ops", alertmanager("磁盘将满", &[("db-1", "resolved"), ("db-2", "resolved")])).await;
    let phone = world.arrived("user=daixuan", 2).await;
    assert!(
        phone[1].to_string().contains("恢复"),
        "the same alerts are news no more ({twin}), their end is: {phone:#?}"
    );
    let after = recorded(&world, "new.yaml", |rows| rows.iter().all(|row| row["state"] != "queued")).await;
    let newest = |rows: &[Value]| rows.iter().map(|row| row["message"].as_i64().unwrap()).max();
    assert!(newest(&after) > newest(&before), "numbers go on");
    run(&world, &["deliveries", "audit", "-c", "new.yaml"]).await.exits(0);
    stop(gateway).await;
}
