//! No secret is in the log, at whatever level, of whatever crate.

use std::time::{Duration, Instant};

use serde_json::json;
use wecom_simulator::Setup;

use crate::harness::{PATIENCE, World, alertmanager};
use crate::process::Wegraf;

/// What must never be logged. The simulator's own accounts are as secret as any.
pub const SECRETS: [&str; 12] = [
    "sim-app-secret",
    "sim-bot-secret",
    "sim-ops-group",
    "canary-source-token",
    "canary-basic-password",
    "canary-hmac-secret",
    "canary-upstream-token",
    "canary-smtp-password",
    "canary-hook-token",
    "canary-hook-path",
    "canary-callback-token",
    "canary-wrong-token",
];

/// Every kind of secret, planted.
pub fn configuration(world: &World) -> String {
    let url = world.simulator.url();
    let socket = url.replacen("http", "ws", 1);
    let port = url.rsplit(':').next().unwrap();
    let aes = "canaryAesKeyabcdefghijklmnopqrstuvwxyzABCDE";
    format!(
        "listen: 127.0.0.1:0\n\
         database: sqlite:wegraf.db\n\
         external_url: https://alerts.example.com\n\
         wecom:\n  api_url: {url}\n  bot_url: {socket}/ws\n\
         \x20 apps:\n    ops: {{ corp_id: wwsimcorp0000001, agent_id: 1000002, secret: sim-app-secret, callback: {{ token: canary-callback-token, encoding_aes_key: {aes} }} }}\n\
         \x20 webhooks: {{ ops-group: {{ key: sim-ops-group }} }}\n\
         \x20 bots: {{ duty: {{ bot_id: sim-bot, secret: sim-bot-secret }} }}\n\
         sources:\n\
         \x20 grafana: {{ bearer: canary-source-token }}\n\
         \x20 am: {{ basic: {{ username: am, password: canary-basic-password }} }}\n\
         \x20 signed: {{ hmac: {{ secret: canary-hmac-secret, timestamp_header: X-Grafana-Alerting-Timestamp }} }}\n\
         upstreams: {{ am: {{ kind: alertmanager, url: '{url}', bearer: canary-upstream-token }} }}\n\
         smtp: {{ host: 127.0.0.1, port: {port}, tls: none, username: wegraf, password: canary-smtp-password, from: wegraf@example.com }}\n\
         hooks: {{ pager: {{ url: '{url}/canary-hook-path', bearer: canary-hook-token }} }}\n\
         receivers:\n  ops:\n    targets:\n\
         \x20     - {{ app: ops, users: [zhangsan], face: card }}\n\
         \x20     - {{ webhook: ops-group, face: text }}\n\
         \x20     - {{ bot: duty, chat: zhangsan, face: card }}\n\
         \x20     - {{ hook: pager }}\n\
         \x20     - {{ email: [duty@example.com] }}\n\
         route: {{ receiver: ops }}\n"
    )
}

#[tokio::test]
async fn no_secret_is_logged_at_any_level() {
    let mut world = World::idle(Setup::demo(), "").await;
    world.write("wegraf.yaml", &configuration(&world));
    let filter =
        "trace,tungstenite=trace,tungstenite::protocol=trace,reqwest=trace,hyper=trace,rustls=trace,lettre=trace";
    let gateway = Wegraf::serve_with(&mut world, &["--log", filter]).await;
    let post = |token: &str| {
        let url = format!("{}/webhook?token=canary-wrong-token", world.url);
        world.http.post(url).bearer_auth(token).body(alertmanager("磁盘将满", &[("db-1", "firing")])).send()
    };
    assert_eq!(post("canary-source-token").await.unwrap().status(), 200);
    assert_eq!(post("canary-wrong-token").await.unwrap().status(), 401);
    world.arrived("webhook=sim-ops-group", 1).await;
    world.arrived("user=zhangsan", 1).await;
    let begun = Instant::now();
    loop {
        let bots = world.control("GET", "bots", json!(null)).await;
        if !bots["bots"][0]["live"].is_null() {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "the bot did not connect: {bots}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    gateway.signal("HUP").await;
    gateway.logged("The configuration was reloaded.").await;
    let log = gateway.log();
    assert!(log.contains("\"level\":\"DEBUG\""), "our own words are there");
    for secret in SECRETS {
        let at = log.find(secret).map(|at| &log[at.saturating_sub(300)..log.len().min(at + 100)]);
        assert_eq!(at, None, "{secret} is in the log");
    }
}
