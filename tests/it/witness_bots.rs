//! Bots and servers of other people against the simulator: what they think of its socket and of its encryption.

use std::process::Command;

use serde_json::{Value, json};
use wecom_simulator::Setup;

use crate::harness::World;
use crate::programs::find;
use crate::witness_clients::{run, say};

/// What the official SDK printed.
async fn run_node(world: &World) -> Option<Value> {
    let (node, packages) = (find("node")?, find("target/witnesses/node/node_modules")?);
    let mut command = Command::new(node);
    command.arg(format!("{}/tests/it/witnesses/with_aibot_node.cjs", env!("CARGO_MANIFEST_DIR")));
    command.arg(world.simulator.url()).arg(packages.parent().unwrap());
    Some(say(world, command).await)
}

#[tokio::test]
async fn the_official_bot_sdk_talks_is_clicked_uploads_and_is_driven_out() {
    let world = World::idle(Setup::demo(), "").await;
    let Some(said) = run_node(&world).await else { return };
    let click = json!({
        "card_type": "button_interaction", "event_key": "ack", "task_id": "node1",
        "selected_items": { "selected_item": [{ "question_key": "dur", "option_ids": { "option_id": ["4h"] } }] },
    });
    assert_eq!(said["stranger"], "WS_AUTH_FAILURE_EXHAUSTED");
    assert_eq!((&said["before_a_word"], &said["text"]), (&json!(93001), &json!("状态")));
    for done in ["streamed", "streamed_on", "markdown", "card", "updated", "welcomed", "file"] {
        assert_eq!(said[done], 0, "{done}: {said}");
    }
    assert_eq!((&said["text_is_unknown"], &said["click"]), (&json!(40008), &click));
    assert_eq!((&said["uploaded"]["type"], &said["uploaded"]["media_id"]), (&json!("file"), &json!("string")));
    assert_eq!((&said["alive"], &said["driven_out"]), (&json!(true), &json!({ "eventtype": "disconnected_event" })));
    assert_eq!(said["after"], json!({ "older": false, "newer": true, "reconnecting": [] }));

    let inbox = world.inbox("bot=sim-bot/lisi").await;
    let kinds: Vec<_> = inbox.iter().map(|message| message["msgtype"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["stream", "markdown", "template_card", "text", "file"]);
    assert_eq!(inbox[0]["content"]["content"], "一 **二**");
    assert_eq!(inbox[2]["content"]["replace_text"], "李四 已认领");
    assert_eq!((&inbox[4]["content"]["name"], &inbox[4]["content"]["bytes"]), (&json!("报告.txt"), &json!(1_200_000)));
    let bot = world.control("GET", "bots", Value::Null).await["bots"][0].clone();
    assert_eq!((&bot["subscribes"], &bot["refused"], &bot["evictions"]), (&json!(2), &json!(2), &json!(1)));
}

#[tokio::test]
async fn the_python_bot_sdk_talks_is_clicked_and_is_driven_out() {
    let world = World::idle(Setup::demo(), "").await;
    let Some(said) = run(&world, "with_aibot_python.py", &[]).await else { return };
    let expected = json!({
        "text": "谁在值班", "markdown": 0, "card": 0, "updated": 0, "alive": true, "newer": true,
        "click": { "card_type": "button_interaction", "event_key": "ack", "task_id": "python1" },
        "driven_out": { "eventtype": "disconnected_event" },
    });
    assert_eq!(said, expected);
    let inbox = world.inbox("bot=sim-bot/wangwu").await;
    assert_eq!((inbox.len(), &inbox[1]["content"]["replace_text"]), (2, &json!("王五 已认领")));
    let bot = world.control("GET", "bots", Value::Null).await["bots"][0].clone();
    assert_eq!((&bot["subscribes"], &bot["evictions"]), (&json!(2), &json!(1)));
}

#[tokio::test]
async fn wechatpy_reads_callbacks_and_its_replies_are_read() {
    let world = World::idle(Setup::demo(), "").await;
    let Some(said) = run(&world, "with_wechatpy_callback.py", &[]).await else { return };
    assert_eq!((&said["verified"]["ok"], &said["verified"]["status"]), (&json!(true), &json!(200)), "{said}");
    let [text, click, menu] = &said["read"].as_array().unwrap()[..] else { panic!("{said}") };
    assert_eq!((&text["Content"], &text["FromUserName"]), (&json!("状态 <1 & 2>"), &json!("lisi")));
    assert_eq!((&click["Event"], &click["TaskId"]), (&json!("template_card_event"), &json!("wechatpy1")));
    let chosen = json!({ "SelectedItem": { "QuestionKey": "dur", "OptionIds": { "OptionId": "1h" } } });
    assert_eq!((&click["SelectedItems"], &click["AgentID"]), (&chosen, &json!("1000002")));
    assert_eq!((&menu["Event"], &menu["EventKey"]), (&json!("template_card_menu_event"), &json!("undo")));
    assert_ne!(click["ResponseCode"], menu["ResponseCode"]);
    assert_eq!(said["replies"], json!(["text", "update_button", "update_template_card"]));

    let lisi = world.inbox("user=lisi").await;
    assert_eq!((lisi.len(), &lisi[0]["content"]["content"]), (2, &json!("收到")));
    assert_eq!(lisi[1]["content"]["main_title"]["title"], "已撤销");
    assert_eq!(lisi[1]["content"]["horizontal_content_list"][1], json!({ "keyname": "集群", "value": "sh-1" }));
    assert_eq!(lisi[1]["content"]["card_action"]["url"], "https://example.com/?a=1&b=2");
    let wangwu = &world.inbox("user=wangwu").await[0]["content"];
    assert_eq!(wangwu["main_title"]["title"], "磁盘将满", "only the one who clicked sees it");
}
