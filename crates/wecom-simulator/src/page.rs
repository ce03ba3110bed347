//! The page at `/`: conversations drawn as WeCom would draw them. One document, nothing from elsewhere.

use axum::http::header;
use axum::response::{Html, IntoResponse, Response};

static PAGE: &str = concat!(
    include_str!("page/head.html"),
    "<style>\n",
    include_str!("page/phone.css"),
    "</style>\n",
    include_str!("page/body.html"),
    "<script>\n",
    include_str!("page/markup.js"),
    include_str!("page/content.js"),
    include_str!("page/phone.js"),
    "</script>\n</html>\n",
);

/// Scripts and styles only from the page itself; pictures from anywhere, since messages name them.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src * data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'";

pub(crate) async fn phone() -> Response {
    ([(header::CONTENT_SECURITY_POLICY, POLICY), (header::CACHE_CONTROL, "no-store")], Html(PAGE)).into_response()
}
