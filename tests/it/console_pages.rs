//! The console's pages beside what is on: duty, people, routes, senders, mappings; who may see which.

use crate::browser::Browser;
use crate::console::{Visitor, hidden};
use crate::harness::{World, alertmanager};
use crate::programs::find;
use crate::witness_alertmanager::holds;

const REST: &str = "
external_url: http://console.example.com
rotas: { dba: rota.yaml }
receivers:
  ops: { targets: [ { app: ops, users: [zhangsan], face: text } ] }
  dba: { targets: [ { webhook: dba-group, face: markdown_v2 } ] }
route:
  receiver: ops
  routes:
    - { matchers: ['team=\"db\"'], receiver: dba }
    - { matchers: ['team=\"db\"', 'severity=\"critical\"'], receiver: ops }
console: { may_look: { users: [daixuan] }, may_change: { users: [wangwu] } }
";
const ROTA: &str = "start: 2026-01-05\npeople: [zhangsan, lisi]\nbackup: [daixuan]\n";
/// What no shipped mapping knows.
const BODY: &str =
    r#"{"plan":{"kind":"nightly","job":"orders"},"outcome":"BROKEN","ticket":91022,"note":"磁盘 <b>满</b>了"}"#;

async fn world() -> World {
    let mut world = World::idle(wecom_simulator::Setup::demo(), REST).await;
    world.write("rota.yaml", ROTA);
    world.stand_still();
    world.start().await;
    world
}

#[tokio::test]
async fn each_page_is_for_those_who_may_see_it_and_a_mapping_is_tried_before_it_is_written_down() {
    let world = world().await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    world.accept("/webhook", BODY).await;
    world.settled().await;
    let rows = world.deliveries().await;
    let notification = rows.last().unwrap().notification;
    let thread = rows[0].thread;
    let raw = format!("/mappings/new?from={notification}");
    // Nobody, a reader of one receiver, one who may look at everything, one who may change.
    let mut visitors = [
        Visitor::new(&world),
        Visitor::signed_in(&world, "zhangsan").await,
        Visitor::signed_in(&world, "daixuan").await,
        Visitor::signed_in(&world, "wangwu").await,
    ];
    for (path, statuses) in [
        ("/now", [401, 200, 200, 200]),
        ("/duty", [401, 200, 200, 200]),
        ("/duty/dba", [401, 200, 200, 200]),
        ("/duty/none", [401, 404, 404, 404]),
        ("/noise", [401, 200, 200, 200]),
        ("/noise?receiver=ops", [401, 200, 200, 200]),
        ("/noise?receiver=dba", [401, 404, 200, 200]),
        ("/noise/2026-W01", [401, 200, 200, 200]),
        ("/noise/2999-W01", [401, 404, 404, 404]),
        ("/noise/2026-W54", [401, 404, 404, 404]),
        ("/people/zhangsan", [401, 200, 200, 200]),
        ("/people/ZhangSan?since=7d", [401, 200, 200, 200]),
        ("/people/lisi", [401, 404, 200, 200]),
        ("/routes", [401, 404, 200, 200]),
        ("/senders", [401, 404, 200, 200]),
        ("/state", [401, 404, 200, 200]),
        ("/audit", [401, 404, 200, 200]),
        ("/templates", [401, 404, 404, 200]),
        ("/templates/new?like=zh/news", [401, 404, 404, 200]),
        ("/templates/none", [401, 404, 404, 404]),
        (raw.as_str(), [401, 404, 404, 200]),
        ("/mappings/new?from=99999", [401, 404, 404, 404]),
        ("/me", [401, 200, 200, 200]),
    ] {
        for (visitor, status) in visitors.iter_mut().zip(statuses) {
            let (seen, html) = visitor.opens(path).await;
            assert_eq!(seen, status, "{path}");
            let allowed = status == 200;
            assert!(allowed || !html.contains("磁盘"), "{path}: {html}");
        }
    }
    let [_, reader, looker, chief] = &mut visitors;
    // The end of one alert is not that of the incident: the other can be acknowledged.
    world.accept("/webhook", alertmanager("主机失联", &[("mq-1", "firing"), ("mq-2", "firing")])).await;
    world.settled().await;
    world.accept("/webhook", alertmanager("主机失联", &[("mq-1", "firing"), ("mq-2", "resolved")])).await;
    world.settled().await;
    let two = world.deliveries().await.into_iter().find(|row| row.name == "主机失联").unwrap().thread;
    let (_, html) = reader.opens(&format!("/i/{two}")).await;
    holds(&html, &["主机失联 · 1 条仍在告警", "确认认领", "mq-1"]);
    let (_, html) = reader.opens("/duty").await;
    holds(&html, &["dba", "zhangsan", "lisi", "二线", "daixuan", "▶ 现在"]);
    // From another day on; what is no day is now.
    let (_, html) = reader.opens("/duty?at=2027-03-01").await;
    holds(&html, &["value=\"2027-03-01\"", "2027-03-01 00:00", "zhangsan", "lisi"]);
    assert!(!html.contains("▶ 现在"), "{html}");
    let (_, html) = reader.opens("/duty?at=<b>").await;
    holds(&html, &["▶ 现在", "name=\"at\" value=\"\""]);
    let (_, html) = reader.opens("/people/zhangsan").await;
    holds(&html, &["zhangsan：收到 4", "磁盘将满"]);
    let (_, html) = looker.opens("/audit").await;
    holds(&html, &["wangwu", "登录", "命令行的链接"]);

    // The week: each reader has the figures of the receivers that he or she may see, and of no person.
    world
        .accept(
            "/webhook",
            alertmanager("慢查询", &[("pg-1", "firing")]).replace(r#""labels":{"#, r#""labels":{"team":"db","#),
        )
        .await;
    world.settled().await;
    let (_, html) = reader.opens("/noise").await;
    holds(&html, &["磁盘将满", "主机失联", "noise/20", "接收者", "值得改：至少 3 次有人说不该叫醒人"]);
    assert!(!html.contains("慢查询") && !html.contains("receiver=dba"), "{html}");
    assert!(html.contains("说不该叫醒人</dt><dd><b>0</b>"), "{html}");

    // "This should not have woken me": once for each person, with the last reason, until it is taken back. Nobody is told.
    let sent = world.requests("").await.len();
    let path = format!("/i/{two}");
    let says = async |visitor: &mut Visitor<'_>, word: &str, reason: &str| {
        let (_, html) = visitor.opens(&path).await;
        let fields = ["nonce", "proof", "message"].map(|name| (name, hidden(&html, name)));
        visitor.posts(&path, &[&fields[..], &[("do", word), ("reason", reason)]].concat()).await
    };
    assert_eq!(says(reader, "needless", "演练").await.0, 200);
    let (status, html) = says(reader, "needless", "<b>演练\u{7}</b>，没人要看").await;
    assert_eq!(status, 200);
    holds(
        &html,
        &["💤 zhangsan：不该叫醒我", "“&#60;b&#62;演练&#60;/b&#62;，没人要看”", "value=\"needful\"", "改理由"],
    );
    holds(&says(looker, "needless", "").await.1, &["zhangsan", "💤 daixuan：不该叫醒我"]);
    let (_, html) = looker.opens("/noise").await;
    holds(&html, &["说不该叫醒人</dt><dd><b>2</b>"]);
    assert!(!html.contains("演练") && !html.contains("zhangsan"), "a report names a person: {html}");
    assert!(!says(looker, "needful", "").await.1.contains("💤 daixuan"));
    holds(&looker.opens("/noise?lang=en").await.1, &["Called needless</dt><dd><b>1</b>"]);
    // Not without the form of this session, and not where the receiver is another's.
    let (_, theirs) = looker.opens(&path).await;
    let forged = ["nonce", "proof", "message"].map(|name| (name, hidden(&theirs, name)));
    assert_eq!(reader.posts(&path, &[&forged[..], &[("do", "needless")]].concat()).await.0, 403);
    assert_eq!(world.requests("").await.len(), sent, "somebody was told");

    let (_, html) = looker.opens("/noise?receiver=dba&lang=en").await;
    holds(&html, &["· dba</h1>", "慢查询", "<b>1</b>", "This week is not over", "All receivers"]);
    assert!(!html.contains("磁盘将满"), "{html}");

    // Which way, why, and what it would look like; nothing is sent.
    let before = world.requests("").await.len();
    let (_, html) = looker.opens("/routes?label=team%3Ddb+severity%3Dcritical").await;
    holds(
        &html,
        &["<b>dba</b>", "routes[0]{team=&#34;db&#34;}", "没有告警能到的路由", "routes[1]", "routes[0] 已经全部拿走"],
    );
    let (_, html) = looker.opens(&format!("/routes?from={thread}")).await;
    holds(&html, &["<b>ops</b>", "归根路由", "ops → app/ops/zhangsan", "磁盘将满", "什么都没有发出"]);
    let (_, html) = looker.opens("/routes?label=nonsense").await;
    holds(&html, &["有一个标签读不懂"]);
    assert_eq!(world.requests("").await.len(), before);

    // A body that was not understood: as it is read now, with the beginning of a mapping.
    let (_, html) = chief.opens("/senders").await;
    holds(&html, &[&format!("mappings/new?from={notification}")]);
    let (_, html) = chief.opens(&raw).await;
    holds(&html, &["body.plan.job", "orders", "- name: mine", "磁盘 &#60;b&#62;满"]);
    let (nonce, proof) = (hidden(&html, "nonce").to_owned(), hidden(&html, "proof").to_owned());
    let from = notification.to_string();
    let fields = |mapping: &'static str| {
        [("nonce", nonce.as_str()), ("proof", proof.as_str()), ("from", from.as_str()), ("mapping", mapping)]
            .map(|(name, value)| (name, value.to_owned()))
    };
    let mut tries = async |mapping| {
        let fields = fields(mapping);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        chief.posts("/mappings/new", &fields).await
    };
    let good = "- name: backups\n  has: [outcome, plan]\n  alert:\n    name: \"{{ body.plan.kind }} {{ body.plan.job }}\"\n    key: \"{{ body.ticket }}\"\n    status: firing\n    severity: \"critical\"\n";
    let (status, html) = tries(good).await;
    assert_eq!(status, 200, "{html}");
    holds(
        &html,
        &["读懂了", "nightly orders", "91022", "最近 5 个正文：读懂 1", "没有同键多题", "ops → app/ops/zhangsan"],
    );
    let (status, html) = tries("- name: backups\n  has: [nothing]\n  alert: { name: x }\n").await;
    assert_eq!(status, 200);
    holds(&html, &["这个映射没有接手这个正文"]);
    for wrong in ["- name: backups\n  alert: { name: \"{{ \" }\n", "nonsense", "- [", "- name: x\n  unknown: 1\n"] {
        let (status, html) = tries(wrong).await;
        assert_eq!(status, 422, "{wrong}: {html}");
        holds(&html, &["映射有错"]);
    }
    let forged = [("nonce", nonce.as_str()), ("proof", ""), ("from", from.as_str()), ("mapping", good)];
    assert_eq!(chief.posts("/mappings/new", &forged).await.0, 403);
    let theirs: Vec<(&str, &str)> = vec![("nonce", &nonce), ("proof", &proof), ("from", &from), ("mapping", good)];
    assert_eq!(looker.posts("/mappings/new", &theirs).await.0, 403, "a form of another session");
    assert_eq!(world.requests("").await.len(), before, "nothing was sent or fetched");
}

/// What would be markup, a script or an end of an attribute if it were not escaped.
const HOSTILE: [&str; 9] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "\" style=\"position:fixed",
    "</title><script>alert(1)</script>",
    "</textarea></details><form action=//evil.example>",
    "]]><svg/onload=alert(1)>",
    "{{7*7}}{% if 1 %}",
    "<!-- --><base href=//evil.example>",
];

/// Alerts with these texts as name, label, annotation and address.
fn hostile() -> String {
    let alert = |(number, text): (usize, &&str)| {
        serde_json::json!({
            "status": "firing",
            "labels": { "alertname": format!("{text} {number}"), "instance": text, "severity": text, "team": text, "x": text },
            "annotations": { "summary": text, "description": text, "runbook_url": format!("https://wiki.example.com/{text}") },
            "startsAt": "2026-11-22T06:02:00Z", "generatorURL": format!("https://a.example/{text}"),
        })
    };
    let alerts: Vec<_> = HOSTILE.iter().enumerate().map(alert).collect();
    serde_json::json!({
        "version": "4", "status": "firing", "receiver": "r", "groupKey": "g", "externalURL": "http://am.example.com", "alerts": alerts,
    })
    .to_string()
}

/// The hostile texts that stand in a page as they are, and whatever else a page of ours has not.
fn wrong(html: &str) -> Vec<&str> {
    // The one drawing, in the page of a week.
    let drawn = html.matches("<svg class=\"bars\"").count();
    let raw = HOSTILE.into_iter().filter(|text| text.contains(['<', '"']) && html.contains(text));
    let own = (html.matches("<script").count() != 1).then_some("a script");
    let inline = ["<style", "<base", " style=\"", "<svg", "<iframe"].into_iter().filter(|tag| html.contains(tag));
    let inline = inline.filter(|tag| *tag != "<svg" || html.matches("<svg").count() > drawn);
    raw.chain(own).chain(inline).collect()
}

#[tokio::test]
async fn whatever_an_alert_says_is_text_on_each_page_under_one_policy() {
    for control in ["", "<script></script><p>\"><img src=x onerror=alert(1)>", "<script></script><base href=x>"] {
        assert!(!wrong(control).is_empty(), "{control}");
    }
    let world = world().await;
    world.accept("/webhook", hostile()).await;
    world
        .accept(
            "/webhook",
            serde_json::json!({ "note": HOSTILE.join(" "), "plan": { HOSTILE[0]: HOSTILE[1] } }).to_string(),
        )
        .await;
    world.settled().await;
    let rows = world.deliveries().await;
    let (thread, message) = (rows[0].thread, rows[0].message);
    let notification = rows.last().unwrap().notification;
    let mut chief = Visitor::signed_in(&world, "wangwu").await;
    let escaped =
        |text: &str| form_urlencoded::Serializer::new(String::new()).append_pair("q", text).finish()[2..].to_owned();
    let mut paths: Vec<String> = [
        "now",
        "m",
        "silences",
        "state",
        "me",
        "duty",
        "noise",
        "people/zhangsan",
        "audit",
        "senders",
        "login",
        "nowhere",
    ]
    .map(|path| format!("/{path}"))
    .into();
    paths.extend([format!("/i/{thread}"), format!("/m/{message}"), format!("/routes?from={thread}")]);
    paths.extend([format!("/mappings/new?from={notification}"), "/i/ZZZZ".into(), "/m/99".into()]);
    for text in HOSTILE {
        let text = escaped(text);
        paths.push(format!(
            "/m?state={text}&receiver={text}&person={text}&label={text}&errcode={text}&id={text}&lang={text}"
        ));
        paths.push(format!("/routes?label={text}&from={text}"));
        paths.push(format!("/people/zhangsan?short={text}"));
        paths.push(format!("/duty/dba?away={text}&by={text}&from={text}&to=2026-12-03T09:00"));
        paths.push(format!("/people/{}", text.replace('+', "%20").replace("%2F", "")));
        paths.push(format!("/now?only={text}&q={text}"));
        paths.push(format!("/m?q={text}"));
    }
    let mut same = Vec::new();
    for path in &paths {
        let (status, html) = chief.opens(path).await;
        if path != "/nowhere" && !path.starts_with("/login") {
            assert_eq!(wrong(&html), [""; 0], "{path} {status}: {html}");
        }
        if path == "/i/ZZZZ" || path == "/m/99" {
            same.push((status, html));
        }
    }
    assert_eq!(same[0].1.replace("/i/ZZZZ", ""), same[1].1.replace("/m/99", ""), "one answer to what is not there");
    for path in paths.iter().take(14).filter(|path| *path != "/nowhere") {
        let answer = chief.asks(path).send().await.unwrap();
        if answer.status() == 303 {
            continue;
        }
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        holds(
            &policy,
            &[
                "default-src 'none'",
                "frame-ancestors 'none'",
                "base-uri 'none'",
                "form-action 'self'",
                "require-trusted-types-for 'script'",
            ],
        );
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{path}: {policy}");
        assert_eq!(
            (header("referrer-policy"), header("x-content-type-options")),
            ("no-referrer".into(), "nosniff".into())
        );
        assert_eq!(header("cache-control"), "no-store", "{path}");
    }
}

#[tokio::test]
async fn these_pages_are_sound_in_a_browser() {
    if find("target/witnesses/node/node_modules/axe-core/axe.min.js").is_none() {
        return;
    }
    let world = world().await;
    world.accept("/webhook", crate::pages::body()).await;
    world.accept("/webhook", hostile()).await;
    world.accept("/webhook", BODY).await;
    world.settled().await;
    let rows = world.deliveries().await;
    let notification = rows.last().unwrap().notification;
    let thread = rows[0].thread;
    let ticket = world.app().acts().ticket("wangwu", "command").await.unwrap();
    let Some(mut browser) = Browser::open(390, 844, &[]).await else { return };
    browser.visit(&format!("{}/login/link/{ticket}", world.url)).await;
    browser.evaluate("document.querySelector('form button').click()").await;
    browser.until("location.pathname === '/now' && document.readyState === 'complete'").await;
    for (name, path) in [
        ("silences", "silences?x=1".to_owned()),
        ("state", "state?x=1".to_owned()),
        ("duty", "duty?x=1".to_owned()),
        ("rota", "duty/dba?away=lisi&by=zhaoliu&from=2026-12-01T18:00&to=2026-12-03T09:00".to_owned()),
        ("person", format!("people/zhangsan?since=7d&short={thread}")),
        ("message", format!("m/{}?x=1", rows[0].message)),
        ("noise", "noise?x=1".to_owned()),
        ("audit", "audit?x=1".to_owned()),
        ("routes", format!("routes?from={thread}")),
        ("senders", "senders?x=1".to_owned()),
        ("mapping", format!("mappings/new?from={notification}")),
        ("templates", "templates?x=1".to_owned()),
        ("template", "templates/new?like=zh/markdown_v2".to_owned()),
        ("me", "me?x=1".to_owned()),
    ] {
        crate::pages::is_sound_in_two(&mut browser, name, &format!("{}/{path}", world.url)).await;
    }
}

/// Bytes of an answer as a browser gets them, and the addresses of the files that it loads.
async fn loads(visitor: &Visitor<'_>, path: &str) -> (usize, Vec<String>) {
    let answer = visitor.asks(path).header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    let packed = answer.headers().get("content-encoding").is_some_and(|value| value == "gzip");
    let bytes = answer.bytes().await.unwrap();
    let text = if packed { String::new() } else { String::from_utf8_lossy(&bytes).into_owned() };
    let files = text.split('"').filter(|part| part.contains("assets/")).map(|part| {
        let at = part.find("assets/").unwrap();
        format!("/{}", &part[at..])
    });
    let mut files: Vec<String> = files.collect();
    files.sort();
    files.dedup();
    (bytes.len(), files)
}

#[tokio::test]
async fn the_first_view_of_a_page_takes_less_than_a_hundred_kilobytes_with_all_its_files() {
    const MOST: usize = 100 * 1024;
    let world = world().await;
    // More than a page shows: fifty incidents, each of several alerts.
    for number in 0..60 {
        let rule = format!("磁盘将满-{number}");
        let body =
            alertmanager(&rule, &[("db-1.prod.sh.example.com", "firing"), ("db-2.prod.sh.example.com", "firing")]);
        world.accept("/webhook", body).await;
    }
    let chief = Visitor::signed_in(&world, "wangwu").await;
    let thread = world.deliveries().await[0].thread;
    let incident = format!("/i/{thread}");
    for path in [
        "/now",
        &incident,
        "/m",
        "/silences",
        "/duty",
        "/noise",
        "/state",
        "/routes",
        "/senders",
        "/templates/new?like=zh/news",
    ] {
        let (mut all, files) = loads(&chief, path).await;
        assert_eq!(files.len(), 3, "one style, one script, one icon and nothing else: {files:?}");
        for file in &files {
            all += loads(&chief, file).await.0;
        }
        assert!(all < MOST, "{path} takes {all} bytes");
        let html = chief.asks(path).send().await.unwrap().text().await.unwrap();
        assert!(!html.contains("@font-face") && !html.contains("<link rel=\"preload\""), "{path} loads more");
    }
}
