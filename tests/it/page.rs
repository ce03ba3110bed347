//! The page behind the link in a message: without buttons, people act there, and only by its form.

use std::path::Path;

use serde_json::Value;
use wecom_simulator::Setup;
use wegraf::internals::store::{ActFilter, ActKind, ActRow, ActState};

use crate::browser::Browser;
use crate::harness::{World, alertmanager};
use crate::programs::{Server, alert, until};
use crate::silences::NO_NOTIFIER;
use crate::witness_alertmanager::{holds, texts};

/// A group that gets texts, without buttons.
const GROUP: &str = r"
external_url: https://alerts.example.com
receivers:
  ops: { targets: [ { webhook: ops-group, face: text } ] }
route: { receiver: ops }
";

/// The page of a message, by the link in it.
pub struct Visitor<'a> {
    world: &'a World,
    /// The link without the part behind `#`, on the gateway of this world.
    pub url: String,
    cookie: Option<String>,
}

/// The page's answer.
#[derive(Debug)]
pub struct Seen {
    pub status: u16,
    pub html: String,
    policy: String,
}

impl<'a> Visitor<'a> {
    pub fn by(world: &'a World, message: &str) -> Self {
        let link = message.split("https://alerts.example.com").nth(1).unwrap_or_else(|| panic!("no link: {message}"));
        let path = link.split(['#', ')', '\n', ' ']).next().unwrap();
        Self { world, url: format!("{}{path}", world.url), cookie: None }
    }

    async fn seen(&mut self, request: reqwest::RequestBuilder) -> Seen {
        let request = match &self.cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        };
        let answer = request.send().await.unwrap();
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        if let Some(cookie) = header("set-cookie") {
            assert!(cookie.contains("HttpOnly") && cookie.contains("Secure"), "{cookie}");
            self.cookie = cookie.split(';').next().map(str::to_owned);
        }
        let (status, policy) = (answer.status().as_u16(), header("content-security-policy").unwrap_or_default());
        Seen { status, html: answer.text().await.unwrap(), policy }
    }

    pub async fn opens(&mut self) -> Seen {
        self.seen(self.world.http.get(&self.url)).await
    }

    /// Sends the form of `page` as a browser does.
    pub async fn presses(&mut self, page: &Seen, wish: &str, person: &str, span: &str) -> Seen {
        let hidden = |name: &str| page.html.split(&format!("name=\"{name}\" value=\"")).nth(1)?.split('"').next();
        let nonce = hidden("nonce").unwrap_or("0123456789abcdef0123456789abcdef");
        let shown = hidden("shown").unwrap_or_default();
        let fields = [("nonce", nonce), ("shown", shown), ("person", person), ("span", span), ("do", wish)];
        self.seen(form(self.world.http.post(&self.url), &fields)).await
    }
}

fn form(request: reqwest::RequestBuilder, fields: &[(&str, &str)]) -> reqwest::RequestBuilder {
    let pair = |(name, value): &(&str, &str)| {
        let value = value.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"));
        format!("{name}={value}")
    };
    let body = fields.iter().map(pair).collect::<Vec<_>>().join("&");
    request.header("content-type", "application/x-www-form-urlencoded").body(body)
}

async fn acts(world: &World) -> Vec<ActRow> {
    world.app().store().acts(ActFilter::default()).await.unwrap()
}

pub async fn first_text(world: &World) -> String {
    texts(&world.arrived("webhook=sim-ops-group", 1).await).remove(0)
}

#[tokio::test]
async fn a_visitor_with_the_link_acknowledges_by_the_form_and_releases() {
    let world = World::new(GROUP).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing"), ("db-2", "firing")])).await;
    let text = first_text(&world).await;
    holds(&text, &["认领 https://alerts.example.com/d/", "#act"]);
    let mut visitor = Visitor::by(&world, &text);

    let page = visitor.opens().await;
    assert_eq!(page.status, 200);
    assert!(
        page.policy.contains("form-action 'self'") && page.policy.contains("require-trusted-types-for 'script'"),
        "{}",
        page.policy
    );
    holds(&page.html, &["磁盘将满 · 2 条仍在告警", "value=\"acknowledge\"", "id=\"act\""]);
    assert!(!page.html.contains("value=\"silence\""), "no upstream is known: silencing is not offered");
    assert!(!page.html.contains("value=\"release\"") && page.html.matches("<script").count() == 1);
    // A scanner that follows links, whatever their query, does nothing.
    for more in ["&do=acknowledge&person=x", "&do=silence&span=1h"] {
        let url = format!("{}{more}", visitor.url);
        assert_eq!(world.http.get(url).send().await.unwrap().status(), 200);
    }
    assert_eq!(acts(&world).await, []);

    let nameless = visitor.presses(&page, "acknowledge", "  ", "").await;
    assert_eq!(nameless.status, 422);
    holds(&nameless.html, &["请先写上你的名字"]);
    let taken = visitor.presses(&page, "acknowledge", "张三", "").await;
    assert_eq!(taken.status, 200);
    holds(
        &taken.html,
        &[
            "已认领：不再提醒和升级",
            "👋 张三（网页） 已认领",
            "value=\"release\"",
            "value=\"张三\"",
            "张三（网页） 认领",
        ],
    );
    assert!(!taken.html.contains("value=\"acknowledge\""), "it is taken");
    let told = texts(&world.arrived("webhook=sim-ops-group", 2).await);
    holds(&told[1], &["张三（网页） 已认领", "磁盘将满 ×2"]);

    // The page is loaded again and the form resubmitted: it is the same act.
    let again = visitor.presses(&page, "acknowledge", "张三", "").await;
    assert_eq!(again.status, 200);
    assert_eq!(acts(&world).await.len(), 1);

    // A later visit is recognised by a cookie.
    let page = visitor.opens().await;
    holds(&page.html, &["name=\"person\" value=\"张三\""]);
    let back = visitor.presses(&page, "release", "张三", "").await;
    holds(&back.html, &["已放弃认领", "value=\"acknowledge\""]);
    world.arrived("webhook=sim-ops-group", 3).await;
    let rows = acts(&world).await;
    assert!(rows.iter().all(|act| act.peer.as_deref() == Some("127.0.0.1")), "{rows:?}");
    let rows: Vec<_> = rows.iter().map(|act| (act.kind, act.state, act.by.as_str(), act.via.as_str())).collect();
    assert_eq!(
        rows,
        [
            (ActKind::Release, ActState::Done, "张三（网页）", "page"),
            (ActKind::Acknowledge, ActState::Done, "张三（网页）", "page")
        ]
    );

    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "resolved"), ("db-2", "resolved")])).await;
    let told = texts(&world.arrived("webhook=sim-ops-group", 4).await);
    assert!(!told[3].contains("认领"), "what is over asks for nothing: {}", told[3]);
    let over = visitor.opens().await;
    holds(&over.html, &["都已结束", "张三（网页） 认领"]);
    assert!(!over.html.contains("<form"));
    let late = visitor.presses(&page, "silence", "张三", "1h").await;
    holds(&late.html, &["没有还在告警的内容了"]);
}

#[tokio::test]
async fn no_act_without_the_link_with_a_forged_form_or_where_only_some_may() {
    let world = World::new(&format!("{GROUP}may_act: {{ users: [zhangsan] }}\n")).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    let text = first_text(&world).await;
    assert!(!text.contains("认领"), "no visitor is authorised there: {text}");
    let mut visitor = Visitor::by(&world, &text);
    let page = visitor.opens().await;
    holds(&page.html, &["1 条仍在告警", "请在企业微信里用卡片按钮"]);
    assert!(!page.html.contains("<form"));

    let nonce = "0123456789abcdef0123456789abcdef";
    let fields = [("nonce", nonce), ("person", "zhangsan"), ("span", ""), ("do", "acknowledge")];
    let post = |url: String| async {
        let answer = form(world.http.post(url), &fields).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, html) = post(visitor.url.clone()).await;
    assert_eq!(status, 403);
    holds(&html, &["网页认不出你是谁"]);
    let denied: Vec<_> = acts(&world).await.iter().map(|act| (act.state, act.by.clone())).collect();
    assert_eq!(denied, [(ActState::Denied, "zhangsan（网页）".to_owned())], "the attempt is recorded");

    let forged = format!("{}x", visitor.url.replace("&s=", "&s=A"));
    for url in [forged, visitor.url.split('?').next().unwrap().to_owned()] {
        assert_eq!(post(url).await.0, 403);
    }
    for (kind, body) in [
        ("application/x-www-form-urlencoded", "do=acknowledge".to_owned()),
        ("application/x-www-form-urlencoded", format!("do=acknowledge&person=x&nonce={}", "x".repeat(32))),
        ("text/plain", format!("do=acknowledge&person=x&nonce={nonce}")),
        ("application/x-www-form-urlencoded", format!("do=acknowledge&person=x&nonce={nonce}&x={}", "x".repeat(5000))),
    ] {
        let request = world.http.post(&visitor.url).header("content-type", kind).body(body);
        let status = request.send().await.unwrap().status().as_u16();
        assert!([400, 413].contains(&status), "{status}");
    }
    assert_eq!(acts(&world).await.len(), 1);
}

#[tokio::test]
async fn a_name_is_text_wherever_it_is_shown() {
    let world = World::new(&GROUP.replace("face: text", "face: markdown")).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    let text = first_text(&world).await;
    holds(&text, &["[认领](https://alerts.example.com/d/"]);
    let mut visitor = Visitor::by(&world, &text);
    let page = visitor.opens().await;
    let name = format!("<script>alert(1)</script>\n<@all>[x](http://evil.example){}", "长".repeat(100));
    let taken = visitor.presses(&page, "acknowledge", &name, "").await;
    assert_eq!(taken.status, 200);
    assert!(taken.html.matches("<script").count() == 1 && !taken.html.contains("<@all"), "{}", taken.html);
    let told = texts(&world.arrived("webhook=sim-ops-group", 2).await);
    assert!(!told[1].contains("<@all>") && !told[1].contains("<script"), "{}", told[1]);
    assert!(acts(&world).await[0].by.chars().count() <= 36);
}

/// A world whose alerts come from a real Alertmanager; `None` where it is not installed.
async fn with_upstream(face: &str) -> Option<(World, Server)> {
    let mut world = World::idle(Setup::demo(), "").await;
    let server = Server::alertmanager(world.folder.path(), NO_NOTIFIER).await?;
    let upstreams = format!("upstreams:\n  am: {{ kind: alertmanager, url: '{}' }}\n", server.url);
    world.write_config(&format!("{}{upstreams}", GROUP.replace("face: text", face)));
    world.start().await;
    server.fire(&[alert(&serde_json::json!({ "alertname": "磁盘将满", "instance": "db-1" }), "满了", false)]).await;
    let firing =
        alertmanager("磁盘将满", &[("db-1", "firing")]).replace("http://alertmanager.example.com", &server.url);
    world.accept("/webhook", firing).await;
    Some((world, server))
}

#[tokio::test]
async fn a_silence_from_the_page_exists_upstream_with_the_name_and_ends_from_there() {
    let Some((world, server)) = with_upstream("face: markdown_v2").await else { return };
    let text = first_text(&world).await;
    holds(&text, &["[认领/静默](https://alerts.example.com/d/"]);
    let mut visitor = Visitor::by(&world, &text);
    let page = visitor.opens().await;
    holds(&page.html, &["value=\"silence\"", "<option value=\"morning\""]);
    let odd = visitor.presses(&page, "silence", "李四", "forever").await;
    assert_eq!(odd.status, 422);
    let silenced = visitor.presses(&page, "silence", "李四", "4h").await;
    holds(&silenced.html, &["已静默。", "🔕 静默到", "李四", "value=\"expire\""]);
    let there: Value = serde_json::from_str(&server.get("/api/v2/silences").await.unwrap()).unwrap();
    assert_eq!((there.as_array().unwrap().len(), &there[0]["createdBy"]), (1, &Value::from("李四（网页）")), "{there}");

    let ended = visitor.presses(&silenced, "expire", "李四", "").await;
    holds(&ended.html, &["静默已解除。"]);
    until("the silence has ended", async || {
        let there = server.get("/api/v2/silences").await?;
        there.contains("\"state\":\"expired\"").then_some(())
    })
    .await;

    drop(server);
    let page = visitor.opens().await;
    let failed = visitor.presses(&page, "silence", "李四", "1h").await;
    holds(&failed.html, &["没有做成："]);
}

#[tokio::test]
async fn a_person_acts_on_a_phone_without_a_script() {
    let Some((world, _server)) = with_upstream("face: text").await else { return };
    let visitor = Visitor::by(&world, &first_text(&world).await);
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    let Some(mut phone) = Browser::open(390, 844, &[]).await else { return };
    phone.visit(&format!("{}#act", visitor.url)).await;
    phone.screenshot(&pictures.join("phone.png")).await;
    // Enter in the field does not submit the form.
    phone.evaluate("document.querySelector('input[name=person]').value = '王五'").await;
    assert_eq!(phone.evaluate("document.querySelector('form').querySelector('button').disabled").await, true);
    assert_eq!(phone.evaluate("document.querySelector('form button').offsetHeight").await, 0);
    assert_eq!(phone.evaluate("document.documentElement.scrollWidth <= innerWidth").await, true);
    phone.evaluate("document.querySelector('button[value=silence]').closest('details').open = true").await;
    phone.screenshot(&pictures.join("phone-silence.png")).await;
    phone.evaluate("document.querySelector('button[value=silence]').click()").await;
    phone.until("document.readyState === 'complete' && document.body.innerText.includes('已静默')").await;
    phone.screenshot(&pictures.join("phone-silenced.png")).await;
    phone.dark().await;
    phone.screenshot(&pictures.join("phone-dark.png")).await;
    phone.resize(1280, 800).await;
    phone.screenshot(&pictures.join("desktop-dark.png")).await;
    phone.visit(&visitor.url).await;
    assert_eq!(phone.evaluate("document.querySelector('input[name=person]').value").await, "王五");
    assert!(phone.complaints.is_empty(), "{:?}", phone.complaints);
}
