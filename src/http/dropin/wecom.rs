//! WeCom's own addresses: a program that speaks WeCom points its base URL here and gains the queue, the limits, the record
//! and the fallback. Its messages are relayed as it wrote them; `errcode` 0 is answered after the commit only.

mod app;
mod pass;
mod reply;
mod token;

use std::time::Instant;

use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, header, request::Parts};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};
use bytes::Bytes;
use secrecy::SecretString;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{peer, receivers_of, same, unconfigured, unknown_token};
use crate::alert::{Format, Identity, Labels, Status, Timestamp};
use crate::config::{Addressee, AsWecom, Config, Receiver};
use crate::deliver::verbatim;
use crate::http::body::Standing;
use crate::http::refusal::{Cause, Refusal};
use crate::http::{Gate, parent};
use crate::ingest::Door;
use crate::ingest::wecom::{Said, Wrong};
use crate::intake::{Call, Called, Packing, Refused, Verbatim, recipient};
use crate::names::SourceId;
use crate::store::{Admitted, Arrival, Recipient, TargetRow};
use reply::Reply;

/// The header by which a client says that two requests are one.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Longest idempotency key that is accepted, in bytes.
const IDEMPOTENCY_BYTES: usize = 256;

/// The paths of WeCom.
pub(super) fn routes() -> axum::Router<Gate> {
    axum::Router::new()
        .route("/cgi-bin/webhook/send", post(webhook_send))
        .route("/cgi-bin/webhook/upload_media", post(pass::webhook_upload))
        .route("/cgi-bin/gettoken", get(token::gettoken).post(token::gettoken))
        .route("/cgi-bin/message/send", post(app::message_send))
        .route("/cgi-bin/message/recall", post(app::recall))
        .route("/cgi-bin/{*rest}", any(pass::anything))
}

/// The query of a call of a webhook.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Key {
    key: String,
}

/// The caller, for answers and log lines.
struct Caller {
    address: String,
    now: Timestamp,
}

impl Caller {
    fn of(gate: &Gate, parts: &Parts) -> Self {
        Self { address: peer(parts), now: gate.server.clock.now() }
    }
}

async fn webhook_send(State(gate): State<Gate>, request: Request) -> Response {
    let begun = Instant::now();
    if !configured(&gate) {
        return unconfigured("wecom");
    }
    let (parts, body) = request.into_parts();
    let caller = Caller::of(&gate, &parts);
    let said = said_by_webhook(&gate, &parts, body, &caller).await;
    let format = said.is_ok().then_some(Format::WecomWebhook);
    let reply = said.map_or_else(|reply| reply, |()| Reply::ok());
    gate.answered(begun, format, reply.into_response())
}

async fn said_by_webhook(gate: &Gate, parts: &Parts, body: Body, caller: &Caller) -> Result<(), Reply> {
    let setup = gate.server.setup.now();
    let Query(Key { key }) = Query::try_from_uri(&parts.uri).unwrap_or_default();
    let Some((source, door, addressee)) = by_key(&setup.config, &key) else {
        return Err(unknown_key(&key, caller));
    };
    let (body, held) =
        gate.body(parts, body, Standing::Proven).await.map_err(|refusal| Reply::refused(&refusal, caller))?;
    let said = Said::read(&body).map_err(|wrong| misread(wrong, caller))?;
    let receivers = receivers_of(&setup.config, &addressee);
    if door.read {
        let call = Call {
            source: source.clone(),
            door: Door::Webhook,
            receiver: None,
            receivers,
            content_type: content_type(&parts.headers),
            body,
            packing: Packing::Plain,
            called: mentioned(&said),
            part: None,
            received_at: caller.now,
            parent: parent(&parts.headers),
        };
        // The body waits for its share of the memory again.
        drop(held);
        gate.server.intake.admit(call).await.map_err(|refused| Reply::refused(&refused.into(), caller))?;
        return Ok(());
    }
    let receivers = receivers.unwrap_or_default();
    let relay = Relay { source, format: Format::WecomWebhook, said: &said, body, headers: &parts.headers, receivers };
    relay.store(gate, caller).await.map(drop)
}

/// The refusal of an unknown key.
fn unknown_key(key: &str, caller: &Caller) -> Reply {
    Reply::error(93000, "invalid webhook url", caller).because(unknown_token(key))
}

/// Does any source enable these addresses?
fn configured(gate: &Gate) -> bool {
    gate.server.setup.now().config.dropins.iter().any(|source| source.wecom.is_some())
}

/// The sources that enable these addresses.
fn doors(config: &Config) -> impl Iterator<Item = (&SourceId, &AsWecom)> {
    config.dropins.iter().filter_map(|source| Some((&source.source, source.wecom.as_ref()?)))
}

/// The targets of a key. Compares all keys, each in constant time.
fn by_key<'a>(config: &'a Config, key: &str) -> Option<(&'a SourceId, &'a AsWecom, Addressee)> {
    let mut found = None;
    let mut compare = |known: &SecretString, whose: (&'a SourceId, &'a AsWecom), addressee: &dyn Fn() -> Addressee| {
        if same(key, known) && found.is_none() {
            found = Some((whose.0, whose.1, addressee()));
        }
    };
    for (source, door) in doors(config) {
        for (known, addressee) in &door.keys {
            compare(known, (source, door), &|| addressee.clone());
        }
        for (name, keys) in config.wecom.webhooks.iter().filter(|_| door.own_keys) {
            for known in keys {
                compare(known, (source, door), &|| Addressee::Webhook(name.clone()));
            }
        }
    }
    found
}

/// The people whom a message mentions; they are mentioned as well when the message is read as an alert.
fn mentioned(said: &Said) -> Called {
    let list = |name: &str| {
        let list = said.member(&said.msgtype).and_then(|inner| inner.get(name)?.as_array());
        list.into_iter().flatten().filter_map(|one| one.as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    Called::new(list("mentioned_list"), list("mentioned_mobile_list"))
}

fn content_type(headers: &HeaderMap) -> Option<String> {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn misread(wrong: Wrong, caller: &Caller) -> Reply {
    let reply = match wrong {
        Wrong::NotJson => Reply::error(40058, "Warning: wrong json format. invalid Request Parameter", caller),
        Wrong::NoType => Reply::error(40008, "invalid message type", caller),
        Wrong::Empty => Reply::error(44004, "empty content", caller),
    };
    reply.because(Cause::new("unreadable").detail(format!("{wrong:?}")))
}

/// A message that is relayed unchanged.
struct Relay<'a> {
    source: &'a SourceId,
    format: Format,
    said: &'a Said,
    body: Bytes,
    headers: &'a HeaderMap,
    receivers: Vec<Receiver>,
}

impl Relay<'_> {
    /// Queues the message for all its targets. Returns after the commit.
    async fn store(self, gate: &Gate, caller: &Caller) -> Result<Admitted, Reply> {
        let labels = Labels::from([("msgtype".to_owned(), self.said.msgtype.replace('\0', "␀"))]);
        let arrival = Arrival {
            index: 0,
            identity: self.identity(),
            name: self.said.line(),
            labels_json: serde_json::to_string(&labels).expect("a map of strings is JSON"),
            critical: false,
            status: Status::Notice,
            starts_at: None,
            reported: false,
            ends_at: None,
            lapses_at: None,
            thread: None,
            kin: None,
            steady: false,
        };
        let deliveries = self.receivers.iter().map(|receiver| self.recipient(receiver, arrival.clone())).collect();
        let message = Verbatim {
            source: self.source.clone(),
            format: self.format,
            body: self.body,
            content_type: content_type(self.headers),
            received_at: caller.now,
            deliveries,
            parent: parent(self.headers),
        };
        gate.server.intake.pass_on(message).await.map_err(|refused| Reply::refused(&refused.into(), caller))
    }

    fn recipient(&self, receiver: &Receiver, arrival: Arrival) -> Recipient {
        let targets = receiver.targets.iter().map(|target| {
            let given = verbatim::given(self.format, self.said, &self.body, target);
            TargetRow { given, ..TargetRow::new(target.lane(), target.json()) }
        });
        let told = recipient(receiver, vec![arrival], targets.collect());
        Recipient { send_resolved: true, escalate_after_ms: None, ..told }
    }

    /// Without an idempotency key every call is a new message; with one, a call is repeated that has the same content.
    fn identity(&self) -> Identity {
        let given = self.headers.get(IDEMPOTENCY_KEY).map(HeaderValue::as_bytes);
        let given = given.filter(|key| !key.is_empty() && key.len() <= IDEMPOTENCY_BYTES);
        let mut hash = Sha256::new();
        for part in [b"relay".as_slice(), self.source.stored().as_bytes(), self.format.as_str().as_bytes()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        match given {
            // A key that is used again for another content is a mistake of the client; its message is not lost by it.
            Some(key) => {
                hash.update((key.len() as u64).to_be_bytes());
                hash.update(key);
                hash.update(&self.body);
            }
            None => hash.update(rand::random::<[u8; 16]>()),
        }
        Identity(hash.finalize().into())
    }
}

impl Reply {
    /// WeCom's answer when it cannot accept a call now.
    fn refused(refusal: &Refusal, caller: &Caller) -> Self {
        let reply = match refusal {
            Refusal::Intake(Refused::TooLarge) => Self::error(40206, "request body too large", caller),
            Refusal::Intake(Refused::Encoding(_) | Refused::Unreadable(_)) => misread(Wrong::NotJson, caller),
            Refusal::Unproven(_) | Refusal::Intake(Refused::OutOfScope { .. }) => {
                Self::error(93000, "invalid webhook url", caller)
            }
            // Some clients look at the HTTP status only, others at `errcode` only.
            _ => Self::busy(refusal.said().0),
        };
        reply.because(refusal.cause(None))
    }
}
