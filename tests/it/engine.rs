//! The delivery engine end to end: fallbacks, marks of copies, waiting messages, self-alerts.

mod fallback;
mod servers;
mod storm;
mod watch;
mod ways;

use serde_json::Value;

const FIRING: &[(&str, &str)] = &[("db-1", "firing")];
const RESOLVED: &[(&str, &str)] = &[("db-1", "resolved")];

/// The text of messages with the face `text`.
fn texts(messages: &[Value]) -> Vec<String> {
    let text = |message: &Value| {
        message["content"]["content"].as_str().unwrap_or_else(|| panic!("no text: {message:#}")).to_owned()
    };
    messages.iter().map(text).collect()
}
