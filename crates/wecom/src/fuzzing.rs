//! Access of the fuzz targets to the parsers of answers, pushes and frames; other builds do not have it.

use secrecy::SecretString;

use crate::outcome::Secrets;
use crate::reply::{self, SendReply};
use crate::{Api, BotEvent, CallbackKeys, Outcome, Signed};

/// The verdict on a call of `api` that was answered with `body`, while `secret` was in the URL.
pub fn verdict(api: Api, body: &[u8], secret: &str) -> Outcome {
    let secrets = Secrets::new([&SecretString::from(secret)]);
    reply::read::<SendReply>(api, body, &secrets).map_or_else(Outcome::from, Outcome::from)
}

/// What WeCom would put into the query of a push with this ciphertext.
pub fn signed(keys: &CallbackKeys, timestamp: i64, nonce: &str, encrypt: &str) -> Signed {
    keys.sign(timestamp, nonce, encrypt)
}

/// Whole blocks of `plain`, encrypted as they are: without length, corp or padding of ours. What is over is left out.
pub fn sealed_bytes(keys: &CallbackKeys, plain: &[u8]) -> String {
    keys.seal_bytes(plain)
}

/// What a text on a bot's socket is.
#[derive(Debug, PartialEq, Eq)]
pub enum FromSocket {
    /// Nothing that is known.
    Unread,
    /// An answer to a frame of ours.
    Reply {
        /// Of that frame.
        req_id: String,
        /// What WeCom said.
        errcode: i64,
    },
    /// Something happened.
    Event(BotEvent),
}

/// Reads a text as a bot's socket does.
pub fn from_socket(text: &str) -> FromSocket {
    crate::bot::from_socket(text)
}
