//! Calls that are passed on to WeCom at once: uploads, whose id the client needs, and other calls if that is configured.

use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::{Method, StatusCode, header, request::Parts};
use axum::response::{IntoResponse as _, Response};
use tracing::warn;
use wecom::{Account, CallError, Forward, Webhook};

use super::app::AccessToken;
use super::reply::Reply;
use super::token::opened;
use super::{Caller, Key, by_key, configured, content_type, unknown_key};
use crate::config::{Addressee, Config, To};
use crate::deliver::app;
use crate::http::Gate;
use crate::http::body::Standing;
use crate::http::dropin::unconfigured;

/// The call by which an app uploads a file.
const MEDIA_UPLOAD: &str = "media/upload";
const JSON: &str = "application/json; charset=UTF-8";

pub(super) async fn webhook_upload(State(gate): State<Gate>, request: Request) -> Response {
    if !configured(&gate) {
        return unconfigured("wecom");
    }
    let (parts, body) = request.into_parts();
    let caller = Caller::of(&gate, &parts);
    let Query(Key { key }) = Query::try_from_uri(&parts.uri).unwrap_or_default();
    let setup = gate.server.setup.now();
    let Some((_, _, addressee)) = by_key(&setup.config, &key) else {
        return unknown_key(&key, &caller).into_response();
    };
    let Some(webhook) = webhook_of(&setup.config, &addressee) else {
        return Reply::error(48002, "api forbidden", &caller).into_response();
    };
    passed(&gate, &Account::Webhook(webhook), "webhook/upload_media", &parts, body, &caller).await
}

/// The webhook whose files a key uploads: the first among its targets. Of several keys that share a group the first, by
/// which such messages are sent.
fn webhook_of(config: &Config, addressee: &Addressee) -> Option<Webhook> {
    let name = match addressee {
        Addressee::Webhook(name) => name,
        Addressee::Receiver(name) => {
            config.receivers.get(name)?.targets.iter().find_map(|target| match &target.to {
                To::Webhook { webhook } => Some(webhook),
                _ => None,
            })?
        }
        Addressee::Routes => return None,
    };
    config.wecom.webhooks.get(name)?.first().map(|key| Webhook { key: key.clone() })
}

/// Any other call of an app.
pub(super) async fn anything(State(gate): State<Gate>, Path(path): Path<String>, request: Request) -> Response {
    if !configured(&gate) {
        return unconfigured("wecom");
    }
    let (parts, body) = request.into_parts();
    let caller = Caller::of(&gate, &parts);
    let setup = gate.server.setup.now();
    let bearer = match opened(&setup.config, &*gate.server.links.key().await, &AccessToken::of(&parts), &caller) {
        Ok(bearer) => bearer,
        Err(refusal) => return refusal.into_response(),
    };
    let known = path == MEDIA_UPLOAD || bearer.door.pass_through;
    if !known || !may_pass(&path, bearer.door.allow_users.is_some()) {
        return Reply::error(48002, "api forbidden", &caller).into_response();
    }
    passed(&gate, &Account::App(app(bearer.account)), &path, &parts, body, &caller).await
}

/// Calls that have a route of their own, which keeps, paces and checks them.
const TAKEN: [&str; 5] = ["message/send", "message/recall", "webhook/send", "webhook/upload_media", "gettoken"];

/// May a call of this path be passed on? `path` is decoded, so that no way of writing it evades a route. `fenced`: the
/// source may write to certain people only, so nothing that sends is passed on: whom it reaches is not known here.
fn may_pass(path: &str, fenced: bool) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let whole = path.split('/').all(|part| !part.is_empty() && part.bytes().all(plain));
    whole && !TAKEN.contains(&path) && !(fenced && path.rsplit('/').next().is_some_and(sends))
}

/// Does a call with this last name send to people? WeCom's names of them: `appchat/send`, `linkedcorp/message/send`,
/// `externalcontact/send_welcome_msg`, `externalcontact/add_msg_template`, `kf/send_msg`.
fn sends(name: &str) -> bool {
    name.split('_').any(|word| matches!(word, "send" | "msg" | "message"))
}

async fn passed(gate: &Gate, account: &Account, path: &str, parts: &Parts, body: Body, caller: &Caller) -> Response {
    let (body, _held) = match gate.body(parts, body, Standing::Proven).await {
        Ok(read) => read,
        Err(refusal) => return Reply::refused(&refusal, caller).into_response(),
    };
    let Query(query): Query<Vec<(String, String)>> = Query::try_from_uri(&parts.uri).unwrap_or_default();
    let forward = Forward {
        path: path.to_owned(),
        query: query.into_iter().filter(|(name, _)| name != "key" && name != "access_token").collect(),
        body: (parts.method != Method::GET).then_some((content_type(&parts.headers), body)),
    };
    match gate.server.setup.now().wecom.forward(account, &forward).await {
        Ok(answer) => {
            let kind = answer.content_type.unwrap_or_else(|| JSON.to_owned());
            ([(header::CONTENT_TYPE, kind)], answer.body).into_response()
        }
        Err(CallError::NotDone(failure) | CallError::Unsure(failure)) => {
            warn!(error = failure.en(), path, "A call could not be passed on to WeCom.");
            Reply::busy(StatusCode::BAD_GATEWAY).into_response()
        }
    }
}
