//! Programs that pass alerts on to WeCom: each is answered as it answers, byte for byte.

use serde_json::json;

use super::{World, alerts, answer};

const SOURCES: &str = r"
allow_anonymous: true
sources:
  pa: { prometheusalert: { app: ops }, bearer: prometheusalert-0123456789 }
  a2w: { a2w: { tokens: { ops: a2w-key-0123456789abcdef0, '*': a2w-key-for-the-routes-01 } } }
  bougou: { bougou: { app: ops, tokens: { ops: agent-secret-0123456789abcdef } } }
  timonwong: { timonwong: {} }
receivers:
  ops: { targets: [ { webhook: ops-group, face: text } ] }
  dba: { targets: [ { webhook: dba-group, face: text } ] }
route: { receiver: ops }
";
const STRING: &str = r#""{\"errcode\":0,\"errmsg\":\"ok\"}""#;
const ROBOT: &str = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=";

#[tokio::test]
async fn bridges_to_wecom_are_answered_as_they_answer() {
    let world = World::new(SOURCES).await;
    let own = "/prometheusalert?type=wx&tpl=x&wxurl=https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=sim-dba-group";
    let string = r#""{\"errcode\":0,\"errmsg\":\"ok\"}""#.to_owned();
    assert_eq!(answer(&world, "POST", own, alerts("pa")).await, (200, string.clone()));
    world.arrived("webhook=sim-dba-group", 1).await;
    assert_eq!(answer(&world, "POST", "/prometheusalert?type=wx", alerts("routed")).await, (200, string));
    world.arrived("webhook=sim-ops-group", 1).await;
    assert_eq!(answer(&world, "POST", "/prometheusalert?wxurl=https://q/?key=none", alerts("no")).await.0, 401);

    let path = "/send?key=a2w-key-0123456789abcdef0&mention=zhangsan&mention=lisi";
    assert_eq!(answer(&world, "POST", path, alerts("a2w")).await, (200, String::new()));
    let told = world.arrived("webhook=sim-ops-group", 2).await;
    assert_eq!(told[1]["content"]["mentioned_list"], json!(["zhangsan", "lisi"]), "{told:#?}");
    assert_eq!(answer(&world, "POST", "/send?key=x", alerts("a2w")).await, (400, String::new()));

    let path = "/webhook/send?channel_type=weixin&token=sim-dba-group";
    assert_eq!(answer(&world, "POST", path, alerts("bougou")).await, (204, String::new()));
    world.arrived("webhook=sim-dba-group", 2).await;
    let (status, body) = answer(&world, "POST", "/webhook/send?channel_type=weixin&token=x", alerts("b")).await;
    assert!(status == 400 && body.starts_with("\"Err: "), "{status} {body}");

    assert_eq!(answer(&world, "POST", "/dingtalk/dba/send", alerts("tw")).await, (200, "OK".to_owned()));
    world.arrived("webhook=sim-dba-group", 3).await;
}

#[tokio::test]
async fn several_robots_of_one_call_are_all_told_or_none_is() {
    let world = World::new(SOURCES).await;
    let both = format!("/prometheusalert?type=wx&wxurl={ROBOT}sim-dba-group,{ROBOT}sim-ops-group");
    let one = format!("/prometheusalert?type=wx&wxurl={ROBOT}sim-dba-group,{ROBOT}none");
    assert_eq!(answer(&world, "POST", &one, alerts("no")).await.0, 401);
    assert_eq!(answer(&world, "POST", &both, alerts("both")).await, (200, STRING.to_owned()));
    world.arrived("webhook=sim-dba-group", 1).await;
    world.arrived("webhook=sim-ops-group", 1).await;
    let rows = world.deliveries().await;
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].notification, rows[1].notification, "one admission");
    world.app().store().close().await.unwrap();
    let busy = r#""{\"errcode\":-1,\"errmsg\":\"system busy\"}""#;
    assert_eq!(answer(&world, "POST", &both, alerts("down")).await, (503, busy.to_owned()));
}

#[tokio::test]
async fn prometheusalerts_other_addresses_lead_where_its_own_do() {
    let world = World::new(SOURCES).await;
    let zabbix = |target: String| {
        json!({ "zabbixtarget": target, "zabbixmessage": "磁盘将满 db-3", "zabbixtype": "wx" }).to_string()
    };
    let robot = zabbix(format!("{ROBOT}sim-dba-group"));
    assert_eq!(answer(&world, "POST", "/zabbix/alert", robot).await, (200, STRING.to_owned()));
    let told = world.arrived("webhook=sim-dba-group", 1).await;
    let content = told[0]["content"]["content"].as_str().unwrap();
    assert!(content.contains("磁盘将满 db-3") && !content.contains("zabbix"), "{content}");
    assert_eq!(answer(&world, "POST", "/zabbix/alert", zabbix(format!("{ROBOT}none"))).await.0, 401);
    assert_eq!(answer(&world, "POST", "/zabbix/alert", zabbix(String::new())).await, (200, STRING.to_owned()));
    world.arrived("webhook=sim-ops-group", 1).await;
    let pipeline = json!({ "object_kind": "pipeline", "object_attributes": { "status": "failed", "ref": "main" },
        "project": { "path_with_namespace": "order/api" } });
    let path = format!("/gitlab/weixin?wxurl={ROBOT}sim-dba-group");
    assert_eq!(answer(&world, "POST", &path, pipeline.to_string()).await, (200, STRING.to_owned()));
    let told = world.arrived("webhook=sim-dba-group", 2).await;
    assert!(told[1]["content"].to_string().contains("order/api"), "{told:#?}");
}

#[tokio::test]
async fn members_are_told_whom_a_call_names_where_a_source_may_name_them() {
    let world = World::new(SOURCES).await;
    let prometheusalert = async |query: &str, name: &str| {
        let request = world.http.post(format!("{}/prometheusalert?type=workwechat{query}", world.url));
        let request = request.bearer_auth("prometheusalert-0123456789").body(alerts(name));
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(prometheusalert("&wxuser=lisi|wangwu", "named").await, 200);
    world.arrived("user=lisi", 1).await;
    world.arrived("user=wangwu", 1).await;
    assert_eq!(prometheusalert("&wxuser=zhangsan", "named").await, 200);
    world.arrived("user=zhangsan", 1).await;
    let path = "/webhook/send?channel_type=weixinapp&corp_id=wwsimcorp0000001&agent_id=1000002&to_user=daixuan\
                &agent_secret=agent-secret-0123456789abcdef";
    assert_eq!(answer(&world, "POST", path, alerts("app")).await, (204, String::new()));
    world.arrived("user=daixuan", 1).await;
    let other = path.replace("1000002", "1000009");
    assert_eq!(answer(&world, "POST", &other, alerts("other")).await, (204, String::new()));
    world.arrived("webhook=sim-ops-group", 1).await;
    let wrong = path.replace("agent-secret", "wrong-secret");
    assert_eq!(answer(&world, "POST", &wrong, alerts("wrong")).await.0, 400);
}

#[tokio::test]
async fn a_key_for_the_routes_mentions_whom_the_call_names() {
    let world = World::new(SOURCES).await;
    let path = "/send?key=a2w-key-for-the-routes-01&mention=zhangsan";
    assert_eq!(answer(&world, "POST", path, alerts("routed")).await, (200, String::new()));
    let told = world.arrived("webhook=sim-ops-group", 1).await;
    assert_eq!(told[0]["content"]["mentioned_list"], json!(["zhangsan"]), "{told:#?}");
}

#[tokio::test]
async fn who_looks_for_a2w_is_answered_as_it_answers_and_a_browser_finds_the_page() {
    let world = World::new(SOURCES).await;
    assert_eq!(answer(&world, "GET", "/", "").await, (200, "ok".to_owned()));
    let page = world.http.get(&world.url).header("accept", "text/html,*/*").send().await.unwrap();
    assert!(page.text().await.unwrap().contains("<html"));
}
