//! The chart of a message, drawn when its address is opened.
//!
//! The address is signed, ends after 30 days and needs no login: WeCom or the reader's phone fetches it. What cannot be drawn
//! in time is answered with a neutral picture, which is soon asked for again.

use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;

use super::Gate;
use super::lobby::Seat;
use crate::charts::Undrawn;
use crate::deliver::{Page, contents, patience};
use crate::metrics::Pictured;
use crate::store::StoreError;
use crate::words::Language;

/// How long a visitor waits for a picture.
const PATIENCE: Duration = Duration::from_secs(4);

/// The paths of pictures.
pub fn routes() -> axum::Router<Gate> {
    axum::Router::new().route("/c/{name}", get(picture))
}

async fn picture(State(gate): State<Gate>, Path(name): Path<String>, seat: Option<Extension<Seat>>) -> Response {
    let now = gate.server.clock.now();
    let Some(id) = gate.server.links.key().await.pictured(&name, now) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if let Some(seat) = seat {
        seat.prove();
    }
    let setup = gate.server.setup.now();
    let drawn = tokio::time::timeout(PATIENCE, drawn(&gate, id)).await;
    let (result, language) = match drawn {
        Ok(Ok(Some((result, language)))) => (result.map_err(Undrawn::as_str), language),
        Ok(Ok(None)) => return StatusCode::NOT_FOUND.into_response(),
        Ok(Err(error)) => {
            tracing::warn!(%error, delivery = id, "The message of a picture cannot be read.");
            (Err("store"), setup.config.language)
        }
        Err(_) => (Err("late"), setup.config.language),
    };
    let count = |result| gate.server.metrics.pictures.get_or_create(&Pictured { result }).inc();
    match result {
        Ok(png) => {
            count("drawn");
            png_of(png, "public, max-age=86400")
        }
        Err(reason) => {
            count(reason);
            if let Err(error) = gate.server.store.unpictured(id, reason).await {
                tracing::warn!(%error, delivery = id, reason, "Why a message has no picture is not on record.");
            }
            match setup.charts.neutral(language).await {
                Some(png) => png_of(png, "public, max-age=30"),
                None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            }
        }
    }
}

/// The chart of message `id`, and the language of its receiver; `None` if there is no such message.
async fn drawn(gate: &Gate, id: i64) -> Result<Option<(Result<Bytes, Undrawn>, Language)>, StoreError> {
    let server = &gate.server;
    let Some((kept, _part)) = contents(&server.store, &server.room, id).await? else { return Ok(None) };
    let setup = server.setup.now();
    let mut page = Page::of(&setup.config, &kept.notification, &kept.transitions, &kept.receiver);
    page.learn(&setup.charts, patience()).await;
    let picture = setup.charts.picture(&page.charted(kept.notification.received_at)).await;
    Ok(Some((picture, page.language)))
}

fn png_of(png: Bytes, cache: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "image/png"),
        (header::CACHE_CONTROL, cache),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("x-robots-tag"), "noindex"),
    ];
    (headers, Body::from(png)).into_response()
}
