//! One call of the API, read from HTTP: its query, its body, its uploaded file, the address it came from.

use std::collections::BTreeMap;
use std::net::IpAddr;

use axum::body::Body;
use axum::extract::{FromRequest, Multipart};
use axum::http::request::Parts;
use axum::http::{Method, Request, header};
use bytes::Bytes;
use serde_json::Value;

use crate::answer::Refusal;

/// A complete call of the API.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Behind `/cgi-bin/`: `message/send`.
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) body: Bytes,
    pub(crate) upload: Option<Upload>,
    /// The caller's address, or the one that it claims (`X-Simulator-From`).
    pub(crate) from: String,
}

/// The part named `media` of a multipart body.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) filename: String,
    /// The size which the client states; many leave it out (docs/reference/wecom.md#media).
    pub(crate) filelength: Option<usize>,
    pub(crate) bytes: Bytes,
}

impl Call {
    pub(crate) async fn new(head: Parts, body: Bytes, peer: String) -> Self {
        let query = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&head.uri)
            .map(|query| query.0.into_iter().collect())
            .unwrap_or_default();
        let from = head.headers.get("x-simulator-from").and_then(|value| value.to_str().ok()?.parse().ok());
        Self {
            method: head.method.clone(),
            from: from.map_or(peer, |address: IpAddr| address.to_string()),
            path: head.uri.path().trim_start_matches("/cgi-bin/").trim_end_matches('/').to_owned(),
            query,
            upload: upload(head, body.clone()).await,
            body,
        }
    }

    /// A query parameter that is present and not empty.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The body as a JSON object.
    pub(crate) fn json(&self) -> Result<Value, Refusal> {
        serde_json::from_slice(&self.body)
            .ok()
            .filter(Value::is_object)
            .ok_or_else(|| Refusal::parameter("Warning: wrong json format"))
    }

    /// Whether the body writes a character beyond ASCII as `\uXXXX` (docs/reference/wecom.md#json-escapes).
    pub(crate) fn has_non_ascii_escape(&self) -> bool {
        let mut rest = &self.body[..];
        while let Some(at) = rest.iter().position(|&byte| byte == b'\\') {
            let escape = &rest[at + 1..];
            if escape.first() == Some(&b'u')
                && let Some(Ok(digits)) = escape.get(1..5).map(std::str::from_utf8)
                && u16::from_str_radix(digits, 16).is_ok_and(|code| code > 0x7f)
            {
                return true;
            }
            rest = escape.get(1..).unwrap_or_default();
        }
        false
    }
}

async fn upload(head: Parts, body: Bytes) -> Option<Upload> {
    // The request's extensions hold the router's setting that the default limit of 2 MB does not apply here.
    let request = Request::from_parts(head, Body::from(body));
    let mut parts = Multipart::from_request(request, &()).await.ok()?;
    while let Some(part) = parts.next_field().await.ok()? {
        if part.name() != Some("media") {
            continue;
        }
        let filename = part.file_name().unwrap_or_default().to_owned();
        let filelength = part.headers().get(header::CONTENT_DISPOSITION).and_then(|value| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            let stated = value.split(';').find_map(|item| item.trim().strip_prefix("filelength="))?;
            stated.trim_matches('"').parse().ok()
        });
        return Some(Upload { filename, filelength, bytes: part.bytes().await.ok()? });
    }
    None
}

/// A text field. WeCom accepts numbers where it expects text; so does the simulator.
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field).and_then(Value::as_str)
}

/// A text field that is present and not empty.
pub(crate) fn filled<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    text(value, field).filter(|text| !text.is_empty())
}

/// A whole number, also written as a string: Alertmanager and Grafana send `"agentid": "1000002"`.
pub(crate) fn int(value: &Value, field: &str) -> Option<i64> {
    match value.get(field)? {
        Value::String(digits) => digits.trim().parse().ok(),
        number => number.as_i64(),
    }
}

/// A list of texts.
pub(crate) fn texts(value: &Value, field: &str) -> Vec<String> {
    let list = value.get(field).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(body: &str) -> Call {
        Call {
            method: Method::POST,
            path: String::new(),
            query: BTreeMap::new(),
            body: Bytes::from(body.to_owned()),
            upload: None,
            from: String::new(),
        }
    }

    #[test]
    fn an_escape_of_a_han_character_is_seen_and_an_escaped_backslash_is_not_taken_for_one() {
        assert!(call(r#"{"a":"\u4e2d"}"#).has_non_ascii_escape());
        assert!(!call(r#"{"a":"\u003cfont\u003e \\u4e2d 中"}"#).has_non_ascii_escape());
    }
}
