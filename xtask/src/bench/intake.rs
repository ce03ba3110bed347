//! Durable intake on each store, beside the bare handler and beside one commit for each request on the same store.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;

use super::aims::Aims;
use super::process::Server;
use super::wal::Watch;
use super::{Options, median, message, single, unknown};
use crate::gateway::free;
use crate::ledger::record::Database;
use crate::load::{self, Report, Until};

/// WeCom's address with the key of [`RELAYING`].
const RELAY: &str = "/cgi-bin/webhook/send?key=bench-relay-key-0123456789abcdef";
/// The source whose messages are relayed.
const RELAYING: &str =
    "allow_anonymous: true\nsources: { ci: { wecom: { keys: { group: bench-relay-key-0123456789abcdef } } } }\n";
/// Connections of the rounds in which delays are compared with those of the floor.
const CALM: usize = 16;
/// The names of the variants that have aims.
const FLOOR: &str = "append to a file, one sync for all that wait (floor)";
const ON_SQLITE: &str = "wegraf on SQLite";
const ON_POSTGRES: &str = "wegraf on PostgreSQL";
/// What `--against` names.
const AGAINST: &str = "the other wegraf on SQLite";

/// One server, and what its rounds gave.
struct Variant {
    name: &'static str,
    server: Server,
    /// Where it takes what.
    path: &'static str,
    body: fn(u64) -> String,
    /// Is it wegraf, with metrics of its own?
    gateway: bool,
    /// The log of its SQLite database.
    log: Option<Watch>,
    next: u64,
    rounds: Vec<Round>,
    /// The rounds with few connections.
    calm: Vec<Delay>,
}

/// How long requests took, in milliseconds.
struct Delay {
    p50: f64,
    p99: f64,
    /// `p99` to that of the floor in the same round.
    ratio: f64,
}

struct Round {
    rate: f64,
    /// To the bare handler in the same round.
    ratio: f64,
    /// Of wegraf's store, for each request.
    commits: f64,
    /// Microseconds of the processor for each request, of the process alone.
    processor: f64,
    /// Bytes written to disk for each request, by the process alone.
    written: f64,
    /// Pages written into SQLite's log for each request.
    pages: f64,
    /// Statements that SQLite compiled again for each request.
    recompiled: f64,
    p50: f64,
    p99: f64,
}

/// Measures and prints. WeCom is out of reach meanwhile, so that only intake is measured.
pub async fn run(
    options: &Options,
    binary: &Path,
    folder: &Path,
    stores: &[(&'static str, Database, Database)],
    aims: &mut Aims,
) -> anyhow::Result<()> {
    let mut variants = vec![plain("bare handler, keeps nothing", &[]).await?];
    let appended = folder.join("floor").display().to_string();
    variants.push(plain(FLOOR, &["--file".to_owned(), appended]).await?);
    for (name, ours, plains) in stores {
        let (plain_name, gateway_name) = match *name {
            "sqlite" => ("SQLite, one commit a request", ON_SQLITE),
            _ => ("PostgreSQL, one commit a request", ON_POSTGRES),
        };
        let keep = match plains {
            Database::Sqlite(file) => ["--sqlite".to_owned(), file.display().to_string()],
            Database::Postgres(url) => ["--postgres".to_owned(), url.clone()],
        };
        variants.push(plain(plain_name, &keep).await?);
        variants.push(gateway(gateway_name, binary, folder, ours, "").await?);
    }
    let beside = |name: &str| Database::Sqlite(folder.join(format!("intake-{name}.db")));
    if let Some(other) = &options.against {
        variants.push(gateway(AGAINST, other, folder, &beside("against"), "").await?);
    }
    let general =
        gateway("wegraf on SQLite, a body that no mapping knows", binary, folder, &beside("general"), "").await?;
    variants.push(Variant { body: unknown, ..general });
    let relay =
        gateway("wegraf on SQLite, a message to WeCom's webhook", binary, folder, &beside("relay"), RELAYING).await?;
    variants.push(Variant { path: RELAY, body: message, ..relay });
    for _ in 0..options.rounds {
        let mut bare = f64::NAN;
        for (at, variant) in variants.iter_mut().enumerate() {
            let round = variant.round(options, bare).await?;
            bare = if at == 0 { round.rate } else { bare };
            variant.rounds.push(round);
        }
    }
    print(&variants);
    let own = |name: &str| [FLOOR, ON_SQLITE, ON_POSTGRES, AGAINST].contains(&name);
    let mut few: Vec<Variant> = variants.into_iter().filter(|variant| own(variant.name)).collect();
    for _ in 0..options.rounds {
        let mut floor = f64::NAN;
        for variant in &mut few {
            let delay = variant.delay(options, floor).await?;
            floor = if variant.name == FLOOR { delay.p99 } else { floor };
            variant.calm.push(delay);
        }
    }
    print_delays(&few);
    for (name, aim) in [(ON_SQLITE, "≥ 0.35"), (ON_POSTGRES, "≥ 0.16")] {
        let Some(variant) = few.iter().find(|variant| variant.name == name) else { continue };
        let ratio = variant.median(|round| round.ratio);
        aims.add(&format!("intake, {name}, to the bare handler"), format!("{ratio:.2}"), aim);
    }
    if let Some(variant) = few.iter().find(|variant| variant.name == ON_SQLITE) {
        let ratio = median(variant.calm.iter().map(|delay| delay.ratio).collect());
        aims.add(&format!("p99 at {CALM} connections, {ON_SQLITE}, to the floor"), format!("{ratio:.1}"), "≤ 2");
    }
    Ok(())
}

async fn plain(name: &'static str, keep: &[String]) -> anyhow::Result<Variant> {
    let address = free()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("plain").arg(address.to_string()).args(keep);
    Variant::start(name, command, address, false).await
}

async fn gateway(
    name: &'static str,
    binary: &Path,
    folder: &Path,
    database: &Database,
    more: &str,
) -> anyhow::Result<Variant> {
    let address = free()?;
    let file = configure(folder, address, database, more)?;
    let mut command = Command::new(binary);
    command.arg("serve").arg("-c").arg(&file);
    let log = match database {
        Database::Sqlite(file) => Some(Watch::of(file)),
        Database::Postgres(_) => None,
    };
    Ok(Variant { log, ..Variant::start(name, command, address, true).await? })
}

/// One receiver, a WeCom that is out of reach, and `more` lines.
pub fn configure(folder: &Path, listen: SocketAddr, database: &Database, more: &str) -> anyhow::Result<PathBuf> {
    let file = folder.join(format!("{}.yaml", listen.port()));
    let nowhere = free()?;
    std::fs::write(
        &file,
        format!(
            "listen: {listen}\ndatabase: {}\nwecom:\n  api_url: http://{nowhere}\n  webhooks:\n    group: {{ key: sim-ops-group }}\nreceivers:\n  ops: {{ targets: [ {{ webhook: group }} ] }}\nroute: {{ receiver: ops }}\n{more}",
            database.line()
        ),
    )?;
    Ok(file)
}

impl Variant {
    async fn start(name: &'static str, command: Command, address: SocketAddr, gateway: bool) -> anyhow::Result<Self> {
        let server = Server::start(command, address, "/readyz").await?;
        Ok(Self {
            name,
            server,
            path: "/webhook",
            body: single,
            gateway,
            log: None,
            next: 0,
            rounds: Vec::new(),
            calm: Vec::new(),
        })
    }

    /// Commits, microseconds of the processor, bytes written, pages of the log and statements compiled again, so far.
    async fn figures(&self) -> anyhow::Result<[f64; 5]> {
        let metric = async |name| if self.gateway { self.server.metric(name).await } else { Ok(f64::NAN) };
        let pages = self.log.as_ref().map_or(f64::NAN, |log| log.pages() as f64);
        let (commits, recompiled) = (metric("wegraf_store_commits").await?, metric("wegraf_store_recompiled").await?);
        Ok([commits, self.server.processor()?, self.server.written()?, pages, recompiled])
    }

    async fn load(&mut self, options: &Options, connections: usize) -> anyhow::Result<Report> {
        let until = Until::Elapsed(Duration::from_secs(options.seconds));
        let address = self.server.address;
        let report: Report = load::post(address, self.path, connections, until, self.next, Arc::new(self.body)).await?;
        ensure!(report.errors == 0, "{}: {} requests were not answered 200", self.name, report.errors);
        self.next += report.requests;
        Ok(report)
    }

    async fn delay(&mut self, options: &Options, floor: f64) -> anyhow::Result<Delay> {
        let report = self.load(options, CALM).await?;
        let p99 = report.quantile(0.99);
        Ok(Delay { p50: report.quantile(0.5), p99, ratio: p99 / floor })
    }

    async fn round(&mut self, options: &Options, bare: f64) -> anyhow::Result<Round> {
        let before = self.figures().await?;
        let report = self.load(options, options.connections).await?;
        let after = self.figures().await?;
        let requests = report.requests as f64;
        let mut each = after.iter().zip(before).map(|(after, before)| (after - before) / requests);
        let mut next = || each.next().unwrap_or(f64::NAN);
        Ok(Round {
            rate: report.rate(),
            ratio: report.rate() / bare,
            commits: next(),
            processor: next(),
            written: next(),
            pages: next(),
            recompiled: next(),
            p50: report.quantile(0.5),
            p99: report.quantile(0.99),
        })
    }

    fn median(&self, of: impl Fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().map(of).collect())
    }
}

fn print(variants: &[Variant]) {
    println!("\n## Intake\n");
    println!(
        "| medians over the rounds | requests/s | to the bare handler | commits a request | µs of its processor a request | pages of the log a request | KB written a request | statements compiled again a request | p50 ms | p99 ms |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for variant in variants {
        let ratio = variant.median(|round| round.ratio);
        let ratio = if ratio.is_nan() { "1".to_owned() } else { format!("{ratio:.2}") };
        let commits = variant.median(|round| round.commits);
        let commits = match variant.name {
            _ if variant.gateway => format!("{commits:.3}"),
            name if name.ends_with("one commit a request") => "1".to_owned(),
            _ => String::new(),
        };
        let known = |figure: f64| if figure.is_nan() { String::new() } else { format!("{figure:.2}") };
        println!(
            "| {} | {:.0} | {ratio} | {commits} | {:.0} | {} | {:.1} | {} | {:.1} | {:.1} |",
            variant.name,
            variant.median(|round| round.rate),
            variant.median(|round| round.processor),
            known(variant.median(|round| round.pages)),
            variant.median(|round| round.written) / 1e3,
            known(variant.median(|round| round.recompiled)),
            variant.median(|round| round.p50),
            variant.median(|round| round.p99),
        );
    }
    for pair in variants[1..].windows(2) {
        if let [plain, ours] = pair
            && ours.gateway
            && !plain.gateway
        {
            let times = ours.median(|round| round.rate) / plain.median(|round| round.rate);
            println!("\n{}: {times:.1} × {}", ours.name, plain.name);
        }
    }
    let ours = variants.iter().find(|variant| variant.gateway);
    let other = variants.iter().find(|variant| variant.name == AGAINST);
    if let Some((ours, other)) = ours.zip(other) {
        let pairs = || ours.rounds.iter().zip(&other.rounds);
        let rate = median(pairs().map(|(ours, other)| ours.rate / other.rate).collect());
        let processor = median(pairs().map(|(ours, other)| other.processor / ours.processor).collect());
        println!("\n{} to {AGAINST}: rate {rate:.2}, requests for the same processor time {processor:.2}", ours.name);
    }
}

fn print_delays(variants: &[Variant]) {
    println!("\n## Delays\n");
    println!("| {CALM} connections, medians over the rounds | p50 ms | p99 ms | p99 to the floor |");
    println!("|---|---:|---:|---:|");
    for variant in variants {
        let of = |which: fn(&Delay) -> f64| median(variant.calm.iter().map(which).collect());
        let ratio = of(|delay| delay.ratio);
        let ratio = if ratio.is_nan() { "1".to_owned() } else { format!("{ratio:.1}") };
        println!("| {} | {:.1} | {:.1} | {ratio} |", variant.name, of(|delay| delay.p50), of(|delay| delay.p99));
    }
}
