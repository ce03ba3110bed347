//! Acts of people in WeCom: the store's methods for them.

use super::{
    ActAlert, ActEnd, ActFilter, ActNews, ActRow, Acted, Card, Conversation, Escalation, Kept, NewAct, Silence, Store,
    StoreError, TargetRow, postgres, sqlite,
};
use std::time::Duration;

use crate::alert::{Identity, ThreadId, Timestamp};
use crate::config::Database;
use crate::names::LaneKey;

impl Store {
    /// Records an act and does the part of it that the store can do: the acknowledgement, and the messages about it.
    /// Idempotent for each event. At most [`ACT_ALERTS`](super::ACT_ALERTS) alerts are touched; the answer tells how
    /// many more there are.
    pub async fn act(&self, act: NewAct, now: Timestamp) -> Result<Acted, StoreError> {
        let acted = match self {
            Self::Sqlite(db) => db.act(act, now).await,
            Self::Postgres(db) => db.act(act, now).await,
        }?;
        self.wake_if(!acted.lanes.is_empty());
        Ok(acted)
    }

    /// Closes an open act, with the silence that was made and the receivers that are told of it. If the act is no
    /// longer open, nothing is written and `again` is set.
    pub async fn end_act(&self, end: ActEnd, now: Timestamp) -> Result<Acted, StoreError> {
        let acted = match self {
            Self::Sqlite(db) => db.end_act(end, now).await,
            Self::Postgres(db) => db.end_act(end, now).await,
        }?;
        self.wake_if(!acted.lanes.is_empty());
        Ok(acted)
    }

    /// Queues the message about an act for a lane that was to be told by other means, if the lane has none yet and one
    /// of its alerts is still firing. Returns whether it did.
    pub async fn tell_of_act(
        &self,
        act: i64,
        lane: TargetRow,
        receiver: String,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let queued = match self {
            Self::Sqlite(db) => db.tell_of_act(act, lane, receiver, now).await,
            Self::Postgres(db) => db.tell_of_act(act, lane, receiver, now).await,
        }?;
        self.wake_if(queued);
        Ok(queued)
    }

    /// Acts, newest first.
    pub async fn acts(&self, filter: ActFilter) -> Result<Vec<ActRow>, StoreError> {
        match self {
            Self::Sqlite(db) => db.acts(filter).await,
            Self::Postgres(db) => db.acts(filter).await,
        }
    }

    /// The alerts that an act touched, for each receiver, as they are now.
    pub async fn act_alerts(&self, act: i64) -> Result<Vec<ActAlert>, StoreError> {
        match self {
            Self::Sqlite(db) => db.act_alerts(act).await,
            Self::Postgres(db) => db.act_alerts(act).await,
        }
    }

    /// The content of a message about an act; `None` if the message is about no act.
    pub async fn act_news(&self, message: i64) -> Result<Option<ActNews>, StoreError> {
        match self {
            Self::Sqlite(db) => db.act_news(message).await,
            Self::Postgres(db) => db.act_news(message).await,
        }
    }

    /// The silences made through wegraf that have not ended, or ended at most 75 minutes ago; those that end first come
    /// first.
    pub async fn silences(&self, now: Timestamp) -> Result<Vec<Silence>, StoreError> {
        match self {
            Self::Sqlite(db) => db.silences(now).await,
            Self::Postgres(db) => db.silences(now).await,
        }
    }

    /// Records for how many consecutive checks the alerts of a silence were not seen upstream.
    pub async fn note_silence(&self, act: i64, absent: u32) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => db.note_silence(act, absent).await,
            Self::Postgres(db) => db.note_silence(act, absent).await,
        }
    }

    /// Records a new end of a silence, and its id upstream, which may have changed.
    pub async fn extend_silence(&self, act: i64, upstream_id: String, until: Timestamp) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => db.extend_silence(act, upstream_id, until).await,
            Self::Postgres(db) => db.extend_silence(act, upstream_id, until).await,
        }
    }

    /// Records that a silence is over since `at`, unless another one took its place meanwhile: the record has another id.
    pub async fn end_silence(&self, act: i64, upstream_id: String, at: Timestamp) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => db.end_silence(act, upstream_id, at).await,
            Self::Postgres(db) => db.end_silence(act, upstream_id, at).await,
        }
    }

    /// The firing alerts with these identities, for each receiver.
    pub async fn told_firing(&self, identities: Vec<Identity>) -> Result<Vec<ActAlert>, StoreError> {
        match self {
            Self::Sqlite(db) => db.told_firing(identities).await,
            Self::Postgres(db) => db.told_firing(identities).await,
        }
    }

    /// The receivers that know an alert of this episode, firing or resolved, by name.
    pub async fn receivers_of(&self, thread: ThreadId) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Sqlite(db) => db.receivers_of(thread).await,
            Self::Postgres(db) => db.receivers_of(thread).await,
        }
    }

    /// Has `person` (any case) acknowledged a firing alert of this episode?
    pub async fn has(&self, person: &str, thread: ThreadId) -> Result<bool, StoreError> {
        let person = person.to_ascii_lowercase();
        match self {
            Self::Sqlite(db) => db.has(person, thread).await,
            Self::Postgres(db) => db.has(person, thread).await,
        }
    }

    /// The receivers that know a firing alert, by name.
    pub async fn receivers_on(&self) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Sqlite(db) => db.receivers_on().await,
            Self::Postgres(db) => db.receivers_on().await,
        }
    }

    /// The newest card of a lane before `message` that covers all alerts of `message`; with its code only if that is
    /// unused and WeCom gave it less than 71 h ago.
    pub async fn card(&self, lane: &LaneKey, message: i64, now: Timestamp) -> Result<Option<Card>, StoreError> {
        match self {
            Self::Sqlite(db) => db.card(lane, message, now).await,
            Self::Postgres(db) => db.card(lane, message, now).await,
        }
    }

    /// A message as a card, whether it has a code, all were used, or it never had one. `None`: there is no such
    /// message.
    pub async fn card_of(&self, message: i64) -> Result<Option<Card>, StoreError> {
        match self {
            Self::Sqlite(db) => db.card_of(message).await,
            Self::Postgres(db) => db.card_of(message).await,
        }
    }

    /// The escalations whose next step is due, or whose alert is resolved; those due longest come first.
    pub async fn due_escalations(&self, now: Timestamp, limit: u32) -> Result<Vec<Escalation>, StoreError> {
        match self {
            Self::Sqlite(db) => db.due_escalations(now, limit).await,
            Self::Postgres(db) => db.due_escalations(now, limit).await,
        }
    }

    /// Records that a step of an escalation was taken, and when the next one is due; `None`: only once its alert is
    /// resolved. Returns false, and nothing is written, if it is not at `from_step`.
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

    /// Deletes an escalation.
    pub async fn forget_escalation(&self, alert: i64) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => db.forget_escalation(alert).await,
            Self::Postgres(db) => db.forget_escalation(alert).await,
        }
    }

    /// A stored notification.
    pub async fn notification(&self, id: i64) -> Result<Option<Kept>, StoreError> {
        match self {
            Self::Sqlite(db) => db.notification(id).await,
            Self::Postgres(db) => db.notification(id).await,
        }
    }

    /// Records that a user wrote in a conversation. An older time does not replace a newer one.
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

    /// Leases the socket of a bot to `holder` for `held` from now, or renews that lease; false if another process holds
    /// it. Always true with SQLite.
    pub async fn hold_socket(&self, bot: &str, holder: &str, held: Duration) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(_) => Ok(true),
            Self::Postgres(db) => db.hold_socket(bot, holder, held).await,
        }
    }

    /// Releases the socket of a bot, if `holder` holds it.
    pub async fn leave_socket(&self, bot: &str, holder: &str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(db) => db.leave_socket(bot, holder).await,
        }
    }

    /// The holder of a bot's socket, by the name of a process or a replica; `None`: it is free. With SQLite it is the
    /// process that holds the database.
    pub async fn socket_holder(database: &Database, bot: &str) -> Result<Option<String>, StoreError> {
        match database {
            Database::Sqlite(path) => sqlite::holder(path.clone()).await,
            Database::Postgres { url } => postgres::Db::open_reading(url).await?.socket_holder(bot).await,
        }
    }
}
