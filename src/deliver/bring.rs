//! Hands bytes to their transport: WeCom, the mail server, a hook, a bot's socket.

use std::time::{Duration, Instant};

use bytes::Bytes;
use wecom::SendRequest;

use super::Deliver;
use super::attempt::deadline;
use super::hook::{Hooks, Try};
use super::setup::Setup;
use super::verdict::Verdict;
use super::way::Sender;

/// Longest wait for a bot's socket to take a message: queueing, and WeCom's answer.
const BOT_DEADLINE: Duration = Duration::from_secs(20);

/// The bytes to be sent, and their sender.
pub(super) struct Parcel<'a> {
    pub channel: Option<wecom::Channel>,
    pub sender: &'a Sender,
    pub tried: Try,
    pub body: Bytes,
}

/// Sends the bytes, unless they might still be under way at `end`.
pub(super) async fn bring(
    deliver: &Deliver,
    setup: &Setup,
    hooks: &Hooks,
    parcel: Parcel<'_>,
    end: Option<Instant>,
) -> Verdict {
    let Parcel { channel, sender, tried, body } = parcel;
    match (sender, channel) {
        (Sender::WeCom(account), Some(channel)) => {
            setup.wecom.send_by(account, &SendRequest { channel, body }, end).await.into()
        }
        (Sender::Mail(to), _) => match &setup.mailer {
            Some(mailer) => mailer.send(to, &body, deadline(deliver.store.lease())).await.into(),
            None => Verdict::gone("smtp"),
        },
        (Sender::Hook(name), _) => match setup.config.hooks.get(name) {
            Some(hook) => hooks.post(hook, &body, tried, deadline(deliver.store.lease())).await.into(),
            None => Verdict::gone(name),
        },
        (Sender::Bot(name), _) => {
            let end = end.unwrap_or_else(|| Instant::now() + BOT_DEADLINE);
            deliver.sockets.send(name, body, end).await.map_or_else(Verdict::not_connected, Verdict::from)
        }
        (Sender::WeCom(_), None) => Verdict::gone("wecom"),
    }
}
