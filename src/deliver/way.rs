//! The ways to a target: which breakers stand on each, whom an attempt debits, as whom it is made.

use std::collections::BTreeSet;

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use wecom::{Account, Recipients};

use super::audience::Reach;
use super::breaker::Scopes;
use crate::budget::{Charge, Limit};
use crate::config::{AppAccount, Config, Target, To};
use crate::store;

/// One way to a target.
#[derive(Debug, Clone)]
pub struct Way {
    /// As whom.
    pub sender: Sender,
    /// Whose breakers.
    pub scopes: Scopes,
    /// What is debited.
    pub charges: Vec<Charge>,
}

/// Who brings a message.
#[derive(Debug, Clone)]
pub enum Sender {
    /// WeCom, for an app or a webhook.
    WeCom(Account),
    /// The mail server, to these addresses.
    Mail(Vec<String>),
    /// The hook with this name.
    Hook(String),
    /// The bot with this name, over its socket.
    Bot(String),
}

/// The scope of the mail server's breaker.
pub const MAIL_HOST: &str = "host/smtp";

impl Way {
    /// As the store wants it.
    pub fn for_claim(&self) -> store::Way {
        store::Way { scopes: self.scopes.all(), charges: self.charges.clone() }
    }
}

/// All ways to `target`, whose next message would reach `reach`. The error is for the operator: what must be repaired.
pub fn ways(config: &Config, target: &Target, reach: &Reach) -> Result<Vec<Way>, String> {
    let host = format!("host/{}", authority(&config.wecom.api_url));
    match &target.to {
        To::Members { app, .. } | To::Chat { app, .. } => {
            let known = config.wecom.apps.get(app).ok_or_else(|| missing("app", app))?;
            let (kind, limit, route) = match &target.to {
                To::Chat { .. } => ("chat", Limit::CHAT_MEMBER, Some(target.lane())),
                _ => ("member", Limit::MEMBER, None),
            };
            let scopes = Scopes { host, sender: format!("app/{app}"), route };
            let charges = charges(&format!("{kind}/{}/{}", known.corp_id, known.agent_id), reach, limit);
            Ok(vec![Way { sender: Sender::WeCom(Account::App(self::app(known))), scopes, charges }])
        }
        To::Webhook { webhook } => {
            let keys = config.wecom.webhooks.get(webhook).ok_or_else(|| missing("webhook", webhook))?;
            let way = |(index, key): (usize, &SecretString)| {
                let number = if index == 0 { String::new() } else { format!("#{}", index + 1) };
                let scopes = Scopes { host: host.clone(), sender: format!("webhook/{webhook}{number}"), route: None };
                let charges = vec![Charge::new(format!("webhook/{}", fingerprint(key)), Limit::WEBHOOK)];
                let sender = Sender::WeCom(Account::Webhook(wecom::Webhook { key: key.clone() }));
                Way { sender, scopes, charges }
            };
            Ok(keys.iter().enumerate().map(way).collect())
        }
        To::Email { to } => {
            config.smtp.as_ref().ok_or_else(|| missing("section", "smtp"))?;
            let scopes = Scopes { host: MAIL_HOST.to_owned(), sender: "email".to_owned(), route: None };
            Ok(vec![Way { sender: Sender::Mail(to.clone()), scopes, charges: Vec::new() }])
        }
        To::Hook { hook } => {
            config.hooks.get(hook).ok_or_else(|| missing("hook", hook))?;
            let scopes = Scopes { host: String::new(), sender: target.lane(), route: None };
            Ok(vec![Way { sender: Sender::Hook(hook.clone()), scopes, charges: Vec::new() }])
        }
        To::Bot { bot, chat } => {
            let known = config.wecom.bots.get(bot).ok_or_else(|| missing("bot", bot))?;
            let scopes = Scopes { host: String::new(), sender: format!("bot/{bot}"), route: Some(target.lane()) };
            // Replies to what people say count as well (wecom-api §11.5); they are few.
            let charges = vec![Charge::new(format!("bot/{}/{chat}", known.bot_id), Limit::BOT)];
            Ok(vec![Way { sender: Sender::Bot(bot.clone()), scopes, charges }])
        }
    }
}

/// The scopes of all breakers that the configuration knows.
pub fn scopes(config: &Config) -> BTreeSet<String> {
    let ways = config.targets().filter_map(|target| ways(config, target, &Reach::default()).ok()).flatten();
    ways.flat_map(|way| way.scopes.all()).collect()
}

/// Does every way to `target` go through `scope`? So it cannot be used to tell that this is broken.
pub fn stands_on(config: &Config, target: &Target, scope: &str) -> bool {
    let Ok(ways) = ways(config, target, &Reach::default()) else { return true };
    target.lane() == scope || ways.iter().all(|way| way.scopes.all().iter().any(|known| known == scope))
}

/// What a message to `reach` is debited. Whoever can be named has an account of his own. Where somebody may be reached
/// who cannot be named, the message counts for everybody of the app, and everybody's messages count against it: so
/// nobody gets more than the limit, whoever he is.
fn charges(prefix: &str, reach: &Reach, limit: Limit) -> Vec<Charge> {
    let (anybody, unseen) = (format!("{prefix}/*"), format!("{prefix}/?"));
    let counted = |account: &str, limit| Charge { account: account.to_owned(), with: Vec::new(), limit };
    if reach.unseen {
        return vec![counted(&anybody, Some(limit)), counted(&unseen, None)];
    }
    let member =
        |user: &String| Charge { account: format!("{prefix}/{user}"), with: vec![unseen.clone()], limit: Some(limit) };
    reach.users.iter().map(member).chain([counted(&anybody, None)]).collect()
}

/// An app of the configuration as the client wants it.
pub fn app(known: &AppAccount) -> wecom::App {
    wecom::App { corp_id: known.corp_id.clone(), agent_id: known.agent_id, secret: known.secret.clone() }
}

/// What is missing from the configuration, for the operator.
pub fn missing(kind: &str, name: &str) -> String {
    format!("the {kind} `{name}` is no longer in the configuration: put it back and reload")
}

/// The people a frozen request of an app addresses.
pub fn addressed(body: &[u8]) -> Recipients {
    #[derive(serde::Deserialize, Default)]
    #[serde(default)]
    struct Addressed {
        touser: String,
        toparty: String,
        totag: String,
    }
    let Addressed { touser, toparty, totag } = serde_json::from_slice(body).unwrap_or_default();
    let ids = |list: &str| list.split('|').filter_map(|id| id.parse().ok()).collect();
    let users = touser.split('|').filter(|user| !user.is_empty()).map(str::to_owned).collect();
    Recipients { users, parties: ids(&toparty), tags: ids(&totag) }
}

/// Tells keys apart in the store without being one.
fn fingerprint(key: &SecretString) -> String {
    let digest = Sha256::digest(key.expose_secret().as_bytes());
    digest[..8].iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Timestamp;
    use crate::budget::{Window, room};
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[test]
    fn a_frozen_request_names_whom_it_addresses() {
        let to = addressed(br#"{"touser":"a|B","toparty":"2|3","totag":"4","agentid":1}"#);
        assert_eq!((to.users, to.parties, to.tags), (vec!["a".to_owned(), "B".to_owned()], vec![2, 3], vec![4]));
    }

    proptest! {
        /// Whoever the members really are: a message to somebody unseen may reach any of them.
        #[test]
        fn nobody_gets_more_than_the_limit_whoever_is_unseen(
            sends in proptest::collection::vec((0_i64..1_500, proptest::collection::btree_set(0_u8..4, 1..4), any::<bool>()), 1..300),
        ) {
            let mut accounts: HashMap<String, Window> = HashMap::new();
            let mut arrived: HashMap<String, Vec<i64>> = HashMap::new();
            let mut now = Timestamp(1_700_000_000_000);
            for (pause, users, unseen) in sends {
                now = now.plus_millis(pause);
                let users = users.into_iter().map(|user| format!("u{user}")).collect();
                let reach = Reach { users, unseen };
                let charges = charges("member/c/1", &reach, Limit::MEMBER);
                let fits = charges.iter().all(|charge| {
                    let names = std::iter::once(&charge.account).chain(&charge.with);
                    let windows: Vec<Window> = names
                        .map(|name| {
                            let mut window = accounts.get(name).cloned().unwrap_or_default();
                            window.advance(now);
                            window
                        })
                        .collect();
                    charge.limit.is_none_or(|limit| {
                        room(&windows.iter().collect::<Vec<_>>(), &limit, true, now).is_ok()
                    })
                });
                if !fits {
                    continue;
                }
                for charge in &charges {
                    accounts.entry(charge.account.clone()).or_default().debit(charge.limit.as_ref(), now);
                }
                let everybody: Vec<String> = (0..4).map(|user| format!("u{user}")).collect();
                let reached: Vec<String> = if unseen { everybody } else { reach.users.into_iter().collect() };
                for user in reached {
                    arrived.entry(user).or_default().push(now.0);
                }
            }
            for times in arrived.values() {
                let peak = times.iter().map(|from| times.iter().filter(|&at| at >= from && *at < from + 60_000).count()).max();
                prop_assert!(peak.unwrap_or(0) <= 24);
            }
        }
    }
}
