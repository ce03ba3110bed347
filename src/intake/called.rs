//! People named in a call in addition to its receivers: they are mentioned by targets that can.

use std::borrow::Cow;

use crate::config::{Target, To};

/// The most people whom one call names; a longer list is an accident.
const MOST: usize = 100;

/// The people named in a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Called {
    users: Vec<String>,
    mobiles: Vec<String>,
}

impl Called {
    /// Userids (`@all` among them) and mobile numbers; names that no userid can be are left out.
    pub fn new(users: impl IntoIterator<Item = String>, mobiles: impl IntoIterator<Item = String>) -> Self {
        let is_user = |user: &String| user == Self::EVERYBODY || wecom::is_userid(user);
        Self {
            users: users.into_iter().filter(is_user).take(MOST).collect(),
            mobiles: mobiles.into_iter().take(MOST).collect(),
        }
    }

    /// WeCom's name for all members.
    pub const EVERYBODY: &'static str = "@all";

    /// The target as it also mentions them, where it can mention by name; mobile numbers, where it is a webhook.
    pub fn at<'a>(&self, target: &'a Target) -> Cow<'a, Target> {
        if self == &Self::default() || !target.channel().mentions() {
            return Cow::Borrowed(target);
        }
        let mut target = target.clone();
        let new = |more: &[String], known: &mut Vec<String>| {
            let more: Vec<String> = more.iter().filter(|one| !known.contains(one)).cloned().collect();
            known.extend(more);
        };
        new(&self.users, &mut target.mention);
        if matches!(target.to, To::Webhook { .. }) {
            new(&self.mobiles, &mut target.mention_mobiles);
        }
        Cow::Owned(target)
    }
}
