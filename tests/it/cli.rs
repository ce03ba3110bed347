//! The commands as used by people and scripts: exit code, output, JSON, and their effects in WeCom.

use serde_json::{Value, json};
use wecom_simulator::Setup;

use crate::harness::{EVERY_CHANNEL, World, alertmanager, payload};
use crate::process::{Wegraf, run, run_on};

const ROUTED: &str = r#"
receivers:
  ops: { targets: [ { app: ops, users: [daixuan], face: markdown }, { webhook: ops-group, face: markdown_v2 } ] }
  dba: { targets: [ { app: ops, chat: AITest, face: text } ] }
route:
  receiver: ops
  routes: [ { matchers: ['team=~"dba|database"'], receiver: dba } ]
"#;

/// A source, for which commands ask the running gateway.
const SOURCE: &str = "sources: { g: { bearer: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa } }\n";

async fn idle(rest: &str) -> World {
    World::idle(Setup::demo(), rest).await
}

#[tokio::test]
async fn check_says_that_a_configuration_is_fine_or_all_that_is_wrong_with_it() {
    let world = idle(ROUTED).await;
    run(&world, &["check"]).await.exits(0).says(&["✓", "2 receivers", "3 targets"]);
    assert_eq!(run(&world, &["check", "--json"]).await.exits(0).json()["ok"], true);
    world.write(
        "wegraf.yaml",
        "listn: 1\nreceivers: { ops: { targets: [ { webhook: nowhere } ] } }\nroute: { receiver: dba }\n",
    );
    run(&world, &["check"]).await.exits(1).says(&[
        "wegraf.yaml:1:1",
        "`listen`",
        "nowhere",
        "wegraf.yaml:3:",
        "mistakes",
    ]);
    let answer = run(&world, &["check", "--json"]).await.exits(1).json();
    assert_eq!(answer["ok"], false);
    let taught = "{ object: [shop, ''], place: [floor, shop], targets:";
    world.write("taught.yaml", &world.config_text("127.0.0.1:0", &ROUTED.replace("{ targets:", taught)));
    run(&world, &["check", "-c", "taught.yaml"]).await.exits(1).says(&[
        "`receivers.ops.object` names from 1 to ",
        "`receivers.ops` has the label `shop` twice (object, place)",
    ]);
    assert!(answer["mistakes"].as_array().unwrap().len() >= 3, "{answer:#}");
    let missing = run(&world, &["check", "-c", "nowhere.yaml"]).await.exits(1);
    assert!(missing.out.contains("nowhere.yaml"), "{}{}", missing.out, missing.err);
    let text = std::fs::read_to_string(world.config_path()).unwrap();
    run_on(&world, &["check", "-c", "-"], text.as_bytes()).await.exits(1).says(&["`listen`"]);
}

#[tokio::test]
async fn route_names_the_receivers_and_the_matcher_that_decided() {
    let world = idle(ROUTED).await;
    run(&world, &["route", "team=database"]).await.exits(0).says(&["dba", "team=~\"dba|database\"", "AITest"]);
    run(&world, &["route"]).await.exits(0).says(&["ops", "webhook/ops-group"]);
    let answer = run(&world, &["route", "--json", "team=dba"]).await.exits(0).json();
    assert_eq!(answer["decisions"][0]["receiver"], "dba");
    run(&world, &["route", "team"]).await.exits(2);
}

#[tokio::test]
async fn preview_shows_exactly_what_would_be_sent_and_sends_nothing() {
    let world = idle(ROUTED).await;
    run(&world, &["preview"]).await.exits(0).says(&["dba → app/ops/chat/AITest", "team=~\"dba|database\""]);
    run(&world, &["preview", "ops"]).await.exits(0).says(&[
        "ops → app/ops/daixuan",
        "[markdown]",
        "/2048",
        "\"touser\":\"daixuan\"",
    ]);
    world.write("alert.json", &payload("alertmanager-group.json"));
    let answer = run(&world, &["preview", "--payload", "alert.json", "--json"]).await.exits(0).json();
    for message in answer["messages"].as_array().unwrap() {
        assert!(message["bytes"]["used"].as_u64() <= message["bytes"]["allowed"].as_u64(), "{message:#}");
        assert_eq!(message["requests"].as_array().unwrap().len(), 1, "{message:#}");
    }
    let answer = run_on(&world, &["preview", "dba", "--payload", "-", "--json"], b"some text").await.exits(0).json();
    assert_eq!(answer["messages"][0]["lane"], "app/ops/chat/AITest");
    assert!(answer["messages"][0]["requests"][0]["text"]["content"].as_str().unwrap().contains("some text"));
    // What always fires is told to no person.
    let alert = |name| json!({"status": "firing", "labels": {"alertname": name}, "startsAt": "2026-11-22T06:02:00Z"});
    let steady = json!({"version": "4", "receiver": "x", "status": "firing", "alerts": [alert("Watchdog"), alert("InfoInhibitor")]});
    world.write("steady.json", &steady.to_string());
    let answer = run(&world, &["preview", "--payload", "steady.json", "--json"]).await.exits(0).json();
    assert_eq!(answer, json!({ "messages": [], "kept": ["InfoInhibitor", "Watchdog"] }));
    run(&world, &["preview", "--payload", "steady.json"]).await.exits(0).says(&["· Watchdog", "只记录，不发给人"]);
    // Why each label is shown or not, by what the configuration teaches.
    let labels = json!({"alertname": "TillDown", "shop_id": "s-17", "till": "4", "floor": "B2", "build_id": "b9", "instance": "pos-9:9100"});
    let body = json!({"version": "4", "receiver": "x", "status": "firing",
        "alerts": [{"status": "firing", "labels": labels, "startsAt": "2026-11-22T06:02:00Z"}]});
    world.write("till.json", &body.to_string());
    let taught = "{ object: [shop_id, till], place: [floor], hidden: [build_id], targets:";
    world.write("taught.yaml", &world.config_text("127.0.0.1:0", &ROUTED.replace("{ targets:", taught)));
    let why = ["preview", "ops", "-c", "taught.yaml", "--payload", "till.json", "--why"];
    run(&world, &why).await.exits(0).says(&["`s-17 till 4`", "`B2`", "hidden", "object:taught"]);
    let answer = run(&world, &[&why[..], &["--json"]].concat()).await.exits(0).json();
    let why = &answer["messages"][0]["labels"][0];
    assert_eq!((&why["object"], &why["place"]), (&json!("s-17 till 4"), &json!("B2")));
    let step = |name: &str| {
        let all = why["labels"].as_array().unwrap();
        all.iter().find(|one| one["label"] == name).unwrap()["step"].clone()
    };
    assert_eq!([step("shop_id"), step("floor"), step("build_id")], ["object:taught", "place", "hidden"]);
    run(&world, &["preview", "nobody"]).await.exits(2);
    run(&world, &["preview", "--sample", "nothing"]).await.exits(1);
    let counters: Value = world
        .http
        .get(format!("{}/_simulator/counters", world.simulator.url()))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(counters["requests"], 0, "WeCom was called");
}

#[tokio::test]
async fn preview_shows_the_requests_that_the_gateway_sends() {
    let world = World::new(ROUTED).await;
    world.write("alert.txt", &payload("plain.txt"));
    let answer = run(&world, &["preview", "--payload", "alert.txt", "--json"]).await.exits(0).json();
    world.accept("/webhook", payload("plain.txt")).await;
    world.settled().await;
    let sent = world.requests("message/send").await;
    // A minute may begin between the two.
    let timeless = |content: &Value| {
        let (before, rest) = content.as_str().unwrap().split_once("自 ").unwrap();
        (before.to_owned(), rest.split_once('\n').unwrap().1.to_owned())
    };
    let shown = &answer["messages"][0]["requests"][0]["markdown"]["content"];
    assert_eq!(timeless(shown), timeless(&sent[0]["body"]["markdown"]["content"]));
}

#[tokio::test]
async fn send_goes_the_real_way_and_tells_the_outcome() {
    let world = idle(ROUTED).await;
    run(&world, &["send", "ops"]).await.exits(0).says(&["✓ app/ops/daixuan", "✓ webhook/ops-group"]);
    world.arrived("user=daixuan", 1).await;
    world.arrived("webhook=sim-ops-group", 1).await;
    let answer = run(&world, &["send", "ops", "--text", "现在开会", "--json"]).await.exits(0).json();
    assert_eq!(answer["arrived"], true);
    let messages = world.arrived("user=daixuan", 2).await;
    assert!(messages[1]["content"].to_string().contains("现在开会"), "{messages:#?}");
    run(&world, &["send", "dba", "--sample", "alertmanager-group"]).await.exits(0);
    world.arrived("chat=AITest", 1).await;
    run(&world, &["send", "nobody"]).await.exits(2);
    let alert = |name| json!({"status": "firing", "labels": {"alertname": name}, "startsAt": "2026-11-22T06:02:00Z"});
    let steady = json!({"version": "4", "receiver": "x", "status": "firing", "alerts": [alert("Watchdog")]});
    world.write("steady.json", &steady.to_string());
    run(&world, &["send", "dba", "--payload", "steady.json"]).await.exits(1).says(&["· Watchdog", "只记录，不发给人"]);
    assert!(!world.folder.path().join("wegraf.db").exists(), "the record of the gateway is left alone");
}

#[tokio::test]
async fn send_that_does_not_arrive_exits_1_and_says_what_to_do() {
    let world = idle(ROUTED).await;
    world.control("PUT", "corp", json!({ "webhooks": [ { "key": "sim-ops-group", "remove": true } ] })).await;
    let answer = run(&world, &["send", "ops"]).await.exits(1);
    let answer = answer.says(&["✓ app/ops/daixuan", "✗ webhook/ops-group", "93000", "消息推送"]);
    assert!(!answer.out.contains("sim-ops-group"), "the key shows: {}", answer.out);
    assert_eq!(run(&world, &["send", "ops", "--json"]).await.exits(1).json()["arrived"], false);
}

#[tokio::test]
async fn deliveries_tell_who_was_told_what_beside_a_running_gateway() {
    let mut world = idle(EVERY_CHANNEL).await;
    run(&world, &["deliveries", "list"]).await.exits(1);
    let _gateway = Wegraf::serve(&mut world).await;
    world
        .fault(json!({ "match": { "path": "webhook/send" }, "action": { "errcode": 93000 }, "times": "forever" }))
        .await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    world.arrived("user=daixuan", 1).await;
    world.arrived("chat=AITest", 1).await;
    let rows = loop {
        let rows = run(&world, &["deliveries", "list", "--json"]).await.exits(0).json()["deliveries"].clone();
        let rows = rows.as_array().unwrap().clone();
        if rows.iter().filter(|row| row["state"] == "sent").count() == 2
            && rows.iter().any(|row| row["errcode"] == 93000)
        {
            break rows;
        }
    };
    assert_eq!(rows.len(), 3);
    run(&world, &["deliveries", "list"]).await.exits(0).says(&["磁盘将满", "✓ sent", "… queued", "93000"]);
    let of = async |arguments: &[&str]| {
        let answer = run(&world, &[&["deliveries", "list", "--json"], arguments].concat()).await.exits(0).json();
        answer["deliveries"].as_array().unwrap().len()
    };
    assert_eq!(of(&["--state", "queued"]).await, 1);
    assert_eq!(of(&["--state", "sent"]).await, 2);
    assert_eq!(of(&["--limit", "1"]).await, 1);
    assert_eq!(of(&["--receiver", "people"]).await, 0);
    // By the short id at the end of every message: all messages about it.
    let short = rows[0]["thread"].as_str().unwrap();
    let shown = run(&world, &["deliveries", "show", &format!("#{short}"), "--json"]).await.exits(0).json();
    assert_eq!(shown["deliveries"].as_array().unwrap().len(), 3);
    let number = rows[0]["message"].to_string();
    run(&world, &["deliveries", "show", &number]).await.exits(0).says(&[
        "磁盘将满",
        "attempt 1",
        "body v1",
        "anonymous",
    ]);
    run(&world, &["deliveries", "show", "4711"]).await.exits(1);
    run(&world, &["deliveries", "show", "??"]).await.exits(2);
}

const CHECKED: &str = r"
receivers:
  ops:
    targets:
      - { app: ops, users: [daixuan, lisi], face: text }
      - { app: ops, chat: AITest, face: text }
      - { webhook: ops-group, face: text }
route: { receiver: ops }
";

/// A configuration whose references all exist in the demo corp.
async fn healthy() -> World {
    let world = idle(CHECKED).await;
    let text = std::fs::read_to_string(world.config_path()).unwrap();
    world.write("wegraf.yaml", &text.replace("    gone: { key: no-such-key }\n", ""));
    world
}

#[tokio::test]
async fn doctor_finds_nothing_wrong_where_nothing_is_and_sends_no_message() {
    let world = healthy().await;
    run(&world, &["doctor"]).await.exits(0).says(&[
        "✓ 应用 ops",
        "✓   成员 daixuan",
        "✓   群聊 AITest",
        "✓ webhook ops-group",
        "all is well",
    ]);
    assert_eq!(run(&world, &["doctor", "--json"]).await.exits(0).json()["healthy"], true);
    for whose in ["user=daixuan", "chat=AITest", "webhook=sim-ops-group"] {
        assert!(world.inbox(whose).await.is_empty(), "{whose} was told something");
    }
}

/// The doctor's findings after this change of the corp.
async fn doctor_after(change: Value, says: &[&str]) {
    let world = healthy().await;
    world.control("PUT", "corp", change).await;
    run(&world, &["doctor"]).await.exits(1).says(says);
    assert_eq!(run(&world, &["doctor", "--json"]).await.exits(1).json()["healthy"], false);
}

fn of_the_corp(change: Value) -> Value {
    let mut corp = change;
    corp["corp_id"] = "wwsimcorp0000001".into();
    json!({ "corps": [corp] })
}

fn of_the_app(change: Value) -> Value {
    let mut app = change;
    app["agent_id"] = 1_000_002.into();
    of_the_corp(json!({ "apps": [app] }))
}

#[tokio::test]
async fn doctor_shows_the_address_that_must_become_a_trusted_ip() {
    let change = of_the_app(json!({ "trusted_ips": ["203.0.113.9"] }));
    doctor_after(change, &["✗ 应用 ops", "60020", "127.0.0.1", "企业可信IP"]).await;
}

#[tokio::test]
async fn doctor_names_a_wrong_secret() {
    doctor_after(of_the_app(json!({ "secret": "another" })), &["✗ 应用 ops", "40001", "Secret"]).await;
}

#[tokio::test]
async fn doctor_names_a_disabled_app() {
    doctor_after(of_the_app(json!({ "closed": true })), &["✗ 应用 ops", "启用"]).await;
}

#[tokio::test]
async fn doctor_names_a_member_who_is_unknown_or_gone() {
    let change = of_the_corp(json!({ "users": [ { "userid": "lisi", "remove": true } ] }));
    doctor_after(change, &["✓   成员 daixuan", "✗   成员 lisi", "60111"]).await;
    let change = of_the_corp(json!({ "users": [ { "userid": "lisi", "status": 4 } ] }));
    doctor_after(change, &["✗   成员 lisi", "status 4"]).await;
}

#[tokio::test]
async fn doctor_names_a_chat_that_is_gone_and_a_webhook_that_is_dead() {
    let change = of_the_corp(json!({ "chats": [ { "chatid": "AITest", "remove": true } ] }));
    doctor_after(change, &["✓ 应用 ops", "✗   群聊 AITest", "wegraf chat create"]).await;
    let change = json!({ "webhooks": [ { "key": "sim-ops-group", "remove": true } ] });
    doctor_after(change, &["✗ webhook ops-group", "93000"]).await;
}

#[tokio::test]
async fn chat_creates_changes_and_shows_a_group() {
    let world = idle(ROUTED).await;
    let create =
        ["chat", "create", "--users", "daixuan,zhangsan", "--name", "夜班", "--owner", "daixuan", "--chat", "night1"];
    run(&world, &create).await.exits(0).says(&["night1", "{ app: ops, chat: night1"]);
    world.arrived("chat=night1", 1).await;
    run(&world, &["chat", "update", "night1", "--name", "夜班二组", "--add", "lisi", "--remove", "zhangsan"])
        .await
        .exits(0);
    run(&world, &["chat", "show", "night1"]).await.exits(0).says(&["夜班二组", "daixuan", "lisi"]);
    let answer = run(&world, &["chat", "show", "night1", "--json"]).await.exits(0).json();
    assert_eq!(answer["members"], json!(["daixuan", "lisi"]));
    let made = run(&world, &["chat", "create", "--users", "daixuan,lisi", "--json"]).await.exits(0).json();
    assert!(!made["chatid"].as_str().unwrap().is_empty());
    let unknown = run(&world, &["chat", "show", "nowhere"]).await.exits(1);
    assert!(unknown.err.contains("86003") || unknown.err.contains("40050"), "{}", unknown.err);
    run(&world, &["chat", "show", "night1", "--app", "nobody"]).await.exits(2);
}

#[tokio::test]
async fn init_writes_a_configuration_that_check_accepts_and_adds_to_one() {
    let world = idle(ROUTED).await;
    let init = ["init", "-o", "new.yaml", "--webhook", "693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa", "--no-test"];
    run(&world, &init).await.exits(0);
    run(&world, &["check", "-c", "new.yaml"]).await.exits(0);
    let before = std::fs::read_to_string(world.folder.path().join("new.yaml")).unwrap();
    run(&world, &init).await.exits(0);
    run(&world, &["check", "-c", "new.yaml"]).await.exits(0);
    let after = std::fs::read_to_string(world.folder.path().join("new.yaml")).unwrap();
    assert!(
        before.lines().all(|line| after.lines().any(|other| other == line)) && after.contains("group-2"),
        "{after}"
    );
    let example = run(&world, &["init", "--print"]).await.exits(0).out;
    assert_eq!(example, include_str!("../../wegraf.example.yaml"));
}

#[tokio::test]
async fn schema_completions_and_man_print_what_their_readers_expect() {
    let world = idle(ROUTED).await;
    let schema = run(&world, &["schema"]).await.exits(0).json();
    assert!(schema["properties"]["receivers"].is_object());
    for (shell, mark) in [("bash", "complete -F"), ("zsh", "#compdef wegraf"), ("fish", "complete -c wegraf")] {
        run(&world, &["completions", shell]).await.exits(0).says(&[mark, "deliveries"]);
    }
    run(&world, &["man"]).await.exits(0).says(&[".TH wegraf"]);
    run(&world, &["man", "pages"]).await.exits(0);
    assert!(world.folder.path().join("pages/wegraf-serve.1").exists());
}

#[tokio::test]
async fn demo_once_shows_that_everything_works_and_exits_0() {
    let world = idle(ROUTED).await;
    let answer = run(&world, &["demo", "--once"]).await.exits(0);
    let answer = answer.says(&["messages have arrived", "grafana-legacy-alerting", "alertmanager-group"]);
    for gone in ["phone page", "login/link", "Ctrl-C"] {
        assert!(!answer.out.contains(gone), "it has ended, so nothing can be opened: {}", answer.out);
    }
}

#[tokio::test]
async fn a_filter_that_names_no_level_is_refused_before_anything_is_asked() {
    let world = idle(ROUTED).await;
    for wrong in [&["log", "nonsense"][..], &["log", "warn,inof"], &["serve", "--log", "inof"], &["log", "a=b=c"]] {
        let answer = run(&world, wrong).await.exits(2);
        assert!(answer.err.contains("warn, info, debug"), "{wrong:?}: {}", answer.err);
    }
}

#[tokio::test]
async fn commands_say_that_no_gateway_answers_and_which_folder_is_missing() {
    let mut world = idle(ROUTED).await;
    world.write("wegraf.yaml", &world.config_text("127.0.0.1:9", &format!("{SOURCE}{ROUTED}")));
    Wegraf::serve(&mut world).await.kill().await;
    for command in [&["reload"][..], &["log"], &["log", "debug"]] {
        let answer = run(&world, command).await.exits(1);
        assert!(answer.err.contains("no gateway answers at 127.0.0.1:9"), "{command:?}: {}", answer.err);
        assert!(!answer.err.contains("os error") && !answer.err.contains("process ?"), "{command:?}: {}", answer.err);
    }
    let source = run(&world, &["doctor", "--source", "g"]).await.exits(0).says(&["no gateway answers at 127.0.0.1:9"]);
    assert!(!source.out.contains("os error"), "{}", source.out);
    let health = run(&world, &["health"]).await.exits(1);
    assert!(health.err.contains("refused") && !health.err.contains("3 s"), "{}", health.err);
    for (command, folder) in [
        (&["deliveries", "export", "-o", "/nonexistent/x.csv"][..], "/nonexistent"),
        (&["backup", "--to", "nowhere/x.db"], "nowhere"),
    ] {
        let answer = run(&world, command).await.exits(1);
        assert!(answer.err.contains(&format!("there is no folder {folder}")), "{}", answer.err);
    }
}

#[tokio::test]
async fn the_host_of_a_pasted_webhook_is_kept_and_its_test_is_a_notice() {
    let world = idle(ROUTED).await;
    let pasted = format!("{}/cgi-bin/webhook/send?key=sim-ops-group\n", world.simulator.url());
    let answer = run_on(&world, &["init", "-o", "new.yaml"], pasted.as_bytes()).await.exits(0);
    assert!(answer.err.contains("wecom.api_url") && !answer.err.contains("sim-ops-group"), "{}", answer.err);
    let written = std::fs::read_to_string(world.folder.path().join("new.yaml")).unwrap();
    assert!(written.contains(&format!("api_url: \"{}\"", world.simulator.url())), "{written}");
    let said = world.arrived("webhook=sim-ops-group", 1).await[0]["content"].to_string();
    assert!(said.contains("🔵") && !said.contains("🔴"), "{said}");
    // A host that does not answer is named, and all answers but the key are given back.
    let dead = b"http://127.0.0.1:9/cgi-bin/webhook/send?key=sim-ops-group\n";
    let answer = run_on(&world, &["init", "-o", "other.yaml", "--listen", "127.0.0.1:9000"], dead).await.exits(1);
    for text in ["wecom.api_url: http://127.0.0.1:9", "WEGRAF_WEBHOOK=…", "--api-url 'http://127.0.0.1:9'", "--listen"]
    {
        assert!(answer.err.contains(text), "{text}: {}", answer.err);
    }
}

#[tokio::test]
async fn wrong_usage_exits_2_and_help_0() {
    let world = idle(ROUTED).await;
    for wrong in
        [&["nonsense"][..], &["send"], &["serve", "--listen", "nowhere"], &["deliveries"], &["completions", "cmd"], &[]]
    {
        run(&world, wrong).await.exits(2);
    }
    run(&world, &["--help"]).await.exits(0).says(&["demo", "serve", "退出码"]);
    run(&world, &["--version"]).await.exits(0).says(&[env!("CARGO_PKG_VERSION")]);
    world.write("wegraf.yaml", "listn: 1\n");
    for command in [
        &["serve"][..],
        &["send", "ops"],
        &["preview"],
        &["route"],
        &["doctor"],
        &["deliveries", "list"],
        &["chat", "show", "x"],
    ] {
        let answer = run(&world, command).await.exits(2);
        assert!(answer.err.contains("wegraf.yaml:1:1"), "{command:?}: {}", answer.err);
    }
}
