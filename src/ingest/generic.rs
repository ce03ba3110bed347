//! JSON of any other shape, read through a mapping.

use serde_json::Value;

use crate::alert::Notification;

/// Mappings: the user's first, then the shipped ones.
#[derive(Debug, Default)]
pub struct Payloads {}

impl Payloads {
    /// Reads `body` through the first mapping that applies.
    pub(super) fn read(&self, _body: &Value, _text: &str) -> Option<Notification> {
        None
    }
}
