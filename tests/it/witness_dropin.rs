//! WeCom clients of other people with the gateway in WeCom's place: their answers must satisfy them.

use serde_json::{Value, json};

use crate::harness::World;
use crate::witness_clients::{PICTURE, run_at};

/// What the clients of the simulator know, as keys of our own; no proof but these.
const SOURCES: &str = r"
sources:
  clients:
    wecom: { own_keys: true, pass_through: true, apps: [ { app: ops, secret: sim-app-secret } ] }
receivers:
  ops: { targets: [ { webhook: dba-group } ] }
";

/// The contents of text messages, sorted: lanes of their own overtake each other.
fn texts(messages: &[Value]) -> Vec<&str> {
    let mut texts: Vec<&str> = messages.iter().filter_map(|message| message["content"]["content"].as_str()).collect();
    texts.sort_unstable();
    texts
}

#[tokio::test]
async fn apprise_is_satisfied_by_the_gateway() {
    let world = World::new(SOURCES).await;
    let Some(said) = run_at(&world, &world.url, "with_apprise.py", &[]).await else { return };
    // Whether somebody exists is found out later: the record says so.
    let expected = json!({
        "webhook": true, "members": true, "department_and_tag": true, "markdown": true,
        "wrong_secret": false, "nobody": true,
    });
    assert_eq!(said, expected);
    assert_eq!(texts(&world.arrived("webhook=sim-ops-group", 1).await), ["磁盘将满\r\ndb-1 已用 97 %"]);
    assert_eq!(texts(&world.arrived("user=lisi", 2).await), ["**粗体**", "磁盘将满\r\n致 <成员>"]);
    assert_eq!(texts(&world.arrived("user=daixuan", 1).await), ["致部门和标签"]);
    assert_eq!(texts(&world.arrived("user=wangwu", 2).await), ["磁盘将满\r\n致 <成员>", "致部门和标签"]);
}

#[tokio::test]
async fn wechatpy_finds_every_interface_it_knows_behind_the_gateway() {
    let world = World::new(SOURCES).await;
    let Some(said) = run_at(&world, &world.url, "with_wechatpy.py", &[PICTURE]).await else { return };
    let lisi = world.arrived("user=lisi", 6).await;
    let mut kinds: Vec<_> = lisi.iter().map(|message| message["msgtype"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["image", "markdown", "news", "template_card", "text", "textcard"]);
    assert_eq!(said["kept"], true, "the picture comes back as it went");
    assert!(said["text"]["msgid"].as_str().unwrap().starts_with("wg"));
    assert_eq!(said["chat"]["name"], "见证群二");
    assert_eq!(said["user"]["name"], "张三");
    assert_eq!(said["agent"]["name"], "监控告警");
    let errcodes = json!({
        "nobody": 0, "no such chat": 86003, "other agent": 301_002, "wrong secret": 40001, "wrong corp": 40013,
    });
    assert_eq!(said["errcodes"], errcodes);
    assert!(world.requests("gettoken").await.iter().all(|request| request["errcode"] == 0), "wrong secrets go nowhere");
}
