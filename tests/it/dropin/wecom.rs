//! WeCom's own addresses: what a client wrote goes out as it wrote it, and the client hears what WeCom would say.

use std::time::Duration;

use serde_json::{Value, json};
use wecom_simulator::Setup;

use super::{World, answer};
use crate::process::run_on;

const OK: &str = r#"{"errcode":0,"errmsg":"ok"}"#;
const KEY: &str = "6f3c9d1e-0000-4000-8000-00000000c0de";
const SECRET: &str = "corpsecret-of-our-own-7f3a91c2";

/// A source that speaks WeCom: a key for a receiver, one for a webhook, and an app.
const SOURCES: &str = r"
external_url: https://alerts.example.com
sources:
  script:
    wecom:
      keys:
        ops: 6f3c9d1e-0000-4000-8000-00000000c0de
        dba-group: dba-key-0123456789abcdef0123
      apps: [ { app: ops, secret: corpsecret-of-our-own-7f3a91c2, receiver: ops } ]
receivers:
  ops: { fallback: mail, targets: [ { webhook: ops-group } ] }
  mail: { targets: [ { app: ops, users: [zhangsan], face: text } ] }
route: { receiver: ops }
";

/// Sends to the webhook with an idempotency key.
async fn answer_with(world: &World, key: &str, text: String) {
    let request = world.http.post(format!("{}{}", world.url, webhook(KEY)));
    let sent = request.header("idempotency-key", key).body(text).send().await.unwrap();
    assert_eq!(sent.text().await.unwrap(), OK);
}

fn webhook(key: &str) -> String {
    format!("/cgi-bin/webhook/send?key={key}")
}

async fn says(world: &World, path: &str, body: impl Into<reqwest::Body>) -> Value {
    let (status, text) = answer(world, "POST", path, body).await;
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

async fn token(world: &World) -> String {
    let path = format!("/cgi-bin/gettoken?corpid=wwsimcorp0000001&corpsecret={SECRET}");
    let (status, text) = answer(world, "GET", &path, "").await;
    let given: Value = serde_json::from_str(&text).unwrap();
    let token = given["access_token"].as_str().unwrap().to_owned();
    assert_eq!(
        (status, text.as_str()),
        (200, format!(r#"{{"errcode":0,"errmsg":"ok","access_token":"{token}","expires_in":7200}}"#).as_str())
    );
    assert!(token.len() <= 512);
    token
}

/// Lets a world at a standstill send all that waits.
async fn catch_up(world: &World) {
    for _ in 0..100 {
        world.pass(Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(50)).await;
        if world.app().store().audit().await.unwrap().pending == 0 {
            break;
        }
    }
    world.settled().await;
}

/// The bodies that the simulator got at a path, as they came.
async fn bodies(world: &World, path: &str) -> Vec<Value> {
    world.requests(path).await.into_iter().map(|request| request["body"].clone()).collect()
}

#[tokio::test]
async fn every_kind_of_message_goes_out_as_it_came_and_in_its_order() {
    let world = World::new(SOURCES).await;
    let picture = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    let messages = [
        json!({ "msgtype": "text", "text": { "content": "磁盘将满 <1 & 2>", "mentioned_list": ["zhangsan", "@all"], "mentioned_mobile_list": ["13800001111"] } }),
        json!({ "msgtype": "markdown", "markdown": { "content": "**down** <font color=\"warning\">x</font> <@zhangsan>" } }),
        json!({ "msgtype": "markdown_v2", "markdown_v2": { "content": "| a | b |\n|---|---|\n| 1 | 2 |" } }),
        json!({ "msgtype": "image", "image": { "base64": picture, "md5": "3cf0f4a3e1a4b5cd9a1b8b5b5dbb4f9b" } }),
        json!({ "msgtype": "news", "news": { "articles": [
            { "title": "一", "url": "https://a.example/1", "picurl": "https://a.example/1.png" },
            { "title": "二", "description": "d", "url": "https://a.example/2" } ] } }),
        json!({ "msgtype": "template_card", "template_card": { "card_type": "text_notice",
            "main_title": { "title": "卡片" }, "card_action": { "type": 1, "url": "https://a.example" } } }),
    ];
    for message in &messages {
        let sent = answer(&world, "POST", &webhook(KEY), message.to_string()).await;
        assert_eq!(sent, (200, OK.to_owned()), "{message}");
    }
    let wanted = messages.len();
    crate::programs::until("all are sent", async || {
        (world.requests("webhook/send").await.len() >= wanted).then_some(())
    })
    .await;
    world.settled().await;
    let sent = bodies(&world, "webhook/send").await;
    assert_eq!(sent[..wanted], messages, "as they came, in their order");
    assert!(world.requests("webhook/send").await.iter().all(|request| request["query"]["key"] != KEY));
}

#[tokio::test]
async fn bytes_are_not_even_written_anew() {
    let world = World::new(SOURCES).await;
    let odd = "{ \"text\" : {\"content\":\"\\u544a\\u8b66 \\/ 1.0\" , \"mentioned_list\":[] },\n \"msgtype\":\"text\", \"x\": 1e2 }";
    assert_eq!(answer(&world, "POST", &webhook(KEY), odd).await, (200, OK.to_owned()));
    world.arrived("webhook=sim-ops-group", 1).await;
    let message = &world.deliveries().await[0];
    let shown = world.app().store().delivery(message.message).await.unwrap().unwrap();
    assert_eq!(shown.frozen[0].body, odd);
}

#[tokio::test]
async fn a_wrong_key_is_refused_as_wecom_would_and_never_in_clear() {
    let world = World::new(SOURCES).await;
    let text = json!({ "msgtype": "text", "text": { "content": "x" } }).to_string();
    for key in ["", "sim-ops-group", "6f3c9d1e-0000-4000-8000-00000000c0d"] {
        let said = says(&world, &webhook(key), text.clone()).await;
        assert_eq!(said["errcode"], 93000, "{said}");
        let errmsg = said["errmsg"].as_str().unwrap();
        assert!(errmsg.starts_with("invalid webhook url, hint: ["), "{errmsg}");
        assert!(errmsg.contains("from ip: 127.0.0.1") && errmsg.ends_with("?e=93000"), "{errmsg}");
    }
    for (body, errcode) in [
        ("not json", 40058),
        ("[]", 40058),
        (r#"{"text":{"content":"x"}}"#, 40008),
        (r#"{"msgtype":"text","text":{"content":""}}"#, 44004),
        (r#"{"msgtype":"markdown"}"#, 44004),
    ] {
        let said = says(&world, &webhook(KEY), body).await;
        assert_eq!(said["errcode"], errcode, "{body}: {said}");
    }
    assert!(world.deliveries().await.is_empty());
}

#[tokio::test]
async fn the_real_key_is_taken_only_where_that_is_allowed() {
    let text = || json!({ "msgtype": "text", "text": { "content": "own" } }).to_string();
    let world = World::new(&SOURCES.replace("      keys:", "      own_keys: true\n      keys:")).await;
    assert_eq!(answer(&world, "POST", &webhook("sim-dba-group"), text()).await, (200, OK.to_owned()));
    assert_eq!(world.arrived("webhook=sim-dba-group", 1).await[0]["content"]["content"], "own");
    // A key for a webhook leads there without any receiver.
    assert_eq!(answer(&world, "POST", &webhook("dba-key-0123456789abcdef0123"), text()).await, (200, OK.to_owned()));
    world.arrived("webhook=sim-dba-group", 2).await;
}

#[tokio::test]
async fn an_address_that_no_source_has_does_not_exist_and_says_which_key_is_missing() {
    let world = World::new("receivers: { ops: { targets: [ { webhook: ops-group } ] } }").await;
    for path in ["/cgi-bin/webhook/send?key=x", "/cgi-bin/gettoken", "/cgi-bin/anything/else"] {
        let (status, text) = answer(&world, if path.contains("gettoken") { "GET" } else { "POST" }, path, "{}").await;
        assert_eq!(status, 404, "{path}: {text}");
        assert!(text.contains("sources.<name>.wecom") && text.lines().count() == 1, "{text}");
    }
}

#[tokio::test]
async fn more_than_wecom_takes_is_queued_and_folded_into_a_digest_of_first_lines() {
    let world = World::at_a_standstill(SOURCES).await;
    for number in 0..40 {
        let text = json!({ "msgtype": "text", "text": { "content": format!("第 {number} 条\n正文") } });
        assert_eq!(answer(&world, "POST", &webhook(KEY), text.to_string()).await, (200, OK.to_owned()), "{number}");
    }
    catch_up(&world).await;
    let requests = world.requests("webhook/send").await;
    assert!(requests.iter().all(|request| request["errcode"] == 0), "never over WeCom's limit: {requests:#?}");
    assert!(requests.len() < 40, "what was behind was folded");
    let told = world.inbox("webhook=sim-ops-group").await.iter().map(ToString::to_string).collect::<String>();
    let named = (0..40).filter(|number| told.contains(&format!("第 {number} 条"))).count();
    assert!(named > requests.len(), "the digest holds several first lines: {named} of 40 in {told}");
    assert!(!told.contains("恢复"), "what is relayed is a notice, and no end: {told}");
    assert_eq!(world.app().store().audit().await.unwrap().imbalance, 0);
}

#[tokio::test]
async fn a_message_with_the_key_of_an_older_one_is_the_same_at_any_time() {
    let world = World::at_a_standstill(SOURCES).await;
    let text = json!({ "msgtype": "text", "text": { "content": "备份完成" } }).to_string();
    let send = async |key: &str| {
        let request = world.http.post(format!("{}{}", world.url, webhook(KEY))).header("idempotency-key", key);
        request.body(text.clone()).send().await.unwrap().text().await.unwrap()
    };
    // Without wegraf's own messages: a clock that jumps while a message waits is trouble.
    let relayed = async || world.deliveries().await.iter().filter(|row| row.name.contains("备份完成")).count();
    for hours in [0, 0, 2] {
        world.settled().await;
        world.pass(Duration::from_hours(hours));
        assert_eq!(send("one").await, OK);
    }
    assert_eq!(relayed().await, 1);
    assert_eq!(send("two").await, OK);
    assert_eq!(relayed().await, 2);
}

#[tokio::test]
async fn pictures_are_never_folded() {
    let world = World::at_a_standstill(SOURCES).await;
    // The simulator has a clock of its own.
    world.control("PUT", "switches", json!({ "enforce_rate": false })).await;
    for number in 0..15 {
        let text = json!({ "msgtype": "text", "text": { "content": format!("第 {number} 条") } });
        let card = json!({ "msgtype": "news", "news": { "articles": [{ "title": format!("图 {number}"), "url": "https://a.example" }] } });
        for message in [text, card] {
            assert_eq!(answer(&world, "POST", &webhook(KEY), message.to_string()).await, (200, OK.to_owned()));
        }
    }
    catch_up(&world).await;
    let sent = bodies(&world, "webhook/send").await;
    let cards: Vec<&Value> = sent.iter().filter(|body| body["msgtype"] == "news").collect();
    assert_eq!(cards.len(), 15, "{sent:#?}");
    for (number, card) in cards.iter().enumerate() {
        assert_eq!(card["news"]["articles"][0]["title"], format!("图 {number}"), "in their order");
    }
}

#[tokio::test]
async fn a_text_that_is_too_long_is_cut_at_a_line_with_its_mentions_and_a_link() {
    let world = World::new(SOURCES).await;
    let content = "一行很长的中文文字\n".repeat(200);
    let long = json!({ "msgtype": "text", "text": { "content": content, "mentioned_list": ["@all"] } });
    assert_eq!(answer(&world, "POST", &webhook(KEY), long.to_string()).await, (200, OK.to_owned()));
    world.arrived("webhook=sim-ops-group", 1).await;
    let sent = &bodies(&world, "webhook/send").await[0];
    let text = sent["text"]["content"].as_str().unwrap();
    assert!(text.len() <= 2048 && text.contains("https://alerts.example.com/d/"), "{text}");
    assert_eq!(sent["text"]["mentioned_list"], json!(["@all"]));
}

#[tokio::test]
async fn what_wecom_refuses_goes_out_simpler_or_by_the_fallback() {
    let world = World::new(SOURCES).await;
    world.fault(json!({ "match": { "path": "webhook/send" }, "times": 1, "action": { "errcode": 40058 } })).await;
    let text = json!({ "msgtype": "markdown", "markdown": { "content": "**看得见**的正文" } });
    answer(&world, "POST", &webhook(KEY), text.to_string()).await;
    let told = world.arrived("webhook=sim-ops-group", 1).await;
    assert!(told[0]["content"].to_string().contains("看得见"), "{told:#?}");
    // A file that was never uploaded cannot be sent in any form: the fallback says what it was.
    let file = json!({ "msgtype": "file", "file": { "media_id": "none" } });
    assert_eq!(answer(&world, "POST", &webhook(KEY), file.to_string()).await, (200, OK.to_owned()));
    let told = world.arrived("user=zhangsan", 1).await;
    assert!(told[0]["content"].to_string().contains("[file]"), "{told:#?}");
}

#[tokio::test]
async fn two_equal_messages_are_two_unless_the_client_says_otherwise() {
    let world = World::new(SOURCES).await;
    let text = json!({ "msgtype": "text", "text": { "content": "same" } }).to_string();
    for _ in 0..2 {
        answer(&world, "POST", &webhook(KEY), text.clone()).await;
    }
    world.arrived("webhook=sim-ops-group", 2).await;
    for _ in 0..2 {
        answer_with(&world, "one", text.clone()).await;
    }
    world.settled().await;
    assert_eq!(world.inbox("webhook=sim-ops-group").await.len(), 3);
    // A key that a careless client uses twice costs no message.
    let other = json!({ "msgtype": "text", "text": { "content": "another" } }).to_string();
    answer_with(&world, "one", other).await;
    world.arrived("webhook=sim-ops-group", 4).await;
}

#[tokio::test]
async fn an_app_is_spoken_to_as_to_wecom() {
    let world = World::new(SOURCES).await;
    let token = token(&world).await;
    let path = format!("/cgi-bin/message/send?access_token={token}");
    // As Alertmanager writes it: the agentid and `safe` are strings.
    let body = json!({ "touser": "lisi|zhangsan", "toparty": "", "totag": "", "msgtype": "text", "agentid": "1000002",
        "safe": "0", "text": { "content": "应用消息" } });
    let said = says(&world, &path, body.to_string()).await;
    assert_eq!((&said["errcode"], &said["errmsg"]), (&json!(0), &json!("ok")));
    assert!(said["msgid"].as_str().unwrap().starts_with("wg") && said.get("invaliduser").is_none(), "{said}");
    world.arrived("user=lisi", 1).await;
    assert_eq!(bodies(&world, "message/send").await, std::slice::from_ref(&body), "as it came");

    for (change, errcode) in [
        (json!({ "agentid": 1_000_003 }), 301_002),
        (json!({ "touser": "" }), 82001),
        (json!({ "msgtype": null }), 40008),
        (json!({ "text": { "content": "" } }), 44004),
    ] {
        let mut wrong = body.clone();
        wrong.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert_eq!(says(&world, &path, wrong.to_string()).await["errcode"], errcode, "{wrong}");
    }
    for (token, errcode) in [("", 41001), ("x", 40014), (&token[..token.len() - 1], 40014)] {
        let path = format!("/cgi-bin/message/send?access_token={token}");
        assert_eq!(says(&world, &path, body.to_string()).await["errcode"], errcode, "{token}");
    }
    for (corp, secret, errcode) in [("wwother", SECRET, 40013), ("wwsimcorp0000001", "sim-app-secret", 40001)] {
        let (_, text) =
            answer(&world, "GET", &format!("/cgi-bin/gettoken?corpid={corp}&corpsecret={secret}"), "").await;
        let said: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(said["errcode"], errcode, "{text}");
    }
    let forbidden = says(&world, &format!("/cgi-bin/user/get?userid=lisi&access_token={token}"), "{}").await;
    assert_eq!(forbidden["errcode"], 48002);

    let msgid = said["msgid"].clone();
    let recall = format!("/cgi-bin/message/recall?access_token={token}");
    world.settled().await;
    assert_eq!(says(&world, &recall, json!({ "msgid": msgid }).to_string()).await["errcode"], 0);
    assert_eq!(world.requests("message/recall").await.len(), 1);
    assert_eq!(says(&world, &recall, json!({ "msgid": "wg999" }).to_string()).await["errcode"], 40058);
}

#[tokio::test]
async fn a_token_ends_after_its_time() {
    let world = World::at_a_standstill(SOURCES).await;
    let token = token(&world).await;
    let path = format!("/cgi-bin/message/send?access_token={token}");
    let body =
        json!({ "touser": "lisi", "msgtype": "text", "agentid": 1_000_002, "text": { "content": "x" } }).to_string();
    world.pass(Duration::from_secs(7_499));
    assert_eq!(says(&world, &path, body.clone()).await["errcode"], 0);
    world.pass(Duration::from_secs(2));
    assert_eq!(says(&world, &path, body).await["errcode"], 42001);
}

#[tokio::test]
async fn allow_users_limits_the_recipients_of_a_source() {
    let fenced = SOURCES.replace("      keys:", "      allow_users: [lisi]\n      keys:");
    let world = World::new(&fenced).await;
    let token = token(&world).await;
    let path = format!("/cgi-bin/message/send?access_token={token}");
    let body = |to: &str| {
        json!({ "touser": to, "toparty": "2", "msgtype": "text", "agentid": 1_000_002, "text": { "content": "x" } })
            .to_string()
    };
    let said = says(&world, &path, body("lisi|zhangsan")).await;
    assert_eq!((&said["errcode"], &said["invaliduser"]), (&json!(0), &json!("zhangsan|party:2")));
    assert_eq!(says(&world, &path, body("@all")).await["errcode"], 81013);
    world.arrived("user=lisi", 1).await;
    world.settled().await;
    assert!(world.inbox("user=zhangsan").await.is_empty());
}

#[tokio::test]
async fn files_are_uploaded_now_and_sent_in_their_turn() {
    let world = World::new(SOURCES).await;
    let form = reqwest::multipart::Form::new()
        .part("media", reqwest::multipart::Part::bytes(b"a report of some bytes".to_vec()).file_name("报告.txt"));
    let url = format!("{}/cgi-bin/webhook/upload_media?key={KEY}&type=file", world.url);
    let uploaded: Value = world.http.post(url).multipart(form).send().await.unwrap().json().await.unwrap();
    assert_eq!((&uploaded["errcode"], &uploaded["type"]), (&json!(0), &json!("file")), "{uploaded}");
    let file = json!({ "msgtype": "file", "file": { "media_id": uploaded["media_id"] } });
    assert_eq!(answer(&world, "POST", &webhook(KEY), file.to_string()).await, (200, OK.to_owned()));
    assert_eq!(world.arrived("webhook=sim-ops-group", 1).await[0]["msgtype"], "file");
}

#[tokio::test]
async fn other_calls_are_passed_on_where_that_is_configured() {
    let world = World::new(&SOURCES.replace("      keys:", "      pass_through: true\n      keys:")).await;
    let token = token(&world).await;
    let (status, text) =
        answer(&world, "GET", &format!("/cgi-bin/user/get?userid=lisi&access_token={token}"), "").await;
    let said: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &said["errcode"], &said["userid"]), (200, &json!(0), &json!("lisi")), "{text}");
    // However it is written, what has a route of its own goes by it.
    for escaped in ["user/..%2Fgettoken", "message%2Fsend", "message%2fsend", "%6Dessage%2Fsend"] {
        let message = json!({ "touser": "lisi", "msgtype": "text", "agentid": 1_000_002, "text": { "content": "x" } });
        let said = says(&world, &format!("/cgi-bin/{escaped}?access_token={token}"), message.to_string()).await;
        assert!(said["errcode"] != 0, "{escaped}: {said}");
    }
    assert!(world.requests("/cgi-bin/message/send").await.is_empty());
}

#[tokio::test]
async fn nothing_that_sends_is_passed_on_for_a_source_that_may_write_to_some_people_only() {
    let fenced = "      pass_through: true\n      allow_users: [zhangsan]\n      keys:";
    let world = World::new(&SOURCES.replace("      keys:", fenced)).await;
    let token = token(&world).await;
    let message = json!({ "chatid": "AITest", "msgtype": "text", "text": { "content": "x" } }).to_string();
    for path in ["appchat/send", "linkedcorp/message/send", "externalcontact/send_welcome_msg"] {
        let said = says(&world, &format!("/cgi-bin/{path}?access_token={token}"), message.clone()).await;
        assert_eq!(said["errcode"], 48002, "{path}");
    }
    let (_, text) = answer(&world, "GET", &format!("/cgi-bin/user/get?userid=lisi&access_token={token}"), "").await;
    assert!(text.contains("lisi"), "what sends nothing is passed on: {text}");
}

#[tokio::test]
async fn nothing_is_confirmed_that_is_not_stored() {
    let mut world = World::idle(Setup::demo(), SOURCES).await;
    world.start().await;
    let text = json!({ "msgtype": "text", "text": { "content": "x" } }).to_string();
    world.app().store().close().await.unwrap();
    let refused = answer(&world, "POST", &webhook(KEY), text).await;
    assert_eq!(refused, (503, r#"{"errcode":-1,"errmsg":"system busy"}"#.to_owned()));
}

#[tokio::test]
async fn the_record_shows_first_line_source_and_kind() {
    let world = World::new(SOURCES).await;
    let text = json!({ "msgtype": "markdown", "markdown": { "content": "## 备份失败\n> db-3" } });
    answer(&world, "POST", &webhook(KEY), text.to_string()).await;
    world.arrived("webhook=sim-ops-group", 1).await;
    let row = &world.deliveries().await[0];
    assert_eq!((row.source.to_string().as_str(), row.receiver.as_str()), ("script", "ops"));
    let shown = run_on(&world, &["deliveries", "show", &row.message.to_string()], b"").await;
    assert!(shown.out.contains("备份失败"), "{}", shown.out);
}
