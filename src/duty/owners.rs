//! The owners of an alert: from its labels, through the directory, to people.

use std::collections::BTreeMap;

use super::Rotas;
use crate::alert::{Labels, Timestamp};

/// Owners that one message mentions at most: with more, readers no longer feel addressed, and each takes bytes of the message.
pub const MOST_MENTIONS: usize = 10;
/// Longest value of a label that may be a person (docs/reference/wecom.md#userids: a userid has at most 64 bytes).
const PERSON_BYTES: usize = 64;

/// The people that label values stand for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory {
    /// By name and value of a label: userids, or `on_call:NAME`.
    pub owners: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    /// Name of the app that asks WeCom about values that are not listed here; `None`: WeCom is not asked.
    pub app: Option<String>,
}

/// A possible owner of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Owner {
    /// A userid that the operator listed.
    Known(String),
    /// The value of a label: perhaps a member's userid, mail address or mobile number. It is untrusted and must be
    /// confirmed before anyone is mentioned.
    Unproven(String),
}

/// The owners that `labels` name: a list for each label of `mention_from` that has any, in that order. The first list
/// with a confirmed owner is the one to mention.
///
/// A value stands for the people of its entry in the directory; a value without an entry is split at commas, semicolons
/// and spaces, and each part is looked up again. What then has no entry is [`Owner::Unproven`].
pub fn owners(
    labels: &Labels,
    mention_from: &[String],
    directory: &Directory,
    now: Timestamp,
    rotas: &Rotas,
) -> Vec<Vec<Owner>> {
    let mut lists = Vec::new();
    for name in mention_from {
        let Some(value) = labels.get(name).map(|value| value.trim()).filter(|value| !value.is_empty()) else {
            continue;
        };
        let entries = directory.owners.get(name);
        let written = |text: &str| entries.and_then(|entries| entries.get(text));
        let mut list: Vec<Owner> = Vec::new();
        let mut add = |owner: Owner| {
            if list.len() < MOST_MENTIONS && !list.contains(&owner) {
                list.push(owner);
            }
        };
        let whole = [value];
        let parts: Vec<&str> =
            if written(value).is_some() { whole.to_vec() } else { value.split(between).map(str::trim).collect() };
        for part in parts.into_iter().filter(|part| !part.is_empty()) {
            match written(part) {
                Some(people) => rotas.resolve(people, now).into_iter().for_each(|person| add(Owner::Known(person))),
                None if part.len() <= PERSON_BYTES => add(Owner::Unproven(part.to_owned())),
                None => {}
            }
        }
        if !list.is_empty() {
            lists.push(list);
        }
    }
    lists
}

/// Separators between several people in one value.
fn between(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, ',' | ';' | '，' | '；' | '、')
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time};
    use jiff::tz::TimeZone;

    use super::super::Rota;
    use super::*;

    fn known(user: &str) -> Owner {
        Owner::Known(user.to_owned())
    }

    fn unproven(text: &str) -> Owner {
        Owner::Unproven(text.to_owned())
    }

    fn told(labels: &[(&str, &str)]) -> Vec<Vec<Owner>> {
        let list = |people: &[&str]| people.iter().map(|&person| person.to_owned()).collect::<Vec<_>>();
        let team = BTreeMap::from([
            ("db".to_owned(), list(&["zhangsan", "on_call:dba"])),
            ("on call, all".to_owned(), list(&["lisi"])),
            ("gone".to_owned(), list(&["on_call:gone"])),
        ]);
        let owner = BTreeMap::from([("alice@corp.example".to_owned(), list(&["alice"]))]);
        let owners = BTreeMap::from([("team".to_owned(), team), ("owner".to_owned(), owner)]);
        let rota = Rota::new(TimeZone::UTC, time(9, 0, 0, 0), 7, date(2026, 1, 1), vec![vec!["wangwu".to_owned()]]);
        let rotas = Rotas([("dba".to_owned(), rota)].into());
        let labels = labels.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let directory = Directory { owners, app: None };
        super::owners(&labels, &["owner".to_owned(), "team".to_owned()], &directory, Timestamp(0), &rotas)
    }

    #[test]
    fn labels_lead_to_people_through_the_directory_in_the_order_asked_for() {
        for (labels, expected) in [
            (&[][..], vec![]),
            (&[("instance", "zhangsan")], vec![]),
            (&[("team", "db")], vec![vec![known("zhangsan"), known("wangwu")]]),
            (&[("team", " db ")], vec![vec![known("zhangsan"), known("wangwu")]]),
            (
                &[("team", "db"), ("owner", "alice@corp.example")],
                vec![vec![known("alice")], vec![known("zhangsan"), known("wangwu")]],
            ),
            (
                &[("team", "db"), ("owner", "bob")],
                vec![vec![unproven("bob")], vec![known("zhangsan"), known("wangwu")]],
            ),
            // A whole value comes before its parts.
            (&[("team", "on call, all")], vec![vec![known("lisi")]]),
            (
                &[("owner", "bob, alice@corp.example；bob 13800000000")],
                vec![vec![unproven("bob"), known("alice"), unproven("13800000000")]],
            ),
            // A value that is listed for another label only.
            (&[("owner", "db")], vec![vec![unproven("db")]]),
            (&[("team", "gone")], vec![]),
            (&[("owner", " , ")], vec![]),
        ] {
            assert_eq!(told(labels), expected, "{labels:?}");
        }
    }

    #[test]
    fn values_that_are_too_long_or_too_many_are_left_out() {
        assert_eq!(told(&[("owner", &"x".repeat(65))]), Vec::<Vec<Owner>>::new());
        let many: Vec<String> = (0..50).map(|n| format!("user{n}")).collect();
        assert_eq!(told(&[("owner", &many.join(","))])[0].len(), MOST_MENTIONS);
    }
}
