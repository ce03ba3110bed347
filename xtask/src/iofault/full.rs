//! The disk fills up and is freed again.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

use crate::gateway::{Gateway, free};
use crate::ledger::record::Database;
use crate::{Skipped, http, single};

/// The size of the disk, most of it taken by a file that is removed later.
const DISK: &str = "4m";
const BALLAST: usize = 1 << 20;
/// Each notification takes some KiB: after this many the disk is full, or there is a bug.
const MOST: u32 = 20_000;
/// Consecutive refusals that show a full disk and not a busy one.
const REFUSALS: usize = 10;
/// After the ballast was removed it recovers by itself within this time.
const RECOVERS_WITHIN: Duration = Duration::from_secs(15);

struct Tmpfs(TempDir);

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

/// Runs it, prints a line and returns the broken promises.
pub async fn run(program: &Path) -> anyhow::Result<Vec<String>> {
    let folder = TempDir::with_prefix("wegraf-full-")?;
    let mount = tokio::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", &format!("size={DISK}"), "tmpfs"])
        .arg(folder.path())
        .output()
        .await
        .context("mount cannot be run")?;
    if !mount.status.success() {
        return Err(Skipped::new(format!("mounts are not allowed: {}", String::from_utf8_lossy(&mount.stderr))).into());
    }
    let disk = Tmpfs(folder);
    // The log of the process must not fill the disk.
    let outside = TempDir::with_prefix("wegraf-full-log-")?;
    let ballast = disk.0.path().join("ballast");
    std::fs::write(&ballast, vec![0; BALLAST])?;
    let address = free()?;
    let database = disk.0.path().join("wegraf.db");
    let config = single::configure_at(outside.path(), &database, address)?;
    let mut gateway = Gateway::start(program, &config, address).await?;

    let (mut wrong, mut acknowledged, mut refused) = (Vec::new(), Vec::new(), 0);
    let mut in_a_row = 0;
    for number in 0..MOST {
        let name = format!("full-{number}");
        let answer = http::send(address, "POST", "/webhook", &single::body(&name), Duration::from_secs(15)).await;
        let Ok(answer) = answer else {
            wrong.push(format!("full disk: no answer; {}", gateway.log_tail()));
            break;
        };
        if answer.is_2xx() {
            acknowledged.push(name);
            in_a_row = 0;
        } else {
            if answer.status != 503 || answer.header("retry-after").is_none() {
                wrong.push(format!("full disk: {} instead of a 503 with Retry-After", answer.status));
            }
            refused += 1;
            in_a_row += 1;
        }
        if in_a_row == REFUSALS {
            break;
        }
    }
    ensure!(refused > 0, "the disk never became full: this shows nothing");
    std::fs::remove_file(&ballast)?;
    let freed = Instant::now();
    let mut again = 0;
    while again < REFUSALS && freed.elapsed() < RECOVERS_WITHIN {
        let name = format!("freed-{}-{again}", freed.elapsed().as_nanos());
        let answer = http::send(address, "POST", "/webhook", &single::body(&name), Duration::from_secs(15)).await;
        if answer.is_ok_and(|answer| answer.is_2xx()) {
            acknowledged.push(name);
            again += 1;
        } else {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let recovered = freed.elapsed();
    if again < REFUSALS {
        wrong.push(format!("full disk: it does not recover within {RECOVERS_WITHIN:?}; {}", gateway.log_tail()));
    }
    if let Some(status) = gateway.ended(Duration::ZERO).await? {
        wrong.push(format!("full disk: the process ended with {status}"));
    } else {
        gateway.kill().await?;
    }
    Gateway::start(program, &config, address).await.context("after the full disk")?.kill().await?;
    let names = Database::Sqlite(database).names()?;
    let lost = acknowledged.iter().filter(|name| !names.contains(*name)).count();
    if lost > 0 {
        wrong.push(format!("full disk: {lost} acknowledged notifications are lost"));
    }
    println!("| full disk of {DISK} | |\n|---|---|");
    println!("| acknowledged | {} |\n| refused with 503 | {refused} |\n| lost | {lost} |", acknowledged.len());
    println!("| takes notifications again after it was freed | {} ms |", recovered.as_millis());
    Ok(wrong)
}
