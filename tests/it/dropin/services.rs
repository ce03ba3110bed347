//! The addresses of chats and push services: for each, what its client is told byte for byte, and what people read.

use serde_json::{Value, json};

use super::{World, answer};

const TOKEN: &str = "Service0123456789abcdef012345678";
const OTHER: &str = "87654321-never-configured-0000000";

/// Every service with one token; each to a group or a member of its own.
const SOURCES: &str = r"
sources:
  s:
    mattermost: { tokens: { ops: Service0123456789abcdef012345678 } }
    rocketchat: { tokens: { dba: Service0123456789abcdef012345678 } }
    teams: { tokens: { ops: Service0123456789abcdef012345678 } }
    discord: { tokens: { dba: Service0123456789abcdef012345678 } }
    serverchan: { tokens: { ops: Service0123456789abcdef012345678 } }
    pushplus: { tokens: { '*': Service0123456789abcdef012345678 } }
    bark: { tokens: { ops: Service0123456789abcdef012345678, dba: Another0123456789abcdef012345678 } }
    ntfy: { tokens: { '*': Service0123456789abcdef012345678 } }
    gotify: { tokens: { ops: Service0123456789abcdef012345678 } }
    slack: { tokens: { '*': Service0123456789abcdef012345678 }, mention_all: true }
receivers:
  ops: { targets: [ { webhook: ops-group, face: text } ] }
  dba: { targets: [ { webhook: dba-group, face: text } ] }
route: { receiver: ops }
";

/// A call to a service: its name, where, what, and what its client is told: `N` stands for a number of ours.
struct Call {
    path: &'static str,
    body: Value,
    told: (u16, &'static str),
    refused: (u16, &'static str),
    down: (u16, &'static str),
    /// The group that hears of it, and the lines that are read there.
    group: &'static str,
    reads: &'static [&'static str],
}

fn calls() -> Vec<Call> {
    let call = |path, body, told, refused, down, group, reads| Call { path, body, told, refused, down, group, reads };
    vec![
        call(
            "/hooks/{T}",
            json!({ "text": "#### 磁盘将满 mattermost", "username": "bot", "icon_url": "https://x/i.png", "props": { "card": "见手册 **7**" } }),
            (200, "ok"),
            (
                400,
                r#"{"detailed_error":"","id":"web.incoming_webhook.invalid.app_error","message":"Invalid webhook.","request_id":"","status_code":400}"#,
            ),
            (
                503,
                r#"{"detailed_error":"","id":"api.context.server_busy.app_error","message":"Server is busy, try again.","request_id":"","status_code":503}"#,
            ),
            "ops",
            &["磁盘将满 mattermost", "见手册"],
        ),
        call(
            "/hooks/5f01/{T}",
            json!({ "text": "磁盘将满 rocket", "alias": "bot", "attachments": [{ "title": "db-3", "text": "97 %", "color": "danger" }] }),
            (200, r#"{"success":true}"#),
            (404, r#"{"success":false,"error":"Invalid integration id or token provided."}"#),
            (503, r#"{"success":false,"error":"Service unavailable."}"#),
            "dba",
            &["磁盘将满 rocket", "db-3", "97 %"],
        ),
        call(
            "/teams/{T}",
            json!({ "@type": "MessageCard", "title": "磁盘将满 card", "themeColor": "attention",
                "sections": [{ "facts": [{ "name": "host", "value": "db-3" }] }],
                "potentialAction": [{ "targets": [{ "os": "default", "uri": "https://wiki.example.com/disk" }] }] }),
            (200, "1"),
            (
                401,
                r#"{"error":{"code":"DirectApiAuthorizationRequired","message":"The signature of the address is wrong."}}"#,
            ),
            (503, r#"{"error":{"code":"ServiceUnavailable","message":"Try again."}}"#),
            "ops",
            &["磁盘将满 card", "host: db-3", "https://wiki.example.com/disk"],
        ),
        call(
            "/p/workflows/0123456789abcdef/triggers/manual/paths/invoke?api-version=1&sig={T}",
            json!({ "type": "message", "attachments": [{ "content": { "type": "AdaptiveCard", "body": [
                { "type": "TextBlock", "text": "磁盘将满 workflow" }, { "type": "TextBlock", "text": "97 %" } ] } }] }),
            (202, ""),
            (
                401,
                r#"{"error":{"code":"DirectApiAuthorizationRequired","message":"The signature of the address is wrong."}}"#,
            ),
            (503, r#"{"error":{"code":"ServiceUnavailable","message":"Try again."}}"#),
            "ops",
            &["磁盘将满 workflow", "97 %"],
        ),
        call(
            "/api/webhooks/7/{T}",
            json!({ "content": "磁盘将满 discord", "username": "bot", "avatar_url": "https://x/i.png", "tts": false }),
            (204, ""),
            (401, r#"{"message":"Invalid Webhook Token","code":50027}"#),
            (503, r#"{"message":"503: Service Unavailable","code":0}"#),
            "dba",
            &["磁盘将满 discord"],
        ),
        call(
            "/api/webhooks/7/{T}/slack",
            json!({ "text": "磁盘将满 slack-in-discord" }),
            (200, "ok"),
            (403, "invalid_token"),
            (503, "rollup_error"),
            "dba",
            &["磁盘将满 slack-in-discord"],
        ),
        call(
            "/{T}.send",
            json!({ "title": "磁盘将满 server酱", "desp": "db-3 **97** %", "channel": 9 }),
            (200, r#"{"code":0,"data":{"errno":0,"error":"SUCCESS","pushid":"N","readkey":""},"message":""}"#),
            (400, r#"{"code":40001,"info":"[AUTH]用户不存在或者权限不足","message":"[AUTH]用户不存在或者权限不足"}"#),
            (503, r#"{"code":50000,"info":"系统繁忙，请稍后再试","message":"系统繁忙，请稍后再试"}"#),
            "ops",
            &["磁盘将满 server酱", "97"],
        ),
        call(
            "/send",
            json!({ "token": "{T}", "title": "磁盘将满 pushplus", "content": "<b>db-3</b> 97 %", "template": "html", "topic": "dba" }),
            (200, r#"{"code":200,"data":"N","msg":"请求成功"}"#),
            (200, r#"{"code":907,"data":null,"msg":"用户token不存在"}"#),
            (503, r#"{"code":900,"data":null,"msg":"系统异常，请稍后再试"}"#),
            "dba",
            &["磁盘将满 pushplus", "db-3 97 %"],
        ),
        call(
            "/push",
            json!({ "device_key": "{T}", "title": "磁盘将满 bark", "subtitle": "db-3", "body": "97 %", "level": "critical", "sound": "minuet", "badge": 1 }),
            (200, r#"{"code":200,"message":"success","timestamp":N}"#),
            (400, r#"{"code":400,"message":"failed to get device token","timestamp":N}"#),
            (503, r#"{"code":503,"message":"push failed: try again","timestamp":N}"#),
            "ops",
            &["磁盘将满 bark", "db-3", "97 %"],
        ),
        call(
            "/ntfy",
            json!({ "topic": "{T}", "title": "磁盘将满 ntfy", "message": "db-3 97 %", "priority": 5, "tags": ["rotating_light", "disk"], "click": "https://wiki.example.com/n" }),
            (200, r#"{"event":"message","id":"wgN","message":"db-3 97 %","time":N,"topic":"{T}"}"#),
            (403, r#"{"code":40301,"error":"forbidden","http":403}"#),
            (503, r#"{"code":50301,"error":"service unavailable","http":503}"#),
            "ops",
            &["磁盘将满 ntfy", "db-3 97 %", "disk"],
        ),
        call(
            "/gotify/message?token={T}",
            json!({ "title": "磁盘将满 gotify", "message": "db-3 97 %", "priority": 8, "extras": { "client::notification": { "click": { "url": "https://wiki.example.com/g" } } } }),
            (200, r#"{"appid":1,"date":"D","id":N,"message":"db-3 97 %","priority":8,"title":"磁盘将满 gotify"}"#),
            (
                401,
                r#"{"error":"Unauthorized","errorCode":401,"errorDescription":"you need to provide a valid access token or user credentials to access this api"}"#,
            ),
            (503, r#"{"error":"Service Unavailable","errorCode":503,"errorDescription":"try again"}"#),
            "ops",
            &["磁盘将满 gotify", "db-3 97 %"],
        ),
    ]
}

/// An answer with `N` for each number of ours: those of two digits and more, and all in an id; `D` for a time.
fn plain(text: &str, expected: &str) -> String {
    let date = regex::Regex::new(r"\d{4}-\d\d-\d\dT[0-9:.]+Z").unwrap();
    let text = date.replace_all(text, "D").into_owned();
    if !expected.contains('N') {
        return text;
    }
    let number = regex::Regex::new(r#"("(?:id|pushid|data|timestamp|time)":"?(?:wg)?)\d+"#).unwrap();
    number.replace_all(&text, "${1}N").into_owned()
}

async fn says(world: &World, call: &Call, token: &str) -> (u16, String) {
    let path = call.path.replace("{T}", token);
    answer(world, "POST", &path, call.body.to_string().replace("{T}", token)).await
}

fn expected((status, text): (u16, &str), token: &str) -> (u16, String) {
    (status, text.replace("{T}", token))
}

#[tokio::test]
async fn each_service_is_answered_as_it_answers_and_what_it_says_is_read() {
    let world = World::new(SOURCES).await;
    let mut heard = std::collections::BTreeMap::from([("ops", 0), ("dba", 0)]);
    for call in calls() {
        let (status, text) = says(&world, &call, TOKEN).await;
        assert_eq!((status, plain(&text, call.told.1)), expected(call.told, TOKEN), "{}", call.path);
        let count = heard.get_mut(call.group).unwrap();
        *count += 1;
        let told = world.arrived(&format!("webhook=sim-{}-group", call.group), *count).await;
        let content = told[*count - 1]["content"]["content"].as_str().unwrap();
        for line in call.reads {
            assert!(content.contains(line), "{}: {line} in {content}", call.path);
        }
        for hidden in
            [TOKEN, "i.png", "bot", "username", "icon", "avatar", "minuet", "badge", "channel", "template", "{"]
        {
            assert!(!content.contains(hidden), "{}: {hidden} in {content}", call.path);
        }
    }
}

#[tokio::test]
async fn a_wrong_token_is_refused_as_each_service_refuses_and_counts_as_a_wrong_credential() {
    let world = World::new(SOURCES).await;
    for call in calls() {
        let (status, text) = says(&world, &call, OTHER).await;
        assert_eq!((status, plain(&text, call.refused.1)), expected(call.refused, OTHER), "{}", call.path);
    }
    let told = world.arrived("webhook=sim-ops-group", 1).await;
    assert!(told[0]["content"].to_string().contains("refused/credentials"), "{told:#?}");
}

#[tokio::test]
async fn where_the_store_is_down_each_client_is_told_to_come_again() {
    let world = World::new(SOURCES).await;
    world.app().store().close().await.unwrap();
    for call in calls() {
        let (status, text) = says(&world, &call, TOKEN).await;
        assert_eq!((status, plain(&text, call.down.1)), expected(call.down, TOKEN), "{}", call.path);
    }
}

#[tokio::test]
async fn forms_queries_headers_and_paths_say_the_same_as_json() {
    let world = World::new(SOURCES).await;
    let form = |path: &str, body: &'static str| {
        let request =
            world.http.post(format!("{}{path}", world.url)).header("content-type", "application/x-www-form-urlencoded");
        request.body(body).send()
    };
    let mut wanted = Vec::new();
    assert_eq!(form(&format!("/{TOKEN}.send"), "title=%E7%94%B2&desp=1").await.unwrap().status(), 200);
    wanted.push("甲");
    assert_eq!(answer(&world, "GET", &format!("/send?token={TOKEN}&title=%E4%B9%99&content=2"), "").await.0, 200);
    wanted.push("乙");
    assert_eq!(answer(&world, "GET", &format!("/bark/{TOKEN}/%E4%B8%99/3"), "").await.0, 200);
    wanted.push("丙");
    assert_eq!(
        answer(&world, "GET", &format!("/ntfy/{TOKEN}/publish?message=%E4%B8%81&priority=low"), "").await.0,
        200
    );
    wanted.push("丁");
    let ntfy = world.http.put(format!("{}/ntfy/{TOKEN}", world.url));
    assert_eq!(ntfy.body("辛").send().await.unwrap().status(), 200);
    wanted.push("辛");
    let ntfy = world.http.post(format!("{}/ntfy/any-topic", world.url)).bearer_auth(TOKEN);
    let ntfy = ntfy.header("title", "=?UTF-8?B?5oiK?=").header("tags", "white_check_mark").body("5");
    assert_eq!(ntfy.send().await.unwrap().status(), 200);
    wanted.push("戊");
    assert_eq!(
        form("/message?token=Service0123456789abcdef012345678", "message=%E5%B7%B1&priority=2").await.unwrap().status(),
        200
    );
    wanted.push("己");
    let slack = form(&format!("/services/T/B/{TOKEN}"), "payload=%7B%22text%22%3A%22%E5%BA%9A%22%7D").await.unwrap();
    assert_eq!((slack.status().as_u16(), slack.text().await.unwrap().as_str()), (200, "ok"));
    wanted.push("庚");
    let told = world.arrived("webhook=sim-ops-group", wanted.len()).await;
    for (message, wanted) in told.iter().zip(wanted) {
        assert!(message["content"]["content"].as_str().unwrap().contains(wanted), "{wanted}: {told:#?}");
    }
}

#[tokio::test]
async fn several_bark_keys_are_told_at_once_or_none_is() {
    let world = World::new(SOURCES).await;
    let push = |keys: [&str; 2]| json!({ "device_keys": keys, "title": "t", "body": "b" }).to_string();
    assert_eq!(answer(&world, "POST", "/push", push([TOKEN, OTHER])).await.0, 400);
    assert_eq!(world.deliveries().await.len(), 0);
    assert_eq!(answer(&world, "POST", "/push", push([TOKEN, "Another0123456789abcdef012345678"])).await.0, 200);
    world.arrived("webhook=sim-ops-group", 1).await;
    world.arrived("webhook=sim-dba-group", 1).await;
}

#[tokio::test]
async fn a_look_at_a_discord_webhook_and_a_wait_are_answered_with_objects() {
    let world = World::new(SOURCES).await;
    let (status, text) = answer(&world, "GET", &format!("/api/webhooks/7/{TOKEN}"), "").await;
    let look: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &look["id"], &look["token"], &look["type"]), (200, &"7".into(), &TOKEN.into(), &1.into()));
    assert_eq!(answer(&world, "GET", &format!("/api/webhooks/7/{OTHER}"), "").await.0, 401);
    assert_eq!(world.deliveries().await.len(), 0);
    let body = json!({ "embeds": [{ "title": "t", "description": "d" }] }).to_string();
    let (status, text) = answer(&world, "POST", &format!("/api/webhooks/7/{TOKEN}?wait=true"), body).await;
    let posted: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &posted["webhook_id"], posted["id"].is_string()), (200, &"7".into(), true));
}

#[tokio::test]
async fn all_are_mentioned_only_with_mention_all_also_by_the_routes() {
    let world = World::new(SOURCES).await;
    let body = |name: &str| json!({ "text": format!("<!channel> disk of {name}") }).to_string();
    assert_eq!(answer(&world, "POST", &format!("/services/T/B/{TOKEN}"), body("slack")).await.0, 200);
    let told = world.arrived("webhook=sim-ops-group", 1).await;
    assert_eq!(told[0]["content"]["mentioned_list"], json!(["@all"]), "{told:#?}");
    assert_eq!(answer(&world, "POST", &format!("/hooks/{TOKEN}"), body("mattermost")).await.0, 200);
    let told = world.arrived("webhook=sim-ops-group", 2).await;
    assert!(told[1]["content"].get("mentioned_list").is_none(), "without leave: {told:#?}");
}

#[tokio::test]
async fn what_no_source_has_says_which_key_is_missing_and_nothing_else_changes() {
    let world = World::new("receivers: { ops: { targets: [ { webhook: ops-group } ] } }").await;
    for (path, key) in [
        ("/hooks/x", "mattermost"),
        ("/hooks/1/x", "rocketchat"),
        ("/teams/x", "teams"),
        ("/api/webhooks/1/x", "discord"),
        ("/x.send", "serverchan"),
        ("/send", "pushplus"),
        ("/send?key=x", "a2w"),
        ("/push", "bark"),
        ("/ntfy/x", "ntfy"),
        ("/message", "gotify"),
    ] {
        let (status, text) = answer(&world, "POST", path, "{}").await;
        assert_eq!(status, 404, "{path}: {text}");
        assert!(text.contains(&format!("sources.<name>.{key}")), "{path}: {text}");
    }
    assert_eq!(answer(&world, "POST", "/anything", "{}").await, (404, String::new()));
    assert_eq!(answer(&world, "POST", "/", "{}").await.0, 405);
    assert_eq!(answer(&world, "GET", "/", "").await.0, 200);
}
