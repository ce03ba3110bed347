//! The receiver of a generic webhook: it records requests, and answers as configured.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::fault::Answer;

/// A recorded request.
#[derive(Debug, Clone)]
pub struct Heard {
    /// `Idempotency-Key`: equal for copies.
    pub key: String,
    /// The body.
    pub body: String,
}

/// A running receiver; it ends when it is dropped.
pub struct Ear {
    /// Where it listens.
    pub address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
    orders: Arc<Mutex<Orders>>,
    _tasks: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Orders {
    first: VecDeque<Answer>,
    then: Option<Answer>,
}

impl Ear {
    /// Starts it; it answers ok by default.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (heard, orders): (Arc<Mutex<Vec<Heard>>>, Arc<Mutex<Orders>>) = (Arc::default(), Arc::default());
        let mut tasks = JoinSet::new();
        let (notes, told) = (heard.clone(), orders.clone());
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(stream, notes.clone(), told.clone()));
            }
        });
        Self { address, heard, orders, _tasks: tasks }
    }

    /// The next `times` posts get `answer`, or all until it is changed.
    pub fn answer(&self, answer: Answer, times: Option<u32>) {
        let mut orders = self.orders.lock().unwrap();
        match times {
            Some(times) => orders.first.extend((0..times).map(|_| answer)),
            None => orders.then = Some(answer),
        }
    }

    /// Answers ok from now on.
    pub fn repair(&self) {
        self.orders.lock().unwrap().then = None;
    }

    /// The accepted posts, the oldest first.
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

/// One connection, one request.
async fn serve(mut stream: TcpStream, heard: Arc<Mutex<Vec<Heard>>>, orders: Arc<Mutex<Orders>>) {
    let mut request = Vec::new();
    while !is_whole(&request) {
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let order = {
        let mut orders = orders.lock().unwrap();
        orders.first.pop_front().or(orders.then)
    };
    let text = String::from_utf8(request).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let key = head.lines().find_map(|line| line.strip_prefix("idempotency-key: ")).unwrap_or_default().to_owned();
    let say = |status: u16, body: &str| {
        format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
    };
    let answer = match order {
        None | Some(Answer::Late(_)) => say(200, "ok"),
        Some(Answer::Ok(body)) => say(200, body),
        Some(Answer::Http(status, body)) => say(status, body),
        Some(Answer::ResetAfter | Answer::Truncated | Answer::ResetBefore) => String::new(),
        Some(Answer::Hang) => return std::future::pending().await,
        Some(Answer::Code(code)) => panic!("a hook does not answer {code}"),
    };
    if let Some(Answer::Late(time)) = order {
        tokio::time::sleep(time).await;
    }
    if !matches!(order, Some(Answer::Http(..) | Answer::ResetBefore)) {
        heard.lock().unwrap().push(Heard { key, body: body.to_owned() });
    }
    if answer.is_empty() {
        return stream.set_zero_linger().unwrap();
    }
    // A client that gave up does not get it.
    stream.write_all(answer.as_bytes()).await.ok();
}

/// Whether a request's head and its body are there.
pub(super) fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    body.len() >= length.unwrap_or(0)
}
