//! Short links in texts.

use std::time::Duration;

use reqwest::redirect::Policy;
use serde_json::{Value, json};
use wecom_simulator::Setup;

use crate::harness::{World, alertmanager};
use crate::process::Wegraf;

const LONG: &str = "https://prometheus.example.com/graph?g0.expr=sum%28rate%28errors%5B5m%5D%29%29+%3E+10&g0.tab=1";
const TEXTS: &str = r"
external_url: https://alerts.example.com
receivers:
  ops:
    targets:
      - { webhook: ops-group, face: text }
      - { app: ops, users: [daixuan], face: text }
      - { app: ops, chat: AITest, face: markdown }
route: { receiver: ops }
";

fn firing(name: &str, link: &str) -> String {
    alertmanager(name, &[("db-1", "firing")]).replace("http://prometheus.example.com/graph?g0.expr=up", link)
}

fn text(message: &Value) -> &str {
    message["content"]["content"].as_str().unwrap()
}

/// The path of the short link in a text.
fn path(text: &str) -> &str {
    let (_, after) =
        text.split_once("https://alerts.example.com/l/").unwrap_or_else(|| panic!("no short link: {text}"));
    assert!(!text.contains("prometheus.example.com"), "{text}");
    let code = after.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap();
    assert_eq!(code.len(), 5, "{text}");
    code
}

/// What opens behind `code`: the status, where it leads, the page.
async fn opened(world: &World, code: &str) -> (u16, String, String) {
    let http = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
    let asked = http.get(format!("{}/l/{code}", world.url)).header("accept-language", "en");
    let answer = asked.send().await.unwrap();
    let status = answer.status().as_u16();
    let header = |name: &str| answer.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    if status < 400 {
        assert_eq!(header("referrer-policy"), "no-referrer");
    }
    (status, header("location"), answer.text().await.unwrap())
}

#[tokio::test]
async fn a_text_has_a_short_link_that_leads_on_and_ends() {
    let upstream = "upstreams: { prom: { kind: prometheus, url: 'https://prometheus.example.com' } }\n";
    let world = World::with_at_a_standstill(Setup::demo(), &format!("{TEXTS}{upstream}")).await;
    world.accept("/webhook", firing("磁盘将满", LONG)).await;
    let group = world.arrived("webhook=sim-ops-group", 1).await;
    let member = world.arrived("user=daixuan", 1).await;
    let code = path(text(&group[0]));
    assert_eq!(path(text(&member[0])), code, "one code for an address of an episode");
    let chat = world.arrived("chat=AITest", 1).await;
    assert!(text(&chat[0]).contains(&format!("]({LONG})")), "a link in words stays: {}", text(&chat[0]));
    let led = opened(&world, &code.to_lowercase()).await;
    assert_eq!((led.0, led.1.as_str()), (302, LONG));

    // A link that is not long stays as it is, one of ours is never stored, and another host is not opened by itself.
    world.accept("/webhook", firing("短", "http://prometheus.example.com/g")).await;
    let ours = format!("https://alerts.example.com/d/1?until=1&act=2&s={}", "x".repeat(60));
    world.accept("/webhook", firing("我们", &ours)).await;
    let elsewhere = LONG.replace("prometheus.example.com", "elsewhere.example.net");
    world.accept("/webhook", firing("<别处>", &elsewhere)).await;
    let group = world.arrived("webhook=sim-ops-group", 4).await;
    for message in &group[1..3] {
        assert!(!text(message).contains("/l/"), "{}", text(message));
    }
    let (status, to, page) = opened(&world, path(text(&group[3]))).await;
    assert_eq!((status, to.as_str()), (200, ""));
    for said in ["elsewhere.example.net", "&#60;别处&#62;", "rel=\"noopener noreferrer\""] {
        assert!(page.contains(said), "{said}: {page}");
    }

    world.pass(Duration::from_hours(30 * 24 + 1));
    let (status, to, page) = opened(&world, code).await;
    assert_eq!((status, to.as_str()), (410, ""));
    assert!(page.contains("磁盘将满") && page.contains("30 days"), "{page}");

    for miss in 0..21 {
        let (status, _, page) = opened(&world, "ZZZZZ").await;
        assert_eq!(status, if miss < 20 { 404 } else { 429 }, "{page}");
    }
    assert_eq!(opened(&world, code).await.0, 429, "a right guess among wrong ones is not rewarded");
    world.settled().await;
}

#[tokio::test]
async fn an_address_that_phones_cannot_open_shortens_nothing() {
    let world = World::new(&TEXTS.replace("alerts.example.com", "wegraf.internal")).await;
    world.accept("/webhook", firing("磁盘将满", LONG)).await;
    let group = world.arrived("webhook=sim-ops-group", 1).await;
    assert!(text(&group[0]).contains(LONG), "{}", text(&group[0]));
}

#[tokio::test]
async fn a_message_that_was_under_way_at_kill_9_has_a_link_that_opens() {
    let mut world = World::idle(Setup::demo(), TEXTS).await;
    let gateway = Wegraf::serve(&mut world).await;
    world.fault(json!({ "match": { "path": "webhook/send" }, "action": "reset_after" })).await;
    world.accept("/webhook", firing("磁盘将满", LONG)).await;
    world.arrived("webhook=sim-ops-group", 1).await;
    gateway.kill().await;
    let _gateway = Wegraf::serve(&mut world).await;
    let group = world.inbox("webhook=sim-ops-group").await;
    let (status, _, page) = opened(&world, path(text(&group[0]))).await;
    assert_eq!(status, 200);
    assert!(page.contains("prometheus.example.com"), "{page}");
}
