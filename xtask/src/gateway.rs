//! `wegraf serve` as a child process: started, waited for, killed.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use socket2::{Domain, Socket, Type};
use tokio::process::{Child, Command};

use crate::http;

/// A start takes some 30 ms, under strace or on a busy machine a hundred times as long.
const START: Duration = Duration::from_secs(30);

/// A running gateway; killed when it is dropped.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

impl Gateway {
    /// Runs `program serve -c config` and waits until it is ready at `address`. Its log is appended to a file beside
    /// `config`.
    pub async fn start(program: &Path, config: &Path, address: SocketAddr) -> anyhow::Result<Self> {
        Self::start_with(Command::new(program), config, address).await
    }

    /// The same with a command that may set the environment, or wrap the program in another one.
    pub async fn start_with(command: Command, config: &Path, address: SocketAddr) -> anyhow::Result<Self> {
        let mut gateway = Self::spawn(command, config, address)?;
        if let Some(ended) = gateway.ready(START).await? {
            bail!("wegraf ended with {ended} instead of starting: {}", gateway.log_tail());
        }
        Ok(gateway)
    }

    /// Starts it without waiting.
    pub fn spawn(mut command: Command, config: &Path, address: SocketAddr) -> anyhow::Result<Self> {
        let log = config.with_extension("log");
        let file = std::fs::File::options().create(true).append(true).open(&log)?;
        command.arg("serve").arg("-c").arg(config).kill_on_drop(true);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn();
        let child = child.with_context(|| format!("cannot start {command:?}"))?;
        Ok(Self { child, address, log })
    }

    /// Waits until it is ready (`None`) or has ended; an error if neither happens within `patience`.
    pub async fn ready(&mut self, patience: Duration) -> anyhow::Result<Option<ExitStatus>> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            let answer = http::send(self.address, "GET", "/readyz", "", Duration::from_secs(5)).await;
            if answer.is_ok_and(|answer| answer.status == 200) {
                return Ok(None);
            }
            if begun.elapsed() > patience {
                bail!("wegraf is not ready after {patience:?}: {}", self.log_tail());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// kill -9; waits until it is gone.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("wegraf could not be killed")
    }

    /// Sends it a signal: `STOP`, `CONT`.
    pub async fn signal(&self, name: &str) -> anyhow::Result<()> {
        let pid = self.pid().context("it has ended")?;
        let status = Command::new("/bin/sh").args(["-c", &format!("kill -{name} {pid}")]).status().await?;
        ensure!(status.success(), "wegraf could not be signalled");
        Ok(())
    }

    /// Its process id; of the wrapper, if it has one.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// How it ended, if it does so by itself within `patience`.
    pub async fn ended(&mut self, patience: Duration) -> anyhow::Result<Option<ExitStatus>> {
        match tokio::time::timeout(patience, self.child.wait()).await {
            Ok(status) => Ok(Some(status?)),
            Err(_) => Ok(None),
        }
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        // The tests have a secret in their configuration: the note about it is not informative.
        let telling = text.lines().rev().filter(|line| !line.contains("has a note"));
        let lines: Vec<&str> = telling.take(3).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

/// Below the ports that Linux gives to outgoing connections (`ip_local_port_range`): one of those could be taken by a
/// client, even by one that tries to reach this very port, while the server that owns it restarts.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// A loopback port reserved for this process until it ends: it is given out only once, even while its server is away,
/// and other processes that ask in this way do not get it either.
///
/// A socket that is bound and does not listen reserves it. It was bound exclusively, which fails if any process has the
/// port; since then it permits sockets with `SO_REUSEADDR`, which every server sets.
pub fn free() -> anyhow::Result<SocketAddr> {
    static TAKEN: Mutex<Vec<Socket>> = Mutex::new(Vec::new());
    let mut tries = (0..1000).map(|_| SocketAddr::from((Ipv4Addr::LOCALHOST, rand::random_range(PORTS))));
    let (socket, address) =
        tries.find_map(|address| Some((alone(address).ok()?, address))).context("no port of loopback is free")?;
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner).push(socket);
    Ok(address)
}

fn alone(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&address.into())?;
    socket.set_reuse_address(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_is_given_once_and_its_server_may_come_and_go() {
        let address = free().unwrap();
        assert!(alone(address).is_err(), "it was given twice");
        for _ in 0..2 {
            let server = tokio::net::TcpListener::bind(address).await.unwrap();
            let client = tokio::net::TcpStream::connect(address).await.unwrap();
            let (served, _) = server.accept().await.unwrap();
            assert!(alone(address).is_err(), "it was given away under its server");
            drop((served, client, server));
            assert!(alone(address).is_err(), "it was given away while its server was gone");
        }
    }
}
