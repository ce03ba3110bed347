//! The addresses of robots of other chats, of push services, and of bridges to WeCom. Each is a [`Service`]: its paths, its
//! credential, how its body is read, and its answers. All of them are served by one function (`serve`), which uses the
//! service's own functions where services differ.

mod asked;
mod bridges;
mod chats;
mod discord;
mod ntfy;
mod push;
mod service;
mod sign;
mod slack;
mod teams;
mod whose;

use std::collections::BTreeMap;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{RawPathParams, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use bytes::Bytes;

use super::{Wanted, unconfigured};
use crate::config::{Config, Robot};
use crate::http::body::Standing;
use crate::http::{Gate, parent};
use crate::ingest::Door;
use crate::intake::{Call, LARGE_BODY, Packing, Receipt, Refused, aside};
use asked::Asked;
use service::{Answer, Calls, Get, Members, Outcome, PLAIN, Service, Trouble, iso, json, text};
use whose::{chosen, doors, fits, found};

/// The services of each program.
const fn services(robot: Robot) -> &'static [Service] {
    match robot {
        Robot::Dingtalk => &[chats::DINGTALK],
        Robot::Feishu => &[chats::FEISHU],
        Robot::Slack => &[slack::SLACK],
        Robot::Mattermost => &[slack::MATTERMOST],
        Robot::Rocketchat => &[slack::ROCKETCHAT],
        Robot::Teams => &[teams::TEAMS],
        Robot::Discord => &[discord::DISCORD],
        Robot::Serverchan => &[push::SERVERCHAN],
        Robot::Pushplus => &[push::PUSHPLUS],
        Robot::Bark => &[push::BARK],
        Robot::Ntfy => &[ntfy::NTFY, ntfy::ROOT],
        Robot::Gotify => &[push::GOTIFY],
        Robot::Prometheusalert => &[bridges::PROMETHEUSALERT, bridges::ZABBIX],
        Robot::A2w => &[bridges::A2W],
        Robot::Bougou => &[bridges::BOUGOU],
        Robot::Timonwong => &[bridges::TIMONWONG],
    }
}

/// A program and one of its services.
type Served = (Robot, &'static Service);

/// The paths of all services; several services may share a path.
pub(super) fn routes() -> axum::Router<Gate> {
    let mut by_path: BTreeMap<&'static str, Vec<Served>> = BTreeMap::new();
    for (robot, service) in Robot::ALL.iter().flat_map(|robot| services(*robot).iter().map(|service| (*robot, service)))
    {
        for path in service.paths {
            by_path.entry(path).or_default().push((robot, service));
        }
    }
    by_path.into_iter().fold(axum::Router::new(), |router, (path, served)| {
        let gets = served.iter().any(|(_, service)| !matches!(service.get, Get::Never));
        let handler = async move |State(gate): State<Gate>, params: RawPathParams, request: Request| {
            serve(gate, &served, &params, request).await
        };
        let route = if gets { get(handler.clone()).put(handler.clone()).post(handler) } else { post(handler) };
        router.route(path, route)
    })
}

async fn serve(gate: Gate, served: &[Served], params: &RawPathParams, request: Request) -> Response {
    let begun = Instant::now();
    let (parts, body) = request.into_parts();
    let mut asked = Asked::new(parts, params, gate.server.clock.now());
    let Some((robot, service)) = chosen(&gate.server.setup.now().config, served, &asked) else {
        return nowhere(served, &asked);
    };
    if asked.parts.method == Method::GET {
        match service.get {
            Get::Never => return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "POST")]).into_response(),
            Get::Looks(answer) => {
                let known = found(&gate.server.setup.now().config, robot, service, &asked).map(drop);
                return match known {
                    Ok(()) => answer(&asked).response(),
                    Err(trouble) => trouble.cause().attach((service.answers)(&asked, trouble.outcome()).response()),
                };
            }
            Get::Says => {}
        }
    }
    let taken = take(&gate, robot, service, &mut asked, body).await;
    match taken {
        Ok(taken) => {
            let answer = (service.answers)(&asked, Outcome::Taken(taken.id)).response();
            gate.answered(begun, Some(taken.format), answer)
        }
        Err(trouble) => {
            let mut answer = (service.answers)(&asked, trouble.outcome());
            if let (Outcome::Busy, Trouble::Refused(refusal)) = (trouble.outcome(), &trouble) {
                // The status tells every client that it should retry.
                answer.status = refusal.said().0;
            }
            gate.answered(begun, None, trouble.cause().attach(answer.response()))
        }
    }
}

/// The answer if no source enables the address.
fn nowhere(served: &[Served], asked: &Asked) -> Response {
    match served.iter().find(|served| fits(served, asked)) {
        // `/` also serves the page for browsers, so other methods are answered 405, not 404.
        Some(_) if asked.parts.uri.path() == "/" => {
            (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")]).into_response()
        }
        Some((robot, _)) => unconfigured(robot.as_str()),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Does a program (not a browser) probe for a2w here?
pub(in crate::http) fn looks_for_a2w(config: &Config, headers: &HeaderMap) -> bool {
    let accepts = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    !accepts.contains("text/html") && doors(config, Robot::A2w).next().is_some()
}

async fn take(gate: &Gate, robot: Robot, service: &Service, asked: &mut Asked, body: Body) -> Result<Receipt, Trouble> {
    let setup = gate.server.setup.now();
    let config = &setup.config;
    let in_head = found(config, robot, service, asked);
    let none_in_head = (service.tokens)(asked).is_empty();
    let (whose, held) = match in_head {
        Ok(whose) => {
            let (body, held) = gate.body(&asked.parts, body, Standing::Proven).await.map_err(Trouble::Refused)?;
            understand(asked, body).await;
            (whose, held)
        }
        Err(_) if none_in_head && service.proven_without && !service.token_in_body => {
            return proven(gate, service, asked, body).await;
        }
        Err(trouble) if !service.token_in_body => return Err(trouble),
        Err(_) => {
            let (body, held) = gate.body(&asked.parts, body, Standing::Claimed).await.map_err(Trouble::Refused)?;
            // Unproven bodies above this size are not parsed: push services send little.
            if body.len() > LARGE_BODY {
                return Err(Trouble::Refused(Refused::TooLarge.into()));
            }
            understand(asked, body.clone()).await;
            match found(config, robot, service, asked) {
                Ok(whose) => (whose, held),
                Err(_) if service.proven_without && (service.tokens)(asked).is_empty() => {
                    drop(held);
                    asked.parts.headers.remove(header::CONTENT_ENCODING);
                    return proven(gate, service, asked, Body::from(body)).await;
                }
                Err(trouble) => return Err(trouble),
            }
        }
    };
    if let (Some(secret), Some(signed)) = (&whose.door.secret, service.signed)
        && !signed(secret, &asked.parts, &asked.tree, asked.now.0)
    {
        return Err(Trouble::Sign);
    }
    let receivers = whose.receivers(config, robot, (service.members)(asked).as_ref());
    let named = (service.receiver)(asked).filter(|name| receivers.is_none() && config.receivers.contains_key(name));
    let (body, content_type) = match (service.reads)(asked) {
        Some(read) => (Bytes::from(read.to_string()), Some("application/json".to_owned())),
        None => (asked.body.clone(), asked.content_type().map(str::to_owned)),
    };
    let call = Call {
        source: whose.source.clone(),
        door: Door::Webhook,
        receiver: named,
        receivers,
        called: (service.calls)(asked).by_leave(whose.door.mention_all),
        content_type,
        body,
        packing: Packing::Plain,
        part: None,
        received_at: asked.now,
        parent: parent(&asked.parts.headers),
    };
    // The body waits for its share of the memory again.
    drop(held);
    gate.server.intake.admit(call).await.map_err(|refused| Trouble::Refused(refused.into()))
}

/// Parses the body into `asked`; a large one on a blocking thread.
async fn understand(asked: &mut Asked, body: Bytes) {
    let content_type = asked.content_type().map(str::to_owned);
    let bytes = body.clone();
    let large = body.len() > LARGE_BODY;
    let (text, tree) = aside(large, move || crate::ingest::decoded(&bytes, content_type.as_deref())).await;
    (asked.body, asked.text, asked.tree) = (body, text, tree.unwrap_or_default());
}

/// A call with the source's ordinary credential.
async fn proven(gate: &Gate, service: &Service, asked: &Asked, body: Body) -> Result<Receipt, Trouble> {
    let wanted = Wanted {
        receiver: (service.receiver)(asked),
        called: (service.calls)(asked).by_leave(false),
        members: (service.members)(asked).map(|members| members.to),
    };
    let request = Request::from_parts(asked.parts.clone(), body);
    let mut source = None;
    gate.receive(request, Door::Webhook, wanted, &mut source).await.map_err(Trouble::Refused)
}
