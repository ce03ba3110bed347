//! A call to an address of another program: its head, and its body after it was read.

use axum::body::Bytes;
use axum::extract::{Query, RawPathParams};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use crate::alert::Timestamp;

/// A call.
pub(super) struct Asked {
    pub parts: Parts,
    /// The parts of the path that differ from call to call, between its slashes.
    pub path: Vec<String>,
    pub query: Vec<(String, String)>,
    /// The body, empty before it was read; as text, and as JSON if it is JSON.
    pub body: Bytes,
    pub text: String,
    pub tree: Value,
    pub now: Timestamp,
}

impl Asked {
    pub fn new(parts: Parts, variable: &RawPathParams, now: Timestamp) -> Self {
        let path = variable.iter().flat_map(|(_, value)| value.split('/')).map(str::to_owned).collect();
        let Query(query) = Query::try_from_uri(&parts.uri).unwrap_or_default();
        Self { parts, path, query, body: Bytes::new(), text: String::new(), tree: Value::Null, now }
    }

    pub fn content_type(&self) -> Option<&str> {
        self.header("content-type")
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The values in the query under any of these names.
    pub fn queries<'a>(&'a self, names: &'a [&str]) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(|(name, _)| names.contains(&name.as_str())).map(|(_, value)| value.as_str())
    }

    pub fn queried(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, value)| known == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// The value of the first of these names that the body has, otherwise the query: a text, or a number as text.
    pub fn said(&self, names: &[&str]) -> Option<String> {
        let in_body = names.iter().find_map(|name| text(self.tree.get(*name)?));
        in_body.or_else(|| names.iter().find_map(|name| self.queried(name)).map(str::to_owned))
    }

    /// A token of the scheme `Bearer`, or the password of `Basic`.
    pub fn authorization(&self) -> Option<String> {
        let (scheme, given) = self.header(AUTHORIZATION.as_str())?.split_once(' ')?;
        match scheme.to_ascii_lowercase().as_str() {
            "bearer" => Some(given.trim().to_owned()),
            "basic" => {
                let pair = String::from_utf8(BASE64_STANDARD.decode(given.trim()).ok()?).ok()?;
                pair.split_once(':').map(|(_, password)| password.to_owned())
            }
            _ => None,
        }
    }
}

/// A text that is not empty, or a number as text.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => (!text.trim().is_empty()).then(|| text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// An object of what there is.
pub(super) fn object<const N: usize>(members: [(&str, Option<String>); N]) -> Value {
    members.into_iter().filter_map(|(name, said)| Some((name.to_owned(), Value::String(said?)))).collect()
}
