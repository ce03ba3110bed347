//! Answers to what people do, and the time they have.

use serde_json::{Value, json};

use crate::desk::{Desk, assert_code};
use crate::socket::{BOT, Client, GROUP, card};

const UPDATE: &str = "aibot_respond_update_msg";

fn update(card: &Value) -> Value {
    json!({"response_type": "update_template_card", "template_card": card})
}

/// The card without buttons, with a label in their place.
fn done(task_id: &str) -> Value {
    let mut card = card(task_id);
    card["replace_text"] = json!("李四 已认领");
    card
}

/// A card in lisi's chat with the bot.
async fn pushed(desk: &Desk, client: &mut Client) -> Value {
    desk.tell_bot("lisi", "x").await;
    client.next().await;
    assert_code(&client.push("lisi", "template_card", card("t1")).await, 0);
    desk.messages("bot=sim-bot/lisi").await.pop().unwrap()
}

#[tokio::test]
async fn a_click_comes_nested_or_flat_with_what_was_chosen() {
    let desk = Desk::new().await;
    let mut client = Client::subscribed(&desk).await;
    let message = pushed(&desk, &mut client).await;
    desk.click(&message, "lisi", "silence", json!({"dur": ["4h"]})).await;
    let event = client.next().await;
    let nested = json!({
        "card_type": "button_interaction", "event_key": "silence", "task_id": "t1",
        "selected_items": {"selected_item": [{"question_key": "dur", "option_ids": {"option_id": ["4h"]}}]},
    });
    assert_eq!(event["body"]["event"], json!({"eventtype": "template_card_event", "template_card_event": nested}));
    assert_eq!((&event["body"]["msgtype"], &event["body"]["from"]["userid"]), (&json!("event"), &json!("lisi")));
    desk.switch(json!({"bot_flat_events": true})).await;
    desk.click(&message, "lisi", "ack", json!({})).await;
    let event = client.next().await["body"]["event"].clone();
    assert_eq!((&event["event_key"], &event["task_id"]), (&json!("ack"), &json!("t1")));
}

#[tokio::test]
async fn a_click_is_answered_once_within_five_seconds_and_with_the_same_task_id() {
    let desk = Desk::new().await;
    let mut client = Client::subscribed(&desk).await;
    let message = pushed(&desk, &mut client).await;
    let click = desk.click(&message, "lisi", "ack", json!({})).await;
    let event = client.next().await;
    assert_code(&client.respond(UPDATE, &event, update(&done("other"))).await, 42016);
    let mut broken = done("t1");
    broken["main_title"] = json!({});
    assert_code(&client.respond(UPDATE, &event, update(&broken)).await, 41016);
    assert_code(&client.respond(UPDATE, &event, json!({"template_card": done("t1")})).await, 40058);
    desk.advance(5000).await;
    assert_code(&client.respond(UPDATE, &event, update(&done("t1"))).await, 0);
    assert_code(&client.respond(UPDATE, &event, update(&done("t1"))).await, 846_605);
    assert_eq!(desk.messages("bot=sim-bot/lisi").await[0]["content"], done("t1"));
    let answers = desk.clicked(&click).await["answers"].clone();
    let codes: Vec<_> = answers.as_array().unwrap().iter().map(|answer| answer["errcode"].as_i64().unwrap()).collect();
    assert_eq!(codes, [42016, 41016, 40058, 0, 846_605]);
    assert_eq!((&answers[3]["how"], &answers[3]["in_time"]), (&json!(UPDATE), &json!(true)));

    // The label stands where the buttons were; two fingers may be faster than that.
    let again = json!({"message": message["id"], "user": "lisi", "key": "ack", "anyway": true});
    let click = desk.control("POST", "clicks", again).await;
    let event = client.next().await;
    desk.advance(5001).await;
    assert_code(&client.respond(UPDATE, &event, update(&card("t1"))).await, 846_605);
    assert_eq!(desk.clicked(&click).await["answers"][0]["in_time"], false);
    assert_eq!(desk.messages("bot=sim-bot/lisi").await[0]["content"], done("t1"));
}

#[tokio::test]
async fn an_update_in_a_group_is_for_those_it_names_or_for_all() {
    let desk = Desk::new().await;
    desk.switch(json!({"bot_cards_in_groups": true})).await;
    let mut client = Client::subscribed(&desk).await;
    desk.control("POST", "says", json!({"bot": BOT, "chat": GROUP, "user": "lisi", "text": "x"})).await;
    client.next().await;
    assert_code(&client.push(GROUP, "template_card", card("t1")).await, 0);
    let inbox = format!("bot=sim-bot/{GROUP}");
    let message = desk.messages(&inbox).await.pop().unwrap();
    for userids in [json!(["LISI"]), json!(null)] {
        desk.click(&message, "daixuan", "ack", json!({})).await;
        let event = client.next().await;
        let mut body = update(&done("t1"));
        body["userids"] = userids;
        assert_code(&client.respond(UPDATE, &event, body).await, 0);
        let seen = desk.messages(&inbox).await.pop().unwrap();
        let for_all = seen["content"] == done("t1");
        assert!(for_all || seen["updated_for"] == json!({"lisi": done("t1")}), "{seen}");
        assert_eq!(for_all, seen["updated_for"].is_null());
    }
    assert_eq!(desk.messages(&inbox).await[0]["content"], done("t1"));
}

#[tokio::test]
async fn a_message_is_answered_with_a_stream_that_grows_and_with_nothing_else_afterwards() {
    let desk = Desk::new().await;
    let mut client = Client::subscribed(&desk).await;
    desk.tell_bot("lisi", "状态").await;
    let asked = client.next().await;
    let part = |content: &str, finish: bool| json!({"msgtype": "stream", "stream": {"id": "s1", "content": content, "finish": finish}});
    assert_code(
        &client.respond("aibot_respond_msg", &asked, json!({"msgtype": "text", "text": {"content": "x"}})).await,
        40008,
    );
    assert_code(&client.respond("aibot_respond_msg", &asked, part("一", false)).await, 0);
    assert_code(&client.respond("aibot_respond_msg", &asked, part(&"a".repeat(20_481), false)).await, 40058);
    assert_code(&client.respond("aibot_respond_msg", &asked, part("一二", true)).await, 0);
    let inbox = desk.messages("bot=sim-bot/lisi").await;
    assert_eq!(inbox.len(), 1);
    assert_eq!(inbox[0]["content"], json!({"id": "s1", "content": "一二", "finish": true}));
    assert_code(&client.respond("aibot_respond_msg", &asked, part("三", true)).await, 846_605);

    desk.tell_bot("lisi", "状态").await;
    let asked = client.next().await;
    let mut other = part("一", false);
    other["stream"]["id"] = json!("s2");
    assert_code(&client.respond("aibot_respond_msg", &asked, other.clone()).await, 0);
    desk.advance(360_001).await;
    assert_code(&client.respond("aibot_respond_msg", &asked, other).await, 846_608);
    let card = json!({"msgtype": "template_card", "template_card": card("t9")});
    assert_code(&client.respond("aibot_respond_msg", &asked, card).await, 0);
    assert_code(&client.ask_as("aibot_respond_msg", "made-up", part("x", true)).await, 846_605);
}

#[tokio::test]
async fn a_welcome_comes_within_five_seconds_of_opening_the_chat() {
    let desk = Desk::new().await;
    let mut client = Client::subscribed(&desk).await;
    let hello = json!({"msgtype": "text", "text": {"content": "你好"}});
    for (wait, code) in [(5000, 0), (5001, 846_605)] {
        desk.control("POST", "enters", json!({"bot": BOT, "user": "lisi"})).await;
        let entered = client.next().await;
        desk.advance(wait).await;
        assert_code(&client.respond("aibot_respond_welcome_msg", &entered, hello.clone()).await, code);
    }
    assert_eq!(desk.messages("bot=sim-bot/lisi").await.len(), 1);
}
