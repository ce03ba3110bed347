//! What people do in WeCom: the methods of the store for it.

use super::{
    ActAlert, ActEnd, ActFilter, ActNews, ActRow, Acted, Card, Conversation, Escalation, Kept, NewAct, Silence, Store,
    StoreError, TargetRow, postgres, sqlite,
};
use std::time::Duration;

use crate::alert::{Identity, ThreadId, Timestamp};
use crate::config::Database;
use crate::names::LaneKey;

impl Store {
    /// Notes what somebody did, and does as much of it as the store can: whose alert it is from now on, and who is told.
    /// Each event once. At most [`ACT_ALERTS`](super::ACT_ALERTS) alerts are touched.
    pub async fn act(&self, act: NewAct, now: Timestamp) -> Result<Acted, StoreError> {
        match self {
            Self::Sqlite(db) => db.act(act, now).await,
            Self::Postgres(db) => db.act(act, now).await,
        }
    }

    /// Closes an act that is open, with the silence that was made and who is told of it. If it is open no more, nothing is
    /// written and `again` says so.
    pub async fn end_act(&self, end: ActEnd, now: Timestamp) -> Result<Acted, StoreError> {
        match self {
            Self::Sqlite(db) => db.end_act(end, now).await,
            Self::Postgres(db) => db.end_act(end, now).await,
        }
    }

    /// Queues the message about an act for a lane that was to be told by other means, if it has none yet and any of its
    /// alerts is still on. Returns whether it did.
    pub async fn tell_of_act(
        &self,
        act: i64,
        lane: TargetRow,
        receiver: String,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(db) => db.tell_of_act(act, lane, receiver, now).await,
            Self::Postgres(db) => db.tell_of_act(act, lane, receiver, now).await,
        }
    }

    /// Acts, newest first.
    pub async fn acts(&self, filter: ActFilter) -> Result<Vec<ActRow>, StoreError> {
        match self {
            Self::Sqlite(db) => db.acts(filter).await,
            Self::Postgres(db) => db.acts(filter).await,
        }
    }

    /// The alerts that an act touched, of each receiver, as they are now.
    pub async fn act_alerts(&self, act: i64) -> Result<Vec<ActAlert>, StoreError> {
        match self {
            Self::Sqlite(db) => db.act_alerts(act).await,
            Self::Postgres(db) => db.act_alerts(act).await,
        }
    }

    /// What a message about an act tells; `None` if it is about none.
    pub async fn act_news(&self, message: i64) -> Result<Option<ActNews>, StoreError> {
        match self {
            Self::Sqlite(db) => db.act_news(message).await,
            Self::Postgres(db) => db.act_news(message).await,
        }
    }

    /// The silences made from here that have not ended, or not longer than 75 minutes ago; those that end first come first.
    pub async fn silences(&self, now: Timestamp) -> Result<Vec<Silence>, StoreError> {
        match self {
            Self::Sqlite(db) => db.silences(now).await,
            Self::Postgres(db) => db.silences(now).await,
        }
    }

    /// Notes how often in a row the alerts of a silence were not seen upstream.
    pub async fn note_silence(&self, act: i64, absent: u32) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => db.note_silence(act, absent).await,
            Self::Postgres(db) => db.note_silence(act, absent).await,
        }
    }

    /// Notes that a silence ends at another time, and its id upstream, which may be another one since.
    pub async fn extend_silence(&self, act: i64, upstream_id: String, until: Timestamp) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => db.extend_silence(act, upstream_id, until).await,
            Self::Postgres(db) => db.extend_silence(act, upstream_id, until).await,
        }
    }

    /// The alerts with these identities that are on, as each receiver knows them.
    pub async fn told_firing(&self, identities: Vec<Identity>) -> Result<Vec<ActAlert>, StoreError> {
        match self {
            Self::Sqlite(db) => db.told_firing(identities).await,
            Self::Postgres(db) => db.told_firing(identities).await,
        }
    }

    /// The receivers that know an alert of this episode, on or over, by name.
    pub async fn receivers_of(&self, thread: ThreadId) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Sqlite(db) => db.receivers_of(thread).await,
            Self::Postgres(db) => db.receivers_of(thread).await,
        }
    }

    /// The alerts that are on, each once, whoever its receivers are: critical ones first, then the newest; and how many
    /// there are in all.
    pub async fn alerts_on(&self, limit: u32) -> Result<(Vec<ActAlert>, u64), StoreError> {
        match self {
            Self::Sqlite(db) => db.alerts_on(limit).await,
            Self::Postgres(db) => db.alerts_on(limit).await,
        }
    }

    /// The receivers that know an alert that is on, by name.
    pub async fn receivers_on(&self) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Sqlite(db) => db.receivers_on().await,
            Self::Postgres(db) => db.receivers_on().await,
        }
    }

    /// The same as [`Store::alerts_on`] of those alerts that one of `receivers` knows or that `owner` has (any case; empty
    /// for no owner).
    pub async fn alerts_on_of(
        &self,
        receivers: Vec<String>,
        owner: &str,
        limit: u32,
    ) -> Result<(Vec<ActAlert>, u64), StoreError> {
        let owner = owner.to_ascii_lowercase();
        match self {
            Self::Sqlite(db) => db.alerts_on_of(receivers, owner, limit).await,
            Self::Postgres(db) => db.alerts_on_of(receivers, owner, limit).await,
        }
    }

    /// The newest card of a lane before a message that tells of all alerts that the message tells of; with its code only if
    /// that was not used and WeCom gave it less than 71 h ago.
    pub async fn card(&self, lane: &LaneKey, message: i64, now: Timestamp) -> Result<Option<Card>, StoreError> {
        match self {
            Self::Sqlite(db) => db.card(lane, message, now).await,
            Self::Postgres(db) => db.card(lane, message, now).await,
        }
    }

    /// A message as a card, whether it has a code, all were used, or it never had one. `None`: there is no such message.
    pub async fn card_of(&self, message: i64) -> Result<Option<Card>, StoreError> {
        match self {
            Self::Sqlite(db) => db.card_of(message).await,
            Self::Postgres(db) => db.card_of(message).await,
        }
    }

    /// The escalations whose next step is due, or whose alert is over, those that are due longest first.
    pub async fn due_escalations(&self, now: Timestamp, limit: u32) -> Result<Vec<Escalation>, StoreError> {
        match self {
            Self::Sqlite(db) => db.due_escalations(now, limit).await,
            Self::Postgres(db) => db.due_escalations(now, limit).await,
        }
    }

    /// Notes that a step of an escalation was taken, and when the next one is due; `None`: when its alert is over. Returns
    /// false, and nothing is written, if it is not at `from_step`.
    pub async fn advance_escalation(
        &self,
        alert: i64,
        from_step: u32,
        next_due: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(db) => db.advance_escalation(alert, from_step, next_due).await,
            Self::Postgres(db) => db.advance_escalation(alert, from_step, next_due).await,
        }
    }

    /// Ends an escalation.
    pub async fn forget_escalation(&self, alert: i64) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => db.forget_escalation(alert).await,
            Self::Postgres(db) => db.forget_escalation(alert).await,
        }
    }

    /// A notification as it was kept.
    pub async fn notification(&self, id: i64) -> Result<Option<Kept>, StoreError> {
        match self {
            Self::Sqlite(db) => db.notification(id).await,
            Self::Postgres(db) => db.notification(id).await,
        }
    }

    /// Notes that somebody spoke in a conversation. What was heard earlier does not replace what was heard later.
    pub async fn learn(&self, conversation: Conversation) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => db.learn(conversation).await,
            Self::Postgres(db) => db.learn(conversation).await,
        }
    }

    /// The conversations of bots, by bot and chat.
    pub async fn conversations(&self) -> Result<Vec<Conversation>, StoreError> {
        match self {
            Self::Sqlite(db) => db.conversations().await,
            Self::Postgres(db) => db.conversations().await,
        }
    }

    /// Takes the socket of a bot for `holder` until `held` from now, or keeps it; false if another one has it. With
    /// SQLite there is nobody else.
    pub async fn hold_socket(&self, bot: &str, holder: &str, held: Duration) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(_) => Ok(true),
            Self::Postgres(db) => db.hold_socket(bot, holder, held).await,
        }
    }

    /// Gives the socket of a bot to whoever wants it, if `holder` has it.
    pub async fn leave_socket(&self, bot: &str, holder: &str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(db) => db.leave_socket(bot, holder).await,
        }
    }

    /// Who has the socket of a bot now: a process or a replica by its name; `None`: nobody. With SQLite it is whoever has
    /// the database.
    pub async fn socket_holder(database: &Database, bot: &str) -> Result<Option<String>, StoreError> {
        match database {
            Database::Sqlite(path) => sqlite::holder(path.clone()).await,
            Database::Postgres { url } => postgres::Db::open_reading(url).await?.socket_holder(bot).await,
        }
    }
}
