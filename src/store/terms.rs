//! The terms of messages, by which they are found: written by a job after the commit, so that intake does not wait for it.
//!
//! A message has the words of what it tells, of the bytes that went out, of whom they address, and the codes of refusals.
//! It is read when it is new, and again when it is settled, if it was not yet then.

use serde_json::Value;

use super::{Store, StoreError};
use crate::alert::{Labels, ThreadId};
use crate::search::{Question, Terms, Want};

/// Messages that one call reads.
pub(super) const BATCH: i64 = 200;
/// Alerts of one message whose labels are read.
pub(super) const ALERTS: i64 = 300;
/// Bytes of the texts in its bodies that are read for one message.
const BYTES: usize = 64 * 1024;

/// A message as it is read for its terms.
#[derive(Debug)]
pub(super) struct Document {
    pub id: i64,
    /// Was it read before it was settled?
    pub again: bool,
    /// Is it settled?
    pub settled: bool,
    /// Receiver, lane, source.
    pub names: [String; 3],
    pub thread: ThreadId,
    /// Names and labels, as JSON, of its alerts.
    pub alerts: Vec<(String, String)>,
    /// The bytes of its last version.
    pub bodies: Vec<Vec<u8>>,
    /// Codes of refusals, and whom WeCom did not reach, as JSON.
    pub refusals: Vec<(Option<i64>, Option<String>)>,
}

impl Document {
    /// Its terms.
    pub fn terms(&self) -> Terms {
        let (mut terms, mut left) = (Terms::default(), BYTES);
        self.names.iter().for_each(|name| terms.add(name));
        terms.add(&self.thread.to_string());
        for (name, labels) in &self.alerts {
            terms.add(name);
            let labels: Labels = serde_json::from_str(labels).unwrap_or_default();
            for (name, value) in &labels {
                terms.add(name);
                terms.add(value);
            }
        }
        for (errcode, invalid) in &self.refusals {
            if let Some(errcode) = errcode {
                terms.add(&errcode.to_string());
            }
            if let Some(invalid) = invalid {
                terms.add(invalid);
            }
        }
        for body in &self.bodies {
            match serde_json::from_slice(body) {
                Ok(value) => add_texts(&value, &mut terms, &mut left),
                Err(_) => add_text(&String::from_utf8_lossy(body), &mut terms, &mut left),
            }
        }
        terms
    }
}

/// Adds the texts in a JSON value.
fn add_texts(value: &Value, terms: &mut Terms, left: &mut usize) {
    match value {
        Value::String(text) => add_text(text, terms, left),
        Value::Array(all) => all.iter().for_each(|one| add_texts(one, terms, left)),
        Value::Object(all) => all.values().for_each(|one| add_texts(one, terms, left)),
        _ => {}
    }
}

fn add_text(text: &str, terms: &mut Terms, left: &mut usize) {
    let text = &text[..text.floor_char_boundary(*left)];
    *left -= text.len();
    terms.add(text);
}

/// What became of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Indexed {
    /// Messages whose terms were written.
    pub messages: usize,
    /// There are more.
    pub more: bool,
}

impl Store {
    /// Writes the terms of a batch of messages that have none yet, or that were settled since. Reads apart from the
    /// writer; one short write.
    pub async fn index_terms(&self) -> Result<Indexed, StoreError> {
        match self {
            Self::Sqlite(db) => db.index_terms().await,
            Self::Postgres(db) => db.index_terms().await,
        }
    }
}

/// A question as FTS5 reads it.
pub(super) fn in_fts5(question: &Question) -> String {
    let term = |want: &Want| match want {
        Want::Whole(term) => format!("\"{term}\""),
        Want::Begins(term) => format!("\"{term}\"*"),
        Want::Any(terms) => {
            format!("({})", terms.iter().map(|term| format!("\"{term}\"")).collect::<Vec<_>>().join(" OR "))
        }
    };
    question.wants().iter().map(term).collect::<Vec<_>>().join(" AND ")
}

/// A question as PostgreSQL reads it.
pub(super) fn in_tsquery(question: &Question) -> String {
    let term = |want: &Want| match want {
        Want::Whole(term) => format!("'{term}'"),
        Want::Begins(term) => format!("'{term}':*"),
        Want::Any(terms) => {
            format!("({})", terms.iter().map(|term| format!("'{term}'")).collect::<Vec<_>>().join(" | "))
        }
    };
    question.wants().iter().map(term).collect::<Vec<_>>().join(" & ")
}
