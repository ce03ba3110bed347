//! Sends without the store, for the one message that cannot go through it: that the store takes no writes.
//!
//! Such messages are not recorded, debited or retried, so only a few an hour may be sent; the margin of the budgets has
//! room for those.

use std::time::Duration;

use wecom::Content;
use wecom::message::Text;

use super::Deliver;
use super::audience::Reach;
use super::bring::{Parcel, bring};
use super::envelope::Envelope;
use super::hook::{Hooks, Try};
use super::letter::Writer;
use super::way;
use crate::alert::ThreadId;
use crate::config::Target;

/// WeCom treats the same text within this time as one message, whichever replica sends it.
const SAME: Duration = Duration::from_mins(10);

/// Renders and sends a short text.
pub struct Bypass {
    deliver: Deliver,
    writer: Writer,
    hooks: Hooks,
}

impl Bypass {
    /// Fails only if the TLS library cannot start.
    pub fn new(deliver: Deliver) -> anyhow::Result<Self> {
        Ok(Self { deliver, writer: Writer::new()?, hooks: Hooks::new()? })
    }

    /// Sends `words` to a target as plain text, by the first of its ways that takes it. The error gives the reason, in
    /// Chinese and English.
    pub async fn tell(&self, receiver: &str, target: &Target, words: &str) -> Result<(), String> {
        let setup = self.deliver.setup.now();
        let contents = [Content::Text(Text { content: words.to_owned(), ..Text::default() })];
        let envelope = Envelope {
            message: 0,
            thread: ThreadId(0),
            receiver,
            kind: "alerts",
            at: self.deliver.clock.now(),
            reminded: SAME,
            picture: None,
        };
        let bodies = self.writer.bodies(&setup.config, target, &contents, &envelope)?;
        let mut reason = String::new();
        for way in way::ways(&setup.config, target, &Reach::default())? {
            let mut taken = true;
            for (part, body) in (0..).zip(&bodies) {
                let tried = Try { message: 0, part, attempt: 1 };
                let channel = target.channel().wecom();
                let parcel = Parcel { channel, sender: &way.sender, tried, body: body.clone() };
                let verdict = bring(&self.deliver, &setup, &self.hooks, parcel, None).await;
                if let Some(failed) = verdict.failed() {
                    reason = format!("{} {}", failed.zh, failed.en);
                    taken = false;
                    break;
                }
            }
            if taken {
                return Ok(());
            }
        }
        Err(reason)
    }
}
