//! `getcallbackip` and `get_api_domain_ip` (page 92520): what a firewall must let through.

use serde_json::json;

use crate::answer::{Outcome, Refusal, Reply};
use crate::call::Call;
use crate::state::World;

/// The source addresses of callbacks: this machine, and one entry with a wildcard, as real lists have.
pub(super) fn callback_addresses(world: &mut World, call: &Call) -> Outcome {
    list(world, call, &["127.0.0.1", "127.0.1.*"])
}

/// The addresses of the API.
pub(super) fn api_addresses(world: &mut World, call: &Call) -> Outcome {
    list(world, call, &["127.0.0.1"])
}

/// On failure the list is present, and empty (docs/reference/wecom.md#address-lists).
fn list(world: &World, call: &Call, addresses: &[&str]) -> Outcome {
    match world.badge(call) {
        Ok(_) => Ok(Reply::with(json!({"ip_list": addresses}))),
        Err(refusal) => Err(Refusal { beside: Some(("ip_list", json!([]))), ..refusal }),
    }
}
