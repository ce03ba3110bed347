//! Parses callbacks of the socket (docs/reference/wecom.md#bot-events; pages 100719, 101027). Pure.

use serde_json::Value;

use crate::Click;
use crate::click::names_a_member;

use super::body::ChatType;

/// An event in WeCom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BotEvent {
    /// A user wrote to the bot.
    Text {
        /// For the answer, within 24 h.
        req_id: String,
        /// Userid of the writer.
        from: String,
        /// The conversation.
        chat: Conversation,
        /// What was written; in a group the mention of the bot is in it.
        content: String,
        /// The same for each copy of one message.
        msgid: String,
    },
    /// A user used a card.
    Click {
        /// For the update of the card, within 5 s.
        req_id: String,
        /// The click.
        click: Click,
        /// The conversation.
        chat: Conversation,
        /// The same for each copy of one click.
        msgid: String,
    },
    /// A user opened the single chat, for the first time on that day.
    Entered {
        /// For the greeting, within 5 s.
        req_id: String,
        /// Userid of the user.
        from: String,
    },
    /// A newer connection took this one's place; it does not come back by itself.
    Evicted,
    /// Anything else.
    Other {
        /// Name of the event or kind of the message: `feedback_event`, `image`, ….
        kind: String,
        /// Userid of the user it is about; may be empty.
        from: String,
        /// The conversation, if WeCom names it.
        chat: Option<Conversation>,
    },
}

/// A conversation of a bot.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Conversation {
    /// With one person, by userid.
    Single(String),
    /// In a group, by its chatid, whose case matters.
    Group(String),
}

impl Conversation {
    /// Its id for `aibot_send_msg`.
    pub fn id(&self) -> &str {
        match self {
            Self::Single(id) | Self::Group(id) => id,
        }
    }

    /// Which of the two it is.
    pub const fn chat_type(&self) -> ChatType {
        match self {
            Self::Single(_) => ChatType::Single,
            Self::Group(_) => ChatType::Group,
        }
    }
}

/// The missing part of a callback.
pub(crate) type Lacks = &'static str;

/// The message of a user.
pub(crate) fn message(req_id: String, body: &Value) -> Result<BotEvent, Lacks> {
    let kind = text(body, "/msgtype");
    match kind {
        "" => Err("msgtype"),
        "text" => Ok(BotEvent::Text {
            req_id,
            from: from(body).ok_or("from")?,
            chat: conversation(body).ok_or("chatid")?,
            content: text(body, "/text/content").to_owned(),
            msgid: required(body, "/msgid").ok_or("msgid")?,
        }),
        kind => Ok(other(kind, body)),
    }
}

/// An event.
pub(crate) fn event(req_id: String, body: &Value) -> Result<BotEvent, Lacks> {
    let kind = text(body, "/event/eventtype");
    match kind {
        "" => Err("eventtype"),
        "disconnected_event" => Ok(BotEvent::Evicted),
        "enter_chat" => Ok(BotEvent::Entered { req_id, from: from(body).ok_or("from")? }),
        "template_card_event" | "template_card_menu_event" => Ok(BotEvent::Click {
            req_id,
            click: click(kind, body)?,
            chat: conversation(body).ok_or("chatid")?,
            msgid: text(body, "/msgid").to_owned(),
        }),
        kind => Ok(other(kind, body)),
    }
}

/// In the nested form of the documentation, or in the flat form of the SDK's types
/// (docs/reference/wecom.md#bot-events).
fn click(kind: &str, body: &Value) -> Result<Click, Lacks> {
    let flat = &body["event"];
    let card = if flat[kind].is_object() { &flat[kind] } else { flat };
    Ok(Click {
        from: from(body).ok_or("from")?,
        key: required(card, "/event_key").ok_or("event_key")?,
        task_id: required(card, "/task_id").ok_or("task_id")?,
        card_type: text(card, "/card_type").to_owned(),
        response_code: None,
        selected: selected(&card["selected_items"]),
        created_at: body["create_time"].as_i64().unwrap_or(0),
        menu: kind == "template_card_menu_event",
    })
}

/// `{"selected_item":[…]}`, like the XML, or the list itself; questions without a key are ignored.
fn selected(items: &Value) -> Vec<(String, Vec<String>)> {
    let choice = |item: &Value| {
        let ids = list(&item["option_ids"], "option_id").filter_map(Value::as_str).map(str::to_owned).collect();
        required(item, "/question_key").map(|question| (question, ids))
    };
    list(items, "selected_item").filter_map(choice).collect()
}

/// The items of `value` or of `value.name`; one alone is a list of one.
fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    let items = if value.is_object() { &value[name] } else { value };
    let many = items.as_array().map(Vec::as_slice).unwrap_or_default();
    let one = Some(items).filter(|item| !item.is_array() && !item.is_null());
    many.iter().chain(one)
}

fn other(kind: &str, body: &Value) -> BotEvent {
    BotEvent::Other {
        kind: kind.chars().take(64).collect(),
        from: from(body).unwrap_or_default(),
        chat: conversation(body),
    }
}

/// A group has a chatid; otherwise it is the single chat with the writer.
fn conversation(body: &Value) -> Option<Conversation> {
    if text(body, "/chattype") == "group" {
        required(body, "/chatid").filter(|id| id.len() <= 256).map(Conversation::Group)
    } else {
        from(body).map(Conversation::Single)
    }
}

fn from(body: &Value) -> Option<String> {
    required(body, "/from/userid").filter(|id| names_a_member(id))
}

fn required(value: &Value, pointer: &str) -> Option<String> {
    Some(text(value, pointer)).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn clicked(event: &Value) -> Result<BotEvent, Lacks> {
        let body = json!({"msgid": "m1", "create_time": 1_700_000_000, "aibotid": "b", "chatid": "G1",
            "chattype": "group", "from": {"userid": "zhangsan"}, "msgtype": "event", "event": event});
        super::event("R1".into(), &body)
    }

    #[test]
    fn a_click_is_read_nested_as_documented_and_flat_as_the_sdk_has_it() {
        let inner = json!({"card_type": "button_interaction", "event_key": "ack", "task_id": "alert_9f2c",
            "selected_items": {"selected_item": [{"question_key": "dur", "option_ids": {"option_id": ["1h"]}}]}});
        let nested = clicked(&json!({"eventtype": "template_card_event", "template_card_event": inner}));
        let expected = BotEvent::Click {
            req_id: "R1".into(),
            click: Click {
                from: "zhangsan".into(),
                key: "ack".into(),
                task_id: "alert_9f2c".into(),
                card_type: "button_interaction".into(),
                selected: vec![("dur".into(), vec!["1h".into()])],
                created_at: 1_700_000_000,
                ..Click::default()
            },
            chat: Conversation::Group("G1".into()),
            msgid: "m1".into(),
        };
        assert_eq!(nested, Ok(expected.clone()));
        let mut flat = inner;
        flat["eventtype"] = "template_card_event".into();
        assert_eq!(clicked(&flat), Ok(expected));
    }

    #[test]
    fn choices_may_come_as_lists_or_alone() {
        for items in [
            json!([{"question_key": "q", "option_ids": ["a"]}]),
            json!({"selected_item": {"question_key": "q", "option_ids": {"option_id": "a"}}}),
            json!([{"question_key": "q", "option_ids": "a"}, {"option_ids": ["nobody's"]}, 7, null]),
        ] {
            assert_eq!(selected(&items), [("q".to_owned(), vec!["a".to_owned()])], "{items}");
        }
        assert_eq!(selected(&Value::Null), []);
    }

    #[test]
    fn a_click_without_key_task_or_person_is_no_click() {
        assert_eq!(clicked(&json!({"eventtype": "template_card_event"})), Err("event_key"));
        assert_eq!(clicked(&json!({"eventtype": "template_card_event", "event_key": "k"})), Err("task_id"));
        assert_eq!(clicked(&json!({})), Err("eventtype"));
        for from in [json!({}), json!({"userid": ""}), json!({"userid": "a b"}), json!({"userid": 7}), json!([])] {
            let body = json!({"from": from, "event": {"eventtype": "enter_chat"}});
            assert_eq!(event("R".into(), &body), Err("from"), "{body}");
        }
    }

    #[test]
    fn a_text_names_who_wrote_and_where() {
        let single = json!({"msgid": "m", "chattype": "single", "from": {"userid": "lisi"}, "msgtype": "text",
            "text": {"content": "状态"}});
        let Ok(BotEvent::Text { chat, content, .. }) = message("R".into(), &single) else { panic!() };
        assert_eq!((chat, &*content), (Conversation::Single("lisi".into()), "状态"));
        let group = json!({"msgid": "m", "chattype": "group", "chatid": "G", "from": {"userid": "lisi"},
            "msgtype": "text", "text": {"content": "@bot 状态"}});
        let Ok(BotEvent::Text { chat, .. }) = message("R".into(), &group) else { panic!() };
        assert_eq!((chat.id(), chat.chat_type()), ("G", ChatType::Group));
        let nowhere = json!({"msgid": "m", "chattype": "group", "from": {"userid": "lisi"}, "msgtype": "text"});
        assert_eq!(message("R".into(), &nowhere), Err("chatid"));
        assert_eq!(message("R".into(), &Value::Null), Err("msgtype"));
    }

    #[test]
    fn eviction_and_unknown_kinds_are_told_apart() {
        assert_eq!(event("R".into(), &json!({"event": {"eventtype": "disconnected_event"}})), Ok(BotEvent::Evicted));
        let image = json!({"msgtype": "image", "from": {"userid": "lisi"}});
        let expected = BotEvent::Other {
            kind: "image".into(),
            from: "lisi".into(),
            chat: Some(Conversation::Single("lisi".into())),
        };
        assert_eq!(message("R".into(), &image), Ok(expected));
        let feedback = json!({"event": {"eventtype": "feedback_event"}});
        let expected = BotEvent::Other { kind: "feedback_event".into(), from: String::new(), chat: None };
        assert_eq!(event("R".into(), &feedback), Ok(expected));
    }
}
