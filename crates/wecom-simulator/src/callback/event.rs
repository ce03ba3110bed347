//! What a person does, as the XML that WeCom sends to the app (pages 90239, 90240;
//! docs/reference/wecom.md#callback-events).

use std::fmt::Write as _;

use crate::clicks::Selected;

/// The member, app and time of an event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event<'a> {
    pub(crate) corp_id: &'a str,
    pub(crate) user: &'a str,
    pub(crate) now_s: i64,
    pub(crate) agent_id: i64,
}

/// The action of the member.
#[derive(Debug, Clone, Copy)]
pub(crate) enum What<'a> {
    /// A text was written to the app.
    Text { content: &'a str, msgid: u64 },
    /// The app was opened.
    EnterAgent,
    /// A button of a card was pressed, or an entry of its menu chosen.
    Card {
        menu: bool,
        key: &'a str,
        task_id: &'a str,
        card_type: &'a str,
        response_code: &'a str,
        selected: Option<&'a Selected>,
    },
}

impl What<'_> {
    /// The name of the event in the record of pushes.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::EnterAgent => "enter_agent",
            Self::Card { menu: false, .. } => "template_card_event",
            Self::Card { menu: true, .. } => "template_card_menu_event",
        }
    }
}

impl Event<'_> {
    /// The XML, without white space between the elements.
    pub(crate) fn xml(&self, what: &What<'_>) -> String {
        let mut xml = String::from("<xml>");
        put(&mut xml, "ToUserName", self.corp_id);
        put(&mut xml, "FromUserName", self.user);
        number(&mut xml, "CreateTime", self.now_s);
        match what {
            What::Text { content, msgid } => {
                put(&mut xml, "MsgType", "text");
                put(&mut xml, "Content", content);
                number(&mut xml, "MsgId", msgid);
            }
            What::EnterAgent => {
                put(&mut xml, "MsgType", "event");
                put(&mut xml, "Event", what.name());
                put(&mut xml, "EventKey", "");
            }
            What::Card { key, task_id, card_type, response_code, .. } => {
                put(&mut xml, "MsgType", "event");
                put(&mut xml, "Event", what.name());
                put(&mut xml, "EventKey", key);
                put(&mut xml, "TaskId", task_id);
                put(&mut xml, "CardType", card_type);
                put(&mut xml, "ResponseCode", response_code);
            }
        }
        number(&mut xml, "AgentID", self.agent_id);
        if let What::Card { selected: Some(selected), .. } = what {
            items(&mut xml, selected);
        }
        xml.push_str("</xml>");
        xml
    }
}

fn items(xml: &mut String, selected: &Selected) {
    xml.push_str("<SelectedItems>");
    for (question, options) in selected {
        xml.push_str("<SelectedItem>");
        put(xml, "QuestionKey", question);
        xml.push_str("<OptionIds>");
        for option in options {
            put(xml, "OptionId", option);
        }
        xml.push_str("</OptionIds></SelectedItem>");
    }
    xml.push_str("</SelectedItems>");
}

fn put(xml: &mut String, name: &str, text: &str) {
    // Only `]]>` ends a CDATA section, so it is split over two sections.
    let text = text.replace("]]>", "]]]]><![CDATA[>");
    write!(xml, "<{name}><![CDATA[{text}]]></{name}>").expect("invariant: a String takes every write");
}

fn number(xml: &mut String, name: &str, value: impl std::fmt::Display) {
    write!(xml, "<{name}>{value}</{name}>").expect("invariant: a String takes every write");
}

/// The envelope of a push.
pub(crate) fn envelope(corp_id: &str, agent_id: i64, encrypted: &str) -> String {
    let mut xml = String::from("<xml>");
    put(&mut xml, "ToUserName", corp_id);
    put(&mut xml, "AgentID", &agent_id.to_string());
    put(&mut xml, "Encrypt", encrypted);
    xml.push_str("</xml>");
    xml
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_listed_by_question_and_a_text_cannot_end_its_section() {
        let event = Event { corp_id: "c", user: "u", now_s: 1, agent_id: 2 };
        let selected: Selected = vec![("dur".into(), vec!["1h".into(), "4h".into()])];
        let what = What::Card {
            menu: false,
            key: "k]]>",
            task_id: "t",
            card_type: "vote_interaction",
            response_code: "r",
            selected: Some(&selected),
        };
        let xml = event.xml(&what);
        assert!(xml.contains("<EventKey><![CDATA[k]]]]><![CDATA[>]]></EventKey>"), "{xml}");
        let list = "<SelectedItems><SelectedItem><QuestionKey><![CDATA[dur]]></QuestionKey><OptionIds>\
                    <OptionId><![CDATA[1h]]></OptionId><OptionId><![CDATA[4h]]></OptionId></OptionIds></SelectedItem>\
                    </SelectedItems></xml>";
        assert!(xml.ends_with(list), "{xml}");
    }
}
