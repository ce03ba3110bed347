//! Signing in by WeCom and by a proxy: what comes back from WeCom's page, and from whom.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use wecom_simulator::Setup;

use crate::harness::World;
use crate::witness_alertmanager::holds;

const REST: &str = "
external_url: https://alerts.example.com
trusted_proxies: [ 127.0.0.1 ]
receivers: { ops: { targets: [ { app: ops, users: [zhangsan, lisi], face: text } ] } }
route: { receiver: ops }
console: { wecom: ops, domain_proof: WW_verify_8kBKaP.txt, proxy: { header: X-Forwarded-User } }
";
const OURS: &str = "https://alerts.example.com";
const IN_WECOM: &str = "Mozilla/5.0 (iPhone) MicroMessenger/7.0.1 wxwork/4.1.22 Language/zh";

/// A browser that keeps its cookies and goes where it is sent.
struct Browser<'a> {
    world: &'a World,
    http: reqwest::Client,
    agent: &'static str,
    cookies: BTreeMap<String, String>,
}

/// An answer: its status, where it leads, its text.
struct Seen {
    status: u16,
    to: String,
    html: String,
}

impl<'a> Browser<'a> {
    fn new(world: &'a World, agent: &'static str) -> Self {
        let none = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder().no_proxy().redirect(none).pool_max_idle_per_host(0).build().unwrap();
        Self { world, http, agent, cookies: BTreeMap::new() }
    }

    /// Opens an address; ours is that of the gateway under test.
    async fn open(&mut self, url: &str) -> Seen {
        let url = match url.strip_prefix(OURS).or_else(|| url.starts_with('/').then_some(url)) {
            Some(path) => format!("{}{path}", self.world.url),
            None => url.to_owned(),
        };
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = self.http.get(&url).header("user-agent", self.agent).header("cookie", cookies.join("; "));
        let answer = request.send().await.unwrap();
        let text = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        for set in answer.headers().get_all("set-cookie") {
            let set = set.to_str().unwrap();
            assert!(set.contains("HttpOnly; SameSite=Lax; Secure"), "{set}");
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let to = text("location").unwrap_or_default();
        // Our own places are relative to the page.
        let to = if to.contains("://") { to } else { format!("/{}", to.trim_start_matches("../")) };
        Seen { status: answer.status().as_u16(), to, html: answer.text().await.unwrap() }
    }

    /// Signs in as `who`, from the start to the answer to what WeCom sends back.
    async fn sign_in(&mut self, who: &str) -> Seen {
        let back = self.goes(who).await;
        self.open(&back).await
    }

    /// To WeCom; returns the address that it sends back to.
    async fn goes(&mut self, who: &str) -> String {
        let seen = self.open("/login/wecom?to=m%3Fstate%3Ddead").await;
        assert_eq!(seen.status, 303, "{}", seen.html);
        self.chosen(&seen.to, who).await
    }

    async fn chosen(&mut self, place: &str, who: &str) -> String {
        let (address, fragment) = place.split_once('#').unwrap_or((place, ""));
        assert_eq!(fragment.is_empty(), !address.contains("/connect/oauth2/authorize?"), "{place}");
        let seen = Browser::new(self.world, self.agent).open(&format!("{address}&as={who}")).await;
        assert_eq!(seen.status, 302, "{}", seen.html);
        seen.to
    }
}

async fn world() -> World {
    let mut world = World::idle(Setup::demo(), REST).await;
    let url = world.simulator.url();
    let bases = format!("wecom:\n  oauth_url: {url}\n  login_url: {url}\n");
    let text = std::fs::read_to_string(world.config_path()).unwrap().replacen("wecom:\n", &bases, 1);
    std::fs::write(world.config_path(), text).unwrap();
    world.write("WW_verify_8kBKaP.txt", "8kBKaP");
    world.stand_still();
    world.start().await;
    world
}

#[tokio::test]
async fn whatever_comes_back_from_wecom_ends_in_a_session_or_in_a_reason() {
    let world = world().await;
    let proof = world.http.get(format!("{}/WW_verify_8kBKaP.txt", world.url)).send().await.unwrap();
    assert_eq!(proof.text().await.unwrap(), "8kBKaP");
    let other = world.http.get(format!("{}/WW_verify_other.txt", world.url)).send().await.unwrap();
    assert_eq!(other.status(), 404);

    // A desk: by the page for any browser, and back to what was asked for.
    let mut desk = Browser::new(&world, "Mozilla/5.0 Firefox/140");
    let seen = desk.open("/m?state=dead").await;
    assert_eq!(seen.status, 401);
    holds(&seen.html, &["href=\"login/wecom?to=m%3Fstate%3Ddead\""]);
    let back = desk.goes("zhangsan").await;
    let seen = desk.open(&back).await;
    assert_eq!((seen.status, seen.to.as_str()), (303, "/m?state=dead"), "{}", seen.html);
    assert_eq!(desk.open("/m").await.status, 200);
    let sessions = world.app().store().sessions(None, world.app().now()).await.unwrap();
    assert_eq!((sessions[0].person.as_str(), sessions[0].way.as_str()), ("zhangsan", "wecom"));
    // A code signs in once: the same address again begins anew, and the second time it stops.
    let again = desk.open(&back).await;
    assert!(again.to.contains("/wwlogin/sso/login?"), "{}", again.to);
    let code = back.split("code=").nth(1).unwrap().split('&').next().unwrap();
    let fresh = desk.chosen(&again.to, "zhangsan").await;
    let state = fresh.split("state=").nth(1).unwrap();
    let seen = desk.open(&format!("{OURS}/login/wecom/back?code={code}&state={state}")).await;
    assert_eq!(seen.status, 403);
    holds(&seen.html, &["登录没有完成"]);

    // WeCom's own browser is sent there at once, by the page without a question.
    let mut phone = Browser::new(&world, IN_WECOM);
    let seen = phone.open("/now").await;
    assert_eq!(seen.status, 303);
    holds(&seen.to, &["/connect/oauth2/authorize?", "scope=snsapi_base", "agentid=1000002"]);
    let back = phone.chosen(&seen.to, "lisi").await;
    // What another browser began, and what took too long, signs no one in.
    let mut thief = Browser::new(&world, "Mozilla/5.0 Firefox/140");
    thief.goes("wangwu").await;
    let seen = thief.open(&back).await;
    assert_eq!(seen.status, 403);
    holds(&seen.html, &["登录没有完成"]);
    assert!(!thief.cookies.contains_key("__Host-wegraf"));
    let seen = phone.open(&back).await;
    assert_eq!((seen.status, seen.to.as_str()), (303, "/now"));
    let mut late = Browser::new(&world, "Mozilla/5.0 Firefox/140");
    let back = late.goes("lisi").await;
    world.pass(Duration::from_mins(11));
    assert_eq!(late.open(&back).await.status, 403);

    // The rows of what comes back.
    let trusted = json!(["alerts.example.com"]);
    let played = |domains: &serde_json::Value, ips: serde_json::Value| {
        let mut setup = serde_json::to_value(Setup::demo()).unwrap();
        let apps = &mut setup["corps"][0]["apps"];
        apps[0]["trusted_domains"] = domains.clone();
        apps[0]["trusted_ips"] = ips;
        apps[1]["trusted_domains"] = trusted.clone();
        setup
    };
    for (who, ips, domains, status, says) in [
        ("refuse", json!(null), &trusted, 200, "你取消了登录"),
        ("outsider", json!(null), &trusted, 403, "不是本企业的成员"),
        ("ww0123456789/zhangsan", json!(null), &trusted, 403, "不是本企业的成员"),
        ("wangwu", json!(null), &trusted, 403, "wangwu 不在任何接收者"),
        ("zhangsan", json!(null), &json!([]), 502, "把 alerts.example.com 填到应用的可信域名"),
        ("zhangsan", json!(["203.0.113.7"]), &trusted, 502, "（60020）"),
        ("ZhangSan", json!(null), &trusted, 303, ""),
    ] {
        world.control("PUT", "corp", played(domains, ips)).await;
        world.pass(Duration::from_mins(2));
        let mut browser = Browser::new(&world, "Mozilla/5.0 Firefox/140");
        let seen = browser.sign_in(who).await;
        assert_eq!(seen.status, status, "{who}: {}", seen.html);
        assert!(seen.html.contains(says), "{who}: {}", seen.html);
        assert_eq!(browser.cookies.contains_key("__Host-wegraf"), status == 303, "{who}");
    }
    // The code and the state are in no record of ours.
    for entry in std::fs::read_dir(world.folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap_or_default();
        assert!(!bytes.windows(code.len()).any(|window| window == code.as_bytes()), "a code is stored");
    }
    // A person who begins too often waits, and a link still signs in.
    let mut eager = Browser::new(&world, "Mozilla/5.0 Firefox/140");
    let mut statuses = Vec::new();
    for _ in 0..30 {
        statuses.push(eager.open("/login/wecom").await.status);
    }
    assert!(statuses.contains(&429), "{statuses:?}");
}

#[tokio::test]
async fn a_proxy_names_the_person_only_if_it_is_trusted_and_at_each_visit() {
    let mut world = world().await;
    let none = reqwest::redirect::Policy::none();
    let http = reqwest::Client::builder().no_proxy().redirect(none).pool_max_idle_per_host(0).build().unwrap();
    let ask = async |world: &World, names: &[&str], cookie: &str| {
        let mut request = http.get(format!("{}/now", world.url)).header("cookie", cookie);
        for name in names {
            request = request.header("x-forwarded-user", *name);
        }
        let answer = request.send().await.unwrap();
        let set =
            answer.headers().get("set-cookie").map(|set| set.to_str().unwrap().split(';').next().unwrap().to_owned());
        (answer.status().as_u16(), set.unwrap_or_default(), answer.text().await.unwrap())
    };
    let (status, cookie, _) = ask(&world, &["zhangsan"], "").await;
    assert_eq!(status, 303);
    let (status, _, html) = ask(&world, &["zhangsan"], &cookie).await;
    assert_eq!(status, 200);
    holds(&html, &["zhangsan"]);
    // The session is the proxy's: without its word, or with another name, it is over.
    assert_eq!(ask(&world, &[], &cookie).await.0, 401);
    let (status, others, _) = ask(&world, &["lisi"], &cookie).await;
    assert!(status == 303 && others != cookie);
    for forged in [&["zhangsan", "lisi"][..], &[""], &["zhang san"], &["a/b"]] {
        assert_eq!(ask(&world, forged, "").await.0, 401, "{forged:?}");
    }
    let (status, cookie, html) = ask(&world, &["stranger"], "").await;
    assert!(status == 403 && cookie.is_empty(), "{html}");
    // From anywhere else the header says nothing.
    world.stop().await;
    let text = std::fs::read_to_string(world.config_path()).unwrap().replace("[ 127.0.0.1 ]", "[ 10.9.9.9 ]");
    std::fs::write(world.config_path(), text).unwrap();
    world.start().await;
    assert_eq!(ask(&world, &["zhangsan"], "").await.0, 401);
}
