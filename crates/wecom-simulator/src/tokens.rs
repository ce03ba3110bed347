//! Access tokens and the wrong secrets that get an address barred (docs/reference/wecom.md#wrong-secrets).

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::answer::Refusal;
use crate::clock::HOUR_MS;
use crate::kept::Kept;
use crate::rate::Recent;
use crate::switches::RepeatedGettoken;

/// `expires_in`.
pub(crate) const LIFE_S: i64 = 7200;
/// Clients that fetch a token for every message (Grafana does) must not exhaust memory: the oldest tokens are
/// forgotten.
const MAX_TOKENS: usize = 4096;
/// Remembered addresses with wrong secrets; `X-Simulator-From` lets clients invent them.
const MAX_ADDRESSES: usize = 1024;

/// Which app a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Badge {
    pub(crate) corp_id: String,
    pub(crate) agent_id: i64,
}

#[derive(Debug)]
struct Grant {
    badge: Badge,
    expires_ms: i64,
    /// The code to answer with, if the token was invalidated before it expired.
    dead: Option<i64>,
}

/// The issued tokens.
#[derive(Debug)]
pub(crate) struct Tokens {
    grants: Kept<Grant>,
    newest: HashMap<Badge, String>,
    wrong: HashMap<String, (Recent, i64)>,
}

impl Tokens {
    pub(crate) fn new() -> Self {
        Self { grants: Kept::new(MAX_TOKENS), newest: HashMap::new(), wrong: HashMap::new() }
    }

    /// A token for the app and its remaining life in seconds.
    pub(crate) fn issue(&mut self, badge: Badge, now: i64, repeated: RepeatedGettoken) -> (String, i64) {
        if let Some(name) = self.newest.get(&badge)
            && let Some(grant) = self.grants.get_mut(name)
            && grant.dead.is_none()
            && grant.expires_ms > now
        {
            match repeated {
                RepeatedGettoken::Same => return (name.clone(), (grant.expires_ms - now) / 1000),
                RepeatedGettoken::NewOlderDies => grant.dead = Some(40014),
                RepeatedGettoken::NewOlderLives => {}
            }
        }
        let name = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 160]>());
        self.newest.insert(badge.clone(), name.clone());
        self.grants.insert(name.clone(), Grant { badge, expires_ms: now + LIFE_S * 1000, dead: None });
        (name, LIFE_S)
    }

    /// The app that a token belongs to.
    pub(crate) fn check(&self, token: &str, now: i64) -> Result<Badge, Refusal> {
        let grant = self.grants.get(token).ok_or_else(|| Refusal::code(40014))?;
        match grant.dead {
            Some(code) => Err(Refusal::code(code)),
            None if grant.expires_ms <= now => Err(Refusal::code(42001)),
            None => Ok(grant.badge.clone()),
        }
    }

    /// Invalidates the live tokens of one app or of all, so that they answer `code`. Returns their number.
    pub(crate) fn expire(&mut self, agent_id: Option<i64>, code: i64, now: i64) -> usize {
        let live = |grant: &&mut Grant| {
            grant.dead.is_none()
                && grant.expires_ms > now
                && agent_id.is_none_or(|agent_id| agent_id == grant.badge.agent_id)
        };
        self.grants.values_mut().filter(live).map(|grant| grant.dead = Some(code)).count()
    }

    /// Whether the address is barred from gettoken.
    pub(crate) fn is_barred(&self, from: &str, now: i64) -> bool {
        self.wrong.get(from).is_some_and(|(_, until)| now < *until)
    }

    /// Records a wrong secret; after `limit` in an hour the address is barred for an hour
    /// (docs/reference/wecom.md#wrong-secrets).
    pub(crate) fn wrong_secret(&mut self, from: &str, now: i64, limit: usize) {
        if self.wrong.len() >= MAX_ADDRESSES && !self.wrong.contains_key(from) {
            self.wrong.clear();
        }
        let (recent, until) = self.wrong.entry(from.to_owned()).or_insert_with(|| (Recent::new(limit.max(1)), 0));
        recent.push(now);
        if recent.within(now, HOUR_MS) >= limit {
            *until = now + HOUR_MS;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_token_kills_keeps_or_repeats_the_first_as_switched() {
        let badge = Badge { corp_id: "c".into(), agent_id: 1 };
        let mut tokens = Tokens::new();
        let (first, _) = tokens.issue(badge.clone(), 0, RepeatedGettoken::Same);
        let (again, left) = tokens.issue(badge.clone(), 100_000, RepeatedGettoken::Same);
        assert_eq!((&again, left), (&first, 7100));
        let (second, _) = tokens.issue(badge.clone(), 1, RepeatedGettoken::NewOlderLives);
        assert!(tokens.check(&first, 2).is_ok() && tokens.check(&second, 2).is_ok());
        tokens.issue(badge, 3, RepeatedGettoken::NewOlderDies);
        assert_eq!(tokens.check(&second, 4).unwrap_err().code, 40014);
    }
}
