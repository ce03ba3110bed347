//! Live pages: a browser that is signed in hears which parts of pages changed, and fetches what it shows again.
//!
//! A stream tells names of parts and nothing of their contents. Streams have a bound of their own and no place among the
//! connections of senders; they end with the process, with the session and after half an hour, and the script connects
//! again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::unfold;

use super::super::lobby::Seat;
use super::{Gate, Guest, sign_in};
use crate::console;
use crate::store::{Hash, Marks, StoreError, hash};

/// Streams in all: each is a connection and a look at the record's marks each second, which all share.
const STREAMS: usize = 64;
/// Streams of one session: as many tabs as a person looks at; hidden ones close theirs.
const OF_SESSION: usize = 3;
/// How often the record is looked at.
pub(in crate::http) const LOOK: Duration = Duration::from_secs(1);
/// How often it is asked whether the session has ended.
pub(in crate::http) const ASK: Duration = Duration::from_secs(2);
/// A stream without news says this often that it is alive, before proxies close it.
pub(in crate::http) const ALIVE: Duration = Duration::from_secs(20);
/// The longest life of a stream.
pub(in crate::http) const LIFE: Duration = Duration::from_mins(30);

/// The open streams, and the last look that they share.
#[derive(Debug, Default)]
pub struct Streams {
    /// By the number of their session, or the name of their token.
    open: Mutex<HashMap<String, usize>>,
    seen: tokio::sync::Mutex<Option<(Instant, Marks)>>,
}

/// A stream's place; free again when it is dropped.
pub(in crate::http) struct Place {
    streams: Arc<Streams>,
    session: String,
}

impl Streams {
    /// `None`: the session, or all together, have as many as there may be.
    pub(in crate::http) fn enter(self: &Arc<Self>, session: &str) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let of_session = open.get(session).copied().unwrap_or_default();
        if of_session >= OF_SESSION || open.values().sum::<usize>() >= STREAMS {
            return None;
        }
        open.insert(session.to_owned(), of_session + 1);
        Some(Place { streams: self.clone(), session: session.to_owned() })
    }

    /// How far the record has come, as of the last second.
    pub(in crate::http) async fn look(&self, gate: &Gate) -> Result<Marks, StoreError> {
        let mut seen = self.seen.lock().await;
        if let Some((at, marks)) = *seen
            && at.elapsed() < LOOK
        {
            return Ok(marks);
        }
        let marks = gate.server.store.marks(gate.server.clock.now()).await?;
        *seen = Some((Instant::now(), marks));
        Ok(marks)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.session) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.session);
            }
        }
    }
}

/// The stream of a session.
pub(super) async fn events(State(gate): State<Gate>, parts: Parts) -> Response {
    let guest = match Guest::of(&gate, &parts).await {
        Ok(guest) => guest,
        Err(away) => return away,
    };
    let Some(place) = gate.streams.enter(&guest.session.id) else {
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "30")]).into_response();
    };
    if let Some(seat) = parts.extensions.get::<Seat>() {
        seat.depart();
    }
    let now = Instant::now();
    let stream = Stream {
        gate,
        session: hash(&guest.secret),
        known: None,
        begun: now,
        asked: now,
        said: now,
        over: false,
        _place: place,
    };
    let body = unfold(stream, |mut stream| async move {
        let said = stream.next().await?;
        Some((Ok::<_, std::convert::Infallible>(said), stream))
    });
    let mut answer = Body::from_stream(body).into_response();
    stream_headers(answer.headers_mut());
    answer
}

/// Sets the headers of a stream.
pub(in crate::http) fn stream_headers(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // The connection has no place any more.
        (header::CONNECTION, "close"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// An open stream.
struct Stream {
    gate: Gate,
    session: Hash,
    /// The marks of which the browser knows.
    known: Option<Marks>,
    begun: Instant,
    asked: Instant,
    said: Instant,
    over: bool,
    _place: Place,
}

impl Stream {
    /// What is said next; `None`: the stream ends.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.over || self.begun.elapsed() >= LIFE {
                return None;
            }
            let Some(known) = self.known else {
                // A comment opens the stream in the browser.
                self.known = Some(self.gate.streams.look(&self.gate).await.unwrap_or_default());
                return Some(Bytes::from_static(b": wegraf\n\n"));
            };
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = self.gate.stop.cancelled() => return None,
            }
            if self.asked.elapsed() >= ASK {
                self.asked = Instant::now();
                let session = self.gate.server.store.session(self.session, self.gate.server.clock.now()).await;
                let ended = match &session {
                    Ok(Some(session)) => !sign_in::still_holds(&self.gate, session),
                    Ok(None) => true,
                    Err(_) => false,
                };
                if ended {
                    self.over = true;
                    return Some(Bytes::from_static(b"event: over\ndata: {}\n\n"));
                }
            }
            // A store that does not answer now is asked again.
            let Ok(marks) = self.gate.streams.look(&self.gate).await else { continue };
            self.known = Some(marks);
            let parts = console::changed(&known, &marks);
            if !parts.is_empty() {
                self.said = Instant::now();
                let parts = serde_json::json!({ "parts": parts });
                return Some(Bytes::from(format!("event: change\ndata: {parts}\n\n")));
            }
            if self.said.elapsed() >= ALIVE {
                self.said = Instant::now();
                return Some(Bytes::from_static(b":\n\n"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_bounded_by_session_and_in_all() {
        let streams = Arc::new(Streams::default());
        let mut places: Vec<_> = (0..3).map(|_| streams.enter("a").unwrap()).collect();
        assert!(streams.enter("a").is_none());
        places.pop();
        places.push(streams.enter("a").unwrap());
        for session in 0..61 {
            places.push(streams.enter(&session.to_string()).unwrap());
        }
        assert!(streams.enter("b").is_none(), "64 in all");
        places.clear();
        assert!(streams.enter("b").is_some() && streams.open.lock().unwrap().is_empty(), "places are given back");
    }
}
