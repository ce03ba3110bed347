//! The key of a lane: one ordered queue of messages to one address.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::text::{escaped, plain, split};

/// The key of a lane, as stored: equal for equal addresses, stable over reloads, without secrets. Made from an address
/// ([`Self::of`]) or read from the store ([`Self::stored`]), never from outside input. Ordered by its text, as the
/// stores order it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LaneKey(String);

/// The address of a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lane<'a> {
    /// Members of an app.
    Members {
        /// Name of the app.
        app: Cow<'a, str>,
        /// The members, as printed by [`Addressees`].
        to: &'a str,
    },
    /// A chat that an app created.
    Chat {
        /// Name of the app.
        app: Cow<'a, str>,
        /// Its chatid.
        chat: Cow<'a, str>,
    },
    /// The webhook of this name.
    Webhook(Cow<'a, str>),
    /// Mail to these addresses, as printed by [`Addressees`].
    Email(&'a str),
    /// The hook of this name.
    Hook(Cow<'a, str>),
    /// A conversation of a bot.
    Bot {
        /// Name of the bot.
        bot: Cow<'a, str>,
        /// Its chatid; of a single chat, the userid.
        chat: Cow<'a, str>,
    },
    /// A lane of another version of wegraf.
    Other(&'a str),
}

impl LaneKey {
    /// The key of the lane to this address.
    pub fn of(lane: &Lane<'_>) -> Self {
        let name = |name: &str| escaped(name, &['/']).into_owned();
        Self(match lane {
            Lane::Members { app, to } => format!("app/{}/{to}", name(app)),
            Lane::Chat { app, chat } => format!("app/{}/chat/{}", name(app), name(chat)),
            Lane::Webhook(webhook) => format!("webhook/{}", name(webhook)),
            Lane::Email(to) => format!("email/{to}"),
            Lane::Hook(hook) => format!("hook/{}", name(hook)),
            Lane::Bot { bot, chat } => format!("bot/{}/{}", name(bot), name(chat)),
            Lane::Other(text) => (*text).to_owned(),
        })
    }

    /// The key that a store holds as `text`.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The lane of what is told to no target.
    pub const fn nowhere() -> Self {
        Self(String::new())
    }

    /// The text in the store, in the record and in logs.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address of the lane.
    pub fn parse(&self) -> Lane<'_> {
        let text = self.as_str();
        let whole = |name: &'_ str| split(name).is_none();
        match text.split_once('/') {
            Some(("app", rest)) => match split(rest) {
                Some((app, to)) => match to.strip_prefix("chat/") {
                    Some(chat) => Lane::Chat { app: plain(app), chat: plain(chat) },
                    None => Lane::Members { app: plain(app), to },
                },
                None => Lane::Other(text),
            },
            Some(("webhook", name)) if whole(name) => Lane::Webhook(plain(name)),
            Some(("hook", name)) if whole(name) => Lane::Hook(plain(name)),
            Some(("email", to)) => Lane::Email(to),
            Some(("bot", rest)) => match split(rest) {
                Some((bot, chat)) => Lane::Bot { bot: plain(bot), chat: plain(chat) },
                None => Lane::Other(text),
            },
            _ => Lane::Other(text),
        }
    }

    /// The bot whose socket the lane needs.
    pub fn bot(&self) -> Option<Cow<'_, str>> {
        match self.parse() {
            Lane::Bot { bot, .. } => Some(bot),
            _ => None,
        }
    }
}

impl fmt::Display for LaneKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Several addressees of one lane in one text: no userid, path or address can look like another kind of addressee, or
/// like two of them.
#[derive(Debug, Default)]
pub struct Addressees(Vec<String>);

impl Addressees {
    /// Members, or `@all`; the case of letters does not count.
    pub fn users(&mut self, userids: &[String]) {
        self.0.extend(userids.iter().map(|user| escaped(&user.to_lowercase(), &['|', '/', ':']).into_owned()));
    }

    /// A file with userids.
    pub fn file(&mut self, path: Option<&Path>) {
        self.0.extend(path.map(|path| format!("file:{}", escaped(&path.display().to_string(), &['|']))));
    }

    /// The people on duty.
    pub fn on_call(&mut self, duty: Option<&str>) {
        self.0.extend(duty.map(|duty| format!("on_call:{}", escaped(duty, &['|']))));
    }

    /// Departments.
    pub fn parties(&mut self, ids: &[i64]) {
        self.0.extend(ids.iter().map(|id| format!("party:{id}")));
    }

    pub fn tags(&mut self, ids: &[i64]) {
        self.0.extend(ids.iter().map(|id| format!("tag:{id}")));
    }

    /// Mail addresses; the case of letters does not count.
    pub fn emails(&mut self, addresses: &[String]) {
        self.0.extend(addresses.iter().map(|address| escaped(&address.to_lowercase(), &['|']).into_owned()));
    }
}

impl fmt::Display for Addressees {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("|"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The texts in released databases: waiting messages must keep their lanes.
    #[test]
    fn the_keys_of_released_databases_are_printed_and_read_as_before() {
        let mut to = Addressees::default();
        to.users(&["ZhangSan".to_owned(), "@all".to_owned()]);
        to.file(Some(Path::new("/etc/wegraf/people.txt")));
        to.on_call(Some("dba/backup"));
        to.parties(&[2]);
        to.tags(&[-3]);
        let to = to.to_string();
        let mut mail = Addressees::default();
        mail.emails(&["Ops@example.com".to_owned(), "boss+x@example.com".to_owned()]);
        let mail = mail.to_string();
        let known = [
            (
                Lane::Members { app: "ops".into(), to: &to },
                "app/ops/zhangsan|@all|file:/etc/wegraf/people.txt|on_call:dba/backup|party:2|tag:-3",
            ),
            (Lane::Chat { app: "ops".into(), chat: "AITest".into() }, "app/ops/chat/AITest"),
            (Lane::Webhook("ops-group".into()), "webhook/ops-group"),
            (Lane::Email(&mail), "email/ops@example.com|boss+x@example.com"),
            (Lane::Hook("pager".into()), "hook/pager"),
            (Lane::Bot { bot: "duty".into(), chat: "wrGroup_1-x".into() }, "bot/duty/wrGroup_1-x"),
            (Lane::Other("answer/silences"), "answer/silences"),
        ];
        for (lane, text) in known {
            assert_eq!(LaneKey::of(&lane).as_str(), text);
            assert_eq!(LaneKey::stored(text).parse(), lane);
        }
    }

    #[test]
    fn no_userid_looks_like_another_kind_of_addressee() {
        let one = |add: &dyn Fn(&mut Addressees)| {
            let mut to = Addressees::default();
            add(&mut to);
            to.to_string()
        };
        let user = |userid: &str| one(&|to| to.users(&[userid.to_owned()]));
        let file = |path: &str| one(&|to| to.file(Some(Path::new(path))));
        assert_ne!(user("party:2"), one(&|to| to.parties(&[2])));
        assert_ne!(user("file:x"), file("x"));
        assert_ne!(file("x|tag:1"), format!("{}|{}", file("x"), one(&|to| to.tags(&[1]))));
        assert_ne!(one(&|to| to.emails(&["a|b".to_owned()])), one(&|to| to.emails(&["a".to_owned(), "b".to_owned()])));
        let members = user("chat/x");
        let lane = LaneKey::of(&Lane::Members { app: "ops".into(), to: &members });
        assert!(matches!(lane.parse(), Lane::Members { .. }), "{lane}");
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(which in 0..6, one in r"[a-z/\\|:#]{0,6}", other in r"(chat|[a-z/\\|:]){0,4}") {
            let mut to = Addressees::default();
            to.users(std::slice::from_ref(&other));
            to.emails(std::slice::from_ref(&one));
            let to = to.to_string();
            let lane = match which {
                0 => Lane::Members { app: one.as_str().into(), to: &to },
                1 => Lane::Chat { app: one.as_str().into(), chat: other.as_str().into() },
                2 => Lane::Webhook(one.as_str().into()),
                3 => Lane::Email(&to),
                4 => Lane::Hook(other.as_str().into()),
                _ => Lane::Bot { bot: one.as_str().into(), chat: other.as_str().into() },
            };
            let key = LaneKey::of(&lane);
            prop_assert_eq!(key.parse(), lane, "{}", key);
        }
    }
}
