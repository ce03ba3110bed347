//! `/api/v1/events`: incidents, messages and acts as they change, for programs that would otherwise ask every second.
//!
//! Each stream reads the record behind its own [`Position`], and only when the marks that all streams share have changed:
//! a slow reader fills no queue, another replica or a later process goes on behind an id, and what is told is what the
//! lists show. An event may come twice; none is left out within an hour.

use std::collections::BTreeSet;
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::unfold;
use serde::Serialize;
use utoipa::IntoParams;
use utoipa::openapi::path::ParameterIn;

use super::super::Gate;
use super::super::console::live::{ALIVE, ASK, LIFE, LOOK, Place, stream_headers};
use super::super::lobby::Seat;
use super::caller::Caller;
use super::described::Problems;
use super::list::caller;
use super::look::sees_act;
use super::position::{Position, Resumed, Settled};
use super::problem::Wrong;
use super::query::Bad;
use super::shapes::{Act, Delivery, Incident};
use super::token::Scope;
use super::words;
use crate::alert::{ThreadId, Timestamp};
use crate::store::{
    ActFilter, ActRow, ActState, AlertFilter, DeliveryFilter, Marks, OVERLAP_MS, Reached, Store, StoreError,
};

/// Rows of a kind that one reading takes: what a reader gets at once is at most some 200 KB.
const ROWS: u32 = 100;
/// Settled messages in one question.
const PAGE: u32 = 1_000;

/// What a stream tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Incident,
    Delivery,
    Act,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Incident, Self::Delivery, Self::Act];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Incident => "incident",
            Self::Delivery => "delivery",
            Self::Act => "act",
        }
    }

    /// Those of a list between commas; `None`: one of them is none.
    fn listed(text: &str) -> Option<Vec<Self>> {
        let one = |word: &str| Self::ALL.into_iter().find(|kind| kind.as_str() == word.trim());
        text.split(',').map(one).collect()
    }
}

/// What to tell of.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the keys, which are read one by one")]
pub(super) struct EventsQuery {
    /// `incident`, `delivery`, `act`, with commas between them; all if not given.
    types: Option<String>,
}

/// What changes, as it changes.
///
/// Server-sent events: `event` is `incident`, `delivery` or `act`, and `data` is the resource as the lists have it. An
/// event may come twice. `gap` says that what happened since its time must be read from the lists; `over` that the token
/// has ended. A stream ends after half an hour; ask again with its last id.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "events", security(("token" = ["read"])),
    params(
        EventsQuery,
        ("Last-Event-ID" = Option<String>, Header, description = "The last `id` that came: what happened since then comes first, for up to an hour")
    ),
    responses((status = 200, description = "Events", body = String, content_type = "text/event-stream"), Problems)
)]
pub(super) async fn events(State(gate): State<Gate>, parts: Parts) -> Response {
    let caller = caller!(gate, parts, Scope::Read);
    let (path, language) = (caller.path.clone(), caller.language);
    let opened = match Stream::open(gate.clone(), caller, &parts).await {
        Ok(opened) => opened,
        Err(wrong) => {
            if let Wrong::Store(error) = &wrong {
                gate.server.fuse.failed(error);
            }
            return wrong.answer(&path, language);
        }
    };
    if let Some(seat) = parts.extensions.get::<Seat>() {
        seat.depart();
    }
    let body = unfold(opened, |mut stream| async move {
        let said = stream.next().await?;
        Some((Ok::<_, std::convert::Infallible>(said), stream))
    });
    let mut answer = Body::from_stream(body).into_response();
    stream_headers(answer.headers_mut());
    answer
}

/// An open stream.
struct Stream {
    gate: Gate,
    caller: Caller,
    kinds: Vec<Kind>,
    position: Position,
    /// The marks up to which the record was read; `None`: there is more to read.
    known: Option<Marks>,
    /// What is said first.
    greeting: Option<String>,
    begun: Instant,
    asked: Instant,
    said: Instant,
    over: bool,
    _place: Place,
}

/// What one reading found.
struct Found {
    reached: Reached,
    settled: Vec<Settled>,
    acts: Vec<ActRow>,
    messages: BTreeSet<i64>,
    threads: BTreeSet<ThreadId>,
    /// There may be more.
    more: bool,
}

impl Stream {
    async fn open(gate: Gate, caller: Caller, parts: &Parts) -> Result<Self, Wrong> {
        let params = caller.params(&EventsQuery::into_params(|| Some(ParameterIn::Query)))?;
        let kinds = params.read("types", words::TYPES, Kind::listed)?.unwrap_or_else(|| Kind::ALL.to_vec());
        let place = gate.streams.enter(&caller.name()).ok_or(Wrong::TooManyStreams)?;
        let now = gate.server.clock.now();
        let marks = gate.server.store.marks(now).await?;
        let (mut greeting, mut known) = (String::from(": wegraf\n"), Some(marks));
        let position = match parts.headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default()) {
            None => end(&gate.server.store.for_people(), &marks).await?,
            Some(id) => match Position::resumed(id, &marks, now) {
                None => return Err(Bad::Value { key: "Last-Event-ID", form: words::EVENT_ID }.into()),
                Some(Resumed::At(position)) => {
                    known = None;
                    position
                }
                Some(Resumed::Gap(since)) => {
                    let since = serde_json::json!({ "since": caller.say().time(since) });
                    greeting += "event: gap\ndata: ";
                    greeting += &since.to_string();
                    greeting += "\n";
                    end(&gate.server.store.for_people(), &marks).await?
                }
            },
        };
        greeting += "id: ";
        greeting += &position.id(now);
        greeting += "\n\n";
        let begun = Instant::now();
        Ok(Self {
            gate,
            caller,
            kinds,
            position,
            known,
            greeting: Some(greeting),
            begun,
            asked: begun,
            said: begun,
            over: false,
            _place: place,
        })
    }

    /// What is said next; `None`: the stream ends.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(greeting) = self.greeting.take() {
            return Some(greeting.into());
        }
        loop {
            if self.over || self.begun.elapsed() >= LIFE {
                return None;
            }
            if self.known.is_some() {
                tokio::select! {
                    () = tokio::time::sleep(LOOK) => {}
                    () = self.gate.stop.cancelled() => return None,
                }
            }
            if self.asked.elapsed() >= ASK {
                self.asked = Instant::now();
                let token = self.gate.server.store.api_token(self.caller.hash, self.gate.server.clock.now()).await;
                if matches!(token, Ok(None)) {
                    self.over = true;
                    return Some(Bytes::from_static(b"event: over\ndata: {}\n\n"));
                }
            }
            let before = self.known;
            let said = self.look().await.unwrap_or_else(|error| {
                // A store that does not answer now is asked again, after a pause.
                tracing::debug!(%error, "A stream of the API could not be read on.");
                self.known = before.or_else(|| Some(Marks::default()));
                String::new()
            });
            if !said.is_empty() || self.said.elapsed() >= ALIVE {
                self.said = Instant::now();
                return Some(Bytes::from(format!("{said}id: {}\n\n", self.position.id(self.gate.server.clock.now()))));
            }
        }
    }

    /// Reads on, and returns the events for this caller; the end of the last one is left to its id.
    async fn look(&mut self) -> Result<String, StoreError> {
        let marks = self.gate.streams.look(&self.gate).await?;
        if self.known == Some(marks) {
            return Ok(String::new());
        }
        let store = self.gate.server.store.for_people();
        let found = self.read(&store).await?;
        let said = self.tell(&store, &found).await?;
        self.position.pass(found.reached, &found.settled);
        for act in &found.acts {
            self.position.act(act.id, act.state == ActState::Open);
        }
        self.known = (!found.more).then_some(marks);
        Ok(said)
    }

    async fn read(&self, store: &Store) -> Result<Found, StoreError> {
        let before = self.position.reached;
        let news = store.news(before, ROWS).await?;
        let settled = self.settled(store).await?;
        let among: Vec<i64> = self.position.open().chain(news.acts.iter().copied()).collect();
        let mut acts = Vec::new();
        if !among.is_empty() {
            acts = store.acts(ActFilter { among, limit: 1_000, ..ActFilter::default() }).await?;
            acts.retain(|act| act.id > before.act || act.state != ActState::Open);
            acts.sort_by_key(|act| act.id);
        }
        let of_acts = acts.iter().map(|act| act.thread);
        let threads = news.transitions.iter().map(|(_, thread)| *thread).chain(of_acts);
        let full = |rows: usize| rows >= ROWS as usize;
        Ok(Found {
            reached: Reached {
                transition: news.transitions.last().map_or(before.transition, |(id, _)| *id),
                message: news.messages.last().copied().unwrap_or(before.message),
                act: news.acts.last().copied().unwrap_or(before.act),
            },
            more: [news.transitions.len(), news.messages.len(), news.acts.len(), settled.len()].into_iter().any(full),
            threads: threads.filter(|thread| thread.0 != 0).collect(),
            messages: news.messages.into_iter().chain(settled.iter().map(|(_, id)| *id)).collect(),
            settled,
            acts,
        })
    }

    /// Settled messages that were not told, in order.
    async fn settled(&self, store: &Store) -> Result<Vec<Settled>, StoreError> {
        let (mut found, mut behind) = (Vec::new(), self.position.low());
        loop {
            let page = store.settled(behind, PAGE).await?;
            let last = page.last().copied();
            for settled in &page {
                if !self.position.knows(settled) {
                    found.push(*settled);
                }
                if found.len() >= ROWS as usize {
                    return Ok(found);
                }
            }
            match last.filter(|_| page.len() >= PAGE as usize) {
                Some(last) => behind = last,
                None => return Ok(found),
            }
        }
    }

    /// The events of what was found, as this caller may see it.
    async fn tell(&self, store: &Store, found: &Found) -> Result<String, StoreError> {
        let (caller, say, mut said) = (&self.caller, self.caller.say(), Vec::new());
        if self.kinds.contains(&Kind::Incident) && !found.threads.is_empty() {
            let threads = found.threads.iter().copied().collect();
            let filter = AlertFilter { threads, receivers: caller.receivers(), limit: 1_000, ..AlertFilter::default() };
            for rows in store.incidents(filter).await?.into_iter().rev() {
                let seen: Vec<_> = rows.iter().filter(|row| caller.sees(&row.receiver)).collect();
                if !seen.is_empty() {
                    said.push(event(Kind::Incident, &Incident::of(&seen, say)));
                }
            }
        }
        if self.kinds.contains(&Kind::Delivery) && !found.messages.is_empty() {
            let among = found.messages.iter().copied().collect();
            let filter =
                DeliveryFilter { among, receivers: caller.receivers(), limit: 1_000, ..DeliveryFilter::default() };
            let rows = store.deliveries(filter).await?;
            said.extend(rows.iter().rev().map(|row| event(Kind::Delivery, &Delivery::of(row, say))));
        }
        if self.kinds.contains(&Kind::Act) {
            for act in &found.acts {
                if sees_act(store, caller, act).await? {
                    said.push(event(Kind::Act, &Act::of(act, say)));
                }
            }
        }
        // The last one ends with the id: a connection that breaks between them loses none.
        Ok(said.join("\n"))
    }
}

/// The end of the record.
async fn end(store: &Store, marks: &Marks) -> Result<Position, StoreError> {
    let (mut recent, mut behind) = (Vec::new(), (Timestamp(marks.settled).plus_millis(-OVERLAP_MS), 0));
    loop {
        let page = store.settled(behind, PAGE).await?;
        recent.extend(page.iter().copied());
        match page.last().filter(|_| page.len() >= PAGE as usize) {
            Some(last) => behind = *last,
            None => return Ok(Position::end(marks, &recent)),
        }
    }
}

fn event<T: Serialize>(kind: Kind, resource: &T) -> String {
    let data = serde_json::to_string(resource).expect("our shapes are JSON");
    format!("event: {}\ndata: {data}\n", kind.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_listed_between_commas() {
        assert_eq!(Kind::listed("act, incident"), Some(vec![Kind::Act, Kind::Incident]));
        assert_eq!((Kind::listed("acts"), Kind::listed(""), Kind::listed("act,")), (None, None, None));
    }
}
