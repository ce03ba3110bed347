//! Which source a request proves.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;

use super::*;
use crate::config::{Algorithm, Carrier, Encoding, Part, Proof, SignedTime, Signing, Source, TimeUnit};

fn source(name: &str, proof: Proof) -> Source {
    Source {
        name: name.to_owned(),
        proofs: vec![proof],
        addresses: Vec::new(),
        receivers: None,
        watchdog: None,
        taught: crate::subject::Taught::default(),
    }
}

fn bearer(name: &str, token: &str) -> Source {
    source(name, Proof::Bearer { scheme: "Bearer".to_owned(), token: SecretString::from(token) })
}

/// The name of the source that these headers and this body prove.
fn prove<'a>(sources: &'a [Source], headers: &HeaderMap, body: &[u8], now: Timestamp) -> Option<&'a str> {
    let request =
        Presented { method: &Method::POST, uri: &Uri::from_static("/webhook"), headers, peer: None, shown: None };
    let proven = super::prove(sources, &request, body, &Certificates::new(), now).ok()?;
    assert_eq!(could_prove(sources, &request).map(drop), Ok(()), "{} was refused unread", proven.source.name);
    Some(proven.source.name.as_str())
}

fn basic(name: &str, username: &str, password: &str) -> Source {
    source(name, Proof::Basic { username: username.to_owned(), password: SecretString::from(password) })
}

fn hmac(name: &str, secret: &str, timestamp_header: Option<&str>) -> Source {
    let time = timestamp_header.map(|header| SignedTime {
        carrier: Carrier::Header(header.to_owned()),
        unit: TimeUnit::S,
        tolerance: Duration::from_mins(5),
    });
    let over_time = [Part::Timestamp, Part::Text(":".to_owned())];
    let signed = over_time.into_iter().filter(|_| time.is_some()).chain([Part::Body]).collect();
    let signing = Signing {
        secret: secret.as_bytes().to_vec().into(),
        key: vec![Part::Secret],
        signed,
        algorithm: Algorithm::Sha256,
        signature: Carrier::Header("X-Signature".to_owned()),
        prefix: String::new(),
        encoding: Encoding::Hex,
        several: None,
        time,
    };
    source(name, Proof::Hmac(Box::new(signing)))
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (HeaderName::try_from(*name).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap()))
        .collect()
}

fn basic_header(credentials: &str) -> String {
    format!("Basic {}", STANDARD.encode(credentials))
}

#[test]
fn a_bearer_token_proves_with_the_scheme_in_any_case() {
    let sources = [bearer("grafana", "s3cret-密"), bearer("other", "else")];
    for header in ["Bearer s3cret-密", "bearer s3cret-密", "BEARER   s3cret-密 "] {
        assert_eq!(prove(&sources, &headers(&[("authorization", header)]), b"{}", NOW), Some("grafana"), "{header}");
    }
    assert_eq!(prove(&sources, &headers(&[("authorization", "Bearer else")]), b"{}", NOW), Some("other"));
    for header in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer s3cret",
        "Bearer s3cret-密x",
        "Token s3cret-密",
        "Bearers3cret-密",
        "s3cret-密",
    ] {
        assert_eq!(prove(&sources, &headers(&[("authorization", header)]), b"{}", NOW), None, "{header}");
    }
    assert_eq!(prove(&sources, &HeaderMap::new(), b"{}", NOW), None);
}

#[test]
fn basic_credentials_are_utf8_and_the_password_may_hold_colons() {
    let sources = [basic("alertmanager", "am", "pa:ss 密")];
    let try_with = |header: &str| prove(&sources, &headers(&[("authorization", header)]), b"", NOW).map(str::to_owned);
    assert_eq!(try_with(&basic_header("am:pa:ss 密")).as_deref(), Some("alertmanager"));
    assert_eq!(try_with(&basic_header("am:pa:ss 密").replace("Basic", "basic")).as_deref(), Some("alertmanager"));
    for wrong in ["am:pa", "am", "", ":pa:ss 密", "am:pa:ss 密 ", "AM:pa:ss 密", "am:"] {
        assert_eq!(try_with(&basic_header(wrong)), None, "{wrong}");
    }
    assert_eq!(try_with("Basic %%%"), None);
}

#[test]
fn an_empty_secret_proves_nothing() {
    let sources = [bearer("a", ""), basic("b", "u", ""), basic("c", "", "p"), hmac("d", "", None)];
    let signature = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad";
    for header in ["Bearer ", "Bearer", &basic_header("u:"), &basic_header(":p"), &basic_header(":")] {
        let headers = headers(&[("authorization", header), ("x-signature", signature)]);
        assert_eq!(prove(&sources, &headers, b"", NOW), None, "{header}");
    }
}

#[test]
fn a_signature_over_the_body_proves() {
    // HMAC-SHA256 with key "key" over the well-known pangram, as published in many places.
    let pangram = b"The quick brown fox jumps over the lazy dog";
    let signature = "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8";
    let sources = [hmac("signed", "key", None)];
    let try_with = |signature: &str, body: &[u8]| {
        prove(&sources, &headers(&[("x-signature", signature)]), body, NOW).map(str::to_owned)
    };
    assert_eq!(try_with(signature, pangram).as_deref(), Some("signed"));
    assert_eq!(try_with(signature, b"The quick brown fox jumps over the lazy cog"), None);
    assert_eq!(try_with(&signature.to_uppercase(), pangram).as_deref(), Some("signed"), "hexadecimal in either case");
    assert_eq!(try_with(&signature[..63], pangram), None);
    assert_eq!(try_with("", pangram), None);
}

#[test]
fn a_signed_time_must_be_near_ours() {
    // echo -n '1795354200:{"a":1}' | openssl dgst -sha256 -hmac 's3cr3t-密'
    let body = br#"{"a":1}"#;
    let signature = "168fa29e156136c97b02b4c7efbe5f1fdde902a38ef8978ba0cc8a43e5dd23c9";
    let sources = [hmac("signed", "s3cr3t-密", Some("X-Time"))];
    let at = |seconds: i64, sent: &str| {
        let now = Timestamp((1_795_354_200 + seconds) * 1000);
        prove(&sources, &headers(&[("x-signature", signature), ("x-time", sent)]), body, now).is_some()
    };
    for (seconds, proven) in [(0, true), (300, true), (-300, true), (301, false), (-301, false)] {
        assert_eq!(at(seconds, "1795354200"), proven, "{seconds}");
    }
    for other in ["1795354201", "", "x", "+1795354200", "99999999999999999999"] {
        assert!(!at(0, other), "{other}");
    }
    assert_eq!(prove(&sources, &headers(&[("x-signature", signature)]), body, NOW), None, "the time is missing");
}

#[test]
fn any_of_several_sources_lets_a_request_in() {
    let sources = [basic("am", "u", "p"), bearer("old", "t1"), bearer("new", "t2"), bearer("again", "t2")];
    let with = |header: &str| prove(&sources, &headers(&[("authorization", header)]), b"", NOW).map(str::to_owned);
    assert_eq!(with("Bearer t1").as_deref(), Some("old"));
    assert_eq!(with("Bearer t2").as_deref(), Some("new"), "the first of two that match");
    assert_eq!(with(&basic_header("u:p")).as_deref(), Some("am"));
    assert_eq!(with("Bearer t3"), None);
    assert_eq!(prove(&[], &headers(&[("authorization", "Bearer t1")]), b"", NOW), None);
}

#[test]
fn the_recorded_signatures_of_grafana_verify() {
    let Some(folder) = crate::ingest::tests::corpus::folder() else { return };
    let vectors: Json =
        serde_json::from_slice(&std::fs::read(folder.join("grafana-hmac-vectors.json")).unwrap()).unwrap();
    let vectors = vectors["vectors"].as_array().unwrap();
    assert!(vectors.len() >= 5);
    for vector in vectors {
        let body = match vector["body"].as_str().unwrap() {
            "literal \"test message\"" => b"test message".to_vec(),
            "empty body" => Vec::new(),
            file => std::fs::read(folder.join(file)).unwrap(),
        };
        let timestamp = vector["timestamp"].as_str();
        let sources = [hmac("signed", vector["secret"].as_str().unwrap(), timestamp.map(|_| "X-Time"))];
        let headers = headers(&[
            ("x-signature", vector["signature"].as_str().unwrap()),
            ("x-time", timestamp.unwrap_or_default()),
        ]);
        let now = Timestamp(timestamp.map_or(NOW.0, |seconds| seconds.parse::<i64>().unwrap() * 1000));
        assert_eq!(prove(&sources, &headers, &body, now), Some("signed"), "{vector}");
        assert_eq!(prove(&sources, &headers, &[&body[..], b" "].concat(), now), None);
    }
}
