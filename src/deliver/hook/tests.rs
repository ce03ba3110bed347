//! The requests that a hook gets, and what its answers mean, over real sockets.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

const PATIENCE: Duration = Duration::from_secs(10);
/// Timeout for answers that never come.
const IMPATIENCE: Duration = Duration::from_millis(300);
const FIRST: Try = Try { message: 12, part: 0, attempt: 1 };

const NEWS: News<'_> = News {
    thread: ThreadId(41),
    message: 12,
    part: 0,
    parts: 1,
    kind: "alerts",
    receiver: "backup",
    title: "🔴 磁盘将满",
    text: "🔴 磁盘将满\n\"db-1\" 96%",
    at: Timestamp(1_789_193_640_000),
};

#[test]
fn the_body_is_this_json() {
    let body: Value = serde_json::from_slice(&hook_body(&NEWS)).unwrap();
    let expected = json!({
        "version": 1,
        "id": "#PSVJ",
        "message": 12,
        "part": 1,
        "parts": 1,
        "kind": "alerts",
        "receiver": "backup",
        "title": "🔴 磁盘将满",
        "text": "🔴 磁盘将满\n\"db-1\" 96%",
        "at": "2026-09-12T06:14:00Z",
    });
    assert_eq!(body, expected);
    assert_eq!(hook_body(&NEWS), hook_body(&NEWS));
}

/// The server's reaction to a complete request.
#[derive(Clone, Copy)]
enum Act {
    Say(&'static str),
    Hang,
    Cut,
}

/// A hook on this machine, with the requests it got.
struct Server {
    hook: Hook,
    heard: Arc<Mutex<Vec<String>>>,
}

/// A server that reacts the same to each request.
async fn server(act: Act) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/canary-path?token=canary-query", listener.local_addr().unwrap());
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let notes = Arc::clone(&heard);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !whole(&request) {
                assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0, "the request broke off");
            }
            notes.lock().unwrap().push(String::from_utf8(request).unwrap());
            match act {
                // The answer may be longer than the client wants to read.
                Act::Say(answer) => drop(stream.write_all(answer.as_bytes()).await),
                Act::Hang => std::future::pending().await,
                Act::Cut => {}
            }
        }
    });
    Server { hook: Hook { url: url.into(), bearer: Some("canary-bearer".into()) }, heard }
}

fn whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, _)) = text.split_once("\r\n\r\n") else { return false };
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |text| text.parse().unwrap());
    request.len() >= head.len() + 4 + length
}

async fn post(server: &Server, patience: Duration) -> Sent {
    let body = Bytes::from(hook_body(&NEWS));
    Hooks::new().unwrap().post(&server.hook, &body, FIRST, patience).await
}

#[tokio::test]
async fn news_arrive_with_a_token_and_a_key_that_tells_copies() {
    let server = server(Act::Say("HTTP/1.1 204 No Content\r\n\r\n")).await;
    let hooks = Hooks::new().unwrap();
    let (body, other) = (Bytes::from(hook_body(&NEWS)), Bytes::from_static(b"{}"));
    for (body, attempt) in [(&body, 1), (&body, 2), (&other, 1)] {
        assert_eq!(hooks.post(&server.hook, body, Try { attempt, ..FIRST }, PATIENCE).await, Sent::Accepted);
    }
    let heard = server.heard.lock().unwrap().clone();
    let header = |request: &str, name: &str| {
        let line = request.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_else(|| panic!("{name}: {request}")).to_owned()
    };
    assert!(heard[0].starts_with("POST /canary-path?token=canary-query HTTP/1.1\r\n"), "{}", heard[0]);
    assert!(heard[0].ends_with(str::from_utf8(&body).unwrap()));
    assert_eq!(header(&heard[0], "authorization"), "Bearer canary-bearer");
    assert_eq!(header(&heard[0], "content-type"), "application/json; charset=utf-8");
    let keys: Vec<String> = heard.iter().map(|request| header(request, "idempotency-key")).collect();
    assert!(keys[0].starts_with("12-0-"), "{keys:?}");
    assert_eq!(keys[0], keys[1]);
    assert_ne!(keys[0], keys[2], "the same number in another database is another message");
    assert_eq!(header(&heard[1], "wegraf-attempt"), "2");
}

#[tokio::test]
async fn each_answer_says_whether_to_try_again() {
    type Verdict<'a> = &'a dyn Fn(&Sent) -> bool;
    let later = |sent: &Sent| matches!(sent, Sent::Later(_));
    let refused = |sent: &Sent| matches!(sent, Sent::Refused(_));
    let unsure = |sent: &Sent| matches!(sent, Sent::Unsure(_));
    let cases: [(&[u16], Verdict<'_>); 4] = [
        (&[200, 201, 202, 204], &|sent| *sent == Sent::Accepted),
        (&[301, 302, 307, 401, 403, 404, 408, 425, 429, 503], &later),
        (&[400, 405, 410, 413, 415, 422], &refused),
        (&[500, 502, 504], &unsure),
    ];
    for (statuses, fits) in cases {
        for status in statuses {
            let answer =
                format!("HTTP/1.1 {status} x\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 3\r\n\r\nwhy");
            let server = server(Act::Say(answer.leak())).await;
            let sent = post(&server, PATIENCE).await;
            assert!(fits(&sent), "{status}: {sent:?}");
            assert_eq!(server.heard.lock().unwrap().len(), 1, "{status}: no redirect is followed, nothing is retried");
            if let Sent::Later(trouble) | Sent::Refused(trouble) | Sent::Unsure(trouble) = sent {
                assert_eq!(trouble.status, Some(*status));
                assert!(trouble.what.en.contains("why") && trouble.what.zh.contains("why"), "{trouble:?}");
            }
        }
    }
}

#[tokio::test]
async fn retry_after_of_a_hook_is_respected_up_to_a_day() {
    for (asked, expected) in [("30", Some(30)), ("9999999999", Some(24 * 3600)), ("soon", None)] {
        let answer = format!("HTTP/1.1 429 x\r\nRetry-After: {asked}\r\nContent-Length: 0\r\n\r\n");
        let Sent::Later(trouble) = post(&server(Act::Say(answer.leak())).await, PATIENCE).await else {
            panic!("later")
        };
        assert_eq!(trouble.retry_after, expected.map(Duration::from_secs), "{asked}");
    }
}

#[tokio::test]
async fn a_silent_or_closed_hook_is_unsure() {
    assert!(matches!(post(&server(Act::Hang).await, IMPATIENCE).await, Sent::Unsure(_)));
    assert!(matches!(post(&server(Act::Cut).await, PATIENCE).await, Sent::Unsure(_)));
    let half = "HTTP/1.1 400 x\r\nContent-Length: 900\r\n\r\nhalf of it";
    let sent = post(&server(Act::Say(half)).await, PATIENCE).await;
    assert!(matches!(&sent, Sent::Refused(trouble) if trouble.what.en.contains("half of it")), "{sent:?}");
}

#[tokio::test]
async fn a_refused_connection_is_a_reason_to_wait() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let hook = Hook { url: format!("http://127.0.0.1:{port}/canary-path").into(), bearer: None };
    let sent = Hooks::new().unwrap().post(&hook, &Bytes::from_static(b"{}"), FIRST, PATIENCE).await;
    assert!(matches!(sent, Sent::Later(_)), "{sent:?}");
    assert!(!format!("{sent:?}").contains("canary"), "{sent:?}");
}

#[tokio::test]
async fn no_verdict_repeats_the_address_or_the_token() {
    let echoes = [
        "HTTP/1.1 400 x\r\nContent-Length: 27\r\n\r\nno: canary-bearer is wrong.",
        "HTTP/1.1 500 x\r\nContent-Length: 22\r\n\r\nno: token=canary-query",
        "HTTP/1.1 404 x\r\nContent-Length: 24\r\n\r\nPOST /canary-path: none.",
    ];
    for act in echoes.map(Act::Say).into_iter().chain([Act::Cut, Act::Hang]) {
        let sent = post(&server(act).await, Duration::from_secs(1)).await;
        assert!(!format!("{sent:?}").contains("canary"), "{sent:?}");
    }
    let hook = Hook { url: "canary is no address".into(), bearer: None };
    let sent = Hooks::new().unwrap().post(&hook, &Bytes::new(), FIRST, PATIENCE).await;
    assert!(matches!(&sent, Sent::Later(_)) && !format!("{sent:?} {hook:?}").contains("canary"), "{sent:?}");
}

#[tokio::test]
async fn an_endless_answer_is_read_up_to_a_limit() {
    let answer = format!("HTTP/1.1 400 x\r\n\r\n{}", "x".repeat(1 << 20));
    let begun = std::time::Instant::now();
    let sent = post(&server(Act::Say(answer.leak())).await, PATIENCE).await;
    assert!(matches!(&sent, Sent::Refused(trouble) if trouble.what.en.len() < 400), "{sent:?}");
    assert!(begun.elapsed() < PATIENCE);
}

#[tokio::test]
async fn a_heartbeat_succeeds_or_gives_the_reason() {
    let good = server(Act::Say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")).await;
    let hooks = Hooks::new().unwrap();
    assert_eq!(hooks.beat(&good.hook.url, PATIENCE).await, Ok(()));
    assert!(good.heard.lock().unwrap()[0].starts_with("GET /canary-path?token=canary-query "));
    let bad = server(Act::Say("HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")).await;
    let trouble = hooks.beat(&bad.hook.url, PATIENCE).await.unwrap_err();
    assert_eq!(trouble.status, Some(410));
    let silent = hooks.beat(&server(Act::Hang).await.hook.url, IMPATIENCE).await.unwrap_err();
    assert!(!format!("{silent:?}").contains("canary"));
}
