//! What the client makes of a network and of answers that no simulator of WeCom gives: cut, late, endless, foreign.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wecom::message::Text;
use wecom::{
    Account, App, Channel, Class, Client, Content, Failure, Fault, Network, NetworkError, Options, Outcome, Receipt,
    SendRequest, Webhook, webhook_send_body,
};

const KEY: &str = "canary/key+693a91f6";
const SECRET: &str = "canary/secret+5f4d";
const OK: &str = r#"{"errcode":0,"errmsg":"ok"}"#;

/// What the server does with one request.
#[derive(Clone)]
enum Answer {
    /// A whole answer, the connection stays open.
    Json(String),
    /// These bytes, then the end.
    Raw(Vec<u8>),
    /// Reads the request and says nothing.
    Hang,
    /// One byte now and then.
    Drip,
    /// A body without end.
    Endless,
    /// Ends the connection with a reset.
    Reset,
}

/// A server that does as it is told, request after request; the last answer is repeated.
struct Server {
    addr: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

#[derive(Clone)]
struct Seen {
    head: String,
    body: Vec<u8>,
}

impl Server {
    async fn start(answers: impl Into<Vec<Answer>>) -> Self {
        let answers = Arc::new(answers.into());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let (log, next) = (Arc::clone(&seen), Arc::new(AtomicUsize::new(0)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&answers), Arc::clone(&log), Arc::clone(&next)));
            }
        });
        Self { addr, seen }
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

async fn serve(mut stream: TcpStream, answers: Arc<Vec<Answer>>, log: Arc<Mutex<Vec<Seen>>>, next: Arc<AtomicUsize>) {
    while let Some(request) = read_request(&mut stream).await {
        log.lock().unwrap().push(request);
        let answer = &answers[next.fetch_add(1, SeqCst).min(answers.len() - 1)];
        match answer {
            Answer::Json(body) => stream.write_all(&ok(body)).await.unwrap(),
            Answer::Raw(bytes) => {
                stream.write_all(bytes).await.unwrap();
                return;
            }
            Answer::Hang => std::future::pending().await,
            Answer::Drip => loop {
                if stream.write_all(b"H").await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            },
            Answer::Endless => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n{").await.unwrap();
                while stream.write_all(&[b' '; 8192]).await.is_ok() {}
                return;
            }
            Answer::Reset => {
                stream.set_zero_linger().unwrap();
                return;
            }
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(|n| n.parse::<usize>().unwrap()))
        .unwrap_or(0);
    while bytes.len() < end + length {
        stream.read_buf(&mut bytes).await.ok()?;
    }
    Some(Seen { head, body: bytes[end..].to_vec() })
}

fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into()
}

fn client(network: Network) -> Client {
    Client::new(Options::new(network, Arc::new(|| 1_700_000_000_000))).unwrap()
}

fn quick(url: String) -> Client {
    client(Network { deadline: Duration::from_millis(300), ..Network::new(url) })
}

fn webhook() -> Account {
    Account::Webhook(Webhook { key: KEY.into() })
}

fn app() -> Account {
    Account::App(App { corp_id: "ww1".into(), agent_id: 1_000_002, secret: SECRET.into() })
}

fn request(channel: Channel) -> SendRequest {
    let content = Content::Text(Text { content: "磁盘已满 #7K2Q".into(), ..Text::default() });
    SendRequest { channel, body: webhook_send_body(&content).into() }
}

/// The failure, after a look that it shows nothing secret.
fn unsure(outcome: &Outcome) -> &Failure {
    let Outcome::Unsure(failure) = outcome else { panic!("{outcome:?}") };
    shows_no_secret(failure)
}

fn not_sent(outcome: &Outcome) -> &Failure {
    let Outcome::NotSent(failure) = outcome else { panic!("{outcome:?}") };
    shows_no_secret(failure)
}

fn shows_no_secret(failure: &Failure) -> &Failure {
    for text in [format!("{failure:?}"), failure.zh(), failure.en(), failure.to_string()] {
        assert!(!text.contains("canary"), "{text}");
    }
    failure
}

#[tokio::test]
async fn the_frozen_bytes_go_out_as_they_are_and_the_key_is_in_the_url_only() {
    let server = Server::start([Answer::Json(OK.into())]).await;
    let request = request(Channel::Webhook);
    assert_eq!(
        client(Network::new(server.url())).send(&webhook(), &request).await,
        Outcome::Accepted(Receipt::default())
    );
    let [seen] = &server.seen()[..] else { panic!() };
    assert!(
        seen.head.starts_with("POST /cgi-bin/webhook/send?key=canary%2Fkey%2B693a91f6 HTTP/1.1\r\n"),
        "{}",
        seen.head
    );
    let head = seen.head.to_lowercase();
    assert!(head.contains(concat!("user-agent: wegraf/", env!("CARGO_PKG_VERSION"), "\r\n")), "{head}");
    assert!(head.contains("content-type: application/json; charset=utf-8\r\n"), "{head}");
    assert_eq!(Bytes::from(seen.body.clone()), request.body);
}

#[tokio::test]
async fn an_answer_that_is_cut_anywhere_is_unsure_and_the_request_is_not_repeated() {
    let whole = ok(OK);
    for cut in 0..whole.len() {
        let server = Server::start([Answer::Raw(whole[..cut].to_vec())]).await;
        let outcome = quick(server.url()).send(&webhook(), &request(Channel::Webhook)).await;
        assert_eq!(unsure(&outcome).class, Class::Transient, "{cut}");
        assert_eq!(server.seen().len(), 1, "{cut}");
    }
    let server = Server::start([Answer::Raw(whole)]).await;
    let outcome = quick(server.url()).send(&webhook(), &request(Channel::Webhook)).await;
    assert!(matches!(outcome, Outcome::Accepted(_)));
}

#[tokio::test]
async fn a_reset_is_unsure_also_on_a_connection_that_was_good_before() {
    let server = Server::start([Answer::Json(OK.into()), Answer::Reset]).await;
    let client = quick(server.url());
    assert!(matches!(client.send(&webhook(), &request(Channel::Webhook)).await, Outcome::Accepted(_)));
    let outcome = client.send(&webhook(), &request(Channel::Webhook)).await;
    assert_eq!(unsure(&outcome).fault, Fault::Broken);
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn silence_and_dripping_end_at_the_deadline_unsure() {
    for answer in [Answer::Hang, Answer::Drip] {
        let server = Server::start([answer]).await;
        let started = Instant::now();
        let outcome = quick(server.url()).send(&webhook(), &request(Channel::Webhook)).await;
        assert_eq!(unsure(&outcome).fault, Fault::Timeout);
        assert!(started.elapsed() < Duration::from_secs(3));
    }
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_the_end() {
    let server = Server::start([Answer::Endless]).await;
    let outcome = client(Network::new(server.url())).send(&webhook(), &request(Channel::Webhook)).await;
    assert_eq!(unsure(&outcome).fault, Fault::TooLong);
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_a_gateways_page_is_shown_in_its_first_words() {
    let redirect = b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n".to_vec();
    let server = Server::start([Answer::Raw(redirect), Answer::Json(OK.into())]).await;
    let outcome = quick(server.url()).send(&webhook(), &request(Channel::Webhook)).await;
    assert_eq!(unsure(&outcome).fault, Fault::Status(302));
    assert_eq!(server.seen().len(), 1);

    let page = format!("<h1>Bad Gateway</h1> for /cgi-bin/webhook/send?key={KEY}");
    let page = format!("HTTP/1.1 502 Bad Gateway\r\nContent-Length: {}\r\n\r\n{page}", page.len());
    let server = Server::start([Answer::Raw(page.into())]).await;
    let outcome = quick(server.url()).send(&webhook(), &request(Channel::Webhook)).await;
    assert_eq!(unsure(&outcome).fault, Fault::Status(502));
    assert_eq!(unsure(&outcome).message.en, "<h1>Bad Gateway</h1> for /cgi-bin/webhook/send?key=***");
}

#[tokio::test]
async fn an_answer_that_is_not_wecoms_json_is_unsure_even_with_status_200() {
    for body in ["", "<html>", "null", r#"{"errcode":"0"}"#, r#"{"errcode":0.0}"#, "[0]", r#"{"errmsg":"ok"}"#] {
        let server = Server::start([Answer::Json(body.into())]).await;
        let outcome = quick(server.url()).send(&webhook(), &request(Channel::Webhook)).await;
        assert_eq!(unsure(&outcome).fault, Fault::NotWeCom, "{body}");
    }
}

#[tokio::test]
async fn without_a_connection_nothing_was_sent() {
    let refused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let outcome = quick(format!("http://{refused}")).send(&webhook(), &request(Channel::Webhook)).await;
    assert_eq!((not_sent(&outcome).fault, not_sent(&outcome).class), (Fault::Connect, Class::Transient));
    assert!(not_sent(&outcome).message.en.contains("refused"), "{outcome:?}");
}

#[tokio::test]
async fn a_host_that_does_not_speak_tls_gets_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let got = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        let mut got = Vec::new();
        // A reset is an end, too.
        drop(stream.read_to_end(&mut got).await);
        got
    });
    let outcome = client(Network::new(format!("https://{addr}"))).send(&webhook(), &request(Channel::Webhook)).await;
    assert_eq!((not_sent(&outcome).fault, not_sent(&outcome).class), (Fault::Tls, Class::Transient));
    assert!(!String::from_utf8_lossy(&got.await.unwrap()).contains("canary"));
}

#[tokio::test]
async fn if_there_is_no_token_the_message_was_not_sent_whatever_became_of_the_call_for_it() {
    let server = Server::start([Answer::Reset]).await;
    let outcome = quick(server.url()).send(&app(), &request(Channel::App)).await;
    assert_eq!((not_sent(&outcome).api.path(), not_sent(&outcome).fault), ("gettoken", Fault::Broken));
    assert!(server.seen()[0].head.starts_with("GET /cgi-bin/gettoken?corpid=ww1&corpsecret=canary%2Fsecret%2B5f4d "));
}

#[tokio::test]
async fn a_stale_token_is_replaced_and_the_same_bytes_go_out_once_more() {
    let token =
        |n: u32| Answer::Json(format!(r#"{{"errcode":0,"access_token":"canary-token-{n}","expires_in":7200}}"#));
    let stale = || Answer::Json(r#"{"errcode":40014,"errmsg":"invalid access_token canary-token-1"}"#.into());
    let server = Server::start([token(1), stale(), token(2), Answer::Json(OK.into())]).await;
    let outcome = quick(server.url()).send(&app(), &request(Channel::Chat)).await;
    assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
    let seen = server.seen();
    assert_eq!(seen.len(), 4);
    assert!(seen[1].head.starts_with("POST /cgi-bin/appchat/send?access_token=canary-token-1 "));
    assert!(seen[3].head.starts_with("POST /cgi-bin/appchat/send?access_token=canary-token-2 "));
    assert_eq!(seen[1].body, seen[3].body);

    let server = Server::start([token(1), stale(), token(2), stale()]).await;
    let outcome = quick(server.url()).send(&app(), &request(Channel::App)).await;
    let Outcome::NotSent(failure) = outcome else { panic!("{outcome:?}") };
    assert_eq!((failure.class, failure.errcode()), (Class::Configuration, Some(40014)));
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn calls_take_the_proxy_that_is_named() {
    let proxy = Server::start([Answer::Json(OK.into())]).await;
    let network = Network { proxy: Some(proxy.url()), ..Network::new("http://wecom.example.com/private") };
    assert!(matches!(client(network).send(&webhook(), &request(Channel::Webhook)).await, Outcome::Accepted(_)));
    assert!(proxy.seen()[0].head.starts_with("POST http://wecom.example.com/private/cgi-bin/webhook/send?key="));
}

#[tokio::test]
async fn a_webhook_cannot_send_for_an_app() {
    let server = Server::start([Answer::Json(OK.into())]).await;
    let outcome = quick(server.url()).send(&webhook(), &request(Channel::App)).await;
    assert_eq!((not_sent(&outcome).fault, not_sent(&outcome).class), (Fault::Invalid, Class::Refused));
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_host_is_reachable_only_if_it_answers_as_wecom_and_it_is_asked_without_a_credential() {
    let server = Server::start([Answer::Json(r#"{"errcode":41001,"errmsg":"access_token missing"}"#.into())]).await;
    assert_eq!(quick(server.url()).reachable().await, Ok(()));
    assert!(
        server.seen()[0].head.starts_with("GET /cgi-bin/get_api_domain_ip? HTTP/1.1\r\n"),
        "{}",
        server.seen()[0].head
    );
    let page = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\n{}".to_vec();
    for (answer, fault) in [
        (Answer::Json("<html>Please log in</html>".into()), Fault::NotWeCom),
        (Answer::Json(r#"{"errcode":"0"}"#.into()), Fault::NotWeCom),
        (Answer::Raw(page), Fault::Status(502)),
        (Answer::Reset, Fault::Broken),
        (Answer::Hang, Fault::Timeout),
    ] {
        let server = Server::start([answer]).await;
        assert_eq!(quick(server.url()).reachable().await.unwrap_err().fault, fault);
    }
    let refused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(quick(format!("http://{refused}")).reachable().await.unwrap_err().fault, Fault::Connect);
}

#[tokio::test]
async fn a_probe_of_a_host_waits_five_seconds_whatever_the_deadline_of_messages() {
    let server = Server::start([Answer::Hang]).await;
    let patient = client(Network { deadline: Duration::from_mins(1), ..Network::new(server.url()) });
    let failure = tokio::time::timeout(Duration::from_secs(20), patient.reachable()).await.unwrap().unwrap_err();
    assert_eq!(failure.fault, Fault::Timeout);
}

#[test]
fn a_way_that_cannot_be_is_refused_at_once_without_showing_the_proxys_password() {
    let refuse = |network| Client::new(Options::new(network, Arc::new(|| 0))).unwrap_err();
    for url in ["", "qyapi.weixin.qq.com", "ftp://host", "https://host?x=1"] {
        assert!(matches!(refuse(Network::new(url)), NetworkError::ApiUrl), "{url}");
    }
    let network = |proxy: Option<&str>, ca_file: Option<&str>| Network {
        proxy: proxy.map(str::to_owned),
        ca_file: ca_file.map(PathBuf::from),
        ..Network::new("https://qyapi.weixin.qq.com")
    };
    let error = refuse(network(Some("http://user:canary@[bad"), None));
    assert!(matches!(error, NetworkError::Proxy) && !format!("{error:?} {error}").contains("canary"));
    assert!(matches!(refuse(network(None, Some("/nonexistent.pem"))), NetworkError::CaFile { .. }));
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    assert!(matches!(refuse(network(None, Some(manifest))), NetworkError::CaEmpty { .. }));
}
