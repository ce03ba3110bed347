//! Reads a body within its size, its time and its share of the memory budget.

use axum::body::{Body, Bytes, HttpBody as _};
use axum::http::{HeaderMap, header};
use bytes::BytesMut;
use futures_util::stream::{self, StreamExt as _};
use http_body_util::{BodyExt as _, BodyStream, StreamBody};

use super::lobby::{Seat, Unfinished};
use super::{Gate, Refusal, words};
use crate::intake::{Packing, Refused};
use crate::room::{BODY_BYTES, Part};

/// Bodies up to this size need no reservation: their number is bounded by that of connections.
const SMALL: usize = 64 << 10;

/// What the head of a request proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is a source: its head proves it.
    Proven,
    /// It claims a source, and only the body can prove it.
    Claimed,
    /// No proof is required.
    Anyone,
}

impl Gate {
    /// The body, and its share of the memory budget if it is large. A large one waits for its share before it is read.
    /// One that only claims a source shares the memory of the unproven, and is dismissed when there are too many of
    /// them.
    pub(super) async fn read(
        &self,
        headers: &HeaderMap,
        body: Body,
        standing: Standing,
        seat: Option<&Seat>,
    ) -> Result<(Bytes, Option<Part>), Refusal> {
        let announced =
            headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > BODY_BYTES) {
            return Err(Refused::TooLarge.into());
        }
        let reserves = standing != Standing::Claimed;
        let mut part = None;
        if reserves && announced.is_some_and(|length| length > SMALL) {
            part = Some(self.reserve(announced, seat).await?);
        }
        // The announced length of an unauthenticated body is not trusted.
        let expected = if part.is_some() { announced } else { announced.map(|length| length.min(SMALL)) };
        let mut whole = BytesMut::with_capacity(expected.unwrap_or_default());
        let mut body = body;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| match Unfinished::of(&error) {
                Some(Unfinished::Dismissed) => Refusal::Busy,
                // The connection broke: no peer is left to read the answer.
                Some(Unfinished::Broken(_)) => Refusal::Cut,
                Some(Unfinished::Late) | None => Refusal::Slow,
            })?;
            let Ok(data) = frame.into_data() else { continue };
            let length = whole.len() + data.len();
            if length > BODY_BYTES {
                return Err(Refused::TooLarge.into());
            }
            if reserves && part.is_none() && length > SMALL {
                part = Some(self.reserve(None, seat).await?);
            }
            whole.extend_from_slice(&data);
        }
        Ok((whole.freeze(), part))
    }

    /// Waits for the share of the memory budget that a large body needs. With it, the connection keeps its place.
    async fn reserve(&self, announced: Option<usize>, seat: Option<&Seat>) -> Result<Part, Refusal> {
        let part = self.server.room.arriving(announced.unwrap_or(BODY_BYTES)).await.map_err(Refused::NoRoom)?;
        if let Some(seat) = seat {
            seat.prove();
        }
        Ok(part)
    }
}

/// The same body, if it has any byte: it may be empty although its head does not say so. It is read up to the first byte,
/// in its time.
pub(super) async fn begun(mut body: Body) -> Option<Body> {
    if body.is_end_stream() {
        return None;
    }
    loop {
        let frame = body.frame().await?;
        let is_empty = frame.as_ref().is_ok_and(|frame| frame.data_ref().is_none_or(Bytes::is_empty));
        if !is_empty {
            // A failure is told again to who reads it.
            return Some(Body::new(StreamBody::new(stream::iter([frame]).chain(BodyStream::new(body)))));
        }
    }
}

/// The content encoding of a body.
pub(super) fn packing(headers: &HeaderMap) -> Result<Packing, Refusal> {
    let encoding = headers.get(header::CONTENT_ENCODING).map_or("", |value| value.to_str().unwrap_or("?"));
    Packing::named(encoding).ok_or_else(|| Refused::Encoding(words::KNOWN_ENCODINGS.to_string()).into())
}
