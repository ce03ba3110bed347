//! `cargo xtask storm`: 100,000 alerts within a minute to 20 targets (F45,
//! docs/reference/reliability.md#senders-and-storms).
//!
//! WeCom is the simulator, in this process, which drops without a word what is above its limits; the gateway is the
//! built program, as a child. At the end what was posted, what the record says and what people can read must agree:
//! the [ledger](crate::ledger) compares names, `reading` adds up what the texts say, and `phones` compares these
//! sums with what was posted, without the record. The control lowers a limit of the simulator below what wegraf
//! believes; the same comparison must notice. `hang` compares the intake while WeCom answers and while it hangs.

mod check;
mod group;
mod hang;
mod load;
mod phones;
mod reading;
mod stage;
mod town;
mod trial;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::ensure;
use clap::{Args, ValueEnum};
use tempfile::TempDir;

use crate::bench;
use crate::ledger::record::Database;
use crate::ledger::{Channel, Rule};
use crate::postgres::Server;
pub use load::Load;
use load::quantile;
pub use trial::{Outcome, Trial};

/// How much, and where.
#[derive(Args)]
pub struct Options {
    /// Alerts of all groups together.
    #[arg(long, default_value_t = 100_000)]
    alerts: usize,
    /// Groups, each beginning with one notification; a few of them end and come back.
    #[arg(long, default_value_t = 1_000)]
    groups: usize,
    /// Targets, at least 6, in turn.
    #[arg(long, default_value_t = 20)]
    targets: usize,
    /// Seconds over which the notifications are spread.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Alerts of one further notification at the end.
    #[arg(long, default_value_t = 20_000)]
    flood: usize,
    /// Rounds of 10 s in which intake is measured while WeCom answers, and as many while it hangs.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Where the gateway keeps everything.
    #[arg(long, value_enum, default_value_t = Store::Sqlite)]
    store: Store,
    /// Repeats the sizes and the moments of a former run.
    #[arg(long)]
    seed: Option<u64>,
    /// Only the control.
    #[arg(long)]
    control: bool,
    /// The gateway, if it is built already.
    #[arg(long)]
    program: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Store {
    Sqlite,
    Postgres,
}

/// Memory that the storm may take: 150 MB.
const PEAK_KIB: u64 = 150_000_000 / 1024;
/// Until the first critical alert of a receiver is on a phone.
const FIRST_CRITICAL_MS: i64 = 1_000;
/// How many times as long intake may take while WeCom hangs.
const HANG_RATIO: f64 = 1.5;
/// What the control's WeCom takes for one member in a minute.
const CONTROL_LIMIT: usize = 3;
/// Violations printed; the first ones say most.
const SHOWN: usize = 10;

/// Runs it, then the control; prints the tables.
pub async fn run(options: Options) -> anyhow::Result<()> {
    ensure!(options.groups < trial::FLOOD, "a group's number has four digits");
    let program = options.program.clone().map_or_else(|| bench::build("release"), Ok)?;
    let seed = options.seed.unwrap_or_else(rand::random);
    println!("storm: seed {seed}");
    let folder = TempDir::with_prefix("wegraf-storm-")?;
    let mut broken = 0;
    if !options.control {
        let places = Places::start(options.store, folder.path(), seed)?;
        let violations = storm(&options, &program, &places, seed).await?;
        broken = violations + self::intake(&options, &program, &places).await?;
    }
    let control = control(&program, folder.path().join("control"), seed).await?;
    print("control: WeCom takes less than wegraf believes", &control, &control.violations());
    if broken > 0 {
        println!("\nkept for a look: {}", folder.keep().display());
    }
    ensure!(broken == 0, "{broken} promises were broken (seed {seed})");
    ensure!(
        control.report.count(Rule::Dropped) > 0,
        "the control dropped nothing: this test cannot tell (seed {seed})"
    );
    ensure!(
        control.findings.violations.iter().any(|wrong| wrong.contains("messages tell")),
        "the phones of the control show everything: this test cannot tell (seed {seed})"
    );
    Ok(())
}

/// Folders and empty databases for what runs one after the other.
struct Places {
    folder: PathBuf,
    server: Option<Server>,
    seed: u64,
}

impl Places {
    fn start(store: Store, folder: &Path, seed: u64) -> anyhow::Result<Self> {
        let server = (store == Store::Postgres).then(Server::start).transpose()?;
        Ok(Self { folder: folder.to_owned(), server, seed })
    }

    fn place(&self, name: &str) -> anyhow::Result<(PathBuf, Database)> {
        let folder = self.folder.join(name);
        std::fs::create_dir_all(&folder)?;
        let database = match &self.server {
            None => Database::Sqlite(folder.join("wegraf.db")),
            Some(server) => Database::Postgres(server.database(&format!("wegraf_{name}_{}", self.seed))?),
        };
        Ok((folder, database))
    }
}

/// How many promises were broken.
async fn storm(options: &Options, program: &Path, places: &Places, seed: u64) -> anyhow::Result<usize> {
    let load = Load {
        groups: options.groups,
        alerts: options.alerts / options.groups,
        spread: Duration::from_secs(options.seconds),
        seed,
    };
    let (folder, database) = places.place("storm")?;
    let (program, targets, flood) = (program.to_owned(), options.targets, options.flood);
    let (stall, member_per_minute) = (Duration::ZERO, None);
    let outcome = Trial { program, folder, database, load, targets, flood, stall, member_per_minute }.run().await?;
    let mut violations = outcome.violations();
    violations.extend(slow(&outcome));
    print("storm", &outcome, &violations);
    Ok(violations.len())
}

async fn control(program: &Path, folder: PathBuf, seed: u64) -> anyhow::Result<Outcome> {
    std::fs::create_dir_all(&folder)?;
    let database = Database::Sqlite(folder.join("wegraf.db"));
    let load = Load { groups: 96, alerts: 10, spread: Duration::from_secs(2), seed };
    let (program, member_per_minute, stall) = (program.to_owned(), Some(CONTROL_LIMIT), Duration::ZERO);
    Trial { program, folder, database, load, targets: 8, flood: 0, stall, member_per_minute }.run().await
}

/// Measures and prints the intake; how many promises were broken.
async fn intake(options: &Options, program: &Path, places: &Places) -> anyhow::Result<usize> {
    if options.rounds == 0 {
        return Ok(0);
    }
    let (folder, database) = places.place("hang")?;
    let intake = hang::measure(program, &folder, &database, options.targets, options.rounds).await?;
    println!("\n## intake while WeCom hangs\n\n| | answers | hangs |\n|---|---:|---:|");
    println!("| notifications | {} | {} |", intake.answers.len(), intake.hangs.len());
    for share in [0.5, 0.99] {
        let [answers, hangs] = [&intake.answers, &intake.hangs].map(|millis| quantile(millis, share));
        println!("| p{:.0} | {answers:.1} ms | {hangs:.1} ms |", share * 100.0);
    }
    println!("\np99 of one to p99 of the other: {:.2}; at most {HANG_RATIO}", intake.ratio());
    for refused in intake.refused.iter().take(SHOWN) {
        println!("- refused: {refused}");
    }
    Ok(intake.refused.len() + usize::from(intake.ratio() > HANG_RATIO))
}

/// What took too long or too much, on an unloaded machine with the release build.
fn slow(outcome: &Outcome) -> Vec<String> {
    let mut slow = Vec::new();
    if let Some(worst) = outcome.findings.first_critical.last().filter(|worst| **worst >= FIRST_CRITICAL_MS) {
        slow.push(format!("a first critical alert took {worst} ms"));
    }
    if outcome.peak_kib[0] >= PEAK_KIB {
        slow.push(format!("the process needed {:.0} MB", megabytes(outcome.peak_kib[0])));
    }
    slow
}

fn megabytes(kib: u64) -> f64 {
    kib as f64 * 1024.0 / 1e6
}

fn print(name: &str, outcome: &Outcome, violations: &[String]) {
    let Outcome { report, findings, taken, .. } = outcome;
    let row = |what: &str, value: String| println!("| {what} | {value} |");
    println!("\n## {name}\n\n| | |\n|---|---|");
    row("notifications answered 200; refused", format!("{}; {}", taken.requests, taken.refused.len()));
    row("posted within", format!("{:.1} s", taken.elapsed.as_secs_f64()));
    row("answer p50, p99", format!("{:.1} ms, {:.1} ms", quantile(&taken.millis, 0.5), quantile(&taken.millis, 0.99)));
    row("changes accepted", report.accepted.to_string());
    for (fate, count) in &report.fates {
        row(&format!("transitions {fate}"), count.to_string());
    }
    let arrived = |channel| report.arrived.get(&channel).copied().unwrap_or_default();
    let [app, chat, webhook] = [Channel::App, Channel::Chat, Channel::Webhook].map(arrived);
    row("messages that arrived: app, chat, webhook", format!("{app} · {chat} · {webhook}"));
    row("letters, digests", format!("{}, {}", findings.letters, findings.digests));
    row("changes told by digests", findings.folded.to_string());
    row("alerts in the largest digest", findings.largest.to_string());
    row("alerts that the phones show by name; in a number", format!("{}; {}", findings.phones[0], findings.phones[1]));
    row("**dropped by WeCom without a word**", outcome.dropped.to_string());
    for (kind, limit) in check::LIMITS {
        row(&format!("busiest minute of one of {kind} (limit {limit})"), findings.busiest[kind].to_string());
    }
    row("first POST to last fate", format!("{:.1} s", outcome.settled.as_secs_f64()));
    let first = |at: usize| findings.first_critical.get(at).map_or_else(|| "–".to_owned(), |ms| format!("{ms} ms"));
    let last = findings.first_critical.len().saturating_sub(1);
    let spans = format!("{}, {}, {}", first(0), first(last / 2), first(last));
    row("first critical alert of a target, POST to phone: best, median, worst", spans);
    row("critical alerts named; counted", format!("{}; {}", findings.critical[0], findings.critical[1]));
    row(
        "one notification more: answered, told after",
        format!("{} ms, {} ms", outcome.flood_ms[0], outcome.flood_ms[1]),
    );
    let [storm, flood] = outcome.peak_kib.map(megabytes);
    row("peak memory; with one notification more", format!("{storm:.0} MB; {flood:.0} MB"));
    if let Some(bytes) = outcome.database_bytes {
        row("database", format!("{:.1} MB", bytes as f64 / 1e6));
    }
    row("**broken promises**", violations.len().to_string());
    for violation in violations.iter().take(SHOWN) {
        println!("- {violation}");
    }
}
