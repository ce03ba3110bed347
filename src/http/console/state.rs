//! How wegraf is.

use axum::extract::State;
use axum::http::request::Parts;
use axum::response::Response;

use super::{Gate, Guest, clock, missing, read, visitor};
use crate::console::StatePage;
use crate::deliver::called;
use crate::store::StoreError;
use crate::watch::warnings;

/// How wegraf is: for those who may look at everything.
pub(super) async fn state(State(gate): State<Gate>, parts: Parts) -> Response {
    let guest = visitor!(gate, parts);
    if !guest.rights.all {
        return missing(&gate, &guest);
    }
    let (server, store, now) = (&gate.server, &gate.server.store, gate.server.clock.now());
    let found = async { Ok::<_, StoreError>((store.breakers().await?, store.backlog().await?, store.heard().await?)) };
    let (breakers, backlog, heard) = read!(gate, guest, found.await);
    let setup = server.setup.now();
    let config = &setup.config;
    // What is paused has its own line.
    let mut warned = warnings(server.metrics.imbalance.get(), &[], |scope| called(config, scope), &backlog, now);
    warned.extend(server.storage.warnings(now, server.fuse.full_at()));
    let paused: Vec<_> = breakers.into_iter().map(|open| (called(config, &open.scope), open)).collect();
    let f = guest.frame(&gate);
    let clock = clock(&gate, &config.timezone, f.language);
    let page = StatePage::new(f, guest.desk(&gate, "state"), &clock, &paused, &warned, &backlog, &heard);
    guest.page(&page, &[])
}
