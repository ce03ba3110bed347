//! The attackers: connections that are reopened whenever they are closed.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::ValueEnum;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// A way to be a nuisance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Attack {
    /// The head of a request comes a byte a second.
    SlowHead,
    /// A body whose signature is made up comes a byte a second.
    SlowBody,
    /// Requests without end, and no answer is ever read.
    NeverReading,
    /// Requests without end, fifty at a time.
    Pipelining,
    /// Bodies of 10 MB with a made-up signature, as fast as they are taken.
    Unproven,
    /// Bodies of 10 MB with a wrong token.
    WrongToken,
}

impl Attack {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::SlowHead, Self::SlowBody, Self::NeverReading, Self::Pipelining, Self::Unproven, Self::WrongToken];
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SlowHead => "slow head",
            Self::SlowBody => "slow body",
            Self::NeverReading => "never reading",
            Self::Pipelining => "pipelining",
            Self::Unproven => "10 MB unproven",
            Self::WrongToken => "10 MB wrong token",
        })
    }
}

/// Pause before a closed connection is reopened.
const AGAIN: Duration = Duration::from_millis(250);
/// A connection attempt is given up after this: the kernel's queue is full.
const CONNECT: Duration = Duration::from_secs(5);
/// Interval between two bytes of slow senders.
const DRIP: Duration = Duration::from_secs(1);
const LARGE: usize = 10_000_000;

/// All attackers of one kind.
pub struct Army {
    pub attack: Attack,
    pub to: SocketAddr,
    pub from: IpAddr,
    pub connections: usize,
    pub stop: Arc<AtomicBool>,
}

/// How often each answer was seen.
type Answers = Arc<Mutex<BTreeMap<String, u64>>>;

impl Army {
    /// Attacks until told to stop; returns the answers and their numbers.
    pub fn march(self) -> anyhow::Result<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let answers = Answers::default();
        let (army, kept) = (Arc::new(self), answers.clone());
        runtime.block_on(async move {
            let large: Arc<[u8]> = vec![b'x'; 1 << 16].into();
            for number in 0..army.connections {
                tokio::spawn(soldier(army.clone(), answers.clone(), large.clone()));
                if number % 50 == 49 {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
            while !army.stop.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        runtime.shutdown_background();
        let answers = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let shown: Vec<String> = answers.iter().map(|(answer, count)| format!("{count} × {answer}")).collect();
        Ok(shown.join(", "))
    }
}

async fn soldier(army: Arc<Army>, answers: Answers, large: Arc<[u8]>) {
    let note = |answer: &str| {
        *answers.lock().unwrap_or_else(PoisonError::into_inner).entry(answer.to_owned()).or_default() += 1;
    };
    loop {
        let answer = match tokio::time::timeout(CONNECT, connect(army.from, army.to)).await {
            Ok(Ok(stream)) => army.attack.once(stream, &large).await,
            Ok(Err(_)) | Err(_) => "not connected".to_owned(),
        };
        note(&answer);
        tokio::time::sleep(AGAIN).await;
    }
}

async fn connect(from: IpAddr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(from, 0))?;
    socket.connect(to).await
}

impl Attack {
    /// One connection, until it is closed; returns the last answer.
    async fn once(self, mut stream: TcpStream, large: &[u8]) -> String {
        let signed = "X-Grafana-Alerting-Signature: 00ff\r\n";
        match self {
            Self::SlowHead => {
                let (mut reader, mut writer) = stream.split();
                let begin = b"POST /webhook HTTP/1.1\r\nHost: siege\r\nX-Slow: ";
                drip(&mut writer, &mut reader, begin).await
            }
            Self::SlowBody => {
                let (mut reader, mut writer) = stream.split();
                let begin = format!("POST /webhook HTTP/1.1\r\nHost: siege\r\n{signed}Content-Length: 10000\r\n\r\n{{");
                drip(&mut writer, &mut reader, begin.as_bytes()).await
            }
            Self::NeverReading => {
                let requests = b"GET /metrics HTTP/1.1\r\nHost: siege\r\n\r\n".repeat(50);
                while stream.write_all(&requests).await.is_ok() {}
                "closed".to_owned()
            }
            Self::Pipelining => {
                let requests = b"GET /metrics HTTP/1.1\r\nHost: siege\r\n\r\n".repeat(50);
                let (mut reader, mut writer) = stream.split();
                let mut buffer = vec![0; 1 << 16];
                let write = async { while writer.write_all(&requests).await.is_ok() {} };
                let read = async { while let Ok(1..) = reader.read(&mut buffer).await {} };
                tokio::select! { () = write => {}, () = read => {} }
                "closed".to_owned()
            }
            Self::Unproven => upload(stream, signed, large).await,
            Self::WrongToken => upload(stream, "Authorization: Bearer wrong\r\n", large).await,
        }
    }
}

/// Sends `begin`, then a byte a second, until the peer answers or closes.
async fn drip(
    writer: &mut (impl tokio::io::AsyncWrite + Unpin),
    reader: &mut (impl tokio::io::AsyncRead + Unpin),
    begin: &[u8],
) -> String {
    let write = async {
        if writer.write_all(begin).await.is_ok() {
            while writer.write_all(b"x").await.is_ok() {
                tokio::time::sleep(DRIP).await;
            }
        }
    };
    tokio::select! { answer = status(reader) => answer, () = write => "closed".to_owned() }
}

/// Sends 10 MB while it listens for the answer.
async fn upload(mut stream: TcpStream, header: &str, large: &[u8]) -> String {
    let head = format!("POST /webhook HTTP/1.1\r\nHost: siege\r\n{header}Content-Length: {LARGE}\r\n\r\n");
    let (mut reader, mut writer) = stream.split();
    let write = async {
        if writer.write_all(head.as_bytes()).await.is_err() {
            return;
        }
        let mut left = LARGE;
        while left > 0 {
            let length = left.min(large.len());
            if writer.write_all(&large[..length]).await.is_err() {
                return;
            }
            left -= length;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! { biased; answer = status(&mut reader) => answer, () = write => "closed".to_owned() }
}

async fn status(reader: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut answer = [0; 12];
    match reader.read_exact(&mut answer).await {
        Ok(_) => String::from_utf8_lossy(&answer[9..]).into_owned(),
        Err(_) => "closed".to_owned(),
    }
}
