//! `cargo xtask powercut`: is everything that was answered 2xx still there after a power cut (F10,
//! docs/reference/reliability.md#crash-and-power)?
//!
//! Each cycle runs the real binary on a disk of its own (see `disk.rs`), loads it, cuts the power at a random moment,
//! and checks the database that is left. The control does the same with syncs that do nothing, and must lose something:
//! otherwise this test would prove nothing.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::process::Command;
use tokio::task::JoinSet;

use crate::disk::{Disk, Wreck};
use crate::gateway::{Gateway, free};
use crate::ledger::record::Database;
use crate::{Skipped, bench, http, single};

/// Concurrent senders: enough for commits that serve many of them.
const SENDERS: usize = 16;
/// Delay of the cut after the first request, in milliseconds.
const CUT_AFTER_MS: std::ops::Range<u64> = 20..1500;

/// How often.
#[derive(Args)]
pub struct Options {
    /// Power cuts.
    #[arg(long, default_value_t = 100)]
    cycles: u32,
    /// Power cuts with syncs that do nothing; some of them must lose something.
    #[arg(long, default_value_t = 20)]
    controls: u32,
    /// Only the control.
    #[arg(long)]
    control: bool,
    /// Repeats the moments of a former run.
    #[arg(long)]
    seed: Option<u64>,
    /// The gateway, if it is built already.
    #[arg(long)]
    program: Option<PathBuf>,
}

/// The results.
#[derive(Debug, Default)]
struct Figures {
    cycles: u32,
    acknowledged: usize,
    lost: usize,
    losing: u32,
    corrupt: u32,
}

/// Runs both and prints the table.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let program = options.program.map_or_else(|| bench::build("release"), Ok)?;
    let seed = options.seed.unwrap_or_else(rand::random);
    println!("powercut: seed {seed}");
    let mut lab = Lab { program, disk: Disk::new().await?, rng: StdRng::seed_from_u64(seed), preload: None };
    let mut figures = None;
    if !options.control {
        figures = Some(lab.cycles(options.cycles).await?);
    }
    let library = tempfile::TempDir::new()?;
    lab.preload = Some(no_sync(library.path()).await?);
    let control = lab.cycles(options.controls).await?;
    lab.disk.eject().await?;

    println!("\n| | cuts | acknowledged | lost | cuts with loss | corrupt |\n|---|---|---|---|---|---|");
    if let Some(figures) = &figures {
        print("as it is", figures);
    }
    print("control: syncs do nothing", &control);
    if let Some(figures) = figures {
        ensure!(figures.acknowledged > 0, "nothing was acknowledged: this shows nothing");
        ensure!(figures.lost == 0, "{} acknowledged notifications were lost (seed {seed})", figures.lost);
        ensure!(figures.corrupt == 0, "{} databases were damaged (seed {seed})", figures.corrupt);
    }
    ensure!(control.losing > 0, "the control lost nothing: this test cannot tell (seed {seed})");
    Ok(())
}

fn print(name: &str, figures: &Figures) {
    let Figures { cycles, acknowledged, lost, losing, corrupt } = figures;
    println!("| {name} | {cycles} | {acknowledged} | {lost} | {losing} | {corrupt} |");
}

/// Compiles the library whose syncs do nothing.
async fn no_sync(folder: &Path) -> anyhow::Result<PathBuf> {
    let (source, library) = (folder.join("nosync.c"), folder.join("nosync.so"));
    std::fs::write(&source, include_str!("nosync.c"))?;
    let gcc = Command::new("gcc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).status().await;
    match gcc {
        Ok(status) if status.success() => Ok(library),
        Ok(status) => bail!("gcc ended with {status}"),
        Err(error) => Err(Skipped::new(format!("the control needs gcc: {error}")).into()),
    }
}

/// The state shared by the cycles.
struct Lab {
    program: PathBuf,
    disk: Disk,
    rng: StdRng,
    preload: Option<PathBuf>,
}

impl Lab {
    async fn cycles(&mut self, count: u32) -> anyhow::Result<Figures> {
        let mut figures = Figures::default();
        for cycle in 0..count {
            let (acknowledged, wreck) = self.until_the_cut().await.with_context(|| format!("cycle {cycle}"))?;
            figures.cycles += 1;
            figures.acknowledged += acknowledged.len();
            match survivors(&wreck, &self.program).await {
                Ok(names) => {
                    let lost = acknowledged.iter().filter(|name| !names.contains(*name)).count();
                    figures.lost += lost;
                    figures.losing += u32::from(lost > 0);
                }
                Err(damage) => {
                    println!("cycle {cycle}: {damage:#}");
                    figures.corrupt += 1;
                    figures.lost += acknowledged.len();
                    figures.losing += 1;
                }
            }
        }
        Ok(figures)
    }

    /// Loads a gateway on a fresh disk until the power is cut. Returns what was answered 2xx before, and the wreck.
    async fn until_the_cut(&mut self) -> anyhow::Result<(Vec<String>, Wreck)> {
        let folder = self.disk.insert().await?;
        let address = free()?;
        let config = single::configure(&folder, address)?;
        let mut command = Command::new(&self.program);
        if let Some(library) = &self.preload {
            command.env("LD_PRELOAD", library);
        }
        let gateway = Gateway::start_with(command, &config, address).await?;
        let acknowledged: Arc<Mutex<Vec<String>>> = Arc::default();
        let mut senders = JoinSet::new();
        // Half of the time with pauses, in which the log moves into the main file: a cut may fall there, too.
        let pauses = self.rng.random_bool(0.5);
        for sender in 0..SENDERS {
            senders.spawn(load(address, sender, pauses, acknowledged.clone()));
        }
        tokio::time::sleep(Duration::from_millis(self.rng.random_range(CUT_AFTER_MS))).await;
        let before = acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let wreck = self.disk.cut().await?;
        gateway.kill().await?;
        senders.shutdown().await;
        self.disk.eject().await?;
        Ok((before, wreck))
    }
}

/// Posts one new alert after the other and records those that were answered 2xx.
async fn load(address: std::net::SocketAddr, sender: usize, pauses: bool, acknowledged: Arc<Mutex<Vec<String>>>) {
    for number in 0.. {
        let name = format!("cut-{sender}-{number}");
        let answer = http::send(address, "POST", "/webhook", &single::body(&name), Duration::from_secs(5)).await;
        if answer.is_ok_and(|answer| answer.is_2xx()) {
            acknowledged.lock().unwrap_or_else(PoisonError::into_inner).push(name);
        }
        if pauses && number % 20 == 19 {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
}

/// Mounts what the cut left, checks the database and returns the alerts whose transition and message are in it; none if
/// not even the file got to the disk. Then the program itself must start on it.
async fn survivors(wreck: &Wreck, program: &Path) -> anyhow::Result<HashSet<String>> {
    let mount = wreck.mount().await.context("the file system is damaged")?;
    let file = mount.at().join("wegraf.db");
    let names = if std::fs::metadata(&file).is_ok_and(|meta| meta.len() > 0) {
        let names = tokio::task::spawn_blocking(move || {
            let database = Database::Sqlite(file);
            database.verify()?;
            database.names()
        })
        .await??;
        let address = free()?;
        let config = single::configure(mount.at(), address)?;
        Gateway::start(program, &config, address).await.context("wegraf does not start on it")?.kill().await?;
        names
    } else {
        HashSet::new()
    };
    mount.end().await?;
    Ok(names)
}
