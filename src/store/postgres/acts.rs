//! Not yet.
use super::Db;
use crate::alert::{Identity, Timestamp};
use crate::store::{
    ActAlert, ActEnd, ActFilter, ActNews, ActRow, Acted, Card, Conversation, Escalation, Kept, NewAct, Silence,
    StoreError, TargetRow,
};

#[expect(clippy::unused_async, reason = "they will write")]
impl Db {
    pub(in crate::store) async fn act(&self, _act: NewAct, _now: Timestamp) -> Result<Acted, StoreError> {
        Err(StoreError::bug("not yet"))
    }

    pub(in crate::store) async fn end_act(&self, _end: ActEnd, _now: Timestamp) -> Result<Acted, StoreError> {
        Err(StoreError::bug("not yet"))
    }

    pub(in crate::store) async fn tell_of_act(
        &self,
        _act: i64,
        _lane: TargetRow,
        _receiver: String,
        _now: Timestamp,
    ) -> Result<bool, StoreError> {
        Err(StoreError::bug("not yet"))
    }

    pub(in crate::store) async fn acts(&self, _filter: ActFilter) -> Result<Vec<ActRow>, StoreError> {
        Err(StoreError::bug("not yet"))
    }

    pub(in crate::store) async fn act_alerts(&self, _act: i64) -> Result<Vec<ActAlert>, StoreError> {
        Err(StoreError::bug("not yet"))
    }

    pub(in crate::store) async fn act_news(&self, _message: i64) -> Result<Option<ActNews>, StoreError> {
        Err(StoreError::bug("not yet"))
    }

    pub(in crate::store) async fn silences(&self, _now: Timestamp) -> Result<Vec<Silence>, StoreError> {
        Err(StoreError::bug("not yet"))
    }

    pub(in crate::store) async fn note_silence(&self, _act: i64, _absent: u32) -> Result<(), StoreError> {
        Err(StoreError::bug("not yet"))
    }

    pub(in crate::store) async fn extend_silence(
        &self,
        _act: i64,
        _upstream_id: String,
        _until: Timestamp,
    ) -> Result<(), StoreError> {
        Err(StoreError::bug("not yet"))
    }

    pub(in crate::store) async fn told_firing(&self, _identities: Vec<Identity>) -> Result<Vec<ActAlert>, StoreError> {
        Err(StoreError::bug("not yet"))
    }

    pub(in crate::store) async fn alerts_on(&self, _limit: u32) -> Result<(Vec<ActAlert>, u64), StoreError> {
        Err(StoreError::bug("not yet"))
    }

    pub(in crate::store) async fn card(
        &self,
        _lane: &str,
        _message: i64,
        _now: Timestamp,
    ) -> Result<Option<Card>, StoreError> {
        Err(StoreError::bug("not yet"))
    }

    pub(in crate::store) async fn card_of(&self, _message: i64) -> Result<Option<Card>, StoreError> {
        Err(StoreError::bug("not yet"))
    }

    pub(in crate::store) async fn due_escalations(
        &self,
        _now: Timestamp,
        _limit: u32,
    ) -> Result<Vec<Escalation>, StoreError> {
        Err(StoreError::bug("not yet"))
    }

    pub(in crate::store) async fn advance_escalation(
        &self,
        _alert: i64,
        _from_step: u32,
        _next_due: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        Err(StoreError::bug("not yet"))
    }

    pub(in crate::store) async fn forget_escalation(&self, _alert: i64) -> Result<(), StoreError> {
        Err(StoreError::bug("not yet"))
    }

    pub(in crate::store) async fn notification(&self, _id: i64) -> Result<Option<Kept>, StoreError> {
        Err(StoreError::bug("not yet"))
    }

    pub(in crate::store) async fn learn(&self, _conversation: Conversation) -> Result<(), StoreError> {
        Err(StoreError::bug("not yet"))
    }

    pub(in crate::store) async fn conversations(&self) -> Result<Vec<Conversation>, StoreError> {
        Err(StoreError::bug("not yet"))
    }
}
