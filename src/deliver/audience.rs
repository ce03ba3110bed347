//! Whom a message reaches (placeholder until the directory is asked).

use std::collections::BTreeSet;

/// Whom a message may reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Userids in lower case.
    pub users: BTreeSet<String>,
    /// It may reach somebody who is not among them.
    pub unseen: bool,
}

/// Placeholder.
#[derive(Debug, Default)]
pub struct Audience;

impl Audience {
    pub async fn of_members(
        &self,
        _: &wecom::Client,
        _: &wecom::App,
        to: &wecom::Recipients,
        _: crate::alert::Timestamp,
    ) -> Reach {
        Reach {
            users: to.users.iter().map(|u| u.to_lowercase()).collect(),
            unseen: !to.parties.is_empty() || !to.tags.is_empty(),
        }
    }
    pub async fn of_chat(&self, _: &wecom::Client, _: &wecom::App, _: &str, _: crate::alert::Timestamp) -> Reach {
        Reach { users: BTreeSet::new(), unseen: true }
    }
}
