//! Invalid bodies and connections against the built program: a clear status, bounded memory, the process unharmed, and
//! whatever was readable stored and told.

use std::io::Write as _;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use wecom_simulator::Setup;

use crate::harness::{World, alertmanager, payload};
use crate::process::Wegraf;

/// The most memory the gateway may ever have used, whatever arrived; it idles far below.
const MEMORY_KIB: u64 = 150 * 1024;
/// The same after several bodies of 10 MB at once, each of which is stored, parsed and told: the default of `memory`,
/// and the pages of an unoptimised program. `cargo xtask siege` tests the bound of the released one.
const MEMORY_OF_LARGE_BODIES_KIB: u64 = 300 * 1024;

const ONE_MEMBER: &str = r"
receivers:
  ops: { targets: [ { app: ops, users: [daixuan], face: text } ] }
route: { receiver: ops }
";

/// A gateway that is about to get invalid input.
struct Victim {
    world: World,
    gateway: Wegraf,
}

impl Victim {
    async fn new() -> Self {
        let mut world = World::idle(Setup::demo(), ONE_MEMBER).await;
        world.control("PUT", "switches", serde_json::json!({ "enforce_rate": false })).await;
        let gateway = Wegraf::serve(&mut world).await;
        Self { world, gateway }
    }

    /// A connection of its own.
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.world.url.trim_start_matches("http://")).await.unwrap()
    }

    /// Writes `request` unchanged and reads until the gateway closes or is silent for two seconds.
    async fn raw(&self, request: impl AsRef<[u8]>) -> String {
        let mut connection = self.connect().await;
        // The gateway may refuse before it has read everything.
        connection.write_all(request.as_ref()).await.ok();
        read(&mut connection, Duration::from_secs(2)).await
    }

    /// The newest message of the one member, as text, when `count` have arrived.
    async fn told(&self, count: usize) -> String {
        let messages = self.world.arrived("user=daixuan", count).await;
        messages[count - 1]["content"]["content"].as_str().unwrap_or_else(|| panic!("{messages:#?}")).to_owned()
    }

    /// The process is the same one, small, and delivers the next alert to the member, who has `before` messages so far.
    async fn is_unharmed(&self, before: usize) {
        self.is_unharmed_within(MEMORY_KIB, before).await;
    }

    async fn is_unharmed_within(&self, memory_kib: u64, before: usize) {
        self.world.accept("/webhook", alertmanager("之后的告警", &[("db-1", "firing")])).await;
        assert!(self.told(before + 1).await.contains("之后的告警"));
        let most = self.gateway.memory_kib("VmHWM");
        assert!(most < memory_kib, "it used {most} KiB at its worst");
        assert!(!self.gateway.log().contains("panicked"), "{}", self.gateway.log());
    }
}

/// Everything read until the end, or until nothing came for `silence`.
async fn read(connection: &mut TcpStream, silence: Duration) -> String {
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(Ok(length @ 1..)) = tokio::time::timeout(silence, connection.read(&mut chunk)).await {
        answer.extend_from_slice(&chunk[..length]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("(closed)")
}

/// A webhook call with these headers and this body.
fn post(headers: &str, body: &[u8]) -> Vec<u8> {
    let mut request = format!("POST /webhook HTTP/1.1\r\nHost: wegraf\r\n{headers}\r\n").into_bytes();
    request.extend_from_slice(body);
    request
}

fn gzip(chunks: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    for chunk in chunks {
        encoder.write_all(&chunk).unwrap();
    }
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_body_that_is_not_json_is_kept_and_told_as_it_is() {
    let victim = Victim::new().await;
    let truncated = &payload("grafana-firing.json")[..300];
    let bodies: [(&str, Vec<u8>); 6] = [
        ("磁盘快满了", "磁盘快满了：/data 97%".into()),
        ("502", "<html><body>502</body></html>".into()),
        // Truncated or broken JSON is read as far as possible.
        ("磁盘将满", truncated.into()),
        ("host", b"{\"host\": \"db-1\", ,, ]".to_vec()),
        // Invalid UTF-8: the readable part is told.
        ("latin", b"latin: caf\xe9 on db-1 is down".to_vec()),
        ("depth", format!("{{\"depth\": {}", "[".repeat(100_000)).into_bytes()),
    ];
    for (number, (readable, body)) in bodies.into_iter().enumerate() {
        let is_json = body.starts_with(b"{");
        let answer = victim.world.accept("/webhook", body).await;
        assert!(is_json || answer["opaque"] == true, "{readable}: {answer}");
        let told = victim.told(number + 1).await;
        assert!(told.contains(readable), "{readable} is not in {told}");
    }
    victim.is_unharmed(6).await;
}

#[tokio::test]
async fn json_of_a_hundred_thousand_levels_is_taken_closed_or_not() {
    let victim = Victim::new().await;
    let deep = [
        format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)),
        format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000)),
        "[{".repeat(100_000),
    ];
    for (number, body) in deep.into_iter().enumerate() {
        let answer = victim.world.accept("/webhook", body).await;
        assert_eq!(answer["opaque"], true, "{answer}");
        victim.told(number + 1).await;
    }
    victim.is_unharmed(3).await;
}

#[tokio::test]
async fn an_empty_body_is_refused_and_one_without_text_is_kept_and_told() {
    let victim = Victim::new().await;
    let binary: Vec<u8> = (0..4096_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for body in [Vec::new(), b" \r\n\t".to_vec()] {
        let (status, answer) = victim.world.post("/webhook", body).await;
        assert_eq!(status, 400, "{answer}");
        assert!(!answer["message"].as_str().unwrap_or_default().is_empty(), "{answer}");
    }
    for (number, body) in [vec![0; 1000], binary].into_iter().enumerate() {
        let answer = victim.world.accept("/webhook", body).await;
        assert_eq!(answer["opaque"], true, "{answer}");
        let told = victim.told(number + 1).await;
        assert!(told.chars().all(|c| c == '\n' || !c.is_control()), "{told:?}");
    }
    victim.is_unharmed(2).await;
}

#[tokio::test]
async fn an_alert_with_strange_parts_is_still_that_alert() {
    let victim = Victim::new().await;
    let with = |labels: &str, name: &str| {
        format!(
            "{{\"version\":\"4\",\"status\":\"firing\",\"status\":\"firing\",\"groupKey\":\"g\",\"receiver\":\"r\",\"alerts\":[{{\"status\":\"firing\",\"labels\":{{\"alertname\":\"{name}\"{labels}}},\"annotations\":{{}},\"startsAt\":\"2026-11-22T06:02:00Z\",\"endsAt\":\"0001-01-01T00:00:00Z\"}}]}}"
        )
    };
    let bodies = [
        ("很长的标签", with(&format!(",\"long\":\"{}\"", "长".repeat(65_536 / 3)), "很长的标签")),
        ("空字符", with(",\"nul\":\"a\\u0000b\"", "空字符")),
        ("重复的键", with(",\"pod\":\"one\",\"pod\":\"two\"", "重复的键")),
        ("太大的数", with(",\"value\":1e999,\"small\":-1e-999,\"digits\":123456789012345678901234567890", "太大的数")),
        ("半个代理对", with(",\"half\":\"\\ud83d\"", "半个代理对")),
    ];
    for (number, (name, body)) in bodies.into_iter().enumerate() {
        let answer = victim.world.accept("/webhook", body).await;
        assert_eq!(answer["opaque"], Value::Null, "{name}: {answer}");
        let told = victim.told(number + 1).await;
        assert!(told.contains(name), "{name} is not in {told}");
    }
    // A raw NUL in JSON is the sender's error; the rest of the text is kept.
    let raw = with(",\"nul\":\"a\0b\"", "裸的空字符");
    victim.world.accept("/webhook", raw).await;
    assert!(victim.told(6).await.contains("裸的空字符"));
    victim.is_unharmed(6).await;
}

#[tokio::test]
async fn a_gzip_bomb_is_refused_before_it_fills_the_memory() {
    let victim = Victim::new().await;
    // 10 MB that decompress to 10 GB.
    let mebibyte = gzip((0..64).map(|_| vec![b' '; 1 << 20]));
    let bomb = mebibyte.repeat(10_000_000 / mebibyte.len());
    let (sent, mut sends) = (bomb.len(), JoinSet::new());
    assert!(sent > 9_000_000, "{sent}");
    for _ in 0..8 {
        let request = victim.world.http.post(format!("{}/webhook", victim.world.url));
        sends.spawn(request.header("content-encoding", "gzip").body(bomb.clone()).send());
    }
    while let Some(answer) = sends.join_next().await {
        assert_eq!(answer.unwrap().unwrap().status(), 413);
    }
    victim.is_unharmed(0).await;
}

#[tokio::test]
async fn an_honest_gzip_body_is_taken_and_a_broken_or_unknown_encoding_is_named() {
    let victim = Victim::new().await;
    let packed = gzip([alertmanager("压缩", &[("a", "firing")]).into_bytes()]);
    let send = async |encoding: &'static str, body: Vec<u8>| {
        let request = victim.world.http.post(format!("{}/webhook", victim.world.url));
        let answer = request.header("content-encoding", encoding).body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(send("gzip", packed.clone()).await.0, 200);
    assert!(victim.told(1).await.contains("压缩"));
    for (encoding, body) in [
        ("gzip", b"this is not gzip".to_vec()),
        ("gzip", packed[..packed.len() / 2].to_vec()),
        ("br", packed.clone()),
        ("deflate", packed.clone()),
        ("zstd", packed.clone()),
        ("gzip, gzip", packed.clone()),
    ] {
        let (status, answer) = send(encoding, body).await;
        assert_eq!(status, 415, "{encoding}: {answer}");
        let named = matches!(encoding, "zstd" | "gzip, gzip");
        assert!(answer.contains(if named { "gzip, deflate and br" } else { "decompressed" }), "{encoding}: {answer}");
    }
    victim.is_unharmed(1).await;
}

#[tokio::test]
async fn a_hundred_megabytes_are_refused_whether_announced_or_not() {
    let victim = Victim::new().await;
    let announced = victim.raw(post("Content-Length: 104857600\r\n", b"{")).await;
    assert_eq!(status(&announced), "413", "{announced}");
    let mut connection = victim.connect().await;
    connection.write_all(&post("Transfer-Encoding: chunked\r\n", b"")).await.unwrap();
    let chunk = [b"100000\r\n".to_vec(), vec![b'x'; 1 << 20], b"\r\n".to_vec()].concat();
    let mut written = 0;
    while written < 100 && connection.write_all(&chunk).await.is_ok() {
        written += 1;
    }
    assert!(written < 100, "it read all of it");
    // If the connection is closed with unread bytes, the answer may be lost; otherwise it is this one.
    let answer = read(&mut connection, Duration::from_secs(2)).await;
    assert!(answer.is_empty() || status(&answer) == "413", "{answer}");
    victim.is_unharmed(0).await;
}

/// Posts like a sender: again if there was no room for it in time.
async fn until_taken(request: reqwest::RequestBuilder) {
    for _ in 0..20 {
        let answer = request.try_clone().expect("its body is bytes").send().await.unwrap();
        if answer.status() == 200 {
            return;
        }
        assert_eq!(answer.status(), 503);
        assert!(answer.headers().contains_key("retry-after"));
    }
    panic!("it was never taken");
}

#[tokio::test]
async fn many_large_bodies_at_once_are_all_taken_within_the_memory() {
    let victim = Victim::new().await;
    let mut sends = JoinSet::new();
    for number in 0..6 {
        let body = format!("large body {number}\n{}", "0123456789abcdef\n".repeat(600_000));
        assert!(body.len() > 10_000_000);
        let request = victim.world.http.post(format!("{}/webhook", victim.world.url)).body(body);
        sends.spawn(until_taken(request));
    }
    while let Some(tries) = sends.join_next().await {
        tries.unwrap();
    }
    victim.world.arrived("user=daixuan", 6).await;
    victim.is_unharmed_within(MEMORY_OF_LARGE_BODIES_KIB, 6).await;
}

#[tokio::test]
async fn real_groups_of_ten_megabytes_at_once_are_all_taken_within_the_memory() {
    let victim = Victim::new().await;
    let names: Vec<String> = (0..5000).map(|number| format!("node-{number}.{}", "x".repeat(1500))).collect();
    let alerts: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "firing")).collect();
    let mut sends = JoinSet::new();
    for number in 0..4 {
        let body = alertmanager(&format!("机房断电 {number}"), &alerts);
        assert!(body.len() > 10_000_000, "{}", body.len());
        let request = victim.world.http.post(format!("{}/webhook", victim.world.url)).body(body);
        sends.spawn(until_taken(request));
    }
    while let Some(tries) = sends.join_next().await {
        tries.unwrap();
    }
    victim.world.arrived("user=daixuan", 4).await;
    victim.is_unharmed_within(MEMORY_OF_LARGE_BODIES_KIB, 4).await;
}

#[tokio::test]
async fn slow_headers_end_after_five_seconds_and_delay_no_one() {
    let victim = Victim::new().await;
    let begun = Instant::now();
    let mut connection = victim.connect().await;
    for byte in b"POST /webhook HTTP/1.1\r\nHost: wegraf\r\nX-Slow: 1234567890".chunks(4) {
        if connection.write_all(byte).await.is_err() || begun.elapsed() > Duration::from_secs(10) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(600)).await;
    }
    read(&mut connection, Duration::from_secs(2)).await;
    let took = begun.elapsed();
    assert!((Duration::from_secs(4)..Duration::from_secs(9)).contains(&took), "it was closed after {took:?}");
    victim.is_unharmed(0).await;
}

#[tokio::test]
async fn a_slow_body_ends_after_fifteen_seconds_with_408_and_delays_no_one() {
    let victim = Victim::new().await;
    let begun = Instant::now();
    let mut connection = victim.connect().await;
    connection.write_all(&post("Content-Length: 1000\r\n", b"{")).await.unwrap();
    let (mut reader, mut writer) = connection.split();
    let drip = async {
        while writer.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    let mut answer = [0; 12];
    tokio::select! {
        length = reader.read_exact(&mut answer) => assert_eq!(length.unwrap(), 12),
        () = drip => panic!("it was closed without an answer after {:?}", begun.elapsed()),
    }
    assert_eq!(&answer, b"HTTP/1.1 408");
    let took = begun.elapsed();
    assert!((Duration::from_secs(14)..Duration::from_secs(18)).contains(&took), "it was answered after {took:?}");
    victim.is_unharmed(0).await;
}

#[tokio::test]
async fn senders_that_say_nothing_are_dropped_and_leave_room_for_one_that_speaks() {
    let victim = Victim::new().await;
    let mut idle = Vec::new();
    for _ in 0..600 {
        idle.push(victim.connect().await);
    }
    victim.is_unharmed(0).await;
    let begun = Instant::now();
    let mut byte = [0];
    let closed = tokio::time::timeout(Duration::from_secs(8), idle[0].read(&mut byte)).await;
    assert!(matches!(closed, Ok(Ok(0) | Err(_))), "after {:?} it is still open", begun.elapsed());
}

/// How many connections this process may open beside what the other tests need.
fn affordable() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files = limits.lines().find(|line| line.starts_with("Max open files"));
    let files: usize = files.and_then(|line| line.split_whitespace().nth(3)?.parse().ok()).unwrap_or(1024);
    (files / 2).clamp(100, 10_000)
}

#[tokio::test]
async fn ten_thousand_idle_connections_cost_bounded_memory_and_descriptors() {
    let victim = Victim::new().await;
    let address = victim.world.url.trim_start_matches("http://").to_owned();
    let mut dials = JoinSet::new();
    for _ in 0..affordable() {
        let address = address.clone();
        // A client that finds the kernel's queue full gives up, as a flood would.
        dials.spawn(async move { tokio::time::timeout(Duration::from_secs(3), TcpStream::connect(address)).await });
    }
    let mut idle = Vec::new();
    while let Some(dial) = dials.join_next().await {
        idle.extend(dial.unwrap().ok().and_then(Result::ok));
    }
    assert!(idle.len() >= 700, "only {} connections were made", idle.len());
    let descriptors = victim.gateway.descriptors();
    assert!(descriptors < 900, "{descriptors} descriptors are open");
    drop(idle);
    victim.is_unharmed(0).await;
}

#[tokio::test]
async fn requests_that_two_servers_could_read_differently_are_not_read_as_two() {
    let victim = Victim::new().await;
    let inner = "POST /webhook HTTP/1.1\r\nHost: wegraf\r\nContent-Length: 8\r\n\r\nsmuggled";
    let ambiguous = [
        ("two lengths", post("Content-Length: 5\r\nContent-Length: 64\r\n", b"first")),
        (
            "length and chunks",
            post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", format!("0\r\n\r\n{inner}").as_bytes()),
        ),
        (
            "chunks and length",
            post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", format!("0\r\n\r\n{inner}").as_bytes()),
        ),
        ("strange coding", post("Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n", b"first")),
        ("space before the colon", post("Content-Length : 5\r\n", b"first")),
        ("a length with a sign", post("Content-Length: +5\r\n", b"first")),
        ("a negative length", post("Content-Length: -1\r\n", b"first")),
        ("a line that goes on", post("X-Folded: a\r\n b\r\nContent-Length: 5\r\n", b"first")),
        (
            "a chunk beyond all sizes",
            post("Transfer-Encoding: chunked\r\n", b"fffffffffffffffff\r\nfirst\r\n0\r\n\r\n"),
        ),
        ("no HTTP at all", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
        ("endless headers", post(&format!("X-Long: {}\r\n", "a".repeat(1 << 20)), b"")),
    ];
    for (name, request) in ambiguous {
        let answer = victim.raw(request).await;
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{name}: {answer}");
        assert!(["400", "408", "413", "415", "431", "(closed)"].contains(&status(&answer)), "{name}: {answer}");
    }
    assert!(victim.world.inbox("user=daixuan").await.is_empty(), "nothing was smuggled");
    victim.is_unharmed(0).await;
}
