//! The account of a budget, whose windows a message is debited to.

use std::borrow::Borrow;
use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::text::escaped;

/// Identifies a webhook's key without revealing it: the first 8 bytes of its SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPrint([u8; 8]);

impl KeyPrint {
    /// The print of `key`: the same for all names of the key.
    pub fn of(key: &SecretString) -> Self {
        let digest = Sha256::digest(key.expose_secret().as_bytes());
        Self(digest[..8].try_into().expect("a digest has 32 bytes"))
    }

    /// Parses what [`fmt::Display`] prints: 16 digits, lower case.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let number = u64::from_str_radix(text, 16).ok().filter(|_| digits)?;
        Some(Self(number.to_be_bytes()))
    }
}

impl fmt::Display for KeyPrint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

/// The account of a budget, as stored. Ordered by its text, as the stores order it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account(String);

/// An app as WeCom identifies it, independent of its name in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppId<'a> {
    /// Id of the corp.
    pub corp: &'a str,
    /// Id of the app in it.
    pub agent: i64,
}

/// The owner of an app's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who<'a> {
    /// The member with this userid.
    User(&'a str),
    /// All members together.
    Anybody,
    /// Members who may have been reached without being listed.
    Unseen,
}

/// A kind of app messages that WeCom counts separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Messages to members.
    Member,
    /// Messages in chats.
    ChatMember,
}

impl Account {
    /// The account of a member of an app, or of its chats.
    pub fn of_app(counted: Counted, app: AppId<'_>, who: Who<'_>) -> Self {
        let kind = match counted {
            Counted::Member => "member",
            Counted::ChatMember => "chat",
        };
        let who = match who {
            // A userid never equals one of the two signs.
            Who::User(user) => escaped(user, &['/', '*', '?']),
            Who::Anybody => "*".into(),
            Who::Unseen => "?".into(),
        };
        Self(format!("{kind}/{}/{}/{who}", escaped(app.corp, &['/']), app.agent))
    }

    /// The account of a webhook's key.
    pub fn of_key(key: KeyPrint) -> Self {
        Self(format!("webhook/{key}"))
    }

    /// The account of a conversation of the bot with this id.
    pub fn of_conversation(bot_id: &str, chat: &str) -> Self {
        Self(format!("bot/{}/{}", escaped(bot_id, &['/']), escaped(chat, &['/'])))
    }

    /// The account that a store holds as `text`.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text in the store.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Equal accounts have equal texts, so a map can be searched by text.
impl Borrow<str> for Account {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    const APP: AppId<'_> = AppId { corp: "ww1", agent: 1_000_002 };

    #[test]
    fn the_accounts_of_released_databases_are_printed_as_before() {
        let key = KeyPrint::of(&SecretString::from("key"));
        assert_eq!(key.to_string(), "2c70e12b7a0646f9");
        let of = |counted, who| Account::of_app(counted, APP, who).to_string();
        let known = [
            (of(Counted::Member, Who::User("zhangsan")), "member/ww1/1000002/zhangsan"),
            (of(Counted::Member, Who::Anybody), "member/ww1/1000002/*"),
            (of(Counted::ChatMember, Who::Unseen), "chat/ww1/1000002/?"),
            (of(Counted::ChatMember, Who::User("@all")), "chat/ww1/1000002/@all"),
            (Account::of_key(key).to_string(), "webhook/2c70e12b7a0646f9"),
            (Account::of_conversation("aib1", "wrGroup").to_string(), "bot/aib1/wrGroup"),
        ];
        for (account, text) in known {
            assert_eq!(account, text);
        }
    }

    #[test]
    fn the_print_of_a_key_is_read_back() {
        let key = KeyPrint::of(&SecretString::from("some key"));
        assert_eq!(KeyPrint::parse(&key.to_string()), Some(key));
        for text in ["", "ops-group", "2C70E12B7A0646F9", "+c70e12b7a0646f9", "2c70e12b7a0646f90"] {
            assert_eq!(KeyPrint::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn different_holders_have_different_accounts(one in r"[a/*?\\]{0,4}", other in r"[a/*?\\]{0,4}", agent in 1..3_i64) {
            let app = AppId { corp: &one, agent };
            let apart = AppId { corp: &other, agent };
            let mut all = vec![
                Account::of_app(Counted::Member, app, Who::User(&one)),
                Account::of_app(Counted::ChatMember, app, Who::User(&one)),
                Account::of_app(Counted::Member, app, Who::Anybody),
                Account::of_app(Counted::Member, app, Who::Unseen),
                Account::of_conversation(&one, "x"),
            ];
            if one != other {
                all.push(Account::of_app(Counted::Member, app, Who::User(&other)));
                all.push(Account::of_app(Counted::Member, apart, Who::User(&one)));
                all.push(Account::of_conversation(&other, "x"));
                all.push(Account::of_conversation("x", &other));
            }
            let distinct: HashSet<&Account> = all.iter().filter(|account| account.as_str() != "bot/x/x").collect();
            prop_assert_eq!(distinct.len(), all.iter().filter(|account| account.as_str() != "bot/x/x").count());
        }
    }
}
