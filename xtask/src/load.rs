//! A load generator: keep-alive connections in a closed loop, each sending its next request when the last one
//! was answered. Small enough to leave the processor to the server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The results of a run.
pub struct Report {
    /// Answered requests.
    pub requests: u64,
    /// Answers other than 200.
    pub errors: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// Milliseconds a request took, sorted.
    pub millis: Vec<f64>,
}

impl Report {
    /// Requests a second.
    pub fn rate(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency below which `share` (0 to 1) of the requests stayed, in milliseconds.
    pub fn quantile(&self, share: f64) -> f64 {
        let last = self.millis.len().saturating_sub(1);
        self.millis.get((last as f64 * share) as usize).copied().unwrap_or(f64::NAN)
    }
}

/// When a run ends.
#[derive(Clone, Copy)]
pub enum Until {
    /// After this time.
    Elapsed(Duration),
    /// After this many requests.
    Requests(u64),
}

/// Posts `body(n)` for n = `first`, `first`+1, … to `path` on `connections` connections.
pub async fn post(
    to: SocketAddr,
    path: &str,
    connections: usize,
    until: Until,
    first: u64,
    body: Arc<dyn Fn(u64) -> String + Send + Sync>,
) -> anyhow::Result<Report> {
    let next = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..connections {
        let (next, body, path) = (next.clone(), body.clone(), path.to_owned());
        clients.spawn(async move {
            let mut stream = TcpStream::connect(to).await.context("cannot connect")?;
            stream.set_nodelay(true)?;
            let (mut millis, mut errors, mut buffer) = (Vec::new(), 0, vec![0; 4096]);
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                match until {
                    Until::Elapsed(limit) if begun.elapsed() >= limit => break,
                    Until::Requests(limit) if number >= limit => break,
                    _ => {}
                }
                let body = body(first + number);
                let request = format!(
                    "POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                let sent = Instant::now();
                stream.write_all(request.as_bytes()).await?;
                if read_answer(&mut stream, &mut buffer).await? != 200 {
                    errors += 1;
                }
                millis.push(sent.elapsed().as_secs_f64() * 1e3);
            }
            anyhow::Ok((millis, errors))
        });
    }
    let (mut millis, mut errors) = (Vec::new(), 0);
    while let Some(client) = clients.join_next().await {
        let (its_millis, its_errors) = client??;
        millis.extend(its_millis);
        errors += its_errors;
    }
    let elapsed = begun.elapsed();
    millis.sort_by(f64::total_cmp);
    Ok(Report { requests: millis.len() as u64, errors, elapsed, millis })
}

/// A GET; the status and the body.
pub async fn get(to: SocketAddr, path: &str) -> anyhow::Result<(u16, String)> {
    let mut stream = TcpStream::connect(to).await?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    Ok((status(head)?, body.to_owned()))
}

async fn read_answer(stream: &mut TcpStream, buffer: &mut [u8]) -> anyhow::Result<u16> {
    let mut filled = 0;
    loop {
        if filled == buffer.len() {
            bail!("the answer is longer than expected");
        }
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            bail!("the connection was closed");
        }
        filled += read;
        let text = String::from_utf8_lossy(&buffer[..filled]);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase().strip_prefix("content-length:").map(|n| n.trim().parse::<usize>())
                })
                .transpose()?
                .unwrap_or(0);
            if body.len() >= length {
                return status(head);
            }
        }
    }
}

fn status(head: &str) -> anyhow::Result<u16> {
    Ok(head.split(' ').nth(1).context("not HTTP")?.parse()?)
}
