//! What the answers lead to: in the description, a client finds for each list what may be asked of its rows.

use serde_json::json;
use utoipa::openapi::link::Link;
use utoipa::openapi::{OpenApi, RefOr};

/// A path whose answer leads on: to which operation, which of its parameters, and where in the answer that stands.
const LEADS: [(&str, &str, &str, &str); 10] = [
    ("/api/v1/incidents", "incident", "short", "/items/0/short"),
    ("/api/v1/alerts", "incident", "short", "/items/0/short"),
    ("/api/v1/deliveries", "delivery", "id", "/items/0/id"),
    ("/api/v1/deliveries", "resend", "id", "/items/0/id"),
    ("/api/v1/deliveries", "recall", "id", "/items/0/id"),
    ("/api/v1/deliveries", "raw", "id", "/items/0/notification"),
    ("/api/v1/deliveries", "preview", "notification", "/items/0/notification"),
    ("/api/v1/silences", "move_silence", "id", "/items/0/act"),
    ("/api/v1/silences", "end_silence", "id", "/items/0/act"),
    ("/api/v1/duty", "duty", "rota", "/items/0/name"),
];

/// The same with the links.
pub(super) fn linked(mut api: OpenApi) -> OpenApi {
    for (path, operation, parameter, place) in LEADS {
        let body = (operation == "move_silence").then(|| json!({ "for": "5h" }));
        let link = Link::builder()
            .operation_id(operation)
            .parameter(parameter, format!("$response.body#{place}"))
            .request_body(body)
            .description("Of a row")
            .build();
        add(&mut api, path, operation, link);
    }
    let short = "$response.body#/items/0/short";
    let act = json!({ "kind": "acknowledge", "incident": short });
    let link = Link::builder().operation_id("act").request_body(Some(act)).description("Of a row").build();
    add(&mut api, "/api/v1/incidents", "act", link);
    api
}

fn add(api: &mut OpenApi, path: &str, name: &str, link: Link) {
    let answers = api.paths.paths.get_mut(path).and_then(|of| of.get.as_mut()).map(|of| &mut of.responses.responses);
    if let Some(RefOr::T(answer)) = answers.and_then(|answers| answers.get_mut("200")) {
        answer.links.insert(name.to_owned(), RefOr::T(link));
    }
}
