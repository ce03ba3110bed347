//! The socket at `/ws`: reads and writes frames until either side closes it.

use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use serde_json::{Value, json};

use super::Out;
use super::commands;
use crate::call::text;
use crate::faults::Action;
use crate::server::Connection;
use crate::state::{Shared, World, lock};

/// A chunk of 512 KB is 700 KB as base64; a stream may hold a picture. The socket rejects larger frames.
const MAX_FRAME: usize = 16 * 1024 * 1024;

/// Opens a connection.
pub(crate) async fn open(
    State(world): State<Shared>,
    Extension(connection): Extension<Connection>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let from = connection.peer.ip().to_canonical().to_string();
    let upgrade = upgrade.max_message_size(MAX_FRAME).max_frame_size(MAX_FRAME);
    upgrade.on_upgrade(async move |socket| {
        let background = lock(&world).background.clone();
        let _running = background.tasks.token();
        background.ended.run_until_cancelled_owned(serve(socket, world, from)).await;
    })
}

async fn serve(mut socket: WebSocket, world: Shared, from: String) {
    let (id, mut out) = {
        let mut world = lock(&world);
        let now = world.clock.now();
        world.bots.opened(from, now)
    };
    loop {
        tokio::select! {
            received = socket.recv() => match received {
                Some(Ok(Message::Text(text))) => receive(&world, id, &text),
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
            },
            next = out.recv() => match next {
                Some(Out::Text(text)) => if socket.send(Message::Text(text.into())).await.is_err() { break },
                Some(Out::Close) => {
                    // The client may be gone already; then the close frame is not needed.
                    drop(socket.send(Message::Close(None)).await);
                    break;
                }
                Some(Out::Cut) | None => break,
            },
        }
    }
    lock(&world).bots.closed(id);
}

/// Executes a frame, or the fault that matches it.
fn receive(world: &Shared, id: u64, raw: &str) {
    let mut locked = lock(world);
    let now = locked.clock.now();
    let frame: Value = serde_json::from_str(raw).unwrap_or_default();
    let cmd = text(&frame, "cmd").unwrap_or_default().to_owned();
    locked.bots.note(now, id, "in", &cmd, raw);
    match struck(&mut locked, id, &cmd, &frame) {
        Some(Action::Hang) => {}
        Some(Action::ResetBefore) => drop(locked.bots.send(id, Out::Cut)),
        Some(Action::DelayMs(ms)) => {
            let world = world.clone();
            locked.background.spawn(async move {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                let mut locked = lock(&world);
                let answer = commands::answer(&mut locked, id, &cmd, &frame);
                reply(&world, &mut locked, id, &cmd, &answer);
            });
        }
        Some(Action::Raw(body) | Action::Http { body, .. }) => {
            locked.bots.note(now, id, "out", &cmd, &body);
            locked.bots.send(id, Out::Text(body));
        }
        Some(Action::Errcode(code)) => {
            let answer = commands::refused(&locked, id, &frame, code);
            reply(world, &mut locked, id, &cmd, &answer);
        }
        Some(Action::ResetAfter) => {
            commands::answer(&mut locked, id, &cmd, &frame);
            locked.bots.send(id, Out::Cut);
        }
        Some(Action::Truncate) => {
            let answer = commands::answer(&mut locked, id, &cmd, &frame).to_string();
            let half = answer[..answer.floor_char_boundary(answer.len() / 2)].to_owned();
            locked.bots.note(now, id, "out", &cmd, &half);
            locked.bots.send(id, Out::Text(half));
        }
        None => {
            let answer = commands::answer(&mut locked, id, &cmd, &frame);
            reply(world, &mut locked, id, &cmd, &answer);
        }
    }
}

/// The fault that matches a frame.
fn struck(world: &mut World, id: u64, cmd: &str, frame: &Value) -> Option<Action> {
    let body = frame.get("body").unwrap_or(&Value::Null);
    let bot = world.bots.connections.get(&id).and_then(|connection| connection.bot.clone());
    world.faults.strike_frame(cmd, bot.as_deref().or_else(|| text(body, "bot_id")), body)
}

/// Sends the answer to a frame, delayed if a switch demands it; after a subscribe, sends the queued events.
fn reply(shared: &Shared, world: &mut World, id: u64, cmd: &str, answer: &Value) {
    let late = match cmd {
        "ping" if !world.switches.bot_answers_pings => return,
        "ping" => world.switches.bot_ping_delay_ms,
        _ => world.switches.bot_ack_delay_ms,
    };
    let text = world.frame_text(answer);
    if late == 0 {
        send_reply(world, id, cmd, text);
        return;
    }
    let (shared, cmd) = (shared.clone(), cmd.to_owned());
    world.background.spawn(async move {
        tokio::time::sleep(Duration::from_millis(late)).await;
        send_reply(&mut lock(&shared), id, &cmd, text);
    });
}

fn send_reply(world: &mut World, id: u64, cmd: &str, text: String) {
    let now = world.clock.now();
    world.bots.note(now, id, "out", cmd, &text);
    world.bots.send(id, Out::Text(text));
    if cmd == "aibot_subscribe" {
        world.flush_waiting(id);
    }
}

impl World {
    /// The text of a frame as sent.
    pub(super) fn frame_text(&self, frame: &Value) -> String {
        let mut text = frame.to_string();
        if self.switches.bot_control_characters
            && let Some(at) = text.rfind('"')
        {
            // One inside a string and one between the tokens: JSON permits neither.
            text.insert(at, '\u{b}');
            text.insert(1, '\u{1}');
        }
        text
    }
}

/// A successful answer.
pub(super) fn ok(req_id: &str, body: Option<Value>) -> Value {
    let mut answer = json!({"headers": {"req_id": req_id}, "errcode": 0, "errmsg": "ok"});
    if let Some(body) = body {
        answer["body"] = body;
    }
    answer
}
