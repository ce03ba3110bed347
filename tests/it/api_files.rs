//! `/api/v1`: templates and mappings by `PUT`, silences by `POST`, what a body would become, and bodies as they came.

use serde_json::{Value, json};

use crate::api::Program;
use crate::harness::{World, alertmanager};

const REST: &str = "
allow_anonymous: true
receivers: { ops: { template: duty, targets: [ { app: ops, users: [zhangsan], face: text } ] } }
route: { receiver: ops }
templates: [ 'templates/*.j2', 'fixed/*.j2' ]
payload_files: [ 'payloads.d/*.yaml' ]
console: { write: [ templates, payloads.d ] }
";
const TEMPLATE: &str = "{{ title }} 老样子\n{% for alert in alerts %}{{ alert.name }}\n{% endfor %}";
const MAPPING: &str = "- name: backups\n  has: [outcome, plan]\n  alert:\n    name: \"备份 {{ body.plan.job }}\"\n    key: \"{{ body.ticket }}\"\n    status: firing\n";

async fn world() -> World {
    let mut world = World::idle(wecom_simulator::Setup::demo(), "").await;
    for folder in ["templates", "payloads.d", "fixed"] {
        std::fs::create_dir(world.folder.path().join(folder)).unwrap();
    }
    std::fs::write(world.folder.path().join("templates/duty.j2"), TEMPLATE).unwrap();
    std::fs::write(world.folder.path().join("fixed/still.j2"), TEMPLATE).unwrap();
    world.write_config(REST);
    world.start().await;
    world
}

/// Puts a text; the status, the problem or the file, and its tag.
async fn put(
    world: &World,
    program: &Program<'_>,
    path: &str,
    headers: &[(&str, &str)],
    body: Value,
) -> (u16, Value, String) {
    let mut request = world.http.put(format!("{}/api/v1{path}", world.url)).bearer_auth(&program.secret);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.json(&body).send().await.unwrap();
    let tag = answer.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned()).unwrap_or_default();
    (answer.status().as_u16(), answer.json().await.unwrap(), tag)
}

async fn tag(world: &World, program: &Program<'_>, path: &str) -> String {
    let request = world.http.get(format!("{}/api/v1{path}", world.url)).bearer_auth(&program.secret);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    answer.headers()["etag"].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_saved_over_the_version_that_was_read_and_nothing_else() {
    let world = world().await;
    let chief = Program::new(&world, "chief", "change", &[]).await;
    let reader = Program::new(&world, "reader", "read read:raw act resend", &[]).await;
    let ops = Program::new(&world, "ops", "change", &["ops"]).await;
    let saved = || std::fs::read_to_string(world.folder.path().join("templates/duty.j2")).unwrap();
    let path = "/templates/duty";
    let found = chief.found(path).await;
    assert_eq!(
        (&found["text"], &found["writable"], &found["in_force"]),
        (&json!(TEMPLATE), &json!(true), &json!(true))
    );
    let old = tag(&world, &chief, path).await;
    let new = "{{ title }} 新样子\n{{ alerts[0].name }}";
    let body = json!({ "text": new });
    for (program, headers, body, expected) in [
        (&reader, &[("if-match", &*old)][..], body.clone(), (403, "scope")),
        (&ops, &[("if-match", &old)], body.clone(), (403, "scope")),
        (&chief, &[], body.clone(), (428, "unconditional")),
        (&chief, &[("if-match", "\"0123\"")], body.clone(), (412, "stale")),
        (&chief, &[("if-none-match", "*")], body.clone(), (412, "stale")),
        (&chief, &[("if-match", &old)], json!({ "text": "a\n{{ titel }}" }), (422, "invalid")),
        (&chief, &[("if-match", &old)], json!({ "txt": "a" }), (400, "body")),
        (&chief, &[("if-match", &old)], json!({ "text": "x".repeat(300_000) }), (400, "body")),
    ] {
        let (status, problem, _) = put(&world, program, path, headers, body).await;
        assert_eq!((status, problem["code"].as_str()), (expected.0, Some(expected.1)), "{problem}");
    }
    assert_eq!(saved(), TEMPLATE, "nothing that is refused is written");
    let (status, file, next) = put(&world, &chief, path, &[("if-match", &old)], body.clone()).await;
    assert_eq!((status, &file["text"], &file["in_force"]), (200, &json!(new), &json!(true)), "{file}");
    assert_eq!((saved(), next != old), (new.to_owned(), true));
    assert_eq!(put(&world, &chief, path, &[("if-match", &old)], body).await.0, 412, "that version is gone");
    let trail = world.app().store().trail(5).await.unwrap();
    assert_eq!((&*trail[0].person, &*trail[0].what), ("api/chief", "template"));

    // What is in no folder of console.write is read and not written.
    assert_eq!(chief.found("/templates/still").await["writable"], false);
    let still = tag(&world, &chief, "/templates/still").await;
    let (status, problem, _) =
        put(&world, &chief, "/templates/still", &[("if-match", &still)], json!({ "text": new })).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("read_only")));

    // A new file: in which folder must be said, and its name is plain.
    let fresh = [("if-none-match", "*")];
    let folder = world.folder.path().join("payloads.d").display().to_string();
    let text = json!({ "text": MAPPING, "folder": folder });
    assert_eq!(put(&world, &chief, "/mappings/backups", &fresh, json!({ "text": MAPPING })).await.0, 400);
    for name in ["..%2fx", "A", "a..b", "%E6%A8%A1"] {
        assert_eq!(put(&world, &chief, &format!("/mappings/{name}"), &fresh, text.clone()).await.0, 400, "{name}");
    }
    let elsewhere = json!({ "text": MAPPING, "folder": "/etc" });
    assert_eq!(put(&world, &chief, "/mappings/backups", &fresh, elsewhere).await.0, 400);
    let wrong = json!({ "text": "- name: [", "folder": folder });
    assert_eq!(put(&world, &chief, "/mappings/backups", &fresh, wrong).await.0, 422);
    let (status, file, _) = put(&world, &chief, "/mappings/backups", &fresh, text).await;
    assert_eq!((status, &file["in_force"]), (201, &json!(true)), "{file}");
    assert_eq!(chief.found("/mappings/backups").await["text"], MAPPING);
    assert_eq!(chief.change("GET", "/mappings/other", Value::Null).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_read_as_they_came_and_shown_as_they_would_go() {
    let world = world().await;
    let all = Program::new(&world, "all", "read", &[]).await;
    let raw = Program::new(&world, "raw", "read:raw", &[]).await;
    let ops = Program::new(&world, "ops", "read read:raw", &["ops"]).await;
    let body = alertmanager("磁盘将满", &[("db-1", "firing")]);
    world.accept("/webhook", body.clone()).await;
    world.settled().await;
    let sent = all.found("/deliveries").await["items"][0].clone();
    let id = sent["notification"].as_str().unwrap();
    let ask = async |program: &Program<'_>, path: &str| {
        let request = world.http.get(format!("{}/api/v1{path}", world.url)).bearer_auth(&program.secret);
        let answer = request.send().await.unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        (answer.status().as_u16(), kind, answer.text().await.unwrap())
    };
    let path = format!("/notifications/{id}/raw");
    assert_eq!(ask(&raw, &path).await, (200, "application/octet-stream".to_owned(), body.clone()));
    assert_eq!((ask(&all, &path).await.0, ask(&ops, &path).await.0), (403, 403));
    assert_eq!((ask(&raw, "/notifications/99999/raw").await.0, ask(&raw, "/notifications/x/raw").await.0), (404, 404));

    let shown = all.found(&format!("/preview?notification={id}")).await;
    let first = &shown["items"][0];
    assert_eq!((&first["receiver"], &first["target"]), (&json!("ops"), &json!("app/ops/zhangsan")), "{shown}");
    assert!(first["requests"].to_string().contains("老样子"), "{shown}");
    let given: Value = serde_json::from_str(&body).unwrap();
    let (status, posted) = all.change("POST", "/preview", json!({ "body": given })).await;
    assert_eq!((status, posted["items"].as_array().unwrap().len()), (200, 1), "{posted}");
    assert_eq!(all.change("POST", "/preview", json!({ "body": given, "receiver": "nobody" })).await.0, 404);
    assert_eq!(all.change("GET", "/preview", Value::Null).await.0, 400);
    assert_eq!(ops.change("GET", &format!("/preview?notification={id}"), Value::Null).await.0, 403);
    assert_eq!(world.deliveries().await.len(), 1, "nothing was sent");

    // The rest of the table: a silence as a thing of its own, one sender, a week.
    let actor = Program::new(&world, "actor", "read act", &[]).await;
    let short = sent["short"].as_str().unwrap();
    for (body, expected) in [
        (json!({ "incident": short, "for": "2h" }), (502, "failed")),
        (json!({ "incident": short }), (400, "body")),
        (json!({ "for": "2h" }), (400, "body")),
        (json!({ "incident": "ZZZZ", "for": "2h" }), (404, "not_found")),
    ] {
        let (status, problem) = actor.change("POST", "/silences", body).await;
        assert_eq!((status, problem["code"].as_str()), (expected.0, Some(expected.1)), "{problem}");
    }
    assert_eq!(all.change("POST", "/silences", json!({ "incident": short, "for": "2h" })).await.0, 403);
    for query in ["?state=all", "?state=ended", "?m=team%3Ddb", "?upstream=am"] {
        assert_eq!(all.found(&format!("/silences{query}")).await["items"], json!([]), "{query}");
    }
    for query in
        ["/silences?state=on", "/silences?m=team", "/reports/noise?week=48", "/reports/noise?week=2026-W48&since=1d"]
    {
        assert_eq!(all.change("GET", query, Value::Null).await.0, 400, "{query}");
    }
    assert_eq!(all.found("/senders?source=nobody").await["items"], json!([]));
    assert_eq!(all.found("/reports/noise?week=2026-W01").await["all"]["fired"], 0);
    assert_eq!(all.found("/alerts?state=all&until=1d").await["items"], json!([]), "times count for alerts, too");
    let own = all.found("/token").await;
    assert_eq!((&own["name"], &own["scopes"]), (&json!("all"), &json!(["read"])));
}
