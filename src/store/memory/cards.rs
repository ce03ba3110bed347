//! Cards: messages that can be changed after they were sent.

use std::collections::BTreeSet;

use super::{Memory, Tables};
use crate::alert::Timestamp;
use crate::engine::card::{CODE_MS, Codes};
use crate::engine::changes::CardState;
use crate::names::LaneKey;
use crate::store::Card;

impl Memory {
    /// The newest card of a lane that tells all alerts of a message.
    pub fn card(&self, lane: &LaneKey, message: i64, now: Timestamp) -> Option<Card> {
        let tables = self.0.borrow();
        let mine = tables.told_alerts(message);
        let of = |(card, row): &(&i64, &super::CardRow)| {
            **card < message && tables.messages[card].lane == *lane && mine.is_subset(&row.alerts)
        };
        let newest = tables.cards.iter().rev().find(of).filter(|_| !mine.is_empty());
        let mut card = newest.and_then(|(card, _)| tables.card(*card))?;
        card.code = card.code.filter(|_| now.millis_since(card.code_at) < CODE_MS);
        Some(card)
    }

    /// Does a message tell of an act?
    pub fn is_of_act(&self, message: i64) -> bool {
        self.0.borrow().messages.get(message).is_some_and(|row| row.act.is_some())
    }

    /// A message as a card.
    pub fn card_of(&self, message: i64) -> Option<Card> {
        self.0.borrow().card(message)
    }
}

impl Tables {
    fn card(&self, message: i64) -> Option<Card> {
        let row = self.messages.get(message)?;
        let next = self.cards.get(&message).and_then(|card| card.codes.next.clone());
        let alerts = self.told_alerts(message).into_iter().filter(|alert| self.alerts.get(*alert).is_some());
        Some(Card {
            message,
            created_at: row.created_at,
            code: next.as_ref().map(|code| code.code.clone()),
            code_at: next.map_or(Timestamp(0), |code| code.at),
            alerts: alerts.map(|alert| self.act_alert(alert)).collect(),
        })
    }

    fn told_alerts(&self, message: i64) -> BTreeSet<i64> {
        let told = self.messages.get(message).into_iter().flat_map(|row| &row.transitions);
        told.map(|id| self.transitions[id].moved.alert).collect()
    }

    pub(super) fn codes(&self, message: i64) -> Option<Codes> {
        self.cards.get(&message).map(|card| card.codes.clone())
    }

    pub(super) fn write_card(&mut self, row: &CardState) {
        let alerts = self.told_alerts(row.card);
        let card = self.cards.entry(row.card).or_default();
        card.codes = row.codes.clone();
        card.alerts.extend(alerts);
    }
}
