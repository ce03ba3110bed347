//! Foreign servers at WeCom's address.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::ear::is_whole;
use super::fault::Place;

/// Part of a request for a token. The token is given, so that the send itself meets the stranger.
const TOKEN: &[u8] = b"/cgi-bin/gettoken";
/// Bytes of the endless answer.
const ENDLESS: usize = 100 << 20;

/// A running server; it ends when this is dropped.
pub struct Stranger {
    /// Its address, without a slash at the end.
    pub url: String,
    /// The authority that must be trusted for its certificate to be checked further, in PEM.
    pub authority: Option<String>,
    _tasks: JoinSet<()>,
}

impl Stranger {
    /// Starts it.
    pub async fn start(place: Place) -> Self {
        if place == Place::NoName {
            let url = "http://no-such-host.wegraf.invalid".to_owned();
            return Self { url, authority: None, _tasks: JoinSet::new() };
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let tls = match place {
            Place::Untrusted | Place::OtherHost | Place::Expired => Some(certificate(place)),
            Place::NoName | Place::Endless | Place::Dribble | Place::OtherWords => None,
        };
        let authority = tls.as_ref().and_then(|(_, pem)| (place != Place::Untrusted).then(|| pem.clone()));
        let scheme = if tls.is_some() { "https" } else { "http" };
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let acceptor = tls.as_ref().map(|(acceptor, _)| acceptor.clone());
                connections.spawn(async move {
                    match acceptor {
                        // A client that does not trust the certificate hangs up.
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                answer(place, stream).await;
                            }
                        }
                        None => answer(place, stream).await,
                    }
                });
            }
        });
        Self { url: format!("{scheme}://localhost:{port}"), authority, _tasks: tasks }
    }
}

fn certificate(place: Place) -> (TlsAcceptor, String) {
    let host = if place == Place::OtherHost { "elsewhere.example.com" } else { "localhost" };
    let mut parameters = rcgen::CertificateParams::new([host.to_owned()]).unwrap();
    if place == Place::Expired {
        parameters.not_before = rcgen::date_time_ymd(2019, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2020, 1, 1);
    }
    let key = rcgen::KeyPair::generate().unwrap();
    let made = parameters.self_signed(&key).unwrap();
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.der().clone()], der).unwrap();
    (TlsAcceptor::from(Arc::new(config)), made.pem())
}

/// A request, head and body. An answer while bytes of the request are unread ends in a reset, which the client may see
/// before the answer.
async fn whole(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut request = Vec::new();
    while !is_whole(&request) && stream.read_buf(&mut request).await.unwrap_or(0) > 0 {}
    request
}

/// Reads a request and answers as its place does. Either side ends it by hanging up.
async fn answer(place: Place, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let request = whole(&mut stream).await;
    let head = |length: usize| {
        format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n")
    };
    let say = |body: &[u8]| [head(body.len()).as_bytes(), body].concat();
    if request.windows(TOKEN.len()).any(|window| window == TOKEN) {
        stream.write_all(&say(br#"{"errcode":0,"errmsg":"ok","access_token":"strange","expires_in":7200}"#)).await.ok();
        return;
    }
    if place == Place::OtherWords {
        // 系统繁忙 in GBK.
        stream.write_all(&say(b"{\"errcode\":-1,\"errmsg\":\"\xcf\xb5\xcd\xb3\xb7\xb1\xc3\xa6\"}")).await.ok();
        return;
    }
    let begin = r#"{"errcode":0,"errmsg":""#;
    let length = if place == Place::Dribble { 1_000 } else { ENDLESS };
    let mut written = stream.write_all(format!("{}{begin}", head(length)).as_bytes()).await;
    let (piece, pause) = match place {
        Place::Dribble => (1, Duration::from_secs(1)),
        _ => (64 << 10, Duration::ZERO),
    };
    let mut left = length - begin.len();
    while written.is_ok() && left > 0 {
        let size = piece.min(left);
        written = stream.write_all(&vec![b'a'; size]).await;
        left -= size;
        tokio::time::sleep(pause).await;
    }
}
