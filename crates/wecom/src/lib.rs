//! Speaks WeCom (企业微信): tokens, messages, group chats, webhooks, media, error codes. Knows no alerts.

pub mod message;

pub use message::{Channel, Content};
