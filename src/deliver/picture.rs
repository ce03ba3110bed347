//! Fetching an alert's picture, so that it can be uploaded to WeCom.
//!
//! The address comes from the alert, so it is untrusted: only hosts named in the configuration are asked, without
//! redirects, for at most 2 MB that start like a PNG or a JPEG (docs/reference/alert-sources.md#pictures).

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tracing::warn;
use wecom::message::Image;
use wecom::{Account, MediaKind};

use super::setup::Setup;
use super::way::Sender;
use crate::config::Config;
use crate::sockets::Sockets;

/// WeCom's limit for inline pictures of a webhook (page 99110).
const PICTURE_BYTES: usize = 2 << 20;
/// Deadline of a download: the alert goes without its picture rather than late.
const DEADLINE: Duration = Duration::from_secs(5);
/// The same for WeCom's part: 2 MB at 3 Mbit/s.
const UPLOAD: Duration = Duration::from_secs(5);

/// Fetches pictures and uploads them to WeCom.
#[derive(Debug)]
pub struct Pictures(reqwest::Client);

impl Pictures {
    /// Fails only if the TLS library cannot start.
    pub fn new() -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(DEADLINE)
            .referer(false)
            .build()?;
        Ok(Self(client))
    }

    /// The picture at `url`, which [`fetched`] allowed.
    pub async fn fetch(&self, url: reqwest::Url) -> Option<Bytes> {
        let host = url.host_str().unwrap_or_default().to_owned();
        let picture = self.download(url).await;
        picture.inspect_err(|reason| warn!(host, reason, "A picture could not be had; the alert goes without it.")).ok()
    }

    /// A picture, uploaded for `sender`; `None` if WeCom does not take it in time.
    pub async fn upload(&self, sockets: &Sockets, setup: &Setup, sender: &Sender, bytes: Bytes) -> Option<Image> {
        let late = |_| Err("WeCom took too long over it".to_owned());
        let image = tokio::time::timeout(UPLOAD, upload(sockets, setup, sender, bytes)).await.unwrap_or_else(late);
        image.inspect_err(|reason| warn!(reason, "A picture could not be uploaded.")).ok()
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

/// The address of a sender's picture, if the configuration names its host.
pub fn fetched(config: &Config, url: &str) -> Option<reqwest::Url> {
    named(&config.image_hosts, url)
}

fn named(hosts: &[String], url: &str) -> Option<reqwest::Url> {
    let mut url = reqwest::Url::parse(url).ok()?;
    let host = url.host_str()?.to_ascii_lowercase();
    let port = format!("{host}:{}", url.port_or_known_default()?);
    // Credentials of the alert's address are not ours to send.
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    let named = hosts.iter().any(|known| *known == host || *known == port);
    (matches!(url.scheme(), "http" | "https") && named).then_some(url)
}

async fn upload(sockets: &Sockets, setup: &Setup, sender: &Sender, bytes: Bytes) -> Result<Image, String> {
    let name = if bytes.starts_with(b"\x89PNG") { "alert.png" } else { "alert.jpg" };
    let uploaded = match sender {
        Sender::WeCom(Account::Webhook(_)) => return wecom::inline_image(&bytes).map_err(|error| error.to_string()),
        Sender::WeCom(Account::App(account)) => setup.wecom.upload_media(account, MediaKind::Image, name, bytes).await,
        Sender::Bot(bot) => match sockets.live(bot) {
            Some(bot) => bot.upload(MediaKind::Image, name, bytes).await,
            None => return Err("the bot is not connected".to_owned()),
        },
        Sender::Mail(_) | Sender::Hook(_) => return Err("there are no pictures on this way".to_owned()),
    };
    let media = uploaded.map_err(|error| error.to_string())?;
    Ok(Image::Media { media_id: media.media_id })
}

fn is_picture(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x89PNG\r\n\x1a\n") || bytes.starts_with(&[0xff, 0xd8, 0xff])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_fetched_from_a_named_host_and_port_without_the_credentials_of_its_address() {
        let hosts = ["any.example.com", "one.example.com:3000", "tls.example.com:443"].map(str::to_owned);
        for (url, fetched) in [
            ("http://any.example.com/a.png", Some("http://any.example.com/a.png")),
            ("http://any.example.com:8080/a.png", Some("http://any.example.com:8080/a.png")),
            ("http://one.example.com:3000/a.png", Some("http://one.example.com:3000/a.png")),
            ("http://one.example.com/a.png", None),
            ("https://tls.example.com/a.png", Some("https://tls.example.com/a.png")),
            ("http://tls.example.com/a.png", None),
            ("http://root:secret@any.example.com/a.png", Some("http://any.example.com/a.png")),
            ("ftp://any.example.com/a.png", None),
            ("http://other.example.com/a.png", None),
        ] {
            assert_eq!(named(&hosts, url).as_ref().map(reqwest::Url::as_str), fetched, "{url}");
        }
    }
}
