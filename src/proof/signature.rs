//! Signatures with a shared secret (HMAC), as senders make them.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::ExposeSecret as _;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::{Evidence, Once, Outcome, Presented, Why, header, query, same};
use crate::alert::Timestamp;
use crate::config::{Algorithm, Carrier, Encoding, Part, Signing, TimeUnit};

/// Signatures that one request may offer; senders that rotate their secret send two.
const OFFERED: usize = 8;

/// Padding and the form of the last byte differ between senders and say nothing.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Judges a signature. It is compared before its time is looked at, so that only a right one is called stale.
pub(super) fn examine(signing: &Signing, evidence: &Evidence<'_>) -> Outcome {
    let request = evidence.request;
    let Some(body) = evidence.body else {
        let carried =
            matches!(signing.signature, Carrier::Body(_)) || !carried(&signing.signature, request, &[]).is_empty();
        return if carried { Outcome::NeedsBody } else { Outcome::MISSING };
    };
    let given = carried(&signing.signature, request, body);
    if given.is_empty() {
        return Outcome::MISSING;
    }
    let stamp = signing.time.as_ref().map(|time| carried(&time.carrier, request, body)).unwrap_or_default();
    let expected = expected(signing, request, &stamp, body);
    let right =
        offered(signing, &given).fold(subtle::Choice::from(0), |right, offered| right | same(&offered, &expected));
    if !bool::from(right) || signing.secret.expose_secret().is_empty() {
        return Outcome::Failed { why: Why::Signature, meant: false };
    }
    let Some(time) = &signing.time else { return Outcome::Proven(None) };
    let Some(signed_at) = instant(&stamp, time.unit) else {
        return Outcome::Failed { why: Why::Signature, meant: true };
    };
    let tolerance = i64::try_from(time.tolerance.as_millis()).unwrap_or(i64::MAX);
    let behind = evidence.now.0.saturating_sub(signed_at);
    if behind.saturating_abs() > tolerance {
        return Outcome::Failed { why: Why::Stale { behind_seconds: behind / 1000 }, meant: true };
    }
    let secret = signing.secret.expose_secret();
    let digest =
        Sha256::new().chain_update(Sha256::digest(secret)).chain_update(&expected).chain_update(body).finalize().into();
    Outcome::Proven(Some(Once { digest, until: Timestamp(signed_at.saturating_add(tolerance)) }))
}

/// The value of a header, a parameter or a member of the body; empty if it is absent.
fn carried<'a>(carrier: &Carrier, request: &'a Presented<'_>, body: &[u8]) -> Cow<'a, [u8]> {
    match carrier {
        Carrier::Header(name) => header(request.headers, name).into(),
        Carrier::Query(name) => match query(request.uri, name).into_iter().next() {
            Some(Cow::Borrowed(value)) => value.as_bytes().into(),
            Some(Cow::Owned(value)) => value.into_bytes().into(),
            None => Cow::default(),
        },
        Carrier::Body(name) => {
            let members: Option<serde_json::Map<String, serde_json::Value>> = serde_json::from_slice(body).ok();
            match members.as_ref().and_then(|members| members.get(name.as_str())) {
                Some(serde_json::Value::String(text)) => text.clone().into_bytes().into(),
                Some(serde_json::Value::Number(number)) => number.to_string().into_bytes().into(),
                _ => Cow::default(),
            }
        }
    }
}

/// The signatures in `given`, decoded; what has another prefix or is not in the encoding is left out.
fn offered<'a>(signing: &'a Signing, given: &'a [u8]) -> impl Iterator<Item = Vec<u8>> + 'a {
    let given = str::from_utf8(given).unwrap_or_default();
    let separator = signing.several.unwrap_or('\0');
    let texts = given.split(separator).map(str::trim).take(OFFERED);
    texts.filter_map(|text| decode(text.strip_prefix(signing.prefix.as_str())?, signing.encoding))
}

fn decode(text: &str, encoding: Encoding) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Hex => {
            let digits: Option<Vec<u8>> =
                text.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
            let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
            Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
        }
        // A plus that was not percent-encoded in a query has become a blank.
        Encoding::Base64 => STANDARD.decode(text.replace(' ', "+")).ok(),
        Encoding::Base64url => URL_SAFE.decode(text).ok(),
    }
}

/// Milliseconds since 1970 of a time as senders write it: decimal digits, nothing else.
fn instant(stamp: &[u8], unit: TimeUnit) -> Option<i64> {
    let digits = str::from_utf8(stamp).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    let number: i64 = digits.parse().ok()?;
    match unit {
        TimeUnit::S => number.checked_mul(1000),
        TimeUnit::Ms => Some(number),
    }
}

fn expected(signing: &Signing, request: &Presented<'_>, stamp: &[u8], body: &[u8]) -> Vec<u8> {
    let secret = signing.secret.expose_secret();
    let each = |parts: &[Part], take: &mut dyn FnMut(&[u8])| {
        for part in parts {
            match part {
                Part::Text(text) => take(text.as_bytes()),
                Part::Method => take(request.method.as_str().as_bytes()),
                Part::Path => take(request.uri.path().as_bytes()),
                Part::Query => take(request.uri.query().unwrap_or_default().as_bytes()),
                Part::Timestamp => take(stamp),
                Part::Header(name) => take(header(request.headers, name)),
                Part::Secret => take(secret),
                Part::Body => take(body),
            }
        }
    };
    let mut key = Vec::new();
    each(&signing.key, &mut |part| key.extend_from_slice(part));
    macro_rules! mac {
        ($hash:ty) => {{
            let Ok(mut mac) = Hmac::<$hash>::new_from_slice(&key) else { return Vec::new() };
            each(&signing.signed, &mut |part| mac.update(part));
            mac.finalize().into_bytes().to_vec()
        }};
    }
    match signing.algorithm {
        Algorithm::Sha1 => mac!(Sha1),
        Algorithm::Sha256 => mac!(Sha256),
        Algorithm::Sha384 => mac!(Sha384),
        Algorithm::Sha512 => mac!(Sha512),
    }
}
