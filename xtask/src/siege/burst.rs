//! Many large bodies at once: the memory stays within its bound, and is returned afterwards.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::task::JoinSet;

use super::{MEMORY_MB, configure, good};
use crate::gateway::{Gateway, free};

/// Bodies at once.
const BODIES: usize = 12;
/// Bytes of each.
const BYTES: usize = 6_000_000;
/// Longest time until the memory is returned.
const AFTER: Duration = Duration::from_secs(20);
/// Memory that may stay above what was used before the first burst: caches of the store, buffers of threads.
const STAYS_KIB: u64 = 48 * 1024;
/// Deadline of an answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// The content of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Alerts as Alertmanager sends them.
    Real,
    /// Alerts of 25 bytes.
    Tiny,
    /// As many of these as are accepted.
    TinyTaken,
    /// Lines of text.
    Text,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Real => "12 × 6 MB, real alerts",
            Self::Tiny => "12 × 6 MB, alerts of 25 bytes",
            Self::TinyTaken => "12 × 0.6 MB, alerts of 25 bytes",
            Self::Text => "12 × 6 MB, text",
        })
    }
}

impl Shape {
    const ALL: [Self; 4] = [Self::Real, Self::Tiny, Self::TinyTaken, Self::Text];

    fn body(self, number: usize) -> String {
        match self {
            Self::Real => {
                let alert = |index: usize| {
                    serde_json::json!({
                        "status": "firing",
                        "labels": {
                            "alertname": format!("Burst{number}"), "instance": format!("node-{number}-{index}:9100"),
                            "job": "node", "severity": "warning", "cluster": "prod-1", "namespace": "default",
                        },
                        "annotations": {
                            "summary": "磁盘将满", "description": "The file system will be full within four hours.",
                        },
                        "startsAt": "2026-11-22T06:02:00Z", "endsAt": "0001-01-01T00:00:00Z",
                        "generatorURL": "http://prometheus.example.com/graph?g0.expr=node_filesystem_avail_bytes",
                        "fingerprint": format!("{index:016x}"),
                    })
                    .to_string()
                };
                let one = alert(0).len() + 1;
                let alerts: Vec<String> = (0..BYTES / one).map(alert).collect();
                format!(
                    "{{\"version\":\"4\",\"receiver\":\"r\",\"status\":\"firing\",\"groupKey\":\"g{number}\",\"alerts\":[{}]}}",
                    alerts.join(",")
                )
            }
            Self::Tiny => tiny(number, BYTES),
            Self::TinyTaken => tiny(number, BYTES / 10),
            Self::Text => {
                format!("burst {number}\n{}", "2026-11-22 06:02:00 disk is full, really\n".repeat(BYTES / 41))
            }
        }
    }
}

fn tiny(number: usize, bytes: usize) -> String {
    let alerts: Vec<String> =
        (0..bytes / 25).map(|index| format!("{{\"labels\":{{\"a\":\"{number}{index:05}\"}}}}")).collect();
    format!("[{}]", alerts.join(","))
}

/// The results of a burst.
#[derive(Debug)]
pub struct Burst {
    answers: BTreeMap<String, usize>,
    /// The most resident memory, in KiB.
    peak_kib: u64,
    /// The peak of the control group, including the kernel's part.
    group_kib: Option<u64>,
    /// Resident memory some seconds later.
    after_kib: u64,
    before_kib: u64,
}

impl Burst {
    fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let unexpected: Vec<_> =
            self.answers.keys().filter(|answer| !["200", "413", "503"].contains(&answer.as_str())).collect();
        if !unexpected.is_empty() {
            wrong.push(format!("answers {:?}", self.answers));
        }
        if self.peak_kib > MEMORY_MB * 1024 {
            wrong.push(format!("{} MB resident", self.peak_kib / 1024));
        }
        if self.after_kib > self.before_kib + STAYS_KIB {
            wrong.push(format!("{} MB stay, there were {}", self.after_kib / 1024, self.before_kib / 1024));
        }
        wrong
    }
}

impl fmt::Display for Burst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answers: Vec<String> = self.answers.iter().map(|(answer, count)| format!("{count} × {answer}")).collect();
        let group = self.group_kib.map_or_else(|| "no control groups".to_owned(), |kib| (kib / 1024).to_string());
        let (before, peak, after) = (self.before_kib / 1024, self.peak_kib / 1024, self.after_kib / 1024);
        write!(f, "{} | {before} | {peak} | {group} | {after}", answers.join(", "))
    }
}

/// All shapes, one after the other; the targets that were missed.
pub async fn run(program: &Path) -> anyhow::Result<Vec<String>> {
    println!(
        "\n| burst | answers | resident MB before | at most | control group at most | {} s later |",
        AFTER.as_secs()
    );
    println!("|---|---|---|---|---|---|");
    let mut missed = Vec::new();
    for shape in Shape::ALL {
        let burst = burst(program, shape).await?;
        println!("| {shape} | {burst} |");
        missed.extend(burst.wrong().into_iter().map(|wrong| format!("{shape}: {wrong}")));
    }
    Ok(missed)
}

/// One burst at a gateway of its own, in a control group of the size that its configuration names.
pub async fn burst(program: &Path, shape: Shape) -> anyhow::Result<Burst> {
    let folder = TempDir::with_prefix("wegraf-burst-")?;
    let address = free()?;
    let config = configure(folder.path(), address)?;
    let group = Group::new(MEMORY_MB << 20);
    let command = group.as_ref().map_or_else(|| Command::new(program), |group| group.run(program));
    let gateway = Gateway::start_with(command, &config, address).await?;
    let pid = gateway.pid().context("the gateway has ended")?;
    let gone = || format!("the gateway did not live through it: {}", gateway.log_tail());
    let before_kib = memory_kib(pid, "VmRSS").with_context(gone)?;
    let mut sends = JoinSet::new();
    for number in 0..BODIES {
        let body = shape.body(number);
        sends.spawn(async move { tokio::time::timeout(PATIENCE, send(address, body)).await });
    }
    let mut answers: BTreeMap<String, usize> = BTreeMap::new();
    while let Some(answer) = sends.join_next().await {
        let answer = match answer? {
            Ok(Ok(status)) => status,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        *answers.entry(answer).or_default() += 1;
    }
    tokio::time::sleep(AFTER).await;
    let peak_kib = memory_kib(pid, "VmHWM").with_context(gone)?;
    let after_kib = memory_kib(pid, "VmRSS").with_context(gone)?;
    let group_kib = group.as_ref().and_then(Group::peak_kib);
    gateway.kill().await?;
    Ok(Burst { answers, peak_kib, group_kib, after_kib, before_kib })
}

async fn send(to: SocketAddr, body: String) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(to).await?;
    let head = format!(
        "POST /webhook HTTP/1.1\r\nHost: siege\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n",
        good::TOKEN,
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    // It may be refused before it is read completely.
    let _ = stream.write_all(body.as_bytes()).await;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer[9..]).into_owned())
}

/// A line of `/proc/PID/status` in KiB: `VmRSS`, `VmHWM`; `None` if the process is gone.
pub fn memory_kib(pid: u32, line: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let value = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'))?;
    value.trim().trim_end_matches(" kB").parse().ok()
}

/// A control group with a bound on memory; removed when dropped.
struct Group {
    folder: PathBuf,
    peak: &'static str,
}

impl Group {
    /// `None` where there are none, or we may not make one.
    fn new(bytes: u64) -> Option<Self> {
        let name = format!("wegraf-siege-{}-{:x}", std::process::id(), rand::random::<u32>());
        let first = ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes");
        let second = ("/sys/fs/cgroup", "memory.max", "memory.peak");
        [first, second].into_iter().find_map(|(root, limit, peak)| {
            let group = Self { folder: Path::new(root).join(&name), peak };
            std::fs::create_dir(&group.folder).ok()?;
            std::fs::write(group.folder.join(limit), bytes.to_string()).ok()?;
            Some(group)
        })
    }

    /// A command that runs `program` in it.
    fn run(&self, program: &Path) -> Command {
        let mut command = Command::new("/bin/sh");
        let procs = self.folder.join("cgroup.procs");
        command.args(["-c", "echo $$ > \"$0\" && exec \"$@\""]).arg(procs).arg(program);
        command
    }

    fn peak_kib(&self) -> Option<u64> {
        let text = std::fs::read_to_string(self.folder.join(self.peak)).ok()?;
        text.trim().parse::<u64>().ok().map(|bytes| bytes / 1024)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Possible once its process is gone.
        for _ in 0..50 {
            if std::fs::remove_dir(&self.folder).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
