//! Faults of a bot's socket, as its people, its operator and its rate limit see them.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use wecom_simulator::Setup;

use crate::bots::{
    GROUP, PERSON, RECEIVERS, activate, bot, connected, idle, said, say, switches, talking, told, with_bot,
};
use crate::harness::{World, alertmanager};
use crate::programs::until;
use crate::witness_alertmanager::{holds, texts};

/// The bot's people, and the receiver of self-alerts.
const GUARDED: &str = r"
receivers:
  ops: { targets: [ { bot: duty, chat: zhangsan, face: card } ] }
  admins: { targets: [ { webhook: ops-group, face: text } ] }
alarm: { receiver: admins }
route: { receiver: ops }
";

async fn subscribes(world: &World) -> (i64, i64, i64) {
    let bot = bot(world).await;
    let count = |name: &str| bot[name].as_i64().unwrap();
    (count("subscribes"), count("refused"), count("evictions"))
}

/// The operator is told by another way, after no more than this time on the clock.
async fn alarmed(world: &World, words: &[&str]) {
    until("the breaker is open", async || {
        let open = world.app().store().breakers().await.unwrap();
        open.iter().any(|open| open.scope.as_str() == "bot/duty").then_some(())
    })
    .await;
    world.pass(Duration::from_secs(30));
    holds(&texts(&world.arrived("webhook=sim-ops-group", 1).await)[0], words);
}

#[tokio::test]
async fn a_wrong_secret_is_told_by_another_way_and_is_not_tried_over_and_over() {
    let mut world = World::idle(Setup::demo(), "").await;
    world.stand_still();
    world.write("wegraf.yaml", &with_bot(&world, "127.0.0.1:0", "wrong", GUARDED));
    world.start().await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    alarmed(&world, &["发送受阻", "bot/duty"]).await;
    assert_eq!(subscribes(&world).await, (0, 1, 0), "once, and then it waits");
    let waiting = world.deliveries().await.remove(0);
    assert_eq!((waiting.attempts, waiting.state), (0, wegraf::internals::store::State::Queued));
    // A repair needs no restart.
    activate(&world, "zhangsan", true).await;
    world.write("wegraf.yaml", &with_bot(&world, "127.0.0.1:0", "sim-bot-secret", GUARDED));
    world.app().reload();
    holds(&told(&world, PERSON, 1).await[0].to_string(), &["磁盘将满"]);
    assert_eq!(subscribes(&world).await, (1, 1, 0));
}

#[tokio::test]
async fn an_evicted_socket_stays_away_and_reports_it() {
    let mut world = idle(GUARDED).await;
    world.stand_still();
    world.start().await;
    connected(&world).await;
    // Another program with the same secret.
    let config = world.app().config();
    let options = wegraf::internals::bots::options(&config, &config.wecom.bots["duty"], std::sync::Arc::new(|| 0));
    let (events, _inlet) = tokio::sync::mpsc::channel(10);
    let (_other, socket) = wecom::Bot::open(options, events, CancellationToken::new()).unwrap();
    tokio::spawn(socket);
    alarmed(&world, &["发送受阻", "顶掉"]).await;
    assert_eq!(subscribes(&world).await, (2, 0, 1), "the other one has it, and keeps it");
}

#[tokio::test]
async fn a_socket_that_is_cut_comes_back_and_nothing_is_lost() {
    let world = talking(RECEIVERS).await;
    world.control("POST", "bots/end", json!({ "bot": "sim-bot" })).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    holds(&told(&world, PERSON, 1).await[0].to_string(), &["磁盘将满"]);
    told(&world, GROUP, 1).await;
    world.control("POST", "bots/end", json!({ "bot": "sim-bot", "close": true })).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "resolved")])).await;
    holds(&told(&world, PERSON, 2).await[1].to_string(), &["已恢复"]);
    told(&world, GROUP, 2).await;
    assert_eq!(subscribes(&world).await, (3, 0, 0));
    world.settled().await;
}

#[tokio::test]
async fn a_conversation_never_gets_more_than_wecom_takes() {
    let world = talking(RECEIVERS).await;
    let one = |n: usize| alertmanager(&format!("告警 {n}"), &[("db-1", "firing")]);
    // A fifth of what WeCom accepts is reserved for urgent messages and answers.
    for n in 1..=18 {
        world.accept("/webhook", one(n)).await;
        told(&world, PERSON, n).await;
    }
    for n in 19..=40 {
        world.accept("/webhook", one(n)).await;
    }
    // Questions are still answered.
    holds(&say(&world, "zhangsan", None, "告警").await, &["正在告警 40 条"]);
    let frames = world.control("GET", "frames?cmd=aibot_send_msg&direction=out", Value::Null).await;
    let refused: Vec<_> =
        frames["frames"].as_array().unwrap().iter().filter(|frame| frame["content"]["errcode"] != 0).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    let heard = said(&world, PERSON).await.len();
    assert!((19..=25).contains(&heard), "{heard}");
}

#[tokio::test]
async fn a_picture_is_uploaded_over_the_socket_and_follows_its_card() {
    let rest = r"
receivers:
  ops:
    targets:
      - { bot: duty, chat: zhangsan, face: card, image: true }
      - { bot: duty, chat: wrSimDutyGroup, face: markdown_v2, image: true }
images: { hosts: [127.0.0.1] }
route: { receiver: ops }
";
    let world = talking(rest).await;
    let mut body: Value = serde_json::from_str(&crate::harness::payload("grafana-firing.json")).unwrap();
    body["alerts"][0]["imageURL"] = format!("{}/_simulator/sample.png", world.simulator.url()).into();
    world.accept("/webhook", body.to_string()).await;
    for whose in [PERSON, GROUP] {
        let messages = told(&world, whose, 2).await;
        assert_eq!(messages[1]["msgtype"], "image", "{messages:#?}");
    }
    world.settled().await;
}

#[tokio::test]
async fn a_bot_that_forgets_its_conversation_is_let_in_again_by_a_word() {
    let world = talking(RECEIVERS).await;
    switches(&world, json!({ "bot_activation_lapse_ms": 1 })).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    until("both were refused", async || {
        let open = world.app().store().breakers().await.unwrap();
        open.iter().filter(|open| open.scope.as_str().starts_with("bot/duty/")).count().eq(&2).then_some(())
    })
    .await;
    switches(&world, json!({ "bot_activation_lapse_ms": 0 })).await;
    say(&world, "zhangsan", None, "告警").await;
    told(&world, PERSON, 2).await;
    assert!(said(&world, GROUP).await.is_empty());
}
