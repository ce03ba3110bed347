//! Scripted faults: what goes wrong, for whom, from which time on and how often.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::call::{Call, text};

/// The most pending faults.
pub(crate) const MAX_FAULTS: usize = 1000;

/// A fault that is pending for the calls it matches.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    /// Which calls it matches; without it, all.
    #[serde(default, rename = "match")]
    matches: Match,
    /// The number of matching calls that pass unharmed first.
    #[serde(default)]
    after: u64,
    /// The number of calls that are hit.
    #[serde(default)]
    times: Times,
    pub(crate) action: Action,
}

/// Which calls a fault matches; every field given must match.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Match {
    /// The end of the path, `message/send`, or a bot's command: `aibot_send_msg`.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// The agent id of the app whose token or secret is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<i64>,
    /// A webhook key, or a `BotID`.
    #[serde(skip_serializing_if = "Option::is_none", alias = "webhook", alias = "bot")]
    key: Option<String>,
    /// A userid in `touser`.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// A chatid.
    #[serde(skip_serializing_if = "Option::is_none")]
    chat: Option<String>,
}

/// How often a fault acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Times {
    Count(u64),
    Word(Forever),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Forever {
    Forever,
}

impl Default for Times {
    fn default() -> Self {
        Self::Count(1)
    }
}

/// The effect of a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Action {
    /// The call is refused with this code; nothing is delivered.
    Errcode(i64),
    /// This status and body are the answer; nothing is delivered.
    Http {
        status: u16,
        #[serde(default)]
        body: String,
    },
    /// HTTP 200 with this body, which should not be JSON; nothing is delivered.
    Raw(String),
    /// The call is executed only after so many milliseconds.
    DelayMs(u64),
    /// The connection is reset; nothing is delivered.
    ResetBefore,
    /// The message is delivered, then the connection is reset: the outcome is unknown to the client.
    ResetAfter,
    /// The message is delivered, but the answer is truncated.
    Truncate,
    /// Nothing is delivered and no answer is sent.
    Hang,
}

/// The faults in the order in which they were added.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) -> Result<(), String> {
        if let Action::Http { status, .. } = fault.action
            && !(200..=599).contains(&status)
        {
            return Err(format!("http status {status} cannot be answered; use 200 to 599"));
        }
        if self.0.len() >= MAX_FAULTS {
            return Err(format!("{MAX_FAULTS} faults wait already; DELETE /_simulator/faults first"));
        }
        self.0.push(fault);
        Ok(())
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn list(&self) -> &[Fault] {
        &self.0
    }

    /// The fault that hits this call: the first that matches and has let its number of calls pass.
    pub(crate) fn strike(&mut self, call: &Call, app: Option<i64>) -> Option<Action> {
        if self.0.is_empty() {
            return None;
        }
        let body = call.json().unwrap_or_default();
        let chat = text(&body, "chatid").or_else(|| call.param("chatid"));
        let path = format!("/cgi-bin/{}", call.path);
        self.strike_at(&Struck { path: &path, app, key: call.param("key"), chat, body: &body })
    }

    /// The fault that hits this frame of a bot: its `cmd` is the path, the `BotID` the key.
    pub(crate) fn strike_frame(&mut self, cmd: &str, bot: Option<&str>, body: &Value) -> Option<Action> {
        self.strike_at(&Struck { path: cmd, app: None, key: bot, chat: text(body, "chatid"), body })
    }

    fn strike_at(&mut self, struck: &Struck<'_>) -> Option<Action> {
        for at in 0..self.0.len() {
            let fault = &mut self.0[at];
            if !fault.matches.fits(struck) {
                continue;
            }
            if fault.after > 0 {
                fault.after -= 1;
                continue;
            }
            let action = fault.action.clone();
            if let Times::Count(left) = &mut fault.times {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    self.0.remove(at);
                }
            }
            return Some(action);
        }
        None
    }
}

/// The properties of a call that a fault can match.
struct Struck<'a> {
    path: &'a str,
    app: Option<i64>,
    key: Option<&'a str>,
    chat: Option<&'a str>,
    body: &'a Value,
}

impl Match {
    fn fits(&self, struck: &Struck<'_>) -> bool {
        let addressed = |user: &str| {
            text(struck.body, "touser").is_some_and(|list| list.split('|').any(|name| name.eq_ignore_ascii_case(user)))
        };
        self.path.as_ref().is_none_or(|path| struck.path.ends_with(path.as_str()))
            && self.app.is_none_or(|wanted| struck.app == Some(wanted))
            && self.key.as_ref().is_none_or(|key| struck.key == Some(key))
            && self.user.as_ref().is_none_or(|user| addressed(user))
            && self.chat.as_ref().is_none_or(|wanted| struck.chat == Some(wanted))
    }
}
