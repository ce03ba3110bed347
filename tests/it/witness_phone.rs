//! The phone page in a real browser: what people see, at the width of a phone and of a screen.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::browser::Browser;
use crate::harness::{World, alertmanager, payload};

/// Every face at least once.
const FACES: &str = r"
images: { hosts: [127.0.0.1] }
receivers:
  all:
    targets:
      - { app: ops, users: [daixuan], face: news }
      - { app: ops, users: [lisi], face: textcard }
      - { app: ops, users: [wangwu], face: card }
      - { app: ops, users: [zhangsan], face: text }
      - { app: ops, chat: AITest, face: markdown }
      - { webhook: ops-group, face: markdown_v2, mention: [zhangsan], image: true }
route: { receiver: all }
";

const PLACES: &[&str] =
    &["user/daixuan", "user/lisi", "user/wangwu", "user/zhangsan", "chat/AITest", "webhook/sim-ops-group"];

/// An alert that would like to run its own script, call everyone and link where it pleases.
const HOSTILE: &str = "</script><script>document.body.id='owned'</script><img src=x onerror=\"document.body.id='owned'\"> [点我](javascript:document.body.id='owned') <@all> @all";

/// True if something of the hostile text has become more than text.
const OWNED: &str = "document.body.id === 'owned' || document.scripts.length !== 2 || document.querySelector('img[src=\"x\"], [onerror], iframe, a[href^=\"javascript:\"]') !== null";

fn pictures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/phone")
}

/// A legacy alert with a picture, as Grafana sends it.
fn with_picture(rule: u32, picture: &str) -> String {
    json!({
        "title": "[Alerting] 接口超时", "ruleId": rule, "ruleName": "接口超时", "state": "alerting", "imageUrl": picture,
        "ruleUrl": "http://grafana.example.com/d/api?viewPanel=2", "message": "支付接口 P99 超过 2 秒",
        "evalMatches": [{ "metric": "pay-1", "value": 2.71, "tags": {} }, { "metric": "pay-2", "value": 2.04, "tags": {} }],
    })
    .to_string()
}

#[tokio::test]
async fn the_page_shows_every_face_on_a_phone_and_on_a_screen() {
    let world = World::new(FACES).await;
    let address = world.simulator.url();
    let hosts = [("pictures.example.com", address.trim_start_matches("http://"))];
    let Some(mut browser) = Browser::open(375, 812, &hosts).await else { return };
    // One that WeCom could fetch, and one that only wegraf can.
    let picture = "http://pictures.example.com/_simulator/sample.png";
    world.accept("/api/model/send_sms/", with_picture(7, picture)).await;
    world.accept("/api/model/send_sms/", with_picture(8, &format!("{address}/_simulator/sample.png"))).await;
    for name in ["grafana-firing.json", "alertmanager-group.json", "grafana-mixed.json", "alertmanager-resolved.json"] {
        world.accept("/webhook", payload(name)).await;
    }
    world.settled().await;

    for place in PLACES {
        browser.visit(&format!("{}/#{place}", world.simulator.url())).await;
        let shown = browser.evaluate("document.getElementById('messages').innerText").await;
        let shown = shown.as_str().unwrap();
        for title in ["接口超时", "磁盘将满", "主机失联", "核心交换机不可达"] {
            assert!(shown.contains(title), "{place} does not show {title}: {shown}");
        }
        let wider = browser.evaluate("document.documentElement.scrollWidth - innerWidth").await;
        assert!(wider.as_i64().unwrap() <= 0, "{place} must not scroll sideways on a phone: {wider}");
        for (width, height) in [(375, 812), (1280, 900)] {
            browser.resize(width, height).await;
            let name = format!("{}-{width}.png", place.replace('/', "-"));
            browser.screenshot(&pictures().join(name)).await;
        }
        browser.resize(375, 812).await;
    }

    // Pictures are drawn once the reader gets to them: the one of the news, and the one in the markdown of the group.
    for (place, source) in [("user/daixuan", picture.to_owned()), ("webhook/sim-ops-group", picture.to_owned())] {
        browser.visit(&format!("{}/#{place}", world.simulator.url())).await;
        // Lazy: it is fetched where the reader sees it, and the page moves while other pictures grow.
        let image = "document.querySelector('#messages img')";
        browser.until(&format!("({image}.scrollIntoView(), {image}.naturalWidth > 0)")).await;
        let shown = browser.evaluate("document.querySelector('#messages img').src").await;
        assert!(shown.as_str().unwrap().starts_with(&source), "{shown}");
        // The page kept its reader at the end while the picture grew.
        browser.evaluate("document.querySelector('#messages img').scrollIntoView()").await;
        browser.screenshot(&pictures().join(format!("picture-{}-375.png", place.replace('/', "-")))).await;
    }

    browser.visit(&world.simulator.url()).await;
    browser.screenshot(&pictures().join("list-375.png")).await;
    let list = browser.evaluate("document.getElementById('conversations').innerText").await;
    for name in ["戴轩", "告警测试群", "运维值班群"] {
        assert!(list.as_str().unwrap().contains(name), "{list}");
    }
    assert!(browser.complaints.is_empty(), "{:#?}", browser.complaints);
}

#[tokio::test]
async fn a_message_appears_while_the_page_is_open() {
    let world = World::new(FACES).await;
    let Some(mut browser) = Browser::open(375, 812, &[]).await else { return };
    browser.visit(&format!("{}/#webhook/sim-ops-group", world.simulator.url())).await;
    browser.until("document.getElementById('live').classList.contains('on')").await;
    assert!(browser.evaluate("document.querySelector('#messages .message') === null").await == true);
    world.accept("/webhook", alertmanager("刚刚发生", &[("web-1", "firing")])).await;
    browser.until("document.getElementById('messages').innerText.includes('刚刚发生')").await;
    assert!(browser.complaints.is_empty(), "{:#?}", browser.complaints);
}

#[tokio::test]
async fn a_message_that_arrives_during_a_refresh_stays_on_the_page() {
    let world = World::new(FACES).await;
    let Some(mut browser) = Browser::open(375, 812, &[]).await else { return };
    browser.visit(&format!("{}/#webhook/sim-ops-group", world.simulator.url())).await;
    browser.until("document.getElementById('live').classList.contains('on')").await;
    // The answer to the refresh is kept back until the message has been drawn.
    let hold = "const real = fetch; \
                window.fetch = (path) => real(path).then((answer) => new Promise((go) => { \
                    (window.held ??= []).push(() => go(answer)); })); \
                window.refreshed = refresh(); 0";
    browser.evaluate(hold).await;
    browser.until("window.held?.length === 2").await;
    world.accept("/webhook", alertmanager("刚刚发生", &[("web-1", "firing")])).await;
    browser.until("document.getElementById('messages').innerText.includes('刚刚发生')").await;
    browser.evaluate("held.forEach((go) => go()); refreshed.then(() => 0)").await;
    let shown = browser.evaluate("document.getElementById('messages').innerText").await;
    assert!(shown.as_str().unwrap().contains("刚刚发生"), "{shown}");
}

#[tokio::test]
async fn a_hostile_alert_stays_text() {
    let world = World::new(FACES).await;
    let Some(mut browser) = Browser::open(375, 812, &[]).await else { return };
    world.accept("/webhook", alertmanager(HOSTILE, &[(HOSTILE, "firing"), ("web-2", "firing")])).await;
    world.accept("/api/model/send_sms/", with_picture(7, "javascript:document.body.id='owned'")).await;
    world.settled().await;
    // The page must hold without wegraf's help, too.
    for (kind, content) in [
        ("text", json!({ "content": HOSTILE })),
        ("markdown", json!({ "content": HOSTILE })),
        (
            "markdown_v2",
            json!({ "content": format!("# {HOSTILE}\n| a |\n|---|\n| {HOSTILE} |\n![x](javascript:alert(1))") }),
        ),
        (
            "news",
            json!({ "articles": [{ "title": HOSTILE, "description": HOSTILE, "url": "javascript:document.body.id='owned'", "picurl": "javascript:1" }] }),
        ),
    ] {
        let url = format!("{}/cgi-bin/webhook/send?key=sim-dba-group", world.simulator.url());
        world.http.post(url).json(&json!({ "msgtype": kind, kind: content })).send().await.unwrap();
    }
    for place in PLACES.iter().chain(&["webhook/sim-dba-group"]) {
        browser.visit(&format!("{}/#{place}", world.simulator.url())).await;
        browser.until("document.querySelectorAll('#messages .message').length >= 2").await;
        let shown = browser.evaluate("document.getElementById('messages').innerText").await;
        assert!(shown.as_str().unwrap().contains("script"), "{place}: the text itself is there: {shown}");
        assert_eq!(browser.evaluate(OWNED).await, false, "{place}");
        browser.screenshot(&pictures().join(format!("hostile-{}.png", place.replace('/', "-")))).await;
    }
    // The check would see it.
    browser
        .evaluate("document.body.append(Object.assign(document.createElement('a'), { href: 'javascript:1' }))")
        .await;
    assert_eq!(browser.evaluate(OWNED).await, true);
}
