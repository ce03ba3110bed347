//! The delivery engine end to end: who is told instead, what is marked as a copy, what waits for its way, what is told
//! of wegraf itself.

mod fallback;
mod servers;
mod storm;
mod watch;
mod ways;

use serde_json::Value;

const FIRING: &[(&str, &str)] = &[("db-1", "firing")];
const RESOLVED: &[(&str, &str)] = &[("db-1", "resolved")];

/// What people read of messages with the face `text`.
fn texts(messages: &[Value]) -> Vec<String> {
    let text = |message: &Value| {
        message["content"]["content"].as_str().unwrap_or_else(|| panic!("no text: {message:#}")).to_owned()
    };
    messages.iter().map(text).collect()
}
