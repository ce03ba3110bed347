//! Certificates that senders show. The handshake proved that the sender has the key; here it is decided whose certificate it
//! is.

use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use x509_cert::der::Decode as _;
use x509_cert::der::asn1::ObjectIdentifier;

use super::{Outcome, Why};
use crate::config::Authority;

/// `commonName`
const ALTERNATIVE_NAMES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const CN: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// What a connection showed, and when that is judged.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The certificate, then those between it and the authority.
    pub chain: Vec<CertificateDer<'static>>,
    /// The time for which it has to be valid.
    pub now: UnixTime,
}

pub(super) fn examine(authority: &Authority, shown: Option<&Shown>) -> Outcome {
    let Some((first, between)) = shown.and_then(|shown| shown.chain.split_first()) else { return Outcome::MISSING };
    let now = shown.map_or(UnixTime::since_unix_epoch(std::time::Duration::ZERO), |shown| shown.now);
    let issued = authority.verifier.verify_client_cert(first, between, now).is_ok();
    if issued && authority.name.as_deref().is_none_or(|name| is_for(first, name)) {
        Outcome::Proven(None)
    } else {
        Outcome::Failed { why: Why::Unknown, meant: false }
    }
}

/// Is the certificate for this name: one of its alternative names? Only without any of them the common name of its
/// subject counts: authorities check the former, and some let the requester choose the latter.
fn is_for(certificate: &CertificateDer<'_>, name: &str) -> bool {
    let alternative = ParsedCertificate::try_from(certificate)
        .ok()
        .zip(ServerName::try_from(name).ok())
        .is_some_and(|(parsed, name)| verify_server_name(&parsed, &name).is_ok());
    alternative || common_name(certificate).is_some_and(|common| common == name)
}

/// The common name of a certificate without alternative names.
fn common_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let parsed = x509_cert::Certificate::from_der(certificate.as_ref()).ok()?;
    if parsed.tbs_certificate.extensions.iter().flatten().any(|extension| extension.extn_id == ALTERNATIVE_NAMES) {
        return None;
    }
    let mut parts = parsed.tbs_certificate.subject.0.iter().flat_map(|part| part.0.iter());
    let common = parts.find(|part| part.oid == CN)?;
    std::str::from_utf8(common.value.value()).ok().map(str::to_owned)
}
