//! The page at `/`: conversations drawn as WeCom would draw them. One document, nothing from elsewhere.

use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use serde_json::json;

use crate::state::{Shared, lock};

/// The page before the embedded state.
static OPENING: &str = concat!(
    include_str!("page/head.html"),
    "<style>\n",
    include_str!("page/phone.css"),
    "</style>\n",
    include_str!("page/body.html"),
    "<script type=\"application/json\" id=\"start\">",
);

/// The page after it.
static CLOSING: &str = concat!(
    "</script>\n<script>\n",
    include_str!("page/markup.js"),
    include_str!("page/content.js"),
    include_str!("page/phone.js"),
    include_str!("page/act.js"),
    include_str!("page/start.js"),
    "</script>\n</html>\n",
);

/// The messages embedded in the page, so that it is complete once loaded; the others are fetched immediately.
const FIRST: usize = 500;

/// Scripts and styles only from the page itself; pictures from anywhere, since messages name them.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src * data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'";

pub(crate) async fn phone(State(world): State<Shared>) -> Response {
    let start = {
        let world = lock(&world);
        json!({"corp": world.setup, "messages": world.inbox.newest(FIRST)}).to_string()
    };
    // Inside a script element only `<` could end it or open a comment.
    let page = [OPENING, &start.replace('<', "\\u003c"), CLOSING].concat();
    ([(header::CONTENT_SECURITY_POLICY, POLICY), (header::CACHE_CONTROL, "no-store")], Html(page)).into_response()
}
