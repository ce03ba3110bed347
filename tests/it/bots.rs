//! A bot end to end: it delivers without a public address, is pressed and asked, and may not write everywhere.

use serde_json::{Value, json};
use wecom_simulator::Setup;
use wegraf::internals::store::OnFilter;

use crate::harness::{World, alertmanager};
use crate::programs::until;
use crate::witness_alertmanager::{holds, texts};

/// One person gets cards, a group gets texts, a webhook of the same receiver too.
pub const RECEIVERS: &str = r"
receivers:
  ops:
    targets:
      - { bot: duty, chat: zhangsan, face: card }
      - { bot: duty, chat: wrSimDutyGroup, face: markdown_v2 }
route: { receiver: ops }
";

/// The group and the person in the simulator's inbox.
pub const GROUP: &str = "bot=sim-bot/wrSimDutyGroup";
pub const PERSON: &str = "bot=sim-bot/zhangsan";

/// A configuration with a bot with this secret, and `rest`.
pub fn with_bot(world: &World, listen: &str, secret: &str, rest: &str) -> String {
    let url = world.simulator.url().replacen("http", "ws", 1);
    let bots = format!("  bot_url: {url}/ws\n  bots: {{ duty: {{ bot_id: sim-bot, secret: {secret} }} }}\n");
    world.config_text(listen, &format!("{bots}{rest}"))
}

/// A world with a bot that no user has written to, and no gateway yet.
pub async fn idle(rest: &str) -> World {
    let world = World::idle(Setup::demo(), "").await;
    world.write("wegraf.yaml", &with_bot(&world, "127.0.0.1:0", "sim-bot-secret", rest));
    world
}

/// The same with a gateway whose bot is connected.
pub async fn mute(rest: &str) -> World {
    let mut world = idle(rest).await;
    world.start().await;
    connected(&world).await;
    world
}

/// The same after a user has written in both conversations.
pub async fn talking(rest: &str) -> World {
    let world = mute(rest).await;
    for chat in ["zhangsan", "wrSimDutyGroup"] {
        activate(&world, chat, true).await;
    }
    world
}

pub async fn activate(world: &World, chat: &str, active: bool) {
    world.control("POST", "bots/activate", json!({ "bot": "sim-bot", "chat": chat, "active": active })).await;
}

pub async fn switches(world: &World, switches: Value) {
    world.control("PUT", "switches", switches).await;
}

/// The simulator's state of the bot.
pub async fn bot(world: &World) -> Value {
    world.control("GET", "bots", Value::Null).await["bots"][0].clone()
}

pub async fn connected(world: &World) {
    until("the bot is connected", async || (!bot(world).await["live"].is_null()).then_some(())).await;
}

/// A user writes to the bot; returns its answer.
pub async fn say(world: &World, user: &str, chat: Option<&str>, text: &str) -> String {
    let whose = format!("bot=sim-bot/{}", chat.unwrap_or(user));
    let before = said(world, &whose).await.len();
    let mut body = json!({ "bot": "sim-bot", "user": user, "text": text });
    if let Some(chat) = chat {
        body["chat"] = json!(chat);
    }
    world.control("POST", "says", body).await;
    until(&format!("an answer to {text}"), async || {
        said(world, &whose).await.get(before).map(|message| message["content"].to_string())
    })
    .await
}

/// The bot's messages in a conversation.
pub async fn said(world: &World, whose: &str) -> Vec<Value> {
    let mut all = world.inbox(whose).await;
    all.retain(|message| message["said_by"].is_null());
    all
}

/// The bot's messages in a conversation, once there are `count`.
pub async fn told(world: &World, whose: &str, count: usize) -> Vec<Value> {
    until(&format!("{count} messages of {whose}"), async || {
        let messages = said(world, whose).await;
        assert!(messages.len() <= count, "{messages:#?}");
        (messages.len() == count).then_some(messages)
    })
    .await
}

/// A user presses a button; returns the click once it is answered.
pub async fn press(world: &World, card: &Value, user: &str, key: &str, span: Option<&str>) -> Value {
    let selected: Value = span.map_or(json!({}), |span| json!({ "span": [span] }));
    let body = json!({ "message": card["id"], "user": user, "key": key, "selected": selected });
    let id = world.control("POST", "clicks", body).await["id"].clone();
    answered(world, &id).await
}

/// A click once it is answered.
pub async fn answered(world: &World, id: &Value) -> Value {
    until("the click is answered", async || {
        let clicks = world.control("GET", &format!("clicks?id={id}"), Value::Null).await;
        let click = clicks["clicks"][0].clone();
        click["answers"].as_array().is_some_and(|answers| !answers.is_empty()).then_some(click)
    })
    .await
}

/// The card of the person in its present state.
async fn card(world: &World) -> Value {
    said(world, PERSON).await.into_iter().find(|message| message["msgtype"] == "template_card").unwrap()
}

fn firing(name: &str) -> String {
    alertmanager(name, &[("db-1", "firing"), ("db-2", "firing")])
}

fn resolved(name: &str) -> String {
    alertmanager(name, &[("db-1", "resolved"), ("db-2", "resolved")])
}

#[tokio::test]
async fn a_card_is_pushed_pressed_and_answered_and_its_end_refers_to_it() {
    let world = talking(RECEIVERS).await;
    world.accept("/webhook", firing("磁盘将满")).await;
    let group = texts(&told(&world, GROUP, 1).await);
    holds(&group[0], &["磁盘将满"]);
    let first = told(&world, PERSON, 1).await.remove(0);
    assert_eq!(first["content"]["card_type"], "button_interaction", "{first:#}");

    let click = press(&world, &first, "zhangsan", "acknowledge", None).await;
    assert_eq!(
        (&click["answers"][0]["errcode"], &click["answers"][0]["in_time"]),
        (&json!(0), &json!(true)),
        "{click:#}"
    );
    let pressed = card(&world).await;
    holds(&pressed.to_string(), &["认领人", "张三", "放弃认领"]);
    let group = texts(&told(&world, GROUP, 2).await);
    holds(&group[1], &["张三 已认领"]);

    let click = press(&world, &first, "zhangsan", "release", None).await;
    assert_eq!(click["answers"][0]["errcode"], 0, "{click:#}");
    assert!(!card(&world).await.to_string().contains("认领人"));
    told(&world, GROUP, 3).await;

    world.accept("/webhook", resolved("磁盘将满")).await;
    let thread = world.deliveries().await[0].thread.to_string();
    let over = told(&world, PERSON, 2).await.remove(1);
    holds(&over.to_string(), &["已恢复", &format!("#{thread}")]);
    assert!(!over.to_string().contains("acknowledge"), "there is nothing to press for: {over:#}");
    told(&world, GROUP, 4).await;
    let acts = world.app().store().acts(wegraf::internals::store::ActFilter::default()).await.unwrap();
    assert_eq!(acts.len(), 2, "{acts:#?}");
    world.settled().await;
}

#[tokio::test]
async fn a_question_is_answered_in_its_own_chat() {
    let world = talking(RECEIVERS).await;
    world.accept("/webhook", firing("磁盘将满")).await;
    told(&world, PERSON, 1).await;
    told(&world, GROUP, 1).await;
    let thread = world.deliveries().await[0].thread.to_string();
    holds(&say(&world, "zhangsan", None, "帮助").await, &["认领 #7K2Q", "值班"]);
    holds(&say(&world, "zhangsan", None, "告警").await, &["磁盘将满", &format!("#{thread}")]);
    holds(&say(&world, "zhangsan", None, "值班").await, &["没有配置值班表"]);
    holds(&say(&world, "lisi", Some("wrSimDutyGroup"), "告警").await, &["磁盘将满"]);
    holds(&say(&world, "zhangsan", None, &format!("认领 #{thread}")).await, &["已认领"]);
    let alerts = world.app().store().alerts_on(OnFilter { limit: 9, ..OnFilter::default() }).await.unwrap().0;
    assert!(alerts.iter().all(|alert| alert.acknowledged.as_ref().is_some_and(|doer| doer.by == "zhangsan")));
    holds(&say(&world, "lisi", None, &format!("静默 #{thread} 1h")).await, &["正在静默"]);
    let failed = until("why it cannot be silenced", async || {
        let messages = said(&world, "bot=sim-bot/lisi").await;
        messages.iter().map(ToString::to_string).find(|text| text.contains("upstreams"))
    })
    .await;
    holds(&failed, &["静默"]);
    let learned = world.app().store().conversations().await.unwrap();
    let names: Vec<_> = learned.iter().map(|known| (known.chat.as_str(), known.group, known.user.as_str())).collect();
    assert_eq!(names, [("lisi", false, "lisi"), ("wrSimDutyGroup", true, "lisi"), ("zhangsan", false, "zhangsan")]);
}

#[tokio::test]
async fn a_user_who_opens_the_chat_is_greeted_in_time() {
    let world = mute(RECEIVERS).await;
    world.control("POST", "enters", json!({ "bot": "sim-bot", "user": "lisi" })).await;
    let greeting = told(&world, "bot=sim-bot/lisi", 1).await;
    holds(&greeting[0].to_string(), &["帮助"]);
    assert!(world.app().store().conversations().await.unwrap().is_empty(), "no user has written");
}

#[tokio::test]
async fn a_message_that_may_not_be_sent_yet_is_sent_once_a_user_writes() {
    let world = mute(RECEIVERS).await;
    world.accept("/webhook", firing("磁盘将满")).await;
    until("the push was refused", async || world.deliveries().await.iter().all(|row| row.attempts > 0).then_some(()))
        .await;
    assert!(said(&world, PERSON).await.is_empty());
    say(&world, "zhangsan", None, "帮助").await;
    told(&world, PERSON, 2).await;
    assert!(said(&world, GROUP).await.is_empty(), "that is another conversation");
    say(&world, "lisi", Some("wrSimDutyGroup"), "帮助").await;
    told(&world, GROUP, 2).await;
    world.settled().await;
}

#[tokio::test]
async fn if_the_bot_may_not_write_the_fallback_is_told_at_once() {
    let rest = r"
receivers:
  ops: { fallback: others, targets: [ { bot: duty, chat: zhangsan, face: card } ] }
  others: { targets: [ { webhook: ops-group, face: text } ] }
route: { receiver: ops }
";
    let world = mute(rest).await;
    world.accept("/webhook", firing("磁盘将满")).await;
    let told_instead = texts(&world.arrived("webhook=sim-ops-group", 1).await);
    holds(&told_instead[0], &["磁盘将满"]);
    // It may write at first, and then no longer: activation can lapse.
    say(&world, "zhangsan", None, "帮助").await;
    world.accept("/webhook", firing("另一个")).await;
    told(&world, PERSON, 2).await;
    activate(&world, "zhangsan", false).await;
    world.accept("/webhook", firing("第三个")).await;
    let told_instead = texts(&world.arrived("webhook=sim-ops-group", 2).await);
    holds(&told_instead[1], &["第三个"]);
    world.settled().await;
}

#[tokio::test]
async fn an_event_that_comes_twice_is_one_act_and_one_answer() {
    let world = talking(RECEIVERS).await;
    switches(&world, json!({ "duplicate_events": 2 })).await;
    world.accept("/webhook", firing("磁盘将满")).await;
    let card = told(&world, PERSON, 1).await.remove(0);
    press(&world, &card, "zhangsan", "acknowledge", None).await;
    told(&world, GROUP, 2).await;
    // It was answered, so it was processed after the copies.
    say(&world, "zhangsan", None, "帮助").await;
    let acts = world.app().store().acts(wegraf::internals::store::ActFilter::default()).await.unwrap();
    assert_eq!(acts.len(), 1, "{acts:#?}");
    told(&world, PERSON, 2).await;
    world.settled().await;
}

#[tokio::test]
async fn flat_events_and_control_characters_are_read() {
    let world = talking(RECEIVERS).await;
    switches(&world, json!({ "bot_flat_events": true, "bot_control_characters": true })).await;
    world.accept("/webhook", firing("磁盘将满")).await;
    let first = told(&world, PERSON, 1).await.remove(0);
    let click = press(&world, &first, "zhangsan", "acknowledge", None).await;
    assert_eq!(click["answers"][0]["errcode"], 0, "{click:#}");
    holds(&card(&world).await.to_string(), &["认领人"]);
    holds(&say(&world, "zhangsan", None, "告警").await, &["磁盘将满", "张三 已认领"]);
}

#[tokio::test]
async fn an_unauthorised_actor_is_told_and_the_card_stays_for_the_others() {
    let rest = r"
receivers:
  ops:
    targets: [ { bot: duty, chat: wrSimDutyGroup, face: card } ]
    may_act: { users: [lisi] }
route: { receiver: ops }
";
    let world = talking(rest).await;
    switches(&world, json!({ "bot_cards_in_groups": true })).await;
    world.accept("/webhook", firing("磁盘将满")).await;
    let card = told(&world, GROUP, 1).await.remove(0);
    let click = press(&world, &card, "zhangsan", "acknowledge", None).await;
    assert_eq!(click["answers"][0]["errcode"], 0, "{click:#}");
    holds(&click.to_string(), &["没有权限"]);
    let of = async |user: &str| world.inbox(&format!("user={user}&{GROUP}")).await.last().unwrap().to_string();
    holds(&of("zhangsan").await, &["没有权限"]);
    assert!(!of("lisi").await.contains("没有权限"));
    let click = press(&world, &card, "lisi", "acknowledge", None).await;
    assert_eq!(click["answers"][0]["errcode"], 0, "{click:#}");
    holds(&of("zhangsan").await, &["认领人", "lisi"]);
}

#[tokio::test]
async fn a_group_that_takes_no_cards_gets_the_news_in_words() {
    let rest = "receivers: { ops: { targets: [ { bot: duty, chat: wrSimDutyGroup, face: card } ] } }\nroute: { receiver: ops }\n";
    let world = talking(rest).await;
    world.accept("/webhook", firing("磁盘将满")).await;
    let first = told(&world, GROUP, 1).await.remove(0);
    assert_eq!(first["msgtype"], "markdown");
    holds(&first.to_string(), &["磁盘将满", "db-1"]);
    world.accept("/webhook", resolved("磁盘将满")).await;
    let over = told(&world, GROUP, 2).await.remove(1);
    holds(&over.to_string(), &["已恢复"]);
    let refused = world.control("GET", "frames?cmd=aibot_send_msg&direction=in", Value::Null).await;
    let cards = refused["frames"].as_array().unwrap();
    let cards = cards.iter().filter(|frame| frame["content"]["body"]["msgtype"] == "template_card").count();
    assert_eq!(cards, 1, "it is not asked again each time");
    world.settled().await;
}

#[tokio::test]
async fn an_unsure_message_is_sent_again_marked_as_a_copy() {
    let rest = "receivers: { ops: { targets: [ { bot: duty, chat: zhangsan, face: markdown_v2 } ] } }\nroute: { receiver: ops }\n";
    let world = talking(rest).await;
    switches(&world, json!({ "bot_ack_delay_ms": 60_000 })).await;
    world.accept("/webhook", firing("磁盘将满")).await;
    told(&world, PERSON, 1).await;
    until("a message is unsure", async || {
        world.deliveries().await.iter().any(|row| row.state == wegraf::internals::store::State::Unsure).then_some(())
    })
    .await;
    switches(&world, json!({ "bot_ack_delay_ms": 0 })).await;
    let copies = told(&world, PERSON, 2).await;
    holds(&copies[1].to_string(), &["磁盘将满", "重复"]);
    world.settled().await;
}

#[tokio::test]
async fn a_silence_that_fails_upstream_is_told_on_the_card_and_why_in_words() {
    let rest = format!("{RECEIVERS}upstreams:\n  am: {{ kind: alertmanager, url: 'http://127.0.0.1:9' }}\n");
    let world = talking(&rest).await;
    world.accept("/webhook", firing("磁盘将满")).await;
    let first = told(&world, PERSON, 1).await.remove(0);
    let click = press(&world, &first, "zhangsan", "silence", Some("4h")).await;
    assert_eq!(click["answers"][0]["errcode"], 0, "{click:#}");
    holds(&card(&world).await.to_string(), &["没有做成"]);
    let why = told(&world, PERSON, 2).await.remove(1);
    holds(&why.to_string(), &["静默", "am"]);
}
