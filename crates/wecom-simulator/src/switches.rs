//! What WeCom's documentation leaves open (docs/reference/wecom.md, "unknown"), as switches. The defaults are what that
//! page assumes.

use serde::{Deserialize, Serialize};

/// The simulator's behaviour where WeCom's is unknown.
#[expect(clippy::struct_excessive_bools, reason = "independent yes-or-no questions, each named")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Switches {
    /// All limits of message counts, and the silent drops. Off: everything is delivered, the counters still count.
    pub(crate) enforce_rate: bool,
    /// Messages of an app to one member in 60 seconds; what is above vanishes (page 90454).
    pub(crate) member_per_minute: usize,
    /// The window of the 20 messages a minute of a webhook.
    pub(crate) webhook_window: Window,
    /// A webhook `text` above 2048 bytes.
    pub(crate) webhook_text_over: Over,
    /// A `markdown` above 2048 bytes to an app or a chat.
    pub(crate) app_markdown_over: Over,
    /// Where a text that is too long is cut.
    pub(crate) cut_at: CutAt,
    /// What a second gettoken inside the life of a token gives.
    pub(crate) repeated_gettoken: RepeatedGettoken,
    /// The reply to a request that the duplicate check has suppressed.
    pub(crate) duplicate_reply: DuplicateReply,
    /// A `task_id` that was used before.
    pub(crate) repeated_task_id: RepeatedTaskId,
    /// Whether `appchat/send` answers with a msgid.
    pub(crate) appchat_msgid: bool,
    /// Over the daily ceiling of person-messages of an app.
    pub(crate) daily_ceiling: Ceiling,
    /// Whether `update_template_card` hands out a further `response_code`.
    pub(crate) update_gives_code: bool,
    /// The longest link, in bytes: the send page says 2048, the table of 40039 says 1024.
    pub(crate) url_bytes: usize,
    /// `\uXXXX` escapes of characters beyond ASCII: accepted, or refused with 40033.
    pub(crate) non_ascii_escapes: Escapes,
    /// Whether gettoken looks at the trusted addresses, too.
    pub(crate) trusted_ip_at_gettoken: bool,
    /// Wrong secrets within an hour until an address is barred from gettoken for an hour.
    pub(crate) wrong_secrets_until_ban: usize,
    /// How long a new trusted address takes to act.
    pub(crate) trusted_ip_delay_ms: i64,
    /// Whether `message/get_statistics` still exists.
    pub(crate) statistics: bool,
    /// How long an app's server has to answer the verification of its URL (page 90238).
    pub(crate) verify_deadline_ms: u64,
    /// How long it has to answer a callback (page 90238).
    pub(crate) callback_deadline_ms: u64,
    /// How many times a callback is tried in all (page 90238).
    pub(crate) callback_attempts: usize,
    /// The pause before another try.
    pub(crate) callback_retry_ms: u64,
    /// Further copies of each event, though the first was taken: to apps as calls of their own, to bots as frames.
    pub(crate) duplicate_events: usize,
    /// Whether a passive update of a card uses up the `response_code` of its event.
    pub(crate) passive_reply_uses_code: bool,
    /// What a wrong `BotID` or secret is answered with on the socket: 853000, 40001, 40013, 93019.
    pub(crate) bot_wrong_secret: i64,
    /// The time to answer `enter_chat` and `template_card_event`, on the simulator's clock (page 101463).
    pub(crate) bot_window_ms: i64,
    /// Whether the bot may send cards into groups.
    pub(crate) bot_cards_in_groups: bool,
    /// Whether a button of type 1, with a link, may stand in a bot's card.
    pub(crate) bot_link_buttons: bool,
    /// Whether opening the chat lets the bot push into it; page 101463 only speaks of messages.
    pub(crate) bot_enter_activates: bool,
    /// After so long without a message of a user the bot may not push into the conversation any more; 0 is never.
    pub(crate) bot_activation_lapse_ms: i64,
    /// Over 30 messages a minute or 1000 an hour in a conversation.
    pub(crate) bot_over: Ceiling,
    /// The life of a stream, after which it is 846608.
    pub(crate) bot_stream_life_ms: i64,
    /// How long an event or message waits for a connection when there is none; 0 loses it.
    pub(crate) bot_events_wait_ms: i64,
    /// Puts `event_key` and `task_id` beside `eventtype`, as the SDK's types have them, and not into an object.
    pub(crate) bot_flat_events: bool,
    /// Puts raw control characters into frames.
    pub(crate) bot_control_characters: bool,
    /// Whether a JSON `ping` is answered.
    pub(crate) bot_answers_pings: bool,
    /// How late a `ping` is answered.
    pub(crate) bot_ping_delay_ms: u64,
    /// How late all other frames are answered, though they are acted upon at once.
    pub(crate) bot_ack_delay_ms: u64,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            enforce_rate: true,
            member_per_minute: 30,
            webhook_window: Window::Sliding,
            webhook_text_over: Over::Refuse,
            app_markdown_over: Over::Refuse,
            cut_at: CutAt::Character,
            repeated_gettoken: RepeatedGettoken::NewOlderDies,
            duplicate_reply: DuplicateReply::Same,
            repeated_task_id: RepeatedTaskId::Accept,
            appchat_msgid: false,
            daily_ceiling: Ceiling::Silent,
            update_gives_code: false,
            url_bytes: 2048,
            non_ascii_escapes: Escapes::Accept,
            trusted_ip_at_gettoken: false,
            wrong_secrets_until_ban: 2000,
            trusted_ip_delay_ms: 60_000,
            statistics: true,
            verify_deadline_ms: 1000,
            callback_deadline_ms: 5000,
            callback_attempts: 3,
            callback_retry_ms: 1000,
            duplicate_events: 0,
            passive_reply_uses_code: true,
            bot_wrong_secret: 853_000,
            bot_window_ms: 5000,
            bot_cards_in_groups: false,
            bot_link_buttons: false,
            bot_enter_activates: false,
            bot_activation_lapse_ms: 0,
            bot_over: Ceiling::Error,
            bot_stream_life_ms: 360_000,
            bot_events_wait_ms: 0,
            bot_flat_events: false,
            bot_control_characters: false,
            bot_answers_pings: true,
            bot_ping_delay_ms: 0,
            bot_ack_delay_ms: 0,
        }
    }
}

/// How a limit per minute looks back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Window {
    /// The last 60 seconds.
    Sliding,
    /// The minute of the wall clock.
    Fixed,
}

/// What happens to content above its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Over {
    /// 40058.
    Refuse,
    /// 45002.
    RefuseTooLong,
    /// Cut, without a word.
    Cut,
}

/// Where a cut falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CutAt {
    /// Before the character that does not fit.
    Character,
    /// At the byte; a split character shows as U+FFFD.
    Byte,
}

/// What a second gettoken inside the life of a token gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RepeatedGettoken {
    /// The same token; its life is not extended.
    Same,
    /// Another token; the older one is invalid from now on.
    NewOlderDies,
    /// Another token; both work.
    NewOlderLives,
}

/// The reply to a suppressed duplicate; `errcode` is 0 in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum DuplicateReply {
    /// With the msgid of the first.
    #[serde(rename = "same_msgid")]
    Same,
    /// With a msgid of its own, that names nothing.
    #[serde(rename = "new_msgid")]
    New,
    /// Without a msgid.
    #[serde(rename = "no_msgid")]
    None,
}

/// A `task_id` used before by the same app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RepeatedTaskId {
    /// Taken.
    Accept,
    /// 42014.
    Refuse,
}

/// Over a ceiling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ceiling {
    /// Dropped, `errcode` 0.
    Silent,
    /// 45009.
    Error,
}

/// Escapes of characters that need none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Escapes {
    /// Decoded.
    Accept,
    /// 40033.
    Refuse,
}
