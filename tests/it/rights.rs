//! Who may act and who may see, and what a silence hides: what an attacker tries, and what people are told instead.

use std::time::Duration;

use serde_json::{Value, json};
use wecom_simulator::Setup;
use wegraf::internals::answer::{Actor, Via};
use wegraf::internals::store::{ActFilter, ActRow, ActState, OnFilter};

use crate::api::Program;
use crate::bots;
use crate::grafana_stand_in::{Grafana, TOKEN};
use crate::harness::{World, alertmanager};
use crate::page::{Visitor, first_text};
use crate::process::{Wegraf, run};
use crate::programs::{Server, until};
use crate::silences::NO_NOTIFIER;
use crate::witness_alertmanager::{holds, texts};

/// Two people receive different alerts, a group by a webhook those of a third receiver, and a chat of the app those of
/// a fourth.
const APART: &str = r"
external_url: https://alerts.example.com
receivers:
  hers: { targets: [ { app: ops, users: [zhangsan], face: text } ] }
  his: { targets: [ { app: ops, users: [lisi], face: text } ] }
  group: { targets: [ { webhook: ops-group, face: text } ] }
  chat: { targets: [ { app: ops, chat: AITest, face: text } ] }
route:
  receiver: group
  routes:
    - { matchers: ['alertname=她的'], receiver: hers }
    - { matchers: ['alertname=他的'], receiver: his }
    - { matchers: ['alertname=群聊的'], receiver: chat }
";

fn firing(name: &str) -> String {
    alertmanager(name, &[("db-1", "firing")])
}

/// A user writes a text to the app; returns the answer.
async fn ask(world: &World, who: &str, text: &str) -> String {
    let actor = Actor { id: who.to_owned(), via: Via::App("ops".to_owned()) };
    world.app().acts().ask(&actor, &rand::random::<u64>().to_string(), text).await.unwrap()
}

async fn acts(world: &World) -> Vec<ActRow> {
    world.app().store().acts(ActFilter::default()).await.unwrap()
}

/// The short ids of the messages so far, by the receiver they went to.
async fn id(world: &World, receiver: &str) -> String {
    let rows = world.deliveries().await;
    format!("#{}", rows.iter().find(|row| row.receiver == receiver).unwrap().thread)
}

/// A world in which each of the four receivers was told of an alert of its own.
async fn apart(more: &str) -> World {
    let world = World::new(&format!("{APART}{more}")).await;
    for name in ["她的", "他的", "群的", "群聊的"] {
        world.accept("/webhook", firing(name)).await;
    }
    world.settled().await;
    world
}

#[tokio::test]
async fn a_member_sees_only_the_alerts_sent_to_that_member() {
    let world = apart("").await;
    let seen = ask(&world, "zhangsan", "告警").await;
    holds(&seen, &["她的"]);
    assert!(!seen.contains("他的") && !seen.contains("群的"), "{seen}");
    holds(&ask(&world, "LiSi", "状态").await, &["他的"]);
    // In no receiver, and perhaps in the group of the webhook, which is unknown.
    let nothing = ask(&world, "sunqi", "告警").await;
    holds(&nothing, &["现在没有告警"]);
    for name in ["她的", "他的", "群的", "群聊的"] {
        assert!(!nothing.contains(name), "{nothing}");
    }
    // A member of the chat, which the app may ask for.
    let seen = ask(&world, "daixuan", "告警").await;
    holds(&seen, &["群聊的"]);
    assert!(!seen.contains("她的"), "{seen}");
    let chat = id(&world, "chat").await;
    holds(&ask(&world, "sunqi", &format!("认领 {chat}")).await, &["没有收到"]);
    holds(&ask(&world, "daixuan", &format!("认领 {chat}")).await, &["已认领"]);
}

#[tokio::test]
async fn an_alert_sent_to_others_cannot_be_acknowledged_and_the_answer_says_why() {
    let world = apart("").await;
    let (hers, group) = (id(&world, "hers").await, id(&world, "group").await);
    for what in [format!("认领 {hers}"), format!("静默 {hers} 1h"), format!("重发 {hers}"), format!("认领 {group}")]
    {
        let said = ask(&world, "lisi", &what).await;
        holds(&said, &["没有收到", "may_act"]);
    }
    let states: Vec<ActState> = acts(&world).await.iter().map(|act| act.state).collect();
    assert_eq!(states, [ActState::Denied; 4]);
    holds(&ask(&world, "zhangsan", &format!("认领 {hers}")).await, &["已认领"]);
    // The escalation of a denied alert continues.
    let open = world.app().store().alerts_on(OnFilter { limit: 9, ..OnFilter::default() }).await.unwrap().0;
    let taken: Vec<&str> =
        open.iter().filter(|alert| alert.acknowledged.is_some()).map(|alert| alert.name.as_str()).collect();
    assert_eq!(taken, ["她的"]);
}

/// Two alerts of one body: one that both people are told of, and one that only lisi is.
async fn partly_shared() -> World {
    let rest = r"
receivers:
  hers: { targets: [ { app: ops, users: [zhangsan], face: text } ] }
  his: { targets: [ { app: ops, users: [lisi], face: text } ] }
route:
  receiver: his
  routes:
    - { matchers: ['instance=shared'], receiver: hers, continue: true }
    - { matchers: ['instance=shared'], receiver: his }
";
    let world = World::new(rest).await;
    world.accept("/webhook", alertmanager("磁盘", &[("shared", "firing"), ("secret", "firing")])).await;
    world.settled().await;
    world
}

/// The instances of the alerts that are acknowledged.
async fn taken(world: &World) -> Vec<String> {
    let open = world.app().store().alerts_on(OnFilter { limit: 9, ..OnFilter::default() }).await.unwrap().0;
    let taken = open.iter().filter(|alert| alert.acknowledged.is_some());
    let labels = taken.map(|alert| serde_json::from_str::<Value>(&alert.labels_json).unwrap());
    labels.map(|labels| labels["instance"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_act_on_an_episode_reaches_only_the_alerts_that_its_actor_was_told_of() {
    let world = partly_shared().await;
    let episode = id(&world, "hers").await;
    assert_eq!(episode, id(&world, "his").await);
    let said = ask(&world, "zhangsan", &format!("认领 {episode}")).await;
    holds(&said, &["已认领"]);
    assert!(!said.contains("secret"), "{said}");
    assert_eq!(taken(&world).await, ["shared"]);
    // What is resent is what the actor was sent.
    let before = world.deliveries().await.len();
    ask(&world, "zhangsan", &format!("重发 {episode}")).await;
    until("the copy", || async { (world.deliveries().await.len() > before).then_some(()) }).await;
    let again = world.deliveries().await;
    let again: Vec<&str> = again[before..].iter().map(|row| row.receiver.as_str()).collect();
    assert_eq!(again, ["hers"]);
    // The control: the other person reaches both.
    holds(&ask(&world, "lisi", &format!("放弃 {episode}")).await, &["放弃"]);
    assert!(taken(&world).await.is_empty());
    ask(&world, "lisi", &format!("认领 {episode}")).await;
    assert_eq!(taken(&world).await.len(), 2);
}

#[tokio::test]
async fn a_token_acts_on_the_alerts_of_its_receivers_only() {
    let world = partly_shared().await;
    let episode = id(&world, "hers").await;
    let wanted = json!({ "kind": "acknowledge", "incident": episode.trim_start_matches('#') });
    let narrow = Program::new(&world, "narrow", "read act", &["hers"]).await;
    assert_eq!(narrow.post("/acts", "", wanted.clone()).await.0, 201);
    assert_eq!(taken(&world).await, ["shared"]);
    let wide = Program::new(&world, "wide", "read act", &[]).await;
    assert_eq!(wide.post("/acts", "", wanted).await.0, 201);
    assert_eq!(taken(&world).await.len(), 2);
}

#[tokio::test]
async fn may_act_widens_to_anyone_and_narrows_to_those_it_names() {
    let world = apart("may_act: { users: [Boss] }\n").await;
    let hers = id(&world, "hers").await;
    holds(&ask(&world, "zhangsan", &format!("认领 {hers}")).await, &["may_act"]);
    holds(&ask(&world, "zhangsan", "告警").await, &["她的"]);
    let all = ask(&world, "boss", "告警").await;
    holds(&all, &["她的", "他的", "群的", "群聊的"]);
    holds(&ask(&world, "boss", &format!("认领 {hers}")).await, &["已认领"]);

    let world = apart("may_act: { anyone: true }\n").await;
    let hers = id(&world, "hers").await;
    holds(&ask(&world, "sunqi", &format!("认领 {hers}")).await, &["已认领"]);
}

#[tokio::test]
async fn a_bot_tells_a_group_what_the_group_receives_and_nothing_of_its_members() {
    let rest = r"
receivers:
  person: { targets: [ { bot: duty, chat: zhangsan, face: markdown_v2 } ] }
  group: { targets: [ { bot: duty, chat: wrSimDutyGroup, face: markdown_v2 } ] }
route: { receiver: group, routes: [ { matchers: ['alertname=她的'], receiver: person } ] }
";
    let world = bots::talking(rest).await;
    world.accept("/webhook", firing("她的")).await;
    world.accept("/webhook", firing("群的")).await;
    bots::told(&world, bots::PERSON, 1).await;
    bots::told(&world, bots::GROUP, 1).await;
    let alone = bots::say(&world, "zhangsan", None, "告警").await;
    holds(&alone, &["她的"]);
    let aloud = bots::say(&world, "zhangsan", Some("wrSimDutyGroup"), "告警").await;
    holds(&aloud, &["群的"]);
    assert!(!aloud.contains("她的"), "the others read it too: {aloud}");
    let stranger = bots::say(&world, "wangwu", None, "告警").await;
    assert!(!stranger.contains("她的") && !stranger.contains("群的"), "{stranger}");
    let hers = id(&world, "person").await;
    holds(&bots::say(&world, "wangwu", None, &format!("认领 {hers}")).await, &["没有收到"]);
    let group = id(&world, "group").await;
    holds(&bots::say(&world, "lisi", Some("wrSimDutyGroup"), &format!("认领 {group}")).await, &["已认领"]);
}

/// A body as Grafana sends it, by a holder of the source's token: `silence` is what the attacker wants hidden.
fn test_only(grafana: &str, labels: &Value, silence: &str) -> String {
    json!({
        "receiver": "wegraf", "status": "firing", "orgId": 2, "externalURL": format!("{grafana}/"), "version": "1",
        "groupKey": "{}:{}", "truncatedAlerts": 0, "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {},
        "title": "TestOnly", "state": "alerting", "message": "",
        "alerts": [ {
            "status": "firing", "labels": labels, "annotations": { "summary": "only a test" },
            "startsAt": "2026-11-22T06:02:00Z", "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": format!("{grafana}/alerting/grafana/test1/view?orgId=2"), "fingerprint": "0123456789abcdef",
            "silenceURL": silence, "values": null, "valueString": "",
        } ],
    })
    .to_string()
}

/// A gateway whose alerts come from a Grafana, and are told to zhangsan and to a group.
async fn with_grafana() -> (Grafana, World) {
    let mut world = World::idle(Setup::demo(), "").await;
    let grafana = Grafana::start().await;
    let rest = format!(
        "external_url: https://alerts.example.com\nupstreams:\n  g: {{ kind: grafana, url: '{}', token: {TOKEN}, org_id: 2 }}\nreceivers:\n  ops:\n    targets:\n      - {{ app: ops, users: [zhangsan], face: text }}\n      - {{ webhook: ops-group, face: text }}\nroute: {{ receiver: ops }}\n",
        grafana.url
    );
    world.write_config(&rest);
    world.start().await;
    (grafana, world)
}

#[tokio::test]
async fn a_silence_url_never_hides_more_than_the_alert_that_brings_it() {
    for (path, matchers) in [
        // On the alert itself, but without a name: it would hide every critical alert.
        ("/alerting/silence/new", "matcher=severity%3Dcritical"),
        // The rule and the name of another alert.
        ("/alerting/silence/new", "matcher=__alert_rule_uid__%3Dprod1"),
        ("/alerting/silence/new", "matcher=alertname%3DDatabaseDown"),
        // Another host, another port, another folder.
        ("@evil.example.com/alerting/silence/new", "matcher=severity%3Dcritical"),
        ("0/alerting/silence/new", "matcher=alertname%3DTestOnly"),
    ] {
        let (grafana, world) = with_grafana().await;
        let silence = format!("{}{path}?alertmanager=grafana&{matchers}&orgId=2", grafana.url);
        let labels = json!({ "alertname": "TestOnly", "severity": "critical", "host": "t-1" });
        grafana.fire(&json!({ "alertname": "DatabaseDown", "severity": "critical", "__alert_rule_uid__": "prod1" }));
        world.accept("/webhook", test_only(&grafana.url, &labels, &silence)).await;
        world.arrived("user=zhangsan", 1).await;
        let id = id(&world, "ops").await;
        ask(&world, "zhangsan", &format!("静默 {id} 1h")).await;
        let ended = async || acts(&world).await.iter().all(|act| act.state != ActState::Open).then_some(());
        until("the silence is made or refused", ended).await;
        for silence in grafana.in_force() {
            let text = silence["matchers"].to_string();
            assert!(text.contains("TestOnly"), "{matchers}: {silence:#}");
            assert!(!text.contains("DatabaseDown"), "{matchers}: {silence:#}");
        }
    }
}

#[tokio::test]
async fn alerts_without_a_name_or_a_rule_are_never_silenced_from_here() {
    let mut world = World::idle(Setup::demo(), "").await;
    let Some(server) = Server::alertmanager(world.folder.path(), NO_NOTIFIER).await else { return };
    let rest = format!(
        "external_url: https://alerts.example.com\nupstreams: {{ am: {{ kind: alertmanager, url: '{}' }} }}\nreceivers:\n  ops:\n    targets:\n      - {{ app: ops, users: [zhangsan], face: text }}\n      - {{ webhook: ops-group, face: text }}\nroute: {{ receiver: ops }}\n",
        server.url
    );
    world.write_config(&rest);
    world.start().await;
    let mut body: Value = serde_json::from_str(&firing("x")).unwrap();
    body["externalURL"] = json!(server.url);
    body["alerts"][0]["labels"] = json!({ "team": "all" });
    world.accept("/webhook", body.to_string()).await;
    let text = first_text(&world).await;
    let mut visitor = Visitor::by(&world, &text);
    let page = visitor.opens().await;
    assert!(!page.html.contains("value=\"silence\""), "it is not offered: {}", page.html);
    visitor.presses(&page, "silence", "张三", "1h").await;
    world.arrived("user=zhangsan", 1).await;
    let id = id(&world, "ops").await;
    ask(&world, "zhangsan", &format!("静默 {id} 1h")).await;
    let failed = async || {
        let acts = acts(&world).await;
        (acts.len() == 2 && acts.iter().all(|act| act.state == ActState::Failed)).then_some(acts)
    };
    let acts = until("both were refused", failed).await;
    holds(&acts[0].detail, &["alertname"]);
    assert_eq!(server.get("/api/v2/silences").await.as_deref().map(str::trim), Some("[]"));
}

#[tokio::test]
async fn the_page_shows_what_a_silence_would_hide_before_it_is_pressed() {
    let (grafana, world) = with_grafana().await;
    let labels = json!({ "alertname": "磁盘将满", "severity": "critical" });
    let silence =
        format!("{}/alerting/silence/new?matcher=alertname%3D%E7%A3%81%E7%9B%98%E5%B0%86%E6%BB%A1", grafana.url);
    for host in ["db-1", "db-2", "db-3"] {
        let known =
            json!({ "alertname": "磁盘将满", "severity": "critical", "host": host, "__alert_rule_uid__": "test1" });
        grafana.fire(&known);
    }
    world.accept("/webhook", test_only(&grafana.url, &labels, &silence)).await;
    let mut visitor = Visitor::by(&world, &first_text(&world).await);
    let page = visitor.opens().await;
    holds(&page.html, &["alertname=&#34;磁盘将满&#34;", "__alert_rule_uid__=&#34;test1&#34;", "3 条", "g"]);
    let silenced = visitor.presses(&page, "silence", "张三", "1h").await;
    holds(&silenced.html, &["已静默"]);
    assert_eq!(grafana.in_force().len(), 1);
}

#[tokio::test]
async fn a_silence_is_said_on_every_message_that_tells_of_what_it_hides() {
    let mut world = World::idle(Setup::demo(), "").await;
    let Some(server) = Server::alertmanager(world.folder.path(), NO_NOTIFIER).await else { return };
    let rest = format!(
        "external_url: https://alerts.example.com\nupstreams: {{ am: {{ kind: alertmanager, url: '{}' }} }}\nreceivers: {{ ops: {{ targets: [ {{ webhook: ops-group, face: text }} ] }} }}\nroute: {{ receiver: ops }}\n",
        server.url
    );
    world.write_config(&rest);
    world.start().await;
    let told = |alerts: &[(&str, &str)]| {
        alertmanager("磁盘将满", alerts).replace("http://alertmanager.example.com", &server.url)
    };
    for (count, alerts) in
        [(1, &[("web-1", "firing")][..]), (2, &[("db-2", "firing")]), (3, &[("db-1", "firing"), ("db-2", "resolved")])]
    {
        world.accept("/webhook", told(alerts)).await;
        world.arrived("webhook=sim-ops-group", count).await;
    }
    let again = told(&[("db-1", "firing"), ("db-2", "firing")]).replace("06:02:00Z", "07:30:00Z");
    world.accept("/webhook", again).await;
    let texts = texts(&world.arrived("webhook=sim-ops-group", 4).await);
    let mut newest = Visitor::by(&world, &texts[3]);
    let page = newest.opens().await;
    let silenced = newest.presses(&page, "silence", "张三", "1h").await;
    holds(&silenced.html, &["已静默"]);
    for text in &texts[1..] {
        let page = Visitor::by(&world, text).opens().await;
        holds(&page.html, &["🔕 静默到"]);
    }
}

#[tokio::test]
async fn a_link_acts_for_a_day_and_reads_for_thirty() {
    let world = World::at_a_standstill(APART).await;
    world.accept("/webhook", firing("群的")).await;
    let mut visitor = Visitor::by(&world, &first_text(&world).await);
    world.pass(Duration::from_hours(23));
    let page = visitor.opens().await;
    holds(&page.html, &["value=\"acknowledge\""]);
    world.pass(Duration::from_hours(2));
    let late = visitor.presses(&page, "acknowledge", "张三", "").await;
    assert_eq!(late.status, 403, "{}", late.html);
    holds(&late.html, &["群的", "操作期限"]);
    let page = visitor.opens().await;
    assert_eq!(page.status, 200);
    assert!(!page.html.contains("<form"), "{}", page.html);
    holds(&page.html, &["群的", "操作期限", "认领 #"]);
    assert_eq!(acts(&world).await, []);
    world.pass(Duration::from_hours(28 * 24));
    assert_eq!(visitor.opens().await.status, 200);
    world.pass(Duration::from_hours(3 * 24));
    assert_eq!(visitor.opens().await.status, 403);
}

#[tokio::test]
async fn the_time_for_acts_is_configured() {
    let world = World::at_a_standstill(&format!("act_links: 1h\n{APART}")).await;
    world.accept("/webhook", firing("群的")).await;
    let mut visitor = Visitor::by(&world, &first_text(&world).await);
    holds(&visitor.opens().await.html, &["value=\"acknowledge\""]);
    world.pass(Duration::from_mins(61));
    assert!(!visitor.opens().await.html.contains("<form"));
}

#[tokio::test]
async fn a_command_rotates_the_key_of_links_while_the_gateway_runs() {
    let mut world = World::idle(Setup::demo(), APART).await;
    let mut gateway = Wegraf::serve(&mut world).await;
    world.accept("/webhook", firing("群的")).await;
    let mut visitor = Visitor::by(&world, &first_text(&world).await);
    let page = visitor.opens().await;
    holds(&page.html, &["value=\"acknowledge\""]);
    let listen = world.url.trim_start_matches("http://").to_owned();
    run(&world, &["links", "rotate", "--listen", &listen]).await.exits(0).says(&["✓", "24"]);
    let late = visitor.presses(&page, "acknowledge", "张三", "").await;
    assert_eq!(late.status, 403, "{}", late.html);
    let old = visitor.opens().await;
    assert_eq!(old.status, 200, "it still reads");
    assert!(!old.html.contains("<form"));
    world.accept("/webhook", firing("群的二")).await;
    let text = texts(&world.arrived("webhook=sim-ops-group", 2).await).remove(1);
    let mut fresh = Visitor::by(&world, &text);
    let page = fresh.opens().await;
    holds(&fresh.presses(&page, "acknowledge", "张三", "").await.html, &["已认领"]);
    // Commands still find the gateway, with the key of now.
    run(&world, &["deliveries", "resend", "1", "--listen", &listen]).await.exits(0);
    gateway.signal("TERM").await;
    assert!(gateway.ended().await.success());
    run(&world, &["links", "rotate"]).await.exits(0).says(&["✓"]);
}

#[tokio::test]
async fn a_command_shows_what_a_silence_hides_and_takes_quoted_names() {
    let (grafana, world) = with_grafana().await;
    grafana.fire(&json!({ "alertname": "下单慢", "service name": "订单" }));
    grafana.fire(&json!({ "alertname": "下单慢", "service name": "库存" }));
    for more in [&[][..], &["--yes"]] {
        let quoted = [&["silences", "create", "--for", "1h"], more, &["\"service name\"=\"订单\""]].concat();
        let made = run(&world, &quoted).await.exits(0);
        holds(&made.err, &["\"service name\"=\"订单\"", "counts 1 alert now"]);
        made.says(&["✓ g", "hides 1 alert now"]);
    }
    for silence in grafana.in_force() {
        assert_eq!(silence["matchers"][0]["name"], "service name", "{silence:#}");
    }
    // Where upstream does not answer, the record of wegraf counts, and that is said.
    world.accept("/webhook", firing("下单慢")).await;
    world.settled().await;
    world.write_config(&format!("upstreams: {{ down: {{ kind: alertmanager, url: 'http://127.0.0.1:9' }} }}\n{APART}"));
    let failed = run(&world, &["silences", "create", "--for", "1h", "alertname=下单慢"]).await.exits(1);
    holds(&failed.err, &["down 没有回答", "record has 1 alert now"]);
}

#[tokio::test]
async fn if_the_alerts_changed_since_the_page_was_shown_it_is_shown_again() {
    let rest = "external_url: https://alerts.example.com\nupstreams: { am: { kind: alertmanager, url: 'http://127.0.0.1:9' } }\nreceivers: { ops: { targets: [ { webhook: ops-group, face: text } ] } }\nroute: { receiver: ops }\n";
    let world = World::new(rest).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing"), ("db-2", "firing")])).await;
    let mut visitor = Visitor::by(&world, &first_text(&world).await);
    let page = visitor.opens().await;
    holds(&page.html, &["am 没有回答", "<b>2 条</b>", "alertname=&#34;磁盘将满&#34;"]);
    assert!(!page.html.contains("instance=&#34;"), "{}", page.html);
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-2", "resolved")])).await;
    let changed = visitor.presses(&page, "silence", "张三", "1h").await;
    assert_eq!(changed.status, 409, "{}", changed.html);
    holds(&changed.html, &["告警有变化", "instance=&#34;db-1&#34;", "<b>1 条</b>"]);
    assert_eq!(acts(&world).await, []);
}
