//! Acts of people in WeCom as stored: acts, acknowledgements, silences, cards, escalations, conversations.

use serde::Serialize;

use crate::alert::{ThreadId, Timestamp};
use crate::engine::act::{ActAlert, ActKind, ActState, Doer};

/// A silence that was made through wegraf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Silence {
    /// Its number: that of the act that made it.
    pub act: i64,
    /// Name of the upstream.
    pub upstream: String,
    /// Its id there.
    pub upstream_id: String,
    /// Its matchers, as JSON.
    pub matchers_json: String,
    /// The short id of the alert it is about; 0 if it is about none of ours.
    pub thread: ThreadId,
    /// Who made it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// When it ends, or ended.
    pub until: Timestamp,
    /// Consecutive checks that did not see its alerts upstream, as recorded by
    /// [`Store::note_silence`](super::Store::note_silence).
    pub absent: u32,
}

/// An act on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ActRow {
    /// Its number.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Its kind.
    pub kind: ActKind,
    /// Its progress.
    pub state: ActState,
    /// The actor.
    pub by: String,
    /// The channel it came through: `app/ops`, `bot/duty/…`, `page`, `command`.
    pub via: String,
    /// The address of a visitor of the page, if it is on record.
    pub peer: Option<String>,
    /// The short id of the alert it is about; 0 if it is about none of ours.
    pub thread: ThreadId,
    /// The message that was pressed, if it was one.
    pub message: Option<i64>,
    /// Until when, for silences.
    pub until: Option<Timestamp>,
    /// Details, in words.
    pub detail: String,
    /// How many alerts it touched.
    pub alerts: u64,
}

/// The channel in `via` of [`crate::store::NewAct`], and the address of a visitor of the page.
pub(in crate::store) fn way(via: &str) -> (String, Option<String>) {
    match via.split_once('/') {
        Some((page @ "page", address)) => (page.to_owned(), Some(address.to_owned())),
        _ => (via.to_owned(), None),
    }
}

/// Which acts to list, newest first.
#[derive(Debug, Clone, Default)]
pub struct ActFilter {
    /// Of this episode only.
    pub thread: Option<ThreadId>,
    /// Of this person only (any case).
    pub by: Option<String>,
    /// Those that are open only.
    pub open: bool,
    /// Not older than this.
    pub since: Option<Timestamp>,
    /// One of these; empty: any.
    pub among: Vec<i64>,
    /// Older than this act, to continue a list.
    pub before: Option<i64>,
    /// How many; 0 stands for 100.
    pub limit: u32,
}

/// Alerts loaded for a message about an act: more than it can show.
pub(in crate::store) const ACT_NEWS: usize = 20;

/// How long an ended silence is still watched, to see what became of its alerts: the absence of an alert must last up
/// to an hour (`gone_after`) before it counts as resolved, and upstream never reports an end that fell into the
/// silence.
pub(in crate::store) const AFTER_SILENCE_MS: i64 = 75 * 60_000;

/// The content of a message about an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActNews {
    /// The kind of act.
    pub kind: ActKind,
    /// `Done` or `Failed`.
    pub state: ActState,
    /// Why not, if it failed.
    pub detail: String,
    /// The actor, the time, and the end of a silence.
    pub doer: Doer,
    /// The alerts it is about that can be shown: at most 20, critical ones first.
    pub alerts: Vec<ActAlert>,
    /// The number of alerts it is about.
    pub count: u64,
}

/// A card that was sent and can be updated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// The message that is the card.
    pub message: i64,
    /// When it was queued: part of its `task_id`.
    pub created_at: Timestamp,
    /// The unused code; `None` if there is none.
    pub code: Option<String>,
    /// When WeCom gave it; it expires 72 h later.
    pub code_at: Timestamp,
    /// Its alerts, as they are now.
    pub alerts: Vec<ActAlert>,
}

/// An alert that is due for a step of its receiver's escalation, or whose escalation is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    /// The alert.
    pub alert: ActAlert,
    /// Steps taken so far.
    pub step: u32,
    /// When its firing was accepted.
    pub fired_at: Timestamp,
    /// Other receivers that know it as firing, among them those that steps were sent to.
    pub others: Vec<String>,
}

/// A conversation with a bot that a user opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conversation {
    /// Name of the bot in the configuration.
    pub bot: String,
    /// Its chatid; of a single chat, the userid.
    pub chat: String,
    /// A group chat?
    pub group: bool,
    /// Who wrote last.
    pub user: String,
    /// When a user last wrote.
    pub heard_at: Timestamp,
}
