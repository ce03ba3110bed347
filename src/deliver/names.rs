//! What people are called: a userid says little to others, a name does.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::debug;

use super::way;
use crate::alert::Timestamp;
use crate::app::Loaded;
use crate::config::{Config, Target, To};

/// Names change with weddings.
const KNOWN_FOR_MS: i64 = 24 * 3_600_000;
/// Whoever cannot be looked up now may be tomorrow: since 2022 an app sees names only if an administrator lets it.
const UNKNOWN_FOR_MS: i64 = 3_600_000;
/// A name is worth little waiting.
const PATIENCE: Duration = Duration::from_secs(1);
/// Names that are kept; more people never press buttons.
const MOST: usize = 10_000;

/// A person, by corp and userid in lower case.
type Who = (String, String);

/// A name, if anybody said one, and when it was asked for.
type Said = (Option<String>, Timestamp);

/// Names, as far as they are known.
#[derive(Debug, Default)]
pub struct Names(Mutex<HashMap<Who, Said>>);

impl Names {
    /// What the person with this userid is called in a message to `target`; the userid itself if nobody says.
    pub async fn of(&self, loaded: &Loaded, target: Option<&Target>, userid: &str, now: Timestamp) -> String {
        let found = app_for(&loaded.config, target).and_then(|name| loaded.config.wecom.apps.get(name));
        let Some(account) = found.filter(|_| wecom::is_userid(userid)) else { return userid.to_owned() };
        let key = (account.corp_id.clone(), userid.to_ascii_lowercase());
        if let Some((name, at)) = self.lock().get(&key).cloned() {
            let fresh = if name.is_some() { KNOWN_FOR_MS } else { UNKNOWN_FOR_MS };
            if (0..fresh).contains(&now.millis_since(at)) {
                return name.unwrap_or_else(|| userid.to_owned());
            }
        }
        let app = way::app(account);
        let asked = tokio::time::timeout(PATIENCE, loaded.wecom.member(&app, userid)).await;
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// By which app a name is looked up: the one that sends, else the one for the directory, else the only one.
fn app_for<'a>(config: &'a Config, target: Option<&'a Target>) -> Option<&'a str> {
    if let Some(To::Members { app, .. } | To::Chat { app, .. }) = target.map(|target| &target.to) {
        return Some(app);
    }
    let mut apps = config.wecom.apps.keys();
    let only = apps.next().filter(|_| apps.next().is_none());
    config.directory.app.as_deref().or(only.map(String::as_str))
}
