//! The good client: small alerts at a steady pace, each on a connection of its own, and a health check.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::task::JoinSet;

use crate::single::body;

/// Interval of posts. They begin on time whether the last one was answered or not.
const PACE: Duration = Duration::from_millis(50);
/// Interval of health checks.
const LOOK: Duration = Duration::from_millis(250);
/// Alertmanager's own timeout.
const PATIENCE: Duration = Duration::from_secs(10);

/// The token of the source `bearer`.
pub const TOKEN: &str = "siege-token-5f2c9a7e1b3d";
/// The secret of the source `signed`.
pub const SECRET: &str = "siege-secret-8e4d1c6b0a2f";

/// A client that only sends alerts.
pub struct Good {
    pub to: SocketAddr,
    pub from: IpAddr,
    pub length: Duration,
}

/// The results of the good client.
#[derive(Debug, Default)]
pub struct Seen {
    /// Milliseconds of each post, sorted.
    posts: Vec<f64>,
    /// Answers other than 200, and failures.
    refused: BTreeMap<String, usize>,
    /// Milliseconds of each look at the health, sorted.
    looks: Vec<f64>,
    /// Looks that were not answered 200.
    unwell: usize,
}

impl Seen {
    /// The targets that were missed.
    pub fn wrong(&self, post_p99: Duration, health: Duration) -> Vec<String> {
        let mut wrong = Vec::new();
        let p99 = quantile(&self.posts, 0.99);
        if !self.refused.is_empty() {
            wrong.push(format!("posts were not taken: {:?}", self.refused));
        }
        if self.posts.is_empty() || p99 >= post_p99.as_secs_f64() * 1e3 {
            wrong.push(format!("p99 of posts {p99:.0} ms"));
        }
        let slowest = quantile(&self.looks, 1.0);
        if self.unwell > 0 || self.looks.is_empty() || slowest >= health.as_secs_f64() * 1e3 {
            wrong.push(format!("/healthz failed {} times, took {slowest:.0} ms", self.unwell));
        }
        wrong
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} × 200", self.posts.len())?;
        for (answer, count) in &self.refused {
            write!(f, ", {count} × {answer}")?;
        }
        let posts = |share| quantile(&self.posts, share);
        write!(f, " | {:.1} | {:.1} | {:.1} | {:.1}", posts(0.5), posts(0.99), posts(1.0), quantile(&self.looks, 1.0))?;
        if self.unwell > 0 { write!(f, " ({} failed)", self.unwell) } else { Ok(()) }
    }
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share).ceil() as usize).copied().unwrap_or(f64::NAN)
}

impl Good {
    /// Posts and looks until the time is over, then waits for what is on its way.
    pub fn work(self) -> anyhow::Result<Seen> {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
            let (mut posts, mut looks) = (JoinSet::new(), JoinSet::new());
            let begun = Instant::now();
            let mut number = 0;
            while begun.elapsed() < self.length {
                posts.spawn(exchange(self.from, self.to, post(number)));
                if number % u32::try_from(LOOK.as_millis() / PACE.as_millis())? == 0 {
                    looks.spawn(exchange(self.from, self.to, b"GET /healthz HTTP/1.1\r\nHost: siege\r\n\r\n".to_vec()));
                }
                number += 1;
                tokio::time::sleep_until((begun + PACE * number).into()).await;
            }
            let mut seen = Seen::default();
            while let Some(post) = posts.join_next().await {
                match post? {
                    (answer, took) if answer == "200" => seen.posts.push(took),
                    (answer, _) => *seen.refused.entry(answer).or_default() += 1,
                }
            }
            while let Some(look) = looks.join_next().await {
                match look? {
                    (answer, took) if answer == "200" => seen.looks.push(took),
                    _ => seen.unwell += 1,
                }
            }
            seen.posts.sort_by(f64::total_cmp);
            seen.looks.sort_by(f64::total_cmp);
            Ok(seen)
        })
    }
}

/// A new alert, from the source with a token and from the one that signs in turn.
fn post(number: u32) -> Vec<u8> {
    let body = body(&format!("Siege{number}"));
    let proof = if number.is_multiple_of(2) {
        format!("Authorization: Bearer {TOKEN}")
    } else {
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any key will do");
        mac.update(body.as_bytes());
        let digest = mac.finalize().into_bytes().iter().fold(String::new(), |mut digest, byte| {
            let _ = write!(digest, "{byte:02x}");
            digest
        });
        format!("X-Grafana-Alerting-Signature: {digest}")
    };
    format!(
        "POST /webhook HTTP/1.1\r\nHost: siege\r\n{proof}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The status of the answer, or what went wrong, and the milliseconds from before the connection was made.
async fn exchange(from: IpAddr, to: SocketAddr, request: Vec<u8>) -> (String, f64) {
    let begun = Instant::now();
    let answer = tokio::time::timeout(PATIENCE, async {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(from, 0))?;
        let mut stream = socket.connect(to).await?;
        stream.write_all(&request).await?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await?;
        std::io::Result::Ok(String::from_utf8_lossy(&answer[9..]).into_owned())
    })
    .await;
    let answer = match answer {
        Ok(Ok(status)) => status,
        Ok(Err(error)) => error.kind().to_string(),
        Err(_) => "no answer in 10 s".to_owned(),
    };
    (answer, begun.elapsed().as_secs_f64() * 1e3)
}
