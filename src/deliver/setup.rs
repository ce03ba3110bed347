//! What the configuration gives the delivery: templates, and the ways to WeCom and to the mail server.

use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use super::client::client;
use super::email::Mailer;
use crate::charts::Charts;
use crate::config::Config;
use crate::names::{Part, Scope};
use crate::render::Templates;
use crate::store::Store;
use crate::time::Clock;
use crate::words::Words;

/// Deadline of a probe of the mail server.
const HOST_DEADLINE: Duration = Duration::from_secs(10);

/// What follows from a configuration. A reload replaces all of it.
#[derive(Debug)]
pub struct Setup {
    /// The configuration.
    pub config: Arc<Config>,
    /// The shipped templates and the user's.
    pub templates: Templates,
    /// The client, with the proxy, roots and base URL of this configuration.
    pub wecom: wecom::Client,
    /// The client for the mail server, if there is one.
    pub mailer: Option<Mailer>,
    /// Charts, with the upstreams of this configuration.
    pub charts: Arc<Charts>,
}

impl Setup {
    /// Tokens are kept in `store`, or in memory. Fails if a client cannot be built (CA file, proxy).
    pub fn new(config: Arc<Config>, store: Option<&Store>, clock: &Clock) -> anyhow::Result<Self> {
        let (templates, problems) = Templates::compile(&config.templates);
        for problem in problems {
            warn!(%problem, "A template was not taken; the shipped one is used.");
        }
        let wecom = client(&config, store.cloned(), clock.clone())?;
        let mailer = config.smtp.as_ref().map(Mailer::new).transpose()?;
        let charts = Arc::new(Charts::new(config.clone()));
        Ok(Self { config, templates, wecom, mailer, charts })
    }

    /// Does the host of this breaker's scope answer? The error is the reason why not.
    pub async fn answers(&self, scope: &Scope) -> Result<(), Words> {
        match &self.mailer {
            Some(mailer) if scope.parse() == Part::Smtp => {
                mailer.check(HOST_DEADLINE).await.map_err(|trouble| trouble.what)
            }
            _ => self.wecom.reachable().await.map_err(|failure| (failure.zh(), failure.en()).into()),
        }
    }
}
