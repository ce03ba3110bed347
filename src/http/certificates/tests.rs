//! A server with TLS plays the vendor; its own certificate is made here.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::*;

/// A certificate with an RSA key, as vendors sign with.
const PEM: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/vendor.pem"));
const NOW: Timestamp = Timestamp(1_795_996_800_000);

/// The vendor: where it is, and how often it was asked.
struct Vendor {
    at: SocketAddr,
    asked: Arc<AtomicUsize>,
    /// Its own certificate, which is no RSA one.
    own: String,
}

impl Vendor {
    async fn start() -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let tls = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key);
        let acceptor = TlsAcceptor::from(Arc::new(tls.unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let vendor = Self { at: listener.local_addr().unwrap(), asked: Arc::default(), own: made.cert.pem() };
        let (asked, own) = (vendor.asked.clone(), vendor.own.clone());
        tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                // Clients that do not trust it end the handshake.
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else { break };
                    head.push(byte);
                }
                asked.fetch_add(1, Ordering::SeqCst);
                let head = String::from_utf8_lossy(&head).into_owned();
                let (status, body) = match head.split(' ').nth(1).unwrap_or_default() {
                    "/good.pem" => ("200 OK", PEM.to_owned()),
                    "/long.pem" => ("200 OK", format!("{PEM}{}", "x".repeat(BYTES))),
                    "/own.pem" => ("200 OK", own.clone()),
                    "/text.pem" => ("200 OK", "no certificate".to_owned()),
                    "/moved.pem" => ("302 Found\r\nLocation: /good.pem", String::new()),
                    _ => ("404 Not Found", String::new()),
                };
                let answer =
                    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                stream.write_all(answer.as_bytes()).await.ok();
                stream.shutdown().await.ok();
            }
        });
        vendor
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.at.port())
    }

    /// One that trusts this vendor.
    fn vault(&self) -> Vault {
        let trusted = reqwest::Certificate::from_pem(self.own.as_bytes()).unwrap();
        Vault::with(reqwest::Client::builder().no_proxy().resolve("localhost", self.at).tls_certs_only([trusted]))
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_certificate_is_fetched_once_a_day() {
    let vendor = Vendor::start().await;
    let (vault, url) = (vendor.vault(), vendor.url("/good.pem"));
    assert!(vault.all(NOW).is_empty());
    assert_eq!(tokio::join!(vault.fetch(&url, NOW), vault.fetch(&url, NOW)), (true, true));
    assert_eq!(vendor.asked(), 1, "one fetch serves all that wait for the certificate");
    let later = NOW.plus_millis(KEPT_MS - 1);
    assert!(vault.fetch(&url, later).await && vault.all(later).contains_key(&url));
    assert_eq!(vendor.asked(), 1);
    let next_day = NOW.plus_millis(KEPT_MS);
    assert!(vault.all(next_day).is_empty(), "it is not used longer");
    assert!(vault.fetch(&url, next_day).await);
    assert_eq!(vendor.asked(), 2);
}

#[tokio::test]
async fn what_is_no_certificate_of_the_vendor_is_not_asked_for_again_at_once() {
    let vendor = Vendor::start().await;
    let vault = vendor.vault();
    for path in ["/missing.pem", "/moved.pem", "/long.pem", "/own.pem", "/text.pem"] {
        let (url, before) = (vendor.url(path), vendor.asked());
        assert!(!vault.fetch(&url, NOW).await, "{path}");
        assert!(!vault.fetch(&url, NOW.plus_millis(SHUNNED_MS - 1)).await, "{path}");
        assert_eq!(vendor.asked(), before + 1, "{path}: a redirect is not followed, a failure is remembered");
        assert!(!vault.fetch(&url, NOW.plus_millis(SHUNNED_MS)).await, "{path}");
        assert_eq!(vendor.asked(), before + 2, "{path}");
    }
    assert!(vault.all(NOW).is_empty());
}

#[tokio::test]
async fn only_a_trusted_host_is_asked_and_only_over_https() {
    let vendor = Vendor::start().await;
    let url = vendor.url("/good.pem");
    assert!(!vendor.vault().fetch(&url.replacen("https:", "http:", 1), NOW).await);
    let stranger = Vault::with(reqwest::Client::builder().no_proxy().resolve("localhost", vendor.at));
    assert!(!stranger.fetch(&url, NOW).await, "no trusted authority signed its certificate");
    assert_eq!(vendor.asked(), 0);
}

#[tokio::test]
async fn strangers_cannot_make_it_remember_without_end() {
    let vendor = Vendor::start().await;
    let vault = Vault { client: None, ..vendor.vault() };
    for number in 0..KNOWN + 10 {
        assert!(!vault.fetch(&vendor.url(&format!("/{number}.pem")), NOW).await);
    }
    assert_eq!(vault.known.lock().unwrap().len(), KNOWN);
}
