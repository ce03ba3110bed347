//! The callback sender: tells an app's server what people do in the app (pages 90238–90241,
//! docs/reference/wecom.md#callbacks).

mod crypto;
pub(crate) mod event;
mod post;
mod reply;
mod xml;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

use crate::log::Log;
use crate::setup::CallbackServer;
use crate::state::{Shared, World, lock};
use crate::tokens::Badge;
use crate::vault::hex;
use crypto::Keys;
use event::{Event, What, envelope};
use post::{Answered, call};

/// Pushes kept for inspection.
const MAX_PUSHES: usize = 2000;
/// The most bytes of an answer that are shown.
const MAX_SHOWN: usize = 4096;

/// One event for an app, with its delivery attempts.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Push {
    pub(crate) id: u64,
    pub(crate) at_ms: i64,
    pub(crate) corp_id: String,
    pub(crate) agent_id: i64,
    pub(crate) user: String,
    /// `text`, `enter_agent`, `template_card_event`, `template_card_menu_event`.
    pub(crate) event: &'static str,
    /// The XML before it was encrypted.
    pub(crate) xml: String,
    pub(crate) attempts: Vec<Attempt>,
    /// No further attempt will follow.
    pub(crate) done: bool,
    /// The passive reply, if there was one: `{"kind": …}` or `{"error": …}`.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub(crate) reply: Value,
    /// The click that caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) click: Option<u64>,
    /// The message that was clicked.
    #[serde(skip)]
    message: u64,
}

/// One call to the app's server.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Attempt {
    pub(crate) at_ms: i64,
    pub(crate) took_us: u64,
    /// `null` without an answer.
    pub(crate) status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// The beginning of the answer.
    pub(crate) body: String,
}

/// All pushes, and the apps whose URL has passed verification.
#[derive(Debug)]
pub(crate) struct Callbacks {
    pub(crate) pushes: Log<Push>,
    verified: HashSet<(String, i64)>,
    /// The last `MsgId` given to a text.
    last_msgid: u64,
}

impl Callbacks {
    pub(crate) fn new() -> Self {
        Self { pushes: Log::new(MAX_PUSHES), verified: HashSet::new(), last_msgid: 7_000_000_000_000_000_000 }
    }

    /// Clears all.
    pub(crate) fn clear(&mut self) {
        self.pushes.clear();
        self.verified.clear();
    }

    pub(crate) fn is_verified(&self, badge: &Badge) -> bool {
        self.verified.contains(&(badge.corp_id.clone(), badge.agent_id))
    }

    pub(crate) fn set_verified(&mut self, badge: &Badge, verified: bool) {
        let name = (badge.corp_id.clone(), badge.agent_id);
        if verified {
            self.verified.insert(name);
        } else {
            self.verified.remove(&name);
        }
    }

    pub(crate) fn new_msgid(&mut self) -> u64 {
        self.last_msgid += 1;
        self.last_msgid
    }
}

/// The destination of one app's callbacks.
#[derive(Debug, Clone)]
struct Target {
    badge: Badge,
    url: String,
    keys: Keys,
}

impl Target {
    fn new(badge: Badge, server: &CallbackServer) -> Result<Self, String> {
        Ok(Self { badge, url: server.url.clone(), keys: Keys::new(&server.token, &server.encoding_aes_key)? })
    }

    /// The query of a call: signed, with a fresh nonce.
    fn query(&self, encrypted: &str, now: i64) -> [(&'static str, String); 3] {
        let (timestamp, nonce) = ((now / 1000).to_string(), hex(&rand::random::<[u8; 8]>()));
        let signature = self.keys.sign(&timestamp, &nonce, encrypted);
        [("msg_signature", signature), ("timestamp", timestamp), ("nonce", nonce)]
    }
}

/// Verifies the callback URL of an app as the console does when it is saved. Returns the result for the control API.
pub(crate) async fn verify(shared: &Shared, badge: Badge) -> Result<Value, String> {
    let (target, deadline, now) = {
        let world = lock(shared);
        let server = world.app(&badge).map_err(|refusal| refusal.text)?.1.callback_server.clone();
        let server = server.ok_or_else(|| format!("app {} has no callback_server", badge.agent_id))?;
        (Target::new(badge, &server)?, world.switches.verify_deadline_ms, world.clock.now())
    };
    let word = rand::random_range(1_000_000_000_000_000_000..u64::MAX).to_string();
    let echostr = target.keys.encrypt(&word, &target.badge.corp_id, rand::random());
    let mut query = target.query(&echostr, now).to_vec();
    query.push(("echostr", echostr));
    let begun = Instant::now();
    let answered = call("GET", &target.url, &query, Bytes::new(), Duration::from_millis(deadline)).await;
    let reason = match &answered {
        Err(reason) => Some(reason.clone()),
        Ok(answer) if answer.status != 200 => Some(format!("HTTP status {} is not 200", answer.status)),
        Ok(answer) if answer.body != word.as_bytes() => {
            Some("the answer is not the plain text of echostr, bare".into())
        }
        Ok(_) => None,
    };
    lock(shared).callbacks.set_verified(&target.badge, reason.is_none());
    Ok(json!({
        "ok": reason.is_none(),
        "reason": reason,
        "status": answered.as_ref().ok().map(|answer| answer.status),
        "answer": answered.as_ref().map(|answer| shown(&answer.body)).unwrap_or_default(),
        "expected": word,
        "took_us": micros(begun),
    }))
}

/// Tells the app's server what a member did. Returns the number of the push, or `None` if the app has no server that
/// counts as verified.
pub(crate) fn tell(
    shared: &Shared,
    world: &mut World,
    badge: &Badge,
    user: &str,
    what: &What<'_>,
    about: Option<(u64, u64)>,
) -> Result<Option<u64>, String> {
    let (_, app) = world.app(badge).map_err(|refusal| refusal.text)?;
    let Some(server) = app.callback_server.clone().filter(|_| world.has_callback(badge)) else { return Ok(None) };
    let target = Target::new(badge.clone(), &server)?;
    let now = world.clock.now();
    let event = Event { corp_id: &badge.corp_id, user, now_s: now / 1000, agent_id: badge.agent_id };
    let xml = event.xml(what);
    let id = world.callbacks.pushes.add(|id| Push {
        id,
        at_ms: now,
        corp_id: badge.corp_id.clone(),
        agent_id: badge.agent_id,
        user: user.into(),
        event: what.name(),
        xml,
        attempts: Vec::new(),
        done: false,
        reply: Value::Null,
        click: about.map(|(click, _)| click),
        message: about.map_or(0, |(_, message)| message),
    });
    for _ in 0..=world.switches.duplicate_events {
        world.background.spawn(deliver(shared.clone(), target.clone(), id));
    }
    Ok(Some(id))
}

/// Sends a push again, as if the answer to it had been lost.
pub(crate) fn repeat(shared: &Shared, id: u64) -> Result<(), String> {
    let world = lock(shared);
    let push = world.callbacks.pushes.get(id).ok_or_else(|| format!("no callback {id} is kept"))?;
    let badge = Badge { corp_id: push.corp_id.clone(), agent_id: push.agent_id };
    let server = world.app(&badge).map_err(|refusal| refusal.text)?.1.callback_server.clone();
    let target = Target::new(badge, &server.ok_or("the app has no callback_server any more")?)?;
    world.background.spawn(deliver(shared.clone(), target, id));
    Ok(())
}

/// Calls the server until it answers 200 or the attempts are used up; each attempt is encrypted and signed afresh.
async fn deliver(shared: Shared, target: Target, id: u64) {
    for attempt in 1.. {
        let (xml, deadline, attempts, pause, now) = {
            let world = lock(&shared);
            let Some(push) = world.callbacks.pushes.get(id) else { return };
            let switches = &world.switches;
            let attempts = switches.callback_attempts;
            (push.xml.clone(), switches.callback_deadline_ms, attempts, switches.callback_retry_ms, world.clock.now())
        };
        let encrypted = target.keys.encrypt(&xml, &target.badge.corp_id, rand::random());
        let query = target.query(&encrypted, now);
        let body = Bytes::from(envelope(&target.badge.corp_id, target.badge.agent_id, &encrypted));
        let begun = Instant::now();
        let answered = call("POST", &target.url, &query, body, Duration::from_millis(deadline)).await;
        let last = attempt >= attempts || answered.as_ref().is_ok_and(|answer| answer.status == 200);
        note(&shared, &target, id, now, micros(begun), &answered, last);
        if last {
            return;
        }
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

/// Records an attempt and applies the passive reply.
fn note(
    shared: &Shared,
    target: &Target,
    id: u64,
    at_ms: i64,
    took_us: u64,
    answered: &Result<Answered, String>,
    done: bool,
) {
    let mut world = lock(shared);
    let Some(push) = world.callbacks.pushes.get_mut(id) else { return };
    let (status, error, body) = match answered {
        Ok(answer) => (Some(answer.status), None, shown(&answer.body)),
        Err(reason) => (None, Some(reason.clone()), String::new()),
    };
    push.attempts.push(Attempt { at_ms, took_us, status, error, body: body.clone() });
    push.done |= done;
    let click = push.click;
    if let (Some(click), Some(status)) = (click, status) {
        let now = world.clock.now();
        let body = json!({"status": status, "body": body});
        world.clicks.answered(click, "callback", now, true, i64::from(status != 200), body);
    }
    if let Ok(answer) = answered
        && answer.status == 200
        && !answer.body.trim_ascii().is_empty()
    {
        let reply = world.take_reply(target, id, &answer.body).unwrap_or_else(|reason| json!({"error": reason}));
        if let Some(push) = world.callbacks.pushes.get_mut(id) {
            push.reply = reply;
        }
    }
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_SHOWN)]).into_owned()
}

fn micros(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
