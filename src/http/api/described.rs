//! The description of the API, made from the code that answers: `OpenAPI` 3.1.

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{IntoResponses, Modify, OpenApi};

use super::problem::Problem;

/// What every request may be answered instead.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it describes answers")]
pub(super) enum Problems {
    /// The same as before, by `If-None-Match`
    #[response(status = 304)]
    Same,
    /// The query or the body is wrong
    #[response(status = 400, content_type = "application/problem+json")]
    Bad(Problem),
    /// There is no valid token
    #[response(status = 401, content_type = "application/problem+json")]
    Token(Problem),
    /// The token may not
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
    /// There is no such thing, or the token may not see it
    #[response(status = 404, content_type = "application/problem+json")]
    Missing(Problem),
    /// Too many requests; `Retry-After` says when to ask again
    #[response(status = 429, content_type = "application/problem+json")]
    Fast(Problem),
    /// The question took too long, or the store does not answer
    #[response(status = 503, content_type = "application/problem+json")]
    Store(Problem),
}

/// What acts may be answered besides.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it describes answers")]
pub(super) enum Refusals {
    /// It cannot be done now
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(Problem),
    /// The key was used for something else
    #[response(status = 422, content_type = "application/problem+json")]
    Key(Problem),
    /// Something upstream failed
    #[response(status = 502, content_type = "application/problem+json")]
    Failed(Problem),
}

/// What saving a file may be answered besides.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it describes answers")]
pub(super) enum Unsavable {
    /// The configuration forbids it
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(Problem),
    /// There is another version now
    #[response(status = 412, content_type = "application/problem+json")]
    Stale(Problem),
    /// It cannot be used like that; nothing was saved
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(Problem),
    /// Neither `If-Match` nor `If-None-Match` was given
    #[response(status = 428, content_type = "application/problem+json")]
    Unconditional(Problem),
    /// The file cannot be written
    #[response(status = 502, content_type = "application/problem+json")]
    Failed(Problem),
}

/// What stands around the paths.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "wegraf",
        version = "1",
        description = "What wegraf knows of alerts and of their messages to WeCom, and the acts of programs. Ids are strings, times are RFC 3339 with an offset. Lists are pages: ask again with `cursor` set to `next`. Unknown keys are refused.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    components(schemas(Problem)),
    modifiers(&Bearer)
)]
pub(super) struct Frame;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("wgt_…")
            .description(Some("A token of `wegraf console token create`."))
            .build();
        let components = api.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}
