//! Commands that look ask a gateway elsewhere with a token, and print what they print beside the database.

use serde_json::Value;

use crate::api::Program;
use crate::console::Visitor;
use crate::harness::{World, alertmanager};
use crate::process::{Answer, run};

const REST: &str = "
allow_anonymous: true
receivers:
  ops: { targets: [ { app: ops, users: [zhangsan], face: text } ] }
  dba: { targets: [ { webhook: ops-group } ] }
route: { receiver: ops, routes: [ { matchers: ['alertname=\"主库只读\"'], receiver: dba } ] }
rotas: { dba: rota.yaml }
";
const ROTA: &str =
    "timezone: Asia/Shanghai\nhandover: \"09:00\"\nevery: 1w\nstart: 2026-01-05\npeople: [[lisi], [wangwu]]\n";

async fn made() -> World {
    let mut world = World::idle(wecom_simulator::Setup::demo(), "").await;
    world.write("rota.yaml", ROTA);
    world.write_config(REST);
    world.start().await;
    for body in [
        alertmanager("磁盘将满", &[("db-1", "firing"), ("db-2", "firing")]),
        alertmanager("主库只读", &[("order-db", "firing")]),
        alertmanager("HighCPU", &[("web-1", "firing")]),
        alertmanager("HighCPU", &[("web-1", "resolved")]),
    ] {
        world.accept("/webhook", body).await;
        world.settled().await;
    }
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_prints_the_same_from_the_database_and_from_a_gateway() {
    let world = made().await;
    let all = Program::new(&world, "all", "read read:raw act change", &[]).await;
    let short = all.found("/incidents?q=磁盘").await["items"][0]["short"].as_str().unwrap().to_owned();
    let take = serde_json::json!({ "kind": "acknowledge", "incident": short });
    assert_eq!(all.change("POST", "/acts", take).await.0, 201);
    world.settled().await;
    let there = async |arguments: &[&str]| -> Answer {
        let place = ["--lang", "zh", "--url", &world.url, "--token", &all.secret];
        run(&world, &[arguments, &place].concat()).await.exits(0)
    };
    let here =
        async |arguments: &[&str]| -> Answer { run(&world, &[arguments, &["--lang", "zh"]].concat()).await.exits(0) };
    let number = world.deliveries().await[0].message.to_string();
    for arguments in [
        &["deliveries", "list"][..],
        &["deliveries", "list", "--limit", "2"],
        &["deliveries", "list", "--state", "sent", "--receiver", "dba"],
        &["deliveries", "list", "--label", "instance=db-2", "--since", "1h"],
        &["deliveries", "list", "--person", "nobody"],
        &["deliveries", "show", &short],
        &["deliveries", "show", &number],
        &["deliveries", "export"],
        &["acts", "list"],
        &["acts", "list", "--json", "--by", "api/all"],
        &["alerts", "list"],
        &["alerts", "list", "--state", "all", "--json"],
        &["alerts", "list", "--claimed-by", "api/all", "--critical"],
        &["duty"],
        &["duty", "dba", "--json", "--days", "20", "--at", "2026-11-29T00:00:00Z"],
        &["route", "alertname=主库只读"],
        &["route", "--json", "severity=critical"],
        &["report", "--json"],
        &["deliveries", "audit"],
        &["deliveries", "audit", "--json"],
        &["preview", "--sample", "alertmanager-group"],
        &["preview", "dba", "--sample", "grafana-firing", "--json"],
        &["preview", "--sample", "alertmanager-group", "--why"],
        &["preview", "dba", "--sample", "grafana-firing", "--json", "--why"],
        &["bots", "list", "--json"],
    ] {
        let mut both = (there(arguments).await.out, here(arguments).await.out);
        // Samples began so many minutes ago: a minute may pass between the two.
        if both.0 != both.1 {
            both = (there(arguments).await.out, here(arguments).await.out);
        }
        assert_eq!(both.0, both.1, "{arguments:?}");
    }
    // A program reads the same rows; when they may be tried again is told of those that wait only.
    let rows = |answer: Answer| {
        let mut rows = answer.json();
        for row in rows["deliveries"].as_array_mut().unwrap() {
            row.as_object_mut().unwrap().remove("not_before");
        }
        rows
    };
    let listed = ["deliveries", "list", "--json"];
    assert_eq!(rows(there(&listed).await), rows(here(&listed).await));
    assert!(here(&["alerts", "list"]).await.out.contains("磁盘将满"), "they are not all empty");
    here(&["preview", "--sample", "alertmanager-group", "--why"]).await.says(&["对象 `"]);
    there(&["report"]).await.says(&["告警 4", "磁盘将满"]);
    there(&["silences", "list"]).await.says(&["没有静默"]);
    // Who is signed in; a token that may only read is not told.
    let sessions = ["console", "sessions", "--json"];
    Visitor::signed_in(&world, "zhangsan").await;
    assert_eq!(there(&sessions).await.json(), here(&sessions).await.json());
    assert_eq!(there(&sessions).await.json()["sessions"][0]["person"], "zhangsan");
    let unknown = ["preview", "nobody", "--url", &world.url, "--token", &all.secret, "--lang", "zh"];
    let refused = run(&world, &unknown).await.exits(2);
    assert!(refused.err.contains("没有名为 `nobody` 的接收者"), "{}", refused.err);
    let doctor = there(&["doctor"]).await;
    doctor.says(&["令牌 all", "等待发送", "一切正常"]);

    // Without a configuration and without the right to any file of the gateway.
    let folder = tempfile::tempdir().unwrap();
    let listed = tokio::process::Command::new(env!("CARGO_BIN_EXE_wegraf"))
        .args(["deliveries", "list", "--json"])
        .current_dir(folder.path())
        .env_clear()
        .env("WEGRAF_URL", &world.url)
        .env("WEGRAF_TOKEN", &all.secret)
        .output()
        .await
        .unwrap();
    let rows: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert!(rows["deliveries"].as_array().unwrap().len() >= 4, "{rows}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_a_command_from_looking_is_said_in_the_readers_language() {
    let world = made().await;
    let reader = Program::new(&world, "reader", "read", &["ops"]).await;
    let deaf = Program::new(&world, "deaf", "act", &[]).await;
    let other = wegraf::internals::http::api::token::fresh();
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (dead, simulator) = (format!("http://{dead}"), world.simulator.url());
    let tls = world.url.replace("http://", "https://");
    for (url, token, code, zh, en) in [
        (&*world.url, Some(&*other), 1, "不认这个令牌", "does not take this token"),
        (&world.url, Some("x"), 1, "不认这个令牌", "does not take this token"),
        (&world.url, Some(&deaf.secret), 1, "要有 read 这个范围", "it needs the scope read"),
        (&world.url, None, 2, "--url 要有令牌", "--url needs a token"),
        (&dead, Some(&reader.secret), 1, "连不上", "cannot be reached"),
        (&simulator, Some(&reader.secret), 1, "那里不是 wegraf", "it is no wegraf"),
        (&tls, Some(&reader.secret), 1, "TLS", "TLS"),
        ("wegraf", Some(&reader.secret), 2, "--url 写成", "write --url like"),
    ] {
        for (language, says) in [("zh", zh), ("en", en)] {
            let mut arguments = vec!["deliveries", "list", "--lang", language, "--url", url];
            arguments.extend(token.into_iter().flat_map(|token| ["--token", token]));
            let answer = run(&world, &arguments).await;
            assert!(answer.err.contains(says), "{url} {language}: {}", answer.err);
            assert!(token.is_none_or(|token| token == "x" || !answer.err.contains(token)), "a token is shown");
            answer.exits(code);
        }
    }
    // A token with a list of receivers sees theirs, and is refused where all are shown.
    let place = ["--lang", "en", "--url", &world.url, "--token", &reader.secret];
    let listed = run(&world, &[&["deliveries", "list"][..], &place].concat()).await.exits(0);
    assert!(listed.out.contains("磁盘将满") && !listed.out.contains("主库只读"), "{}", listed.out);
    let route = run(&world, &[&["route", "a=b"][..], &place].concat()).await.exits(1);
    assert!(route.err.contains("only tokens without a list of receivers"), "{}", route.err);
    run(&world, &[&["deliveries", "show", "999999"][..], &place].concat()).await.exits(1);
}
