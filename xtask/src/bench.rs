//! The measurements of `docs/performance.md`, in one run on one machine, the variants alternating: machines are
//! noisy, so ratios of neighbours are quoted before absolute figures.

mod aims;
mod charts;
mod console;
mod floor;
mod growth;
mod intake;
mod plain;
mod press;
mod process;
mod reading;
mod wal;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::{Args, ValueEnum};
use tempfile::TempDir;

use crate::Skipped;
use crate::gateway::free;
use crate::ledger::record::Database;
use crate::load::{self, Until};
use crate::postgres;
use aims::Aims;
pub use plain::{Plain, serve as plain};
use process::Server;

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
    /// Sizes of the outbox at which the cost of a lane is measured.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000, 100_000, 1_000_000])]
    rows: Vec<u64>,
    /// The wegraf to measure; without it, that of this workspace is built.
    #[arg(long)]
    program: Option<PathBuf>,
    /// Another wegraf, for example of an older commit: its intake of the same bodies is measured in the same rounds.
    #[arg(long)]
    against: Option<PathBuf>,
    /// Only these sections.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Section::value_variants().to_vec())]
    only: Vec<Section>,
    /// Only over these stores.
    #[arg(long, value_delimiter = ',', default_values_t = ["sqlite".to_owned(), "postgres".to_owned()])]
    stores: Vec<String>,
    /// Also build and measure the artefact of `--profile dist` (slow).
    #[arg(long)]
    dist: bool,
}

/// What is measured, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Section {
    /// Requests a second, beside servers that do less.
    Intake,
    /// One message at a time, when nothing else waits.
    Idle,
    /// The same, while the outbox grows.
    Lanes,
    /// Presses of buttons.
    Presses,
    /// Start, memory and size.
    Memory,
    /// What it takes to compose messages and to draw charts.
    Reading,
    /// What charts add to the memory of the program.
    Charts,
    /// The console's pages over as many messages as the largest of `--rows`.
    Console,
}

/// Grafana's body with one alert, 1.5 KB, another alert for each number: every request is news.
fn single(number: u64) -> String {
    let instance = format!("10.{}.{}.{}:9100", number >> 16 & 255, number >> 8 & 255, number & 255);
    let rule = number >> 24;
    format!(
        r#"{{"receiver":"wegraf","status":"firing","alerts":[{{"status":"firing","labels":{{"alertname":"磁盘将满 {rule}","grafana_folder":"基础设施","instance":"{instance}","severity":"warning","team":"dba"}},"annotations":{{"description":"按现在的速度 40 分钟后写满，先清理归档日志，再看慢查询是否在写临时表","runbook_url":"https://wiki.example.com/runbook/disk","summary":"{instance} 的 /var 已用 96.2%"}},"startsAt":"2026-11-22T06:02:00Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"https://grafana.example.com/alerting/grafana/bench{rule}/view?orgId=1","fingerprint":"{number:016x}","silenceURL":"https://grafana.example.com/alerting/silence/new?alertmanager=grafana&matcher=instance%3D{instance}","dashboardURL":"https://grafana.example.com/d/disk?orgId=1","panelURL":"https://grafana.example.com/d/disk?orgId=1&viewPanel=4","values":{{"A":96.2,"C":1}},"valueString":"[ var='A' labels={{instance={instance}}} value=96.2 ]","orgId":1}}],"groupLabels":{{"alertname":"磁盘将满 {rule}"}},"commonLabels":{{"alertname":"磁盘将满 {rule}","severity":"warning"}},"commonAnnotations":{{}},"externalURL":"https://grafana.example.com/","version":"1","groupKey":"{{}}:{{alertname=\"磁盘将满\"}}","truncatedAlerts":0,"orgId":1,"title":"[FIRING:1] 磁盘将满","state":"alerting","message":"**Firing** A=96.2"}}"#
    )
}

/// A body that no mapping knows: the general reader finds everything in it.
fn unknown(number: u64) -> String {
    format!(
        r#"{{"来源":"动环监控","标题":"机房温度过高 {number}","状态":"告警中","等级":"严重","设备":{{"name":"ac-{number}","位置":"机房 B 3 排","ip":"10.{}.{}.{}"}},"当前值":41.5,"阈值":"> 35","开始时间":"2026-11-22 14:02:00","详情":"3 号空调回风温度 41.5 ℃，已持续 10 分钟，请检查风机和冷凝水","labels":{{"team":"idc","cluster":"prod-1"}},"url":"https://dcim.example.com/alarm/{number}","history":[{{"at":"13:50","value":33.1}},{{"at":"13:55","value":36.9}},{{"at":"14:00","value":41.5}}]}}"#,
        number >> 16 & 255,
        number >> 8 & 255,
        number & 255
    )
}

/// A message for WeCom's webhook, relayed as it is.
fn message(number: u64) -> String {
    format!(
        r###"{{"msgtype":"markdown","markdown":{{"content":"## 构建失败 order-api #{number}\n> 分支：main\n> 提交：修复支付回调\n> [查看日志](https://ci.example.com/job/{number})"}}}}"###
    )
}

/// An Alertmanager's body of many alerts, 590 bytes each.
fn many(alerts: usize) -> String {
    let alert = |number: usize| {
        let instance = format!("10.0.{}.{}:9100", number >> 8, number & 255);
        format!(
            r#"{{"status":"firing","labels":{{"alertname":"磁盘将满","cluster":"prod-bj","instance":"{instance}","job":"node","mountpoint":"/var","n":"{number}","severity":"warning","team":"dba"}},"annotations":{{"description":"按现在的速度 40 分钟后写满，先清理归档日志，再看慢查询是否在写临时表","runbook_url":"https://wiki.example.com/runbook/disk","summary":"{instance} 的 /var 已用 96.2%"}},"startsAt":"2026-11-22T06:02:00Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"https://prometheus.example.com/graph?g0.expr=disk_used%20%3E%2090&g0.tab=1","fingerprint":"{number:016x}"}}"#
        )
    };
    let alerts: Vec<String> = (0..alerts).map(alert).collect();
    format!(
        r#"{{"version":"4","receiver":"wegraf","status":"firing","alerts":[{}],"groupLabels":{{}},"commonLabels":{{}},"commonAnnotations":{{}},"externalURL":"http://alertmanager.example.com","groupKey":"{{}}:{{}}","truncatedAlerts":0}}"#,
        alerts.join(",")
    )
}

/// Runs everything and prints the tables.
pub async fn run(options: Options) -> anyhow::Result<()> {
    if options.only == [Section::Reading] {
        // Nothing of that needs the program.
        let mut aims = Aims::default();
        reading::run(&mut aims)?;
        aims.print();
        return Ok(());
    }
    let binary = options.program.clone().map_or_else(|| build("release"), Ok)?;
    let folder = TempDir::with_prefix("wegraf-bench-")?;
    println!("machine: {}", machine()?);
    println!(
        "body: {} bytes; {} connections; {} rounds of {} s, alternating",
        single(1).len(),
        options.connections,
        options.rounds,
        options.seconds
    );
    let stores = Stores::new(folder.path(), &options.stores)?;
    let mut aims = Aims::default();
    if options.measures(Section::Intake) {
        let mut compared = Vec::new();
        for name in stores.names() {
            compared.push((name, stores.database(name)?, stores.database(name)?));
        }
        intake::run(&options, &binary, folder.path(), &compared, &mut aims).await?;
    }
    if options.measures(Section::Idle) || options.measures(Section::Lanes) {
        delivery(&options, &binary, folder.path(), &stores, &mut aims).await?;
    }
    if options.measures(Section::Presses) {
        press::run(&binary, folder.path(), &stores).await?;
    }
    if options.measures(Section::Memory) {
        memory(&options, &binary, folder.path(), &stores, &mut aims).await?;
        size(&options, &binary)?;
    }
    if options.measures(Section::Reading) {
        reading::run(&mut aims)?;
    }
    if options.measures(Section::Charts) {
        charts::run(&binary, folder.path(), &mut aims).await?;
    }
    if options.measures(Section::Console) {
        let rows = options.rows.iter().copied().max().unwrap_or_default();
        let mut seen = Vec::new();
        for name in stores.names() {
            seen.push(console::measure(&binary, folder.path(), name, &stores.database(name)?, rows).await?);
        }
        console::print(rows, &seen, &mut aims);
    }
    aims.print();
    Ok(())
}

impl Options {
    fn measures(&self, section: Section) -> bool {
        self.only.contains(&section)
    }
}

fn size(options: &Options, binary: &Path) -> anyhow::Result<()> {
    println!("\n## Size\n");
    println!("| binary | MB |\n|---|---|");
    println!("| release, stripped | {:.1} |", std::fs::metadata(binary)?.len() as f64 / 1e6);
    if options.dist {
        let dist = build("dist")?;
        println!("| dist (fat LTO), stripped | {:.1} |", std::fs::metadata(dist)?.len() as f64 / 1e6);
    }
    Ok(())
}

/// Makes empty databases of each kind.
struct Stores<'a> {
    folder: &'a Path,
    /// `None`: PostgreSQL is not installed.
    server: Option<postgres::Server>,
    /// Their names, as `--stores` has them.
    only: &'a [String],
}

impl<'a> Stores<'a> {
    fn new(folder: &'a Path, only: &'a [String]) -> anyhow::Result<Self> {
        let server = match postgres::Server::start() {
            Ok(server) => Some(server),
            Err(error) if error.is::<Skipped>() => {
                println!("{error}");
                None
            }
            Err(error) => return Err(error),
        };
        Ok(Self { folder, server, only })
    }

    fn names(&self) -> Vec<&'static str> {
        let there = ["sqlite"].into_iter().chain(self.server.is_some().then_some("postgres"));
        there.filter(|name| self.only.iter().any(|only| only == name)).collect()
    }

    /// An empty one.
    fn database(&self, kind: &str) -> anyhow::Result<Database> {
        let number: u64 = rand::random();
        match (&self.server, kind) {
            (Some(server), "postgres") => {
                Ok(Database::Postgres(server.database(&format!("wegraf_bench_{number:016x}"))?))
            }
            _ => Ok(Database::Sqlite(self.folder.join(format!("{number:016x}.db")))),
        }
    }
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

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Above which one in a hundred lies.
fn p99(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() * 99 / 100).copied().unwrap_or(f64::NAN)
}

/// One message at a time, into an empty outbox and into larger and larger ones.
async fn delivery(
    options: &Options,
    binary: &Path,
    folder: &Path,
    stores: &Stores<'_>,
    aims: &mut Aims,
) -> anyhow::Result<()> {
    let mut curve = Vec::new();
    let more = if options.measures(Section::Lanes) { &options.rows[..] } else { &[] };
    for rows in std::iter::once(0).chain(more.iter().copied()) {
        let mut costs = Vec::new();
        for name in stores.names() {
            costs.push((name, growth::measure(binary, folder, &stores.database(name)?, rows).await?));
        }
        curve.push((rows, costs));
    }
    growth::print(&curve);
    for (store, cost) in curve.first().map(|(_, costs)| &costs[..]).unwrap_or_default() {
        let millis = median(cost.millis.clone());
        aims.add(&format!("from the POST to WeCom when idle, {store}"), format!("{millis:.1} ms"), "< 10 ms");
    }
    Ok(())
}

/// Start-up time, and memory idle and under load.
async fn memory(
    options: &Options,
    binary: &Path,
    folder: &Path,
    stores: &Stores<'_>,
    aims: &mut Aims,
) -> anyhow::Result<()> {
    let start = async |database: &Database| {
        let address = free()?;
        let mut command = Command::new(binary);
        command.arg("serve").arg("-c").arg(intake::configure(folder, address, database, "")?);
        Server::start(command, address, "/readyz").await
    };
    let mut ready = Vec::new();
    for _ in 0..5 {
        ready.push(start(&stores.database("sqlite")?).await?.ready.as_secs_f64() * 1e3);
    }
    let database = stores.database("sqlite")?;
    let wegraf = start(&database).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let idle = wegraf.memory("VmRSS:")? as f64 / 1024.0;
    let until = Until::Requests(options.alerts);
    let taken = load::post(wegraf.address, "/webhook", options.connections, until, 0, Arc::new(single)).await?;
    ensure!(taken.errors == 0, "{} requests were not answered 200", taken.errors);
    let peak = wegraf.memory("VmHWM:")? as f64 / 1024.0;
    drop(wegraf);
    let file = bytes_of(&database)? / options.alerts as f64;
    let (large, taken, told) = large(&start(&stores.database("sqlite")?).await?).await?;
    println!("\n## Memory and start\n");
    println!("| | |\n|---|---|");
    println!("| exec to ready, median of 5 | {:.0} ms (aim < 100) |", median(ready));
    println!("| resident, idle | {idle:.0} MiB (aim < 30) |");
    println!(
        "| resident, peak while taking {} alerts, none of which could be sent | {peak:.0} MiB (aim < 100) |",
        options.alerts
    );
    println!("| bytes of the database for each of them | {file:.0} |");
    println!(
        "| resident, peak while taking {LARGE} alerts in one body of {:.1} MB | {taken:.0} MiB (aim < 100) |",
        large as f64 / 1e6
    );
    println!("| and until their message was written | {told:.0} MiB |");
    aims.add("resident, idle", format!("{idle:.0} MiB"), "< 30 MiB");
    aims.add(&format!("resident, peak of {LARGE} alerts in one body"), format!("{taken:.0} MiB"), "< 100 MiB");
    aims.add("the same until their message is written", format!("{told:.0} MiB"), "< 100 MiB");
    aims.add("database, for each alert", format!("{:.2} KB", file / 1e3), "≤ 1.2 KB");
    Ok(())
}

/// Alerts in the large body.
const LARGE: usize = 20_000;

/// The size of the large body, and the most memory in MiB until it was answered and until its message was written.
async fn large(wegraf: &Server) -> anyhow::Result<(usize, f64, f64)> {
    let body = many(LARGE);
    let length = body.len();
    let posted = Arc::new(move |_| body.clone());
    let taken = load::post(wegraf.address, "/webhook", 1, Until::Requests(1), 0, posted).await?;
    ensure!(taken.errors == 0, "the body of {LARGE} alerts was not answered 200");
    let peak = || anyhow::Ok(wegraf.memory("VmHWM:")? as f64 / 1024.0);
    let answered = peak()?;
    // WeCom is out of reach: the message is written when the first attempt is made.
    while wegraf.metric("wegraf_outbox_retrying").await? < 1.0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok((length, answered, peak()?))
}

/// The size of a database file whose log is merged into it: the log is bounded and does not grow with the alerts.
fn bytes_of(database: &Database) -> anyhow::Result<f64> {
    let Database::Sqlite(file) = database else { return Ok(f64::NAN) };
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(std::fs::metadata(file)?.len() as f64)
}
