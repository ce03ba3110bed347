//! The addresses of robots of other chats, and of programs that pass alerts on to WeCom: one table of address, proof and
//! answer. What their bodies say is read like any other body.

mod bridges;
mod mention;
mod sign;

use std::time::Instant;

use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header, request::Parts};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use super::{receivers_of, same, unconfigured, unknown_token};
use crate::config::{Addressee, Config, Robot, RobotDoor};
use crate::http::Gate;
use crate::http::body::Packing;
use crate::http::intake::{Call, Taken};
use crate::http::refusal::{Cause, Refusal, with_headers};
use crate::ingest::Door;
use crate::names::SourceId;

/// The paths of all robots.
pub(super) fn routes() -> axum::Router<Gate> {
    axum::Router::new()
        .route("/robot/send", post(dingtalk))
        .route("/open-apis/bot/v2/hook/{token}", post(feishu))
        .route("/open-apis/bot/hook/{token}", post(feishu))
        .route("/bot/hook/{token}", post(feishu))
        .route("/services/{*token}", post(slack))
        .route("/slack/{*token}", post(slack))
        .merge(bridges::routes())
}

/// Why a call of a robot was not taken.
#[derive(Debug)]
enum Trouble {
    /// No source has this token.
    Token(String),
    /// The signature is missing, wrong or old.
    Sign,
    /// Anything else.
    Refused(Refusal),
}

impl Trouble {
    fn cause(&self) -> Cause {
        match self {
            Self::Token(token) => unknown_token(token),
            Self::Sign => Cause::guess("signature", "token"),
            Self::Refused(refusal) => refusal.cause(None),
        }
    }

    /// The answer, with the reason for the log and the counters.
    fn answer(&self, status: StatusCode, kind: &'static str, body: impl Into<String>) -> Response {
        let status = match self {
            // What is to be sent again is told by the status to every client.
            Self::Refused(refusal) if refusal.said().0.is_server_error() => refusal.said().0,
            _ => status,
        };
        self.cause().attach(with_headers(said(status, kind, body)))
    }
}

const JSON: &str = "application/json; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

fn said(status: StatusCode, kind: &'static str, body: impl Into<String>) -> Response {
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static(kind))], body.into()).into_response()
}

/// Is there a source that may use the addresses of `robot`?
fn configured(config: &Config, robot: Robot) -> bool {
    config.dropins.iter().any(|source| source.robots.iter().any(|(known, _)| *known == robot))
}

/// Whom a token means. All tokens are compared, each in the same time. `own`: keys of configured webhooks are tokens, too.
fn by_token<'a>(
    config: &'a Config,
    robot: Robot,
    token: &str,
    own: bool,
) -> Option<(&'a SourceId, &'a RobotDoor, Addressee)> {
    let mut found = None;
    let doors = config.dropins.iter().flat_map(|source| {
        source.robots.iter().filter(|(known, _)| *known == robot).map(|(_, door)| (&source.source, door))
    });
    for (source, door) in doors {
        let configured = door.tokens.iter().map(|(known, addressee)| (known, addressee.clone()));
        let webhooks = config.wecom.webhooks.iter().filter(|_| own);
        let webhooks = webhooks.flat_map(|(name, keys)| keys.iter().map(|key| (key, Addressee::Webhook(name.clone()))));
        for (known, addressee) in configured.chain(webhooks) {
            if same(token, known) && found.is_none() {
                found = Some((source, door, addressee));
            }
        }
    }
    found
}

/// What decides besides the token: the secret that must have signed, the request, its body, the time in milliseconds.
type Signed = fn(&SecretString, &Parts, &Value, i64) -> bool;

/// Takes a call whose token stands in its address.
async fn take(
    gate: &Gate,
    robot: Robot,
    token: &str,
    parts: &Parts,
    body: Body,
    signed: Option<Signed>,
) -> Result<Taken, Trouble> {
    let loaded = gate.app.loaded();
    let own = matches!(robot, Robot::A2w | Robot::Bougou | Robot::Prometheusalert);
    let unknown = || Trouble::Token(token.to_owned());
    let (source, door, addressee) = by_token(&loaded.config, robot, token, own).ok_or_else(unknown)?;
    let (body, held) = gate.body(parts, body).await.map_err(Trouble::Refused)?;
    let tree = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let received_at = gate.app.now();
    if let (Some(secret), Some(signed)) = (&door.secret, signed)
        && !signed(secret, parts, &tree, received_at.0)
    {
        return Err(Trouble::Sign);
    }
    let called = mention::Called::by(robot, parts, &tree, &body, door.mention_all);
    let receivers = receivers_of(&loaded.config, &addressee).map(|receivers| called.added_to(receivers));
    let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let call = Call {
        source: source.clone(),
        door: Door::Webhook,
        receiver: None,
        receivers,
        content_type: content_type.map(str::to_owned),
        body,
        packing: Packing::Plain,
        part: None,
        received_at,
    };
    // It waits for its part of the memory again.
    drop(held);
    gate.admit(call).await.map_err(Trouble::Refused)
}

/// Answers with `ok`, or with what `refused` says.
fn answered(
    gate: &Gate,
    begun: Instant,
    taken: Result<Taken, Trouble>,
    ok: impl FnOnce() -> Response,
    refused: impl FnOnce(&Trouble) -> Response,
) -> Response {
    match taken {
        Ok(taken) => gate.answered(begun, Some(taken.format), ok()),
        Err(trouble) => gate.answered(begun, None, refused(&trouble)),
    }
}

/// The query of `DingTalk`'s robots.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AccessToken {
    access_token: String,
}

async fn dingtalk(State(gate): State<Gate>, request: Request) -> Response {
    let begun = Instant::now();
    if !configured(&gate.app.loaded().config, Robot::Dingtalk) {
        return unconfigured("dingtalk");
    }
    let (parts, body) = request.into_parts();
    let Query(AccessToken { access_token }) = Query::try_from_uri(&parts.uri).unwrap_or_default();
    let taken = take(&gate, Robot::Dingtalk, &access_token, &parts, body, Some(sign::dingtalk)).await;
    let ok = || said(StatusCode::OK, JSON, r#"{"errcode":0,"errmsg":"ok"}"#);
    answered(&gate, begun, taken, ok, |trouble| {
        let body = match trouble {
            Trouble::Token(_) => r#"{"errcode":300005,"errmsg":"token is not exist"}"#,
            Trouble::Sign => r#"{"errcode":310000,"errmsg":"sign not match"}"#,
            Trouble::Refused(refusal) if refusal.said().0.is_server_error() => {
                r#"{"errcode":-1,"errmsg":"system busy"}"#
            }
            Trouble::Refused(_) => r#"{"errcode":400402,"errmsg":"invalid json"}"#,
        };
        trouble.answer(StatusCode::OK, JSON, body)
    })
}

async fn feishu(State(gate): State<Gate>, Path(token): Path<String>, request: Request) -> Response {
    let begun = Instant::now();
    if !configured(&gate.app.loaded().config, Robot::Feishu) {
        return unconfigured("feishu");
    }
    let (parts, body) = request.into_parts();
    let taken = take(&gate, Robot::Feishu, &token, &parts, body, Some(sign::feishu)).await;
    let ok = || {
        let body = r#"{"StatusCode":0,"StatusMessage":"success","code":0,"data":{},"msg":"success"}"#;
        said(StatusCode::OK, JSON, body)
    };
    answered(&gate, begun, taken, ok, |trouble| {
        let body = match trouble {
            Trouble::Token(_) => r#"{"code":19001,"msg":"param invalid: incoming webhook access token invalid"}"#,
            Trouble::Sign => {
                r#"{"code":19021,"msg":"sign match fail or timestamp is not within one hour from current time"}"#
            }
            Trouble::Refused(refusal) if refusal.said().0.is_server_error() => r#"{"code":11232,"msg":"system busy"}"#,
            Trouble::Refused(_) => r#"{"code":9499,"msg":"Bad Request"}"#,
        };
        trouble.answer(StatusCode::OK, JSON, body)
    })
}

/// The last part of the address is the token; a client looks at `ok` and takes any other text for a failure.
async fn slack(State(gate): State<Gate>, Path(token): Path<String>, request: Request) -> Response {
    let begun = Instant::now();
    if !configured(&gate.app.loaded().config, Robot::Slack) {
        return unconfigured("slack");
    }
    let (parts, body) = request.into_parts();
    let token = token.rsplit('/').next().unwrap_or_default();
    let taken = take(&gate, Robot::Slack, token, &parts, body, None).await;
    let ok = || said(StatusCode::OK, TEXT, "ok");
    answered(&gate, begun, taken, ok, |trouble| match trouble {
        Trouble::Token(_) | Trouble::Sign => trouble.answer(StatusCode::FORBIDDEN, TEXT, "invalid_token"),
        Trouble::Refused(Refusal::Unreadable(_)) => trouble.answer(StatusCode::BAD_REQUEST, TEXT, "no_text"),
        Trouble::Refused(_) => trouble.answer(StatusCode::BAD_REQUEST, TEXT, "invalid_payload"),
    })
}
