//! A notification in the query, for senders that can only GET (Open-Falcon, kube-eventer, Uptime Kuma, Argo CD) or post
//! without a body.

use axum::extract::Query;
use axum::http::request::Parts;
use serde_json::{Map, Value};

use crate::config::{Proof, Source};

/// The query as a JSON object without credentials, with a list for a repeated name; `None`: nothing is left.
pub(super) fn body(parts: &Parts, sources: &[Source]) -> Option<Vec<u8>> {
    let secret = |name: &str| sources.iter().any(|source| source.proofs.iter().any(|proof| carries(proof, name)));
    let Query(pairs): Query<Vec<(String, String)>> = Query::try_from_uri(&parts.uri).ok()?;
    let mut members = Map::new();
    for (name, value) in pairs.into_iter().filter(|(name, _)| !secret(name)) {
        match members.get_mut(&name) {
            None => drop(members.insert(name, Value::String(value))),
            Some(Value::Array(values)) => values.push(Value::String(value)),
            Some(known) => *known = Value::Array(vec![known.take(), Value::String(value)]),
        }
    }
    (!members.is_empty()).then(|| Value::Object(members).to_string().into_bytes())
}

/// Is this proof in the query under `name`?
fn carries(proof: &Proof, name: &str) -> bool {
    match proof {
        Proof::Query { name: known, .. } => known == name,
        Proof::All(proofs) => proofs.iter().any(|proof| carries(proof, name)),
        _ => false,
    }
}
