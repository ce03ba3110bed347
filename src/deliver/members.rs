//! Whom a target reaches, asked for one person: is he among those who receive what goes there?

use tracing::warn;

use super::audience::Audience;
use super::people::People;
use super::way;
use crate::alert::Timestamp;
use crate::app::Loaded;
use crate::config::{Config, Target, To};
use crate::duty::holds;

/// A member of a corp, as WeCom names him to us.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// His userid.
    pub id: &'a str,
    /// The app that he wrote to or pressed in; `None`: he came by a bot, which does not say of which corp he is.
    pub app: Option<&'a str>,
}

impl Member<'_> {
    /// Is he of the corp of `app`? Userids are unique within a corp only.
    fn is_of(&self, config: &Config, app: &str) -> bool {
        let corp = |app: &str| config.wecom.apps.get(app).map(|known| known.corp_id.as_str());
        match self.app {
            Some(his) => corp(his).is_some() && corp(his) == corp(app),
            None => has_one_corp(config),
        }
    }
}

/// Are all apps of one corp, so that a userid means one person whichever way he comes?
pub fn has_one_corp(config: &Config) -> bool {
    let mut corps = config.wecom.apps.values().map(|app| app.corp_id.as_str());
    let first = corps.next();
    corps.all(|corp| Some(corp) == first)
}

/// The members of what targets name: files of people, departments, tags and chats as WeCom tells them.
#[derive(Debug, Default)]
pub struct Members {
    people: People,
    pub(super) audience: Audience,
}

impl Members {
    /// Does a message to `target`, written now, reach this member? Not known of a webhook's group, of mail and of hooks: no.
    /// Waits at most 3 s for WeCom; a list that cannot be read reaches nobody.
    pub async fn reached(&self, loaded: &Loaded, target: &Target, member: Member<'_>, now: Timestamp) -> bool {
        let config = &loaded.config;
        match &target.to {
            To::Members { app, .. } | To::Chat { app, .. } if !member.is_of(config, app) => false,
            To::Members { app, users, users_file, on_call, parties, tags } => {
                let everybody = users.iter().any(|user| user == "@all");
                let on_duty = on_call.as_ref().and_then(|duty| config.rotas.people(duty, now)).unwrap_or_default();
                let listed = || users_file.as_ref().is_some_and(|file| self.is_listed(file, member.id));
                // Who writes to an app is among those who can see it.
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
                let reach = self.audience.of_members(&loaded.wecom, &way::app(known), &to, now).await;
                reach.users.contains(&member.id.to_ascii_lowercase())
            }
            To::Chat { app, chat } => {
                let Some(known) = config.wecom.apps.get(app) else { return false };
                let reach = self.audience.of_chat(&loaded.wecom, &way::app(known), chat, now).await;
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
                warn!(%error, "A list of people cannot be read; nobody is taken to be in it.");
                false
            }
        }
    }
}
