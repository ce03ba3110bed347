//! The console and its API over a long history: what each page takes, what open pages cost, and what people who look
//! cost the intake.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use wecom_simulator::Simulator;

use super::aims::Aims;
use super::process::Server;
use super::{median, single};
use crate::corp::{self, Size};
use crate::gateway::free;
use crate::http;
use crate::ledger::record::Database;
use crate::load::{self, Until};

/// People, groups and webhooks that receive.
const SIZE: Size = Size { members: 4, chats: 0, webhooks: 6, pairs: 0 };
/// Rules of each receiver: fewer than the messages from which a lane folds.
const RULES: u64 = 5;
/// Messages of one alert.
const OF_ONE: u64 = 5;
/// Alerts that fire.
const FIRING: u64 = 300;
/// The time over which the messages are spread: all that a search may ask for.
const DAYS: u64 = 30;
/// How often each page is opened; the first time is not counted.
const LOOKS: usize = 12;
/// Bodies a second that arrive while pages are measured.
const ARRIVING: u64 = 20;
/// Open pages that show what happens as it happens, and how many of them one session may have.
const STREAMS: usize = 64;
const OF_SESSION: usize = 3;
/// People who open one page after the other, and how long each looks at one.
const PEOPLE: usize = 10;
const LOOKED_AT: Duration = Duration::from_secs(1);
/// Until the terms of all messages are written.
const PATIENCE: Duration = Duration::from_mins(40);

/// What one page took.
struct Look {
    name: &'static str,
    millis: Vec<f64>,
    bytes: usize,
}

/// What one store showed.
pub struct Seen {
    store: &'static str,
    looks: Vec<Look>,
    /// Messages whose terms were written in a second, while nothing else happened.
    terms: f64,
    /// KiB for all streams.
    streams: f64,
    /// The p99 of the intake in milliseconds, without and with people.
    alone: f64,
    beside: f64,
    /// How many alerts fire after that, and the pages that list them.
    firing: usize,
    stormy: Vec<Look>,
}

/// Measures it with `rows` messages in an empty database.
pub async fn measure(
    binary: &Path,
    folder: &Path,
    store: &'static str,
    database: &Database,
    rows: u64,
) -> anyhow::Result<Seen> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let wecom = Simulator::start(listener, corp::setup(SIZE)).await;
    let address = free()?;
    let file = folder.join(format!("{}.yaml", address.port()));
    let accounts = corp::configuration(SIZE, &wecom.url());
    let text = format!(
        "listen: {address}\nexternal_url: http://{address}\ndatabase: {}\nretention: {{ size: unlimited }}\nconsole: {{ may_look: {{ anyone: true }} }}\n{accounts}",
        database.line()
    );
    std::fs::write(&file, text)?;
    let serve = || {
        let mut command = Command::new(binary);
        command.arg("serve").arg("-c").arg(&file);
        command
    };
    let gateway = Server::start(serve(), address, "/readyz").await?;
    for receiver in 0..SIZE.webhooks as u64 {
        for rule in 0..RULES {
            let path = format!("/webhook/{}", corp::webhook(receiver as usize));
            let answer = http::send(address, "POST", &path, &first(receiver, rule), Duration::from_secs(10)).await?;
            ensure!(answer.is_2xx(), "{} {}", answer.status, answer.body);
        }
    }
    let begun = Instant::now();
    while database.pending()? > 0 {
        ensure!(begun.elapsed() < Duration::from_mins(2), "the first messages were not sent");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(gateway);
    fill(database, rows)?;
    let gateway = Server::start(serve(), address, "/readyz").await?;
    let terms = indexed(database).await?;
    let sessions = sessions(binary, &file, address).await?;
    let cookie = &sessions[0];
    let looks = looks(address, database, cookie).await?;
    let streams = streams(&gateway, &sessions).await?;
    let (alone, beside) = beside(address, &sessions).await?;
    let firing = database.count("alert WHERE status = 'firing'")?;
    let mut stormy = Vec::new();
    for (name, path) in [("what fires", "/now"), ("silences", "/silences")] {
        stormy.push(look(address, cookie, name, path).await?);
    }
    Ok(Seen { store, looks, terms, streams, alone, beside, firing, stormy })
}

/// A body for one rule of one receiver.
fn first(receiver: u64, rule: u64) -> String {
    single(rule << 24 | receiver << 16).replace("\"team\"", "\"service\":\"orders\",\"team\"")
}

/// Copies of the first messages, over [`DAYS`], with alerts, transitions, bytes and attempts of their own.
fn fill(database: &Database, rows: u64) -> anyhow::Result<()> {
    let (identity, instance) = match database {
        Database::Sqlite(_) => ("CAST(printf('%032d', n.i) AS BLOB)", "printf('host-%06d', n.i)"),
        Database::Postgres(_) => ("convert_to(lpad(n.i::text, 32, '0'), 'UTF8')", "'host-' || lpad(n.i::text, 6, '0')"),
    };
    let count = |table: &str| database.count(&format!("{table} WHERE true"));
    let (messages, alerts) = (count("message")? as u64, count("alert")? as u64);
    let more = rows.saturating_sub(messages);
    let distinct = (more / OF_ONE).max(1);
    #[expect(clippy::disallowed_methods, reason = "alerts begin at the machine's time, as a sender's do")]
    let now = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let step = DAYS * 86_400_000 / more.max(1);
    let numbers = |to: u64| {
        format!("WITH RECURSIVE n (i) AS (SELECT CAST(1 AS bigint) UNION ALL SELECT i + 1 FROM n WHERE i < {to})")
    };
    database.execute(&format!(
        "{} INSERT INTO alert (identity, receiver, source, name, labels, critical, status, starts_at, ends_at, thread,
                               notification_id, sender, told_at)
         SELECT {identity}, a.receiver, a.source, a.name, replace(a.labels, '10.', {instance} || '.'), a.critical,
                CASE WHEN n.i + {FIRING} > {distinct} THEN 'firing' ELSE 'resolved' END,
                {now} - ({distinct} - n.i) * {step} * {OF_ONE}, NULL, 1000 + n.i, a.notification_id, a.sender,
                {now} - ({distinct} - n.i) * {step} * {OF_ONE}
         FROM n JOIN alert a ON a.id = 1 + n.i % {alerts} ORDER BY n.i",
        numbers(distinct)
    ))?;
    // Each fiftieth was not delivered.
    let dead = "n.i % 50 = 0";
    database.execute(&format!(
        "{} INSERT INTO message (notification_id, receiver, lane, target, critical, urgent, digest, thread, created_at,
                                 state, not_before, epoch, revision, version, parts, next_part, face, claimed_at,
                                 settled_at, outcome, errcode, error)
         SELECT m.notification_id, m.receiver, m.lane, m.target, m.critical, m.urgent, m.digest,
                1000 + 1 + (n.i - 1) / {OF_ONE}, {now} - ({more} - n.i) * {step},
                CASE WHEN {dead} THEN 'dead' ELSE m.state END, m.not_before, m.epoch, m.revision, m.version, m.parts,
                m.next_part, m.face, m.claimed_at, {now} - ({more} - n.i) * {step} + 400,
                CASE WHEN {dead} THEN 'refused' ELSE m.outcome END, CASE WHEN {dead} THEN 93000 ELSE m.errcode END, m.error
         FROM n JOIN message m ON m.id = 1 + ((n.i - 1) / {OF_ONE} + 1) % {messages} ORDER BY n.i",
        numbers(more)
    ))?;
    database.execute(&format!(
        "{} INSERT INTO transition (alert_id, notification_id, alert_index, message_id, lane, kind, at, starts_at,
                                    ends_at, counted, fate, reason)
         SELECT {alerts} + 1 + (n.i - 1) / {OF_ONE}, t.notification_id, t.alert_index, {messages} + n.i, t.lane, t.kind,
                {now} - ({more} - n.i) * {step}, t.starts_at, t.ends_at, t.counted,
                CASE WHEN {dead} THEN 'dead' ELSE t.fate END, t.reason
         FROM n JOIN transition t ON t.id = 1 + ((n.i - 1) / {OF_ONE} + 1) % {messages} ORDER BY n.i",
        numbers(more)
    ))?;
    database.execute(&format!(
        "{} INSERT INTO part (message_id, version, number, body)
         SELECT {messages} + n.i, p.version, p.number, p.body
         FROM n JOIN part p ON p.message_id = 1 + ((n.i - 1) / {OF_ONE} + 1) % {messages} ORDER BY n.i",
        numbers(more)
    ))?;
    database.execute(&format!(
        "{} INSERT INTO attempt (message_id, epoch, version, part, at, duration_ms, outcome, http_status, errcode, errmsg)
         SELECT {messages} + n.i, a.epoch, a.version, a.part, {now} - ({more} - n.i) * {step}, a.duration_ms,
                CASE WHEN {dead} THEN 'refused' ELSE a.outcome END, a.http_status,
                CASE WHEN {dead} THEN 93000 ELSE a.errcode END, a.errmsg
         FROM n JOIN attempt a ON a.message_id = 1 + ((n.i - 1) / {OF_ONE} + 1) % {messages} ORDER BY n.i",
        numbers(more)
    ))?;
    if matches!(database, Database::Postgres(_)) {
        // What autovacuum does within a minute.
        database.execute("VACUUM ANALYZE")?;
    }
    Ok(())
}

/// Waits until each message has terms; how many got them in a second.
async fn indexed(database: &Database) -> anyhow::Result<f64> {
    let left = || database.count("message WHERE id > (SELECT message FROM term_mark)");
    let (begun, before) = (Instant::now(), left()?);
    while left()? > 0 {
        ensure!(begun.elapsed() < PATIENCE, "the terms of messages are not written");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let rate = before as f64 / begun.elapsed().as_secs_f64();
    // What was there before is counted for reports, too: what comes meanwhile is added where it is asked.
    let counted = || database.count("message WHERE id > (SELECT message + 20000 FROM tally_mark)");
    while counted()? > 0 {
        ensure!(begun.elapsed() < PATIENCE, "the record is not counted for reports");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(rate)
}

/// The cookies of as many sessions as all streams need.
async fn sessions(binary: &Path, file: &Path, address: SocketAddr) -> anyhow::Result<Vec<String>> {
    let mut cookies = Vec::new();
    for number in 0..STREAMS.div_ceil(OF_SESSION).max(PEOPLE) {
        let person = corp::member(number % SIZE.members);
        let output = Command::new(binary)
            .args(["console", "link", "--json", "--for", &person, "-c"])
            .arg(file)
            .output()
            .context("cannot run wegraf console link")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let at = said
            .find("/login/link/")
            .with_context(|| format!("no link for {person}: {said}{}", String::from_utf8_lossy(&output.stderr)))?;
        let path = said[at..].split(['"', ' ', '\n']).next().unwrap_or_default().to_owned();
        let head = exchange(address, "POST", &path, "").await?.0;
        let cookie = head
            .lines()
            .find_map(|line| {
                line.to_ascii_lowercase().starts_with("set-cookie:").then(|| line["set-cookie:".len()..].trim())
            })
            .and_then(|cookie| cookie.split(';').next())
            .with_context(|| format!("no session for {person}: {head}"))?;
        cookies.push(cookie.to_owned());
    }
    Ok(cookies)
}

/// The pages, each with what it asks the store for.
fn pages(short: &str, message: i64) -> Vec<(&'static str, String)> {
    vec![
        ("now: what fires", "/now".to_owned()),
        ("now, searched", "/now?q=host-199990".to_owned()),
        ("an incident", format!("/i/{short}")),
        ("a message", format!("/m/{message}")),
        ("messages of a day", "/m".to_owned()),
        ("messages of a receiver", "/m?receiver=hook003".to_owned()),
        ("messages that were not delivered", "/m?state=dead&since=7d".to_owned()),
        ("messages with an errcode", "/m?errcode=93000&since=30d".to_owned()),
        ("messages with an errcode that none has", "/m?errcode=45009&since=30d".to_owned()),
        ("a person's messages", "/m?person=member000&since=30d".to_owned()),
        ("search: a host", "/m?q=host-190000&since=30d".to_owned()),
        ("search: the beginning of many words", "/m?q=host&since=30d".to_owned()),
        ("search: two Chinese characters that all have", "/m?q=%E7%A3%81%E7%9B%98&since=30d".to_owned()),
        ("search: nothing", "/m?q=nowhere&since=30d".to_owned()),
        ("search: a place and a rule", "/m?q=host-180000+%E7%A3%81%E7%9B%98&since=30d".to_owned()),
        ("silences", "/silences".to_owned()),
        ("state", "/state".to_owned()),
        ("noise of this week", "/noise".to_owned()),
        ("a person", "/people/member001".to_owned()),
        ("audit", "/audit".to_owned()),
        ("senders", "/senders".to_owned()),
        ("routes", "/routes".to_owned()),
    ]
}

/// Opens each page some times while alerts arrive.
async fn looks(address: SocketAddr, database: &Database, cookie: &str) -> anyhow::Result<Vec<Look>> {
    let arriving = tokio::spawn(async move {
        let mut every = tokio::time::interval(Duration::from_millis(1000 / ARRIVING));
        for number in 0.. {
            every.tick().await;
            let _ = http::send(address, "POST", "/webhook/hook000", &single(1 << 40 | number), Duration::from_secs(10))
                .await;
        }
    });
    let message = i64::try_from(database.count("message WHERE true")?)? - 1000;
    let (_, list) = exchange(address, "GET", "/now", cookie).await?;
    let short = list
        .split("i/")
        .skip(1)
        .find_map(|rest| rest.split(['"', '?', '#']).next().filter(|short| short.len() == 4))
        .context("nothing fires on /now")?
        .to_owned();
    let mut looks = Vec::new();
    for (name, path) in pages(&short, message) {
        looks.push(look(address, cookie, name, &path).await?);
    }
    arriving.abort();
    Ok(looks)
}

/// Opens one page some times.
async fn look(address: SocketAddr, cookie: &str, name: &'static str, path: &str) -> anyhow::Result<Look> {
    let mut look = Look { name, millis: Vec::new(), bytes: 0 };
    for number in 0..=LOOKS {
        let begun = Instant::now();
        let (head, body) = exchange(address, "GET", path, cookie).await?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        if !matches!(status, "200" | "503") {
            bail!("{path}: {}", head.lines().next().unwrap_or_default());
        }
        if number > 0 {
            // A question that was given up is told as such, and counts with the time until it was.
            look.millis.push(begun.elapsed().as_secs_f64() * 1e3);
            look.bytes = body.len();
        }
    }
    Ok(look)
}

/// KiB that all open streams cost.
async fn streams(gateway: &Server, sessions: &[String]) -> anyhow::Result<f64> {
    let before = gateway.memory("VmRSS")?;
    let mut open = Vec::new();
    for number in 0..STREAMS {
        let mut stream = TcpStream::connect(gateway.address).await?;
        let cookie = &sessions[number / OF_SESSION];
        let request = format!(
            "GET /events HTTP/1.1\r\nHost: {}\r\nCookie: {cookie}\r\nAccept: text/event-stream\r\n\r\n",
            gateway.address
        );
        stream.write_all(request.as_bytes()).await?;
        let mut head = vec![0; 512];
        let read = stream.read(&mut head).await?;
        let said = String::from_utf8_lossy(&head[..read]).into_owned();
        ensure!(said.starts_with("HTTP/1.1 200"), "stream {number}: {said}");
        open.push(stream);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    Ok(gateway.memory("VmRSS")? as f64 - before as f64)
}

/// The p99 of the intake without and with people who open pages, in turns; medians.
async fn beside(address: SocketAddr, sessions: &[String]) -> anyhow::Result<(f64, f64)> {
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for round in 0..6_u64 {
        let people: Vec<_> = sessions
            .iter()
            .take(if round % 2 == 1 { PEOPLE } else { 0 })
            .cloned()
            .map(|cookie| {
                tokio::spawn(async move {
                    for path in ["/now", "/m", "/state", "/silences", "/m?q=host-190000"].iter().cycle() {
                        let _ = exchange(address, "GET", path, &cookie).await;
                        tokio::time::sleep(LOOKED_AT).await;
                    }
                })
            })
            .collect();
        let until = Until::Elapsed(Duration::from_secs(5));
        let body = Arc::new(|number| single(1 << 41 | number));
        let report = load::post(address, "/webhook/hook001", 4, until, round << 32, body).await?;
        ensure!(report.errors == 0, "{} of {} were refused", report.errors, report.requests);
        if round % 2 == 1 { &mut beside } else { &mut alone }.push(report.quantile(0.99));
        for person in people {
            person.abort();
        }
    }
    Ok((median(alone), median(beside)))
}

/// One request with a cookie; the head and the body of its answer.
async fn exchange(to: SocketAddr, method: &str, path: &str, cookie: &str) -> anyhow::Result<(String, String)> {
    let work = async {
        let mut stream = TcpStream::connect(to).await?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {to}\r\nCookie: {cookie}\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
        anyhow::Ok((head.to_owned(), body.to_owned()))
    };
    tokio::time::timeout(Duration::from_secs(20), work).await.context("no answer in time")?
}

/// Prints the tables.
pub fn print(rows: u64, seen: &[Seen], aims: &mut Aims) {
    println!("\n## The console over {rows} messages\n");
    let heads: Vec<String> =
        seen.iter().map(|seen| format!(" {}: median ms | slowest of {LOOKS} |", seen.store)).collect();
    println!("| page |{} KB |", heads.concat());
    println!("|---|{}---:|", "---:|---:|".repeat(seen.len()));
    let Some(first) = seen.first() else { return };
    for (at, look) in first.looks.iter().enumerate() {
        let cells: Vec<String> = seen
            .iter()
            .map(|seen| {
                let millis = &seen.looks[at].millis;
                let slowest = millis.iter().copied().fold(0.0, f64::max);
                format!(" {:.1} | {slowest:.1} |", median(millis.clone()))
            })
            .collect();
        println!("| {} |{} {:.1} |", look.name, cells.concat(), look.bytes as f64 / 1e3);
    }
    for Seen { store, looks, terms, streams, alone, beside, firing, stormy } in seen {
        let medians: Vec<f64> = looks.iter().map(|look| median(look.millis.clone())).collect();
        let slowest = medians.iter().copied().fold(0.0, f64::max);
        println!(
            "\n{store}: terms of {terms:.0} messages a second; intake's p99 {alone:.1} ms, beside people {beside:.1} ms"
        );
        for Look { name, millis, .. } in stormy {
            println!("{store}, while {firing} alerts fire: {name} in {:.1} ms, median", median(millis.clone()));
        }
        aims.add(&format!("slowest page, median, {store}"), format!("{slowest:.0} ms"), "< 100 ms");
        aims.add(&format!("{STREAMS} open streams, {store}"), format!("{:.1} MB", streams / 1024.0), "< 8 MB");
        aims.add(
            &format!("intake's p99 beside {PEOPLE} people, {store}"),
            format!("{:.2} ×", beside / alone),
            "≤ 1.2 ×",
        );
    }
}
