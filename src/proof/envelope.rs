//! Envelopes that clouds sign with RSA and a certificate of their own: Amazon SNS and Huawei SMN.
//!
//! The certificate is fetched by the caller, from the vendor only ([`is_vendors`]), and is handed in.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RsaParameters, UnparsedPublicKey,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Map, Value};
use x509_cert::der::Decode as _;
use x509_cert::der::asn1::ObjectIdentifier;

use super::{Evidence, Outcome, Presented, Why, header};
use crate::alert::Timestamp;
use crate::config::{Envelope, Vendor, moment};

/// How far the time in an envelope may be from ours: SNS tries for an hour.
const TOLERANCE_MS: i64 = 60 * 60 * 1000;
/// `rsaEncryption`
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// Certificates of vendors by the URL that they were fetched from.
pub type Certificates = HashMap<String, Arc<Certificate>>;

/// A certificate that signs envelopes.
#[derive(Debug)]
pub struct Certificate {
    /// Its RSA key (PKCS #1).
    key: Vec<u8>,
    /// The algorithm that it was signed with itself; SMN signs with the same.
    algorithm: ObjectIdentifier,
    not_before: Timestamp,
    not_after: Timestamp,
}

impl Certificate {
    /// The first certificate in a PEM text; `None` if there is none, or its key is no RSA key.
    pub fn read(pem: &[u8]) -> Option<Self> {
        let der = CertificateDer::from_pem_slice(pem).ok()?;
        let certificate = x509_cert::Certificate::from_der(der.as_ref()).ok()?;
        let signed = &certificate.tbs_certificate;
        let info = &signed.subject_public_key_info;
        (info.algorithm.oid == RSA).then(|| Self {
            key: info.subject_public_key.raw_bytes().to_vec(),
            algorithm: certificate.signature_algorithm.oid,
            not_before: moment(signed.validity.not_before),
            not_after: moment(signed.validity.not_after),
        })
    }

    fn verifies(&self, with: &'static RsaParameters, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(with, &self.key).verify(message, signature).is_ok()
    }
}

pub(super) fn examine(envelope: &Envelope, evidence: &Evidence<'_>) -> Outcome {
    let Some(body) = evidence.body else {
        return if announced(envelope.vendor, evidence.request) { Outcome::NeedsBody } else { Outcome::MISSING };
    };
    let Some(sent) = Sent::read(envelope.vendor, body) else { return Outcome::MISSING };
    let failed = |why: Why| Outcome::Failed { why, meant: true };
    if !envelope.topics.iter().any(|topic| *topic == sent.topic()) {
        return failed(Why::Topic);
    }
    let url = sent.text(envelope.vendor.names().certificate);
    if !is_certificate_url(envelope, url) {
        return failed(Why::Certificate);
    }
    let Some(certificate) = evidence.certificates.get(url) else {
        return failed(Why::CertificateNeeded(url.to_owned()));
    };
    if !(certificate.not_before..=certificate.not_after).contains(&evidence.now) {
        return failed(Why::Certificate);
    }
    if !sent.is_signed_by(certificate) {
        return failed(Why::Signature);
    }
    let behind = evidence.now.0.saturating_sub(sent.at.0);
    if behind.saturating_abs() > TOLERANCE_MS {
        return failed(Why::Stale { behind_seconds: behind / 1000 });
    }
    Outcome::Proven(None)
}

/// Does the head say that an envelope follows?
fn announced(vendor: Vendor, request: &Presented<'_>) -> bool {
    let typed = header(request.headers, "content-type");
    let kind = String::from_utf8_lossy(typed).to_lowercase();
    !header(request.headers, vendor.names().header).is_empty() || kind.contains("json") || kind.contains("text/plain")
}

/// The names that one vendor uses.
struct Names {
    header: &'static str,
    certificate: &'static str,
    topic: &'static str,
    kind: &'static str,
    version: &'static str,
    signature: &'static str,
    time: &'static str,
    confirm: &'static str,
    /// The signed members of a notification, in order; absent ones are left out.
    notification: &'static [&'static str],
    /// The signed members of a handshake.
    handshake: &'static [&'static str],
}

const SNS: Names = Names {
    header: "x-amz-sns-message-type",
    certificate: "SigningCertURL",
    topic: "TopicArn",
    kind: "Type",
    version: "SignatureVersion",
    signature: "Signature",
    time: "Timestamp",
    confirm: "SubscribeURL",
    notification: &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
    handshake: &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"],
};

const SMN: Names = Names {
    header: "x-smn-message-type",
    certificate: "signing_cert_url",
    topic: "topic_urn",
    kind: "type",
    version: "signature_version",
    signature: "signature",
    time: "timestamp",
    confirm: "subscribe_url",
    notification: &["message", "message_id", "subject", "timestamp", "topic_urn", "type"],
    handshake: &["message", "message_id", "subscribe_url", "timestamp", "topic_urn", "type"],
};

impl Vendor {
    const fn names(self) -> &'static Names {
        match self {
            Self::Sns => &SNS,
            Self::Smn => &SMN,
        }
    }

    /// The kind of credential that its signature is.
    pub const fn kind(self) -> super::Kind {
        match self {
            Self::Sns => super::Kind::Sns,
            Self::Smn => super::Kind::Smn,
        }
    }
}

/// An envelope as it arrived.
struct Sent {
    vendor: Vendor,
    members: Map<String, Value>,
    at: Timestamp,
}

impl Sent {
    /// `None` if it is no envelope: a kind, a topic, a time or the signature is missing.
    fn read(vendor: Vendor, body: &[u8]) -> Option<Self> {
        let members: Map<String, Value> = serde_json::from_slice(body).ok()?;
        let names = vendor.names();
        let text = |name: &str| members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let at: jiff::Timestamp = text(names.time)?.parse().ok()?;
        let whole =
            [names.kind, names.topic, names.signature, names.certificate].into_iter().all(|name| text(name).is_some());
        whole.then_some(Self { vendor, at: Timestamp(at.as_millisecond()), members })
    }

    fn text(&self, name: &str) -> &str {
        self.members.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn topic(&self) -> &str {
        self.text(self.vendor.names().topic)
    }

    fn is_handshake(&self) -> bool {
        matches!(self.text(self.vendor.names().kind), "SubscriptionConfirmation" | "UnsubscribeConfirmation")
    }

    /// The text that is signed: names and values on lines of their own. An empty subject is signed by neither; SNS signs
    /// none that is null.
    fn signed(&self) -> String {
        let names = self.vendor.names();
        let parts = if self.is_handshake() { names.handshake } else { names.notification };
        let mut text = String::new();
        for &name in parts {
            let value = self.members.get(name).and_then(Value::as_str);
            if let Some(value) = value.filter(|value| self.vendor == Vendor::Sns || !value.is_empty()) {
                text.extend([name, "\n", value, "\n"]);
            }
        }
        text
    }

    fn is_signed_by(&self, certificate: &Certificate) -> bool {
        let Some(with) = self.algorithm(certificate) else { return false };
        let Ok(signature) = STANDARD.decode(self.text(self.vendor.names().signature)) else { return false };
        let message = self.signed();
        let whole = certificate.verifies(with, message.as_bytes(), &signature);
        // Whether SMN signs the last line end is not documented.
        whole
            || self.vendor == Vendor::Smn
                && certificate.verifies(with, message.trim_end_matches('\n').as_bytes(), &signature)
    }

    fn algorithm(&self, certificate: &Certificate) -> Option<&'static RsaParameters> {
        match (self.vendor, self.text(self.vendor.names().version)) {
            (Vendor::Sns, "1") => Some(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY),
            (Vendor::Sns, "2") => Some(&RSA_PKCS1_2048_8192_SHA256),
            (Vendor::Smn, "v1") => match certificate.algorithm.to_string().as_str() {
                "1.2.840.113549.1.1.11" => Some(&RSA_PKCS1_2048_8192_SHA256),
                "1.2.840.113549.1.1.12" => Some(&RSA_PKCS1_2048_8192_SHA384),
                "1.2.840.113549.1.1.13" => Some(&RSA_PKCS1_2048_8192_SHA512),
                _ => None,
            },
            _ => None,
        }
    }
}

fn is_certificate_url(envelope: &Envelope, url: &str) -> bool {
    let is_pem = |url: reqwest::Url| Path::new(url.path()).extension().is_some_and(|kind| kind == "pem");
    is_vendors(envelope, url) && reqwest::Url::parse(url).is_ok_and(is_pem)
}

/// Does this URL lead to the vendor, and nowhere else: https, the vendor's host, no user, no port?
fn is_vendors(envelope: &Envelope, url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    let plain =
        url.scheme() == "https" && url.username().is_empty() && url.password().is_none() && url.port().is_none();
    let Some(host) = url.host_str().filter(|_| plain) else { return false };
    match envelope.vendor {
        Vendor::Sns => {
            let middle = host.strip_prefix("sns.").and_then(|rest| {
                rest.strip_suffix(".amazonaws.com").or_else(|| rest.strip_suffix(".amazonaws.com.cn"))
            });
            middle.is_some_and(|region| {
                !region.is_empty() && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            })
        }
        Vendor::Smn => envelope.hosts.iter().any(|domain| {
            host.strip_suffix(domain.as_str()).is_some_and(|before| before.is_empty() || before.ends_with('.'))
        }),
    }
}

/// The URL that confirms a subscription, if `body` is a handshake and the URL is the vendor's.
pub fn confirmation(envelope: &Envelope, body: &[u8]) -> Option<String> {
    let sent = Sent::read(envelope.vendor, body)?;
    let names = envelope.vendor.names();
    let url = sent.text(names.confirm);
    (sent.text(names.kind) == "SubscriptionConfirmation" && is_vendors(envelope, url)).then(|| url.to_owned())
}
