//! The client that sends to WeCom: on the network of the configuration, its tokens in the store.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use secrecy::ExposeSecret as _;
use tracing::warn;
use wecom::{StoredToken, TokenStore};

use super::attempt;
use crate::alert::Timestamp;
use crate::config::Config;
use crate::store::Store;
use crate::time::Clock;

/// A stored token is replaced this long before its end, like a fresh one.
const REFRESH_EARLY_MS: i64 = 300_000;

/// The network settings for WeCom in `config`.
pub fn network(config: &Config) -> wecom::Network {
    let mut network = wecom::Network::new(config.wecom.api_url.clone());
    network.proxy = config.wecom.proxy.as_ref().map(|proxy| proxy.expose_secret().to_owned());
    network.ca_file.clone_from(&config.wecom.ca_file);
    network
}

/// A client on the network of `config` that keeps its tokens in `store`, or in memory.
pub fn client(config: &Config, store: Option<Store>, clock: Clock) -> anyhow::Result<wecom::Client> {
    let mut network = network(config);
    network.deadline = attempt::deadline(store.as_ref().and_then(Store::lease));
    let mut options = wecom::Options::new(network, Arc::new(move || clock.now().0));
    // Spread out, so that replicas and restarts do not refresh in the same second.
    options.refresh_early = Duration::from_secs(rand::random_range(300..600));
    options.store = store.map(tokens);
    wecom::Client::new(options).context("cannot set up the way to WeCom; check `wecom.proxy` and `wecom.ca_file`")
}

/// Tokens live in the store, so that a restart fetches none. If the store fails they live in memory until it works
/// again.
fn tokens(store: Store) -> TokenStore {
    let saves = store.clone();
    TokenStore {
        load: Box::new(move |app| {
            let store = store.clone();
            Box::pin(async move {
                let kept =
                    store.token(&app).await.inspect_err(|error| warn!(%error, "A token could not be read.")).ok()??;
                Some(StoredToken {
                    token: kept.token,
                    version: kept.version,
                    expires_at: kept.expires_at.0,
                    refresh_at: kept.expires_at.0 - REFRESH_EARLY_MS,
                })
            })
        }),
        save: Box::new(move |app, fresh| {
            let store = saves.clone();
            Box::pin(async move {
                let saved = store.save_token(&app, fresh.token, Timestamp(fresh.expires_at), fresh.version).await;
                if let Err(error) = saved {
                    warn!(%error, "A token could not be kept; it is used from memory.");
                }
            })
        }),
    }
}
