//! WeCom clients of other people with the gateway in WeCom's place: their answers must satisfy them.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::harness::World;
use crate::witness_clients::{PICTURE, run_at};

/// What the clients of the simulator know, as keys of our own; no proof but these.
const SOURCES: &str = r"
sources:
  clients:
    wecom: { own_keys: true, pass_through: true, apps: [ { app: ops, secret: sim-app-secret } ] }
receivers:
  ops: { targets: [ { webhook: dba-group } ] }
";

/// The contents of text messages, sorted: lanes of their own overtake each other.
fn texts(messages: &[Value]) -> Vec<&str> {
    let mut texts: Vec<&str> = messages.iter().filter_map(|message| message["content"]["content"].as_str()).collect();
    texts.sort_unstable();
    texts
}

#[tokio::test]
async fn apprise_is_satisfied_by_the_gateway() {
    let world = World::new(SOURCES).await;
    let Some(said) = run_at(&world, &world.url, "with_apprise.py", &[]).await else { return };
    // Whether a person exists shows later, in the record.
    let expected = json!({
        "webhook": true, "members": true, "department_and_tag": true, "markdown": true,
        "wrong_secret": false, "nobody": true,
    });
    assert_eq!(said, expected);
    assert_eq!(texts(&world.arrived("webhook=sim-ops-group", 1).await), ["磁盘将满\r\ndb-1 已用 97 %"]);
    assert_eq!(texts(&world.arrived("user=lisi", 2).await), ["**粗体**", "磁盘将满\r\n致 <成员>"]);
    assert_eq!(texts(&world.arrived("user=daixuan", 1).await), ["致部门和标签"]);
    assert_eq!(texts(&world.arrived("user=wangwu", 2).await), ["磁盘将满\r\n致 <成员>", "致部门和标签"]);
}

#[tokio::test]
async fn wechatpy_finds_every_interface_it_knows_behind_the_gateway() {
    let world = World::new(SOURCES).await;
    let Some(said) = run_at(&world, &world.url, "with_wechatpy.py", &[PICTURE]).await else { return };
    let lisi = world.arrived("user=lisi", 6).await;
    let mut kinds: Vec<_> = lisi.iter().map(|message| message["msgtype"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["image", "markdown", "news", "template_card", "text", "textcard"]);
    assert_eq!(said["kept"], true, "the picture comes back as it went");
    assert!(said["text"]["msgid"].as_str().unwrap().starts_with("wg"));
    assert_eq!(said["chat"]["name"], "见证群二");
    assert_eq!(said["user"]["name"], "张三");
    assert_eq!(said["agent"]["name"], "监控告警");
    let errcodes = json!({
        "nobody": 0, "no such chat": 86003, "other agent": 301_002, "wrong secret": 40001, "wrong corp": 40013,
    });
    assert_eq!(said["errcodes"], errcodes);
    assert!(world.requests("gettoken").await.iter().all(|request| request["errcode"] == 0), "wrong secrets go nowhere");
}

/// As long as `PushPlus` wants it, and of letters and digits as Slack does.
const TOKEN: &str = "Witness0123456789abcdef012345678";

/// A source with the addresses of all services, each leading to a lane of its own choice: none is behind.
fn services() -> String {
    let lanes = [
        "{ webhook: ops-group, face: text }",
        "{ webhook: dba-group, face: text }",
        "{ app: ops, users: [daixuan], face: text }",
        "{ app: ops, users: [zhangsan], face: text }",
        "{ app: ops, users: [lisi], face: text }",
        "{ app: ops, users: [wangwu], face: text }",
    ];
    let keys = [
        "dingtalk",
        "feishu",
        "slack",
        "mattermost",
        "rocketchat",
        "teams",
        "discord",
        "serverchan",
        "pushplus",
        "bark",
        "ntfy",
        "gotify",
    ];
    let mut text = "sources:\n  s:\n".to_owned();
    for (index, key) in keys.iter().enumerate() {
        let lane = index % lanes.len();
        writeln!(text, "    {key}: {{ tokens: {{ lane{lane}: {TOKEN} }} }}").unwrap();
    }
    text += "receivers:\n";
    for (index, lane) in lanes.iter().enumerate() {
        writeln!(text, "  lane{index}: {{ targets: [ {lane} ] }}").unwrap();
    }
    text + "route: { receiver: lane0 }\n"
}

/// What arrived anywhere, once as many as `count` did.
async fn everywhere(world: &World, count: usize) -> Vec<String> {
    world.settled().await;
    let mut all = Vec::new();
    for whose in
        ["webhook=sim-ops-group", "webhook=sim-dba-group", "user=daixuan", "user=zhangsan", "user=lisi", "user=wangwu"]
    {
        all.extend(world.inbox(whose).await.iter().map(|message| message["content"].to_string()));
    }
    // The gateway itself tells that wrong tokens come again and again.
    all.retain(|content| !content.contains("refused/credentials"));
    assert_eq!(all.len(), count, "{all:#?}");
    all
}

/// Each of `names` told once, in its words and nothing of its dress.
fn told(all: &[String], names: &[&str]) {
    for name in names {
        let of: Vec<_> = all.iter().filter(|content| content.contains(&format!("磁盘将满 {name}"))).collect();
        let [content] = of[..] else { panic!("{name}: {of:#?} of {all:#?}") };
        assert!(content.contains(&format!("已用 97 % {name}")), "{content}");
    }
    for content in all {
        for hidden in [TOKEN, "http://", "appriseit", "caronc", "no part of the words", "color", "#######", "{\\\""] {
            assert!(!content.contains(hidden), "{hidden} in {content}");
        }
    }
}

#[tokio::test]
async fn apprise_is_satisfied_by_every_service_that_is_imitated() {
    let world = World::new(&services()).await;
    let Some(said) = run_at(&world, &world.url, "with_services.py", &[TOKEN]).await else { return };
    let names = [
        "dingtalk",
        "feishu",
        "lark",
        "slack",
        "mattermost",
        "rocketchat",
        "teams",
        "discord",
        "serverchan",
        "pushplus",
        "bark",
        "ntfy",
        "gotify",
    ];
    // DingTalk's and Feishu's refusals come with HTTP 200, at which alone apprise looks.
    for name in names {
        let by_status = !["dingtalk", "feishu", "lark"].contains(&name);
        assert_eq!(
            (&said["right"][name], by_status && said["wrong"][name] == true),
            (&json!(true), false),
            "{name}: {said}"
        );
    }
    told(&everywhere(&world, names.len()).await, &names);
}

#[tokio::test]
async fn clients_of_one_service_each_are_satisfied() {
    let text = services().replace("dingtalk: {", "dingtalk: { secret: SECexample0000,");
    let world = World::new(&text).await;
    let Some(said) = run_at(&world, &world.url, "with_clients_of_services.py", &[TOKEN]).await else { return };
    let right = json!({
        "slack": [200, "ok"], "dingtalk": 0, "discord": [200, null], "teams": [true, "1"], "mattermost": true,
        "serverchan": 0, "gotify": ["磁盘将满 gotify", 8],
    });
    assert_eq!(said["right"], right);
    let wrong = json!({
        "slack": [403, "invalid_token"], "dingtalk": 300_005, "discord": [401, 50027],
        "teams": "DirectApiAuthorizationRequired", "mattermost": "web.incoming_webhook.invalid.app_error",
        "serverchan": 40001, "gotify": "GotifyError",
    });
    assert_eq!(said["wrong"], wrong);
    let names =
        ["slack_sdk", "dingtalkchatbot", "discord_webhook", "pymsteams", "matterhook", "serverchan_sdk", "gotify"];
    told(&everywhere(&world, names.len()).await, &names);
}
