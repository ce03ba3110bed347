//! The API under `/cgi-bin/`: a call passes from the request through faults and endpoint to the journal.

mod agent;
mod appchat;
mod card;
mod directory;
pub(crate) mod media;
pub(crate) mod message;
mod network;
mod receivers;
mod token;
mod webhook;

use std::time::Duration;

use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::json;
use tokio::sync::mpsc;

use crate::answer::{Answer, Outcome, Refusal};
use crate::call::Call;
use crate::clock::{HOUR_MS, MINUTE_MS};
use crate::control::Feed;
use crate::faults::Action;
use crate::journal::Entry;
use crate::rate::Ceilings;
use crate::server::Connection;
use crate::state::{Shared, World, lock};
use crate::switches::Escapes;

/// An upload may be 20 MB, plus the multipart overhead; a larger body is not read.
const MAX_UPLOAD: usize = 24 * 1024 * 1024;
/// The largest JSON that is legal is an mpnews of eight articles of 666 KB.
const MAX_JSON: usize = 8 * 1024 * 1024;
/// A hanging call is released after this: longer than any client's timeout, short enough to free the connection.
const HANG: Duration = Duration::from_mins(10);
/// Basic frequency of one API for one corp (page 90454).
const BASIC: Ceilings = Ceilings { minute: 10_000, hour: 150_000, ..Ceilings::NONE };
/// Calls with `debug=1`.
const DEBUG: Ceilings = Ceilings { minute: 5, ..Ceilings::NONE };

/// Answers one call of the API.
pub(crate) async fn handle(
    State(world): State<Shared>,
    Extension(connection): Extension<Connection>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, MAX_UPLOAD).await;
    let too_large = body.is_err();
    let peer = connection.peer.ip().to_canonical().to_string();
    let call = Call::new(head, body.unwrap_or_default(), peer).await;

    let (entry, action) = {
        let mut world = lock(&world);
        let mut entry = Entry::of(&call, world.clock.now());
        let app = app_of(&world, &call);
        let action = world.faults.strike(&call, app);
        entry.fault = action.as_ref().map(|action| json!(action));
        (entry, action)
    };

    match action {
        Some(Action::DelayMs(ms)) => {
            // A server finishes a call that it accepted, even if the client has disconnected.
            let late = tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                answer(&world, &connection, entry, &call, action, too_large).await
            });
            late.await.expect("an answer does not panic")
        }
        Some(Action::Hang) => {
            note(&world, entry, &call);
            tokio::time::sleep(HANG).await;
            connection.reset().await
        }
        Some(Action::ResetBefore) => {
            note(&world, entry, &call);
            connection.reset().await
        }
        Some(Action::Http { status, body }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            plain(&world, entry, &call, status, &body)
        }
        Some(Action::Raw(body)) => plain(&world, entry, &call, StatusCode::OK, &body),
        Some(Action::Errcode(_) | Action::ResetAfter | Action::Truncate) | None => {
            answer(&world, &connection, entry, &call, action, too_large).await
        }
    }
}

/// Executes the call and returns its answer.
async fn answer(
    world: &Shared,
    connection: &Connection,
    mut entry: Entry,
    call: &Call,
    action: Option<Action>,
    too_large: bool,
) -> Response {
    let answer = {
        let mut world = lock(world);
        let outcome = match action {
            Some(Action::Errcode(code)) => Err(Refusal::code(code)),
            _ if too_large => Err(Refusal::code(40206)),
            _ => dispatch(&mut world, call),
        };
        Answer::new(outcome, &call.from, world.clock.now())
    };
    entry.errcode = Some(answer.errcode());
    entry.answer = answer.to_json();
    if action == Some(Action::ResetAfter) {
        note(world, entry, call);
        connection.reset().await;
    }
    entry.status = 200;
    note(world, entry, call);
    if action == Some(Action::Truncate) { truncated(&answer) } else { answer.into_response() }
}

fn note(world: &Shared, entry: Entry, call: &Call) {
    lock(world).journal.note(entry, endpoint(&call.path).is_some());
}

fn plain(world: &Shared, mut entry: Entry, call: &Call, status: StatusCode, body: &str) -> Response {
    entry.status = status.as_u16();
    entry.answer = json!(body);
    note(world, entry, call);
    (status, [(header::CONTENT_TYPE, "text/html")], body.to_owned()).into_response()
}

/// An answer whose `Content-Length` exceeds the bytes sent.
fn truncated(answer: &Answer) -> Response {
    let body = answer.to_json().to_string();
    let half = Bytes::copy_from_slice(&body.as_bytes()[..body.len() / 2]);
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        // The pause lets the half go out on the wire before the body ends too early.
        if sender.send(half).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let headers =
        [(header::CONTENT_TYPE, "application/json".to_owned()), (header::CONTENT_LENGTH, body.len().to_string())];
    (headers, Body::new(Feed(receiver))).into_response()
}

/// The agent id that a call is made for, to match faults.
fn app_of(world: &World, call: &Call) -> Option<i64> {
    if let Some(token) = call.param("access_token") {
        return world.tokens.check(token, world.clock.now()).ok().map(|badge| badge.agent_id);
    }
    let secret = call.param("corpsecret")?;
    let apps = world.setup.corps.iter().flat_map(|corp| &corp.apps);
    apps.filter(|app| app.secret == secret).map(|app| app.agent_id).next()
}

type Endpoint = fn(&mut World, &Call) -> Outcome;

#[rustfmt::skip]
fn endpoint(path: &str) -> Option<Endpoint> {
    Some(match path {
        "gettoken" => token::get,
        "message/send" => message::send,
        "message/recall" => message::recall,
        "message/get_statistics" => message::statistics,
        "message/update_template_card" => card::update,
        "appchat/create" => appchat::create,
        "appchat/update" => appchat::update,
        "appchat/get" => appchat::get,
        "appchat/send" => appchat::send,
        "webhook/send" => webhook::send,
        "webhook/upload_media" => webhook::upload,
        "media/upload" => media::upload,
        "media/get" => media::get,
        "media/uploadimg" => media::upload_image,
        "agent/get" => agent::get,
        "agent/list" => agent::list,
        "user/getuserid" => directory::by_mobile,
        "user/get_userid_by_email" => directory::by_email,
        "user/get" => directory::user,
        "auth/getuserinfo" => crate::sign_in::user_info,
        "user/simplelist" => directory::users,
        "department/simplelist" => directory::departments_simple,
        "department/list" => directory::departments,
        "tag/list" => directory::tags,
        "tag/get" => directory::tag,
        "getcallbackip" => network::callback_addresses,
        "get_api_domain_ip" => network::api_addresses,
        _ => return None,
    })
}

fn dispatch(world: &mut World, call: &Call) -> Outcome {
    let Some(endpoint) = endpoint(&call.path) else {
        let path: String = call.path.chars().take(100).collect();
        return Err(Refusal::saying(48002, format!("api forbidden: the simulator does not know /cgi-bin/{path}")));
    };
    let uploads = matches!(call.path.as_str(), "media/upload" | "media/uploadimg" | "webhook/upload_media");
    if !uploads && call.body.len() > MAX_JSON {
        return Err(Refusal::code(40206));
    }
    if world.switches.non_ascii_escapes == Escapes::Refuse && !uploads && call.has_non_ascii_escape() {
        return Err(Refusal::code(40033));
    }
    frequency(world, call)?;
    endpoint(world, call)
}

/// The limits that count calls, not messages (docs/reference/wecom.md#frequency-limits). Messages have limits of their
/// own.
fn frequency(world: &mut World, call: &Call) -> Result<(), Refusal> {
    let now = world.clock.now();
    if call.param("debug") == Some("1") {
        world.count(&format!("debug {}", call.path), 1, DEBUG, now)?;
    }
    if matches!(call.path.as_str(), "message/send" | "appchat/send" | "webhook/send") {
        return Ok(());
    }
    let corp = match call.param("access_token") {
        Some(token) => world.tokens.check(token, now).map(|badge| badge.corp_id).ok(),
        None => call.param("corpid").filter(|id| world.corp(id).is_some()).map(str::to_owned),
    };
    match corp {
        Some(corp) => world.count(&format!("api {corp} {}", call.path), 1, BASIC, now),
        None => Ok(()),
    }
}

impl World {
    /// Counts `n` under `name`, or refuses with 45009 when that would pass a ceiling.
    pub(crate) fn count(&mut self, name: &str, n: u64, ceilings: Ceilings, now: i64) -> Result<(), Refusal> {
        let tallies = match self.tallies.get_mut(name) {
            Some(tallies) => tallies,
            None => self.tallies.entry(name.to_owned()).or_default(),
        };
        let fits = tallies.try_add(now, n, ceilings);
        if fits || !self.switches.enforce_rate { Ok(()) } else { Err(Refusal::code(45009)) }
    }

    /// Counts a delivery to one receiver and tells whether a silent limit swallows it.
    fn swallows(&mut self, door: Door, address: (String, i64, String), now: i64) -> bool {
        let over = match door {
            Door::Member => {
                let recent = self.members.entry(address).or_insert_with(|| crate::rate::Recent::new(1000));
                let over = recent.within(now, MINUTE_MS) >= self.switches.member_per_minute
                    || recent.within(now, HOUR_MS) >= 1000;
                if !over {
                    recent.push(now);
                }
                over
            }
            Door::ChatMember => {
                let day = crate::clock::natural_day(now);
                let member = self.chat_members.entry(address).or_insert_with(|| crate::state::ChatMember {
                    recent: crate::rate::Recent::new(200),
                    day: crate::rate::Tally::default(),
                });
                let over = member.recent.within(now, MINUTE_MS) >= 200 || member.day.at(day) >= 10_000;
                if !over {
                    member.recent.push(now);
                    member.day.add(day, 1);
                }
                over
            }
        };
        over && self.switches.enforce_rate
    }
}

/// Which silent limit counts.
#[derive(Debug, Clone, Copy)]
enum Door {
    /// App → member: 30 a minute (or as the switch says), 1000 an hour (page 90454).
    Member,
    /// App → member over all its group chats: 200 a minute, 10,000 a natural day (page 90248).
    ChatMember,
}
