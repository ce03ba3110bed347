//! Names of people: more readable than userids.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::debug;

use super::setup::Setup;
use super::way;
use crate::alert::Timestamp;
use crate::config::{Config, Target, To};
use crate::live::Live;
use crate::time::Clock;

/// How long a name is used: names rarely change.
const KNOWN_FOR_MS: i64 = 24 * 3_600_000;
/// How long a name that could not be read is not asked for again: since 2022 an app sees names only if an administrator
/// allows it, which may happen later.
const UNKNOWN_FOR_MS: i64 = 3_600_000;
/// Longest wait for a name; then the userid stands in for it.
const PATIENCE: Duration = Duration::from_secs(1);
/// Names that are cached; beyond it all are dropped and asked for again.
const MOST: usize = 10_000;

/// A person, by corp and userid in lower case.
type Who = (String, String);

/// The name, if it is known, and when it was asked for.
type Said = (Option<String>, Timestamp);

/// Names, as far as they are known.
#[derive(Debug)]
pub struct Names {
    setup: Live<Setup>,
    clock: Clock,
    known: Mutex<HashMap<Who, Said>>,
}

impl Names {
    /// None is known yet.
    pub fn new(setup: Live<Setup>, clock: Clock) -> Self {
        Self { setup, clock, known: Mutex::default() }
    }

    /// The name of the person with this userid in a message to `target`; the userid itself if the name is unknown.
    pub async fn of(&self, target: Option<&Target>, userid: &str) -> String {
        let (setup, now) = (self.setup.now(), self.clock.now());
        let found = app_for(&setup.config, target).and_then(|name| setup.config.wecom.apps.get(name));
        let Some(account) = found.filter(|_| wecom::is_userid(userid)) else { return userid.to_owned() };
        let key = (account.corp_id.clone(), userid.to_ascii_lowercase());
        if let Some((name, at)) = self.lock().get(&key).cloned() {
            let fresh = if name.is_some() { KNOWN_FOR_MS } else { UNKNOWN_FOR_MS };
            if (0..fresh).contains(&now.millis_since(at)) {
                return name.unwrap_or_else(|| userid.to_owned());
            }
        }
        let app = way::app(account);
        let asked = tokio::time::timeout(PATIENCE, setup.wecom.member(&app, userid)).await;
        let name = match asked {
            Ok(Ok(member)) => Some(member.name).filter(|name| !name.trim().is_empty() && name != userid),
            Ok(Err(error)) => {
                debug!(%error, "A name could not be looked up.");
                None
            }
            Err(_) => None,
        };
        let mut names = self.lock();
        if names.len() >= MOST {
            names.clear();
        }
        names.insert(key, (name.clone(), now));
        name.unwrap_or_else(|| userid.to_owned())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Who, Said>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The app that looks a name up: the sending one, else the one for the directory, else the only one.
fn app_for<'a>(config: &'a Config, target: Option<&'a Target>) -> Option<&'a str> {
    if let Some(To::Members { app, .. } | To::Chat { app, .. }) = target.map(|target| &target.to) {
        return Some(app);
    }
    let mut apps = config.wecom.apps.keys();
    let only = apps.next().filter(|_| apps.next().is_none());
    config.directory.app.as_deref().or(only.map(String::as_str))
}
