//! The store: accepted notifications, the known state of each alert, queued messages, and the record of what became of
//! them.
//!
//! Each method is one transaction and says what it guarantees. Only this module knows SQL; it knows nothing of routes,
//! templates or WeCom: targets, request bodies and outcomes are opaque texts to it. Callers prepare a write completely,
//! JSON included, because all writes of a process share one thread.
//!
//! Two halves, one engine: `sqlite` is a file of one process, `postgres` is shared by any number of them. Both pass
//! the same contract tests.

mod acts;
mod api;
pub mod backup;
mod body;
mod copy;
mod digest;
mod error;
mod incidents;
mod links;
mod lists;
mod marks;
#[cfg(test)]
pub(crate) mod memory;
mod migrate;
mod needless;
mod news;
mod on;
mod outline;
mod people;
mod postgres;
mod record;
pub mod related;
mod retention;
mod sessions;
mod short;
mod sqlite;
mod tally;
mod terms;
mod text;
mod truth;
mod words;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::Notify;

use crate::alert::{Identity, Timestamp};
use crate::budget::Window;
use crate::config::Database;
use crate::names::{Account, Duty, LaneKey, Scope, SourceId};

pub use crate::engine::act::{
    ACT_ALERTS, About, ActAlert, ActEnd, ActKind, ActState, Acted, Doer, Listeners, NewAct, NewCode, NewSilence,
};
pub use crate::engine::outbox::{
    Breaker, BreakerChange, Claim, Claimed, Detour, Fallback, Fate, Folded, Freeze, Frozen, Kept, LaneHead,
    LateMessage, Lease, Moved, Naming, Next, OUTAGE, Outcome, Queued, Settlement, Spent, State, Taken, VIEW, Waiting,
    WaitingMessage, Way,
};
#[cfg(test)]
pub use crate::engine::outbox::{LONGEST_WAIT_MS, PROBE_MS};
pub use crate::engine::overdue::Late;
pub use crate::engine::picture::LeaveOut;
pub use crate::engine::probe::Unprobed;
pub use crate::engine::{Admission, Admitted, Arrival, Candidate, Recipient, Related, TargetRow};
pub use acts::{ActFilter, ActNews, ActRow, Card, Conversation, Escalation, Silence};
pub use api::{ApiToken, Asked, NewToken};
pub use backup::Backup;
pub use copy::{Copied, copy};
#[cfg(test)]
pub use digest::DigestOther;
pub use digest::{Digest, DigestGroup, DigestItem, DigestKey};
pub use error::{Fatal, Retry, StoreError, Unopened};
pub use incidents::AlertFilter;
pub use links::{LINK_SECRET_BYTES, LinkSecrets};
pub use marks::Marks;
pub use needless::Needless;
pub use news::{OVERLAP_MS, Reached};
pub use on::{Counted, OnFilter};
pub use record::{
    AttemptRow, Audit, Backlog, Contents, Delivery, DeliveryFilter, DeliveryRow, FiringAlert, FrozenPart, LaneBacklog,
    TransitionRow,
};
pub use retention::{Pruned, Retention};
pub use sessions::{Hash, NewSession, SESSION_MS, Session, Step, Ticket, fresh_secret, hash};
pub use short::{NewShortLink, ShortLink};
pub use sqlite::Counters;
pub use tally::{LONGEST_MS, Tally, TallyFilter, seconds as length_seconds};
#[cfg(test)]
pub use tally::{LengthHour, NeedlessRule, RuleHour, SentHour, Taken as TakenAlert, WaitingRule};
pub use terms::Indexed;
pub use truth::{Followed, Lapsing, Truth};

/// Default length of a replica's lease on a lane, counted from its last renewal: three times the deadline of a send.
pub const LEASE: Duration = Duration::from_secs(30);

/// The longest that a question of a page or of the API may take.
pub const PEOPLE: Duration = Duration::from_millis(500);
/// How long such a question waits for one of the connections that these questions share.
const PEOPLE_WAIT: Duration = Duration::from_secs(2);
/// The connections for these questions.
const PEOPLE_READERS: usize = 2;

/// Handle to the database. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Store {
    /// A file used by this process alone.
    Sqlite(sqlite::Db),
    /// A database shared by replicas.
    Postgres(postgres::Db),
}

impl Store {
    /// Opens the database, creates the file if there is none, and brings its schema up to date. Refuses, without
    /// changing it, a file that is not a sound wegraf database or that another process holds.
    pub async fn open(database: &Database, now: Timestamp) -> Result<Self, StoreError> {
        Self::open_with_lease(database, LEASE, now).await
    }

    /// The same with a given lease for lanes. With SQLite a lane is held for the life of the process.
    pub async fn open_with_lease(database: &Database, lease: Duration, now: Timestamp) -> Result<Self, StoreError> {
        match database {
            Database::Sqlite(path) => sqlite::Db::open(path.clone(), now).await.map(Self::Sqlite),
            Database::Postgres { url } => postgres::Db::open(url, lease, now).await.map(Self::Postgres),
        }
    }

    /// The same database for the questions of pages and of the API: for reading only, on connections that delivery does
    /// not use, and each question ends after [`PEOPLE`] with [`StoreError::TooSlow`].
    #[must_use]
    pub fn for_people(&self) -> Self {
        match self {
            Self::Sqlite(db) => Self::Sqlite(db.for_people()),
            Self::Postgres(db) => Self::Postgres(db.for_people()),
        }
    }

    /// Opens an existing database for reading only, beside the process that holds it: for commands that only look.
    pub async fn open_reading(database: &Database) -> Result<Self, StoreError> {
        match database {
            Database::Sqlite(path) => sqlite::Db::open_reading(path.clone()).await.map(Self::Sqlite),
            Database::Postgres { url } => postgres::Db::open_reading(url).await.map(Self::Postgres),
        }
    }

    /// Space taken by the file of a database, even while another process holds it; `None` if there is no file yet, or
    /// the database is a server's.
    pub async fn room(database: &Database) -> Result<Option<Room>, StoreError> {
        match database {
            Database::Sqlite(path) => sqlite::room(path.clone()).await,
            Database::Postgres { .. } => Ok(None),
        }
    }

    /// Makes a notification durable: decides for each delivery what is news and writes the notification, the new
    /// states, the transitions and their messages. Returns when all of it would survive a power cut. A notification
    /// without news is not stored.
    pub async fn admit(&self, admission: Admission) -> Result<Admitted, StoreError> {
        // Here, on the task of the request: the thread that writes is the one that all wait for.
        let admission = body::pack_admission(admission).await?;
        let admitted = match self {
            Self::Sqlite(db) => db.admit(admission).await,
            Self::Postgres(db) => db.admit(admission).await,
        }?;
        self.wake_if(admitted.messages > 0);
        Ok(admitted)
    }

    /// The lanes that have something to send and are not held by another replica, by name. O(lanes), independent of the
    /// backlog and of the record.
    pub async fn lanes(&self, now: Timestamp) -> Result<Vec<LaneHead>, StoreError> {
        match self {
            Self::Sqlite(db) => db.lanes(now).await,
            Self::Postgres(db) => db.lanes(now).await,
        }
    }

    /// Leases a lane to this process; `None` if another replica holds it. A message that the former holder was sending
    /// becomes unsure, and due.
    pub async fn acquire(&self, lane: &LaneKey) -> Result<Option<Lease>, StoreError> {
        match self {
            Self::Sqlite(db) => db.acquire(lane).await,
            Self::Postgres(db) => db.acquire(lane).await,
        }
    }

    /// Leases a duty that one replica does for all; false if another replica holds it.
    pub async fn take_on(&self, duty: Duty) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(_) => Ok(true),
            Self::Postgres(db) => db.take_on(duty).await,
        }
    }

    /// Releases the lane; otherwise it stays locked until the lease ends.
    pub async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => db.release(lease).await,
            Self::Postgres(db) => db.release(lease).await,
        }
    }

    /// The live messages of a lane that [`VIEW`] selects, oldest first, and how many can be folded, counted to 1,000.
    /// O(messages returned + messages counted).
    pub async fn waiting(&self, lane: &LaneKey, now: Timestamp) -> Result<Waiting, StoreError> {
        match self {
            Self::Sqlite(db) => db.waiting(lane, now).await,
            Self::Postgres(db) => db.waiting(lane, now).await,
        }
    }

    /// A live message that is not being sent, with all that is needed to render or resend it; `None` if it is settled
    /// or being sent.
    pub async fn queued(&self, message: i64) -> Result<Option<Queued>, StoreError> {
        match self {
            Self::Sqlite(db) => db.queued(message).await,
            Self::Postgres(db) => db.queued(message).await,
        }
    }

    /// The sums of a digest and the alerts it can name. O(what was folded into it).
    pub async fn digest(&self, message: i64) -> Result<Digest, StoreError> {
        match self {
            Self::Sqlite(db) => db.digest(message).await,
            Self::Postgres(db) => db.digest(message).await,
        }
    }

    /// The alerts of a message by their last state: resolved ones last, critical ones first among the others.
    pub async fn digest_page(&self, message: i64, skip: u32, take: u32) -> Result<Vec<DigestItem>, StoreError> {
        match self {
            Self::Sqlite(db) => db.digest_page(message, skip, take).await,
            Self::Postgres(db) => db.digest_page(message, skip, take).await,
        }
    }

    /// At most `take` alerts of a message behind `after`, in the order of [`DigestKey`].
    pub async fn digest_after(&self, message: i64, after: DigestKey, take: u32) -> Result<Vec<DigestItem>, StoreError> {
        match self {
            Self::Sqlite(db) => db.digest_after(message, after, take).await,
            Self::Postgres(db) => db.digest_after(message, after, take).await,
        }
    }

    /// Keeps a ticket, by the hash of its secret, for ten minutes. A person has at most three; the oldest gives way.
    pub async fn offer(&self, hash: Hash, ticket: Ticket, now: Timestamp) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => db.offer(hash, ticket, now).await,
            Self::Postgres(db) => db.offer(hash, ticket, now).await,
        }
    }

    /// A ticket that still signs in. It is not used up.
    pub async fn ticket(&self, hash: Hash, now: Timestamp) -> Result<Option<Ticket>, StoreError> {
        match self {
            Self::Sqlite(db) => db.ticket(hash, now).await,
            Self::Postgres(db) => db.ticket(hash, now).await,
        }
    }

    /// Uses up a ticket for a session. `None` if it is unknown, too old or used, also where another call just used it.
    pub async fn sign_in(&self, ticket: Hash, new: NewSession, now: Timestamp) -> Result<Option<Session>, StoreError> {
        match self {
            Self::Sqlite(db) => db.sign_in(ticket, new, now).await,
            Self::Postgres(db) => db.sign_in(ticket, new, now).await,
        }
    }

    /// The session with this secret, if it has not ended. The visit is noted, at most every five minutes.
    pub async fn session(&self, hash: Hash, now: Timestamp) -> Result<Option<Session>, StoreError> {
        match self {
            Self::Sqlite(db) => db.session(hash, now).await,
            Self::Postgres(db) => db.session(hash, now).await,
        }
    }

    /// The sessions of a person, or of all, the last used first; at most 200.
    pub async fn sessions(&self, person: Option<String>, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        match self {
            Self::Sqlite(db) => db.sessions(person, now).await,
            Self::Postgres(db) => db.sessions(person, now).await,
        }
    }

    /// Ends a session by its number for people; `what` and `by` go into the trail. `false`: there is none.
    pub async fn end_session(
        &self,
        id: String,
        what: &'static str,
        by: String,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(db) => db.end_session(id, what, by, now).await,
            Self::Postgres(db) => db.end_session(id, what, by, now).await,
        }
    }

    /// Adds a line to the trail.
    pub async fn leave(&self, step: Step) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => db.leave(step).await,
            Self::Postgres(db) => db.leave(step).await,
        }
    }

    /// Who signed in and out, the last first.
    pub async fn trail(&self, limit: u32) -> Result<Vec<Step>, StoreError> {
        match self {
            Self::Sqlite(db) => db.trail(limit).await,
            Self::Postgres(db) => db.trail(limit).await,
        }
    }

    /// Folds the messages of a lane that were never claimed into one digest, the oldest 1,000 at once, except `keep`,
    /// those about acts, those that a fallback tells, and those that share an alert with one that stays. A digest that
    /// already waits takes up the others. `None` if there are fewer than two.
    pub async fn fold(&self, lease: &Lease, keep: Option<i64>, now: Timestamp) -> Result<Option<Folded>, StoreError> {
        match self {
            Self::Sqlite(db) => db.fold(lease, keep, now).await,
            Self::Postgres(db) => db.fold(lease, keep, now).await,
        }
    }

    /// Claims a message for one attempt at its next part, if a way to its target has room. Once this returns
    /// [`Taken::Claimed`], the debit, the attempt and the exact bytes are on disk: the first byte may go out.
    /// [`StoreError::Lost`] if the message changed since `queued`, the lease was lost, or another message of the lane
    /// is being sent.
    pub async fn claim(&self, claim: Claim, now: Timestamp) -> Result<Taken, StoreError> {
        match self {
            Self::Sqlite(db) => db.claim(claim, now).await,
            Self::Postgres(db) => db.claim(claim, now).await,
        }
    }

    /// Records the result of a claimed attempt and what follows. When the message is settled its transitions get their
    /// fate, and its fallback gets its messages, in the same transaction. [`StoreError::Lost`], and nothing is written,
    /// if a newer claim exists. Returns the state of the message.
    pub async fn settle(&self, settlement: Settlement, now: Timestamp) -> Result<State, StoreError> {
        let falls_back = settlement.fallback.is_some();
        let state = match self {
            Self::Sqlite(db) => db.settle(settlement, now).await,
            Self::Postgres(db) => db.settle(settlement, now).await,
        }?;
        self.wake_if(falls_back);
        Ok(state)
    }

    /// Postpones a message that cannot be claimed because something is missing from the configuration; `reason` is for
    /// the operator. No effect if the message changed since `queued`.
    pub async fn postpone(&self, message: i64, epoch: i64, until: Timestamp, reason: &str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => db.postpone(message, epoch, until, reason).await,
            Self::Postgres(db) => db.postpone(message, epoch, until, reason).await,
        }
    }

    /// Queues the content of a message again, as a new message of the same lane that names it as its origin; `None` if
    /// there is no such message. Digests are sent again as digests.
    pub async fn resend(&self, message: i64, note_json: &str, now: Timestamp) -> Result<Option<i64>, StoreError> {
        let copy = match self {
            Self::Sqlite(db) => db.resend(message, note_json, now).await,
            Self::Postgres(db) => db.resend(message, note_json, now).await,
        }?;
        self.wake_if(copy.is_some());
        Ok(copy)
    }

    /// The live messages of `receivers` that wait since `since` or longer, are not being sent and have not gone to their
    /// receiver's fallback; critical ones first, then by age; at most `limit`. Messages about acts are left out.
    /// O(live messages).
    pub async fn late(&self, receivers: Vec<String>, since: Late, limit: u32) -> Result<Vec<LateMessage>, StoreError> {
        match self {
            Self::Sqlite(db) => db.late(receivers, since, limit).await,
            Self::Postgres(db) => db.late(receivers, since, limit).await,
        }
    }

    /// Queues the content of messages for their receivers' fallbacks, because they waited for too long. The messages stay
    /// where they are. For each, in order, whether it was done: not if it changed meanwhile.
    pub async fn fall_back(&self, requests: Vec<Detour>, now: Timestamp) -> Result<Vec<bool>, StoreError> {
        let told = match self {
            Self::Sqlite(db) => db.fall_back(requests, now).await,
            Self::Postgres(db) => db.fall_back(requests, now).await,
        }?;
        self.wake_if(told.contains(&true));
        Ok(told)
    }

    /// The breakers that are open, by scope.
    pub async fn breakers(&self) -> Result<Vec<Breaker>, StoreError> {
        match self {
            Self::Sqlite(db) => db.breakers().await,
            Self::Postgres(db) => db.breakers().await,
        }
    }

    /// Opens or closes a breaker apart from an attempt.
    pub async fn change_breaker(&self, change: BreakerChange) -> Result<(), StoreError> {
        let closes = matches!(change, BreakerChange::Close(_));
        match self {
            Self::Sqlite(db) => db.change_breaker(change).await,
            Self::Postgres(db) => db.change_breaker(change).await,
        }?;
        self.wake_if(closes);
        Ok(())
    }

    /// Lets the next message pass the open breaker of `scope` now, because a person said so, who goes into the trail; or why
    /// it stays.
    pub async fn probe(&self, scope: Scope, asked: Step) -> Result<Result<(), Unprobed>, StoreError> {
        let asked = match self {
            Self::Sqlite(db) => db.probe(scope, asked).await,
            Self::Postgres(db) => db.probe(scope, asked).await,
        }?;
        self.wake_if(asked.is_ok());
        Ok(asked)
    }

    /// What was spent lately on these accounts. Nothing is locked: it is for people to see.
    pub async fn spent(&self, accounts: Vec<Account>) -> Result<BTreeMap<Account, Window>, StoreError> {
        match self {
            Self::Sqlite(db) => db.spent(accounts).await,
            Self::Postgres(db) => db.spent(accounts).await,
        }
    }

    /// When the always-firing alert of each configured source was last seen, by its name.
    pub async fn heard(&self) -> Result<Vec<(String, Timestamp)>, StoreError> {
        match self {
            Self::Sqlite(db) => db.heard().await,
            Self::Postgres(db) => db.heard().await,
        }
    }

    /// When a source last sent something that was news; `None`: never, or longer ago than the record reaches.
    pub async fn last_from(&self, source: &SourceId) -> Result<Option<Timestamp>, StoreError> {
        match self {
            Self::Sqlite(db) => db.last_from(source).await,
            Self::Postgres(db) => db.last_from(source).await,
        }
    }

    /// The labels of the alerts that are known, each a JSON object, the newest first; at most `most`.
    pub async fn seen_labels(&self, most: u32) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Sqlite(db) => db.seen_labels(most).await,
            Self::Postgres(db) => db.seen_labels(most).await,
        }
    }

    /// The firing alerts of a source, each once, however many receivers know it.
    pub async fn firing(&self, source: &SourceId) -> Result<Vec<FiringAlert>, StoreError> {
        match self {
            Self::Sqlite(db) => db.firing(source).await,
            Self::Postgres(db) => db.firing(source).await,
        }
    }

    /// Deletes one batch of what is older than `keep` allows and, while the database is too large, of what was settled
    /// longest ago. Never deletes what is live, what a live message is rendered from, or the state of a firing alert.
    /// Call again until [`Pruned::is_empty`]. With SQLite the file shrinks, too.
    pub async fn prune(&self, keep: Retention, now: Timestamp) -> Result<Pruned, StoreError> {
        match self {
            Self::Sqlite(db) => db.prune(keep, now).await,
            Self::Postgres(db) => db.prune(keep, now).await,
        }
    }

    /// Does the stored data take so much room that [`Store::prune`] must delete young data as well? O(1) with SQLite;
    /// with PostgreSQL where the files of the tables are small enough, else it reads every row.
    pub async fn is_too_large(&self, bytes: u64) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(db) => db.is_too_large(bytes).await,
            Self::Postgres(db) => db.is_too_large(bytes).await,
        }
    }

    /// Marks what was being sent when the last process ended as unsure, and due. For the start of a process that holds
    /// the database alone. Returns how many messages.
    pub async fn recover(&self) -> Result<usize, StoreError> {
        match self {
            Self::Sqlite(db) => db.recover().await,
            // Lease ends do that: other replicas may be sending.
            Self::Postgres(_) => Ok(0),
        }
    }

    /// The newest access token of an app.
    pub async fn token(&self, app: &str) -> Result<Option<Token>, StoreError> {
        match self {
            Self::Sqlite(db) => db.token(app).await,
            Self::Postgres(db) => db.token(app).await,
        }
    }

    /// Stores an access token unless a newer version is stored already. Returns the token stored afterwards, so that the
    /// loser of a race takes over the winner's.
    pub async fn save_token(
        &self,
        app: &str,
        token: SecretString,
        expires_at: Timestamp,
        version: i64,
    ) -> Result<Token, StoreError> {
        match self {
            Self::Sqlite(db) => db.save_token(app, token, expires_at, version).await,
            Self::Postgres(db) => db.save_token(app, token, expires_at, version).await,
        }
    }

    /// Messages, newest first.
    pub async fn deliveries(&self, filter: DeliveryFilter) -> Result<Vec<DeliveryRow>, StoreError> {
        match self {
            Self::Sqlite(db) => db.deliveries(filter).await,
            Self::Postgres(db) => db.deliveries(filter).await,
        }
    }

    /// Everything known about one message.
    pub async fn delivery(&self, message: i64) -> Result<Option<Delivery>, StoreError> {
        match self {
            Self::Sqlite(db) => db.delivery(message).await,
            Self::Postgres(db) => db.delivery(message).await,
        }
    }

    /// What a message tells, live or settled, with the notification it is about.
    pub async fn contents(&self, message: i64) -> Result<Option<Contents>, StoreError> {
        match self {
            Self::Sqlite(db) => db.contents(message).await,
            Self::Postgres(db) => db.contents(message).await,
        }
    }

    /// Number and age of live messages. O(live messages), independent of the record.
    pub async fn backlog(&self) -> Result<Backlog, StoreError> {
        match self {
            Self::Sqlite(db) => db.backlog().await,
            Self::Postgres(db) => db.backlog().await,
        }
    }

    /// How far the record has come: for pages that are shown while it grows. O(live messages).
    pub async fn marks(&self, now: Timestamp) -> Result<Marks, StoreError> {
        match self {
            Self::Sqlite(db) => db.marks(now).await,
            Self::Postgres(db) => db.marks(now).await,
        }
    }

    /// The lanes whose oldest live message was queued before `oldest`, or whose oldest with a critical alert before
    /// `oldest_critical`, by name; at most 100. O(live messages).
    pub async fn late_lanes(
        &self,
        oldest: Timestamp,
        oldest_critical: Timestamp,
    ) -> Result<Vec<LaneBacklog>, StoreError> {
        match self {
            Self::Sqlite(db) => db.late_lanes(oldest, oldest_critical).await,
            Self::Postgres(db) => db.late_lanes(oldest, oldest_critical).await,
        }
    }

    /// The secret that signs links and orders now: 32 random bytes.
    pub async fn link_key(&self) -> Result<Vec<u8>, StoreError> {
        Ok(self.link_secrets().await?.current)
    }

    /// The secret that signs links and the previous one; the first is made on first use.
    pub async fn link_secrets(&self) -> Result<LinkSecrets, StoreError> {
        match self {
            Self::Sqlite(db) => db.link_secrets().await,
            Self::Postgres(db) => db.link_secrets().await,
        }
    }

    /// Replaces the current secret with a fresh one; the current one becomes the previous one, and the previous one is
    /// deleted.
    pub async fn rotate_links(&self, now: Timestamp) -> Result<LinkSecrets, StoreError> {
        match self {
            Self::Sqlite(db) => db.rotate_links(now).await,
            Self::Postgres(db) => db.rotate_links(now).await,
        }
    }

    /// Leaves out a picture that waits: it is settled, and why stands in the record of its message. [`StoreError::Lost`] if
    /// it does not wait any more, or another process has the lane.
    pub async fn leave_out(&self, request: LeaveOut, now: Timestamp) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => db.leave_out(request, now).await,
            Self::Postgres(db) => db.leave_out(request, now).await,
        }
    }

    /// Records why a message has no picture.
    pub async fn unpictured(&self, message: i64, why: &'static str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => db.unpictured(message, why).await,
            Self::Postgres(db) => db.unpictured(message, why).await,
        }
    }

    /// The code of a short link: of the one that the episode has for this address, which lives on, or of a new one. When
    /// it returns the row is on disk.
    pub async fn shorten(&self, link: NewShortLink, now: Timestamp) -> Result<String, StoreError> {
        match self {
            Self::Sqlite(db) => db.shorten(link, now).await,
            Self::Postgres(db) => db.shorten(link, now).await,
        }
    }

    /// The short link with this code, ended or not.
    pub async fn short_link(&self, code: &str) -> Result<Option<ShortLink>, StoreError> {
        match self {
            Self::Sqlite(db) => db.short_link(code.to_owned()).await,
            Self::Postgres(db) => db.short_link(code.to_owned()).await,
        }
    }

    /// Counts transitions by fate, and those whose fate contradicts their message (0 expected). O(transitions): call it
    /// every few minutes, not for every request.
    pub async fn audit(&self) -> Result<Audit, StoreError> {
        match self {
            Self::Sqlite(db) => db.audit().await,
            Self::Postgres(db) => db.audit().await,
        }
    }

    /// The firing alerts that the end of `identity` may mean: the alert itself, those that share its event, and those that
    /// share its title, in this order and each the oldest first. At most 201 rows of all receivers: with more than 200 it is
    /// not known whether these are all.
    pub async fn candidates(&self, identity: Identity, kin: &Related) -> Result<related::Candidates, StoreError> {
        match self {
            Self::Sqlite(db) => db.candidates(identity, kin.clone()).await,
            Self::Postgres(db) => db.candidates(identity, kin.clone()).await,
        }
    }

    /// The receivers that know these alerts as firing. O(alerts asked for); nothing is asked for none.
    pub async fn knowing(&self, alerts: Vec<Identity>) -> Result<HashMap<Identity, Vec<String>>, StoreError> {
        if alerts.is_empty() {
            return Ok(HashMap::new());
        }
        match self {
            Self::Sqlite(db) => db.knowing(alerts).await,
            Self::Postgres(db) => db.knowing(alerts).await,
        }
    }

    /// Proves with a commit that writes reach the disk.
    pub async fn ping(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => db.ping().await,
            Self::Postgres(db) => db.ping().await,
        }
    }

    /// Would a commit be found by the next process? Writes nothing; with SQLite it checks that the files are still in
    /// their places.
    pub async fn check(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => db.check().await,
            // Its files are the server's task.
            Self::Postgres(_) => Ok(()),
        }
    }

    /// Free and total space of the database's file system; `None` where that is another machine's.
    pub async fn space(&self) -> Result<Option<Space>, StoreError> {
        match self {
            Self::Sqlite(db) => db.space().await.map(Some),
            Self::Postgres(_) => Ok(None),
        }
    }

    /// Bytes of the files of the database, free pages in them included; of a server's, those of our tables.
    pub async fn bytes(&self) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(db) => db.bytes().await,
            Self::Postgres(db) => db.size(u64::MAX).await,
        }
    }

    /// Can the database return the space of pruned rows?
    pub async fn can_shrink(&self) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(db) => db.can_shrink().await,
            // The server decides whether and when.
            Self::Postgres(_) => Ok(true),
        }
    }

    /// How long a lane stays this process's after an `acquire` or a `claim`, counted from before that call: after that
    /// the process must not send until it has renewed the lease. `None`: for life.
    pub fn lease(&self) -> Option<Duration> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(db) => Some(db.lease()),
        }
    }

    /// By how many milliseconds the clock of a shared database is ahead of this machine's, kept up to date. Replicas that
    /// add it to their own clock agree on the time. `None` for a file of one process.
    pub fn skew(&self) -> Option<Arc<AtomicI64>> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(db) => Some(db.skew()),
        }
    }

    /// Returns when this process has queued a message or closed a breaker since the last call, or another replica may
    /// have. For one waiter. Hints of other replicas can get lost, so the caller must also poll.
    pub async fn woken(&self) {
        self.due().notified().await;
    }

    /// Notified after each commit that queues a message or closes a breaker.
    fn due(&self) -> &Notify {
        match self {
            Self::Sqlite(db) => db.due(),
            Self::Postgres(db) => db.due(),
        }
    }

    /// Wakes the waiter of [`Store::woken`]. Tests that move the clock call it themselves.
    pub fn wake(&self) {
        self.due().notify_one();
    }

    fn wake_if(&self, due: bool) {
        if due {
            self.wake();
        }
    }

    /// How much the store has done, and its queue lengths.
    pub fn counters(&self) -> Counters {
        match self {
            Self::Sqlite(db) => db.counters(),
            Self::Postgres(db) => db.counters(),
        }
    }

    /// Ends reads and writes, moves everything into the main file and releases the database. Later calls on any clone
    /// get [`StoreError::Closed`].
    pub async fn close(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => db.close().await,
            Self::Postgres(db) => db.close().await,
        }
    }
}

/// Space taken by a database file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// The file and its log, in bytes.
    pub bytes: u64,
    /// Can it return the space of pruned rows?
    pub can_shrink: bool,
    /// Its file system.
    pub space: Space,
}

/// Space of a file system, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// What this process may still take.
    pub free: u64,
    /// All.
    pub total: u64,
}

/// An access token of an app.
#[derive(Debug, Clone)]
#[expect(clippy::struct_field_names, reason = "the text of a token has no better name")]
pub struct Token {
    /// As WeCom gave it.
    pub token: SecretString,
    /// When it expires.
    pub expires_at: Timestamp,
    /// Greater for a newer token of the app; the client gives it.
    pub version: i64,
}
