//! `/api/v1`: what the console shows, as JSON, and the acts of programs.
//!
//! A request brings a token (`wegraf console token`): no cookie counts here, and no page takes a token, so no page of
//! another site can act. What is asked goes to the same functions as the pages, through the connections for people.

mod act;
mod bodies;
mod caller;
mod described;
mod events;
mod files;
mod inner;
mod links;
mod list;
mod look;
mod once;
mod orders;
mod position;
mod problem;
#[doc(hidden)]
pub mod query;
mod report;
mod shapes;
mod silences;
#[cfg(test)]
mod tests;
pub mod token;
mod words;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Gate;
pub(super) use caller::Rates;
pub use orders::{EndTokenOrder, TokenOrder};

/// The paths, and their description.
fn described() -> (axum::Router<Gate>, OpenApi) {
    let (router, api) = OpenApiRouter::<Gate>::with_openapi(described::Frame::openapi())
        .routes(routes!(list::incidents))
        .routes(routes!(list::incident))
        .routes(routes!(list::alerts))
        .routes(routes!(list::deliveries))
        .routes(routes!(list::delivery))
        .routes(routes!(act::resend))
        .routes(routes!(act::recall))
        .routes(routes!(look::acts, act::act))
        .routes(routes!(silences::silences, silences::make_silence))
        .routes(routes!(silences::foresee))
        .routes(routes!(silences::move_silence, silences::end_silence))
        .routes(routes!(look::duties))
        .routes(routes!(look::duty))
        .routes(routes!(look::routes))
        .routes(routes!(look::explain))
        .routes(routes!(look::senders))
        .routes(routes!(look::health))
        .routes(routes!(inner::probe))
        .routes(routes!(look::own))
        .routes(routes!(inner::audit))
        .routes(routes!(inner::bots))
        .routes(routes!(inner::sessions))
        .routes(routes!(report::noise))
        .routes(routes!(bodies::preview, bodies::preview_of))
        .routes(routes!(bodies::raw))
        .routes(routes!(events::events))
        .routes(routes!(files::template, files::put_template))
        .routes(routes!(files::mapping, files::put_mapping))
        .split_for_parts();
    (router, links::linked(api))
}

/// The paths.
pub(super) fn routes() -> axum::Router<Gate> {
    described()
        .0
        .route("/api/v1/openapi.json", get(description))
        .route("/api/v1/console/token", post(orders::make))
        .route("/api/v1/console/token/end", post(orders::end))
}

/// The description of the API, as `docs/openapi.json` has it.
pub fn openapi() -> String {
    let mut text = serde_json::to_string_pretty(&described().1).expect("a description is JSON");
    text.push('\n');
    text
}

/// Public: it reveals nothing of the configuration.
async fn description() -> Response {
    static TEXT: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    let mut answer = TEXT.get_or_init(openapi).as_str().into_response();
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
