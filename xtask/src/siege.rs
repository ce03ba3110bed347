//! `cargo xtask siege`: hostile connections in their thousands, and what a good client notices.
//!
//! The built program runs as a child; attackers and the good client have a thread each, so that the attack's own cost
//! is not mistaken for the gateway's. Every attack runs twice: with the good client at an address of its own, and at
//! the attackers' (all behind one NAT or proxy). Then bursts of large bodies, in a control group of the size that the
//! configuration names where the machine has them. The control is a bare server under the mildest attack: it must fail,
//! or the siege proves nothing. Loopback only; ends by itself.

mod attack;
mod burst;
mod good;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use tempfile::TempDir;
use tokio::process::Command;

use crate::bench;
use crate::gateway::{Gateway, free};
use attack::Army;
pub use attack::Attack;
pub use burst::Shape;
use good::{Good, Seen};

/// How many, and how long.
#[derive(Args)]
pub struct Options {
    /// Hostile connections at a time.
    #[arg(long, default_value_t = 2_000)]
    connections: usize,
    /// Seconds of each attack.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Only these attacks.
    #[arg(long, value_enum)]
    attack: Vec<Attack>,
    /// Only the bursts.
    #[arg(long)]
    bursts: bool,
    /// Only the control.
    #[arg(long)]
    control: bool,
    /// The gateway, if it is built already.
    #[arg(long)]
    program: Option<PathBuf>,
}

/// Target for the 99th percentile of the good client's posts.
const POST_P99: Duration = Duration::from_secs(2);
/// Target for the slowest answer of `/healthz`.
const HEALTH: Duration = Duration::from_secs(1);
/// The memory limit in the siege's configuration.
pub const MEMORY_MB: u64 = 256;
/// The address of the gateway.
const GATEWAY: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// The address of the attackers.
const ATTACKERS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
/// The address of the good client when it has one of its own.
const OWN: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Head start of the attackers before the good client begins.
const LEAD: Duration = Duration::from_secs(3);

/// Runs all of it and prints the tables.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let program = options.program.clone().map_or_else(|| bench::build("release"), Ok)?;
    let mut missed = Vec::new();
    if !options.control && !options.bursts {
        missed.extend(attacks(&options, &program).await?);
    }
    if !options.control && options.attack.is_empty() {
        missed.extend(burst::run(&program).await?);
    }
    if options.attack.is_empty() && !options.bursts || options.control {
        let bare = bare(&options).await?;
        println!("\ncontrol, a bare server with 1,000 descriptors: {bare}");
        ensure!(!bare.wrong().is_empty(), "the control missed no target: this siege cannot tell");
    }
    ensure!(missed.is_empty(), "targets were missed:\n{}", missed.join("\n"));
    Ok(())
}

async fn attacks(options: &Options, program: &Path) -> anyhow::Result<Vec<String>> {
    println!(
        "| attack | good client at | posts | p50 ms | p99 ms | max ms | /healthz max ms | memory MB | attackers saw |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut missed = Vec::new();
    for attack in Attack::ALL {
        if !options.attack.is_empty() && !options.attack.contains(&attack) {
            continue;
        }
        for own in [true, false] {
            let length = Duration::from_secs(options.seconds);
            let outcome = besiege(program, attack, own, options.connections, length).await?;
            println!("| {attack} | {} | {outcome} |", if own { "its own" } else { "theirs" });
            missed.extend(outcome.wrong().into_iter().map(|wrong| format!("{attack}, own address {own}: {wrong}")));
        }
    }
    Ok(missed)
}

/// The results of an attack.
#[derive(Debug)]
pub struct Outcome {
    seen: Seen,
    /// The gateway's peak memory meanwhile, in KiB; `None`: not measured.
    peak_kib: Option<u64>,
    /// The answers to the attackers.
    answers: String,
}

impl Outcome {
    /// Unserved requests, however long they took: for machines whose speed is not informative.
    pub fn unserved(&self) -> Vec<String> {
        self.seen.wrong(Duration::MAX, Duration::MAX)
    }

    /// The targets that it missed.
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong = self.seen.wrong(POST_P99, HEALTH);
        if let Some(peak) = self.peak_kib
            && peak > MEMORY_MB * 1024
        {
            wrong.push(format!("{} MB of memory", peak / 1024));
        }
        wrong
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let memory = self.peak_kib.map_or_else(String::new, |kib| (kib / 1024).to_string());
        write!(f, "{} | {memory} | {}", self.seen, self.answers)
    }
}

/// Runs one attack against a gateway of its own.
pub async fn besiege(
    program: &Path,
    attack: Attack,
    own_address: bool,
    connections: usize,
    length: Duration,
) -> anyhow::Result<Outcome> {
    let folder = TempDir::with_prefix("wegraf-siege-")?;
    let address = free()?;
    let config = configure(folder.path(), address)?;
    let gateway = Gateway::start(program, &config, address).await?;
    let pid = gateway.pid().context("the gateway has ended")?;
    let mut outcome = hold(address, attack, own_address, connections, length).await?;
    outcome.peak_kib = Some(burst::memory_kib(pid, "VmHWM").context("the gateway did not live through it")?);
    gateway.kill().await?;
    Ok(outcome)
}

/// Attacks the server at `address`, with the good client running.
async fn hold(
    address: SocketAddr,
    attack: Attack,
    own_address: bool,
    connections: usize,
    length: Duration,
) -> anyhow::Result<Outcome> {
    raise_descriptors();
    let stop = Arc::new(AtomicBool::new(false));
    let army = Army { attack, to: address, from: IpAddr::V4(ATTACKERS), connections, stop: stop.clone() };
    let army = std::thread::spawn(move || army.march());
    tokio::time::sleep(LEAD).await;
    let from = IpAddr::V4(if own_address { OWN } else { ATTACKERS });
    let good = std::thread::spawn(move || Good { to: address, from, length }.work());
    let seen = tokio::task::spawn_blocking(move || good.join()).await?;
    stop.store(true, Ordering::SeqCst);
    let answers = tokio::task::spawn_blocking(move || army.join()).await?;
    let (seen, answers) =
        (seen.ok().context("the good client failed")??, answers.ok().context("the attackers failed")??);
    Ok(Outcome { seen, peak_kib: None, answers })
}

/// The same against a server without any defence, with the limits that most systems give a process.
async fn bare(options: &Options) -> anyhow::Result<Outcome> {
    let address = free()?;
    let program = std::env::current_exe()?;
    let script = "ulimit -n 1000 && exec \"$@\"";
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script, "sh"]).arg(program).args(["plain", &address.to_string()]);
    let _server = command.kill_on_drop(true).stdout(std::process::Stdio::null()).spawn()?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let length = Duration::from_secs(options.seconds.min(10));
    hold(address, Attack::SlowHead, true, options.connections, length).await
}

/// Writes the configuration: two sources, each with a way to prove itself, and a WeCom that is out of reach.
fn configure(folder: &Path, listen: SocketAddr) -> anyhow::Result<PathBuf> {
    let config = folder.join("wegraf.yaml");
    let (nowhere, token, secret) = (free()?, good::TOKEN, good::SECRET);
    let port = listen.port();
    std::fs::write(
        &config,
        format!(
            "listen: {GATEWAY}:{port}\nmemory: {MEMORY_MB}MB\ndatabase: sqlite:wegraf.db\nsources:\n  bearer: {{ bearer: {token} }}\n  signed: {{ hmac: {{ secret: {secret} }} }}\nwecom:\n  api_url: http://{nowhere}\n  webhooks:\n    group: {{ key: no-such-key }}\nreceivers:\n  ops: {{ targets: [ {{ webhook: group }} ] }}\nroute: {{ receiver: ops }}\n",
        ),
    )?;
    Ok(config)
}

/// Raises this process's limit of sockets to the system's maximum.
fn raise_descriptors() {
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    // A limit that is too low shows as connections that fail.
    let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, limit);
}
