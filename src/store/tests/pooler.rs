//! A pooler before PostgreSQL: each transaction may get another session, and a session may have lost what was prepared
//! in it.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_postgres::config::Host;

use super::postgres::Schema;
use super::*;

/// What the pooler does between two transactions.
#[derive(Debug, Clone, Copy)]
enum Habit {
    /// Hands out another session.
    Swaps,
    /// Hands out the same one, in which nothing is prepared any more.
    Forgets,
}

/// A message of the protocol, with its header.
type Frame = Vec<u8>;

/// A session of the server.
struct Session {
    frames: UnboundedReceiver<Frame>,
    write: OwnedWriteHalf,
}

impl Session {
    async fn open(server: SocketAddr, startup: &[u8]) -> Self {
        let (read, mut write) = TcpStream::connect(server).await.unwrap().into_split();
        write.write_all(startup).await.unwrap();
        Self { frames: frames(read), write }
    }

    /// Passes over what comes until the server is ready.
    async fn ready(&mut self) {
        while self.frames.recv().await.unwrap()[0] != b'Z' {}
    }
}

fn frames(mut read: OwnedReadHalf) -> UnboundedReceiver<Frame> {
    let (frames, received) = unbounded_channel();
    tokio::spawn(async move {
        let mut header = [0; 5];
        while read.read_exact(&mut header).await.is_ok() {
            let length = u32::from_be_bytes(header[1..].try_into().unwrap()) as usize;
            let mut frame = header.to_vec();
            frame.resize(1 + length, 0);
            if read.read_exact(&mut frame[5..]).await.is_err() || frames.send(frame).is_err() {
                break;
            }
        }
    });
    received
}

/// Where the pooler listens.
async fn pooler(server: SocketAddr, habit: Habit) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(relay(client, server, habit));
        }
    });
    address
}

async fn relay(mut client: TcpStream, server: SocketAddr, habit: Habit) {
    let length = client.read_u32().await.unwrap();
    let mut startup = length.to_be_bytes().to_vec();
    startup.resize(length as usize, 0);
    client.read_exact(&mut startup[4..]).await.unwrap();
    let mut sessions = [Session::open(server, &startup).await, Session::open(server, &startup).await];
    sessions[1].ready().await;
    let (read, mut write) = client.into_split();
    let mut requests = frames(read);
    // The answer to the startup is under way.
    let (mut current, mut under_way) = (0, 1);
    loop {
        let session = &mut sessions[current];
        tokio::select! {
            request = requests.recv() => {
                let Some(request) = request else { return };
                under_way += i32::from(matches!(request[0], b'Q' | b'S'));
                session.write.write_all(&request).await.unwrap();
            }
            answer = session.frames.recv() => {
                let Some(answer) = answer else { return };
                let idle = answer[0] == b'Z' && answer[5] == b'I';
                under_way -= i32::from(answer[0] == b'Z');
                if idle && under_way == 0 {
                    match habit {
                        Habit::Swaps => current = 1 - current,
                        Habit::Forgets => {
                            let forget = b"Q\0\0\0\x13DEALLOCATE ALL\0";
                            session.write.write_all(forget).await.unwrap();
                            session.ready().await;
                        }
                    }
                }
                if write.write_all(&answer).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn behind(habit: Habit) {
    let Some(schema) = Schema::make().await else { return };
    let config: tokio_postgres::Config = secrecy::ExposeSecret::expose_secret(&schema.url).parse().unwrap();
    let Host::Tcp(host) = &config.get_hosts()[0] else { return schema.remove().await };
    let server = (host.as_str(), config.get_ports()[0]);
    let server = tokio::net::lookup_host(server).await.unwrap().next().unwrap();
    let pooler = pooler(server, habit).await;
    let store = schema.open_through(pooler).await;
    for minute in 0..30 {
        // Every other alert was told before: what waits is merged.
        let name = format!("A{}", minute % 15);
        let alert = if minute < 15 { firing(&name, 0) } else { resolved(&name, 0, 40) };
        assert_eq!(store.admit(notification(minute, "lane", vec![alert])).await.unwrap().messages, 1);
    }
    let Store::Postgres(db) = &store else { unreachable!("it is in PostgreSQL") };
    assert!(!db.prepares(), "it noticed the pooler");
    assert_eq!(store.audit().await.unwrap(), Audit { pending: 30, ..Audit::default() });
    let rows = store.deliveries(DeliveryFilter { limit: 100, ..DeliveryFilter::default() }).await.unwrap();
    let told: Vec<_> = rows.iter().rev().map(|row| (row.state, row.firing, row.resolved)).collect();
    assert_eq!(told[..15], [(State::Folded, 0, 0); 15]);
    assert_eq!(told[15..], [(State::Queued, 1, 1); 15]);
    store.close().await.unwrap();
    schema.remove().await;
}

#[tokio::test]
async fn admissions_go_on_behind_a_pooler_that_hands_out_other_sessions() {
    behind(Habit::Swaps).await;
}

#[tokio::test]
async fn admissions_go_on_where_what_was_prepared_is_gone() {
    behind(Habit::Forgets).await;
}
