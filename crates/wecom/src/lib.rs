//! A client for WeCom (企业微信): tokens, messages, group chats, webhooks, media, callbacks, bots, error codes. It knows
//! neither alerts nor the store.
//!
//! A [`Client`] connects to one WeCom. It sends bytes that were frozen before ([`message_send_body`] and similar) and
//! returns an [`Outcome`]: what is certain, what is not, and what may be done about it ([`errcode::Class`]). It keeps
//! tokens, and nothing else that must survive. It retries nothing, except once with a fresh token: only the caller
//! knows when to retry, and whether a copy would be harmful.
//!
//! Presses and texts of users arrive in two ways: [`CallbackKeys`] opens what WeCom posts to an app's callback, and a
//! [`Bot`] runs the socket of a 智能机器人, by which it also sends. Both give a [`Click`] in the same form.

mod api;
mod appchat;
mod bot;
mod callback;
mod click;
mod client;
mod directory;
pub mod errcode;
mod forward;
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod identity;
mod media;
mod members;
pub mod message;
mod outcome;
mod reply;
mod send;
mod text;
mod token;
mod update;

pub use api::Api;
pub use appchat::{Chat, ChatChange, NewChat};
pub use bot::{BOT_URL, Bot, BotEnd, BotEvent, BotOptions, BotPace, BotState, ChatType, Conversation, bot_send_body};
pub use callback::{BadKey, CALLBACK_BODY_BYTES, CALLBACK_WINDOW_SECS, CallbackError, CallbackKeys, Incoming, Signed};
pub use click::Click;
pub use client::{Account, App, Client, Now, Options, Webhook};
pub use directory::{Agent, Member, Person};
pub use errcode::{About, Class};
pub use forward::{Forward, Forwarded};
pub use http::{Network, NetworkError};
pub use identity::Identity;
pub use media::{INLINE_IMAGE_BYTES, Media, MediaKind, PictureError, inline_image};
pub use members::TagMembers;
pub use message::{Channel, Content};
pub use outcome::{CallError, Failure, Fault, MESSAGE_BYTES, Missed, Outcome, Receipt};
pub use send::{
    Duplicates, MAX_DUPLICATE_INTERVAL_SECS, MAX_GROUPS, MAX_USERS, Recipients, SendRequest, appchat_send_body,
    is_userid, message_send_body, webhook_send_body,
};
pub use text::Text;
pub use token::{BoxFuture, StoredToken, TokenStore};
pub use update::{CardChange, CardUpdate, Readers, card_update_body};
