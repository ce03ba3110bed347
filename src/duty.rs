//! People on duty, owners of alerts, and authorisation: rotas, the directory of owners, rights. Pure.
//!
//! The time is passed in, and values that only WeCom knows are returned as [`Owner::Unproven`], which
//! `deliver/owners.rs` looks up.

mod owners;
mod rota;

use std::collections::BTreeMap;

pub use owners::{Directory, MOST_MENTIONS, Owner, owners};
pub use rota::{Holiday, OnCall, Rota, Substitute, Why};

use crate::alert::Timestamp;

/// Prefix of the name of a rota in a list of people.
pub const ON_CALL: &str = "on_call:";
/// Suffix of the name of a rota that selects its second line.
const BACKUP: &str = "/backup";

/// Rotas by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rotas(pub BTreeMap<String, Rota>);

impl Rotas {
    /// The people on duty at `now` in the rota called `duty`, or in its second line (`NAME/backup`). `None` if there is
    /// no such rota or line.
    pub fn people(&self, duty: &str, now: Timestamp) -> Option<Vec<String>> {
        let (name, backup) = split(duty);
        let on_call = self.0.get(name)?.on_call(now);
        if backup { (!on_call.backup.is_empty()).then_some(on_call.backup) } else { Some(on_call.people) }
    }

    /// `list` with each `on_call:NAME` replaced by the people on duty at `now`, without duplicates (userids are
    /// compared without regard to case, docs/reference/wecom.md#userids). Unknown rotas are left out.
    pub fn resolve(&self, list: &[String], now: Timestamp) -> Vec<String> {
        let mut people: Vec<String> = Vec::new();
        for entry in list {
            let found = match entry.strip_prefix(ON_CALL) {
                Some(duty) => self.people(duty, now).unwrap_or_default(),
                None => vec![entry.clone()],
            };
            for person in found {
                if !holds(&people, &person) {
                    people.push(person);
                }
            }
        }
        people
    }
}

/// The name of a rota, and whether its second line is selected.
pub fn split(duty: &str) -> (&str, bool) {
    duty.strip_suffix(BACKUP).map_or((duty, false), |name| (name, true))
}

/// Is `person` among `people`? The case of letters does not matter.
pub fn holds(people: &[String], person: &str) -> bool {
    people.iter().any(|known| known.eq_ignore_ascii_case(person))
}

/// The people authorised to act on a message, if the configuration restricts it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MayAct {
    /// Every reader of the message.
    pub anyone: bool,
    /// These people.
    pub users: Vec<String>,
    /// The people on duty in these rotas (`NAME`, or `NAME/backup`).
    pub on_call: Vec<String>,
}

impl MayAct {
    /// Is `userid` authorised at `now`? Case does not matter; a rota that is not among `rotas` has no people.
    pub fn allows(&self, userid: &str, now: Timestamp, rotas: &Rotas) -> bool {
        let on_duty = |duty: &String| rotas.people(duty, now).is_some_and(|people| holds(&people, userid));
        self.anyone || holds(&self.users, userid) || self.on_call.iter().any(on_duty)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time};
    use jiff::tz::TimeZone;

    use super::*;

    /// `zhangsan` and `lisi` in turns, a day each from 2026-01-01 09:00 UTC; `wangwu` as the second line.
    fn rotas() -> Rotas {
        let people = [vec!["zhangsan".to_owned()], vec!["lisi".to_owned()]].into();
        let rota = Rota {
            backup: vec![vec!["wangwu".to_owned()]],
            ..Rota::new(TimeZone::UTC, time(9, 0, 0, 0), 1, date(2026, 1, 1), people)
        };
        Rotas([("dba".to_owned(), rota)].into())
    }

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    fn a_rota_in_a_list_is_replaced_by_its_people_without_duplicates() {
        let list = ["Lisi", "on_call:dba", "on_call:dba/backup", "on_call:gone", "@all"].map(str::to_owned);
        assert_eq!(rotas().resolve(&list, at("2026-01-01T10:00:00Z")), ["Lisi", "zhangsan", "wangwu", "@all"]);
        assert_eq!(rotas().resolve(&list, at("2026-01-02T10:00:00Z")), ["Lisi", "wangwu", "@all"]);
        assert_eq!(rotas().people("web", at("2026-01-01T10:00:00Z")), None);
    }

    #[test]
    fn only_named_people_and_those_on_duty_may_act() {
        let (first, second) = (at("2026-01-01T10:00:00Z"), at("2026-01-02T10:00:00Z"));
        let named = MayAct { users: vec!["ZhaoLiu".to_owned()], on_call: vec!["dba".to_owned()], anyone: false };
        for (user, now, may) in [
            ("zhaoliu", first, true),
            ("ZhangSan", first, true),
            ("zhangsan", second, false),
            ("lisi", second, true),
            ("wangwu", first, false),
            ("", first, false),
        ] {
            assert_eq!(named.allows(user, now, &rotas()), may, "{user} {now:?}");
        }
        let behind = MayAct { on_call: vec!["dba/backup".to_owned(), "gone".to_owned()], ..MayAct::default() };
        assert!(behind.allows("wangwu", first, &rotas()));
        assert!(!behind.allows("zhangsan", first, &rotas()));
        assert!(MayAct { anyone: true, ..MayAct::default() }.allows("anybody", first, &rotas()));
        assert!(!MayAct::default().allows("anybody", first, &rotas()));
    }
}
