//! The part of the configuration that the server needs: keys of callbacks, and the client for calls passed on to WeCom.

use std::collections::HashMap;
use std::sync::Arc;

use tracing::warn;
use wecom::CallbackKeys;

use crate::charts::Charts;
use crate::config::{AppAccount, Callback, Config};

/// Derived from a configuration; a reload replaces it as a whole.
#[derive(Debug)]
pub struct Setup {
    /// The configuration.
    pub config: Arc<Config>,
    /// The client for WeCom.
    pub wecom: wecom::Client,
    /// What opens the calls of WeCom, by app.
    pub callbacks: HashMap<String, CallbackKeys>,
    /// What draws charts.
    pub charts: Arc<Charts>,
}

impl Setup {
    /// Calls are passed on by `wecom`.
    pub fn new(config: Arc<Config>, wecom: wecom::Client, charts: Arc<Charts>) -> Self {
        let callbacks = callbacks(&config);
        Self { config, wecom, callbacks, charts }
    }
}

/// The keys of the apps that have a callback. They are valid by configuration; a key that a command could not read
/// decrypts nothing.
fn callbacks(config: &Config) -> HashMap<String, CallbackKeys> {
    let keys = |(name, app): (&String, &AppAccount)| {
        let Callback { token, encoding_aes_key } = app.callback.as_ref()?;
        match CallbackKeys::new(token.clone(), encoding_aes_key, app.corp_id.clone()) {
            Ok(keys) => Some((name.clone(), keys)),
            Err(error) => {
                warn!(%error, app = name, "The callback of an app cannot be used.");
                None
            }
        }
    };
    config.wecom.apps.iter().filter_map(keys).collect()
}
