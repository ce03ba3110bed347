//! What fires now, as people read it: each alert once, critical ones first, then the newest. In a storm tens of thousands
//! fire, so a list examines the first few thousand rows of an index, and what is beyond is counted as "more".

use std::collections::HashSet;
use std::fmt;

use super::lists::{Dialect, Given, Statement, json};
use super::{ActAlert, Store, StoreError};
use crate::alert::Identity;

/// Rows that are examined for a list and its count; an alert has a row for each receiver that knows it. Few in tests, so
/// that small stores have more of them.
const EXAMINED: usize = if cfg!(test) { 8 } else { 2_000 };

/// Of the firing alerts, those that one person or one group may see.
#[derive(Debug, Clone, Default)]
pub struct OnFilter {
    /// Known to one of these receivers; `None`: to any.
    pub receivers: Option<Vec<String>>,
    /// Or acknowledged by this userid (any case); empty: no owner is looked for.
    pub owner: String,
    /// Only acknowledged ones.
    pub acknowledged: bool,
    /// At most so many.
    pub limit: usize,
}

/// How many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    pub number: u64,
    /// There are more, which were not counted.
    pub more: bool,
}

impl Counted {
    /// As many as these.
    pub fn all(number: usize) -> Self {
        Self { number: number as u64, more: false }
    }

    /// What is left of them beside `shown`.
    pub fn beyond(self, shown: usize) -> Self {
        Self { number: self.number.saturating_sub(shown as u64), ..self }
    }

    pub fn is_zero(self) -> bool {
        self.number == 0 && !self.more
    }
}

/// `12`, or `2000+` where there are more.
impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.number, if self.more { "+" } else { "" })
    }
}

/// A row of an index: what decides its place, and what makes two rows one alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Head {
    pub critical: bool,
    pub thread: i64,
    pub id: i64,
    pub identity: Identity,
}

/// The columns of a [`Head`], and the order in which people read.
const HEAD: &str = "SELECT a.critical, a.thread, a.id, a.identity FROM alert a";
pub(super) const ORDER: &str = "ORDER BY a.critical DESC, a.thread DESC, a.id DESC";

/// The statements whose rows together are the first ones of the list.
pub(super) fn heads(filter: &OnFilter, dialect: &Dialect) -> Vec<Statement> {
    let list = |acknowledged: bool| {
        let hint = if acknowledged { dialect.held } else { dialect.firing };
        let mut list = Statement::new(&format!("{HEAD}{hint}"));
        list.and("a.status = 'firing'", []);
        if acknowledged {
            list.and("a.acknowledged_at IS NOT NULL", []);
        }
        list
    };
    let mut known = list(filter.acknowledged);
    let Some(receivers) = &filter.receivers else { return vec![first(known)] };
    known.and(&format!("a.receiver {}", dialect.among), [json(receivers)]);
    let mut lists = vec![first(known)];
    if !filter.owner.is_empty() {
        let mut own = list(true);
        own.and("lower(a.acknowledged_by) = ?", [Given::words(&filter.owner.to_ascii_lowercase())]);
        lists.push(first(own));
    }
    lists
}

/// One more than are examined shows that there are more.
fn first(mut list: Statement) -> Statement {
    let limit = i64::try_from(EXAMINED + 1).unwrap_or(i64::MAX);
    list.end(&format!(" {ORDER} LIMIT ?"), [Given::Number(limit)]);
    list
}

/// Puts the rows of these statements together: the ids of the first `limit` alerts, and how many alerts there are.
pub(super) fn once(lists: Vec<Vec<Head>>, limit: usize) -> (Vec<i64>, Counted) {
    let more = lists.iter().any(|list| list.len() > EXAMINED);
    let mut heads: Vec<Head> = lists.into_iter().flat_map(|list| list.into_iter().take(EXAMINED)).collect();
    heads.sort_unstable_by(|a, b| b.cmp(a));
    let mut seen = HashSet::new();
    heads.retain(|head| seen.insert(head.identity));
    let counted = Counted { number: heads.len() as u64, more };
    (heads.iter().take(limit).map(|head| head.id).collect(), counted)
}

impl Store {
    /// The firing alerts that a person or a group may see, each once, however many receivers know it: critical ones first,
    /// then the newest; and how many there are.
    pub async fn alerts_on(&self, filter: OnFilter) -> Result<(Vec<ActAlert>, Counted), StoreError> {
        match self {
            Self::Sqlite(db) => db.alerts_on(filter).await,
            Self::Postgres(db) => db.alerts_on(filter).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(critical: bool, thread: i64, id: i64, name: u8) -> Head {
        Head { critical, thread, id, identity: Identity([name; 32]) }
    }

    #[test]
    fn an_alert_that_two_receivers_know_is_listed_once_in_the_order_of_reading() {
        let known = vec![head(true, 1, 3, 1), head(false, 2, 5, 2), head(false, 2, 4, 2)];
        let own = vec![head(true, 9, 9, 3), head(false, 2, 4, 2)];
        assert_eq!(once(vec![known.clone(), own.clone()], 9), (vec![9, 3, 5], Counted::all(3)));
        assert_eq!(once(vec![known, own], 1), (vec![9], Counted::all(3)));
    }

    #[test]
    fn what_is_beyond_the_examined_rows_is_more() {
        let heads = |count: u8| (1..=count).rev().map(|at| head(false, at.into(), at.into(), at)).collect();
        let examined = u8::try_from(EXAMINED).unwrap();
        assert_eq!(once(vec![heads(examined)], 1).1, Counted::all(EXAMINED));
        let counted = once(vec![heads(examined + 1)], 1).1;
        assert_eq!(counted, Counted { number: EXAMINED as u64, more: true });
        assert_eq!(counted.beyond(1).to_string(), "7+");
    }
}
