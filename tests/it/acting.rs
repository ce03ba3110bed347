//! End to end, with a real Alertmanager: an alert fires, is acknowledged and silenced upstream, and all receivers are
//! told when it is resolved, although the silence suppresses the report.

use serde_json::{Value, json};
use wecom_simulator::Setup;

use crate::bots;
use crate::browser::Browser;
use crate::cards::{self, acts, card_of, check, press, with_callback};
use crate::harness::{World, alertmanager};
use crate::programs::{Server, alert, until};
use crate::witness_alertmanager::{holds, texts};

/// Alertmanager notifies the gateway at once and then every second.
fn telling(url: &str) -> String {
    format!(
        "route:\n  receiver: wegraf\n  group_by: [alertname]\n  group_wait: 100ms\n  group_interval: 1s\n  repeat_interval: 1h\nreceivers: [ {{ name: wegraf, webhook_configs: [ {{ url: '{url}' }} ] }} ]\n"
    )
}

fn host(over: bool) -> Value {
    let labels = json!({ "alertname": "主机失联", "instance": "web-1", "severity": "critical", "replica": "a" });
    alert(&labels, "1 分钟没有心跳", over)
}

#[tokio::test]
async fn it_fires_is_taken_silenced_upstream_and_over_and_all_who_saw_it_are_told() {
    let mut world = World::idle(Setup::demo(), "").await;
    let address = xtask::gateway::free().unwrap();
    let config = telling(&format!("http://{address}/webhook"));
    let Some(upstream) = Server::alertmanager(world.folder.path(), &config).await else { return };
    let rest = format!(
        "upstreams: {{ am: {{ kind: alertmanager, url: '{}', gone_after: 3s }} }}\nreceivers:\n  ops:\n    targets:\n      - {{ app: ops, users: [zhangsan, lisi], face: card }}\n      - {{ webhook: ops-group, face: text }}\n    escalate: [ {{ after: 5m, receiver: boss }} ]\n  boss: {{ targets: [ {{ webhook: dba-group, face: text }} ] }}\nroute: {{ receiver: ops }}\n",
        upstream.url
    );
    with_callback(&world, &rest);
    world.start_at(address).await;
    check(&world).await;

    upstream.fire(&[host(false)]).await;
    let card = world.arrived("user=zhangsan", 1).await.remove(0);
    assert_eq!(card["content"]["card_type"], "button_interaction");
    let quote = &card["content"]["quote_area"];
    assert_eq!(quote["title"], "静默会隐藏 1 条告警");
    let shown = quote["quote_text"].as_str().unwrap();
    press(&world, &card, "zhangsan", "acknowledge", None).await;
    card_of(&world, "user=lisi", |text| text.contains("认领人") && text.contains("张三")).await;
    holds(&texts(&world.arrived("webhook=sim-ops-group", 2).await)[1], &["张三 已认领", "主机失联"]);
    let due = world.app().store().due_escalations(world.app().now().plus_millis(3_600_000), 10).await.unwrap();
    assert!(due.is_empty(), "the escalation stops: {due:?}");

    press(&world, &card, "lisi", "silence", Some("1h")).await;
    card_of(&world, "user=zhangsan", |text| text.contains("（李四）")).await;
    holds(&texts(&world.arrived("webhook=sim-ops-group", 3).await)[2], &["李四 静默", "主机失联"]);
    let silences: Value = serde_json::from_str(&upstream.get("/api/v2/silences").await.unwrap()).unwrap();
    let [silence] = &silences.as_array().unwrap()[..] else { panic!("{silences:#}") };
    assert_eq!((&silence["createdBy"], &silence["status"]["state"]), (&json!("李四 (lisi)"), &json!("active")));
    holds(&silence["matchers"].to_string(), &["主机失联", "web-1", "critical"]);
    for matcher in silence["matchers"].as_array().unwrap() {
        let condition = format!("{}={}", matcher["name"].as_str().unwrap(), matcher["value"]);
        assert!(shown.contains(&condition), "{condition} was shown before the press: {shown}");
    }
    assert!(!silence["matchers"].to_string().contains("replica"), "that one differs per replica");

    upstream.fire(&[host(true)]).await;
    let told = texts(&world.arrived("webhook=sim-ops-group", 4).await);
    holds(&told[3], &["已恢复", "主机失联"]);
    card_of(&world, "user=lisi", |text| text.contains("已恢复")).await;
    assert_eq!(world.inbox("user=zhangsan").await.len(), 1, "on the card itself");
    world.settled().await;
    let kinds: Vec<String> = acts(&world)
        .await
        .iter()
        .map(|act| format!("{} {} {}", act.by, act.kind.as_str(), act.state.as_str()))
        .collect();
    assert_eq!(kinds, ["zhangsan acknowledge done", "lisi silence done"]);
    until("nothing more comes", async || (world.inbox("webhook=sim-dba-group").await.is_empty()).then_some(())).await;
}

#[tokio::test]
async fn the_same_goes_through_a_bot_without_a_public_address() {
    let world = bots::idle("").await;
    let address = xtask::gateway::free().unwrap();
    let Some(upstream) =
        Server::alertmanager(world.folder.path(), &telling(&format!("http://{address}/webhook"))).await
    else {
        return;
    };
    let rest = format!(
        "upstreams: {{ am: {{ kind: alertmanager, url: '{}', gone_after: 3s }} }}\nreceivers:\n  ops:\n    targets:\n      - {{ bot: duty, chat: zhangsan, face: card }}\n      - {{ bot: duty, chat: lisi, face: card }}\n      - {{ webhook: ops-group, face: text }}\n    escalate: [ {{ after: 5m, receiver: boss }} ]\n  boss: {{ targets: [ {{ webhook: dba-group, face: text }} ] }}\nroute: {{ receiver: ops }}\n",
        upstream.url
    );
    let mut world = world;
    world.write("wegraf.yaml", &bots::with_bot(&world, "127.0.0.1:0", "sim-bot-secret", &rest));
    world.start_at(address).await;
    bots::connected(&world).await;
    for person in ["zhangsan", "lisi"] {
        bots::activate(&world, person, true).await;
    }
    let mine = "bot=sim-bot/zhangsan";
    let theirs = "bot=sim-bot/lisi";

    upstream.fire(&[host(false)]).await;
    let card = bots::told(&world, mine, 1).await.remove(0);
    bots::told(&world, theirs, 1).await;
    bots::press(&world, &card, "zhangsan", "acknowledge", None).await;
    card_of(&world, mine, |text| text.contains("认领人") && text.contains("张三")).await;
    holds(&bots::told(&world, theirs, 2).await[1].to_string(), &["张三 已认领", "主机失联"]);
    holds(&texts(&world.arrived("webhook=sim-ops-group", 2).await)[1], &["张三 已认领"]);
    let due = world.app().store().due_escalations(world.app().now().plus_millis(3_600_000), 10).await.unwrap();
    assert!(due.is_empty(), "the escalation stops: {due:?}");

    let pressed = bots::press(&world, &card, "zhangsan", "silence", Some("1h")).await;
    assert_eq!(pressed["answers"][0]["in_time"], true, "{pressed:#}");
    holds(&texts(&world.arrived("webhook=sim-ops-group", 3).await)[2], &["张三 静默"]);
    let silences: Value = serde_json::from_str(&upstream.get("/api/v2/silences").await.unwrap()).unwrap();
    let [silence] = &silences.as_array().unwrap()[..] else { panic!("{silences:#}") };
    assert_eq!((&silence["createdBy"], &silence["status"]["state"]), (&json!("张三 (zhangsan)"), &json!("active")));

    upstream.fire(&[host(true)]).await;
    holds(&texts(&world.arrived("webhook=sim-ops-group", 4).await)[3], &["已恢复", "主机失联"]);
    for whose in [mine, theirs] {
        let over = async || {
            let told = bots::said(&world, whose).await;
            told.iter().any(|message| message.to_string().contains("已恢复")).then_some(())
        };
        until(&format!("{whose} hears that it is over"), over).await;
    }
    world.settled().await;
}

#[tokio::test]
async fn a_person_at_the_phone_page_presses_our_card_and_sees_it_change() {
    let world = cards::called_back(
        "upstreams: { am: { kind: alertmanager, url: 'http://alertmanager.example.com' } }\nreceivers:\n  ops: { targets: [ { app: ops, users: [zhangsan, lisi], face: card } ] }\nroute: { receiver: ops }\n",
    )
    .await;
    let Some(mut browser) = Browser::open(375, 812, &[]).await else { return };
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing"), ("db-2", "firing")])).await;
    world.arrived("user=zhangsan", 1).await;
    browser.visit(&format!("{}/#user/zhangsan", world.simulator.url())).await;
    let shows = |words: &str| format!("document.body.innerText.includes({words:?})");
    browser.until(&shows("磁盘将满")).await;
    browser.until(&shows("静默会隐藏 2 条告警")).await;
    browser.until("document.querySelector('.button.blue:enabled') !== null").await;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/phone");
    browser.screenshot(&folder.join("card-firing.png")).await;
    browser.evaluate("document.querySelector('.button.blue').click()").await;
    browser.until(&shows("认领人")).await;
    browser.until(&shows("张三")).await;
    browser.screenshot(&folder.join("card-taken.png")).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "resolved"), ("db-2", "resolved")])).await;
    browser.until(&shows("🟢 磁盘将满")).await;
    browser.until(&shows("已恢复")).await;
    browser.screenshot(&folder.join("card-over.png")).await;
    assert!(browser.complaints.is_empty(), "{:#?}", browser.complaints);
    let acts = acts(&world).await;
    assert_eq!((acts.len(), acts[0].by.as_str()), (1, "zhangsan"));
}
