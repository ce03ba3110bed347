//! The measurements of `docs/performance.md`, in one run on one machine, the variants alternating: machines are
//! noisy, so ratios of neighbours are quoted before absolute figures.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use axum::body::Bytes;
use axum::routing::post;
use clap::Args;

use crate::load::{self, Until};

/// How long and how often.
#[derive(Args)]
pub struct Options {
    /// Seconds each variant is loaded in each round.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Rounds; medians over them are printed.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Connections.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Alerts taken while memory is watched.
    #[arg(long, default_value_t = 100_000)]
    alerts: u64,
    /// Also build and measure the artefact of `--profile dist` (slow).
    #[arg(long)]
    dist: bool,
}

/// Linux counts processor time in hundredths of a second for everybody who reads `/proc`.
const MICROS_PER_TICK: f64 = 10_000.0;

/// A child that is killed when it is dropped.
struct Server {
    child: Child,
    address: SocketAddr,
    ready: Duration,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts `command` and waits until `path` answers 200.
    async fn start(mut command: Command, address: SocketAddr, path: &str) -> anyhow::Result<Self> {
        let begun = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut server = Self { child, address, ready: Duration::ZERO };
        while begun.elapsed() < Duration::from_secs(20) {
            if matches!(load::get(address, path).await, Ok((200, _))) {
                server.ready = begun.elapsed();
                return Ok(server);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        bail!("{command:?} did not answer")
    }

    /// A line of `/proc/PID/status`, in KiB.
    fn memory(&self, field: &str) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with(field)).context("no such field")?;
        Ok(line.split_whitespace().nth(1).context("no value")?.parse()?)
    }

    /// Processor time used so far, in microseconds: by the thread that writes the store, and by all others.
    fn processor(&self) -> anyhow::Result<(f64, f64)> {
        let (mut writer, mut others) = (0.0, 0.0);
        for task in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let task = task?.path();
            let name = std::fs::read_to_string(task.join("comm"))?;
            let stat = std::fs::read_to_string(task.join("stat"))?;
            let fields = stat.rsplit(')').next().context("not a stat line")?;
            let mut ticks = fields.split_whitespace().skip(11);
            let mut tick = || ticks.next().context("too few fields")?.parse::<f64>().map_err(anyhow::Error::from);
            let micros = (tick()? + tick()?) * MICROS_PER_TICK;
            *(if name.trim() == "store-writer" { &mut writer } else { &mut others }) += micros;
        }
        Ok((writer, others))
    }

    /// The value of a metric of wegraf.
    async fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let (_, text) = load::get(self.address, "/metrics").await?;
        let line = text
            .lines()
            .find(|line| line.split(' ').next() == Some(name))
            .with_context(|| format!("no metric {name}"))?;
        Ok(line.rsplit(' ').next().context("no value")?.parse()?)
    }
}

/// The bare handler: parses the body, keeps nothing, answers.
pub async fn bare(listen: SocketAddr) -> anyhow::Result<()> {
    async fn parse(body: Bytes) -> String {
        let value: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        format!(r#"{{"alerts":{}}}"#, value["alerts"].as_array().map_or(0, Vec::len))
    }
    let router =
        axum::Router::new().route("/webhook", post(parse)).route("/readyz", axum::routing::get(|| async { "ok" }));
    axum::serve(tokio::net::TcpListener::bind(listen).await?, router).await?;
    Ok(())
}

/// Grafana's body with one alert, 1.5 KB, another alert for each number: every request is news.
fn body(number: u64) -> String {
    let instance = format!("10.{}.{}.{}:9100", number >> 16 & 255, number >> 8 & 255, number & 255);
    let rule = number >> 24;
    format!(
        r#"{{"receiver":"wegraf","status":"firing","alerts":[{{"status":"firing","labels":{{"alertname":"磁盘将满 {rule}","grafana_folder":"基础设施","instance":"{instance}","severity":"warning","team":"dba"}},"annotations":{{"description":"按现在的速度 40 分钟后写满，先清理归档日志，再看慢查询是否在写临时表","runbook_url":"https://wiki.example.com/runbook/disk","summary":"{instance} 的 /var 已用 96.2%"}},"startsAt":"2026-11-22T06:02:00Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"https://grafana.example.com/alerting/grafana/bench{rule}/view?orgId=1","fingerprint":"{number:016x}","silenceURL":"https://grafana.example.com/alerting/silence/new?alertmanager=grafana&matcher=instance%3D{instance}","dashboardURL":"https://grafana.example.com/d/disk?orgId=1","panelURL":"https://grafana.example.com/d/disk?orgId=1&viewPanel=4","values":{{"A":96.2,"C":1}},"valueString":"[ var='A' labels={{instance={instance}}} value=96.2 ]","orgId":1}}],"groupLabels":{{"alertname":"磁盘将满 {rule}"}},"commonLabels":{{"alertname":"磁盘将满 {rule}","severity":"warning"}},"commonAnnotations":{{}},"externalURL":"https://grafana.example.com/","version":"1","groupKey":"{{}}:{{alertname=\"磁盘将满\"}}","truncatedAlerts":0,"orgId":1,"title":"[FIRING:1] 磁盘将满","state":"alerting","message":"**Firing** A=96.2"}}"#
    )
}

/// Runs everything and prints the tables.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let binary = build("release")?;
    let folder = std::env::temp_dir().join(format!("wegraf-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let done = measure(&options, &binary, &folder).await;
    std::fs::remove_dir_all(&folder)?;
    done
}

async fn measure(options: &Options, binary: &Path, folder: &Path) -> anyhow::Result<()> {
    println!("machine: {}", machine()?);
    println!(
        "body: {} bytes; {} connections; {} rounds of {} s, alternating",
        body(1).len(),
        options.connections,
        options.rounds,
        options.seconds
    );
    intake(options, binary, folder).await?;
    delivery(binary, folder).await?;
    memory(options, binary, folder).await?;
    println!("\n## Size\n");
    println!("| binary | MB |\n|---|---|");
    println!("| release, stripped | {:.1} |", std::fs::metadata(binary)?.len() as f64 / 1e6);
    if options.dist {
        let dist = build("dist")?;
        println!("| dist (fat LTO), stripped | {:.1} |", std::fs::metadata(dist)?.len() as f64 / 1e6);
    }
    Ok(())
}

/// Builds wegraf with a profile of the workspace; where the program is.
pub fn build(profile: &str) -> anyhow::Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no workspace")?;
    let status = Command::new(env!("CARGO"))
        .current_dir(root)
        .args(["build", "--quiet", "--package", "wegraf", "--profile", profile])
        .status()?;
    ensure!(status.success(), "wegraf could not be built");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(target.join(profile).join("wegraf"))
}

fn machine() -> anyhow::Result<String> {
    let cpu = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism()?;
    let memory = std::fs::read_to_string("/proc/meminfo")?;
    let kib: f64 = memory.split_whitespace().nth(1).context("no memory")?.parse()?;
    Ok(format!(
        "{cores} × {model}, {:.0} GiB, Linux {}",
        kib / 1_048_576.0,
        std::fs::read_to_string("/proc/sys/kernel/osrelease")?.trim()
    ))
}

fn free() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Starts wegraf on a fresh database in `folder`, sending to the WeCom at `api`.
async fn wegraf(binary: &Path, folder: &Path, api: &str) -> anyhow::Result<Server> {
    let address = free()?;
    let file = folder.join(format!("{}.yaml", address.port()));
    let text = format!(
        "listen: {address}\ndatabase: sqlite:{}\nwecom:\n  api_url: {api}\n  webhooks:\n    group: {{ key: sim-ops-group }}\nreceivers:\n  ops:\n    targets:\n      - {{ webhook: group }}\nroute: {{ receiver: ops }}\n",
        folder.join(format!("{}.db", address.port())).display()
    );
    std::fs::write(&file, text)?;
    let mut command = Command::new(binary);
    command.arg("serve").arg("-c").arg(&file);
    Server::start(command, address, "/readyz").await
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Durable intake beside the bare handler. WeCom is out of reach meanwhile, so that only intake is measured.
async fn intake(options: &Options, binary: &Path, folder: &Path) -> anyhow::Result<()> {
    let nowhere = format!("http://{}", free()?);
    let address = free()?;
    let mut bare = Command::new(std::env::current_exe()?);
    bare.arg("bare").arg(address.to_string());
    let bare = Server::start(bare, address, "/readyz").await?;
    let wegraf = wegraf(binary, folder, &nowhere).await?;
    let until = Until::Elapsed(Duration::from_secs(options.seconds));
    let (mut bare_rates, mut rates, mut ratios, mut commits, mut p50, mut p99) =
        (vec![], vec![], vec![], vec![], vec![], vec![]);
    let (mut writer, mut others) = (vec![], vec![]);
    let mut number = 0;
    for _ in 0..options.rounds {
        let plain = load::post(bare.address, "/webhook", options.connections, until, 0, Arc::new(body)).await?;
        let before = wegraf.metric("wegraf_store_commits").await?;
        let used = wegraf.processor()?;
        let kept = load::post(wegraf.address, "/webhook", options.connections, until, number, Arc::new(body)).await?;
        let after = wegraf.metric("wegraf_store_commits").await?;
        let then = wegraf.processor()?;
        writer.push((then.0 - used.0) / kept.requests as f64);
        others.push((then.1 - used.1) / kept.requests as f64);
        ensure!(plain.errors + kept.errors == 0, "{} requests were not answered 200", plain.errors + kept.errors);
        number += kept.requests;
        ratios.push(kept.rate() / plain.rate());
        bare_rates.push(plain.rate());
        commits.push((after - before) / kept.requests as f64);
        rates.push(kept.rate());
        p50.push(kept.quantile(0.5));
        p99.push(kept.quantile(0.99));
    }
    println!("\n## Intake\n");
    println!("| | median over the rounds |\n|---|---|");
    println!("| bare handler | {:.0} requests/s |", median(bare_rates));
    println!("| wegraf, on disk before the answer | {:.0} requests/s |", median(rates));
    println!("| ratio | {:.2} (aim ≥ 0.50) |", median(ratios));
    println!("| commits (one fsync each) per request | {:.3} (aim < 0.100) |", median(commits));
    println!(
        "| processor time per request | the store's thread {:.0} µs, all others {:.0} µs |",
        median(writer),
        median(others)
    );
    println!("| answer | p50 {:.1} ms, p99 {:.1} ms |", median(p50), median(p99));
    Ok(())
}

/// From POST to the simulator's receipt, one at a time.
async fn delivery(binary: &Path, folder: &Path) -> anyhow::Result<()> {
    let address = free()?;
    let mut command = Command::new(binary);
    command.arg("simulator").arg("--listen").arg(address.to_string());
    let simulator = Server::start(command, address, "/_simulator/counters").await?;
    put(simulator.address, "/_simulator/switches", r#"{"enforce_rate":false}"#).await?;
    let wegraf = wegraf(binary, folder, &format!("http://{}", simulator.address)).await?;
    let mut millis = Vec::new();
    for number in 0..200 {
        let posted = Instant::now();
        load::post(wegraf.address, "/webhook", 1, Until::Requests(1), 1 << 30 | number, Arc::new(body)).await?;
        while wegraf_messages(&simulator).await? <= number {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        millis.push(posted.elapsed().as_secs_f64() * 1e3);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    millis.sort_by(f64::total_cmp);
    println!("\n## Delivery, idle\n");
    println!("| POST to receipt by the simulator | ms |\n|---|---|");
    println!("| median of 200 | {:.1} (aim < 10) |", millis[100]);
    println!("| p99 | {:.1} |", millis[197]);
    Ok(())
}

async fn wegraf_messages(simulator: &Server) -> anyhow::Result<u64> {
    let (_, text) = load::get(simulator.address, "/_simulator/counters").await?;
    let counters: serde_json::Value = serde_json::from_str(&text)?;
    counters["messages"].as_u64().context("the simulator counts no messages")
}

async fn put(to: SocketAddr, path: &str, body: &str) -> anyhow::Result<()> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(to).await?;
    let request = format!(
        "PUT {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    ensure!(answer.contains(" 200 "), "PUT {path}: {answer}");
    Ok(())
}

/// Start-up time, and memory idle and under load.
async fn memory(options: &Options, binary: &Path, folder: &Path) -> anyhow::Result<()> {
    let nowhere = format!("http://{}", free()?);
    let mut ready = Vec::new();
    for _ in 0..5 {
        ready.push(wegraf(binary, folder, &nowhere).await?.ready.as_secs_f64() * 1e3);
    }
    let wegraf = wegraf(binary, folder, &nowhere).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let idle = wegraf.memory("VmRSS:")? as f64 / 1024.0;
    let taken =
        load::post(wegraf.address, "/webhook", options.connections, Until::Requests(options.alerts), 0, Arc::new(body))
            .await?;
    ensure!(taken.errors == 0, "{} requests were not answered 200", taken.errors);
    let peak = wegraf.memory("VmHWM:")? as f64 / 1024.0;
    println!("\n## Memory and start\n");
    println!("| | |\n|---|---|");
    println!("| exec to ready, median of 5 | {:.0} ms (aim < 100) |", median(ready));
    println!("| resident, idle | {idle:.0} MiB (aim < 30) |");
    println!(
        "| resident, peak while taking {} alerts, none of which could be sent | {peak:.0} MiB (aim < 100) |",
        options.alerts
    );
    Ok(())
}
