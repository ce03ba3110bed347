//! Webhooks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use serde_json::{Value, json};

use crate::desk::{Desk, assert_code};

fn text(content: &str) -> Value {
    json!({"msgtype": "text", "text": {"content": content}})
}

#[tokio::test]
async fn the_21st_message_in_sixty_seconds_is_refused_with_45009() {
    let desk = Desk::new().await;
    for n in 1..=20 {
        assert_code(&desk.hook("sim-ops-group", text(&n.to_string())).await, 0);
    }
    let refused = desk.hook("sim-ops-group", text("21")).await;
    assert_code(&refused, 45009);
    assert!(refused["errmsg"].as_str().unwrap().starts_with("api freq out of limit, hint: ["));
    assert_code(&desk.hook("sim-dba-group", text("another webhook")).await, 0);
    desk.advance(59_999).await;
    assert_code(&desk.hook("sim-ops-group", text("still")).await, 45009);
    desk.advance(1).await;
    assert_code(&desk.hook("sim-ops-group", text("now")).await, 0);
    assert_eq!(desk.messages("webhook=sim-ops-group").await.len(), 21);
    assert_eq!(desk.look("counters").await["max_per_minute"]["webhooks"]["sim-ops-group"], 22);
}

#[tokio::test]
async fn a_fixed_window_opens_again_with_the_full_minute() {
    let desk = Desk::new().await;
    desk.switch(json!({"webhook_window": "fixed"})).await;
    desk.control("POST", "clock", json!({"now_ms": 1_760_000_099_000_i64})).await; // …39.0 s past the minute
    for _ in 0..20 {
        assert_code(&desk.hook("sim-ops-group", text("x")).await, 0);
    }
    assert_code(&desk.hook("sim-ops-group", text("x")).await, 45009);
    desk.control("POST", "clock", json!({"now_ms": 1_760_000_100_000_i64})).await;
    assert_code(&desk.hook("sim-ops-group", text("x")).await, 0);
}

#[tokio::test]
async fn errors_have_the_codes_and_words_seen_in_the_field() {
    let desk = Desk::new().await;
    let cases = [
        (text(""), 44004, "empty content, hint"),
        (
            json!({"msgtype": "markdown", "markdown": {"content": "x".repeat(4097)}}),
            40058,
            "markdown.content exceed max length 4096. invalid Request Parameter, hint",
        ),
        (
            json!({"msgtype": "markdown_v2", "markdown_v2": {"content": "中".repeat(1366)}}),
            40058,
            "markdown_v2.content exceed max length 4096. invalid Request Parameter, hint",
        ),
        (text(&"x".repeat(2049)), 40058, "text.content exceed max length 2048. invalid Request Parameter, hint"),
        (json!({"msgtype": "textcard", "textcard": {}}), 40008, "invalid message type, hint"),
        (json!({"msgtype": "news", "news": {"articles": [{"title": "t"}]}}), 41010, "missing url, hint"),
    ];
    for (body, code, words) in cases {
        let answer = desk.hook("sim-ops-group", body).await;
        assert_code(&answer, code);
        assert!(answer["errmsg"].as_str().unwrap().starts_with(words), "{answer}");
    }
    assert_code(&desk.hook("no-such-key", text("x")).await, 93000);
    assert_code(&desk.hook("", text("x")).await, 93000);
    let off = json!({"webhooks": [{"key": "sim-ops-group", "disabled": true}]});
    desk.control("PUT", "corp", off).await;
    assert_code(&desk.hook("sim-ops-group", text("x")).await, 93004);
    assert!(desk.messages("").await.is_empty());
}

#[tokio::test]
async fn contents_up_to_their_limits_are_taken_whole() {
    let desk = Desk::new().await;
    for msgtype in ["markdown", "markdown_v2"] {
        let mut body = json!({"msgtype": msgtype});
        body[msgtype] = json!({"content": "x".repeat(4096)});
        assert_code(&desk.hook("sim-ops-group", body).await, 0);
    }
    assert_code(&desk.hook("sim-ops-group", text(&"x".repeat(2048))).await, 0);
    desk.switch(json!({"webhook_text_over": "cut"})).await;
    assert_code(&desk.hook("sim-ops-group", text(&"y".repeat(3000))).await, 0);
    let seen = desk.messages("webhook=sim-ops-group").await;
    assert_eq!(seen[3]["content"]["content"], "y".repeat(2048));
}

#[tokio::test]
async fn members_are_called_by_userid_by_mobile_and_in_markdown() {
    let desk = Desk::new().await;
    let body = json!({"msgtype": "text", "text": {
        "content": "wake up", "mentioned_list": ["ZhangSan", "nobody", "@all"],
        "mentioned_mobile_list": ["13800000001", "13911111111"],
    }});
    assert_code(&desk.hook("sim-ops-group", body).await, 0);
    let markdown = |kind: &str| {
        let mut body = json!({"msgtype": kind});
        body[kind] = json!({"content": "<@lisi> look, <@stranger>"});
        body
    };
    assert_code(&desk.hook("sim-ops-group", markdown("markdown")).await, 0);
    assert_code(&desk.hook("sim-ops-group", markdown("markdown_v2")).await, 0);
    let seen = desk.messages("webhook=sim-ops-group").await;
    assert_eq!(seen[0]["mentions"], json!(["zhangsan", "@all", "daixuan"]));
    assert_eq!(seen[1]["mentions"], json!(["lisi"]));
    assert_eq!(seen[2]["mentions"], json!([]));
}

#[tokio::test]
async fn a_picture_comes_inside_the_message_with_its_md5() {
    let desk = Desk::new().await;
    let picture = desk.http.get(desk.at("/_simulator/sample.png")).send().await.unwrap().bytes().await.unwrap();
    let hex = |bytes: &[u8]| format!("{:032x}", u128::from_be_bytes(Md5::digest(bytes).into()));
    let body = |bytes: &[u8], md5: String| json!({"msgtype": "image", "image": {"base64": STANDARD.encode(bytes), "md5": md5}});
    assert_code(&desk.hook("sim-ops-group", body(&picture, hex(&picture))).await, 0);
    assert_code(&desk.hook("sim-ops-group", body(&picture, hex(b"other"))).await, 301_019);
    assert_code(&desk.hook("sim-ops-group", body(b"not a picture", hex(b"not a picture"))).await, 40123);
    let seen = desk.messages("webhook=sim-ops-group").await;
    assert_eq!(seen.len(), 1);
    let shown = desk.http.get(desk.at(seen[0]["content"]["url"].as_str().unwrap())).send().await.unwrap();
    assert_eq!(shown.headers()["content-type"], "image/png");
    assert_eq!(shown.bytes().await.unwrap(), picture);
}

#[tokio::test]
async fn only_the_two_notice_cards_without_menu_are_taken() {
    let desk = Desk::new().await;
    let card = |kind: &str| {
        json!({"msgtype": "template_card", "template_card": {
            "card_type": kind, "main_title": {"title": "t"}, "card_image": {"url": "https://example.com/a.png"},
            "card_action": {"type": 1, "url": "https://example.com"}, "task_id": "t1",
            "button_list": [{"text": "ok", "key": "ok"}],
        }})
    };
    assert_code(&desk.hook("sim-ops-group", card("text_notice")).await, 0);
    assert_code(&desk.hook("sim-ops-group", card("news_notice")).await, 0);
    assert_code(&desk.hook("sim-ops-group", card("button_interaction")).await, 42031);
    let mut menu = card("text_notice");
    menu["template_card"]["action_menu"] = json!({"action_list": [{"text": "a", "key": "a"}]});
    assert_code(&desk.hook("sim-ops-group", menu).await, 40058);
}
