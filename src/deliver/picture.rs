//! Fetching an alert's picture, so that it can be uploaded to WeCom.
//!
//! The address comes from the alert, which anyone who can make an alert may write: only hosts that the
//! configuration names are asked, without redirects, for at most 2 MB that begin like a PNG or a JPEG
//! (reliability F100, alert-sources §5.1).

use std::time::Duration;

use bytes::{Bytes, BytesMut};

/// WeCom's limit for inline pictures of a webhook (page 99110).
const PICTURE_BYTES: usize = 2 << 20;
/// A picture may be late; the alert may not.
const DEADLINE: Duration = Duration::from_secs(5);

/// A client for pictures.
#[derive(Debug, Clone)]
pub struct Fetcher(reqwest::Client);

impl Fetcher {
    /// Fails only if the TLS library cannot start.
    pub fn new() -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(DEADLINE).referer(false).build()?;
        Ok(Self(client))
    }

    /// The picture at `url`, or `None` if its host is not one of `hosts`, or why it could not be had.
    pub async fn fetch(&self, url: &str, hosts: &[String]) -> Option<Result<Bytes, String>> {
        let parsed = reqwest::Url::parse(url).ok()?;
        let host = parsed.host_str()?.to_ascii_lowercase();
        if !matches!(parsed.scheme(), "http" | "https") || !hosts.contains(&host) {
            return None;
        }
        Some(self.download(parsed).await)
    }

    async fn download(&self, url: reqwest::Url) -> Result<Bytes, String> {
        let mut answer = self.0.get(url).send().await.map_err(|error| error.without_url().to_string())?;
        if answer.status() != 200 {
            return Err(format!("HTTP {}", answer.status().as_u16()));
        }
        let mut bytes = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| error.without_url().to_string())? {
            if bytes.len() + chunk.len() > PICTURE_BYTES {
                return Err("larger than 2 MB".into());
            }
            bytes.extend_from_slice(&chunk);
        }
        if is_picture(&bytes) { Ok(bytes.freeze()) } else { Err("neither PNG nor JPEG (a login page?)".into()) }
    }
}

fn is_picture(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x89PNG\r\n\x1a\n") || bytes.starts_with(&[0xff, 0xd8, 0xff])
}
