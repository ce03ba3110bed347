//! The smallest HTTP client: one request on a connection of its own, with a deadline.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A complete answer.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The status line and the headers.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Answer {
    /// Was the request accepted?
    pub const fn is_2xx(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let same = |line: &&str| line.split(':').next().is_some_and(|it| it.trim().eq_ignore_ascii_case(name));
        self.head.lines().find(same)?.split_once(':').map(|(_, value)| value.trim())
    }
}

/// Sends `body` as JSON and returns the answer; an error if it is not complete within `deadline`.
pub async fn send(to: SocketAddr, method: &str, path: &str, body: &str, deadline: Duration) -> anyhow::Result<Answer> {
    tokio::time::timeout(deadline, exchange(to, method, path, body)).await.context("no answer in time")?
}

/// A GET with a deadline of 10 s; an error unless it is answered 2xx.
pub async fn get(to: SocketAddr, path: &str) -> anyhow::Result<String> {
    control(to, "GET", path, "").await
}

/// Any request with a deadline of 10 s that must be answered 2xx; returns the body of the answer.
pub async fn control(to: SocketAddr, method: &str, path: &str, body: &str) -> anyhow::Result<String> {
    let answer = send(to, method, path, body, Duration::from_secs(10)).await?;
    if !answer.is_2xx() {
        bail!("{method} {path}: {} {}", answer.status, answer.body);
    }
    Ok(answer.body)
}

async fn exchange(to: SocketAddr, method: &str, path: &str, body: &str) -> anyhow::Result<Answer> {
    let mut stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {to}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    parse(&String::from_utf8_lossy(&bytes))
}

/// Parses an answer; one shorter than announced is an error, so that a truncated answer does not count.
fn parse(text: &str) -> anyhow::Result<Answer> {
    let (head, body) = text.split_once("\r\n\r\n").context("the answer broke off")?;
    let status = head.split(' ').nth(1).context("not HTTP")?.parse()?;
    let mut answer = Answer { status, head: head.to_owned(), body: body.to_owned() };
    if let Some(length) = answer.header("content-length") {
        if body.len() < length.parse::<usize>()? {
            bail!("the answer broke off");
        }
    } else if answer.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        answer.body = unchunk(body)?;
    }
    Ok(answer)
}

fn unchunk(mut rest: &str) -> anyhow::Result<String> {
    let mut whole = String::new();
    loop {
        let (size, after) = rest.split_once("\r\n").context("the answer broke off")?;
        let size = usize::from_str_radix(size.trim(), 16)?;
        if size == 0 {
            return Ok(whole);
        }
        whole.push_str(after.get(..size).context("the answer broke off")?);
        rest = after.get(size + 2..).context("the answer broke off")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_shorter_than_it_says_is_an_error() {
        assert!(parse("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nshor").is_err());
        assert_eq!(parse("HTTP/1.1 503 Busy\r\nRetry-After: 5\r\nContent-Length: 2\r\n\r\nno").unwrap().status, 503);
    }

    #[test]
    fn chunks_are_joined() {
        let answer = parse("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
        assert_eq!(answer.unwrap().body, "abcde");
    }
}
