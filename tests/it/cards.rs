//! Cards with buttons, through the callback of an app: pressed, updated, told to all receivers.

use serde_json::{Value, json};
use wecom_simulator::Setup;
use wegraf::internals::store::{ActFilter, ActKind, ActRow, ActState, OnFilter};

use crate::harness::{World, alertmanager};
use crate::programs::{Server, until};
use crate::silences::NO_NOTIFIER;
use crate::witness_alertmanager::{holds, texts};

/// The callback of the app, as both sides know it.
pub const TOKEN: &str = "simtoken01";
pub const AES_KEY: &str = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdefg";

/// Two people get the card, a group gets texts.
const RECEIVERS: &str = r"
receivers:
  ops:
    targets:
      - { app: ops, users: [zhangsan, lisi], face: card }
      - { webhook: ops-group, face: text }
route: { receiver: ops }
";

/// A world whose app has a callback that WeCom has verified; `rest` follows.
pub async fn called_back(rest: &str) -> World {
    let mut world = World::idle(Setup::demo(), rest).await;
    with_callback(&world, rest);
    world.start().await;
    check(&world).await;
    world
}

/// Writes the configuration with a callback.
pub fn with_callback(world: &World, rest: &str) {
    let plain = world.config_text("127.0.0.1:0", rest);
    let callback = format!("secret: sim-app-secret, callback: {{ token: {TOKEN}, encoding_aes_key: {AES_KEY} }} }}");
    world.write("wegraf.yaml", &plain.replace("secret: sim-app-secret }", &callback));
}

/// The admin console saves the address of the callback, which WeCom verifies.
pub async fn check(world: &World) {
    let url = format!("{}/wecom/callback/ops", world.url);
    let server = json!({ "url": url, "token": TOKEN, "encoding_aes_key": AES_KEY });
    let checked =
        world.control("POST", "callbacks/verify", json!({ "agent_id": 1_000_002, "callback_server": server })).await;
    assert_eq!(checked["ok"], true, "{checked}");
}

/// A user presses a button of their copy of a message.
pub async fn press(world: &World, message: &Value, user: &str, key: &str, span: Option<&str>) -> Value {
    let selected: Value = span.map_or(json!({}), |span| json!({ "span": [span] }));
    let body = json!({ "message": message["id"], "user": user, "key": key, "selected": selected });
    world.control("POST", "clicks", body).await
}

/// The only message of a person, once it satisfies `wanted`.
pub async fn card_of(world: &World, whose: &str, wanted: impl Fn(&str) -> bool) -> Value {
    until(&format!("the card of {whose} changes"), async || {
        let messages = world.inbox(whose).await;
        let card = messages.iter().find(|message| message["msgtype"] == "template_card")?;
        wanted(&card.to_string()).then(|| card.clone())
    })
    .await
}

#[tokio::test]
async fn an_acknowledgement_is_shown_to_all_and_the_end_changes_the_card() {
    let world = called_back(RECEIVERS).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing"), ("db-2", "firing")])).await;
    let card = world.arrived("user=zhangsan", 1).await.remove(0);
    let group = texts(&world.arrived("webhook=sim-ops-group", 1).await);
    holds(&group[0], &["磁盘将满"]);
    press(&world, &card, "zhangsan", "acknowledge", None).await;
    let told = texts(&world.arrived("webhook=sim-ops-group", 2).await);
    holds(&told[1], &["张三 已认领", "磁盘将满 ×2"]);
    card_of(&world, "user=lisi", |text| text.contains("认领人")).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "resolved"), ("db-2", "resolved")])).await;
    card_of(&world, "user=lisi", |text| text.contains("已恢复")).await;
    assert_eq!(world.inbox("user=zhangsan").await.len(), 1, "the card changed, nothing was sent beside it");
    let told = texts(&world.arrived("webhook=sim-ops-group", 3).await);
    holds(&told[2], &["已恢复"]);
    world.settled().await;
}

/// The result of a press, once it has an answer.
async fn answered(world: &World, click: &Value) -> Value {
    let path = format!("clicks?id={}", click["id"]);
    until("the press is answered", async || {
        let clicks = world.control("GET", &path, json!(null)).await;
        let click = clicks["clicks"][0].clone();
        (!click["answers"].as_array()?.is_empty()).then_some(click)
    })
    .await
}

/// The record of acts, the oldest first.
pub async fn acts(world: &World) -> Vec<ActRow> {
    let mut acts = world.app().store().acts(ActFilter { limit: 1_000, ..ActFilter::default() }).await.unwrap();
    acts.reverse();
    acts
}

#[tokio::test]
async fn an_episode_whose_id_no_message_has_is_guarded_as_well() {
    let world = World::at_a_standstill(
        "receivers: { ops: { may_act: { users: [zhangsan] }, targets: [ { webhook: ops-group, face: text } ] } }\nroute: { receiver: ops }\n",
    )
    .await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    world.settled().await;
    // The reminder of the first alert gives its id to the message that tells of the second for the first time.
    world.pass(std::time::Duration::from_hours(24));
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing"), ("db-2", "firing")])).await;
    let (on, _) = world.app().store().alerts_on(OnFilter { limit: 10, ..OnFilter::default() }).await.unwrap();
    let thread = on.iter().map(|alert| alert.thread).max().unwrap();
    assert!(world.deliveries().await.iter().all(|row| row.thread != thread), "no message has it");
    for (who, state) in [("lisi", ActState::Denied), ("zhangsan", ActState::Done)] {
        let actor = wegraf::internals::answer::Actor {
            id: who.to_owned(),
            via: wegraf::internals::answer::Via::App("ops".to_owned()),
        };
        world.app().acts().ask(&actor, who, &format!("认领 #{thread}")).await.unwrap();
        assert_eq!(acts(&world).await.last().unwrap().state, state, "{who}");
    }
}

#[tokio::test]
async fn a_second_or_unauthorised_press_is_answered_and_changes_nothing() {
    let guarded = RECEIVERS.replace("targets:\n", "may_act: { users: [ZhangSan, wangwu] }\n    targets:\n");
    let world = called_back(&guarded).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    let card = world.arrived("user=zhangsan", 1).await.remove(0);
    let denied = press(&world, &card, "lisi", "acknowledge", None).await;
    answered(&world, &denied).await;
    card_of(&world, "user=lisi", |text| text.contains("没有权限")).await;
    // At the same time, on two phones of one person.
    let (one, other) = tokio::join!(
        press(&world, &card, "zhangsan", "acknowledge", None),
        press(&world, &card, "zhangsan", "acknowledge", None)
    );
    world.arrived("webhook=sim-ops-group", 2).await;
    until("the second one is answered", async || {
        let mut answers = String::new();
        for click in [&one, &other] {
            let path = format!("clicks?id={}", click["id"]);
            answers.push_str(&world.control("GET", &path, json!(null)).await.to_string());
        }
        answers.contains("update_button").then_some(())
    })
    .await;
    let acts = acts(&world).await;
    let states: Vec<_> = acts.iter().map(|act| (act.by.as_str(), act.kind, act.state)).collect();
    assert_eq!(
        states,
        [
            ("lisi", ActKind::Acknowledge, ActState::Denied),
            ("zhangsan", ActKind::Acknowledge, ActState::Done),
            ("zhangsan", ActKind::Acknowledge, ActState::Repeated)
        ]
    );
    assert_eq!(world.inbox("webhook=sim-ops-group").await.len(), 2, "a press without effect is not told");
}

#[tokio::test]
async fn an_alert_is_released_by_the_menu_and_reminders_return() {
    let world = called_back(RECEIVERS).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    let card = world.arrived("user=zhangsan", 1).await.remove(0);
    press(&world, &card, "lisi", "acknowledge", None).await;
    let taken = card_of(&world, "user=zhangsan", |text| text.contains("认领人")).await;
    press(&world, &taken, "lisi", "release", None).await;
    let free = card_of(&world, "user=zhangsan", |text| !text.contains("认领人")).await;
    holds(&free.to_string(), &["acknowledge"]);
    let told = texts(&world.arrived("webhook=sim-ops-group", 3).await);
    holds(&told[2], &["李四 放弃认领"]);
    assert_eq!(world.inbox("user=zhangsan").await.len(), 1);
}

#[tokio::test]
async fn an_event_that_wecom_brings_again_is_done_once() {
    let world = called_back(RECEIVERS).await;
    world.control("PUT", "switches", json!({ "duplicate_events": 2 })).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    let card = world.arrived("user=zhangsan", 1).await.remove(0);
    press(&world, &card, "zhangsan", "acknowledge", None).await;
    world.arrived("webhook=sim-ops-group", 2).await;
    let taken = async || world.metric("wegraf_callbacks_total{outcome=\"taken\"}").await;
    until("all copies came", async || (taken().await >= 3.0).then_some(())).await;
    assert_eq!(acts(&world).await.len(), 1);
    assert_eq!(world.arrived("webhook=sim-ops-group", 2).await.len(), 2);
}

#[tokio::test]
async fn of_five_hundred_presses_in_a_second_one_silences_and_all_are_answered_and_recorded() {
    let world = World::idle(Setup::demo(), "").await;
    let Some(upstream) = Server::alertmanager(world.folder.path(), NO_NOTIFIER).await else { return };
    let rest = format!("upstreams: {{ am: {{ kind: alertmanager, url: '{}' }} }}\n{RECEIVERS}", upstream.url);
    let mut world = world;
    with_callback(&world, &rest);
    world.start().await;
    check(&world).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    let card = world.arrived("user=zhangsan", 1).await.remove(0);
    let body = json!({ "message": card["id"], "user": "zhangsan", "key": "silence", "selected": { "span": ["1h"] }, "anyway": true });
    let presses = (0..500).map(|_| world.control("POST", "clicks", body.clone()));
    futures_util::future::join_all(presses).await;
    until("all are on record", async || (acts(&world).await.len() == 500).then_some(())).await;
    card_of(&world, "user=lisi", |text| text.contains("（张三）")).await;
    let acts = acts(&world).await;
    let count = |state: ActState| acts.iter().filter(|act| act.state == state).count();
    assert_eq!((count(ActState::Done), count(ActState::Repeated)), (1, 499));
    let pushes = world.control("GET", "callbacks", json!(null)).await;
    let pushes = pushes["callbacks"].as_array().unwrap().clone();
    assert_eq!(pushes.len(), 500, "each was taken at the first call");
    let silences: Value = serde_json::from_str(&upstream.get("/api/v2/silences").await.unwrap()).unwrap();
    assert_eq!(silences.as_array().unwrap().len(), 1, "{silences:#}");
    holds(&silences.to_string(), &["zhangsan", "磁盘将满", "db-1"]);
}

#[tokio::test]
async fn without_a_callback_in_wecom_the_card_goes_without_buttons() {
    let mut setup = Setup::demo();
    setup.corps[0].apps[0].callback = false;
    let mut world = World::idle(setup, RECEIVERS).await;
    with_callback(&world, RECEIVERS);
    world.start().await;
    for (count, rule) in [(1, "磁盘将满"), (2, "支付成功率低")] {
        world.accept("/webhook", alertmanager(rule, &[("db-1", "firing")])).await;
        let arrived = world.arrived("user=zhangsan", count).await;
        assert_eq!(arrived[count - 1]["content"]["card_type"], "text_notice");
        holds(&arrived[count - 1].to_string(), &[rule]);
    }
    let refused = world.requests("message/send").await;
    let refused = refused.iter().filter(|request| request.to_string().contains("43012")).count();
    assert_eq!(refused, 1, "WeCom is not asked each time");
    world.settled().await;
}

#[tokio::test]
async fn a_card_that_wecom_refuses_arrives_in_a_simpler_form() {
    for (code, times, kind) in [(42014, 1, "template_card"), (42014, 2, "text")] {
        let world = called_back(RECEIVERS).await;
        world
            .fault(json!({ "match": { "path": "message/send" }, "times": times, "action": { "errcode": code } }))
            .await;
        world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
        let arrived = world.arrived("user=zhangsan", 1).await.remove(0);
        assert_eq!(arrived["msgtype"], kind, "{arrived:#}");
        assert_ne!(arrived["content"]["card_type"], "button_interaction");
        holds(&arrived.to_string(), &["磁盘将满"]);
        world.settled().await;
    }
}

#[tokio::test]
async fn if_a_card_can_no_longer_be_updated_a_message_refers_to_it_by_id() {
    for code in [60140, 82102] {
        let world = called_back(RECEIVERS).await;
        world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
        let card = world.arrived("user=zhangsan", 1).await.remove(0);
        let fault =
            json!({ "match": { "path": "message/update_template_card" }, "times": 9, "action": { "errcode": code } });
        world.fault(fault).await;
        let rows = card["content"]["horizontal_content_list"].as_array().unwrap().clone();
        let id = rows.last().unwrap()["value"].as_str().unwrap().to_owned();
        press(&world, &card, "zhangsan", "acknowledge", None).await;
        let told = world.arrived("user=lisi", 2).await;
        holds(&told[1].to_string(), &["张三 已认领", &id]);
        world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "resolved")])).await;
        let told = world.arrived("user=lisi", 3).await;
        holds(&told[2].to_string(), &["已恢复", &id]);
        world.settled().await;
    }
}

#[tokio::test]
async fn a_card_lives_on_the_codes_of_its_presses_and_then_a_message_follows() {
    let world = called_back(RECEIVERS).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing"), ("db-2", "firing")])).await;
    let card = world.arrived("user=zhangsan", 1).await.remove(0);
    // Some of its alerts are resolved: the card stays, and a message tells.
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "resolved"), ("db-2", "firing")])).await;
    let partly = world.arrived("user=zhangsan", 2).await;
    holds(&partly[1].to_string(), &["仍有 1"]);
    press(&world, &card, "zhangsan", "acknowledge", None).await;
    card_of(&world, "user=lisi", |text| text.contains("认领人")).await;
    world.settled().await;
}

#[tokio::test]
async fn texts_to_the_app_are_answered_and_obeyed() {
    let world = called_back(&format!("{RECEIVERS}may_act: {{ anyone: true }}\n")).await;
    let say = async |text: &str| {
        let said = json!({ "user": "wangwu", "agent_id": 1_000_002, "text": text });
        world.control("POST", "says", said).await.to_string()
    };
    say("告警").await;
    let reply = async |count: usize| world.arrived("user=wangwu", count).await[count - 1].to_string();
    holds(&reply(1).await, &["现在没有告警"]);
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    let card = world.arrived("user=zhangsan", 1).await.remove(0);
    let rows = card["content"]["horizontal_content_list"].as_array().unwrap().clone();
    let id = rows.last().unwrap()["value"].as_str().unwrap().to_owned();
    say("alerts").await;
    holds(&reply(2).await, &["正在告警 1 条", "磁盘将满", "db-1", &id]);
    say(&format!("认领 {id}")).await;
    holds(&reply(3).await, &["已认领"]);
    card_of(&world, "user=zhangsan", |text| text.contains("王五")).await;
    say("值班").await;
    holds(&reply(4).await, &["没有配置值班表"]);
    say("你会什么").await;
    holds(&reply(5).await, &["没听懂", "静默 #7K2Q 1h"]);
    say(&format!("静默 {id} 1h")).await;
    // The answer, and the message with the reason of the failure, in either order.
    let both = world.arrived("user=wangwu", 7).await;
    holds(&format!("{}{}", both[5], both[6]), &["正在静默", "没能静默", "upstreams"]);
}

#[tokio::test]
async fn forged_callbacks_are_refused_and_harm_nothing() {
    let world = called_back(RECEIVERS).await;
    let path = "/wecom/callback/ops?msg_signature=00&timestamp=1&nonce=2";
    let dtd = "<!DOCTYPE x [<!ENTITY a \"b\">]><xml><Encrypt>&a;</Encrypt></xml>";
    let now = world.app().now().0 / 1000;
    let fresh = format!("/wecom/callback/ops?msg_signature=00&timestamp={now}&nonce=2");
    for (path, body, status) in [
        (path, "<xml/>".to_owned(), 403),
        (&fresh, "<xml><Encrypt>AAAA</Encrypt></xml>".to_owned(), 403),
        (&fresh, dtd.to_owned(), 403),
        (&fresh, String::new(), 403),
        (&fresh, "x".repeat(100_000), 413),
        ("/wecom/callback/ops", "<xml/>".to_owned(), 404),
        ("/wecom/callback/nobody?msg_signature=0&timestamp=1&nonce=2", "<xml/>".to_owned(), 404),
    ] {
        let (answered, _) = world.post(path, body.clone()).await;
        assert_eq!(answered, status, "{path} {}", &body[..body.len().min(80)]);
    }
    assert!(acts(&world).await.is_empty());
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    world.arrived("user=zhangsan", 1).await;
}
