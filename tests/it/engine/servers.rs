//! Other servers than WeCom: a mail server that accepts everything, and an HTTP server that always answers 200.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Uri};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// An accepted call.
#[derive(Debug)]
pub struct Call {
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: Bytes,
}

/// The address of an HTTP server, and what it gets.
pub async fn http() -> (String, UnboundedReceiver<Call>) {
    let (told, calls) = unbounded_channel();
    let answer = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| async move {
        let header = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let headers = headers.iter().map(header).collect();
        // The receiver is gone once the test is over.
        let _ = told.send(Call { method: method.to_string(), path: uri.path().to_owned(), headers, body });
        "ok"
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
    (url, calls)
}

/// The port of a mail server, and the mails it gets: the commands before the content, then the content.
pub async fn mail() -> (u16, UnboundedReceiver<String>) {
    let (told, mails) = unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(dialogue(stream, told.clone()));
        }
    });
    (port, mails)
}

/// One dialogue by RFC 5321.
async fn dialogue(stream: TcpStream, told: UnboundedSender<String>) -> std::io::Result<()> {
    let (reading, mut writing) = stream.into_split();
    let mut lines = BufReader::new(reading).lines();
    let mut mail = String::new();
    writing.write_all(b"220 test\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        mail.push_str(&line);
        mail.push_str("\r\n");
        if line == "DATA" {
            writing.write_all(b"354 go on\r\n").await?;
            while let Some(line) = lines.next_line().await? {
                if line == "." {
                    break;
                }
                mail.push_str(&line);
                mail.push_str("\r\n");
            }
            let _ = told.send(std::mem::take(&mut mail));
        }
        let answer = if line.starts_with("EHLO") { "250-test\r\n250 8BITMIME\r\n" } else { "250 ok\r\n" };
        writing.write_all(answer.as_bytes()).await?;
        if line == "QUIT" {
            break;
        }
    }
    Ok(())
}
