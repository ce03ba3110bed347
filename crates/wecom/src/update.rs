//! Changes of an app's messages after they were sent: updates of cards, and recalls
//! (docs/reference/wecom.md#card-updates; pages 94888, 94867).

use serde::Serialize;
use serde_json::Value;

use crate::http::Request;
use crate::message::TemplateCard;
use crate::outcome::CallError;
use crate::send::json;
use crate::{Account, Api, App, Channel, Client, Outcome, SendRequest};

/// A change of a card that an app sent within the last 72 h.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardUpdate {
    /// From the answer to the message or from a click; valid for one update (60140 after that).
    pub response_code: String,
    /// The members who see the change.
    pub readers: Readers,
    /// The change.
    pub change: CardChange,
}

/// The members whose copy of a card changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readers {
    /// All members who got the card.
    All,
    /// These userids, at most [`MAX_USERS`](crate::MAX_USERS); those who did not get the card are reported in the
    /// outcome.
    Users(Vec<String>),
}

/// The new content of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardChange {
    /// One inactive label replaces the buttons; only where there were buttons.
    Label(String),
    /// Another card, of any kind.
    Card(Box<TemplateCard>),
}

/// The bytes of an update of a card: frozen, and sent as [`Channel::CardUpdate`], like any message.
pub fn card_update_body(agent_id: i64, update: &CardUpdate) -> Vec<u8> {
    #[derive(Serialize)]
    struct Label<'a> {
        replace_name: &'a str,
    }
    #[derive(Serialize)]
    struct Update<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        userids: Option<&'a [String]>,
        #[serde(skip_serializing_if = "Option::is_none")]
        atall: Option<u8>,
        agentid: i64,
        response_code: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        button: Option<Label<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        template_card: Option<&'a TemplateCard>,
    }
    let (userids, atall) = match &update.readers {
        Readers::All => (None, Some(1)),
        Readers::Users(users) => (Some(&**users), None),
    };
    let (button, template_card) = match &update.change {
        CardChange::Label(name) => (Some(Label { replace_name: name }), None),
        CardChange::Card(card) => (None, Some(&**card)),
    };
    json(&Update { userids, atall, agentid: agent_id, response_code: &update.response_code, button, template_card })
}

impl Client {
    /// Updates a card. Accepted in part: those missed did not get the card. An update with an unsure result may have
    /// used the code: 60140 at the next try.
    pub async fn update_card(&self, app: &App, update: &CardUpdate) -> Outcome {
        let body = card_update_body(app.agent_id, update).into();
        self.send(&Account::App(app.clone()), &SendRequest { channel: Channel::CardUpdate, body }).await
    }

    /// Recalls a message that the same app sent within 24 h (42052 after that), from WeCom's clients only: it stays in
    /// WeChat. Idempotent.
    pub async fn recall(&self, app: &App, msgid: &str) -> Result<(), CallError> {
        #[derive(Serialize)]
        struct Recall<'a> {
            msgid: &'a str,
        }
        let request = Request::post(Api::Recall, json(&Recall { msgid }));
        self.call_app::<Value>(app, &request).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(readers: Readers, change: CardChange) -> String {
        let update = CardUpdate { response_code: "RC-1".into(), readers, change };
        String::from_utf8(card_update_body(1_000_002, &update)).unwrap()
    }

    #[test]
    fn a_label_in_place_of_the_buttons_is_exactly_these_bytes() {
        assert_eq!(
            body(Readers::All, CardChange::Label("张三 已认领".into())),
            r#"{"atall":1,"agentid":1000002,"response_code":"RC-1","button":{"replace_name":"张三 已认领"}}"#
        );
    }

    #[test]
    fn another_card_for_some_is_exactly_these_bytes() {
        let card = TemplateCard {
            card_type: "text_notice".into(),
            task_id: "t1".into(),
            replace_text: "已恢复".into(),
            ..TemplateCard::default()
        };
        assert_eq!(
            body(Readers::Users(vec!["zhangsan".into(), "lisi".into()]), CardChange::Card(Box::new(card))),
            r#"{"userids":["zhangsan","lisi"],"agentid":1000002,"response_code":"RC-1","template_card":{"card_type":"text_notice","task_id":"t1","replace_text":"已恢复"}}"#
        );
    }
}
