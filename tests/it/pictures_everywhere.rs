//! The chart of a message in each channel that can show one: of a real Prometheus, and whatever its upstream does.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use wecom_simulator::Setup;
use wegraf::internals::time::Clock;

use crate::bots::{activate, connected, with_bot};
use crate::harness::World;
use crate::pictures::{EXPRESSION, Manner, StandIn, body, fetched};
use crate::programs::{Exporter, Server, find, until};

/// A webhook, an article and a card of an app without a callback, and a bot.
const EVERYWHERE: &str = r"
external_url: https://wegraf.example.com
receivers:
  ops:
    targets:
      - { webhook: ops-group, face: markdown_v2 }
      - { webhook: dba-group, face: news }
      - { app: ops, users: [daixuan], face: news }
      - { app: ops, users: [zhangsan], face: card }
      - { bot: duty, chat: wrSimDutyGroup, face: markdown_v2 }
route: { receiver: ops }
";
/// Where their messages arrive, and the field that holds the picture.
const ARRIVALS: [(&str, &str); 5] = [
    ("webhook=sim-ops-group", "/content/content"),
    ("webhook=sim-dba-group", "/content/articles/0/picurl"),
    ("user=daixuan", "/content/articles/0/picurl"),
    ("user=zhangsan", "/content/card_image/url"),
    ("bot=sim-bot/wrSimDutyGroup", "/content/content"),
];

fn config(world: &World, upstream: &str) -> String {
    let rest = format!(
        "{EVERYWHERE}upstreams: {{ prom: {{ kind: prometheus, url: {upstream} }} }}\ncharts: {{ for: critical }}\n"
    );
    with_bot(world, "127.0.0.1:0", "sim-bot-secret", &rest)
}

async fn with_upstream(upstream: &str) -> World {
    let mut world = World::idle(Setup::demo(), "").await;
    world.write("wegraf.yaml", &config(&world, upstream));
    world.start().await;
    connected(&world).await;
    activate(&world, "wrSimDutyGroup", true).await;
    world
}

/// The picture of message `count` in each channel, below the gateway's own address; what became of them, and their bytes.
async fn shown(world: &World, count: usize) -> Vec<(String, Vec<u8>)> {
    let mut shown = Vec::new();
    for (whose, field) in ARRIVALS {
        let message = world.arrived(whose, count).await[count - 1].clone();
        let text = message.pointer(field).and_then(Value::as_str).unwrap_or_else(|| panic!("{whose}: {message:#}"));
        let (_, after) = text.split_once("https://wegraf.example.com/c/").unwrap_or_else(|| panic!("{whose}: {text}"));
        let name = after.split(')').next().unwrap();
        let (png, result, _) = fetched(world, &format!("/c/{name}")).await;
        shown.push((result, png));
    }
    shown
}

#[tokio::test]
async fn whatever_an_upstream_does_every_channel_shows_the_same_and_no_message_waits() {
    let stand_in = StandIn::start().await;
    let world = with_upstream(&stand_in.url).await;
    let mut neutral: Vec<Vec<u8>> = Vec::new();
    for (count, (manner, result)) in [
        (Manner::Well, "drawn"),
        (Manner::Silent, "slow"),
        (Manner::Huge, "large"),
        (Manner::Well, "drawn"),
        (Manner::Unauthorised, "refused"),
        (Manner::NotNumbers, "empty"),
        (Manner::OnePoint, "empty"),
        (Manner::ManySeries, "large"),
    ]
    .into_iter()
    .enumerate()
    {
        stand_in.behaves(manner);
        world.accept("/webhook", body("QueueLong", EXPRESSION, &format!("h{count}"), &json!({}))).await;
        for (whose, _) in ARRIVALS {
            world.arrived(whose, count + 1).await;
        }
        assert_eq!(stand_in.questions(), 0, "{manner:?}: nothing is asked before a picture is fetched");
        let shown = shown(&world, count + 1).await;
        for (got, png) in &shown {
            assert_eq!((got.as_str(), png), (result, &shown[0].1), "{manner:?}");
        }
        assert_eq!(stand_in.questions(), 1, "{manner:?}: five pictures are one question");
        if result != "drawn" {
            neutral.push(shown[0].1.clone());
        }
    }
    assert!(neutral.windows(2).all(|pair| pair[0] == pair[1]), "one neutral picture");
}

#[tokio::test]
async fn an_upstream_that_is_down_costs_every_channel_the_picture_only() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let world = with_upstream(&format!("http://{nobody}")).await;
    world.accept("/webhook", body("QueueLong", EXPRESSION, "h", &json!({}))).await;
    for (result, _) in shown(&world, 1).await {
        assert_eq!(result, "unreachable");
    }
}

/// A mail server that takes what comes; the mails.
async fn mail_server() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, mails) = (listener.local_addr().unwrap().port(), Arc::<Mutex<Vec<String>>>::default());
    let kept = mails.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let kept = kept.clone();
            tokio::spawn(async move {
                let (read, mut write) = stream.into_split();
                let mut lines = BufReader::new(read).lines();
                write.write_all(b"220 mail\r\n").await.unwrap();
                let mut mail: Option<String> = None;
                while let Ok(Some(line)) = lines.next_line().await {
                    let answer = match &mut mail {
                        Some(text) if line == "." => {
                            kept.lock().unwrap().push(std::mem::take(text));
                            mail = None;
                            "250 taken\r\n"
                        }
                        Some(text) => {
                            text.extend([line.as_str(), "\r\n"]);
                            continue;
                        }
                        None if line == "DATA" => {
                            mail = Some(String::new());
                            "354 go on\r\n"
                        }
                        None => "250 ok\r\n",
                    };
                    write.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    (port, mails)
}

#[tokio::test]
async fn a_mail_has_its_picture_below_the_text_and_goes_without_one_that_is_late() {
    let stand_in = StandIn::start().await;
    let (port, mails) = mail_server().await;
    let rest = format!(
        "smtp: {{ host: 127.0.0.1, port: {port}, tls: none, from: wegraf@example.com }}\n\
         receivers: {{ ops: {{ targets: [ {{ email: [duty@example.com] }} ] }} }}\nroute: {{ receiver: ops }}\n\
         upstreams: {{ prom: {{ kind: prometheus, url: {} }} }}\ncharts: {{ for: critical }}\n",
        stand_in.url
    );
    let world = World::new(&rest).await;
    for (count, (manner, pictured)) in
        [(Manner::Well, true), (Manner::Silent, false), (Manner::Unauthorised, false)].into_iter().enumerate()
    {
        stand_in.behaves(manner);
        world.accept("/webhook", body("QueueLong", EXPRESSION, &format!("h{count}"), &json!({}))).await;
        let mail = until("the mail arrives", async || mails.lock().unwrap().get(count).cloned()).await;
        assert_eq!(mail.contains("Content-Type: image/png"), pictured, "{manner:?}: {mail}");
        assert_eq!(mail.contains("Content-Type: multipart/mixed"), pictured, "{manner:?}");
        assert!(mail.contains("Content-Type: text/plain"), "{manner:?}: {mail}");
    }
    let over = body("QueueLong", EXPRESSION, "h0", &json!({})).replace("\"firing\"", "\"resolved\"");
    stand_in.behaves(Manner::Well);
    world.accept("/webhook", over).await;
    let mail = until("the end arrives", async || mails.lock().unwrap().get(3).cloned()).await;
    assert!(!mail.contains("image/png") && stand_in.questions() == 0, "{mail}");
}

const RULES: &str = r"
      - { alert: 磁盘将满, expr: disk_used > 0.9, labels: { severity: critical }, annotations: { summary: '{{ $labels.mountpoint }} 已用 {{ $value | humanizePercentage }}' } }
";

/// Three hours that Prometheus has seen already: a ramp up to 97 %.
fn history(folder: &Path, address: &str) -> Option<()> {
    let promtool = find("promtool")?;
    let now = Clock::System.now().0 / 1000;
    let mut history = "# TYPE disk_used gauge\n".to_owned();
    for minute in (2..200_i64).rev() {
        let used = 0.97 - f64::from(i32::try_from(minute).unwrap()) / 1000.0;
        let at = now - minute * 60;
        writeln!(history, "disk_used{{mountpoint=\"/data\",instance=\"{address}\",job=\"node\"}} {used} {at}").unwrap();
    }
    history += "# EOF\n";
    std::fs::write(folder.join("history.om"), history).unwrap();
    let made = Command::new(promtool)
        .args(["tsdb", "create-blocks-from", "openmetrics", "history.om", "prometheus"])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    Some(())
}

#[tokio::test]
async fn a_firing_rule_of_a_real_prometheus_is_drawn_in_every_channel() {
    let exporter = Exporter::start("disk_used{mountpoint=\"/data\"} 0.97\ndisk_used{mountpoint=\"/logs\"} 0.2\n").await;
    let mut world = World::idle(Setup::demo(), "").await;
    let folder = world.folder.path().to_owned();
    let (Some(_), Some(())) = (find("prometheus"), history(&folder, &exporter.address)) else { return };
    let listener = xtask::gateway::free().unwrap();
    let scraped = format!(
        "alerting:\n  alertmanagers:\n    - static_configs: [ {{ targets: ['{listener}'] }} ]\nscrape_configs:\n  - {{ job_name: node, static_configs: [ {{ targets: ['{}'] }} ] }}\n",
        exporter.address
    );
    let Some(prometheus) = Server::prometheus(&folder, &scraped, RULES).await else { return };
    world.write("wegraf.yaml", &config(&world, &prometheus.url));
    activate(&world, "wrSimDutyGroup", true).await;
    world.start_at(listener).await;
    let shown = shown(&world, 1).await;
    for (result, png) in &shown {
        assert_eq!((result.as_str(), png), ("drawn", &shown[0].1));
    }
    looks_as_reviewed("prometheus.png", &shown[0].1);
}

/// Cells of a picture, each way.
const CELLS: (usize, usize) = (54, 24);

/// How bright each cell of a picture is.
fn brightness(png: &[u8]) -> Vec<f64> {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut pixels).unwrap();
    let (width, height) = (frame.width as usize, frame.height as usize);
    let samples = frame.line_size / width;
    let (across, down) = (width / CELLS.0, height / CELLS.1);
    let mut cells = Vec::new();
    for row in 0..CELLS.1 {
        for column in 0..CELLS.0 {
            let lines = (row * down..(row + 1) * down).map(|y| y * frame.line_size);
            let bytes = lines.flat_map(|line| &pixels[line + column * across * samples..][..across * samples]);
            let sum: f64 = bytes.map(|byte| f64::from(*byte)).sum();
            cells.push(sum / f64::from(u32::try_from(across * down * samples).unwrap()));
        }
    }
    cells
}

/// The part of the cells in which two pictures differ.
fn apart(one: &[u8], other: &[u8]) -> f64 {
    let differ =
        brightness(one).iter().zip(brightness(other)).filter(|(one, other)| (*one - other).abs() > 20.0).count();
    f64::from(u32::try_from(differ).unwrap()) / f64::from(u32::try_from(CELLS.0 * CELLS.1).unwrap())
}

/// A picture whose hours below the axis may differ, and nothing else. `UPDATE=1` renews the golden one: look at it.
fn looks_as_reviewed(name: &str, png: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pictures").join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, png).unwrap();
    }
    let golden = std::fs::read(&path).unwrap();
    let apart = apart(&golden, png);
    assert!(apart < LABELS, "{:.1} % of the picture differ from {}", apart * 100.0, path.display());
}

/// The part of a picture that its hours take, in two places each.
const LABELS: f64 = 0.06;

/// The control: another course, or none, is another picture.
#[tokio::test]
async fn another_course_is_told_from_the_golden_picture() {
    let golden =
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pictures/prometheus.png")).unwrap();
    let stand_in = StandIn::start().await;
    let world = with_upstream(&stand_in.url).await;
    for (count, manner) in [Manner::Well, Manner::Nothing].into_iter().enumerate() {
        stand_in.behaves(manner);
        world.accept("/webhook", body("QueueLong", EXPRESSION, &format!("h{count}"), &json!({}))).await;
        let png = shown(&world, count + 1).await.swap_remove(0).1;
        assert!(apart(&golden, &png) > LABELS, "{manner:?}: {}", apart(&golden, &png));
    }
}
