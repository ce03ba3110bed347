//! The built program, killed in the middle of what the API was asked to do: a key acts once, and a file is whole.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{World, alertmanager};
use crate::process::{Wegraf, run};

const REST: &str = "
allow_anonymous: true
receivers: { ops: { template: duty, targets: [ { webhook: ops-group } ] } }
route: { receiver: ops }
templates: [ 'templates/*.j2' ]
console: { write: [ templates ] }
";
/// Rounds of each trial; every second one is killed within this many milliseconds, at random.
const ROUNDS: u32 = 12;
const WITHIN_MS: u64 = 60;
/// Rounds of acts: one that was recorded and not answered is asked again after half a minute.
const ASKED: u32 = 6;

async fn world() -> (World, SocketAddr) {
    let world = World::idle(wecom_simulator::Setup::demo(), "").await;
    std::fs::create_dir(world.folder.path().join("templates")).unwrap();
    world.write("templates/duty.j2", &template("old"));
    world.write_config(REST);
    let address = xtask::gateway::free().unwrap();
    (world, address.to_string().parse().unwrap())
}

/// A template that takes a while to check and to write, with `mark` at its beginning and at its end.
fn template(mark: &str) -> String {
    format!("{{# {mark} {} {mark} #}}{{{{ title }}}}\n{{{{ alerts[0].name }}}}", "x".repeat(60_000))
}

async fn token(world: &World, address: SocketAddr, scopes: &[&str]) -> String {
    let mut arguments = vec!["console", "token", "create", "killer", "--json", "--listen"];
    let listen = address.to_string();
    arguments.push(&listen);
    for scope in scopes {
        arguments.extend(["--scope", scope]);
    }
    run(world, &arguments).await.exits(0).json()["token"].as_str().unwrap().to_owned()
}

/// Asks, and gets an answer or none.
async fn ask(request: reqwest::RequestBuilder) -> Option<(u16, Value)> {
    let answer = request.send().await.ok()?;
    let status = answer.status().as_u16();
    Some((status, answer.json().await.ok()?))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_with_a_key_happens_once_although_its_process_is_killed() {
    let (mut world, address) = world().await;
    let mut gateway = Wegraf::serve_at(&mut world, address).await;
    let secret = token(&world, address, &["read", "act", "resend"]).await;
    let posts = |world: &World, path: &str, key: &str, body: &Value| {
        let request = world.http.post(format!("{}/api/v1{path}", world.url)).bearer_auth(&secret);
        request.header("idempotency-key", key).json(body)
    };
    let found = async |world: &World, path: &str| -> Value {
        world
            .http
            .get(format!("{}/api/v1{path}", world.url))
            .bearer_auth(&secret)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    };
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    let sent = loop {
        let rows = found(&world, "/deliveries?state=sent").await;
        if let Some(row) = rows["items"].get(0) {
            break row.clone();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let (short, id) = (sent["short"].as_str().unwrap().to_owned(), sent["id"].as_str().unwrap().to_owned());
    for round in 0..ASKED {
        let resends = round % 2 == 0;
        let (path, body) = if resends {
            (format!("/deliveries/{id}/resend"), json!({}))
        } else {
            let kind = if round % 4 == 1 { "acknowledge" } else { "release" };
            ("/acts".to_owned(), json!({ "kind": kind, "incident": short }))
        };
        let key = format!("round-{round}");
        let first = tokio::spawn(ask(posts(&world, &path, &key, &body)));
        tokio::time::sleep(Duration::from_millis(rand::random::<u64>() % WITHIN_MS)).await;
        gateway.kill().await;
        let answered = first.await.unwrap();
        gateway = Wegraf::serve_at(&mut world, address).await;
        // A process that died is taken for one that still works on it, for a while.
        let begun = std::time::Instant::now();
        let (status, again) = loop {
            let (status, again) = ask(posts(&world, &path, &key, &body)).await.expect("it answers");
            if status != 409 || begun.elapsed() > Duration::from_secs(90) {
                break (status, again);
            }
            assert_eq!(again["code"], "running", "{round}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        };
        assert!((200..300).contains(&status), "{round}: {status} {again}");
        if let Some((_, answered)) = answered {
            assert_eq!(answered, again, "{round}: the first answer is the answer");
        }
    }
    // Each key did its thing once: the acts changed hands each time, and there is one copy for each resend.
    let acts = found(&world, &format!("/acts?short={short}&limit=200")).await;
    let done = acts["items"].as_array().unwrap().iter().filter(|act| act["state"] == "done").count();
    let rows = found(&world, "/deliveries?limit=200").await;
    let copies = rows["items"].as_array().unwrap().iter().filter(|row| row["origin"] == *id).count();
    assert_eq!((done, copies), (ASKED as usize / 2, ASKED as usize / 2), "{acts} {rows}");
    // The control: without a key each request is one more.
    let bare = world.http.post(format!("{}/api/v1/deliveries/{id}/resend", world.url)).bearer_auth(&secret);
    for _ in 0..2 {
        assert_eq!(ask(bare.try_clone().unwrap().json(&json!({}))).await.unwrap().0, 201);
    }
    let rows = found(&world, "/deliveries?limit=200").await;
    let copies = rows["items"].as_array().unwrap().iter().filter(|row| row["origin"] == *id).count();
    assert_eq!(copies, ASKED as usize / 2 + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_is_whole_whenever_its_save_is_cut_off() {
    let (mut world, address) = world().await;
    let path = world.folder.path().join("templates/duty.j2");
    let mut gateway = Wegraf::serve_at(&mut world, address).await;
    let secret = token(&world, address, &["change"]).await;
    let mut there = template("old");
    for round in 0..ROUNDS {
        let url = format!("{}/api/v1/templates/duty", world.url);
        let seen = world.http.get(&url).bearer_auth(&secret).send().await.unwrap();
        let tag = seen.headers()["etag"].clone();
        let new = template(&format!("round {round}"));
        let put = world.http.put(&url).bearer_auth(&secret).header("if-match", tag).json(&json!({ "text": new }));
        let saving = tokio::spawn(ask(put));
        tokio::time::sleep(Duration::from_millis(rand::random::<u64>() % (4 * WITHIN_MS))).await;
        if round % 2 == 0 {
            // The process dies.
            gateway.kill().await;
            saving.await.unwrap();
            gateway = Wegraf::serve_at(&mut world, address).await;
        } else {
            // The one who saves is gone; the save is not.
            saving.abort();
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text == there || text == new, "{round}: the file is neither the old one nor the new one");
        let found: Value = world.http.get(&url).bearer_auth(&secret).send().await.unwrap().json().await.unwrap();
        assert_eq!((&found["text"], &found["in_force"]), (&json!(text), &json!(true)), "{round}");
        there = text;
    }
    // Undisturbed, it is saved.
    let url = format!("{}/api/v1/templates/duty", world.url);
    let tag = world.http.get(&url).bearer_auth(&secret).send().await.unwrap().headers()["etag"].clone();
    let new = template("last");
    let put = world.http.put(&url).bearer_auth(&secret).header("if-match", tag).json(&json!({ "text": new }));
    assert_eq!(ask(put).await.unwrap().0, 200);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), new);
}
