//! What the record has of a bot, for those who look: asking WeCom would take the socket away from its holder.

use crate::config::Config;
use crate::names::{Part, Scope};
use crate::store::{Breaker, Conversation, Store, StoreError};
use crate::words::Words;

/// What the record has of a bot.
#[derive(Debug, Default)]
pub struct Known {
    /// The holder of its socket; `None`: it is free.
    pub holder: Option<String>,
    /// Why nothing is sent, if that is so.
    pub error: Option<Words>,
    /// Conversations in which a user has written to it, and why it may not write there, if that is so.
    pub conversations: Vec<(Conversation, Option<Words>)>,
    /// What is held back, and why.
    pub breakers: Vec<Breaker>,
}

impl Known {
    /// Reads it from the files of a configuration. A gateway that never ran has no record.
    pub async fn read(config: &Config, bot: &str) -> Self {
        let holder = Store::socket_holder(&config.database, bot).await.ok().flatten();
        let known = match Store::open_reading(&config.database).await {
            Ok(store) => Self::recorded(&store, bot).await.unwrap_or_default(),
            Err(_) => Self::default(),
        };
        Self { holder, ..known }
    }

    /// Reads it from an open record.
    pub async fn of(store: &Store, config: &Config, bot: &str) -> Result<Self, StoreError> {
        let holder = Store::socket_holder(&config.database, bot).await?;
        Ok(Self { holder, ..Self::recorded(store, bot).await? })
    }

    async fn recorded(store: &Store, bot: &str) -> Result<Self, StoreError> {
        let breakers: Vec<Breaker> = store.breakers().await?;
        let error =
            |scope: &Scope| breakers.iter().find(|open| open.scope == *scope).map(|open| Words::of_record(&open.error));
        let scope = |conversation: &Conversation| scope(&conversation.bot, &conversation.chat);
        let of_bot = store.conversations().await?.into_iter().filter(|conversation| conversation.bot == bot);
        let conversations = of_bot.map(|conversation| {
            let error = error(&scope(&conversation));
            (conversation, error)
        });
        let (error, conversations) = (error(&super::scope(bot)), conversations.collect());
        Ok(Self { holder: None, error, conversations, breakers })
    }

    /// Why the bot may not write in this conversation, if WeCom has said so.
    pub fn refusal(&self, bot: &str, chat: &str) -> Option<Words> {
        let scope = scope(bot, chat);
        self.breakers.iter().find(|open| open.scope == scope).map(|open| Words::of_record(&open.error))
    }
}

/// The scope of one conversation of a bot.
fn scope(bot: &str, chat: &str) -> Scope {
    Scope::of(&Part::Conversation { bot: bot.into(), chat: chat.into() })
}
