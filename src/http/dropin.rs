//! Addresses of other programs: a sender that speaks to one of them points its URL here and is answered as that program
//! would answer.

mod robots;
mod wecom;

use std::time::Duration;

use ::wecom::Recipients;
use axum::Json;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::Gate;
use super::peer::Peer;
use super::refusal::{Cause, Refusal, with_headers};
use super::words;
use crate::alert::Format;
use crate::config::{Addressee, Config, FallbackAfter, Receiver, Robot, Target, To};
use crate::intake::{Called, Receipt, Refused};
use crate::names::SourceId;

/// The recipients that a call names, in addition to the routes.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// The receiver that its address names.
    pub receiver: Option<String>,
    /// The people whom it mentions.
    pub called: Called,
    /// Members of an app, if its source may name some (`sources.<name>.prometheusalert.app`).
    pub members: Option<Recipients>,
}

impl Wanted {
    /// The targets of a call from `source` that replace the routes; `None`: the routes decide.
    pub fn receivers(&self, config: &Config, source: &SourceId) -> Option<Vec<Receiver>> {
        let to = (self.members.as_ref()?, None);
        members_of(config, source, Robot::Prometheusalert, to).map(|receiver| vec![receiver])
    }
}

/// As where a receiver does not say.
const REPEAT_INTERVAL: Duration = Duration::from_hours(1);

/// In whose words a call is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Ours,
    /// Alertmanager's `/api/v2`: an empty 200, errors as `{code, message}`.
    AlertmanagerV2,
    /// Alertmanager's `/api/v1`, which it had up to 0.26.
    AlertmanagerV1,
}

impl Style {
    /// The answer to a call that is stored.
    pub fn taken(self, receipt: &Receipt) -> Response {
        if self != Self::Ours {
            return self.done();
        }
        let Receipt { id, format, duplicate, alerts, targets, warning } = receipt;
        let mut answer = json!({ "id": id, "duplicate": duplicate, "alerts": alerts, "targets": targets });
        if *format == Format::Opaque {
            answer["opaque"] = true.into();
        }
        if let Some(warning) = warning {
            answer["warning"] = warning.as_str().into();
        }
        Json(answer).into_response()
    }

    /// Success, where nothing more is said.
    fn done(self) -> Response {
        match self {
            Self::Ours | Self::AlertmanagerV2 => StatusCode::OK.into_response(),
            Self::AlertmanagerV1 => Json(json!({ "status": "success" })).into_response(),
        }
    }

    /// The answer to a refused call.
    pub fn refused(self, refusal: &Refusal) -> Response {
        let (status, text) = refusal.said();
        // An empty list of alerts is a success for an Alertmanager.
        if self != Self::Ours && status.is_success() {
            return self.done();
        }
        let body = match (self, refusal) {
            (Self::Ours | Self::AlertmanagerV2, Refusal::Intake(Refused::Unreadable(reason))) => reason.answer(),
            (Self::Ours, _) => json!({ "error": text }),
            (Self::AlertmanagerV2, _) => json!({ "code": status.as_u16(), "message": text }),
            (Self::AlertmanagerV1, _) => {
                json!({ "status": "error", "errorType": error_type(status), "error": text })
            }
        };
        with_headers((status, Json(body)).into_response())
    }
}

pub(super) use robots::looks_for_a2w;

/// The paths of all imitated programs.
pub(super) fn routes() -> axum::Router<Gate> {
    wecom::routes().merge(robots::routes())
}

/// The answer at an address that no source enables: 404, with the key that enables it.
fn unconfigured(key: &str) -> Response {
    (StatusCode::NOT_FOUND, format!("{}\n", words::unconfigured(key))).into_response()
}

/// The receivers of a key or token; `None`: the routes decide. Empty: they are no longer in the configuration.
fn receivers_of(config: &Config, addressee: &Addressee) -> Option<Vec<Receiver>> {
    match addressee {
        Addressee::Receiver(name) => {
            Some(config.receivers.get(name).map(|known| known.as_ref().clone()).into_iter().collect())
        }
        Addressee::Webhook(name) => Some(vec![receiver_of_webhook(config, name)]),
        Addressee::Routes => None,
    }
}

/// The receiver whose only target is this webhook, for its fallback and language. Without one, the webhook alone.
fn receiver_of_webhook(config: &Config, name: &str) -> Receiver {
    let only = |receiver: &&Receiver| match receiver.targets.as_slice() {
        [Target { to: To::Webhook { webhook }, .. }] => webhook == name,
        _ => false,
    };
    let found = config.receivers.values().map(AsRef::as_ref).find(only).cloned();
    found.unwrap_or_else(|| {
        bare_receiver(config, format!("webhook/{name}"), Target::at(To::Webhook { webhook: name.to_owned() }))
    })
}

/// Members of the app that `source` may tell through its calls to `robot`; `None`: it may not, or the call
/// means another app.
fn members_of(
    config: &Config,
    source: &SourceId,
    robot: Robot,
    (to, account): (&Recipients, Option<&(String, i64)>),
) -> Option<Receiver> {
    let doors = &config.dropins.iter().find(|known| known.source == *source)?.robots;
    let app = doors.iter().find(|(known, _)| *known == robot)?.1.app.as_ref()?;
    let known = config.wecom.apps.get(app)?;
    if account.is_some_and(|(corp_id, agent_id)| *corp_id != known.corp_id || *agent_id != known.agent_id) {
        return None;
    }
    let target = Target::at(To::Members {
        app: app.clone(),
        users: to.users.clone(),
        users_file: None,
        on_call: None,
        parties: to.parties.clone(),
        tags: to.tags.clone(),
    });
    // A receiver of its own, so that deduplication does not mix these members with others.
    Some(bare_receiver(config, format!("app/{app}/{}", fingerprint(&format!("{to:?}"))), target))
}

/// A receiver that is not in the configuration: `name` holds a `/`, which no configured one does.
fn bare_receiver(config: &Config, name: String, target: Target) -> Receiver {
    Receiver {
        name,
        language: config.language,
        timezone: config.timezone.clone(),
        template: None,
        targets: vec![target],
        send_resolved: true,
        repeat_interval: REPEAT_INTERVAL,
        fallback: None,
        fallback_after: FallbackAfter::default(),
        escalate: Vec::new(),
        taught: crate::subject::Taught::default(),
        may_act: None,
    }
}

/// The source and style of a call, for answers and log lines.
fn peer(parts: &Parts) -> String {
    parts.extensions.get::<Peer>().map_or_else(|| "unknown".to_owned(), ToString::to_string)
}

/// A token of an address that is not configured.
fn unknown_token(token: &str) -> Cause {
    Cause::guess("unknown", "token").detail(format!("token with digest {}", fingerprint(token)))
}

/// Is this a key or token of a source? Takes constant time.
pub(super) fn is_token(config: &Config, text: &str) -> bool {
    config.dropins.iter().fold(false, |found, source| {
        let keys = source.wecom.iter().flat_map(|wecom| wecom.keys.iter());
        let tokens = source.robots.iter().flat_map(|(_, door)| door.tokens.iter());
        keys.chain(tokens).fold(found, |found, (known, _)| same(text, known) | found)
    })
}

/// Compares digests, so that neither length nor content of the secret shows in the time taken.
fn same(given: &str, known: &SecretString) -> bool {
    let known = known.expose_secret();
    !known.is_empty() && bool::from(Sha256::digest(given.as_bytes()).ct_eq(&Sha256::digest(known.as_bytes())))
}

/// A digest that distinguishes wrong keys in the log without showing them.
fn fingerprint(key: &str) -> String {
    Sha256::digest(key.as_bytes())[..4].iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// Alertmanager's name for a class of errors.
fn error_type(status: StatusCode) -> &'static str {
    if status.is_server_error() { "server_error" } else { "bad_data" }
}
