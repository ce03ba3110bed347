//! `cargo xtask iofault`: is an acknowledged notification kept when the disk fails (F11, F12,
//! docs/reference/reliability.md#crash-and-power)?
//!
//! A fixed scenario runs under `strace`, which makes the k-th sync or write fail, k swept over the scenario. After each
//! run the program is started again without strace, and every notification that was answered 2xx must be there. And a
//! tmpfs of 4 MiB is filled and freed.

mod full;
mod scenario;

use std::path::PathBuf;

use anyhow::ensure;
use clap::Args;
use tokio::process::Command;

use crate::{Skipped, bench};
use scenario::{Fault, Scenario, Seen};

/// How far.
#[derive(Args)]
pub struct Options {
    /// Calls that fail, one a run, for each kind of fault.
    #[arg(long, default_value_t = 40)]
    steps: u32,
    /// The gateway, if it is built already.
    #[arg(long)]
    program: Option<PathBuf>,
}

/// Failing calls. Of the many writes every fifth is tried: a commit has that many.
const FAULTS: [Fault; 3] = [
    Fault { calls: "fsync,fdatasync", error: "EIO", stride: 1 },
    Fault { calls: "pwrite64", error: "EIO", stride: 5 },
    Fault { calls: "pwrite64", error: "ENOSPC", stride: 5 },
];

/// Runs everything and prints the table.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let program = options.program.map_or_else(|| bench::build("release"), Ok)?;
    let mut wrong = full::run(&program).await?;
    may_trace().await?;
    println!(
        "\n| fault | runs | acknowledged | lost | ended by itself | went on | refused | wrong |\n|---|---|---|---|---|---|---|---|"
    );
    for fault in FAULTS {
        let mut sum = Sum::default();
        for step in 0..options.steps {
            let nth = 1 + step * fault.stride;
            let seen = Scenario { program: &program, fault: &fault, nth }.run().await?;
            if seen.injected.is_empty() {
                // The scenario has fewer than k calls.
                break;
            }
            for complaint in seen.complaints(&fault) {
                sum.wrong.push(format!(
                    "{} {} at {nth} ({}): {complaint}",
                    fault.calls,
                    fault.error,
                    seen.injected.join(", ")
                ));
            }
            sum.add(&seen);
        }
        let Sum { runs, acknowledged, lost, ended, went_on, refused, wrong: mistakes } = sum;
        let count = mistakes.len();
        println!(
            "| {} of {} | {runs} | {acknowledged} | {lost} | {ended} | {went_on} | {refused} | {count} |",
            fault.error, fault.calls
        );
        wrong.extend(mistakes);
    }
    for complaint in &wrong {
        println!("- {complaint}");
    }
    ensure!(wrong.is_empty(), "{} times the gateway did not do what it promises", wrong.len());
    Ok(())
}

/// [`Skipped`] if strace is missing or not permitted to trace.
async fn may_trace() -> anyhow::Result<()> {
    let tried = Command::new("strace").args(["-D", "-f", "-qq", "-o", "/dev/null", "true"]).output().await;
    match tried {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            Err(Skipped::new(format!("strace may not trace here: {}", String::from_utf8_lossy(&output.stderr).trim()))
                .into())
        }
        Err(error) => Err(Skipped::new(format!("there is no strace: {error}")).into()),
    }
}

/// The figures of one kind of fault.
#[derive(Default)]
struct Sum {
    runs: u32,
    acknowledged: usize,
    lost: usize,
    ended: u32,
    went_on: u32,
    refused: usize,
    wrong: Vec<String>,
}

impl Sum {
    fn add(&mut self, seen: &Seen) {
        self.runs += 1;
        self.acknowledged += seen.acknowledged;
        self.lost += seen.lost;
        self.refused += seen.refused.len();
        *(if seen.ended.is_some() { &mut self.ended } else { &mut self.went_on }) += 1;
    }
}
