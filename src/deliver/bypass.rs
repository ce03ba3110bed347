//! Sends without the store, for the one message that cannot go through it: that the store takes no writes.
//!
//! Such messages are not recorded, debited or retried, so only a few an hour may be sent; the margin of the budgets has
//! room for those.

use std::time::Duration;

use wecom::Content;
use wecom::message::Text;

use super::audience::Reach;
use super::bring::{Parcel, bring};
use super::envelope::Envelope;
use super::hook::{Hooks, Try};
use super::letter::Writer;
use super::way;
use crate::alert::ThreadId;
use crate::app::App;
use crate::config::Target;

/// WeCom treats the same text within this time as one message, whichever replica sends it.
const SAME: Duration = Duration::from_mins(10);

/// Renders and sends a short text.
pub struct Bypass {
    writer: Writer,
    hooks: Hooks,
}

impl Bypass {
    /// Fails only if the TLS library cannot start.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self { writer: Writer::new()?, hooks: Hooks::new()? })
    }

    /// Sends `words` to a target as plain text, by the first of its ways that takes it. The error gives the reason, in
    /// Chinese and English.
    pub async fn tell(&self, app: &App, receiver: &str, target: &Target, words: &str) -> Result<(), String> {
        let loaded = app.loaded();
        let contents = [Content::Text(Text { content: words.to_owned(), ..Text::default() })];
        let envelope =
            Envelope { message: 0, thread: ThreadId(0), receiver, kind: "alerts", at: app.now(), reminded: SAME };
        let bodies = self.writer.bodies(&loaded.config, target, &contents, &envelope)?;
        let mut reason = String::new();
        for way in way::ways(&loaded.config, target, &Reach::default())? {
            let mut taken = true;
            for (part, body) in (0..).zip(&bodies) {
                let tried = Try { message: 0, part, attempt: 1 };
                let channel = target.channel().wecom();
                let parcel = Parcel { channel, sender: &way.sender, tried, body: body.clone() };
                let verdict = bring(app, &loaded, &self.hooks, parcel, None).await;
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
