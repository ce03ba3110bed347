//! Silences from matchers that are typed, in the console and by the API, and several changed at once: in a real Alertmanager.

use serde_json::{Value, json};
use tempfile::TempDir;
use wecom_simulator::Setup;
use wegraf::internals::store::ActFilter;

use crate::api::Program;
use crate::browser::Browser;
use crate::console::{Visitor, hidden};
use crate::harness::{World, alertmanager, crypto};
use crate::pages::is_sound_in_two;
use crate::programs::{Server, find};
use crate::silences::NO_NOTIFIER;
use crate::witness_alertmanager::holds;

const REST: &str = "
external_url: http://console.example.com
sources: { am: { bearer: sender-token } }
receivers:
  ops: { targets: [ { app: ops, users: [zhangsan, lisi], face: text } ] }
  dba: { targets: [ { app: ops, users: [zhangsan], face: text } ], may_act: { users: [zhangsan] } }
route: { receiver: ops, routes: [ { matchers: ['alertname=\"主库只读\"'], receiver: dba } ] }
console: { may_look: { users: [daixuan] }, may_change: { users: [wangwu] } }
";

/// With an Alertmanager that knows two alerts, which were also told by us.
async fn world(server: &Server) -> World {
    let mut world = World::idle(Setup::demo(), "").await;
    world.write_config(&format!("upstreams: {{ am: {{ kind: alertmanager, url: '{}' }} }}\n{REST}", server.url));
    world.start().await;
    for (name, instances) in [("磁盘将满", &["db-1", "db-2"][..]), ("主库只读", &["order-db"])] {
        let told: Vec<(&str, &str)> = instances.iter().map(|instance| (*instance, "firing")).collect();
        let body = alertmanager(name, &told);
        let request = world.http.post(format!("{}/webhook", world.url)).bearer_auth("sender-token");
        let request = request.header("content-type", "application/json").body(body);
        assert_eq!(request.send().await.unwrap().status(), 200);
        let labels = |instance: &&str| json!({ "labels": { "alertname": name, "instance": instance } });
        let there: Vec<Value> = instances.iter().map(labels).collect();
        let posted = world.http.post(format!("{}/api/v2/alerts", server.url)).json(&there).send().await.unwrap();
        assert_eq!(posted.status(), 200);
        world.settled().await;
    }
    world
}

fn in_force(there: &str) -> usize {
    let there: Vec<Value> = serde_json::from_str(there).unwrap();
    there.iter().filter(|silence| silence["status"]["state"] == "active").count()
}

async fn silences(server: &Server) -> String {
    server.get("/api/v2/silences").await.unwrap()
}

/// The fields of the form that makes what was shown.
fn offered(html: &str) -> Vec<(&'static str, String)> {
    ["nonce", "proof", "shown", "for", "comment"].map(|name| (name, hidden(html, name).to_owned())).into()
}

async fn posts(visitor: &mut Visitor<'_>, path: &str, fields: &[(&str, String)]) -> (u16, String) {
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    visitor.posts(path, &fields).await
}

#[tokio::test]
async fn matchers_are_typed_seen_first_and_silenced_once_by_who_may_act_on_every_alert() {
    crypto();
    let folder = TempDir::new().unwrap();
    let Some(server) = Server::alertmanager(folder.path(), NO_NOTIFIER).await else { return };
    let world = world(&server).await;
    let mut all = Visitor::signed_in(&world, "zhangsan").await;
    // Of the two receivers one is not lisi's; who may only look acts on nothing.
    for person in ["lisi", "daixuan"] {
        let mut other = Visitor::signed_in(&world, person).await;
        let (status, html) = other.opens("/silences/new?m=a%3Db").await;
        assert_eq!(status, 403, "{person}: {html}");
        holds(&html, &["may_act"]);
        assert!(!other.opens("/silences").await.1.contains("silences/new"), "{person}");
        let (_, own) = other.opens("/me").await;
        let fields = [("nonce", hidden(&own, "nonce")), ("proof", hidden(&own, "proof")), ("m", "a=b"), ("for", "1h")];
        assert_eq!(other.posts("/silences/new", &fields).await.0, 403);
    }
    assert_eq!(Visitor::signed_in(&world, "wangwu").await.opens("/silences/new").await.0, 200, "who may change");
    holds(&all.opens("/silences").await.1, &["silences/new"]);

    // What is wrong is said, and then there is no button.
    for (query, wrong) in [
        ("m=alertname%3D%22x", "引号没有配对"),
        ("m=alertname", "写成 标签=值"),
        ("m=instance%3D~(", "正则写错了"),
        ("m=instance%3D~.*", "会挡住所有告警"),
        ("m=a%3Db&upstream=other", "没有能静默的上游 `other`"),
    ] {
        let (status, html) = all.opens(&format!("/silences/new?{query}")).await;
        assert_eq!(status, 200);
        holds(&html, &[wrong]);
        assert!(!html.contains("name=\"shown\""), "{html}");
    }
    let path = "/silences/new?m=alertname%3D磁盘将满&m=instance%3D~%22db-.*%22&for=2h&comment=换盘<b>";
    let (status, html) = all.opens(path).await;
    assert_eq!(status, 200);
    holds(
        &html,
        &[
            "<option value=\"2h\" selected>",
            "会挡住",
            "<b>2 条</b>",
            "instance=db-1",
            "instance=db-2",
            "换盘&#60;b&#62;",
            "name=\"shown\"",
        ],
    );
    assert!(!html.contains("主库只读"), "{html}");

    // Another set than was shown is refused; what was shown is made once, however often the form comes.
    let shown = offered(&html);
    let form = |matchers: &str| [&shown[..], &[("m", matchers.to_owned()), ("do", "silence".to_owned())]].concat();
    assert_eq!(posts(&mut all, "/silences/new", &form("alertname=~.+")).await.0, 409);
    assert_eq!(in_force(&silences(&server).await), 0);
    let (status, said) = posts(&mut all, "/silences/new", &form("alertname=磁盘将满\ninstance=~\"db-.*\"")).await;
    assert_eq!(status, 200, "{said}");
    holds(&said, &["class=\"said good\""]);
    posts(&mut all, "/silences/new", &form("alertname=磁盘将满\ninstance=~\"db-.*\"")).await;
    let there = silences(&server).await;
    assert_eq!(in_force(&there), 1, "{there}");
    holds(&there, &["换盘", "(wegraf:", "zhangsan"]);
    let acts = world.app().store().acts(ActFilter { by: Some("zhangsan".to_owned()), ..ActFilter::default() }).await;
    let act = acts.unwrap().remove(0);
    assert_eq!((act.via.as_str(), act.state.as_str(), act.thread.0), ("console/command", "done", 0));
    assert!(act.detail.starts_with("am "), "{}", act.detail);
    holds(&all.opens("/silences").await.1, &["静默 1", "alertname=&#34;磁盘将满&#34; instance=~&#34;db-.*&#34;"]);
}

#[tokio::test]
async fn several_silences_are_moved_and_ended_by_one_press_and_each_is_on_record() {
    crypto();
    let folder = TempDir::new().unwrap();
    let Some(server) = Server::alertmanager(folder.path(), NO_NOTIFIER).await else { return };
    let world = world(&server).await;
    let mut all = Visitor::signed_in(&world, "zhangsan").await;
    let program = Program::new(&world, "ci", "read act", &[]).await;
    let mut made = Vec::new();
    for matcher in ["alertname=主库只读", "instance=db-1", "instance=db-2"] {
        let (status, act, _) = program.post("/silences", "", json!({ "matchers": [matcher], "for": "1h" })).await;
        assert_eq!((status, &act["state"]), (201, &json!("done")), "{act}");
        made.push(act["act"].as_str().unwrap().to_owned());
    }
    let (_, html) = all.opens("/silences").await;
    holds(&html, &["静默 3", "挡住 1 条仍在告警的", "一次改几个", &format!("name=\"chosen.{}\"", made[0])]);
    let proof = || ["nonce", "proof"].map(|name| (name, hidden(&html, name).to_owned()));
    let press = |wish: &str, chosen: &[&String]| {
        let mut fields = vec![("several".to_owned(), "1".to_owned()), ("do".to_owned(), wish.to_owned())];
        fields.extend(proof().map(|(name, value)| (name.to_owned(), value)));
        fields.push(("span".to_owned(), "4h".to_owned()));
        fields.extend(chosen.iter().map(|act| (format!("chosen.{act}"), "on".to_owned())));
        fields
    };
    let sends = async |visitor: &mut Visitor<'_>, fields: Vec<(String, String)>| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        visitor.posts("/silences", &fields).await
    };
    assert_eq!(sends(&mut all, press("extend", &[])).await.0, 422, "none is ticked");
    let (status, said) = sends(&mut all, press("extend", &[&made[0], &made[1]])).await;
    assert_eq!(status, 200, "{said}");
    assert_eq!(said.matches("class=\"said good\"").count(), 2, "{said}");
    let long = async || {
        let items = program.found("/silences").await["items"].clone();
        let ends = |item: &Value| item["until"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let far = world.app().now().plus_millis(3 * 3_600_000).0;
        items.as_array().unwrap().iter().filter(|item| ends(item) > far).count()
    };
    assert_eq!(long().await, 2, "the third keeps its end");
    // Not by a person without the right, who sees it because it hides what is theirs.
    let mut other = Visitor::signed_in(&world, "lisi").await;
    let (_, own) = other.opens("/me").await;
    let mut fields = press("expire", &[&made[2]]);
    fields.retain(|(name, _)| name != "nonce" && name != "proof");
    fields.extend(["nonce", "proof"].map(|name| (name.to_owned(), hidden(&own, name).to_owned())));
    let (status, said) = sends(&mut other, fields).await;
    assert_eq!(status, 403, "{said}");
    holds(&said, &["may_act"]);
    assert_eq!(in_force(&silences(&server).await), 3);
    let (status, said) = sends(&mut all, press("expire", &[&made[0], &made[2]])).await;
    assert_eq!(status, 200, "{said}");
    assert_eq!(said.matches("class=\"said good\"").count(), 2, "{said}");
    assert_eq!(in_force(&silences(&server).await), 1);
    let acts = world.app().store().acts(ActFilter { by: Some("zhangsan".to_owned()), ..ActFilter::default() }).await;
    let kinds: Vec<&str> = acts.unwrap().iter().map(|act| act.kind.as_str()).collect();
    assert_eq!(kinds, ["expire", "expire", "extend", "extend"]);
}

#[tokio::test]
async fn a_program_silences_matchers_as_the_command_does() {
    crypto();
    let folder = TempDir::new().unwrap();
    let Some(server) = Server::alertmanager(folder.path(), NO_NOTIFIER).await else { return };
    let world = world(&server).await;
    let program = Program::new(&world, "ci", "read act", &[]).await;
    let narrow = Program::new(&world, "narrow", "read act", &["ops"]).await;
    let seen = program.found("/silences/preview?m=instance%3D~%22db-.*%22").await;
    assert_eq!((&seen["count"], &seen["counted_by"], &seen["upstream"]), (&json!(2), &json!("upstream"), &json!("am")));
    assert_eq!(seen["alerts"].as_array().unwrap().len(), 2);
    let body = json!({ "matchers": ["instance=~\"db-.*\""], "for": "2h", "comment": "new disk" });
    for (body, code) in [
        (json!({ "matchers": [], "for": "1h" }), "body"),
        (json!({ "matchers": ["a=~.*"], "for": "1h" }), "body"),
        (json!({ "matchers": ["a=\"b"], "for": "1h" }), "body"),
        (json!({ "matchers": ["a=b"], "for": "90d" }), "body"),
        (json!({ "matchers": ["a=b"], "for": "1h", "incident": "7K2Q" }), "body"),
        (json!({ "incident": "7K2Q", "for": "1h", "comment": "x" }), "body"),
        (json!({ "matchers": ["a=b"], "for": "1h", "upstream": "other" }), "body"),
    ] {
        let (status, problem, _) = program.post("/silences", "", body.clone()).await;
        assert_eq!((status, &problem["code"]), (400, &json!(code)), "{body}: {problem}");
    }
    assert_eq!(narrow.post("/silences", "", body.clone()).await.0, 403, "matchers know no receivers");
    assert_eq!(in_force(&silences(&server).await), 0);
    let (status, act, _) = program.post("/silences", "k1", body.clone()).await;
    assert_eq!((status, &act["state"], &act["hides"]), (201, &json!("done"), &json!(2)), "{act}");
    assert!(program.post("/silences", "k1", body).await.2, "the same key acts once");
    let there = silences(&server).await;
    assert_eq!(in_force(&there), 1);
    holds(&there, &["new disk (wegraf:", "api/ci"]);
    let id = act["act"].as_str().unwrap();
    let (status, moved) = program.change("PATCH", &format!("/silences/{id}"), json!({ "for": "5h" })).await;
    assert_eq!((status, &moved["state"]), (201, &json!("done")), "{moved}");
    let (status, ended) = program.change("DELETE", &format!("/silences/{id}"), json!({})).await;
    assert_eq!((status, &ended["state"]), (201, &json!("done")), "{ended}");
    assert_eq!(in_force(&silences(&server).await), 0);
    // An upstream that is down: our record counts, and what failed is said.
    drop(server);
    let seen = program.found("/silences/preview?m=instance%3D~%22db-.%22").await;
    assert_eq!((&seen["count"], &seen["counted_by"]), (&json!(2), &json!("record")));
    let (status, problem, _) = program.post("/silences", "", json!({ "matchers": ["a=b"], "for": "1h" })).await;
    assert_eq!((status, &problem["code"]), (502, &json!("failed")), "{problem}");
}

#[tokio::test]
async fn the_pages_of_silences_are_sound_in_a_browser() {
    crypto();
    if find("target/witnesses/node/node_modules/axe-core/axe.min.js").is_none() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let Some(server) = Server::alertmanager(folder.path(), NO_NOTIFIER).await else { return };
    let world = world(&server).await;
    let Some(mut browser) = Browser::open(390, 844, &[]).await else { return };
    let ticket = world.app().acts().ticket("zhangsan", "command").await.unwrap();
    browser.visit(&format!("{}/login/link/{ticket}", world.url)).await;
    browser.evaluate("document.querySelector('form button').click()").await;
    browser.until("location.pathname === '/now' && document.readyState === 'complete'").await;
    for (name, path) in [
        ("silence-preview", "silences/new?m=alertname%3D%22磁盘将满%22&for=2h"),
        ("silence-wrong", "silences/new?m=alertname%3D%22x"),
        ("silences-made", "silences?x=1"),
    ] {
        is_sound_in_two(&mut browser, name, &format!("{}/{path}", world.url)).await;
    }
}
