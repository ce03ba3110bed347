//! A shift in the console, in a browser: what a colleague does on the phone page is seen at once; an alert is found, taken,
//! silenced, given back and sent again; a body is read by a new mapping, and a message is written by a new template.

use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;
use wecom_simulator::Setup;

use crate::api::Program;
use crate::browser::Browser;
use crate::harness::{World, crypto};
use crate::page;
use crate::programs::{Server, alert};
use crate::silences::NO_NOTIFIER;
use crate::witness_alertmanager::texts;

const BODY: &str = r#"{"plan":{"job":"orders"},"outcome":"BROKEN","ticket":91022}"#;
const MAPPING: &str = "- name: backups\n  has: [outcome, plan]\n  alert:\n    name: \"备份 {{ body.plan.job }}\"\n    key: \"{{ body.ticket }}\"\n    status: firing\n";
const TEMPLATE: &str = "{{ title }} 老样子\n{% for alert in alerts %}{{ alert.name }}\n{% endfor %}";

/// Presses a button of the page, with the `details` around it open, and waits for the page that follows.
async fn presses(browser: &mut Browser, button: &str, text: &str) {
    browser.evaluate("window.old = 1").await;
    let press = format!(
        "(() => {{ const b = document.querySelector('{button}'); const d = b.closest('details'); if (d) d.open = true; b.click(); }})()"
    );
    browser.evaluate(&press).await;
    shows(browser, text).await;
}

/// Waits for a new page that shows `text`.
async fn shows(browser: &mut Browser, text: &str) {
    let there = format!(
        "window.old !== 1 && document.readyState === 'complete' && document.body.textContent.includes('{text}')"
    );
    browser.until(&there).await;
}

/// Fills in a field.
async fn types(browser: &mut Browser, field: &str, text: &str) {
    browser.evaluate(&format!("document.querySelector('{field}').value = {}", json!(text))).await;
}

#[tokio::test]
async fn a_shift_in_the_console_goes_from_the_first_alert_to_a_new_template() {
    crypto();
    let folder = TempDir::new().unwrap();
    let Some(upstream) = Server::alertmanager(folder.path(), NO_NOTIFIER).await else { return };
    let Some(mut browser) = Browser::open(390, 844, &[]).await else { return };
    let mut world = World::idle(Setup::demo(), "").await;
    for name in ["templates", "payloads.d"] {
        std::fs::create_dir(world.folder.path().join(name)).unwrap();
    }
    world.write("templates/duty.j2", TEMPLATE);
    world.write_config(&format!(
        "
external_url: https://alerts.example.com
upstreams: {{ am: {{ kind: alertmanager, url: '{}' }} }}
receivers:
  ops: {{ targets: [ {{ app: ops, users: [zhangsan], face: text }} ] }}
  jobs: {{ template: duty, targets: [ {{ app: ops, users: [zhangsan], face: text }} ] }}
route: {{ receiver: ops, routes: [ {{ matchers: ['alertname=~\"备份.*\"'], receiver: jobs }} ] }}
templates: [ 'templates/*.j2' ]
payload_files: [ 'payloads.d/*.yaml' ]
console: {{ may_change: {{ users: [zhangsan] }}, write: [ templates, payloads.d ] }}
",
        upstream.url
    ));
    world.start().await;
    let labels = json!({ "alertname": "磁盘将满", "instance": "db-1", "severity": "critical" });
    upstream.fire(&[alert(&labels, "db-1 剩 9%", false)]).await;
    let mut told = json!({
        "version": "4", "status": "firing", "receiver": "wegraf", "groupKey": "g", "externalURL": upstream.url,
        "alerts": [ alert(&labels, "db-1 剩 9%", false) ],
    });
    told["alerts"][0]["status"] = "firing".into();
    world.accept("/webhook", told.to_string()).await;
    world.settled().await;
    let letter = texts(&world.arrived("user=zhangsan", 1).await).remove(0);

    // Signed in by a link; how long a page takes here says how busy the machine is.
    let ticket = world.app().acts().ticket("zhangsan", "command").await.unwrap();
    browser.visit(&format!("{}/login/link/{ticket}?lang=zh", world.url)).await;
    browser.evaluate("document.querySelector('form button').click()").await;
    browser.until("location.pathname === '/now' && document.readyState === 'complete'").await;
    browser.until("document.getElementById('live').dataset.state === 'on'").await;
    let begun = Instant::now();
    browser.evaluate("fetch(location.href).then((answer) => answer.text()).then((text) => text.length)").await;
    let page_takes = begun.elapsed();

    // A colleague takes it on the page of the message: it is seen here within two seconds, without another page.
    browser.evaluate("window.loaded = 1").await;
    let mut phone = page::Visitor::by(&world, &letter);
    let seen = phone.opens().await;
    phone.presses(&seen, "acknowledge", "李四", "").await;
    let done = Instant::now();
    browser.until("document.querySelector('.incidents').textContent.includes('李四')").await;
    let took = done.elapsed();
    assert!(took < Duration::from_secs(2) + 20 * page_takes, "{took:?}, where a page takes {page_takes:?}");
    assert_eq!(browser.evaluate("window.loaded").await, 1, "the page was loaded again");

    // Found by a word; given back, taken, silenced with the number of what it hides, and the silence ended.
    types(&mut browser, "[name=q]", "db-1").await;
    browser.evaluate("window.old = 1; document.querySelector('[name=q]').form.requestSubmit()").await;
    shows(&mut browser, "磁盘将满").await;
    browser.evaluate("document.querySelector('.incidents a')?.click()").await;
    browser.until("location.pathname.startsWith('/i/') && document.readyState === 'complete'").await;
    presses(&mut browser, "#act button[value=release]", "放弃").await;
    presses(&mut browser, "#act button[value=acknowledge]", "zhangsan 已认领").await;
    let hides = "document.querySelector('#act button[value=silence]').closest('details').textContent.includes('1 条')";
    assert_eq!(browser.evaluate(hides).await, true);
    presses(&mut browser, "#act button[value=silence]", "静默").await;
    browser.until("document.querySelector('#act button[value=expire]') !== null").await;
    browser.visit(&format!("{}/silences", world.url)).await;
    browser.until("document.body.textContent.includes('磁盘将满')").await;
    // Its end is moved where all silences stand.
    let before = browser.evaluate("document.querySelector('.incidents h2').textContent").await;
    browser.evaluate("document.querySelector('.incidents details').open = true").await;
    browser.evaluate("document.querySelector('[name=span]').value = '4h'").await;
    presses(&mut browser, "button[value=extend]", "静默的结束时间改好了").await;
    browser.until(&format!("document.querySelector('.incidents h2').textContent !== {before}")).await;
    let thread = world.deliveries().await[0].thread;
    browser.visit(&format!("{}/i/{thread}", world.url)).await;
    browser.until("document.getElementById('live').dataset.state === 'on'").await;
    // A program moves its end and then ends it: the page shows that, too.
    let program = Program::new(&world, "ci", "read act", &[]).await;
    let silence = program.found("/silences").await["items"][0].clone();
    let path = format!("/silences/{}", silence["act"].as_str().unwrap());
    assert_eq!(program.change("PATCH", "/silences/99", json!({ "for": "5h" })).await.0, 404);
    assert_eq!(program.change("PATCH", &path, json!({})).await.0, 400);
    let (status, moved) = program.change("PATCH", &path, json!({ "for": "5h" })).await;
    assert_eq!((status, moved["state"].as_str()), (201, Some("done")), "{moved}");
    let silences = program.found("/silences").await;
    let later =
        silences["items"].as_array().unwrap().iter().any(|one| one["until"].as_str() > silence["until"].as_str());
    assert!(later && moved["until"].as_str() > silence["until"].as_str(), "{silence} {moved} {silences}");
    let last = program.found("/silences").await["items"][0]["act"].as_str().unwrap().to_owned();
    let (status, ended) = program.change("DELETE", &format!("/silences/{last}"), json!({})).await;
    assert_eq!((status, ended["state"].as_str()), (201, Some("done")), "{ended}");
    browser.until("document.querySelector('#act button[value=expire]') === null").await;
    // It should not have woken me, and then it should.
    types(&mut browser, "[name=reason]", "演练").await;
    presses(&mut browser, "button[value=needless]", "💤 zhangsan：不该叫醒我").await;
    presses(&mut browser, "button[value=needful]", "收回了").await;

    // Sent again from the page of the message; what it would look like elsewhere is shown and not sent.
    let message = world.deliveries().await.into_iter().find(|row| row.act.is_none()).unwrap().message;
    browser.visit(&format!("{}/m/{message}", world.url)).await;
    presses(&mut browser, "button[value=resend]", "重发").await;
    world.settled().await;
    assert!(world.deliveries().await.iter().any(|row| row.origin == Some(message)), "no copy was sent");
    browser.visit(&format!("{}/routes?from={thread}", world.url)).await;
    browser.until("document.querySelector('.phone').textContent.includes('磁盘将满')").await;

    // A body that no mapping reads: tried, saved, and the next one is read by it.
    world.accept("/webhook", BODY).await;
    world.settled().await;
    let notification = world.deliveries().await.iter().map(|row| row.notification).max().unwrap();
    browser.visit(&format!("{}/mappings/new?from={notification}", world.url)).await;
    // A name of the body is written in where the cursor is; what is typed is tried by itself.
    types(&mut browser, "[name=mapping]", "").await;
    browser
        .evaluate("[...document.querySelectorAll('button.leaf')].find((b) => b.textContent === 'body.ticket').click()")
        .await;
    assert_eq!(browser.evaluate("document.querySelector('[name=mapping]').value").await, "{{ body.ticket }}");
    types(&mut browser, "[name=mapping]", MAPPING).await;
    browser
        .evaluate("document.querySelector('[name=mapping]').dispatchEvent(new Event('input', { bubbles: true }))")
        .await;
    browser.until("document.querySelector('[data-result]').textContent.includes('读懂了')").await;
    presses(&mut browser, "button[value=try]", "读懂了").await;
    browser
        .evaluate("(() => { const s = document.querySelector('[name=folder]'); s.value = [...s.options].find((o) => o.text.endsWith('payloads.d')).text; })()")
        .await;
    presses(&mut browser, "button[value=save]", "已经生效").await;
    world.accept("/webhook", BODY.replace("91022", "91023")).await;
    world.settled().await;
    assert!(world.deliveries().await.iter().any(|row| row.name == "备份 orders"), "the mapping is not in force");

    // A template: a mistake has its place; then it is saved, and the next message is written by it.
    browser.visit(&format!("{}/templates", world.url)).await;
    browser.evaluate("document.querySelector('a[href$=\"templates/duty\"]').click()").await;
    browser.until("location.pathname === '/templates/duty' && document.readyState === 'complete'").await;
    assert_eq!(browser.evaluate("document.querySelector('.lines').textContent.startsWith('1\\n2')").await, true);
    types(&mut browser, "[name=text]", "{{ title }}\n{{ titel }}").await;
    presses(&mut browser, "button[value=try]", "第 2 行第 4 列").await;
    types(&mut browser, "[name=text]", &TEMPLATE.replace('老', "新")).await;
    presses(&mut browser, "button[value=try]", "新样子").await;
    presses(&mut browser, "button[value=save]", "已经生效").await;
    world.accept("/webhook", BODY.replace("91022", "91024")).await;
    world.settled().await;
    let inbox = serde_json::to_string(&world.inbox("user=zhangsan").await).unwrap();
    assert!(inbox.contains("新样子"), "the template is not in force");
    // A wrong template is an answer of its own (422), which the browser notes.
    browser.complaints.retain(|said| !said.contains("422"));
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}
