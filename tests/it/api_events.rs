//! `/api/v1/events`: what changes comes by itself, as each token may see it, and goes on behind an id.

use std::time::Duration;

use serde_json::{Value, json};

use crate::api::Program;
use crate::harness::{World, alertmanager};

const RECEIVERS: &str = "
allow_anonymous: true
receivers:
  ops: { targets: [ { app: ops, users: [zhangsan], face: text } ] }
  dba: { targets: [ { app: ops, users: [lisi], face: text } ] }
route: { receiver: ops, routes: [ { matchers: ['alertname=\"主库只读\"'], receiver: dba } ] }
";
const PATIENCE: Duration = Duration::from_secs(20);

/// An open stream, read event by event.
struct Events {
    answer: reqwest::Response,
    text: String,
    /// The last id.
    id: String,
}

impl Events {
    async fn open(world: &World, program: &Program<'_>, query: &str, id: Option<&str>) -> Self {
        let mut request = world.http.get(format!("{}/api/v1/events{query}", world.url)).bearer_auth(&program.secret);
        if let Some(id) = id {
            request = request.header("last-event-id", id);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { answer, text: String::new(), id: String::new() }
    }

    /// The next event: its kind and its data; an id by itself is none.
    async fn next(&mut self) -> (String, Value) {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                let (mut kind, mut data) = (String::new(), Value::Null);
                for line in block.lines() {
                    match line.split_once(": ") {
                        Some(("event", said)) => said.clone_into(&mut kind),
                        Some(("data", said)) => data = serde_json::from_str(said).unwrap(),
                        Some(("id", said)) => said.clone_into(&mut self.id),
                        _ => {}
                    }
                }
                if !kind.is_empty() {
                    return (kind, data);
                }
            }
            let chunk = tokio::time::timeout(PATIENCE, self.answer.chunk()).await.expect("an event comes").unwrap();
            self.text.push_str(str::from_utf8(&chunk.expect("the stream goes on")).unwrap());
        }
    }

    /// Reads until an event fits.
    async fn until(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let (kind, data) = self.next().await;
            if kind == what && fits(&data) {
                return data;
            }
        }
    }

    /// The id of the beginning, before anything happened.
    async fn begin(&mut self) -> String {
        while !self.text.contains("\n\n") {
            let chunk = self.answer.chunk().await.unwrap().unwrap();
            self.text.push_str(str::from_utf8(&chunk).unwrap());
        }
        let id = self.text.split_once("id: ").unwrap().1.lines().next().unwrap().to_owned();
        self.id.clone_from(&id);
        id
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_come_as_each_token_may_see_them_and_go_on_behind_an_id() {
    let world = World::new(RECEIVERS).await;
    let all = Program::new(&world, "all", "read act", &[]).await;
    let dba = Program::new(&world, "dba", "read", &["dba"]).await;
    world.accept("/webhook", alertmanager("旧的", &[("x", "firing")])).await;
    world.settled().await;
    let mut whole = Events::open(&world, &all, "", None).await;
    let mut acts = Events::open(&world, &all, "?types=act", None).await;
    let mut theirs = Events::open(&world, &dba, "?types=incident,delivery,act", None).await;
    let begun = whole.begin().await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    let incident = whole.until("incident", |data| data["name"] == "磁盘将满").await;
    assert_eq!((&incident["state"], &incident["receivers"]), (&json!("firing"), &json!(["ops"])), "{incident}");
    let sent = whole.until("delivery", |data| data["name"] == "磁盘将满" && data["state"] == "sent").await;
    assert_eq!(sent, all.found(&format!("/deliveries/{}", sent["id"].as_str().unwrap())).await["delivery"]);
    world.accept("/webhook", alertmanager("主库只读", &[("order-db", "firing")])).await;
    let (kind, first) = theirs.next().await;
    assert_eq!((&*kind, &first["name"]), ("incident", &json!("主库只读")), "nothing of other receivers: {first}");
    let (kind, first) = theirs.next().await;
    assert_eq!((&*kind, &first["receiver"]), ("delivery", &json!("dba")));
    // An act is an event, and its incident changed.
    let take = json!({ "kind": "acknowledge", "incident": incident["short"] });
    assert_eq!(all.change("POST", "/acts", take).await.0, 201);
    let (kind, act) = acts.next().await;
    assert_eq!((&*kind, &act["kind"], &act["by"]), ("act", &json!("acknowledge"), &json!("api/all")), "{act}");
    whole.until("incident", |data| data["claimed_by"] == json!(["api/all"])).await;

    // Another stream goes on behind the first id, with all that came since and nothing before.
    drop(whole);
    let mut again = Events::open(&world, &all, "?types=incident", Some(&begun)).await;
    let mut names = Vec::new();
    while names.len() < 2 {
        let (_, data) = again.next().await;
        names.push(data["name"].as_str().unwrap().to_owned());
    }
    names.sort();
    assert_eq!(names, ["主库只读", "磁盘将满"]);
    // An id that is none, one of an hour ago, and a kind that is none.
    let ask = async |query: &str, id: &str| {
        let request = world.http.get(format!("{}/api/v1/events{query}", world.url)).bearer_auth(&all.secret);
        request.header("last-event-id", id).send().await.unwrap().status().as_u16()
    };
    assert_eq!((ask("", "x").await, ask("?types=acts", &begun).await, ask("?type=act", &begun).await), (400, 400, 400));
    let old = begun.split_once('-').unwrap();
    let old = format!("{}-{}", old.0.parse::<i64>().unwrap() - 3_700_000, old.1);
    let mut late = Events::open(&world, &all, "", Some(&old)).await;
    assert_eq!(late.next().await.0, "gap");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_has_three_streams_which_end_with_it() {
    let world = World::new(RECEIVERS).await;
    let all = Program::new(&world, "all", "read", &[]).await;
    let acts_only = Program::new(&world, "act", "act", &[]).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut events = Events::open(&world, &all, "", None).await;
        events.begin().await;
        open.push(events);
    }
    let ask = async |secret: &str| {
        let request = world.http.get(format!("{}/api/v1/events", world.url)).bearer_auth(secret);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!((ask(&all.secret).await, ask(&acts_only.secret).await, ask("wgt_x").await), (429, 403, 401));
    let other = Program::new(&world, "other", "read", &[]).await;
    Events::open(&world, &other, "", None).await.begin().await;
    // Sessions of people have no way in.
    let store = world.app().store();
    assert!(store.end_api_token("all".to_owned(), "test".to_owned(), world.app().now()).await.unwrap());
    for events in &mut open {
        assert_eq!(events.next().await.0, "over");
        let end = tokio::time::timeout(PATIENCE, events.answer.chunk()).await.expect("it ends").unwrap();
        assert!(end.is_none());
    }
}
