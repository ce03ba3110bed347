//! Orders of commands about tokens. The secret is made by the command: only its hash comes here.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::Gate;
use super::super::orders::{proven, unreadable, unstored};
use super::token::{Scope, is_name};
use crate::alert::Timestamp;
use crate::store::{ApiToken, NewToken};

/// The longest life of a token.
const LONGEST_MS: i64 = 366 * 24 * 3_600_000;

/// A token to be.
#[derive(Debug, Serialize, Deserialize)]
pub struct TokenOrder {
    /// Of its secret: SHA-256, in base64url.
    hash: String,
    name: String,
    owner: String,
    scopes: String,
    receivers: Option<Vec<String>>,
    ends_at: Timestamp,
}

impl TokenOrder {
    /// The order for a token.
    pub fn of(new: &NewToken) -> Self {
        let NewToken { hash, token } = new;
        Self {
            hash: BASE64_URL_SAFE_NO_PAD.encode(hash),
            name: token.name.clone(),
            owner: token.owner.clone(),
            scopes: token.scopes.clone(),
            receivers: token.receivers.clone(),
            ends_at: token.ends_at,
        }
    }

    /// The token, if it is one.
    fn token(self, now: Timestamp) -> Option<NewToken> {
        let hash = BASE64_URL_SAFE_NO_PAD.decode(&self.hash).ok()?.try_into().ok()?;
        let scoped = self.scopes.split(' ').all(|word| Scope::parse(word).is_some());
        let lives = (1..=LONGEST_MS).contains(&self.ends_at.millis_since(now));
        let Self { name, owner, scopes, receivers, ends_at, .. } = self;
        let sound = scoped && lives && is_name(&name);
        let token = ApiToken { name, owner, scopes, receivers, made_at: now, ends_at, used_at: None };
        sound.then_some(NewToken { hash, token })
    }
}

/// A token that a command ends.
#[derive(Debug, Serialize, Deserialize)]
pub struct EndTokenOrder {
    /// Its name.
    pub name: String,
    /// The name of a user of the machine.
    pub by: String,
}

/// Keeps a token for a command on the machine.
pub(super) async fn make(State(gate): State<Gate>, request: Request) -> Response {
    let now = gate.server.clock.now();
    let body = match proven(&*gate.server.links.key().await, request, now).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let order = serde_json::from_slice::<TokenOrder>(&body).ok().and_then(|order| order.token(now));
    let Some(new) = order else { return unreadable() };
    let by = new.token.owner.clone();
    match gate.server.store.make_api_token(new, by, now).await {
        Ok(made) => Json(json!({ "made": made })).into_response(),
        Err(failure) => unstored(&gate, &failure),
    }
}

/// Ends a token for a command on the machine.
pub(super) async fn end(State(gate): State<Gate>, request: Request) -> Response {
    let now = gate.server.clock.now();
    let body = match proven(&*gate.server.links.key().await, request, now).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let Ok(EndTokenOrder { name, by }) = serde_json::from_slice(&body) else { return unreadable() };
    match gate.server.store.end_api_token(name, by, now).await {
        Ok(ended) => Json(json!({ "ended": ended })).into_response(),
        Err(failure) => unstored(&gate, &failure),
    }
}
