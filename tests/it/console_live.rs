//! The console while things change: streams, and pages in a browser that follow them.

use std::time::Duration;

use wegraf::internals::store::{ActFilter, ActKind};
use wegraf::internals::time::Clock;

use crate::browser::Browser;
use crate::console::{Visitor, hidden};
use crate::harness::{PATIENCE, World, alertmanager};
use crate::page;
use crate::witness_alertmanager::{holds, texts};

const RECEIVERS: &str = "
external_url: https://alerts.example.com
receivers:
  ops: { targets: [ { app: ops, users: [zhangsan], face: text }, { app: ops, users: [lisi], face: text } ] }
route: { receiver: ops }
console: { may_look: { users: [daixuan] }, may_change: { users: [wangwu] } }
";

/// Reads a stream until it says `wanted`.
async fn hears(stream: &mut reqwest::Response, wanted: &str) {
    let mut said = String::new();
    while !said.contains(wanted) {
        let piece = tokio::time::timeout(PATIENCE, stream.chunk()).await.expect("the stream speaks").unwrap();
        let piece = piece.unwrap_or_else(|| panic!("the stream ended without {wanted}: {said}"));
        said.push_str(std::str::from_utf8(&piece).unwrap());
    }
}

async fn ends(mut stream: reqwest::Response) {
    while let Ok(Ok(Some(_))) = tokio::time::timeout(PATIENCE, stream.chunk()).await {}
}

#[tokio::test]
async fn a_stream_tells_names_of_parts_and_ends_with_its_session_and_with_the_process() {
    let mut world = World::new(&RECEIVERS.replace("https:", "http:")).await;
    assert_eq!(Visitor::new(&world).opens("/events").await.0, 401);
    let visitor = Visitor::signed_in(&world, "zhangsan").await;
    let other = Visitor::signed_in(&world, "lisi").await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        let stream = visitor.asks("/events").send().await.unwrap();
        assert_eq!(stream.headers()["content-type"], "text/event-stream");
        assert_eq!(stream.headers()["cache-control"], "no-store");
        streams.push(stream);
    }
    assert_eq!(visitor.asks("/events").send().await.unwrap().status(), 503, "three of a session");
    let mut theirs = other.asks("/events").send().await.unwrap();
    for stream in streams.iter_mut().chain([&mut theirs]) {
        hears(stream, ": wegraf").await;
    }
    // The streams have no place among the connections of senders.
    let known = world.metric("wegraf_connections{listener=\"main\",class=\"proven\"}").await;
    assert!(known < 4.0, "{known}");
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    hears(&mut streams[0], "\"now\"").await;
    hears(&mut theirs, "\"now\"").await;
    // A page that the browser has already is not sent again.
    world.settled().await;
    let first = visitor.asks("/now").send().await.unwrap();
    let mark = first.headers()["etag"].clone();
    let again = async |mark| visitor.asks("/now").header("if-none-match", mark).send().await.unwrap().status();
    assert_eq!(again(mark.clone()).await, 304);
    world.accept("/webhook", alertmanager("主库只读", &[("order-db", "firing")])).await;
    assert_eq!(again(mark).await, 200);
    // The end of the session ends its streams, and no other.
    let sessions = world.app().store().sessions(Some("zhangsan".to_owned()), Clock::System.now()).await.unwrap();
    world.app().store().end_session(sessions[0].id.clone(), "ended", "x".into(), Clock::System.now()).await.unwrap();
    hears(&mut streams[0], "event: over").await;
    for stream in streams {
        ends(stream).await;
    }
    world.accept("/webhook", alertmanager("证书将过期", &[("pay", "firing")])).await;
    hears(&mut theirs, "\"now\"").await;
    let begun = std::time::Instant::now();
    world.stop().await;
    ends(theirs).await;
    assert!(begun.elapsed() < Duration::from_secs(8), "the process does not wait for its streams");
}

#[tokio::test]
async fn a_page_of_a_message_acts_under_the_name_of_the_session_and_a_right_is_needed_to_send_again() {
    let config = RECEIVERS.replace("https:", "http:").replace("may_look", "may_resend: { users: [lisi] }, may_look");
    let world = World::at_a_standstill(&config).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    world.settled().await;
    let told = texts(&world.arrived("user=zhangsan", 1).await);
    let link = told[0].split("http://alerts.example.com").nth(1).unwrap();
    let link = link.split(['#', ')', '\n', ' ', '"']).next().unwrap();
    let mut visitor = Visitor::signed_in(&world, "zhangsan").await;
    let (_, html) = visitor.opens(link).await;
    let thread = world.deliveries().await[0].thread;
    assert!(!html.contains("name=\"person\"") && html.contains(&format!("href=\"../i/{thread}\"")), "{html}");
    let fields = [("nonce", hidden(&html, "nonce")), ("proof", hidden(&html, "proof")), ("do", "acknowledge")];
    // Another session's proof, and a form without one, do not act under this name.
    let mut other = Visitor::signed_in(&world, "lisi").await;
    let (_, said) = other.posts(link, &fields).await;
    holds(&said, &["请先写上你的名字"]);
    let (status, html) = visitor.posts(link, &fields).await;
    assert_eq!(status, 200);
    holds(&html, &["zhangsan 已认领"]);
    let acts = world.app().store().acts(ActFilter::default()).await.unwrap();
    assert_eq!((acts[0].by.as_str(), acts[0].via.as_str()), ("zhangsan", "console/command"));
    assert_eq!(acts.len(), 1);

    // zhangsan received it and may act, but `may_resend` names lisi; who may change may do this, too.
    let row = world.deliveries().await.into_iter().find(|row| row.lane.to_string().contains("zhangsan")).unwrap();
    let path = format!("/m/{}", row.message);
    for (person, status) in [("zhangsan", 403), ("lisi", 200), ("wangwu", 200)] {
        let copies = async || world.deliveries().await.iter().filter(|copy| copy.origin == Some(row.message)).count();
        let before = copies().await;
        let mut visitor = Visitor::signed_in(&world, person).await;
        let (_, html) = visitor.opens(&path).await;
        holds(&html, &["重发", "撤回"]);
        let fields = [("nonce", hidden(&html, "nonce")), ("proof", hidden(&html, "proof")), ("do", "resend")];
        for _ in 0..2 {
            assert_eq!(visitor.posts(&path, &fields).await.0, status, "{person}");
        }
        assert_eq!(copies().await - before, usize::from(status == 200), "{person}: a form counts once");
    }
    let (_, html) = other.opens(&path).await;
    let fields = [("nonce", hidden(&html, "nonce")), ("proof", hidden(&html, "proof")), ("do", "recall")];
    let (_, html) = other.posts(&path, &fields).await;
    holds(&html, &["已撤回"]);
    let acts = world.app().store().acts(ActFilter::default()).await.unwrap();
    assert!(acts.iter().any(|act| act.kind == ActKind::Recall && act.by == "lisi"));

    // What concerns others asks for a recent sign-in.
    let mut chief = Visitor::signed_in(&world, "wangwu").await;
    Visitor::signed_in(&world, "daixuan").await;
    world.pass(Duration::from_hours(13));
    let theirs = world.app().store().sessions(Some("daixuan".to_owned()), world.app().now()).await.unwrap();
    let (_, html) = chief.opens("/me").await;
    let fields = [("nonce", hidden(&html, "nonce")), ("proof", hidden(&html, "proof")), ("end", &theirs[0].id)];
    let (status, html) = chief.posts("/me", &fields).await;
    assert_eq!(status, 403);
    holds(&html, &["最近 12 小时"]);
    let mut chief = Visitor::signed_in(&world, "wangwu").await;
    let (_, html) = chief.opens("/me").await;
    let fields = [("nonce", hidden(&html, "nonce")), ("proof", hidden(&html, "proof")), ("end", &theirs[0].id)];
    assert_eq!(chief.posts("/me", &fields).await.0, 303);
    let left = world.app().store().sessions(Some("daixuan".to_owned()), world.app().now()).await.unwrap();
    assert!(left.is_empty());
}

#[tokio::test]
async fn an_open_page_follows_what_happens() {
    let world = World::new(RECEIVERS).await;
    let Some(mut browser) = Browser::open(390, 844, &[]).await else { return };
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    world.settled().await;
    // The page of a message in a phone; the console in a browser. Over plain http the secure cookie is kept on loopback.
    let told = texts(&world.arrived("user=zhangsan", 1).await);
    let mut phone = page::Visitor::by(&world, &told[0]);
    let ticket = world.app().acts().ticket("lisi", "command").await.unwrap();
    browser.visit(&format!("{}/login/link/{ticket}?lang=zh", world.url)).await;
    browser.evaluate("document.querySelector('form button').click()").await;
    browser.until("location.pathname === '/now' && document.readyState === 'complete'").await;
    browser.until("document.getElementById('live').dataset.state === 'on'").await;
    assert_eq!(browser.evaluate("document.title.startsWith('(1) ')").await, true);
    browser.evaluate("window.loaded = 1").await;
    let seen = phone.opens().await;
    phone.presses(&seen, "acknowledge", "张三", "").await;
    browser.until("document.querySelector('.incidents').textContent.includes('张三')").await;
    world.accept("/webhook", alertmanager("主库只读", &[("order-db", "firing")])).await;
    browser.until("document.title.startsWith('(2) ') && document.querySelectorAll('.incidents li').length === 2").await;
    assert_eq!(browser.evaluate("window.loaded").await, 1, "the page was not loaded again");
    // Keys choose and open; typing is not taken for keys.
    let press = |key: &str| {
        format!(
            "(document.activeElement ?? document.body).dispatchEvent(new KeyboardEvent('keydown', {{ key: '{key}', bubbles: true }}))"
        )
    };
    browser.evaluate(&press("j")).await;
    browser.evaluate(&press("j")).await;
    browser.evaluate(&press("k")).await;
    assert_eq!(
        browser.evaluate("document.activeElement.closest('li') === document.querySelector('.incidents li')").await,
        true
    );
    browser.evaluate("document.activeElement.click()").await;
    browser.until("location.pathname.startsWith('/i/') && document.readyState === 'complete'").await;
    browser.evaluate(&press("a")).await;
    assert_eq!(browser.evaluate("document.activeElement.value").await, "acknowledge");
    browser.evaluate("document.activeElement.click()").await;
    browser.until("document.readyState === 'complete' && document.body.textContent.includes('lisi 已认领')").await;
    browser.until("document.getElementById('live').dataset.state === 'on'").await;
    // What others do appears below a form that is open, and the form stays open.
    browser.evaluate("document.querySelector('#act button[value=release]').closest('details').open = true").await;
    let rows = world.deliveries().await;
    let newest = rows.iter().find(|row| row.name == "主库只读" && row.act.is_none()).unwrap().message;
    let mut colleague = Visitor::new(&world);
    let ticket = world.app().acts().ticket("wangwu", "command").await.unwrap();
    colleague.posts(&format!("/login/link/{ticket}"), &[]).await;
    let (_, html) = colleague.opens(&format!("/m/{newest}")).await;
    let fields = [("nonce", hidden(&html, "nonce")), ("proof", hidden(&html, "proof")), ("do", "resend")];
    assert_eq!(colleague.posts(&format!("/m/{newest}"), &fields).await.0, 200);
    browser.until("document.querySelector('[data-live=told]').textContent.includes('wangwu 重发')").await;
    assert_eq!(
        browser.evaluate("document.querySelector('#act button[value=release]').closest('details').open").await,
        true
    );
    browser.evaluate("document.querySelector('#act button[value=release]').click()").await;
    browser.until("document.readyState === 'complete' && !document.querySelector('#act button[value=release]')").await;
    // How pages look is kept by the browser.
    browser.visit(&format!("{}/me", world.url)).await;
    browser.evaluate("(() => { const f = document.querySelector('select[name=theme]').form; f.theme.value = 'dark'; f.language.value = 'en'; f.keys.value = 'off'; f.querySelector('button').click(); })()").await;
    browser.until("document.documentElement.dataset.theme === 'dark' && document.documentElement.lang === 'en'").await;
    assert_eq!(
        browser.evaluate("document.body.dataset.keys === undefined && !document.getElementById('keys')").await,
        true
    );
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}
