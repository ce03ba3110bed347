//! WeCom clients of other people, in Python, against the simulator: what they think of its API.

use std::process::Command;

use serde_json::{Value, json};
use wecom_simulator::Setup;

use crate::harness::{PATIENCE, World};
use crate::programs::find;

pub const PICTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/crates/wecom-simulator/assets/sample.png");

/// Runs a script of `tests/it/witnesses` against a simulator; what it printed, as JSON.
pub async fn run(world: &World, script: &str, arguments: &[&str]) -> Option<Value> {
    run_at(world, &world.simulator.url(), script, arguments).await
}

/// The same against the WeCom at `url`.
pub async fn run_at(world: &World, url: &str, script: &str, arguments: &[&str]) -> Option<Value> {
    let python = find("target/witnesses/bin/python")?;
    let script = format!("{}/tests/it/witnesses/{script}", env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(python);
    command.arg("-B").arg(script).arg(url).args(arguments);
    Some(say(world, command).await)
}

/// Runs a command in the world's folder; what it printed, as JSON. One that does not end is ended.
pub async fn say(world: &World, mut command: Command) -> Value {
    command.current_dir(world.folder.path());
    // An address that a script failed to replace must not be reached, wherever the tests run: it ends at a closed port.
    command.env("HTTPS_PROXY", "http://127.0.0.1:9").env("NO_PROXY", "127.0.0.1");
    let output = tokio::process::Command::from(command).kill_on_drop(true).output();
    let output = tokio::time::timeout(PATIENCE, output).await.expect("the script ends").unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|reason| panic!("{reason}: {error}"))
}

/// The type and the content of each message.
fn contents(messages: &[Value]) -> Vec<(&str, &Value)> {
    messages.iter().map(|message| (message["msgtype"].as_str().unwrap(), &message["content"])).collect()
}

#[tokio::test]
async fn apprise_reaches_groups_members_departments_and_tags() {
    let world = World::idle(Setup::demo(), "").await;
    let Some(said) = run(&world, "with_apprise.py", &[]).await else { return };
    let expected = json!({
        "webhook": true, "members": true, "department_and_tag": true, "markdown": true,
        "wrong_secret": false, "nobody": false,
    });
    assert_eq!(said, expected);
    let group = world.inbox("webhook=sim-ops-group").await;
    assert_eq!(contents(&group), [("text", &json!({ "content": "磁盘将满\r\ndb-1 已用 97 %" }))]);
    let lisi = world.inbox("user=lisi").await;
    let to_members = json!({ "content": "磁盘将满\r\n致 <成员>" });
    assert_eq!(contents(&lisi), [("text", &to_members), ("markdown", &json!({ "content": "**粗体**" }))]);
    let to_others = json!({ "content": "致部门和标签" });
    assert_eq!(contents(&world.inbox("user=daixuan").await), [("text", &to_others)]);
    assert_eq!(contents(&world.inbox("user=wangwu").await), [("text", &to_members), ("text", &to_others)]);
}

#[tokio::test]
async fn wechatpy_finds_every_interface_it_knows() {
    let world = World::idle(Setup::demo(), "").await;
    // It must get over an early end of its token.
    world.fault(json!({ "match": { "path": "message/send" }, "action": { "errcode": 40014 } })).await;
    let Some(said) = run(&world, "with_wechatpy.py", &[PICTURE]).await else { return };

    let lisi = world.inbox("user=lisi").await;
    let kinds: Vec<_> = lisi.iter().map(|message| message["msgtype"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["text", "markdown", "textcard", "news", "template_card", "image"]);
    assert_eq!(lisi[0]["content"]["content"], "文字 <1 & 2>");
    assert_eq!(lisi[2]["content"]["btntxt"], "详情");
    assert_eq!(lisi[3]["content"]["articles"][0]["title"], "图文");
    assert_eq!(lisi[4]["content"]["main_title"]["title"], "卡片");
    assert_eq!(lisi[5]["content"]["bytes"], std::fs::metadata(PICTURE).unwrap().len());
    let chat = world.inbox("chat=witness1").await;
    let kinds: Vec<_> = chat.iter().map(|message| message["msgtype"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["text", "markdown"]);
    assert_eq!(chat[0]["receivers"], json!(["daixuan", "lisi"]), "wangwu has been taken out");

    assert_eq!(said["text"]["invaliduser"], "nobody");
    assert_eq!(said["kept"], true, "the picture comes back as it went");
    assert!(said["uploadimg"]["url"].as_str().unwrap().starts_with("http"));
    assert_eq!(said["chat"]["name"], "见证群二");
    assert_eq!(said["user"]["name"], "张三");
    assert_eq!(said["people"].as_array().unwrap().len(), 2);
    assert_eq!(said["departments"].as_array().unwrap().len(), 3);
    assert_eq!(said["tag"]["userlist"][1]["userid"], "wangwu");
    assert_eq!(said["agent"]["name"], "监控告警");
    assert!(!said["addresses"].as_array().unwrap().is_empty());
    let errcodes = json!({
        "nobody": 81013, "no such chat": 86003, "other agent": 301_002, "wrong secret": 40001, "wrong corp": 40013,
    });
    assert_eq!(said["errcodes"], errcodes);

    let tokens = world.requests("gettoken").await;
    let fetched = tokens.iter().filter(|request| request["errcode"] == 0).count();
    assert_eq!(fetched, 2, "one at the start, one after 40014");
}
