//! `wegraf deliveries recall` and `wegraf acts list`: recalls by operators, and the record of acts.

use std::time::Duration;

use serde_json::{Value, json};
use wecom_simulator::Setup;

use crate::harness::{EVERY_CHANNEL, World, alertmanager};
use crate::process::{Answer, Wegraf, run};
use crate::programs::Server;
use crate::silences::NO_NOTIFIER;

/// Two people by the app, a group by a webhook and one by the app.
const WRONG: &str = r"
receivers:
  ops:
    targets:
      - { app: ops, users: [daixuan, zhangsan], face: text }
      - { webhook: ops-group, face: text }
      - { app: ops, chat: AITest, face: text }
route: { receiver: ops }
";

async fn recall(world: &World, arguments: &[&str]) -> Answer {
    let listen = world.url.trim_start_matches("http://");
    run(world, &[&["deliveries", "recall", "--by", "zhao", "--listen", listen], arguments].concat()).await
}

async fn acts(world: &World, arguments: &[&str]) -> Vec<Value> {
    let answer = run(world, &[&["acts", "list", "--json"], arguments].concat()).await.exits(0).json();
    answer["acts"].as_array().unwrap().clone()
}

/// The number of the message in this lane.
async fn sent(world: &World, lane: &str) -> String {
    let rows = run(world, &["deliveries", "list", "--json"]).await.exits(0).json();
    let row = rows["deliveries"].as_array().unwrap().iter().find(|row| row["lane"].as_str().unwrap().starts_with(lane));
    row.unwrap_or_else(|| panic!("{rows:#}"))["message"].to_string()
}

#[tokio::test]
async fn messages_of_an_app_are_recalled_or_the_reason_is_given() {
    let mut world = World::idle(Setup::demo(), WRONG).await;
    let mut gateway = Wegraf::serve(&mut world).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    for whose in ["user=daixuan", "webhook=sim-ops-group", "chat=AITest"] {
        world.arrived(whose, 1).await;
    }
    let (member, webhook, chat) = (sent(&world, "app/ops/daixuan").await, sent(&world, "webhook/").await, "AITest");
    assert_eq!(run(&world, &["acts", "list"]).await.exits(0).out, "没有操作 no acts\n");

    recall(&world, &[&member]).await.exits(0).says(&["✓", "已撤回", "recalled"]);
    for whose in ["user=daixuan", "user=zhangsan"] {
        assert_eq!(world.inbox(whose).await[0]["recalled"], true, "{whose}");
    }
    let refused = recall(&world, &[&webhook]).await.exits(1);
    refused.says(&["✗", "webhook/ops-group", "WeCom takes back only what an app sent to members"]);
    let rows = run(&world, &["deliveries", "list", "--json"]).await.json();
    let thread = format!("#{}", rows["deliveries"][0]["thread"].as_str().unwrap());
    let all = recall(&world, &[&thread, "--json"]).await.exits(1).json();
    let outcomes = all["recalled"].as_array().unwrap();
    assert_eq!(outcomes.len(), 3, "{all:#}");
    assert_eq!(outcomes.iter().filter(|one| one["error"].is_null()).count(), 1, "again is harmless: {all:#}");
    assert!(outcomes.iter().any(|one| one["error"].as_str().unwrap_or_default().contains(chat)), "{all:#}");
    let unknown = recall(&world, &["4711"]).await.exits(1);
    assert!(unknown.err.contains("there is no message 4711"), "{}", unknown.err);

    // WeCom answers that it is too late.
    world.fault(json!({ "match": { "path": "message/recall" }, "times": 1, "action": { "errcode": 42052 } })).await;
    recall(&world, &[&member]).await.exits(1).says(&["42052", "24 小时"]);

    let listed = run(&world, &["acts", "list"]).await.exits(0);
    listed.says(&["✓ done", "✗ failed", "recall", "zhao", "command", &thread, "42052"]);
    assert_eq!(acts(&world, &["--by", "zhao"]).await.len(), 3, "refusals that WeCom was not asked for are no acts");
    assert_eq!(acts(&world, &["--by", "qian"]).await, Vec::<Value>::new());
    assert_eq!(acts(&world, &["--id", &thread, "--limit", "1"]).await.len(), 1);
    assert_eq!(acts(&world, &["--open"]).await, Vec::<Value>::new());
    assert_eq!(acts(&world, &["--since", "1d"]).await.len(), 3);

    // No process holds the file any more: the command asks WeCom itself.
    gateway.signal("TERM").await;
    assert!(gateway.ended().await.success());
    recall(&world, &[&member]).await.exits(0).says(&["✓"]);
    let newest = acts(&world, &["--limit", "1"]).await.remove(0);
    assert_eq!((&newest["kind"], &newest["state"], &newest["by"]), (&json!("recall"), &json!("done"), &json!("zhao")));
}

#[tokio::test]
async fn a_message_of_many_parts_is_taken_back_whole_and_one_that_was_never_sent_not_at_all() {
    let parts = WRONG.replace("zhangsan], face: text", "zhangsan], face: text, parts: 3");
    let mut world = World::idle(Setup::demo(), &parts).await;
    world.stand_still();
    world.start().await;
    // Names without a common end, which no fold shortens.
    let host = |number: usize| format!("n{number:02}-{}", format!("{:x}", number * 7919).repeat(9));
    let hosts: Vec<String> = (1..=45).map(host).collect();
    let alerts: Vec<(&str, &str)> = hosts.iter().map(|host| (host.as_str(), "firing")).collect();
    world.accept("/webhook", alertmanager("主机失联", &alerts)).await;
    world.settled().await;
    let before = world.inbox("user=daixuan").await;
    assert!(before.len() > 1, "it has parts: {}", before.len());
    let member = sent(&world, "app/ops/daixuan").await;
    recall(&world, &[&member]).await.exits(0);
    assert!(world.inbox("user=daixuan").await.iter().all(|message| message["recalled"] == true));

    world.fault(json!({ "match": { "path": "message/send" }, "action": { "errcode": 60020 } })).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    world.pass(Duration::from_secs(1));
    let waiting = world.delivery(world.deliveries().await.last().unwrap().message - 2, |_| true).await;
    let waiting = waiting.row.message.to_string();
    recall(&world, &[&waiting]).await.exits(1).says(&["not settled yet"]);
}

#[tokio::test]
async fn acts_on_silences_by_command_are_recorded_where_a_gateway_has_run() {
    let world = World::idle(Setup::demo(), EVERY_CHANNEL).await;
    let Some(server) = Server::alertmanager(world.folder.path(), NO_NOTIFIER).await else { return };
    let mut world = world;
    world.write_config(&format!("{EVERY_CHANNEL}upstreams:\n  am: {{ kind: alertmanager, url: '{}' }}\n", server.url));
    let create = ["silences", "create", "--for", "1h", "--author", "张三", "--json", "alertname=主机失联"];
    let made = run(&world, &create).await.exits(0);
    assert!(made.err.contains("没有记入操作记录"), "no gateway has ever run: {}", made.err);
    let id = made.json()["done"][0]["id"].as_str().unwrap().to_owned();

    let mut gateway = Wegraf::serve(&mut world).await;
    let listen = world.url.trim_start_matches("http://").to_owned();
    let extend = ["silences", "extend", "--for", "4h", "--author", "李四", "--listen", &listen, &id];
    assert_eq!(run(&world, &extend).await.exits(0).err, "");
    let row = acts(&world, &[]).await.remove(0);
    assert_eq!((&row["kind"], &row["by"], &row["via"]), (&json!("extend"), &json!("李四"), &json!("command")));
    assert!(row["detail"].as_str().unwrap().contains(&id) && row["until"].is_i64(), "{row}");

    gateway.signal("TERM").await;
    assert!(gateway.ended().await.success());
    assert_eq!(run(&world, &["silences", "expire", "--author", "王五", &id]).await.exits(0).err, "");
    let kinds: Vec<Value> = acts(&world, &[]).await.iter().map(|row| row["kind"].clone()).collect();
    assert_eq!(kinds, ["expire", "extend"]);
}
