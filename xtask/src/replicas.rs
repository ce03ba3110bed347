//! `cargo xtask replicas`: several gateways on one `PostgreSQL` behind a balancer, under load, while some are paused
//! for longer than a lease, killed, or lose the database; then the ledger (F61, F64,
//! docs/reference/reliability.md#replicas-and-process).
//!
//! As in [`crash`](crate::crash), WeCom is the simulator and [`source`](crate::source) plays Alertmanager; a few
//! addresses are told more than WeCom accepts, so that only the budgets, summed over all replicas, keep them below its
//! limits. Two controls remove what makes several processes one gateway: the shared database, and the leases in it.

mod causes;
mod disturbance;
mod fleet;
mod meddler;
mod trial;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use clap::Args;
use tempfile::TempDir;

use crate::bench;
use crate::corp::Size;
use crate::ledger::{Channel, Rule};
use crate::postgres::{Cluster, Server};
pub use causes::Causes;
pub use trial::{Outcome, Sharing, Trial};

/// How often.
#[derive(Args)]
pub struct Options {
    /// Rounds of disturbances; one takes some seven seconds.
    #[arg(long, default_value_t = 60)]
    rounds: u32,
    /// Rounds of each control.
    #[arg(long, default_value_t = 12)]
    controls: u32,
    /// Only the controls.
    #[arg(long)]
    control: bool,
    /// Repeats the load, the disturbances and their moments of a former run.
    #[arg(long)]
    seed: Option<u64>,
    /// The gateway, if it is built already.
    #[arg(long)]
    program: Option<PathBuf>,
}

/// How many there are.
const REPLICAS: usize = 3;
/// The shortest lease that a configuration may have: pauses can be short then.
const LEASE: Duration = Duration::from_secs(5);
/// Some ten messages a second; the pairs are told more than WeCom accepts for one member.
const SIZE: Size = Size { members: 20, chats: 4, webhooks: 20, pairs: 6 };
/// Violations printed for each rule: the first ones are the most informative.
const SHOWN: usize = 5;

impl Outcome {
    /// Every promise that did not hold, by name.
    pub fn broken(&self) -> Vec<String> {
        let mut broken: Vec<String> = self.report.violations.iter().map(ToString::to_string).collect();
        broken.extend(self.causes.nothing.iter().map(|copy| format!("a copy without a cause: {copy}")));
        let [pauses, ..] = self.done;
        if self.causes.pause > pauses {
            broken.push(format!("{} copies after {pauses} pauses", self.causes.pause));
        }
        if self.over_limit > 0 {
            broken.push(format!("WeCom refused {} messages as over a limit", self.over_limit));
        }
        broken
    }
}

/// Runs it, then the controls; prints the tables.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let program = options.program.map_or_else(|| bench::build("release"), Ok)?;
    let server = Arc::new(Server::Own(Cluster::start()?));
    let seed = options.seed.unwrap_or_else(rand::random);
    println!("replicas: seed {seed}");
    let folder = TempDir::with_prefix("wegraf-replicas-")?;
    let trial = |name: &str, sharing, rounds| -> anyhow::Result<Trial> {
        let folder = folder.path().join(name);
        std::fs::create_dir_all(&folder)?;
        let database = server.database(&format!("wegraf_{name}"))?;
        Ok(Trial {
            program: program.clone(),
            folder,
            server: server.clone(),
            database,
            sharing,
            rounds,
            seed,
            size: SIZE,
        })
    };
    let mut broken = 0;
    if !options.control {
        let outcome = trial("replicas", Sharing::All, options.rounds)?.run().await?;
        print("three replicas, one PostgreSQL", &outcome);
        broken = outcome.broken().len();
    }
    let nothing = trial("apart", Sharing::Nothing, options.controls)?.run().await?;
    print("control: each with a file of its own", &nothing);
    let no_lease = trial("no_lease", Sharing::NoLease, options.controls)?.run().await?;
    print("control: leases that end at once", &no_lease);
    if broken > 0 {
        println!("\nkept for a look: {}", folder.keep().display());
    }
    ensure!(broken == 0, "{broken} promises were broken (seed {seed})");
    for rule in [Rule::Doubled, Rule::Dropped] {
        let found = nothing.report.count(rule) > 0;
        ensure!(found, "without a shared database nothing was {}: this test cannot tell (seed {seed})", rule.as_str());
    }
    ensure!(
        !no_lease.causes.nothing.is_empty(),
        "without leases every copy has a cause: this test cannot tell (seed {seed})"
    );
    Ok(())
}

fn print(name: &str, outcome: &Outcome) {
    let Outcome { report, causes, done, taken, failed, over_limit, busiest, ended, seconds } = outcome;
    let channels = |counts: &BTreeMap<Channel, usize>| {
        let of = |channel| counts.get(&channel).copied().unwrap_or_default();
        format!("{} · {} · {}", of(Channel::App), of(Channel::Chat), of(Channel::Webhook))
    };
    println!("\n## {name}\n\n| | |\n|---|---|");
    println!("| pauses, kills, restarts and cuts of the database | {} · {} · {} |", done[0], done[1], done[2]);
    println!("| replicas that ended by themselves | {ended} |");
    println!("| seconds | {seconds} |");
    println!("| notifications answered 2xx; tries that failed | {taken}; {failed} |");
    println!("| changes answered 2xx | {} |", report.accepted);
    for (fate, count) in &report.fates {
        println!("| transitions {fate} | {count} |");
    }
    println!("| messages that arrived: app, chat, webhook | {} |", channels(&report.arrived));
    println!("| most in any minute: to a member, from a webhook | {} · {} |", busiest[0], busiest[1]);
    println!("| attempts with an unknown outcome | {} |", channels(&report.unsure));
    println!("| copies that arrived | {} |", channels(&report.copies));
    let Causes { pause, kill, database, answer, nothing } = causes;
    println!(
        "| of these after a pause, a kill, a shock of the database, an answer in doubt | {pause} · {kill} · {database} · {answer} |"
    );
    println!("| **copies without a cause** | {} |", nothing.len());
    println!("| **refused as over a limit (45009)** | {over_limit} |");
    for rule in Rule::ALL {
        println!("| **{}** | {} |", rule.as_str(), report.count(rule));
    }
    for rule in Rule::ALL {
        for violation in report.violations.iter().filter(|violation| violation.rule == rule).take(SHOWN) {
            println!("- {violation}");
        }
    }
    for copy in nothing.iter().take(SHOWN) {
        println!("- without a cause: {copy}");
    }
}
