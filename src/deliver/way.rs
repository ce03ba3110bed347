//! The ways to a target: for each its breakers, its charges and its sender.

use std::collections::BTreeMap;

use secrecy::SecretString;
use wecom::Recipients;

use super::audience::Reach;
use super::breaker::Scopes;
use crate::budget::{Charge, Limit};
use crate::config::{AppAccount, Config, Target, To};
use crate::incidents::Subject;
use crate::names::{Account, AppId, Counted, KeyPrint, Part, Scope, Who};
use crate::store;
use crate::words::Words;

/// One way to a target.
#[derive(Debug, Clone)]
pub struct Way {
    /// The sender.
    pub sender: Sender,
    /// The scopes of its breakers.
    pub scopes: Scopes,
    /// What is debited.
    pub charges: Vec<Charge>,
}

/// The sender of a message.
#[derive(Debug, Clone)]
pub enum Sender {
    /// WeCom, for an app or a webhook.
    WeCom(wecom::Account),
    /// The mail server, to these addresses.
    Mail(Vec<String>),
    /// The hook with this name.
    Hook(String),
    /// The bot with this name, over its socket.
    Bot(String),
}

impl Way {
    /// The form that the store uses.
    pub fn for_claim(&self) -> store::Way {
        store::Way { scopes: self.scopes.all(), charges: self.charges.clone() }
    }
}

/// All ways to `target`, whose next message would reach `reach`. The error is for the operator: what must be repaired.
pub fn ways(config: &Config, target: &Target, reach: &Reach) -> Result<Vec<Way>, String> {
    let host = Some(Scope::of(&Part::Host(authority(&config.wecom.api_url).into())));
    match &target.to {
        To::Members { app, .. } | To::Chat { app, .. } => {
            let known = config.wecom.apps.get(app).ok_or_else(|| missing("app", app))?;
            let (counted, limit) = match &target.to {
                To::Chat { .. } => (Counted::ChatMember, Limit::CHAT_MEMBER),
                _ => (Counted::Member, Limit::MEMBER),
            };
            let scopes = Scopes { host, sender: Scope::of(&Part::App(app.into())), route: route(target) };
            let charges = charges(counted, AppId { corp: &known.corp_id, agent: known.agent_id }, reach, limit);
            Ok(vec![Way { sender: Sender::WeCom(wecom::Account::App(self::app(known))), scopes, charges }])
        }
        To::Webhook { webhook } => {
            let keys = config.wecom.webhooks.get(webhook).ok_or_else(|| missing("webhook", webhook))?;
            // Both belong to the key: WeCom does not know our names, and a key may have several.
            let way = |key: &SecretString| {
                let print = KeyPrint::of(key);
                let scopes = Scopes { host: host.clone(), sender: Scope::of(&Part::Webhook(print)), route: None };
                let charges = vec![Charge::new(Account::of_key(print), Limit::WEBHOOK)];
                let sender = Sender::WeCom(wecom::Account::Webhook(wecom::Webhook { key: key.clone() }));
                Way { sender, scopes, charges }
            };
            Ok(keys.iter().map(way).collect())
        }
        To::Email { to } => {
            config.smtp.as_ref().ok_or_else(|| missing("section", "smtp"))?;
            let scopes = Scopes { host: Some(Scope::of(&Part::Smtp)), sender: Scope::of(&Part::Mail), route: None };
            Ok(vec![Way { sender: Sender::Mail(to.clone()), scopes, charges: Vec::new() }])
        }
        To::Hook { hook } => {
            config.hooks.get(hook).ok_or_else(|| missing("hook", hook))?;
            let scopes = Scopes { host: None, sender: Scope::of(&Part::Hook(hook.into())), route: None };
            Ok(vec![Way { sender: Sender::Hook(hook.clone()), scopes, charges: Vec::new() }])
        }
        To::Bot { bot, chat } => {
            let known = config.wecom.bots.get(bot).ok_or_else(|| missing("bot", bot))?;
            let scopes = Scopes { host: None, sender: Scope::of(&Part::Bot(bot.into())), route: route(target) };
            // Replies to users count as well (docs/reference/wecom.md#bot-messages); they are few.
            let charges = vec![Charge::new(Account::of_conversation(&known.bot_id, chat), Limit::BOT)];
            Ok(vec![Way { sender: Sender::Bot(bot.clone()), scopes, charges }])
        }
    }
}

/// The part of the way to `target` that can be broken while its sender is not.
fn route(target: &Target) -> Option<Scope> {
    Scope::of_lane(target.lane().parse())
}

/// The scopes of all breakers of the configuration, by display name: a webhook's key has all its names.
pub fn scopes(config: &Config) -> BTreeMap<String, Scope> {
    let ways = config.targets().filter_map(|target| ways(config, target, &Reach::default()).ok()).flatten();
    let all = ways.flat_map(|way| way.scopes.all());
    let keyless = all.filter(|scope| !matches!(scope.parse(), Part::Webhook(_)));
    keyless.map(|scope| (scope.to_string(), scope)).chain(webhooks(config)).collect()
}

/// Each key of each webhook under its name: `webhook/NAME`, the second one `webhook/NAME#2`.
fn webhooks(config: &Config) -> impl Iterator<Item = (String, Scope)> {
    config.wecom.webhooks.iter().flat_map(|(webhook, keys)| {
        keys.iter().enumerate().map(move |(index, key)| {
            let number = if index == 0 { String::new() } else { format!("#{}", index + 1) };
            (format!("webhook/{webhook}{number}"), Scope::of(&Part::Webhook(KeyPrint::of(key))))
        })
    })
}

/// The display name of `scope`: all names of a webhook's key, or its digest if it has none any more.
pub fn called(config: &Config, scope: &Scope) -> String {
    let mut names: Vec<String> =
        webhooks(config).filter_map(|(name, known)| (known == *scope).then_some(name)).collect();
    names.sort();
    if names.is_empty() { scope.to_string() } else { names.join(", ") }
}

/// Does the configuration use `scope`? A breaker of something removed would stay open for ever.
pub fn knows(config: &Config, scope: &Scope) -> bool {
    match scope.parse() {
        Part::Bot(bot) | Part::Conversation { bot, .. } => config.wecom.bots.contains_key(&*bot),
        Part::App(app) | Part::Chat { app, .. } => config.wecom.apps.contains_key(&*app),
        Part::Hook(hook) => config.hooks.contains_key(&*hook),
        Part::Smtp | Part::Mail => config.smtp.is_some(),
        Part::Host(authority) => authority == self::authority(&config.wecom.api_url),
        Part::Webhook(_) => webhooks(config).any(|(_, known)| known == *scope),
        Part::Other(_) => false,
    }
}

/// Does every way to `target` depend on `subject`? Then it cannot be used to report that `subject` is broken.
pub fn stands_on(config: &Config, target: &Target, subject: &Subject) -> bool {
    let Ok(ways) = ways(config, target, &Reach::default()) else { return true };
    match subject {
        Subject::Scope(scope) => ways.iter().all(|way| way.scopes.all().contains(scope)),
        Subject::Lane(lane) => target.lane() == *lane,
        Subject::Nothing | Subject::Outside(_) => false,
    }
}

/// The debits of a message to `reach`. Each listed member has an account. A message that may reach unlisted members
/// counts for all members of the app, and all their messages count against it: so no member gets more than the limit.
fn charges(counted: Counted, app: AppId<'_>, reach: &Reach, limit: Limit) -> Vec<Charge> {
    let account = |who: Who<'_>| Account::of_app(counted, app, who);
    let alone = |who: Who<'_>, limit| Charge { account: account(who), with: Vec::new(), limit };
    if reach.unseen {
        return vec![alone(Who::Anybody, Some(limit)), alone(Who::Unseen, None)];
    }
    let member = |user: &String| Charge {
        account: account(Who::User(user)),
        with: vec![account(Who::Unseen)],
        limit: Some(limit),
    };
    reach.users.iter().map(member).chain([alone(Who::Anybody, None)]).collect()
}

/// The budgets of a person, by app, and whether of its chats: of each that a target uses.
pub fn budgets_of(config: &Config, person: &str) -> BTreeMap<(String, bool), Charge> {
    let reach = Reach { users: [person.to_ascii_lowercase()].into(), unseen: false };
    let mut known = BTreeMap::new();
    for target in config.targets() {
        let (name, chats) = match &target.to {
            To::Members { app, .. } => (app, false),
            To::Chat { app, .. } => (app, true),
            To::Webhook { .. } | To::Email { .. } | To::Hook { .. } | To::Bot { .. } => continue,
        };
        let Some(account) = config.wecom.apps.get(name) else { continue };
        let (counted, limit) =
            if chats { (Counted::ChatMember, Limit::CHAT_MEMBER) } else { (Counted::Member, Limit::MEMBER) };
        let app = AppId { corp: &account.corp_id, agent: account.agent_id };
        let own = charges(counted, app, &reach, limit).into_iter().find(|charge| charge.limit.is_some());
        known.extend(own.map(|charge| ((name.clone(), chats), charge)));
    }
    known
}

/// An app of the configuration as the client wants it.
pub fn app(known: &AppAccount) -> wecom::App {
    wecom::App { corp_id: known.corp_id.clone(), agent_id: known.agent_id, secret: known.secret.clone() }
}

/// What is missing from the configuration, for the operator.
pub fn missing(kind: &str, name: &str) -> String {
    let text = Words::from((
        format!("配置里没有 {kind} `{name}` 了：请放回去并重新加载"),
        format!("the {kind} `{name}` is no longer in the configuration: put it back and reload"),
    ));
    text.recorded()
}

/// The people to whom a frozen request of an app is addressed.
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
        /// Unlisted members may be any of them.
        #[test]
        fn no_member_gets_more_than_the_limit_whichever_are_unseen(
            sends in proptest::collection::vec((0_i64..1_500, proptest::collection::btree_set(0_u8..4, 1..4), any::<bool>()), 1..300),
        ) {
            let mut accounts: HashMap<Account, Window> = HashMap::new();
            let mut arrived: HashMap<String, Vec<i64>> = HashMap::new();
            let mut now = Timestamp(1_700_000_000_000);
            for (pause, users, unseen) in sends {
                now = now.plus_millis(pause);
                let users = users.into_iter().map(|user| format!("u{user}")).collect();
                let reach = Reach { users, unseen };
                let app = AppId { corp: "c", agent: 1 };
                let charges = charges(Counted::Member, app, &reach, Limit::MEMBER);
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
