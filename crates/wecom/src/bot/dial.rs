//! Opens the socket, with the same proxies and trust roots as every other call.

use std::io;

use bytes::Bytes;
use reqwest::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use reqwest::{StatusCode, Upgraded, Url};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::frame::FRAME_BYTES;
use crate::errcode::Class;
use crate::http::{Lost, connector, lost};
use crate::outcome::{Failure, Fault, Secrets};
use crate::{Api, Network, NetworkError};

/// A frame longer than [`FRAME_BYTES`] is skipped; one longer than this ends the connection.
const MESSAGE_BYTES: usize = 4 * FRAME_BYTES;

/// The address of the socket, and how to reach it.
pub(super) struct Dialer {
    client: reqwest::Client,
    url: Url,
    deadline: std::time::Duration,
}

impl Dialer {
    /// Reads the extra certificates; nothing is sent.
    pub(super) fn new(network: &Network, url: &str) -> Result<Self, NetworkError> {
        let url = http_url(url).ok_or(NetworkError::BotUrl)?;
        Ok(Self { client: connector(network, &url)?, url, deadline: network.deadline })
    }

    /// A fresh socket.
    pub(super) async fn dial(&self) -> Result<WebSocketStream<Upgraded>, Failure> {
        let failure =
            |lost: Lost| Failure { fault: unopened(lost.fault), ..no_socket(&String::from_utf8_lossy(&lost.detail)) };
        let late =
            || Lost { fault: Fault::Connect, sent: false, detail: Bytes::from_static(b"the handshake took too long") };
        let upgraded = timeout(self.deadline, self.upgrade()).await.unwrap_or_else(|_| Err(late())).map_err(failure)?;
        let config =
            WebSocketConfig::default().max_message_size(Some(MESSAGE_BYTES)).max_frame_size(Some(MESSAGE_BYTES));
        Ok(WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(config)).await)
    }

    /// The handshake of RFC 6455.
    async fn upgrade(&self) -> Result<Upgraded, Lost> {
        let key = generate_key();
        let request = self
            .client
            .get(self.url.clone())
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_KEY, &key);
        let answer = request.send().await.map_err(|error| lost(&error))?;
        let refused = |words: String| Lost { fault: Fault::Connect, sent: false, detail: words.into() };
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(refused(format!("HTTP {} instead of a WebSocket", answer.status().as_u16())));
        }
        let accept = answer.headers().get(SEC_WEBSOCKET_ACCEPT);
        if accept.is_none_or(|accept| accept.as_bytes() != derive_accept_key(key.as_bytes()).as_bytes()) {
            return Err(refused("what answered is no WebSocket".to_owned()));
        }
        answer.upgrade().await.map_err(|error| lost(&error))
    }
}

/// The `http` or `https` URL that corresponds to `ws` or `wss`.
fn http_url(text: &str) -> Option<Url> {
    let (scheme, rest) = text.split_once("://")?;
    let scheme = match scheme {
        "wss" => "https",
        "ws" => "http",
        _ => return None,
    };
    let url = Url::parse(&format!("{scheme}://{rest}")).ok()?;
    (url.has_host() && url.username().is_empty() && url.fragment().is_none()).then_some(url)
}

/// Before the socket is open nothing of ours was sent: only the reason matters.
const fn unopened(fault: Fault) -> Fault {
    match fault {
        Fault::Dns | Fault::Tls => fault,
        _ => Fault::Connect,
    }
}

/// There is no socket; `words` give the reason.
pub(super) fn no_socket(words: &str) -> Failure {
    Failure::new(Api::BotSubscribe, Class::Transient, Fault::Connect, Secrets::default().redact(words))
}

/// The text of a socket's error, which contains no secret.
pub(super) fn words(error: &tokio_tungstenite::tungstenite::Error) -> String {
    use tokio_tungstenite::tungstenite::Error;
    match error {
        Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => "the connection ended".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_sockets_are_taken() {
        let shown = |text| http_url(text).map(|url| url.to_string());
        assert_eq!(shown("wss://openws.work.weixin.qq.com").as_deref(), Some("https://openws.work.weixin.qq.com/"));
        assert_eq!(shown("ws://127.0.0.1:8080/aibot").as_deref(), Some("http://127.0.0.1:8080/aibot"));
        for text in ["", "https://openws.work.weixin.qq.com", "wss://", "wss:host", "wss://u@host", "wss://host/#a"] {
            assert_eq!(shown(text), None, "{text}");
        }
    }
}
