//! The proof of a source: which configured sender may have sent this (reliability §4.1). Reads secrets, says
//! nothing about them.

use axum::http::{HeaderMap, header::AUTHORIZATION};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use crate::alert::Timestamp;
use crate::config::{Proof, Source};

/// How far the signed time may be from ours, in seconds, before or after.
const SIGNATURE_WINDOW: u64 = 300;

/// The name of the first source that `headers` and `body` prove. Every source is tried, whether or not one has
/// matched already, and all comparisons take the same time for right and wrong secrets.
pub fn prove<'a>(sources: &'a [Source], headers: &HeaderMap, body: &[u8], now: Timestamp) -> Option<&'a str> {
    let mut proven = None;
    for source in sources {
        let matches = match &source.proof {
            Proof::Bearer(token) => bearer(headers, token),
            Proof::Basic { username, password } => basic(headers, username, password),
            Proof::Hmac { secret, header, timestamp_header } => {
                signature(headers, body, secret, header, timestamp_header.as_deref(), now)
            }
        };
        if bool::from(matches) && proven.is_none() {
            proven = Some(source.name.as_str());
        }
    }
    proven
}

/// Whether reading the body is worth it: its sender is proven already, or carries a signature that only the body can
/// prove. Who is neither is refused before any byte of the body is taken.
pub fn could_prove(sources: &[Source], headers: &HeaderMap) -> bool {
    let signed =
        |source: &Source| matches!(&source.proof, Proof::Hmac { header, .. } if headers.contains_key(header.as_str()));
    prove(sources, headers, &[], Timestamp(0)).is_some() || sources.iter().any(signed)
}

/// Compares digests, so that neither length nor content of the secret shows in the time taken. An empty secret
/// equals nothing.
fn same(given: &[u8], expected: &[u8]) -> Choice {
    Sha256::digest(given).ct_eq(&Sha256::digest(expected)) & Choice::from(u8::from(!expected.is_empty()))
}

/// The credentials of an `Authorization` header of this scheme; empty if there is none.
fn credentials<'a>(headers: &'a HeaderMap, scheme: &str) -> &'a [u8] {
    headers
        .get(AUTHORIZATION)
        .map(|value| value.as_bytes().trim_ascii())
        .and_then(|value| value.split_at_checked(scheme.len()))
        .filter(|(given, rest)| given.eq_ignore_ascii_case(scheme.as_bytes()) && rest.starts_with(b" "))
        .map_or(&[], |(_, rest)| rest.trim_ascii())
}

fn bearer(headers: &HeaderMap, token: &SecretString) -> Choice {
    same(credentials(headers, "bearer"), token.expose_secret().as_bytes())
}

/// User and password in UTF-8; only the first colon separates, so the password may hold more (§3.2).
fn basic(headers: &HeaderMap, username: &str, password: &SecretString) -> Choice {
    let decoded = STANDARD.decode(credentials(headers, "basic")).unwrap_or_default();
    let colon = decoded.iter().position(|&byte| byte == b':');
    let (given_user, given_password) = colon.map_or((&[][..], &[][..]), |at| (&decoded[..at], &decoded[at + 1..]));
    same(given_user, username.as_bytes()) & same(given_password, password.expose_secret().as_bytes())
}

/// HMAC-SHA256 as Grafana makes it (alert-sources §2.7): lower-case hex over the body, or over the Unix seconds of
/// the timestamp header, a colon and the body. Grafana prescribes no window; ours is [`SIGNATURE_WINDOW`].
fn signature(
    headers: &HeaderMap,
    body: &[u8],
    secret: &SecretString,
    header: &str,
    timestamp_header: Option<&str>,
    now: Timestamp,
) -> Choice {
    let value = |name: &str| headers.get(name).map_or(&[][..], |value| value.as_bytes().trim_ascii());
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else {
        return Choice::from(0);
    };
    let mut in_time = true;
    if let Some(name) = timestamp_header {
        let signed_at = value(name);
        let seconds = str::from_utf8(signed_at).ok().and_then(|text| text.parse::<i64>().ok());
        in_time = seconds.is_some_and(|seconds| seconds.abs_diff(now.0.div_euclid(1000)) <= SIGNATURE_WINDOW);
        mac.update(signed_at);
        mac.update(b":");
    }
    mac.update(body);
    let expected = hex(&mac.finalize().into_bytes());
    same(value(header), expected.as_bytes())
        & Choice::from(u8::from(in_time))
        & Choice::from(u8::from(!secret.expose_secret().is_empty()))
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    bytes.iter().flat_map(|&byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
