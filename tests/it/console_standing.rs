//! The console's pages of how things stand: who has what, which silences there are, how wegraf itself is, and which way
//! alerts take.

use serde_json::json;
use tempfile::TempDir;
use wecom_simulator::Setup;
use wegraf::internals::config::UpstreamKind;
use wegraf::internals::names::Scope;
use wegraf::internals::store::{Breaker, BreakerChange};
use wegraf::internals::upstream::Client;

use crate::api::Program;
use crate::console::{Visitor, hidden};
use crate::harness::{World, alertmanager, crypto};
use crate::programs::Server;
use crate::silences::{NO_NOTIFIER, upstream, wanted};
use crate::witness_alertmanager::holds;

const REST: &str = "
external_url: http://console.example.com
sources: { am: { bearer: sender-token }, grafana: { bearer: other-token } }
receivers:
  ops: { targets: [ { app: ops, users: [zhangsan], face: text } ] }
  dba: { targets: [ { app: ops, users: [lisi], face: text } ] }
  gone: { targets: [ { app: ops, users: [nobody-here], face: text } ] }
route:
  receiver: ops
  routes:
    - { matchers: ['alertname=\"主库只读\"'], receiver: dba }
    - { matchers: ['alertname=\"没人收\"'], receiver: gone }
    - { matchers: ['alertname=\"没人收\"', 'severity=\"critical\"'], receiver: ops }
console: { may_look: { users: [daixuan] }, may_change: { users: [wangwu] } }
";

async fn sends(world: &World, token: &str, body: String) -> u16 {
    let request = world.http.post(format!("{}/webhook", world.url)).bearer_auth(token);
    request.header("content-type", "application/json").body(body).send().await.unwrap().status().as_u16()
}

/// The fields that prove a form of a page.
fn proof(html: &str) -> [(&'static str, &str); 2] {
    ["nonce", "proof"].map(|name| (name, hidden(html, name)))
}

#[tokio::test]
async fn who_has_what_is_listed_and_given_back_and_an_upstream_is_asked_for_its_silences() {
    crypto();
    let folder = TempDir::new().unwrap();
    let Some(server) = Server::alertmanager(folder.path(), NO_NOTIFIER).await else { return };
    let mut world = World::idle(Setup::demo(), "").await;
    world.write_config(&format!("upstreams: {{ am: {{ kind: alertmanager, url: '{}' }} }}\n{REST}", server.url));
    world.start().await;
    assert_eq!(
        sends(&world, "sender-token", alertmanager("磁盘将满", &[("db-1", "firing"), ("db-2", "firing")])).await,
        200
    );
    world.settled().await;
    let short = world.deliveries().await[0].thread.to_string();
    let mut reader = Visitor::signed_in(&world, "zhangsan").await;
    let mut other = Visitor::signed_in(&world, "lisi").await;
    let mut looker = Visitor::signed_in(&world, "daixuan").await;
    holds(&reader.opens("/silences").await.1, &["静默 0", "先看到会挡住几条", "认领 0", "没有人认领"]);
    holds(&reader.opens("/now?only=mine").await.1, &["我的 0"]);
    let path = format!("/i/{short}");
    let (_, html) = reader.opens(&path).await;
    let fields = ["nonce", "proof", "message"].map(|name| (name, hidden(&html, name)));
    assert_eq!(reader.posts(&path, &[&fields[..], &[("do", "acknowledge")]].concat()).await.0, 200);
    let (_, html) = reader.opens("/now?only=mine").await;
    holds(&html, &["我的 1", &format!("i/{short}")]);
    let (_, html) = reader.opens("/silences").await;
    holds(&html, &["认领 1", "zhangsan 已认领", "×2", &format!("i/{short}")]);
    // Not by a form of another, and not where the alert is another's.
    let release = [("do", "release"), ("incident", &*short)];
    let (_, theirs) = other.opens("/silences").await;
    assert!(!theirs.contains("磁盘将满"), "{theirs}");
    assert_eq!(other.posts("/silences", &[&proof(&html)[..], &release].concat()).await.0, 403);
    let (_, own) = other.opens("/me").await;
    assert_eq!(other.posts("/silences", &[&proof(&own)[..], &release].concat()).await.0, 404);
    let (status, given) = reader.posts("/silences", &[&proof(&html)[..], &release].concat()).await;
    assert_eq!(status, 200, "{given}");
    holds(&given, &["认领 0", "class=\"said good\""]);

    // What was made elsewhere is seen where it is, and only by those who see everything.
    let client = Client::new(&upstream(UpstreamKind::Alertmanager, &server.url)).unwrap();
    client.silence(&wanted(&["alertname=<b>别的", "instance=web-1"], "1")).await.unwrap();
    holds(&looker.opens("/silences").await.1, &["am 里的全部", "silences?upstream=am"]);
    let (status, html) = looker.opens("/silences?upstream=am").await;
    assert_eq!(status, 200);
    holds(&html, &["am 里的静默 1", "还剩", "张三", "卡片上的静默 1 小时", "alertname=&#34;&#60;b&#62;别的&#34;"]);
    assert_eq!(looker.opens("/silences?upstream=none").await.0, 404);
    assert_eq!(reader.opens("/silences?upstream=am").await.0, 404);
    assert!(!reader.opens("/silences").await.1.contains("upstream=am"));
    drop(server);
    let (status, html) = looker.opens("/silences?upstream=am").await;
    assert_eq!(status, 200);
    holds(&html, &["class=\"said\"", "am"]);
    assert!(!html.contains("现在没有静默"), "an upstream that does not answer has no known silences: {html}");
}

#[tokio::test]
async fn how_wegraf_is_has_what_comes_in_and_goes_out_and_the_configuration_is_read_again() {
    let world = World::new(REST).await;
    assert_eq!(sends(&world, "sender-token", alertmanager("磁盘将满", &[("db-1", "firing")])).await, 200);
    assert_eq!(sends(&world, "<b>wrong", alertmanager("磁盘将满", &[("db-1", "firing")])).await, 401);
    assert_eq!(sends(&world, "sender-token", alertmanager("没人收", &[("db-1", "firing")])).await, 200);
    world.settled().await;
    Program::new(&world, "ends-soon", "read", &[]).await;
    let mut looker = Visitor::signed_in(&world, "daixuan").await;
    let mut chief = Visitor::signed_in(&world, "wangwu").await;
    let (status, html) = looker.opens("/state").await;
    assert_eq!(status, 200);
    holds(
        &html,
        &[
            "收下 2",
            "不知道是谁",
            "拒绝 1",
            "每条变化一个去向",
            "ends-soon →",
            "没有告警能到的路由</dt><dd>1",
            "登录的浏览器</dt><dd>2",
        ],
    );
    assert!(!html.contains("重新读配置"), "who may only look changes nothing");
    let (_, html) = chief.opens("/state").await;
    let forged = [&proof(&html)[..], &[("do", "reload")]].concat();
    assert_eq!(looker.posts("/state", &forged).await.0, 403);
    let (_, own) = looker.opens("/me").await;
    assert_eq!(looker.posts("/state", &[&proof(&own)[..], &[("do", "reload")]].concat()).await.0, 404);
    assert_eq!(chief.posts("/state", &[&proof(&html)[..], &[("do", "x")]].concat()).await.0, 422);
    let (status, said) = chief.posts("/state", &[&proof(&html)[..], &[("do", "reload")]].concat()).await;
    assert_eq!(status, 200, "{said}");
    holds(&said, &["新配置已生效"]);
    world.write("wegraf.yaml", "nonsense: [");
    let (status, said) = chief.posts("/state", &[&proof(&html)[..], &[("do", "reload")]].concat()).await;
    assert_eq!(status, 409, "{said}");
    holds(&said, &["没有生效，仍用原来的"]);

    // A way that is paused is tried when a person says so, once, and it is on record who.
    holds(&chief.opens("/state").await.1, &["库的大小</dt><dd>"]);
    let store = world.app().store();
    let now = world.app().now();
    let open = Breaker {
        scope: Scope::stored("app/ops"),
        reason: "configuration".to_owned(),
        errcode: Some(60_020),
        error: "来源 IP 不可信\u{1f}the address is not trusted".to_owned(),
        opened_at: now,
        probe_at: now.plus_millis(300_000),
        failures: 1,
    };
    store.change_breaker(BreakerChange::Open(open)).await.unwrap();
    let (_, html) = looker.opens("/state").await;
    assert!(html.contains("来源 IP 不可信") && !html.contains("再试一次"), "who may only look tries nothing: {html}");
    assert_eq!(sends(&world, "sender-token", alertmanager("恢复后", &[("db-9", "firing")])).await, 200);
    let (_, html) = chief.opens("/state").await;
    holds(&html, &["再试一次", "自己会再试"]);
    let press = |scope| [&proof(&html)[..], &[("do", "probe"), ("scope", scope)]].concat();
    assert_eq!(chief.posts("/state", &press("app/none")).await.0, 409);
    let (status, said) = chief.posts("/state", &press("app/ops")).await;
    assert_eq!(status, 200, "{said}");
    holds(&said, &["这就试"]);
    assert_eq!(chief.posts("/state", &press("app/ops")).await.0, 409, "once");
    // The message that waited goes out long before the regular probe, and the way is open again.
    world.settled().await;
    assert!(store.breakers().await.unwrap().is_empty());
    holds(&chief.opens("/audit").await.1, &["wangwu", "再试暂停的通道", "app/ops"]);

    // A program does the same; a limit is not tried before its time.
    let program = Program::new(&world, "chief", "read change", &[]).await;
    let limited = Breaker {
        scope: Scope::stored("app/ops"),
        reason: "limit".to_owned(),
        errcode: Some(45_009),
        error: "频率超限".to_owned(),
        opened_at: now,
        probe_at: now.plus_millis(300_000),
        failures: 1,
    };
    store.change_breaker(BreakerChange::Open(limited)).await.unwrap();
    let health = program.found("/health").await;
    assert!(health["store_bytes"].as_u64().unwrap() > 0 && health["certificate_ends_at"].is_null(), "{health}");
    for (scope, status, code) in [("app/none", 404, "not_found"), ("app/ops", 409, "limited")] {
        let (answered, problem) = program.change("POST", "/health/probe", json!({ "scope": scope })).await;
        assert_eq!((answered, &problem["code"]), (status, &json!(code)), "{problem}");
    }
    let reads = Program::new(&world, "reads", "read", &[]).await;
    assert_eq!(reads.change("POST", "/health/probe", json!({ "scope": "app/ops" })).await.0, 403);
    store.change_breaker(BreakerChange::Close(Scope::stored("app/ops"))).await.unwrap();

    // What did not arrive stands beside its alert, and is a part of the list.
    let (_, html) = chief.opens("/now").await;
    holds(&html, &["✗ 1 处没送到", "没送到 1", "我的 0"]);
    let (_, html) = chief.opens("/now?only=missed").await;
    assert!(html.contains("没人收") && !html.contains("磁盘将满"), "{html}");
    let (_, html) = looker.opens("/now?only=missed&lang=en").await;
    holds(&html, &["✗ 1 not sent", "Not sent 1"]);

    // The search leads to an incident, to a person, and else to what is on; a person is known to those who see everything.
    let short = world.deliveries().await[0].thread.to_string();
    let leads = async |visitor: &Visitor<'_>, q: &str| {
        let answer = visitor.asks(&format!("/search?q={q}")).send().await.unwrap();
        assert_eq!(answer.status(), 303, "{q}");
        answer.headers()["location"].to_str().unwrap().to_owned()
    };
    let reader = Visitor::signed_in(&world, "zhangsan").await;
    for (visitor, q, to) in [
        (&looker, format!("%23{short}"), format!("i/{short}")),
        (&looker, "lisi".to_owned(), "people/lisi".to_owned()),
        (&looker, "nobody-at-all".to_owned(), "now?q=nobody-at-all".to_owned()),
        (&reader, "lisi".to_owned(), "now?q=lisi".to_owned()),
        (&reader, "ZhangSan".to_owned(), "people/ZhangSan".to_owned()),
        (&looker, "//evil.example".to_owned(), "now?q=%2F%2Fevil.example".to_owned()),
        (&looker, "%0d%0ax:y".to_owned(), "now?q=x%3Ay".to_owned()),
        (&looker, String::new(), "now?q=".to_owned()),
    ] {
        assert_eq!(leads(visitor, &q).await, to, "{q}");
    }

    // The tree, with the way that an alert takes.
    let (_, html) = looker.opens("/routes?label=alertname%3D没人收").await;
    holds(
        &html,
        &[
            "<li class=\"d1 taken\"><code>alertname=&#34;没人收&#34;</code>",
            "走这里",
            "7 天 1",
            "⚠ 没有告警能到",
            "其余",
        ],
    );
    assert_eq!(html.matches(" taken\"").count(), 1, "{html}");
    // What arrives is drawn, and stands beside as it is sent.
    let (_, html) = looker.opens(&format!("/routes?from={short}")).await;
    holds(&html, &["<div class=\"phone\"><p>", "发出的原文", "<pre class=\"as-sent\""]);
    let (_, html) = looker.opens("/routes?label=alertname%3D别的").await;
    holds(&html, &["<li class=\"d0 taken\"><code>其余</code>"]);
}
