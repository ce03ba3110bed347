//! A paused way that a person or a program has tried now.

use tracing::info;

use super::Gate;
use super::console::save::Saver;
use crate::names::Scope;
use crate::store::{Step, StoreError, Unprobed};

/// Lets the next message pass; who asked goes into the trail.
pub(super) async fn probe(gate: &Gate, asker: Saver, scope: &str) -> Result<Result<(), Unprobed>, StoreError> {
    let Saver { name: person, address } = asker;
    let step = Step { at: gate.server.clock.now(), person, what: "probe".to_owned(), way: scope.to_owned(), address };
    info!(scope, person = step.person, "A paused way is to be tried now.");
    gate.server.store.probe(Scope::stored(scope), step).await
}
