//! Sources: tokens in addresses, the receivers that a source may post to, and copies of signed requests.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::harness::{World, alertmanager};

const CONFIGURATION: &str = r"
sources:
  all: { bearer: token-of-all-5f0c1e }
  limited: { bearer: token-of-limited-77aa, receivers: [dba] }
  url: { query: { name: token, value: query-token-9b41d7c2e6f80a35 } }
  path: { path: path-token-1d7c2e6f80a359b4 }
  gitlab: { header: { name: X-Gitlab-Token, value: gitlab-token-12c9 } }
  near: { all: [ { header: { name: X-Near, value: near-token-8841 } }, { addresses: [127.0.0.0/8] } ] }
  far: { header: { name: X-Far, value: far-token-8842 }, addresses: [203.0.113.0/24] }
  signed: { hmac: { secret: hmac-secret-4410, header: X-Sign, timestamp_header: X-Time } }
  bound: { hmac: { secret: hmac-secret-4411, header: X-Bound, timestamp_header: X-Time, signed: '{method}:{path}:{timestamp}:{body}' } }
receivers:
  ops: { targets: [ { app: ops, users: [daixuan], face: text } ] }
  dba: { targets: [ { webhook: dba-group, face: text } ] }
route: { receiver: ops, routes: [ { matchers: [team=db], receiver: dba, continue: true }, { matchers: [team=db] } ] }
";

/// Posts one alert; status and answer.
async fn post(world: &World, path: &str, headers: &[(&str, &str)], body: String) -> (u16, Value) {
    let mut request = world.http.post(format!("{}{path}", world.url)).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn of_team(name: &str, team: &str) -> String {
    alertmanager(name, &[("a", "firing")]).replace("\"labels\":{", &format!("\"labels\":{{\"team\":\"{team}\","))
}

#[tokio::test]
async fn a_token_is_taken_where_the_configuration_says() {
    let world = World::new(CONFIGURATION).await;
    let body = || alertmanager("x", &[("a", "firing")]);
    for (path, headers, status) in [
        ("/webhook?token=query-token-9b41d7c2e6f80a35", &[][..], 200),
        ("/webhook/ops?token=query-token-9b41d7c2e6f80a35&x=1", &[], 200),
        ("/webhook?token=path-token-1d7c2e6f80a359b4", &[], 401),
        ("/webhook/t/path-token-1d7c2e6f80a359b4", &[], 200),
        ("/webhook/t/path-token-1d7c2e6f80a359b4/dba", &[], 200),
        ("//webhook/t/path-token-1d7c2e6f80a359b4/", &[], 200),
        ("/webhook/t/path-token-1d7c2e6f80a359b4/api/v2/alerts", &[], 400),
        ("/webhook/t/query-token-9b41d7c2e6f80a35", &[], 401),
        ("/webhook", &[("x-gitlab-token", "gitlab-token-12c9")], 200),
        ("/webhook", &[("x-gitlab-token", "gitlab-token-12c8")], 401),
        ("/webhook", &[("x-near", "near-token-8841")], 200),
        ("/webhook", &[("x-far", "far-token-8842")], 401),
        ("/webhook", &[("x-far", "far-token-8842"), ("x-forwarded-for", "203.0.113.7")], 401),
        ("/webhook", &[], 401),
    ] {
        assert_eq!(post(&world, path, headers, body()).await.0, status, "{path} {headers:?}");
    }
}

#[tokio::test]
async fn a_source_posts_only_to_its_receivers_and_nothing_of_it_is_lost() {
    let world = World::new(CONFIGURATION).await;
    let limited: &[(&str, &str)] = &[("authorization", "Bearer token-of-limited-77aa")];
    let (status, answer) = post(&world, "/webhook/ops", limited, of_team("direct", "x")).await;
    assert_eq!((status, answer["error"].as_str().unwrap().contains("may not post to ops")), (403, true), "{answer}");
    assert_eq!(post(&world, "/webhook/dba", limited, of_team("direct", "x")).await.0, 200);
    let (status, answer) = post(&world, "/webhook", limited, of_team("both", "db")).await;
    assert_eq!(
        (status, &answer["targets"], answer.get("warning")),
        (200, &1.into(), None),
        "ops is left out: {answer}"
    );
    let (status, answer) = post(&world, "/webhook", limited, of_team("other", "x")).await;
    assert_eq!((status, &answer["targets"]), (200, &1.into()), "{answer}");
    assert!(answer["warning"].as_str().unwrap().contains("sent to `dba`"), "{answer}");
    let all: &[(&str, &str)] = &[("authorization", "Bearer token-of-all-5f0c1e")];
    assert_eq!(post(&world, "/webhook", all, of_team("everybody", "db")).await.1["targets"], 2);
    world.arrived("webhook=sim-dba-group", 4).await;
    assert_eq!(world.arrived("user=daixuan", 1).await.len(), 1);
}

pub fn sign(secret: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    let hex: Vec<String> = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    hex.concat()
}

#[tokio::test]
async fn a_signed_request_is_good_once_and_a_copy_of_it_makes_no_new_message() {
    let world = World::new(CONFIGURATION).await;
    let time = (world.app().now().0 / 1000).to_string();
    let body = of_team("signed", "x");
    let signature = sign("hmac-secret-4410", &format!("{time}:{body}"));
    let headers: &[(&str, &str)] = &[("x-sign", &signature), ("x-time", &time)];
    let (status, first) = post(&world, "/webhook/ops", headers, body.clone()).await;
    assert_eq!((status, &first["duplicate"]), (200, &false.into()));
    let (status, again) = post(&world, "/webhook/ops", headers, body.clone()).await;
    assert_eq!((status, &again["duplicate"], &again["id"]), (200, &true.into(), &first["id"]), "a retry");
    assert_eq!(post(&world, "/webhook/dba", headers, body.clone()).await.0, 401, "a copy for another receiver");
    // What covers the path is no good for another, also if it was never taken.
    let signature = sign("hmac-secret-4411", &format!("POST:/webhook/ops:{time}:{body}"));
    let headers: &[(&str, &str)] = &[("x-bound", &signature), ("x-time", &time)];
    assert_eq!(post(&world, "/webhook/dba", headers, body.clone()).await.0, 401);
    assert_eq!(post(&world, "/webhook/ops", headers, body).await.0, 200);
    // Each source tells of an alert of its own, once.
    world.arrived("user=daixuan", 2).await;
    world.settled().await;
    world.arrived("user=daixuan", 2).await;
    assert!(world.inbox("webhook=sim-dba-group").await.is_empty());
}

#[tokio::test]
async fn without_sources_only_programs_of_this_machine_may_post() {
    let rest = "receivers: { ops: { targets: [ { webhook: ops-group, face: text } ] } }\nroute: { receiver: ops }\n";
    let cases: [(&[(&str, &str)], bool); 8] = [
        (&[], true),
        (&[("sec-fetch-site", "same-origin"), ("origin", "http://127.0.0.1")], true),
        (&[("x-forwarded-for", "203.0.113.7")], false),
        (&[("x-forwarded-for", "127.0.0.1")], false),
        (&[("forwarded", "for=203.0.113.7")], false),
        (&[("via", "1.1 proxy")], false),
        (&[("sec-fetch-site", "cross-site")], false),
        (&[("origin", "https://evil.example")], false),
    ];
    for (more, everyone) in [("", false), ("allow_anonymous: true\n", true)] {
        let world = World::new(&format!("{rest}{more}")).await;
        for (number, (headers, taken)) in cases.iter().enumerate() {
            let body = json!({ "title": format!("alert {number}"), "status": "firing" }).to_string();
            let mut request = world.http.post(format!("{}/webhook", world.url)).body(body);
            for (name, value) in *headers {
                request = request.header(*name, *value);
            }
            let status = request.send().await.unwrap().status().as_u16();
            assert_eq!(status, if *taken || everyone { 200 } else { 401 }, "{more}{headers:?}");
        }
    }
}
