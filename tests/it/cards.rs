//! Cards with buttons, through the callback of an app: pressed, changed, told to everybody.

use serde_json::{Value, json};
use wecom_simulator::Setup;

use crate::harness::{World, alertmanager};
use crate::programs::until;
use crate::witness_alertmanager::{holds, texts};

/// The callback of the app, as both sides know it.
pub const TOKEN: &str = "simtoken01";
pub const AES_KEY: &str = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdefg";

/// Two people get the card, a group hears of it in words.
const RECEIVERS: &str = r"
receivers:
  ops:
    targets:
      - { app: ops, users: [zhangsan, lisi], face: card }
      - { webhook: ops-group, face: text }
route: { receiver: ops }
";

/// A world whose app has a callback that WeCom has checked; `more` stands before `rest`.
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

/// The admin console saves the address of the callback, which WeCom checks.
pub async fn check(world: &World) {
    let url = format!("{}/wecom/callback/ops", world.url);
    let server = json!({ "url": url, "token": TOKEN, "encoding_aes_key": AES_KEY });
    let checked =
        world.control("POST", "callbacks/verify", json!({ "agent_id": 1_000_002, "callback_server": server })).await;
    assert_eq!(checked["ok"], true, "{checked}");
}

/// Somebody presses a button of his copy of a message.
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
async fn whoever_acknowledges_is_shown_to_all_and_the_end_changes_the_card() {
    let world = called_back(RECEIVERS).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing"), ("db-2", "firing")])).await;
    let card = world.arrived("user=zhangsan", 1).await.remove(0);
    println!("CARD {card:#}");
    let group = texts(&world.arrived("webhook=sim-ops-group", 1).await);
    holds(&group[0], &["磁盘将满"]);
    let click = press(&world, &card, "zhangsan", "acknowledge", None).await;
    println!("CLICK {click:#}");
    let told = texts(&world.arrived("webhook=sim-ops-group", 2).await);
    holds(&told[1], &["zhangsan 已认领", "磁盘将满 ×2"]);
    let changed = card_of(&world, "user=lisi", |text| text.contains("认领人")).await;
    println!("CHANGED {changed:#}");
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "resolved"), ("db-2", "resolved")])).await;
    let over = card_of(&world, "user=lisi", |text| text.contains("已恢复")).await;
    println!("OVER {over:#}");
    assert_eq!(world.inbox("user=zhangsan").await.len(), 1, "the card changed, nothing was sent beside it");
    let told = texts(&world.arrived("webhook=sim-ops-group", 3).await);
    holds(&told[2], &["已恢复"]);
    world.settled().await;
}
