//! People on duty are told and mentioned, and so are the owners named by labels; unknown owners delay nothing.

use std::time::Duration;

use serde_json::{Value, json};
use wecom_simulator::Setup;
use wegraf::internals::alert::Timestamp;
use wegraf::internals::store::State;

use crate::harness::{PATIENCE, World, alertmanager};
use crate::process::{Wegraf, run};

/// An Alertmanager webhook with one firing alert that has these labels.
fn alert(name: &str, labels: &[(&str, &str)]) -> String {
    alerts(name, &[("firing", labels)])
}

fn alerts(name: &str, alerts: &[(&str, &[(&str, &str)])]) -> String {
    let alerts: Vec<Value> = alerts
        .iter()
        .enumerate()
        .map(|(number, (status, labels))| {
            let mut all = json!({ "alertname": name, "instance": format!("host-{number}") });
            for (label, value) in *labels {
                all[*label] = json!(value);
            }
            json!({
                "status": status, "labels": all, "annotations": {},
                "startsAt": "2026-01-04T05:06:07Z",
                "endsAt": if *status == "resolved" { "2026-01-04T06:07:08Z" } else { "0001-01-01T00:00:00Z" },
                "generatorURL": "http://prometheus.example.com/graph",
            })
        })
        .collect();
    json!({
        "version": "4", "receiver": "wegraf", "status": "firing", "alerts": alerts, "groupKey": "g", "truncatedAlerts": 0,
        "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://alertmanager.example.com",
    })
    .to_string()
}

fn text(message: &Value) -> &str {
    message["content"]["content"].as_str().unwrap_or_else(|| panic!("{message:#}"))
}

/// A day each from 2026-01-05 09:00 in Shanghai.
const ROTA: &str = "every: 1d\nstart: 2026-01-05\npeople: [zhangsan, lisi]\nbackup: [wangwu]\n";

const DIRECTORY: &str = "owners:\n  team: { db: [wangwu, 'on_call:dba'] }\n";

/// A world whose clock stands at 2026-01-05 20:00 in Shanghai: zhangsan's shift.
async fn world(rest: &str) -> World {
    let mut world = World::idle(Setup::demo(), &format!("rotas: {{ dba: rota.yaml }}\n{rest}")).await;
    world.write("rota.yaml", ROTA);
    world.write("directory.yaml", DIRECTORY);
    let evening: jiff::Timestamp = "2026-01-05T20:00:00+08:00".parse().unwrap();
    world.stand_still_at(Timestamp(evening.as_millisecond()));
    world.start().await;
    world
}

#[tokio::test]
async fn a_message_to_a_rota_reaches_the_people_on_duty_when_it_is_rendered() {
    let world = world(
        "receivers:
  dba: { targets: [ { app: ops, on_call: dba, face: text }, { app: ops, users: [daixuan], on_call: dba/backup, face: text } ] }
",
    )
    .await;
    world.accept("/webhook", alert("晚上", &[])).await;
    world.arrived("user=zhangsan", 1).await;
    world.arrived("user=wangwu", 1).await;
    world.arrived("user=daixuan", 1).await;
    world.settled().await;
    assert_eq!(world.inbox("user=lisi").await.len(), 0);
    // 08:59 is still the night's shift; 09:00 is not.
    world.pass(Duration::from_mins(12 * 60 + 59));
    world.accept("/webhook", alert("早上", &[])).await;
    world.arrived("user=zhangsan", 2).await;
    world.settled().await;
    world.pass(Duration::from_mins(1));
    world.accept("/webhook", alert("上班", &[])).await;
    world.arrived("user=lisi", 1).await;
    world.settled().await;
    assert_eq!(world.inbox("user=zhangsan").await.len(), 2);
    // One lane, however often the people on duty change.
    let lanes: std::collections::BTreeSet<String> =
        world.deliveries().await.into_iter().map(|row| row.lane.to_string()).collect();
    assert_eq!(lanes.into_iter().collect::<Vec<_>>(), ["app/ops/daixuan|on_call:dba/backup", "app/ops/on_call:dba"]);
}

const GROUP: &str = "receivers:
  ops:
    mention_from: [owner, team]
    targets: [ { webhook: ops-group, face: markdown, mention: ['on_call:dba/backup'] } ]
directory: { file: directory.yaml }
";

#[tokio::test]
async fn people_on_duty_and_owners_of_an_alert_are_mentioned() {
    let world = world(GROUP).await;
    world.accept("/webhook", alert("一", &[])).await;
    world.accept("/webhook", alert("二", &[("team", "db")])).await;
    // By mail address and by mobile number, through WeCom; and a userid, in whatever case.
    world.accept("/webhook", alert("三", &[("owner", "lisi@sim.example"), ("team", "db")])).await;
    world.accept("/webhook", alert("四", &[("owner", "DaiXuan, 13800000003")])).await;
    let messages = world.arrived("webhook=sim-ops-group", 4).await;
    let expected: [&[&str]; 4] =
        [&["wangwu"], &["wangwu", "zhangsan"], &["wangwu", "lisi"], &["wangwu", "daixuan", "lisi"]];
    for (message, people) in messages.iter().zip(expected) {
        let text = text(message);
        for person in ["wangwu", "zhangsan", "lisi", "daixuan"] {
            assert_eq!(text.contains(&format!("<@{person}>")), people.contains(&person), "{person}: {text}");
        }
    }
    // The answer is cached: WeCom is not asked again.
    world.accept("/webhook", alert("五", &[("owner", "lisi@sim.example")])).await;
    let messages = world.arrived("webhook=sim-ops-group", 5).await;
    assert!(text(&messages[4]).contains("<@lisi>"), "{}", text(&messages[4]));
    assert_eq!(world.requests("user/get_userid_by_email").await.len(), 1);
}

#[tokio::test]
async fn a_resolved_alert_mentions_no_one_also_beside_others() {
    let world = world(GROUP).await;
    world
        .accept("/webhook", alerts("两条", &[("firing", &[("owner", "lisi")]), ("firing", &[("owner", "daixuan")])]))
        .await;
    world.arrived("webhook=sim-ops-group", 1).await;
    world.settled().await;
    let half = [("resolved", &[("owner", "lisi")][..]), ("firing", &[("owner", "daixuan"), ("neu", "1")][..])];
    world.accept("/webhook", alerts("两条", &half)).await;
    let messages = world.arrived("webhook=sim-ops-group", 2).await;
    assert!(text(&messages[0]).contains("<@lisi>") && text(&messages[0]).contains("<@daixuan>"));
    assert!(!text(&messages[1]).contains("<@lisi>"), "{}", text(&messages[1]));
    assert!(text(&messages[1]).contains("<@daixuan>"), "{}", text(&messages[1]));
    world.accept("/webhook", alerts("两条", &[("resolved", &[("owner", "daixuan"), ("neu", "1")])])).await;
    let messages = world.arrived("webhook=sim-ops-group", 3).await;
    assert!(!text(&messages[2]).contains("<@"), "{}", text(&messages[2]));
}

#[tokio::test]
async fn an_unknown_owner_is_not_mentioned_and_delays_nothing() {
    let world = world(GROUP).await;
    for (name, owner) in [("一", "nobody@sim.example"), ("二", "@all"), ("三", "张三 <@zhangsan>"), ("四", "no|body")]
    {
        world.accept("/webhook", alert(name, &[("owner", owner), ("team", "unknown")])).await;
    }
    let messages = world.arrived("webhook=sim-ops-group", 4).await;
    for message in &messages {
        let text = text(message);
        assert_eq!(text.matches("<@").count(), 1, "{text}");
        assert!(text.contains("<@wangwu>"), "{text}");
    }
    world.settled().await;
    assert!(world.metric("wegraf_unknown_owners_total").await >= 3.0);
    // WeCom is not asked twice about one value, and only about few mail addresses in all.
    let asked = world.requests("user/get").await.len();
    world.accept("/webhook", alert("五", &[("owner", "nobody@sim.example")])).await;
    world.arrived("webhook=sim-ops-group", 5).await;
    assert_eq!(world.requests("user/get").await.len(), asked);
    // The simulator's minute does not pass with the test's clock.
    world.control("PUT", "switches", json!({ "enforce_rate": false })).await;
    let strangers: Vec<String> = (0..30).map(|number| format!("stranger{number}@sim.example")).collect();
    for (number, stranger) in strangers.iter().enumerate() {
        world.accept("/webhook", alert(&format!("陌生人{number}"), &[("owner", stranger)])).await;
        world.pass(Duration::from_secs(30));
        world.settled().await;
    }
    assert_eq!(world.requests("user/get_userid_by_email").await.len(), 5);
}

#[tokio::test]
async fn a_wecom_that_answers_no_look_up_costs_the_message_nothing_but_the_name() {
    let world = world(GROUP).await;
    world.fault(json!({ "match": { "path": "/user/get" }, "times": "forever", "action": "hang" })).await;
    let begun = std::time::Instant::now();
    world.accept("/webhook", alert("慢", &[("owner", "lisi"), ("team", "db")])).await;
    let messages = world.arrived("webhook=sim-ops-group", 1).await;
    // The next label is used instead.
    assert!(text(&messages[0]).contains("<@zhangsan>"), "{}", text(&messages[0]));
    assert!(!text(&messages[0]).contains("<@lisi>"));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_changed_rota_is_read_anew_and_a_wrong_one_leaves_the_old_in_force() {
    let rest =
        "rotas: { dba: rota.yaml }\nreceivers: { dba: { targets: [ { app: ops, on_call: dba, face: text } ] } }\n";
    let mut world = World::idle(Setup::demo(), rest).await;
    world.write("rota.yaml", "start: 2026-01-05\npeople: [zhangsan]\n");
    let wegraf = Wegraf::serve(&mut world).await;
    world.accept("/webhook", alert("一", &[])).await;
    world.arrived("user=zhangsan", 1).await;
    world.write("rota.yaml", "start: 2026-01-05\npeople: [lisi]\nsubstitutes: oops\n");
    wegraf.logged("rota.yaml:3:").await;
    world.accept("/webhook", alert("二", &[])).await;
    world.arrived("user=zhangsan", 2).await;
    world.write("rota.yaml", "start: 2026-01-05\npeople: [lisi]\n");
    wegraf.logged("The configuration was reloaded").await;
    world.accept("/webhook", alert("三", &[])).await;
    world.arrived("user=lisi", 1).await;
}

#[tokio::test]
async fn after_a_handover_the_end_goes_to_those_who_were_told_of_the_beginning() {
    let rest = "rotas: { dba: rota.yaml }\nreceivers: { dba: { targets: [ { app: ops, on_call: dba, face: text } ] } }\nroute: { receiver: dba }\n";
    let mut world = World::idle(Setup::demo(), rest).await;
    world.write("rota.yaml", "start: 2026-01-05\npeople: [zhangsan]\n");
    world.start().await;
    world.accept("/webhook", alertmanager("夜里的", &[("db-1", "firing")])).await;
    world.arrived("user=zhangsan", 1).await;
    world.write("rota.yaml", "start: 2026-01-05\npeople: [lisi]\n");
    world.app().reload();
    world.accept("/webhook", alertmanager("夜里的", &[("db-1", "resolved")])).await;
    let told = world.arrived("user=zhangsan", 2).await;
    assert!(text(&told[1]).contains("恢复"), "{}", text(&told[1]));
    world.settled().await;
    assert!(world.inbox("user=lisi").await.is_empty(), "the new shift never heard of it");
    // The control: what begins now is the new shift's.
    world.accept("/webhook", alertmanager("早上的", &[("db-2", "firing")])).await;
    world.arrived("user=lisi", 1).await;
    assert_eq!(world.inbox("user=zhangsan").await.len(), 2);
}

#[tokio::test]
async fn a_rota_that_is_gone_holds_its_lane_until_it_is_back() {
    let receivers = "receivers: { dba: { targets: [ { app: ops, on_call: dba, face: text } ] } }\n";
    let world = world(receivers).await;
    // More than the budget of a minute: the rest is not rendered yet when the rota is removed.
    for number in 0..40 {
        world.accept("/webhook", alert(&format!("第{number}条"), &[])).await;
    }
    let before = world.deliveries().await.iter().filter(|row| row.state == State::Sent).count();
    assert!(before < 40);
    world.write_config("receivers: { dba: { targets: [ { webhook: ops-group } ] } }\n");
    world.app().reload();
    world.pass(Duration::from_mins(2));
    let begun = std::time::Instant::now();
    while !world
        .deliveries()
        .await
        .iter()
        .any(|row| row.error.as_ref().is_some_and(|error| error.contains("rota `dba`")))
    {
        assert!(begun.elapsed() < PATIENCE, "{:#?}", world.deliveries().await);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    world.write_config(&format!("rotas: {{ dba: rota.yaml }}\n{receivers}"));
    world.app().reload();
    world.pass(Duration::from_mins(2));
    world.settled().await;
    let rows = world.deliveries().await;
    assert!(rows.iter().all(|row| matches!(row.state, State::Sent | State::Folded)), "{rows:#?}");
}

#[tokio::test]
async fn duty_shows_who_is_on_duty_and_who_is_next() {
    let world = World::idle(
        Setup::demo(),
        "rotas: { dba: rota.yaml, web: web.yaml }\nreceivers: { ops: { targets: [ { webhook: ops-group } ] } }\n",
    )
    .await;
    world.write("rota.yaml", &format!("{ROTA}holidays: [ {{ date: 2026-01-07, people: [daixuan], name: 团建 }} ]\n"));
    world.write("web.yaml", "start: 2026-01-05\npeople: [[wangwu, daixuan]]\ntimezone: Europe/Berlin\n");
    let at = ["--at", "2026-01-06 08:59", "--days", "3"];
    run(&world, &[&["duty", "dba"][..], &at].concat()).await.exits(0).says(&[
        "dba  (Asia/Shanghai)",
        "▶ 2026-01-06 08:59 → 2026-01-06 09:00  zhangsan",
        "  2026-01-06 09:00 → 2026-01-07 09:00  lisi",
        "二线：wangwu",
        "backup: wangwu",
        "daixuan   二线：wangwu   backup: wangwu  节假日 团建   holiday 团建",
    ]);
    let answer = run(&world, &[&["duty", "--json"][..], &at].concat()).await.exits(0).json();
    assert_eq!(answer["rotas"][0]["now"]["people"], json!(["zhangsan"]));
    assert_eq!(answer["rotas"][0]["now"]["until"], "2026-01-06T09:00:00+08:00");
    assert_eq!(answer["rotas"][0]["next"][1]["why"], "holiday");
    assert_eq!(answer["rotas"][1]["now"]["people"], json!(["wangwu", "daixuan"]));
    assert_eq!(answer["rotas"][1]["next"], json!([]));
    let answer = run(&world, &["duty", "nobody"]).await.exits(2);
    assert!(answer.err.contains("dba, web"), "{}", answer.err);
}
