//! Generic webhooks: news as JSON, posted to an address of another system.
//!
//! The address is a secret and appears in no error; redirects are not followed, so that it is sent nowhere else.

use std::error::Error as _;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use super::other::{Sent, Trouble, fingerprint, shown};
use crate::alert::{ThreadId, Timestamp};
use crate::config::Hook;

/// Version of the body's form; a change that could break a reader makes it 2.
const VERSION: u8 = 1;
/// Timeout for name resolution, connection and TLS together.
const CONNECT: Duration = Duration::from_secs(5);
/// Idle connections are closed before the other side does it, which makes resets rare.
const IDLE: Duration = Duration::from_secs(20);
/// Bytes read of a rejection, of which a line is shown.
const ANSWER_BYTES: usize = 64 << 10;
/// A server that asks for a longer wait than this is asked again after this.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(24);

/// The content of a call.
#[derive(Debug, Clone, Copy)]
pub struct News<'a> {
    /// The short id.
    pub thread: ThreadId,
    /// Number of the message in the outbox.
    pub message: i64,
    /// Number of the part in the message, from 0.
    pub part: u32,
    /// How many parts there are.
    pub parts: u32,
    /// The kind of news, one word of a closed set.
    pub kind: &'a str,
    /// Name of the receiver.
    pub receiver: &'a str,
    /// One line.
    pub title: &'a str,
    /// The whole text, as plain text.
    pub text: &'a str,
    /// The time of writing.
    pub at: Timestamp,
}

/// The JSON of `news`, as docs/configuration.md describes it.
pub fn hook_body(news: &News<'_>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        version: u8,
        id: String,
        message: i64,
        part: u32,
        parts: u32,
        kind: &'a str,
        receiver: &'a str,
        title: &'a str,
        text: &'a str,
        at: String,
    }
    let at = jiff::Timestamp::from_millisecond(news.at.0).map(|at| at.to_string()).unwrap_or_default();
    let &News { message, part, parts, kind, receiver, title, text, .. } = news;
    let id = format!("#{}", news.thread);
    let body = Body { version: VERSION, id, message, part: part + 1, parts, kind, receiver, title, text, at };
    serde_json::to_vec(&body).expect("a body has string keys and finite numbers only")
}

/// One attempt.
#[derive(Debug, Clone, Copy)]
pub struct Try {
    /// Number of the message in the outbox.
    pub message: i64,
    /// Number of the part in the message, from 0.
    pub part: u32,
    /// Number of the attempt, from 1.
    pub attempt: u32,
}

/// A client for all hooks.
#[derive(Debug)]
pub struct Hooks {
    /// Through the proxy of the environment, if there is one.
    far: Client,
    /// To this machine.
    near: Client,
}

impl Hooks {
    /// Fails only if the TLS library cannot start.
    pub fn new() -> Result<Self, reqwest::Error> {
        // reqwest uses the process's provider; `Err` means that one is installed already.
        drop(rustls::crypto::ring::default_provider().install_default());
        let builder = || {
            Client::builder()
                .user_agent(concat!("wegraf/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(CONNECT)
                .pool_idle_timeout(IDLE)
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
        };
        Ok(Self { far: builder().build()?, near: builder().no_proxy().build()? })
    }

    /// Posts `body`, made by [`hook_body`], to `hook`. The header `Idempotency-Key` is the same for the same message
    /// and bytes, so that the receiver can drop duplicates; `Wegraf-Attempt` counts the attempts.
    pub async fn post(&self, hook: &Hook, body: &Bytes, tried: Try, deadline: Duration) -> Sent {
        let url = match url(&hook.url) {
            Ok(url) => url,
            Err(trouble) => return Sent::Later(trouble),
        };
        let secrets = secrets(&url, hook.bearer.as_ref());
        let mut call = self
            .client(&url)
            .post(url)
            .timeout(deadline)
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .header("Idempotency-Key", key(tried, body))
            .header("Wegraf-Attempt", tried.attempt)
            .body(body.clone());
        if let Some(bearer) = &hook.bearer {
            call = call.bearer_auth(bearer.expose_secret());
        }
        match call.send().await {
            Ok(answer) => verdict(answer, &secrets).await,
            Err(error) => lost(&error),
        }
    }

    /// Calls `url`: the heartbeat.
    pub async fn beat(&self, url: &SecretString, deadline: Duration) -> Result<(), Trouble> {
        let url = self::url(url)?;
        let secrets = secrets(&url, None);
        match self.client(&url).get(url).timeout(deadline).send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(refusal(answer, &secrets).await),
            Err(error) => match lost(&error) {
                Sent::Later(trouble) | Sent::Refused(trouble) | Sent::Unsure(trouble) => Err(trouble),
                Sent::Accepted | Sent::AcceptedInPart { .. } => Ok(()),
            },
        }
    }

    fn client(&self, url: &Url) -> &Client {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let near = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if near { &self.near } else { &self.far }
    }
}

fn url(url: &SecretString) -> Result<Url, Trouble> {
    Url::parse(url.expose_secret()).map_err(|_| {
        Trouble::new("hook 的 url 不是地址，请改正配置", "the `url` of the hook is none: correct the configuration")
    })
}

/// Equal only for the same bytes of the same message: another database may use the same numbers.
fn key(tried: Try, body: &[u8]) -> String {
    format!("{}-{}-{}", tried.message, tried.part, fingerprint(body))
}

/// What must not be repeated from an answer: parts of the address that may be credentials, and the token.
fn secrets(url: &Url, bearer: Option<&SecretString>) -> Vec<String> {
    /// Shorter pieces of a path are words, not credentials.
    const LEAST: usize = 6;
    let path = url.path_segments().into_iter().flatten().map(str::to_owned);
    let query = url.query_pairs().map(|(_, value)| value.into_owned());
    let pieces = path.chain(query).chain(url.password().map(str::to_owned)).filter(|piece| piece.len() >= LEAST);
    pieces.chain(bearer.map(|bearer| bearer.expose_secret().to_owned())).collect()
}

async fn verdict(answer: Response, secrets: &[String]) -> Sent {
    let status = answer.status().as_u16();
    if answer.status().is_success() {
        return Sent::Accepted;
    }
    let trouble = refusal(answer, secrets).await;
    match status {
        // Certainly not processed (RFC 9110 §15.5.9, §15.6.4, RFC 8470, RFC 6585); and codes that concern the address
        // or the token, which a person can repair.
        300..=399 | 401 | 403 | 404 | 408 | 425 | 429 | 503 => Sent::Later(trouble),
        400..=499 => Sent::Refused(trouble),
        // It failed at some point after it had received the message.
        _ => Sent::Unsure(trouble),
    }
}

/// Why it was rejected, with a line of the answer.
async fn refusal(mut answer: Response, secrets: &[String]) -> Trouble {
    let status = answer.status().as_u16();
    let header = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = header.and_then(|value| value.trim().parse().ok()).map(Duration::from_secs);
    let mut words = Vec::new();
    // An answer that is cut off or endless is shown up to that point.
    while let Ok(Some(chunk)) = answer.chunk().await {
        let room = ANSWER_BYTES - words.len();
        words.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if words.len() == ANSWER_BYTES {
            break;
        }
    }
    let (zh, en) = match status {
        300..=399 => {
            ("对方要求转到别的地址，wegraf 不跟随，请改正 url", "redirects are not followed: correct the `url`")
        }
        401 | 403 => ("对方不认这个身份，请检查 url 和 bearer", "not allowed: check `url` and `bearer`"),
        404 => ("对方没有这个地址，请检查 url", "there is nothing at this address: check the `url`"),
        429 | 503 => ("对方忙，会再试", "too busy; it is tried again"),
        400..=499 => ("对方拒收", "the message was refused"),
        _ => ("对方出错", "the other side failed"),
    };
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    let trouble = Trouble::new(format!("HTTP {status}：{zh}"), format!("HTTP {status}: {en}"));
    Trouble {
        status: Some(status),
        retry_after: retry_after.map(|after| after.min(LONGEST_RETRY_AFTER)),
        ..trouble.quoting(&shown(&words, &secrets))
    }
}

/// Only a failure to connect is certain to have sent nothing. reqwest's own text contains the address and is not used.
fn lost(error: &reqwest::Error) -> Sent {
    let mut cause = error.source();
    while let Some(next) = cause.and_then(std::error::Error::source) {
        cause = Some(next);
    }
    let words = cause.filter(|cause| !cause.is::<reqwest::Error>()).map(ToString::to_string).unwrap_or_default();
    let words = shown(words.as_bytes(), &[]);
    if error.is_connect() || error.is_builder() {
        return Sent::Later(
            Trouble::new("连不上，请检查 url 和网络", "cannot be reached: check the `url` and the network")
                .quoting(&words),
        );
    }
    if error.is_timeout() {
        return Sent::Unsure(Trouble::new("没有在时限内回答", "there was no answer in time"));
    }
    Sent::Unsure(Trouble::new("连接中断", "the connection broke").quoting(&words))
}

#[cfg(test)]
mod tests;
