//! The bot's socket: connections, pushes, what people do.

use serde_json::{Value, json};

use crate::desk::{Desk, assert_code};
use crate::socket::{BOT, BOT_SECRET, Client, GROUP, card};

#[tokio::test]
async fn a_subscribe_needs_the_secret_and_nothing_goes_before_it() {
    let desk = Desk::new().await;
    let mut client = Client::connect(&desk).await;
    assert_code(&client.markdown("lisi", "x").await, 40001);
    assert_code(&client.subscribe(BOT, "wrong").await, 853_000);
    desk.switch(json!({"bot_wrong_secret": 40001})).await;
    assert_code(&client.subscribe("nobody", BOT_SECRET).await, 40001);
    let answer = client.subscribe(BOT, BOT_SECRET).await;
    assert_eq!(answer, json!({"headers": answer["headers"], "errcode": 0, "errmsg": "ok"}));
    let ping = client.ask("ping", Value::Null).await;
    assert_code(&ping, 0);
    let bot = desk.bot().await;
    assert_eq!((&bot["subscribes"], &bot["refused"], &bot["evictions"]), (&json!(1), &json!(1), &json!(0)));
    assert_eq!(bot["live"]["connection"], 1);
}

#[tokio::test]
async fn a_newer_connection_drives_the_older_one_out_and_tells_it() {
    let desk = Desk::new().await;
    let mut older = Client::subscribed(&desk).await;
    let mut newer = Client::subscribed(&desk).await;
    let event = older.next().await;
    assert_eq!(event["cmd"], "aibot_event_callback");
    assert_eq!(event["body"]["event"], json!({"eventtype": "disconnected_event"}));
    assert_eq!(older.raw().await, None, "it is closed");
    assert_code(&newer.ask("ping", Value::Null).await, 0);
    // The same connection may subscribe again.
    assert_code(&newer.subscribe(BOT, BOT_SECRET).await, 0);
    let bot = desk.bot().await;
    assert_eq!((&bot["subscribes"], &bot["evictions"], &bot["live"]["connection"]), (&json!(3), &json!(1), &json!(2)));
}

#[tokio::test]
async fn a_push_waits_for_a_word_of_a_user_in_that_conversation() {
    let desk = Desk::new().await;
    let mut client = Client::subscribed(&desk).await;
    assert_code(&client.markdown("lisi", "**x**").await, 93001);
    desk.control("POST", "enters", json!({"bot": BOT, "user": "lisi"})).await;
    assert_eq!(client.next().await["body"]["event"], json!({"eventtype": "enter_chat"}));
    assert_code(&client.markdown("lisi", "**x**").await, 93001);
    desk.tell_bot("lisi", "状态").await;
    let told = client.next().await;
    let body = json!({
        "msgid": told["body"]["msgid"], "aibotid": BOT, "chattype": "single", "from": {"userid": "lisi"},
        "msgtype": "text", "text": {"content": "状态"},
    });
    assert_eq!((&told["cmd"], &told["body"]), (&json!("aibot_msg_callback"), &body));
    assert_code(&client.markdown("LiSi", "**x**").await, 0);
    assert_code(&client.markdown("wangwu", "**x**").await, 93001);

    let inbox = desk.messages("bot=sim-bot/lisi").await;
    assert_eq!(inbox.len(), 1, "what people say is not what they got");
    assert_eq!((&inbox[0]["content"], &inbox[0]["receivers"]), (&json!({"content": "**x**"}), &json!(["lisi"])));
    assert_eq!(desk.messages("bot=sim-bot/lisi&said=true").await.len(), 2);

    desk.switch(json!({"bot_activation_lapse_ms": 3_600_000})).await;
    desk.advance(3_600_000).await;
    assert_code(&client.markdown("lisi", "x").await, 93001);
    desk.control("POST", "bots/activate", json!({"bot": BOT, "chat": "lisi"})).await;
    assert_code(&client.markdown("lisi", "x").await, 0);
}

#[tokio::test]
async fn opening_the_chat_is_enough_when_switched_so() {
    let desk = Desk::new().await;
    desk.switch(json!({"bot_enter_activates": true})).await;
    let mut client = Client::subscribed(&desk).await;
    desk.control("POST", "enters", json!({"bot": BOT, "user": "lisi"})).await;
    client.next().await;
    assert_code(&client.markdown("lisi", "x").await, 0);
}

#[tokio::test]
async fn a_group_calls_the_bot_by_name_and_takes_cards_only_when_switched_so() {
    let desk = Desk::new().await;
    let mut client = Client::subscribed(&desk).await;
    desk.control("POST", "says", json!({"bot": BOT, "chat": GROUP, "user": "zhangsan", "text": "谁在值班"})).await;
    let body = client.next().await["body"].clone();
    assert_eq!((&body["chatid"], &body["chattype"]), (&json!(GROUP), &json!("group")));
    assert_eq!(body["text"]["content"], "@值班机器人 谁在值班");
    assert_code(&client.markdown(GROUP, "张三").await, 0);
    assert_code(&client.markdown(&GROUP.to_lowercase(), "张三").await, 93006);
    assert_code(&client.push(GROUP, "template_card", card("t1")).await, 40058);
    desk.switch(json!({"bot_cards_in_groups": true})).await;
    assert_code(&client.push(GROUP, "template_card", card("t1")).await, 0);
    let as_single = json!({"chatid": GROUP, "chat_type": 1, "msgtype": "markdown", "markdown": {"content": "x"}});
    assert_code(&client.ask("aibot_send_msg", as_single).await, 93006);
    let inbox = desk.messages(&format!("bot=sim-bot/{GROUP}")).await;
    assert_eq!((inbox.len(), &inbox[1]["receivers"]), (2, &json!(["daixuan", "zhangsan", "lisi"])));
    assert_eq!(inbox[1]["chat"], GROUP);
}

#[tokio::test]
async fn a_push_is_measured_and_only_some_kinds_are_known() {
    let desk = Desk::new().await;
    let mut client = Client::subscribed(&desk).await;
    desk.tell_bot("lisi", "x").await;
    client.next().await;
    assert_code(&client.markdown("lisi", &"a".repeat(20_480)).await, 0);
    let over = client.markdown("lisi", &"a".repeat(20_481)).await;
    assert_code(&over, 40058);
    assert!(over["errmsg"].as_str().unwrap().contains("markdown.content exceed max length 20480"), "{over}");
    for kind in ["text", "markdown_v2", "news"] {
        assert_code(&client.push("lisi", kind, json!({"content": "x"})).await, 40008);
    }
    let mut row = card("t1");
    row["horizontal_content_list"] = json!([{"type": 2, "keyname": "k", "media_id": "m"}]);
    assert_code(&client.push("lisi", "template_card", row).await, 40058);
    let mut link = card("t1");
    link["button_list"] = json!([{"type": 1, "text": "面板", "url": "https://example.com"}]);
    assert_code(&client.push("lisi", "template_card", link.clone()).await, 42039);
    desk.switch(json!({"bot_link_buttons": true})).await;
    assert_code(&client.push("lisi", "template_card", link).await, 0);
    desk.switch(json!({"repeated_task_id": "refuse"})).await;
    assert_code(&client.push("lisi", "template_card", card("t1")).await, 42014);
    assert_code(&client.push("nobody", "template_card", card("t2")).await, 93006);
    assert_code(&client.ask("aibot_dance", json!({})).await, 40058);
}

#[tokio::test]
async fn the_thirty_first_message_in_a_minute_is_refused_or_vanishes() {
    let desk = Desk::new().await;
    let mut client = Client::subscribed(&desk).await;
    for user in ["lisi", "wangwu"] {
        desk.tell_bot(user, "x").await;
        client.next().await;
    }
    for _ in 0..30 {
        assert_code(&client.markdown("lisi", "x").await, 0);
    }
    assert_code(&client.markdown("lisi", "x").await, 45009);
    assert_code(&client.markdown("wangwu", "x").await, 0);
    desk.switch(json!({"bot_over": "silent"})).await;
    assert_code(&client.markdown("lisi", "x").await, 0);
    assert_eq!(desk.messages("bot=sim-bot/lisi").await.len(), 30);
    desk.advance(60_000).await;
    assert_code(&client.markdown("lisi", "x").await, 0);
    assert_eq!(desk.messages("bot=sim-bot/lisi").await.len(), 31);
    assert_eq!(desk.look("counters").await["max_per_minute"]["bots"]["sim-bot/lisi"], 32);
}

#[tokio::test]
async fn frames_that_are_broken_get_an_answer_and_the_connection_lives() {
    let desk = Desk::new().await;
    let mut client = Client::subscribed(&desk).await;
    for text in ["", "{", "[]", "{\"cmd\":\"ping\"}"] {
        client.send_text(text).await;
        assert_code(&client.next().await, 40058);
    }
    assert_code(&client.ask("ping", Value::Null).await, 0);
    let frames = desk.look("frames?bot=sim-bot&direction=in&cmd=ping").await;
    assert_eq!(frames["frames"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn raw_control_characters_stand_in_a_frame_only_when_switched_so() {
    let desk = Desk::new().await;
    let mut client = Client::subscribed(&desk).await;
    desk.switch(json!({"bot_control_characters": true})).await;
    client.send_text(&json!({"cmd": "ping", "headers": {"req_id": "p"}}).to_string()).await;
    let raw = client.raw().await.unwrap();
    assert!(serde_json::from_str::<Value>(&raw).is_err(), "{raw:?}");
    let clean: String = raw.chars().filter(|c| !c.is_control()).collect();
    assert_code(&serde_json::from_str(&clean).unwrap(), 0);
}

#[tokio::test]
async fn a_connection_can_be_ended_from_outside_and_pings_can_go_unanswered() {
    let desk = Desk::new().await;
    for close in [true, false] {
        let mut client = Client::subscribed(&desk).await;
        let ended = desk.control("POST", "bots/end", json!({"bot": BOT, "close": close})).await;
        assert_eq!((ended, client.raw().await), (json!({"was_live": true}), None));
    }
    let mut client = Client::subscribed(&desk).await;
    desk.switch(json!({"bot_answers_pings": false})).await;
    client.send_text(&json!({"cmd": "ping", "headers": {"req_id": "p"}}).to_string()).await;
    desk.control("POST", "bots/raw", json!({"bot": BOT, "frame": "{\"not\": \"an answer\"}"})).await;
    assert_eq!(client.next().await, json!({"not": "an answer"}), "the ping before it has no answer");
    assert_eq!(desk.bot().await["ends"], 2);
}

#[tokio::test]
async fn a_reset_cuts_the_connections_and_an_old_one_that_ends_late_is_no_newer_one() {
    let desk = Desk::new().await;
    let mut older = Client::subscribed(&desk).await;
    desk.control("POST", "reset", Value::Null).await;
    let mut newer = Client::subscribed(&desk).await;
    assert_eq!(older.raw().await, None);
    assert_code(&newer.ask("ping", Value::Null).await, 0);
    let bot = desk.bot().await;
    assert_eq!((&bot["live"]["connection"], &bot["evictions"], &bot["ends"]), (&json!(2), &json!(0), &json!(0)));
}

#[tokio::test]
async fn events_without_a_connection_are_lost_or_wait_as_switched() {
    let desk = Desk::new().await;
    let say = |text: &str| json!({"bot": BOT, "user": "lisi", "text": text});
    assert_eq!(desk.control("POST", "says", say("lost")).await, json!({"delivered": false}));
    desk.switch(json!({"bot_events_wait_ms": 60_000})).await;
    desk.control("POST", "says", say("too old")).await;
    desk.advance(60_001).await;
    desk.control("POST", "says", say("waits")).await;
    let mut client = Client::subscribed(&desk).await;
    let told = client.next().await;
    assert_eq!(told["body"]["text"]["content"], "waits");
    assert_code(&client.ask("ping", Value::Null).await, 0);
}

#[tokio::test]
async fn faults_hit_frames_by_command_bot_and_chat() {
    let desk = Desk::new().await;
    let mut client = Client::subscribed(&desk).await;
    desk.tell_bot("lisi", "x").await;
    client.next().await;
    let at_push = json!({"path": "aibot_send_msg", "bot": BOT, "chat": "lisi"});
    desk.fault(json!({"match": at_push, "action": {"errcode": 45033}})).await;
    assert_code(&client.markdown("lisi", "x").await, 45033);
    desk.fault(json!({"match": at_push, "action": "reset_after"})).await;
    client
        .send_text(
            &json!({"cmd": "aibot_send_msg", "headers": {"req_id": "r"}, "body":
        {"chatid": "lisi", "msgtype": "markdown", "markdown": {"content": "arrives"}}})
            .to_string(),
        )
        .await;
    assert_eq!(client.raw().await, None);
    assert_eq!(desk.messages("bot=sim-bot/lisi").await[0]["content"]["content"], "arrives");
}
