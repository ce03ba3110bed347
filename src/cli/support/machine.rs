//! What is known of the program, the machine and its clock.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::{Config, Database};
use crate::time::Clock;

/// Deadline for WeCom to say what time it is.
const DEADLINE: Duration = Duration::from_secs(3);

/// Everything, a line each. `pid`: the running gateway's.
pub(super) async fn facts(config: Option<&Config>, pid: Option<u32>) -> String {
    let mut lines = vec![
        ("wegraf", env!("CARGO_PKG_VERSION").to_owned()),
        ("built for", format!("{}, {}", std::env::consts::ARCH, libc())),
        ("system", line_of("/etc/os-release", "PRETTY_NAME=").trim_matches('"').to_owned()),
        ("kernel", read("/proc/sys/kernel/osrelease")),
        ("memory", line_of("/proc/meminfo", "MemTotal:")),
        ("processors", std::thread::available_parallelism().map_or_else(|_| "?".to_owned(), |count| count.to_string())),
    ];
    match pid {
        None => lines.push(("gateway", "does not answer".to_owned())),
        Some(pid) => {
            lines.push(("gateway", format!("pid {pid}")));
            for key in ["VmRSS:", "VmHWM:", "Threads:"] {
                lines.push((key.trim_end_matches(':'), line_of(&format!("/proc/{pid}/status"), key)));
            }
            lines.push(("open files", line_of(&format!("/proc/{pid}/limits"), "Max open files")));
            lines.extend(limits(&read(&format!("/proc/{pid}/cgroup"))));
        }
    }
    if let Some(config) = config {
        lines.push((
            "database",
            match &config.database {
                Database::Sqlite(path) => {
                    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.clone());
                    format!(
                        "SQLite on {}",
                        file_system(&read("/proc/self/mountinfo"), &path).unwrap_or_else(|| "?".to_owned())
                    )
                }
                Database::Postgres { .. } => "PostgreSQL".to_owned(),
            },
        ));
        lines.push(("clock", offset(config).await));
    }
    lines.into_iter().fold(String::new(), |mut text, (name, value)| {
        writeln!(text, "{name:<12} {value}").expect("a String takes everything");
        text
    })
}

const fn libc() -> &'static str {
    if cfg!(target_env = "musl") { "musl" } else { "glibc" }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default()
}

fn line_of(path: &str, key: &str) -> String {
    read(path)
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .unwrap_or("?")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// The limits of a group of processes, as `/proc/PID/cgroup` names it.
fn limits(cgroup: &str) -> Vec<(&'static str, String)> {
    let group = cgroup.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default();
    let folder = PathBuf::from(format!("/sys/fs/cgroup{group}"));
    let files = ["memory.max", "memory.high", "memory.current", "pids.max", "cpu.max"];
    let read =
        |name: &'static str| Some((name, read(folder.join(name).to_str()?))).filter(|(_, text)| !text.is_empty());
    files.into_iter().filter_map(read).collect()
}

/// The kind of the file system that holds `path`, which is absolute; `mounts` is `/proc/self/mountinfo`.
fn file_system(mounts: &str, path: &Path) -> Option<String> {
    let mount = |line: &str| {
        let (before, behind) = line.split_once(" - ")?;
        // A blank in the name of a folder is written as its octal number.
        let folder = PathBuf::from(before.split(' ').nth(4)?.replace("\\040", " "));
        Some((folder, behind.split(' ').next()?.to_owned()))
    };
    let holding = mounts.lines().filter_map(mount).filter(|(folder, _)| path.starts_with(folder));
    // Of two at one place the later one covers the earlier.
    holding.max_by_key(|(folder, _)| folder.components().count()).map(|(_, kind)| kind)
}

/// How far the clock is from WeCom's.
async fn offset(config: &Config) -> String {
    if config.wecom.proxy.is_some() {
        return "not compared: WeCom is behind a proxy".to_owned();
    }
    let Ok(client) = reqwest::Client::builder().no_proxy().timeout(DEADLINE).build() else { return "?".to_owned() };
    let answer = match client.head(&config.wecom.api_url).send().await {
        Ok(answer) => answer,
        Err(error) => return format!("not compared: WeCom does not answer ({})", error.without_url()),
    };
    let now = Clock::System.now().0 / 1000;
    let date = answer.headers().get(reqwest::header::DATE).and_then(|date| date.to_str().ok());
    let theirs = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()).map(|at| at.timestamp().as_second());
    theirs.map_or_else(
        || "not compared: WeCom told no time".to_owned(),
        |theirs| format!("{:+} s from WeCom's", now - theirs),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_system_is_that_of_the_longest_mount() {
        let mounts = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 0:40 / /var rw shared:1 - xfs /dev/b rw\n\
            31 30 0:41 / /var/lib/my\\040data rw - nfs4 host:/x rw\n";
        let of = |path: &str| file_system(mounts, Path::new(path));
        assert_eq!(of("/home/w.db").as_deref(), Some("ext4"));
        assert_eq!(of("/var/lib/w.db").as_deref(), Some("xfs"));
        assert_eq!(of("/var/lib/my data/w.db").as_deref(), Some("nfs4"));
        assert_eq!(file_system("", Path::new("/")), None);
    }
}
