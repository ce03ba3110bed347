//! The bodies of a bot's frames (docs/reference/wecom.md#bot-frames, #bot-messages; pages 101138, 101463). Made once,
//! sent unchanged.

use serde::Serialize;

use crate::Content;
use crate::message::{Markdown, TemplateCard};
use crate::send::json;

/// Whether a conversation is with one person or in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChatType {
    /// With one person.
    Single,
    /// In a group.
    Group,
}

/// The bytes of a message that answers nothing. `chatid` is a userid or the chatid of a group; without a type WeCom
/// decides, group first. A bot has no plain text: a text is sent as markdown, and its mentions are dropped.
pub fn bot_send_body(chatid: &str, chat_type: Option<ChatType>, content: &Content) -> Vec<u8> {
    #[derive(Serialize)]
    struct Message<'a> {
        chatid: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        chat_type: Option<u8>,
        msgtype: &'a str,
        #[serde(flatten)]
        content: &'a Content,
    }
    let markdown;
    let content = match content {
        Content::Text(text) => {
            markdown = Content::Markdown(Markdown { content: text.content.clone() });
            &markdown
        }
        content => content,
    };
    let chat_type = chat_type.map(|chat_type| match chat_type {
        ChatType::Single => 1,
        ChatType::Group => 2,
    });
    json(&Message { chatid, chat_type, msgtype: content.msgtype(), content })
}

/// An answer in markdown: a stream that ends with its first piece, since there is no simpler form of an answer
/// (docs/reference/wecom.md#bot-frames).
pub(super) fn respond_markdown(stream_id: &str, markdown: &str) -> Vec<u8> {
    #[derive(Serialize)]
    struct Stream<'a> {
        id: &'a str,
        finish: bool,
        content: &'a str,
    }
    #[derive(Serialize)]
    struct Body<'a> {
        msgtype: &'static str,
        stream: Stream<'a>,
    }
    json(&Body { msgtype: "stream", stream: Stream { id: stream_id, finish: true, content: markdown } })
}

/// An answer or a greeting that is a card.
pub(super) fn card(card: &TemplateCard) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        msgtype: &'static str,
        template_card: &'a TemplateCard,
    }
    json(&Body { msgtype: "template_card", template_card: card })
}

/// A greeting.
pub(super) fn welcome_text(text: &str) -> Vec<u8> {
    #[derive(Serialize)]
    struct Text<'a> {
        content: &'a str,
    }
    #[derive(Serialize)]
    struct Body<'a> {
        msgtype: &'static str,
        text: Text<'a>,
    }
    json(&Body { msgtype: "text", text: Text { content: text } })
}

/// The card that replaces the clicked one, with the same task id; for `users`, or for all who see it.
pub(super) fn update(card: &TemplateCard, users: &[String]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        response_type: &'static str,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        userids: &'a [String],
        template_card: &'a TemplateCard,
    }
    json(&Body { response_type: "update_template_card", userids: users, template_card: card })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Text;

    fn shown(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn bodies_are_exactly_these_bytes() {
        let markdown = Content::Markdown(Markdown { content: "# 磁盘".into() });
        assert_eq!(
            shown(bot_send_body("zhangsan", Some(ChatType::Single), &markdown)),
            r##"{"chatid":"zhangsan","chat_type":1,"msgtype":"markdown","markdown":{"content":"# 磁盘"}}"##
        );
        let text = Content::Text(Text { content: "x".into(), mentioned_list: vec!["@all".into()], ..Text::default() });
        assert_eq!(
            shown(bot_send_body("G1", Some(ChatType::Group), &text)),
            r#"{"chatid":"G1","chat_type":2,"msgtype":"markdown","markdown":{"content":"x"}}"#
        );
        let small = TemplateCard { card_type: "text_notice".into(), task_id: "t".into(), ..TemplateCard::default() };
        assert_eq!(
            shown(bot_send_body("G1", None, &Content::TemplateCard(Box::new(small.clone())))),
            r#"{"chatid":"G1","msgtype":"template_card","template_card":{"card_type":"text_notice","task_id":"t"}}"#
        );
        assert_eq!(
            shown(respond_markdown("s1", "**好**")),
            r#"{"msgtype":"stream","stream":{"id":"s1","finish":true,"content":"**好**"}}"#
        );
        assert_eq!(shown(welcome_text("你好")), r#"{"msgtype":"text","text":{"content":"你好"}}"#);
        assert_eq!(
            shown(card(&small)),
            r#"{"msgtype":"template_card","template_card":{"card_type":"text_notice","task_id":"t"}}"#
        );
        assert_eq!(
            shown(update(&small, &["lisi".into()])),
            r#"{"response_type":"update_template_card","userids":["lisi"],"template_card":{"card_type":"text_notice","task_id":"t"}}"#
        );
        assert!(!shown(update(&small, &[])).contains("userids"));
    }
}
