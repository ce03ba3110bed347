//! The certificates with which clouds sign their notifications: fetched from the vendor, and cached for a day.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use tracing::{info, warn};

use crate::alert::Timestamp;
use crate::proof::{Certificate, Certificates};

#[cfg(test)]
mod tests;

/// Deadline of the vendor's answer; its notification waits meanwhile.
const DEADLINE: Duration = Duration::from_secs(5);
/// Most bytes of a certificate or an answer; theirs have 2 KB.
const BYTES: usize = 64 << 10;
/// How long a certificate is used before it is fetched again.
const KEPT_MS: i64 = 24 * 60 * 60 * 1000;
/// How long a URL that failed is not fetched again: strangers can name any URL of the vendor.
const SHUNNED_MS: i64 = 60 * 1000;
/// URLs that are remembered, good and bad: a vendor has one certificate for each region.
const KNOWN: usize = 64;

/// Certificates by their URL.
#[derive(Debug)]
pub(super) struct Vault {
    client: Option<reqwest::Client>,
    known: Mutex<Vec<Known>>,
    /// One at a time: all requests that wait for one certificate are served by one fetch.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Known {
    url: String,
    /// `None`: it could not be fetched.
    certificate: Option<Arc<Certificate>>,
    until: Timestamp,
}

impl Default for Vault {
    fn default() -> Self {
        Self::with(reqwest::Client::builder())
    }
}

impl Vault {
    /// With a client that trusts and finds hosts as `builder` says.
    fn with(builder: reqwest::ClientBuilder) -> Self {
        let client = builder.https_only(true).redirect(reqwest::redirect::Policy::none()).timeout(DEADLINE).build();
        Self { client: client.ok(), known: Mutex::default(), fetching: tokio::sync::Mutex::default() }
    }

    /// All valid ones.
    pub fn all(&self, now: Timestamp) -> Certificates {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let good = known.iter().filter(|known| known.until > now);
        good.filter_map(|known| Some((known.url.clone(), known.certificate.clone()?))).collect()
    }

    /// Makes sure that the certificate at `url`, which is the vendor's, is among them; false if it cannot be fetched.
    pub async fn fetch(&self, url: &str, now: Timestamp) -> bool {
        let _fetching = self.fetching.lock().await;
        if let Some(good) = self.known(url, now) {
            return good;
        }
        let certificate = match self.get(url).await {
            Ok(pem) => Certificate::read(&pem).map(Arc::new),
            Err(error) => {
                warn!(error, "The certificate of a cloud could not be fetched.");
                None
            }
        };
        let good = certificate.is_some();
        let until = now.plus_millis(if good { KEPT_MS } else { SHUNNED_MS });
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|known| known.until > now && known.url != url);
        if known.len() >= KNOWN {
            known.remove(0);
        }
        known.push(Known { url: url.to_owned(), certificate, until });
        good
    }

    /// Was it fetched, and is it valid? `None`: not fetched yet, or too long ago.
    fn known(&self, url: &str, now: Timestamp) -> Option<bool> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|known| known.url == url && known.until > now).map(|known| known.certificate.is_some())
    }

    /// Confirms a subscription at `url`, which is the vendor's.
    pub async fn confirm(&self, source: &str, url: &str) {
        match self.get(url).await {
            Ok(_) => info!(source, "The subscription of a cloud's topic was confirmed."),
            Err(error) => warn!(source, error, "The subscription of a cloud's topic could not be confirmed."),
        }
    }

    /// Fetches `url`. Errors contain our own text only: the URL may hold a token.
    async fn get(&self, url: &str) -> Result<Vec<u8>, String> {
        let client = self.client.as_ref().ok_or("the client could not be built")?;
        let answer = client.get(url).send().await.map_err(|error| error.without_url().to_string())?;
        let status = answer.status();
        if !status.is_success() {
            return Err(format!("HTTP {}", status.as_u16()));
        }
        let body = Limited::new(reqwest::Body::from(answer), BYTES).collect().await;
        body.map(|body| body.to_bytes().to_vec()).map_err(|_| "the answer broke off or is too long".to_owned())
    }
}
