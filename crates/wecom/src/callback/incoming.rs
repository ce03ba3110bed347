//! Parses the decrypted XML of a push (docs/reference/wecom.md#callback-events; pages 90239, 90240).

use super::CallbackError;
use super::xml::Element;
use crate::Click;
use crate::click::names_a_member;

/// A push of WeCom to an app. Each may come up to three times (page 90238): copies of a text share its `msgid`, copies
/// of others the user and the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A user wrote to the app.
    Text {
        /// Userid of the writer.
        from: String,
        /// What was written.
        content: String,
        /// The same for each copy of one message.
        msgid: String,
        /// When it was written, Unix seconds.
        created_at: i64,
    },
    /// A user used a card.
    Click(Click),
    /// A user opened the app.
    Entered {
        /// Userid of the user.
        from: String,
        /// When, Unix seconds.
        created_at: i64,
    },
    /// Anything else.
    Other {
        /// Name of the event, or kind of the message: `subscribe`, `inactive_alert`, `image`, ….
        event: String,
        /// Key of the entry of the app's own menu, for `click`; empty otherwise.
        key: String,
        /// Userid of the user it is about; empty if it is about the app.
        from: String,
        /// When, Unix seconds; 0 if WeCom does not tell.
        created_at: i64,
    },
}

pub(super) fn read(xml: &Element) -> Result<Incoming, CallbackError> {
    let created_at = xml.text_of("CreateTime").parse().unwrap_or(0);
    let from = || {
        let from = xml.text_of("FromUserName");
        if names_a_member(from) { Ok(from.to_owned()) } else { Err(CallbackError::Lacks("FromUserName")) }
    };
    match (xml.text_of("MsgType"), xml.text_of("Event")) {
        ("", _) => Err(CallbackError::Lacks("MsgType")),
        ("text", _) => Ok(Incoming::Text {
            from: from()?,
            content: xml.child("Content").map_or("", Element::text).to_owned(),
            msgid: required(xml, "MsgId")?,
            created_at,
        }),
        ("event", "") => Err(CallbackError::Lacks("Event")),
        ("event", event @ ("template_card_event" | "template_card_menu_event")) => Ok(Incoming::Click(Click {
            from: from()?,
            key: required(xml, "EventKey")?,
            task_id: required(xml, "TaskId")?,
            card_type: xml.text_of("CardType").to_owned(),
            response_code: Some(xml.text_of("ResponseCode").to_owned()).filter(|code| !code.is_empty()),
            selected: selected(xml),
            created_at,
            menu: event == "template_card_menu_event",
        })),
        ("event", "enter_agent") => Ok(Incoming::Entered { from: from()?, created_at }),
        ("event", event) | (event, _) => Ok(Incoming::Other {
            event: event.to_owned(),
            key: xml.text_of("EventKey").to_owned(),
            from: from().unwrap_or_default(),
            created_at,
        }),
    }
}

fn required(xml: &Element, name: &'static str) -> Result<String, CallbackError> {
    match xml.text_of(name) {
        "" => Err(CallbackError::Lacks(name)),
        text => Ok(text.to_owned()),
    }
}

/// Questions without a key are ignored.
fn selected(xml: &Element) -> Vec<(String, Vec<String>)> {
    let Some(items) = xml.child("SelectedItems") else { return Vec::new() };
    let options = |item: &Element| {
        let ids = item.child("OptionIds").into_iter().flat_map(|ids| ids.all("OptionId"));
        ids.map(|id| id.text().trim().to_owned()).collect()
    };
    items
        .all("SelectedItem")
        .map(|item| (item.text_of("QuestionKey").to_owned(), options(item)))
        .filter(|(question, _)| !question.is_empty())
        .collect()
}
