//! The proofs of a source, as the running program uses them.

use std::sync::Arc;
use std::time::Duration;

use rustls::server::danger::ClientCertVerifier;
use schemars::JsonSchema;
use secrecy::{SecretSlice, SecretString};
use serde::Deserialize;

use super::Network;

/// A credential that a request carries.
#[derive(Debug, Clone)]
pub enum Proof {
    /// A token in `Authorization`, behind a scheme.
    Bearer {
        /// `Bearer` unless the configuration says otherwise; upper and lower case are the same.
        scheme: String,
        /// The token.
        token: SecretString,
    },
    /// `Authorization: Basic …`
    Basic {
        /// User name.
        username: String,
        /// Password.
        password: SecretString,
    },
    /// A header whose whole value is the credential.
    Header {
        /// Its name.
        name: String,
        /// Its value.
        value: SecretString,
    },
    /// A parameter of the query.
    Query {
        /// Its name.
        name: String,
        /// Its value.
        value: SecretString,
    },
    /// A token in the path: `/webhook/t/TOKEN`.
    Path(SecretString),
    /// A signature with a shared secret.
    Hmac(Box<Signing>),
    /// An envelope that a cloud signs with a certificate of its own.
    Envelope(Envelope),
    /// A certificate that the sender shows in the handshake of TLS.
    ClientCert(Authority),
    /// The sender's address.
    Addresses(Vec<Network>),
    /// All of these at once.
    All(Vec<Proof>),
}

/// Who issues the certificates of a source, and for whom.
#[derive(Debug, Clone)]
pub struct Authority {
    /// Checks the chain, its time and its use.
    pub verifier: Arc<dyn ClientCertVerifier>,
    /// The name that has to be in the certificate; `None`: any.
    pub name: Option<String>,
}

/// Accepted envelopes of a cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The cloud.
    pub vendor: Vendor,
    /// The accepted topics; at least one.
    pub topics: Vec<String>,
    /// Domains of the vendor, from which certificates may be fetched; SNS has its own rule.
    pub hosts: Vec<String>,
    /// Confirm subscriptions automatically.
    pub confirm: bool,
}

/// Clouds that sign their notifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vendor {
    /// Amazon SNS.
    Sns,
    /// Huawei SMN.
    Smn,
}

/// A signature with a shared secret: HMAC over parts of the request.
#[derive(Debug, Clone)]
pub struct Signing {
    /// The secret.
    pub secret: SecretSlice<u8>,
    /// The parts of the key: the secret, unless the sender does otherwise.
    pub key: Vec<Part>,
    /// The signed parts.
    pub signed: Vec<Part>,
    /// Hash function.
    pub algorithm: Algorithm,
    /// The place of the signature.
    pub signature: Carrier,
    /// The prefix of each signature; others are ignored.
    pub prefix: String,
    /// The encoding of the signature.
    pub encoding: Encoding,
    /// The separator between several signatures of one request; `None`: there is only one.
    pub several: Option<char>,
    /// The signed time; `None`: there is none, so that a request can be replayed.
    pub time: Option<SignedTime>,
}

/// The signed time of a request.
#[derive(Debug, Clone)]
pub struct SignedTime {
    /// Its place.
    pub carrier: Carrier,
    /// Its unit.
    pub unit: TimeUnit,
    /// Its largest difference from ours, before or after.
    pub tolerance: Duration,
}

/// The place of a value in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carrier {
    /// In the header of this name.
    Header(String),
    /// In the parameter of this name.
    Query(String),
    /// In this member of the body, which is a JSON object.
    Body(String),
}

/// A signed part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// These characters.
    Text(String),
    /// `POST`
    Method,
    /// The path as sent, without the query.
    Path,
    /// The query as sent, without the question mark.
    Query,
    /// The signed time as sent.
    Timestamp,
    /// The value of a header.
    Header(String),
    /// The secret.
    Secret,
    /// The body as sent.
    Body,
}

/// 哈希算法。Hash functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// 只为还在用它的发送方。Only for senders that still use it.
    Sha1,
    /// SHA-256
    #[default]
    Sha256,
    /// SHA-384
    Sha384,
    /// SHA-512
    Sha512,
}

impl Algorithm {
    /// The name that senders put in front of a signature.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }
}

/// 签名的写法。How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// 十六进制，大小写都行。Hexadecimal, in either case.
    #[default]
    Hex,
    /// Base64
    Base64,
    /// URL 安全的 Base64。Base64 for URLs.
    Base64url,
}

/// 时间戳的单位。Unit of the signed time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TimeUnit {
    /// 秒。Seconds.
    #[default]
    S,
    /// 毫秒。Milliseconds.
    Ms,
}
