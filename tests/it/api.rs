//! `/api/v1`: what a token may see and do, pages by a cursor, problems, requests that count once.

use serde_json::{Value, json};
use wegraf::internals::http::api::token::fresh;
use wegraf::internals::store::{ActFilter, ApiToken, NewToken, hash};

use crate::harness::{World, alertmanager};
use crate::process::run;

const RECEIVERS: &str = "
sources: { am: { bearer: sender-token } }
receivers:
  ops: { targets: [ { app: ops, users: [zhangsan], face: text } ] }
  dba: { targets: [ { app: ops, users: [lisi], face: text } ] }
route: { receiver: ops, routes: [ { matchers: ['alertname=\"主库只读\"'], receiver: dba } ] }
rotas: { dba: rota.yaml }
";
const ROTA: &str =
    "timezone: Asia/Shanghai\nhandover: \"09:00\"\nevery: 1w\nstart: 2026-01-05\npeople: [[lisi], [wangwu]]\n";

/// A program with a token.
pub struct Program<'a> {
    world: &'a World,
    pub secret: String,
}

impl<'a> Program<'a> {
    pub async fn new(world: &'a World, name: &str, scopes: &str, receivers: &[&str]) -> Self {
        let (secret, now) = (fresh(), world.app().now());
        let token = ApiToken {
            name: name.to_owned(),
            owner: "daixuan".to_owned(),
            scopes: scopes.to_owned(),
            receivers: (!receivers.is_empty()).then(|| receivers.iter().map(|name| (*name).to_owned()).collect()),
            made_at: now,
            ends_at: now.plus_millis(3_600_000),
            used_at: None,
        };
        let new = NewToken { hash: hash(&secret), token };
        assert!(world.app().store().make_api_token(new, "test".to_owned(), now).await.unwrap());
        Self { world, secret }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        let answer = request.bearer_auth(&self.secret).send().await.unwrap();
        let (status, kind) = (answer.status().as_u16(), answer.headers().get("content-type").cloned());
        let text = answer.text().await.unwrap();
        let kind = kind.map(|kind| kind.to_str().unwrap().to_owned()).unwrap_or_default();
        assert_eq!(kind == "application/problem+json", status >= 400, "{status} {kind} {text}");
        (status, serde_json::from_str(&text).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.send(self.world.http.get(format!("{}/api/v1{path}", self.world.url))).await
    }

    pub async fn found(&self, path: &str) -> Value {
        let (status, found) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {found}");
        found
    }

    pub async fn change(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let method = method.parse().unwrap();
        self.send(self.world.http.request(method, format!("{}/api/v1{path}", self.world.url)).json(&body)).await
    }

    pub async fn post(&self, path: &str, key: &str, body: Value) -> (u16, Value, bool) {
        let request = self.world.http.post(format!("{}/api/v1{path}", self.world.url)).bearer_auth(&self.secret);
        let request = if key.is_empty() { request } else { request.header("idempotency-key", key) };
        let answer = request.json(&body).send().await.unwrap();
        let (status, again) = (answer.status().as_u16(), answer.headers().contains_key("idempotency-replayed"));
        (status, answer.json().await.unwrap(), again)
    }
}

fn texts<'v>(list: &'v Value, field: &str) -> Vec<&'v str> {
    list["items"].as_array().unwrap().iter().map(|item| item[field].as_str().unwrap_or_default()).collect()
}

async fn world() -> World {
    let mut world = World::idle(wecom_simulator::Setup::demo(), "").await;
    world.write("rota.yaml", ROTA);
    world.write_config(RECEIVERS);
    world.start().await;
    for body in [
        alertmanager("磁盘将满", &[("db-1", "firing"), ("db-2", "firing")]),
        alertmanager("主库只读", &[("order-db", "firing")]),
        alertmanager("HighCPU", &[("web-1", "firing")]),
        alertmanager("HighCPU", &[("web-1", "resolved")]),
    ] {
        let request = world.http.post(format!("{}/webhook", world.url)).bearer_auth("sender-token").body(body);
        assert_eq!(request.send().await.unwrap().status(), 200);
        // One by one, so that none waits for another and is folded into a digest.
        world.settled().await;
    }
    world
}

#[tokio::test]
async fn a_token_reads_what_its_receivers_know_page_by_page() {
    let world = world().await;
    let all = Program::new(&world, "all", "read read:raw", &[]).await;
    let dba = Program::new(&world, "dba", "read", &["dba"]).await;

    let on = all.found("/incidents").await;
    assert_eq!(texts(&on, "name"), ["主库只读", "磁盘将满"]);
    assert_eq!((&on["items"][1]["alerts"], &on["items"][1]["receivers"]), (&json!(2), &json!(["ops"])));
    assert_eq!(texts(&all.found("/incidents?state=all").await, "name"), ["HighCPU", "主库只读", "磁盘将满"]);
    assert_eq!(texts(&all.found("/incidents?state=resolved").await, "state"), ["resolved"]);
    assert_eq!(texts(&dba.found("/incidents").await, "name"), ["主库只读"]);
    assert_eq!(texts(&all.found("/incidents?q=磁盘&label=instance:db-1&source=am").await, "name"), ["磁盘将满"]);
    assert_eq!(texts(&all.found("/alerts?q=db-2").await, "name"), ["磁盘将满"]);
    assert_eq!(texts(&dba.found("/alerts").await, "receiver"), ["dba"]);
    // Page by page, and a cursor is for its list only.
    let first = all.found("/incidents?state=all&limit=2").await;
    let next = first["next"].as_str().unwrap();
    let second = all.found(&format!("/incidents?state=all&limit=2&cursor={next}")).await;
    assert_eq!((texts(&second, "name"), &second["next"]), (vec!["磁盘将满"], &Value::Null));
    let (status, problem) = all.get(&format!("/incidents?cursor={next}")).await;
    assert_eq!((status, problem["code"].as_str()), (400, Some("query")));

    let rows = all.found("/deliveries").await;
    assert_eq!(rows["items"].as_array().unwrap().len(), 4);
    assert_eq!(texts(&dba.found("/deliveries?state=sent").await, "receiver"), ["dba"]);
    assert_eq!(texts(&all.found("/deliveries?person=lisi").await, "receiver"), ["dba"]);
    assert_eq!(texts(&all.found("/deliveries?label=instance:db-2&target=app/ops/zhangsan").await, "name").len(), 1);
    assert_eq!(texts(&all.found("/deliveries?errcode=60020").await, "id").len(), 0);
    let short = on["items"][1]["short"].as_str().unwrap();
    assert_eq!(texts(&all.found(&format!("/deliveries?short=%23{short}")).await, "short"), [short]);
    let id =
        rows["items"].as_array().unwrap().iter().find(|row| row["short"] == short).unwrap()["id"].as_str().unwrap();
    let one = all.found(&format!("/deliveries/{id}")).await;
    assert!(
        one["bytes"][0]["body"].as_str().unwrap().contains("磁盘将满") && one["attempts"][0]["errcode"] == 0,
        "{one}"
    );
    assert_eq!((one["changes"].as_array().unwrap().len(), &one["changes"][0]["fate"]), (2, &json!("named")));
    let incident = all.found(&format!("/incidents/{short}")).await;
    assert_eq!(incident["incident"]["firing"], 2, "{incident}");
    assert_eq!(texts(&json!({ "items": incident["timeline"] }), "what"), ["queued", "sent"]);
    // By words, once the job has written them.
    while world.app().store().index_terms().await.unwrap().more {}
    assert_eq!(texts(&all.found("/deliveries?q=磁盘 db-2").await, "short"), [short]);
    assert_eq!(texts(&dba.found("/deliveries?q=磁盘").await, "short").len(), 0);
    assert_eq!(texts(&all.found("/deliveries?q=lisi").await, "receiver"), ["dba"]);
    assert_eq!(all.get("/deliveries?q=%25%25").await.0, 400);
    // What a token may not see is not there.
    for path in [
        format!("/incidents/{short}"),
        format!("/deliveries/{id}"),
        "/incidents/ZZZZ".to_owned(),
        "/deliveries/x".to_owned(),
    ] {
        let (status, problem) = dba.get(&path).await;
        assert_eq!(
            (status, problem["code"].as_str(), problem["instance"].as_str()),
            (404, Some("not_found"), Some(&*format!("/api/v1{path}")))
        );
    }
    assert!(
        dba.found(&format!("/deliveries/{}", texts(&dba.found("/deliveries").await, "id")[0]))
            .await
            .get("bytes")
            .is_none()
    );

    assert_eq!(texts(&all.found("/senders").await, "name"), ["am"]);
    assert_eq!(all.found("/health").await["state"], "ok");
    assert_eq!(texts(&all.found("/routes/explain?label=alertname:主库只读").await, "receiver"), ["dba"]);
    assert_eq!(all.found("/routes").await["root"], "ops");
    assert_eq!(texts(&all.found("/duty").await, "name"), ["dba"]);
    assert_eq!(all.found("/duty/dba?days=7&at=2026-11-29T00:00:00Z").await["items"][0]["shifts"][0]["why"], "shift");
    assert_eq!(all.get("/duty/nobody").await.0, 404);
    for path in ["/health", "/senders", "/routes"] {
        assert_eq!(dba.get(path).await.0, 403, "{path}");
    }
    let noise = all.found("/reports/noise?since=1h").await;
    assert_eq!((&noise["all"]["fired"], &noise["all"]["sent"]), (&json!(4), &json!(4)), "{noise}");
    assert_eq!((&noise["needless"], &noise["rules"][0]["needless"]), (&json!(0), &json!(0)));
    assert_eq!((&noise["rules"][0]["name"], &noise["rules"][0]["taken_percent"]), (&json!("磁盘将满"), &Value::Null));
    assert_eq!(dba.found("/reports/noise").await["receivers"][0]["name"], "dba");
    assert_eq!(all.get("/reports/noise?since=100d").await.0, 400);
    let printed = run(&world, &["report", "--since", "1h"]).await.exits(0);
    printed.says(&["告警 4", "磁盘将满", "接收者 receivers"]);
    assert_eq!(run(&world, &["report", "--json"]).await.exits(0).json()["all"]["fired"], 4);
    run(&world, &["report", "--since", "200d"]).await.exits(2);
    assert_eq!(texts(&all.found("/silences").await, "act").len(), 0);
    assert_eq!(texts(&all.found("/acts").await, "id").len(), 0);
}

#[tokio::test]
async fn what_is_wrong_is_said_and_guesses_lead_nowhere() {
    let world = world().await;
    let all = Program::new(&world, "all", "read", &[]).await;
    let ask = async |path: &str, headers: &[(&str, &str)]| {
        let mut request = world.http.get(format!("{}/api/v1{path}", world.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        let (status, tag) = (answer.status().as_u16(), answer.headers().get("etag").cloned());
        (status, tag.map(|tag| tag.to_str().unwrap().to_owned()), answer.text().await.unwrap())
    };
    let bearer = format!("Bearer {}", all.secret);
    let other = format!("Bearer {}", fresh());
    for wrong in
        [&[][..], &[("authorization", "Bearer wgt_x")], &[("authorization", &other)], &[("cookie", "wegraf=x")]]
    {
        let (status, _, text) = ask("/incidents", wrong).await;
        let problem: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status, &problem["type"]), (401, &json!("tag:wegraf,2026:token")), "{text}");
        assert!(!text.contains("磁盘将满"));
    }
    let (status, problem) = all.get("/incidents?stat=firing").await;
    assert_eq!((status, problem["detail"].as_str()), (400, Some("没有 stat 这个键，是 state 吗？")));
    let english = ask("/incidents?since=soon", &[("authorization", &bearer), ("accept-language", "en")]).await;
    assert!(english.0 == 400 && english.2.contains("since must be a time as of RFC 3339"), "{}", english.2);
    let (status, tag, _) = ask("/incidents", &[("authorization", &bearer)]).await;
    let tag = tag.unwrap();
    assert_eq!(status, 200);
    let (status, _, text) = ask("/incidents", &[("authorization", &bearer), ("if-none-match", &tag)]).await;
    assert_eq!((status, text.as_str()), (304, ""));
    let (status, problem, _) = all.post("/acts", "", json!({ "kind": "acknowledge", "incident": "7K2Q" })).await;
    assert_eq!((status, &problem["detail"]), (403, &json!("要有 act 这个范围")));
    // A page takes no token, and what answers a token takes no cookie.
    let page = world.http.get(format!("{}/now", world.url)).header("authorization", &bearer).send().await.unwrap();
    assert_eq!(page.status(), 401);
    let described: Value = serde_json::from_str(&ask("/openapi.json", &[]).await.2).unwrap();
    assert_eq!(described["openapi"], "3.1.0");
    // Fifty at once, then not so many.
    let mut last = 200;
    for _ in 0..80 {
        last = all.get("/duty").await.0;
        if last == 429 {
            break;
        }
    }
    assert_eq!(last, 429);
    assert_eq!(world.app().incidents().recent(world.app().now()).len(), 0, "a program that asks wrongly is no trouble");
}

#[tokio::test]
async fn a_program_acts_as_people_do_and_a_key_counts_once() {
    let world = world().await;
    let ci = Program::new(&world, "ci", "read act resend", &["ops"]).await;
    let on = ci.found("/incidents").await;
    let short = on["items"][0]["short"].as_str().unwrap().to_owned();
    let take = json!({ "kind": "acknowledge", "incident": short });
    let (status, done, again) = ci.post("/acts", "key-1", take.clone()).await;
    assert_eq!((status, done["state"].as_str(), again), (201, Some("done"), false), "{done}");
    assert_eq!(ci.post("/acts", "key-1", take.clone()).await, (201, done.clone(), true));
    let (status, problem, _) = ci.post("/acts", "key-1", json!({ "kind": "release", "incident": short })).await;
    assert_eq!((status, problem["code"].as_str()), (422, Some("key")));
    let (status, repeated, _) = ci.post("/acts", "key-2", take).await;
    assert_eq!((status, repeated["state"].as_str()), (200, Some("repeated")), "{repeated}");
    let acts = world.app().store().acts(ActFilter::default()).await.unwrap();
    let done: Vec<_> = acts.iter().map(|act| (act.by.as_str(), act.via.as_str(), act.state.as_str())).collect();
    assert_eq!(done, [("api/ci", "api/ci", "repeated"), ("api/ci", "api/ci", "done")]);
    assert_eq!(texts(&ci.found("/incidents?claimed_by=api/CI").await, "short"), [&*short]);
    assert_eq!(texts(&ci.found(&format!("/acts?short={short}")).await, "kind"), ["acknowledge", "acknowledge"]);
    let (status, _, _) = ci.post("/acts", "", json!({ "kind": "release", "incident": short })).await;
    assert_eq!(status, 201);
    world.settled().await;

    // What it may not see, what is over, what cannot be understood.
    let all = Program::new(&world, "all", "read act", &[]).await;
    let theirs = texts(&all.found("/incidents?q=主库只读").await, "short")[0].to_owned();
    let over = texts(&all.found("/incidents?state=resolved").await, "short")[0].to_owned();
    for (body, expected) in [
        (json!({ "kind": "acknowledge", "incident": theirs }), (404, "not_found")),
        (json!({ "kind": "acknowledge", "incident": over }), (409, "void")),
        (json!({ "kind": "acknowledge" }), (400, "body")),
        (json!({ "kind": "explode", "incident": short }), (400, "body")),
        (json!({ "kind": "silence", "incident": short }), (400, "body")),
        (json!({ "kind": "silence", "incident": short, "for": "soon" }), (400, "body")),
        (json!({ "kind": "silence", "incident": short, "for": "2h" }), (502, "failed")),
        (json!({ "kind": "acknowledge", "incident": short, "until": "2h" }), (400, "body")),
    ] {
        let (status, problem, _) = ci.post("/acts", "", body.clone()).await;
        assert_eq!((status, problem["code"].as_str()), (expected.0, Some(expected.1)), "{body} {problem}");
    }
    let (status, problem, _) = ci.post("/acts", "no key!", json!({})).await;
    assert_eq!((status, problem["code"].as_str()), (400, Some("body")));

    let sent = ci.found("/deliveries?state=sent").await;
    let id = sent["items"].as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned();
    let path = format!("/deliveries/{id}/resend");
    let (status, resent, _) = ci.post(&path, "again-1", json!({})).await;
    assert_eq!((status, resent["origin"].as_str()), (201, Some(&*id)), "{resent}");
    assert_eq!(ci.post(&path, "again-1", json!({})).await, (201, resent.clone(), true));
    world.settled().await;
    let copies =
        world.deliveries().await.iter().filter(|row| row.origin.is_some_and(|origin| origin.to_string() == id)).count();
    assert_eq!(copies, 1);
    assert_eq!(all.post(&path, "", json!({})).await.0, 403);
    assert_eq!(ci.post("/deliveries/999999/resend", "", json!({})).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_makes_lists_and_ends_tokens_beside_the_gateway() {
    let mut world = World::idle(wecom_simulator::Setup::demo(), "").await;
    world.write("rota.yaml", ROTA);
    world.write_config(RECEIVERS);
    let wegraf = crate::process::Wegraf::serve(&mut world).await;
    let listen = world.url.trim_start_matches("http://").to_owned();
    let create = [
        "console",
        "token",
        "create",
        "ci",
        "--scope",
        "read",
        "--scope",
        "act",
        "--receiver",
        "ops",
        "--owner",
        "lisi",
        "--json",
    ];
    let made = run(&world, &[&create[..], &["--listen", &listen]].concat()).await.exits(0).json();
    let secret = made["token"].as_str().unwrap();
    let ask = async |path: &str| {
        let request = world.http.get(format!("{}/api/v1{path}", world.url)).bearer_auth(secret);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!((ask("/incidents").await, ask("/health").await), (200, 403));
    run(&world, &["console", "token", "create", "ci", "--listen", &listen]).await.exits(1);
    run(&world, &["console", "token", "create", "x y", "--listen", &listen]).await.exits(2);
    run(&world, &["console", "token", "create", "x", "--receiver", "nobody"]).await.exits(2);
    let listed = run(&world, &["console", "token", "list", "--json"]).await.exits(0).json();
    assert_eq!(
        (&listed["tokens"][0]["scopes"], &listed["tokens"][0]["owner"]),
        (&json!(["read", "act"]), &json!("lisi"))
    );
    assert!(!listed.to_string().contains(&secret[..20]) && listed["tokens"][0]["used_at"].is_number(), "{listed}");
    run(&world, &["console", "token", "list"]).await.exits(0).says(&["ci", "read act", "ops"]);
    run(&world, &["console", "token", "end", "ci", "--listen", &listen]).await.exits(0);
    assert_eq!(ask("/incidents").await, 401);
    run(&world, &["console", "token", "end", "ci", "--listen", &listen]).await.exits(1);
    assert!(!wegraf.log().contains(&secret[8..]), "no token in the log");
}
