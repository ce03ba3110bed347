//! Pages in a browser: on a phone and on a desk, in both languages, light and dark.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::harness::World;
use crate::page::{Visitor, first_text};
use crate::programs::{ago, find};
use crate::witness_alertmanager::texts;

const GROUP: &str = r"
external_url: https://alerts.example.com
receivers:
  ops: { targets: [ { webhook: ops-group, face: text } ] }
route: { receiver: ops }
";

/// Three rules with what real ones have: values, places, long names, steps, a log.
pub fn body() -> String {
    let alert = |name: &str, severity: &str, labels: &Value, annotations: &Value| {
        let mut all = json!({ "alertname": name, "severity": severity, "env": "生产", "business": "订单库" });
        all.as_object_mut().unwrap().extend(labels.as_object().unwrap().clone());
        json!({
            "status": "firing", "labels": all, "annotations": annotations, "startsAt": ago(720), "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example.com/graph?g0.expr=node_filesystem_avail_bytes%20%2F%20node_filesystem_size_bytes%20%3C%200.1&g0.tab=1",
        })
    };
    let disk = |host: &str, free: &str| {
        let labels = json!({ "instance": format!("{host}:9100"), "mountpoint": "/data" });
        alert(
            "磁盘将满",
            "critical",
            &labels,
            &json!({
                "summary": format!("{host} 的 /data 只剩 {free} %"),
                "description": "按现在的速度 40 分钟后写满。\n先清理归档日志，再扩容。",
                "runbook_url": "https://wiki.example.com/runbook/disk",
                "dashboard": "https://grafana.example.com/d/disk",
            }),
        )
    };
    let slow = alert(
        "PaymentLatencyTooHighForTheThirdTimeToday",
        "warning",
        &json!({ "service": "payment-gateway-production.cn-north-1.svc.cluster.local", "long": "x".repeat(160) }),
        &json!({ "summary": "P99 2.4 s", "description": "1. 看慢查询\n2. 回滚上一个版本\n3. 联系支付团队" }),
    );
    let crash = alert(
        "PodCrashLooping",
        "info",
        &json!({ "namespace": "shop", "pod": "checkout-7d9f8b6c5-x2x9z", "container": "app" }),
        &json!({ "summary": "restarted 7 times", "description": "java.lang.OutOfMemoryError: Java heap space\n\tat com.example.Cart.add(Cart.java:41)\n\tat com.example.Cart.sum(Cart.java:77)\n\tat com.example.Main.main(Main.java:9)" }),
    );
    json!({
        "version": "4", "status": "firing", "receiver": "r", "groupKey": "g", "externalURL": "http://am.example.com",
        "alerts": [disk("10.31.4.11", "9.3"), disk("10.31.4.12", "8.1"), disk("10.31.4.13", "7.7"), slow, crash],
    })
    .to_string()
}

fn pictures() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages")
}

/// The page at `url` in all forms: no sideways scroll, nothing that axe-core finds, nothing in the console.
pub async fn is_sound(browser: &mut Browser, name: &str, url: &str) {
    let forms = [("zh", 390, false), ("en", 390, true), ("zh", 1440, true), ("en", 1440, false)];
    is_sound_in(browser, name, url, &forms).await;
}

/// The same in two forms: the narrowest that is promised, and a desk.
pub async fn is_sound_in_two(browser: &mut Browser, name: &str, url: &str) {
    is_sound_in(browser, name, url, &[("en", 320, true), ("zh", 1440, false)]).await;
}

async fn is_sound_in(browser: &mut Browser, name: &str, url: &str, forms: &[(&str, u32, bool)]) {
    for &(language, width, dark) in forms {
        browser.resize(width, if width < 600 { 844 } else { 900 }).await;
        browser.scheme(dark).await;
        browser.visit(&format!("{url}&lang={language}")).await;
        let seen = format!("{name}-{language}-{width}{}", if dark { "-dark" } else { "" });
        browser.screenshot(&pictures().join(format!("{seen}.png"))).await;
        let wide = "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 120))";
        assert_eq!(browser.evaluate(wide).await, json!([]), "{seen}");
        let small = "[...document.querySelectorAll('a, button, input:not([type=hidden]), select, summary')].filter(e => e.checkVisibility() && e.getBoundingClientRect().height < 43).map(e => e.outerHTML.slice(0, 120))";
        assert_eq!(browser.evaluate(small).await, json!([]), "{seen}");
        // What is folded is read, too.
        browser
            .evaluate(
                "document.querySelectorAll('details:not(.more)').forEach(e => { e.removeAttribute('name'); e.open = true; })",
            )
            .await;
        assert_eq!(browser.evaluate("document.documentElement.scrollWidth <= innerWidth").await, true, "{seen}");
        if width < 600 {
            assert_eq!(browser.axe().await, Vec::<String>::new(), "{seen}");
        }
    }
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}

#[tokio::test]
async fn the_page_behind_a_message_is_sound_on_a_phone_and_on_a_desk() {
    if find("target/witnesses/node/node_modules/axe-core/axe.min.js").is_none() {
        return;
    }
    let world = World::new(GROUP).await;
    world.accept("/webhook", body()).await;
    let visitor = Visitor::by(&world, &first_text(&world).await);
    let Some(mut browser) = Browser::open(390, 844, &[]).await else { return };
    is_sound(&mut browser, "letter", &visitor.url).await;
    // A browser asks for its language, a file is kept for good, and a policy is on every page.
    let answer = world.http.get(&visitor.url).header("accept-language", "en").send().await.unwrap();
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert!(header("content-security-policy").contains("trusted-types wegraf"));
    assert_eq!(
        (header("cross-origin-opener-policy"), header("cache-control")),
        ("same-origin".into(), "no-store".into())
    );
    let html = answer.text().await.unwrap();
    assert!(html.contains("<html lang=\"en\">") && html.contains("still firing"), "{html}");
    let style = html.split("href=\"../assets/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let style = html
        .split("../assets/")
        .find(|rest| rest.contains(".css\""))
        .map_or(style, |rest| rest.split('"').next().unwrap().to_owned());
    let file =
        world.http.get(format!("{}/assets/{style}", world.url)).header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(file.headers()["content-encoding"], "gzip");
    assert!(file.headers()["cache-control"].to_str().unwrap().contains("immutable"));
    let gone = world.http.get(format!("{}/assets/00000000/wegraf.css", world.url)).send().await.unwrap();
    assert_eq!(gone.status(), 404);
}

#[tokio::test]
async fn the_page_of_a_digest_is_sound_and_leads_on_by_a_key() {
    if find("target/witnesses/node/node_modules/axe-core/axe.min.js").is_none() {
        return;
    }
    let world = World::at_a_standstill(GROUP).await;
    let alert = |number: usize| {
        let labels = json!({
            "alertname": format!("规则 {}", number % 9), "severity": if number.is_multiple_of(40) { "critical" } else { "warning" },
            "instance": format!("web-{number:04}"), "env": "生产",
        });
        json!({ "status": "firing", "labels": labels, "annotations": {}, "startsAt": ago(900) })
    };
    for group in 0..60 {
        let alerts: Vec<Value> = (0..40).map(|number| alert(group * 40 + number)).collect();
        let body = json!({ "version": "4", "status": "firing", "receiver": "r", "groupKey": format!("g{group}"), "externalURL": "", "alerts": alerts });
        world.accept("/webhook", body.to_string()).await;
    }
    let link = {
        let mut found = None;
        for _ in 0..40 {
            world.pass(Duration::from_secs(20));
            let all = texts(&world.inbox("webhook=sim-ops-group").await);
            found = all.into_iter().find(|text| text.contains("告警风暴") || text.contains("查看每一条"));
            if found.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        found.expect("a lane that is behind sends a digest")
    };
    let visitor = Visitor::by(&world, &link);
    let Some(mut browser) = Browser::open(390, 844, &[]).await else { return };
    is_sound(&mut browser, "digest", &visitor.url).await;
    // Following the pages finds each alert once.
    browser.visit(&visitor.url).await;
    let total =
        "Number(document.querySelector('main > .meta').textContent.match(/([\\d,]+) 条告警/)[1].replace(',', ''))";
    let total = browser.evaluate(total).await.as_u64();
    let mut seen = std::collections::BTreeSet::new();
    loop {
        let shown = browser.evaluate("[...document.querySelectorAll('.alerts dd')].map(e => e.textContent).filter(t => t.startsWith('web-'))").await;
        let before = seen.len();
        let shown: Vec<String> = serde_json::from_value(shown).unwrap();
        seen.extend(shown.iter().cloned());
        assert_eq!(seen.len(), before + shown.len(), "no alert stands on two pages");
        let next = browser.evaluate("document.querySelector('a[rel=next]')?.href ?? ''").await;
        let next = next.as_str().unwrap().to_owned();
        if next.is_empty() {
            break;
        }
        browser.visit(&next).await;
    }
    assert_eq!(Some(seen.len() as u64), total);
    assert!(seen.len() > 200, "{} alerts are one page", seen.len());
}
