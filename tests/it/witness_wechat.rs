//! Alertmanager's own WeCom sender, pointed at the simulator: a third-party client.

use serde_json::{Value, json};
use wecom_simulator::Setup;

use crate::harness::World;
use crate::programs::{Server, alert, until};

/// Text to a member, markdown to a department, text to a tag.
fn config(world: &World) -> String {
    format!(
        r#"
global:
  wechat_api_url: {}/cgi-bin/
  wechat_api_corp_id: wwsimcorp0000001
  wechat_api_secret: sim-app-secret
route:
  receiver: member
  group_by: [alertname]
  group_wait: 200ms
  group_interval: 1s
  routes:
    - {{ receiver: department, matchers: ['to="department"'] }}
    - {{ receiver: tag, matchers: ['to="tag"'] }}
receivers:
  - name: member
    wechat_configs: [ {{ agent_id: 1000002, to_user: lisi, send_resolved: true, message: '{{{{ .Status }}}} {{{{ .CommonLabels.alertname }}}} <1 & 2>' }} ]
  - name: department
    wechat_configs: [ {{ agent_id: 1000002, to_party: '2', message_type: markdown, message: '**{{{{ .CommonLabels.alertname }}}}** <font color="warning">firing</font>' }} ]
  - name: tag
    wechat_configs: [ {{ agent_id: 1000002, to_tag: '3', message: 'tag {{{{ .CommonLabels.alertname }}}}' }} ]
"#,
        world.simulator.url()
    )
}

async fn alertmanager(world: &World) -> Option<Server> {
    Server::alertmanager(world.folder.path(), &config(world)).await
}

async fn world() -> World {
    World::idle(Setup::demo(), "").await
}

fn to(whom: &str, name: &str, over: bool) -> Value {
    alert(&json!({ "alertname": name, "to": whom }), "", over)
}

fn texts(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["content"]["content"].as_str().unwrap()).collect()
}

/// The `errcode` of each call of `message/send` so far.
async fn errcodes(world: &World) -> Vec<i64> {
    world.requests("message/send").await.iter().filter_map(|request| request["errcode"].as_i64()).collect()
}

#[tokio::test]
async fn members_departments_and_tags_get_its_messages() {
    let world = world().await;
    // Each receiver fetches a token of its own. That this works in the field tells that the older ones live on.
    world.control("PUT", "switches", json!({ "repeated_gettoken": "same" })).await;
    let Some(alertmanager) = alertmanager(&world).await else { return };
    alertmanager.fire(&[to("member", "一", false), to("department", "二", false), to("tag", "三", false)]).await;

    assert_eq!(texts(&world.arrived("user=lisi", 1).await), ["firing 一 <1 & 2>"]);
    let department = world.arrived("user=daixuan", 1).await;
    assert_eq!(department[0]["msgtype"], "markdown");
    assert_eq!(texts(&department), ["**二** <font color=\"warning\">firing</font>"]);
    assert_eq!(texts(&world.arrived("user=wangwu", 1).await), ["tag 三"]);
    // Of the department and of the tag; the order is Alertmanager's.
    assert_eq!(world.arrived("user=zhangsan", 2).await.len(), 2);

    alertmanager.fire(&[to("member", "一", true)]).await;
    assert_eq!(texts(&world.arrived("user=lisi", 2).await)[1], "resolved 一 <1 & 2>");
    let calls = world.requests("message/send").await;
    assert!(calls.iter().all(|call| call["body"]["agentid"] == "1000002" && call["errcode"] == 0), "{calls:#?}");
    let tokens = world.requests("gettoken").await;
    assert_eq!(tokens.len(), 3, "one for each receiver, then kept: {tokens:#?}");
}

#[tokio::test]
async fn a_server_error_is_tried_again() {
    let world = world().await;
    let Some(alertmanager) = alertmanager(&world).await else { return };
    world
        .fault(json!({ "match": { "path": "message/send" }, "times": 2, "action": { "http": { "status": 502 } } }))
        .await;
    alertmanager.fire(&[to("member", "一", false)]).await;
    assert_eq!(texts(&world.arrived("user=lisi", 1).await), ["firing 一 <1 & 2>"]);
    let calls = world.requests("message/send").await;
    let statuses: Vec<_> = calls.iter().map(|call| call["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [502, 502, 200]);
}

#[tokio::test]
async fn a_refused_token_keeps_the_message_back_until_the_next_interval() {
    let world = world().await;
    let Some(alertmanager) = alertmanager(&world).await else { return };
    world.fault(json!({ "match": { "path": "gettoken" }, "action": { "errcode": 40001 } })).await;
    alertmanager.fire(&[to("member", "一", false)]).await;
    assert_eq!(texts(&world.arrived("user=lisi", 1).await), ["firing 一 <1 & 2>"]);
    assert_eq!(world.requests("gettoken").await.len(), 2);
    assert!(alertmanager.counter("alertmanager_notifications_failed_total", "integration=\"wechat\"").await >= 1);
}

#[tokio::test]
async fn an_errcode_of_a_send_goes_to_the_caller_and_nothing_to_people() {
    let world = world().await;
    let Some(alertmanager) = alertmanager(&world).await else { return };
    world.fault(json!({ "match": { "path": "message/send" }, "action": { "errcode": 45009 } })).await;
    alertmanager.fire(&[to("member", "一", false)]).await;
    until("the fault has acted", async || (errcodes(&world).await == [45009]).then_some(())).await;
    assert!(world.inbox("user=lisi").await.is_empty());
    // Alertmanager 0.25 takes it for a success, newer ones repeat it; the next alert gets through in either case.
    alertmanager.fire(&[to("member", "二", false)]).await;
    let delivered = async || {
        let inbox = world.inbox("user=lisi").await;
        inbox.iter().any(|message| message["content"]["content"] == "firing 二 <1 & 2>").then_some(())
    };
    until("the next message is delivered", delivered).await;
}

#[tokio::test]
async fn a_member_whom_the_app_may_not_reach_is_an_error_and_not_a_message() {
    let world = world().await;
    let Some(alertmanager) = alertmanager(&world).await else { return };
    world
        .control(
            "PUT",
            "corp",
            json!({ "corps": [{ "corp_id": "wwsimcorp0000001", "users": [{ "userid": "lisi", "remove": true }] }] }),
        )
        .await;
    alertmanager.fire(&[to("member", "一", false)]).await;
    until("the call is refused", async || (errcodes(&world).await == [81013]).then_some(())).await;
    assert!(world.inbox("user=lisi").await.is_empty());
}

/// A gateway between Alertmanager and WeCom: only the base URL and the secret are other ones.
#[tokio::test]
async fn its_messages_come_through_the_gateway_as_it_wrote_them() {
    let world = World::new(
        "sources: { am: { wecom: { apps: [ { app: ops, secret: corpsecret-of-our-own-7f3a91c2 } ] } } }\nreceivers: { ops: { targets: [ { webhook: ops-group } ] } }\n",
    )
    .await;
    let config = config(&world)
        .replace(&world.simulator.url(), &world.url)
        .replace("sim-app-secret", "corpsecret-of-our-own-7f3a91c2");
    let Some(alertmanager) = Server::alertmanager(world.folder.path(), &config).await else { return };
    alertmanager.fire(&[to("member", "一", false), to("department", "二", false), to("tag", "三", false)]).await;
    assert_eq!(texts(&world.arrived("user=lisi", 1).await), ["firing 一 <1 & 2>"]);
    let department = world.arrived("user=daixuan", 1).await;
    assert_eq!(texts(&department), ["**二** <font color=\"warning\">firing</font>"]);
    assert_eq!(texts(&world.arrived("user=wangwu", 1).await), ["tag 三"]);
    assert_eq!(alertmanager.counter("alertmanager_notifications_failed_total", "integration=\"wechat\"").await, 0);
    let calls = world.requests("message/send").await;
    assert!(calls.iter().all(|call| call["body"]["agentid"] == "1000002" && call["errcode"] == 0), "{calls:#?}");
    assert!(world.deliveries().await.iter().all(|row| row.source.to_string() == "am"));
}
