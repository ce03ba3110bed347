//! Each kind of credential as senders give it. The signatures were made with Python's `hmac`.

use std::path::Path;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use super::*;
use crate::config::{Config, Source};

/// When the signatures were made.
const SIGNED_AT: i64 = 1_795_835_400;
const BODY: &str = r#"{"title":"x"}"#;

fn sources(written: &str) -> Vec<Source> {
    let text = format!(
        "wecom: {{ webhooks: {{ g: {{ key: 11111111-2222-4333-8444-555555555555 }} }} }}\n\
         receivers: {{ ops: {{ targets: [ {{ webhook: g }} ] }} }}\nsources: {{ g: {{ {written} }} }}\n"
    );
    let (config, _) = Config::parse(&text, Path::new("wegraf.yaml")).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    config.sources
}

/// A request: `POST /webhook?token=x` and its headers.
struct Sent<'a> {
    line: &'a str,
    headers: &'a [(&'a str, &'a str)],
    body: &'a str,
    peer: Option<&'a str>,
    seconds: i64,
}

const SENT: Sent<'static> = Sent { line: "POST /webhook", headers: &[], body: BODY, peer: None, seconds: SIGNED_AT };

/// The kind that proves it, or the kind that was tried and why it does not.
fn outcome(sources: &[Source], sent: &Sent<'_>) -> Result<Kind, (Option<Kind>, &'static str)> {
    let (method, target) = sent.line.split_once(' ').unwrap();
    let (method, uri): (Method, Uri) = (method.parse().unwrap(), target.parse().unwrap());
    let header = |(name, value): &(&str, &str)| {
        (HeaderName::try_from(*name).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    let headers: HeaderMap = sent.headers.iter().map(header).collect();
    let peer = sent.peer.map(|peer| peer.parse().unwrap());
    let request = Presented { method: &method, uri: &uri, headers: &headers, peer, shown: None };
    let proven = prove(sources, &request, sent.body.as_bytes(), &Certificates::new(), Timestamp(sent.seconds * 1000));
    if proven.is_ok() {
        assert_eq!(could_prove(sources, &request).map(drop), Ok(()), "refused unread");
    }
    proven.map(|proven| proven.kind).map_err(|unproven| (unproven.kind, unproven.why.as_str()))
}

#[test]
fn tokens_are_taken_where_senders_put_them() {
    type Row = (
        &'static str,
        &'static str,
        &'static [(&'static str, &'static str)],
        Result<Kind, (Option<Kind>, &'static str)>,
    );
    #[rustfmt::skip]
    let table: &[Row] = &[
        ("query: { name: token, value: 't-密+1' }", "POST /webhook?a=1&token=t-%E5%AF%86%2B1", &[], Ok(Kind::Query)),
        ("query: { name: token, value: tok }", "POST /webhook?token=wrong&token=tok", &[], Ok(Kind::Query)),
        ("query: { name: token, value: tok }", "POST /webhook?token=to", &[], Err((Some(Kind::Query), "unknown"))),
        ("query: { name: token, value: tok }", "POST /webhook?Token=tok", &[], Err((None, "missing"))),
        ("query: { name: token, value: tok }", "POST /webhook?token=", &[], Err((None, "missing"))),
        ("query: { name: token, value: tok }", "POST /webhook", &[("token", "tok")], Err((None, "missing"))),
        ("path: tok", "POST /webhook/t/tok", &[], Ok(Kind::Path)),
        ("path: tok", "POST /webhook/t/tok/ops", &[], Ok(Kind::Path)),
        ("path: tok", "POST //webhook//t/tok/", &[], Ok(Kind::Path)),
        ("path: tok", "POST /x/webhook/t/%74ok", &[], Ok(Kind::Path)),
        ("path: tok", "POST /webhook/t/to", &[], Err((Some(Kind::Path), "unknown"))),
        ("path: tok", "POST /webhook/tok", &[], Err((None, "missing"))),
        ("path: tok", "POST /webhook/t/", &[], Err((None, "missing"))),
        ("header: { name: X-Gitlab-Token, value: tok }", "POST /webhook", &[("x-gitlab-token", " tok ")], Ok(Kind::Header)),
        ("header: { name: X-Gitlab-Token, value: tok }", "POST /webhook", &[("x-gitlab-token", "tokk")], Err((Some(Kind::Header), "unknown"))),
        ("header: { name: Authorization, value: 'plain value' }", "POST /webhook", &[("authorization", "plain value")], Ok(Kind::Header)),
        ("bearer: tok, scheme: Token", "POST /webhook", &[("authorization", "token tok")], Ok(Kind::Bearer)),
        ("bearer: tok, scheme: Token", "POST /webhook", &[("authorization", "Bearer tok")], Err((None, "missing"))),
        ("bearer: [new, old]", "POST /webhook", &[("authorization", "Bearer old")], Ok(Kind::Bearer)),
        ("bearer: [new, old]", "POST /webhook", &[("authorization", "Bearer new")], Ok(Kind::Bearer)),
        ("bearer: a, query: { name: key, value: b }", "POST /webhook?key=b", &[("authorization", "Bearer x")], Ok(Kind::Query)),
        ("basic: { username: u, password: p }", "POST /webhook", &[("authorization", "Basic dTpw")], Ok(Kind::Basic)),
        ("all: [ { query: { name: t, value: a } }, { bearer: b } ]", "POST /webhook?t=a", &[("authorization", "Bearer b")], Ok(Kind::Query)),
        ("all: [ { query: { name: t, value: a } }, { bearer: b } ]", "POST /webhook?t=a", &[], Err((None, "missing"))),
        ("all: [ { query: { name: t, value: a } }, { bearer: b } ]", "POST /webhook?t=a", &[("authorization", "Bearer c")], Err((Some(Kind::Bearer), "unknown"))),
        ("all: [ { query: { name: t, value: a }, bearer: b } ]", "POST /webhook", &[("authorization", "Bearer b")], Err((None, "missing"))),
    ];
    for (written, line, headers, expected) in table {
        let sent = Sent { line, headers, ..SENT };
        assert_eq!(outcome(&sources(written), &sent), *expected, "{written} {line} {headers:?}");
    }
}

#[test]
fn an_address_is_demanded_besides_and_lets_in_alone_only_by_leave() {
    let networks = "addresses: [10.0.0.0/8, 'fd00::/8']";
    let besides = sources(&format!("bearer: tok, {networks}"));
    let alone = sources(&format!("{networks}, allow_addresses_alone: true"));
    let bearer: &[(&str, &str)] = &[("authorization", "Bearer tok")];
    for (peer, headers, expected) in [
        (Some("10.1.2.3"), bearer, Ok(Kind::Bearer)),
        (Some("::ffff:10.1.2.3"), bearer, Ok(Kind::Bearer)),
        (Some("fd00::1"), bearer, Ok(Kind::Bearer)),
        (Some("192.168.1.1"), bearer, Err((Some(Kind::Addresses), "address"))),
        (None, bearer, Err((Some(Kind::Addresses), "address"))),
        (Some("10.1.2.3"), &[], Err((None, "missing"))),
    ] {
        assert_eq!(outcome(&besides, &Sent { headers, peer, ..SENT }), expected, "{peer:?}");
    }
    assert_eq!(outcome(&alone, &Sent { peer: Some("10.1.2.3"), ..SENT }), Ok(Kind::Addresses));
    assert_eq!(outcome(&alone, &Sent { peer: Some("11.1.2.3"), ..SENT }), Err((Some(Kind::Addresses), "address")));
    assert_eq!(
        outcome(&alone, &Sent { headers: &[("x-forwarded-for", "10.1.2.3")], ..SENT }),
        Err((Some(Kind::Addresses), "address"))
    );
    let within = sources("all: [ { query: { name: t, value: a } }, { addresses: [10.0.0.0/8] } ]");
    let sent = Sent { line: "POST /webhook?t=a", ..SENT };
    assert_eq!(outcome(&within, &Sent { peer: Some("10.0.0.1"), ..sent }), Ok(Kind::Query));
    let sent = Sent { line: "POST /webhook?t=a", ..SENT };
    assert_eq!(outcome(&within, &Sent { peer: Some("1.1.1.1"), ..sent }), Err((Some(Kind::Addresses), "address")));
}

const SHA256: &str = "3764825844d8e8fb3add1f86fe81dc896c5b52778822afb88e6c5a21da43f1ab";
const STANDARD_KEY: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const STANDARD_SIGNATURE: &str = "v1,y+MgoXadkjnHtVDzI5koXiCqffOg/lyq5sge/htjEwU=";

/// What is written, the line and the headers of a request whose signature is right.
type Signed = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

#[rustfmt::skip]
const SIGNED: &[Signed] = &[
    ("secret: sek", "POST /webhook", &[("X-Grafana-Alerting-Signature", SHA256)]),
    ("secret: sek, timestamp_header: X-T", "POST /webhook", &[("X-Grafana-Alerting-Signature", "57c61c128992a4e31e830e44a47b46fd1ee9da35d52f5ad5ebde1bf160cabb58"), ("x-t", "1795835400")]),
    ("secret: sek, preset: github", "POST /webhook", &[("X-Hub-Signature-256", "sha256=3764825844d8e8fb3add1f86fe81dc896c5b52778822afb88e6c5a21da43f1ab")]),
    ("secret: sek, preset: github", "POST /webhook", &[("X-Hub-Signature-256", "sha256=3764825844D8E8FB3ADD1F86FE81DC896C5B52778822AFB88E6C5A21DA43F1AB")]),
    ("secret: sek, preset: flux", "POST /webhook", &[("X-Signature", "sha256=3764825844d8e8fb3add1f86fe81dc896c5b52778822afb88e6c5a21da43f1ab")]),
    ("secret: sek, preset: flux, algorithm: sha384", "POST /webhook", &[("X-Signature", "sha384=4c0ef60f9acb8b5deee9173b6a111b1f30a3d3cac019251bf7a144e378ee0f7f3890c3000212056b5e30d2a300ac10cc")]),
    ("secret: sek, header: X-Hub-Signature, algorithm: sha1, prefix: 'sha1='", "POST /webhook", &[("X-Hub-Signature", "sha1=bd34e229cda2184d3909e77d6ff8495658a95837")]),
    ("secret: sek, algorithm: sha512, header: X-S", "POST /webhook", &[("X-S", "ab42a405a7d06508bd11746249eab2286b147eaf6403b390f99f1b3f3217d82db79e79c17ab2705d5ee5542a61d91fdde63092303561713b2f7245d4d0538d0c")]),
    ("secret: sek, preset: sentry", "POST /webhook", &[("Sentry-Hook-Signature", SHA256)]),
    ("secret: sek, preset: pagerduty", "POST /webhook", &[("X-PagerDuty-Signature", "v1=00ff, v2=x,v1=3764825844d8e8fb3add1f86fe81dc896c5b52778822afb88e6c5a21da43f1ab")]),
    ("secret: sek, preset: slack", "POST /webhook", &[("X-Slack-Signature", "v0=f2a03dcb470036b5e86bf6eb0ea328d3025cb4be18ad1329008d73edf4fddfd2"), ("X-Slack-Request-Timestamp", "1795835400")]),
    ("secret: whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=, preset: gitlab", "POST /webhook", &[("webhook-id", "msg_1"), ("webhook-timestamp", "1795835400"), ("webhook-signature", STANDARD_SIGNATURE)]),
    ("secret: AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=, preset: standard-webhooks", "POST /webhook", &[("webhook-id", "msg_1"), ("webhook-timestamp", "1795835400"), ("webhook-signature", "v1,AAAA v1a,x v1,y+MgoXadkjnHtVDzI5koXiCqffOg/lyq5sge/htjEwU=")]),
    ("secret: sek, header: X-S, encoding: base64", "POST /webhook", &[("X-S", "N2SCWETY6Ps63R+G/oHciWxbUneIIq+4jmxaIdpD8as=")]),
    ("secret: sek, header: X-S, encoding: base64", "POST /webhook", &[("X-S", "N2SCWETY6Ps63R+G/oHciWxbUneIIq+4jmxaIdpD8as")]),
    ("secret: sek, header: X-S, encoding: base64url", "POST /webhook", &[("X-S", "N2SCWETY6Ps63R-G_oHciWxbUneIIq-4jmxaIdpD8as=")]),
    ("secret: sek, header: X-S, timestamp_header: X-T, timestamp_unit: ms, separator: '.'", "POST /webhook", &[("X-S", "803febe8469d35c2a7226d51b5af1598167ef31fc0a2e7cb461ae311c04ec7ba"), ("X-T", "1795835400000")]),
    ("secret: sek, header: X-S, timestamp_header: X-T, signed: '{method}:{path}:{timestamp}:{body}'", "POST /webhook/ops", &[("X-S", "5ec37a12e76abbf0110a3c16b00ed7d598ad0a762128ba97015e3870ecd34443"), ("X-T", "1795835400")]),
    ("secret: sek, header: X-S, timestamp_header: X-T, signed: \"{method} {path}?{query}\\n{timestamp}\\n{body}\"", "PUT /webhook/ops?a=1", &[("X-S", "91caa1d87bb428fc44ce8ec133b5b5f2b297aa36ce029cf40de78beb1727eb86"), ("X-T", "1795835400")]),
    ("secret: SECexample0000, preset: dingtalk", "POST /robot/send?timestamp=1795835400000&sign=4c8V2XaAv9HEVIhpWAEZ%2BGva7udVXmhBvXW0aduV%2Fak%3D", &[]),
    ("secret: SECexample0000, preset: dingtalk", "POST /robot/send?timestamp=1795835400000&sign=4c8V2XaAv9HEVIhpWAEZ+Gva7udVXmhBvXW0aduV/ak=", &[]),
];

#[test]
fn signatures_are_taken_as_senders_make_them() {
    assert!(STANDARD_KEY.starts_with("whsec_"));
    for (written, line, headers) in SIGNED {
        let sources = sources(&format!("hmac: {{ {written} }}"));
        assert_eq!(outcome(&sources, &Sent { line, headers, ..SENT }), Ok(Kind::Hmac), "{written}");
        let others = sources_with_another_secret(written);
        let wrong = Err((Some(Kind::Hmac), "signature"));
        assert_eq!(outcome(&others, &Sent { line, headers, ..SENT }), wrong, "{written}");
        if !written.contains("dingtalk") {
            let changed = Sent { line, headers, body: r#"{"title":"y"}"#, ..SENT };
            assert_eq!(outcome(&sources, &changed), wrong, "{written}");
            let unsigned = Sent { line, headers: &[], ..SENT };
            assert_eq!(outcome(&sources, &unsigned), Err((None, "missing")), "{written}");
        }
    }
}

fn sources_with_another_secret(written: &str) -> Vec<Source> {
    let (_, rest) = written.split_once(',').unwrap_or((written, ""));
    sources(&format!("hmac: {{ secret: QUJDRA==,{rest} }}"))
}

#[test]
fn a_feishu_signature_stands_in_the_body() {
    let sources = sources("hmac: { secret: example0000, preset: feishu }");
    let sent = |body| Sent { line: "POST /open-apis/bot/v2/hook/x", body, ..SENT };
    for body in [
        r#"{"timestamp":"1795835400","sign":"5Z2ayXHD+NlCMAk8JC5uONNkkBKfbR/S8GphH0a+320=","msg_type":"text"}"#,
        r#"{"sign":"5Z2ayXHD+NlCMAk8JC5uONNkkBKfbR/S8GphH0a+320=","timestamp":1795835400}"#,
    ] {
        assert_eq!(outcome(&sources, &sent(body)), Ok(Kind::Hmac), "{body}");
    }
    let other = r#"{"timestamp":"1795835401","sign":"5Z2ayXHD+NlCMAk8JC5uONNkkBKfbR/S8GphH0a+320="}"#;
    assert_eq!(outcome(&sources, &sent(other)), Err((Some(Kind::Hmac), "signature")));
    assert_eq!(outcome(&sources, &sent(BODY)), Err((None, "missing")));
    assert_eq!(outcome(&sources, &sent("no JSON")), Err((None, "missing")));
}

#[test]
fn a_signature_that_covers_the_path_is_good_for_no_other() {
    let (written, _, headers) = SIGNED.iter().find(|(written, ..)| written.contains("{method}:{path}")).unwrap();
    let sources = sources(&format!("hmac: {{ {written} }}"));
    for line in ["POST /webhook/dba", "POST /webhook", "PUT /webhook/ops", "POST //webhook/ops", "POST /webhook/ops/"] {
        assert_eq!(outcome(&sources, &Sent { line, headers, ..SENT }), Err((Some(Kind::Hmac), "signature")), "{line}");
    }
}

#[test]
fn a_stale_signature_is_told_from_a_wrong_one_and_by_how_much() {
    let sources = sources("hmac: { secret: sek, preset: slack, tolerance: 1m }");
    let headers: &[(&str, &str)] = &[
        ("X-Slack-Signature", "v0=f2a03dcb470036b5e86bf6eb0ea328d3025cb4be18ad1329008d73edf4fddfd2"),
        ("X-Slack-Request-Timestamp", "1795835400"),
    ];
    for (late, expected) in [(60, true), (-60, true), (61, false), (-61, false)] {
        let found = outcome(&sources, &Sent { headers, seconds: SIGNED_AT + late, ..SENT });
        assert_eq!(found, if expected { Ok(Kind::Hmac) } else { Err((Some(Kind::Hmac), "stale")) }, "{late}");
    }
    let stale = Why::Stale { behind_seconds: 3600 };
    assert!(stale.to_string().contains("3600 s behind ours"), "{stale}");
    let ahead = Why::Stale { behind_seconds: -90 };
    assert!(ahead.to_string().contains("90 s ahead of ours"), "{ahead}");
}

#[test]
fn the_source_that_was_meant_is_named_if_that_can_be_told() {
    let text = "wecom: { webhooks: { g: { key: 11111111-2222-4333-8444-555555555555 } } }\n\
         receivers: { ops: { targets: [ { webhook: g } ] } }\n\
         sources: { a: { bearer: one }, b: { bearer: two }, c: { basic: { username: am, password: x } }, \
         d: { hmac: { secret: sek } } }\n";
    let (config, _) = Config::parse(text, Path::new("wegraf.yaml")).unwrap();
    let tried = |name: &'static str, value: &'static str| {
        let headers: HeaderMap =
            [(HeaderName::from_static(name), HeaderValue::from_static(value))].into_iter().collect();
        let uri = Uri::from_static("/webhook");
        let request = Presented { method: &Method::POST, uri: &uri, headers: &headers, peer: None, shown: None };
        prove(&config.sources, &request, b"", &Certificates::new(), NOW).unwrap_err().source
    };
    assert_eq!(tried("authorization", "Bearer three"), None, "it could be either");
    assert_eq!(tried("authorization", "Basic YW06eQ==").as_deref(), Some("c"), "the user is known");
    assert_eq!(tried("x-grafana-alerting-signature", "00").as_deref(), Some("d"), "only one has signatures");
    assert_eq!(tried("accept", "*/*"), None);
}
