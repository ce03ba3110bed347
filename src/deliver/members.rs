//! Is a person among the recipients of a target?

use tracing::warn;

use super::audience::Audience;
use super::people::People;
use super::setup::Setup;
use super::way;
use crate::config::{Config, Target, To};
use crate::duty::holds;
use crate::live::Live;
use crate::time::Clock;

/// A member of a corp, as WeCom identifies the person to wegraf.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// The userid.
    pub id: &'a str,
    /// The app of the text or press; `None` for a bot, whose events do not name the corp.
    pub app: Option<&'a str>,
}

impl Member<'_> {
    /// Is this a member of the corp of `app`? Userids are unique within a corp only.
    fn is_of(&self, config: &Config, app: &str) -> bool {
        let corp = |app: &str| config.wecom.apps.get(app).map(|known| known.corp_id.as_str());
        match self.app {
            Some(own) => corp(own).is_some() && corp(own) == corp(app),
            None => has_one_corp(config),
        }
    }
}

/// Do all apps belong to one corp, so that a userid means one person everywhere?
pub fn has_one_corp(config: &Config) -> bool {
    let mut corps = config.wecom.apps.values().map(|app| app.corp_id.as_str());
    let first = corps.next();
    corps.all(|corp| Some(corp) == first)
}

/// The members of targets: files of people, departments, tags and chats according to WeCom.
#[derive(Debug)]
pub struct Members {
    setup: Live<Setup>,
    clock: Clock,
    people: People,
    pub(super) audience: Audience,
}

impl Members {
    /// Nothing was read or asked yet.
    pub fn new(setup: Live<Setup>, clock: Clock) -> Self {
        Self { setup, clock, people: People::default(), audience: Audience::default() }
    }

    /// Does a message to `target`, rendered now, reach this member? False for a webhook's group, mail and hooks, whose
    /// members are unknown. Waits at most 3 s for WeCom; a list that cannot be read counts as empty.
    pub async fn reached(&self, target: &Target, member: Member<'_>) -> bool {
        let (setup, now) = (self.setup.now(), self.clock.now());
        let config = &setup.config;
        match &target.to {
            To::Members { app, .. } | To::Chat { app, .. } if !member.is_of(config, app) => false,
            To::Members { app, users, users_file, on_call, parties, tags } => {
                let everybody = users.iter().any(|user| user == "@all");
                let on_duty = on_call.as_ref().and_then(|duty| config.rotas.people(duty, now)).unwrap_or_default();
                let listed = || users_file.as_ref().is_some_and(|file| self.is_listed(file, member.id));
                // A person who writes to an app is in its visible scope.
                if holds(users, member.id) || holds(&on_duty, member.id) || everybody && member.app == Some(app) {
                    return true;
                }
                if listed() {
                    return true;
                }
                let Some(known) = config.wecom.apps.get(app) else { return false };
                if !everybody && parties.is_empty() && tags.is_empty() {
                    return false;
                }
                let users = users.iter().filter(|user| *user == "@all").cloned().collect();
                let to = wecom::Recipients { users, parties: parties.clone(), tags: tags.clone() };
                let reach = self.audience.of_members(&setup.wecom, &way::app(known), &to, now).await;
                reach.users.contains(&member.id.to_ascii_lowercase())
            }
            To::Chat { app, chat } => {
                let Some(known) = config.wecom.apps.get(app) else { return false };
                let reach = self.audience.of_chat(&setup.wecom, &way::app(known), chat, now).await;
                reach.users.contains(&member.id.to_ascii_lowercase())
            }
            // A single chat is named by the userid.
            To::Bot { chat, .. } => chat.eq_ignore_ascii_case(member.id) && has_one_corp(config),
            To::Webhook { .. } | To::Email { .. } | To::Hook { .. } => false,
        }
    }

    fn is_listed(&self, file: &std::path::Path, id: &str) -> bool {
        match self.people.read(file) {
            Ok(people) => holds(&people, id),
            Err(error) => {
                warn!(error = %error.en, "A list of people cannot be read; it counts as empty.");
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(second_corp: &str) -> Config {
        let text = format!(
            "wecom:\n  apps:\n    ops: {{ corp_id: ww0123456789abcdef, agent_id: 1, secret: s }}\n    other: {{ corp_id: {second_corp}, agent_id: 2, secret: s }}\nreceivers:\n  ops: {{ targets: [ {{ app: ops, users: [zhangsan] }} ] }}\n"
        );
        Config::parse(&text, std::path::Path::new("w")).unwrap().0
    }

    #[test]
    fn a_userid_counts_within_one_corp() {
        let (one, two) = (config("ww0123456789abcdef"), config("wwfedcba9876543210"));
        let by = |app: Option<&'static str>| Member { id: "zhangsan", app };
        assert!(has_one_corp(&one) && !has_one_corp(&two));
        for (config, member, of_ops) in [
            (&one, by(Some("ops")), true),
            (&one, by(Some("other")), true),
            (&one, by(None), true),
            (&two, by(Some("ops")), true),
            (&two, by(Some("other")), false),
            (&two, by(None), false),
            (&two, by(Some("gone")), false),
        ] {
            assert_eq!(member.is_of(config, "ops"), of_ops, "{member:?}");
        }
    }
}
