//! The way of the fuzz targets to what reads answers; no other build has it.

use secrecy::SecretString;

use crate::outcome::Secrets;
use crate::reply::{self, SendReply};
use crate::{Api, Outcome};

/// The verdict on a call of `api` that was answered with `body`, while `secret` was in the URL.
pub fn verdict(api: Api, body: &[u8], secret: &str) -> Outcome {
    let secrets = Secrets::new([&SecretString::from(secret)]);
    reply::read::<SendReply>(api, body, &secrets).map_or_else(Outcome::from, Outcome::from)
}
