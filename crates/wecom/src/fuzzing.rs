//! Access of the fuzz targets to the private parsers of answers, pushes and frames; no other code uses it.

use secrecy::SecretString;

use crate::outcome::Secrets;
use crate::reply::{self, SendReply};
use crate::{Api, BotEvent, CallbackKeys, Outcome, Signed};

/// The verdict on a call of `api` that was answered with `body`, while `secret` was in the URL.
pub fn verdict(api: Api, body: &[u8], secret: &str) -> Outcome {
    let secrets = Secrets::new([&SecretString::from(secret)]);
    reply::read::<SendReply>(api, body, &secrets).map_or_else(Outcome::from, Outcome::from)
}

/// WeCom's query of a push with this ciphertext.
pub fn signed(keys: &CallbackKeys, timestamp: i64, nonce: &str, encrypt: &str) -> Signed {
    keys.sign(timestamp, nonce, encrypt)
}

/// Whole blocks of `plain`, encrypted without length, corp or padding. An incomplete block is dropped.
pub fn sealed_bytes(keys: &CallbackKeys, plain: &[u8]) -> String {
    keys.seal_bytes(plain)
}

/// The kind of a text on a bot's socket.
#[derive(Debug, PartialEq, Eq)]
pub enum FromSocket {
    /// Unknown.
    Unread,
    /// An answer to a frame of ours.
    Reply {
        /// The `req_id` of that frame.
        req_id: String,
        /// WeCom's code.
        errcode: i64,
    },
    /// An event.
    Event(Box<BotEvent>),
}

/// Reads a text as a bot's socket does.
pub fn from_socket(text: &str) -> FromSocket {
    crate::bot::from_socket(text)
}
