//! The address of the database, and how the connection is encrypted.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::store::StoreError;
use crate::store::words;
use crate::words::Words;

/// Longest time to establish a connection.
pub(super) const CONNECT: Duration = Duration::from_secs(5);
/// A server that acknowledges nothing for this long counts as gone.
const SILENCE: Duration = Duration::from_secs(15);

/// The address of a database, ready to connect.
pub(super) struct Address {
    config: tokio_postgres::Config,
    tls: MakeRustlsConnect,
    /// For operators to read: without user and password.
    pub place: PathBuf,
}

impl Address {
    /// Parses `postgres://user:password@host:port/database?…`. `sslmode` means the same as in libpq: `disable`,
    /// `prefer` (the default: encrypted if the server can, without verifying it) or `require`; but `require`, like
    /// `verify-ca` and `verify-full`, verifies the server's name against the system's roots, or against those in
    /// `sslrootcert`.
    pub fn parse(url: &str) -> Result<Self, StoreError> {
        let (url, roots) = split(url);
        let mut config: tokio_postgres::Config = url.parse().map_err(|error: tokio_postgres::Error| {
            let reason = std::error::Error::source(&error).map_or_else(String::new, ToString::to_string);
            refused(Path::new("postgres://"), words::wrong_address(&reason))
        })?;
        let place = place(&config);
        config.connect_timeout(CONNECT).tcp_user_timeout(SILENCE).keepalives_idle(SILENCE);
        if config.get_application_name().is_none() {
            config.application_name("wegraf");
        }
        if config.get_hosts().len() > 1 {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        let tls = tls(config.get_ssl_mode(), roots.as_deref()).map_err(|reason| refused(&place, reason))?;
        Ok(Self { config, tls: MakeRustlsConnect::new(tls), place })
    }

    /// A connection and the task that drives it.
    pub async fn connect(
        &self,
    ) -> Result<
        (tokio_postgres::Client, tokio_postgres::Connection<tokio_postgres::Socket, Stream>),
        tokio_postgres::Error,
    > {
        self.config.connect(self.tls.clone()).await
    }
}

/// The TLS stream of a connection.
pub(super) type Stream = <MakeRustlsConnect as tokio_postgres::tls::MakeTlsConnect<tokio_postgres::Socket>>::Stream;

/// The error for a database that cannot be opened.
pub(super) fn refused(place: &Path, reason: impl Into<Words>) -> StoreError {
    StoreError::refused(place, reason)
}

/// Removes the parts of an address that the driver does not know: the roots, and the modes that are `require` here.
fn split(url: &str) -> (String, Option<PathBuf>) {
    let Some((base, query)) = url.split_once('?') else { return (url.to_owned(), None) };
    let mut roots = None;
    let kept: Vec<&str> = query
        .split('&')
        .filter_map(|pair| match pair {
            "sslmode=verify-ca" | "sslmode=verify-full" => Some("sslmode=require"),
            _ => match pair.strip_prefix("sslrootcert=") {
                Some(path) => {
                    roots = Some(PathBuf::from(path.replace("%2F", "/").replace("%2f", "/")));
                    None
                }
                None => Some(pair),
            },
        })
        .collect();
    let kept = if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
    (kept, roots)
}

fn place(config: &tokio_postgres::Config) -> PathBuf {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        #[cfg(unix)]
        Some(Host::Unix(folder)) => folder.display().to_string(),
        None => String::new(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    PathBuf::from(format!("postgres://{host}:{port}/{}", config.get_dbname().unwrap_or_default()))
}

fn tls(mode: SslMode, roots: Option<&Path>) -> Result<ClientConfig, Words> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Words::quoted(error.to_string()))?;
    if mode != SslMode::Require {
        let verifier = Arc::new(AnyServer(provider));
        return Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth());
    }
    let mut store = RootCertStore::empty();
    match roots {
        None => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Some(path) => {
            let wrong =
                |error: &dyn std::fmt::Display| Words::quoted(format!("sslrootcert {}: {error}", path.display()));
            for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))? {
                let certificate = certificate.map_err(|error| wrong(&error))?;
                store.add(certificate).map_err(|error| wrong(&error))?;
            }
        }
    }
    if store.is_empty() {
        return Err(words::NO_ROOTS);
    }
    Ok(builder.with_root_certificates(store).with_no_client_auth())
}

/// For `prefer`: protects against eavesdropping but accepts any certificate, as libpq does; most servers have a
/// self-signed one.
#[derive(Debug)]
struct AnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_shown_to_operators_has_no_password() {
        let address = Address::parse("postgres://me:secret@db.example.com:5433/alerts?sslmode=disable").unwrap();
        assert_eq!(address.place, Path::new("postgres://db.example.com:5433/alerts"));
        let wrong = Address::parse("postgres://me:secret@db.example.com:port/alerts").err().unwrap().to_string();
        assert!(!wrong.contains("secret"), "{wrong}");
    }

    #[test]
    fn modes_that_verify_the_server_are_all_require() {
        let (url, roots) = split("postgres://db/alerts?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem");
        assert_eq!((url.as_str(), roots), ("postgres://db/alerts?sslmode=require", Some(PathBuf::from("/etc/ca.pem"))));
        assert_eq!(split("postgres://db/alerts?sslrootcert=ca.pem").0, "postgres://db/alerts");
    }

    #[test]
    fn roots_that_cannot_be_read_are_named() {
        let wrong = Address::parse("postgres://db/alerts?sslmode=require&sslrootcert=/nowhere/ca.pem");
        assert!(wrong.err().unwrap().to_string().contains("/nowhere/ca.pem"));
    }
}
