//! The store: what was accepted, what people know, what must still be sent, and what became of it.
//!
//! Each method is one transaction and says what it guarantees. Nothing outside knows SQL; nothing in here knows
//! routes, templates or WeCom: targets, request bodies and outcomes are texts to it. Whoever prepares a write
//! prepares it whole, JSON included, because all writes of a process share one thread.
//!
//! Second half, later: `PostgreSQL`, behind the same methods and the same contract tests.

mod error;
mod migrate;
mod record;
mod sqlite;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::alert::{Format, Identity, Status, ThreadId, Timestamp, TransitionKind};
use crate::config::Database;

pub use error::StoreError;
pub use record::{
    AttemptRow, Audit, Backlog, Contents, Delivery, DeliveryFilter, DeliveryRow, FrozenPart, TransitionRow,
};
pub use sqlite::Counters;

/// No message waits longer than this for its next try: a later time in the store means that the wall clock was set
/// back since, and counts as now.
pub const LONGEST_WAIT_MS: i64 = 2 * 60 * 60 * 1000;

/// Where everything is kept. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Store {
    /// A file of this one process.
    Sqlite(sqlite::Db),
}

impl Store {
    /// Opens the database, creates it if there is no file, and brings its schema up to date. A file that is not a
    /// sound database of ours is refused and left as it is; so is one that another process has.
    pub async fn open(database: &Database, now: Timestamp) -> Result<Self, StoreError> {
        match database {
            Database::Sqlite(path) => sqlite::Db::open(path.clone(), now).await.map(Self::Sqlite),
        }
    }

    /// Opens an existing database for reading only, beside the process that has it: for commands that look.
    pub async fn open_reading(database: &Database) -> Result<Self, StoreError> {
        match database {
            Database::Sqlite(path) => sqlite::Db::open_reading(path.clone()).await.map(Self::Sqlite),
        }
    }

    /// Makes a notification durable: decides what is news for each delivery and writes the notification, the new
    /// states, the transitions and their messages. Returns when all of it would survive a power cut. A notification
    /// without news leaves no trace.
    pub async fn admit(&self, admission: Admission) -> Result<Admitted, StoreError> {
        match self {
            Self::Sqlite(db) => db.admit(admission).await,
        }
    }

    /// The head of every lane that has something to send, by name of the lane. Costs what there are lanes,
    /// however much waits in them or was ever sent.
    pub async fn lanes(&self, now: Timestamp) -> Result<Vec<LaneHead>, StoreError> {
        match self {
            Self::Sqlite(db) => db.lanes(now).await,
        }
    }

    /// The oldest live message of a lane with all that is needed to render or resend it; `None` if there is none, it
    /// is not yet due, or it is being sent. Within a lane this is strictly the order of admission.
    pub async fn head(&self, lane: &str, now: Timestamp) -> Result<Option<Queued>, StoreError> {
        match self {
            Self::Sqlite(db) => db.head(lane, now).await,
        }
    }

    /// Takes the head of a lane for one attempt at its next part. Once this returns, the attempt and the exact bytes
    /// are on disk: the first byte may go out. [`StoreError::Lost`] if the message moved since `head`, or is not the
    /// head of its lane.
    pub async fn claim(&self, claim: Claim, now: Timestamp) -> Result<Claimed, StoreError> {
        match self {
            Self::Sqlite(db) => db.claim(claim, now).await,
        }
    }

    /// Records what became of a claimed attempt and what follows. When the message is settled its transitions get
    /// their fate in the same transaction. [`StoreError::Lost`], and nothing is written, if the claim is no longer
    /// the newest. Returns the state of the message.
    pub async fn settle(&self, settlement: Settlement, now: Timestamp) -> Result<State, StoreError> {
        match self {
            Self::Sqlite(db) => db.settle(settlement, now).await,
        }
    }

    /// Puts a message off that cannot be claimed because something is missing from the configuration; `reason` is for
    /// the operator. Nothing happens if the message moved since `head`.
    pub async fn postpone(&self, message: i64, epoch: i64, until: Timestamp, reason: &str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => db.postpone(message, epoch, until, reason).await,
        }
    }

    /// At start: what was being sent when the last process ended is unsure now, and due. Returns how many.
    pub async fn recover(&self) -> Result<usize, StoreError> {
        match self {
            Self::Sqlite(db) => db.recover().await,
        }
    }

    /// The newest access token of an app.
    pub async fn token(&self, app: &str) -> Result<Option<Token>, StoreError> {
        match self {
            Self::Sqlite(db) => db.token(app).await,
        }
    }

    /// Keeps a new access token if the one in the store is still the one it replaces (`replaces`: its version, 0 if
    /// there was none). Returns what is in the store afterwards, so that a loser takes over the winner's.
    pub async fn save_token(
        &self,
        app: &str,
        token: SecretString,
        expires_at: Timestamp,
        replaces: i64,
    ) -> Result<Token, StoreError> {
        match self {
            Self::Sqlite(db) => db.save_token(app, token, expires_at, replaces).await,
        }
    }

    /// Messages, newest first.
    pub async fn deliveries(&self, filter: DeliveryFilter) -> Result<Vec<DeliveryRow>, StoreError> {
        match self {
            Self::Sqlite(db) => db.deliveries(filter).await,
        }
    }

    /// Everything known about one message.
    pub async fn delivery(&self, message: i64) -> Result<Option<Delivery>, StoreError> {
        match self {
            Self::Sqlite(db) => db.delivery(message).await,
        }
    }

    /// What a message tells, live or settled, with the notification it is about.
    pub async fn contents(&self, message: i64) -> Result<Option<Contents>, StoreError> {
        match self {
            Self::Sqlite(db) => db.contents(message).await,
        }
    }

    /// How much is live, and since when. Costs what is live, not what was ever sent.
    pub async fn backlog(&self) -> Result<Backlog, StoreError> {
        match self {
            Self::Sqlite(db) => db.backlog().await,
        }
    }

    /// 32 random bytes that are made once and stay: they sign links.
    pub async fn link_key(&self) -> Result<Vec<u8>, StoreError> {
        match self {
            Self::Sqlite(db) => db.link_key().await,
        }
    }

    /// Counts transitions by fate, and those whose fate contradicts their message (0 expected). Reads every
    /// transition: for every few minutes, not for every request.
    pub async fn audit(&self) -> Result<Audit, StoreError> {
        match self {
            Self::Sqlite(db) => db.audit().await,
        }
    }

    /// Proves that a commit reaches the disk now.
    pub async fn ping(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => db.ping().await,
        }
    }

    /// How much the store has done and what waits.
    pub fn counters(&self) -> Counters {
        match self {
            Self::Sqlite(db) => db.counters(),
        }
    }

    /// Ends reads and writes, moves everything into the main file and gives the database free. Later calls on any
    /// clone get [`StoreError::Closed`].
    pub async fn close(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => db.close().await,
        }
    }
}

/// A notification, read and routed, on its way into the store.
#[derive(Debug, Clone)]
pub struct Admission {
    /// Name of the configured source.
    pub source: String,
    /// What the body was recognised as.
    pub format: Format,
    /// The request's `Content-Type`, to read the body again.
    pub content_type: Option<String>,
    /// The receiver in the request's path.
    pub path_receiver: Option<String>,
    /// Which of the source's peers sent it (its external URL); empty if it does not say. Tells a lagging twin from a
    /// repetition.
    pub sender: String,
    /// The sender's name of the group.
    pub group_key: String,
    /// When the request came.
    pub received_at: Timestamp,
    /// The body as it came.
    pub raw: Bytes,
    /// The call resends state (`/api/v2/alerts`) instead of telling news.
    pub push: bool,
    /// Always news: the "Test" button, a body without state.
    pub test: bool,
    /// Who gets what.
    pub deliveries: Vec<Recipient>,
}

/// The alerts of a notification that one receiver gets.
#[derive(Debug, Clone)]
pub struct Recipient {
    /// Name of the receiver.
    pub receiver: String,
    /// Tell that an alert is over.
    pub send_resolved: bool,
    /// An unchanged repeat is told if the last message is at least this old.
    pub repeat_interval_ms: i64,
    /// The alerts that the route gives it.
    pub alerts: Vec<Arrival>,
    /// Where its messages go.
    pub targets: Vec<TargetRow>,
}

/// One alert as a notification reports it.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Its place in the notification's list, where rendering finds it again.
    pub index: u32,
    /// Who it is.
    pub identity: Identity,
    /// The rule's name.
    pub name: String,
    /// Its labels, as JSON.
    pub labels_json: String,
    /// Is it to be told before everything else?
    pub critical: bool,
    /// On or over.
    pub status: Status,
    /// When it began.
    pub starts_at: Option<Timestamp>,
    /// When it ended.
    pub ends_at: Option<Timestamp>,
}

/// A target as the store keeps it.
#[derive(Debug, Clone)]
pub struct TargetRow {
    /// Name of its lane.
    pub lane: String,
    /// The target, as JSON.
    pub target_json: String,
}

/// What became of an admission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The notification; if it brought nothing new, the one that told what it repeats. 0 if it repeats the end of
    /// something that was never told.
    pub id: i64,
    /// Nothing in it was new.
    pub duplicate: bool,
    /// Transitions written, one for each alert and lane.
    pub transitions: usize,
    /// Messages queued.
    pub messages: usize,
    /// Reports that changed nothing.
    pub unchanged: usize,
    /// Reports of an episode that is over.
    pub stale: usize,
    /// The lanes that got a message, to wake them.
    pub lanes: Vec<String>,
}

/// Where a message is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits, certainly not accepted by WeCom so far (its earlier parts may be).
    Queued,
    /// Claimed; an answer is awaited.
    Sending,
    /// Waits; whether WeCom accepted the last attempt is unknown.
    Unsure,
    /// Accepted whole. Final.
    Sent,
    /// Refused for good. Final.
    Dead,
}

impl State {
    /// The name in the store and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Unsure => "unsure",
            Self::Sent => "sent",
            Self::Dead => "dead",
        }
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Queued, Self::Sending, Self::Unsure, Self::Sent, Self::Dead]
            .into_iter()
            .find(|state| state.as_str() == name)
    }
}

/// What became of a transition for one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Its message is live.
    Pending,
    /// Named in a message that was accepted.
    Named,
    /// Counted in a message that was accepted.
    Counted,
    /// Not told, for a recorded reason.
    Suppressed,
    /// Its message was refused for good.
    Dead,
}

impl Fate {
    /// The name in the store and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Named => "named",
            Self::Counted => "counted",
            Self::Suppressed => "suppressed",
            Self::Dead => "dead",
        }
    }

    /// The fate with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Pending, Self::Named, Self::Counted, Self::Suppressed, Self::Dead]
            .into_iter()
            .find(|fate| fate.as_str() == name)
    }
}

/// The oldest live message of a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneHead {
    /// Name of the lane.
    pub lane: String,
    /// The message.
    pub message: i64,
    /// `Sending`: the lane is taken.
    pub state: State,
    /// When it may be claimed; not in the future if now.
    pub due_at: Timestamp,
}

/// The head of a lane, ready to be rendered or resent.
#[derive(Debug, Clone)]
pub struct Queued {
    /// Its id.
    pub message: i64,
    /// Receiver whose language, zone and templates it has.
    pub receiver: String,
    /// Its lane.
    pub lane: String,
    /// Its target, as JSON.
    pub target_json: String,
    /// Holds a critical alert.
    pub critical: bool,
    /// The short id people see.
    pub thread: ThreadId,
    /// `Queued` or `Unsure`.
    pub state: State,
    /// Claims so far; a claim must name it.
    pub epoch: i64,
    /// When it was queued.
    pub created_at: Timestamp,
    /// The notification it is about.
    pub notification: Kept,
    /// Its transitions, in the order they were accepted.
    pub transitions: Vec<Moved>,
    /// Its bytes, if it was claimed before.
    pub frozen: Option<Frozen>,
}

/// A notification as it was kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Its id.
    pub id: i64,
    /// Name of the source.
    pub source: String,
    /// What the body was recognised as.
    pub format: Format,
    /// The request's `Content-Type`.
    pub content_type: Option<String>,
    /// The receiver in the request's path.
    pub path_receiver: Option<String>,
    /// When it came.
    pub received_at: Timestamp,
    /// The body as it came.
    pub raw: Bytes,
}

/// A transition a message tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Its id.
    pub id: i64,
    /// The alert's place in the notification's list.
    pub alert_index: u32,
    /// What happened.
    pub kind: TransitionKind,
    /// When it was accepted.
    pub at: Timestamp,
    /// When the episode began.
    pub starts_at: Option<Timestamp>,
    /// When it ended.
    pub ends_at: Option<Timestamp>,
}

/// The bytes of a message as they were frozen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen {
    /// 1 for the first bytes, one more each time others replaced them.
    pub version: u32,
    /// The face they have.
    pub face: String,
    /// Request bodies of all parts.
    pub parts: Vec<Bytes>,
    /// The first part that WeCom has not certainly accepted.
    pub next_part: u32,
}

/// A wish to send.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Which message.
    pub message: i64,
    /// Its epoch as `head` gave it.
    pub epoch: i64,
    /// `None`: the bytes as they are frozen. `Some`: new bytes, which the first claim must bring. Later claims bring
    /// them only to send something else on purpose (a copy marked as repeated, plain text after a refusal); the
    /// bytes of earlier attempts stay on record.
    pub freeze: Option<Freeze>,
}

/// Bytes to freeze.
#[derive(Debug, Clone)]
pub struct Freeze {
    /// The face they have.
    pub face: String,
    /// Request bodies of all parts; at least one.
    pub parts: Vec<Bytes>,
    /// With which part to go on: 0, except in a new version that repeats only the parts not yet accepted.
    pub next_part: u32,
    /// Ids of the transitions whose alerts are counted in these bytes, not named.
    pub counted: Vec<i64>,
}

/// A message that may be sent now: proof for [`Store::settle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claimed {
    /// Which message.
    pub message: i64,
    /// The fence.
    pub epoch: i64,
    /// Which version of its bytes.
    pub version: u32,
    /// Which part to send.
    pub part: u32,
}

/// What became of an attempt.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// The claim.
    pub claimed: Claimed,
    /// What WeCom answered.
    pub outcome: Outcome,
    /// What follows.
    pub next: Next,
}

/// What WeCom answered, for the record.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Class of the answer, from a closed set.
    pub class: &'static str,
    /// How long the attempt took.
    pub duration_ms: i64,
    /// HTTP status, if there was one.
    pub http_status: Option<u16>,
    /// WeCom's `errcode`, if there was one.
    pub errcode: Option<i64>,
    /// WeCom's `errmsg` or our words for the failure, without secrets; kept up to 1000 bytes.
    pub errmsg: Option<String>,
    /// Id by which the message can be recalled.
    pub msgid: Option<String>,
    /// Code with which a card can be updated.
    pub response_code: Option<String>,
    /// Recipients that WeCom did not reach, as JSON.
    pub invalid_json: Option<String>,
}

/// What follows an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// WeCom has the part. If it was the last one the message is sent, and its transitions are named or counted as
    /// its bytes say; else it is queued for its next part.
    Accepted,
    /// Certainly not accepted: queued again, for then.
    RetryAt(Timestamp),
    /// Nobody knows: unsure, to be tried again then.
    UnsureAt(Timestamp),
    /// Refused for good; its transitions are dead for this reason.
    Dead {
        /// Why, from a closed set.
        reason: String,
    },
}

/// An access token of an app.
#[derive(Debug, Clone)]
pub struct Token {
    /// The token.
    pub token: SecretString,
    /// When WeCom forgets it.
    pub expires_at: Timestamp,
    /// Counts the tokens of the app.
    pub version: i64,
}
