//! The links in messages: signed, so that whoever holds one may read the page of that message, and no other.

use axum::extract::Query;
use axum::http::Uri;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use sha2::Sha256;

use crate::alert::Timestamp;

/// How long a link in a message works: as long as messages are kept.
const LINK_LIFE_MS: i64 = 30 * 24 * 3600 * 1000;
/// Bytes of the signature in a link: 96 bits cannot be guessed and stay short in a message.
const SIGNATURE_BYTES: usize = 12;

/// The key that signs links; made once and kept in the store.
#[derive(Clone)]
pub struct LinkKey(pub(super) Vec<u8>);

impl std::fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkKey(…)")
    }
}

impl LinkKey {
    /// From the bytes in the store.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The address of the page of message `id` below `external_url`, valid for a month from `now`.
    pub fn link(&self, external_url: &str, id: i64, now: Timestamp) -> String {
        format!("{external_url}/d/{}", self.beside(id, now.plus_millis(LINK_LIFE_MS).0 / 1000))
    }

    /// The address of the page of message `id` seen from that of another, valid until the same Unix time in
    /// seconds: who may read the one may read the other, and no longer.
    pub fn beside(&self, id: i64, until: i64) -> String {
        format!("{id}?{}", self.proof(id, until))
    }

    /// The query that proves a link to message `id`: what a page puts in front of further keys in links to itself.
    pub fn proof(&self, id: i64, until: i64) -> String {
        format!("until={until}&s={}", self.signature(id, until))
    }

    fn signature(&self, id: i64, until: i64) -> String {
        let mut mac = self.mac(id, until).finalize().into_bytes().to_vec();
        mac.truncate(SIGNATURE_BYTES);
        BASE64_URL_SAFE_NO_PAD.encode(mac)
    }

    /// Whether `address`, which names message `id`, is one that this key made and that has not ended at `now`.
    pub fn opens(&self, id: i64, address: &Uri, now: Timestamp) -> bool {
        let Ok(Query(link)) = Query::<Link>::try_from_uri(address) else { return false };
        let Ok(given) = BASE64_URL_SAFE_NO_PAD.decode(&link.s) else { return false };
        let signed = given.len() == SIGNATURE_BYTES && self.mac(id, link.until).verify_truncated_left(&given).is_ok();
        signed && now.0 / 1000 <= link.until
    }

    fn mac(&self, id: i64, until: i64) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(format!("details {id} {until}").as_bytes());
        mac
    }
}

/// The query of a link.
#[derive(Debug, Deserialize)]
pub(super) struct Link {
    /// When it ends, in Unix seconds.
    pub(super) until: i64,
    s: String,
}
