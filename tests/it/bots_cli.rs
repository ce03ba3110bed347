//! The commands around a bot: the first run in three steps, its state, and `doctor`.

use serde_json::Value;

use crate::bots::{PERSON, RECEIVERS, bot, connected, idle, mute, said, say, talking};
use crate::harness::{World, alertmanager};
use crate::process::{run, run_on};
use crate::programs::until;

/// Runs `wegraf init`, with a user who greets the bot where `chat` says, and presses the card that comes.
async fn first_run(world: &World, chat: Option<&str>) -> (crate::process::Answer, Value) {
    let url = world.simulator.url();
    let socket = format!("{}/ws", url.replacen("http", "ws", 1));
    let arguments = ["init", "-o", "new.yaml", "--api-url", &url, "--bot-url", &socket];
    let person = async {
        connected(world).await;
        say(world, "zhangsan", chat, "你好").await;
        if chat.is_some() {
            return Value::Null;
        }
        let card = until("the first card", async || {
            said(world, PERSON).await.into_iter().find(|message| message["msgtype"] == "template_card")
        })
        .await;
        crate::bots::press(world, &card, "zhangsan", "hello", None).await
    };
    tokio::join!(run_on(world, &arguments, b"sim-bot\nsim-bot-secret\n"), person)
}

#[tokio::test]
async fn the_first_run_is_init_hello_and_a_press() {
    let world = idle(RECEIVERS).await;
    let (answer, click) = first_run(&world, None).await;
    let answer =
        answer.exits(0).says(&["机器人已连上", "zhangsan 说话了", "new.yaml", "按了按钮", "wegraf serve -c new.yaml"]);
    assert!(answer.out.contains("curl -H") && !answer.out.contains("wegraf send"), "{}", answer.out);
    assert_eq!((&click["answers"][0]["errcode"], &click["answers"][0]["in_time"]), (&0.into(), &true.into()));
    run(&world, &["check", "-c", "new.yaml"]).await.exits(0);
    let written = std::fs::read_to_string(world.folder.path().join("new.yaml")).unwrap();
    assert!(written.contains("{ bot: duty, chat: \"zhangsan\", face: card }"), "{written}");
    assert!(bot(&world).await["live"].is_null(), "the socket is left to the gateway");
    // What was proved is no fault because no database has it.
    run(&world, &["doctor", "-c", "new.yaml"]).await.exits(0).says(&["✓   会话 zhangsan", "not on record"]);
}

#[tokio::test]
async fn a_group_that_takes_no_cards_is_a_first_run_as_well() {
    let world = idle(RECEIVERS).await;
    let (answer, _) = first_run(&world, Some("wrSimDutyGroup")).await;
    answer.exits(0).says(&["群里发不了卡片", "new.yaml"]);
    let written = std::fs::read_to_string(world.folder.path().join("new.yaml")).unwrap();
    assert!(written.contains("{ bot: duty, chat: \"wrSimDutyGroup\", face: markdown_v2 }"), "{written}");
}

#[tokio::test]
async fn a_wrong_secret_is_told_before_anything_is_written() {
    let world = idle(RECEIVERS).await;
    let socket = format!("{}/ws", world.simulator.url().replacen("http", "ws", 1));
    let arguments = ["init", "-o", "new.yaml", "--bot-id", "sim-bot", "--bot-secret", "no", "--bot-url", &socket];
    let answer = run(&world, &arguments).await.exits(1);
    assert!(answer.err.contains("Nothing was written"), "{}", answer.err);
    assert!(!world.folder.path().join("new.yaml").exists() && !world.folder.path().join("secrets").exists());
    // Only the secret is asked for again.
    let retry = [&arguments[..], &["--chat", "zhangsan", "--yes"]].concat();
    run(&world, &retry).await.exits(1);
    let url = world.simulator.url();
    let webhook = ["init", "-o", "new.yaml", "--api-url", &url, "--webhook", "wrong-key"];
    let answer = run_on(&world, &webhook, b"sim-ops-group\n").await.exits(0);
    assert!(answer.err.contains("93000") && !answer.err.contains("sim-ops-group"), "{}", answer.err);
    answer.says(&["webhook/group", "Authorization Header - Credentials", "wegraf serve -c new.yaml"]);
    let app = ["init", "-o", "new.yaml", "--corp-id", "wwsimcorp0000001", "--agent-id", "1000002", "--users", "nobody"];
    let app = [&app[..], &["--secret", "wrong", "--listen", "127.0.0.1:1"]].concat();
    let answer = run_on(&world, &app, b"sim-app-secret\nzhangsan,lisi\n").await.exits(0);
    answer.says(&["zhangsan = ", "lisi = ", "ops-2"]);
    run(&world, &["check", "-c", "new.yaml"]).await.exits(0);
}

#[tokio::test]
async fn the_list_says_how_a_bot_is_and_what_to_write() {
    let world = talking(RECEIVERS).await;
    run(&world, &["bots", "list"]).await.exits(0).says(&["duty", "sim-bot", "✓", "no one has spoken"]);
    say(&world, "lisi", Some("wrSimDutyGroup"), "告警").await;
    let answer = run(&world, &["bots", "list", "--json"]).await.exits(0).json();
    let known = &answer["bots"][0]["conversations"][0];
    assert_eq!(known["target"], "{ bot: duty, chat: \"wrSimDutyGroup\", face: markdown_v2 }");
    assert_eq!((&known["user"], &known["group"]), (&"lisi".into(), &true.into()));
    run(&world, &["bots", "list"]).await.exits(0).says(&["wrSimDutyGroup", "lisi", "face: markdown_v2"]);
    assert!(!run(&world, &["bots", "list"]).await.out.contains("sim-bot-secret"));
}

/// The doctor's findings about the bot and its conversations.
async fn doctor(world: &World) -> Vec<(String, bool, String)> {
    let answer: Value = serde_json::from_str(&run(world, &["doctor", "--json"]).await.out).unwrap();
    let findings = answer["findings"].as_array().unwrap().iter();
    let about = |finding: &Value| finding["about"].as_str().unwrap().to_owned();
    let words = |finding: &Value| finding["says"].as_str().unwrap().to_owned();
    findings
        .map(|finding| (about(finding), finding["ok"] == true, words(finding)))
        .filter(|(about, ..)| about.contains("机器人") || about.contains("会话"))
        .collect()
}

#[tokio::test]
async fn a_doctor_connects_where_no_gateway_does_and_evicts_no_connection() {
    let world = idle(RECEIVERS).await;
    let found = doctor(&world).await;
    assert!(found[0].1 && found[0].2.contains("试连成功"), "{found:?}");
    assert!(found[1].1 && found[1].2.contains("not on record"), "{found:?}");
    assert_eq!(bot(&world).await["subscribes"], 1);

    let world = mute(RECEIVERS).await;
    say(&world, "zhangsan", None, "你好").await;
    let found = doctor(&world).await;
    assert!(found[0].1 && found[0].2.contains("网关正连着"), "{found:?}");
    assert!(found[1].0.contains("zhangsan") && found[1].1, "{found:?}");
    let bot = bot(&world).await;
    assert_eq!((&bot["subscribes"], &bot["evictions"]), (&1.into(), &0.into()), "{bot:#}");
}

#[tokio::test]
async fn a_conversation_that_refused_the_bot_is_a_fault() {
    let world = mute(RECEIVERS).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    until("the refusal is found", async || {
        let found = doctor(&world).await;
        found
            .iter()
            .any(|(about, fine, says)| about.contains("zhangsan") && !fine && says.contains("93001"))
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_bot_that_cannot_connect_names_its_own_key_and_address() {
    let world = idle(RECEIVERS).await;
    let arguments = ["init", "-o", "new.yaml", "--bot-id", "sim-bot", "--bot-secret", "sim-bot-secret"];
    let elsewhere = ["--bot-url", "ws://127.0.0.1:9/ws", "--chat", "zhangsan", "--yes"];
    let answer = run(&world, &[&arguments[..], &elsewhere].concat()).await.exits(1);
    assert!(answer.err.contains("wecom.bot_url: ws://127.0.0.1:9/ws"), "{}", answer.err);
    assert!(!answer.err.contains("api_url"), "{}", answer.err);
    for text in ["WEGRAF_BOT_SECRET=…", "--bot-id 'sim-bot'", "--chat 'zhangsan'", "--bot-url 'ws://127.0.0.1:9/ws'"]
    {
        assert!(answer.err.contains(text), "{text}: {}", answer.err);
    }
}
