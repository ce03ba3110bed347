//! Refusals are visible: in the log, in the metric, as faults of wegraf; and guessing is slow.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wecom_simulator::Setup;

use crate::harness::{PATIENCE, World, alertmanager};
use crate::process::Wegraf;

const TOKEN: &str = "canary-right-token-0123456789";

/// Two sources, behind a proxy on this machine.
const SOURCES: &str = r"
trusted_proxies: [127.0.0.1]
sources:
  grafana: { bearer: canary-right-token-0123456789 }
  am: { basic: { username: am, password: canary-password-0123456789 } }
receivers: { ops: { targets: [ { webhook: ops-group, face: text } ] } }
route: { receiver: ops }
";

fn post(world: &World, path: &str, from: &str) -> reqwest::RequestBuilder {
    let url = format!("{}{path}", world.url);
    world.http.post(url).header("X-Forwarded-For", from).body(alertmanager("磁盘将满", &[("db-1", "firing")]))
}

async fn status(request: reqwest::RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

/// The fields of the log lines about refused requests.
fn refused(log: &str) -> Vec<Value> {
    let events =
        log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("no JSON: {line}")));
    events.map(|event| event["fields"].clone()).filter(|fields| fields["message"] == "A request was refused.").collect()
}

#[tokio::test]
async fn each_refusal_is_a_line_and_in_the_metric_and_no_token_is_in_the_log() {
    let mut world = World::idle(Setup::demo(), SOURCES).await;
    let gateway = Wegraf::serve(&mut world).await;
    let good = |request: reqwest::RequestBuilder| request.bearer_auth(TOKEN);
    let get = |path: &str| world.http.get(format!("{}{path}", world.url)).header("X-Forwarded-For", "203.0.113.20");
    let from = "198.51.100.1, 203.0.113.9";
    let expected = [
        (
            post(&world, "/webhook/ops?token=canary-query", from).bearer_auth("canary-wrong"),
            401,
            "unknown",
            "webhook",
            "/webhook/ops",
        ),
        (post(&world, "/webhook", from), 401, "missing", "webhook", "/webhook"),
        (
            post(&world, "/api/v2/alerts", from).basic_auth("am", Some("canary-guess")),
            401,
            "unknown",
            "push",
            "/api/v2/alerts",
        ),
        (good(post(&world, "/webhook", from)).body(""), 400, "unreadable", "webhook", "/webhook"),
        (
            good(post(&world, "/webhook", from)).header("Content-Encoding", "zstd"),
            415,
            "encoding",
            "webhook",
            "/webhook",
        ),
        (good(post(&world, "/webhook", from)).body(vec![b'x'; 17 << 20]), 413, "too_large", "webhook", "/webhook"),
        (good(post(&world, "/webhok", from)), 404, "no_such_path", "other", "/webhok"),
        (good(post(&world, "/canary-right-token-0123456789", from)), 404, "no_such_path", "other", "/…"),
        (
            world.http.delete(format!("{}/webhook", world.url)).header("X-Forwarded-For", from),
            405,
            "method",
            "webhook",
            "/webhook",
        ),
        (get("/d/1?until=9999999999&s=canary-signature"), 403, "forged", "page", "/d/1"),
        (
            post(&world, "/wecom/callback/ops?msg_signature=canary-callback", from),
            404,
            "no_callback",
            "callback",
            "/wecom/callback/ops",
        ),
        (post(&world, "/api/v1/deliveries/1/resend", from), 401, "missing", "order", "/api/v1/deliveries/1/resend"),
    ];
    let mut wanted = Vec::new();
    for (request, code, reason, place, path) in expected {
        // A body that is refused unread may break the connection before its answer is read.
        if let Ok(answer) = request.send().await {
            assert_eq!(answer.status(), code, "{path} {reason}");
        }
        wanted.push((code, reason, place, path));
    }
    gateway.logged("/api/v1/deliveries/1/resend").await;
    let log = gateway.log();
    let lines = refused(&log);
    let metrics = world.http.get(format!("{}/metrics", world.url)).send().await.unwrap().text().await.unwrap();
    for (code, reason, place, path) in wanted {
        let found =
            lines.iter().find(|line| line["status"] == code && line["reason"] == reason && line["path"] == path);
        let line = found.unwrap_or_else(|| panic!("no line of {code} {reason} {path}: {lines:#?}"));
        let peer = line["peer"].as_str().unwrap();
        assert!(peer == "203.0.113.9" || peer == "203.0.113.20", "{line}");
        let metric = format!("wegraf_refusals_total{{path=\"{place}\",status=\"{code}\",reason=\"{reason}\"}} ");
        assert!(metrics.contains(&metric), "{metric} is not in {metrics}");
    }
    let of =
        |reason: &str, code: u16| lines.iter().find(|line| line["reason"] == reason && line["status"] == code).unwrap();
    assert_eq!(
        (&of("unknown", 401)["source"], &of("unknown", 401)["credential"]),
        (&"grafana".into(), &"bearer".into())
    );
    assert_eq!(of("too_large", 413)["source"], "grafana", "what it sends will never be taken");
    let basic = lines.iter().find(|line| line["path"] == "/api/v2/alerts").unwrap();
    assert_eq!((&basic["source"], &basic["credential"]), (&"am".into(), &"basic".into()));
    assert!(metrics.contains("wegraf_webhook_answers_total{format=\"none\",status=\"404\"} 2"), "{metrics}");
    assert!(metrics.contains("wegraf_webhook_answers_total{format=\"none\",status=\"405\"} 1"), "{metrics}");
    assert!(!log.contains("canary"), "a credential is in the log: {log}");
}

#[tokio::test]
async fn a_flood_of_refusals_is_a_few_lines_and_a_count() {
    let mut world = World::idle(Setup::demo(), SOURCES).await;
    let gateway = Wegraf::serve(&mut world).await;
    for number in 0..60 {
        let from = format!("203.0.113.{}", number % 30);
        assert_eq!(status(post(&world, "/webhook", &from)).await, 401);
    }
    gateway.logged("Refusals were left out of the log.").await;
    let log = gateway.log();
    assert_eq!(refused(&log).len(), 20, "{log}");
    let told = log.lines().find(|line| line.contains("Refusals were left out")).unwrap();
    let fields = serde_json::from_str::<Value>(told).unwrap()["fields"].clone();
    assert_eq!((&fields["count"], &fields["which"]), (&40.into(), &"401 missing ×40".into()));
}

/// Waits until a message of the group holds `text`.
async fn hears(world: &World, text: &str) {
    let begun = Instant::now();
    loop {
        let messages = world.inbox("webhook=sim-ops-group").await;
        if messages.iter().any(|message| message.to_string().contains(text)) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "not told: {text}: {messages:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn repeated_refusals_are_reported_and_the_report_ends_with_them() {
    let world = World::at_a_standstill(SOURCES).await;
    for _ in 0..4 {
        assert_eq!(status(post(&world, "/webhook", "203.0.113.9").bearer_auth("wrong")).await, 401);
    }
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(world.inbox("webhook=sim-ops-group").await.len(), 0, "a person who repairs a configuration");
    for _ in 0..5 {
        assert_eq!(status(post(&world, "/webhook", "203.0.113.9").bearer_auth("wrong")).await, 401);
        assert_eq!(status(post(&world, "/webhook", "203.0.113.9").bearer_auth(TOKEN).body("")).await, 400);
    }
    hears(&world, "refused/credentials").await;
    hears(&world, "refused/source/grafana").await;
    let troubles = world.metric("wegraf_troubles").await;
    assert!((troubles - 2.0).abs() < 0.1, "{troubles}");
    world.pass(Duration::from_mins(16));
    hears(&world, "已恢复").await;
    let begun = Instant::now();
    while world.metric("wegraf_troubles").await > 0.0 {
        assert!(begun.elapsed() < PATIENCE, "it does not end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn guessing_is_slow_and_a_valid_credential_is_not() {
    let world = World::new(SOURCES).await;
    let timed = async |request: reqwest::RequestBuilder, expected: u16| {
        let begun = Instant::now();
        assert_eq!(status(request).await, expected);
        begun.elapsed()
    };
    let guess = |from: &str| post(&world, "/webhook", from).bearer_auth("a guess");
    for _ in 0..7 {
        timed(guess("203.0.113.9"), 401).await;
    }
    let slowed = timed(guess("203.0.113.9"), 401).await;
    assert!(slowed >= Duration::from_millis(1500), "{slowed:?}");
    // While many guesses wait, a valid credential is answered at once, from the same address as well.
    let waiting: Vec<_> = (0..40).map(|_| tokio::spawn(status(guess("203.0.113.9")))).collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let at_once = Duration::from_secs(1);
    assert!(timed(post(&world, "/webhook", "203.0.113.9").bearer_auth(TOKEN), 200).await < at_once);
    let basic = post(&world, "/webhook", "203.0.113.9").basic_auth("am", Some("canary-password-0123456789"));
    assert!(timed(basic, 200).await < at_once);
    assert!(
        timed(post(&world, "/webhook", "203.0.113.9").basic_auth("am", Some("x")), 401).await < at_once,
        "another kind"
    );
    assert!(timed(guess("203.0.113.10"), 401).await < at_once, "another address");
    assert!(!waiting.iter().any(tokio::task::JoinHandle::is_finished), "the guesses are still held back");
    for one in waiting {
        assert_eq!(one.await.unwrap(), 401);
    }
}

#[tokio::test]
async fn a_head_that_is_no_http_and_a_body_that_never_comes_are_refusals_too() {
    let mut world = World::idle(Setup::demo(), SOURCES).await;
    let gateway = Wegraf::serve(&mut world).await;
    let address = world.url.trim_start_matches("http://").to_owned();
    // The first bytes of TLS; a head larger than any real one; a body of which one byte comes.
    let large = format!("POST /webhook HTTP/1.1\r\nHost: wegraf\r\nX-Large: {}\r\n\r\n", "x".repeat(64 << 10));
    let slow = format!(
        "POST /webhook HTTP/1.1\r\nHost: wegraf\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 1000000\r\n\r\n{{"
    );
    for (bytes, code, reason) in [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 not HTTP\r\n\r\n".to_vec(), 400, "not_http"),
        (large.into_bytes(), 431, "head_too_large"),
        (slow.into_bytes(), 408, "slow"),
    ] {
        let mut peer = TcpStream::connect(&address).await.unwrap();
        // The gateway may answer and close before all of it is written.
        let _ = peer.write_all(&bytes).await;
        let mut answer = Vec::new();
        let _ = peer.read_to_end(&mut answer).await;
        gateway.logged(&format!("\"reason\":\"{reason}\"")).await;
        let log = gateway.log();
        let line = refused(&log).into_iter().find(|line| line["reason"] == reason).unwrap();
        assert_eq!((&line["status"], &line["peer"]), (&code.into(), &"127.0.0.1".into()), "{line}");
        let place = if code == 408 { "webhook" } else { "other" };
        let metric = format!("wegraf_refusals_total{{path=\"{place}\",status=\"{code}\",reason=\"{reason}\"}}");
        assert!(world.metric(&metric).await >= 1.0, "{metric}");
    }
    // What its sender ends before its length did not take too long.
    let cut = format!(
        "POST /webhook HTTP/1.1\r\nHost: wegraf\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 1000\r\n\r\n{{"
    );
    let mut peer = TcpStream::connect(&address).await.unwrap();
    peer.write_all(cut.as_bytes()).await.unwrap();
    peer.shutdown().await.unwrap();
    let mut answer = String::new();
    peer.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("broke off"), "{answer}");
    gateway.logged("\"reason\":\"cut\"").await;
}
