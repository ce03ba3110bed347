//! Which source a request proves: by its head as far as that is possible, else by its body, for one of whose signatures
//! a certificate may have to be fetched. What a request says is decided by [`proof`], which is pure.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use super::body::{Standing, packing};
use super::heard::Tried;
use super::lobby::Seat;
use super::refusal::Refusal;
use super::{Gate, Setup, paths};
use crate::alert::Timestamp;
use crate::config::{Anonymous, Config, Proof};
use crate::intake::{LARGE_BODY, Packing, aside};
use crate::names::SourceId;
use crate::proof::{self, Once, Presented, Proven, Shown, Unproven, Why};
use crate::room::Part;

/// A request whose source is known.
pub(super) struct Proved {
    /// The request, with its body as it came.
    pub asked: Arc<Asked>,
    /// Anonymous where the configuration admits that.
    pub source: SourceId,
    /// What makes a signed request recognisable if it comes again.
    pub once: Option<Once>,
    /// The body's share of the memory; a small one has none.
    pub part: Option<Part>,
    /// How the body is packed.
    pub packing: Packing,
}

impl Gate {
    /// Reads the body and finds the source. A connection counts as proven as soon as its request is.
    pub(super) async fn prove(
        &self,
        request: Request,
        setup: &Arc<Setup>,
        tried: &mut Tried,
    ) -> Result<Proved, Refusal> {
        let (parts, body) = request.into_parts();
        let seat = parts.extensions.get::<Seat>().cloned();
        let standing = standing(setup, &parts, tried)?;
        if let Some(seat) = seat.as_ref().filter(|_| standing == Standing::Proven) {
            seat.prove();
        }
        let (body, part) = self.read(&parts.headers, body, standing, seat.as_ref()).await?;
        let packing = packing(&parts.headers)?;
        let received_at = self.server.clock.now();
        let asked = Arc::new(Asked { setup: setup.clone(), parts, peer: tried.peer, body, received_at });
        let (source, once) = match self.judged_with_certificate(&asked, standing, seat.as_ref()).await? {
            Ok(judged) => {
                let proven = judged.proven(&setup.config);
                tried.proven(&proven);
                self.confirm(&proven, &asked.body);
                (SourceId::Configured(proven.source.name.clone()), proven.once)
            }
            Err(_) if admits_anonymous(&setup.config, &asked.parts.headers, asked.peer) => (SourceId::Anonymous, None),
            Err(unproven) => return Err(tried.unproven(unproven)),
        };
        if let Some(seat) = seat.filter(|_| standing == Standing::Claimed) {
            seat.prove();
        }
        Ok(Proved { asked, source, once, part, packing })
    }

    /// [`Self::judged`]; fetches the certificate first if the signature names one that is not known yet. Other
    /// connections may take the place of this one while it waits for another server.
    async fn judged_with_certificate(
        &self,
        asked: &Arc<Asked>,
        standing: Standing,
        seat: Option<&Seat>,
    ) -> Result<Result<Judged, Unproven>, Refusal> {
        let judged = self.judged(asked, standing).await;
        let Err(Unproven { why: Why::CertificateNeeded(url), .. }) = &judged else { return Ok(judged) };
        if let Some(seat) = seat {
            seat.hold_back();
        }
        let fetched = self.vault.fetch(url, asked.received_at).await;
        if let Some(seat) = seat {
            seat.work();
        }
        if fetched { Ok(self.judged(asked, standing).await) } else { Err(Refusal::Certificate) }
    }

    /// The sender. Large bodies of unauthenticated senders are checked one at a time.
    async fn judged(&self, asked: &Arc<Asked>, standing: Standing) -> Result<Judged, Unproven> {
        let large = asked.body.len() > LARGE_BODY;
        let _turn = match standing {
            Standing::Claimed if large => self.proving.acquire().await.ok(),
            _ => None,
        };
        let certificates = self.vault.all(asked.received_at);
        let asked = asked.clone();
        aside(large, move || {
            let sources = &asked.setup.config.sources;
            let proven = proof::prove(sources, &asked.presented(), &asked.body, &certificates, asked.received_at)?;
            let index = sources.iter().position(|source| std::ptr::eq(source, proven.source)).unwrap_or_default();
            Ok(Judged { index, kind: proven.kind, once: proven.once })
        })
        .await
    }

    /// Confirms the subscription of a topic, where the configuration allows it and the link is the vendor's. The text
    /// of the envelope is still told to people.
    fn confirm(&self, proven: &Proven<'_>, body: &[u8]) {
        let envelopes = proven.source.proofs.iter().filter_map(|proof| match proof {
            Proof::Envelope(envelope) if envelope.confirm && envelope.vendor.kind() == proven.kind => Some(envelope),
            _ => None,
        });
        for url in envelopes.filter_map(|envelope| proof::confirmation(envelope, body)) {
            let (vault, source) = (self.vault.clone(), proven.source.name.clone());
            tokio::spawn(async move { vault.confirm(&source, &url).await });
        }
    }
}

/// What the head of a request proves. A request that no body could authenticate is refused here.
fn standing(setup: &Setup, parts: &Parts, tried: &mut Tried) -> Result<Standing, Refusal> {
    match proof::could_prove(&setup.config.sources, &presented(parts, tried.peer)) {
        Ok(Some(proven)) => {
            tried.proven(&proven);
            Ok(Standing::Proven)
        }
        _ if admits_anonymous(&setup.config, &parts.headers, tried.peer) => Ok(Standing::Anyone),
        Ok(None) => Ok(Standing::Claimed),
        Err(unproven) => Err(tried.unproven(unproven)),
    }
}

/// Is a request without proof taken? Without `sources` those of this machine's programs are: not what a proxy on it passes
/// on, nor what a browser sends for a page of another site.
fn admits_anonymous(config: &Config, headers: &HeaderMap, peer: Option<IpAddr>) -> bool {
    let forwarded = || FORWARDED.iter().any(|name| headers.contains_key(*name));
    let foreign = || match headers.get("sec-fetch-site") {
        Some(site) => site != "none" && site != "same-origin",
        None => headers.contains_key(header::ORIGIN),
    };
    let here = || peer.is_none_or(|peer| peer.is_loopback()) && !forwarded() && !foreign();
    match config.anonymous {
        Anonymous::None => false,
        Anonymous::OfThisMachine => here(),
        Anonymous::All => true,
    }
}

/// Headers that proxies add.
const FORWARDED: [&str; 4] = ["x-forwarded-for", "forwarded", "x-real-ip", "via"];

/// The credentials of a request. A signature covers the path as sent.
fn presented(parts: &Parts, peer: Option<IpAddr>) -> Presented<'_> {
    let uri = parts.extensions.get::<paths::Sent>().map_or(&parts.uri, |sent| &sent.0);
    Presented { method: &parts.method, uri, headers: &parts.headers, peer, shown: parts.extensions.get::<Shown>() }
}

/// A request with its body, before its proof.
pub(super) struct Asked {
    setup: Arc<Setup>,
    pub parts: Parts,
    peer: Option<IpAddr>,
    pub body: Bytes,
    pub received_at: Timestamp,
}

impl Asked {
    pub fn presented(&self) -> Presented<'_> {
        presented(&self.parts, self.peer)
    }
}

/// A proven source, by its place in the configuration.
struct Judged {
    index: usize,
    kind: proof::Kind,
    once: Option<Once>,
}

impl Judged {
    fn proven(self, config: &Config) -> Proven<'_> {
        Proven { source: &config.sources[self.index], kind: self.kind, once: self.once }
    }
}
