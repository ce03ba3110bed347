//! The way to the socket: proxies, certificates of one's own, and what is no WebSocket.

use std::sync::Arc;
use std::time::Duration;

use rcgen::generate_simple_self_signed;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use wecom::{Bot, BotState, Fault, Network, NetworkError, Outcome};

use super::server::{Bench, Peer, QUICK, Server};
use super::{body, soon};

/// A certificate for `host`: what a server needs, and what its clients must trust.
fn certificate(host: &str) -> (TlsAcceptor, String) {
    let made = generate_simple_self_signed([host.to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}

/// Plays a proxy for one tunnel to `to`, whatever is asked for; gives what was asked.
async fn tunnel(proxy: &Server, to: std::net::SocketAddr) -> String {
    let mut inner = proxy.tcp().await;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(inner.read_u8().await.unwrap());
    }
    inner.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
    let mut outer = TcpStream::connect(to).await.unwrap();
    tokio::spawn(async move { copy_bidirectional(&mut inner, &mut outer).await });
    String::from_utf8(head).unwrap()
}

#[tokio::test]
async fn it_goes_through_the_proxy_and_trusts_the_certificate_it_was_given() {
    let (server, proxy) = (Server::start().await, Server::start().await);
    let (acceptor, pem) = certificate("openws.example.com");
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, pem).unwrap();
    let network = Network {
        proxy: Some(format!("http://user:canary@{}", proxy.addr())),
        ca_file: Some(ca_file),
        ..Network::new("http://unused.example.com")
    };
    let bench = Bench::open("wss://openws.example.com/path".into(), network, QUICK, 1);
    let head = tunnel(&proxy, server.addr()).await;
    assert!(head.starts_with("CONNECT openws.example.com:443 HTTP/1.1\r\n"), "{head}");
    assert!(head.to_lowercase().contains("proxy-authorization: basic "), "{head}");
    let stream = acceptor.accept(server.tcp().await).await.unwrap();
    let mut peer = Peer::new(stream).await;
    peer.accept_bot().await;
    let (outcome, ()) = tokio::join!(bench.bot.send(body("x"), soon()), async {
        let frame = peer.frame().await;
        peer.ok(&frame).await;
    });
    assert!(matches!(outcome, Outcome::Accepted(_)));
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_not_trusted() {
    let server = Server::start().await;
    let (acceptor, _) = certificate("localhost");
    let url = format!("wss://localhost:{}", server.addr().port());
    let bench = Bench::open(url, Network::new("http://unused.example.com"), QUICK, 1);
    assert!(acceptor.accept(server.tcp().await).await.is_err(), "nothing is said to it");
    let BotState::Lost(failure) = bench.until(|state| matches!(state, BotState::Lost(_))).await else { panic!() };
    assert_eq!(failure.fault, Fault::Tls);
}

#[tokio::test]
async fn a_peer_that_is_no_websocket_is_reported_and_retried() {
    let server = Server::start().await;
    let bench = Bench::new(&server);
    let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
    let answers = [
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".to_owned(), "HTTP 403"),
        (format!("{switch}\r\n"), "no WebSocket"),
        (format!("{switch}Sec-WebSocket-Accept: c29tZXRoaW5nIGVsc2U=\r\n\r\n"), "no WebSocket"),
        ("SSH-2.0-OpenSSH_9.2\r\n".to_owned(), ""),
        (String::new(), ""),
    ];
    let mut state = bench.bot.state();
    for (answer, words) in answers {
        let mut stream = server.tcp().await;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        assert!(head.starts_with("get / http/1.1\r\n") && head.contains("upgrade: websocket\r\n"), "{head}");
        stream.write_all(answer.as_bytes()).await.unwrap();
        drop(stream);
        let lost =
            state.wait_for(|state| matches!(state, BotState::Lost(failure) if failure.message.en.contains(words)));
        let lost = tokio::time::timeout(Duration::from_secs(5), lost).await.expect(words).unwrap().clone();
        assert!(matches!(lost, BotState::Lost(failure) if failure.fault == Fault::Connect));
        state.mark_unchanged();
    }
    let _peer = server.subscribed().await;
    bench.live().await;
}

#[test]
fn an_address_that_is_none_is_refused_at_once() {
    let options = |url: &str| wecom::BotOptions {
        network: Network::new("http://unused.example.com"),
        url: url.into(),
        bot_id: "bot1".into(),
        secret: "canary".into(),
        now: Arc::new(|| 0),
        pace: QUICK,
    };
    assert!(!format!("{:?}", options("wss://host")).contains("canary"));
    for url in ["", "host", "https://host", "wss://"] {
        let opened =
            Bot::open(options(url), tokio::sync::mpsc::channel(1).0, tokio_util::sync::CancellationToken::new());
        assert!(matches!(opened.err(), Some(NetworkError::BotUrl)), "{url}");
    }
}
