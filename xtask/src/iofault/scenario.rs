//! One run of the scenario with one failing call.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::process::Command;

use crate::gateway::{Gateway, free};
use crate::http::{self, Answer};
use crate::ledger::record::Database;
use crate::single;

/// Notifications of the scenario, one after the other.
const POSTS: u32 = 24;
/// Notifications after which the gateway gets the time to move its log into the main file.
const PAUSE_AFTER: u32 = 8;
const PAUSE: Duration = Duration::from_millis(300);
/// The last notifications must be accepted again if the gateway continues.
const RECOVERED: u32 = 4;
/// strace makes everything slower, but not that much.
const STARTS_WITHIN: Duration = Duration::from_secs(10);
/// Longest time for a gateway that has noticed that its store is broken to end.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

/// The failing calls, and their error.
#[derive(Debug)]
pub struct Fault {
    /// Names of system calls.
    pub calls: &'static str,
    /// The error they return.
    pub error: &'static str,
    /// One of this many calls is tried.
    pub stride: u32,
}

impl Fault {
    /// A full disk is reported to the sender and passes; after any other error the content of the disk is unknown.
    fn passes(&self) -> bool {
        self.error == "ENOSPC"
    }
}

/// The settings of a run.
pub struct Scenario<'a> {
    /// The gateway.
    pub program: &'a Path,
    /// The fault.
    pub fault: &'a Fault,
    /// The number of the failing call, counted in each thread.
    pub nth: u32,
}

/// The results.
#[derive(Debug)]
pub struct Seen {
    /// The failed calls as strace shows them.
    pub injected: Vec<String>,
    /// It was ready before anything failed.
    pub started: bool,
    /// It was neither ready in time nor gone.
    pub stuck: bool,
    /// Notifications answered 2xx.
    pub acknowledged: usize,
    /// Of these, those missing after a restart.
    pub lost: usize,
    /// The answers to the others: the status and `Retry-After`, or nothing.
    pub refused: Vec<Option<(u16, Option<String>)>>,
    /// How it ended by itself.
    pub ended: Option<ExitStatus>,
    /// The last notifications were accepted.
    pub recovered: bool,
    /// Why it did not start again, or did not accept a notification then.
    pub restart: Option<String>,
}

impl Seen {
    /// The broken promises.
    pub fn complaints(&self, fault: &Fault) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.lost > 0 {
            wrong.push(format!("{} of {} acknowledged notifications are lost", self.lost, self.acknowledged));
        }
        if self.stuck {
            wrong.push(format!("it was not ready {STARTS_WITHIN:?} after the start and had not ended either"));
        }
        if self.ended.is_some_and(|status| status.code().is_none_or(|code| code == 0)) {
            wrong.push(format!("it ended with {:?}, not with a code other than 0", self.ended));
        }
        if fault.passes() {
            if self.started && self.ended.is_some() {
                wrong.push("it ended, though a full disk passes".to_owned());
            }
            for answer in &self.refused {
                if !matches!(answer, Some((503, Some(_)))) {
                    wrong.push(format!("a sender got {answer:?} instead of a 503 with Retry-After"));
                }
            }
        }
        if let Some(why) = &self.restart {
            wrong.push(format!("it does not start again without help: {why}"));
        }
        let harmed = !self.refused.is_empty();
        if self.ended.is_none() && harmed && !fault.passes() {
            wrong.push("a commit failed and the process went on".to_owned());
        }
        if self.ended.is_none() && !self.recovered {
            wrong.push("it went on, but does not take notifications again".to_owned());
        }
        wrong
    }
}

impl Scenario<'_> {
    /// Runs it, and the restart.
    pub async fn run(&self) -> anyhow::Result<Seen> {
        let folder = TempDir::with_prefix("wegraf-iofault-")?;
        let address = free()?;
        let config = single::configure(folder.path(), address)?;
        let trace = folder.path().join("trace");
        let mut gateway = Gateway::spawn(self.traced(&trace), &config, address)?;
        // Neither ready nor gone within this time: it still gets a notification.
        let ready = gateway.ready(STARTS_WITHIN).await;
        let (started, stuck) = (!matches!(ready, Ok(Some(_))), ready.is_err());
        let mut seen = Seen {
            injected: Vec::new(),
            started,
            stuck,
            acknowledged: 0,
            lost: 0,
            refused: Vec::new(),
            ended: None,
            recovered: false,
            restart: None,
        };
        let mut acknowledged = Vec::new();
        if started {
            acknowledged = post_all(&mut gateway, address, &mut seen).await?;
        }
        // A gateway that was hit gets a moment to notice; one that was not continues, so there is no wait.
        let patience = if started && seen.refused.is_empty() { Duration::ZERO } else { ENDS_WITHIN };
        seen.ended = if seen.started && self.fault.passes() && seen.recovered {
            gateway.ended(Duration::ZERO).await?
        } else {
            gateway.ended(patience).await?
        };
        if seen.ended.is_none() {
            gateway.kill().await?;
        }
        seen.injected = injected(&trace).await?;
        seen.acknowledged = acknowledged.len();
        if started || database(folder.path()).exists() {
            let restarted = self.restarted(&config, address).await;
            seen.restart = restarted.err().map(|error| format!("{error:#}"));
            let names = Database::Sqlite(database(folder.path())).names().unwrap_or_default();
            seen.lost = acknowledged.iter().filter(|name| !names.contains(*name)).count();
        }
        Ok(seen)
    }

    /// The program under strace, as its grandchild: so we see its own exit code, and kill it and not strace.
    fn traced(&self, trace: &Path) -> Command {
        let Fault { calls, error, .. } = self.fault;
        let mut command = Command::new("strace");
        command.args(["-D", "-f", "-y", "--seccomp-bpf", "-o"]).arg(trace);
        command.arg("-e").arg(format!("trace={calls}"));
        command.arg("-e").arg(format!("inject={calls}:error={error}:when={}", self.nth));
        command.arg(self.program);
        command
    }

    /// Starts it without strace and posts one more notification.
    async fn restarted(&self, config: &Path, address: SocketAddr) -> anyhow::Result<()> {
        let gateway = Gateway::start(self.program, config, address).await.context("after the fault")?;
        let answer = post(address, "after the restart").await.context("no answer after the restart")?;
        anyhow::ensure!(answer.is_2xx(), "after the restart: {} {}", answer.status, answer.body);
        gateway.kill().await
    }
}

fn database(folder: &Path) -> PathBuf {
    folder.join("wegraf.db")
}

async fn post_all(gateway: &mut Gateway, address: SocketAddr, seen: &mut Seen) -> anyhow::Result<Vec<String>> {
    let mut acknowledged = Vec::new();
    let mut last_refused = 0;
    for number in 1..=POSTS {
        let name = format!("io-{number}");
        let answer = post(address, &name).await;
        if answer.as_ref().is_some_and(Answer::is_2xx) {
            acknowledged.push(name);
        } else {
            last_refused = number;
            let told = answer.map(|answer| (answer.status, answer.header("retry-after").map(str::to_owned)));
            // No answer, because it has ended: that is not a refusal.
            if gateway.ended(Duration::from_millis(50)).await?.is_some() && told.is_none() {
                break;
            }
            seen.refused.push(told);
        }
        if number % PAUSE_AFTER == 0 {
            tokio::time::sleep(PAUSE).await;
        }
    }
    seen.recovered = last_refused <= POSTS - RECOVERED;
    Ok(acknowledged)
}

async fn post(address: SocketAddr, name: &str) -> Option<Answer> {
    http::send(address, "POST", "/webhook", &single::body(name), Duration::from_secs(15)).await.ok()
}

/// The failed calls; strace writes them when its tracee has ended.
async fn injected(trace: &Path) -> anyhow::Result<Vec<String>> {
    let begun = Instant::now();
    loop {
        let text = std::fs::read_to_string(trace).unwrap_or_default();
        if text.lines().last().is_some_and(|line| line.contains("+++")) || begun.elapsed() > Duration::from_secs(5) {
            let failed = text.lines().filter(|line| line.contains("(INJECTED)"));
            return Ok(failed.map(shortened).collect());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The call and the file of a line of strace.
fn shortened(line: &str) -> String {
    let call = line.split_once(' ').map_or(line, |(_, call)| call.trim());
    let name = call.split('(').next().unwrap_or_default();
    let file = call.split_once('<').and_then(|(_, rest)| rest.split('>').next()).unwrap_or_default();
    format!("{name} {}", file.rsplit('/').next().unwrap_or_default())
}
