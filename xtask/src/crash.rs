//! `cargo xtask crash`: repeated kill -9 under load, then the ledger (F1–F8,
//! docs/reference/reliability.md#crash-and-power).
//!
//! WeCom is the simulator, in this process; the gateway is the built program, as a child. [`source`](crate::source)
//! plays Alertmanager and records what was answered 2xx. At the end the last process delivers the rest, and the
//! [ledger](crate::ledger) compares. The control puts a relay before the gateway that answers 200 before anything is
//! stored; the ledger must notice.

mod trial;

use std::path::PathBuf;

use anyhow::ensure;
use clap::{Args, ValueEnum};
use tempfile::TempDir;

use crate::corp::Size;
use crate::ledger::record::Database;
use crate::ledger::{Channel, Rule};
use crate::postgres::Server;
use crate::{Skipped, bench};
pub use trial::{Outcome, Trial};

/// How often, and where.
#[derive(Args)]
pub struct Options {
    /// Kills, divided among the stores.
    #[arg(long, default_value_t = 1000)]
    cycles: u32,
    /// Kills of the control.
    #[arg(long, default_value_t = 25)]
    controls: u32,
    /// Only the control.
    #[arg(long)]
    control: bool,
    /// Repeats the load, the faults and the moments of a former run.
    #[arg(long)]
    seed: Option<u64>,
    /// Where the gateway keeps everything.
    #[arg(long, value_enum, default_value_t = Stores::Both)]
    store: Stores,
    /// The gateway, if it is built already.
    #[arg(long)]
    program: Option<PathBuf>,
    /// An earlier gateway that runs until half of the kills are done: the other migrates its database under load.
    #[arg(long)]
    earlier: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Stores {
    Sqlite,
    Postgres,
    Both,
}

/// Some ten messages a second, over so many lanes that none comes near a limit.
const SIZE: Size = Size { members: 20, chats: 4, webhooks: 20, pairs: 0 };
/// Violations printed for each rule: the first ones are the most informative.
const SHOWN: usize = 5;

/// Runs it on each store, then the control; prints the tables.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let program = options.program.map_or_else(|| bench::build("release"), Ok)?;
    let seed = options.seed.unwrap_or_else(rand::random);
    println!("crash: seed {seed}");
    let folder = TempDir::with_prefix("wegraf-crash-")?;
    let trial = |name: &str, database: Database, cycles| -> anyhow::Result<Trial> {
        let folder = folder.path().join(name);
        std::fs::create_dir_all(&folder)?;
        let (program, earlier) = (program.clone(), options.earlier.clone());
        Ok(Trial { program, earlier, folder, database, cycles, seed, size: SIZE, slow: true, control: false })
    };
    let sqlite = |name: &str| Database::Sqlite(folder.path().join(name).join("wegraf.db"));
    let mut trials = Vec::new();
    let (server, mut skipped): (Server, Option<anyhow::Error>);
    skipped = None;
    if !options.control {
        let cycles = if options.store == Stores::Both { options.cycles.div_ceil(2) } else { options.cycles };
        if options.store != Stores::Postgres {
            trials.push(("sqlite", trial("sqlite", sqlite("sqlite"), cycles)?));
        }
        if options.store != Stores::Sqlite {
            match Server::start() {
                Ok(started) => {
                    server = started;
                    let database = Database::Postgres(server.database(&format!("wegraf_crash_{seed}"))?);
                    trials.push(("postgres", trial("postgres", database, cycles)?));
                }
                // Reported at the end, after the other store was tested.
                Err(error) if error.is::<Skipped>() => skipped = Some(error),
                Err(error) => return Err(error),
            }
        }
    }
    let mut violations = 0;
    for (name, trial) in trials {
        let outcome = trial.run().await?;
        print(name, &outcome);
        violations += outcome.report.violations.len();
    }
    let control = Trial { control: true, slow: false, ..trial("control", sqlite("control"), options.controls)? };
    let control = control.run().await?;
    print("control: 2xx before commit", &control);
    if violations > 0 {
        println!("\nkept for a look: {}", folder.keep().display());
    }
    ensure!(violations == 0, "{violations} promises were broken (seed {seed})");
    ensure!(control.report.count(Rule::Lost) > 0, "the control lost nothing: this test cannot tell (seed {seed})");
    skipped.map_or(Ok(()), Err)
}

fn print(name: &str, outcome: &Outcome) {
    let Outcome { report, kills, taken, failed, faults, seconds } = outcome;
    let channels = |counts: &std::collections::BTreeMap<Channel, usize>| {
        let of = |channel| counts.get(&channel).copied().unwrap_or_default();
        format!("{} · {} · {}", of(Channel::App), of(Channel::Chat), of(Channel::Webhook))
    };
    println!("\n## {name}\n\n| | |\n|---|---|");
    println!("| kills: at random, as WeCom accepts, after a 2xx | {} · {} · {} |", kills[0], kills[1], kills[2]);
    println!("| seconds | {seconds} |");
    println!("| notifications answered 2xx; tries that failed | {taken}; {failed} |");
    println!("| changes answered 2xx | {} |", report.accepted);
    for (fate, count) in &report.fates {
        println!("| transitions {fate} | {count} |");
    }
    println!("| faults of WeCom | {faults} |");
    println!("| messages that arrived: app, chat, webhook | {} |", channels(&report.arrived));
    println!("| attempts with an unknown outcome | {} |", channels(&report.unsure));
    println!("| copies that arrived | {} |", channels(&report.copies));
    for rule in Rule::ALL {
        println!("| **{}** | {} |", rule.as_str(), report.count(rule));
    }
    for rule in Rule::ALL {
        for violation in report.violations.iter().filter(|violation| violation.rule == rule).take(SHOWN) {
            println!("- {violation}");
        }
    }
}
