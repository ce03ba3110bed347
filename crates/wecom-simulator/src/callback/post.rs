//! One HTTP call to an app's server, with a deadline over the whole exchange.

use std::time::Duration;

use axum::http::{Request, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The most bytes of an answer: a passive reply is at most a card.
const MAX_ANSWER: usize = 1024 * 1024;

/// The response of the app's server.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

/// Calls `url` with `query` appended to its own query, on a new connection each time.
pub(super) async fn call(
    method: &str,
    url: &str,
    query: &[(&str, String)],
    body: Bytes,
    deadline: Duration,
) -> Result<Answered, String> {
    let query: Vec<_> = query.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
    let url = format!("{url}{}{}", if url.contains('?') { '&' } else { '?' }, query.join("&"));
    match tokio::time::timeout(deadline, exchange(method, &url, body)).await {
        Ok(answered) => answered,
        Err(_) => Err(format!("no answer within {} ms", deadline.as_millis())),
    }
}

async fn exchange(method: &str, url: &str, body: Bytes) -> Result<Answered, String> {
    let uri: Uri = url.parse().map_err(|error| format!("the callback url: {error}"))?;
    let host = uri.authority().filter(|_| uri.scheme_str() == Some("http"));
    let host = host.ok_or("the callback url should begin with http://")?.clone();
    let stream = TcpStream::connect((host.host().trim_matches(['[', ']']), host.port_u16().unwrap_or(80))).await;
    let stream = stream.map_err(|error| format!("cannot connect: {error}"))?;
    let _ = stream.set_nodelay(true);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let request = Request::builder()
        .method(method)
        .uri(uri.path_and_query().map_or("/", |target| target.as_str()))
        .header(header::HOST, host.as_str())
        .header(header::CONNECTION, "close")
        .header(header::USER_AGENT, "Mozilla/4.0")
        .header(header::CONTENT_TYPE, "text/xml")
        .body(Full::new(body))
        .map_err(|error| error.to_string())?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|error| format!("no answer: {error}"))?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        Ok(Answered { status, body: body.map_err(|error| format!("a broken answer: {error}"))?.to_bytes() })
    };
    // The connection future may finish first: then the answer has been read, or its failure is known.
    tokio::pin!(exchange);
    tokio::select! {
        answered = &mut exchange => answered,
        _ = connection => exchange.await,
    }
}

/// Percent-encoding of all but letters and digits: base64 holds `+`, which must not arrive as a space.
fn escape(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut escaped, byte| {
        match byte {
            b if b.is_ascii_alphanumeric() => escaped.push(char::from(b)),
            b => write!(escaped, "%{b:02X}").expect("invariant: a String takes every write"),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_survives_a_query() {
        assert_eq!(escape("aB9+/="), "aB9%2B%2F%3D");
    }
}
