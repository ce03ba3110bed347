//! TLS on a listener of its own: connections show the certificate of the configuration in force, so that a reload changes
//! it for new connections and closes none.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{DEFAULT_VERSIONS, DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

use super::Setup;
use crate::config::Proof;
use crate::live::Live;

/// The certificates that a connection showed, once its handshake is done.
pub(super) type Chain = Arc<OnceLock<Vec<CertificateDer<'static>>>>;

/// Shows the certificate that is in force. A listener ends only with a restart: one that a reload took from the
/// configuration goes on with its last certificate until then.
#[derive(Debug)]
struct InForce {
    setup: Live<Setup>,
    last: Mutex<Option<Arc<CertifiedKey>>>,
}

impl ResolvesServerCert for InForce {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tls) = &self.setup.now().config.listen_tls {
            *last = Some(tls.certificate.clone());
        }
        last.clone()
    }
}

/// Asks for a certificate where a source has one for its credential, and lets everybody in: that the sender has its key is
/// proven here, and whose it is when a request comes, by the configuration of that time.
#[derive(Debug)]
struct Anyone {
    setup: Live<Setup>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// Is a certificate among these?
fn has_certificate(proofs: &[Proof]) -> bool {
    proofs.iter().any(|proof| match proof {
        Proof::ClientCert(_) => true,
        Proof::All(proofs) => has_certificate(proofs),
        _ => false,
    })
}

impl ClientCertVerifier for Anyone {
    fn offer_client_auth(&self) -> bool {
        self.setup.now().config.sources.iter().any(|source| has_certificate(&source.proofs))
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Accepts TLS 1.2 and 1.3, and HTTP/1.1 in it.
pub(super) fn acceptor(setup: Live<Setup>) -> TlsAcceptor {
    let first = setup.now().config.listen_tls.as_ref().map(|tls| tls.certificate.clone());
    let provider = Arc::new(ring::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let anyone = Arc::new(Anyone { setup: setup.clone(), algorithms });
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(DEFAULT_VERSIONS);
    let builder = builder.expect("ring knows the default versions").with_client_cert_verifier(anyone);
    let mut config = builder.with_cert_resolver(Arc::new(InForce { last: Mutex::new(first), setup }));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// A connection. One with TLS shakes hands when it is first read, so that the deadline of a head bounds that, too.
pub(super) enum Stream {
    /// In the clear.
    Plain(TcpStream),
    /// In the clear, within this machine.
    Local(UnixStream),
    /// Shaking hands.
    Greeting(Accept<TcpStream>, Chain),
    /// With TLS.
    Tls(TlsStream<TcpStream>),
}

impl Stream {
    /// `chain` gets what the handshake shows.
    pub(super) fn new(stream: TcpStream, acceptor: Option<&TlsAcceptor>, chain: &Chain) -> Self {
        match acceptor {
            Some(acceptor) => Self::Greeting(acceptor.accept(stream), chain.clone()),
            None => Self::Plain(stream),
        }
    }

    /// Is its handshake not done?
    pub(super) const fn is_greeting(&self) -> bool {
        matches!(self, Self::Greeting(..))
    }

    /// Shakes hands, if that is not done.
    fn poll_greeting(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Self::Greeting(accept, chain) = self {
            let stream = ready!(Pin::new(accept).poll(context))?;
            if let Some(shown) = stream.get_ref().1.peer_certificates() {
                // Set once: a connection shakes hands once.
                chain.set(shown.to_vec()).ok();
            }
            *self = Self::Tls(stream);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_greeting(context))?;
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Local(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Greeting(..) => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_greeting(context))?;
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Local(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Greeting(..) => Poll::Ready(Ok(0)),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_greeting(context))?;
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(context, bytes),
            Self::Local(stream) => Pin::new(stream).poll_write_vectored(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(context, bytes),
            Self::Greeting(..) => Poll::Ready(Ok(0)),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Local(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
            Self::Greeting(..) => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Local(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
            // Nothing was said: dropping the socket closes it.
            Self::Greeting(..) => Poll::Ready(Ok(())),
        }
    }
}
