//! Resolves `touser`, `toparty` and `totag` to members (docs/reference/wecom.md#recipients, #accepted-in-part).

use serde_json::{Map, Value, json};

use crate::answer::Refusal;
use crate::setup::{App, Corp, User};

/// The receivers of a request, as named.
#[derive(Debug, Default)]
pub(super) struct Named {
    all: bool,
    users: Vec<String>,
    parties: Vec<String>,
    tags: Vec<String>,
}

/// The receivers of a request, as resolved.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Userids spelled as in the corp, without repetitions.
    pub(super) users: Vec<String>,
    /// In lower case, as WeCom answers.
    pub(super) invalid_users: Vec<String>,
    invalid_parties: Vec<String>,
    invalid_tags: Vec<String>,
}

impl Named {
    /// Reads the three `|` lists of `message/send`.
    pub(super) fn of_send(body: &Value) -> Result<Self, Refusal> {
        let users = joined(body, "touser");
        let named = if users == ["@all"] {
            Self { all: true, ..Self::default() }
        } else {
            Self { all: false, users, parties: joined(body, "toparty"), tags: joined(body, "totag") }
        };
        named.checked(82001)
    }

    /// Reads the arrays of `update_template_card`.
    pub(super) fn of_update(body: &Value) -> Result<Self, Refusal> {
        let list = |field: &str| {
            let items = body.get(field).and_then(Value::as_array).into_iter().flatten();
            items.filter_map(as_name).collect::<Vec<_>>()
        };
        let all = crate::call::int(body, "atall") == Some(1);
        Self { all, users: list("userids"), parties: list("partyids"), tags: list("tagids") }.checked(82101)
    }

    fn checked(self, if_none: i64) -> Result<Self, Refusal> {
        let code = match &self {
            named if named.users.len() > 1000 => 40032,
            named if named.parties.len() > 100 => 82002,
            named if named.tags.len() > 100 => 82003,
            named if !named.all && named.users.is_empty() && named.parties.is_empty() && named.tags.is_empty() => {
                if_none
            }
            _ => return Ok(self),
        };
        Err(Refusal::code(code))
    }

    /// Finds the members that `app` may reach.
    pub(super) fn find(&self, corp: &Corp, app: &App) -> Found {
        let mut found = Found::default();
        if self.all {
            found.add(corp, app, |_| true);
            return found;
        }
        for name in &self.users {
            match corp.user(name).filter(|user| corp.sees(app, user)) {
                Some(user) => found.add(corp, app, |other| other.userid == user.userid),
                None => found.invalid_users.push(name.to_ascii_lowercase()),
            }
        }
        for name in &self.parties {
            match name.parse().ok().filter(|&id| corp.sees_party(app, id)) {
                Some(id) => found.add(corp, app, |user| corp.belongs(user, id)),
                None => found.invalid_parties.push(name.clone()),
            }
        }
        for name in &self.tags {
            let tag = corp.tags.iter().find(|tag| tag.id.to_string() == *name);
            match tag.filter(|tag| app.has_root_scope() || app.visible.tags.contains(&tag.id)) {
                Some(tag) => found.add(corp, app, |user| corp.tagged(user, tag)),
                None => found.invalid_tags.push(name.clone()),
            }
        }
        found
    }
}

impl Found {
    fn add(&mut self, corp: &Corp, app: &App, which: impl Fn(&User) -> bool) {
        for user in corp.users.iter().filter(|user| which(user) && corp.sees(app, user)) {
            if !self.users.contains(&user.userid) {
                self.users.push(user.userid.clone());
            }
        }
    }

    /// The `invalid…` fields of a reply to `message/send`: strings joined by `|`.
    pub(super) fn losers(&self) -> Map<String, Value> {
        let lists = [
            ("invaliduser", &self.invalid_users),
            ("invalidparty", &self.invalid_parties),
            ("invalidtag", &self.invalid_tags),
        ];
        lists
            .into_iter()
            .filter(|(_, list)| !list.is_empty())
            .map(|(n, list)| (n.into(), json!(list.join("|"))))
            .collect()
    }
}

fn joined(body: &Value, field: &str) -> Vec<String> {
    let list = body.get(field).and_then(as_name).unwrap_or_default();
    list.split('|').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// A string, or a number that serves as one.
fn as_name(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
