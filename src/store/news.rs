//! What is new in the record since a reader last looked: numbers of rows, by small steps through indexes.
//!
//! Transitions, messages and acts are read behind the last number: in both halves numbers are in the order of commits
//! (`ARCHITECTURE.md`). Settled messages are read by the time of their settlement, which is given before the commit, so
//! that a reader must look back over [`OVERLAP_MS`] and skip what it knows.

use super::lists::{Given, Statement};
use super::{Store, StoreError};
use crate::alert::{ThreadId, Timestamp};

/// How long after its time a settlement may be committed and still be found.
pub const OVERLAP_MS: i64 = 10_000;

/// How far a reader has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reached {
    /// The last transition.
    pub transition: i64,
    /// The last message that was queued.
    pub message: i64,
    /// The last act.
    pub act: i64,
}

/// What was added behind [`Reached`], in the order of commits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct News {
    /// Transitions, with the episodes of their alerts.
    pub transitions: Vec<(i64, ThreadId)>,
    /// Messages that were queued.
    pub messages: Vec<i64>,
    /// Acts.
    pub acts: Vec<i64>,
}

impl Store {
    /// At most `limit` of each kind behind `reached`. O(rows returned).
    pub async fn news(&self, reached: Reached, limit: u32) -> Result<News, StoreError> {
        let behind = |select: &str, id: &str, last: i64| {
            let mut list = Statement::new(select);
            list.and(&format!("{id} > ?"), [Given::Number(last)]);
            list.end(&format!(" ORDER BY {id} LIMIT ?"), [Given::Number(limit.into())]);
            list
        };
        let transitions = "SELECT t.id, a.thread FROM transition t JOIN alert a ON a.id = t.alert_id";
        let transitions = behind(transitions, "t.id", reached.transition);
        let messages = behind("SELECT m.id, m.id FROM message m", "m.id", reached.message);
        let acts = behind("SELECT c.id, c.id FROM act c", "c.id", reached.act);
        let ids = |rows: Vec<(i64, i64)>| rows.into_iter().map(|(id, _)| id).collect();
        Ok(News {
            transitions: self.pairs(transitions).await?.into_iter().map(|(id, of)| (id, ThreadId(of))).collect(),
            messages: ids(self.pairs(messages).await?),
            acts: ids(self.pairs(acts).await?),
        })
    }

    /// Messages that were settled behind this time and number, in that order; at most `limit`. O(rows returned).
    pub async fn settled(&self, behind: (Timestamp, i64), limit: u32) -> Result<Vec<(Timestamp, i64)>, StoreError> {
        let mut list = Statement::new("SELECT m.settled_at, m.id FROM message m");
        let (at, id) = (Given::Number(behind.0.0), Given::Number(behind.1));
        list.and("m.settled_at IS NOT NULL AND m.settled_at >= ?", [at.clone()]);
        list.and("(m.settled_at > ? OR m.id > ?)", [at, id]);
        list.end(" ORDER BY m.settled_at, m.id LIMIT ?", [Given::Number(limit.into())]);
        Ok(self.pairs(list).await?.into_iter().map(|(at, id)| (Timestamp(at), id)).collect())
    }

    async fn pairs(&self, list: Statement) -> Result<Vec<(i64, i64)>, StoreError> {
        match self {
            Self::Sqlite(db) => db.pairs(list).await,
            Self::Postgres(db) => db.pairs(list).await,
        }
    }
}
