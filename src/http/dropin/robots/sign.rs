//! The signatures of `DingTalk` and Feishu. They cover the time only, not the text: the token stays necessary.

use axum::extract::Query;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Value;
use sha2::Sha256;

/// How far the signed time may be from ours, in milliseconds, before or after.
const WINDOW_MS: i64 = 3_600_000;

/// The query of a signed call.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Stamp {
    timestamp: String,
    sign: String,
}

/// `timestamp` (milliseconds) and `sign` in the query: over the time, a line break and the secret, with the secret as key.
pub(super) fn dingtalk(secret: &SecretString, parts: &Parts, _: &Value, now: i64) -> bool {
    let Query(Stamp { timestamp, sign }) = Query::try_from_uri(&parts.uri).unwrap_or_default();
    let secret = secret.expose_secret();
    let in_time = timestamp.parse::<i64>().is_ok_and(|at| at.abs_diff(now) <= WINDOW_MS.unsigned_abs());
    in_time && verified(secret, &format!("{timestamp}\n{secret}"), &sign)
}

/// `timestamp` (seconds) and `sign` in the body: over nothing, with the time, a line break and the secret as key.
pub(super) fn feishu(secret: &SecretString, _: &Parts, body: &Value, now: i64) -> bool {
    let timestamp = match &body["timestamp"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let sign = body["sign"].as_str().unwrap_or_default();
    let at = timestamp.parse::<i64>().map(|seconds| seconds.saturating_mul(1000));
    let in_time = at.is_ok_and(|at| at.abs_diff(now) <= WINDOW_MS.unsigned_abs());
    in_time && verified(&format!("{timestamp}\n{}", secret.expose_secret()), "", sign)
}

fn verified(key: &str, text: &str, sign: &str) -> bool {
    let Ok(given) = BASE64_STANDARD.decode(sign) else { return false };
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(text.as_bytes());
    mac.verify_slice(&given).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_signatures_of_the_two_robots_are_checked_with_their_time() {
        let at = 1_795_835_400_000;
        let secret = SecretString::from("SECexample0000");
        let uri = "/robot/send?timestamp=1795835400000&sign=4c8V2XaAv9HEVIhpWAEZ%2BGva7udVXmhBvXW0aduV%2Fak%3D";
        let (parts, ()) = axum::http::Request::builder().uri(uri).body(()).unwrap().into_parts();
        assert!(dingtalk(&secret, &parts, &Value::Null, at + WINDOW_MS));
        assert!(!dingtalk(&secret, &parts, &Value::Null, at + WINDOW_MS + 1), "an old one");
        assert!(!dingtalk(&SecretString::from("other"), &parts, &Value::Null, at));
        let secret = SecretString::from("example0000");
        let body = json!({ "timestamp": "1795835400", "sign": "5Z2ayXHD+NlCMAk8JC5uONNkkBKfbR/S8GphH0a+320=" });
        assert!(feishu(&secret, &parts, &body, at));
        assert!(!feishu(&secret, &parts, &json!({ "timestamp": 1_795_835_401, "sign": body["sign"] }), at));
    }
}
