//! A TCP proxy that fails on command: between the gateway and the simulator it makes the faults of a network, which the
//! simulator, being one end of the connection, cannot make.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What happens to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// It is passed on.
    Pass,
    /// It is passed on, but the first byte of the request only after this time.
    Delay(Duration),
    /// So many bytes of one direction pass; the next one ends the connection on both sides.
    Cut { of: Of, after: usize, by: By },
    /// It is accepted, read from and never answered; upstream gets nothing.
    BlackHole,
    /// The request is passed on; its answer is dropped.
    Mute,
    /// The port is closed.
    Refuse,
}

/// Which direction is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    Request,
    Answer,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// In good order (FIN).
    Close,
    /// With a reset (RST), through `SO_LINGER` 0.
    Reset,
}

/// A running proxy; ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    orders: watch::Sender<Orders>,
    /// The order that is carried out.
    obeyed: watch::Receiver<u64>,
    connections: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

/// What the next connections meet.
#[derive(Debug, Clone, Default)]
struct Orders {
    number: u64,
    /// One connection each.
    first: Arc<Mutex<VecDeque<Plan>>>,
    /// All later ones.
    then: Option<Plan>,
}

impl Orders {
    fn next(&self) -> Plan {
        self.first.lock().unwrap().pop_front().or(self.then).unwrap_or(Plan::Pass)
    }

    /// Is the port to be closed? Only as a lasting plan: a single connection cannot be refused without closing the
    /// port.
    fn refuse(&self) -> bool {
        self.then == Some(Plan::Refuse) && self.first.lock().unwrap().is_empty()
    }
}

impl Proxy {
    /// Passes connections on to `upstream` until told otherwise.
    pub async fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (orders, told) = watch::channel(Orders::default());
        let (obeys, obeyed) = watch::channel(0);
        let connections = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        tasks.spawn(run(listener, upstream, told, obeys, connections.clone()));
        Self { address, orders, obeyed, connections, _tasks: tasks }
    }

    /// Where it listens, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// All connections from now on meet `plan`; those that are open end, so that a pooled one does not escape it.
    pub async fn set(&mut self, plan: Plan) {
        self.script(&[], plan).await;
    }

    /// The next connections meet one of `first` each, all later ones `then`; those that are open end.
    pub async fn script(&mut self, first: &[Plan], then: Plan) {
        let first = Arc::new(Mutex::new(first.iter().copied().collect()));
        let number = self.orders.borrow().number + 1;
        self.orders.send_replace(Orders { number, first, then: Some(then) });
        self.obeyed.wait_for(|&obeyed| obeyed == number).await.expect("the proxy runs");
    }
}

async fn run(
    listener: TcpListener,
    upstream: SocketAddr,
    mut orders: watch::Receiver<Orders>,
    obeys: watch::Sender<u64>,
    count: Arc<AtomicUsize>,
) {
    let address = listener.local_addr().unwrap();
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        let now = orders.borrow_and_update().clone();
        if now.refuse() {
            listener = None;
        } else if listener.is_none() {
            listener = Some(TcpListener::bind(address).await.expect("the port is still free"));
        }
        obeys.send_replace(now.number);
        let accepted = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            accepted = accepted => {
                let (stream, _) = accepted.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                connections.spawn(serve(stream, upstream, now.next()));
            }
            changed = orders.changed() => {
                if changed.is_err() {
                    return;
                }
                connections.shutdown().await;
            }
        }
    }
}

async fn serve(mut client: TcpStream, upstream: SocketAddr, plan: Plan) {
    if plan == Plan::BlackHole {
        let mut sink = [0; 4096];
        while client.read(&mut sink).await.is_ok_and(|read| read > 0) {}
        return std::future::pending().await;
    }
    let Ok(mut server) = TcpStream::connect(upstream).await else { return };
    if let Plan::Delay(time) = plan {
        tokio::time::sleep(time).await;
    }
    if plan == Plan::Mute {
        let ((from_client, _), (mut from_server, to_server)) = (client.split(), server.split());
        let mut nobody = tokio::io::sink();
        let answer = tokio::io::copy(&mut from_server, &mut nobody);
        let (_, answer) = tokio::join!(carry(from_client, to_server, None), answer);
        drop(answer);
        return;
    }
    let limit = |counted: Of| match plan {
        Plan::Cut { of, after, .. } if of == counted => Some(after),
        _ => None,
    };
    let cut = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let request = carry(from_client, to_server, limit(Of::Request));
        let answer = carry(from_server, to_client, limit(Of::Answer));
        tokio::pin!(request, answer);
        tokio::select! {
            cut = &mut answer => cut,
            cut = &mut request => if cut { true } else { answer.await },
        }
    };
    if cut && matches!(plan, Plan::Cut { by: By::Reset, .. }) {
        client.set_zero_linger().unwrap();
        server.set_zero_linger().unwrap();
    }
}

/// Copies until the end, or until a byte beyond `limit` comes; returns whether that happened.
async fn carry(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, limit: Option<usize>) -> bool {
    let mut left = limit.unwrap_or(usize::MAX);
    let mut buffer = [0; 4096];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        if read == 0 {
            // The other end may have gone already.
            to.shutdown().await.ok();
            return false;
        }
        let passed = read.min(left);
        left -= passed;
        if to.write_all(&buffer[..passed]).await.is_err() {
            return false;
        }
        if passed < read {
            return true;
        }
    }
}

/// A server that answers every 4 bytes with 4 other ones.
async fn ponger() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut ping = [0; 4];
                while stream.read_exact(&mut ping).await.is_ok() {
                    stream.write_all(b"pong").await.ok();
                }
            });
        }
    });
    address
}

/// Sends 4 bytes through the proxy; what came back, and how it ended.
async fn ping(proxy: &Proxy) -> (String, std::io::Result<()>) {
    let mut stream = match TcpStream::connect(proxy.address).await {
        Ok(stream) => stream,
        Err(error) => return (String::new(), Err(error)),
    };
    stream.write_all(b"ping").await.ok();
    let (mut answer, mut byte) = (Vec::new(), [0; 1]);
    loop {
        match stream.read(&mut byte).await {
            Ok(0) => return (String::from_utf8(answer).unwrap(), Ok(())),
            Ok(_) => answer.push(byte[0]),
            Err(error) => return (String::from_utf8(answer).unwrap(), Err(error)),
        }
        if answer.len() == 4 {
            return (String::from_utf8(answer).unwrap(), Ok(()));
        }
    }
}

#[tokio::test]
async fn a_connection_passes_in_both_directions_and_is_counted() {
    let proxy = Proxy::start(ponger().await).await;
    assert_eq!(ping(&proxy).await.0, "pong");
    assert_eq!(ping(&proxy).await.0, "pong");
    assert_eq!(proxy.connections(), 2);
}

#[tokio::test]
async fn a_cut_answer_ends_after_its_bytes_in_good_order_or_with_a_reset() {
    let mut proxy = Proxy::start(ponger().await).await;
    proxy.set(Plan::Cut { of: Of::Answer, after: 3, by: By::Close }).await;
    let (answer, end) = ping(&proxy).await;
    assert_eq!(answer, "pon");
    end.expect("closed in good order");
    proxy.set(Plan::Cut { of: Of::Answer, after: 0, by: By::Reset }).await;
    let (answer, end) = ping(&proxy).await;
    assert_eq!((answer.as_str(), end.unwrap_err().kind()), ("", std::io::ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn a_cut_request_reaches_upstream_only_in_part() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut proxy = Proxy::start(upstream.local_addr().unwrap()).await;
    proxy.set(Plan::Cut { of: Of::Request, after: 2, by: By::Close }).await;
    let (pinged, heard) = tokio::join!(ping(&proxy), async {
        let (mut stream, _) = upstream.accept().await.unwrap();
        let mut heard = String::new();
        stream.read_to_string(&mut heard).await.unwrap();
        heard
    });
    assert_eq!((pinged.0.as_str(), heard.as_str()), ("", "pi"));
}

#[tokio::test]
async fn a_delayed_connection_is_late_but_whole() {
    let mut proxy = Proxy::start(ponger().await).await;
    proxy.set(Plan::Delay(Duration::from_millis(120))).await;
    let begun = std::time::Instant::now();
    assert_eq!(ping(&proxy).await.0, "pong");
    assert!(begun.elapsed() >= Duration::from_millis(120));
}

#[tokio::test]
async fn a_black_hole_takes_a_connection_and_never_answers() {
    let mut proxy = Proxy::start(ponger().await).await;
    proxy.set(Plan::BlackHole).await;
    assert!(tokio::time::timeout(Duration::from_millis(300), ping(&proxy)).await.is_err());
    assert_eq!(proxy.connections(), 1);
}

#[tokio::test]
async fn a_mute_connection_brings_the_request_and_no_answer() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut proxy = Proxy::start(upstream.local_addr().unwrap()).await;
    proxy.set(Plan::Mute).await;
    let (pinged, heard) = tokio::join!(tokio::time::timeout(Duration::from_millis(300), ping(&proxy)), async {
        let (mut stream, _) = upstream.accept().await.unwrap();
        let mut heard = [0; 4];
        stream.read_exact(&mut heard).await.unwrap();
        stream.write_all(b"pong").await.unwrap();
        heard
    });
    assert!(pinged.is_err());
    assert_eq!(&heard, b"ping");
}

#[tokio::test]
async fn the_port_is_closed_while_connections_are_refused_and_open_afterwards() {
    let mut proxy = Proxy::start(ponger().await).await;
    proxy.set(Plan::Refuse).await;
    assert_eq!(ping(&proxy).await.1.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    proxy.set(Plan::Pass).await;
    assert_eq!(ping(&proxy).await.0, "pong");
}

#[tokio::test]
async fn a_script_meets_one_connection_after_the_other_and_ends_those_that_are_open() {
    let mut proxy = Proxy::start(ponger().await).await;
    let mut open = TcpStream::connect(proxy.address).await.unwrap();
    open.write_all(b"ping").await.unwrap();
    open.read_exact(&mut [0; 4]).await.unwrap();
    let cut = Plan::Cut { of: Of::Answer, after: 1, by: By::Close };
    proxy.script(&[Plan::Pass, cut], Plan::Pass).await;
    assert_eq!(open.read(&mut [0; 4]).await.unwrap(), 0, "the pooled connection ends");
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(ping(&proxy).await.0);
    }
    assert_eq!(answers, ["pong", "p", "pong"]);
}
