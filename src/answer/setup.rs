//! The part of the configuration that acts need: upstreams, and the targets that are told of acts.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::{Config, Receiver};
use crate::store::{Listeners, TargetRow};
use crate::upstream::{Client, UpstreamError};

/// Derived from a configuration; a reload replaces it as a whole.
#[derive(Debug)]
pub struct Setup {
    /// The configuration.
    pub config: Arc<Config>,
    /// The client for WeCom.
    pub wecom: wecom::Client,
    /// The targets of each receiver, for messages about acts.
    pub listeners: Listeners,
    /// The client for each upstream, by its name; or why there is none.
    pub upstreams: HashMap<String, Result<Client, UpstreamError>>,
}

impl Setup {
    /// Recalls go through `wecom`.
    pub fn new(config: Arc<Config>, wecom: wecom::Client) -> Self {
        let own = config.receivers.iter().map(|(name, receiver)| (name.clone(), rows(receiver)));
        let listeners = Arc::new(own.chain(steps(&config)).collect());
        let upstreams = config.upstreams.iter().map(|known| (known.name.clone(), Client::new(known))).collect();
        Self { config, wecom, listeners, upstreams }
    }
}

fn rows(receiver: &Receiver) -> Vec<TargetRow> {
    receiver.targets.iter().map(|target| TargetRow::new(target.lane(), target.json())).collect()
}

/// The people of escalation steps, by the receiver name in the record.
fn steps(config: &Config) -> impl Iterator<Item = (String, Vec<TargetRow>)> {
    config.receivers.values().flat_map(|base| {
        let named = base.escalate.iter().enumerate().map(|(index, step)| step.receiver(&base.name, index));
        named.filter_map(|name| Some((name.clone(), rows(config.receiver(&name)?.as_ref()))))
    })
}
