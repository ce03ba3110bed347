//! The proof of a source: which configured sender may have sent this. Reads secrets, says nothing about them.
//!
//! Pure: time, address and certificates come in. Every proof of every source is tried, whether or not one has held
//! already, and secrets are compared by their digests, so that the time taken tells nothing about them.

mod client_cert;
mod envelope;
mod replay;
mod signature;
mod words;

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::ops::Range;

use axum::http::{HeaderMap, Method, Uri, header::AUTHORIZATION};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use crate::alert::Timestamp;
use crate::config::{Proof, Source};
use crate::words::Words;
pub use client_cert::Shown;
pub use envelope::{Certificate, Certificates, confirmation};
pub use replay::{Replays, Seen};

/// The parts of a path that stand before a token: `/webhook/t/TOKEN` and `/webhook/t/TOKEN/RECEIVER`.
const PATH_TOKEN: [&str; 2] = ["webhook", "t"];

/// What a request shows before its body: all that a credential can stand in, or a signature cover.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Path and query as sent.
    pub uri: &'a Uri,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Who sent it, behind the proxies that the configuration trusts. `None`: not known; no list of addresses holds.
    pub peer: Option<IpAddr>,
    /// What was shown in the handshake of TLS.
    pub shown: Option<&'a Shown>,
}

/// The kind of credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A token in `Authorization` behind a scheme.
    Bearer,
    /// User and password.
    Basic,
    /// A header whose whole value is the credential.
    Header,
    /// A token in the query.
    Query,
    /// A token in the path.
    Path,
    /// A signature with a shared secret.
    Hmac,
    /// A signature of Amazon SNS.
    Sns,
    /// A signature of Huawei SMN.
    Smn,
    /// A certificate, shown in the handshake of TLS.
    ClientCert,
    /// The address of the sender.
    Addresses,
}

impl Kind {
    /// As it is called in the configuration, in log lines and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bearer => "bearer",
            Self::Basic => "basic",
            Self::Header => "header",
            Self::Query => "query",
            Self::Path => "path",
            Self::Hmac => "hmac",
            Self::Sns => "sns",
            Self::Smn => "smn",
            Self::ClientCert => "client_cert",
            Self::Addresses => "addresses",
        }
    }
}

/// Why a credential proves nothing, the least telling reason first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// None was given.
    Missing,
    /// No source has it.
    Unknown,
    /// The signature is not of this content and secret.
    Signature,
    /// The sender's address is not on the list.
    Address,
    /// The topic is not on the list.
    Topic,
    /// The envelope names no certificate that may be trusted.
    Certificate,
    /// It cannot be judged before the certificate at this URL, which is the vendor's, has been fetched.
    CertificateNeeded(String),
    /// The signature is right, and its time is too far from ours.
    Stale {
        /// By how many seconds the signed time is behind ours; negative: ahead.
        behind_seconds: i64,
    },
    /// The signature is right, and the same request was taken at another address.
    Replayed,
}

impl Why {
    /// One word for metrics and the record.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unknown => "unknown",
            Self::Signature => "signature",
            Self::Address => "address",
            Self::Topic => "topic",
            Self::Certificate | Self::CertificateNeeded(_) => "certificate",
            Self::Stale { .. } => "stale",
            Self::Replayed => "replayed",
        }
    }
}

impl Why {
    /// The reason for operators.
    pub fn words(&self) -> Words {
        words::why(self)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", words::why(self))
    }
}

/// A source that has proven itself.
#[derive(Debug, Clone)]
pub struct Proven<'a> {
    /// The first of those that the request proves.
    pub source: &'a Source,
    /// By which kind of credential.
    pub kind: Kind,
    /// Set if the credential is good for one request only.
    pub once: Option<Once>,
}

/// A signature with a time: it is good for one request, and for repeats of that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// Digest of secret, signature and body: some senders sign the minute, and send several texts in one.
    pub digest: [u8; 32],
    /// After that the signature is stale, and need not be remembered.
    pub until: Timestamp,
}

/// Why no source is proven: the most telling reason among all that were tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unproven {
    /// The name of the source that was meant, if that can be told.
    pub source: Option<String>,
    /// The kind of credential that was tried; `None` if none was given.
    pub kind: Option<Kind>,
    /// The reason of the failure.
    pub why: Why,
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.why)
    }
}

/// The result of one proof.
enum Outcome {
    Proven(Option<Once>),
    /// Only the body can tell.
    NeedsBody,
    Failed {
        why: Why,
        /// It is this source that was meant: the user name fits, or the signature.
        meant: bool,
    },
}

impl Outcome {
    const MISSING: Self = Self::Failed { why: Why::Missing, meant: false };

    fn of(given: bool, right: Choice) -> Self {
        match (bool::from(right), given) {
            (true, _) => Self::Proven(None),
            (false, true) => Self::Failed { why: Why::Unknown, meant: false },
            (false, false) => Self::MISSING,
        }
    }
}

/// The first source that the request with this `body`, as it arrived, proves.
pub fn prove<'a>(
    sources: &'a [Source],
    request: &Presented<'_>,
    body: &[u8],
    certificates: &Certificates,
    now: Timestamp,
) -> Result<Proven<'a>, Unproven> {
    judge(sources, &Evidence { request, body: Some(body), certificates, now })?.ok_or(Unproven {
        source: None,
        kind: None,
        why: Why::Missing,
    })
}

/// Whether reading the body is worth it: its sender is proven already, or carries a signature that only the body can
/// prove (`None`). All others are refused before any byte of the body is taken.
pub fn could_prove<'a>(sources: &'a [Source], request: &Presented<'_>) -> Result<Option<Proven<'a>>, Unproven> {
    judge(sources, &Evidence { request, body: None, certificates: &Certificates::new(), now: Timestamp(0) })
}

/// Is `text` a secret of one of these sources? For what must not show one; the time taken tells nothing.
pub fn is_secret(sources: &[Source], text: &str) -> bool {
    fn held(proof: &Proof, text: &[u8]) -> Choice {
        match proof {
            Proof::Bearer { token, .. } | Proof::Path(token) => secret(text, token),
            Proof::Basic { password, .. } => secret(text, password),
            Proof::Header { value, .. } | Proof::Query { value, .. } => secret(text, value),
            Proof::Hmac(signing) => same(text, signing.secret.expose_secret()),
            Proof::Envelope(_) | Proof::ClientCert(_) | Proof::Addresses(_) => Choice::from(0),
            Proof::All(proofs) => proofs.iter().fold(Choice::from(0), |found, proof| found | held(proof, text)),
        }
    }
    let proofs = sources.iter().flat_map(|source| &source.proofs);
    proofs.fold(Choice::from(0), |found, proof| found | held(proof, text.as_bytes())).into()
}

/// What there is to judge by.
struct Evidence<'a> {
    request: &'a Presented<'a>,
    /// `None`: not read yet.
    body: Option<&'a [u8]>,
    certificates: &'a Certificates,
    now: Timestamp,
}

/// The first proven source; `Ok(None)`: the body will tell.
fn judge<'a>(sources: &'a [Source], evidence: &Evidence<'_>) -> Result<Option<Proven<'a>>, Unproven> {
    let mut proven = None;
    let mut open = false;
    let mut failures: Vec<(Why, bool, Kind, &str)> = Vec::new();
    for source in sources {
        let placed = source.addresses.is_empty() || among(&source.addresses, evidence.request.peer);
        for proof in &source.proofs {
            match examine(proof, evidence) {
                (kind, Outcome::Failed { why, meant }) => failures.push((why, meant, kind, &source.name)),
                (_, _) if !placed => failures.push((Why::Address, true, Kind::Addresses, &source.name)),
                (kind, Outcome::Proven(once)) if proven.is_none() => proven = Some(Proven { source, kind, once }),
                (_, Outcome::Proven(_)) => {}
                (_, Outcome::NeedsBody) => open = true,
            }
        }
    }
    if proven.is_some() || open {
        return Ok(proven);
    }
    Err(most_telling(&failures))
}

fn most_telling(failures: &[(Why, bool, Kind, &str)]) -> Unproven {
    let best = failures.iter().max_by_key(|(why, meant, ..)| (why, *meant));
    let Some((why, meant, kind, name)) = best.filter(|(why, ..)| *why != Why::Missing) else {
        return Unproven { source: None, kind: None, why: Why::Missing };
    };
    // A wrong token names no source, unless only one source has such a credential.
    let alone = failures.iter().all(|(other, _, _, of)| other != why || of == name);
    Unproven { source: (*meant || alone).then(|| (*name).to_owned()), kind: Some(*kind), why: why.clone() }
}

fn examine(proof: &Proof, evidence: &Evidence<'_>) -> (Kind, Outcome) {
    let request = evidence.request;
    match proof {
        Proof::Bearer { scheme, token } => {
            let given = credentials(request.headers, scheme);
            (Kind::Bearer, Outcome::of(!given.is_empty(), secret(given, token)))
        }
        Proof::Basic { username, password } => (Kind::Basic, basic(request.headers, username, password)),
        Proof::Header { name, value } => {
            let given = header(request.headers, name);
            (Kind::Header, Outcome::of(!given.is_empty(), secret(given, value)))
        }
        Proof::Query { name, value } => {
            let given = query(request.uri, name);
            let right = given.iter().fold(Choice::from(0), |right, given| right | secret(given.as_bytes(), value));
            (Kind::Query, Outcome::of(!given.is_empty(), right))
        }
        Proof::Path(token) => {
            let given = path_token(request.uri.path()).map(|at| decoded(&request.uri.path()[at])).unwrap_or_default();
            (Kind::Path, Outcome::of(!given.is_empty(), secret(given.as_bytes(), token)))
        }
        Proof::Hmac(hmac) => (Kind::Hmac, signature::examine(hmac, evidence)),
        Proof::Envelope(envelope) => (envelope.vendor.kind(), envelope::examine(envelope, evidence)),
        Proof::ClientCert(authority) => (Kind::ClientCert, client_cert::examine(authority, request.shown)),
        Proof::Addresses(networks) => (
            Kind::Addresses,
            if among(networks, request.peer) {
                Outcome::Proven(None)
            } else {
                Outcome::Failed { why: Why::Address, meant: false }
            },
        ),
        Proof::All(proofs) => all(proofs, evidence),
    }
}

/// All of `proofs` must hold. An address alone is no attempt: what else was given decides what is told.
fn all(proofs: &[Proof], evidence: &Evidence<'_>) -> (Kind, Outcome) {
    let outcomes: Vec<(Kind, Outcome)> = proofs.iter().map(|proof| examine(proof, evidence)).collect();
    let kind = outcomes.first().map_or(Kind::Addresses, |(kind, _)| *kind);
    let (mut once, mut needs_body, mut failed) = (None, false, None);
    for (kind, outcome) in outcomes {
        match outcome {
            Outcome::Proven(this) => once = once.or(this),
            Outcome::NeedsBody => needs_body = true,
            // A missing part says more than any other: without it nothing was tried.
            Outcome::Failed { why: Why::Missing, .. } => failed = Some((kind, Outcome::MISSING)),
            Outcome::Failed { .. } => failed = failed.or(Some((kind, outcome))),
        }
    }
    match (failed, needs_body) {
        (Some(failed), _) => failed,
        (None, true) => (kind, Outcome::NeedsBody),
        (None, false) => (kind, Outcome::Proven(once)),
    }
}

/// Compares digests, so that neither length nor content of the secret shows in the time taken. An empty secret
/// equals nothing.
fn same(given: &[u8], expected: &[u8]) -> Choice {
    Sha256::digest(given).ct_eq(&Sha256::digest(expected)) & Choice::from(u8::from(!expected.is_empty()))
}

fn secret(given: &[u8], expected: &SecretString) -> Choice {
    same(given, expected.expose_secret().as_bytes())
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a [u8] {
    headers.get(name).map_or(&[], |value| value.as_bytes().trim_ascii())
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

/// User and password in UTF-8; only the first colon separates, so the password may hold more.
fn basic(headers: &HeaderMap, username: &str, password: &SecretString) -> Outcome {
    let given = credentials(headers, "basic");
    let decoded = STANDARD.decode(given).unwrap_or_default();
    let colon = decoded.iter().position(|&byte| byte == b':');
    let (given_user, given_password) = colon.map_or((&[][..], &[][..]), |at| (&decoded[..at], &decoded[at + 1..]));
    let user = same(given_user, username.as_bytes());
    match Outcome::of(!given.is_empty(), user & secret(given_password, password)) {
        Outcome::Failed { why, .. } => Outcome::Failed { why, meant: user.into() },
        outcome => outcome,
    }
}

/// The values of the parameter `name`; empty ones are left out.
fn query<'a>(uri: &'a Uri, name: &str) -> Vec<Cow<'a, str>> {
    form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
        .filter(|(given, value)| given == name && !value.is_empty())
        .map(|(_, value)| value)
        .collect()
}

/// Where the token of a path like `/webhook/t/TOKEN/ops` stands in it; runs of slashes count as one.
fn path_token(path: &str) -> Option<Range<usize>> {
    let mut parts = path.split('/').scan(0, |at, part| {
        let start = *at;
        *at += part.len() + 1;
        Some((start, part))
    });
    let mut before = ["", ""];
    parts.find_map(|(start, part)| {
        if part.is_empty() {
            return None;
        }
        if before == PATH_TOKEN {
            return Some(start..start + part.len());
        }
        before = [before[1], part];
        None
    })
}

/// `text` with its percent-encoding undone; a plus stays one.
fn decoded(text: &str) -> Cow<'_, str> {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy()
}

fn among(networks: &[crate::config::Network], peer: Option<IpAddr>) -> bool {
    peer.is_some_and(|peer| networks.iter().any(|network| network.holds(peer)))
}

#[cfg(test)]
mod tests;
