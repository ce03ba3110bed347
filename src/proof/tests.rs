//! Which source a request proves, by each kind of credential.

mod credentials;
mod envelopes;
mod sources;

use serde_json::{Value as Json, json};

use super::*;

/// The time at which the tests receive.
const NOW: Timestamp = Timestamp(1_795_354_200_000);
