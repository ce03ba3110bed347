//! The console: a link from a chat signs one person in, once; what is seen and done follows rights; forms are of the session.

use wegraf::internals::answer::{Actor, Via};
use wegraf::internals::store::{ActFilter, ActKind, ActState};

use crate::browser::Browser;
use crate::harness::{World, alertmanager};
use crate::pages::is_sound;
use crate::process::run;
use crate::programs::find;
use crate::witness_alertmanager::holds;

const RECEIVERS: &str = "
external_url: http://console.example.com
receivers:
  ops: { targets: [ { app: ops, users: [zhangsan], face: text } ] }
  dba: { targets: [ { app: ops, users: [lisi], face: text } ] }
route: { receiver: ops, routes: [ { matchers: ['alertname=\"主库只读\"'], receiver: dba } ] }
console: { may_change: { users: [daixuan] } }
";

/// A browser without a script: it keeps its cookie.
pub struct Visitor<'a> {
    world: &'a World,
    http: reqwest::Client,
    pub cookie: Option<String>,
}

impl<'a> Visitor<'a> {
    pub fn new(world: &'a World) -> Self {
        let none = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder().no_proxy().redirect(none).pool_max_idle_per_host(0).build().unwrap();
        Self { world, http, cookie: None }
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> (u16, String) {
        let request = match &self.cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        };
        let answer = request.send().await.unwrap();
        let set = answer.headers().get("set-cookie").map(|value| value.to_str().unwrap().to_owned());
        // Other cookies are of pages for visitors without a session.
        if let Some(cookie) = set.filter(|set| set.starts_with("wegraf=") || set.starts_with("__Host-wegraf=")) {
            assert!(cookie.contains("HttpOnly; SameSite=Lax") && cookie.contains("Path=/;"), "{cookie}");
            self.cookie = cookie.split(';').next().map(str::to_owned);
        }
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Signed in as `person`.
    pub async fn signed_in(world: &'a World, person: &str) -> Self {
        let ticket = world.app().acts().ticket(person, "command").await.unwrap();
        let mut visitor = Self::new(world);
        assert_eq!(visitor.posts(&format!("/login/link/{ticket}"), &[]).await.0, 303);
        visitor
    }

    /// The cookies, for requests of another kind.
    pub fn asks(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.get(format!("{}{path}", self.world.url)).header("cookie", self.cookie.clone().unwrap_or_default())
    }

    pub async fn opens(&mut self, path: &str) -> (u16, String) {
        self.send(self.http.get(format!("{}{path}", self.world.url))).await
    }

    pub async fn posts(&mut self, path: &str, fields: &[(&str, &str)]) -> (u16, String) {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.http.post(format!("{}{path}", self.world.url)).header("sec-fetch-site", "same-origin");
        self.send(request.header("content-type", "application/x-www-form-urlencoded").body(body)).await
    }
}

/// What the app answers `person`, who wrote to it.
async fn ask(world: &World, via: Via, person: &str, text: &str) -> String {
    let actor = Actor { id: person.to_owned(), via };
    world.app().acts().ask(&actor, &rand::random::<u64>().to_string(), text).await.unwrap()
}

fn app() -> Via {
    Via::App("ops".to_owned())
}

/// The path of the link in an answer.
fn link(said: &str) -> String {
    let at = said.find("/login/link/").unwrap_or_else(|| panic!("no link: {said}"));
    said[at..].split_whitespace().next().unwrap().to_owned()
}

/// The value of a hidden field.
pub fn hidden<'h>(html: &'h str, name: &str) -> &'h str {
    html.split(&format!("name=\"{name}\" value=\"")).nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default()
}

#[tokio::test]
async fn a_word_in_a_chat_signs_in_once_and_rights_decide_what_is_seen() {
    let world = World::new(RECEIVERS).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing"), ("db-2", "firing")])).await;
    world.accept("/webhook", alertmanager("主库只读", &[("order-db", "firing")])).await;
    world.settled().await;
    let rows = world.deliveries().await;
    let of = |receiver: &str| rows.iter().find(|row| row.receiver == receiver).unwrap();
    let (ours, theirs) = (of("ops").thread.to_string(), of("dba").thread.to_string());

    // Being a member is no right, and a link is for one person.
    holds(&ask(&world, app(), "stranger", "控制台").await, &["stranger 不在任何接收者"]);
    let group = Via::Bot { bot: "duty".to_owned(), chat: "wrGroup".to_owned() };
    holds(&ask(&world, group, "zhangsan", "登录").await, &["单独发给我"]);
    let said = ask(&world, app(), "zhangsan", "console").await;
    holds(&said, &["http://console.example.com/login/link/"]);
    let link = link(&said);
    let secret = link.rsplit('/').next().unwrap().to_owned();

    // Who is not signed in sees nothing of the configuration.
    let mut visitor = Visitor::new(&world);
    for path in ["/now", "/m", "/m/1", "/silences", "/state", "/me", &format!("/i/{ours}")] {
        let (status, html) = visitor.opens(path).await;
        assert_eq!(status, 401, "{path}");
        assert!(html.contains("登录") && !html.contains("磁盘将满") && !html.contains("ops"), "{path}: {html}");
    }
    // Machines open links: nothing is used up. Another site's form does not sign in.
    for _ in 0..2 {
        let (status, html) = visitor.opens(&link).await;
        assert_eq!(status, 200);
        holds(&html, &["以 zhangsan 登录这个浏览器", "<form method=\"post\""]);
    }
    let foreign = world.http.post(format!("{}{link}", world.url)).header("sec-fetch-site", "cross-site");
    assert_eq!(foreign.send().await.unwrap().status(), 403);
    let planted = "x".repeat(43);
    visitor.cookie = Some(format!("wegraf={planted}"));
    let (status, _) = visitor.posts(&link, &[]).await;
    assert_eq!(status, 303);
    let cookie = visitor.cookie.clone().unwrap();
    assert!(!cookie.contains(&planted), "a new secret at each sign-in");
    let (status, html) = Visitor::new(&world).posts(&link, &[]).await;
    assert_eq!(status, 403, "{html}");

    // What is seen follows rights; an id of others and an unknown one are the same.
    let (status, html) = visitor.opens("/now").await;
    assert_eq!(status, 200);
    holds(&html, &["1 个告警", "磁盘将满", "×2", &ours, "未认领"]);
    assert!(!html.contains("主库只读"), "{html}");
    let hidden_pages = [format!("/i/{theirs}"), format!("/m/{}", of("dba").message), "/i/ZZZZ".into(), "/m/999".into()];
    for path in &hidden_pages {
        let (status, html) = visitor.opens(path).await;
        assert_eq!(status, 404, "{path}");
        holds(&html, &["没有这一页，或者你没有权限看"]);
    }
    let (_, html) = visitor.opens("/m?since=24h").await;
    assert!(html.contains("磁盘将满") && !html.contains("主库只读"), "{html}");
    // Words in both languages find what may be seen, and a short id opens its incident.
    while world.app().store().index_terms().await.unwrap().more {}
    for q in ["磁盘", "DB-2", "磁盘 db-1", "zhangsan"] {
        for page in ["now", "m"] {
            let (status, html) = visitor.opens(&format!("/{page}?q={q}")).await;
            assert!(status == 200 && html.contains(&ours) && !html.contains("主库只读"), "{page} {q}: {html}");
        }
    }
    for q in [ours.clone(), format!("%23{}", ours.to_lowercase())] {
        for page in ["now", "m"] {
            let answer = visitor.asks(&format!("/{page}?q={q}")).send().await.unwrap();
            let to = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
            assert_eq!((answer.status().as_u16(), to), (303, Some(format!("i/{ours}"))), "{page} {q}");
        }
    }
    for q in ["主库", "order-db", &theirs] {
        let (_, html) = visitor.opens(&format!("/now?q={q}")).await;
        holds(&html, &["没有找到", "在 30 天的投递里找", "看全部告警"]);
        let (_, html) = visitor.opens(&format!("/m?q={q}&state=sent")).await;
        holds(&html, &["最近 24 小时没有这样的消息", "&#38;state=sent&#38;since=7d", "找 7 天", "还不能按词找到"]);
    }
    for page in ["now", "m"] {
        let (_, html) = visitor.opens(&format!("/{page}?q=%25")).await;
        assert!(html.contains("没有字，也没有数字") && !html.contains(&ours), "{page}: {html}");
    }
    let (_, html) = visitor.opens("/m?errcode=x").await;
    holds(&html, &["有一项读不懂"]);
    let (status, _) = visitor.opens("/state").await;
    assert_eq!(status, 404, "health is for those who may look at everything");
    let (_, html) = visitor.opens(&format!("/m/{}", of("ops").message)).await;
    holds(&html, &["送达", "已接受", "磁盘将满"]);

    // An act is under the proven userid, by a form of this session only.
    let path = format!("/i/{ours}");
    let (_, page) = visitor.opens(&path).await;
    holds(&page, &["发给了谁", "经过", "→ app/ops/zhangsan", "确认认领", "db-1"]);
    assert!(!page.contains("name=\"person\""), "{page}");
    let (nonce, proof, message) = (hidden(&page, "nonce"), hidden(&page, "proof"), hidden(&page, "message"));
    let other = "0".repeat(32);
    for forged in [
        [("nonce", nonce), ("proof", ""), ("message", message), ("do", "acknowledge")],
        [("nonce", other.as_str()), ("proof", proof), ("message", message), ("do", "acknowledge")],
    ] {
        assert_eq!(visitor.posts(&path, &forged).await.0, 403);
    }
    let fields = [("nonce", nonce), ("proof", proof), ("message", message), ("do", "acknowledge")];
    for _ in 0..2 {
        let (status, html) = visitor.posts(&path, &fields).await;
        assert_eq!(status, 200, "{html}");
        holds(&html, &["zhangsan 已认领"]);
    }
    let acts = world.app().store().acts(ActFilter::default()).await.unwrap();
    let acts: Vec<_> = acts.iter().map(|act| (act.kind, act.state, act.by.as_str(), act.via.as_str())).collect();
    assert_eq!(acts, [(ActKind::Acknowledge, ActState::Done, "zhangsan", "console/link")]);
    let elsewhere =
        [("nonce", nonce), ("proof", proof), ("message", &of("dba").message.to_string()), ("do", "acknowledge")];
    assert_eq!(visitor.posts(&format!("/i/{theirs}"), &elsewhere).await.0, 404);

    // The secrets open nothing for those who read the database or the log of what was sent.
    let value = cookie.split_once('=').unwrap().1;
    for entry in std::fs::read_dir(world.folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap_or_default();
        for secret in [secret.as_str(), value] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "a secret is stored");
        }
    }

    // A command signs in, too: who may change sees all, and ends the sessions of others.
    let listen = world.url.strip_prefix("http://").unwrap();
    let arguments = ["console", "link", "--for", "daixuan", "--listen", listen, "--json"];
    let made = run(&world, &arguments);
    let url = made.await.exits(0).json()["url"].as_str().unwrap().to_owned();
    let mut chief = Visitor::new(&world);
    chief.posts(&self::link(&url), &[]).await;
    let (_, html) = chief.opens("/now").await;
    holds(&html, &["2 个告警", "磁盘将满", "主库只读"]);
    assert_eq!(chief.opens("/state").await.0, 200);
    let (_, html) = chief.opens("/me").await;
    let sessions = world
        .app()
        .store()
        .sessions(Some("ZhangSan".to_owned()), wegraf::internals::time::Clock::System.now())
        .await
        .unwrap();
    let fields = [("nonce", hidden(&html, "nonce")), ("proof", hidden(&html, "proof")), ("end", &sessions[0].id)];
    chief.posts("/me", &fields).await;
    let (status, html) = visitor.opens("/now").await;
    assert_eq!(status, 401);
    holds(&html, &["登录已结束"]);
    let listed = run(&world, &["console", "sessions"]).await.exits(0);
    assert!(listed.out.contains("daixuan") && !listed.out.contains("zhangsan"), "{}", listed.out);
}

#[tokio::test]
async fn the_pages_of_the_console_are_sound_on_a_phone_and_on_a_desk() {
    if find("target/witnesses/node/node_modules/axe-core/axe.min.js").is_none() {
        return;
    }
    let world = World::new(RECEIVERS).await;
    world.accept("/webhook", crate::pages::body()).await;
    world.accept("/webhook", alertmanager("主库只读", &[("order-db", "firing")])).await;
    world.settled().await;
    let ticket = world.app().acts().ticket("daixuan", "command").await.unwrap();
    let Some(mut browser) = Browser::open(390, 844, &[]).await else { return };
    // The button signs in, and leads to what is on.
    browser.visit(&format!("{}/login/link/{ticket}?lang=zh", world.url)).await;
    assert_eq!(browser.axe().await, Vec::<String>::new());
    browser.evaluate("document.querySelector('form button').click()").await;
    browser.until("location.pathname === '/now' && document.readyState === 'complete'").await;
    let thread = world.deliveries().await.iter().find(|row| row.receiver == "ops").unwrap().thread;
    for (name, path) in [
        ("now", "now?only=all".to_owned()),
        ("incident", format!("i/{thread}?x=1")),
        ("deliveries", "m?since=24h".to_owned()),
        ("state", "state?x=1".to_owned()),
    ] {
        is_sound(&mut browser, name, &format!("{}/{path}", world.url)).await;
    }
}
