//! A program under measurement: started, its memory and processor time read from `/proc`.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::load;

/// A child that is killed when it is dropped.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// How long it took to be ready.
    pub ready: Duration,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts `command` and waits until `path` answers 200.
    pub async fn start(mut command: Command, address: SocketAddr, path: &str) -> anyhow::Result<Self> {
        let begun = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut server = Self { child, address, ready: Duration::ZERO };
        while begun.elapsed() < Duration::from_secs(20) {
            if matches!(load::get(address, path).await, Ok((200, _))) {
                server.ready = begun.elapsed();
                return Ok(server);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        bail!("{command:?} did not answer")
    }

    /// A line of `/proc/PID/status`, in KiB.
    pub fn memory(&self, field: &str) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with(field)).context("no such field")?;
        Ok(line.split_whitespace().nth(1).context("no value")?.parse()?)
    }

    /// Processor time its threads used so far, in microseconds.
    pub fn processor(&self) -> anyhow::Result<f64> {
        let mut nanos = 0.0;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // A thread may end between the listing and the look.
            let Ok(text) = std::fs::read_to_string(task?.path().join("schedstat")) else { continue };
            nanos += text.split(' ').next().context("no figure")?.parse::<f64>()?;
        }
        Ok(nanos / 1e3)
    }

    /// Bytes that it caused to be written to disk so far.
    pub fn written(&self) -> anyhow::Result<f64> {
        let io = std::fs::read_to_string(format!("/proc/{}/io", self.child.id()))?;
        let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).context("no such field")?;
        Ok(line.parse()?)
    }

    /// The value of a metric of wegraf; NaN if it has none of that name, as older versions.
    pub async fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let (_, text) = load::get(self.address, "/metrics").await?;
        let line = text.lines().find(|line| line.split(' ').next() == Some(name));
        line.map_or(Ok(f64::NAN), |line| Ok(line.rsplit(' ').next().context("no value")?.parse()?))
    }
}
