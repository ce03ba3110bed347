//! Envelopes of clouds. Certificate and signatures were made with `openssl`; the key is gone.

use std::path::Path;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, Method, Uri};

use super::*;
use crate::config::{Config, Envelope, Source, Vendor};

const PEM: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/vendor.pem"));

/// 2026-11-30T00:00:00Z, when the signatures were made.
const SIGNED_AT: i64 = 1_795_996_800_000;
const SNS_URL: &str = "https://sns.ap-southeast-1.amazonaws.com/SimpleNotificationService-1.pem";
const SMN_URL: &str = "https://smn.cn-north-4.myhuaweicloud.com/smn/SMN_cn-north-4_1.pem";

const SHA256: &str = "NgMCsWUbdBezJI7gXd9Awp3mypFwpHZPhpX8LZ7mY0RsNSmDbrnXg8Qm+9u4FAecJIKJ6N5eOhATQMUGUCD2J3VJWzIeyHq7K/e22nGCBlC5f4rlpbOW1EP8a7mkUnbU3ydhb9IW9Py8lx3oS1rZMfzuhjMjjxOICwUj6PLOumqY4dSaoqr4KV8Ska1ftlOTv4CY7T8Ps9DkaHLS9XHoxPsOeTqvmg0vsEQTsvdFymRr/m2dD0Y/MZd6N9fTjGDdzF6S5qBHOgHdqP1PoPTtCI+FNXOFIIm8sckGfT1rHIAVyS5Lh8JhSnOCk53oGmdEbWY1fZPNsfFVRmR0/ndMKA==";
const SHA1: &str = "TPXv7pBRMibTyMe2aVh0WU5zzzHoKBSknZrbnSk1luf5MRdshAUBeOBJn3/HSegLtFKKuPCtrjpdTXoInZ59w7YynKQmz5jxMuGiYDh3ZyksOZN9Z0pAwY5SPCtezt1OSDNf4JwO/2rclf3/juq5bTONwQGXZXmgfi9mIkbVklynJS3/Kl172/Kthlb1XuqZINRUSmPKuRZRofulHv+jHbTAfwlYYrjL9LGD8xhATS/LhODnBW0xKnT+d1M821bj5kUPktQlgXxNDqw0/gN4jVOWQyOo6gq6LcxMJjMEUkjphKy/j9XLe6MYqYgYrvVo5EYHTeK8sFQIoWK1OM7CXw==";
const NO_SUBJECT: &str = "mFfmZKR4LSNIL/zmTVBTC1AKhaeIXC9ar2BMAd6fTbEI/twtYDHn8J8KeALqtlQ8SyXS69fr8Hj23mfFNUB7bRJ89v5Vspa/HkK/4UUnALo5QnrA9C9Ma3Lm7Kj9/Uo2wAEBSJBWZK/zFlWP1LJXUShyttWR9hEDa4p8wdE5WBsBhMaPKkB8Q0w+e5SyGyKsQLBRSrkzp2ig87cVfP4F+XR2UX2j5gvYge7QugT0ifi1wl4MRV4iIsdrhF+TlZ/0HDILe8mp2xjm/ToYCYLnEJJU4GgL9l1v04vbcwDBEQKTj0e9J+bo6tvoAWsue7EkLlmay7wY58CesGANK4wZBQ==";
const HANDSHAKE: &str = "Hpf9po1iZ+d7JZIGOevau0PRcTQqJGNFHT2mAD4z8HITBP+lCK9OLAffL+wV2jn+4E2TEQDswO5DDmlq5OHjdlwYFvLrc4mEMKxyEcdoSj/WKb1+LT8+zYjDpxr+Da8/FLnHR4C9H9d7UEF8POB+RxA5JcgKpJoxcY/M+CeLiAmD/+6Nyk8YDrb73JgIqLV2L1Ejb8HkVhtkVj1vwMIagSh13cUN/T1mHISnewRfAaJgzHQn0/UcwWD1l2no6gidCADI6R1L0sZGrXya5raTpmXixThtbTeZ2+aFZIYUhgGfb51Ah9POBnvqfZnR8WOlw8R+PXY7i2pzVBfzgmHfSA==";
const SMN: &str = "CElzTLiT/rOzW7jUHhvl6C8P3kHP/9q6E2Rlg/Ezs6Dc4nrb3atE40DFgQbkcODtVd2Gx+eBqKjVgupDED6yVUkemV1sYYGgH5/ijSKNkVkcKEuf+S3W9oVZYl+5VICX8ZWvAlFy+bltZ6hqyH+zmteJ479GrxVz2LHFxVtHOc5BfWxLepg4x1uCqg8j889YkYdD/hX8iF/y3fVpue+r/ZXEnYeN8ecIihTV2Jd4A5jRjP5A8mbiX3m4h/1IIA8cfDmRTOLqdDSohjRcuKUyYu2zA4aGyJgcfG/8HY3/xwDli+mmsPhfgeFjl5vhN+lPnq85OEXMpVyL4IuKD2VlKg==";
const SMN_WITHOUT_LAST_LINE_END: &str = "FuvUCIEtVnpLVsJPrA96biP7cJTJZzQfKT+EEndBJt79Ha08ka7AHlyMbfSXW1azBAu9uUVqtdD2EqxZmWQTElqKNpzOhhmHMRd7HlhjCk+4KmjefzXbCixHElXcSnRlO17q0pdzIzY7a0mF3QdGrkg9Lu3lu0gyc/qezwh9Ug4naMdtU+S0Ihu2sfTVo2oqYiQBPMdy4Ik2BUiHFZ1sYwZCuTCVOEsV0xrLJILJG8swPeLv4eNQjwuLlYpeJmrJnj7IRW/EbT5l/2oG/9PVm+yOa2N4sjcEoyFrQy9DkXE3uoIB0BQIZjU+GFyKzTc/6s9cj5Fi+YwdYg/XlSJa4A==";

fn sources(written: &str) -> Vec<Source> {
    let text = format!(
        "wecom: {{ webhooks: {{ g: {{ key: 11111111-2222-4333-8444-555555555555 }} }} }}\n\
         receivers: {{ ops: {{ targets: [ {{ webhook: g }} ] }} }}\nsources: {{ cloud: {{ {written} }} }}\n"
    );
    Config::parse(&text, Path::new("wegraf.yaml")).unwrap_or_else(|mistakes| panic!("{mistakes:?}")).0.sources
}

fn sns() -> Vec<Source> {
    sources("sns: { topics: ['arn:aws:sns:x:0:t'] }")
}

fn smn() -> Vec<Source> {
    sources("smn: { topics: ['urn:smn:x:0:t'] }")
}

/// The kind that proves it, or why it does not.
fn outcome(sources: &[Source], body: &Json, at: i64) -> Result<Kind, Why> {
    let certificate = Arc::new(Certificate::read(PEM.as_bytes()).unwrap());
    let certificates: Certificates = [SNS_URL, SMN_URL].map(|url| (url.to_owned(), certificate.clone())).into();
    let headers: HeaderMap = [("content-type".parse().unwrap(), HeaderValue::from_static("text/plain; charset=UTF-8"))]
        .into_iter()
        .collect();
    let uri = Uri::from_static("/webhook");
    let request = Presented { method: &Method::POST, uri: &uri, headers: &headers, peer: None, shown: None };
    assert_eq!(could_prove(sources, &request).map(drop), Ok(()), "refused unread");
    let body = body.to_string();
    prove(sources, &request, body.as_bytes(), &certificates, Timestamp(at))
        .map(|proven| proven.kind)
        .map_err(|unproven| unproven.why)
}

fn notification(version: &str, signature: &str) -> Json {
    json!({
        "Type": "Notification", "MessageId": "m1", "TopicArn": "arn:aws:sns:x:0:t", "Subject": "s1", "Message": "hi 密",
        "Timestamp": "2026-11-30T00:00:00.000Z", "SignatureVersion": version, "Signature": signature,
        "SigningCertURL": SNS_URL, "UnsubscribeURL": "https://sns.x.amazonaws.com/?Action=Unsubscribe",
    })
}

fn with(mut body: Json, name: &str, value: impl Into<Json>) -> Json {
    body[name] = value.into();
    body
}

#[test]
fn an_envelope_of_sns_proves_its_topic() {
    assert_eq!(outcome(&sns(), &notification("2", SHA256), SIGNED_AT), Ok(Kind::Sns));
    assert_eq!(outcome(&sns(), &notification("1", SHA1), SIGNED_AT), Ok(Kind::Sns));
    let mut unnamed = notification("2", NO_SUBJECT);
    assert_eq!(outcome(&sns(), &with(unnamed.clone(), "Subject", Json::Null), SIGNED_AT), Ok(Kind::Sns));
    unnamed.as_object_mut().unwrap().remove("Subject");
    assert_eq!(outcome(&sns(), &unnamed, SIGNED_AT), Ok(Kind::Sns));
}

#[test]
fn what_differs_from_what_was_signed_proves_nothing() {
    let good = || notification("2", SHA256);
    for (body, why) in [
        (with(good(), "Message", "other"), Why::Signature),
        (with(good(), "Subject", "other"), Why::Signature),
        (with(good(), "Signature", "AAAA"), Why::Signature),
        (with(good(), "Signature", "no base64!"), Why::Signature),
        (with(good(), "SignatureVersion", "1"), Why::Signature),
        (with(good(), "SignatureVersion", "3"), Why::Signature),
        (with(good(), "Type", "SubscriptionConfirmation"), Why::Signature),
        (with(good(), "TopicArn", "arn:aws:sns:x:0:other"), Why::Topic),
        (with(good(), "SigningCertURL", "https://sns.evil.example.com/x.pem"), Why::Certificate),
        (
            with(good(), "SigningCertURL", "https://sns.x.amazonaws.com/y.pem"),
            Why::CertificateNeeded("https://sns.x.amazonaws.com/y.pem".to_owned()),
        ),
        (with(good(), "Timestamp", "yesterday"), Why::Missing),
        (json!({ "title": "x" }), Why::Missing),
        (json!([1]), Why::Missing),
    ] {
        assert_eq!(outcome(&sns(), &body, SIGNED_AT), Err(why), "{body}");
    }
    let hour = 3_600_000;
    assert_eq!(outcome(&sns(), &good(), SIGNED_AT + hour), Ok(Kind::Sns));
    assert_eq!(outcome(&sns(), &good(), SIGNED_AT + hour + 1000), Err(Why::Stale { behind_seconds: 3601 }));
    assert_eq!(outcome(&sns(), &good(), SIGNED_AT - 30 * 24 * hour), Err(Why::Certificate), "it was not made then");
}

#[test]
fn certificates_come_from_the_vendor_only() {
    for url in [
        "http://sns.x.amazonaws.com/a.pem",
        "https://sns.x.amazonaws.com/a.pem?x",
        "https://sns.x.amazonaws.com.evil.com/a.pem",
        "https://evil.com/sns.x.amazonaws.com/a.pem",
        "https://sns.x.y.amazonaws.com/a.pem",
        "https://sns..amazonaws.com/a.pem",
        "https://u@sns.x.amazonaws.com/a.pem",
        "https://sns.x.amazonaws.com:8443/a.pem",
        "https://sns.x.amazonaws.com/a.txt",
        "file:///etc/passwd.pem",
        "https://169.254.169.254/a.pem",
    ] {
        let body = with(notification("2", SHA256), "SigningCertURL", url);
        let found = outcome(&sns(), &body, SIGNED_AT);
        // A query does no harm: the host is the vendor's.
        let needed = Err(Why::CertificateNeeded(url.to_owned()));
        assert!(found == Err(Why::Certificate) || url.ends_with("?x") && found == needed, "{url}: {found:?}");
    }
    let china = "https://sns.cn-north-1.amazonaws.com.cn/a.pem";
    let body = with(notification("2", SHA256), "SigningCertURL", china);
    assert_eq!(outcome(&sns(), &body, SIGNED_AT), Err(Why::CertificateNeeded(china.to_owned())));
}

fn smn_notification(subject: &str, signature: &str) -> Json {
    json!({
        "type": "Notification", "message_id": "m1", "topic_urn": "urn:smn:x:0:t", "subject": subject, "message": "hi",
        "timestamp": "2026-11-30T00:00:00Z", "signature_version": "v1", "signature": signature, "signing_cert_url": SMN_URL,
    })
}

#[test]
fn an_envelope_of_smn_proves_its_topic_with_or_without_the_last_line_end() {
    assert_eq!(outcome(&smn(), &smn_notification("s1", SMN), SIGNED_AT), Ok(Kind::Smn));
    assert_eq!(outcome(&smn(), &smn_notification("", SMN_WITHOUT_LAST_LINE_END), SIGNED_AT), Ok(Kind::Smn));
    assert_eq!(outcome(&smn(), &smn_notification("s2", SMN), SIGNED_AT), Err(Why::Signature));
    let body = with(smn_notification("s1", SMN), "signing_cert_url", "https://smn.myhuaweicloud.com.evil.com/x.pem");
    assert_eq!(outcome(&smn(), &body, SIGNED_AT), Err(Why::Certificate));
    let body = with(smn_notification("s1", SMN), "signing_cert_url", "https://evilmyhuaweicloud.com/x.pem");
    assert_eq!(outcome(&smn(), &body, SIGNED_AT), Err(Why::Certificate));
}

#[test]
fn only_a_handshake_with_a_link_of_the_vendor_is_confirmed() {
    let envelope = Envelope { vendor: Vendor::Sns, topics: Vec::new(), hosts: Vec::new(), confirm: true };
    let link = "https://sns.x.amazonaws.com/?Action=ConfirmSubscription&Token=abc";
    let handshake = json!({
        "Type": "SubscriptionConfirmation", "MessageId": "m2", "Token": "abc", "TopicArn": "arn:aws:sns:x:0:t", "Message": "m",
        "SubscribeURL": link, "Timestamp": "2026-11-30T00:00:00.000Z", "SignatureVersion": "2", "Signature": HANDSHAKE,
        "SigningCertURL": SNS_URL,
    });
    assert_eq!(outcome(&sns(), &handshake, SIGNED_AT), Ok(Kind::Sns));
    let confirmed = |body: Json| confirmation(&envelope, body.to_string().as_bytes());
    assert_eq!(confirmed(handshake.clone()).as_deref(), Some(link));
    assert_eq!(confirmed(with(handshake.clone(), "SubscribeURL", "https://evil.example.com/")), None);
    assert_eq!(confirmed(with(handshake.clone(), "SubscribeURL", "http://sns.x.amazonaws.com/")), None);
    assert_eq!(confirmed(with(handshake, "Type", "UnsubscribeConfirmation")), None, "that would end it");
    assert_eq!(confirmed(with(notification("2", SHA256), "SubscribeURL", link)), None);
}
