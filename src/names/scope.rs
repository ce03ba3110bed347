//! The scope of a breaker: what is broken when it opens.

use std::borrow::{Borrow, Cow};
use std::fmt;

use serde::Serialize;

use super::text::{escaped, plain, split};
use super::{KeyPrint, Lane};

/// The scope of a breaker, as stored. Made from its part ([`Self::of`]) or read from the store ([`Self::stored`]).
/// Ordered by its text, as the stores order it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Scope(String);

/// A part of the ways to people that can break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part<'a> {
    /// WeCom's API at this authority (`host` or `host:port`).
    Host(Cow<'a, str>),
    /// The mail server.
    Smtp,
    /// The account at the mail server.
    Mail,
    /// The app of this name.
    App(Cow<'a, str>),
    /// A webhook's key, under all its names in the configuration.
    Webhook(KeyPrint),
    /// The bot of this name.
    Bot(Cow<'a, str>),
    /// The hook of this name.
    Hook(Cow<'a, str>),
    /// A chat of an app.
    Chat {
        /// Name of the app.
        app: Cow<'a, str>,
        /// Its chatid.
        chat: Cow<'a, str>,
    },
    /// A conversation of a bot.
    Conversation {
        /// Name of the bot.
        bot: Cow<'a, str>,
        /// Its chatid; of a single chat, the userid.
        chat: Cow<'a, str>,
    },
    /// A scope of another version of wegraf: no way uses it.
    Other(&'a str),
}

impl Scope {
    /// The scope of this part.
    pub fn of(part: &Part<'_>) -> Self {
        let name = |name: &str| escaped(name, &['/']).into_owned();
        Self(match part {
            // A host with the mail server's name: marked by a slash, which no authority contains.
            Part::Host(authority) if authority == "smtp" => "host/smtp/".to_owned(),
            Part::Host(authority) => format!("host/{}", name(authority)),
            Part::Smtp => "host/smtp".to_owned(),
            Part::Mail => "email".to_owned(),
            Part::App(app) => format!("app/{}", name(app)),
            Part::Webhook(key) => format!("key/{key}"),
            Part::Bot(bot) => format!("bot/{}", name(bot)),
            Part::Hook(hook) => format!("hook/{}", name(hook)),
            Part::Chat { app, chat } => format!("app/{}/chat/{}", name(app), name(chat)),
            Part::Conversation { bot, chat } => format!("bot/{}/{}", name(bot), name(chat)),
            Part::Other(text) => (*text).to_owned(),
        })
    }

    /// The scope of a lane that can break separately; `None` where only its sender can.
    pub fn of_lane(lane: Lane<'_>) -> Option<Self> {
        match lane {
            Lane::Chat { app, chat } => Some(Self::of(&Part::Chat { app, chat })),
            Lane::Bot { bot, chat } => Some(Self::of(&Part::Conversation { bot, chat })),
            Lane::Members { .. } | Lane::Webhook(_) | Lane::Email(_) | Lane::Hook(_) | Lane::Other(_) => None,
        }
    }

    /// The scope that a store holds as `text`.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text in the store.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part that the scope covers.
    pub fn parse(&self) -> Part<'_> {
        let text = self.as_str();
        match text.split_once('/') {
            None if text == "email" => Part::Mail,
            Some(("host", "smtp")) => Part::Smtp,
            Some(("host", "smtp/")) => Part::Host("smtp".into()),
            Some(("host", authority)) if split(authority).is_none() => Part::Host(plain(authority)),
            Some(("key", key)) => KeyPrint::parse(key).map_or(Part::Other(text), Part::Webhook),
            Some(("hook", hook)) if split(hook).is_none() => Part::Hook(plain(hook)),
            Some(("app", rest)) => match split(rest) {
                None => Part::App(plain(rest)),
                Some((app, route)) => match route.strip_prefix("chat/") {
                    Some(chat) if split(chat).is_none() => Part::Chat { app: plain(app), chat: plain(chat) },
                    _ => Part::Other(text),
                },
            },
            Some(("bot", rest)) => match split(rest) {
                None => Part::Bot(plain(rest)),
                Some((bot, chat)) if split(chat).is_none() => Part::Conversation { bot: plain(bot), chat: plain(chat) },
                Some(_) => Part::Other(text),
            },
            _ => Part::Other(text),
        }
    }
}

/// Equal scopes have equal texts, so a map can be searched by text.
impl Borrow<str> for Scope {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use secrecy::SecretString;

    fn key() -> KeyPrint {
        KeyPrint::of(&SecretString::from("693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa"))
    }

    /// The texts in released databases. Only those of webhooks are gone: `webhook/NAME` is no longer a scope.
    #[test]
    fn the_scopes_of_released_databases_are_printed_and_read_as_before() {
        let known = [
            (Part::Host("qyapi.weixin.qq.com".into()), "host/qyapi.weixin.qq.com"),
            (Part::Host("127.0.0.1:8080".into()), "host/127.0.0.1:8080"),
            (Part::Smtp, "host/smtp"),
            (Part::Mail, "email"),
            (Part::App("ops".into()), "app/ops"),
            (Part::Bot("duty".into()), "bot/duty"),
            (Part::Hook("pager".into()), "hook/pager"),
            (Part::Chat { app: "ops".into(), chat: "AITest".into() }, "app/ops/chat/AITest"),
            (Part::Conversation { bot: "duty".into(), chat: "wrGroup".into() }, "bot/duty/wrGroup"),
            (Part::Other("webhook/ops-group"), "webhook/ops-group"),
            (Part::Other("webhook/ops-group#2"), "webhook/ops-group#2"),
        ];
        for (part, text) in known {
            assert_eq!(Scope::of(&part).as_str(), text);
            assert_eq!(Scope::stored(text).parse(), part);
        }
    }

    #[test]
    fn a_scope_holds_a_digest_of_the_key_and_not_the_key() {
        let text = Scope::of(&Part::Webhook(key())).to_string();
        assert_eq!(text, format!("key/{}", key()));
        assert!(!text.contains("693a"), "{text}");
    }

    #[test]
    fn a_host_called_smtp_is_not_the_mail_server() {
        assert_ne!(Scope::of(&Part::Host("smtp".into())), Scope::of(&Part::Smtp));
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(which in 0..9, one in r"(smtp|[a-z/\\:]){0,4}", other in r"(chat/|[a-z/\\]){0,4}") {
            let (one, other) = (one.as_str(), other.as_str());
            let part = match which {
                0 => Part::Host(one.into()),
                1 => Part::Smtp,
                2 => Part::Mail,
                3 => Part::App(one.into()),
                4 => Part::Webhook(key()),
                5 => Part::Bot(one.into()),
                6 => Part::Hook(other.into()),
                7 => Part::Chat { app: one.into(), chat: other.into() },
                _ => Part::Conversation { bot: one.into(), chat: other.into() },
            };
            let scope = Scope::of(&part);
            prop_assert_eq!(scope.parse(), part, "{}", scope);
        }
    }
}
