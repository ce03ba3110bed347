//! What a script that came into a page of the console could do: the page's policy forbids it. Each attempt is made on a page
//! without a policy first, where it succeeds.

use axum::response::Html;
use axum::routing::get;
use serde_json::json;

use crate::browser::Browser;
use crate::harness::{World, alertmanager};

const REST: &str = "
receivers: { ops: { targets: [ { app: ops, users: [zhangsan], face: text } ] } }
route: { receiver: ops }
";

/// What is tried, and whether it happened.
const ATTEMPTS: [(&str, &str); 7] = [
    (
        "markup out of a text",
        "(() => { document.body.insertAdjacentHTML('beforeend', '<b id=owned></b>'); return !!document.getElementById('owned'); })()",
    ),
    (
        "a script in the page",
        "(() => { const s = document.createElement('script'); s.append('window.owned = 1'); document.body.append(s); return window.owned === 1; })()",
    ),
    (
        "a script made of a text",
        "new Promise(done => setTimeout(() => { try { done(new Function('return true')()); } catch { done(false); } }))",
    ),
    (
        "a handler in an attribute",
        "(() => { const b = document.createElement('button'); b.setAttribute('onclick', 'window.pressed = 1'); document.body.append(b); b.click(); return window.pressed === 1; })()",
    ),
    (
        "a style in the page",
        "(() => { const s = document.createElement('style'); s.append('body { position: fixed }'); document.head.append(s); return getComputedStyle(document.body).position === 'fixed'; })()",
    ),
    (
        "another top for addresses",
        "(() => { const b = document.createElement('base'); b.href = 'https://evil.example/'; document.head.prepend(b); const is = document.baseURI.startsWith('https://evil.example'); b.remove(); return is; })()",
    ),
    ("a question to another origin", "fetch('ELSEWHERE').then(() => true)"),
];

/// A page without a policy, which frames `framed` if there is one, and the same for all.
async fn plain(framed: String) -> String {
    let page = move || async move {
        ([("access-control-allow-origin", "*")], Html(format!("<!doctype html><title>plain</title><body>{framed}")))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().route("/", get(page))).await });
    url
}

/// Did it happen? What throws did not.
async fn happened(browser: &mut Browser, attempt: &str, elsewhere: &str) -> bool {
    let attempt = attempt.replace("ELSEWHERE", elsewhere);
    let guarded = format!("(async () => {{ try {{ return await ({attempt}); }} catch {{ return false; }} }})()");
    browser.evaluate(&guarded).await == json!(true)
}

#[tokio::test]
async fn a_script_that_came_into_a_page_can_do_nothing_and_no_page_is_framed() {
    let world = World::new(&format!("allow_anonymous: true\n{REST}")).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    world.settled().await;
    let Some(mut browser) = Browser::open(1280, 800, &[]).await else { return };
    let elsewhere = plain(String::new()).await;
    let ticket = world.app().acts().ticket("zhangsan", "command").await.unwrap();
    browser.visit(&format!("{}/login/link/{ticket}", world.url)).await;
    browser.evaluate("document.querySelector('form button').click()").await;
    browser.until("location.pathname === '/now' && document.readyState === 'complete'").await;
    let short = world.deliveries().await[0].thread;
    for (what, attempt) in ATTEMPTS {
        browser.visit(&plain(String::new()).await).await;
        assert!(happened(&mut browser, attempt, &elsewhere).await, "the control fails: {what}");
        for page in ["now", "login", &format!("i/{short}"), "login/link/none"] {
            browser.visit(&format!("{}/{page}", world.url)).await;
            assert!(!happened(&mut browser, attempt, &elsewhere).await, "{page}: {what}");
        }
    }
    for (page, framed) in
        [(elsewhere.clone(), true), (format!("{}/now", world.url), false), (format!("{}/login", world.url), false)]
    {
        let framing = plain(format!("<iframe src=\"{page}\"></iframe>")).await;
        browser.visit(&framing).await;
        let frames = browser.frames().await;
        assert_eq!((frames.len(), frames.contains(&page)), (1, framed), "{page}: {frames:?}");
    }
}
