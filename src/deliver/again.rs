//! Resends a settled message on an operator's request.

use crate::alert::Timestamp;
use crate::render::Note;
use crate::store::{DeliveryFilter, DeliveryRow, State, Store, StoreError};
use crate::words::{Words, told};

/// Messages of one incident in one lane that are examined to count resends: more than anyone sends.
const RESENDS: usize = 1000;

/// The result of a request to resend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// Queued as this new message.
    Queued(i64),
    /// There is no such message.
    Unknown,
    /// It is still live and will be sent anyway: a copy would arrive twice.
    OnItsWay(State),
    /// It was folded into this other message.
    FoldedInto(i64),
    /// It is a picture that follows this message.
    PictureOf(i64),
}

/// Queues the content of a settled message again, in the same lane and with a note that marks it as a resend.
pub async fn again(store: &Store, message: i64, now: Timestamp) -> Result<Again, StoreError> {
    let filter = DeliveryFilter { message: Some(message), limit: 1, ..DeliveryFilter::default() };
    let Some(row) = store.deliveries(filter).await?.pop() else { return Ok(Again::Unknown) };
    if let Some(of) = row.picture_of {
        return Ok(Again::PictureOf(of));
    }
    if let Some(digest) = row.folded_into {
        return Ok(Again::FoldedInto(digest));
    }
    if row.settled_at.is_none() {
        return Ok(Again::OnItsWay(row.state));
    }
    let note = Note::Resent { times: times(store, &row).await? };
    let note_json = serde_json::to_string(&note).expect("a note is JSON");
    Ok(store.resend(message, &note_json, now).await?.map_or(Again::Unknown, Again::Queued))
}

/// The number of this resend among those of its incident in its lane.
async fn times(store: &Store, row: &DeliveryRow) -> Result<u64, StoreError> {
    let (thread, lane) = (Some(row.thread), Some(row.lane.clone()));
    let filter = DeliveryFilter { thread, lane, limit: RESENDS, ..DeliveryFilter::default() };
    let before = store.deliveries(filter).await?;
    Ok(1 + before.iter().filter(|row| is_resend(row)).count() as u64)
}

/// Was this message queued by [`again`]?
pub fn is_resend(row: &DeliveryRow) -> bool {
    let note = row.note_json.as_deref().and_then(|json| serde_json::from_str(json).ok());
    matches!(note, Some(Note::Resent { .. }))
}

impl Again {
    /// The reason for the operator why `message` is not resent; `None` if it is.
    pub fn refusal(self, message: i64) -> Option<Words> {
        match self {
            Self::Queued(_) => None,
            Self::Unknown => Some(told!(
                "没有编号为 {message} 的消息：可能已被清理，请用 `wegraf deliveries list` 查看",
                "there is no message {message}: it may have been pruned, see `wegraf deliveries list`"
            )),
            Self::OnItsWay(state) => Some(told!(
                "消息 {message} 还没有结果（{0}），会自动发送，不必重发",
                "message {message} is not settled yet ({0}) and will be sent by itself",
                state.as_str()
            )),
            Self::PictureOf(of) => Some(told!(
                "消息 {message} 是消息 {of} 的图：请重发 {of}",
                "message {message} is the picture of message {of}: send {of} again instead"
            )),
            Self::FoldedInto(digest) => Some(told!(
                "消息 {message} 已折叠进摘要 {digest}：请重发 {digest}",
                "message {message} was folded into digest {digest}: send {digest} again instead"
            )),
        }
    }
}
