//! `gettoken`: tokens of our own. They are signed with the key that all replicas read from the store, so tokens are not
//! stored.

use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::reply::Reply;
use super::{Caller, configured, doors, same};
use crate::config::{AppAccount, AppDoor, AsWecom, Config};
use crate::http::Gate;
use crate::http::dropin::{unconfigured, unknown_token};
use crate::http::refusal::Cause;
use crate::links::LinkKey;
use crate::names::SourceId;

/// The lifetime that clients are told (page 91039), in seconds.
const EXPIRES_IN: i64 = 7_200;
/// The real lifetime: five minutes longer, for clients that renew late.
const LIFE_S: i64 = 7_500;
const SIGNATURE_BYTES: usize = 24;

/// The query of `gettoken`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    corpid: String,
    corpsecret: String,
}

#[derive(Serialize)]
struct Given {
    access_token: String,
    expires_in: i64,
}

/// The source and app of a token.
pub(super) struct Bearer<'a> {
    pub source: &'a SourceId,
    pub door: &'a AsWecom,
    pub app: &'a AppDoor,
    pub account: &'a AppAccount,
}

pub(super) async fn gettoken(State(gate): State<Gate>, request: Request) -> Response {
    if !configured(&gate) {
        return unconfigured("wecom");
    }
    let (parts, _) = request.into_parts();
    let caller = Caller::of(&gate, &parts);
    let Query(asked) = Query::try_from_uri(&parts.uri).unwrap_or_default();
    given(&gate, &asked, &caller).await.unwrap_or_else(|refusal| refusal).into_response()
}

async fn given(gate: &Gate, asked: &Asked, caller: &Caller) -> Result<Reply, Reply> {
    let setup = gate.server.setup.now();
    let (mut corp, mut found) = (false, None);
    for bearer in bearers(&setup.config) {
        let fits = bearer.account.corp_id == asked.corpid;
        corp |= fits;
        if same(&asked.corpsecret, &bearer.app.secret) && fits && found.is_none() {
            found = Some(bearer);
        }
    }
    let Some(bearer) = found else {
        let (errcode, text) = if corp { (40001, "invalid credential") } else { (40013, "invalid corpid") };
        return Err(Reply::error(errcode, text, caller).because(unknown_token(&asked.corpsecret)));
    };
    let access_token = sealed(&*gate.server.links.key().await, &bearer, caller.now.0 / 1000 + LIFE_S);
    Ok(Reply::with(&Given { access_token, expires_in: EXPIRES_IN }))
}

/// All sources and apps that may get a token. An app that is no longer in the configuration is left out.
fn bearers(config: &Config) -> impl Iterator<Item = Bearer<'_>> {
    doors(config).flat_map(move |(source, door)| {
        let apps = door.apps.iter();
        apps.filter_map(move |app| Some(Bearer { source, door, app, account: config.wecom.apps.get(&app.app)? }))
    })
}

/// The source and app of a token, or WeCom's answer to a wrong or expired one.
pub(super) fn opened<'a>(config: &'a Config, key: &LinkKey, token: &str, caller: &Caller) -> Result<Bearer<'a>, Reply> {
    if token.is_empty() {
        return Err(Reply::error(41001, "access_token missing", caller).because(Cause::new("missing")));
    }
    let until = token.split('.').next().and_then(|until| until.parse::<i64>().ok());
    let bearer = until.and_then(|until| bearers(config).find(|bearer| signed(key, bearer, until, token)));
    match bearer {
        Some(bearer) if caller.now.0 / 1000 <= until.unwrap_or_default() => Ok(bearer),
        Some(_) => Err(Reply::error(42001, "access_token expired", caller).because(Cause::new("stale"))),
        None => Err(Reply::error(40014, "invalid access_token", caller).because(unknown_token(token))),
    }
}

fn sealed(key: &LinkKey, bearer: &Bearer<'_>, until: i64) -> String {
    let mut mac = mac(key, bearer, until).finalize().into_bytes().to_vec();
    mac.truncate(SIGNATURE_BYTES);
    format!("{until}.{}", BASE64_URL_SAFE_NO_PAD.encode(mac))
}

fn signed(key: &LinkKey, bearer: &Bearer<'_>, until: i64, token: &str) -> bool {
    let given = token.split_once('.').and_then(|(_, given)| BASE64_URL_SAFE_NO_PAD.decode(given).ok());
    given.is_some_and(|given| {
        given.len() == SIGNATURE_BYTES && mac(key, bearer, until).verify_truncated_left(&given).is_ok()
    })
}

/// Covers source, app, expiry and secret: a token becomes invalid with the secret that it was issued for.
fn mac(key: &LinkKey, bearer: &Bearer<'_>, until: i64) -> Hmac<Sha256> {
    let mut mac = key.token_key();
    // Names hold no line break.
    mac.update(format!("{}\n{}\n{until}\n", bearer.source.stored(), bearer.app.app).as_bytes());
    mac.update(&Sha256::digest(bearer.app.secret.expose_secret().as_bytes()));
    mac
}
