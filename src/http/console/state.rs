//! Silences, and how wegraf is.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::http::request::Parts;
use axum::response::Response;

use super::{Gate, Guest, clock, missing, read, visitor};
use crate::alert::Status;
use crate::console::{SilencesPage, StatePage};
use crate::deliver::called;
use crate::standing as state_of;
use crate::store::StoreError;
use crate::upstream::Matcher;
use crate::watch::warnings;

pub(super) async fn silences(State(gate): State<Gate>, parts: Parts) -> Response {
    let guest = visitor!(gate, parts);
    let (store, now) = (&gate.server.store, gate.server.clock.now());
    let found = async {
        let mut shown = Vec::new();
        for silence in store.silences(now).await?.into_iter().filter(|silence| silence.until > now) {
            let alerts = store.act_alerts(silence.act).await?;
            let own = silence.by.eq_ignore_ascii_case(&guest.session.person);
            if !own && !guest.rights.all && !alerts.iter().any(|alert| guest.rights.sees(&alert.receiver)) {
                continue;
            }
            let matchers: Vec<Matcher> = serde_json::from_str(&silence.matchers_json).unwrap_or_default();
            let on: BTreeSet<_> =
                alerts.iter().filter(|alert| alert.status == Status::Firing).map(|alert| alert.identity).collect();
            shown.push((silence, state_of::conditions(&matchers), on.len()));
        }
        Ok::<_, StoreError>(shown)
    };
    let shown = read!(gate, guest, found.await);
    let setup = gate.server.setup.now();
    let f = guest.frame(&gate);
    let clock = clock(&gate, &setup.config.timezone, f.language);
    guest.page(&SilencesPage::new(f, guest.desk(&gate, "silences"), &clock, &shown), &[])
}

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
